# SPDX-License-Identifier: BSD-2-Clause
# Sourced by the hotplug scripts: attaches the flash that /etc/xen/pflash
# configures to the domain of the device in XENBUS_PATH, before the domain runs.
#
# libxl waits 40 seconds for a hotplug script. If the script fails, libxl does not
# create the domain and prints the device's hotplug-error.

PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:$PATH
pflash_config=${PFLASH_CONFIG:-/etc/xen/pflash}
pflash_run=${PFLASH_RUN:-/run}

# pflash_fail TEXT: for xl's standard error, and for libxl in hotplug-error
pflash_fail() {
    echo "$1" >&2
    xenstore-write "$XENBUS_PATH/hotplug-error" "$1" \
        "$XENBUS_PATH/hotplug-status" error
    exit 1
}

# backend/vbd/DOMAIN/DEVICE, perhaps below /local/domain/0
pflash_domain() {
    pflash_path=${XENBUS_PATH%/*}
    echo "${pflash_path##*/}"
}

# pflash_is_wanted DOMAIN: true if a configuration file exists for the domain.
# Like pflashd, it uses the final name of a domain that migrates to this host. It
# is true for a name that cannot be a file name: pflashd then reports the error,
# and libxl does not create the domain. Without -R xenstore-read escapes some
# bytes; the dot keeps a newline at the end of the name.
pflash_is_wanted() {
    pflash_name=$(xenstore-read -R "/local/domain/$1/name" 2>/dev/null; echo .)
    pflash_name=${pflash_name%.}
    pflash_name=${pflash_name%--incoming}
    case $pflash_name in
    "" | .* | */* | *[[:cntrl:]]*) return 0 ;;
    esac
    [ -e "$pflash_config/$pflash_name.conf" ] ||
        [ -e "$pflash_config/default.conf" ]
}

# pflash_start DOMAIN: returns when the flash is attached; exits on a failure.
# libxl runs the scripts of a domain's devices concurrently: the first one starts
# pflashd, the others wait for the lock and find the flash. pflashd does not
# inherit the descriptor of the lock.
pflash_start() {
    pflash_lock=$pflash_run/pflashd-$1.lock
    (
        if command -v flock >/dev/null 2>&1 && ! flock -w 30 9; then
            pflash_fail "another device of this domain is starting pflashd"
        fi
        pflash_attach "$1" 9>&-
    ) 9>"$pflash_lock"
    pflash_code=$?
    # A later script finds the flash; after a failure libxl destroys the domain.
    rm -f "$pflash_lock"
    [ "$pflash_code" -eq 0 ] || exit 1
}

# pflash_attach DOMAIN: the same, with the lock held. With systemd each pflashd is
# a unit, pflashd@DOMAIN, which logs to the journal.
pflash_attach() {
    # The script of another device may have attached the flash. After a soft
    # reset the old pflashd may still be stopping: the new one waits for it.
    case $(pflashctl status "$1" 2>/dev/null | sed -n 's/^state: //p') in
    '' | stopping) ;;
    *) return 0 ;;
    esac
    if [ -d /run/systemd/system ] && [ -z "${PFLASH_NO_SYSTEMD:-}" ] &&
        systemctl cat "pflashd@$1.service" >/dev/null 2>&1; then
        systemctl start "pflashd@$1.service" && return 0
        pflash_fail "$(journalctl -q -n 1 -o cat -u "pflashd@$1.service" \
            SYSLOG_IDENTIFIER=pflashd)"
    fi
    # pflashd must not keep standard error open: the substitution would not end.
    pflash_said=$(pflashd --domain "$1" --config "$pflash_config" \
        --wait 10 --log syslog 2>&1 </dev/null) ||
        pflash_fail "${pflash_said:-pflashd: cannot be started}"
}
