/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The state store: directories, their locks, their files.  */
#include "container/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/fd.h"
#include "container/lock.h"

enum
{
  ROOT_MODE = 0700,
  PARENT_MODE = 0711,
};

static bool
id_char (char c)
{
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '+' || c == '-'
         || c == '.';
}

/* Neither "." nor ".." nor a hidden name is one: the first character is no full stop.  */
static bool
id_valid (const char *id)
{
  if (id[0] == '\0' || id[0] == '.')
    return false;
  for (const char *c = id; *c != '\0'; c++)
    if (!id_char (*c))
      return false;
  return true;
}

int
store_check_id (const char *id, struct error *err)
{
  if (id == NULL || id[0] == '\0')
    return error_set (err, EINVAL, "the container id is empty");

  size_t length = strlen (id);
  if (length > STORE_ID_MAX)
    return error_set (err, EINVAL, "invalid container id: it has %zu bytes, at most %d are allowed", length,
                      STORE_ID_MAX);
  if (!id_valid (id))
    {
      error_set (err, EINVAL, "invalid container id '%s'", id);
      error_hint (err, "an id is made of letters, digits, '_', '+', '-' and '.', and does not start with '.'");
      return -EINVAL;
    }
  return 0;
}

/* Makes PATH and what is missing above it.  A name that turns up meanwhile is as good as one of ours: store_open looks
 * at what it got.  0 or -errno.  */
static int
make_directories (const char *path)
{
  char *copy = strdup (path);
  if (copy == NULL)
    return -ENOMEM;

  int r = 0;
  for (char *slash = strchr (copy + 1, '/'); r == 0 && slash != NULL; slash = strchr (slash + 1, '/'))
    {
      *slash = '\0';
      if (mkdir (copy, PARENT_MODE) < 0 && errno != EEXIST)
        r = -errno;
      *slash = '/';
    }
  if (r == 0 && mkdir (copy, ROOT_MODE) < 0 && errno != EEXIST)
    r = -errno;
  free (copy);
  return r;
}

/* Whoever can write to the root can plant a state, and with it a command that we would run as a hook.  */
static int
check_root (int fd, const char *path, struct error *err)
{
  struct stat st;
  if (fstat (fd, &st) < 0)
    return error_sys (err, errno, "root %s", path);
  if (st.st_uid != geteuid ())
    return error_set (err, EPERM, "root %s belongs to user %u, not to us (%u)", path, st.st_uid, geteuid ());
  if ((st.st_mode & S_IWOTH) || ((st.st_mode & S_IWGRP) && st.st_gid != getegid ()))
    {
      error_set (err, EPERM, "root %s can be written to by others (mode %04o)", path, st.st_mode & 07777);
      error_hint (err, "chmod 0700 %s, or name another directory with --root", path);
      return -EPERM;
    }
  return 0;
}

/* OPERATION on the root PATH failed with ERROR.  */
static int
no_root (const char *operation, const char *path, int error, struct error *err)
{
  error_sys (err, error, "%s root %s", operation, path);
  if (error == -EACCES || error == -EPERM || error == -EROFS)
    error_hint (err, "name a directory of your own by XDG_RUNTIME_DIR or with --root");
  return error;
}

int
store_open (const char *path, bool make, bool optional, struct store *ret_store, struct error *err)
{
  const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  FD_CLEANUP int fd = open (path, flags);
  if (fd < 0 && errno == ENOENT && make)
    {
      int r = make_directories (path);
      if (r < 0)
        return no_root ("make", path, r, err);
      fd = open (path, flags);
    }
  if (fd < 0 && errno == ENOENT && optional)
    {
      *ret_store = (struct store){ .fd = -1, .path = path };
      return 0;
    }
  if (fd < 0)
    return no_root ("open", path, -errno, err);

  int r = check_root (fd, path, err);
  if (r < 0)
    return r;
  *ret_store = (struct store){ .fd = fd_take (&fd), .path = path };
  return 0;
}

/* What the kernel says to a name that is too long is true of the file system, not of ids.  */
static int
id_too_long (const char *id, struct error *err)
{
  return error_set (err, ENAMETOOLONG, "invalid container id: its %zu bytes are more than a file name can have",
                    strlen (id));
}

static int
not_there (const char *id, struct error *err)
{
  return error_set (err, ENOENT, "container %s does not exist", id);
}

