# SPDX-License-Identifier: BSD-2-Clause
"""Parses expected-differences, and has the conditions for those entries that random accesses meet."""

import os

LIST = os.path.join(os.path.dirname(os.path.abspath(__file__)), "expected-differences")

PROTECTION_REGISTER = {0x80: 0xfe, **dict.fromkeys(range(0x81, 0x91), 0xff)}
ID_CODES = {0: 0x89, 1: 0x18}

# {offset in the query table: (value in QEMU, value here)}
QUERY = {0x1b: (0x45, 0x27), 0x1c: (0x55, 0x36), 0x28: (0x02, 0x00), 0x35: (0x30, 0x31), 0x36: (0x00, 0x66),
         0x3a: (0x00, 0x01), 0x3b: (0x00, 0x03), 0x3d: (0x00, 0x33), 0x40: (0x00, 0x80), 0x42: (0x00, 0x03),
         0x43: (0x00, 0x03)}


class Listed:
    """One entry of the list."""

    def __init__(self, name, personality, size):
        self.name, self.personality, self.size = name, personality, int(size, 16)
        self.accesses = []
        self.values = []        # of each read: QEMU's and ours

    def add(self, op, off, size, *values):
        off, size, *values = (int(number, 16) for number in (off, size, *values))
        if op == "r":
            qemu, ours = values
            self.values.append((qemu, ours))
            values = [0]
        self.accesses.append((op, off, size, *values, self.name))


def load():
    """Returns the entries by name; raises a ValueError that names the line of an error."""
    entries = {}
    entry = None
    with open(LIST, encoding="ascii") as file:
        for number, line in enumerate(file, 1):
            try:
                if line.startswith("["):
                    name, personality, size = line.replace("[", "").replace("]", "").split()
                    if name in entries:
                        raise ValueError("listed twice")
                    entry = entries[name] = Listed(name, personality, size)
                elif line.startswith(("w ", "r ")):
                    entry.add(*line.split())
                elif not line.startswith(("#", "when: ", "why: ", " ", "\n")):
                    raise ValueError("neither text nor an access")
            except (ValueError, TypeError, AttributeError) as error:
                raise ValueError(f"{LIST}:{number}: {error}") from None
    for entry in entries.values():
        if all(qemu == ours for qemu, ours in entry.values):
            raise ValueError(f"{LIST}: {entry.name}: no read shows a difference")
    if CONDITIONS.keys() - entries.keys():
        raise ValueError(f"{LIST}: no entry for the conditions: {CONDITIONS.keys() - entries.keys()}")
    return entries


def qemu_query(off, size):
    """Returns a byte of QEMU's query table."""
    blocks = size // 4096 - 1
    table = (b"QRY\x01\x00\x31\0\0\0\0\0" b"\x45\x55\0\0\x07\x07\x0a\0\x04\x04\x04\0"
             + bytes(((size & -size).bit_length() - 1, 2, 0, 8, 0, 1, blocks & 0xff, blocks >> 8, 0x10, 0))
             + b"PRI10".ljust(14, b"\0") + b"\x01").rjust(0x40, b"\0")
    return table[off] if off < len(table) else 0


class Read:
    """A read for which the two flashes returned different values; the conditions are evaluated on it."""

    def __init__(self, access, qemu, ours, size, personality):
        _, self.off, self.width, self.array, self.view = access
        self.qemu, self.ours, self.size, self.personality = qemu, ours, size, personality

    def pair(self):
        return self.qemu, self.ours

    def id_codes(self):
        return (self.view in ("id", "query", "linux id") and self.off in ID_CODES
                and self.pair() == (0, ID_CODES[self.off]))

    def id_protection_register(self):
        return (self.view == "id" and self.off in PROTECTION_REGISTER
                and self.pair() == (0, PROTECTION_REGISTER[self.off]))

    def id_lock_bits(self):
        return (self.view == "id locked" and self.personality != "qemu" and self.off % 4096 == 2
                and self.pair() == (0, 1))

    def lock_down(self):
        return self.view == "locked down" and self.pair() == (self.array, 0x80)

    def clear_keeps_view(self):
        return (self.view == "cleared status" and self.personality != "qemu"
                and self.pair() == (self.array, 0))

    def query_table(self):
        return self.view == "query" and self.pair() == QUERY.get(self.off)

    def query_size(self):
        return (self.view == "query" and self.off == 0x27 and self.size & (self.size - 1) != 0
                and self.pair() == (qemu_query(0x27, self.size), self.size.bit_length()))

    def query_repeats(self):
        return (self.view == "query" and self.off >= 0x100
                and self.pair() == (qemu_query(self.off % 0x100, self.size), 0))


CONDITIONS = {
    "id-codes": Read.id_codes,
    "id-protection-register": Read.id_protection_register,
    "id-lock-bits": Read.id_lock_bits,
    "lock-down": Read.lock_down,
    "clear-keeps-view": Read.clear_keeps_view,
    "query-table": Read.query_table,
    "query-size": Read.query_size,
    "query-repeats": Read.query_repeats,
}


def explain(read):
    """Returns the name of the expected difference that explains this read, or None."""
    for name, condition in CONDITIONS.items():
        if read.width == 1 and condition(read):
            return name
    return None
