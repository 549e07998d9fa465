# SPDX-License-Identifier: LGPL-2.1-or-later
"""Ways out by what the runtime leaves in the container's reach: descriptors, its own program, its privileges, the
caller's terminal."""

import ctypes
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import time
from errno import EACCES, EPERM, ETXTBSY
from pathlib import Path

import pytest
from canary import outside_faults

from harness import host, runtime, seen
from harness.terminal import Terminal

OUTSIDE = ["cwd", "fds", "ls .."]


def leave_open():
    """Directories of the host, open in the caller without close-on-exec."""
    for number in (3, 5, 8):
        os.dup2(os.open("/", os.O_RDONLY | os.O_DIRECTORY), number)
    os.dup2(os.open("/sys/fs/cgroup", os.O_RDONLY | os.O_DIRECTORY), 7)


def descriptors(box, where, through, last):
    """Names of descriptors below WHERE: as they are, or links to them in the image."""
    for number in range(3, last):
        path = f"{where}/{number}"
        if through == "image-link":
            (box.rootfs / "link").unlink(missing_ok=True)
            (box.rootfs / "link").symlink_to(path)
            path = "/link"
        yield number, path


@pytest.mark.parametrize("through", ["config", "image-link"])
@pytest.mark.parametrize("where", ["/proc/self/fd", "/proc/1/fd", "/proc/thread-self/fd", "/dev/fd"])
def test_cwd_is_a_descriptor(box, where, through):
    """CVE-2024-21626: the working directory is a directory that the runtime, or its caller, has open."""
    refused = 0
    for number, path in descriptors(box, where, through, 65):
        box.process["cwd"] = path
        box.set_probe(*OUTSIDE)
        result = box.run(before_exec=leave_open, close_fds=False)
        if result.status:
            refused += 1
            result.error()
        else:
            assert outside_faults(seen.only(result.out)) == [], number
    assert refused


def test_control_outside(box):
    """Without a runtime: a process that is changed into the root with the host's directory open, and stands in it,
    is found out."""

    def stay_outside():
        outside = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
        os.dup2(outside, 5)
        os.chroot(box.rootfs)
        os.fchdir(5)

    program = subprocess.run(["/probe", *seen.words(OUTSIDE)], preexec_fn=stay_outside, close_fds=False, check=True,
                             stdin=subprocess.DEVNULL, capture_output=True, text=True)
    faults = outside_faults(seen.only(program.stdout))
    assert [fault for fault in faults if "working directory" in fault]
    assert [fault for fault in faults if "descriptor 5" in fault]


@pytest.mark.parametrize("number", [3, 5, 6, 7, 8, 9])
def test_cwd_is_a_descriptor_and_a_container_is_created(box, number):
    box.process["cwd"] = f"/proc/self/fd/{number}"
    box.set_probe(*OUTSIDE)
    result = box.try_create("--pid-file", box.dir / "pid", before_exec=leave_open, close_fds=False)
    if result.status:
        result.error()
        return
    box.pid = int((box.dir / "pid").read_text())
    if box.call("start", box.id).status == 0:
        box.wait()
        assert outside_faults(seen.only(result.out)) == []


@pytest.mark.parametrize("number", [3, 5, 7, 8])
def test_program_by_a_descriptor(box, number):
    """The program is named through a directory that the caller has open."""
    box.process["args"] = [f"/proc/self/fd/{number}/usr/bin/env"]
    result = box.run(before_exec=leave_open, close_fds=False)
    assert result.status == 1 and "PATH=" not in result.out


