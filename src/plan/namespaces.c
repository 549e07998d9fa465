/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which namespaces are new, which are joined, and in how many steps (namespaces(7), user_namespaces(7)).
 *
 * Most containers are born by one clone3(2) into all their new namespaces, and init joins the others.  Where that
 * cannot be, init is born plainly, joins, and forks the process that goes on:
 *
 *   - a pid namespace is joined for children only;
 *   - with a new user namespace, others must be joined, and oom_score_adj set, while we still have the host's
 * privileges;
 *   - a joined user namespace must own the new ones, so it comes before them;
 *   - the offsets of a time namespace are set before anybody is in it; who has no privileges for that gets them by
 * being born into the new user namespace.
 *
 * The cgroup namespace is always unshared later: its root is the cgroup one is in at that moment.  */
#include <errno.h>
#include <linux/capability.h>
#include <sched.h>

#include "base/arena.h"
#include "base/error.h"
#include "plan/builder.h"
#include "spec/names.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

struct wanted
{
  uint64_t created, joined; /* CLONE_NEW* */
};

static struct wanted
survey (const struct spec *spec)
{
  struct wanted wanted = { 0, 0 };

  if (!spec->linux_)
    return wanted;
  for (size_t i = 0; i < spec->linux_->namespaces.count; i++)
    {
      const struct spec_namespace *ns = &spec->linux_->namespaces.items[i];

      if (ns->path && *ns->path)
        wanted.joined |= (uint64_t) ns->type.value;
      else
        wanted.created |= (uint64_t) ns->type.value;
    }
  return wanted;
}

bool
plan_drops_groups (const struct plan_builder *b)
{
  return (b->facts->capabilities & (1ull << CAP_SETGID)) && !spec_annotated (b->spec, SPEC_ANNOTATION_KEEP_GROUPS);
}

/* Adds the join of every namespace whose type is in TYPES, except those not in ONLY.  */
static void
join (struct plan_builder *b, uint64_t only)
{
  const struct spec_linux *l = b->spec->linux_;

  for (size_t i = 0; l && i < l->namespaces.count; i++)
    {
      const struct spec_namespace *ns = &l->namespaces.items[i];
      struct plan_op *op;

      if (!ns->path || !*ns->path || !((uint64_t) ns->type.value & only))
        continue;
      op = plan_add (b, PLAN_JOIN, ns);
      op->ns.flags = (uint64_t) ns->type.value;
      op->ns.fd
          = plan_open (b, (struct plan_open){ .path = ns->path, .type = (uint64_t) ns->type.value, .origin = ns });
      op->ns.drop_groups = ns->type.value == CLONE_NEWUSER && plan_drops_groups (b);
    }
}

static void
offset (struct plan_builder *b, const char *clock, const struct spec_time_offset *o)
{
  if (o)
    plan_add_text (b, PLAN_TIME_OFFSET, o,
                   arena_printf (b->arena, "%s %lld %llu\n", clock, (long long) o->secs.value,
                                 (unsigned long long) o->nanosecs.value));
}

/* Waits for the id maps of the user namespace.  */
static void
identity (struct plan_builder *b, bool announce)
{
  plan_add (b, PLAN_SYNC, spec_namespace_find (b->spec, CLONE_NEWUSER))->sync
      = (struct plan_sync){ .phase = PLAN_PHASE_IDENTITY, .announce = announce, .wait = true };
  b->plan->gives_ids = true;
}

static bool
is_own (const struct spec_id_mappings *map, uint32_t id)
{
  return map->count == 1 && map->items[0].size.value == 1 && map->items[0].host_id.value == id;
}

void
plan_id_map (struct plan_builder *b)
{
  const uint64_t needed = 1ull << CAP_SETUID | 1ull << CAP_SETGID;
  const struct spec_linux *l = b->spec->linux_;
  bool own_gid = is_own (&l->gid_mappings, b->facts->egid);

  if ((b->facts->capabilities & needed) == needed)
    b->plan->id_map = PLAN_ID_MAP_WRITE;
  else if (is_own (&l->uid_mappings, b->facts->euid) && own_gid)
    b->plan->id_map = PLAN_ID_MAP_OWN;
  else
    b->plan->id_map = PLAN_ID_MAP_HELPER;
  b->plan->keep_groups = b->plan->id_map != PLAN_ID_MAP_WRITE && own_gid;
}

