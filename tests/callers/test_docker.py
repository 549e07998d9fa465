# SPDX-License-Identifier: LGPL-2.1-or-later
"""Docker Engine"""

import json
import os
import signal

import docker as dockers
import pytest

from harness import host


def shell(text):
    return ("sh", "-ec", text)


# Ends at once on SIGTERM, with a status of its own.
OBEDIENT = shell("trap 'echo bye; exit 3' TERM; trap 'echo usr1' USR1; echo ready; while :; do sleep 0.05; done")
SERVER = shell("while :; do echo answer | nc -l -p 80; done")
CLIENT = "for i in 1 2 3 4 5; do nc -w 2 {} 80 </dev/null && exit; sleep 0.1; done; exit 1"
LINKS = shell("for n in ipc net pid; do readlink /proc/self/ns/$n; done")


@pytest.fixture
def running(docker):
    """The name of a container that does nothing."""
    return docker.start("--network=none", "sleep", "600")


# ---- run


def test_run(docker):
    """run: output, standard error, and the status of the program"""
    result = docker.try_run("--network=none", *shell("echo out; echo err >&2; exit 7"))
    assert (result.status, result.out, result.err) == (7, "out\n", "err\n")


def test_run_killed(docker):
    """run: a program that dies of a signal is 128 and the signal"""
    assert docker.try_run("--network=none", *shell("sh -c 'kill -KILL $$' || exit $?")).status == 137


def test_run_stdin(docker):
    """run -i: standard input reaches the program, with its end"""
    assert docker.run("--network=none", "-i", "wc", "-l", stdin="one\ntwo\n") == "2"


def test_run_process(docker):
    """run --env, --workdir, --hostname: and nothing of the shim's environment"""
    seen = docker.run("--network=none", "--env=GIVEN=a b", "--workdir=/var/tmp", "--hostname=box",
                      *shell("echo $GIVEN; pwd; hostname; env | cut -d= -f1 | sort | tr '\\n' ' '"))
    *values, names = seen.splitlines()
    assert values == ["a b", "/var/tmp", "box"]
    assert set(names.split()) <= {"FROM_IMAGE", "GIVEN", "HOME", "HOSTNAME", "PATH", "PWD", "SHLVL"}


def test_run_user(docker):
    """run --user, --group-add: ids, the groups of the image's user, HOME"""
    seen = docker.run("--network=none", "--user=user", "--group-add=3000", *shell("id -u; id -g; id -G; echo $HOME"))
    uid, gid, groups, home = seen.splitlines()
    assert (uid, gid, home) == ("1000", "1000", "/home/user")
    assert {"1000", "2000", "3000"} == set(groups.split())


@pytest.mark.parametrize("program, status, words", [
    ("/no/such/program", 127, "no such file or directory"),
    ("no-such-program", 127, "executable file not found in $PATH"),
    ("/not-executable", 126, "permission denied"),
    ("/etc", 126, ""),
    ("/no-interpreter", 127, "no such file or directory"),
], ids=["absent path", "absent name", "no x bit", "directory", "absent interpreter"])
def test_run_fails(docker, program, status, words):
    """run: 127 for a program that is not there, 126 for one that cannot be executed"""
    result = docker.try_run("--network=none", program)
    assert result.status == status and words in result.err and program in result.err, result


def test_terminal(docker):
    """run -it: a terminal that follows the caller's size, the status"""
    program = docker.spawn(*docker.arguments("--rm", "-it", f"--name={docker.name()}", "--network=none", "sh"),
                           terminal_of_own=True)
    program.use_terminal("stty size; tty; exit 5\n", r"33 99\s+/dev/(console|pts/0)\s")
    assert program.wait().status == 5


def test_descriptors(docker):
    """run: nothing but 0, 1, 2 is open in the program"""
    assert docker.run("--network=none", *shell("exec ls /proc/self/fd")).split() == ["0", "1", "2", "3"]


def test_init(docker):
    """run --init: orphans are buried"""
    name = docker.start("--network=none", "--init", *shell("(sleep 0.1 &); echo ready; sleep 600"))
    docker.until_logged(name, "ready")
    assert "init" in docker("exec", name, "cat", "/proc/1/cmdline")
    host.until(lambda: "Z" not in docker("top", name, "-eo", "pid,stat"), "no zombie")


