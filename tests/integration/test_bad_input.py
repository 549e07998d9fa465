# SPDX-License-Identifier: LGPL-2.1-or-later
"""Nonsense: each gives a one-line error that says what and where, status 1, and nothing is changed."""

import json
import os
import re
from pathlib import Path

import pytest

from harness import runtime, schema

COMMANDS = ["create", "run"]


@pytest.mark.parametrize("command", COMMANDS)
def test_bundle_missing(box, command):
    box.call(command, "--bundle", box.dir / "none", box.id).error(str(box.dir / "none"), "No such file or directory")
    box.assert_clean()


def test_bundle_is_a_file(box):
    box.call("create", "--bundle", "/etc/passwd", box.id).error("/etc/passwd", "Not a directory")
    box.assert_clean()


@pytest.mark.parametrize("command", COMMANDS)
def test_config_absent(box, command):
    box.call(command, "--bundle", box.bundle, box.id).error("config.json", "No such file or directory")
    box.assert_clean()


BAD_JSON = {
    "empty": b"",
    "space": b" \n\t ",
    "truncated": b'{"ociVersion": "1.0.2", "root": {"pa',
    "trailing": b'{"ociVersion": "1.0.2"} {"more": 1}',
    "not-json": b"hello",
    "array": b"[1, 2]",
    "null": b"null",
    "string": b'"config"',
    "number": b"42",
    "nul-byte": b'{"ociVersion": "1.0.2"\0}',
    "not-utf-8": b'{"ociVersion": "1.0.2", "hostname": "\xff\xfe"}',
    "overlong-utf-8": b'{"ociVersion": "1.0.2", "hostname": "\xc0\xaf"}',
    "utf-16": '{"ociVersion": "1.0.2"}'.encode("utf-16"),
    "comment": b'{"ociVersion": "1.0.2", /* no */ "root": {}}',
    "trailing-comma": b'{"ociVersion": "1.0.2",}',
    "single-quotes": b"{'ociVersion': '1.0.2'}",
    "control-character": b'{"ociVersion": "1.0\n2"}',
    "bad-escape": b'{"ociVersion": "\\x31"}',
    "leading-zero": b'{"ociVersion": "1.0.2", "x": 01}',
}


@pytest.mark.parametrize("kind", BAD_JSON)
def test_config_is_not_json(box, kind):
    (box.bundle / "config.json").write_bytes(BAD_JSON[kind])
    box.call("create", "--bundle", box.bundle, box.id).error("config.json")
    box.assert_clean()


def test_syntax_error_has_its_place(box):
    (box.bundle / "config.json").write_text('{\n  "ociVersion": "1.0.2",\n  "root": { oops }\n}\n')
    box.call("create", "--bundle", box.bundle, box.id).error("config.json:3:")


def test_config_of_100_megabytes(box):
    with open(box.bundle / "config.json", "wb") as file:
        file.write(b'{"ociVersion": "1.0.2", "annotations": {"a": "')
        file.truncate(100 << 20)
    box.call("create", "--bundle", box.bundle, box.id, timeout=10).error("config.json", "16")
    box.assert_clean()


def test_config_of_nearly_16_mebibytes_is_fine(box):
    box.set_probe("ids")
    box.config["annotations"] = {"long": "x" * ((16 << 20) - 60000)}
    box.run().ok()


@pytest.mark.parametrize("bracket", ["[", '{"a":'])
def test_nested_100_000_deep(box, bracket):
    closing = "]" if bracket == "[" else "}"
    text = '{"ociVersion": "1.0.2", "x": ' + bracket * 100_000 + "1" + closing * 100_000 + "}"
    (box.bundle / "config.json").write_text(text)
    box.call("create", "--bundle", box.bundle, box.id, timeout=10).error("config.json:1:", "64")
    box.assert_clean()


def test_nested_but_not_too_deep(box):
    box.set_probe("ids")
    box.config["x"] = json.loads("[" * 60 + "]" * 60)
    box.run().ok()


@pytest.mark.parametrize("kind", ["directory", "dangling", "loop", "device", "unreadable-type"])
def test_config_is_no_file(box, kind):
    place = box.bundle / "config.json"
    if kind == "directory":
        place.mkdir()
    elif kind == "dangling":
        place.symlink_to("/no/where")
    elif kind == "loop":
        place.symlink_to("config.json")
    elif kind == "device":
        place.symlink_to("/dev/zero")
    else:
        place.symlink_to("/proc/self/mem")
    box.call("create", "--bundle", box.bundle, box.id, timeout=10).error("config.json")
    box.assert_clean()


