# SPDX-License-Identifier: LGPL-2.1-or-later
"""What of its cgroup a container may manage itself (config-linux.md#cgroup-ownership)."""

from pathlib import Path

import pytest

from harness import host, runtime

pytestmark = [pytest.mark.skipif(runtime.PEER, reason="the words of errors, and what is given, differ"),
              pytest.mark.root("makes cgroups")]

on_v2 = pytest.mark.parametrize("view", [view for view in ("v2",) if view in host.VIEWS] or
                                (["host"] if host.PURE_V2 else []))

DELEGATED = {"cgroup.procs", "cgroup.threads", "cgroup.subtree_control"}


def owned_by(place, uid):
    """The names of what UID has of the cgroup PLACE, which is "." itself."""
    return {path.name or "." for path in place.iterdir() if path.stat().st_uid == uid} | (
        {"."} if place.stat().st_uid == uid else set())


def mount_writable(box):
    box.drop_mount("/sys/fs/cgroup")
    box.add_mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev")


def set_user_namespace(box):
    box.set_namespace("user")
    box.linux["uidMappings"] = box.linux["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]


def may_be_delegated():
    path = Path("/sys/kernel/cgroup/delegate")
    return set(path.read_text().split()) if path.exists() else DELEGATED


@on_v2
@pytest.mark.parametrize("uid", [0, 1000])
def test_owner_of_a_writable_cgroup(box, uid):
    """The user of the program on the host gets the directory and what the kernel says can be given, nothing else."""
    mount_writable(box)
    set_user_namespace(box)
    box.process["user"] = {"uid": uid, "gid": 0}
    box.set_probe("pause")
    box.create()
    place = Path(f"{host.HIERARCHIES['']}{box.cgroup}")
    owned = owned_by(place, 100000 + uid)
    assert DELEGATED | {"."} <= owned <= may_be_delegated() | {"."}
    box.delete("--force")


@on_v2
def test_owner_manages_a_writable_cgroup(box):
    """From inside: a cgroup is made, the program moves into it, and may not change its limits above."""
    mount_writable(box)
    set_user_namespace(box)
    box.process["args"] = ["/bin/sh", "-c", "cd /sys/fs/cgroup && /bin/busybox mkdir a && echo 1 >a/cgroup.procs && "
                           "cat /proc/self/cgroup && { echo 5 >cgroup.max.depth || echo refused; }"]
    out = box.run().ok().out
    assert "0::/a\n" in out and out.endswith("refused\n")


@on_v2
@pytest.mark.parametrize("change", ["no namespace", "read-only", "host's user"])
def test_owner_that_stays(box, change):
    if change != "host's user":
        set_user_namespace(box)
    if change != "read-only":
        mount_writable(box)
    if change == "no namespace":
        box.without_namespace("cgroup")
    box.set_probe("pause")
    box.create()
    place = Path(f"{host.HIERARCHIES['']}{box.cgroup}")
    assert {path.stat().st_uid for path in (place, *place.iterdir())} == {0}
    box.delete("--force")


@on_v2
def test_delegated_leaf(box):
    """run.oci.delegate-cgroup: init in a leaf that is the container's, with all controllers, below its limits."""
    set_user_namespace(box)
    box.config["annotations"] = {"run.oci.delegate-cgroup": "inner"}
    box.resources["unified"] = {"cgroup.max.depth": "3", "cgroup.max.descendants": "5"}
    box.set_probe("pause")
    box.create()
    place = Path(f"{host.HIERARCHIES['']}{box.cgroup}")
    assert (place / "inner/cgroup.procs").read_text() == f"{box.pid}\n"
    assert (place / "cgroup.procs").read_text() == ""
    assert (place / "cgroup.subtree_control").read_text() == (place / "cgroup.controllers").read_text()
    assert owned_by(place, 100000) == {"inner"}
    assert DELEGATED | {"."} <= owned_by(place / "inner", 100000)
    assert (place / "cgroup.max.depth").read_text() == "3\n"
    box.start()
    assert box.status() == "running"
    box.stop()
    assert not place.exists()


@on_v2
def test_controllers_inside_a_delegated_leaf(box):
    """The program leaves the root of its cgroups, and hands down what it was handed."""
    mount_writable(box)
    set_user_namespace(box)
    box.config["annotations"] = {"run.oci.delegate-cgroup": "inner"}
    box.process["args"] = ["/bin/sh", "-c", "cd /sys/fs/cgroup && /bin/busybox mkdir a && echo 1 >a/cgroup.procs && "
                           "for c in $(cat cgroup.controllers); do echo +$c >cgroup.subtree_control; done && "
                           "cat cgroup.controllers a/cgroup.controllers"]
    lines = box.run().ok().out.splitlines()
    assert lines[0] == lines[1] == (host.HIERARCHIES[""] / "cgroup.subtree_control").read_text().strip()


def cgroup_of_an_exec(box, *options):
    """Where a process that is executed with OPTIONS says it is, seen from inside: the leaf is the root."""
    return box.call("exec", *options, box.id, "/bin/cat", "/proc/self/cgroup").ok().out.splitlines()[-1]


@on_v2
def test_exec_into_a_delegated_leaf(box):
    """It is the container's root; where that cannot have processes any more, exec goes where the first process is."""
    box.config["annotations"] = {"run.oci.delegate-cgroup": "inner"}
    box.set_probe("pause")
    box.create()
    box.start()
    assert cgroup_of_an_exec(box) == "0::/"
    leaf = Path(f"{host.HIERARCHIES['']}{box.cgroup}/inner")
    (leaf / "a").mkdir()
    assert cgroup_of_an_exec(box, "--cgroup", "a") == "0::/a"
    box.call("exec", "--cgroup", "inner", box.id, "/bin/true").complaint("exec", "/inner/inner", "No such file")
    controllers = (leaf / "cgroup.controllers").read_text().split()
    if controllers:
        (leaf / "a/cgroup.procs").write_text(str(box.pid))
        (leaf / "cgroup.subtree_control").write_text(f"+{controllers[0]}")
        assert cgroup_of_an_exec(box) == "0::/a"
    box.delete("--force")
    assert not leaf.exists()


@on_v2
def test_leaf_without_a_namespace(box):
    """What is no name at all: test_annotations.py."""
    box.config["annotations"] = {"run.oci.delegate-cgroup": "inner"}
    box.without_namespace("cgroup")
    box.try_create().error("annotations", "needs a new cgroup namespace")
    box.assert_clean()


@pytest.mark.skipif(host.PURE_V2, reason="this host has no cgroup v1")
def test_v1_is_not_delegated(box):
    box.config["annotations"] = {"run.oci.delegate-cgroup": "inner"}
    box.try_create().error("annotations", "only on a host with cgroup v2 alone")
    box.assert_clean()


@on_v2
def test_kernel_that_does_not_say(box):
    """Without /sys/kernel/cgroup/delegate it is the three files of the specification."""

    def hide():
        host.unshare(host.CLONE_NEWNS)
        host.mount(None, "/", None, host.MS_REC | host.MS_PRIVATE)
        host.mount("tmpfs", "/sys/kernel/cgroup", "tmpfs")

    box.drop_mount("/sys")  # of which the kernel gives no new one where a part is hidden
    (box.rootfs / "sys/fs/cgroup").mkdir(parents=True)
    mount_writable(box)
    set_user_namespace(box)
    box.set_probe("pause")
    box.create(before_exec=hide)
    assert owned_by(Path(f"{host.HIERARCHIES['']}{box.cgroup}"), 100000) == DELEGATED | {"."}
    box.delete("--force")
