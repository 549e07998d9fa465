# SPDX-License-Identifier: LGPL-2.1-or-later
"""run, create, start, state and delete: the states of a container and the statuses of the commands."""

import datetime
import json
import os
import pwd
import re
import shutil
import signal
import subprocess

import pytest

from harness import host, schema, seen


def paused(box):
    """A created container whose program will wait for ever."""
    box.set_probe("pause")
    return box.create()


def test_states(box):
    paused(box)
    assert box.status() == "created"
    box.start()
    assert box.status() == "running"
    box.kill("KILL")
    box.wait()
    assert box.status() == "stopped"
    box.delete()
    box.call("state", box.id).error("does not exist")
    box.assert_clean()


def test_nothing_of_the_program_runs_before_start(box):
    box.process["args"] = ["/bin/sh", "-c", "echo started"]
    created = box.create()
    assert created.out == ""
    box.start()
    box.wait()
    assert created.out == "started\n"


def test_state_json(box):
    box.config["annotations"] = {"org.example.one": "1", "empty": "", "utf-8": "ü"}
    paused(box)
    state = box.state()
    assert state["ociVersion"] == box.config["ociVersion"] or re.fullmatch(r"1\.\d+\.\d+", state["ociVersion"])
    assert state["id"] == box.id
    assert state["status"] == "created"
    assert state["pid"] == box.pid
    assert state["bundle"] == str(box.bundle)
    assert state["rootfs"] == str(box.rootfs)
    assert state["annotations"] == box.config["annotations"]
    assert state["owner"] in (pwd.getpwuid(os.getuid()).pw_name, "")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", state["created"])
    box.start()
    box.kill("KILL")
    box.wait()
    assert box.state()["pid"] == 0


def test_state_follows_the_schema(box):
    box.config["annotations"] = {"a": "b"}
    paused(box)
    schema.validate(box.state(), "state-schema.json")
    box.start()
    schema.validate(box.state(), "state-schema.json")
    box.kill("KILL")
    box.wait()
    schema.validate(box.state(), "state-schema.json")


def test_bundle_is_absolute_in_the_state(box):
    box.set_probe("pause")
    box.write_config()
    box.call("create", "--bundle", "bundle", box.id, cwd=box.dir).ok()
    assert box.state()["bundle"] == str(box.bundle)
    box.delete("--force")


def test_bundle_is_the_current_directory_if_not_said(box):
    box.set_probe("ids")
    box.write_config()
    assert box.call("run", box.id, cwd=box.bundle).status == 0


@pytest.mark.parametrize("form", ["-b {}", "--bundle {}", "--bundle={}"])
def test_ways_to_name_the_bundle(box, form):
    box.set_probe("ids")
    box.write_config()
    assert box.call("run", *form.format(box.bundle).split(), box.id).status == 0


def test_options_after_the_id(box):
    box.set_probe("ids")
    box.write_config()
    assert box.call("run", box.id, "--bundle", box.bundle).status == 0


@pytest.mark.parametrize("option", ["-f", "--config"])
def test_config_file(box, option):
    box.config["hostname"] = "other"
    box.set_probe("uname")
    box.write_config()
    (box.bundle / "config.json").rename(box.bundle / "other.json")
    out = box.call("run", "--bundle", box.bundle, option, "other.json", box.id, cwd=box.bundle).ok().out
    assert seen.only(out)["uname"]["nodename"] == "other"


def test_config_file_elsewhere(box):
    box.set_probe("ids")
    box.write_config()
    (box.bundle / "config.json").rename(box.dir / "else.json")
    box.call("run", "--bundle", box.bundle, "--config", box.dir / "else.json", box.id).ok()


@pytest.mark.parametrize("status", [0, 1, 2, 127, 255])
def test_run_passes_the_status_on(box, status):
    box.set_probe(f"exit {status}")
    assert box.run().status == status


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGUSR1])
def test_run_tells_the_signal(box, number):
    # pid 1 is not killed by its own signals; a container in the host's pid namespace is.
    box.without_namespace("pid")
    box.set_probe(f"die {int(number)}")
    assert box.run().status == 128 + number


def test_run_deletes_the_container(box):
    box.probe("ids")
    assert box.call("state", box.id).status == 1
    box.assert_clean()


def test_run_keep(box):
    box.set_probe("ids")
    box.run("--keep").ok()
    assert box.status() == "stopped"
    box.delete()
    box.assert_clean()


