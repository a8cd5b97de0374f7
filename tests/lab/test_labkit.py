#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Tests of the lab's own code that need no machine: python3 test_labkit.py"""

import base64
import gzip
import hashlib
import io
import lzma
import os
import struct
import subprocess
import sys
import tempfile
import unittest
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from unittest import mock

from labkit import (cpio, database, demo, durations, efilinux, elf, kernel,
                    libvirt, libxl, mtd, parts, paths, prepare, qemu, releases,
                    report, runner, scenario, source, sysroot, xensource)
from labkit.channel import Results
from labkit.machine import KNOWN_ABORT, Machine
from labkit.report import LabError


def results(*lines, out="."):
    r = Results(lambda text: None, out)
    for line in lines:
        r.line(line)
    return r


def verdict(*lines):
    return runner._verdict(results(*lines))[0]


class Verdict(unittest.TestCase):
    def test_passes_only_when_the_end_was_reached(self):
        self.assertEqual(verdict("ok - a", "lab: done", "lab: end 0"), 0)
        self.assertEqual(verdict("ok - a", "lab: end 0"), 1)
        self.assertEqual(verdict("ok - a", "lab: done", "lab: end 3"), 1)

    def test_one_failed_check_fails(self):
        self.assertEqual(
            verdict("ok - a", "not ok - b", "lab: done", "lab: end 0"), 1)

    def test_no_check_at_all_fails(self):
        self.assertEqual(verdict("lab: done", "lab: end 0"), 1)

    def test_skips(self):
        self.assertEqual(verdict("lab: skip-all no HVM", "lab: end 0"), 77)
        self.assertEqual(verdict("skip - a", "lab: done", "lab: end 0"), 77)
        self.assertEqual(
            verdict("skip - a", "ok - b", "lab: done", "lab: end 0"), 0)

    def test_dom0_that_does_not_come_up_is_the_lab_s_failure(self):
        self.assertEqual(verdict("lab: fatal xenstored"), 2)


class Channel(unittest.TestCase):
    def export(self, name, digest=None, text=None):
        data = b"\0flash\xff" * 100
        text = text or base64.b64encode(gzip.compress(data)).decode()
        with tempfile.TemporaryDirectory() as out:
            r = results(f"lab: file {name}", text[:40], text[40:],
                        "lab: file-end "
                        + (digest or hashlib.sha256(data).hexdigest()),
                        out=out)
            stored = os.listdir(out)
        return r.counts["not ok"], stored

    def test_a_file_arrives(self):
        self.assertEqual(self.export("a.fd"), (0, ["a.fd"]))

    def test_a_damaged_file_is_a_failed_check(self):
        self.assertEqual(self.export("a.fd", digest="0"), (1, []))
        self.assertEqual(self.export("a.fd", text="AAAA" * 20), (1, []))

    def test_a_name_cannot_leave_the_directory(self):
        self.assertEqual(self.export("../a"), (1, []))


class News(unittest.TestCase):
    def test_the_newest_line_is_the_news(self):
        r = results()
        self.assertEqual(r.news, "no check yet")
        for line, news in (("ok - a", "last check: ok - a"),
                           ("lab: step b", "b"), ("lab: progress 1", "1"),
                           ("# c", "c")):
            r.line(line)
            self.assertEqual(r.news, news)

    def test_progress_is_no_line_of_its_own(self):
        lines, steps = [], []
        r = Results(lines.append, ".", steps.append)
        for line in ("lab: step a", "lab: progress b", "ok - c"):
            r.line(line)
        self.assertEqual((lines, steps), (["ok - c"], ["a"]))

    def test_failures_and_summary_are_kept_for_the_end(self):
        r = results("ok - a", "not ok - b", "lab: summary c")
        self.assertEqual((r.failures, r.summary), (["b"], ["c"]))

    def test_a_failure_is_explained(self):
        s = scenario.Scenario("x", "x.sh")
        lines = runner._explain(s, runner.FAILED, None, results("not ok - b"),
                                "/logs")
        self.assertEqual(lines[0], "x failed: b")
        self.assertIn("/logs/console.log", lines[1])
        self.assertIn("lab run --verbose x", lines[2])


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Status(unittest.TestCase):
    def output(self, stream):
        with mock.patch.dict(os.environ, TERM="xterm", COLUMNS="9"):
            status = report.StatusLine(stream)
            status.show("0123456789")
            status.line("line")
        return stream.getvalue()

    def test_a_terminal_shows_it_in_its_width_and_clears_it(self):
        self.assertEqual(self.output(Terminal()),
                         "\r01234567\033[K\r\033[Kline\n")

    def test_elsewhere_only_lines_appear(self):
        self.assertEqual(self.output(io.StringIO()), "line\n")

    def test_expected_time(self):
        self.assertEqual(report.of_expected(3, None), "3 s")
        self.assertEqual(report.of_expected(3, 40), "3 s of about 40 s")
        self.assertEqual(report.of_expected(50, 40), "50 s, expected 40 s")


