# SPDX-License-Identifier: LGPL-2.1-or-later
"""update: what is named changes, the rest stays, and what is refused leaves everything as it was."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from harness import host

pytestmark = pytest.mark.root("makes cgroups")

every_view = pytest.mark.parametrize("view", host.VIEWS)
only_v2 = pytest.mark.parametrize("view", [view for view in ("host", "v2") if view in host.VIEWS][-1:])

CPU = str(min(os.sched_getaffinity(0)))

# options, controller, {file: content} on v1, the same on v2 (None: refused there)
OPTIONS = [
    (["--memory", "64M"], "memory", {"memory.limit_in_bytes": 64 << 20}, {"memory.max": 64 << 20}),
    (["--memory", "67108864"], "memory", {"memory.limit_in_bytes": 64 << 20}, {"memory.max": 64 << 20}),
    (["--memory=0.5GiB"], "memory", {"memory.limit_in_bytes": 512 << 20}, {"memory.max": 512 << 20}),
    (["--memory", "65536kb"], "memory", {"memory.limit_in_bytes": 64 << 20}, {"memory.max": 64 << 20}),
    (["--memory-reservation", "32m"], "memory", {"memory.soft_limit_in_bytes": 32 << 20}, {"memory.low": 32 << 20}),
    (["--memory", "32M", "--memory-swap", "48M"], "memory",
     {"memory.limit_in_bytes": 32 << 20, "memory.memsw.limit_in_bytes": 48 << 20},
     {"memory.max": 32 << 20, "memory.swap.max": 16 << 20}),
    (["--kernel-memory-tcp", "16M"], "memory", {"memory.kmem.tcp.limit_in_bytes": 16 << 20}, None),
    (["--cpu-share", "512"], "cpu", {"cpu.shares": 512}, {"cpu.weight": 59}),
    (["--cpu-quota", "25000"], "cpu", {"cpu.cfs_quota_us": 25000}, {"cpu.max": "25000 100000"}),
    (["--cpu-period", "50000"], "cpu", {"cpu.cfs_period_us": 50000}, {"cpu.max": "max 50000"}),
    (["--cpu-quota", "20000", "--cpu-burst", "10000"], "cpu", {"cpu.cfs_burst_us": 10000}, {"cpu.max.burst": 10000}),
    (["--cpu-idle", "1"], "cpu", {"cpu.idle": 1}, {"cpu.idle": 1}),
    (["--cpu-rt-period", "900000"], "cpu", {"cpu.rt_period_us": 900000}, None),
    (["--cpu-rt-runtime", "0"], "cpu", {"cpu.rt_runtime_us": 0}, {}),
    (["--cpuset-cpus", CPU], "cpuset", {"cpuset.cpus": CPU}, {"cpuset.cpus": CPU}),
    (["--cpuset-mems", "0"], "cpuset", {"cpuset.mems": 0}, {"cpuset.mems": 0}),
    (["--blkio-weight", "300"], "blkio", {"blkio.bfq.weight": 300}, {"io.bfq.weight": "default 300"}),
    (["--pids-limit", "20"], "pids", {"pids.max": 20}, {"pids.max": 20}),
    (["--pids-limit", "-1"], "pids", {"pids.max": "max"}, {"pids.max": "max"}),
]


def running(box, **resources):
    box.resources.update(resources)
    box.set_probe("pause")
    box.create()
    box.start()


def read(place, names):
    return {name: (place / name).read_text().strip() for name in names}


def update(box, *args, text=None, **options):
    """Calls update; TEXT, if given, is its standard input."""
    if text is not None:
        process = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        process.stdin.write(text.encode())
        process.stdin.close()
        with process:
            return box.call("update", *args, stdin=process.stdout, **options)
    return box.call("update", *args, **options)


@every_view
@pytest.mark.parametrize("options, controller, v1, v2", OPTIONS, ids=[" ".join(row[0]) for row in OPTIONS])
def test_option(box, options, controller, v1, v2):
    if controller == "blkio" and controller not in host.view_hierarchies(box.view):
        controller = "io"
    place, is_v2 = box.place(controller)
    running(box)
    expected = v2 if is_v2 else v1
    if expected is None:
        update(box, *options, box.id).error("cgroup v2 has no such setting")
        return
    for name in expected:
        # v2 has the files of a controller only where it is enabled, which update does.
        if not is_v2 and not (place / name).exists():
            pytest.skip(f"this kernel has no {name}")
    result = update(box, *options, box.id)
    if controller == "io" and "BFQ" in result.err:
        pytest.skip("weights of block IO need the BFQ scheduler")
    result.ok()
    assert read(place, expected) == {name: str(content) for name, content in expected.items()}


@every_view
def test_what_is_not_named_stays(box):
    place, is_v2 = box.place("memory")
    box.place("cpu")
    box.place("pids")
    running(box, memory={"limit": 64 << 20}, cpu={"quota": 25000, "period": 50000, "shares": 512}, pids={"limit": 9})
    names = {"memory": ["memory.max", "memory.swap.max"] if is_v2 else ["memory.limit_in_bytes"],
             "cpu": ["cpu.max", "cpu.weight"] if is_v2 else ["cpu.cfs_quota_us", "cpu.cfs_period_us", "cpu.shares"],
             "pids": ["pids.max"]}

    def look():
        return {name: content for controller, files in names.items()
                for name, content in read(box.place(controller)[0], files).items()}

    before = look()
    update(box, "--pids-limit", "8", box.id).ok()
    assert look() == before | {"pids.max": "8"}
    update(box, "--cpu-quota", "30000", box.id).ok()
    quota = {"cpu.max": "30000 50000"} if is_v2 else {"cpu.cfs_quota_us": "30000"}
    assert look() == before | {"pids.max": "8"} | quota
    update(box, "--cpu-period", "60000", box.id).ok()
    period = {"cpu.max": "30000 60000"} if is_v2 else quota | {"cpu.cfs_period_us": "60000"}
    assert look() == before | {"pids.max": "8"} | period
    update(box, box.id).ok()
    update(box, "--resources", "-", box.id, text="{}").ok()
    assert look() == before | {"pids.max": "8"} | period
    if is_v2:
        # The sum with the limit that is there.
        update(box, "--memory-swap", "80M", box.id).ok()
        assert read(place, ["memory.swap.max", "memory.max"]) == {"memory.swap.max": str(16 << 20),
                                                                 "memory.max": str(64 << 20)}


@every_view
def test_limits_that_bound_each_other(box):
    """Up past the old limit of both and down below it again: the kernel allows one order each time."""
    place, is_v2 = box.place("memory")
    running(box, memory={"limit": 64 << 20, "swap": 128 << 20})
    for size in (512, 16, 256):
        update(box, "--memory", f"{size}M", "--memory-swap", f"{2 * size}M", box.id).ok()
        both = ("memory.max", "memory.swap.max") if is_v2 else ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes")
        expected = [size << 20, (size if is_v2 else 2 * size) << 20]
        assert [int(content) for content in read(place, both).values()] == expected
    update(box, "--memory", "-1", box.id).ok()
    content = read(place, ["memory.max" if is_v2 else "memory.limit_in_bytes"]).popitem()[1]
    assert content == "max" or int(content) > 1 << 60


@every_view
@pytest.mark.parametrize("form", ["dash", "equals", "file", "behind", "fifo"])
def test_resources(box, form):
    """The forms in which containerd and Podman call it, and a FIFO."""
    place, _ = box.place("pids")
    text = json.dumps({"pids": {"limit": 11}, "Memory": None})
    file = box.dir / "resources.json"
    running(box)
    if form == "dash":
        update(box, "--resources", "-", box.id, text=text).ok()
    elif form == "equals":
        update(box, "--resources=-", box.id, text=text).ok()
    elif form == "fifo":
        os.mkfifo(file)
        writer = subprocess.Popen(["sh", "-c", 'printf %s "$1" >"$2"', "sh", text, file])
        update(box, f"--resources={file}", box.id).ok()
        writer.wait()
    else:
        file.write_text(text)
        update(box, *([f"--resources={file}", box.id] if form == "file" else [box.id, "-r", file])).ok()
    assert read(place, ["pids.max"]) == {"pids.max": "11"}


@every_view
def test_limit_acts(box):
    """The container that is there is what is limited."""
    box.place("pids")
    box.process["args"] = ["/bin/sh", "-c", "until [ -e /tmp/go ]; do /bin/sleep 0.02; done; exec /probe fork 10"]
    created = box.create()
    box.start()
    update(box, "--pids-limit", "5", box.id).ok()
    (box.rootfs / "tmp/go").touch()
    box.wait()
    assert json.loads(created.out)["fork 10"] == {"made": 4, "errno": 11}


@every_view
@pytest.mark.parametrize("again", [False, True], ids=["once", "and-back"])
def test_devices(box, again):
    """Rules replace the present ones as a whole; rules that are not given are not touched."""
    if "devices" not in host.view_hierarchies(box.view) and "" not in host.view_hierarchies(box.view):
        pytest.skip("no hierarchy that can filter devices")
    rule = {"allow": True, "type": "c", "major": 1, "minor": 11, "access": "r"}
    box.linux["devices"] = [{"path": "/dev/messages", "type": "c", "major": 1, "minor": 11}]
    box.resources["devices"] = [{"allow": False, "access": "rwm"}]
    box.capabilities("CAP_SYSLOG")
    box.process["args"] = ["/bin/sh", "-c", "until [ -e /tmp/go ]; do /bin/sleep 0.02; done; "
                           "exec /probe open /dev/messages r open /dev/messages w open /dev/null rw"]
    created = box.create()
    box.start()
    update(box, "-r", "-", box.id, text=json.dumps({"devices": [{"allow": False}, rule]})).ok()
    update(box, "-r", "-", box.id, text="{}").ok()
    if again:
        update(box, "-r", "-", box.id, text=json.dumps({"devices": [{"allow": False, "access": "rwm"}]})).ok()
    (box.rootfs / "tmp/go").touch()
    box.wait()
    report = json.loads(created.out)
    assert (report["open /dev/messages r"] == 0) is not again
    assert report["open /dev/messages w"] != 0
    assert report["open /dev/null rw"] == 0


@every_view
def test_refused_in_the_middle(box):
    """Limits that were changed before the one that the kernel refuses are as they were."""
    changes = {"memory": {"limit": 32 << 20, "swap": 32 << 20}, "cpu": {"shares": 77, "quota": 10000, "cpus": "4000"},
               "pids": {"limit": 3}}
    places = [box.place(controller)[0] for controller in ("memory", "cpu", "cpuset", "pids")]
    is_v2 = box.place("memory")[1]
    names = (["memory.max", "memory.swap.max", "cpu.weight", "cpu.max", "cpuset.cpus", "pids.max"] if is_v2 else
             ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "cpu.shares", "cpu.cfs_quota_us",
              "cpu.cfs_period_us", "cpuset.cpus", "pids.max"])
    running(box, memory={"limit": 64 << 20, "swap": 128 << 20}, cpu={"shares": 512, "quota": 20000, "cpus": CPU},
            pids={"limit": 9})

    def look():
        return {name: (place / name).read_text() for place in places for name in names if (place / name).exists()}

    before = look()
    assert len(before) == len(names)
    file = box.dir / "resources.json"
    file.write_text(json.dumps(changes, indent=1))
    line = file.read_text().splitlines().index('  "cpus": "4000"') + 1
    update(box, "--resources", file, box.id).error(f"cpu.cpus ({file}:{line}:", "cpuset.cpus")
    assert look() == before
    assert box.status() == "running"


@only_v2
def test_refused_in_the_middle_of_unified(box):
    """What can be shown where the v2 hierarchy has no controllers."""
    if "" not in host.HIERARCHIES:
        pytest.skip("no v2 hierarchy")
    place = Path(f"{host.HIERARCHIES['']}{box.cgroup}")
    running(box, unified={"cgroup.max.depth": "4"})
    change = {"unified": {"cgroup.max.depth": "3", "cgroup.max.descendants": "-5"}}
    update(box, "-r", "-", box.id, text=json.dumps(change)).error("unified", "cgroup.max.descendants")
    assert read(place, ["cgroup.max.depth", "cgroup.max.descendants"]) == {"cgroup.max.depth": "4",
                                                                          "cgroup.max.descendants": "max"}
    change["unified"]["cgroup.max.descendants"] = "5"
    update(box, "-r", "-", box.id, text=json.dumps(change)).ok()
    assert read(place, ["cgroup.max.depth"]) == {"cgroup.max.depth": "3"}


@every_view
def test_huge_pages(box):
    """On v2 the controller is not enabled before an update asks for it.  What is refused afterwards takes it back."""
    place, is_v2 = box.place("hugetlb")
    name = "hugetlb.2MB.max" if is_v2 else "hugetlb.2MB.limit_in_bytes"
    running(box)
    change = {"hugepageLimits": [{"pageSize": "2MB", "limit": 4 << 20}]}
    update(box, "-r", "-", box.id, text=json.dumps(change)).ok()
    assert read(place, [name]) == {name: str(4 << 20)}
    change["hugepageLimits"][0]["limit"] = 8 << 20
    change["hugepageLimits"].append({"pageSize": "3MB", "limit": 0})
    update(box, "-r", "-", box.id, text=json.dumps(change)).error("hugepageLimits[1]", "hugetlb.3MB")
    assert read(place, [name]) == {name: str(4 << 20)}


@every_view
def test_refused_device_rules(box):
    """Rules that a v1 list cannot hold are refused, and so is all else of the same update."""
    place, _ = box.place("pids")
    box.place("devices")
    running(box, pids={"limit": 9})
    change = {"pids": {"limit": 5}, "devices": [{"allow": False}, {"allow": True, "type": "c", "major": 1},
                                                {"allow": False, "type": "c", "major": 1, "minor": 11}]}
    update(box, "-r", "-", box.id, text=json.dumps(change)).error("devices", "v1")
    assert read(place, ["pids.max"]) == {"pids.max": "9"}


@pytest.mark.parametrize("args, words", [
    (["--memory", "lots"], ["--memory", "lots"]),
    (["--memory", "50X"], ["--memory", "50X"]),
    (["--memory", "-2"], ["--memory", "-2"]),
    (["--memory", ""], ["--memory"]),
    (["--memory", "99999999999G"], ["--memory"]),
    (["--memory", "0x10"], ["--memory"]),
    (["--pids-limit", "many"], ["--pids-limit", "many"]),
    (["--pids-limit", "-2"], ["pids.limit"]),
    (["--cpu-share", "-1"], ["cpu.shares"]),
    (["--cpu-period", "1.5"], ["--cpu-period"]),
    (["--cpu-period", "050000"], ["--cpu-period", "050000"]),
    (["--cpu-idle", "2"], ["cpu.idle"]),
    (["--blkio-weight", "70000"], ["blockIO.weight"]),
    (["--cpu-quota", "5"], ["cpu.quota"]),
    (["--cpuset-cpus", "banana"], ["cpu.cpus"]),
    (["--resources", "/no/such/file"], ["/no/such/file"]),
    (["--resources", "/"], ["/"]),
    (["--resources", "-", "--memory", "50M"], ["--memory", "--resources"]),
    (["--no-such-option"], ["--no-such-option"]),
])
def test_bad_value(box, args, words):
    running(box)
    update(box, *args, box.id).error(*words)
    assert box.status() == "running"


@pytest.mark.parametrize("text, words", [
    ("", ["standard input"]),
    ("{", ["standard input", "JSON"]),
    ("[]", ["standard input:1:1", "object"]),
    ('{"pids": {"limit": "many"}}', ["standard input:1:20", "pids.limit"]),
    ('{"memory":\n {"limit": 1.5}}', ["standard input:2:12", "memory.limit"]),
    ('{"pids": {"limit": 5}}\0', ["standard input", "NUL"]),
    ('{"hugepageLimits": [{"pageSize": "2M", "limit": 0}]}', ["hugepageLimits[0].pageSize"]),
    ('{"cpu": {"quota": 1000, "burst": 2000}}', ["cpu.burst"]),
    ('{"devices": [{"allow": true, "type": "x"}]}', ["devices[0].type"]),
])
def test_bad_resources(box, text, words):
    running(box)
    update(box, "--resources", "-", box.id, text=text).error(*words)


@every_view
def test_missing_controller(box):
    """On a view without it, before anything is changed."""
    hierarchies = host.view_hierarchies(box.view)
    if "memory" in hierarchies or "memory" in host.v2_controllers():
        pytest.skip("this view has the memory controller")
    running(box)
    update(box, "--memory", "50M", box.id).error("memory.limit", "no memory controller")


def test_states(box):
    place, _ = box.place("pids")
    box.set_probe("pause")
    box.create()
    update(box, "--pids-limit", "21", box.id).ok()
    box.start()
    box.call("pause", box.id).ok()
    update(box, "--pids-limit", "22", box.id).ok()
    assert box.status() == "paused" and read(place, ["pids.max"]) == {"pids.max": "22"}
    box.call("resume", box.id).ok()
    box.kill("KILL")
    box.wait()
    update(box, "--pids-limit", "23", box.id).error("container not running")
    box.delete()
    update(box, "--pids-limit", "23", box.id).error("does not exist")


def test_without_a_cgroup(box):
    box.set_probe("pause")
    box.write_config()
    box.call("--cgroup-manager", "disabled", "create", "--bundle", box.bundle, box.id).ok()
    result = update(box, "--pids-limit", "5", box.id)
    result.error("has no cgroup")
    assert "disabled" in result.err
    box.delete("--force")


def test_check_before_update(box):
    """A limit below the usage is refused (v1: always)."""
    place, is_v2 = box.place("memory")
    box.resources["memory"] = {"limit": 64 << 20}
    box.process["args"] = ["/probe", "alloc", str(16 << 20), "pause"]
    created = box.create()
    box.start()
    host.until(lambda: "pause" in created.out, "the probe's line")
    change = {"memory": {"limit": 1 << 20, "checkBeforeUpdate": True}}
    used = int(read(place, ["memory.current" if is_v2 else "memory.usage_in_bytes"]).popitem()[1])
    result = update(box, "-r", "-", box.id, text=json.dumps(change))
    if used > 1 << 20:
        result.error("memory.limit")
        assert int(read(place, ["memory.max" if is_v2 else "memory.limit_in_bytes"]).popitem()[1]) == 64 << 20
    assert box.status() == "running"
