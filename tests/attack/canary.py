# SPDX-License-Identifier: LGPL-2.1-or-later
"""A tree on the host that no container may change, and what a container must show of itself."""

import hashlib
import os
import stat


class Canary:
    """Files, directories, links and a device with known content, modes and owners."""

    def __init__(self, place):
        self.place = place
        (place / "below/deeper").mkdir(parents=True)
        for name in ("file", "null", "console", "ptmx", "core_pattern", "below/file"):
            (place / name).write_text(f"canary {name}\n")
            (place / name).chmod(0o640)
        for name in ("pts", "shm", "mqueue", "proc", "sys"):
            (place / name).mkdir(mode=0o711)
        (place / "pts/0").write_text("canary\n")
        (place / "pts/ptmx").write_text("canary\n")
        (place / "link").symlink_to("file")
        os.mknod(place / "zero", 0o020600, os.makedev(1, 5))
        self.before = self.look()

    def look(self):
        seen = {}
        for directory, names, files in os.walk(self.place):
            for name in [".", *names, *files]:
                path = os.path.join(directory, name)
                status = os.lstat(path)
                content = None
                if stat.S_ISREG(status.st_mode):
                    with open(path, "rb") as file:
                        content = hashlib.sha256(file.read()).hexdigest()
                elif stat.S_ISLNK(status.st_mode):
                    content = os.readlink(path)
                seen[path] = (oct(status.st_mode), status.st_uid, status.st_gid, status.st_rdev, content)
        return seen

    def changes(self):
        after = self.look()
        return [f"canary: {path}: {self.before.get(path)} -> {after.get(path)}"
                for path in sorted(self.before | after) if self.before.get(path) != after.get(path)]


TMPFS_MAGIC, ST_RDONLY = 0x01021994, 1


def mask_faults(box, report):
    """Masked paths that a container shows unmasked, or masked by something that is no mask: seen from inside, by
    mask_commands."""
    faults = []
    for path in box.linux["maskedPaths"]:
        answer, place = report[f"stat {path}"], report[f"statfs {path}"]
        if "errno" in answer:
            continue
        if answer["type"] == "directory":
            masked = "errno" not in place and place["type"] == TMPFS_MAGIC and place["flags"] & ST_RDONLY
            if not masked or report[f"ls {path}"]:
                faults.append(f"mask of {path}: {answer} {place} {report[f'ls {path}']}")
        elif (answer["type"], answer["major"], answer["minor"]) != ("char", 1, 3):
            faults.append(f"mask of {path}: {answer}")
    return faults


def mask_commands(box):
    return [f"{command} {path}" for path in box.linux["maskedPaths"] for command in ("stat", "statfs", "ls")]


def unmasked(mounts, fstype, names):
    """File systems of FSTYPE in the mount table that lack a mount on one of NAMES, wherever they are mounted."""
    faults = []
    for entry in mounts:
        if entry.type == fstype and entry.root == "/":
            covered = {child.point[len(entry.point):].lstrip("/") for child in mounts if child.parent == entry.id}
            faults += [f"{entry}: {name} is not covered" for name in names if name not in covered]
    return faults


def outside_faults(report):
    """Whether the working directory or a descriptor leads out.  REPORT holds "cwd", "fds", "ls .." and "ls /"."""
    faults = []
    cwd = report["cwd"]
    if not isinstance(cwd, str) or not cwd.startswith("/"):
        faults.append(f"working directory: {cwd}")
    if "ls .." in report and isinstance(report["ls .."], list):
        hostly = {"lost+found", "boot", "home", "root", "usr"} & set(report["ls .."])
        if hostly:
            faults.append(f"the host is above the working directory: {hostly}")
    for number, descriptor in report["fds"].items():
        if descriptor["type"] == "directory" or int(number) > 2:
            faults.append(f"descriptor {number}: {descriptor['link']}")
    return faults
