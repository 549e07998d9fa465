/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The state store: ROOT/ID/ is what is remembered of container ID.
 *
 * | file           | what it is                                            | there                                    |
 * |----------------|-------------------------------------------------------|------------------------------------------|
 * | state.json.new | struct container_state of a container in the making   | from the first step of create            |
 * | state.json     | the same, renamed: the container is created           | from the last step of create to delete   |
 * | config.json    | the configuration as it was at create                 | as long as the container                 |
 * | control        | socket on which init waits for START                  | between create and start, never for run  |
 * | notify/        | directory that is /run/notify in the container        | as long as it, if it was to have one     |
 *
 * An exclusive flock(2) on the directory orders the commands that change one container: create holds it until it is
 * done, start and delete while they work.  It goes with its holder, so a killed command blocks nobody, and a directory
 * without state.json that nobody has locked is what a killed create left.  Commands that only look (state, list) or
 * that must get through while a start hangs (kill) take no lock: state.json is complete at any time.
 *
 * delete removes state.json last but for the directory, so a killed delete leaves a stopped container to delete.  */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct arena;
struct error;

#define STORE_STATE "state.json"
#define STORE_STATE_NEW "state.json.new"
#define STORE_CONFIG "config.json"
#define STORE_CONTROL "control"
#define STORE_NOTIFY "notify"

#define STORE_ID_MAX 1024          /* what the specification's peers allow; the file system's NAME_MAX is less */
#define STORE_LOCK_TIMEOUT 10      /* seconds that a command waits for another one on the same container */
#define STORE_SOCKET_PATH_SIZE 108 /* of sockaddr_un.sun_path */

/* The root directory.  */
struct store
{
  int fd;           /* -1: there is no root, and so no container */
  const char *path; /* for messages */
};

#define STORE_INIT                                                                                                     \
  {                                                                                                                    \
    .fd = -1                                                                                                           \
  }

/* One container's directory.  */
struct store_entry
{
  int fd;     /* the directory; the lock, if any, goes with it */
  int rootfd; /* of the store, borrowed: the store must stay open as long */
  const char *id;
};

#define STORE_ENTRY_INIT                                                                                               \
  {                                                                                                                    \
    .fd = -1, .rootfd = -1                                                                                             \
  }

/* Checks that ID is one: [A-Za-z0-9_+-][A-Za-z0-9_+.-]* and not too long.  0 or -EINVAL.  */
int store_check_id (const char *id, struct error *err);

/* Opens the root PATH.  With MAKE it is made (mode 0700, its parents 0711) when missing.  Without, a missing root is
 * -ENOENT, or when OPTIONAL an empty store.  Refused: what is no directory, one of another owner, one that others may
 * write to (-ENOTDIR, -EPERM).  PATH must live as long as the store.  */
int store_open (const char *path, bool make, bool optional, struct store *ret_store, struct error *err);

/* Makes the directory of a new container, and locks it.  -EEXIST if there is one: "container with given ID already
 * exists: web1".  */
int store_create (const struct store *store, const char *id, struct store_entry *ret_entry, struct error *err);

/* Opens container ID without a lock.  -ENOENT: "container web1 does not exist".  */
int store_find (const struct store *store, const char *id, struct store_entry *ret_entry, struct error *err);

/* Opens container ID and locks it, waiting STORE_LOCK_TIMEOUT for whoever works on it; -EBUSY then names that process.
 * The entry is the one at its path when the lock is held, not one that was deleted meanwhile.  */
int store_lock (const struct store *store, const char *id, struct store_entry *ret_entry, struct error *err);

/* Gives the lock of ENTRY up and takes it again, as `run` does around the life of the program.  *RET_GONE: the
 * container was deleted meanwhile, and there is nothing to lock.  Errors as of store_lock.  */
void store_unlock (const struct store_entry *entry);
int store_relock (const struct store_entry *entry, bool *ret_gone, struct error *err);

/* Takes the lock of ENTRY (opened by store_find) unless another command has it.  Until it is closed.  */
bool store_try_lock (const struct store_entry *entry);

/* Whether another command holds the lock of ENTRY (opened by store_find): without state.json, a create is at work.  */
bool store_is_busy (const struct store_entry *entry);

/* Writes SIZE bytes of TEXT as the new file NAME (0600) below ENTRY.  0 or a negative errno.  */
int store_write (const struct store_entry *entry, const char *name, const void *text, size_t size, struct error *err);

/* Reads the file NAME whole into ARENA, NUL-terminated beyond *RET_SIZE.  Returns -ENOENT, without a record in ERR, if
 * there is none.  */
int store_read (struct arena *arena, const struct store_entry *entry, const char *name, char **ret_text,
                size_t *ret_size, struct error *err);

/* Removes the directory NAME below ENTRY with all that is in it, if there is one.  */
int store_remove_directory (const struct store_entry *entry, const char *name, struct error *err);

/* Removes the locked ENTRY's files and directory, and closes it.  Files that are none of ours are removed, too.  */
int store_remove (struct store_entry *entry, struct error *err);

/* The ids in STORE, sorted.  *RET_IDS lives in ARENA.  */
int store_list (struct arena *arena, const struct store *store, const char ***ret_ids, size_t *ret_count,
                struct error *err);

/* The address of the socket NAME below the directory FD, whatever the length of the directory's own path: through
 * /proc/self/fd.  OUT is a sockaddr_un's sun_path.  */
void store_socket_path (int dirfd, const char *name, char out[STORE_SOCKET_PATH_SIZE]);

/* Close; both may be called twice and on *_INIT.  */
void store_entry_close (struct store_entry *entry);
void store_close (struct store *store);

#define STORE_CLEANUP __attribute__ ((cleanup (store_close)))
#define STORE_ENTRY_CLEANUP __attribute__ ((cleanup (store_entry_close)))
