# SPDX-License-Identifier: LGPL-2.1-or-later
"""Device nodes and the links in /dev: which there are, and that they work."""

import os
from errno import ENOENT, ENXIO, EPERM

import pytest

from harness.seen import failed

DEFAULT = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0)}


@pytest.mark.root("makes device nodes")
@pytest.mark.parametrize("user", [0, 1000])
def test_default_devices(box, user):
    box.process["user"] = {"uid": user, "gid": user}
    seen = box.probe(*[f"lstat /dev/{name}" for name in DEFAULT], *[f"open /dev/{name} rw" for name in DEFAULT])
    for name, number in DEFAULT.items():
        device = seen[f"lstat /dev/{name}"]
        assert device["type"] == "char", name
        assert (device["major"], device["minor"]) == number, name
        assert (device["mode"], device["uid"], device["gid"]) == (0o666, 0, 0), name
        if name == "tty":
            assert failed(seen["open /dev/tty rw"], ENXIO)  # no controlling terminal, but allowed to ask
        else:
            assert seen[f"open /dev/{name} rw"] == 0, name


def test_dev_holds_nothing_else(box):
    mounted, linked = {"pts", "shm", "mqueue"}, {"fd", "stdin", "stdout", "stderr", "ptmx"}
    # core -> /proc/kcore is a habit of some runtimes where the kernel has the file.
    assert set(box.probe("ls /dev")["ls /dev"]) - {"core"} == set(DEFAULT) | mounted | linked


def test_links(box):
    links = {"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1",
             "stderr": "/proc/self/fd/2", "ptmx": "pts/ptmx"}
    seen = box.probe(*[f"readlink /dev/{name}" for name in links], "open /dev/ptmx rw")
    assert {name: seen[f"readlink /dev/{name}"] for name in links} == links
    assert seen["open /dev/ptmx rw"] == 0


def test_links_that_the_image_has_are_kept(box):
    """Where no mount covers /dev, what stands there already stays."""
    for point in ("/dev", "/dev/pts", "/dev/shm", "/dev/mqueue"):
        box.drop_mount(point)
    (box.rootfs / "dev/stdin").symlink_to("/somewhere")
    (box.rootfs / "dev/fd").symlink_to("/proc/self/fd")
    seen = box.probe("readlink /dev/stdin", "readlink /dev/fd")
    assert seen["readlink /dev/fd"] == "/proc/self/fd"
    assert seen["readlink /dev/stdin"] in ("/somewhere", "/proc/self/fd/0")


@pytest.mark.root("makes device nodes")
@pytest.mark.parametrize("kind, shown", [("c", "char"), ("u", "char"), ("b", "block"), ("p", "fifo")])
def test_device(box, kind, shown):
    device = {"path": "/dev/extra", "type": kind, "fileMode": 0o640, "uid": 1000, "gid": 1001}
    if kind != "p":
        device |= {"major": 10, "minor": 229}
    box.linux["devices"] = [device]
    seen = box.probe("lstat /dev/extra")["lstat /dev/extra"]
    assert (seen["type"], seen["mode"], seen["uid"], seen["gid"]) == (shown, 0o640, 1000, 1001)
    if kind != "p":
        assert (seen["major"], seen["minor"]) == (10, 229)


@pytest.mark.root("makes device nodes")
def test_device_defaults(box):
    box.linux["devices"] = [{"path": "/dev/extra", "type": "c", "major": 10, "minor": 229}]
    seen = box.probe("lstat /dev/extra")["lstat /dev/extra"]
    assert (seen["mode"] & 0o666, seen["uid"], seen["gid"]) == (0o666, 0, 0)


@pytest.mark.root("makes device nodes")
def test_device_mode_with_a_file_type(box):
    """Podman says what stat(2) said; the type is that of the config."""
    box.linux["devices"] = [{"path": "/dev/extra", "type": "c", "major": 10, "minor": 229, "fileMode": 0o60640}]
    seen = box.probe("lstat /dev/extra")["lstat /dev/extra"]
    assert (seen["type"], seen["mode"]) == ("char", 0o640)


