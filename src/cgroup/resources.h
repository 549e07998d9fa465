/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Resources of the specification -> the files that are written, as pure functions.
 *
 * One table (resources.c) has a row for each member of linux.resources: its controller, the file and the conversion on
 * a v1 hierarchy, and the same on v2.  Which side of a row holds is decided for each controller alone, by where the
 * host has it, so hybrid hosts need no code of their own.  */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "spec/spec.h"

struct arena;
struct cgroup_host;
struct error;

enum cgroup_controller
{
  CGROUP_CPU,
  CGROUP_CPUSET,
  CGROUP_MEMORY,
  CGROUP_PIDS,
  CGROUP_IO, /* v1: blkio */
  CGROUP_HUGETLB,
  CGROUP_RDMA,
  CGROUP_NET_CLS,
  CGROUP_NET_PRIO,
  CGROUP_DEVICES, /* v2: a program, no controller */
  CGROUP_UNIFIED, /* whatever the keys of linux.resources.unified name */
  CGROUP_CONTROLLERS,
};

/* Where the controllers are, by index of the hierarchy; -1: nowhere.  */
struct cgroup_places
{
  const struct cgroup_host *host;
  int v1[CGROUP_CONTROLLERS];
  int v2;
  const char *v2_controllers; /* separated by blanks; NULL until one is looked for */
};

/* One write to one file.  */
struct cgroup_write
{
  int hierarchy; /* index */
  const char *file, *value;
  const void *where; /* the value of the spec that asked for it ... */
  size_t where_size; /* ... and its size, as spec_where_of wants them */
  bool optional;     /* no error if there is no such file */
  bool or_next;      /* if there is no such file the next write is taken instead, else that one is left out */
  bool if_new;       /* only right in a cgroup that is as it was made */
  bool again; /* refused with EINVAL or EBUSY it is tried again after all others, as long as one is taken: limits that
                 bound each other (memory and memory+swap, period, quota and burst) can only be moved in one order,
                 which depends on their present values */
};

struct cgroup_writes
{
  struct cgroup_write *items;
  size_t count, capacity;
  const char *enable; /* what cgroup.subtree_control of the ancestors needs on v2: "+memory +pids"; NULL: nothing */
};

/* Looks where each controller is among the hierarchies of HOST.  */
void cgroup_places_find (struct cgroup_places *places, const struct cgroup_host *host);

/* Adds ITEM; *RETURN may be amended until the next is added.  */
struct cgroup_write *cgroup_writes_add (struct arena *arena, struct cgroup_writes *writes,
                                        const struct cgroup_write *item);

/* The writes for RESOURCES (NULL: only the default devices), in the order in which they are done.  PLACES is const but
 * for v2_controllers, read on first need.  SPEC gives positions and may be NULL.  -EOPNOTSUPP when a hierarchy cannot
 * do what is asked, -EINVAL for values that contradict each other; the message names member and controller, the hint
 * the way out.  */
int cgroup_translate (struct arena *arena, struct cgroup_places *places, const struct spec *spec,
                      const struct spec_resources *resources, struct cgroup_writes *ret_writes, struct error *err);

/* What an update finds on v2 where one file, or one sum, is made of a member that it names and one that it does not. */
struct cgroup_present
{
  struct spec_int memory_limit, cpu_quota; /* not set: none */
};

/* The same for an update: what RESOURCES does not name stays as it is, and that is what PRESENT says.  */
int cgroup_translate_update (struct arena *arena, struct cgroup_places *places, const struct spec *spec,
                             const struct spec_resources *resources, const struct cgroup_present *present,
                             struct cgroup_writes *ret_writes, struct error *err);

/* cpu.shares (2 ... 262144, default 1024) as cpu.weight (1 ... 10000, default 100).  */
uint64_t cgroup_shares_to_weight (uint64_t shares);

/* The table as text, for documentation: row I as "memory.limit", what becomes of it on v1 and on v2.  False past the
 * last row.  */
struct cgroup_resource_text
{
  const char *member, *v1, *v2;
};
bool cgroup_resource_text (struct arena *arena, size_t i, struct cgroup_resource_text *ret_text);
