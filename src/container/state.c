/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The record of a container, its status, and what is told of both.  */
#include "container/state.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/names.h"
#include "base/strbuf.h"
#include "base/syscalls.h"
#include "cgroup/cgroup.h"
#include "container/container.h"
#include "container/store.h"
#include "spec/schema_rows.h"
#include "spec/source.h"

/* state.json as the decoder of configs reads it.  */
struct record
{
  struct container_state state; /* the strings and the map go right where they belong */
  struct spec_int pid;
  struct spec_uint pid_start, owner, start_timeout, last_op;
  struct spec_bool process, terminal, notify, poststart, poststop;
};

static const struct schema_row record_rows[] = {
  STRING (record, state.oci_version, "ociVersion", .required = true),
  STRING (record, state.id, "id", .required = true),
  STRING (record, state.bundle, "bundle", .required = true),
  STRING (record, state.rootfs, "rootfs", .required = true),
  STRING (record, state.config, "config", .required = true),
  STRING (record, state.created, "created", .required = true),
  UINT32 (record, owner, "owner", .required = true),
  STRING (record, state.cgroup, "cgroup"),
  STRING (record, state.rdt.group, "resctrlGroup"),
  STRING (record, state.rdt.monitor, "resctrlMonitor"),
  BOOL (record, process, "process", .required = true),
  BOOL (record, terminal, "terminal"),
  BOOL (record, notify, "notify"),
  BOOL (record, poststart, "poststart"),
  BOOL (record, poststop, "poststop"),
  UINT32 (record, start_timeout, "startTimeout", .required = true),
  UINT32 (record, last_op, "lastOp", .required = true),
  STRING_MAP (record, state.annotations, "annotations"),
  INT (record, pid, "pid", 0, INT32_MAX, .required = true),
  UINT64 (record, pid_start, "pidStart", .required = true),
};
static const struct schema_table record_table = TABLE (record_rows, record);

static void
write_annotations (struct json_writer *w, const struct spec_map *annotations)
{
  if (annotations->count == 0)
    return;
  json_object_begin (w, "annotations");
  for (size_t i = 0; i < annotations->count; i++)
    json_string (w, annotations->items[i].key, annotations->items[i].value);
  json_object_end (w);
}

static const char *
record_text (struct arena *arena, const struct container_state *state)
{
  struct strbuf out = STRBUF_INIT (arena);
  struct json_writer w = { .out = &out };
  json_object_begin (&w, NULL);
  json_string (&w, "ociVersion", state->oci_version);
  json_string (&w, "id", state->id);
  json_integer (&w, "pid", state->pid);
  json_unsigned (&w, "pidStart", state->pid_start);
  json_unsigned (&w, "lastOp", state->last_op);
  json_string (&w, "bundle", state->bundle);
  json_string (&w, "rootfs", state->rootfs);
  json_string (&w, "config", state->config);
  json_string (&w, "created", state->created);
  json_unsigned (&w, "owner", state->owner);
  json_string (&w, "cgroup", state->cgroup);
  if (state->rdt.group != NULL)
    json_string (&w, "resctrlGroup", state->rdt.group);
  if (state->rdt.monitor != NULL)
    json_string (&w, "resctrlMonitor", state->rdt.monitor);
  json_bool (&w, "process", state->process);
  json_bool (&w, "terminal", state->terminal);
  json_bool (&w, "notify", state->notify);
  json_bool (&w, "poststart", state->poststart);
  json_bool (&w, "poststop", state->poststop);
  json_unsigned (&w, "startTimeout", state->start_timeout);
  write_annotations (&w, &state->annotations);
  json_object_end (&w);
  return strbuf_text (&out);
}

/* Seconds that starting may take: the sum of the hooks' timeouts and some for init itself.  0: for ever.  */
static uint32_t
start_timeout (const struct spec_hook_list *hooks)
{
  enum
  {
    INIT_SECONDS = 10,
    AT_MOST = INT32_MAX / 1000 /* as milliseconds in an int */
  };
  int64_t seconds = INIT_SECONDS;
  for (size_t i = 0; i < hooks->count; i++)
    {
      if (!hooks->items[i].timeout.set)
        return 0;
      seconds += hooks->items[i].timeout.value;
    }
  return seconds < AT_MOST ? (uint32_t) seconds : AT_MOST;
}

void
state_from_spec (struct container_state *state, const struct spec *spec)
{
  static const struct spec_hooks no_hooks;
  const struct spec_hooks *hooks = spec->hooks != NULL ? spec->hooks : &no_hooks;
  state->oci_version = spec->oci_version;
  state->process = spec->process != NULL;
  state->terminal = spec->process != NULL && spec->process->terminal.value;
  state->poststart = hooks->poststart.count > 0;
  state->poststop = hooks->poststop.count > 0;
  state->start_timeout = start_timeout (&hooks->start_container);
  state->annotations = spec->annotations;
}

