# SPDX-License-Identifier: LGPL-2.1-or-later
"""The guides, as they are written: commands after a prompt, and what they print below.  … stands for anything."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
MARK = "-- end of a command --"


def blocks(text):
    """Lists of (is root's, command, [line of output])."""
    found = []
    for block in re.findall(r"(?:^    .*\n|^\n(?=    ))+", text, re.MULTILINE):
        commands = []
        for line in block.splitlines():
            line = line.removeprefix("    ")
            if line[:2] in ("# ", "$ "):
                commands.append((line[0] == "#", line[2:], []))
            elif line and commands:
                commands[-1][2].append(line)
        if commands:
            found.append(commands)
    return found


def matches(expected, printed):
    pattern = "\n".join(re.escape(line).replace("…", ".*") for line in expected)
    return re.fullmatch(pattern, printed.strip())


def run(world, guide):
    found = blocks((DOCS / f"{guide}.md").read_text(encoding="utf-8"))
    assert found
    for commands in found:
        # One shell a block: variables live from one command to the next.
        root = commands[0][0]
        script = "set -e\n" + "".join(f"{command}\necho '{MARK}'\n" for _, command, _ in commands)
        result = world.run("sh", "-c", script, ordinary=not root, seconds=60).ok()
        for (_, command, expected), printed in zip(commands, result.out.split(f"{MARK}\n")):
            assert matches(expected, printed), f"{command}: printed {printed!r}, not {expected}"


@pytest.mark.parametrize("guide", ["podman", "buildah"])
def test_guide(loaded, guide):
    run(loaded, guide)


def test_containerd(with_containerd):
    """containerd itself has been started with the same lines, and others."""
    place = with_containerd.path("/etc/containerd/config.toml")
    settings = place.read_text()
    place.write_text("version = 2\n")
    run(with_containerd, "containerd")
    place.write_text(settings)


def test_docker(with_docker):
    """dockerd has been started with the same daemon.json, and others' runtimes."""
    run(with_docker, "docker")


def test_kubernetes(world):
    run(world, "kubernetes")
