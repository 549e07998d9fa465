# SPDX-License-Identifier: LGPL-2.1-or-later
"""/proc and /sys of the image are hostile (CVE-2019-19921, 2023-27561, 2023-28642, 2025-54867), or mounts cover
parts of them so that writes of the runtime go nowhere or elsewhere (2019-16884, 2025-52881, 2025-62596)."""

import os

import pytest
from canary import ST_RDONLY, mask_commands, mask_faults, unmasked

from harness import host, seen

LABELS = ["/proc/self/attr", "/proc/self/attr/exec", "/proc/thread-self/attr", "/proc/1/attr"]


def symlinked(box, name, target):
    os.rmdir(box.rootfs / name)
    (box.rootfs / name).symlink_to(target)


def faults_of(box, canary, *commands):
    """Runs BOX; what it got wrong.  A clear refusal is nothing wrong."""
    box.set_probe(*mask_commands(box), *commands)
    result = box.run()
    faults = canary.changes()
    if result.status:
        result.error()
        return faults
    report = seen.only(result.out)
    return faults + mask_faults(box, report)


@pytest.mark.parametrize("name", ["proc", "sys"])
@pytest.mark.parametrize("kind", ["absolute", "relative", "inside", "parent", "dangling"])
def test_symlink(box, canary, name, kind):
    target = {"absolute": canary.place / name, "relative": os.path.relpath(canary.place / name, box.rootfs),
              "inside": "evil/proc", "parent": "..", "dangling": "/no/such/place"}[kind]
    (box.rootfs / "evil/proc").mkdir(parents=True)
    symlinked(box, name, target)
    assert faults_of(box, canary) == []


def test_fake_proc_is_never_believed(box, canary):
    """Without a mount on /proc the image's own directory is there, with the files that a runtime would write to."""
    box.drop_mount("/proc")
    for path in ("self/attr", "thread-self/attr", "sys/net/ipv4", "sys/kernel", "self/fd", "1"):
        (box.rootfs / "proc" / path).mkdir(parents=True)
    for path in ("self/attr/exec", "thread-self/attr/exec", "self/oom_score_adj", "sys/net/ipv4/ip_forward",
                 "sys/kernel/domainname", "self/setgroups", "self/cgroup", "self/mountinfo"):
        (box.rootfs / "proc" / path).write_text("fake")
    box.linux["maskedPaths"] = box.linux["readonlyPaths"] = []
    box.linux["sysctl"] = {"net.ipv4.ip_forward": "1", "kernel.domainname": "real.example"}
    box.process["oomScoreAdj"] = 456
    box.set_probe("pause")
    box.create()
    with open(f"/proc/{box.pid}/oom_score_adj", encoding="ascii") as file:
        assert file.read() == "456\n"
    box.delete("--force")
    assert box.probe("uname")["uname"]["domainname"] == "real.example"
    for path in (box.rootfs / "proc").rglob("*"):
        assert path.is_dir() or path.read_text() == "fake", path


def cover(box, place, kind):
    """A volume covers PLACE in /proc; whether a sysctl is really set, or the failure to set it told."""
    if kind == "tmpfs":
        box.add_mount(place, "tmpfs", "tmpfs")
    else:
        decoy = box.directory("decoy")
        for path in ("attr", "kernel", "net/ipv4", "sys/kernel", "sys/net/ipv4"):
            (decoy / path).mkdir(parents=True)
        for path in ("attr/exec", "domainname", "kernel/domainname", "sys/kernel/domainname", "oom_score_adj"):
            (decoy / path).write_text("decoy")
        box.add_bind(decoy, place, "rw")
    box.linux["readonlyPaths"] = []
    box.linux["sysctl"] = {"kernel.domainname": "real.example"}
    box.set_probe("uname")
    result = box.run()
    faults = []
    if result.status == 0 and seen.only(result.out)["uname"]["domainname"] != "real.example":
        faults.append("the sysctl was set, but not here")
    if kind == "bind":
        faults += [f"written: {path}" for path in (box.dir / "decoy").rglob("*")
                   if path.is_file() and path.read_text() != "decoy"]
    return faults


