# SPDX-License-Identifier: BSD-2-Clause
# about: several vCPUs use the flash concurrently; some come online late
# needs: build/lab/guest.elf build/pflashd build/pflashctl
# needs: /usr/share/OVMF/OVMF_VARS.fd tests/lab/hammer.sh
# timeout: 400
. /lab/lib.sh
. /lab/hammer.sh

# hammer MODE COUNT
hammer() {
    cp /lab/OVMF_VARS.fd "/tmp/$1.fd"
    hammer_guest "$1" "$1" "/tmp/$1.fd" "test=hammer vcpus=4 count=$2" \
        'vcpus = 4'
    hammer_run "$1" "/tmp/$1.fd" 4
    check "$1: the vCPUs were in each other's way" \
        test "$(hammer_interleaved "$1")" -gt 0
}

hammer direct 16
hammer trap 8

for mode in direct trap; do
    name=late-$mode
    cp /lab/OVMF_VARS.fd /tmp/$name.fd
    hammer_guest $name $mode /tmp/$name.fd "test=late vcpus=4 count=6" \
        'vcpus = 1' 'maxvcpus = 4'
    check_equal "$name: three vCPUs are offline when pflashd attaches" 3 \
        "$(xl vcpu-list $name | grep -c -e ' --p ')"
    hammer_run $name /tmp/$name.fd 1
done
lab_done
