/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* delete: what is stopped goes; with force, whatever it is.  */
#include <errno.h>
#include <signal.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/syscalls.h"
#include "container/container.h"
#include "container/state.h"
#include "container/store.h"

/* Kills the first process before the lock is taken: a start that hangs has it, and comes to its end by this.  What
 * fails here fails again, and is reported, once the lock is held.  */
static void
kill_first (struct arena *arena, const struct store *store, const char *id)
{
  STORE_ENTRY_CLEANUP struct store_entry entry = STORE_ENTRY_INIT;
  FD_CLEANUP int pidfd = -1;
  struct container_state state;
  bool created;
  if (store_find (store, id, &entry, NULL) == 0 && state_read (arena, &entry, &state, &created, NULL) == 0 && created
      && state_open_process (&state, &pidfd, NULL) == 0 && pidfd >= 0)
    sys_pidfd_send_signal (pidfd, SIGKILL, NULL, 0);
}

/* Removes the locked ENTRY, of which there is no state, or one that is none: R and ERR tell why.  What only could not
 * be read this time (EMFILE, EIO) is kept: nobody else knows of the cgroup, and of who is in it.  */
static int
delete_unreadable (struct store_entry *entry, bool force, int r, struct error *err)
{
  if (!force || (r != -ENOENT && r != -EINVAL))
    return r;
  if (r != -ENOENT)
    log_warning ("removing container %s without knowing its cgroup: %s", entry->id, err != NULL ? err->message : "");
  return store_remove (entry, err);
}

static int
delete_locked (struct arena *arena, struct store_entry *entry, bool force, struct error *err)
{
  struct container_state state;
  bool created;
  int r = state_read (arena, entry, &state, &created, err);
  if (r < 0)
    return delete_unreadable (entry, force, r, err);

  FD_CLEANUP int pidfd = -1;
  r = state_open_process (&state, &pidfd, err);
  if (r < 0)
    return r;
  /* Of a create that was cut short nothing lives on but an init that is about to notice.  */
  if (pidfd >= 0 && created && !force)
    {
      const char *status = state_status_name (state_status (arena, entry, &state, created));
      error_set (err, EBUSY, "cannot delete container %s that is not stopped: %s", entry->id, status);
      error_hint (err, "stop it with `thole kill %s`, or delete it with --force", entry->id);
      return -EBUSY;
    }
  return container_destroy (arena, entry, &state, NULL, NULL, pidfd, err);
}

int
container_delete (const struct thole *thole, const char *id, bool force, struct error *err)
{
  ARENA_CLEANUP struct arena arena = { 0 };
  STORE_CLEANUP struct store store = STORE_INIT;
  STORE_ENTRY_CLEANUP struct store_entry entry = STORE_ENTRY_INIT;
  int r = store_open (thole->root, false, true, &store, err);
  if (r < 0)
    return r;
  if (force)
    kill_first (&arena, &store, id);
  r = store_lock (&store, id, &entry, err);
  if (r == -ENOENT && force)
    {
      error_clear (err);
      return 0;
    }
  return r < 0 ? r : delete_locked (&arena, &entry, force, err);
}
