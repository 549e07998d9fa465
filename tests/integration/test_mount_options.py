# SPDX-License-Identifier: LGPL-2.1-or-later
"""The options of mounts that the kernel does not know: tmpcopyup, copy-symlink, src-nofollow, dest-nofollow; and what a
tmpfs takes over of what it covers."""

import contextlib
import os
import socket
import stat
from errno import EROFS
from pathlib import Path

import pytest

from harness.seen import MOUNTS, failed

MAPPING = [{"containerID": 0, "hostID": 100000, "size": 60000}]


def map_users(box):
    box.set_namespace("user")
    box.linux["uidMappings"] = box.linux["gidMappings"] = MAPPING


@pytest.fixture
def data(box):
    """What the image has at /data."""
    place = box.rootfs / "data"
    place.mkdir()
    return place


def copy(box, *options):
    box.add_mount("/data", "tmpfs", "tmpfs", "tmpcopyup", *options)


@contextlib.contextmanager
def inside(box, path="/data"):
    """PATH of the created container, as the host sees it there."""
    box.set_probe("pause")
    box.create()
    try:
        yield Path(f"/proc/{box.pid}/root{path}")
    finally:
        box.delete("--force")


def look(top):
    """Everything below TOP: {name: what it is}."""
    found = {}
    for directory, names, files in os.walk(top):
        for name in [".", *names, *files]:
            path = os.path.join(directory, name)
            status = os.lstat(path)
            content = None
            if stat.S_ISREG(status.st_mode):
                content = Path(path).read_bytes()
            elif stat.S_ISLNK(status.st_mode):
                content = os.readlink(path)
            found[os.path.relpath(path, top)] = (stat.filemode(status.st_mode), status.st_uid, status.st_gid,
                                                 status.st_rdev, status.st_mtime_ns, content)
    return found


# ---- tmpcopyup


def fill(data):
    (data / "file").write_text("content\n")
    (data / "empty").write_text("")
    (data / "large").write_bytes(os.urandom(3 << 20 | 5))
    (data / "program").write_text("#!/bin/sh\n")
    os.chown(data / "program", 1000, 1001)
    (data / "program").chmod(0o6755)
    (data / "sub/deeper/deepest").mkdir(parents=True)
    (data / "sub/deeper/deepest/file").write_text("deep")
    (data / "sub/sibling").mkdir()
    (data / "sub").chmod(0o2750)
    os.chown(data / "sub/deeper", 7, 8)
    (data / "sub/deeper").chmod(0o1777)
    (data / "closed").mkdir(mode=0o500)
    (data / "link").symlink_to("file")
    (data / "dangling").symlink_to("/no/such/place")
    os.lchown(data / "link", 3, 4)
    os.mkfifo(data / "fifo", 0o640)
    os.mknod(data / "zero", stat.S_IFCHR | 0o604, os.makedev(1, 5))
    os.mknod(data / "block", stat.S_IFBLK | 0o600, os.makedev(7, 300))
    os.chown(data / "zero", 5, 6)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(data / "socket"))
    for i in range(700):
        (data / f"many-{i:04}-{'x' * 60}").write_text(str(i))
    for directory, names, files in os.walk(data, topdown=False):
        for i, name in enumerate(sorted([*names, *files])):
            os.utime(os.path.join(directory, name), ns=(i * 10 ** 9 + 1, i * 10 ** 9 + 2), follow_symlinks=False)


@pytest.mark.root("gives files away")
def test_copy_is_the_same(box, data):
    """Content, types, modes, owners, times of everything, and nothing else."""
    fill(data)
    os.utime(data, ns=(1, 2))
    os.chown(data, 11, 12)
    data.chmod(0o1731)
    copy(box)
    with inside(box) as copied:
        here, there = look(data), look(copied)
    # The tmpfs's own times are those of its first moments.
    assert here.pop(".")[:4] == there.pop(".")[:4]
    assert there == here
    assert look(data) | {".": None} == here | {".": None}


def test_copy_from_inside(box, data):
    (data / "file").write_text("of the image")
    (data / "link").symlink_to("file")
    copy(box, "mode=0710")
    seen = box.probe("cat /data/link", "create /data/new", "stat /data", MOUNTS, "ls /data")
    assert seen["cat /data/link"] == "of the image"
    assert seen["create /data/new"] == 0
    assert seen["stat /data"]["mode"] == 0o710
    assert seen.mount("/data").type == "tmpfs"
    assert seen["ls /data"] == ["file", "link", "new"]
    assert sorted(os.listdir(data)) == ["file", "link"]


