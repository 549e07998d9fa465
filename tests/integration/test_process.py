# SPDX-License-Identifier: LGPL-2.1-or-later
"""process: who the program is, where it stands, what it is given."""

import os
from errno import EACCES, EPERM

import pytest

from harness import config, host, seen


@pytest.mark.root("has ids that are not mapped")
def test_user_and_groups(box):
    box.process["user"] = {"uid": 1000, "gid": 1001, "additionalGids": [5, 1002, 4000000000]}
    assert box.probe("ids")["ids"] == {
        "ruid": 1000, "euid": 1000, "suid": 1000, "rgid": 1001, "egid": 1001, "sgid": 1001,
        "groups": [5, 1002, 4000000000],
    }


@pytest.mark.root("gives the caller groups")
def test_groups_of_the_caller_do_not_leak(box):
    ids = box.probe("ids", before_exec=lambda: os.setgroups([4, 27]))["ids"]
    assert ids["groups"] == []


def test_many_groups(box):
    groups = list(range(10, 2010))
    box.process["user"]["additionalGids"] = groups
    assert box.probe("ids")["ids"]["groups"] == groups


@pytest.mark.parametrize("mask", [0, 0o077, 0o777])
def test_umask(box, mask):
    box.process["user"]["umask"] = mask
    assert box.probe("umask")["umask"] == mask


def test_umask_of_the_caller_does_not_leak(box):
    assert box.probe("umask", before_exec=lambda: os.umask(0o007))["umask"] == 0o022


def test_cwd(box):
    box.process["cwd"] = "/tmp"
    assert box.probe("cwd")["cwd"] == "/tmp"


@pytest.mark.parametrize("readonly", [False, True])
def test_missing_cwd_is_made(box, readonly):
    box.config["root"]["readonly"] = readonly
    box.process["cwd"] = "/srv/deep/er"
    seen = box.probe("cwd", "stat .")
    assert seen["cwd"] == "/srv/deep/er"
    assert (seen["stat ."]["type"], seen["stat ."]["mode"], seen["stat ."]["uid"]) == ("directory", 0o755, 0)


@pytest.mark.root("gives files away")
def test_cwd_of_another_user_alone(box):
    """A directory that only the program's user can enter: it is entered as that user."""
    home = box.rootfs / "home"
    home.mkdir()
    os.chown(home, 1000, 1000)
    home.chmod(0o700)
    box.process["user"] = {"uid": 1000, "gid": 1000}
    box.process["cwd"] = "/home"
    assert box.probe("cwd")["cwd"] == "/home"


def test_cwd_that_the_user_may_not_enter(box):
    """It is entered before the user is changed, as runc and crun do: an image's WORKDIR may be root's."""
    (box.rootfs / "secret").mkdir(mode=0o700)
    box.process["user"] = {"uid": 1000, "gid": 1000}
    box.process["cwd"] = "/secret"
    box.process["capabilities"] = {}
    assert box.probe("cwd")["cwd"] == "/secret"


def test_cwd_that_is_a_file(box):
    box.process["cwd"] = "/etc/passwd"
    box.try_create().error("/etc/passwd", "Not a directory")
    box.assert_clean()


def test_environment_is_that_of_the_config_alone(box):
    box.process["env"] = [config.PATH, "A=1", "EMPTY=", "SPACES= two words ", "EQUALS=a=b", "HOME=/tmp"]
    seen = box.probe("env", env={"SECRET": "of the caller", "_OCI_SYNCPIPE": "3"})
    assert sorted(seen["env"]) == sorted(box.process["env"])


def test_of_duplicate_variables_the_last_wins(box):
    box.process["env"] = [config.PATH, "A=first", "B=2", "A=last"]
    entries = [entry for entry in box.probe("env")["env"] if entry.startswith("A=")]
    assert entries[-1] == "A=last"
    assert len(entries) == 1


@pytest.mark.parametrize("uid, home", [(0, "/root"), (1000, "/home/user"), (4242, "/")])
def test_home_comes_from_passwd(box, uid, home):
    box.process["user"] = {"uid": uid, "gid": 0}
    assert box.probe("env")["env"].count(f"HOME={home}") == 1


def test_home_of_the_config_is_kept(box):
    box.process["env"].append("HOME=/elsewhere")
    assert box.probe("env").environment["HOME"] == "/elsewhere"


def test_arguments(box):
    box.process["args"] = ["/probe", "argv", "stat", "", "stat", " two  words", "stat", "ü\n\t'\""]
    report = seen.only(box.run().ok().out)
    expected = [word.encode().decode("latin1") for word in box.process["args"]]
    assert report["argv"] == expected


