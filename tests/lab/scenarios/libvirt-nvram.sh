# SPDX-License-Identifier: BSD-2-Clause
# about: a patched libvirt gives guests their flash by <nvram>, without a hook or a script: their life, undefine, refusals, conversions
# needs: libvirt libvirt-patched libxl net hvm build/lab/guest.elf build/lab/guest.rom
# needs: build/pflashd build/pflashctl
# needs: tests/lab/xl.sh tests/lab/libxl.sh tests/lab/libvirt.sh tests/lab/libvirt-patched.sh
# needs: firmware /usr/share/OVMF/OVMF_VARS.fd
# slow: needs the patched xl and libvirt, which take minutes to build
# timeout: 600
. /lab/lib.sh
. /lab/xl.sh
. /lab/libxl.sh
. /lab/libvirt.sh
. /lab/libvirt-patched.sh
lvp_setup
saved=/var/lib/libvirt/libxl/save/by-hand
lv_memory=32 # a saved guest is in dom0's memory

nvram_dir=/var/lib/libvirt/libxl/nvram
template="<nvram template='/lab/OVMF_VARS.fd'/>"
rom="<loader readonly='yes' type='rom'>/lab/guest.elf</loader>"

# defines NAME OS: defines a guest without devices; the schema is checked
defines() {
    lv_xml "$1" "$2" ''
    v define --validate /tmp/guest.xml
}

# refuses TEXT NAME OS MESSAGE: not defined
refuses() {
    lv_xml "$2" "$3" ''
    v define /tmp/guest.xml
    check "$1: not defined; virsh prints the reason" lv_refused "$4"
}

# --- the life of a PVH guest ---

defines web "$lv_pvh $lv_loader $template
    $(lv_test 'test=middle at=buffer seed=3 control=xenstore')"
check_equal "defined, as the schema allows" 0 "$lv_status"
v dumpxml web
check "the flash has a default path" lv_said ">$nvram_dir/web_VARS.fd</nvram>"
check "no file before the start" test ! -e $nvram_dir/web_VARS.fd
v start web
check_equal "it starts" 0 "$lv_status"
check "it waits in a command of the chip" lab_expect web 60 '^# waits'
check "pflashd has the firmware's path" sh -c "tr '\\0' ' ' \
    </proc/$(lab_supervisors)/cmdline | grep -qF -e '--code /lab/OVMF_XEN.fd '"
lab_mark web
lab_type web go
check "it completes the command" lab_expect web 60 '^# middle ok'
check "it is off" lab_wait 60 lvp_off web
check_equal "nothing is left" "" "$(lvp_left)"

check "the file is sound" pflashctl export $nvram_dir/web_VARS.fd /tmp/web.image
v start --paused web
check "started again, paused: the flash is there" lab_state web running
v destroy web
check "destroyed: it is off" lab_wait 60 lvp_off web
v undefine web --keep-nvram
defines web "$lv_pvh $lv_loader $template
    $(lv_test 'test=become') <initrd>/tmp/web.image</initrd>"
v start web
check "defined and started again: what it wrote is there" lab_expect web 60 \
    '^# become: 0 blocks erased, 0 bytes programmed, 0 bytes differ'
v destroy web
check "destroyed: it is off" lab_wait 60 lvp_off web

# --- undefine ---

v undefine web
check "undefine without a flag: refused" lv_refused \
    "cannot undefine domain with nvram"
check "the file is there" test -e $nvram_dir/web_VARS.fd
v undefine web --keep-nvram
check_equal "undefine --keep-nvram" 0 "$lv_status"
check "the file is kept" test -e $nvram_dir/web_VARS.fd
defines web "$lv_pvh $lv_loader $template
    $(lv_test 'test=steady seed=5 control=xenstore')"
v undefine web --nvram
check_equal "undefine --nvram" 0 "$lv_status"
check_equal "no file is left" "" "$(ls -A $nvram_dir)"
defines web "$lv_pvh $lv_loader $template
    $(lv_test 'test=steady seed=5 control=xenstore')"
v start web
check "defined again: it has a new flash" lab_expect web 60 '^# round'
v undefine web --nvram
check "undefine --nvram while it runs: refused" lv_refused "in use by pid"

# --- a file in use; reboot, save and restore ---

defines thief "$lv_pvh $lv_loader <nvram>$nvram_dir/web_VARS.fd</nvram>
    $(lv_test test=hole)"
v start thief
check "a second guest with the file: refused" lv_refused \
    "failed to create new domain"
check "the log names the holder" grep -q "web_VARS.fd: in use by pid" \
    /var/log/libvirt/libxl/libxl-driver.log
