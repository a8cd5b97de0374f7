# SPDX-License-Identifier: BSD-2-Clause
# about: xl save and restore of an HVM guest, without its cooperation, in the middle of the chip's commands
# needs: hvm block build/lab/guest.rom build/pflashd build/pflashctl
# needs: integration/xl/block-pflash integration/xl/pflash-common.sh tests/lab/xl.sh
# slow: each guest starts QEMU, half a minute or more
# timeout: 1800
. /lab/lib.sh
. /lab/xl.sh
xl_setup

seed=0
for place in buffer suspend; do
    seed=$((seed + 16))
    xl_config $place hvm "test=middle at=$place seed=$seed"
    lab_start=$(lab_now)
    xl_create $place || lab_die "$place: not created: $(cat /tmp/$place.out)"
    xl_waits $place 100 || lab_die "$place: it does not reach its command"
    note "$place: in the middle after $(lab_since "$lab_start") s"
    xl save $place /tmp/$place.save
    check_equal "$place: saved" 0 $?
    check_equal "$place: nothing is left" "" "$(xl_left)"
    xl restore /tmp/$place.save
    check_equal "$place: restored" 0 $?
    check "$place: the flash is in direct mode" sh -c \
        "pflashctl status $place | grep -q '^mode: direct'"
    xl_completes "$place" $place $seed
done
xl restore /tmp/buffer.save >/tmp/again.out 2>&1
check "not restored again after a change of the flash" test $? -ne 0
check "xl prints the reason" grep -q 'not known to be what it was' /tmp/again.out
check_equal "nothing is left of the attempt" "" "$(xl_left)"
lab_done
