# SPDX-License-Identifier: LGPL-2.1-or-later
"""process.apparmorProfile on a kernel that has AppArmor."""

import shutil
import subprocess
from pathlib import Path

import pytest

from harness import box as boxes
from harness import seen

ENABLED = Path("/sys/module/apparmor/parameters/enabled")
CURRENT = "cat /proc/self/attr/current"
PROFILE = f"thole-{boxes.SESSION}"

pytestmark = [
    pytest.mark.skipif(not ENABLED.exists() or ENABLED.read_text() != "Y\n", reason="AppArmor is not enabled"),
    pytest.mark.skipif(not shutil.which("apparmor_parser"), reason="needs apparmor_parser"),
]

EACCES, ENOENT = 13, 2


def parser(option, text):
    subprocess.run(["apparmor_parser", option], input=text, text=True, check=True, timeout=120, capture_output=True)


@pytest.fixture(scope="module")
def profile():
    """A loaded profile that allows everything but to read /etc/passwd."""
    name = f"{PROFILE}-{boxes.WORKER}"
    text = f"profile {name} flags=(attach_disconnected) {{ file, capability, signal, deny /etc/passwd r, }}\n"
    parser("-r", text)
    yield name
    parser("-R", text)


@pytest.mark.parametrize("command", ["run", "create"])
@pytest.mark.parametrize("no_new_privileges", [True, False])
def test_the_process_has_the_profile(box, profile, no_new_privileges, command):
    box.process["apparmorProfile"] = profile
    box.process["noNewPrivileges"] = no_new_privileges
    if command == "run":
        assert box.probe(CURRENT)[CURRENT] == f"{profile} (enforce)\n"
        return
    box.set_probe("pause")
    box.create()
    # Not before: it is the container's exec that changes it.
    assert Path(f"/proc/{box.pid}/attr/current").read_text() == "unconfined\n"
    running = box.start()
    assert running.status == 0
    assert Path(f"/proc/{box.pid}/attr/current").read_text() == f"{profile} (enforce)\n"
    box.stop()


@pytest.mark.parametrize("user_namespace", [False, True])
def test_an_executed_process_has_the_profile(box, profile, user_namespace):
    """It is said before the process is in the pid namespace, for a program that runs there."""
    if user_namespace:
        box.set_namespace("user")
        box.linux["uidMappings"] = box.linux["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    box.process["apparmorProfile"] = profile
    box.set_probe("pause")
    box.create()
    box.start()
    executed = box.call("exec", box.id, "/probe", *seen.words([CURRENT]))
    assert seen.only(executed.ok().out)[CURRENT] == f"{profile} (enforce)\n"
    box.stop()


def test_the_profile_is_enforced(box, profile):
    commands = ("open /etc/passwd r", "open /bin/busybox r")
    assert box.probe(*commands)["open /etc/passwd r"] == 0
    box.process["apparmorProfile"] = profile
    report = box.probe(*commands)
    assert seen.failed(report["open /etc/passwd r"], EACCES)
    assert report["open /bin/busybox r"] == 0


def test_the_profile_holds_in_a_user_namespace(box, profile):
    box.set_namespace("user")
    box.linux["uidMappings"] = box.linux["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    box.process["apparmorProfile"] = profile
    assert box.probe(CURRENT)[CURRENT] == f"{profile} (enforce)\n"


@pytest.mark.parametrize("name", ["", "unconfined", None])
def test_no_profile(box, name):
    if name is not None:
        box.process["apparmorProfile"] = name
    assert box.probe(CURRENT)[CURRENT] == "unconfined\n"


def test_a_profile_that_is_not_loaded_is_refused(box):
    box.process["apparmorProfile"] = f"{PROFILE}-missing"
    message = box.try_create().error("process.apparmorProfile", f'no AppArmor profile "{PROFILE}-missing" is loaded')
    assert "apparmor_parser" in message
    box.assert_clean()


def test_selinux_labels_are_refused(box):
    box.process["selinuxLabel"] = "system_u:system_r:container_t:s0"
    box.try_create().error("process.selinuxLabel", "SELinux is not enabled on this host")
    box.assert_clean()
