# SPDX-License-Identifier: LGPL-2.1-or-later
"""Podman, as an ordinary user

All that root's Podman does, but for what needs a cgroup, and what only a user does."""

import os

import pytest
import test_podman
from podman import Podman
from test_podman import running, shell  # noqa: F401
from world_init import EXTRA_GROUP

from harness import host, user

globals().update({name: value for name, value in vars(test_podman).items() if name.startswith("test_")})

NEED_CGROUP = ("test_pause", "test_kill_paused", "test_stats", "test_update", "test_limits", "test_oom", "test_pids_limit",
               "test_cgroup_parent", "test_pod_pause", "test_no_cgroup", "test_resources")


@pytest.fixture(autouse=True)
def skip_what_needs_a_cgroup(request):
    if request.function.__name__ in NEED_CGROUP and not host.PURE_V2:
        pytest.skip("a user has no cgroup on v1")


@pytest.fixture
def podman(loaded_by_user, oci):
    made = Podman(loaded_by_user, oci, ordinary=True)
    yield made
    made.close()
    made.assert_clean()


def test_mapping(podman):
    """run: root of the container is the user, files of its users are those of the range"""
    file = podman.write("mapped/file", "")
    data = file.removesuffix("/file")
    podman.run("--network=none", f"--volume={data}:/data", *shell("touch /data/root; chown 1000:1000 /data/file"))
    place = podman.world.path(data)
    assert [(place / name).stat().st_uid for name in ("root", "file")] == [user.UID, user.RANGE[0] + 999]
    podman("unshare", "rm", "-r", data)


def test_keep_id(podman):
    """run --userns=keep-id: the user is himself in the container"""
    file = podman.write("kept/file", "")
    data = file.removesuffix("/file")
    seen = podman.run("--network=none", "--userns=keep-id", f"--volume={data}:/data", *shell("id -u; touch /data/new"))
    assert seen == str(user.UID)
    assert podman.world.path(f"{data}/new").stat().st_uid == user.UID


def test_keep_groups(podman):
    """run --group-add=keep-groups: the user's groups open what is theirs"""
    file = podman.write("group/file", "content\n", 0o040)
    os.chown(podman.world.path(file), 0, EXTRA_GROUP)
    run = ("run", "--rm", "--network=none", f"--volume={file}:/file")
    podman.try_(*run, "localhost/box:latest", "cat", "/file").fails("Permission denied")
    assert podman(*run, "--group-add=keep-groups", "localhost/box:latest", "cat", "/file") == "content"


def test_slirp4netns(podman):
    """run --network=slirp4netns --publish: a port of the host"""
    podman.start("--network=slirp4netns", "--publish=8080:80", *shell("while :; do echo answer | nc -l -p 80; done"))
    asked = shell("for i in 1 2 3 4 5 6; do busybox nc -w 2 127.0.0.1 8080 </dev/null | grep answer && exit 0; sleep 0.1; done")
    assert podman.world.run(*asked).ok().out == "answer\n"


def test_fuse_overlayfs(podman, image_archive):
    """storage by fuse-overlayfs"""
    options = (f"--root={podman.home}/fuse", f"--runroot={podman.home}/fuse-run", "--storage-driver=overlay",
               "--storage-opt=overlay.mount_program=/usr/bin/fuse-overlayfs")
    podman(*options, "load", "--input", image_archive)
    seen = podman(*options, "run", "--rm", "--network=none", "localhost/box:latest", *shell("touch /file; grep ' / ' /proc/mounts"))
    assert "fuse" in seen
