# SPDX-License-Identifier: LGPL-2.1-or-later
"""Hooks: when each runs, where, with what, and what happens when one fails."""

import json
import os
import signal
import time

import pytest

from harness import host, schema, seen
from harness.box import tool
from harness.seen import MOUNTS

KINDS = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"]

# The status that the state on standard input has, by the specification's lifecycle.
STATUS = {"prestart": "creating", "createRuntime": "creating", "createContainer": "creating",
          "startContainer": "created", "poststart": "running", "poststop": "stopped"}

INSIDE = ("createContainer", "startContainer")


@pytest.fixture
def reports(box):
    """Installs hooks that are the probe; gives what they reported, in the order of their clocks."""
    log = box.directory("log")
    log.chmod(0o777)
    box.add_bind(log, "/log")
    box.config["hooks"] = {}

    def read():
        found = []
        for path in log.iterdir():
            for report in seen.parse(path.read_text()):
                found.append((report["clocks"]["monotonic"], path.name, report))
        return [(name, report) for _, name, report in sorted(found, key=lambda row: row[0])]

    def add(kind, name=None, *commands, **more):
        # startContainer hooks are found in the container, all others on the host.
        program = "/probe" if kind == "startContainer" else str(tool("probe"))
        place = ("/log" if kind == "startContainer" else str(log)) + "/" + (name or kind)
        args = ["probe", "-o", place, "clocks", *seen.words(commands)]
        box.config["hooks"].setdefault(kind, []).append({"path": program, "args": args, **more})

    read.add = add
    return read


def shell(script, **more):
    return {"path": "/bin/sh", "args": ["sh", "-c", script], **more}


def lifecycle(box, *commands):
    box.set_probe("clocks", *commands)
    created = box.create()
    box.start()
    box.wait()
    box.delete()
    return created


def test_order(box, reports):
    """Each kind at its time, several of a kind in their order, the program between startContainer and poststop."""
    for kind in reversed(KINDS):
        reports.add(kind, f"{kind}-1")
        reports.add(kind, f"{kind}-2")
    created = lifecycle(box, "sleep 300")
    program = seen.parse(created.out)[0]["clocks"]["monotonic"]
    found = reports()
    assert [name for name, _ in found] == [f"{kind}-{i}" for kind in KINDS for i in (1, 2)]
    times = {name: report["clocks"]["monotonic"] for name, report in found}
    assert times["startContainer-2"] < program < times["poststop-1"]


def test_by_command(box, reports):
    """Which command has run which hooks when it returns."""
    for kind in KINDS:
        reports.add(kind)
    box.set_probe("pause")
    box.create()
    assert [name for name, _ in reports()] == KINDS[:3]
    box.start()
    assert [name for name, _ in reports()] == KINDS[:5]
    box.kill("KILL")
    box.wait()
    assert [name for name, _ in reports()] == KINDS[:5]
    box.delete()
    assert [name for name, _ in reports()] == KINDS


def test_run_runs_them_all(box, reports):
    for kind in KINDS:
        reports.add(kind)
    box.probe("ids")
    assert [name for name, _ in reports()] == KINDS


def test_delete_force_of_a_running_container_runs_poststop(box, reports):
    reports.add("poststop", None, "stdin")
    box.set_probe("pause")
    box.create()
    box.start()
    box.delete("--force")
    (_, report), = reports()
    assert json.loads(report["stdin"])["status"] == "stopped"


def test_state_on_standard_input(box, reports):
    box.config["annotations"] = {"org.example.key": "välue \"quoted\" \n"}
    for kind in KINDS:
        reports.add(kind, None, "stdin", "pids")
    box.set_probe("clocks", "sleep 300")
    box.create()
    pid = box.pid
    box.start()
    box.wait()
    box.delete()
    for kind, report in reports():
        state = json.loads(report["stdin"].encode("latin1").decode())
        schema.validate(state, "state-schema.json")
        assert state["ociVersion"], kind
        assert state["id"] == box.id, kind
        assert state["bundle"] == str(box.bundle), kind
        assert state["status"] == STATUS[kind], kind
        assert state["annotations"] == box.config["annotations"], kind
        if kind in INSIDE:
            # The pid as the container sees it.
            assert state["pid"] == 1, kind
        elif kind != "poststop":
            assert state["pid"] == pid, kind


