# SPDX-License-Identifier: LGPL-2.1-or-later
"""Mount destinations and working directories whose way leads out of the image (CVE-2019-18837), or is exchanged
between the check and the use (CVE-2021-30465, 2024-45310).

An attack that has a control is a function that gives what went wrong: nothing with us, something with the control."""

import os

import pytest

from harness import host, seen
from harness.seen import MOUNTS

FORMS = ["/x", "/x/y", "/x/below", "/x/below/deeper/new", "/x/../x/new", "/../x/new", "/../../../../../../x/new",
         "x/new", "/tmp/../x/new"]


def traces(canary):
    """Changes of the canary, mounts on it."""
    return canary.changes() + [f"mount: {entry}" for entry in host.mounts() if str(canary.place) in entry.point]


def no_trace_outside(canary):
    assert traces(canary) == []


@pytest.mark.parametrize("destination", FORMS)
@pytest.mark.parametrize("kind", ["tmpfs", "directory", "file", "cgroup", "mqueue"])
def test_symlink_to_the_canary(box, canary, destination, kind):
    (box.rootfs / "x").symlink_to(canary.place)
    if kind in ("tmpfs", "mqueue", "cgroup"):
        box.add_mount(destination, kind, kind)
    else:
        source = box.dir / "source"
        source.mkdir() if kind == "directory" else source.write_text("")
        box.add_bind(source, destination, "rw")
    box.set_probe(MOUNTS, "ls /")
    result = box.run()
    no_trace_outside(canary)
    if result.status == 0:
        points = [entry.point for entry in seen.only(result.out).mounts]
        # An absolute link counts from the container's root: it is made there, at the same path.
        assert not [point for point in points if point.startswith("/..")]
    else:
        result.error()


def test_control_symlink_to_the_canary(control, canary):
    (control.rootfs / "x").symlink_to(canary.place)
    control.add_mount("/x/below/new", "cgroup", "cgroup")
    control.set_probe("ids")
    control.run()
    assert traces(canary) != []


@pytest.mark.parametrize("target", ["..", "../..", "../../../../../../../../../../tmp", "/proc/1/root",
                                    "/proc/self/cwd", "/proc/self/fd/3", "/proc/self/root/../.."])
def test_symlink_with_other_ways_out(box, canary, target):
    """Magic links of a procfs that is mounted before are no way either."""
    (box.rootfs / "x").symlink_to(target)
    box.add_mount("/x/thole-was-here", "tmpfs", "tmpfs")
    box.set_probe("ids")
    assert box.run().status in (0, 1)
    no_trace_outside(canary)
    for place in ("/thole-was-here", "/tmp/thole-was-here", str(box.dir / "thole-was-here"),
                  str(box.bundle / "thole-was-here")):
        assert not os.path.exists(place), place


def test_symlink_chain(box, canary):
    """Forty links, the last of which leads out."""
    for i in range(39):
        (box.rootfs / f"link{i}").symlink_to(f"link{i + 1}")
    (box.rootfs / "link39").symlink_to(canary.place)
    box.add_mount("/link0/new", "tmpfs", "tmpfs")
    box.set_probe("ids")
    assert box.run().status in (0, 1)
    no_trace_outside(canary)


def test_symlink_loop(box):
    (box.rootfs / "x").symlink_to("x")
    box.add_mount("/x/new", "tmpfs", "tmpfs")
    box.set_probe("ids")
    box.run().error(box.last_mount, "symbolic links")


def test_cwd_through_a_symlink(box, canary):
    """A missing working directory is made below the container's root only."""
    (box.rootfs / "x").symlink_to(canary.place)
    box.config["root"]["readonly"] = False
    box.process["cwd"] = "/x/new"
    box.set_probe("cwd")
    result = box.run()
    no_trace_outside(canary)
    if result.status == 0:
        assert seen.only(result.out)["cwd"].endswith("/new")


def test_rootfs_is_a_symlink_of_the_image(box, canary):
    """root.path's own last component may be a link (the caller's business); what is below is not followed out."""
    (box.bundle / "other").symlink_to("rootfs")
    box.config["root"]["path"] = "other"
    (box.rootfs / "tmp").chmod(0o755)
    (box.rootfs / "tmp/x").symlink_to(canary.place)
    box.add_mount("/tmp/x/new", "tmpfs", "tmpfs")
    box.set_probe("ids")
    box.run()
    no_trace_outside(canary)


def exchange_a_destination(box, canary, race, rounds):
    """Many volumes below a shared one, while a directory of it and a link to the host's tree change places."""
    volume = box.directory("volume")
    (volume / "dir/inner").mkdir(parents=True)
    (volume / "link").symlink_to("/" + "../" * 12 + str(canary.place).lstrip("/"))
    box.add_bind(volume, "/vol", "rw", "rbind")
    for i in range(6):
        box.add_mount(f"/vol/dir/new{i}", "tmpfs", "tmpfs", "size=4k")
    box.set_probe(MOUNTS)
    with race(volume / "dir", volume / "link"):
        for _ in range(rounds):
            result = box.run()
            faults = traces(canary)
            if result.status == 0:
                # No mount brings the host's root into view.
                faults += [entry for entry in seen.only(result.out).mounts
                           if entry.point.startswith("/vol") and entry.root == "/" and entry.type != "tmpfs"]
            if faults:
                return faults
    return []


def exchange_a_parent(box, canary, race, rounds):
    """mkdir -p of a deep destination, raced into the host (CVE-2024-45310)."""
    volume = box.directory("volume")
    (volume / "dir").mkdir()
    (volume / "link").symlink_to(canary.place)
    box.add_bind(volume, "/vol", "rw")
    deep = "/".join("abcdefgh")
    source = box.dir / "source"
    source.write_text("")
    for i in range(4):
        box.add_bind(source, f"/vol/dir/{i}/{deep}/file", "ro")
    box.set_probe("ids")
    with race(volume / "dir", volume / "link"):
        for _ in range(rounds):
            assert box.run().status in (0, 1)
            if traces(canary):
                return traces(canary)
    return []


RACES = [exchange_a_destination, exchange_a_parent]


@pytest.mark.parametrize("attack", RACES, ids=[attack.__name__ for attack in RACES])
def test_race(box, canary, race, attack):
    assert attack(box, canary, race, 120) == []


@pytest.mark.parametrize("attack", RACES, ids=[attack.__name__ for attack in RACES])
def test_control_race(control, canary, race, attack):
    # It ends at the first hit, which with bad luck takes long.
    assert attack(control, canary, race, 2000) != []


def test_bind_source_inside_the_bundle_is_exchanged(box, canary, race):
    """The source is the caller's; that it changes must at worst show the one or the other, never make files."""
    (box.bundle / "one").mkdir()
    (box.bundle / "two").symlink_to(canary.place)
    box.add_bind("one", "/mnt", "ro")
    with race(box.bundle / "one", box.bundle / "two"):
        for _ in range(40):
            box.set_probe("ids")
            assert box.run().status in (0, 1)
            no_trace_outside(canary)


def test_masked_path_is_exchanged(box, canary, race):
    """The mask lands on the file or on nothing, never on the host's."""
    (box.rootfs / "secret").write_text("secret")
    (box.rootfs / "link").symlink_to(canary.place / "file")
    box.linux["maskedPaths"] += ["/secret"]
    with race(box.rootfs / "secret", box.rootfs / "link"):
        for _ in range(60):
            box.set_probe(MOUNTS)
            assert box.run().status in (0, 1)
            no_trace_outside(canary)
