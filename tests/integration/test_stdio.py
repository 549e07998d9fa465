# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the program inherits: descriptors, signals, session; and what the waiting init holds."""

import os
import signal
import subprocess

import pytest

from harness import host
from harness.seen import only
from harness.terminal import Terminal


def open_some():
    """Descriptors that a careless caller leaves open, without close-on-exec."""
    for number in (3, 4, 9, 200):
        os.dup2(os.open("/etc/passwd", os.O_RDONLY), number)


def descriptors(report):
    return sorted(int(number) for number in report["fds"])


def test_only_the_standard_descriptors(box):
    assert descriptors(box.probe("fds")) == [0, 1, 2]


def test_descriptors_of_the_caller_do_not_leak(box):
    assert descriptors(box.probe("fds", before_exec=open_some, close_fds=False)) == [0, 1, 2]


def test_created_and_started_container_has_only_the_standard_descriptors(box):
    box.set_probe("fds")
    created = box.create(before_exec=open_some, close_fds=False)
    box.start(before_exec=open_some, close_fds=False)
    box.wait()
    assert descriptors(only(created.out)) == [0, 1, 2]


@pytest.mark.parametrize("kind", ["null", "pipe", "file"])
def test_standard_input(box, kind):
    box.set_probe("fds", "stdin")
    if kind == "null":
        result = box.run(stdin=subprocess.DEVNULL)
        expected = ""
    elif kind == "file":
        (box.dir / "input").write_text("from a file")
        with open(box.dir / "input", encoding="ascii") as file:
            result = box.run(stdin=file)
        expected = "from a file"
    else:
        read, write = os.pipe()
        os.write(write, b"from a pipe")
        os.close(write)
        result = box.run(stdin=read)
        os.close(read)
        expected = "from a pipe"
    report = only(result.ok().out)
    assert report["stdin"] == expected
    assert descriptors(report) == [0, 1, 2]


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
def test_closed_standard_descriptors_hold_nothing_of_the_runtimes(box, closed):
    """A descriptor that the runtime opens must not land on a free 0, 1 or 2 and be inherited as such."""
    directory = box.directory("out")
    box.add_bind(directory, "/mnt")
    box.process["args"] = ["/probe", "-o", "/mnt/report", "fds"]

    def close():
        for number in closed:
            os.close(number)

    assert box.run(before_exec=close).status == 0
    report = only((directory / "report").read_text())
    for number, descriptor in report["fds"].items():
        # The probe's own report file is the first free number.
        if descriptor["link"] == "/mnt/report":
            continue
        assert int(number) <= 2
        if int(number) in closed:
            assert descriptor["link"] == "/dev/null", descriptor


def preserve(box, count, *options, **spawn):
    """Runs the probe with COUNT files open from descriptor 3 on."""
    box.set_probe("fds", "env", "pids")
    files = []
    for i in range(count):
        (box.dir / f"file{i}").write_text("")
        files.append(open(box.dir / f"file{i}", encoding="ascii"))

    def place():
        for i, file in enumerate(files):
            os.dup2(file.fileno(), 100 + i)
        for i in range(count):
            os.dup2(100 + i, 3 + i)

    result = box.run(*options, before_exec=place, close_fds=False, **spawn)
    for file in files:
        file.close()
    return result


def test_preserve_fds(box):
    report = only(preserve(box, 3, "--preserve-fds", "2").ok().out)
    assert descriptors(report) == [0, 1, 2, 3, 4]
    assert report["fds"]["3"]["ino"] == (box.dir / "file0").stat().st_ino
    assert report["fds"]["4"]["ino"] == (box.dir / "file1").stat().st_ino


def test_preserve_fds_of_none(box):
    assert descriptors(only(preserve(box, 2, "--preserve-fds", "0").ok().out)) == [0, 1, 2]


