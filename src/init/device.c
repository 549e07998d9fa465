/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What stands in /dev, and what is covered: device nodes, links, masked and read-only paths.
 *
 * What is found where a node should be is checked for type and number, never followed and never replaced: an image may
 * bring its own /dev, and a link there would lead anywhere.  */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "init/init.h"
#include "init/mounts.h"
#include "init/sys.h"

/* Whether ST is the node that D describes.  */
static bool
same_device (const struct stat *st, const struct plan_device *d)
{
  return (st->st_mode & S_IFMT) == (d->mode & S_IFMT)
         && (S_ISFIFO (st->st_mode) || st->st_rdev == makedev (d->major, d->minor));
}

/* Where nodes cannot be made, in a user namespace, the host's node of the same path is mounted.  */
static int
bind_device (struct init *init, const struct plan_device *d, int parent, const char *name)
{
  const char *path = plan_text (init, d->path);
  struct stat st;
  int tree, fd;

  tree = sys_open_tree (AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);
  if (tree < 0 || fstat (tree, &st) < 0)
    return fail_errno (init, "open_tree", path);
  if (!same_device (&st, d))
    return fail (init, PLAN_FAILURE_MISMATCH, EEXIST, "stat", path);
  fd = openat (parent, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0644);
  if (fd < 0)
    return fail_errno (init, "create", path);
  close (fd);
  fd = openat (parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0 || sys_move_mount (tree, fd) < 0)
    return fail_errno (init, "move_mount", path);
  close (fd);
  close (tree);
  return 0;
}

/* Gives the node that we have just made to its owner: what is there now must still be that node, since in a volume that
 * others have, too, it may be anything.  */
static int
give_device (struct init *init, const struct plan_device *d, int parent, const char *name)
{
  const char *path = plan_text (init, d->path);
  int fd = openat (parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  struct stat st;

  if (fd < 0 || fstat (fd, &st) < 0)
    return fail_errno (init, "open", path);
  if (!same_device (&st, d))
    return fail (init, PLAN_FAILURE_MISMATCH, EEXIST, "chown", path);
  if (fchownat (fd, "", d->uid, d->gid, AT_EMPTY_PATH) < 0)
    return fail_errno (init, "chown", path);
  close (fd);
  return 0;
}

int
op_device (struct init *init, const struct plan_op *op)
{
  const struct plan_device *d = &op->device;
  const char *path = plan_text (init, d->path), *name;
  int result = 0, parent = root_parent (init, path, &name);
  struct stat st;

  if (parent < 0)
    return -1;
  if (mknodat (parent, name, d->mode, makedev (d->major, d->minor)) == 0)
    result = d->uid || d->gid ? give_device (init, d, parent, name) : 0;
  else if (errno == EEXIST)
    {
      if (fstatat (parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        result = fail_errno (init, "stat", path);
      else if (!same_device (&st, d))
        result = fail (init, PLAN_FAILURE_MISMATCH, EEXIST, "mknod", path);
    }
  else if (errno == EPERM)
    result = bind_device (init, d, parent, name);
  else
    result = fail_errno (init, "mknod", path);
  return result;
}

int
op_symlink (struct init *init, const struct plan_op *op)
{
  const char *path = plan_text (init, op->symlink.path), *name;
  int result = 0, parent = root_parent (init, path, &name);

  if (parent < 0)
    return -1;
  /* What the image or a mount has put there is left alone.  */
  if (symlinkat (plan_text (init, op->symlink.target), parent, name) < 0 && errno != EEXIST && errno != EROFS)
    result = fail_errno (init, "symlink", path);
  return result;
}

/* Opens the host's /dev/null, having checked that it is that.  */
static int
open_null (struct init *init)
{
  struct stat st;

  init->null = open ("/dev/null", O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (init->null < 0 || fstat (init->null, &st) < 0)
    return fail_errno (init, "open", "/dev/null");
  if (!S_ISCHR (st.st_mode) || st.st_rdev != makedev (1, 3))
    return fail (init, PLAN_FAILURE_MISMATCH, EEXIST, "stat", "/dev/null of the host is not the null device");
  init->host_null = true;
  return 0;
}

/* Covers the file FD with the null device, read-only, so that its mode and owner on the host cannot be changed through
 * it.  The first one made is the origin of the next.  */
static int
mask_file (struct init *init, int fd, const char *path)
{
  /* What is copied from our own mount has them already.  */
  const struct plan_attributes none = { 0 },
                               readonly = { .set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC };
  int tree;

  if (init->null < 0 && open_null (init) < 0)
    return -1;
  tree = mount_clone (init->null, 0);
  if (tree < 0)
    return fail_errno (init, "open_tree", "/dev/null");
  if (mount_place (init, tree, fd, init->host_null ? &readonly : &none) < 0)
    return fail_errno (init, "move_mount", path);
  close (init->host_null ? init->null : tree);
  if (init->host_null)
    init->null = tree;
  init->host_null = false;
  return 0;
}

/* Covers the directory FD with an empty one.  A tmpfs of its own for each path would cost a superblock with its per-CPU
 * counters each; so the first is mounted and the others are binds of it.  It is known by its descriptor from the start:
 * to look for it by PATH afterwards would be to trust a path that others may have changed.  */
static int
mask_directory (struct init *init, int fd, const char *path)
{
  static const char options[] = "size=0,nr_inodes=2,mode=755";
  int tree = init->empty >= 0
                 ? mount_clone (init->empty, 0)
                 : mount_detached ("tmpfs", "tmpfs", options, 0,
                                   MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);

  if (tree < 0)
    return fail_errno (init, "mount", path);
  if (sys_move_mount (tree, fd) < 0)
    return fail_errno (init, "move_mount", path);
  if (init->empty < 0)
    init->empty = tree;
  else
    close (tree);
  return 0;
}

int
op_mask (struct init *init, const struct plan_op *op)
{
  const char *path = plan_text (init, op->path.path);
  struct stat st;
  int result, fd = place_open (init, &op->path);

  if (fd < 0)
    return errno == ENOENT || errno == ENOTDIR ? 0 : fail_errno (init, "open", path);
  if (fstat (fd, &st) < 0)
    result = fail_errno (init, "stat", path);
  else
    result = S_ISDIR (st.st_mode) ? mask_directory (init, fd, path) : mask_file (init, fd, path);
  close (fd);
  return result;
}

int
op_readonly (struct init *init, const struct plan_op *op)
{
  const struct plan_attributes readonly = { .tree_set = MOUNT_ATTR_RDONLY };
  const char *path = plan_text (init, op->path.path);
  int tree, fd = place_open (init, &op->path);

  if (fd < 0)
    return errno == ENOENT || errno == ENOTDIR ? 0 : fail_errno (init, "open", path);
  tree = mount_clone (fd, AT_RECURSIVE);
  if (tree < 0)
    return fail_errno (init, "open_tree", path);
  if (mount_place (init, tree, fd, &readonly) < 0)
    return fail_errno (init, "move_mount", path);
  close (tree);
  close (fd);
  return 0;
}
