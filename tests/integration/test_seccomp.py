# SPDX-License-Identifier: LGPL-2.1-or-later
"""linux.seccomp: what the filter does to system calls, seen by making them."""

import ctypes
import fcntl
import json
import os
import platform
import signal
import socket
import struct
import threading
from errno import EACCES, ENOSYS, EPERM

import pytest

from harness import host, schema, seen
from harness.seen import failed

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="the system call numbers here are x86-64's")

# sched_yield ignores its arguments, so any can be given; getpgid(0) is harmless.
SCHED_YIELD, GETPGID = 24, 121
KILLED = 128 + signal.SIGSYS

ARCHES = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]


def rule(action="SCMP_ACT_ERRNO", names=("sched_yield",), errno=None, args=None):
    made = {"names": list(names), "action": action}
    if errno is not None:
        made["errnoRet"] = errno
    if args:
        made["args"] = args
    return made


def profile(*rules, default="SCMP_ACT_ALLOW", **more):
    return {"defaultAction": default, "architectures": ARCHES, "syscalls": list(rules), **more}


def test_mode(box):
    box.linux["seccomp"] = profile(rule())
    assert box.probe("prctl")["prctl"]["seccomp"] == 2


def test_errno_is_eperm_if_not_said(box):
    box.linux["seccomp"] = profile(rule())
    report = box.probe(f"syscall {SCHED_YIELD}", f"syscall {GETPGID}")
    assert failed(report[f"syscall {SCHED_YIELD}"], EPERM)
    assert report[f"syscall {GETPGID}"] == 1


@pytest.mark.parametrize("errno", [0, 1, 38, 77, 4094])
def test_errno(box, errno):
    box.linux["seccomp"] = profile(rule(errno=errno))
    answer = box.probe(f"syscall {SCHED_YIELD}")[f"syscall {SCHED_YIELD}"]
    assert answer == (0 if errno == 0 else {"errno": errno})


def test_default_errno(box):
    """All is denied with an errno of our choice but what a static program needs."""
    needed = ["arch_prctl", "brk", "execve", "exit_group", "fcntl", "getpgid", "ioctl", "mmap", "mprotect", "munmap",
              "set_tid_address", "write", "writev", "prlimit64", "readlink", "getrandom", "rseq", "set_robust_list"]
    box.linux["seccomp"] = profile(rule("SCMP_ACT_ALLOW", needed), default="SCMP_ACT_ERRNO", defaultErrnoRet=ENOSYS)
    report = box.probe(f"syscall {SCHED_YIELD}", f"syscall {GETPGID}", "umask")
    assert failed(report[f"syscall {SCHED_YIELD}"], ENOSYS)
    assert report[f"syscall {GETPGID}"] == 1


@pytest.mark.parametrize("action", ["SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD",
                                    "SCMP_ACT_TRAP"])
def test_killing_actions(box, action):
    box.linux["seccomp"] = profile(rule(action))
    box.set_probe(f"syscall {SCHED_YIELD}")
    assert box.run().status == KILLED


@pytest.mark.parametrize("action, answer", [("SCMP_ACT_ALLOW", 0), ("SCMP_ACT_LOG", 0),
                                            ("SCMP_ACT_TRACE", {"errno": ENOSYS})])
def test_harmless_actions(box, action, answer):
    """The kernel answers ENOSYS for TRACE when nobody traces."""
    box.linux["seccomp"] = profile(rule(action), rule("SCMP_ACT_ERRNO", ["getpgid"]))
    assert box.probe(f"syscall {SCHED_YIELD}")[f"syscall {SCHED_YIELD}"] == answer


OPERATORS = [
    ("SCMP_CMP_NE", 7, 0, {6, 8, 0}), ("SCMP_CMP_LT", 7, 0, {0, 6}), ("SCMP_CMP_LE", 7, 0, {0, 6, 7}),
    ("SCMP_CMP_EQ", 7, 0, {7}), ("SCMP_CMP_GE", 7, 0, {7, 8, 1 << 40}), ("SCMP_CMP_GT", 7, 0, {8, 1 << 40}),
    # value is the mask, valueTwo what must remain.
    ("SCMP_CMP_MASKED_EQ", 0xf0, 0x20, {0x20, 0x2f, 0x120}),
]


