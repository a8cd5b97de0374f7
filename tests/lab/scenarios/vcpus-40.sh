# SPDX-License-Identifier: BSD-2-Clause
# about: 40 vCPUs use the flash concurrently
# needs: build/lab/guest.elf build/pflashd build/pflashctl
# needs: /usr/share/OVMF/OVMF_VARS.fd tests/lab/hammer.sh
# slow: 40 vCPUs share one emulated processor
# timeout: 900
. /lab/lib.sh
. /lab/hammer.sh

# hammer MODE COUNT
hammer() {
    { cat /lab/OVMF_VARS.fd && head -c 131072 /dev/zero | tr '\0' '\377'; } \
        >"/tmp/$1.fd"
    hammer_guest "$1" "$1" "/tmp/$1.fd" \
        "test=hammer vcpus=40 count=$2 size=0x40000" 'vcpus = 40'
    hammer_run "$1" "/tmp/$1.fd" 4
}

hammer direct 3
hammer trap 2
lab_done
