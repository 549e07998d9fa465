# SPDX-License-Identifier: LGPL-2.1-or-later
"""exec: another process in a container, as options, a file and the container say."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import threading
import time
from errno import EPERM
from pathlib import Path

import pytest

from harness import host, runtime, seen, user
from harness.box import wait_pid
from harness.seen import failed
from harness.terminal import ConsoleSocket, Terminal

PAUSE = ["/probe", "pause"]
USERS = [{"containerID": 0, "hostID": 100000, "size": 65536}]

each_view = pytest.mark.parametrize("view", host.VIEWS)


def start(box, *program):
    """Starts BOX, whose program waits for ever if none is given."""
    box.process["args"] = list(program or PAUSE)
    box.create()
    box.start()
    return box


@pytest.fixture
def box(box):
    """Without the dearest of all namespaces; not started."""
    box.without_network()
    return box


@pytest.fixture
def running(box):
    return start(box)


def execute(box, *program, options=(), **more):
    return box.call("exec", *options, box.id, *program, **more)


def look(box, *commands, options=(), **more):
    """What the probe sees, executed with OPTIONS."""
    return seen.only(execute(box, "/probe", *seen.words(commands), options=options, **more).ok().out)


def refuse(box, *words, options=(), program=("/probe", "ids"), **more):
    """The message of an exec that fails by our own doing."""
    result = execute(box, *program, options=options, **more)
    assert result.status == 255, result
    return result.complaint("exec", *words)


def write_process(box, **members):
    path = box.dir / "process.json"
    path.write_text(json.dumps({"cwd": "/", "args": ["/probe", "ids"]} | members))
    return path


def detach(box, *program, options=()):
    """The pid of PROGRAM, which runs on, and is our child then; to be ended by `end`."""
    file = box.dir / "exec.pid"
    execute(box, *(program or PAUSE), options=["--detach", "--pid-file", file, *options]).ok()
    return int(file.read_text())


def end(pid):
    os.kill(pid, signal.SIGKILL)
    assert wait_pid(pid) == 128 + signal.SIGKILL


def freeze(box, frozen=True):
    hierarchies = host.view_hierarchies(box.view)
    if "" in hierarchies:
        Path(f"{hierarchies['']}{box.cgroup}/cgroup.freeze").write_text("1" if frozen else "0")
    else:
        Path(f"{hierarchies['freezer']}{box.cgroup}/freezer.state").write_text("FROZEN" if frozen else "THAWED")
    host.until(lambda: box.status() == ("paused" if frozen else "running"), "frozen or not")


# ---- where it is


@each_view
def test_namespaces_and_cgroups(box, view):
    start(box)
    report = look(box, "ns", "cat /proc/self/cgroup", "pids", "uname", "cat /proc/1/cmdline", "ls /")
    for kind in ("mnt", "pid", "ipc", "uts", "cgroup", "user", "net"):
        assert report["ns"][kind] == host.namespace(kind, box.pid), kind
    assert report["uname"]["nodename"] == "box"
    assert report["cat /proc/1/cmdline"].startswith("/probe\0pause")
    assert "probe" in report["ls /"]
    # A session of its own; the parent is outside.
    pids = report["pids"]
    assert pids["pid"] == pids["session"] == pids["pgrp"] > 1 and pids["ppid"] == 0
    # With a cgroup namespace the container's cgroup is its root.
    assert {line.split(":", 2)[2] for line in report["cat /proc/self/cgroup"].splitlines()
            if view != "v2" or line.startswith("0:")} == {"/"}


@pytest.mark.root("makes cgroups")
@each_view
def test_cgroup_of_a_detached_one(box, view):
    start(box)
    pid = detach(box)
    where = {line.split(":", 2)[1]: line.split(":", 2)[2]
             for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines()}
    shown = host.view_hierarchies(view)
    for name in shown:
        assert [path for names, path in where.items() if name in names.split(",")] == [box.cgroup], (name, where)
    end(pid)


def test_user_namespace(box):
    if user.PRIVILEGED:
        box.set_namespace("user")
        for destination in ("/sys", "/sys/fs/cgroup"):
            box.drop_mount(destination)
        box.linux["uidMappings"] = box.linux["gidMappings"] = USERS
    start(box)
    report = look(box, "ids", "ns", options=["-u", "1:2", "-g", "3"])
    assert report["ns"]["user"] == host.namespace("user", box.pid) != host.namespace("user")
    assert (report["ids"]["ruid"], report["ids"]["rgid"], report["ids"]["groups"]) == (1, 2, [3])


def test_time_namespace(box):
    box.set_namespace("time")
    box.linux["timeOffsets"] = {"monotonic": {"secs": 1000000}, "boottime": {"secs": 2000000}}
    start(box)
    report = look(box, "clocks", "ns")
    assert report["ns"]["time"] == host.namespace("time", box.pid) != host.namespace("time")
    assert report["clocks"]["monotonic"] > time.clock_gettime(time.CLOCK_MONOTONIC) + 999990


@pytest.mark.root("joins namespaces of root's")
def test_joined_pid_namespace(box, holder):
    """Also where the namespace was not made for the container."""
    outside = holder(host.CLONE_NEWUTS)
    box.config.pop("hostname")
    box.set_namespace("uts", f"/proc/{outside}/ns/uts")
    start(box)
    assert look(box, "ns")["ns"]["uts"] == host.namespace("uts", outside)


@pytest.mark.root("shares all but the user namespace with the host")
def test_namespaces_of_the_host_stay_the_callers(box):
    box.without_namespace("ipc")
    start(box)
    assert look(box, "ns")["ns"]["ipc"] == host.namespace("ipc")


@pytest.mark.root("joins namespaces of root's")
def test_root_without_a_mount_namespace_of_its_own(box, holder):
    """The root is then not that of a namespace, but what the first process was changed into."""
    outside = holder(host.CLONE_NEWNS)
    box.set_namespace("mount", f"/proc/{outside}/ns/mnt")
    start(box)
    report = look(box, "ls /", "cwd", "ns")
    assert "probe" in report["ls /"] and report["cwd"] == "/"
    assert report["ns"]["mnt"] == host.namespace("mnt", outside)
    box.stop()


def test_root_with_no_pivot(box):
    box.process["args"] = PAUSE
    box.create("--no-pivot")
    box.start()
    assert "probe" in look(box, "ls /")["ls /"]


def test_created_container(box):
    """Its namespaces and mounts are there, and it need not have been started."""
    box.process["args"] = PAUSE
    box.create()
    assert "probe" in look(box, "ls /")["ls /"]
    assert box.status() == "created"
    box.start()


# ---- options


def test_what_is_not_said_is_as_for_the_first_process(box):
    box.process.update({
        "user": {"uid": 1000, "gid": 1001, "additionalGids": [5], "umask": 0o027},
        "cwd": "/tmp",
        "env": [*box.process["env"], "A=1"],
        "oomScoreAdj": 100,
        "ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 3},
        "scheduler": {"policy": "SCHED_BATCH", "nice": 5},
        "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 77, "hard": 99}],
    })
    commands = ["ids", "cwd", "env", "umask", "sched", "rlimits", "caps", "prctl", "cat /proc/self/oom_score_adj",
                "signals", "argv"]
    box.process["args"] = ["/probe", *seen.words(commands), "pause"]
    created = box.create()
    box.start()
    host.until(lambda: created.out.endswith("\n"), "the report of the first process")
    first, again = seen.only(created.out), look(box, *commands)
    assert first.pop("pause") and first.pop("argv") != again.pop("argv")
    assert first == again
    assert first["ids"] == {"ruid": 1000, "euid": 1000, "suid": 1000, "rgid": 1001, "egid": 1001, "sgid": 1001,
                            "groups": [5]}
    assert (first["cwd"], first["umask"], first["cat /proc/self/oom_score_adj"]) == ("/tmp", 0o027, "100\n")
    assert first.environment["A"] == "1" and first.environment["HOME"] == "/home/user"
    assert first["rlimits"]["NOFILE"] == [77, 99]
    assert first["sched"]["nice"] == 5 and first["sched"]["policy"] == 3 and first["sched"]["ioprio"] == 2 << 13 | 3
    assert first["prctl"]["no_new_privs"] == 1


def test_cwd(running):
    assert look(running, "cwd", options=["--cwd", "/tmp"])["cwd"] == "/tmp"
    assert look(running, "cwd", options=["--cwd=/proc/self/"])["cwd"].startswith("/proc/")


@pytest.mark.parametrize("path, words", [
    ("tmp", ['--cwd: "tmp" is not an absolute path']), ("", ["--cwd"]),
    ("/nowhere", ["/nowhere", "No such file or directory"]), ("/etc/passwd", ["/etc/passwd", "Not a directory"]),
])
def test_bad_cwd(running, path, words):
    refuse(running, *words, options=["--cwd", path])


def test_environment_is_added(running):
    got = look(running, "env", options=["-e", "A=1", "--env", "B=2", "--env=TERM=other", "-eA=3", "-e", "EMPTY="])
    assert got.environment | {"A": "3", "B": "2", "TERM": "other", "EMPTY": ""} == got.environment
    assert len(got["env"]) == len(got.environment)
    assert got.environment["PATH"].startswith("/usr/local/sbin")


def test_many_variables(running):
    options = [word for i in range(3000) for word in ("-e", f"V{i}={i}")]
    script = "set | grep -c '^V[0-9]'; echo $V0 $V1023 $V1024 $V2999"
    os.symlink("busybox", running.rootfs / "bin/grep")
    out = execute(running, "sh", "-c", script, options=options).ok().out
    assert out.split() == ["3000", "0", "1023", "1024", "2999"]


@pytest.mark.parametrize("entry", ["A", "=1", ""])
def test_bad_variable(running, entry):
    refuse(running, f'--env: "{entry}" is not of the form NAME=VALUE', options=["-e", entry])


def test_path_of_the_environment_finds_the_program(running):
    (running.rootfs / "opt").mkdir()
    os.link(running.rootfs / "probe", running.rootfs / "opt/look")
    assert seen.only(execute(running, "look", "ids", options=["-e", "PATH=/opt"]).ok().out)["ids"]["ruid"] == 0
    assert "not found in $PATH" in refuse(running, program=["look", "ids"])


@pytest.mark.parametrize("given, uid, gid", [("1000", 1000, 7), ("1000:1", 1000, 1), ("0:0", 0, 0),
                                            ("01", 1, 7), pytest.param("4294967294:4294967294", 4294967294, 4294967294,
                                                                     marks=pytest.mark.root("an id that is mapped"))])
def test_user(box, given, uid, gid):
    box.process["user"]["gid"] = 7
    start(box)
    ids = look(box, "ids", options=["--user", given])["ids"]
    assert [ids[name] for name in ("ruid", "euid", "suid")] == [uid] * 3
    assert [ids[name] for name in ("rgid", "egid", "sgid")] == [gid] * 3
    assert ids["groups"] == []


@pytest.mark.parametrize("given", ["", "1:", ":1", " 1", "1 ", "-1", "+1", "4294967295", "4294967296", "root", "1:root",
                                  "18446744073709551616", "1:2:3", "0x1", "1,2"])
def test_bad_user(running, given):
    """CVE-2026-30892: what is misread must not be root."""
    refuse(running, "--user: ", f'"{given}" is not of the form UID[:GID]', options=[f"--user={given}"])


def test_groups_are_added(box):
    box.process["user"]["additionalGids"] = [9]
    start(box)
    assert look(box, "ids", options=["-g", "5", "--additional-gids", "6"])["ids"]["groups"] == [5, 6, 9]


@pytest.mark.parametrize("group", ["x", "-1", "", "4294967295"])
def test_bad_group(running, group):
    refuse(running, "--additional-gids", options=[f"--additional-gids={group}"])


def test_capabilities_are_added_but_never_inheritable(running):
    """CVE-2022-29162."""
    before = look(running, "caps")["caps"]
    after = look(running, "caps", "cat /proc/self/status", options=["--cap", "CAP_CHOWN", "-c", "CAP_SYS_TIME"])
    added = sorted({0, 25})
    for kind in ("bounding", "permitted", "effective"):
        assert sorted(set(after["caps"][kind]) - set(before[kind])) == added, kind
    assert after["caps"]["inheritable"] == after["caps"]["ambient"] == []
    assert "CapInh:\t0000000000000000\n" in after["cat /proc/self/status"]


def test_inheritable_capabilities_of_the_caller(running):
    got = look(running, "caps", options=["--cap", "CAP_NET_RAW", "-u", "1000"])["caps"]
    assert got["inheritable"] == got["effective"] == got["permitted"] == []
    assert 13 in got["bounding"]


@pytest.mark.parametrize("name, hint", [("CAP_CHOWNN", "did you mean CAP_CHOWN?"), ("chown", ""), ("", "")])
def test_bad_capability(running, name, hint):
    assert hint in refuse(running, "--cap", name, options=[f"--cap={name}"])


def test_no_new_privileges(box):
    box.process["noNewPrivileges"] = False
    start(box)
    assert look(box, "prctl")["prctl"]["no_new_privs"] == 0
    assert look(box, "prctl", options=["--no-new-privs"])["prctl"]["no_new_privs"] == 1


@pytest.mark.parametrize("option, word", [("--apparmor", "AppArmor"), ("--process-label", "SELinux")])
def test_label_without_its_lsm(running, option, word):
    if Path("/sys/kernel/security/apparmor" if option == "--apparmor" else "/sys/fs/selinux/enforce").exists():
        pytest.skip(f"{word} is active")
    refuse(running, word, options=[option, "some_label_t"])


def test_preserved_descriptors(running):
    def leave_open():
        for number in (3, 4, 5, 6):
            os.dup2(os.open("/etc/hostname", os.O_RDONLY), number)

    report = look(running, "fds", options=["--preserve-fds", "2"], before_exec=leave_open, close_fds=False)
    assert sorted(report["fds"]) == ["0", "1", "2", "3", "4"]
    assert sorted(look(running, "fds", before_exec=leave_open, close_fds=False)["fds"]) == ["0", "1", "2"]
    refuse(running, "--preserve-fds", "descriptor 3 is not open", options=["--preserve-fds", "2"])


def test_listen_fds(running):
    """Socket activation: LISTEN_PID is what the program, which is not the first, finds itself to be."""

    def listen():
        for number in (3, 4, 5):
            os.dup2(os.open("/etc/hostname", os.O_RDONLY), number)

    env = {"LISTEN_FDS": "2", "LISTEN_FDNAMES": "one:two"}
    report = look(running, "fds", "env", "pids", before_exec=listen, close_fds=False, env=env)
    assert sorted(report["fds"]) == ["0", "1", "2", "3", "4"]
    assert report["pids"]["pid"] > 1
    assert {name: report.environment.get(name) for name in ("LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PID")} \
        == env | {"LISTEN_PID": str(report["pids"]["pid"])}
    assert "LISTEN_PID" not in look(running, "env", env=env | {"LISTEN_PID": "1"}).environment


def test_options_end_at_the_container(running):
    """What follows is the program's, whatever it looks like."""
    assert execute(running, "sh", "-c", 'echo "$@"', "sh", "-t", "--cwd", "--", "-u").ok().out == "-t --cwd -- -u\n"