def test_signals(docker):
    """run: the client passes signals on"""
    program = docker.spawn(*docker.arguments("--rm", f"--name={docker.name()}", "--network=none", *OBEDIENT))
    program.line()
    program.signal(signal.SIGTERM)
    result = program.wait()
    assert (result.out, result.status) == ("ready\nbye\n", 3)


# ---- security


def test_capabilities(docker):
    """run --cap-drop, --cap-add"""
    seen = docker.run("--network=none", "--cap-drop=all", "--cap-add=net_raw", "grep", "Cap", "/proc/self/status")
    sets = dict(zip(seen.split()[::2], (int(word, 16) for word in seen.split()[1::2])))
    assert sets["CapEff:"] == sets["CapPrm:"] == sets["CapBnd:"] == 1 << 13


def test_no_new_privileges(docker):
    """run --security-opt=no-new-privileges"""
    seen = docker.run("--network=none", "--security-opt=no-new-privileges", "grep", "NoNewPrivs", "/proc/self/status")
    assert seen.endswith("1")


def test_seccomp_default(docker):
    """run: Docker's filter is there, and can be had without"""
    status = ("grep", "Seccomp:", "/proc/self/status")
    assert docker.run("--network=none", *status).endswith("2")
    assert docker.run("--network=none", "--security-opt=seccomp=unconfined", *status).endswith("0")


def test_seccomp(docker):
    """run --security-opt=seccomp=FILE: calls are refused"""
    docker.world.write("/srv/mkdir.json", json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}]}))
    docker.try_run("--network=none", "--security-opt=seccomp=/srv/mkdir.json", "mkdir", "/tmp/a").fails("not supported")


def test_masks(docker):
    """run: paths of /proc are masked and read-only; --security-opt=systempaths=unconfined shows them"""
    look = shell("wc -c </proc/timer_list; echo 1 2>/dev/null >/proc/sys/kernel/msgmax || echo ro")
    assert docker.run("--network=none", *look).split() == ["0", "ro"]
    assert docker.run("--network=none", "--security-opt=systempaths=unconfined", *look).split()[0] != "0"


def test_privileged(docker):
    """run --privileged: all that the caller has"""
    assert docker.run("--network=none", "--privileged", *shell("mount -t tmpfs none /tmp; echo mounted")) == "mounted"


def test_device(docker):
    """run --device: there, and allowed"""
    seen = docker.run("--network=none", "--device=/dev/fuse:/dev/fusible:rw", *shell(
        "stat -c %t:%T /dev/fusible; : <>/dev/fusible && echo open; test -e /dev/net || echo no other"))
    assert seen.splitlines() == ["a:e5", "open", "no other"]


def test_device_rule(docker):
    """run --device-cgroup-rule: mknod by the container, as far as it is allowed"""
    seen = docker.run("--network=none", "--device-cgroup-rule=c 10:229 rmw", "--cap-add=mknod", *shell(
        "mknod /tmp/fuse c 10 229; : <>/tmp/fuse && echo open; mknod /tmp/tun c 10 200;"
        "(: <>/tmp/tun) 2>/dev/null || echo refused"))
    assert seen.splitlines() == ["open", "refused"]


# ---- mounts


def test_mounts(docker):
    """run --volume, --tmpfs, --mount: binds, read-only binds, volumes, tmpfs"""
    docker.world.write("/srv/docker/file", "content\n")
    seen = docker.run("--network=none", "--volume=/srv/docker:/data", "--volume=/srv/docker:/ro:ro",
                      "--volume=named:/named", "--tmpfs=/scratch:size=1m,mode=1700",
                      "--mount=type=bind,src=/srv/docker/file,dst=/file,readonly", *shell(
                          "cat /data/file /ro/file /file; echo new >/data/new; echo >/named/x; echo >/scratch/y;"
                          "stat -c %a /scratch; df -k /scratch | tail -1 | awk '{print $2}';"
                          "echo 2>/dev/null >/ro/z || echo refused"))
    assert seen.splitlines() == ["content"] * 3 + ["1700", "1024", "refused"]
    assert docker.world.path("/srv/docker/new").read_text() == "new\n"
    docker("volume", "rm", "named")


