/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* System calls that Debian 12's libc does not wrap, and their fallbacks.  Each returns what the kernel does: -1 and
 * errno.  Nowhere else does the runtime call syscall(2).  (init has its own: src/init/sys.h.)  */
#pragma once

#include <linux/sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct mount_attr;

/* openat2(2): PATH below DIRFD, with RESOLVE as in linux/openat2.h.  There is no fallback here: -1 and ENOSYS where the
 * kernel is older than 5.6.  O_CLOEXEC is added.  EAGAIN (a rename raced with "..") is tried again, but not for ever.
 */
int sys_openat2 (int dirfd, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve);

/* pidfd_open(2), pidfd_getfd(2), pidfd_send_signal(2).  */
int sys_pidfd_open (pid_t pid, unsigned flags);
int sys_pidfd_getfd (int pidfd, int fd, unsigned flags);
int sys_pidfd_send_signal (int pidfd, int sig, siginfo_t *info, unsigned flags);

/* open_tree(2); mount_setattr(2) on what FD stands for.  */
int sys_open_tree (int dirfd, const char *path, unsigned flags);
int sys_mount_setattr (int fd, unsigned flags, const struct mount_attr *attr);

/* clone(2) as fork(2), with FLAGS.  The child is a copy of a process that may have had threads: it makes system calls
 * only.  */
pid_t sys_clone (unsigned long flags);

/* seccomp(2).  */
int sys_seccomp (unsigned operation, unsigned flags, void *args);

/* bpf(2).  ATTR is a union bpf_attr.  */
int sys_bpf (int cmd, void *attr, size_t size);
