/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/control.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/error.h"
#include "base/fd.h"
#include "container/store.h"

int
control_listen (const struct store_entry *entry, int *ret_fd, struct error *err)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  FD_CLEANUP int fd = socket (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

  if (fd < 0)
    return error_sys (err, errno, "make the control socket");
  store_socket_path (entry->fd, STORE_CONTROL, address.sun_path);
  if (bind (fd, (struct sockaddr *) &address, sizeof address) < 0 || listen (fd, 1) < 0)
    return error_sys (err, errno, "make the control socket");
  *ret_fd = fd_take (&fd);
  return 0;
}
