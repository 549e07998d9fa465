# SPDX-License-Identifier: LGPL-2.1-or-later
"""Services, on Docker Engine"""

import http.client
import os
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import docker as dockers
import pytest

from harness import host

NGINX, HAPROXY = "localhost/nginx:latest", "localhost/haproxy:latest"

NGINX_CONF = b"""
user root root;
daemon off;
pid /run/nginx.pid;
error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path /tmp/body; proxy_temp_path /tmp/proxy; fastcgi_temp_path /tmp/fastcgi;
  uwsgi_temp_path /tmp/uwsgi; scgi_temp_path /tmp/scgi;
  server {
    listen 80;
    location / { root /srv/www; }
    location = /name { return 200 "$hostname\\n"; }
  }
}
"""

HAPROXY_CFG = b"""
resolvers docker
  nameserver dns 127.0.0.11:53
  hold valid 200ms
defaults
  mode http
  timeout connect 500ms
  timeout client 5s
  timeout server 5s
  retries 5
  option redispatch 1
  default-server check inter 200ms rise 1 fall 1 resolvers docker init-addr none
frontend all
  bind :80
  default_backend webs
backend webs
  balance roundrobin
  option httpchk GET /name
  server web1 web1:80
  server web2 web2:80
  server web3 web3:80
"""


def with_libraries(program):
    """{path in the image: content} of PROGRAM of the host and all that it is linked to."""
    path = shutil.which(program, path="/usr/sbin:/usr/bin")
    if path is None:
        pytest.skip(f"{program} is not installed")
    said = subprocess.run(["ldd", path], capture_output=True, text=True, check=True).stdout
    paths = [path, *re.findall(r"(/\S+) \(0x", said)]
    return {each.lstrip("/"): Path(os.path.realpath(each)).read_bytes() for each in paths}


@pytest.fixture(scope="session")
def images(with_docker):
    dockers.load(with_docker, NGINX, with_libraries("nginx") | {"etc/nginx/nginx.conf": NGINX_CONF,
                                                                "srv/www/index.html": b"served by nginx\n"})
    dockers.load(with_docker, HAPROXY, with_libraries("haproxy") | {"etc/haproxy.cfg": HAPROXY_CFG})


def shell(text):
    return ("sh", "-ec", text)


def start_nginx(docker, *options):
    return docker.start(*options, "nginx", of=NGINX)


def get(docker, address, path=""):
    """What is answered to somebody in the world, or None."""
    client = http.client.HTTPConnection(address, timeout=10 * host.SLOWNESS)
    try:
        client.sock = docker.world.connect(address, 80)
        client.request("GET", f"/{path}")
        answer = client.getresponse()
        return answer.read().decode() if answer.status == 200 else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        client.close()


def address(docker, name):
    networks = docker.inspect(name, "NetworkSettings.Networks")
    return next(iter(networks.values()))["IPAddress"]


def until_served(docker, name):
    host.until(lambda: get(docker, address(docker, name)), f"an answer of {name}", 20)


def test_nginx(docker, images):
    """nginx: serves, takes a new configuration while it serves, ends in order"""
    name = start_nginx(docker, "--stop-signal=QUIT")
    until_served(docker, name)
    assert [get(docker, address(docker, name)) for _ in range(20)] == ["served by nginx\n"] * 20
    docker("exec", name, *shell("sed -i 's/$hostname/reloaded/' /etc/nginx/nginx.conf; nginx -s reload"))
    host.until(lambda: get(docker, address(docker, name), "name") == "reloaded\n", "the new configuration")
    docker("stop", name)
    assert docker.inspect(name)["ExitCode"] == 0


def test_sidecar(docker, images):
    """a sidecar in the network namespace of its service: each reaches the other at 127.0.0.1"""
    name = start_nginx(docker, "--volume=/shared")
    until_served(docker, name)
    sidecar = docker.start(f"--network=container:{name}", f"--volumes-from={name}",
                           *shell("while :; do printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc 127.0.0.1 80 | tail -n 1 "
                                  ">/shared/seen; sleep 0.1; done"))

    def seen():
        return docker.try_("exec", name, "cat", "/shared/seen").out == "served by nginx\n"

    host.until(seen, "what the sidecar saw")
    docker("restart", "--time=0", sidecar)
    docker("exec", name, "rm", "/shared/seen")
    host.until(seen, "what the sidecar saw again")


