# SPDX-License-Identifier: BSD-2-Clause
# about: two Xen hosts with a flash on DRBD: only the primary host can use it; live migration; split brain; host2 loses its power, and host1 has every answered write
# needs: block net drbd build/lab/guest.elf build/pflashd build/pflashctl build/pflash-replay
# needs: integration/xl/block-pflash integration/xl/pflash-common.sh tests/lab/xl.sh tests/lab/hosts.sh
# needs: tests/lab/hostsdrbd.sh tests/lab/store.sh
# hosts: 2
# slow: two machines
# timeout: 600
. /lab/lib.sh
. /lab/xl.sh
. /lab/hosts.sh
. /lab/hostsdrbd.sh
. /lab/store.sh

config() {
    xl_config "$@" 'memory = 32' 'shadow_memory = 8' \
        'disk = [ "vdev=xvda, access=rw, script=block-resource-pflash, target=guest/0" ]'
}

words="test=random seed=37 count=1500"
store_reference "$words"
store_history burst
hosts_start
lab_require
xl_setup
drbd_script
on_host2 'xl_setup; . /lab/hostsdrbd.sh; drbd_script' || lab_die "no setup: $hosts_said"
lab_step "DRBD starts"
drbd_start
check "pflashctl prepares the flash on the primary host" \
    pflashctl create --device --layout 2m $drbd_flash

lab_step "the secondary host"
on_host2 "pflashctl check $drbd_flash"
check_equal "pflashctl cannot read on the secondary host" 3 $?
note "$hosts_said"
on_host2 "lab_guest two test=hole >/dev/null; lab_flash two $drbd_flash"
check "pflashd is refused on the secondary host" test $? -ne 0
check "it names the way out" sh -c 'echo "$1" | grep -q "drbdadm primary"' - "$hosts_said"
note "$(echo "$hosts_said" | tail -n 1)"
on_host2 "xl destroy two"

lab_step "live migration"
config move pvh 'test=middle at=buffer seed=3 control=xenstore'
xl_create move || lab_die "not created: $(cat /tmp/move.out)"
xl_waits move 60 || lab_die "the guest does not reach its command"
on_host2 "printf '%s' '$(base64 </tmp/move.cfg | tr -d '\n')' | base64 -d >/tmp/move.cfg; timeout 60 xl create /tmp/move.cfg"
check "host2 does not start the guest while host1 is primary" test $? -ne 0
note "$(echo "$hosts_said" | tail -n 4 | tr '\n' ' ')"
check "host1's guest has its flash still" lab_state move running
drbd_two yes
pflashctl mode move trap
migrate_start=$(lab_now)
timeout 150 xl migrate -s /tmp/hosts/ssh move host2 >/tmp/xl.out 2>&1
check_equal "the guest migrates to host2 in the middle of a command" 0 $?
note "in $(lab_since "$migrate_start") s"
cat /tmp/xl.out
check "host1 has neither the guest nor a pflashd" lab_wait 30 xl_nothing
check_equal "host2 has it, with its flash" running "$(on_host2 'lab_field move state')"
check "the script has made host1 secondary" lab_wait 20 drbd_is role Secondary/Primary
[ -z "$(lab_domid move)" ] || lab_die "the guest is still on host1"
drbd_two no
on_host2 "lab_type move go"
check "on host2 the guest ends" lab_wait 60 on_host2 'lab_gone move'
check "on host2 the guest found the chip unchanged" on_host2 \
    "grep -q '^# middle ok' /var/log/xen/console/guest-move--incoming.log"
check "on host2 nothing is left" lab_wait 30 on_host2 xl_nothing
note "after the end of the guest on host2: $(drbdadm role guest | sort -u)"
check "the role moves back to host1" drbd_to_host1
pflashctl export $drbd_flash /tmp/bytes.fd
check_equal "host1 reads what the guest wrote on host2" "$(xl_wanted 3)" \
    "$(dd if=/tmp/bytes.fd bs=32 skip=2048 count=1 2>/dev/null | od -An -v -tx1 | tr -d ' \n')"

config gone pvh test=hole
xl_create gone || note "not created: $(cat /tmp/gone.out)"
xl destroy gone
check "pflashd ends after xl destroy" lab_wait 30 xl_nothing
sleep 1
note "after xl destroy on host1: $(drbdadm role guest | sort -u | tr '\n' ' ')"
drbdadm secondary guest
check "after xl destroy the role can leave host1" drbd_to_host2
check "and come back" drbd_to_host1

lab_step "split brain"
pflashctl create --device --reset --layout 2m $drbd_flash
drbdadm disconnect guest
pflashctl vars set --hex 11 $drbd_flash EfiGlobalVariable:Foo
on_host2 "drbdadm disconnect guest; drbdadm primary guest && pflashctl vars set --hex 22 $drbd_flash EfiGlobalVariable:Foo"
check "a host without a connection becomes primary, and writes" test $? = 0
on_host2 'drbdadm secondary guest; drbdadm connect guest'
drbdadm secondary guest
drbdadm connect guest
check "DRBD finds that both have written" lab_wait 30 sh -c 'dmesg | grep -q "Split-Brain detected"'
check "and refuses the connection" lab_wait 30 drbd_is cstate StandAlone
on_host2 'drbdadm disconnect guest; drbdadm connect --discard-my-data guest' >/dev/null
drbdadm disconnect guest
drbdadm connect guest
check "host2 gives up what it has" lab_wait 60 drbd_is dstate UpToDate/UpToDate
check "host2 becomes primary" drbd_to_host2
check_equal "and reads what host1 wrote" 11 "$(on_host2 '. /lab/hostsdrbd.sh; drbd_get')"

lab_step "the power of host2 fails"
on_host2 "pflashctl create --device --reset --layout 2m $drbd_flash; lab_guest one \"$words\" && \
lab_flash one $drbd_flash --sync burst --settle 3600" || lab_die "no guest on host2: $hosts_said"
tail -f /dev/null | nc -l -p 98 >/tmp/one.console &
lab_wait 10 sh -c 'netstat -ltn | grep -q ":98 "'
on_host2 'xl unpause one'
on_host2 'lab_wait 30 test -e $(lab_log one); { tail -f -n +1 $(lab_log one) | nc host1 98; } </dev/null >/dev/null 2>&1 3>&- & true'
lab_wait 90 sh -c 'test "$(wc -l </tmp/one.console)" -gt 300' ||
    lab_die "the guest does not write"
drbdadm primary guest >/tmp/said 2>&1
check "DRBD refuses host1 while host2 is primary" test $? -ne 0
note "$(head -n 1 /tmp/said)"
hosts_power_cut
start=$(lab_now)
check "host1 becomes primary" lab_wait 60 drbdadm primary guest
note "$(lab_since "$start") s after the power cut"
store_accesses /tmp/one.console >/tmp/one.accesses
lab_guest other test=hole || lab_die "no guest on host1"
check "host1 starts a guest with the flash" lab_flash other $drbd_flash
kill "$(lab_field other pid)"
lab_flash_end other
store_check "host2 died" $drbd_flash /tmp/one.accesses burst
note "$(wc -l </tmp/one.accesses) accesses: point $store_number, $store_ahead bursts later than the last answer that host1 has seen"
xl destroy other
lab_done