@pytest.mark.parametrize("operator, value, second, matching", OPERATORS, ids=[row[0] for row in OPERATORS])
def test_operator(box, operator, value, second, matching):
    tried = {0, 6, 7, 8, 1 << 40, 0x20, 0x2f, 0x120, 0x30}
    if operator == "SCMP_CMP_NE":
        matching = tried - {7}
    if operator in ("SCMP_CMP_GE", "SCMP_CMP_GT"):
        matching = matching | {0x20, 0x2f, 0x120, 0x30}
    condition = {"index": 0, "value": value, "valueTwo": second, "op": operator}
    box.linux["seccomp"] = profile(rule(errno=77, args=[condition]))
    report = box.probe(*[f"syscall {SCHED_YIELD}:{argument}" for argument in tried])
    denied = {argument for argument in tried if failed(report[f"syscall {SCHED_YIELD}:{argument}"], 77)}
    assert denied == matching


@pytest.mark.parametrize("index", range(6))
def test_every_argument(box, index):
    box.linux["seccomp"] = profile(rule(errno=77, args=[{"index": index, "value": 5, "op": "SCMP_CMP_EQ"}]))
    right = ":".join(["0"] * index + ["5"])
    wrong = ":".join(["5"] * index + ["0"])
    report = box.probe(f"syscall {SCHED_YIELD}:{right}", f"syscall {SCHED_YIELD}:{wrong}")
    assert failed(report[f"syscall {SCHED_YIELD}:{right}"], 77)
    assert report[f"syscall {SCHED_YIELD}:{wrong}"] == 0


def test_64_bit_values(box):
    big = (1 << 64) - 1
    box.linux["seccomp"] = profile(rule(errno=77, args=[{"index": 0, "value": big, "op": "SCMP_CMP_EQ"}]))
    report = box.probe(f"syscall {SCHED_YIELD}:{big}", f"syscall {SCHED_YIELD}:{0xffffffff}")
    assert failed(report[f"syscall {SCHED_YIELD}:{big}"], 77)
    assert report[f"syscall {SCHED_YIELD}:{0xffffffff}"] == 0


def test_conditions_on_two_arguments_are_a_conjunction(box):
    conditions = [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}, {"index": 1, "value": 2, "op": "SCMP_CMP_EQ"}]
    box.linux["seccomp"] = profile(rule(errno=77, args=conditions))
    report = box.probe(f"syscall {SCHED_YIELD}:1:2", f"syscall {SCHED_YIELD}:1:3", f"syscall {SCHED_YIELD}:3:2")
    assert [failed(answer, 77) for answer in report.values()] == [True, False, False]


def test_conditions_on_the_same_argument_are_alternatives(box):
    """As runc reads them, and Docker's default profile needs: libseccomp takes one condition an argument."""
    conditions = [{"index": 0, "value": value, "op": "SCMP_CMP_EQ"} for value in (1, 2)]
    box.linux["seccomp"] = profile(rule(errno=77, args=conditions))
    report = box.probe(*[f"syscall {SCHED_YIELD}:{value}" for value in (1, 2, 3)])
    assert [failed(answer, 77) for answer in report.values()] == [True, True, False]


