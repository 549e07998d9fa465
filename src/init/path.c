/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names below the container's root.
 *
 * The image and its volumes belong to somebody else, who may be renaming things while we work.  So a path is resolved
 * by openat2(2) with RESOLVE_IN_ROOT, all at once by the kernel, and from then on the descriptor is used, never the
 * path again. Where openat2 is missing (before Linux 5.6) walk.c does the same component by component.  */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "init/init.h"
#include "init/sys.h"
#include "init/walk.h"

#define PROC_SUPER_MAGIC 0x9fa0
#define LINKS_MAX 40

/* Opens PATH below the directory TOP, which links and `..` do not leave: RESOLVE is RESOLVE_IN_ROOT, to which TOP is
 * `/`, or RESOLVE_BENEATH, to which it is an error (EXDEV) to try.  */
static int
open_below (int top, const char *path, int flags, uint64_t resolve)
{
  static bool missing;
  int fd = -1;

  /* EAGAIN: something was renamed on the way and the kernel could not be sure that we stayed inside.  */
  for (int i = 0; i < 64 && !missing; i++)
    {
      fd = sys_openat2 (top, path, (uint64_t) (flags | O_CLOEXEC), 0, resolve | RESOLVE_NO_MAGICLINKS);
      if (fd >= 0 || errno != EAGAIN)
        break;
    }
  missing = missing || (fd < 0 && errno == ENOSYS);
  return missing ? walk_open (top, path, flags, resolve) : fd;
}

int
root_open (struct init *init, const char *path, int flags)
{
  return open_below (init->root, path, flags, RESOLVE_IN_ROOT);
}

int
place_open (struct init *init, const struct plan_path *path)
{
  const char *text = plan_text (init, path->path), *rest = text + path->prefix;
  int fd;

  if (!path->mount)
    return root_open (init, text, O_PATH);
  rest += strspn (rest, "/");
  if (!*rest)
    return fcntl (init->mounts[path->mount], F_DUPFD_CLOEXEC, 0); /* it may be a file */
  fd = open_below (init->mounts[path->mount], rest, O_PATH, RESOLVE_BENEATH);
  /* A link or `..` on the way leads out of the mount, and counts from the root.  */
  return fd < 0 && errno == EXDEV ? root_open (init, text, O_PATH) : fd;
}

/* Makes the component NAME in the directory DIR and opens it.  Following nothing: what appears there in between is not
 * ours.  */
