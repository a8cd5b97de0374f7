# SPDX-License-Identifier: BSD-2-Clause
"""Runs the programs under test as a user would."""

import os
import signal
import subprocess
import sys
import threading
import time

from report import Wrong, need

build = "build"
TIMEOUT = 60
BLOCK = 4096


class Replay:
    """A pflash-replay process; the caller plays the guest at its standard input."""

    def __init__(self, path, sync="burst", wrap=(), before=None):
        self.process = subprocess.Popen(
            [*wrap, f"{build}/pflash-replay", "--vars", path, "--sync", sync], preexec_fn=before,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def ask(self, text):
        """Sends accesses of which the last is a read; returns the value read."""
        try:
            self.process.stdin.write(text)
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        line = self.process.stdout.readline()
        if not line:
            raise Wrong(f"pflash-replay ended with {self.process.wait()}: {self.errors()}")
        return int(line, 16)

    def errors(self):
        return self.process.stderr.read().decode().strip()

    def write(self, burst):
        """Sends a burst; returns the status register after it."""
        return self.ask(burst.text() + b"w 0 1 70\nr 0 1\n") if burst.ops else self.status()

    def status(self):
        return self.ask(b"w 0 1 70\nr 0 1\n")

    def read_all(self, size):
        """Returns the array as the guest reads it."""
        got = bytearray()
        self.process.stdin.write(b"w 0 1 ff\n")
        for first in range(0, size, BLOCK):
            self.process.stdin.write(b"".join(b"r %x 8\n" % off for off in range(first, first + BLOCK, 8)))
            self.process.stdin.flush()
            for _ in range(0, BLOCK, 8):
                got += int(self.process.stdout.readline(), 16).to_bytes(8, "little")
        return bytes(got)

    def end(self):
        """Ends the input; returns (exit code, standard error)."""
        try:
            _, stderr = self.process.communicate(timeout=TIMEOUT)
        except (BrokenPipeError, subprocess.TimeoutExpired):
            self.process.kill()
            _, stderr = self.process.communicate()
        return self.process.returncode, stderr.decode().strip()

    def kill(self):
        self.process.kill()
        self.process.communicate()

    def feed_until_killed(self, bursts, answers, seconds, sent):
        """Sends bursts as fast as possible, waits for `answers` answers and then for `seconds`, and kills the process.
        Calls sent(burst) before it writes the first byte of a burst. Returns how many bursts were answered."""
        count, wanted, enough = [0], [answers], threading.Event()
        reader = threading.Thread(target=self._count, args=(wanted, count, enough))
        killer = threading.Thread(target=self._kill_later, args=(enough, seconds))
        reader.start()
        killer.start()
        if answers == 0:
            enough.set()
        written = 0
        try:
            for burst in bursts:
                sent(burst)
                written += 1
                self.process.stdin.write(burst.text() + b"r 0 1\n")
                self.process.stdin.flush()
            wanted[0] = min(answers, written)
            if count[0] >= written:
                enough.set()
        except BrokenPipeError:
            pass
        killer.join()
        reader.join()
        stderr = self.errors()
        self._let_go()
        need(self.process.returncode == -signal.SIGKILL,
             f"pflash-replay exited with {self.process.returncode} by itself: {stderr}")
        return count[0]

    def _count(self, wanted, count, enough):
        for _ in self.process.stdout:
            count[0] += 1
            if count[0] >= wanted[0]:
                enough.set()
        enough.set()

    def _kill_later(self, enough, seconds):
        enough.wait()
        time.sleep(seconds)
        self.process.kill()

    def _let_go(self):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        self.process.wait()


def run(*args, **kwargs):
    return subprocess.run(args, capture_output=True, timeout=TIMEOUT, check=False, **kwargs)


def ctl(*args):
    """Runs pflashctl; returns (exit code, standard output, standard error)."""
    done = run(f"{build}/pflashctl", *args)
    return done.returncode, done.stdout, done.stderr.decode().strip()


def export(path):
    code, image, stderr = ctl("export", path, "-")
    need(code == 0, f"export: exit {code}, {stderr}")
    return image


def independent(path, *args):
    """Runs tests/reader.py; returns its standard output."""
    done = run(sys.executable, "-B", "tests/reader.py", *args, path)
    need(done.returncode == 0, f"tests/reader.py: {done.stderr.decode().strip()}")
    return done.stdout


def both(path):
    """Returns the image, on which both readers must agree."""
    image = export(path)
    need(independent(path) == image, "pflashctl export and tests/reader.py differ")
    return image


def contents(path):
    with open(path, "rb") as file:
        return file.read()


def put(path, data):
    with open(path, "wb") as file:
        file.write(data)


def prepare_device(path, *what):
    """Makes a complete device, which is a regular file, with the image that the options say."""
    if not os.path.exists(path):
        with open(path, "wb") as device:
            device.truncate(20 << 20)
    code, _, stderr = ctl("create", "--device", "--reset", *what, path)
    need(code == 0, f"create --device: exit {code}, {stderr}")


def is_complete(path):
    """Is it a device that has all files of the flash?  No other file is so large."""
    return os.path.getsize(path) > 16 << 20


def read_all(path, sync="burst"):
    """Opens the file; returns the array as a guest reads it; ends cleanly."""
    size = len(export(path)) if is_complete(path) else os.path.getsize(path)
    text = b"".join(b"r %x 8\n" % off for off in range(0, size, 8))
    done = run(f"{build}/pflash-replay", "--vars", path, "--sync", sync, input=text)
    need(done.returncode == 0, f"reopening: exit {done.returncode}, {done.stderr.decode().strip()}")
    return b"".join(int(word, 16).to_bytes(8, "little") for word in done.stdout.split())


def closed(path, image):
    """After opening and a clean end the guest's view and the VARS file alone must be `image`."""
    need(read_all(path) == image, "the guest reads an image that differs from the export")
    alone = contents(path)[:len(image)] if is_complete(path) else contents(path)
    need(alone == image, "after a clean end VARS alone has a different image")