def digest(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


@pytest.fixture
def binary_is_unharmed():
    path = shutil.which(runtime.BINARY)
    before = digest(path), os.stat(path).st_mode
    yield path
    assert (digest(path), os.stat(path).st_mode) == before


@pytest.mark.parametrize("entry", ["self", "script", "link", "interpreter"])
def test_program_is_the_runtime_itself(box, binary_is_unharmed, entry):
    """CVE-2019-5736: the container executes /proc/self/exe, so that a process of its own holds the runtime's
    program."""
    box.config["root"]["readonly"] = False
    box.process["capabilities"] = {}
    if entry == "self":
        box.process["args"] = ["/proc/self/exe"]
    elif entry == "link":
        (box.rootfs / "bin/entry").symlink_to("/proc/self/exe")
        box.process["args"] = ["/bin/entry"]
    else:
        text = "#!/proc/self/exe\n" if entry == "script" else "#!/bin/inner\n"
        (box.rootfs / "bin/entry").write_text(text)
        (box.rootfs / "bin/entry").chmod(0o755)
        (box.rootfs / "bin/inner").symlink_to("/proc/self/exe")
        box.process["args"] = ["/bin/entry"]
    result = box.run(timeout=15)
    assert result.status != 0
    box.assert_clean()


def test_what_waits_in_the_container_is_sealed(box, binary_is_unharmed):
    """A private memfd that nobody can write, whatever privileges he has in the container (also CVE-2022-0847: no
    page of a file of the host's is shared)."""
    box.set_probe("pause")
    box.create()
    with open(f"/proc/{box.pid}/exe", "rb") as file:
        seals = fcntl.fcntl(file, fcntl.F_GET_SEALS)
        status = os.fstat(file.fileno())
    wanted = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
    assert seals & wanted == wanted
    on_disk = os.stat(binary_is_unharmed)
    assert (status.st_dev, status.st_ino) != (on_disk.st_dev, on_disk.st_ino)
    with pytest.raises(OSError) as caught:
        os.open(f"/proc/{box.pid}/exe", os.O_WRONLY)
    assert caught.value.errno in (EPERM, EACCES, ETXTBSY)
    box.delete("--force")


def test_evil_libraries_are_not_loaded(box, binary_is_unharmed):
    """Whatever enters the container is static: the image's loader, its libraries and their configuration are nothing
    to it."""
    for place in ("lib", "lib64", "usr/lib", "usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"):
        (box.rootfs / place).mkdir(parents=True, exist_ok=True)
        for name in ("libc.so.6", "libseccomp.so.2", "libyajl.so.2", "libcap.so.2", "libselinux.so.1",
                     "ld-linux-x86-64.so.2", "ld-musl-x86_64.so.1"):
            (box.rootfs / place / name).write_text("#!/bin/false\n")
    (box.rootfs / "etc/ld.so.preload").write_text("/lib/libc.so.6\n")
    box.process["env"] += ["LD_PRELOAD=/lib/libc.so.6", "LD_LIBRARY_PATH=/lib", "LD_AUDIT=/lib/libc.so.6"]
    assert box.probe("ids")["ids"]["ruid"] == 0


def spy_box(box, milliseconds):
    """A running container whose program looks at others.  It may not trace: CAP_SYS_PTRACE without a user namespace
    of its own is power over all that it can see, and no runtime can take that back."""
    box.capabilities("CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH")
    box.without_network()
    box.set_probe(f"spy {milliseconds}")
    created = box.create()
    box.start()
    return created


def test_spy_next_to_a_joining_container(make_box, binary_is_unharmed):
    """CVE-2016-9962: one container watches its pid namespace while others are created into it.  Descriptors of the
    host, its root, its program must never be reachable, not for an instant."""
    watcher = make_box()
    created = spy_box(watcher, 4000)
    end = time.monotonic() + 3
    joined = 0
    while time.monotonic() < end:
        other = make_box()
        other.without_network()
        other.set_namespace("pid", f"/proc/{watcher.pid}/ns/pid")
        other.set_probe("ids")
        if joined % 2:
            other.create()
            other.start()
            other.wait()
            other.delete()
        else:
            other.run().ok()
        joined += 1
    watcher.wait(20)
    report = seen.only(created.out)["spy 4000"]
    assert joined >= 5
    paths = [line for line in report if host_path(line, watcher)]
    assert paths == [], paths


def host_path(line, box):
    """Whether what the spy has seen is of the host: not the program under test in its own root, a pipe, a socket ..."""
    what, _, target = line.partition(" ")
    if what in ("CapPrm", "CapBnd", "procfs"):
        return False
    if target.startswith(("pipe:", "socket:", "anon_inode:")):
        return what == "opened"
    if target in ("/", "/probe", "/dev/null", "/bin/busybox") or target.startswith(("/proc/", "/dev/pts/")):
        return False
    # The outputs of the test, which are the container's own standard descriptors.
    if "memfd:" in target:
        return what not in ("exe", "fd")
    return not (what in ("fd", "opened") and (target.startswith("/tmp/#") or target.endswith("(deleted)")))


def test_spy_sees_what_there_is_to_see(make_box):
    """The spy itself: a process of its own namespace with an open file is found out."""
    watcher = make_box()
    watcher.capabilities("CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH")
    watcher.process["args"] = ["/bin/sh", "-c", "sleep 5 9</etc/passwd & /probe spy 300"]
    report = seen.only(watcher.run().ok().out)["spy 300"]
    assert "fd /etc/passwd" in report and "opened /bin/busybox" not in report and "exe /bin/busybox" in report


def test_passwd_is_a_device(box, tripwire):
    tripwire(box.rootfs / "etc/passwd")
    assert box.probe("env").environment["HOME"] == "/"


KEYCTL = 250 if os.uname().machine == "x86_64" else 219
JOIN_SESSION_KEYRING, SETPERM = 1, 5


def open_keyring(name):
    """Makes a session keyring of NAME that anybody may search and change."""
    serial = host.check(host.libc.syscall(KEYCTL, JOIN_SESSION_KEYRING, name.encode(), 0, 0, 0), "keyctl")
    host.check(host.libc.syscall(KEYCTL, SETPERM, serial, 0x3f3f3f3f, 0, 0), "keyctl")


def test_session_keyring_of_somebody_else(box):
    """Another user of the host has a keyring with the name that runtimes give to the container's."""
    waiting = subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, user=1000, group=1000,
                               preexec_fn=lambda: open_keyring(f"_ses.{box.id}"))
    runtime.started.add(waiting.pid)
    try:
        keyring = box.probe("keyring")["keyring"]
    finally:
        waiting.communicate()
    assert keyring["description"].split(";")[1] == "0", keyring


