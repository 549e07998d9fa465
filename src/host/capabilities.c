/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/host.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"

uint64_t
host_capabilities (void)
{
  struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
  struct __user_cap_data_struct data[2] = { 0 };

  if (syscall (SYS_capget, &header, data) < 0)
    return 0;
  return data[0].permitted | (uint64_t) data[1].permitted << 32;
}

int
host_last_capability (void)
{
  char text[16];
  ssize_t length = fd_read_file_at (AT_FDCWD, "/proc/sys/kernel/cap_last_cap", text, sizeof text);

  return length < 0 ? (int) length : atoi (text);
}
