# SPDX-License-Identifier: BSD-2-Clause
# about: dpkg upgrades, removes and purges the package while guests use their flash: they go on, and no variable is lost
# needs: block systemd dpkg packages tests/lab/deb.sh tests/lab/xl.sh
# needs: /etc/apparmor.d/abi /etc/apparmor.d/abstractions /etc/apparmor.d/tunables
# programs: apparmor_parser aa-enabled
# timeout: 1500
# slow: it needs the packages of make deb
. /lab/lib.sh
. /lab/deb.sh
. /lab/xl.sh

lab_require
xl_dir=/var/lib/xen/pflash
old=$deb_packages/old.deb new=$deb_packages/xen-pflash.deb

# --- the old version, and guests ---

deb_host
mount -t securityfs securityfs /sys/kernel/security 2>/dev/null
mkdir -p /etc/apparmor.d
cp -r /lab/abi /lab/abstractions /lab/tunables /etc/apparmor.d/
check "the old version is installed" deb_run -i $old
check_equal "it is configured" ii "$(deb_status)"
was=$(deb_version)
check_equal "its program says so" "pflashd $was" "$(pflashd --version)"
check "the kernel enforces its profile" grep -qx 'pflashd (enforce)' \
    /sys/kernel/security/apparmor/profiles

# deb_guest NAME WORDS: the package has a guest for pflashctl selftest
deb_guest() {
    printf 'vars = %s/%s.fd\nlayout = 2m\n' $xl_dir "$1" >"/etc/xen/pflash/$1.conf"
    xl_config "$1" pvh "$2" \
        'kernel = "/usr/lib/xen-pflash/selftest-guest.elf"'
    xl_create "$1" || lab_die "$1: no guest: $(tail -n 3 "/tmp/$1.out")"
}

deb_guest busy 'test=steady seed=5'
deb_guest waits 'test=middle at=buffer seed=77'
check "one guest waits in the middle of a command" xl_waits waits 60
check_equal "the old program serves" "$was" "$(lab_field busy version)"
busy_pid=$(lab_field busy pid) waits_pid=$(lab_field waits pid)
check_equal "as a unit" "$busy_pid" \
    "$(systemctl show -P MainPID "pflashd@$(lab_domid busy).service")"
check "and confined" grep -q 'pflashd (enforce)' "/proc/$busy_pid/attr/current"

# remember: the workers, for the next two
remember() {
    busy_worker=$(lab_field busy worker) waits_worker=$(lab_field waits worker)
}

# goes_on TEXT: the guest that writes does so
goes_on() {
    lab_mark busy
    check "$1: the guest writes on" lab_expect busy 60 '^# round'
    check "$1: it has found no error" sh -c "! grep '^# failed' '$(lab_log busy)'"
}

# served TEXT VERSION: both flashes have the processes that they had, and this version
served() {
    for guest in busy waits; do
        check_equal "$1: $guest: the version" "$2" "$(lab_field $guest version)"
    done
    check_equal "$1: the processes are the same" "$busy_pid $waits_pid" \
        "$(lab_field busy pid) $(lab_field waits pid)"
    goes_on "$1"
}

# handed_over TEXT VERSION: both flashes have another worker
handed_over() {
    check "$1: busy has another worker" lab_replaced busy "$busy_worker"
    check "$1: waits has another worker" lab_replaced waits "$waits_worker"
    served "$1" "$2"
}

# untouched TEXT VERSION: both flashes have the same worker
untouched() {
    check_equal "$1: the workers are the same" "$busy_worker $waits_worker" \
        "$(lab_field busy worker) $(lab_field waits worker)"
    served "$1" "$2"
}

goes_on "at first"

# --- an upgrade ---

