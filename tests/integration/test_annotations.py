# SPDX-License-Identifier: LGPL-2.1-or-later
"""Annotations that change what is done: each does what docs/annotations.md says, or is refused with that reason."""

import os
import re
import signal
import socket
from pathlib import Path

import pytest

TABLE = Path(__file__).parents[2] / "docs/annotations.md"
KINDS = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"]


def rows(word):
    """(name, reason) of the rows of the table that are WORD."""
    return re.findall(rf"^\| `([^`]+)` \| {word} \| (.*) \|$", TABLE.read_text(), re.MULTILINE)


def annotate(box, **annotations):
    box.config["annotations"] = {f"run.oci.{name}": str(value) for name, value in annotations.items()}


def logged(result):
    """What was said, without the quoting of the log."""
    return result.err.replace('\\"', '"')


def say(kind):
    return {"path": "/bin/sh", "args": ["sh", "-c", f"echo out {kind}; echo err {kind} >&2"], "timeout": 20}


@pytest.mark.parametrize("name, reason", rows("refused"))
def test_refused(box, name, reason):
    box.config["annotations"] = {name: "1"}
    box.try_create().error(f'annotations["{name}"]', f"not supported: {reason}")
    box.assert_clean()


@pytest.mark.parametrize("name, reason", rows("idle"))
def test_idle(box, name, reason):
    """Nothing is said to those who do not ask."""
    name += "CPUWeight" if name.endswith(".") else ""
    box.config["annotations"] = {name: "1"}
    box.set_probe("ids")
    assert box.run().ok().err == ""
    said = logged(box.call("--debug", "run", "--bundle", box.bundle, box.id).ok())
    assert re.search(rf'annotations\["{re.escape(name)}"\] .*: without effect: {re.escape(reason)}', said)


def test_unknown(box):
    box.config["annotations"] = {"run.oci.hooks.stdin": "/x", "run.oci.nothing-like-it": "1", "org.example.any": "1"}
    box.set_probe("ids")
    first, second = logged(box.run().ok()).splitlines()
    assert 'annotations["run.oci.hooks.stdin"]' in first and 'did you mean "run.oci.hooks.std' in first
    assert 'annotations["run.oci.nothing-like-it"]' in second and "did you mean" not in second


@pytest.mark.parametrize("name, value, word", [
    ("hooks.stdout", "relative", "absolute"), ("hooks.stderr", "", "absolute"), ("pidfd_receiver", "here", "absolute"),
    ("seccomp.receiver", "/there", "needs linux.seccomp"), ("keep_original_groups", "yes", "not 0, 1, false or true"),
    ("seccomp_fail_unknown_syscall", "", "not 0, 1, false or true"), ("mount_context_type", "label", "fscontext"),
    ("timens_offset", "monotonic 1 0", "time namespace"), ("systemd.subgroup", "a/b", "not the name of a cgroup"),
    ("delegate-cgroup", "..", "not the name of a cgroup"), ("delegate-cgroup", "a" * 256, "not the name of a cgroup"),
])
def test_bad_value(box, name, value, word):
    box.config["annotations"] = {f"run.oci.{name}": value}
    box.try_create().error(f'annotations["run.oci.{name}"]', word)
    box.assert_clean()


@pytest.mark.parametrize("stream, word", [("stdout", "out"), ("stderr", "err")])
def test_output_of_hooks(box, stream, word):
    """Each kind adds to what is there, in the order of their running."""
    log = box.dir / "log"
    log.write_text("before\n")
    annotate(box, **{f"hooks.{stream}": log})
    box.config["hooks"] = {kind: [say(kind), say(kind)] for kind in KINDS}
    box.set_probe("ids")
    box.create()
    assert log.read_text().splitlines() == ["before"] + [f"{word} {kind}" for kind in KINDS[:3] for _ in range(2)]
    box.start()
    box.wait()
    box.delete()
    assert log.read_text().splitlines() == ["before"] + [f"{word} {kind}" for kind in KINDS for _ in range(2)]


def test_output_of_hooks_in_one_new_file(box):
    log = box.dir / "log"
    annotate(box, **{"hooks.stdout": log, "hooks.stderr": log})
    box.config["hooks"] = {kind: [say(kind)] for kind in KINDS}
    box.set_probe("ids", "fds")
    box.run().ok()
    assert log.read_text() == "".join(f"out {kind}\nerr {kind}\n" for kind in KINDS)
    assert log.stat().st_mode & 0o7777 == 0o600


def test_output_of_hooks_is_not_the_programs(box):
    log = box.dir / "log"
    annotate(box, **{"hooks.stdout": log, "hooks.stderr": log})
    box.config["hooks"] = {kind: [say(kind)] for kind in ("createContainer", "startContainer")}
    assert set(box.probe("fds")["fds"]) == {"0", "1", "2"}


