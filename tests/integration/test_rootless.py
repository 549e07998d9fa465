# SPDX-License-Identifier: LGPL-2.1-or-later
"""thole for an ordinary user.

Root does all this as such a user; `make check-rootless` does it, and the other tests, as one who has never been root.
"""

import json
import os
import shutil
from errno import EACCES
from pathlib import Path

import pytest

from harness import host, user
from harness.seen import MOUNTS

WARNING = "no cgroup for container"
needs_ranges = pytest.mark.skipif(user.ranges() is None, reason="needs newuidmap(1) and a range in /etc/subuid")
needs_groups = pytest.mark.root("gives the caller groups")
OVERFLOW = 65534  # as what an id that is not mapped is shown


@pytest.fixture
def box(box, view):
    """The user's; VIEW as in the box that this one is made of."""
    return user.adopt(box)


# ---- users and groups


def test_config_of_spec_runs_as_it_is(box):
    """Only what is run is another: no range, no helper, no cgroup, no capability."""
    box.config = None
    box.call("spec", "--rootless", "--bundle", box.bundle).ok()
    box.config = json.loads((box.bundle / "config.json").read_text())
    box.process["terminal"] = False
    box.set_probe("ids", "ns", "cat /proc/self/uid_map", "stat /sys/kernel", "write /dev/null x")
    seen = json.loads(box.run(env={"PATH": "/nowhere"}).ok().out)
    assert (seen["ids"]["euid"], seen["ids"]["egid"]) == (0, 0)
    assert seen["cat /proc/self/uid_map"].split() == ["0", str(user.UID), "1"]
    assert seen["ns"]["user"] != host.namespace("user")
    assert seen["ns"]["net"] == host.namespace("net")
    assert seen["stat /sys/kernel"]["type"] == "directory"


def test_without_any_capability(box):
    """The caller has none, and gets none on the host by what the container has."""
    box.set_probe("pause")
    box.create()
    box.start()
    status = Path(f"/proc/{box.pid}/status").read_text()
    assert f"Uid:\t{user.UID}\t{user.UID}\t{user.UID}\t{user.UID}" in status
    box.stop()


@needs_ranges
def test_range_by_the_helpers(box):
    box.process["user"] = {"uid": 7, "gid": 8, "additionalGids": [9]}
    seen = box.probe("ids", "cat /proc/self/uid_map", "cat /proc/self/gid_map", "cat /proc/self/setgroups")
    uids, gids = user.ranges()
    assert seen["cat /proc/self/uid_map"].split() == ["0", str(user.UID), "1", "1", *map(str, uids)]
    assert seen["cat /proc/self/gid_map"].split() == ["0", str(user.GID), "1", "1", *map(str, gids)]
    assert seen["cat /proc/self/setgroups"] == "allow\n"
    assert (seen["ids"]["ruid"], seen["ids"]["rgid"], seen["ids"]["groups"]) == (7, 8, [9])


def test_one_id(box):
    user.map_single(box)
    seen = box.probe("ids", "cat /proc/self/uid_map", "cat /proc/self/gid_map", "cat /proc/self/setgroups")
    assert seen["cat /proc/self/uid_map"].split() == ["0", str(user.UID), "1"]
    assert seen["cat /proc/self/gid_map"].split() == ["0", str(user.GID), "1"]
    assert seen["cat /proc/self/setgroups"] == "deny\n"


@needs_ranges
@pytest.mark.parametrize("single", ["uidMappings", "gidMappings"])
def test_range_of_one_kind_only(box, single):
    """newgidmap gives setgroups up where it maps one's own gid alone."""
    box.linux[single] = box.linux[single][:1]
    user.drop_tty_group(box.config)
    seen = box.probe("ids", "cat /proc/self/setgroups")
    assert seen["cat /proc/self/setgroups"] == ("deny\n" if single == "gidMappings" else "allow\n")
    assert seen["ids"]["rgid"] == 0


def test_group_of_a_mount_that_one_id_does_not_have(box):
    user.map_ids(box.linux, single=True)
    error = box.run().refused("mount devpts on /dev/pts", "gid '5'")
    assert "mapped in the user namespace" in error
    box.assert_clean()


