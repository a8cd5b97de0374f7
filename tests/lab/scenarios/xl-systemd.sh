# SPDX-License-Identifier: BSD-2-Clause
# about: under systemd each flash that xl starts is a hardened unit that logs to the journal; at shutdown the guests stop first
# needs: block systemd build/lab/guest.elf build/pflashd build/pflashctl integration/xl/block-pflash integration/xl/pflash-common.sh integration/systemd/pflashd@.service
# timeout: 600
. /lab/lib.sh

conf=/etc/xen/pflash
mkdir -p /var/lib/pflash
lab_install_script

# unit_install [SED SCRIPT]: installs the unit of the tree, or an edited one
unit_install() {
    sed -e 's|@SBINDIR@|/lab|' ${1:+-e "$1"} /lab/pflashd@.service \
        >/etc/systemd/system/pflashd@.service
    systemctl daemon-reload || lab_die "systemd does not answer"
}

unit_install
note "$(systemctl --version | head -n 1)"

# unit_guest NAME TEST: a paused guest with a disk with the script
unit_guest() {
    lab_create "$1" 'kernel = "/lab/guest.elf"' "extra = \"$2\"" \
        "$(lab_disk "/tmp/$1.img")" >"/tmp/$1.out" 2>&1
}

# unit_conf NAME VARS
unit_conf() {
    printf 'vars = %s\nlayout = 2m\n' "$2" >"$conf/$1.conf"
}

# unit_is STATE ID: true if the unit of the domain is in that state
unit_is() {
    test "$(systemctl is-active "pflashd@$2.service")" = "$1"
}

# fact PID FIELD: the value of a field of /proc/PID/status
fact() {
    sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"
}

# main_pid ID
main_pid() {
    systemctl show -P MainPID "pflashd@$1.service"
}

# goes_on NAME TEXT
goes_on() {
    lab_mark "$1"
    check "$2, the guest goes on" lab_expect "$1" 60 '^w |^# round'
}

# --- one guest ---

unit_conf one /var/lib/pflash/one.fd
unit_guest one 'test=random seed=5 count=300'
check_equal "a guest with a flash is created" 0 $?
id=$(lab_domid one)
check "the guest's unit is active" unit_is active "$id"
check_equal "the unit's process is the flash's pflashd" \
    "$(systemctl show -P MainPID "pflashd@$id.service")" \
    "$(pflashctl status "$id" | sed -n 's/^pid: //p')"
check "the journal names guest and file" sh -c \
    "journalctl -q -o cat -u pflashd@$id | grep one | grep -q /var/lib/pflash/one.fd"
xl unpause one
check "the guest runs to its end" lab_finish one 100
check "the unit ends with it" lab_wait 60 unit_is inactive "$id"
check "the unit has not failed" sh -c "! systemctl --failed --no-legend | grep pflashd"
check "the journal has the number of requests" sh -c \
    "journalctl -q -o cat -u pflashd@$id | grep -q 'answered .* writes'"

# --- refused ---

printf 'vars = /var/lib/pflash/bad.fd\nmode = fast\n' >$conf/bad.conf
unit_guest bad test=hole
check "with a bad line in its file a guest is not created" test $? -ne 0
check "xl names the line" grep -q 'bad.conf:2' /tmp/bad.out
unit_conf two /var/lib/pflash/two.fd
unit_conf thief /var/lib/pflash/two.fd
unit_guest two test=hole
check_equal "another guest is created" 0 $?
unit_guest thief test=hole
check "a guest with another guest's file is not created" test $? -ne 0
# Without CAP_SYS_PTRACE pflashd does not always find the process with the lock.
check "xl reports that the file is in use" grep -q 'two.fd: in use by ' \
    /tmp/thief.out
note "$(grep 'in use by' /tmp/thief.out)"
check "no failed unit is left" sh -c \
    "! systemctl list-units --all --no-legend | grep 'pflashd.*failed'"

# --- stopped by hand, and killed ---

id=$(lab_domid two)
check "systemctl stop detaches the flash" systemctl stop "pflashd@$id"
check "the journal reports the detach" sh -c \
    "journalctl -q -o cat -u pflashd@$id | grep -q detaching"
