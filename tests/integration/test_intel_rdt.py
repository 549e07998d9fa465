# SPDX-License-Identifier: LGPL-2.1-or-later
"""linux.intelRdt: without the hardware, and on a stand-in, tests/stand-in/resctrl.c.

The rules about closID and schemata are tested in unit/test_rdt.c; here is what a container's life makes of them.
"""

import json
import os
import signal
from pathlib import Path

import pytest

from harness import host, runtime
from harness.box import wait_pid


def has_resctrl():
    return any(" - resctrl " in line for line in Path("/proc/self/mountinfo").read_text().splitlines())


@pytest.fixture
def no_resctrl():
    if has_resctrl():
        pytest.skip("this machine has resctrl")


@pytest.mark.parametrize("rdt", [{}, {"closID": "/"}, {"schemata": ["L3:0=f"]}, {"enableMonitoring": True}])
def test_without_resctrl(no_resctrl, box, rdt):
    """If no resctrl is available the runtime MUST generate an error."""
    box.linux["intelRdt"] = rdt
    result = box.try_create()
    result.error("linux.intelRdt (config.json:", "no resctrl file system is mounted")
    assert "mount -t resctrl" in result.err
    box.assert_clean()


def test_bad_values(box):
    box.linux["intelRdt"] = {"closID": "../up"}
    box.try_create().error("linux.intelRdt.closID", "is not the name of a directory")
    box.linux["intelRdt"] = {"memBwSchema": "L3:0=f"}
    box.try_create().error("linux.intelRdt.memBwSchema", "MB:")
    box.assert_clean()


# ---- on a stand-in ----


@pytest.fixture
def resctrl(box, monkeypatch):
    """The directory that the box's runtime takes for a resctrl."""
    if runtime.PEER:
        pytest.skip("the stand-in is thole")
    root = box.directory("resctrl")
    (root / "mon_groups").mkdir()
    for name in ("tasks", "schemata"):
        (root / name).touch()
    Path(f"{root}.mountinfo").write_text(f"22 21 0:22 / {root} rw - resctrl resctrl rw\n")
    monkeypatch.setenv("THOLE_RESCTRL", str(root))
    box.binary = os.environ["STAND_IN"]
    box.set_probe("pause")
    return root


def record(box):
    return json.loads((box.root / box.id / "state.json").read_text())


def tree(root):
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


EMPTY = ["mon_groups", "schemata", "tasks"]


def test_group_of_its_own(box, resctrl):
    box.linux["intelRdt"] = {"schemata": ["L2:0=f"], "memBwSchema": "MB:0=20", "l3CacheSchema": "L3:0=f0",
                             "enableMonitoring": True}
    box.create()
    group = resctrl / box.id
    assert (group / "schemata").read_text() == "L3:0=f0\nMB:0=20\nL2:0=f\n"
    assert (group / "tasks").read_text() == f"{box.pid}\n"
    assert (group / "mon_groups" / box.id / "tasks").read_text() == f"{box.pid}\n"
    assert record(box)["resctrlGroup"] == str(group)
    assert record(box)["resctrlMonitor"] == str(group / "mon_groups" / box.id)
    box.start()
    box.stop()
    assert tree(resctrl) == EMPTY


@pytest.mark.parametrize("rdt", [{"enableMonitoring": True}, {"closID": "gold", "schemata": ["L3:0=f"]}])
def test_executed_process(box, resctrl, rdt):
    """It goes where the container is, whatever the schemata say by now."""
    box.linux["intelRdt"] = rdt
    box.create()
    box.start()
    group = resctrl / rdt.get("closID", box.id)
    (group / "schemata").write_text("L3:0=1\n")
    box.call("exec", "-d", "--pid-file", box.dir / "exec.pid", box.id, "/probe", "pause").ok()
    pid = int((box.dir / "exec.pid").read_text())
    assert (group / "tasks").read_text().split()[-1] == str(pid)
    if "enableMonitoring" in rdt:
        assert (group / "mon_groups" / box.id / "tasks").read_text().split()[-1] == str(pid)
    os.kill(pid, signal.SIGKILL)
    wait_pid(pid)
    box.stop()


def test_run(box, resctrl):
    box.linux["intelRdt"] = {"enableMonitoring": True}
    box.set_probe("ids")
    box.run().ok()
    assert tree(resctrl) == EMPTY


def test_forced_delete(box, resctrl):
    box.linux["intelRdt"] = {"enableMonitoring": True}
    box.create()
    box.delete("--force")
    assert tree(resctrl) == EMPTY


def test_named_group_stays(box, resctrl):
    """And the monitor in it does not."""
    box.linux["intelRdt"] = {"closID": "gold", "schemata": ["L3:0=f"], "enableMonitoring": True}
    box.create()
    assert "resctrlGroup" not in record(box)
    box.stop()
    assert tree(resctrl) == sorted(EMPTY + ["gold"] + [f"gold/{name}" for name in EMPTY])
    assert (resctrl / "gold/schemata").read_text() == "L3:0=f\n"


