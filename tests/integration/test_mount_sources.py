# SPDX-License-Identifier: LGPL-2.1-or-later
"""Mounts by what they are made of: the whole host, more than a thousand at once, file systems with data of their own,
sources whose flags are locked or that the container's root cannot reach."""

import functools
import os
import resource
from errno import EPERM, EROFS
from pathlib import Path

import pytest

from harness import host
from harness.seen import MOUNTS, failed, only

MAPPING = [{"containerID": 0, "hostID": 100000, "size": 65536}]


def map_users(box):
    box.set_namespace("user")
    box.linux["uidMappings"] = box.linux["gidMappings"] = MAPPING
    (box.rootfs / "mnt").mkdir()


both = pytest.mark.parametrize("users", ["host", "mapped"])

# ---- the host's root



def is_covered(entry, mounts):
    """Whether another mount is over it, or on the way to it."""
    by_id, way = {other.id: other for other in mounts}, []
    while entry:
        way.append(entry)
        if any(other.parent == entry.id and other not in way and Path(way[0].point).is_relative_to(other.point)
               for other in mounts):
            return True
        entry = by_id.get(entry.parent)
    return False


@pytest.mark.root("binds what is locked together")
@both
@pytest.mark.parametrize("option", ["bind", "rbind"])
def test_bind_of_the_hosts_root(box, users, option):
    """With `rbind` all that is mounted there, and read-only what is asked to be."""
    if users == "mapped":
        map_users(box)
    box.add_bind("/", "/mnt", option, "rro" if option == "rbind" else "ro", "rslave")
    seen = box.probe(MOUNTS, "ls /mnt", "create /mnt/thole-was-here")
    assert sorted(os.listdir("/")) == seen["ls /mnt"]
    below = [entry for entry in seen.mounts if entry.point.startswith("/mnt/")]
    assert bool(below) == (option == "rbind")
    # What is covered on the host stays as it is where there is no mount_setattr.
    reached = [entry for entry in below if not (host.lacks("mount_setattr") and is_covered(entry, seen.mounts))]
    assert all("ro" in entry.flags for entry in [*reached, seen.mount("/mnt")])
    assert seen["create /mnt/thole-was-here"]["errno"]
    if option == "rbind":
        assert "/mnt/proc" in {entry.point for entry in below}


def test_bind_of_the_hosts_root_leaves_it_alone(box):
    """What is mounted in the container, and hidden there, is on the host as before."""
    before = host.mounts()
    box.add_bind("/", "/mnt", "rbind", "rw", "rslave")
    box.add_mount("/mnt/tmp", "tmpfs", "tmpfs")
    box.linux["maskedPaths"] += ["/mnt/etc/hostname"]
    box.set_probe("pause")
    box.create()
    assert [entry.line for entry in host.mounts()] == [entry.line for entry in before]
    assert os.path.exists(box.rootfs / "probe")
    box.delete("--force")


def test_mounts_in_the_order_of_the_list_below_the_hosts_root(box):
    box.add_bind("/", "/mnt", "rbind", "ro", "rslave")
    box.add_mount("/mnt/tmp", "tmpfs", "tmpfs", "size=1m")
    volume = box.directory("volume")
    (volume / "file").write_text("of the volume")
    box.add_bind(volume, "/mnt/tmp/a/b")
    seen = box.probe("cat /mnt/tmp/a/b/file", "ls /mnt/tmp")
    assert seen == {"cat /mnt/tmp/a/b/file": "of the volume", "ls /mnt/tmp": ["a"]}


# ---- many


@pytest.mark.root("maps ids that are nobody's")
@both
def test_more_than_a_thousand_binds(box, users):
    """More than a process may have descriptors open, usually: those that the runtime opens, too."""
    if users == "mapped":
        map_users(box)
    volume = box.directory("volume")
    (volume / "file").write_text("")
    (box.rootfs / "many").mkdir(mode=0o777)
    (box.rootfs / "many").chmod(0o777)
    for i in range(1100):
        box.add_bind(volume / "file", f"/many/{i}", "ro")
    box.set_probe(MOUNTS, "ls /many")
    # The usual limits of a service.
    limits = functools.partial(resource.setrlimit, resource.RLIMIT_NOFILE, (1024, 4096))
    report = only(box.run(timeout=60, before_exec=limits).ok().out)
    assert len(report["ls /many"]) == 1100


# ---- modes


def test_modes_of_the_default_mounts(box):
    """Whatever the image has there: programs rely on a /dev/shm for all, and a /proc that nobody writes to."""
    for name in ("proc", "dev"):
        (box.rootfs / name).chmod(0o700)
    seen = box.probe("stat /proc", "stat /dev", "stat /dev/shm", "stat /dev/pts", "stat /dev/mqueue", "stat /sys")
    assert {name.split()[1]: answer["mode"] for name, answer in seen.items()} == {
        "/proc": 0o555, "/dev": 0o755, "/dev/shm": 0o1777, "/dev/pts": 0o755, "/dev/mqueue": 0o1777, "/sys": 0o555}


