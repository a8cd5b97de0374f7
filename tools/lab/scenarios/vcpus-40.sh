# SPDX-License-Identifier: BSD-2-Clause
# about: 40 vCPUs use the flash at once
# needs: build/lab/guest.elf build/pflashd build/pflashctl
# needs: /usr/share/OVMF/OVMF_VARS.fd tools/lab/hammer.sh
# timeout: 600
. /lab/lib.sh
. /lab/hammer.sh

for mode in direct trap; do
    { cat /lab/OVMF_VARS.fd && head -c 131072 /dev/zero | tr '\0' '\377'; } \
        >/tmp/$mode.fd
    hammer_guest $mode $mode /tmp/$mode.fd \
        "test=hammer vcpus=40 count=3 size=0x40000" 'vcpus = 40'
    hammer_run $mode /tmp/$mode.fd 4
done
lab_done
