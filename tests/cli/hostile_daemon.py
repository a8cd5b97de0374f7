#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""tests/cli/hostile_daemon.py [--uid N] DIRECTORY ID[-ID]=BEHAVIOUR...: replaces pflashds, most of them hostile.

Listens on /run/pflashd/ID.sock, or in the directory $PFLASH_RUN_DIR, prints its pid when all sockets exist, and continues in the background. For each
connection it appends a line "ID LINE" to DIRECTORY/asked. With --uid it listens as that user.

BEHAVIOUR is {...}: an honest answer with these members replaced (null stays null, "-name" removes a member); or "@FILE":
the bytes of a file; or one of the names in the table at the end.
"""

import json
import os
import pathlib
import signal
import socket
import sys
import threading
import time

RUN = pathlib.Path(os.environ.get("PFLASH_RUN_DIR", "/run/pflashd"))
UNKNOWN = "this pflashd does not know what it is asked for"
FIRST_WORKER, NEXT_WORKER = 4001, 4002
log_lock = threading.Lock()


def good(domain):
    return {
        "domain": domain,
        "name": f"guest{domain}",
        "pid": 1,
        "worker": FIRST_WORKER,
        "version": "0.2.0",
        "state": "running",
        "restarts": 0,
        "queued": 2,
        "vars": f"/var/lib/pflash/guest{domain}.fd",
        "journal": "",
        "sync": "burst",
        "personality": "ovmf",
        "sandbox": "full",
        "base": 4290772992,
        "size": 540672,
        "mode": "trap",
        "since": int(time.time()) - 100000,
        "requests": 12,
        "reads": 5,
        "writes": 7,
        "bursts": 3,
        "checkpoints": 1,
        "written": 8192,
        "throttled": 0,
        "throttled-seconds": 0,
        "errors": 0,
        "takeovers": 0,
        "failure": "",
    }


def old(domain):
    status = good(domain)
    for name in ("worker", "state", "restarts"):
        del status[name]
    return {**status, "version": "0.1.0"}


def send(connection, status):
    connection.sendall(json.dumps(status).encode())


def other_members(text):
    members = json.loads(text)

    def answer(connection, domain, line, memory):
        status = {**good(domain), **{name: value for name, value in members.items() if name[0] != "-"}}
        for name in members:
            status.pop(name[1:] if name[0] == "-" else None, None)
        send(connection, status)

    return answer


def from_file(path):
    data = pathlib.Path(path).read_bytes()

    def answer(connection, domain, line, memory):
        connection.sendall(data)

    return answer


def silent(connection, domain, line, memory):
    time.sleep(3600)


def drip(connection, domain, line, memory):
    for byte in json.dumps(good(domain)).encode():
        connection.sendall(bytes([byte]))
        time.sleep(1)


def close(connection, domain, line, memory):
    pass


def cut(connection, domain, line, memory):
    connection.sendall(json.dumps(good(domain)).encode()[:-20])


def ten_mib(connection, domain, line, memory):
    connection.sendall(b'{"name": "' + b"A" * (10 << 20) + b'"}')


def never_ends(connection, domain, line, memory):
    send(connection, good(domain))
    time.sleep(3600)


def mode(connection, domain, line, memory):
    """Changes the mode, slowly."""
    if line.startswith("mode "):
        memory["mode"] = line.split()[1]
        time.sleep(1)
    send(connection, {**good(domain), **memory})


def mode_refused(connection, domain, line, memory):
    error = {"error": "the guest is suspended\x1b[2J\nok"} if line.startswith("mode ") else {}
    send(connection, {**good(domain), **error})


def no_mode(connection, domain, line, memory):
    status = good(domain)
    if line.startswith("mode "):
        del status["mode"]
    send(connection, status)


def mode_silent(connection, domain, line, memory):
    if line.startswith("mode "):
        time.sleep(3600)
    send(connection, good(domain))


def upgrade_silent(connection, domain, line, memory):
    if line == "upgrade":
        time.sleep(3600)
    send(connection, good(domain))


def upgrade(connection, domain, line, memory):
    """After some more requests the next worker, of the same version, serves."""
    if line == "upgrade":
        memory["left"] = 4
        send(connection, good(domain))
        return
    left = memory.get("left")
    if left is None or left == 4:
        status = {}
    elif left > 0:
        status = {"state": "starting", "worker": 0}
    else:
        status = {"worker": NEXT_WORKER, "takeovers": 1}
    memory["left"] = left and left - 1
    send(connection, {**good(domain), **status})


def upgrade_at_once(connection, domain, line, memory):
    """Executes the program before it answers."""
    if line == "upgrade":
        memory.update(worker=NEXT_WORKER, takeovers=1)
        return
    send(connection, {**good(domain), **memory})


def upgrade_version(connection, domain, line, memory):
    if line == "upgrade":
        memory.update(version="0.3.0", takeovers=1)
    send(connection, {**good(domain), **memory})


def upgrade_refused(connection, domain, line, memory):
    error = {"error": "the new program cannot go on from here: state 3\x1b]0;x\x07"} if line == "upgrade" else {}
    send(connection, {**good(domain), **error})


def upgrade_claimed(connection, domain, line, memory):
    """A hostile worker reports takeovers, but there was no upgrade."""
    memory["takeovers"] = memory.get("takeovers", 0) + 1
    send(connection, {**good(domain), **memory})


def upgrade_failed(connection, domain, line, memory):
    """The flash has failed, and runs again after an upgrade."""
    if line == "upgrade":
        memory.update(state="running", worker=NEXT_WORKER)
        send(connection, {**good(domain), "state": "starting", "worker": 0})
        return
    send(connection, {**good(domain), "state": "failed", "worker": 0, **memory})


def upgrade_fails(connection, domain, line, memory):
    if line == "upgrade":
        memory.update(state="failed", worker=0)
    send(connection, {**good(domain), **memory})


def send_trace(connection, domain, line):
    """For `trace`: the bytes of DIRECTORY/trace; a status with the VARS file DIRECTORY/VARS."""
    if line == "trace":
        connection.sendall((directory / "trace").read_bytes())
        return True
    send(connection, {**good(domain), "vars": str(directory / "VARS")})
    return False


def trace(connection, domain, line, memory):
    """Goes on until the client ends its side."""
    if send_trace(connection, domain, line):
        while connection.recv(128):
            pass
        connection.sendall(b"# end: stopped\n")


def trace_cut(connection, domain, line, memory):
    """The worker dies."""
    send_trace(connection, domain, line)


def trace_deaf(connection, domain, line, memory):
    """The worker does not end the trace."""
    if send_trace(connection, domain, line):
        time.sleep(3600)


def trace_refused(connection, domain, line, memory):
    error = {"error": "the guest is traced already\x1b[2J"} if line.startswith("trace") else {}
    send(connection, {**good(domain), **error})


taken_over = [0]


def old_one(connection, domain, line, memory):
    """Version 0.1: has no upgrade request; SIGUSR2 starts an upgrade."""
    error = {} if line in ("", "status") else {"error": UNKNOWN}
    send(connection, {**old(domain), "takeovers": taken_over[0], **error, **memory})


def old_liar(connection, domain, line, memory):
    """Version 0.1 with a worker that claims the pid in DIRECTORY/victim."""
    victim = json.loads((directory / "victim").read_text())
    old_one(connection, domain, line, {"pid": victim})


def old_everybody(connection, domain, line, memory):
    old_one(connection, domain, line, {"pid": 4294967295})


def old_without_record(connection, domain, line, memory):
    status = old(domain)
    del status["takeovers"]
    send(connection, status)


def serve_one(connection, domain, behaviour, memory):
    # The request is read and logged for every behaviour.
    line = b""
    while not line.endswith(b"\n") and (more := connection.recv(128)):
        line += more
    with log_lock, open(directory / "asked", "a") as log:
        print(domain, line.decode().strip(), file=log)
    try:
        behaviour(connection, domain, line.decode().strip(), memory)
    except OSError:
        pass
    connection.close()


def serve(listener, domain, behaviour):
    memory = {}
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve_one, args=(connection, domain, behaviour, memory), daemon=True).start()


def full_backlog(listener):
    """Never accepts, and fills the queue: connect() fails with EAGAIN."""
    waiting = []
    while True:
        client = socket.socket(socket.AF_UNIX)
        client.setblocking(False)
        waiting.append(client)
        try:
            client.connect(listener.getsockname())
        except BlockingIOError:
            break
    time.sleep(3600)


BEHAVIOURS = {
    function.__name__.replace("_", "-"): function
    for function in (
        silent, drip, close, cut, ten_mib, never_ends, mode, mode_refused, mode_silent, no_mode, upgrade, upgrade_at_once,
        upgrade_version, upgrade_refused, upgrade_claimed, upgrade_failed, upgrade_fails, upgrade_silent, old_one,
        old_liar, old_everybody, old_without_record, trace, trace_cut, trace_deaf, trace_refused,
    )
}  # fmt: skip


def listen(domain, uid, backlog):
    path = RUN / f"{domain}.sock"
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    # SO_PEERCRED has the user at the time of listen().
    if uid is not None:
        os.seteuid(uid)
    listener.listen(backlog)
    if uid is not None:
        os.seteuid(0)
    return listener


def domains(text):
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def start(argument, uid):
    which, _, what = argument.partition("=")
    for domain in domains(which):
        if what == "full-backlog":
            threading.Thread(target=full_backlog, args=(listen(domain, uid, 0),), daemon=True).start()
            continue
        if what[0] == "{":
            behaviour = other_members(what)
        elif what[0] == "@":
            behaviour = from_file(what[1:])
        else:
            behaviour = BEHAVIOURS[what]
        threading.Thread(target=serve, args=(listen(domain, uid, 64), domain, behaviour), daemon=True).start()


def main():
    global directory
    arguments = sys.argv[1:]
    uid = None
    if arguments[0] == "--uid":
        uid = int(arguments[1])
        arguments = arguments[2:]
    directory = pathlib.Path(arguments[0])
    ready, tell = os.pipe()
    child = os.fork()
    if child:
        os.close(tell)
        if os.read(ready, 1) != b"r":
            sys.exit(1)
        print(child)
        sys.exit(0)
    # Block it in all threads: only main() waits for it.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
    for argument in arguments[1:]:
        start(argument, uid)
    os.close(1)
    os.write(tell, b"r")
    os.close(tell)
    while signal.sigwait({signal.SIGUSR2}):
        taken_over[0] += 1


if __name__ == "__main__":
    main()
