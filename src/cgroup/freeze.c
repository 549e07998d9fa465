/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Freezing and thawing.
 *
 * v2 (hybrid hosts too, where the kernel has cgroup.freeze: since 5.2) tells by an event when the last process stands.
 * v1 has no events, and a process forked meanwhile can make it stay in FREEZING until FROZEN is written once more
 * (cgroup-v1/freezer-subsystem.rst), so there it is polled, in steps that grow from 1 to 16 ms: the one wait of this
 * folder that a clock drives.  */
#include "cgroup/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

enum
{
  STATE_SIZE = 32,
  EVENTS_SIZE = 256,
  STEP_MAX_MS = 16,
};

/* ---- waiting ---------------------------------------------------------------------------------------------------- */

/* Waits for the file FD, one of those that notify, to change, at most TIMEOUT_MS.  0, also when it did not.  */
static int
wait_change (int fd, int timeout_ms)
{
  struct pollfd poll_fd = { .fd = fd, .events = POLLPRI };
  return poll (&poll_fd, 1, timeout_ms) < 0 && errno != EINTR ? -errno : 0;
}

int
cgroup_find_key (const char *text, const char *key)
{
  size_t length = strlen (key);
  for (const char *line = text; *line != '\0'; line += strcspn (line, "\n"), line += *line == '\n')
    if (strncmp (line, key, length) == 0 && line[length] == ' ')
      return atoi (line + length + 1);
  return -ENODATA;
}

int
cgroup_read_key (int dirfd, const char *name, const char *key)
{
  char text[EVENTS_SIZE];
  ssize_t length = fd_read_file_at (dirfd, name, text, sizeof text);
  return length < 0 ? (int) length : cgroup_find_key (text, key);
}

int
cgroup_wait_event (int dir, const char *key, int value, int64_t deadline)
{
  FD_CLEANUP int fd = openat (dir, "cgroup.events", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0)
    return -errno;
  for (int step = 1;; step = step <= STEP_MAX_MS ? step * 2 : step)
    {
      /* The read is also what arms the next notification.  */
      char text[EVENTS_SIZE];
      ssize_t length = pread (fd, text, sizeof text - 1, 0);
      if (length < 0)
        return -errno;
      text[length] = '\0';
      int now = cgroup_find_key (text, key);
      if (now < 0 || now == value)
        return now < 0 ? now : 0;
      /* Whoever kills all may have thawed what then never freezes.  */
      if (cgroup_find_key (text, "populated") == 0)
        return 0;
      /* The kernel holds an event back for 10 ms after the one before it (CGROUP_FILE_NOTIFY_MIN_INTV).  */
      int left = clock_left (deadline);
      int r = wait_change (fd, step <= STEP_MAX_MS && step < left ? step : left);
      if (r < 0)
        return r;
      if (left == 0)
        return -ETIMEDOUT;
    }
}

/* ---- v2 --------------------------------------------------------------------------------------------------------- */

/* Whether a cgroup above DIR is to stand still.  Each is asked what was written to it: "frozen" in cgroup.events is 0
 * for as long as one of its processes is on its way out.  What a cgroup namespace hides has frozen us, too.  */
