# SPDX-License-Identifier: BSD-2-Clause
# about: the memory of pflashd for a guest with a flash of 528 KiB, and its connections to xenstored
# needs: build/lab/guest.elf build/pflashd build/pflashctl
# timeout: 400
. /lab/lib.sh

# memory PID NAME: a figure of the process, in KiB, from the kernel's summary of
# its mappings. Frames of the guest are not in it: Xen maps them by number.
memory() {
    sed -n "s/^$2:[^0-9]*\([0-9]*\) kB/\1/p" "/proc/$1/smaps_rollup"
}

# private PID: memory that no other process shares, without the pages of programs
# and libraries that nobody has written: the page cache has these once for all, and
# which of them only one process maps at a moment is chance.
private() {
    awk 'function add() { if (writable || written) total += private }
        $1 ~ /^[0-9a-f]+-[0-9a-f]+$/ {
            add()
            writable = $2 ~ /w/
            written = private = 0
        }
        $1 == "Private_Clean:" || $1 == "Private_Dirty:" { private += $2 }
        $1 == "Anonymous:" { written = $2 }
        END { add(); print total + 0 }' "/proc/$1/smaps"
}

# writes_much NAME: true after 500 bursts
writes_much() {
    test "$(lab_field "$1" bursts)" -ge 500
}

# connections: the connected sockets of xenstored
connections() {
    awk '$6 == "03" && $8 ~ /xenstored\/socket$/ { n++ } END { print n + 0 }' \
        /proc/net/unix
}

# descriptors PID: all open ones
descriptors() {
    set -- "/proc/$1/fd/"*
    echo $#
}

# Two flashes, so that the programs and libraries are shared, as on a host.
for name in one two; do
    lab_guest $name "test=steady seed=3 base=0xffc00000" || lab_die "no guest"
done
before=$(connections)
check "xl has connections to xenstored" test "$before" -ge 1
for name in one two; do
    lab_flash $name /tmp/$name.fd --layout 4m --mode direct || lab_die "no flash"
done
xl unpause one
check "the guest writes to its flash" lab_wait 200 writes_much one
supervisor=$(cat /tmp/one.pid)
worker=$(lab_worker "$supervisor")
check_equal "two flashes have two connections to xenstored" 2 \
    $(($(connections) - before))
note "descriptors: supervisor $(descriptors "$supervisor"), worker" \
    "$(descriptors "$worker"); threads of the supervisor:" \
    "$(ls "/proc/$supervisor/task" | wc -l)"
total=0
for pid in $supervisor $worker; do
    total=$((total + $(private "$pid")))
    note "$pid: private $(private "$pid") KiB, Pss $(memory "$pid" Pss) KiB:" \
        "anonymous $(memory "$pid" Pss_Anon), files $(memory "$pid" Pss_File)," \
        "shared memory $(memory "$pid" Pss_Shmem)"
done
note "both processes: private $total KiB"
check "the flash costs at most 1 MiB of private memory" test "$total" -le 1024
lab_done
