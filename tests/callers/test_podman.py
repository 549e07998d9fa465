# SPDX-License-Identifier: LGPL-2.1-or-later
"""Podman, as root"""

import json
import os
import signal
import stat

import pytest

from harness import host
from harness.notify import Caller


def shell(text):
    return ("sh", "-ec", text)


# Ends at once on SIGTERM, with a status of its own.
OBEDIENT = shell("trap 'echo bye; exit 3' TERM; trap 'echo usr1' USR1; echo ready; while :; do sleep 0.05; done")


def until_logged(podman, name, line):
    host.until(lambda: line in podman("logs", name).splitlines(), f"{line!r} in the log of {name}")


# ---- run


def test_run(podman):
    """run: output, standard error, and the status of the program"""
    result = podman.try_run("--network=none", *shell("echo out; echo err >&2; exit 7"))
    assert (result.status, result.out, result.err) == (7, "out\n", "err\n")


def test_run_killed(podman):
    """run: a program that dies of a signal is 128 and the signal"""
    assert podman.try_run("--network=none", *shell("sh -c 'kill -KILL $$' || exit $?")).status == 137


def test_run_stdin(podman):
    """run -i: standard input reaches the program"""
    assert podman.run("--network=none", "-i", "wc", "-l", stdin="one\ntwo\n") == "2"


def test_run_process(podman):
    """run: environment, working directory, host name, labels of the image"""
    seen = podman.run("--network=none", "--env=GIVEN=a b", "--workdir=/var/tmp", "--hostname=box", "--env=FROM_IMAGE=no",
                      *shell("echo $GIVEN; pwd; hostname; echo $FROM_IMAGE; echo $HOME; echo $container"))
    assert seen.splitlines() == ["a b", "/var/tmp", "box", "no", "/root", "podman"]


def test_run_user(podman):
    """run --user, --group-add: ids, the groups of the image's user, HOME"""
    seen = podman.run("--network=none", "--user=user", "--group-add=3000", *shell("id -u; id -g; id -G; echo $HOME"))
    uid, gid, groups, home = seen.splitlines()
    assert (uid, gid, home) == ("1000", "1000", "/home/user")
    assert {"1000", "2000", "3000"} == set(groups.split())


@pytest.mark.parametrize("program, status, words", [
    ("/no/such/program", {127}, ""),
    ("no-such-program", {127}, "not found in $PATH"),
    ("/not-executable", {126}, "permission denied"),
    ("/etc", {126}, ""),
    ("/no-interpreter", {126, 127}, "/no-interpreter"),
], ids=["absent path", "absent name", "no x bit", "directory", "absent interpreter"])
def test_run_fails(podman, program, status, words):
    """run: 126 or 127 for a program that cannot be executed"""
    result = podman.try_run("--network=none", program)
    assert result.status in status and words.lower() in result.err.lower(), str(result)


def test_run_script(podman):
    """run: a script"""
    assert podman.run("--network=none", "/script") == "hello from /script"


def test_sdnotify(podman):
    """run --sdnotify=container: the service is ready when its program says so"""
    name = podman.name()
    with Caller(podman.world.path(f"/srv/{name}")) as caller:
        podman.world.path(f"/srv/{name}").chmod(0o666)
        told = caller.serve()
        podman("run", "--detach", "--sdnotify=container", "--name", name,
               *podman.with_image(("--network=none", "probe", "notify", "READY=1", "pause")),
               env={"NOTIFY_SOCKET": f"/srv/{name}"})
        assert "READY=1" in told and json.loads(podman("logs", name)) == {"notify READY=1": True, "pause": True}
        main = [line.removeprefix("MAINPID=") for line in told if line.startswith("MAINPID=")]
        assert main[-1] == str(podman.inspect(name, "State.ConmonPid"))


def test_terminal(podman):
    """run -it: a terminal of the caller's size, job control, the status"""
    program = podman.spawn("run", "--rm", "-it", "--network=none", "localhost/box:latest", "sh", terminal_of_own=True)
    screen = program.screen
    screen.expect(r"# ")
    screen.type("tty; echo $((6*7))\n")
    screen.expect(r"/dev/pts/0\r\n42\r\n")
    screen.type("sleep 100\n")
    host.until(lambda: any("sleep" in line for line in podman.world.processes()), "sleep in the container")
    screen.type("\x03")
    screen.expect(r"# ")
    screen.type("exit 5\n")
    assert program.wait().status == 5