@pytest.mark.parametrize("place", ["/proc", "/proc/sys", "/proc/sys/kernel", "/proc/self", "/proc/self/attr",
                                   "/proc/1"])
@pytest.mark.parametrize("kind", ["tmpfs", "bind"])
def test_mount_over_a_part_of_proc(box, place, kind):
    assert cover(box, place, kind) == []


def test_control_mount_over_a_part_of_proc(control):
    assert cover(control, "/proc/sys/kernel", "tmpfs") != []


@pytest.mark.parametrize("target", ["kernel/domainname", "net/ipv4/ip_forward"])
def test_sysctl_file_is_a_bind_of_something_else(box, canary, target):
    """The write must not arrive in a file that the config binds there."""
    box.linux["readonlyPaths"] = []
    box.add_bind(canary.place / "file", f"/proc/sys/{target}", "rw")
    box.linux["sysctl"] = {target.replace("/", "."): "1"}
    box.set_probe("ids")
    result = box.run()
    if result.status:
        result.error()
    assert canary.changes() == []


@pytest.mark.parametrize("place", LABELS)
@pytest.mark.parametrize("kind", ["tmpfs", "bind"])
def test_label_with_its_file_covered(box, canary, place, kind):
    """There is no LSM, or no such profile, so nothing but a refusal is right: a success would mean that the label went
    to the decoy."""
    if kind == "tmpfs":
        box.add_mount(place, "tmpfs", "tmpfs")
    else:
        box.add_bind(canary.place / ("file" if place.endswith("exec") else "below"), place, "rw")
    box.process["apparmorProfile"] = "no-such-profile"
    box.set_probe("ids")
    box.run().error()
    assert canary.changes() == []


def exchange_the_place(box, race, name, fstype, rounds=60, may_die=False):
    """The image is a volume shared with another container, which exchanges /proc for a link (CVE-2019-19921): the
    masks land elsewhere, and the procfs stays bare.  Looked at from outside, when the race is over.  MAY_DIE: a
    container that was created may be dead by then, and shows nothing."""
    (box.rootfs / "evil").mkdir()
    (box.rootfs / "link").symlink_to("evil")
    wanted = [path.removeprefix(f"/{name}/") for path in box.linux["maskedPaths"]
              if path.startswith(f"/{name}/") and os.path.exists(path)]
    assert wanted
    box.set_probe("ids")
    for _ in range(rounds):
        with race(box.rootfs / name, box.rootfs / "link"):
            result = box.try_create("--pid-file", box.dir / "pid")
        if result.status == 0:
            try:
                faults = unmasked(host.mounts((box.dir / "pid").read_text()), fstype, wanted)
            except OSError:
                assert may_die
                faults = []
            box.delete("--force")
            if faults:
                return faults
    return []


PLACES = pytest.mark.parametrize("name, fstype", [("proc", "proc"), ("sys", "sysfs")])


@PLACES
def test_exchanged_while_it_is_mounted(box, race, name, fstype):
    assert exchange_the_place(box, race, name, fstype) == []


@PLACES
def test_control_exchanged_while_it_is_mounted(control, race, name, fstype):
    assert exchange_the_place(control, race, name, fstype, rounds=1000, may_die=True) != []


def test_procfs_elsewhere_is_masked_no_less(box):
    """A second procfs would show what the masks hide: the config may ask for it, the masks stay where they are."""
    (box.rootfs / "proc2").mkdir()
    box.config["mounts"].append({"destination": "/proc2", "type": "proc", "source": "proc"})
    report = box.probe(*mask_commands(box))
    assert mask_faults(box, report) == []


def test_masked_path_that_is_a_symlink(box, canary):
    """The link stays inside; what it leads to there is masked, or it is refused."""
    (box.rootfs / "etc/hidden").symlink_to("secret")
    (box.rootfs / "etc/secret").write_text("secret")
    (box.rootfs / "etc/out").symlink_to(canary.place / "file")
    box.linux["maskedPaths"] = ["/etc/hidden", "/etc/out"]
    box.set_probe("cat /etc/secret", "cat /etc/hidden")
    result = box.run()
    assert canary.changes() == []
    if result.status == 0:
        assert seen.only(result.out)["cat /etc/hidden"] in ("", {"errno": 13})


