# SPDX-License-Identifier: BSD-2-Clause
"""Makes dpkg's database for dom0: the packages that its files come from are
installed there, for the dependencies of the project's packages.

dom0 has some files of each package only: the lists of files are empty, and what
the packages depend on, much of which is not there, is left out. All files and
directories belong to one more package, OWNER, whose list deb.sh makes in dom0.
"""

import os
import subprocess

from labkit import archive
from labkit.report import LabError

PLACE = "var/lib/dpkg"
# Of an entry of apt's lists; the others belong to the archive.
FIELDS = ("Package", "Source", "Version", "Architecture", "Multi-Arch",
          "Priority", "Section", "Maintainer", "Provides", "Description")
OWNER = """Package: lab-dom0
Status: install ok installed
Version: 1
Architecture: all
Maintainer: xen-pflash
Description: all files of the lab's dom0
"""


def _entries(names):
    done = subprocess.run(["apt-cache", *archive.options(), "show",
                           "--no-all-versions", *names], text=True, check=False,
                          capture_output=True)
    if done.returncode:
        raise LabError("apt-cache show failed: " + done.stderr.strip())
    return [entry for entry in done.stdout.split("\n\n") if entry.strip()]


def fields(entry):
    """{name: value} of one entry; lines after the first of a value stay as they
    are."""
    found, name = {}, None
    for line in entry.strip("\n").split("\n"):
        if line[0].isspace():
            found[name] += "\n" + line
        else:
            name, _, value = line.partition(":")
            found[name] = value.strip()
    return found


def status(entry):
    """The paragraph of an installed package, and the name of its list of files."""
    have = fields(entry)
    # apt shows a description of some language, without its long part.
    for name in list(have):
        if name.startswith("Description-") and name != "Description-md5":
            have.setdefault("Description", have[name])
    lines = [f"Package: {have['Package']}", "Status: install ok installed"]
    lines += [f"{name}: {have[name]}" for name in FIELDS[1:] if name in have]
    place = have["Package"]
    if have.get("Multi-Arch") == "same":
        place += ":" + have["Architecture"]
    return "\n".join(lines) + "\n", place + ".list"


def write(root, names):
    """Below the directory `root`, with these packages as installed ones."""
    info = os.path.join(root, PLACE, "info")
    os.makedirs(info, exist_ok=True)
    paragraphs = []
    for entry in _entries(sorted(names)):
        paragraph, place = status(entry)
        paragraphs.append(paragraph)
        with open(os.path.join(info, place), "w", encoding="ascii"):
            pass
    with open(os.path.join(info, "format"), "w", encoding="ascii") as f:
        f.write("1\n")
    with open(os.path.join(root, PLACE, "status"), "w", encoding="utf-8") as f:
        f.write("\n".join([*paragraphs, OWNER]))