def test_terminal_size(podman):
    """run -it: the size of the caller's terminal"""
    program = podman.spawn("run", "--rm", "-it", "--network=none", "localhost/box:latest", *shell(
        "while [ $(stty size | cut -d' ' -f1) = 0 ]; do sleep 0.02; done; stty size; read x; stty size"), terminal_of_own=True,
        rows=31, columns=97)
    program.screen.expect(r"31 97")
    program.screen.type("\n")
    assert program.wait().status == 0


def test_terminal_detached(podman):
    """run -dt, attach: a terminal without anybody at it"""
    name = podman.name()
    podman("run", "-dt", "--name", name, "--network=none", "localhost/box:latest", *shell("tty; read word; echo got $word"))
    until_logged(podman, name, "/dev/pts/0")
    program = podman.spawn("attach", name, terminal_of_own=True)
    program.screen.type("abc\n")
    program.screen.expect("got abc")
    assert program.wait().status == 0


def test_detached(podman):
    """run -d, wait, logs, inspect"""
    name = podman.start("--network=none", *shell("echo one; echo two >&2; exit 4"))
    assert podman("wait", name) == "4"
    log = podman.try_("logs", name).ok()
    assert (log.out, log.err) == ("one\n", "two\n")
    state = podman.inspect(name)
    assert (state["Status"], state["ExitCode"]) == ("exited", 4)


def test_logs_follow(podman):
    """logs -f: until the end of the container"""
    name = podman.start("--network=none", *shell("for i in 1 2 3; do echo line $i; sleep 0.1; done"))
    assert podman("logs", "-f", name).splitlines() == ["line 1", "line 2", "line 3"]


def test_create_start(podman):
    """create, init, start -a, and start once more"""
    name = podman.name()
    podman("create", "--name", name, "--network=none", "localhost/box:latest", "cat", "/proc/sys/kernel/hostname")
    podman("init", name)
    assert podman.inspect(name)["Status"] == "initialized"
    first = podman("start", "--attach", name)
    assert first and podman("start", "--attach", name) == first


def test_rm_created(podman):
    """rm of a container that was initialised and never started"""
    name = podman.name()
    podman("create", "--name", name, "--network=none", "localhost/box:latest", "true")
    podman("init", name)
    podman("rm", "--force", "--time=0", name)
    assert name not in podman("ps", "--all", "--format={{.Names}}").splitlines()
    podman.names.remove(name)


# ---- exec


@pytest.fixture
def running(podman):
    """The name of a container that does nothing for long."""
    return podman.start("--network=none", "sleep", "600")


def test_exec(podman, running):
    """exec: output, standard input, and the status of the program"""
    result = podman.try_("exec", "-i", running, *shell("cat; echo err >&2; exit 9"), stdin="in\n")
    assert (result.status, result.out, result.err) == (9, "in\n", "err\n")


def test_exec_process(podman, running):
    """exec --user, --workdir, --env"""
    seen = podman("exec", "--user=user", "--workdir=/var/tmp", "--env=A=b c", running,
                  *shell("id -u; id -G; pwd; echo $A; echo $FROM_IMAGE"))
    assert seen.splitlines() == ["1000", "1000 2000", "/var/tmp", "b c", "yes"]


@pytest.mark.parametrize("program, status", [("/no/such/program", 127), ("no-such-program", 127), ("/not-executable", 126)],
                         ids=["absent path", "absent name", "no x bit"])
def test_exec_fails(podman, running, program, status):
    """exec: 126 or 127 for a program that cannot be executed"""
    podman.try_("exec", running, program).fails(status=status)


def test_exec_terminal(podman, running):
    """exec -it: a terminal"""
    program = podman.spawn("exec", "-it", running, "sh", terminal_of_own=True, rows=31, columns=97)
    program.screen.expect(r"# ")
    program.screen.type("tty; echo $((6*7))\n")
    program.screen.expect(r"/dev/pts/\d\r\n42\r\n")
    program.screen.type("exit 6\n")
    assert program.wait().status == 6


def test_exec_detached(podman, running):
    """exec -d: a program in the background"""
    podman("exec", "--detach", running, *shell("echo there >/tmp/file"))
    host.until(lambda: podman.try_("exec", running, "cat", "/tmp/file").out == "there\n", "the file of the detached program")


def test_exec_many(podman, running):
    """exec: ten at the same time"""
    programs = [podman.spawn("exec", running, "echo", str(number)) for number in range(10)]
    assert [program.wait(60).ok().out.strip() for program in programs] == [str(number) for number in range(10)]


