# SPDX-License-Identifier: LGPL-2.1-or-later
"""linux.sysctl: only keys that belong to a namespace the container has for itself."""

import os
from pathlib import Path

import pytest

OWN = {"kernel.shm_rmid_forced": "1", "kernel.msgmax": "12345", "fs.mqueue.msg_max": "17",
       "net.ipv4.ip_forward": "1", "net.ipv4.ping_group_range": "5 7", "kernel.domainname": "sysctl.example"}


def file_of(key):
    return "/proc/sys/" + key.replace(".", "/")


@pytest.mark.root("kernel.domainname is the host's root's")
def test_of_the_containers_namespaces(box):
    before = {key: Path(file_of(key)).read_text() for key in OWN}
    box.linux["sysctl"] = OWN
    seen = box.probe(*[f"cat {file_of(key)}" for key in OWN])
    for key, value in OWN.items():
        assert seen[f"cat {file_of(key)}"].split() == value.split(), key
    assert before == {key: Path(file_of(key)).read_text() for key in OWN}


def test_written_with_slashes(box):
    """sysctl(8) takes both separators; with slashes a dot belongs to a name."""
    box.linux["sysctl"] = {"net/ipv4/ip_forward": "1", "net/ipv4/conf/lo/forwarding": "0"}
    assert box.probe("cat /proc/sys/net/ipv4/ip_forward")["cat /proc/sys/net/ipv4/ip_forward"] == "1\n"


@pytest.mark.parametrize("key, kind", [("net.ipv4.ip_forward", "network"), ("kernel.msgmax", "ipc"),
                                       ("fs.mqueue.msg_max", "ipc"), ("kernel.domainname", "uts")])
def test_without_the_namespace(box, key, kind):
    """Writing it would change the host."""
    before = Path(file_of(key)).read_text()
    box.without_namespace(kind)
    if kind == "uts":
        del box.config["hostname"]
    if kind == "network":
        box.drop_mount("/sys/fs/cgroup")
    box.linux["sysctl"] = {key: "1"}
    box.try_create().error("linux.sysctl", key, kind)
    box.assert_clean()
    assert Path(file_of(key)).read_text() == before


@pytest.mark.parametrize("key", ["kernel.pid_max", "vm.swappiness", "fs.file-max", "kernel.core_pattern",
                                 "kernel.../../vm.swappiness", "net/../kernel/core_pattern", "", ".", "/"])
def test_not_of_a_namespace(box, key):
    before = {name: Path(f"/proc/sys/{name}").read_text() for name in ("vm/swappiness", "kernel/core_pattern")}
    box.linux["sysctl"] = {key: "1"}
    box.try_create().error("linux.sysctl")
    box.assert_clean()
    assert before == {name: Path(f"/proc/sys/{name}").read_text() for name in before}


def test_that_does_not_exist(box):
    box.linux["sysctl"] = {"net.ipv4.no_such_key": "1"}
    box.try_create().error("linux.sysctl", "net.ipv4.no_such_key")
    box.assert_clean()


def test_value_that_the_kernel_refuses(box):
    box.linux["sysctl"] = {"net.ipv4.ip_forward": "many"}
    box.try_create().error("linux.sysctl", "net.ipv4.ip_forward", "nvalid argument")
    box.assert_clean()


@pytest.mark.parametrize("value", [1, True, None])
def test_value_must_be_a_string(box, value):
    box.linux["sysctl"] = {"net.ipv4.ip_forward": value}
    box.try_create().error("linux.sysctl", "string")
    box.assert_clean()


@pytest.mark.root("kernel.domainname is the host's root's")
def test_works_although_proc_sys_is_read_only_or_absent(box):
    """They are written through a procfs of the runtime's own, not through the container's."""
    box.drop_mount("/proc")
    box.linux["maskedPaths"] = box.linux["readonlyPaths"] = []
    box.linux["sysctl"] = {"kernel.domainname": "own.example"}
    assert box.probe("uname")["uname"]["domainname"] == "own.example"
    assert os.listdir(box.rootfs / "proc") == []
