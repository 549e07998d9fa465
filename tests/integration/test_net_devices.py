# SPDX-License-Identifier: LGPL-2.1-or-later
"""linux.netDevices: devices of the host move into the container, with name and addresses; or nothing has happened.

The runtime's host is a network namespace of the test's own.  What the spec says of physical devices (that they come back when
the container's namespace ends) is the kernel's doing and not seen here: there are none to move.
"""

import os

import pytest

from harness import host, network, seen

pytestmark = pytest.mark.root("makes network devices")


@pytest.fixture
def outside(holder):
    """The runtime's network: the pair eth0 (moved by most tests) and wire."""
    net = network.Network(holder(host.CLONE_NEWNET))
    net.add_pair("eth0", "wire")
    return net


@pytest.fixture
def box(box):
    box.set_probe("pause")
    return box


def inside(box):
    return network.Network(box.pid)


def move(box, outside, **devices):
    """Creates the container with DEVICES; its network."""
    box.linux["netDevices"] = devices
    box.create(before_exec=outside.enter)
    return inside(box)


def refuse(box, outside, *words, **devices):
    """Creating with DEVICES fails with a message of WORDS; nothing of the container or of the devices has changed."""
    before = outside.devices()
    box.linux["netDevices"] = devices
    box.try_create(before_exec=outside.enter).error(*words)
    box.assert_clean()
    assert_same(before, outside.devices())


def assert_same(before, after):
    """The devices of two times, without what comes and goes on its own: link-local addresses, and the other end's state."""
    def settled(devices):
        return {name: (device["ifindex"], device["address"], device["mtu"], "UP" in device["flags"], device.get("master"),
                       [entry for entry in device["addr_info"] if entry["scope"] == "global"])
                for name, device in devices.items()}

    assert settled(after) == settled(before)


def test_moves(box, outside):
    """With its hardware address, MTU and index; up; and the host has it no more."""
    outside.ip("link set eth0 address 02:00:00:00:00:07 mtu 1300")
    before = outside.device("eth0")
    net = move(box, outside, eth0={})
    assert list(outside.devices()) == ["lo", "wire"]
    after = net.device("eth0")
    assert sorted(net.devices()) == ["eth0", "lo"]
    assert (after["address"], after["mtu"]) == ("02:00:00:00:00:07", 1300)
    assert after["ifindex"] == before["ifindex"]
    assert "UP" in after["flags"]
    box.start()
    box.stop()


def test_runs_with_it(box, outside):
    box.linux["netDevices"] = {"eth0": {"name": "net0"}}
    box.set_probe("ls /sys/class/net", "cat /sys/class/net/net0/flags")
    report = seen.only(box.run(before_exec=outside.enter).ok().out)
    assert sorted(report["ls /sys/class/net"]) == ["lo", "net0"]
    assert int(report["cat /sys/class/net/net0/flags"], 16) & 1
    # Its namespace is gone, and it with it: a virtual device does not come back.
    host.until(lambda: list(outside.devices()) == ["lo"], "end of the pair")


def test_traffic(box, outside):
    outside.ip("address add 192.0.2.1/24 dev wire")
    outside.ip("link set wire up")
    outside.ip("address add 192.0.2.2/24 dev eth0")
    box.linux["netDevices"] = {"eth0": {}}
    box.capabilities("CAP_NET_RAW")
    box.process["args"] = ["/bin/busybox", "ping", "-c", "1", "-w", "10", "192.0.2.1"]
    assert "1 packets received" in box.run(before_exec=outside.enter).ok().out


@pytest.mark.parametrize("name", ["net0", "a-b.c_d", "a23456789012345"])
def test_renamed(box, outside, name):
    net = move(box, outside, eth0={"name": name})
    assert sorted(net.devices()) == sorted(["lo", name])
    assert "UP" in net.device(name)["flags"]


def test_empty_name_is_the_hosts(box, outside):
    assert "eth0" in move(box, outside, eth0={"name": ""}).devices()


def test_template(box, outside):
    """The kernel fills %d in."""
    outside.add_pair("eth1", "wire1")
    net = move(box, outside, eth0={"name": "net%d"}, eth1={"name": "net%d"})
    assert sorted(net.devices()) == ["lo", "net0", "net1"]
    assert all("UP" in net.device(name)["flags"] for name in ("net0", "net1"))


def test_names_exchanged(box, outside):
    outside.ip("link set wire name eth1")
    first, second = outside.device("eth0"), outside.device("eth1")
    net = move(box, outside, eth0={"name": "eth1"}, eth1={"name": "eth0"})
    assert net.device("eth0")["address"] == second["address"]
    assert net.device("eth1")["address"] == first["address"]


