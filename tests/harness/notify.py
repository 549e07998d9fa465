# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who has called the runtime and is notified, as systemd is by NOTIFY_SOCKET."""

import array
import contextlib
import os
import select
import socket
import threading

from harness import host

PLACE = "/run/notify/notify.sock"  # in the container


class Caller:
    """Listens at ADDRESS: a path, or an abstract one that begins with @."""

    def __init__(self, address):
        self.address = str(address)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.address.replace("@", "\0", 1) if self.address[0] == "@" else self.address)
        self.env = {"NOTIFY_SOCKET": self.address}
        self.server = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # The thread must not find another socket under the number of this one.
        if self.server:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
                last.sendto(b"", self.socket.getsockname())
            self.server.join()
        self.socket.close()

    def receive(self, seconds=10):
        """The next message and the descriptors that come with it."""
        self.socket.settimeout(seconds * host.SLOWNESS)
        text, control, _, _ = self.socket.recvmsg(65536, 1024)
        fds = array.array("i")
        for _, _, data in control:
            fds.frombytes(data[:len(data) - len(data) % fds.itemsize])
        return text.decode(), list(fds)

    def ready(self):
        """The pid that comes with the next message, which must be the one that the container is ready."""
        text, fds = self.receive()
        first, second = text.split("\n")
        name, pid = second.split("=")
        assert (first, name, fds) == ("READY=1", "MAINPID", []), text
        return int(pid)

    def barrier(self):
        """The descriptor of the next message, which must be a barrier; to be closed."""
        text, (fd,) = self.receive()
        assert text == "BARRIER=1"
        return fd

    def is_told_nothing(self):
        self.socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            return self.socket.recv(65536, socket.MSG_PEEK) == b""
        return True

    def serve(self):
        """Takes whatever comes, in a thread, until the end; gives the list of its lines."""
        lines = []

        def take():
            text = True
            while text:
                text, fds = self.receive(600)
                lines.extend(text.splitlines())
                for fd in fds:
                    os.close(fd)

        self.server = threading.Thread(target=take, daemon=True)
        self.server.start()
        return lines


@contextlib.contextmanager
def program(box):
    """A socket that is connected as the program of BOX would have it; from outside, where a message can be anything."""
    place = box.root / box.id / "notify"
    host.until((place / "notify.sock").exists, "the socket")
    directory = os.open(place, os.O_PATH)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.settimeout(10 * host.SLOWNESS)
        host.until(lambda: sender.connect_ex(f"/proc/self/fd/{directory}/notify.sock") == 0, "the socket")
        os.close(directory)
        yield sender


def send(box, *messages):
    with program(box) as sender:
        for message in messages:
            sender.send(message)


def await_taken(box, message=b"BARRIER=1", count=1):
    """Waits until MESSAGE, with a descriptor COUNT times, has been taken, and so have those before."""
    read, write = os.pipe()
    with program(box) as sender:
        socket.send_fds(sender, [message], [write] * count)
    os.close(write)
    assert select.select([read], [], [], 10 * host.SLOWNESS)[0], "a descriptor is kept"
    assert os.read(read, 1) == b""
    os.close(read)
