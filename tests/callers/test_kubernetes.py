# SPDX-License-Identifier: LGPL-2.1-or-later
"""containerd's CRI plugin, as a kubelet calls it"""

import re
import threading

import pytest
import yaml
from cri import Cri

from harness import host


def shell(text):
    return ("sh", "-ec", text)


OBEDIENT = shell("trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.05; done")
SERVER = shell("while :; do echo answer | nc -l -p 8080; done")
CLIENT = shell("for i in 1 2 3 4 5 6 7 8 9; do nc -w 2 127.0.0.1 8080 </dev/null && exit; sleep 0.1; done; exit 1")


@pytest.fixture
def cri(with_containerd, oci):
    made = Cri(with_containerd, oci)
    yield made
    made.close()
    made.watch.assert_clean()


@pytest.fixture
def pod(cri):
    return cri.pod()


@pytest.fixture
def running(pod):
    """A Pod with a container `main` that does nothing."""
    pod.start("main", "sleep", "600")
    return pod


def until_logged(pod, name, line, attempt=0):
    host.until(lambda: line in [text for _, text in pod.log(name, attempt)], f"{line!r} in the log of {name}")


# ---- namespaces


def test_shared_network(pod):
    """a Pod: two containers have network, IPC and host name in common, and processes of their own"""
    pod.start("server", *SERVER)
    pod.start("client", "sleep", "600")
    links = shell("for n in net ipc uts; do readlink /proc/self/ns/$n; done; hostname")
    assert pod.run("client", *links) == pod.run("server", *links)
    assert pod.run("client", "hostname") == pod.name
    assert pod.run("client", *shell("tr '\\0' ' ' </proc/1/cmdline")).strip() == "sleep 600"
    assert pod.run("client", *CLIENT) == "answer"


def test_pod_address(pod):
    """a Pod: the address that CNI gave it"""
    pod.start("main", "sleep", "600")
    assert f"inet {pod.status().status.network.ip}/" in pod.run("main", "ip", "address")


def test_shared_memory(pod):
    """a Pod: /dev/shm is in common"""
    pod.start("one", "sleep", "600")
    pod.start("two", "sleep", "600")
    pod.run("one", *shell("echo text >/dev/shm/file"))
    assert pod.run("two", "cat", "/dev/shm/file") == "text"


def test_shared_pid(cri):
    """shareProcessNamespace: containers see and signal each other; the sandbox is pid 1"""
    namespaces = {"network": "POD", "pid": "POD"}
    pod = cri.pod(linux={"security_context": {"namespace_options": namespaces}})
    pod.start("one", "sleep", "500", pid="POD")
    pod.start("two", "sleep", "600", pid="POD")
    seen = pod.run("two", "ps")
    assert "sleep 500" in seen and "sleep 2147483647" in pod.run("two", *shell("tr '\\0' ' ' </proc/1/cmdline"))
    pod.run("two", *shell("kill -KILL $(ps | grep 'sleep 50[0]' | awk '{print $1}')"))
    assert pod.until("one", "CONTAINER_EXITED").exit_code == 137
    assert pod.container("two")[0] == "CONTAINER_RUNNING"


def test_target_pid(running):
    """an ephemeral container (kubectl debug --target): the processes of another container"""
    running.start("debugger", "sleep", "500", pid="main")
    assert "sleep 600" in running.run("debugger", "ps")


def test_host_namespaces(cri):
    """hostNetwork: the node's network"""
    pod = cri.pod(network="NODE")
    pod.start("main", "sleep", "600")
    assert pod.run("main", "readlink", "/proc/self/ns/net") == host.namespace("net", cri.world.pid)


def test_host_pid(cri):
    """hostPID: the node's processes"""
    namespaces = {"network": "POD", "pid": "NODE"}
    pod = cri.pod(linux={"security_context": {"namespace_options": namespaces}})
    pod.start("main", "sleep", "600", pid="NODE")
    assert pod.run("main", "readlink", "/proc/self/ns/pid") == host.namespace("pid", cri.world.pid)


