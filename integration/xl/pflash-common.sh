# SPDX-License-Identifier: BSD-2-Clause
# Sourced by the hotplug scripts, and by a shell of pflash-libvirt: attaches the
# flash that a file of options configures to a domain, before the domain runs. The
# domain of a hotplug script is that of the device in XENBUS_PATH.
#
# libxl waits 40 seconds for a hotplug script. If the script fails, libxl does not
# create the domain and prints the device's hotplug-error.

PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:$PATH
pflash_config=${PFLASH_CONFIG:-/etc/xen/pflash}
pflash_run=${PFLASH_RUN:-/run}
pflash_xen=${PFLASH_XEN:-/proc/xen}

# pflash_fail TEXT: for the standard error of xl or libvirt, and for libxl in the
# hotplug-error of a device
pflash_fail() {
    echo "$1" >&2
    if [ -n "${XENBUS_PATH:-}" ]; then
        xenstore-write "$XENBUS_PATH/hotplug-error" "$1" \
            "$XENBUS_PATH/hotplug-status" error
    fi
    exit 1
}

# backend/vbd/DOMAIN/DEVICE, perhaps below /local/domain/0
pflash_domain() {
    pflash_path=${XENBUS_PATH%/*}
    echo "${pflash_path##*/}"
}

# pflash_is_wanted DOMAIN: true if a configuration file exists for the domain, one
# of the administrator or one that pflash-libvirt has made. Like pflashd, it uses
# the final name of a domain that migrates to this host. It is true for a name that
# cannot be a file name: pflashd then reports the error, and libxl does not create
# the domain. Without -R xenstore-read escapes some bytes; the dot keeps a newline
# at the end of the name.
pflash_is_wanted() {
    pflash_name=$(xenstore-read -R "/local/domain/$1/name" 2>/dev/null; echo .)
    pflash_name=${pflash_name%.}
    pflash_name=${pflash_name%--incoming}
    case $pflash_name in
    "" | .* | */* | *[[:cntrl:]]*) return 0 ;;
    esac
    [ -e "$pflash_config/$pflash_name.conf" ] ||
        [ -e "$pflash_run/pflashd/conf/$pflash_name.conf" ] ||
        [ -e "$pflash_config/default.conf" ]
}

# pflash_is_stub DOMAIN: true if the domain is the stub domain of a guest. libxl
# gives it the guest's disks and interfaces, too. Only dom0 can write this node.
pflash_is_stub() {
    xenstore-read "/local/domain/$1/target" >/dev/null 2>&1
}

# pflash_is_at_home: false in a driver domain, from which no flash can be attached.
# libxl does not wait for the scripts of a driver domain: it creates the guest
# without its flash, and the error is in the device's hotplug-error only.
pflash_is_at_home() {
    ! [ -e "$pflash_xen/capabilities" ] ||
        grep -q control_d "$pflash_xen/capabilities"
}

# pflash_start DOMAIN: returns when the flash is attached, or at once for a stub
# domain, which has none; exits on a failure. libxl runs the scripts of a domain's
# devices concurrently: the first one starts pflashd, the others wait for the lock
# and find the flash. The holder removes the file of the lock before it releases it,
# so a script that waited for a file that is gone begins again.
pflash_start() {
    pflash_is_at_home ||
        pflash_fail "pflashd: no flash for domain $1: this device's backend is a \
driver domain; name the script for a device whose backend is dom0"
    ! pflash_is_stub "$1" || return 0
    pflash_lock=$pflash_run/pflashd-$1.lock
    while :; do
        (
            if command -v flock >/dev/null 2>&1 && ! flock -w 30 9; then
                pflash_fail "another device of this domain is starting pflashd"
            fi
            [ "$pflash_lock" -ef /proc/self/fd/9 ] || exit 75
            trap 'rm -f "$pflash_lock"' EXIT
            # pflashd does not inherit the descriptor of the lock.
            pflash_attach "$1" 9>&-
        ) 9>"$pflash_lock"
        pflash_code=$?
        [ "$pflash_code" -eq 75 ] || break
    done
    # After a failure libxl destroys the domain.
    [ "$pflash_code" -eq 0 ] || exit 1
}

# pflash_is_served DOMAIN: true if a pflashd serves it; waits while one starts.
# After a soft reset the old pflashd may still be stopping: it does not count, and
# the new one waits for it.
pflash_is_served() {
    pflash_tries=30
    while [ "$pflash_tries" -gt 0 ]; do
        case $(pflashctl status "$1" 2>/dev/null | sed -n 's/^state: //p') in
        '' | stopping) return 1 ;;
        starting) sleep 1 ;;
        *) return 0 ;;
        esac
        pflash_tries=$((pflash_tries - 1))
    done
    return 1
}

# pflash_run_daemon DOMAIN: runs pflashd; pflash_said is its error. With systemd
# each pflashd is a unit, pflashd@DOMAIN, which logs to the journal.
pflash_run_daemon() {
    if [ -d /run/systemd/system ] && [ -z "${PFLASH_NO_SYSTEMD:-}" ] &&
        systemctl cat "pflashd@$1.service" >/dev/null 2>&1; then
        systemctl start "pflashd@$1.service" && return 0
        pflash_said=$(journalctl -q -n 1 -o cat -u "pflashd@$1.service" \
            SYSLOG_IDENTIFIER=pflashd)
        return 1
    fi
    # pflashd must not keep standard error open: the substitution would not end.
    pflash_said=$(pflashd --domain "$1" --config "$pflash_config" \
        --wait 10 --log syslog 2>&1 </dev/null)
}

# pflash_fetch DOMAIN: gets the flash of a guest that migrates to this host, if its
# options have a command for that (incoming); pflash_said is the error
pflash_fetch() {
    pflash_said=$(pflashd --domain "$1" --config "$pflash_config" --fetch 2>&1 \
        </dev/null)
}

# pflash_attach DOMAIN: the same as pflash_start, with the lock held. A pflashd that
# was started without the lock, by hand or where there is no flock(1), makes ours
# fail, and serves the domain as well.
pflash_attach() {
    pflash_is_served "$1" || { pflash_fetch "$1" && pflash_run_daemon "$1"; } ||
        pflash_is_served "$1" ||
        pflash_fail "${pflash_said:-pflashd: cannot be started}"
}
