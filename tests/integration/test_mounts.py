# SPDX-License-Identifier: LGPL-2.1-or-later
"""mounts: file systems and binds, as the container's own mount table shows them."""

import os
import re
from errno import EACCES, ELOOP, EPERM, EROFS

import pytest

from harness import host
from harness.seen import MOUNTS, failed, only

FLAGS = {"ro": 1, "nosuid": 2, "nodev": 4, "noexec": 8, "nosymfollow": 256, "noatime": 1024, "nodiratime": 2048,
         "relatime": 1 << 21}

MAPPING = [{"containerID": 0, "hostID": 100000, "size": 65536}]


def set_flag(place, flag):
    host.mount(None, place, None, host.MS_BIND | host.MS_REMOUNT | FLAGS[flag])


@pytest.mark.root("sees the ids of the host")
def test_default_mounts(box):
    seen = box.probe(MOUNTS)
    table = {entry.point: entry for entry in seen.mounts}
    expected = {
        "/proc": ("proc", {"rw"}),
        "/dev": ("tmpfs", {"rw", "nosuid"}),
        "/dev/pts": ("devpts", {"rw", "nosuid", "noexec"}),
        "/dev/shm": ("tmpfs", {"rw", "nosuid", "nodev", "noexec"}),
        "/dev/mqueue": ("mqueue", {"rw", "nosuid", "nodev", "noexec"}),
        "/sys": ("sysfs", {"ro", "nosuid", "nodev", "noexec"}),
    }
    for point, (fstype, flags) in expected.items():
        assert table[point].type == fstype, point
        assert table[point].flags - {"relatime"} == flags, point
    assert "ro" in table["/"].flags
    assert {"size=65536k", "mode=755"} <= table["/dev"].options
    assert {"gid=5", "mode=620", "ptmxmode=666"} <= table["/dev/pts"].options
    assert "relatime" not in table["/dev"].flags  # strictatime
    assert "relatime" in table["/proc"].flags  # the kernel's default


def test_default_mounts_are_private(box):
    assert all(not entry.propagation for entry in box.probe(MOUNTS).mounts)


@pytest.mark.root("in a user namespace the devices are bound")
def test_nothing_of_the_host_is_mounted(box):
    """Nothing but the config's mounts, the masks and read-only paths, and the root."""
    wanted = {entry["destination"] for entry in box.config["mounts"]} | {"/"}
    wanted |= set(box.linux["maskedPaths"]) | set(box.linux["readonlyPaths"])
    for entry in box.probe(MOUNTS).mounts:
        assert entry.point in wanted or entry.point.startswith("/sys/fs/cgroup/"), entry


def test_order_is_that_of_the_list(box):
    first, second = box.directory("first"), box.directory("second")
    (first / "below").mkdir()
    (second / "file").write_text("second")
    box.add_bind(first, "/mnt", "ro")
    box.add_bind(second, "/mnt/below")
    box.add_mount("/mnt/below/deep", "tmpfs", "tmpfs")
    (second / "deep").mkdir()
    seen = box.probe("cat /mnt/below/file", MOUNTS)
    assert seen["cat /mnt/below/file"] == "second"
    assert seen.mount("/mnt/below/deep").type == "tmpfs"


def test_later_mount_covers_an_earlier_one(box):
    (box.directory("under") / "file").write_text("under")
    (box.directory("over") / "file").write_text("over")
    box.add_bind(box.dir / "under", "/mnt")
    box.add_bind(box.dir / "over", "/mnt")
    assert box.probe("cat /mnt/file")["cat /mnt/file"] == "over"


@pytest.mark.parametrize("kind", ["directory", "file"])
def test_destination_is_made(box, kind):
    source = box.dir / "source"
    if kind == "directory":
        source.mkdir()
    else:
        source.write_text("content")
    box.add_bind(source, "/new/deep/place", "ro")
    seen = box.probe("stat /new/deep/place", "stat /new/deep")
    assert seen["stat /new/deep/place"]["type"] == kind
    assert (seen["stat /new/deep"]["mode"], seen["stat /new/deep"]["uid"]) == (0o755, 0)


