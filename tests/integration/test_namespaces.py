# SPDX-License-Identifier: LGPL-2.1-or-later
"""linux.namespaces: new ones, shared ones, joined ones; users and clocks inside."""

import os
import signal
import subprocess
from errno import EACCES

import pytest

from harness import host, runtime

# The config's name and the kernel's.
KINDS = {"pid": "pid", "network": "net", "ipc": "ipc", "uts": "uts", "mount": "mnt", "cgroup": "cgroup", "user": "user",
         "time": "time"}

MAPPING = [{"containerID": 0, "hostID": 100000, "size": 65536}]


def map_users(box):
    """A user namespace of its own whose root is host id 100000."""
    box.set_namespace("user")
    box.linux["uidMappings"] = box.linux["gidMappings"] = MAPPING
    # The mapped root may not make directories in a root that the host's root owns.
    (box.rootfs / "mnt").mkdir()


@pytest.mark.parametrize("kind", ["pid", "network", "ipc", "uts", "mount", "cgroup",
                                  pytest.param("time", marks=host.needs("clone3"))])
def test_new(box, kind):
    box.set_namespace(kind)
    assert box.probe("ns")["ns"][KINDS[kind]] != host.namespace(KINDS[kind])


@pytest.mark.root("maps ids that are nobody's")
def test_new_user(box):
    map_users(box)
    seen = box.probe("ns", "ids", "cat /proc/self/uid_map", "cat /proc/self/gid_map")
    assert seen["ns"]["user"] != host.namespace("user")
    assert (seen["ids"]["ruid"], seen["ids"]["rgid"]) == (0, 0)
    assert seen["cat /proc/self/uid_map"].split() == ["0", "100000", "65536"]
    assert seen["cat /proc/self/gid_map"].split() == ["0", "100000", "65536"]


@pytest.mark.root("mounts what belongs to the host's namespaces")
@pytest.mark.parametrize("kind", ["pid", "network", "ipc", "uts", "cgroup", "time"])
def test_not_named_is_the_callers(box, kind):
    box.without_namespace(kind)
    if kind == "uts":
        del box.config["hostname"]
    if kind == "network":
        # sysfs shows the network namespace it is mounted in; any mount will do.
        box.drop_mount("/sys/fs/cgroup")
    assert box.probe("ns")["ns"][KINDS[kind]] == host.namespace(KINDS[kind])


@host.needs("clone3")
@pytest.mark.root("maps ids that are nobody's")
def test_all_at_once(box):
    map_users(box)
    box.set_namespace("time")
    inside = box.probe("ns")["ns"]
    for kind in KINDS.values():
        assert inside[kind] != host.namespace(kind), kind


@pytest.mark.root("joins what belongs to root")
@pytest.mark.parametrize("kind, flag", [("network", host.CLONE_NEWNET), ("ipc", host.CLONE_NEWIPC),
                                        ("uts", host.CLONE_NEWUTS), ("cgroup", host.CLONE_NEWCGROUP)])
def test_joined(box, holder, kind, flag):
    pid = holder(flag)
    box.set_namespace(kind, f"/proc/{pid}/ns/{KINDS[kind]}")
    if kind == "uts":
        del box.config["hostname"]
    assert box.probe("ns")["ns"][KINDS[kind]] == host.namespace(KINDS[kind], pid)


@pytest.mark.root("joins what belongs to root")
def test_joined_by_a_bound_file(box, holder):
    """As `ip netns` keeps them: a bind mount of the namespace's file."""
    pid = holder(host.CLONE_NEWNET)
    place = box.dir / "netns"
    place.write_text("")
    host.mount(f"/proc/{pid}/ns/net", place, None, host.MS_BIND)
    try:
        box.set_namespace("network", place)
        assert box.probe("ns")["ns"]["net"] == host.namespace("net", pid)
    finally:
        host.umount(place)


