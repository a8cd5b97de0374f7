#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""disk.py DISK PATH=CODE...: makes a disk with a GPT and an EFI system partition.

Each CODE is flat machine code. efi.py makes an EFI application of it, the file
PATH in the partition (FAT16, names of 8.3).

Formats: UEFI specification 2.10, section 5.3 (GPT); Microsoft's FAT
specification 1.03.
"""

import struct
import sys
import uuid
import zlib

import efi

SECTOR = 512
START = 2048            # of the partition
SECTORS = 16384         # of the partition: 8 MiB
TOTAL = START + SECTORS + 2048
SYSTEM = uuid.UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
PARTITION = uuid.UUID("5eed0001-1234-4321-8765-0123456789ab")
DISK = uuid.UUID("5eed0000-1234-4321-8765-0123456789ab")


class Fat:
    """A FAT16 file system with clusters of one sector."""

    def __init__(self):
        self.fat = [0xfff8, 0xffff]
        self.data = []              # sectors from cluster 2 on
        self.tables = 64            # sectors of one FAT

    def add(self, contents):
        """Stores the contents; returns the first cluster."""
        count = max(1, (len(contents) + SECTOR - 1) // SECTOR)
        first = len(self.fat)
        for i in range(count):
            self.data.append(contents[i * SECTOR:][:SECTOR].ljust(SECTOR, b"\0"))
            self.fat.append(0xffff if i + 1 == count else first + i + 1)
        return first

    @staticmethod
    def entry(name, attributes, cluster, size):
        base, _, suffix = name.upper().partition(".")
        short = base.ljust(8).encode() + suffix.ljust(3).encode()
        if name in (".", ".."):
            short = name.ljust(11).encode()
        return struct.pack("<11sB8xHHHHI", short, attributes, 0, 0, 0x21,
                           cluster, size)

    def directory(self, tree):
        """The entries of a tree of names; its parts are stored."""
        entries = b""
        for name, part in sorted(tree.items()):
            if isinstance(part, dict):
                inside = self.directory(part)
                own = len(self.fat)
                dots = self.entry(".", 0x10, own, 0) + self.entry("..", 0x10, 0, 0)
                entries += self.entry(name, 0x10, self.add(dots + inside), 0)
            else:
                entries += self.entry(name, 0x20, self.add(part), len(part))
        return entries

    def image(self, tree):
        root = self.directory(tree).ljust(32 * SECTOR, b"\0")
        boot = b"\xeb\x3c\x90" + struct.pack(
            "<8sHBHBHHBHHHII", b"PFLASH  ", SECTOR, 1, 1, 2, 512, SECTORS, 0xf8,
            self.tables, 32, 2, START, 0)
        boot += struct.pack("<BBBI11s8s", 0x80, 0, 0x29, 1, b"BOOT".ljust(11),
                            b"FAT16".ljust(8))
        boot = boot.ljust(510, b"\0") + b"\x55\xaa"
        fat = struct.pack(f"<{len(self.fat)}H", *self.fat)
        fat = fat.ljust(self.tables * SECTOR, b"\0")
        whole = boot + fat + fat + root + b"".join(self.data)
        return whole.ljust(SECTORS * SECTOR, b"\0")


def gpt_header(own, other, entries_at, entries):
    def pack(crc):
        return struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, crc, 0,
                           own, other, 34, TOTAL - 34, DISK.bytes_le, entries_at,
                           128, 128, zlib.crc32(entries))
    return pack(zlib.crc32(pack(0))).ljust(SECTOR, b"\0")


def disk(partition):
    entry = struct.pack("<16s16sQQQ72s", SYSTEM.bytes_le, PARTITION.bytes_le, START,
                        START + SECTORS - 1, 0, "boot".encode("utf-16le"))
    entries = entry.ljust(128 * 128, b"\0")
    mbr = bytes(446) + struct.pack("<BBBBBBBBII", 0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff,
                                   1, TOTAL - 1)
    image = bytearray(TOTAL * SECTOR)
    for sector, part in ((0, mbr.ljust(510, b"\0") + b"\x55\xaa"),
                         (1, gpt_header(1, TOTAL - 1, 2, entries)), (2, entries),
                         (START, partition), (TOTAL - 33, entries),
                         (TOTAL - 1, gpt_header(TOTAL - 1, 1, TOTAL - 33, entries))):
        image[sector * SECTOR:sector * SECTOR + len(part)] = part
    return bytes(image)


def main():
    tree = {}
    for argument in sys.argv[2:]:
        path, _, name = argument.partition("=")
        *directories, last = path.strip("/").split("/")
        place = tree
        for directory in directories:
            place = place.setdefault(directory, {})
        with open(name, "rb") as file:
            place[last] = efi.image(file.read())
    with open(sys.argv[1], "wb") as file:
        file.write(disk(Fat().image(tree)))


if __name__ == "__main__":
    main()