class Durations(unittest.TestCase):
    def test_this_machine_s_durations_replace_the_defaults(self):
        with tempfile.TemporaryDirectory() as cache, \
                mock.patch.dict(os.environ, PFLASH_CACHE=cache):
            self.assertIn("lab boot", durations.load())
            durations.record("lab boot", 1234)
            durations.record("a b c", 0.5)
            self.assertEqual(durations.load()["lab boot"], 1234)
            self.assertEqual(durations.load()["a b c"], 0.5)
            self.assertEqual(os.listdir(cache), ["durations"])

    def test_a_foreign_release_takes_as_long_until_it_has_run(self):
        table = {"lab boot": 9, "lab attach": 3, "lab attach-trixie": 4}
        for step, seconds in (("lab boot-trixie", 9), ("lab attach-trixie", 4),
                              ("lab attach-sid", 3), ("lab x-trixie", None)):
            self.assertEqual(durations.of_step(step, table), seconds)

    def test_a_cache_that_is_not_writable_is_ignored(self):
        with mock.patch.dict(os.environ, PFLASH_CACHE="/dev/null/none"):
            durations.record("lab boot", 1234)

    def test_every_scenario_has_a_default(self):
        for name in scenario.names():
            self.assertIn(f"lab {name}", durations._read(durations.DEFAULTS))


class Header(unittest.TestCase):
    def load(self, text):
        with tempfile.TemporaryDirectory() as d:
            path = os.path.join(d, "x.sh")
            with open(path, "w", encoding="ascii") as f:
                f.write(text)
            return scenario.load(path)

    def test_fields(self):
        s = self.load("# about: one\n# about: two\n# needs: a b\n"
                      "# needs: c\n# timeout: 7\n\n# memory: 9\n")
        self.assertEqual((s.about, s.needs, s.timeout, s.memory, s.hosts),
                         ("one two", ["a", "b", "c"], 7, 3072, 1))

    def test_a_second_host_needs_a_network(self):
        s = self.load("# hosts: 2\n")
        with mock.patch.object(kernel, "module", lambda name: name):
            self.assertIn("lib/modules/e1000.ko", scenario.optional_files(s))
        first, second = (Machine("out", s, "build", host=host, wire="w")
                         for host in (1, 2))
        self.assertIn("server=on", " ".join(first._command("initrd")))
        self.assertIn("server=off", " ".join(second._command("initrd")))
        self.assertIn("lab.host=2", " ".join(second._command("initrd")))
        alone = " ".join(Machine("out", s, "build")._command("initrd"))
        self.assertNotIn("e1000", alone)
        self.assertNotIn("lab.host", alone)

    def test_lists_of_several_lines(self):
        s = self.load("# modules: b a\n# modules: c\n# programs: true\n")
        self.assertEqual((s.modules, s.programs), (["b", "a", "c"], ["true"]))

    def test_what_a_machine_has_not_is_left_out(self):
        s = self.load("# modules: no-such-module\n"
                      "# programs: sh no-such-program\n")
        self.assertEqual(list(scenario.optional_files(s)), ["lab/sh"])

    def test_not_a_number(self):
        self.assertRaises(LabError, self.load, "# timeout: long\n")

    def test_a_missing_file_names_what_makes_it(self):
        s = self.load("# needs: build/nothing\n")
        with self.assertRaisesRegex(LabError, "make build/nothing"):
            scenario.needed_files(s, "/nonexistent")


    def test_without_debian_s_file_pflashctl_makes_the_vars(self):
        s = self.load(f"# needs: {scenario.VARS}\n")
        with tempfile.TemporaryDirectory() as build, \
                mock.patch.object(scenario.os.path, "exists",
                                  lambda path: path != scenario.VARS
                                  and os.access(path, os.F_OK)):
            with self.assertRaisesRegex(LabError, "run `make`"):
                scenario.needed_files(s, build)
            os.makedirs(f"{build}/lab")
            with open(f"{build}/pflashctl", "w", encoding="ascii") as f:
                f.write("#!/bin/sh\nshift 3 && echo vars >$1\n")
            os.chmod(f"{build}/pflashctl", 0o755)
            files = scenario.needed_files(s, build)
            with open(files["lab/OVMF_VARS.fd"], encoding="ascii") as f:
                self.assertEqual(f.read(), "vars\n")