int
state_begin (struct arena *arena, const struct store_entry *entry, const struct container_state *state, int *ret_fd,
             struct error *err)
{
  FD_CLEANUP int fd = openat (entry->fd, STORE_STATE_NEW, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0)
    return error_sys (err, errno, "make %s of container %s", STORE_STATE_NEW, entry->id);
  const char *text = record_text (arena, state);
  int r = fd_write_all (fd, text, strlen (text));
  if (r < 0)
    return error_sys (err, r, "write %s of container %s", STORE_STATE_NEW, entry->id);
  *ret_fd = fd_take (&fd);
  return 0;
}

int
state_update (struct arena *arena, int fd, const struct container_state *state, struct error *err)
{
  const char *text = record_text (arena, state);
  size_t length = strlen (text);
  ssize_t written = pwrite (fd, text, length, 0);
  int r = written < 0 ? -errno : (size_t) written != length ? -ENOSPC : ftruncate (fd, (off_t) length) < 0 ? -errno : 0;
  return r < 0 ? error_sys (err, r, "write %s of container %s", STORE_STATE_NEW, state->id) : 0;
}

int
state_commit (const struct store_entry *entry, struct error *err)
{
  if (renameat (entry->fd, STORE_STATE_NEW, entry->fd, STORE_STATE) < 0)
    return error_sys (err, errno, "rename %s of container %s", STORE_STATE_NEW, entry->id);
  return 0;
}

static int
read_record (struct arena *arena, const struct store_entry *entry, const char *file, struct container_state *ret_state,
             struct error *err)
{
  char *text;
  size_t size;
  int r = store_read (arena, entry, file, &text, &size, err);
  if (r < 0)
    return r;

  struct record *record = arena_new (arena, struct record);
  struct spec_source source = {
    .name = arena_printf (arena, "%s of container %s", file, entry->id),
    .text = text,
    .size = size,
    .table = &record_table,
    .root = record,
  };
  r = spec_source_decode (arena, &source, err);
  if (r < 0)
    {
      error_hint (err, "`thole delete --force %s` removes it", entry->id);
      return r;
    }
  *ret_state = record->state;
  ret_state->pid = (pid_t) record->pid.value;
  ret_state->pid_start = record->pid_start.value;
  ret_state->owner = (uint32_t) record->owner.value;
  ret_state->process = record->process.value;
  ret_state->terminal = record->terminal.value;
  ret_state->poststart = record->poststart.value;
  ret_state->notify = record->notify.value;
  ret_state->poststop = record->poststop.value;
  ret_state->start_timeout = (uint32_t) record->start_timeout.value;
  ret_state->last_op = (uint32_t) record->last_op.value;
  return 0;
}

int
state_read (struct arena *arena, const struct store_entry *entry, struct container_state *ret_state, bool *ret_created,
            struct error *err)
{
  int r = read_record (arena, entry, STORE_STATE, ret_state, err);
  bool created = r == 0;
  if (r == -ENOENT)
    {
      /* One that is being made.  If it cannot be read it is being written: not there yet.  */
      r = read_record (arena, entry, STORE_STATE_NEW, ret_state, err);
      if (r == -EINVAL)
        r = -ENOENT;
    }
  if (r == -ENOENT)
    {
      /* Renamed between the two looks?  */
      r = read_record (arena, entry, STORE_STATE, ret_state, err);
      created = r == 0;
    }
  if (r == 0 && ret_created != NULL)
    *ret_created = created;
  if (r != -ENOENT)
    return r;

  error_set (err, ENOENT, "container %s does not exist", entry->id);
  if (!store_is_busy (entry))
    error_hint (err, "a create or delete that was cut short left its directory; `thole delete --force %s` removes it",
                entry->id);
  return -ENOENT;
}

int
state_pid_start (pid_t pid, uint64_t *ret_start)
{
  char path[32], text[1024];
  snprintf (path, sizeof path, "/proc/%d/stat", (int) pid);
  ssize_t length = fd_read_file_at (AT_FDCWD, path, text, sizeof text);
  if (length == -ENOENT)
    return -ESRCH;
  if (length < 0)
    return (int) length;

  /* The second field is the program's name in parentheses, which may hold anything; the third is the state.  */
  const char *at = strrchr (text, ')');
  if (at == NULL || at[1] != ' ')
    return -EIO;
  at += 2;
  if (*at == 'Z' || *at == 'X')
    return -ESRCH;
  for (int field = 3; field < 22; field++)
    {
      at = strchr (at, ' ');
      if (at == NULL)
        return -EIO;
      at++;
    }
  *ret_start = strtoull (at, NULL, 10);
  return 0;
}

