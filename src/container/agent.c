/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/agent.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/strbuf.h"
#include "base/syscalls.h"
#include "container/peer.h"
#include "container/state.h"
#include "plan/wire.h"
#include "spec/spec.h"

#define AGENT_TIMEOUT_S 10

static const char *
process_state (struct arena *arena, const struct spec_seccomp *profile, const struct container_state *state, pid_t pid)
{
  struct strbuf out = STRBUF_INIT (arena);
  struct json_writer w = { .out = &out };

  json_object_begin (&w, NULL);
  json_string (&w, "ociVersion", SPEC_VERSION);
  json_array_begin (&w, "fds");
  json_string (&w, NULL, "seccompFd");
  json_array_end (&w);
  json_integer (&w, "pid", pid);
  if (profile->listener_metadata)
    json_string (&w, "metadata", profile->listener_metadata);
  json_raw (&w, "state",
            state_hook_json (arena, state, pid == state->pid ? THOLE_CREATING : THOLE_RUNNING, state->pid));
  json_object_end (&w);
  return strbuf_text (&out);
}

/* Waits for the listener while init lives, AGENT_TIMEOUT_S at most.  */
static int
take_listener (struct plan_report *report, int pidfd, int *ret_listener, struct error *err)
{
  struct timespec begin, now;
  uint32_t listener;
  int fd;

  clock_gettime (CLOCK_MONOTONIC, &begin);
  /* It takes init the time to load a filter.  Init may make no system call to wake us, so we look again and again.  */
  while (!(listener = __atomic_load_n (&report->listener, __ATOMIC_ACQUIRE)))
    {
      clock_gettime (CLOCK_MONOTONIC, &now);
      if (fd_wait_readable (pidfd, 0) == 0)
        return error_set (err, ECHILD, "init ended while it loaded the seccomp filter");
      if (now.tv_sec - begin.tv_sec > AGENT_TIMEOUT_S)
        return error_set (err, ETIMEDOUT, "init has not loaded the seccomp filter in %d s", AGENT_TIMEOUT_S);
      sched_yield ();
    }
  fd = sys_pidfd_getfd (pidfd, (int) listener - 1, 0);
  if (fd < 0)
    return error_sys (err, errno, "take the listener of the seccomp filter from init");
  __atomic_store_n (&report->listener_taken, 1, __ATOMIC_RELEASE);
  *ret_listener = fd;
  return 0;
}

static int
pass_on (struct arena *arena, const struct spec *spec, const struct container_state *state, pid_t pid, int notify,
         struct error *err)
{
  const struct spec_seccomp *profile = spec->linux_->seccomp;
  const char *text = process_state (arena, profile, state, pid);
  int result = peer_send ("the seccomp agent at", profile->listener_path, text, strlen (text), notify, err);

  return result < 0 ? error_context (err, "%s", spec_where (arena, spec, &profile->listener_path)) : 0;
}

int
agent_serve (struct arena *arena, const struct spec *spec, const struct container_state *state, pid_t pid,
             struct plan_report *report, int pidfd, struct error *err)
{
  FD_CLEANUP int notify = -1;
  int result = take_listener (report, pidfd, &notify, err);

  return result < 0 ? result : pass_on (arena, spec, state, pid, notify, err);
}
