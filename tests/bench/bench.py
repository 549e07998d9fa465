#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compares thole with crun, runc and `floor`, the kernel work that nobody can avoid (floor.c).

Each round runs every runtime once, in rotating order, on the same bundle (config.json of this folder); reported are
minima and medians and their ratios.  A scenario is a row of SCENARIOS, a mark a row of MARKS.  Needs root.
Commands are timed by a small program (timer.c), not by Python.
"""
import argparse
import contextlib
import json
import os
import platform
import re
import shutil
import signal
import sys
import time
from dataclasses import dataclass

import lab
import report
from report import Result

REAP = "reap"  # a step that waits for the container's end; it is nobody's cost
WARM_UP = 3  # rounds that are not counted
PACES = {"back to back": 0.0, "50 ms apart": 0.05}
FIRST_PACE = next(iter(PACES))
KIB = 1024
MEMORY_LIMITS = [n * KIB for n in (64, 96, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 896, 1024, 1536, 2048,
                                   3072, 4096, 6144, 8192, 12288, 16384, 24576, 32768)]
MEMORY_LIMIT_TRIES = 10  # a limit counts as enough when the program starts in it that often in a row


@dataclass(frozen=True)
class Scenario:
    """What one sample is made of: the sum of the times of STEPS; BEFORE and AFTER are not charged.

    Steps are arguments of a runtime; {bundle}, {id} are filled in.  FLOOR is the floor's step, None where it has none.
    """

    name: str
    title: str
    steps: tuple
    floor: str = None
    before: tuple = ()
    after: tuple = ()
    args: tuple = ("/bin/true",)
    once: bool = False  # the views and paces make no difference to it


SCENARIOS = [
    Scenario("run", "run of `true`", ("run --bundle {bundle} {id}",), "{cgroup} {rootfs} /bin/true"),
    Scenario("lifecycle", "create + start + delete",
             ("create --bundle {bundle} {id}", "start {id}", REAP, "delete {id}")),
    Scenario("exec", "`exec` of `true`", ("exec {id} /bin/true",), before=("create --bundle {bundle} {id}", "start {id}"),
             after=("kill {id} KILL", REAP, "delete {id}"), args=("/bin/sleep", "60")),
    Scenario("version", "--version", ("--version",), "--version", once=True),
]

# What must hold: (scenario, of each view or of the first only, compared with, at most).
MARKS = [
    ("run", "crun", 0.60),
    ("run", "floor", 1.8),
    ("exec", "crun", 0.5),
    ("exec", "runc", 0.2),
    ("version", "crun", 0.35),
]
MEMORY_MARK = 192 * KIB


@dataclass(frozen=True)
class Counter:
    """A program that counts what a command does: {out} is its report, in which PATTERN finds the figure."""

    title: str
    command: str
    pattern: str
    scenarios: tuple


COUNTERS = [
    Counter("system calls", "strace -f -c -U calls,name -o {out}", r"^\s*(\d+) total$", ("run", "version")),
    Counter("instructions", "perf stat -x, -e instructions:u -o {out}", r"^(\d+),", ("run", "version")),
]
DEEP_COUNTERS = [
    Counter("instructions (valgrind)", "valgrind --tool=cachegrind --cache-sim=no --cachegrind-out-file=/dev/null "
            "--trace-children=yes --log-file={out}", r"I\s+refs:\s+([\d,]+)", ("version",)),
]


class NoCounter(Exception):
    """The program that should count is missing or cannot."""


class Bench:
    """Takes samples in one view.  FAILURES (shared by all views) gets a line for what a runtime cannot do."""

    def __init__(self, the_lab, timer, view, runtimes, failures):
        self.lab, self.timer, self.view, self.runtimes, self.failures = the_lab, timer, view, runtimes, failures
        self.serial = 0

    def argv(self, runtime, step, names):
        """The command line of STEP; options of the floor stand before its arguments."""
        words = [word.format(**names) for word in step.split()]
        if runtime.is_floor:
            return [runtime.path, *names["floor_options"], *words]
        if step.startswith("--"):
            return [runtime.path, *words]
        return [runtime.path, "--root", self.lab.state_root(runtime, self.view), *words]

    def sample(self, scenario, runtime, bundle, prefix=(), floor_options=()):
        """Runs SCENARIO once; raises lab.Failed.  PREFIX is a program that runs the command, a counter say."""
        self.serial += 1
        names = {"bundle": bundle, "id": f"bench-{os.getpid()}-{self.serial}", "cgroup": self.lab.cgroup,
                 "rootfs": self.lab.rootfs, "floor_options": floor_options}
        steps = (scenario.floor,) if runtime.is_floor else scenario.steps

        def play(some):
            for step in some:
                if step is REAP:
                    taken = self.timer.reap()
                else:
                    taken = self.timer.run([*prefix, *self.argv(runtime, step, names)])
                if taken.status != 0:
                    raise lab.Failed(f"{step.split()[0]}: status {taken.status}: {self.timer.last_error()}")
                yield taken

        try:
            list(play(scenario.before))
            taken = list(play(steps))
            list(play(scenario.after))
        except lab.Failed:
            if not runtime.is_floor:
                self.timer.run(self.argv(runtime, "delete --force {id}", names))
            self.timer.reap(1)
            self.timer.last_error()
            self.lab.sweep()
            raise
        return lab.Sample(0, sum(one.us for one in taken), max(one.rss_kib for one in taken))

    def candidates(self, scenario):
        return [runtime for runtime in self.runtimes if scenario.floor or not runtime.is_floor]

    def fail(self, scenario, runtime, why):
        self.failures.append(f"{runtime.name}: {scenario.title}, {self.view.title}: {why}")

    def interleave(self, scenario, pace, rounds):
        """{runtime: samples} of ROUNDS rounds."""
        bundle = self.lab.bundle(self.view, scenario.args)
        taken = {runtime: [] for runtime in self.candidates(scenario)}
        for number in range(-WARM_UP, rounds):
            progress(f"{scenario.title}, {self.view.title}, {pace}: {number + 1}/{rounds}")
            order = list(taken)
            turn = number % len(order) if order else 0
            for runtime in order[turn:] + order[:turn]:
                time.sleep(PACES[pace])
                try:
                    sample = self.sample(scenario, runtime, bundle)
                except lab.Failed as failed:
                    self.fail(scenario, runtime, failed)
                    del taken[runtime]
                    continue
                if number >= 0:
                    taken[runtime].append(sample)
        return taken

    def times(self, scenario, pace, rounds):
        """Results of one scenario; of `run` also the peak memory, which comes for nothing."""
        taken = self.interleave(scenario, pace, rounds)
        for runtime, samples in taken.items():
            yield Result(scenario.name, scenario.title, self.view, pace, runtime.name, "ms",
                         [s.us / 1000 for s in samples])
        if scenario.name == "run" and pace == FIRST_PACE and self.view.name == "host":
            for runtime, samples in taken.items():
                yield Result("rss", "peak memory of `run`", self.view, pace, runtime.name, "KiB",
                             [s.rss_kib for s in samples])

    def has_memory_controller(self):
        if self.view.v2:
            return "memory" in read(f"{lab.CGROUP_ROOT}/cgroup.controllers").split()
        return os.path.isdir(f"{lab.CGROUP_ROOT}/memory")

    def memory_limit(self, scenario):
        """The smallest limit on the container's memory in which its program starts."""
        if not self.has_memory_controller():
            self.failures.append(f"memory limit: {self.view.title} has no memory controller")
            return
        bundles = {limit: self.lab.bundle(self.view, memory_limit=limit) for limit in MEMORY_LIMITS}
        for runtime in self.candidates(scenario):
            fitting = (limit for limit, bundle in bundles.items() if self.fits(scenario, runtime, bundle, limit))
            enough = next(fitting, None)
            if enough is None:
                self.fail(scenario, runtime, f"not in {MEMORY_LIMITS[-1] // KIB} KiB of memory either")
                continue
            yield Result("limit", "smallest memory limit for `true`", self.view, FIRST_PACE, runtime.name, "KiB",
                         [enough // KIB])

    def fits(self, scenario, runtime, bundle, limit):
        progress(f"memory limit, {runtime.name}: {limit // KIB} KiB")
        try:
            for _ in range(MEMORY_LIMIT_TRIES):
                self.sample(scenario, runtime, bundle, floor_options=("-m", str(limit)))
        except lab.Failed:
            return False
        return True

    def counts(self, counter):
        try:
            for scenario in (one for one in SCENARIOS if one.name in counter.scenarios):
                bundle = self.lab.bundle(self.view, scenario.args)
                for runtime in self.candidates(scenario):
                    progress(f"{counter.title} of {scenario.title}, {runtime.name}")
                    try:
                        figure = self.count(counter, scenario, runtime, bundle)
                    except lab.Failed as failed:
                        self.fail(scenario, runtime, f"{counter.title}: {failed}")
                        continue
                    yield Result(f"{scenario.name} {counter.title}", f"{counter.title} of {scenario.title}", self.view,
                                 FIRST_PACE, runtime.name, "", [figure])
        except NoCounter as reason:
            self.failures.append(f"{counter.title}: {reason}")

    def count(self, counter, scenario, runtime, bundle):
        out = f"{self.lab.dir}/count"
        prefix = counter.command.format(out=out).split()
        if shutil.which(prefix[0]) is None:
            raise NoCounter(f"{prefix[0]} is not installed")
        self.sample(scenario, runtime, bundle, prefix=prefix)
        found = re.search(counter.pattern, read(out), re.MULTILINE)
        if found is None:
            raise NoCounter(f"{prefix[0]} gives no figure on this machine")
        return int(found[1].replace(",", ""))


def read(path):
    with contextlib.suppress(OSError), open(path, encoding="utf-8") as file:
        return file.read()
    return ""


def progress(text):
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{text}")
        sys.stderr.flush()


def measure(options, runtimes, failures):
    """All results."""
    results = []
    only = options.only.split(",") if options.only else [scenario.name for scenario in SCENARIOS] + ["limit"]
    with lab.Lab() as the_lab:
        all_views = lab.views()
        for view in all_views:
            with the_lab.timer(options.timer, view) as timer:
                bench = Bench(the_lab, timer, view, runtimes, failures)
                for scenario in SCENARIOS:
                    if scenario.name in only and not (scenario.once and view != all_views[0]):
                        for pace in [FIRST_PACE] if scenario.once else PACES:
                            results += bench.times(scenario, pace, options.rounds)
                if view == all_views[0]:
                    results += bench.memory_limit(SCENARIOS[0]) if "limit" in only else []
                    for counter in COUNTERS * options.counts + DEEP_COUNTERS * options.deep:
                        results += bench.counts(counter)
    progress("")
    return results


def check_marks(results):
    """[(passed, text)]; a figure that is missing is a mark that is missed."""
    verdicts = []
    for name, other, most in MARKS:
        measured = [result for result in results if (result.scenario, result.pace) == (name, FIRST_PACE)]
        for group in report.groups(measured) or [()]:
            best = {result.runtime: result.minimum for result in group}
            where = report.heading(group) if group else name
            if "thole" not in best or other not in best:
                verdicts.append((False, f"{where}: thole / {other}: not measured"))
                continue
            ratio = best["thole"] / best[other]
            verdicts.append((ratio <= most, f"{where}: thole / {other} = {ratio:.2f} (at most {most:.2f})"))
    limit = [result.minimum for result in results if (result.scenario, result.runtime) == ("limit", "thole")]
    text = f"{limit[0]} KiB (at most {MEMORY_MARK // KIB} KiB)" if limit else "not measured"
    verdicts.append((bool(limit) and limit[0] * KIB <= MEMORY_MARK, f"smallest memory limit for `true`: {text}"))
    return verdicts


def machine():
    cpu = re.search(r"^model name\s*: (.*)$", read("/proc/cpuinfo"), re.MULTILINE)
    return {"kernel": platform.release(), "cpu": cpu[1] if cpu else platform.machine(), "cpus": os.cpu_count()}


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--thole", default=os.environ.get("THOLE"), help="the built thole (default: $THOLE)")
    parser.add_argument("--tools", default=lab.HERE, help="folder of the built floor and timer (default: here)")
    parser.add_argument("--rounds", type=int, default=100, help="counted rounds for each figure (default: %(default)s)")
    names = ", ".join([scenario.name for scenario in SCENARIOS] + ["limit"])
    parser.add_argument("--only", metavar="NAME,...", help=f"measure only these: {names}")
    parser.add_argument("--counts", action="store_true", help="also count system calls and instructions (strace, perf)")
    parser.add_argument("--deep", action="store_true", help="also count instructions with valgrind")
    parser.add_argument("--json", metavar="FILE", default="bench.json", help="for all samples (default: %(default)s)")
    parser.add_argument("--svg", metavar="FILE", help="draw the figures")
    parser.add_argument("--markdown", action="store_true", help="print the table for a README")
    parser.add_argument("--marks", action="store_true", help="exit with status 1 if a mark is missed")
    options = parser.parse_args()
    options.timer = os.path.abspath(f"{options.tools}/timer")
    if options.rounds < 1:
        parser.error("--rounds: at least 1")
    if not os.access(options.timer, os.X_OK):
        parser.error(f"{options.timer} is missing: run `make bench`, or name its folder with --tools")
    if os.geteuid() != 0:
        parser.error("needs root: it makes containers and cgroups")
    return options


def interrupted(*_):
    raise KeyboardInterrupt


def main():
    options = parse_options()
    signal.signal(signal.SIGTERM, interrupted)
    runtimes, missing = lab.find_runtimes(options.thole, f"{options.tools}/floor")
    for reason in missing:
        print(f"skipped: {reason}")
    failures = []
    load = os.getloadavg()[0]
    about = machine()
    results = measure(options, runtimes, failures)

    print(f"{about['cpus']} x {about['cpu']}, Linux {about['kernel']}, load before {load:.2f}; {options.rounds} rounds")
    for runtime in runtimes:
        print(f"  {runtime.name:6} {runtime.version}")
    print(report.markdown(results) if options.markdown else report.table(results))
    for failure in failures:
        print(f"failed: {failure}")
    with open(options.json, "w", encoding="utf-8") as file:
        json.dump({"machine": about, "load": load, "rounds": options.rounds, "failures": failures,
                   "runtimes": {runtime.name: runtime.version for runtime in runtimes},
                   "results": [result.as_dict() for result in results]}, file, indent=1)
    if options.svg:
        with open(options.svg, "w", encoding="utf-8") as file:
            file.write(report.svg(results, f"{about['cpus']} x {about['cpu']}, Linux {about['kernel']}"))
    if options.marks:
        verdicts = check_marks(results)
        for passed, text in verdicts:
            print(f"{'mark met   ' if passed else 'mark MISSED'}  {text}")
        return 0 if all(passed for passed, _ in verdicts) else 1
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("\nbench: interrupted")