def test_sysctls(cri):
    """sysctls of a Pod, in its network and IPC namespaces"""
    pod = cri.pod(linux={"sysctls": {"net.ipv4.ip_unprivileged_port_start": "80", "kernel.shm_rmid_forced": "1"}})
    pod.start("main", "sleep", "600")
    seen = pod.run("main", "cat", "/proc/sys/net/ipv4/ip_unprivileged_port_start", "/proc/sys/kernel/shm_rmid_forced")
    assert seen.split() == ["80", "1"]


# ---- a container's life


def test_log(pod):
    """a container: its log, its end"""
    pod.start("main", *shell("echo out; echo err >&2; exit 7"))
    status = pod.until("main", "CONTAINER_EXITED")
    assert (status.exit_code, status.reason) == (7, "Error")
    assert sorted(pod.log("main")) == [("stderr", "err"), ("stdout", "out")]


def test_completed(pod):
    """a container: one that ends well is Completed"""
    pod.start("main", "true")
    status = pod.until("main", "CONTAINER_EXITED")
    assert (status.exit_code, status.reason) == (0, "Completed")


@pytest.mark.parametrize("program, words", [
    ("/no/such/program", "no such file or directory"),
    ("no-such-program", "executable file not found in $PATH"),
    ("/not-executable", "permission denied"),
], ids=["absent path", "absent name", "no x bit"])
def test_start_error(pod, program, words):
    """a container that cannot be executed: the event says why"""
    pod.create("main", program)
    message = pod.cri.error("StartContainer", container_id=pod.containers["main"])
    assert words in message.lower().replace("$path", "$PATH") and program in message
    status = pod.container("main")[1]
    assert (status.reason, status.exit_code) == ("StartError", 128)


def test_mount_error(pod):
    """a container whose host path is gone: the event names it"""
    pod.create("main", "true", mounts=[{"container_path": "/data", "host_path": "/srv/vanishing"}])
    pod.cri.world.path("/srv/vanishing").rmdir()
    assert "/srv/vanishing" in pod.cri.error("StartContainer", container_id=pod.containers["main"])


def test_stop(pod):
    """terminationGracePeriodSeconds: SIGTERM is the program's to take"""
    pod.start("main", *OBEDIENT)
    until_logged(pod, "main", "ready")
    pod.stop("main")
    assert pod.container("main")[1].exit_code == 3
    assert pod.log("main")[-1] == ("stdout", "bye")


def test_stop_killed(pod):
    """terminationGracePeriodSeconds: SIGKILL follows"""
    pod.start("main", *shell("trap '' TERM; echo ready; while :; do sleep 0.05; done"))
    until_logged(pod, "main", "ready")
    pod.stop("main", timeout=1)
    assert pod.container("main")[1].exit_code == 137


def test_restart(pod):
    """restartPolicy: a new attempt in the same Pod, with the same network and IPC"""
    pod.start("other", "sleep", "600")
    shared = shell("for n in net ipc; do readlink /proc/self/ns/$n; done; echo kept >>/dev/shm/kept;"
                   "wc -l </dev/shm/kept; exec sleep 600")
    for attempt in range(3):
        pod.start("main", *shared, attempt=attempt)
        until_logged(pod, "main", str(attempt + 1), attempt)
        pod.stop("main", timeout=0)
        assert pod.container("main")[1].exit_code == 137
        pod.delete("main")
    assert pod.log("main", 0)[:2] == pod.log("main", 2)[:2]


def test_restart_crashed(pod):
    """CrashLoopBackOff: ten containers that end at once, one after the other, leave nothing but the Pod"""
    watch = type(pod.cri.watch)(pod.cri.world, "/run/containerd/runc")
    for attempt in range(10):
        pod.start("main", *shell("exit 1"), attempt=attempt)
        assert pod.until("main", "CONTAINER_EXITED").exit_code == 1
        pod.delete("main")
    watch.assert_clean()