def test_relative_destination_counts_from_the_root(box):
    box.add_mount("mnt", "tmpfs", "tmpfs")
    assert box.probe(MOUNTS).mount("/mnt").type == "tmpfs"


def test_relative_source_counts_from_the_bundle(box):
    (box.bundle / "data").mkdir()
    (box.bundle / "data/file").write_text("of the bundle")
    box.add_bind("data", "/mnt")
    assert box.probe("cat /mnt/file")["cat /mnt/file"] == "of the bundle"


@pytest.mark.root("in a user namespace times of access are locked")
@pytest.mark.parametrize("option, flag", [
    ("ro", "ro"), ("rw", "rw"), ("nosuid", "nosuid"), ("nodev", "nodev"), ("noexec", "noexec"), ("noatime", "noatime"),
    ("relatime", "relatime"), ("nodiratime", "nodiratime"),
    ("nosymfollow", "nosymfollow"),
])
def test_bind_flag(box, option, flag):
    box.add_bind(box.directory("source"), "/mnt", option)
    assert flag in box.probe(MOUNTS).mount("/mnt").flags


@pytest.mark.root("mounts on the host")
@pytest.mark.parametrize("option, flag", [
    ("suid", "nosuid"), ("dev", "nodev"), ("exec", "noexec"), ("atime", "noatime"), ("diratime", "nodiratime"),
    ("strictatime", "relatime"), ("rw", "ro"),
    ("symfollow", "nosymfollow"),
])
def test_bind_flag_is_cleared(box, option, flag):
    """A bind starts with the flags of its source; the opposite option takes one away."""
    source = box.directory("source")
    host.mount("tmpfs", source, "tmpfs")
    try:
        set_flag(source, flag)
        box.add_bind(source, "/kept")
        box.add_bind(source, "/cleared", option)
        seen = box.probe(MOUNTS)
    finally:
        host.umount(source)
    assert flag not in seen.mount("/cleared").flags
    assert flag in seen.mount("/kept").flags


@pytest.mark.root("in a user namespace times of access are locked")
def test_strictatime_bind(box):
    box.add_bind(box.directory("source"), "/mnt", "strictatime")
    assert not {"relatime", "noatime"} & box.probe(MOUNTS).mount("/mnt").flags


@pytest.mark.root("in a user namespace times of access are locked")
def test_all_bind_flags_at_once(box):
    box.add_bind(box.directory("source"), "/mnt", "ro", "nosuid", "nodev", "noexec", "noatime", "nosymfollow")
    flags = box.probe(MOUNTS).mount("/mnt").flags
    assert {"ro", "nosuid", "nodev", "noexec", "noatime", "nosymfollow"} <= flags


def test_last_of_opposite_options_wins(box):
    box.add_bind(box.directory("source"), "/one", "ro", "rw")
    box.add_bind(box.directory("source"), "/other", "rw", "ro")
    seen = box.probe(MOUNTS)
    assert "rw" in seen.mount("/one").flags
    assert "ro" in seen.mount("/other").flags


@pytest.mark.root("mounts on the host")
def test_flags_act(box):
    """The flags that protect do protect, seen by trying."""
    source = box.directory("source")
    (source / "file").write_text("content")
    (source / "link").symlink_to("file")
    os.mknod(source / "zero", 0o020666, os.makedev(1, 5))
    box.add_bind(source, "/ro", "ro")
    box.add_bind(source, "/nodev", "nodev")
    box.add_bind(source, "/nosymfollow", "nosymfollow")
    box.add_bind(source, "/plain")
    seen = box.probe("open /ro/file w", "open /nodev/zero r", "open /nosymfollow/link r", "open /plain/file w",
                     "open /plain/link r")
    assert failed(seen["open /ro/file w"], EROFS)
    assert failed(seen["open /nodev/zero r"], EACCES)
    assert failed(seen["open /nosymfollow/link r"], ELOOP)
    assert seen["open /plain/file w"] == 0 and seen["open /plain/link r"] == 0


@pytest.fixture
def tree(box):
    """A source with a file system mounted below it."""
    source = box.directory("tree")
    (source / "below").mkdir()
    host.mount("tmpfs", source / "below", "tmpfs")
    (source / "below/inner").write_text("inner")
    yield source
    host.umount(source / "below")


