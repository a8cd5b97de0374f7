# SPDX-License-Identifier: BSD-2-Clause
# about: VARS on a disk of a driver domain: paused, detached, destroyed under a writing guest; a guest's own disk in a driver
# about: domain, and the scripts
# needs: block net vmlinux build/lab/guest.elf build/pflashd build/pflashctl build/pflash-replay
# needs: tests/lab/store.sh tests/lab/driver.sh tests/lab/driver-init
# needs: integration/xl/block-pflash integration/xl/vif-pflash integration/xl/pflash-common.sh
# modules: xen-blkfront
# slow: it boots Linux in a driver domain three times
# timeout: 390
. /lab/lib.sh
. /lab/store.sh
. /lab/driver.sh

lab_require
lab_install_script
cp /lab/vif-pflash /etc/xen/scripts/
chmod +x /etc/xen/scripts/vif-pflash
mkdir -p /var/lib/pflash
printf 'vars = /var/lib/pflash/%%n.fd\nlayout = 2m\n' >/etc/xen/pflash/own.conf
driver_ramdisk
words="test=random seed=37 count=700"
store_reference "$words"
store_history burst

# up: starts the driver domain
up() {
    start=$(lab_now)
    driver_start || lab_die "the driver domain does not start"
    note "the driver domain serves disks after $(lab_since "$start") s"
}

# attach VDEV: gives dom0 the driver domain's disk
attach() {
    xl block-attach 0 "vdev=$1" access=rw backend=driver target=/dev/xvda &&
        lab_wait 15 test -b "/dev/$1"
}

# fresh VDEV: a complete device that has never been used
fresh() {
    dd if=/dev/zero of="/dev/$1" bs=1M 2>/dev/null
    pflashctl create --device --layout 2m "/dev/$1"
}

# writing NAME VDEV: a guest in the middle of its accesses
writing() {
    lab_guest "$1" "$words" || lab_die "no guest"
    check "$1: pflashd attaches the device" \
        lab_flash "$1" "/dev/$2" --sync burst --on-error pause
    xl unpause "$1"
    lab_wait 60 more "$1" 300 || lab_die "$1: the guest does not write"
}

lines() {
    wc -l <"$(lab_log "$1")"
}

more() {
    test "$(lines "$1")" -gt "$2"
}

# waits TEXT NAME: its output does not grow
waits() {
    sleep 2
    shown=$(lines "$2")
    sleep 4
    check_equal "$1: the guest waits" "$shown" "$(lines "$2")"
}

# holds TEXT NAME VDEV: the device has what the guest was told
holds() {
    store_check "$1" "/dev/$3" "/tmp/$2.accesses" burst
    note "$1: $(wc -l <"/tmp/$2.accesses") accesses, $store_ahead bursts later than the last answer shown"
}

# --- the driver domain stands still ---

up
check "dom0 gets the disk of the driver domain" attach xvdb
check "it becomes a complete device" fresh xvdb
writing one xvdb
xl pause driver
waits "paused" one
xl unpause driver
check "paused: then the guest goes on to its end" lab_finish one 100
check "paused: pflashd ends well" lab_flash_end one
pflashctl export /dev/xvdb /tmp/one.fd
pflashctl export /tmp/reference.fd /tmp/wanted.fd
check "paused: the image is that of the reference" cmp /tmp/one.fd /tmp/wanted.fd

# --- the disk is detached ---

fresh xvdb
writing two xvdb
check "detached: xl detaches the disk" xl block-detach 0 xvdb
check "detached: the guest is paused" lab_wait 30 lab_paused two
check "detached: the flash is read-only" \
    grep -q 'the flash is read-only from now on' /tmp/two.pflashd
note "$(grep 'read-only' /tmp/two.pflashd)"
store_accesses "$(lab_log two)" >/tmp/two.accesses
xl destroy two
lab_flash_end two
check_equal "detached: pflashd says in the end that it had failed" 1 $?
check "detached: dom0 gets the disk again" attach xvdb
holds "detached" two xvdb

