/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* System calls without a wrapper in libc.  */
#include "base/syscalls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif

int
sys_openat2 (int dirfd, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve)
{
  struct open_how how = { .flags = flags | O_CLOEXEC, .mode = mode, .resolve = resolve };
  enum
  {
    TRIES = 64
  };
  long fd;
  int tries = 0;
  do
    fd = syscall (SYS_openat2, dirfd, path, &how, sizeof how);
  while (fd < 0 && errno == EAGAIN && ++tries < TRIES);
  return (int) fd;
}

int
sys_pidfd_open (pid_t pid, unsigned flags)
{
  return (int) syscall (SYS_pidfd_open, pid, flags);
}

int
sys_pidfd_send_signal (int pidfd, int sig, siginfo_t *info, unsigned flags)
{
  return (int) syscall (SYS_pidfd_send_signal, pidfd, sig, info, flags);
}

int
sys_seccomp (unsigned operation, unsigned flags, void *args)
{
  return (int) syscall (SYS_seccomp, operation, flags, args);
}

int
sys_bpf (int cmd, void *attr, size_t size)
{
  return (int) syscall (SYS_bpf, cmd, attr, size);
}

int
sys_open_tree (int dirfd, const char *path, unsigned flags)
{
  return (int) syscall (SYS_open_tree, dirfd, path, flags);
}

int
sys_mount_setattr (int fd, unsigned flags, const struct mount_attr *attr)
{
  return (int) syscall (SYS_mount_setattr, fd, "", flags | AT_EMPTY_PATH, attr, sizeof *attr);
}

pid_t
sys_clone (unsigned long flags)
{
  return (pid_t) syscall (SYS_clone, flags, 0, 0, 0, 0);
}

int
sys_pidfd_getfd (int pidfd, int fd, unsigned flags)
{
  return (int) syscall (SYS_pidfd_getfd, pidfd, fd, flags);
}
