# SPDX-License-Identifier: LGPL-2.1-or-later
"""containerd, by ctr"""

import json
import re

import pytest

from harness import host


def shell(text):
    return ("sh", "-ec", text)


# Ends at once on SIGTERM, with a status of its own.
OBEDIENT = shell("trap 'exit 3' TERM; echo ready >/tmp/ready; while :; do sleep 0.05; done")
NAMESPACES = "for n in ipc mnt net pid uts; do readlink /proc/{}/ns/$n; done"


@pytest.fixture
def running(ctr):
    """The name of a container that does nothing."""
    return ctr.start("sleep", "600")


# ---- run


def test_run(ctr):
    """run: output, standard error, and the status of the program"""
    result = ctr.try_run(*shell("echo out; echo err >&2; exit 7"))
    assert (result.status, result.out, result.err) == (7, "out\n", "err\n")


def test_run_killed(ctr):
    """run: a program that dies of a signal is 128 and the signal"""
    assert ctr.try_run(*shell("sh -c 'kill -KILL $$' || exit $?")).status == 137


def test_run_stdin(ctr):
    """run: standard input reaches the program"""
    assert ctr.run("head", "-n", "2", stdin="one\ntwo\n") == "one\ntwo"


def test_run_process(ctr):
    """run --env, --cwd: and nothing of the shim's environment"""
    seen = ctr.run("--env=GIVEN=a b", "--cwd=/var/tmp",
                   *shell("echo $GIVEN; pwd; env | cut -d= -f1 | sort | tr '\\n' ' '"))
    given, place, names = seen.splitlines()
    assert (given, place) == ("a b", "/var/tmp")
    assert set(names.split()) <= {"FROM_IMAGE", "GIVEN", "HOME", "PATH", "PWD", "SHLVL"}


@pytest.mark.parametrize("program, words", [
    ("/no/such/program", r"no such file|not found"),
    ("no-such-program", r"executable file not found in \$PATH"),
    ("/not-executable", r"permission denied"),
    ("/etc", r"permission denied|is a directory"),
    ("/no-interpreter", r"/no-interpreter"),
], ids=["absent path", "absent name", "no x bit", "directory", "absent interpreter"])
def test_run_fails(ctr, program, words):
    """run: ctr shows why a program cannot be executed"""
    result = ctr.try_run(program)
    assert result.status != 0 and re.search(words, result.err, re.IGNORECASE), result


def test_terminal(ctr):
    """run --tty: a terminal that follows the caller's size, the status"""
    program = ctr.spawn(*ctr.arguments("--rm", "--tty", "sh"), terminal_of_own=True)
    program.use_terminal("stty size; tty; exit 5\n", r"33 99\s+/dev/(console|pts/0)\s")
    assert program.wait().status == 5


def test_descriptors(ctr):
    """run: nothing but 0, 1, 2 is open in the program"""
    assert ctr.run(*shell("exec ls /proc/self/fd")).split() == ["0", "1", "2", "3"]


def test_mounts(ctr):
    """run --mount: binds with their options, a tmpfs"""
    ctr.world.write("/srv/ctr/file", "content\n")
    seen = ctr.run("--mount=type=bind,src=/srv/ctr,dst=/data,options=rbind:rw",
                   "--mount=type=tmpfs,src=t,dst=/scratch,options=size=1m",
                   "--mount=type=bind,src=/srv/ctr/file,dst=/file,options=bind:ro",
                   *shell("cat /data/file /file; echo new >/data/new; df -k /scratch | tail -1 | awk '{print $2}';"
                          "echo 2>/dev/null >/file || echo ro"))
    assert seen.split() == ["content", "content", "1024", "ro"]
    assert ctr.world.path("/srv/ctr/new").read_text() == "new\n"


def test_mount_absent(ctr):
    """run --mount: a source that is not there is named"""
    ctr.try_run("--mount=type=bind,src=/srv/absent,dst=/data,options=rbind", "true").fails("/srv/absent")


def test_read_only(ctr):
    """run --read-only"""
    ctr.try_run("--read-only", *shell("echo >/etc/a")).fails("Read-only file system")


