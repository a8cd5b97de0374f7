# SPDX-License-Identifier: BSD-2-Clause
"""What was found, a line each."""

bad = 0


def say(line):
    print(line, flush=True)


def ok(text):
    say(f"ok - {text}")


def not_ok(text, why):
    global bad
    bad += 1
    say(f"not ok - {text}: {why}")


def skip(text, why):
    say(f"skip - {text}: {why}")


def note(text):
    for line in str(text).splitlines():
        say(f"# {line}")


class Wrong(Exception):
    """What a check found."""


def need(holds, why):
    if not holds:
        raise Wrong(why)


def check(text, function, *args):
    """One line: function() returns what to add to the text, or raises Wrong."""
    try:
        more = function(*args)
    except Wrong as wrong:
        not_ok(text, wrong)
        return False
    ok(f"{text}: {more}" if more else text)
    return True
