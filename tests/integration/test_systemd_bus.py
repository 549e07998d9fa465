# SPDX-License-Identifier: LGPL-2.1-or-later
"""--systemd-cgroup, with a stand-in for systemd (tests/stand-in/systemd.py): what it is told, in which order, and what a
container's life makes of its answers.  The real systemd is in tests/vm/test_systemd.py."""

import json
import os
import time
from pathlib import Path

import pytest

from harness import config, host, runtime
from harness.systemd import OF_SYSTEMD, Systemd, silent_socket

pytestmark = [pytest.mark.skipif(runtime.PEER, reason="of thole's own words"), pytest.mark.root("makes cgroups")]

every_view = pytest.mark.parametrize("view", host.VIEWS)


@pytest.fixture
def systemd(box):
    made = Systemd(box)
    yield made
    made.close()


def places(box):
    return [Path(f"{root}{box.cgroup}") for root in set(host.view_hierarchies(box.view).values())]


def systemd_places(box):
    """Those that systemd makes."""
    hierarchies = host.view_hierarchies(box.view)
    return [Path(f"{hierarchies[name]}{box.cgroup}") for name in OF_SYSTEMD if name in hierarchies]


@every_view
def test_life(systemd, box):
    """A scope with init in it, in every hierarchy; all gone at the end."""
    box.set_probe("pause")
    box.create()
    for place in places(box):
        assert str(box.pid) in (place / "cgroup.procs").read_text().split(), place
    properties = systemd.properties()
    assert systemd.calls("StartTransientUnit")[0]["arguments"] == [f"thole-{box.id}.scope", "fail", []]
    assert properties["PIDs"] == ["au", [box.pid]]
    assert properties["Slice"] == ["s", "system.slice"]
    assert properties["Delegate"] == ["b", True]
    assert properties["DefaultDependencies"] == ["b", False]
    assert properties["CollectMode"] == ["s", "inactive-or-failed"]
    box.start()
    box.stop()
    assert [place for place in places(box) if place.exists()] == []
    assert systemd.calls() == ["Get", "StartTransientUnit", "StopUnit", "ResetFailedUnit"]
    assert systemd.calls("StopUnit")[0]["arguments"] == [f"thole-{box.id}.scope", "replace"]


@every_view
def test_run(systemd, box):
    """The program sees its own cgroup as the root: init was in the scope before its cgroup namespace was made."""
    report = box.probe("cat /proc/self/cgroup")
    for line in report["cat /proc/self/cgroup"].splitlines():
        controllers = line.split(":")[1].split(",")
        if any(word in host.view_hierarchies(box.view) for word in controllers):
            assert line.endswith(":/"), line
    assert host.cgroups_named(f"{box.id}.scope") == []


@every_view
def test_program_is_in_the_scope(systemd, box):
    box.without_namespace("cgroup")
    assert f":{box.cgroup}\n" in box.probe("cat /proc/self/cgroup")["cat /proc/self/cgroup"]


def test_limits(systemd, box):
    """Each limit is a property, as the hierarchies at hand want it, and is in the file besides."""
    box.resources["memory"] = {"limit": 64 << 20}
    box.resources["pids"] = {"limit": 50}
    box.resources["cpu"] = {"shares": 512, "quota": 25000, "period": 50000}
    hierarchies = host.view_hierarchies(box.view)
    if not all(name in hierarchies for name in ("memory", "pids", "cpu")):
        pytest.skip("the controllers are not v1's here; see unit/test_systemd_unit.c")
    box.set_probe("pause")
    box.create()
    properties = systemd.properties()
    assert properties["MemoryLimit"] == ["t", 64 << 20]
    assert properties["TasksMax"] == ["t", 50]
    assert properties["CPUShares"] == ["t", 512]
    assert properties["CPUQuotaPerSecUSec"] == ["t", 500000]
    assert properties["CPUQuotaPeriodUSec"] == ["t", 50000]
    assert properties["DevicePolicy"] == ["s", "strict"]
    assert ["/dev/char/1:3", "rwm"] in properties["DeviceAllow"][1]
    assert Path(f"{hierarchies['memory']}{box.cgroup}/memory.limit_in_bytes").read_text() == f"{64 << 20}\n"
    assert Path(f"{hierarchies['pids']}{box.cgroup}/pids.max").read_text() == "50\n"
    devices = Path(f"{hierarchies['devices']}{box.cgroup}/devices.list").read_text().splitlines()
    assert "c 1:3 rwm" in devices and "a *:* rwm" not in devices