remember
check "dpkg upgrades" deb_run -i $new
check_equal "the new version is configured" ii "$(deb_status)"
now=$(deb_version)
check "it is another version" test "$now" != "$was"
check "dpkg finds the files of the package" /bin/dpkg --verify xen-pflash
handed_over upgrade "$now"
note "upgrade: $(journalctl -q -o cat -u "pflashd@$(lab_domid busy)" | grep -i 'upgrade\|taken over' | tail -n 1)"

# --- a downgrade without handovers, then an upgrade with one by hand ---

echo 'UPGRADE_RUNNING=no' >/etc/default/xen-pflash
remember
check "dpkg downgrades" deb_run --force-confold -i $old
check_equal "the old version is installed again" "$was" "$(deb_version)"
check "it says that the guests keep their pflashd" \
    grep -q 'running guests keep their pflashd' /tmp/dpkg.out
check "the administrator's file stays" grep -qx 'UPGRADE_RUNNING=no' /etc/default/xen-pflash
untouched "without handovers" "$now"
check "by hand: busy" pflashctl upgrade busy
check "by hand: waits" pflashctl upgrade waits
handed_over "by hand" "$was"

# --- unpacked, not configured; a crash in between ---

echo 'UPGRADE_RUNNING=yes' >/etc/default/xen-pflash
remember
check "dpkg unpacks the new version" deb_run --force-confold --unpack $new
check_equal "it is not configured" iU "$(deb_status)"
untouched "unpacked" "$was"
kill -KILL "$busy_pid"
# other_pid: another supervisor serves the guest that writes
other_pid() {
    pid=$(lab_field busy pid) && [ -n "$pid" ] && [ "$pid" != "$busy_pid" ]
}
check "after a crash systemd starts the new version" lab_wait 60 other_pid
busy_pid=$(lab_field busy pid)
check_equal "it is the new one" "$now" "$(lab_field busy version)"
check "it has taken the flash over" test "$(lab_field busy takeovers)" -ge 1
goes_on crash
remember
check "dpkg configures it" deb_run --force-confold --configure xen-pflash
handed_over configured "$now"

# --- a version that cannot continue ---

# deb_broken: packs the package again, with a program that fails
deb_broken() {
    rm -rf /tmp/broken
    /bin/dpkg-deb --raw-extract $new /tmp/broken &&
        sed -i 's/^Version: .*/Version: 99/' /tmp/broken/DEBIAN/control &&
        printf '#!/bin/sh\nexit 1\n' >/tmp/broken/usr/sbin/pflashd &&
        /bin/dpkg-deb -Zgzip --build /tmp/broken /tmp/broken.deb
}

check "a broken version is packed" deb_broken
remember
check "dpkg upgrades to it" deb_run --force-confold -i /tmp/broken.deb
check_equal "it is configured, though its program fails" ii "$(deb_status)"
for guest in busy waits; do
    check "it says that $guest keeps its pflashd" grep -q \
        "domain $(lab_domid $guest) keeps its pflashd" /tmp/dpkg.out
done
untouched "a broken version" "$now"
remember
check "dpkg installs a good version" deb_run --force-confold -i $new
handed_over "a good version again" "$now"

# --- without the library of the running Xen ---

xen=$(cat /sys/hypervisor/version/major).$(cat /sys/hypervisor/version/minor)
library=$(find -L /lib -maxdepth 2 -name "libxenctrl.so.$xen")
mv "$library" /tmp/
remember
check "dpkg installs again, without the hypervisor's library" \
    deb_run --force-confold -i $new
check "it names the library" grep -q "libxenctrl.so.$xen is not installed" /tmp/dpkg.out
mv "/tmp/${library##*/}" "$library"
untouched "without the library" "$now"

# --- removed while guests run ---

cp /usr/lib/xen-pflash/selftest-guest.elf /tmp/late.elf
check "dpkg removes the package" deb_run -r xen-pflash
check_equal "its files of configuration are left" rc "$(deb_status)"
for guest in busy waits; do
    check "it names $guest" grep -q "^  $(lab_domid $guest) $guest\$" /tmp/dpkg.out
