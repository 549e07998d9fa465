/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The cache of compiled filters.
 *
 * An entry is made without a name (O_TMPFILE) and linked when it is whole, so a runtime that is killed leaves nothing
 * behind and a reader sees all or nothing.  Entries are never changed.  */
#include "seccomp/cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf_common.h>
#include <linux/filter.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/strbuf.h"

#define PREFIX "seccomp-"
#define MAGIC 0x70636573656c6f68u /* "holesecp" */

typedef char entry_name[sizeof PREFIX + 16];

/* What an entry starts with.  The program, the key and the library follow.  */
struct header
{
  uint64_t magic;
  uint64_t check; /* hash of all that follows this member */
  uint32_t length;
  uint32_t key_size, library_size;
  uint32_t reserved;
};

/* A library's file at the time of compiling; its path follows.  */
struct identity
{
  uint64_t device, inode, size;
  int64_t seconds, nanoseconds; /* of its last change */
};

/* Quick, and good enough to name files and to see that a disk went bad; not against forgers, who are kept out by the
 * owner and the mode.  */
static uint64_t
hash (const void *bytes, size_t size)
{
  const char *at = bytes;
  uint64_t h = size;
  while (size > 0)
    {
      uint64_t word = 0;
      size_t step = size < sizeof word ? size : sizeof word;
      memcpy (&word, at, step);
      h = (h ^ word) * 0x9e3779b97f4a7c15u; /* 2^64 divided by the golden ratio */
      h ^= h >> 29;
      at += step;
      size -= step;
    }
  return h;
}

static void
name_entry (entry_name name, struct cache_blob key)
{
  snprintf (name, sizeof (entry_name), PREFIX "%016llx", (unsigned long long) hash (key.bytes, key.size));
}

static int
identify (const char *path, struct identity *ret_identity)
{
  struct stat st;
  if (path[0] != '/')
    return -ENOENT; /* found by a relative LD_LIBRARY_PATH: the same path may be another file next time */
  if (stat (path, &st) < 0)
    return -errno;
  *ret_identity = (struct identity){ .device = st.st_dev,
                                     .inode = st.st_ino,
                                     .size = (uint64_t) st.st_size,
                                     .seconds = st.st_mtim.tv_sec,
                                     .nanoseconds = st.st_mtim.tv_nsec };
  return 0;
}

/* ---- finding ---- */

/* Reads the entry NAME whole if the file is ours alone.  */
static int
read_entry (struct arena *arena, int dirfd, const char *name, char **ret_bytes, size_t *ret_size)
{
  /* O_NONBLOCK: it may be a FIFO.  */
  FD_CLEANUP int fd = openat (dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0)
    return -errno;
  struct stat st;
  if (fstat (fd, &st) < 0)
    return -errno;
  if (!S_ISREG (st.st_mode) || st.st_uid != geteuid () || (st.st_mode & (S_IWGRP | S_IWOTH)) || st.st_nlink != 1
      || st.st_size < (off_t) sizeof (struct header) || st.st_size > CACHE_ENTRY_SIZE_MAX)
    return -ENOENT;
  char *bytes = arena_alloc (arena, (size_t) st.st_size);
  ssize_t got = fd_read_all (fd, bytes, (size_t) st.st_size);
  if (got != st.st_size)
    return -ENOENT;
  *ret_bytes = bytes;
  *ret_size = (size_t) got;
  return 0;
}

/* Whether the library is still the file that LIBRARY, the last part of an entry, describes.  */
static bool
is_same_library (struct cache_blob library)
{
  struct identity then, now;
  if (library.size <= sizeof then || ((const char *) library.bytes)[library.size - 1] != '\0')
    return false;
  memcpy (&then, library.bytes, sizeof then);
  return identify ((const char *) library.bytes + sizeof then, &now) == 0 && memcmp (&then, &now, sizeof now) == 0;
}

