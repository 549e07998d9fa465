/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "container/store.h"

enum
{
  MESSAGE_MAX = 4096,   /* what systemd takes, too; longer ones are dropped whole */
  TAKE_MAX = 1024,      /* messages at a time: there may be somebody who never stops sending */
  SEND_TIMEOUT = 10,    /* seconds for the caller to have room for a message */
  BARRIER_TIMEOUT = 30, /* seconds for the caller to take notice, as with the peers */
};

static const char socket_name[] = "notify.sock";

bool
notify_is_wanted (void)
{
  const char *caller = getenv ("NOTIFY_SOCKET");
  return caller != NULL && *caller != '\0';
}

const char *
notify_directory (struct arena *arena, const char *root, const char *id)
{
  char *here = root[0] == '/' ? NULL : getcwd (NULL, 0);
  const char *path = here == NULL ? arena_printf (arena, "%s/%s/%s", root, id, STORE_NOTIFY)
                                  : arena_printf (arena, "%s/%s/%s/%s", here, root, id, STORE_NOTIFY);
  free (here);
  return path;
}

int
notify_make (const struct store_entry *entry, const char *label, struct error *err)
{
  if (mkdirat (entry->fd, STORE_NOTIFY, 0700) < 0)
    return error_sys (err, errno, "make the directory for notifications");
  FD_CLEANUP int fd = openat (entry->fd, STORE_NOTIFY, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  /* Whatever our umask: any user of the container may have something to say.  Nobody else gets as far as here.  */
  if (fd < 0 || fchmod (fd, 0755) < 0)
    return error_sys (err, errno, "open the directory for notifications");
  if (label != NULL && fsetxattr (fd, "security.selinux", label, strlen (label), 0) < 0)
    return error_sys (err, errno, "label the directory for notifications %s", label);
  return 0;
}

/* The address that NOTIFY_SOCKET names: a path or, after @, an abstract one.  Its length, or -errno.  */
static socklen_t
caller_address (const char *name, struct sockaddr_un *address)
{
  size_t length = strlen (name);
  *address = (struct sockaddr_un){ .sun_family = AF_UNIX };
  if ((name[0] != '/' && name[0] != '@') || length >= sizeof address->sun_path)
    return 0;
  memcpy (address->sun_path, name, length);
  if (name[0] == '@')
    address->sun_path[0] = '\0';
  return (socklen_t) (offsetof (struct sockaddr_un, sun_path) + length + (name[0] == '/'));
}

/* -1, after a warning, where the caller cannot be reached.  */
static int
connect_to_caller (void)
{
  const char *name = getenv ("NOTIFY_SOCKET");
  struct sockaddr_un address;
  socklen_t length = caller_address (name, &address);
  if (length == 0)
    {
      log_warning ("NOTIFY_SOCKET=%s: nobody is notified: this is no address of a unix socket", name);
      return -1;
    }
  const struct timeval timeout = { .tv_sec = SEND_TIMEOUT };
  FD_CLEANUP int fd = socket (AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || setsockopt (fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) < 0
      || connect (fd, (struct sockaddr *) &address, length) < 0)
    {
      log_warning ("NOTIFY_SOCKET=%s: nobody is notified: %s", name, strerror (errno));
      return -1;
    }
  return fd_take (&fd);
}

/* Lets everybody in the container send to the socket below DIRFD, whatever our umask.  Its name is not followed: with
 * enough privileges somebody there could have put something else in its place.  0 or -errno.  */
static int
open_to_all (int dirfd)
{
  FD_CLEANUP int fd = openat (dirfd, socket_name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  struct stat st;
  char path[64];
  if (fd < 0 || fstat (fd, &st) < 0)
    return -errno;
  if (!S_ISSOCK (st.st_mode))
    return -ENOTSOCK;
  snprintf (path, sizeof path, "/proc/self/fd/%d", fd);
  return chmod (path, 0777) < 0 ? -errno : 0;
}

/* Binds a socket below DIRFD, in the place of one that a start has left that failed.  */
static int
bind_socket (int dirfd, int *ret_fd, struct error *err)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  FD_CLEANUP int fd = socket (AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0 || (unlinkat (dirfd, socket_name, 0) < 0 && errno != ENOENT))
    return error_sys (err, errno, "make the socket for notifications");
  store_socket_path (dirfd, socket_name, address.sun_path);
  int r = bind (fd, (struct sockaddr *) &address, sizeof address) < 0 ? -errno : open_to_all (dirfd);
  if (r < 0)
    return error_sys (err, r, "make the socket for notifications");
  *ret_fd = fd_take (&fd);
  return 0;
}

int
notify_listen (const struct store_entry *entry, struct notify *ret_notify, struct error *err)
{
  if (!notify_is_wanted ())
    return 0;
  FD_CLEANUP int caller = connect_to_caller ();
  if (caller < 0)
    return 0;
  FD_CLEANUP int dirfd = openat (entry->fd, STORE_NOTIFY, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (dirfd < 0)
    return error_sys (err, errno, "open the directory for notifications");
  int r = bind_socket (dirfd, &ret_notify->socket, err);
  if (r == 0)
    ret_notify->caller = fd_take (&caller);
  return r;
}

/* Whether one line of MESSAGE is READY=1.  As for systemd, there is no NUL in a message but for one at its end.  */
static bool
says_ready (const char *message, size_t size)
{
  static const char ready[] = "READY=1";
  if (size > 0 && message[size - 1] == '\0')
    size--;
  if (memchr (message, '\0', size) != NULL)
    return false;
  for (const char *line = message, *end = message + size; line < end;)
    {
      const char *next = memchr (line, '\n', (size_t) (end - line));
      size_t length = (size_t) ((next != NULL ? next : end) - line);
      if (length == sizeof ready - 1 && memcmp (line, ready, length) == 0)
        return true;
      line += length + 1;
    }
  return false;
}

/* Takes the next message and tells whether it is the one.  -EAGAIN: there is none.  */
static int
take_message (int socket, bool *ret_ready)
{
  char message[MESSAGE_MAX];
  /* Without room for them descriptors that come with it are closed by the kernel: unix(7).  */
  ssize_t size = recv (socket, message, sizeof message, MSG_TRUNC | MSG_DONTWAIT);
  if (size < 0)
    return -errno;
  *ret_ready = (size_t) size <= sizeof message && says_ready (message, (size_t) size);
  return 0;
}

static void
tell_caller (int caller, pid_t main_pid)
{
  char text[64];
  int length = snprintf (text, sizeof text, "READY=1\nMAINPID=%d", (int) main_pid);
  int r = fd_send (caller, text, (size_t) length, NULL, 0);
  if (r < 0)
    log_warning ("NOTIFY_SOCKET: the container is ready, but nobody could be told: %s", strerror (-r));
}

bool
notify_take (struct notify *notify, pid_t main_pid)
{
  bool ready = false;
  int r = 0;
  for (int i = 0; notify->socket >= 0 && i < TAKE_MAX && r == 0 && !ready; i++)
    r = take_message (notify->socket, &ready);
  if (ready)
    {
      tell_caller (notify->caller, main_pid);
      notify->socket = fd_close (notify->socket);
    }
  return notify->socket < 0;
}

/* The caller closes the descriptor when it has come to this message, and so has done with those before.  */
static void
wait_for_caller (int caller)
{
  static const char barrier[] = "BARRIER=1";
  int ends[2];
  if (pipe2 (ends, O_CLOEXEC) < 0)
    return;
  int r = fd_send (caller, barrier, sizeof barrier - 1, &ends[1], 1);
  fd_close (ends[1]);
  if (r == 0 && fd_wait_readable (ends[0], BARRIER_TIMEOUT * 1000) == -ETIMEDOUT)
    log_warning ("NOTIFY_SOCKET: nobody has taken notice for %d s", BARRIER_TIMEOUT);
  fd_close (ends[0]);
}

void
notify_wait (struct notify *notify, pid_t pid, int pidfd)
{
  struct pollfd fds[] = { { .fd = notify->socket, .events = POLLIN }, { .fd = pidfd, .events = POLLIN } };
  if (notify->socket < 0)
    return;
  log_debug ("waiting until process %d says that it is ready", (int) pid);
  for (;;)
    {
      if (poll (fds, 2, -1) < 0 && errno != EINTR)
        {
          log_warning ("NOTIFY_SOCKET: wait until process %d is ready: %s", (int) pid, strerror (errno));
          return;
        }
      /* In this order: what has ended may have been ready.  */
      if (notify_take (notify, pid))
        {
          wait_for_caller (notify->caller);
          return;
        }
      if (fds[1].revents != 0)
        return;
    }
}

void
notify_close (struct notify *notify)
{
  notify->socket = fd_close (notify->socket);
  notify->caller = fd_close (notify->caller);
}