@pytest.mark.parametrize("mode, seen", [
    ("rprivate", ["no", "no"]), ("rslave", ["yes", "no"]), ("rshared", ["yes", "yes"]),
], ids=["rprivate", "rslave", "rshared"])
def test_propagation(docker, mode, seen):
    """run --volume: what is mounted later, on the host and in the container"""
    place = f"/srv/{docker.oci.name}-{mode}"
    docker.world.run("mkdir", "-p", f"{place}/host", f"{place}/container").ok()
    name = docker.start("--network=none", "--cap-add=sys_admin", "--security-opt=seccomp=unconfined",
                        f"--volume={place}:/data:{mode}", "sleep", "600")
    docker.world.run("sh", "-ec", f"mount -t tmpfs none {place}/host && touch {place}/host/seen").ok()
    docker("exec", name, *shell("mount -t tmpfs none /data/container; touch /data/container/seen"))
    there = [docker("exec", name, *shell("test -e /data/host/seen && echo yes || echo no")),
             "yes" if docker.world.path(f"{place}/container/seen").exists() else "no"]
    docker.world.run("sh", "-c", f"umount {place}/host; umount {place}/container; true")
    assert there == seen


def test_read_only(docker):
    """run --read-only"""
    docker.try_run("--network=none", "--read-only", *shell("echo >/etc/a")).fails("Read-only file system")


def test_volumes_from(docker):
    """run --volumes-from"""
    name = docker.start("--network=none", "--volume=/shared",
                        *shell("echo text >/shared/file; echo written; sleep 600"))
    docker.until_logged(name, "written")
    assert docker.run("--network=none", f"--volumes-from={name}", "cat", "/shared/file") == "text"


def test_copy(docker, running):
    """cp, diff, commit: of a container that runs"""
    docker.world.write("/srv/copied", "text\n")
    docker("cp", "/srv/copied", f"{running}:/etc/copied")
    assert docker("exec", running, "cat", "/etc/copied") == "text"
    assert "A /etc/copied" in docker("diff", running)
    docker("commit", running, "other")
    assert docker("run", "--rm", f"--runtime={docker.oci.name}", "--network=none", "other",
                  "cat", "/etc/copied") == "text"
    docker("rmi", "other")


# ---- namespaces


def test_bridge(docker):
    """run: two containers reach each other by the bridge"""
    name = docker.start(*SERVER)
    address = docker.inspect(name, "NetworkSettings.IPAddress")
    assert docker.run(*shell(CLIENT.format(address))) == "answer"


def test_published(docker):
    """run --publish: a port of the host"""
    docker.start("--publish=127.0.0.1:8088:80", *SERVER)
    asked = "for i in 1 2 3 4 5; do busybox nc -w 2 127.0.0.1 8088 </dev/null | grep . && exit; sleep 0.2; done; exit 1"
    assert docker.world.run("sh", "-c", asked).ok().out == "answer\n"


def test_network_names(docker):
    """network create, connect, disconnect: containers know each other by name"""
    docker("network", "create", "net")
    try:
        server = docker.start("--network=net", *SERVER)
        client = docker.start("--network=none", "sleep", "600")
        docker("network", "disconnect", "none", client)
        docker("network", "connect", "net", client)
        assert docker("exec", client, *shell(CLIENT.format(server))) == "answer"
    finally:
        docker.close()
        docker("network", "rm", "net")


def test_shared_namespaces(docker):
    """run --network, --pid, --ipc=container:…: the namespaces of another"""
    name = docker.start("--network=none", "--ipc=shareable", "sleep", "600")
    joined = [f"--{kind}=container:{name}" for kind in ("network", "pid", "ipc")]
    assert docker.run(*joined, *LINKS) == docker("exec", name, *LINKS)


def test_host_namespaces(docker):
    """run --network, --pid, --ipc, --uts=host"""
    seen = docker.run("--network=host", "--pid=host", "--ipc=host", "--uts=host",
                      *shell("for n in net pid ipc uts; do readlink /proc/self/ns/$n; done")).split()
    assert seen == [host.namespace(kind, docker.world.pid) for kind in ("net", "pid", "ipc", "uts")]