def test_read_only_copy(box, data):
    (data / "file").write_text("of the image")
    copy(box, "ro")
    seen = box.probe("cat /data/file", "create /data/new", MOUNTS)
    assert seen["cat /data/file"] == "of the image"
    assert failed(seen["create /data/new"], EROFS)
    assert "ro" in seen.mount("/data").flags


def test_copy_of_nothing(box):
    """What the image does not have is made, and stays empty."""
    box.add_mount("/new/place", "tmpfs", "tmpfs", "tmpcopyup", "size=4k")
    seen = box.probe("ls /new/place", "stat /new/place")
    assert seen["ls /new/place"] == []
    assert seen["stat /new/place"]["mode"] == 0o755


def test_copy_of_an_earlier_mount(box):
    """What is there at the destination is what is copied, not what the image has below it."""
    (box.directory("volume") / "file").write_text("of the volume")
    box.add_bind(box.dir / "volume", "/data", "ro")
    copy(box)
    assert box.probe("cat /data/file")["cat /data/file"] == "of the volume"


def test_mount_after_a_copy(box, data):
    (data / "below").mkdir()
    (data / "below/file").write_text("of the image")
    (box.directory("volume") / "file").write_text("of the volume")
    copy(box)
    box.add_bind(box.dir / "volume", "/data/below")
    assert box.probe("cat /data/below/file")["cat /data/below/file"] == "of the volume"


def test_what_is_mounted_below_is_not_copied(box, data):
    (data / "dir").mkdir()
    (data / "dir/file").write_text("of the image")
    (data / "file").write_text("of the image")
    volume = box.directory("volume")
    (volume / "huge").write_text("of the volume")
    box.add_bind(volume, "/data/dir")
    box.add_bind(volume / "huge", "/data/file")
    copy(box)
    seen = box.probe("ls /data", "ls /data/dir", "cat /data/file")
    assert seen == {"ls /data": ["dir", "file"], "ls /data/dir": [], "cat /data/file": ""}


def test_copy_keeps_holes(box, data):
    with open(data / "sparse", "wb") as file:
        file.truncate(1 << 40)
        os.pwrite(file.fileno(), b"in the middle", 1 << 39)
    copy(box, "size=1m")
    with inside(box) as copied:
        status = os.stat(copied / "sparse")
        with open(copied / "sparse", "rb") as file:
            assert os.pread(file.fileno(), 20, 1 << 39) == b"in the middle" + b"\0" * 7
    assert status.st_size == 1 << 40
    assert status.st_blocks * 512 <= 8192


@pytest.mark.root("gives files away")
def test_copy_keeps_extended_attributes(box, data):
    """Those that a tmpfs has: file capabilities and ACLs, among others."""
    (data / "program").write_text("")
    (data / "dir").mkdir()
    capability = bytes.fromhex("0100000200040000000000000000000000000000")
    os.setxattr(data / "program", "security.capability", capability)
    os.setxattr(data / "dir", "trusted.thole", b"x" * 3000)
    copy(box)
    with inside(box) as copied:
        assert os.getxattr(copied / "program", "security.capability") == capability
        assert os.getxattr(copied / "dir", "trusted.thole") == b"x" * 3000


@pytest.mark.parametrize("options, kept", [([], {"nosuid", "nodev", "noexec"}), (["suid", "exec"], {"nodev"}),
                                           (["dev"], {"nosuid", "noexec"}), (["nodev"], {"nosuid", "nodev", "noexec"})])
def test_copy_is_protected_as_what_it_covers(box, options, kept):
    """A set-user-ID file or a device that did nothing where it was does nothing in the copy."""
    box.add_bind(box.directory("volume"), "/data", "nosuid", "nodev", "noexec")
    copy(box, *options)
    assert box.probe(MOUNTS).mount("/data").flags & {"nosuid", "nodev", "noexec"} == kept


@pytest.mark.root("gives files away")
def test_copy_in_a_user_namespace(box, data):
    """Owners that have an id there keep it; what has none becomes root's there, and runs for nobody."""
    map_users(box)
    os.chown(data, 100005, 100006)
    (data / "mapped").write_text("mapped")
    os.chown(data / "mapped", 100001, 100002)
    (data / "mapped").chmod(0o6755)
    (data / "foreign").write_text("foreign")
    (data / "foreign").chmod(0o6755)
    (data / "half").write_text("half")
    os.chown(data / "half", 100001, 0)
    copy(box)
    seen = box.probe("stat /data", "stat /data/mapped", "stat /data/foreign", "stat /data/half", "cat /data/foreign")
    owners = {name: (answer["uid"], answer["gid"], answer["mode"]) for name, answer in seen.items() if name[0] == "s"}
    assert owners == {"stat /data": (5, 6, 0o755), "stat /data/mapped": (1, 2, 0o6755),
                      "stat /data/foreign": (0, 0, 0o755), "stat /data/half": (1, 0, 0o644)}
    assert seen["cat /data/foreign"] == "foreign"


