# SPDX-License-Identifier: LGPL-2.1-or-later
"""thole as root of a user namespace, as Podman calls it for an ordinary user; in a container of thole's; and an
ordinary user's containers that join namespaces."""

import contextlib
import json
import os
import shutil
from pathlib import Path

import pytest

from harness import host, runtime, user
from harness.seen import MOUNTS

WARNING = "no cgroup for container"
needs_ranges = pytest.mark.skipif(user.ranges() is None, reason="needs newuidmap(1) and a range in /etc/subuid")


@pytest.fixture
def box(box, view):
    """The user's; VIEW as in the box that this one is made of."""
    return user.adopt(box)


IDS = [pytest.param(True, id="one-id"), pytest.param(False, id="range", marks=needs_ranges)]


@pytest.fixture(params=IDS)
def podman(request, box):
    """A box whose commands are called as Podman calls them: by root of a user namespace."""

    def become():
        user.become()
        user.enter_user_namespace(request.param)

    box.single = request.param
    box.before_exec = become
    user.without_user_namespace(box)
    if box.single:
        user.drop_tty_group(box.config)
    return box


@pytest.mark.parametrize("manager", ["cgroupfs", "disabled"])
def test_root_of_a_user_namespace(podman, manager):
    podman.set_probe("ids", "ns", MOUNTS, "cat /proc/self/uid_map", "write /dev/null x")
    podman.write_config()
    result = podman.call("--cgroup-manager", manager, "run", "--bundle", podman.bundle, podman.id)
    assert result.status == 0, result
    seen = json.loads(result.out)
    assert (seen["ids"]["ruid"], seen["ids"]["rgid"]) == (0, 0)
    assert seen["cat /proc/self/uid_map"].split()[:3] == ["0", str(user.UID), "1"]
    for kind in ("mnt", "pid", "net", "uts", "ipc"):
        assert seen["ns"][kind] != host.namespace(kind)
    assert any(mount.point == "/dev/null" for mount in host.parse_mounts(seen[MOUNTS]))
    assert (WARNING in result.said) == (manager == "cgroupfs")


def test_life_in_a_user_namespace(podman):
    """Every command is another process in another user namespace of the same ids."""
    podman.set_probe("pause")
    podman.create()
    assert podman.status() == "created"
    podman.start()
    assert podman.status() == "running"
    podman.kill("KILL")
    podman.wait()
    podman.delete()
    podman.assert_clean()


def test_limits_in_a_user_namespace_are_an_error(podman):
    podman.resources["memory"] = {"limit": 1 << 30}
    podman.run().refused("make cgroup", "Permission denied")
    podman.assert_clean()


def test_user_namespace_within_one(podman):
    podman.set_namespace("user")
    first = 0 if podman.single else 1
    podman.linux["uidMappings"] = podman.linux["gidMappings"] = [{"containerID": 0, "hostID": first, "size": 1}]
    user.drop_tty_group(podman.config)
    (podman.rootfs / "mnt").mkdir()
    podman.add_bind(podman.rootfs / "etc", "/mnt", "ro")
    seen = podman.probe("cat /proc/self/uid_map", "ls /mnt", "ids")
    assert seen["cat /proc/self/uid_map"].split() == ["0", str(first), "1"]
    assert seen["ls /mnt"] == ["passwd"]
    assert seen["ids"]["ruid"] == 0


@pytest.mark.parametrize("gids", [[], [0]])
def test_groups_in_a_user_namespace(podman, gids):
    podman.process["user"]["additionalGids"] = gids
    podman.set_probe("ids")
    result = podman.run()
    if podman.single and gids:
        assert "setgroups(2) denied" in result.refused("process.user")
    else:
        assert result.status == 0, result
        if not podman.single:
            assert json.loads(result.out)["ids"]["groups"] == gids


def test_sys_of_the_hosts_network_in_a_user_namespace(podman):
    podman.without_network()
    podman.drop_mount("/sys/fs/cgroup")
    assert podman.probe(MOUNTS).mount("/sys").type == "sysfs"


def test_state_of_root_of_a_user_namespace(podman):
    """It may not write to the /run of the host's root; where it may, in a container of its own, it does."""
    place = podman.directory("xdg")
    user.give(place)
    podman.create_by_default(XDG_RUNTIME_DIR=str(place)).ok()
    try:
        assert (place / "thole" / podman.id / "state.json").exists()
    finally:
        podman.delete_by_default(XDG_RUNTIME_DIR=str(place))
    if not os.path.exists("/run/thole"):
        error = podman.create_by_default(XDG_RUNTIME_DIR="").refused("make root /run/thole: Permission denied")
        assert "XDG_RUNTIME_DIR" in error


# ---- thole in a container of thole


