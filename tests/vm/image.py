# SPDX-License-Identifier: LGPL-2.1-or-later
"""The disks and kernels of the virtual machines, made of Debian packages and kept below CACHE.

What is kept bears a hash of the recipe in its name: whoever changes this file or guest/ gets another.  The versions of
the packages are those of the day it was made; they come through apt, from the mirror that the host has them from, with
lists and sources of our own, so that nothing of the host's apt changes.
"""

import contextlib
import hashlib
import os
import re
import shutil
import struct
import subprocess
import tempfile
import time
from pathlib import Path

from variants import KERNELS

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "thole-vm"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
KEPT_DAYS = 30
SOURCES = b"".join(path.read_bytes() for path in [HERE / "image.py", *sorted((HERE / "guest").iterdir())])
TIMEOUT_S = 1200  # of the longest step, which is mmdebstrap

SUITE = "trixie"
PACKAGES = ("systemd-sysv", "dbus", "dbus-user-session", "libpam-systemd", "kmod", "uidmap", "iproute2", "procps",
            "strace", "busybox-static", "libseccomp2", "python3-pytest", "python3-pytest-xdist", "python3-jsonschema",
            "apparmor", "selinux-policy-default", "policycoreutils", "podman",
            "containerd")

# Of what systemd would start, only this: each unit costs a good part of a second here.
WANTED = {"system/sysinit.target.wants": ("systemd-journald.service", "dev-mqueue.mount",
                                          "systemd-tmpfiles-setup.service"),
          "system/sockets.target.wants": ("dbus.socket", "systemd-journald.socket", "systemd-journald-dev-log.socket"),
          "system/basic.target.wants": (),
          "system/multi-user.target.wants": ("systemd-logind.service", "systemd-user-sessions.service",
                                             "thole-vm.service"),
          "user/sockets.target.wants": ("dbus.socket",)}

LABEL, FIRST_SECTOR, SECTOR = 0x74686f6c, 2048, 512
ROOT = f"PARTUUID={LABEL:08x}-01"


class Failed(Exception):
    """What the tests cannot run without could not be made."""


def run(*command, **options):
    """Runs COMMAND; its output is for the error alone."""
    result = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, timeout=TIMEOUT_S, check=False, **options)
    if result.returncode:
        raise Failed(f"{' '.join(map(str, command))}: status {result.returncode}\n{result.stdout[-4000:]}")
    return result.stdout


# ---- the cache


@contextlib.contextmanager
def cached(name, *recipe):
    """Gives the path of what RECIPE makes, and a new directory to make it in or None if it is there; one at a time."""
    key = hashlib.sha256(repr((name, recipe)).encode() + SOURCES).hexdigest()
    place = CACHE / f"{name}-{key[:12]}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w", encoding="ascii") as lock:
        run("flock", "--wait", TIMEOUT_S, lock.fileno(), pass_fds=[lock.fileno()])
        if place.exists():
            os.utime(place)
            yield place, None
            return
        remove_old()
        with tempfile.TemporaryDirectory(prefix="new-", dir=CACHE) as work:
            done = Path(work, "done")
            done.mkdir()
            yield place, done
            done.rename(place)


def remove_old():
    for path in CACHE.glob("*-*"):
        if path.stat().st_mtime < time.time() - KEPT_DAYS * 86400:
            shutil.rmtree(path)


# ---- apt


def mirror(label):
    """Where this machine has the packages of the archive LABEL from."""
    targets = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages",
                              f"Label: {label}"], capture_output=True, text=True, timeout=60, check=False)
    found = targets.stdout.split()
    if not found:
        raise Failed(f"apt knows no mirror of {label} here; `apt-get update` first?")
    return found[0]


def source(suite):
    archive = mirror("Debian-Security" if suite.endswith("-security") else "Debian")
    return f"deb [signed-by={KEYRING} arch=amd64] {archive} {suite} main"


class Apt:
    """apt with one suite in DIRECTORY."""

    def __init__(self, directory, suite):
        self.directory = directory
        for name in ("lists/partial", "cache/archives/partial", "packages"):
            (directory / name).mkdir(parents=True)
        (directory / "sources.list").write_text(source(suite) + "\n")
        self.options = [f"-oDir::Etc::SourceList={directory}/sources.list", "-oDir::Etc::SourceParts=/dev/null",
                        f"-oDir::State::Lists={directory}/lists", "-oDir::State::Status=/dev/null",
                        f"-oDir::Cache={directory}/cache", "-oAPT::Sandbox::User=root", "-oAcquire::Languages=none"]
        run("apt-get", *self.options, "update")

    def newest(self, pattern):
        names = run("apt-cache", *self.options, "pkgnames").split()
        found = [name for name in names if re.fullmatch(pattern, name)]
        if not found:
            raise Failed(f"no package {pattern} any more; see variants.py")
        return max(found, key=lambda name: [int(number) for number in re.findall(r"\d+", name)])

    def unpack(self, name, into):
        run("apt-get", *self.options, "download", name, cwd=self.directory / "packages")
        for package in (self.directory / "packages").iterdir():
            run("dpkg-deb", "-x", package, into)
            package.unlink()