@pytest.mark.root("makes device nodes")
def test_device_cannot_be_copied_in_a_user_namespace(box, data):
    map_users(box)
    os.mknod(data / "zero", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    copy(box)
    box.try_create().error(box.last_mount, "/data/zero", "mount tmpfs on /data", "not permitted")
    box.assert_clean()


@pytest.mark.parametrize("options, path", [(["size=64k"], "/data/sub/large"), (["nr_inodes=3"], "/data/sub/")])
def test_copy_without_room(box, data, options, path):
    (data / "sub").mkdir()
    (data / "sub/large").write_bytes(b"x" * 200000)
    (data / "sub/other").write_bytes(b"")
    copy(box, *options)
    assert "hint: tmpcopyup: size= " in box.try_create().error(box.last_mount, path, "No space left on device")
    box.assert_clean()


@pytest.mark.parametrize("depth", [300, 510])
def test_deep_copy(box, data, depth):
    """Deeper than a path can be long."""
    name, top = "d" * 100, os.open(data, os.O_PATH)
    for _ in range(depth):
        os.mkdir(name, dir_fd=top)
        below = os.open(name, os.O_PATH, dir_fd=top)
        os.close(top)
        top = below
    os.close(os.open("bottom", os.O_CREAT | os.O_WRONLY, dir_fd=top))
    os.close(top)
    copy(box)
    with inside(box) as copied:
        top = os.open(copied, os.O_PATH)
        for _ in range(depth):
            below = os.open(name, os.O_PATH, dir_fd=top)
            os.close(top)
            top = below
        assert stat.S_ISREG(os.stat("bottom", dir_fd=top).st_mode)
        os.close(top)


def test_too_deep_copy(box, data):
    (data / "/".join(["d"] * 600)).mkdir(parents=True)
    copy(box)
    box.try_create().error(box.last_mount, "/data/d/d", "more than 512 directories deep")
    box.assert_clean()


@pytest.mark.root("gives files away")
def test_copy_leaves_no_descriptor(box, data):
    fill(data)
    copy(box)
    seen = box.probe("fds")
    assert set(seen["fds"]) == {"0", "1", "2"}


@pytest.mark.root("gives files away")
def test_options_of_the_file_system_with_a_copy(box, data):
    """They are handed over one by one there, those of the super block among them."""
    (data / "file").write_text("")
    copy(box, "size=1m", "nr_inodes=50", "uid=9", "sync", "dirsync", "lazytime", "nodev", "mpol=bind:0,0")
    seen = box.probe(MOUNTS, "stat /data")
    entry = seen.mount("/data")
    assert {"size=1024k", "nr_inodes=50", "uid=9", "sync", "dirsync", "lazytime", "mpol=bind:0"} <= entry.options | entry.flags
    assert "nodev" in entry.flags
    assert (seen["stat /data"]["uid"], seen["stat /data"]["gid"]) == (9, 0)


def test_bad_option_with_a_copy(box, data):
    copy(box, "siz=1m")
    box.try_create().error(box.last_mount, "tmpfs: Unknown parameter 'siz'")
    box.assert_clean()


# ---- what a tmpfs takes over without a copy


@pytest.mark.root("gives files away")
@pytest.mark.parametrize("options, expected", [
    ([], (0o1731, 11, 12)), (["mode=0700"], (0o700, 0, 0)), (["uid=5"], (0o1731, 5, 0)), (["gid=5"], (0o1731, 0, 5)),
    (["mode=0700", "tmpcopyup"], (0o700, 11, 12)), (["uid=5", "tmpcopyup"], (0o1731, 5, 0)),
])
def test_mode_and_owner_of_a_tmpfs(box, data, options, expected):
    data.chmod(0o1731)
    os.chown(data, 11, 12)
    data.chmod(0o1731)
    box.add_mount("/data", "tmpfs", "tmpfs", *options)
    answer = box.probe("stat /data")["stat /data"]
    assert (answer["mode"], answer["uid"], answer["gid"]) == expected


@pytest.mark.root("maps ids that are nobody's")
@pytest.mark.parametrize("owner, size, expected", [(100011, 60000, 11), (12345, 60000, 0), (165534, 65536, 65534),
                                                   (12345, 65536, 65534)])
def test_owner_of_a_tmpfs_in_a_user_namespace(box, data, owner, size, expected):
    """An owner without an id there shows as 65534, which not every namespace has."""
    box.set_namespace("user")
    box.linux["uidMappings"] = box.linux["gidMappings"] = [MAPPING[0] | {"size": size}]
    os.chown(data, owner, owner)
    box.add_mount("/data", "tmpfs", "tmpfs")
    answer = box.probe("stat /data")["stat /data"]
    assert (answer["uid"], answer["gid"]) == (expected, expected)


# ---- copy-symlink, src-nofollow, dest-nofollow

both = pytest.mark.parametrize("users", ["host", "mapped"])


@pytest.fixture
def source(box):
    """A directory of the host with a file and links, which only root may enter."""
    place = box.directory("source")
    (place / "file").write_text("of the host")
    (place / "dir").mkdir()
    (place / "dir/inner").write_text("inner of the host")
    (place / "link").symlink_to("../etc/where")
    (place / "link-to-file").symlink_to("file")
    (place / "link-to-dir").symlink_to("dir")
    place.chmod(0o700)
    (box.rootfs / "etc/where").write_text("of the image")
    return place


@pytest.mark.root("maps ids that are nobody's")
@both
def test_copied_symlink(box, source, users):
    """The link is made, not a mount; where it leads is the container's business."""
    if users == "mapped":
        map_users(box)
    box.add_mount("/tmp", "tmpfs", "tmpfs")
    box.add_bind(source / "link", "/tmp/new/link", "copy-symlink")
    seen = box.probe("readlink /tmp/new/link", MOUNTS)
    assert seen["readlink /tmp/new/link"] == "../etc/where"
    assert not [entry for entry in seen.mounts if entry.point == "/tmp/new/link"]


@pytest.mark.root("maps ids that are nobody's")
@both
def test_copy_symlink_binds_what_is_no_link(box, source, users):
    if users == "mapped":
        map_users(box)
    for name in ("file", "dir"):
        (box.rootfs / name).mkdir() if name == "dir" else (box.rootfs / name).write_text("")
        box.add_bind(source / name, f"/{name}", "copy-symlink", "ro")
    seen = box.probe("cat /file", "cat /dir/inner", MOUNTS)
    assert (seen["cat /file"], seen["cat /dir/inner"]) == ("of the host", "inner of the host")
    assert all("ro" in seen.mount(f"/{name}").flags for name in ("file", "dir"))


@pytest.mark.parametrize("readonly", [False, True])
def test_copied_symlink_that_is_there(box, source, readonly):
    volume = box.directory("volume")
    (volume / "link").symlink_to("../etc/where")
    box.add_bind(volume, "/vol", "ro" if readonly else "rw")
    box.add_bind(source / "link", "/vol/link", "copy-symlink")
    assert box.probe("readlink /vol/link")["readlink /vol/link"] == "../etc/where"


@pytest.mark.parametrize("what", ["file", "directory", "other link"])
def test_copied_symlink_where_something_else_is(box, source, what):
    place = box.rootfs / "link"
    {"file": place.write_text, "directory": lambda _: place.mkdir(), "other link": place.symlink_to}[what]("other")
    box.add_bind(source / "link", "/link", "copy-symlink")
    box.try_create().error(box.last_mount, "/link", "something else is there")
    box.assert_clean()


def test_copied_symlink_on_a_read_only_volume(box, source):
    box.add_bind(box.directory("volume"), "/vol", "ro")
    box.add_bind(source / "link", "/vol/link", "copy-symlink")
    box.try_create().error(box.last_mount, "/vol/link", "Read-only file system")
    box.assert_clean()


def test_copied_symlink_is_made_inside(box, source):
    """Links on the way to it count from the container's root."""
    outside = box.directory("outside")
    (box.rootfs / "way").symlink_to(outside)
    box.add_bind(source / "link", "/way/link", "copy-symlink")
    assert box.probe("readlink /way/link")["readlink /way/link"] == "../etc/where"
    assert os.listdir(outside) == []
    assert os.readlink(f"{box.rootfs}{outside}/link") == "../etc/where"


def test_mask_below_a_copied_symlink(box, source):
    """It is no mount that a mask could be found below."""
    (box.rootfs / "srv/real").mkdir(parents=True)
    (box.rootfs / "srv/real/secret").write_text("secret")
    (source / "masked").symlink_to("real")
    box.add_bind(source / "masked", "/srv/link", "copy-symlink")
    box.linux["maskedPaths"] += ["/srv/link/secret"]
    assert box.probe("cat /srv/real/secret")["cat /srv/real/secret"] == ""


@pytest.mark.root("maps ids that are nobody's")
@both
def test_source_symlink_is_bound_itself(box, source, users):
    if users == "mapped":
        map_users(box)
    (box.rootfs / "etc/here").write_text("")
    box.add_bind(source / "link", "/etc/here", "src-nofollow")
    seen = box.probe("readlink /etc/here", "cat /etc/here", MOUNTS)
    assert seen["readlink /etc/here"] == "../etc/where"
    assert seen["cat /etc/here"] == "of the image"
    assert seen.mount("/etc/here").root.endswith("/source/link")


def test_source_symlink_is_followed_without(box, source):
    box.add_bind(source / "link-to-file", "/mnt")
    box.add_bind(source / "link-to-dir", "/dir")
    seen = box.probe("cat /mnt", "cat /dir/inner")
    assert seen == {"cat /mnt": "of the host", "cat /dir/inner": "inner of the host"}


def test_src_nofollow_of_what_is_no_link(box, source):
    box.add_bind(source / "dir", "/mnt", "src-nofollow")
    assert box.probe("cat /mnt/inner")["cat /mnt/inner"] == "inner of the host"


def test_symlink_is_not_bound_on_a_directory(box, source):
    box.add_bind(source / "link-to-dir", "/tmp", "src-nofollow")
    box.try_create().error(box.last_mount, "/tmp", "s a directory")
    box.assert_clean()


@pytest.mark.parametrize("target", ["etc/where", "/no/such/place", "/tmp"])
def test_destination_symlink_is_covered_itself(box, source, target):
    (box.rootfs / "dest").symlink_to(target)
    box.add_bind(source / "file", "/dest", "dest-nofollow")
    seen = box.probe("cat /dest", "cat /etc/where", MOUNTS, "ls /no")
    assert seen["cat /dest"] == "of the host"
    assert seen["cat /etc/where"] == "of the image"
    assert seen.mount("/dest").root.endswith("/source/file")
    assert "errno" in seen["ls /no"]


def test_symlink_on_a_symlink(box, source):
    (box.rootfs / "etc/dest").symlink_to("passwd")
    box.add_bind(source / "link", "/etc/dest", "src-nofollow", "dest-nofollow")
    seen = box.probe("readlink /etc/dest", "cat /etc/dest")
    assert seen == {"readlink /etc/dest": "../etc/where", "cat /etc/dest": "of the image"}


@pytest.mark.parametrize("kind", ["bind", "tmpfs"])
def test_directory_cannot_cover_a_symlink(box, source, kind):
    (box.rootfs / "dest").symlink_to("tmp")
    if kind == "bind":
        box.add_bind(source / "dir", "/dest", "dest-nofollow")
    else:
        box.add_mount("/dest", "tmpfs", "tmpfs", "dest-nofollow")
    box.try_create().error(box.last_mount, "/dest", "ot a directory")
    box.assert_clean()


def test_destination_that_is_no_symlink(box, source):
    """Only the last component counts, and what is missing is made."""
    (box.rootfs / "way").symlink_to("tmp")
    box.add_bind(source / "file", "/way/new/file", "dest-nofollow")
    box.add_mount("/way/tmpfs", "tmpfs", "tmpfs", "dest-nofollow")
    seen = box.probe("cat /tmp/new/file", MOUNTS)
    assert seen["cat /tmp/new/file"] == "of the host"
    assert seen.mount("/tmp/tmpfs").type == "tmpfs"


@pytest.mark.parametrize("option", ["copy-symlink", "src-nofollow"])
def test_missing_source_link(box, option):
    box.add_bind(box.dir / "nothing", "/mnt", option)
    box.try_create().error(box.last_mount, "nothing", "No such file or directory")
    box.assert_clean()


@pytest.mark.parametrize("kind, option, word", [("mqueue", "tmpcopyup", "a tmpfs"), ("tmpfs", "copy-symlink", "a bind"),
                                                ("tmpfs", "src-nofollow", "a bind"),
                                                ("cgroup", "dest-nofollow", "a bind or a new file system")])
def test_option_of_another_kind(box, kind, option, word):
    box.add_mount("/mnt", kind, kind, option)
    box.try_create().error(box.last_mount, f"the mount option {option} is for {word}")
    box.assert_clean()
