/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The life of a container's unit.
 *
 *     start     StartTransientUnit with init in it, wait for the job; a unit of that name that failed is reset first
 *     update    SetUnitProperties, which hold until the unit is gone (runtime)
 *     exec      AttachProcessesToUnit, where the caller may not move a process into the cgroup
 *     stop      StopUnit once the cgroup is empty, wait for the job; ResetFailedUnit
 *
 * A bus is open for as long as one of these takes, and from the question for the manager's cgroup to the start.  */
#include "cgroup/systemd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "cgroup/devices.h"
#include "cgroup/internal.h"
#include "spec/spec.h"

enum
{
  DEVICES_SIZE = 64 * 1024,    /* of /proc/devices */
  CGROUPS_SIZE = 256 * 1024,   /* of /proc/PID/cgroup */
  TIMEOUT_S = 10,              /* unless told otherwise */
  TIMEOUT_S_MAX = 24 * 60 * 60 /* a number that is still one in ms */
};

static int
open_bus (struct cgroup *cgroup, struct error *err)
{
  struct cgroup_unit *unit = cgroup->unit;
  return unit->bus != NULL ? 0 : systemd_bus_open (cgroup->arena, unit->user, unit->timeout_s, &unit->bus, err);
}

void
cgroup_unit_close (struct cgroup_unit *unit)
{
  systemd_bus_close (unit->bus);
  unit->bus = NULL;
}

int
cgroup_new_unit (struct arena *arena, const struct cgroup_host *host, const char *cgroups_path, const char *id,
                 bool user, unsigned timeout_s, struct cgroup **ret_cgroup, struct error *err)
{
  struct cgroup_unit *unit = arena_new (arena, struct cgroup_unit);
  const char *base;
  *unit = (struct cgroup_unit){ .user = user, .timeout_s = timeout_s != 0 ? timeout_s : TIMEOUT_S };
  if (unit->timeout_s > TIMEOUT_S_MAX)
    unit->timeout_s = TIMEOUT_S_MAX;
  int r = unit_name_parse (arena, cgroups_path, id, user, &unit->name, err);
  if (r == 0)
    r = systemd_bus_open (arena, user, unit->timeout_s, &unit->bus, err);
  if (r == 0)
    r = systemd_bus_cgroup (unit->bus, &base, err);
  if (r == 0)
    r = cgroup_make (arena, host, arena_printf (arena, "%s%s", base, unit->name.path), ret_cgroup, err);
  if (r < 0)
    {
      cgroup_unit_close (unit);
      return r;
    }
  (*ret_cgroup)->unit = unit;
  return 0;
}

/* ---- properties ------------------------------------------------------------------------------------------------- */

/* The user's systemd may not load programs, and the rules of a container without one of ours are not enforced.  */
static int
add_devices (struct cgroup *cgroup, const struct spec *spec, const struct spec_resources *resources,
             struct unit_properties *properties, struct error *err)
{
  struct arena *arena = cgroup->arena;
  bool v1 = cgroup->places.v1[CGROUP_DEVICES] >= 0;
  struct device_rules rules, lists;
  if (cgroup->unit->user)
    return 0;
  int r = cgroup_device_rules (arena, spec, resources, &rules, err);
  if (r == 0)
    r = cgroup_device_lists (arena, &rules, &lists, v1 ? err : NULL);
  /* What no list can say our program on v2 says alone.  */
  if (r == -EOPNOTSUPP && !v1)
    return 0;
  if (r < 0)
    return r;

  char *devices = arena_alloc (arena, DEVICES_SIZE);
  size_t missing;
  if (fd_read_file_at (AT_FDCWD, "/proc/devices", devices, DEVICES_SIZE) < 0)
    *devices = '\0';
  unit_properties_of_devices (properties, &lists, devices, !v1, &missing);
  if (v1 && missing > 0)
    log_warning ("%zu device rule(s) of %s cannot be told to systemd, which may drop them when it is reloaded", missing,
                 cgroup->unit->name.unit);
  return 0;
}

/* On v1 systemd removes directories of controllers that a unit does not use, and init may not be in them yet.  Who
 * counts uses them.  */
