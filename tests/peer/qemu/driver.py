# SPDX-License-Identifier: BSD-2-Clause
"""Sends the same accesses to QEMU's flash and to this project's, and compares the values that they return."""

import argparse
import collections
import gzip
import os
import random
import shutil
import signal
import sys
import tempfile

import chips
import differences
import operations

TEMPLATE = "/usr/share/OVMF/OVMF_VARS_4M.fd"
TRACES = ("firstboot", "secondboot")
TRACE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "data", "ovmf-2022.11-4m-{}.trace.gz")
KNOWN = "7.2."          # the QEMU version that expected-differences describes
SMALL, LARGE = 0x20000, 0x84000

Run = collections.namedtuple("Run", "personality size accesses options")
RUNS = (Run("qemu", SMALL, 450000, ("--sync", "none", "--mode", "direct")),
        Run("qemu", LARGE, 350000, ("--sync", "none", "--mode", "trap")),
        Run("ovmf", SMALL, 300000, ("--sync", "burst", "--mode", "direct")))
SELF_TEST = Run("qemu", SMALL, 3000, ())
LONG_SEEDS = 20


class Mismatch(Exception):
    pass


class Total:
    """Counters over the whole test."""

    def __init__(self):
        self.accesses = self.reads = self.differences = self.failures = 0
        self.met = collections.Counter()

    def verdict(self, good, text):
        self.failures += not good
        print("ok -" if good else "not ok -", text, flush=True)


def show(access, *values):
    op, off, size, value, view = access
    if op == "w":
        return f"w {off:x} {size} {value:x}"
    return f"r {off:x} {size}    # {view}: " + " ".join(f"{name} {value:x}" for name, value in values)


class Session:
    """Both flashes after power-on, with the same contents, in their own directory."""

    def __init__(self, args, image, personality, options=(), replay=chips.Replay):
        self.size, self.personality = len(image), personality
        if personality == "ovmf":      # QEMU has one view for the whole flash
            options = (*options, "--partition", hex(len(image)))
        self.last = collections.deque(maxlen=30)
        self.step = 0
        directory = tempfile.mkdtemp(dir=args.directory)
        self.paths = [os.path.join(directory, name) for name in ("qemu.fd", "ours.fd")]
        for path in self.paths:
            with open(path, "wb") as file:
                file.write(image)
        self.chips = []
        try:
            self.chips.append(chips.Qemu(os.path.join(args.build, "peer", "qemu", "stub"), self.paths[0]))
            self.chips.append(replay(os.path.join(args.build, "pflash-replay"), self.paths[1], personality, options))
        except BaseException:
            self.kill()
            raise

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.kill()

    def kill(self):
        for chip in self.chips:
            if chip.process.poll() is None:
                chip.process.kill()
                chip.process.wait()

    def start(self, batch):
        for chip in self.chips:
            chip.start(batch)

    def compare(self, batch, total):
        """Reads and compares the answers to the last batch."""
        qemu, ours = (iter(chip.values(batch)) for chip in self.chips)
        for access in batch:
            self.step += 1
            if access[0] == "w":
                self.last.append((access,))
                continue
            values = next(qemu), next(ours)
            self.last.append((access, ("QEMU", values[0]), ("ours", values[1])))
            total.reads += 1
            if values[0] != values[1]:
                total.differences += 1
                read = differences.Read(access, *values, self.size, self.personality)
                name = differences.explain(read)
                if name is None:
                    raise Mismatch(self.report("QEMU returns {:x}, ours {:x}".format(*values)))
                total.met[name] += 1
            elif access[4] in ("array", "recorded") and values[0] != access[3]:
                raise Mismatch(self.report(f"both return {values[0]:x}, but {access[3]:x} is expected"))
        total.accesses += len(batch)

    def report(self, text):
        trail = "\n".join("#   " + show(*entry) for entry in self.last)
        return f"step {self.step}: {text}\n# the last {len(self.last)} accesses:\n{trail}"

    def end(self):
        """Ends both flashes; returns the contents of their files."""
        for chip in self.chips:
            chip.close()
        return [open_and_read(path) for path in self.paths]

    def finish(self, array):
        for name, image in zip(("QEMU's", "our"), self.end()):
            if len(image) != len(array):
                raise Mismatch(f"{name} image has {len(image)} bytes")
            for off, (got, wanted) in enumerate(zip(image, array)):
                if got != wanted:
                    raise Mismatch(f"{name} image has {got:02x} at {off:x}, but {wanted:02x} is expected")


def open_and_read(path):
    with open(path, "rb") as file:
        return file.read()


def run_random(args, run, seed, total, replay=chips.Replay):
    """Random accesses: generates the next batch while the two flashes work on the previous one."""
    rng = random.Random(f"{seed} {run}")
    image = bytes(rng.choice((0xff, rng.randrange(256))) for _ in range(run.size))
    driver = operations.Driver(rng, image, run.personality)
    with Session(args, image, args.personality or run.personality, run.options, replay) as session:
        done, started = 0, []
        while done < run.accesses:
            batch = driver.batch(1000)
            done += len(batch)
            for at in range(0, len(batch), chips.BATCH):
                if started:
                    session.compare(started, total)
                started = batch[at:at + chips.BATCH]
                session.start(started)
        session.compare(started, total)
        session.finish(driver.array)


