/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* events: what a container uses, at intervals, and news that memory ran out, until it ends.  */
#include <errno.h>
#include <poll.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/strbuf.h"
#include "cgroup/cgroup.h"
#include "container/container.h"
#include "container/state.h"
#include "container/stats.h"

struct watch
{
  const struct container_state *state;
  struct cgroup *cgroup;
  struct cgroup_oom oom;
  int pidfd;
  unsigned interval_ms;
  thole_event_fn take;
  void *data;
};

/* Each event has an arena of its own: this may go on for months.  */
static int
give_stats (const struct watch *watch)
{
  ARENA_CLEANUP struct arena arena = { 0 };
  return watch->take (watch->data, stats_event (&arena, watch->state, watch->cgroup));
}

static int
give_oom (struct watch *watch)
{
  ARENA_CLEANUP struct arena arena = { 0 };
  if (!cgroup_oom_happened (watch->cgroup, &watch->oom))
    return 0;
  struct strbuf out = STRBUF_INIT (&arena);
  struct json_writer w = { .out = &out };
  json_object_begin (&w, NULL);
  json_string (&w, "type", "oom");
  json_string (&w, "id", watch->state->id);
  json_object_end (&w);
  return watch->take (watch->data, strbuf_text (&out));
}

static int
follow (struct watch *watch, struct error *err)
{
  enum
  {
    PROCESS,
    OOM,
    COUNT
  };
  int64_t next = clock_ms ();
  for (;;)
    {
      struct pollfd fds[COUNT] = {
        [PROCESS] = { .fd = watch->pidfd, .events = POLLIN },
        [OOM] = { .fd = watch->oom.fd, .events = watch->oom.events },
      };
      int r = poll (fds, COUNT, clock_left (next));
      if (r < 0 && errno != EINTR)
        return error_sys (err, errno, "wait for events");
      /* Also at the end: the first process may be what was killed.  */
      r = give_oom (watch);
      if (r < 0 || (fds[PROCESS].revents & POLLIN) != 0)
        return r;
      if (clock_ms () < next)
        continue;
      r = give_stats (watch);
      if (r < 0)
        return r;
      next = clock_ms () + watch->interval_ms;
    }
}

int
container_events (const struct thole *thole, const char *id, unsigned interval_ms, thole_event_fn take, void *data,
                  struct error *err)
{
  ARENA_CLEANUP struct arena arena = { 0 };
  FD_CLEANUP int pidfd = -1;
  struct container_state state;
  struct cgroup *cgroup;
  if (interval_ms == 0)
    return error_set (err, EINVAL, "the interval must be more than 0");
  int r = stats_open (&arena, thole, id, &state, &cgroup, &pidfd, err);
  if (r < 0)
    return r;
  struct watch watch = {
    .state = &state,
    .cgroup = cgroup,
    .oom = CGROUP_OOM_INIT,
    .pidfd = pidfd,
    .interval_ms = interval_ms,
    .take = take,
    .data = data,
  };
  r = cgroup_oom_open (cgroup, &watch.oom, err);
  if (r == 0)
    r = follow (&watch, err);
  cgroup_oom_close (&watch.oom);
  cgroup_close (cgroup);
  return r;
}
