# SPDX-License-Identifier: BSD-2-Clause
# Guests whose flash xl itself starts, by the script of their disk. Sourced by the
# xl-* scenarios, which need: block, and hvm for HVM guests.

xl_dir=/var/lib/pflash

# xl_setup: installs the scripts, and a configuration for all guests
xl_setup() {
    lab_install_script
    mkdir -p $xl_dir
    printf 'vars = %s/%%n.fd\nlayout = 2m\n' $xl_dir \
        >/etc/xen/pflash/default.conf
}

# xl_rom NAME WORDS: makes the guest's firmware image with this command line
xl_rom() {
    cp /lab/guest.rom "/tmp/$1.rom"
    printf '%s\0' "$2" | dd of="/tmp/$1.rom" bs=256 seek=7936 conv=notrunc \
        2>/dev/null
}

# xl_flash: prints the line that gives $xl_name its flash (libxl.sh replaces it)
xl_flash() {
    lab_disk "/tmp/$xl_name.img"
}

# xl_config NAME TYPE WORDS [LINE...]: makes /tmp/NAME.cfg for the test guest, pvh
# or hvm; the lines come last and override earlier ones
xl_config() {
    xl_name=$1 xl_type=$2 xl_words=$3
    shift 3
    {
        printf 'name = "%s"\ntype = "%s"\nmemory = 64\ncpus = "1"\n' \
            "$xl_name" "$xl_type"
        xl_flash
        if [ "$xl_type" = hvm ]; then
            xl_rom "$xl_name" "$xl_words"
            printf 'bios = "ovmf"\nbios_path_override = "/tmp/%s.rom"\n' \
                "$xl_name"
            printf 'vga = "none"\nvnc = 0\n'
        else
            printf 'kernel = "/lab/guest.elf"\nextra = "%s"\n' "$xl_words"
        fi
        printf '%s\n' "$@"
    } >"/tmp/$xl_name.cfg"
}

# xl_create NAME: xl's output is in /tmp/NAME.out
xl_create() {
    xl create "/tmp/$1.cfg" >"/tmp/$1.out" 2>&1
}

# xl_waits NAME SECONDS: returns when the guest waits in the middle of its command;
# the next call ignores the output until now
xl_waits() {
    lab_expect "$1" "$2" '^# waits' && lab_mark "$1"
}

# xl_bytes NAME: the 32 bytes that test=middle wrote
xl_bytes() {
    pflashctl export "$xl_dir/$1.fd" /tmp/bytes.fd &&
        dd if=/tmp/bytes.fd bs=32 skip=2048 count=1 2>/dev/null |
        od -An -v -tx1 | tr -d ' \n'
}

# xl_wanted SEED [STEP]: their expected values
xl_wanted() {
    awk -v n="$1" -v step="${2:-1}" 'BEGIN { for (i = 0; i < 32; i++)
        printf "%02x", (n + step * i) % 256 }'
}

# xl_completes TEXT NAME SEED: the guest continues, finds the chip unchanged, ends
xl_completes() {
    lab_type "$2" go
    check "$1: the guest ends" lab_wait 60 lab_gone "$2"
    check "$1: the guest found the chip unchanged" lab_has "$2" '^# middle ok'
    xl_holds "$1" "$2" "$(xl_wanted "$3")"
}

# xl_holds TEXT NAME BYTES: no guest has left anything but this file, which is
# sound and has these bytes
xl_holds() {
    check_equal "$1: nothing else is left" "" "$(xl_left)"
    pflashctl check "$xl_dir/$2.fd" >/tmp/check
    check_equal "$1: the file is sound" 0 $?
    check "$1: the file has all bursts of the journal" \
        grep -q '^journal: 0 bursts' /tmp/check
    check_equal "$1: the file has the guest's bytes" "$3" "$(xl_bytes "$2")"
}

# xl_left: prints the domains, processes, files and nodes left by guests
xl_left() {
    lab_wait 30 xl_nothing
    xl list | tail -n +3
    pidof pflashd xl xen-qemu-system-i386 libxl-save-helper
    ls /run/pflashd | grep -vE '^empty$|\.limit$'
    xenstore-ls -f /local/domain/0/device-model 2>/dev/null | grep pflash
    losetup -a
}

xl_nothing() {
    test "$(xl list | wc -l)" = 2 && ! pidof pflashd && ! pidof xl
}
