/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Control groups: one interface over the v1, hybrid and v2 layouts (cgroups(7), config-linux.md#control-groups).
 *
 * A struct cgroup is where a container lives: one path below each hierarchy of the host.  It is made from the host's
 * layout and a path, created, limited, joined, and in the end removed.  cgroup_save says in one line what has to be
 * kept in the container's state; cgroup_load makes the struct again from that line, without looking at the host.
 *
 * Order at creation.  v2: cgroup_create, cgroup_apply_limits, clone3 with CLONE_INTO_CGROUP (cgroup_clone_fd), and
 * cgroup_apply_rules while init is already mounting.  v1: all of it while init is mounting, then cgroup_join.  A cold
 * write to cgroup.procs waits for an RCU grace period of about 10 ms, so it is done beside init's work and never twice.
 * What a process used before it joined stays charged to its old cgroup, so a small memory limit does not stop init from
 * setting up.
 *
 * Directories are held open from creation on: limits, joining and freezing act on descriptors, not on paths.
 *
 * Nothing here touches a cgroup that the container does not have: kill, freeze and remove act only after a
 * cgroup_create that succeeded or a cgroup_load.  */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct arena;
struct error;
struct json_writer;
struct spec_resources;
struct spec;

/* Where hierarchies are looked for.  Those that are mounted elsewhere are not used.  */
#define CGROUP_ROOT "/sys/fs/cgroup"

enum cgroup_layout
{
  CGROUP_NONE,   /* nothing mounted below /sys/fs/cgroup */
  CGROUP_V1,     /* only v1 hierarchies */
  CGROUP_HYBRID, /* v1 hierarchies and a v2 one, with or without controllers, beside them */
  CGROUP_V2,     /* /sys/fs/cgroup is the v2 hierarchy */
};

/* One mounted hierarchy.  */
struct cgroup_hierarchy
{
  const char *mount;       /* "/sys/fs/cgroup/cpu,cpuacct" */
  const char *controllers; /* v1: "cpu,cpuacct" or "name=systemd"; v2: NULL, see cgroup_v2_controllers */
  bool v2;
};

/* What the host has mounted; probed once with the fewest system calls.  */
struct cgroup_host
{
  enum cgroup_layout layout;
  struct cgroup_hierarchy *hierarchies; /* v1 ones first, then the v2 one */
  size_t count;
};

/* Reads the layout.  CGROUP_NONE is not an error.  */
int cgroup_probe (struct arena *arena, const struct cgroup_host **ret_host, struct error *err);

/* The controllers that the v2 hierarchy of HOST offers at its root, separated by spaces; "" if there are none or there
 * is no such hierarchy.  Read anew with each call, because the start of a container without limits does not need it. */
const char *cgroup_v2_controllers (struct arena *arena, const struct cgroup_host *host);

/* A container's place in each hierarchy.  */
struct cgroup;

/* The place for CGROUPS_PATH (linux.cgroupsPath) of container ID; with NULL that is "/thole-ID".  Absolute and relative
 * paths are both taken from the mount point of each hierarchy, so that the same value always means the same place,
 * wherever the caller stands.  `..` components and the root itself are refused.  Nothing is touched yet.
 * Lives in ARENA; HOST must live as long.  */
int cgroup_new (struct arena *arena, const struct cgroup_host *host, const char *cgroups_path, const char *id,
                struct cgroup **ret_cgroup, struct error *err);

/* The same by systemd, whose transient unit it is: CGROUPS_PATH is "slice:prefix:name", or NULL for the scope
 * "thole-ID.scope" in system.slice.  USER: the systemd of the calling user, and user.slice.  Asks systemd where its
 * own cgroup is; each call, also later, may take TIMEOUT_S (0: 10 s), after which it is -ETIMEDOUT with the call's
 * name.  -ENOTCONN if there is no systemd to ask.
 *
 * A scope begins with a process, so the order is another: clone3, cgroup_start_unit with init in it, cgroup_create for
 * the hierarchies that systemd leaves out, cgroup_apply_limits and _rules, cgroup_join.  cgroup_remove stops
 * the unit.  */
int cgroup_new_unit (struct arena *arena, const struct cgroup_host *host, const char *cgroups_path, const char *id,
                     bool user, unsigned timeout_s, struct cgroup **ret_cgroup, struct error *err);

/* Whether there can be such units: else cgroup_new_unit is an error.  */
extern const bool cgroup_systemd_is_built;

/* Takes the annotations that put init into a leaf below CGROUP (delegate.c).  -EINVAL, -EOPNOTSUPP.  */
int cgroup_find_leaf (struct cgroup *cgroup, const struct spec *spec, struct error *err);

/* Goes down to a cgroup inside CGROUP: WHERE is [CONTROLLER,...:]PATH, of the hierarchies of these controllers (v1) or
 * of all.  For a process that is to be there: what joins, is born or looks goes there from now on.  */
int cgroup_descend (struct cgroup *cgroup, const char *where, struct error *err);

/* On v2, goes to the cgroup inside CGROUP in which process PID is: where the container has enabled controllers for
 * cgroups of its own, processes can be in those alone.  */
int cgroup_follow (struct cgroup *cgroup, pid_t pid, struct error *err);

/* The canonical path below the hierarchies ("/thole-web1").  */
const char *cgroup_path (const struct cgroup *cgroup);

/* Whether its only hierarchy is v2.  */
bool cgroup_is_v2 (const struct cgroup *cgroup);

/* Whether the caller can have a child in it by CLONE_INTO_CGROUP: on v2, but not in a unit of the user's systemd, into
 * which he may move no process from outside of what is systemd's.  cgroup_join has systemd do that.  */
bool cgroup_has_births (const struct cgroup *cgroup);

/* The directory in the hierarchy of CONTROLLER ("memory"), or with NULL in the v2 hierarchy where there is one, else in
 * the first; NULL if there is none.  For messages and for `state`.  */
const char *cgroup_directory (const struct cgroup *cgroup, const char *controller);

/* One line of text for the container's state: path, hierarchies and which directories were made here.  Saved before
 * cgroup_create it says that some may exist, so that a crash in between leaves nothing that cgroup_remove does not
 * find: then it kills nothing and removes what is empty.  In ARENA.  */
const char *cgroup_save (struct arena *arena, const struct cgroup *cgroup);

/* The place that cgroup_save described.  -EINVAL if TEXT is none of its lines.  */
int cgroup_load (struct arena *arena, const char *text, struct cgroup **ret_cgroup, struct error *err);

/* Whether a caller who is not root may make the directories of CGROUP: one system call a hierarchy mostly.  Of v1 the
 * user's systemd makes none, whatever it has a unit for.  */
bool cgroup_may_create (const struct cgroup *cgroup);

/* Checks RESOURCES against what this host's hierarchies can do before anything is changed: a limit whose controller is
 * missing, or that its hierarchy does not have, is an error that names it.  SPEC gives positions for messages and may
 * be NULL; RESOURCES may be NULL.  */
int cgroup_check (struct cgroup *cgroup, const struct spec *spec, const struct spec_resources *resources,
                  struct error *err);

/* Starts the unit of CGROUP with init, PID, and all limits, and waits until it runs; nothing if it has none.  */
int cgroup_start_unit (struct cgroup *cgroup, const struct spec *spec, const struct spec_resources *resources,
                       pid_t pid, struct error *err);

/* Makes the directories (and on v2 enables the controllers that RESOURCES needs, on v1 fills cpuset from the parent).
 * Which ones were made here is remembered for cgroup_remove.  Refuses a cgroup that already holds processes or is
 * frozen.  On failure nothing that it made is left.  -EACCES, -EPERM and -EROFS mean that the caller may not make
 * cgroups here, which a rootless run without limits can live with.  */
int cgroup_create (struct cgroup *cgroup, const struct spec *spec, const struct spec_resources *resources,
                   struct error *err);

/* Writes every limit of RESOURCES, which is the whole of what shall hold: members that depend on each other (limit and
 * swap, quota and period) are expected together.  */
int cgroup_apply_limits (struct cgroup *cgroup, const struct spec *spec, const struct spec_resources *resources,
                         struct error *err);

/* Sets the device rules of RESOURCES (v1: lists, of a new cgroup by cgroup_apply_limits; v2: a program, which takes the
 * kernel some time to check); the default devices of config-linux.md#default-devices are always allowed.  */
int cgroup_apply_rules (struct cgroup *cgroup, const struct spec *spec, const struct spec_resources *resources,
                        struct error *err);

/* Changes the limits that RESOURCES names, and the device rules if it has some; all else stays.  If one is refused,
 * what was changed is put back.  SPEC gives positions for messages and may be NULL.  */
int cgroup_update (struct cgroup *cgroup, const struct spec *spec, const struct spec_resources *resources,
                   struct error *err);

/* A descriptor of the v2 directory for clone_args.cgroup, owned by CGROUP; -1 if there is no v2 hierarchy.  */
int cgroup_clone_fd (struct cgroup *cgroup);

/* Says that the process was born in the v2 directory by CLONE_INTO_CGROUP: cgroup_join then leaves v2 out.  */
void cgroup_cloned (struct cgroup *cgroup);

/* Does of cgroup_join what needs no pid, while that is waited for.  What fails here fails again in cgroup_join.  */
void cgroup_join_soon (struct cgroup *cgroup);

/* Moves PID into the cgroup in every hierarchy (after cgroup_cloned: in the v1 ones, which may be none).  */
int cgroup_join (struct cgroup *cgroup, pid_t pid, struct error *err);

/* Freezes or thaws and waits for it, at most TIMEOUT_MS.  -ETIMEDOUT with a word on what did not freeze, after which it
 * is thawed again.  -EBUSY when it is thawed itself but stands below a frozen cgroup.  */
int cgroup_freeze (struct cgroup *cgroup, bool frozen, int timeout_ms, struct error *err);
/* Whether it is frozen (own state, not a parent's); false where it cannot be known.  */
bool cgroup_is_frozen (struct cgroup *cgroup);

/* For who has sent SIGKILL to one of its processes: in a frozen cgroup of version 1 that only dies once all is thawed,
 * which is done as by cgroup_freeze; version 2 needs no help.  */
int cgroup_let_die (struct cgroup *cgroup, int timeout_ms, struct error *err);

/* Sends SIG to every process in the cgroup and below it (cgroup.kill for SIGKILL where there is one).  Without
 * processes, or without a cgroup, it succeeds.  Processes killed while frozen are thawed to die.  MAY_FREEZE: for other
 * signals, too, they may stand still meanwhile, so that none that is just born is missed; only for who has the
 * container's lock, because who else looks would take it for paused.  */
int cgroup_kill (struct cgroup *cgroup, int sig, bool may_freeze, struct error *err);

/* The processes in the cgroup and below it, in ARENA.  Those of other pid namespaces are left out.  */
int cgroup_pids (struct arena *arena, struct cgroup *cgroup, pid_t **ret_pids, size_t *ret_count, struct error *err);

/* Writes what the cgroup uses and may use as members of the object that is open in W: cpu, cpuset, memory, pids, blkio
 * and hugetlb, as `runc events` has them.  What the host does not have is left out.  */
void cgroup_stats (struct arena *arena, struct cgroup *cgroup, struct json_writer *w);

/* Tells when memory runs out in a cgroup.  */
struct cgroup_oom
{
  int fd;         /* to be polled for EVENTS; -1: nothing tells */
  short events;   /* POLLIN or POLLPRI */
  uint64_t count; /* of processes killed so far (v2) */
};

#define CGROUP_OOM_INIT                                                                                                \
  {                                                                                                                    \
    .fd = -1                                                                                                           \
  }

/* Begins to watch.  Without a memory controller it succeeds and tells nothing.  Close with cgroup_oom_close.  */
int cgroup_oom_open (struct cgroup *cgroup, struct cgroup_oom *ret_oom, struct error *err);
/* Whether memory ran out since the last call.  Never waits.  */
bool cgroup_oom_happened (struct cgroup *cgroup, struct cgroup_oom *oom);
void cgroup_oom_close (struct cgroup_oom *oom);

/* Removes what cgroup_create made, and all cgroups below it, in all hierarchies once they are empty: kills what is left
 * when KILL, then waits for at most TIMEOUT_MS on events, not on sleep.  A cgroup that was there before is left,
 * parents that were made and are in use by others too.  Absent ones are no error.  -EBUSY or -ETIMEDOUT names what is
 * left.  */
int cgroup_remove (struct cgroup *cgroup, bool kill, int timeout_ms, struct error *err);

/* Closes what CGROUP holds open.  NULL is fine.  */
void cgroup_close (struct cgroup *cgroup);