check "nothing is left of it" lv_is thief 'shut off'
v undefine thief --keep-nvram
id=$(lab_domid web)
v reboot web
check "virsh reboot: libvirt has made it anew" lab_wait 60 lv_anew web "$id"
lab_mark web
check "virsh reboot: it writes" lab_expect web 60 '^# round'
v save web $saved
check_equal "virsh save" 0 "$lv_status"
check "saved: it is off" lab_wait 60 lvp_off web
v restore $saved
check_equal "virsh restore" 0 "$lv_status"
rm -f $saved
lab_mark web
check "restored: it writes" lab_expect web 60 '^# round'
v shutdown web
check "virsh shutdown: it is off" lab_wait 60 lvp_off web
check "it has found no error" sh -c "! grep -q '^# failed' '$(lab_log web)'"
v undefine web --nvram
check_equal "nothing is left" "" "$(lvp_left)"

# --- refusals ---

refuses "a PVH guest without a kernel" none "$lv_pvh" \
    "PVH domains require a kernel, a bootloader or a loader"
refuses "a PV guest" pv "<type arch='x86_64' machine='xenpv'>linux</type>
    $(lv_test test=hole) $lv_loader $template" \
    "NVRAM is supported for HVM and PVH domains only"
refuses "a loader of type rom" rom "$lv_pvh $rom $template" \
    "Only pflash loader type permits NVRAM"
refuses "a flash on a network" net "$lv_pvh $lv_loader <nvram type='network'>
    <source protocol='nbd' name='x'><host name='h' port='1'/></source></nvram>" \
    "NVRAM of type 'network' is not supported"
defines lost "$lv_pvh $lv_loader <nvram template='/nowhere.fd'/>"
v start lost
check "no template: not started; virsh prints the reason" lv_refused \
    "NVRAM template '/nowhere.fd' does not exist"
v undefine lost
defines lost "$lv_pvh $lv_loader <nvram>/nowhere.fd</nvram>"
v start lost
check "neither file nor template: virsh prints the reason" lv_refused \
    "NVRAM '/nowhere.fd' does not exist and has no template"
v undefine lost
v version
check_equal "libvirtd answers" 0 "$lv_status"

# --- a loader without a kernel ---

defines bare "$lv_pvh $rom <cmdline>test=hole</cmdline>"
check_equal "a loader without a kernel: defined" 0 "$lv_status"
v start bare
check "it is booted; there is no flash" lab_finish bare 60
v undefine bare

# --- capabilities and conversions ---

v domcapabilities --machine xenpvh
check "domcapabilities: a loader may be pflash" lv_said '<value>pflash</value>'

lv_xml native "$lv_pvh $lv_loader $template" ''
v domxml-to-native xen-xl --xml /tmp/guest.xml
cp "$LV_OUT" /tmp/native.cfg
check "domxml-to-native: nvram" grep -qxF "nvram = \"vars=$nvram_dir/native_VARS.fd,template=/lab/OVMF_VARS.fd,code=/lab/OVMF_XEN.fd\"" \
    /tmp/native.cfg
check "domxml-to-native: the loader is the kernel" grep -qxF \
    'kernel = "/lab/OVMF_XEN.fd"' /tmp/native.cfg
sed -i 's,^kernel.*,kernel = "/lab/guest.elf"\nextra = "test=middle at=rest seed=1",' \
    /tmp/native.cfg
xl create /tmp/native.cfg
check "xl creates such a guest, with its flash" lab_expect native 60 '^# waits'
xl destroy native
v domxml-from-native xen-xl /tmp/native.cfg
check "domxml-from-native: loader" lv_said "type='pflash'>/lab/OVMF_XEN.fd</loader>"
check "domxml-from-native: nvram" lv_said \
    "<nvram template='/lab/OVMF_VARS.fd'>$nvram_dir/native_VARS.fd</nvram>"
check_equal "nothing is left" "" "$(lvp_left)"

# --- an HVM guest ---

# Of an HVM guest's loader libvirt 9.0 passes on that it is UEFI.
xl_rom hvm 'test=middle at=rest seed=7'
mkdir -p /usr/share/ovmf
cp /tmp/hvm.rom /usr/share/ovmf/OVMF.fd
lv_xml hvm "<type arch='x86_64' machine='xenfv'>hvm</type>
    <loader readonly='yes' type='pflash'>/usr/share/ovmf/OVMF.fd</loader> $template" \
    "<emulator>/usr/libexec/xen-qemu-system-i386</emulator>"
v define --validate /tmp/guest.xml
v start hvm
check_equal "an HVM guest starts" 0 "$lv_status"
check "it waits in array mode" lab_expect hvm 120 '^# waits'
lab_mark hvm
lab_type hvm go
check "it finds the chip unchanged" lab_expect hvm 60 '^# middle ok'
check "it is off" lab_wait 60 lvp_off hvm
v undefine hvm --nvram
check_equal "nothing is left" "" "$(lvp_left)"
lv_export
lab_done
