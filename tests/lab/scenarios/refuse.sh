# SPDX-License-Identifier: BSD-2-Clause
# about: refusals of pflashd on a Xen host; a refusal changes nothing
# needs: build/lab/guest.elf build/pflashd build/pflashctl build/pflash-replay
# needs: /usr/share/OVMF/OVMF_VARS.fd /usr/share/ovmf/OVMF.fd
# timeout: 120
. /lab/lib.sh

# refused TEXT CODE PATTERN OPTION...: exits with CODE and prints one line on
# standard error
refused() {
    refused_text=$1
    refused_code=$2
    refused_pattern=$3
    shift 3
    pflashd --foreground "$@" >/tmp/out 2>/tmp/err
    refused_got=$?
    if [ $refused_got = "$refused_code" ] && [ ! -s /tmp/out ] &&
        [ "$(wc -l </tmp/err)" = 1 ] && grep -q -e "$refused_pattern" /tmp/err; then
        ok "$refused_text: $(cat /tmp/err)"
    else
        not_ok "$refused_text: exit $refused_got: $(cat /tmp/out /tmp/err)"
    fi
}

pflashd=$(command -v pflashd)
pflashd() {
    timeout 20 "$pflashd" "$@"
}

sums() {
    sha256sum /tmp/*.fd /tmp/*.journal 2>&1
}

lab_guest one test=hole || lab_die "no guest"
id=$(lab_domid one)
cp /lab/OVMF_VARS.fd /tmp/a.fd
head -c 131072 /dev/zero >/tmp/zero.fd
head -c 131072 /dev/zero | tr '\0' '\377' >/tmp/ones.fd
cp /tmp/a.fd /tmp/b.fd
echo 'r 0 1' | pflash-replay --vars /tmp/b.fd >/dev/null
printf 'torn' >>/tmp/b.fd.journal
head -c 100 /dev/urandom >>/tmp/b.fd.journal
torn=$(wc -c </tmp/b.fd.journal)
cp /tmp/a.fd /tmp/c.fd
head -c 200 /dev/urandom >/tmp/c.fd.journal
before=$(sums)

refused "unknown name" 5 "named 'two'" --domain two --vars /tmp/a.fd
refused "unknown id" 5 "id 77" --domain 77 --vars /tmp/a.fd
refused "impossible id" 5 "99999" --domain 99999 --vars /tmp/a.fd
refused "dom0, which is PV" 5 "HVM or PVH" --domain 0 --vars /tmp/a.fd
refused "new file, unknown domain" 5 "named 'two'" --domain two \
    --vars /tmp/new.fd --layout 2m
refused "base below the hole" 5 "not in the hole" --domain one \
    --vars /tmp/a.fd --base 0xe0000000
refused "base that is not aligned" 5 "multiple of 0x1000" --domain one \
    --vars /tmp/a.fd --base 0xffe00200
refused "base beyond the end" 5 "not in the hole" --domain one \
    --vars /tmp/a.fd --base 0xffff0000
refused "base at the interrupt controllers" 5 "not in the hole" --domain one \
    --vars /tmp/a.fd --base 0xfee00000
refused "base on the guest's memory" 5 "has memory at 0xfc0" --domain "$id" \
    --vars /tmp/a.fd --base 0xfc000000
refused "new file, base on the guest's memory" 5 "has memory" --domain one \
    --vars /tmp/new.fd --layout 2m --base 0xfc000000
refused "damaged journal" 3 "c.fd.journal: damaged at offset 0" --domain one \
    --vars /tmp/c.fd
refused "code that is none" 3 "zero.fd: the file contains nothing but zeros" --domain one \
    --vars /tmp/a.fd --code /tmp/zero.fd
refused "a PVH guest with the firmware of KVM" 3 "OVMF.fd: the image has no ELF header" \
    --domain one --vars /tmp/a.fd --code /lab/OVMF.fd
refused "all ones" 3 "nothing but 0xff" --domain one --vars /tmp/ones.fd
refused "all zeros" 3 "nothing but zeros" --domain one --vars /tmp/zero.fd
check "nothing was changed on disk" test "$before" = "$(sums)"
check "no file was created" test ! -e /tmp/new.fd

# A user without access to Xen or to xenstored.
chmod 755 /tmp
chmod 666 /tmp/a.fd
grep -qs '^nobody:' /etc/passwd ||
    echo 'nobody:x:65534:65534::/:/bin/sh' >>/etc/passwd
pflashd() {
    su -s /bin/sh nobody -c "$pflashd $*"
}
refused "no permission for xenstored" 5 "xenstored.*Permission denied" \
    --domain one --vars /tmp/a.fd --sandbox none
chmod 666 /run/xenstored/socket /var/run/xenstored/socket 2>/dev/null
refused "no permission for /dev/xen" 5 "/dev/xen/privcmd: Permission denied" \
    --domain one --vars /tmp/a.fd --sandbox none
chmod 600 /run/xenstored/socket /var/run/xenstored/socket 2>/dev/null
pflashd() {
    timeout 20 "$pflashd" "$@"
}
mv /dev/xen/evtchn /dev/xen/gone
refused "no /dev/xen/evtchn" 5 "/dev/xen/evtchn" --domain one --vars /tmp/a.fd
mv /dev/xen/gone /dev/xen/evtchn
unset -f pflashd

lab_flash one /tmp/a.fd --mode direct || lab_die "pflashd did not attach"
lab_guest other test=hole || lab_die "no guest"
refused "a file in use" 4 "in use by pid" --domain other --vars /tmp/a.fd
xl destroy other
refused "a guest that has a flash" 4 "has a flash already" --domain one \
    --vars /tmp/b.fd
# Cases that Xen itself would refuse.
forget() {
    rm -f /run/pflashd/"$id".lock /run/pflashd/"$id".handover
}
forget
refused "a place in use" 5 "has memory at 0xffe00000" --domain one --vars /tmp/b.fd
refused "another owner of the page type" 5 "another server" --domain one \
    --vars /tmp/b.fd --base 0xffc00000 --mode direct
check "its journal still has the torn tail" \
    test "$(wc -c </tmp/b.fd.journal)" = "$torn"
kill "$(cat /tmp/one.pid)"
check "SIGTERM ends it" lab_flash_end one

# Auto mode without the page type: trap mode, with a message.
lab_flash one /tmp/a.fd || lab_die "pflashd did not attach again"
forget
pflashd --domain one --vars /tmp/b.fd --base 0xffc00000 --foreground \
    --ready-fd 8 8>/tmp/second.ready 2>/tmp/second.log 3>&- &
second=$!
check "auto mode falls back to trap mode" \
    lab_wait 60 test -s /tmp/second.ready
check "the log has the reason" grep -q 'reads are trapped.*another server' /tmp/second.log
check "pflashd dropped the torn tail and logged it" \
    grep -q 'torn tail of 104 bytes' /tmp/second.log
kill $second
wait $second
xl destroy one
check "pflashd leaves with the guest" lab_flash_end one
check "no domain is left" test "$(xl list | wc -l)" = 2
lab_done
