/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The probe's commands that look at files and change them.  */

#include "probe.h"
#include "report.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static const char *
file_type (mode_t mode)
{
  switch (mode & S_IFMT)
    {
    case S_IFREG:
      return "file";
    case S_IFDIR:
      return "directory";
    case S_IFLNK:
      return "symlink";
    case S_IFCHR:
      return "char";
    case S_IFBLK:
      return "block";
    case S_IFIFO:
      return "fifo";
    case S_IFSOCK:
      return "socket";
    default:
      return "anonymous";
    }
}

static void
report_stat_members (const struct stat *st)
{
  report_member_string ("type", file_type (st->st_mode));
  report_member_int ("mode", st->st_mode & 07777);
  report_member_int ("uid", st->st_uid);
  report_member_int ("gid", st->st_gid);
  report_member_int ("major", major (st->st_rdev));
  report_member_int ("minor", minor (st->st_rdev));
  report_member_int ("size", st->st_size);
  report_member_int ("ino", (long long) st->st_ino);
  report_member_int ("dev", (long long) st->st_dev);
  report_member_int ("nlink", (long long) st->st_nlink);
}

static void
report_stat (const char *path, int flags)
{
  struct stat st;

  if (fstatat (AT_FDCWD, path, &st, flags) < 0)
    {
      report_errno (errno);
      return;
    }
  report_open ('{');
  report_stat_members (&st);
  report_close ('}');
}

static void
do_stat (char **args)
{
  report_stat (args[0], 0);
}

static void
do_lstat (char **args)
{
  report_stat (args[0], AT_SYMLINK_NOFOLLOW);
}

static void
do_readlink (char **args)
{
  char target[4096];
  ssize_t size = readlink (args[0], target, sizeof target);

  if (size < 0)
    report_errno (errno);
  else
    report_bytes (target, (size_t) size);
}

static void
report_contents (int fd)
{
  static char text[65536];
  size_t size = 0;
  ssize_t got = 0;

  while (size < sizeof text && (got = read (fd, text + size, sizeof text - size)) > 0)
    size += (size_t) got;
  if (got < 0)
    report_errno (errno);
  else
    report_bytes (text, size);
}

static void
do_cat (char **args)
{
  int fd = open (args[0], O_RDONLY | O_CLOEXEC | O_NONBLOCK);

  if (fd < 0)
    {
      report_errno (errno);
      return;
    }
  report_contents (fd);
  close (fd);
}

static void
do_stdin (char **args)
{
  (void) args;
  report_contents (STDIN_FILENO);
}

static void
do_write (char **args)
{
  int fd = open (args[0], O_WRONLY | O_CLOEXEC | O_NONBLOCK);

  if (fd < 0)
    {
      report_errno (errno);
      return;
    }
  report_result (write (fd, args[1], strlen (args[1])));
  close (fd);
}

static void
do_create (char **args)
{
  int fd = open (args[0], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

  if (fd < 0)
    {
      report_errno (errno);
      return;
    }
  report_int (0);
  close (fd);
}

/* Opens with the flags spelt "r", "w" or "rw".  */
static void
do_open (char **args)
{
  int access = strcmp (args[1], "rw") == 0 ? O_RDWR : args[1][0] == 'w' ? O_WRONLY : O_RDONLY;
  int fd = open (args[0], access | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

  if (fd < 0)
    {
      report_errno (errno);
      return;
    }
  report_int (0);
  close (fd);
}

static int
compare_names (const void *one, const void *other)
{
  return strcmp (*(const char *const *) one, *(const char *const *) other);
}

static void
do_ls (char **args)
{
  enum
  {
    most = 4096
  };
  static char *names[most];
  struct dirent *entry;
  size_t count = 0;
  DIR *directory = opendir (args[0]);

  if (directory == NULL)
    {
      report_errno (errno);
      return;
    }
  while (count < most && (entry = readdir (directory)))
    if (strcmp (entry->d_name, ".") != 0 && strcmp (entry->d_name, "..") != 0)
      names[count++] = strdup (entry->d_name);
  closedir (directory);
  qsort (names, count, sizeof *names, compare_names);
  report_open ('[');
  for (size_t i = 0; i < count; i++)
    report_string (names[i]);
  report_close (']');
}

static void
do_statfs (char **args)
{
  struct statfs fs;

  if (statfs (args[0], &fs) < 0)
    {
      report_errno (errno);
      return;
    }
  report_open ('{');
  report_member_int ("type", fs.f_type);
  report_member_int ("flags", fs.f_flags);
  report_member_int ("bytes", (long long) fs.f_blocks * fs.f_bsize);
  report_close ('}');
}

static void
report_descriptor (int fd)
{
  char path[32], target[4096];
  struct stat st;
  ssize_t size;

  report_open ('{');
  snprintf (path, sizeof path, "/proc/self/fd/%d", fd);
  size = readlink (path, target, sizeof target);
  report_key ("link");
  if (size < 0)
    report_errno (errno);
  else
    report_bytes (target, (size_t) size);
  report_member_int ("flags", fcntl (fd, F_GETFL));
  if (fstat (fd, &st) == 0)
    report_stat_members (&st);
  report_close ('}');
}

/* Every open descriptor, found by asking for each number.  */
static void
do_fds (char **args)
{
  (void) args;
  report_open ('{');
  for (int fd = 0; fd < 65536; fd++)
    {
      char key[16];

      if (fcntl (fd, F_GETFD) < 0)
        continue;
      snprintf (key, sizeof key, "%d", fd);
      report_key (key);
      report_descriptor (fd);
    }
  report_close ('}');
}

static void
do_mkdir (char **args)
{
  report_result (mkdir (args[0], 0777));
}

static void
do_unlink (char **args)
{
  report_result (unlink (args[0]));
}

static void
do_chown (char **args)
{
  report_result (chown (args[0], (uid_t) atoi (args[1]), (gid_t) atoi (args[1])));
}

/* PATH c|b|p MAJOR MINOR  */
static void
do_mknod (char **args)
{
  mode_t type = args[1][0] == 'c' ? S_IFCHR : args[1][0] == 'b' ? S_IFBLK : S_IFIFO;

  report_result (mknod (args[0], type | 0666, makedev ((unsigned) atoi (args[2]), (unsigned) atoi (args[3]))));
}

const struct command file_commands[] = {
  { "stat", 1, do_stat, "PATH: type, mode, owner, device number" },
  { "lstat", 1, do_lstat, "PATH: the same of a symlink itself" },
  { "readlink", 1, do_readlink, "PATH: where a symlink points to" },
  { "cat", 1, do_cat, "PATH: the first 64 KiB" },
  { "stdin", 0, do_stdin, "what standard input gives until its end" },
  { "write", 2, do_write, "PATH TEXT: writes to an existing file" },
  { "create", 1, do_create, "PATH: makes a new file" },
  { "open", 2, do_open, "PATH r|w|rw: opens and closes" },
  { "ls", 1, do_ls, "PATH: sorted names" },
  { "statfs", 1, do_statfs, "PATH: type, flags and size of its file system" },
  { "fds", 0, do_fds, "every open descriptor" },
  { "mkdir", 1, do_mkdir, "PATH" },
  { "unlink", 1, do_unlink, "PATH" },
  { "chown", 2, do_chown, "PATH ID: gives it to user and group ID" },
  { "mknod", 4, do_mknod, "PATH c|b|p MAJOR MINOR" },
  { 0 },
};