@pytest.mark.parametrize("what, word", [({"additionalGids": [0]}, "process.user.additionalGids"),
                                        ({"uid": 5}, "become user 5:0"), ({"gid": 5}, "become user 0:5")])
def test_user_that_one_id_does_not_have(box, what, word):
    user.map_single(box)
    box.process["user"] = {"uid": 0, "gid": 0} | what
    said = box.run().refused("process.user", word)
    assert "hint: " in said and ("mapped" in said or "/etc/subgid" in said)
    box.assert_clean()


@needs_groups
def test_groups_stay_where_they_cannot_be_given_up(box):
    box.before_exec = lambda: user.become(groups=[4242])
    user.map_single(box)
    assert OVERFLOW in box.probe("ids")["ids"]["groups"]


def has_access(box, **annotations):
    """Whether a container of a caller in group 4242 can read what that group may read."""
    shared = box.directory("shared")
    (shared / "file").write_text("for the group")
    os.chown(shared, 0, 4242)
    shared.chmod(0o750)
    (box.rootfs / "mnt").mkdir(exist_ok=True)
    box.before_exec = lambda: user.become(groups=[4242])
    box.add_bind(shared, "/mnt", "ro")
    box.config["annotations"] = annotations
    return box.probe("cat /mnt/file", "ids")


@needs_groups
@needs_ranges
def test_keep_original_groups(box):
    seen = has_access(box, **{"run.oci.keep_original_groups": "1"})
    assert seen["cat /mnt/file"] == "for the group"
    assert OVERFLOW in seen["ids"]["groups"]


@needs_groups
@needs_ranges
def test_groups_are_dropped_unless_kept(box):
    seen = has_access(box)
    assert seen["cat /mnt/file"] == {"errno": EACCES}
    assert seen["ids"]["groups"] == []


@needs_groups
def test_groups_of_root_do_not_get_into_a_namespace_without_setgroups(box, holder):
    """Root may drop them before it joins a namespace in which nobody may."""
    box.before_exec = lambda: os.setgroups([4242])
    pid = holder(host.CLONE_NEWUSER)
    Path(f"/proc/{pid}/setgroups").write_text("deny")
    for table in ("uid_map", "gid_map"):
        Path(f"/proc/{pid}/{table}").write_text("0 200000 1000")
    user.without_user_namespace(box)
    box.set_namespace("user", f"/proc/{pid}/ns/user")
    seen = box.probe("ids", "cat /proc/self/setgroups")
    assert seen["cat /proc/self/setgroups"] == "deny\n"
    assert seen["ids"]["groups"] == []


@needs_ranges
@pytest.mark.parametrize("kind, helper", [("uidMappings", "newuidmap"), ("gidMappings", "newgidmap")])
def test_range_that_is_not_ours(box, kind, helper):
    box.linux[kind][1] = {"containerID": 1, "hostID": 1, "size": 10}
    error = box.run().refused(f"linux.{kind}[0]", f"{helper} refused to map these ids: ", "not allowed")
    assert f"/etc/sub{kind[:3]}" in error
    assert f"{helper}: " not in error  # its own words are in ours
    box.assert_clean()


def test_no_helpers(box):
    box.linux["gidMappings"] = user.mapping(user.GID, user.RANGE)
    error = box.run(env={"PATH": "/nowhere"}).refused("linux.gidMappings[0]", "newgidmap is needed to map these ids")
    assert "map only your own uid and gid" in error
    box.assert_clean()


def test_runtime_killed_before_the_ids_are_mapped(box):
    """Whoever waits for them must not wait for ever, nor hold the container's lock."""
    slow = box.directory("slow")
    (slow / "newgidmap").write_text("#!/bin/sh\nsleep 600 </dev/null >/dev/null 2>&1\n")
    (slow / "newgidmap").chmod(0o755)
    box.linux["gidMappings"] = user.mapping(user.GID, user.RANGE)
    box.write_config()
    creating = box.spawn("create", "--bundle", box.bundle, box.id, env={"PATH": f"{slow}:{os.environ['PATH']}"})
    helper = host.until(lambda: [pid for pid, _ in host.children(creating.pid)
                                 if b"newgidmap" in Path(f"/proc/{pid}/cmdline").read_bytes()], "the helper")[0]
    sleeping = host.until(lambda: host.children(helper), "its sleep")[0][0]
    creating.kill()
    for pid in (helper, sleeping):
        os.kill(pid, 9)
    box.delete("--force")
    box.assert_clean()


