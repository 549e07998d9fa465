/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* inject [OPTION]... COMMAND [ARG]...: runs a runtime and makes one chosen system call of it, or of the init that it
 * starts, fail, or kills the caller there.  Nothing in the runtime knows of it.
 *
 *   -l FILE   logs all calls, a line each: ROLE PID OPERATION NUMBER
 *   -r ROLE   of the call to be hit:
 *               runtime   the command itself
 *               birth     a child of it that has not become init yet
 *               init      an init: the process that carries out the plan
 *               child     what init has forked (a hook) and which has not executed its program yet
 *   -n N      the Nth call of the role, from 1 on; with -o, of those in that operation of the plan
 *   -o OP     index of the plan's operation (of init), as init's report says it
 *   -e ERRNO  lets it fail; without it the caller is killed with SIGKILL when it makes the call
 *   -w MS     before it is killed the others go on for so long
 *   -h FILE   gets a line as in the log when the call was hit
 *   -m N,...  these calls answer ENOSYS to everybody, as on a kernel that does not have them; with nothing to hit or to
 *             log the command, of any kind then, is simply executed so
 *   -x TEXT   lets the calls of shared objects through, and does not count them, whose name has TEXT in it: those of a
 *             sanitizer, which ends the program, or hangs, when its own calls fail
 *
 * A seccomp filter sends every call of the command and its descendants to a supervisor (seccomp_unotify(2)), which
 * lets it go on.  No process is traced, so that dumpability, signals and exec behave as always.  inject ends as the
 * command does; the supervisor goes on in the background until nobody is left, since an init outlives `create`.  */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "plan/wire.h"

enum
{
  HELLO_FD = 1000, /* the command's one write that is not asked about: the number of its listener */
  MISSING_MAX = 32,
  PROCESSES_MAX = 256,
};

enum role
{
  ROLE_RUNTIME,
  ROLE_BIRTH,
  ROLE_INIT,
  ROLE_CHILD,
  ROLE_OTHER, /* programs of hooks and containers */
  ROLE_COUNT,
};

static const char *const role_names[ROLE_COUNT] = { "runtime", "birth", "init", "child", "other" };

static struct
{
  const char *log, *hit, *exempt;
  int role; /* -1: none is hit */
  long nth, op;
  int error; /* 0: kill */
  int wait_ms;
  int missing[MISSING_MAX];
  int missing_count;
} wanted = { .role = -1, .op = -1 };

static FILE *log_file;
static pid_t command;
static const volatile struct plan_report *report;
static struct
{
  pid_t pid;
  enum role role;
} processes[PROCESSES_MAX];
static size_t process_count;

static _Noreturn void
die (const char *what)
{
  fprintf (stderr, "inject: %s: %s\n", what, strerror (errno));
  exit (99);
}

/* ---- the filter ---- */

/* The filter of the command; with LISTENED the descriptor of its listener.  */
static int
load_filter (bool listened)
{
  struct sock_filter program[8 + 2 * MISSING_MAX];
  unsigned short n = 0;

  program[n++] = (struct sock_filter) BPF_STMT (BPF_LD | BPF_W | BPF_ABS, offsetof (struct seccomp_data, nr));
  for (int i = 0; i < wanted.missing_count; i++)
    {
      program[n++] = (struct sock_filter) BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, (uint32_t) wanted.missing[i], 0, 1);
      program[n++] = (struct sock_filter) BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
    }
  program[n++] = (struct sock_filter) BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 0, 3);
  /* The low half of the first argument, which stands first on this byte order.  */
  program[n++] = (struct sock_filter) BPF_STMT (BPF_LD | BPF_W | BPF_ABS,
                                                offsetof (struct seccomp_data, args)
                                                    + (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 0 : 4));
  program[n++] = (struct sock_filter) BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, HELLO_FD, 0, 1);
  program[n++] = (struct sock_filter) BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  program[n++] = (struct sock_filter) BPF_STMT (BPF_RET | BPF_K, listened ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ALLOW);
  return (int) syscall (SYS_seccomp, SECCOMP_SET_MODE_FILTER, listened ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0,
                        &(struct sock_fprog){ .len = n, .filter = program });
}

static _Noreturn void
run_command (char **argv, int hello)
{
  int listener;

  if (dup3 (hello, HELLO_FD, O_CLOEXEC) < 0)
    die ("dup3");
  listener = load_filter (true);
  if (listener < 0)
    die ("seccomp");
  if (write (HELLO_FD, &listener, sizeof listener) != sizeof listener)
    _exit (99);
  execvp (argv[0], argv);
  _exit (127);
}

/* ---- who calls ---- */

