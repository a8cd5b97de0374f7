#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""tests/cli/xenstored.py SOCKET TREE [BEHAVIOUR]: replaces xenstored for readers.

TREE is a JSON file, read anew for each request: an object of paths and values; a value's characters are bytes. Prints its
pid when it listens, and continues in the background. BEHAVIOUR is hang (no answer), close, cut (half of the answer),
random (no protocol), large (a length above the limit), or wrong (the answer to another request).
"""

import json
import os
import socket
import struct
import sys
import threading
import time

HEAD = struct.Struct("<IIII")  # type, request, transaction, length
DIRECTORY, READ, ERROR = 1, 2, 16


def children(tree, path):
    start = path.rstrip("/") + "/"
    return sorted({name[len(start):].split("/")[0] for name in tree if name.startswith(start)})


def answer(tree, kind, path):
    if kind == READ and path in tree:
        return READ, tree[path].encode("latin-1")
    if kind == DIRECTORY and children(tree, path):
        return DIRECTORY, b"".join(name.encode() + b"\0" for name in children(tree, path))
    return ERROR, b"ENOENT\0"


def reply(behaviour, request, kind, value):
    if behaviour == "random":
        return os.urandom(4096)
    if behaviour == "large":
        return HEAD.pack(kind, request, 0, 1 << 31) + b"x" * 8192
    if behaviour == "wrong":
        return HEAD.pack(kind, request + 1, 0, len(value)) + value
    text = HEAD.pack(kind, request, 0, len(value)) + value
    return text[:len(text) // 2] if behaviour == "cut" else text


def serve(connection, tree, behaviour):
    try:
        serve_all(connection, tree, behaviour)
    except ConnectionError:
        pass    # the client has closed its end, which a bad answer must cause


def serve_all(connection, tree, behaviour):
    data = b""
    while True:
        while len(data) < HEAD.size or len(data) < HEAD.size + HEAD.unpack(data[:HEAD.size])[3]:
            more = connection.recv(4096)
            if not more:
                return
            data += more
        kind, request, _, size = HEAD.unpack(data[:HEAD.size])
        path, data = data[HEAD.size:HEAD.size + size], data[HEAD.size + size:]
        if behaviour == "hang":
            time.sleep(3600)
        if behaviour == "close":
            connection.close()
            return
        with open(tree, encoding="utf-8") as file:
            found = answer(json.load(file), kind, path.rstrip(b"\0").decode())
        connection.sendall(reply(behaviour, request, *found))
        if behaviour == "cut":
            connection.close()
            return


def main():
    where, tree = sys.argv[1:3]
    behaviour = sys.argv[3] if len(sys.argv) > 3 else ""
    listener = socket.socket(socket.AF_UNIX)
    if os.path.exists(where):
        os.unlink(where)
    listener.bind(where)
    listener.listen(16)
    child = os.fork()
    if child:
        print(child)
        return
    os.close(1)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection, tree, behaviour), daemon=True).start()


if __name__ == "__main__":
    main()