def test_readonly_path_that_is_a_symlink(box, canary):
    (box.rootfs / "srv").symlink_to(canary.place)
    box.linux["readonlyPaths"] = ["/srv", "/proc/sys"]
    box.set_probe("ids")
    result = box.run()
    assert result.status in (0, 1)
    assert canary.changes() == []
    assert os.access(canary.place / "file", os.W_OK)


FILE = "/proc/timer_list"


@pytest.mark.parametrize("masked", [FILE, "/proc/../proc/timer_list", "//proc//./timer_list", "/etc/../proc/timer_list"])
def test_mask_by_another_name(box, masked):
    box.linux["maskedPaths"] = [masked]
    assert box.probe(f"stat {FILE}")[f"stat {FILE}"]["type"] == "char"


def test_mask_outside_by_way_of_a_mount(box):
    (box.rootfs / "etc/secret").write_text("secret")
    box.linux["maskedPaths"] = ["/proc/../etc/secret"]
    assert box.probe("stat /etc/secret")["stat /etc/secret"]["type"] == "char"


@pytest.mark.parametrize("kind", ["tmpfs", "bind"])
def test_mask_by_way_of_a_link_of_a_volume(box, kind):
    """Where a link of a volume leads to counts from the container's root."""
    (box.rootfs / "etc/secret").write_text("secret")
    if kind == "bind":
        volume = box.directory("volume")
        (volume / "link").symlink_to("/etc/secret")
        box.add_bind(volume, "/mnt", "rw")
        box.linux["maskedPaths"] = ["/mnt/link"]
    else:
        box.linux["maskedPaths"] = ["/dev/fd/../../../etc/secret", "/etc/secret"]
    assert box.probe("stat /etc/secret")["stat /etc/secret"]["type"] == "char"


def test_mask_of_a_file_that_is_a_mount(box):
    (box.dir / "file").write_text("secret")
    box.add_bind(box.dir / "file", "/mnt", "ro")
    box.linux["maskedPaths"] = ["/mnt"]
    assert box.probe("stat /mnt")["stat /mnt"]["type"] == "char"


def test_mask_below_a_mount_that_another_covers(box):
    """/proc is mounted over what was mounted in the image's own /proc/sys."""
    (box.rootfs / "proc/sys/kernel").mkdir(parents=True)
    mounts = box.config["mounts"]
    mounts.insert(0, {"destination": "/proc/sys", "type": "tmpfs", "source": "tmpfs"})
    box.linux["maskedPaths"], box.linux["readonlyPaths"] = ["/proc/sys/kernel"], []
    assert box.probe("ls /proc/sys/kernel")["ls /proc/sys/kernel"] == []


@pytest.mark.parametrize("readonly", [["/proc"], ["/proc", "/proc"]])
def test_mask_below_a_readonly_path(box, readonly):
    """What is made read-only is covered by a copy; the mask must not stay under it."""
    box.linux["maskedPaths"], box.linux["readonlyPaths"] = [FILE], readonly
    report = box.probe(f"stat {FILE}", "statfs /proc")
    assert report[f"stat {FILE}"]["type"] == "char"
    assert report["statfs /proc"]["flags"] & ST_RDONLY


@pytest.mark.parametrize("kind", ["maskedPaths", "readonlyPaths"])
@pytest.mark.parametrize("path", ["/", "//"])
def test_root_is_not_masked(box, kind, path):
    """Nothing would come of it, so nothing must be promised."""
    box.linux[kind].append(path)
    box.set_probe("ids")
    box.run().error(kind, "root")


@PLACES
def test_bind_of_the_host_is_exchanged(box, race, name, fstype):
    box.drop_mount(f"/{name}")
    box.config["mounts"].insert(0, {"destination": f"/{name}", "source": f"/{name}", "options": ["rbind", "ro"]})
    if name == "sys":
        box.drop_mount("/sys/fs/cgroup")
    assert exchange_the_place(box, race, name, fstype) == []
