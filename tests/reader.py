#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
#
# An independent reader of VARS and its journal, written from docs/format.md
# alone. Tests compare it with the store, to check that docs/format.md is
# complete and that the store follows it.
#
# reader.py VARS            prints the image
# reader.py --log VARS      prints the history: number, time, bytes changed
# reader.py --at SEQ VARS   prints the image at that point of the history
#
# Exits with 1 and a sentence where docs/format.md says that the files must be
# refused. Changes no file.

import argparse
import os
import stat
import struct
import sys

BURST, CHECKPOINT, SNAPSHOT, DONE = 1, 2, 3, 4
ERASE = 1 << 31
TABLE = []
for n in range(256):
    for bit in range(8):
        n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
    TABLE.append(n)


class Refused(Exception):
    pass


def crc(start, data):
    c, table = start ^ 0xFFFFFFFF, TABLE
    for byte in data:
        c = table[(c ^ byte) & 0xFF] ^ c >> 8
    return c ^ 0xFFFFFFFF


def need(holds, why):
    if not holds:
        raise Refused(why)


def number(data):
    return int.from_bytes(data, "little")


class Record:
    def __init__(self, j, at):
        (self.type, self.salt, self.seq, self.durable, self.time,
         self.length) = struct.unpack_from("<I8sQQQI", j, at + 4)
        self.at, self.payload = at, j[at + 48:at + 48 + self.length]
        self.end = at + 48 + self.length + 4


def header(j):
    need(len(j) >= 64 and j[:8] == b"PFLASHJ1"
         and crc(0, j[:60]) == number(j[60:64]), "no valid journal header")
    version, length, size, salt, first = struct.unpack_from("<IIQ8sQ", j, 8)
    need(version == 2, f"journal version {version}, not 2")
    need(length == 64, f"journal header of {length} bytes, not 64")
    return size, salt, first


def valid_in_itself(j, at, salt):
    return (at + 48 <= len(j) and j[at:at + 4] == b"PFJR"
            and j[at + 8:at + 16] == salt
            and crc(0, j[at:at + 44]) == number(j[at + 44:at + 48]))


def scan(j, salt, first):
    """Returns the valid records: steps 2 and 3 of docs/format.md."""
    records, at, chain = [], 64, number(j[60:64])
    while valid_in_itself(j, at, salt):
        r = Record(j, at)
        if r.seq != first + 1 + len(records) or r.end > len(j):
            break
        chain = crc(crc(chain, j[at:at + 44]), j[at + 48:r.end - 4])
        if chain != number(j[r.end - 4:r.end]):
            break
        records.append(r)
        at = r.end
    expected, x = first + 1 + len(records), at
    while (at := j.find(b"PFJR", at)) >= 0:
        if valid_in_itself(j, at, salt):
            r = Record(j, at)
            need(r.seq < expected or r.durable < expected,
                 f"damaged at offset {x}, expected record {expected}")
        at += 1
    return records


def operations(record, size):
    p, at, ops = record.payload, 0, []
    while at < len(p):
        need(at + 8 <= len(p), f"record {record.seq}: cut operation")
        offset, kind = struct.unpack_from("<II", p, at)
        length, at = kind & ~ERASE, at + 8
        need(offset + length <= size, f"record {record.seq}: outside the image")
        if kind & ERASE:
            ops.append((offset, length, None))
            continue
        need(at + length <= len(p), f"record {record.seq}: cut data")
        ops.append((offset, length, p[at:at + length]))
        at += length
    return ops


def check_shape(records, size):
    """Checks step 4 and the payloads; returns the index of the last done record."""
    last_done, after_checkpoint = None, False
    for i, r in enumerate(records):
        if r.type in (BURST, SNAPSHOT):
            need(not after_checkpoint, f"record {r.seq}: burst after checkpoint")
            ops = operations(r, size)
            if r.type == SNAPSHOT:
                need(i == 0, f"record {r.seq}: snapshot after other records")
                need(ops and ops[0] == (0, size, None),
                     f"record {r.seq}: the snapshot does not erase all")
        elif r.type in (CHECKPOINT, DONE):
            need(len(r.payload) == 4, f"record {r.seq}: length")
            after_checkpoint = r.type == CHECKPOINT
            last_done = i if r.type == DONE else last_done
        else:
            raise Refused(f"record {r.seq}: type {r.type}")
    need(last_done is not None, "no done record")
    return last_done


def apply(image, record):
    for offset, length, data in operations(record, len(image)):
        image[offset:offset + length] = b"\xff" * length if data is None else data


