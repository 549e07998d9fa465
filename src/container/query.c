/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* state, list and ps: they only look, and take no lock.  */
#include <errno.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "cgroup/cgroup.h"
#include "container/container.h"
#include "container/state.h"
#include "container/store.h"

static int
query (struct arena *arena, const struct store *store, const char *id, struct thole_state *ret_state, struct error *err)
{
  STORE_ENTRY_CLEANUP struct store_entry entry = STORE_ENTRY_INIT;
  struct container_state state;
  bool created;
  int r = store_find (store, id, &entry, err);
  if (r == 0)
    r = state_read (arena, &entry, &state, &created, err);
  if (r < 0)
    return r;

  enum thole_status status = state_status (arena, &entry, &state, created);
  struct strbuf json = STRBUF_INIT (arena);
  struct json_writer w = { .out = &json };
  state_write_json (&w, arena, &state, status);
  *ret_state = (struct thole_state){
    .id = state.id,
    .status = status,
    .pid = status == THOLE_STOPPED ? 0 : state.pid,
    .bundle = state.bundle,
    .rootfs = state.rootfs,
    .created = state.created,
    .owner = state_owner_name (arena, state.owner),
    .json = strbuf_text (&json),
  };
  return 0;
}

int
container_state (struct arena *arena, const struct thole *thole, const char *id, struct thole_state *ret_state,
                 struct error *err)
{
  STORE_CLEANUP struct store store = STORE_INIT;
  int r = store_open (thole->root, false, true, &store, err);
  return r < 0 ? r : query (arena, &store, id, ret_state, err);
}

int
container_list (struct arena *arena, const struct thole *thole, struct thole_state **ret_states, size_t *ret_count,
                struct error *err)
{
  STORE_CLEANUP struct store store = STORE_INIT;
  const char **ids;
  size_t count;
  int r = store_open (thole->root, false, !thole->root_given, &store, err);
  if (r == 0)
    r = store_list (arena, &store, &ids, &count, err);
  if (r < 0)
    return r;

  struct thole_state *states = arena_array (arena, struct thole_state, count);
  size_t found = 0;
  for (size_t i = 0; i < count; i++)
    {
      struct error why = { 0 };
      r = query (arena, &store, ids[i], &states[found], &why);
      if (r == 0)
        found++;
      else if (r != -ENOENT) /* that one is not there yet, or not any more */
        log_warning ("list: %s", why.message);
    }
  *ret_states = states;
  *ret_count = found;
  return 0;
}

/* What a stopped container left running is its, too.  */
static int
list_pids (struct arena *arena, const struct container_state *state, pid_t **ret_pids, size_t *ret_count,
           struct error *err)
{
  struct cgroup *cgroup;
  int r = container_need_cgroup (arena, state, &cgroup, err);
  if (r < 0)
    return r;
  r = cgroup_pids (arena, cgroup, ret_pids, ret_count, err);
  cgroup_close (cgroup);
  if (r == -ENOENT || r == -ENODEV) /* not made yet, or removed by somebody else */
    {
      error_clear (err);
      *ret_count = 0;
      r = 0;
    }
  return r;
}

int
container_pids (struct arena *arena, const struct thole *thole, const char *id, pid_t **ret_pids, size_t *ret_count,
                struct error *err)
{
  STORE_CLEANUP struct store store = STORE_INIT;
  STORE_ENTRY_CLEANUP struct store_entry entry = STORE_ENTRY_INIT;
  struct container_state state;
  int r;
  if ((r = store_open (thole->root, false, true, &store, err)) < 0 || (r = store_find (&store, id, &entry, err)) < 0
      || (r = state_read (arena, &entry, &state, NULL, err)) < 0)
    return r;
  return list_pids (arena, &state, ret_pids, ret_count, err);
}