def test_pid_file_and_parent(running):
    """The process is ours, as whose child runc's callers expect it, and not yet over when the file is there."""
    pid = detach(running)
    assert (running.dir / "exec.pid").read_text() == str(pid)
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    assert int(fields[1]) == os.getpid() and int(fields[2]) == int(fields[3]) == pid
    assert host.namespace("pid", pid) == host.namespace("pid", running.pid)
    end(pid)


@pytest.mark.root("finds the program by its cgroup")
def test_pid_file_that_cannot_be_written(running):
    refuse(running, "/nowhere/pid", options=["-d", "--pid-file", "/nowhere/pid"], program=PAUSE)
    host.until(lambda: len(running.cgroup_procs()) == 1, "the program is gone")


def test_nothing_is_executed_without_a_pid_file(running):
    result = execute(running, "sh", "-c", "echo it ran", options=["--pid-file", "/nowhere/pid"])
    result.complaint("exec", "/nowhere/pid")
    assert result.out == ""


def test_no_pid_file_of_what_failed(running):
    """Neither in its place nor beside it; what was there before is kept."""
    files = {running.dir / "new", running.dir / "old"}
    (running.dir / "old").write_text("7")
    before = set(running.dir.iterdir())
    for file in files:
        refuse(running, "/bin/none", options=["--pid-file", file], program=["/bin/none"])
        refuse(running, "pidfd socket", options=["--pid-file", running.dir / "new", "--pidfd-socket", "/nowhere"])
    assert set(running.dir.iterdir()) == before and (running.dir / "old").read_text() == "7"