def test_long_environment_and_arguments(box):
    """More than any fixed buffer or 16-bit length: 100 KiB in one variable, 3000 variables, 3000 arguments."""
    box.process["env"] += ["LONG=" + "x" * 100_000] + [f"V{i}={'y' * 50}" for i in range(3000)]
    box.process["args"] = ["/probe", "env", "argv"] + ["umask"] * 3000
    report = seen.only(box.run().ok().out)
    assert len(report["env"]) >= 3002 and report.environment["LONG"] == "x" * 100_000
    assert report["argv"] == box.process["args"]


def test_program_is_found_in_the_path_of_the_container(box):
    (box.rootfs / "opt").mkdir()
    (box.rootfs / "opt/tool").symlink_to("/probe")
    box.process["env"] = ["PATH=/nowhere:/etc/passwd:/opt:/bin"]
    box.process["args"] = ["tool", "argv", "readlink", "/proc/self/exe"]
    report = seen.only(box.run().ok().out)
    assert report["argv"][0] == "tool"
    assert report["readlink /proc/self/exe"] == "/probe"


def test_path_search_skips_what_cannot_be_executed(box):
    for name in ("a", "b", "c"):
        (box.rootfs / name).mkdir()
    (box.rootfs / "a/tool").mkdir()
    (box.rootfs / "b/tool").write_text("not executable")
    (box.rootfs / "c/tool").symlink_to("/probe")
    box.process["env"] = ["PATH=/a:/b:/c"]
    box.process["args"] = ["tool", "readlink", "/proc/self/exe"]
    assert seen.only(box.run().ok().out)["readlink /proc/self/exe"] == "/probe"


def test_relative_program_is_relative_to_cwd(box):
    box.process["cwd"] = "/bin"
    box.process["args"] = ["./busybox", "true"]
    assert box.run().status == 0


def test_script_with_an_interpreter(box):
    script = box.rootfs / "bin/script"
    script.write_text("#!/bin/sh\necho arguments: $0 $*\n")
    script.chmod(0o755)
    box.process["args"] = ["script", "one", "two"]
    assert box.run().ok().out == "arguments: /bin/script one two\n"


def test_no_new_privileges(box):
    assert box.probe("prctl")["prctl"]["no_new_privs"] == 1


def test_new_privileges_are_possible(box):
    box.process["noNewPrivileges"] = False
    assert box.probe("prctl")["prctl"]["no_new_privs"] == 0


def test_process_attributes_are_plain(box, probe_here):
    """Nothing of the runtime's own tricks is left: keepcaps, securebits, parent-death signal, subreaper."""
    box.process["user"] = {"uid": 1000, "gid": 1000}
    attributes, callers = box.probe("prctl")["prctl"], probe_here("prctl")["prctl"]
    assert attributes == {"no_new_privs": 1, "seccomp": callers["seccomp"], "dumpable": 1, "keepcaps": 0, "securebits": 0,
                          "death_signal": 0, "subreaper": 0}


def test_rlimits(box):
    box.process["rlimits"] = [
        {"type": "RLIMIT_NOFILE", "soft": 256, "hard": 512},
        {"type": "RLIMIT_CORE", "soft": 0, "hard": 0},
        {"type": "RLIMIT_FSIZE", "soft": 1 << 40, "hard": (1 << 64) - 1},
        {"type": "RLIMIT_AS", "soft": 1 << 33, "hard": 1 << 34},
        {"type": "RLIMIT_STACK", "soft": 1 << 20, "hard": 1 << 22},
        {"type": "RLIMIT_NPROC", "soft": 100, "hard": 200},
    ]
    limits = box.probe("rlimits")["rlimits"]
    assert limits["NOFILE"] == [256, 512]
    assert limits["CORE"] == [0, 0]
    assert limits["FSIZE"] == [1 << 40, -1]
    assert limits["AS"] == [1 << 33, 1 << 34]
    assert limits["STACK"] == [1 << 20, 1 << 22]
    assert limits["NPROC"] == [100, 200]


def test_rlimits_not_named_are_the_callers(box, probe_here):
    box.process["rlimits"] = []
    assert box.probe("rlimits")["rlimits"] == probe_here("rlimits")["rlimits"]


