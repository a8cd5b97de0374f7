# SPDX-License-Identifier: BSD-2-Clause
# about: unmodified libvirt: what must not start is refused, with the reason in virsh's own output, and libvirtd survives; hostile names and paths
# needs: libvirt net build/lab/guest.elf build/pflashd build/pflashctl
# needs: build/pflash-libvirt integration/xl/vif-pflash integration/xl/pflash-common.sh
# needs: tests/lab/libvirt.sh
# needs: firmware /usr/share/OVMF/OVMF_VARS.fd
# slow: forty guests
# timeout: 600
. /lab/lib.sh
. /lab/libvirt.sh

lv_setup
libvirtd=$(pidof libvirtd)
kernel=$(lv_test test=hole)

# guest NAME NVRAM [DEVICES [MORE]]: makes /tmp/guest.xml
guest() {
    lv_xml "$1" "$lv_pvh $lv_loader $2 $kernel" "${3-$lv_bridge}" "${4:-}"
}

# tidy TEXT NAME: the guest goes, and nothing is left of it
tidy() {
    virsh undefine "$2" >/dev/null 2>&1
    [ "$libvirtd" = "$(pidof libvirtd)" ] ||
        lab_die "$1: libvirtd has not survived"
    check_equal "$1: nothing is left" "" "$(lv_left)"
}

# refused TEXT NAME SENTENCE: the guest of /tmp/guest.xml does not start, and virsh
# shows the sentence
refused() {
    v define /tmp/guest.xml || note "$1: not defined: $(grep . $LV_OUT)"
    v start "$2"
    check "$1" lv_refused "$3"
    tidy "$1" "$2"
}

# not_defined TEXT SENTENCE: libvirt itself does not take /tmp/guest.xml
not_defined() {
    v define /tmp/guest.xml
    check "$1: not defined" lv_refused "$2"
}

# starts TEXT NAME VARS: the guest of /tmp/guest.xml starts, and has this file
starts() {
    v define /tmp/guest.xml
    v start --paused "$2"
    check_equal "$1: it starts" 0 $lv_status
    check_equal "$1: its flash is the file" "$3" "$(lab_field "$2" vars)"
    v destroy "$2"
    tidy "$1" "$2"
}

# --- what is missing in the XML ---

lv_xml a "$lv_pvh $lv_loader $(lv_nvram $lv_vars/a.fd)" "$lv_bridge"
refused "a PVH guest without a kernel, by which libvirt 9.0 dies" a \
    'a PVH guest starts from <kernel>, and there is none'
check_equal "libvirtd has survived it" "$libvirtd" "$(pidof libvirtd)"

lv_osattr=" firmware='efi'"
lv_xml a "<type arch='x86_64' machine='xenfv'>hvm</type>
    <nvram template='/lab/OVMF_VARS.fd'>$lv_vars/a.fd</nvram>" "$lv_bridge"
not_defined "an HVM guest with firmware='efi' and a template" template
lv_osattr=
lv_xml a "<type arch='x86_64' machine='xenfv'>hvm</type>
    $(lv_nvram $lv_vars/a.fd)" "$lv_bridge"
not_defined "an HVM guest without a loader" loader
lv_xml a "<type arch='x86_64' machine='xenfv'>hvm</type>
    <loader readonly='yes' secure='yes' type='pflash'>/lab/OVMF_XEN.fd</loader>
    $(lv_nvram $lv_vars/a.fd)" "$lv_bridge"
not_defined "secure='yes'" 'Secure boot'

guest a "<nvram template='/lab/OVMF_VARS.fd'/>"
refused "a template without a path" a '<nvram> names a template, but no file'
guest a "<nvram type='network'><source protocol='nbd' name='x'>
    <host name='192.0.2.9'/></source></nvram>"
refused "a file on another host" a 'neither a file nor a block device'

# --- files ---

guest a "<nvram template='/nowhere.fd'>$lv_vars/a.fd</nvram>"
refused "a missing template" a /nowhere.fd
guest a "$(lv_nvram /nowhere/a.fd)"
refused "a missing directory" a /nowhere
guest a "$(lv_nvram a.fd)"
refused "a path that is not absolute" a a.fd
dd if=/dev/urandom of=$lv_vars/random.fd bs=4096 count=32 2>/dev/null
guest a "$(lv_nvram $lv_vars/random.fd)"
refused "a VARS file of random bytes" a random.fd
cp /lab/OVMF_VARS.fd $lv_vars/short.fd
truncate -s 100000 $lv_vars/short.fd
guest a "$(lv_nvram $lv_vars/short.fd)"
refused "a VARS file that is too short" a short.fd
cp /lab/OVMF_VARS.fd $lv_vars/damaged.fd
printf 'xxxxxxxx' | dd of=$lv_vars/damaged.fd bs=1 seek=72 conv=notrunc 2>/dev/null
guest a "$(lv_nvram $lv_vars/damaged.fd)"
refused "a damaged VARS file" a damaged.fd
guest a "$(lv_nvram $lv_vars)"
refused "a directory" a $lv_vars

# --- options ---

printf 'vars = %s/a.fd\nmode = fast\n' $lv_vars >/etc/xen/pflash/a.conf
guest a ''
refused "a bad line in the administrator's file" a a.conf:2
printf 'vars = %s/other.fd\nlayout = 2m\n' $lv_vars >/etc/xen/pflash/a.conf
guest a "$(lv_nvram $lv_vars/a.fd)"
starts "the administrator's file counts" a $lv_vars/other.fd
rm /etc/xen/pflash/a.conf

# options LINE...: for <metadata>
options() {
    echo "<metadata><pflash:flash xmlns:pflash='urn:xen-pflash:libvirt:1'>"
    printf '%s\n' "$@"
    echo '</pflash:flash></metadata>'
}

