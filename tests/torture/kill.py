# SPDX-License-Identifier: BSD-2-Clause
"""Kills the server by SIGKILL at random times, repeatedly on one file.

A killed process loses nothing that it wrote. So in every sync mode the file must have the state after a burst that was
sent, and none before the last burst that was answered.
"""

import math
import os
import time

import flash
import programs
from report import check, need, skip

SIZE = 64 << 10
MOST_ANSWERS = 250
OPENING = 0.02  # seconds
PAUSE = 0.004


class Victim:
    """A server on one file; `rest` is the part of a finite workload that is not done yet."""

    def __init__(self, rng, directory, name, sync):
        self.rng, self.sync = rng, sync
        self.path = os.path.join(directory, f"{name}-{sync}.fd")
        self.kills = self.moved = self.answered = self.opening = self.partly = 0

    def start(self, image):
        for suffix in ("", ".journal"):
            if os.path.exists(self.path + suffix):
                os.unlink(self.path + suffix)
        programs.put(self.path, image)
        self.model = flash.Model(image, self.sync == "op")

    def bursts(self):
        while True:
            yield flash.random_burst(self.rng, SIZE)

    def found(self, where):
        """Called with the (bursts, operations) that the file has."""

    def when(self):
        """Returns (answers, seconds after them) of the kill; a quarter of the kills hit the opening."""
        if self.rng.random() < 0.25:
            return 0, self.rng.random() * OPENING
        return int(math.exp(self.rng.random() * math.log(MOST_ANSWERS))), self.rng.random() * PAUSE

    def kill(self):
        model = self.model
        before = os.path.exists(self.path + ".journal")
        replay = programs.Replay(self.path, self.sync)
        answers = replay.feed_until_killed(self.bursts(), *self.when(), model.sent)
        self.kills += 1
        self.answered += answers
        self.opening += answers == 0
        sent = len(model.ahead)
        model.answered(answers)
        image = programs.both(self.path)
        where = model.find(image)
        need(where is not None,
             f"after kill {self.kills}: {answers} bursts were answered, {sent} more sent, but the image is not the "
             f"state after any of them (journal before: {before})")
        self.moved += answers + where[0] > 0
        self.partly += where != (0, 0)
        self.found((answers + where[0], where[1]))
        model.go_on_from(image)
        if self.rng.random() < 0.2:
            self.check_history(image)
        if self.rng.random() < 0.3:
            programs.closed(self.path, image)

    def check_history(self, image):
        code, log, stderr = programs.ctl("log", "--bursts", self.path)
        need(code == 0, f"log: exit {code}, {stderr}")
        points = [line.split()[0] for line in programs.independent(self.path, "--log").decode().splitlines()]
        if not points and not os.path.exists(self.path + ".journal"):
            return
        need(points, "there is no history")
        numbers = [line.split()[0] for line in log.decode().splitlines() if line[:1].isdigit()]
        need(numbers == points, f"log has {numbers}, tests/reader.py {points}")
        last = points[-1]
        code, past, stderr = programs.ctl("export", "--at", last, self.path, "-")
        need(code == 0, f"export --at {last}: exit {code}, {stderr}")
        need(past == image, f"point {last}, the end of the history, has a different image")

    def result(self):
        need(self.moved > 0 and self.answered > 0, f"{self.kills} kills, but no burst was ever answered")
        return (f"{self.kills} kills, {self.answered} bursts answered, {self.opening} kills before the first answer, "
                f"{self.partly} with more in the file than answered")


class Boot(Victim):
    """A first boot from the template, repeated when it is complete."""

    def __init__(self, *args):
        super().__init__(*args)
        self.template, self.trace = programs.contents(flash.TEMPLATE), flash.from_trace()
        self.boots, self.rest = 0, []

    def bursts(self):
        if not self.rest:
            self.rest = list(self.trace)
            self.start(self.template)
            self.boots += 1
        return list(self.rest)

    def kill(self):
        self.bursts()
        super().kill()

    def found(self, where):
        bursts, ops = where
        del self.rest[:bursts]
        if ops:
            self.rest[0] = remainder(self.rest[0], ops)


class Device(Boot):
    """The same on a complete device, which is a regular file; no other file may appear."""

    def start(self, image):
        template = self.path + ".template"
        programs.put(template, image)
        programs.prepare_device(self.path, "--template", template)
        os.unlink(template)
        self.model = flash.Model(image, self.sync == "op")

    def found(self, where):
        super().found(where)
        need(not os.path.exists(self.path + ".journal"), "there is a journal beside the device")


def remainder(burst, done):
    """Returns the part of a burst of byte programs and erases that is not done yet."""
    rest = flash.Burst()
    for off, data in burst.ops[done:]:
        if data is None:
            rest.erase(off)
        else:
            rest.program(off, data)
    return rest


def series(victim, kills, seconds):
    until = time.monotonic() + seconds
    while victim.kills < kills and time.monotonic() < until:
        victim.kill()
    return victim.result()


def run(options, rng, directory):
    kills, seconds = (170, 3600) if options.long else (7, 3.5)
    for sync in ("burst", "op", "none"):
        if os.path.exists(flash.TEMPLATE):
            for what, kind in ("a file", Boot), ("a complete device", Device):
                check(f"SIGKILL during a first boot, {what}, --sync {sync}", series,
                      kind(rng, directory, kind.__name__.lower(), sync), kills, seconds)
        else:
            skip("SIGKILL during a first boot", f"no {flash.TEMPLATE} (package ovmf)")
        victim = Victim(rng, directory, "random", sync)
        victim.start(b"\xff" * SIZE)
        check(f"SIGKILL during random writes, --sync {sync}", series, victim, kills, seconds)
