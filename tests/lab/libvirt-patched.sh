# SPDX-License-Identifier: BSD-2-Clause
# Guests of a libvirtd with the patches of integration/libvirt. Sourced after libvirt.sh
# and libxl.sh by scenarios that need: libvirt libvirt-patched libxl.

# lvp_setup: starts the patched libvirtd, with the patched libxl
lvp_setup() {
    [ -e /lab/libvirt/libvirt.so.0 ] || lab_skip_all \
        "the patched libvirt is not built: tests/lab/lab build --libvirt"
    libxl_setup
    export LD_LIBRARY_PATH=/lab/libvirt:/lab/libxl
    lv_setup
}

# Replaces libvirt.sh's function: neither hook nor script.
lv_install() {
    :
}

# lvp_left: prints the domains, processes, files and nodes left by guests
lvp_left() {
    lab_wait 30 lvp_nothing
    xl list | tail -n +3
    pidof pflashd xen-qemu-system-i386 libxl-save-helper
    ls /run/pflashd | grep -vE '^(empty|conf)$|\.limit$'
    xenstore-ls -f /local/domain/0/device-model | grep pflash
} 2>/dev/null

lvp_nothing() {
    test "$(xl list | wc -l)" = 2 && ! pidof pflashd
}

# lvp_off NAME: shut off, and its domain and its pflashd are gone
lvp_off() {
    lv_is "$1" 'shut off' && lab_gone "$1" && ! pidof pflashd
}
