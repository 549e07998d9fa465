# SPDX-License-Identifier: LGPL-2.1-or-later
"""A failed create, at any step, leaves no process, mount, cgroup, file or state behind."""

import os

import pytest

from harness import host


def bad_mount(box):
    box.add_mount("/mnt", "nosuchfs", "none")


def bad_bind(box):
    box.add_bind("/no/such/source", "/mnt")


def bad_namespace(box):
    box.set_namespace("network", "/proc/self/ns/uts")


def bad_device(box):
    (box.rootfs / "srv").write_text("")
    box.linux["devices"] = [{"path": "/srv", "type": "c", "major": 1, "minor": 3}]


def bad_sysctl(box):
    box.linux["sysctl"] = {"net.ipv4.no_such_key": "1"}


def bad_hostname(box):
    box.without_namespace("uts")


def bad_hook(kind):
    def break_it(box):
        box.config["hooks"] = {kind: [{"path": "/bin/false"}]}

    break_it.__name__ = f"bad_{kind}_hook"
    return break_it


def bad_program(box):
    box.process["args"] = ["/no/such/program"]


def bad_cwd(box):
    box.process["cwd"] = "/probe"


def bad_user(box):
    box.set_namespace("user")
    box.linux["uidMappings"] = box.linux["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 10}]
    box.process["user"]["uid"] = 4242


def bad_cgroup(box):
    box.linux["cgroupsPath"] = f"/{box.id}\n/x"


def bad_resources(box):
    box.resources["cpu"] = {"cpus": "4095"}


def bad_cgroup_file(box):
    box.resources["unified"] = {"no.such.file": "1"}


def bad_masked_path(box):
    box.linux["maskedPaths"] = ["/probe/below"]
    # Not an error by itself (ENOTDIR is as absent); the program is what fails, after the masks.
    bad_program(box)


def bad_seccomp(box):
    box.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": str(box.dir / "nobody"),
                            "syscalls": [{"names": ["getpid"], "action": "SCMP_ACT_NOTIFY"}]}


def bad_apparmor(box):
    box.process["apparmorProfile"] = "no-such-profile"


def bad_selinux(box):
    box.process["selinuxLabel"] = "no:such:label:s0"


def bad_mount_label(box):
    box.linux["mountLabel"] = "no:such:label:s0"


def bad_time_offset(box):
    box.set_namespace("time")
    box.linux["timeOffsets"] = {"monotonic": {"secs": -(1 << 50)}}


def bad_rlimit(box):
    box.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 1 << 40, "hard": 1 << 40}]


def bad_scheduler(box):
    box.process["scheduler"] = {"policy": "SCHED_FIFO", "priority": 500}


def bad_rootfs_propagation(box):
    box.config["root"]["path"] = "/proc/self/fd"


BREAKAGES = [bad_mount, bad_bind, bad_namespace, bad_device, bad_sysctl, bad_hostname, bad_hook("prestart"),
             bad_hook("createRuntime"), bad_hook("createContainer"), bad_program, bad_cwd, bad_user, bad_cgroup,
             bad_resources, bad_masked_path, bad_apparmor, bad_selinux, bad_mount_label, bad_time_offset, bad_rlimit,
             bad_scheduler, bad_rootfs_propagation]


@pytest.mark.parametrize("command", ["create", "run", "detached"])
@pytest.mark.parametrize("break_it", BREAKAGES, ids=[each.__name__ for each in BREAKAGES])
def test_nothing_is_left(box, break_it, command):
    if break_it in (bad_apparmor,) and os.path.exists("/sys/kernel/security/apparmor") or \
            break_it in (bad_selinux, bad_mount_label) and os.path.exists("/sys/fs/selinux/enforce"):
        pytest.skip("this host has that LSM: its own tests cover it")
    box.set_probe("ids")
    break_it(box)
    before = sorted(os.listdir(box.bundle)) + sorted(os.listdir(box.dir))
    pid_file = box.dir / "pid"
    options = ["--pid-file", pid_file]
    if command == "create":
        result = box.try_create(*options)
    else:
        result = box.run(*options, *(["--detach"] if command == "detached" else []))
    message = result.error()
    assert "config.json" in message or "hooks." in message or box.process["args"][0] in message \
        or str(box.dir) in message, message
    box.assert_clean()
    # The root itself may have been made, the config was written; but no pid file and nothing else.
    after = set(os.listdir(box.bundle)) | set(os.listdir(box.dir))
    assert after - set(before) <= {"root", "config.json"}, after
    assert not pid_file.exists()