def test_exec_privileged(podman, running):
    """exec --privileged: all capabilities"""
    def effective(*options):
        return int(podman("exec", *options, running, "grep", "CapEff", "/proc/self/status").split()[1], 16)
    assert effective("--privileged") > effective()


def test_exec_ends_with_container(podman, running):
    """exec: a program ends when its container does"""
    program = podman.spawn("exec", running, "sleep", "600")
    host.until(lambda: list(podman.world.pids().values()).count(["sleep", "600"]) == 2, "the executed program")
    podman("kill", running)
    assert program.wait().status == 137


# ---- signals and states


def test_stop(podman):
    """stop: SIGTERM, and the status of a program that obeys"""
    name = podman.start("--network=none", *OBEDIENT)
    until_logged(podman, name, "ready")
    podman("stop", name)
    assert podman.inspect(name)["ExitCode"] == 3
    assert "bye" in podman("logs", name)


def test_stop_deaf(podman, running):
    """stop: SIGKILL after the time, for pid 1 does not heed SIGTERM"""
    podman.try_("stop", "--time=1", running).ok()
    assert podman.inspect(running)["ExitCode"] == 137


def test_stop_signal(podman):
    """run --stop-signal"""
    name = podman.start("--network=none", "--stop-signal=USR2", *shell("trap 'exit 8' USR2; echo ready; while :; do sleep 0.05; done"))
    until_logged(podman, name, "ready")
    podman("stop", name)
    assert podman.inspect(name)["ExitCode"] == 8


def test_kill(podman):
    """kill: a signal by name, then SIGKILL"""
    name = podman.start("--network=none", *OBEDIENT)
    until_logged(podman, name, "ready")
    podman("kill", "--signal=USR1", name)
    until_logged(podman, name, "usr1")
    podman("kill", name)
    assert podman("wait", name) == "137"
    podman.try_("kill", name).fails("can only kill running containers")


def test_signal_proxy(podman):
    """run: a signal to podman reaches the program"""
    program = podman.spawn("run", "--rm", "--network=none", "localhost/box:latest", *OBEDIENT)
    program.line()
    program.signal(signal.SIGTERM)
    assert program.wait().status == 3


def test_restart(podman):
    """restart: another process"""
    name = podman.start("--network=none", *OBEDIENT)
    before = podman.inspect(name)["Pid"]
    podman("restart", "--time=2", name)
    state = podman.inspect(name)
    assert state["Status"] == "running" and state["Pid"] != before


def test_restart_policy(podman):
    """run --restart=on-failure: as often as it says"""
    name = podman.start("--network=none", "--restart=on-failure:2", *shell("echo again; exit 1"))
    host.until(lambda: podman.inspect(name, "RestartCount") == 2 and podman.inspect(name)["Status"] == "exited", "two restarts")
    assert podman("logs", name).splitlines() == ["again"] * 3


def test_timeout(podman):
    """run --timeout: killed after it"""
    assert podman.try_run("--network=none", "--timeout=1", "sleep", "600").status != 0


def test_health(podman):
    """healthcheck run: healthy, then unhealthy"""
    name = podman.start("--network=none", "--health-cmd=test -e /tmp/well", "--health-interval=disable", "--health-retries=1",
                        *shell("touch /tmp/well; sleep 600"))
    host.until(lambda: podman.try_("healthcheck", "run", name).status == 0, "healthy")
    podman("exec", name, "rm", "/tmp/well")
    assert podman.try_("healthcheck", "run", name).status == 1
    assert podman.inspect(name)["Health"]["Status"] == "unhealthy"


def test_pause(podman):
    """pause, unpause: a container stands still and goes on"""
    name = podman.start("--network=none", *shell("while :; do echo tick; sleep 0.02; done"))
    until_logged(podman, name, "tick")
    podman("pause", name)
    assert podman.inspect(name)["Status"] == "paused"
    before = podman("logs", name)
    podman.try_("exec", name, "true").fails()
    assert podman("logs", name) == before
    podman("unpause", name)
    host.until(lambda: podman("logs", name) != before, "further ticks")


def test_kill_paused(podman, running):
    """rm --force of a paused container"""
    podman("pause", running)
    podman("rm", "--force", "--time=0", running)
    podman.names.remove(running)


