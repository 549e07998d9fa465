/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* update: other limits for a container that has some.
 *
 * resctrl comes first, because it is two lines that can be taken back; the cgroup last, because it takes itself back.
 * Nothing is remembered: what holds is what the kernel has.  */
#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "cgroup/cgroup.h"
#include "container/container.h"
#include "container/state.h"
#include "container/store.h"
#include "rdt/rdt.h"
#include "spec/spec.h"

/* The spec may be NULL: no resources are given.  */
static int
update_cgroup (struct arena *arena, const struct container_state *state, const struct spec *change, struct error *err)
{
  struct cgroup *cgroup = NULL;
  int r = change == NULL ? 0 : container_need_cgroup (arena, state, &cgroup, err);
  if (r == 0 && cgroup != NULL)
    r = cgroup_update (cgroup, change, change->linux_->resources, err);
  cgroup_close (cgroup);
  return r;
}

static int
update_shares (struct arena *arena, const struct store_entry *entry, const struct container_state *state,
               const struct rdt_lines *lines, const struct spec *change, struct error *err)
{
  struct rdt_lines before, ignored;
  const struct spec *spec;
  struct error second = { 0 };
  int r;
  if ((r = container_spec (arena, entry, state, &spec, err)) < 0
      || (r = rdt_update (arena, spec, state->id, lines, &before, err)) < 0)
    return r;
  r = update_cgroup (arena, state, change, err);
  if (r < 0 && rdt_update (arena, spec, state->id, &before, &ignored, &second) < 0)
    log_warning ("update %s: put back: %s", state->id, second.message);
  return r;
}

static int
update_locked (struct arena *arena, const struct store_entry *entry, const struct thole_update_options *options,
               const struct spec *change, struct error *err)
{
  const struct rdt_lines lines = { .items = {
                                       [RDT_L3] = options->l3_cache_schema,
                                       [RDT_MB] = options->mem_bw_schema,
                                   } };
  FD_CLEANUP int pidfd = -1;
  struct container_state state;
  bool created;
  int r;
  if ((r = state_read (arena, entry, &state, &created, err)) < 0 || (r = state_open_process (&state, &pidfd, err)) < 0)
    return r;
  if (pidfd < 0 || !created)
    return error_set (err, ESRCH, "container not running");
  if (lines.items[RDT_L3] != NULL || lines.items[RDT_MB] != NULL)
    return update_shares (arena, entry, &state, &lines, change, err);
  return update_cgroup (arena, &state, change, err);
}

int
container_update (const struct thole *thole, const char *id, const struct thole_update_options *options,
                  struct error *err)
{
  ARENA_CLEANUP struct arena arena = { 0 };
  STORE_CLEANUP struct store store = STORE_INIT;
  STORE_ENTRY_CLEANUP struct store_entry entry = STORE_ENTRY_INIT;
  const struct spec *change = NULL;
  int r = 0;
  if (options->resources != NULL)
    r = spec_decode_resources (&arena, options->resources_name, options->resources, strlen (options->resources),
                               &change, err);
  if (r < 0 || (r = store_open (thole->root, false, true, &store, err)) < 0
      || (r = store_lock (&store, id, &entry, err)) < 0)
    return r;
  return update_locked (&arena, &entry, options, change, err);
}
