/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/pid_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/fd.h"

static int
write_pid (int fd, pid_t pid)
{
  char text[16];
  return fd_write_all (fd, text, (size_t) snprintf (text, sizeof text, "%d", (int) pid));
}

/* A link to a file is neither followed, whoever has made it, nor replaced: it may be /dev/stdout.  */
static bool
is_link (const char *path)
{
  struct stat st;

  return lstat (path, &st) == 0 && S_ISLNK (st.st_mode);
}

/* A new file with the pid, beside its place, so that who waits for it never reads half of it.  */
static int
make_file (struct arena *arena, struct pid_file *file)
{
  FD_CLEANUP int fd = -1;
  int r;

  file->whole = arena_printf (arena, "%s.%d", file->path, (int) getpid ());
  fd = open (file->whole, O_WRONLY | O_CLOEXEC | O_CREAT | O_EXCL | O_NOFOLLOW, 0644);
  if (fd < 0)
    return -errno;
  r = write_pid (fd, file->pid);
  if (r < 0)
    unlink (file->whole);
  return r;
}

static int
open_other (struct pid_file *file)
{
  file->fd = open (file->path, O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  return file->fd < 0 ? -errno : 0;
}

int
pid_file_prepare (struct arena *arena, const char *path, pid_t pid, struct pid_file *ret_file, struct error *err)
{
  struct pid_file file = { .path = path, .fd = -1, .pid = pid };
  struct stat st;
  int r;

  if (!path)
    return 0;
  if (stat (path, &st) == 0 && !S_ISREG (st.st_mode))
    r = open_other (&file);
  else if (is_link (path))
    return error_set (err, ELOOP, "write the pid file %s: it is a symbolic link", path);
  else
    r = make_file (arena, &file);
  if (r < 0)
    return error_sys (err, r, "write the pid file %s", path);
  *ret_file = file;
  return 0;
}

int
pid_file_commit (struct pid_file *file, struct error *err)
{
  int r = 0;

  if (file->fd >= 0)
    r = write_pid (file->fd, file->pid);
  else if (file->whole && rename (file->whole, file->path) < 0)
    r = -errno;
  else if (file->whole)
    file->whole = file->path;
  return r < 0 ? error_sys (err, r, "write the pid file %s", file->path) : 0;
}

void
pid_file_undo (struct pid_file *file)
{
  if (file->whole)
    unlink (file->whole);
  file->whole = NULL;
}

void
pid_file_close (struct pid_file *file)
{
  file->fd = fd_close (file->fd);
}
