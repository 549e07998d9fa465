# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pseudo-terminals: one that a test plays the user on, and the socket that receives a container's."""

import contextlib
import fcntl
import os
import pty
import re
import select
import socket
import struct
import termios
import time

from harness import host


def set_size(fd, rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def get_size(fd):
    return struct.unpack("HHHH", fcntl.ioctl(fd, termios.TIOCGWINSZ, b"\0" * 8))[:2]


class Screen:
    """What comes out of a pty's master, and keys into it."""

    def __init__(self, master):
        self.master, self.text = master, ""

    def read(self, seconds=0.05):
        """Takes what is there within SECONDS; False at the end of the terminal."""
        ready, _, _ = select.select([self.master], [], [], seconds)
        if not ready:
            return True
        try:
            data = os.read(self.master, 65536)
        except OSError:
            return False  # EIO: the last slave was closed
        self.text += data.decode(errors="replace")
        return bool(data)

    def expect(self, pattern, seconds=10):
        """Waits until PATTERN has appeared; gives the match, and forgets the text up to its end."""
        deadline = time.monotonic() + seconds * host.SLOWNESS
        while True:
            match = re.search(pattern, self.text, re.DOTALL)
            if match:
                self.text = self.text[match.end():]
                return match
            alive = self.read() or re.search(pattern, self.text, re.DOTALL)
            assert alive, f"the terminal ended without {pattern!r}: {self.text!r}"
            assert time.monotonic() < deadline, f"no {pattern!r} within {seconds} s: {self.text!r}"

    def drain(self, seconds=10):
        """Reads to the end of the terminal."""
        deadline = time.monotonic() + seconds * host.SLOWNESS
        while self.read():
            assert time.monotonic() < deadline, f"no end of the terminal within {seconds} s: {self.text!r}"
        return self.text

    def type(self, text):
        os.write(self.master, text.encode())

    def close(self):
        if self.master >= 0:
            os.close(self.master)
            self.master = -1


class Terminal(Screen):
    """A terminal as a person has one; the test holds both ends."""

    def __init__(self, rows=24, columns=80):
        master, self.slave = pty.openpty()
        super().__init__(master)
        self.resize(rows, columns)

    def resize(self, rows, columns):
        set_size(self.master, rows, columns)

    def mode(self):
        """The line discipline's settings, to be compared."""
        mode = termios.tcgetattr(self.slave)
        # VMIN and VTIME share their places with VEOF and VEOL; the list of characters is compared as well.
        return mode

    def is_raw(self):
        flags = self.mode()[3]
        return not flags & (termios.ICANON | termios.ECHO | termios.ISIG)

    def control(self):
        """For a child before exec: makes the slave its controlling terminal, in a session of its own."""
        os.setsid()
        fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)

    def close(self):
        super().close()
        os.close(self.slave)


class ConsoleSocket:
    """Receives the master of a container's terminal, as containerd, conmon and Docker do (--console-socket)."""

    def __init__(self, path):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX)
        # A path longer than an address allows is reached through its directory.
        directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
        self.socket.bind(f"/proc/self/fd/{directory}/{path.name}")
        os.close(directory)
        self.socket.listen()
        self.socket.settimeout(10 * host.SLOWNESS)

    def receive(self):
        """The Screen of the master that came, and the text beside it."""
        connection, _ = self.socket.accept()
        with connection:
            connection.settimeout(10 * host.SLOWNESS)
            text, fds, _, _ = socket.recv_fds(connection, 4096, 4)
        assert len(fds) == 1, fds
        return Screen(fds[0]), text.decode()

    def close(self):
        self.socket.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
