# SPDX-License-Identifier: BSD-2-Clause
# about: unmodified libvirt: guests get another name, are undefined and defined again; the flash stays until pflashctl removes it
# needs: libvirt net build/lab/guest.elf build/pflashd build/pflashctl
# needs: build/pflash-libvirt integration/xl/vif-pflash integration/xl/pflash-common.sh
# needs: tests/lab/libvirt.sh
# needs: firmware /usr/share/OVMF/OVMF_VARS.fd
# slow: the short scenario of libvirt's is libvirt-life
# timeout: 400
. /lab/lib.sh
. /lab/libvirt.sh

lv_setup
lv_memory=32

# writes NAME FILE: a new guest writes, and ends
writes() {
    lv_guest "$1" 'test=middle at=rest seed=3' "$lv_bridge" "$2"
    v start "$1"
    lab_expect "$1" 40 '^# waits'
    lab_type "$1" go
    check "$1: it writes, and is off" lab_wait 40 lv_off "$1"
    pflashctl export "$2" /tmp/wanted || lab_die "$2: not exported"
}

# reads TEXT NAME FILE: it starts, and its flash is FILE with what was written
reads() {
    v start --paused "$2"
    check_equal "$1: its flash is the file" "$3" "$(lab_field "$2" vars)"
    v destroy "$2"
    check "$1: it is off" lab_wait 40 lv_off "$2"
    check "$1: what was written is there" sh -c \
        "pflashctl export $3 /tmp/got && cmp /tmp/wanted /tmp/got"
}

# --- another name ---

old=$lv_vars/web.fd new=$lv_vars/shop.fd
writes web $old
v domrename web shop
check "libvirt's driver for Xen cannot rename" lv_refused 'not supported'
virsh dumpxml web | sed 's|<name>web<|<name>shop<|' >/tmp/shop.xml
v undefine web
v define /tmp/shop.xml
check_equal "defined with another name, and the same UUID" 0 $lv_status
reads "another name" shop $old

# --- and another file ---

check "pflashctl moves the flash" pflashctl move $old $new
v start shop
check "at the old place there is none; virsh says where it is" lv_refused $new
virsh dumpxml shop | sed "s|$old|$new|" >/tmp/shop.xml
v define /tmp/shop.xml
reads "another file" shop $new

# --- undefine ---

v undefine --nvram shop
check "libvirt removes no file of a Xen guest" lv_refused 'unsupported flags'
check "the guest is still defined" lv_is shop 'shut off'
v undefine --keep-nvram shop
note "undefine --keep-nvram: status $lv_status: $(head -n 1 $LV_OUT)"
[ $lv_status -eq 0 ] || v undefine shop
check_equal "undefined" 0 $lv_status
v define /tmp/shop.xml
reads "defined again" shop $new

v start shop
lab_expect shop 40 '^# waits'
check "pflashctl removes no flash that is in use" sh -c "! pflashctl remove $new"
v destroy shop
lab_wait 40 lv_off shop
rm $new
v start shop
check "a VARS file that is lost is not made anew" lv_refused $new
pflashctl remove $new
check_equal "pflashctl removes the rest" "" "$(ls $lv_vars | grep shop)"
v start --paused shop
check_equal "then a new guest gets a new file" $new "$(lab_field shop vars)"
v destroy shop
lab_wait 40 lv_off shop

# --- with a saved state ---

lv_guest saved 'test=middle at=buffer seed=4 control=xenstore'
v start saved
lab_expect saved 40 '^# waits'
v managedsave saved
check "its flash has a saved state" lab_wait 30 test -e $lv_vars/saved.fd.state
v undefine saved
check "libvirt keeps a saved guest" lv_refused managed
v undefine --managed-save saved
check_equal "undefined with what was saved" 0 $lv_status
v define /tmp/guest.xml
lab_mark saved
v start saved
check "a new guest with that file starts" lab_expect saved 40 '^# waits'
v destroy saved
lab_wait 40 lv_off saved
v undefine saved
check "pflashctl removes the flash" pflashctl remove $lv_vars/saved.fd
check_equal "no file of it is left" "" "$(ls -a $lv_vars | grep saved)"
check "no record either" sh -c "! grep -qs saved.fd /var/lib/pflashd/known/*"
check_equal "nothing is left" "" "$(lv_left)"
lv_export
lab_done