def test_pidfd_socket(running):
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(running.dir / "pidfd"))
        listening.listen()
        pid = detach(running, options=["--pidfd-socket", running.dir / "pidfd"])
        connection, _ = listening.accept()
        with connection:
            text, fds, _, _ = socket.recv_fds(connection, 100, 1)
    assert text == b"setns"
    assert f"\nPid:\t{pid}\n" in Path(f"/proc/self/fdinfo/{fds[0]}").read_text()
    os.close(fds[0])
    end(pid)


# ---- --process


def test_process_file(running):
    path = write_process(running, args=["/probe", "ids", "env", "cwd", "caps", "prctl", "rlimits"], cwd="/tmp",
                         env=["A=1"], user={"uid": 5, "gid": 6, "additionalGids": [7]},
                         capabilities={"bounding": ["CAP_CHOWN"]}, noNewPrivileges=False,
                         rlimits=[{"type": "RLIMIT_NOFILE", "soft": 55, "hard": 66}])
    got = seen.only(running.call("exec", "--process", path, running.id).ok().out)
    assert (got["ids"]["ruid"], got["ids"]["rgid"], got["ids"]["groups"], got["cwd"]) == (5, 6, [7], "/tmp")
    assert got.environment == {"A": "1", "HOME": "/"}
    assert got["caps"]["bounding"] == [0] and got["prctl"]["no_new_privs"] == 0
    assert got["rlimits"]["NOFILE"] == [55, 66]