@pytest.mark.root("joins what belongs to root")
def test_joined_pid(make_box):
    """The first process of the second container is a later process of the first's namespace."""
    first, second = make_box(), make_box()
    first.set_probe("pause")
    first.create()
    first.start()
    second.set_namespace("pid", f"/proc/{first.pid}/ns/pid")
    report = second.probe("ns", "pids", "ls /proc")
    assert report["ns"]["pid"] == host.namespace("pid", first.pid)
    assert report["pids"]["pid"] > 1
    assert "1" in report["ls /proc"]
    first.stop()


@pytest.mark.root("joins what belongs to root")
def test_joined_pid_container_is_deleted_whole(make_box):
    """Without a pid namespace of its own what it leaves is not killed with its first process, but with its cgroup."""
    first, second = make_box(), make_box()
    first.set_probe("pause")
    first.create()
    first.start()
    second.set_namespace("pid", f"/proc/{first.pid}/ns/pid")
    second.set_probe("linger", "pause")
    second.create()
    second.start()
    host.until(lambda: len(second.cgroup_procs()) == 2, "two processes in the cgroup")
    second.delete("--force")
    assert not [line for line in second.leftovers() if str(first.pid) not in line]
    assert first.status() == "running"
    first.stop()


@pytest.mark.root("joins what belongs to root")
def test_joined_user(box, holder):
    pid = holder(host.CLONE_NEWUSER, users="0 200000 1000")
    box.set_namespace("user", f"/proc/{pid}/ns/user")
    seen = box.probe("ns", "cat /proc/self/uid_map")
    assert seen["ns"]["user"] == host.namespace("user", pid)
    assert seen["cat /proc/self/uid_map"].split() == ["0", "200000", "1000"]


@pytest.mark.root("joins what belongs to root")
def test_joined_user_and_what_it_owns(box, holder):
    """The other namespaces belong to the joined user namespace: the order of joining matters."""
    pid = holder(host.CLONE_NEWUSER | host.CLONE_NEWNET | host.CLONE_NEWIPC | host.CLONE_NEWUTS, users="0 200000 1000")
    for kind in ("user", "network", "ipc", "uts"):
        box.set_namespace(kind, f"/proc/{pid}/ns/{KINDS[kind]}")
    box.config["hostname"] = "joined"
    seen = box.probe("ns", "uname")
    for kind in ("user", "network", "ipc", "uts"):
        assert seen["ns"][KINDS[kind]] == host.namespace(KINDS[kind], pid)
    assert seen["uname"]["nodename"] == "joined"


@pytest.mark.root("joins what belongs to root")
def test_joined_mount(box, holder):
    """The mounts are made in the namespace that is joined, and are the container's only because nobody else looks."""
    pid = holder(host.CLONE_NEWNS)
    box.set_namespace("mount", f"/proc/{pid}/ns/mnt")
    assert box.probe("ns")["ns"]["mnt"] == host.namespace("mnt", pid)


@pytest.mark.root("joins what belongs to root")
def test_joined_time(box, holder):
    pid = holder(host.CLONE_NEWTIME)
    box.set_namespace("time", f"/proc/{pid}/ns/time_for_children")
    assert box.probe("ns")["ns"]["time"] == host.namespace("time_for_children", pid)


@pytest.fixture
def pod(make_box):
    """A container with namespaces of its own that others join: they belong to its user namespace."""
    made = make_box()
    map_users(made)
    made.set_probe("pause")
    made.create()
    made.start()
    yield made
    made.stop()


JOINING = ("none", "new", "joined")