def test_balancer(docker, images):
    """HAProxy before three: one is killed and replaced, and no request is lost"""
    docker("network", "create", "webs")
    try:
        webs = [start_nginx(docker, "--network=webs", f"--network-alias=web{number}") for number in (1, 2, 3)]
        balancer = docker.start("--network=webs", "haproxy", "-db", "-f", "/etc/haproxy.cfg", of=HAPROXY)

        def answers(count):
            return Counter(get(docker, address(docker, balancer), "name") for _ in range(count))

        host.until(lambda: len(set(answers(6)) - {None}) == 3, "answers of three", 20)
        docker("kill", webs[1])
        after = answers(30)
        assert None not in after and len(after) == 2
        start_nginx(docker, "--network=webs", "--network-alias=web2", "--hostname=replacement")
        host.until(lambda: answers(6)["replacement\n"], "an answer of the replacement", 20)
        assert None not in answers(30)
    finally:
        docker.close()
        docker("network", "rm", "webs")


def test_replicas(docker, images):
    """1 -> 20 -> 1 replicas: all serve, and one is left as it was"""
    first = start_nginx(docker)
    until_served(docker, first)
    watch = type(docker.watch)(docker.world, f"/run/docker/runtime-{docker.oci.name}", ignored=dockers.OWN_MOUNTS)
    pid = docker.inspect(first)["Pid"]
    names = [docker.name() for _ in range(19)]
    starting = [docker.spawn(*docker.arguments("--detach", f"--name={name}", "nginx", of=NGINX)) for name in names]
    for program in starting:
        program.wait(120).ok()
    for name in names:
        until_served(docker, name)
    docker("rm", "--force", *names, seconds=120)
    assert get(docker, address(docker, first)) == "served by nginx\n" and docker.inspect(first)["Pid"] == pid
    watch.assert_clean()


def held(docker):
    """What restarts must not add to: descriptors of the daemons and of the shim, mounts, cgroups, processes."""
    world = docker.world
    found = Counter(mounts=len(world.mounts()), cgroups=len(world.cgroups()), processes=len(world.pids()))
    for pid, words in world.pids().items():
        name = os.path.basename(words[0]) if words else ""
        if name in ("dockerd", "containerd"):
            found[name] = len(list(world.path(f"/proc/{pid}/fd").iterdir()))
    return found


def test_restarts(docker, images):
    """500 restarts: no mount, cgroup, process or descriptor more than before"""
    names = [docker.start("--network=none", "sleep", "600") for _ in range(5)]

    def restart(times):
        for _ in range(times):
            for program in [docker.spawn("restart", "--time=0", name) for name in names]:
                program.wait(60).ok()

    restart(2)
    before = held(docker)
    restart(98)
    # A daemon may hold a connection or two of its clients for a moment.
    host.until(lambda: all(count <= before[what] + (8 if what in ("dockerd", "containerd") else 0)
                           for what, count in held(docker).items()), f"no more than {before}", 10)
    assert {docker.inspect(name)["Status"] for name in names} == {"running"}


def test_out_of_memory(docker, images):
    """a service that exceeds its memory: killed, reported as such, started again; its neighbour does not notice"""
    neighbour = start_nginx(docker)
    until_served(docker, neighbour)
    pid = docker.inspect(neighbour)["Pid"]
    name = docker.start("--network=none", "--memory=16m", "--restart=on-failure:2", *dockers.GREEDY)
    host.until(lambda: docker.inspect(name, "RestartCount") == 2, "two restarts", 20)
    docker.until_state(name, "exited")
    assert docker.inspect(name)["ExitCode"] == 137
    assert docker.is_reported_as_oom()
    assert get(docker, address(docker, neighbour)) == "served by nginx\n" and docker.inspect(neighbour)["Pid"] == pid