def test_default_name(systemd, box):
    del box.linux["cgroupsPath"]
    box.set_probe("pause")
    box.create()
    assert box.pid in box.cgroup_procs()
    box.delete("--force")


@pytest.mark.parametrize("slice_, path", [
    ("machine-a-b.slice", "machine.slice/machine-a.slice/machine-a-b.slice"), ("-.slice", ""), ("", "system.slice")])
def test_slices(systemd, box, slice_, path):
    box.linux["cgroupsPath"] = f"{slice_}:pod:{box.id}"
    box.cgroup = os.path.normpath(f"{systemd.cgroup}/{path}/pod-{box.id}.scope")
    box.set_probe("pause")
    box.create()
    assert box.pid in box.cgroup_procs()
    box.delete("--force")


def test_name_that_is_a_slice(systemd, box):
    """systemd puts no processes into a slice: thole does."""
    name = f"thole-{box.id.replace('-', '_')}.slice"
    box.linux["cgroupsPath"] = f"thole.slice::{name}"
    box.cgroup = f"{systemd.cgroup}/thole.slice/{name}"
    box.set_probe("pause")
    box.create()
    assert box.pid in box.cgroup_procs()
    assert not {"PIDs", "Slice", "Delegate"} & set(systemd.properties())
    box.delete("--force")
    assert [place for place in places(box) if place.exists()] == []


@pytest.mark.parametrize("path, words", [
    ("/a/path", 'expected cgroupsPath to be of format "slice:prefix:name" for systemd cgroups, got "/a/path" instead'),
    ("a.slice:b", "of format"), ("a.slice:b:c:d", "of format"), ("a.slice:b:", "of format"),
    ("a:b:c", '"a" is no slice'), ("a--b.slice:b:c", "a part of its name is empty"), ("-a.slice:b:c", "is empty"),
    ("a.slice:b/c:d", 'no "/" in names'), ("a.slice:b:c+d", 'no "+" in names'), ("x.slice::a-b.slice", "in a.slice"),
    ("::-.slice", "the root of all slices"), (f"a.slice:b:{'c' * 260}", "255")])
def test_bad_paths(systemd, box, path, words):
    box.linux["cgroupsPath"] = path
    box.try_create().error("linux.cgroupsPath (config.json:", words)
    assert systemd.calls() == []
    box.assert_clean()


def test_annotations(systemd, box):
    """org.systemd.property.*: with types, and times in seconds."""
    box.config["annotations"] = {f"org.systemd.property.{name}": value for name, value in (
        ("TimeoutStopSec", "uint64 12"), ("RuntimeMaxSec", "1.5"), ("Description", "'a \\'b\\''"), ("After", "['a.service']"),
        ("CPUAccounting", "true"), ("OOMScoreAdjust", "-5"), ("Wants", "@as []"), ("IOWeight", "uint64 0x20"))}
    box.set_probe("pause")
    box.create()
    properties = systemd.properties()
    assert properties["TimeoutStopUSec"] == ["t", 12000000]
    assert properties["RuntimeMaxUSec"] == ["t", 1500000]
    assert properties["Description"] == ["s", "a 'b'"]
    assert properties["After"] == ["as", ["a.service"]]
    assert properties["CPUAccounting"] == ["b", True]
    assert properties["OOMScoreAdjust"] == ["i", -5]
    assert properties["Wants"] == ["as", []]
    assert properties["IOWeight"] == ["t", 32]


@pytest.mark.parametrize("name, value, words", [
    ("Description", "text", "is not understood"), ("IOWeight", "uint32 5000000000", "is not understood"),
    ("After", "['a', 5]", "is not understood"), ("After", "[]", "is not understood"), ("After", "['a'", "not understood"),
    ("TimeoutStopSec", "'ten'", "is not a number of seconds"), ("TimeoutStopSec", "-1", "is not a number of seconds"),
    ("PIDs", "[5]", "said by linux.cgroupsPath"), ("Io-Weight", "5", "a name of letters"), ("", "5", "a name of letters")])
def test_bad_annotations(systemd, box, name, value, words):
    box.config["annotations"] = {f"org.systemd.property.{name}": value}
    box.try_create().error("annotations", words)
    assert "StartTransientUnit" not in systemd.calls()
    box.assert_clean()