def test_two_rules_for_one_call(box):
    box.linux["seccomp"] = profile(rule(errno=11, args=[{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]),
                                   rule(errno=22, args=[{"index": 0, "value": 2, "op": "SCMP_CMP_EQ"}]))
    report = box.probe(*[f"syscall {SCHED_YIELD}:{value}" for value in (1, 2, 3)])
    assert list(report.values()) == [{"errno": 11}, {"errno": 22}, 0]


def test_32_bit_calls_are_filtered(box):
    """getpid is 20 and 39 in the two tables; a filter that only knows one leaves the other open."""
    box.linux["seccomp"] = profile(rule(names=["getpid"], errno=77))
    report = box.probe("syscall32 20", "syscall 39")
    assert failed(report["syscall 39"], 77)
    assert failed(report["syscall32 20"], 77) or failed(report["syscall32 20"], ENOSYS)


def test_architecture_that_is_not_listed_is_killed(box, probe_here):
    if failed(probe_here("syscall32 20")["syscall32 20"], ENOSYS):
        pytest.skip("this kernel has no 32-bit system calls")
    box.linux["seccomp"] = profile(rule()) | {"architectures": ["SCMP_ARCH_X86_64"]}
    box.set_probe("syscall32 20")
    assert box.run().status == KILLED


def test_calls_that_libseccomp_does_not_know_are_no_error(box):
    box.linux["seccomp"] = profile(rule(names=["no_such_call", "sched_yield"]))
    assert failed(box.probe(f"syscall {SCHED_YIELD}")[f"syscall {SCHED_YIELD}"], EPERM)


def test_calls_that_libseccomp_does_not_know_are_an_error_if_asked_for(make_box):
    """Also where the same profile was compiled before without that."""
    lenient, strict = make_box(), make_box()
    strict.root = lenient.root
    for box in (lenient, strict):
        box.linux["seccomp"] = profile(rule(names=["sched_yield", "no_such_call"]))
    lenient.config["annotations"] = {"run.oci.seccomp_fail_unknown_syscall": "0"}
    assert failed(lenient.probe(f"syscall {SCHED_YIELD}")[f"syscall {SCHED_YIELD}"], EPERM)
    strict.config["annotations"] = {"run.oci.seccomp_fail_unknown_syscall": "1"}
    strict.try_create().error("linux.seccomp.syscalls[0].names[1]", 'libseccomp knows no system call "no_such_call"')
    strict.assert_clean()


def test_call_newer_than_the_profile_is_enosys(box):
    """A program asks for a call that its profile has never heard of: ENOSYS lets libc fall back, EPERM does not."""
    names = ["arch_prctl", "brk", "execve", "exit_group", "fcntl", "ioctl", "mmap", "mprotect", "munmap", "rseq",
             "set_tid_address", "write", "writev", "getrandom", "readlink", "prlimit64", "set_robust_list"]
    box.linux["seccomp"] = profile(rule("SCMP_ACT_ALLOW", names), default="SCMP_ACT_ERRNO")
    io_uring_setup, newest_named = 425, 334
    report = box.probe("syscall 999", f"syscall {io_uring_setup}", f"syscall {newest_named - 1}",
                       f"syscall {SCHED_YIELD}")
    assert failed(report["syscall 999"], ENOSYS)
    assert failed(report[f"syscall {io_uring_setup}"], ENOSYS)
    assert failed(report[f"syscall {newest_named - 1}"], EPERM)
    assert failed(report[f"syscall {SCHED_YIELD}"], EPERM)


@pytest.mark.parametrize("flag", ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
                                  "SECCOMP_FILTER_FLAG_TSYNC"])
def test_flag(box, flag):
    box.linux["seccomp"] = profile(rule(), flags=[flag])
    assert failed(box.probe(f"syscall {SCHED_YIELD}")[f"syscall {SCHED_YIELD}"], EPERM)


def test_empty_flags(box):
    box.linux["seccomp"] = profile(rule(), flags=[])
    assert failed(box.probe(f"syscall {SCHED_YIELD}")[f"syscall {SCHED_YIELD}"], EPERM)


LAST_STEPS = ["write", "writev", "close", "close_range", "getcwd", "chdir", "fchdir", "setuid", "setgid", "setgroups",
              "capset", "prctl", "fstat", "newfstatat", "openat", "open", "fcntl", "dup", "dup2", "dup3", "read",
              "sendmsg", "recvmsg", "socket", "connect", "getdents64", "lseek", "mmap2", "keyctl", "ioctl", "umask"]


