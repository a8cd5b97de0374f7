# SPDX-License-Identifier: BSD-2-Clause
# about: a new guest that a tenant names victim--incoming, xl's name for a guest that arrives, does not get victim's flash
# needs: block build/lab/guest.elf build/pflashd build/pflashctl
# needs: integration/xl/block-pflash integration/xl/pflash-common.sh tests/lab/xl.sh
# timeout: 300
. /lab/lib.sh
. /lab/xl.sh

conf=/etc/xen/pflash
tenant=victim--incoming

# state: the victim's files
state() {
    sha256sum $xl_dir/victim.fd* && ls -l $xl_dir
}

# refused TEXT: the tenant's guest is not created, and nothing has changed
refused() {
    state >/tmp/before
    xl_config $tenant pvh test=hole
    xl_create $tenant
    check "$1: a fresh guest named $tenant is not created" test $? -ne 0
    check "$1: xl says why" grep -q 'incoming' /tmp/$tenant.out
    check "$1: xl prints pflashd's message" grep -q 'pflashd: ' /tmp/$tenant.out
    note "$1: $(grep 'pflashd: ' /tmp/$tenant.out | head -n 1)"
    check "$1: its domain is gone" lab_wait 30 lab_gone $tenant
    state >/tmp/after
    check "$1: the victim's files are as they were" cmp /tmp/before /tmp/after
}

# apart TEXT: one configuration serves all guests; the tenant's guest has a flash
# of its own, by its literal name
apart() {
    xl_config $tenant pvh test=hole
    xl create -p /tmp/$tenant.cfg
    check_equal "$1: a fresh guest named $tenant is created" 0 $?
    check_equal "$1: the tenant's guest has a flash of its own" "$xl_dir/$tenant.fd" \
        "$(lab_field "$(lab_domid $tenant)" vars)"
    xl destroy $tenant
    check "$1: its domain is gone" lab_wait 30 lab_gone $tenant
    lab_wait 30 test -z "$(pidof pflashd | grep ' ')"
    rm -f $xl_dir/$tenant.fd*
    pflashctl forget $xl_dir/$tenant.fd >/dev/null
}

# victim SEED: a guest that waits
victim() {
    xl_config victim pvh "test=middle at=rest seed=$1 control=xenstore"
    xl_create victim || lab_die "not created: $(cat /tmp/victim.out)"
    xl_waits victim 60 || lab_die "it does not come there"
    sleep 3 # until its last write is committed
}

xl_setup
victim 3
apart "the victim runs"
check "the victim has its flash" lab_state victim running
xl_completes "the victim" victim 3

apart "the victim is off"
check_equal "nothing of the tenant's is left" "" "$(xl_left)"
mv $conf/default.conf $conf/victim.conf
refused "the victim is off, a file of its own"
check_equal "nothing of the tenant's is left" "" "$(xl_left)"

# A save: the guest that continues is the saved one.
victim 4
xl save victim /tmp/victim.save >/tmp/victim.out 2>&1
check_equal "the victim is saved" 0 $?
check_equal "nothing of it is left" "" "$(xl_left)"
refused "the victim is saved"
xl restore /tmp/victim.save >/tmp/victim.out 2>&1
check_equal "the victim is restored after that" 0 $?
check "the saved guest continues" lab_expect victim 20 '^# goes on'
lab_mark victim
xl_completes "restored" victim 4
lab_done
