/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Descriptors: closing, whole reads and writes, passing over sockets, sealed copies.  */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

/* linux/memfd.h of kernel 6.3.  */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#define MFD_EXEC 0x0010U
#endif

/* The kernel's SCM_MAX_FD: more do not travel in one message (unix(7)).  */
enum
{
  DESCRIPTORS_MAX = 253
};

int
fd_close (int fd)
{
  if (fd >= 0)
    {
      int saved_errno = errno;
      close (fd); /* the descriptor is gone whatever it answers, EINTR too (close(2)) */
      errno = saved_errno;
    }
  return -1;
}

void
fd_closep (const int *fd)
{
  fd_close (*fd);
}

int
fd_write_all (int fd, const void *data, size_t size)
{
  const char *at = data;
  while (size > 0)
    {
      ssize_t written = write (fd, at, size);
      if (written < 0 && errno == EINTR)
        continue;
      if (written < 0)
        return -errno;
      at += written;
      size -= (size_t) written;
    }
  return 0;
}

int
fd_write_file_at (int dirfd, const char *name, const char *text)
{
  FD_CLEANUP int fd = openat (dirfd, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0)
    return -errno;

  size_t size = strlen (text);
  ssize_t written;
  do
    written = write (fd, text, size);
  while (written < 0 && errno == EINTR);
  if (written < 0)
    return -errno;
  return (size_t) written == size ? 0 : -EIO;
}

ssize_t
fd_read_all (int fd, void *buffer, size_t size)
{
  size_t used = 0;
  for (;;)
    {
      /* A full buffer may be all there is: one byte more tells.  */
      char beyond;
      ssize_t got = used < size ? read (fd, (char *) buffer + used, size - used) : read (fd, &beyond, 1);
      if (got < 0 && errno == EINTR)
        continue;
      if (got < 0)
        return -errno;
      if (got == 0)
        return (ssize_t) used;
      if (used == size)
        return -EFBIG;
      used += (size_t) got;
    }
}

ssize_t
fd_read_file_at (int dirfd, const char *name, char *buffer, size_t size)
{
  if (size == 0)
    return -EFBIG;
  FD_CLEANUP int fd = openat (dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0)
    return -errno;
  ssize_t length = fd_read_all (fd, buffer, size - 1);
  if (length >= 0)
    buffer[length] = '\0';
  return length;
}

/* Control data of the largest message, aligned as cmsg(3) wants it.  */
union control
{
  struct cmsghdr header;
  char bytes[CMSG_SPACE (DESCRIPTORS_MAX * sizeof (int))];
};

int
fd_send (int socket, const void *data, size_t size, const int *fds, unsigned count)
{
  if (count > DESCRIPTORS_MAX)
    return -EINVAL;

  union control control;
  struct iovec part = { .iov_base = (void *) data, .iov_len = size };
  struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
  if (count > 0)
    {
      memset (&control, 0, sizeof control);
      message.msg_control = &control;
      message.msg_controllen = CMSG_SPACE (count * sizeof (int));
      struct cmsghdr *header = CMSG_FIRSTHDR (&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN (count * sizeof (int));
      memcpy (CMSG_DATA (header), fds, count * sizeof (int));
    }

  for (;;)
    {
      ssize_t sent = sendmsg (socket, &message, MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR)
        continue;
      if (sent < 0)
        return -errno;
      if ((size_t) sent >= part.iov_len)
        return 0;
      /* A stream took a part, and the descriptors with it.  */
      part.iov_base = (char *) part.iov_base + sent;
      part.iov_len -= (size_t) sent;
      message.msg_control = NULL;
      message.msg_controllen = 0;
    }
}

/* Takes the descriptors out of MESSAGE: the first COUNT into FDS, the rest is closed.  Returns how many were taken.  */
static unsigned
take_descriptors (struct msghdr *message, int *fds, unsigned count)
{
  unsigned taken = 0;
  for (struct cmsghdr *header = CMSG_FIRSTHDR (message); header != NULL; header = CMSG_NXTHDR (message, header))
    {
      if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
        continue;
      size_t there = (header->cmsg_len - CMSG_LEN (0)) / sizeof (int);
      for (size_t i = 0; i < there; i++)
        {
          int fd;
          memcpy (&fd, CMSG_DATA (header) + i * sizeof fd, sizeof fd);
          if (taken < count)
            fds[taken++] = fd;
          else
            fd_close (fd);
        }
    }
  return taken;
}

ssize_t
fd_receive (int socket, void *data, size_t size, int *fds, unsigned count, unsigned *ret_count)
{
  /* Room for all that can come, so that it is we who decide what is surplus.  */
  union control control;
  struct iovec part = { .iov_base = data, .iov_len = size };
  struct msghdr message
      = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };

  ssize_t got;
  do
    got = recvmsg (socket, &message, MSG_CMSG_CLOEXEC);
  while (got < 0 && errno == EINTR);
  if (got < 0)
    return -errno;

  unsigned taken = take_descriptors (&message, fds, count);
  if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
    {
      for (unsigned i = 0; i < taken; i++)
        fds[i] = fd_close (fds[i]);
      /* The control data fits, so it was the table of descriptors that was full.  */
      return message.msg_flags & MSG_CTRUNC ? -EMFILE : -EMSGSIZE;
    }
  if (ret_count != NULL)
    *ret_count = taken;
  return got;
}

int
fd_wait_readable (int fd, int timeout_ms)
{
  int64_t deadline = timeout_ms < 0 ? 0 : clock_ms () + timeout_ms;
  for (;;)
    {
      struct pollfd wanted = { .fd = fd, .events = POLLIN };
      int ready = poll (&wanted, 1, timeout_ms);
      if (ready > 0)
        return wanted.revents & POLLNVAL ? -EBADF : 0;
      if (ready == 0)
        return -ETIMEDOUT;
      if (errno != EINTR)
        return -errno;
      if (timeout_ms >= 0)
        {
          timeout_ms = clock_left (deadline);
        }
    }
}

int
fd_sealed_copy (const char *name, const void *data, size_t size, int executable)
{
  /* Kernels before 6.3 know neither of the two and make every memfd executable.  */
  unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  FD_CLEANUP int fd = memfd_create (name, flags | (executable ? MFD_EXEC : MFD_NOEXEC_SEAL));
  if (fd < 0 && errno == EINVAL)
    fd = memfd_create (name, flags);
  if (fd < 0)
    return -errno;

  int r = fd_write_all (fd, data, size);
  if (r < 0)
    return r;
  if (lseek (fd, 0, SEEK_SET) < 0)
    return -errno;
  if (fcntl (fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
    return -errno;
  return fd_take (&fd);
}
