/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* User and capabilities (capabilities(7)).  What cannot be granted is left out with a warning, as config.md demands;
 * what is asked for beyond the bounding or permitted set cannot be.  */
#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "plan/builder.h"
#include "spec/names.h"

/* Where the config says nothing: what callers of the peers are used to, whoever calls us.  */
#define UMASK_DEFAULT 0022

/* One warning for all of a set that are left out for one reason: Buildah asks for eleven ambient ones each time.  */
struct left_out
{
  const char *const *first; /* as the config has it */
  struct strbuf names;
  const char *why;
};

static void
leave_out (struct left_out *left, const char *const *name)
{
  if (left->first == NULL)
    left->first = name;
  strbuf_printf (&left->names, "%s%s", left->names.length ? ", " : "", *name);
}

static void
warn_of (struct plan_builder *b, const struct left_out *left)
{
  if (left->first != NULL && log_enabled (LOG_LEVEL_WARNING))
    log_warning ("%s: left out: %s: %s", spec_where (b->arena, b->spec, left->first), strbuf_text (&left->names),
                 left->why);
}

static uint64_t
capability_set (struct plan_builder *b, const struct spec_strings *names, uint64_t grantable, const char *why)
{
  struct left_out unknown = { .names = STRBUF_INIT (b->arena), .why = "no such capability" };
  struct left_out refused = { .names = STRBUF_INIT (b->arena), .why = why };
  uint64_t set = 0;

  for (size_t i = 0; i < names->count; i++)
    {
      int cap = spec_capability (names->items[i]);

      if (cap >= 0 && (grantable & (1ull << cap)))
        set |= 1ull << cap;
      else
        leave_out (cap < 0 ? &unknown : &refused, &names->items[i]);
    }
  warn_of (b, &unknown);
  warn_of (b, &refused);
  return set;
}

/* The caller's supplementary groups stay where they cannot be given up, or are asked for.  */
static int
add_user (struct plan_builder *b, const struct spec_process *p)
{
  const struct spec_user *user = &p->user;
  uint32_t *groups = arena_array (b->arena, uint32_t, user->additional_gids.count + 1);
  struct plan_user u = {
    .uid = (uint32_t) user->uid.value,
    .gid = (uint32_t) user->gid.value,
    .group_count = (uint32_t) user->additional_gids.count,
    .umask = user->umask.set ? (uint32_t) (user->umask.value & 0777) : UMASK_DEFAULT,
  };

  u.keep_groups = b->plan->keep_groups || spec_annotated (b->spec, SPEC_ANNOTATION_KEEP_GROUPS);
  if (u.keep_groups && u.group_count)
    {
      plan_refuse (b, &user->additional_gids, "the groups of the process cannot be set: they stay the caller's");
      error_hint (b->err, "map more than the caller's own gid, with a range from /etc/subgid, or drop additionalGids");
      return -EINVAL;
    }
  for (size_t i = 0; i < user->additional_gids.count; i++)
    groups[i] = (uint32_t) user->additional_gids.items[i];
  u.groups = plan_bytes (b, groups, u.group_count * sizeof *groups, sizeof *groups);
  plan_add (b, PLAN_USER, user)->user = u;
  return 0;
}

/* The sets of the program, found out once, since what is left out is warned of.  */
static void
find_capabilities (struct plan_builder *b)
{
  static const struct spec_capabilities none;
  const struct spec_process *p = b->spec->process;
  const struct spec_capabilities *wanted = p->capabilities ? p->capabilities : &none;
  bool user_namespace = spec_namespace_find (b->spec, CLONE_NEWUSER) != NULL;
  uint64_t own = user_namespace ? ~0ull : b->facts->capabilities;
  struct plan_capabilities *c = &b->capabilities;

  if (b->capabilities_known)
    return;
  b->capabilities_known = true;
  b->bounding = capability_set (b, &wanted->bounding, own, "the runtime does not have it");
  c->permitted = capability_set (b, &wanted->permitted, own, "the runtime does not have it");
  c->effective = capability_set (b, &wanted->effective, c->permitted, "not in the permitted set");
  c->inheritable = capability_set (b, &wanted->inheritable, c->permitted | b->bounding, "not in the bounding set");
  c->ambient = capability_set (b, &wanted->ambient, c->permitted & c->inheritable,
                               "not in both the permitted and the inheritable set");
  /* Without no_new_privs it takes CAP_SYS_ADMIN to load a filter, and that comes last.  */
  c->keep = b->spec->linux_ && b->spec->linux_->seccomp && !p->no_new_privileges.value ? 1ull << CAP_SYS_ADMIN : 0;
}

static void
add_bounding_set (struct plan_builder *b)
{
  plan_add (b, PLAN_BOUNDING_SET, b->spec->process->capabilities)->number.value = (int64_t) b->bounding;
}

/* What the operations on the process take: its user, limits and scheduling, files that not everybody may read.  */
static uint64_t
capabilities_of_rest (const struct spec_process *p)
{
  uint64_t rest = 1ull << CAP_CHOWN | 1ull << CAP_DAC_OVERRIDE | 1ull << CAP_FOWNER | 1ull << CAP_SETGID
                  | 1ull << CAP_SETUID | 1ull << CAP_SETPCAP;

  if (p->rlimits.count)
    rest |= 1ull << CAP_SYS_RESOURCE;
  if (p->scheduler || p->io_priority)
    rest |= 1ull << CAP_SYS_NICE;
  if (p->io_priority) /* before Linux 5.14 */
    rest |= 1ull << CAP_SYS_ADMIN;
  return rest;
}

void
plan_confine (struct plan_builder *b)
{
  struct plan_capabilities c = { 0 };

  find_capabilities (b);
  c.permitted = b->capabilities.permitted | b->capabilities.inheritable | b->capabilities.keep
                | (capabilities_of_rest (b->spec->process) & b->facts->capabilities);
  c.effective = c.permitted;
  add_bounding_set (b);
  plan_add (b, PLAN_CAPABILITIES, b->spec->process->capabilities)->capabilities = c;
  b->confined = true;
}

int
plan_privileges (struct plan_builder *b)
{
  const struct spec_process *p = b->spec->process;
  int result;

  find_capabilities (b);
  if (!b->confined)
    add_bounding_set (b);
  result = add_user (b, p);
  if (result < 0)
    return result;
  plan_add (b, PLAN_CAPABILITIES, p->capabilities)->capabilities = b->capabilities;
  return 0;
}
