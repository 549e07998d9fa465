# SPDX-License-Identifier: LGPL-2.1-or-later
"""One container of a test: its bundle, the commands that move it, and the proof that nothing of it is left."""

import contextlib
import itertools
import json
import os
import select
import shutil
import signal
import time
from pathlib import Path

import pytest

from harness import config, host, runtime, seen, user

# Names the session: part of every id, cgroup and path, so that what is left of it can be found.
SESSION = os.environ.setdefault("THOLE_TEST_SESSION", f"tholetest{os.getpid()}")
BASE = Path("/tmp") / SESSION
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "gw")

_numbers = itertools.count(1)


class Box:
    def __init__(self, view="host"):
        self.view = view
        self.binary = runtime.BINARY
        self.before_exec = None  # of each command
        self.globals, self.environment = [], {}  # likewise
        self.id = f"{SESSION}-{WORKER}-{next(_numbers)}"
        self.dir = BASE / WORKER / self.id.rsplit("-", 1)[1]
        self.bundle, self.root, self.rootfs = self.dir / "bundle", self.dir / "root", self.dir / "bundle" / "rootfs"
        self.cgroup = f"/{self.id}"
        self.config = config.default()
        self.config["linux"]["cgroupsPath"] = self.cgroup
        if not user.PRIVILEGED:
            self.set_namespace("user")
            user.map_ids(self.linux)
        self.pid = None
        self._mounts, self._devices = _mount_lines(), host.devices()
        make_rootfs(self.rootfs)

    # Shorthands for the parts of the config that tests change.

    @property
    def process(self):
        return self.config["process"]

    @property
    def linux(self):
        return self.config["linux"]

    @property
    def resources(self):
        return self.config["linux"]["resources"]

    def add_mount(self, *args):
        self.config["mounts"].append(config.mount(*args))

    def add_bind(self, *args):
        self.config["mounts"].append(config.bind(*args))

    def drop_mount(self, destination):
        self.config["mounts"] = [entry for entry in self.config["mounts"] if entry["destination"] != destination]

    @property
    def last_mount(self):
        """How messages name the mount that was added last."""
        return f"mounts[{len(self.config['mounts']) - 1}]"

    def set_namespace(self, kind, path=None):
        """Makes KIND one of the container's namespaces, joined by PATH if given."""
        self.without_namespace(kind)
        self.linux["namespaces"].append({"type": kind} | ({"path": str(path)} if path else {}))

    def without_namespace(self, kind):
        self.linux["namespaces"] = [entry for entry in self.linux["namespaces"] if entry["type"] != kind]

    def without_network(self):
        """The host's network: a network namespace is the dearest of all, and most tests do not need one."""
        self.without_namespace("network")

    def set_probe(self, *commands):
        self.process["args"] = ["/probe", *seen.words(commands)]

    def capabilities(self, *names):
        self.process["capabilities"] = {kind: list(names) for kind in ("bounding", "effective", "permitted")}

    def directory(self, name):
        """A directory of the host beside the bundle."""
        path = self.dir / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    # The runtime's commands.

    def write_config(self):
        if self.config is not None:
            (self.bundle / "config.json").write_text(json.dumps(self.config, indent=1))

    def spawn(self, *args, **options):
        options.setdefault("view", self.view)
        options.setdefault("binary", self.binary)
        options.setdefault("before_exec", self.before_exec)
        options["env"] = self.environment | (options.get("env") or {})
        return runtime.spawn("--root", self.root, *self.globals, *args, **options)

    def call(self, *args, timeout=20, **options):
        return self.spawn(*args, **options).wait(timeout)

    def run(self, *args, timeout=20, **options):
        self.write_config()
        return self.call("run", "--bundle", self.bundle, *args, self.id, timeout=timeout, **options)

    def spawn_run(self, *args, **options):
        self.write_config()
        return self.spawn("run", "--bundle", self.bundle, *args, self.id, **options)

    def probe(self, *commands, **options):
        """Runs the probe in the container and gives what it saw."""
        self.set_probe(*commands)
        return seen.only(self.run(**options).ok().out)

    def try_create(self, *args, **options):
        self.write_config()
        return self.call("create", "--bundle", self.bundle, *args, self.id, **options)

    def create_by_default(self, **env):
        """`create` without --root, where ENV leads."""
        self.write_config()
        return runtime.call("create", "--bundle", self.bundle, self.id, env=env, before_exec=self.before_exec)

    def delete_by_default(self, **env):
        return runtime.call("delete", "--force", self.id, env=env, before_exec=self.before_exec).ok()

    def create(self, *args, **options):
        pid_file = self.dir / "pid"
        result = self.try_create("--pid-file", pid_file, *args, **options).ok()
        self.pid = int(pid_file.read_text())
        return result

    def start(self, **options):
        return self.call("start", self.id, **options).ok()

    def kill(self, *args, **options):
        return self.call("kill", self.id, *args, **options).ok()

    def delete(self, *args, **options):
        return self.call("delete", *args, self.id, **options).ok()

    def state(self):
        return json.loads(self.call("state", self.id).ok().out)

    def status(self):
        return self.state()["status"]

    def wait(self, seconds=10):
        """Waits for the end of the created container's process; its status as a shell would say it."""
        status = wait_pid(self.pid, seconds)
        host.until(lambda: self.status() == "stopped", "state stopped")
        return status

    def stop(self):
        """Ends the container and deletes it."""
        self.call("kill", self.id, "KILL")
        self.wait()
        self.delete()

    def cgroup_procs(self):
        """The pids in the container's cgroup, of the first hierarchy that has it."""
        for root in host.view_hierarchies(self.view).values():
            path = Path(f"{root}{self.cgroup}/cgroup.procs")
            if path.exists():
                return [int(pid) for pid in path.read_text().split()]
        return []

    def place(self, controller):
        """The container's cgroup where CONTROLLER is, and whether that is v2; skips if the view has none."""
        hierarchies = host.view_hierarchies(self.view)
        if controller in hierarchies:
            return Path(f"{hierarchies[controller]}{self.cgroup}"), False
        if "" in hierarchies and controller in host.v2_controllers():
            return Path(f"{hierarchies['']}{self.cgroup}"), True
        return pytest.skip(f"the {controller} controller is in none of the hierarchies of the {self.view} view")

    # What must not be left.

    def leftovers(self):
        """Everything on the host that is of this container."""
        left = []
        if self.root.exists():
            # Names that begin with a dot are the runtime's own (its cache of filters), not of a container.
            left += [f"state {name}" for name in os.listdir(self.root) if not name.startswith(".")]
        left += [f"cgroup {root}{self.cgroup}" for root in set(host.HIERARCHIES.values())
                 if os.path.exists(f"{root}{self.cgroup}")]
        left += [f"mount {line}" for line in _mount_lines() - self._mounts]
        left += [f"/dev/{name}: {status} instead of {self._devices[name]}" for name, status in host.devices().items()
                 if status != self._devices[name]]
        left += [f"process {host.describe(pid)}" for pid in orphans()]
        return left

    def assert_clean(self):
        # The kernel needs a moment between a SIGKILL and the end of what got it.
        with contextlib.suppress(AssertionError):
            host.until(lambda: not self.leftovers(), "nothing left", 2)
        left = self.leftovers()
        assert not left, "left behind:\n" + "\n".join(left)

    def close(self):
        """Removes the container, if the test has not, and complains about what the runtime has not removed."""
        for name in self._ids():
            self.call("delete", "--force", name)
        try:
            self.assert_clean()
        finally:
            self._sweep()

    def _ids(self):
        return [name for name in os.listdir(self.root) if not name.startswith(".")] if self.root.exists() else []

    def _sweep(self):
        """Removes by hand, so that one failing test does not make others fail."""
        for path in host.cgroups_named(self.id):
            _thaw(path)
        for pid in orphans():
            # Told once; if it cannot be killed, the tests after this one are not to blame.
            runtime.started.add(pid)
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        for line in _mount_lines() - self._mounts:
            with contextlib.suppress(OSError):
                host.umount(host.Mount(line).point)
        for path in host.cgroups_named(self.id)[::-1]:
            _remove_cgroup(path)
        if not os.environ.get("THOLE_TEST_KEEP"):
            shutil.rmtree(self.dir, ignore_errors=True)


