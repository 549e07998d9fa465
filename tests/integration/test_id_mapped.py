# SPDX-License-Identifier: LGPL-2.1-or-later
"""Id-mapped mounts: whose the files of a bind are inside, and whose the files are that the container makes there."""

import ctypes
import os
from errno import EOVERFLOW, EROFS

import pytest

from harness import host, user
from harness.seen import MOUNTS, failed

# Of the mount, and of the container's user namespace: files of host ids 0 to 9, and of ids 0 to 65535.
OWN = [{"containerID": 0, "hostID": 3000, "size": 10}]
USERS = [{"containerID": 0, "hostID": 100000, "size": 65536}]

NOBODY = 65534


pytestmark = [host.needs("mount_setattr"), pytest.mark.root("maps the ids of the host's mounts")]


@pytest.fixture
def source(box):
    """A directory with files of known owners, in which anybody may make files."""
    path = box.directory("source")
    path.chmod(0o777)
    for owner in (0, 2, 50):
        (path / f"of-{owner}").write_text("text")
        os.chown(path / f"of-{owner}", owner, owner and owner + 1)
    yield path
    for entry in host.mounts()[::-1]:
        if entry.point.startswith(str(path)):
            host.umount(entry.point)


def bind(box, source, *options, uids=OWN, gids=None, target="/mnt"):
    box.add_bind(source, target, *options)
    if uids:
        box.config["mounts"][-1] |= {"uidMappings": uids, "gidMappings": gids or uids}


def use_users(box):
    box.set_namespace("user")
    box.linux["uidMappings"] = box.linux["gidMappings"] = USERS
    # The mapped root may not make anything in a root that the host's root owns.
    (box.rootfs / "mnt").mkdir()


def owners(box, *paths):
    seen = box.probe(*(f"stat {path}" for path in paths))
    return [(seen[f"stat {path}"]["uid"], seen[f"stat {path}"]["gid"]) for path in paths]


def owner(path):
    status = path.stat()
    return status.st_uid, status.st_gid


# ---- whose the files are


@pytest.mark.parametrize("options", [("idmap",), ("ridmap",), ("rbind", "idmap"), ("rbind", "ridmap"), (), ("rbind",)])
def test_own_mappings(box, source, options):
    """With the option and without: mappings are never passed over."""
    bind(box, source, *options)
    assert owners(box, "/mnt/of-0", "/mnt/of-2", "/mnt/of-50", "/mnt") == [
        (3000, 3000), (3002, 3003), (NOBODY, NOBODY), (3000, 3000)]


def test_users_and_groups_have_mappings_of_their_own(box, source):
    bind(box, source, "idmap", uids=[{"containerID": 0, "hostID": 3000, "size": 1}, {"containerID": 2, "hostID": 7, "size": 1}],
         gids=[{"containerID": 0, "hostID": 4000, "size": 10}])
    assert owners(box, "/mnt/of-0", "/mnt/of-2") == [(3000, 4000), (7, 4003)]


def test_made_inside(box, source):
    """What a mapped user makes belongs outside to whom that is mapped to; who is not mapped can own nothing there."""
    bind(box, source, "idmap")
    box.process["user"] = {"uid": 3005, "gid": 3006}
    box.probe("create /mnt/made")
    assert owner(source / "made") == (5, 6)
    box.process["user"] = {"uid": 0, "gid": 0}
    assert failed(box.probe("create /mnt/never")["create /mnt/never"], EOVERFLOW)
    assert not (source / "never").exists()


@pytest.mark.parametrize("option", ["idmap", "ridmap"])
def test_as_the_containers_users(box, source, option):
    """In a new user namespace the option alone makes the host's root the container's, in both directions."""
    use_users(box)
    bind(box, source, option, uids=None)
    bind(box, source, uids=None, target="/tmp")
    assert owners(box, "/mnt/of-0", "/mnt/of-2", "/tmp/of-0") == [(0, 0), (2, 3), (NOBODY, NOBODY)]
    box.probe("create /mnt/made")
    assert owner(source / "made") == (0, 0)


def test_as_the_joined_users(box, source, holder):
    pid = holder(host.CLONE_NEWUSER, users="0 200000 1000")
    (box.rootfs / "mnt").mkdir()
    box.set_namespace("user", f"/proc/{pid}/ns/user")
    bind(box, source, "idmap", uids=None)
    assert owners(box, "/mnt/of-0", "/mnt/of-50") == [(0, 0), (50, 51)]
    box.probe("create /mnt/made")
    assert owner(source / "made") == (0, 0)


