# SPDX-License-Identifier: LGPL-2.1-or-later
"""process.selinuxLabel and linux.mountLabel on a host that enforces a policy with container_t."""

import os
from pathlib import Path

import pytest

from harness import seen

ENFORCE = Path("/sys/fs/selinux/enforce")
FSCREATE = Path("/proc/self/attr/fscreate")
CURRENT = "cat /proc/self/attr/current"
LEVEL, OTHER_LEVEL = "s0:c1,c2", "s0:c3,c4"
PROCESS = f"system_u:system_r:container_t:{LEVEL}"
FILES = f"system_u:object_r:container_file_t:{LEVEL}"

EACCES = 13

pytestmark = pytest.mark.skipif(not ENFORCE.exists() or ENFORCE.read_text() != "1", reason="SELinux does not enforce")


def put_label(path, label):
    os.setxattr(path, "security.selinux", label.encode() + b"\0", follow_symlinks=False)


def label_of(path):
    return os.getxattr(path, "security.selinux").decode().rstrip("\0")


@pytest.fixture
def labelled(box):
    """A container with both labels, whose files are its own; so are those that take its output."""
    box.config["root"]["readonly"] = False
    for directory, folders, files in os.walk(box.rootfs):
        for name in (".", *folders, *files):
            put_label(os.path.join(directory, name), FILES)
    box.process["selinuxLabel"] = PROCESS
    box.linux["mountLabel"] = FILES
    FSCREATE.write_text(FILES)
    yield box
    FSCREATE.write_text("\n")


def test_the_process_has_the_label(labelled):
    assert labelled.probe(CURRENT)[CURRENT].rstrip("\0\n") == PROCESS


def test_a_created_container_gets_it_with_its_program(labelled):
    labelled.set_probe("pause")
    labelled.create()
    attribute = Path(f"/proc/{labelled.pid}/attr/current")
    before = attribute.read_text().rstrip("\0")
    labelled.start()
    assert before != PROCESS and attribute.read_text().rstrip("\0") == PROCESS
    labelled.stop()


def test_an_executed_process_has_the_label(labelled):
    """It is said before the process is in the pid namespace, for a program that runs there."""
    labelled.set_probe("pause")
    labelled.create()
    labelled.start()
    executed = labelled.call("exec", labelled.id, "/probe", *seen.words([CURRENT]))
    assert seen.only(executed.ok().out)[CURRENT].rstrip("\0\n") == PROCESS
    labelled.stop()


def test_the_mounts_have_the_label(labelled):
    """Each tmpfs and devpts; mqueue, proc, sysfs and cgroups have labels of the policy's."""
    labelled.set_probe("pause")
    labelled.create()
    root = Path(f"/proc/{labelled.pid}/root")
    for place in ("dev", "dev/shm", "dev/pts", "dev/null"):
        assert label_of(root / place) == FILES, place
    for place in ("proc", "sys", "sys/fs/cgroup"):
        assert "container_file_t" not in label_of(root / place), place
    labelled.start()
    labelled.stop()


def test_the_container_uses_its_mounts(labelled):
    report = labelled.probe("create /dev/shm/file", "create /tmp/file", "open /dev/null rw")
    assert list(report.values()) == [0, 0, 0]


def test_other_categories_are_denied(labelled):
    """What the file permissions allow: the label of another container stands before it."""
    for name, level in (("own", LEVEL), ("others", OTHER_LEVEL)):
        (labelled.rootfs / name).write_text(name)
        put_label(labelled.rootfs / name, f"system_u:object_r:container_file_t:{level}")
    report = labelled.probe("cat /own", "open /others r")
    assert report["cat /own"] == "own"
    assert seen.failed(report["open /others r"], EACCES)


def test_a_program_that_may_not_be_entered(labelled):
    """The denial of the last step reaches the caller."""
    put_label(labelled.rootfs / "probe", "system_u:object_r:shadow_t:s0")
    labelled.run().error("/probe", "permission denied")
    labelled.assert_clean()


@pytest.mark.parametrize("label", ["system_u:system_r:no_such_type_t:s0", "no label", "system_u:system_r:container_t"])
def test_a_label_that_the_policy_does_not_know(box, label):
    box.process["selinuxLabel"] = label
    box.try_create().error("process.selinuxLabel", f'the SELinux policy has no label "{label}"')
    box.assert_clean()


def test_a_mount_label_that_the_policy_does_not_know(box):
    box.linux["mountLabel"] = "system_u:object_r:no_such_type_t:s0"
    box.try_create().error("linux.mountLabel", "no_such_type_t")
    box.assert_clean()


def test_apparmor_profiles_are_refused(box):
    box.process["apparmorProfile"] = "web"
    box.try_create().error("process.apparmorProfile", "AppArmor is not enabled on this host")
    box.assert_clean()


def test_no_label(box):
    """What the policy says of a program that whoever called the runtime executes."""
    assert box.probe(CURRENT)[CURRENT].rstrip("\0\n") == Path("/proc/self/attr/current").read_text().rstrip("\0")