xl destroy two
unit_conf three /var/lib/pflash/three.fd
unit_guest three test=hole
id=$(lab_domid three)
kill -KILL "$(systemctl show -P MainPID "pflashd@$id.service")"
check "after a kill another pflashd takes the flash over" \
    lab_wait 60 sh -c "pflashctl status $id | grep -q '^takeovers: 1$'"
check "the unit is the same" unit_is active "$id"
check "the journal reports the kill" sh -c "journalctl -q -u pflashd@$id | grep -q KILL"
xl destroy three
unit_guest three test=hole
check_equal "the guest is created again with a flash" 0 $?
check "the new domain has a unit of its own" unit_is active "$(lab_domid three)"
xl destroy three

# --- the unit's permissions ---

unit_conf hard /var/lib/pflash/hard.fd
unit_guest hard 'test=random seed=9 count=1000000'
check_equal "hard: a guest is created" 0 $?
id=$(lab_domid hard) pid=$(main_pid "$(lab_domid hard)")
worker=$(lab_worker "$pid")
# CHOWN, DAC_OVERRIDE, FOWNER, KILL, SETGID, SETUID, SYS_RAWIO, SYS_CHROOT
check_equal "hard: the supervisor has eight capabilities" 00000000000600eb \
    "$(fact "$pid" CapEff)"
check_equal "hard: the process has no other capability" 00000000000600eb "$(fact "$pid" CapBnd)"
check_equal "hard: execve gives no capability" 1 "$(fact "$pid" NoNewPrivs)"
check_equal "hard: the system calls are filtered" 2 "$(fact "$pid" Seccomp)"
check "hard: the unit has no network" sh -c \
    "test $(readlink "/proc/$pid/ns/net") != $(readlink /proc/1/ns/net)"
check "hard: the unit cannot write to the operating system's directories" sh -c \
    "awk '\$5 == \"/etc\" && \$6 ~ /^ro/ { n++ } END { exit !n }' /proc/$pid/mountinfo"
check_equal "hard: the worker has no capability" 0000000000000000 \
    "$(fact "$worker" CapEff)"
check_equal "hard: the worker has a user of its own" $((2000000000 + id)) \
    "$(fact "$worker" Uid | cut -f 1)"
check_equal "hard: the sandbox is full" full "$(lab_field "$id" sandbox)"
for name in MemoryMax TasksMax TasksCurrent MemoryCurrent; do
    note "hard: $name $(systemctl show -P $name "pflashd@$id")"
done
xl unpause hard
goes_on hard "hard: at first"
kill -SEGV "$worker"
check "hard: a worker that dies is replaced" \
    lab_wait 30 lab_replaced "$id" "$worker"
goes_on hard "hard: another worker"
pflashctl upgrade "$id" >/tmp/upgrade.out 2>&1
check_equal "hard: the program is upgraded" 0 $?
note "hard: $(cat /tmp/upgrade.out)"
check_equal "hard: the process id is the same" "$pid" "$(main_pid "$id")"
check "hard: the unit is the same" unit_is active "$id"
goes_on hard "hard: upgraded"
# The worker has another user: the supervisor needs CAP_KILL.
worker=$(lab_field "$id" worker)
kill -STOP "$worker"
start=$(lab_now)
systemctl stop "pflashd@$id"
note "hard: stopped after $(lab_since "$start") s"
check "hard: the supervisor kills a worker that obeys no command" \
    test "$(lab_since "$start" | cut -d. -f1)" -lt 25
check "hard: the worker is gone" lab_ended "$worker"
check "hard: systemd had nothing to kill" sh -c \
    "! journalctl -q -u pflashd@$id | grep -i 'timed out'"
systemctl reset-failed
xl destroy hard

# VARS files of other users: the journal gets the same owner. Then a block device.
mkdir -m 700 /var/lib/pflash/private
pflashctl create --layout 2m /var/lib/pflash/private/owned.fd
chmod 600 /var/lib/pflash/private/owned.fd
chown -R 1234:1234 /var/lib/pflash/private
unit_conf owned /var/lib/pflash/private/owned.fd
unit_guest owned test=hole
check_equal "owned: a VARS file of another user is attached" 0 $?
check_equal "owned: the journal belongs to that user, too" "1234 1234 600" \
    "$(stat -c '%u %g %a' /var/lib/pflash/private/owned.fd.journal)"