def test_cgroup_namespace(docker):
    """run --cgroupns: private or the host's"""
    def groups(kind):
        lines = docker.run("--network=none", f"--cgroupns={kind}", "cat", "/proc/self/cgroup").splitlines()
        return {line.split(":", 2)[2] for line in lines}

    assert groups("private") == {"/"}
    assert any("docker/" in path for path in groups("host"))


def test_sysctl(docker):
    """run --sysctl, --shm-size, --ulimit, --oom-score-adj"""
    seen = docker.run("--network=none", "--sysctl=net.ipv4.ip_forward=1", "--shm-size=2m", "--ulimit=nofile=100:200",
                      "--oom-score-adj=321", *shell(
                          "cat /proc/sys/net/ipv4/ip_forward /proc/self/oom_score_adj;"
                          "df -k /dev/shm | tail -1 | awk '{print $2}'; ulimit -Sn; ulimit -Hn"))
    assert seen.split() == ["1", "321", "2048", "100", "200"]


# ---- the life of a container


def test_exec(docker, running):
    """exec -i: output, standard error, status, standard input"""
    result = docker.try_("exec", "-i", running, *shell("cat; echo err >&2; exit 9"), stdin="in\n")
    assert (result.status, result.out, result.err) == (9, "in\n", "err\n")


def test_exec_options(docker, running):
    """exec --env, --workdir, --user"""
    seen = docker("exec", "--env=A=b", "--workdir=/var/tmp", "--user=user", running,
                  *shell("echo $A; pwd; id -u; id -G"))
    assert seen.splitlines() == ["b", "/var/tmp", "1000", "1000 2000"]


def test_exec_terminal(docker, running):
    """exec -it: a terminal that follows the caller's size, the status"""
    program = docker.spawn("exec", "-it", running, "sh", terminal_of_own=True)
    program.use_terminal("stty size; exit 6\n", r"33 99\s")
    assert program.wait().status == 6


def test_exec_detached(docker, running):
    """exec --detach: it goes on"""
    docker("exec", "--detach", running, *shell("sleep 0.2; echo done >/tmp/done"))
    host.until(lambda: docker.try_("exec", running, "cat", "/tmp/done").out == "done\n", "the detached process's file")


@pytest.mark.parametrize("program, words", [
    ("no-such-program", "executable file not found in $PATH"), ("/not-executable", "permission denied"),
], ids=["absent name", "no x bit"])
def test_exec_fails(docker, running, program, words):
    """exec: 126 for a program that cannot be executed"""
    result = docker.try_("exec", running, program)
    assert result.status == 126 and words in result.err + result.out, result


def test_exec_privileged(docker, running):
    """exec --privileged: more than the container has"""
    own, more = (int(docker("exec", *options, running, "grep", "CapEff", "/proc/self/status").split()[1], 16)
                 for options in ([], ["--privileged"]))
    assert own & ~more == 0 and more > own


def test_exec_many(docker, running):
    """exec: 20 at a time, none is lost or left"""
    programs = [docker.spawn("exec", running, "echo", str(number)) for number in range(20)]
    assert [program.wait(60).ok().out for program in programs] == [f"{number}\n" for number in range(20)]
    host.until(lambda: len(docker("top", running).splitlines()) == 2, "one process in the container")


def test_stop(docker):
    """stop: SIGTERM is the program's to take"""
    name = docker.start("--network=none", *OBEDIENT)
    docker.until_logged(name, "ready")
    docker("stop", name)
    assert docker.inspect(name)["ExitCode"] == 3 and docker("logs", name).endswith("bye")


def test_stop_killed(docker, running):
    """stop --time: SIGKILL follows"""
    docker("stop", "--time=1", running)
    assert docker.inspect(running)["ExitCode"] == 137


def test_stop_signal(docker):
    """run --stop-signal"""
    name = docker.start("--network=none", "--stop-signal=USR1", *shell(
        "trap 'exit 4' USR1; echo ready; while :; do sleep 0.05; done"))
    docker.until_logged(name, "ready")
    docker("stop", name)
    assert docker.inspect(name)["ExitCode"] == 4


