/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The foreground of `run`: one loop over the signals and, if the container has one, its terminal.  */
#include "container/foreground.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/syscalls.h"
#include "container/notify.h"
#include "container/relay.h"

/* Not blocked: what the kernel raises because of our own faults, and what stops us.  */
static const int not_ours_to_block[]
    = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGTSTP, SIGTTIN, SIGTTOU };

static void
blocked_signals (sigset_t *set)
{
  sigfillset (set);
  for (size_t i = 0; i < sizeof not_ours_to_block / sizeof *not_ours_to_block; i++)
    sigdelset (set, not_ours_to_block[i]);
}

int
foreground_begin (struct foreground *fg, bool subreaper, struct error *err)
{
  sigset_t block;
  blocked_signals (&block);
  if (sigprocmask (SIG_BLOCK, &block, &fg->mask) < 0)
    return error_sys (err, errno, "block signals");
  const struct sigaction plain = { .sa_handler = SIG_DFL };
  sigaction (SIGCHLD, &plain, &fg->child);
  fg->begun = true;

  if (subreaper && prctl (PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
    return error_sys (err, errno, "become a subreaper");
  fg->subreaper = subreaper;
  return 0;
}

int
foreground_terminal (struct foreground *fg, int *master, struct error *err)
{
  fg->master = fd_take (master);
  int r = terminal_no_onlcr (fg->master, err);
  if (r < 0)
    return r;
  if (fcntl (fg->master, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
    return error_sys (err, errno, "make the container's terminal non-blocking");

  /* While the other side is open the terminal is not hung up, though the program close it and open it again.  */
  fg->slave = ioctl (fg->master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (fg->slave < 0)
    return error_sys (err, errno, "open the other side of the container's terminal");

  terminal_find (&fg->terminal);
  terminal_resize (&fg->terminal, fg->master);
  return terminal_raw (&fg->terminal, err);
}

/* Reaps PID, and whoever else is ours to reap.  True, and its wait status, once PID is gone.  0 or -errno.  */
static int
reap (const struct foreground *fg, pid_t pid, bool *ret_gone, int *ret_status)
{
  for (;;)
    {
      int status;
      pid_t got = waitpid (fg->subreaper ? -1 : pid, &status, WNOHANG);
      if (got == pid)
        {
          *ret_gone = true;
          *ret_status = status;
        }
      if (got < 0 && errno == EINTR)
        continue;
      if (got < 0 && !*ret_gone)
        return -errno;
      if (got <= 0 || !fg->subreaper)
        return 0;
    }
}

static void
handle_signal (struct foreground *fg, int sig, int pidfd)
{
  switch (sig)
    {
    case SIGCHLD: /* reap comes next anyway */
    case SIGPIPE: /* a relay found out by itself */
      return;
    case SIGCONT: /* who stopped us may have changed our terminal */
      if (fg->terminal.raw)
        terminal_raw (&fg->terminal, NULL);
      return;
    case SIGWINCH:
      if (fg->master >= 0)
        {
          terminal_resize (&fg->terminal, fg->master);
          return;
        }
      break;
    default:
      break;
    }
  sys_pidfd_send_signal (pidfd, sig, NULL, 0); /* ESRCH: it is gone, and SIGCHLD about to say so */
}

static void
read_signals (struct foreground *fg, int signals, int pidfd)
{
  struct signalfd_siginfo info[8];
  ssize_t got = read (signals, info, sizeof info);
  for (ssize_t i = 0; i < got / (ssize_t) sizeof *info; i++)
    handle_signal (fg, (int) info[i].ssi_signo, pidfd);
}

/* Nobody reads what the program says: as when a terminal's window is closed.  */
static void
hang_up (struct foreground *fg, struct relay *input, struct relay *output)
{
  input->broken = true;
  output->from = -1;
  fg->slave = fd_close (fg->slave);
  fg->master = fd_close (fg->master);
}

/* Who called us has us for the service: we live as long as the program, and have its status.  */
static void
take_notice (struct foreground *fg)
{
  if (fg->notify != NULL && notify_take (fg->notify, getpid ()))
    fg->notify = NULL;
}

/* The loop.  0 and the wait status, or -errno.  */
static int
wait_and_relay (struct foreground *fg, int signals, pid_t pid, int pidfd, int *ret_status)
{
  struct relay input = RELAY_INIT (fg->master >= 0 ? STDIN_FILENO : -1, fg->master);
  struct relay output = RELAY_INIT (fg->master, STDOUT_FILENO);
  bool gone = false;
  for (;;)
    {
      int r = reap (fg, pid, &gone, ret_status);
      if (r < 0)
        return r;
      if (gone)
        break;

      struct pollfd fds[6] = { { .fd = signals, .events = POLLIN } };
      relay_want (&input, fds + 1);
      relay_want (&output, fds + 3);
      fds[5] = (struct pollfd){ .fd = fg->notify != NULL ? fg->notify->socket : -1, .events = POLLIN };
      if (poll (fds, 6, -1) < 0)
        {
          if (errno != EINTR)
            return -errno;
          continue;
        }
      relay_step (&input, fds + 1);
      relay_step (&output, fds + 3);
      if (output.broken && fg->master >= 0)
        hang_up (fg, &input, &output);
      if (fds[5].revents != 0)
        take_notice (fg);
      if (fds[0].revents != 0)
        read_signals (fg, signals, pidfd);
    }
  take_notice (fg);
  relay_drain (&output);
  return 0;
}

int
foreground_wait (struct foreground *fg, pid_t pid, int pidfd, struct error *err)
{
  sigset_t wanted;
  blocked_signals (&wanted);
  FD_CLEANUP int signals = signalfd (-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signals < 0)
    return error_sys (err, errno, "make a signalfd");

  int status = 0;
  int r = wait_and_relay (fg, signals, pid, pidfd, &status);
  if (r < 0)
    return error_sys (err, r, "wait for process %d", (int) pid);
  return WIFSIGNALED (status) ? 128 + WTERMSIG (status) : WEXITSTATUS (status);
}

void
foreground_end (struct foreground *fg)
{
  terminal_restore (&fg->terminal);
  fg->slave = fd_close (fg->slave);
  fg->master = fd_close (fg->master);
  if (fg->begun)
    {
      /* A signal that came too late to be forwarded was not meant for us.  */
      const struct timespec at_once = { 0 };
      sigset_t blocked;
      blocked_signals (&blocked);
      while (sigtimedwait (&blocked, NULL, &at_once) > 0)
        ;
      sigaction (SIGCHLD, &fg->child, NULL);
      sigprocmask (SIG_SETMASK, &fg->mask, NULL);
    }
  fg->begun = false;
}
