# SPDX-License-Identifier: LGPL-2.1-or-later
"""What other containers cost, in system calls: create, state, start, exec and delete make as many among a hundred as
alone, and `list` as many for each.  The time they take is measured by tests/bench/many.py."""

import os

import pytest

import faults

pytestmark = pytest.mark.skipif(not os.path.exists(faults.INJECT), reason=f"no injector: INJECT={faults.INJECT}")


def count(box, *args):
    """How many calls the runtime makes for a command; init's depend on what they wait for."""
    log = box.dir / "calls"
    log.unlink(missing_ok=True)
    faults.spawn(box, ["-l", log], *args).wait(60).ok()
    return sum(call.role == "runtime" for call in faults.parse_log(log.read_text()))


def life(box, name):
    counts = {"create": count(box, "create", "--bundle", box.bundle, name), "state": count(box, "state", name),
              "start": count(box, "start", name), "exec": count(box, "exec", name, "/bin/true")}
    return counts | {"delete": count(box, "delete", "--force", name)}


def test_calls_do_not_grow_with_the_number_of_containers(box):
    box.without_network()
    del box.linux["cgroupsPath"]
    box.set_probe("pause")
    box.write_config()
    others = [f"{box.id}-{number}" for number in range(100)]
    alone, lists = life(box, box.id), {0: count(box, "list")}
    try:
        for number, other in enumerate(others, 1):
            box.call("create", "--bundle", box.bundle, other).ok()
            if number in (50, 100):
                lists[number] = count(box, "list")
        among = life(box, box.id)
    finally:
        for other in others:
            box.call("delete", "--force", other).ok()
    # Waits that come back early, and the like: but a cost for each of the others would be a hundred calls.
    assert {name: abs(among[name] - alone[name]) < 50 for name in alone} == dict.fromkeys(alone, True), (alone, among)
    assert lists[100] - lists[50] == pytest.approx(lists[50] - lists[0], abs=5), lists
    assert lists[100] - lists[0] <= 100 * 32, lists