class Archive(unittest.TestCase):
    def test_every_entry_is_aligned_and_directories_come_once(self):
        out = io.BytesIO()
        w = cpio.Writer(out)
        w.data("a/b/c", b"12345", 0o755)
        w.symlink("a/b/d", "c")
        w.close()
        data = out.getvalue()
        self.assertEqual(len(data) % 512, 0)
        at = [i for i in range(len(data)) if data.startswith(b"070701", i)]
        self.assertEqual([i % 4 for i in at], [0] * 5)


    def test_a_path_through_a_link_is_written_below_its_target(self):
        out = io.BytesIO()
        w = cpio.Writer(out, {"usr/lib": "/lib", "lib64": "/lib",
                              "var/lock": "/run/lock"})
        w.data("usr/lib/a", b"")
        w.data("/lib64/b", b"")
        w.directory("var/lock/c")
        w.data("usr/libexec/d", b"")
        self.assertEqual(w.dirs, {"lib", "run", "run/lock", "run/lock/c", "usr",
                                  "usr/libexec"})
        self.assertIn(b"lib/b\0", out.getvalue())


class Releases(unittest.TestCase):
    def setUp(self):
        self.addCleanup(releases.select, None)
        here = mock.patch.object(releases, "host", lambda: "bookworm")
        here.start()
        self.addCleanup(here.stop)

    def test_this_machine_s_release_is_the_default(self):
        self.assertEqual(releases.current().xen, "4.17")
        self.assertFalse(releases.is_foreign())
        self.assertEqual(releases.suffix(), "")

    def test_another_one_has_a_cache_and_a_build_directory_of_its_own(self):
        with mock.patch.dict(os.environ, PFLASH_CACHE="/c", BUILD="/b"):
            self.assertEqual(kernel.root(), "/c/lab/bookworm/root")
            self.assertEqual(prepare.directory(), "/b")
            releases.select("trixie")
            self.assertEqual(kernel.root(), "/c/lab/trixie/root")
            self.assertEqual(prepare.directory(), "/b-trixie")

    def test_the_table_s_differences_are_used(self):
        releases.select("trixie")
        self.assertIn("usr/lib/xen-4.20/boot/hvmloader", parts.names("hvm"))
        self.assertIn("lib/systemd/systemd-executor", parts.names("systemd"))
        releases.select("bookworm")
        self.assertNotIn("lib/systemd/systemd-executor", parts.names("systemd"))

    def test_an_unknown_machine_needs_the_option(self):
        with mock.patch.object(releases, "host", lambda: "noble"):
            self.assertRaisesRegex(LabError, "--release", releases.current)
            releases.select("sid")
            self.assertTrue(releases.is_foreign())

    def test_modules_compiled_here_are_for_this_machine_s_release(self):
        s = scenario.Scenario("x", "x.sh", needs=["mtd"])
        releases.select("trixie")
        with self.assertRaisesRegex(LabError, "x runs on bookworm only"):
            scenario.needed_files(s, "/nonexistent")

    def test_a_link_does_not_lead_out_of_the_sysroot(self):
        with tempfile.TemporaryDirectory() as root:
            top = os.path.join(root, "usr/lib/x86_64-linux-gnu")
            os.makedirs(top)
            os.symlink("/lib/x86_64-linux-gnu/libz.so.1", f"{top}/libz.so")
            os.symlink("libev.so.4", f"{top}/libev.so")
            sysroot._relative_links(root)
            self.assertEqual(os.readlink(f"{top}/libz.so"),
                             "../../../lib/x86_64-linux-gnu/libz.so.1")
            self.assertEqual(os.readlink(f"{top}/libev.so"), "libev.so.4")


