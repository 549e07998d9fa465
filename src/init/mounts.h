/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the operations on mounts share.  */
#pragma once

#include "init/init.h"

/* "/proc/self/fd/FD" of the host's procfs, for system calls that know only paths.  */
int fd_path (struct init *init, int fd, char *to, size_t size);

/* mount_setattr(2) on the mount of FD, which has its place, or the same without that call.  -1 and errno.  */
int mount_attributes (struct init *init, int fd, const struct plan_attributes *attributes);

/* Mounts the detached TREE on FD with ATTRIBUTES; before Linux 5.12, where a mount has to have a place first, they come
 * a moment after it.  -1 and errno.  */
int mount_place (struct init *init, int tree, int fd, const struct plan_attributes *attributes);

/* The attributes (MOUNT_ATTR_*) that the mount of FD has.  -1 and errno.  */
int mount_attributes_of (int fd, uint64_t *ret);

/* A detached copy of the mount that FD stands for; FLAGS may be AT_RECURSIVE.  -1 and errno.  */
int mount_clone (int fd, unsigned flags);

/* A new file system, not mounted anywhere yet; of FLAGS (MS_*) those that are the file system's own, not the mount's.
 * -1 and errno.  */
int mount_detached (const char *type, const char *source, const char *data, uint64_t flags, uint64_t attributes);

/* Fills the directory TO, which nobody else can reach, with a copy of what is in the directory FROM, whose path is
 * PATH. Reports failures.  */
int copy_up (struct init *init, const char *path, int from, int to);

/* mount(2) of M with DATA failed with errno: reports it, with the file system's own words where the kernel gives them.
 */
int mount_explain (struct init *init, const struct plan_mount *m, const char *data);
