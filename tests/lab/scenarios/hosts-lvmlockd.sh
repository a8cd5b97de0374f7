# SPDX-License-Identifier: BSD-2-Clause
# about: two Xen hosts with a logical volume on a shared device, by lvmlockd and sanlock: one host has it active at a time
# needs: block net sanlock build/lab/guest.elf build/pflashd build/pflashctl
# needs: tests/lab/xl.sh tests/lab/hosts.sh tests/lab/lease.sh
# modules: nbd dm-mod
# programs: lvm lvmlockd nbd-server nbd-client
# hosts: 2
# slow: two machines
# timeout: 600
. /lab/lib.sh
. /lab/xl.sh
. /lab/hosts.sh
. /lab/lease.sh

lab_require
hosts_start
on_host2 lab_require || lab_die "host2: $hosts_said"

# --- a device that both hosts reach, on host1 ---

truncate -s 160M /tmp/shared.img
printf '[generic]\n[shared]\nexportname = /tmp/shared.img\n' >/tmp/nbd.conf
nbd-server -C /tmp/nbd.conf || lab_die "no nbd-server"
lease_lvm 1 || lab_die "no lvmlockd on host1"
on_host2 '. /lab/lease.sh; lease_lvm 2' || lab_die "no lvmlockd on host2: $hosts_said"

start=$(lab_now)
check "host1 makes a shared volume group" lvm vgcreate --shared vg /dev/nbd0
note "in $(lab_since "$start") s: $(lvm vgs --noheadings -o lock_type,attr vg 2>&1 | tail -n 1)"
check "and a logical volume" lvm lvcreate -aey -L 20M -n flash vg
check "pflashctl prepares it" pflashctl create --device --layout 2m /dev/vg/flash
lab_guest one 'test=steady seed=5 control=xenstore' || lab_die "no guest"
check "host1 attaches it" lab_flash one /dev/vg/flash
xl unpause one
check "the guest writes" lab_expect one 60 '^# round'

start=$(lab_now)
on_host2 'lvm vgchange --lock-start vg'
check_equal "host2 starts the volume group" 0 "$hosts_status"
note "in $(lab_since "$start") s"
on_host2 'lvm lvchange -aey vg/flash' >/tmp/refused
check "host2 is refused an exclusive activation" test "$hosts_status" -ne 0
note "$(grep -v WARNING /tmp/refused | tail -n 1)"
on_host2 'lvm lvchange -asy vg/flash' >/tmp/refused
check "and a shared one" test "$hosts_status" -ne 0
check "it has no device" on_host2 '! test -e /dev/vg/flash'
check "host1 cannot deactivate it under pflashd" sh -c '! lvm lvchange -an vg/flash 2>/tmp/held'
note "$(tail -n 1 /tmp/held)"

lab_type one go
check "the guest has found no error" lab_expect one 60 '^# steady ok'
xl destroy one 2>/dev/null
check "pflashd ends without an error" lab_flash_end one
pflashctl export /dev/vg/flash /tmp/one.fd
check "host1 deactivates it" lvm lvchange -an vg/flash
check "host2 activates it" on_host2 'lvm lvchange -aey vg/flash'
note "$hosts_said"
check "host2 attaches it" on_host2 'lab_guest two test=hole; lab_flash two /dev/vg/flash'
check_equal "it has what host1's guest wrote" "$(sha256sum </tmp/one.fd)" \
    "$(on_host2 'pflashctl export /dev/vg/flash /tmp/two.fd >/dev/null; sha256sum </tmp/two.fd')"
lvm lvchange -aey vg/flash >/tmp/refused 2>&1
check "now host1 is refused" test $? -ne 0
note "$(grep -v WARNING /tmp/refused | tail -n 1)"
lab_done
