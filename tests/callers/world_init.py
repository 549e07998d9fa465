#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The first two processes of a World (world.py): one outside that clears away, and pid 1 inside, which starts programs.

    world_init.py SETTINGS      a JSON object: name, socket (a descriptor), install {place inside: file}

The one outside makes the world's cgroups, waits for the end of pid 1 or of the socket's other end, and leaves nothing
of either.  Pid 1 speaks JSON over the socket, a message a datagram:

    {"start": NUMBER, "argv": …, "env": …, "cwd": …, "user": [uid, gid] | null, "terminal": [rows, columns] | null}  with stdin, stdout, stderr
    {"kill": NUMBER, "signal": …}       the process group of what was started
  answers
    {"ready": pid 1 as the host knows it} or {"error": text}
    {"started": NUMBER, "pid": …}       with the terminal's master, if one was asked for
    {"ended": NUMBER, "status": …}      as a shell would say it
"""

import contextlib
import fcntl
import json
import os
import pty
import select
import shutil
import signal
import socket
import stat
import sys
import termios
import time
from pathlib import Path

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from harness import host, terminal, user  # noqa: E402

MESSAGE = 1 << 16
EXTRA_GROUP = user.GID + 1000  # of the ordinary user
STAGING = "/mnt"

# Written by callers, much, or as lower layers of overlays: on a tmpfs of its own each.
TMPFS = {"run": "755", "tmp": "1777", "var/tmp": "1777", "var/lib/containers": "700", "var/lib/containerd": "711",
         "var/lib/docker": "710", f"home/{user.NAME}": "700"}

# Besides what tests have anyway (host.DEVICES): for fuse-overlayfs and slirp4netns.
DEVICES = {"fuse": (10, 229), "net/tun": (10, 200)}


def send(connection, message, fds=()):
    socket.send_fds(connection, [json.dumps(message).encode()], fds)


# ---- outside


def cgroup_roots():
    return sorted(set(host.HIERARCHIES.values()))


def thaw(name):
    """What is frozen cannot be killed on v1."""
    for path in host.cgroups_named(name):
        with contextlib.suppress(OSError):
            Path(path, "freezer.state").write_text("THAWED")


def clear(name):
    deadline = time.monotonic() + 10
    while host.cgroups_named(name) and time.monotonic() < deadline:
        for path in reversed(host.cgroups_named(name)):
            with contextlib.suppress(OSError):
                os.rmdir(path)
        time.sleep(0.01)


def watch(first, connection, name):
    """Until pid 1, whose pid is FIRST, has ended, or nobody is interested in it any more."""
    fd = os.pidfd_open(first)
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    poll.register(connection, select.POLLRDHUP)
    poll.poll()
    thaw(name)
    with contextlib.suppress(OSError):
        signal.pidfd_send_signal(fd, signal.SIGKILL)
    os.waitpid(first, 0)
    clear(name)


# ---- inside: a copy of the host that forgets everything


def enter_cgroups(name):
    for root in cgroup_roots():
        group = root / name
        group.mkdir()
        for file in ("cpuset.cpus", "cpuset.mems"):
            if (group / file).exists() and root != host.HIERARCHIES.get(""):
                (group / file).write_text((root / file).read_text())
        (group / "cgroup.procs").write_text("0")


def mount_cgroups(root):
    """The same layout as the host's, in which we are at the top."""
    top = root / "sys/fs/cgroup"
    if host.PURE_V2:
        host.mount("cgroup2", top, "cgroup2")
        (top / "init").mkdir()
        (top / "init/cgroup.procs").write_text("0")
        # No cgroup with processes of its own can have controllers for those below it.
        for controller in (top / "cgroup.controllers").read_text().split():
            (top / "cgroup.subtree_control").write_text(f"+{controller}")
        return
    host.mount("tmpfs", top, "tmpfs", data="mode=755")
    names = {}
    for name, place in host.HIERARCHIES.items():
        names.setdefault(place, []).append(f"none,{name}" if name.startswith("name=") else name)
    for place, words in names.items():
        (top / place.name).mkdir()
        if words == [""]:
            host.mount("cgroup2", top / place.name, "cgroup2")
            # Debian's crun refuses a hybrid layout whose v2 part has a controller: show it one without.
            host.mount("/dev/null", top / place.name / "cgroup.controllers", None, host.MS_BIND)
            continue
        host.mount("cgroup", top / place.name, "cgroup", data=",".join(words))
        for word in set(words) - {place.name} if len(words) > 1 else ():
            os.symlink(place.name, top / word)


def make_devices(root):
    dev = root / "dev"
    host.mount("tmpfs", dev, "tmpfs", data="mode=755")
    numbers = {name: os.stat(f"/dev/{name}").st_rdev for name in host.DEVICES if name != "ptmx"}
    numbers |= {name: os.makedev(*number) for name, number in DEVICES.items()}
    for name, number in numbers.items():
        (dev / name).parent.mkdir(exist_ok=True)
        os.mknod(dev / name, stat.S_IFCHR | 0o666, number)
        os.chmod(dev / name, 0o666)
    for name, fstype, data in (("pts", "devpts", "newinstance,ptmxmode=0666,mode=620,gid=5"), ("shm", "tmpfs", "mode=1777"),
                               ("mqueue", "mqueue", None)):
        (dev / name).mkdir()
        host.mount(fstype, dev / name, fstype, 0, data)
    for name, target in (("ptmx", "pts/ptmx"), ("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"),
                         ("stdout", "/proc/self/fd/1"), ("stderr", "/proc/self/fd/2")):
        os.symlink(target, dev / name)