@pytest.mark.parametrize("option", ["-d", "--detach"])
def test_run_detached(box, option):
    box.set_probe("pause")
    box.run(option, "--pid-file", box.dir / "pid").ok()
    box.pid = int((box.dir / "pid").read_text())
    assert box.status() == "running"
    assert box.state()["pid"] == box.pid
    box.stop()


def test_run_detached_of_a_short_program(box):
    """It may be over before the runtime is; that is no failure of `run`."""
    box.process["args"] = ["/bin/true"]
    box.run("--detach", "--pid-file", box.dir / "pid").ok()
    host.until(lambda: box.status() == "stopped", "state stopped")
    box.delete()


def test_pid_file(box):
    box.set_probe("pause")
    place = box.dir / "file"
    box.try_create("--pid-file", place).ok()
    content = place.read_bytes()
    assert content.decode() == str(box.state()["pid"])  # no newline
    assert place.stat().st_mode & 0o777 & ~0o666 == 0
    box.delete("--force")


def test_pid_file_is_there_when_create_returns_and_not_before_it_is_whole(box):
    """Written under another name and renamed: whoever watches the directory never reads half of it."""
    box.set_probe("pause")
    (box.dir / "file").write_text("old content that is longer than a pid")
    box.try_create("--pid-file", box.dir / "file").ok()
    assert int((box.dir / "file").read_text()) == box.state()["pid"]
    assert [path.name for path in box.dir.iterdir() if path.name not in ("bundle", "root", "file")] == []
    box.delete("--force")


def test_relative_pid_file_is_relative_to_the_caller(box):
    box.set_probe("pause")
    box.write_config()
    place = box.directory("caller")
    box.call("create", "--bundle", box.bundle, "--pid-file", "mine", box.id, cwd=place).ok()
    assert int((place / "mine").read_text()) == box.state()["pid"]
    assert not (box.bundle / "mine").exists()
    box.delete("--force")


def test_run_pid_file(box):
    box.set_probe("sleep 100")
    box.run("--pid-file", box.dir / "file").ok()
    assert (box.dir / "file").read_text().isdigit()


@pytest.mark.parametrize("signals", [[signal.SIGTERM], [signal.SIGUSR1, signal.SIGUSR2, signal.SIGINT, signal.SIGHUP],
                                     [signal.SIGQUIT, signal.SIGALRM, signal.SIGRTMIN + 3]])
def test_signals_are_forwarded(box, signals):
    box.set_probe(f"trap {len(signals)}")
    running = box.spawn_run()
    running.line()
    for i, number in enumerate(signals):
        running.signal(number)
        assert json.loads(running.line(1 + i)) == {"signal": number}
    assert running.wait().status == 0


def test_signal_that_comes_early_is_not_lost(box):
    """Sent while the container is still being created it is forwarded once the program runs."""
    box.config["hooks"] = {"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", "sleep 0.3"]}]}
    box.without_namespace("pid")  # where a first process that does not listen yet would ignore it
    box.set_probe("trap 1")
    running = box.spawn_run()
    host.until(lambda: box.root.exists() and os.listdir(box.root), "the container's state")
    running.signal(signal.SIGTERM)
    assert running.wait().status in (0, 128 + signal.SIGTERM)


def test_stopped_and_continued_by_the_caller(box):
    """Job control of the runtime itself does not kill the container."""
    box.set_probe("trap 1")
    running = box.spawn_run()
    running.line()
    running.signal(signal.SIGSTOP)
    running.signal(signal.SIGCONT)
    running.signal(signal.SIGTERM)
    assert json.loads(running.line(1)) == {"signal": signal.SIGTERM}
    assert running.wait().status == 0


def test_run_reaps_the_containers_orphans(box):
    """In the host's pid namespace a grandchild that outlives its parent comes to `run`, a subreaper."""
    box.without_namespace("pid")
    box.process["args"] = ["/bin/sh", "-c", "(sleep 0.05 &); sleep 0.2; exit 5"]
    assert box.run().status == 5


def test_run_ends_although_a_child_still_holds_the_output(box):
    """The container is over when its first process is: the kernel kills the rest of its pid namespace."""
    box.process["args"] = ["/bin/sh", "-c", "sleep 600 & exit 4"]
    assert box.run().status == 4