def test_config_is_a_fifo_that_nobody_writes(box):
    """Opening it must not wait for ever."""
    os.mkfifo(box.bundle / "config.json")
    box.call("create", "--bundle", box.bundle, box.id, timeout=30).error("config.json")
    box.assert_clean()


MISTAKES = [
    # Where it stands, what replaces it, what the message must name.
    ("ociVersion", None, ["ociVersion"]),
    ("ociVersion", "banana", ["ociVersion", "banana"]),
    ("ociVersion", 1, ["ociVersion", "string"]),
    ("root", None, ["root"]),
    ("root", "rootfs", ["root", "object"]),
    ("root.path", None, ["root", "path"]),
    ("root.path", 5, ["root.path", "string"]),
    ("root.readonly", "yes", ["root.readonly", "boolean"]),
    ("process.cwd", None, ["process", "cwd"]),
    ("process.cwd", "relative", ["process.cwd", "absolute"]),
    ("process.cwd", "", ["process.cwd"]),
    ("process.args", "sh", ["process.args", "array"]),
    ("process.args", [1], ["process.args[0]", "string"]),
    ("process.env", ["NOEQUALS"], ["process.env[0]"]),
    ("process.env", ["=value"], ["process.env[0]"]),
    ("process.env", "A=1", ["process.env", "array"]),
    ("process.user.uid", -1, ["process.user.uid"]),
    ("process.user.uid", 4294967296, ["process.user.uid"]),
    ("process.user.uid", "0x10", ["process.user.uid"]),
    ("process.user.uid", 1.5, ["process.user.uid"]),
    ("process.user.umask", -1, ["process.user.umask"]),
    ("process.user.additionalGids", [1, "2"], ["process.user.additionalGids[1]"]),
    ("process.noNewPrivileges", "true", ["process.noNewPrivileges", "boolean"]),
    ("process.terminal", 1, ["process.terminal", "boolean"]),
    ("process.oomScoreAdj", 1001, ["process.oomScoreAdj"]),
    ("process.oomScoreAdj", -1001, ["process.oomScoreAdj"]),
    ("process.rlimits", [{"type": "RLIMIT_NONE", "soft": 1, "hard": 1}], ["process.rlimits[0].type", "RLIMIT_NONE"]),
    ("process.rlimits", [{"type": "RLIMIT_CORE", "soft": 2, "hard": 1}], ["process.rlimits[0]"]),
    ("process.rlimits", [{"type": "RLIMIT_CORE", "soft": 1}], ["process.rlimits[0]", "hard"]),
    ("process.rlimits", [{"type": "RLIMIT_CORE", "soft": -1, "hard": 1}], ["process.rlimits[0].soft"]),
    ("process.rlimits", [{"type": "RLIMIT_CORE", "soft": 0, "hard": 18446744073709551616}],
     ["process.rlimits[0].hard"]),
    ("process.rlimits", [{"type": "RLIMIT_CORE", "soft": 0, "hard": 0}] * 2, ["process.rlimits[1]", "RLIMIT_CORE"]),
    ("process.capabilities.bounding", "CAP_KILL", ["process.capabilities.bounding", "array"]),
    ("hostname", 7, ["hostname", "string"]),
    ("hostname", "x" * 65, ["hostname"]),
    ("domainname", "x" * 65, ["domainname"]),
    ("mounts", {}, ["mounts", "array"]),
    ("mounts", [{"type": "tmpfs"}], ["mounts[0]", "destination"]),
    ("mounts", [{"destination": 1}], ["mounts[0].destination", "string"]),
    ("mounts", [{"destination": "/mnt", "type": "tmpfs", "options": "ro"}], ["mounts[0].options", "array"]),
    ("mounts", [None], ["mounts[0]", "object"]),
    ("linux.namespaces", [{"path": "/x"}], ["linux.namespaces[0]", "type"]),
    ("linux.namespaces", [{"type": "uts", "path": "relative"}, {"type": "mount"}], ["linux.namespaces[0]", "relative"]),
    ("linux.maskedPaths", ["relative/path"], ["linux.maskedPaths[0]"]),
    ("linux.maskedPaths", [5], ["linux.maskedPaths[0]", "string"]),
    ("linux.uidMappings", [{"containerID": 0, "hostID": 0}], ["linux.uidMappings[0]", "size"]),
    ("linux.cgroupsPath", 5, ["linux.cgroupsPath", "string"]),
    ("linux.sysctl", ["a"], ["linux.sysctl", "object"]),
    ("linux", 5, ["linux", "object"]),
    ("annotations", {"a": 5}, ["annotations", "string"]),
    ("annotations", [], ["annotations", "object"]),
    ("hooks", [], ["hooks", "object"]),
]


