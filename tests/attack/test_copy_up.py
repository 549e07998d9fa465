# SPDX-License-Identifier: LGPL-2.1-or-later
"""tmpcopyup of a tree that is hostile or changes meanwhile: nothing of the host gets into the copy, nothing is opened
that should not be, and it comes to an end."""

import contextlib
import os
import socket
import stat

import pytest

from harness import box as boxes
from harness import runtime, seen


@pytest.fixture
def data(box):
    place = box.rootfs / "data"
    place.mkdir()
    box.add_mount("/data", "tmpfs", "tmpfs", "tmpcopyup", "size=8m", "nr_inodes=20000")
    return place


@contextlib.contextmanager
def working(script):
    """A shell that changes things until the test is done."""
    with runtime.beside(boxes.tool("busybox"), "sh", "-c", script) as process:
        yield
        assert process.poll() is None, "the other side has given up"


WAYS_OUT = ["/etc/shadow", "../../../../../../../../etc/shadow", "/proc/self/exe", "/proc/1/root/etc/shadow", "loop"]


def test_links_are_links(box, data):
    """Those that lead to the host, too: it is the container that follows them, to what it has there."""
    for i, target in enumerate(WAYS_OUT):
        (data / f"link{i}").symlink_to(target)
    (data / "loop").symlink_to("loop")
    seen_ = box.probe(*[f"readlink /data/link{i}" for i in range(len(WAYS_OUT))], "cat /data/link0", "cat /data/link1")
    assert [seen_[f"readlink /data/link{i}"] for i in range(len(WAYS_OUT))] == WAYS_OUT
    assert "errno" in seen_["cat /data/link0"] and "errno" in seen_["cat /data/link1"]


def test_link_on_the_way_to_it(box, canary):
    """The destination is found in the container's root, and so is what is copied."""
    (box.rootfs / "way").symlink_to(canary.place)
    box.add_mount("/way/below", "tmpfs", "tmpfs", "tmpcopyup")
    assert box.probe("ls /way/below")["ls /way/below"] == []


def test_special_files_are_not_opened(box, data, tripwire):
    """Neither the FIFO, nor the devices: there is no driver with these numbers, so that opening them would fail."""
    tripwire(data / "fifo")
    os.mknod(data / "char", stat.S_IFCHR | 0o666, os.makedev(251, 1048575))
    os.mknod(data / "block", stat.S_IFBLK | 0o666, os.makedev(251, 1048575))
    with pytest.raises(OSError):
        os.open(data / "char", os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(data / "socket"))
    report = box.probe(*[f"lstat /data/{name}" for name in ("fifo", "char", "block", "socket")])
    assert [answer["type"] for answer in report.values()] == ["fifo", "char", "block", "socket"]
    assert report["lstat /data/char"]["minor"] == 1048575


# Each gives the name below /data at which something of the canary would show, and how that looks.


def exchange_file(data, canary):
    (data / "one").write_text("of the image")
    (data / "two").symlink_to(canary.place / "file")
    return "cat", "one", lambda content: "canary" in content


def exchange_directory(data, canary):
    (data / "one").mkdir()
    (data / "one/inner").write_text("of the image")
    (data / "two").symlink_to(canary.place)
    return "ls", "one", lambda names: "core_pattern" in names


EXCHANGES = [exchange_file, exchange_directory]
each = pytest.mark.parametrize("attack", EXCHANGES, ids=[attack.__name__ for attack in EXCHANGES])


@each
def test_race_with_a_link_to_the_host(box, data, canary, race, attack):
    command, name, hit = attack(data, canary)
    with race(data / "one", data / "two"):
        for _ in range(80):
            box.set_probe(f"lstat /data/{name}", f"{command} /data/{name}")
            result = box.run()
            assert result.status in (0, 1)
            answer = seen.only(result.out)[f"{command} /data/{name}"] if result.status == 0 else []
            assert not hit(answer), answer


@each
def test_control_race_with_a_link_to_the_host(data, canary, race, attack):
    """Who looks at a name and then opens it by name is taken in."""
    _, name, hit = attack(data, canary)
    with race(data / "one", data / "two"):
        for _ in range(100000):
            with contextlib.suppress(OSError):
                status = os.lstat(data / name)
                if stat.S_ISREG(status.st_mode) and hit((data / name).read_text()):
                    return
                if stat.S_ISDIR(status.st_mode) and hit(os.listdir(data / name)):
                    return
    pytest.fail("the race is too slow to prove anything")


def test_directory_is_moved_away_meanwhile(box, data, race):
    """What is being read is read on where it is now; the copy never climbs into what is above that place."""
    outside = box.directory("outside")
    (outside / "secret").write_text("outside")
    (outside / "inner").mkdir()
    (data / "a/b").mkdir(parents=True)
    for i in range(40):
        (data / f"a/b/{i}/deep/deeper").mkdir(parents=True)
        (data / f"a/b/{i}/deep/file").write_text("of the image")
    with race(data / "a/b", outside / "inner"):
        for _ in range(60):
            box.set_probe("ls /data", "ls /data/a", "ls /data/a/b", "fds")
            result = box.run()
            assert result.status == 0, result
            report = seen.only(result.out)
            assert (report["ls /data"], report["ls /data/a"]) == (["a"], ["b"])
            assert "secret" not in report["ls /data/a/b"]
            assert set(report["fds"]) == {"0", "1", "2"}


def test_names_that_come_and_go(box, data):
    for i in range(300):
        (data / f"stays{i}").write_text("of the image")
    script = f"cd {data}; while :; do for i in 1 2 3 4; do echo x > new$i; mkdir dir$i; done; rm -r new* dir*; done"
    with working(script):
        for _ in range(30):
            names = box.probe("ls /data")["ls /data"]
            assert {f"stays{i}" for i in range(300)} <= set(names)


def test_file_that_grows_for_ever(box, data):
    with working(f"while :; do echo 0123456789abcdef; done > {data}/log"):
        for _ in range(10):
            box.set_probe("stat /data/log")
            result = box.run()
            assert result.status == 0 or "No space left on device" in result.error("/data/log")


def test_directory_that_grows_for_ever(box, data):
    with working(f"cd {data}; i=0; while :; do i=$((i+1)); > file$i; done"):
        for _ in range(10):
            box.set_probe("ids")
            result = box.run()
            assert result.status == 0 or "No space left on device" in result.error("/data/")


def test_race_of_the_destination(box, canary, race):
    """The directory that is copied is the one that is covered, inside, whatever its name leads to."""
    volume = box.directory("volume")
    (volume / "dir/inner").mkdir(parents=True)
    (volume / "link").symlink_to(canary.place)
    box.add_bind(volume, "/vol", "rw")
    box.add_mount("/vol/dir", "tmpfs", "tmpfs", "tmpcopyup")
    with race(volume / "dir", volume / "link"):
        for _ in range(60):
            box.set_probe("ls /vol/dir")
            result = box.run()
            assert result.status in (0, 1)
            assert result.status or "core_pattern" not in seen.only(result.out)["ls /vol/dir"]