@pytest.mark.root("finds the processes by their cgroup")
def test_delete_kills_what_is_left_without_a_pid_namespace(box):
    box.without_namespace("pid")
    box.set_probe("linger", "exit 0")
    box.create()
    box.start()
    box.wait()
    box.delete("--force")
    box.assert_clean()


def test_start_twice(box):
    paused(box)
    box.start()
    box.call("start", box.id).error(box.id, "running")
    assert box.status() == "running"
    box.stop()


def test_start_a_stopped_container(box):
    box.set_probe("ids")
    box.create()
    box.start()
    box.wait()
    box.call("start", box.id).error(box.id, "stopped")
    box.delete()


def test_start_where_init_was_killed(box):
    paused(box)
    os.kill(box.pid, signal.SIGKILL)
    host.until(lambda: box.status() == "stopped", "state stopped")
    box.call("start", box.id).error(box.id, "stopped")
    box.delete()
    box.assert_clean()


def test_start_without_a_process(box):
    """runtime.md: process is only required for start."""
    del box.config["process"]
    box.try_create().ok()
    box.call("start", box.id).error("process")
    assert box.status() == "created"
    box.delete("--force")
    box.assert_clean()


def test_create_twice(box):
    paused(box)
    pid = box.pid
    box.try_create().error(box.id, "exist")
    assert box.state()["pid"] == pid and box.status() == "created"
    box.delete("--force")


def test_id_may_be_used_again(box):
    for _ in range(2):
        paused(box)
        box.start()
        box.stop()


def test_delete_a_created_container(box):
    """runtime.md#delete: what is not stopped is not deleted, and nothing is done to it."""
    paused(box)
    box.call("delete", box.id).error(box.id, "created")
    assert box.status() == "created"


def test_delete_a_running_container(box):
    paused(box)
    box.start()
    box.call("delete", box.id).error(box.id, "running")
    assert box.status() == "running"
    box.stop()


@pytest.mark.parametrize("option", ["-f", "--force"])
@pytest.mark.parametrize("state", ["created", "running", "stopped"])
def test_delete_force(box, option, state):
    paused(box)
    if state != "created":
        box.start()
    if state == "stopped":
        box.kill("KILL")
        box.wait()
    box.delete(option)
    box.call("state", box.id).error("does not exist")
    box.assert_clean()


def test_delete_of_an_absent_container(box):
    box.call("delete", "no-such-container").error("no-such-container", "does not exist")
    box.call("delete", "--force", "no-such-container").ok()


@pytest.mark.parametrize("command", ["state", "start", "kill", "delete"])
def test_absent_container(box, command):
    box.call(command, "no-such-container").error("no-such-container", "does not exist")


def test_change_of_the_config_after_create_has_no_effect(box):
    box.config["hostname"] = "before"
    box.set_probe("uname")
    created = box.create()
    box.config["hostname"] = "after"
    box.set_probe("ids")
    box.write_config()
    box.start()
    box.wait()
    assert seen.only(created.out)["uname"]["nodename"] == "before"


def test_state_survives_the_bundle(box):
    """delete needs nothing of the bundle."""
    paused(box)
    box.start()
    shutil.rmtree(box.bundle)
    assert box.status() == "running"
    box.stop()
    box.assert_clean()


def test_pid_that_is_another_process_now_is_not_ours(box):
    """A pid is trusted with its start time only.  The state's pid is changed to a stranger's."""
    paused(box)
    box.kill("KILL")
    host.until(lambda: box.status() == "stopped", "state stopped")
    stranger = subprocess.Popen(["sleep", "600"])
    try:
        for path in (box.root / box.id).glob("*.json"):
            text = path.read_text()
            path.write_text(re.sub(rf'("pid": ?){box.pid}\b', rf"\g<1>{stranger.pid}", text))
        assert box.status() == "stopped"
        box.call("kill", box.id, "KILL").error()
        box.delete("--force")
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.parametrize("version", ["1.0.0", "1.0.2-dev", "1.3.0", "1.99.0", "1.2.3-rc.1+build"])
def test_oci_version_of_this_major_is_accepted(box, version):
    """A newer one is no reason to refuse: members that we do not know are ignored."""
    box.config["ociVersion"] = version
    box.probe("ids")


def test_unknown_members_are_ignored(box):
    box.config["futureThing"] = {"deep": [1, 2, {"x": None}]}
    box.process["other"] = "thing"
    box.linux["newest"] = [True]
    box.probe("ids")


