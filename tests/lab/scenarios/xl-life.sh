# SPDX-License-Identifier: BSD-2-Clause
# about: xl starts pflashd by the script of a disk: refusals, one guest, two concurrent guests, ten creations in a row
# needs: block build/lab/guest.elf build/pflashd build/pflashctl integration/xl/block-pflash integration/xl/pflash-common.sh
# timeout: 400
. /lab/lib.sh

conf=/etc/xen/pflash
mkdir -p /var/lib/pflash
lab_install_script

life_options=

# life_guest NAME [LINE...]: creates a guest whose disk has the script
life_guest() {
    life_name=$1
    shift
    {
        printf 'name = "%s"\ntype = "pvh"\nmemory = 64\n' "$life_name"
        printf 'cpus = "1"\nkernel = "/lab/guest.elf"\n'
        printf 'on_reboot = "destroy"\non_crash = "destroy"\n'
        lab_disk "/tmp/$life_name.img"
        printf '%s\n' "$@"
    } >"/tmp/$life_name.cfg"
    # shellcheck disable=SC2086
    xl create $life_options "/tmp/$life_name.cfg" >"/tmp/$life_name.out" 2>&1
}

# life_conf NAME: writes its configuration file
life_conf() {
    printf 'vars = /var/lib/pflash/%%n.fd\nlayout = 2m\n' >"$conf/$1.conf"
}

no_domain() {
    test "$(xl list | wc -l)" = 2
}

none_runs() {
    ! pidof pflashd
}

# --- missing or bad configuration ---

life_guest none 'extra = "test=hole"'
check "without a configuration file a guest is not created" test $? -ne 0
check "xl prints the reason" grep -q 'neither none.conf nor default.conf' /tmp/none.out
check "no domain of it is left" lab_wait 60 no_domain

printf 'vars = /var/lib/pflash/bad.fd\nmode = fast\n' >$conf/bad.conf
life_guest bad 'extra = "test=hole"'
check "with a bad line in the file a guest is not created" test $? -ne 0
check "xl names the line" grep -q 'bad.conf:2' /tmp/bad.out
check "no domain of that is left" lab_wait 60 no_domain

# --- one guest ---

life_conf one
life_guest one 'extra = "test=random seed=5 count=300"'
check_equal "a guest with a flash is created" 0 $?
check "the guest runs to its end" lab_finish one 100
check "pflashd ends with it" lab_wait 60 none_runs
check "no domain is left" lab_wait 60 no_domain
check "the file has the guest's bytes" sh -c \
    "pflashctl log --bursts /var/lib/pflash/one.fd | grep -q programmed"

# --- two concurrent guests, and a third with the file of the first ---

life_conf two
life_conf three
printf 'vars = /var/lib/pflash/two.fd\n' >$conf/thief.conf
life_options=-p
life_guest two 'extra = "test=hole"'
life_guest three 'extra = "test=hole"'
check_equal "two guests have two pflashd" 2 "$(lab_supervisors | wc -w)"
check "pflashctl list shows both" sh -c \
    "pflashctl list | grep ' two ' && pflashctl list | grep ' three '"
check "pflashctl status shows the file" sh -c \
    "pflashctl status two | grep -q '^vars: /var/lib/pflash/two.fd$'"
check "status --json shows the file" sh -c \
    "pflashctl status --json two | grep -q '/var/lib/pflash/two.fd'"
check "list --metrics names the guest" sh -c \
    "pflashctl list --metrics | grep -q '^pflash_writes_total{domain=.*,name=\"two\"} 0$'"
check_equal "only root can open the socket" "700 600" \
    "$(stat -c %a /run/pflashd) $(stat -c %a /run/pflashd/"$(lab_domid two)".sock)"
life_start=$(lab_now)
life_guest thief 'extra = "test=hole"'
check "a third guest with the file of another is not created" test $? -ne 0
check "xl names the domain that uses the file" grep -q \
    "two.fd: in use by pid [0-9]* (pflashd --domain $(lab_domid two) " /tmp/thief.out
note "refused after $(lab_since "$life_start") s"
xl destroy two
xl destroy three
check "both pflashd end" lab_wait 60 none_runs
check "no socket is left" sh -c '! ls /run/pflashd/*.sock 2>/dev/null'

# --- destroyed and immediately created again, ten times ---

life_options=
life_conf again
round=0
while [ $round -lt 10 ]; do
    round=$((round + 1))
    life_guest again "extra = \"test=random seed=$round count=2000\"" ||
        break
    lab_expect again 20 '^w .*'
    xl destroy again
done
check_equal "the guest was created ten times" 10 $round
check "no domain is left after them" lab_wait 60 no_domain
check "no pflashd is left" lab_wait 60 none_runs
check "the file is sound" sh -c \
    "pflashctl check /var/lib/pflash/again.fd | grep -q '^journal: 0 bursts'"
check "the file has the writes of all ten guests" sh -c \
    "test \$(pflashctl log --bursts /var/lib/pflash/again.fd | grep -c programmed) -ge 10"
lab_done