@pytest.mark.parametrize("no_new_privileges", [True, False])
@pytest.mark.parametrize("user", [0, 1000])
def test_filter_does_not_block_the_last_steps_of_the_runtime(box, no_new_privileges, user):
    """What the runtime itself does between loading the filter and executing the program must need nothing."""
    box.process["noNewPrivileges"] = no_new_privileges
    box.process["user"] = {"uid": user, "gid": user}
    box.linux["seccomp"] = profile(rule(names=LAST_STEPS, action="SCMP_ACT_KILL_PROCESS"))
    # busybox needs some of them; what the test needs is that it gets to run, and is killed then, or ends well.
    box.process["args"] = ["/probe", "exit", "7"]
    assert box.run().status in (KILLED, 7)
    box.linux["seccomp"] = profile(rule(names=[name for name in LAST_STEPS if name not in ("write", "writev")],
                                        errno=EACCES))
    assert box.run().status == 7


@pytest.mark.parametrize("action", ["SCMP_ACT_ERRNO", "SCMP_ACT_TRACE"])
def test_filter_that_forbids_execve_and_exit(box, action):
    """An error at once: init can neither go on nor exit, and must not try for ever."""
    box.linux["seccomp"] = {"defaultAction": action}
    reason = os.strerror(EPERM if action == "SCMP_ACT_ERRNO" else ENOSYS)
    box.run().error("process.args", reason)
    box.assert_clean()
    box.create()
    box.call("start", box.id).error("process.args", reason)
    assert box.status() == "stopped"


def test_filter_also_holds_for_created_containers(box):
    box.linux["seccomp"] = profile(rule(errno=77))
    box.set_probe(f"syscall {SCHED_YIELD}")
    created = box.create()
    box.start()
    box.wait()
    assert failed(seen.only(created.out)[f"syscall {SCHED_YIELD}"], 77)


def test_second_start_filters_the_same(make_box):
    """Compiled filters are cached below the root; the second container gets its filter from there."""
    first, second, third = make_box(), make_box(), make_box()
    second.root = third.root = first.root
    for box in (first, second):
        box.linux["seccomp"] = profile(rule(errno=77))
        assert failed(box.probe(f"syscall {SCHED_YIELD}")[f"syscall {SCHED_YIELD}"], 77)
    third.linux["seccomp"] = profile(rule(errno=78))
    assert failed(third.probe(f"syscall {SCHED_YIELD}")[f"syscall {SCHED_YIELD}"], 78)


def cached(root):
    """Files in the runtime's own directories below its root."""
    return [path for place in root.glob(".*") for path in place.rglob("*") if path.is_file()]