static bool
is_frozen_above (int dir)
{
  FD_CLEANUP int at = openat (dir, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
  char text[STATE_SIZE];
  while (at >= 0 && cgroup_go (&at, "..") == 0 && fd_read_file_at (at, "cgroup.freeze", text, sizeof text) > 0)
    if (text[0] == '1')
      return true;
  return false; /* the root has no such file */
}

static int
freeze_v2 (const struct cgroup_dir *dir, bool frozen, int timeout_ms, struct error *err)
{
  int r = fd_write_file_at (dir->fd, "cgroup.freeze", frozen ? "1" : "0");
  if (r < 0)
    return error_sys (err, r, "write %s/cgroup.freeze", dir->path);
  if (!frozen && is_frozen_above (dir->fd))
    return error_set (err, EBUSY, "%s is thawed, but a cgroup above it is frozen", dir->path);

  r = cgroup_wait_event (dir->fd, "frozen", frozen, clock_ms () + timeout_ms);
  if (r == 0)
    return 0;
  if (r == -ETIMEDOUT)
    {
      if (frozen)
        fd_write_file_at (dir->fd, "cgroup.freeze", "0");
      r = error_set (err, ETIMEDOUT, "%s did not %s within %d ms", dir->path, frozen ? "freeze" : "thaw", timeout_ms);
      if (frozen)
        error_hint (err,
                    "one of its processes does not stop, perhaps in uninterruptible sleep (D); it is thawed again");
      return r;
    }
  return error_sys (err, r, "wait for %s/cgroup.events", dir->path);
}

/* ---- v1 --------------------------------------------------------------------------------------------------------- */

bool
cgroup_parent_freezing (const struct cgroup_dir *dir)
{
  char text[STATE_SIZE];
  return fd_read_file_at (dir->fd, "freezer.parent_freezing", text, sizeof text) > 0 && text[0] == '1';
}

static int
freeze_v1 (const struct cgroup_dir *dir, bool frozen, int timeout_ms, struct error *err)
{
  const char *wanted = frozen ? "FROZEN" : "THAWED";
  char state[STATE_SIZE] = "";
  int64_t deadline = clock_ms () + timeout_ms;
  for (int step = 1;; step = step < STEP_MAX_MS ? step * 2 : step)
    {
      int r = fd_write_file_at (dir->fd, "freezer.state", wanted);
      ssize_t length = r < 0 ? r : fd_read_file_at (dir->fd, "freezer.state", state, sizeof state);
      if (length < 0)
        return error_sys (err, (int) length, "%s %s", frozen ? "freeze" : "thaw", dir->path);
      if (strncmp (state, wanted, strlen (wanted)) == 0)
        return 0;
      if (!frozen && cgroup_parent_freezing (dir))
        return error_set (err, EBUSY, "%s is thawed, but a cgroup above it is frozen", dir->path);
      int left = clock_left (deadline);
      if (left == 0)
        break;
      poll (NULL, 0, step < left ? step : left);
    }
  if (frozen)
    fd_write_file_at (dir->fd, "freezer.state", "THAWED");
  state[strcspn (state, "\n")] = '\0';
  int r = error_set (err, ETIMEDOUT, "%s did not %s within %d ms: freezer.state is %s", dir->path,
                     frozen ? "freeze" : "thaw", timeout_ms, state);
  if (frozen)
    error_hint (err, "one of its processes does not stop, perhaps in uninterruptible sleep (D); it is thawed again");
  return r;
}

/* ---- which ------------------------------------------------------------------------------------------------------ */

/* The directory with which to freeze: v2 where its kernel can, else the v1 freezer.  */
static struct cgroup_dir *
freezer_dir (struct cgroup *cgroup)
{
  int v2 = cgroup->places.v2, v1 = cgroup_v1_index (cgroup->host, "freezer");
  if (v2 >= 0)
    {
      int fd = cgroup_dir_fd (cgroup, (size_t) v2);
      if (fd >= 0 && (v1 < 0 || faccessat (fd, "cgroup.freeze", F_OK, 0) == 0))
        return &cgroup->dirs[v2];
    }
  return v1 >= 0 && cgroup_dir_fd (cgroup, (size_t) v1) >= 0 ? &cgroup->dirs[v1] : NULL;
}

int
cgroup_freeze (struct cgroup *cgroup, bool frozen, int timeout_ms, struct error *err)
{
  if (!cgroup->placed)
    return error_set (err, ENOENT, "the container has no cgroup %s", cgroup->path);
  const struct cgroup_dir *dir = freezer_dir (cgroup);
  if (dir == NULL)
    {
      int r = error_set (err, EOPNOTSUPP, "cannot freeze: cgroup %s has no directory in a v2 or freezer hierarchy",
                         cgroup->path);
      error_hint (err, "mount the v1 freezer or cgroup v2 below " CGROUP_ROOT);
      return r;
    }
  return dir->hierarchy->v2 ? freeze_v2 (dir, frozen, timeout_ms, err) : freeze_v1 (dir, frozen, timeout_ms, err);
}

int
cgroup_let_die (struct cgroup *cgroup, int timeout_ms, struct error *err)
{
  const struct cgroup_dir *dir = cgroup->placed ? freezer_dir (cgroup) : NULL;
  if (dir == NULL || dir->hierarchy->v2 || !cgroup_is_frozen (cgroup))
    return 0;
  return freeze_v1 (dir, false, timeout_ms, err);
}

bool
cgroup_is_frozen (struct cgroup *cgroup)
{
  const struct cgroup_dir *dir = cgroup->placed ? freezer_dir (cgroup) : NULL;
  if (dir == NULL)
    return false;
  char text[STATE_SIZE];
  const char *file = dir->hierarchy->v2 ? "cgroup.freeze" : "freezer.self_freezing";
  return fd_read_file_at (dir->fd, file, text, sizeof text) > 0 && text[0] == '1';
}
