# SPDX-License-Identifier: BSD-2-Clause
# about: a guest with four vCPUs attacks its flash for a minute
# needs: build/lab/guest.elf build/pflashd build/pflashctl
# needs: /usr/share/OVMF/OVMF_VARS.fd tests/lab/hostile.sh
# slow: its accesses are random, and some of them make Xen 4.17 crash the guest (emulate.c:200), which fails the run
# timeout: 400
. /lab/lib.sh
HOSTILE_SEED=1 HOSTILE_WORDS=
. /lab/hostile.sh

hostile_beside 25
hostile_trapped 20
hostile_limited 15
lab_done
