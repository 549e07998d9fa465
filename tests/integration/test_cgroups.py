# SPDX-License-Identifier: LGPL-2.1-or-later
"""linux.cgroupsPath and linux.resources in every layout of hierarchies that this host can show."""

import contextlib
import fcntl
import glob
import json
import os
import stat
import subprocess
import time
from pathlib import Path

import pytest

from harness import host, runtime, seen

every_view = pytest.mark.parametrize("view", host.VIEWS)
v2_view = pytest.mark.parametrize("view", ["host"] if host.PURE_V2 else [view for view in host.VIEWS if view == "v2"])

pytestmark = pytest.mark.root("makes cgroups")


def directory(box, controller):
    return box.place(controller)


def check_limits(box, controller, v1, v2):
    """Creates the container and compares files of its cgroup: {name: content}."""
    place, is_v2 = directory(box, controller)
    box.set_probe("pause")
    box.create()
    for name, expected in (v2 if is_v2 else v1).items():
        assert (place / name).read_text().strip() == expected, name
    box.delete("--force")
    assert not place.exists()


@every_view
def test_placement(box):
    """The first process is in the named cgroup of every hierarchy, from before the program runs; delete removes it."""
    box.set_probe("pause")
    box.create()
    places = {Path(f"{root}{box.cgroup}") for root in host.view_hierarchies(box.view).values()}
    for place in places:
        assert str(box.pid) in (place / "cgroup.procs").read_text().split(), place
    lines = Path(f"/proc/{box.pid}/cgroup").read_text().splitlines()
    for line in lines:
        shown = line.split(":", 2)[1] or ""
        if any(word in host.view_hierarchies(box.view) for word in shown.split(",")):
            assert line.endswith(f":{box.cgroup}"), line
    box.start()
    box.stop()
    for place in places:
        assert not place.exists(), place


@every_view
def test_run_removes_its_cgroups(box):
    box.probe("ids")
    assert host.cgroups_named(box.id) == []


@every_view
def test_nested_path(box):
    """Parents are made as needed, and those that were made here go again."""
    box.cgroup = f"/{box.id}/inner/most"
    box.linux["cgroupsPath"] = box.cgroup
    box.set_probe("pause")
    box.create()
    assert box.pid in box.cgroup_procs()
    box.delete("--force")
    assert host.cgroups_named(box.id) == []


def make_cgroup(path):
    """PATH in every hierarchy of the host, by hand."""
    made = []
    for root in sorted(set(host.HIERARCHIES.values())):
        made.append(Path(f"{root}{path}"))
        made[-1].mkdir()
    return made


def test_existing_parent_stays(box):
    """What was there before is not ours to remove.  On v1 its cpuset is empty, and is filled on the way."""
    made = make_cgroup(f"/{box.id}")
    box.cgroup = f"/{box.id}/inner"
    box.linux["cgroupsPath"] = box.cgroup
    box.probe("ids")
    assert all(place.exists() and not list(place.glob("inner")) for place in made)
    for place in made:
        place.rmdir()


def test_existing_empty_cgroup_is_used(box):
    made = make_cgroup(f"/{box.id}")
    assert box.probe("ids")
    for place in made:
        if place.exists():
            place.rmdir()


@every_view
def test_path_that_is_not_said(box):
    """A place of the runtime's own choice, named after the container."""
    del box.linux["cgroupsPath"]
    box.set_probe("pause")
    box.create()
    paths = [line.split(":", 2)[2] for line in Path(f"/proc/{box.pid}/cgroup").read_text().splitlines()]
    assert any(box.id in path for path in paths)
    box.delete("--force")
    assert host.cgroups_named(box.id) == []


def test_relative_path(box):
    """The same place for the same path, whoever asks."""
    box.linux["cgroupsPath"] = f"{box.id}/relative"
    places = []
    for _ in range(2):
        box.set_probe("pause")
        box.create()
        places.append(sorted(path for path in host.cgroups_named(box.id) if path.endswith("relative")))
        box.delete("--force")
    assert places[0] and places[0] == places[1]
    assert host.cgroups_named(box.id) == []


