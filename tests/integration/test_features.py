# SPDX-License-Identifier: LGPL-2.1-or-later
"""`features` (features.md, features-linux.md): what it names is taken, and what is taken is named."""

import ctypes
import errno
import json
import os
from pathlib import Path

import pytest

from harness import host, runtime, schema

# config.md#linux-mount-options, and what crun has beyond it.
MOUNT_OPTIONS = """
    async atime bind defaults dev diratime dirsync exec iversion lazytime loud mand noatime nodev nodiratime noexec
    noiversion nolazytime nomand norelatime nostrictatime nosuid nosymfollow private ratime rbind rdev rdiratime relatime
    remount rexec rnoatime rnodev rnodiratime rnoexec rnorelatime rnostrictatime rnosuid rnosymfollow ro rprivate rrelatime
    rro rrw rshared rslave rstrictatime rsuid rsymfollow runbindable rw shared silent slave strictatime suid symfollow sync
    tmpcopyup unbindable idmap ridmap copy-symlink src-nofollow dest-nofollow
    """.split()

SECCOMP_WORDS = {"actions": "SeccompAction", "operators": "SeccompOperators", "archs": "SeccompArch",
                 "knownFlags": "SeccompFlag"}


@pytest.fixture(scope="module")
def features():
    return json.loads(runtime.call("features").ok().out)


@pytest.fixture(scope="module")
def seccomp(features):
    words = features["linux"]["seccomp"]
    if not words["enabled"]:
        assert words == {"enabled": False}
        pytest.skip("built without seccomp")
    return words


def read(name):
    return json.loads((schema.PLACE / name).read_text())


def words_of(definition):
    return read("defs-linux.json")["definitions"][definition]["enum"]


def plan(box, option=(), **linux):
    """What `plan` says of the default config with these members of `linux`."""
    box.linux.update(linux)
    box.write_config()
    return box.call(*option, "plan", "--json", box.bundle)


def takes(box, **linux):
    return plan(box, **linux).status == 0


def test_follows_the_schema(features):
    schema.validate(features, "features-schema.json")


def test_has_no_member_of_its_own(features):
    """features.md: it MUST NOT contain properties that are not defined."""
    known = read("features-schema.json")["properties"] | read("features-linux.json")
    # What the text of features-linux.md has and its schema forgot.
    known["linux"]["properties"]["memoryPolicy"] = {"properties": {"modes": {}, "flags": {}}}
    known["linux"]["properties"]["intelRdt"]["properties"] |= {"schemata": {}, "monitoring": {}}

    def walk(value, properties, path):
        for name, member in value.items():
            assert name in properties, f"{path}.{name}"
            if isinstance(member, dict) and name != "annotations":
                walk(member, properties[name]["properties"], f"{path}.{name}")

    walk(features, known, "")


def test_versions(features, box):
    assert features["ociVersionMin"] == "1.0.0"
    spec = [line for line in runtime.call("--version").ok().out.splitlines() if line.startswith("spec: ")]
    assert spec == [f"spec: {features['ociVersionMax']}"]
    for version in (features["ociVersionMin"], features["ociVersionMax"]):
        box.config["ociVersion"] = version
        assert takes(box)


def test_hooks(features, box):
    assert features["hooks"] == list(read("config-schema.json")["properties"]["hooks"]["properties"])
    for name in features["hooks"]:
        box.config["hooks"] = {name: [{"path": "relative"}]}
        plan(box).error(f"hooks.{name}[0].path", "not an absolute path")


@pytest.mark.parametrize("option", [
    pytest.param(option, marks=pytest.mark.root("maps the ids of the host's mounts")) if "idmap" in option else option
    for option in MOUNT_OPTIONS])