def test_capabilities(ctr):
    """run --cap-drop, --cap-add"""
    sets = ctr.run("--cap-drop=CAP_CHOWN", "--cap-add=CAP_SYS_TIME", "grep", "CapEff", "/proc/self/status").split()[1]
    assert int(sets, 16) & (1 | 1 << 25 | 1 << 13) == 1 << 25 | 1 << 13


def test_new_privileges(ctr):
    """run: no new privileges, unless --allow-new-privs"""
    status = ("grep", "NoNewPrivs", "/proc/self/status")
    assert ctr.run(*status).endswith("1")
    assert ctr.run("--allow-new-privs", *status).endswith("0")


def test_seccomp(ctr):
    """run --seccomp: containerd's filter"""
    assert ctr.run("--seccomp", "grep", "Seccomp:", "/proc/self/status").endswith("2")


def test_seccomp_profile(ctr):
    """run --seccomp-profile: calls are refused"""
    ctr.world.write("/srv/mkdir.json", json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}]}))
    ctr.try_run("--seccomp", "--seccomp-profile=/srv/mkdir.json", "mkdir", "/tmp/a").fails("not supported")


def test_privileged(ctr):
    """run --privileged: all that the caller has"""
    assert ctr.run("--privileged", *shell("mount -t tmpfs none /tmp; echo mounted")) == "mounted"


def test_device(ctr):
    """run --device: there, and allowed"""
    seen = ctr.run("--device=/dev/fuse", *shell("stat -c %t:%T /dev/fuse; test -e /dev/net || echo no other"))
    assert seen.split("\n") == ["a:e5", "no other"]


MAPS = ("--uidmap=0:100000:5000", "--gidmap=0:200000:5000")


def test_user_namespace(ctr):
    """run --uidmap, --gidmap: a user namespace, as hostUsers: false asks for"""
    seen = ctr.run(*MAPS, *shell("cat /proc/self/uid_map /proc/self/gid_map; id -u"))
    assert seen.split() == ["0", "100000", "5000", "0", "200000", "5000", "0"]


def test_user_namespace_exec(ctr):
    """tasks exec into a user namespace"""
    name = ctr.start(*MAPS, "sleep", "600")
    assert ctr.exec(name, *shell("id -u; cat /proc/self/uid_map")).split() == ["0", "0", "100000", "5000"]


def test_limits(ctr):
    """run --memory-limit, --cpu-quota: in the container's cgroup"""
    name = ctr.start("--memory-limit=33554432", "--cpu-quota=20000", "--cpu-period=100000", "sleep", "600")
    assert ctr.limit(name, "memory", "memory.limit_in_bytes", "memory.max") == str(32 << 20)
    assert ctr.limit(name, "cpu", "cpu.cfs_quota_us", "cpu.max").split()[0] == "20000"


def test_cgroup_path(ctr):
    """run --cgroup: a cgroup of the caller's choice"""
    name = ctr.start("--cgroup=/chosen/cgroup", "sleep", "600")
    assert "chosen/cgroup" in ctr.world.cgroups()
    ctr("tasks", "kill", "--signal=SIGKILL", name)
    ctr.until_status(name, "STOPPED")
    ctr("tasks", "delete", name)
    assert "chosen/cgroup" not in ctr.world.cgroups()


def test_host_network(ctr):
    """run --net-host: the devices of the host"""
    assert ctr.run("--net-host", "readlink", "/proc/self/ns/net") == host.namespace("net", ctr.world.pid)


def test_with_namespaces(ctr, running):
    """run --with-ns: the namespaces of another"""
    pid, _ = ctr.task(running)
    kinds = {"network": "net", "ipc": "ipc", "pid": "pid"}
    joined = [f"--with-ns={kind}:/proc/{pid}/ns/{name}" for kind, name in kinds.items()]
    links = shell("for n in ipc net pid; do readlink /proc/self/ns/$n; done")
    assert ctr.run(*joined, *links) == ctr.exec(running, *links)


def test_no_pivot(ctr):
    """run --no-pivot"""
    assert ctr.run("--no-pivot", "echo", "here") == "here"


