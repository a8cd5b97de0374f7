# SPDX-License-Identifier: BSD-2-Clause
# about: VARS on NFS 4: two hosts, locks, a server that restarts, a server that is gone (docs/host.md)
# needs: net build/lab/guest.elf build/pflashd build/pflashctl build/pflash-replay
# needs: tests/lab/store.sh
# modules: sunrpc auth_rpcgss grace lockd nfs_acl nfsd netfs fscache nfs dns_resolver nfsv4 veth
# programs: rpc.nfsd rpc.mountd exportfs nfsdcld
# slow: a lock outlives the server's restart by the lease
# timeout: 600
. /lab/lib.sh
. /lab/store.sh

lab_require
lease=10

# --- a server, and two hosts in network namespaces of their own ---

mkdir -p /srv/nfs /etc/sysconfig /var/lib/nfs/nfsdcld /var/lib/nfs/rpc_pipefs /mnt/a /mnt/b
printf 'nfs 2049/tcp\n' >/etc/services
touch /var/lib/nfs/etab /var/lib/nfs/rmtab /etc/exports /etc/netconfig
mount -t tmpfs tmpfs /srv/nfs
mount -t nfsd nfsd /proc/fs/nfsd || lab_die "no nfsd"
mount -t rpc_pipefs rpc_pipefs /var/lib/nfs/rpc_pipefs || lab_die "no rpc_pipefs"
# Without its records a server that restarts refuses the locks of its clients.
nfsdcld || lab_die "no nfsdcld"
echo $lease >/proc/fs/nfsd/nfsv4leasetime
echo $lease >/proc/fs/nfsd/nfsv4gracetime
/bin/ip link set lo up

# host NAME NUMBER: a network namespace with an address on the server's side
host() {
    /bin/ip netns add "$1" && /bin/ip link add "$1-server" type veth peer name "$1-host" &&
        /bin/ip link set "$1-host" netns "$1" &&
        /bin/ip addr add "10.0.$2.1/24" dev "$1-server" && /bin/ip link set "$1-server" up &&
        /bin/ip netns exec "$1" /bin/ip addr add "10.0.$2.2/24" dev "$1-host" &&
        /bin/ip netns exec "$1" /bin/ip link set "$1-host" up
}
# on NAME COMMAND...: on that host; its mounts and processes are visible here
on() {
    lab_net=$1
    shift
    nsenter --net="/run/netns/$lab_net" "$@"
}

# nfs_mount NAME NUMBER [OPTIONS]
nfs_mount() {
    on "$1" mount -t nfs4 \
        -o "vers=4.2,addr=10.0.$2.1,clientaddr=10.0.$2.2,${3:-hard}" \
        "10.0.$2.1:/" "/mnt/$1"
}

# export_with OPTIONS
export_with() {
    exportfs -u '*:/srv/nfs' 2>/dev/null
    exportfs -o "rw,sync,fsid=0,no_subtree_check,$1" '*:/srv/nfs'
}

