/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "host/host.h"

bool
host_in_user_namespace (void)
{
  unsigned inside, outside, count;
  char map[64];
  ssize_t length = fd_read_file_at (AT_FDCWD, "/proc/self/uid_map", map, sizeof map);

  /* A kernel without user namespaces has no such file, and a map of several lines, as newuidmap(1) writes them, is
   * longer than the one line of the first namespace, which maps all ids to themselves.  */
  if (length < 0)
    return length != -ENOENT;
  return sscanf (map, "%u %u %u", &inside, &outside, &count) != 3 || inside != 0 || outside != 0 || count != UINT32_MAX;
}

bool
host_is_rootless (void)
{
  return geteuid () != 0 || host_in_user_namespace ();
}
