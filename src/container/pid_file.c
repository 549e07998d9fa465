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

/* Written beside its place and renamed, so that who waits for it never reads half of it; but what is there and no file,
 * such as a pipe or /dev/null, is written to.  */
int
pid_file_write (struct arena *arena, const char *path, pid_t pid, bool *ret_made, struct error *err)
{
  const char *temporary;
  FD_CLEANUP int fd = -1;
  struct stat st;
  char text[16];
  bool direct;
  int result;

  if (!path)
    return 0;
  direct = stat (path, &st) == 0 && !S_ISREG (st.st_mode);
  temporary = direct ? path : arena_printf (arena, "%s.%d", path, (int) getpid ());
  fd = open (temporary, O_WRONLY | O_CLOEXEC | O_NOCTTY | (direct ? O_NONBLOCK : O_CREAT | O_EXCL | O_NOFOLLOW), 0644);
  if (fd < 0)
    return error_sys (err, errno, "write the pid file %s", path);
  result = fd_write_all (fd, text, (size_t) snprintf (text, sizeof text, "%d", (int) pid));
  if (!direct && result == 0 && rename (temporary, path) < 0)
    result = -errno;
  if (ret_made)
    *ret_made = !direct && result == 0;
  if (result == 0)
    return 0;
  if (!direct)
    unlink (temporary);
  return error_sys (err, result, "write the pid file %s", path);
}
