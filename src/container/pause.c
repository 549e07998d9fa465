/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pause and resume.  The words are runc's, which callers match.  */
#include <errno.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/fd.h"
#include "cgroup/cgroup.h"
#include "container/container.h"
#include "container/state.h"
#include "container/store.h"

enum
{
  PAUSE_TIMEOUT_MS = 10000 /* for every process to stand still, or to move again */
};

static int
freeze (struct cgroup *cgroup, bool frozen, struct error *err)
{
  bool is_frozen = cgroup_is_frozen (cgroup);
  if (frozen && is_frozen)
    return error_set (err, EINVAL, "container not running: it is paused already");
  if (!frozen && !is_frozen)
    return error_set (err, EINVAL, "container not paused");
  return cgroup_freeze (cgroup, frozen, PAUSE_TIMEOUT_MS, err);
}

static int
freeze_locked (struct arena *arena, const struct store_entry *entry, bool frozen, struct error *err)
{
  FD_CLEANUP int pidfd = -1;
  struct container_state state;
  struct cgroup *cgroup = NULL;
  bool created;
  int r;
  if ((r = state_read (arena, entry, &state, &created, err)) < 0 || (r = state_open_process (&state, &pidfd, err)) < 0)
    return r;
  if (pidfd < 0 || !created)
    return error_set (err, ESRCH, frozen ? "container not running" : "container not paused: it has stopped");
  r = container_need_cgroup (arena, &state, &cgroup, err);
  if (r == 0)
    r = freeze (cgroup, frozen, err);
  cgroup_close (cgroup);
  return r;
}

int
container_freeze (const struct thole *thole, const char *id, bool frozen, struct error *err)
{
  ARENA_CLEANUP struct arena arena = { 0 };
  STORE_CLEANUP struct store store = STORE_INIT;
  STORE_ENTRY_CLEANUP struct store_entry entry = STORE_ENTRY_INIT;
  int r;
  if ((r = store_open (thole->root, false, true, &store, err)) < 0 || (r = store_lock (&store, id, &entry, err)) < 0)
    return r;
  return freeze_locked (&arena, &entry, frozen, err);
}
