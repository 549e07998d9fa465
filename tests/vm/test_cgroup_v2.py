# SPDX-License-Identifier: LGPL-2.1-or-later
"""Limits that are enforced, not only written, and what else is seen only where v2 has all controllers."""

import os
import shutil
import time
from pathlib import Path

import pytest

from harness import host, runtime, seen

CONTROLLERS = {"cpu", "io", "memory", "pids"}
MB = 1 << 20

pytestmark = pytest.mark.skipif(not CONTROLLERS <= host.v2_controllers(),
                                reason=f"not all of {', '.join(sorted(CONTROLLERS))} are v2 controllers here")


@pytest.fixture
def cgroup(box):
    return Path(f"{host.HIERARCHIES['']}{box.cgroup}")


def numbers(file):
    """A flat keyed file of the kernel."""
    return {key: int(value) for key, value in (line.split() for line in file.read_text().splitlines())}


def begin(box, *args):
    box.process["args"] = list(args)
    box.create()
    box.start()


def test_memory_max_kills_and_it_is_seen(box, cgroup):
    box.resources["memory"] = {"limit": 32 * MB, "swap": 32 * MB}
    begin(box, "/probe", "alloc", str(96 * MB))
    assert box.wait() == 128 + 9
    assert numbers(cgroup / "memory.events")["oom_kill"] == 1
    box.delete()


def test_memory_below_the_limit_is_there(box, cgroup):
    box.resources["memory"] = {"limit": 32 * MB, "swap": 32 * MB}
    begin(box, "/probe", "alloc", str(16 * MB))
    assert box.wait() == 0
    assert numbers(cgroup / "memory.events")["oom_kill"] == 0
    box.delete()


@pytest.mark.parametrize("quota", [20000, None])
def test_cpu_max_throttles(box, cgroup, quota):
    """A fifth of one CPU, and control: no limit."""
    box.resources["cpu"] = {"quota": quota, "period": 100000} if quota else {}
    begin(box, "/bin/sh", "-c", "while :; do :; done")
    before, since = numbers(cgroup / "cpu.stat")["usage_usec"], time.monotonic()
    time.sleep(4)
    used, took = numbers(cgroup / "cpu.stat"), time.monotonic() - since
    share = (used["usage_usec"] - before) / (took * 1e6)
    if quota:
        assert share < 0.3 and used["nr_throttled"] > 10, (share, used)
    else:
        assert share > 0.3 and used.get("nr_throttled", 0) == 0, (share, used)
    box.stop()


def test_pids_max_stops_a_fork_bomb(box, cgroup):
    box.resources["pids"] = {"limit": 20}
    begin(box, "/bin/sh", "-c", "bomb () { bomb | bomb; }; bomb 2>/dev/null; sleep 600")
    host.until(lambda: numbers(cgroup / "pids.events")["max"] > 0, "a fork that is refused")
    for _ in range(20):
        assert int((cgroup / "pids.current").read_text()) <= 20
        time.sleep(0.05)
    box.delete("--force")
    assert not cgroup.exists()


@pytest.mark.parametrize("room", [0, 1])
def test_exec_where_the_pids_limit_is_reached(box, cgroup, room):
    """Who looks after a container gets in: he is moved there, for nobody is born there any more, or not both of the two
    that it takes to get into its pid namespace."""
    box.resources["pids"] = {"limit": 1 + room}
    begin(box, "/probe", "pause")
    assert box.call("exec", box.id, "/bin/cat", "/proc/self/cgroup").ok().out in ("0::/\n", f"0::{box.cgroup}\n")
    assert numbers(cgroup / "pids.events")["max"] > 0
    box.stop()


def test_what_has_no_field_is_set_by_unified(box, cgroup):
    box.resources["memory"] = {"limit": 64 * MB, "swap": 64 * MB}
    box.resources["unified"] = {"memory.high": str(32 * MB), "memory.oom.group": "1", "cgroup.max.descendants": "4"}
    begin(box, "/bin/sh", "-c", "/probe pause & exec /probe pause")
    assert (cgroup / "memory.high").read_text() == f"{32 * MB}\n"
    assert (cgroup / "cgroup.max.descendants").read_text() == "4\n"
    assert (cgroup / "memory.oom.group").read_text() == "1\n"
    box.stop()


def disk_of(path):
    """Major and minor number of the whole disk that PATH is on; it is the disk that can be throttled."""
    device = os.stat(path).st_dev
    block = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}")
    if not block.exists():
        pytest.skip(f"{path} is on no block device")
    whole = block.resolve().parent if (block / "partition").exists() else block
    return map(int, (whole / "dev").read_text().split(":"))


@pytest.mark.parametrize("limit", [MB, None])
def test_io_max_limits_writes(box, cgroup, limit):
    """4 MiB at 1 MiB a second, and control: no limit."""
    major, minor = disk_of(box.bundle)
    data = box.directory("data")
    box.add_bind(data, "/tmp", "rw")
    rates = [{"major": major, "minor": minor, "rate": limit}] if limit else []
    box.resources["blockIO"] = {"throttleWriteBpsDevice": rates}
    # Past the page cache, whose writes are accounted to the cgroup only if memory is counted there, too.
    box.process["args"] = ["/bin/busybox", "dd", "if=/dev/zero", "of=/tmp/file", "bs=64k", "count=64", "oflag=direct"]
    box.create()
    if limit:
        assert (cgroup / "io.max").read_text() == f"{major}:{minor} rbps=max wbps={limit} riops=max wiops=max\n"
    since = time.monotonic()
    box.start()
    assert box.wait() == 0
    took = time.monotonic() - since
    assert (data / "file").stat().st_size == 4 * MB
    assert (took > 3) == bool(limit), took
    box.delete()


def test_io_weight(box, cgroup):
    """BFQ has the range of v1; without it iocost has its own."""
    box.resources["blockIO"] = {"weight": 500}
    begin(box, "/probe", "pause")
    weights = {name: (cgroup / name).read_text().splitlines()[0] for name in ("io.bfq.weight", "io.weight")
               if (cgroup / name).exists()}
    assert weights.get("io.bfq.weight", "default 500") == "default 500"
    assert "io.bfq.weight" in weights or weights["io.weight"] == f"default {1 + 490 * 9999 // 990}"
    box.stop()


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
def test_start_writes_no_cgroup_procs(box):
    """The first process is born in its cgroup; moving it there would cost a grace period of RCU."""
    box.resources["memory"] = {"limit": 64 * MB}
    box.set_probe("ids")
    box.write_config()
    trace = box.dir / "trace"
    options = ("-f", "--seccomp-bpf", "-o", trace, "-e", "trace=clone3,openat,openat2,write")
    runtime.call(*options, runtime.BINARY, "--root", box.root, "run", "--bundle", box.bundle, box.id, binary="strace",
                 timeout=60).ok()
    text = trace.read_text()
    assert "CLONE_INTO_CGROUP" in text and "memory.max" in text
    assert "cgroup.procs" not in text


def test_the_mount_keeps_its_options(box):
    """In the host's cgroup namespace a new mount would set the options of all of them."""
    before = [entry.options for entry in host.mounts() if entry.type == "cgroup2"]
    if not any("nsdelegate" in options for options in before):
        pytest.skip("the hierarchy is mounted without options")
    box.without_namespace("cgroup")
    mounted = box.probe(seen.MOUNTS).mount("/sys/fs/cgroup")
    assert mounted.type == "cgroup2" and mounted.options == before[0]
    assert [entry.options for entry in host.mounts() if entry.type == "cgroup2"] == before
