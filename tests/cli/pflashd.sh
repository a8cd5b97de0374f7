# SPDX-License-Identifier: BSD-2-Clause
# pflashd's command line, and what it refuses where there is no Xen at all.
. tests/lib/cli.sh

d=$build/pflashd
v=$tmp/vars.fd
dd if=/dev/zero bs=4096 count=32 of="$v" 2>/dev/null

check "--help" sh -c "'$d' --help | grep -q -e --personality"
check "--version" sh -c "'$d' --version | grep -q 'pflashd [0-9]'"
refuses "no domain" 2 '--domain' "$d" --vars "$v"
refuses "no file" 2 '--vars' "$d" --domain 1
refuses "unknown option" 2 "'--nope'" "$d" --nope
refuses "unknown letters" 2 "'-x'" "$d" -xy
refuses "option without value" 2 '--domain' "$d" --domain
refuses "stray argument" 2 "'stray'" "$d" --domain 1 --vars "$v" stray
refuses "mode" 2 "'fast'" "$d" --domain 1 --vars "$v" --mode fast
refuses "sync" 2 "'never'" "$d" --domain 1 --vars "$v" --sync never
refuses "personality" 2 "'split'" "$d" --domain 1 --vars "$v" --personality split
refuses "layout" 2 "'3m'" "$d" --domain 1 --vars "$v" --layout 3m
refuses "base" 2 "'top'" "$d" --domain 1 --vars "$v" --base top
refuses "base beyond 4 GiB" 2 "0x100000000" "$d" --domain 1 --vars "$v" --base 0x100000000
refuses "ready-fd" 2 'descriptor' "$d" --domain 1 --vars "$v" --ready-fd 77
refuses "template and layout" 2 'exclude' "$d" --domain 1 --vars "$v" \
	--template "$v" --layout 2m
refuses "missing file, nothing to start from" 3 "$tmp/none.fd" "$d" \
	--domain 1 --vars "$tmp/none.fd" --foreground
refuses "missing template" 3 "$tmp/t.fd" "$d" --domain 1 \
	--vars "$tmp/none.fd" --template "$tmp/t.fd" --foreground
head -c 5000 "$v" >"$tmp/short.fd"
refuses "size that is no flash" 3 '5000 bytes' "$d" --domain 1 \
	--vars "$tmp/short.fd" --foreground
head -c 8192 "$v" >"$tmp/two.fd"
refuses "template that is no flash" 3 "short.fd: 5000 bytes" "$d" --domain 1 \
	--vars "$tmp/none.fd" --template "$tmp/short.fd" --foreground
refuses "size without a known base" 3 '--base' "$d" --domain 1 \
	--vars "$tmp/two.fd" --foreground
: >"$tmp/empty.fd"
refuses "empty file" 3 'empty.fd' "$d" --domain 1 --vars "$tmp/empty.fd" --foreground

if [ -e /proc/xen/capabilities ]; then
	skip "what is said without Xen: this is a Xen host"
else
	refuses "no Xen, foreground" 5 xenstore "$d" --domain 1 --vars "$v" --foreground
	refuses "no Xen, daemon" 5 xenstore "$d" --domain 1 --vars "$v"
	refuses "no Xen, new file" 5 xenstore "$d" --domain 1 \
		--vars "$tmp/new.fd" --layout 2m --foreground
	check "nothing was created" test ! -e "$tmp/new.fd"
	check "no journal was created" test ! -e "$v.journal"
fi
finish