def test_namespaces(box, reports):
    for kind in KINDS:
        reports.add(kind, None, "ns")
    box.set_probe("pause")
    box.create()
    mine = {kind: host.namespace(kind) for kind in ("mnt", "pid", "net", "uts", "ipc")}
    inside = {kind: host.namespace(kind, box.pid) for kind in mine}
    box.start()
    box.stop()
    for kind, report in reports():
        expected = inside if kind in INSIDE else mine
        found = {name: report["ns"][name] for name in mine}
        assert found == expected, kind


def test_where_they_stand(box, reports):
    """createRuntime in the bundle; createContainer in the root file system, before the pivot; startContainer after
    it."""
    for kind in KINDS:
        reports.add(kind, None, "cwd", MOUNTS)
    lifecycle(box)
    found = dict(reports())
    for kind in ("prestart", "createRuntime", "poststart", "poststop"):
        assert found[kind]["cwd"] == str(box.bundle), kind
    assert found["createContainer"]["cwd"] == str(box.rootfs)
    assert found["startContainer"]["cwd"] == "/"
    # Before the pivot: the container's mounts stand below the bundle's path.
    points = {entry.point for entry in found["createContainer"].mounts}
    assert f"{box.rootfs}/proc" in points and f"{box.rootfs}/log" in points
    assert "/log" in {entry.point for entry in found["startContainer"].mounts}


def test_createcontainer_hook_can_mount(box):
    """What hooks of this kind are for: it changes the container's mounts before they become its root."""
    source = box.directory("extra")
    (source / "file").write_text("mounted by the hook")
    box.config["hooks"] = {"createContainer": [shell(f"mount --bind {source} {box.rootfs}/tmp")]}
    assert box.probe("cat /tmp/file")["cat /tmp/file"] == "mounted by the hook"


@pytest.mark.root("device rules")
@pytest.mark.parametrize("memory", [None, 1 << 28], ids=["joined-early", "joined-late"])
@pytest.mark.parametrize("view", host.VIEWS)
def test_createcontainer_hook_is_limited(box, memory):
    """It is in the container's cgroup, the limits of which hold already: here, that a device cannot be opened."""
    if memory:
        box.place("memory")
        box.resources["memory"] = {"limit": memory}
    box.without_namespace("cgroup")
    box.linux["devices"] = [{"path": "/dev/messages", "type": "c", "major": 1, "minor": 11}]
    box.resources["devices"] = [{"allow": False, "access": "rwm"}]
    log = box.directory("log") / "log"
    look = f"exec >{log}; cat /proc/self/cgroup; (exec 3<{box.rootfs}/dev/messages) 2>/dev/null && echo open"
    box.config["hooks"] = {"createContainer": [shell(f"{look}; true")]}
    box.run().ok()
    lines = log.read_text().splitlines()
    assert box.cgroup in [line.split(":", 2)[-1] for line in lines]
    assert "open" not in lines


@pytest.mark.root("its hook enters the network namespace")
def test_createruntime_hook_sees_the_containers_network(box):
    """What network plugins do: enter the namespace by the pid of the state, and set it up."""
    setting = "/proc/sys/net/ipv4/ip_default_ttl"
    script = f"pid=$(sed 's/.*\"pid\": *\\([0-9]*\\).*/\\1/'); nsenter -t $pid -n sh -c 'echo 77 > {setting}'"
    box.config["hooks"] = {"createRuntime": [shell(script)]}
    assert box.probe(f"cat {setting}")[f"cat {setting}"] == "77\n"


def test_arguments_and_environment(box, reports):
    for kind in KINDS:
        reports.add(kind, None, "argv", "env", env=["A=1", f"KIND={kind}"])
    lifecycle(box)
    for kind, report in reports():
        assert report["argv"][0] == "probe", kind
        assert report["env"] == ["A=1", f"KIND={kind}"], kind


def test_environment_is_empty_if_not_said(box, reports):
    """The caller's is not handed on; startContainer hooks get the program's (cli-contract)."""
    for kind in KINDS:
        reports.add(kind, None, "env")
    lifecycle(box)
    for kind, report in reports():
        if kind == "startContainer":
            assert set(box.process["env"]) <= set(report["env"])
        else:
            assert report["env"] == [], kind


