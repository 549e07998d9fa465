# SPDX-License-Identifier: LGPL-2.1-or-later
"""Podman in a World, as root or as its ordinary user."""

import contextlib
import itertools
import json
import os
import re

import image
from world import Client

from harness import host, user


# What the tests' machine is, and what it lacks: no systemd; without CAP_SYS_RESOURCE no limit can be raised.
MACHINE = """\
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
"""

OWN_MOUNTS = re.compile(r"/netns(/|$)|/containers/storage/overlay$")
STATES = [f"{parent}/{name}" for parent in ("/run", f"/run/user/{user.UID}") for name in ("thole", "crun", "runc")]


def states(world):
    """What runtimes keep of containers in WORLD."""
    return [f"{place}/{entry.name}" for place in STATES if world.path(place).is_dir()
            for entry in world.path(place).iterdir() if not entry.name.startswith(".")]


class Podman(Client):
    def __init__(self, world, oci, ordinary=False):
        super().__init__(world, oci)
        self.ordinary = ordinary
        self.home = f"/home/{user.NAME}" if ordinary else "/srv"  # for files of tests
        self.pods = []
        self.before = self.look()

    def command(self, *argv):
        return ("podman", "--runtime", self.oci.name, *argv)

    def spawn(self, *argv, **options):
        return super().spawn(*argv, ordinary=self.ordinary, **options)

    def write(self, name, text, mode=0o644):
        """A file below home, of who runs podman; its path in the world."""
        place = self.world.path(f"{self.home}/{name}")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        place.chmod(mode)
        if self.ordinary:
            for path in (place, place.parent):
                os.chown(path, user.UID, user.GID)
        return f"{self.home}/{name}"

    def read(self, name):
        return self.world.path(f"{self.home}/{name}").read_text()

    def make_pod(self, *options):
        self.pods.append(f"p{self.number()}")
        self("pod", "create", "--name", self.pods[-1], *options)
        return self.pods[-1]

    def run(self, *words, **options):
        """Runs a container to its end: options, then the program; what it prints."""
        return self("run", "--rm", *self.with_image(words), **options)

    def try_run(self, *words, **options):
        return self.try_("run", "--rm", *self.with_image(words), **options)

    def start(self, *words):
        """Starts a container in the background; its name."""
        name = self.name()
        self("run", "--detach", "--name", name, *self.with_image(words))
        return name

    @staticmethod
    def with_image(words):
        """Options are what begins with a dash, with their value after an =; the image comes before the rest."""
        options = list(itertools.takewhile(lambda word: str(word).startswith("-"), words))
        return [*options, image.NAME, *words[len(options):]]

    def inspect(self, name, path="State"):
        """A member of what `podman inspect` says of a container: State.Pid."""
        value = json.loads(self("inspect", name))[0]
        for key in path.split("."):
            value = value[key]
        return value

    # ---- what must not be left

    def look(self):
        """All that containers leave in the world while they are there."""
        found = [f"state {place}" for place in states(self.world)]
        # What is Podman's own stays: the parent of all containers' cgroups, the process that holds a user's namespaces,
        # the mounts by which it keeps storage and networks to itself.
        found += [f"cgroup {path}" for path in self.world.cgroups() if "libpod-" in path]
        found += [line for line in self.world.processes() if "podman" not in line or "conmon" in line]
        found += [f"mount {mount.point}" for mount in self.world.mounts() if not OWN_MOUNTS.search(mount.point)]
        return found

    def close(self):
        if self.names:
            self.try_("rm", "--force", "--time", "0", *self.names)
        if self.pods:
            self.try_("pod", "rm", "--force", "--time", "0", *self.pods)

    def left(self):
        return [line for line in self.look() if line not in self.before]

    def assert_clean(self):
        # Podman's own clean-up runs after what it cleans up for has been told its end.
        with contextlib.suppress(AssertionError):
            host.until(lambda: not self.left(), "nothing left", 3)
        left = self.left()
        assert not left, f"left behind: {', '.join(left)}"
