# SPDX-License-Identifier: LGPL-2.1-or-later
"""process.args: programs that cannot be executed.  Each reason has its own words, which Docker, Podman and people
match, and it is `create` that tells."""

import shutil

import pytest

NOT_FOUND = "executable file not found in $PATH"


def refuse(box, *args):
    """The error of a create with ARGS, in small letters; nothing may be left of it."""
    box.process["args"] = list(args)
    message = box.try_create().error(args[0])
    box.assert_clean()
    return message.lower()


def script(box, first_line, name="bin/script"):
    path = box.rootfs / name
    path.write_bytes(first_line + b"\necho never\n")
    path.chmod(0o755)


def test_missing_in_path(box):
    box.process["args"] = ["no-such-program"]
    box.try_create().error('"no-such-program"', NOT_FOUND)
    box.assert_clean()


def test_no_path_at_all(box):
    """Without PATH the default of execvp(3) holds, or nothing is found; never the caller's PATH."""
    box.process["env"] = []
    assert "executable file not found" in refuse(box, "no-such-program")


@pytest.mark.parametrize("program", ["/no/such/program", "./no-such-program", "bin/none"])
def test_missing_path(box, program):
    message = refuse(box, program)
    assert "no such file or directory" in message


def test_not_executable(box):
    (box.rootfs / "bin/text").write_text("text")
    message = refuse(box, "/bin/text")
    assert "permission denied" in message and "no such file" not in message


def test_not_executable_in_path(box):
    """All that PATH has cannot be executed: that, not that nothing is there, is the reason."""
    (box.rootfs / "bin/text").write_text("text")
    message = refuse(box, "text")
    assert "permission denied" in message and "not found" not in message


def test_not_executable_for_this_user(box):
    shutil.copy(box.rootfs / "probe", box.rootfs / "private")
    (box.rootfs / "private").chmod(0o700)
    box.process["user"] = {"uid": 1000, "gid": 1000}
    box.process["capabilities"] = {}
    assert "permission denied" in refuse(box, "/private")


def test_on_a_noexec_mount(box):
    shutil.copy(box.rootfs / "probe", box.directory("tools") / "probe")
    box.add_bind(box.dir / "tools", "/mnt", "noexec")
    assert "permission denied" in refuse(box, "/mnt/probe")


def test_directory(box):
    message = refuse(box, "/bin")
    assert "is a directory" in message or "permission denied" in message
    assert "no such file" not in message


def test_symlink_to_nothing(box):
    (box.rootfs / "bin/dangling").symlink_to("/no/where")
    assert "no such file or directory" in refuse(box, "/bin/dangling")


def test_symlink_to_itself(box):
    """Nobody's permission would help."""
    (box.rootfs / "bin/loop").symlink_to("loop")
    for program in ("loop", "/bin/loop"):
        message = refuse(box, program)
        assert "too many levels of symbolic links" in message and "permission denied" not in message


def test_name_that_is_too_long(box):
    message = refuse(box, "/" + 300 * "x")
    assert "file name too long" in message and "permission denied" not in message


def test_symlink_that_leads_out_stays_inside(box):
    """An absolute link counts from the container's root; ../ stops there."""
    (box.rootfs / "bin/up").symlink_to("../../../../../../../../bin/busybox")
    box.process["args"] = ["/bin/up", "true"]
    result = box.run()
    # busybox looks at argv[0]; "up" is no applet of its, which it says with status 127.
    assert "applet not found" in result.err and result.status == 127


def interpreter_missing(message, interpreter):
    assert "interpreter" in message and interpreter in message, message
    assert "executable file not found" not in message and "permission denied" not in message


def test_script_interpreter_missing(box):
    script(box, b"#!/no/such/shell -x")
    interpreter_missing(refuse(box, "/bin/script"), "/no/such/shell")


def test_script_interpreter_missing_in_path(box):
    script(box, b"#! \t/no/such/shell")
    interpreter_missing(refuse(box, "script"), "/no/such/shell")


def test_script_interpreter_with_a_carriage_return(box):
    """The classic of a file edited elsewhere; the message makes the invisible visible."""
    script(box, b"#!/bin/sh\r")
    interpreter_missing(refuse(box, "/bin/script"), "/bin/sh\\r")


def test_interpreter_of_the_interpreter_missing(box):
    script(box, b"#!/no/such/shell", "bin/middle")
    script(box, b"#!/bin/middle")
    interpreter_missing(refuse(box, "/bin/script"), "/no/such/shell")


def test_elf_interpreter_missing(box):
    program = shutil.which("env")
    shutil.copy(program, box.rootfs / "bin/dynamic")
    interpreter_missing(refuse(box, "/bin/dynamic"), "/ld-linux")


def test_script_interpreter_not_executable(box):
    (box.rootfs / "bin/text").write_text("text")
    script(box, b"#!/bin/text")
    assert "permission denied" in refuse(box, "/bin/script")


@pytest.mark.parametrize("content", [b"", b"no interpreter line\n", b"\x7fELF garbage"], ids=["empty", "text", "elf"])
def test_no_executable_format(box, content):
    (box.rootfs / "bin/odd").write_bytes(content)
    (box.rootfs / "bin/odd").chmod(0o755)
    box.process["args"] = ["/bin/odd"]
    assert "exec format error" in box.run().error("/bin/odd").lower()
    box.assert_clean()


def test_start_tells_when_the_program_vanished(box):
    box.process["args"] = ["/bin/gone"]
    box.config["root"]["readonly"] = False
    shutil.copy(box.rootfs / "probe", box.rootfs / "bin/gone")
    box.create()
    (box.rootfs / "bin/gone").unlink()
    message = box.call("start", box.id).error("/bin/gone")
    assert "no such file or directory" in message.lower()
    assert box.status() == "stopped"
    box.delete()
    box.assert_clean()


@pytest.mark.parametrize("args", [[], [""]], ids=["none", "empty"])
def test_no_program(box, args):
    box.process["args"] = args
    box.try_create().error()
    box.assert_clean()


def test_no_args_member(box):
    del box.process["args"]
    box.try_create().error("process.args")
    box.assert_clean()
