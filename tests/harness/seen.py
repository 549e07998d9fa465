# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the probe reported from inside: a dict with a member for each command, named by its words."""

import json

from harness import host

MOUNTS = "cat /proc/self/mountinfo"


class Seen(dict):
    @property
    def mounts(self):
        """The mount table, if the command seen.MOUNTS was asked for."""
        return host.parse_mounts(self[MOUNTS])

    def mount(self, point):
        """What is mounted on POINT, on top."""
        found = [entry for entry in self.mounts if entry.point == point]
        assert found, f"nothing is mounted on {point}: {self.mounts}"
        return found[-1]

    @property
    def environment(self):
        return dict(entry.split("=", 1) for entry in self["env"])


def parse(text):
    """Each whole line of TEXT as a Seen."""
    return [Seen(json.loads(line)) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def only(text):
    """The one report in TEXT."""
    reports = parse(text)
    assert len(reports) == 1, f"{len(reports)} reports: {text!r}"
    return reports[0]


def failed(answer, number):
    """Whether the probe's system call gave errno NUMBER."""
    return answer == {"errno": number}


def words(commands):
    """["stat /x", ("write", "/y", "two words")] as the probe's arguments."""
    flat = []
    for command in commands:
        flat += command.split() if isinstance(command, str) else [str(word) for word in command]
    return flat
