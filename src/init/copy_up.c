/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tmpcopyup: a new tmpfs is filled with a copy of what it is going to cover, before anybody can see it.
 *
 * The tree is the image's, and others may be changing it meanwhile.  So a name is always one component in a directory
 * that is held open; it is opened without following it and without leaving the mount, and what it is, is asked of that
 * descriptor, through which then the content is read.  Nothing but directories and regular files is ever opened for
 * reading.  What is gone when its turn comes is left out; what is mounted below is copied as an empty place for it.
 *
 * There is no recursion and no memory: on the way down every directory of the source stays open, at its position.  In
 * the copy `..` leads back, since nobody else can rename there.  */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "init/init.h"
#include "init/mount_tree.h"
#include "init/mounts.h"
#include "init/sys.h"

/* A descriptor each: half of what a process may have open by default.  */
#define DEPTH_MAX 512
#define DEPTH_TEXT "more than 512 directories deep"

struct level
{
  int from;      /* the directory, open for reading */
  size_t length; /* of its path */
};

struct copy
{
  struct init *init;
  int to; /* the copy of the deepest directory */
  int depth;
  struct level levels[DEPTH_MAX];
  char path[PLAN_DETAIL_MAX]; /* of what is being copied, for messages: cut when too long */
  char entries[8192];         /* of a directory, from getdents64(2) */
  char attributes[8192];      /* the names of the extended ones */
  char content[65536];
};

/* What getdents64(2) gives.  */
struct entry
{
  uint64_t inode;
  int64_t next; /* the position of the one behind it */
  unsigned short size;
  unsigned char type;
  char name[];
};

/* A source that is to be copied: what it is, and whether something is mounted on it.  */
struct source
{
  int fd; /* O_PATH */
  bool covered;
  struct stat st;
};

static int
failed (struct copy *c, const char *step)
{
  return fail_errno (c->init, step, c->path);
}

/* What could not be made because it is there: somebody has made it anew under a name that was copied already.  */
static int
not_made (struct copy *c, const char *step)
{
  return errno == EEXIST ? 0 : failed (c, step);
}

static struct level *
here (struct copy *c)
{
  return &c->levels[c->depth - 1];
}

/* Makes NAME the last component of the path.  */
static void
set_name (struct copy *c, const char *name)
{
  size_t length = here (c)->length;

  if (length + 2 >= sizeof c->path)
    return;
  c->path[length] = '/';
  copy_text (c->path + length + 1, sizeof c->path - length - 1, name);
}

/* Opens NAME of the directory that is being read.  1, or 0 if it has gone.  Where openat2 is missing the ids of the
 * mounts tell whether something is mounted there.  */
