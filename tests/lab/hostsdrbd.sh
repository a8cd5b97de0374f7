# SPDX-License-Identifier: BSD-2-Clause
# A DRBD resource of two hosts with the disk of a guest, /dev/drbd0, and its flash, a
# complete device, /dev/drbd1. Sourced after hosts.sh by the
# scenario hosts-drbd, which needs: drbd.

drbd_flash=/dev/drbd1

# drbd_config: writes /etc/drbd.conf, the same on both hosts. A peer that is silent for
# five seconds is gone.
drbd_config() {
    mkdir -p /var/lib/drbd /var/run/drbd
    cat >/etc/drbd.conf <<'END'
global { usage-count no; }
resource guest {
    net {
        protocol C;
        timeout 50;
        ping-int 3;
        ping-timeout 20;
        connect-int 3;
    }
    volume 0 {
        device /dev/drbd0;
        disk /dev/loop6;
        meta-disk internal;
    }
    volume 1 {
        device /dev/drbd1;
        disk /dev/loop7;
        meta-disk internal;
    }
    on host1 { address 10.0.0.1:7789; }
    on host2 { address 10.0.0.2:7789; }
}
END
}

# drbd_script: makes the scripts of a disk on this resource. In DRBD 8.4 each volume has
# a role; block-drbd changes that of the disk only.
drbd_script() {
    cat >/etc/xen/scripts/block-resource <<'END'
#!/bin/sh
[ "$1" != add ] || drbdadm primary guest || exit 1
"${0%/*}/block-drbd" "$@" || exit 1
[ "$1" != remove ] || drbdadm secondary guest || exit 0
END
    chmod +x /etc/xen/scripts/block-resource
    ln -s block-pflash /etc/xen/scripts/block-resource-pflash
    printf 'vars = /dev/drbd1\n' >/etc/xen/pflash/default.conf
}

# drbd_up: this host joins the resource, with new backing devices
drbd_up() {
    # The kernel would start drbdadm at events; there are no handlers.
    echo disabled >/sys/module/drbd/parameters/usermode_helper
    drbd_config
    truncate -s 4M /tmp/disk.backing
    truncate -s 24M /tmp/flash.backing
    losetup /dev/loop6 /tmp/disk.backing && losetup /dev/loop7 /tmp/flash.backing &&
        drbdadm create-md --force guest && drbdadm up guest
}

# drbd_is FIELD VALUE: FIELD is role, cstate or dstate; both volumes have the value
drbd_is() {
    test "$(drbdadm "$1" guest 2>/dev/null | sort -u)" = "$2"
}

# drbd_start: both hosts have the resource; its volumes are equal without a copy
drbd_start() {
    drbd_up || lab_die "host1 has no DRBD"
    on_host2 '. /lab/hostsdrbd.sh; drbd_up' || lab_die "host2 has no DRBD: $hosts_said"
    lab_wait 60 drbd_is cstate Connected || lab_die "DRBD does not connect"
    drbdadm -- --clear-bitmap new-current-uuid guest/0
    drbdadm -- --clear-bitmap new-current-uuid guest/1
    drbdadm primary guest || lab_die "host1 cannot be primary"
    lab_wait 60 drbd_is dstate UpToDate/UpToDate || lab_die "the volumes differ"
}

# drbd_two yes|no: allows both hosts to be primary; the other host follows
drbd_two() {
    drbdadm net-options --allow-two-primaries="$1" guest
}

# drbd_to_host1, drbd_to_host2: that host becomes the only primary
drbd_to_host1() {
    on_host2 'drbdadm secondary guest' && drbdadm primary guest
}

drbd_to_host2() {
    drbdadm secondary guest && on_host2 'drbdadm primary guest'
}

# drbd_get: the value of a variable in the flash
drbd_get() {
    pflashctl vars get --format hex $drbd_flash EfiGlobalVariable:Foo
}
