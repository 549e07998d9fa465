# SPDX-License-Identifier: LGPL-2.1-or-later
"""A kubelet's side of the Container Runtime Interface: Pods of one runtime, in a World with containerd."""

import functools
import itertools
import json
import subprocess
import urllib.parse
from pathlib import Path

import containerd
import grpc
import image
import websocket
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

from harness import host

_numbers = itertools.count(1)

SERVICE = "runtime.v1.RuntimeService"


@functools.cache
def messages():
    """{name: class} of cri.proto."""
    proto = Path(__file__).with_name("cri.proto")
    compiled = subprocess.run(
        ["protoc", f"--proto_path={proto.parent}", "--descriptor_set_out=/dev/stdout", proto.name], capture_output=True,
        check=True).stdout
    files = descriptor_pb2.FileDescriptorSet.FromString(compiled).file
    pool = descriptor_pool.DescriptorPool()
    for file in files:
        pool.Add(file)
    factory = message_factory.MessageFactory(pool)
    return {
        entry.name: factory.GetPrototype(pool.FindMessageTypeByName(f"{file.package}.{entry.name}"))
        for file in files for entry in file.message_type
    }


class Stream:
    """A streaming exec or attach: a WebSocket whose messages begin with the number of a stream (v4.channel.k8s.io)."""

    STDIN, STDOUT, STDERR, ERROR, RESIZE = range(5)

    def __init__(self, world, url):
        address = urllib.parse.urlsplit(url)
        connection = world.connect(address.hostname, address.port)
        self.web = websocket.create_connection(url.replace("http", "ws", 1), socket=connection,
                                               timeout=20 * host.SLOWNESS, subprotocols=["v4.channel.k8s.io"])
        self.text, self.errors, self.status = "", "", None

    def send(self, text, stream=STDIN):
        self.web.send_binary(bytes([stream]) + text.encode())

    def resize(self, rows, columns):
        self.send(json.dumps({"Width": columns, "Height": rows}), self.RESIZE)

    def receive(self):
        """One more message; False at the end."""
        try:
            kind, data = self.web.recv_data()
        except websocket.WebSocketConnectionClosedException:
            return False
        if kind != websocket.ABNF.OPCODE_BINARY:
            return kind != websocket.ABNF.OPCODE_CLOSE
        stream, text = data[0], data[1:].decode(errors="replace")
        if stream == self.STDOUT:
            self.text += text
        elif stream == self.STDERR:
            self.errors += text
        elif stream == self.ERROR and text:
            self.status = json.loads(text)
        return True

    def expect(self, text):
        while text not in self.text:
            assert self.receive(), f"the stream ended without {text!r}: {self.text!r} {self.errors!r} {self.status}"

    def wait(self):
        """Reads to the end; the program's status."""
        while self.receive():
            pass
        if self.status is None or self.status["status"] == "Success":
            return 0
        return int(next(cause["message"] for cause in self.status["details"]["causes"]
                        if cause["reason"] == "ExitCode"))

    def close(self):
        self.web.close()


class Cri:
    def __init__(self, world, oci):
        self.world, self.oci = world, oci
        self.pods = []
        self.watch = containerd.Watch(world, "/run/containerd/runc")
        self.channel = grpc.insecure_channel(f"unix:/proc/{world.pid}/root{containerd.SOCKET}")

    def call(self, method, seconds=60, **request):
        """An RPC; members of the request and of the answer are named as in cri.proto."""
        invoke = self.channel.unary_unary(f"/{SERVICE}/{method}",
                                          request_serializer=lambda message: message.SerializeToString(),
                                          response_deserializer=messages()[f"{method}Response"].FromString)
        return invoke(json_format.ParseDict(request, messages()[f"{method}Request"]()), timeout=seconds * host.SLOWNESS)

    def error(self, method, **request):
        """The message of an RPC that fails."""
        try:
            self.call(method, **request)
        except grpc.RpcError as error:
            return error.details()
        raise AssertionError(f"{method} has not failed")

    def pod(self, **more):
        made = Pod(self, **more)
        self.pods.append(made)
        return made

    def close(self):
        for pod in self.pods:
            pod.remove()
        self.channel.close()