def test_top(podman):
    """top: the container's processes, by podman and by ps"""
    name = podman.start("--network=none", *shell("sleep 611 & exec sleep 612"))
    lines = host.until(lambda: len(podman("top", name, "pid", "args").splitlines()) == 3 and podman("top", name, "pid", "args"),
                       "both processes").splitlines()
    assert sorted(line.split()[2] for line in lines[1:]) == ["611", "612"]
    assert podman("top", name, "-eo", "pid,comm").count("sleep") == 2


def test_stats(podman):
    """stats: memory, processes, processor time"""
    name = podman.start("--network=none", *shell("dd if=/dev/zero of=/dev/shm/f bs=1M count=8 2>/dev/null; echo ready; sleep 600"))
    until_logged(podman, name, "ready")
    stats = json.loads(podman("stats", "--no-stream", "--format=json", name))[0]
    assert stats["pids"] == "2" or stats["pids"] == "1"
    assert float(stats["mem_usage"].split("MB")[0]) >= 8


def test_update(podman):
    """update: limits of a running container"""
    name = podman.start("--network=none", "--memory=64m", "sleep", "600")
    podman("update", "--memory=96m", "--cpus=0.5", name)
    assert limit(podman, name, "memory", "memory.limit_in_bytes", "memory.max") == str(96 << 20)
    assert limit(podman, name, "cpu", "cpu.cfs_quota_us", "cpu.max").split()[0] == "50000"


def limit(podman, name, controller, v1, v2):
    """What the container's cgroup says, by the file of v1 or of v2."""
    directory = podman.world.cgroup(controller, podman.inspect(name, "State.CgroupPath"))
    return (directory / (v2 if host.PURE_V2 else v1)).read_text().strip()


# ---- isolation


def test_limits(podman):
    """run --memory, --pids-limit, --cpus, --cpu-shares, --cpuset-cpus: in the cgroup"""
    name = podman.start("--network=none", "--memory=64m", "--pids-limit=50", "--cpus=0.5", "--cpuset-cpus=0", "sleep", "600")
    assert limit(podman, name, "memory", "memory.limit_in_bytes", "memory.max") == str(64 << 20)
    assert limit(podman, name, "pids", "pids.max", "pids.max") == "50"
    assert limit(podman, name, "cpu", "cpu.cfs_quota_us", "cpu.max").split()[0] == "50000"
    assert limit(podman, name, "cpuset", "cpuset.cpus", "cpuset.cpus") == "0"


def test_oom(podman):
    """run --memory: who takes more is killed"""
    # OOMKilled is not looked at: conmon writes a file to the caller's directory where this Podman does not see it.
    name = podman.start("--network=none", "--memory=16m", "--memory-swap=16m", *shell(
        "dd if=/dev/zero of=/dev/null bs=64M count=1; exit $?"))
    assert podman("wait", name) == "137"


def test_pids_limit(podman):
    """run --pids-limit: no fork beyond it"""
    assert "can't fork" in podman.try_run("--network=none", "--pids-limit=3", *shell("sleep 9 & sleep 9 & sleep 9 & sleep 9")).err


def test_no_cgroup(podman):
    """run --cgroups=disabled: in the caller's cgroup"""
    groups = podman.run("--network=none", "--cgroups=disabled", "cat", "/proc/self/cgroup")
    assert "libpod" not in groups


def test_cgroup_parent(podman):
    """run --cgroup-parent: below it"""
    groups = podman.run("--network=none", "--cgroup-parent=/parent", "--cgroupns=host", "cat", "/proc/self/cgroup")
    assert "/parent/libpod-" in groups


def test_cgroup_namespace(podman):
    """run --cgroupns=private: the container's cgroup is the root"""
    groups = podman.run("--network=none", "--cgroupns=private", "cat", "/proc/self/cgroup").splitlines()
    assert {line.split(":", 2)[2] for line in groups} == {"/"}


def test_read_only(podman):
    """run --read-only: a root that cannot be written, a /tmp that can"""
    result = podman.try_run("--network=none", "--read-only", *shell("echo >/tmp/a; echo >/dev/shm/a; echo >/etc/a"))
    result.fails("Read-only file system")
    assert "/etc/a" in result.err


