# SPDX-License-Identifier: LGPL-2.1-or-later
"""Is the yardstick honest, and does the bench judge and clean up as it says?"""
import glob
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import bench  # noqa: E402
import lab  # noqa: E402
import many  # noqa: E402
from report import Result  # noqa: E402

THOLE = os.environ.get("THOLE")
TOOLS = os.environ.get("BENCH_TOOLS") or os.path.join(os.path.dirname(THOLE or HERE), "tests/bench")

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="makes containers and cgroups")
needs_tools = pytest.mark.skipif(not os.access(f"{TOOLS}/timer", os.X_OK), reason=f"no floor and timer in {TOOLS}")

# What a container's first process sees of itself; on stderr, which the timer keeps.
LOOK = "; ".join(r"""
exec >&2
cat /proc/$$/mountinfo
stat -c '%N %A %t:%T' /dev/*
grep -E '^(Cap|NoNewPrivs|Seccomp:|Groups|Umask|Uid|Gid|NSpid|NSsid)' /proc/$$/status
grep files /proc/$$/limits
cat /proc/$$/cgroup
ls /proc/$$/fd /sys/class/net /proc/acpi /sys/firmware
cat /proc/keys /proc/timer_list
for file in /dev/*; do true <$file; done
echo $(hostname) $PATH $TERM $PWD
touch /there /proc/sys/kernel/hostname /proc/bus/there
true
""".strip().splitlines())


def world(text):
    """The facts in the output of LOOK that all runtimes must agree on."""
    facts = set()
    for line in text.split("\n"):
        if " - " in line:
            words = line.split()
            target, flags, fstype = words[4], set(words[5].split(",")), words[words.index("-") + 1]
            if target in ("/proc/keys", "/proc/timer_list"):
                fstype, flags = "", set()  # masked with the host's /dev/null or with the container's
            if (target, fstype) == ("/sys/fs/cgroup", "tmpfs"):
                flags -= {"ro", "rw"}  # the frame of the v1 hierarchies: not all make it read-only
            if target in ("/proc/acpi", "/sys/firmware"):
                flags &= {"ro"}  # thole's covers are nosuid, nodev and noexec, too
            if (target, fstype) == ("/sys/fs/cgroup/unified", "cgroup2"):
                continue  # on a hybrid host thole shows this hierarchy, too
            if target.startswith("/sys/fs/cgroup/") and fstype == "tmpfs":
                continue  # no hierarchy, but crun takes any directory there for one
            facts.add((target, fstype, *sorted(flags & {"ro", "rw", "nosuid", "nodev", "noexec"})))
        elif not re.search("/dev/core|/proc/kcore", line):  # which crun adds
            facts.add(line)
    return facts


@needs_root
@needs_tools
@pytest.mark.parametrize("view", lab.views(), ids=lambda view: view.name)
def test_floor_does_what_the_runtimes_do(view):
    """The floor's container cannot be told from theirs, so its time is that of the same work."""
    runtimes, _ = lab.find_runtimes(THOLE if THOLE and os.path.exists(THOLE) else None, f"{TOOLS}/floor")
    seen = {}
    with lab.Lab() as the_lab, the_lab.timer(f"{TOOLS}/timer", view) as timer:
        bundle = the_lab.bundle(view, ["/bin/sh", "-c", LOOK])
        for runtime in runtimes:
            argv = [runtime.path, "--root", the_lab.state_root(runtime, view), "run", "--bundle", bundle, "look"]
            if runtime.is_floor:
                argv = [runtime.path, the_lab.cgroup, the_lab.rootfs, "/bin/sh", "-c", LOOK]
            assert timer.run(argv).status == 0, timer.last_error()
            seen[runtime.name] = world(timer.take_errors())
    assert len(seen["floor"]) > 50
    for name, facts in seen.items():
        assert facts == seen["floor"], name


