#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Prints docs/cgroups.md: what each member of linux.resources becomes on each hierarchy, and as a property of systemd's.

    cgroups.py >cgroups.md      or `make cgroups-doc`

The tables are those that thole goes by, src/cgroup/resources.c and src/cgroup/systemd_properties.c; what stands around
them is here.  docs/check-docs complains if cgroups.md is out of date.
"""
import math
import os
import re
import sys

TOP = os.environ.get("top_srcdir", os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

BEFORE = """\
# What becomes of limits

<!-- Written by docs/cgroups.py from src/cgroup/resources.c and src/cgroup/systemd_properties.c: `make cgroups-doc`. -->

Each controller is used where the host has it: on a v1 hierarchy, or on v2. On a hybrid host both columns hold at once,
for one controller the left one, for another the right. A controller that the host does not have is an error which names
it and what the host offers; so is a limit that a hierarchy cannot have, unless it asks for what v2 does anyway.
`update` goes by the same table. When one of its writes is refused, those before it are taken back.

With `--systemd-cgroup` the container's unit also gets a property for each file of the last column, so that systemd does
not undo the limit at its next `daemon-reload`; the files are written all the same, because some properties are
coarser than files. What has no property stands in the file alone.

| linux.resources | cgroup v1 | cgroup v2 | systemd: v1; v2 |
|---|---|---|---|
"""

AFTER = """
## The formulas

**cpu.shares to cpu.weight** is 10 ^ ((l² + 125 l) / 612 − 7 / 34), rounded up, with l = log2 (shares)
(`cgroup_shares_to_weight`, `src/cgroup/weight.c`). It takes 2 to 1, 1024, the default of v1, to 100, that of v2, and
262144 to 10000. The older formula, 1 + (shares − 2) · 9999 / 262142, is right at both ends and made 39 of the default: a
container that asked for nothing special got two fifths of what stands beside it. runc (since 1.3.2), crun (since 1.23) and
Kubernetes have changed to the new one, so a Pod has the same weight whichever runtime starts it.

| shares | 2 | 102 | 512 | 1024 | 2048 | 10240 | 262144 |
|---|---|---|---|---|---|---|---|
| cpu.weight | {weights} |

**memory.swap** counts memory and swap together, as v1 does; memory.swap.max is what is left of it beside memory.limit.

**blockIO.weight**, 10 to 1000, goes to BFQ as it is, whose range that is. A kernel without BFQ's file has io.weight, 1 to
10000, which gets 1 + (weight − 10) · 9999 / 990.

**cpu.quota and cpu.period** are one file on v2. An update that names one of them keeps the other as it is.

## What has no field of its own

`linux.resources.unified` writes any file of v2 by its name, and enables its controller on the way. So these are set:

| wanted | unified |
|---|---|
| to be throttled before memory.limit | `"memory.high": "402653184"` |
| memory that is never reclaimed | `"memory.min": "67108864"` |
| a limit that kills the whole container, not one process | `"memory.oom.group": "1"` |
| at most so many cgroups below the container's | `"cgroup.max.descendants": "10"` |
| at most so deep | `"cgroup.max.depth": "3"` |

## Devices

On v1 the rules are written in the order of the list to devices.deny and devices.allow. On v2 one program
(BPF_PROG_TYPE_CGROUP_DEVICE) is made of them; an update replaces it in one step (BPF_F_REPLACE), so that there is no
moment without rules. systemd is told DeviceAllow and DevicePolicy, of which it makes a program of its own beside ours:
both must allow. So it may be told too much where it has no words for a rule, never too little.

## Where the cgroup is

| cgroupsPath | cgroupfs | systemd |
|---|---|---|
| none | `/thole-ID` | `thole-ID.scope` in `system.slice`; of an ordinary user in his `user.slice` |
| `/a/b` or `a/b` | `/a/b` | refused, with the way out |
| `slice:prefix:name` | a name like any other | `prefix-name.scope` in `slice` |
| `:prefix:name` | a name like any other | the same in `system.slice` or `user.slice` |
| `slice:prefix:name.slice` | a name like any other | the slice itself |
| with `..` | refused | refused |

A cgroup that exists is used if it is empty and not frozen. Directories that were missing are made, and go with the
container; those that were there stay.
"""


def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as file:
        return file.read()


def resource_rows():
    """(member, {"v1": body, "v2": body}) for each row of the table."""
    source = read("src/cgroup/resources.c")
    table = re.search(r"static const struct resource_row rows\[\] = {\n(.*?)\n};", source, re.DOTALL)[1]
    for name, value in re.findall(r'^#define (\w+) (".*")$', source, re.MULTILINE):
        table = table.replace(name, value)
    for name, body in re.findall(r'^  { "([\w.]+)", CGROUP_\w+(.*?)(?=^  { "|\Z)', table, re.DOTALL | re.MULTILINE):
        yield name, dict(re.findall(r"\.(v[12]) = { (.*?) }", body, re.DOTALL))


def said(body, key):
    found = re.search(rf'\.{key} = "([^"]+)"', body)
    return found[1] if found else ""


def side(body):
    """What the cell of one version says."""
    file, extra, note = said(body, "file"), said(body, "extra"), said(body, "note")
    note = re.sub(r"\b([a-z]+\.[a-z][\w.]*)", r"`\1`", note)
    if body.startswith("refuse"):
        but = {"refuse_limit": " (-1 is not)", "refuse_true": " if true", "refuse_false": " if false"}
        return f"refused{but.get(body.split(',')[0], '')}: {note}"
    files = [f"`{name}`" if "." in name else name for name in (file, extra) if name]
    return (", ".join(files) + (f": {note}" if files and note else note)).replace("|", "\\|")


def properties():
    """{(version, file): names of properties}"""
    source = read("src/cgroup/systemd_properties.c")
    found = {}
    for version, file, name in re.findall(r'^  { V([12]) \("([^"]+)", "([^"]+)"', source, re.MULTILINE):
        found.setdefault((f"v{version}", file), []).append(name)
    found["v2", "cpu.max"].append("CPUQuotaPeriodUSec")
    return found


def systemd(sides, known):
    """The properties for what is written on v1, and on v2."""
    cells = []
    for version in ("v1", "v2"):
        file, extra = said(sides.get(version, ""), "file"), said(sides.get(version, ""), "extra")
        names = known.get((version, file), []) + known.get((version, extra), [])
        if file == "io.max":
            names = [name for name in names if throttles(name, extra)]
        cells.append(", ".join(f"`{name}`" for name in names) or "-")
    return "; ".join(cells) if cells != ["-", "-"] else "-"


def throttles(name, key):
    return name == {"rbps": "IOReadBandwidthMax", "wbps": "IOWriteBandwidthMax", "riops": "IOReadIOPSMax",
                    "wiops": "IOWriteIOPSMax"}[key]


def weight(shares):
    """As src/cgroup/weight.c, by floating point."""
    logarithm = math.log2(shares)
    return min(10000, max(1, math.ceil(10 ** ((logarithm ** 2 + 125 * logarithm) / 612 - 7 / 34) - 1e-9)))


def document():
    known = properties()
    lines = [f"| {name} | {side(sides.get('v1', ''))} | {side(sides.get('v2', ''))} | {systemd(sides, known)} |"
             for name, sides in resource_rows()]
    weights = " | ".join(str(weight(shares)) for shares in (2, 102, 512, 1024, 2048, 10240, 262144))
    return BEFORE + "\n".join(lines) + "\n" + AFTER.replace("{weights}", weights)


if __name__ == "__main__":
    sys.stdout.write(document())
