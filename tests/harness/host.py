# SPDX-License-Identifier: LGPL-2.1-or-later
"""The machine the tests run on: its mounts, cgroups and processes, and a few system calls Python lacks."""

import ctypes
import os
import re
import time
from pathlib import Path

import pytest

CLONE_NEWTIME, CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS = 0x80, 0x20000, 0x2000000, 0x4000000
CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x8000000, 0x10000000, 0x20000000, 0x40000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_MOVE, MS_REC = 4096, 8192, 16384
MS_UNBINDABLE, MS_PRIVATE, MS_SLAVE, MS_SHARED = 1 << 17, 1 << 18, 1 << 19, 1 << 20
MNT_DETACH = 2

PR_SET_CHILD_SUBREAPER = 36

libc = ctypes.CDLL(None, use_errno=True)

# Virtual machines without KVM are some twenty times slower; everything that waits is stretched by this.
SLOWNESS = float(os.environ.get("THOLE_TEST_SLOWNESS", "1"))

# The system call that answers ENOSYS to everybody, tests and runtime (`make check-enosys`); else "".
LACKING = os.environ.get("THOLE_TEST_LACKING", "")


# Calls without which there is no other way to do some things, and the release that has them.
SINCE = {"clone3": (5, 3), "mount_setattr": (5, 12)}
KERNEL = tuple(map(int, re.findall(r"\d+", os.uname().release)[:2]))


def lacks(call):
    return LACKING == call or KERNEL < SINCE[call]


def needs(call):
    """Marks a test of something for which there is no way around CALL."""
    return pytest.mark.skipif(lacks(call), reason=f"there is no other way than {call}")


def check(result, what):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def unshare(flags):
    check(libc.unshare(flags), "unshare")


def mount(source, target, fstype=None, flags=0, data=None):
    encode = [None if text is None else str(text).encode() for text in (source, target, fstype, data)]
    check(libc.mount(encode[0], encode[1], encode[2], ctypes.c_ulong(flags), encode[3]), f"mount on {target}")


def umount(target, flags=MNT_DETACH):
    check(libc.umount2(str(target).encode(), flags), f"umount {target}")


def become_subreaper():
    """Orphans of the runtime become our children: containers can be waited for, and leaks counted."""
    check(libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl")


def until(condition, what, seconds=10):
    """Polls CONDITION until it gives something true, which is returned."""
    deadline = time.monotonic() + seconds * SLOWNESS
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < deadline, f"waited {seconds} s in vain: {what}"
        time.sleep(0.003)


def enter_private_namespace():
    """A mount namespace of our own, with a /dev of our own in it: a runtime under test that replaces or gives away a
    device does it to nobody else."""
    unshare(CLONE_NEWNS)
    mount(None, "/", None, MS_REC | MS_PRIVATE)
    staging = "/tmp"
    mount("tmpfs", staging, "tmpfs")
    for name in DEVICES:
        status = os.stat(f"/dev/{name}")
        os.mknod(f"{staging}/{name}", status.st_mode, status.st_rdev)
        os.chmod(f"{staging}/{name}", 0o666)
    for name in ("pts", "shm"):
        os.mkdir(f"{staging}/{name}")
        mount(f"/dev/{name}", f"{staging}/{name}", None, MS_BIND)
    for name, target in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
        os.symlink(f"/proc/self/fd{target}", f"{staging}/{name}")
    mount(staging, "/dev", None, MS_MOVE)


DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "ptmx")


def devices():
    """What must stay as it is, whatever a container is told to do with its standard descriptors."""
    return {name: os.stat(f"/dev/{name}")[:6] for name in DEVICES}


# ---- mounts


class Mount:
    """A line of mountinfo (proc_pid_mountinfo(5))."""

    def __init__(self, line):
        fields = line.split(" ")
        rest = fields[fields.index("-") + 1:]
        self.line = line
        self.id, self.parent = int(fields[0]), int(fields[1])
        self.device, self.root, self.point = fields[2], unescape(fields[3]), unescape(fields[4])
        self.flags = set(fields[5].split(","))
        self.propagation = {word.split(":")[0] for word in fields[6:fields.index("-")]}
        self.type, self.source, self.options = rest[0], unescape(rest[1]), set(rest[2].split(","))

    def __repr__(self):
        return f"<{self.type} on {self.point} {','.join(sorted(self.flags))} root={self.root}>"