def test_mount_option(features, box, option):
    """Named if and only if mounts with it are made, and then it is never handed to the file system."""
    box.linux["uidMappings"] = box.linux["gidMappings"] = [{"containerID": 0, "hostID": 0, "size": 10}]
    box.set_namespace("user")
    if option in ("idmap", "ridmap", "copy-symlink", "src-nofollow"):
        box.add_bind("/etc", "/mnt", option)
    else:
        box.add_mount("/mnt", "tmpfs", "tmpfs", option)
    result = plan(box)
    named = option in features["mountOptions"]
    assert (result.status == 0) == named, result
    if named:
        mounts = [step for step in json.loads(result.out) if step.get("target") == "/mnt"]
        assert mounts and not [step for step in mounts if step.get("data")]
    else:
        result.error("mounts[7]", f"the mount option {option} is not supported")


def test_no_other_mount_option(features):
    assert set(features["mountOptions"]) <= set(MOUNT_OPTIONS)
    assert len(features["mountOptions"]) == len(set(features["mountOptions"]))


def test_namespaces(features, box):
    assert sorted(features["linux"]["namespaces"]) == sorted(words_of("NamespaceType"))
    box.linux["uidMappings"] = box.linux["gidMappings"] = [{"containerID": 0, "hostID": 0, "size": 10}]
    assert takes(box, namespaces=[{"type": kind} for kind in features["linux"]["namespaces"]])


def test_capabilities(features, box):
    """All that the kernel knows, in the order of their numbers; and none of them gets a warning."""
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    names = features["linux"]["capabilities"]
    assert len(names) == last + 1
    assert names[0] == "CAP_CHOWN" and names[21] == "CAP_SYS_ADMIN"
    box.capabilities(*names)
    assert "no such capability" not in plan(box).ok().err


def test_cgroup(features, box):
    cgroup = features["linux"]["cgroup"]
    assert cgroup["v1"] and cgroup["v2"] and cgroup["rdma"]
    for name in ("DBUS_SYSTEM_BUS_ADDRESS", "DBUS_SESSION_BUS_ADDRESS"):
        box.environment[name] = "unix:path=/no/such/bus"
    box.linux["cgroupsPath"] = "system.slice:thole:x"
    box.resources["pids"] = {"limit": 5}  # else an ordinary user needs no cgroup
    asked = plan(box, ["--cgroup-manager", "systemd"])
    assert asked.status != 0 and cgroup["systemd"] == ("for a cgroup by systemd" in asked.err)
    assert cgroup["systemd"] == cgroup["systemdUser"]


@pytest.mark.parametrize("member", SECCOMP_WORDS)
def test_seccomp_words(seccomp, member):
    assert sorted(seccomp[member]) == sorted(words_of(SECCOMP_WORDS[member]))


def test_seccomp_words_are_taken(seccomp, box):
    """What is refused of them is so for another reason than the word."""
    rule = {"names": ["getpid"], "action": "SCMP_ACT_LOG"}
    profiles = [{"syscalls": [rule | {"action": word}]} for word in seccomp["actions"]]
    profiles += [{"syscalls": [rule | {"args": [{"index": 0, "value": 1, "op": word}]}]} for word in seccomp["operators"]]
    profiles += [{"architectures": [word]} for word in seccomp["archs"]]
    profiles += [{"flags": [word]} for word in seccomp["knownFlags"]]
    for profile in profiles:
        result = plan(box, seccomp={"defaultAction": "SCMP_ACT_ALLOW"} | profile)
        assert "unknown" not in result.err, result
        assert result.status == 0 or "architectures" in profile or "SCMP_ACT_NOTIFY" in str(profile), result


def test_seccomp_supported_flags(seccomp):
    """seccomp(2): a flag that the kernel knows gets as far as the missing filter."""
    numbers = {"TSYNC": 1, "LOG": 2, "SPEC_ALLOW": 4, "WAIT_KILLABLE_RECV": 32}
    new_listener = 8
    expected = []
    for name, number in numbers.items():
        company = new_listener if name == "WAIT_KILLABLE_RECV" else 0
        assert host.libc.syscall(_seccomp_number(), 1, number | company, None) == -1
        if ctypes.get_errno() == errno.EFAULT:
            expected.append(f"SECCOMP_FILTER_FLAG_{name}")
    assert sorted(seccomp["supportedFlags"]) == sorted(expected)


