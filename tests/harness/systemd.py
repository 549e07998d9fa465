# SPDX-License-Identifier: LGPL-2.1-or-later
"""A bus and a stand-in for systemd (tests/stand-in/systemd.py) for one container."""

import contextlib
import importlib.util
import json
import os
import shutil
import socket
from pathlib import Path

import pytest

from harness import host, runtime

STAND_IN = Path(__file__).parents[1] / "stand-in" / "systemd.py"

# The controllers that systemd has on v1, and its own hierarchy.
OF_SYSTEMD = ("name=systemd", "cpu", "cpuacct", "memory", "blkio", "devices", "pids", "")

CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
  "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
    <allow own="*"/>
    <allow user="*"/>
  </policy>
</busconfig>
"""


class Systemd:
    """The stand-in, which has its cgroups below that of BOX."""

    def __init__(self, box):
        if not shutil.which("dbus-daemon"):
            pytest.skip("no dbus-daemon (Debian: dbus-daemon)")
        if not importlib.util.find_spec("dbus") or not importlib.util.find_spec("gi"):
            pytest.skip("no bus for Python (Debian: python3-dbus, python3-gi)")
        if "+SYSTEMD" not in runtime.call("--version").out:
            pytest.skip("built without systemd")
        self.box, self.dir = box, box.directory("systemd")
        self.cgroup, self.socket = f"/{box.id}", self.dir / "bus"
        self.address = f"unix:path={self.socket}"
        self.set_mode("")
        (self.dir / "config").write_text(CONFIG.format(socket=self.socket))
        self.processes = contextlib.ExitStack()
        self.bus = self._start("dbus-daemon", "--nofork", f"--config-file={self.dir}/config")
        host.until(self.socket.exists, "the bus")
        hierarchies = {str(path) for name, path in host.view_hierarchies(box.view).items() if name in OF_SYSTEMD}
        self._start("/usr/bin/python3", STAND_IN, self.dir, self.cgroup, *sorted(hierarchies))
        host.until((self.dir / "ready").exists, "the stand-in for systemd")
        # What the box takes for its cgroup is that of the scope.
        box.cgroup = f"{self.cgroup}/system.slice/thole-{box.id}.scope"
        box.linux["cgroupsPath"] = f"system.slice:thole:{box.id}"
        box.globals, box.environment = ["--systemd-cgroup"], {"DBUS_SYSTEM_BUS_ADDRESS": self.address}

    def _start(self, *argv):
        environment = os.environ | {"DBUS_SYSTEM_BUS_ADDRESS": self.address}
        return self.processes.enter_context(runtime.beside(*argv, env=environment))

    def close(self):
        self.processes.close()
        for root in set(host.HIERARCHIES.values()):
            for directory, _, _ in os.walk(f"{root}{self.cgroup}", topdown=False):
                try:
                    os.rmdir(directory)
                except OSError:
                    pass

    def set_mode(self, words):
        (self.dir / "mode").write_text(words)

    def end_bus(self):
        self.bus.kill()
        self.bus.wait()

    def calls(self, method=None):
        """What was called, or of METHOD alone the properties as {name: [type, value]}, lists of one name joined."""
        path = self.dir / "calls"
        found = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        if method is None:
            return [call["method"] for call in found]
        return [call for call in found if call["method"] == method]

    def properties(self, method="StartTransientUnit"):
        """The properties of the last call of METHOD: {name: [type, value]}; of those given twice the last."""
        return {name: [kind, value] for name, kind, value in self.calls(method)[-1]["properties"]}


def silent_socket(path):
    """A socket that takes connections and never says anything."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()
    return server
