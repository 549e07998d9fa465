/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"

enum
{
  PEER_TIMEOUT = 10 /* seconds for the peer to accept the connection and what is sent */
};

/* Makes ADDRESS that of the socket PATH.  One that is too long for it goes through *RET_DIRFD, the directory, which the
 * caller closes.  0 or -errno.  */
static int
socket_address (const char *path, struct sockaddr_un *address, int *ret_dirfd)
{
  size_t length = strlen (path);
  *address = (struct sockaddr_un){ .sun_family = AF_UNIX };
  if (length < sizeof address->sun_path)
    {
      memcpy (address->sun_path, path, length + 1);
      return 0;
    }

  const char *slash = strrchr (path, '/');
  char directory[PATH_MAX];
  if (slash == NULL || slash == path || (size_t) (slash - path) >= sizeof directory)
    return -ENAMETOOLONG;
  memcpy (directory, path, (size_t) (slash - path));
  directory[slash - path] = '\0';
  int dirfd = open (directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (dirfd < 0)
    return -errno;
  int made = snprintf (address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d%s", dirfd, slash);
  if (made < 0 || (size_t) made >= sizeof address->sun_path)
    {
      fd_close (dirfd);
      return -ENAMETOOLONG;
    }
  *ret_dirfd = dirfd;
  return 0;
}

int
peer_send (const char *what, const char *path, const void *data, size_t size, int fd, struct error *err)
{
  struct sockaddr_un address;
  FD_CLEANUP int dirfd = -1;
  int r = socket_address (path, &address, &dirfd);
  if (r < 0)
    return error_sys (err, r, "%s %s", what, path);

  FD_CLEANUP int socket_fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket_fd < 0)
    return error_sys (err, errno, "make a socket for %s %s", what, path);
  const struct timeval timeout = { .tv_sec = PEER_TIMEOUT }; /* of connect(2), too: unix(7) */
  if (setsockopt (socket_fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) < 0
      || connect (socket_fd, (struct sockaddr *) &address, sizeof address) < 0)
    {
      if (errno == EAGAIN)
        return error_set (err, ETIMEDOUT, "%s %s: nobody accepted for %d s", what, path, PEER_TIMEOUT);
      int code = errno;
      error_sys (err, code, "connect to %s %s", what, path);
      if (code == ECONNREFUSED || code == ENOENT)
        error_hint (err, "the caller must listen on it before it calls create");
      return -code;
    }
  r = fd_send (socket_fd, data, size, &fd, 1);
  return r < 0 ? error_sys (err, r, "send to %s %s", what, path) : 0;
}
