# SPDX-License-Identifier: LGPL-2.1-or-later
"""The command line itself: versions, helps, mistakes; the commands that touch no container."""

import json
import os
import re

import pytest

from harness import config, runtime, schema, seen

COMMANDS = ["create", "delete", "events", "exec", "features", "kill", "list", "pause", "plan", "ps", "resume", "run", "spec",
            "start", "state", "update"]


@pytest.mark.parametrize("option", ["--version", "-v"])
def test_version(option):
    lines = runtime.call(option).ok().out.splitlines()
    assert re.fullmatch(r"\S+ version \d+\.\d+.*", lines[0]), lines
    assert [line for line in lines if line.startswith("commit: ")]
    assert [line for line in lines if re.fullmatch(r"spec: \d+\.\d+\.\d+", line)]


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help(option):
    result = runtime.call(option).ok()
    assert result.err == ""
    for command in COMMANDS:
        assert re.search(rf"^\s+{command}\b", result.out, re.MULTILINE), command
    for word in ("--root", "--log", "--log-format", "--debug", "--version"):
        assert word in result.out


@pytest.mark.parametrize("option", ["--help", "-h"])
@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command(command, option):
    result = runtime.call(command, option).ok()
    assert result.err == "" and command in result.out
    assert all(len(line) <= 100 for line in result.out.splitlines())


@pytest.mark.parametrize("command, words", [
    ("create", ["--bundle", "--pid-file", "--console-socket", "--preserve-fds", "--no-pivot", "--no-new-keyring",
                "--pidfd-socket", "--no-subreaper"]),
    ("run", ["--bundle", "--pid-file", "--console-socket", "--preserve-fds", "--no-pivot", "--detach", "--keep",
             "--no-subreaper"]),
    ("exec", ["--process", "--cwd", "--env", "--tty", "--user", "--additional-gids", "--cap", "--no-new-privs", "--apparmor",
              "--process-label", "--cgroup", "--detach", "--ignore-paused", "--console-socket", "--pidfd-socket",
              "--pid-file", "--preserve-fds"]),
    ("kill", ["--all", "--regex"]), ("delete", ["--force", "--regex"]), ("list", ["--format", "--quiet"]), ("spec", ["--bundle"]),
    ("plan", ["--json"]), ("ps", ["--format"]), ("events", ["--stats", "--interval"]),
    ("update", ["--resources", "--memory", "--memory-reservation", "--memory-swap", "--cpu-period", "--cpu-quota",
                "--cpu-burst", "--cpu-idle", "--cpu-share", "--cpu-rt-period", "--cpu-rt-runtime", "--cpuset-cpus",
                "--cpuset-mems", "--blkio-weight", "--pids-limit", "--l3-cache-schema", "--mem-bw-schema"]),
])
def test_help_names_every_option(command, words):
    out = runtime.call(command, "--help").ok().out
    for word in words:
        assert word in out, word


@pytest.mark.parametrize("command", ["checkpoint", "restore"])
def test_what_is_not_there_yet_is_refused(command):
    """With whatever options and operands callers give it."""
    result = runtime.call(command, "--image-path", "/nowhere", "--leave-running", "some-id")
    assert result.status == 1 and result.out == ""
    assert result.err == f"thole: {command}: containers cannot be frozen into images yet\n"


def test_help_needs_no_root_and_makes_nothing(box):
    runtime.call("--root", box.dir / "new", "run", "--help").ok()
    assert not (box.dir / "new").exists()


def test_no_command():
    result = runtime.call()
    assert "create" in result.out or "--help" in result.err


@pytest.mark.parametrize("args, word", [
    (["no-such-command"], "no-such-command"), (["--no-such-option", "list"], "--no-such-option"),
    (["run", "--no-such-option", "x"], "--no-such-option"), (["list", "-Z"], "-Z"), (["--root"], "--root"),
    (["run", "x", "--bundle"], "--bundle"),
])
def test_mistakes(args, word):
    assert runtime.call(*args).status != 0
    runtime.call(*args).error(word)


@pytest.mark.parametrize("command", ["run", "create", "start", "state", "kill", "delete", "pause", "resume", "update",
                                     "ps", "events"])
def test_missing_id(command):
    runtime.call(command).error("container")


@pytest.mark.parametrize("command", ["run", "create", "start", "state", "pause", "resume", "update", "events"])
def test_too_many_arguments(box, command):
    box.set_probe("ids")
    box.write_config()
    result = box.call(command, box.id, "another")
    assert result.status == 1 and "another" in result.err
    box.assert_clean()


def test_output_to_a_full_device_is_an_error():
    with open("/dev/full", "w", encoding="ascii") as full:
        result = runtime.call("--version", stdout=full)
    assert result.status == 1 and result.err