def test_no_arguments(box):
    """args is optional: then the program's path is its only argument."""
    marker = box.dir / "marker"
    script = box.dir / "hook"
    script.write_text(f"#!/bin/sh\necho \"$#:$0\" > {marker}\n")
    script.chmod(0o755)
    box.config["hooks"] = {"createRuntime": [{"path": str(script)}]}
    box.probe("ids")
    assert marker.read_text() == f"0:{script}\n"


def test_descriptors_and_signals(box, reports):
    """Nothing of the runtime's is inherited; dispositions are default."""
    def disturb():
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
        os.dup2(os.open("/etc/passwd", os.O_RDONLY), 7)

    for kind in KINDS:
        reports.add(kind, None, "fds", "signals")
    box.set_probe("ids")
    box.run(before_exec=disturb, close_fds=False).ok()
    found = reports()
    assert len(found) == len(KINDS)
    for kind, report in found:
        # 3 is the file that the probe itself writes to.
        assert set(report["fds"]) <= {"0", "1", "2", "3"}, (kind, report["fds"])
        assert report["signals"] == {"blocked": [], "ignored": [], "caught": []}, kind


def test_startcontainer_hook_is_found_in_the_container(box):
    """/bin/true there, and the program of the host is not it."""
    box.config["hooks"] = {"startContainer": [{"path": str(tool("probe")), "args": ["probe", "ids"]}]}
    box.set_probe("ids")
    box.create()
    box.call("start", box.id).error("hooks.startContainer[0]", str(tool("probe")))


@pytest.mark.parametrize("kind", KINDS[:3])
def test_failing_hook_of_create(box, reports, kind):
    """The error names the hook and holds what it said; nothing is left; poststop hooks ran, later ones did not."""
    reports.add(kind, "before")
    box.config["hooks"][kind].append(shell("echo out; echo this is why >&2; exit 3"))
    reports.add(kind, "after")
    reports.add("startContainer", "later")
    reports.add("poststop", "poststop", "stdin")
    box.set_probe("ids")
    box.try_create().error(f"hooks.{kind}[1]", "/bin/sh", "this is why", "3")
    box.assert_clean()
    found = reports()
    assert [name for name, _ in found] == ["before", "poststop"]
    assert json.loads(found[1][1]["stdin"])["status"] == "stopped"


def test_failing_startcontainer_hook(box, reports):
    reports.add("poststop")
    box.config["hooks"]["startContainer"] = [
        {"path": "/bin/sh", "args": ["sh", "-c", "echo this is why >&2; exit 3"]}]
    box.set_probe("ids")
    created = box.create()
    box.call("start", box.id).error("hooks.startContainer[0]", "this is why", "3")
    assert created.out == ""
    # runtime.md, lifecycle 7: continue at step 12, the container is destroyed.
    assert box.call("state", box.id).status == 1
    assert [name for name, _ in reports()] == ["poststop"]
    box.assert_clean()


def test_failing_poststart_hook(box, reports):
    """runtime.md, lifecycle 9: an error, stop the container, continue at step 12."""
    reports.add("poststop")
    box.config["hooks"]["poststart"] = [shell("echo this is why >&2; exit 3")]
    box.set_probe("pause")
    box.create()
    box.call("start", box.id).error("hooks.poststart[0]", "this is why", "3")
    assert box.call("state", box.id).status == 1
    assert [name for name, _ in reports()] == ["poststop"]
    box.assert_clean()


def test_failing_poststop_hook_is_a_warning(box, reports):
    box.config["hooks"]["poststop"] = [shell("echo this is why >&2; exit 3")]
    reports.add("poststop", "after")
    box.set_probe("ids")
    box.create()
    box.start()
    box.wait()
    result = box.delete()
    assert "hooks.poststop[0]" in result.err and "this is why" in result.err
    assert [name for name, _ in reports()] == ["after"]
    box.assert_clean()


@pytest.mark.parametrize("kind", KINDS[:3])
def test_failing_hook_fails_run(box, kind):
    box.config["hooks"] = {kind: [shell("exit 3")]}
    box.set_probe("ids")
    assert box.run().error(f"hooks.{kind}[0]")
    box.assert_clean()


