# SPDX-License-Identifier: BSD-2-Clause
# Guests with a flash from a patched libxl (integration/libxl), without a script.
# Sourced after xl.sh by the libxl-* scenarios, which need: libxl.

libxl_options=layout=2m

# Where libxl looks for pflashd; in the PATH there is another one.
libxl_pflashd=/usr/sbin/pflashd

# libxl_setup: puts the patched xl first in the PATH
libxl_setup() {
    [ -x /lab/libxl/xl ] || lab_skip_all \
        "the patched xl is not built: tests/lab/lab build --libxl"
    export PATH="/lab/libxl:$PATH" LD_LIBRARY_PATH=/lab/libxl
    mkdir -p "$xl_dir"
    ln -s /lab/pflashd "$libxl_pflashd"
}

# libxl_hvm TEXT: true if this Xen has HVM guests; else skips the check TEXT
libxl_hvm() {
    for libxl_loader in /usr/lib/xen-*/boot/hvmloader; do
        [ ! -e "$libxl_loader" ] || return 0
    done
    skip "$1: this Xen was built without hvmloader"
    return 1
}

# Replaces xl.sh's function: no disk, no script.
xl_flash() {
    printf 'nvram = "vars=%s/%s.fd,%s"\n' "$xl_dir" "$xl_name" \
        "$libxl_options"
}

# libxl_refused NAME TEXT: xl does not create the guest and prints TEXT; no process
# and no file is left
libxl_refused() {
    xl_create "$1"
    check "$1: not created" test $? -ne 0
    check "$1: xl prints the reason" grep -qF "$2" "/tmp/$1.out"
    check_equal "$1: nothing is left" "" "$(xl_left)"
}

# libxl_middle NAME PLACE SEED [LINE...]: a guest that waits in the middle of the
# command PLACE and suspends on xl's request
libxl_middle() {
    libxl_words="test=middle at=$2 seed=$3 control=xenstore"
    libxl_name=$1
    shift 3
    xl_config "$libxl_name" "${type:-pvh}" "$libxl_words" "$@"
    xl_create "$libxl_name" ||
        lab_die "$libxl_name: not created: $(cat "/tmp/$libxl_name.out")"
    xl_waits "$libxl_name" 60 || lab_die "$libxl_name: it does not reach its command"
}
