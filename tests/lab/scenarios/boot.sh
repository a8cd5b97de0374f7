# SPDX-License-Identifier: BSD-2-Clause
# about: the lab itself: the functions of Xen, dom0 and the test guest that all scenarios use
# needs: build/lab/guest.elf
# timeout: 60
. /lab/lib.sh

xl info >/tmp/info
check "xl answers" test -s /tmp/info
check "Xen offers PVH and HVM" grep -q '^virt_caps.* pv hvm hap' /tmp/info
check "xenstore answers" xenstore-exists /local/domain/0
check "the result channel brings files" lab_export /tmp/info xl-info.txt

check "a PVH guest is created" lab_guest empty test=hole
check "the guest is paused" test "$(xl list empty | awk 'NR == 2 { print $5 }')" = --p---
lab_begin=$(lab_now)
xl unpause empty
check "the guest runs and powers off" lab_finish empty 20
note "guest ran for $(lab_since "$lab_begin") s"
lab_export "$(lab_log empty)" guest.log
tr -d '\r' <"$(lab_log empty)" >/tmp/empty
check "the guest has its command line" grep -qx '# guest: test=hole' /tmp/empty
check_equal "a hole reads as ones, byte" "r 10 1 ff" "$(grep '^r 10 1' /tmp/empty)"
check_equal "a hole reads as ones, quad word" "r 10 8 ffffffffffffffff" \
    "$(grep '^r 10 8' /tmp/empty)"
check_equal "no domain is left" 2 "$(xl list | wc -l)"
lab_done