def test_output_of_hooks_where_there_are_none(box):
    log = box.dir / "log"
    annotate(box, **{"hooks.stdout": log})
    box.probe("ids")
    assert not log.exists()


@pytest.mark.parametrize("kind", ["createRuntime", "createContainer"])
def test_output_of_a_failing_hook(box, kind):
    log = box.dir / "log"
    annotate(box, **{"hooks.stderr": log})
    box.config["hooks"] = {kind: [{"path": "/bin/sh", "args": ["sh", "-c", "echo why >&2; exit 3"]}]}
    message = box.try_create().error(f"hooks.{kind}[0]", "exit status 3")
    assert "why" not in message and log.read_text() == "why\n"
    box.assert_clean()


@pytest.mark.parametrize("kind", ["createRuntime", "createContainer"])
def test_output_of_hooks_that_cannot_be_opened(box, kind):
    annotate(box, **{"hooks.stdout": box.dir / "no/log"})
    box.config["hooks"] = {kind: [say(kind)]}
    box.try_create().error("annotation run.oci.hooks.stdout", str(box.dir / "no/log"), "No such file")
    box.assert_clean()


def test_pidfd_receiver(box):
    place = box.dir / "receiver"
    annotate(box, pidfd_receiver=place)
    box.set_probe("pause")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place))
        listener.listen()
        listener.settimeout(10)
        box.create()
        connection, _ = listener.accept()
        with connection:
            text, (pidfd,), _, _ = socket.recv_fds(connection, 100, 4)
    try:
        assert text == b"pidfd"
        assert f"Pid:\t{box.pid}\n" in Path(f"/proc/self/fdinfo/{pidfd}").read_text()
        box.start()
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    finally:
        os.close(pidfd)
    box.wait()
    box.delete()


def test_pidfd_socket(box):
    """runc's option, and its word for the first process."""
    place = box.dir / "pidfd"
    box.set_probe("pause")
    box.write_config()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place))
        listener.listen()
        listener.settimeout(10)
        box.create("--pidfd-socket", place)
        connection, _ = listener.accept()
        with connection:
            text, (pidfd,), _, _ = socket.recv_fds(connection, 100, 4)
    try:
        assert text == b"standard"
        assert f"Pid:\t{box.pid}\n" in Path(f"/proc/self/fdinfo/{pidfd}").read_text()
    finally:
        os.close(pidfd)


def test_pidfd_socket_where_nobody_listens(box):
    box.set_probe("ids")
    box.try_create("--pidfd-socket", box.dir / "nobody").error("connect to pidfd socket", str(box.dir / "nobody"))
    box.assert_clean()


def test_pidfd_receiver_where_nobody_listens(box):
    annotate(box, pidfd_receiver=box.dir / "nobody")
    box.set_probe("ids")
    box.try_create().error("connect to the pidfd receiver at", str(box.dir / "nobody"))
    box.assert_clean()


@pytest.mark.parametrize("text", ["monotonic 86400 500\nboottime 7200 0\n", "1 86400 500\n7 7200 0"])
def test_time_offsets(box, probe_here, text):
    box.set_namespace("time")
    annotate(box, timens_offset=text)
    day, hours = 86400 * 10**9, 7200 * 10**9
    before = probe_here("clocks")["clocks"]
    inside = box.probe("clocks")["clocks"]
    after = probe_here("clocks")["clocks"]
    assert before["monotonic"] + day + 500 <= inside["monotonic"] <= after["monotonic"] + day + 500
    assert before["boottime"] + hours <= inside["boottime"] <= after["boottime"] + hours


@pytest.mark.parametrize("text", ["", "monotonic", "monotonic 1", "monotonic x 0", "realtime 1 0", "monotonic 1 -1",
                                  "monotonic 1 1000000000", "monotonic 9223372036854775808 0",
                                  "monotonic 1 0\nmonotonic 1 0", "monotonic 1 0 x"])
def test_bad_time_offset(box, text):
    box.set_namespace("time")
    annotate(box, timens_offset=text)
    box.try_create().error('annotations["run.oci.timens_offset"]', "clock, seconds, nanoseconds")
    box.assert_clean()


def test_time_offsets_twice(box):
    box.set_namespace("time")
    box.linux["timeOffsets"] = {"boottime": {"secs": 7200}}
    annotate(box, timens_offset="monotonic 1 0")
    box.try_create().error('annotations["run.oci.timens_offset"]', "linux.timeOffsets says it, too")


@pytest.mark.skipif(not os.path.exists("/sys/fs/selinux/enforce"), reason="SELinux is not enabled: a recorded plan "
                    "and unit/test_lsm.c have the mount option")
def test_mount_context_type(box):
    label = Path("/proc/self/attr/current").read_text().strip("\0\n")
    box.linux["mountLabel"] = label
    annotate(box, mount_context_type="rootcontext")
    box.set_probe("cat /proc/self/mountinfo")
    assert f"rootcontext={label}" in box.run().ok().out