@pytest.mark.skipif(host.has_capability(host.CAP_SYS_RESOURCE), reason="CAP_SYS_RESOURCE lets every limit be raised")
def test_rlimit_that_may_not_be_raised(box):
    box.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 1 << 20, "hard": 1 << 20}]
    message = box.try_create().error("process.rlimits[0]", "RLIMIT_NOFILE", "not permitted")
    assert "hint: " in message and "CAP_SYS_RESOURCE" in message
    box.assert_clean()


def test_oom_score_adj(box):
    box.process["oomScoreAdj"] = 345
    path = "/proc/self/oom_score_adj"
    assert box.probe(f"cat {path}")[f"cat {path}"] == "345\n"


def test_oom_score_adj_of_the_caller_stays(box):
    def adjust():
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write("77")

    path = "/proc/self/oom_score_adj"
    assert box.probe(f"cat {path}", before_exec=adjust)[f"cat {path}"] == "77\n"


@pytest.mark.skipif(host.has_capability(host.CAP_SYS_RESOURCE), reason="CAP_SYS_RESOURCE lets the score be lowered")
def test_oom_score_adj_that_may_not_be_lowered(box):
    box.process["oomScoreAdj"] = -500
    box.try_create().error("process.oomScoreAdj", "ermission denied")
    box.assert_clean()


@pytest.mark.root("raises priorities")
@pytest.mark.parametrize("scheduler, expected", [
    ({"policy": "SCHED_OTHER", "nice": 7}, {"policy": 0, "nice": 7, "priority": 0}),
    ({"policy": "SCHED_OTHER", "nice": -3}, {"policy": 0, "nice": -3}),
    ({"policy": "SCHED_FIFO", "priority": 42}, {"policy": 1, "priority": 42}),
    ({"policy": "SCHED_RR", "priority": 1}, {"policy": 2, "priority": 1}),
    ({"policy": "SCHED_BATCH", "nice": 5}, {"policy": 3, "nice": 5}),
    ({"policy": "SCHED_IDLE"}, {"policy": 5, "priority": 0}),
], ids=lambda value: value.get("policy") if isinstance(value, dict) else None)
def test_scheduler(box, scheduler, expected):
    box.process["scheduler"] = scheduler
    if "priority" in scheduler and os.path.exists(f"{host.HIERARCHIES.get('cpu')}/cpu.rt_runtime_us"):
        # A cgroup of v1 has no time for them until it is given some.
        box.resources["cpu"] = {"realtimeRuntime": 10000}
    assert box.probe("sched")["sched"].items() >= expected.items()


def test_scheduler_flags(box):
    box.process["scheduler"] = {"policy": "SCHED_BATCH", "nice": 3, "flags": ["SCHED_FLAG_RESET_ON_FORK"]}
    sched = box.probe("sched")["sched"]
    assert (sched["flags"] & 1, sched["policy"], sched["nice"]) == (1, 3, 3)  # SCHED_FLAG_RESET_ON_FORK, SCHED_BATCH


@pytest.mark.root("raises priorities")
def test_scheduler_deadline(box):
    box.process["scheduler"] = {"policy": "SCHED_DEADLINE", "runtime": 1_000_000, "deadline": 20_000_000,
                                "period": 50_000_000, "flags": ["SCHED_FLAG_RECLAIM"]}
    sched = box.probe("sched")["sched"]
    assert sched["policy"] == 6
    assert (sched["runtime"], sched["deadline"], sched["period"]) == (1_000_000, 20_000_000, 50_000_000)
    assert sched["flags"] & 2  # SCHED_FLAG_RECLAIM


@pytest.mark.root("raises priorities")
@pytest.mark.parametrize("name, number, priority", [("RT", 1, 0), ("BE", 2, 7), ("BE", 2, 3), ("IDLE", 3, 0)])
def test_io_priority(box, name, number, priority):
    box.process["ioPriority"] = {"class": f"IOPRIO_CLASS_{name}", "priority": priority}
    assert box.probe("sched")["sched"]["ioprio"] == number << 13 | priority


@pytest.mark.parametrize("domain, number", [("LINUX", 0), ("LINUX32", 8)])
def test_personality(box, domain, number):
    box.linux["personality"] = {"domain": domain}
    report = box.probe("sched", "uname")
    assert report["sched"]["personality"] == number
    assert (report["uname"]["machine"] != os.uname().machine) == (domain == "LINUX32")