static void
read_link (pid_t pid, const char *name, char *to, size_t size)
{
  char path[128];
  ssize_t n;

  snprintf (path, sizeof path, "/proc/%d/%s", (int) pid, name);
  n = readlink (path, to, size - 1);
  to[n > 0 ? n : 0] = '\0';
}

static pid_t
parent_of (pid_t pid)
{
  char path[64], text[512];
  const char *end;
  int parent = -1;
  FILE *f;

  snprintf (path, sizeof path, "/proc/%d/stat", (int) pid);
  f = fopen (path, "re");
  if (f == NULL)
    return -1;
  if (fgets (text, sizeof text, f) != NULL && (end = strrchr (text, ')')) != NULL)
    sscanf (end, ") %*c %d", &parent);
  fclose (f);
  return parent;
}

static enum role
find_role (pid_t pid)
{
  char exe[256];
  pid_t parent;

  if (pid == command)
    return ROLE_RUNTIME;
  read_link (pid, "exe", exe, sizeof exe);
  parent = parent_of (pid);
  if (strncmp (exe, "/memfd:thole-init", 17) != 0)
    return parent == command ? ROLE_BIRTH : ROLE_OTHER;
  for (size_t i = 0; i < process_count; i++)
    if (processes[i].pid == parent && processes[i].role == ROLE_INIT)
      return ROLE_CHILD;
  return ROLE_INIT;
}

/* The role of PID; one that is not final is looked up each time.  */
static enum role
role_of (pid_t pid)
{
  size_t i = 0;

  while (i < process_count && processes[i].pid != pid)
    i++;
  if (i == PROCESSES_MAX)
    return ROLE_OTHER;
  if (i == process_count)
    processes[process_count++].pid = pid;
  else if (processes[i].role == ROLE_RUNTIME || processes[i].role == ROLE_OTHER)
    return processes[i].role;
  else if (processes[i].role == ROLE_INIT || processes[i].role == ROLE_CHILD)
    {
      /* What was an init may have become the program.  */
      char exe[256];
      read_link (pid, "exe", exe, sizeof exe);
      if (strncmp (exe, "/memfd:thole-init", 17) != 0)
        processes[i].role = ROLE_OTHER;
      return processes[i].role;
    }
  processes[i].role = find_role (pid);
  return processes[i].role;
}

/* Whether PID makes this call in an exempt object.  Looked up each time: the loader is still mapping them.  */
static bool
is_exempt (pid_t pid, const struct seccomp_data *call)
{
  unsigned long long begin, end, instruction = call->instruction_pointer;
  char path[64], line[512];
  bool found = false;
  FILE *f;

  if (wanted.exempt == NULL)
    return false;
  /* The leak sanitizer waits with it, through libc and as often as it takes; the runtime does for seccomp agents alone.
   */
  if (call->nr == SYS_sched_yield)
    return true;
  snprintf (path, sizeof path, "/proc/%d/maps", (int) pid);
  f = fopen (path, "re");
  if (f == NULL)
    return false;
  while (!found && fgets (line, sizeof line, f) != NULL)
    found = sscanf (line, "%llx-%llx", &begin, &end) == 2 && instruction >= begin && instruction < end
            && strstr (line, wanted.exempt) != NULL;
  fclose (f);
  return found;
}

/* Maps the report, a memory file of the runtime's.  */
static void
find_report (void)
{
  char path[64], target[64];

  for (int fd = 3; fd < 64 && report == NULL; fd++)
    {
      void *memory;
      int file;

      snprintf (path, sizeof path, "fd/%d", fd);
      read_link (command, path, target, sizeof target);
      if (strncmp (target, "/memfd:report", 13) != 0)
        continue;
      snprintf (path, sizeof path, "/proc/%d/fd/%d", (int) command, fd);
      file = open (path, O_RDWR | O_CLOEXEC);
      if (file < 0)
        return;
      memory = mmap (NULL, sizeof *report, PROT_READ, MAP_SHARED, file, 0);
      close (file);
      if (memory != MAP_FAILED)
        report = memory;
    }
}

/* ---- the supervisor ---- */

static void
say (FILE *to, enum role role, pid_t pid, long op, int nr)
{
  fprintf (to, "%s %d %ld %d\n", role_names[role], (int) pid, op, nr);
}

static void
tell_hit (enum role role, pid_t pid, long op, int nr)
{
  FILE *f = wanted.hit != NULL ? fopen (wanted.hit, "we") : NULL;

  if (f == NULL)
    return;
  say (f, role, pid, op, nr);
  fclose (f);
}

/* Whether this call is the one.  */
static bool
is_wanted (enum role role, long op)
{
  static long count;

  return (int) role == wanted.role && (wanted.op < 0 || op == wanted.op) && ++count == wanted.nth;
}

