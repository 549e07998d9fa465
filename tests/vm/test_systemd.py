# SPDX-License-Identifier: LGPL-2.1-or-later
"""--systemd-cgroup on the real systemd, the system's and a lingering user's; integration/test_systemd_bus.py has it with
a stand-in, and what goes wrong."""

import functools
import json
import os
import re
import shutil
from pathlib import Path
from typing import NamedTuple

import booted
import pytest

from harness import host
from harness.box import WORKER

ROOT = Path("/sys/fs/cgroup")
HYBRID = host.HIERARCHIES.get("") == ROOT / "unified" and "memory" in host.HIERARCHIES

pytestmark = pytest.mark.skipif(not Path("/run/systemd/system").is_dir() or not (host.PURE_V2 or HYBRID),
                                reason="needs systemd as pid 1, and cgroup v2 alone or v1 beside it: tests/vm")
only_v1 = functools.partial(pytest.mark.skipif, host.PURE_V2)
only_v2 = functools.partial(pytest.mark.skipif, not host.PURE_V2)


class Shown(NamedTuple):
    """What there is to see of limits: the unit's properties, and files, which begin with the name of their controller."""

    properties: dict
    files: dict

    def changed(self, properties, files):
        return Shown(self.properties | properties, self.files | files)


LIMITS = {"memory": {"limit": 64 << 20, "reservation": 32 << 20}, "pids": {"limit": 40},
          "cpu": {"shares": 512, "quota": 20000, "period": 50000, "cpus": "0"}}
CHANGE = {"memory": {"limit": 96 << 20}, "pids": {"limit": -1}, "cpu": {"quota": 33333, "period": 100000}}
UNLIMIT = {"memory": {"limit": -1}, "pids": {"limit": -1}, "cpu": {"quota": -1, "mems": "0"}}

# Both for LIMITS, and what CHANGE makes of that; the names of what UNLIMIT does away with.
if host.PURE_V2:
    LIMITED = Shown({"MemoryMax": str(64 << 20), "MemoryLow": str(32 << 20), "TasksMax": "40", "CPUWeight": "59",
                     "CPUQuotaPerSecUSec": "400ms", "CPUQuotaPeriodUSec": "50ms", "AllowedCPUs": "0"},
                    {"memory.max": str(64 << 20), "memory.low": str(32 << 20), "pids.max": "40", "cpu.weight": "59",
                     "cpu.max": "20000 50000", "cpuset.cpus": "0"})
    CHANGED = LIMITED.changed({"MemoryMax": str(96 << 20), "TasksMax": "infinity", "CPUQuotaPerSecUSec": "340ms",
                               "CPUQuotaPeriodUSec": "100ms"},
                              {"memory.max": str(96 << 20), "pids.max": "max", "cpu.max": "33333 100000"})
    UNLIMITED = ("MemoryMax", "TasksMax", "CPUQuotaPerSecUSec")
else:
    LIMITED = Shown({"MemoryLimit": str(64 << 20), "TasksMax": "40", "CPUShares": "512", "CPUQuotaPerSecUSec": "400ms",
                     "CPUQuotaPeriodUSec": "50ms"},
                    {"memory.limit_in_bytes": str(64 << 20), "memory.soft_limit_in_bytes": str(32 << 20),
                     "pids.max": "40", "cpu.shares": "512", "cpu.cfs_quota_us": "20000", "cpu.cfs_period_us": "50000",
                     "cpuset.cpus": "0"})
    CHANGED = LIMITED.changed({"MemoryLimit": str(96 << 20), "TasksMax": "infinity", "CPUQuotaPerSecUSec": "340ms",
                               "CPUQuotaPeriodUSec": "100ms"},
                              {"memory.limit_in_bytes": str(96 << 20), "pids.max": "max", "cpu.cfs_quota_us": "33333",
                               "cpu.cfs_period_us": "100000"})
    UNLIMITED = ("MemoryLimit", "TasksMax", "CPUQuotaPerSecUSec")

# systemd counts CPU time in whole percents, and has them written anew when it likes.
ROUNDED = ("cpu.max", "cpu.cfs_quota_us")


SYSTEMD = booted.Systemd()


def systemd_run(*options):
    """A unit that comes and goes."""
    booted.call("systemd-run", "--quiet", "--wait", *options, "true")


def files(box, names=tuple(LIMITED.files)):
    return {name: (box.place(name.split(".")[0])[0] / name).read_text().strip() for name in names}


