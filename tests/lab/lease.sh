# SPDX-License-Identifier: BSD-2-Clause
# Leases of sanlock for two hosts, in the lockspace "flash". They lie in the directory
# that the hosts share; host1 reaches them through a device of its own, so that it can
# lose them alone. Sourced after hosts.sh by the scenarios that need sanlock.

lease_timeout=2 # sanlock's io_timeout, s: a host loses its leases after 8 times as much

# lease_init COUNT: on host1, makes the device, and room for COUNT leases
lease_init() {
    truncate -s $((1 + $1))M /srv/nfs/leases
    [ -e /dev/loop7 ] || mknod /dev/loop7 b 7 7
    losetup /dev/loop7 /srv/nfs/leases || lab_die "no loop device"
    echo "0 $((2048 * (1 + $1))) linear 7:7 0" | dmsetup create leases || lab_die "no map"
    mknod /leases b "$(dmsetup info -c --noheadings -o major leases)" \
        "$(dmsetup info -c --noheadings -o minor leases)"
    lease_daemon
    sanlock client init -s flash:0:/leases:0 -o $lease_timeout
    lease_number=1
    while [ $lease_number -le "$1" ]; do
        sanlock client init -r "$(lease_of $lease_number | sed 's/^sanlock://')"
        lease_number=$((lease_number + 1))
    done
}

# lease_of NUMBER: the value of --lease
lease_of() {
    echo "sanlock:flash:guest-$1:/leases:$(($1 * 1048576))"
}

lease_daemon() {
    mkdir -p /run/sanlock /var/log
    pidof sanlock >/dev/null || sanlock daemon -w 0 -h 0 -l 0 -U root -G root -e "$(hostname)"
    lab_wait 10 test -S /run/sanlock/sanlock.sock
}

# lease_join NUMBER: this host joins the lockspace with this id
lease_join() {
    [ -e /leases ] || ln -s $xl_dir/leases /leases
    lease_daemon && sanlock client add_lockspace -s "flash:$1:/leases:0" -o $lease_timeout
}

# lease_has PID NUMBER: true if the process has that lease
lease_has() {
    sanlock client inquire -p "$1" | grep -q ":guest-$2:"
}

# lease_config NAME NUMBER: the options of the guest, with that lease
lease_config() {
    printf 'vars = %s/%s.fd\nlayout = 2m\nlease = %s\n' "$xl_dir" "$1" "$(lease_of "$2")" \
        >"/etc/xen/pflash/$1.conf"
}
