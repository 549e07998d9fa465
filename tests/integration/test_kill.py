# SPDX-License-Identifier: LGPL-2.1-or-later
"""kill: names, numbers, whom it reaches, and the words that callers match."""

import json
import os
import signal

import pytest

from harness import host
from harness.box import wait_pid

FORMS = [("KILL", 9), ("SIGKILL", 9), ("9", 9), ("TERM", 15), ("SIGUSR1", 10), ("usr2", 12), ("sigint", 2), ("1", 1),
         ("RTMIN+1", 35), ("SIGRTMAX", 64), ("34", 34), ("WINCH", 28)]


def listening(box, count=1):
    """A running container whose program reports COUNT signals."""
    box.set_probe(f"trap {count}")
    created = box.create()
    box.start()
    host.until(lambda: "\n" in created.out, "the probe's first line")
    return created


@pytest.mark.parametrize("text, number", FORMS, ids=[form[0] for form in FORMS])
def test_signal(box, text, number):
    created = listening(box)
    box.kill(text)
    if number == 9:
        assert box.wait() == 137
    else:
        assert box.wait() == 0
        assert json.loads(created.out.splitlines()[1]) == {"signal": number}


def test_regular_expression(make_box):
    """Those whose ids match, and no other."""
    boxes = [make_box() for _ in range(3)]
    for each in boxes:
        each.root = boxes[0].root
        each.set_probe("pause")
        each.create()
        each.start()
    *chosen, other = boxes
    pattern = f"^({'|'.join(each.id for each in chosen)})$"
    chosen[0].call("kill", "--regex", pattern, "KILL").ok()
    for each in chosen:
        assert each.wait() == 137
    assert other.status() == "running"
    chosen[0].call("delete", "-r", pattern).ok()
    assert json.loads(other.call("list", "-f", "json").ok().out)[0]["id"] == other.id
    chosen[0].call("delete", "-r", "^none$").ok()
    failed = other.call("delete", "-r", other.id)
    assert failed.status == 1 and f"delete {other.id}: " in failed.err
    other.call("kill", "-r", "(", "KILL").error("no regular expression")
    other.call("delete", "--force", "--regex", ".").ok()
    assert wait_pid(other.pid) == 137


def test_term_is_the_default(box):
    created = listening(box)
    box.kill()
    assert box.wait() == 0
    assert json.loads(created.out.splitlines()[1]) == {"signal": signal.SIGTERM}


def test_signal_may_stand_before_or_after_options(box):
    listening(box)
    box.call("kill", "--all", box.id, "KILL").ok()
    assert box.wait() == 137


def test_zero_asks_only(box):
    created = listening(box)
    box.kill("0")
    assert box.status() == "running"
    assert len(created.out.splitlines()) == 1
    box.stop()


@pytest.mark.parametrize("text", ["NOPE", "SIG", "65", "-1", "9x", "", "99999999999999999999", "SIGSIGKILL", "RTMIN+99",
                                  " 9"])
def test_no_signal(box, text):
    created = listening(box)
    box.call("kill", box.id, "--", text).error("signal")
    assert box.status() == "running" and len(created.out.splitlines()) == 1
    box.stop()


def test_created_container(box):
    box.set_probe("pause")
    box.create()
    box.kill("KILL")
    assert box.wait() == 137
    box.delete()


def test_stopped_container(box):
    listening(box)
    box.kill("KILL")
    box.wait()
    box.call("kill", box.id, "TERM").error("container not running")
    box.call("kill", box.id, "0").error("container not running")


def test_all_on_a_stopped_container_is_success(box):
    listening(box)
    box.kill("KILL")
    box.wait()
    box.kill("--all", "KILL")
    box.kill("-a", "KILL")


def test_absent_container(box):
    box.call("kill", "no-such-container", "KILL").error("does not exist")


@pytest.mark.root("finds the processes by their cgroup")
@pytest.mark.parametrize("option", ["-a", "--all"])
@pytest.mark.parametrize("view", host.VIEWS)
def test_all_reaches_every_process(box, option):
    """Also without a pid namespace, where the first process's end takes nobody with it."""
    box.without_namespace("pid")
    box.process["args"] = ["/bin/sh", "-c", "/probe linger; /probe linger; sleep 600; exit 0"]
    box.create()
    box.start()
    # The shell, its sleep, and two that block every signal and have sessions of their own.
    host.until(lambda: len(box.cgroup_procs()) == 4, "four processes in the cgroup")
    processes = box.cgroup_procs()
    box.kill(option, "KILL")
    assert box.wait() == 137
    host.until(lambda: not [pid for pid in processes if alive(pid)], "the end of every process")
    box.delete()


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.root("finds the processes by their cgroup")
def test_only_the_first_process_without_all(box):
    box.without_namespace("pid")
    box.process["args"] = ["/bin/sh", "-c", "/probe linger; exec /probe trap 1"]
    created = box.create()
    box.start()
    host.until(lambda: "trap" in created.out, "the probe's line")
    assert len(box.cgroup_procs()) == 2
    box.kill("TERM")
    assert box.wait() == 0
    assert len(box.cgroup_procs()) == 1
    box.delete("--force")
    box.assert_clean()


@pytest.mark.parametrize("arguments", [[], ["one", "KILL", "extra"]])
def test_number_of_arguments(box, arguments):
    result = box.call("kill", *arguments)
    assert result.status == 1 and result.err


def test_many_kills_do_not_harm_a_stranger(box):
    """A pidfd is used: after the container's end a signal finds nobody, whoever has its pid by then."""
    listening(box)
    box.kill("KILL")
    os.waitpid(box.pid, 0)
    for _ in range(5):
        assert box.call("kill", box.id, "KILL").status == 1