@pytest.mark.parametrize("kind", KINDS[:3])
def test_hook_that_is_killed(box, kind):
    box.config["hooks"] = {kind: [shell("kill -9 $$")]}
    box.set_probe("ids")
    message = box.try_create().error(f"hooks.{kind}[0]")
    assert "9" in message or "KILL" in message or "illed" in message
    box.assert_clean()


@pytest.mark.parametrize("kind", KINDS[:3])
@pytest.mark.parametrize("path", ["/no/such/hook", "/etc/passwd", "/"])
def test_hook_that_cannot_be_executed(box, kind, path):
    box.config["hooks"] = {kind: [{"path": path}]}
    box.set_probe("ids")
    box.try_create().error(f"hooks.{kind}[0]", path)
    box.assert_clean()


@pytest.mark.parametrize("kind", KINDS[:3])
def test_timeout(box, kind):
    """The hook and what it has started are ended, even a daemon in a session of its own."""
    box.config["hooks"] = {kind: [shell("setsid sleep 600 & exec sleep 600", timeout=1)]}
    box.set_probe("ids")
    begin = time.monotonic()
    box.try_create().error(f"hooks.{kind}[0]", "1 s")
    assert 0.9 < time.monotonic() - begin < 5 * host.SLOWNESS
    box.assert_clean()


def test_timeout_of_a_startcontainer_hook(box):
    box.config["hooks"] = {"startContainer": [
        {"path": "/bin/sh", "args": ["sh", "-c", "busybox sleep 600"], "timeout": 1}]}
    box.set_probe("ids")
    box.create()
    box.call("start", box.id).error("hooks.startContainer[0]", "1 s")
    box.assert_clean()


@pytest.mark.parametrize("kind", ["poststart", "poststop"])
def test_timeout_of_a_later_hook(box, kind):
    """After the start: the container is stopped; after the end: a warning."""
    box.config["hooks"] = {kind: [shell("exec sleep 600", timeout=1)]}
    box.set_probe("pause")
    box.create()
    begin = time.monotonic()
    if kind == "poststart":
        box.call("start", box.id).error("hooks.poststart[0]", "1 s")
    else:
        box.start()
        result = box.delete("--force")
        assert "hooks.poststop[0]" in result.err and "1 s" in result.err
    assert 0.9 < time.monotonic() - begin < 5 * host.SLOWNESS
    box.assert_clean()


@pytest.mark.parametrize("pid_namespace", [True, False])
@pytest.mark.parametrize("kind", KINDS[1:4])
def test_timeout_of_a_hook_that_keeps_forking(box, kind, pid_namespace):
    """Each generation is an orphan, in a session of its own, and soon has a child."""
    program = box.rootfs / "bin/again"
    program.write_text("#!/bin/busybox sh\nbusybox sleep 0.01\nbusybox setsid $0 &\n")
    program.chmod(0o755)
    path = "/bin/again" if kind == "startContainer" else str(program)
    if not pid_namespace:
        box.without_namespace("pid")
    box.config["hooks"] = {kind: [shell(f"{path}; {path}; exec busybox sleep 600", timeout=1)]}
    box.set_probe("ids")
    begin = time.monotonic()
    box.run().error(f"hooks.{kind}[0]", "killed, with all that it started, after its timeout of 1 s")
    assert time.monotonic() - begin < 5 * host.SLOWNESS
    box.assert_clean()
    assert not host.processes_with(str(program))


# Orphans in sessions of their own, one as soon as it is born, one when the hook dies; and a child.
ESCAPES = "(busybox setsid busybox sleep 600 &); busybox setsid sh -c 'busybox sleep 600 & busybox sleep 600' & " \
    "busybox sleep 600"