static bool
has_timeout (const struct spec_hook_list *hooks)
{
  for (size_t i = 0; i < hooks->count; i++)
    if (hooks->items[i].timeout.set)
      return true;
  return false;
}

/* What a hook that is late has started is looked up there, unless it is all that is in the container's pid namespace.
 */
static bool
needs_proc_for_hooks (const struct spec *spec)
{
  return spec->hooks && !spec_creates (spec, CLONE_NEWPID)
         && (has_timeout (&spec->hooks->create_container) || has_timeout (&spec->hooks->start_container));
}

static bool
needs_proc (const struct plan_builder *b)
{
  const struct spec *spec = b->spec;

  return (spec->linux_ && (spec->linux_->sysctl.count || spec->linux_->time_offsets)) || b->facts->lsm_file
         || (spec->process && spec->process->oom_score_adj.set) || plan_needs_home (b) || needs_proc_for_hooks (spec);
}

/* Root joins the others first, since they may belong to the host's user namespace; to anybody else a joined user
 * namespace gives the privileges for the rest.  A mount namespace comes after those that need paths.  */
static void
join_all (struct plan_builder *b)
{
  bool root = b->facts->euid == 0;

  if (!root)
    join (b, CLONE_NEWUSER);
  join (b, ~(uint64_t) (CLONE_NEWUSER | CLONE_NEWNS));
  join (b, CLONE_NEWNS);
  if (root)
    join (b, CLONE_NEWUSER);
}

static int
check_privileges (struct plan_builder *b, const struct wanted *w)
{
  const struct spec_linux *l = b->spec->linux_;
  uint64_t all = w->created | w->joined;

  if (!all || (b->facts->capabilities & (1ull << CAP_SYS_ADMIN)))
    return 0;
  if (!(all & CLONE_NEWUSER))
    {
      plan_refuse (b, &l->namespaces, "without privileges there are namespaces only together with a user namespace");
      error_hint (b->err, "thole spec --rootless writes such a configuration");
      return -EINVAL;
    }
  if ((w->created & CLONE_NEWUSER) && w->joined)
    return plan_refuse (b, &l->namespaces, "beside a new user namespace others can be joined only with privileges");
  /* The kernel wants to see an owner of /proc/PID who is not hidden, and hidden init must be.  */
  if ((w->joined & CLONE_NEWUSER) && l->time_offsets)
    return plan_refuse (b, l->time_offsets, "in a user namespace that is joined they can be set only with privileges");
  return 0;
}

/* What no kernel combines.  What depends on whose the joined ones are is seen when they are opened.  */
static int
check (struct plan_builder *b, const struct wanted *w)
{
  const struct spec_linux *l = b->spec->linux_;
  int result = check_privileges (b, w);

  if (result < 0)
    return result;
  /* Without a map the container could not even become its own root.  */
  if ((w->created & CLONE_NEWUSER) && !(l->uid_mappings.count && l->gid_mappings.count))
    return plan_refuse (b, spec_namespace_find (b->spec, CLONE_NEWUSER),
                        "a new user namespace needs linux.uidMappings and linux.gidMappings");
  /* It belongs to another user namespace, of which the new one is not the owner.  */
  if ((w->created & CLONE_NEWUSER) && (w->joined & CLONE_NEWNS))
    return plan_refuse (b, spec_namespace_find (b->spec, CLONE_NEWNS),
                        "in a new user namespace nothing can be mounted in a mount namespace that was there before");
  return 0;
}