def look(box, unit):
    return Shown(SYSTEMD.show(unit, *LIMITED.properties), files(box))


def reload_and_go_through(slice_):
    """Has systemd read everything anew; a new unit beside others makes it go through their slice besides."""
    SYSTEMD.systemctl("daemon-reload")
    systemd_run(f"--slice={slice_}")


def assert_inside(box, pids):
    """PIDS are in the container's cgroup, of every hierarchy."""
    for pid in pids:
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
        assert [line for line in lines if line.split(":", 2)[2] != box.cgroup] == []


def assert_gone(unit, box):
    assert SYSTEMD.show(unit, "ActiveState") == {"ActiveState": "inactive"}
    assert host.cgroups_named(box.cgroup) == []
    assert unit not in SYSTEMD.units()


@pytest.fixture
def scope(box):
    """The scope's name; the box is to be in it."""
    box.globals = ["--systemd-cgroup"]
    box.linux["cgroupsPath"] = f"machine-thole.slice:test:{box.id}"
    box.cgroup = f"/machine.slice/machine-thole.slice/test-{box.id}.scope"
    return f"test-{box.id}.scope"


def test_scope(box, scope):
    """Limits as properties and in the files, before and after systemd has read everything anew; gone at the end."""
    box.linux["resources"] |= LIMITS
    box.set_probe("pause")
    box.create()
    assert SYSTEMD.show(scope, "ControlGroup", "Slice", "Delegate", "ActiveState") == {
        "ControlGroup": box.cgroup, "Slice": "machine-thole.slice", "Delegate": "yes", "ActiveState": "active"}
    for _ in range(2):
        assert_inside(box, [box.pid])
        assert look(box, scope) == LIMITED
        reload_and_go_through("machine-thole.slice")
    box.start()
    box.stop()
    assert_gone(scope, box)


def test_program_is_in_the_scope(box, scope):
    """What it sees of itself from its first moment on."""
    box.without_namespace("cgroup")
    box.process["args"] = ["/bin/cat", "/proc/self/cgroup"]
    lines = box.run().ok().out.splitlines()
    assert {line.split(":", 2)[2] for line in lines} == {box.cgroup}
    assert_gone(scope, box)


def test_cgroupfs_beside_systemd(box):
    """What systemd has not made it leaves alone; on v1 only because a unit, the tests' own, always uses blkio."""
    box.linux["resources"] |= LIMITS
    box.set_probe("pause")
    box.create()
    box.start()
    for _ in range(2):
        assert_inside(box, [box.pid])
        assert files(box) == LIMITED.files
        reload_and_go_through("system.slice")
        systemd_run("-p", "IOAccounting=yes", "--slice=system.slice")
    assert box.call("exec", box.id, "/bin/true").status == 0
    update(box, **CHANGE).ok()
    assert files(box) == CHANGED.files
    box.call("events", "--stats", box.id).ok()
    box.stop()
    assert host.cgroups_named(box.cgroup) == []


@pytest.fixture
def disks():
    """Two block devices that are there, as the configuration names them."""
    found = [path.read_text().strip() for path in sorted(Path("/sys/block").glob("*/dev"))
             if int((path.parent / "size").read_text())]
    if len(found) < 2:
        pytest.skip("fewer than two disks")
    return [dict(zip(("major", "minor"), map(int, disk.split(":")))) for disk in found[:2]]


def named(disk):
    return f"{disk['major']}:{disk['minor']}"


def test_device_rules(box, scope, disks):
    """Seen from inside, with the rules of the container alone, also after a daemon-reload."""
    box.linux["devices"] = [{"path": "/dev/may", "type": "b"} | disks[0],
                            {"path": "/dev/must-not", "type": "b"} | disks[1]]
    box.resources["devices"] = [{"allow": False, "access": "rwm"},
                                {"allow": True, "type": "b", "access": "r"} | disks[0]]
    fifo = box.rootfs / "again"
    os.mkfifo(fifo)
    look = "for d in null may must-not; do (exec 3</dev/$d) 2>/dev/null && echo $d; done; "
    box.process["args"] = ["/bin/sh", "-c", f"{look} cat /again; {look} true"]
    running = box.spawn_run()
    host.until(lambda: running.out.count("\n") == 2 or running.process.poll() is not None, "the first look")
    assert running.out == "null\nmay\n", running
    told = SYSTEMD.systemctl("show", "-p", "DevicePolicy,DeviceAllow", scope).splitlines()
    assert {"DevicePolicy=strict", f"DeviceAllow=/dev/block/{named(disks[0])} rm"} <= set(told), told  # all may be made
    reload_and_go_through("machine-thole.slice")
    fifo.write_text("again\n")
    assert running.wait().ok().out.splitlines() == ["null", "may", "again", "null", "may"]
    assert_gone(scope, box)


