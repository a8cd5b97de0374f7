#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""efi.py CODE FILE [SBAT]: makes an EFI application.

CODE is flat machine code for 0x1000, which begins at its first byte. SBAT is
text for the section .sbat, without which shim starts no program.

Formats: the PE/COFF specification; SBAT.md of shim.
"""

import struct
import sys

SECTOR = 512
PAGE = 0x1000
CODE_AT = PAGE
CODE_FLAGS = 0xe0000020         # code, executable, readable, writable
DATA_FLAGS = 0x40000040         # initialized data, readable


def _up(size, step):
    return (size + step - 1) // step * step


def image(code, sbat=b""):
    """An EFI application with this code in its first section."""
    parts = [(b".text", code, CODE_FLAGS)]
    if sbat:
        parts.append((b".sbat", sbat, DATA_FLAGS))
    table, data, at = b"", b"", CODE_AT
    for name, contents, flags in parts:
        raw = contents.ljust(_up(len(contents), SECTOR), b"\0")
        table += struct.pack("<8sIIIIIIHHI", name, len(contents), at, len(raw),
                             SECTOR + len(data), 0, 0, 0, 0, flags)
        data += raw
        at += _up(len(contents), PAGE)
    coff = struct.pack("<4sHHIIIHH", b"PE\0\0", 0x8664, len(parts), 0, 0, 0,
                       240, 0x22)
    optional = struct.pack("<HBBIIIII", 0x20b, 0, 0, _up(len(code), SECTOR), 0,
                           0, CODE_AT, CODE_AT)
    optional += struct.pack("<QIIHHHHHHIIIIHHQQQQII", 0x10000000, PAGE, SECTOR,
                            0, 0, 0, 0, 0, 0, 0, at, SECTOR, 0, 10, 0, 0x10000,
                            0x10000, 0x10000, 0x10000, 0, 16)
    optional += bytes(16 * 8)
    dos = b"MZ" + bytes(58) + struct.pack("<I", 64)
    return (dos + coff + optional + table).ljust(SECTOR, b"\0") + data


def main():
    sbat = sys.argv[3].encode() if len(sys.argv) > 3 else b""
    with open(sys.argv[1], "rb") as file:
        made = image(file.read(), sbat)
    with open(sys.argv[2], "wb") as file:
        file.write(made)


if __name__ == "__main__":
    main()
