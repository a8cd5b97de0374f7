# SPDX-License-Identifier: BSD-2-Clause
# about: xl starts pflashd by the script of a network interface: one guest's, or all guests' by xl.conf
# needs: net build/lab/guest.elf build/pflashd build/pflashctl integration/xl/vif-pflash integration/xl/pflash-common.sh
# timeout: 200
. /lab/lib.sh

conf=/etc/xen/pflash
scripts=/etc/xen/scripts
mkdir -p $conf /var/lib/pflash
cp /lab/vif-pflash /lab/pflash-common.sh $scripts/
chmod +x $scripts/vif-pflash
ln -s vif-pflash $scripts/vif-pflash-other
ip link add xenbr0 type bridge || lab_die "no bridge"
ip link set xenbr0 up

# vif_guest NAME TEST VIF: without a disk
vif_guest() {
    lab_create "$1" 'kernel = "/lab/guest.elf"' "extra = \"$2\"" \
        "vif = [ \"$3\" ]" >"/tmp/$1.out" 2>&1
}

# vif_conf NAME
vif_conf() {
    printf 'vars = /var/lib/pflash/%%n.fd\nlayout = 2m\n' >"$conf/$1.conf"
}

no_domain() {
    test "$(xl list | wc -l)" = 2
}

none_runs() {
    ! pidof pflashd
}

# bridged NAME: true if its interface is a port of the bridge
bridged() {
    test -e "/sys/class/net/xenbr0/brif/vif$(lab_domid "$1").0"
}

# --- one guest's ---

vif_conf one
vif_guest one 'test=random seed=5 count=300' 'script=vif-pflash, bridge=xenbr0'
check_equal "a guest is created" 0 $?
check "its flash is attached" sh -c "pflashctl list | grep -q ' one '"
check "its interface is in the bridge" bridged one
xl unpause one
check "the guest runs to its end" lab_finish one 100
check "pflashd ends with it" lab_wait 60 none_runs
check "no domain is left" lab_wait 60 no_domain
check "the file has the guest's bytes" sh -c \
    "pflashctl log --bursts /var/lib/pflash/one.fd | grep -q programmed"

printf 'mode = fast\n' >$conf/bad.conf
vif_guest bad test=hole 'script=vif-pflash, bridge=xenbr0'
check "with a bad line in its file a guest is not created" test $? -ne 0
check "xl names the line" grep -q 'bad.conf:1' /tmp/bad.out
check "no domain of it is left" lab_wait 60 no_domain

# --- another script after it, selected by the name of a link ---

printf '#!/bin/sh\nexec %s/vif-bridge "$@" bridge=xenbr0\n' $scripts \
    >$scripts/vif-other
chmod +x $scripts/vif-other
vif_conf linked
vif_guest linked test=hole 'script=vif-pflash-other'
check_equal "a guest with another script is created" 0 $?
check "its flash is attached, too" sh -c "pflashctl list | grep -q ' linked '"
check "the other script ran" bridged linked
xl destroy linked
check "pflashd leaves with it" lab_wait 60 none_runs

# --- all guests ---

echo 'vif.default.script="vif-pflash"' >>/etc/xen/xl.conf
vif_conf two
vif_guest two test=hole 'bridge=xenbr0'
check_equal "by xl.conf, a guest with a file is created" 0 $?
vif_guest three test=hole 'bridge=xenbr0'
check_equal "by xl.conf, a guest without a file is created" 0 $?
check_equal "only one of the two guests has a flash" 1 "$(lab_supervisors | wc -w)"
check "the first interface's flash is attached" sh -c "pflashctl list | grep -q ' two '"
check "both have an interface" sh -c "ls -d /sys/class/net/xenbr0/brif/vif* |
    awk 'END { exit NR != 2 }'"
xl destroy two
xl destroy three
check "pflashd leaves" lab_wait 60 none_runs
check "no domain is left after them" lab_wait 60 no_domain
lab_done