def test_members_of_other_platforms_are_ignored(box):
    box.config |= {"windows": {"layerFolders": ["x"]}, "solaris": {}, "vm": {"kernel": {"path": "/vmlinuz"}},
                   "freebsd": {}, "zos": {}}
    box.process["commandLine"] = "cmd /c exit 1"
    box.process["user"]["username"] = "ContainerUser"
    assert box.probe("ids")["ids"]["ruid"] == 0


def test_runs_below_a_long_path(box):
    """The root may be deeper than a socket address is long."""
    box.root = box.dir / ("r" * 120) / ("s" * 120)
    box.set_probe("ids")
    box.create()
    box.start()
    box.wait()
    box.delete()


def test_root_is_made_and_private(box):
    paused(box)
    assert box.root.stat().st_mode & 0o077 == 0
    for path in [box.root / box.id, *(box.root / box.id).iterdir()]:
        assert path.lstat().st_mode & 0o022 == 0 or path.is_symlink(), path
    box.delete("--force")


def test_start_time_of_state_is_now(box):
    paused(box)
    created = datetime.datetime.fromisoformat(re.sub(r"(\.\d{6})\d*Z", r"\1+00:00", box.state()["created"]))
    now = datetime.datetime.now(datetime.timezone.utc)
    assert abs((now - created).total_seconds()) < 60 * host.SLOWNESS
    box.delete("--force")


@pytest.mark.root("makes device nodes")
def test_pid_file_that_is_a_device_is_not_replaced(box):
    """`--pid-file /dev/null` as root must leave a device there."""
    null = box.dir / "null"
    os.mknod(null, 0o020666, os.makedev(1, 3))
    box.set_probe("ids")
    box.run("--pid-file", null)
    assert null.is_char_device()


def removed(config):
    config.unlink()


def garbled(config):
    config.write_text('{ "ociVersion"')


def another(config):
    config.write_text(json.dumps({"ociVersion": "1.3.0", "root": {"path": "elsewhere"}, "hostname": "other",
                                  "process": {"cwd": "/tmp", "args": ["/probe", "cwd"]}, "annotations": {"new": "1"}}))


def a_directory(config):
    config.unlink()
    config.mkdir()


@pytest.mark.parametrize("change", [removed, garbled, another, a_directory])
def test_config_as_it_was_at_create_counts(box, change):
    """runtime.md, create: updates to config.json afterwards MUST NOT affect the container."""
    log = box.dir / "log"
    log.touch()
    box.add_bind(log, "/log")
    box.config["annotations"] = {"org.example.old": "1"}
    box.config["hooks"] = {kind: [{"path": "/bin/sh", "args": ["sh", "-c", f"echo {kind} >> {place}"], "timeout": 20}]
                           for kind, place in (("startContainer", "/log"), ("poststart", log), ("poststop", log))}
    box.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["sched_yield"], "action": "SCMP_ACT_ERRNO", "errnoRet": 77}]}
    box.set_probe("uname", "cwd", "prctl", "pause")
    created = box.create()
    change(box.bundle / "config.json")
    state = box.state()
    assert state["annotations"] == {"org.example.old": "1"} and state["rootfs"] == str(box.rootfs)
    box.start()
    report = json.loads(host.until(lambda: created.out, "report"))
    assert (report["uname"]["nodename"], report["cwd"], report["prctl"]["seccomp"]) == ("box", "/", 2)
    assert box.status() == "running"
    box.kill("KILL")
    box.wait()
    box.delete()
    assert log.read_text().split() == ["startContainer", "poststart", "poststop"]


@pytest.mark.parametrize("change", [removed, another])
def test_config_as_it_was_at_create_explains_what_fails(box, change):
    """With its place in the file that is gone."""
    box.config["hooks"] = {"startContainer": [{"path": "/bin/sh", "args": ["sh", "-c", "exit 3"]}]}
    box.set_probe("ids")
    box.create()
    lines = (box.bundle / "config.json").read_text().splitlines()
    number = next(i for i, line in enumerate(lines, 1) if '"startContainer"' in line) + 1
    change(box.bundle / "config.json")
    box.call("start", box.id).error("hooks.startContainer[0]", f"config.json:{number}:", "exit status 3")
    box.assert_clean()