class SourceTree(unittest.TestCase):
    """A tree with the files that xensource.py reads and runs; its makefiles write
    files where those of Xen do."""
    CONFIGURE = "#!/bin/sh\necho \"$@\" >config/Tools.mk\n"
    INSTALL = ("install:\n\tfor f in {files}; do install -D /bin/true "
               "$(DESTDIR)/usr/$$f; done\n")
    MAKEFILES = {
        "include": "include/xenctrl.h",
        "libs": "lib/x86_64-linux-gnu/libxenctrl.so.9.8 "
                "lib/x86_64-linux-gnu/libxenctrl.a",
        "xenstored": "sbin/xenstored", "xs-clients": "bin/xenstore-read",
        "console": "sbin/xenconsoled", "xcutils": "lib/xen-9.8/bin/lsevtchn",
        "xl": "sbin/xl", "helpers": "lib/xen-9.8/bin/xen-init-dom0",
        "hotplug": "share/block",
    }

    def setUp(self):
        self.addCleanup(releases.select, None)
        work = tempfile.TemporaryDirectory()
        self.addCleanup(work.cleanup)
        self.dir = f"{work.name}/xen-9.8"
        for place in (mock.patch.object(releases, "host", lambda: "bookworm"),
                      mock.patch.dict(os.environ, BUILD="/b",
                                      PFLASH_CACHE=f"{work.name}/cache")):
            place.start()
            self.addCleanup(place.stop)
        self.write("configure", self.CONFIGURE)
        os.chmod(f"{self.dir}/configure", 0o755)
        self.write("config/empty", "")
        self.write("xen/Makefile", "export XEN_VERSION       = 9\n"
                   "export XEN_SUBVERSION    = 8\n"
                   "export XEN_EXTRAVERSION ?= -unstable$(XEN_VENDORVERSION)\n"
                   "all:\n\techo hypervisor >xen.gz\n")
        self.write("tools/misc/Makefile",
                   "xen-hvmctx:\n\tcp /bin/true xen-hvmctx\n")
        for name, files in self.MAKEFILES.items():
            self.write(f"tools/{name}/Makefile",
                       self.INSTALL.format(files=files))

    def write(self, name, text):
        path = f"{self.dir}/{name}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="ascii") as f:
            f.write(text)

    def select(self, release=None):
        releases.select(release, xensource.tree(self.dir))
        return releases.tree()

    def git(self, *words):
        subprocess.run(["git", "-C", self.dir, *words], check=True,
                       stdout=subprocess.DEVNULL)

    def build(self):
        said = []
        xensource.build(mock.Mock(say=said.append), 1)
        return said

    def test_its_version_is_that_of_the_makefile(self):
        self.assertEqual(self.select().version, "9.8")
        self.write("xen/Makefile", "all:\n")
        self.assertRaisesRegex(LabError, "no source tree", self.select)
        self.assertRaisesRegex(LabError, "no source tree", xensource.tree,
                               "/nonexistent")

    def test_each_change_gives_another_key(self):
        keys = {self.select().key}
        self.write("xen/a.c", "int a;")
        keys.add(self.select().key)
        self.write("xen/a.c", "int b;")
        keys.add(self.select().key)
        os.chmod(f"{self.dir}/xen/a.c", 0o755)
        keys.add(self.select().key)
        os.rename(f"{self.dir}/xen/a.c", f"{self.dir}/xen/b.c")
        keys.add(self.select().key)
        os.remove(f"{self.dir}/xen/b.c")
        for target in ("none", "../tools"):     # to nothing, to a directory
            os.symlink(target, f"{self.dir}/xen/c")
            keys.add(self.select().key)
            os.remove(f"{self.dir}/xen/c")
        self.assertEqual(len(keys), 7)
        self.assertIn(self.select().key, keys)

    def test_a_checkout_counts_without_its_ignored_files(self):
        self.git("init", "-q")
        self.write(".gitignore", "*.o\nTools.mk\n")
        self.git("add", ".")
        key = self.select().key
        self.write("xen/a.o", "")
        self.write("config/Tools.mk", "")
        self.assertEqual(self.select().key, key)
        self.write("xen/a.c", "")
        self.assertNotEqual(self.select().key, key)
        os.remove(f"{self.dir}/xen/a.c")
        os.remove(f"{self.dir}/tools/xl/Makefile")
        self.assertNotEqual(self.select().key, key)

    def test_a_tarball_that_was_built_in_is_refused(self):
        self.write("config/Tools.mk", "")
        self.assertRaisesRegex(LabError, "has been built in", self.select)

    def test_it_is_built_outside_of_the_tree_with_debian_s_places(self):
        before = self.select().key
        self.assertFalse(xensource.is_built())
        self.assertIn("compiling", " ".join(self.build()))
        self.assertTrue(xensource.is_built())
        self.assertEqual(xensource._key(self.dir), before)
        root, = xensource.roots()
        for name in ("boot/xen-9.8-amd64.gz", "usr/include/xenctrl.h",
                     "usr/bin/xenstore-read",
                     "usr/lib/x86_64-linux-gnu/libxenctrl.so.9.8",
                     *(f"usr/lib/xen-9.8/bin/{name}" for name in (
                         "xl", "xenstored", "xenconsoled", "xen-hvmctx"))):
            self.assertTrue(os.path.exists(f"{root}/{name}"), name)
        self.assertEqual(os.listdir(f"{root}/usr/lib/x86_64-linux-gnu"),
                         ["libxenctrl.so.9.8"])
        self.assertEqual(len(self.build()), 1)

    def test_a_tree_that_changes_while_it_is_copied_is_not_built(self):
        self.select()
        self.write("xen/a.c", "")
        self.assertRaisesRegex(LabError, "changed meanwhile", self.build)
        self.assertFalse(xensource.is_built())

    def test_a_failed_build_leaves_nothing(self):
        self.write("tools/xl/Makefile", "install:\n\tfalse\n")
        self.select()
        with mock.patch("builtins.print"):
            self.assertRaisesRegex(LabError, "make failed", self.build)
        self.assertFalse(xensource.is_built())

    def test_the_oldest_builds_are_forgotten(self):
        for i in range(xensource.KEPT + 2):
            self.write("xen/a.c", str(i))
            self.select()
            os.makedirs(paths.xen_cache("root"))
            os.utime(paths.xen_cache(""), (i, i))
        os.makedirs(f"{paths.lab_cache()}/xen-notes")
        xensource._forget_oldest()
        self.assertTrue(xensource.is_built())
        self.assertEqual(len(os.listdir(paths.lab_cache())),
                         xensource.KEPT + 1)

    def test_it_has_a_base_and_a_build_directory_of_its_own(self):
        tree = self.select()
        top = f"{paths.lab_cache()}/xen-9.8-{tree.key}"
        self.assertEqual(paths.base("xen"), f"{top}/base-bookworm/xen")
        self.assertEqual(prepare.directory(), "/b-xen-9.8")
        self.assertEqual(releases.options(), f"--xen {self.dir} ")
        self.assertFalse(releases.is_own() or releases.is_foreign())
        self.select("trixie")
        self.assertEqual(paths.base("xen"), f"{top}/base-trixie/xen")
        self.assertEqual(prepare.directory(), "/b-trixie-xen-9.8")
        self.assertEqual(releases.options(),
                         f"--release trixie --xen {self.dir} ")

    def test_its_files_come_before_those_of_the_packages(self):
        self.select()
        root, = xensource.roots()
        self.assertEqual(parts.roots()[0], root)
        with mock.patch.dict(os.environ, CC="cc"):
            self.assertEqual(
                sysroot._compiler(),
                f"cc -isystem {root}/usr/include "
                f"-L{root}/usr/lib/x86_64-linux-gnu "
                f"-Wl,-rpath-link,{root}/usr/lib/x86_64-linux-gnu")
        self.assertEqual(sysroot._uses(), f"{root}\n")

    def test_hvm_guests_and_the_patched_xl_may_be_missing(self):
        self.select()
        for need, why in (("hvm", "Debian's Xen only"),
                          ("libvirt-patched", "Debian's Xen only"),
                          ("libxl", "without the patches")):
            s = scenario.Scenario("x", "x.sh", needs=[need])
            with self.assertRaisesRegex(LabError, why):
                scenario.needed_files(s, "/nonexistent")
            options = mock.Mock(scenario=["x"])
            with mock.patch.object(scenario, "load", lambda name, s=s: s), \
                    self.assertRaisesRegex(LabError, why):
                runner.run(options)     # before it compiles anything
            self.assertFalse(xensource.is_built())
        s = scenario.Scenario("x", "x.sh", wants=["hvm"])
        self.assertEqual(scenario._wanted_files(s), {})

    def test_a_patched_tree_has_the_patched_xl(self):
        self.write(libxl.PATCHED, "")
        self.select()
        self.assertEqual(list(libxl.files()), ["lab/libxl/xl"])

    def test_make_check_full_runs_scenarios_on_it_or_says_why_not(self):
        loader = SourceFileLoader("run", os.path.join(paths.TOP, "tests", "run"))
        plan = module_from_spec(spec_from_loader("run", loader))
        with mock.patch.dict(sys.modules, run=plan):
            loader.exec_module(plan)
        for name in plan.SOURCE:
            self.assertTrue(scenario.load(name).runs_on_tree())
        steps = list(plan.source(self.dir))
        self.assertEqual([step.name for step in steps],
                         [f"{name}-xen-9.8" for name in plan.SOURCE])
        for directory in (None, ""):
            step, = plan.source(directory)
            said = subprocess.run(step.command, check=True, text=True,
                                  capture_output=True).stdout.splitlines()
            self.assertEqual(str(plan.judge_script(said, 0)[0]),
                             "0 passed, 0 failed, 1 skipped")

    def test_a_step_takes_as_long_as_on_debian_s_xen(self):
        table = {"lab boot": 9, "lab boot-xen-9.8": 7, "lab a-trixie": 3,
                 "lab a": 2}
        for step, seconds in (("boot-xen-9.8", 7), ("boot-xen-9.7", 9),
                              ("a-trixie-xen-9.8", 2)):
            self.assertEqual(durations.of_step(f"lab {step}", table), seconds)


