# SPDX-License-Identifier: BSD-2-Clause
"""A disk vanishes under a running server, and comes back with its contents.

The file system is shut down without writing its own journal, which for it is a power cut. Mounted again, it has all
synced data, and those other data that it happened to have written.
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
        need(guest.replay.write(guest.model.ahead[-1]) == flash.READY, "a burst failed before the disk vanished")


def once(guest, disk):
    """Bursts sent stay in model.ahead: in mode none an older state may be found, but none before the last sync."""
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
    status = 0
    for _ in range(3):
        guest.model.sent(flash.random_burst(guest.rng, space.SIZE))
        status = guest.replay.write(guest.model.ahead[-1])
    need(status & flash.VPP and status & (flash.PROGRAM | flash.ERASE), f"status {status:#x} without a disk")
    code, stderr = guest.replay.end()
    need(code == 1 and EIO in stderr, f"exit {code}: {stderr}")
    disk.unmount()
    disk.mount()
    found = guest.model.find(programs.both(guest.path), least)
    need(found is not None, f"{least} bursts were durable, {len(guest.model.ahead)} sent, but the image is not the "
                            f"state after any of them")
    guest.model.go_on_from(programs.export(guest.path))
    return found[0] - least


def series(rng, disk, sync, device, times, seconds):
    guest = space.start(rng, disk.path("device.fd" if device else "vars.fd"), sync, device)
    need(guest.replay.end()[0] == 0, "the first run failed")
    until, done, more = time.monotonic() + seconds, 0, 0
    while done < times and time.monotonic() < until:
        more += once(guest, disk)
        done += 1
    guest.goes_on()
    return f"{done} times; the files had {more} bursts beyond the durable ones"


def run(options, rng, directory):
    times, seconds = (50, 600) if options.long else (4, 5)
    for kind in ("ext4", "xfs"):
        try:
            with disks.Disk(options, directory, kind) as disk:
                disk.vanish()
                disk.unmount()
                disk.mount()
                for sync in ("burst", "op", "none"):
                    check(f"a disk with {kind} vanishes, --sync {sync}", series, rng, disk, sync, False, times, seconds)
            with disks.Disk(options, directory, kind, 48) as disk:
                check(f"a disk with {kind} and a complete device vanishes", series, rng, disk, "burst", True, times,
                      seconds)
        except disks.CannotMount as why:
            skip(f"a disk with {kind} vanishes", why)
