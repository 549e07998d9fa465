# SPDX-License-Identifier: LGPL-2.1-or-later
"""events: figures in the shape that runc prints, at intervals, and news that memory ran out."""

import json
import os
import signal
import time
from pathlib import Path

import pytest

from harness import host

pytestmark = pytest.mark.root("makes cgroups")

every_view = pytest.mark.parametrize("view", host.VIEWS)

MEMBERS = ["cpu", "cpuset", "memory", "pids", "blkio", "hugetlb", "intel_rdt", "network_interfaces"]


def running(box, *commands):
    box.set_probe(*commands, "pause")
    created = box.create()
    box.start()
    host.until(lambda: "pause" in created.out, "the probe's line")


def stats(box):
    out = box.call("events", "--stats", box.id).ok().out
    assert out.count("\n") == 1
    event = json.loads(out)
    assert list(event) == ["type", "id", "data"] and event["type"] == "stats" and event["id"] == box.id
    assert list(event["data"]) == MEMBERS
    return event["data"]


def controller(box, name):
    """Skips if the view has no controller NAME."""
    box.place(name)


@every_view
def test_shape(box):
    """What is there whatever the host has."""
    running(box)
    data = stats(box)
    assert {"usage", "throttling"} <= set(data["cpu"]) and {"kernel", "user"} <= set(data["cpu"]["usage"])
    assert {"usage", "swap", "kernel", "kernelTCP", "event_count"} <= set(data["memory"])
    for entry in ("usage", "swap", "kernel", "kernelTCP"):
        assert {"limit", "failcnt"} <= set(data["memory"][entry])
    assert {"cpu_exclusive", "sched_load_balance"} <= set(data["cpuset"])


@every_view
def test_memory(box):
    controller(box, "memory")
    box.resources["memory"] = {"limit": 64 << 20, "swap": 96 << 20}
    running(box, "alloc", str(16 << 20))
    memory = stats(box)["memory"]
    assert memory["usage"]["limit"] == 64 << 20 and memory["swap"]["limit"] == 96 << 20
    assert 16 << 20 <= memory["usage"]["usage"] <= memory["usage"]["max"] < 64 << 20
    assert memory["raw"]["pgfault"] > 0


@every_view
def test_processor(box):
    """v2 counts in every cgroup, whatever controllers it has."""
    box.process["args"] = ["/bin/sh", "-c", "while :; do :; done"]
    box.create()
    box.start()
    before = stats(box)["cpu"]["usage"]
    time.sleep(0.3)
    after = stats(box)["cpu"]["usage"]
    assert after["total"] - before["total"] > 10_000_000 # nanoseconds
    assert after["user"] > 0
    if "percpu" in after:
        assert len(after["percpu"]) == len(after["percpu_user"]) == len(after["percpu_kernel"])
        assert sum(after["percpu"]) == after["total"]


@every_view
def test_throttling(box):
    controller(box, "cpu")
    box.resources["cpu"] = {"quota": 5000, "period": 50000}
    box.process["args"] = ["/bin/sh", "-c", "while :; do :; done"]
    box.create()
    box.start()
    for member in ("throttledPeriods", "throttledTime"):  # the time is added when it is over
        host.until(lambda name=member: stats(box)["cpu"]["throttling"][name] > 0, member)


@every_view
def test_pids(box):
    controller(box, "pids")
    box.resources["pids"] = {"limit": 20}
    box.process["args"] = ["/bin/sh", "-c", "/bin/sleep 600 & /bin/sleep 600 & wait"]
    box.create()
    box.start()
    host.until(lambda: stats(box)["pids"]["current"] == 3, "three processes")
    assert stats(box)["pids"]["limit"] == 20


@every_view
def test_cpuset(box):
    controller(box, "cpuset")
    cpu = min(os.sched_getaffinity(0))
    box.resources["cpu"] = {"cpus": str(cpu), "mems": "0"}
    running(box)
    cpuset = stats(box)["cpuset"]
    assert cpuset["cpus"] == [cpu] and cpuset["mems"] == [0]


@every_view
def test_pressure(box):
    """Where there is a v2 hierarchy, even of controllers that are in v1."""
    root = host.view_hierarchies(box.view).get("")
    running(box)
    data = stats(box)
    for member, name in (("cpu", "cpu"), ("memory", "memory"), ("blkio", "io")):
        if root is None or not Path(f"{root}{box.cgroup}/{name}.pressure").exists():
            assert "psi" not in data[member]
            continue
        lines = Path(f"{root}{box.cgroup}/{name}.pressure").read_text().splitlines()
        assert list(data[member]["psi"]) == [line.split()[0] for line in lines]
        for kind in data[member]["psi"].values():
            assert list(kind) == ["avg10", "avg60", "avg300", "total"]
            assert all(isinstance(number, (int, float)) for number in kind.values())


@every_view
def test_huge_pages(box):
    controller(box, "hugetlb")
    box.resources["hugepageLimits"] = [{"pageSize": "2MB", "limit": 4 << 20}]
    running(box)
    assert {"usage": 0, "failcnt": 0}.items() <= stats(box)["hugetlb"]["2MB"].items()


