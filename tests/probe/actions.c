/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The probe's commands that do something: call the kernel, use up memory, wait, end.  */

#include "probe.h"
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* NUMBER[:ARGUMENT...] in any base; reports the result or the errno.  */
static void
do_syscall (char **args)
{
  long values[7] = { 0 };
  char *text = args[0];

  for (int i = 0; i < 7 && *text; i++)
    {
      values[i] = (long) strtoull (text, &text, 0);
      if (*text == ':')
        text++;
    }
  report_result (syscall (values[0], values[1], values[2], values[3], values[4], values[5], values[6]));
}

/* A call by its number in the i386 table, through the gate that 64-bit programs can use as well.  */
static void
do_syscall32 (char **args)
{
#ifdef __x86_64__
  long result;

  __asm__ volatile("int $0x80" : "=a"(result) : "0"((long) atoi (args[0])) : "r8", "r9", "r10", "r11", "memory");
  if (result < 0)
    report_errno ((int) -result);
  else
    report_int (result);
#else
  (void) args;
  report_errno (ENOSYS);
#endif
}

static void
do_setuid (char **args)
{
  report_result (setuid ((uid_t) atoi (args[0])));
}

static void
do_unshare (char **args)
{
  report_result (unshare ((int) strtol (args[0], NULL, 0)));
}

/* SOURCE TARGET TYPE FLAGS  */
static void
do_mount (char **args)
{
  report_result (mount (args[0], args[1], args[2], strtoul (args[3], NULL, 0), NULL));
}

static void
do_ptrace (char **args)
{
  pid_t pid = (pid_t) atoi (args[0]);
  long result = ptrace (PTRACE_SEIZE, pid, NULL, NULL);

  report_result (result);
  if (result == 0)
    ptrace (PTRACE_DETACH, pid, NULL, NULL);
}

/* Types one byte into the terminal on standard input, as if its user had.  */
static void
do_tiocsti (char **args)
{
  report_result (ioctl (STDIN_FILENO, TIOCSTI, args[0]));
}