@pytest.mark.root("mounts on the host")
def test_bind_takes_one_file_system(box, tree):
    box.add_bind(tree, "/mnt", "bind")
    assert box.probe("ls /mnt/below")["ls /mnt/below"] == []


@pytest.mark.root("mounts on the host")
def test_rbind_takes_the_tree(box, tree):
    box.add_bind(tree, "/mnt", "rbind")
    assert box.probe("ls /mnt/below")["ls /mnt/below"] == ["inner"]


@pytest.mark.root("mounts on the host")
def test_ro_of_an_rbind_is_not_recursive(box, tree):
    box.add_bind(tree, "/mnt", "rbind", "ro")
    seen = box.probe(MOUNTS)
    assert "ro" in seen.mount("/mnt").flags
    assert "rw" in seen.mount("/mnt/below").flags


@pytest.mark.root("mounts on the host")
@pytest.mark.parametrize("option, flag", [("rro", "ro"), ("rnosuid", "nosuid"), ("rnodev", "nodev"),
                                          ("rnoexec", "noexec"), ("rnoatime", "noatime"),
                                          ("rnodiratime", "nodiratime"), ("rnosymfollow", "nosymfollow")])
def test_recursive_flag(box, tree, option, flag):
    box.add_bind(tree, "/mnt", "rbind", option)
    seen = box.probe(MOUNTS)
    assert flag in seen.mount("/mnt").flags
    assert flag in seen.mount("/mnt/below").flags


@pytest.mark.root("mounts on the host")
@pytest.mark.parametrize("option, flag", [("rrw", "ro"), ("rsuid", "nosuid"), ("rdev", "nodev"), ("rexec", "noexec"),
                                          ("ratime", "noatime"), ("rstrictatime", "relatime"), ("rrelatime", "noatime"),
                                          ("rdiratime", "nodiratime"), ("rsymfollow", "nosymfollow")])
def test_recursive_flag_is_cleared(box, tree, option, flag):
    set_flag(tree / "below", flag)
    box.add_bind(tree, "/mnt", "rbind", option)
    assert flag not in box.probe(MOUNTS).mount("/mnt/below").flags


@pytest.mark.root("mounts on the host")
@pytest.mark.parametrize("option", ["rnorelatime", "rnostrictatime"])
def test_recursive_option_that_changes_nothing(box, tree, option):
    """They take away what these mounts do not have, or what the kernel falls back to anyway."""
    box.add_bind(tree, "/plain", "rbind")
    box.add_bind(tree, "/mnt", "rbind", option)
    seen = box.probe(MOUNTS)
    assert seen.mount("/mnt").flags == seen.mount("/plain").flags
    assert seen.mount("/mnt/below").flags == seen.mount("/plain/below").flags


@pytest.mark.parametrize("option, expected", [
    ("private", set()), ("rprivate", set()), ("shared", {"shared"}), ("rshared", {"shared"}),
    ("unbindable", {"unbindable"}), ("runbindable", {"unbindable"}),
])
def test_bind_propagation(box, option, expected):
    box.add_bind(box.directory("source"), "/mnt", "rbind", option)
    assert box.probe(MOUNTS).mount("/mnt").propagation == expected


@pytest.mark.root("mounts on the host")
@pytest.mark.parametrize("option", ["slave", "rslave"])
def test_slave_bind_gets_later_mounts(box, option):
    """What the host mounts below a shared source after the start appears in the container; not the other way round."""
    source = box.directory("shared")
    (source / "later").mkdir()
    host.mount(source, source, None, host.MS_BIND)
    host.mount(None, source, None, host.MS_SHARED)
    box.linux["rootfsPropagation"] = "rslave"
    box.add_bind(source, "/mnt", "rbind", option)
    box.set_probe("pause")
    try:
        box.create()
        box.start()
        assert {entry.point: entry for entry in host.mounts(box.pid)}["/mnt"].propagation == {"master"}
        host.mount("tmpfs", source / "later", "tmpfs")
        assert "/mnt/later" in [entry.point for entry in host.mounts(box.pid)]
        box.stop()
    finally:
        for entry in host.mounts()[::-1]:
            if entry.point.startswith(str(source)):
                host.umount(entry.point)


