/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a container uses, as one line of JSON in runc's shape.  */
#include "container/stats.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/strbuf.h"
#include "cgroup/cgroup.h"
#include "container/container.h"
#include "container/state.h"
#include "container/store.h"
#include "rdt/rdt.h"

enum
{
  NET_DEV_SIZE = 256 * 1024, /* some 120 bytes an interface */
};

/* Whether process PID has a network namespace of its own: the host's counters are not the container's.  */
static bool
has_network (pid_t pid)
{
  char path[32];
  struct stat ours, its;
  snprintf (path, sizeof path, "/proc/%d/ns/net", (int) pid);
  return stat (path, &its) == 0 && stat ("/proc/self/ns/net", &ours) == 0
         && (its.st_ino != ours.st_ino || its.st_dev != ours.st_dev);
}

/* LINE of /proc/PID/net/dev (proc_pid_net(5)): "eth0: BYTES PACKETS ERRORS DROPPED fifo frame compressed multicast" of
 * what was received, and the same of what was sent.  */
static void
write_interface (struct json_writer *w, const char *line)
{
  static const char *const names[]
      = { "RxBytes", "RxPackets", "RxErrors", "RxDropped", "TxBytes", "TxPackets", "TxErrors", "TxDropped" };
  char name[32];
  unsigned long long n[8];
  if (sscanf (line, " %31[^:]: %llu %llu %llu %llu %*u %*u %*u %*u %llu %llu %llu %llu", name, &n[0], &n[1], &n[2],
              &n[3], &n[4], &n[5], &n[6], &n[7])
      != 9)
    return;
  json_object_begin (w, NULL);
  json_string (w, "Name", name);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    json_unsigned (w, names[i], n[i]);
  json_object_end (w);
}

static void
write_network (struct arena *arena, struct json_writer *w, pid_t pid)
{
  const char *path = arena_printf (arena, "/proc/%d/net/dev", (int) pid);
  char *text = arena_alloc (arena, NET_DEV_SIZE);
  json_array_begin (w, "network_interfaces");
  if (has_network (pid) && fd_read_file_at (AT_FDCWD, path, text, NET_DEV_SIZE) > 0)
    for (char *line; (line = strsep (&text, "\n")) != NULL;)
      write_interface (w, line);
  json_array_end (w);
}

const char *
stats_event (struct arena *arena, const struct container_state *state, struct cgroup *cgroup)
{
  struct strbuf out = STRBUF_INIT (arena);
  struct json_writer w = { .out = &out };
  json_object_begin (&w, NULL);
  json_string (&w, "type", "stats");
  json_string (&w, "id", state->id);
  json_object_begin (&w, "data");
  cgroup_stats (arena, cgroup, &w);
  json_object_begin (&w, "intel_rdt");
  rdt_stats (arena, &state->rdt, &w);
  json_object_end (&w);
  write_network (arena, &w, state->pid);
  json_object_end (&w);
  json_object_end (&w);
  return strbuf_text (&out);
}

int
stats_open (struct arena *arena, const struct thole *thole, const char *id, struct container_state *ret_state,
            struct cgroup **ret_cgroup, int *ret_pidfd, struct error *err)
{
  STORE_CLEANUP struct store store = STORE_INIT;
  STORE_ENTRY_CLEANUP struct store_entry entry = STORE_ENTRY_INIT;
  FD_CLEANUP int pidfd = -1;
  bool created;
  int r;
  if ((r = store_open (thole->root, false, true, &store, err)) < 0 || (r = store_find (&store, id, &entry, err)) < 0
      || (r = state_read (arena, &entry, ret_state, &created, err)) < 0
      || (r = state_open_process (ret_state, &pidfd, err)) < 0)
    return r;
  if (pidfd < 0 || !created)
    return error_set (err, ESRCH, "container with id %s is not running", ret_state->id);
  r = container_need_cgroup (arena, ret_state, ret_cgroup, err);
  if (r == 0)
    *ret_pidfd = fd_take (&pidfd);
  return r;
}

int
container_stats (struct arena *arena, const struct thole *thole, const char *id, const char **ret_json,
                 struct error *err)
{
  FD_CLEANUP int pidfd = -1;
  struct container_state state;
  struct cgroup *cgroup;
  int r = stats_open (arena, thole, id, &state, &cgroup, &pidfd, err);
  if (r < 0)
    return r;
  *ret_json = stats_event (arena, &state, cgroup);
  cgroup_close (cgroup);
  return 0;
}