static void
do_alloc (char **args)
{
  size_t size = strtoull (args[0], NULL, 0);
  char *memory = mmap (NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

  if (memory == MAP_FAILED)
    report_errno (errno);
  else
    report_int ((long long) size);
}

/* Makes children until COUNT stand or fork fails, and reports how many stood.  */
static void
do_fork (char **args)
{
  int count = atoi (args[0]), made = 0, failed = 0;

  for (; made < count; made++)
    {
      pid_t pid = fork ();

      if (pid == 0)
        {
          prctl (PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
          for (;;)
            pause ();
        }
      if (pid < 0)
        {
          failed = errno;
          break;
        }
    }
  report_open ('{');
  report_member_int ("made", made);
  report_member_int ("errno", failed);
  report_close ('}');
}

static void
do_exit (char **args)
{
  report_int (atoi (args[0]));
  probe_exit (atoi (args[0]));
}

/* Ends by the signal NUMBER.  A pid 1 is not reached by its own signals and goes on.  */
static void
do_die (char **args)
{
  int number = atoi (args[0]);

  report_int (number);
  probe_send ();
  signal (number, SIG_DFL);
  kill (getpid (), number);
}

static void
do_pause (char **args)
{
  (void) args;
  report_bool (true);
  probe_send ();
  for (;;)
    pause ();
}

static void
do_sleep (char **args)
{
  long milliseconds = atol (args[0]);
  struct timespec span = { milliseconds / 1000, milliseconds % 1000 * 1000000 };

  report_bool (true);
  probe_send ();
  nanosleep (&span, NULL);
}

/* Waits for COUNT signals and reports each as it comes.  They are blocked, not handled: the kernel drops unblocked ones
 * whose action is the default when they are sent to a pid 1.  Raw calls, since libc keeps some signals to itself.  */
static void
do_trap (char **args)
{
  uint64_t all = UINT64_MAX;

  syscall (SYS_rt_sigprocmask, SIG_BLOCK, &all, NULL, sizeof all);
  report_bool (true);
  probe_send ();
  for (int count = atoi (args[0]); count > 0; count--)
    {
      report_key ("signal");
      report_int (syscall (SYS_rt_sigtimedwait, &all, NULL, NULL, sizeof all));
      probe_send ();
    }
}

/* Leaves a child that lives on, deaf to all but SIGKILL, and reports its pid.  */
static void
do_linger (char **args)
{
  pid_t pid = fork ();

  (void) args;
  if (pid == 0)
    {
      uint64_t all = UINT64_MAX;

      syscall (SYS_rt_sigprocmask, SIG_BLOCK, &all, NULL, sizeof all);
      setsid ();
      for (;;)
        pause ();
    }
  report_result (pid);
}

/* Sends MESSAGE to NOTIFY_SOCKET as sd_notify_barrier(3) does, with one end of a pipe: whether that was closed within a
 * while.  */
static void
do_notify (char **args)
{
  const char *path = getenv ("NOTIFY_SOCKET");
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  struct iovec text = { args[0], strlen (args[0]) };
  char control[CMSG_SPACE (sizeof (int))] = { 0 };
  struct msghdr message = {
    .msg_name = &address,
    .msg_namelen = sizeof address,
    .msg_iov = &text,
    .msg_iovlen = 1,
    .msg_control = control,
    .msg_controllen = sizeof control,
  };
  struct cmsghdr *header = CMSG_FIRSTHDR (&message);
  int fd = socket (AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), ends[2];

  if (path)
    strncpy (address.sun_path, path, sizeof address.sun_path - 1);
  if (fd < 0 || pipe2 (ends, O_CLOEXEC) < 0)
    {
      report_errno (errno);
      return;
    }
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN (sizeof (int));
  memcpy (CMSG_DATA (header), &ends[1], sizeof (int));
  if (sendmsg (fd, &message, 0) < 0)
    {
      report_errno (errno);
      close (ends[1]);
    }
  else
    {
      struct pollfd end = { .fd = ends[0] };

      close (ends[1]);
      report_bool (poll (&end, 1, 10000) == 1);
    }
  close (ends[0]);
  close (fd);
}

/* Exchanges two names for ever: the other side of a race between a check and a use.  */
static void
do_exchange (char **args)
{
  report_bool (true);
  probe_send ();
  prctl (PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  while (syscall (SYS_renameat2, AT_FDCWD, args[0], AT_FDCWD, args[1], RENAME_EXCHANGE) == 0)
    ;
  report_key ("exchange");
  report_errno (errno);
}

const struct command action_commands[] = {
  { "syscall", 1, do_syscall, "NUMBER[:ARG...]: the result or errno" },
  { "syscall32", 1, do_syscall32, "NUMBER: the same by the i386 table" },
  { "setuid", 1, do_setuid, "UID" },
  { "unshare", 1, do_unshare, "FLAGS" },
  { "mount", 4, do_mount, "SOURCE TARGET TYPE FLAGS" },
  { "ptrace", 1, do_ptrace, "PID: tries to seize it" },
  { "tiocsti", 1, do_tiocsti, "BYTE: tries to type into the terminal" },
  { "alloc", 1, do_alloc, "BYTES: takes and touches memory" },
  { "fork", 1, do_fork, "COUNT: how many children can stand" },
  { "exit", 1, do_exit, "STATUS" },
  { "die", 1, do_die, "SIGNAL: is killed by it" },
  { "pause", 0, do_pause, "sends the report and waits for ever" },
  { "sleep", 1, do_sleep, "MILLISECONDS: sends the report and waits" },
  { "trap", 1, do_trap, "COUNT: sends the report, then a line for each signal" },
  { "linger", 0, do_linger, "leaves a child in the background" },
  { "notify", 1, do_notify, "MESSAGE: whether a descriptor that it brought was closed" },
  { "exchange", 2, do_exchange, "A B: exchanges two names until it is killed" },
  { 0 },
};