@only_v1(reason="v2 has no lists to be seen")
def test_device_list(box, scope, disks):
    """All of it is as it was after systemd has written its own, at create and after an update."""
    box.set_probe("pause")
    box.create()
    there = box.place("devices")[0] / "devices.list"
    for rules in [], [{"allow": False, "access": "rwm"}, {"allow": True, "type": "b", "access": "r"} | disks[0]]:
        if rules:
            update(box, devices=rules).ok()
        before = sorted(there.read_text().splitlines())
        assert (f"b {named(disks[0])} rm" in before) == bool(rules)  # all may be made
        reload_and_go_through("machine-thole.slice")
        assert sorted(there.read_text().splitlines()) == before
    box.delete("--force")


def test_throttles(box, scope, disks):
    """Of one block device, at create, after a daemon-reload, and after an update that takes one of two away."""
    box.resources["blockIO"] = {"throttleReadBpsDevice": [disks[0] | {"rate": 1 << 20}],
                                "throttleWriteBpsDevice": [disks[0] | {"rate": 2 << 20}]}
    box.set_probe("pause")
    box.create()
    for write in 2 << 20, 0:
        if not write:
            update(box, blockIO={"throttleWriteBpsDevice": [disks[0] | {"rate": 0}]}).ok()
        for _ in range(2):
            assert throttles(box, named(disks[0])) == (1 << 20, write)
            reload_and_go_through("machine-thole.slice")
    box.delete("--force")


def throttles(box, disk):
    """Of reading and writing DISK; 0 is none."""
    place, v2 = box.place("io" if host.PURE_V2 else "blkio")
    if v2:
        found = re.search(rf"^{disk} rbps=(\w+) wbps=(\w+)", (place / "io.max").read_text(), re.MULTILINE)
        return tuple(0 if word == "max" else int(word) for word in found.groups()) if found else (0, 0)
    texts = [(place / f"blkio.throttle.{what}_bps_device").read_text() for what in ("read", "write")]
    return tuple(int(re.search(rf"^{disk} (\d+)|$", text, re.MULTILINE)[1] or 0) for text in texts)


def test_annotations(box, scope):
    box.config["annotations"] = {"org.systemd.property.TimeoutStopSec": "7",
                                 "org.systemd.property.Description": "'a test'"}
    box.set_probe("pause")
    box.create()
    assert SYSTEMD.show(scope, "TimeoutStopUSec", "Description") == {"TimeoutStopUSec": "7s", "Description": "a test"}
    box.delete("--force")


def test_property_that_there_is_not(box, scope):
    """systemd's own words, and nothing is left."""
    box.config["annotations"] = {"org.systemd.property.NoSuchProperty": "true"}
    box.try_create().error(f"systemd: StartTransientUnit {scope}:", "NoSuchProperty")
    box.assert_clean()
    assert_gone(scope, box)


def test_unit_that_is_there(box, scope):
    booted.call("systemd-run", "--quiet", "--scope", f"--unit={scope}", "--slice=machine-thole.slice", "sh", "-c",
                "sleep 1000 >/dev/null 2>&1 &")
    try:
        result = box.try_create()
        result.error(f"StartTransientUnit {scope}")
        assert f"systemctl stop {scope}" in result.err
        assert SYSTEMD.show(scope, "ActiveState") == {"ActiveState": "active"}
    finally:
        SYSTEMD.systemctl("stop", scope)


def test_killed_for_want_of_memory(box, scope):
    """A scope that systemd calls failed is none that stays."""
    box.linux["resources"]["memory"] = {"limit": 16 << 20, "swap": 16 << 20}
    box.process["args"] = ["/bin/sh", "-c", "x=x; while :; do x=$x$x; done"]
    assert box.run(timeout=60).status == 128 + 9
    assert_gone(scope, box)


