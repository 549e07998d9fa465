# SPDX-License-Identifier: LGPL-2.1-or-later
"""containerd in a World, and ctr(8) with one runtime."""

import contextlib
import itertools
import json

import image
from world import Client

from harness import host

PAUSE = "localhost/pause:latest"
NAMESPACE = "tests"  # of ctr's containers; the kubelet's are in k8s.io
SOCKET = "/run/containerd/containerd.sock"

# The tests' machine: Debian's plugins of CNI; without CAP_SYS_RESOURCE no score can be lowered.
MACHINE = """\
version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = {restrict}
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
"""

PEER = """
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.{name}]
  runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.{name}.options]
    BinaryName = "{path}"
"""

NETWORK = {"cniVersion": "0.4.0", "name": "pods", "plugins": [
    {"type": "bridge", "bridge": "pods0", "isGateway": True, "hairpinMode": True,
     "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.89.0.0/16"}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}


def start(world, peers):
    """The daemon with the shipped configuration of thole, and PEERS ({name: path}) beside it."""
    restrict = str(not host.has_capability(host.CAP_SYS_RESOURCE)).lower()
    shipped = world.path("/usr/local/share/thole/containerd/runtime-1.toml").read_text()
    settings = [MACHINE.format(pause=PAUSE, restrict=restrict), shipped]
    settings += [PEER.format(name=name, path=path) for name, path in peers.items()]
    world.write("/etc/containerd/config.toml", "\n".join(settings))
    world.write("/etc/cni/net.d/10-pods.conflist", json.dumps(NETWORK))
    daemon = world.spawn("containerd")
    host.until(lambda: world.run("ctr", "version").status == 0, f"an answer of {daemon}", 20)
    for name, command in ((image.NAME, ["sh"]), (PAUSE, ["sleep", "2147483647"])):
        load(world, name, command)
    return daemon


def load(world, name, command, more=()):
    """Makes an image known to ctr's containers and to Pods."""
    image.archive(world.path("/tmp/containerd.tar"), name, command, more)
    for namespace in (NAMESPACE, "k8s.io"):
        world.run("ctr", "--namespace", namespace, "images", "import", "/tmp/containerd.tar").ok()
    world.path("/tmp/containerd.tar").unlink()


def left_by(world, runtime_roots, ignored):
    """All that containers leave in the world while they are there."""
    found = [f"state {entry}" for root in runtime_roots for entry in world.path(root).glob("*/*")
             if not entry.name.startswith(".")]
    found += [f"cgroup {path}" for path in world.cgroups() if "/" in path]
    found += world.processes()
    found += [f"mount {mount.point}" for mount in world.mounts() if not (ignored and ignored.search(mount.point))]
    return found


class Watch:
    """What was in the world before a test, to be compared with what is there after it; mounts that are IGNORED are a
    daemon's own."""

    def __init__(self, world, *runtime_roots, ignored=None):
        self.look = lambda: left_by(world, runtime_roots, ignored)
        self.before = self.look()

    def left(self):
        return [line for line in self.look() if line not in self.before]

    def assert_clean(self):
        # A shim ends a little after its last container is gone.
        with contextlib.suppress(AssertionError):
            host.until(lambda: not self.left(), "nothing left", 5)
        left = self.left()
        assert not left, f"left behind: {', '.join(left)}"


class Ctr(Client):
    def __init__(self, world, oci):
        super().__init__(world, oci)
        self.watch = Watch(world, "/run/containerd/runc")

    def command(self, *argv):
        return ("ctr", "--namespace", NAMESPACE, *argv)

    def arguments(self, *words, name=None):
        """Of `ctr run`: options are what begins with a dash; the image and a name come before the rest."""
        options = list(itertools.takewhile(lambda word: str(word).startswith("-"), words))
        return ["run", f"--runc-binary={self.oci.path}", *options, image.NAME, name or self.name(),
                *words[len(options):]]

    def try_run(self, *words, **options):
        """Runs a container to its end."""
        return self.try_(*self.arguments("--rm", *words), **options)

    def run(self, *words, **options):
        return self.try_run(*words, **options).ok().out.strip()

    def start(self, *words):
        """A container in the background; its name."""
        name = self.name()
        self(*self.arguments("--detach", *words, name=name))
        return name

    def try_exec(self, name, *words, **options):
        options_of_ctr = list(itertools.takewhile(lambda word: str(word).startswith("-"), words))
        return self.try_("tasks", "exec", f"--exec-id=e{self.number()}", *options_of_ctr, name,
                         *words[len(options_of_ctr):], **options)

    def exec(self, name, *words, **options):
        return self.try_exec(name, *words, **options).ok().out.strip()

    def task(self, name):
        """(pid in the world, status); None without a task."""
        rows = [line.split() for line in self("tasks", "ls").splitlines()[1:]]
        return next(((int(pid), status) for task, pid, status in rows if task == name), None)

    def status(self, name):
        return (self.task(name) or (None, None))[1]

    def until_status(self, name, status):
        host.until(lambda: self.status(name) == status, f"{status} of {name}, which is {self.status(name)}")

    def limit(self, name, controller, file, file_v2):
        """A file of the container's cgroup."""
        place = self.world.cgroup(controller, f"/{NAMESPACE}/{name}")
        return (place / (file if controller in host.HIERARCHIES else file_v2)).read_text().strip()

    def close(self):
        for name in self.names:
            self.try_("tasks", "delete", "--force", name)
            self.try_("containers", "delete", name)