@pytest.mark.root("makes device nodes")
def test_device_mode_is_free_of_the_umask(box):
    box.linux["devices"] = [{"path": "/dev/extra", "type": "c", "major": 10, "minor": 229, "fileMode": 0o666}]
    box.process["user"]["umask"] = 0o077
    box.set_probe("lstat /dev/extra", "lstat /dev/null")
    out = box.run(before_exec=lambda: os.umask(0o077)).ok().out
    assert out.count('"mode": 438') == 2


@pytest.mark.root("makes device nodes")
def test_device_outside_of_dev(box):
    box.linux["devices"] = [{"path": "/srv/deep/null", "type": "c", "major": 1, "minor": 3}]
    seen = box.probe("lstat /srv/deep/null", "lstat /srv/deep")
    assert (seen["lstat /srv/deep/null"]["major"], seen["lstat /srv/deep/null"]["minor"]) == (1, 3)
    assert seen["lstat /srv/deep"]["mode"] == 0o755


@pytest.mark.root("makes device nodes")
def test_default_device_may_be_listed_too(box):
    """The entry decides its mode and owner."""
    box.linux["devices"] = [{"path": "/dev/null", "type": "c", "major": 1, "minor": 3, "fileMode": 0o600, "uid": 7}]
    seen = box.probe("lstat /dev/null")["lstat /dev/null"]
    assert (seen["mode"], seen["uid"]) == (0o600, 7)


@pytest.mark.root("makes device nodes")
def test_same_node_that_is_there_already(box):
    (box.rootfs / "srv").mkdir()
    os.mknod(box.rootfs / "srv/null", 0o020666, os.makedev(1, 3))
    box.linux["devices"] = [{"path": "/srv/null", "type": "c", "major": 1, "minor": 3}]
    assert box.probe("lstat /srv/null")["lstat /srv/null"]["type"] == "char"


@pytest.mark.root("makes device nodes")
@pytest.mark.parametrize("other", ["file", "directory", "device", "symlink"])
def test_something_else_that_is_there_already(box, other):
    """config-linux.md: if a file already exists that does not match, an error."""
    place = box.rootfs / "srv/null"
    place.parent.mkdir()
    if other == "file":
        place.write_text("mine")
    elif other == "directory":
        place.mkdir()
    elif other == "device":
        os.mknod(place, 0o020666, os.makedev(1, 5))
    else:
        place.symlink_to("/etc/passwd")
    box.linux["devices"] = [{"path": "/srv/null", "type": "c", "major": 1, "minor": 3}]
    box.try_create().error("linux.devices[0]", "/srv/null")
    box.assert_clean()
    if other == "file":
        assert place.read_text() == "mine"


@pytest.mark.parametrize("change, word", [
    ({"type": "x"}, "type"), ({"major": None}, "major"), ({"path": None}, "path"), ({"major": -5}, "major"),
])
def test_bad_device(box, change, word):
    device = {"path": "/dev/extra", "type": "c", "major": 1, "minor": 3} | change
    box.linux["devices"] = [{key: value for key, value in device.items() if value is not None}]
    box.try_create().error("linux.devices[0]", word)
    box.assert_clean()


@pytest.mark.root("makes device nodes")
def test_nodes_are_forbidden(box):
    """The default device rule denies all but the default devices, even where CAP_MKNOD lets a node be made."""
    box.capabilities("CAP_MKNOD")
    box.config["root"]["readonly"] = False
    seen = box.probe("mknod /tmp/disk b 254 0", "mknod /tmp/fuse c 10 229", "mknod /tmp/null c 1 3", "open /tmp/disk r",
                     "open /tmp/fuse rw", "open /tmp/null rw")
    # Whether a node of any other device can be made at all is the runtime's choice.
    for name in ("disk", "fuse"):
        opened = seen[f"open /tmp/{name} " + ("r" if name == "disk" else "rw")]
        assert failed(opened, EPERM) or failed(opened, ENOENT), (name, opened)
    assert seen["mknod /tmp/null c 1 3"] == 0
    assert seen["open /tmp/null rw"] == 0
