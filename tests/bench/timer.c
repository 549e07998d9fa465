/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* timer: starts commands for bench.py and measures them.
 *
 *     timer [--allow-memlock]
 *
 * A request is a line on stdin, its fields separated by the byte 0x1f; the answer is a line on stdout:
 *
 *     run SECONDS PROGRAM ARG...   runs the program (stdin and stdout /dev/null, stderr the timer's) and answers
 *                                  STATUS NANOSECONDS PEAK_RSS_KIB: the exit status, 128 + signal, 127 when it cannot
 *                                  be started, or -1 when it was killed after SECONDS; the time from before the
 *                                  spawn to after wait4; wait4's ru_maxrss.
 *     reap SECONDS                 waits until no descendant is left, a container started by `start` say, and
 *                                  answers 0, or -1 when the rest had to be killed after SECONDS.
 *
 * It is a program of its own, small and static, because a process started by Python starts with Python's peak RSS and
 * pays for its size.  It is a subreaper, as callers of runtimes are (conmon, containerd's shim).  At end-of-file it
 * kills what is left and exits, so a namespace that it was started in goes with it.
 *
 * --allow-memlock: where the process may not raise RLIMIT_MEMLOCK (no CAP_SYS_RESOURCE), setting it seems to succeed.
 * crun 1.8 insists on raising it before it loads the device rules of cgroup v2; the kernel has not charged BPF
 * programs to that limit since 5.11.  */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FIELDS_MAX 64
#define KILL_SECONDS 10

extern char **environ;

static void __attribute__ ((noreturn)) die (const char *what)
{
  fprintf (stderr, "timer: %s: %s\n", what, strerror (errno));
  exit (1);
}

/* Only there to end wait4 with EINTR.  */
static void
on_alarm (int signal)
{
  (void) signal;
}

static long long
now_ns (void)
{
  struct timespec now;
  clock_gettime (CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* Waits for all descendants; 0, or -1 when SECONDS have passed.  */
static int
wait_all (unsigned int seconds)
{
  int result;

  alarm (seconds);
  while (wait (NULL) > 0)
    continue;
  result = errno == ECHILD ? 0 : -1;
  alarm (0);
  return result;
}

/* Kills our children; orphans become our children and are met in the next round.  */
static void
kill_all (void)
{
  for (int round = 0; round < KILL_SECONDS; round++)
    {
      FILE *children = fopen ("/proc/thread-self/children", "re");
      pid_t pid;

      if (children == NULL)
        die ("/proc/thread-self/children");
      while (fscanf (children, "%d", &pid) == 1)
        kill (pid, SIGKILL);
      fclose (children);
      if (wait_all (1) == 0)
        return;
    }
}

static void
run (int answers, unsigned int seconds, char **argv)
{
  struct rusage usage = { 0 };
  long long start = now_ns (), end;
  int status = 0, waited;
  pid_t pid;

  if (posix_spawnp (&pid, argv[0], NULL, NULL, argv, environ) != 0)
    {
      dprintf (answers, "127 0 0\n");
      return;
    }
  alarm (seconds);
  waited = wait4 (pid, &status, 0, &usage);
  end = now_ns ();
  alarm (0);
  if (waited < 0)
    {
      kill_all ();
      status = -1;
    }
  else
    status = WIFEXITED (status) ? WEXITSTATUS (status) : 128 + WTERMSIG (status);
  dprintf (answers, "%d %lld %ld\n", status, end - start, usage.ru_maxrss);
}

static void
reap (int answers, unsigned int seconds)
{
  int result = wait_all (seconds);

  if (result < 0)
    kill_all ();
  dprintf (answers, "%d\n", result);
}

static void
allow_memlock (void)
{
  struct sock_filter code[] = {
    BPF_STMT (BPF_LD | BPF_W | BPF_ABS, offsetof (struct seccomp_data, nr)),
    BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, SYS_prlimit64, 0, 5),
    BPF_STMT (BPF_LD | BPF_W | BPF_ABS, offsetof (struct seccomp_data, args[1])),
    BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, RLIMIT_MEMLOCK, 0, 3),
    BPF_STMT (BPF_LD | BPF_W | BPF_ABS, offsetof (struct seccomp_data, args[2])), /* the low half will do */
    BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0),
    BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 0),
    BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = { sizeof code / sizeof *code, code };
  struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };

  if (setrlimit (RLIMIT_MEMLOCK, &unlimited) == 0)
    return;
  if (prctl (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
    die ("PR_SET_SECCOMP");
}

/* Moves a descriptor of the protocol away from 0 and 1, which the commands shall find to be /dev/null.  */
static int
take_stdio (int fd, int null_fd)
{
  int taken = fcntl (fd, F_DUPFD_CLOEXEC, 3);

  if (taken < 0 || dup2 (null_fd, fd) < 0)
    die ("/dev/null");
  return taken;
}

int
main (int argc, char **argv)
{
  struct sigaction action = { .sa_handler = on_alarm };
  char *line = NULL, *fields[FIELDS_MAX + 1], *rest;
  size_t size = 0;
  ssize_t length;
  FILE *requests;
  int null_fd, answers;

  if (argc == 2 && strcmp (argv[1], "--allow-memlock") == 0)
    allow_memlock ();
  else if (argc != 1)
    {
      fputs ("usage: timer [--allow-memlock]\n", stderr);
      return 2;
    }
  null_fd = open ("/dev/null", O_RDWR | O_CLOEXEC);
  requests = fdopen (take_stdio (0, null_fd), "r");
  answers = take_stdio (1, null_fd);
  if (requests == NULL || prctl (PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0 || sigaction (SIGALRM, &action, NULL) < 0)
    die ("start");

  while ((length = getline (&line, &size, requests)) > 0)
    {
      int count = 0;

      line[length - 1] = '\0';
      rest = line;
      while (count < FIELDS_MAX && (fields[count] = strsep (&rest, "\x1f")))
        count++;
      fields[count] = NULL;
      if (count >= 3 && strcmp (fields[0], "run") == 0)
        run (answers, strtoul (fields[1], NULL, 10), fields + 2);
      else if (count == 2 && strcmp (fields[0], "reap") == 0)
        reap (answers, strtoul (fields[1], NULL, 10));
      else
        return 2;
    }
  kill_all ();
  return 0;
}
