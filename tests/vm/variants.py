# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which kernels there are, and which tests run on which."""

from dataclasses import dataclass

# What does not depend on the kernel's modules: any host must pass these.
EVERYWHERE = ("integration/test_cgroups.py", "integration/test_lifecycle.py", "integration/test_namespaces.py",
              "integration/test_mounts.py", "integration/test_seccomp.py", "vm/test_cgroup_v2.py",
              "vm/test_systemd.py")

CALLERS = ("vm/test_containerd.py", "vm/test_podman.py")

APPARMOR = "security=apparmor"
SELINUX = "security=selinux enforcing=1"
# What systemd 256 and 257 want to hear before they take v1; 258 does not any more.
HYBRID = "systemd.unified_cgroup_hierarchy=0 SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1"


@dataclass(frozen=True)
class Kernel:
    """Debian packages of one series: the newest in SUITE whose names match PACKAGES."""

    suite: str
    packages: tuple[str, ...]


KERNELS = {
    "5.10": Kernel("bullseye-security", (r"linux-image-5\.10\.0-\d+-cloud-amd64",)),
    "6.1": Kernel("bookworm-security", (r"linux-image-6\.1\.0-\d+-cloud-amd64",)),
    "6.12": Kernel("bookworm-backports", (r"linux-image-6\.12\.\d+\+\S+-cloud-amd64",)),
    "7.3": Kernel("trixie-backports", (r"linux-binary-7\.3\.\d+\+\S+-cloud-amd64",
                                       r"linux-modules-7\.3\.\d+\+\S+-cloud-amd64")),
}


@dataclass(frozen=True)
class Variant:
    kernel: str
    arguments: str  # of the kernel
    tests: tuple[str, ...]
    seconds: int = 3600


VARIANTS = {
    "6.1-apparmor": Variant("6.1", APPARMOR, (*EVERYWHERE, "vm/test_apparmor.py", *CALLERS)),
    "6.12-selinux": Variant("6.12", SELINUX, (*EVERYWHERE, "vm/test_selinux.py")),
    "7.3": Variant("7.3", APPARMOR, (*EVERYWHERE, "vm/test_apparmor.py", *CALLERS)),
    "5.10": Variant("5.10", APPARMOR, (*EVERYWHERE, "integration/test_mount_sources.py",
                                       "integration/test_user_namespaces.py", "vm/test_apparmor.py")),
    "6.1-hybrid": Variant("6.1", f"{APPARMOR} {HYBRID}",
                          (*EVERYWHERE, "integration/test_exec.py", "integration/test_update.py")),
}
