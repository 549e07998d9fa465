/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The foreground of `run`: what stands between the caller and a container while that runs.
 *
 *     FOREGROUND_CLEANUP struct foreground fg = FOREGROUND_INIT;
 *     foreground_begin (&fg, subreaper, err);         before anything is created
 *     ... create the container; when a terminal came:
 *     foreground_terminal (&fg, &master, err);        before START
 *     ... START
 *     status = foreground_wait (&fg, pid, pidfd, err);
 *
 * Signals are blocked from begin to end, so one that comes while the container is being created is not lost but
 * forwarded once it runs.  SIGKILL, SIGSTOP and job control (SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT) stay ours; SIGWINCH
 * resizes when there is a terminal; SIGPIPE is blocked and dropped.  */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#include "container/terminal.h"

struct error;
struct notify;

struct foreground
{
  bool begun;
  bool subreaper;         /* orphans of the container come to us, and are reaped */
  sigset_t mask;          /* to restore */
  struct sigaction child; /* SIGCHLD's disposition to restore: an ignored one would reap behind our back */
  struct terminal terminal;
  int master;            /* of the container's pty, owned; -1: it has our standard descriptors */
  int slave;             /* its other side, held open, owned */
  struct notify *notify; /* the program's word that it is ready, borrowed; NULL: nobody waits for it */
};

#define FOREGROUND_INIT                                                                                                \
  {                                                                                                                    \
    .terminal = TERMINAL_INIT, .master = -1, .slave = -1                                                               \
  }

/* Blocks the signals and, if asked for, becomes a subreaper.  */
int foreground_begin (struct foreground *fg, bool subreaper, struct error *err);

/* Takes over the container's terminal: *MASTER (which becomes -1) is relayed to standard input and output, our own
 * terminal, if any, becomes raw and gives its size.  */
int foreground_terminal (struct foreground *fg, int *master, struct error *err);

/* Waits until PID, a child of ours, exits; meanwhile forwards signals over PIDFD and relays the terminal, whose last
 * output is still read afterwards.  Reaps PID, and other children if we are a subreaper.  Returns the exit status,
 * 128 + signal if it was killed by one, or a negative errno.  Waits as long as the program runs: the one wait without
 * a deadline.  */
int foreground_wait (struct foreground *fg, pid_t pid, int pidfd, struct error *err);

/* Restores the terminal, the signal mask and disposition; closes the master.  May be called always and twice.  */
void foreground_end (struct foreground *fg);
#define FOREGROUND_CLEANUP __attribute__ ((cleanup (foreground_end)))
