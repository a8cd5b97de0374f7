# SPDX-License-Identifier: BSD-2-Clause
# A variable store full of deleted variables. Sourced by the scenarios that need
# one; $vars is the file.

# figure NAME: a figure of the variable store: live, deleted, used, free
figure() {
    pflashctl check $vars | sed -n 's/^variables: //p' | tr ',' '\n' |
        sed -n "s/^ *\([0-9]*\) \(bytes \)\{0,1\}$1.*/\1/p"
}

# zeros COUNT
zeros() {
    head -c "$1" /dev/zero
}

# deleted BYTES: a deleted variable of that many bytes in OVMF's format: a header
# of 60 bytes, its name, its data
deleted() {
    printf '\252\125\075\000\007\000\000\000'
    zeros 28
    # shellcheck disable=SC2059 # the format is the data
    printf "$(printf '\\004\\000\\000\\000\\%03o\\%03o\\000\\000' $(($1 % 256)) $(($1 / 256)))"
    zeros 16
    printf 'G\000\000\000'
    zeros "$1" | tr '\000' X
}

# fill COUNT: appends so many deleted variables
fill() {
    fill_left=$1
    while [ "$fill_left" -gt 0 ]; do
        fill_left=$((fill_left - 1))
        deleted 4000
    done | dd of=$vars bs=1 seek=$((100 + $(figure used))) conv=notrunc \
        2>/dev/null
    pflashctl accept $vars
}
