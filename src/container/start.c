/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* start: the word to init that the program may run, and how that went.
 *
 * init waits on the control socket.  It sends the descriptor of its report, gets START, runs the startContainer hooks
 * and executes the program, by which the connection is closed.  That is all that is seen of a success; the report says
 * whether it was one.  See plan/wire.h.  */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "container/container.h"
#include "container/launch.h"
#include "container/notify.h"
#include "container/state.h"
#include "container/store.h"
#include "plan/wire.h"

enum
{
  INIT_TIMEOUT = 10 /* seconds for init to answer */
};

static int
check_startable (const struct store_entry *entry, const struct container_state *state, bool created, int *ret_pidfd,
                 struct error *err)
{
  FD_CLEANUP int pidfd = -1;
  int r = state_open_process (state, &pidfd, err);
  if (r < 0)
    return r;
  enum thole_status status = state_stage (entry, created, pidfd >= 0);
  if (pidfd < 0 || status == THOLE_STOPPED)
    return error_set (err, EINVAL, "cannot start a container that has stopped");
  if (status == THOLE_RUNNING)
    return error_set (err, EINVAL, "cannot start an already running container");
  if (status != THOLE_CREATED)
    return error_set (err, EINVAL, "cannot start a container that is %s", state_status_name (status));
  if (!state->process)
    return error_set (err, EINVAL, "%s: process is missing: there is nothing to start", state->config);
  *ret_pidfd = fd_take (&pidfd);
  return 0;
}

/* Nobody listens any more: whoever started the container was killed before it could take the socket away.  */
static int
already_started (const struct store_entry *entry, struct error *err)
{
  unlinkat (entry->fd, STORE_CONTROL, 0);
  return error_set (err, EINVAL, "cannot start an already running container");
}