def test_mounts(podman):
    """run --volume, --tmpfs, --mount: binds, read-only binds, volumes, tmpfs"""
    file = podman.write("data/file", "content\n")
    data = file.removesuffix("/file")
    seen = podman.run("--network=none", f"--volume={data}:/data", f"--volume={data}:/ro:ro", "--volume=named:/named",
                      "--tmpfs=/scratch:size=1m,mode=1700", f"--mount=type=bind,src={file},dst=/file,ro",
                      *shell("cat /data/file /ro/file /file; echo new >/data/new; echo >/named/x; echo >/scratch/y;"
                             "stat -c %a /scratch; df -k /scratch | tail -1 | awk '{print $2}'; echo >/ro/z || echo refused"))
    assert seen.splitlines() == ["content"] * 3 + ["1700", "1024", "refused"]
    assert podman.read("data/new") == "new\n"
    podman("volume", "rm", "named")


def test_mount_absent(podman):
    """run --volume: a source that is not there is named"""
    podman.try_run("--network=none", "--volume=/srv/absent:/data", "true").fails("/srv/absent")


def test_workdir_made(podman):
    """run --workdir: one that the image lacks is an error"""
    podman.try_run("--network=none", "--workdir=/no/such", "pwd").fails("/no/such")


def capabilities(podman, *options):
    words = podman.run("--network=none", *options, "grep", "Cap", "/proc/self/status").split()
    return dict(zip(words[::2], (int(word, 16) for word in words[1::2])))


def test_capabilities(podman):
    """run --cap-drop, --cap-add"""
    sets = capabilities(podman, "--cap-drop=all", "--cap-add=net_raw", "--cap-add=chown")
    assert sets["CapEff:"] == sets["CapPrm:"] == sets["CapBnd:"] == 1 << 13 | 1
    assert capabilities(podman, "--user=user", "--cap-drop=all")["CapEff:"] == 0


def test_no_new_privileges(podman):
    """run --security-opt=no-new-privileges"""
    assert podman.run("--network=none", "--security-opt=no-new-privileges", "grep", "NoNewPrivs", "/proc/self/status").endswith("1")


def test_seccomp_default(podman):
    """run: Podman's filter is there, and can be had without"""
    status = ("grep", "Seccomp:", "/proc/self/status")
    assert podman.run("--network=none", *status).endswith("2")
    assert podman.run("--network=none", "--security-opt=seccomp=unconfined", *status).endswith("0")


def test_seccomp(podman):
    """run --security-opt=seccomp=FILE: calls are refused"""
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}]}
    file = podman.write("profile.json", json.dumps(profile))
    podman.try_run("--network=none", f"--security-opt=seccomp={file}", "mkdir", "/tmp/a").fails("not supported")


def test_privileged(podman):
    """run --privileged: all that the caller has"""
    seen = podman.run("--network=none", "--privileged", *shell(
        "grep -E 'CapEff|Seccomp:' /proc/self/status; mount -t tmpfs none /tmp; echo mounted"))
    assert seen.splitlines()[-1] == "mounted" and "Seccomp:\t0" in seen


def test_devices(podman):
    """run --device: there, with the mode that was asked for; others are not"""
    seen = podman.run("--network=none", "--device=/dev/fuse:/dev/fusible:r", *shell(
        "stat -c %t:%T /dev/fusible; cat /dev/fusible 2>&1 | head -1; test -e /dev/net || echo no other"))
    assert seen.splitlines()[0] == "a:e5" and seen.splitlines()[-1] == "no other"


def test_rlimits(podman):
    """run --ulimit"""
    assert podman.run("--network=none", "--ulimit=nofile=100:200", "--ulimit=nproc=4096:4096", *shell("ulimit -Sn; ulimit -Hn")).split() == ["100", "200"]


def test_sysctl(podman):
    """run --sysctl, in the network and IPC namespaces"""
    assert podman.run("--network=none", "--sysctl=net.ipv4.ip_forward=1", "--sysctl=kernel.shm_rmid_forced=1", "cat",
                      "/proc/sys/net/ipv4/ip_forward", "/proc/sys/kernel/shm_rmid_forced").split() == ["1", "1"]


def test_shm_size(podman):
    """run --shm-size"""
    assert podman.run("--network=none", "--shm-size=2m", *shell("df -k /dev/shm | tail -1 | awk '{print $2}'")) == "2048"


def test_masks(podman):
    """run: paths of /proc are masked, and --security-opt=unmask shows them"""
    look = shell("grep -cE ' /proc/(timer_list|keys) | /sys/firmware ' /proc/mounts || true")
    assert podman.run("--network=none", *look) == "3"
    assert podman.run("--network=none", "--security-opt=unmask=ALL", *look) == "0"


def test_oom_score(podman):
    """run --oom-score-adj"""
    assert podman.run("--network=none", "--oom-score-adj=321", "cat", "/proc/self/oom_score_adj") == "321"


