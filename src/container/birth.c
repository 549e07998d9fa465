/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the child does between clone and exec is done with system calls alone: it shares nothing, but it is a copy of a
 * process that may have had threads.  */
#include "container/birth.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/syscalls.h"
#include "container/init_image.h"
#include "plan/wire.h"

/* A copy of init that nobody can reach or change: a sealed memory file, or where those may not be executed
 * (vm.memfd_noexec=2) a file without a name.  */
static int
init_image (int scratch, struct error *err)
{
  size_t size = (size_t) (thole_init_image_end - thole_init_image);
  int file, fd = fd_sealed_copy ("thole-init", thole_init_image, size, true);
  char path[64];

  if (fd >= 0)
    return fd;
  if (fd != -EACCES)
    return error_sys (err, fd, "make a memory file for init");
  file = openat (scratch, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0500);
  if (file < 0)
    return error_sys (err, errno,
                      "make a file for init in the state directory (vm.memfd_noexec forbids a memory file)");
  fd = fd_write_all (file, thole_init_image, size);
  if (fd == 0)
    {
      /* A file that is open for writing cannot be executed.  */
      snprintf (path, sizeof path, "/proc/self/fd/%d", file);
      fd = open (path, O_RDONLY | O_CLOEXEC);
      if (fd < 0)
        fd = -errno;
    }
  fd_close (file);
  return fd >= 0 ? fd : error_sys (err, fd, "write init into the state directory");
}

static void
keep (int fd)
{
  if (fd >= 0)
    fcntl (fd, F_SETFD, 0);
}

/* The end of a child that cannot become init: WHAT failed with errno.  */
static _Noreturn void
die (struct plan_report *report, const char *what)
{
  report->error = errno;
  snprintf (report->what, sizeof report->what, "%s", what);
  __atomic_store_n (&report->failure, PLAN_FAILURE_BIRTH, __ATOMIC_RELEASE);
  _exit (125);
}

/* Marks what is open from LOWEST on close-on-exec, one by one, where close_range(2) does not do it (before Linux 5.11).
 * The limit on descriptors may be a thousand million, or lower than what is open; so the kernel is asked.  */
static int
mark_each (int lowest)
{
  int dir = open ("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  _Alignas(struct dirent64) char entries[2048];
  ssize_t length;

  if (dir < 0)
    return -1;
  while ((length = getdents64 (dir, entries, sizeof entries)) > 0)
    for (ssize_t at = 0; at < length;)
      {
        const struct dirent64 *entry = (const void *) (entries + at);
        int fd = atoi (entry->d_name); /* "." and ".." are 0 */

        if (fd >= lowest && fcntl (fd, F_SETFD, FD_CLOEXEC) < 0)
          return -1;
        at += entry->d_reclen;
      }
  close (dir);
  return (int) length;
}

/* The child: becomes init.  With a user namespace it waits for its ids first, since exec without them would cost the
 * capabilities that it has there.  */
static _Noreturn void
become_init (const struct plan_header *header, const struct birth *birth, int image, int plan)
{
  char number[16], *argv[] = { (char *) "thole-init", number, NULL }, *envp[] = { NULL };
  const int32_t *fds = (const int32_t *) (const void *) ((const char *) header + header->fds);
  struct plan_message message;

  snprintf (number, sizeof number, "%d", plan);
  if (birth->flags & CLONE_NEWUSER)
    {
      /* The runtime's end is open here, too, until exec: then the runtime's death would not be seen.  */
      close (birth->control);
      errno = EPIPE;
      if (recv (fds[PLAN_FD_CONTROL], &message, sizeof message, MSG_PEEK) != sizeof message)
        die (birth->report, "recv");
      if (syscall (SYS_setresgid, 0, 0, 0) < 0)
        die (birth->report, "setresgid");
      if (syscall (SYS_setresuid, 0, 0, 0) < 0)
        die (birth->report, "setresuid");
    }
  /* Whatever else is open here is not for init: the caller's, a library's, a thread's.  */
  if (syscall (SYS_close_range, 3 + header->preserved, ~0u, CLOSE_RANGE_CLOEXEC) < 0
      && mark_each (3 + (int) header->preserved) < 0)
    die (birth->report, "mark what is open close-on-exec");
  keep (plan);
  for (uint32_t i = 0; i < header->fd_count; i++)
    keep (fds[i]);
  syscall (SYS_execveat, image, "", argv, envp, AT_EMPTY_PATH);
  die (birth->report, "execveat");
}

/* clone3(2), or clone(2) where that is missing; into the cgroup where the kernel can do that, and its pids limit lets
 * anybody be born there: who is moved into it is not asked.  */
static pid_t
clone_child (struct birth *birth)
{
  struct clone_args args = {
    .flags = birth->flags | CLONE_PIDFD,
    .pidfd = (uintptr_t) &birth->pidfd,
    .exit_signal = SIGCHLD,
  };
  pid_t pid = -1;

  if (birth->cgroup >= 0)
    {
      args.flags |= CLONE_INTO_CGROUP;
      args.cgroup = (uint64_t) birth->cgroup;
      pid = (pid_t) syscall (SYS_clone3, &args, sizeof args);
      birth->in_cgroup = pid >= 0;
      args.flags &= ~(uint64_t) CLONE_INTO_CGROUP;
      args.cgroup = 0;
      if (pid >= 0 || (errno != EINVAL && errno != E2BIG && errno != ENOSYS && errno != EOPNOTSUPP && errno != EAGAIN))
        return pid;
    }
  pid = (pid_t) syscall (SYS_clone3, &args, sizeof args);
  /* clone(2) has the exit signal where clone3(2) has CLONE_NEWTIME.  */
  if (pid >= 0 || errno != ENOSYS || (birth->flags & 0xff))
    return pid;
  pid = (pid_t) syscall (SYS_clone, birth->flags | SIGCHLD, 0, 0, 0, 0);
  if (pid > 0)
    birth->pidfd = sys_pidfd_open (pid, 0);
  return pid;
}

int
birth_give (struct birth *birth, const struct plan_header *header, int scratch, struct error *err)
{
  FD_CLEANUP int image = init_image (scratch, err), plan = -1;
  int saved;

  if (image < 0)
    return image;
  plan = fd_sealed_copy ("thole-plan", header, header->size, false);
  if (plan < 0)
    return error_sys (err, plan, "make a memory file for the plan");
  birth->pid = clone_child (birth);
  if (birth->pid == 0)
    become_init (header, birth, image, plan);
  saved = errno;
  if (birth->pid > 0)
    return 0;
  error_sys (err, saved, "clone init into its namespaces");
  if (saved == ENOSPC || saved == EUSERS)
    error_hint (err, "the limit on namespaces is reached: see /proc/sys/user/max_*_namespaces");
  return -saved;
}
