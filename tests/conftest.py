# SPDX-License-Identifier: LGPL-2.1-or-later
"""Fixtures of the tests that run containers, and the last test: that the host is as it was.

THOLE is the binary under test, PROBE the built tests/probe/probe.  Each process of the session (xdist's workers,
too) runs in a mount namespace of its own, so that a mount that goes astray shows in its own test and dies with it.
"""

import contextlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from harness import box as boxes
from harness import host, runtime, seen, user

if user.PRIVILEGED:
    host.enter_private_namespace()


def is_worker(config):
    return hasattr(config, "workerinput")


class HostCheck:
    """Compares the host before and after the session; the parent's mount table is the host's."""

    def __init__(self):
        self.before = self.look()
        self.verdict = None

    @staticmethod
    def look():
        outside = f"/proc/{os.getppid() if user.PRIVILEGED else 'self'}/mountinfo"
        return {
            "mounts of the host": Path(outside).read_text().splitlines(),
            "mounts of the tests": Path("/proc/self/mountinfo").read_text().splitlines(),
            "cgroups": host.cgroups_named(boxes.SESSION),
            "processes": host.processes_with(boxes.SESSION),
            "state": [str(path) for path in Path("/run").glob(f"*/{boxes.SESSION}*")],
        }

    def compare(self):
        after = self.look()
        self.verdict = [f"{what}: {line}" for what, lines in after.items() for line in lines
                        if line not in self.before[what]]
        self.verdict += [f"{what}: gone: {line}" for what, lines in self.before.items() for line in lines
                         if line not in after[what]]
        return not self.verdict


def pytest_configure(config):
    for name, program in (("THOLE", runtime.BINARY), ("PROBE", os.environ.get("PROBE", ""))):
        if shutil.which(program) is None:
            pytest.exit(f"{name}={program} is no program; `make check` sets it to the one that was built", 4)
    if not is_worker(config):
        config.host_check = HostCheck()


def pytest_sessionstart():
    host.become_subreaper()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session):
    if is_worker(session.config):
        return
    shutil.rmtree(boxes.BASE, ignore_errors=True)
    if not session.config.host_check.compare() and session.exitstatus == 0:
        session.exitstatus = 1


def pytest_terminal_summary(terminalreporter, config):
    verdict = config.host_check.verdict
    if verdict is None:
        return
    if verdict:
        terminalreporter.section("the host is not as it was", red=True)
        for line in verdict:
            terminalreporter.line(line)
    else:
        terminalreporter.line("host check: mounts, cgroups, processes and state are as before")


def what_a_user_lacks(item):
    """Why ITEM is not for an ordinary user; None if it is."""
    needed = item.get_closest_marker("root")
    if needed:
        return f"needs root: {needed.args[0]}"
    if "integration" not in item.path.parts:
        return "needs root: attacks, faults and callers are tried by root"
    if hasattr(item, "callspec") and item.callspec.params.get("view", "host") != "host":
        return "needs root: covers the host's cgroups"
    if user.ranges() is None and item.path.name not in ("test_rootless.py", "test_user_namespaces.py"):
        return "needs root, or newuidmap(1) and a range in /etc/subuid"
    return None


def pytest_collection_modifyitems(items):
    for item in items:
        reason = None if user.PRIVILEGED else what_a_user_lacks(item)
        if reason:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
def view():
    """How the runtime sees the host's cgroups; tests override it by parametrising "view" over host.VIEWS."""
    return "host"


@pytest.fixture
def box(view):
    """A container that is not created yet, with the default config."""
    made = boxes.Box(view)
    yield made
    made.close()


@pytest.fixture
def make_box():
    """More than one container."""
    made = []

    def make(view="host"):
        made.append(boxes.Box(view))
        return made[-1]

    yield make
    errors = []
    for each in made:
        try:
            each.close()
        except AssertionError as error:
            errors.append(str(error))
    assert not errors, "\n".join(errors)


@pytest.fixture
def probe_here():
    """What the probe sees outside of any container, to compare with."""

    def run(*commands):
        program = [str(boxes.tool("probe")), *seen.words(commands)]
        return seen.only(subprocess.run(program, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20,
                                        check=True).stdout)

    return run


@pytest.fixture
def holder():
    """Gives processes that live in new namespaces, to be joined by their pid: hold(host.CLONE_NEWNET | ...)."""
    held = contextlib.ExitStack()

    def hold(flags, users=None):
        process = held.enter_context(runtime.beside(boxes.tool("busybox"), "sleep", "600",
                                                    preexec_fn=lambda: host.unshare(flags)))
        for table in ("uid_map", "gid_map") if users else ():
            Path(f"/proc/{process.pid}/{table}").write_text(users)
        return process.pid

    with held:
        yield hold
