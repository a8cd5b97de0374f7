# SPDX-License-Identifier: BSD-2-Clause
"""Counts the system calls of a first boot: one write and one sync per burst, none other between the accesses."""

import collections
import os
import re

import error
import flash
import programs
from report import check, need, note, skip

CALL = re.compile(r"^(\w+)\((\d+)?(.*)")
WRITES, SYNCS = ("write", "pwrite64", "pwritev", "writev"), ("fdatasync", "fsync", "sync_file_range", "msync")
AT_THE_ENDS = 8  # syncs while opening and in the final checkpoint


def traced(directory, sync, *options):
    """Returns strace's log of a first boot."""
    path, log = os.path.join(directory, "cost.fd"), os.path.join(directory, "cost.log")
    for name in (path, path + ".journal"):
        if os.path.exists(name):
            os.unlink(name)
    programs.put(path, programs.contents(flash.TEMPLATE))
    accesses = b"".join(burst.text() for burst in flash.from_trace())
    trace = os.path.join(directory, "trace")
    programs.put(trace, accesses)
    with open(trace, "rb") as given:
        done = programs.run("strace", *options, "-o", log, f"{programs.build}/pflash-replay", "--vars", path, "--sync",
                            sync, stdin=given)
    need(done.returncode == 0, done.stderr.decode().strip())
    with open(log, encoding="ascii", errors="replace") as lines:
        return lines.read()


def between(calls):
    """Returns the calls from the first access read to the last one."""
    reads = [n for n, (name, fd, _) in enumerate(calls) if name == "read" and fd == "0"]
    need(len(reads) > 1, "no accesses were read")
    return [call for call in calls[reads[0]:reads[-1]] if call[:2] != ("read", "0")]


def counted(directory, sync, writes, syncs):
    calls = [match.groups() for match in map(CALL.match, traced(directory, sync).splitlines()) if match]
    inside = collections.Counter(name for name, _, _ in between(calls))
    need(inside["pwrite64"] == writes, f"{inside['pwrite64']} writes for {writes} bursts")
    need(inside["fdatasync"] == syncs, f"{inside['fdatasync']} syncs, not {syncs}")
    # Before each read it waits for input, as a checkpoint may become due while there is none.
    reads = sum(call[:2] == ("read", "0") for call in calls)
    need(inside["poll"] <= reads, f"{inside['poll']} polls for {reads} reads")
    others = set(inside) - {"pwrite64", "fdatasync", "poll"}
    need(not others, f"unexpected calls between the accesses: {', '.join(sorted(others))}")
    files = {fd for name, fd, _ in between(calls) if name != "poll"}
    need(len(files) == 1, f"files other than the journal are written: {files}")
    whole = collections.Counter(name for name, _, _ in calls)
    all_writes, all_syncs = (sum(whole[name] for name in names) for names in (WRITES, SYNCS))
    need(all_writes <= 2 * writes, f"{all_writes} writes in all")
    need(all_syncs <= syncs + AT_THE_ENDS, f"{all_syncs} syncs in all")
    return f"{writes} bursts: {all_writes} writes and {all_syncs} syncs in all"


def run(options, rng, directory):
    del rng
    why = error.why_no_strace()
    if not why and not os.path.exists(flash.TEMPLATE):
        why = f"no {flash.TEMPLATE} (package ovmf)"
    if why:
        skip("the cost of a first boot", why)
        return
    bursts = flash.from_trace()
    ops = sum(len(burst.ops) for burst in bursts)
    for sync, writes, syncs in (("burst", len(bursts), len(bursts)), ("op", ops, ops), ("none", len(bursts), 0)):
        check(f"system calls of a first boot, --sync {sync}", counted, directory, sync, writes, syncs)
    if options.long:
        note(traced(directory, "burst", "-c"))