@pytest.mark.root("mounts on the host")
@pytest.mark.parametrize("user", ["new", None])
@pytest.mark.parametrize("options, propagation, below", [
    ((), {"master"}, {"master"}), (("private",), set(), {"master"}), (("rprivate",), set(), set()),
    (("shared",), {"master", "shared"}, {"master"}), (("rshared",), {"master", "shared"}, {"master", "shared"}),
    (("rslave",), {"master"}, {"master"}),
])
def test_bind_of_a_shared_mount_is_no_peer_of_it(box, user, options, propagation, below):
    """Else what a container mounts there would appear on the host.  The binds of a container with a user namespace are
    made by the runtime, out of its own namespace."""
    source = box.directory("shared")
    host.mount("tmpfs", source, "tmpfs")
    try:
        (source / "below").mkdir()
        host.mount("tmpfs", source / "below", "tmpfs")
        for point in (source, source / "below"):
            host.mount(None, point, None, host.MS_SHARED)
        groups = {peers(entry) for entry in host.mounts() if entry.point.startswith(str(source))}
        if user:
            box.set_namespace("user")
            box.linux["uidMappings"] = box.linux["gidMappings"] = MAPPING
            (box.rootfs / "mnt").mkdir()
        box.add_bind(source, "/mnt", "rbind", *options)
        seen = box.probe(MOUNTS)
    finally:
        host.umount(source)
    assert seen.mount("/mnt").propagation == propagation
    assert seen.mount("/mnt/below").propagation == below
    assert not groups & {peers(seen.mount(point)) for point in ("/mnt", "/mnt/below")}


@pytest.mark.root("mounts on the host")
@pytest.mark.parametrize("user", ["new", None])
@pytest.mark.parametrize("root", ["shared", "rshared", "rslave", None])
@pytest.mark.parametrize("options, peer", [(("rshared",), True), (("shared",), True), (("rslave",), False),
                                           ((), False)])
def test_shared_bind_below_a_shared_root(box, user, root, options, peer):
    """What a container mounts there appears on the host, if root and bind are to be shared: Kubernetes' Bidirectional,
    Docker's :rshared.  Not from a user namespace."""
    source = box.directory("shared")
    host.mount("tmpfs", source, "tmpfs")
    try:
        host.mount(None, source, None, host.MS_SHARED)
        group = next(peers(entry) for entry in host.mounts() if entry.point == str(source))
        if root:
            box.linux["rootfsPropagation"] = root
        if user:
            box.set_namespace("user")
            box.linux["uidMappings"] = box.linux["gidMappings"] = MAPPING
            (box.rootfs / "mnt").mkdir()
        box.add_bind(source, "/mnt", "rbind", *options)
        box.set_probe("pause")
        box.create()
        box.start()
        mount = next(entry for entry in host.mounts(box.pid) if entry.point == "/mnt")
        assert (peers(mount) == group) == (peer and root in ("shared", "rshared") and not user)
        box.stop()
    finally:
        host.umount(source)


def peers(entry):
    """The peer group of a mount, or None; `master:` is not one."""
    found = re.search(r" shared:(\d+) ", entry.line)
    return found and found[1]


def test_tmpfs_options(box):
    box.add_mount("/mnt", "tmpfs", "tmpfs", "size=1m", "mode=1750", "uid=1000", "gid=1001", "nodev", "nr_inodes=100")
    seen = box.probe(MOUNTS, "stat /mnt", "statfs /mnt")
    assert {"size=1024k", "nr_inodes=100"} <= seen.mount("/mnt").options
    assert (seen["stat /mnt"]["mode"], seen["stat /mnt"]["uid"], seen["stat /mnt"]["gid"]) == (0o1750, 1000, 1001)
    assert seen["statfs /mnt"]["bytes"] == 1 << 20


def test_tmpfs_takes_the_mode_of_what_it_covers(box):
    place = box.rootfs / "var"
    place.mkdir()
    place.chmod(0o1711)
    box.add_mount("/var", "tmpfs", "tmpfs")
    assert box.probe("stat /var")["stat /var"]["mode"] == 0o1711


