/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hooks that run in the container's namespaces: createContainer and startContainer (config.md#posix-platform-hooks).
 *
 * A hook is a child with the state on its standard input; the end of what it writes on stderr is kept for the message,
 * should it fail.  A hook that takes too long is killed with everything it has started: in a pid namespace of the
 * container's own that is everything but init; elsewhere a keeper, which is born between init and a hook with a
 * timeout, inherits all that the hook has orphaned, and finds it by the host's /proc.  */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>

#include "init/init.h"
#include "init/sys.h"

#define CHUNK 256
#define DRAIN_CHUNKS 256 /* 64 KiB: what a pipe holds */

static int64_t
now_ms (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The state goes into a pipe's buffer or, when it is longer, is fed by the child's own parent: a memfd holds either. */
static int
state_file (struct init *init, const struct plan_hook *hook)
{
  const char *parts[3] = { plan_text (init, hook->state_head), NULL, plan_text (init, hook->state_tail) };
  char pid[24];
  int fd = (int) syscall (SYS_memfd_create, "state", 1u /* MFD_CLOEXEC */);

  format_number (pid, getpid ());
  parts[1] = pid;
  if (fd < 0)
    return fail_errno (init, "memfd_create", "the state");
  for (int i = 0; i < 3; i++)
    {
      size_t length = strlen (parts[i]);
      if (write (fd, parts[i], length) != (ssize_t) length)
        return fail_errno (init, "write", "the state");
    }
  if (lseek (fd, 0, SEEK_SET) < 0)
    return fail_errno (init, "lseek", "the state");
  return fd;
}

/* Standard output of a hook is nobody's.  The null device is the host's or, after pivot_root, the container's: looked
 * at before it is used.  */
static int
open_null_device (int otherwise)
{
  struct stat st;
  int fd = open ("/dev/null", O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

  return fd >= 0 && fstat (fd, &st) == 0 && S_ISCHR (st.st_mode) && st.st_rdev == makedev (1, 3) ? fd : otherwise;
}

/* Makes TO the file of the host's that the runtime has opened for it, or FD.  */
static bool
give_stream (struct init *init, enum plan_fd file, int fd, int to)
{
  return dup2 (init->fds[file] >= 0 ? init->fds[file] : fd, to) >= 0;
}

static _Noreturn void
run_hook (struct init *init, const struct plan_hook *hook, int state, int errors)
{
  const char *path = plan_text (init, hook->path);
  char *fallback[] = { (char *) path, NULL }, *nothing[] = { NULL };
  char **args = hook->args.count ? plan_vector (init, &hook->args) : fallback;
  char **env = hook->env.count ? plan_vector (init, &hook->env) : nothing;

  setpgid (0, 0);
  reset_signals ();
  /* Descriptors that the caller passes on to the program are not for hooks.  */
  for (int fd = 3; fd < 3 + (int) init->header->preserved; fd++)
    fcntl (fd, F_SETFD, FD_CLOEXEC);
  umask (init->umask);
  /* createContainer hooks stand in the root file system, which is not ours yet.  */
  if (init->root >= 0 && fchdir (init->root) < 0)
    fail_errno (init, "fchdir", path);
  else if (dup2 (state, 0) < 0 || !give_stream (init, PLAN_FD_HOOK_STDOUT, open_null_device (errors), 1)
           || !give_stream (init, PLAN_FD_HOOK_STDERR, errors, 2))
    fail_errno (init, "dup2", path);
  else
    {
      execve (path, args, env);
      fail_errno (init, "execve", path);
    }
  _exit (127);
}

/* Keeps the last bytes that came through FD in the report.  0 at the end of file.  */
static ssize_t
collect (struct init *init, int fd)
{
  char *detail = init->report->detail;
  char chunk[CHUNK];
  ssize_t n = read (fd, chunk, sizeof chunk);
  size_t have = strlen (detail), room = sizeof init->report->detail - 1;

  if (n <= 0)
    return n;
  if (have + (size_t) n > room)
    {
      size_t cut = have + (size_t) n - room;
      memmove (detail, detail + cut, have - cut + 1);
      have -= cut;
    }
  memcpy (detail + have, chunk, (size_t) n);
  detail[have + (size_t) n] = '\0';
  return n;
}

/* As getdents64(2) writes it.  */
struct entry
{
  uint64_t inode, offset;
  uint16_t size;
  uint8_t type;
  char name[];
};

/* Whether the parent of PROCESS, a directory of /proc, is the process SELF.  */
static bool
is_child (int process, const char *self)
{
  char text[512] = "";
  int fd = openat (process, "stat", O_RDONLY | O_CLOEXEC);
  ssize_t n = read (fd, text, sizeof text - 1);
  const char *after = n > 0 ? strrchr (text, ')') : NULL; /* "12 (name) S 1 …" */
  size_t length = strlen (self);

  close (fd);
  return after && strlen (after) > 4 + length && memcmp (after + 4, self, length) == 0 && after[4 + length] == ' ';
}

/* Kills our children.  Numbers in the host's /proc need not be those of our pid namespace, but its directories are as
 * good as pidfds (pidfd_send_signal(2)).  */
static void
kill_children (struct init *init)
{
  _Alignas(struct entry) char buffer[4096];
  char self[24];
  ssize_t n = readlinkat (init->proc, "self", self, sizeof self - 1);
  int proc = n > 0 ? openat (init->proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

  self[n > 0 ? n : 0] = '\0';
  while (proc >= 0 && (n = syscall (SYS_getdents64, proc, buffer, sizeof buffer)) > 0)
    for (const char *at = buffer; at < buffer + n;)
      {
        const struct entry *entry = (const struct entry *) (const void *) at;
        bool number = entry->name[0] >= '1' && entry->name[0] <= '9';
        int process = number ? openat (proc, entry->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

        if (process >= 0 && is_child (process, self))
          sys_pidfd_send_signal (process, SIGKILL);
        close (process);
        at += entry->size;
      }
  close (proc);
}

/* Kills the hook PID and every process that became ours when its parent died, until there are none.  */
static void
kill_tree (struct init *init, pid_t pid)
{
  kill (-pid, SIGKILL);
  kill (pid, SIGKILL);
  do
    if (getpid () == 1)
      kill (-1, SIGKILL); /* all there is in this pid namespace but us came from the hook */
    else
      kill_children (init);
  while (waitpid (-1, NULL, 0) > 0 || errno == EINTR);
}

/* Waits for the process of PIDFD while reading its stderr.  1: it ended; 0: the time was over; -1 and errno.  */
static int
watch_hook (struct init *init, int pidfd, int errors, int timeout)
{
  int64_t deadline = timeout ? now_ms () + (int64_t) timeout * 1000 : INT64_MAX;
  struct pollfd fds[2] = { { .fd = pidfd, .events = POLLIN }, { .fd = errors, .events = POLLIN } };

  for (;;)
    {
      int64_t left = deadline - now_ms ();
      int ready;

      if (left <= 0)
        return 0;
      ready = poll (fds, 2, !timeout ? -1 : left < INT_MAX ? (int) left : INT_MAX);
      if (ready < 0 && errno != EINTR)
        return -1;
      if (ready > 0 && fds[1].revents && collect (init, errors) <= 0)
        fds[1].fd = -1;
      if (ready > 0 && fds[0].revents)
        return 1;
    }
}

/* What a hook that has ended wrote last may still be in the pipe.  A process that it left behind may hold the other end
 * and go on for ever, so there is a bound.  */
static void
drain (struct init *init, int errors)
{
  if (fcntl (errors, F_SETFL, O_NONBLOCK) == 0)
    for (int i = 0; i < DRAIN_CHUNKS && collect (init, errors) > 0; i++)
      ;
}

/* Runs the hook's process PID to its end.  As watch_hook.  */
static int
wait_hook (struct init *init, pid_t pid, int errors, int timeout, int *status)
{
  int pidfd = sys_pidfd_open (pid);
  int ended = pidfd < 0 ? -1 : watch_hook (init, pidfd, errors, timeout), saved = errno;

  if (ended > 0)
    {
      drain (init, errors);
      while (waitpid (pid, status, 0) < 0 && errno == EINTR)
        ;
    }
  else
    kill_tree (init, pid);
  close (pidfd);
  errno = saved;
  return ended;
}

/* Runs HOOK to its end.  */
static int
execute (struct init *init, const struct plan_hook *hook, int state)
{
  int errors[2], status = 0, ended;
  pid_t pid;

  if (pipe2 (errors, O_CLOEXEC) < 0)
    return fail_errno (init, "pipe2", NULL);
  init->report->detail[0] = '\0';
  pid = fork ();
  if (pid < 0)
    return fail_errno (init, "fork", NULL);
  if (pid == 0)
    run_hook (init, hook, state, errors[1]);
  close (errors[1]);
  ended = wait_hook (init, pid, errors[0], hook->timeout, &status);
  if (ended < 0)
    return fail_errno (init, "poll", plan_text (init, hook->path));
  close (errors[0]);
  if (ended && status == 0)
    {
      init->report->detail[0] = '\0';
      return 0;
    }
  if (init->report->failure)
    return -1; /* execve failed, in the child */
  init->report->wait_status = status;
  init->report->error = ended ? EINVAL : ETIMEDOUT;
  copy_text (init->report->what, sizeof init->report->what, "hook");
  __atomic_store_n (&init->report->failure, ended ? PLAN_FAILURE_HOOK : PLAN_FAILURE_HOOK_TIMEOUT, __ATOMIC_RELEASE);
  return -1;
}

static _Noreturn void
keep (struct init *init, const struct plan_hook *hook, int state, pid_t parent)
{
  int result;

  /* Our copy of the control socket must not outlive init.  */
  if (prctl (PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || prctl (PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
    result = fail_errno (init, "prctl", plan_text (init, hook->path));
  else
    result = getppid () == parent ? execute (init, hook, state) : -1;
  _exit (result < 0);
}

/* Runs HOOK below a keeper.  What it leaves behind after an end in time has the same parent as without one.  */
static int
run_kept (struct init *init, const struct plan_hook *hook, int state)
{
  pid_t parent = getpid (), keeper = fork ();
  int status = 0;

  if (keeper < 0)
    return fail_errno (init, "fork", NULL);
  if (keeper == 0)
    keep (init, hook, state, parent);
  while (waitpid (keeper, &status, 0) < 0 && errno == EINTR)
    ;
  if (status == 0)
    return 0;
  return init->report->failure ? -1 : fail (init, PLAN_FAILURE_SYSTEM, ECHILD, "wait", plan_text (init, hook->path));
}

bool
hook_needs_keeper (const struct plan_op *op)
{
  return op->code == PLAN_HOOK && op->hook.timeout && getpid () != 1;
}

int
op_hook (struct init *init, const struct plan_op *op)
{
  const struct plan_hook *hook = &op->hook;
  int state = state_file (init, hook), result;

  if (state < 0)
    return -1;
  result = hook_needs_keeper (op) ? run_kept (init, hook, state) : execute (init, hook, state);
  close (state);
  return result;
}
