/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* flock(2) with a deadline.
 *
 * The kernel has no timeout for file locks, and a signal handler is not ours to install in a library.  But a flock
 * belongs to the open file description, which a forked child shares: the child waits for the lock, ended by its own
 * alarm(2), and what it got is ours.  The child is only made when somebody else has the lock.  */
#include "container/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"

/* The child: calls only what may be called after a fork of a process with threads (signal-safety(7)).  */
static _Noreturn void
wait_as_child (int fd, unsigned timeout)
{
  sigset_t alarm_only;
  sigemptyset (&alarm_only);
  sigaddset (&alarm_only, SIGALRM);
  signal (SIGALRM, SIG_DFL);
  sigprocmask (SIG_UNBLOCK, &alarm_only, NULL);
  alarm (timeout);

  int r;
  do
    r = flock (fd, LOCK_EX);
  while (r < 0 && errno == EINTR);
  _exit (r < 0 ? errno : 0);
}

/* The process that holds the flock on FD's file, from /proc/locks: "1: FLOCK  ADVISORY  WRITE 1234 00:17:5678 0 EOF";
 * lines of those who wait have an arrow.  0 if it cannot be found.  */
static pid_t
find_holder (int fd)
{
  struct stat st;
  FILE *locks = fopen ("/proc/locks", "re");
  pid_t holder = 0;
  if (locks != NULL && fstat (fd, &st) == 0)
    {
      char line[256];
      int pid;
      unsigned long long inode;
      while (holder == 0 && fgets (line, sizeof line, locks) != NULL)
        if (sscanf (line, "%*u: FLOCK ADVISORY WRITE %d %*x:%*x:%llu", &pid, &inode) == 2 && inode == st.st_ino)
          holder = pid;
    }
  if (locks != NULL)
    fclose (locks);
  return holder;
}

static int
report_holder (int fd, unsigned timeout, struct error *err)
{
  pid_t pid = find_holder (fd);
  if (pid <= 0)
    return error_set (err, EBUSY, "another command has been working on it for more than %u seconds", timeout);

  char path[64], command[256] = "?";
  snprintf (path, sizeof path, "/proc/%d/cmdline", (int) pid);
  FD_CLEANUP int file = open (path, O_RDONLY | O_CLOEXEC);
  ssize_t length = file < 0 ? -1 : read (file, command, sizeof command - 1); /* its beginning will do */
  for (ssize_t i = 0; i + 1 < length; i++)
    if (command[i] == '\0')
      command[i] = ' ';
  return error_set (err, EBUSY, "process %d (%s) has been working on it for more than %u seconds", (int) pid, command,
                    timeout);
}

int
lock_take (int fd, unsigned timeout, struct error *err)
{
  if (flock (fd, LOCK_EX | LOCK_NB) == 0)
    return 0;
  if (errno != EWOULDBLOCK)
    return error_sys (err, errno, "lock");

  pid_t child = fork ();
  if (child < 0)
    return error_sys (err, errno, "fork");
  if (child == 0)
    wait_as_child (fd, timeout);

  int status, r;
  do
    r = waitpid (child, &status, 0);
  while (r < 0 && errno == EINTR);

  /* Asking once more tells what the child achieved, however it ended, even if somebody else reaped it.  */
  if (flock (fd, LOCK_EX | LOCK_NB) == 0)
    return 0;
  return errno == EWOULDBLOCK ? report_holder (fd, timeout, err) : error_sys (err, errno, "lock");
}
