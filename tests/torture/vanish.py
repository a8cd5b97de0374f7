# SPDX-License-Identifier: BSD-2-Clause
"""A disk that vanishes under a running server, and comes back with what was on it.

The file system is shut down without writing its own journal, which is a power cut above the disk; mounted again, it has
what was synced, and of the rest what it had written by chance.
"""

import errno
import os
import time

import disks
import flash
import programs
import space
from report import check, need, skip

EIO = os.strerror(errno.EIO)


def write_some(guest, count):
    for _ in range(count):
        guest.model.sent(flash.random_burst(guest.rng, space.SIZE, 0.02))
        need(guest.replay.write(guest.model.ahead[-1]) == flash.READY, "a burst failed before the disk was gone")


def once(guest, disk):
    """What was sent stays in model.ahead: in mode none an earlier state may be found, but none before the last sync."""
    guest.replay = programs.Replay(guest.path, guest.sync)
    need(guest.replay.status() == flash.READY, "not ready")
    write_some(guest, guest.rng.randrange(1, 40))
    least = len(guest.model.ahead)
    if guest.sync == "none":
        least = least if guest.rng.random() < 0.5 else 0
        if least:
            disks.command("sync", "-f", disk.place)
            write_some(guest, 10)
    disk.vanish()
    told = 0
    for _ in range(3):
        guest.model.sent(flash.random_burst(guest.rng, space.SIZE))
        told = guest.replay.write(guest.model.ahead[-1])
    need(told & flash.VPP and told & (flash.PROGRAM | flash.ERASE), f"status {told:#x} without a disk")
    code, said = guest.replay.end()
    need(code == 1 and EIO in said, f"exit {code}: {said}")
    disk.unmount()
    disk.mount()
    found = guest.model.find(programs.both(guest.path), least)
    need(found is not None, f"{least} bursts were durable, {len(guest.model.ahead)} sent, and the image is none of them")
    guest.model.go_on_from(programs.export(guest.path))
    return found[0] - least


def series(rng, disk, sync, times, seconds):
    guest = space.start(rng, disk.path("vars.fd"), sync)
    need(guest.replay.end()[0] == 0, "the first run")
    until, done, more = time.monotonic() + seconds, 0, 0
    while done < times and time.monotonic() < until:
        more += once(guest, disk)
        done += 1
    guest.goes_on()
    return f"{done} times; in the files were {more} bursts that need not have been"


def run(options, rng, directory):
    times, seconds = (50, 600) if options.long else (4, 5)
    for kind in ("ext4", "xfs"):
        try:
            with disks.Disk(options, directory, kind) as disk:
                disk.vanish()
                disk.unmount()
                disk.mount()
                for sync in ("burst", "op", "none"):
                    check(f"an {kind} vanishes, --sync {sync}", series, rng, disk, sync, times, seconds)
        except disks.CannotMount as why:
            skip(f"a vanishing {kind}", why)