def test_sidecar(pod):
    """a sidecar: it serves its neighbour, and goes on when that ends"""
    pod.start("sidecar", *SERVER)
    pod.start("main", *CLIENT)
    assert pod.until("main", "CONTAINER_EXITED").exit_code == 0
    assert pod.log("main") == [("stdout", "answer")]
    assert pod.container("sidecar")[0] == "CONTAINER_RUNNING"


def test_init_containers(pod):
    """init containers: one after the other, before the others, on a common volume"""
    pod.cri.world.run("mkdir", "-p", f"/srv/{pod.name}")
    volume = {"mounts": [{"container_path": "/data", "host_path": f"/srv/{pod.name}"}]}
    for number in range(3):
        pod.start(f"init{number}", *shell(f"echo {number} >>/data/order"), **volume)
        assert pod.until(f"init{number}", "CONTAINER_EXITED").exit_code == 0
    pod.start("main", "sleep", "600", **volume)
    assert pod.run("main", "cat", "/data/order").split() == ["0", "1", "2"]


def test_sandbox_killed(running):
    """a sandbox that dies: the Pod is not ready, and can be stopped and removed"""
    running.cri.world.run("kill", "-KILL", str(running.pid())).ok()
    host.until(lambda: running.status().status.state == 1, "a sandbox that is not ready")


# ---- exec, attach


def test_exec_probe(running):
    """an exec probe: output, standard error, status"""
    assert running.exec("main", *shell("echo out; echo err >&2; exit 9")) == (9, "out\n", "err\n")


def test_exec_probe_timeout(running):
    """an exec probe that takes too long is killed"""
    message = running.cri.error("ExecSync", container_id=running.containers["main"], timeout=1, cmd=["sleep", "500"])
    assert "timeout 1s exceeded" in message
    host.until(lambda: "sleep 500" not in running.run("main", *shell("ps | grep -v grep")), "no process of the probe")


def test_exec_probe_absent(running):
    """an exec probe that is not in the image: an error with its name"""
    message = running.cri.error("ExecSync", container_id=running.containers["main"], cmd=["no-such-probe"])
    assert "no-such-probe" in message and "not found in $PATH" in message


