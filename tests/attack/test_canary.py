# SPDX-License-Identifier: LGPL-2.1-or-later
"""The canary itself: each kind of change is noticed, or the attacks prove nothing."""

import os

import pytest
from canary import Canary


def spoil_content(place):
    (place / "below/file").write_text("changed")


def spoil_mode(place):
    (place / "file").chmod(0o666)


def spoil_owner(place):
    os.chown(place / "file", 1000, 0)


def spoil_link(place):
    (place / "link").unlink()
    (place / "link").symlink_to("null")


def add_file(place):
    (place / "below/deeper/new").write_text("")


def add_directory(place):
    (place / "new").mkdir()


def remove_file(place):
    (place / "ptmx").unlink()


def replace_by_a_device(place):
    (place / "null").unlink()
    os.mknod(place / "null", 0o020666, os.makedev(1, 3))


def spoil_directory_mode(place):
    (place / "pts").chmod(0o755)


@pytest.mark.parametrize("spoil", [spoil_content, spoil_mode, spoil_owner, spoil_link, add_file, add_directory,
                                   remove_file, replace_by_a_device, spoil_directory_mode])
def test_change_is_noticed(tmp_path, spoil):
    made = Canary(tmp_path / "canary")
    assert made.changes() == []
    spoil(made.place)
    assert made.changes()
