# SPDX-License-Identifier: BSD-2-Clause
"""Reads the few facts of ELF files and kernel images that the lab needs."""

import lzma
import os
import struct
import subprocess
import zlib

from labkit.report import LabError

PT_LOAD, PT_DYNAMIC, PT_INTERP = 1, 2, 3
DT_NEEDED, DT_STRTAB = 1, 5

LIBRARY_DIRS = ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu",
                "usr/lib", "lib", "usr/local/lib",
                "usr/lib/x86_64-linux-gnu/systemd")


def _program_headers(data):
    off, = struct.unpack_from("<Q", data, 0x20)
    size, count = struct.unpack_from("<HH", data, 0x36)
    for i in range(count):
        kind, _flags, offset, vaddr, _paddr, filesz = struct.unpack_from(
            "<IIQQQQ", data, off + i * size)
        yield kind, offset, vaddr, filesz


def _cstring(data, offset):
    return data[offset:data.index(b"\0", offset)].decode()


def needed(path):
    """The files that `path` needs to start: the program interpreter (as an
    absolute path) and its libraries. Empty if it is not a dynamic 64-bit ELF
    file."""
    with open(path, "rb") as f:
        if f.read(5) != b"\x7fELF\x02":
            return []
        f.seek(0)
        data = f.read()
    headers = list(_program_headers(data))
    names = [_cstring(data, off) for kind, off, _, _ in headers
             if kind == PT_INTERP]
    for kind, off, _vaddr, size in headers:
        if kind == PT_DYNAMIC:
            names += _dynamic_needed(data, headers, off, size)
    return names


def _dynamic_needed(data, headers, off, size):
    entries = [struct.unpack_from("<qQ", data, off + i)
               for i in range(0, size, 16)]
    strtab = next((v for t, v in entries if t == DT_STRTAB), None)
    for kind, offset, vaddr, filesz in headers:
        if kind == PT_LOAD and strtab and vaddr <= strtab < vaddr + filesz:
            base = offset + strtab - vaddr
            return [_cstring(data, base + v) for t, v in entries
                    if t == DT_NEEDED]
    return []


def _find(name, roots):
    if name.startswith("/"):
        places = [name.lstrip("/")]
    else:
        places = [f"{d}/{name}" for d in LIBRARY_DIRS]
    for root in roots:
        for place in places:
            path = os.path.join(root, place)
            if os.path.exists(path):
                return path
    return None


def closure(paths, roots):
    """All libraries that `paths` need, searched below `roots` in their order.
    Returns {path in the target: file on the host}."""
    found, todo = {}, list(paths)
    while todo:
        user = todo.pop()
        for name in needed(user):
            target = name if name.startswith("/") else f"/lib/{name}"
            if target in found:
                continue
            source = _find(name, roots)
            if source is None:
                raise LabError(f"{user} needs {name}, which is missing below "
                               + ", ".join(roots))
            found[target] = source
            todo.append(source)
    return found


def vmlinux(bzimage):
    """The ELF kernel inside a bzImage (bytes), or None if its compression is an
    unknown one. Unpacking here is faster than on the emulated CPU."""
    setup_sects = bzimage[0x1F1] or 4
    offset, length = struct.unpack_from("<II", bzimage, 0x248)
    start = (setup_sects + 1) * 512 + offset
    payload = bzimage[start:start + length]
    if payload.startswith(b"\xfd7zXZ"):
        return lzma.LZMADecompressor().decompress(payload)
    if payload.startswith(b"\x1f\x8b"):
        return zlib.decompressobj(31).decompress(payload)
    if payload.startswith(b"\x28\xb5\x2f\xfd"):
        return _zstd(payload[:-4])  # the last four bytes are the kernel's size
    return None


def _zstd(data):
    try:
        return subprocess.run(["zstd", "-dcq"], input=data, check=True,
                              capture_output=True).stdout
    except FileNotFoundError:
        raise LabError("zstd is missing; run `apt-get install zstd`") from None
    except subprocess.CalledProcessError as error:
        raise LabError("zstd cannot unpack the kernel: "
                       + error.stderr.decode().strip()) from None
