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
