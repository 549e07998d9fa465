# SPDX-License-Identifier: LGPL-2.1-or-later
"""One virtual machine, from boot to results: qemu without KVM."""

import asyncio
import contextlib
import ctypes
import os
import shlex
import shutil
import signal
import tempfile
from pathlib import Path

import image
from variants import VARIANTS

QEMU = "qemu-system-x86_64"
# cmpxchg16b of qemu 7.2 leaves garbage in the flags, on which the allocator of kernels from 6.12 on stumbles.  The
# others are dear to emulate: page tables of five levels, protection keys.
CPU = "max,-cx16,-la57,-pku"
MEMORY_MB, RESULTS_MB = 2048, 64
BOOT_SECONDS = 300  # to the first word of a test; it takes 10 to 30
SLOWNESS = 20

# The built programs that the tests look for in the environment.
PROGRAMS = ("THOLE", "PROBE", "STAND_IN", "INJECT")
TESTS = image.HERE.parent

PR_SET_PDEATHSIG = 1


class Machine:
    def __init__(self, name, results):
        self.name, self.results = name, results
        self.variant = VARIANTS[name]
        self.booted = False

    async def run(self, tests, flags):
        """Runs TESTS; pytest's status.  What they leave in $OUT is in the directory of results then.

        A kernel that panics, or hangs before the first word of a test, has been emulated wrongly, which comes with a busy
        host: then all is done once more."""
        await self.run_once(tests, flags)
        failed = "has panicked" if "Kernel panic" in self.console() else None if self.booted else "has not booted"
        if self.status() is None and failed:
            print(f"{self.name}: its kernel {failed}; once more", flush=True)
            await self.run_once(tests, flags)
        return self.status()

    async def run_once(self, tests, flags):
        shutil.rmtree(self.results, ignore_errors=True)
        self.results.mkdir(parents=True)
        with tempfile.TemporaryDirectory(prefix="thole-vm-") as work:
            work = Path(work)
            self.stage(work, tests, flags)
            await self.boot(work)
            self.take_results(work / "results.img")

    def console(self):
        with contextlib.suppress(OSError):
            return (self.results / "console.log").read_text(errors="replace")
        return ""

    def stage(self, work, tests, flags):
        """The workspace's disk, with nothing but programs and tests in it."""
        tree = work / "workspace"
        shutil.copytree(TESTS, tree / "tests", ignore=shutil.ignore_patterns("__pycache__", "*.c", "bench", "unit"))
        exports = {"THOLE_TEST_SLOWNESS": SLOWNESS, "THOLE_TEST_VM": self.name, "PYTHONDONTWRITEBYTECODE": 1}
        (tree / "bin").mkdir()
        for variable in PROGRAMS:
            shutil.copy(os.environ[variable], tree / "bin" / variable.lower())
            exports[variable] = f"/workspace/bin/{variable.lower()}"
        seconds = self.variant.seconds - 120  # for boot, and for the results to come back
        command = f"timeout -k 10 {seconds} python3 -m pytest --color=no --junitxml=$OUT/junit.xml "
        (tree / "command").write_text("".join(f"export {key}='{value}'\n" for key, value in exports.items())
                                      + f"cd /workspace/tests && {command} {shlex.join([*flags, *tests])}\n")
        image.make_disk(tree, work / "workspace.img")
        with open(work / "results.img", "wb") as file:
            file.truncate(RESULTS_MB << 20)

    def command(self, work):
        kernel = image.kernel(self.variant.kernel)
        disks = ((image.root(), "snapshot=on"), (kernel / "modules.img", "readonly=on"),
                 (work / "workspace.img", "readonly=on"), (work / "results.img", "snapshot=off"))
        arguments = f"root={image.ROOT} rootwait rw console=ttyS0 quiet panic=-1 mitigations=off net.ifnames=0 " \
                    f"{self.variant.arguments}"
        command = [QEMU, "-nodefaults", "-no-user-config", "-machine", "q35", "-cpu", CPU, "-smp", "2",
                   "-accel", "tcg,thread=multi", "-m", str(MEMORY_MB), "-display", "none",
                   "-no-reboot", "-nic", "none", "-serial", f"file:{self.results}/console.log", "-serial", "stdio",
                   "-kernel", str(kernel / "vmlinuz"), "-append", arguments, "-device", "nvme,id=nvme,serial=thole"]
        for number, (path, options) in enumerate(disks, 1):
            command += ["-drive", f"file={path},if=none,id=disk{number},format=raw,cache=unsafe,{options}",
                        "-device", f"nvme-ns,drive=disk{number},bus=nvme,nsid={number}"]
        return command

    async def boot(self, work):
        """Runs the machine until it switches itself off; what the tests print is printed with its name."""
        qemu = await asyncio.create_subprocess_exec(
            *self.command(work), stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT, preexec_fn=die_with_parent)
        self.booted = False
        try:
            async with asyncio.timeout(BOOT_SECONDS) as limit:
                async for line in qemu.stdout:
                    if not self.booted:
                        self.booted = True
                        limit.reschedule(asyncio.get_running_loop().time() + self.variant.seconds)
                    print(f"{self.name}: {line.decode(errors='replace').rstrip()}", flush=True)
                await qemu.wait()
        except TimeoutError:
            what = f"ended within {self.variant.seconds}" if self.booted else f"booted within {BOOT_SECONDS}"
            print(f"{self.name}: not {what} s", flush=True)
        finally:
            if qemu.returncode is None:
                qemu.kill()
                await qemu.wait()

    def take_results(self, disk):
        with contextlib.suppress(image.Failed):  # it is empty if the guest got nowhere
            image.run("tar", "-C", self.results, "-xf", disk)

    def status(self):
        try:
            return int((self.results / "status").read_text())
        except OSError:
            return None


def die_with_parent():
    """However this program ends, no qemu is left."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
