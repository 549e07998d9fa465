/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which mounts are below a mount.  Before Linux 5.12 the attributes of a tree can be changed only one mount after the
 * other, each by a descriptor, and only mountinfo knows the mounts there are.
 *
 * It has ids and paths.  Who belongs to the tree is decided by the ids, and so is whether what a path leads to
 * is meant: it may have been renamed since, by somebody to whom the directories belong.  What cannot be reached because
 * another mount is over it is left out; everything else that is not found is an error.
 *
 * Only here does init ask for memory.  */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "init/mount_tree.h"
#include "init/sys.h"

/* Opens FILE of ours in the host's procfs.  */
static int
open_own (struct init *init, const char *file)
{
  char path[64];

  if (init->proc < 0 && op_proc (init, NULL) < 0)
    return -1;
  copy_text (copy_text (path, sizeof path, "self/"), sizeof path - 5, file);
  return openat (init->proc, path, O_RDONLY | O_CLOEXEC);
}

int
mount_id (struct init *init, int fd)
{
  char file[32], text[512];
  const char *found;
  uint64_t id;
  ssize_t n;
  int info;

  if (sys_mount_id (fd, &id) == 0)
    return (int) id;
  /* Before Linux 5.8 only this tells.  */
  format_number (copy_text (file, sizeof file, "fdinfo/"), fd);
  info = open_own (init, file);
  if (info < 0)
    return -1;
  n = read (info, text, sizeof text - 1);
  close (info);
  if (n < 0)
    return -1;
  text[n] = '\0';
  found = strstr (text, "mnt_id:\t");
  return found ? atoi (found + strlen ("mnt_id:\t")) : (errno = EPROTO, -1);
}

/* All of the file FD, terminated, in a mapping of its own.  */
static int
map_text (int fd, char **ret_text, size_t *ret_size)
{
  size_t size = 1 << 16, length = 0;
  char *text = mmap (NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ssize_t n = 1;

  while (text != MAP_FAILED && n > 0)
    {
      n = read (fd, text + length, size - length - 1);
      if (n < 0)
        return -1;
      length += (size_t) n;
      if (length < size - 1)
        continue;
      text = mremap (text, size, 2 * size, MREMAP_MAYMOVE);
      size *= 2;
    }
  if (text == MAP_FAILED)
    return -1;
  *ret_text = text;
  *ret_size = size;
  return 0;
}

/* Undoes in place what mountinfo does to the white space in a path: \040.  */
static void
unescape (char *path)
{
  char *to = path;

  while (*path)
    if (*path == '\\' && path[1] && path[2] && path[3])
      {
        *to++ = (char) (((path[1] - '0') << 6) + ((path[2] - '0') << 3) + (path[3] - '0'));
        path += 4;
      }
    else
      *to++ = *path++;
  *to = '\0';
}

/* The next word of *AT, which a space ends.  */
static char *
next_word (char **at)
{
  char *word = *at;

  *at += strcspn (word, " ");
  if (**at)
    *(*at)++ = '\0';
  return word;
}

/* "ID PARENT DEVICE ROOT PATH …" */
static void
parse_line (char *line, struct tree_mount *ret)
{
  ret->id = atoi (next_word (&line));
  ret->parent = atoi (next_word (&line));
  next_word (&line);
  next_word (&line);
  ret->path = next_word (&line);
  unescape (ret->path);
}

static void
swap (struct tree_mount *one, struct tree_mount *other)
{
  struct tree_mount saved = *one;

  *one = *other;
  *other = saved;
}

/* Leaves of the TOTAL mounts those of the tree whose first has the id TOP: whose parent is in it is so, too.  They
 * gather in front.  */
static void
gather (struct mount_tree *tree, size_t total, int top)
{
  struct tree_mount *mounts = tree->mounts;

  tree->count = 0;
  for (size_t i = 0; i < total && tree->count == 0; i++)
    if (mounts[i].id == top)
      {
        mounts[i].parent = -1; /* the first mount of all is its own */
        swap (&mounts[i], &mounts[tree->count++]);
      }
  for (size_t i = 0; i < tree->count; i++)
    for (size_t j = tree->count; j < total; j++)
      if (mounts[j].parent == mounts[i].id)
        swap (&mounts[j], &mounts[tree->count++]);
}

int
mount_tree_read (struct init *init, int fd, struct mount_tree *ret)
{
  int top = mount_id (init, fd), file = open_own (init, "mountinfo");
  struct mount_tree tree;
  size_t total = 0;

  if (top < 0 || file < 0 || map_text (file, &tree.text, &tree.size) < 0)
    return -1;
  close (file);
  /* No line is as short as what is kept of it.  */
  tree.mounts = mmap (NULL, tree.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (tree.mounts == MAP_FAILED)
    return -1;
  for (char *line = tree.text, *end; (end = strchr (line, '\n')); line = end + 1)
    {
      *end = '\0';
      parse_line (line, &tree.mounts[total++]);
    }
  gather (&tree, total, top);
  if (tree.count == 0)
    return errno = ENOENT, -1;
  *ret = tree;
  return 0;
}

void
mount_tree_free (struct mount_tree *tree)
{
  munmap (tree->text, tree->size);
  munmap (tree->mounts, tree->size);
}

static bool
is_at_or_below (const char *path, const char *place)
{
  size_t length = strlen (place);

  return strncmp (path, place, length) == 0 && (!path[length] || path[length] == '/' || length == 1);
}

/* Whether another mount of TREE is over MOUNT, or on the way from the top to it.  */
static bool
is_covered (const struct mount_tree *tree, const struct tree_mount *mount)
{
  const struct tree_mount *on = mount, *below = NULL, *next;

  for (; on; below = on, on = next)
    {
      next = NULL;
      for (size_t i = 0; i < tree->count; i++)
        {
          const struct tree_mount *other = &tree->mounts[i];

          if (other->parent == on->id && other != below && is_at_or_below (mount->path, other->path))
            return true;
          if (other->id == on->parent)
            next = other;
        }
    }
  return false;
}

int
mount_tree_open (struct init *init, const struct mount_tree *tree, size_t i, int *ret_fd)
{
  const struct tree_mount *mount = &tree->mounts[i];
  int fd = open (mount->path, O_PATH | O_NOFOLLOW | O_CLOEXEC);

  if (fd >= 0 && mount_id (init, fd) == mount->id)
    {
      *ret_fd = fd;
      return 1;
    }
  if (fd >= 0)
    close (fd);
  return is_covered (tree, mount) ? 0 : (errno = EAGAIN, -1);
}