@pytest.mark.root("joins what belongs to root")
@pytest.mark.parametrize("rest", ["new", "joined"])
@pytest.mark.parametrize("pid", JOINING)
@pytest.mark.parametrize("user", JOINING)
def test_user_and_pid_in_every_combination(box, pod, user, pid, rest):
    """Of which the kernel forbids one: a procfs shows a pid namespace only where its owner is."""
    wanted = {"user": user, "pid": pid, "network": rest, "ipc": rest, "uts": rest}
    if user == "new":
        map_users(box)
    for kind, how in wanted.items():
        box.without_namespace(kind)
        if how != "none":
            box.set_namespace(kind, f"/proc/{pod.pid}/ns/{KINDS[kind]}" if how == "joined" else None)
    if user == "new" and rest == "joined":
        box.drop_mount("/dev/mqueue")  # of the ipc namespace's owner, too
        box.config["hostname"] = ""
    (box.rootfs / "mnt").mkdir(exist_ok=True)
    if user == "new" and pid == "joined":
        box.try_create().error("mounts[0]", "by a new user namespace without a new pid namespace")
        return
    seen = box.probe("ns")
    for kind, how in wanted.items():
        here = seen["ns"][KINDS[kind]]
        assert (here == host.namespace(KINDS[kind], pod.pid)) == (how == "joined"), kind
        assert (here == host.namespace(KINDS[kind])) == (how == "none"), kind


@pytest.mark.root("joins what belongs to root")
@pytest.mark.parametrize("user", ["new", "joined"])
def test_mount_namespace_of_another_owner(box, holder, user):
    """Nothing could be mounted there."""
    path = f"/proc/{holder(host.CLONE_NEWNS)}/ns/mnt"
    box.set_namespace("mount", path)
    if user == "new":
        map_users(box)
        box.try_create().error("linux.namespaces[", "in a new user namespace")
    else:
        box.set_namespace("user", f"/proc/{holder(host.CLONE_NEWUSER, users='0 200000 1000')}/ns/user")
        box.try_create().error("linux.namespaces[", path, "does not belong to the user namespace that is joined")
    box.assert_clean()


@pytest.mark.root("maps ids that are nobody's")
def test_mqueue_of_another_owner(box):
    map_users(box)
    box.without_namespace("ipc")
    error = box.try_create().error("mounts[4]", "by a new user namespace without a new ipc namespace")
    assert "config.json" in error
    box.assert_clean()


@pytest.mark.root("joins what belongs to root")
@pytest.mark.parametrize("mappings, right", [
    ([(0, 200000, 1000), (5000, 300000, 10)], True),
    ([(5000, 300000, 10), (0, 200000, 1000)], True),
    ([(0, 0, 1)], True),  # which Podman says, whatever it is
    ([(0, 200000, 1000)], False),
    ([(0, 200000, 1000), (5000, 300000, 11)], False),
    ([(0, 200000, 1000), (5000, 300000, 10), (6000, 400000, 1)], False),
])
def test_mappings_of_a_joined_user_namespace(box, holder, mappings, right):
    """They need not be said, but if they are they must be those that it has."""
    pid = holder(host.CLONE_NEWUSER, users="0 200000 1000\n5000 300000 10")
    box.set_namespace("user", f"/proc/{pid}/ns/user")
    box.linux["gidMappings"] = [{"containerID": 0, "hostID": 200000, "size": 1000},
                                {"containerID": 5000, "hostID": 300000, "size": 10}]
    box.linux["uidMappings"] = [{"containerID": inside, "hostID": outside, "size": size}
                                for inside, outside, size in mappings]
    if right:
        assert box.probe("ns")["ns"]["user"] == host.namespace("user", pid)
    else:
        box.set_probe("ns")
        box.run().error("linux.uidMappings[0]", "the user namespace that is joined has other mappings")


@pytest.mark.root("has no user namespace")
def test_own_user_namespace(box):
    """setns(2) does not take one that one is in."""
    box.set_namespace("user", "/proc/self/ns/user")
    box.try_create().error("linux.namespaces[", "/proc/self/ns/user", "is our own")
    box.assert_clean()


