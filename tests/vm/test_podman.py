# SPDX-License-Identifier: LGPL-2.1-or-later
"""Podman as it is where systemd runs: its containers are scopes, root's and those of a user who lingers.  tests/callers
has what does not depend on that."""

import contextlib
import json
import os
import shutil
from pathlib import Path

import booted
import pytest

from harness import box, runtime

pytestmark = pytest.mark.skipif("THOLE_TEST_VM" not in os.environ or not shutil.which("podman"),
                                reason="changes the configuration of a host with systemd and Podman: tests/vm")

ROOT = Path("/sys/fs/cgroup")
USER = f"podman-{box.WORKER}"
IMAGE = f"localhost/box-{box.WORKER}"

# Where this is a host's choice: thole, and what Podman cannot ask it.
SETTINGS = f"""\
[engine]
runtime = "thole"
runtime_supports_json = ["thole"]
runtime_supports_nocgroups = ["thole"]
cgroup_manager = "systemd"
events_logger = "file"
[engine.runtimes]
thole = ["{shutil.which(runtime.BINARY)}"]
"""


class Podman(booted.Login):
    """Podman of a user, or of root."""

    def __init__(self, user=None):
        super().__init__(user)
        self.names = []

    def __call__(self, *argv):
        return self.run("podman", *argv)

    def start(self, *options):
        """A container in the background: its id."""
        self.names.append(self("run", "--detach", "--network=none", *options, IMAGE, "/bin/sleep", "1000"))
        return self.names[-1]

    def inspect(self, name):
        return json.loads(self("inspect", name))[0]["State"]

    def assert_gone(self, name):
        """The scope is; that of conmon, which tells Podman of the end, may take longer."""
        assert f"libpod-{name}.scope" not in self.units()

    def close(self):
        if self.names:
            with contextlib.suppress(AssertionError):
                self("rm", "--force", "--time=0", *self.names)


@pytest.fixture(scope="module")
def settings():
    """Podman's, for all users of this host."""
    place = booted.ROOT / "etc/containers/containers.conf.d/thole.conf"
    place.parent.mkdir(parents=True, exist_ok=True)
    new = place.with_suffix(f".{box.WORKER}")
    new.write_text(SETTINGS)
    new.rename(place)


@pytest.fixture(scope="module")
def lingering():
    with booted.lingering(USER):
        yield USER


@pytest.fixture(scope="module", params=["root", "user"])
def ready(request, settings, tmp_path_factory):
    """Who has the image: nothing but busybox."""
    who = Podman(request.getfixturevalue("lingering") if request.param == "user" else None)
    tree = booted.ROOT / f"var/tmp/{request.param}-{box.WORKER}"
    (tree / "bin").mkdir(parents=True)
    shutil.copy("/bin/busybox", tree / "bin")
    for name in ("sh", "sleep", "cat", "tail", "mkdir", "ls"):
        (tree / "bin" / name).symlink_to("busybox")
    booted.call("tar", "-C", tree, "-cf", f"{tree}.tar", ".")
    who("import", "--quiet", f"/var/tmp/{tree.name}.tar", IMAGE)
    return who


@pytest.fixture
def podman(ready):
    yield ready
    ready.close()


def place_of(pid):
    """The cgroup of a process, without what Podman or we have put below the scope."""
    path = Path(f"/proc/{pid}/cgroup").read_text().strip().removeprefix("0::")
    return Path(f"{ROOT}{path[:path.index('.scope') + len('.scope')]}")


def test_scope(podman):
    """Limits are the unit's and the kernel's, and change with both; the scope goes with the container."""
    name = podman.start("--memory=64m", "--pids-limit=50")
    scope, pid = f"libpod-{name}.scope", podman.inspect(name)["Pid"]
    place = place_of(pid)
    assert place.name == scope
    wanted = {"MemoryMax": str(64 << 20), "TasksMax": "50", "ActiveState": "active", "Delegate": "yes"}
    assert podman.show(scope, *wanted) == wanted
    assert (place / "memory.max").read_text() == f"{64 << 20}\n"
    podman("update", "--memory=96m", name)
    podman.systemctl("daemon-reload")
    assert podman.show(scope, "MemoryMax") == {"MemoryMax": str(96 << 20)}
    assert (place / "memory.max").read_text() == f"{96 << 20}\n"
    assert (place / "pids.max").read_text() == "50\n"
    podman("stop", "--time=0", name)
    assert not place.exists()
    podman.assert_gone(name)


def test_life(podman):
    """exec, pause, stats, restart, rm."""
    name = podman.start("--pids-limit=50")
    assert podman("exec", name, "/bin/cat", "/proc/self/cgroup") == "0::/"
    podman("pause", name)
    assert podman.inspect(name)["Status"] == "paused"
    podman("unpause", name)
    stats, = json.loads(podman("stats", "--no-stream", "--format=json", name))
    assert stats["pids"] == "1"
    before = podman.inspect(name)["Pid"]
    podman("restart", "--time=0", name)
    after = podman.inspect(name)["Pid"]
    assert after != before and place_of(after).name == f"libpod-{name}.scope"
    podman("rm", "--force", "--time=0", name)
    podman.names.remove(name)
    podman.assert_gone(name)


def test_systemd_inside(podman):
    """--systemd=always: who is inside makes cgroups of his own, and hands controllers down."""
    name = podman.start("--systemd=always", "--pids-limit=50")
    script = "mkdir /sys/fs/cgroup/a /sys/fs/cgroup/b && echo 1 >/sys/fs/cgroup/a/cgroup.procs && " \
             "echo $$ >/sys/fs/cgroup/a/cgroup.procs && echo +pids >/sys/fs/cgroup/cgroup.subtree_control && " \
             "ls /sys/fs/cgroup/b"
    assert "pids.max" in podman("exec", name, "/bin/sh", "-c", script).split()
    assert podman("exec", name, "/bin/sh", "-c", "cat /proc/self/cgroup") == "0::/a"
    place = place_of(podman.inspect(name)["Pid"])
    podman("rm", "--force", "--time=0", name)
    podman.names.remove(name)
    assert not place.exists()


def test_oom(podman):
    """A container beyond its limit is killed, and the kernel's count says why."""
    result = podman("run", "--rm", "--network=none", "--memory=16m", "--memory-swap=16m", IMAGE, "/bin/sh", "-c",
                    "(exec cat /dev/zero | exec tail -c 200m) >/dev/null; echo status $?")
    assert result == "status 137"