# ---- file systems of other types


def known(fstype):
    return f"\t{fstype}\n" in Path("/proc/filesystems").read_text()


@pytest.mark.root("mounts on the host")
@pytest.mark.parametrize("numbered", [False, True])
def test_overlay(box, numbered):
    """Its data name directories of the host; also where a path below it is masked, for which it is made in another
    way."""
    if not known("overlay"):
        pytest.skip("this kernel has no overlay")
    host_tmpfs = box.directory("layers")
    host.mount("tmpfs", host_tmpfs, "tmpfs")
    try:
        for name in ("one", "two", "upper", "work"):
            (host_tmpfs / name).mkdir()
        (host_tmpfs / "one/file").write_text("one")
        (host_tmpfs / "two/file").write_text("two")
        (host_tmpfs / "two/other").write_text("two")
        box.add_mount("/mnt", "overlay", "overlay", f"lowerdir={host_tmpfs}/one:{host_tmpfs}/two",
                      f"upperdir={host_tmpfs}/upper", f"workdir={host_tmpfs}/work", "nosuid")
        if numbered:
            box.linux["maskedPaths"] += ["/mnt/other"]
        seen = box.probe(MOUNTS, "cat /mnt/file", "cat /mnt/other", "create /mnt/new")
        assert seen.mount("/mnt").type == "overlay" and "nosuid" in seen.mount("/mnt").flags
        assert (seen["cat /mnt/file"], seen["cat /mnt/other"]) == ("one", "" if numbered else "two")
        assert (host_tmpfs / "upper/new").exists()
    finally:
        host.umount(host_tmpfs)


@pytest.mark.parametrize("option", ["sync", "dirsync", "lazytime"])
def test_super_block_flag_of_a_numbered_mount(box, option):
    box.add_mount("/mnt", "tmpfs", "tmpfs", option)
    box.linux["readonlyPaths"] += ["/mnt"]
    entry = box.probe(MOUNTS).mount("/mnt")
    assert option in entry.options | entry.flags


@pytest.mark.parametrize("fstype, options", [("ramfs", ["mode=0711"]), ("mqueue", []), ("devpts", ["newinstance"])])
def test_type(box, fstype, options):
    box.add_mount("/mnt", fstype, fstype, *options)
    seen = box.probe(MOUNTS, "stat /mnt")
    assert seen.mount("/mnt").type == fstype
    if fstype == "ramfs":
        assert seen["stat /mnt"]["mode"] == 0o711


# ---- recursive options without an opposite in the flags


@pytest.mark.root("mounts on the host")
@pytest.mark.parametrize("before, option, expected", [
    ("noatime", "rrelatime", "relatime"), ("noatime", "rnorelatime", "relatime"), ("noatime", "rnostrictatime", "relatime"),
    ("nodiratime", "rdiratime", "relatime"), ("nosymfollow", "rsymfollow", "relatime"),
])
def test_recursive_option_that_brings_back_the_default(box, before, option, expected):
    flags = {"noatime": 1024, "nodiratime": 2048, "nosymfollow": 256}
    tree = box.directory("tree")
    (tree / "below").mkdir()
    host.mount("tmpfs", tree / "below", "tmpfs", flags[before])
    try:
        box.add_bind(tree, "/kept", "rbind")
        box.add_bind(tree, "/mnt", "rbind", option)
        seen = box.probe(MOUNTS)
    finally:
        host.umount(tree / "below")
    assert before in seen.mount("/kept/below").flags
    assert before not in seen.mount("/mnt/below").flags and expected in seen.mount("/mnt/below").flags


@pytest.fixture
def layers(box):
    """A source for mounts; whatever is mounted below it goes with it."""
    source = box.directory("layers")
    host.mount("tmpfs", source, "tmpfs")
    host.mount(None, source, None, host.MS_PRIVATE)
    yield source
    host.umount(source)


def mount_below(place, flags=0):
    place.mkdir(exist_ok=True)
    host.mount("tmpfs", place, "tmpfs", flags)


@pytest.mark.root("mounts on the host")
@both
def test_recursive_option_and_what_covers_what(box, layers, users):
    """Mounts over each other, and over directories in which others are: all that can be reached has the option."""
    if users == "mapped":
        map_users(box)
    mount_below(layers / "a")
    mount_below(layers / "a/b")
    mount_below(layers / "a")
    mount_below(layers / "a/b")
    (layers / "c").mkdir()
    mount_below(layers / "c/d")
    mount_below(layers / "c")
    box.add_bind(layers, "/mnt", "rbind", "rro", "rnoexec")
    seen = box.probe(MOUNTS, "create /mnt/new", "create /mnt/a/new", "create /mnt/a/b/new", "create /mnt/c/new")
    assert all(failed(answer, EROFS) for what, answer in seen.items() if what != MOUNTS)
    assert len([entry for entry in seen.mounts if entry.point.startswith("/mnt/")]) == 6
    for point in ("/mnt", "/mnt/a", "/mnt/a/b", "/mnt/c"):
        assert {"ro", "noexec"} <= seen.mount(point).flags, point


