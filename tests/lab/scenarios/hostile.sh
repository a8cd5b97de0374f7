# SPDX-License-Identifier: BSD-2-Clause
# about: a guest with four vCPUs does all the harm it can for a minute
# needs: build/lab/guest.elf build/pflashd build/pflashctl
# needs: /usr/share/OVMF/OVMF_VARS.fd tests/lab/hostile.sh
# slow: what it does is drawn by chance, and Xen 4.17 has its own reasons to crash a guest (emulate.c:200), which would fail the run
# timeout: 400
. /lab/lib.sh
HOSTILE_SEED=1 HOSTILE_WORDS=
. /lab/hostile.sh

hostile_beside 25
hostile_trapped 20
hostile_limited 15
lab_done