def test_process_file_may_omit_nearly_all(box):
    """What is missing is as for the container's process; the user is root."""
    box.process["user"] = {"uid": 1000, "gid": 1000, "umask": 0o007}
    box.process["env"] += ["B=2"]
    start(box)
    path = write_process(box, args=["/probe", "ids", "env", "caps", "rlimits", "prctl", "umask"])
    got = seen.only(box.call("exec", "-p", path, box.id).ok().out)
    assert (got["ids"]["ruid"], got["ids"]["rgid"], got["umask"]) == (0, 0, 0o007)
    assert got.environment["B"] == "2" and got["rlimits"]["NOFILE"] == [1024, 1024]
    assert got["prctl"]["no_new_privs"] == 1 and got["caps"]["effective"] == [5, 10, 29]


def test_options_add_to_the_process_file(running):
    path = write_process(running, env=["A=1"], user={"uid": 5, "gid": 6})
    got = look(running, "ids", "env", options=["--process", path, "-e", "B=2", "-u", "8"])
    assert (got["ids"]["ruid"], got["ids"]["rgid"]) == (8, 6)
    assert got.environment == {"A": "1", "B": "2", "HOME": "/"}


def test_process_from_a_fifo(running):
    path = running.dir / "fifo"
    os.mkfifo(path)
    exec_ = running.spawn("exec", "--process", path, running.id)
    with open(path, "w", encoding="ascii") as file:
        json.dump({"cwd": "/", "args": ["/probe", "ids"]}, file)
    assert seen.only(exec_.wait().ok().out)["ids"]["ruid"] == 0