@pytest.mark.parametrize("option", ["sync", "dirsync", "lazytime"])
def test_super_block_flag(box, option):
    box.add_mount("/mnt", "tmpfs", "tmpfs", option)
    entry = box.probe(MOUNTS).mount("/mnt")
    assert option in entry.options | entry.flags


@pytest.mark.parametrize("option", ["async", "atime", "defaults", "dev", "diratime", "exec", "loud", "noiversion",
                                    "nolazytime", "norelatime", "nostrictatime", "relatime", "rw", "silent", "suid",
                                    "nomand"])
def test_option_that_changes_nothing_is_known(box, option):
    """Every option that the specification demands is understood, not handed to the file system as data."""
    box.add_mount("/mnt", "tmpfs", "tmpfs", option)
    assert option not in box.probe(MOUNTS).mount("/mnt").options - {"rw"}


def test_ro_file_system(box):
    box.add_mount("/mnt", "tmpfs", "tmpfs", "ro")
    assert failed(box.probe("create /mnt/file")["create /mnt/file"], EROFS)


def test_remount(box):
    box.add_mount("/mnt", "tmpfs", "tmpfs")
    box.add_mount("/mnt", "none", "none", "remount", "bind", "ro", "noexec")
    assert {"ro", "noexec"} <= box.probe(MOUNTS).mount("/mnt").flags


@pytest.mark.parametrize("options, word", [(["nosuchoption=1"], "nosuchoption"), (["size=lots"], "size=lots")])
def test_option_that_the_file_system_refuses(box, options, word):
    box.add_mount("/mnt", "tmpfs", "tmpfs", *options)
    box.try_create().error(box.last_mount, "/mnt", "nvalid argument")
    box.assert_clean()


def test_unknown_file_system(box):
    box.add_mount("/mnt", "nosuchfs", "none")
    box.try_create().error(box.last_mount, "nosuchfs", "/mnt", "config.json:")
    box.assert_clean()


def test_missing_bind_source(box):
    box.add_bind("/no/such/source", "/mnt")
    box.try_create().error(box.last_mount, "/no/such/source", "/mnt", "config.json:")
    box.assert_clean()


def test_bind_of_a_directory_on_a_file(box):
    box.add_bind(box.directory("source"), "/etc/passwd")
    box.try_create().error(box.last_mount, "/etc/passwd", "ot a directory")
    box.assert_clean()


def test_bind_of_a_file_on_a_directory(box):
    (box.dir / "source").write_text("")
    box.add_bind(box.dir / "source", "/tmp")
    box.try_create().error(box.last_mount, "/tmp")
    box.assert_clean()


def test_no_type_and_no_bind(box):
    box.config["mounts"].append({"destination": "/mnt", "source": "/"})
    box.try_create().error(box.last_mount, "type")
    box.assert_clean()


def test_destination_symlink_stays_inside(box):
    (box.rootfs / "link").symlink_to("/tmp")
    box.add_mount("/link", "tmpfs", "tmpfs", "size=1m")
    assert box.probe(MOUNTS).mount("/tmp").type == "tmpfs"


def test_many_mounts(box):
    for i in range(200):
        box.add_mount(f"/many/{i}", "tmpfs", "tmpfs", "size=4k")
    points = {entry.point for entry in box.probe(MOUNTS).mounts}
    assert {f"/many/{i}" for i in range(200)} <= points


def test_deep_destination(box):
    """A path of nearly PATH_MAX."""
    deep = "/" + "/".join(["d" * 200] * 15)
    box.add_mount(deep, "tmpfs", "tmpfs")
    assert box.probe(MOUNTS).mount(deep).type == "tmpfs"


def test_odd_characters(box):
    source = box.dir / "so urce\tü\\"
    source.mkdir()
    (source / "file").write_text("odd")
    box.add_bind(source, "/de st\tü\\")
    result = box.probe(("cat", "/de st\tü\\/file"))
    assert list(result.values()) == ["odd"]


