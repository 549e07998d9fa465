/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* linux.intelRdt: the container's shares of caches and memory bandwidth, by the kernel's resctrl file system
 * (config-linux.md#intelrdt; Documentation/filesystems/resctrl.rst of the kernel).
 *
 * | closID | schemata … | its group                                  | made if missing | removed by delete    |
 * |--------|------------|--------------------------------------------|-----------------|----------------------|
 * | absent | any        | the directory named after the container    | yes             | yes, if we made it   |
 * | "/"    | any        | the root of resctrl                        |                 | no                   |
 * | other  | none       | that directory                             | no: an error    | no                   |
 * | other  | some       | that directory                             | yes             | no                   |
 *
 * A group that is there although closID names it must have the cache and bandwidth schemas that the config gives.  With
 * enableMonitoring there is also a directory mon_groups/ID below the group, which is made, and removed by delete.
 *
 * A config without intelRdt costs nothing here: nobody asks whether there is a resctrl.  */
#pragma once

#include <sys/types.h>

struct arena;
struct error;
struct json_writer;
struct spec;

/* A container's place in resctrl.  */
struct rdt;

/* Finds the place of container ID, and checks what can be known without changing anything.  *RET is NULL if SPEC has no
 * intelRdt.  -ENOENT without a resctrl or the group that must be there, -EEXIST for one that differs, -EOPNOTSUPP where
 * nothing can be monitored.  Lives in ARENA.  */
int rdt_new (struct arena *arena, const struct spec *spec, const char *id, struct rdt **ret, struct error *err);

/* The directories that delete has to remove; NULL: there is none.  Before rdt_enter it is those that may be made, so
 * that it can be written down beforehand; afterwards those that were, even if it failed.  RDT may be NULL.  */
struct rdt_record
{
  const char *group, *monitor;
};

struct rdt_record rdt_record (const struct rdt *rdt);

/* Makes the directories, writes the schemata, and moves the process PID, which has no children yet, into its groups.
 * On failure the caller removes what was made: rdt_undo.  */
int rdt_enter (struct rdt *rdt, pid_t pid, struct error *err);

/* Lines of schemata: of the L3 cache ("L3:0=f") and of memory bandwidth ("MB:0=20").  NULL: it stays.  */
enum
{
  RDT_L3,
  RDT_MB,
  RDT_LINES
};

struct rdt_lines
{
  const char *items[RDT_LINES];
};

/* Writes LINES to the group that container ID has by its configuration SPEC.  All of them or, after a failure, none.
 * *RET_BEFORE is what takes it back.  -EOPNOTSUPP if SPEC has no intelRdt.  */
int rdt_update (struct arena *arena, const struct spec *spec, const char *id, const struct rdt_lines *lines,
                struct rdt_lines *ret_before, struct error *err);
/* Moves the process PID, which enters container ID and has no children yet, into the groups of that, if SPEC says that
 * there are.  */
int rdt_join (struct arena *arena, const struct spec *spec, const char *id, pid_t pid, struct error *err);

/* Removes what rdt_enter made, whatever closID says: there will be no container.  What fails is logged.  NULL is fine.
 */
void rdt_undo (struct rdt *rdt);

/* Writes what the group that was made for the container may use and uses as members of the object that is open in W:
 * nothing where there is none.  */
void rdt_stats (struct arena *arena, const struct rdt_record *record, struct json_writer *w);

/* Removes the directories of RECORD.  The kernel moves processes that are left in them to the group above.  What is not
 * there is no error.  */
int rdt_remove (const struct rdt_record *record, struct error *err);
