/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The system calls that init needs and its small libc does not wrap.  All return -1 and errno.  */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif

static inline int
sys_openat2 (int dirfd, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve)
{
  struct open_how how = { .flags = flags, .mode = mode, .resolve = resolve };
  return (int) syscall (SYS_openat2, dirfd, path, &how, sizeof how);
}

static inline int
sys_open_tree (int dirfd, const char *path, unsigned flags)
{
  return (int) syscall (SYS_open_tree, dirfd, path, flags);
}

/* Mounts the tree FD on the place that TARGET stands for.  */
static inline int
sys_move_mount (int fd, int target)
{
  return (int) syscall (SYS_move_mount, fd, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

static inline int
sys_mount_setattr (int fd, unsigned flags, const struct mount_attr *attr)
{
  return (int) syscall (SYS_mount_setattr, fd, "", flags, attr, sizeof *attr);
}

/* The id that mountinfo has for the mount of FD, by statx(2), whose structure the libc may not have all of.  Before
 * Linux 5.8 ENOSYS.  */
static inline int
sys_mount_id (int fd, uint64_t *ret)
{
  enum
  {
    MASK_MOUNT_ID = 0x1000, /* STATX_MNT_ID */
    WORD_MOUNT_ID = 18,     /* stx_mnt_id */
  };
  union
  {
    uint32_t mask; /* of what is there */
    uint64_t words[32];
  } stx;

  if (syscall (SYS_statx, fd, "", AT_EMPTY_PATH, MASK_MOUNT_ID, &stx) < 0)
    return -1;
  if (!(stx.mask & MASK_MOUNT_ID))
    return errno = ENOSYS, -1;
  *ret = stx.words[WORD_MOUNT_ID];
  return 0;
}

static inline int
sys_fsopen (const char *type)
{
  return (int) syscall (SYS_fsopen, type, FSOPEN_CLOEXEC);
}

static inline int
sys_fsconfig (int fd, unsigned command, const char *key, const char *value)
{
  return (int) syscall (SYS_fsconfig, fd, command, key, value, 0);
}

static inline int
sys_fsmount (int fd, unsigned attributes)
{
  return (int) syscall (SYS_fsmount, fd, FSMOUNT_CLOEXEC, attributes);
}

static inline int
sys_pivot_root (const char *new_root, const char *old_root)
{
  return (int) syscall (SYS_pivot_root, new_root, old_root);
}

static inline pid_t
sys_clone3 (struct clone_args *args)
{
  return (pid_t) syscall (SYS_clone3, args, sizeof *args);
}

static inline int
sys_close_range (unsigned first, unsigned last, unsigned flags)
{
  return (int) syscall (SYS_close_range, first, last, flags);
}

static inline int
sys_pidfd_open (pid_t pid)
{
  return (int) syscall (SYS_pidfd_open, pid, 0);
}

/* PROCESS is a pidfd or a directory of /proc.  */
static inline int
sys_pidfd_send_signal (int process, int sig)
{
  return (int) syscall (SYS_pidfd_send_signal, process, sig, NULL, 0);
}
