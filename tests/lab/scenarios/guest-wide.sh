# SPDX-License-Identifier: BSD-2-Clause
# about: the guest's accesses to parts side by side read and leave the same bytes as pflash-replay
# needs: build/lab/guest.elf build/pflashd build/pflash-replay build/pflashctl
# needs: /usr/share/OVMF/OVMF_VARS.fd tests/lab/compare.sh
# timeout: 400
. /lab/lib.sh
. /lab/compare.sh

compare two-x16 direct "test=random seed=11 count=250" --width 4
compare four-x8 direct "test=random seed=12 count=250" --width 4 --interleave 4
compare two-x8 trap "test=random seed=13 count=250" --width 2 --interleave 2
compare op direct "test=random seed=14 count=250" --block-size 4Kx8,32K --sync op
lab_done
