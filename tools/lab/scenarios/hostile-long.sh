# SPDX-License-Identifier: BSD-2-Clause
# about: a guest with four vCPUs does all the harm it can for ten minutes
# needs: build/lab/guest.elf build/pflashd build/pflashctl
# needs: /usr/share/OVMF/OVMF_VARS.fd tools/lab/hostile.sh
# slow: ten minutes are ten minutes
# timeout: 1200
. /lab/lib.sh
HOSTILE_SEED=$(($(date +%s) % 100000)) HOSTILE_WORDS="balloon=yes"
. /lab/hostile.sh

note "seed $HOSTILE_SEED"
hostile_beside 240
hostile_trapped 240
hostile_limited 120
lab_done
