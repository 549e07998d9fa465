# SPDX-License-Identifier: LGPL-2.1-or-later
"""Somebody hostile is already in the namespaces that a container joins."""

import time

import pytest

from harness import host, seen
from test_escape import host_path

EVERYTHING = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_KILL", "CAP_SETGID", "CAP_SETUID",
              "CAP_SYS_ADMIN", "CAP_SYS_PTRACE"]
MAPPINGS = [{"containerID": 0, "hostID": 100000, "size": 65536}]


@pytest.fixture
def user_box(make_box):
    """Boxes in a user namespace; sysfs and cgroups may not be mounted there without a network namespace of their own."""

    def make(*namespaces):
        box = make_box()
        box.without_network()
        for kind, path in namespaces:
            box.set_namespace(kind, path)
        for destination in ("/sys", "/sys/fs/cgroup"):
            box.drop_mount(destination)
        return box

    return make


def spied_on(user_box, **changes):
    """What a program with all privileges in its user namespace, where it may trace whoever is there, gets to see while
    containers with CHANGES of the config join that and its pid namespace."""
    watcher = user_box(("user", None))
    watcher.linux["uidMappings"] = watcher.linux["gidMappings"] = MAPPINGS
    watcher.capabilities(*EVERYTHING)
    watcher.set_probe("spy 6000")  # the pid namespace ends with it, and whoever is in there
    created = watcher.create()
    watcher.start()
    end = time.monotonic() + 3
    while time.monotonic() < end:
        other = user_box(*((kind, f"/proc/{watcher.pid}/ns/{kind}") for kind in ("user", "pid")))
        other.process["args"] = ["/bin/sleep", "0.05"]
        other.config |= changes
        other.run().ok()
    watcher.wait(20)
    report = seen.only(created.out)["spy 6000"]
    assert "exe /bin/busybox" in report
    return [line for line in report if line.startswith(("exe", "cwd", "root")) and host_path(line, watcher)
            or "thole" in line]


def test_init_is_not_traced(user_box):
    """An init that comes in still has the host's root and working directory: it is not within reach, not for an instant."""
    assert spied_on(user_box) == []


def test_hook_is_not_traced_before_it_is_one(user_box):
    """Between fork and exec it is a second init."""
    hooks = {"startContainer": [{"path": "/bin/true"}] * 30}
    assert spied_on(user_box, hooks=hooks) == []


NAMESPACES = {"uts": host.CLONE_NEWUTS, "net": host.CLONE_NEWNET, "ipc": host.CLONE_NEWIPC, "mnt": host.CLONE_NEWNS}


@pytest.mark.parametrize("kind, file, changes", [
    ("uts", "uts", {"hostname": "evil"}),
    ("uts", "uts", {"domainname": "evil"}),
    ("uts", "uts", {"sysctl": {"kernel.domainname": "evil"}}),
    ("network", "net", {"sysctl": {"net.ipv4.ip_forward": "1"}}),
    ("ipc", "ipc", {"sysctl": {"kernel.shmmni": "4000"}}),
    ("mount", "mnt", {}),
])
def test_namespace_of_the_host_is_joined_and_changed(box, kind, file, changes):
    """Without a namespace that is refused; a path that leads to the runtime's own must not be a way round."""
    box.config.pop("hostname")
    box.set_namespace(kind, f"/proc/self/ns/{file}")
    box.linux["sysctl"] = changes.pop("sysctl", {})
    box.config |= changes
    box.set_probe("ids")
    # Should it not be refused, let it be done to namespaces that are thrown away.
    result = box.run(before_exec=lambda: host.unshare(NAMESPACES[file]))
    result.error("is the host's")


def test_namespace_of_the_host_is_joined(box):
    """To be in it is the caller's good right."""
    box.config.pop("hostname")
    box.set_namespace("uts", "/proc/self/ns/uts")
    box.set_namespace("network", "/proc/self/ns/net")
    box.drop_mount("/sys")
    box.drop_mount("/sys/fs/cgroup")
    report = box.probe("ns")
    assert report["ns"]["uts"] == host.namespace("uts") and report["ns"]["net"] == host.namespace("net")
