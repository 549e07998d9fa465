# SPDX-License-Identifier: LGPL-2.1-or-later
"""A configuration that is small, but made to cost the runtime much."""

import time

import pytest

from harness import host


def plan(box):
    """What `plan` answers, and the seconds it took."""
    box.write_config()
    begin = time.monotonic()
    result = box.call("plan", box.bundle, timeout=60)
    return result, (time.monotonic() - begin) / host.SLOWNESS


def test_names_of_variables_that_collide(box):
    """Pairs of letters that weigh the same in the hash that everybody writes, times 33 plus the next."""
    box.process["env"] = ["".join("FY" if number >> bit & 1 else "Ez" for bit in range(17)) + "=x"
                          for number in range(100000)]
    result, seconds = plan(box)
    result.ok()
    assert seconds < 5


@pytest.mark.skipif(host.PURE_V2, reason="there a cgroup mount is one")
def test_more_mounts_than_references_reach(box):
    """Each stands for one of every hierarchy, with a long path: two megabytes ask for a plan of more than 4 GiB."""
    box.linux["cgroupsPath"] = "/" + "/".join(["x" * 200] * 16)
    box.config["mounts"] = [{"destination": "/a", "type": "cgroup"}] * 40000
    result, seconds = plan(box)
    result.error("64 MiB")
    assert seconds < 5
