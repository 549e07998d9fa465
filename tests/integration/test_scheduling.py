# SPDX-License-Identifier: LGPL-2.1-or-later
"""process.scheduler, ioPriority and execCPUAffinity, linux.memoryPolicy and personality."""

import os

import pytest

from harness import host

POLICIES = {"SCHED_OTHER": 0, "SCHED_FIFO": 1, "SCHED_RR": 2, "SCHED_BATCH": 3, "SCHED_IDLE": 5, "SCHED_DEADLINE": 6}

# linux/sched.h
RESET_ON_FORK, RECLAIM, DL_OVERRUN = 1, 2, 4

DEADLINE = {"policy": "SCHED_DEADLINE", "runtime": 3_000_000, "deadline": 9_000_000, "period": 30_000_000}

MODES = {"MPOL_DEFAULT": 0, "MPOL_PREFERRED": 1, "MPOL_BIND": 2, "MPOL_INTERLEAVE": 3, "MPOL_LOCAL": 4,
         "MPOL_PREFERRED_MANY": 5, "MPOL_WEIGHTED_INTERLEAVE": 6}
WITHOUT_NODES = ("MPOL_DEFAULT", "MPOL_LOCAL")
MODE_FLAGS = {"MPOL_F_NUMA_BALANCING": 1 << 13, "MPOL_F_RELATIVE_NODES": 1 << 14, "MPOL_F_STATIC_NODES": 1 << 15}


def sched(box, **scheduler):
    box.process["scheduler"] = scheduler
    return box.probe("sched")["sched"]


@pytest.mark.root("raises priorities")
@pytest.mark.parametrize("policy, nice", [("SCHED_OTHER", 7), ("SCHED_OTHER", -5), ("SCHED_BATCH", 3)])
def test_nice(box, policy, nice):
    seen = sched(box, policy=policy, nice=nice)
    assert (seen["policy"], seen["nice"], seen["priority"]) == (POLICIES[policy], nice, 0)


REAL_TIME = [("SCHED_FIFO", 1), ("SCHED_RR", 42), ("SCHED_FIFO", 99)]


@pytest.mark.parametrize("view", host.VIEWS[-1:])  # v1 wants a share of real time
@pytest.mark.parametrize("policy, priority", REAL_TIME)
def test_real_time(box, policy, priority):
    seen = sched(box, policy=policy, priority=priority)
    assert (seen["policy"], seen["priority"], seen["flags"]) == (POLICIES[policy], priority, 0)


@pytest.mark.skipif("cpu" not in host.HIERARCHIES, reason="the cpu controller is not of cgroup v1")
def test_real_time_without_a_share(box):
    box.process["scheduler"] = {"policy": "SCHED_FIFO", "priority": 1}
    for _ in range(10):  # whoever is faster, the runtime or init
        message = box.try_create().error("process.scheduler", "SCHED_FIFO", "not permitted")
        assert "linux.resources.cpu.realtimeRuntime" in message
    box.assert_clean()


@pytest.mark.root("raises priorities")
@pytest.mark.skipif("cpu" not in host.HIERARCHIES, reason="the cpu controller is not of cgroup v1")
def test_real_time_with_a_share(box):
    box.resources["cpu"] = {"realtimeRuntime": 10000, "realtimePeriod": 1000000}
    assert sched(box, policy="SCHED_RR", priority=3)["policy"] == POLICIES["SCHED_RR"]


def test_idle(box):
    assert sched(box, policy="SCHED_IDLE")["policy"] == POLICIES["SCHED_IDLE"]


@pytest.mark.root("raises priorities")
def test_deadline(box):
    seen = sched(box, **DEADLINE, flags=["SCHED_FLAG_RECLAIM", "SCHED_FLAG_DL_OVERRUN"])
    assert seen["policy"] == POLICIES["SCHED_DEADLINE"]
    assert [seen[name] for name in ("runtime", "deadline", "period")] == [3_000_000, 9_000_000, 30_000_000]
    assert seen["flags"] == RECLAIM | DL_OVERRUN


def test_deadline_that_the_kernel_refuses(box):
    """sched(7): nothing below a microsecond."""
    box.process["scheduler"] = DEADLINE | {"runtime": 100, "deadline": 200, "period": 1000}
    box.try_create().error("process.scheduler", "SCHED_DEADLINE", "Invalid argument")
    box.assert_clean()


