# SPDX-License-Identifier: BSD-2-Clause
"""The programs under test, run as a user would."""

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
    """pflash-replay with a guest at its standard input."""

    def __init__(self, path, sync="burst", wrap=(), before=None):
        self.process = subprocess.Popen(
            [*wrap, f"{build}/pflash-replay", "--vars", path, "--sync", sync], preexec_fn=before,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def ask(self, text):
        """Accesses of which the last is a read; what that gives."""
        try:
            self.process.stdin.write(text)
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        line = self.process.stdout.readline()
        if not line:
            raise Wrong(f"pflash-replay ended with {self.process.wait()}: {self.said()}")
        return int(line, 16)

    def said(self):
        return self.process.stderr.read().decode().strip()

    def write(self, burst):
        """A burst; the status register after it."""
        return self.ask(burst.text() + b"w 0 1 70\nr 0 1\n") if burst.ops else self.status()

    def status(self):
        return self.ask(b"w 0 1 70\nr 0 1\n")

    def read_all(self, size):
        """The array as the guest sees it."""
        got = bytearray()
        self.process.stdin.write(b"w 0 1 ff\n")
        for first in range(0, size, BLOCK):
            self.process.stdin.write(b"".join(b"r %x 8\n" % off for off in range(first, first + BLOCK, 8)))
            self.process.stdin.flush()
            for _ in range(0, BLOCK, 8):
                got += int(self.process.stdout.readline(), 16).to_bytes(8, "little")
        return bytes(got)

    def end(self):
        """End of input: (exit code, what it said)."""
        try:
            _, said = self.process.communicate(timeout=TIMEOUT)
        except (BrokenPipeError, subprocess.TimeoutExpired):
            self.process.kill()
            _, said = self.process.communicate()
        return self.process.returncode, said.decode().strip()

    def kill(self):
        self.process.kill()
        self.process.communicate()

    def feed_until_killed(self, bursts, answers, seconds, sent):
        """Sends bursts as fast as they are taken, waits for so many answers and then for so many seconds, and kills
        the process. sent(burst) is told of each before its first byte is written. Returns how many were answered."""
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
        said = self.said()
        self._let_go()
        need(self.process.returncode == -signal.SIGKILL,
             f"pflash-replay exited with {self.process.returncode} by itself: {said}")
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
    """pflashctl: (exit code, standard output, what it said)"""
    done = run(f"{build}/pflashctl", *args)
    return done.returncode, done.stdout, done.stderr.decode().strip()


def export(path):
    code, image, said = ctl("export", path, "-")
    need(code == 0, f"export: exit {code}, {said}")
    return image


def independent(path, *args):
    """tests/reader.py"""
    done = run(sys.executable, "-B", "tests/reader.py", *args, path)
    need(done.returncode == 0, f"tests/reader.py: {done.stderr.decode().strip()}")
    return done.stdout


def both(path):
    """The image, of which both readers say that it is."""
    image = export(path)
    need(independent(path) == image, "pflashctl export and tests/reader.py differ")
    return image


def contents(path):
    with open(path, "rb") as file:
        return file.read()


def put(path, data):
    with open(path, "wb") as file:
        file.write(data)


def read_all(path, sync="burst"):
    """What a guest reads after an opening, and a clean end."""
    size = os.path.getsize(path)
    text = b"".join(b"r %x 8\n" % off for off in range(0, size, 8))
    done = run(f"{build}/pflash-replay", "--vars", path, "--sync", sync, input=text)
    need(done.returncode == 0, f"opening it again: exit {done.returncode}, {done.stderr.decode().strip()}")
    return b"".join(int(word, 16).to_bytes(8, "little") for word in done.stdout.split())


def closed(path, image):
    """Opens, reads, closes: all must be `image`, and then the VARS file alone too."""
    need(read_all(path) == image, "the guest reads another image than was exported")
    need(contents(path) == image, "after a clean end the VARS file alone is another image")
