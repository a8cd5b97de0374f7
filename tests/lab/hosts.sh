# SPDX-License-Identifier: BSD-2-Clause
# Two Xen hosts that share a directory by NFS. Sourced after xl.sh by the hosts-*
# scenarios, which have `hosts: 2`. The scenario runs on host1, which is the server
# of the directory; host2 executes what comes by the network (dom0/run).

hosts_lease=10 # seconds

# on_host2 COMMAND...: runs the shell's words, one line, there, with the functions of lib.sh,
# xl.sh and this file; prints the output and returns the exit status
on_host2() {
    hosts_said=$(printf '%s\n' ". /lab/lib.sh; . /lab/xl.sh; . /lab/hosts.sh; \
{ $*; } 2>&1; echo \"lab-status \$?\"" | nc -w 10 host2 99)
    hosts_status=${hosts_said##*lab-status }
    case $hosts_said in
    *"lab-status "*) printf '%s' "${hosts_said%lab-status *}" ;;
    *) hosts_status=255 ;;
    esac
    return "$hosts_status"
}

# hosts_start: starts host2 and waits for it
hosts_start() {
    lab_step "host2 boots"
    lab_send "lab: host 2 start"
    lab_wait 120 on_host2 true || lab_die "host2 does not answer"
    hosts_ssh
    on_host2 hosts_ssh
}

# hosts_ssh: makes /tmp/hosts/ssh, in place of ssh: HOST COMMAND...; the errors of the
# command stay on its host, in /tmp/hosts/stderr
hosts_ssh() {
    mkdir -p /tmp/hosts
    cat >/tmp/hosts/ssh <<'END'
#!/bin/sh
host=$1
shift
fifo=/tmp/hosts/fifo.$$
mkfifo $fifo
exec 4<&0
nc "$host" 99 <$fifo &
nc=$!
exec 3>$fifo
rm $fifo
printf '%s\n' "export SSH_CONNECTION='$(sed -n 's/\t*\([0-9.]*\) '"$(hostname)"'$/\1/p' /etc/hosts) 40000 10.0.0.9 22'; exec 2>>/tmp/hosts/stderr; $*" >&3
cat <&4 >&3 &
cat=$!
exec 3>&- 4<&-
wait $nc
kill $cat 2>/dev/null
END
    chmod +x /tmp/hosts/ssh
}

# hosts_to_host2, hosts_to_host1: the guest `move` migrates; xl's exit status is in
# migrate_status, its output in /tmp/xl.out
hosts_to_host2() {
    lab_step "the guest migrates to host2"
    migrate_start=$(lab_now)
    timeout 150 xl migrate -s /tmp/hosts/ssh move host2 >/tmp/xl.out 2>&1
    migrate_status=$?
    note "to host2: $(lab_since "$migrate_start") s, exit $migrate_status"
    cat /tmp/xl.out
}

hosts_to_host1() {
    lab_step "the guest migrates back to host1"
    migrate_start=$(lab_now)
    on_host2 'timeout 150 xl migrate -s /tmp/hosts/ssh move host1' >/tmp/xl.out
    migrate_status=$?
    note "to host1: $(lab_since "$migrate_start") s, exit $migrate_status"
    cat /tmp/xl.out
}

# hosts_console NAME FILE: the console of the guest on host2 is copied to FILE here, as
# long as host2 lives
hosts_console() {
    # nc ends when its standard input does, at both ends.
    tail -f /dev/null | nc -l -p 98 >"$2" &
    lab_wait 10 sh -c 'netstat -ltn | grep -q ":98 "'
    on_host2 "lab_wait 30 test -e \$(lab_log $1); \
{ tail -f -n +1 \$(lab_log $1) | nc host1 98; } </dev/null >/dev/null 2>&1 3>&- & true"
}

# hosts_power_cut: host2 loses its power
hosts_power_cut() {
    lab_send "lab: host 2 kill"
}

# hosts_serve: this host is the server of $xl_dir
hosts_serve() {
    mkdir -p /srv/nfs /etc/sysconfig /var/lib/nfs/nfsdcld \
        /var/lib/nfs/rpc_pipefs
    printf 'nfs 2049/tcp\n' >/etc/services
    touch /var/lib/nfs/etab /var/lib/nfs/rmtab /etc/exports /etc/netconfig
    mount -t tmpfs tmpfs /srv/nfs
    mount -t nfsd nfsd /proc/fs/nfsd || lab_die "no nfsd"
    mount -t rpc_pipefs rpc_pipefs /var/lib/nfs/rpc_pipefs ||
        lab_die "no rpc_pipefs"
    nfsdcld || lab_die "no nfsdcld"
    echo $hosts_lease >/proc/fs/nfsd/nfsv4leasetime
    echo $hosts_lease >/proc/fs/nfsd/nfsv4gracetime
    exportfs -o rw,sync,fsid=0,no_subtree_check,no_root_squash '*:/srv/nfs'
    rpc.mountd -N 3 || lab_die "no mountd"
    rpc.nfsd -N 3 2 || lab_die "no nfsd"
}

# hosts_mount: mounts the directory; prints an error
hosts_mount() {
    mkdir -p $xl_dir
    mount -t nfs4 -o "vers=4.2,addr=10.0.0.1,clientaddr=10.0.0.$(hosts_number),hard" \
        10.0.0.1:/ $xl_dir
}

hosts_number() {
    hostname | tr -dc 0-9
}

# hosts_share: both hosts have $xl_dir by NFS, and start pflashd for all guests
hosts_share() {
    lab_require
    xl_setup
    hosts_serve
    hosts_mount || lab_die "host1 cannot mount"
    on_host2 'lab_require; xl_setup; hosts_mount' || lab_die "host2 cannot mount: $hosts_said"
}