def test_annotations_are_nothing_to_cgroupfs(box):
    box.config["annotations"] = {"org.systemd.property.After": "nonsense"}
    assert box.probe("ids")


# ---- a container that is there ----


@pytest.fixture
def limited(systemd, box):
    """A running container with limits on v1, of which systemd has a rounded one: 0.33333 of a second."""
    hierarchies = host.view_hierarchies(box.view)
    if not all(name in hierarchies for name in ("pids", "cpu", "cpuset")):
        pytest.skip("the controllers are not v1's here; see vm/test_systemd.py")
    box.resources.update(pids={"limit": 9}, cpu={"quota": 33333, "period": 100000})
    box.set_probe("pause")
    box.create()
    box.start()
    return box


def update(box, **resources):
    file = box.dir / "resources.json"
    file.write_text(json.dumps(resources))
    return box.call("update", "--resources", file, box.id)


def limits(box):
    """pids.max and the quota of CPU time."""
    hierarchies = host.view_hierarchies(box.view)
    files = {"pids": "pids.max", "cpu": "cpu.cfs_quota_us"}
    return [Path(f"{hierarchies[name]}{box.cgroup}/{file}").read_text().strip() for name, file in files.items()]


def told(systemd):
    """What the updates have told systemd of the same, in order."""
    found = []
    for call in systemd.calls("SetUnitProperties"):
        assert call["arguments"] == [f"thole-{systemd.box.id}.scope", True]
        values = {name: value for name, _, value in call["properties"]}
        found.append((values.get("TasksMax"), values.get("CPUQuotaPerSecUSec")))
    return found


def test_update(systemd, limited):
    """systemd is told what is named, and what it makes of that is not the last word."""
    update(limited, pids={"limit": 5}, cpu={"quota": 22222}).ok()
    assert limits(limited) == ["5", "22222"]
    assert told(systemd) == [(5, 230000)]
    update(limited, pids={"limit": -1}).ok()
    assert limits(limited) == ["max", "22222"]
    assert told(systemd)[1:] == [(2 ** 64 - 1, None)]


def test_update_of_what_systemd_does_not_know(systemd, limited):
    update(limited, cpu={"mems": "0"}).ok()
    assert told(systemd) == []


def test_update_of_device_rules(systemd, limited):
    rule = {"allow": True, "type": "c", "major": 1, "minor": 11, "access": "r"}
    update(limited, devices=[{"allow": False}, rule]).ok()
    properties = systemd.properties("SetUnitProperties")
    assert ["/dev/char/1:11", "rm"] in properties["DeviceAllow"][1]
    assert properties["DevicePolicy"] == ["s", "strict"] and "TasksMax" not in properties


def test_update_that_the_kernel_refuses(systemd, limited):
    """The unit is as it was, too, and so are the files that systemd has written."""
    rule = {"allow": True, "type": "c", "major": 1, "minor": 11, "access": "r"}
    result = update(limited, pids={"limit": 5}, cpu={"quota": 22222, "mems": "77"}, devices=[{"allow": False}, rule])
    result.error("cpu.mems", "cpuset.mems")
    assert "could not" not in result.err
    assert limits(limited) == ["9", "33333"]
    assert told(systemd) == [(5, 230000), (9, 340000)]
    assert all(name != "DeviceAllow" for call in systemd.calls("SetUnitProperties")
               for name, _, _ in call["properties"])
    assert limited.status() == "running"


@pytest.mark.parametrize("mode, words, calls", [
    ("refuse SetUnitProperties", "Not today.", 1),
    ("hang SetUnitProperties", "systemd has not answered in 1 s on the system bus: SetUnitProperties thole-", 2)])
def test_update_that_systemd_refuses(systemd, box, request, mode, words, calls):
    """Nothing has changed; where there was no answer it is told what was there, and said if that is not known either."""
    box.globals += ["--systemd-timeout", "1"]
    limited = request.getfixturevalue("limited")
    systemd.set_mode(mode)
    result = update(limited, pids={"limit": 5})
    result.error(words)
    assert ("could not all be put back: the unit (" in result.err) == (calls == 2)
    assert limits(limited) == ["9", "33333"]
    assert told(systemd) == [(5, None), (9, None)][:calls]


