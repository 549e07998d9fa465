/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a spec and facts about the host to a plan.  Pure: nothing is changed, so plans are compared in tests and printed
 * by `thole plan`, which is the same code as `create`.  */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "plan/wire.h"

struct arena;
struct error;
struct spec;
struct spec_id_mappings;
struct spec_mount_option;
struct strbuf;
struct cgroup_host;

/* The first process of a container that another process is to enter.  */
struct plan_target
{
  pid_t pid;
  int pidfd; /* of which init gets a copy */
};

/* Of facts->extra_env: the pid that the program finds itself to have is put behind it.  */
#define PLAN_LISTEN_PID "LISTEN_PID="

/* What a plan depends on beside the spec.  */
struct plan_facts
{
  const char *id;                   /* of the container */
  const char *bundle;               /* absolute */
  const struct cgroup_host *cgroup; /* the hierarchies */
  const char *cgroup_path;          /* the container's, below each of them; NULL: none */
  uint64_t capabilities;            /* that the runtime can grant */
  uint32_t euid, egid;              /* of the runtime */
  const char *lsm_file, *lsm_value; /* of lsm_exec_attribute; NULL: none */
  const char *keyring_label;        /* checked process.selinuxLabel; NULL: none */
  const char *mount_label;          /* checked linux.mountLabel; NULL: none */
  const char *mount_context;        /* the mount option for it; NULL: context */
  uint32_t preserved;               /* descriptors from 3 on: --preserve-fds and LISTEN_FDS */
  const char *const *extra_env;     /* NULL-terminated: LISTEN_FDS=…, NOTIFY_SOCKET=… ; NULL: none */
  const char *notify;               /* the host's directory that is to be /run/notify; NULL: none */
  bool no_pivot, no_new_keyring;
  bool join_cgroup;       /* the runtime moves init into its cgroups: not all of it is v2 */
  bool join_late;         /* and does so when init has done its work, which is then not charged to a memory limit */
  uint32_t seccomp_flags; /* of the filter, SECCOMP_FILTER_FLAG_* */
  const struct plan_target *target; /* exec: the container is there, and only spec->process is new; NULL: it is made */
};

/* How the id maps of a new user namespace come about (user_namespaces(7)).  */
enum plan_id_map
{
  PLAN_ID_MAP_WRITE, /* by writing them: the runtime has the privileges */
  PLAN_ID_MAP_OWN, /* the same, but of the caller's own ids alone, after setgroups(2) was given up for the container */
  PLAN_ID_MAP_HELPER, /* by newuidmap(1) and newgidmap(1), which know what /etc/subuid allows the caller */
};

/* The decoded value that an operation came from, for spec_where_of; its size tells a struct from its first member.
 * VALUE is NULL where nothing in the config asked for it.  */
struct plan_origin
{
  const void *value;
  size_t size;
};

/* A finished plan.  */
struct plan
{
  struct plan_header *header;  /* header->size bytes, in the arena */
  bool gives_ids;              /* init waits until the runtime has written or compared the maps of its user namespace */
  enum plan_id_map id_map;     /* of a new one; exec: of that of the container */
  bool keep_groups;            /* of the caller: of one's own gid alone, no map comes without giving setgroups(2) up */
  uint64_t clone_flags;        /* namespaces that the first clone makes */
  bool joins_late;             /* init announces JOINED: facts.join_late, unless something has to know earlier */
  struct plan_origin *origins; /* for each operation what it came from */
  struct plan_open *opens;     /* what the runtime opens for the descriptor PLAN_FD_OPENED + i */
  size_t open_count;
  struct plan_ids *ids; /* how the ids of such mounts are mapped */
  size_t ids_count;
};

/* Something of the host that has to be opened before init is in its namespaces.  */
struct plan_open
{
  const int *given; /* a copy of this descriptor; else NULL, and */
  const char *path;
  uint64_t type;  /* CLONE_NEW*: a namespace of this type; 0: a detached copy of the mount there */
  bool recursive; /* with the mounts below it */
  bool nofollow;  /* a link itself, not where it leads */
  const void *origin;
  uint32_t ids;    /* the copy is id-mapped by plan->ids[ids - 1]; 0: it is not */
  bool ids_of_all; /* and so are the mounts below it */
};

/* An id mapping as the kernel takes it for a mount: from a user namespace, be it one that is made for nothing else.  */
struct plan_ids
{
  uint32_t joined; /* index of the descriptor of the one that the container joins; or 0 and */
  const struct spec_id_mappings *uids, *gids; /* what is to be its maps */
};

/* Builds the plan of a container, or of a process that enters one (facts->target).  Errors name the place in the
 * config: what the kernel cannot combine is refused here, before anything is done.  */
int plan_build (struct arena *arena, const struct spec *spec, const struct plan_facts *facts, struct plan **ret_plan,
                struct error *err);

/* Whether mounts with OPTION are made; with others they are refused.  */
bool plan_takes_mount_option (const struct spec_mount_option *option);

/* How the ids of what OPEN_ gives are mapped: "uids 0:1000:10, gids 0:1000:10" (container, host, size); NULL: not.  */
const char *plan_ids_text (struct arena *arena, const struct plan *plan, const struct plan_open *open_);

/* "mounts[4] (config.json:88:7): ", or "" where ORIGIN is no place in the config.  */
const char *plan_origin_text (struct arena *arena, const struct spec *spec, struct plan_origin origin);

/* The operation's name ("mount", "rlimit" …).  */
const char *plan_op_name (uint32_t code);

/* Describes operation INDEX on one line: `mount proc on /proc (proc, nosuid,noexec)` style "name key=value …".  */
const char *plan_op_text (struct arena *arena, const struct plan *plan, size_t index);

/* The same as part of a sentence: "mount proc on /proc".  */
const char *plan_op_phrase (struct arena *arena, const struct plan *plan, const struct plan_op *op);

/* The operation of CODE, the NTH of that kind, or NULL.  */
const struct plan_op *plan_find (const struct plan *plan, uint32_t code, size_t nth);

/* Prints the whole plan for a person, or as JSON: an array of objects {op, config, line, arguments…}.  */
void plan_print (struct strbuf *out, struct arena *arena, const struct plan *plan, const struct spec *spec, bool json);

/* The hint where one of the calls is missing for which there is no other way.  */
#define PLAN_HINT_MOUNT_CALLS "thole needs Linux 5.3: open_tree, move_mount and fsopen (5.2) have no substitute"

/* Turns a report of failure into an error: what was attempted, where the config asked for it, what the kernel said.  */
int plan_explain (struct arena *arena, const struct plan *plan, const struct spec *spec,
                  const struct plan_report *report, struct error *err);

/* The same for a `start`, which has no plan but the saved spec, and knows that LAST_OP is the exec operation.  */
int plan_explain_start (struct arena *arena, uint32_t last_op, const struct spec *spec,
                        const struct plan_report *report, struct error *err);
