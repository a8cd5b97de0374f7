# SPDX-License-Identifier: BSD-2-Clause
# about: xl migrate of an HVM guest, without its cooperation; refused in direct mode
# needs: hvm block build/lab/guest.rom build/pflashd build/pflashctl
# needs: integration/xl/block-pflash integration/xl/pflash-common.sh tests/lab/xl.sh
# needs: tests/lab/migrate.sh
# slow: two starts of QEMU, and a migration
# timeout: 1200
. /lab/lib.sh
. /lab/xl.sh
. /lab/migrate.sh

migrate_create hvm ""
check_equal "the mode is direct" direct "$(mode)"
migrate here
check "in direct mode xl refuses the migration" test $migrate_status -ne 0
check "because of log-dirty mode" grep -q 'ogdirty' /tmp/xl.out
stayed "refused"
goes_on "refused"
check "pflashctl changes the mode to trap" pflashctl mode $name trap
goes_on "trap"
watch
migrate here
check_equal "in trap mode the guest migrates" 0 $migrate_status
arrived "migrated"
watched "migrated"
goes_on "migrated"
check_equal "migrated: reads are direct again" direct "$(mode)"
check "pflashctl changes the mode to trap, then to direct" sh -c \
    "pflashctl mode $name trap && pflashctl mode $name direct"
goes_on "direct"
migrate_end
lab_done
