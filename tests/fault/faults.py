# SPDX-License-Identifier: LGPL-2.1-or-later
"""Faults from outside: which system calls a command makes, and what it does when one of them fails or is its last.

The program `inject` (inject.c) stands between the kernel and the runtime; the runtime itself knows nothing of it.
"""

import ctypes
import difflib
import errno
import json
import os
import re
import shutil
import signal

from harness import host, runtime, seen
from harness.box import tool

INJECT = os.environ.get("INJECT", "inject")

# Out of memory the runtime aborts (arena.h); what it leaves is for delete, as after a kill -9.
MEMORY_CALLS = ("mmap", "brk", "mremap")

# Calls that the kernel always grants in the form in which they are made here; nobody checks them.
NEVER_FAIL = ("umask", "rt_sigprocmask", "rt_sigaction", "rt_sigreturn", "getpid", "gettid", "getppid", "getuid",
              "geteuid", "getgid", "getegid", "capget", "set_tid_address", "set_robust_list", "rseq", "arch_prctl",
              "exit_group", "munmap")


class Call:
    """A system call: the NTH one of ROLE, or with OP of ROLE in that operation of the plan."""

    def __init__(self, role, op, number, nth):
        self.role, self.op, self.number, self.nth = role, op, number, nth
        self.name = call_name(number)

    def options(self):
        return ["-r", self.role, "-n", str(self.nth), *(["-o", str(self.op)] if self.op >= 0 else [])]

    def __repr__(self):
        return f"{self.name} ({self.role}'s {self.nth}. call{f' of operation {self.op}' if self.op >= 0 else ''})"


def call_name(number):
    """The name of a system call; libseccomp has the table."""
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_syscall_resolve_num_arch.restype = ctypes.c_char_p
    name = library.seccomp_syscall_resolve_num_arch(library.seccomp_arch_native(), number)
    return name.decode() if name else str(number)


def call_number(name):
    return ctypes.CDLL("libseccomp.so.2").seccomp_syscall_resolve_name(name.encode())


def spawn(box, options, *args, **more):
    """Starts the runtime with ARGS on BOX below inject with OPTIONS."""
    more.setdefault("view", box.view)
    if os.environ.get("SANITIZE_CFLAGS"):
        options = ["-x", "san.so", *options]
    return runtime.spawn(*options, runtime.BINARY, "--root", box.root, *args, binary=INJECT, **more)


def parse_log(text):
    """The calls of a log, those of an init numbered within their operation."""
    calls, counts = [], {}
    for line in text.splitlines():
        role, _, op, number = line.split()
        key = (role, int(op)) if role == "init" else role
        counts[key] = counts.get(key, 0) + 1
        calls.append(Call(role, int(op) if role == "init" else -1, int(number), counts[key]))
    return calls


# ---- a container with everything in it


def namespaces(*kinds):
    return [{"type": kind} for kind in kinds]