def test_read_only_root(box):
    seen = box.probe(MOUNTS, "create /file", "create /dev/shm/file", "statfs /")
    assert failed(seen["create /file"], EROFS)
    assert seen["create /dev/shm/file"] == 0
    assert seen["statfs /"]["flags"] & host.MS_RDONLY


def test_writable_root(box):
    box.config["root"]["readonly"] = False
    assert box.probe("create /file")["create /file"] == 0
    assert (box.rootfs / "file").exists()


def test_read_only_root_is_not_read_only_outside(box):
    box.probe("ids")
    (box.rootfs / "file").write_text("still writable")


@pytest.mark.root("mounts on the host")
def test_root_that_is_a_mount_keeps_its_flags(box):
    """The root is on a nodev, nosuid file system; making it read-only takes nothing away."""
    host.mount(box.rootfs, box.rootfs, None, host.MS_BIND)
    host.mount(None, box.rootfs, None, host.MS_BIND | host.MS_REMOUNT | host.MS_NODEV | host.MS_NOSUID)
    try:
        assert {"ro", "nodev", "nosuid"} <= box.probe(MOUNTS).mount("/").flags
    finally:
        host.umount(box.rootfs)


@pytest.mark.parametrize("path", ["absolute", "symlink", "nested"])
def test_root_path(box, path):
    if path == "absolute":
        box.config["root"]["path"] = str(box.rootfs)
    elif path == "symlink":
        (box.bundle / "link").symlink_to("rootfs")
        box.config["root"]["path"] = "link"
    else:
        box.config["root"]["path"] = "./rootfs/../rootfs"
    assert box.probe("ids")["ids"]["ruid"] == 0


def test_old_root_is_gone(box):
    """After the pivot nothing above / can be reached or seen."""
    seen = box.probe(MOUNTS, "ls /", "ls /..", "ls /proc/1/cwd/../../..")
    assert seen["ls /"] == seen["ls /.."] == seen["ls /proc/1/cwd/../../.."]
    assert not [entry for entry in seen.mounts if "rootfs" in entry.point]


def test_no_pivot(box):
    box.set_probe(MOUNTS, "ls /", "ls /..", "create /file")
    seen = only(box.run("--no-pivot").ok().out)
    assert "probe" in seen["ls /"] and seen["ls /"] == seen["ls /.."]
    assert "ro" in seen.mount("/").flags
    assert failed(seen["create /file"], EROFS)


@pytest.mark.parametrize("kind, expected", [("private", set()), ("rprivate", set()), ("unbindable", {"unbindable"}),
                                            ("runbindable", {"unbindable"}), ("shared", {"shared"}),
                                            ("rshared", {"shared"})])
def test_rootfs_propagation(box, kind, expected):
    box.linux["rootfsPropagation"] = kind
    assert box.probe(MOUNTS).mount("/").propagation - {"master"} == expected


@pytest.mark.root("mounts on the host")
@pytest.mark.parametrize("kind", ["slave", "rslave"])
def test_rootfs_propagation_slave(box, kind):
    host.mount(box.rootfs, box.rootfs, None, host.MS_BIND)
    host.mount(None, box.rootfs, None, host.MS_SHARED)
    try:
        box.linux["rootfsPropagation"] = kind
        assert box.probe(MOUNTS).mount("/").propagation == {"master"}
    finally:
        host.umount(box.rootfs)


@pytest.mark.root("mounts on the host")
def test_shared_root_does_not_leak_mounts_to_the_host(box):
    """With a shared host root the container's own mounts stay in the container."""
    host.mount(box.rootfs, box.rootfs, None, host.MS_BIND)
    host.mount(None, box.rootfs, None, host.MS_SHARED)
    before = len(host.mounts())
    try:
        box.set_probe("pause")
        box.create()
        assert len(host.mounts()) == before
        box.delete("--force")
    finally:
        host.umount(box.rootfs)


def test_unknown_propagation(box):
    box.linux["rootfsPropagation"] = "sideways"
    box.try_create().error("linux.rootfsPropagation", "sideways")
    box.assert_clean()


