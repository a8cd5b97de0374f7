# SPDX-License-Identifier: BSD-2-Clause
# Tests `make install` and `make uninstall`: the directories and files that the
# manual pages name, and their modes.
. tests/lib/cli.sh

root=$tmp/root
ctl=$root/usr/local/bin/pflashctl

# make TARGET, with the permissions that a careful administrator has
run_make() {
	(umask 077 && make BUILD="$build" DESTDIR="$root" "$@") \
		>"$tmp/make.out" 2>&1 || { cat "$tmp/make.out" >&2; return 1; }
}

mode() {
	stat -c %a "$root$1"
}

# path_is TEXT WANTED PATH
path_is() {
	check_equal "$1" "$2" "$(mode "$3" 2>&1)"
}

check "make install" run_make install
check "make install-apparmor" run_make install-apparmor

# --- modes ---

path_is "mode of the files of options' directory" 755 /etc/xen/pflash
path_is "mode of the VARS files' directory" 700 /var/lib/xen/pflash
path_is "mode of the firmware's directory" 755 /usr/local/lib/xen-pflash
for program in sbin/pflashd bin/pflashctl bin/pflash-replay bin/pflash-bench; do
	path_is "mode of $program" 755 "/usr/local/$program"
done
hook=/etc/libvirt/hooks/libxl.d/pflash
if [ -e "$build/pflash-libvirt" ]; then
	path_is "mode of sbin/pflash-libvirt" 755 /usr/local/sbin/pflash-libvirt
	check_equal "libvirt's hook" /usr/local/sbin/pflash-libvirt \
		"$(readlink "$root$hook")"
else
	check "without libxml2 there is no hook" test ! -e "$root$hook"
fi
for script in block-pflash vif-pflash; do
	path_is "mode of $script" 755 "/etc/xen/scripts/$script"
done
for name in nat openvswitch route; do
	check "vif-pflash-$name" test -x "$root/etc/xen/scripts/vif-pflash-$name"
done
path_is "mode of the unit" 644 "/usr/local/lib/systemd/system/pflashd@.service"
for unit in pflash-metrics.service pflash-metrics.timer; do
	path_is "mode of $unit" 644 "/usr/local/lib/systemd/system/$unit"
done
check "its unit starts the installed program" grep -q '^ExecStart=/usr/local/bin/pflashctl ' \
	"$root/usr/local/lib/systemd/system/pflash-metrics.service"
path_is "mode of the profile" 644 /etc/apparmor.d/pflashd
check "the unit starts the installed program" grep -q '^ExecStart=/usr/local/sbin/pflashd ' \
	"$root/usr/local/lib/systemd/system/pflashd@.service"

# --- the manual pages ---

# pages: prints those of the programs that were built
pages() {
	ls man/*.[158] | if [ -e "$build/pflash-libvirt" ]; then cat; else grep -v libvirt; fi
}

for page in $(pages); do
	section=${page##*.}
	path_is "${page#man/} is installed" 644 \
		"/usr/local/share/man/man$section/${page#man/}"
done

# The FILES sections: /run and /dev exist on a running host only.
files_sections() {
	for page in $(pages); do
		awk '/^\.Sh /{ files = $2 == "FILES" } files && /^\.It Pa \//{
			print $3 }' "$page"
	done | grep -v -e '^/run/' -e '^/dev/' | sort -u
}
files_sections >"$tmp/files"
check "the FILES sections have paths" test "$(wc -l <"$tmp/files")" -ge 3
while read -r path; do
	check "FILES: $path" test -e "$root$path" -o -L "$root$path"
done <"$tmp/files"

# The directories of all paths in pages and documents. /var/log, /etc/default and
# Debian's /usr/share/OVMF are the system's, and LIO's directories; the packages install below /usr.
grep -ohE '(^|[^A-Za-z0-9._@%~$-])/(etc|var|usr)/[A-Za-z0-9._/@%-]*/' man/*.[158] \
	README.md docs/host.md integration/libxl/README.md |
	grep -oE '/.*' | sed 's|^/usr/lib/xen-pflash/|/usr/local/lib/xen-pflash/|' |
	grep -v -e '^/usr/share/' -e '^/var/log/' -e '^/etc/default/' -e '^/usr/bin/$' -e '/target/$' | sort -u >"$tmp/directories"
check "the pages name directories" test "$(wc -l <"$tmp/directories")" -ge 3
while read -r path; do
	check "named: $path" test -d "$root$path"
done <"$tmp/directories"

# The example of pflash.conf(5), as its reader would try it.
vars=$(sed -n 's/^vars = \(.*web\.fd\)$/\1/p' man/pflash.conf.5)
check "the example's VARS file" "$ctl" create --layout 2m "$root$vars"
check_equal "its mode" 600 "$(mode "$vars")"

# --- once more, and away ---

chmod 750 "$root/var/lib/xen/pflash" "$root/etc/xen/pflash"
check "make install, again" run_make install
path_is "the administrator's mode stays" 750 /var/lib/xen/pflash
path_is "the mode of the other one, too" 750 /etc/xen/pflash
check "make uninstall" run_make uninstall
check_equal "only the VARS file is left" "$root$vars" "$(find "$root" ! -type d)"
check "empty directories are removed" test ! -e "$root/etc/xen/pflash"
rm "$root$vars"
check "make uninstall, again" run_make uninstall
check "the VARS files' directory is removed" test ! -e "$root/var/lib/xen/pflash"
finish
