# SPDX-License-Identifier: BSD-2-Clause
# A dom0 with dpkg and the project's packages. Sourced by the deb* scenarios, which
# need: dpkg packages.

deb_packages=/lab/packages

# By a name without a directory the shell, busybox, would run its own dpkg.
deb_query=/bin/dpkg-query

# deb_host: has the directories of a merged /usr, in which /usr/sbin and /usr/bin are
# directories: the AppArmor profile names /usr/sbin/pflashd
deb_host() {
    rm /usr/sbin /usr/bin
    mkdir /usr/sbin /usr/bin
    export PATH="/usr/sbin:/usr/bin:$PATH"
    mkdir -p /var/lib/dpkg/updates /var/lib/dpkg/triggers /var/log
    : >/var/lib/dpkg/available
    # Else dpkg would remove directories, such as /usr/lib, with the last package.
    { echo /. && find / -xdev -mindepth 1; } >/tmp/list
    mv /tmp/list /var/lib/dpkg/info/lab-dom0.list
    ln -sf bash /bin/sh # of maintainer scripts and of xl's scripts
    ln -s /bin/deb-systemd-helper /bin/perl /usr/bin/ # scripts name these paths
    check "dpkg has a database, with Xen's libraries in it" sh -c \
        "$deb_query -W -f '\${db:Status-Status}\n' libxencall1 | grep -qx installed"
    check "no program of the project is there" sh -c \
        '! command -v pflashd && ! command -v pflashctl'
}

# deb_run ARGUMENT...: dpkg; its output is in /tmp/dpkg.out
deb_run() {
    lab_step "dpkg $*"
    /bin/dpkg "$@" >/tmp/dpkg.out 2>&1 </dev/null
    deb_code=$?
    sed 's/^/| /' /tmp/dpkg.out
    return $deb_code
}

# deb_status: the state of xen-pflash in dpkg's database, such as ii
deb_status() {
    $deb_query -W -f '${db:Status-Abbrev}\n' xen-pflash | tr -d ' '
}

# deb_version: the installed version without the release's suffix
deb_version() {
    $deb_query -W -f '${Version}\n' xen-pflash | sed 's/~.*//'
}