def test_default_config_says_what_is_missing(box):
    user.without_user_namespace(box)
    error = box.run().refused("linux.namespaces", "only together with a user namespace")
    assert "thole spec --rootless" in error
    box.assert_clean()


def test_time_offsets(box, probe_here):
    """They take privileges over the new time namespace, which only the new user namespace gives."""
    box.set_namespace("time")
    box.linux["timeOffsets"] = {"boottime": {"secs": 7200}}
    before = probe_here("clocks")["clocks"]["boottime"]
    inside = box.probe("clocks", "ns", "ids")
    assert inside["clocks"]["boottime"] >= before + 7200 * 10**9
    assert inside["ns"]["user"] != host.namespace("user")
    assert inside["ids"]["ruid"] == 0


# ---- what a user namespace may not mount or make


def test_sys_of_the_hosts_network_is_bound(box):
    box.without_network()
    box.drop_mount("/sys/fs/cgroup")
    seen = box.probe(MOUNTS, "ls /sys/class/net", "ls /sys/kernel")
    assert {"ro", "nosuid", "nodev", "noexec"} <= seen.mount("/sys").flags
    assert seen.mount("/sys").type == "sysfs"
    assert sorted(seen["ls /sys/class/net"]) == sorted(os.listdir("/sys/class/net"))


def test_sys_of_a_network_of_its_own_is_new(box):
    assert box.probe("ls /sys/class/net")["ls /sys/class/net"] == ["lo"]


def test_devices_are_bound(box):
    seen = box.probe(MOUNTS, "stat /dev/null", "stat /dev/zero", "write /dev/null x", "open /dev/full r")
    assert (seen["stat /dev/null"]["major"], seen["stat /dev/null"]["minor"]) == (1, 3)
    assert (seen["stat /dev/zero"]["major"], seen["stat /dev/zero"]["minor"]) == (1, 5)
    assert seen.mount("/dev/null").root.endswith("/null")
    assert seen["open /dev/full r"] == 0


def test_device_that_the_host_does_not_have(box):
    box.linux["devices"] = [{"path": "/dev/extra", "type": "c", "major": 10, "minor": 229}]
    box.run().refused("linux.devices[0]", "/dev/extra", "No such file or directory")
    box.assert_clean()


def test_proc_of_the_hosts_pid_namespace_is_bound(box):
    """Only who owns a pid namespace may mount a procfs of it."""
    box.without_namespace("pid")
    assert str(os.getpid()) in box.probe("ls /proc")["ls /proc"]


# ---- cgroups


def test_no_cgroup_is_a_warning(box):
    seen = box.run()
    assert seen.status == 0, seen
    assert WARNING in seen.said and seen.said.count("level=") == 1


def test_limits_without_a_cgroup_are_an_error(box):
    box.resources["pids"] = {"limit": 20}
    error = box.run().refused("cgroup", "Permission denied")
    assert "drop the limits" in error
    box.assert_clean()


def test_not_rootless_needs_a_cgroup(box):
    box.write_config()
    box.call("--rootless", "false", "run", "--bundle", box.bundle, box.id).refused("make cgroup", "Permission denied")
    box.assert_clean()


