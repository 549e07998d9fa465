# SPDX-License-Identifier: LGPL-2.1-or-later
"""/dev of the image is hostile: a symlink out (CVE-2026-41579, 2026-47766), with console, null and ptmx that lead
out or are no devices (2026-88264, 2026-88265, 2025-31133, 2025-62161, 2025-52565).

An attack gives a list of what went wrong; safely started or clearly refused it is empty."""

import json
import os
import shutil
from pathlib import Path

import pytest
from canary import mask_commands, mask_faults

from harness import seen
from harness.terminal import ConsoleSocket

POINTS = ("/dev", "/dev/pts", "/dev/shm", "/dev/mqueue")


def attack(box, canary, *commands):
    """Runs the box, which is set up already, and looks at what it did."""
    box.set_probe(*mask_commands(box), *commands)
    box.write_config()
    result = box.call("run", "--bundle", box.bundle, box.id)
    faults = canary.changes()
    if result.status == 0 and not result.out:
        faults.append("the output went elsewhere")
    elif result.status == 0:
        report = seen.only(result.out)
        faults += mask_faults(box, report)
        faults += device_faults(report)
    elif box.binary.endswith("thole"):
        result.error()
    return faults


DEVICES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0)}


def device_faults(report):
    faults = []
    for name, number in DEVICES.items():
        answer = report.get(f"stat /dev/{name}")
        if answer and "errno" not in answer and (answer["type"], answer["major"], answer["minor"]) != ("char", *number):
            faults.append(f"/dev/{name} is {answer}")
    return faults


def symlinked_dev(box, canary, relative, mounted):
    """The image's /dev leads to the canary, where a decoy of everything stands."""
    shutil.rmtree(box.rootfs / "dev")
    target = os.path.relpath(canary.place, box.rootfs) if relative else canary.place
    (box.rootfs / "dev").symlink_to(target)
    box.config["root"]["readonly"] = False
    if not mounted:
        for point in POINTS:
            box.drop_mount(point)


@pytest.mark.parametrize("mounted", [True, False], ids=["mounted", "bare"])
@pytest.mark.parametrize("relative", [True, False], ids=["relative", "absolute"])
def test_dev_is_a_symlink(box, canary, relative, mounted):
    symlinked_dev(box, canary, relative, mounted)
    assert attack(box, canary, *[f"stat /dev/{name}" for name in DEVICES]) == []


@pytest.mark.parametrize("relative", [True, False], ids=["relative", "absolute"])
def test_control_dev_is_a_symlink(control, canary, relative):
    symlinked_dev(control, canary, relative, mounted=False)
    assert attack(control, canary) != []


@pytest.mark.parametrize("mounted", [True, False], ids=["mounted", "bare"])
def test_dev_is_a_symlink_and_a_container_is_created(box, canary, mounted):
    symlinked_dev(box, canary, False, mounted)
    box.set_probe("pause")
    if box.try_create().status == 0:
        assert canary.changes() == []
        box.call("start", box.id)
        box.delete("--force")
    assert canary.changes() == []


def decoy(box, canary, name, kind):
    """/dev is the image's own directory; NAME in it is hostile."""
    for point in POINTS:
        box.drop_mount(point)
    place = box.rootfs / "dev" / name
    if kind == "absolute":
        place.symlink_to(canary.place / name)
    elif kind == "relative":
        place.symlink_to(os.path.relpath(canary.place / name, box.rootfs / "dev"))
    elif kind == "file":
        place.write_text("decoy")
    elif kind == "fifo":
        os.mkfifo(place)
    elif kind == "other-device":
        os.mknod(place, 0o020666, os.makedev(1, 5))
    elif kind == "procfs":
        place.symlink_to("/proc/sys/kernel/core_pattern")
    elif kind == "directory":
        place.mkdir()
    else:
        assert kind == "hard-link"
        os.link(canary.place / name, place)


KINDS = ["absolute", "relative", "file", "fifo", "other-device", "procfs", "directory"]