class Modules(unittest.TestCase):
    def setUp(self):
        cache = tempfile.TemporaryDirectory()
        self.addCleanup(cache.cleanup)
        environment = mock.patch.dict(os.environ, PFLASH_CACHE=cache.name)
        environment.start()
        self.addCleanup(environment.stop)
        top = os.path.join(kernel.root(), "lib/modules/1-x")
        os.makedirs(f"{top}/kernel/fs")
        with open(f"{kernel.root()}/.kernel", "w", encoding="ascii") as f:
            f.write("linux-image-1-x")
        with lzma.open(f"{top}/kernel/fs/a.ko.xz", "wb") as f:
            f.write(b"module a")
        with open(f"{top}/modules.builtin", "w", encoding="ascii") as f:
            f.write("kernel/lib/b.ko\n")

    def content(self, path):
        with open(path, "rb") as f:
            return f.read()

    def test_a_compressed_one_is_unpacked(self):
        self.assertEqual(self.content(kernel.module("fs/a")), b"module a")
        self.assertEqual(self.content(kernel.find("a")), b"module a")

    def test_a_built_in_one_is_empty(self):
        self.assertEqual(self.content(kernel.module("lib/b")), b"")
        self.assertEqual(self.content(kernel.find("b")), b"")

    def test_a_missing_one_is_missing(self):
        self.assertRaisesRegex(LabError, "no module fs/c", kernel.module, "fs/c")
        self.assertIsNone(kernel.find("c"))