def make_root(install):
    """Mounts the copy; gives its root.  What is written goes to a tmpfs that has no other place."""
    host.mount(None, "/", None, host.MS_REC | host.MS_PRIVATE)
    host.mount("tmpfs", STAGING, "tmpfs", data="mode=755")
    upper, work, root = (Path(STAGING, name) for name in ("upper", "work", "root"))
    for path in (upper, work, root):
        path.mkdir()
    host.mount("overlay", root, "overlay", 0, f"lowerdir=/,upperdir={upper},workdir={work}")
    for path, mode in TMPFS.items():
        (root / path).mkdir(parents=True, exist_ok=True)
        host.mount("tmpfs", root / path, "tmpfs", data=f"mode={mode}")
    for name in ("lock", f"user/{user.UID}"):
        (root / "run" / name).mkdir(parents=True)
    make_devices(root)
    host.mount("proc", root / "proc", "proc")
    host.mount("sysfs", root / "sys", "sysfs")
    mount_cgroups(root)
    make_user(root)
    for place, source in install.items():
        place = root / place.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, place)
    return root


def make_user(root):
    for path in (root / f"home/{user.NAME}", root / f"run/user/{user.UID}"):
        os.chown(path, user.UID, user.GID)
        os.chmod(path, 0o700)
    lines = {"passwd": f"{user.NAME}:x:{user.UID}:{user.GID}::/home/{user.NAME}:/bin/sh",
             "group": f"{user.NAME}:x:{user.GID}:\n{user.NAME}s:x:{EXTRA_GROUP}:{user.NAME}"}
    lines |= {name: f"{user.NAME}:{user.RANGE[0]}:{user.RANGE[1]}" for name in ("subuid", "subgid")}
    for name, line in lines.items():
        with open(root / "etc" / name, "a", encoding="utf-8") as file:
            file.write(line + "\n")


def set_up(settings):
    enter_cgroups(settings["name"])
    host.unshare(host.CLONE_NEWNS | host.CLONE_NEWCGROUP | host.CLONE_NEWNET | host.CLONE_NEWIPC | host.CLONE_NEWUTS)
    root = make_root(settings["install"])
    socket.sethostname("world")
    os.chdir(root)
    host.check(host.libc.pivot_root(b".", b"."), "pivot_root")
    host.umount("/")
    os.chdir("/")
    # As systemd leaves it.
    host.mount(None, "/", None, host.MS_REC | host.MS_SHARED)
    os.spawnlp(os.P_WAIT, "ip", "ip", "link", "set", "lo", "up")


class Starter:
    """Starts programs on request, and buries everybody."""

    def __init__(self, connection):
        self.connection = connection
        self.numbers = {}  # of what was started, by pid

    def start(self, request, fds):
        master = slave = None
        if request["terminal"]:
            master, slave = pty.openpty()
            terminal.set_size(slave, *request["terminal"])
            fds = [slave] * 3
        pid = os.fork()
        if pid == 0:
            try:
                self.become(request, fds)
            except OSError as error:
                os.write(2, f"{request['argv'][0]}: {error}\n".encode())
            finally:
                os._exit(127)
        self.numbers[pid] = request["start"]
        send(self.connection, {"started": request["start"], "pid": pid}, [] if master is None else [master])
        for fd in (master, slave):
            if fd is not None:
                os.close(fd)

    @staticmethod
    def become(request, fds):
        os.setsid()
        for number, fd in enumerate(fds):
            os.dup2(fd, number)
        os.closerange(3, 1024)
        if request["terminal"]:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        if request["user"]:
            uid, gid = request["user"]
            os.setgroups([EXTRA_GROUP])
            os.setresgid(gid, gid, gid)
            os.setresuid(uid, uid, uid)
        os.chdir(request["cwd"])
        os.execvpe(request["argv"][0], request["argv"], request["env"])

    def kill(self, request):
        for pid, number in self.numbers.items():
            if number == request["kill"]:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(pid, request["signal"])

    def reap(self):
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid in self.numbers:
                code = os.waitstatus_to_exitcode(status)
                send(self.connection, {"ended": self.numbers.pop(pid), "status": code if code >= 0 else 128 - code})

    def serve(self):
        wake_up, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        while True:
            ready, _, _ = select.select([self.connection, wake_up], [], [])
            if wake_up in ready:
                os.read(wake_up, 4096)
            if self.connection in ready:
                data, fds, _, _ = socket.recv_fds(self.connection, MESSAGE, 3)
                if not data:
                    return
                request = json.loads(data)
                (self.start(request, fds) if "start" in request else self.kill(request))
                for fd in fds:
                    os.close(fd)
            self.reap()


def main():
    settings = json.loads(sys.argv[1])
    connection = socket.socket(fileno=settings["socket"])
    connection.set_inheritable(False)
    host.unshare(host.CLONE_NEWPID)
    first = os.fork()
    if first == 0:
        try:
            set_up(settings)
            send(connection, {"ready": True})
        except Exception as error:  # told to who waits for us
            send(connection, {"error": f"{type(error).__name__}: {error}"})
            os._exit(1)
        with contextlib.suppress(ConnectionError):
            Starter(connection).serve()
        os._exit(0)
    watch(first, connection, settings["name"])


if __name__ == "__main__":
    main()
