/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Descriptors: owned by cleanup variables, handed on by a named take, read and written whole.  */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/* Closes *FD unless it is negative, keeps errno; for FD_CLEANUP.  */
void fd_closep (const int *fd);
#define FD_CLEANUP __attribute__ ((cleanup (fd_closep)))

/* Closes FD unless negative, keeps errno.  Returns -1, so that `fd = fd_close (fd)` forgets it.  */
int fd_close (int fd);

/* Hands the descriptor on: returns *FD and leaves -1.  */
static inline int
fd_take (int *fd)
{
  int taken = *fd;
  *fd = -1;
  return taken;
}

/* Writes all of DATA, resuming after short writes and EINTR.  0 or -errno.  */
int fd_write_all (int fd, const void *data, size_t size);

/* Writes TEXT to the existing file NAME below DIRFD with a single write, as the kernel's pseudo files want it
 * (O_WRONLY|O_CLOEXEC|O_NOFOLLOW).  0 or -errno.  */
int fd_write_file_at (int dirfd, const char *name, const char *text);

/* Reads the file NAME below DIRFD (O_NOFOLLOW) into BUFFER and terminates it; what does not fit is -EFBIG.  Returns the
 * length or -errno.  */
ssize_t fd_read_file_at (int dirfd, const char *name, char *buffer, size_t size);

/* Reads FD to its end into BUFFER (no terminator).  Returns the length, -EFBIG when there is more than SIZE, -errno. */
ssize_t fd_read_all (int fd, void *buffer, size_t size);

/* Sends one datagram/record of SIZE bytes over a socket with COUNT descriptors attached.  0 or -errno; never SIGPIPE.
 */
int fd_send (int socket, const void *data, size_t size, const int *fds, unsigned count);

/* Receives at most SIZE bytes and up to COUNT descriptors (O_CLOEXEC; *RET_COUNT of them were got; surplus ones are
 * closed).  FDS, RET_COUNT may be NULL when COUNT is 0.  Returns the length, 0 at end of file, -errno.  */
ssize_t fd_receive (int socket, void *data, size_t size, int *fds, unsigned count, unsigned *ret_count);

/* Waits until FD is readable (or hung up) for at most TIMEOUT_MS (-1: for ever).  0, -ETIMEDOUT or -errno.  */
int fd_wait_readable (int fd, int timeout_ms);

/* A sealed memfd named NAME holding a copy of DATA, executable when EXECUTABLE (MFD_EXEC where the kernel knows it),
 * positioned at its start. Returns the descriptor or -errno (EACCES where vm.memfd_noexec=2 forbids executable ones).
 */
int fd_sealed_copy (const char *name, const void *data, size_t size, int executable);