def test_slice(box):
    name = f"thole-{box.id.replace('-', '_')}.slice"
    box.globals = ["--systemd-cgroup"]
    box.linux["cgroupsPath"] = f"thole.slice::{name}"
    box.linux["resources"] |= LIMITS | {"devices": [{"allow": True, "access": "rwm"}]}
    box.cgroup = f"/thole.slice/{name}"
    box.set_probe("pause")
    box.create()
    for _ in range(2):
        assert_inside(box, [box.pid])
        assert look(box, name) == LIMITED
        assert SYSTEMD.show(name, "ActiveState") == {"ActiveState": "active"}
        reload_and_go_through("thole.slice")
    box.start()
    box.stop()
    assert_gone(name, box)


@only_v2(reason="v1 has no rule against processes beside cgroups that a leaf would be for")
def test_subgroup(box, scope):
    """Controllers can be handed down inside, and the limits stay above."""
    box.config["annotations"] = {"run.oci.systemd.subgroup": "payload"}
    box.linux["resources"] |= {"pids": {"limit": 40}}
    box.set_probe("pause")
    box.create()
    place = Path(f"{ROOT}{box.cgroup}")
    assert (place / "payload/cgroup.procs").read_text() == f"{box.pid}\n"
    assert "pids" in (place / "payload/cgroup.controllers").read_text().split()
    assert (place / "pids.max").read_text() == "40\n"
    SYSTEMD.systemctl("daemon-reload")
    assert (place / "payload/cgroup.procs").read_text() == f"{box.pid}\n"
    box.start()
    box.stop()
    assert_gone(scope, box)


def test_many_at_once(make_box):
    """20 created and deleted at once leave no cgroup and no unit."""
    boxes = [make_box() for _ in range(20)]
    for box in boxes:
        box.globals = ["--systemd-cgroup"]
        box.linux["cgroupsPath"] = f":many:{box.id}"
        box.without_network()
        box.set_probe("ids")
    for running in [box.spawn_run() for box in boxes]:
        running.wait(60).ok()
    assert "many-" not in SYSTEMD.units()
    assert host.cgroups_named("many-") == []


# ---- a container that is there ----


def seen_root(text):
    """Whether TEXT, a /proc/self/cgroup, says that the reader is in the root of his cgroup namespace everywhere."""
    return all(line.endswith(":/") for line in text.splitlines())


def update(box, **resources):
    file = box.dir / "resources.json"
    file.write_text(json.dumps(resources))
    return box.call("update", "--resources", file, box.id)


@pytest.fixture
def running(box, scope):
    box.linux["resources"] |= LIMITS
    box.process["args"] = ["/bin/sh", "-c", "/bin/busybox sleep 1000 & exec /bin/busybox sleep 1000"]
    box.create()
    box.start()
    host.until(lambda: len(box.cgroup_procs()) == 2, "the second process")
    return box


def test_update(running, scope):
    """What is named changes in the unit and in the files, which have the exact number, also after a daemon-reload."""
    update(running, **CHANGE).ok()
    assert look(running, scope) == CHANGED
    reload_and_go_through("machine-thole.slice")
    after = look(running, scope)
    assert after == CHANGED.changed({}, {name: after.files[name] for name in ROUNDED if name in after.files})
    running.stop()
    assert_gone(scope, running)


def test_update_that_is_refused(running, scope):
    """All is as it was, in the unit, and in the files, of which systemd has written some."""
    result = update(running, memory={"limit": 96 << 20}, pids={"limit": 50}, cpu={"quota": 44444, "cpus": "4000"})
    result.error("cpu.cpus", "cpuset.cpus")
    assert "could not" not in result.err
    assert look(running, scope) == LIMITED
    running.stop()


def test_update_that_is_refused_where_there_were_no_limits(box, scope):
    box.set_probe("pause")
    box.create()
    update(box, **UNLIMIT).ok()  # on v2 it brings the controllers
    before = files(box), SYSTEMD.show(scope, *UNLIMITED)
    assert before[1] == dict.fromkeys(UNLIMITED, "infinity")
    change = {"memory": {"limit": 64 << 20}, "pids": {"limit": 50}, "cpu": {"quota": 44444, "mems": "77"}}
    result = update(box, **change)
    result.error("cpuset.mems")
    assert "could not" not in result.err
    assert (files(box), SYSTEMD.show(scope, *UNLIMITED)) == before
    box.delete("--force")