@pytest.mark.parametrize("path, value, words", MISTAKES, ids=[f"{row[0]}={str(row[1])[:30]}" for row in MISTAKES])
def test_mistake_in_the_config(box, path, value, words):
    box.config["annotations"] = {}
    place, member = box.config, path.split(".")
    for name in member[:-1]:
        place = place[name]
    if value is None:
        del place[member[-1]]
    else:
        place[member[-1]] = value
    box.try_create().error("config.json", *words)
    box.assert_clean()


MAXIMAL = Path(__file__).resolve().parent.parent / "data/configs/maximal.json"

# Of each type of JSON: a value of another, and how the message calls what was expected.
WRONG = {"object": (5, "an object"), "array": (5, "an array"), "string": (5, "a string"), "boolean": ("true", "a boolean"),
         "integer": ("5", "an integer")}

# REQUIRED in the text, not in the schema.
REQUIRED = ["root", "process.ioPriority.priority", "linux.memoryPolicy.mode", "linux.personality.domain",
            "linux.devices[].major", "linux.devices[].minor"]
REQUIRED += [f"linux.resources.blockIO.throttle{kind}Device[].rate" for kind in ("ReadBps", "WriteBps", "ReadIOPS",
                                                                                "WriteIOPS")]


def places(value, steps, named=""):
    """Yields (container, key, how messages name it) of each value in VALUE at STEPS, a path of the schema."""
    step, *below = steps
    keys = range(len(value)) if step == "[]" else list(value) if step == "*" else [step] if step in value else []
    for key in keys:
        plain = isinstance(key, str) and re.fullmatch(r"\w+", key)
        name = f"{named}[{json.dumps(key)}]" if not plain else f"{named}.{key}" if named else key
        if below:
            yield from places(value[key], below, name)
        else:
            yield value, key, name


def maximal_with(path):
    """A config that has every property, and the first of places () at PATH."""
    made = json.loads(MAXIMAL.read_text())
    return made, next(places(made, re.findall(r"\[\]|[^.\[\]]+", path)))


def required():
    """The paths of members that the specification demands of what they belong to."""
    found = set(REQUIRED)
    for path, value in {"": schema.config_schema(), **schema.linux_properties()}.items():
        for part in [value] + value.get("allOf", []) + value.get("anyOf", []):
            found |= {f"{path}.{name}".lstrip(".") for name in part.get("required", [])}
    return sorted(found)


def test_wrong_type(box):
    """Of every value that the schema has a property for."""
    for path, value in schema.linux_properties().items():
        item = path.endswith("[]")
        box.config, (place, key, named) = maximal_with(path.removesuffix("[]"))
        wrong, expected = WRONG[schema.type_of(value)]
        place[key], named = ([wrong], f"{named}[0]") if item else (wrong, named)
        box.try_create().error("config.json:", f": {named}: expected {expected}")
    box.assert_clean()


def test_missing_member(box):
    """Of every one that is REQUIRED."""
    # The specification lets pids lack its limit, whatever the schema says.
    paths = [path for path in required() if path != "linux.resources.pids.limit"]
    assert len(paths) > 50
    for path in paths:
        box.config, (place, key, _) = maximal_with(path)
        del place[key]
        box.try_create().error("config.json:", f'missing member "{key}"')
    box.assert_clean()


def test_duplicate_member(box):
    """Two readers could see two different configs."""
    box.set_probe("ids")
    box.write_config()
    text = (box.bundle / "config.json").read_text()
    (box.bundle / "config.json").write_text(text.replace('"hostname"', '"hostname": "first",\n"hostname"', 1))
    box.call("create", "--bundle", box.bundle, box.id).error("config.json:", "duplicate", "hostname")
    box.assert_clean()


def test_string_with_a_nul(box):
    """\\u0000 ends a C string: what is checked would not be what is used."""
    box.config["root"]["path"] = "rootfs\0/../../etc"
    box.try_create().error("config.json:4:", "u0000")
    box.assert_clean()


