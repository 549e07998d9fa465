/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The commands on containers, behind libthole (thole.c).  Each is told the context and a container's id, returns 0 (or
 * what is said) or a negative errno with ERR filled, and is documented in thole/thole.h.  */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "thole/thole.h"

struct arena;
struct cgroup;
struct container_state;
struct error;
struct spec;
struct spec_hook_list;
struct store;
struct store_entry;

/* The context.  */
struct thole
{
  const char *root; /* of the store, absolute or as given */
  bool root_given;  /* by the caller: then it must be there to be listed */
  enum thole_cgroup_manager cgroup_manager;
  enum thole_rootless rootless;
  unsigned systemd_timeout; /* seconds; 0: the default */
};

int container_start (const struct thole *thole, const char *id, struct error *err);
int container_kill (const struct thole *thole, const char *id, int sig, bool all, struct error *err);
int container_delete (const struct thole *thole, const char *id, bool force, struct error *err);
int container_state (struct arena *arena, const struct thole *thole, const char *id, struct thole_state *ret_state,
                     struct error *err);
int container_list (struct arena *arena, const struct thole *thole, struct thole_state **ret_states, size_t *ret_count,
                    struct error *err);

int container_update (const struct thole *thole, const char *id, const struct thole_update_options *options,
                      struct error *err);
int container_freeze (const struct thole *thole, const char *id, bool frozen, struct error *err);
int container_pids (struct arena *arena, const struct thole *thole, const char *id, pid_t **ret_pids, size_t *ret_count,
                    struct error *err);
int container_stats (struct arena *arena, const struct thole *thole, const char *id, const char **ret_json,
                     struct error *err);
int container_events (const struct thole *thole, const char *id, unsigned interval_ms, thole_event_fn take, void *data,
                      struct error *err);

/* What create, run, start and delete share.  */

/* Runs the poststart hooks, if STATE says that there are.  SPEC is the decoded configuration, or NULL: then the saved
 * one is read.  */
int container_poststart (struct arena *arena, const struct store_entry *entry, const struct container_state *state,
                         const struct spec *spec, struct error *err);

/* Kills the first process (PIDFD) and all in the cgroup of STATE, and waits for the end of the first: for a start that
 * failed.  What fails here is logged; delete will meet it again.  */
void container_stop (struct arena *arena, const struct container_state *state, int pidfd);

/* Takes a container apart (runtime.md#lifecycle, 12 and 13): kills what is left of it, removes its cgroup, runs the
 * poststop hooks, removes ENTRY, which must be locked, and closes it.  CGROUP may be NULL: then it is made from STATE.
 * SPEC as above.  PIDFD is of the first process, or -1 if that is gone.  Stops at the first failure; the directory is
 * there then, so that delete can be tried again.  */
int container_destroy (struct arena *arena, struct store_entry *entry, const struct container_state *state,
                       const struct spec *spec, struct cgroup *cgroup, int pidfd, struct error *err);

/* Decodes the saved configuration of ENTRY.  */
int container_spec (struct arena *arena, const struct store_entry *entry, const struct container_state *state,
                    const struct spec **ret_spec, struct error *err);

/* Makes the cgroup of STATE again; *RET_CGROUP is NULL if it has none.  Close it with cgroup_close.  */
int container_cgroup (struct arena *arena, const struct container_state *state, struct cgroup **ret_cgroup,
                      struct error *err);

/* The same, where having none is an error: -EOPNOTSUPP.  */
int container_need_cgroup (struct arena *arena, const struct container_state *state, struct cgroup **ret_cgroup,
                           struct error *err);