def test_preserve_fds_through_create(box):
    box.set_probe("fds")
    read, write = os.pipe()
    created = box.create("--preserve-fds", "1", before_exec=lambda: os.dup2(write, 3), close_fds=False)
    box.start()
    box.wait()
    os.close(read)
    os.close(write)
    report = only(created.out)
    assert descriptors(report) == [0, 1, 2, 3] and report["fds"]["3"]["type"] == "fifo"


def test_preserve_fds_that_is_not_open(box):
    def close_all():
        os.closerange(3, 20)

    box.write_config()
    result = box.call("run", "--bundle", box.bundle, "--preserve-fds", "5", box.id, before_exec=close_all,
                      close_fds=False)
    result.error("descriptor")
    box.assert_clean()


@pytest.mark.parametrize("count", ["-1", "many", "", "99999999999"])
def test_preserve_fds_that_is_no_count(box, count):
    box.write_config()
    box.call("run", "--bundle", box.bundle, f"--preserve-fds={count}", box.id).error("preserve-fds")
    box.assert_clean()


def test_listen_fds(box):
    """Socket activation: the descriptors and the variables reach the program; LISTEN_PID is its own."""
    box.set_probe("fds", "env", "pids")

    def listen():
        for number in (3, 4):
            os.dup2(os.open("/etc/passwd", os.O_RDONLY), number)
        os.environ["LISTEN_PID"] = str(os.getpid())

    report = only(box.run(env={"LISTEN_FDS": "2", "LISTEN_FDNAMES": "one:two"}, before_exec=listen,
                          close_fds=False).ok().out)
    assert descriptors(report) == [0, 1, 2, 3, 4]
    assert report.environment["LISTEN_FDS"] == "2"
    assert report.environment["LISTEN_PID"] == str(report["pids"]["pid"])


def test_listen_pid_without_a_pid_namespace(box):
    """It is what the program finds itself to be: sd_listen_fds(3) believes nothing else."""
    box.without_namespace("pid")
    box.without_network()
    report = only(preserve(box, 1, env={"LISTEN_FDS": "1"}).ok().out)
    assert report["pids"]["pid"] != 1
    assert report.environment["LISTEN_PID"] == str(report["pids"]["pid"])


def test_listen_fds_and_preserve_fds_add_up(box):
    report = only(preserve(box, 4, "--preserve-fds", "1", env={"LISTEN_FDS": "2"}).ok().out)
    assert descriptors(report) == [0, 1, 2, 3, 4, 5]


def test_nonsense_in_listen_fds(box):
    report = only(preserve(box, 1, env={"LISTEN_FDS": "banana"}).ok().out)
    assert descriptors(report) == [0, 1, 2]
    assert "LISTEN_FDS" not in report.environment


def test_signals_are_default_and_unblocked(box):
    """The caller ignores SIGPIPE and blocks SIGUSR1; that is its own affair."""

    def disturb():
        for number in (signal.SIGPIPE, signal.SIGHUP, signal.SIGCHLD, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGTERM, signal.SIGRTMIN + 2})

    assert box.probe("signals", before_exec=disturb)["signals"] == {"blocked": [], "ignored": [], "caught": []}


def test_signals_after_create_and_start(box):
    def disturb():
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})

    box.set_probe("signals")
    created = box.create(before_exec=disturb)
    box.start(before_exec=disturb)
    box.wait()
    assert only(created.out)["signals"] == {"blocked": [], "ignored": [], "caught": []}


def test_scheduling_is_the_callers(box, probe_here):
    assert box.probe("sched")["sched"] == probe_here("sched")["sched"]


def waiting_descriptors(pid):
    found = {}
    for number in os.listdir(f"/proc/{pid}/fd"):
        found[int(number)] = os.readlink(f"/proc/{pid}/fd/{number}")
    return found


