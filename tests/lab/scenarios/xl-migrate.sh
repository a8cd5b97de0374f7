# SPDX-License-Identifier: BSD-2-Clause
# about: xl migrate to the same host, in the middle of commands; refused in direct mode and for another guest of that name; aborted before and after the suspend
# needs: block build/lab/guest.elf build/pflashd build/pflashctl
# needs: integration/xl/block-pflash integration/xl/pflash-common.sh tests/lab/xl.sh tests/lab/migrate.sh
# slow: five migrations
# timeout: 1800
. /lab/lib.sh
. /lab/xl.sh
. /lab/migrate.sh

# Reads only the beginning of the stream: fails before the suspend.
receiver early 'head -c 2000000 | "$@"'
# Kills the receiving xl when the arriving guest has its flash; xl cleans up
# nothing. Descriptor 5, because a background job has no standard input.
# shellcheck disable=SC2016
receiver late 'exec 5<&0
"$@" <&5 &
n=0
until pflashctl status move--incoming >/dev/null 2>&1; do
    n=$((n + 1))
    [ $n -lt 600 ] || exit 1
    usleep 100000
done
kill -9 $!'

# Small: a migration is very slow in the emulator.
migrate_create pvh control=xenstore 'memory = 32' 'shadow_memory = 8'

# --- in direct mode ---

check_equal "the mode is direct" direct "$(mode)"
migrate here
check "in direct mode xl refuses the migration" test $migrate_status -ne 0
check "the reason is log-dirty mode" grep -q 'ogdirty' /tmp/xl.out
stayed "refused"
goes_on "refused"
check_equal "refused: the mode is unchanged" direct "$(mode)"

# --- the mode changes under the guest ---

for wanted in trap direct trap; do
    check "pflashctl changes the mode to $wanted" pflashctl mode $name $wanted
    check_equal "the mode is $wanted" $wanted "$(mode)"
    goes_on "$wanted"
done

# --- another guest, with the name of an arriving guest ---

xl_config $name--incoming pvh test=hole 'memory = 32'
xl create -p /tmp/$name--incoming.cfg
check_equal "tenant: a fresh guest of that name is created" 0 $?
check_equal "tenant: the other guest has a flash of its own" "$xl_dir/$name--incoming.fd" \
    "$(lab_field "$(lab_domid $name--incoming)" vars)"
xl destroy $name--incoming
stayed "tenant"
goes_on "tenant"

# --- in trap mode ---

watch
migrate here
check_equal "in trap mode the guest migrates" 0 $migrate_status
arrived "migrated"
watched "migrated"
goes_on "migrated"
check_equal "migrated: reads are direct again" direct "$(mode)"

# --- aborted ---

check "pflashctl changes the mode to trap again" pflashctl mode $name trap
watch
migrate early
check "aborted before the end" test $migrate_status -ne 0
stayed "early"
goes_on "early"
watched "early"

# The configuration is wrong: the receiver notices after the suspend.
echo nonsense >/etc/xen/pflash/$name.conf
watch
migrate here
check "aborted by the script" test $migrate_status -ne 0
stayed "script"
goes_on "script"
watched "script"
rm /etc/xen/pflash/$name.conf

# The incomplete guest is there, with the file, until it is destroyed.
watch
migrate late &
late=$!
check "late: another domain has the flash" lab_wait 200 \
    pflashctl status $name--incoming
check "late: xl resumes the old guest" lab_wait 60 lab_ended $late
check "late: pflashd waits for the file" lab_wait 60 \
    grep -q 'resumed and waits' /tmp/syslog
xl destroy $name--incoming
wait $late
stayed "late"
goes_on "late"
watched "late"

# --- a migration after the failures ---

watch
migrate here
check_equal "the guest migrates after the failures" 0 $migrate_status
arrived "again"
goes_on "again"
watched "again"
check "pflashctl changes the mode to trap, then to direct" sh -c \
    "pflashctl mode $name trap && pflashctl mode $name direct"
goes_on "direct"
migrate_end
lab_done