def test_update_without_a_bus(systemd, limited):
    """The unit may be there still: who tells the kernel alone would be overruled."""
    systemd.end_bus()
    result = update(limited, pids={"limit": 5})
    result.error("connect to the system bus")
    assert "could not" not in result.err
    assert limits(limited) == ["9", "33333"]


@every_view
def test_pause_and_resume(systemd, box):
    """Of these systemd hears nothing."""
    box.set_probe("pause")
    box.create()
    box.start()
    box.call("pause", box.id).ok()
    assert box.status() == "paused"
    box.call("resume", box.id).ok()
    assert box.status() == "running"
    assert systemd.calls() == ["Get", "StartTransientUnit"]


@every_view
def test_delete_of_a_paused_container(systemd, box):
    box.set_probe("pause")
    box.create()
    box.start()
    box.call("pause", box.id).ok()
    box.delete("--force")
    assert [place for place in places(box) if place.exists()] == []


@every_view
def test_processes_and_figures(systemd, box):
    """ps lists, events counts and kill --all reaches what is in the scope."""
    box.process["args"] = ["/bin/sh", "-c", "/bin/busybox sleep 1000 & exec /bin/busybox sleep 1000"]
    box.create()
    box.start()
    host.until(lambda: len(json.loads(box.call("ps", "--format", "json", box.id).ok().out)) == 2, "the second process")
    pids = json.loads(box.call("ps", "--format", "json", box.id).out)
    assert box.pid in pids
    figures = json.loads(box.call("events", "--stats", box.id).ok().out)
    assert figures["type"] == "stats" and figures["id"] == box.id
    if "pids" in host.view_hierarchies(box.view):
        assert figures["data"]["pids"]["current"] == 2
    box.call("kill", "--all", box.id, "KILL").ok()
    box.wait()
    host.until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), "the end of both")
    box.delete()
    assert [place for place in places(box) if place.exists()] == []


# ---- what goes wrong ----


@pytest.mark.parametrize("mode, words", [
    ("hang Get", "systemd has not answered in 1 s on the system bus: Get ControlGroup"),
    ("hang StartTransientUnit", "not answered in 1 s on the system bus: StartTransientUnit thole-"),
    ("hang-job StartTransientUnit", "the end of the job of StartTransientUnit thole-"),
    ("fail-job StartTransientUnit", 'its job ended as "failed"'),
    ("refuse StartTransientUnit", "Not today."), ("elsewhere", "systemd has put init into")])
def test_start_that_fails(systemd, box, mode, words):
    """A deadline and a word, and nothing is left."""
    systemd.set_mode(mode)
    box.globals += ["--systemd-timeout", "1"]
    before = time.monotonic()
    box.try_create().error(words)
    assert time.monotonic() - before < 8 * host.SLOWNESS
    assert ("StopUnit" in systemd.calls()) == (mode.split()[0] in ("hang-job", "fail-job", "elsewhere"))
    systemd.close()
    box.assert_clean()


def test_init_that_dies_first(systemd, box):
    """Its own reason is told, not that it could not be put into the scope."""
    systemd.set_mode("slow")
    box.config["mounts"].insert(0, config.mount("/mnt", "no-such-type", "none"))
    box.try_create().error("mounts[0]", "no-such-type")
    systemd.close()
    box.assert_clean()


def test_stop_that_hangs(systemd, box):
    """delete says so; once systemd has come to, it goes on."""
    box.globals += ["--systemd-timeout", "1"]
    box.set_probe("pause")
    box.create()
    systemd.set_mode("hang StopUnit")
    box.call("delete", "--force", box.id).error("systemd has not answered in 1 s on the system bus: StopUnit thole-")
    systemd.set_mode("")
    box.delete("--force")
    box.assert_clean()


def test_create_that_is_killed(systemd, box):
    """While systemd is at it: delete --force finds the cgroup, from which init has gone by itself."""
    systemd.set_mode("hang-job StartTransientUnit")
    box.set_probe("pause")
    box.write_config()
    running = box.spawn("create", "--bundle", box.bundle, box.id)
    host.until(lambda: "StartTransientUnit" in systemd.calls(), "the call")
    host.until(lambda: all(place.exists() for place in systemd_places(box)), "the scope")
    running.kill()
    box.delete("--force")
    assert [place for place in places(box) if place.exists()] == []
    assert "StopUnit" not in systemd.calls()
    systemd.close()
    box.assert_clean()


