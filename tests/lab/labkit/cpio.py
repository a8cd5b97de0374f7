# SPDX-License-Identifier: BSD-2-Clause
"""Writes the archives an initramfs is made of ("newc"; Linux: buffer-format.rst).

cpio(1) cannot make a device node without root. Times, owners and inode numbers
are constant: equal input gives an equal archive.
"""

import os
import stat

ALIGN = 4
ARCHIVE_ALIGN = 512     # the kernel skips zeros between concatenated archives


class Writer:
    """One archive, written to a binary file object. Call close() at the end.

    `links` are the links to directories, {path: target}, of the tree into which
    the archive is unpacked: paths that lead through one are written as paths
    below its target, for the kernel replaces a link by a directory of its name.
    """

    def __init__(self, out, links=None):
        self.out = out
        self.links = links or {}
        self.offset = out.tell()
        self.ino = 0
        self.dirs = set()

    def place(self, path):
        """`path` without a link to a directory in it."""
        path = path.strip("/")
        for link, target in self.links.items():
            if path.startswith(link + "/"):
                return self.place(f"{target}/{path.removeprefix(link + '/')}")
        return path

    def directory(self, path, mode=0o755):
        """Adds a directory and those above it, once."""
        path = self.place(path)
        if not path or path in self.dirs:
            return
        self.directory(os.path.dirname(path))
        self.dirs.add(path)
        self._entry(path, stat.S_IFDIR | mode, b"")

    def data(self, path, content, mode=0o644):
        path = self.place(path)
        self.directory(os.path.dirname(path))
        self._entry(path, stat.S_IFREG | mode, content)

    def file(self, path, source, mode=None):
        """Adds the contents of `source`; its own mode unless one is given."""
        with open(source, "rb") as f:
            content = f.read()
            if mode is None:
                mode = 0o755 if os.fstat(f.fileno()).st_mode & 0o100 else 0o644
        self.data(path, content, mode)

    def symlink(self, path, target):
        path = self.place(path)
        self.directory(os.path.dirname(path))
        self._entry(path, stat.S_IFLNK | 0o777, target.encode())

    def device(self, path, major, minor, mode=0o600):
        path = self.place(path)
        self.directory(os.path.dirname(path))
        self._entry(path, stat.S_IFCHR | mode, b"", major, minor)

    def close(self):
        self._entry("TRAILER!!!", 0, b"")
        self._pad(ARCHIVE_ALIGN)

    def _entry(self, name, mode, content, major=0, minor=0):
        self.ino += 1
        name = name.encode() + b"\0"
        fields = (self.ino, mode, 0, 0, 1, 0, len(content), 0, 0, major, minor,
                  len(name), 0)
        self._write(b"070701" + b"".join(b"%08X" % f for f in fields))
        self._write(name)
        self._pad(ALIGN)
        self._write(content)
        self._pad(ALIGN)

    def _write(self, data):
        self.out.write(data)
        self.offset += len(data)

    def _pad(self, align):
        self._write(bytes(-self.offset % align))
