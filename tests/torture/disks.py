# SPDX-License-Identifier: BSD-2-Clause
"""Small file systems for the tests: filled, shut down, mounted again."""

import array
import errno
import fcntl
import os
import shutil
import subprocess

from report import Wrong, need

SHUTDOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN, and FS_IOC_SHUTDOWN of XFS: _IOR('X', 125, __u32)
NO_LOG_FLUSH = 2       # lose what is not in the file system's own journal on disk, as a power cut does
MKFS = {
    "ext4": (16, ["mkfs.ext4", "-q", "-F", "-m", "0"]),
    "xfs": (320, ["mkfs.xfs", "-q", "-f"]),
    "btrfs": (128, ["mkfs.btrfs", "-q", "-f", "--mixed"]),
}


class CannotMount(Exception):
    pass


def command(*args):
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    try:
        done = subprocess.run(args, capture_output=True, check=False, env={**os.environ, "PATH": path})
    except FileNotFoundError as error:
        raise CannotMount(f"there is no {args[0]}") from error
    if done.returncode:
        raise CannotMount((done.stderr.decode().strip() or f"{args[0]} failed").splitlines()[-1])
    return done.stdout.decode().strip()


class Disk:
    """A mounted file system, unmounted at the end of `with`."""

    def __init__(self, options, directory, kind, least=0):
        if not options.may_mount:
            raise CannotMount("a mount name space is not available")
        self.kind, self.place = kind, os.path.join(directory, f"{kind}.mnt")
        self.image = None
        os.makedirs(self.place, exist_ok=True)
        if kind == "tmpfs":
            command("mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", self.place)
            return
        mebibytes, mkfs = MKFS[kind]
        if not shutil.which(mkfs[0], path=os.environ["PATH"] + ":/usr/sbin:/sbin"):
            raise CannotMount(f"there is no {mkfs[0]}")
        self.image = os.path.join(directory, f"{kind}.img")
        with open(self.image, "wb") as file:
            file.truncate(max(mebibytes, least) << 20)
        command(*mkfs, self.image)
        self.mount()

    def mount(self):
        options = "loop,errors=remount-ro" if self.kind == "ext4" else "loop"
        command("mount", "-t", self.kind, "-o", options, self.image, self.place)

    def unmount(self):
        command("umount", self.place)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", self.place], check=False, capture_output=True)
        if self.image:
            os.unlink(self.image)

    def path(self, name):
        return os.path.join(self.place, name)

    def fill(self):
        """Fills it to the last block. Deleted blocks may become free late, so it repeats until no write succeeds."""
        for n in range(100):
            if not self._fill(self.path(f"filler{n}")):
                return
        raise Wrong("the file system does not become full")

    def _fill(self, path):
        done = 0
        try:
            file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        except OSError as error:
            need(error.errno == errno.ENOSPC, f"filling the disk: {error}")
            return 0
        try:
            for size in (1 << 20, 64 << 10, 4096, 512):
                while True:
                    try:
                        done += os.write(file, os.urandom(size))
                    except OSError as error:
                        need(error.errno == errno.ENOSPC, f"filling the disk: {error}")
                        break
            try:
                os.fsync(file)
            except OSError:
                pass
        finally:
            os.close(file)
        return done

    def make_room(self):
        for name in os.listdir(self.place):
            if name.startswith("filler"):
                os.unlink(self.path(name))
        if self.image:
            command("sync", "-f", self.place)

    def vanish(self):
        """Makes all later I/O of this file system fail."""
        place = os.open(self.place, os.O_RDONLY)
        try:
            fcntl.ioctl(place, SHUTDOWN, array.array("I", [NO_LOG_FLUSH]))
        except OSError as error:
            raise CannotMount(f"{self.kind} can't be shut down: {error.strerror}") from error
        finally:
            os.close(place)

    def device(self):
        """Returns the name of its loop device."""
        with open("/proc/self/mounts", encoding="ascii") as mounts:
            for line in mounts:
                device, place = line.split()[:2]
                if place == self.place:
                    return os.path.basename(device)
        raise CannotMount("its device is unknown")
