# SPDX-License-Identifier: BSD-2-Clause
"""The lab: Debian's Xen in QEMU, for tests of this repository."""