int
seccomp_cache_find (struct arena *arena, int dirfd, struct cache_blob key, struct sock_filter **ret_program,
                    uint32_t *ret_length)
{
  entry_name name;
  char *bytes = NULL;
  size_t size = 0;
  name_entry (name, key);
  if (read_entry (arena, dirfd, name, &bytes, &size) < 0)
    return -ENOENT;

  struct header header;
  memcpy (&header, bytes, sizeof header);
  const size_t checked = offsetof (struct header, length);
  size_t program_size = header.length * sizeof (struct sock_filter);
  char *program = bytes + sizeof header;
  if (header.magic != MAGIC || header.length == 0 || header.length > BPF_MAXINSNS || header.key_size != key.size
      || header.library_size > size || size != sizeof header + program_size + key.size + header.library_size
      || header.check != hash (bytes + checked, size - checked)
      || memcmp (program + program_size, key.bytes, key.size) != 0
      || !is_same_library ((struct cache_blob){ program + program_size + key.size, header.library_size }))
    return -ENOENT;

  *ret_program = (struct sock_filter *) (void *) program; /* aligned: the header is a multiple of 8 */
  *ret_length = header.length;
  return 0;
}

/* ---- storing ---- */

/* Removes the oldest entry if there is no room for one more; true if it did.  */
static bool
evict (int dirfd)
{
  int copy = openat (dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* a position of its own */
  DIR *dir = copy < 0 ? NULL : fdopendir (copy);
  if (dir == NULL)
    {
      fd_close (copy);
      return false;
    }

  entry_name oldest = "";
  struct timespec then = { 0 };
  unsigned count = 0;
  const struct dirent *entry;
  while ((entry = readdir (dir)) != NULL)
    {
      struct stat st;
      if (strncmp (entry->d_name, PREFIX, strlen (PREFIX)) != 0 || strlen (entry->d_name) >= sizeof oldest
          || fstatat (dirfd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        continue;
      count++;
      if (count == 1 || st.st_mtim.tv_sec < then.tv_sec
          || (st.st_mtim.tv_sec == then.tv_sec && st.st_mtim.tv_nsec < then.tv_nsec))
        {
          then = st.st_mtim;
          strcpy (oldest, entry->d_name);
        }
    }
  closedir (dir);
  return count >= CACHE_ENTRIES_MAX && unlinkat (dirfd, oldest, 0) == 0;
}

/* Links FD, which has no name yet, as NAME.  */
static int
link_entry (int fd, int dirfd, const char *name)
{
  if (linkat (fd, "", dirfd, name, AT_EMPTY_PATH) == 0)
    return 0;
  if (errno == EEXIST)
    return -EEXIST;
  /* Without CAP_DAC_READ_SEARCH only this way is open (linkat(2)).  */
  char path[64];
  snprintf (path, sizeof path, "/proc/self/fd/%d", fd);
  return linkat (AT_FDCWD, path, dirfd, name, AT_SYMLINK_FOLLOW) == 0 ? 0 : -errno;
}

int
seccomp_cache_store (struct arena *arena, int dirfd, struct cache_blob key, const char *library,
                     const struct sock_filter *program, uint32_t length)
{
  struct identity identity;
  int r = identify (library, &identity);
  if (r < 0)
    return r;

  struct header header = { .magic = MAGIC,
                           .length = length,
                           .key_size = (uint32_t) key.size,
                           .library_size = (uint32_t) (sizeof identity + strlen (library) + 1) };
  struct strbuf entry = STRBUF_INIT (arena);
  strbuf_add_bytes (&entry, (const char *) &header, sizeof header);
  strbuf_add_bytes (&entry, (const char *) program, length * sizeof *program);
  strbuf_add_bytes (&entry, key.bytes, key.size);
  strbuf_add_bytes (&entry, (const char *) &identity, sizeof identity);
  strbuf_add_bytes (&entry, library, strlen (library) + 1);
  if (entry.length > CACHE_ENTRY_SIZE_MAX)
    return -EFBIG;
  const size_t checked = offsetof (struct header, length);
  header.check = hash (entry.text + checked, entry.length - checked);
  memcpy (entry.text, &header, sizeof header);

  FD_CLEANUP int fd = openat (dirfd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
  if (fd < 0)
    return -errno;
  r = fd_write_all (fd, entry.text, entry.length);
  if (r < 0)
    return r;
  while (evict (dirfd))
    ;
  entry_name name;
  name_entry (name, key);
  r = link_entry (fd, dirfd, name);
  if (r != -EEXIST)
    return r;
  /* The one that is there was found wanting.  If another runtime is quicker to replace it, that is as well.  */
  if (unlinkat (dirfd, name, 0) < 0)
    return -errno;
  return link_entry (fd, dirfd, name);
}
