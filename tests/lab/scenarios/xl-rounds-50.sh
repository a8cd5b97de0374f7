# SPDX-License-Identifier: BSD-2-Clause
# about: xl-rounds with fifty guests: each kind of end five times
# needs: block build/lab/guest.elf build/pflashd build/pflashctl
# needs: integration/xl/block-pflash integration/xl/pflash-common.sh
# needs: tests/lab/xl.sh tests/lab/rounds.sh
# slow: fifty guests, one after the other
# timeout: 2700
. /lab/lib.sh
. /lab/xl.sh
. /lab/rounds.sh
xl_setup
rounds pvh 50 reboot poweroff destroy restart preserve xlreboot rename \
    crash xlshutdown writing
lab_done
