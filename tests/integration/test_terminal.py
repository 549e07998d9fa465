# SPDX-License-Identifier: LGPL-2.1-or-later
"""process.terminal: the container's pty, with `run` in the foreground and with `create --console-socket`."""

import json
import os
import signal
import subprocess

import pytest

from harness import host, seen
from harness.terminal import ConsoleSocket, Terminal, get_size, set_size


@pytest.fixture
def terminal():
    made = Terminal(30, 100)
    yield made
    made.close()


@pytest.fixture
def box(box):
    box.process["terminal"] = True
    return box


@pytest.fixture
def console(box):
    made = ConsoleSocket(box.dir / "console")
    yield made
    made.close()


def run_on(box, terminal):
    """`run` as a shell would start it, on TERMINAL."""
    return box.spawn_run(stdin=terminal.slave, stdout=terminal.slave, stderr=terminal.slave,
                         before_exec=terminal.control)


def report(screen):
    """The probe's line; the terminal ends it with a carriage return."""
    return seen.Seen(json.loads(screen.expect(r"\{[^\r\n]*\}(?=\r?\n)")[0]))


def test_inside(box, terminal):
    box.set_probe("tty", "pids", "stat /dev/console", "fds", "readlink /proc/self/fd/0", "open /dev/tty rw",
                  "stat /dev/pts/0")
    running = run_on(box, terminal)
    got = report(terminal)
    assert running.wait().status == 0
    assert got["tty"]["isatty"] == [True, True, True]
    assert (got["tty"]["rows"], got["tty"]["columns"]) == (30, 100)
    # It is the controlling terminal of the program's session, which is in the foreground.
    assert got["open /dev/tty rw"] == 0
    assert got["pids"]["session"] == got["pids"]["terminal_session"] == got["pids"]["pid"] == 1
    assert got["pids"]["terminal_pgrp"] == got["pids"]["pgrp"]
    # One pty of the container's own devpts: 0-2, and /dev/console.
    numbers = {(got["fds"][fd]["major"], got["fds"][fd]["minor"]) for fd in ("0", "1", "2")}
    assert numbers == {(136, 0)}
    assert (got["stat /dev/console"]["type"], got["stat /dev/console"]["major"]) == ("char", 136)
    assert sorted(got["fds"]) == ["0", "1", "2"]
    assert got["readlink /proc/self/fd/0"] in ("/dev/pts/0", "/dev/console")


def test_console_size_of_the_config(box, terminal):
    """It is for a terminal that nobody sits at; ours has a size of its own."""
    box.process["consoleSize"] = {"height": 11, "width": 22}
    box.set_probe("tty")
    running = run_on(box, terminal)
    got = report(terminal)["tty"]
    running.wait()
    assert (got["rows"], got["columns"]) == (30, 100)
    got = json.loads(box.run().ok().out)["tty"]
    assert (got["rows"], got["columns"]) == (11, 22)


def test_console_size_without_a_terminal(box):
    """config.md: it MUST be ignored then, whatever it is."""
    box.process["terminal"] = False
    box.process["consoleSize"] = {"height": 1 << 20, "width": 0}
    box.set_probe("tty")
    assert box.run().ok().out


@pytest.mark.parametrize("size, word", [({"height": 1}, "width"), ({"height": 65536, "width": 1}, "65535"),
                                        ({"height": 1, "width": -1}, "width")])
def test_bad_console_size(box, console, size, word):
    box.process["consoleSize"] = size
    box.try_create("--console-socket", console.path).error("process.consoleSize", word)
    box.assert_clean()


def test_terminal_belongs_to_the_user(box, terminal):
    box.process["user"] = {"uid": 1000, "gid": 1000}
    box.set_probe("stat /dev/pts/0", "open /dev/stdout rw", "open /dev/console rw")
    running = run_on(box, terminal)
    got = report(terminal)
    running.wait().ok()
    assert got["stat /dev/pts/0"]["uid"] == 1000
    assert got["open /dev/stdout rw"] == 0


def test_raw_while_it_runs_and_restored_at_the_end(box, terminal):
    before = terminal.mode()
    assert not terminal.is_raw()
    box.set_probe("tty", "trap 1")
    running = run_on(box, terminal)
    got = report(terminal)["tty"]
    assert terminal.is_raw()
    # The line discipline works inside instead.
    assert got["echo"] and got["canonical"]
    running.signal(signal.SIGTERM)
    running.wait()
    assert terminal.mode() == before


@pytest.mark.parametrize("ending", ["exit 3", "die 9"])
def test_restored_whatever_the_end(box, terminal, ending):
    before = terminal.mode()
    box.process["args"] = ["/bin/sh", "-c", f"/probe {ending}; exit $?"]
    status = run_on(box, terminal).wait().status
    assert status == {"exit 3": 3, "die 9": 137}[ending]
    assert terminal.mode() == before