@every_view
def test_path_through_a_file(box):
    """Each cgroup has files of the kernel's from the beginning."""
    box.linux["cgroupsPath"] = f"/{box.id}/cgroup.procs"
    box.set_probe("show")
    box.run().error("cgroup.procs: Not a directory")
    assert host.cgroups_named(box.id) == []


@pytest.mark.skipif(runtime.PEER, reason="a peer may follow it: crun 1.8 writes files into /sys/fs/cgroup itself")
@pytest.mark.parametrize("path", ["/../escape", "/a/../../escape", "a/..", "..", "/a/./../b"])
def test_path_that_climbs(box, path):
    before = host.cgroups_named("escape")
    box.linux["cgroupsPath"] = path.replace("escape", f"escape-{box.id}")
    box.try_create().error("cgroupsPath", "..")
    assert host.cgroups_named("escape") == before
    box.assert_clean()


@every_view
@pytest.mark.parametrize("limit", [32 << 20, 1 << 33])
def test_memory_limit(box, limit):
    box.resources["memory"] = {"limit": limit}
    check_limits(box, "memory", {"memory.limit_in_bytes": str(limit)}, {"memory.max": str(limit)})


@every_view
def test_memory_reservation(box):
    box.resources["memory"] = {"limit": 64 << 20, "reservation": 32 << 20}
    check_limits(box, "memory", {"memory.soft_limit_in_bytes": str(32 << 20)}, {"memory.low": str(32 << 20)})


@every_view
def test_memory_and_swap(box):
    """v1 counts both together, v2 the swap alone."""
    place, is_v2 = directory(box, "memory")
    if not is_v2 and not (place.parent / "memory.memsw.limit_in_bytes").exists():
        pytest.skip("this kernel does not count swap")
    box.resources["memory"] = {"limit": 32 << 20, "swap": 48 << 20}
    check_limits(box, "memory", {"memory.memsw.limit_in_bytes": str(48 << 20), "memory.limit_in_bytes": str(32 << 20)},
                 {"memory.swap.max": str(16 << 20), "memory.max": str(32 << 20)})


def test_memory_unlimited(box):
    box.resources["memory"] = {"limit": -1}
    place, is_v2 = directory(box, "memory")
    box.set_probe("pause")
    box.create()
    content = (place / ("memory.max" if is_v2 else "memory.limit_in_bytes")).read_text().strip()
    assert content == "max" or int(content) > 1 << 60
    box.delete("--force")


@pytest.mark.parametrize("swappiness", [0, 10, 100])
def test_swappiness_v1(box, swappiness):
    box.resources["memory"] = {"swappiness": swappiness}
    if directory(box, "memory")[1]:
        pytest.skip("v2 has no swappiness")
    check_limits(box, "memory", {"memory.swappiness": str(swappiness)}, {})


def test_oom_killer_disabled_v1(box):
    box.resources["memory"] = {"limit": 64 << 20, "disableOOMKiller": True}
    place, is_v2 = directory(box, "memory")
    if is_v2:
        pytest.skip("v2 cannot disable the OOM killer")
    box.set_probe("pause")
    box.create()
    assert "oom_kill_disable 1" in (place / "memory.oom_control").read_text()
    box.delete("--force")


def test_kernel_memory_v1(box):
    place, is_v2 = directory(box, "memory")
    if is_v2 or not (place.parent / "memory.kmem.limit_in_bytes").exists():
        pytest.skip("no limit for the kernel's memory")
    box.resources["memory"] = {"kernel": 64 << 20}
    box.set_probe("pause")
    box.create()
    limit = (place / "memory.kmem.limit_in_bytes").read_text().strip()
    box.delete("--force")
    if limit == (place.parent / "memory.kmem.limit_in_bytes").read_text().strip():
        pytest.skip("this kernel takes the limit of its memory and ignores it")
    assert limit == str(64 << 20)