def test_bus_that_goes_before_delete(systemd, box):
    """Without systemd there is nobody to keep the cgroup."""
    box.set_probe("pause")
    box.create()
    systemd.end_bus()
    assert "is not stopped" in box.delete("--force").err
    box.assert_clean()


def test_unit_that_failed_before(systemd, box):
    """It is reset, once, and the start tried again."""
    systemd.set_mode("exists")
    box.set_probe("pause")
    box.create()
    assert systemd.calls() == ["Get", "StartTransientUnit", "ResetFailedUnit", "StartTransientUnit"]
    box.delete("--force")


def test_unit_that_is_somebody_elses(systemd, make_box):
    """Two containers of one name: the second is refused, the first stays."""
    first, second = systemd.box, make_box()
    second.globals, second.environment = first.globals, first.environment
    second.linux["cgroupsPath"] = first.linux["cgroupsPath"]
    first.set_probe("pause")
    first.create()
    result = second.try_create()
    result.error("StartTransientUnit thole-", "already loaded")
    assert "systemctl stop" in result.err
    assert first.pid in first.cgroup_procs()
    assert "StopUnit" not in systemd.calls()
    first.delete("--force")
    second.assert_clean()


def test_bus_that_is_silent(systemd, box):
    server = silent_socket(systemd.dir / "silent")
    box.environment["DBUS_SYSTEM_BUS_ADDRESS"] = f"unix:path={systemd.dir}/silent"
    box.globals += ["--systemd-timeout", "1"]
    box.try_create().error("systemd has not answered in 1 s on the system bus: connect")
    server.close()
    box.assert_clean()


def test_no_bus(systemd, box):
    box.environment["DBUS_SYSTEM_BUS_ADDRESS"] = f"unix:path={systemd.dir}/nothing"
    result = box.try_create()
    result.error("connect to the system bus for a cgroup by systemd: No such file or directory")
    assert "--cgroup-manager cgroupfs" in result.err
    box.assert_clean()


def test_users_bus(systemd, box):
    """Rootless: the user's systemd, and user.slice."""
    box.globals += ["--rootless", "true"]
    box.environment = {"DBUS_SESSION_BUS_ADDRESS": systemd.address}
    box.linux["cgroupsPath"] = f":thole:{box.id}"
    box.cgroup = f"{systemd.cgroup}/user.slice/thole-{box.id}.scope"
    box.set_probe("pause")
    box.create()
    assert box.pid in box.cgroup_procs()
    assert systemd.properties()["Slice"] == ["s", "user.slice"]
    assert "DevicePolicy" not in systemd.properties()
    box.delete("--force")
    assert systemd.calls()[-2:] == ["StopUnit", "ResetFailedUnit"]


def test_users_bus_that_is_not_said(systemd, box):
    box.globals += ["--rootless", "true"]
    box.environment = {}
    box.resources["pids"] = {"limit": 5}
    result = box.try_create(env={"DBUS_SESSION_BUS_ADDRESS": ""})
    result.error("connect to the user's bus")
    assert "XDG_RUNTIME_DIR" in result.err
    box.assert_clean()


def test_library_is_loaded_on_use_alone(systemd, box):
    """A container without systemd does not pay for libsystemd."""

    def libraries(*globals_):
        box.globals = list(globals_)
        box.linux["cgroupsPath"] = f":thole:{box.id}" if globals_ else f"/{box.id}/plain"
        box.set_probe("ids")
        return box.run(env={"LD_DEBUG": "files"}).ok().err

    assert "libsystemd" not in libraries()
    assert "libsystemd.so.0" in libraries("--systemd-cgroup")


# ---- leaves ----


@pytest.mark.parametrize("view", [view for view in ("v2",) if view in host.VIEWS])
def test_subgroup(systemd, box):
    """run.oci.systemd.subgroup: the scope itself has no processes, and the container's root is below."""
    box.config["annotations"] = {"run.oci.systemd.subgroup": "payload"}
    box.set_probe("pause")
    box.create()
    scope, = places(box)
    assert (scope / "cgroup.procs").read_text() == ""
    assert (scope / "payload/cgroup.procs").read_text() == f"{box.pid}\n"
    assert Path(f"/proc/{box.pid}/cgroup").read_text().splitlines()[-1].endswith(f"{box.cgroup}/payload")
    box.start()
    box.stop()
    assert not scope.exists()