@pytest.mark.root("raises priorities")
@pytest.mark.parametrize("flags", [[], ["SCHED_FLAG_RESET_ON_FORK"]])
def test_deadline_and_hooks(box, flags):
    """A process of SCHED_DEADLINE cannot fork, but for children with another policy."""
    box.process["scheduler"] = DEADLINE | {"flags": flags}
    box.config["hooks"] = {"startContainer": [{"path": "/bin/true"}], "createContainer": [{"path": "/bin/true"}]}
    if flags:
        assert box.probe("sched")["sched"]["flags"] == RESET_ON_FORK
    else:
        box.try_create().error("hooks.startContainer", "SCHED_FLAG_RESET_ON_FORK")
        box.assert_clean()


def test_reset_on_fork(box):
    assert sched(box, policy="SCHED_BATCH", flags=["SCHED_FLAG_RESET_ON_FORK"])["flags"] == RESET_ON_FORK


def test_keep_policy_and_parameters(box):
    """The caller's stand against those of the config."""
    def be_different():
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        os.nice(4)

    box.process["scheduler"] = {"policy": "SCHED_OTHER", "nice": 9, "flags": ["SCHED_FLAG_KEEP_POLICY"]}
    seen = box.probe("sched", before_exec=be_different)["sched"]
    assert (seen["policy"], seen["nice"]) == (POLICIES["SCHED_BATCH"], 9)
    box.process["scheduler"]["flags"] = ["SCHED_FLAG_KEEP_PARAMS"]
    seen = box.probe("sched", before_exec=be_different)["sched"]
    assert (seen["policy"], seen["nice"]) == (POLICIES["SCHED_BATCH"], os.nice(0) + 4)


@pytest.mark.parametrize("flag", ["SCHED_FLAG_UTIL_CLAMP_MIN", "SCHED_FLAG_UTIL_CLAMP_MAX"])
def test_clamp(box, flag):
    """There are flags for it, but no values: it is 0, on a kernel that can."""
    box.process["scheduler"] = {"policy": "SCHED_OTHER", "flags": [flag]}
    box.set_probe("sched")
    result = box.run()
    if result.status == 0:
        assert result.out
    else:
        assert "CONFIG_UCLAMP_TASK" in result.error("process.scheduler", "Operation not supported")


@pytest.mark.parametrize("scheduler, word", [
    ({}, "policy"), ({"policy": "SCHED_SPORADIC"}, "SCHED_SPORADIC"), ({"policy": "SCHED_ISO"}, "SCHED_ISO"),
    ({"policy": "SCHED_OTHER", "nice": 20}, "-20 to 19"), ({"policy": "SCHED_RR"}, "1 to 99"),
    ({"policy": "SCHED_DEADLINE", "deadline": 1}, "needs a runtime"),
    ({"policy": "SCHED_IDLE", "flags": ["SCHED_FLAG_ODD"]}, "SCHED_FLAG_ODD"),
    ({"policy": "SCHED_DEADLINE", "runtime": 1 << 64}, "runtime"), ({"policy": 3}, "string"),
])
def test_bad_scheduler(box, scheduler, word):
    box.process["scheduler"] = scheduler
    box.try_create().error("process.scheduler", word)
    box.assert_clean()


@pytest.mark.root("raises priorities")
@pytest.mark.parametrize("kind, number", [("RT", 1), ("BE", 2), ("IDLE", 3)])
@pytest.mark.parametrize("priority", [0, 7])
def test_io_priority(box, kind, number, priority):
    box.process["ioPriority"] = {"class": f"IOPRIO_CLASS_{kind}", "priority": priority}
    assert box.probe("sched")["sched"]["ioprio"] == number << 13 | priority


@pytest.mark.parametrize("io_priority, word", [
    ({"class": "IOPRIO_CLASS_NONE", "priority": 0}, "IOPRIO_CLASS_NONE"), ({"priority": 0}, "class"),
    ({"class": "IOPRIO_CLASS_BE"}, "priority"), ({"class": "IOPRIO_CLASS_BE", "priority": 8}, "0 to 7"),
])
def test_bad_io_priority(box, io_priority, word):
    box.process["ioPriority"] = io_priority
    box.try_create().error("process.ioPriority", word)
    box.assert_clean()


