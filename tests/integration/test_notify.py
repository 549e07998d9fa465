# SPDX-License-Identifier: LGPL-2.1-or-later
"""NOTIFY_SOCKET: the program says when it is ready, and who called the runtime hears of it."""

import os
import signal
import time

import pytest

from harness import host, runtime, seen
from harness.notify import PLACE, Caller, await_taken, send


@pytest.fixture
def caller(box):
    box.without_network()
    with Caller(box.dir / "caller") as made:
        yield made


def begin_start(box, caller, *commands):
    """Creates a container whose program does COMMANDS; the `start` that waits for it."""
    box.set_probe(*commands)
    created = box.create(env=caller.env)
    return created, box.spawn("start", box.id, env=caller.env)


def test_what_the_program_sees(box, caller):
    report = box.probe("env", seen.MOUNTS, "stat /run/notify", f"stat {PLACE}", env=caller.env)
    assert report.environment["NOTIFY_SOCKET"] == PLACE
    assert {"ro", "nosuid", "nodev", "noexec"} <= report.mount("/run/notify").flags
    assert report[f"stat {PLACE}"]["mode"] == 0o777
    assert report["stat /run/notify"]["mode"] == 0o755
    assert caller.is_told_nothing()


def test_nothing_without_it(box):
    assert "NOTIFY_SOCKET" not in box.probe("env").environment
    assert not (box.rootfs / "run").exists()
    assert "NOTIFY_SOCKET" not in box.probe("env", env={"NOTIFY_SOCKET": ""}).environment


def test_start_waits_until_the_program_is_ready(box, caller):
    """And until the caller has taken notice: systemd looks up whose a message is, for which its sender must live."""
    _, start = begin_start(box, caller, "pause")
    send(box, b"STATUS=nearly")
    await_taken(box)
    assert box.status() == "running" and start.process.poll() is None
    send(box, b"STATUS=soon\nREADY=1\nMAINPID=1\n")
    assert caller.ready() == box.pid
    barrier = caller.barrier()
    time.sleep(0.2)
    assert start.process.poll() is None
    os.close(barrier)
    assert start.wait().ok().err == ""
    assert caller.is_told_nothing()
    box.stop()


def test_detached_run_waits_until_the_program_is_ready(box, caller):
    box.set_probe("pause")
    run = box.spawn_run("--detach", "--pid-file", box.dir / "pid", env=caller.env)
    send(box, b"READY=1")
    pid = caller.ready()
    box.pid = int((box.dir / "pid").read_text())
    assert pid == box.pid
    os.close(caller.barrier())
    run.wait().ok()
    box.stop()


def test_run_is_the_service_itself(box, caller):
    """It stays, and ends with the program's status, so it is what the caller is to watch."""
    box.set_probe(("notify", "READY=1"), "exit 7")
    run = box.spawn_run(env=caller.env)
    assert caller.ready() == run.pid
    result = run.wait()
    assert result.status == 7 and seen.only(result.out)["notify READY=1"] is True
    assert caller.is_told_nothing()


def test_run_goes_on_while_the_program_is_not_ready(box, caller):
    box.set_probe("trap 1")
    run = box.spawn_run(env=caller.env)
    run.line()
    run.signal(signal.SIGUSR1)
    assert f'"signal": {signal.SIGUSR1.value}' in run.line(1)
    run.wait().ok()
    assert caller.is_told_nothing()


@pytest.mark.parametrize("command", ["start", "run"])
def test_end_of_the_program_ends_the_wait(box, caller, command):
    box.set_probe("sleep 100")
    if command == "start":
        box.create(env=caller.env)
        box.start(env=caller.env)
        box.wait()
    else:
        box.run("--detach", env=caller.env).ok()
    assert caller.is_told_nothing()


def test_last_word_of_a_program(box, caller):
    caller.serve()
    created, start = begin_start(box, caller, ("notify", "READY=1"))
    start.wait().ok()
    box.wait()
    assert seen.only(created.out)["notify READY=1"] is True


