# SPDX-License-Identifier: BSD-2-Clause
# about: pflashd is killed a hundred times while UEFI firmware boots, and the variables are right
# needs: firmware build/pflashd build/pflashctl tests/lab/uefi.sh tests/lab/kills.sh
# slow: a boot with a hundred kills
# timeout: 2000
. /lab/lib.sh
. /lab/uefi.sh
. /lab/kills.sh

code=/lab/OVMF_XEN.fd
UEFI_TIMEOUT=900

# kill_one NAME: kills the worker, which its supervisor replaces, with a longer
# delay after more than two deaths; every eighth time kills the supervisor
kill_one() {
    if [ $((killed % 8)) = 7 ]; then
        # shellcheck disable=SC2086
        kill_all "$1" /tmp/vars.fd --base 0xffe00000 --code none $KILLS_OPTIONS
    else
        kill_worker "$1"
    fi
}

lab_create first "kernel = \"$code\"" 'memory = 256' || lab_die "no guest"
# Without --code the boot takes long enough for a hundred kills.
# shellcheck disable=SC2086
lab_flash first /tmp/vars.fd --base 0xffe00000 --layout 2m --code none $KILLS_OPTIONS ||
    lab_die "pflashd did not attach"
start=$(lab_now)
xl unpause first
killed=0
until [ $killed -ge 100 ] || lab_has first 'UEFI Interactive Shell'; do
    moment
    kill_one first || lab_die "pflashd does not come back after $killed kills"
    killed=$((killed + 1))
done
note "killed $killed times in $(lab_since "$start") s"
check_equal "a hundred kills before the firmware is up" 100 $killed
uefi_up first "$start"
uefi_command first "setvar LabVar -guid $UEFI_GUID -bs -nv =0x1122334455"
check "setvar says nothing" test "$(grep -c . /tmp/first.out)" = 2
pflashctl status first | grep -e '^writes' -e '^takeovers' |
    while read -r line; do note "$line"; done
uefi_destroy first
check "the file is sound" pflashctl check /tmp/vars.fd

uefi_boot second /tmp/vars.fd --code $code
uefi_command second "setvar LabVar -guid $UEFI_GUID"
check "the next guest reads it back" \
    grep -q '55 44 33 22 11 00 00 00' /tmp/second.out
check "the firmware wrote little: all variables were there" \
    test "$(pflashctl status second | sed -n 's/^writes: //p')" -lt 1000
uefi_destroy second
lab_done
