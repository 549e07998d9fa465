/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Cgroups by systemd: a transient unit of its own for each container (org.freedesktop.systemd1(5)).
 *
 * systemd owns the hierarchies on its hosts: what others write there it may write anew, at a daemon-reload for example.
 * So each limit that it has a property for is told to it, and all of them are written to the files besides, which is
 * exact and has those without a property.
 *
 *     systemd_names.c        slice:prefix:name -> a unit and its path
 *     systemd_properties.c   the writes of a translation -> properties, by a table
 *     systemd_devices.c      device rules -> DevicePolicy, DeviceAllow
 *     systemd_text.c         annotations org.systemd.property.* -> properties
 *     systemd_bus.c          calls with deadlines, over libsystemd, which is loaded on first use
 *     systemd_unit.c         the unit's life: started, changed, stopped
 *
 * The first four are pure.  */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "cgroup/cgroup.h"

struct arena;
struct cgroup_writes;
struct device_rules;
struct error;
struct spec;
struct spec_resources;
struct systemd_bus;

/* ---- names ------------------------------------------------------------------------------------------------------ */

struct unit_name
{
  const char *unit;  /* "thole-web1.scope" */
  const char *slice; /* that it is in: "system.slice" */
  const char *path;  /* below the manager's own cgroup: "/system.slice/thole-web1.scope" */
  bool is_slice;     /* it is a slice itself, which systemd puts no processes into */
};

/* The unit that CGROUPS_PATH ("slice:prefix:name", or NULL) means for container ID.  */
int unit_name_parse (struct arena *arena, const char *cgroups_path, const char *id, bool user,
                     struct unit_name *ret_name, struct error *err);

/* ---- properties ------------------------------------------------------------------------------------------------- */

struct unit_value
{
  uint64_t number;  /* of integers and booleans; negative ones in two's complement */
  double real;      /* d */
  const char *text; /* s, o, g */
};

/* TYPE is a signature of D-Bus: one basic type, an array of that, or an array of structs of basic types, whose values
 * stand one after the other.  */
struct unit_property
{
  const char *name, *type;
  struct unit_value *values;
  size_t count, capacity;
};

struct unit_properties
{
  struct arena *arena;
  struct unit_property *items;
  size_t count, capacity;
};

/* Adds a property; values are added with unit_property_add.  */
struct unit_property *unit_properties_add (struct unit_properties *properties, const char *name, const char *type);
void unit_property_add (struct unit_properties *properties, struct unit_property *property, struct unit_value value);
void unit_properties_text (struct unit_properties *properties, const char *name, const char *text);
void unit_properties_number (struct unit_properties *properties, const char *name, const char *type, uint64_t number);

/* The last property called NAME, or NULL.  */
struct unit_property *unit_properties_find (const struct unit_properties *properties, const char *name);

/* CPU time, in µs; 0: not known.  systemd has one number for the two, of which a write may have only one.  */
struct unit_cpu
{
  uint64_t quota, period;
};

/* Adds those that say what WRITES write; HOST tells v1 from v2, CPU is what there is already.  Writes for which there
 * is none are passed over.  */
void unit_properties_of_writes (struct unit_properties *properties, const struct cgroup_host *host,
                                const struct unit_cpu *cpu, const struct cgroup_writes *writes);

/* Row I of the table: the file "memory.max", on which kind of hierarchy, and the property.  False past the last.  */
struct unit_property_text
{
  const char *file, *property;
  bool v2;
};
bool unit_property_row (size_t i, struct unit_property_text *ret_text);

/* Adds what LISTS (cgroup_device_lists) say; DEVICES is the text of /proc/devices.  systemd knows devices with any
 * minor number by the name of their driver alone.  Where there is none, all devices of the type are named if WIDER, for
 * whoever has rules of its own that are exact; else the rule is left out, and *RET_MISSING counts those.  */
void unit_properties_of_devices (struct unit_properties *properties, const struct device_rules *lists,
                                 const char *devices, bool wider, size_t *ret_missing);