def test_masked_paths(box):
    # A file and a directory, and one that is not there.
    (box.rootfs / "etc/secret").write_text("secret")
    (box.rootfs / "srv").mkdir()
    (box.rootfs / "srv/inner").write_text("secret")
    box.linux["maskedPaths"] = ["/etc/secret", "/srv", "/proc/timer_list", "/no/such/path"]
    seen = box.probe("cat /etc/secret", "stat /etc/secret", "ls /srv", "create /srv/file", "stat /proc/timer_list",
                     MOUNTS)
    assert seen["cat /etc/secret"] == ""
    assert (seen["stat /etc/secret"]["major"], seen["stat /etc/secret"]["minor"]) == (1, 3)
    assert seen["ls /srv"] == []
    assert failed(seen["create /srv/file"], EROFS)
    assert seen["stat /proc/timer_list"]["type"] == "char"
    assert {"tmpfs", "ro"} <= {seen.mount("/srv").type} | seen.mount("/srv").flags


def test_every_default_mask_is_there(box, probe_here):
    present = [path for path in box.linux["maskedPaths"] if os.path.exists(path)]
    seen = box.probe(*[f"stat {path}" for path in present], MOUNTS)
    assert present
    for path in present:
        if os.path.isdir(path):
            assert seen.mount(path).type == "tmpfs", path
        else:
            assert (seen[f"stat {path}"]["major"], seen[f"stat {path}"]["minor"]) == (1, 3), path


@pytest.mark.root("may write to /proc/sys")
def test_readonly_paths(box):
    (box.rootfs / "srv").mkdir()
    (box.rootfs / "srv/file").write_text("")
    box.config["root"]["readonly"] = False
    box.linux["readonlyPaths"] = ["/srv", "/proc/sys", "/no/such/path"]
    seen = box.probe("open /srv/file w", "create /srv/new", "open /proc/sys/kernel/hostname w",
                     "open /proc/sys/kernel/hostname r", "create /elsewhere", MOUNTS)
    for path in ("open /srv/file w", "create /srv/new", "open /proc/sys/kernel/hostname w"):
        assert failed(seen[path], EROFS), path
    assert seen["open /proc/sys/kernel/hostname r"] == 0 and seen["create /elsewhere"] == 0
    # The flags that /proc already has stay.
    assert seen.mount("/proc/sys").flags >= (seen.mount("/proc").flags - {"rw"}) | {"ro"}


def test_readonly_paths_keep_the_flags_of_their_mount(box):
    box.config["mounts"][0]["options"] = ["nosuid", "nodev", "noexec"]
    assert {"ro", "nosuid", "nodev", "noexec"} <= box.probe(MOUNTS).mount("/proc/sys").flags


def test_proc_and_sys_are_the_containers(box):
    seen = box.probe("ls /proc", "readlink /proc/self", "cat /proc/1/comm")
    assert [name for name in seen["ls /proc"] if name.isdigit()] == ["1"]
    assert seen["readlink /proc/self"] == "1"


def test_mounting_again_is_not_allowed(box):
    """Without CAP_SYS_ADMIN no mask can be taken off."""
    seen = box.probe(("mount", "none", "/proc", "proc", "0"), ("mount", "none", "/", "none", "0x20"))
    assert all(failed(answer, EPERM) for answer in seen.values())


def test_no_mounts_at_all(box):
    box.config["mounts"] = []
    box.linux["maskedPaths"] = box.linux["readonlyPaths"] = []
    seen = box.probe("ls /", "ids")
    assert "probe" in seen["ls /"]


@pytest.mark.root("makes cgroups")
def test_cgroup_mount_shows_the_container_alone(box):
    """The container's root of the hierarchies is its own cgroup, and read-only."""
    seen = box.probe(MOUNTS, "ls /sys/fs/cgroup", "mkdir /sys/fs/cgroup/new", "cat /proc/self/cgroup")
    mounts = [entry for entry in seen.mounts if entry.type in ("cgroup", "cgroup2")]
    assert mounts and all("ro" in entry.flags and entry.root == "/" for entry in mounts)
    assert all(line.endswith(":/") for line in seen["cat /proc/self/cgroup"].splitlines())
    assert seen["mkdir /sys/fs/cgroup/new"]["errno"] in (EROFS, EACCES)