int
plan_namespaces (struct plan_builder *b)
{
  const struct spec_linux *l = b->spec->linux_;
  const struct spec_time_offsets *offsets = l ? l->time_offsets : NULL;
  struct wanted w = survey (b->spec);
  uint64_t born = w.created & ~(uint64_t) CLONE_NEWCGROUP;
  bool among_others = w.joined & (CLONE_NEWPID | CLONE_NEWUSER);
  bool score = b->spec->process && b->spec->process->oom_score_adj.set && b->facts->euid == 0;
  bool fork = among_others || ((w.created & CLONE_NEWUSER) && (w.joined || score)) || offsets;
  bool privileges_first = offsets && (w.created & CLONE_NEWUSER) && !(b->facts->capabilities & (1ull << CAP_SYS_ADMIN));
  int result = check (b, &w);

  if (result < 0)
    return result;
  if (w.created & CLONE_NEWUSER)
    plan_id_map (b);
  if (needs_proc (b))
    plan_add (b, PLAN_PROC, NULL);
  /* Who is there already must not look into us, who still have the host's root.  */
  if (among_others)
    plan_add (b, PLAN_PROTECT, NULL);
  if (fork && score)
    plan_oom_score_adj (b);
  if (privileges_first)
    {
      b->plan->clone_flags = CLONE_NEWUSER;
      born &= ~(uint64_t) CLONE_NEWUSER;
      identity (b, false);
    }
  join_all (b);
  if (offsets)
    {
      born &= ~(uint64_t) CLONE_NEWTIME;
      plan_add (b, PLAN_UNSHARE, offsets)->ns.flags = CLONE_NEWTIME;
      offset (b, "monotonic", offsets->monotonic);
      offset (b, "boottime", offsets->boottime);
    }
  if (fork)
    plan_add (b, PLAN_FORK, NULL)->fork.flags = born;
  else
    b->plan->clone_flags = born;
  /* Mappings of a namespace that is joined are compared with those that it has.  */
  if (((w.created & CLONE_NEWUSER) && !privileges_first) || ((w.joined & CLONE_NEWUSER) && l->uid_mappings.count))
    identity (b, fork);
  if ((w.created | w.joined) & CLONE_NEWUSER)
    plan_add (b, PLAN_ROOT_IDENTITY, NULL);
  /* Not before the ids are mapped: the /proc/PID/uid_map of a protected process belongs to root alone.  */
  if (!among_others)
    plan_add (b, PLAN_PROTECT, NULL);
  if (w.created & CLONE_NEWNET)
    plan_add (b, PLAN_LOOPBACK, spec_namespace_find (b->spec, CLONE_NEWNET));
  plan_add (b, PLAN_SESSION, NULL);
  if (!b->facts->no_new_keyring)
    plan_add_text (b, PLAN_KEYRING, b->facts->keyring_label ? &b->spec->process->selinux_label : NULL,
                   b->facts->keyring_label);
  return 0;
}

void
plan_cgroup_directories (struct plan_builder *b)
{
  if (!b->cgroup_made && b->facts->join_cgroup)
    plan_add (b, PLAN_SYNC, b->spec->linux_ ? &b->spec->linux_->cgroups_path : NULL)->sync
        = (struct plan_sync){ .phase = PLAN_PHASE_CGROUP, .wait = true };
  b->cgroup_made = true;
}

bool
plan_is_bound (const struct plan_builder *b)
{
  const struct spec_scheduler *scheduler = b->spec->process ? b->spec->process->scheduler : NULL;
  bool real_time = scheduler
                   && (scheduler->policy.value == SCHED_FIFO || scheduler->policy.value == SCHED_RR
                       || scheduler->policy.value == SCHED_DEADLINE);

  return real_time || (b->spec->linux_ && b->spec->linux_->memory_policy);
}

static void
join_cgroup (struct plan_builder *b, bool late)
{
  bool enters = b->facts->target != NULL;
  bool creates = !enters && spec_creates (b->spec, CLONE_NEWCGROUP);

  /* Who enters opens files that processes of the container may exchange for devices, which its cgroup forbids.  Who is
   * created must not be ready before the record tells of him: when the runtime dies until then he does, too, instead of
   * waiting for START where nobody finds him.  */
  if (!b->cgroup_joined && (b->facts->cgroup_path || !enters))
    {
      b->plan->joins_late = late;
      plan_add (b, PLAN_SYNC, b->spec->linux_ ? &b->spec->linux_->cgroups_path : NULL)->sync
          = (struct plan_sync){ .phase = PLAN_PHASE_JOINED, .announce = late, .wait = true };
    }
  if (!b->cgroup_joined && creates)
    plan_add (b, PLAN_UNSHARE, spec_namespace_find (b->spec, CLONE_NEWCGROUP))->ns.flags = CLONE_NEWCGROUP;
  b->cgroup_joined = true;
}

void
plan_cgroup_joined (struct plan_builder *b)
{
  join_cgroup (b, b->facts->join_late);
}

void
plan_cgroup_joined_early (struct plan_builder *b)
{
  join_cgroup (b, false);
}