/* Whether the first process is alive: 0, -ESRCH or another -errno.  */
static int
check_process (const struct container_state *state)
{
  uint64_t start;
  if (state->pid <= 0)
    return -ESRCH;
  int r = state_pid_start (state->pid, &start);
  return r == 0 && start != state->pid_start ? -ESRCH : r;
}

int
state_open_process (const struct container_state *state, int *ret_pidfd, struct error *err)
{
  FD_CLEANUP int pidfd = -1;
  int r = -ESRCH;
  if (state->pid > 0)
    {
      pidfd = sys_pidfd_open (state->pid, 0);
      /* EINVAL, ENOENT: the number is a thread's now.  */
      if (pidfd < 0 && errno != ESRCH && errno != EINVAL && errno != ENOENT)
        return error_sys (err, errno, "open process %d of container %s", (int) state->pid, state->id);
      if (pidfd >= 0)
        r = check_process (state);
    }
  if (r < 0 && r != -ESRCH)
    return error_sys (err, r, "look at process %d of container %s", (int) state->pid, state->id);
  *ret_pidfd = r == 0 ? fd_take (&pidfd) : -1;
  return 0;
}

static bool
is_frozen (struct arena *arena, const struct container_state *state)
{
  struct cgroup *cgroup;
  if (container_cgroup (arena, state, &cgroup, NULL) < 0 || cgroup == NULL)
    return false;
  bool frozen = cgroup_is_frozen (cgroup);
  cgroup_close (cgroup);
  return frozen;
}

enum thole_status
state_stage (const struct store_entry *entry, bool created, bool alive)
{
  if (!created)
    return store_is_busy (entry) ? THOLE_CREATING : THOLE_STOPPED;
  if (!alive)
    return THOLE_STOPPED;
  return faccessat (entry->fd, STORE_CONTROL, F_OK, 0) == 0 ? THOLE_CREATED : THOLE_RUNNING;
}

enum thole_status
state_status (struct arena *arena, const struct store_entry *entry, const struct container_state *state, bool created)
{
  enum thole_status stage = state_stage (entry, created, check_process (state) == 0);
  bool living = stage == THOLE_CREATED || stage == THOLE_RUNNING;
  return living && is_frozen (arena, state) ? THOLE_PAUSED : stage;
}

const char *
state_status_name (enum thole_status status)
{
  static const struct name rows[] = {
    { "creating", THOLE_CREATING }, { "created", THOLE_CREATED }, { "running", THOLE_RUNNING },
    { "paused", THOLE_PAUSED },     { "stopped", THOLE_STOPPED },
  };
  static const struct names names = NAMES (rows);
  return names_of (&names, status);
}

const char *
state_hook_json (struct arena *arena, const struct container_state *state, enum thole_status status, pid_t pid)
{
  struct strbuf out = STRBUF_INIT (arena);
  struct json_writer w = { .out = &out };
  json_object_begin (&w, NULL);
  json_string (&w, "ociVersion", state->oci_version);
  json_string (&w, "id", state->id);
  json_string (&w, "status", state_status_name (status));
  if (pid > 0)
    json_integer (&w, "pid", pid);
  json_string (&w, "bundle", state->bundle);
  write_annotations (&w, &state->annotations);
  json_object_end (&w);
  return strbuf_text (&out);
}

void
state_write_json (struct json_writer *w, struct arena *arena, const struct container_state *state,
                  enum thole_status status)
{
  json_object_begin (w, NULL);
  json_string (w, "ociVersion", state->oci_version);
  json_string (w, "id", state->id);
  json_integer (w, "pid", status == THOLE_STOPPED ? 0 : state->pid);
  json_string (w, "status", state_status_name (status));
  json_string (w, "bundle", state->bundle);
  json_string (w, "rootfs", state->rootfs);
  json_string (w, "created", state->created);
  write_annotations (w, &state->annotations);
  json_string (w, "owner", state_owner_name (arena, state->owner));
  json_object_end (w);
}

const char *
state_owner_name (struct arena *arena, uint32_t uid)
{
  /* Not getpwuid(3): that loads whatever nsswitch.conf says into the process.  */
  const char *name = NULL;
  FILE *passwd = fopen ("/etc/passwd", "re");
  struct passwd entry, *found;
  char buffer[4096];
  while (passwd != NULL && name == NULL && fgetpwent_r (passwd, &entry, buffer, sizeof buffer, &found) == 0)
    if (found->pw_uid == uid)
      name = arena_strdup (arena, found->pw_name);
  if (passwd != NULL)
    fclose (passwd);
  return name != NULL ? name : arena_printf (arena, "#%u", uid);
}