@pytest.fixture
def nest(box):
    """A container of the user in which there is another runtime, with a bundle of its own."""
    inner = json.loads(json.dumps(box.config))
    without = ("user", "cgroup")
    inner["linux"]["namespaces"] = [entry for entry in inner["linux"]["namespaces"] if entry["type"] not in without]
    inner["linux"] = {key: value for key, value in inner["linux"].items() if "Mappings" not in key}
    inner["process"]["args"] = ["/probe", "ids", "ns", "uname"]
    inner["hostname"] = "inner"
    user.drop_tty_group(inner)
    bundle = box.rootfs / "inner"
    shutil.copytree(box.rootfs, bundle / "rootfs", symlinks=True, ignore=lambda *_: ["inner"])
    for name in ("usr", "lib", "lib64", "opt", "run"):
        (box.rootfs / name).mkdir(exist_ok=True)
        if name not in ("opt", "run") and os.path.exists(f"/{name}"):
            box.add_bind(f"/{name}", f"/{name}", "rbind", "ro")
    box.add_bind(Path(runtime.BINARY).resolve().parent, "/opt", "ro")
    box.config["mounts"].append({"destination": "/run", "type": "tmpfs", "source": "tmpfs"})
    box.config["root"]["readonly"] = False
    box.linux["maskedPaths"] = box.linux["readonlyPaths"] = []
    words = "CHOWN DAC_OVERRIDE FOWNER KILL MKNOD NET_ADMIN SETFCAP SETGID SETPCAP SETUID SYS_ADMIN SYS_CHROOT SYS_PTRACE"
    box.capabilities(*[f"CAP_{word}" for word in words.split()])
    box.process["args"] = [f"/opt/{Path(runtime.BINARY).name}", "--cgroup-manager", "disabled", "run", "--bundle",
                           "/inner", "inner"]

    def write():
        (bundle / "config.json").write_text(json.dumps(inner))
        user.give(box.dir)
        return box.run()

    box.inner, box.run_nested = inner, write
    return box


def nest_user_namespace(nest):
    nest.inner["linux"]["namespaces"].append({"type": "user"})
    nest.inner["linux"]["uidMappings"] = nest.inner["linux"]["gidMappings"] = \
        [{"containerID": 0, "hostID": 0, "size": 1}]


@pytest.mark.parametrize("user_namespace", [False, True])
def test_nested(nest, user_namespace):
    if user_namespace:
        nest_user_namespace(nest)
    result = nest.run_nested()
    assert result.status == 0, result
    seen = json.loads(result.out)
    assert seen["uname"]["nodename"] == "inner"
    assert seen["ids"]["ruid"] == 0


def test_nested_without_the_capability_to_map_root(nest):
    nest_user_namespace(nest)
    for names in nest.process["capabilities"].values():
        names.remove("CAP_SETFCAP")
    assert "CAP_SETFCAP" in nest.run_nested().refused("linux.uidMappings[0]", "write uid_map")


def test_nested_below_a_masked_proc(nest):
    """The kernel gives no new procfs to whom the present one is hidden in part, and the error says so."""
    nest.linux["maskedPaths"] = ["/proc/acpi", "/proc/keys", "/proc/timer_list"]
    nest_user_namespace(nest)
    result = nest.run_nested()
    error = result.refused("mount proc on /proc", "Operation not permitted")
    assert "nothing of the present /proc is masked" in error


# ---- namespaces that are joined


@pytest.fixture
def owned():
    """hold(flags): a process of the user in a user namespace of his, with one id, and in what FLAGS make."""
    held = contextlib.ExitStack()

    def hold(flags=0):
        def prepare():
            user.become()
            user.enter_user_namespace(True)
            host.unshare(flags)

        return held.enter_context(runtime.beside("sleep", "600", preexec_fn=prepare)).pid

    with held:
        yield hold


def join(box, pid, *kinds):
    """Joins namespaces of PID, those of KINDS, by files that everybody can open."""
    user.without_user_namespace(box)
    names = {"network": "net", "mount": "mnt"}
    for kind in kinds:
        box.set_namespace(kind, f"/proc/{pid}/ns/{names.get(kind, kind)}")
    user.drop_tty_group(box.config)


def test_user_joins_what_is_his(box, owned):
    pid = owned(host.CLONE_NEWNET | host.CLONE_NEWIPC | host.CLONE_NEWUTS)
    join(box, pid, "user", "network", "ipc", "uts")
    seen = box.probe("ns", "ids", "cat /proc/self/setgroups")
    for kind in ("user", "net", "ipc", "uts"):
        assert seen["ns"][kind] == host.namespace(kind, pid)
    assert seen["ns"]["pid"] != host.namespace("pid")
    assert seen["cat /proc/self/setgroups"] == "deny\n"


def test_user_joins_a_pid_namespace_with_its_owner(make_box, box):
    """As the containers of a pod do."""
    box.set_probe("pause")
    user.map_single(box)
    box.create()
    box.start()
    other = make_box()
    other.before_exec = user.become
    other.set_namespace("user")
    user.map_ids(other.linux)
    user.give(other.dir)
    join(other, box.pid, "user", "pid")
    seen = other.probe("ns", "ls /proc", "pids")
    assert seen["ns"]["user"] == host.namespace("user", box.pid)
    assert seen["ns"]["pid"] == host.namespace("pid", box.pid)
    assert "1" in seen["ls /proc"] and seen["pids"]["pid"] > 1
    box.stop()


def test_user_cannot_join_what_is_not_his(box, owned):
    """The network is the host's, of which the joined user namespace is no owner."""
    join(box, owned(), "user", "network")
    box.try_create().refused("linux.namespaces[", "network", "does not belong to the user namespace that is joined")
    box.assert_clean()


def test_own_user_namespace(box):
    join(box, "self", "user")
    box.try_create().refused("linux.namespaces[", "/proc/self/ns/user", "is our own")
    box.assert_clean()