def test_commands(running, scope):
    """pause, resume, ps, events, exec, kill and delete; systemd finds nothing wrong with any of them."""
    box = running
    assert_inside(box, box.cgroup_procs())
    box.call("pause", box.id).ok()
    assert box.status() == "paused"
    SYSTEMD.systemctl("daemon-reload")
    assert box.status() == "paused"
    box.call("resume", box.id).ok()
    assert box.status() == "running"
    pids = json.loads(box.call("ps", "--format", "json", box.id).ok().out)
    assert sorted(pids) == sorted(box.cgroup_procs())
    figures = json.loads(box.call("events", "--stats", box.id).ok().out)["data"]
    assert figures["pids"] == {"current": 2, "limit": 40}
    assert seen_root(box.call("exec", box.id, "/bin/cat", "/proc/self/cgroup").ok().out)
    assert SYSTEMD.show(scope, "ActiveState", "TasksCurrent") == {"ActiveState": "active", "TasksCurrent": "2"}
    box.call("pause", box.id).ok()
    box.call("kill", "--all", box.id, "KILL").ok()
    box.wait()
    box.delete()
    assert_gone(scope, box)


# ---- a user's ----


@pytest.fixture(scope="module")
def login():
    if not shutil.which("loginctl") or not shutil.which("useradd"):
        pytest.skip("no loginctl or useradd")
    with booted.lingering(f"test-{WORKER}") as made:
        yield made


@pytest.fixture
def user(box, login):
    """The box is his who lingers."""
    entry = login.user
    box.globals, box.environment = ["--systemd-cgroup"], login.environment
    box.before_exec = login.become
    box.root.mkdir()
    os.chown(box.root, entry.pw_uid, entry.pw_gid)
    box.set_namespace("user")
    box.linux["uidMappings"] = [{"containerID": 0, "hostID": entry.pw_uid, "size": 1}]
    box.linux["gidMappings"] = [{"containerID": 0, "hostID": entry.pw_gid, "size": 1}]
    for mount in box.config["mounts"]:
        mount["options"] = [option for option in mount.get("options", []) if option != "gid=5"]
    box.linux["cgroupsPath"] = f":test:{box.id}"
    base = f"/user.slice/user-{entry.pw_uid}.slice/user@{entry.pw_uid}.service"
    box.cgroup = f"{base}/user.slice/test-{box.id}.scope"
    yield box
    box.before_exec = None


@only_v2(reason="of v1 systemd hands no controllers to users")
def test_users_scope(user, login):
    """Rootless, with limits, in the user's own systemd."""
    box = user
    box.linux["resources"] |= {"memory": {"limit": 64 << 20}, "pids": {"limit": 40}}
    box.process["args"] = ["/bin/sh", "-c", "cat /proc/self/cgroup; exec sleep 1000"]
    running = box.spawn_run()
    host.until(lambda: running.out.endswith("\n") or running.process.poll() is not None, "the program")
    assert running.out == "0::/\n", running
    place = Path(f"{ROOT}{box.cgroup}")
    assert (place / "memory.max").read_text() == f"{64 << 20}\n"
    assert (place / "pids.max").read_text() == "40\n"
    update(box, pids={"limit": 30}).ok()
    assert (place / "pids.max").read_text() == "30\n"
    box.call("pause", box.id).ok()
    assert box.status() == "paused"
    box.call("resume", box.id).ok()
    assert json.loads(box.call("ps", "--format", "json", box.id).ok().out) == box.cgroup_procs() != []
    assert json.loads(box.call("events", "--stats", box.id).ok().out)["data"]["pids"] == {"current": 1, "limit": 30}
    assert box.call("exec", box.id, "/bin/cat", "/proc/self/cgroup").ok().out == "0::/\n"
    box.kill("KILL")
    assert running.wait().status == 128 + 9
    assert not place.exists()
    listed = login.units()
    assert "default.target" in listed and box.id not in listed


@only_v1(reason="v2 can be delegated")
def test_user_where_there_is_v1(user):
    """His systemd has a unit for him, but no controller: limits are refused, and who has none gets no cgroup."""
    box = user
    box.set_probe("ids")
    result = box.run()
    assert result.ok() and f"no cgroup for container {box.id}: the caller may not make one" in result.said
    box.linux["resources"] |= {"pids": {"limit": 40}}
    result = box.run()
    result.error("linux.resources (config.json:", "systemd hands no controller of cgroup v1 to a user")
    assert "systemd.unified_cgroup_hierarchy=1" in result.err
    assert host.cgroups_named(box.id) == []
    box.assert_clean()
