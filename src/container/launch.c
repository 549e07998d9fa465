/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "base/syscalls.h"
#include "container/agent.h"
#include "container/birth.h"
#include "container/container.h"
#include "container/hooks.h"
#include "container/id_map.h"
#include "container/opened.h"
#include "container/state.h"
#include "container/store.h"
#include "seccomp/seccomp.h"
#include "spec/names.h"
#include "spec/spec.h"

/* How long init may work on one operation.  Hooks have deadlines of their own, from the config.  */
#define STEP_TIMEOUT_MS 60000

/* The files that hooks in the container write to.  */
static int
open_hook_logs (struct launch *launch, struct error *err)
{
  int result;

  if (!plan_find (launch->plan, PLAN_HOOK, 0))
    return 0;
  result = hooks_open_log (launch->spec, SPEC_ANNOTATION_HOOKS_STDOUT, &launch->fds[PLAN_FD_HOOK_STDOUT], err);
  return result < 0
             ? result
             : hooks_open_log (launch->spec, SPEC_ANNOTATION_HOOKS_STDERR, &launch->fds[PLAN_FD_HOOK_STDERR], err);
}

int
launch_prepare (struct arena *arena, struct launch *launch, struct plan *plan, const struct spec *spec,
                struct error *err)
{
  int result;

  *launch = (struct launch) LAUNCH_INIT;
  launch->plan = plan;
  launch->spec = spec;
  launch->fds = (int32_t *) (void *) ((char *) plan->header + plan->header->fds);
  for (uint32_t i = 0; i < plan->header->fd_count; i++)
    launch->fds[i] = -1;
  result = open_hook_logs (launch, err);
  if (result == 0)
    result = opened_fill (arena, spec, plan, launch->fds, err);
  if (result < 0)
    return result;
  launch->report_fd = memfd_create ("report", MFD_CLOEXEC);
  if (launch->report_fd < 0 || ftruncate (launch->report_fd, sizeof *launch->report) < 0)
    return error_sys (err, errno, "make the report");
  launch->report
      = mmap (NULL, sizeof *launch->report, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, launch->report_fd, 0);
  if (launch->report == MAP_FAILED)
    {
      launch->report = NULL;
      return error_sys (err, errno, "map the report");
    }
  return 0;
}

/* Keeps the network namespace that is joined: its path may lead elsewhere by now.  */
static void
keep_network (struct launch *launch)
{
  const struct plan_op *join;

  if (!launch->spec->linux_ || !launch->spec->linux_->net_devices.count)
    return;
  for (size_t i = 0; (join = plan_find (launch->plan, PLAN_JOIN, i)) != NULL; i++)
    if (join->ns.flags == CLONE_NEWNET)
      launch->network = fd_take (&launch->fds[join->ns.fd]);
}