static int
make_component (int dir, const char *name, enum make_kind kind)
{
  int fd;

  if (kind == MAKE_DIRECTORY)
    return mkdirat (dir, name, 0755) < 0 && errno != EEXIST
               ? -1
               : openat (dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  fd = openat (dir, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0644);
  if (fd < 0)
    return -1;
  close (fd);
  return openat (dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

/* Replaces in PATH, whose component [START, END) is a link in DIR to something that does not exist, that component by
 * the link's target, so that the target is made instead.  */
static int
expand_link (int dir, char *path, size_t size, size_t start, size_t end)
{
  char target[4096], name[256], rest[4096];
  ssize_t n;

  if (end - start >= sizeof name)
    return errno = ENAMETOOLONG, -1;
  memcpy (name, path + start, end - start);
  name[end - start] = '\0';
  n = readlinkat (dir, name, target, sizeof target);
  if (n < 0)
    return -1;
  if (n >= (ssize_t) sizeof target)
    return errno = ENAMETOOLONG, -1;
  copy_text (rest, sizeof rest, path + end);
  if (n > 0 && target[0] == '/')
    start = 0;
  if (start + (size_t) n + strlen (rest) >= size)
    return errno = ENAMETOOLONG, -1;
  memcpy (path + start, target, (size_t) n);
  strcpy (path + start + n, rest);
  return 0;
}

/* Opens PATH, making what is missing from the first missing component on.  PATH is changed on the way.  */
static int
make_path (struct init *init, char *path, size_t size, enum make_kind kind, int flags)
{
  for (int links = 0; links < LINKS_MAX; links++)
    {
      int dir = root_open (init, "/", O_PATH | O_DIRECTORY);
      size_t start = 0;
      bool again = false;

      while (dir >= 0 && !again)
        {
          size_t end;
          char saved;
          int next;
          bool last;

          start += strspn (path + start, "/");
          if (!path[start])
            return dir;
          end = start + strcspn (path + start, "/");
          last = path[end + strspn (path + end, "/")] == '\0';
          saved = path[end];
          path[end] = '\0';
          next = root_open (init, path, O_PATH | (last ? flags : 0));
          if (next < 0 && errno == ENOENT)
            {
              next = make_component (dir, path + start, last ? kind : MAKE_DIRECTORY);
              if (next < 0 && (errno == EEXIST || errno == ELOOP || errno == ENOTDIR))
                {
                  path[end] = saved;
                  again = expand_link (dir, path, size, start, end) == 0;
                }
            }
          if (!again)
            path[end] = saved;
          close (dir);
          dir = next;
          start = end;
        }
      if (!again)
        return dir;
    }
  return errno = ELOOP, -1;
}

/* Mostly only the last component is missing: then its parent is opened at once.  -1 and errno.  */
static int
make_last (struct init *init, const char *path, enum make_kind kind)
{
  char parent[4096];
  const char *slash = strrchr (path, '/');
  size_t length = slash ? (size_t) (slash - path) : 0;
  int dir, fd;

  if (length == 0 || length >= sizeof parent || !slash[1])
    return errno = ENOENT, -1;
  memcpy (parent, path, length);
  parent[length] = '\0';
  dir = root_open (init, parent, O_PATH | O_DIRECTORY);
  if (dir < 0)
    return -1;
  fd = make_component (dir, slash + 1, kind);
  close (dir);
  return fd;
}

int
root_make (struct init *init, const char *path, enum make_kind kind, int flags)
{
  char copy[4096];
  int fd = root_open (init, path, O_PATH | flags);

  if (fd >= 0 || errno != ENOENT)
    return fd >= 0 ? fd : fail_errno (init, "open", path);
  fd = make_last (init, path, kind);
  if (fd >= 0)
    return fd;
  /* More is missing, or a link to nothing is in the way.  */
  if (strlen (path) >= sizeof copy)
    return fail (init, PLAN_FAILURE_SYSTEM, ENAMETOOLONG, "open", path);
  copy_text (copy, sizeof copy, path);
  fd = make_path (init, copy, sizeof copy, kind, flags);
  return fd >= 0 ? fd : fail_errno (init, kind == MAKE_DIRECTORY ? "mkdir" : "create", path);
}

int
root_parent (struct init *init, const char *path, const char **ret_name)
{
  const char *slash = strrchr (path, '/');
  size_t length = slash ? (size_t) (slash - path) : 0;

  *ret_name = slash ? slash + 1 : path;
  if (length >= sizeof init->parent_path)
    return fail (init, PLAN_FAILURE_SYSTEM, ENAMETOOLONG, "open", path);
  if (init->parent >= 0 && strlen (init->parent_path) == length && memcmp (init->parent_path, path, length) == 0)
    return init->parent;
  root_forget (init);
  memcpy (init->parent_path, path, length);
  init->parent_path[length] = '\0';
  init->parent = root_make (init, length ? init->parent_path : "/", MAKE_DIRECTORY, 0);
  return init->parent;
}

void
root_forget (struct init *init)
{
  if (init->parent >= 0)
    close (init->parent);
  init->parent = -1;
}

int
op_proc (struct init *init, const struct plan_op *op)
{
  struct statfs sfs;

  (void) op;
  init->proc = open ("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (init->proc < 0 || fstatfs (init->proc, &sfs) < 0)
    return fail_errno (init, "open", "/proc");
  if (sfs.f_type != PROC_SUPER_MAGIC)
    return fail (init, PLAN_FAILURE_MISMATCH, EINVAL, "statfs", "/proc of the host is not a procfs");
  return 0;
}

int
proc_write (struct init *init, const char *file, const char *text)
{
  size_t length = strlen (text);
  ssize_t n;
  int fd = sys_openat2 (init->proc, file, O_WRONLY | O_CLOEXEC, 0,
                        RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_BENEATH);

  if (fd < 0 && errno == ENOSYS)
    fd = openat (init->proc, file, O_WRONLY | O_CLOEXEC);
  if (fd < 0)
    return fail_errno (init, "open", file);
  n = write (fd, text, length);
  if (n != (ssize_t) length)
    {
      if (n >= 0)
        errno = EIO;
      fail_errno (init, "write", file);
      close (fd);
      return -1;
    }
  close (fd);
  return 0;
}