@pytest.mark.parametrize("damage", ["truncated", "emptied", "garbled"])
def test_damaged_cache_is_not_believed(make_box, damage):
    first, second = make_box(), make_box()
    second.root = first.root
    for box in (first, second):
        box.linux["seccomp"] = profile(rule(errno=77))
    first.probe("prctl")
    files = cached(first.root)
    assert files, "no filter was cached"
    for path in files:
        content = path.read_bytes()
        if damage == "truncated":
            path.write_bytes(content[:len(content) // 2])
        elif damage == "emptied":
            path.write_bytes(b"")
        else:
            path.write_bytes(bytes(byte ^ 0x55 for byte in content))
    assert failed(second.probe(f"syscall {SCHED_YIELD}")[f"syscall {SCHED_YIELD}"], 77)


def test_cache_does_not_grow_with_every_start(make_box):
    boxes = [make_box() for _ in range(3)]
    for box in boxes:
        box.root = boxes[0].root
        box.linux["seccomp"] = profile(rule(errno=77))
        box.probe("prctl")
    assert len(cached(boxes[0].root)) <= 2


@pytest.mark.parametrize("change, word", [
    ({"defaultAction": "SCMP_ACT_MAYBE"}, "SCMP_ACT_MAYBE"),
    ({"architectures": ["SCMP_ARCH_VAX"]}, "SCMP_ARCH_VAX"),
    ({"flags": ["SECCOMP_FILTER_FLAG_ODD"]}, "SECCOMP_FILTER_FLAG_ODD"),
    ({"listenerMetadata": "x"}, "needs listenerPath"), ({"listenerPath": 7}, "listenerPath"),
    ({"defaultAction": "SCMP_ACT_NOTIFY", "listenerPath": "/x"}, "cannot be the default action"),
    ({"defaultErrnoRet": 5}, "returns no errno"), ({"syscalls": [rule("SCMP_ACT_ALLOW", errno=5)]}, "returns no errno"),
    ({"syscalls": [rule(errno=5000)]}, "is no errno"), ({"syscalls": [rule(names=[])]}, "at least one system call"),
    ({"syscalls": [{"names": ["read"], "action": "SCMP_ACT_MAYBE"}]}, "SCMP_ACT_MAYBE"),
    ({"syscalls": [{"action": "SCMP_ACT_ALLOW"}]}, "names"),
    ({"syscalls": [rule(args=[{"index": 6, "value": 1, "op": "SCMP_CMP_EQ"}])]}, "index"),
    ({"syscalls": [rule(args=[{"index": 0, "value": 1, "op": "SCMP_CMP_ABOUT"}])]}, "SCMP_CMP_ABOUT"),
    ({"syscalls": [rule(args=[{"index": 0, "value": -1, "op": "SCMP_CMP_EQ"}])]}, "value"),
    ({"syscalls": [rule(args=[{"index": 0, "value": 1 << 64, "op": "SCMP_CMP_EQ"}])]}, "value"),
])
def test_bad_profile(box, change, word):
    box.linux["seccomp"] = profile(rule()) | change
    box.try_create().error("linux.seccomp", word)
    box.assert_clean()


class Listener:
    """An agent for SCMP_ACT_NOTIFY: takes the listener's descriptor and answers one notification with an errno."""

    NOTIF_RECV, NOTIF_SEND = 0xc0502100, 0xc0182101

    def __init__(self, path, errno):
        self.path, self.errno, self.state, self.failure, self.fds = path, errno, None, None, []
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(path))
        self.socket.listen()
        self.socket.settimeout(10)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        try:
            connection, _ = self.socket.accept()
            connection.settimeout(10)
            text, fds, _, _ = socket.recv_fds(connection, 65536, 4)
            self.state = json.loads(text)
            self.fds = fds
            self.more = connection.recv(1)
            request = bytearray(80)
            fcntl.ioctl(fds[0], self.NOTIF_RECV, request)
            identity, = struct.unpack_from("Q", request)
            self.call, = struct.unpack_from("i", request, 16)
            fcntl.ioctl(fds[0], self.NOTIF_SEND, struct.pack("QqiI", identity, 0, -self.errno, 0))
        except Exception as error:  # told to the test, which is in another thread
            self.failure = error
        finally:
            self.socket.close()

    def answered(self):
        self.thread.join(10)
        assert self.failure is None

    def close(self):
        for fd in self.fds:
            os.close(fd)


@pytest.fixture
def listener(box):
    made = Listener(box.dir / "agent", 99)
    yield made
    made.close()


@pytest.mark.parametrize("metadata", ["about this one", "", None])
@pytest.mark.parametrize("command", ["run", "start"])
def test_notify(box, listener, command, metadata):
    more = {} if metadata is None else {"listenerMetadata": metadata}
    box.linux["seccomp"] = profile(rule("SCMP_ACT_NOTIFY"), listenerPath=str(box.dir / "agent"), **more)
    box.config["annotations"] = {"org.example.key": "value"}
    box.set_probe("pids", f"syscall {SCHED_YIELD}", "pause")
    created = box.create() if command == "start" else box.run("--detach", "--pid-file", box.dir / "pid").ok()
    box.pid = int((box.dir / "pid").read_text())
    if command == "start":
        box.start()
    report = json.loads(host.until(lambda: created.out, "report"))
    listener.answered()
    assert failed(report[f"syscall {SCHED_YIELD}"], 99)
    assert listener.call == SCHED_YIELD
    assert listener.more == b""  # one state, and the connection is closed
    # config-linux.md, the container process state: these members and no others, and descriptors by their names.
    state = box.state()
    assert len(listener.fds) == 1
    assert listener.state == {
        "ociVersion": "1.3.0", "fds": ["seccompFd"], "pid": box.pid, **({"metadata": metadata} if more else {}),
        "state": {key: state[key] for key in ("ociVersion", "id", "pid", "bundle", "annotations")}
        | {"status": "creating"},
    }
    schema.validate(listener.state["state"], "state-schema.json")
    box.stop()


def test_notify_by_annotation(box, listener):
    box.linux["seccomp"] = profile(rule("SCMP_ACT_NOTIFY"))
    box.config["annotations"] = {"run.oci.seccomp.receiver": str(box.dir / "agent")}
    assert failed(box.probe(f"syscall {SCHED_YIELD}")[f"syscall {SCHED_YIELD}"], 99)
    listener.answered()


def test_notify_by_annotation_and_path(box):
    box.linux["seccomp"] = profile(rule("SCMP_ACT_NOTIFY"), listenerPath="/one")
    box.config["annotations"] = {"run.oci.seccomp.receiver": "/other"}
    box.try_create().error('annotations["run.oci.seccomp.receiver"]', "linux.seccomp.listenerPath says it, too")


def test_notify_with_killable_waits(box, listener):
    """The only flag that needs a listener."""
    box.linux["seccomp"] = profile(rule("SCMP_ACT_NOTIFY"), listenerPath=str(box.dir / "agent"),
                                   flags=["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"])
    if host.KERNEL < (5, 19):
        box.try_create().error("linux.seccomp", "this kernel does not support SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV")
        return
    assert failed(box.probe(f"syscall {SCHED_YIELD}")[f"syscall {SCHED_YIELD}"], 99)
    listener.answered()


def test_notify_over_a_long_path(box):
    """Longer than an address of a socket can be."""
    deep = box.directory("d" * 120)
    here = os.open(deep, os.O_PATH)
    listener = Listener(f"/proc/self/fd/{here}/agent", 99)
    box.linux["seccomp"] = profile(rule("SCMP_ACT_NOTIFY"), listenerPath=str(deep / "agent"))
    try:
        assert failed(box.probe(f"syscall {SCHED_YIELD}")[f"syscall {SCHED_YIELD}"], 99)
        listener.answered()
    finally:
        listener.close()
        os.close(here)


def test_notify_without_a_listener(box):
    box.linux["seccomp"] = profile(rule("SCMP_ACT_NOTIFY"))
    box.try_create().error("linux.seccomp", "listenerPath")
    box.assert_clean()


def test_notify_where_nobody_listens(box):
    box.linux["seccomp"] = profile(rule("SCMP_ACT_NOTIFY"), listenerPath=str(box.dir / "nobody"))
    box.set_probe("ids")
    box.run().error(str(box.dir / "nobody"))
    box.assert_clean()


def test_large_profile(box):
    """As a caller's default profile is: some hundred names, argument rules, three architectures."""
    names = sorted(libseccomp_names())
    assert len(names) > 250
    allowed = [name for name in names if name != "sched_yield"]
    rules = [rule("SCMP_ACT_ALLOW", allowed)]
    rules += [rule("SCMP_ACT_ALLOW", ["sched_yield"], args=[{"index": 1, "value": value, "op": "SCMP_CMP_EQ"}])
              for value in range(5)]
    box.linux["seccomp"] = profile(*rules, default="SCMP_ACT_ERRNO")
    report = box.probe(f"syscall {SCHED_YIELD}:0:4", f"syscall {SCHED_YIELD}:0:9", "ids", "fds")
    assert report[f"syscall {SCHED_YIELD}:0:4"] == 0
    assert failed(report[f"syscall {SCHED_YIELD}:0:9"], EPERM)


def libseccomp_names():
    """Every call of this machine, by libseccomp's own table."""
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_syscall_resolve_num_arch.restype = ctypes.c_void_p
    names = set()
    for number in range(0, 450):
        pointer = library.seccomp_syscall_resolve_num_arch(0xc000003e, number)
        if pointer:
            names.add(ctypes.string_at(pointer).decode())
    return names
