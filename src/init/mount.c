/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Mounts.  The target is always a descriptor below the container's root:
 *
 * | operation | system calls                                  | before Linux 5.12 (attributes.c)            |
 * |-----------|-----------------------------------------------|---------------------------------------------|
 * | mount     | openat2, fchdir, mount on "."                 |                                             |
 * | the same, | fsopen, fsconfig, fsmount, move_mount         |                                             |
 * | numbered  |                                               |                                             |
 * | the same, | fsopen, fsconfig, fsmount, the copy           |                                             |
 * | copy-up   | (copy_up.c), move_mount                       |                                             |
 * | bind      | open_tree, mount_setattr, move_mount          | open_tree, move_mount, remount by /proc     |
 * | remount   | mount_setattr                                 | mount on /proc/self/fd/N                    |
 * | rootfs    | mount over itself, on the host's path         |                                             |
 *
 * mount(2) on "." needs no path: the working directory is a descriptor, too.  It takes one call where fsopen(2),
 * fsconfig(2) and fsmount(2) take one for each option.  */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "init/init.h"
#include "init/mounts.h"
#include "init/sys.h"

#define NOBODY 65534 /* what has no id in a user namespace is shown as this */

int
fd_path (struct init *init, int fd, char *to, size_t size)
{
  char number[24];
  char *end;

  (void) size;
  if (init->proc < 0 && op_proc (init, NULL) < 0)
    return -1;
  end = copy_text (to, size, "/proc/self/fd/");
  format_number (number, fd);
  copy_text (end, 24, number);
  return 0;
}

int
op_propagation (struct init *init, const struct plan_op *op)
{
  /* Before the root is there it is about the host's mounts, as we see them.  */
  if (init->root >= 0 && fchdir (init->root) < 0)
    return fail_errno (init, "fchdir", "/");
  return mount (NULL, init->root < 0 ? "/" : ".", NULL, op->propagation.flags, NULL) < 0
             ? fail_errno (init, "mount", "/")
             : 0;
}

