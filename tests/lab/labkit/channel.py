# SPDX-License-Identifier: BSD-2-Clause
"""The result channel: the parser of dom0's lines.

    ok - TEXT | not ok - TEXT | skip - TEXT     a check
    # TEXT                                      a remark, shown as it is
    lab: step TEXT                              the scenario begins this
    lab: progress TEXT                          how far it is, soon outdated
    lab: summary TEXT                           a sentence for the end
    lab: ready SECONDS                          dom0 is up (its own uptime)
    lab: skip-all TEXT                          the scenario cannot run here
    lab: done                                   the scenario reached its end
    lab: end STATUS                             the scenario's exit status
    lab: host NUMBER start|kill                 start another machine, or cut
                                                its power
    lab: fatal TEXT                             dom0 did not come up
    lab: file NAME, base64 lines, lab: file-end SHA256    a gzipped file
"""

import base64
import binascii
import gzip
import hashlib
import os
import re
import zlib

CHECK = re.compile(r"^(ok|not ok|skip) - (.*)$")
SAFE_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*$")


class Results:
    """The results that one boot has reported so far. `say` shows a line to the
    user, `step` a step; `out` is the directory for exported files."""

    def __init__(self, say, out, step=None):
        self.say = say
        self.step = step or say
        self.out = out
        self.counts = {"ok": 0, "not ok": 0, "skip": 0}
        self.ready = None       # dom0's uptime when it was up
        self.done = False       # the scenario called lab_done
        self.skipped = None     # why all of it was skipped
        self.status = None      # exit status of the scenario
        self.fatal = None
        self.news = "no check yet"
        self.failures = []      # texts of the checks that were not ok
        self.summary = []
        self.order = None       # function for orders about another machine
        self._file = None       # name and lines of the file under way

    def ended(self):
        return self.status is not None or self.fatal is not None

    def line(self, text):
        text = text.strip("\r\n\0")
        if text.startswith("lab: "):
            verb, _, rest = text[5:].partition(" ")
            self._control(verb, rest)
        elif self._file:
            self._file[1].append(text)
        elif CHECK.match(text):
            self._check(*CHECK.match(text).groups())
            self.news = f"last check: {text}"
            self.say(text)
        elif text:
            self.news = text.removeprefix("# ")
            self.say(text)

    def _check(self, kind, text):
        self.counts[kind] += 1
        if kind == "not ok":
            self.failures.append(text)

    def _control(self, verb, rest):
        if verb == "ready":
            self.ready = float(rest)
        elif verb == "step":
            self.news = rest
            self.step(rest)
        elif verb == "progress":
            self.news = rest
        elif verb == "summary":
            self.summary.append(rest)
        elif verb == "done":
            self.done = True
        elif verb == "skip-all":
            self.skipped = rest
        elif verb == "end":
            self.status = int(rest)
        elif verb == "host" and self.order:
            number, _, what = rest.partition(" ")
            self.order(int(number), what)
        elif verb == "fatal":
            self.fatal = rest
        elif verb == "file":
            self._file = (rest, [])
        elif verb == "file-end" and self._file:
            name, lines = self._file
            self._file = None
            self._store(name, lines, rest)

    def _store(self, name, lines, digest):
        try:
            data = gzip.decompress(base64.b64decode("".join(lines)))
        except (binascii.Error, zlib.error, OSError, EOFError) as error:
            self.line(f"not ok - export of {name}: {error}")
            return
        if not SAFE_NAME.match(name):
            self.line(f"not ok - export of {name}: not a plain file name")
        elif hashlib.sha256(data).hexdigest() != digest:
            self.line(f"not ok - export of {name}: damaged on the way")
        else:
            path = os.path.join(self.out, name)
            with open(path, "wb") as f:
                f.write(data)
            self.say(f"# {name}: {len(data)} bytes in {path}")
