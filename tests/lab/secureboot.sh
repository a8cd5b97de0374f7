# SPDX-License-Identifier: BSD-2-Clause
# Secure Boot of a guest, and a kernel that attacks the variables which decide
# what the guest starts. Sourced by the secure-boot* scenarios, which need
# build/lab/secure-boot, build/lab/pending and build/lab/guest.elf.

SB_FILES=/lab/secure-boot
SB_DISK=/tmp/disk.img
SB_LAYOUT=4m
SB_BASE=0xffc00000
SB_FIRMWARE=/lab/OVMF_XEN_4M.secboot.fd
SB_TIMEOUT=900
SB_TYPE=pvh
SB_PROGRAMS='unsigned attacker owner'

# --- the guest's disk and its VARS file ---------------------------------------

# sb_disk PATH=FILE...: makes a disk with one EFI system partition and these files
sb_disk() {
    truncate -s 64M $SB_DISK
    printf 'label: gpt\nstart=1MiB, size=60MiB, type=U\n' |
        sfdisk -q $SB_DISK || lab_die "no partition"
    sb_loop=$(losetup -f)
    losetup -o 1048576 "$sb_loop" $SB_DISK || lab_die "no loop device"
    mkdosfs "$sb_loop" 61440 || lab_die "no file system"
    mount -t vfat "$sb_loop" /mnt || lab_die "it is not mounted"
    for sb_file; do
        sb_path=/mnt/${sb_file%%=*}
        mkdir -p "${sb_path%/*}"
        cp "${sb_file#*=}" "$sb_path" || lab_die "no space for ${sb_file#*=}"
    done
    umount /mnt && losetup -d "$sb_loop" || lab_die "it is still in use"
}

# sb_programs: the arguments of sb_disk for the three programs. A store without
# boot entries boots the unsigned one.
sb_programs() {
    for sb_name in $SB_PROGRAMS; do
        echo "EFI/lab/$sb_name.efi=$SB_FILES/$sb_name.efi"
    done
    echo "EFI/BOOT/BOOTX64.EFI=$SB_FILES/unsigned.efi"
}

# sb_entry VARS NAME PATH: the last boot entry, "lab-NAME"
sb_entry() {
    pflashctl boot add --label "lab-$2" --disk $SB_DISK --file "$3" --last "$1" \
        >/dev/null || lab_die "no boot entry for $2"
}

sb_entries() {
    for sb_name in $SB_PROGRAMS; do
        sb_entry "$1" "$sb_name" "\\EFI\\lab\\$sb_name.efi"
    done
}

# sb_keys VARS: a new file with the owner's keys
sb_keys() {
    pflashctl create --layout $SB_LAYOUT "$1" &&
        pflashctl keys enroll --generate-pk --kek $SB_FILES/owner.pem \
            --db $SB_FILES/owner.pem "$1" >/dev/null || lab_die "no keys"
}

# sb_vars VARS: the same, and an entry for each program
sb_vars() {
    sb_keys "$1"
    sb_entries "$1"
}

# --- booting ------------------------------------------------------------------

# sb_create NAME: creates a guest with the firmware: a PVH guest, or an HVM guest if
# SB_TYPE is hvm
sb_create() {
    sb_line="disk = [ \"format=raw, vdev=xvda, access=rw, target=$SB_DISK\" ]"
    if [ "$SB_TYPE" = hvm ]; then
        lab_create_hvm "$1" "bios_path_override = \"$SB_FIRMWARE\"" "$sb_line"
    else
        lab_create "$1" "kernel = \"$SB_FIRMWARE\"" 'memory = 384' "$sb_line"
    fi
}

# sb_start NAME VARS [PFLASHD OPTION...]: starts such a guest
sb_start() {
    sb_guest=$1 sb_file=$2
    shift 2
    lab_step "$sb_guest: xl create, with $sb_file${*:+, $*}"
    lab_mark "$sb_guest" 2>/dev/null || echo 0 >"/tmp/$sb_guest.mark"
    sb_create "$sb_guest" || lab_die "$sb_guest: no guest"
    lab_flash "$sb_guest" "$sb_file" --code "$SB_FIRMWARE" "$@" ||
        lab_die "$sb_guest: pflashd did not attach"
    sb_since=$(lab_now)
    xl unpause "$sb_guest"
}

# sb_stop NAME: ends it, if it has not ended by itself
sb_stop() {
    lab_gone "$1" || {
        sb_counts "$1"
        xl destroy "$1"
    }
    check "$1: pflashd leaves with the guest" lab_flash_end "$1"
    lab_export "$(lab_log "$1")" "$1.console"
}

