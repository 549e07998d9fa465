# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where bench.py measures: runtimes, views of the cgroups, bundles, and a host that is left as it was found.

Whatever is started, mounted or made hangs on one of two things that end with the bench, however it ends: on a `timer`
(timer.c), which kills its descendants at end-of-file and takes its private mount namespace with it, or on the Lab,
which removes its temporary directory and the one cgroup name that all bundles use.
"""
import contextlib
import glob
import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass

HERE = os.path.dirname(os.path.abspath(__file__))
CGROUP_ROOT = "/sys/fs/cgroup"
PROGRAMS = ("true", "sh", "cat", "grep", "hostname", "ls", "sleep", "stat", "touch")
SECONDS = 60  # for one command; far beyond what any takes


@dataclass(frozen=True)
class View:
    """A way to see the host's cgroups.  SETUP is a shell script, run as root in a private mount namespace."""

    name: str
    title: str
    v2: bool
    setup: str = ":"


def views():
    """The views that this host can offer."""
    if os.path.exists(f"{CGROUP_ROOT}/cgroup.controllers"):
        return [View("host", "cgroup v2", v2=True)]
    # Debian's crun refuses a hybrid layout whose v2 part has a controller: show it one without.
    controllers = f"{CGROUP_ROOT}/unified/cgroup.controllers"
    return [
        View("host", "host's cgroup v1", False, f"! test -e {controllers} || mount --bind /dev/null {controllers}"),
        View("v2", "cgroup v2", True, f"mount -t cgroup2 cgroup2 {CGROUP_ROOT}"),
    ]


@dataclass(frozen=True)
class Sample:
    status: int
    us: float = 0.0
    rss_kib: int = 0


class Failed(Exception):
    """A command of a runtime under test did not do what it was measured for."""


class Timer:
    """The client of timer.c, which runs in VIEW."""

    def __init__(self, program, view):
        self.errors = tempfile.TemporaryFile("a+b")
        command = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", view.setup + '\nexec "$@"', "sh"]
        # In a session of its own, so that Ctrl-C reaches us alone and finds a timer that still answers.
        self.process = subprocess.Popen(
            [*command, program] + ["--allow-memlock"] * view.v2, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self.errors, text=True, start_new_session=True)

    def _ask(self, *fields):
        request = "\x1f".join(map(str, fields))
        if "\n" in request or request.count("\x1f") != len(fields) - 1:
            raise ValueError("a line break or a separator in an argument")
        try:
            self.process.stdin.write(request + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline().split()
        except BrokenPipeError:
            answer = []
        if not answer:
            raise SystemExit(f"bench: the timer ended: {self.last_error()}")
        return [int(number) for number in answer]

    def run(self, argv, seconds=SECONDS):
        status, ns, rss_kib = self._ask("run", seconds, *argv)
        return Sample(status, ns / 1000, rss_kib)

    def reap(self, seconds=SECONDS):
        """Waits until nothing that was started is left; what is left after SECONDS is killed."""
        return Sample(*self._ask("reap", seconds))

    def take_errors(self):
        """What the commands wrote to stderr since the last call."""
        self.errors.seek(0)
        text = self.errors.read().decode(errors="replace")
        self.errors.truncate(0)
        return text

    def last_error(self):
        """The last line of take_errors."""
        lines = self.take_errors().split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "no message")

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.errors.close()


@dataclass(frozen=True)
class Runtime:
    """A runtime under test.  The floor has no commands; what it runs instead is said by each scenario."""

    name: str
    path: str
    version: str

    @property
    def is_floor(self):
        return self.name == "floor"


