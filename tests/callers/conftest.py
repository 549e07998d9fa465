# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every test here runs a caller with each of three runtimes.  What fails with a peer is shown in the table and no
failure of the run: the table says what a caller on this host can do at all.  thole has to pass."""

import os
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path

import containerd
import docker as dockers
import image
import pytest
import table
from podman import MACHINE, Podman
from world import World

from harness import box, runtime

results = table.Table()


@dataclass(frozen=True)
class Runtime:
    """NAME as callers call it, PATH in the world."""

    name: str
    path: str


def find(name):
    """The program on the host, or None."""
    return shutil.which(runtime.BINARY if name == "thole" else name, path=f"{os.environ['PATH']}:/usr/sbin")


def peers():
    """{name: path} of those that are installed."""
    return {name: find(name) for name in table.RUNTIMES if name != "thole" and find(name)}


@pytest.fixture(params=table.RUNTIMES)
def oci(request):
    """The runtime that is called."""
    name = request.param
    program = find(name)
    if program is None:
        pytest.skip(f"{name} is not installed")
    return Runtime(name, "/usr/local/bin/thole" if name == "thole" else program)


@pytest.fixture(scope="session")
def world():
    """The little host of this session; see world.py."""
    share = Path(__file__).parents[2] / "share/thole"
    install = {"/usr/local/bin/thole": shutil.which(runtime.BINARY)}
    install |= {f"/usr/local/share/thole/{path.relative_to(share)}": path for path in share.rglob("*") if path.is_file()}
    made = World(f"{box.SESSION}-{box.WORKER}-world", install)
    yield made
    made.close()


@pytest.fixture(scope="session")
def image_archive(world):
    """The image as an OCI archive, where the world has it."""
    path = "/tmp/box.tar"
    image.archive(world.path(path))
    world.path(path).chmod(0o644)
    return path


@pytest.fixture(scope="session")
def loaded(world, image_archive):
    """A world in which Podman has the image, and knows thole by the file that comes with it."""
    shipped = world.path("/usr/local/share/thole/podman/containers.conf").read_text()
    world.write("/etc/containers/containers.conf.d/thole.conf", shipped)
    world.write("/etc/containers/containers.conf.d/zz-machine.conf", MACHINE)
    world.run("podman", "load", "--input", image_archive).ok()
    return world


@pytest.fixture(scope="session")
def loaded_by_user(loaded, image_archive):
    """The same, and its ordinary user has the image, too."""
    loaded.run("podman", "load", "--input", image_archive, ordinary=True).ok()
    return loaded


@pytest.fixture
def podman(loaded, oci):
    made = Podman(loaded, oci)
    yield made
    made.close()
    made.assert_clean()


@pytest.fixture(scope="session")
def with_containerd(world):
    """A world in which containerd runs."""
    daemon = containerd.start(world, peers())
    yield world
    daemon.signal(signal.SIGTERM)
    daemon.wait()


@pytest.fixture(scope="session")
def with_docker(with_containerd):
    """A world in which Docker Engine runs."""
    daemon = dockers.start(with_containerd, peers())
    yield with_containerd
    daemon.signal(signal.SIGTERM)
    daemon.wait()


@pytest.fixture
def docker(with_docker, oci):
    made = dockers.Docker(with_docker, oci)
    yield made
    made.close()
    made.watch.assert_clean()


@pytest.fixture
def ctr(with_containerd, oci):
    made = containerd.Ctr(with_containerd, oci)
    yield made
    made.close()
    made.watch.assert_clean()


# ---- the table


def pytest_itemcollected(item):
    if hasattr(item, "callspec") and "oci" in item.callspec.params:
        item.user_properties.append(("caller", table.about(item)))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    report = (yield).get_result()
    known = dict(item.user_properties).get("caller")
    if known and report.failed and known["runtime"] != "thole":
        why = table.reason(report)
        report.outcome, report.wasxfail = "skipped", why


def pytest_runtest_logreport(report):
    results.add(report)


def pytest_terminal_summary(terminalreporter):
    if not results.cells:
        return
    terminalreporter.section("callers")
    terminalreporter.write_line(results.text())
    if os.environ.get("CALLERS_TABLE"):
        Path(os.environ["CALLERS_TABLE"]).write_text(results.markdown(), encoding="utf-8")
