# SPDX-License-Identifier: BSD-2-Clause
# about: the AppArmor profile is enforced: a flash lives its whole life without a denial, and a file elsewhere is refused
# needs: block systemd build/lab/guest.elf build/pflashd build/pflashctl integration/xl/block-pflash integration/xl/pflash-common.sh integration/systemd/pflashd@.service
# needs: integration/apparmor /etc/apparmor.d/abi /etc/apparmor.d/abstractions /etc/apparmor.d/tunables
# programs: apparmor_parser
# timeout: 400
. /lab/lib.sh

lab_require
[ "$(cat /sys/module/apparmor/parameters/enabled)" = Y ] ||
    lab_die "dom0's kernel has no AppArmor"
mount -t securityfs securityfs /sys/kernel/security 2>/dev/null

# In the lab /usr/sbin is a link; the profile is for the installed program.
rm /usr/sbin
mkdir -p /usr/sbin /etc/apparmor.d /var/lib/xen/pflash /srv
cp /lab/pflashd /usr/sbin/pflashd && rm /lab/pflashd
export PATH="$PATH:/usr/sbin"
cp -r /lab/abi /lab/abstractions /lab/tunables /etc/apparmor.d/
cp /lab/apparmor/pflashd /etc/apparmor.d/pflashd
sed 's|@SBINDIR@|/usr/sbin|' /lab/pflashd@.service \
    >/etc/systemd/system/pflashd@.service
systemctl daemon-reload || lab_die "systemd does not answer"
lab_install_script
# pflashd looks into the guest's kernel, and the profile allows it to read these.
kernel=/usr/local/lib/xen-pflash/guest.elf
mkdir -p ${kernel%/*}
cp /lab/guest.elf $kernel

# denials: the lines of the kernel's log about the profile
denials() {
    dmesg | grep 'apparmor="DENIED"' | grep 'profile="pflashd"'
}

# label PID: the profile of a process
label() {
    cat "/proc/$1/attr/current"
}

check "the profile is loaded" apparmor_parser -K -r /etc/apparmor.d/pflashd
check "the kernel enforces it" grep -qx 'pflashd (enforce)' \
    /sys/kernel/security/apparmor/profiles

# --- a guest whose flash xl starts as a unit ---

printf 'vars = /var/lib/xen/pflash/one.fd\nlayout = 2m\n' >/etc/xen/pflash/one.conf
lab_create one "kernel = \"$kernel\"" \
    'extra = "test=random seed=5 count=100000"' \
    "$(lab_disk /tmp/one.img)" >/tmp/one.out 2>&1
check_equal "a guest with a flash is created" 0 $?
cat /tmp/one.out
id=$(lab_domid one)
pid=$(systemctl show -P MainPID "pflashd@$id.service")
check_equal "the supervisor is confined" 'pflashd (enforce)' "$(label "$pid")"
check_equal "the worker is confined" 'pflashd (enforce)' \
    "$(label "$(lab_worker "$pid")")"
check_equal "the sandbox is full" full "$(lab_field one sandbox)"
xl unpause one
check "the guest writes" lab_expect one 60 '^w |^# round'

worker=$(lab_field one worker)
kill -SEGV "$worker"
check "after a crash of the worker another serves" lab_wait 60 lab_replaced one "$worker"
kill -KILL "$pid"
other_pid() {
    new=$(lab_field one pid) && [ -n "$new" ] && [ "$new" != "$pid" ]
}
check "after a kill another pflashd takes over" lab_wait 60 other_pid
pid=$(systemctl show -P MainPID "pflashd@$id.service")
check_equal "the new supervisor is confined" 'pflashd (enforce)' "$(label "$pid")"
worker=$(lab_field one worker)
check "upgrade" pflashctl upgrade one
check "upgrade: another worker serves" lab_wait 60 lab_replaced one "$worker"
check_equal "upgrade: the process is the same" "$pid" "$(lab_field one pid)"
check_equal "upgrade: the supervisor is confined" 'pflashd (enforce)' "$(label "$pid")"
check "mode" pflashctl mode one trap
lab_mark one
check "the guest continues" lab_expect one 60 '^w |^# round'
check "xl destroys the guest" xl destroy one
check "the flash ends with it" lab_wait 60 sh -c '! pidof pflashd'
check "the file is sound" sh -c \
    "pflashctl check /var/lib/xen/pflash/one.fd | grep -q '^journal: 0 bursts'"
check "a record of the file was made" sh -c 'test "$(ls /var/lib/pflashd/known | wc -l)" = 1'

# --- by hand: a block device, a saved state, a file elsewhere ---

# flash_two VARS [OPTION...]: attaches a flash to the guest `two`
flash_two() {
    lab_flash two "$@"
}

# refused_two VARS: true if pflashd is refused this file
refused_two() {
    ! lab_flash two "$@" && grep -q 'Permission denied' /tmp/two.pflashd
}

check_equal "no denial until here" '' "$(denials)"
lab_create two "kernel = \"$kernel\"" 'extra = "test=hole"' || lab_die "no guest"
pflashctl create --layout 2m /srv/elsewhere.fd
pflashctl create --layout 2m /tmp/disk.img
mknod /dev/loop7 b 7 7 2>/dev/null
losetup /dev/loop7 /tmp/disk.img || lab_die "no loop device"
journal=/var/lib/xen/pflash/loop7.journal

check "a file in another directory is refused" refused_two /srv/elsewhere.fd
check "a block device without a rule is refused" refused_two /dev/loop7 --journal $journal
check "the kernel has logged both" sh -c \
    "dmesg | grep 'DENIED.*profile=\"pflashd\"' >/tmp/denied &&
    grep -q /srv/elsewhere.fd /tmp/denied && grep -q /dev/loop7 /tmp/denied"
denied=$(denials | wc -l)

mkdir -p /etc/apparmor.d/local
printf '%s\n' '/srv/ r,' '/srv/** rwkl,' '/dev/ r,' '/dev/loop7 rwk,' \
    >/etc/apparmor.d/local/pflashd
check "the rules of the site are loaded" apparmor_parser -K -r /etc/apparmor.d/pflashd
check "a file in another directory is attached" flash_two /srv/elsewhere.fd
kill "$(cat /tmp/two.pid)"
check "it ends without an error" lab_flash_end two
check "a block device is attached" flash_two /dev/loop7 --journal $journal
check_equal "its supervisor is confined" 'pflashd (enforce)' \
    "$(label "$(cat /tmp/two.pid)")"
kill "$(cat /tmp/two.pid)"
check "that ends without an error, too" lab_flash_end two
check_equal "no denial since the rules are loaded" "$denied" "$(denials | wc -l)"
denials >/tmp/denials
lab_export /tmp/denials denials.txt
xl destroy two

check "the profile is removed" apparmor_parser -R /etc/apparmor.d/pflashd
lab_done