@pytest.mark.parametrize("join", [False, True])
def test_own_mappings_beside_users(box, source, holder, join):
    """Mappings of the mount are of the host's ids, whatever user namespace the container has."""
    use_users(box)
    if join:
        del box.linux["uidMappings"], box.linux["gidMappings"]
        box.set_namespace("user", f"/proc/{holder(host.CLONE_NEWUSER, users='0 100000 65536')}/ns/user")
    bind(box, source, "idmap", uids=[{"containerID": 0, "hostID": 100007, "size": 3}])
    assert owners(box, "/mnt/of-0", "/mnt/of-2", "/mnt/of-50") == [(7, 7), (9, NOBODY), (NOBODY, NOBODY)]


def test_several_mounts(box, source):
    """Some of the same mappings, some of others, some of none."""
    use_users(box)
    other = [{"containerID": 0, "hostID": 100500, "size": 100}]
    for name, mappings in (("a", other), ("b", USERS), ("c", other), ("d", None)):
        (box.rootfs / name).mkdir()
        bind(box, source, *(("idmap",) if mappings else ()), uids=mappings, target=f"/{name}")
    assert owners(box, *(f"/{name}/of-2" for name in "abcd")) == [(502, 503), (2, 3), (502, 503), (NOBODY, NOBODY)]


@pytest.mark.parametrize("option, below", [("idmap", (2, 2)), ("ridmap", (3002, 3002))])
def test_mounts_below(box, source, option, below):
    """`idmap` is about the one mount, `ridmap` about the tree."""
    (source / "below").mkdir()
    host.mount("tmpfs", source / "below", "tmpfs", data="uid=2,gid=2")
    bind(box, source, "rbind", option)
    assert owners(box, "/mnt/of-0", "/mnt/below") == [(3000, 3000), below]


def test_file(box, source):
    bind(box, source / "of-2", "idmap", target="/etc/passwd")
    assert owners(box, "/etc/passwd") == [(3002, 3003)]


# ---- beside other options


@pytest.mark.parametrize("option", ["ro", "rro"])
def test_read_only(box, source, option):
    bind(box, source, "rbind", "idmap", option)
    box.process["user"] = {"uid": 3000, "gid": 3000}
    seen = box.probe("create /mnt/made", "stat /mnt/of-2")
    assert failed(seen["create /mnt/made"], EROFS)
    assert seen["stat /mnt/of-2"]["uid"] == 3002


@pytest.mark.parametrize("users", [False, True])
@pytest.mark.parametrize("options, propagation", [((), {"master"}), (("rprivate",), set()), (("rslave",), {"master"}),
                                                  (("rshared",), {"master", "shared"})])
def test_propagation(box, source, users, options, propagation):
    """As of any other bind: no peer of the host's mount, out of whose namespace it is made."""
    host.mount("tmpfs", source, "tmpfs")
    host.mount(None, source, None, host.MS_SHARED)
    if users:
        use_users(box)
    bind(box, source, "rbind", "idmap", *options)
    group = {entry.point: entry for entry in host.mounts()}[str(source)].line.split(" shared:")[1].split()[0]
    mount = box.probe(MOUNTS).mount("/mnt")
    assert mount.propagation == propagation and {"idmapped"} <= mount.flags
    assert f" shared:{group} " not in mount.line


@pytest.mark.parametrize("users", [False, True])
def test_no_pivot(box, source, users):
    if users:
        use_users(box)
    bind(box, source, "idmap", "nosuid", uids=USERS)
    box.set_probe("stat /mnt/of-2", MOUNTS)
    result = box.run("--no-pivot").ok()
    assert f'"uid":{2 if users else 100002},' in result.out.replace(" ", "")


def test_plan_tells(box, source):
    bind(box, source, "rbind", "ridmap")
    box.write_config()
    wanted = 'idmap="recursive, uids 0:3000:10, gids 0:3000:10"'
    assert [line for line in box.call("plan", box.bundle).ok().out.splitlines() if "target=/mnt" in line and wanted in line]


def test_nothing_is_changed_outside(box, source):
    before = {path: owner(path) for path in source.iterdir()}
    bind(box, source, "idmap")
    box.probe("ids")
    assert {path: owner(path) for path in source.iterdir()} == before
    assert "idmapped" not in str([entry.line for entry in host.mounts()])


# ---- what cannot be


@pytest.mark.parametrize("kind", ["proc", "sysfs"])
def test_file_system_without_id_mappings(box, kind):
    place = box.directory("place")
    host.mount(kind, place, kind)
    try:
        bind(box, place, "idmap")
        message = box.try_create().error(box.last_mount, f"map the ids of {place}: mount_setattr: Invalid argument")
    finally:
        host.umount(place)
    assert f"hint: {kind} does not support id mappings" in message


