# SPDX-License-Identifier: BSD-2-Clause
# about: a complete device that two initiators of iSCSI share: fresh reads, persistent reservations, a target that restarts; and NBD
# needs: build/lab/guest.elf build/pflashd build/pflashctl build/pflash-replay
# modules: configfs crct10dif_common crct10dif_generic crc-t10dif crc32c_generic scsi_common
# modules: target_core_mod target_core_file iscsi_target_mod
# modules: scsi_mod scsi_transport_iscsi libiscsi libiscsi_tcp iscsi_tcp
# modules: crc64 crc64-rocksoft t10-pi sd_mod nbd
# programs: iscsistart iscsid iscsiadm sg_persist nbd-server nbd-client
# slow: sessions that are lost and come back
# timeout: 300
. /lab/lib.sh

lab_require
target=/sys/kernel/config/target
name=iqn.2026-12.example
variable=12345678-1234-1234-1234-123456789abc

# --- one disk behind two names of a target: /dev/sda is that of host a, /dev/sdb that
# of host b, and the kernel caches each of them apart ---

# portal NAME: the disk has this name
portal() {
    group=$target/iscsi/$name:$1/tpgt_1
    mkdir "$target/iscsi/$name:$1" && mkdir "$group" && mkdir "$group/lun/lun_0" &&
        mkdir "$group/np/127.0.0.1:3260" || lab_die "no portal $1"
    ln -s $target/core/fileio_0/disk "$group/lun/lun_0/disk"
    for line in 0:authentication 1:generate_node_acls 0:demo_mode_write_protect \
        1:cache_dynamic_acls; do
        echo ${line%%:*} >"$group/attrib/${line#*:}"
    done
    echo 1 >"$group/enable"
}

ifconfig lo 127.0.0.1 up
mkdir -p /var/target/pr /etc/iscsi /run/lock/iscsi
truncate -s 32M /tmp/disk.img /tmp/nbd.img
mount -t configfs configfs /sys/kernel/config && mkdir -p $target/core/fileio_0/disk ||
    lab_die "no target"
echo fd_dev_name=/tmp/disk.img,fd_dev_size=33554432 >$target/core/fileio_0/disk/control
echo 1 >$target/core/fileio_0/disk/enable
mkdir -p $target/iscsi
portal a
portal b
# Host a has the daemon that logs in again; host b does not need it.
echo "InitiatorName=$name:host-a" >/etc/iscsi/initiatorname.iscsi
printf 'node.startup = manual\nnode.session.timeo.replacement_timeout = 60\n' >/etc/iscsi/iscsid.conf
iscsid 3>&- || lab_die "no iscsid"
iscsiadm -m node -o new -T $name:a -p 127.0.0.1:3260,1 >/tmp/login 2>&1
iscsiadm -m node -T $name:a -p 127.0.0.1:3260 --login >>/tmp/login 2>&1 ||
    note "iscsiadm: $(tr '\n' ' ' </tmp/login)"
lab_wait 20 test -b /dev/sda || lab_die "host a has no disk"
iscsistart -i $name:host-b -t $name:b -g 1 -a 127.0.0.1 >/tmp/login 2>&1
lab_wait 20 test -b /dev/sdb || lab_die "host b has no disk: $(tr '\n' ' ' </tmp/login)"

# --- what another host has written ---

check "host a prepares the disk" pflashctl create --device --layout 2m /dev/sda
check "host b sees it" pflashctl check /dev/sdb
# As long as a process has the disk open, the kernel keeps what it has read.
sh -c 'exec 7</dev/sdb; cat <&7 >/dev/null; sleep 1000' 3>&- &
holder=$!
sleep 1
check "host a sets a variable" pflashctl vars set --text new /dev/sda $variable:Fresh
check "host b reads what host a has written" pflashctl vars get /dev/sdb $variable:Fresh

# bursts COUNT: accesses that program 100 bytes COUNT times, at most 655 times to other
# bytes, and read the last of them each time, which is 0 if the burst is stored
bursts() {
    awk -v count="$1" 'BEGIN {
        for (b = 0; b < count; b++) {
            for (i = 0; i < 100; i++) {
                o = 65536 + (b * 100 + i) % 65536
                printf "w %x 1 10\nw %x 1 0\n", o, o
            }
            printf "w 10000 1 ff\nr %x 1\n", o
        }
    }'
}

# writes DEVICE COUNT: begins to make these accesses; in the end the last line of
# /tmp/writer is the exit status
writes() {
    bursts "$2" >/tmp/many
    : >/tmp/answered
    (pflash-replay --sync burst --vars "$1" </tmp/many >/tmp/answered 2>/tmp/writer
        echo "exit $?" >>/tmp/writer) 3>&- &
}

# answered: the number of bursts that were answered as stored
answered() {
    grep -c '^0*$' /tmp/answered
}

# writes_have COUNT: so many bursts were answered
writes_have() {
    test "$(answered)" -ge "$1"
}

