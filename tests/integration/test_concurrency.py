# SPDX-License-Identifier: LGPL-2.1-or-later
"""Many at once, and a runtime that is killed at any instant."""

import time

import pytest

from harness import host, runtime


def all_together(commands):
    """Starts every (box, arguments) and gives their results."""
    running = [box.spawn(*arguments) for box, arguments in commands]
    return [each.wait(60) for each in running]


@pytest.mark.parametrize("view", host.VIEWS)
def test_a_hundred_at_once(make_box, view):
    """All of them come, and go without a cgroup that stays behind."""
    boxes = [make_box(view) for _ in range(100)]
    for box in boxes:
        box.root = boxes[0].root
        box.without_network()
        box.set_probe("pause")
        box.write_config()
    for result in all_together((box, ["create", "--bundle", box.bundle, box.id]) for box in boxes):
        result.ok()
    assert runtime.call("--root", boxes[0].root, "list", "-q").ok().out.split() == sorted(box.id for box in boxes)
    for result in all_together((box, ["start", box.id]) for box in boxes):
        result.ok()
    out = runtime.call("--root", boxes[0].root, "list").ok().out
    assert out.count("running") == 100
    for result in all_together((box, ["delete", "--force", box.id]) for box in boxes):
        result.ok()
    for box in boxes:
        box.assert_clean()
    assert runtime.call("--root", boxes[0].root, "list", "-q").ok().out == ""


def test_one_id_many_creates(box):
    """Exactly one wins; the others say that it is taken, and do it no harm."""
    box.set_probe("pause")
    box.write_config()
    results = all_together([(box, ["create", "--bundle", box.bundle, box.id])] * 8)
    assert sorted(result.status for result in results) == [0] + [1] * 7
    for result in results:
        if result.status:
            result.error(box.id)
    assert box.status() == "created"
    box.start()
    box.delete("--force")


def test_one_container_many_starts(box):
    box.process["args"] = ["/bin/sh", "-c", "echo started; exec /probe pause"]
    created = box.create()
    results = all_together([(box, ["start", box.id])] * 6)
    assert sorted(result.status for result in results) == [0] + [1] * 5
    host.until(lambda: "pause" in created.out, "the probe's line")
    assert created.out.count("started") == 1
    box.stop()


def test_one_container_many_deletes(box):
    box.set_probe("pause")
    box.create()
    box.start()
    for result in all_together([(box, ["delete", "--force", box.id])] * 6):
        result.ok()
    box.assert_clean()


def test_looking_while_others_work(make_box):
    """state and list never fail or hang because of a create or delete at the same time."""
    boxes = [make_box() for _ in range(6)]
    for box in boxes:
        box.root = boxes[0].root
        box.without_network()
        box.set_probe("pause")
        box.write_config()
    boxes[0].create()
    for _ in range(3):
        commands = [(box, ["create", "--bundle", box.bundle, box.id]) for box in boxes[1:]]
        commands += [(boxes[0], ["list"]), (boxes[0], ["state", boxes[0].id]), (boxes[0], ["list", "-f", "json"])] * 2
        for result in all_together(commands):
            result.ok()
        commands = [(box, ["delete", "--force", box.id]) for box in boxes[1:]]
        commands += [(boxes[0], ["list"]), (boxes[0], ["list", "-q"]), (boxes[0], ["state", boxes[0].id])] * 2
        for result in all_together(commands):
            result.ok()
    boxes[0].delete("--force")


def test_start_and_delete_at_once(box):
    """Whatever the order, nothing is left and nobody hangs."""
    for _ in range(10):
        box.set_probe("pause")
        box.create()
        started, deleted = all_together([(box, ["start", box.id]), (box, ["delete", "--force", box.id])])
        deleted.ok()
        assert started.status in (0, 1)
        box.assert_clean()


INSTANTS = 40


@pytest.mark.parametrize("command", ["create", "run"])
@pytest.mark.parametrize("part", range(2))
def test_killed_at_any_instant(box, command, part):
    """kill -9 of the runtime leaves something that `delete --force` removes whole, or nothing."""
    box.set_probe("pause" if command == "create" else "sleep 2000")
    box.write_config()
    begin = time.monotonic()
    box.call("create", "--bundle", box.bundle, box.id).ok()
    span = time.monotonic() - begin
    box.delete("--force")
    for i in range(part, INSTANTS, 2):
        running = box.spawn(command, "--bundle", box.bundle, box.id)
        time.sleep(span * 1.3 * i / INSTANTS)
        running.kill()
        box.call("delete", "--force", box.id).ok()
        box.assert_clean()


@pytest.mark.parametrize("command", ["start", "delete", "kill"])
def test_other_commands_killed_at_any_instant(box, command):
    box.set_probe("pause")
    for i in range(12):
        box.create()
        running = box.spawn(command, *(["--force"] if command == "delete" else []), box.id)
        time.sleep(0.006 * i / 12)
        running.kill()
        box.call("state", box.id)
        box.call("delete", "--force", box.id).ok()
        box.assert_clean()


def test_id_of_a_killed_create_can_be_used_again(box):
    """After delete --force, or at once if nothing was left."""
    box.set_probe("pause")
    box.write_config()
    for i in range(8):
        running = box.spawn("create", "--bundle", box.bundle, box.id)
        time.sleep(0.001 * i)
        running.kill()
        box.call("delete", "--force", box.id).ok()
        box.create()
        box.delete("--force")


@pytest.mark.root("finds init by its cgroup")
def test_init_dies_with_its_runtime(box):
    """While it is being set up: there is no state in which init waits for a dead peer."""
    box.config["hooks"] = {"createRuntime": [{"path": "/bin/sleep", "args": ["sleep", "0.5"]}]}
    box.set_probe("pause")
    box.write_config()
    running = box.spawn("create", "--bundle", box.bundle, box.id)
    host.until(lambda: box.cgroup_procs(), "init in its cgroup")
    running.kill()
    host.until(lambda: not box.cgroup_procs(), "the end of init", 5)
    box.call("delete", "--force", box.id).ok()