def test_addresses(box, outside):
    """Permanent ones of global scope, of both families, with what they have beside the number; in their order."""
    outside.ip("link set eth0 up")
    outside.ip("address add 10.1.0.2/16 broadcast 10.1.255.255 dev eth0")
    outside.ip("address add 10.1.0.3/16 dev eth0")
    outside.ip("address add 10.2.0.2 peer 10.2.0.9/24 dev eth0 label eth0:web metric 77")
    outside.ip("address add 2001:db8::2/64 dev eth0 nodad")
    outside.ip("address add 2001:db8:1::2/64 dev eth0 noprefixroute preferred_lft 0")
    before = outside.device("eth0")["addr_info"]
    net = move(box, outside, eth0={"name": "net0"})

    def settled(entries):
        return [{key: value for key, value in entry.items() if key not in ("tentative", "label")}
                for entry in entries if entry["scope"] == "global"]

    after = net.device("net0")["addr_info"]
    assert len(settled(before)) == 5
    assert settled(after) == settled(before)
    assert [entry["label"] for entry in after if "label" in entry] == ["net0", "net0:web", "net0"]


def test_addresses_that_stay_behind(box, outside):
    """Other scopes, and those that end."""
    outside.ip("link set eth0 up")
    outside.ip("address add 10.1.0.2/16 dev eth0 scope link")
    outside.ip("address add 10.9.0.3/16 dev eth0 valid_lft 600 preferred_lft 500")
    outside.ip("address add 2001:db8::2/64 dev eth0 nodad valid_lft 600 preferred_lft 500")
    outside.ip("address add 10.8.0.4/16 dev eth0")
    assert move(box, outside, eth0={}).addresses("eth0") == ["10.8.0.4/16"]


def test_addresses_of_other_devices_stay(box, outside):
    outside.ip("address add 10.1.0.2/16 dev wire")
    net = move(box, outside, eth0={})
    assert net.addresses("eth0") == [] and outside.addresses("wire") == ["10.1.0.2/16"]


def test_many_addresses(box, outside):
    expected = [f"10.1.{i // 200}.{i % 200 + 1}/32" for i in range(600)]
    for address in expected:
        outside.ip("address add", address, "dev eth0")
    assert move(box, outside, eth0={}).addresses("eth0") == expected


def test_out_of_a_bridge(box, outside):
    outside.ip("link add br0 type bridge")
    outside.ip("link set eth0 master br0")
    net = move(box, outside, eth0={})
    assert "master" not in net.device("eth0")


def test_joined_namespace(box, outside, holder):
    """What was there stays, and all of it when the container is deleted: nothing is moved back."""
    pid = holder(host.CLONE_NEWNET)
    net = network.Network(pid)
    net.add_pair("eth1", "eth2")
    box.set_namespace("network", net.path)
    outside.ip("address add 10.1.0.2/16 dev eth0")
    move(box, outside, eth0={})
    assert host.namespace("net", box.pid) == host.namespace("net", pid)
    box.delete("--force")
    assert sorted(net.devices()) == ["eth0", "eth1", "eth2", "lo"]
    assert net.addresses("eth0") == ["10.1.0.2/16"]


def test_joined_namespace_with_other_indices(box, outside, holder):
    """The index is taken there: the device gets another."""
    net = network.Network(holder(host.CLONE_NEWNET))
    taken = outside.device("eth0")["ifindex"]
    net.add_pair("eth1", "eth2", "index", taken)
    box.set_namespace("network", net.path)
    outside.ip("address add 10.1.0.2/16 dev eth0")
    move(box, outside, eth0={"name": "net%d"})
    assert net.device("net0")["ifindex"] != taken
    assert net.addresses("net0") == ["10.1.0.2/16"]


def test_name_that_only_the_old_one_clashes_with(box, outside, holder):
    """There is an eth0 in the namespace; ours comes as net0."""
    net = network.Network(holder(host.CLONE_NEWNET))
    net.add_pair("eth0", "eth1")
    box.set_namespace("network", net.path)
    move(box, outside, eth0={"name": "net0"})
    assert sorted(net.devices()) == ["eth0", "eth1", "lo", "net0"]


@pytest.mark.parametrize("device", [{}, {"name": "eth1"}])
def test_name_that_is_taken(box, outside, holder, device):
    net = network.Network(holder(host.CLONE_NEWNET))
    net.add_pair("eth0", "eth1")
    box.set_namespace("network", net.path)
    name = device.get("name", "eth0")
    refuse(box, outside, "linux.netDevices.eth0 (config.json:", f"has a device {name} already", eth0=device)
    assert sorted(net.devices()) == ["eth0", "eth1", "lo"]


def test_template_where_the_first_number_is_taken(box, outside, holder):
    net = network.Network(holder(host.CLONE_NEWNET))
    net.add_pair("eth0", "eth1")
    box.set_namespace("network", net.path)
    move(box, outside, eth0={"name": "eth%d"})
    assert sorted(net.devices()) == ["eth0", "eth1", "eth2", "lo"]


