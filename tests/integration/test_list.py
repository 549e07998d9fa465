# SPDX-License-Identifier: LGPL-2.1-or-later
"""list: the table, the JSON, the ids."""

import json
import os
import pwd
import re

import pytest

from harness import runtime, schema


@pytest.fixture
def three(make_box):
    """Three containers of one root: created, running, stopped."""
    boxes = [make_box() for _ in range(3)]
    for box in boxes:
        box.root = boxes[0].root
        box.set_probe("pause")
        box.create()
    boxes[1].start()
    boxes[2].kill("KILL")
    boxes[2].wait()
    yield boxes
    for box in boxes:
        box.delete("--force")


def call(root, *args):
    return runtime.call("--root", root, "list", *args)


def test_table(three):
    lines = call(three[0].root).ok().out.splitlines()
    assert lines[0].split() == ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]
    rows = {line.split()[0]: line.split() for line in lines[1:]}
    assert list(rows) == sorted(box.id for box in three)
    for box, status in zip(three, ["created", "running", "stopped"]):
        row = rows[box.id]
        assert row[1] == ("0" if status == "stopped" else str(box.pid))
        assert row[2] == status
        assert row[3] == str(box.bundle)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT.*Z", row[4])
        assert row[5] == pwd.getpwuid(os.getuid()).pw_name
    # The columns stand below each other.
    assert len({line.index(line.split()[2]) for line in lines[1:]} | {lines[0].index("STATUS")}) == 1


def test_bundle_that_would_drive_the_terminal(box):
    box.set_probe("pause")
    box.bundle = box.bundle.rename(box.dir / "a\nb\x1b[31m")
    box.create()
    lines = call(box.root).ok().out.splitlines()
    assert len(lines) == 2 and r"a\nb\x1b[31m" in lines[1]


@pytest.mark.parametrize("option", [["-f", "json"], ["--format", "json"], ["--format=json"]])
def test_json(three, option):
    out = call(three[0].root, *option).ok().out
    assert out.count("\n") == 1 and out.endswith("\n") and ": " not in out.replace('": "', "")
    entries = json.loads(out)
    assert [entry["id"] for entry in entries] == sorted(box.id for box in three)
    for entry in entries:
        schema.validate(entry, "state-schema.json")
        assert {"ociVersion", "id", "pid", "status", "bundle", "rootfs", "created", "owner"} <= set(entry)
    by_id = {entry["id"]: entry for entry in entries}
    for box, status in zip(three, ["created", "running", "stopped"]):
        entry = by_id[box.id]
        assert (entry["status"], entry["bundle"], entry["rootfs"]) == (status, str(box.bundle), str(box.rootfs))
        assert entry["pid"] == (0 if status == "stopped" else box.pid)
        assert entry == entry | {key: value for key, value in box.state().items() if key in entry}


@pytest.mark.parametrize("option", ["-q", "--quiet"])
def test_quiet(three, option):
    assert call(three[0].root, option).ok().out.split() == sorted(box.id for box in three)


def test_empty(box):
    box.root.mkdir(mode=0o700)
    assert call(box.root).ok().out.split() == ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]
    assert json.loads(call(box.root, "-f", "json").ok().out) in ([], None)
    assert call(box.root, "-q").ok().out == ""


def test_root_that_is_missing(box):
    call(box.dir / "no-such-root").error("no-such-root")
    assert not (box.dir / "no-such-root").exists()


@pytest.mark.parametrize("root", ["", "/proc/self/exe", "/dev/null"])
def test_root_that_is_none(root):
    call(root).error()


def test_unknown_format(box):
    box.root.mkdir(mode=0o700)
    call(box.root, "--format", "xml").error("xml")


def test_no_arguments_are_taken(box):
    box.root.mkdir(mode=0o700)
    result = call(box.root, "something")
    assert result.status == 1 and result.err


def test_a_damaged_container_does_not_hide_the_others(three):
    state = three[0].root / three[0].id / "state.json"
    good = state.read_text()
    state.write_text("{ broken")
    ids, table = call(three[0].root, "-q").out, call(three[0].root).out
    state.write_text(good)
    for box in three[1:]:
        assert box.id in ids and box.id in table


def test_what_is_no_container_is_no_error(three):
    (three[0].root / "a file").write_text("")
    (three[0].root / ".hidden").mkdir()
    out = call(three[0].root, "-q").out.split()
    assert {box.id for box in three} <= set(out)
    (three[0].root / "a file").unlink()
