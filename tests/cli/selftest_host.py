#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Doubles of a Xen host for tests/cli/selftest.sh: xl, the guest, and pflashd.

Called by the name of the program that it replaces. STATE is the directory of all state: `domain` exists while there is
a domain, `calls` has a line for each call of xl, and `fault` names a step that does not work.
"""

import ctypes
import json
import os
import pathlib
import select
import signal
import socket
import subprocess
import sys
import time
import tty

STATE = pathlib.Path(os.environ["STATE"])
DOMAIN = 7
BLOCKS = (0x11000, 0x12000)
WORDS = 32
CYCLES = ("write", "write-p90", "write-asleep", "write-asleep-p90", "view-change", "view-change-p90", "burst-of-64",
          "erase", "ram-read", "array-read", "ram-copy-128k", "flash-copy-128k")
INFO = """host                   : secret-name
xen_version            : 4.99.1
virt_caps              : pv hvm {}shadow
cpu_mhz                : 2000.000
"""


def fault():
    try:
        return (STATE / "fault").read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return ""


def end_with_parent(number):
    ctypes.CDLL(None).prctl(1, number, 0, 0, 0)


# --- the guest ----------------------------------------------------------------

class Guest:
    """The guest of test=selftest on a terminal; its flash is the VARS file without a journal."""

    def __init__(self):
        self.master, slave = os.openpty()
        tty.setraw(slave)
        (STATE / "tty").write_text(os.ttyname(slave), encoding="ascii")
        self.round = 0
        self.vars = None

    def say(self, text):
        os.write(self.master, f"# {text}\r\n".encode())

    def typed(self):
        """The line that was typed, or None."""
        if not select.select([self.master], [], [], 0.002)[0]:
            return None
        return os.read(self.master, 100).decode().strip()

    def write(self):
        self.round += 1
        if fault() == "lost" and self.round > 3:
            return
        self.vars = self.vars or (STATE / "vars").read_text(encoding="ascii")
        vars_file = os.open(self.vars, os.O_WRONLY)
        data = bytes((self.round + i) % 256 for i in range(WORDS))
        os.pwrite(vars_file, data, BLOCKS[self.round % 2])
        os.close(vars_file)

    def rounds(self):
        while self.typed() is None:
            # As a guest that waits in an access.
            if not (STATE / "served").exists():
                continue
            self.write()
            if fault() == "stops" and self.round > 5:
                continue
            self.say(f"round {self.round}")
        self.say(f"rounds ok {self.round}")

    def request(self, letter):
        if letter == "s":
            if fault() == "sizes":
                self.say("failed: a read at 10010 wanted 11 got ff\x1b[2J")
            self.say("sizes ok")
        elif letter == "r":
            self.rounds()
        elif letter == "m":
            for name in CYCLES:
                self.say(f"cycles {name} 3000")
            self.say("measured")

    def run(self):
        while not (STATE / "unpaused").exists():
            time.sleep(0.01)
        while fault() != "silent":
            self.say("ready")
            letter = None
            while letter is None:
                letter = self.typed()
            if letter == "q":
                break
            self.request(letter)
        if fault() != "silent":
            self.say("end")
            (STATE / "ended").touch()
        time.sleep(1000)


# --- xl -------------------------------------------------------------------------

def xl_create():
    if fault() == "create":
        print("xl: error: not enough memory")
        return 1
    if fault() == "create-hangs":
        (STATE / "domain").touch()
        time.sleep(1000)
    (STATE / "domain").touch()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        for fd in range(3):
            os.dup2(os.open(os.devnull, os.O_RDWR), fd)
        Guest().run()
    (STATE / "guest").write_text(str(pid), encoding="ascii")
    return 0


def xl_destroy():
    (STATE / "domain").unlink()
    if (STATE / "guest").exists():
        os.kill(int((STATE / "guest").read_text(encoding="ascii")), signal.SIGKILL)
    return 0


def xl_domid():
    if (STATE / "domain").exists() and fault() != "domid":
        print(DOMAIN)
        return 0
    print("domain is an invalid domain identifier")
    return 1


def xl_info():
    if fault() == "info":
        print("xl: no Xen")
        return 1
    print(INFO.format("" if fault() == "trap" else "hap "), end="")
    return 0


def xl_unpause():
    if fault() == "unpause":
        return 1
    (STATE / "unpaused").touch()
    return 0


def xl():
    with open(STATE / "calls", "a", encoding="ascii") as calls:
        print(*sys.argv[1:], file=calls)
    return globals()["xl_" + sys.argv[1]]()


def xenstore_read():
    if fault() == "console" or not (STATE / "tty").exists():
        return 1
    print((STATE / "tty").read_text(encoding="ascii"))
    return 0


def xenstore_rm():
    return 0


# --- pflashd --------------------------------------------------------------------

class Flash:
    def __init__(self, options):
        self.mode = "trap" if fault() == "trap" else "direct"
        self.vars = options["--vars"]
        if not os.path.exists(self.vars):
            subprocess.run([os.environ["PFLASHCTL"], "create", "--layout", "2m", self.vars], check=True,
                           stdout=subprocess.DEVNULL)
        (STATE / "vars").write_text(self.vars, encoding="ascii")
        self.worker = self.start_worker()
        self.socket = socket.socket(socket.AF_UNIX)
        self.path = pathlib.Path(f"/run/pflashd/{options['--domain']}.sock")
        self.path.unlink(missing_ok=True)
        self.socket.bind(str(self.path))
        self.socket.listen()
        (STATE / "served").touch()
        os.write(int(options["--ready-fd"]), b"\n")
        os.close(int(options["--ready-fd"]))

    def start_worker(self):
        pid = os.fork()
        if pid == 0:
            end_with_parent(signal.SIGKILL)
            time.sleep(1000)
        return pid

    def answer(self, line):
        status = {"domain": DOMAIN, "state": "running", "worker": self.worker, "version": "9.9", "mode": self.mode}
        if line.startswith("mode ") and fault() == "mode":
            status["error"] = "the mode stays"
        elif line.startswith("mode "):
            status["mode"] = self.mode = line[5:]
        elif line == "upgrade" and fault() == "upgrade":
            status["error"] = "the new program refuses"
        elif line == "upgrade":
            os.kill(self.worker, signal.SIGKILL)
        return json.dumps(status)

    def look_at_worker(self):
        if os.waitpid(self.worker, os.WNOHANG)[0] and fault() != "worker":
            self.worker = self.start_worker()

    def serve(self):
        while (STATE / "domain").exists() and not (STATE / "ended").exists():
            if fault() != "worker" or self.worker:
                try:
                    self.look_at_worker()
                except ChildProcessError:
                    self.worker = 0
            if not select.select([self.socket], [], [], 0.02)[0]:
                continue
            peer = self.socket.accept()[0]
            peer.sendall(self.answer(peer.recv(200).decode().strip()).encode())
            peer.close()
        self.path.unlink()
        return 1 if fault() == "end" else 0


def pflashd():
    if sys.argv[1:] == ["--version"]:
        print("pflashd 9.9")
        return 0
    if fault() == "attach":
        print("pflashd: the domain's memory is full")
        return 1
    if fault() == "attach-hangs":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(1000)
    options = dict(zip(sys.argv[1::2], sys.argv[2::2]))
    if "--foreground" in sys.argv:
        arguments = [word for word in sys.argv[1:] if word != "--foreground"]
        options = dict(zip(arguments[::2], arguments[1::2]))
    return Flash(options).serve()


sys.exit(globals()[os.path.basename(sys.argv[0]).replace("-", "_")]())
