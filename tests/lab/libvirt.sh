# SPDX-License-Identifier: BSD-2-Clause
# Guests of an unmodified libvirtd, whose flash libvirt's hook starts. Sourced by the
# libvirt-* scenarios, which need: libvirt net, and hvm for HVM guests.

lv_vars=/var/lib/xen/pflash
lv_conf=/run/pflashd/conf # the hook's files of options
lv_log=/tmp/virsh.txt     # the transcript
lv_hooks=/etc/libvirt/hooks
lv_kernel=/lab/guest.elf
lv_entry=100000 # where the test guest starts
LV_OUT=/tmp/out
lv_uri=xen:///system
export LIBVIRT_DEFAULT_URI=$lv_uri

# lv_setup [NUMBER]: installs hook and script, makes a bridge, starts libvirtd. With
# NUMBER it is that one of two hosts (hosts.sh): libvirtd listens on the network.
lv_setup() {
    mkdir -p $lv_hooks/libxl.d /etc/xen/pflash $lv_vars /var/log/libvirt \
        /var/lib/libvirt/libxl/save
    # libvirt checks that there is space for a save; dom0's root has no size.
    mount -t tmpfs tmpfs /var/lib/libvirt/libxl/save
    if [ $# -eq 0 ]; then
        hostname dom0
        echo '127.0.0.1 localhost dom0' >/etc/hosts
    fi
    lv_install
    ip link add xenbr0 type bridge
    ip link set xenbr0 up
    # polkit, which Debian's libvirtd asks, is not there.
    printf '%s\n' 'auth_unix_ro = "none"' 'auth_unix_rw = "none"' \
        'log_filters = "1:libxl 1:util.hook"' \
        'log_outputs = "2:file:/var/log/libvirt/libvirtd.log"' \
        >/etc/libvirt/libvirtd.conf
    [ $# -eq 0 ] || lv_listen "$1" >>/etc/libvirt/libvirtd.conf
    # The emulated processor has no VME, which all of libvirt's models have.
    sed -i '/vme/d' /usr/share/libvirt/cpu_map/x86_486.xml
    lv_start || lab_die "libvirtd does not answer"
    lv_version=$(libvirtd --version | sed 's/.* //')
    note "libvirt $lv_version answers after $(lab_since "$lv_started") s"
}

# lv_listen NUMBER: prints what libvirtd.conf needs on that one of several hosts
lv_listen() {
    lv_options=--listen
    printf '%s\n' 'listen_tls = 0' 'listen_tcp = 1' 'auth_tcp = "none"' \
        "host_uuid = \"11111111-2222-3333-4444-55555555555$1\""
}

# lv_install: the hook, and the script of interfaces
lv_install() {
    ln -s /lab/pflash-libvirt $lv_hooks/libxl.d/pflash
    cp /lab/vif-pflash /lab/pflash-common.sh /etc/xen/scripts/
    chmod +x /etc/xen/scripts/vif-pflash
}

# lv_start: starts libvirtd and waits until it answers
lv_start() {
    lv_started=$(lab_now)
    # shellcheck disable=SC2086
    libvirtd --daemon ${lv_options:-} 3>&- || return
    lab_wait 60 virsh version
}

# lv_stop [SIGNAL]: ends libvirtd
lv_stop() {
    kill "${1:--TERM}" "$(cat /run/libvirtd.pid)"
    lab_wait 30 sh -c '! pidof libvirtd'
}

# lv_second: starts a second libvirtd, on the same Xen but with directories and an
# identity of its own, and sets lv_second to its address
lv_second() {
    lv_second=xen+tcp://dom0/system
    # As a name of 127.0.0.1 libvirt refuses it for a migration.
    ip link set lo up
    ip addr add 192.0.2.1/24 dev xenbr0
    echo '192.0.2.1 dom0' >/etc/hosts
    mkdir -p /tmp/second/lib /tmp/second/run
    cp -r /etc/libvirt /tmp/second/etc
    (lv_listen 2) >>/tmp/second/etc/libvirtd.conf
    sed -i 's/libvirtd.log/second.log/' /tmp/second/etc/libvirtd.conf
    unshare -m sh -c 'mount --bind /tmp/second/etc /etc/libvirt
        mount --bind /tmp/second/lib /var/lib/libvirt
        mount --bind /tmp/second/run /run/libvirt
        libvirtd --daemon --listen --pid-file /tmp/second/pid' 3>&- &&
        lab_wait 60 virsh -c "$lv_second" version ||
        lab_die "the second libvirtd does not answer"
}

# v WORDS...: virsh, kept in the transcript; output in $LV_OUT, status in lv_status
v() {
    timeout 100 virsh "$@" >$LV_OUT 2>&1
    lv_status=$?
    { echo "# virsh $*" && grep . $LV_OUT; } | tee -a $lv_log
    return $lv_status
}

# --- the guest's XML ---

lv_pvh="<type arch='x86_64' machine='xenpvh'>xenpvh</type>"
lv_loader="<loader readonly='yes' type='pflash'>/lab/OVMF_XEN.fd</loader>"
lv_bridge="<interface type='bridge'><source bridge='xenbr0'/><script path='vif-pflash'/></interface>"
lv_ethernet="<interface type='ethernet'><script path='vif-pflash'/></interface>"

# lv_nvram FILE: for <os>
lv_nvram() {
    echo "<nvram template='/lab/OVMF_VARS.fd'>$1</nvram>"
}

# lv_test WORDS: for <os>: the test guest with this command line
lv_test() {
    echo "<kernel>$lv_kernel</kernel><cmdline>$1</cmdline>"
}

# lv_xml NAME OS DEVICES [MORE]: makes /tmp/guest.xml
lv_xml() {
    cat >/tmp/guest.xml <<EOF
<domain type='xen'>
  <name>$1</name>
  <memory unit='MiB'>${lv_memory:-64}</memory>
  <vcpu>1</vcpu>
  <cputune><vcpupin vcpu='0' cpuset='1'/></cputune>
  <os${lv_osattr:-}>
    $2
  </os>
  <on_crash>destroy</on_crash>
  ${4:-}
  <devices>
    $3
  </devices>
</domain>
EOF
}

# lv_guest NAME WORDS [DEVICES [FILE]]: defines the test guest with a flash
lv_guest() {
    lv_xml "$1" "$lv_pvh $lv_loader $(lv_nvram "${4:-$lv_vars/$1.fd}")
    $(lv_test "$2")" "${3-$lv_bridge}"
    v define /tmp/guest.xml
}

# --- what has happened ---

# lv_is NAME STATE: virsh domstate
lv_is() {
    test "$(virsh domstate "$1" 2>/dev/null)" = "$2"
}

# lv_off NAME: shut off, and all that libvirt does after that is done
lv_off() {
    lv_is "$1" 'shut off' && lab_gone "$1" && test ! -e "$lv_conf/$1.conf"
}

# lv_anew NAME ID: libvirt has made the rebooting guest anew; while it does that,
# commands for the guest fail
lv_anew() {
    lv_is "$1" running && test "$(virsh domid "$1")" != "$2"
}

# lv_said TEXT: virsh's last output has it
lv_said() {
    grep -qF -e "$1" $LV_OUT
}

# lv_refused TEXT: virsh's last command failed, and this is a part of what it said
lv_refused() {
    test "$lv_status" -ne 0 && lv_said "$1"
}

# lv_left: prints the domains, processes, files and nodes left by guests
lv_left() {
    lab_wait 30 lv_nothing
    xl list | tail -n +3
    pidof pflashd pflash-libvirt xen-qemu-system-i386 libxl-save-helper
    ls /run/pflashd | grep -vE '^(empty|conf)$|\.limit$'
    ls $lv_conf
    xenstore-ls -f /local/domain/0/device-model | grep pflash
} 2>/dev/null

lv_nothing() {
    test "$(xl list | wc -l)" = 2 && ! pidof pflashd pflash-libvirt
}

# lv_probe: from now on a start of pflashd notes in /tmp/attach.NAME what the guest
# has done by then: xl's line, and the instruction pointer
lv_probe() {
    mkdir -p /usr/local/sbin
    cat >/usr/local/sbin/pflashd <<'EOF'
#!/bin/sh
case " $* " in
*" --check-"*) ;;
*)
    domain=$(echo " $* " | sed 's/.* --domain \([^ ]*\) .*/\1/')
    name=$(xl domname "$domain" || echo "$domain")
    { xl list "$name" | tail -n 1 && xen-hvmctx "$(xl domid "$name")" |
        grep -m 1 rip; } >"/tmp/attach.$name"
    ;;
esac
exec /lab/pflashd "$@"
EOF
    chmod +x /usr/local/sbin/pflashd
}