def test_spec(box):
    place = box.directory("spec")
    runtime.call("spec", cwd=place).ok()
    made = json.loads((place / "config.json").read_text())
    schema.validate(made, "config-schema.json")
    assert made["ociVersion"].startswith("1.")
    assert made["process"]["args"] == ["sh"] and made["process"]["terminal"] is True
    assert made["process"]["cwd"] == "/" and made["process"]["noNewPrivileges"] is True
    assert made["root"] == {"path": "rootfs", "readonly": True}
    expected = config.default_mounts()
    assert [(entry["destination"], entry["type"]) for entry in made["mounts"]] == \
        [(entry["destination"], entry["type"]) for entry in expected]
    for mine, theirs in zip(expected, made["mounts"]):
        assert set(mine.get("options", [])) == set(theirs.get("options", [])), mine["destination"]
    assert set(config.MASKED) <= set(made["linux"]["maskedPaths"]) | {"/proc/scsi", "/proc/latency_stats"}
    assert set(config.READONLY) == set(made["linux"]["readonlyPaths"])
    kinds = {entry["type"] for entry in made["linux"]["namespaces"]}
    assert {"pid", "network", "ipc", "uts", "mount"} <= kinds


@pytest.mark.parametrize("option", ["-b", "--bundle"])
def test_spec_bundle(box, option):
    place = box.directory("spec")
    runtime.call("spec", option, place).ok()
    assert (place / "config.json").exists()


def test_spec_does_not_overwrite(box):
    place = box.directory("spec")
    (place / "config.json").write_text("mine")
    runtime.call("spec", "--bundle", place).error("config.json", "exist")
    assert (place / "config.json").read_text() == "mine"


def test_spec_where_there_is_no_directory(box):
    runtime.call("spec", "--bundle", box.dir / "none").error("none", "No such file or directory")


@pytest.mark.root("its configuration has no user namespace")
def test_config_of_spec_runs(box):
    """Its own config is accepted and runs; only the terminal and the program are changed."""
    place = box.directory("spec")
    runtime.call("spec", "--bundle", place).ok()
    box.config = json.loads((place / "config.json").read_text())
    box.process["terminal"] = False
    box.set_probe(seen.MOUNTS, "caps", "uname", "prctl", "rlimits")
    box.linux["cgroupsPath"] = box.cgroup
    result = box.run().ok()
    assert result.err == ""  # nothing of our own making deserves a warning
    report = seen.only(result.out)
    assert {entry["destination"] for entry in box.config["mounts"]} <= {entry.point for entry in report.mounts}
    assert report["uname"]["nodename"] == box.config["hostname"]
    assert report["prctl"]["no_new_privs"] == 1
    assert report["caps"]["effective"] == [5, 10, 29]
    assert report["rlimits"]["NOFILE"] == [1024, 1024]


def test_spec_rootless(box):
    place = box.directory("spec")
    runtime.call("spec", "--rootless", "--bundle", place).ok()
    made = json.loads((place / "config.json").read_text())
    kinds = {entry["type"] for entry in made["linux"]["namespaces"]}
    schema.validate(made, "config-schema.json")
    assert "user" in kinds and "network" not in kinds
    assert made["linux"]["uidMappings"] == [{"containerID": 0, "hostID": os.geteuid(), "size": 1}]
    assert made["linux"]["gidMappings"] == [{"containerID": 0, "hostID": os.getegid(), "size": 1}]


def test_plan_prints_every_action_and_does_none(box):
    box.set_probe("ids")
    box.add_bind(box.dir, "/mnt", "ro")
    box.linux["sysctl"] = {"net.ipv4.ip_forward": "1"}
    box.write_config()
    out = box.call("plan", box.bundle).ok().out
    for word in ("/proc", "/dev/pts", "mqueue", "/mnt", str(box.dir), "ip_forward", "hostname", "box", "NOFILE",
                 "/probe", "/proc/kcore", "/proc/sysrq-trigger"):
        assert word in out, word
    box.assert_clean()
    assert not box.root.exists()


def test_plan_json(box):
    box.set_probe("ids")
    box.linux["sysctl"] = {"net.ipv4.ip_forward": "1"}
    box.write_config()
    steps = json.loads(box.call("plan", "--json", box.bundle).ok().out)
    assert isinstance(steps, list) and len(steps) > 20
    names = [step["op"] for step in steps]
    assert names[-1] == "exec" and "mount" in names and "pivot" in names
    sysctl, = [step for step in steps if step["op"] == "sysctl"]
    assert "linux.sysctl" in sysctl["config"] and sysctl["line"] > 1
    box.assert_clean()


def test_plan_of_the_current_directory(box):
    box.set_probe("ids")
    box.write_config()
    assert box.call("plan", cwd=box.bundle).ok().out == box.call("plan", box.bundle).ok().out


def test_plan_is_the_same_every_time(box):
    box.set_probe("ids")
    box.write_config()
    assert box.call("plan", "--json", box.bundle).ok().out == box.call("plan", "--json", box.bundle).ok().out


def test_plan_of_a_bad_config(box):
    box.config["mounts"][3]["type"] = 7
    box.write_config()
    box.call("plan", box.bundle).error("mounts[3].type", "config.json:", "string")


def test_xdg_runtime_dir_that_is_empty_is_unset():
    """As Podman passes it for root."""
    runtime.call("list", "-q", env={"XDG_RUNTIME_DIR": ""}).ok()


def test_nothing_of_the_environment_is_needed(box):
    """Callers often pass no PATH and no HOME."""

    box.set_probe("ids")
    box.write_config()
    running = runtime.spawn("--root", box.root, "run", "--bundle", box.bundle, box.id, before_exec=os.environ.clear)
    assert running.wait().status == 0
