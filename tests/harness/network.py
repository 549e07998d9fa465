# SPDX-License-Identifier: LGPL-2.1-or-later
"""Network namespaces of tests: a stand-in for the host's, so that its own devices are left alone."""

import json
import os
import shutil
import subprocess

from harness import host


class Network:
    """The network namespace of the process PID, looked at and changed with ip(8)."""

    def __init__(self, pid):
        self.path = f"/proc/{pid}/ns/net"

    def enter(self):
        """For a child before exec."""
        fd = os.open(self.path, os.O_RDONLY)
        host.check(host.libc.setns(fd, host.CLONE_NEWNET), f"setns {self.path}")
        os.close(fd)

    def ip(self, *words, status=0):
        program = shutil.which("ip")
        assert program, "ip is not there: install iproute2"
        flat = [part for word in words for part in str(word).split()]
        done = subprocess.run([program, *flat], preexec_fn=self.enter, capture_output=True, text=True, timeout=20)
        assert done.returncode == status, f"ip {' '.join(flat)}: {done.stderr}"
        return done.stdout

    def add_pair(self, name, peer, *settings):
        """Two devices with a wire between them."""
        self.ip("link add", name, *settings, "type veth peer name", peer)

    def devices(self):
        """{name: what `ip address` says of it}."""
        return {device["ifname"]: device for device in json.loads(self.ip("-j -d address show"))}

    def device(self, name):
        devices = self.devices()
        assert name in devices, f"no {name} among {list(devices)}"
        return devices[name]

    def addresses(self, name, scope="global"):
        """["10.0.0.2/24", ...] in the order of the kernel."""
        return [f"{entry['local']}/{entry['prefixlen']}" for entry in self.device(name)["addr_info"]
                if entry["scope"] == scope]