@pytest.mark.parametrize("view", host.VIEWS)
def test_nothing_is_left_in_any_view(box):
    box.process["args"] = ["/no/such/program"]
    box.try_create().error("/no/such/program")
    box.assert_clean()
    assert host.cgroups_named(box.id) == []


def test_after_a_failure_the_same_id_works(box):
    box.process["args"] = ["/no/such/program"]
    box.try_create().error("/no/such/program")
    box.process["args"] = ["/probe", "ids"]
    box.run().ok()


def test_failure_after_many_mounts(box):
    for i in range(50):
        box.add_mount(f"/mnt/{i}", "tmpfs", "tmpfs")
    box.add_mount("/last", "nosuchfs", "none")
    box.try_create().error(box.last_mount)
    box.assert_clean()


@pytest.mark.root("mounts on the host")
def test_failure_on_a_shared_root(box):
    """The host's mounts propagate; those of the failed container must not have."""
    host.mount(box.rootfs, box.rootfs, None, host.MS_BIND)
    host.mount(None, box.rootfs, None, host.MS_SHARED)
    before = [entry.line for entry in host.mounts()]
    try:
        box.add_mount("/last", "nosuchfs", "none")
        box.try_create().error("nosuchfs")
        assert [entry.line for entry in host.mounts()] == before
    finally:
        host.umount(box.rootfs)


def test_failed_start_leaves_a_stopped_container_to_delete(box):
    box.set_probe("ids")
    box.config["root"]["readonly"] = False
    box.create()
    (box.rootfs / "probe").unlink()
    box.call("start", box.id).error("/probe")
    assert box.status() == "stopped"
    box.delete()
    box.assert_clean()


def test_failure_of_run_after_the_start_of_init(box):
    """run deletes what a failed start leaves."""
    box.process["args"] = ["/bin/odd"]
    (box.rootfs / "bin/odd").write_text("")
    (box.rootfs / "bin/odd").chmod(0o755)
    box.run().error("/bin/odd")
    box.assert_clean()


@pytest.mark.parametrize("kind", ["startContainer", "poststart"])
def test_failure_of_run_after_the_pid_file_was_written(box, kind):
    """The pid in it is nobody's any more, and may soon be a stranger's."""
    box.config["hooks"] = {kind: [{"path": "/bin/false"}]}
    box.run("--pid-file", box.dir / "pid").error(f"hooks.{kind}[0]")
    assert not (box.dir / "pid").exists()
    box.assert_clean()


def test_labels_fail_closed(box):
    """A label or profile that cannot be applied is an error, not a warning."""
    if not os.path.exists("/sys/kernel/security/apparmor"):
        box.process["apparmorProfile"] = "some-profile"
        box.try_create().error("process.apparmorProfile")
        del box.process["apparmorProfile"]
    if not os.path.exists("/sys/fs/selinux/enforce"):
        box.process["selinuxLabel"] = "system_u:system_r:container_t:s0"
        box.try_create().error("process.selinuxLabel")
    box.assert_clean()


@pytest.mark.parametrize("profile", ["", "unconfined"])
def test_no_profile_is_no_failure(box, profile):
    """Callers send an empty or "unconfined" profile to hosts that have no AppArmor."""
    box.process["apparmorProfile"] = profile
    box.probe("ids")


def test_empty_label_is_no_failure(box):
    box.process["selinuxLabel"] = ""
    box.linux["mountLabel"] = ""
    box.probe("ids")
