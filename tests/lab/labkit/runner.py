# SPDX-License-Identifier: BSD-2-Clause
"""Runs scenarios and reports their results."""

import contextlib
import fcntl
import functools
import os
import selectors
import shutil
import tempfile
import time

from labkit import (durations, paths, prepare, releases,
                    scenario as scenarios)
from labkit.channel import Results
from labkit.machine import Machine
from labkit.report import STATUS, LabError, Progress

PASSED, FAILED, BROKEN, SKIPPED = 0, 1, 2, 77
BOOT_TIMEOUT = 120      # seconds until dom0 must be up
QUIET = 10              # seconds without a line until the state is printed
KNOWN_ABORTS_MAX = 3
CONSOLE_TAIL = 40       # lines of the console shown after a failure
LOGS_KEPT = 60


class KnownAbort(Exception):
    """QEMU aborted because of the defect that qemu.py describes."""


def _new_log_directory(name):
    top = os.path.join(paths.lab_cache(), "logs")
    os.makedirs(top, exist_ok=True)
    for old in sorted(os.listdir(top))[:-LOGS_KEPT]:
        shutil.rmtree(os.path.join(top, old), ignore_errors=True)
    stamp = time.strftime("%Y%m%d-%H%M%S")
    path = os.path.join(top, f"{stamp}-{name}-{os.getpid()}")
    os.makedirs(path)
    return path


class Boot:
    """One boot of one scenario, watched to its end."""

    def __init__(self, machine, results, progress, options):
        self.machine = machine
        self.results = results
        self.progress = progress
        self.verbose = options.verbose
        self.timeout = options.timeout or machine.scenario.timeout
        self.deadline = progress.elapsed() + BOOT_TIMEOUT
        self.shown = 0      # bytes of the console already shown
        self.rest = b""     # of the channel, without its end of line yet

    def watch(self):
        """Returns when the scenario has ended. Raises LabError at its time
        limit, KnownAbort if QEMU died of its known defect."""
        with selectors.DefaultSelector() as selector:
            channel = self.machine.process.stdout
            os.set_blocking(channel.fileno(), False)
            selector.register(channel, selectors.EVENT_READ)
            while not self.results.ended():
                if selector.select(0.5) and not self._take(channel):
                    self._machine_ended()
                self._tell()
                if self.progress.elapsed() > self.deadline:
                    raise LabError(self._late())

    def _take(self, channel):
        data = channel.read()
        if not data:
            return data is None
        was_ready = self.results.ready
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            self.results.line(line.decode(errors="replace"))
        if self.results.ready is not None and was_ready is None:
            self.progress.say("Xen and dom0 are up (dom0's uptime "
                              f"{self.results.ready} s)")
            self.deadline = self.progress.elapsed() + self.timeout
        return True

    def _machine_ended(self):
        if self.machine.died_of_known_abort():
            raise KnownAbort()
        code = self.machine.process.wait()
        errors = self.machine.error_text()
        raise LabError(f"QEMU ended before the scenario did (status {code}); "
                       f"{errors or 'see the console log for the reason'}")

    def _tell(self):
        if self.verbose:
            text = self.machine.console_text()
            print(text[self.shown:], end="", flush=True)
            self.shown = len(text)
        state = ("Xen and dom0 boot" if self.results.ready is None
                 else self.results.news)
        if self.progress.status.live and not self.verbose:
            self.progress.show_state(state)
        elif self.progress.quiet() > QUIET:
            self.progress.say_state(state)

    def _late(self):
        if self.results.ready is None:
            return f"dom0 was not up after {BOOT_TIMEOUT} s"
        return f"not finished after {self.timeout} s; {self.results.news}"


def _verdict(results):
    """(exit code, reason or None) of a scenario that has ended."""
    counts = results.counts
    if results.fatal:
        return BROKEN, f"dom0 did not come up: {results.fatal}"
    if results.skipped is not None:
        return SKIPPED, None
    if results.status or not results.done:
        return FAILED, ("the scenario ended early (exit status "
                        f"{results.status})")
    if not sum(counts.values()):
        return FAILED, "the scenario made no check"
    if counts["not ok"]:
        return FAILED, None
    return (PASSED if counts["ok"] else SKIPPED), None


@contextlib.contextmanager
def _alone(progress):
    """One machine at a time: each uses both processors of a small host, and two
    machines slow each other down at least tenfold."""
    with open(os.path.join(paths.lab_cache(), "run.lock"), "w",
              encoding="ascii") as f:
        try:
            fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.say("waiting for another run of the lab to end")
            fcntl.flock(f, fcntl.LOCK_EX)
        progress.start_again()
        yield


class _Others:
    """The machines beside the first one, which the scenario starts, and whose
    power it cuts, by `lab: host NUMBER start|kill`."""

    def __init__(self, out, scenario, build, wire):
        self._new = functools.partial(Machine, out, scenario, build, wire=wire)
        self._running = {}

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        for machine in self._running.values():
            machine.__exit__(*exception)

    def order(self, number, verb):
        if verb == "start":
            self._running[number] = self._new(host=number).__enter__()
        elif verb == "kill":
            self._running.pop(number).__exit__(None, None, None)