def test_inheritable_capabilities_of_the_caller(box):
    """CVE-2022-29162: what the caller may inherit, the container's set-capability files would get."""

    def inherit():
        header = (ctypes.c_uint32 * 2)(0x20080522, 0)
        data = (ctypes.c_uint32 * 6)()
        host.check(host.libc.capget(header, data), "capget")
        data[2], data[5] = data[1], data[4]
        host.check(host.libc.capset(header, data), "capset")

    caps = box.probe("caps", before_exec=inherit)["caps"]
    assert caps["inheritable"] == [] and caps["ambient"] == []


def test_ambient_capabilities_of_the_caller(box):
    def raise_ambient():
        header = (ctypes.c_uint32 * 2)(0x20080522, 0)
        data = (ctypes.c_uint32 * 6)()
        host.check(host.libc.capget(header, data), "capget")
        data[2] = data[1]
        host.check(host.libc.capset(header, data), "capset")
        host.check(host.libc.prctl(47, 2, 0, 0, 0), "prctl")  # PR_CAP_AMBIENT_RAISE CAP_CHOWN

    box.process["user"] = {"uid": 1000, "gid": 1000}
    caps = box.probe("caps", before_exec=raise_ambient)["caps"]
    assert caps["ambient"] == caps["permitted"] == caps["effective"] == []


def test_numeric_user_is_not_looked_up_in_the_image(box):
    """CVE-2016-3697: the image's passwd calls user 0 "1000"."""
    (box.rootfs / "etc/passwd").write_text("1000:x:0:0:evil:/root:/bin/sh\n")
    (box.rootfs / "etc/group").write_text("1000:x:0:1000\n")
    box.process["user"] = {"uid": 1000, "gid": 1000}
    ids = box.probe("ids")["ids"]
    assert (ids["ruid"], ids["rgid"], ids["groups"]) == (1000, 1000, [])


