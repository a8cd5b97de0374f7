# SPDX-License-Identifier: BSD-2-Clause
"""Prints the results, one line each."""

bad = 0


def print_line(line):
    print(line, flush=True)


def ok(text):
    print_line(f"ok - {text}")


def not_ok(text, why):
    global bad
    bad += 1
    print_line(f"not ok - {text}: {why}")


def skip(text, why):
    print_line(f"skip - {text}: {why}")


def note(text):
    for line in str(text).splitlines():
        print_line(f"# {line}")


class Wrong(Exception):
    """An error that a check found."""


def need(holds, why):
    if not holds:
        raise Wrong(why)


def check(text, function, *args):
    """Runs one check and prints its line: function() returns a text to append, or raises Wrong."""
    try:
        more = function(*args)
    except Wrong as wrong:
        not_ok(text, wrong)
        return False
    ok(f"{text}: {more}" if more else text)
    return True