@pytest.mark.root("joins what belongs to root")
def test_pid_namespace_beside_ours(box, holder):
    """Only our own and what is below it can be joined."""
    held = subprocess.Popen(["unshare", "--pid", "--fork", "sleep", "600"], stdin=subprocess.DEVNULL)
    runtime.started.add(held.pid)
    try:
        first = host.until(lambda: host.children(held.pid), "the first process")[0][0]
        box.set_namespace("pid", f"/proc/{first}/ns/pid")
        box.write_config()
        result = runtime.call("--pid", "--fork", runtime.BINARY, "--root", box.root, "create", "--bundle", box.bundle,
                              box.id, binary="unshare")
        result.error("linux.namespaces[", f"/proc/{first}/ns/pid", "is not below our own")
    finally:
        os.kill(first, signal.SIGKILL)
        held.wait()
        runtime.started.discard(held.pid)
    box.assert_clean()


@pytest.mark.root("joins what belongs to root")
@pytest.mark.parametrize("kind", ["network", "ipc", "uts", "pid", "user", "mount", "cgroup", "time"])
def test_path_of_another_type(box, holder, kind):
    other = "ipc" if kind != "ipc" else "uts"
    path = f"/proc/{holder(host.CLONE_NEWIPC | host.CLONE_NEWUTS)}/ns/{other}"
    box.set_namespace(kind, path)
    box.try_create().error("linux.namespaces[", path, kind)
    box.assert_clean()


@pytest.mark.root("joins what belongs to root")
@pytest.mark.parametrize("path", ["/no/such/file", "/etc/passwd", "/proc"])
def test_path_that_is_no_namespace(box, path):
    box.set_namespace("network", path)
    box.try_create().error("linux.namespaces[", path)
    box.assert_clean()


def test_duplicate_type(box):
    box.linux["namespaces"].append({"type": "uts"})
    box.try_create().error("linux.namespaces[", "uts")
    box.assert_clean()


def test_unknown_type(box):
    box.linux["namespaces"].append({"type": "mystery"})
    box.try_create().error("linux.namespaces[", "mystery")
    box.assert_clean()


def test_new_network_has_only_a_loopback_that_is_up(box):
    seen = box.probe("ls /sys/class/net", "cat /sys/class/net/lo/flags")
    assert seen["ls /sys/class/net"] == ["lo"]
    assert int(seen["cat /sys/class/net/lo/flags"], 16) & 1 == 1  # IFF_UP


def test_time_offsets(box, probe_here):
    box.set_namespace("time")
    box.linux["timeOffsets"] = {"monotonic": {"secs": 86400, "nanosecs": 500}, "boottime": {"secs": 7200}}
    day, hours = 86400 * 10**9, 7200 * 10**9
    before = probe_here("clocks")["clocks"]
    inside = box.probe("clocks")["clocks"]
    after = probe_here("clocks")["clocks"]
    assert before["monotonic"] + day + 500 <= inside["monotonic"] <= after["monotonic"] + day + 500
    assert before["boottime"] + hours <= inside["boottime"] <= after["boottime"] + hours


def test_time_offsets_of_both_clocks(box):
    """To the nanosecond, and backwards too, as the kernel's own table has them."""
    box.set_namespace("time")
    box.linux["timeOffsets"] = {"monotonic": {"secs": -1, "nanosecs": 7}, "boottime": {"secs": 5, "nanosecs": 999999999}}
    table = box.probe("cat /proc/self/timens_offsets")["cat /proc/self/timens_offsets"]
    assert [line.split() for line in table.splitlines()] == [["monotonic", "-1", "7"], ["boottime", "5", "999999999"]]


@pytest.mark.parametrize("clock", ["monotonic", "boottime"])
@pytest.mark.parametrize("offset, word", [({"nanosecs": 10**9}, "nanosecs"), ({"nanosecs": -1}, "nanosecs"),
                                          ({"secs": 1 << 63}, "secs"), ({"secs": -(1 << 50)}, "out of range")])
def test_bad_time_offset(box, clock, offset, word):
    """The last is one that only the kernel refuses: the clock would begin before zero."""
    box.set_namespace("time")
    box.linux["timeOffsets"] = {clock: offset}
    box.try_create().error(f"linux.timeOffsets.{clock}", word)
    box.assert_clean()