def test_user_namespace(box, outside):
    box.set_namespace("user")
    box.linux["uidMappings"] = box.linux["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    outside.ip("address add 10.1.0.2/16 dev eth0")
    net = move(box, outside, eth0={})
    assert net.addresses("eth0") == ["10.1.0.2/16"]


def test_forked_namespace(box, outside, make_box):
    """With a joined pid namespace the network namespace is made by a second clone."""
    first = make_box()
    first.without_network()
    first.set_probe("pause")
    first.create()
    first.start()
    box.set_namespace("pid", f"/proc/{first.pid}/ns/pid")
    assert "eth0" in move(box, outside, eth0={}).devices()
    box.stop()
    first.stop()


def test_before_hooks_and_sysctl(box, outside):
    """createRuntime hooks run on the host, when the device has moved; what is done later in the container finds it."""
    out = box.directory("hooks")
    shell = {"path": "/bin/sh"}
    box.config["hooks"] = {
        "createRuntime": [shell | {"args": ["sh", "-c", f"readlink /proc/self/ns/net > {out}/runtime; "
                                            f"ls /proc/sys/net/ipv4/conf >> {out}/runtime"]}],
        "createContainer": [shell | {"args": ["sh", "-c", f"ls /proc/sys/net/ipv4/conf > {out}/container"]}],
    }
    box.linux["sysctl"] = {"net.ipv4.conf.net0.forwarding": "1"}
    box.linux["netDevices"] = {"eth0": {"name": "net0"}}
    what = "cat /proc/sys/net/ipv4/conf/net0/forwarding"
    box.set_probe(what)
    own = os.readlink(outside.path)
    assert seen.only(box.run(before_exec=outside.enter).ok().out)[what] == "1\n"
    runtime = (out / "runtime").read_text().split()
    assert runtime[0] == own and "wire" in runtime and "eth0" not in runtime
    assert "net0" in (out / "container").read_text().split()


# ---- refused, and nothing has happened ----


def test_missing(box, outside):
    refuse(box, outside, "linux.netDevices.eth7 (config.json:", "there is no network device eth7 on the host",
           eth0={}, eth7={})


def test_loopback(box, outside):
    refuse(box, outside, "linux.netDevices.lo (config.json:", "the loopback device cannot be moved", eth0={}, lo={})


def test_immovable(box, outside):
    """A bridge belongs to its namespace; the device before it is back where it was."""
    outside.ip("link add br0 type bridge")
    outside.ip("link add br1 type bridge")
    outside.ip("address add 10.1.0.2/16 dev eth0 label eth0:a")
    outside.ip("address add 2001:db8::2/64 dev eth0 nodad")
    outside.ip("link set eth0 up master br1")
    refuse(box, outside, "linux.netDevices.br0 (config.json:", "move it into the container's network namespace",
           "Invalid argument", eth0={"name": "other"}, br0={})
    assert outside.device("eth0")["master"] == "br1"


def test_name_that_the_kernel_refuses(box, outside):
    """"default" is a directory of /proc/sys/net: the device moves, and then cannot be renamed."""
    outside.ip("address add 10.1.0.2/16 dev eth0")
    refuse(box, outside, "linux.netDevices.eth0 (config.json:", eth0={"name": "default"})


def test_device_that_was_down_is_down_again(box, outside):
    outside.ip("link add br0 type bridge")
    refuse(box, outside, "linux.netDevices.br0", eth0={}, br0={})
    assert "UP" not in outside.device("eth0")["flags"]


@pytest.mark.parametrize("hooks", ["createRuntime", "createContainer"])
def test_hook_fails(box, outside, hooks):
    outside.ip("address add 10.1.0.2/16 dev eth0")
    outside.ip("link set eth0 up")
    box.config["hooks"] = {hooks: [{"path": "/bin/false"}]}
    refuse(box, outside, f"hooks.{hooks}[0]", eth0={"name": "net0"})


def test_later_step_fails(box, outside):
    """init is dead by then, and its namespace only held for the device to come back from."""
    outside.ip("address add 10.1.0.2/16 dev eth0")
    box.process["args"] = ["/no/such/program"]
    refuse(box, outside, "/no/such/program", eth0={"name": "net%d"})


def test_run_fails(box, outside):
    outside.ip("address add 10.1.0.2/16 dev eth0")
    before = outside.devices()
    box.linux["netDevices"] = {"eth0": {}}
    box.process["args"] = ["/no/such/program"]
    box.run(before_exec=outside.enter).error("/no/such/program")
    assert_same(before, outside.devices())


def test_namespace_of_the_runtime(box, outside):
    box.set_namespace("network", outside.path)
    refuse(box, outside, "linux.netDevices (config.json:", "is the runtime's own", eth0={"name": "net0"})


def test_no_namespace(box, outside):
    box.without_network()
    refuse(box, outside, "linux.netDevices", "needs a network namespace", eth0={})


@pytest.mark.parametrize("name", ["a/b", "a b", "..", "a234567890123456", "net%s", "net%d0", "%d%d", "net%"])
def test_bad_name(box, outside, name):
    refuse(box, outside, "linux.netDevices.eth0.name", "is no name of a network interface", eth0={"name": name})


def test_same_name_twice(box, outside):
    refuse(box, outside, "linux.netDevices.wire", "eth0 would also be called net0", eth0={"name": "net0"},
           wire={"name": "net0"})


def test_plan_says_when(box):
    box.linux["netDevices"] = {"eth0": {}}
    box.write_config()
    lines = box.call("plan", box.bundle).ok().out.splitlines()
    assert [line for line in lines if line.lstrip().startswith("sync") and "network" in line], lines