static int
look (struct copy *c, const char *name, struct source *ret)
{
  int dir = here (c)->from;
  struct source s = { 0 };
  bool missing = false;

  s.fd = sys_openat2 (dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0, RESOLVE_NO_XDEV | RESOLVE_BENEATH);
  if (s.fd < 0 && (errno == EXDEV || errno == ENOSYS))
    {
      s.covered = errno == EXDEV;
      missing = errno == ENOSYS;
      s.fd = openat (dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    }
  if (s.fd < 0)
    return errno == ENOENT ? 0 : failed (c, "open");
  if (fstat (s.fd, &s.st) < 0)
    return failed (c, "stat");
  if (missing)
    {
      int ours = mount_id (c->init, dir), its = mount_id (c->init, s.fd);

      if (ours < 0 || its < 0)
        return failed (c, "statx");
      s.covered = ours != its;
    }
  *ret = s;
  return 1;
}

/* Gives NAME in the directory DIR, or DIR itself if that is "", the owner of ST as far as it has an id here.  1 if it
 * has it, 0 if not.  */
static int
give_owner (struct copy *c, int dir, const char *name, const struct stat *st)
{
  static const int flags = AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW;

  if (fchownat (dir, name, st->st_uid, st->st_gid, flags) == 0)
    return 1;
  if (errno != EINVAL)
    return failed (c, "chown");
  if ((fchownat (dir, name, st->st_uid, (gid_t) -1, flags) < 0 && errno != EINVAL)
      || (fchownat (dir, name, (uid_t) -1, st->st_gid, flags) < 0 && errno != EINVAL))
    return failed (c, "chown");
  return 0;
}

/* Whether errno says that there is no such attribute (any more), that a tmpfs has none of its kind, or that we may not
 * give it.  */
static bool
no_xattr (void)
{
  return errno == ENODATA || errno == EOPNOTSUPP || errno == EINVAL || errno == EPERM || errno == EACCES;
}

/* The extended attributes of those kinds that a tmpfs has, and that we may give.  */
static int
give_xattrs (struct copy *c, int from, int to)
{
  ssize_t length = flistxattr (from, c->attributes, sizeof c->attributes);

  if (length < 0 && !no_xattr ())
    return failed (c, "listxattr");
  for (const char *name = c->attributes; length > 0 && name < c->attributes + length; name += strlen (name) + 1)
    {
      ssize_t size = fgetxattr (from, name, c->content, sizeof c->content);

      if (size < 0 || fsetxattr (to, name, c->content, (size_t) size, 0) < 0)
        if (!no_xattr ())
          return failed (c, size < 0 ? "getxattr" : "setxattr");
    }
  return 0;
}

/* Makes TO like FROM, but for its content.  In this order: a change of the owner takes away the bits and the attributes
 * that let a program act for it, and they must not be there for another owner.  */
static int
give_attributes (struct copy *c, int from, int to)
{
  mode_t mode;
  struct stat st;
  int owned;

  if (fstat (from, &st) < 0)
    return failed (c, "stat");
  mode = st.st_mode & 07777;
  owned = give_owner (c, to, "", &st);
  if (owned < 0)
    return -1;
  if (fchmod (to, owned ? mode : mode & ~(mode_t) (S_ISUID | S_ISGID)) < 0)
    return failed (c, "chmod");
  if (owned && give_xattrs (c, from, to) < 0)
    return -1;
  return futimens (to, (struct timespec[]){ st.st_atim, st.st_mtim }) < 0 ? failed (c, "utimensat") : 0;
}

/* Copies what stands from AT to END.  Returns the end of what was there, or -1.  */
static off_t
copy_range (struct copy *c, int from, int to, off_t at, off_t end)
{
  while (at < end)
    {
      size_t wanted = end - at < (off_t) sizeof c->content ? (size_t) (end - at) : sizeof c->content;
      ssize_t n = pread (from, c->content, wanted, at);

      if (n < 0)
        return failed (c, "read");
      if (n == 0)
        break;
      for (ssize_t done = 0, m; done < n; done += m)
        {
          m = pwrite (to, c->content + done, (size_t) (n - done), at + done);
          if (m < 0)
            return failed (c, "write");
        }
      at += n;
    }
  return at;
}

/* Copies SIZE bytes: a file that grows meanwhile comes to an end, too.  Holes stay holes, or a small file could fill
 * the memory.  */
static int
copy_content (struct copy *c, int from, int to, off_t size)
{
  off_t at = 0, end;

  while (at < size)
    {
      off_t data = lseek (from, at, SEEK_DATA);

      if (data < 0 && errno == ENXIO)
        break;
      end = data < 0 ? size : lseek (from, data, SEEK_HOLE);
      if (data >= 0)
        at = data;
      if (end < 0 || end > size)
        end = size;
      if (at >= size)
        break;
      at = copy_range (c, from, to, at, end);
      if (at < 0)
        return -1;
      if (at < end)
        size = at; /* somebody has cut it */
    }
  return ftruncate (to, size) < 0 ? failed (c, "truncate") : 0;
}

/* An O_PATH descriptor opened for reading.  No name is looked up again.  */
static int
reopen (struct copy *c, int fd)
{
  char path[64];

  return fd_path (c->init, fd, path, sizeof path) < 0 ? -1 : open (path, O_RDONLY | O_NOCTTY | O_CLOEXEC);
}

static int
copy_file (struct copy *c, const struct source *s, const char *name)
{
  int from = reopen (c, s->fd), to, result;

  if (from < 0)
    return failed (c, "open");
  to = openat (c->to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  result = to < 0 ? not_made (c, "create") : s->covered ? 0 : copy_content (c, from, to, s->st.st_size);
  if (to >= 0 && result == 0)
    result = give_attributes (c, from, to);
  close (from);
  if (to >= 0)
    close (to);
  return result;
}

static int
copy_link (struct copy *c, const struct source *s, const char *name)
{
  ssize_t length = readlinkat (s->fd, "", c->content, sizeof c->content - 1);

  if (length < 0)
    return failed (c, "readlink");
  c->content[length] = '\0';
  if (symlinkat (c->content, c->to, name) < 0)
    return not_made (c, "symlink");
  return give_owner (c, c->to, name, &s->st) < 0 ? -1 : 0;
}

/* A device, a FIFO, a socket: made anew, never opened.  */
static int
copy_node (struct copy *c, const struct source *s, const char *name)
{
  mode_t mode = s->st.st_mode & ~(mode_t) (S_ISUID | S_ISGID);

  if (mknodat (c->to, name, mode, s->st.st_rdev) < 0)
    return not_made (c, "mknod");
  return give_owner (c, c->to, name, &s->st) < 0 ? -1 : 0;
}

/* Times are given last, since what is made in a directory changes its own.  */
static int
give_times (struct copy *c, const struct source *s, const char *name)
{
  return utimensat (c->to, name, (struct timespec[]){ s->st.st_atim, s->st.st_mtim }, AT_SYMLINK_NOFOLLOW) < 0
             ? failed (c, "utimensat")
             : 0;
}

/* An O_PATH descriptor of a directory opened for reading.  */
static int
open_directory (int fd)
{
  return openat (fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Goes on with the directory FROM and TO, its copy, which are both open for reading.  */
static void
enter (struct copy *c, int from, int to)
{
  c->levels[c->depth++] = (struct level){ .from = from, .length = strlen (c->path) };
  if (c->to >= 0)
    close (c->to);
  c->to = to;
}

/* The deepest directory is done: back to its parent.  The mode and owner of the first are the mount's own.  */
static int
leave (struct copy *c)
{
  int parent = -1;

  c->path[here (c)->length] = '\0';
  if (c->depth > 1)
    {
      if (give_attributes (c, here (c)->from, c->to) < 0)
        return -1;
      parent = openat (c->to, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      if (parent < 0)
        return failed (c, "open");
    }
  close (here (c)->from);
  close (c->to);
  c->to = parent;
  c->depth--;
  return 0;
}

static int
copy_directory (struct copy *c, const struct source *s, const char *name)
{
  int from, to;

  if (c->depth == DEPTH_MAX)
    {
      copy_text (c->init->report->reason, sizeof c->init->report->reason, DEPTH_TEXT);
      return fail (c->init, PLAN_FAILURE_SYSTEM, ENAMETOOLONG, "open", c->path);
    }
  from = open_directory (s->fd);
  if (from < 0)
    return errno == ENOENT ? 0 : failed (c, "open");
  if (mkdirat (c->to, name, 0700) < 0)
    {
      int result = not_made (c, "mkdir");

      close (from);
      return result;
    }
  to = openat (c->to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (to < 0)
    return failed (c, "open");
  enter (c, from, to);
  return 0;
}

/* A directory on which something is mounted.  */
static int
copy_place (struct copy *c, const struct source *s, const char *name)
{
  mode_t mode = s->st.st_mode & 0777;

  return mkdirat (c->to, name, mode) < 0 ? not_made (c, "mkdir") : 0;
}

static int
copy_entry (struct copy *c, const char *name)
{
  struct source s;
  mode_t type;
  int result;

  if (strcmp (name, ".") == 0 || strcmp (name, "..") == 0)
    return 0;
  set_name (c, name);
  result = look (c, name, &s);
  if (result <= 0)
    return result;
  type = s.st.st_mode & S_IFMT;
  if (type == S_IFDIR)
    result = s.covered ? copy_place (c, &s, name) : copy_directory (c, &s, name);
  else if (type == S_IFREG)
    result = copy_file (c, &s, name);
  else
    {
      result = type == S_IFLNK ? copy_link (c, &s, name) : copy_node (c, &s, name);
      if (result == 0)
        result = give_times (c, &s, name);
    }
  close (s.fd);
  return result;
}

/* Copies what the deepest directory gives next, up to and including its first directory, which is then the deepest.  */
static int
copy_some (struct copy *c)
{
  int from = here (c)->from, depth = c->depth;
  long length = syscall (SYS_getdents64, from, c->entries, sizeof c->entries);

  /* ENOENT: it has been removed.  */
  if (length <= 0)
    return length < 0 && errno != ENOENT ? failed (c, "getdents64") : leave (c);
  for (long at = 0; at < length;)
    {
      const struct entry *entry = (const void *) (c->entries + at);

      if (copy_entry (c, entry->name) < 0)
        return -1;
      if (c->depth > depth)
        return lseek (from, entry->next, SEEK_SET) < 0 ? failed (c, "seek") : 0;
      at += entry->size;
    }
  return 0;
}

int
copy_up (struct init *init, const char *path, int from, int to)
{
  struct copy c;

  c.init = init;
  c.to = -1;
  c.depth = 0;
  copy_text (c.path, sizeof c.path, path);
  from = open_directory (from);
  to = open_directory (to);
  if (from < 0 || to < 0)
    return failed (&c, "open");
  enter (&c, from, to);
  while (c.depth > 0)
    if (copy_some (&c) < 0)
      return -1;
  return 0;
}
