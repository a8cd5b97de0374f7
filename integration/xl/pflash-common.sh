# SPDX-License-Identifier: BSD-2-Clause
# Sourced by the hotplug scripts: gives the domain of the device in
# XENBUS_PATH the flash that /etc/xen/pflash says, before it runs.
#
# libxl waits for a hotplug script for 40 seconds, and does not create the
# domain if it fails; it prints what is in the device's hotplug-error.

PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:$PATH
pflash_config=${PFLASH_CONFIG:-/etc/xen/pflash}

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
# it migrates to this host, as pflashd looks for it.
pflash_is_wanted() {
    pflash_name=$(xenstore-read "/local/domain/$1/name" 2>/dev/null)
    pflash_name=${pflash_name%--incoming}
    [ -e "$pflash_config/$pflash_name.conf" ] ||
        [ -e "$pflash_config/default.conf" ]
}

# pflash_start DOMAIN: returns when the flash is attached, or does not return.
# With systemd each pflashd is a unit, pflashd@DOMAIN; its log is the journal.
pflash_start() {
    # By an earlier device's script? One that is about to end, because of a
    # soft reset, does not answer.
    ! pflashctl status "$1" >/dev/null 2>&1 || return 0
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
