# SPDX-License-Identifier: BSD-2-Clause
# about: the lab itself: Xen and dom0 are up and what they have to be
. /lab/lib.sh

xl info >/tmp/info
check "xl answers" test -s /tmp/info
lab_export /tmp/info xl-info.txt
lab_done