def make_rootfs(rootfs):
    """A root with the probe, busybox and empty directories to mount on."""
    for name in ("bin", "dev", "etc", "proc", "sys", "tmp"):
        (rootfs / name).mkdir(parents=True)
    os.chmod(rootfs / "tmp", 0o1777)
    for program, place in ((tool("probe"), "probe"), (tool("busybox"), "bin/busybox")):
        os.link(program, rootfs / place)
    for name in ("sh", "true", "false", "cat", "sleep"):
        os.symlink("busybox", rootfs / "bin" / name)
    (rootfs / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n")


def tool(name):
    """The probe or busybox, copied once to the file system that the bundles are on, so that they can be linked."""
    place = BASE / WORKER / name
    if not place.exists():
        source = {"probe": os.environ.get("PROBE"), "busybox": shutil.which("busybox")}[name]
        assert source, f"{name} is not there: set PROBE to the built probe, install busybox-static"
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, place)
    return place


def wait_pid(pid, seconds=10):
    """Waits for PID to end, which is our child or an orphan that became ours."""
    fd = os.pidfd_open(pid)
    try:
        ready, _, _ = select.select([fd], [], [], seconds * host.SLOWNESS)
        assert ready, f"did not end within {seconds} s: {host.describe(pid)}"
    finally:
        os.close(fd)
    try:
        _, status = os.waitpid(pid, 0)
    except ChildProcessError:
        return None
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)


def orphans():
    """Our children that no test has started: what a runtime left running.  The dead ones are buried."""
    left = []
    for pid, state in host.children():
        if pid in runtime.started:
            continue
        if state == "Z":
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        else:
            left.append(pid)
    return left


def _mount_lines():
    return set(Path("/proc/self/mountinfo").read_text().splitlines())


def _thaw(path):
    for name, word in (("freezer.state", "THAWED"), ("cgroup.freeze", "0")):
        with contextlib.suppress(OSError):
            if os.path.exists(f"{path}/{name}"):
                Path(path, name).write_text(word)


def _remove_cgroup(path):
    for _ in range(100):
        with contextlib.suppress(OSError):
            for pid in Path(path, "cgroup.procs").read_text().split():
                os.kill(int(pid), signal.SIGKILL)
        try:
            return os.rmdir(path)
        except FileNotFoundError:
            return None
        except OSError:
            time.sleep(0.01)
    return None
