/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A careful walk: one component at a time, never following a link with the kernel's help, keeping the descriptor of
 * every directory on the way so that `..` goes back to where we came from and never above the root, whatever is renamed
 * meanwhile.  */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "init/init.h"
#include "init/walk.h"

#define PROC_SUPER_MAGIC 0x9fa0
#define DEPTH_MAX 128
#define LINKS_MAX 40

struct walk
{
  int root;
  int dirs[DEPTH_MAX]; /* the directories entered, without the root */
  int depth;
  int links;
  bool beneath;        /* the root is not left by staying there, but not at all */
  char rest[2 * 4096]; /* what is left to resolve */
};

static int
here (const struct walk *walk)
{
  return walk->depth ? walk->dirs[walk->depth - 1] : walk->root;
}

static void
leave (struct walk *walk, int depth)
{
  while (walk->depth > depth)
    close (walk->dirs[--walk->depth]);
}

/* Whether LINK, whose TARGET is LENGTH long, leads elsewhere than that says, as descriptors in procfs do.  Its other
 * links are as long as they say they are, or lead to a number (self).  */
static bool
is_magic (int link, const struct stat *st, const char *target, ssize_t length)
{
  struct statfs sfs;

  return (fstatfs (link, &sfs) < 0 || sfs.f_type == PROC_SUPER_MAGIC) && st->st_size != length
         && !(target[0] >= '0' && target[0] <= '9');
}

/* Puts the target of the link LINK (an O_PATH descriptor) in front of what is left.  */
static int
follow (struct walk *walk, int link, const struct stat *st)
{
  char target[4096];
  size_t rest = strlen (walk->rest);
  ssize_t n = readlinkat (link, "", target, sizeof target);

  if (n < 0)
    return -1;
  if (++walk->links > LINKS_MAX || is_magic (link, st, target, n))
    return errno = ELOOP, -1;
  if ((size_t) n + 1 + rest >= sizeof walk->rest)
    return errno = ENAMETOOLONG, -1;
  if (n > 0 && target[0] == '/' && walk->beneath)
    return errno = EXDEV, -1;
  memmove (walk->rest + n + 1, walk->rest, rest + 1);
  memcpy (walk->rest, target, (size_t) n);
  walk->rest[n] = '/';
  if (n > 0 && target[0] == '/')
    leave (walk, 0);
  return 0;
}

/* Takes one component off the path; 1: the descriptor of the final one is in *RET, 0: go on.  */
static int
step (struct walk *walk, int flags, int *ret)
{
  char name[256];
  char *at = walk->rest + strspn (walk->rest, "/");
  size_t length = strcspn (at, "/");
  bool last = at[length + strspn (at + length, "/")] == '\0';
  struct stat st;
  int fd;

  if (length >= sizeof name)
    return errno = ENAMETOOLONG, -1;
  memcpy (name, at, length);
  name[length] = '\0';
  memmove (walk->rest, at + length, strlen (at + length) + 1);

  if (!*name || strcmp (name, ".") == 0)
    {
      if (!last)
        return 0;
      *ret = openat (here (walk), ".", flags | O_CLOEXEC);
      return *ret < 0 ? -1 : 1;
    }
  if (strcmp (name, "..") == 0)
    {
      if (walk->depth == 0 && walk->beneath)
        return errno = EXDEV, -1;
      leave (walk, walk->depth ? walk->depth - 1 : 0);
      if (last)
        strcpy (walk->rest, ".");
      return 0;
    }
  fd = openat (here (walk), name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0)
    return -1;
  if (fstat (fd, &st) < 0)
    return close (fd), -1;
  if (S_ISLNK (st.st_mode) && !(last && (flags & O_NOFOLLOW)))
    {
      int result = follow (walk, fd, &st);
      close (fd);
      return result;
    }
  if (last)
    {
      /* The name is opened again with the flags that were asked for; O_NOFOLLOW, should it have become a link.  */
      *ret = flags & O_PATH && !(flags & O_DIRECTORY) ? fd : openat (here (walk), name, flags | O_NOFOLLOW | O_CLOEXEC);
      if (*ret != fd)
        close (fd);
      return *ret < 0 ? -1 : 1;
    }
  if (!S_ISDIR (st.st_mode) || walk->depth == DEPTH_MAX)
    {
      close (fd);
      errno = S_ISDIR (st.st_mode) ? ENAMETOOLONG : ENOTDIR;
      return -1;
    }
  walk->dirs[walk->depth++] = fd;
  return 0;
}

int
walk_open (int root, const char *path, int flags, uint64_t resolve)
{
  struct walk walk = { .root = root, .beneath = resolve & RESOLVE_BENEATH };
  int fd = -1, result, saved;

  if (!*path)
    return errno = ENOENT, -1;
  if (strlen (path) >= sizeof walk.rest)
    return errno = ENAMETOOLONG, -1;
  strcpy (walk.rest, path);
  do
    result = step (&walk, flags, &fd);
  while (result == 0);
  saved = errno;
  leave (&walk, 0);
  errno = saved;
  return result < 0 ? -1 : fd;
}