@needs_root
@needs_tools
def test_bench_reports_and_leaves_nothing(tmp_path):
    command = [sys.executable, f"{HERE}/bench.py", "--tools", TOOLS, "--rounds", "2", "--only", "run,version",
               "--json", f"{tmp_path}/bench.json", "--svg", f"{tmp_path}/bench.svg"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        output = process.communicate()[0]
    assert process.returncode == 0, output
    assert "failed:" not in output
    results = json.loads((tmp_path / "bench.json").read_text())["results"]
    for view in lab.views():
        taken = [one for one in results if (one["scenario"], one["view"], one["runtime"]) == ("run", view.name, "floor")]
        assert len(taken) == len(bench.PACES)
        assert all(one["n"] == 2 and 0 < one["minimum"] <= one["median"] for one in taken)
    drawing = ElementTree.parse(tmp_path / "bench.svg")
    assert len(drawing.findall("{*}rect")) == len(results)
    assert not glob.glob(f"{lab.CGROUP_ROOT}/**/thole-bench-{process.pid}", recursive=True)


@needs_tools
def test_timer_kills_what_passes_its_deadline():
    requests = "run\x1f1\x1fsh\x1f-c\x1fsetsid sleep 1000 & sleep 1000\nreap\x1f1\nrun\x1f9\x1fsh\x1f-c\x1fkill -9 $$\n"
    done = subprocess.run([f"{TOOLS}/timer"], input=requests, capture_output=True, text=True, timeout=30, check=True)
    late, reaped, killed = (line.split() for line in done.stdout.splitlines())
    assert late[0] == "-1" and 1e9 < int(late[1]) < 2e9
    assert reaped == ["0"]
    assert killed[0] == "137"


def verdicts(thole, crun=10.0, runc=20.0, floor=5.0, limit=192):
    view = lab.View("host", "host", v2=False)
    figures = {"thole": thole, "crun": crun, "runc": runc, "floor": floor}
    results = [Result(scenario, scenario, view, bench.FIRST_PACE, name, "ms", [figure, figure * 2])
               for scenario in ("run", "exec", "version") for name, figure in figures.items() if figure]
    results.append(Result("limit", "limit", view, bench.FIRST_PACE, "thole", "KiB", [limit]))
    return [passed for passed, _ in bench.check_marks(results)]


@pytest.mark.parametrize("given, expected", [
    ({"thole": 3.5}, [True, True, True, True, True, True]),
    ({"thole": 3.6}, [True, True, True, True, False, True]),
    ({"thole": 4.5}, [True, True, True, False, False, True]),
    ({"thole": 6.1}, [False, True, False, False, False, True]),
    ({"thole": 6.0, "floor": 3.0}, [True, False, False, False, False, True]),
    ({"thole": 3.5, "limit": 224}, [True, True, True, True, True, False]),
    ({"thole": 3.5, "crun": None}, [False, True, False, True, False, True]),
    ({"thole": None}, [False, False, False, False, False, True]),
])
def test_marks(given, expected):
    """Minima are judged; what was not measured was not met."""
    assert verdicts(**given) == expected


@pytest.mark.parametrize("among, floor, lists, expected", [
    ({"create": 2.1, "state": 1.0, "delete": 1.0}, 1.0, [50], [True, True, True, True]),
    ({"create": 2.5, "state": 1.2, "delete": 1.0}, 1.0, [70], [False, False, True, False]),
    ({"create": 2.5, "state": 1.0, "delete": 1.2}, 1.4, [70, 60], [True, True, False, True]),
])
def test_marks_of_many(among, floor, lists, expected):
    """What the kernel takes among many is not create's."""
    alone = {"floor": [1.0, 2.0], "create": [2.0, 3.0], "state": [1.0, 2.0], "delete": [1.0, 2.0]}
    verdicts = many.judge(alone, {name: [value] for name, value in among.items()} | {"floor": [floor]}, lists)
    assert [passed for passed, _ in verdicts] == expected
