#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What commands cost among a thousand containers, against what they cost alone.

The same rounds are taken before the others are there, among them, and when they are gone; the two outer ones, taken
together, are "alone", so that a machine that slows down does not look like a runtime that does.  Minima are compared.

The kernel itself is slower among many: pivot_root(2) looks at every process of the host, a mount of sysfs at every
other sysfs.  What that makes of `create`, floor shows, which is the kernel's work and nothing else: it is no fault of
thole's, and taken off.  Needs root.
"""
import argparse
import os
import sys

import lab

COMMANDS = ("create", "state", "delete")
COST_MARK = 1.10  # of what it costs alone
LIST_MARK_MS = 60.0


class Many:
    def __init__(self, the_lab, timer, view, runtime, floor):
        self.lab, self.timer, self.view, self.floor = the_lab, timer, view, floor
        self.words = [runtime.path, "--root", the_lab.state_root(runtime, view)]

    def take(self, *words):
        """In milliseconds."""
        sample = self.timer.run(words)
        if sample.status:
            raise SystemExit(f"bench: {' '.join(words)}: {self.timer.last_error()}")
        return sample.us / 1000

    def run(self, *args):
        return self.take(*self.words, *args)

    def bundle(self, name):
        return self.lab.bundle(self.view, args=("/bin/sleep", "1000"), below=name)

    def rounds(self, count):
        """The times of each command."""
        bundle = self.bundle("one")
        times = {command: [] for command in ("floor", *COMMANDS)}
        for _ in range(count):
            times["floor"].append(self.take(self.floor.path, f"{self.lab.cgroup}-floor", self.lab.rootfs, "/bin/true"))
            times["create"].append(self.run("create", "--bundle", bundle, "one"))
            times["state"].append(self.run("state", "one"))
            times["delete"].append(self.run("delete", "--force", "one"))
        return times

    def fill(self, count):
        for number in range(count):
            name = f"other-{number}"
            self.run("create", "--bundle", self.bundle(name), name)

    def clear(self):
        self.run("delete", "--force", "--regex", "^other-")


def judge(alone, among, lists):
    """[(passed, text)]"""
    verdicts = []
    best = {command: (min(alone[command]), min(among[command])) for command in alone}
    kernel = {"create": max(0.0, best["floor"][1] - best["floor"][0])}
    for command in COMMANDS:
        before, after = best[command]
        ratio = (after - kernel.get(command, 0)) / before
        extra = f", {kernel[command]:.2f} of that more for the kernel" if command in kernel else ""
        verdicts.append((ratio <= COST_MARK, f"{command}: {before:.2f} ms alone, {after:.2f} ms among them{extra}: "
                                             f"{ratio:.2f} (at most {COST_MARK:.2f})"))
    verdicts.append((min(lists) <= LIST_MARK_MS, f"list: {min(lists):.1f} ms (at most {LIST_MARK_MS:.0f})"))
    return verdicts


def measure(options, view, runtimes):
    with lab.Lab() as the_lab, the_lab.timer(f"{options.tools}/timer", view) as timer:
        many = Many(the_lab, timer, view, runtimes["thole"], runtimes["floor"])
        alone = many.rounds(options.rounds)
        many.fill(options.containers)
        among = many.rounds(options.rounds)
        lists = [many.run("list") for _ in range(options.rounds)]
        many.clear()
        for command, times in many.rounds(options.rounds).items():
            alone[command] += times
    return judge(alone, among, lists)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--thole", default=os.environ.get("THOLE"), help="the built thole (default: $THOLE)")
    parser.add_argument("--tools", default=lab.HERE, help="folder of the built timer (default: here)")
    parser.add_argument("--rounds", type=int, default=100, help="(default: %(default)s)")
    parser.add_argument("--containers", type=int, default=1000, help="how many others (default: %(default)s)")
    options = parser.parse_args()
    found, missing = lab.find_runtimes(options.thole, f"{options.tools}/floor")
    runtimes = {one.name: one for one in found}
    if not {"thole", "floor"} <= runtimes.keys():
        raise SystemExit(f"bench: {'; '.join(missing)}")
    missed = 0
    for view in lab.views():
        print(f"{view.title}, {options.containers} containers")
        for passed, text in measure(options, view, runtimes):
            print(f"  {'mark met   ' if passed else 'mark MISSED'}  {text}")
            missed += not passed
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