@pytest.mark.parametrize("passwd", ["fifo", "link-out", "huge", "directory", "loop"])
def test_hostile_passwd(box, canary, passwd):
    """It is read for HOME only; a FIFO, an endless file or a link out must do no harm."""
    place = box.rootfs / "etc/passwd"
    place.unlink()
    if passwd == "fifo":
        os.mkfifo(place)
    elif passwd == "link-out":
        (canary.place / "passwd-elsewhere").write_text("")
        (canary.place / "passwd-elsewhere").unlink()
        place.symlink_to(f"../../../../../..{canary.place}/file")
    elif passwd == "huge":
        with open(place, "wb") as file:
            file.truncate(1 << 40)
    elif passwd == "directory":
        place.mkdir()
    else:
        place.symlink_to("passwd")
    box.set_probe("env")
    result = box.run(timeout=15)
    assert result.status in (0, 1)
    if result.status == 0:
        assert seen.only(result.out).environment["HOME"] == "/"


def test_terminal_of_the_caller_cannot_be_typed_into(box):
    """Standard input is the caller's terminal, and process.terminal is false: it is not the container's to take
    over."""
    terminal = Terminal()
    box.set_probe(("tiocsti", "x"), "open /dev/tty rw", "pids", "tty")
    running = box.spawn_run(stdin=terminal.slave, before_exec=terminal.control)
    running.wait().ok()
    report = seen.only(running.out)
    assert report["tty"]["isatty"][0]
    assert "errno" in report["tiocsti x"]
    assert "errno" in report["open /dev/tty rw"]
    assert report["pids"]["terminal_session"] == -1
    os.set_blocking(terminal.slave, False)
    with pytest.raises(BlockingIOError):
        os.read(terminal.slave, 1)
    terminal.close()


@pytest.mark.parametrize("view", host.VIEWS)
def test_cgroups_of_the_host_cannot_be_written(box):
    """CVE-2023-25809: a user namespace without a cgroup namespace; the container's cgroup belongs to its mapped
    root, as in a rootless delegation."""
    box.set_namespace("user")
    box.linux["uidMappings"] = box.linux["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    box.without_namespace("cgroup")
    box.set_probe("ls /sys/fs/cgroup", "trap 1", "mkdir /sys/fs/cgroup/evil",
                  f"mkdir /sys/fs/cgroup{box.cgroup}/evil", f"mkdir /sys/fs/cgroup/memory{box.cgroup}/evil",
                  "mkdir /sys/fs/cgroup/memory/evil")
    created = box.create()
    for root in set(host.view_hierarchies(box.view).values()):
        # What a caller that delegates the group does.
        os.chown(f"{root}{box.cgroup}", 100000, 100000)
    box.start()
    host.until(lambda: "trap" in created.out, "the probe's report")
    box.kill("TERM")
    box.wait()
    report = seen.parse(created.out)[-1]
    for command, answer in report.items():
        if command.startswith("mkdir"):
            assert isinstance(answer, dict) and answer["errno"], (command, answer)
    for path in host.cgroups_named(box.id):
        assert not path.endswith("evil")


def test_long_messages_do_not_overflow(box):
    """CVE-2021-43784: more than 64 KiB of whatever is handed from the runtime to its init; what comes after is still
    done."""
    box.process["env"] += [f"X{i}={'v' * 1000}" for i in range(900)]
    for i in range(400):
        box.add_mount(f"/many/{'p' * 150}/{i}", "tmpfs", "tmpfs", "size=4k")
    box.linux["sysctl"] = {"kernel.domainname": "last.example"}
    box.linux["maskedPaths"] += [f"/no/such/{'m' * 200}/{i}" for i in range(1500)]
    box.config["annotations"] = {f"key{i}": "a" * 500 for i in range(1000)}
    report = box.probe("uname", "ns", "prctl", "caps", "ids")
    assert report["uname"]["domainname"] == "last.example"
    assert report["prctl"]["no_new_privs"] == 1
    assert report["caps"]["effective"] == [5, 10, 29]
    for kind in ("pid", "net", "mnt", "uts", "ipc", "cgroup"):
        assert report["ns"][kind] != host.namespace(kind), kind


def test_hook_environment_cannot_be_injected(box):
    """Line breaks and quotes in the state's strings stay data."""
    box.config["annotations"] = {'a"b\nc': '"}\n{"id": "other", "pid": 1}'}
    out = box.dir / "state"
    box.config["hooks"] = {"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", f"cat > {out}"]}]}
    box.probe("ids")
    state = json.loads(out.read_text())
    assert state["id"] == box.id and state["annotations"] == box.config["annotations"]