xl destroy owned
pflashctl create --layout 2m /var/lib/pflash/disk.img
mknod /dev/loop7 b 7 7 2>/dev/null
losetup /dev/loop7 /var/lib/pflash/disk.img || note "no loop device"
printf 'vars = /dev/loop7\njournal = /var/lib/pflash/disk.journal\n' \
    >$conf/device.conf
unit_guest device test=hole
check_equal "device: a block device is attached" 0 $?
check "device: the unit is active" unit_is active "$(lab_domid device)"
xl destroy device
check "device: no flash is left" lab_wait 60 sh -c '! pidof pflashd'
losetup -d /dev/loop7

# --- shutdown ---

# A double of a host's xendomains.service: it stops slowly, and records whether
# pflashd still serves the flash.
cat >/tmp/xendomains-stop <<'EOF'
#!/bin/sh
# $1: a domain; $2: the file for the results
sleep 3
pflashctl status "$1" | grep '^state: ' >"$2"
xl shutdown -w "$1" && echo 'shut down' >>"$2"
EOF
chmod +x /tmp/xendomains-stop

# shut_down NAME: starts a guest that writes and xendomains.service, then one
# transaction that stops this service and the flash's unit. The results of
# xendomains are in /tmp/NAME.found.
shut_down() {
    unit_conf "$1" "/var/lib/pflash/$1.fd"
    unit_guest "$1" 'test=steady seed=7 control=xenstore'
    check_equal "$1: a guest is created" 0 $?
    id=$(lab_domid "$1")
    : >"/tmp/$1.found"
    cat >/etc/systemd/system/xendomains.service <<EOF
[Service]
Type=oneshot
RemainAfterExit=yes
Environment=PATH=/lab:/bin
ExecStart=/bin/true
ExecStop=/tmp/xendomains-stop $id /tmp/$1.found
EOF
    cat >/etc/systemd/system/shutdown-test.target <<EOF
[Unit]
DefaultDependencies=no
Conflicts=xendomains.service pflashd@$id.service
After=xendomains.service pflashd@$id.service
EOF
    systemctl daemon-reload
    systemctl start xendomains.service ||
        lab_die "xendomains.service does not start"
    xl unpause "$1"
    goes_on "$1" "$1: at first"
    check "$1: one transaction stops both units" systemctl start shutdown-test.target
    check "$1: the flash's unit is inactive" lab_wait 60 unit_is inactive "$id"
    systemctl stop shutdown-test.target
    tr '\n' ' ' <"/tmp/$1.found" >/tmp/line
    note "$1: xendomains found: $(cat /tmp/line)"
}

check "the unit stops after xendomains.service" sh -c \
    "systemctl show -P Before pflashd@1.service | tr ' ' '\n' | grep -qx xendomains.service"
shut_down ordered
check "ordered: pflashd served the flash during the shutdown of the guests" \
    grep -qx 'state: running' /tmp/ordered.found
check "ordered: the guest has shut down" grep -qx 'shut down' /tmp/ordered.found
check "ordered: the guest found no error" sh -c \
    "! grep -q '^# failed' '$(lab_log ordered)'"
check "ordered: the guest is gone" lab_wait 60 lab_gone ordered
check "ordered: the file has all bursts of the journal" sh -c \
    "pflashctl check /var/lib/pflash/ordered.fd | grep -q '^journal: 0 bursts'"
check "ordered: no failed unit is left" sh -c \
    "! systemctl list-units --all --no-legend | grep 'pflashd.*failed'"

# A check of the test itself: without Before= in the unit the test must fail.
unit_install '/^Before=/d'
shut_down unordered
check "unordered: without Before= pflashd stops too early" sh -c \
    "! grep -q '^state: running' /tmp/unordered.found"
xl destroy unordered 2>/dev/null
unit_install
check "no domain is left" lab_wait 60 sh -c 'test "$(xl list | wc -l)" = 2'
lab_done
