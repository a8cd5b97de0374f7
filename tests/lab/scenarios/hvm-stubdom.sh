# SPDX-License-Identifier: BSD-2-Clause
# about: the flash of an HVM guest whose QEMU runs in a Linux stub domain; pflashd is in dom0
# needs: hvm stubdom block net vmlinux build/lab/guest.rom build/pflashd build/pflashctl
# needs: integration/xl/block-pflash integration/xl/vif-pflash integration/xl/pflash-common.sh
# needs: tests/lab/xl.sh tests/lab/stubdom.sh tests/lab/stubdom-init
# modules: xen-blkfront
# slow: it boots a stub domain for each guest
# timeout: 390
. /lab/lib.sh
. /lab/xl.sh
. /lab/stubdom.sh

lab_require
xl_setup
stub_ramdisk
note "ramdisk $(du -k /tmp/stubdom.cpio | cut -f 1) KiB; free $(free -m | awk 'NR == 2 { print $4, $7 }') MiB"

# state: prints what there is
state() {
    xl list
    xenstore-ls -f /local/domain/0/device-model
    ps -o pid,args | grep -E 'qemu|proxy|pflashd|xl ' | grep -v grep
    for f in /var/log/xen/*.log; do echo "== $f"; tail -n 25 "$f"; done
}

# --- without a disk; pflashd by hand ---
xl_config bare hvm 'test=script' "$(stub_lines)" 'serial = "pty"'
sed -i '/^disk/d' /tmp/bare.cfg
cat /tmp/bare.cfg
start=$(lab_now)
timeout 150 xl create -p /tmp/bare.cfg >/tmp/bare.out 2>&1
note "xl create: $? after $(lab_since $start) s; $(tail -n 2 /tmp/bare.out | tr '\n' '|')"
cat /tmp/bare.out
state
xenstore-ls -f /local/domain/$(lab_domid bare)
xenstore-ls -f /local/domain/$(lab_domid bare-dm)
if [ -n "$(lab_domid bare)" ]; then
    cat "$(xenstore-read /local/domain/$(lab_domid bare-dm)/device/console/3/tty)" >/tmp/bare.serial 2>/dev/null &
    check "bare: attached" lab_flash bare /tmp/bare.fd --layout 2m
    cat /tmp/bare.pflashd
    start=$(lab_now)
    timeout 60 xl unpause bare; note "unpause $? after $(lab_since $start)"
    check "the guest runs to its end" lab_wait 60 lab_gone bare
    note "bare: end after $(lab_since $start) s; status: $(pflashctl status bare | tr '\n' ' ')"
    note "serial: $(wc -l </tmp/bare.serial) lines, $(tail -n 1 /tmp/bare.serial)"
    state
    lab_gone bare || xl destroy bare
    lab_flash_end bare
    lab_export /tmp/bare.serial
fi
state
# --- with the script of its disk ---
xl_config two hvm 'test=middle at=buffer seed=16 control=xenstore' "$(stub_lines)" 'serial = "pty"'
start=$(lab_now)
timeout 150 xl create /tmp/two.cfg >/tmp/two.out 2>&1
note "two: xl create: $? after $(lab_since $start) s; $(tail -n 2 /tmp/two.out | tr '\n' '|')"
cat /tmp/two.out
state
pflashctl list
if [ -n "$(lab_domid two)" ]; then
    sleep 20
    pflashctl status two
    note "save: $(timeout 60 xl save two /tmp/two.save 2>&1 | tail -n 5 | tr '\n' '|')"
    state
    lab_gone two || xl destroy two
fi
note "left: $(xl_left)"
lab_done
