# SPDX-License-Identifier: BSD-2-Clause
"""How long each step of the tests takes, for estimates.

A step's name is its kind and its name, such as `lab boot`. tests/durations has
default values; the file `durations` in the cache has the last successful run
of each step on this machine. Both have lines `SECONDS NAME`.
"""

import os
import re

from labkit import paths, releases

DEFAULTS = os.path.join(paths.TOP, "tests", "durations")


def _cached():
    return os.path.join(paths.cache(), "durations")


def _read(path):
    """{step: seconds}; lines that are not understood are ignored."""
    steps = {}
    try:
        with open(path, encoding="utf-8") as f:
            for line in f:
                seconds, _, step = line.strip().partition(" ")
                if seconds.replace(".", "", 1).isdigit() and step:
                    steps[step] = float(seconds)
    except OSError:
        pass
    return steps


def load():
    return {**_read(DEFAULTS), **_read(_cached())}


def of_step(step, table=None):
    """The seconds of a step, None if unknown. A scenario on a foreign release or
    another Xen that has not passed yet takes as long as on this machine's."""
    table = load() if table is None else table
    own = re.sub(r"-xen-[0-9.]+$", "", step)
    for name in releases.RELEASES:
        own = own.removesuffix("-" + name)
    return table.get(step, table.get(own))


def record(step, seconds):
    """An estimate is not worth an error: a cache that cannot be written is
    ignored."""
    steps = {**_read(_cached()), step: seconds}
    new = f"{_cached()}.{os.getpid()}"
    try:
        os.makedirs(paths.cache(), exist_ok=True)
        with open(new, "w", encoding="utf-8") as f:
            for name in sorted(steps):
                f.write(f"{steps[name]:.1f} {name}\n")
        os.replace(new, _cached())
    except OSError:
        pass


def text(seconds):
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