# With options of hosts, the clients' names must differ as those of hosts do.
for n in a:1 b:2; do
    host ${n%:*} ${n#*:} || lab_die "no host $n"
    /bin/ip netns exec ${n%:*} sh -c \
        "echo ${n%:*} >/sys/fs/nfs/net/nfs_client/identifier" ||
        lab_die "the client has no identifier"
done
export_with no_root_squash
rpc.mountd -N 3 || lab_die "no mountd"
rpc.nfsd -N 3 2 || lab_die "no nfsd"
nfs_mount a 1 && nfs_mount b 2 || lab_die "it can't be mounted"

# flash NAME HOST VARS [OPTION...]: like lab_flash, with pflashd on that host
flash() {
    lab_host=$2
    lab_name=$1
    lab_vars=/mnt/$2/$3
    shift 3
    : >"/tmp/$lab_name.ready"
    on "$lab_host" pflashd --domain "$lab_name" --vars "$lab_vars" --foreground \
        --ready-fd 9 "$@" 9>"/tmp/$lab_name.ready" 3>&- >"/tmp/$lab_name.pflashd" 2>&1 &
    echo $! >"/tmp/$lab_name.pid"
    lab_wait 60 lab_flash_settled "$lab_name"
    [ -s "/tmp/$lab_name.ready" ]
}

words="test=random seed=37 count=3000"
store_reference "$words"
store_history burst

# --- one host after the other ---

check "create on NFS" on a pflashctl create --layout 2m /mnt/a/one.fd
# The client keeps the names of a file that is open.
check "a new file can be used at once, twenty times" on a sh -c \
    'for n in $(seq 20); do
        pflashctl create --layout 2m /mnt/a/new.$n && pflashctl check /mnt/a/new.$n || exit 1
    done >/tmp/new.out 2>&1'
tail -n 3 /tmp/new.out
rm -f /mnt/a/new.*
lab_guest one "$words" || lab_die "no guest"
check "host a attaches it" flash one a one.fd --sync burst --settle 3600
cat /tmp/one.pflashd
xl unpause one
lab_wait 90 sh -c "test \$(wc -l <$(lab_log one)) -gt 300" ||
    lab_die "the guest does not write"


# refused NAME HOST VARS TEXT: true if pflashd says TEXT and does not attach
refused() {
    ! flash "$1" "$2" "$3" && grep -q "$4" "/tmp/$1.pflashd"
}

lab_guest other test=hole || lab_die "no guest"
check "host b is refused while host a has it" refused other b one.fd 'in use by'
note "$(cat /tmp/other.pflashd)"
check "export on host b reads it nevertheless" \
    on b pflashctl export /mnt/b/one.fd /tmp/seen.fd

# --- the server restarts under a writing guest ---

lines() {
    wc -l <"$(lab_log one)"
}

rpc.nfsd 0
sleep 2
shown=$(lines)
sleep 3
check_equal "without its server the guest waits" "$shown" "$(lines)"
lab_state one running && note "pflashd answers pflashctl while the server is away"
rpc.nfsd -N 3 2 || lab_die "no nfsd after the restart"
check "after the restart the guest continues" \
    lab_wait 90 sh -c "test \$(wc -l <$(lab_log one)) -gt $((shown + 100))"
check "host b is refused after the restart, too" refused other b one.fd 'in use by'

# --- the first host loses its network, the other one takes the file ---

# detach NAME: ends pflashd; true if it ends without an error
detach() {
    kill "$(lab_field "$1" pid)"
    lab_flash_end "$1"
}

attach_on_b() {
    flash other b one.fd
}

sums() {
    sha256sum </srv/nfs/one.fd
    sha256sum </srv/nfs/one.fd.journal
}

store_accesses "$(lab_log one)" >/tmp/one.accesses
/bin/ip link set a-server down
check "host b attaches the file when host a's lease has run out" lab_wait 90 attach_on_b
check "host b detaches it without an error" detach other
store_check "host a is cut off" /srv/nfs/one.fd /tmp/one.accesses burst
note "$(wc -l </tmp/one.accesses) accesses: point $store_number, $store_ahead bursts later than the last answer"
sums >/tmp/sums
/bin/ip link set a-server up
check "host a has lost its lock: its flash is read-only" lab_wait 120 \
    grep -q 'the flash is read-only from now on' /tmp/one.pflashd
sleep 2
check_equal "host a has changed nothing since" "$(cat /tmp/sums)" "$(sums)"
xl destroy one
lab_flash_end one
check_equal "pflashd on host a says in the end that it had failed" 1 $?

# --- move ---

check "move from NFS to a local file system" pflashctl move /mnt/b/one.fd /tmp/moved.fd
check "the source is gone" test ! -e /srv/nfs/one.fd
check "move back" pflashctl move /tmp/moved.fd /mnt/b/one.fd
check "the moved file is the same" cmp /tmp/now.fd /srv/nfs/one.fd
check "it is sound" pflashctl check /mnt/b/one.fd
check "clone" pflashctl clone /mnt/b/one.fd /mnt/b/clone.fd

# --- root_squash ---

chmod 600 /srv/nfs/*
chmod 700 /srv/nfs
export_with root_squash
check "with root_squash pflashd is refused" refused other b one.fd 'Permission denied'
note "$(cat /tmp/other.pflashd)"
export_with no_root_squash
xl destroy other

# --- a soft mount, and a server that does not come back ---

umount /mnt/b
nfs_mount b 2 soft,timeo=20,retrans=1 || lab_die "no soft mount"
lab_guest soft "$words" || lab_die "no guest"
check "a flash on a soft mount" flash soft b clone.fd --on-error pause
xl unpause soft
lab_expect soft 90 '^w .*' || lab_die "the guest does not write"
rpc.nfsd 0
check "the guest is paused" lab_wait 120 lab_paused soft
cat /tmp/soft.pflashd
check_equal "the log says once that the flash is read-only" 1 \
    "$(grep -c 'the flash is read-only from now on' /tmp/soft.pflashd)"
rpc.nfsd -N 3 2
xl destroy soft
lab_flash_end soft
check_equal "pflashd says in the end that it had failed" 1 $?
check "the file is sound" pflashctl check /srv/nfs/clone.fd
lab_done