def test_waiting_init_holds_no_descriptor_but_its_own(box):
    box.set_probe("pause")
    box.create(before_exec=open_some, close_fds=False)
    held = waiting_descriptors(box.pid)
    extra = {number: link for number, link in held.items() if number > 2}
    # The listening control socket, perhaps what it reports over; no file, no directory, no pipe of anybody.
    assert all(link.startswith(("socket:", "/memfd:", "anon_inode:")) for link in extra.values()), extra
    assert len(extra) <= 4, extra
    box.delete("--force")


def test_waiting_init_is_no_file_of_the_host(box):
    """CVE-2019-5736: what waits in the container is a private, sealed memfd."""
    box.set_probe("pause")
    box.create()
    assert "memfd:" in os.readlink(f"/proc/{box.pid}/exe")
    box.delete("--force")


def test_waiting_init_can_be_seen_by_nobody_inside(box):
    """Nothing of the host is in its environment and arguments."""
    box.set_probe("pause")
    box.create(env={"SECRET": "of the caller"})
    for name in ("environ", "cmdline"):
        with open(f"/proc/{box.pid}/{name}", "rb") as file:
            content = file.read()
        assert b"SECRET" not in content and str(box.bundle).encode() not in content, name
    box.delete("--force")


@pytest.mark.root("without a cgroup there is a warning more")
def test_output_order_is_kept(box):
    """stdout and stderr are the caller's own descriptors, not relayed."""
    out = open(box.dir / "both", "w+b")
    box.process["args"] = ["/bin/sh", "-c", "echo one; echo two >&2; echo three"]
    box.run(stdout=out, stderr=out)
    out.seek(0)
    assert out.read() == b"one\ntwo\nthree\n"
    out.close()


def test_large_output(box):
    box.process["args"] = ["/bin/sh", "-c", "busybox dd if=/dev/zero bs=1024 count=4096 2>/dev/null"]
    assert len(box.run().ok().out) == 4 << 20


def test_standard_descriptors_belong_to_the_user(box):
    """A program that is not root can open /dev/stdout again, as many images' log links do."""
    box.process["user"] = {"uid": 1000, "gid": 1000}
    read, write = os.pipe()
    box.set_probe("open /dev/stdout w")
    report = box.run(stdout=write)
    os.close(write)
    text = os.read(read, 65536).decode()
    os.close(read)
    report.ok()
    assert '"open /dev/stdout w": 0' in text


def test_a_file_of_the_caller_is_not_given_away(box):
    """Only pipes and sockets may change hands: not a file or device of the host."""
    box.process["user"] = {"uid": 1000, "gid": 1000}
    with open(box.dir / "log", "w", encoding="ascii") as file:
        before = os.stat("/dev/null").st_uid
        box.set_probe("ids")
        box.run(stdout=file).ok()
        assert os.stat("/dev/null").st_uid == before


def test_the_terminal_of_the_caller_is_not_given_away(box):
    """Or the host's user of that number could read what is typed into it."""
    terminal = Terminal()
    before = os.stat(terminal.slave)
    box.process["user"] = {"uid": 1000, "gid": 1000}
    box.set_probe("tty")
    running = box.spawn_run(stdin=terminal.slave, stderr=terminal.slave)
    assert only(running.wait().ok().out)["tty"]["isatty"] == [True, False, True]
    after = os.stat(terminal.slave)
    assert (after.st_uid, after.st_gid, after.st_mode) == (before.st_uid, before.st_gid, before.st_mode)
    terminal.close()


def test_cwd_of_the_caller_does_not_matter(box):
    nowhere = box.directory("nowhere")
    box.set_probe("cwd")
    report = box.run(before_exec=lambda: (os.chdir(nowhere), os.rmdir(nowhere)))
    assert only(report.ok().out)["cwd"] == "/"


def test_children_of_a_detached_container_come_to_the_caller(box):
    """The container's first process is reparented to the subreaper when `run --detach` exits."""
    box.set_probe("pause")
    box.run("--detach", "--pid-file", box.dir / "pid").ok()
    box.pid = int((box.dir / "pid").read_text())
    assert box.pid in [pid for pid, _ in host.children()]
    box.stop()
