# SPDX-License-Identifier: LGPL-2.1-or-later
"""containerd as a Kubernetes node has it: its shim asks for the systemd driver.  tests/callers has what does not depend
on that."""

import os
import shutil
import subprocess
from pathlib import Path

import booted
import pytest

from harness import box, host, runtime

pytestmark = pytest.mark.skipif("THOLE_TEST_VM" not in os.environ or not shutil.which("containerd"),
                                reason="starts containerd on a host with systemd: tests/vm")

ROOT = Path("/sys/fs/cgroup")
SYSTEMD = booted.Systemd()


class Ctr:
    """PLACE is for all that containerd writes."""

    def __init__(self, place):
        self.place = place
        settings = place / "config.toml"
        settings.write_text(f'version = 2\nroot = "{place}/root"\nstate = "{place}/state"\n'
                            'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
                            f'[grpc]\naddress = "{place}/socket"\n')
        with open(place / "log", "wb") as log:
            self.daemon = subprocess.Popen(["containerd", "--config", settings], stdin=subprocess.DEVNULL, stdout=log,
                                           stderr=log)
        host.until(lambda: self.try_("version").returncode == 0, "containerd", 60)

    def try_(self, *words):
        return subprocess.run(["ctr", "--address", self.place / "socket", "--namespace", "tests", *words],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=booted.SECONDS, check=False)

    def __call__(self, *words):
        result = self.try_(*words)
        assert result.returncode == 0, f"{words}: {result.stdout}{result.stderr}"
        return result.stdout.strip()

    def close(self):
        self.daemon.terminate()
        self.daemon.wait(booted.SECONDS)


@pytest.fixture
def ctr(tmp_path):
    made = Ctr(tmp_path)
    yield made
    made.close()


def test_pod(ctr, tmp_path):
    """A container where the kubelet has it: in its pod's slice, with limits, exec, metrics; nothing is left."""
    name = f"c-{box.WORKER}"
    slices = ("kubepods.slice", "kubepods-burstable.slice", "kubepods-burstable-pod12_34.slice")
    scope = f"cri-containerd-{name}.scope"
    place = ROOT.joinpath(*slices, scope)
    tree = tmp_path / "rootfs"
    (tree / "bin").mkdir(parents=True)
    shutil.copy("/bin/busybox", tree / "bin")
    for program in ("sleep", "cat"):
        (tree / "bin" / program).symlink_to("busybox")
    ctr("run", "--detach", "--runc-binary", shutil.which(runtime.BINARY), "--runc-systemd-cgroup",
        "--cgroup", f"{slices[-1]}:cri-containerd:{name}", "--memory-limit", str(64 << 20), "--rootfs", str(tree), name,
        "/bin/sleep", "1000")
    pid = int(ctr("tasks", "list").splitlines()[1].split()[1])
    entry = f"0::/{place.relative_to(ROOT)}"
    assert Path(f"/proc/{pid}/cgroup").read_text().strip() == entry
    wanted = {"MemoryMax": str(64 << 20), "Slice": slices[-1], "ActiveState": "active"}
    assert SYSTEMD.show(scope, *wanted) == wanted
    assert (place / "memory.max").read_text() == f"{64 << 20}\n"
    assert ctr("tasks", "exec", "--exec-id", "e", name, "/bin/cat", "/proc/self/cgroup") == entry
    assert "pids.current" in ctr("tasks", "metrics", name)
    ctr("tasks", "pause", name)
    assert "PAUSED" in ctr("tasks", "list")
    ctr("tasks", "resume", name)
    ctr("tasks", "kill", "--signal", "KILL", name)
    host.until(lambda: "STOPPED" in ctr("tasks", "list"), "the end of the container", 20)
    ctr("tasks", "delete", name)
    ctr("containers", "delete", name)
    assert SYSTEMD.show(scope, "ActiveState") == {"ActiveState": "inactive"}
    assert not place.exists()
