# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every step of a container's making fails once, and is the last one once.

What is checked after each fault, whatever it was: within a deadline, create or start has failed with an error of one
line, and no process, mount, cgroup, file or state is left; or, where the runtime can do without that call, the
container is in nothing different from one made without a fault.  So a mask, a limit or a capability that was silently
left out would show.

The system calls are counted in a first life without faults; those of init by the operation of the plan they belong to.
Each is tried with one of three errors, and each of the runtime's with its end.  What is sampled, so that it takes no
more than a minute: close(2), the end of start and delete (each second call), the cgroups of other views (each fifth or
twelfth).  The calls before the runtime opens its bundle are the loader's and left out.
"""

import errno
import os
import select

import pytest

import faults
from harness import host
from harness.notify import Caller
from harness.terminal import ConsoleSocket

PARTS = 4
ERRORS = (errno.EIO, errno.ENOMEM, errno.EMFILE)

in_parts = pytest.mark.parametrize("part", range(PARTS))

pytestmark = pytest.mark.skipif(not os.path.exists(faults.INJECT), reason=f"no injector: INJECT={faults.INJECT}")


@pytest.fixture
def view():
    """Version 2 makes containers in a third of the time."""
    return "v2" if "v2" in host.VIEWS else "host"


@pytest.fixture
def trial(box):
    """Lives of a container with everything in it; its complaints are the test's."""
    made = faults.Trial(box, faults.bundle)
    yield made
    finish(made)


def finish(trial):
    assert trial.count, "nothing was tried"
    # A life is not like the other to the last call (a wait more, a wake-up less): but nearly all are met.
    assert trial.hits >= 0.9 * trial.count, f"only {trial.hits} of {trial.count} calls were met"
    assert not trial.complaints, f"{len(trial.complaints)} of {trial.count}:\n" + "\n".join(trial.complaints)


def share(items, part, parts=PARTS):
    """Each PARTS-th of ITEMS, for a test that runs beside others."""
    return list(items)[part::parts]


def of(calls, *roles):
    return [call for call in calls if call.role in roles]


def fallible(calls):
    """Those that can fail.  Of the many that close something the first and the last of an operation stand for all."""
    first, last = {}, {}
    for call in calls:
        first.setdefault((call.role, call.op, call.name), call)
        last[call.role, call.op, call.name] = call
    ends = {*first.values(), *last.values()}
    return [call for call in calls if call.name not in faults.NEVER_FAIL and (call.name != "close" or call in ends)]


def own_work(calls):
    """The runtime's calls after those of the loader: from the first on that looks at bundle or state."""
    calls = of(calls, "runtime")
    return calls[next(i for i, call in enumerate(calls) if call.name in ("readlink", "flock")):]


def fail_each(trial, calls, command="create"):
    for i, call in enumerate(calls):
        trial.fail(call, ERRORS[i % len(ERRORS)], command)


def test_all_operations_are_met(box):
    """Every operation of the plan makes a call that the tests below have fail."""
    trial = faults.Trial(box, faults.bundle)
    met = {call.op for call in fallible(of(trial.learn(), "init"))}
    assert not [f"{i} {op['op']}" for i, op in enumerate(trial.plan) if i not in met]


@in_parts
def test_init_cannot(trial, part):
    """Each call of init fails, and of its children, which run hooks."""
    fail_each(trial, share(fallible(of(trial.learn(), "init", "child")), part))


@in_parts
def test_init_is_killed(trial, part):
    """kill -9 of init in each operation, at its first call."""
    for call in share([call for call in of(trial.learn(), "init") if call.nth == 1], part):
        trial.kill_init(call)


@in_parts
def test_create_cannot(trial, part):
    """Each call of the runtime fails, and of its child until that is init."""
    calls = trial.learn()
    fail_each(trial, share(fallible(own_work(calls)) + fallible(of(calls, "birth")), part))


@in_parts
def test_create_is_killed(trial, part):
    """kill -9 of the runtime at each call: `delete --force` cleans up."""
    for call in share(own_work(trial.learn()), part):
        trial.kill_runtime(call)