def test_not_asked_for(box, resctrl):
    box.create()
    assert tree(resctrl) == EMPTY and "resctrl" not in str(record(box).keys())
    box.stop()


@pytest.mark.root("joins what belongs to root")
def test_process_of_a_joined_pid_namespace(box, resctrl, make_box):
    """The pid is that of the process that goes on, not of the one that forked it."""
    first = make_box()
    first.set_probe("pause")
    first.create()
    first.start()
    box.set_namespace("pid", f"/proc/{first.pid}/ns/pid")
    box.linux["intelRdt"] = {}
    box.create()
    assert (resctrl / box.id / "tasks").read_text() == f"{box.pid}\n"
    box.stop()
    first.stop()


@pytest.mark.parametrize("rdt", [{}, {"closID": "gold", "schemata": ["L3:0=f"]}, {"closID": "/"}])
def test_failed_create_leaves_nothing(box, resctrl, rdt):
    box.linux["intelRdt"] = rdt | {"enableMonitoring": True}
    box.config["hooks"] = {"createRuntime": [{"path": "/bin/false"}]}
    box.try_create().error("hooks.createRuntime[0]")
    assert tree(resctrl) == EMPTY
    box.assert_clean()


def test_failed_create_keeps_what_was_there(box, resctrl):
    group = resctrl / "gold"
    (group / "mon_groups").mkdir(parents=True)
    (group / "tasks").touch()
    before = tree(resctrl)
    box.linux["intelRdt"] = {"closID": "gold", "enableMonitoring": True}
    box.process["args"] = ["/no/such/program"]
    box.try_create().error("/no/such/program")
    assert tree(resctrl) == before


def test_killed_create(box, resctrl):
    """delete --force finds the groups of a create that was killed."""
    box.linux["intelRdt"] = {"enableMonitoring": True}
    box.config["hooks"] = {"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", "kill -9 $PPID; sleep 1"]}]}
    assert box.try_create().status == -9
    assert (resctrl / box.id / "mon_groups" / box.id).exists()
    host.until(lambda: box.status() == "stopped", "end of init")
    box.delete("--force")
    assert tree(resctrl) == EMPTY


def test_what_fails_is_said(box, resctrl):
    """With the kernel's own words: here of a group that goes away at once."""
    (resctrl / "info").mkdir()
    (resctrl / "info/last_cmd_status").write_text("Out of CLOSIDs\n")
    (resctrl / box.id).symlink_to("/no/such/directory")
    box.linux["intelRdt"] = {}
    box.try_create().error("linux.intelRdt (config.json:", f"/{box.id}/tasks", "(Out of CLOSIDs)")
    box.assert_clean()


def test_cannot_be_removed(box, resctrl):
    """It is said, and the container is there for another try."""
    box.linux["intelRdt"] = {}
    box.create()
    busy = resctrl / box.id / "busy"
    busy.mkdir()
    box.kill("KILL")
    box.wait()
    box.call("delete", box.id).error(f"remove {resctrl / box.id}", "Directory not empty")
    busy.rmdir()
    box.delete()
    assert tree(resctrl) == EMPTY


@pytest.mark.root("makes cgroups")
def test_update(box, resctrl):
    box.linux["intelRdt"] = {"l3CacheSchema": "L3:0=f0", "memBwSchema": "MB:0=20"}
    box.create()
    schemata = resctrl / box.id / "schemata"
    box.call("update", "--l3-cache-schema", "L3:0=3", "--mem-bw-schema=MB:0=50", box.id).ok()
    assert schemata.read_text() == "L3:0=f0\nMB:0=20\nL3:0=3\nMB:0=50\n"
    data = json.loads(box.call("events", "--stats", box.id).ok().out)["data"]["intel_rdt"]
    assert data["l3_cache_schema"].startswith("L3:0=") and data["mem_bw_schema"].startswith("MB:0=")


@pytest.mark.root("makes cgroups")
def test_update_that_is_refused_elsewhere(box, resctrl):
    """The shares are taken back when the cgroup refuses its part."""
    box.place("cpuset")
    box.linux["intelRdt"] = {"l3CacheSchema": "L3:0=f0"}
    box.create()
    box.call("update", "--l3-cache-schema", "L3:0=3", "--cpuset-cpus", "4000", box.id).error("cpu.cpus")
    assert (resctrl / box.id / "schemata").read_text() == "L3:0=f0\nL3:0=3\nL3:0=f0\n"


def test_update_of_a_container_without(box, resctrl):
    box.create()
    box.call("update", "--mem-bw-schema", "MB:0=50", box.id).error("no group of resctrl")
    assert tree(resctrl) == EMPTY