# --- the driver domain powers off ---

fresh xvdb
writing three xvdb
lab_type driver off
lab_wait 30 lab_gone driver
waits "off" three
store_accesses "$(lab_log three)" >/tmp/three.accesses
xl destroy three
lab_flash_end three
check_equal "off: pflashd says in the end that it had failed" 1 $?
up
check "off: dom0 gets the disk again, by another name" attach xvdc
holds "off" three xvdc

# --- the driver domain is destroyed ---

fresh xvdc
writing four xvdc
worker=$(lab_worker "$(cat /tmp/four.pid)")
xl destroy driver
waits "destroyed" four
check "destroyed: its worker waits for the disk" grep -q '^State:.*D' "/proc/$worker/status"
check "destroyed: pflashctl gets an answer" timeout 5 pflashctl status four
store_accesses "$(lab_log four)" >/tmp/four.accesses
start=$(lab_now)
xl destroy four
lab_flash_end four
check_equal "destroyed: pflashd says in the end that it had failed" 1 $?
note "destroyed: pflashd ended $(lab_since "$start") s after its guest; $(xl list | grep null)"
up
check "destroyed: dom0 gets the disk again, by another name" attach xvdd
holds "destroyed" four xvdd
lab_guest five "$words" || lab_die "no guest"
check "destroyed: another guest gets the device" lab_flash five /dev/xvdd --sync burst
xl unpause five
check "destroyed: this guest runs to its end" lab_finish five 100
check "destroyed: its pflashd ends well" lab_flash_end five

# --- the guest's own disk ---

# own NAME LINE...: a paused guest
own() {
    own_name=$1
    shift
    lab_create "$own_name" 'kernel = "/lab/guest.elf"' 'extra = "test=hole"' "$@" >/tmp/own.out 2>&1
}

ends() {
    xl destroy "$1"
    lab_wait 20 sh -c "! pflashctl list | grep -q ' $1 '"
}

hotplug() {
    xenstore-read "/local/domain/$(lab_domid driver)/backend/vbd/$(lab_domid own)/51712/$1"
}

disk='vdev=xvda, access=rw, backend=driver'
ip link add xenbr0 type bridge && ip link set xenbr0 up || lab_die "no bridge"
truncate -s 1M /tmp/small.img
own own "disk = [ \"$disk, script=block-pflash, target=/dev/loop0\" ]"
check_equal "its disk's script in the driver domain: xl creates the guest" 0 $?
check "the script refuses" lab_wait 20 hotplug hotplug-error
check_equal "the disk is not connected" error "$(hotplug hotplug-status)"
note "$(hotplug hotplug-error)"
check "the refusal names the driver domain" sh -c \
    "xenstore-ls -f /local/domain/$(lab_domid driver)/backend | grep -q 'backend is a driver domain'"
check "the guest has no flash" sh -c "! pflashctl list | grep -q ' own '"
pflashctl doctor >/tmp/doctor 2>&1
check "pflashctl doctor finds it" grep -q '(own) has a file of options, but no flash' /tmp/doctor
grep -A 1 'own' /tmp/doctor
ends own
own own "disk = [ \"$disk, target=/dev/loop0\", \"vdev=xvdb, access=rw, script=block-pflash, target=/tmp/small.img\" ]"
check "with the script of a second disk, of dom0, it has a flash" sh -c "pflashctl list | grep -q ' own '"
check "the driver domain connects its disk" lab_wait 20 sh -c \
    "xenstore-ls -f /local/domain/$(lab_domid driver)/backend | grep -q 'hotplug-status = \"connected\"'"
ends own
own own "disk = [ \"$disk, target=/dev/loop0\" ]" 'vif = [ "script=vif-pflash, bridge=xenbr0" ]'
check "with the script of an interface of dom0 it has a flash" sh -c "pflashctl list | grep -q ' own '"
ends own
lab_export /var/log/xen/console/guest-driver.log
lab_done
