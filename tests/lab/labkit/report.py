# SPDX-License-Identifier: BSD-2-Clause
"""What the lab says to its user, and the one exception it raises."""

import sys
import time


class LabError(Exception):
    """The lab itself failed; the text is one line for the user. Exit code 2."""


class Progress:
    """Lines with the seconds since the work began."""

    def __init__(self, prefix):
        self.prefix = prefix
        self.start = time.monotonic()

    def start_again(self):
        """What came before was waiting."""
        self.start = time.monotonic()

    def elapsed(self):
        return time.monotonic() - self.start

    def say(self, text):
        print(f"{self.prefix}: [{self.elapsed():6.1f}s] {text}", flush=True)


def fail(text):
    print(f"lab: {text}", file=sys.stderr, flush=True)
