# SPDX-License-Identifier: LGPL-2.1-or-later
"""What many mounts cost, in system calls: as many for the thousandth as for the first.

A runtime that looks a mount up in mountinfo reads a table that grows with every mount.
"""

import os
from collections import Counter

import pytest

import faults
from harness import host

pytestmark = pytest.mark.skipif(not os.path.exists(faults.INJECT), reason=f"no injector: INJECT={faults.INJECT}")


def add_tmpfs(box, number):
    box.add_mount(f"/many/{number}", "tmpfs", "tmpfs", "size=4k", "ro")


def add_bind(box, number):
    box.add_bind(box.dir / "volume", f"/many/{number}", "ro", "nosuid", "rprivate")


def add_copy(box, number):
    box.add_mount(f"/many/{number}", "tmpfs", "tmpfs", "size=4k", "tmpcopyup")


def add_remount(box, number):
    box.add_mount("/dev/shm", "none", "none", "remount", "noexec", "ro" if number % 2 else "rw")


KINDS = [add_tmpfs, add_bind, add_copy, add_remount]


def calls_of(box, add, count):
    """How often each role made each call, for COUNT mounts more."""
    mounts = list(box.config["mounts"])
    for number in range(count):
        add(box, number)
    box.set_probe("ids")
    box.write_config()
    log = box.dir / "calls"
    log.unlink(missing_ok=True)
    faults.spawn(box, ["-l", log], "run", "--bundle", box.bundle, box.id).wait(120).ok()
    box.config["mounts"] = mounts
    made = Counter()
    for call in faults.parse_log(log.read_text()):
        made[call.role, call.name] += 1
    return made


@pytest.mark.parametrize("users", ["host", "mapped"])
@pytest.mark.parametrize("add", KINDS, ids=[add.__name__ for add in KINDS])
def test_calls_are_linear(box, add, users):
    """From 250 mounts to 500 as many more as from 500 to 750, and to 1000; by the runtime itself next to none, but where
    it opens the source of each."""
    box.without_network()
    box.directory("volume")
    for number in range(1000):
        (box.rootfs / f"many/{number}").mkdir(parents=True)
    if users == "mapped":
        box.set_namespace("user")
        box.linux["uidMappings"] = box.linux["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    seen = {count: calls_of(box, add, count) for count in (250, 500, 1000)}
    names = {name for role, name in seen[1000] if role == "init"}
    for name in names:
        first, second, last = (seen[count]["init", name] for count in (250, 500, 1000))
        assert last - second == 2 * (second - first), (name, first, second, last)
        assert (last - first) % 750 == 0, (name, first, second, last)
    runtime = [sum(times for (role, _), times in seen[count].items() if role == "runtime") for count in (250, 1000)]
    each = 5 if (users, add) == ("mapped", add_bind) else 0.2
    assert runtime[1] - runtime[0] <= 750 * each, runtime
    assert sum(times for (role, _), times in seen[1000].items() if role == "init") < 1000 * 40 * host.SLOWNESS