# ---- kernels


def kernel(series):
    """A directory with the series' vmlinuz, a disk of its modules and its release."""
    with cached(f"kernel-{series}", KERNELS[series]) as (place, new):
        if new:
            make_kernel(KERNELS[series], new)
    return place


def release(series):
    return (kernel(series) / "release").read_text().strip()


def make_kernel(wanted, place):
    apt, tree = Apt(place.parent / "apt", wanted.suite), place.parent / "tree"
    for pattern in wanted.packages:
        apt.unpack(apt.newest(pattern), tree)
    vmlinuz, = tree.rglob("vmlinuz*")
    vmlinuz.rename(place / "vmlinuz")
    modules, = (path for path in tree.rglob("modules") if path.is_dir())
    release, = os.listdir(modules)
    if modules.parent.parent != tree:  # depmod looks below lib
        (tree / "lib").symlink_to("usr/lib")
    run("depmod", "-b", tree, release)
    make_disk(modules, place / "modules.img")
    (place / "release").write_text(release + "\n")


# ---- the root file system


def root():
    """The image of the root file system, one for all kernels."""
    with cached("root") as (place, new):
        if new:
            make_root(new)
    return place / "root.img"


def make_root(place):
    tree = place.parent / "tree"
    run("mmdebstrap", "--mode=root", "--variant=minbase", "--format=directory", f"--include={','.join(PACKAGES)}",
        *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "man", "locale", "info")),
        "--dpkgopt=force-unsafe-io", SUITE, tree, source(SUITE))
    configure(tree)
    label(tree)
    make_disk(tree, place / "root.img", FIRST_SECTOR * SECTOR, 1024)
    partition(place / "root.img")


def configure(tree):
    for unit in [*tree.glob("usr/lib/systemd/*/*.wants/*"), *tree.glob("etc/systemd/*/*.wants/*")]:
        unit.unlink()
    for folder, units in WANTED.items():
        wants = tree / "etc/systemd" / folder
        wants.mkdir(parents=True, exist_ok=True)
        for unit in units:
            (wants / unit).symlink_to(f"/usr/lib/systemd/{folder.split('/')[0]}/{unit}")
    shutil.copy(HERE / "guest/thole-vm.service", tree / "usr/lib/systemd/system")
    shutil.copy(HERE / "guest/thole-vm", tree / "usr/sbin")
    (tree / "etc/systemd/system/tmp.mount").symlink_to("/dev/null")  # bundles are to be on a disk
    (tree / "etc/hostname").write_text("thole-vm\n")
    (tree / "etc/machine-id").write_text("7" * 32 + "\n")
    (tree / "etc/fstab").write_text("")
    (tree / "workspace").mkdir()
    (tree / "usr/lib/modules").mkdir(exist_ok=True)
    delegate = tree / "etc/systemd/system/user@.service.d"
    delegate.mkdir()
    (delegate / "delegate.conf").write_text("[Service]\nDelegate=cpu cpuset io memory pids\n")
    run("chroot", tree, "useradd", "--create-home", "--uid", "1000", "--shell", "/bin/bash", "user")


def label(tree):
    """SELinux's labels, given on a host that need not know any: the image keeps them as extended attributes."""
    run("chroot", tree, "setfiles", "-F", "/etc/selinux/default/contexts/files/file_contexts", "/")


# ---- disks


def make_disk(tree, image, offset=0, spare=16):
    """An ext4 file system of TREE from OFFSET of IMAGE on, with SPARE MiB to fill."""
    used = sum(path.lstat().st_size // 4096 + 2 for path in tree.rglob("*")) * 4096 >> 20
    with open(image, "wb") as file:
        file.truncate(offset + (used * 5 // 4 + spare << 20))
    run("mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-b", "4096",
        "-E", f"offset={offset},root_owner=0:0", "-d", tree, image, f"{used * 5 // 4 + spare}M")


def partition(image):
    """A DOS label with one partition: its kernel finds the root by PARTUUID, whatever name the disk has got."""
    sectors = image.stat().st_size // SECTOR - FIRST_SECTOR
    entry = struct.pack("<8B2I", 0, 0xfe, 0xff, 0xff, 0x83, 0xfe, 0xff, 0xff, FIRST_SECTOR, sectors)
    with open(image, "r+b") as file:
        file.seek(440)
        file.write(struct.pack("<IH", LABEL, 0) + entry + bytes(48) + b"\x55\xaa")
