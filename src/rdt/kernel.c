/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The real host.  It stands alone so that a program for tests may be linked with another one.  */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "rdt/host.h"

static int
make (const char *path)
{
  return mkdir (path, 0755) < 0 ? -errno : 0;
}

static int
write_file (const char *path, const char *text)
{
  return fd_write_file_at (AT_FDCWD, path, text);
}

static int
remove_directory (const char *path)
{
  return rmdir (path) < 0 ? -errno : 0;
}

const struct rdt_host rdt_host = {
  .mountinfo = "/proc/thread-self/mountinfo",
  .make = make,
  .write = write_file,
  .remove = remove_directory,
};