def test_kernel_tcp_memory_v1(box):
    place, is_v2 = directory(box, "memory")
    if is_v2 or not (place.parent / "memory.kmem.tcp.limit_in_bytes").exists():
        pytest.skip("no limit for the buffers of sockets")
    box.resources["memory"] = {"kernelTCP": 8 << 20}
    check_limits(box, "memory", {"memory.kmem.tcp.limit_in_bytes": str(8 << 20)}, {})


def test_use_hierarchy_v1(box):
    if directory(box, "memory")[1]:
        pytest.skip("v2 always counts descendants")
    box.resources["memory"] = {"useHierarchy": True}
    check_limits(box, "memory", {"memory.use_hierarchy": "1"}, {})


def test_no_hierarchy_v1(box):
    """Kernels since 5.11 count descendants always."""
    if directory(box, "memory")[1]:
        pytest.skip("v2 always counts descendants")
    box.resources["memory"] = {"useHierarchy": False}
    box.set_probe("show")
    result = box.run()
    assert result.status == 0 or "drop useHierarchy" in result.err
    box.assert_clean()


@every_view
def test_memory_limit_acts(box):
    directory(box, "memory")
    box.resources["memory"] = {"limit": 16 << 20, "swap": 16 << 20}
    box.process["args"] = ["/bin/sh", "-c", f"/probe alloc {4 << 20}; /probe alloc {64 << 20}; echo status $?"]
    out = box.run().out
    assert f'"alloc {4 << 20}": {4 << 20}' in out
    assert f'"alloc {64 << 20}": {64 << 20}' not in out and "status 0" not in out


@every_view
def test_start_in_192_kib(box):
    """What enters the container is so small that a limit in which other runtimes cannot start is enough."""
    directory(box, "memory")
    box.resources["memory"] = {"limit": 192 << 10}
    box.process["args"] = ["/bin/busybox", "true"]
    statuses = [box.run().status for _ in range(6)]
    # The kernel hands out memory to each CPU in batches, and on a busy machine takes them back late: one may be
    # unlucky.
    assert statuses.count(0) >= 5, statuses


def test_limit_too_small_to_start_says_so(box):
    directory(box, "memory")
    box.resources["memory"] = {"limit": 4096}
    box.process["args"] = ["/bin/busybox", "true"]
    result = box.run()
    if result.status != 0:
        assert "memory" in result.error()
    box.assert_clean()


@every_view
def test_cpu_shares(box):
    box.resources["cpu"] = {"shares": 512}
    # ceil (10 ^ ((l^2 + 125 l) / 612 - 7 / 34)) with l = log2 (512)
    check_limits(box, "cpu", {"cpu.shares": "512"}, {"cpu.weight": "59"})


@every_view
def test_cpu_quota(box):
    box.resources["cpu"] = {"quota": 25000, "period": 50000}
    check_limits(box, "cpu", {"cpu.cfs_quota_us": "25000", "cpu.cfs_period_us": "50000"}, {"cpu.max": "25000 50000"})


@every_view
def test_cpu_quota_alone(box):
    box.resources["cpu"] = {"quota": 20000}
    check_limits(box, "cpu", {"cpu.cfs_quota_us": "20000", "cpu.cfs_period_us": "100000"}, {"cpu.max": "20000 100000"})


@every_view
def test_cpu_burst(box):
    place, is_v2 = directory(box, "cpu")
    if not is_v2 and not (place.parent / "cpu.cfs_burst_us").exists():
        pytest.skip("this kernel has no bursts")
    box.resources["cpu"] = {"quota": 20000, "burst": 10000}
    if is_v2 and host.KERNEL < (5, 14):
        assert "newer kernel" in box.try_create().error("linux.resources.cpu.burst", "No such file or directory")
        return
    check_limits(box, "cpu", {"cpu.cfs_burst_us": "10000"}, {"cpu.max.burst": "10000"})


@every_view
def test_cpu_idle(box):
    place, is_v2 = directory(box, "cpu")
    if not is_v2 and not (place.parent / "cpu.idle").exists():
        pytest.skip("this kernel has no idle groups")
    box.resources["cpu"] = {"idle": 1}
    if is_v2 and host.KERNEL < (5, 15):
        assert "newer kernel" in box.try_create().error("linux.resources.cpu.idle", "No such file or directory")
        return
    check_limits(box, "cpu", {"cpu.idle": "1"}, {"cpu.idle": "1"})


