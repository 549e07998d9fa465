/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the parts of plan_build share: a plan that grows.  */
#pragma once

#include "plan/plan.h"
#include "spec/spec.h"

/* The header comes first, then the data (strings and arrays), then the operations; so a reference is known as soon as
 * its data is added.  */
struct plan_builder
{
  struct arena *arena;
  const struct spec *spec;
  const struct plan_facts *facts;
  struct error *err;

  struct plan_op *ops;
  struct plan_origin *origins;
  size_t count, capacity;

  char *data;
  size_t data_length, data_capacity;

  struct plan *plan;
  size_t open_capacity;
  uint32_t mounts;                       /* that init keeps */
  struct plan_capabilities capabilities; /* the program's, once they are known */
  uint64_t bounding;
  bool capabilities_known;
  bool oom_score_set, prepared, confined;
  bool cgroup_made, cgroup_joined; /* the operations that wait for it are there */
};

/* Appends an operation that comes from the decoded value at address ORIGIN, or NULL.  The result is valid until the
 * next one is added.  */
#define plan_add(b, code, origin) plan_add_of ((b), (code), (struct plan_origin){ (origin), sizeof *(origin) })
struct plan_op *plan_add_of (struct plan_builder *b, enum plan_code code, struct plan_origin origin);

/* The same for the operations that take one string.  */
#define plan_add_text(b, code, origin, text)                                                                           \
  plan_add_text_of ((b), (code), (struct plan_origin){ (origin), sizeof *(origin) }, (text))
void plan_add_text_of (struct plan_builder *b, enum plan_code code, struct plan_origin origin, const char *text);

/* Adds data; NULL gives 0.  */
plan_ref plan_string (struct plan_builder *b, const char *text);
plan_ref plan_bytes (struct plan_builder *b, const void *bytes, size_t size, size_t align);
struct plan_strings plan_vector (struct plan_builder *b, const char *const *items, size_t count);

/* Has the runtime open something; the index of its descriptor.  */
uint32_t plan_open (struct plan_builder *b, struct plan_open what);

/* Finds out how the ids of MOUNT, which is to be id-mapped, are mapped: *RET_IDS is what plan_open takes.  */
int plan_mount_ids (struct plan_builder *b, const struct spec_mount *mount, uint32_t *ret_ids);

/* Refuses a plan beyond PLAN_SIZE_MAX: a short config can ask for much, such as mounts of all cgroups thousands of
 * times. To be asked wherever one value of the config brings more than it is long.  */
int plan_check_size (struct plan_builder *b);

/* Puts it all together.  */
void plan_finish (struct plan_builder *b);

/* An error about the decoded value VALUE: "mounts[3] (config.json:40:5): …".  Returns -EINVAL.  The type of the pointer
 * counts: see spec_where.  */
#define plan_refuse(b, value, ...) plan_refuse_of ((b), (value), sizeof *(value), __VA_ARGS__)
int plan_refuse_of (struct plan_builder *b, const void *value, size_t size, const char *format, ...)
    __attribute__ ((format (printf, 4, 5)));

/* What the mounts that the container inherits become, MS_SLAVE or MS_PRIVATE: what is mounted there is not seen on the
 * host.  */
uint64_t plan_inherited (const struct spec *spec);

/* The parts, in the order in which build.c calls them.  0 or -errno.  */
int plan_namespaces (struct plan_builder *b);
int plan_file_system (struct plan_builder *b);
int plan_enter (struct plan_builder *b); /* instead of these two, for exec */
int plan_mounts (struct plan_builder *b);
int plan_process (struct plan_builder *b);
int plan_hooks (struct plan_builder *b, const struct spec_hook_list *hooks, const char *kind, const char *status);
int plan_privileges (struct plan_builder *b);

/* How the ids of the new user namespace are mapped, into the plan.  */
void plan_id_map (struct plan_builder *b);

/* Whether the groups that we have on the host, which are not for who is root of a joined user namespace, go first.  */
bool plan_drops_groups (const struct plan_builder *b);

/* Adds a terminal, with CONSOLE on /dev/console, if the process is to have one.  */
void plan_terminal (struct plan_builder *b, bool console);

/* Sets the bits of LIST, such as "0-3,7", which has been checked, in MASK of MAX bits; WHAT are they?  VALUE is where
 * the list stands in the config.  *RET_LAST is the highest.  */
int plan_number_list (struct plan_builder *b, const char *const *value, const char *what, uint8_t *mask, unsigned max,
                      unsigned *ret_last);

/* Whether init has to look HOME up.  */
bool plan_needs_home (const struct plan_builder *b);

/* Once: what the program gets by the host's /proc, HOME from the passwd that is read so, and its label.  */
void plan_prepare_program (struct plan_builder *b);

/* Gives up the capabilities that neither the program gets nor the rest of the plan needs.  */
void plan_confine (struct plan_builder *b);

/* Once: sets oom_score_adj, if the config says so.  In a user namespace it could only be raised, or not be set at all.
 */
void plan_oom_score_adj (struct plan_builder *b);

/* Waits, once, until the directories of the container's v1 cgroups are there to be mounted.  */
void plan_cgroup_directories (struct plan_builder *b);

/* Whether the process gets what is to be given where its cgroup holds: a policy with which the kernel may refuse to
 * move it (sched(7)), or nodes of memory, which it counts anew when others are allowed (set_mempolicy(2)).  */
bool plan_is_bound (const struct plan_builder *b);

/* Once: waits until the record tells of init, which is in its cgroups, and these are limited; and makes the cgroup
 * namespace.  */
void plan_cgroup_joined (struct plan_builder *b);
/* The same before init's work is done, where what follows is not the same within the cgroup and outside.  */
void plan_cgroup_joined_early (struct plan_builder *b);

/* The mount operations of one cgroup mount of the config; FLAGS are MS_*.  */
int plan_cgroup_mount (struct plan_builder *b, const struct spec_mount *mount, const char *target, uint64_t flags);