int
op_rootfs (struct init *init, const struct plan_op *op)
{
  const char *path = plan_text (init, op->bind.source);

  /* pivot_root(2) wants a mount point.  */
  if (op->bind.recursive && mount (path, path, NULL, MS_BIND | MS_REC, NULL) < 0)
    return fail_errno (init, "mount", path);
  init->root = open (path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  return init->root < 0 ? fail_errno (init, "open", path) : 0;
}

/* Sets the propagation of the mount of FD, which has its place.  */
static int
set_propagation (struct init *init, int fd, uint64_t flags)
{
  struct mount_attr attr = { .propagation = flags & ~(uint64_t) MS_REC };
  char path[64];

  if (sys_mount_setattr (fd, AT_EMPTY_PATH | (flags & MS_REC ? AT_RECURSIVE : 0), &attr) == 0)
    return 0;
  if (errno != ENOSYS || fd_path (init, fd, path, sizeof path) < 0)
    return -1;
  return mount (NULL, path, NULL, flags, NULL);
}

/* Adds the option KEY and its VALUE to the list from START to END, in octal digits if it is a mode.  The new end.  */
static char *
add_option (const char *start, char *end, const char *key, uint32_t value, bool mode)
{
  if (end != start)
    *end++ = ',';
  end = copy_text (end, 8, key);
  if (!mode)
    return format_number (end, value);
  for (int shift = 9; shift >= 0; shift -= 3)
    *end++ = (char) ('0' + ((value >> shift) & 7));
  *end = '\0';
  return end;
}

/* A tmpfs that says nothing about its mode and owner takes those of the directory it covers; owners are root without
 * saying so.  Returns DATA with them, in TO; NULL and errno.  */
static const char *
with_inherited (const struct plan_mount *m, int target, const char *data, char *to, size_t size)
{
  struct stat st;
  char *end = copy_text (to, size - sizeof ",mode=0755,uid=4294967295,gid=4294967295" + 1, data ? data : "");
  uid_t nobody = m->inherit_owner == PLAN_INHERIT_MAPPED_OWNER ? NOBODY : 0;

  if (fstat (target, &st) < 0)
    return NULL;
  if (m->inherit_mode)
    end = add_option (to, end, "mode=", st.st_mode, true);
  if (m->inherit_owner && st.st_uid && st.st_uid != nobody)
    end = add_option (to, end, "uid=", st.st_uid, false);
  if (m->inherit_owner && st.st_gid && st.st_gid != nobody)
    end = add_option (to, end, "gid=", st.st_gid, false);
  return to;
}

/* Mounts on FD what of the host stands in for a file system that may not be mounted here.  -1 and EPERM.  */
static int
stand_in (struct init *init, const struct plan_mount *m, int fd)
{
  const struct plan_attributes attributes = { .tree_set = m->attributes };
  int tree
      = sys_open_tree (AT_FDCWD, plan_text (init, m->fallback), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);

  if (tree >= 0 && mount_place (init, tree, fd, &attributes) == 0)
    return tree;
  if (tree >= 0)
    close (tree);
  errno = EPERM;
  return -1;
}

/* M's attributes where nothing stands in, which may be read-only when M is not.  */
static uint64_t
own_attributes (const struct plan_mount *m)
{
  uint64_t others = m->attributes & ~(uint64_t) MOUNT_ATTR_RDONLY;

  return m->flags & MS_RDONLY ? others | MOUNT_ATTR_RDONLY : others;
}

/* Mounts M on the directory FD and returns 0, or a descriptor if the mount is known by one.  Reports failures.  */
static int
mount_on (struct init *init, const struct plan_mount *m, const char *data, int fd)
{
  const char *type = plan_text (init, m->type), *source = plan_text (init, m->source);
  int tree = -1;

  if (m->number)
    tree = mount_detached (type, source, data, m->flags, m->attributes);
  else if (fchdir (fd) == 0 && mount (source, ".", type, m->flags, data) == 0)
    return 0;
  /* mount(2) puts no file system on itself; a /sys that stands in has the host's cgroups on it.  */
  if (tree < 0 && errno == EBUSY)
    tree = mount_detached (type, source, data, m->flags, own_attributes (m));
  if (tree >= 0 && sys_move_mount (tree, fd) < 0)
    tree = -1;
  else if (tree < 0 && errno == EPERM && m->fallback)
    tree = stand_in (init, m, fd);
  return tree >= 0 ? tree : mount_explain (init, m, data);
}

/* The same with a copy of what M covers, which is all there before it can be seen.  */
static int
mount_copy_on (struct init *init, const struct plan_mount *m, const char *data, int fd)
{
  const char *type = plan_text (init, m->type), *source = plan_text (init, m->source);
  const char *target = plan_text (init, m->target);
  uint64_t kept;
  int tree;

  if (mount_attributes_of (fd, &kept) < 0)
    return fail_errno (init, "statfs", target);
  tree = mount_detached (type, source, data, m->flags, m->attributes | (kept & m->keep));
  if (tree < 0)
    return mount_explain (init, m, data);
  if (copy_up (init, target, fd, tree) < 0)
    return -1;
  return sys_move_mount (tree, fd) == 0 ? tree : fail_errno (init, "move_mount", target);
}

/* How the last component of a target is looked up.  */
static int
target_flags (uint64_t options)
{
  return options & PLAN_MOUNT_TARGET_NOFOLLOW ? O_NOFOLLOW : 0;
}

int
op_mount (struct init *init, const struct plan_op *op)
{
  const struct plan_mount *m = &op->mount;
  const char *target = plan_text (init, m->target);
  const char *data = plan_text (init, m->data);
  char buffer[4096];
  int tree, fd;

  root_forget (init);
  fd = root_make (init, target, MAKE_DIRECTORY, target_flags (m->options));
  if (fd < 0)
    return -1;
  if (m->inherit_mode || m->inherit_owner)
    {
      data = with_inherited (m, fd, data, buffer, sizeof buffer);
      if (!data)
        return fail_errno (init, "stat", target);
    }
  tree = m->options & PLAN_MOUNT_COPY_UP ? mount_copy_on (init, m, data, fd) : mount_on (init, m, data, fd);
  if (tree < 0)
    return -1;
  close (fd);
  /* Where it is not known by a descriptor it has to be looked up.  */
  if (tree == 0 && m->propagation)
    tree = root_open (init, target, O_PATH | O_DIRECTORY);
  if (tree < 0 || (m->propagation && set_propagation (init, tree, m->propagation) < 0))
    return fail_errno (init, "mount", target);
  if (m->number)
    init->mounts[m->number] = tree;
  else if (tree > 0)
    close (tree);
  return 0;
}

int
mount_clone (int from, unsigned flags)
{
  return sys_open_tree (from, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags);
}

/* A detached copy of B's source, made here or by the runtime.  -1 and errno.  */
static int
bind_source (struct init *init, const struct plan_bind *b)
{
  unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;

  if (b->fd && init->fds[b->fd] >= 0)
    return init->fds[b->fd];
  if (b->recursive)
    flags |= AT_RECURSIVE;
  if (b->options & (PLAN_MOUNT_COPY_SYMLINK | PLAN_MOUNT_SOURCE_NOFOLLOW))
    flags |= AT_SYMLINK_NOFOLLOW;
  return sys_open_tree (AT_FDCWD, plan_text (init, b->source), flags);
}

/* Makes at TARGET the same link as LINK, which may be there already, and nothing else.  */
static int
copy_symlink (struct init *init, int link, const char *target)
{
  char text[4096], there[4096];
  const char *name;
  int parent = root_parent (init, target, &name), error;
  ssize_t length, n;

  if (parent < 0)
    return -1;
  /* Longer than this no link is (PATH_MAX).  */
  length = readlinkat (link, "", text, sizeof text - 1);
  if (length < 0)
    return fail_errno (init, "readlink", target);
  text[length] = '\0';
  if (symlinkat (text, parent, name) == 0)
    return 0;
  error = errno;
  n = readlinkat (parent, name, there, sizeof there);
  if (n == length && memcmp (there, text, (size_t) n) == 0)
    return 0;
  return error == EEXIST ? fail (init, PLAN_FAILURE_MISMATCH, EEXIST, "symlink", target)
                         : fail (init, PLAN_FAILURE_SYSTEM, error, "symlink", target);
}

int
op_bind (struct init *init, const struct plan_op *op)
{
  const struct plan_bind *b = &op->bind;
  const char *source = plan_text (init, b->source), *target = plan_text (init, b->target);
  int tree = bind_source (init, b), fd;
  bool directory;
  struct stat st;

  if (tree < 0 || fstat (tree, &st) < 0)
    return fail_errno (init, "open_tree", source);
  if (S_ISLNK (st.st_mode) && (b->options & PLAN_MOUNT_COPY_SYMLINK))
    {
      int result = copy_symlink (init, tree, target);

      close (tree);
      return result;
    }
  directory = S_ISDIR (st.st_mode);

  root_forget (init);
  fd = root_make (init, target, directory ? MAKE_DIRECTORY : MAKE_FILE, target_flags (b->options));
  if (fd < 0)
    return -1;
  if (fstat (fd, &st) < 0 || S_ISDIR (st.st_mode) != directory)
    return fail (init, PLAN_FAILURE_SYSTEM, directory ? ENOTDIR : EISDIR, "mount", target);
  /* First the attributes, then the place: there is no moment at which it can be reached without them.  */
  if (mount_place (init, tree, fd, &b->attributes) < 0)
    return fail_errno (init, "move_mount", target);
  if ((b->inherited && set_propagation (init, tree, MS_REC | b->inherited) < 0)
      || (b->propagation && set_propagation (init, tree, b->propagation) < 0))
    return fail_errno (init, "mount_setattr", target);
  if (b->number)
    init->mounts[b->number] = tree;
  else
    close (tree);
  close (fd);
  return 0;
}

int
op_remount (struct init *init, const struct plan_op *op)
{
  const char *target = plan_text (init, op->remount.target);
  int fd = root_open (init, target, O_PATH);

  if (fd < 0)
    return fail_errno (init, "open", target);
  if (mount_attributes (init, fd, &op->remount.attributes) < 0)
    return fail_errno (init, "mount_setattr", target);
  if (op->remount.propagation && set_propagation (init, fd, op->remount.propagation) < 0)
    return fail_errno (init, "mount_setattr", target);
  close (fd);
  return 0;
}

int
op_pivot (struct init *init, const struct plan_op *op)
{
  if (fchdir (init->root) < 0)
    return fail_errno (init, "fchdir", "the root file system");
  switch (op->pivot.kind)
    {
    case PLAN_PIVOT_ROOT:
      /* The old root is put on top of the new one, and off it again, see pivot_root(2): no directory is needed for it.
       */
      if (sys_pivot_root (".", ".") < 0)
        return fail_errno (init, "pivot_root", NULL);
      if (umount2 (".", MNT_DETACH) < 0)
        return fail_errno (init, "umount2", "the old root");
      break;
    case PLAN_PIVOT_MOVE:
      if (mount (".", "/", NULL, MS_MOVE, NULL) < 0)
        return fail_errno (init, "mount", "MS_MOVE to /");
      /* fall through */
    default:
      if (chroot (".") < 0)
        return fail_errno (init, "chroot", NULL);
    }
  return chdir ("/") < 0 ? fail_errno (init, "chdir", "/") : 0;
}