def test_cpu_realtime(box):
    place, is_v2 = directory(box, "cpu")
    if is_v2 or not (place.parent / "cpu.rt_runtime_us").exists():
        pytest.skip("this kernel does not divide realtime")
    box.resources["cpu"] = {"realtimeRuntime": 2000, "realtimePeriod": 500000}
    check_limits(box, "cpu", {"cpu.rt_runtime_us": "2000", "cpu.rt_period_us": "500000"}, {})


@every_view
def test_cpus(box):
    directory(box, "cpuset")
    cpu = str(min(os.sched_getaffinity(0)))
    box.resources["cpu"] = {"cpus": cpu, "mems": "0"}
    assert box.probe("sched")["sched"]["cpus"] == [int(cpu)]
    check_limits(box, "cpuset", {"cpuset.cpus": cpu, "cpuset.mems": "0"}, {"cpuset.cpus": cpu, "cpuset.mems": "0"})


@every_view
def test_cpuset_that_is_not_asked_for_is_the_parents(box, probe_here):
    """On v1 a new cpuset is empty and can take no process until it is filled."""
    assert box.probe("sched")["sched"]["cpus"] == probe_here("sched")["sched"]["cpus"]


@every_view
@pytest.mark.parametrize("version, limit, content", [
    ("1.0.2", 20, "20"), ("1.3.0", 0, "0"), ("1.2.1", 0, "max"), ("1.0.2-dev", 0, "max"), ("1.3.0", -1, "max")])
def test_pids_limit(box, version, limit, content):
    """Of 0 config-linux.md says since 1.3 that it is a limit; before that callers meant none."""
    box.config["ociVersion"] = version
    box.resources["pids"] = {"limit": limit}
    check_limits(box, "pids", {"pids.max": content}, {"pids.max": content})


@every_view
def test_pids_limit_acts(box):
    directory(box, "pids")
    box.resources["pids"] = {"limit": 5}
    assert box.probe("fork 10")["fork 10"] == {"made": 4, "errno": 11}


def a_disk():
    """MAJOR:MINOR of a block device that can be throttled."""
    disks = [Path(path).read_text().strip() for path in sorted(glob.glob("/sys/block/*/dev"))]
    return disks[0] if disks else pytest.skip("no block device")


THROTTLES = {"throttleReadBpsDevice": ("read_bps_device", "rbps"), "throttleWriteBpsDevice": ("write_bps_device", "wbps"),
             "throttleReadIOPSDevice": ("read_iops_device", "riops"),
             "throttleWriteIOPSDevice": ("write_iops_device", "wiops")}


@every_view
@pytest.mark.parametrize("member", THROTTLES)
def test_block_io_throttle(box, member):
    is_v2 = directory(box, "io" if "blkio" not in host.view_hierarchies(box.view) else "blkio")[1]
    disk = a_disk()
    major, minor = map(int, disk.split(":"))
    box.resources["blockIO"] = {member: [{"major": major, "minor": minor, "rate": 1 << 20}]}
    file, key = THROTTLES[member]
    limits = dict.fromkeys(("rbps", "wbps", "riops", "wiops"), "max") | {key: str(1 << 20)}
    check_limits(box, "io" if is_v2 else "blkio", {f"blkio.throttle.{file}": f"{disk} {1 << 20}"},
                 {"io.max": f"{disk} " + " ".join(f"{name}={value}" for name, value in limits.items())})


@every_view
def test_block_io_of_a_device_that_is_none(box):
    directory(box, "io" if "blkio" not in host.view_hierarchies(box.view) else "blkio")
    box.resources["blockIO"] = {"throttleReadBpsDevice": [{"major": 4095, "minor": 7, "rate": 1}]}
    box.try_create().error("linux.resources.blockIO.throttleReadBpsDevice", "4095:7")
    box.assert_clean()


