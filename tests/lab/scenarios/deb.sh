# SPDX-License-Identifier: BSD-2-Clause
# about: a dom0 with the Debian packages, installed by dpkg: xl creates a guest with README's three lines, and it keeps a variable; the same with 4 MiB
# needs: block systemd dpkg packages tests/lab/deb.sh tests/lab/uefi.sh
# timeout: 2400
# slow: it needs the packages of make deb, and boots UEFI firmware three times
. /lab/lib.sh
. /lab/deb.sh
. /lab/uefi.sh

# setvar takes =0x... as a number: 64 bits, the lowest byte first.
number=0x1122334455
shown='55 44 33 22 11 00 00 00'
vars=/var/lib/xen/pflash/guest.fd

deb_host
check "dpkg installs the packages" deb_run -i $deb_packages/xen-pflash.deb \
    $deb_packages/ovmf-xen-pflash.deb
check_equal "the package is configured" ii "$(deb_status)"
check_equal "the packages' VARS directory" 700 "$(stat -c %a /var/lib/xen/pflash)"
check_equal "the packages' records" 700 "$(stat -c %a /var/lib/pflashd/known)"
check_equal "pflashctl list, without a guest" 1 "$(pflashctl list | wc -l)"
check "pflashctl finds both images fit for PVH guests" sh -c '
    for image in OVMF_XEN OVMF_XEN_4M; do
        pflashctl check --code /usr/lib/xen-pflash/$image.fd || exit
    done >/tmp/check.out && ! grep no-pvh /tmp/check.out'
sed 's/^/| /' /tmp/check.out | while read -r line; do note "$line"; done

# deb_guest NAME LAYOUT IMAGE: the files of README.md
deb_guest() {
    cat >"/etc/xen/pflash/$1.conf" <<EOF
vars = /var/lib/xen/pflash/$1.fd
layout = $2
EOF
    truncate -s 1M "/tmp/$1.img"
    cat >"/tmp/$1.cfg" <<EOF
name = "$1"
memory = 256
cpus = "1"
on_reboot = "destroy"
type = "pvh"
kernel = "/usr/lib/xen-pflash/$3"
disk = [ "vdev=xvda, access=rw, script=block-pflash, target=/tmp/$1.img" ]
EOF
}

# deb_create NAME: xl starts pflashd, as the unit of the package
deb_create() {
    lab_step "xl create; the packages' script starts pflashd"
    xl create -p "/tmp/$1.cfg" >"/tmp/$1.said" 2>&1 ||
        lab_die "no guest: $(tail -n 3 "/tmp/$1.said")"
    id=$(lab_domid "$1")
    check_equal "the unit is active" active "$(systemctl is-active "pflashd@$id.service")"
    pid=$(systemctl show -P MainPID "pflashd@$id.service")
    check "it runs the packages' program" sh -c \
        "tr '\0' ' ' </proc/$pid/cmdline | grep -q '^/usr/sbin/pflashd '"
    check_equal "the sandbox is full" full "$(lab_field "$1" sandbox)"
    uefi_shell "$1"
}

none_runs() {
    ! pidof pflashd >/dev/null
}

# --- 2 MiB: a variable outlives its guest ---

deb_guest guest 2m OVMF_XEN.fd
deb_create guest
uefi_command guest "setvar LabVar -guid $UEFI_GUID -bs -nv =$number"
lab_export "$(lab_log guest)" first.console
xl destroy guest
check "pflashd ends with the guest" lab_wait 60 none_runs

deb_create guest
uefi_command guest "setvar LabVar -guid $UEFI_GUID"
check "the next guest reads the variable" grep -q "$shown" /tmp/guest.out
xl destroy guest
check "pflashd ends with it, too" lab_wait 60 none_runs
check "the VARS file is sound" pflashctl check $vars
check_equal "its mode" 600 "$(stat -c %a $vars)"

# --- 4 MiB ---

deb_guest big 4m OVMF_XEN_4M.fd
deb_create big
uefi_command big "setvar LabVar -guid $UEFI_GUID -bs -nv =$number"
check "4 MiB: setvar says nothing" test "$(grep -c . /tmp/big.out)" = 2
lab_export "$(lab_log big)" big.console
xl destroy big
check "4 MiB: pflashd ends with the guest" lab_wait 60 none_runs
big=/var/lib/xen/pflash/big.fd
check "4 MiB: the VARS file is sound" pflashctl check \
    --code /usr/lib/xen-pflash/OVMF_XEN_4M.fd $big
check_equal "4 MiB: the size of its flash" $((0x84000)) \
    "$(pflashctl export $big /tmp/big.image && wc -c </tmp/big.image)"
check "4 MiB: the file has the variable" sh -c \
    "xxd -p /tmp/big.image | tr -d '\n' | grep -q 5544332211000000"
lab_done