@pytest.mark.parametrize("view", host.VIEWS)
def test_create_is_killed_when_init_is_far(box):
    """So far that it would wait for START, if nothing kept it from that."""
    trial = faults.Trial(box, faults.plain_bundle)
    calls = of(trial.learn(), "runtime")
    names = [call.name for call in calls]
    for call in calls[names.index("clone3") + 1:names.index("renameat")]:
        trial.kill_runtime(call, wait_ms=int(40 * host.SLOWNESS))
    finish(trial)


def test_start_cannot(trial):
    fail_each(trial, fallible(own_work(trial.learn("start"))), "start")


@pytest.fixture
def notified(box):
    """Lives of a container that says when it is ready."""
    with Caller(box.dir / "caller") as caller:
        caller.serve()
        made = faults.Trial(box, faults.notifying_bundle)
        made.env = caller.env
        yield made
        finish(made)


def test_notified_create_cannot(notified):
    """What has to do with notifications is made after the record."""
    calls = of(notified.learn(), "runtime")
    first = next(i for i, call in enumerate(calls) if call.name == "fsetxattr" or call.name == "fchmod")
    fail_each(notified, fallible(calls[first - 3:first + 8]))
    for call in calls[first - 3:first + 8]:
        notified.kill_runtime(call)


def test_notified_start_cannot(notified):
    fail_each(notified, fallible(own_work(notified.learn("start"))), "start")


def test_start_is_killed(trial):
    for call in share(own_work(trial.learn("start")), 0, 2):
        trial.kill_runtime(call, "start")


def test_delete_cannot(trial):
    """What a delete could not do the next one does."""
    fail_each(trial, fallible(own_work(trial.learn("delete"))), "delete")


def test_delete_is_killed(trial):
    for call in share(own_work(trial.learn("delete")), 0, 2):
        trial.kill_runtime(call, "delete")


# ---- what the container above does not have


# What only an init has that joins or forks.
FORKING = ("proc", "join", "unshare", "time-offset", "fork", "sync", "root-identity")


def in_operations(trial, calls, *names):
    return [call for call in calls if trial.plan[call.op]["op"] in names]


@pytest.fixture
def forking_trial(box):
    """Joining, time offsets, a user namespace: init is two processes, and the runtime has to know whose turn it is."""
    made = faults.Trial(box, faults.forking_bundle)
    yield made
    finish(made)


def test_init_that_forks_cannot(forking_trial):
    calls = fallible(of(forking_trial.learn(), "init"))
    fail_each(forking_trial, in_operations(forking_trial, calls, *FORKING, "device"))


def test_init_that_forks_is_killed(forking_trial):
    calls = of(forking_trial.learn(), "init")
    for call in in_operations(forking_trial, calls, *FORKING):
        forking_trial.kill_init(call)


class TerminalTrial(faults.Trial):
    """With a terminal, which goes to a console socket; the report is read from there."""

    def __init__(self, box):
        super().__init__(box, faults.terminal_bundle)
        self.console = ConsoleSocket(box.dir / "console")
        self.create_options = ["--console-socket", self.console.path]

    def _create(self, options):
        # Of a container that was not started the terminal is still there.
        while select.select([self.console.socket], [], [], 0)[0]:
            self.console.receive()[0].close()
        return super()._create(options)

    def output(self):
        screen, _ = self.console.receive()
        text = screen.drain()
        screen.close()
        return text


def test_terminal_cannot(box):
    trial = TerminalTrial(box)
    calls = trial.learn()
    fail_each(trial, in_operations(trial, fallible(of(calls, "init")), "terminal"))
    trial.console.close()
    finish(trial)


@pytest.mark.parametrize("view", host.VIEWS)
def test_create_with_other_cgroups(trial):
    """The runtime's calls on the cgroups of the host as it is, a part of them."""
    fail_each(trial, share(fallible(own_work(trial.learn())), 0, 5))


@pytest.mark.parametrize("view", host.VIEWS)
def test_create_with_other_cgroups_is_killed(trial):
    for call in share(own_work(trial.learn()), 0, 12):
        trial.kill_runtime(call)