@pytest.mark.parametrize("members, words", [
    ({"cwd": "tmp"}, ["process.json:1:", "cwd", '"tmp" is not an absolute path']),
    ({"args": []}, ["process.json", "args", "at least one argument"]),
    ({"env": ["A"]}, ["process.json:1:", "env[0]", "NAME=VALUE"]),
    ({"user": {"uid": -1}}, ["process.json:1:", "user.uid"]),
    ({"terminal": "yes"}, ["process.json:1:", "terminal", "expected a boolean"]),
    ({"args": ["nothing"]}, ["args (", "process.json:1:", "executable file not found in $PATH"]),
    ({"rlimits": [{"type": "RLIMIT_NOFILE", "soft": 2, "hard": 1}]}, ["rlimits[0].soft", "above the hard limit"]),
])
def test_bad_process_file(running, members, words):
    refuse(running, *words, options=["-p", write_process(running, **members)], program=())


def test_missing_process_file(running):
    refuse(running, "/nowhere.json", "No such file or directory", options=["-p", "/nowhere.json"], program=())


def test_neither_program_nor_process_file(running):
    refuse(running, "there is no program to execute", program=())


# ---- CPU affinity


def test_affinity(box):
    cpus = sorted(os.sched_getaffinity(0))
    box.process["execCPUAffinity"] = {"initial": str(cpus[0]), "final": str(cpus[-1])}
    start(box)
    assert look(box, "sched")["sched"]["cpus"] == [cpus[-1]]
    assert os.sched_getaffinity(box.pid) == set(cpus)  # not of the first process


@each_view
def test_initial_affinity_alone(box, view):
    """What it is after the move the kernel decides: here nothing restricts it, and it stays."""
    cpus = sorted(os.sched_getaffinity(0))
    start(box)
    path = write_process(box, args=["/probe", "sched"], execCPUAffinity={"initial": str(cpus[-1])})
    got = seen.only(box.call("exec", "-p", path, box.id).ok().out)["sched"]["cpus"]
    assert got in ([cpus[-1]], cpus)
    if "cpuset" not in host.view_hierarchies(view):
        assert got == [cpus[-1]]


@pytest.mark.parametrize("cpus, words", [("4000", ["sched_setaffinity", "Invalid argument"]), ("1-x", ["1-x"]),
                                         ("9000", ["there is no CPU 9000"])])
def test_bad_affinity(running, cpus, words):
    path = write_process(running, execCPUAffinity={"final": cpus})
    message = running.call("exec", "-p", path, running.id)
    assert message.status == 255
    assert "execCPUAffinity.final" in message.err
    for word in words[1:] or words:
        assert word in message.err


# ---- cgroups inside


def inside(box, view, name="sub"):
    """Makes cgroups inside the container's, which go with it."""
    for root in set(host.view_hierarchies(view).values()):
        made = Path(f"{root}{box.cgroup}/{name}")
        made.mkdir()
        for file in ("cpuset.cpus", "cpuset.mems"):
            if (made.parent / file).exists() and view != "v2":
                (made / file).write_text((made.parent / file).read_text())