class Pod:
    """A sandbox; LINUX and other members of PodSandboxConfig may be given."""

    def __init__(self, cri, linux=None, network="POD", **more):
        self.cri, self.name = cri, f"pod{next(_numbers)}"
        self.logs = f"/var/log/pods/{self.name}"
        self.containers = {}
        context = {"namespace_options": {"network": network, "pid": "CONTAINER"}}
        linux = {"cgroup_parent": f"/kubepods/{self.name}", "security_context": context} | (linux or {})
        self.config = {
            "metadata": {"name": self.name, "uid": self.name, "namespace": "tests"}, "hostname": self.name,
            "log_directory": self.logs, "linux": linux
        } | more
        if network == "NODE":
            self.config["hostname"] = ""
        self.network = network
        self.id = cri.call("RunPodSandbox", config=self.config, runtime_handler=cri.oci.name).pod_sandbox_id

    def status(self, verbose=False):
        return self.cri.call("PodSandboxStatus", pod_sandbox_id=self.id, verbose=verbose)

    def pid(self):
        """Of the sandbox's own process, as the world numbers it."""
        return json.loads(self.status(verbose=True).info["info"])["pid"]

    def create(self, name, *command, attempt=0, pid="CONTAINER", security=None, resources=None, **more):
        """Creates a container; gives its id."""
        namespaces = {"network": self.network, "pid": pid}
        if pid not in ("CONTAINER", "POD", "NODE"):
            namespaces |= {"pid": "TARGET", "target_id": self.containers[pid]}
        config = {
            "metadata": {"name": name, "attempt": attempt}, "image": {"image": image.NAME}, "command": list(command),
            "log_path": f"{name}/{attempt}.log", "linux": {
                "security_context": {"namespace_options": namespaces} | (security or {}), "resources": resources or {}
            }
        } | more
        self.cri.world.path(f"{self.logs}/{name}").mkdir(parents=True, exist_ok=True)
        made = self.cri.call("CreateContainer", pod_sandbox_id=self.id, config=config, sandbox_config=self.config)
        self.containers[name] = made.container_id
        return made.container_id

    def start(self, name, *command, **more):
        """Creates and starts a container."""
        self.create(name, *command, **more)
        self.cri.call("StartContainer", container_id=self.containers[name])
        return name

    def container(self, name):
        """The name of its state, and its status."""
        status = self.cri.call("ContainerStatus", container_id=self.containers[name]).status
        states = messages()["ContainerStatus"].DESCRIPTOR.fields_by_name["state"].enum_type
        return states.values_by_number[status.state].name, status

    def until(self, name, state, seconds=20):
        """The status of a container that has come to STATE."""
        host.until(lambda: self.container(name)[0] == state, f"{state} of {name}", seconds)
        return self.container(name)[1]

    def exec(self, name, *command, timeout=20):
        """(status, stdout, stderr) of a probe's or a hook's program."""
        done = self.cri.call("ExecSync", container_id=self.containers[name], cmd=list(command), timeout=timeout)
        return done.exit_code, done.stdout.decode(), done.stderr.decode()

    def run(self, name, *command):
        """What a program in the container prints; it must succeed."""
        status, out, err = self.exec(name, *command)
        assert status == 0, (command, status, out, err)
        return out.strip()

    def stop(self, name, timeout=10):
        self.cri.call("StopContainer", container_id=self.containers[name], timeout=timeout)

    def delete(self, name):
        self.cri.call("RemoveContainer", container_id=self.containers[name])

    def log(self, name, attempt=0):
        """[(stream, text), …] of the container's log."""
        lines = self.cri.world.path(f"{self.logs}/{name}/{attempt}.log").read_text().splitlines()
        return [(stream, text) for _, stream, _, text in (line.split(" ", 3) for line in lines)]

    def limit(self, name, controller, file, file_v2):
        """A file of the container's cgroup."""
        place = self.cri.world.cgroup(controller, f"/kubepods/{self.name}/{self.containers[name]}")
        return (place / (file if controller in host.HIERARCHIES else file_v2)).read_text().strip()

    def exec_stream(self, name, *command, tty=False):
        answer = self.cri.call("Exec", container_id=self.containers[name], cmd=list(command), tty=tty, stdin=True,
                               stdout=True, stderr=not tty)
        return Stream(self.cri.world, answer.url)

    def attach(self, name, tty=False):
        answer = self.cri.call("Attach", container_id=self.containers[name], tty=tty, stdin=True, stdout=True,
                               stderr=not tty)
        return Stream(self.cri.world, answer.url)

    def remove(self):
        """As the kubelet does, which removes the Pod's cgroup as well."""
        self.cri.call("StopPodSandbox", pod_sandbox_id=self.id)
        self.cri.call("RemovePodSandbox", pod_sandbox_id=self.id)
        for root in set(host.HIERARCHIES.values()):
            place = root / self.cri.world.name / "kubepods" / self.name
            if place.is_dir():
                place.rmdir()