class Mtd(unittest.TestCase):
    def vermagic(self, content):
        with tempfile.NamedTemporaryFile() as f:
            f.write(content)
            f.flush()
            return mtd.vermagic(f.name)

    def test_vermagic_is_read_whole(self):
        self.assertEqual(
            self.vermagic(b"\0name=x\0vermagic=6.1.0-9 SMP \0\0vermagic=no\0"),
            b"6.1.0-9 SMP ")

    def test_a_file_without_vermagic(self):
        self.assertIsNone(self.vermagic(b"vermagic=6.1.0-9"))

    def test_the_initramfs_is_another_one_for_another_kernel(self):
        self.assertNotEqual(mtd._inputs("6.1.0-1"), mtd._inputs("6.1.0-2"))
        self.assertNotEqual(efilinux._inputs("6.1.0-1"),
                            efilinux._inputs("6.1.0-2"))


class Parts(unittest.TestCase):
    def needs(self, cache, needs):
        s = scenario.Scenario("x", "x.sh", needs=needs)
        with mock.patch.dict(os.environ, PFLASH_CACHE=cache):
            for name in parts.names("hvm").values():
                path = os.path.join(parts._root(), name)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "wb"):
                    pass
            return scenario.needed_files(s, "/nonexistent")

    def test_a_part_lies_where_dom0_looks_for_it(self):
        with tempfile.TemporaryDirectory() as cache:
            files = self.needs(cache, ["hvm"])
            self.assertEqual(set(files), set(parts.names("hvm")))
            self.assertTrue(all(f.startswith(cache) for f in files.values()))

    def test_without_it_dom0_has_nothing_of_it(self):
        with tempfile.TemporaryDirectory() as cache:
            self.assertEqual(self.needs(cache, []), {})

    def test_a_part_that_was_not_unpacked_names_what_does_it(self):
        with tempfile.TemporaryDirectory() as cache:
            with self.assertRaisesRegex(LabError, "lab build"):
                self.needs(cache, ["block"])


    def test_a_directory_comes_with_all_below_it(self):
        with tempfile.TemporaryDirectory() as cache, \
                mock.patch.dict(os.environ, PFLASH_CACHE=cache), \
                mock.patch.object(parts, "names", lambda _part: {"a/b": "c"}):
            os.makedirs(os.path.join(parts._root(), "c/d"))
            for name in ("one", "d/two"):
                with open(os.path.join(parts._root(), "c", name), "wb"):
                    pass
            self.assertEqual(set(parts.files("x")), {"a/b/one", "a/b/d/two"})


