/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kill: a signal to the first process, or to all.  Waits for no lock, so that it gets through while another command
 * hangs.  If the lock is free it is taken for a signal to all, which stand still meanwhile: `pause` shall neither see
 * that nor be undone by its end.  */
#include <errno.h>
#include <signal.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/syscalls.h"
#include "cgroup/cgroup.h"
#include "container/container.h"
#include "container/state.h"
#include "container/store.h"

enum
{
  THAW_TIMEOUT_MS = 5000
};

/* PIDFD is of the first process, or -1; CGROUP may be NULL.  */
static int
send (const struct store_entry *entry, const struct container_state *state, struct cgroup *cgroup, int pidfd, int sig,
      bool all, struct error *err)
{
  if (all && cgroup != NULL)
    return cgroup_kill (cgroup, sig, store_try_lock (entry), err);
  if (pidfd < 0)
    return 0;
  if (sys_pidfd_send_signal (pidfd, sig, NULL, 0) < 0)
    {
      if (errno == ESRCH)
        return error_set (err, ESRCH, "container not running");
      return error_sys (err, errno, "send signal %d to process %d", sig, (int) state->pid);
    }
  return sig == SIGKILL && cgroup != NULL ? cgroup_let_die (cgroup, THAW_TIMEOUT_MS, err) : 0;
}

int
container_kill (const struct thole *thole, const char *id, int sig, bool all, struct error *err)
{
  ARENA_CLEANUP struct arena arena = { 0 };
  STORE_CLEANUP struct store store = STORE_INIT;
  STORE_ENTRY_CLEANUP struct store_entry entry = STORE_ENTRY_INIT;
  FD_CLEANUP int pidfd = -1;
  struct container_state state;
  bool created;
  int r;
  if ((r = store_open (thole->root, false, true, &store, err)) < 0 || (r = store_find (&store, id, &entry, err)) < 0
      || (r = state_read (&arena, &entry, &state, &created, err)) < 0
      || (r = state_open_process (&state, &pidfd, err)) < 0)
    return r;

  /* What a stopped container left running is found by its cgroup.  */
  if ((pidfd < 0 || !created) && !all)
    return error_set (err, ESRCH, "container not running");

  struct cgroup *cgroup = NULL;
  if (all || sig == SIGKILL)
    r = container_cgroup (&arena, &state, &cgroup, err);
  if (r == 0)
    r = send (&entry, &state, cgroup, pidfd, sig, all, err);
  cgroup_close (cgroup);
  return r;
}