def test_rootfs(ctr):
    """run --rootfs: a directory instead of an image"""
    ctr.world.run("sh", "-c", "mkdir -p /srv/root/bin && cp /bin/busybox /srv/root/bin/sh").ok()
    assert ctr("run", "--rm", f"--runc-binary={ctr.oci.path}", "--rootfs", "/srv/root", ctr.name(),
               "/bin/sh", "-c", "echo in root") == "in root"


def test_config(ctr):
    """run --config: a config.json of one's own"""
    ctr.world.run("sh", "-c", "rm -rf /srv/bundle; mkdir -p /srv/bundle && thole spec --bundle /srv/bundle").ok()
    spec = json.loads(ctr.world.path("/srv/bundle/config.json").read_text())
    ctr.world.run("sh", "-c", "mkdir -p /srv/root/bin && cp /bin/busybox /srv/root/bin/sh").ok()
    spec["process"] |= {"terminal": False, "args": ["/bin/sh", "-c", "echo by config"]}
    spec["root"] = {"path": "/srv/root"}
    ctr.world.write("/srv/bundle/config.json", json.dumps(spec))
    assert ctr("run", "--rm", f"--runc-binary={ctr.oci.path}", "--config", "/srv/bundle/config.json",
               ctr.name()) == "by config"


def test_annotations(ctr):
    """run --annotation, --label: taken"""
    assert ctr.run("--annotation=org.example.a=b", "--label=l=m", "echo", "here") == "here"


# ---- tasks


def test_exec(ctr, running):
    """tasks exec: output, standard error, status, standard input"""
    result = ctr.try_exec(running, *shell("cat; echo err >&2; exit 9"), stdin="in\n")
    assert (result.status, result.out, result.err) == (9, "in\n", "err\n")


def test_exec_options(ctr, running):
    """tasks exec --cwd, --user"""
    seen = ctr.exec(running, "--cwd=/var/tmp", "--user=1000:2000", *shell("pwd; id -u; id -g"))
    assert seen.split() == ["/var/tmp", "1000", "2000"]


def test_exec_terminal(ctr, running):
    """tasks exec --tty: a terminal that follows the caller's size, the status"""
    program = ctr.spawn("tasks", "exec", "--exec-id=tty", "--tty", running, "sh", terminal_of_own=True)
    program.use_terminal("stty size; exit 6\n", r"33 99\s")
    assert program.wait().status == 6


def test_exec_detached(ctr, running):
    """tasks exec --detach: it goes on, and its end is noticed"""
    ctr.exec(running, "--detach", *shell("sleep 0.2; echo done >/tmp/done"))
    host.until(lambda: ctr.try_exec(running, "cat", "/tmp/done").out == "done\n", "the file of the detached process")


def test_exec_fails(ctr, running):
    """tasks exec: a program that is not there, by name"""
    result = ctr.try_exec(running, "no-such-program")
    assert result.status != 0 and "executable file not found in $PATH" in result.err, result


def test_exec_namespaces(ctr, running):
    """tasks exec: in all namespaces and the cgroup of the container"""
    assert ctr.exec(running, *shell(NAMESPACES.format("self"))) == ctr.exec(running, *shell(NAMESPACES.format("1")))
    own, first = ctr.exec(running, *shell("cat /proc/self/cgroup; echo; cat /proc/1/cgroup")).split("\n\n")
    assert own == first


def test_exec_many(ctr, running):
    """tasks exec: 30 at a time, none is lost or left"""
    programs = [ctr.spawn("tasks", "exec", f"--exec-id=many{number}", running, "echo", str(number))
                for number in range(30)]
    assert [program.wait(60).ok().out for program in programs] == [f"{number}\n" for number in range(30)]
    host.until(lambda: len(ctr("tasks", "ps", running).splitlines()) == 2, "one process in the container")


def test_exec_after_end(ctr):
    """tasks exec: into a container that has ended is refused"""
    name = ctr.start("true")
    ctr.until_status(name, "STOPPED")
    assert ctr.try_exec(name, "true").status != 0


def test_kill(ctr):
    """tasks kill: SIGTERM is the program's to take"""
    name = ctr.start(*OBEDIENT)
    host.until(lambda: ctr.try_exec(name, "cat", "/tmp/ready").status == 0, "ready")
    ctr("tasks", "kill", "--signal=SIGTERM", name)
    ctr.until_status(name, "STOPPED")
    assert "exit code 3" in ctr.try_("tasks", "delete", name).ok().err


