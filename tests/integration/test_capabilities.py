# SPDX-License-Identifier: LGPL-2.1-or-later
"""process.capabilities: the five sets, exactly."""

import pytest

from harness import host, seen

NUMBERS = {"CAP_CHOWN": 0, "CAP_DAC_OVERRIDE": 1, "CAP_FOWNER": 3, "CAP_KILL": 5, "CAP_SETUID": 7, "CAP_SETPCAP": 8,
           "CAP_NET_BIND_SERVICE": 10, "CAP_NET_RAW": 13, "CAP_SYS_ADMIN": 21, "CAP_AUDIT_WRITE": 29,
           "CAP_SYSLOG": 34, "CAP_CHECKPOINT_RESTORE": 40}

SETS = ("bounding", "permitted", "effective", "inheritable", "ambient")


def numbers(names):
    return sorted(NUMBERS[name] for name in names)


def check(box, sets):
    box.process["capabilities"] = sets
    assert box.probe("caps")["caps"] == {kind: numbers(sets.get(kind, [])) for kind in SETS}


def test_default(box):
    names = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]
    check(box, {"bounding": names, "permitted": names, "effective": names})


def test_none(box):
    check(box, {})


def test_no_member(box):
    """Without the member root has none at all: there is nobody who asked for any."""
    del box.process["capabilities"]
    assert box.probe("caps")["caps"] == {kind: [] for kind in SETS}


def test_all_five_differ(box):
    # As user 0 exec gives P'(permitted) = bounding & (inheritable | all), so only a user shows the five apart.
    box.process["user"] = {"uid": 1000, "gid": 1000}
    sets = {
        "bounding": ["CAP_CHOWN", "CAP_KILL", "CAP_SETUID", "CAP_NET_RAW", "CAP_SYSLOG"],
        "permitted": ["CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW"],
        "effective": ["CAP_CHOWN"],
        "inheritable": ["CAP_KILL", "CAP_NET_RAW"],
        "ambient": ["CAP_KILL"],
    }
    box.process["capabilities"] = sets
    caps = box.probe("caps")["caps"]
    assert caps["bounding"] == numbers(sets["bounding"])
    assert caps["inheritable"] == numbers(sets["inheritable"])
    assert caps["ambient"] == numbers(sets["ambient"])
    # execve(2) of a plain file by a user: permitted and effective become the ambient set (capabilities(7)).
    assert caps["permitted"] == numbers(sets["ambient"])
    assert caps["effective"] == numbers(sets["ambient"])


def test_user_without_ambient_has_none(box):
    box.process["user"] = {"uid": 1000, "gid": 1000}
    names = ["CAP_CHOWN", "CAP_KILL"]
    box.process["capabilities"] = {kind: names for kind in ("bounding", "permitted", "effective")}
    caps = box.probe("caps")["caps"]
    assert caps == {"bounding": numbers(names), "permitted": [], "effective": [], "inheritable": [], "ambient": []}


def test_highest_capability(box):
    names = ["CAP_CHOWN", "CAP_CHECKPOINT_RESTORE"]
    check(box, {"bounding": names, "permitted": names, "effective": names})


def test_bounding_set_holds_for_a_set_uid_program(box):
    """Becoming root again through a set-user-id file gives no more than the bounding set."""
    suid = box.rootfs / "suid"
    suid.write_bytes((box.rootfs / "probe").read_bytes())
    suid.chmod(0o4755)
    box.process["noNewPrivileges"] = False
    box.process["user"] = {"uid": 1000, "gid": 1000}
    box.process["capabilities"] = {"bounding": ["CAP_CHOWN"]}
    box.process["args"] = ["/suid", "ids", "caps"]
    report = seen.only(box.run().ok().out)
    assert report["ids"]["euid"] == 0
    assert report["caps"]["permitted"] == [NUMBERS["CAP_CHOWN"]]


def test_no_new_privileges_stops_a_set_uid_program(box):
    suid = box.rootfs / "suid"
    suid.write_bytes((box.rootfs / "probe").read_bytes())
    suid.chmod(0o4755)
    box.process["user"] = {"uid": 1000, "gid": 1000}
    box.process["args"] = ["/suid", "ids"]
    assert seen.only(box.run().ok().out)["ids"]["euid"] == 1000


@pytest.mark.parametrize("kind", SETS)
def test_unknown_capability_is_only_a_warning(box, kind):
    """config.md: what cannot be mapped to the kernel is logged as a warning."""
    names = ["CAP_KILL", "CAP_NO_SUCH_THING"]
    box.process["capabilities"] = {each: ["CAP_KILL"] for each in SETS} | {kind: names}
    box.set_probe("caps")
    result = box.run().ok()
    assert "CAP_NO_SUCH_THING" in result.err and "warning" in result.err.lower()
    assert "\"effective\": [5]" in result.out


@pytest.mark.root("a user namespace has all capabilities")
def test_capability_that_the_runtime_lacks_is_a_warning(box):
    """As above for one that is known but cannot be granted: the runtime's own bounding set lacks it."""
    missing = [name for name, number in {"CAP_SYS_RESOURCE": 24, "CAP_MAC_ADMIN": 33}.items()
               if not host.has_capability(number)]
    if not missing:
        pytest.skip("this root has every capability")
    box.process["capabilities"] = {kind: [missing[0], "CAP_KILL"] for kind in ("bounding", "permitted", "effective")}
    box.set_probe("caps")
    result = box.run().ok()
    assert missing[0] in result.err
    assert "\"effective\": [5]" in result.out
