# SPDX-License-Identifier: BSD-2-Clause
"""The bursts that a guest writes, and a model of the contents that the flash must then have.

A burst is the accesses up to a READ ARRAY; the chip performs them as operations, each a program or an erase. With
--sync op the file may have the state after any operation, otherwise only the states after whole bursts.
"""

import gzip
from dataclasses import dataclass, field

BLOCK = 4096
BUFFER = 256
TRACE = "tests/data/ovmf-2022.11-4m-firstboot.trace.gz"
TEMPLATE = "/usr/share/OVMF/OVMF_VARS_4M.fd"

READY, ERASE, PROGRAM, VPP, PROTECTED = 0x80, 0x20, 0x10, 0x08, 0x02


@dataclass
class Burst:
    lines: list = field(default_factory=list)
    ops: list = field(default_factory=list)  # (offset, bytes); (offset, None) erases a block

    def program(self, off, data):
        for i, byte in enumerate(data):
            self.lines += (f"w {off + i:x} 1 10", f"w {off + i:x} 1 {byte:x}")
            self.ops.append((off + i, bytes([byte])))

    def program_buffer(self, off, data):
        """Uses the write buffer, with eight bytes per access; off and length are multiples of 8."""
        self.lines += (f"w {off:x} 1 e8", f"w {off:x} 1 {len(data) - 1:x}")
        for i in range(0, len(data), 8):
            self.lines.append(f"w {off + i:x} 8 {int.from_bytes(data[i:i + 8], 'little'):x}")
        self.lines.append(f"w {off:x} 1 d0")
        self.ops.append((off, data))

    def erase(self, off):
        self.lines += (f"w {off:x} 1 20", f"w {off:x} 1 d0")
        self.ops.append((off - off % BLOCK, None))

    def text(self):
        return "\n".join(self.lines + ["w 0 1 ff", ""]).encode()


def apply(image, op):
    """Applies an operation; a program only clears bits."""
    off, data = op
    if data is None:
        image[off:off + BLOCK] = b"\xff" * BLOCK
    elif len(data) == 1:
        image[off] &= data[0]
    else:
        old = int.from_bytes(image[off:off + len(data)], "little")
        image[off:off + len(data)] = (old & int.from_bytes(data, "little")).to_bytes(len(data), "little")


def from_trace(path=TRACE):
    """Returns the bursts of a recorded boot, which consist of byte programs and erases."""
    bursts, burst, first = [], Burst(), None
    with gzip.open(path, "rt") as lines:
        for line in lines:
            if not line.startswith("w"):
                continue
            off, value = int(line.split()[1], 16), int(line.split()[3], 16)
            if first in (0x10, 0x40):
                burst.program(off, bytes([value]))
                first = None
            elif first == 0x20 and value == 0xD0:
                burst.erase(off)
                first = None
            elif value == 0xFF:
                if burst.ops:
                    bursts.append(burst)
                burst, first = Burst(), None
            else:
                first = value
    return bursts


def random_burst(rng, size, large=0.05):
    """Usually a small burst; sometimes tens of KiB, so that the journal reaches its limit."""
    burst, kind = Burst(), rng.random()
    if kind < large:
        first = rng.randrange(size // BLOCK) * BLOCK
        last = min(size, first + rng.randrange(1, 9) * BLOCK)
        for off in range(first, last, BLOCK):
            burst.erase(off)
        for off in range(first, last, BUFFER):
            burst.program_buffer(off, rng.randbytes(BUFFER))
        return burst
    for _ in range(rng.randrange(1, 4)):
        if rng.random() < 0.3:
            burst.erase(rng.randrange(size))
        n = rng.randrange(1, 60)
        burst.program(rng.randrange(size - n), rng.randbytes(n))
    return burst


class Model:
    """The states that the file may have: `image` after the last answered burst, and `ahead`, the bursts sent since."""

    def __init__(self, image, by_op=False):
        self.image, self.ahead, self.by_op = bytearray(image), [], by_op

    def sent(self, burst):
        self.ahead.append(burst)

    def answered(self, count):
        for burst in self.ahead[:count]:
            for op in burst.ops:
                apply(self.image, op)
        del self.ahead[:count]

    def find(self, image, least=0, most=None):
        """Returns (bursts, operations of the next burst) between the last answered burst and the state `image`; None if
        `image` is no such state."""
        state = bytearray(self.image)
        if least == 0 and state == image:
            return 0, 0
        for n, burst in enumerate(self.ahead[:most]):
            for i, op in enumerate(burst.ops):
                apply(state, op)
                if self.by_op and n >= least and i + 1 < len(burst.ops) and state == image:
                    return n, i + 1
            if n + 1 >= least and state == image:
                return n + 1, 0
        return None

    def go_on_from(self, image):
        self.image, self.ahead = bytearray(image), []