@pytest.mark.parametrize("readonly", [True, False], ids=["ro", "rw"])
@pytest.mark.parametrize("kind", KINDS)
def test_null_is_a_decoy(box, canary, kind, readonly):
    """The masks must be masks whatever the image calls /dev/null; core_pattern must be what it was."""
    box.config["root"]["readonly"] = readonly
    box.linux["maskedPaths"] += ["/etc/passwd", "/tmp"]
    decoy(box, canary, "null", kind)
    pattern = Path("/proc/sys/kernel/core_pattern")
    before = pattern.read_text()
    try:
        assert attack(box, canary, *[f"stat /dev/{name}" for name in DEVICES]) == []
        assert pattern.read_text() == before
    finally:
        if pattern.read_text() != before:
            pattern.write_text(before)


def test_control_null_is_a_decoy(control, canary):
    """Every descriptor that is no device is taken for the image's /dev/null, so the output ends in the image."""
    control.config["root"]["readonly"] = False
    decoy(control, canary, "null", "file")
    assert attack(control, canary) != []


def exchange_null(box, canary, race):
    """/dev is a volume; in it /dev/null and a link to the canary change places all the time."""
    volume = box.directory("volume")
    os.mknod(volume / "real", 0o020666, os.makedev(1, 3))
    (volume / "null").symlink_to(canary.place / "null")
    for point in POINTS:
        box.drop_mount(point)
    box.add_bind(volume, "/dev", "rw")
    box.linux["maskedPaths"] += ["/etc/passwd"]
    with race(volume / "null", volume / "real"):
        for _ in range(100):
            faults = attack(box, canary)
            if faults:
                return faults
    return []


def test_null_is_exchanged(box, canary, race):
    assert exchange_null(box, canary, race) == []


def test_control_null_is_exchanged(control, canary, race):
    assert exchange_null(control, canary, race) != []


@pytest.mark.parametrize("stdio", ["null", "files"])
@pytest.mark.parametrize("user", [0, 1000])
def test_stdio_on_null_of_the_image(box, canary, user, stdio):
    """A descriptor of the caller's /dev/null is "reopened inside" by a name that leads to the canary, or the canary
    is given to the user (CVE-2026-88265)."""
    decoy(box, canary, "null", "absolute")
    box.process["user"] = {"uid": user, "gid": user}
    box.set_probe("ids")
    box.write_config()
    with open("/dev/null", "r+b") as null:
        options = {"stdin": null, "stdout": null, "stderr": null} if stdio == "null" else {}
        box.call("run", "--bundle", box.bundle, box.id, **options)
    assert canary.changes() == []
    assert os.stat("/dev/null").st_uid == 0


@pytest.fixture
def console(box):
    made = ConsoleSocket(box.dir / "socket")
    yield made
    made.close()


def run_with_a_terminal(box, console):
    """Creates and starts BOX with a terminal; gives the program's report, or None if it was refused."""
    box.process["terminal"] = True
    result = box.try_create("--console-socket", console.path)
    if result.status:
        assert result.status == 1
        return None
    box.pid = box.state()["pid"]
    screen, _ = console.receive()
    if box.call("start", box.id).status:
        screen.close()
        return None
    text = screen.expect(r"\{[^\r\n]*\}(?=\r?\n)")[0]
    box.wait()
    screen.close()
    return seen.Seen(json.loads(text))


@pytest.mark.parametrize("readonly", [True, False], ids=["ro", "rw"])
@pytest.mark.parametrize("kind", ["absolute", "relative", "file", "fifo", "other-device", "procfs", "directory",
                                  "hard-link"])
def test_console_is_a_decoy(box, canary, console, kind, readonly):
    box.config["root"]["readonly"] = readonly
    decoy(box, canary, "console", kind)
    box.set_probe("stat /dev/console", "tty", "fds")
    report = run_with_a_terminal(box, console)
    assert canary.changes() == []
    if report:
        assert report["stat /dev/console"]["major"] == 136
        assert report["tty"]["isatty"] == [True, True, True]


@pytest.mark.parametrize("relative", [True, False], ids=["relative", "absolute"])
def test_console_below_a_symlinked_dev(box, canary, console, relative):
    symlinked_dev(box, canary, relative, mounted=False)
    box.set_probe("ids")
    run_with_a_terminal(box, console)
    assert canary.changes() == []