# sb_counts NAME: notes the counters of its flash; sets sb_refused
sb_counts() {
    pflashctl status "$1" >/tmp/sb.status
    sb_refused=$(sed -n 's/^refused: //p' /tmp/sb.status)
    note "$1: $(awk '/^(reads|writes|bursts|judged|refused):/ \
        { printf "%s %s ", $1, $2 }' /tmp/sb.status)"
}

# sb_boot NAME VARS [PFLASHD OPTION...]: boots, until the firmware has tried the
# entry of the owner's program, or without this entry the default loader
sb_boot() {
    sb_last='\[entry |Denied|Violation'
    ! pflashctl boot list "$2" | grep -q '^BootOrder: 0000,0001,0002' ||
        sb_last='lab-owner.*(Denied|Violation)|\[entry owner'
    sb_start "$@"
    lab_wait $SB_TIMEOUT sb_ended "$1" "$sb_last" || sb_silent "$1"
    note "$1: the firmware has decided after $(lab_since "$sb_since") s"
    lab_wait 5 lab_gone "$1"
    sb_stop "$1"
    lab_shown "$1" | grep -E 'BdsDxe|\[entry' | cut -c 1-150 |
        while read -r lab_line; do note "$1 | $lab_line"; done
}

sb_ended() {
    lab_has "$1" "$2" || lab_gone "$1"
}

# sb_silent NAME: the time limit is over
sb_silent() {
    xen-hvmctx "$(lab_domid "$1")" | grep -m 1 rip
    lab_shown "$1" | tail -n 30
    sb_stop "$1"
    lab_die "$1: the firmware has not tried all entries"
}

# sb_result NAME PROGRAM: prints "runs", "refused" or "nothing"
sb_result() {
    if lab_has "$1" "\[entry (try-)?$2 "; then
        echo runs
    elif lab_has "$1" "lab-$2\".*(Access Denied|Security Violation)"; then
        echo refused
    else
        echo nothing
    fi
}

# sb_all NAME: the results of the three programs
sb_all() {
    for sb_name in $SB_PROGRAMS; do
        printf '%s ' "$sb_name $(sb_result "$1" "$sb_name")"
    done
}

SB_SAFE='unsigned refused attacker refused owner runs '

# sb_safe NAME: only the owner's program has run, with SecureBoot = 1
sb_safe() {
    check_equal "$1: only the program signed with the key in db runs" \
        "$SB_SAFE" "$(sb_all "$1")"
    check "$1: SecureBoot is 1" lab_has "$1" '\[entry owner .* secure 1\]'
}

# sb_clean VARS: removes what refused writes have left behind the last variable. The
# firmware does it, too, but erases and programs the whole store for that.
sb_clean() {
    pflashctl compact "$1" >/dev/null || lab_die "$1 cannot be compacted"
    sb_intact "$1, compacted" "$1"
}

# sb_closed NAME: no program has run
sb_closed() {
    check "$1: the firmware refuses a program" lab_has "$1" 'Access Denied'
    check_equal "$1: no program has run" '' "$(lab_shown "$1" | grep '\[entry')"
}

# --- the attacks --------------------------------------------------------------

# sb_where IMAGE NAME: the offset of the header of the live variable of this name
sb_where() {
    sb_hex=$(printf '%s' "$2" | xxd -p | tr -d '\n' | sed 's/../&00/g')0000
    xxd -p "$1" | tr -d '\n' | awk -v name="$sb_hex" '{
        for (at = 0; (n = index(substr($0, at + 1), name)) > 0; ) {
            at += n
            if (at > 120 && substr($0, at - 120, 8) == "aa553f00") {
                print (at - 1) / 2 - 60
                exit
            }
        }
    }'
}

