/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading a config whole.  */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/fd.h"
#include "spec/spec.h"

static int
too_large (const char *shown, struct error *err)
{
  return error_set (err, EFBIG, "%s: larger than %u MiB", shown, SPEC_SIZE_MAX >> 20);
}

/* How long a FIFO may keep us waiting for what comes next.  */
#define FIFO_TIMEOUT_MS 10000

/* Reads FD to its end into room for EXPECTED bytes, which doubles when there are more: a stream does not say how many,
 * and a file may grow.  */
static int
read_whole (struct arena *arena, int fd, bool stream, size_t expected, const char *shown, const char **ret_text,
            size_t *ret_size, struct error *err)
{
  size_t size = 0, capacity = expected + 1; /* the byte beyond meets the end of the file, and holds the NUL */
  char *text = arena_alloc (arena, capacity);
  for (;;)
    {
      int r = stream ? fd_wait_readable (fd, FIFO_TIMEOUT_MS) : 0; /* it was opened without waiting for a writer */
      if (r == -ETIMEDOUT)
        return error_set (err, ETIMEDOUT, "read %s: nobody has written to it for %d s", shown, FIFO_TIMEOUT_MS / 1000);
      ssize_t got = read (fd, text + size, capacity - size);
      if (got < 0 && (errno == EINTR || errno == EAGAIN))
        continue;
      if (got < 0)
        return error_sys (err, errno, "read %s", shown);
      if (got == 0)
        break;
      size += (size_t) got;
      if (size > SPEC_SIZE_MAX)
        return too_large (shown, err);
      if (size == capacity)
        {
          char *larger = arena_alloc (arena, 2 * capacity);
          memcpy (larger, text, size);
          text = larger;
          capacity *= 2;
        }
    }
  text[size] = '\0';
  *ret_text = text;
  *ret_size = size;
  return 0;
}

/* How much a stream is expected to bring.  */
#define STREAM_EXPECTED (64 * 1024)

static int
read_regular (struct arena *arena, int fd, const struct stat *st, const char *shown, const char **ret_text,
              size_t *ret_size, struct error *err)
{
  if (st->st_size > (off_t) SPEC_SIZE_MAX)
    return too_large (shown, err);
  return read_whole (arena, fd, false, (size_t) st->st_size, shown, ret_text, ret_size, err);
}

int
spec_read_fd (struct arena *arena, int fd, const char *shown, const char **ret_text, size_t *ret_size,
              struct error *err)
{
  struct stat st;
  if (fstat (fd, &st) < 0)
    return error_sys (err, errno, "stat %s", shown);
  if (S_ISREG (st.st_mode))
    return read_regular (arena, fd, &st, shown, ret_text, ret_size, err);
  return read_whole (arena, fd, true, STREAM_EXPECTED, shown, ret_text, ret_size, err);
}

int
spec_read_file (struct arena *arena, int dirfd, const char *name, const char *shown, const char **ret_text,
                size_t *ret_size, struct error *err)
{
  int FD_CLEANUP fd = openat (dirfd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (fd < 0)
    return error_sys (err, errno, "open %s", shown);
  struct stat st;
  if (fstat (fd, &st) < 0)
    return error_sys (err, errno, "stat %s", shown);
  if (S_ISFIFO (st.st_mode))
    return read_whole (arena, fd, true, STREAM_EXPECTED, shown, ret_text, ret_size, err);
  if (!S_ISREG (st.st_mode))
    return error_set (err, S_ISDIR (st.st_mode) ? EISDIR : EINVAL, "%s: not a regular file", shown);
  return read_regular (arena, fd, &st, shown, ret_text, ret_size, err);
}