# has_answered TEXT DEVICE: the device has all answered bursts
has_answered() {
    rm -f /tmp/now.fd
    pflashctl export "$2" /tmp/now.fd
    programmed=$(tail -c +65537 /tmp/now.fd | tr -d '\377' | wc -c)
    check "$1" test "$programmed" -ge $(($(answered) * 100)) -a "$(answered)" -gt 0
    note "$(answered) bursts answered, $programmed bytes programmed"
}

writes /dev/sda 1200
reads=0 failures=0
until grep -q exit /tmp/writer; do
    reads=$((reads + 1))
    pflashctl check /dev/sdb >/tmp/read 2>&1 || {
        failures=$((failures + 1))
        note "read $reads: $(tail -n 1 /tmp/read)"
    }
done
check_equal "host b reads a sound flash while host a writes" 0 $failures
note "$reads reads; writer: $(tail -n 1 /tmp/writer)"

# --- reservations ---

# persist DEVICE WORDS
persist() {
    persist_device=$1
    shift
    sg_persist --out --no-inquiry "$@" "$persist_device" >/tmp/persist 2>&1 ||
        note "sg_persist $*: $(tr '\n' ' ' </tmp/persist)"
}

# refused TEXT DEVICE: pflashctl may not write; exit 4
refused() {
    pflashctl vars set --text x "$2" $variable:Refused >/tmp/refused 2>&1
    check_equal "$1" 4 $?
    check "$1: the reason" grep -q "^pflashctl: $2: another host has reserved" /tmp/refused
}

persist /dev/sdb --register --param-sark=0x2
persist /dev/sdb --reserve --param-rk=0x2 --prout-type=5
refused "host a is refused while host b has the disk reserved" /dev/sda
check "host a may read" pflashctl check /dev/sda
check "host b may write" pflashctl vars set --text b /dev/sdb $variable:FromB
check "host a reads what host b has written" pflashctl vars get /dev/sda $variable:FromB
persist /dev/sda --register --param-sark=0x1
persist /dev/sda --preempt --param-rk=0x1 --param-sark=0x2 --prout-type=5
check "host a has preempted it and may write" \
    pflashctl vars set --text a /dev/sda $variable:FromA
refused "now host b is refused" /dev/sdb
kill $holder

# --- the target restarts under a writer ---

pflashctl create --device --reset --layout 2m /dev/sda
writes /dev/sda 600
lab_wait 60 writes_have 50 || lab_die "the writer does not write"
start=$(lab_now)
echo 0 >$target/iscsi/$name:a/tpgt_1/enable
sleep 4
check "the writer waits" sh -c '! grep -q exit /tmp/writer'
echo 1 >$target/iscsi/$name:a/tpgt_1/enable
lab_wait 90 grep -q exit /tmp/writer
check_equal "a writer ends well after a restart of the target" "exit 0" "$(tail -n 1 /tmp/writer)"
note "$(lab_since "$start") s after the target has gone: $(tr '\n' ' ' </tmp/writer)"
has_answered "the disk has all that it wrote" /dev/sda
check_equal "all bursts were answered" 600 "$(answered)"

# --- a server of NBD restarts: no session comes back ---

echo 'nbd 10809/tcp' >/etc/services
printf '[generic]\n[disk]\nexportname = /tmp/nbd.img\n' >/tmp/nbd.conf
nbd-server -C /tmp/nbd.conf 3>&- || lab_die "no nbd-server"
[ -e /dev/nbd0 ] || mknod /dev/nbd0 b 43 0
# connect: a write that gets no answer fails after 5 s; without a limit it waits
connect() {
    nbd-client 127.0.0.1 -N disk -timeout 5 /dev/nbd0
}
lab_wait 10 connect || lab_die "no nbd-client"
pflashctl create --device --layout 2m /dev/nbd0
writes /dev/nbd0 600
lab_wait 60 writes_have 50 || lab_die "the writer does not write"
start=$(lab_now)
for pid in $(pidof nbd-server); do kill "$pid"; done
lab_wait 60 grep -q exit /tmp/writer
note "NBD, $(lab_since "$start") s after its server has gone: $(tr '\n' ' ' </tmp/writer)"
check "a writer on NBD fails when its server ends" grep -q "exit 1" /tmp/writer
nbd-client -d /dev/nbd0 >/dev/null 2>&1
nbd-server -C /tmp/nbd.conf 3>&-
lab_wait 10 connect
check "the disk is sound when it is connected again" pflashctl check /dev/nbd0
has_answered "it has every answered burst" /dev/nbd0

# --- Xen: pflashd ---

lab_guest one test=hole || lab_die "no guest"
check "pflashd is refused while another host has the disk reserved" sh -c \
    '. /lab/lib.sh; ! lab_flash one /dev/sdb && grep -q "another host has reserved" /tmp/one.pflashd'
note "$(tail -n 1 /tmp/one.pflashd)"
check "pflashd of the host with the reservation attaches" lab_flash one /dev/sda
xl destroy one
check "and ends well" lab_flash_end one
lab_done