# sb_byte IMAGE OFFSET OCTAL: changes one byte
sb_byte() {
    printf '%b' "\\0$3" |
        dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

# sb_want KIND VARS: makes /tmp/KIND.want, the contents that the attacker wants,
# from those of VARS
sb_want() {
    sb_out=/tmp/$1.want
    pflashctl export "$2" /tmp/sb.fd && "sb_want_$1" /tmp/sb.fd &&
        pflashctl export /tmp/sb.fd "$sb_out" ||
        lab_die "$1: the attack cannot be prepared"
    rm -f /tmp/sb.fd /tmp/sb.fd.*
}

# db: a further variable, with the attacker's certificate behind the owner's
sb_want_db() {
    pflashctl keys enroll --db $SB_FILES/attacker.pem "$1" >/dev/null
}

# keys: all keys are the attacker's, at the place of the owner's
sb_want_keys() {
    for sb_name in pk kek db; do
        pflashctl keys rm --all-of $sb_name "$1" >/dev/null || return
    done
    pflashctl keys enroll --generate-pk --kek $SB_FILES/attacker.pem \
        --db $SB_FILES/attacker.pem "$1" >/dev/null &&
        pflashctl compact "$1" >/dev/null
}

# enable: one byte, the value of SecureBootEnable
sb_want_enable() {
    sb_at=$(sb_where "$1" SecureBootEnable)
    [ -n "$sb_at" ] && sb_byte "$1" $((sb_at + 60 + 34)) 000
}

# pk: one byte, the state of PK, which is deleted
sb_want_pk() {
    sb_at=$(sb_where "$1" PK)
    [ -n "$sb_at" ] && sb_byte "$1" $((sb_at + 2)) 074
}

# empty: a new store, without keys
sb_want_empty() {
    rm -f "$1" && pflashctl create --layout $SB_LAYOUT "$1"
}

# mok: shim's list of further certificates, with the attacker's
sb_want_mok() {
    pflashctl vars set --input $SB_FILES/attacker.esl --attr nv,bs "$1" \
        ShimLock:MokList >/dev/null
}

# ftw: a pending fault-tolerant write of the store with the attacker's key
sb_want_ftw() {
    pflashctl export "$1" /tmp/sb.before &&
        sb_want_db "$1" && pflashctl export "$1" /tmp/sb.after &&
        rm -f "$1" "$1".* && pending /tmp/sb.before /tmp/sb.after "$1"
}

# sb_kernel NAME VARS IMAGES [PFLASHD OPTION...]: a kernel in a guest of its own
# erases and programs the flash, to have the contents of the IMAGES, one after
# another; sets sb_refused, and sb_differ to the number of bytes that are not as it
# wanted at the end
sb_kernel() {
    sb_guest=$1 sb_file=$2 sb_images=$3
    shift 3
    lab_step "$sb_guest: a kernel attacks $sb_file${*:+, $*}"
    sb_size=$(wc -c <"$sb_file")
    lab_create "$sb_guest" 'kernel = "/lab/guest.elf"' \
        "ramdisk = \"$sb_images\"" \
        "extra = \"test=become base=$SB_BASE size=$(printf '0x%x' "$sb_size")\"" ||
        lab_die "$sb_guest: no guest"
    lab_flash "$sb_guest" "$sb_file" --base $SB_BASE "$@" ||
        lab_die "$sb_guest: pflashd did not attach"
    echo 0 >"/tmp/$sb_guest.mark"
    xl unpause "$sb_guest"
    lab_expect "$sb_guest" 600 '^# waits' || lab_die "$sb_guest: no end"
    lab_shown "$sb_guest" | sed -n 's/^# become: //p' >/tmp/sb.said
    while read -r lab_line; do note "$sb_guest: $lab_line"; done </tmp/sb.said
    sb_differ=$(sed -n '$s/.* \([0-9]*\) bytes differ/\1/p' /tmp/sb.said)
    sb_counts "$sb_guest"
    lab_type "$sb_guest" go
    lab_wait 60 lab_gone "$sb_guest" || lab_die "$sb_guest: it does not end"
    lab_flash_end "$sb_guest" || not_ok "$sb_guest: pflashd failed"
}

# sb_copy VARS COPY: a copy, with the record of the pinned values
sb_copy() {
    rm -f "$2" "$2".*
    pflashctl export "$1" "$2" && cp "$1.pins" "$2.pins" || lab_die "$1: no copy"
}

# sb_intact TEXT VARS: the pinned values are there before the next start, which
# would restore them
sb_intact() {
    check_equal "$1: all pinned values are those of the host" same \
        "$(pflashctl pins list "$2" | awk 'NR > 1 { print $2 }' | sort -u)"
}

# sb_attack KIND VARS: the attack on a copy, /tmp/KIND.pinned; it has to be refused
sb_attack() {
    sb_copy "$2" "/tmp/$1.pinned"
    sb_want "$1" "$2"
    sb_kernel "$1-pinned" "/tmp/$1.pinned" "/tmp/$1.want"
    check "$1: writes are refused" test "$sb_refused" -gt 0
    check "$1: the kernel does not get what it wants" test "$sb_differ" -gt 0
    check "$1: the log says so" grep -q \
        'refused a write to a pinned variable: ' "/tmp/$1-pinned.pflashd"
    note "$1: $(sed -n 's/.*refused a write to a pinned variable: //p' \
        "/tmp/$1-pinned.pflashd" | head -n 1)"
    sb_intact "$1" "/tmp/$1.pinned"
}

# sb_control KIND VARS: the same on a copy without pins, /tmp/KIND.open
sb_control() {
    rm -f "/tmp/$1.open" "/tmp/$1.open".*
    pflashctl export "$2" "/tmp/$1.open" || lab_die "$2: no copy"
    sb_want "$1" "$2"
    sb_kernel "$1-open" "/tmp/$1.open" "/tmp/$1.want" --pin off
    check_equal "$1 without pins: the kernel gets what it wants" 0 "$sb_differ"
}
