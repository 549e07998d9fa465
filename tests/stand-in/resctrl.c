/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A resctrl of ordinary files, for tests of the whole command: THOLE_RESCTRL names the directory, and beside it stands
 * the mountinfo that tells of it.  As in the kernel's, a new directory has files, and goes although it has; unlike
 * there, a file keeps all that was ever written to it.  */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "rdt/host.h"

static char mountinfo[PATH_MAX];

static void __attribute__ ((constructor)) set_mountinfo (void)
{
  const char *root = getenv ("THOLE_RESCTRL");
  snprintf (mountinfo, sizeof mountinfo, "%s.mountinfo", root != NULL ? root : "/no/such");
}

static int
put_file (const char *directory, const char *name)
{
  char path[PATH_MAX];
  snprintf (path, sizeof path, "%s/%s", directory, name);
  int fd = open (path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  return fd < 0 ? -errno : (close (fd), 0);
}

static int
make (const char *path)
{
  char groups[PATH_MAX];
  if (mkdir (path, 0755) < 0)
    return -errno;
  snprintf (groups, sizeof groups, "%s/mon_groups", path);
  if (strstr (path, "/mon_groups/") == NULL && (mkdir (groups, 0755) < 0 || put_file (path, "schemata") < 0))
    return -errno;
  return put_file (path, "tasks");
}

static int
append (const char *path, const char *text)
{
  FD_CLEANUP int fd = open (path, O_WRONLY | O_APPEND | O_CLOEXEC);
  return fd < 0 ? -errno : fd_write_all (fd, text, strlen (text));
}

static int
remove_all (const char *path)
{
  static const char *const files[] = { "tasks", "schemata", "mon_groups" };
  char file[PATH_MAX];
  for (size_t i = 0; i < sizeof files / sizeof *files; i++)
    {
      snprintf (file, sizeof file, "%s/%s", path, files[i]);
      remove (file);
    }
  return rmdir (path) < 0 ? -errno : 0;
}

const struct rdt_host rdt_host = {
  .mountinfo = mountinfo,
  .make = make,
  .write = append,
  .remove = remove_all,
};