# Who is no root maps the ids of his own namespace, of which 0 is himself.
MAPS = {False: ("--uidmap=0:100000:5000", "--gidmap=0:200000:6000"), True: ("--uidmap=0:1:5000", "--gidmap=0:1:6000")}


def test_user_namespace(podman):
    """run --uidmap, --gidmap: a user namespace with a network of its own"""
    seen = podman.run("--network=none", *MAPS[podman.ordinary], *shell(
        "cat /proc/self/uid_map /proc/self/gid_map; id -u; touch /tmp/file /root/file; stat -c %u:%g /etc/passwd"))
    uid_map, gid_map, *rest = [line.split() for line in seen.splitlines()]
    assert (uid_map[0], uid_map[2], gid_map[0], gid_map[2], rest) == ("0", "5000", "0", "6000", [["0"], ["0:0"]])


def test_user_namespace_host_network(podman):
    """run --uidmap --network=host: /sys in a user namespace that does not own the network"""
    assert podman.run("--network=host", *MAPS[podman.ordinary], "ls", "/sys/class") != ""


def test_user_namespace_exec(podman):
    """exec into a user namespace"""
    name = podman.start("--network=none", *MAPS[podman.ordinary], "sleep", "600")
    assert podman("exec", "--user=user", name, "id", "-u") == "1000"


def test_init(podman):
    """run --init: orphans are buried by pid 1, and SIGTERM ends all"""
    name = podman.start("--network=none", "--init", *shell("(sleep 0.1 &); echo ready; sleep 600"))
    until_logged(podman, name, "ready")
    assert "init" in podman("exec", name, "cat", "/proc/1/cmdline")
    host.until(lambda: "Z" not in podman("top", name, "state"), "no zombie")
    podman("stop", "--time=5", name)
    assert podman.inspect(name)["ExitCode"] == 143


def test_preserve_fds(podman):
    """run --preserve-fds: descriptor 3 reaches the program, no other does"""
    result = podman.world.run("sh", "-c", f"exec 3</etc/hostname 4</etc/passwd; podman --runtime {podman.oci.name} run --rm "
                              "--network=none --preserve-fds=1 localhost/box:latest ls /proc/self/fd",
                              ordinary=podman.ordinary).ok()
    assert result.out.split() == ["0", "1", "2", "3", "4"], f"but for one of ls: {result}"


def test_descriptors(podman):
    """run: nothing but 0, 1, 2 is open in the program"""
    assert podman.run("--network=none", *shell("exec ls /proc/self/fd")).split() == ["0", "1", "2", "3"]


def test_environment_clean(podman):
    """run: nothing of conmon's and podman's environment is in the program's"""
    names = {line.split("=")[0] for line in podman.run("--network=none", "env").splitlines()}
    assert names <= {"PATH", "HOME", "HOSTNAME", "TERM", "container", "FROM_IMAGE", "PWD", "SHLVL"}


def test_hooks(podman):
    """--hooks-dir: the hooks of a directory are run with the state"""
    hook = podman.write("hooks/hook", f"#!/bin/sh\ncat >{podman.home}/hooks/state\n", 0o755)
    podman.write("hooks/hook.json", json.dumps(
        {"version": "1.0.0", "hook": {"path": hook}, "when": {"always": True}, "stages": ["prestart"]}))
    podman(f"--hooks-dir={podman.home}/hooks", "run", "--rm", "--network=none", "localhost/box:latest", "true")
    state = json.loads(podman.read("hooks/state"))
    assert state["status"] in ("creating", "created") and state["pid"] > 0


def test_rootfs(podman):
    """run --rootfs: a directory instead of an image"""
    podman.world.run("sh", "-c", "mkdir -p root/bin && cp /bin/busybox root/bin/sh", cwd=podman.home,
                     ordinary=podman.ordinary).ok()
    assert podman("run", "--rm", "--network=none", "--rootfs", f"{podman.home}/root", "sh", "-c", "echo in root") == "in root"


def test_commit(podman):
    """commit, diff, cp: what a container wrote"""
    name = podman.start("--network=none", *shell("echo text >/etc/new; sleep 600"))
    host.until(lambda: "A /etc/new" in podman("diff", name), "the change")
    assert podman("cp", f"{name}:/etc/new", "-") != ""
    podman("commit", "--quiet", name, "localhost/other")
    assert podman("run", "--rm", "--network=none", "localhost/other", "cat", "/etc/new") == "text"
    podman("rmi", "localhost/other")