@pytest.mark.root("makes cgroups")
@each_view
def test_cgroup_inside(box, view):
    start(box)
    inside(box, view)
    pid = detach(box, options=["--cgroup", "/sub"])
    lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    where = {name: line.split(":", 2)[2] for line in lines for name in line.split(":", 2)[1].split(",")}
    for name in host.view_hierarchies(view):
        assert where[name] == f"{box.cgroup}/sub"
    end(pid)


@pytest.mark.root("makes cgroups")
@pytest.mark.skipif(host.PURE_V2 or "pids" not in host.HIERARCHIES, reason="needs the pids controller of cgroup v1")
def test_cgroup_inside_of_one_controller(box):
    start(box)
    inside(box, "host")
    pid = detach(box, options=["--cgroup", "pids:sub"])
    lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    where = {line.split(":", 2)[1]: line.split(":", 2)[2] for line in lines}
    assert where.pop("pids") == f"{box.cgroup}/sub"
    assert {path for names, path in where.items() if names.split(",")[0] in host.HIERARCHIES} == {box.cgroup}
    end(pid)


@pytest.mark.root("makes cgroups")
@pytest.mark.parametrize("where, words", [
    ("none", ["/none", "No such file or directory"]), ("../x", ['".." component']), ("..", ['".." component']),
    ("a/../..", ['".." component']), ("nope:x", ['controller "nope"']),
])
def test_bad_cgroup(running, where, words):
    refuse(running, "--cgroup", *words, options=["--cgroup", where])


@pytest.mark.parametrize("view", [view for view in host.VIEWS if view == "v2" or host.PURE_V2])
def test_cgroup_of_a_container_that_has_cgroups_of_its_own(box, view):
    """With controllers enabled for them, processes can be in those alone: then it goes where the first process is."""
    if not host.v2_controllers() & {"pids", "memory", "cpu", "hugetlb", "rdma", "io"}:
        pytest.skip("cgroup v2 has no controller here")
    start(box)
    root = Path(f"{host.view_hierarchies(view)['']}{box.cgroup}")
    available = (root / "cgroup.controllers").read_text().split()
    if not available:
        pytest.skip("no controller is enabled for children of the root")
    (root / "init").mkdir()
    (root / "init/cgroup.procs").write_text(str(box.pid))
    (root / "cgroup.subtree_control").write_text(f"+{available[0]}")
    for affinity in (None, {"initial": "0"}):
        options = ["-p", write_process(box, execCPUAffinity=affinity)] if affinity else []
        pid = detach(box, options=options)
        assert f"0::{box.cgroup}/init\n" in Path(f"/proc/{pid}/cgroup").read_text()
        end(pid)


@pytest.mark.root("makes cgroups")
@pytest.mark.parametrize("controller, status", [("blkio", 3), ("devices", 255)])
def test_cgroup_that_is_gone_in_one_hierarchy(box, controller, status):
    """As systemd on v1 leaves that of blkio when no unit uses it any more; without others it would be less confined."""
    if controller not in host.HIERARCHIES:
        pytest.skip(f"needs the {controller} controller of cgroup v1")
    start(box)
    place = Path(f"{host.HIERARCHIES[controller]}{box.cgroup}")
    (place.parent / "cgroup.procs").write_text(str(box.pid))
    place.rmdir()
    assert execute(box, "/probe", "exit", "3").status == status
    box.delete("--force")


# ---- how it ends


@pytest.mark.parametrize("status", [0, 1, 7, 254, 255])
def test_status(running, status):
    assert execute(running, "/probe", "exit", str(status)).status == status


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_killed(running, number):
    assert execute(running, "/probe", "die", str(int(number))).status == 128 + number


def test_signal_is_forwarded(running):
    exec_ = running.spawn("exec", running.id, "/probe", "trap", "2")
    exec_.line(0)
    exec_.signal(signal.SIGUSR1)
    exec_.line(1)
    exec_.signal(signal.SIGTERM)
    assert exec_.wait().status == 0
    assert [json.loads(line).get("signal") for line in exec_.out.splitlines()[1:3]] == [signal.SIGUSR1, signal.SIGTERM]


def test_end_of_the_container_ends_it(running):
    exec_ = running.spawn("exec", running.id, "/probe", "pause")
    exec_.line(0)
    running.kill("KILL")
    assert exec_.wait().status == 128 + signal.SIGKILL
    running.wait()


def test_streams(running):
    exec_ = running.spawn("exec", running.id, "sh", "-c", "cat; echo err >&2", stdin=subprocess.PIPE)
    exec_.process.stdin.write(b"one\ntwo")
    exec_.process.stdin.close()
    result = exec_.wait()
    assert (result.status, result.out, result.err) == (0, "one\ntwo", "err\n")


def test_signals_of_the_caller_do_not_leak(running):
    def ignore():
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})

    assert look(running, "signals", before_exec=ignore)["signals"] == {"blocked": [], "ignored": [], "caught": []}


