# SPDX-License-Identifier: BSD-2-Clause
"""Random driver operations on a flash: the command sequences of OVMF, of Linux's cfi_cmdset_0001 and of U-Boot, and
random mixtures of their parts, all well-formed. Ones are programmed over zeros only under personality qemu.

An access is (op, offset, size, value, view). For a read, `view` is the view that the flash shows at that time, which
the conditions of differences.py need, and `value` is the content of the array, whether shown or not."""

BLOCK = 4096
ROW = 256               # a buffered program does not cross a multiple of this

READ_ARRAY = (0xff, 0xff, 0xff, 0xf0, 0x00)


class Driver:
    """Generates accesses, and tracks the contents that the array must have after them."""

    def __init__(self, rng, image, personality):
        self.rng = rng
        self.personality = personality
        self.array = bytearray(image)
        self.size = len(image)
        self.view = "array"
        self.out = []

    def batch(self, length):
        """Generates complete operations with at least `length` accesses in total."""
        self.out = []
        while len(self.out) < length:
            operation, = self.rng.choices(OPERATIONS, WEIGHTS)
            operation(self)
        return self.out

    # The parts of the sequences.

    def write(self, off, value, view):
        self.out.append(("w", off, 1, value, view))
        self.view = view

    def read(self, off, size=1):
        value = int.from_bytes(self.array[off:off + size], "little")
        self.out.append(("r", off, size, value, self.view))

    def anywhere(self, length=1):
        """An offset with `length` bytes before the end; mostly in a few blocks, so that programs meet zeros."""
        blocks = self.size // BLOCK
        block = self.rng.randrange(min(blocks, 8)) if self.rng.random() < 0.7 else self.rng.randrange(blocks)
        return min(block * BLOCK + self.rng.randrange(BLOCK), self.size - length)

    def datum(self, off):
        """A byte that can be programmed at this offset: it only clears bits, except under personality qemu."""
        value = self.rng.choice((self.rng.randrange(256), 0xff, 0x00, 0x7f, 0xfe))
        if self.personality == "qemu" and self.rng.random() < 0.1:
            return value
        return self.array[off] & value

    def read_array(self, off=None, command=None):
        self.write(self.anywhere() if off is None else off, command or self.rng.choice(READ_ARRAY), "array")

    def program_byte(self, off, value, command):
        self.write(off, command, "status")
        if self.rng.random() < 0.02:
            self.read(off)
        self.write(off, value, "status")
        self.array[off] = value

    def erase_block(self, off):
        self.write(off, 0x20, "status")
        self.write(off // BLOCK * BLOCK + self.rng.randrange(BLOCK), 0xd0, "status")
        start = off // BLOCK * BLOCK
        self.array[start:start + BLOCK] = b"\xff" * BLOCK

    def program_buffer(self, off, count):
        """A buffered program from E8 up to the confirm. The poll after E8 reads whether the buffer is available."""
        setup = off // ROW * ROW if self.rng.random() < 0.5 else off
        self.write(setup, 0xe8, "buffer")
        for _ in range(self.rng.randrange(3)):
            self.read(setup)
        self.write(setup, count - 1, "loading")
        for at in range(off, off + count):
            value = self.datum(at)
            self.write(at, value, "loading")
            self.array[at] = value
        self.write(setup, 0xd0, "status")

    def row(self):
        """A range inside one row, aligned or not."""
        row = self.anywhere() // ROW * ROW
        start, end = sorted(self.rng.choices(range(ROW), k=2))
        if self.rng.random() < 0.2:
            start, end = 0, ROW - 1
        return row + start, end - start + 1

    # Sequences of any driver.

    def look(self):
        for _ in range(self.rng.randint(1, 8)):
            size = self.rng.choice((1, 2, 4, 8)) if self.view == "array" else 1
            self.read(self.anywhere(size), size)

    def look_at_block(self):
        self.read_array()
        start = self.anywhere() // BLOCK * BLOCK
        for off in range(start, start + BLOCK, 8):
            self.read(off, 8)

    def change_view(self):
        command = self.rng.choice((0x70, 0x70, 0xff, 0xf0, 0x00))
        self.write(self.anywhere(), command, "status" if command == 0x70 else "array")
        self.look()

    def clear_status(self):
        """QEMU shows the array after this command. The view here depends on the personality."""
        before = self.view
        self.write(self.anywhere(), 0x50, "array" if before == "array" else f"cleared {before}")
        if self.rng.random() < 0.3:
            self.read(self.anywhere())
        if self.rng.random() < 0.7:
            self.write(self.anywhere(), 0x70, "status")
            self.look()
        else:
            self.read_array()

    def read_id(self):
        self.write(self.anywhere(), 0x90, "id")
        for off in (0, 1, self.anywhere() // BLOCK * BLOCK + 2, self.rng.randrange(0x100), self.anywhere()):
            if self.rng.random() < 0.8:
                self.read(off)
        if self.rng.random() < 0.5:
            self.write(self.anywhere(), 0x70, "status")
        else:
            self.read_array()

    def query(self):
        self.write(self.rng.choice((0, 0x55, self.anywhere())), 0x98, "query")
        for _ in range(self.rng.randint(1, 40)):
            self.read(self.rng.choice((self.rng.randrange(0x100), self.rng.randrange(0x60), self.anywhere())))
        self.read_array(command=0xff)

    def lock(self):
        off = self.anywhere()
        self.write(off, 0x60, "status")
        if self.rng.random() < 0.3:
            self.read(off)
        self.write(off, 0x01, "status")
        self.read(off)
        if self.rng.random() < 0.3:
            self.write(off, 0x90, "id locked")
            self.read(off // BLOCK * BLOCK + 2)
        self.unlock(off)

    def unlock(self, off=None):
        off = self.anywhere() if off is None else off
        self.write(off, 0x60, "status")
        self.write(off, 0xd0, "status")
        for _ in range(self.rng.randrange(3)):
            self.write(off, 0x70, "status")
            self.read(off)
        if self.rng.random() < 0.5:
            self.read_array(off)

    def lock_down(self):
        """QEMU shows the array after this command, and does not set SR.7. A chip that keeps locks could never
        program the block again."""
        if self.personality == "qemu":
            self.unlock()
            self.write(self.anywhere(), 0x60, "status")
            self.write(self.anywhere(), 0x2f, "locked down")
            self.read(self.anywhere())
            self.read_array()

    def mixture(self):
        """Single commands, each complete, with reads in between."""
        for _ in range(self.rng.randint(1, 6)):
            what = self.rng.randrange(4)
            if what == 0:
                off = self.anywhere()
                self.program_byte(off, self.datum(off), self.rng.choice((0x10, 0x40)))
            elif what == 1:
                self.program_buffer(*self.row())
            elif what == 2:
                self.erase_block(self.anywhere())
            else:
                self.write(self.anywhere(), 0x70, "status")
            if self.rng.random() < 0.5:
                self.look()

    # OVMF, QemuFlash.c.

    def ovmf_detect(self):
        self.read_array()
        off = self.anywhere()
        self.read(off)
        self.write(off, 0x50, "array")
        self.read(off)
        self.write(off, 0x70, "status")
        self.read(off)
        if self.rng.random() < 0.5:
            self.program_byte(off, self.array[off], 0x10)
            self.write(off, 0x70, "status")
            self.read(off)
        self.read_array(off, 0xff)

    def ovmf_write(self):
        length = min(self.rng.choice((1, 2, 4, 60, 140, 1000)), BLOCK)
        start = self.anywhere(length)
        for off in range(start, start + length):
            self.program_byte(off, self.datum(off), 0x10)
        self.read_array(off, 0xff)
        self.read(start)

    def ovmf_erase(self):
        self.erase_block(self.anywhere() // BLOCK * BLOCK)

    # Linux, cfi_probe.c and cfi_cmdset_0001.c.

    def linux_probe(self):
        self.write(0, 0xf0, "array")
        self.write(0x55, 0x98, "query")
        for off in range(0x10, 0x31):
            self.read(off)
        for off, value in ((0, 0xf0), (0x555, 0xaa), (0x2aa, 0x55), (0x555, 0x90)):
            self.write(off, value, "linux id")
        self.read(0)
        self.read(1)
        self.write(0, 0xf0, "linux id")
        self.read_array(0, 0xff)
        self.write(0x55, 0x98, "query")
        for off in range(0x31, 0x40):
            self.read(off)
        self.read_array(0, 0xff)

    def linux_write_words(self):
        start = self.anywhere(16)
        for off in range(start, start + self.rng.randint(1, 16)):
            self.program_byte(off, self.datum(off), 0x40)
            self.read(off)
        self.read_array(off, 0xff)

    def linux_write_buffer(self):
        off, count = self.row()
        self.write(off, 0x70, "status")
        self.read(off)
        self.program_buffer(off, count)
        self.read(off // ROW * ROW)
        self.read_array(off, 0xff)
        self.read(off)

    def linux_erase(self):
        off = self.anywhere() // BLOCK * BLOCK
        self.write(off, 0x50, "")
        self.erase_block(off)
        self.read(off)
        self.write(off, 0x70, "status")
        self.read(off)
        self.read_array(off, 0xff)

    # U-Boot, cfi_flash.c.

    def uboot_write_word(self):
        off = self.anywhere()
        self.write(off, 0x50, "")
        self.program_byte(off, self.datum(off), 0x40)
        self.read(off)
        self.read_array(off, self.rng.choice((0xff, 0xf0)))

    def uboot_write_buffer(self):
        off, count = self.row()
        self.write(off, 0x50, "")
        self.write(off, 0x70, "status")
        self.program_buffer(off, count)
        self.read(off)
        self.read_array(off, 0xff)

    def uboot_erase(self):
        off = self.anywhere() // BLOCK * BLOCK
        self.write(off, 0x50, "")
        self.erase_block(off)
        self.read(off)
        self.read_array(off, 0xff)


WEIGHTED = {
    Driver.look: 10, Driver.look_at_block: 2, Driver.change_view: 5, Driver.clear_status: 3, Driver.read_id: 3,
    Driver.query: 2, Driver.lock: 2, Driver.unlock: 2, Driver.lock_down: 1,
    Driver.mixture: 10,
    Driver.ovmf_detect: 2, Driver.ovmf_write: 6, Driver.ovmf_erase: 4,
    Driver.linux_probe: 1, Driver.linux_write_words: 4, Driver.linux_write_buffer: 6, Driver.linux_erase: 3,
    Driver.uboot_write_word: 3, Driver.uboot_write_buffer: 4, Driver.uboot_erase: 2,
}
OPERATIONS, WEIGHTS = list(WEIGHTED), list(WEIGHTED.values())