# What a container sees of an option: the options, a script, and the lines it prints.
SEEN = {
    "umask": (["--umask=0077"], "umask", ["0077"]),
    "time zone": (["--tz=UTC"], "test -e /etc/localtime && echo there", ["there"]),
    "entry point": (['--entrypoint=["echo", "first"]'], None, ["first second"]),
    "hosts": (["--add-host=friend:10.1.2.3"], "grep friend /etc/hosts | cut -f1", ["10.1.2.3"]),
    "no hosts": (["--no-hosts"], "test -e /etc/hosts || echo none", ["none"]),
    "the host's user namespace": (["--userns=host"], "id -u", ["0"]),
    "pids without limit": (["--pids-limit=-1"], "for i in 1 2 3; do sleep 0 & done; wait; echo forked", ["forked"]),
    "option of proc": (["--security-opt=proc-opts=hidepid=2"], "grep '^proc /proc ' /proc/mounts | grep -c hidepid", ["1"]),
    "tmpfs with the image's files": (["--mount=type=tmpfs,dst=/home,tmpcopyup"], "ls /home", ["user"]),
    "tmpfs without": (["--mount=type=tmpfs,dst=/home,notmpcopyup"], "ls /home | wc -l", ["0"]),
    "tmpfs, read-only": (["--tmpfs=/t:ro,noexec,size=4k"], "grep -cE ' /t tmpfs ro,.*noexec' /proc/mounts", ["1"]),
    "devpts": (["--mount=type=devpts,dst=/p"], "test -e /p/ptmx && echo there", ["there"]),
    "image volume": (["--mount=type=image,src=localhost/box:latest,dst=/i"], "head -1 /i/script", ["#!/bin/sh"]),
    "overlay volume": (["--volume=/etc:/o:O"], "echo new >/o/new; cat /o/new", ["new"]),
    "volume of the user's": (["--user=user", "--volume=owned:/v:U"], "stat -c %u /v", ["1000"]),
    "private bind": (["--volume=/usr:/v:rprivate"], "grep ' /v ' /proc/self/mountinfo | grep -cE 'shared:|master:' || true", ["0"]),
    "slave bind": (["--volume=/usr:/v:rslave"], "grep ' /v ' /proc/self/mountinfo | grep -c master:", ["1"]),
    "shared bind": (["--volume=/usr:/v:rshared"], "grep ' /v ' /proc/self/mountinfo | grep -c shared:", ["1"]),
    "restricted bind": (["--volume=/usr:/v:ro,nodev,noexec,nosuid"], "grep -c ' /v .* ro,nosuid,nodev,noexec' /proc/mounts", ["1"]),
}


@pytest.mark.parametrize("case", SEEN)
def test_seen(podman, case):
    """run: what a container sees of an option"""
    options, script, expected = SEEN[case]
    assert podman.run("--network=none", *options, *(shell(script) if script else ("second",))).splitlines() == expected


# Limits, and where they show: the controller, its file in v1 and in v2, the values there.
LIMITS = {
    "--memory-reservation=32m": ("memory", "memory.soft_limit_in_bytes", "memory.low", str(32 << 20), str(32 << 20)),
    "--memory-swappiness=10": ("memory", "memory.swappiness", None, "10", None),
    "--cpu-shares=512": ("cpu", "cpu.shares", "cpu.weight", "512", "20"),
    "--cpu-period=50000": ("cpu", "cpu.cfs_period_us", "cpu.max", "50000", "max 50000"),
    "--cpu-quota=20000": ("cpu", "cpu.cfs_quota_us", "cpu.max", "20000", "20000 100000"),
    "--cpuset-mems=0": ("cpuset", "cpuset.mems", "cpuset.mems", "0", "0"),
    "--device-read-bps=/dev/root-of-test:1mb": ("blkio", "blkio.throttle.read_bps_device", "io.max", "{root} 1048576",
                                                "{root} rbps=1048576 wbps=max riops=max wiops=max"),
}


@pytest.mark.parametrize("option", LIMITS)
def test_resources(podman, option):
    """run: limits in the cgroup"""
    controller, v1, v2, value_v1, value_v2 = LIMITS[option]
    if host.PURE_V2 and v2 is None:
        pytest.skip("v2 has no such file")
    root = os.stat("/").st_dev
    device = podman.world.path("/dev/root-of-test")
    if not device.exists():
        os.mknod(device, stat.S_IFBLK | 0o600, root)
    name = podman.start("--network=none", option, "sleep", "600")
    value = (value_v2 if host.PURE_V2 else value_v1).format(root=f"{os.major(root)}:{os.minor(root)}")
    assert limit(podman, name, controller, v1, v2) == value


