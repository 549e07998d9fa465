/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/id_map.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/strbuf.h"
#include "base/syscalls.h"
#include "spec/spec.h"

#define HELPER_TIMEOUT_MS 10000
#define HELPER_WORDS_MAX 512

/* One of the two maps.  */
struct map
{
  const struct spec_id_mappings *ids;
  const char *file, *helper, *ranges; /* /proc/PID/file, its program, and where that looks */
};

/* The kernel takes 340 lines of three numbers.  */
#define MAP_TEXT_MAX (340 * 36)

static struct map
gids_of (const struct spec_id_mappings *ids)
{
  return (struct map){ ids, "gid_map", "newgidmap", "/etc/subgid" };
}

static struct map
uids_of (const struct spec_id_mappings *ids)
{
  return (struct map){ ids, "uid_map", "newuidmap", "/etc/subuid" };
}

static int
write_proc (pid_t pid, const char *file, const char *text)
{
  char path[64];

  snprintf (path, sizeof path, "/proc/%d/%s", (int) pid, file);
  return fd_write_file_at (AT_FDCWD, path, text);
}

static int
write_map (struct arena *arena, pid_t pid, const struct map *map, const struct spec *spec, struct error *err)
{
  struct strbuf out = STRBUF_INIT (arena);
  int result;

  for (size_t i = 0; i < map->ids->count; i++)
    strbuf_printf (&out, "%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", map->ids->items[i].container_id.value,
                   map->ids->items[i].host_id.value, map->ids->items[i].size.value);
  result = write_proc (pid, map->file, strbuf_text (&out));
  if (result < 0)
    error_sys (err, result, "%s: write %s", spec_where (arena, spec, &map->ids->items[0]), map->file);
  if (result == -EPERM)
    error_hint (err, "the caller must have these ids himself, and CAP_SETFCAP to map his 0 (Linux 5.12)");
  return result;
}

static const char *
number (struct arena *arena, uint64_t value)
{
  return arena_printf (arena, "%" PRIu64, value);
}

/* "newuidmap PID CONTAINER HOST SIZE …", NULL-terminated.  */
static char **
helper_arguments (struct arena *arena, pid_t pid, const struct map *map)
{
  const char **args = arena_array (arena, const char *, 3 * map->ids->count + 3);
  size_t n = 0;

  args[n++] = map->helper;
  args[n++] = number (arena, (uint64_t) pid);
  for (size_t i = 0; i < map->ids->count; i++)
    {
      args[n++] = number (arena, map->ids->items[i].container_id.value);
      args[n++] = number (arena, map->ids->items[i].host_id.value);
      args[n++] = number (arena, map->ids->items[i].size.value);
    }
  return (char **) args;
}

/* Starts ARGS[0] with standard error on ERRORS.  0 or a positive errno, as posix_spawn(3).  */
static int
spawn_helper (char **args, int errors, pid_t *ret_pid)
{
  posix_spawn_file_actions_t files;
  int result = posix_spawn_file_actions_init (&files);

  if (result != 0)
    return result;
  result = posix_spawn_file_actions_adddup2 (&files, errors, STDERR_FILENO);
  if (result == 0)
    result = posix_spawnp (ret_pid, args[0], &files, NULL, args, environ);
  posix_spawn_file_actions_destroy (&files);
  return result;
}

/* Why HELPER, which is over, refused: the first line that it wrote, or nothing.  */
static const char *
helper_words (struct arena *arena, int errors, const char *helper)
{
  char *text = arena_alloc (arena, HELPER_WORDS_MAX);
  ssize_t length = read (errors, text, HELPER_WORDS_MAX - 1);
  size_t name = strlen (helper);

  if (length <= 0)
    return "";
  text[length] = '\0';
  text[strcspn (text, "\n")] = '\0';
  /* It begins with its name, which stands in our message already.  */
  if (strncmp (text, helper, name) == 0 && strncmp (text + name, ": ", 2) == 0)
    text += name + 2;
  return arena_printf (arena, ": %s", text);
}