def test_time_offsets_need_a_time_namespace(box):
    box.linux["timeOffsets"] = {"boottime": {"secs": 7200}}
    box.try_create().error("linux.timeOffsets", "time")
    box.assert_clean()


@pytest.mark.root("joins what belongs to root")
def test_joined_user_and_what_the_host_owns(box, holder):
    pid = holder(host.CLONE_NEWUSER, users="0 200000 1000")
    other = holder(host.CLONE_NEWNET | host.CLONE_NEWPID)
    box.set_namespace("user", f"/proc/{pid}/ns/user")
    box.set_namespace("network", f"/proc/{other}/ns/net")
    # A new /sys would have to be of a network namespace of its own, says the kernel.
    box.drop_mount("/sys/fs/cgroup")
    box.drop_mount("/sys")
    seen = box.probe("ns")
    assert seen["ns"]["user"] == host.namespace("user", pid)
    assert seen["ns"]["net"] == host.namespace("net", other)


@pytest.mark.root("joins what belongs to root")
@pytest.mark.parametrize("score", [300] + [-300] * host.has_capability(host.CAP_SYS_RESOURCE))
def test_oom_score_adj_of_a_user_namespace(box, holder, score):
    """Only the host's root may lower it: new user namespace, one beside a joined namespace, joined."""
    box.process["oomScoreAdj"] = score
    path = "/proc/self/oom_score_adj"
    map_users(box)
    assert box.probe(f"cat {path}")[f"cat {path}"] == f"{score}\n"
    pid = holder(host.CLONE_NEWUSER | host.CLONE_NEWIPC, users="0 100000 65536")
    box.set_namespace("ipc", f"/proc/{pid}/ns/ipc")
    box.set_namespace("user", f"/proc/{pid}/ns/user")
    del box.linux["uidMappings"], box.linux["gidMappings"]
    assert box.probe(f"cat {path}")[f"cat {path}"] == f"{score}\n"


@pytest.mark.root("maps ids that are nobody's")
def test_user_inside_and_outside(box):
    map_users(box)
    box.process["user"] = {"uid": 1000, "gid": 2000, "additionalGids": [3000]}
    box.set_probe("pause")
    box.create()
    box.start()
    status = open(f"/proc/{box.pid}/status", encoding="ascii").read()
    assert "Uid:\t101000\t101000\t101000\t101000" in status
    assert "Gid:\t102000\t102000\t102000\t102000" in status
    assert "Groups:\t103000" in status
    box.stop()


@pytest.mark.root("maps ids that are nobody's")
def test_mapped_root_is_nobody_on_the_host(box):
    """What root inside makes belongs to the mapped id outside; what the host's root owns it cannot touch."""
    map_users(box)
    shared = box.directory("shared")
    shared.chmod(0o777)
    (shared / "theirs").write_text("host")
    (shared / "theirs").chmod(0o600)
    box.add_bind(shared, "/mnt", "rw")
    seen = box.probe("create /mnt/mine", "open /mnt/theirs r", "stat /mnt/theirs")
    assert (shared / "mine").stat().st_uid == 100000
    assert seen["open /mnt/theirs r"] == {"errno": EACCES}
    assert seen["stat /mnt/theirs"]["uid"] == 65534


@pytest.mark.root("maps ids that are nobody's")
def test_user_namespace_has_the_default_devices(box):
    """No node can be made there: the host's are bound."""
    map_users(box)
    seen = box.probe("stat /dev/null", "open /dev/null rw", "open /dev/zero r", "open /dev/tty rw")
    assert (seen["stat /dev/null"]["major"], seen["stat /dev/null"]["minor"]) == (1, 3)
    assert seen["open /dev/null rw"] == 0 and seen["open /dev/zero r"] == 0