done
check "the program is gone" test ! -e /usr/sbin/pflashd
goes_on removed
check_equal "the processes are there" "$busy_pid $waits_pid" \
    "$(for pid in $busy_pid $waits_pid; do [ -d /proc/"$pid" ] && echo "$pid"; done | xargs)"
printf 'vars = %s/late.fd\nlayout = 2m\n' $xl_dir >/etc/xen/pflash/late.conf
xl_config late pvh test=hole 'kernel = "/tmp/late.elf"'
xl_create late
check "xl creates no guest with a flash" test $? -ne 0
check "it names the script" grep -q block-pflash /tmp/late.out
check "no VARS file is left" test ! -e $xl_dir/late.fd
rm /etc/xen/pflash/late.conf
check "dpkg installs it once more" deb_run -i $new
remember
for guest in busy waits; do
    check "installed again: upgrade of $guest" pflashctl upgrade $guest
done
handed_over "installed again" "$now"

# --- the guests' ends: nothing is lost ---

lab_type busy x
check "the guest that wrote ends" lab_wait 60 lab_gone busy
check "it found all bytes, in each round" lab_has busy '^# steady ok'
rounds=$(lab_shown busy | sed -n 's/^# steady ok after //p')
note "busy: $rounds rounds, each an erase and 32 programmed bytes"
lab_type waits go
check "the other guest ends" lab_wait 60 lab_gone waits
check "it found the chip unchanged" lab_has waits '^# middle ok'
xl_holds busy busy "$(xl_wanted $((5 + rounds)))"
xl_holds waits waits "$(xl_wanted 77)"

# --- removed and purged without a guest ---

# data: the guests' files, with their contents
data() {
    find $xl_dir /var/lib/pflashd /etc/xen/pflash -type f -exec sha256sum {} + | sort -k 2
}

data >/tmp/data.before
check "there are VARS files, records and options" sh -c "grep -q busy.fd /tmp/data.before &&
    grep -q /var/lib/pflashd/known/ /tmp/data.before && grep -q waits.conf /tmp/data.before"
check "dpkg removes the package without a guest" deb_run -r xen-pflash
check "it names no guest" sh -c "! grep -q 'still run with a flash' /tmp/dpkg.out"
check "the units are gone" sh -c '! systemctl cat pflashd@1.service >/dev/null 2>&1'
check "the administrator's file is left" test -e /etc/default/xen-pflash
check "dpkg purges the package" deb_run -P xen-pflash
check_equal "dpkg knows it no more" '' "$(deb_status 2>/dev/null)"
for directory in $xl_dir /var/lib/pflashd/known /etc/xen/pflash; do
    check "it says that it keeps $directory" grep -q "not removed: $directory," /tmp/dpkg.out
done
data >/tmp/data.after
check "no guest's file has changed" cmp /tmp/data.before /tmp/data.after
check_equal "nothing else of the package is left" '' "$(find /etc /usr /lib /var/lib \
    -name '*pflash*' ! -path "$xl_dir*" ! -path '/var/lib/pflashd*' ! -path '/etc/xen/pflash*')"
check_equal "AppArmor has no file of it" '' "$(find /etc/apparmor.d -name '*pflashd*')"

# --- a new installation finds the files ---

check "dpkg installs it on this host again" deb_run -i $new
check_equal "the VARS directory is closed" 700 "$(stat -c %a $xl_dir)"
bytes=$(xl_bytes waits)
deb_guest waits 'test=middle at=rest seed=78'
check "a guest starts with its old file" xl_waits waits 60
check_equal "the file has the bytes of the earlier guest" "$(xl_wanted 77)" "$bytes"
xl_completes "again" waits 78
denied=$(dmesg | grep 'apparmor="DENIED"' | grep -c 'profile="pflashd"')
check_equal "AppArmor has denied nothing" 0 "$denied"
[ "$denied" = 0 ] || dmesg | grep DENIED
lab_done
