# SPDX-License-Identifier: BSD-2-Clause
# A volume group that two hosts share, with the locks of lvmlockd and sanlock. Sourced
# after hosts.sh by scenarios that need: sanlock, and programs: lvm lvmlockd.

lockd_timeout=2 # sanlock's io_timeout, s
export LVM_SUPPRESS_FD_WARNINGS=1

# lv_on_host2 WORDS: lvm there
lv_on_host2() {
    on_host2 ". /lab/lvmlockd.sh; lvm $*"
}

# lockd_start NUMBER: this host has the daemons, with this host id. No udev makes the
# nodes in /dev here, and there is no watchdog.
lockd_start() {
    mkdir -p /etc/lvm /run/lvm /run/lock/lvm /run/sanlock /var/log
    cat >/etc/lvm/lvm.conf <<END
global { use_lvmlockd=1 use_lvmpolld=0 }
local { host_id=$1 }
activation { udev_sync=0 udev_rules=0 verify_udev_operations=1 monitoring=0 }
devices { external_device_info_source="none" use_devicesfile=0 obtain_device_list_from_udev=0 }
END
    sanlock daemon -w 0 -h 0 -l 0 -U root -G root -e "$(hostname)"
    lab_wait 10 test -S /run/sanlock/sanlock.sock || return 1
    lvmlockd --gl-type sanlock --sanlock-timeout $lockd_timeout >/tmp/lvmlockd.log 2>&1 ||
        cat /tmp/lvmlockd.log
    lab_wait 10 test -S /run/lvm/lvmlockd.socket
}