def unescape(text):
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


def parse_mounts(text):
    return [Mount(line) for line in text.splitlines()]


def mounts(pid="self"):
    return parse_mounts(Path(f"/proc/{pid}/mountinfo").read_text())


# ---- cgroups


def hierarchies():
    """Where each controller is mounted, and "" for the v2 hierarchy: {"memory": Path, ..., "": Path}."""
    found = {}
    for entry in mounts():
        if entry.type == "cgroup2":
            found.setdefault("", Path(entry.point))
        elif entry.type == "cgroup":
            for word in entry.options:
                if word not in ("rw", "ro", "xattr", "clone_children"):
                    found.setdefault(word, Path(entry.point))
    return found


HIERARCHIES = hierarchies()
PURE_V2 = HIERARCHIES.get("") == Path("/sys/fs/cgroup")


def v2_controllers():
    root = HIERARCHIES.get("")
    return set((root / "cgroup.controllers").read_text().split()) if root else set()


# The ways to look at this machine's cgroups that a runtime may meet.  "host" is what is there; the others are made in a
# mount namespace of the command's own: "v1" hides the v2 hierarchy of a hybrid layout, "v2" puts it over
# /sys/fs/cgroup.
VIEWS = ["host"]
if "" in HIERARCHIES and not PURE_V2:
    VIEWS += ["v1", "v2"]


def enter_view(view):
    """To be called in a child before it executes the runtime."""
    if view == "host":
        return
    unshare(CLONE_NEWNS)
    mount(None, "/", None, MS_REC | MS_PRIVATE)
    if view == "v2":
        mount(HIERARCHIES[""], "/sys/fs/cgroup", None, MS_BIND)
    else:
        umount(HIERARCHIES[""])


def view_hierarchies(view):
    """As `hierarchies`, but only those that VIEW shows; the paths are the host's."""
    if view == "v2":
        return {"": HIERARCHIES[""]}
    return {name: path for name, path in HIERARCHIES.items() if view == "host" or name != ""}


def cgroups_named(tag):
    """Every cgroup whose path holds TAG."""
    found = []
    for root in set(HIERARCHIES.values()):
        for directory, _, _ in os.walk(root):
            if tag in directory:
                found.append(directory)
    return sorted(found)


# ---- processes


def children(pid=None):
    """The pids of PID's children (ours, if not said)."""
    pid = pid or os.getpid()
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                stat = Path(f"/proc/{name}/stat").read_text()
            except OSError:
                continue
            state, parent = stat[stat.rindex(")") + 2:].split()[:2]
            if int(parent) == pid:
                found.append((int(name), state))
    return found


def describe(pid):
    """One line on what PID is doing, for the report of a test that waited too long."""

    def read(name):
        try:
            return Path(f"/proc/{pid}/{name}").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError as error:
            return f"({error.strerror})"

    state = [line for line in read("status").splitlines() if line.startswith("State")]
    return f"pid {pid} [{read('cmdline')[:200]}] {state} wchan {read('wchan')} syscall {read('syscall')}"


def processes_with(tag):
    """Processes that show TAG in their command line, root, working directory or cgroup."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            shown = [os.readlink(f"/proc/{name}/{link}") for link in ("root", "cwd")]
            shown += [Path(f"/proc/{name}/{file}").read_text(errors="replace") for file in ("cmdline", "cgroup")]
        except OSError:
            continue
        if any(tag in text for text in shown):
            found.append(describe(name))
    return found


def namespace(kind, pid="self"):
    return os.readlink(f"/proc/{pid}/ns/{kind}")


def start_time(pid):
    stat = Path(f"/proc/{pid}/stat").read_text()
    return stat[stat.rindex(")") + 2:].split()[19]


def has_capability(number):
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"CapEff:\s*(\w+)", status)[1], 16) >> number & 1 == 1


CAP_SYS_RESOURCE = 24