@pytest.mark.root("joins what belongs to root")
@pytest.mark.parametrize("user", [0, 1000])
@pytest.mark.parametrize("kind", INSIDE)
@pytest.mark.parametrize("where", ["host", "joined"])
def test_timeout_without_a_pid_namespace(make_box, kind, where, user):
    """All that the hook started dies, and nobody else; no cgroup helps."""
    box, other = make_box(), make_box()
    other.set_probe("pause")
    other.create()
    if where == "joined":
        box.set_namespace("pid", f"/proc/{other.pid}/ns/pid")
    else:
        box.without_namespace("pid")
    box.without_namespace("cgroup")
    box.drop_mount("/sys/fs/cgroup")
    box.process["user"] = {"uid": user, "gid": user}
    box.set_probe("ids")
    box.config["hooks"] = {kind: [shell(ESCAPES, timeout=1)]}
    box.write_config()
    begin = time.monotonic()
    result = box.call("--cgroup-manager", "disabled", "create", "--bundle", box.bundle, box.id)
    if kind == "startContainer":
        result = box.call("start", box.id) if result.ok() else result
    result.error(f"hooks.{kind}[0]", "1 s")
    assert 0.9 < time.monotonic() - begin < 5 * host.SLOWNESS
    # Orphans would be the reaper's: ours, or the first process of the joined namespace.
    assert not [line for line in box.leftovers() if "[busybox" in line]
    assert not host.children(other.pid)
    assert other.status() == "created"
    other.start()
    other.stop()


@pytest.mark.parametrize("kind", INSIDE)
def test_timeout_that_is_not_reached_without_a_pid_namespace(box, kind):
    """What a hook leaves behind stays alive, and does not become the program's child."""
    box.without_namespace("pid")
    log = box.directory("log")
    box.add_bind(log, "/log")
    place = {"createContainer": log, "startContainer": "/log"}[kind]
    box.config["hooks"] = {kind: [shell(f"busybox sleep 600 & echo $! > {place}/daemon", timeout=30)]}
    box.set_probe("pause")
    box.create()
    box.start()
    daemon = int((log / "daemon").read_text())
    try:
        assert daemon not in [pid for pid, _ in host.children(box.pid)]
    finally:
        os.kill(daemon, 9)
    box.stop()


def test_timeout_that_is_not_reached(box):
    marker = box.dir / "marker"
    box.config["hooks"] = {"createRuntime": [shell(f"sleep 0.1; echo done > {marker}", timeout=30)]}
    box.probe("ids")
    assert marker.exists()


def test_hook_that_leaves_a_daemon_is_over_when_it_exits(box):
    """A network helper that stays: its hold on our pipes must not keep us waiting."""
    pid_file = box.dir / "daemon"
    box.config["hooks"] = {"createRuntime": [shell(f"sleep 600 & echo $! > {pid_file}")]}
    begin = time.monotonic()
    try:
        box.probe("ids")
        assert time.monotonic() - begin < 5 * host.SLOWNESS
    finally:
        os.kill(int(pid_file.read_text()), 9)


def test_hook_that_says_much(box):
    """The end of it stands in the error, which is still one line."""
    box.config["hooks"] = {"createRuntime": [
        shell("for i in $(seq 20000); do echo line $i >&2; done; echo the end >&2; exit 1")]}
    box.set_probe("ids")
    message = box.try_create().error("hooks.createRuntime[0]", "the end")
    assert len(message) < 5000
    box.assert_clean()


def test_hook_that_does_not_read_its_input(box):
    box.config["annotations"] = {"long": "x" * 200000}
    box.config["hooks"] = {"createRuntime": [{"path": "/bin/true"}]}
    box.probe("ids")


def test_standard_output_of_hooks_is_not_the_callers(box):
    """`state` is read by programs; a hook of `run` must not write between the container's lines either."""
    box.config["hooks"] = {kind: [shell("echo noise")] for kind in ("prestart", "createRuntime", "createContainer",
                                                                   "poststart", "poststop")}
    box.set_probe("ids")
    assert "noise" not in box.run().ok().out


@pytest.mark.parametrize("hook, word", [
    ({"args": ["x"]}, "path"), ({"path": "relative"}, "absolute"), ({"path": "/bin/true", "timeout": 0}, "timeout"),
    ({"path": "/bin/true", "timeout": -3}, "timeout"), ({"path": 7}, "string"),
])
def test_bad_hook(box, hook, word):
    box.config["hooks"] = {"poststop": [hook]}
    box.try_create().error("hooks.poststop[0]", word)
    box.assert_clean()


def test_changed_config_does_not_change_the_hooks(box, reports):
    """Updates to config.json after create have no effect."""
    reports.add("poststop")
    box.set_probe("ids")
    box.create()
    (box.bundle / "config.json").write_text("{}")
    box.start()
    box.wait()
    box.delete()
    assert [name for name, _ in reports()] == ["poststop"]
