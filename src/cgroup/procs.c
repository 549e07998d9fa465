/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The processes of a cgroup and of those below it.  */
#include "cgroup/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

struct pid_list
{
  struct arena *arena;
  pid_t *items;
  size_t count, capacity;
};

static void
add_pid (struct pid_list *list, pid_t pid)
{
  if (list->count == list->capacity)
    {
      list->capacity = list->capacity == 0 ? 64 : list->capacity * 2;
      pid_t *items = arena_array (list->arena, pid_t, list->capacity);
      if (list->count > 0)
        memcpy (items, list->items, list->count * sizeof *items);
      list->items = items;
    }
  list->items[list->count++] = pid;
}

/* Reads the cgroup.procs of the directory FD into DATA, a list.  Processes of pid namespaces that we do not see read as
 * 0.  */
static int
read_procs (int fd, void *data)
{
  struct pid_list *list = data;
  FD_CLEANUP int file = openat (fd, "cgroup.procs", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (file < 0)
    return -errno;
  char text[4096];
  pid_t pid = 0;
  for (;;)
    {
      ssize_t length = read (file, text, sizeof text);
      if (length < 0 && errno == EINTR)
        continue;
      /* A threaded cgroup has no processes of its own: they are listed where its domain begins.  */
      if (length < 0)
        return errno == EOPNOTSUPP ? 0 : -errno;
      if (length == 0)
        return 0;
      for (ssize_t i = 0; i < length; i++)
        if (text[i] >= '0' && text[i] <= '9')
          pid = pid * 10 + (text[i] - '0');
        else
          {
            if (pid > 0)
              add_pid (list, pid);
            pid = 0;
          }
    }
}

bool
cgroup_is_child (const struct dirent *entry)
{
  return entry->d_type == DT_DIR && strcmp (entry->d_name, ".") != 0 && strcmp (entry->d_name, "..") != 0;
}

/* Cgroups still to be read: NAME is DEPTH levels below the first.  */
struct pending
{
  const char *name;
  size_t depth;
  struct pending *next;
};

/* Puts the child cgroups of the directory FD, which will be at DEPTH, in front of QUEUE.  */
static int
queue_children (struct arena *arena, int fd, size_t depth, struct pending **queue)
{
  int dir_fd = openat (fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *dir = dir_fd < 0 ? NULL : fdopendir (dir_fd);
  if (dir == NULL)
    {
      int r = -errno;
      fd_close (dir_fd);
      return r;
    }
  for (struct dirent *entry; (entry = readdir (dir)) != NULL;)
    {
      if (!cgroup_is_child (entry))
        continue;
      struct pending *item = arena_new (arena, struct pending);
      *item = (struct pending){ .name = arena_strdup (arena, entry->d_name), .depth = depth, .next = *queue };
      *queue = item;
    }
  closedir (dir);
  return 0;
}

int
cgroup_go (int *fd, const char *name)
{
  int next = openat (*fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (next < 0)
    return -errno;
  fd_close (*fd);
  *fd = next;
  return 0;
}

/* Goes from the directory *FD at *DEPTH to ITEM, which is in it or in one above it.  */
static int
go_to (int *fd, size_t *depth, const struct pending *item)
{
  int r = 0;
  for (; r == 0 && *depth >= item->depth; --*depth)
    r = cgroup_go (fd, "..");
  if (r == 0)
    r = cgroup_go (fd, item->name);
  if (r == 0)
    *depth = item->depth;
  return r;
}

static int
visit (struct arena *arena, int fd, size_t depth, struct pending **queue, cgroup_visit_fn fn, void *data)
{
  int r = fn (fd, data);
  return r < 0 ? r : queue_children (arena, fd, depth + 1, queue);
}

/* One descriptor at a time, and one name: a container may nest deeper than we may open, or than a path is long.  */
int
cgroup_visit (int fd, cgroup_visit_fn fn, void *data)
{
  ARENA_CLEANUP struct arena arena = { 0 };
  struct pending *queue = NULL;
  size_t depth = 0;
  FD_CLEANUP int at = openat (fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
  int r = at < 0 ? -errno : visit (&arena, at, depth, &queue, fn, data);
  while (r == 0 && queue != NULL)
    {
      const struct pending *item = queue;
      queue = queue->next;
      r = go_to (&at, &depth, item);
      if (r == 0)
        r = visit (&arena, at, depth, &queue, fn, data);
      if (r == -ENOENT || r == -ENODEV) /* removed while we looked */
        r = 0;
    }
  return r;
}

int
cgroup_list_pids (struct arena *arena, int fd, pid_t **ret_pids, size_t *ret_count)
{
  struct pid_list list = { .arena = arena };
  int r = cgroup_visit (fd, read_procs, &list);
  if (r < 0)
    return r;
  *ret_pids = list.items;
  *ret_count = list.count;
  return 0;
}

int
cgroup_pids (struct arena *arena, struct cgroup *cgroup, pid_t **ret_pids, size_t *ret_count, struct error *err)
{
  int core = cgroup_core_index (cgroup->host);
  if (core < 0 || !cgroup->placed)
    return error_set (err, ENOENT, "the container has no cgroup %s", cgroup->path);
  int r = cgroup_dir_fd (cgroup, (size_t) core);
  if (r >= 0)
    r = cgroup_list_pids (arena, r, ret_pids, ret_count);
  return r < 0 ? error_sys (err, r, "read the processes of %s", cgroup->dirs[core].path) : 0;
}