@pytest.mark.skipif(not os.path.exists("/proc/self/numa_maps"), reason="this kernel knows no memory nodes")
@pytest.mark.parametrize("policy, shown", [
    ({"mode": "MPOL_DEFAULT"}, "default"), ({"mode": "MPOL_LOCAL"}, "local"),
    ({"mode": "MPOL_BIND", "nodes": "0"}, "bind:0"), ({"mode": "MPOL_INTERLEAVE", "nodes": "0"}, "interleave:0"),
    ({"mode": "MPOL_PREFERRED", "nodes": "0"}, "prefer:0"),
    ({"mode": "MPOL_PREFERRED_MANY", "nodes": "0"}, "prefer (many):0"),
    ({"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]}, "bind=static:0"),
    ({"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_RELATIVE_NODES"]}, "bind=relative:0"),
])
def test_memory_policy(box, policy, shown):
    box.linux["memoryPolicy"] = policy
    maps = box.probe("cat /proc/self/numa_maps")["cat /proc/self/numa_maps"].splitlines()
    assert maps and all(f"{line} ".split(" ", 1)[1].startswith(f"{shown} ") for line in maps), maps


@pytest.mark.parametrize("parent, member, value, words", [
    ("process", "scheduler", {"policy": "SCHED_SPORADIC"}, ["scheduler.policy", "SCHED_SPORADIC"]),
    ("process", "scheduler", {"policy": "SCHED_OTHER", "nice": 20}, ["scheduler.nice", "-20 to 19"]),
    ("process", "scheduler", {"policy": "SCHED_IDLE", "flags": ["SCHED_FLAG_ODD"]}, ["scheduler.flags[0]", "FLAG_ODD"]),
    ("process", "scheduler", {"policy": "SCHED_DEADLINE", "runtime": 3, "deadline": 2}, ["scheduler", "<= deadline"]),
    # What only the kernel refuses: a runtime of less than 1024 ns.
    ("process", "scheduler", {"policy": "SCHED_DEADLINE", "runtime": 1, "deadline": 2}, ["scheduler", "SCHED_DEADLINE"]),
    ("process", "ioPriority", {"class": "IOPRIO_CLASS_TOP", "priority": 0}, ["ioPriority.class", "IOPRIO_CLASS_TOP"]),
    ("process", "ioPriority", {"class": "IOPRIO_CLASS_BE", "priority": 8}, ["ioPriority.priority", "0 to 7"]),
    ("linux", "personality", {"domain": "SOLARIS"}, ["personality.domain", "SOLARIS"]),
    ("linux", "memoryPolicy", {"mode": "MPOL_ODD"}, ["memoryPolicy.mode", "MPOL_ODD"]),
    ("linux", "memoryPolicy", {"mode": "MPOL_BIND", "nodes": "77"}, ["linux.memoryPolicy", "memory policy"]),
])
def test_bad_scheduling(box, parent, member, value, words):
    box.config[parent][member] = value
    box.try_create().error("config.json:", *words)
    box.assert_clean()


def test_hostname_and_domainname(box):
    box.config["hostname"], box.config["domainname"] = "oar", "boat.example"
    names = box.probe("uname")["uname"]
    assert (names["nodename"], names["domainname"]) == ("oar", "boat.example")


def test_hostname_of_the_host_stays(box, probe_here):
    before = probe_here("uname")
    box.config["hostname"] = "oar"
    box.probe("uname")
    assert probe_here("uname") == before


@pytest.mark.parametrize("member", ["hostname", "domainname"])
def test_name_needs_a_uts_namespace(box, member):
    box.without_namespace("uts")
    del box.config["hostname"]
    box.config[member] = "oar"
    box.try_create().error(member, "UTS")
    box.assert_clean()


def test_no_keyring_of_the_caller(box, probe_here):
    """The container has a session keyring of its own, or it could read the caller's keys."""
    assert box.probe("keyring")["keyring"].get("serial") != probe_here("keyring")["keyring"].get("serial")


@pytest.mark.root("sees the keyrings of root")
def test_no_new_keyring(box, probe_here):
    box.set_probe("keyring")
    report = seen.only(box.run("--no-new-keyring").ok().out)
    assert report["keyring"].get("serial") == probe_here("keyring")["keyring"].get("serial")


def test_first_process_is_pid_1_and_leads_a_session(box):
    pids = box.probe("pids")["pids"]
    assert (pids["pid"], pids["ppid"], pids["session"], pids["pgrp"]) == (1, 0, 1, 1)


def test_program_cannot_look_into_other_processes(box):
    box.process["user"] = {"uid": 1000, "gid": 1000}
    report = box.probe("ptrace 1", "setuid 0", "open /proc/1/mem rw")
    assert seen.failed(report["setuid 0"], EPERM)
    assert report["ptrace 1"]["errno"] in (EPERM, EACCES)
