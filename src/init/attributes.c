/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The attributes of mounts: by mount_setattr(2), or before Linux 5.12 by a remount of each mount, which must have its
 * place for that.  A remount sets all flags at once, so those that are not to change are asked for before: in a user
 * namespace some are locked, and the kernel refuses to be without them.  */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/statfs.h>

#include "init/mount_tree.h"
#include "init/mounts.h"
#include "init/sys.h"

#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256
#endif

#define ATIME_FLAGS ((unsigned long) (MS_NOATIME | MS_RELATIME | MS_STRICTATIME))

/* How often a tree is looked at that others are changing.  */
#define TRIES 64

/* An attribute as mount_setattr(2), mount(2) and statfs(2) have it.  */
static const struct
{
  uint64_t attribute;
  unsigned long flag, shown;
} rows[] = {
  { MOUNT_ATTR_RDONLY, MS_RDONLY, 1 },
  { MOUNT_ATTR_NOSUID, MS_NOSUID, 2 },
  { MOUNT_ATTR_NODEV, MS_NODEV, 4 },
  { MOUNT_ATTR_NOEXEC, MS_NOEXEC, 8 },
  { MOUNT_ATTR_NODIRATIME, MS_NODIRATIME, 2048 },
  { MOUNT_ATTR_NOSYMFOLLOW, MS_NOSYMFOLLOW, 8192 },
};

static unsigned long
attributes_to_flags (uint64_t attributes)
{
  unsigned long flags = 0;

  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (attributes & rows[i].attribute)
      flags |= rows[i].flag;
  return flags;
}

int
mount_attributes_of (int fd, uint64_t *ret)
{
  struct statfs sfs;
  uint64_t attributes = 0;

  if (fstatfs (fd, &sfs) < 0)
    return -1;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if ((unsigned long) sfs.f_flags & rows[i].shown)
      attributes |= rows[i].attribute;
  attributes |= sfs.f_flags & 1024   ? MOUNT_ATTR_NOATIME
                : sfs.f_flags & 4096 ? MOUNT_ATTR_RELATIME
                                     : MOUNT_ATTR_STRICTATIME;
  *ret = attributes;
  return 0;
}

static unsigned long
atime_to_flags (uint64_t attributes)
{
  switch (attributes & MOUNT_ATTR__ATIME)
    {
    case MOUNT_ATTR_NOATIME:
      return MS_NOATIME;
    case MOUNT_ATTR_STRICTATIME:
      return MS_STRICTATIME;
    default:
      return MS_RELATIME;
    }
}

/* Remounts the mount of FD, which has its place, with A's attributes for all mounts of a tree, and those for its top if
 * it is that.  */
static int
remount (struct init *init, int fd, const struct plan_attributes *a, bool top)
{
  uint64_t attributes, now;
  char path[64];

  if (fd_path (init, fd, path, sizeof path) < 0 || mount_attributes_of (fd, &attributes) < 0)
    return -1;
  attributes = (attributes & ~a->tree_clear) | a->tree_set;
  if (top)
    attributes = (attributes & ~a->clear) | a->set;
  if (mount (NULL, path, NULL, MS_REMOUNT | MS_BIND | attributes_to_flags (attributes) | atime_to_flags (attributes),
             NULL)
      < 0)
    return -1;
  /* mount(2) passes over what it does not know.  */
  if (!(attributes & MOUNT_ATTR_NOSYMFOLLOW))
    return 0;
  return mount_attributes_of (fd, &now) < 0 ? -1 : now & MOUNT_ATTR_NOSYMFOLLOW ? 0 : (errno = EOPNOTSUPP, -1);
}

static int
remount_below (struct init *init, const struct mount_tree *tree, const struct plan_attributes *a)
{
  for (size_t i = 1; i < tree->count; i++)
    {
      int fd, found = mount_tree_open (init, tree, i, &fd), result;

      if (found == 0)
        continue;
      result = found < 0 ? -1 : remount (init, fd, a, false);
      if (found > 0)
        close (fd);
      if (result < 0)
        return -1;
    }
  return 0;
}

static int
remount_tree (struct init *init, int fd, const struct plan_attributes *a)
{
  struct mount_tree tree;
  int result = remount (init, fd, a, true);

  if (result < 0 || !(a->tree_set | a->tree_clear))
    return result;
  result = -1;
  errno = EAGAIN;
  for (int i = 0; i < TRIES && result < 0 && errno == EAGAIN; i++)
    {
      if (mount_tree_read (init, fd, &tree) < 0)
        return -1;
      result = remount_below (init, &tree, a);
      mount_tree_free (&tree);
    }
  return result;
}

static int
set_attributes (int fd, const struct plan_attributes *a)
{
  struct mount_attr one = { .attr_set = a->set, .attr_clr = a->clear };
  struct mount_attr tree = { .attr_set = a->tree_set, .attr_clr = a->tree_clear };

  if ((tree.attr_set | tree.attr_clr) && sys_mount_setattr (fd, AT_EMPTY_PATH | AT_RECURSIVE, &tree) < 0)
    return -1;
  return (one.attr_set | one.attr_clr) ? sys_mount_setattr (fd, AT_EMPTY_PATH, &one) : 0;
}

int
mount_attributes (struct init *init, int fd, const struct plan_attributes *a)
{
  int result = set_attributes (fd, a);

  return result < 0 && errno == ENOSYS ? remount_tree (init, fd, a) : result;
}

int
mount_place (struct init *init, int tree, int fd, const struct plan_attributes *a)
{
  bool late = set_attributes (tree, a) < 0;

  if (late && errno != ENOSYS)
    return -1;
  if (sys_move_mount (tree, fd) < 0)
    return -1;
  return late ? remount_tree (init, tree, a) : 0;
}