@pytest.mark.root("mounts on the host")
@pytest.mark.parametrize("name", ["with space", "tab\t", "line\nline", "back\\slash", "\\040", "#", "x" * 255])
def test_recursive_option_whatever_the_name(box, layers, name):
    mount_below(layers / name)
    mount_below(layers / name / name)
    box.add_bind(layers, "/mnt", "rbind", "rro")
    seen = box.probe(MOUNTS)
    assert "ro" in seen.mount(f"/mnt/{name}/{name}").flags


@pytest.mark.root("mounts on the host")
def test_recursive_option_and_the_mounts_own_flags(box, layers):
    """Each keeps what it has besides, and what is said of the top alone is for it alone."""
    mount_below(layers / "a", host.MS_NOSUID | 1024)  # noatime
    mount_below(layers / "b", host.MS_NODEV | 2048 | 1 << 24)  # nodiratime, strictatime
    box.add_bind(layers, "/mnt", "rbind", "rnoexec", "ro", "exec")
    seen = box.probe(MOUNTS)
    assert seen.mount("/mnt").flags == {"ro", "relatime"}
    assert seen.mount("/mnt/a").flags == {"rw", "nosuid", "noexec", "noatime"}
    assert seen.mount("/mnt/b").flags == {"rw", "nodev", "noexec", "nodiratime"}


@pytest.mark.root("mounts on the host")
def test_recursive_option_on_hundreds(box, layers):
    for i in range(500):
        mount_below(layers / f"{'long' * 30}-{i}")
    box.add_bind(layers, "/mnt", "rbind", "rro")
    box.set_probe("pause")
    box.create()
    below = [entry for entry in host.mounts(box.pid) if entry.point.startswith("/mnt/")]
    box.delete("--force")
    assert len(below) == 500 and all("ro" in entry.flags for entry in below)


def test_read_only_tree_of_a_tmpfs(box):
    """`rro` is about what is there when it is mounted: the places of later mounts are still made in it, and those are
    as their own options say."""
    box.add_mount("/mnt", "tmpfs", "tmpfs", "rro", "rnoexec")
    box.add_bind(box.directory("volume"), "/mnt/below", "rw")
    seen = box.probe("create /mnt/file", "create /mnt/below/file", MOUNTS)
    assert failed(seen["create /mnt/file"], EROFS)
    assert seen["create /mnt/below/file"] == 0
    assert {"ro", "noexec"} <= seen.mount("/mnt").flags


# ---- locked flags


def as_root_of_a_user_namespace():
    """The runtime's place when it is itself in a container: flags of mounts that come from outside are locked."""
    host.unshare(host.CLONE_NEWUSER | host.CLONE_NEWNS)
    Path("/proc/self/setgroups").write_text("deny")
    for name in ("uid_map", "gid_map"):
        Path(f"/proc/self/{name}").write_text("0 0 1")


@pytest.fixture
def locked(box):
    """A source whose flags belong to another user namespace than the runtime's."""
    source = box.directory("locked")
    host.mount("tmpfs", source, "tmpfs", host.MS_NOSUID | host.MS_NODEV | host.MS_NOEXEC)
    (source / "file").write_text("")
    host.mount(None, source, None, host.MS_BIND | host.MS_REMOUNT | host.MS_RDONLY | host.MS_NOSUID | host.MS_NODEV
               | host.MS_NOEXEC)
    box.without_namespace("cgroup")
    box.drop_mount("/sys/fs/cgroup")
    for entry in box.config["mounts"]:
        entry["options"] = [option for option in entry.get("options", []) if option != "gid=5"]
    # No groups can be set there.
    box.config["annotations"] = {"run.oci.keep_original_groups": "1"}
    box.linux.pop("resources")
    box.linux.pop("cgroupsPath")
    plain = box.spawn
    box.spawn = lambda *args, **options: plain("--cgroup-manager", "disabled", *args,
                                               **({"before_exec": as_root_of_a_user_namespace} | options))
    yield source
    host.umount(source)


@pytest.mark.root("mounts on the host")
def test_locked_flags_are_kept(box, locked):
    box.add_bind(locked, "/mnt")
    box.add_bind(locked, "/tree", "rbind", "nosymfollow")
    seen = box.probe(MOUNTS, "create /mnt/new")
    for point in ("/mnt", "/tree"):
        assert {"ro", "nosuid", "nodev", "noexec"} <= seen.mount(point).flags, point
    assert "nosymfollow" in seen.mount("/tree").flags
    assert failed(seen["create /mnt/new"], EROFS)


@pytest.mark.root("mounts on the host")
@pytest.mark.parametrize("option", ["rw", "suid", "dev", "exec", "rrw", "rsuid", "rdev", "rexec", "noatime"])
def test_locked_flags_are_not_taken_away(box, locked, option):
    """What is asked for and may not be is said, and not done by halves."""
    box.add_bind(locked, "/mnt", "rbind", option)
    box.try_create().error(box.last_mount, "/mnt", os.strerror(EPERM))