@pytest.mark.root("is root")
@pytest.mark.parametrize("word, works", [("auto", False), ("true", True), ("false", False)])
def test_root_whose_cgroups_are_read_only(box, word, works):
    """Root is not rootless, unless told so."""

    def read_only():
        host.unshare(host.CLONE_NEWNS)
        host.mount(None, "/", None, host.MS_REC | host.MS_PRIVATE)
        for path in {*host.HIERARCHIES.values(), Path("/sys/fs/cgroup")}:
            host.mount(None, path, None, host.MS_REMOUNT | host.MS_BIND | host.MS_RDONLY)

    box.before_exec = read_only
    user.without_user_namespace(box)
    box.write_config()
    result = box.call("--rootless", word, "run", "--bundle", box.bundle, box.id)
    if works:
        assert result.ok() and WARNING in result.said
    else:
        result.refused("make cgroup", "Read-only file system")
    box.assert_clean()


@pytest.mark.parametrize("limits", [False, True])
def test_cgroups_disabled(box, limits):
    """Who disables them knows that limits do not hold, and is told again."""
    if limits:
        box.resources["pids"] = {"limit": 20}
    box.write_config()
    result = box.call("--cgroup-manager", "disabled", "run", "--bundle", box.bundle, box.id)
    assert result.status == 0 and WARNING not in result.said, result
    assert ("linux.resources (config.json:" in result.said and "disabled" in result.said) == limits


def delegate(path, cgroup):
    """Gives the v2 cgroup CGROUP below PATH to the user, as systemd does."""
    place = path / cgroup
    place.mkdir()
    for name in ("", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"):
        os.chown(place / name, user.UID, user.GID)
    return place


@pytest.mark.root("delegates a cgroup")
@pytest.mark.skipif("" not in host.HIERARCHIES or host.PURE_V2, reason="needs a hybrid layout")
@pytest.mark.parametrize("view", ["v2"])
def test_delegated_cgroup(box):
    """The caller is in it, too, as the kernel's rules of delegation want."""
    place = delegate(host.HIERARCHIES[""], box.id)

    def become():
        Path(f"/sys/fs/cgroup/{box.id}/caller/cgroup.procs").write_text("0")
        user.become()

    try:
        delegate(place, "caller")
        box.before_exec = become
        box.linux["cgroupsPath"] = f"/{box.id}/box"
        box.set_probe("pause")
        result = box.create()
        assert WARNING not in result.said
        assert box.pid in [int(pid) for pid in (place / "box/cgroup.procs").read_text().split()]
        box.delete("--force")
        assert not (place / "box").exists()
    finally:
        for path in (place / "box", place / "caller", place):
            if path.exists():
                path.rmdir()


@pytest.mark.root("delegates a cgroup")
@pytest.mark.skipif("" not in host.HIERARCHIES or host.PURE_V2, reason="needs a hybrid layout")
def test_delegated_in_one_hierarchy_alone(box):
    """As systemd does it for users where v1 is in use, too."""
    place = delegate(host.HIERARCHIES[""], box.id)
    try:
        box.linux["cgroupsPath"] = f"/{box.id}/box"
        result = box.run()
        assert result.ok() and WARNING in result.said
        assert not (place / "box").exists()
    finally:
        place.rmdir()


# ---- where states are kept


def test_state_is_below_xdg_runtime_dir(box):
    place = box.directory("xdg")
    user.give(place)
    box.create_by_default(XDG_RUNTIME_DIR=str(place)).ok()
    try:
        assert (place / "thole" / box.id / "state.json").exists()
        assert (place / "thole").stat().st_mode & 0o777 == 0o700
    finally:
        box.delete_by_default(XDG_RUNTIME_DIR=str(place))


def test_empty_xdg_runtime_dir_is_none(box):
    place = Path(f"/tmp/thole-{user.UID}")
    there = place.exists()
    box.create_by_default(XDG_RUNTIME_DIR="").ok()
    try:
        assert (place / box.id / "state.json").exists()
    finally:
        box.delete_by_default(XDG_RUNTIME_DIR="")
        if not there:
            shutil.rmtree(place)


@pytest.mark.parametrize("place", ["/proc/no/such/place", "/etc"])
def test_xdg_runtime_dir_that_cannot_be_used(box, place):
    error = box.create_by_default(XDG_RUNTIME_DIR=place).refused(f"make root {place}/thole")
    assert place != "/etc" or "XDG_RUNTIME_DIR or with --root" in error
    box.assert_clean()
