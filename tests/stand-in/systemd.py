#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A stand-in for systemd on a bus of its own, for machines where it is not pid 1.

    systemd.py DIRECTORY CGROUP HIERARCHY...

It serves org.freedesktop.systemd1.Manager as far as a runtime uses it, on the bus that $DBUS_SYSTEM_BUS_ADDRESS names:
a scope becomes the cgroup CGROUP/SLICE.../SCOPE in each HIERARCHY, with the processes that come with it, and goes
again when it is stopped.  Each call is recorded as a line of JSON in DIRECTORY/calls, and DIRECTORY/mode says what is
to go wrong:

    hang METHOD      never answers
    hang-job METHOD  answers, but its job never ends
    fail-job METHOD  the job ends as "failed"
    refuse METHOD    answers with an error
    exists           a unit of that name is there, until it is reset
    slow             the processes have died before they are looked at
    elsewhere        the unit is made, but the processes go into another cgroup
"""

import json
import os
import sys
import time
from pathlib import Path

import dbus
import dbus.mainloop.glib
import dbus.service
from gi.repository import GLib

NAME, OBJECT, MANAGER = "org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"

TYPES = {dbus.String: "s", dbus.Boolean: "b", dbus.Byte: "y", dbus.Int16: "n", dbus.UInt16: "q", dbus.Int32: "i",
         dbus.UInt32: "u", dbus.Int64: "x", dbus.UInt64: "t", dbus.Double: "d", dbus.ObjectPath: "o",
         dbus.Signature: "g"}

# What becomes of some properties: the file, and what is written into it, of CPU time a share of the default period.
FILES = {"TasksMax": ("pids.max", lambda value: "max" if value == 2 ** 64 - 1 else str(int(value))),
         "CPUQuotaPerSecUSec": ("cpu.cfs_quota_us", lambda value: "-1" if value == 2 ** 64 - 1 else str(value // 10))}


class Error(dbus.DBusException):
    def __init__(self, name, text):
        super().__init__(text, name=f"{NAME}.{name}")


def signature(value):
    return "a" + str(value.signature) if isinstance(value, dbus.Array) else TYPES[type(value)]


def plain(value):
    """VALUE without the types of D-Bus."""
    if isinstance(value, (dbus.Array, dbus.Struct)):
        return [plain(item) for item in value]
    if isinstance(value, dbus.Boolean):
        return bool(value)
    if isinstance(value, dbus.Double):
        return float(value)
    return str(value) if isinstance(value, str) else int(value)


def alive(pid):
    stat = Path(f"/proc/{int(pid)}/stat").read_text()
    return stat[stat.rindex(")") + 2] not in "ZX"


class Manager(dbus.service.Object):
    def __init__(self, bus, directory, cgroup, hierarchies):
        super().__init__(bus, OBJECT)
        self.directory, self.cgroup, self.hierarchies = Path(directory), cgroup, hierarchies
        self.jobs, self.units, self.failed = 0, {}, set()

    def mode(self, word, method=None):
        said = (self.directory / "mode").read_text().split()
        return said == ([word] if method is None else [word, method])

    def record(self, method, *arguments, properties=()):
        call = {"method": method, "arguments": [plain(argument) for argument in arguments],
                "properties": [[str(name), signature(value), plain(value)] for name, value in properties]}
        with (self.directory / "calls").open("a") as file:
            file.write(json.dumps(call) + "\n")

    def answer(self, method, unit, done, refused):
        """The end of a call that makes a job."""
        if self.mode("hang", method):
            return
        if self.mode("refuse", method):
            refused(dbus.DBusException("Not today.", name="org.freedesktop.DBus.Error.Failed"))
            return
        self.jobs += 1
        number, job = self.jobs, dbus.ObjectPath(f"{OBJECT}/job/{self.jobs}")
        # Somebody else's job ends, too, and ours as it sometimes does: before we have said which it is.
        self.JobRemoved(number + 1000, dbus.ObjectPath(f"{OBJECT}/job/{number + 1000}"), "other.service", "failed")
        if not self.mode("hang-job", method):
            self.JobRemoved(number, job, unit, "failed" if self.mode("fail-job", method) else "done")
        done(job)

    def places(self, unit, slice_):
        """The directories of UNIT."""
        parts = slice_.removesuffix(".slice").split("-") if slice_ != "-.slice" else []
        slices = ["-".join(parts[:i + 1]) + ".slice" for i in range(len(parts))]
        path = "/".join([self.cgroup, *slices, *([unit] if not unit.endswith(".slice") else [])])
        return [Path(f"{hierarchy}{path}") for hierarchy in self.hierarchies]

    @dbus.service.method(MANAGER, "ssa(sv)a(sa(sv))", "o", ("done", "refused"))
    def StartTransientUnit(self, unit, mode, properties, auxiliary, done, refused):
        self.record("StartTransientUnit", unit, mode, auxiliary, properties=properties)
        if unit in self.units or (self.mode("exists") and unit not in self.failed):
            refused(Error("UnitExists", f"Unit {unit} was already loaded or has a fragment file."))
            return
        values = {str(name): value for name, value in properties}
        slice_ = str(values.get("Slice", unit))
        while self.mode("slow") and any(alive(pid) for pid in values["PIDs"]):
            time.sleep(0.01)
        self.units[str(unit)] = places = self.places(str(unit), slice_)
        for place in places:
            place = place.parent / "elsewhere" if self.mode("elsewhere") else place
            place.mkdir(parents=True, exist_ok=True)
            for pid in values.get("PIDs", []):
                (place / "cgroup.procs").write_text(str(int(pid)))
        self.answer("StartTransientUnit", unit, done, refused)

    @dbus.service.method(MANAGER, "ss", "o", ("done", "refused"))
    def StopUnit(self, unit, mode, done, refused):
        self.record("StopUnit", unit, mode)
        if unit not in self.units:
            refused(Error("NoSuchUnit", f"Unit {unit} not loaded."))
            return
        for place in self.units.pop(unit):
            for directory, _, _ in os.walk(place, topdown=False):
                try:
                    os.rmdir(directory)
                except OSError as error:
                    self.record("rmdir", str(error))
        self.answer("StopUnit", unit, done, refused)

    @dbus.service.method(MANAGER, "s", "", ("done", "refused"))
    def ResetFailedUnit(self, unit, done, refused):
        self.record("ResetFailedUnit", unit)
        if self.mode("hang", "ResetFailedUnit"):
            return
        if not self.mode("exists"):
            refused(Error("NoSuchUnit", f"Unit {unit} not loaded."))
            return
        self.failed.add(unit)
        done()

    @dbus.service.method(MANAGER, "sba(sv)", "", ("done", "refused"))
    def SetUnitProperties(self, unit, runtime, properties, done, refused):
        self.record("SetUnitProperties", unit, runtime, properties=properties)
        if self.mode("refuse", "SetUnitProperties"):
            refused(dbus.DBusException("Not today.", name="org.freedesktop.DBus.Error.Failed"))
        elif not self.mode("hang", "SetUnitProperties"):
            done()
            # As systemd does: not before the answer, but before it looks at the next message.
            GLib.idle_add(self.write_files, self.units[unit], dict(properties), priority=GLib.PRIORITY_HIGH)

    def write_files(self, places, properties):
        for place in places:
            for name, (file, text) in FILES.items():
                if name in properties and (place / file).exists():
                    (place / file).write_text(text(properties[name]))

    @dbus.service.method(dbus.PROPERTIES_IFACE, "ss", "v", ("done", "refused"))
    def Get(self, interface, name, done, refused):
        self.record("Get", interface, name)
        if not self.mode("hang", "Get"):
            done(self.cgroup)

    @dbus.service.signal(MANAGER, "uoss")
    def JobRemoved(self, number, job, unit, result):
        pass


def main():
    directory, cgroup, *hierarchies = sys.argv[1:]
    dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
    bus = dbus.SystemBus()
    manager = Manager(bus, directory, cgroup, hierarchies)
    name = dbus.service.BusName(NAME, bus)
    (Path(directory) / "ready").touch()
    GLib.MainLoop().run()
    del manager, name


main()
