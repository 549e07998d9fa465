# SPDX-License-Identifier: LGPL-2.1-or-later
"""--log, --log-format, --log-level, --debug: what callers read when something went wrong."""

import contextlib
import json
import os
import re
import socket
import threading

import pytest

from harness import host


def failing(box, *options, **more):
    """A create that fails, with the global OPTIONS."""
    box.process["args"] = ["/no/such/program"]
    box.write_config()
    return box.call(*options, "create", "--bundle", box.bundle, box.id, **more)


def records(path):
    """Each line of a JSON log; all of them must be whole."""
    text = path.read_text()
    assert text == "" or text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def test_error_goes_to_stderr(box):
    failing(box).error("/no/such/program")


def test_json_log_has_exactly_one_error(box):
    """containerd reads every line and keeps the last error's msg: it must be complete in itself."""
    log = box.dir / "log"
    result = failing(box, "--log", log, "--log-format", "json")
    message = result.error("/no/such/program")
    errors = [record for record in records(log) if record["level"] == "error"]
    assert len(errors) == 1
    assert "/no/such/program" in errors[0]["msg"]
    assert message.splitlines()[0].removeprefix("thole: ") in errors[0]["msg"] or \
        errors[0]["msg"].splitlines()[0] in message
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d.*", errors[0]["time"])


@pytest.mark.root("without a cgroup there is a warning more")
def test_joined_form_of_the_options(box):
    """As conmon passes them."""
    log = box.dir / "log"
    failing(box, f"--log={log}", "--log-format=json").error("/no/such/program")
    assert len(records(log)) == 1


@pytest.mark.root("without a cgroup there is a warning more")
def test_text_log(box):
    log = box.dir / "log"
    failing(box, "--log", log).error("/no/such/program")
    lines = log.read_text().splitlines()
    assert len(lines) == 1 and "/no/such/program" in lines[0] and "error" in lines[0]


@pytest.mark.root("without a cgroup there is a warning more")
def test_message_with_odd_characters_is_one_whole_json_line(box):
    log = box.dir / "log"
    box.process["args"] = ["/no/\"such\"\\\n\x01\u007f\u00fc program"]
    box.write_config()
    result = box.call("--log", log, "--log-format", "json", "create", "--bundle", box.bundle, box.id)
    assert result.status == 1
    record, = records(log)
    assert "such" in record["msg"] and record["level"] == "error"


@pytest.mark.root("without a cgroup there is a warning more")
def test_success_logs_nothing(box):
    log = box.dir / "log"
    box.set_probe("ids")
    box.write_config()
    result = box.call("--log", log, "--log-format", "json", "run", "--bundle", box.bundle, box.id).ok()
    assert result.err == ""
    assert not log.exists() or records(log) == []


@pytest.mark.parametrize("options", [["--debug"], ["--log-level", "debug"]])
def test_debug_goes_to_the_log_only(box, options):
    log = box.dir / "log"
    box.set_probe("ids")
    box.write_config()
    result = box.call("--log", log, "--log-format", "json", *options, "run", "--bundle", box.bundle, box.id).ok()
    assert result.err == ""
    assert [record for record in records(log) if record["level"] == "debug"]


def test_debug_and_an_error(box):
    log = box.dir / "log"
    failing(box, "--debug", "--log", log, "--log-format", "json").error("/no/such/program")
    all_records = records(log)
    assert len([record for record in all_records if record["level"] == "error"]) == 1
    assert all_records[-1]["level"] == "error"


def test_debug_without_a_log_goes_to_stderr(box):
    box.set_probe("ids")
    box.write_config()
    result = box.call("--debug", "run", "--bundle", box.bundle, box.id).ok()
    assert result.err


@pytest.mark.root("without a cgroup there is a warning more")
def test_log_level_hides_warnings(box):
    box.process["capabilities"]["bounding"].append("CAP_NO_SUCH_THING")
    box.set_probe("ids")
    box.write_config()
    log = box.dir / "log"
    box.call("--log", log, "--log-level", "error", "--log-format", "json", "run", "--bundle", box.bundle, box.id).ok()
    assert not log.exists() or records(log) == []
    box.call("--log", log, "--log-level", "warning", "--log-format", "json", "run", "--bundle", box.bundle, box.id).ok()
    assert [record["level"] for record in records(log)] == ["warning"]


@pytest.mark.root("without a cgroup there is a warning more")
def test_log_is_appended_to(box):
    log = box.dir / "log"
    log.write_text('{"level":"info","msg":"before","time":"2020-01-01T00:00:00Z"}\n')
    failing(box, "--log", log, "--log-format", "json")
    assert [record["msg"] for record in records(log)][0] == "before" and len(records(log)) == 2


def test_relative_log_is_relative_to_the_caller(box):
    place = box.directory("caller")
    failing(box, "--log", "mine", cwd=place)
    assert (place / "mine").exists()


def test_log_to_standard_error(box):
    """Docker and scripts pass /dev/stderr."""
    result = failing(box, "--log", "/dev/stderr")
    assert result.status == 1 and "/no/such/program" in result.err


@pytest.mark.root("without a cgroup there is a warning more")
def test_crun_file_prefix(box):
    log = box.dir / "log"
    failing(box, "--log", f"file:{log}", "--log-format", "json")
    assert len(records(log)) == 1