int
launch_open_network (const struct launch *launch, int *ret_fd, struct error *err)
{
  char path[64];
  int fd;

  snprintf (path, sizeof path, "/proc/%d/ns/net", (int) launch->pid);
  fd = launch->network >= 0 ? fcntl (launch->network, F_DUPFD_CLOEXEC, 3) : open (path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return error_sys (err, errno, "open the container's network namespace");
  *ret_fd = fd;
  return 0;
}

/* Closes what was opened for single operations: init has it.  */
static void
close_opened (struct launch *launch)
{
  for (uint32_t i = PLAN_FD_HOOK_STDOUT; launch->fds && i < launch->plan->header->fd_count; i++)
    launch->fds[i] = fd_close (launch->fds[i]);
}

/* Opens a pidfd of the process that init said it has forked, which takes its place.  */
static int
adopt (struct arena *arena, struct launch *launch, struct error *err)
{
  struct plan_message message = { 0 };
  ssize_t n;
  int result = fd_wait_readable (launch->control, STEP_TIMEOUT_MS);

  if (result < 0)
    return error_sys (err, result, "wait for init to fork");
  n = fd_receive (launch->control, &message, sizeof message, NULL, 0, NULL);
  if (n < 0 && n != -ECONNRESET)
    return error_sys (err, (int) n, "hear from init");
  if (n != sizeof message || message.phase != PLAN_PHASE_FORKED || message.value <= 0)
    return launch_expect (arena, launch, PLAN_PHASE_FORKED, NULL, err);
  launch->forker = launch->pid;
  launch->forker_pidfd = launch->pidfd;
  launch->pid = message.value;
  launch->adopted = true;
  launch->pidfd = sys_pidfd_open (launch->pid, 0);
  return launch->pidfd < 0 ? error_sys (err, errno, "open a pidfd of init") : 0;
}

/* The ids that the config maps are written where its user namespace is new, else compared.  */
static int
give_identity (struct arena *arena, struct launch *launch, struct error *err)
{
  int result = spec_creates (launch->spec, CLONE_NEWUSER)
                   ? id_map_write (arena, launch->pid, launch->spec, &launch->spec->linux_->uid_mappings,
                                   &launch->spec->linux_->gid_mappings, launch->plan->id_map, err)
                   : id_map_check (arena, launch->pid, launch->spec, err);

  return result < 0 ? result : launch_send (launch, PLAN_PHASE_IDENTITY, -1, err);
}

int
launch_start (struct launch *launch, int listener, int cgroup, int scratch, bool *ret_cloned, struct error *err)
{
  FD_CLEANUP int theirs = -1;
  struct birth birth = { .flags = launch->plan->clone_flags, .cgroup = cgroup, .report = launch->report, .pidfd = -1 };
  int pair[2], result;

  if (socketpair (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
    return error_sys (err, errno, "make a socket pair");
  launch->control = fd_close (launch->control); /* of a try that failed */
  launch->control = birth.control = pair[0];
  theirs = pair[1];
  launch->fds[PLAN_FD_REPORT] = launch->report_fd;
  launch->fds[PLAN_FD_CONTROL] = theirs;
  launch->fds[PLAN_FD_LISTENER] = listener;
  result = birth_give (&birth, launch->plan->header, scratch, err);
  if (result < 0)
    return result;
  launch->pid = birth.pid;
  launch->pidfd = birth.pidfd;
  *ret_cloned = birth.in_cgroup;
  keep_network (launch);
  close_opened (launch);
  theirs = fd_close (theirs); /* so that its end is init's alone, and closes with it */
  return 0;
}

int
launch_meet (struct arena *arena, struct launch *launch, struct error *err)
{
  bool forks = plan_find (launch->plan, PLAN_FORK, 0) != NULL;
  bool born = launch->plan->clone_flags & CLONE_NEWUSER; /* in its user namespace, before it forks */
  int result;

  if (born && (result = give_identity (arena, launch, err)) < 0)
    return result;
  if (forks && (result = adopt (arena, launch, err)) < 0)
    return result;
  if (born || !launch->plan->gives_ids)
    return 0;
  result = launch_expect (arena, launch, PLAN_PHASE_IDENTITY, NULL, err);
  return result < 0 ? result : give_identity (arena, launch, err);
}

int
launch_take_cpus (const struct launch *launch, struct error *err)
{
  unsigned char all[8192 / 8];

  memset (all, 0xff, sizeof all);
  if (sched_setaffinity (launch->pid, sizeof all, (const cpu_set_t *) all) < 0 && errno != ESRCH)
    return error_sys (err, -errno, "give init the CPUs of its cgroup");
  return 0;
}

static const struct plan_op *
op_at (const struct launch *launch, uint32_t index)
{
  return (const struct plan_op *) (const void *) ((const char *) launch->plan->header + launch->plan->header->ops)
         + index;
}

/* The phase that init waits for in OP, or 0.  */
static uint32_t
awaited_phase (const struct plan_op *op)
{
  return op->code == PLAN_SYNC && op->sync.wait ? op->sync.phase : op->code == PLAN_READY ? PLAN_PHASE_START : 0;
}

int
launch_send (struct launch *launch, enum plan_phase phase, int fd, struct error *err)
{
  launch->done |= 1u << phase;
  if (fd >= 0)
    launch->filter = fd;
  /* Init takes them in the order of its plan, so what is done early stays here until its turn comes.  */
  for (; launch->sent < launch->plan->header->count; launch->sent++)
    {
      struct plan_message message = { .phase = awaited_phase (op_at (launch, launch->sent)) };
      int result;

      if (!message.phase)
        continue;
      if (!(launch->done & (1u << message.phase)))
        break;
      result = fd_send (launch->control, &message, sizeof message, &launch->filter, message.phase == PLAN_PHASE_FILTER);
      if (result < 0 && result != -EPIPE && result != -ECONNRESET)
        return error_sys (err, result, "send to init");
    }
  return 0;
}

/* The compiled filters are kept in the root of the store, below a name that no container can have.  */
int
launch_filter (struct arena *arena, struct launch *launch, const struct store *store, struct error *err)
{
  const struct spec_seccomp *profile = launch->spec->linux_ ? launch->spec->linux_->seccomp : NULL;
  struct seccomp_filter filter = { .fd = -1 };
  FD_CLEANUP int cache = -1;
  int result;

  if (!profile || !launch->spec->process)
    return 0;
  if (mkdirat (store->fd, ".seccomp", 0700) == 0 || errno == EEXIST)
    cache = openat (store->fd, ".seccomp", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  result = seccomp_compile (arena, launch->spec, profile, cache, &filter, err);
  return result < 0 ? result : launch_send (launch, PLAN_PHASE_FILTER, filter.fd, err);
}

/* Who is killed by SIGKILL in a container with a memory limit has most likely met that.  */
static const char *
memory_limit (struct arena *arena, const struct spec *spec, int sig)
{
  const struct spec_memory *memory = spec->linux_ && spec->linux_->resources ? spec->linux_->resources->memory : NULL;

  return sig == SIGKILL && memory && memory->limit.set && memory->limit.value >= 0
             ? arena_printf (arena, "; is the memory limit of %" PRId64 " bytes too small?", memory->limit.value)
             : "";
}

/* The operation that init is at.  Whoever may trace init can write to the report at any time: what is compared must be
 * what is used.  */
static uint32_t
current_op (const struct launch *launch)
{
  return __atomic_load_n (&launch->report->op, __ATOMIC_RELAXED);
}

int
launch_explain_death (struct arena *arena, struct launch *launch, struct error *err)
{
  const struct plan_report *report = launch->report;
  const char *where;
  uint32_t op;
  int status = 0;

  if (fd_wait_readable (launch->pidfd, STEP_TIMEOUT_MS) == 0 && waitpid (launch->pid, &status, 0) == launch->pid)
    launch->pid = 0;
  if (__atomic_load_n (&report->failure, __ATOMIC_ACQUIRE) != PLAN_FAILURE_NONE)
    return plan_explain (arena, launch->plan, launch->spec, report, err);
  op = current_op (launch);
  if (op >= launch->plan->header->count)
    return error_set (err, EPROTO, "init has gone");
  where = plan_origin_text (arena, launch->spec, launch->plan->origins[op]);
  if (!WIFSIGNALED (status))
    return error_set (err, ECHILD, "%sinit exited with status %d while it was to %s", where, WEXITSTATUS (status),
                      plan_op_phrase (arena, launch->plan, op_at (launch, op)));
  error_set (err, ECHILD, "%sinit was killed by signal %d while it was to %s%s", where, WTERMSIG (status),
             plan_op_phrase (arena, launch->plan, op_at (launch, op)),
             memory_limit (arena, launch->spec, WTERMSIG (status)));
  return -ECHILD;
}

/* How long init may take for OP.  A hook without a timeout may take for ever.  */
static int64_t
patience_ms (const struct plan_op *op)
{
  if (op->code != PLAN_HOOK)
    return STEP_TIMEOUT_MS;
  return op->hook.timeout ? (int64_t) op->hook.timeout * 1000 + STEP_TIMEOUT_MS : INT64_MAX;
}

/* Waits for a message, or end of file.  As long as init goes on from one operation to the next it has time.  */
static int
wait_message (struct arena *arena, struct launch *launch, struct error *err)
{
  uint32_t before = current_op (launch);
  int64_t waited_ms = 0; /* while init was at operation BEFORE */

  for (;;)
    {
      int result = fd_wait_readable (launch->control, STEP_TIMEOUT_MS);
      uint32_t op = current_op (launch);

      if (result == 0)
        return 0;
      if (result != -ETIMEDOUT)
        return error_sys (err, result, "wait for init");
      waited_ms = op == before ? waited_ms + STEP_TIMEOUT_MS : 0;
      if (op < launch->plan->header->count && waited_ms >= patience_ms (op_at (launch, op)))
        return error_set (err, ETIMEDOUT, "init has not finished in %d seconds: %s", (int) (waited_ms / 1000),
                          plan_op_text (arena, launch->plan, op));
      before = op;
    }
}

/* The last step of who has forked is to exit; but whoever can freeze his cgroup could keep him from that.  He is buried
 * where we have to wait in any case, since what comes before that is what the one he has forked waits for.  */
static int
bury_forker (struct launch *launch, struct error *err)
{
  int result;

  if (!launch->forker)
    return 0;
  result = fd_wait_readable (launch->forker_pidfd, STEP_TIMEOUT_MS);
  if (result < 0)
    return error_sys (err, result, "wait for the end of init's first process");
  waitpid (launch->forker, NULL, 0);
  launch->forker = 0;
  launch->forker_pidfd = fd_close (launch->forker_pidfd);
  return 0;
}

/* The next message: its phase, or 0 at end of file.  */
static int
receive (struct arena *arena, struct launch *launch, int *ret_fd, struct error *err)
{
  struct plan_message message = { 0 };
  unsigned got = 0;
  int fd = -1, result;
  ssize_t n;

  if ((result = bury_forker (launch, err)) < 0 || (result = wait_message (arena, launch, err)) < 0)
    return result;
  n = fd_receive (launch->control, &message, sizeof message, &fd, 1, &got);
  if (n == 0 || n == -ECONNRESET)
    return 0;
  if (n != sizeof message || (got && !ret_fd))
    {
      fd_close (fd);
      return n < 0 ? error_sys (err, (int) n, "hear from init") : error_set (err, EPROTO, "init said nonsense");
    }
  if (ret_fd)
    *ret_fd = fd;
  return (int) message.phase;
}

int
launch_expect (struct arena *arena, struct launch *launch, enum plan_phase phase, int *ret_fd, struct error *err)
{
  int fd = -1, got = receive (arena, launch, ret_fd ? &fd : NULL, err);

  if (got == 0)
    return launch_explain_death (arena, launch, err);
  if (got < 0)
    return got;
  if (got != (int) phase || (ret_fd && fd < 0))
    {
      fd_close (fd);
      return error_set (err, EPROTO, "init announced phase %d where %d was due", got, (int) phase);
    }
  if (ret_fd)
    *ret_fd = fd;
  return 0;
}

int
launch_expect_exec (struct arena *arena, struct launch *launch, const struct container_state *state, struct error *err)
{
  int got = receive (arena, launch, NULL, err);

  if (got == PLAN_PHASE_LISTENER)
    {
      int result = agent_serve (arena, launch->spec, state, launch->pid, launch->report, launch->pidfd, err);

      /* If init ended, its report says why.  */
      if (result < 0 && result != -ECHILD)
        return result;
      got = receive (arena, launch, NULL, err);
    }
  if (got < 0)
    return got;
  /* At end of file init has either become the program or died.  It says which: exec is its last operation.  */
  if (got > 0 || current_op (launch) != launch->plan->header->count - 1
      || __atomic_load_n (&launch->report->failure, __ATOMIC_ACQUIRE) != PLAN_FAILURE_NONE)
    return launch_explain_death (arena, launch, err);
  return 0;
}

/* Ends and buries whom init has forked, if we have not heard of him: a dead child that nobody buries keeps its pid
 * namespace from ending.  */
static void
kill_forked (struct launch *launch)
{
  pid_t pid = launch->report && !launch->adopted ? launch->report->forked : 0;
  FD_CLEANUP int pidfd = pid > 0 ? sys_pidfd_open (pid, 0) : -1;

  if (pidfd < 0)
    return;
  sys_pidfd_send_signal (pidfd, SIGKILL, NULL, 0);
  if (fd_wait_readable (pidfd, STEP_TIMEOUT_MS) == 0)
    waitpid (pid, NULL, 0);
}

/* Ends and buries our child *PID, if there is one.  */
static void
kill_child (pid_t *pid, int pidfd)
{
  if (*pid <= 0)
    return;
  if (pidfd >= 0)
    sys_pidfd_send_signal (pidfd, SIGKILL, NULL, 0);
  else
    kill (*pid, SIGKILL); /* our own child, not reaped yet */
  if (pidfd >= 0 && fd_wait_readable (pidfd, STEP_TIMEOUT_MS) < 0)
    log_warning ("init, process %d, is still there %d s after SIGKILL", (int) *pid, STEP_TIMEOUT_MS / 1000);
  else
    waitpid (*pid, NULL, 0);
  *pid = 0;
}

void
launch_kill (struct launch *launch)
{
  kill_child (&launch->pid, launch->pidfd);
  kill_child (&launch->forker, launch->forker_pidfd);
  kill_forked (launch);
}

void
launch_close (struct launch *launch)
{
  if (launch->report)
    munmap (launch->report, sizeof *launch->report);
  launch->report = NULL;
  launch->report_fd = fd_close (launch->report_fd);
  launch->control = fd_close (launch->control);
  launch->pidfd = fd_close (launch->pidfd);
  launch->forker_pidfd = fd_close (launch->forker_pidfd);
  launch->filter = fd_close (launch->filter);
  launch->network = fd_close (launch->network);
  close_opened (launch);
}

int
launch_trace (struct arena *arena, const struct launch *launch, const char *path, struct error *err)
{
  struct strbuf out = STRBUF_INIT (arena);
  struct json_writer w = { .out = &out, .indent = 2 };
  const struct plan_report *r = launch->report;
  uint32_t count = __atomic_load_n (&r->timed, __ATOMIC_RELAXED);
  FD_CLEANUP int fd = -1;
  int result;

  if (count > PLAN_TIMES_MAX)
    count = PLAN_TIMES_MAX;
  if (count > launch->plan->header->count)
    count = launch->plan->header->count;
  json_array_begin (&w, NULL);
  for (uint32_t i = 0; i < count; i++)
    {
      uint64_t end = i + 1 < count ? r->times[i + 1] : r->times[i];

      json_object_begin (&w, NULL);
      json_string (&w, "op", plan_op_text (arena, launch->plan, i));
      json_unsigned (&w, "start_ns", r->times[i] - r->times[0]);
      json_unsigned (&w, "duration_ns", end - r->times[i]);
      json_object_end (&w);
    }
  json_array_end (&w);
  strbuf_add_char (&out, '\n');
  fd = open (path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0)
    return error_sys (err, errno, "open %s", path);
  result = fd_write_all (fd, strbuf_text (&out), out.length);
  return result < 0 ? error_sys (err, result, "write %s", path) : 0;
}

int
launch_explain_saved (struct arena *arena, const struct store_entry *entry, const struct container_state *state,
                      const struct plan_report *report, struct error *err)
{
  const struct spec *spec;
  int result = container_spec (arena, entry, state, &spec, err);

  if (result < 0)
    return result;
  if (report->failure == PLAN_FAILURE_NONE)
    return error_set (err, ECHILD, "init was killed before it could execute the program");
  return plan_explain_start (arena, state->last_op, spec, report, err);
}

int
launch_serve_saved (struct arena *arena, const struct store_entry *entry, const struct container_state *state,
                    struct plan_report *report, int pidfd, struct error *err)
{
  const struct spec *spec;
  int result = container_spec (arena, entry, state, &spec, err);

  return result < 0 ? result : agent_serve (arena, spec, state, state->pid, report, pidfd, err);
}