static void
add_accounting (const struct cgroup_places *places, struct unit_properties *properties)
{
  static const struct
  {
    enum cgroup_controller controller;
    const char *property;
  } rows[] = {
    { CGROUP_CPU, "CPUAccounting" },
    { CGROUP_MEMORY, "MemoryAccounting" },
    { CGROUP_PIDS, "TasksAccounting" },
    { CGROUP_IO, "IOAccounting" },
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (places->v1[rows[i].controller] >= 0)
      unit_properties_number (properties, rows[i].property, "b", true);
}

/* What every unit has.  A slice gets no processes, and has its place by its name; nor can it be delegated.  */
static void
add_unit (const struct cgroup_unit *unit, pid_t pid, struct unit_properties *properties)
{
  const char *description = arena_printf (properties->arena, "container %s", unit->name.unit);
  unit_properties_text (properties, "Description", description);
  unit_properties_number (properties, "DefaultDependencies", "b", false);
  /* One that fails goes like one that does not.  */
  unit_properties_text (properties, "CollectMode", "inactive-or-failed");
  if (unit->name.is_slice)
    return;
  unit_properties_text (properties, "Slice", unit->name.slice);
  unit_properties_number (properties, "Delegate", "b", true);
  unit_properties_number (properties, "PIDs", "au", (uint64_t) pid);
}

/* ---- start ------------------------------------------------------------------------------------------------------ */

static int
reset_failed (struct cgroup_unit *unit, struct error *err)
{
  const struct unit_call call = { .method = "ResetFailedUnit", .unit = unit->name.unit };
  int r = systemd_bus_call (unit->bus, &call, err);
  return r == -UNIT_UNKNOWN ? 0 : r;
}

static int
start (struct cgroup_unit *unit, const struct unit_properties *properties, struct error *err)
{
  const struct unit_call call = {
    .method = "StartTransientUnit",
    .unit = unit->name.unit,
    .second = "fail",
    .properties = properties,
    .auxiliary = true,
    .job = true,
    .ret_begun = &unit->begun,
  };
  int r = systemd_bus_call (unit->bus, &call, err);
  if (r != -UNIT_EXISTS)
    return r;
  r = reset_failed (unit, err);
  if (r == 0)
    r = systemd_bus_call (unit->bus, &call, err);
  if (r == -UNIT_EXISTS)
    error_hint (err, "choose another name in linux.cgroupsPath, or stop that one: systemctl %sstop %s",
                unit->user ? "--user " : "", unit->name.unit);
  return r;
}

/* The path in the line of TEXT, /proc/PID/cgroup, that begins with HIERARCHY after its number; NULL if there is none.
 */
static const char *
path_in (char *text, const char *hierarchy)
{
  for (char *line; (line = strsep (&text, "\n")) != NULL;)
    {
      char *rest = strchr (line, ':');
      if (rest != NULL && strncmp (rest, hierarchy, strlen (hierarchy)) == 0)
        return rest + strlen (hierarchy);
    }
  return NULL;
}

/* Whether systemd has put PID where we think: the limits go there.  */
static int
check_place (struct cgroup *cgroup, pid_t pid, struct error *err)
{
  ARENA_CLEANUP struct arena arena = { 0 };
  char file[32], *text = arena_alloc (&arena, CGROUPS_SIZE);
  snprintf (file, sizeof file, "/proc/%ld/cgroup", (long) pid);
  int r = (int) fd_read_file_at (AT_FDCWD, file, text, CGROUPS_SIZE);
  if (r < 0)
    return error_sys (err, r, "read %s", file);
  const char *path = path_in (text, cgroup->places.v2 >= 0 ? "::" : ":name=systemd:");
  if (path == NULL || strcmp (path, cgroup->path) == 0)
    return 0;
  return error_set (err, EIO, "systemd has put init into %s, where %s was to be expected", path, cgroup->path);
}

/* Before controllers are handed down to it: the unit must have no processes beside.  */
static int
enter_leaf (struct cgroup *cgroup, pid_t pid, struct error *err)
{
  char text[16];
  int r = cgroup_make_leaf (cgroup, err);
  if (r < 0)
    return r;
  snprintf (text, sizeof text, "%ld", (long) pid);
  int fd = cgroup_leaf_fd (cgroup);
  r = fd < 0 ? fd : fd_write_file_at (fd, "cgroup.procs", text);
  return r < 0 ? error_sys (err, r, "move process %s into cgroup %s/%s", text, cgroup->path, cgroup->leaf) : 0;
}

int
cgroup_start_unit (struct cgroup *cgroup, const struct spec *spec, const struct spec_resources *resources, pid_t pid,
                   struct error *err)
{
  struct cgroup_unit *unit = cgroup->unit;
  if (unit == NULL)
    return 0;
  struct unit_properties properties = { .arena = cgroup->arena };
  add_unit (unit, pid, &properties);
  add_accounting (&cgroup->places, &properties);
  int r = cgroup_prepare (cgroup, spec, resources, err);
  if (r == 0)
    {
      unit_properties_of_writes (&properties, cgroup->host, &(struct unit_cpu){ 0 }, &cgroup->writes);
      r = add_devices (cgroup, spec, resources, &properties, err);
    }
  if (r == 0 && spec != NULL)
    r = unit_properties_of_annotations (&properties, spec, err);
  if (r == 0)
    r = open_bus (cgroup, err);
  if (r == 0)
    r = start (unit, &properties, err);
  if (unit->begun)
    {
      /* Its directories are this container's, whoever makes them, and init is in some.  */
      for (size_t i = 0; i < cgroup->count; i++)
        cgroup->dirs[i].made = 1;
      cgroup->placed = cgroup->has_rules = true;
    }
  cgroup_unit_close (unit);
  if (r == 0 && !unit->name.is_slice)
    r = check_place (cgroup, pid, err);
  if (r == 0 && cgroup->leaf != NULL)
    r = enter_leaf (cgroup, pid, err);
  /* On v2 there is nothing left to join.  */
  if (r == 0 && (!unit->name.is_slice || cgroup->leaf != NULL))
    cgroup_cloned (cgroup);
  return r;
}

/* ---- update, exec, stop ------------------------------------------------------------------------------------------ */

/* The first number of the cgroup's file NAME, or its SECOND; infinite for "max" and -1, 0 if it cannot be read.  */
static uint64_t
read_cpu (struct cgroup *cgroup, int hierarchy, const char *name, bool second)
{
  char text[64], *end;
  int fd = cgroup_dir_fd (cgroup, (size_t) hierarchy);
  if (fd < 0 || fd_read_file_at (fd, name, text, sizeof text) < 0)
    return 0;
  const char *at = second ? strchr (text, ' ') : text;
  if (at == NULL)
    return 0;
  if (strncmp (at, "max", 3) == 0 || *at == '-')
    return UINT64_MAX;
  uint64_t number = strtoull (at, &end, 10);
  return end == at ? 0 : number;
}

static struct unit_cpu
present_cpu (struct cgroup *cgroup)
{
  int v1 = cgroup->places.v1[CGROUP_CPU], v2 = cgroup->places.v2;
  struct unit_cpu cpu = { 0 };
  if (v1 >= 0)
    {
      cpu.quota = read_cpu (cgroup, v1, "cpu.cfs_quota_us", false);
      cpu.period = read_cpu (cgroup, v1, "cpu.cfs_period_us", false);
    }
  else if (v2 >= 0)
    {
      cpu.quota = read_cpu (cgroup, v2, "cpu.max", false);
      cpu.period = read_cpu (cgroup, v2, "cpu.max", true);
    }
  return cpu;
}

/* systemd answers before it has written into the files.  It has, once it answers the next question: what is written
 * there from then on stays.  */
static int
set_properties (struct cgroup *cgroup, const struct unit_properties *properties, struct error *err)
{
  struct cgroup_unit *unit = cgroup->unit;
  const struct unit_call call
      = { .method = "SetUnitProperties", .unit = unit->name.unit, .runtime = true, .properties = properties };
  const char *path;
  if (properties->count == 0)
    return 0;
  int r = open_bus (cgroup, err);
  if (r == 0)
    {
      r = systemd_bus_call (unit->bus, &call, err);
      unit->told = unit->told || r == 0 || r == -ETIMEDOUT;
    }
  if (r == 0)
    r = systemd_bus_cgroup (unit->bus, &path, err);
  cgroup_unit_close (unit);
  return r;
}

int
cgroup_unit_update (struct cgroup *cgroup, const struct cgroup_writes *writes, struct error *err)
{
  struct unit_properties properties = { .arena = cgroup->arena };
  if (cgroup->unit == NULL)
    return 0;
  const struct unit_cpu cpu = present_cpu (cgroup);
  unit_properties_of_writes (&properties, cgroup->host, &cpu, writes);
  return set_properties (cgroup, &properties, err);
}

int
cgroup_unit_update_devices (struct cgroup *cgroup, const struct spec *spec, const struct spec_resources *resources,
                            struct error *err)
{
  struct unit_properties properties = { .arena = cgroup->arena };
  if (cgroup->unit == NULL)
    return 0;
  int r = add_devices (cgroup, spec, resources, &properties, err);
  return r < 0 ? r : set_properties (cgroup, &properties, err);
}

int
cgroup_unit_put_back (struct cgroup *cgroup, const struct cgroup_writes *before, struct error *err)
{
  struct cgroup_writes forward = { .count = before->count };
  if (cgroup->unit == NULL || !cgroup->unit->told)
    return 0;
  forward.items = arena_array (cgroup->arena, struct cgroup_write, before->count + 1);
  for (size_t i = 0; i < before->count; i++)
    forward.items[i] = before->items[before->count - 1 - i];
  return cgroup_unit_update (cgroup, &forward, err);
}

int
cgroup_unit_attach (struct cgroup *cgroup, pid_t pid, struct error *err)
{
  struct cgroup_unit *unit = cgroup->unit;
  const char *mount = cgroup->host->hierarchies[cgroup->places.v2].mount;
  const char *below = cgroup_inside (cgroup, (size_t) cgroup->places.v2) + strlen (mount) + strlen (cgroup->path);
  const struct unit_call call
      = { .method = "AttachProcessesToUnit", .unit = unit->name.unit, .second = below, .pid = pid };
  int r = open_bus (cgroup, err);
  if (r == 0)
    r = systemd_bus_call (unit->bus, &call, err);
  cgroup_unit_close (unit);
  return r;
}

int
cgroup_unit_stop (struct cgroup *cgroup, struct error *err)
{
  struct cgroup_unit *unit = cgroup->unit;
  const struct unit_call call = { .method = "StopUnit", .unit = unit->name.unit, .second = "replace", .job = true };
  int r = open_bus (cgroup, err);
  if (r == -UNIT_NO_BUS)
    {
      /* A systemd that is there sees for itself that the unit is empty.  */
      log_warning ("%s is not stopped: %s", unit->name.unit, err != NULL ? err->message : "no bus");
      error_clear (err);
      return 0;
    }
  if (r == 0)
    r = systemd_bus_call (unit->bus, &call, err);
  /* Mostly it is gone by itself by now.  */
  if (r == -UNIT_UNKNOWN)
    r = 0;
  if (r == 0)
    r = reset_failed (unit, err);
  if (r == 0)
    error_clear (err);
  cgroup_unit_close (unit);
  return r;
}

/* ---- the state -------------------------------------------------------------------------------------------------- */

const char *
cgroup_unit_save (struct arena *arena, const struct cgroup_unit *unit)
{
  return arena_printf (arena, ":%s:%u ", unit->user ? "user" : "system", unit->timeout_s);
}

/* The last component of the path is the unit.  */
bool
cgroup_unit_load (struct arena *arena, char *word, const char *path, struct cgroup_unit **ret_unit)
{
  struct cgroup_unit *unit = arena_new (arena, struct cgroup_unit);
  const char *name = strrchr (path, '/');
  char *number = strchr (word + 1, ':'), *end;
  if (name == NULL || number == NULL)
    return false;
  *number++ = '\0';
  bool user = strcmp (word + 1, "user") == 0;
  unsigned long seconds = strtoul (number, &end, 10);
  if (end == number || *end != '\0' || seconds == 0 || seconds > TIMEOUT_S_MAX
      || (!user && strcmp (word + 1, "system") != 0))
    return false;
  *unit = (struct cgroup_unit){ .name = { .unit = name + 1 }, .user = user, .timeout_s = (unsigned) seconds };
  *ret_unit = unit;
  return true;
}