guest a "$(lv_nvram $lv_vars/a.fd)" "$lv_bridge" "$(options 'mode = fast')"
refused "a bad option in the metadata" a fast
guest a "$(lv_nvram $lv_vars/a.fd)" "$lv_bridge" "$(options 'domain = 0')"
refused "an option of the command line in the metadata" a domain
guest a "$(lv_nvram $lv_vars/a.fd)" "$lv_bridge" \
    "$(options '<vars>/lab/a.fd</vars>')"
refused "an element in the metadata" a 'has an element'

# --- no pflashd; another script ---

mv /lab/pflashd /lab/pflashd.away
guest a "$(lv_nvram $lv_vars/a.fd)"
refused "no pflashd is installed" a pflashd
mv /lab/pflashd.away /lab/pflashd
guest a "$(lv_nvram $lv_vars/a.fd)" "<interface type='bridge'>
    <source bridge='xenbr0'/><script path='vif-bridge'/></interface>"
starts "an interface with another script" a $lv_vars/a.fd

# --- define --validate ---

lv_xml a "$lv_pvh $kernel" "$lv_bridge" "$(options "vars = $lv_vars/valid.fd" \
    'layout = 2m')"
v define --validate /tmp/guest.xml
check_equal "libvirt's schema has nothing against our metadata" 0 $lv_status
v start --paused a
check_equal "with the metadata alone it has a flash" $lv_vars/valid.fd \
    "$(lab_field a vars)"
v destroy a
tidy "metadata" a
guest a "$(lv_nvram $lv_vars/a.fd)"
v define --validate /tmp/guest.xml
note "define --validate with a loader: status $lv_status: $(head -n 1 $LV_OUT)"
virsh undefine a >/dev/null 2>&1

# --- paths ---

# path TEXT XML PATH: the path of the VARS file, written so in the XML
path() {
    guest a "$(lv_nvram "$lv_vars/$2")"
    starts "$1" a "$lv_vars/$3"
    check "$1: the file has that name" test -f "$lv_vars/$3"
}

path "blanks in a path" 'a b  c.fd' 'a b  c.fd'
path "quotes in a path" "d'e&quot;f\\g.fd" "d'e\"f\\g.fd"
path "entities in a path" 'h&amp;i&lt;j&#x6b;.fd' 'h&i<jk.fd'
path "a comment's mark in a path" 'l # m = n.fd' 'l # m = n.fd'
# shellcheck disable=SC2016
path "a command in a path" '$(touch pwned)`touch pwned`;o.fd' \
    '$(touch pwned)`touch pwned`;o.fd'
guest a "$(lv_nvram "$lv_vars/p%n.fd")"
refused "the mark of a name in a path" a 'has %n'
guest a "$(lv_nvram "$lv_vars/q&#10;mode = trap.fd")"
refused "a newline in a path" a 'control character'
guest a "$(lv_nvram "$lv_vars/&other;.fd")"
sed -i '1i <!DOCTYPE domain [<!ENTITY other SYSTEM "file:///etc/passwd">]>' \
    /tmp/guest.xml
v define /tmp/guest.xml
note "an entity of a file: status $lv_status: $(head -n 1 $LV_OUT)"
v start --paused a
check "an entity of a file does not become a path" sh -c \
    "! pflashctl status a 2>/dev/null | grep -q root:"
virsh destroy a >/dev/null 2>&1
tidy "an entity of a file" a

# --- names ---

# named TEXT XML NAME: a guest of this name starts, and has its file
named() {
    guest "$2" "$(lv_nvram $lv_vars/named.fd)"
    starts "$1" "$3" $lv_vars/named.fd
}

named "quotes in a name" "r's&quot;t" "r's\"t"
named "blanks and marks in a name" 'u  = # %n' 'u  = # %n'
named "entities in a name" 'v&amp;w&lt;x' 'v&w<x'
# shellcheck disable=SC2016
named "a command in a name" '$(touch pwned);`touch pwned`' \
    '$(touch pwned);`touch pwned`'
guest --domain=0 "$(lv_nvram $lv_vars/named.fd)"
v define /tmp/guest.xml
v start --paused -- --domain=0
check_equal "a name that looks like an option: its flash is the file" \
    $lv_vars/named.fd "$(lab_field "$(xl domid -- --domain=0)" vars)"
v destroy -- --domain=0
virsh undefine -- --domain=0

# misnamed TEXT XML NAME SENTENCE
misnamed() {
    guest "$2" "$(lv_nvram $lv_vars/named.fd)"
    v define /tmp/guest.xml
    [ $lv_status -ne 0 ] || v start "$3"
    check "$1" lv_refused "$4"
    tidy "$1" "$3"
}

misnamed "a name that leads out of the directory" '../../tmp/y' ../../tmp/y '/'
misnamed "a name of two dots" .. .. ..
misnamed "a name with a newline" 'z&#10;vars = /lab/z.fd' 'z
vars = /lab/z.fd' 'cannot contain'
misnamed "a name of 200 bytes" "$(printf '%0200d' 0)" "$(printf '%0200d' 0)" \
    'it is too long'

# Last, because libvirt 9.0 would die of it, too.
lv_osattr=" firmware='efi'"
lv_xml a "$lv_pvh" "$lv_bridge"
refused "a PVH guest with nothing but firmware='efi', which libvirt drops in silence" \
    a '<kernel>'
lv_osattr=

check_equal "no command in a name or path ran" "" "$(find / -xdev -name pwned)"
check_equal "libvirtd has survived all" "$libvirtd" "$(pidof libvirtd)"
lv_export
lab_done