@every_view
def test_devices_rules(box):
    """Denied by the default rule, allowed again by a later one; the order counts."""
    if "devices" not in host.view_hierarchies(box.view) and "" not in host.view_hierarchies(box.view):
        pytest.skip("no hierarchy that can filter devices")
    box.linux["devices"] = [{"path": "/dev/messages", "type": "c", "major": 1, "minor": 11}]
    box.resources["devices"] = [{"allow": False, "access": "rwm"},
                                {"allow": True, "type": "c", "major": 1, "minor": 11, "access": "w"}]
    box.capabilities("CAP_SYSLOG")
    report = box.probe("open /dev/messages r", "open /dev/messages w", "open /dev/null rw", "open /dev/zero r",
                       "open /dev/ptmx rw")
    assert seen.failed(report["open /dev/messages r"], 1)
    for name in ("messages w", "null rw", "zero r", "ptmx rw"):
        assert report[f"open /dev/{name}"] == 0, name


@every_view
def test_later_rule_denies_again(box):
    box.linux["devices"] = [{"path": "/dev/messages", "type": "c", "major": 1, "minor": 11}]
    box.resources["devices"] = [{"allow": True, "access": "rwm"},
                                {"allow": False, "type": "c", "major": 1, "minor": 11, "access": "w"}]
    box.capabilities("CAP_SYSLOG")
    report = box.probe("open /dev/messages r", "open /dev/messages w")
    assert report["open /dev/messages r"] == 0
    assert seen.failed(report["open /dev/messages w"], 1)


LOOP_SET_FD, LOOP_CLR_FD, LOOP_CTL_GET_FREE = 0x4c00, 0x4c01, 0x4c82


def take_loop(directory, image):
    """The path of a new node of a loop device (loop(4)) with IMAGE behind it; it is lent until the last user is gone."""
    control = directory / "loop-control"
    os.mknod(control, stat.S_IFCHR | 0o600, os.makedev(10, 237))
    with control.open("rb") as file, image.open("r+b") as behind:
        for _ in range(50):  # another may be quicker
            number = fcntl.ioctl(file, LOOP_CTL_GET_FREE)
            device = directory / f"loop{number}"
            os.mknod(device, stat.S_IFBLK | 0o600, os.makedev(7, number))
            with contextlib.suppress(OSError), device.open("rb") as loop:
                fcntl.ioctl(loop, LOOP_SET_FD, behind.fileno())
                return device
            device.unlink()
    raise OSError("no loop device is free")


@pytest.fixture
def disk(box):
    """A block device with a file system on it."""
    image, nodes = box.dir / "image", box.directory("nodes")
    with image.open("wb") as file:
        file.truncate(1 << 20)
    host.mount("tmpfs", str(nodes), "tmpfs")  # the host's may be nodev
    try:
        subprocess.run(["mke2fs", "-q", image], check=True, timeout=20)
        device = take_loop(nodes, image)
    except OSError as error:
        host.umount(str(nodes))
        pytest.skip(f"no file system on a loop device: {error}")
    yield str(device)
    with device.open("rb") as loop:
        fcntl.ioctl(loop, LOOP_CLR_FD)
    host.umount(str(nodes))


@every_view
@pytest.mark.parametrize("memory", [None, 1 << 28], ids=["", "limited"])
def test_mount_of_a_device(box, disk, memory):
    """It is the rules that decide, every time, and not who is faster."""
    if memory:
        box.place("memory")
        box.resources["memory"] = {"limit": memory}
    device = os.stat(disk).st_rdev
    rule = {"allow": True, "type": "b", "major": os.major(device), "minor": os.minor(device), "access": "rw"}
    box.add_mount("/disk", "ext2", disk, "ro")
    box.process["args"] = ["/bin/true"]
    for _ in range(8):
        box.resources["devices"] = [{"allow": False, "access": "rwm"}]
        refused = box.run()
        refused.error("mount ext2 on /disk")
        assert f"is {disk} a block device that linux.resources.devices lets" in refused.err
        box.resources["devices"].append(rule)
        box.run().ok()