def test_tree_that_is_in_part_without_id_mappings(box, source):
    """All or nothing."""
    (source / "below").mkdir()
    host.mount("proc", source / "below", "proc")
    bind(box, source, "rbind", "ridmap")
    message = box.try_create().error(box.last_mount, "mount_setattr: Invalid argument")
    assert "or a file system mounted below does not support id mappings" in message
    # With `idmap` it is not asked.
    box.config["mounts"][-1]["options"] = ["rbind", "idmap"]
    assert owners(box, "/mnt/of-2") == [(3002, 3003)]


def test_already_mapped(box, source):
    id_map(source, "0 5000 10")
    assert owner(source / "of-2") == (5002, 5003)
    bind(box, source, "idmap")
    message = box.try_create().error(box.last_mount, "mount_setattr: Operation not permitted")
    assert "an id mapping already" in message


def id_map(path, mapping):
    """Covers PATH with an id-mapped mount of itself."""
    child = os.fork()
    if child == 0:
        try:
            host.unshare(host.CLONE_NEWUSER)
            os.kill(os.getpid(), 19)  # SIGSTOP
        finally:
            os._exit(1)
    try:
        os.waitpid(child, os.WUNTRACED)
        for name in ("uid_map", "gid_map"):
            with open(f"/proc/{child}/{name}", "w", encoding="ascii") as file:
                file.write(mapping)
        namespace = os.open(f"/proc/{child}/ns/user", os.O_RDONLY)
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
    open_tree, move_mount, mount_setattr = 428, 429, 442  # on every architecture
    tree = host.check(host.libc.syscall(open_tree, -100, str(path).encode(), 1), "open_tree")
    attributes = (ctypes.c_uint64 * 4)(0x100000, 0, 0, namespace)  # MOUNT_ATTR_IDMAP
    host.check(host.libc.syscall(mount_setattr, tree, b"", 0x1000, attributes, 32), "mount_setattr")
    host.check(host.libc.syscall(move_mount, tree, b"", -100, str(path).encode(), 4), "move_mount")
    os.close(tree)
    os.close(namespace)


def test_joined_users_are_the_hosts(box, source):
    box.set_namespace("user", "/proc/self/ns/user")
    bind(box, source, "idmap", uids=None)
    message = box.try_create().error(box.last_mount, "mount_setattr: Operation not permitted")
    assert "be the host's" in message


@pytest.mark.parametrize("change, words", [
    ({"options": ["bind", "idmap"], "uidMappings": [], "gidMappings": []},
     [".options[1]", "needs uidMappings and gidMappings, or a user namespace"]),
    ({"options": ["rbind", "ridmap"], "uidMappings": [], "gidMappings": []},
     [".options[1]", "needs uidMappings and gidMappings, or a user namespace"]),
    ({"gidMappings": []}, ["uidMappings and gidMappings go together"]),
    ({"uidMappings": []}, ["uidMappings and gidMappings go together"]),
    ({"uidMappings": [*OWN, {"containerID": 9, "hostID": 9, "size": 1}]}, [".uidMappings[1]: overlaps mapping 0"]),
    ({"gidMappings": [*OWN, {"containerID": 10, "hostID": 3009, "size": 1}]}, [".gidMappings[1]: overlaps mapping 0"]),
    ({"uidMappings": [{"containerID": 0, "hostID": 1, "size": 0}]}, [".uidMappings[0].size: must not be 0"]),
    ({"type": "tmpfs", "options": ["idmap"]}, ["only a bind mount can be id-mapped"]),
    ({"type": "tmpfs", "options": []}, ["only a bind mount can be id-mapped"]),
    ({"options": ["remount", "bind", "idmap"]}, ["only a bind mount can be id-mapped"]),
    ({"source": "/does/not/exist"}, ["bind /does/not/exist: No such file or directory"]),
])
def test_refused(box, source, change, words):
    bind(box, source, "idmap")
    box.config["mounts"][-1] |= change
    box.try_create().error(box.last_mount, *words)
    box.assert_clean()


def test_unprivileged(box, source):
    """Only who has the privileges over the file system may: in a user namespace of one's own they are about nothing."""
    bind(box, source, "idmap")
    box.set_namespace("user")
    user.map_ids(box.linux, single=True)
    for path in (box.bundle, box.dir):
        path.chmod(0o755)
    box.write_config()
    result = box.call("--cgroup-manager", "disabled", "plan", box.bundle, before_exec=user.become)
    result.error(box.last_mount, "takes CAP_SYS_ADMIN, which the runtime does not have")
