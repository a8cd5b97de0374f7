# SPDX-License-Identifier: BSD-2-Clause
"""The emulated machine: QEMU with Xen, dom0 and two serial ports.

The first port is Xen's console (a file, or the terminal); the second is the
result channel, which dom0 knows as ttyS1 and which is QEMU's standard output.

A scenario with `hosts: 2` gets two machines, joined by a network. The scenario
runs in dom0 of the first one; that of the second one executes commands that come
by the network (dom0/run), and its result channel goes to a file.
"""

import ctypes
import os
import re
import shutil
import signal
import subprocess
import tempfile

from labkit import paths, qemu, scenario as scenarios

PR_SET_PDEATHSIG = 1

# qemu64 is the only CPU model with which both Xen's SVM and a PV dom0 work in
# TCG; without -vgif QEMU aborts (qemu.py) six times as often.
CPU = "qemu64,+svm,+npt,-vgif"
# No boot scrubbing and a bound on dom0's memory save seconds of boot each. dom0
# stays on one processor, guests on the other (lib.sh): in one boot of three a
# UEFI guest that moved between them triple-faulted or became very slow.
XEN = ("console=com1 com1=115200,8n1 dom0_mem=512M,max:512M dom0_max_vcpus=1 "
       "dom0_vcpus_pin noreboot=1 bootscrub=0 loglvl=warning "
       "guest_loglvl=info")
# Without self-checks and hardening dom0's kernel boots a third faster here.
DOM0 = ("console=hvc0 quiet panic=1 rodata=off mitigations=off noreplace-smp "
        "cryptomgr.notests")

# The messages of the abort that qemu.py describes: of QEMU 7, 10 and 11.
KNOWN_ABORT = re.compile(
    r"(tcg_handle_interrupt|cpu_interrupt): assertion failed: "
    r"\((qemu_mutex_iothread_locked|bql_locked)\(\)\)")


def _die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _escaped(path):
    """QEMU splits -initrd and device options at commas."""
    return path.replace(",", ",,")


class Machine:
    """One boot, a context manager that ends QEMU at every exit of its block.
    `out` is the directory for the files of the run."""

    def __init__(self, out, scenario, build, interactive=False, host=1,
                 wire=None):
        self.scenario = scenario
        self.build = build
        self.interactive = interactive
        self.host = host
        self.wire = wire    # the socket of the network; None: no network
        suffix = f"-{host}" if host > 1 else ""
        self.console = os.path.join(out, f"console{suffix}.log")
        self.results = os.path.join(out, f"results{suffix}.log")
        self.errors = os.path.join(out, f"qemu{suffix}.log")
        self.process = None
        self.work = None

    def __enter__(self):
        self.work = tempfile.TemporaryDirectory(prefix="pflash-lab-")
        try:
            self._start()
        except BaseException:
            self.work.cleanup()
            raise
        return self

    def kill(self):
        """The power fails."""
        self.process.kill()
        self.process.wait()

    def __exit__(self, *_exception):
        self.process.kill()
        self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()
        self.work.cleanup()

    def _start(self):
        initrd = os.path.join(self.work.name, "initrd")
        with open(initrd, "wb") as out:
            with open(paths.base("base.cpio"), "rb") as base:
                shutil.copyfileobj(base, out)
            scenarios.write_overlay(out, self.scenario, self.build)
        with open(self.errors, "w", encoding="utf-8") as errors:
            self.process = subprocess.Popen(
                self._command(initrd), preexec_fn=_die_with_parent,
                stdin=None if self.interactive else subprocess.DEVNULL,
                stdout=None if self.interactive else subprocess.PIPE,
                stderr=None if self.interactive else errors)

    def _command(self, initrd):
        dom0 = DOM0 + (" lab.shell" if self.interactive else "")
        if self.wire:
            dom0 += f" lab.host={self.host}"
        memory = self.scenario.memory if self.scenario else 3072
        if self.interactive:
            serial = ["-chardev", "stdio,id=con,mux=on,signal=off",
                      "-serial", "chardev:con", "-mon", "chardev=con",
                      "-serial", "null"]
        else:
            serial = ["-serial", f"file:{self.console}", "-serial",
                      "stdio" if self.host == 1 else f"file:{self.results}"]
        return [*qemu.command(), "-machine", "q35", "-accel", "tcg,thread=multi",
                "-cpu", CPU, "-smp", "2", "-m", str(memory), "-nodefaults",
                "-display", "none", *serial, *self._network(), "-no-reboot",
                "-kernel", paths.base("xen"), "-append", XEN, "-initrd",
                f"{_escaped(paths.base('vmlinux'))} {dom0},{_escaped(initrd)}"]

    def _network(self):
        if not self.wire:
            return []
        role = "server=on" if self.host == 1 else "server=off"
        return ["-netdev", f"stream,id=wire,{role},addr.type=unix,"
                f"addr.path={_escaped(self.wire)}", "-device",
                f"e1000,netdev=wire,romfile=,mac=52:54:00:00:00:0{self.host}"]

    def console_text(self):
        try:
            with open(self.console, encoding="utf-8", errors="replace") as f:
                return f.read()
        except OSError:
            return ""

    def error_text(self):
        with open(self.errors, encoding="utf-8", errors="replace") as f:
            return f.read().strip()

    def died_of_known_abort(self):
        """Call it only after QEMU has ended by itself."""
        return (self.process.wait() == -signal.SIGABRT
                and KNOWN_ABORT.search(self.error_text()) is not None)