@pytest.mark.parametrize("options, words", [
    (["--log", "/no/such/directory/log"], ["/no/such/directory/log", "No such file"]), (["--log", "/"], ["/"]),
    (["--log-format", "xml"], ["xml"]), (["--log-level", "loud"], ["loud"]),
])
def test_bad_option(box, options, words):
    box.set_probe("ids")
    box.write_config()
    box.call(*options, "run", "--bundle", box.bundle, box.id).error(*words)
    box.assert_clean()


def test_fifo_that_nobody_reads_does_not_hang(box):
    log = box.dir / "log"
    os.mkfifo(log)
    box.set_probe("ids")
    box.write_config()
    result = box.call("--log", log, "run", "--bundle", box.bundle, box.id, timeout=15)
    assert result.status in (0, 1)


@pytest.mark.root("without a cgroup there is a warning more")
def test_fifo_that_is_read(box):
    log = box.dir / "log"
    os.mkfifo(log)
    lines = []
    reader = threading.Thread(target=lambda: lines.extend(open(log, encoding="utf-8").read().splitlines()), daemon=True)
    reader.start()
    failing(box, "--log", log, "--log-format", "json")
    reader.join(10)
    assert len(lines) == 1 and json.loads(lines[0])["level"] == "error"


def test_log_of_a_container_is_not_inherited(box):
    """The log's descriptor does not reach the program."""
    box.set_probe("fds")
    box.write_config()
    result = box.call("--log", box.dir / "log", "--debug", "run", "--bundle", box.bundle, box.id).ok()
    assert set(json.loads(result.out)["fds"]) == {"0", "1", "2"}


def test_concurrent_writers_do_not_mix_lines(make_box):
    boxes = [make_box() for _ in range(8)]
    log = boxes[0].dir / "log"
    running = []
    for box in boxes:
        box.process["args"] = ["/no/such/program"]
        box.write_config()
        running.append(box.spawn("--log", log, "--log-format", "json", "--debug", "create", "--bundle", box.bundle,
                                 box.id))
    for each in running:
        assert each.wait().status == 1
    assert len([record for record in records(log) if record["level"] == "error"]) == 8


@pytest.fixture
def service(box):
    """Makes the host, for a command, one with a service that takes logs at a PATH: what has come to it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as taker:
        place = str(box.dir / "service")
        taker.bind(place)
        taker.setblocking(False)

        def at(path):
            def prepare():
                host.unshare(host.CLONE_NEWNS)
                host.mount(None, "/", None, host.MS_REC | host.MS_PRIVATE)
                top = "/" + path.split("/")[1]
                host.mount("tmpfs", top, "tmpfs")
                os.makedirs(os.path.dirname(path), exist_ok=True)
                os.symlink(place, path)

            return prepare

        def taken():
            datagrams = []
            with contextlib.suppress(BlockingIOError):
                while True:
                    datagrams.append(taker.recv(65536))
            return datagrams

        yield at, taken


@pytest.mark.root("puts a service into the place of the host's")
@pytest.mark.parametrize("name", ["", "mine"])
def test_syslog(box, service, name):
    at, taken = service
    result = box.call("--log", f"syslog:{name}", "state", "nobody", before_exec=at("/dev/log"))
    message = result.error("nobody").removeprefix("thole: ")
    datagram, = taken()
    assert re.fullmatch(rf"<11>... .. ..:..:.. {name or 'thole'}\[\d+\]: {re.escape(message)}\0?", datagram.decode())


@pytest.mark.root("puts a service into the place of the host's")
@pytest.mark.parametrize("name", ["", "mine\nPRIORITY=0"])
def test_journal(box, service, name):
    """A name or a message cannot add fields."""
    at, taken = service
    result = box.call("--debug", "--log", f"journald:{name}", "state", "nobody\nPRIORITY=0",
                      before_exec=at("/run/systemd/journal/socket"))
    result.error("nobody")
    entries = [journal_entry(datagram) for datagram in taken()]
    assert {entry["SYSLOG_IDENTIFIER"] for entry in entries} == {name or "thole"}
    assert [entry["PRIORITY"] for entry in entries][0] == "7" and entries[-1]["PRIORITY"] == "3"
    assert "PRIORITY=0" in entries[-1]["MESSAGE"] and all(len(entry) == 3 for entry in entries)


def journal_entry(datagram):
    """The fields of a DATAGRAM: NAME=VALUE, or a name, the length, and the value."""
    fields = {}
    while datagram:
        line, datagram = datagram.split(b"\n", 1)
        name, equals, value = line.decode().partition("=")
        if not equals:
            size = int.from_bytes(datagram[:8], "little")
            value, datagram = datagram[8:8 + size].decode(), datagram[8 + size:].removeprefix(b"\n")
        assert name not in fields
        fields[name] = value
    return fields


@pytest.mark.root("hides the host's services")
def test_services_that_are_not_there(box):
    def hide():
        host.unshare(host.CLONE_NEWNS)
        host.mount(None, "/", None, host.MS_REC | host.MS_PRIVATE)
        host.mount("tmpfs", "/run", "tmpfs")
        host.mount("tmpfs", "/dev", "tmpfs")

    box.call("--log", "journald:x", "state", "nobody", before_exec=hide).error("journald:x", "/run/systemd/journal/socket")
    box.call("--log", "syslog:x", "state", "nobody", before_exec=hide).error("nobody")