int
store_find (const struct store *store, const char *id, struct store_entry *ret_entry, struct error *err)
{
  int r = store_check_id (id, err);
  if (r < 0)
    return r;
  if (store->fd < 0)
    return not_there (id, err);

  int fd = openat (store->fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0 && (errno == ENOENT || errno == ENAMETOOLONG))
    return not_there (id, err);
  if (fd < 0)
    return error_sys (err, errno, "open %s/%s", store->path, id);
  *ret_entry = (struct store_entry){ .fd = fd, .rootfd = store->fd, .id = id };
  return 0;
}

/* Whether ENTRY is still what its name leads to.  */
static bool
still_there (const struct store_entry *entry)
{
  struct stat held, named;
  return fstat (entry->fd, &held) == 0 && fstatat (entry->rootfd, entry->id, &named, AT_SYMLINK_NOFOLLOW) == 0
         && held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

int
store_lock (const struct store *store, const char *id, struct store_entry *ret_entry, struct error *err)
{
  for (;;)
    {
      STORE_ENTRY_CLEANUP struct store_entry entry = STORE_ENTRY_INIT;
      int r = store_find (store, id, &entry, err);
      if (r < 0)
        return r;
      r = lock_take (entry.fd, STORE_LOCK_TIMEOUT, err);
      if (r < 0)
        {
          error_context (err, "container %s", id);
          return r;
        }
      /* It may have been deleted, and even made anew, before we had the lock.  */
      if (still_there (&entry))
        {
          *ret_entry = entry;
          entry.fd = -1;
          return 0;
        }
    }
}

void
store_unlock (const struct store_entry *entry)
{
  flock (entry->fd, LOCK_UN);
}

int
store_relock (const struct store_entry *entry, bool *ret_gone, struct error *err)
{
  int r = lock_take (entry->fd, STORE_LOCK_TIMEOUT, err);
  if (r < 0)
    {
      error_context (err, "container %s", entry->id);
      return r;
    }
  *ret_gone = !still_there (entry);
  return 0;
}

int
store_create (const struct store *store, const char *id, struct store_entry *ret_entry, struct error *err)
{
  int r = store_check_id (id, err);
  if (r < 0)
    return r;

  if (mkdirat (store->fd, id, ROOT_MODE) < 0)
    {
      if (errno == EEXIST)
        return error_set (err, EEXIST, "container with given ID already exists: %s", id);
      if (errno == ENAMETOOLONG)
        return id_too_long (id, err);
      return error_sys (err, errno, "make %s/%s", store->path, id);
    }
  /* If a `delete --force` was quicker with the lock, this finds nothing, which is what its caller wanted.  */
  r = store_lock (store, id, ret_entry, err);
  if (r < 0)
    unlinkat (store->fd, id, AT_REMOVEDIR); /* as long as it is empty it is nobody else's */
  return r;
}

bool
store_try_lock (const struct store_entry *entry)
{
  return flock (entry->fd, LOCK_EX | LOCK_NB) == 0;
}

bool
store_is_busy (const struct store_entry *entry)
{
  if (flock (entry->fd, LOCK_SH | LOCK_NB) < 0)
    return errno == EWOULDBLOCK;
  flock (entry->fd, LOCK_UN);
  return false;
}

int
store_write (const struct store_entry *entry, const char *name, const void *text, size_t size, struct error *err)
{
  FD_CLEANUP int fd = openat (entry->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0)
    return error_sys (err, errno, "make %s of container %s", name, entry->id);
  int r = fd_write_all (fd, text, size);
  if (r < 0)
    return error_sys (err, r, "write %s of container %s", name, entry->id);
  return 0;
}

int
store_read (struct arena *arena, const struct store_entry *entry, const char *name, char **ret_text, size_t *ret_size,
            struct error *err)
{
  FD_CLEANUP int fd = openat (entry->fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT)
    return -ENOENT;
  struct stat st;
  if (fd < 0 || fstat (fd, &st) < 0)
    return error_sys (err, errno, "open %s of container %s", name, entry->id);

  char *text = arena_alloc (arena, (size_t) st.st_size + 1);
  ssize_t size = fd_read_all (fd, text, (size_t) st.st_size);
  if (size < 0)
    return error_sys (err, (int) size, "read %s of container %s", name, entry->id);
  *ret_text = text;
  *ret_size = (size_t) size;
  return 0;
}

static int remove_directory (int dirfd, const char *name);

/* Removes what is in the directory FD, which is taken over.  0 or -errno.  */
static int
sweep (int fd)
{
  DIR *dir = fd < 0 ? NULL : fdopendir (fd);
  if (dir == NULL)
    {
      int saved_errno = errno;
      fd_close (fd);
      return -saved_errno;
    }

  int r = 0;
  for (struct dirent *file = readdir (dir); file != NULL; file = readdir (dir))
    {
      int removed = 0;
      if (strcmp (file->d_name, ".") != 0 && strcmp (file->d_name, "..") != 0 && unlinkat (fd, file->d_name, 0) < 0)
        removed = errno == EISDIR ? remove_directory (fd, file->d_name) : -errno;
      if (removed < 0 && removed != -ENOENT)
        r = removed;
    }
  closedir (dir);
  return r;
}

/* Removes the directory NAME with what is in it.  0 or -errno.  */
static int
remove_directory (int dirfd, const char *name)
{
  int r = sweep (openat (dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  return r == 0 && unlinkat (dirfd, name, AT_REMOVEDIR) < 0 ? -errno : r;
}

int
store_remove_directory (const struct store_entry *entry, const char *name, struct error *err)
{
  int r = remove_directory (entry->fd, name);
  return r == 0 || r == -ENOENT || r == -ENOTDIR ? 0 : error_sys (err, r, "remove %s of container %s", name, entry->id);
}

int
store_remove (struct store_entry *entry, struct error *err)
{
  static const char *const files[] = { STORE_CONFIG, STORE_CONTROL, STORE_STATE_NEW, STORE_STATE };
  for (size_t i = 0; i < sizeof files / sizeof *files; i++)
    if (unlinkat (entry->fd, files[i], 0) < 0 && errno != ENOENT)
      return error_sys (err, errno, "remove %s of container %s", files[i], entry->id);

  if (unlinkat (entry->rootfd, entry->id, AT_REMOVEDIR) < 0)
    {
      int r = -errno;
      if (r == -ENOTEMPTY)
        /* A description of its own: the lock stays with the entry's.  */
        r = sweep (openat (entry->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      if (r == 0 && unlinkat (entry->rootfd, entry->id, AT_REMOVEDIR) < 0)
        r = -errno;
      if (r < 0)
        return error_sys (err, r, "remove the state directory of container %s", entry->id);
    }
  store_entry_close (entry);
  return 0;
}

static int
compare_ids (const void *a, const void *b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

/* Takes the ids in DIR: counts them when IDS is NULL, else copies at most COUNT of them.  */
static size_t
read_ids (struct arena *arena, DIR *dir, const char **ids, size_t count)
{
  size_t found = 0;
  rewinddir (dir);
  for (struct dirent *entry = readdir (dir); entry != NULL; entry = readdir (dir))
    {
      if (!id_valid (entry->d_name) || (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN))
        continue;
      if (ids != NULL)
        {
          if (found == count)
            break; /* made between the two readings */
          ids[found] = arena_strdup (arena, entry->d_name);
        }
      found++;
    }
  return found;
}

int
store_list (struct arena *arena, const struct store *store, const char ***ret_ids, size_t *ret_count, struct error *err)
{
  const char **ids = NULL;
  size_t count = 0;
  if (store->fd >= 0)
    {
      int fd = openat (store->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      DIR *dir = fd < 0 ? NULL : fdopendir (fd);
      if (dir == NULL)
        {
          int saved_errno = errno;
          fd_close (fd);
          return error_sys (err, saved_errno, "read root %s", store->path);
        }
      count = read_ids (arena, dir, NULL, 0);
      ids = arena_array (arena, const char *, count);
      count = read_ids (arena, dir, ids, count);
      closedir (dir);
      qsort (ids, count, sizeof *ids, compare_ids);
    }
  *ret_ids = ids;
  *ret_count = count;
  return 0;
}

void
store_socket_path (int dirfd, const char *name, char out[STORE_SOCKET_PATH_SIZE])
{
  snprintf (out, STORE_SOCKET_PATH_SIZE, "/proc/self/fd/%d/%s", dirfd, name);
}

void
store_entry_close (struct store_entry *entry)
{
  entry->fd = fd_close (entry->fd);
}

void
store_close (struct store *store)
{
  store->fd = fd_close (store->fd);
}
