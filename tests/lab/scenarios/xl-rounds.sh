# SPDX-License-Identifier: BSD-2-Clause
# about: a guest's ends, and xl's reactions: destroy, restart, preserve, rename
# needs: block build/lab/guest.elf build/pflashd build/pflashctl
# needs: integration/xl/block-pflash integration/xl/pflash-common.sh
# needs: tests/lab/xl.sh tests/lab/rounds.sh
# slow: five guests, two of them twice; xl-life is the short test
# timeout: 900
. /lab/lib.sh
. /lab/xl.sh
. /lab/rounds.sh
xl_setup
rounds pvh 5 reboot preserve rename xlshutdown writing
lab_done
