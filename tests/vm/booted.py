# SPDX-License-Identifier: LGPL-2.1-or-later
"""A host on which systemd is pid 1, and its users who linger: they have a systemd of their own, and are not logged in.

What root's containers do is done in the tests' own mount namespace, what a Login does in that of pid 1, since a user's
runtime directory is a mount made after ours."""

import contextlib
import os
import pwd
import subprocess
from pathlib import Path

from harness import host

SECONDS = 60 * host.SLOWNESS
ROOT = Path("/proc/1/root")  # of pid 1's mount namespace


def call(*argv, **options):
    """What ARGV prints when all is well."""
    result = subprocess.run([str(word) for word in argv], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                            timeout=SECONDS, check=False, **options)
    assert result.returncode == 0, f"{argv}: status {result.returncode}\n{result.stdout}{result.stderr}"
    return result.stdout.strip()


class Systemd:
    """The system's."""

    options = ()

    def run(self, *argv):
        return call(*argv)

    def systemctl(self, *words):
        return self.run("systemctl", *self.options, *words)

    def show(self, unit, *names):
        """{name of a property: its value}"""
        lines = self.systemctl("show", "-p", ",".join(names), unit).splitlines()
        return dict(line.split("=", 1) for line in lines)

    def units(self):
        return self.systemctl("list-units", "--all", "--plain", "--no-legend")


class Login(Systemd):
    """USER's, or root's where there is none: outside of the tests' mount namespace, as after a login."""

    def __init__(self, user=None):
        self.user = pwd.getpwnam(user) if user else None
        self.environment = {"PATH": os.environ["PATH"], "HOME": "/root"}
        if user:
            self.options = ("--user",)
            self.environment |= {"HOME": self.user.pw_dir, "XDG_RUNTIME_DIR": f"/run/user/{self.user.pw_uid}"}

    def become(self):
        """To be called in a child before it executes a program."""
        with open("/proc/1/ns/mnt", "rb") as namespace:
            host.check(host.libc.setns(namespace.fileno(), host.CLONE_NEWNS), "setns")
        os.chdir("/")
        if self.user:
            os.setgroups([])
            os.setgid(self.user.pw_gid)
            os.setuid(self.user.pw_uid)

    def run(self, *argv):
        return call(*argv, preexec_fn=self.become, env=self.environment)


@contextlib.contextmanager
def lingering(name):
    """A new user NAME: his Login."""
    call("useradd", "--create-home", name)
    call("loginctl", "enable-linger", name)
    login = Login(name)
    uid = login.user.pw_uid
    host.until(Path(f"{ROOT}/run/user/{uid}/bus").exists, "the user's bus", 60)
    yield login
    call("loginctl", "disable-linger", name)
    call("systemctl", "stop", f"user@{uid}.service", f"user-runtime-dir@{uid}.service")
    call("userdel", "--remove", name)