def test_exec_cpu_affinity_is_not_the_programs(box, probe_here):
    """config.md: not applicable to the container's init process."""
    box.process["execCPUAffinity"] = {"initial": "0", "final": "0"}
    assert box.probe("sched")["sched"]["cpus"] == probe_here("sched")["sched"]["cpus"]


@pytest.mark.parametrize("member", ["initial", "final"])
@pytest.mark.parametrize("cpus, word", [("3-1", "list of numbers"), ("one", "list of numbers"), ("-1", "list of numbers"),
                                        ("0-8192", "no CPU 8192"), (0, "string")])
def test_bad_exec_cpu_affinity(box, member, cpus, word):
    box.process["execCPUAffinity"] = {member: cpus}
    box.try_create().error(f"process.execCPUAffinity.{member}", word)
    box.assert_clean()


@pytest.mark.parametrize("domain, number, machine", [("LINUX", 0, "x86_64"), ("LINUX32", 8, "i686")])
def test_personality(box, domain, number, machine):
    """Whatever the caller's is."""
    def other():
        assert host.libc.personality(8 if number == 0 else 0) >= 0

    box.linux["personality"] = {"domain": domain, "flags": []}
    report = box.probe("sched", "uname", before_exec=other)
    assert report["sched"]["personality"] == number
    if os.uname().machine == "x86_64":
        assert report["uname"]["machine"] == machine


@pytest.mark.parametrize("personality, word", [
    ({}, "domain"), ({"domain": "BSD"}, "BSD"), ({"domain": "LINUX", "flags": ["ADDR_NO_RANDOMIZE"]}, "no flags"),
])
def test_bad_personality(box, personality, word):
    box.linux["personality"] = personality
    box.try_create().error("linux.personality", word)
    box.assert_clean()


def memory_policy(box, mode, flags=()):
    nodes = {} if mode in WITHOUT_NODES else {"nodes": "0"}
    box.linux["memoryPolicy"] = {"mode": mode, "flags": list(flags)} | nodes
    return box.probe("mempolicy")["mempolicy"]


@pytest.mark.parametrize("mode", MODES)
def test_memory_policy(box, mode):
    assert memory_policy(box, mode) == {"mode": MODES[mode], "nodes": [] if mode in WITHOUT_NODES else [0]}


@pytest.mark.parametrize("flag", MODE_FLAGS)
def test_memory_policy_flag(box, flag):
    assert memory_policy(box, "MPOL_BIND", [flag])["mode"] == MODES["MPOL_BIND"] | MODE_FLAGS[flag]


def test_memory_policy_flags_together(box):
    flags = ["MPOL_F_NUMA_BALANCING", "MPOL_F_STATIC_NODES"]
    assert memory_policy(box, "MPOL_BIND", flags)["mode"] == MODES["MPOL_BIND"] | sum(MODE_FLAGS[flag] for flag in flags)


@pytest.mark.parametrize("policy, word", [
    ({"nodes": "0"}, "mode"), ({"mode": "MPOL_NEAREST"}, "MPOL_NEAREST"), ({"mode": "MPOL_BIND"}, "needs nodes"),
    ({"mode": "MPOL_LOCAL", "nodes": "0"}, "takes no nodes"), ({"mode": "MPOL_BIND", "nodes": "0-"}, "list of numbers"),
    ({"mode": "MPOL_BIND", "nodes": "0,1024"}, "no node 1024"),
    ({"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_ODD"]}, "MPOL_F_ODD"),
    ({"mode": "MPOL_INTERLEAVE", "nodes": "0", "flags": ["MPOL_F_NUMA_BALANCING"]}, "MPOL_F_NUMA_BALANCING"),
])
def test_bad_memory_policy(box, policy, word):
    box.linux["memoryPolicy"] = policy
    box.try_create().error("linux.memoryPolicy", word)
    box.assert_clean()


@pytest.mark.skipif(os.path.exists("/sys/devices/system/node/node900"), reason="a large machine")
def test_memory_policy_of_a_missing_node(box):
    box.linux["memoryPolicy"] = {"mode": "MPOL_BIND", "nodes": "900"}
    assert "has_memory" in box.try_create().error("linux.memoryPolicy", "Invalid argument")
    box.assert_clean()