# ---- networks and shared namespaces


def test_bridge(podman):
    """run --network=bridge: two containers reach each other"""
    name = podman.start("--network=bridge", *shell("while :; do echo answer | nc -l -p 80; done"))
    address = podman.inspect(name, "NetworkSettings.Networks")["podman"]["IPAddress"]
    assert podman.run("--network=bridge", *shell(f"for i in 1 2 3 4 5; do nc -w 2 {address} 80 </dev/null && exit 0; sleep 0.1; done")) == "answer"


def test_host_network(podman):
    """run --network=host: the devices of the host"""
    inside, outside = podman.run("--network=host", "ls", "/sys/class/net"), podman.world.run("ls", "/sys/class/net").ok().out
    assert inside.split() == outside.split()


def test_shared_namespaces(podman, running):
    """run --network, --pid, --ipc=container:…: the namespaces of another"""
    links = shell("for n in net ipc pid; do readlink /proc/self/ns/$n; done")
    assert podman.run(f"--network=container:{running}", f"--pid=container:{running}", f"--ipc=container:{running}", *links) == \
        podman("exec", running, *links)


def test_host_namespaces(podman):
    """run --pid, --ipc, --uts=host"""
    seen = podman.run("--network=none", "--pid=host", "--ipc=host", "--uts=host", *shell(
        "for n in pid ipc uts; do readlink /proc/self/ns/$n; done")).split()
    assert seen == [host.namespace(kind, podman.world.pid) for kind in ("pid", "ipc", "uts")]


def test_pod(podman):
    """pod: containers that share network, IPC and host name"""
    pod, first = podman.make_pod("--hostname=together", "--network=none"), podman.name()
    podman("run", "--detach", "--pod", pod, "--name", first, "localhost/box:latest", "sleep", "600")
    links = shell("for n in net ipc uts; do readlink /proc/self/ns/$n; done; hostname")
    assert podman.run(f"--pod={pod}", *links) == podman("exec", first, *links)
    podman("pod", "stop", "--time=0", pod)
    assert podman.inspect(first)["Status"] == "exited"
    podman("pod", "start", pod)
    assert podman.inspect(first)["Status"] == "running"


def test_pod_pause(podman):
    """pod pause, unpause, kill"""
    pod, name = podman.make_pod("--network=none"), podman.name()
    podman("run", "--detach", "--pod", pod, "--name", name, "localhost/box:latest", "sleep", "600")
    podman("pod", "pause", pod)
    assert podman.inspect(name)["Status"] == "paused"
    podman("pod", "unpause", pod)
    podman("pod", "kill", pod)
    assert podman("wait", name) == "137"


def test_play_kube(podman):
    """kube play: a pod with a user and a read-only root"""
    pod = "kube"
    podman.pods.append(pod)
    file = podman.write("pod.yaml", json.dumps({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": pod}, "spec": {"containers": [{
            "name": "main", "image": "localhost/box:latest", "command": ["sleep", "600"],
            "securityContext": {"readOnlyRootFilesystem": True, "runAsUser": 1000}}]}}))
    podman("kube", "play", "--network=none", file)
    assert podman("exec", f"{pod}-main", "id", "-u") == "1000"
    podman.try_("exec", f"{pod}-main", "touch", "/file").fails("Read-only")
    podman("pod", "kill", pod)
    podman("kube", "down", file)


# ---- build


def test_build(podman):
    """build: RUN, and the image runs"""
    podman.write("build/Containerfile", "FROM localhost/box:latest\nRUN echo built >/built\nUSER user\nRUN id -u >/tmp/id\n")
    podman("build", "--network=none", "--quiet", "--tag=localhost/built", f"{podman.home}/build")
    assert podman("run", "--rm", "--network=none", "localhost/built", "cat", "/built", "/tmp/id").split() == ["built", "1000"]
    podman("rmi", "localhost/built")


def test_guide(podman):
    """the configuration file of docs/podman.md: thole is the default"""
    shown = podman.world.run("podman", "info", "--format={{.Host.OCIRuntime.Name}} {{.Host.OCIRuntime.Path}}",
                             ordinary=podman.ordinary)
    assert shown.ok().out.split() == ["thole", "/usr/local/bin/thole"]
