# SPDX-License-Identifier: LGPL-2.1-or-later
"""An ordinary user of the host: no capability, and a range of ids in /etc/subuid and /etc/subgid.

Root becomes one (`become`) in a mount namespace of his own, where /etc/passwd and the ranges are covered by copies that
know the user: nothing of the host changes.  Who is no root is that user, with what ranges the host gives."""

import os
import pwd
import shutil
from pathlib import Path

from harness import host

PRIVILEGED = os.geteuid() == 0
NAME = "tholeuser"


def _free_uid():
    taken = {entry.pw_uid for entry in pwd.getpwall()}
    return next(uid for uid in range(60900, 61000) if uid not in taken)


UID = _free_uid() if PRIVILEGED else os.getuid()
GID = UID if PRIVILEGED else os.getgid()
RANGE = (1073741824, 65536)


def _granted(name):
    """The first range that /etc/NAME gives us, as (first, count); None if it gives none."""
    try:
        known = {str(UID), pwd.getpwuid(UID).pw_name}
        lines = Path("/etc", name).read_text().split()
    except (OSError, KeyError):
        return None
    fields = [line.split(":") for line in lines]
    return next(((int(first), int(count)) for who, first, count in fields if who in known), None)


def ranges():
    """Of uids and gids; None where there is no newuidmap(1), or nothing for us."""
    if shutil.which("newuidmap") is None or not all(Path("/etc", name).exists() for name in ("subuid", "subgid")):
        return None
    found = (RANGE, RANGE) if PRIVILEGED else (_granted("subuid"), _granted("subgid"))
    return found if all(found) else None


def mapping(own, given):
    """Root is the user, the others are those of the range, if any."""
    rest = [{"containerID": 1, "hostID": given[0], "size": given[1]}] if given else []
    return [{"containerID": 0, "hostID": own, "size": 1}, *rest]


def map_ids(linux, single=False):
    """Gives the config's LINUX the mappings of a user namespace of ours."""
    given = None if single else ranges()
    for kind, own, index in (("uidMappings", UID, 0), ("gidMappings", GID, 1)):
        linux[kind] = mapping(own, given[index] if given else None)


def cover_files():
    """In a mount namespace of our own: the copies are in a tmpfs that has no place any more."""
    host.mount("tmpfs", "/mnt", "tmpfs")
    lines = {"passwd": f"{NAME}:x:{UID}:{GID}::/:/bin/sh\n"}
    lines |= {name: f"{NAME}:{RANGE[0]}:{RANGE[1]}\n" for name in ("subuid", "subgid")}
    for name, line in lines.items():
        original, copy = Path("/etc", name), Path("/mnt", name)
        if original.exists():
            copy.write_text(original.read_text() + line)
            copy.chmod(0o644)
            host.mount(copy, original, None, host.MS_BIND)
    host.umount("/mnt")


def become(groups=()):
    """To be called in a child before it executes something; nothing where we are that user already."""
    if not PRIVILEGED:
        return
    host.unshare(host.CLONE_NEWNS)
    host.mount(None, "/", None, host.MS_REC | host.MS_PRIVATE)
    show(hold([os.path.dirname(shutil.which(os.environ.get("THOLE", "thole")))]))
    cover_files()
    drop(groups)


def drop(groups=()):
    os.setgroups(list(groups))
    os.setresgid(GID, GID, GID)
    os.setresuid(UID, UID, UID)


def hold(directories):
    return {Path(path).resolve(): os.open(path, os.O_PATH | os.O_DIRECTORY) for path in directories}


def show(held):
    """The directories HELD are where they were, also if they have been covered, or have a parent that the user cannot
    pass: that one is covered."""
    for path in held:
        closed = [parent for parent in reversed(path.parents) if parent.exists() and not parent.stat().st_mode & 0o001]
        if closed:
            host.mount("tmpfs", closed[0], "tmpfs", data="mode=755")
    for path, fd in held.items():
        if not path.exists():
            path.mkdir(parents=True)
            host.mount(f"/proc/self/fd/{fd}", path, None, host.MS_BIND | host.MS_REC)
        os.close(fd)


def cover_tmp(*kept):
    """A /tmp of our own, which vanishes with us, in which the directories KEPT stay what they are."""
    held = hold(kept)
    host.mount("tmpfs", "/tmp", "tmpfs", data="mode=1777")
    show(held)


def give(directory):
    """Files stay whose they are: some are linked to those of other boxes."""
    if PRIVILEGED:
        for path, _, _ in os.walk(directory):
            os.chown(path, UID, GID)


def adopt(box):
    """Makes BOX the user's: with a user namespace, mapped as he may."""
    box.before_exec = become
    box.set_namespace("user")
    map_ids(box.linux)
    give(box.dir)
    return box


def without_user_namespace(box):
    box.without_namespace("user")
    del box.linux["uidMappings"], box.linux["gidMappings"]


def drop_tty_group(config):
    """One id has no group 5."""
    for mount in config["mounts"]:
        mount["options"] = [option for option in mount.get("options", []) if option != "gid=5"]


def map_single(box):
    map_ids(box.linux, single=True)
    drop_tty_group(box.config)


def enter_user_namespace(single):
    """In a child that is the user: root of a user namespace with the user's ids, and of a mount namespace."""
    maps = {name: mapping(own, None if single else ranges()[index])
            for name, own, index in (("uid", UID, 0), ("gid", GID, 1))}
    pid, (ready, go) = os.getpid(), os.pipe()
    host.check(host.libc.prctl(4, 1, 0, 0, 0), "PR_SET_DUMPABLE")  # else /proc/PID is root's, not to be mapped
    mapper = os.fork()
    if mapper == 0:
        os.read(ready, 1)
        status = 0
        for name, entries in maps.items():
            lines = [f"{entry['containerID']} {entry['hostID']} {entry['size']}" for entry in entries]
            if single:
                if name == "gid":
                    Path(f"/proc/{pid}/setgroups").write_text("deny")
                Path(f"/proc/{pid}/{name}_map").write_text("\n".join(lines))
            else:
                program = f"new{name}map"
                status |= os.spawnvp(os.P_WAIT, program, [program, str(pid), *" ".join(lines).split()])
        os._exit(status != 0)
    host.unshare(host.CLONE_NEWUSER)
    os.write(go, b".")
    assert os.waitpid(mapper, 0)[1] == 0
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
