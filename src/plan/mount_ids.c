/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Id-mapped mounts (config.md#posix-platform-mounts): whose ids become whose.  The runtime maps them, in the detached
 * copy that init then binds: init may be in a user namespace, which has no say about the host's file systems.  */
#include <inttypes.h>
#include <linux/capability.h>
#include <sched.h>

#include "base/arena.h"
#include "base/strbuf.h"
#include "plan/builder.h"

/* The index of the user namespace that is joined, or 0.  */
static uint32_t
joined_user (const struct plan *plan)
{
  for (size_t i = 0; i < plan->open_count; i++)
    if (plan->opens[i].type == CLONE_NEWUSER)
      return PLAN_FD_OPENED + (uint32_t) i;
  return 0;
}

/* The mount's own mappings, or else those of the container's user namespace: validation has seen to it that there are
 * any.  */
static struct plan_ids
wanted (const struct plan_builder *b, const struct spec_mount *mount)
{
  const struct spec_linux *l = b->spec->linux_;

  if (mount->uid_mappings.count)
    return (struct plan_ids){ .uids = &mount->uid_mappings, .gids = &mount->gid_mappings };
  if (spec_creates (b->spec, CLONE_NEWUSER))
    return (struct plan_ids){ .uids = &l->uid_mappings, .gids = &l->gid_mappings };
  return (struct plan_ids){ .joined = joined_user (b->plan) };
}

static bool
same_mappings (const struct spec_id_mappings *a, const struct spec_id_mappings *b)
{
  bool same = a->count == b->count;

  for (size_t i = 0; same && i < a->count; i++)
    same = a->items[i].container_id.value == b->items[i].container_id.value
           && a->items[i].host_id.value == b->items[i].host_id.value
           && a->items[i].size.value == b->items[i].size.value;
  return same;
}

static bool
same_ids (const struct plan_ids *a, const struct plan_ids *b)
{
  if (a->joined || b->joined)
    return a->joined == b->joined;
  return same_mappings (a->uids, b->uids) && same_mappings (a->gids, b->gids);
}

int
plan_mount_ids (struct plan_builder *b, const struct spec_mount *mount, uint32_t *ret_ids)
{
  struct plan *plan = b->plan;
  struct plan_ids ids = wanted (b, mount);
  size_t i = 0;

  if (!(b->facts->capabilities & (1ull << CAP_SYS_ADMIN)))
    return plan_refuse (b, mount, "an id-mapped mount takes CAP_SYS_ADMIN, which the runtime does not have");
  if (!plan->ids)
    plan->ids = arena_array (b->arena, struct plan_ids, b->spec->mounts.count);
  while (i < plan->ids_count && !same_ids (&plan->ids[i], &ids))
    i++;
  if (i == plan->ids_count)
    plan->ids[plan->ids_count++] = ids;
  *ret_ids = (uint32_t) i + 1;
  return 0;
}

static void
add_mappings (struct strbuf *out, const char *name, const struct spec_id_mappings *map)
{
  strbuf_add (out, name);
  for (size_t i = 0; i < map->count; i++)
    strbuf_printf (out, " %" PRIu64 ":%" PRIu64 ":%" PRIu64, map->items[i].container_id.value,
                   map->items[i].host_id.value, map->items[i].size.value);
}

const char *
plan_ids_text (struct arena *arena, const struct plan *plan, const struct plan_open *open_)
{
  struct strbuf out = STRBUF_INIT (arena);
  const struct plan_ids *ids = open_->ids ? &plan->ids[open_->ids - 1] : NULL;

  if (!ids)
    return NULL;
  if (open_->ids_of_all)
    strbuf_add (&out, "recursive, ");
  if (ids->joined)
    strbuf_add (&out, "as in the joined user namespace");
  else
    {
      add_mappings (&out, "uids", ids->uids);
      add_mappings (&out, ", gids", ids->gids);
    }
  return strbuf_text (&out);
}
