# SPDX-License-Identifier: BSD-2-Clause
# Sourced by the hotplug scripts: gives the domain of the device in
# XENBUS_PATH the flash that /etc/xen/pflash says, before it runs.
#
# libxl waits for a hotplug script for 40 seconds, and does not create the
# domain if it fails; it prints what is in the device's hotplug-error.

PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:$PATH
pflash_config=${PFLASH_CONFIG:-/etc/xen/pflash}
pflash_run=${PFLASH_RUN:-/run}

# Standard error is xl's; hotplug-error is what libxl prints.
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

# pflash_is_wanted DOMAIN: is there a file for it? By the name it will have, if
# it migrates to this host, as pflashd looks for it. Of a name that cannot be the
# name of a file there pflashd is to say so, and the domain is not created.
# Without -R xenstore-read writes some bytes as \ and digits; with it the name
# is as it is, and the dot keeps a newline at its end.
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

# pflash_start DOMAIN: returns when the flash is attached, or does not return.
# libxl runs the scripts of a domain's devices at the same time: the first one
# starts pflashd, the others wait and find the flash. No process that outlives
# the script has the lock's descriptor.
pflash_start() {
    pflash_lock=$pflash_run/pflashd-$1.lock
    (
        if command -v flock >/dev/null 2>&1 && ! flock -w 30 9; then
            pflash_fail "another device of this domain is starting pflashd"
        fi
        pflash_attach "$1" 9>&-
    ) 9>"$pflash_lock"
    pflash_code=$?
    # A later script finds the flash, or the domain is given up anyway.
    rm -f "$pflash_lock"
    [ "$pflash_code" -eq 0 ] || exit 1
}

# pflash_attach DOMAIN: the same, alone. With systemd each pflashd is a unit,
# pflashd@DOMAIN; its log is the journal.
pflash_attach() {
    # By an earlier device's script? One that is stopping, because of a soft
    # reset, is waited for.
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
    # A log on standard error would keep that open, and this would not end.
    pflash_said=$(pflashd --domain "$1" --config "$pflash_config" \
        --wait 10 --log syslog 2>&1 </dev/null) ||
        pflash_fail "${pflash_said:-pflashd: cannot be started}"
}
