# SPDX-License-Identifier: BSD-2-Clause
"""apt for the packages of the current release.

This machine's release: apt as it is configured here. A foreign release: lists and
sources of its own in the cache, without root; apt checks them with the keys of
Debian's archive that this machine has.
"""

import functools
import os
import subprocess

from labkit import paths, releases
from labkit.report import LabError

KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
# Neither this machine's packages nor its preferences count, and its hooks must
# not run.
CONF = """\
Dir::Etc::sourcelist "{here}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State "{here}";
Dir::State::status "/dev/null";
Dir::Cache "{here}/cache";
APT::Architecture "amd64";
APT::Architectures {{ "amd64"; }};
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
"""


def options():
    """The options that apt needs for the current release. The first call of a
    process downloads the lists of a foreign one."""
    if not releases.is_foreign():
        return ()
    return ("-c", _configure(releases.current(),
                             os.path.abspath(paths.release_cache("apt"))))


@functools.lru_cache(None)
def _configure(release, here):
    for directory in ("lists/partial", "cache/archives/partial"):
        os.makedirs(os.path.join(here, directory), exist_ok=True)
    with open(os.path.join(here, "sources.list"), "w", encoding="ascii") as f:
        for uri, suite in release.archive:
            f.write(f"deb [signed-by={KEYS}] {uri} {suite} main\n")
    conf = os.path.join(here, "apt.conf")
    with open(conf, "w", encoding="ascii") as f:
        f.write(CONF.format(here=here))
    done = subprocess.run(["apt-get", "-c", conf, "-q", "update",
                           "--error-on=any"], text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        print("\n".join(done.stdout.splitlines()[-10:]), flush=True)
        raise LabError(f"apt-get could not update its lists of {release.name}")
    return conf
