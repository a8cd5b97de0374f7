# SPDX-License-Identifier: BSD-2-Clause
# about: under systemd each flash that xl starts is a unit; its log is in the journal
# needs: block systemd build/lab/guest.elf build/pflashd build/pflashctl integration/xl/block-pflash integration/xl/pflash-common.sh integration/systemd/pflashd@.service
# timeout: 300
. /lab/lib.sh

conf=/etc/xen/pflash
mkdir -p $conf /var/lib/pflash
cp /lab/block-pflash /lab/pflash-common.sh /etc/xen/scripts/
chmod +x /etc/xen/scripts/block-pflash
sed 's|@SBINDIR@|/lab|' /lab/pflashd@.service \
    >/etc/systemd/system/pflashd@.service
systemctl daemon-reload || lab_die "systemd does not answer"
note "$(systemctl --version | head -n 1)"

# unit_guest NAME TEST: paused, with a disk that has the script
unit_guest() {
    truncate -s 1M "/tmp/$1.img"
    lab_create "$1" 'kernel = "/lab/guest.elf"' "extra = \"$2\"" \
        "disk = [ \"vdev=xvda, access=rw, script=block-pflash, \
target=/tmp/$1.img\" ]" >"/tmp/$1.out" 2>&1
}

# unit_conf NAME VARS
unit_conf() {
    printf 'vars = %s\nlayout = 2m\n' "$2" >"$conf/$1.conf"
}

# unit_is STATE NAME: of the unit of the domain with this number
unit_is() {
    test "$(systemctl is-active "pflashd@$2.service")" = "$1"
}

journal() {
    journalctl -q -o cat -u "pflashd@$1.service"
}

# --- a life ---

unit_conf one /var/lib/pflash/one.fd
unit_guest one 'test=random seed=5 count=300'
check_equal "a guest with a flash is created" 0 $?
id=$(lab_domid one)
check "its unit is active" unit_is active "$id"
check_equal "and what it runs is the flash's process" \
    "$(systemctl show -P MainPID "pflashd@$id.service")" \
    "$(pflashctl status "$id" | sed -n 's/^pid: //p')"
check "the journal names guest and file" sh -c \
    "journalctl -q -o cat -u pflashd@$id | grep one | grep -q /var/lib/pflash/one.fd"
xl unpause one
check "it runs to its end" lab_finish one 100
check "the unit ends with it" lab_wait 60 unit_is inactive "$id"
check "in peace" sh -c "! systemctl --failed --no-legend | grep pflashd"
check "what it answered is in the journal" sh -c \
    "journalctl -q -o cat -u pflashd@$id | grep -q 'answered .* writes'"

# --- refused ---

printf 'vars = /var/lib/pflash/bad.fd\nmode = fast\n' >$conf/bad.conf
unit_guest bad test=hole
check "with a bad line in its file a guest is not created" test $? -ne 0
check "xl says which line" grep -q 'bad.conf:2' /tmp/bad.out
unit_conf two /var/lib/pflash/two.fd
unit_conf thief /var/lib/pflash/two.fd
unit_guest two test=hole
check_equal "another guest is created" 0 $?
unit_guest thief test=hole
check "one with the file of another is not" test $? -ne 0
check "xl names the domain that has it" grep -q \
    "two.fd: in use by pid [0-9]* (.*--domain $(lab_domid two) " /tmp/thief.out
check "no failed unit is left" sh -c \
    "! systemctl list-units --all --no-legend | grep 'pflashd.*failed'"

# --- stopped by hand, and killed ---

id=$(lab_domid two)
check "systemctl stop detaches the flash" systemctl stop "pflashd@$id"
check "the journal says so" sh -c \
    "journalctl -q -o cat -u pflashd@$id | grep -q detaching"
xl destroy two
unit_conf three /var/lib/pflash/three.fd
unit_guest three test=hole
id=$(lab_domid three)
kill -KILL "$(systemctl show -P MainPID "pflashd@$id.service")"
check "a kill ends the process, not the flash: another takes it over" \
    lab_wait 60 sh -c "pflashctl status $id | grep -q '^takeovers: 1$'"
check "in the same unit" unit_is active "$id"
check "the journal has it" sh -c "journalctl -q -u pflashd@$id | grep -q KILL"
xl destroy three
unit_guest three test=hole
check_equal "its guest's next life has a flash" 0 $?
check "in a unit of its own" unit_is active "$(lab_domid three)"
xl destroy three
check "no domain is left" lab_wait 60 sh -c 'test "$(xl list | wc -l)" = 2'
lab_done