@pytest.mark.root("maps ids that are nobody's")
def test_bind_source_that_only_the_hosts_root_can_reach(box):
    """It is opened before the user namespace is entered."""
    map_users(box)
    private = box.directory("private")
    (private / "data").mkdir()
    (private / "data/file").write_text("inside")
    private.chmod(0o700)
    box.add_bind(private / "data", "/mnt", "ro")
    assert box.probe("cat /mnt/file")["cat /mnt/file"] == "inside"


@pytest.mark.root("has mappings from the start")
def test_user_namespace_without_mappings(box):
    box.set_namespace("user")
    box.try_create().error("uidMappings")
    box.assert_clean()


@pytest.mark.root("maps ids that are nobody's")
def test_mappings_without_root(box):
    """Nobody could make the container there."""
    map_users(box)
    box.linux["uidMappings"] = [{"containerID": 1, "hostID": 100001, "size": 10}]
    assert "map the container's id 0" in box.try_create().error("setresuid", "Invalid argument")
    box.assert_clean()


@pytest.mark.root("has mappings from the start")
def test_mappings_without_user_namespace(box):
    box.linux["uidMappings"] = box.linux["gidMappings"] = MAPPING
    box.try_create().error("linux.uidMappings", "user")
    box.assert_clean()


@pytest.mark.root("maps ids that are nobody's")
def test_user_that_is_not_mapped(box):
    map_users(box)
    box.process["user"]["uid"] = 70000
    box.try_create().error("70000")
    box.assert_clean()


def test_overlapping_mappings(box):
    map_users(box)
    box.linux["uidMappings"] = MAPPING + [{"containerID": 5, "hostID": 300000, "size": 10}]
    box.try_create().error("linux.uidMappings")
    box.assert_clean()


@pytest.mark.root("maps ids that are nobody's")
def test_many_mappings(box):
    box.set_namespace("user")
    mappings = [{"containerID": i, "hostID": 100000 + 2 * i, "size": 1} for i in range(250)]
    box.linux["uidMappings"] = box.linux["gidMappings"] = mappings
    table = box.probe("cat /proc/self/uid_map")["cat /proc/self/uid_map"].split("\n")
    assert [line.split() for line in table if line] == [[str(i), str(100000 + 2 * i), "1"] for i in range(250)]


@pytest.mark.root("makes device nodes")
def test_no_mount_namespace(box):
    """Without one the root is only changed, nothing may be mounted."""
    box.without_namespace("mount")
    box.config["mounts"] = []
    box.linux["maskedPaths"] = box.linux["readonlyPaths"] = []
    box.config["root"]["readonly"] = False
    seen = box.probe("ls /", "ls /..")
    assert "probe" in seen["ls /"] and seen["ls /.."] == seen["ls /"]
    box.set_probe("pause")
    box.create()
    assert host.namespace("mnt", box.pid) == host.namespace("mnt")
    box.delete("--force")
    box.assert_clean()


@pytest.mark.parametrize("member", ["mounts", "maskedPaths", "readonlyPaths", "readonly"])
def test_what_needs_a_mount_namespace(box, member):
    """It would be done to the host's mounts."""
    box.without_namespace("mount")
    for name in {"mounts", "maskedPaths", "readonlyPaths", "readonly"} - {member}:
        if name == "mounts":
            box.config["mounts"] = []
        elif name == "readonly":
            box.config["root"]["readonly"] = False
        else:
            box.linux[name] = []
    box.try_create().error(member, "mount namespace")
    box.assert_clean()


@pytest.mark.root("maps ids that are nobody's")
def test_working_directory_that_nobody_inside_may_enter(box):
    """Of an owner who is not mapped, for nobody else: an error, not another directory in its place."""
    map_users(box)
    private = box.rootfs / "private"
    private.mkdir(mode=0o700)
    os.chown(private, 7, 7)
    box.process["cwd"] = "/private"
    box.try_create().error("process.cwd", "/private", "ermission denied")
    box.assert_clean()