# lv_had_not_run NAME: its flash came while it was paused, and before its first
# instruction
lv_had_not_run() {
    cat "/tmp/attach.$1"
    grep -q ' --p--- *0\.0$' "/tmp/attach.$1" &&
        grep -q "rip 0x0*$lv_entry " "/tmp/attach.$1"
}

# lv_events: from now on /tmp/events has each of libvirt's hook events, and what Xen
# and the flash do at that time. libvirt runs this hook before the one of libxl.d.
lv_events() {
    cat >$lv_hooks/libxl <<'EOF'
#!/bin/sh
cat >/dev/null
read -r uptime rest </proc/uptime
domain=$(xl list | awk -v n="$1" '$1 == n { print $5 }')
flash=$(pflashctl list 2>/dev/null | awk -v n="$1" '$2 == n { print $3, $4 }')
echo "$uptime $1 $2 $3: domain ${domain:-none}, flash ${flash:-none}" >>/tmp/events
EOF
    chmod +x $lv_hooks/libxl
}

# lv_event NAME OPERATION: there was such an event
lv_event() {
    grep -q " $1 $2 " /tmp/events
}

# lv_image NAME: the contents of its flash, as /tmp/NAME.image
lv_image() {
    rm -f "/tmp/$1.image"
    pflashctl export "$lv_vars/$1.fd" "/tmp/$1.image"
}

# lv_export: brings transcript and logs to the host
lv_export() {
    for lv_file in $lv_log /var/log/libvirt/libvirtd.log \
        /var/log/libvirt/libxl/libxl-driver.log /tmp/syslog /tmp/events; do
        [ ! -s "$lv_file" ] || lab_export "$lv_file"
    done
}

# lv_die TEXT: a failed check after which the scenario cannot go on
lv_die() {
    tail -n 4 /var/log/libvirt/libxl/libxl-driver.log /var/log/xen/qemu-dm-*.log
    lv_export
    lab_die "$*: $(tail -n 1 $LV_OUT)"
}

# lv_starts NAME: virsh start
lv_starts() {
    v start "$1" || lv_die "$1: not started"
    ok "$1: virsh starts it"
}
