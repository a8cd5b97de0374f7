# SPDX-License-Identifier: BSD-2-Clause
"""Messages of the lab to its user, and the one exception that it raises."""

import os
import shutil
import sys
import time


class LabError(Exception):
    """The lab itself failed; the text is one line for the user. Exit code 2."""


def of_expected(elapsed, expected):
    """Elapsed and expected time; an estimate may be wrong or missing."""
    if not expected:
        return f"{elapsed:.0f} s"
    if elapsed <= expected:
        return f"{elapsed:.0f} s of about {expected:.0f} s"
    return f"{elapsed:.0f} s, expected {expected:.0f} s"


class StatusLine:
    """The last line on a terminal, rewritten in place. Where the stream is no
    terminal, only the permanent lines appear."""

    def __init__(self, stream=None):
        self.stream = stream or sys.stdout
        self.live = (self.stream.isatty()
                     and os.environ.get("TERM", "dumb") != "dumb")
        self.shown = ""

    def show(self, text):
        if not self.live or text == self.shown:
            return
        width = shutil.get_terminal_size().columns - 1
        self.stream.write(f"\r{text[:width]}\033[K")
        self.stream.flush()
        self.shown = text

    def clear(self):
        if self.shown:
            self.stream.write("\r\033[K")
            self.stream.flush()
            self.shown = ""

    def line(self, text):
        """A permanent line. The next show() draws the status below it."""
        self.clear()
        print(text, file=self.stream, flush=True)


STATUS = StatusLine()


class Progress:
    """Lines with the seconds since the work began. `expected`: the estimated
    seconds for the whole work, or None."""

    def __init__(self, prefix, expected=None, status=STATUS):
        self.prefix = prefix
        self.expected = expected
        self.status = status
        self.start = self.said = time.monotonic()

    def start_again(self):
        """The time until now was spent on waiting: do not count it."""
        self.start = time.monotonic()

    def elapsed(self):
        return time.monotonic() - self.start

    def quiet(self):
        """Seconds since the last permanent line."""
        return time.monotonic() - self.said

    def line(self, text):
        self.said = time.monotonic()
        self.status.line(text)

    def say(self, text):
        self.line(f"{self.prefix}: [{self.elapsed():6.1f} s] {text}")

    def _of_expected(self, text):
        return (f"{self.prefix}: [{of_expected(self.elapsed(), self.expected)}]"
                f" {text}")

    def say_state(self, text):
        self.line(self._of_expected(text))

    def show_state(self, text):
        self.status.show(self._of_expected(text))


def fail(text):
    STATUS.clear()
    print(f"lab: {text}", file=sys.stderr, flush=True)
