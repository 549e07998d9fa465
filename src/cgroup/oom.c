/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* News that memory ran out in a cgroup.
 *
 * v1 (cgroup-v1/memory.rst, 10): an eventfd that is registered with memory.oom_control; it also fires when the cgroup
 * is removed.  v2: memory.events notifies when one of its counters changes, and oom_kill is the one that counts.  */
#include "cgroup/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/fd.h"

#define V1_FILE "memory.oom_control"
#define V1_REGISTER "cgroup.event_control"
#define V2_FILE "memory.events"

enum
{
  EVENTS_SIZE = 512
};

static int
register_eventfd (int dir, int eventfd)
{
  FD_CLEANUP int control = openat (dir, V1_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (control < 0)
    return -errno;
  char line[32];
  snprintf (line, sizeof line, "%d %d", eventfd, control);
  return fd_write_file_at (dir, V1_REGISTER, line);
}

static int
open_v1 (struct cgroup *cgroup, int dir, struct cgroup_oom *ret_oom, struct error *err)
{
  FD_CLEANUP int fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  int r = fd < 0 ? -errno : register_eventfd (dir, fd);
  if (r < 0)
    return error_sys (err, r, "watch %s/" V1_FILE, cgroup->dirs[cgroup->places.v1[CGROUP_MEMORY]].path);
  *ret_oom = (struct cgroup_oom){ .fd = fd_take (&fd), .events = POLLIN };
  return 0;
}

/* The present count, read from FD, which thereby notifies of the next change.  */
static uint64_t
killed (int fd)
{
  char text[EVENTS_SIZE];
  ssize_t length = pread (fd, text, sizeof text - 1, 0);
  if (length < 0)
    return 0;
  text[length] = '\0';
  int count = cgroup_find_key (text, "oom_kill");
  return count > 0 ? (uint64_t) count : 0;
}

int
cgroup_oom_open (struct cgroup *cgroup, struct cgroup_oom *ret_oom, struct error *err)
{
  int v1 = cgroup->places.v1[CGROUP_MEMORY], index = v1 >= 0 ? v1 : cgroup->places.v2;
  int dir = index >= 0 ? cgroup_dir_fd (cgroup, (size_t) index) : -ENOENT;
  *ret_oom = (struct cgroup_oom) CGROUP_OOM_INIT;
  if (dir < 0)
    return dir == -ENOENT ? 0 : error_sys (err, dir, "open cgroup %s", cgroup->dirs[index].path);
  if (v1 >= 0)
    return open_v1 (cgroup, dir, ret_oom, err);
  int fd = openat (dir, V2_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0)
    return errno == ENOENT ? 0 : error_sys (err, errno, "open %s/" V2_FILE, cgroup->dirs[index].path);
  *ret_oom = (struct cgroup_oom){ .fd = fd, .events = POLLPRI, .count = killed (fd) };
  return 0;
}

bool
cgroup_oom_happened (struct cgroup *cgroup, struct cgroup_oom *oom)
{
  if (oom->fd < 0)
    return false;
  if (oom->events == POLLIN)
    {
      uint64_t times;
      int dir = cgroup->dirs[cgroup->places.v1[CGROUP_MEMORY]].fd;
      return read (oom->fd, &times, sizeof times) == (ssize_t) sizeof times
             && faccessat (dir, V1_REGISTER, F_OK, 0) == 0;
    }
  uint64_t count = killed (oom->fd);
  bool more = count > oom->count;
  oom->count = count;
  return more;
}

void
cgroup_oom_close (struct cgroup_oom *oom)
{
  oom->fd = fd_close (oom->fd);
}