@pytest.mark.root("an ordinary user's containers have a user namespace anyway")
@pytest.mark.parametrize("users", ["own", "host's"])
def test_any_user_of_the_container_may_send(box, caller, users):
    if users == "own":
        box.set_namespace("user")
        box.linux["uidMappings"] = box.linux["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
        for path in (box.bundle, box.rootfs, box.dir):
            path.chmod(0o755)
        os.chown(box.rootfs, 100000, 100000)
        for destination in ("/sys", "/sys/fs/cgroup"):
            box.drop_mount(destination)
        box.linux["maskedPaths"] = ["/proc/kcore"]
    box.process["user"] = {"uid": 1000, "gid": 1000}
    box.process.pop("capabilities")
    report = box.probe(("notify", "READY=1"), env=caller.env, before_exec=lambda: os.umask(0o077))
    assert report["notify READY=1"] is True
    assert caller.ready() > 0


def test_abstract_address(box):
    box.without_network()
    with Caller(f"@{box.id}") as caller:
        assert box.probe(("notify", "READY=1"), env=caller.env)["notify READY=1"] is True
        caller.ready()


def test_the_configuration_has_a_run_and_a_socket_of_its_own(box, caller):
    """The caller's comes last: the image may have been made to be notified of something else."""
    box.process["env"] += ["NOTIFY_SOCKET=/run/systemd/notify"]
    box.add_mount("/run", "tmpfs", "tmpfs", "nosuid", "mode=755")
    box.add_bind(box.directory("other"), "/run/notify")
    assert box.probe("env").environment["NOTIFY_SOCKET"] == "/run/systemd/notify"
    report = box.probe("env", ("notify", "READY=1"), env=caller.env)
    assert report.environment["NOTIFY_SOCKET"] == PLACE and report["notify READY=1"] is True
    caller.ready()


@pytest.mark.parametrize("address", ["/nowhere/notify", "@nobody-is-there", "vsock:2:1234", "relative", "/" + "x" * 107])
def test_caller_that_cannot_be_told(box, address):
    """That is no reason for the container not to run, nor to wait."""
    box.without_network()
    env = {"NOTIFY_SOCKET": address}
    box.set_probe("pause")
    box.create(env=env)
    result = box.start(env=env)
    assert "level=warning" in result.err and f"NOTIFY_SOCKET={address}: nobody is notified" in result.err
    box.stop()


def test_only_create_is_to_notify(box, caller):
    box.set_probe("pause")
    box.create(env=caller.env)
    box.start()
    box.stop()


def test_only_start_is_to_notify(box, caller):
    """The program does not know where to."""
    box.set_probe("pause")
    box.create()
    assert box.start(env=caller.env).err == ""
    assert not (box.root / box.id / "notify").exists()
    box.stop()


def test_start_that_failed_is_tried_again(box, caller):
    """With a socket that is there already."""
    box.set_probe("pause")
    box.create(env=caller.env)
    left = Caller(box.root / box.id / "notify/notify.sock")
    start = box.spawn("start", box.id, env=caller.env)
    host.until(lambda: box.status() == "running", "running")
    send(box, b"READY=1")
    assert caller.ready() == box.pid
    os.close(caller.barrier())
    start.wait().ok()
    left.socket.close()
    box.stop()


def test_others_may_work_on_the_container_meanwhile(box, caller):
    _, start = begin_start(box, caller, "pause")
    send(box, b"STATUS=waiting")
    box.call("delete", box.id).error("not stopped")
    assert box.call("exec", box.id, "/bin/sh", "-c", "echo $NOTIFY_SOCKET").ok().out == "\n"
    box.delete("--force")
    start.wait().ok()
    assert caller.is_told_nothing()
    box.assert_clean()


def test_relative_root(box, caller):
    box.set_probe(("notify", "READY=1"))
    box.write_config()
    runtime.call("--root", "states", "run", "--bundle", box.bundle, box.id, cwd=box.dir, env=caller.env).ok()
    caller.ready()


@pytest.mark.root("an ordinary user has a mount namespace always")
def test_without_a_mount_namespace(box, caller):
    """What is mounted would be mounted on the host."""
    box.without_namespace("mount")
    box.config["mounts"], box.config["root"]["readonly"] = [], False
    box.linux["maskedPaths"] = box.linux["readonlyPaths"] = []
    box.set_probe("env")
    assert "NOTIFY_SOCKET" not in seen.only(box.run(env=caller.env).ok().out).environment
    assert not (box.rootfs / "run").exists()


def test_plan_has_it_and_does_nothing(box, caller):
    box.write_config()
    text = box.call("plan", "--bundle", box.bundle, env=caller.env).ok().out
    line, = [line for line in text.splitlines() if "/run/notify " in line]
    assert line.startswith("bind") and f"source={box.root}/plan/notify" in line
    assert not box.root.exists() or os.listdir(box.root) == []
    assert caller.is_told_nothing()