def test_exec_probes(running):
    """exec probes: 60, up to six at a time, leave no process behind"""
    results = []

    def probe():
        results.extend(running.exec("main", "echo", "alive") for _ in range(10))

    threads = [threading.Thread(target=probe) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [(0, "alive\n", "")] * 60
    host.until(lambda: len(running.limit("main", "pids", "cgroup.procs", "cgroup.procs").split()) == 1, "one process")


def test_exec_ended(pod):
    """an exec probe of a container that has ended is refused"""
    pod.start("main", "true")
    pod.until("main", "CONTAINER_EXITED")
    assert "CONTAINER_EXITED" in pod.cri.error("ExecSync", container_id=pod.containers["main"], cmd=["true"])


def test_exec_race(pod):
    """exec probes while the container ends: every one comes back"""
    pod.start("main", *shell("sleep 0.7"))
    ends = []

    def probe():
        for _ in range(20):
            try:
                ends.append(pod.exec("main", "true")[0])
            except Exception as error:  # refused, by one or the other
                ends.append(str(error))

    threads = [threading.Thread(target=probe) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(ends) == 60
    assert pod.until("main", "CONTAINER_EXITED").exit_code == 0


def test_exec_stream(running):
    """kubectl exec -i: standard input, output and error, the status"""
    stream = running.exec_stream("main", *shell("read line; echo got $line; echo err >&2; exit 5"))
    stream.send("text\n")
    assert stream.wait() == 5
    assert (stream.text, stream.errors) == ("got text\n", "err\n")


def test_exec_terminal(running):
    """kubectl exec -it: a terminal that is resized"""
    stream = running.exec_stream("main", "sh", tty=True)
    stream.expect("# ")
    stream.resize(33, 99)
    stream.send("until stty size | grep -q 33; do sleep 0.05; done; stty size; tty; exit 4\n")
    stream.expect("33 99\r\n/dev/pts/0\r\n")
    assert stream.wait() == 4


def test_attach(pod):
    """kubectl attach -i: to the program's standard input and output"""
    pod.start("main", *shell("echo ready; while read line; do echo got $line; done; exit 6"), stdin=True,
              stdin_once=True)
    until_logged(pod, "main", "ready")
    stream = pod.attach("main")
    stream.send("text\n")
    stream.expect("got text\n")
    stream.close()
    assert pod.until("main", "CONTAINER_EXITED").exit_code == 6


def test_attach_terminal(pod):
    """kubectl attach -it: to the program's terminal"""
    pod.start("main", "sh", stdin=True, tty=True)
    stream = pod.attach("main", tty=True)
    stream.resize(30, 90)
    stream.send("until stty size | grep -q 30; do sleep 0.05; done; stty size; exit 4\n")
    stream.expect("30 90\r\n")
    assert pod.until("main", "CONTAINER_EXITED").exit_code == 4


# ---- resources


def test_resources(pod):
    """resources: limits of memory and CPU, the score of the OOM killer"""
    pod.start(
        "main", "sleep", "600", resources={
            "memory_limit_in_bytes": 64 << 20, "cpu_quota": 50000, "cpu_period": 100000, "cpu_shares": 512,
            "oom_score_adj": 900
        })
    assert pod.limit("main", "memory", "memory.limit_in_bytes", "memory.max") == str(64 << 20)
    assert pod.limit("main", "cpu", "cpu.cfs_quota_us", "cpu.max").split()[0] == "50000"
    assert pod.run("main", "cat", "/proc/1/oom_score_adj") == "900"


def test_resize(running):
    """in-place resize: other limits, the same process"""
    before = running.run("main", "stat", "-c", "%Y", "/proc/1")
    for memory, quota in ((128, 80000), (48, 20000), (256, 150000)):
        running.cri.call(
            "UpdateContainerResources", container_id=running.containers["main"],
            linux={"memory_limit_in_bytes": memory << 20, "cpu_quota": quota, "cpu_period": 100000, "cpu_shares": 600})
        assert running.limit("main", "memory", "memory.limit_in_bytes", "memory.max") == str(memory << 20)
        assert running.limit("main", "cpu", "cpu.cfs_quota_us", "cpu.max").split()[0] == str(quota)
    assert running.run("main", "stat", "-c", "%Y", "/proc/1") == before


def test_resize_cpus(running):
    """in-place resize by a static CPU manager: a container's own CPUs"""
    running.cri.call("UpdateContainerResources", container_id=running.containers["main"], linux={"cpuset_cpus": "0"})
    assert running.run("main", "grep", "Cpus_allowed_list", "/proc/1/status").split()[1] == "0"


def test_resize_impossible(running):
    """in-place resize: what the kernel does not take is an error, and the container goes on"""
    assert running.cri.error("UpdateContainerResources", container_id=running.containers["main"],
                             linux={"cpuset_cpus": "4000"})
    assert running.run("main", "echo", "alive") == "alive"


def test_stats(running):
    """stats: CPU and memory of a container"""
    running.run("main", *shell("i=0; while test $i -lt 20000; do i=$((i+1)); done"))
    stats = running.cri.call("ContainerStats", container_id=running.containers["main"]).stats
    assert stats.cpu.usage_core_nano_seconds.value > 10_000_000
    assert stats.memory.working_set_bytes.value > 0


def test_oom(pod):
    """resources: a container that exceeds its memory is OOMKilled"""
    pod.start("main", *shell("exec dd if=/dev/zero of=/dev/null bs=64M count=100"),
              resources={"memory_limit_in_bytes": 16 << 20})
    status = pod.until("main", "CONTAINER_EXITED")
    assert (status.exit_code, status.reason) == (137, "OOMKilled")


def test_cgroup_parent(running):
    """the Pod's cgroup: sandbox and containers are below it"""
    parent = running.cri.world.cgroup("pids" if "pids" in host.HIERARCHIES else "", f"/kubepods/{running.name}")
    assert {path.name for path in parent.iterdir() if path.is_dir()} == {running.id, running.containers["main"]}


# ---- securityContext


def test_user(pod):
    """runAsUser, runAsGroup, supplementalGroups"""
    pod.start("main", "sleep", "600",
              security={"run_as_user": {"value": 1000}, "run_as_group": {"value": 3000}, "supplemental_groups": [4000]})
    uid, gid, *groups = pod.run("main", *shell("id -u; id -g; id -G")).split()
    assert (uid, gid) == ("1000", "3000") and {"3000", "4000"} <= set(groups)


def test_capabilities(pod):
    """capabilities: drop ALL, add one"""
    pod.start("main", "sleep", "600",
              security={"capabilities": {"drop_capabilities": ["ALL"], "add_capabilities": ["NET_BIND_SERVICE"]}})
    assert int(pod.run("main", "grep", "CapEff", "/proc/1/status").split()[1], 16) == 1 << 10
    assert int(pod.run("main", "grep", "CapEff", "/proc/self/status").split()[1], 16) == 1 << 10


def test_restricted(pod):
    """the restricted Pod security standard: no new privileges, RuntimeDefault, a read-only root"""
    pod.start(
        "main", "sleep", "600", security={
            "no_new_privs": True, "seccomp": {"profile_type": "RuntimeDefault"}, "readonly_rootfs": True,
            "run_as_user": {"value": 1000}, "capabilities": {"drop_capabilities": ["ALL"]}
        })
    lines = pod.run("main", "cat", "/proc/1/status").splitlines()
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    assert (status["NoNewPrivs"], status["Seccomp"], int(status["CapEff"], 16)) == ("1", "2", 0)
    assert "Read-only" in pod.exec("main", "touch", "/tmp/file")[2]


def test_seccomp_localhost(pod):
    """seccompProfile of type Localhost"""
    pod.cri.world.write(
        "/srv/profile.json", '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": '
        '["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}')
    pod.start("main", "sleep", "600",
              security={"seccomp": {"profile_type": "Localhost", "localhost_ref": "/srv/profile.json"}})
    assert "not permitted" in pod.exec("main", "mkdir", "/tmp/a")[2]


def test_masks(pod):
    """procMount: the paths that the kubelet says are masked and read-only"""
    pod.start("main", "sleep", "600",
              security={"masked_paths": ["/proc/timer_list", "/proc/acpi"], "readonly_paths": ["/proc/sys"]})
    seen = pod.run("main", *shell("wc -c </proc/timer_list; echo 1 2>/dev/null >/proc/sys/kernel/msgmax || echo ro"))
    assert seen.split() == ["0", "ro"]


def test_privileged(cri):
    """privileged: all that the node has"""
    namespaces = {"network": "POD", "pid": "CONTAINER"}
    pod = cri.pod(linux={"security_context": {"namespace_options": namespaces, "privileged": True}})
    pod.start("main", "sleep", "600", security={"privileged": True})
    seen = pod.run("main", *shell("mount -t tmpfs none /tmp; ls /dev/fuse; grep Seccomp: /proc/self/status"))
    assert seen.split() == ["/dev/fuse", "Seccomp:", "0"]


# ---- mounts, devices


def test_volumes(pod):
    """volumes: directories and files, read-only or not"""
    pod.cri.world.write(f"/srv/{pod.name}/file", "content\n")
    pod.start(
        "main", "sleep", "600",
        mounts=[{"container_path": "/data", "host_path": f"/srv/{pod.name}"},
                {"container_path": "/etc/file", "host_path": f"/srv/{pod.name}/file", "readonly": True}])
    seen = pod.run("main", *shell("cat /data/file /etc/file; echo new >/data/new;"
                                  "echo 2>/dev/null >/etc/file || echo ro"))
    assert seen.split() == ["content", "content", "ro"]
    assert pod.cri.world.path(f"/srv/{pod.name}/new").read_text() == "new\n"


@pytest.mark.parametrize("propagation, seen", [("PRIVATE", ["no", "no"]), ("HOST_TO_CONTAINER", ["yes", "no"]),
                                               ("BIDIRECTIONAL", ["yes", "yes"])],
                         ids=["None", "HostToContainer", "Bidirectional"])
def test_propagation(cri, propagation, seen):
    """mountPropagation: what is mounted later, on the node and in the container"""
    namespaces = {"network": "POD", "pid": "CONTAINER"}
    pod = cri.pod(linux={"security_context": {"namespace_options": namespaces, "privileged": True}})
    place = f"/srv/{pod.name}"
    cri.world.run("mkdir", "-p", f"{place}/node", f"{place}/container").ok()
    pod.start("main", "sleep", "600", security={"privileged": True},
              mounts=[{"container_path": "/data", "host_path": place, "propagation": propagation}])
    cri.world.run("sh", "-ec", f"mount -t tmpfs none {place}/node && touch {place}/node/seen").ok()
    pod.run("main", *shell("mount -t tmpfs none /data/container; touch /data/container/seen"))
    there = [
        pod.run("main", *shell("test -e /data/node/seen && echo yes || echo no")),
        "yes" if cri.world.path(f"{place}/container/seen").exists() else "no"
    ]
    cri.world.run("sh", "-c", f"umount {place}/node; umount {place}/container; true")
    assert there == seen


def test_device(pod):
    """a device of a device plugin"""
    pod.start("main", "sleep", "600",
              devices=[{"container_path": "/dev/plugged", "host_path": "/dev/fuse", "permissions": "rw"}])
    assert pod.run("main", "stat", "-c", "%t:%T", "/dev/plugged") == "a:e5"


# ---- density


def test_many_pods(cri):
    """12 Pods at once, and away again"""
    pods = [cri.pod() for _ in range(12)]
    for pod in pods:
        pod.start("main", "sleep", "600")
    assert len({pod.run("main", "readlink", "/proc/self/ns/net") for pod in pods}) == 12


# ---- the guide


def quantity(text):
    """Of memory in bytes, of CPUs in thousandths."""
    units = {"Mi": 1 << 20, "Gi": 1 << 30, "m": 1}
    number, unit = re.fullmatch(r"(\d+)(\w*)", text).groups()
    return int(number) * units[unit]


def start(pod, container, pid):
    """What a kubelet makes of a container of a manifest."""
    context, limits = container["securityContext"], container.get("resources", {}).get("limits")
    pod.start(container["name"], *container["command"], pid=pid, security={
        "run_as_user": {"value": context["runAsUser"]}, "run_as_group": {"value": context["runAsGroup"]},
        "no_new_privs": not context["allowPrivilegeEscalation"], "readonly_rootfs": context["readOnlyRootFilesystem"],
        "capabilities": {"drop_capabilities": context["capabilities"]["drop"]},
        "seccomp": {"profile_type": context["seccompProfile"]["type"]},
    }, resources=limits and {"memory_limit_in_bytes": quantity(limits["memory"]), "cpu_period": 100000,
                             "cpu_quota": quantity(limits["cpu"]) * 100})


def test_example(cri):
    """the manifests of docs/kubernetes.md"""
    manifests = cri.world.path("/usr/local/share/thole/kubernetes")
    runtime_class = yaml.safe_load((manifests / "runtimeclass.yaml").read_text())
    spec = yaml.safe_load((manifests / "pod.yaml").read_text())["spec"]
    assert spec["runtimeClassName"] == runtime_class["metadata"]["name"] and runtime_class["handler"] == "thole"
    pid = "POD" if spec["shareProcessNamespace"] else "CONTAINER"
    pod = cri.pod(linux={"security_context": {"namespace_options": {"network": "POD", "pid": pid}}})
    (sidecar, ), (main, ) = spec["initContainers"], spec["containers"]
    start(pod, sidecar, pid)
    probe = main["readinessProbe"]["exec"]["command"]
    host.until(lambda: pod.exec("sidecar", *probe)[0] == 0, "the sidecar's server")
    start(pod, main, pid)
    until_logged(pod, "main", "served")
    host.until(lambda: pod.exec("main", *probe)[0] == 0, "success of the probe")
    assert pod.limit("main", "memory", "memory.limit_in_bytes", "memory.max") == str(64 << 20)
