/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Running hooks in the runtime's namespaces.  */
#include "container/hooks.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/syscalls.h"
#include "spec/names.h"
#include "spec/spec.h"

enum
{
  KILL_GRACE_MS = 5000,  /* for a keeper to end what it kills */
  DRAIN_MAX = 64 * 1024, /* what is read of a hook that is over: something it left behind may write for ever */
};

/* What all hooks of a list share.  */
struct run
{
  struct arena *arena;
  const struct spec *spec;
  int state, bundle;
  int out, errors; /* files for what hooks write; -1 */
};

/* What a hook is started with.  Made before any fork: a keeper may not allocate (signal-safety(7)).  */
struct job
{
  const char *path;
  char **argv, **envp;
  int state;  /* a sealed memfd */
  int bundle; /* the working directory */
  int out, errors;
};

/* What became of it.  Travels over a pipe from keeper to runtime.  */
struct outcome
{
  int error;      /* positive errno: it did not run, or could not be watched */
  bool timed_out; /* and was killed */
  int status;     /* as of waitpid(2) */
  size_t length;
  char output[HOOKS_STDERR_MAX]; /* the end of what it wrote on standard error */
};

/* A NULL-terminated vector of ITEMS, or of FIRST alone if there are none.  */
static char **
vector (struct arena *arena, const struct spec_strings *items, const char *first)
{
  char **strings = arena_array (arena, char *, items->count + 2);
  if (items->count == 0)
    strings[0] = (char *) first;
  for (size_t i = 0; i < items->count; i++)
    strings[i] = (char *) items->items[i];
  return strings;
}

