# SPDX-License-Identifier: BSD-2-Clause
# about: xl-rounds for HVM guests, beside QEMU
# needs: hvm block build/lab/guest.rom build/pflashd build/pflashctl
# needs: integration/xl/block-pflash integration/xl/pflash-common.sh
# needs: tests/lab/xl.sh tests/lab/rounds.sh
# slow: each guest starts QEMU, half a minute or more
# timeout: 1800
. /lab/lib.sh
. /lab/xl.sh
. /lab/rounds.sh
xl_setup
rounds hvm 4 reboot preserve restart destroy
lab_done
