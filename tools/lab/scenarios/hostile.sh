# SPDX-License-Identifier: BSD-2-Clause
# about: a guest with four vCPUs does all the harm it can for a minute
# needs: build/lab/guest.elf build/pflashd build/pflashctl
# needs: /usr/share/OVMF/OVMF_VARS.fd tools/lab/hostile.sh
# timeout: 400
. /lab/lib.sh
HOSTILE_SEED=1 HOSTILE_WORDS=
. /lab/hostile.sh

hostile_beside 25
hostile_trapped 20
hostile_limited 15
lab_done