def test_kill(docker):
    """kill --signal"""
    name = docker.start("--network=none", *OBEDIENT)
    docker.until_logged(name, "ready")
    docker("kill", "--signal=USR1", name)
    docker.until_logged(name, "usr1")
    docker("kill", name)
    assert docker("wait", name) == "137"


def test_kill_ended(docker):
    """kill: of one that has ended is refused"""
    name = docker.start("--network=none", "true")
    docker.until_state(name, "exited")
    docker.try_("kill", name).fails("is not running")


def test_restart(docker):
    """restart: another process, the same container"""
    name = docker.start("--network=none", *shell("echo once more >>/tmp/count; wc -l </tmp/count; exec sleep 600"))
    first = docker.inspect(name)["Pid"]
    for count in (2, 3, 4):
        docker("restart", "--time=0", name)
        docker.until_logged(name, str(count))
    assert docker.inspect(name)["Pid"] != first


def test_start_attached(docker):
    """create, start --attach: output and status, again and again"""
    name = docker.name()
    docker("create", f"--runtime={docker.oci.name}", "--network=none", f"--name={name}", "localhost/box:latest",
           *shell("echo once more; exit 2"))
    for _ in range(3):
        result = docker.try_("start", "--attach", name)
        assert (result.out, result.status) == ("once more\n", 2)


def test_attach(docker):
    """attach: to standard input and output"""
    name = docker.start("--network=none", "-i", *shell("read line; echo got $line; exit 4"))
    source, keys = os.pipe()
    with open(source, "rb") as standard_input, open(keys, "w", encoding="utf-8") as line:
        program = docker.spawn("attach", name, stdin=standard_input)
        print("text", file=line, flush=True)
        result = program.wait()
    assert (result.out, result.status) == ("got text\n", 4)


def test_restart_policy(docker):
    """run --restart=on-failure:3: started again, and given up"""
    name = docker.start("--network=none", "--restart=on-failure:3", *shell("echo try; exit 1"))
    host.until(lambda: docker.inspect(name, "RestartCount") == 3, "three restarts", 30)
    docker.until_state(name, "exited")
    assert docker("logs", name).split() == ["try"] * 4


def test_restart_always(docker):
    """run --restart=always: it comes back when it is killed from outside"""
    name = docker.start("--network=none", "--restart=always", "sleep", "600")
    first = docker.inspect(name)["Pid"]
    docker.world.run("kill", "-KILL", str(first)).ok()
    host.until(lambda: docker.inspect(name)["Pid"] not in (0, first), "another process")
    assert docker("exec", name, "echo", "back") == "back"


def test_pause(docker, running):
    """pause, unpause: nothing runs in between"""
    docker("pause", running)
    assert docker.inspect(running)["Status"] == "paused"
    docker.try_("exec", running, "true").fails("paused")
    docker("unpause", running)
    assert docker("exec", running, "echo", "awake") == "awake"


def test_remove_paused(docker, running):
    """rm --force: of a paused container"""
    docker("pause", running)
    docker("rm", "--force", running)


def test_top(docker, running):
    """top: the processes of the container"""
    docker("exec", "--detach", running, "sleep", "500")

    def commands():
        return {line.split(None, 7)[7] for line in docker("top", running).splitlines()[1:]}

    host.until(lambda: commands() == {"sleep 600", "sleep 500"}, "two processes")


def test_healthcheck(docker):
    """run --health-cmd: healthy, then unhealthy"""
    name = docker.start("--network=none", "--health-cmd=test -e /tmp/well", "--health-interval=200ms",
                        "--health-retries=2", *shell("touch /tmp/well; sleep 600"))
    host.until(lambda: docker.inspect(name)["Health"]["Status"] == "healthy", "healthy")
    docker("exec", name, "rm", "/tmp/well")
    host.until(lambda: docker.inspect(name)["Health"]["Status"] == "unhealthy", "unhealthy")


def test_rename(docker, running):
    """rename, and names in use"""
    docker.try_run(f"--name={running}", "true").fails("already in use")
    docker.names.append("renamed")
    docker("rename", running, "renamed")
    assert docker("exec", "renamed", "echo", "here") == "here"