class Database(unittest.TestCase):
    ENTRY = ("Package: libx1\nVersion: 1.2-3\nInstalled-Size: 7\n"
             "Multi-Arch: same\nArchitecture: amd64\n"
             "Maintainer: X <x@x.example>\n"
             "Depends: libc6 (>= 2.36)\nDescription-en: x\n long\n\n")

    def test_a_package_is_installed_as_apt_s_lists_have_it(self):
        self.assertEqual(
            database.status(self.ENTRY),
            ("Package: libx1\nStatus: install ok installed\nVersion: 1.2-3\n"
             "Architecture: amd64\nMulti-Arch: same\n"
             "Maintainer: X <x@x.example>\nDescription: x\n long\n",
             "libx1:amd64.list"))

    def test_dpkg_reads_it(self):
        with tempfile.TemporaryDirectory() as root, \
                mock.patch.object(database, "_entries", lambda _names:
                                  [self.ENTRY, self.ENTRY.replace("x1", "y1")]):
            database.write(root, ["libx1", "liby1"])
            place = os.path.join(root, database.PLACE)
            for name in ("updates", "triggers"):
                os.mkdir(os.path.join(place, name))
            done = subprocess.run(
                ["dpkg-query", "--admindir", place, "-W", "-f",
                 "${Package} ${db:Status-Abbrev}${Version},"], check=True,
                capture_output=True, text=True)
            self.assertEqual((done.stdout, done.stderr),
                             ("lab-dom0 ii 1,libx1 ii 1.2-3,liby1 ii 1.2-3,", ""))


class Packages(unittest.TestCase):
    def setUp(self):
        self.addCleanup(releases.select, None)

    def test_of_this_machine_s_release_make_makes_them(self):
        s = scenario.Scenario("x", "x.sh", needs=["packages"])
        with tempfile.TemporaryDirectory() as build:
            with self.assertRaisesRegex(LabError, "make build/lab/deb"):
                scenario.needed_files(s, build)
            os.makedirs(f"{build}/lab/deb/programs")
            with open(f"{build}/lab/deb/programs/x", "wb"):
                pass
            self.assertEqual(scenario.needed_files(s, build), {
                "lab/packages/programs/x": f"{build}/lab/deb/programs/x"})

    def test_of_another_release_a_scenario_is_skipped_without_them(self):
        releases.select("trixie" if releases.host() != "trixie" else "bookworm")
        s = scenario.Scenario("x", "x.sh", needs=["packages"])
        with tempfile.TemporaryDirectory() as cache, \
                mock.patch.dict(os.environ, PFLASH_CACHE=cache):
            with self.assertRaisesRegex(scenario.NotHere, "tests/deb/run"):
                scenario.needed_files(s, "/nonexistent")