/* Adds the annotations org.systemd.property.NAME, of which the value is text as gdbus(1) and busctl(1) users know it:
 * 'text', true, 5, uint64 5, ['a', 'b'], @as [].  */
int unit_properties_of_annotations (struct unit_properties *properties, const struct spec *spec, struct error *err);

/* ---- the bus ---------------------------------------------------------------------------------------------------- */

struct unit_call
{
  const char *method;                       /* of org.freedesktop.systemd1.Manager */
  const char *unit;                         /* for messages, and the first argument; NULL: none */
  const char *second;                       /* the second argument, a string; NULL: none */
  bool runtime;                             /* SetUnitProperties: the second argument, a boolean, is there and true */
  const struct unit_properties *properties; /* the next; NULL: none */
  pid_t pid;                                /* AttachProcessesToUnit: a list of this one follows; 0: none */
  bool auxiliary;                           /* StartTransientUnit: an empty list of auxiliary units follows */
  bool job;                                 /* it is answered with a job, whose end is waited for */
  bool *ret_begun;                          /* becomes true when there is a job; NULL is fine */
};

/* What systemd answers, beyond errno.  */
#define UNIT_EXISTS EEXIST   /* org.freedesktop.systemd1.UnitExists */
#define UNIT_UNKNOWN ESRCH   /* org.freedesktop.systemd1.NoSuchUnit */
#define UNIT_NO_BUS ENOTCONN /* there is nobody to call */

/* Connects to the system's or the USER's systemd.  Each call, and each job, may take TIMEOUT_S.  */
int systemd_bus_open (struct arena *arena, bool user, unsigned timeout_s, struct systemd_bus **ret_bus,
                      struct error *err);

/* NULL is fine.  */
void systemd_bus_close (struct systemd_bus *bus);

/* The cgroup that the manager lives in, without a slash at the end: "" on a host.  */
int systemd_bus_cgroup (struct systemd_bus *bus, const char **ret_path, struct error *err);

int systemd_bus_call (struct systemd_bus *bus, const struct unit_call *call, struct error *err);

/* ---- the unit --------------------------------------------------------------------------------------------------- */

struct cgroup_unit
{
  struct unit_name name;
  bool user;
  unsigned timeout_s;
  bool begun;              /* systemd was told of it, and is at it */
  bool told;               /* an update has, or may have, changed its properties */
  struct systemd_bus *bus; /* while it is open */
};

/* For an update, before its WRITES: tells systemd of them, which does the same to the files, and waits for that.  A
 * cgroup without a unit has nothing to tell.  */
int cgroup_unit_update (struct cgroup *cgroup, const struct cgroup_writes *writes, struct error *err);

/* The same for the device rules of RESOURCES, before they are applied.  Those before are not known: that is why nothing
 * that can be refused may follow but these.  */
int cgroup_unit_update_devices (struct cgroup *cgroup, const struct spec *spec, const struct spec_resources *resources,
                                struct error *err);

/* For an update that failed, before the writes BEFORE are performed from the last to the first: the same of those.  */
int cgroup_unit_put_back (struct cgroup *cgroup, const struct cgroup_writes *before, struct error *err);

/* Has PID moved into the unit, to where who is inside CGROUP has his root: for a caller who may not do so himself.  */
int cgroup_unit_attach (struct cgroup *cgroup, pid_t pid, struct error *err);

/* Closes the bus.  */
void cgroup_unit_close (struct cgroup_unit *unit);

/* A word for the line of the state, ":system:10 ", and back, with the PATH of the cgroup.  */
const char *cgroup_unit_save (struct arena *arena, const struct cgroup_unit *unit);
bool cgroup_unit_load (struct arena *arena, char *word, const char *path, struct cgroup_unit **ret_unit);

/* Stops the unit of CGROUP, which is empty, waits for that, and forgets that it ever failed.  */
int cgroup_unit_stop (struct cgroup *cgroup, struct error *err);
