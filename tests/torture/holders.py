# SPDX-License-Identifier: BSD-2-Clause
"""Tests that opening a file that cannot be used is refused, and does not change it."""

import errno
import os

import disks
import programs
import space
from report import check, need, skip


def refused(path, pattern, code=3, program=None):
    done = programs.run(*(program or (f"{programs.build}/pflash-replay", "--vars", path)))
    stderr = done.stderr.decode().strip()
    need(done.returncode == code and pattern in stderr and stderr.count("\n") == 0,
         f"exit {done.returncode}, not {code}, or no '{pattern}' in: {stderr}")


def two(rng, directory, device):
    path = os.path.join(directory, "device.fd" if device else "two.fd")
    guest = space.start(rng, path, device=device)
    guest.write_many(10)
    by = f"in use by pid {guest.replay.process.pid}"
    link = path + ".link"
    os.symlink(path, link)
    for name in (path, link):
        refused(name, by)
        refused(name, by, 4, (f"{programs.build}/pflashctl", "accept", name))
    need(programs.both(path) == guest.model.image, "an export while the server runs has a wrong image")
    guest.write_many(10)
    need(guest.replay.end()[0] == 0, "the first server failed")
    guest.lost_nothing()
    guest.goes_on()


def untouched(path, pattern):
    before = programs.contents(path)
    refused(path, pattern)
    need(programs.contents(path) == before, "VARS was changed")


def journal_link(directory):
    path = os.path.join(directory, "to-full.fd")
    programs.put(path, bytes(space.SIZE))
    os.symlink("/dev/full", path + ".journal")
    untouched(path, "is a symbolic link, which is not followed here")


def journal_mounted(directory):
    path = os.path.join(directory, "full.fd")
    programs.put(path, bytes(space.SIZE))
    programs.put(path + ".journal", b"")
    disks.command("mount", "--bind", "/dev/full", path + ".journal")
    try:
        untouched(path, "not a regular file")
    finally:
        disks.command("umount", path + ".journal")


def read_only(rng, disk):
    guest = space.start(rng, disk.path("ro.fd"))
    guest.write_many(20)
    guest.replay.kill()
    disks.command("mount", "-o", "remount,ro", disk.place)
    guest.lost_nothing()
    untouched(guest.path, os.strerror(errno.EROFS))
    disks.command("mount", "-o", "remount,rw", disk.place)
    guest.lost_nothing()
    guest.goes_on()


def device(rng, directory):
    """A block device needs --journal: pflash-replay lacks this option, pflashctl uses the device with it."""
    journal = os.path.join(directory, "device.journal")
    guest = space.start(rng, os.path.join(directory, "device.img"))
    first = bytes(guest.model.image)
    guest.write_many(20)
    guest.replay.kill()
    os.rename(guest.path + ".journal", journal)
    name = disks.command("losetup", "--find", "--show", guest.path)
    try:
        refused(name, "--journal must say")
        code, got, stderr = programs.ctl("export", "--journal", journal, name, "-")
        need(code == 0 and got == guest.model.image, f"export: exit {code}, {stderr}")
        code, log, stderr = programs.ctl("log", "--bursts", "--journal", journal, name)
        need(code == 0 and log[:1].isdigit(), f"log: exit {code}, {stderr}")
        code, _, stderr = programs.ctl("rollback", "--to", log.split()[0].decode(), "--journal", journal, name)
        need(code == 0, f"rollback: exit {code}, {stderr}")
    finally:
        disks.command("losetup", "-d", name)
    need(programs.contents(guest.path) == first, "the device does not have the image of the rollback")


def mounted(text, options, function, *args):
    try:
        if not options.may_mount:
            raise disks.CannotMount("a mount name space is not available")
        check(text, function, *args)
    except disks.CannotMount as why:
        skip(text, why)


def run(options, rng, directory):
    check("two servers at once", two, rng, directory, False)
    check("two servers at once, a complete device", two, rng, directory, True)
    check("a journal that is a link to /dev/full", journal_link, directory)
    mounted("a journal that is /dev/full", options, journal_mounted, directory)
    mounted("VARS on a block device", options, device, rng, directory)
    try:
        with disks.Disk(options, directory, "tmpfs") as disk:
            check("a file system mounted read-only", read_only, rng, disk)
    except disks.CannotMount as why:
        skip("a file system mounted read-only", why)
