# SPDX-License-Identifier: LGPL-2.1-or-later
"""Docker Engine in a World that has containerd, and its client with one runtime."""

import itertools
import json
import re

import containerd
import image
from world import Client

from harness import host

CLIENT = "/usr/bin/docker"  # Debian's, that goes with the daemon
GREEDY = ("dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=100")  # more memory than 16 MiB
OWN_MOUNTS = re.compile(r"/var/lib/docker$|/run/docker/netns/default$")


def start(world, peers):
    """The daemon with the shipped configuration of thole, and PEERS ({name: path}) beside it."""
    settings = json.loads(world.path("/usr/local/share/thole/docker/daemon.json").read_text())
    # runc is there by itself.
    settings["runtimes"] |= {name: {"path": path} for name, path in peers.items() if name != "runc"}
    world.write("/etc/docker/daemon.json", json.dumps(settings))
    daemon = world.spawn("dockerd", f"--containerd={containerd.SOCKET}")
    host.until(lambda: daemon.ended() or world.run(CLIENT, "info").status == 0, f"an answer of {daemon}", 30)
    assert not daemon.ended(), daemon
    load(world, image.NAME)
    return daemon


def load(world, name, more=()):
    """Makes an image known: 20.10 does not read OCI archives."""
    world.path("/tmp/layer.tar").write_bytes(image.layer(more))
    changes = ["CMD [\"sh\"]", *(f"ENV {variable}" for variable in image.ENVIRONMENT)]
    world.run(CLIENT, "import", *(f"--change={change}" for change in changes), "/tmp/layer.tar", name).ok()
    world.path("/tmp/layer.tar").unlink()


class Docker(Client):
    def __init__(self, world, oci):
        super().__init__(world, oci)
        self.watch = containerd.Watch(world, f"/run/docker/runtime-{oci.name}", ignored=OWN_MOUNTS)

    def command(self, *argv):
        return (CLIENT, *argv)

    def arguments(self, *words, of=image.NAME):
        """Of `docker run`: options are what begins with a dash, with their value after an =; the image follows them."""
        options = list(itertools.takewhile(lambda word: str(word).startswith("-"), words))
        return ["run", f"--runtime={self.oci.name}", *options, of, *words[len(options):]]

    def try_run(self, *words, **options):
        """Runs a container to its end."""
        return self.try_(*self.arguments("--rm", f"--name={self.name()}", *words), **options)

    def run(self, *words, **options):
        return self.try_run(*words, **options).ok().out.strip()

    def start(self, *words, of=image.NAME):
        """A container in the background; its name."""
        name = self.name()
        self(*self.arguments("--detach", f"--name={name}", *words, of=of))
        return name

    def inspect(self, name, path="State"):
        """A member of what `docker inspect` says of a container: State.Pid."""
        value = json.loads(self("inspect", name))[0]
        for key in path.split("."):
            value = value[key]
        return value

    def until_state(self, name, state, seconds=20):
        host.until(lambda: self.inspect(name)["Status"] == state, f"{state} of {name}", seconds)

    def is_reported_as_oom(self):
        """Whether Docker knows of a container that it ended for want of memory.  The shim hears of that apart from the
        end; where the end comes first, as it does now and then with every runtime, Docker forgets to say so."""
        for _ in range(4):
            name = self.start("--network=none", "--memory=16m", *GREEDY)
            self.until_state(name, "exited")
            if self.inspect(name)["OOMKilled"]:
                return True
        return False

    def until_logged(self, name, line):
        host.until(lambda: line in self("logs", name).splitlines(), f"{line!r} in the log of {name}")

    def limit(self, name, controller, file, file_v2):
        """A file of the container's cgroup."""
        place = self.world.cgroup(controller, f"/docker/{self.inspect(name, 'Id')}")
        return (place / (file if controller in host.HIERARCHIES else file_v2)).read_text().strip()

    def close(self):
        if self.names:
            self.try_("rm", "--force", "--volumes", *self.names)
