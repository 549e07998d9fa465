/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Removing a container's directories.
 *
 * Mostly everything is empty, and one rmdir(2) a hierarchy is all there is to do.  Else: kill, wait until the cgroup is
 * empty (the pidfds of its processes; on v2 also the event "populated 0", which counts those that we cannot see),
 * remove the cgroups that were made inside from the leaves up, and try again.  A directory can answer EBUSY for a
 * moment after its last process is gone, for which there is no event; then it is tried again in small steps until the
 * deadline.  */
#include "cgroup/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/syscalls.h"
#include "cgroup/systemd.h"

enum
{
  PIDFDS_MAX = 64,
  STEP_MS = 2,
};

/* ---- cgroups inside --------------------------------------------------------------------------------------------- */

/* The name of the first child cgroup of the directory FD, in NAME, or false.  */
static bool
first_child (int fd, char name[NAME_MAX + 1])
{
  int copy = openat (fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *dir = copy < 0 ? NULL : fdopendir (copy);
  if (dir == NULL)
    {
      fd_close (copy);
      return false;
    }
  bool found = false;
  for (struct dirent *entry; !found && (entry = readdir (dir)) != NULL;)
    if (cgroup_is_child (entry))
      {
        strcpy (name, entry->d_name);
        found = true;
      }
  closedir (dir);
  return found;
}

/* Removes all cgroups below TOP, however deep: it goes down to a leaf, removes that, and goes on from its parent.  One
 * descriptor at a time, because a container may nest deeper than we may open.  0 or -errno (-EBUSY: processes).  */
static int
remove_children (int top)
{
  char name[NAME_MAX + 1];
  FD_CLEANUP int fd = openat (top, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    return -errno;
  size_t depth = 0;
  bool leaf_failed = false;
  for (;;)
    {
      bool down = first_child (fd, name);
      if (!down && depth == 0)
        return 0;
      if (down && (unlinkat (fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT))
        {
          leaf_failed = false;
          continue;
        }
      /* Up from a directory without children to remove it; if it was just found to resist, it has processes.  */
      if (down && (errno != EBUSY || leaf_failed))
        return -errno;
      leaf_failed = !down;
      int next = openat (fd, down ? name : "..", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
      if (next < 0)
        return -errno;
      depth = down ? depth + 1 : depth - 1;
      fd_close (fd);
      fd = next;
    }
}

/* ---- processes -------------------------------------------------------------------------------------------------- */

/* Waits until all of the COUNT pidfds in POLLS tell of their process's end, and closes them.  */
static int
wait_pidfds (struct pollfd *polls, nfds_t count, int64_t deadline)
{
  nfds_t left = count;
  int r = 0;
  while (left > 0 && r == 0)
    {
      int ready = poll (polls, count, clock_left (deadline));
      if (ready < 0 && errno != EINTR)
        r = -errno;
      else if (ready == 0)
        r = -ETIMEDOUT;
      for (nfds_t i = 0; ready > 0 && i < count; i++)
        if (polls[i].fd >= 0 && polls[i].revents != 0)
          {
            polls[i].fd = fd_close (polls[i].fd);
            left--;
          }
    }
  for (nfds_t i = 0; i < count; i++)
    fd_close (polls[i].fd);
  return r;
}

/* Waits until the processes of the directory FD are gone, some at a time.  */
static int
wait_processes (int fd, int64_t deadline)
{
  for (;;)
    {
      ARENA_CLEANUP struct arena arena = { 0 };
      pid_t *pids;
      size_t count;
      int r = cgroup_list_pids (&arena, fd, &pids, &count);
      if (r < 0 || count == 0)
        return r;
      struct pollfd polls[PIDFDS_MAX];
      nfds_t used = 0;
      for (size_t i = 0; i < count && used < PIDFDS_MAX; i++)
        {
          int pidfd = sys_pidfd_open (pids[i], 0);
          if (pidfd >= 0)
            polls[used++] = (struct pollfd){ .fd = pidfd, .events = POLLIN };
        }
      r = wait_pidfds (polls, used, deadline);
      if (r < 0)
        return r;
      if (clock_left (deadline) == 0)
        return -ETIMEDOUT;
    }
}

/* Waits until the directory I has no processes.  Pidfds first: events of cgroup.events are held back for up to 10 ms.
 */
static int
wait_empty (struct cgroup *cgroup, size_t i, int64_t deadline)
{
  int fd = cgroup_dir_fd (cgroup, i);
  int r = fd < 0 ? fd : wait_processes (fd, deadline);
  if (r == 0 && cgroup->dirs[i].hierarchy->v2)
    r = cgroup_wait_event (fd, "populated", 0, deadline);
  return r;
}

/* ---- removal ---------------------------------------------------------------------------------------------------- */

/* Removes the directory I, which was made for the container, with the cgroups inside.  */
static int
remove_tree (struct cgroup *cgroup, size_t i, int64_t deadline)
{
  for (;;)
    {
      int fd = cgroup_dir_fd (cgroup, i);
      int r = fd < 0 ? fd : remove_children (fd);
      if (r == 0)
        r = cgroup_remove_made (&cgroup->dirs[i]);
      if (r != -EBUSY)
        return r;
      if (clock_left (deadline) == 0)
        return -EBUSY;
      poll (NULL, 0, STEP_MS);
    }
}

/* Empties the directory I and, if it was made for the container, removes it.  A process whose start or join was cut
 * short can be in one hierarchy alone, so each is asked.  */
static int
clear_directory (struct cgroup *cgroup, size_t i, bool kill, int64_t deadline)
{
  size_t count;
  int fd = cgroup_dir_fd (cgroup, i);
  int r = fd >= 0 && kill ? cgroup_signal (fd, SIGKILL, &count) : fd;
  if (r >= 0)
    r = wait_empty (cgroup, i, deadline);
  if (r >= 0 && cgroup->dirs[i].made > 0)
    r = remove_tree (cgroup, i, deadline);
  return r == -ENOENT || r == -ENODEV ? 0 : r;
}

/* Says which directory was not removed and who is in it.  */
static int
still_there (struct cgroup *cgroup, size_t i, int code, int timeout_ms, struct error *err)
{
  ARENA_CLEANUP struct arena arena = { 0 };
  const struct cgroup_dir *dir = &cgroup->dirs[i];
  pid_t *pids;
  size_t count = 0;
  int fd = cgroup_dir_fd (cgroup, i);
  if (fd >= 0 && cgroup_list_pids (&arena, fd, &pids, &count) == 0 && count > 0)
    {
      int r = error_set (err, code, "cgroup %s still has %zu process(es) after %d ms, the first is pid %ld", dir->path,
                         count, timeout_ms, (long) pids[0]);
      int freezer = cgroup_v1_index (cgroup->host, "freezer");
      if (freezer >= 0 && cgroup_parent_freezing (&cgroup->dirs[freezer]))
        error_hint (err, "a cgroup above it is frozen, where v1 lets nothing die; thaw that first");
      else
        error_hint (err, "see /proc/%ld/stack for what it waits for", (long) pids[0]);
      return r;
    }
  return error_sys (err, code, "remove cgroup %s", dir->path);
}

/* After a crash in the midst of a creation: the directories may be ours, or others' that were refused.  So nothing is
 * killed, and only what is empty is removed; init, if there is one yet, ends by itself and is waited for.  */
static void
remove_attempted (struct cgroup *cgroup, int64_t deadline)
{
  for (size_t i = 0; i < cgroup->count; i++)
    while (rmdir (cgroup->dirs[i].path) < 0 && errno == EBUSY && clock_left (deadline) > 0
           && wait_empty (cgroup, i, deadline) == 0)
      poll (NULL, 0, STEP_MS);
}

/* Empties the cgroup of a unit, which systemd can stop then at once.  */
static int
stop_unit (struct cgroup *cgroup, bool kill, int timeout_ms, int64_t deadline, struct error *err)
{
  int r = kill ? cgroup_kill (cgroup, SIGKILL, true, err) : 0;
  for (size_t i = cgroup->count; i-- > 0 && r == 0;)
    {
      r = wait_empty (cgroup, i, deadline);
      r = r == -ENOENT || r == -ENODEV ? 0 : r;
      if (r < 0)
        still_there (cgroup, i, r, timeout_ms, err);
    }
  return r < 0 ? r : cgroup_unit_stop (cgroup, err);
}

int
cgroup_remove (struct cgroup *cgroup, bool kill, int timeout_ms, struct error *err)
{
  int64_t deadline = clock_ms () + timeout_ms;
  if (cgroup->attempted)
    remove_attempted (cgroup, deadline);
  if (!cgroup->placed)
    return 0;
  int r = cgroup->unit != NULL ? stop_unit (cgroup, kill, timeout_ms, deadline, err) : 0;
  if (r < 0)
    return r;
  cgroup_remove_leaf (cgroup);
  bool busy = false;
  for (size_t i = 0; i < cgroup->count; i++)
    busy |= cgroup->dirs[i].made == 0 || cgroup_remove_made (&cgroup->dirs[i]) < 0;
  if (!busy)
    return 0;

  r = kill ? cgroup_kill (cgroup, SIGKILL, true, err) : 0;
  for (size_t i = cgroup->count; i-- > 0 && r == 0;) /* v2, which has all processes, is the last */
    {
      r = clear_directory (cgroup, i, kill, deadline);
      if (r < 0)
        still_there (cgroup, i, r, timeout_ms, err);
    }
  return r;
}
