/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libthole: what thole/thole.h promises, on top of the commands.  Memory that leaves here is the caller's to free, so
 * it comes from malloc; all else lives in an arena for as long as the call.  */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/names.h"
#include "base/strbuf.h"
#include "cgroup/cgroup.h"
#include "config.h"
#include "container/container.h"
#include "container/create.h"
#include "container/features.h"
#include "container/state.h"
#include "host/host.h"
#include "spec/spec.h"

struct thole_error
{
  struct error error;
};

struct thole_error *
thole_error_new (void)
{
  return calloc (1, sizeof (struct thole_error));
}

void
thole_error_free (struct thole_error *error)
{
  free (error);
}

const char *
thole_error_message (const struct thole_error *error)
{
  return error->error.message;
}

const char *
thole_error_hint (const struct thole_error *error)
{
  return error->error.hint[0] != '\0' ? error->error.hint : NULL;
}

int
thole_error_code (const struct thole_error *error)
{
  return error->error.code;
}

/* The record to fill: none where the caller wants none.  */
static struct error *
record_of (struct thole_error *error)
{
  return error != NULL ? &error->error : NULL;
}

const char *
thole_version (void)
{
  return PACKAGE_VERSION;
}

const char *
thole_spec_version (void)
{
  return SPEC_VERSION;
}

/* Copies options of a caller that was compiled with another version of the struct: members that it does not know are
 * zero, members that we do not know must be.  Both structs begin with their size.  */
static int
copy_options (void *to, size_t size, const void *from, struct error *err)
{
  size_t given;
  if (from == NULL)
    return 0;
  memcpy (&given, from, sizeof given);
  if (given < sizeof given)
    return error_set (err, EINVAL, "the size of the options is not set");
  for (size_t i = size; i < given; i++)
    if (((const char *) from)[i] != 0)
      return error_set (err, E2BIG, "the options have a member that this version of libthole does not know");
  memcpy (to, from, given < size ? given : size);
  return 0;
}

/* TEXT for the caller, who frees it.  */
static int
give_text (const char *text, char **ret, struct error *err)
{
  char *copy = strdup (text);
  if (copy == NULL)
    return error_sys (err, ENOMEM, "copy the result");
  *ret = copy;
  return 0;
}

/* Who is root on the host has /run.  Others have what XDG_RUNTIME_DIR names; where it is missing (Podman hands it down
 * empty, too) a directory of their own in /tmp, which store_open refuses if it belongs to somebody else.  */
static int
default_root (char **ret_root)
{
  const char *runtime = getenv ("XDG_RUNTIME_DIR");
  bool set = runtime != NULL && runtime[0] != '\0';
  int r;
  if (geteuid () == 0 && (!set || !host_in_user_namespace ()))
    r = asprintf (ret_root, "/run/thole");
  else if (set)
    r = asprintf (ret_root, "%s/thole", runtime);
  else
    r = asprintf (ret_root, "/tmp/thole-%u", geteuid ());
  return r < 0 ? -ENOMEM : 0;
}

int
thole_new (const struct thole_options *options, struct thole **ret, struct thole_error *error)
{
  struct error *err = record_of (error);
  struct thole_options known = { 0 };
  int r = copy_options (&known, sizeof known, options, err);
  if (r < 0)
    return r;

  struct thole *thole = calloc (1, sizeof *thole);
  char *root = NULL;
  if (known.root != NULL)
    root = strdup (known.root);
  else if (default_root (&root) < 0)
    root = NULL;
  if (thole == NULL || root == NULL)
    {
      free (thole);
      free (root);
      return error_sys (err, ENOMEM, "make a context");
    }
  thole->root = root;
  thole->root_given = known.root != NULL;
  thole->cgroup_manager = known.cgroup_manager;
  thole->rootless = known.rootless;
  thole->systemd_timeout = known.systemd_timeout;
  *ret = thole;
  return 0;
}

void
thole_free (struct thole *thole)
{
  if (thole == NULL)
    return;
  free ((char *) thole->root);
  free (thole);
}

int
thole_create (struct thole *thole, const char *id, const struct thole_create_options *options,
              struct thole_error *error)
{
  ARENA_CLEANUP struct arena arena = { 0 };
  struct thole_create_options known = { 0 };
  int r = copy_options (&known, sizeof known, options, record_of (error));
  return r < 0 ? r : container_create (&arena, thole, id, &known, record_of (error));
}

int
thole_start (struct thole *thole, const char *id, struct thole_error *error)
{
  return container_start (thole, id, record_of (error));
}

int
thole_run (struct thole *thole, const char *id, const struct thole_create_options *options, struct thole_error *error)
{
  ARENA_CLEANUP struct arena arena = { 0 };
  struct thole_create_options known = { 0 };
  int r = copy_options (&known, sizeof known, options, record_of (error));
  return r < 0 ? r : container_run (&arena, thole, id, &known, record_of (error));
}

int
thole_exec (struct thole *thole, const char *id, const struct thole_exec_options *options, struct thole_error *error)
{
  ARENA_CLEANUP struct arena arena = { 0 };
  struct thole_exec_options known = { 0 };
  int r = copy_options (&known, sizeof known, options, record_of (error));
  return r < 0 ? r : container_exec (&arena, thole, id, &known, record_of (error));
}

int
thole_kill (struct thole *thole, const char *id, int sig, bool all, struct thole_error *error)
{
  return container_kill (thole, id, sig, all, record_of (error));
}