def test_restored_when_create_fails(box, terminal):
    before = terminal.mode()
    box.process["args"] = ["/no/such/program"]
    running = run_on(box, terminal)
    assert running.wait().status == 1
    assert terminal.mode() == before
    # What is printed then is printed to a terminal in order: its lines begin on the left.
    terminal.read(0.2)
    assert "/no/such/program" in terminal.text
    box.assert_clean()


def test_typing(box, terminal):
    box.process["args"] = ["/bin/sh", "-c", "read line; echo got: $line; cat"]
    running = run_on(box, terminal)
    host.until(terminal.is_raw, "raw mode")
    terminal.type("hello\r")
    terminal.expect("hello\r\n")  # the echo of the container's terminal
    terminal.expect("got: hello\r\n")
    terminal.type("\x04")  # ^D: end of file for cat
    assert running.wait().status == 0


def test_interrupt_key_reaches_the_program_only(box, terminal):
    box.set_probe("tty", "trap 1")
    running = run_on(box, terminal)
    report(terminal)
    terminal.type("\x03")
    assert report(terminal)["signal"] == signal.SIGINT
    assert running.wait().status == 0


def test_resize(box, terminal):
    box.set_probe("tty", "trap 1", "tty")
    running = run_on(box, terminal)
    assert report(terminal)["tty"]["rows"] == 30
    terminal.resize(50, 132)
    assert report(terminal)["signal"] == signal.SIGWINCH
    assert report(terminal)["tty"]["columns"] == 132
    running.wait().ok()


def test_no_newline_is_doubled(box, terminal):
    """The container's pty does not turn \\n into \\r\\n; our terminal does, once (cli-contract)."""
    box.process["args"] = ["/bin/sh", "-c", "printf 'one\\ntwo\\n'"]
    run_on(box, terminal).wait().ok()
    terminal.expect("one\r\ntwo\r\n")


def test_output_into_a_file_is_plain(box):
    """No terminal on our side: what arrives is what was written, without carriage returns; all of it."""
    box.process["args"] = ["/bin/sh", "-c", "i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done"]
    result = box.run(stdin=subprocess.DEVNULL).ok()
    assert result.out == "".join(f"line {i}\n" for i in range(2000))


def test_input_from_a_pipe(box):
    box.process["args"] = ["/bin/sh", "-c", "stty -echo 2>/dev/null; read line; echo got: $line"]
    read, write = os.pipe()
    running = box.spawn_run(stdin=read)
    os.close(read)
    os.write(write, b"piped\n")
    result = running.wait().ok()
    os.close(write)
    assert "got: piped" in result.out


def test_standard_input_closed(box):
    """A terminal works when stdin is none."""
    box.set_probe("tty")
    result = box.run(before_exec=lambda: os.close(0)).ok()
    assert json.loads(result.out)["tty"]["isatty"] == [True, True, True]


def test_large_output_is_whole(box, terminal):
    box.process["args"] = ["/bin/sh", "-c", "busybox yes 0123456789abcde | busybox head -n 20000; echo the end"]
    running = run_on(box, terminal)
    text = ""
    while "the end" not in text:
        assert terminal.read(10 * host.SLOWNESS)
        text += terminal.text
        terminal.text = ""
    assert text.count("0123456789abcde\r\n") == 20000
    assert running.wait().status == 0


def test_run_with_a_terminal_and_detach_needs_a_console_socket(box):
    box.set_probe("ids")
    box.run("--detach").error("console-socket")
    box.assert_clean()


def test_create_needs_a_console_socket(box):
    box.set_probe("ids")
    box.try_create().error("console-socket")
    box.assert_clean()


def test_console_socket_without_a_terminal(box, console):
    """A socket for a terminal that the config does not ask for is an error, not ignored."""
    box.process["terminal"] = False
    box.set_probe("ids")
    box.try_create("--console-socket", console.path).error("console-socket")
    box.assert_clean()


def test_console_socket(box, console):
    box.set_probe("tty", "pids", "trap 1", "tty")
    box.create("--console-socket", console.path)
    screen, text = console.receive()
    assert text == "/dev/ptmx" or text.startswith("/dev/pts")
    set_size(screen.master, 40, 90)
    box.start()
    got = report(screen)
    assert got["tty"]["isatty"] == [True, True, True]
    assert (got["tty"]["rows"], got["tty"]["columns"]) == (40, 90)
    assert got["pids"]["terminal_session"] == 1
    set_size(screen.master, 10, 20)
    assert report(screen)["signal"] == signal.SIGWINCH
    assert (report(screen)["tty"]["rows"], get_size(screen.master)) == (10, (10, 20))
    assert box.wait() == 0
    screen.close()
    box.delete()


