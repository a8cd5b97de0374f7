# SPDX-License-Identifier: BSD-2-Clause
# about: a guest with four vCPUs attacks its flash for ten minutes
# needs: build/lab/guest.elf build/pflashd build/pflashctl
# needs: /usr/share/OVMF/OVMF_VARS.fd tests/lab/hostile.sh
# slow: takes ten minutes
# timeout: 1200
. /lab/lib.sh
HOSTILE_SEED=$(($(date +%s) % 100000)) HOSTILE_WORDS=
. /lab/hostile.sh

note "seed $HOSTILE_SEED"
hostile_beside 220
hostile_trapped 220
hostile_ballooned 60
hostile_limited 100
lab_done