@every_view
def test_all_devices_allowed(box):
    box.resources["devices"] = [{"allow": True, "access": "rwm"}]
    box.capabilities("CAP_MKNOD", "CAP_SYSLOG")
    box.add_mount("/tmp", "tmpfs", "tmpfs")  # the host's may be nodev
    report = box.probe("mknod /tmp/kmsg c 1 11", "open /tmp/kmsg r", "open /tmp/kmsg w")
    assert list(report.values()) == [0, 0, 0]


@pytest.mark.skipif("v2" not in host.VIEWS or "memory" in host.v2_controllers(),
                    reason="every controller is in the v2 hierarchy")
@pytest.mark.parametrize("resources, words", [
    ({"memory": {"limit": 1 << 25}}, ["linux.resources.memory", "memory"]),
    ({"pids": {"limit": 5}}, ["linux.resources.pids", "pids"]),
    ({"cpu": {"shares": 512}}, ["linux.resources.cpu", "cpu"]),
])
@pytest.mark.parametrize("view", ["v2"])
def test_limit_whose_controller_is_missing(box, resources, words):
    """Not silently ignored: the program would run without the limit that somebody relies on."""
    box.resources.update(resources)
    box.try_create().error(*words)
    box.assert_clean()


@pytest.mark.parametrize("resources, path", [
    ({"memory": {"limit": "64M"}}, "linux.resources.memory.limit"),
    ({"memory": {"limit": 1.5}}, "linux.resources.memory.limit"),
    ({"cpu": {"shares": -1}}, "linux.resources.cpu.shares"),
    ({"cpu": {"cpus": "banana"}}, "linux.resources.cpu.cpus"),
    ({"cpu": {"cpus": "4095"}}, "linux.resources.cpu.cpus"),
    ({"cpu": {"quota": 5}}, "linux.resources.cpu.quota"),
])
def test_bad_value(box, resources, path):
    box.resources.update(resources)
    box.try_create().error(path)
    box.assert_clean()


def test_swap_below_the_memory_limit(box):
    box.resources["memory"] = {"limit": 64 << 20, "swap": 32 << 20}
    box.try_create().error("linux.resources.memory.swap")
    box.assert_clean()


@every_view
def test_cgroup_that_is_not_empty_is_refused(box):
    """Or one container would limit, freeze and kill another."""
    made = [Path(f"{root}{box.cgroup}") for root in set(host.view_hierarchies(box.view).values())]
    for place in made:
        place.mkdir(exist_ok=True)
        fill_cpuset(place)
    resident = os.fork()
    if resident == 0:
        time.sleep(60)
        os._exit(0)
    try:
        for place in made:
            (place / "cgroup.procs").write_text(str(resident))
        box.set_probe("ids")
        box.try_create().error("cgroup", box.cgroup)
        for place in made:
            assert (place / "cgroup.procs").read_text().split() == [str(resident)], place
    finally:
        os.kill(resident, 9)
        os.waitpid(resident, 0)
        for place in made:
            host.until(lambda place=place: remove(place), f"{place} removed")


@every_view
def test_frozen_cgroup_is_refused(box):
    """A word, not a hang."""
    made = [Path(f"{root}{box.cgroup}") for root in set(host.view_hierarchies(box.view).values())]
    for place in made:
        place.mkdir(exist_ok=True)
    frozen = 0
    for place in made:
        if (place / "freezer.state").exists():
            (place / "freezer.state").write_text("FROZEN")
            frozen += 1
        elif (place / "cgroup.freeze").exists():
            (place / "cgroup.freeze").write_text("1")
            frozen += 1
    assert frozen
    try:
        box.set_probe("ids")
        box.try_create(timeout=15).error("frozen", box.cgroup)
    finally:
        for place in made:
            remove(place)


def fill_cpuset(place):
    if (place / "cpuset.mems").exists() and not (place / "cgroup.controllers").exists():
        for name in ("cpuset.cpus", "cpuset.mems"):
            (place / name).write_text((place.parent / name).read_text())