/* Starts JOB with standard error on ERRORS, unless that goes to a file.  0 or a positive errno, as posix_spawn(3).  */
static int
spawn (const struct job *job, int errors, pid_t *ret_pid)
{
  /* The state is opened anew, so each hook reads it from its start.  */
  char state[32];
  snprintf (state, sizeof state, "/proc/self/fd/%d", job->state);

  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  sigset_t none, all;
  sigemptyset (&none);
  memset (&all, 0xff, sizeof all); /* sigfillset(3) leaves two out, which posix_spawn(3) would have ignored */

  int r = posix_spawn_file_actions_init (&files);
  if (r != 0)
    return r;
  r = posix_spawnattr_init (&attributes);
  if (r == 0)
    {
      posix_spawnattr_setsigmask (&attributes, &none);
      posix_spawnattr_setsigdefault (&attributes, &all);
      posix_spawnattr_setflags (&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
      if ((r = posix_spawn_file_actions_adddup2 (&files, job->errors >= 0 ? job->errors : errors, STDERR_FILENO)) == 0
          && (r = posix_spawn_file_actions_addopen (&files, STDIN_FILENO, state, O_RDONLY, 0)) == 0
          && (r = job->out >= 0 ? posix_spawn_file_actions_adddup2 (&files, job->out, STDOUT_FILENO)
                                : posix_spawn_file_actions_addopen (&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0))
                 == 0
          && (r = posix_spawn_file_actions_addfchdir_np (&files, job->bundle)) == 0
          && (r = posix_spawn_file_actions_addclosefrom_np (&files, STDERR_FILENO + 1)) == 0)
        r = posix_spawn (ret_pid, job->path, &files, &attributes, job->argv, job->envp);
      posix_spawnattr_destroy (&attributes);
    }
  posix_spawn_file_actions_destroy (&files);
  return r;
}

/* Reads once from FD; of all that came, OUTCOME keeps the end.  Returns the bytes read.  */
static size_t
keep_output (int fd, struct outcome *outcome)
{
  char chunk[sizeof outcome->output];
  ssize_t got = read (fd, chunk, sizeof chunk);
  if (got <= 0)
    return 0;
  size_t size = (size_t) got, room = sizeof outcome->output - outcome->length;
  if (size > room)
    {
      size_t drop = size - room;
      memmove (outcome->output, outcome->output + drop, outcome->length - drop);
      outcome->length -= drop;
    }
  memcpy (outcome->output + outcome->length, chunk, size);
  outcome->length += size;
  return size;
}

/* Reads what is left in FD.  */
static void
drain_output (int fd, struct outcome *outcome)
{
  struct pollfd wanted = { .fd = fd, .events = POLLIN };
  size_t total = 0, got = 1;
  while (got > 0 && total < DRAIN_MAX && poll (&wanted, 1, 0) > 0)
    total += got = keep_output (fd, outcome);
}

/* Reads standard error until the process of PIDFD ends.  0, or ETIMEDOUT after TIMEOUT_MS (-1: never), or an errno.  */
static int
watch (int pidfd, int errors, int timeout_ms, struct outcome *outcome)
{
  int64_t deadline = clock_ms () + timeout_ms;
  struct pollfd wanted[] = { { .fd = pidfd, .events = POLLIN }, { .fd = errors, .events = POLLIN } };
  for (;;)
    {
      int ready = poll (wanted, 2, timeout_ms < 0 ? -1 : clock_left (deadline));
      if (ready < 0 && errno != EINTR)
        return errno;
      if (ready == 0)
        return ETIMEDOUT;
      if (ready < 0)
        continue;
      if (wanted[1].revents != 0 && keep_output (errors, outcome) == 0)
        wanted[1].fd = -1; /* closed by the hook: nothing more to read, and nothing to wake for */
      if (wanted[0].revents != 0)
        {
          drain_output (errors, outcome);
          return 0;
        }
    }
}

/* Runs JOB to its end, or kills its process after TIMEOUT_MS (-1: never).  */
static void
execute (const struct job *job, int timeout_ms, struct outcome *outcome)
{
  int ends[2];
  if (pipe2 (ends, O_CLOEXEC) < 0)
    {
      outcome->error = errno;
      return;
    }
  FD_CLEANUP int errors = ends[0];
  pid_t pid;
  outcome->error = spawn (job, ends[1], &pid);
  fd_close (ends[1]);
  if (outcome->error != 0)
    return;

  FD_CLEANUP int pidfd = sys_pidfd_open (pid, 0);
  int r = pidfd < 0 ? errno : watch (pidfd, errors, timeout_ms, outcome);
  if (r != 0)
    {
      kill (pid, SIGKILL); /* not reaped yet, so it is this process */
      outcome->timed_out = r == ETIMEDOUT;
      outcome->error = outcome->timed_out ? 0 : r;
    }
  while (waitpid (pid, &outcome->status, 0) < 0)
    if (errno != EINTR)
      {
        outcome->error = errno; /* ECHILD: the caller of the library ignores SIGCHLD */
        return;
      }
}

/* The parent of the process that /proc/NAME is, or -1.  */
static pid_t
parent_of (const char *name)
{
  char path[300], text[512];
  snprintf (path, sizeof path, "/proc/%s/stat", name);
  if (fd_read_file_at (AT_FDCWD, path, text, sizeof text) < 0)
    return -1;
  const char *at = strrchr (text, ')');
  int parent;
  return at != NULL && sscanf (at, ") %*c %d", &parent) == 1 ? parent : -1;
}

static void
kill_children (void)
{
  DIR *proc = opendir ("/proc");
  if (proc == NULL)
    return;
  for (struct dirent *entry = readdir (proc); entry != NULL; entry = readdir (proc))
    if (isdigit ((unsigned char) entry->d_name[0]) && parent_of (entry->d_name) == getpid ())
      kill (atoi (entry->d_name), SIGKILL); /* ours and not reaped: no stranger can have the number */
  closedir (proc);
}

/* Runs JOB below us as a subreaper.  When it is late, all its descendants die: each that dies hands its children to us,
 * until there are none.  */
static void
keep (const struct job *job, int timeout_ms, struct outcome *outcome)
{
  signal (SIGCHLD, SIG_DFL);
  /* Our copies of the runtime's descriptors (the lock, the socket to init) must not outlive the runtime.  */
  if (prctl (PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || prctl (PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
    {
      outcome->error = errno;
      return;
    }
  execute (job, timeout_ms, outcome);
  if (outcome->timed_out)
    do
      kill_children ();
    while (waitpid (-1, NULL, 0) > 0 || errno == EINTR);
}

/* Runs JOB with a timeout, below a keeper of its own.  */
static void
run_kept (const struct job *job, int timeout_ms, struct outcome *outcome)
{
  int ends[2];
  if (pipe2 (ends, O_CLOEXEC) < 0)
    {
      outcome->error = errno;
      return;
    }
  FD_CLEANUP int results = ends[0];
  pid_t keeper = fork ();
  if (keeper == 0)
    {
      keep (job, timeout_ms, outcome);
      fd_write_all (ends[1], outcome, sizeof *outcome);
      _exit (0);
    }
  int fork_error = errno;
  fd_close (ends[1]);
  if (keeper < 0)
    {
      outcome->error = fork_error;
      return;
    }

  int longest = timeout_ms > INT32_MAX - KILL_GRACE_MS ? INT32_MAX : timeout_ms + KILL_GRACE_MS;
  int r = fd_wait_readable (results, longest);
  if (r == 0)
    {
      ssize_t got = fd_read_all (results, outcome, sizeof *outcome);
      if (got != sizeof *outcome)
        *outcome = (struct outcome){ .error = got < 0 ? (int) -got : ECHILD };
      while (waitpid (keeper, NULL, 0) < 0 && errno == EINTR)
        ;
    }
  else /* something of the hook does not die (a dead network file system, say): the keeper goes on trying */
    *outcome = (struct outcome){ .timed_out = r == -ETIMEDOUT, .error = r == -ETIMEDOUT ? 0 : -r };
}

static int
explain_spawn (const char *where, const char *path, int error, struct error *err)
{
  error_sys (err, error, "%s: %s", where, path);
  if (error == ENOENT && access (path, F_OK) == 0)
    error_hint (err, "the interpreter that its first line names is missing");
  else if (error == EACCES)
    error_hint (err, "is it a file with the execute permission?");
  return -error;
}

/* Records why HOOK, given OUTCOME, failed; 0 if it did not.  */
static int
explain (const struct run *run, const struct spec_hook *hook, const struct outcome *outcome, struct error *err)
{
  if (outcome->error == 0 && !outcome->timed_out && WIFEXITED (outcome->status) && WEXITSTATUS (outcome->status) == 0)
    return 0;
  const char *where = spec_where (run->arena, run->spec, hook);
  if (outcome->error != 0)
    return explain_spawn (where, hook->path, outcome->error, err);

  size_t length = outcome->length;
  while (length > 0 && isspace ((unsigned char) outcome->output[length - 1]))
    length--;
  const char *output = arena_strndup (run->arena, outcome->output, length);
  const char *colon = length > 0 ? ": " : "";

  if (outcome->timed_out)
    return error_set (err, ETIMEDOUT, "%s: %s: killed, with all that it started, after its timeout of %jd s%s%s", where,
                      hook->path, (intmax_t) hook->timeout.value, colon, output);
  if (WIFSIGNALED (outcome->status))
    {
      int sig = WTERMSIG (outcome->status);
      const char *name = names_of (&spec_signal_names, sig);
      return error_set (err, ECHILD, "%s: %s: killed by signal %d (%s)%s%s", where, hook->path, sig,
                        name != NULL ? name : "real-time", colon, output);
    }
  return error_set (err, ECHILD, "%s: %s: exit status %d%s%s", where, hook->path, WEXITSTATUS (outcome->status), colon,
                    output);
}

static int
run_hook (const struct run *run, const struct spec_hook *hook, struct error *err)
{
  struct job job = {
    .path = hook->path,
    .argv = vector (run->arena, &hook->args, hook->path),
    .envp = vector (run->arena, &hook->env, NULL),
    .state = run->state,
    .bundle = run->bundle,
    .out = run->out,
    .errors = run->errors,
  };
  struct outcome outcome = { 0 };
  if (hook->timeout.set)
    run_kept (&job, hook->timeout.value > INT32_MAX / 1000 ? INT32_MAX : (int) hook->timeout.value * 1000, &outcome);
  else
    execute (&job, -1, &outcome);
  log_debug ("hook %s ended", hook->path);
  return explain (run, hook, &outcome, err);
}

int
hooks_open_log (const struct spec *spec, const char *key, int *ret_fd, struct error *err)
{
  const char *path = spec_annotation (spec, key);
  if (path == NULL)
    return 0;
  int fd = open (path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
  if (fd < 0)
    return error_sys (err, errno, "annotation %s: open %s", key, path);
  *ret_fd = fd;
  return 0;
}

static int
run_list (struct arena *arena, const struct spec *spec, const struct spec_hook_list *list, const char *bundle,
          const char *state, bool go_on, struct error *err)
{
  if (list->count == 0)
    return 0;
  FD_CLEANUP int bundle_fd = open (bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (bundle_fd < 0)
    return error_sys (err, errno, "%s: open the bundle %s", spec_where (arena, spec, list->items), bundle);
  FD_CLEANUP int state_fd = fd_sealed_copy ("thole-state", state, strlen (state), 0);
  if (state_fd < 0)
    return error_sys (err, state_fd, "%s: make a file of the state", spec_where (arena, spec, list->items));

  FD_CLEANUP int out = -1, errors = -1;
  int r = hooks_open_log (spec, SPEC_ANNOTATION_HOOKS_STDOUT, &out, err);
  if (r == 0)
    r = hooks_open_log (spec, SPEC_ANNOTATION_HOOKS_STDERR, &errors, err);
  if (r < 0)
    return r;

  const struct run run
      = { .arena = arena, .spec = spec, .state = state_fd, .bundle = bundle_fd, .out = out, .errors = errors };
  for (size_t i = 0; i < list->count; i++)
    {
      r = run_hook (&run, &list->items[i], err);
      if (r < 0 && !go_on)
        return r;
      if (r < 0)
        log_warning ("%s", err->message);
    }
  return 0;
}

int
hooks_run (struct arena *arena, const struct spec *spec, const struct spec_hook_list *list, const char *bundle,
           const char *state, struct error *err)
{
  return run_list (arena, spec, list, bundle, state, false, err);
}

void
hooks_run_all (struct arena *arena, const struct spec *spec, const struct spec_hook_list *list, const char *bundle,
               const char *state)
{
  struct error err = { 0 };
  if (run_list (arena, spec, list, bundle, state, true, &err) < 0)
    log_warning ("%s", err.message);
}