def _seccomp_number():
    numbers = {"x86_64": 317, "aarch64": 277, "riscv64": 277, "ppc64le": 358, "s390x": 348}
    machine = os.uname().machine
    if machine not in numbers:
        pytest.skip(f"the number of seccomp(2) on {machine} is not known here")
    return numbers[machine]


def test_memory_policy(features, box):
    policy = features["linux"]["memoryPolicy"]
    assert sorted(policy["modes"]) == sorted(words_of("MemoryPolicyMode"))
    assert sorted(policy["flags"]) == sorted(words_of("MemoryPolicyFlag"))
    for mode in policy["modes"]:
        nodes = {} if mode in ("MPOL_DEFAULT", "MPOL_LOCAL") else {"nodes": "0"}
        assert takes(box, memoryPolicy={"mode": mode} | nodes), mode
    for flag in policy["flags"]:
        assert takes(box, memoryPolicy={"mode": "MPOL_BIND", "nodes": "0", "flags": [flag]}), flag


def test_security_modules(features):
    version = runtime.call("--version").ok().out
    assert features["linux"]["apparmor"] == {"enabled": "+APPARMOR" in version}
    assert features["linux"]["selinux"] == {"enabled": "+SELINUX" in version}
    assert features["linux"]["seccomp"]["enabled"] == ("+SECCOMP" in version)


def test_intel_rdt(features, box):
    """Whether the host has it is another question."""
    assert features["linux"]["intelRdt"] == {"enabled": True, "schemata": True, "monitoring": True}
    result = plan(box, intelRdt={"closID": "guaranteed"})
    assert "resctrl" in result.err and "not supported" not in result.err


def test_net_devices(features, box):
    assert features["linux"]["netDevices"] == {"enabled": takes(box, netDevices={"eth7": {}})}


@pytest.mark.root("maps the ids of the host's mounts")
def test_id_mapped_mounts(features, box):
    mapping = [{"containerID": 0, "hostID": 1000, "size": 10}]
    box.add_bind("/etc", "/mnt")
    box.config["mounts"][-1] |= {"uidMappings": mapping, "gidMappings": mapping}
    assert features["linux"]["mountExtensions"] == {"idmap": {"enabled": True}}
    assert takes(box)


def test_annotations(features):
    lines = runtime.call("--version").ok().out.splitlines()
    annotations = features["annotations"]
    assert lines[0].endswith(f" version {annotations['org.thole.version']}")
    assert f"commit: {annotations['org.thole.commit']}" in lines
    if features["linux"]["seccomp"]["enabled"]:
        assert annotations["io.github.seccomp.libseccomp.version"].count(".") == 2


def test_unsafe_annotations(features):
    """What each of them does: test_annotations.py, and of the cgroup's test_delegation.py and test_systemd_bus.py."""
    names = ["delegate-cgroup", "hooks.stderr", "hooks.stdout", "keep_original_groups", "mount_context_type",
             "pidfd_receiver", "seccomp.receiver", "seccomp_fail_unknown_syscall", "systemd.subgroup", "timens_offset"]
    assert sorted(features["potentiallyUnsafeConfigAnnotations"]) == [
        "org.systemd.property.", *(f"run.oci.{name}" for name in names)]


@pytest.mark.parametrize("key", [
    "bundle", "org.criu.config", "org.thole.version", "run.oci.no-delegate-cgroup",
    "module.wasm.image/variant", "io.kubernetes.cri.container-type",
])
def test_safe_annotations(features, box, key):
    """Those of the peers, too, that change nothing here."""
    before = plan(box).ok().out
    box.config["annotations"] = {key: "1"}
    assert not [name for name in features["potentiallyUnsafeConfigAnnotations"]
                if key == name or (name.endswith(".") and key.startswith(name))]
    assert plan(box).ok().out == before


def test_output_is_the_same_every_time():
    assert runtime.call("features").ok().out == runtime.call("features").ok().out