int
thole_delete (struct thole *thole, const char *id, bool force, struct thole_error *error)
{
  return container_delete (thole, id, force, record_of (error));
}

int
thole_update (struct thole *thole, const char *id, const struct thole_update_options *options,
              struct thole_error *error)
{
  struct thole_update_options known = { 0 };
  int r = copy_options (&known, sizeof known, options, record_of (error));
  return r < 0 ? r : container_update (thole, id, &known, record_of (error));
}

int
thole_pause (struct thole *thole, const char *id, struct thole_error *error)
{
  return container_freeze (thole, id, true, record_of (error));
}

int
thole_resume (struct thole *thole, const char *id, struct thole_error *error)
{
  return container_freeze (thole, id, false, record_of (error));
}

int
thole_pids (struct thole *thole, const char *id, pid_t **ret, size_t *ret_count, struct thole_error *error)
{
  ARENA_CLEANUP struct arena arena = { 0 };
  pid_t *pids;
  size_t count;
  int r = container_pids (&arena, thole, id, &pids, &count, record_of (error));
  if (r < 0)
    return r;
  pid_t *copy = calloc (count + 1, sizeof *copy);
  if (copy == NULL)
    return error_sys (record_of (error), ENOMEM, "copy the pids");
  if (count > 0)
    memcpy (copy, pids, count * sizeof *copy);
  *ret = copy;
  *ret_count = count;
  return 0;
}

int
thole_stats (struct thole *thole, const char *id, char **ret, struct thole_error *error)
{
  ARENA_CLEANUP struct arena arena = { 0 };
  const char *json;
  int r = container_stats (&arena, thole, id, &json, record_of (error));
  return r < 0 ? r : give_text (json, ret, record_of (error));
}

int
thole_events (struct thole *thole, const char *id, unsigned interval_ms, thole_event_fn take, void *data,
              struct thole_error *error)
{
  return container_events (thole, id, interval_ms, take, data, record_of (error));
}

const char *
thole_status_name (enum thole_status status)
{
  return state_status_name (status);
}

/* A state and the arena that its strings are in.  */
struct owned_state
{
  struct thole_state state; /* first: its address is the caller's */
  struct arena arena;
};

int
thole_state (struct thole *thole, const char *id, struct thole_state **ret, struct thole_error *error)
{
  struct owned_state *owned = calloc (1, sizeof *owned);
  if (owned == NULL)
    return error_sys (record_of (error), ENOMEM, "make a state");
  int r = container_state (&owned->arena, thole, id, &owned->state, record_of (error));
  if (r < 0)
    {
      thole_state_free (&owned->state);
      return r;
    }
  *ret = &owned->state;
  return 0;
}

void
thole_state_free (struct thole_state *state)
{
  struct owned_state *owned = (struct owned_state *) state;
  if (owned == NULL)
    return;
  arena_free (&owned->arena);
  free (owned);
}

/* States in one piece: the array that the caller has stands behind the arena that all is in.  */
struct owned_list
{
  struct arena arena;
  struct thole_state *states[];
};

int
thole_list (struct thole *thole, struct thole_state ***ret, size_t *ret_count, struct thole_error *error)
{
  struct arena arena = { 0 };
  struct thole_state *states;
  size_t count;
  int r = container_list (&arena, thole, &states, &count, record_of (error));
  struct owned_list *owned = r < 0 ? NULL : calloc (1, sizeof *owned + (count + 1) * sizeof *owned->states);
  if (owned == NULL)
    {
      arena_free (&arena);
      return r < 0 ? r : error_sys (record_of (error), ENOMEM, "make a list");
    }
  owned->arena = arena;
  for (size_t i = 0; i < count; i++)
    owned->states[i] = &states[i];
  *ret = owned->states;
  *ret_count = count;
  return 0;
}

void
thole_list_free (struct thole_state **states, size_t count)
{
  (void) count;
  if (states == NULL)
    return;
  struct owned_list *owned = (struct owned_list *) ((char *) states - offsetof (struct owned_list, states));
  arena_free (&owned->arena);
  free (owned);
}

int
thole_plan (struct thole *thole, const struct thole_create_options *options, bool json, char **ret,
            struct thole_error *error)
{
  ARENA_CLEANUP struct arena arena = { 0 };
  struct thole_create_options known = { 0 };
  const char *text = NULL;
  int r = copy_options (&known, sizeof known, options, record_of (error));
  if (r == 0)
    r = container_plan (&arena, thole, &known, json, &text, record_of (error));
  return r < 0 ? r : give_text (text, ret, record_of (error));
}

int
thole_spec (bool rootless, char **ret, struct thole_error *error)
{
  ARENA_CLEANUP struct arena arena = { 0 };
  struct strbuf out = STRBUF_INIT (&arena);
  const struct cgroup_host *host;
  const struct spec_default what = {
    .rootless = rootless,
    .cgroup_namespace = cgroup_probe (&arena, &host, NULL) == 0 && host->layout == CGROUP_V2,
    .euid = geteuid (),
    .egid = getegid (),
  };
  spec_write_default (&out, &what);
  return give_text (strbuf_text (&out), ret, record_of (error));
}

int
thole_features (char **ret, struct thole_error *error)
{
  ARENA_CLEANUP struct arena arena = { 0 };
  struct strbuf out = STRBUF_INIT (&arena);
  features_write (&out);
  return give_text (strbuf_text (&out), ret, record_of (error));
}
