# SPDX-License-Identifier: BSD-2-Clause
"""See tests/torture/run."""

import argparse
import random
import sys
import tempfile
import time

import cost
import error
import holders
import kill
import programs
import report
import space
import vanish

PARTS = {
    "kill": kill,
    "space": space,
    "vanish": vanish,
    "error": error,
    "open": holders,
    "cost": cost,
}


def main():
    parser = argparse.ArgumentParser(prog="tests/torture/run")
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1000000)
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--build", default="build", help=argparse.SUPPRESS)
    parser.add_argument("--may-mount", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    programs.build = options.build
    report.note(f"seed {options.seed}")
    with tempfile.TemporaryDirectory() as directory:
        for name, part in PARTS.items():
            if options.only in (None, name):
                part.run(options, random.Random(f"{options.seed} {name}"), directory)
    return report.bad > 0


sys.exit(main())
