/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From ready to started: init waits for the word to start, and loads the seccomp filter as late as it may.  */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "init/init.h"
#include "init/sys.h"

#define LISTENER_TIMEOUT_S 10

static int
drop (int fd)
{
  if (fd >= 0)
    close (fd);
  return -1;
}

/* Waits on the listening socket for somebody who says START.  One who goes away before that has changed his mind, or
 * died: the next may come.  He gets the report's descriptor first, since he has to know how it ended.  */
static int
wait_for_start (struct init *init)
{
  for (;;)
    {
      int error = 0, socket = accept4 (init->listener, NULL, NULL, SOCK_CLOEXEC);

      if (socket < 0 && (errno == EINTR || errno == ECONNABORTED))
        continue;
      if (socket < 0)
        return fail_errno (init, "accept4", "the control socket");
      if (message_send (init, socket, PLAN_PHASE_READY, 0, init->report_fd) == 0
          && message_expect (init, socket, PLAN_PHASE_START, NULL) == 0)
        {
          init->control = socket; /* its end tells him that the program runs */
          return 0;
        }
      error = init->report->error;
      close (socket);
      if (error != EPIPE && error != ECONNRESET)
        return -1;
      init->report->failure = PLAN_FAILURE_NONE;
    }
}

void
reset_signals (void)
{
  /* The kernel's struct sigaction: zeros are SIG_DFL and an empty mask.  The libc would spare signals of its own.  */
  static const uint64_t defaults[4];

  for (int sig = 1; sig <= 64; sig++)
    syscall (SYS_rt_sigaction, sig, defaults, NULL, 8);
  syscall (SYS_rt_sigprocmask, SIG_SETMASK, defaults, NULL, 8);
}

/* Whether one of the hooks after OP, startContainer's, needs the host's procfs.  */
static bool
proc_is_needed (const struct init *init, const struct plan_op *op)
{
  for (uint32_t i = init->report->op + 1; i < init->header->count; i++)
    if (hook_needs_keeper (++op))
      return true;
  return false;
}

int
op_ready (struct init *init, const struct plan_op *op)
{
  reset_signals ();
  if (message_send (init, init->control, PLAN_PHASE_READY, 0, -1) < 0)
    return -1;
  /* While it waits init holds nothing of the host: only its plan, the report and the socket.  */
  root_forget (init);
  init->root = drop (init->root);
  if (!proc_is_needed (init, op))
    init->proc = drop (init->proc);
  init->null = drop (init->null);
  init->empty = drop (init->empty);
  init->plan_fd = drop (init->plan_fd);
  for (int i = 1; i <= PLAN_MOUNTS_MAX; i++)
    init->mounts[i] = drop (init->mounts[i]);
  if (init->listener < 0)
    return message_expect (init, init->control, PLAN_PHASE_START, NULL);
  init->control = drop (init->control);
  if (wait_for_start (init) < 0)
    return -1;
  init->listener = drop (init->listener);
  return 0;
}

/* Shows the runtime the listener's number and waits until it has taken it, without a system call: even the clock is
 * read from memory (vdso(7)).  */
static int
hand_over (struct init *init, uint32_t listener)
{
  struct timespec begin, now;

  __atomic_store_n (&init->report->listener, listener + 1, __ATOMIC_RELEASE);
  clock_gettime (CLOCK_MONOTONIC, &begin);
  do
    {
      if (__atomic_load_n (&init->report->listener_taken, __ATOMIC_ACQUIRE))
        return 0;
      clock_gettime (CLOCK_MONOTONIC, &now);
    }
  while (now.tv_sec - begin.tv_sec <= LISTENER_TIMEOUT_S);
  return fail (init, PLAN_FAILURE_SYSTEM, ETIMEDOUT, "seccomp", "the runtime has not taken the listener");
}

/* Loads the filter that PLAN_PHASE_FILTER has brought.  With no_new_privs set no capability is needed for it; without,
 * the plan has left CAP_SYS_ADMIN in our sets.  It need not be dropped, by a capset that the filter might forbid:
 * execve computes the sets anew from the bounding, inheritable and ambient ones (capabilities(7)).  So after this comes
 * only execve.  */
int
op_seccomp (struct init *init, const struct plan_op *op)
{
  struct sock_fprog program = { 0 };
  struct stat st;
  long result;

  if (fstat (init->filter, &st) < 0)
    return fail_errno (init, "fstat", "the seccomp filter");
  program.len = (unsigned short) ((size_t) st.st_size / sizeof *program.filter);
  program.filter = mmap (NULL, (size_t) st.st_size, PROT_READ, MAP_PRIVATE, init->filter, 0);
  if (program.filter == MAP_FAILED)
    return fail_errno (init, "mmap", "the seccomp filter");
  if ((op->seccomp.flags & SECCOMP_FILTER_FLAG_NEW_LISTENER)
      && message_send (init, init->control, PLAN_PHASE_LISTENER, 0, -1) < 0)
    return -1;
  result = syscall (SYS_seccomp, SECCOMP_SET_MODE_FILTER, op->seccomp.flags, &program);
  if (result < 0)
    return fail_errno (init, "seccomp", NULL);
  return op->seccomp.flags & SECCOMP_FILTER_FLAG_NEW_LISTENER ? hand_over (init, (uint32_t) result) : 0;
}
