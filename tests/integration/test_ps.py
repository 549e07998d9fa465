# SPDX-License-Identifier: LGPL-2.1-or-later
"""ps: the processes of the container and no others, as a table of ps(1) and as JSON."""

import json
import os
import shutil
from pathlib import Path

import pytest

from harness import host, runtime

pytestmark = pytest.mark.root("makes cgroups")

every_view = pytest.mark.parametrize("view", host.VIEWS)
needs_ps = pytest.mark.skipif(shutil.which("ps") is None, reason="there is no ps(1) here")


def programs(box):
    found = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in box.cgroup_procs()]
    return [os.path.basename(line.split(b"\0")[0]).decode() for line in found]


def family(box):
    """A running container with three processes, each already executing its own program."""
    box.process["args"] = ["/bin/sh", "-c", "/bin/sleep 600 & /bin/sleep 601 & wait"]
    box.create()
    box.start()
    host.until(lambda: [programs(box).count(name) for name in ("sh", "sleep")] == [1, 2], "three processes")
    return sorted(box.cgroup_procs())


@every_view
@pytest.mark.parametrize("args", [["--format", "json"], ["--format=json"], ["-f", "json"]], ids=" ".join)
def test_json(box, args):
    """As containerd calls it."""
    pids = family(box)
    out = box.call("ps", *args, box.id).ok().out
    assert sorted(json.loads(out)) == pids and out.count("\n") == 1


@every_view
@needs_ps
def test_table(box):
    pids = family(box)
    heading, *rows = box.call("ps", box.id).ok().out.splitlines()
    column = heading.split().index("PID")
    assert heading.split()[0] == "UID"
    assert sorted(int(row.split()[column]) for row in rows) == pids
    assert sorted(row.split()[-1] for row in rows) == ["600", "601", "wait"]


@needs_ps
@pytest.mark.parametrize("options", [["-o", "pid,args"], ["-eo", "ppid,pid,comm"], ["aux"], ["-e", "-o", "pid"]],
                         ids=" ".join)
def test_options_of_ps(box, options):
    pids = family(box)
    if options == ["-o", "pid,args"]:  # without -e it lists those of this terminal
        options = ["-A", *options]
    heading, *rows = box.call("ps", box.id, *options).ok().out.splitlines()
    column = heading.split().index("PID")
    assert sorted(int(row.split()[column]) for row in rows) == pids


@needs_ps
def test_without_the_column(box):
    family(box)
    result = box.call("ps", box.id, "-eo", "comm")
    result.error("no column PID")
    assert "-o pid" in result.err


@needs_ps
def test_bad_option_of_ps(box):
    family(box)
    result = box.call("ps", box.id, "--no-such-option")
    assert result.status == 1
    assert [line for line in result.err.splitlines() if line.startswith("thole: ps: ps(1) ended with status 1")], result


def test_without_ps(box):
    pids = family(box)
    empty = str(box.directory("empty"))
    result = box.call("ps", box.id, env={"PATH": empty})
    result.error("no ps(1)")
    assert "json" in result.err
    assert sorted(json.loads(box.call("ps", "-f", "json", box.id, env={"PATH": empty}).ok().out)) == pids


@every_view
def test_stopped_container(box):
    """Success, and nobody."""
    family(box)
    box.kill("--all", "KILL")
    box.wait()
    host.until(lambda: box.cgroup_procs() == [], "no process")
    assert box.call("ps", "--format", "json", box.id).ok().out == "[]\n"
    if shutil.which("ps"):
        assert len(box.call("ps", box.id).ok().out.splitlines()) == 1


def test_created_and_paused_container(box):
    box.set_probe("pause")
    box.create()
    assert json.loads(box.call("ps", "-f", "json", box.id).ok().out) == [box.pid]
    box.start()
    box.call("pause", box.id).ok()
    assert json.loads(box.call("ps", "-f", "json", box.id).ok().out) == [box.pid]


@every_view
def test_processes_in_cgroups_below(box):
    pids = family(box)
    for root in set(host.view_hierarchies(box.view).values()):
        place = f"{root}{box.cgroup}/below"
        if "cpuset" in str(root):
            continue
        os.mkdir(place)
        with open(f"{place}/cgroup.procs", "w", encoding="ascii") as file:
            file.write(str(pids[-1]))
    assert sorted(json.loads(box.call("ps", "-f", "json", box.id).ok().out)) == pids


def test_mistakes(box):
    box.call("ps", "no-such-container").error("does not exist")
    family(box)
    box.call("ps", "--format", "yaml", box.id).error("--format", "yaml")
    result = runtime.call("ps", "--help").ok()
    assert "ps-option" in result.out


def test_without_a_cgroup(box):
    box.set_probe("pause")
    box.write_config()
    box.call("--cgroup-manager", "disabled", "create", "--bundle", box.bundle, box.id).ok()
    box.call("ps", box.id).error("has no cgroup")
    box.delete("--force")