def remove(place):
    try:
        place.rmdir()
    except FileNotFoundError:
        pass
    except OSError:
        return False
    return True


@every_view
def test_delete_removes_cgroups_made_inside(box):
    """The container may make groups of its own below; they go with it."""
    box.set_probe("pause")
    box.create()
    box.start()
    inner = [Path(f"{root}{box.cgroup}/own/deep") for root in set(host.view_hierarchies(box.view).values())]
    for place in inner:
        place.mkdir(parents=True)
    box.stop()
    assert host.cgroups_named(box.id) == []


@every_view
def test_cgroups_inside_whose_names_begin_with_a_dot(box):
    """They are hidden from ls(1), not from ps and delete."""
    box.set_probe("pause")
    box.create()
    box.start()
    for root in set(host.view_hierarchies(box.view).values()):
        inner = Path(f"{root}{box.cgroup}/.own/..deep")
        inner.mkdir(parents=True)
        with contextlib.suppress(OSError):  # v1's cpuset takes nobody as long as it is empty
            (inner / "cgroup.procs").write_text(str(box.pid))
    assert json.loads(box.call("ps", "--format", "json", box.id).ok().out) == [box.pid]
    box.call("delete", "--force", box.id, timeout=15).ok()
    box.assert_clean()


@every_view
def test_cgroups_nested_deeper_than_a_path_is_long(box):
    """A container that manages its cgroup can do that; who is there is found, and it is deleted all the same."""
    box.set_probe("pause")
    box.create()
    box.start()
    for root in set(host.view_hierarchies(box.view).values()):
        at = os.open(f"{root}{box.cgroup}", os.O_PATH)
        for depth, name in enumerate(["n" * 255] * 20 + ["leaf"]):
            try:
                os.mkdir(name, dir_fd=at)
            except PermissionError:
                if depth < 14 or not Path("/sys/fs/selinux/enforce").exists():
                    raise
                pytest.skip("SELinux gives no label to what is deeper than a path is long")
            below = os.open(name, os.O_PATH, dir_fd=at)
            os.close(at)
            at = below
        os.mkdir("sibling", dir_fd=at)
        procs = os.open("cgroup.procs", os.O_WRONLY, dir_fd=at)
        # v1's cpuset takes nobody as long as it is empty.
        with contextlib.suppress(OSError):
            os.write(procs, str(box.pid).encode())
        os.close(procs)
        os.close(at)
    assert str(box.pid) in box.call("ps", "--format", "json", box.id).ok().out
    box.call("delete", "--force", box.id, timeout=15).ok()
    box.assert_clean()


@every_view
def test_delete_force_with_frozen_cgroups_inside(box):
    """A container that pauses containers of its own."""
    box.process["args"] = ["/bin/sh", "-c", "sleep 600 & wait"]
    box.create()
    box.start()
    host.until(lambda: len(box.cgroup_procs()) == 2, "two processes")
    inner = [pid for pid in box.cgroup_procs() if int(pid) != box.pid]
    for root in set(host.view_hierarchies(box.view).values()):
        place = Path(f"{root}{box.cgroup}/inner/deep")
        file, word = next((pair for pair in (("freezer.state", "FROZEN"), ("cgroup.freeze", "1"))
                           if (place.parents[1] / pair[0]).exists()), (None, None))
        if file:
            place.mkdir(parents=True)
            (place / "cgroup.procs").write_text(str(inner[0]))
            (place / file).write_text(word)
    box.call("delete", "--force", box.id, timeout=15).ok()
    box.assert_clean()


@every_view
def test_delete_force_of_a_frozen_container(box):
    """SIGKILL reaches frozen processes only when they are thawed (v1)."""
    box.set_probe("pause")
    box.create()
    box.start()
    for root in set(host.view_hierarchies(box.view).values()):
        place = Path(f"{root}{box.cgroup}")
        if (place / "freezer.state").exists():
            (place / "freezer.state").write_text("FROZEN")
        elif (place / "cgroup.freeze").exists():
            (place / "cgroup.freeze").write_text("1")
    box.call("delete", "--force", box.id, timeout=15).ok()
    box.assert_clean()


