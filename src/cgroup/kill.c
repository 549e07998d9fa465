/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Signals to all processes of a container.
 *
 * SIGKILL on v2 since 5.14 is one write, which no fork can escape.  Else the processes stand still (freezer) while they
 * are listed and signalled one by one, so that none is born meanwhile and no pid is given to another.  Without a
 * freezer rounds are made until there is no new pid.  */
#include "cgroup/internal.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

enum
{
  ROUNDS_MAX = 100,
  FREEZE_MS = 500, /* processes that do not stop are signalled all the same */
};

int
cgroup_signal (int fd, int sig, size_t *ret_count)
{
  ARENA_CLEANUP struct arena arena = { 0 };
  pid_t *pids;
  size_t count, sent = 0;
  int r = cgroup_list_pids (&arena, fd, &pids, &count);
  if (r < 0)
    return r;
  for (size_t i = 0; i < count; i++)
    {
      if (pids[i] == getpid ())
        continue;
      if (kill (pids[i], sig) == 0)
        sent++;
      else if (errno != ESRCH)
        r = -errno;
    }
  *ret_count = sent;
  return r;
}

static int
thaw_directory (int fd, void *data)
{
  (void) data;
  fd_write_file_at (fd, "freezer.state", "THAWED");
  return 0;
}

/* In the v1 freezer SIGKILL waits until all is thawed: what the container has frozen of cgroups inside, and on hybrid,
 * where we freeze in v2, what others have.  */
static void
thaw_v1 (struct cgroup *cgroup)
{
  int index = cgroup_v1_index (cgroup->host, "freezer");
  int fd = index < 0 ? -1 : cgroup_dir_fd (cgroup, (size_t) index);
  if (fd >= 0)
    cgroup_visit (fd, thaw_directory, NULL);
}

/* Whether CODE of thawing after SIG is well.  Below a cgroup that is frozen itself other signals wait, as they would
 * without us; but that SIGKILL does is to be told.  */
static bool
is_thawed (int code, int sig)
{
  return code == -ENOENT || (code == -EBUSY && sig != SIGKILL);
}

int
cgroup_kill (struct cgroup *cgroup, int sig, bool may_freeze, struct error *err)
{
  int core = cgroup_core_index (cgroup->host);
  if (core < 0 || !cgroup->placed)
    return 0;
  const struct cgroup_dir *dir = &cgroup->dirs[core];
  int fd = cgroup_dir_fd (cgroup, (size_t) core);
  if (fd == -ENOENT)
    return 0;
  if (fd < 0)
    return error_sys (err, fd, "open cgroup %s", dir->path);
  if (sig == SIGKILL && dir->hierarchy->v2)
    thaw_v1 (cgroup);
  if (sig == SIGKILL && dir->hierarchy->v2 && fd_write_file_at (fd, "cgroup.kill", "1") == 0)
    return 0;

  bool was_frozen = cgroup_is_frozen (cgroup);
  bool frozen = !was_frozen && (may_freeze || sig == SIGKILL) && cgroup_freeze (cgroup, true, FREEZE_MS, NULL) == 0;
  size_t count = 1;
  int r = 0;
  for (int round = 0; round < ROUNDS_MAX && count > 0 && r == 0; round++)
    {
      r = cgroup_signal (fd, sig, &count);
      /* What stands still gets its signal once; other signals than SIGKILL are not repeated either.  */
      if (frozen || was_frozen || sig != SIGKILL)
        break;
    }
  if (sig == SIGKILL && !dir->hierarchy->v2)
    thaw_v1 (cgroup);
  if (frozen || (was_frozen && sig == SIGKILL))
    {
      int thawed = cgroup_freeze (cgroup, false, FREEZE_MS, err);
      if (r == 0 && thawed < 0 && !is_thawed (thawed, sig))
        return thawed;
      if (thawed < 0)
        error_clear (err);
    }
  return r < 0 && r != -ENOENT && r != -ENODEV ? error_sys (err, r, "signal the processes of %s", dir->path) : 0;
}
