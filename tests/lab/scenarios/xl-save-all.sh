# SPDX-License-Identifier: BSD-2-Clause
# about: xl-save at every place in the chip's commands
# needs: block build/lab/guest.elf build/pflashd build/pflashctl build/pflash-replay
# needs: integration/xl/block-pflash integration/xl/pflash-common.sh
# needs: tests/lab/xl.sh tests/lab/scenarios/xl-save.sh
# slow: saves and restores seven more guests
# timeout: 1200
XL_SAVE_PLACES="buffer word erase suspend status id rest"
. /lab/xl-save.sh
