# SPDX-License-Identifier: LGPL-2.1-or-later
"""Kernels that lack system calls, played on one that has them: each answers ENOSYS.

The container must be in nothing different from one made with all of them.
"""

import fcntl
import os
import resource

import pytest

import faults
from harness import host
from harness.seen import only

# What came with which release, back to 5.3, the oldest that will do.
RELEASES = {
    "5.12": ["mount_setattr"],
    "5.9": ["close_range"],
    "5.8": ["faccessat2", "statx"],  # which is older, but did not know the ids of mounts
    "5.6": ["openat2", "pidfd_getfd"],
    "5.4": ["clone3"],
}

pytestmark = pytest.mark.skipif(not os.path.exists(faults.INJECT), reason=f"no injector: INJECT={faults.INJECT}")

of_both_kinds = pytest.mark.parametrize("make", [faults.bundle, faults.forking_bundle])


@pytest.fixture
def view():
    return "v2" if "v2" in host.VIEWS else "host"


def lacking(names):
    return ["-m", ",".join(str(faults.call_number(name)) for name in names)]


def live(box, make, names):
    """A life on a kernel without the calls NAMES."""
    trial = faults.Trial(box, lambda box: make_old(box, make))
    trial.learn()
    trial.live_with(lacking(names))
    assert not trial.complaints, "\n".join(trial.complaints)


def make_old(box, make):
    """Without id mappings, for which there is nothing else; nor can clone(2) make a time namespace."""
    make(box)
    box.drop_mount("/mapped")


@of_both_kinds
@pytest.mark.parametrize("name", [name for names in RELEASES.values() for name in names])
def test_without_one(box, make, name):
    live(box, make, [name])


@of_both_kinds
@pytest.mark.parametrize("release", RELEASES)
def test_before(box, make, release):
    """On a kernel before RELEASE, which lacks what came later as well."""
    releases = list(RELEASES)
    live(box, make, sum((RELEASES[each] for each in releases[:releases.index(release) + 1]), []))


@pytest.mark.parametrize("name", ["fsopen", "open_tree", "move_mount"])
@pytest.mark.parametrize("users", ["host", "mapped"])
def test_without_one_that_has_no_substitute(box, users, name):
    """Not even the plainest container can do without; what it says leads to the kernel and not to the config."""
    if users == "mapped":
        faults.forking_bundle(box)
        box.add_bind(box.directory("volume"), "/volume")
    box.write_config()
    result = faults.spawn(box, lacking([name]), "run", "--bundle", box.bundle, box.id).wait()
    message = result.error("Function not implemented")
    assert "hint: thole needs Linux 5.3" in message
    box.assert_clean()


def test_id_mapping_is_refused(box):
    faults.bundle(box)
    box.write_config()
    result = faults.spawn(box, lacking(["mount_setattr"]), "create", "--bundle", box.bundle, box.id).wait()
    message = result.error("mounts[10]", "map the ids of", "mount_setattr: Function not implemented")
    assert "Linux 5.12" in message
    box.assert_clean()


# ---- descriptors of the caller, without close_range


def limit_to(number):
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (number, number))


def test_descriptor_above_the_limit_is_closed(box):
    box.process.pop("rlimits", None)
    box.set_probe("ls /proc/self/fd")
    box.write_config()
    held = fcntl.fcntl(0, fcntl.F_DUPFD, 700)
    try:
        result = faults.spawn(box, lacking(["close_range"]), "run", "--bundle", box.bundle, box.id,
                              pass_fds=(held,), before_exec=limit_to(600)).wait().ok()
    finally:
        os.close(held)
    assert only(result.out)["ls /proc/self/fd"] == ["0", "1", "2", "3"]  # the last is the directory


def test_nobody_counts_up_to_the_limit(box):
    """It may be a thousand million."""
    box.set_probe("ids")
    box.write_config()
    log = box.dir / "log"
    command = [*lacking(["close_range"]), "-l", log]
    faults.spawn(box, command, "run", "--bundle", box.bundle, box.id,
                 before_exec=limit_to(5000)).wait().ok()
    assert 0 < sum(call.role == "birth" for call in faults.parse_log(log.read_text())) < 200