def recover(v, j):
    """Returns the image and the journal's records."""
    need(v and len(v) % 4096 == 0 and len(v) <= 16 << 20, f"{len(v)} bytes are not the size of a flash")
    if j is None:
        return v, []
    size, salt, first = header(j)
    need(size == len(v), f"journal of a file of {size} bytes")
    records = scan(j, salt, first)
    done = check_shape(records, size)
    after_done, image = records[done + 1:], bytearray(v)
    for r in after_done:
        if r.type == BURST:
            apply(image, r)
    points = [r for r in after_done if r.type == CHECKPOINT]
    if points:
        need(crc(0, image) == number(points[-1].payload),
             f"the image is not that of checkpoint {points[-1].seq}")
    else:
        need(crc(0, v) == number(records[done].payload),
             f"VARS is not the file of done record {records[done].seq}")
    return bytes(image), records


def read(path):
    with open(path, "rb") as f:
        return f.read(os.fstat(f.fileno()).st_size)


def read_journal(path):
    try:
        need(stat.S_ISREG(os.lstat(path).st_mode), f"{path} is not a regular file")
        return read(path)
    except FileNotFoundError:
        return None


def sealed(block, magic, length):
    """Returns the first copy in the block that is whole."""
    for copy in (block[:2048], block[2048:]):
        if copy[:8] == magic and crc(0, copy[:length]) == number(copy[length:length + 4]):
            return copy
    return None


def slot_header(device, at, size, id_, role):
    """Returns generation, kind and length; None: the header is not valid."""
    block = sealed(device[at:at + 4096], b"PFLASHA1", 40)
    if not block:
        return None
    found_id, found_role, kind, generation, length = struct.unpack_from("<8sIIQQ", block, 8)
    if ((found_id, found_role) != (id_, role) or kind not in (1, 2)
            or generation == (1 << 64) - 1 or length > size - 4096):
        return None
    return generation, kind, length


def area(device, block, role):
    """Returns the bytes of the role's file on a complete device, or None."""
    at, size = struct.unpack_from("<QQ", block, 40 + 16 * (role - 1))
    found = []
    for slot in (at, at + size):
        header_ = slot_header(device, slot, size, block[32:40], role)
        if header_:
            found.append((*header_, slot))
    need(found, f"no valid header of role {role}")
    _, kind, length, slot = max(found)
    if kind == 2:
        return None
    slot += 4096
    return device[slot:slot + (size - 4096 if role == 1 else length)]


def load_both(path):
    """Returns VARS and its journal, or None, at one moment of each."""
    device = read(path)
    block = device[-4096:]
    if len(device) <= 16 << 20 or b"PFLASHD1" not in (block[:8], block[2048:2056]):
        return device, read_journal(path + ".journal")
    block = sealed(block, b"PFLASHD1", 104)
    need(block, "the superblock is damaged")
    version, areas, image, size = struct.unpack_from("<IIQQ", block, 8)
    need((version, areas, size) == (1, 4, len(device)), "the superblock is of another version or size")
    return device[:image], area(device, block, 1)


def load(path, tries=2):
    """Reads both files without the lock; tries again if they change meanwhile."""
    path = os.path.realpath(path)
    try:
        before = load_both(path)[1]
        v, j = load_both(path)[0], load_both(path)[1]
        need((before is None) == (j is None)
             and (j is None or header(before)[1] == header(j)[1]), "the journal changed during the reading")
        return recover(v, j)
    except Refused:
        if tries == 1:
            raise
        return load(path, tries - 1)


def past(records, size, seq):
    need(records and records[0].type == SNAPSHOT, "no history")
    need(records[0].seq <= seq <= records[-1].seq, f"no record {seq}")
    image = bytearray(size)
    for r in records:
        if r.seq <= seq and r.type in (SNAPSHOT, BURST):
            apply(image, r)
    return bytes(image)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--log", action="store_true")
    parser.add_argument("--at", type=int)
    parser.add_argument("vars")
    args = parser.parse_args()
    image, records = load(args.vars)
    if args.log:
        if records and records[0].type == SNAPSHOT:
            for r in records:
                if r.type == BURST:
                    print(r.seq, r.time, sum(n for _, n, _ in operations(r, len(image))))
                elif r.type == SNAPSHOT:
                    print(r.seq, r.time, "-")
        return
    if args.at is not None:
        image = past(records, len(image), args.at)
    sys.stdout.buffer.write(image)


if __name__ == "__main__":
    try:
        main()
    except (Refused, OSError) as error:
        sys.exit(f"reader: {error}")
