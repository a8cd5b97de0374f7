# SPDX-License-Identifier: BSD-2-Clause
# about: every kind of guest access in direct mode reads and leaves the same bytes as pflash-replay
# needs: build/lab/guest.elf build/pflashd build/pflash-replay build/pflashctl
# needs: /usr/share/OVMF/OVMF_VARS.fd tests/lab/compare.sh
# timeout: 300
. /lab/lib.sh
. /lab/compare.sh

compare script direct test=script
compare random1 direct "test=random seed=1 count=300"
compare random2 direct "test=random seed=2 count=300"
lab_done