def bundle(box):
    """Gives BOX a config in which every operation of a plan occurs that needs no second container."""
    box.linux["namespaces"] = namespaces("pid", "ipc", "uts", "mount", "cgroup")
    box.config["hostname"], box.config["domainname"] = "faulty", "example.org"
    box.process.update(
        cwd="/made/for/it", env=["PATH=/bin", "A=b"], noNewPrivileges=False, oomScoreAdj=100,
        user={"uid": 1000, "gid": 1001, "umask": 0o27, "additionalGids": [5, 6]},
        rlimits=[{"type": "RLIMIT_NOFILE", "soft": 512, "hard": 1024}, {"type": "RLIMIT_CORE", "soft": 0, "hard": 0}],
        scheduler={"policy": "SCHED_BATCH", "nice": 3}, ioPriority={"class": "IOPRIO_CLASS_BE", "priority": 6})
    box.process["capabilities"] = {kind: ["CAP_KILL", "CAP_CHOWN"] for kind in
                                   ("bounding", "permitted", "effective", "inheritable", "ambient")}
    volume = box.directory("volume")
    (volume / "file").write_text("text")
    box.add_bind(volume, "/volume", "ro", "nosuid", "rprivate")
    box.add_bind(volume, "/tree", "rbind", "rro")
    box.add_bind(volume / "file", "/a/file", "rw")
    box.add_bind(volume, "/mapped", "idmap")
    mappings = [{"containerID": 0, "hostID": 3000, "size": 1}]
    box.config["mounts"][-1] |= {"uidMappings": mappings, "gidMappings": mappings}
    box.add_mount("/scratch", "tmpfs", "tmpfs", "ro", "size=64k")
    box.add_mount("/scratch", "none", "none", "remount", "nodev")
    (box.rootfs / "copied/sub").mkdir(parents=True)
    (box.rootfs / "copied/sub/file").write_text("text")
    os.setxattr(box.rootfs / "copied/sub/file", "trusted.fault", b"text")
    (box.rootfs / "copied/link").symlink_to("sub")
    os.mkfifo(box.rootfs / "copied/fifo")
    os.chown(box.rootfs / "copied", 3, 4)
    box.add_mount("/copied", "tmpfs", "tmpfs", "size=64k", "tmpcopyup")
    (volume / "link").symlink_to("file")
    box.add_bind(volume / "link", "/a/link", "copy-symlink")
    box.add_bind(volume / "link", "/a/bound-link", "src-nofollow", "dest-nofollow")
    box.linux.update(
        sysctl={"kernel.shmmax": "123456"}, personality={"domain": "LINUX"}, rootfsPropagation="slave",
        seccomp={"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}]},
        devices=[{"path": "/dev/again", "type": "c", "major": 1, "minor": 5, "fileMode": 0o640, "uid": 7, "gid": 8}])
    if has_memory_policies():
        box.linux["memoryPolicy"] = {"mode": "MPOL_LOCAL"}
    outside = [{"path": str(tool("busybox")), "args": ["true"]}]
    box.config["hooks"] = {kind: outside for kind in ("prestart", "createRuntime", "createContainer", "poststart",
                                                      "poststop")}
    box.config["hooks"]["startContainer"] = [{"path": "/bin/true"}]
    report(box)


def forking_bundle(box):
    """One with what only an init has that forks: a user namespace beside a joined one, and clocks of its own."""
    box.linux["namespaces"] = namespaces("pid", "ipc", "uts", "mount", "user", "time")
    box.set_namespace("network", f"/proc/{os.getpid()}/ns/net")
    mappings = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    box.linux.update(uidMappings=mappings, gidMappings=mappings, timeOffsets={"monotonic": {"secs": 1000}})
    box.drop_mount("/sys")
    box.drop_mount("/sys/fs/cgroup")
    box.linux["maskedPaths"], box.linux["readonlyPaths"] = ["/proc/kcore", "/proc/acpi"], ["/proc/sys"]
    for path in (box.bundle, box.rootfs, box.dir):
        path.chmod(0o755)
    os.chown(box.rootfs, 100000, 100000)
    report(box)


def plain_bundle(box):
    """One whose init has to wait for next to nothing."""
    box.linux["namespaces"] = namespaces("pid", "mount")
    box.drop_mount("/sys/fs/cgroup")
    box.config.pop("hostname")
    box.linux["maskedPaths"] = box.linux["readonlyPaths"] = []
    report(box)


def terminal_bundle(box):
    plain_bundle(box)
    box.drop_mount("/sys")
    box.process.update(terminal=True, consoleSize={"height": 10, "width": 20})
    box.set_probe("tty", "ids", "pids", "stat /dev/console", "ls /proc/self/fd")


NOTICE = "notify READY=1"


def notifying_bundle(box):
    """One whose program says that it is ready."""
    plain_bundle(box)
    box.set_probe(NOTICE, "ids", "env", "ls /proc/self/fd", "ls /run/notify", seen.MOUNTS)


def has_memory_policies():
    """set_mempolicy(MPOL_DEFAULT), which changes nothing."""
    return host.libc.syscall(call_number("set_mempolicy"), 0, None, 0) == 0


def report(box):
    box.set_probe("ids", "umask", "cwd", "env", "caps", "prctl", "rlimits", "uname", "pids", "signals", "sched",
                  "ls /proc/self/fd", "stat /dev/null", "stat /dev/again", "lstat /dev/ptmx", "stat /dev/console",
                  "stat /copied", "cat /copied/sub/file", "readlink /copied/link", "lstat /copied/fifo",
                  "readlink /a/link", "readlink /a/bound-link", "cat /proc/sys/kernel/shmmax", "cat /proc/self/oom_score_adj", seen.MOUNTS)


def view(text):
    """What the report TEXT says, without what differs from container to container."""
    shown = seen.only(text)
    # A caller that cannot be told is no reason not to start.
    if shown.pop(NOTICE, None) is not None:
        shown.pop("ls /run/notify")
    if seen.MOUNTS in shown:
        shown[seen.MOUNTS] = mount_table(shown.mounts)
    return json.dumps(without_numbers(shown), sort_keys=True, indent=1)


def mount_table(mounts):
    return [(mount.point, mount.root, sorted(mount.flags), sorted(mount.propagation), mount.type,
             sorted(mount.options)) for mount in mounts]


def without_numbers(value):
    """VALUE without the numbers that the kernel gives to file systems and inodes, and the names of our output files."""
    if isinstance(value, dict):
        return {key: without_numbers(member) for key, member in value.items() if key not in ("dev", "ino", "link")}
    return [without_numbers(item) for item in value] if isinstance(value, list) else value


# ---- one container's life with a fault in it


class Trial:
    """Takes a container through create, start and delete with a fault in one of them, and notes what was not right."""

    def __init__(self, box, make):
        self.box = box
        make(box)
        box.write_config()
        self.pid_file, self.hit_file = box.dir / "pid", box.dir / "hit"
        self.files = set(os.listdir(box.rootfs))
        self.plan, self.wanted, self.created = [], None, None
        self.create_options, self.env = [], {}
        self.complaints, self.count, self.hits = [], 0, 0

    def learn(self, command="create"):
        """A life without faults; gives the calls of COMMAND, and for create those of init up to the program."""
        log = self.box.dir / "log"
        listing = self.box.call("plan", "--json", "--bundle", self.box.bundle).ok()
        self.plan = json.loads(listing.out)[1:]
        self._create(["-l", log] if command == "create" else []).ok()
        self._call(["-l", log] if command == "start" else [], "start").ok()
        self._await_end()
        self.wanted = view(self.output())
        self._call(["-l", log] if command == "delete" else [], "delete", "--force").ok()
        host.until(lambda: log.read_text().endswith("\n"), "the log")
        return parse_log(log.read_text())

    def live_with(self, options):
        """A life with inject's OPTIONS in which everything goes well."""
        self._create(options).ok()
        self._call([], "start").ok()
        self._check_same(" ".join(options), None)
        self._check_deleted(" ".join(options))

    def fail(self, call, error, command="create"):
        """CALL of COMMAND fails with ERROR: either so does the command, or nothing is different from without."""
        self._try(call, ["-e", str(error)], command, f"{call} of {command} -> {errno.errorcode[error]}")

    def kill_init(self, call):
        self._try(call, [], "create", f"init killed at {call}")

    def kill_runtime(self, call, command="create", wait_ms=0):
        """After a kill -9 of the runtime `delete --force` removes whatever it has left, also when init had WAIT_MS to
        go on to where it stops by itself."""
        what = f"{command} killed at {call}"
        self._until(command, [*call.options(), "-w", str(wait_ms)])
        self._check_deleted(what)

    def _try(self, call, options, command, what):
        result = self._until(command, [*call.options(), *options])
        if result.status != 0:
            self._check_message(what, call, result)
            if command == "create":
                return self._check_nothing(what)
        elif command == "create":
            started = self._call([], "start")
            if started.status != 0:
                self._check_message(what, call, started)
            else:
                self._check_same(what, call)
        elif command == "start":
            self._check_same(what, call)
        return self._check_deleted(what)

    def _until(self, command, options):
        """Goes as far as COMMAND, which gets the fault."""
        self.count += 1
        if command == "create":
            return self._create(options)
        self._create([]).ok()
        if command == "start":
            return self._call(options, "start")
        self._call([], "start").ok()
        self._await_end()
        return self._call(options, "delete", "--force")

    # The steps.

    def _create(self, options):
        for name in set(os.listdir(self.box.rootfs)) - self.files:
            shutil.rmtree(self.box.rootfs / name)
        self.hit_file.unlink(missing_ok=True)
        for path in self.box.dir.glob("pid*"):
            path.unlink()
        # Compiled anew each time: that is the longer way.
        shutil.rmtree(self.box.root / ".seccomp", ignore_errors=True)
        self.created = self._call(options, "create", "--bundle", self.box.bundle, "--pid-file", self.pid_file,
                                  *self.create_options)
        return self.created

    def _call(self, options, *args):
        if not options:
            return self.box.call(*args, self.box.id, timeout=10, env=self.env)
        return spawn(self.box, ["-h", self.hit_file, *options], *args, self.box.id, env=self.env).wait(10)

    def _await_end(self):
        self.box.pid = int(self.pid_file.read_text())
        self.box.wait(10)

    def output(self):
        """What the program has reported."""
        return self.created.out

    # The checks.

    def complain(self, text):
        self.complaints.append(text)

    def _check_message(self, what, call, result):
        """One line, which names the operation's place in the config if it was an operation that failed."""
        if result.status == 128 + signal.SIGABRT and call.name in MEMORY_CALLS:
            return self._check_deleted(what)
        try:
            message = result.error()
        except AssertionError as error:
            return self.complain(f"{what}: {str(error)[:1000]}")
        place = self.plan[call.op].get("config") if call.op >= 0 and self.hit_file.exists() else None
        if place and place not in message and "init was killed" not in message:
            self.complain(f"{what}: no {place} in {message}")
        return None

    def _check_same(self, what, call):
        """The program has found everything in its place."""
        self._await_end()
        out = self.output()
        # Killed in the very moment of its execution, the program cannot be told from one that ended at once.
        if not out and self._op(call) == "exec":
            return
        found, wanted = view(out) if out else "", self.wanted
        # HOME is a kindness, and `/` where passwd cannot be read.
        if self._op(call) == "home":
            found, wanted = (re.sub('"HOME=[^"]*"', '"HOME="', text) for text in (found, wanted))
        if found != wanted:
            self.complain(f"{what}: went on, but the container is not the same:\n{difference(wanted, found)}")

    def _op(self, call):
        return self.plan[call.op]["op"] if call and call.op >= 0 else None

    def _check_deleted(self, what):
        deleted = self._call([], "delete", "--force")
        if deleted.status != 0:
            self.complain(f"{what}: then {deleted!r}")
        self._check_nothing(what)

    def _check_nothing(self, what):
        self.hits += self.hit_file.exists()
        self.hit_file.unlink(missing_ok=True)
        try:
            self.box.assert_clean()
        except AssertionError as error:
            self.complain(f"{what}: {error}")
            shutil.rmtree(self.box.root / self.box.id, ignore_errors=True)
        files = [path.name for path in self.box.dir.glob("pid*")]
        # Of a create that is killed nobody else knows where its pid file was to be.
        if files and self.created.status not in (0, 128 + signal.SIGKILL):
            self.complain(f"{what}: left behind: {files}")


def difference(wanted, found):
    lines = difflib.unified_diff(wanted.splitlines(), found.splitlines(), lineterm="", n=1)
    return "\n".join(lines)[:2000]