def test_network(box):
    """The interfaces of the container, not those of the host."""
    running(box)
    interfaces = stats(box)["network_interfaces"]
    assert [interface["Name"] for interface in interfaces] == ["lo"]
    assert set(interfaces[0]) == {"Name"} | {f"{way}{what}" for way in ("Rx", "Tx")
                                             for what in ("Bytes", "Packets", "Errors", "Dropped")}


def test_network_of_the_host(box):
    box.without_network()
    running(box)
    assert stats(box)["network_interfaces"] == []


@every_view
def test_stream(box):
    """One now, others at the interval, until the container ends."""
    running(box)
    events = box.spawn("events", "--interval", "100ms", box.id)
    begin = time.monotonic()
    events.line(3)
    assert time.monotonic() - begin > 0.2
    box.kill("KILL")
    result = events.wait(10)
    assert result.status == 0 and result.err == ""
    lines = [json.loads(line) for line in result.out.splitlines()]
    assert len(lines) >= 4 and all(line["type"] == "stats" for line in lines)


@pytest.mark.parametrize("interval", ["1s", "0.2s", "1", "1m", "1h"])
def test_interval(box, interval):
    running(box)
    events = box.spawn("events", f"--interval={interval}", box.id)
    assert json.loads(events.line())["id"] == box.id
    box.kill("KILL")
    assert events.wait(10).status == 0


@every_view
def test_oom(box):
    """The program that takes too much is killed, and that is told; the container lives on."""
    controller(box, "memory")
    box.resources["memory"] = {"limit": 24 << 20, "swap": 24 << 20}
    box.process["args"] = ["/bin/sh", "-c", f"until [ -e /tmp/go ]; do /bin/sleep 0.02; done; /probe alloc {64 << 20}; "
                           "exec /bin/sleep 600"]
    box.create()
    box.start()
    events = box.spawn("events", "--interval", "1h", box.id)
    events.line()
    (box.rootfs / "tmp/go").touch()
    assert json.loads(events.line(1)) == {"type": "oom", "id": box.id}
    # v1 tells before it kills.
    host.until(lambda: stats(box)["memory"]["event_count"]["oom_kill"] >= 1, "the kill in the figures")
    box.kill("KILL")
    assert events.wait(10).status == 0


@every_view
def test_oom_of_the_first_process(box):
    controller(box, "memory")
    box.resources["memory"] = {"limit": 24 << 20, "swap": 24 << 20}
    box.process["args"] = ["/bin/sh", "-c", "until [ -e /tmp/go ]; do /bin/sleep 0.02; done; "
                           f"exec /probe alloc {64 << 20}"]
    box.create()
    box.start()
    events = box.spawn("events", "--interval", "1h", box.id)
    events.line()
    (box.rootfs / "tmp/go").touch()
    result = events.wait(10)
    assert [json.loads(line)["type"] for line in result.out.splitlines()] == ["stats", "oom"]


def test_paused_and_created_container(box):
    box.set_probe("pause")
    box.create()
    assert stats(box)["pids"].get("current", 1) == 1
    box.start()
    box.call("pause", box.id).ok()
    events = box.spawn("events", "--interval", "100ms", box.id)
    events.line(1)
    box.call("resume", box.id).ok()
    box.kill("KILL")
    assert events.wait(10).status == 0


def test_deleted_meanwhile(box):
    """The end of the container is the end of the stream, also when its cgroup goes at once; and is no oom."""
    running(box)
    events = box.spawn("events", "--interval", "1h", box.id)
    events.line()
    box.delete("--force")
    result = events.wait(10)
    assert result.status == 0 and len(result.out.splitlines()) == 1


def test_reader_that_is_gone(box):
    running(box)
    read, write = os.pipe()
    events = box.spawn("events", "--interval", "50ms", box.id, stdout=write,
                       before_exec=lambda: signal.signal(signal.SIGPIPE, signal.SIG_IGN))
    os.close(write)
    os.close(read)
    events.wait(10).error("write to standard output")


@pytest.mark.parametrize("args", [["--stats"], []])
def test_stopped_container(box, args):
    running(box)
    box.kill("KILL")
    box.wait()
    box.call("events", *args, box.id).error("is not running", box.id)


@pytest.mark.parametrize("interval", ["0", "0s", "-1s", "soon", "1y", "", "1e99h", "0x1s", "1ns"])
def test_bad_interval(box, interval):
    running(box)
    box.call("events", f"--interval={interval}", box.id, timeout=5).error("--interval", interval)


def test_absent_container(box):
    box.call("events", "--stats", "no-such-container").error("does not exist")


def test_without_a_cgroup(box):
    box.set_probe("pause")
    box.write_config()
    box.call("--cgroup-manager", "disabled", "create", "--bundle", box.bundle, box.id).ok()
    for args in (["--stats"], []):
        box.call("events", *args, box.id, timeout=5).error("has no cgroup")
    box.delete("--force")
