# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every step of an exec fails once, and is the last one once: then it has said why, or nothing is different from one
without a fault; and in the container there is nobody but its first process."""

import errno
import os
from pathlib import Path

import faults
import pytest

from harness import host, runtime, seen
from harness.box import orphans
from test_faults import ERRORS, PARTS, fallible, in_parts, of, share

pytestmark = pytest.mark.skipif(not os.path.exists(faults.INJECT), reason=f"no injector: INJECT={faults.INJECT}")

COMMANDS = ["/probe", "ids", "env", "caps", "prctl", "rlimits", "cwd", "ls", "/proc/self/fd"]


@pytest.fixture
def view():
    return "v2" if "v2" in host.VIEWS else "host"


@pytest.fixture
def trial(box):
    made = Trial(box)
    yield made
    assert made.count, "nothing was tried"
    assert made.hits >= 0.9 * made.count, f"only {made.hits} of {made.count} calls were met"
    assert not made.complaints, f"{len(made.complaints)} of {made.count}:\n" + "\n".join(made.complaints)


def own_work(calls):
    """The runtime's calls after those of the loader: the first thing it does is to look at its standard descriptors."""
    calls = of(calls, "runtime")
    calls = calls[next(i for i, call in enumerate(calls) if call.name == "fcntl"):]
    return [call for call in calls if call.name != "brk"]  # malloc's, before there is anything to say


class Trial:
    """A container that runs, in which programs are executed with faults."""

    def __init__(self, box):
        box.without_network()
        box.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW",
                                "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}]}
        box.process["oomScoreAdj"] = 100
        box.process["env"] += ["HOME=/"]  # what is looked up may be missing
        box.set_probe("pause")
        box.create()
        box.start()
        self.box, self.hit_file, self.pid_file = box, box.dir / "hit", box.dir / "exec.pid"
        self.complaints, self.count, self.hits = [], 0, 0
        self.wanted = None

    def execute(self, options):
        self.hit_file.unlink(missing_ok=True)
        self.pid_file.unlink(missing_ok=True)
        return faults.spawn(self.box, ["-h", self.hit_file, *options], "exec", "--pid-file", self.pid_file, self.box.id,
                            *COMMANDS).wait(20)

    def learn(self):
        log = self.box.dir / "log"
        self.wanted = faults.view(self.execute(["-l", log]).ok().out)
        host.until(lambda: log.read_text().endswith("\n"), "the log")
        return faults.parse_log(log.read_text())

    def fail(self, call, error):
        what = f"{call} -> {os.strerror(error)}"
        result = self.execute([*call.options(), "-e", str(error)])
        if result.status == 255:
            try:
                result.complaint("exec")
            except AssertionError as wrong:
                self.complaints.append(f"{what}: {wrong}")
        elif result.status == 128 + 6 and call.name in faults.MEMORY_CALLS:
            pass  # out of memory it aborts
        elif result.status != 0 or not result.out or faults.view(result.out) != self.wanted:
            self.complaints.append(f"{what}: {result}")
        self.check_alone(what)

    def kill(self, call):
        self.execute(call.options())
        self.check_alone(f"killed at {call}")

    def check_alone(self, what):
        self.count += 1
        self.hits += self.hit_file.exists()
        try:
            host.until(lambda: self.box.cgroup_procs() == [self.box.pid], "nobody else", 5)
        except AssertionError:
            self.complaints.append(f"{what}: in the container are {self.box.cgroup_procs()}")
            for pid in self.box.cgroup_procs():
                if pid != self.box.pid:
                    os.kill(pid, 9)
        orphans()  # buries the dead, without which their pid namespace does not end


@in_parts
def test_init_cannot(trial, part):
    """Of the calls of init that are alike, one for each capability say, each third will do."""
    calls = fallible(of(trial.learn(), "init", "child"))
    for i, call in enumerate(share(calls, part, PARTS * 2)):
        trial.fail(call, ERRORS[i % len(ERRORS)])


def test_init_is_killed(trial):
    """At the first call of each operation, and at each of `fork`, when there are two of it, one of whom the runtime may
    not have heard yet: no dead child of its is left to others, without whose burial the pid namespace would not end."""
    calls = of(trial.learn(), "init")
    forking = {call.op for call in calls if call.name == "pipe2"}
    for call in calls:
        if call.nth == 1 or call.op in forking:
            result = trial.execute(call.options())
            dead = [pid for pid, state in host.children() if state == "Z" and pid not in runtime.started
                    and Path(f"/proc/{pid}/comm").read_text() != "inject\n"]
            if dead:
                trial.complaints.append(f"killed at {call}: not buried: {dead}: {result}")
            trial.check_alone(f"killed at {call}")


@in_parts
def test_exec_cannot(trial, part):
    calls = trial.learn()
    for i, call in enumerate(share(fallible(own_work(calls)) + fallible(of(calls, "birth")), part)):
        trial.fail(call, ERRORS[i % len(ERRORS)])


@in_parts
def test_exec_is_killed(trial, part):
    """kill -9 of the runtime: init notices, and is gone; or the program is there already, and ends by itself."""
    for call in share(own_work(trial.learn()), part):
        trial.kill(call)


def test_setns_without_pidfds(box):
    """Before Linux 5.8 setns(2) answers EINVAL to a pidfd: then the namespaces are joined one after the other."""
    trial = Trial(box)
    call = next(call for call in trial.learn() if call.name == "setns")
    trial.fail(call, errno.EINVAL)
    assert trial.complaints == [] and trial.hits == 1
    options = [*call.options(), "-e", str(errno.EINVAL)]
    result = faults.spawn(box, ["-h", trial.hit_file, *options], "exec", box.id, "/probe", "ns").wait(20).ok()
    for kind in ("mnt", "pid", "ipc", "uts", "cgroup", "net"):
        assert seen.only(result.out)["ns"][kind] == host.namespace(kind, box.pid), kind
