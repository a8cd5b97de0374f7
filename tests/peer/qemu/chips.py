# SPDX-License-Identifier: BSD-2-Clause
"""The two flashes: QEMU's in a running machine, ours in pflash-replay. Both perform a batch of accesses and return the
values of its reads. start() sends a batch and values() waits for its result, so that both flashes work in parallel."""

import mmap
import os
import re
import select
import socket
import struct
import subprocess

BIOS = "/usr/share/seabios/bios-256k.bin"
QEMU = "qemu-system-x86_64"
TOP = 1 << 32
MEMORY = 32 << 20
PACKET = 16 << 20       # stub.c: PACKET
ACCESS = struct.Struct("<IBBHQ")
TIMEOUT = 60            # seconds for one batch

# Limit of a batch: its answers, 17 bytes each, must fit into a pipe, because they are read only after sending.
BATCH = 3000


class ChipError(Exception):
    pass


def spawn(command, **options):
    """Starts a process that the kernel kills when this process ends for any reason."""
    return subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--"] + command, **options)


def qemu_version():
    text = subprocess.run([QEMU, "--version"], check=True, capture_output=True, text=True).stdout
    return re.search(r"version ([0-9.]+)", text)[1]


class Qemu:
    """pflash_cfi01 in QEMU's PC machine: flash 0 is the firmware, flash 1 below it is the one under test."""

    def __init__(self, stub, image):
        self.base = TOP - os.path.getsize(BIOS) - os.path.getsize(image)
        memory = os.memfd_create("guest")
        os.ftruncate(memory, MEMORY)
        self.memory = mmap.mmap(memory, MEMORY)
        self.bell, other = socket.socketpair()
        self.bell.settimeout(TIMEOUT)
        self.log = image + ".log"
        with other, open(self.log, "wb") as log:
            self.process = spawn(
                [QEMU, "-nodefaults", "-no-user-config", "-display", "none", "-machine", "q35,memory-backend=ram",
                 "-accel", "tcg", "-m", f"size={MEMORY >> 20}M",
                 "-object", f"memory-backend-file,id=ram,size={MEMORY},mem-path=/proc/self/fd/{memory},share=on",
                 "-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={BIOS}",
                 "-drive", f"if=pflash,unit=1,format=raw,file={image}",
                 "-chardev", f"socket,id=bell,fd={other.fileno()}", "-serial", "chardev:bell", "-kernel", stub],
                pass_fds=(memory, other.fileno()), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        os.close(memory)
        try:
            self.wait()
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise

    def wait(self):
        try:
            if not self.bell.recv(1):
                raise self.error("QEMU ended")
        except socket.timeout:
            raise self.error(f"QEMU did not answer within {TIMEOUT} s") from None

    def error(self, text):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return ChipError(f"{text}: {log.read()[-1000:].strip()}")

    def start(self, batch):
        pack = ACCESS.pack
        packet = b"".join([pack(self.base + off, op == "w", size, 0, value) for op, off, size, value, _ in batch])
        self.memory[PACKET:PACKET + 8 + len(packet)] = struct.pack("<Q", len(batch)) + packet
        self.bell.send(b".")

    def values(self, batch):
        self.wait()
        end = PACKET + 8 + len(batch) * ACCESS.size
        answer = ACCESS.iter_unpack(self.memory[PACKET + 8:end])
        return [value for _, write, _, _, value in answer if not write]

    def close(self):
        """Ends QEMU by SIGTERM, so that it flushes its images."""
        self.process.terminate()
        code = self.process.wait(TIMEOUT)
        self.bell.close()
        self.memory.close()
        if code != 0:
            raise self.error(f"QEMU exited with {code}")


class Replay:
    """The chip of this project, in pflash-replay."""

    def __init__(self, program, image, personality, options=()):
        self.image = image
        self.process = spawn([program, "--vars", image, "--personality", personality, *options],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def start(self, batch):
        lines = [f"w {off:x} {size} {value:x}\n" if op == "w" else f"r {off:x} {size}\n"
                 for op, off, size, value, _ in batch]
        try:
            self.process.stdin.write("".join(lines).encode())
            self.process.stdin.flush()
        except BrokenPipeError:
            raise ChipError("pflash-replay ended") from None

    def values(self, batch):
        wanted = sum(access[0] == "r" for access in batch)
        pipe = self.process.stdout.fileno()
        data = b""
        while data.count(b"\n") < wanted:
            if not select.select([pipe], [], [], TIMEOUT)[0]:
                raise ChipError(f"pflash-replay did not answer within {TIMEOUT} s")
            more = os.read(pipe, 1 << 16)
            if not more:
                raise ChipError("pflash-replay ended")
            data += more
        if data.count(b"\n") > wanted:
            raise ChipError(f"pflash-replay answered more than {wanted} reads")
        return [int(line, 16) for line in data.split()]

    def close(self):
        self.process.stdin.close()
        code = self.process.wait(TIMEOUT)
        self.process.stdout.close()
        if code != 0:
            raise ChipError(f"pflash-replay exited with {code}")