def run_listed(args, entry, total):
    """Runs the accesses of an entry of the list, which must show its difference."""
    with Session(args, b"\xff" * entry.size, entry.personality) as session:
        session.start(entry.accesses)
        got = list(zip(*(chip.values(entry.accesses) for chip in session.chips)))
        differ = sum(qemu != ours for qemu, ours in got)
        total.accesses += len(entry.accesses)
        total.reads += len(got)
        total.differences += differ
        if got != entry.values:
            raise Mismatch("the values are not those listed\n" + compare_lists(entry, got))
        total.met[entry.name] += differ
        session.finish(b"\xff" * entry.size)


def compare_lists(entry, got):
    values = iter(zip(entry.values, got))
    lines = []
    for access in entry.accesses:
        if access[0] == "w":
            lines.append(show(access))
            continue
        wanted, pair = next(values)
        mark = "" if wanted == pair else "    <-- listed: QEMU {:x} ours {:x}".format(*wanted)
        lines.append(show(access, ("QEMU", pair[0]), ("ours", pair[1])) + mark)
    return "\n".join("#   " + line for line in lines)


def run_traces(args, total):
    """Replays the accesses of two recorded boots of OVMF, and compares the values read and the files."""
    image = open_and_read(TEMPLATE)
    for trace in TRACES:
        accesses = []
        with gzip.open(TRACE.format(trace), "rt") as file:
            for line in file:
                if not line.startswith("#"):
                    op, *numbers = line.split()
                    accesses.append((op, *(int(number, 16) for number in numbers), "recorded"))
        with Session(args, image, "qemu", ("--sync", "none")) as session:
            for at in range(0, len(accesses), chips.BATCH):
                batch = accesses[at:at + chips.BATCH]
                session.start(batch)
                session.compare(batch, total)
            image = session.end()
            if image[0] != image[1]:
                raise Mismatch("the images differ")
            image = image[0]


class WrongRead(chips.Replay):
    """A flash that returns one wrong bit, in the last read of its first batch."""

    wrong = 1

    def values(self, batch):
        values = super().values(batch)
        values[-1] ^= self.wrong
        self.wrong = 0
        return values


class WrongImage(chips.Replay):
    """A flash that leaves one wrong bit in its file."""

    def close(self):
        super().close()
        with open(self.image, "r+b") as file:
            file.seek(-1, os.SEEK_END)
            byte = file.read(1)[0]
            file.seek(-1, os.SEEK_END)
            file.write(bytes((byte ^ 1,)))


def self_test(args, replay):
    """Checks that the comparison finds one wrong bit. These comparisons are not counted."""
    try:
        run_random(args, SELF_TEST, args.seed, Total(), replay)
    except Mismatch as mismatch:
        print("# found:", mismatch.args[0].splitlines()[0])
    else:
        raise Mismatch("the wrong bit was not found")


def guarded(total, text, function, *arguments):
    """Runs one test; an error in it makes this test fail, and the other tests still run."""
    try:
        function(*arguments)
    except Mismatch as mismatch:
        total.verdict(False, f"{text}: {mismatch}")
    except (chips.ChipError, OSError) as error:
        total.verdict(False, f"{text}: {error}")
    else:
        total.verdict(True, text)


def run_all(args, total):
    for entry in differences.load().values():
        guarded(total, f"listed difference {entry.name}", run_listed, args, entry, total)
    for replay in WrongRead, WrongImage:
        guarded(total, f"the comparison finds the error of {replay.__name__}", self_test, args, replay)
    if os.path.exists(TEMPLATE):
        guarded(total, "recorded boots of OVMF", run_traces, args, total)
    else:
        print(f"skip - recorded boots of OVMF: {TEMPLATE} is missing (package ovmf)")
    for seed in range(args.seed, args.seed + (LONG_SEEDS if args.long else 1)):
        for run in RUNS:
            guarded(total, f"{run.accesses} random accesses, {run.size >> 10} KiB, {run.personality}, "
                    f"{' '.join(run.options)}, --seed {seed}", run_random, args, run, seed, total)


def parse_arguments():
    parser = argparse.ArgumentParser(prog="tests/peer/qemu/run")
    parser.add_argument("--long", action="store_true", help=f"{LONG_SEEDS} seeds in place of one")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--personality", help="ours in place of what is right: to see the random tests fail")
    parser.add_argument("--build", default=os.environ.get("BUILD", "build"), help=argparse.SUPPRESS)
    return parser.parse_args()


def main():
    args = parse_arguments()
    for number in signal.SIGINT, signal.SIGTERM:
        signal.signal(number, lambda got, _: sys.exit(128 + got))
    version = chips.qemu_version()
    if not version.startswith(KNOWN):
        print(f"skip - QEMU {version}: the expected differences are those of {KNOWN}x")
        return 0
    print(f"# --seed {args.seed}", flush=True)
    total = Total()
    args.directory = tempfile.mkdtemp(prefix="run.", dir=os.path.join(args.build, "peer", "qemu"))
    try:
        run_all(args, total)
    finally:
        shutil.rmtree(args.directory)
    for name, count in sorted(total.met.items()):
        print(f"# {name}: {count} times")
    print(f"peer: QEMU {version} pflash_cfi01: {total.accesses} accesses compared, {total.reads} reads, "
          f"{total.differences} differences ({sum(total.met.values())} expected)")
    return 1 if total.failures else 0


if __name__ == "__main__":
    sys.exit(main())