# ---- what cannot be executed


@pytest.mark.parametrize("program, words", [
    ("nothing", ['exec: "nothing": executable file not found in $PATH']),
    ("/nothing", ['exec: "/nothing": no such file or directory']),
    ("/etc/passwd", ['exec: "/etc/passwd": permission denied']),
    ("/tmp", ['exec: "/tmp": is a directory: permission denied']),
])
def test_no_program(running, program, words):
    refuse(running, *words, program=[program])


def test_missing_interpreter(running):
    (running.rootfs / "bin/script").write_text("#!/usr/bin/python9\n")
    (running.rootfs / "bin/script").chmod(0o755)
    refuse(running, 'exec: "/bin/script": its interpreter "/usr/bin/python9" is missing', program=["/bin/script"])


def test_no_container(box):
    box.root.mkdir(parents=True)
    result = execute(box, "/probe", "ids")
    assert result.status == 255
    result.complaint("exec", "does not exist")


def test_stopped_container(box):
    start(box, "/bin/true")
    box.wait()
    refuse(box, "cannot exec in a stopped container", "container not running")


@pytest.mark.root("makes cgroups")
@each_view
def test_paused_container(box, view):
    start(box)
    freeze(box)
    assert "--ignore-paused" in refuse(box, "cannot exec in a paused container")
    exec_ = box.spawn("exec", "--ignore-paused", box.id, "/probe", "ids")
    time.sleep(0.2)
    assert exec_.out == "" and exec_.process.poll() is None
    freeze(box, False)
    assert seen.only(exec_.wait().ok().out)["ids"]["ruid"] == 0


def test_bad_option(running):
    result = running.call("exec", "--usr", "0", running.id, "/probe", "ids")
    assert result.status == 255
    assert "did you mean --user?" in result.complaint("unknown option --usr")
    result = running.call("exec")
    assert result.status == 255
    result.complaint("missing container")


# ---- seccomp


def test_filter(running_filtered):
    sched_yield = 24
    report = look(running_filtered, "prctl", f"syscall {sched_yield}")
    assert report["prctl"]["seccomp"] == 2
    assert failed(report[f"syscall {sched_yield}"], EPERM)
    # It was compiled once, and was found.
    assert len(list((running_filtered.root / ".seccomp").iterdir())) == running_filtered.filters


@pytest.fixture
def running_filtered(box):
    box.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
                            "syscalls": [{"names": ["sched_yield"], "action": "SCMP_ACT_ERRNO"}]}
    start(box)
    box.filters = len(list((box.root / ".seccomp").iterdir()))
    assert box.filters
    return box


# ---- terminal


@pytest.fixture
def terminal():
    made = Terminal(30, 100)
    yield made
    made.close()


def report_on(screen):
    return seen.Seen(json.loads(screen.expect(r"\{[^\r\n]*\}(?=\r?\n)")[0]))


@pytest.mark.parametrize("uid", [0, 1000])
def test_terminal_in_the_foreground(running, terminal, uid):
    before = terminal.mode()
    words = seen.words(["tty", "pids", "fds", "open /dev/tty rw", "readlink /proc/self/fd/0", "stat /dev/pts/0"])
    exec_ = running.spawn("exec", "-t", "-u", str(uid), running.id, "/probe", *words,
                          stdin=terminal.slave, stdout=terminal.slave, stderr=terminal.slave,
                          before_exec=terminal.control)
    got = report_on(terminal)
    assert exec_.wait().status == 0
    assert got["tty"]["isatty"] == [True, True, True]
    assert (got["tty"]["rows"], got["tty"]["columns"]) == (30, 100)
    assert got["open /dev/tty rw"] == 0
    assert got["pids"]["session"] == got["pids"]["terminal_session"] == got["pids"]["pid"]
    assert got["readlink /proc/self/fd/0"] == "/dev/pts/0" and got["stat /dev/pts/0"]["uid"] == uid
    assert sorted(got["fds"]) == ["0", "1", "2"]
    assert terminal.mode() == before


def test_terminal_without_one_of_the_callers(running):
    result = execute(running, "/probe", "tty", options=["-t"])
    assert seen.only(result.ok().out)["tty"]["isatty"] == [True, True, True]