@every_view
def test_cgroup_namespace_hides_the_path(box):
    report = box.probe("cat /proc/self/cgroup")["cat /proc/self/cgroup"]
    for line in report.splitlines():
        controllers = line.split(":")[1].split(",")
        if any(word in host.view_hierarchies(box.view) for word in controllers):
            assert line.endswith(":/"), line
        assert box.id not in line


@every_view
def test_without_a_cgroup_namespace_the_path_is_seen(box):
    box.without_namespace("cgroup")
    assert f":{box.cgroup}\n" in box.probe("cat /proc/self/cgroup")["cat /proc/self/cgroup"]


@every_view
@pytest.mark.parametrize("own", [True, False], ids=["own", "shared"])
def test_cgroup_mount_in_a_user_namespace(box, own):
    """Without a cgroup namespace of its own the kernel lets no user namespace mount the hierarchies anew: they are
    bound."""
    box.set_namespace("user")
    box.linux["uidMappings"] = box.linux["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    if not own:
        box.without_namespace("cgroup")
    report = box.probe(seen.MOUNTS, "ls /sys/fs/cgroup")
    assert [entry for entry in report.mounts if entry.type.startswith("cgroup")]
    assert report["ls /sys/fs/cgroup"]


@every_view
@pytest.mark.parametrize("own", [True, False], ids=["own", "shared"])
def test_owner_of_the_cgroup_stays(box, own):
    """Read-only as it is mounted, the cgroup is not given to the container's root."""
    box.set_namespace("user")
    box.linux["uidMappings"] = box.linux["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    if not own:
        box.without_namespace("cgroup")
    box.set_probe("pause")
    box.create()
    for root in set(host.view_hierarchies(box.view).values()):
        place = Path(f"{root}{box.cgroup}")
        assert {path.stat().st_uid for path in (place, *place.iterdir())} == {0}, place
    box.delete("--force")


@every_view
def test_cgroup_mount_on_the_sys_of_the_host(box):
    """In a user namespace, with the host's network, /sys is the host's, and on v2 has the same file system there."""
    box.set_namespace("user")
    box.linux["uidMappings"] = box.linux["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    box.without_network()
    below = [entry for entry in box.probe(seen.MOUNTS).mounts if entry.point == "/sys/fs/cgroup"]
    assert len(below) > 1 and below[-1].root == "/", below
    assert below[-1].type == ("tmpfs" if set(host.view_hierarchies(box.view)) - {""} else "cgroup2")


@v2_view
def test_unified(box):
    """linux.resources.unified: files of v2, by name."""
    box.resources["unified"] = {"cgroup.max.depth": "3", "cgroup.max.descendants": "5"}
    place = Path(f"{host.HIERARCHIES['']}{box.cgroup}")
    box.set_probe("pause")
    box.create()
    assert (place / "cgroup.max.depth").read_text() == "3\n"
    assert (place / "cgroup.max.descendants").read_text() == "5\n"
    box.delete("--force")


@pytest.mark.parametrize("name", ["../cgroup.procs", "no.such.file", "", "cgroup.procs/x", "/cgroup.freeze"])
@v2_view
def test_bad_unified(box, name):
    box.resources["unified"] = {name: "1"}
    box.try_create().error("linux.resources.unified")
    box.assert_clean()


def test_hugepage_limit(box):
    sizes = [name.removeprefix("hugepages-").removesuffix("kB") for name in os.listdir("/sys/kernel/mm/hugepages")]
    if "2048" not in sizes:
        pytest.skip("no huge pages of 2 MB")
    place, is_v2 = directory(box, "hugetlb")
    box.resources["hugepageLimits"] = [{"pageSize": "2MB", "limit": 4 << 20}]
    box.set_probe("pause")
    box.create()
    name = "hugetlb.2MB.max" if is_v2 else "hugetlb.2MB.limit_in_bytes"
    assert (place / name).read_text().strip() == str(4 << 20)
    box.delete("--force")
