# SPDX-License-Identifier: BSD-2-Clause
# about: a change of a variable waits for the next start of a PVH guest, is applied once, and can be undone
# needs: build/lab/guest.elf build/pflashd build/pflashctl
# timeout: 400
. /lab/lib.sh

vars=/tmp/vars.fd

# points: the number of points in the history behind its beginning
points() {
    pflashctl log --bursts $vars | sed -n 's/^\([0-9][0-9]*\)  .*/\1/p' | tail -n +2 | wc -l
}

value() {
    pflashctl vars get --format hex $vars EfiGlobalVariable:Lab 2>/dev/null
}

lab_guest one test=hole || lab_die "no guest"
lab_flash one $vars --layout 2m --mode direct || lab_die "pflashd did not attach"
check "a change is queued while the guest runs" \
    pflashctl vars set --next-start --hex 112233 $vars EfiGlobalVariable:Lab
check_equal "the guest's flash does not have it" "" "$(value)"
check "status shows it" sh -c "pflashctl status one | grep -q '^queued: 1\$'"
check "vars pending names the command" sh -c \
    "pflashctl vars pending one | grep -q 'vars set --next-start --hex 112233'"
check_equal "metrics count it" 1 \
    "$(pflashctl metrics | sed -n 's/^pflash_queued_changes{.*} //p')"

before=$(points)
xl destroy one
check "pflashd leaves with the guest" lab_flash_end one
check "the queue waits" test -e $vars.next
check_equal "the history is as before" "$before" "$(points)"

lab_guest two test=hole || lab_die "no guest"
lab_flash two $vars --read-only || lab_die "pflashd did not attach"
check "--read-only applies nothing" test -e $vars.next
xl destroy two
check "two: pflashd leaves with the guest" lab_flash_end two

lab_guest three test=hole || lab_die "no guest"
lab_flash three $vars || lab_die "pflashd did not attach"
check "pflashd logs the change" grep -q \
    'applied at start: vars set --next-start --hex 112233' /tmp/three.pflashd
check "the queue is gone" test ! -e $vars.next
check "status shows none" sh -c "pflashctl status three | grep -q '^queued: 0\$'"
xl destroy three
check "three: pflashd leaves with the guest" lab_flash_end three
check_equal "the next guest has the variable" 112233 "$(value)"
check_equal "it is one point of the history" $((before + 1)) "$(points)"

lab_guest four test=hole || lab_die "no guest"
lab_flash four $vars || lab_die "pflashd did not attach"
check "it is applied once" sh -c "! grep -q 'at start' /tmp/four.pflashd"
xl destroy four
check "four: pflashd leaves with the guest" lab_flash_end four
point=$(pflashctl log --bursts $vars | sed -n 's/^\([0-9][0-9]*\)  .*/\1/p' | head -n 1)
check "rollback undoes it" pflashctl rollback --to "$point" $vars
check_equal "the variable is gone" "" "$(value)"

# A damaged queue does not keep a guest from starting.
echo damaged >$vars.next
lab_guest five test=hole || lab_die "no guest"
lab_flash five $vars || lab_die "pflashd did not attach"
check "a damaged queue is kept" test -e $vars.next.kept
check "pflashd logs that" grep -q 'it is kept as .*vars.fd.next.kept' /tmp/five.pflashd
xl destroy five
check "five: pflashd leaves with the guest" lab_flash_end five
lab_done