def test_terminal_by_console_socket(running):
    console = ConsoleSocket(running.dir / "console")
    path = write_process(running, terminal=True, args=["sh", "-c", "tty; read line; echo got $line"],
                         consoleSize={"height": 11, "width": 22})
    exec_ = running.spawn("exec", "--detach", "--tty", "--process", path, "--console-socket", console.path,
                          "--pid-file", running.dir / "exec.pid", running.id)
    os.symlink("busybox", running.rootfs / "bin/tty")
    screen, text = console.receive()
    exec_.wait().ok()
    assert text == "/dev/ptmx"
    screen.expect("got|/dev/pts/0|not found")
    screen.type("hello\n")
    screen.expect("got hello")
    assert wait_pid(int((running.dir / "exec.pid").read_text())) == 0
    screen.close()
    console.close()


def test_two_terminals(running):
    """Each is a pty of its own, and /dev/console stays the first process's."""
    before = look(running, "ls /dev")["ls /dev"]
    first = running.spawn("exec", "-t", running.id, "/probe", "readlink", "/proc/self/fd/0", "sleep", "3000")
    host.until(lambda: "/dev/pts/0" in first.out, "the first terminal")
    assert "/dev/pts/1" in execute(running, "/probe", "readlink", "/proc/self/fd/0", options=["-t"]).ok().out
    assert look(running, "ls /dev")["ls /dev"] == before
    first.wait(10)


def test_terminal_without_devpts(box):
    box.drop_mount("/dev/pts")
    start(box)
    assert "devpts" in refuse(box, "open a terminal", options=["-t"])


@pytest.mark.parametrize("options, words", [
    (["-d", "-t"], ["needs --console-socket"]),
    (["--console-socket", "/nowhere"], ["there is no terminal to pass on"]),
    (["-t", "-d", "--console-socket", "/nowhere/socket"], ["connect to console socket /nowhere/socket"]),
])
def test_bad_terminal(running, options, words):
    refuse(running, *words, options=options)


# ---- many


def test_two_thousand_in_a_row(running):
    """Short-lived ones, each of which ends while it is still being looked after: none hangs, nothing is left.  Fewer where
    that would take minutes."""
    argv = [runtime.BINARY, "--root", str(running.root), "exec", running.id, "/bin/true"]
    for number in range(int(2000 / host.SLOWNESS)):
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=20 * host.SLOWNESS,
                              check=False)
        assert (done.returncode, done.stderr) == (0, b""), number
    if user.PRIVILEGED:
        assert running.cgroup_procs() == [running.pid]


def test_fifty_at_once(running):
    many = [running.spawn("exec", running.id, "/bin/true") for _ in range(50)]
    for each in many:
        each.wait(60).ok()
    many = [running.spawn("exec", "-d", "--pid-file", running.dir / f"pid{i}", running.id, "/bin/true")
            for i in range(50)]
    for i, each in enumerate(many):
        each.wait(60).ok()
        assert wait_pid(int((running.dir / f"pid{i}").read_text())) == 0
    if user.PRIVILEGED:
        assert running.cgroup_procs() == [running.pid]


class Executor(threading.Thread):
    """Executes one program after the other in BOX until there is no BOX any more."""

    def __init__(self, box, number):
        super().__init__()
        self.box, self.number, self.results = box, number, []

    def file(self, turn):
        return self.box.dir / f"pid-{self.number}-{turn}"

    def run(self):
        while not self.results or self.results[-1].status == 0:
            options = ["-d", "--pid-file", self.file(len(self.results))]
            self.results.append(execute(self.box, "/bin/sleep", "30", options=options, view=self.box.view))

    def bury(self):
        """The pid namespace does not end before we, the parent, have buried who was in it."""
        for turn in range(len(self.results) + 1):
            with contextlib.suppress(FileNotFoundError, ChildProcessError):
                os.waitpid(int(self.file(turn).read_text()), os.WNOHANG)


@pytest.mark.root("finds processes by their cgroup")
@each_view
@pytest.mark.parametrize("own_pids", [True, False])
def test_while_it_is_deleted(make_box, view, own_pids):
    """Each either runs, or says why not; nothing outlives the container, and nobody hangs."""
    for _ in range(4):
        box = make_box(view)
        box.without_network()
        if not own_pids:
            box.without_namespace("pid")
        start(box)
        threads = [Executor(box, number) for number in range(4)]
        for thread in threads:
            thread.start()
        host.until(lambda: sum(len(thread.results) for thread in threads) > 5, "some have been executed")
        delete = box.spawn("delete", "--force", box.id)
        while delete.process.poll() is None:
            for thread in threads:
                thread.bury()
            time.sleep(0.01)
        delete.wait().ok()
        for thread in threads:
            thread.join(30 * host.SLOWNESS)
            assert not thread.is_alive()
            thread.bury()
            assert thread.results[-1].status == 255, thread.results[-1]
            complaint = thread.results[-1].complaint("exec")
            assert "does not exist" in complaint or "cannot exec in a " in complaint  # stopped, or on v1 still frozen
        box.assert_clean()