class Others(unittest.TestCase):
    def test_the_programs_of_other_directories_are_there(self):
        for path in (source.FETCH, demo.FIRMWARE):
            self.assertTrue(os.access(path, os.X_OK), path)

    def test_a_zstd_kernel_is_unpacked_without_its_size(self):
        payload = subprocess.run(["zstd", "-c"], input=b"\x7fELF", check=True,
                                 capture_output=True).stdout + b"\4\0\0\0"
        setup = bytearray(2 * 512)
        setup[0x1F1] = 1
        struct.pack_into("<II", setup, 0x248, 0, len(payload))
        self.assertEqual(elf.vmlinux(bytes(setup) + payload), b"\x7fELF")

    def test_needed_of_a_script_is_nothing(self):
        self.assertEqual(elf.needed(__file__), [])

    def test_needed_of_a_program_names_its_interpreter(self):
        self.assertIn("/lib64/ld-linux-x86-64.so.2", elf.needed("/bin/true"))

    def test_the_patched_xl_may_be_missing(self):
        s = scenario.Scenario("x", "x.sh", needs=["libxl"])
        with tempfile.TemporaryDirectory() as cache, \
                mock.patch.dict(os.environ, PFLASH_CACHE=cache):
            self.assertEqual(scenario.needed_files(s, "build"), {})
            xen = libxl.source()
            os.makedirs(xen.path())
            for name in ("stamp", *libxl.names()):
                with open(xen.path(name), "w", encoding="ascii") as f:
                    f.write("of another patch")
            self.assertEqual(scenario.needed_files(s, "build"), {})
            with open(xen.path("stamp"), "w", encoding="ascii") as f:
                f.write(xen._inputs())
            self.assertEqual(set(scenario.needed_files(s, "build")),
                             {f"lab/libxl/{name}" for name in libxl.names()})

    def test_the_patched_libvirt_is_of_one_libxl_and_of_its_patches(self):
        names = [os.path.relpath(name, libvirt.PATCHES)
                 for name in libvirt.source().patches()]
        self.assertTrue(names[0].startswith("9.0/hook/0001-"), names)
        self.assertTrue(names[-1].startswith("9.0/nvram/"), names)
        s = scenario.Scenario("x", "x.sh", needs=["libvirt-patched"])
        with tempfile.TemporaryDirectory() as cache, \
                mock.patch.dict(os.environ, PFLASH_CACHE=cache):
            self.assertEqual(scenario.needed_files(s, "build"), {})
            built = libvirt.source()
            os.makedirs(built.path())
            with open(built.path("stamp"), "w", encoding="ascii") as f:
                f.write(built._inputs())
            self.assertEqual(set(scenario.needed_files(s, "build")),
                             {*libvirt.BUILT, libvirt.SCHEMA})
            with mock.patch.object(libxl, "CONFIGURE", ("--other",)):
                self.assertEqual(scenario.needed_files(s, "build"), {})

    def test_only_the_exact_abort_is_known(self):
        said = ("Bail out! ERROR:../../accel/tcg/tcg-accel-ops.c:81:"
                "tcg_handle_interrupt: assertion failed: "
                "(qemu_mutex_iothread_locked())")
        self.assertTrue(KNOWN_ABORT.search(said))
        self.assertTrue(KNOWN_ABORT.search(
            said.replace("qemu_mutex_iothread_locked", "bql_locked")))
        self.assertFalse(KNOWN_ABORT.search(said.replace("tcg_handle", "x")))

    def test_the_patches_of_each_release_s_emulator_are_there(self):
        for release in releases.RELEASES.values():
            with mock.patch.object(releases, "host", lambda: release.name):
                self.assertTrue(qemu._source().patches())
        with mock.patch.object(releases, "host", lambda: "noble"):
            self.assertFalse(qemu.is_own())


if __name__ == "__main__":
    unittest.main()