@pytest.mark.parametrize("kind", ["directory", "volume", "tmpfs", "none"])
def test_pts_is_no_devpts(box, canary, console, kind):
    """The terminal's slave is looked for in a /dev/pts of the image's or a volume's own, full of decoys
    (CVE-2025-52565)."""
    box.drop_mount("/dev/pts")
    if kind == "volume":
        box.add_bind(canary.place / "pts", "/dev/pts", "rw")
    elif kind == "tmpfs":
        box.add_mount("/dev/pts", "tmpfs", "tmpfs")
    elif kind == "directory":
        for point in POINTS:
            box.drop_mount(point)
        (box.rootfs / "dev/pts").symlink_to(canary.place / "pts")
        (box.rootfs / "dev/ptmx").symlink_to(canary.place / "ptmx")
    box.set_probe("fds", "tty")
    report = run_with_a_terminal(box, console)
    assert canary.changes() == []
    if report:
        assert report["tty"]["isatty"] == [True, True, True]
        assert {report["fds"][number]["major"] for number in ("0", "1", "2")} == {136}


def test_ptmx_is_another_device(box, console, tripwire):
    for point in POINTS:
        box.drop_mount(point)
    (box.rootfs / "dev/pts").mkdir()
    tripwire(box.rootfs / "dev/pts/ptmx")
    box.set_probe("tty")
    assert run_with_a_terminal(box, console) is None


def test_pts_entry_is_exchanged_while_it_is_bound(box, canary, console, race):
    """/dev is a volume in which ptmx and a link out change places."""
    volume = box.directory("volume")
    (volume / "pts").mkdir()
    os.mknod(volume / "ptmx", 0o020666, os.makedev(5, 2))
    (volume / "link").symlink_to(canary.place / "ptmx")
    box.config["mounts"] = [entry for entry in box.config["mounts"] if entry["destination"] not in POINTS]
    box.add_bind(volume, "/dev", "rw")
    box.add_mount("/dev/pts", "devpts", "devpts", "newinstance", "ptmxmode=0666", "mode=0620")
    box.set_probe("fds", "tty")
    with race(volume / "ptmx", volume / "link"):
        for _ in range(40):
            report = run_with_a_terminal(box, console)
            box.delete("--force")
            assert canary.changes() == []
            if report:
                assert {report["fds"][number]["major"] for number in ("0", "1", "2")} == {136}


def test_ptmx_link_does_not_remove_what_is_there(box, canary):
    """Making the link /dev/ptmx must not delete through a link, nor a file of the host's volume."""
    volume = box.directory("volume")
    (volume / "ptmx").write_text("of the volume")
    for point in POINTS:
        box.drop_mount(point)
    box.add_bind(volume, "/dev", "rw")
    attack(box, canary)
    assert (volume / "ptmx").exists()


def link_every_device(box, canary):
    for point in POINTS:
        box.drop_mount(point)
    for name in [*DEVICES, "console", "ptmx", "fd", "stdin", "stdout", "stderr", "pts", "shm", "mqueue", "core"]:
        (box.rootfs / "dev" / name).symlink_to(canary.place / "file")
    box.config["root"]["readonly"] = False
    return attack(box, canary, *[f"stat /dev/{name}" for name in DEVICES])


def test_every_device_is_a_link_to_the_canary(box, canary):
    assert link_every_device(box, canary) == []


def test_control_every_device_is_a_link_to_the_canary(control, canary):
    assert link_every_device(control, canary) != []


def test_configured_device_behind_a_symlink(box, canary):
    """linux.devices: the parent of the path leads out."""
    (box.rootfs / "srv").symlink_to(canary.place)
    device = {"type": "c", "major": 1, "minor": 3, "fileMode": 0o666, "uid": 1000}
    box.linux["devices"] = [{"path": f"/srv/{name}"} | device for name in ("new", "file")]
    attack(box, canary)
    assert canary.changes() == []


def test_configured_device_on_a_symlink(box, canary):
    (box.rootfs / "srv").mkdir()
    (box.rootfs / "srv/null").symlink_to(canary.place / "file")
    box.linux["devices"] = [{"path": "/srv/null", "type": "c", "major": 1, "minor": 3, "fileMode": 0o666, "uid": 1000}]
    assert attack(box, canary) == []
