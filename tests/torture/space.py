# SPDX-License-Identifier: BSD-2-Clause
"""No room on the disk: the guest gets an error, no answered burst is lost, and with new room the flash works again."""

import errno
import os
import resource
import signal

import disks
import flash
import programs
from report import check, need, skip

SIZE = 64 << 10
MOST = 3000  # bursts
KINDS = ("tmpfs", "ext4", "xfs", "btrfs")


class Guest:
    """A guest that reads the status after each burst; `model` has the bursts that succeeded."""

    def __init__(self, rng, path, image, sync="burst", **how):
        self.rng, self.path, self.sync = rng, path, sync
        self.model = flash.Model(image, sync == "op")
        self.replay = programs.Replay(path, sync, **how)

    def write(self, large=0.0):
        """Writes a random burst; returns the status."""
        burst = flash.random_burst(self.rng, SIZE, large)
        self.model.sent(burst)
        status = self.replay.write(burst)
        if status == flash.READY:
            self.model.answered(1)
        return status

    def write_many(self, count):
        for _ in range(count):
            status = self.write(0.1)
            need(status == flash.READY, f"status {status:#x}")

    def write_until_failure(self, why):
        """Writes until the status shows a failure, then more, which must fail too. Returns the first bad status."""
        for _ in range(MOST):
            status = self.write()
            if status != flash.READY:
                break
        need(status != flash.READY, f"{MOST} bursts, but the status never showed {why}")
        self.expect(self.replay.read_all(len(self.model.image)), "the guest does not read the last state that was stored")
        for _ in range(3):
            need(self.write() != flash.READY, "a burst after the failed one succeeds")
        return status

    def end_badly(self, sentence):
        code, stderr = self.replay.end()
        need(code == 1, f"exit {code}, not 1: {stderr}")
        need(stderr.count("\n") == 0 and stderr.startswith("pflash-replay: ") and sentence in stderr
             and self.path in stderr,
             f"'{sentence}' and the file are not in: {stderr}")

    def expect(self, image, otherwise, or_one_more=False):
        """The image must be the state after the last success. With --sync op it may have operations of the failed burst
        too; with or_one_more it may have the burst whose sync failed."""
        found = self.model.find(image, most=1 if or_one_more or self.sync == "op" else 0)
        need(found is not None and (found[0] == 0 or or_one_more), otherwise)

    def lost_nothing(self, or_one_more=False):
        image = programs.both(self.path)
        self.expect(image, "the image is not the one of the last burst that was answered well", or_one_more)
        self.model.go_on_from(image)

    def goes_on(self):
        """Runs the server again, to a clean end."""
        self.replay = programs.Replay(self.path, self.sync)
        self.write_many(20)
        code, stderr = self.replay.end()
        need(code == 0, f"restarting: exit {code}, {stderr}")
        programs.closed(self.path, bytes(self.model.image))


def check_status(status, want):
    """The status must be READY, PROGRAM or ERASE or both, and the bits `want`, and nothing else."""
    need(status & flash.READY and status & (flash.PROGRAM | flash.ERASE), f"status {status:#x}")
    rest = status & ~(flash.READY | flash.PROGRAM | flash.ERASE)
    need(rest == want, f"status {status:#x}: wanted {want:#x} beside READY and PROGRAM or ERASE")


def start(rng, path, sync="burst", device=False, **how):
    image = rng.randbytes(SIZE)
    if os.path.exists(path + ".journal"):
        os.unlink(path + ".journal")
    if device:
        programs.prepare_device(path, "--layout", "2m")
        image = programs.export(path)
    else:
        programs.put(path, image)
    return Guest(rng, path, image, sync, **how)


def full(rng, disk, sync):
    guest = start(rng, disk.path("vars.fd"), sync)
    guest.write_many(10)
    disk.fill()
    check_status(guest.write_until_failure("the full disk"), 0)
    guest.end_badly(os.strerror(errno.ENOSPC))
    guest.lost_nothing()
    reopened_full(guest)
    disk.make_room()
    guest.goes_on()


def reopened_full(guest):
    """Without room for the checkpoint opening fails, and nothing is lost."""
    guest.replay = programs.Replay(guest.path, guest.sync)
    code, stderr = guest.replay.end()
    need(code == 0 or (code in (1, 3) and os.strerror(errno.ENOSPC) in stderr),
         f"opened while full: exit {code}, {stderr}")
    guest.lost_nothing()


def sparse(rng, disk):
    """There is room for the journal's last bursts, but not for the holes of VARS."""
    path = disk.path("sparse.fd")
    with open(path, "wb") as file:
        file.truncate(SIZE)
    guest = Guest(rng, path, bytes(SIZE))
    burst = flash.Burst()
    for off in range(0, SIZE, flash.BLOCK):
        burst.erase(off)
    need(guest.replay.status() == flash.READY, "not ready")
    disk.fill()
    guest.model.sent(burst)
    status = guest.replay.write(burst)
    if status == flash.READY:
        guest.model.answered(1)
    code, stderr = guest.replay.end()
    need(code == 0 or code == 1 and path in stderr, f"exit {code}, {stderr}")
    guest.lost_nothing()
    disk.make_room()
    guest.goes_on()
    if code == 0:
        return "the file system had room in reserve"
    return "the checkpoint had no room" if status == flash.READY else "the journal had no room either"


def on_disks(options, rng, directory):
    for kind in KINDS:
        try:
            with disks.Disk(options, directory, kind) as disk:
                for sync in ("burst", "op", "none"):
                    check(f"a full {kind}, --sync {sync}", full, rng, disk, sync)
                check(f"a full {kind} and a VARS file with holes", sparse, rng, disk)
        except disks.CannotMount as why:
            skip(f"a full {kind}", why)


def limited(rng, directory, by_signal):
    path = os.path.join(directory, f"limit-{by_signal}.fd")
    disposition = signal.SIG_DFL if by_signal else signal.SIG_IGN

    def limit():
        signal.signal(signal.SIGXFSZ, disposition)
        resource.setrlimit(resource.RLIMIT_FSIZE, (96 << 10, 96 << 10))

    guest = start(rng, path, before=limit)
    check_status(guest.write_until_failure("the limit"), flash.VPP)
    guest.end_badly(os.strerror(errno.EFBIG))
    guest.lost_nothing()
    guest.goes_on()


def run(options, rng, directory):
    check("RLIMIT_FSIZE, SIGXFSZ ignored", limited, rng, directory, False)
    check("RLIMIT_FSIZE, SIGXFSZ with its default action", limited, rng, directory, True)
    on_disks(options, rng, directory)