@contextlib.contextmanager
def _machines(scenario, options, out, results):
    """The first machine; orders of the scenario start the second one."""
    if scenario.hosts == 1:
        with Machine(out, scenario, options.build) as machine:
            yield machine
        return
    with tempfile.TemporaryDirectory(prefix="pflash-lab-") as work:
        wire = os.path.join(work, "wire")
        with (_Others(out, scenario, options.build, wire) as others,
              Machine(out, scenario, options.build, wire=wire) as machine):
            results.order = others.order
            yield machine


def _boot_once(scenario, options, out, progress):
    results = Results(progress.line, out, progress.say)
    with (_alone(progress),
          _machines(scenario, options, out, results) as machine):
        try:
            Boot(machine, results, progress, options).watch()
            code, reason = _verdict(results)
        except LabError as error:
            code, reason = BROKEN, str(error)
        STATUS.clear()
        if code in (FAILED, BROKEN):
            _show_console(machine)
        if options.log:
            shutil.copyfile(machine.console, options.log)
    return code, reason, results


def _show_console(machine):
    lines = [line for line in machine.console_text().splitlines() if line]
    for line in lines[-CONSOLE_TAIL:]:
        print(f"  | {line}", flush=True)


def _boot_until_it_stays(scenario, options, out, progress):
    """(exit code, reason, results, aborts): repeats a boot only if QEMU died
    of its known defect."""
    for aborts in range(KNOWN_ABORTS_MAX + 1):
        try:
            return (*_boot_once(scenario, options, out, progress), aborts)
        except KnownAbort:
            if aborts < KNOWN_ABORTS_MAX:
                progress.say("QEMU aborted of its known defect (README.md), "
                             f"repeating: {aborts + 1} of {KNOWN_ABORTS_MAX}")
    reason = (f"QEMU aborted {aborts + 1} times; `tests/lab/lab build --qemu` "
              "builds a QEMU without this defect")
    return BROKEN, reason, Results(print, out), aborts + 1


def _explain(scenario, code, reason, results, out):
    """Lines about a run that did not pass: the failure, the logs, the next
    thing to do."""
    name = scenario.name + releases.suffix()
    command = f"tests/lab/lab {releases.options()}"
    lines = [f"{name} failed: {text}" for text in results.failures]
    if reason:
        lines.append(f"{name} failed: {reason}")
    lines.append(f"{name}: logs: {os.path.join(out, 'console.log')} and the "
                 "other files there")
    if code == BROKEN:
        lines.append(f"{name}: the lab failed, not a check. If the machine was "
                     "busy, run it again or raise the limit with "
                     f"`{command}run --timeout S {scenario.name}`")
    else:
        lines.append(f"{name}: `{command}run --verbose {scenario.name}` runs "
                     "it again and shows dom0's console; `--shell "
                     f"{scenario.name}` gives a shell in that dom0")
    return lines


def _run_one(scenario, options, totals):
    """(exit code, closing lines)"""
    name = scenario.name + releases.suffix()
    out = options.out or _new_log_directory(name)
    os.makedirs(out, exist_ok=True)
    progress = Progress(name, durations.of_step(f"lab {name}"))
    takes = (f" (about {durations.text(progress.expected)})"
             if progress.expected else "")
    progress.say((scenario.about or "starts") + takes)
    code, reason, results, aborts = _boot_until_it_stays(scenario, options,
                                                         out, progress)
    totals["aborts"] += aborts
    for kind, count in results.counts.items():
        totals[kind] += count
    if code == FAILED and not results.counts["not ok"]:
        totals["not ok"] += 1
    if results.skipped is not None:
        totals["skip"] += 1
        print(f"skip - {name}: {results.skipped}")
    progress.say({PASSED: "passed", FAILED: "FAILED", BROKEN: "LAB FAILURE",
                  SKIPPED: "skipped"}[code])
    if code in (FAILED, BROKEN):
        return code, _explain(scenario, code, reason, results, out)
    if code == PASSED:
        durations.record(f"lab {name}", progress.elapsed())
    return code, results.summary


def _summary(totals):
    parts = [f"{totals['ok']} passed", f"{totals['not ok']} failed"]
    if totals["skip"]:
        parts.append(f"{totals['skip']} skipped")
    if totals["aborts"]:
        parts.append(f"{totals['aborts']} QEMU aborts")
    return ", ".join(parts)


def run(options, closing_last=False):
    """Runs the scenarios one after the other; returns the exit code. Their
    closing lines come before the line of totals, or after it."""
    loaded = [scenarios.load(name) for name in options.scenario]
    for scenario in loaded:
        scenarios.check_runs(scenario)
    prepare.ready(options.build)
    for scenario in loaded:
        scenarios.needed_files(scenario, options.build)
    totals = {"ok": 0, "not ok": 0, "skip": 0, "aborts": 0}
    codes = []
    closing = []
    for scenario in loaded:
        code, lines = _run_one(scenario, options, totals)
        codes.append(code)
        closing += lines
    end = [_summary(totals)]
    end = [*end, "", *closing] if closing_last else [*closing, *end]
    print("\n".join(end), flush=True)
    for code in (BROKEN, FAILED, PASSED):
        if code in codes:
            return code
    return SKIPPED


def shell(scenario, build):
    """Gives the terminal to a dom0 with the scenario's files, if any."""
    prepare.ready(build)
    print("lab: QEMU's monitor and way out: Ctrl-A c, Ctrl-A x", flush=True)
    with Machine(paths.lab_cache(), scenario, build, interactive=True) as m:
        return BROKEN if m.process.wait() else PASSED