/* False: the caller is to be killed later, and waits until then.  */
static bool
answer (const struct seccomp_notif *call, struct seccomp_notif_resp *reply)
{
  pid_t pid = (pid_t) call->pid;
  enum role role = role_of (pid);
  long op;

  *reply = (struct seccomp_notif_resp){ .id = call->id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };
  if (is_exempt (pid, &call->data))
    return true;
  if (role == ROLE_INIT && report == NULL)
    find_report ();
  op = (role == ROLE_INIT || role == ROLE_CHILD) && report != NULL ? (long) report->op : -1;
  if (log_file != NULL)
    say (log_file, role, pid, op, call->data.nr);
  if (!is_wanted (role, op))
    return true;
  tell_hit (role, pid, op, call->data.nr);
  if (wanted.error > 0)
    {
      reply->flags = 0;
      reply->error = -wanted.error;
    }
  else if (wanted.wait_ms == 0)
    kill (pid, SIGKILL);
  return wanted.error > 0 || wanted.wait_ms == 0;
}

static long
now_ms (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void
supervise (int listener)
{
  struct pollfd poller = { .fd = listener, .events = POLLIN };
  pid_t held = 0; /* who is to be killed at DEADLINE */
  long deadline = 0;

  for (;;)
    {
      struct seccomp_notif call = { 0 };
      struct seccomp_notif_resp reply;
      long left = deadline - now_ms ();

      if (held > 0 && left <= 0)
        {
          kill (held, SIGKILL);
          held = 0;
        }
      if (poll (&poller, 1, held > 0 ? (int) left : -1) <= 0)
        continue;
      if (!(poller.revents & POLLIN))
        break; /* POLLHUP: nobody is left */
      if (ioctl (listener, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0)
        continue; /* ENOENT: the caller has been killed meanwhile */
      if (answer (&call, &reply))
        ioctl (listener, SECCOMP_IOCTL_NOTIF_SEND, &reply);
      else
        {
          held = (pid_t) call.pid;
          deadline = now_ms () + wanted.wait_ms;
        }
    }
  if (log_file != NULL)
    fclose (log_file);
}

static void
parse_missing (char *list)
{
  for (char *word = strtok (list, ","); word != NULL && wanted.missing_count < MISSING_MAX; word = strtok (NULL, ","))
    wanted.missing[wanted.missing_count++] = atoi (word);
}

static void
parse_options (int argc, char **argv)
{
  int option;

  while ((option = getopt (argc, argv, "+l:r:n:o:e:w:h:m:x:")) != -1)
    switch (option)
      {
      case 'l':
        wanted.log = optarg;
        break;
      case 'r':
        for (int role = 0; role < ROLE_COUNT; role++)
          if (strcmp (role_names[role], optarg) == 0)
            wanted.role = role;
        break;
      case 'n':
        wanted.nth = atol (optarg);
        break;
      case 'o':
        wanted.op = atol (optarg);
        break;
      case 'e':
        wanted.error = atoi (optarg);
        break;
      case 'w':
        wanted.wait_ms = atoi (optarg);
        break;
      case 'h':
        wanted.hit = optarg;
        break;
      case 'm':
        parse_missing (optarg);
        break;
      case 'x':
        wanted.exempt = optarg;
        break;
      default:
        exit (99);
      }
  if (optind >= argc)
    exit (99);
}

int
main (int argc, char **argv)
{
  int hello[2], number, pidfd, listener, status;

  parse_options (argc, argv);
  if (wanted.role < 0 && wanted.log == NULL)
    {
      if (load_filter (false) < 0)
        die ("seccomp");
      execvp (argv[optind], argv + optind);
      die (argv[optind]);
    }
  if (pipe2 (hello, O_CLOEXEC) < 0)
    die ("pipe2");
  command = fork ();
  if (command == 0)
    run_command (argv + optind, hello[1]);
  close (hello[1]);
  if (command < 0 || read (hello[0], &number, sizeof number) != sizeof number)
    die ("start the command");
  pidfd = (int) syscall (SYS_pidfd_open, command, 0);
  listener = (int) syscall (SYS_pidfd_getfd, pidfd, number, 0);
  if (listener < 0)
    die ("take the listener");

  switch (fork ())
    {
    case -1:
      die ("fork");
    case 0:
      setsid ();
      if (wanted.log != NULL && (log_file = fopen (wanted.log, "we")) == NULL)
        die (wanted.log);
      if (log_file != NULL)
        setlinebuf (log_file); /* whoever waits for the command reads all that it did */
      supervise (listener);
      _exit (0);
    default:
      close (listener);
    }
  while (waitpid (command, &status, 0) < 0)
    if (errno != EINTR)
      die ("waitpid");
  return WIFEXITED (status) ? WEXITSTATUS (status) : 128 + WTERMSIG (status);
}