/* Connects to init.  */
static int
connect_to_init (const struct store_entry *entry, int *ret_socket, struct error *err)
{
  FD_CLEANUP int fd = socket (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return error_sys (err, errno, "make a socket");
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  store_socket_path (entry->fd, STORE_CONTROL, address.sun_path);
  const struct timeval timeout = { .tv_sec = INIT_TIMEOUT }; /* of connect(2), too: unix(7) */
  if (setsockopt (fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) < 0
      || connect (fd, (struct sockaddr *) &address, sizeof address) < 0)
    return errno == ECONNREFUSED ? already_started (entry, err) : error_sys (err, errno, "connect to the waiting init");
  *ret_socket = fd_take (&fd);
  return 0;
}

static void
unmap_report (struct plan_report **report)
{
  if (*report != NULL)
    munmap (*report, sizeof **report);
}

/* Init's greeting brings its report.  */
static int
receive_report (int socket, struct plan_report **ret_report, struct error *err)
{
  int r = fd_wait_readable (socket, INIT_TIMEOUT * 1000);
  if (r == -ETIMEDOUT)
    {
      error_set (err, ETIMEDOUT, "the waiting init has not answered for %d s", INIT_TIMEOUT);
      error_hint (err, "is its cgroup frozen?");
      return r;
    }
  struct plan_message message = { 0 };
  FD_CLEANUP int report = -1;
  unsigned count = 0;
  ssize_t got = r < 0 ? r : fd_receive (socket, &message, sizeof message, &report, 1, &count);
  if (got < 0)
    return error_sys (err, (int) got, "receive from the waiting init");
  if (got == 0)
    return error_set (err, EPIPE, "the waiting init has ended");
  if (got != sizeof message || message.phase != PLAN_PHASE_READY || count != 1)
    return error_set (err, EPROTO, "the waiting init sent something unexpected");
  struct stat st;
  if (fstat (report, &st) < 0 || st.st_size < (off_t) sizeof **ret_report)
    return error_set (err, EIO, "the report of init is cut short");
  void *mapped = mmap (NULL, sizeof **ret_report, PROT_READ | PROT_WRITE, MAP_SHARED, report, 0);
  if (mapped == MAP_FAILED)
    return error_sys (err, errno, "map the report of init");
  *ret_report = mapped;
  return 0;
}

/* Waits until the connection is closed, by the program's execution or init's end.  A listener of the seccomp filter
 * that comes on the way is handed on.  */
static int
wait_for_program (struct arena *arena, const struct store_entry *entry, const struct container_state *state, int socket,
                  struct plan_report *report, int pidfd, struct error *err)
{
  int timeout_ms = state->start_timeout == 0 ? -1 : (int) state->start_timeout * 1000;
  for (;;)
    {
      struct plan_message message;
      int r = fd_wait_readable (socket, timeout_ms);
      if (r == -ETIMEDOUT)
        return error_set (err, ETIMEDOUT, "the program has not been executed for %u s", state->start_timeout);
      ssize_t got = r < 0 ? r : fd_receive (socket, &message, sizeof message, NULL, 0, NULL);
      if (got == 0 || got == -ECONNRESET)
        return 0;
      if (got < 0)
        return error_sys (err, (int) got, "receive from init");
      if (got != sizeof message || message.phase != PLAN_PHASE_LISTENER)
        return error_set (err, EPROTO, "init sent something unexpected");
      r = launch_serve_saved (arena, entry, state, report, pidfd, err);
      if (r < 0 && r != -ECHILD) /* an init that ended is seen by the end of file, and its report says why */
        return r;
    }
}

/* Says START, which cannot be taken back: from then on the container is not `created` any more, whatever comes.  If
 * init has just ended, its report says why.  */
static int
say_start (const struct store_entry *entry, int socket, struct error *err)
{
  const struct plan_message start = { .phase = PLAN_PHASE_START };
  int r = fd_send (socket, &start, sizeof start, NULL, 0);
  if (r < 0 && r != -EPIPE)
    return error_sys (err, r, "send START to init");
  if (unlinkat (entry->fd, STORE_CONTROL, 0) < 0)
    return error_sys (err, errno, "remove the control socket");
  return 0;
}

/* Once the connection is closed REPORT tells how it went.  *RET_HOOK: it was a hook that failed.  */
static int
read_outcome (struct arena *arena, const struct store_entry *entry, const struct container_state *state,
              const struct plan_report *report, bool *ret_hook, struct error *err)
{
  *ret_hook = report->failure == PLAN_FAILURE_HOOK || report->failure == PLAN_FAILURE_HOOK_TIMEOUT;
  if (report->failure != PLAN_FAILURE_NONE || report->op != state->last_op)
    return launch_explain_saved (arena, entry, state, report, err);
  return 0;
}

/* After a failure that followed START: the end of the container where a hook failed (runtime.md#lifecycle, 7 and 9),
 * else it is stopped, and its caller's to delete.  */
static void
give_up (struct arena *arena, struct store_entry *entry, const struct container_state *state, int pidfd, bool hook)
{
  struct error err = { 0 };
  if (!hook)
    container_stop (arena, state, pidfd);
  else if (container_destroy (arena, entry, state, NULL, NULL, pidfd, &err) < 0)
    log_warning ("delete container %s: %s", state->id, err.message);
}

static int
start_locked (struct arena *arena, struct store_entry *entry, struct error *err)
{
  __attribute__ ((cleanup (unmap_report))) struct plan_report *report = NULL;
  __attribute__ ((cleanup (notify_close))) struct notify notify = NOTIFY_INIT;
  FD_CLEANUP int pidfd = -1, socket = -1;
  struct container_state state;
  bool created, hook = false;
  int r;
  /* What fails here changes nothing, and can be tried again.  */
  if ((r = state_read (arena, entry, &state, &created, err)) < 0
      || (r = check_startable (entry, &state, created, &pidfd, err)) < 0
      || (r = connect_to_init (entry, &socket, err)) < 0 || (r = receive_report (socket, &report, err)) < 0
      || (state.notify && (r = notify_listen (entry, &notify, err)) < 0))
    return r;

  if ((r = say_start (entry, socket, err)) == 0
      && (r = wait_for_program (arena, entry, &state, socket, report, pidfd, err)) == 0)
    r = read_outcome (arena, entry, &state, report, &hook, err);
  if (r == 0)
    {
      log_debug ("the program of container %s runs as process %d", state.id, (int) state.pid);
      r = container_poststart (arena, entry, &state, NULL, err);
      hook = r < 0;
    }
  if (r < 0)
    {
      give_up (arena, entry, &state, pidfd, hook);
      return r;
    }
  if (notify.socket >= 0)
    {
      /* That may take long, and others may work on the container.  */
      store_unlock (entry);
      notify_wait (&notify, state.pid, pidfd);
    }
  return 0;
}

int
container_start (const struct thole *thole, const char *id, struct error *err)
{
  ARENA_CLEANUP struct arena arena = { 0 };
  STORE_CLEANUP struct store store = STORE_INIT;
  STORE_ENTRY_CLEANUP struct store_entry entry = STORE_ENTRY_INIT;
  int r;
  if ((r = store_open (thole->root, false, true, &store, err)) < 0 || (r = store_lock (&store, id, &entry, err)) < 0)
    return r;
  return start_locked (&arena, &entry, err);
}