def test_console_socket_master_is_of_the_containers_devpts(box, console):
    """Its slave is /dev/pts/0 of an instance of its own, so nothing of the host's terminals can be reached."""
    box.set_probe("ls /dev/pts", "stat /dev/console")
    box.create("--console-socket", console.path)
    screen, _ = console.receive()
    box.start()
    got = report(screen)
    assert got["ls /dev/pts"] == ["0", "ptmx"]
    assert os.fstat(screen.master).st_dev != os.stat("/dev/pts").st_dev
    box.wait()
    screen.close()


def test_console_socket_consolesize(box, console):
    box.process["consoleSize"] = {"height": 17, "width": 71}
    box.set_probe("tty")
    box.create("--console-socket", console.path)
    screen, _ = console.receive()
    assert get_size(screen.master) == (17, 71)
    box.start()
    got = report(screen)["tty"]
    assert (got["rows"], got["columns"]) == (17, 71)
    box.wait()
    screen.close()


def test_console_size_without_a_terminal_is_ignored(box):
    """Even one that no terminal could have."""
    box.process["terminal"] = False
    box.process["consoleSize"] = {"height": 17, "width": 99999}
    box.set_probe("tty")
    assert json.loads(box.run().ok().out)["tty"]["isatty"] == [False, False, False]


def test_console_socket_typing(box, console):
    box.process["args"] = ["/bin/sh", "-c", "read line; echo got: $line"]
    box.create("--console-socket", console.path)
    screen, _ = console.receive()
    box.start()
    screen.type("hello\n")
    screen.expect("got: hello\r?\n")
    assert box.wait() == 0
    screen.close()


def test_console_socket_with_a_long_path(box):
    """Longer than the 108 bytes of an address, as caller's state directories can be."""
    place = box.dir / ("d" * 100) / ("e" * 100)
    place.mkdir(parents=True)
    console = ConsoleSocket(place / "console")
    box.set_probe("tty")
    box.create("--console-socket", place / "console")
    screen, _ = console.receive()
    box.start()
    assert report(screen)["tty"]["isatty"] == [True, True, True]
    box.wait()
    screen.close()
    console.close()


@pytest.mark.parametrize("kind", ["missing", "file", "nobody", "empty"])
def test_bad_console_socket(box, kind):
    place = box.dir / "socket"
    if kind == "file":
        place.write_text("")
    elif kind == "nobody":
        ConsoleSocket(place).socket.close()
    box.set_probe("ids")
    box.try_create("--console-socket", "" if kind == "empty" else place).error("console")
    box.assert_clean()


def test_detached_run_with_a_console_socket(box, console):
    box.set_probe("tty", "pause")
    box.run("--detach", "--console-socket", console.path, "--pid-file", box.dir / "pid").ok()
    box.pid = int((box.dir / "pid").read_text())
    screen, _ = console.receive()
    assert report(screen)["tty"]["isatty"] == [True, True, True]
    box.stop()
    screen.close()


def test_hanging_up_ends_the_session(box, console):
    """The caller closes the master: the program gets SIGHUP, as at any terminal."""
    log = box.directory("log")
    box.add_bind(log, "/log")
    box.process["args"] = ["/probe", "-o", "/log/report", "trap", "1"]
    box.create("--console-socket", console.path)
    screen, _ = console.receive()
    box.start()
    host.until(lambda: (log / "report").exists() and "trap" in (log / "report").read_text(), "the probe's report")
    screen.close()
    assert box.wait() == 0
    assert seen.parse((log / "report").read_text())[1]["signal"] == signal.SIGHUP


def test_terminal_with_a_read_only_root_and_no_dev_mount(box, terminal):
    """/dev/console has nowhere to be made: an error or a terminal, but nothing made on the host."""
    for point in ("/dev", "/dev/pts", "/dev/shm", "/dev/mqueue"):
        box.drop_mount(point)
    box.set_probe("tty")
    running = run_on(box, terminal)
    if running.wait().status == 1:
        terminal.expect("thole: run")
    else:
        assert report(terminal)["tty"]["isatty"] == [True, True, True]
    for path in (box.rootfs / "dev").iterdir():
        # The place that /dev/console is bound on is an empty file; the rest is what a container without mounts gets.
        assert not path.is_file() or path.is_symlink() or path.stat().st_size == 0, path


@pytest.mark.parametrize("kind", ["prestart", "createRuntime", "createContainer"])
def test_terminal_and_hooks(box, terminal, kind):
    box.config["hooks"] = {kind: [{"path": "/bin/true"}]}
    box.set_probe("tty")
    running = run_on(box, terminal)
    assert report(terminal)["tty"]["isatty"] == [True, True, True]
    assert running.wait().status == 0