def test_kill_all(ctr, running):
    """tasks kill --all: every process"""
    for number in range(3):
        ctr.exec(running, "--detach", "sleep", "600")
    ctr("tasks", "kill", "--all", "--signal=SIGKILL", running)
    ctr.until_status(running, "STOPPED")
    assert "exit code 137" in ctr.try_("tasks", "delete", running).ok().err


def test_kill_exec(ctr, running):
    """tasks kill --exec-id: only that process"""
    ctr("tasks", "exec", "--detach", "--exec-id=one", running, "sleep", "500")
    ctr("tasks", "kill", "--exec-id=one", "--signal=SIGKILL", running)
    host.until(lambda: "sleep 500" not in ctr.exec(running, "ps"), "the end of the process")
    assert ctr.status(running) == "RUNNING"


def test_kill_ended(ctr):
    """tasks kill: of one that has ended, containerd knows the error by its words"""
    name = ctr.start("true")
    ctr.until_status(name, "STOPPED")
    ctr.try_("tasks", "kill", name).fails("process already finished: not found")


def test_pause(ctr, running):
    """tasks pause, resume: nothing runs in between"""
    ctr("tasks", "pause", running)
    assert ctr.status(running) == "PAUSED"
    ctr("tasks", "resume", running)
    assert ctr.status(running) == "RUNNING"
    assert ctr.exec(running, "echo", "awake") == "awake"


def test_delete_paused(ctr, running):
    """tasks delete --force: of a paused container"""
    ctr("tasks", "pause", running)
    ctr.try_("tasks", "delete", "--force", running)
    host.until(lambda: ctr.task(running) is None, "no task")


def test_ps(ctr, running):
    """tasks ps: the processes of the container"""
    ctr.exec(running, "--detach", "sleep", "600")
    pids = [int(line.split()[0]) for line in ctr("tasks", "ps", running).splitlines()[1:]]
    assert len(pids) == 2 and ctr.task(running)[0] in pids


def test_metrics(ctr, running):
    """tasks metrics: of the container's cgroup"""
    metrics = json.loads(ctr("tasks", "metrics", "--format=json", running))
    assert int(metrics["pids"]["current"]) == 1 and int(metrics["memory"]["usage"]["usage"]) > 0


def test_attach(ctr):
    """tasks attach: to a terminal that somebody left"""
    name = ctr.name()
    program = ctr.spawn(*ctr.arguments("--tty", "--detach", "sh", name=name), terminal_of_own=True)
    program.wait()
    attached = ctr.spawn("tasks", "attach", name, terminal_of_own=True)
    attached.screen.type("echo $((6*7)); exit 4\n")
    attached.screen.expect("42\r")
    assert attached.wait().status == 4


def test_start_twice(ctr):
    """tasks start: a container that has ended is started again"""
    name = ctr.name()
    assert ctr.try_(*ctr.arguments(*shell("echo once; exit 2"), name=name)).status == 2
    for _ in range(3):
        result = ctr.try_("tasks", "start", name)
        assert (result.out, result.status) == ("once\n", 2)


def test_shim_killed(ctr, running):
    """a shim that is killed: containerd has the runtime clear away what it left"""
    shims = [pid for pid, words in ctr.world.pids().items() if "containerd-shim" in words[0] and running in words]
    ctr.world.run("kill", "-KILL", str(shims[0])).ok()
    host.until(lambda: ctr.task(running) is None or ctr.status(running) in ("STOPPED", "UNKNOWN"), "an end of the task")


def test_names(ctr):
    """errors: an id that is in use is refused, and the other goes on"""
    name = ctr.start("sleep", "600")
    assert ctr.try_(*ctr.arguments("--rm", "true", name=name)).status != 0
    assert ctr.status(name) == "RUNNING"


def test_churn(ctr):
    """30 containers one after the other, 10 at a time: nothing is left"""
    for _ in range(3):
        programs = [ctr.spawn(*ctr.arguments("--rm", "true")) for _ in range(10)]
        for program in programs:
            program.wait(120).ok()
