# SPDX-License-Identifier: LGPL-2.1-or-later
"""conmon alone"""

import itertools
import json

import image
import pytest
from podman import states

from harness import config, host

_numbers = itertools.count(1)


class Conmon:
    """One container, monitored as CRI-O and Podman have it."""

    def __init__(self, world, oci):
        self.world, self.oci, self.id = world, oci, f"conmon-{next(_numbers)}"
        self.dir = f"/srv/{self.id}"
        self.config = config.default() | {"ociVersion": "1.0.2"}
        self.config["linux"]["cgroupsPath"] = f"/{self.id}"
        self.config["root"]["path"] = "/srv/rootfs"
        for name in ("bundle", "exits", "attach"):
            world.path(f"{self.dir}/{name}").mkdir(parents=True)
        self.before = self.look()

    def call(self, *argv):
        return self.world.run(self.oci.path, *argv)

    def conmon(self, *options):
        """Runs conmon, which leaves a process of its own; what it said of the first process."""
        words = ["conmon", "--api-version", "1", "--cid", self.id, "--cuuid", self.id, "--name", self.id, "--runtime", self.oci.path,
                 "--bundle", f"{self.dir}/bundle", "--container-pidfile", f"{self.dir}/pid", "--exit-dir", f"{self.dir}/exits",
                 "--socket-dir-path", f"{self.dir}/attach", "--log-path", f"k8s-file:{self.dir}/log", *options]
        script = 'exec 3>"$0" && _OCI_SYNCPIPE=3 exec "$@"'
        self.world.run("sh", "-c", script, f"{self.dir}/sync", *words).ok()
        return host.until(self.answer, "the pid, or an error")

    def answer(self):
        """The line that has a pid, or less than that; before it there may be a 0, for who wants to attach."""
        lines = [json.loads(line) for line in self.read("sync").splitlines(keepends=True) if line.endswith("\n")]
        return next((line for line in lines if line["data"] != 0), None)

    def create(self, *args, options=()):
        self.config["process"] |= {"args": list(args), "terminal": "--terminal" in options}
        self.world.write(f"{self.dir}/bundle/config.json", json.dumps(self.config))
        return self.conmon(*options)

    def execute(self, *args, options=()):
        for name in ("sync", "log", f"exits/{self.id}"):
            self.world.path(f"{self.dir}/{name}").unlink(missing_ok=True)
        process = self.config["process"] | {"args": list(args), "terminal": "--terminal" in options}
        self.world.write(f"{self.dir}/process.json", json.dumps(process))
        return self.conmon("--exec", "--exec-process-spec", f"{self.dir}/process.json", *options)

    def read(self, name):
        place = self.world.path(f"{self.dir}/{name}")
        return place.read_text() if place.exists() else ""

    def status(self):
        """As conmon wrote it for its caller."""
        return int(host.until(lambda: self.read(f"exits/{self.id}"), "the exit file"))

    def output(self):
        """{"stdout": text, "stderr": text} of the log."""
        found = {"stdout": "", "stderr": ""}
        for line in self.read("log").splitlines():
            _, stream, kind, text = line.split(" ", 3)
            found[stream] += text + ("\n" if kind == "F" else "")
        return found

    def look(self):
        return [*states(self.world), *self.world.processes(), *(path for path in self.world.cgroups() if self.id in path),
                *(mount.point for mount in self.world.mounts())]

    def close(self):
        self.call("delete", "--force", self.id)

        def left():
            return [line for line in self.look() if line not in self.before]

        host.until(lambda: not left(), "nothing left")


@pytest.fixture(scope="session")
def rootfs(world):
    world.path("/srv/rootfs").mkdir(parents=True)
    world.path("/tmp/layer.tar").write_bytes(image.layer())
    world.run("tar", "-C", "/srv/rootfs", "-xf", "/tmp/layer.tar").ok()


@pytest.fixture
def conmon(world, rootfs, oci):
    made = Conmon(world, oci)
    yield made
    made.close()


def test_create(conmon):
    """create, start: pid, log and exit status"""
    answer = conmon.create("sh", "-c", "echo out; echo err >&2; exit 6")
    assert answer["data"] == int(conmon.read("pid")) > 0
    conmon.call("start", conmon.id).ok()
    assert conmon.status() == 6
    assert conmon.output() == {"stdout": "out\n", "stderr": "err\n"}
    assert json.loads(conmon.call("state", conmon.id).ok().out)["status"] == "stopped"
    conmon.call("delete", conmon.id).ok()


def test_create_terminal(conmon):
    """create --terminal: the console socket"""
    conmon.create("sh", "-c", "tty; stty size; exit 7", options=["--terminal"])
    conmon.call("start", conmon.id).ok()
    assert conmon.status() == 7
    assert conmon.output()["stdout"].splitlines()[0].strip() in ("/dev/pts/0", "/dev/console")


def test_create_fails(conmon):
    """create: an error reaches conmon's caller"""
    answer = conmon.create("/no/such/program")
    assert answer["data"] < 0, answer
    assert "/no/such/program" in answer["message"]


def test_parent(conmon):
    """create: conmon is the parent of the first process"""
    pid = conmon.create("sleep", "600")["data"]
    stat = conmon.world.path(f"/proc/{pid}/stat").read_text()
    parent = int(stat.rsplit(")", 1)[1].split()[1])
    assert conmon.world.pids()[parent][0] == "conmon"


def test_killed(conmon):
    """kill: the exit status of a signal"""
    conmon.create("sleep", "600")
    conmon.call("start", conmon.id).ok()
    conmon.call("kill", conmon.id, "KILL").ok()
    assert conmon.status() == 137


def test_killed_before_start(conmon):
    """kill of a container that was not started"""
    conmon.create("sleep", "600")
    conmon.call("kill", conmon.id, "KILL").ok()
    assert conmon.status() == 137


@pytest.fixture
def running(conmon):
    conmon.create("sleep", "600")
    conmon.call("start", conmon.id).ok()
    return conmon


def test_exec(running):
    """exec: pid, log and exit status"""
    answer = running.execute("sh", "-c", "echo out; echo err >&2; exit 8")
    assert answer["data"] > 0, answer
    assert running.status() == 8
    assert running.output() == {"stdout": "out\n", "stderr": "err\n"}


def test_exec_terminal(running):
    """exec --terminal: the console socket"""
    running.execute("sh", "-c", "tty; exit 9", options=["--terminal"])
    assert running.status() == 9
    assert "/dev/" in running.output()["stdout"]


def test_exec_fails(running):
    """exec: an error reaches conmon's caller"""
    answer = running.execute("/no/such/program")
    assert answer["data"] < 0, answer
    assert "/no/such/program" in answer["message"]


def test_exec_timeout(running):
    """exec --timeout: the program is killed after it"""
    running.execute("sleep", "601", options=["--timeout", "1"])
    host.until(lambda: ["sleep", "601"] not in running.world.pids().values(), "the end of the program")
    assert running.status() != 0