def test_error_has_line_and_column(box):
    box.config["process"]["cwd"] = 7
    box.write_config()
    text = (box.bundle / "config.json").read_text()
    line = text[:text.index('"cwd"')].count("\n") + 1
    column = text.splitlines()[line - 1].index("7") + 1
    box.try_create().error(f"config.json:{line}:{column}: process.cwd")


@pytest.mark.parametrize("path", ["no-such-rootfs", "/no/such/rootfs", "config.json", ""])
def test_rootfs_absent(box, path):
    box.config["root"]["path"] = path
    box.try_create().error("root", "config.json:")
    box.assert_clean()


IDS = ["", ".", "..", "a/b", "/", "../../etc", "a b", "a\nb", "ü", ".hidden", "a:b", "a*", "%s", "-"]


@pytest.mark.parametrize("name", IDS)
@pytest.mark.parametrize("command", ["create", "run", "state", "delete"])
def test_bad_id(box, command, name):
    if runtime.PEER:
        pytest.skip("a peer may act on such an id: crun 1.8 opens it below its state directory and deletes that")
    box.set_probe("ids")
    box.write_config()
    options = ["--bundle", box.bundle] if command in COMMANDS else []
    if name == "-":
        # A valid first character by containerd's pattern, but a lone one is an option to most.
        result = box.call(command, *options, "--", name)
        if result.status == 0:
            box.call("delete", "--force", "--", name).ok()
        return
    box.call(command, *options, "--", name).error()
    box.assert_clean()


@pytest.mark.parametrize("length, good", [(64, True), (200, True), (1025, False), (2000, False), (100_000, False)])
def test_length_of_the_id(box, length, good):
    box.set_probe("ids")
    name = (box.id + "x" * length)[:length]
    # A cgroup's name has the same bound as any file's.
    box.write_config()
    result = box.call("run", "--bundle", box.bundle, name)
    if good:
        result.ok()
    else:
        result.error()
        assert len(result.err) < 10_000
    box.assert_clean()


@pytest.mark.parametrize("name", ["A-Z_0", "a.b", "+plus", "0", "_", "x--y", "a..b"])
def test_good_id(box, name):
    box.set_probe("ids")
    box.write_config()
    box.call("run", "--bundle", box.bundle, name).ok()


def test_id_taken_changes_nothing(box):
    box.set_probe("pause")
    box.create()
    before = {path.name: path.stat().st_mtime_ns for path in (box.root / box.id).iterdir()}
    box.try_create().error(box.id, "exist")
    assert {path.name: path.stat().st_mtime_ns for path in (box.root / box.id).iterdir()} == before
    assert box.status() == "created"
    box.delete("--force")


@pytest.mark.parametrize("root", ["/proc/sys", "/etc/passwd", "/etc/passwd/below", "/dev/null"])
def test_bad_root(box, root):
    box.set_probe("ids")
    box.write_config()
    runtime.call("--root", root, "run", "--bundle", box.bundle, box.id).error(root)
    box.assert_clean()


@pytest.mark.parametrize("place", ["/no/such/directory/pid", "/etc/passwd/pid", "/proc/pid"])
def test_bad_pid_file(box, place):
    box.set_probe("ids")
    box.try_create("--pid-file", place).error(place)
    box.assert_clean()


def test_bad_pid_file_keeps_run_from_running(box):
    box.process["args"] = ["/bin/sh", "-c", "echo it ran"]
    result = box.run("--pid-file", "/no/such/directory/pid")
    result.error("/no/such/directory/pid")
    assert result.out == ""
    box.assert_clean()


@pytest.mark.parametrize("target", ["file", "nothing"])
def test_pid_file_is_a_link(box, target):
    """As /dev/stdout can be one: neither followed nor replaced."""
    box.set_probe("ids")
    (box.dir / "file").write_text("old")
    (box.dir / "link").symlink_to(target)
    box.try_create("--pid-file", box.dir / "link").error(f"{box.dir}/link: it is a symbolic link")
    assert (box.dir / "link").is_symlink() and (box.dir / "file").read_text() == "old"
    assert not (box.dir / "nothing").exists()
    box.assert_clean()


def test_pid_file_is_a_directory(box):
    box.set_probe("ids")
    box.try_create("--pid-file", box.dir).error(str(box.dir))
    box.assert_clean()