static int
run_helper (struct arena *arena, pid_t pid, const struct map *map, const struct spec *spec, struct error *err)
{
  const char *where = spec_where (arena, spec, &map->ids->items[0]);
  FD_CLEANUP int pidfd = -1, errors = -1;
  int result, ends[2], status = 0;
  pid_t helper;

  if (pipe2 (ends, O_CLOEXEC | O_NONBLOCK) < 0)
    return error_sys (err, errno, "make a pipe");
  errors = ends[0];
  result = spawn_helper (helper_arguments (arena, pid, map), ends[1], &helper);
  fd_close (ends[1]);
  if (result == ENOENT)
    {
      error_set (err, ENOENT, "%s: %s is needed to map these ids, and not there", where, map->helper);
      error_hint (err, "install it (Debian: uidmap), or map only your own uid and gid");
      return -ENOENT;
    }
  if (result > 0)
    return error_sys (err, result, "%s: run %s", where, map->helper);
  pidfd = sys_pidfd_open (helper, 0);
  result = pidfd < 0 ? -errno : fd_wait_readable (pidfd, HELPER_TIMEOUT_MS);
  if (result < 0)
    kill (helper, SIGKILL); /* our own child, not reaped yet */
  waitpid (helper, &status, 0);
  if (result < 0)
    return error_sys (err, result, "%s: wait for %s", where, map->helper);
  if (status == 0)
    return 0;
  error_set (err, EPERM, "%s: %s refused to map these ids%s", where, map->helper,
             helper_words (arena, errors, map->helper));
  error_hint (err, "the ranges that you may map stand in %s", map->ranges);
  return -EPERM;
}

static bool
has_mapping (const struct spec_id_mappings *ids, uint64_t inside, uint64_t outside, uint64_t size)
{
  for (size_t i = 0; i < ids->count; i++)
    if (ids->items[i].container_id.value == inside && ids->items[i].host_id.value == outside
        && ids->items[i].size.value == size)
      return true;
  return false;
}

/* What Podman writes beside the path of a user namespace, since runc once wanted to see a mapping there.  */
static bool
is_dummy (const struct spec_id_mappings *ids)
{
  return ids->count == 1 && has_mapping (ids, 0, 0, 1);
}

static int
check_map (struct arena *arena, pid_t pid, const struct map *map, const struct spec *spec, struct error *err)
{
  char *text = arena_alloc (arena, MAP_TEXT_MAX), path[64];
  uint64_t inside, outside, size;
  size_t found = 0;
  bool same = true;
  ssize_t length;
  int used;

  snprintf (path, sizeof path, "/proc/%d/%s", (int) pid, map->file);
  length = fd_read_file_at (AT_FDCWD, path, text, MAP_TEXT_MAX);
  if (length < 0)
    return error_sys (err, (int) length, "read %s", path);
  for (; same && sscanf (text, "%" SCNu64 " %" SCNu64 " %" SCNu64 "%n", &inside, &outside, &size, &used) == 3; found++)
    {
      same = has_mapping (map->ids, inside, outside, size);
      text += used;
    }
  if (same && found == map->ids->count)
    return 0;
  return error_set (err, EINVAL, "%s: the user namespace that is joined has other mappings",
                    spec_where (arena, spec, &map->ids->items[0]));
}

int
id_map_check (struct arena *arena, pid_t pid, const struct spec *spec, struct error *err)
{
  const struct map maps[] = { gids_of (&spec->linux_->gid_mappings), uids_of (&spec->linux_->uid_mappings) };
  int result = 0;

  for (size_t i = 0; i < sizeof maps / sizeof *maps && result == 0; i++)
    result = maps[i].ids->count && !is_dummy (maps[i].ids) ? check_map (arena, pid, &maps[i], spec, err) : 0;
  return result;
}

int
id_map_write (struct arena *arena, pid_t pid, const struct spec *spec, const struct spec_id_mappings *uids,
              const struct spec_id_mappings *gids, enum plan_id_map method, struct error *err)
{
  const struct map maps[] = { gids_of (gids), uids_of (uids) };
  int result = 0;

  /* Who may not set groups may not give them up either: they may be what keeps a file from its members.  */
  if (method == PLAN_ID_MAP_OWN)
    result = write_proc (pid, "setgroups", "deny");
  if (result < 0 && result != -ENOENT)
    return error_sys (err, result, "write /proc/%d/setgroups", (int) pid);
  result = 0;
  for (size_t i = 0; i < sizeof maps / sizeof *maps && result == 0; i++)
    result = method == PLAN_ID_MAP_HELPER ? run_helper (arena, pid, &maps[i], spec, err)
                                          : write_map (arena, pid, &maps[i], spec, err);
  return result;
}