def find_runtimes(thole, floor):
    """(runtimes, reasons why others are missing)"""
    path = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"
    wanted = {"thole": thole, "crun": "crun", "runc": "runc", "floor": floor}
    found, missing = [], []
    for name, program in wanted.items():
        program = shutil.which(program, path=path) if program else None
        if program is None:
            missing.append(f"{name}: " + ("not given (THOLE or --thole)" if name == "thole" else "not found"))
            continue
        program = os.path.abspath(program)
        with open(program, "rb") as file:
            if file.read(2) == b"#!":
                raise SystemExit(f"bench: {program} is a script (of libtool?); timing it would be wrong")
        version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
        found.append(Runtime(name, program, version.split("\n")[0] or "(the kernel work alone: floor.c)"))
    return found, missing


class Lab:
    """Bundles, state directories and the cgroup's name, for as long as the bench runs (a context manager)."""

    def __init__(self):
        self.cgroup = f"thole-bench-{os.getpid()}"
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.dir = stack.enter_context(tempfile.TemporaryDirectory(prefix="thole-bench-"))
            stack.callback(self._restore_subtree_control, self._subtree_control())
            stack.callback(self.sweep)
            self._make_rootfs()
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    def _make_rootfs(self):
        busybox = shutil.which("busybox")
        if busybox is None:
            raise SystemExit("bench: busybox is missing (Debian: busybox-static)")
        self.rootfs = f"{self.dir}/rootfs"
        for folder in ("bin", "dev", "proc", "sys"):
            os.makedirs(f"{self.rootfs}/{folder}")
        shutil.copy(busybox, f"{self.rootfs}/bin/busybox")
        for name in PROGRAMS:
            os.link(f"{self.rootfs}/bin/busybox", f"{self.rootfs}/bin/{name}")

    def bundle(self, view, args=("/bin/true",), memory_limit=None, below=""):
        """The path of a bundle with config.json of this folder, which is what `runc spec` prints in VIEW; its cgroup is
        the Lab's, or BELOW that."""
        with open(f"{HERE}/config.json", encoding="utf-8") as file:
            config = json.load(file)
        config["root"]["path"] = self.rootfs
        config["process"]["args"] = list(args)
        config["linux"]["cgroupsPath"] = f"/{self.cgroup}/{below}".rstrip("/")
        if view.v2:
            config["linux"]["namespaces"].append({"type": "cgroup"})
        if memory_limit:
            config["linux"]["resources"]["memory"] = {"limit": memory_limit}
        path = tempfile.mkdtemp(prefix="bundle-", dir=self.dir)
        with open(f"{path}/config.json", "w", encoding="utf-8") as file:
            json.dump(config, file, indent=1)
        return path

    def state_root(self, runtime, view):
        path = f"{self.dir}/state-{runtime.name}-{view.name}"
        os.makedirs(path, exist_ok=True)
        return path

    @contextlib.contextmanager
    def timer(self, program, view):
        timer = Timer(program, view)
        try:
            yield timer
        finally:
            timer.close()

    def sweep(self):
        """Removes the cgroups that a command which failed has left."""
        for path in glob.glob(f"{CGROUP_ROOT}/{self.cgroup}") + glob.glob(f"{CGROUP_ROOT}/*/{self.cgroup}"):
            if os.path.exists(f"{path}/cgroup.procs") and not os.path.isfile(f"{path}/../cgroup.procs"):
                shutil.rmtree(path)  # crun fills any directory below /sys/fs/cgroup, hierarchy or not
                continue
            for folder, _, _ in os.walk(path, topdown=False):
                os.rmdir(folder)

    @staticmethod
    def _subtree_control():
        """The root of the v2 hierarchy, and the controllers that its children have: runtimes add to them."""
        for root in (CGROUP_ROOT, f"{CGROUP_ROOT}/unified"):
            with contextlib.suppress(OSError), open(f"{root}/cgroup.subtree_control", encoding="utf-8") as file:
                return file.name, set(file.read().split())
        return None, set()

    def _restore_subtree_control(self, before):
        name, now = self._subtree_control()
        for controller in now - before[1]:
            # Refused while somebody else's cgroups have it, and then it is not ours to take away.
            with contextlib.suppress(OSError), open(name, "w", encoding="utf-8") as file:
                file.write(f"-{controller}")
