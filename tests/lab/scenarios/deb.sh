# SPDX-License-Identifier: BSD-2-Clause
# about: a dom0 with the files of the Debian packages only: xl creates a guest with README's three lines, and it keeps a variable
# needs: block systemd build/lab/deb tests/lab/uefi.sh
# timeout: 1500
# slow: it needs the packages of make deb, and boots UEFI firmware twice
. /lab/lib.sh
. /lab/uefi.sh

# setvar takes =0x... as a number: 64 bits, the lowest byte first.
number=0x1122334455
shown='55 44 33 22 11 00 00 00'
vars=/var/lib/xen/pflash/guest.fd

# --- the files of the packages; what is empty in them is in `directories` ---

cd /lab/deb || lab_die "no files of packages"
while read -r mode path; do
    mkdir -p "/$path" && chmod "$mode" "/$path"
done <directories
find . ! -type d ! -name directories | while read -r path; do
    mkdir -p "/${path%/*}" && cp -a "$path" "/$path"
done
cd /
export PATH="/usr/sbin:/usr/bin:$PATH"
systemctl daemon-reload || lab_die "systemd does not answer"

check "no program of the build directory is there" sh -c \
    'test ! -e /lab/pflashd && test ! -e /lab/pflashctl'
check_equal "the packages' VARS directory" 700 "$(stat -c %a /var/lib/xen/pflash)"
check_equal "the packages' records" 700 "$(stat -c %a /var/lib/pflashd/known)"
check_equal "pflashctl list, without a guest" 1 "$(pflashctl list | wc -l)"

# --- the files of README.md ---

cat >/etc/xen/pflash/guest.conf <<EOF
vars = $vars
layout = 2m
code = /usr/lib/xen-pflash/OVMF_XEN.fd
EOF
truncate -s 1M /tmp/guest.img
cat >/tmp/guest.cfg <<'EOF'
name = "guest"
memory = 256
cpus = "1"
on_reboot = "destroy"
type = "pvh"
kernel = "/usr/lib/xen-pflash/OVMF_XEN.fd"
disk = [ "vdev=xvda, access=rw, script=block-pflash, target=/tmp/guest.img" ]
EOF

# deb_create: xl starts pflashd, as the unit of the package
deb_create() {
    lab_step "xl create; the packages' script starts pflashd"
    xl create -p /tmp/guest.cfg >/tmp/guest.said 2>&1 ||
        lab_die "no guest: $(tail -n 3 /tmp/guest.said)"
    id=$(lab_domid guest)
    check_equal "the unit is active" active "$(systemctl is-active "pflashd@$id.service")"
    pid=$(systemctl show -P MainPID "pflashd@$id.service")
    check "it runs the packages' program" sh -c \
        "tr '\0' ' ' </proc/$pid/cmdline | grep -q '^/usr/sbin/pflashd '"
    check_equal "the sandbox is full" full "$(lab_field guest sandbox)"
    uefi_shell guest
}

none_runs() {
    ! pidof pflashd >/dev/null
}

deb_create
uefi_command guest "setvar LabVar -guid $UEFI_GUID -bs -nv =$number"

# --- the maintainer scripts, with the guest that runs ---

worker=$(lab_field guest worker)
lab_step "postinst, as after an upgrade"
# The place of the host's rules: busybox has not the install(1) of dh_apparmor.
mkdir -p /etc/apparmor.d/local && : >/etc/apparmor.d/local/pflashd
sh /lab/deb/DEBIAN/postinst configure 0.0.9 >/tmp/postinst.out 2>&1
check_equal "postinst after an upgrade" 0 $?
sed 's/^/| /' /tmp/postinst.out | while read -r line; do note "$line"; done
check "the flash is handed over to another worker" lab_replaced guest "$worker"
check_equal "the process is the same" "$pid" "$(lab_field guest pid)"
sh /lab/deb/DEBIAN/prerm remove >/tmp/prerm.out 2>&1
check_equal "prerm before a removal" 0 $?
check "it names the guest" grep -q "^  $id guest\$" /tmp/prerm.out
check_equal "the flash is still served" running "$(lab_field guest state)"
uefi_command guest "setvar LabVar -guid $UEFI_GUID"
check "the guest goes on, and has the variable" grep -q "$shown" /tmp/guest.out

lab_export "$(lab_log guest)" first.console
xl destroy guest
check "pflashd ends with the guest" lab_wait 60 none_runs

# --- the next life ---

deb_create
uefi_command guest "setvar LabVar -guid $UEFI_GUID"
check "the next guest reads the variable" grep -q "$shown" /tmp/guest.out
xl destroy guest
check "pflashd ends with it, too" lab_wait 60 none_runs
check "the VARS file is sound" pflashctl check $vars
check_equal "its mode" 600 "$(stat -c %a $vars)"
lab_done
