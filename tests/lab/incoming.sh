# SPDX-License-Identifier: BSD-2-Clause
# Two Xen hosts that share nothing: the flash of a guest, "move", migrates with it.
# Sourced after hosts.sh by hosts-incoming and hosts-aborted.

arrived_log=/var/log/xen/console/guest-move--incoming.log

# incoming_start: both hosts start pflashd for all guests, and get the flash of `move`
# from the other host
incoming_start() {
    hosts_start
    lab_require
    xl_setup
    on_host2 'lab_require; xl_setup; lab_disk /tmp/move.img' >/dev/null
    incoming
    there
}

# incoming [LINE...]: the options of the guest on this host; the lines come last
incoming() {
    {
        printf 'vars = %s/%%n.fd\nlayout = 2m\n' $xl_dir
        printf 'incoming = /tmp/hosts/get %%h pflashctl send %%n\n'
        printf '%s\n' "$@"
    } >/etc/xen/pflash/move.conf
    # nc ends when its standard input does.
    cat >/tmp/hosts/get <<'END'
#!/bin/sh
mkfifo /tmp/hosts/get.$$
exec 5<>/tmp/hosts/get.$$
rm /tmp/hosts/get.$$
/tmp/hosts/ssh "$@" <&5
END
    chmod +x /tmp/hosts/get
}

# there: host2 gets the same options and script
there() {
    for file in /etc/xen/pflash/move.conf /tmp/hosts/get; do
        on_host2 "echo $(base64 <"$file" | tr -d '\n') | base64 -d >$file; chmod +x $file"
    done
}

# Both leave the exit status of xl in migrate_status.
to_host2() {
    lab_step "the guest migrates to host2"
    migrate_start=$(lab_now)
    timeout 150 xl migrate -s /tmp/hosts/ssh move host2 >/tmp/xl.out 2>&1
    migrate_status=$?
    note "to host2: $(lab_since "$migrate_start") s, exit $migrate_status"
    cat /tmp/xl.out
}

to_host1() {
    lab_step "the guest migrates back to host1"
    migrate_start=$(lab_now)
    on_host2 'timeout 150 xl migrate -s /tmp/hosts/ssh move host1' >/tmp/xl.out
    migrate_status=$?
    note "to host1: $(lab_since "$migrate_start") s, exit $migrate_status"
    cat /tmp/xl.out
}