# ---- resources


def test_limits(docker):
    """run --memory, --cpus, --pids-limit, --cpuset-cpus"""
    name = docker.start("--network=none", "--memory=64m", "--cpus=0.5", "--pids-limit=50", "--cpuset-cpus=0",
                        "sleep", "600")
    assert docker.limit(name, "memory", "memory.limit_in_bytes", "memory.max") == str(64 << 20)
    assert docker.limit(name, "cpu", "cpu.cfs_quota_us", "cpu.max").split()[0] == "50000"
    assert docker.limit(name, "pids", "pids.max", "pids.max") == "50"
    assert docker("exec", name, "grep", "Cpus_allowed_list", "/proc/1/status").split()[1] == "0"


def test_update(docker):
    """update --memory, --cpus, --pids-limit, --cpuset-cpus: other limits, the same process"""
    name = docker.start("--network=none", "--memory=64m", "sleep", "600")
    pid = docker.inspect(name)["Pid"]
    docker("update", "--memory=128m", "--memory-swap=256m", "--cpu-quota=30000", "--pids-limit=70", "--cpuset-cpus=0",
           name)
    assert docker.limit(name, "memory", "memory.limit_in_bytes", "memory.max") == str(128 << 20)
    assert docker.limit(name, "cpu", "cpu.cfs_quota_us", "cpu.max").split()[0] == "30000"
    assert docker.limit(name, "pids", "pids.max", "pids.max") == "70"
    docker("update", "--memory=32m", "--memory-swap=32m", name)
    assert docker.limit(name, "memory", "memory.limit_in_bytes", "memory.max") == str(32 << 20)
    assert docker.inspect(name)["Pid"] == pid


def test_update_impossible(docker, running):
    """update: what the kernel does not take is an error"""
    assert docker.try_("update", "--cpuset-cpus=4000", running).status != 0
    assert docker("exec", running, "echo", "alive") == "alive"


def test_stats(docker, running):
    """stats: memory, processes"""
    stats = json.loads(docker("stats", "--no-stream", "--format={{json .}}", running))
    assert stats["PIDs"] == "1" and not stats["MemUsage"].startswith("0B")


def test_oom(docker):
    """run --memory: OOMKilled"""
    name = docker.start("--network=none", "--memory=16m", *dockers.GREEDY)
    docker.until_state(name, "exited")
    assert docker.inspect(name)["ExitCode"] == 137
    assert docker.is_reported_as_oom()


def test_fork_bomb(docker):
    """run --pids-limit: no more processes than that"""
    result = docker.try_run("--network=none", "--pids-limit=10",
                            *shell("for i in $(yes | head -20); do sleep 1 & done"))
    assert result.status == 2 and "can't fork: Resource temporarily unavailable" in result.err


# ---- the daemon


def test_guide(docker):
    """the daemon.json of docs/docker.md: thole is known, cgroups are made by cgroupfs"""
    info = json.loads(docker("info", "--format={{json .}}"))
    assert info["Runtimes"]["thole"]["path"] == "/usr/local/bin/thole" and info["CgroupDriver"] == "cgroupfs"


def test_build(docker):
    """build: RUN steps, and the image runs"""
    docker.world.write("/srv/build/Dockerfile",
                       "FROM localhost/box:latest\nRUN echo built >/built\nUSER user\nRUN id -u >/tmp/id\n")
    docker("build", "--network=none", "--quiet", "--tag=built", "/srv/build", env={"DOCKER_BUILDKIT": "0"}, seconds=60)
    seen = docker("run", "--rm", f"--runtime={docker.oci.name}", "--network=none", "built", "cat", "/built", "/tmp/id")
    assert seen.split() == ["built", "1000"]
    docker("rmi", "built")


def test_churn(docker):
    """24 containers, eight at a time: nothing is left"""
    for _ in range(3):
        programs = [docker.spawn(*docker.arguments("--rm", f"--name={docker.name()}", "--network=none", "true"))
                    for _ in range(8)]
        for program in programs:
            program.wait(120).ok()
