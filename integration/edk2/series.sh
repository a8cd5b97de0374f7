# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# Sourced by integration/edk2/build and integration/deb/build: which of Debian's and of the project's patches an edk2
# source tree gets.

# This patch of Debian's uses a library that OvmfXen.dsc maps with the patches of integration/edk2/secure-boot only: the
# build without them would fail.
# shellcheck disable=SC2034 # for the scripts that source this file
readonly left_out=Disable-the-Shell-when-SecureBoot-is-enabled.patch

# needs_patch FILE TREE: false if this edk2 has what the patch adds.
needs_patch() {
    case ${1##*/} in
        # Since edk2-stable202411 OvmfXen has a reset library of its own.
        0001-OvmfXen-shut-down-by-hypercall.patch)
            [ ! -e "$2/OvmfPkg/Library/ResetSystemLib/BaseResetSystemLibXen.inf" ]
            ;;
        # edk2-stable202305 has PcdSecureBootSupported in its place.
        0003-OvmfXen-feature-flag.patch)
            ! grep -q PcdSecureBootSupported "$2/OvmfPkg/OvmfPkg.dec"
            ;;
        0004-OvmfXen-PcdSecureBootSupported.patch)
            grep -q PcdSecureBootSupported "$2/OvmfPkg/OvmfPkg.dec"
            ;;
    esac
}
