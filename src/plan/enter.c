/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Entering a container that is there, for `exec`.
 *
 * The namespaces are those of the container's first process, taken all at once by its pidfd: which ones, the config
 * says, whether they were made for the container or joined by it.  The root is what is the root of the mount namespace;
 * where that is not the container's own, the first process's.
 *
 * A pid namespace takes effect for children only, so then the rest is done by a sibling.  That one can be seen there,
 * and whoever has CAP_SYS_PTRACE may look into it and change it.  So what takes something of the host's is done before:
 * its /proc, and the capabilities that the program does not get, but for CAP_SYS_ADMIN where a filter is loaded without
 * no_new_privs.  In a user namespace we are protected from all who are inside.
 *
 * What is written below /proc goes through the host's, and the oom score before we are in a user namespace, as when a
 * container is made.  */
#include <sched.h>

#include "base/arena.h"
#include "plan/builder.h"

#define CPUS_MAX 8192 /* as many as a kernel can be built for */

static uint64_t
namespaces (const struct spec *spec)
{
  uint64_t flags = 0;

  for (size_t i = 0; spec->linux_ && i < spec->linux_->namespaces.count; i++)
    flags |= (uint64_t) spec->linux_->namespaces.items[i].type.value;
  return flags;
}

static void
join (struct plan_builder *b, uint64_t flags)
{
  const struct spec_namespace *user = spec_namespace_find (b->spec, CLONE_NEWUSER);
  struct plan_namespace ns = { .flags = flags, .pid = (uint32_t) b->facts->target->pid };

  if (!flags)
    return;
  ns.drop_groups = user && !spec_creates (b->spec, CLONE_NEWUSER) && plan_drops_groups (b);
  ns.fd = plan_open (b, (struct plan_open){ .given = &b->facts->target->pidfd });
  plan_add (b, PLAN_JOIN, &b->spec->linux_->namespaces)->ns = ns;
  if (flags & CLONE_NEWUSER)
    plan_add (b, PLAN_ROOT_IDENTITY, NULL);
}

/* Goes on in the pid namespace.  */
static void
enter_pid_namespace (struct plan_builder *b)
{
  plan_prepare_program (b);
  if (!spec_namespace_find (b->spec, CLONE_NEWUSER))
    plan_confine (b);
  plan_add (b, PLAN_FORK, NULL)->fork.drop_proc = true;
}

static void
add_root (struct plan_builder *b, const char *path)
{
  struct plan_bind root = { .source = plan_string (b, path) };

  plan_add (b, PLAN_ROOTFS, NULL)->bind = root;
}

static int
add_cpus (struct plan_builder *b, const char *const *cpus)
{
  uint8_t mask[CPUS_MAX / 8] = { 0 };
  struct plan_affinity a;
  unsigned last;
  int result;

  if (!*cpus || !**cpus)
    return 0;
  result = plan_number_list (b, cpus, "CPU", mask, CPUS_MAX, &last);
  if (result < 0)
    return result;
  a.size = (last / 64 + 1) * 8;
  a.cpus = plan_string (b, *cpus);
  a.mask = plan_bytes (b, mask, a.size, sizeof (uint64_t));
  plan_add (b, PLAN_AFFINITY, cpus)->affinity = a;
  return 0;
}

/* The one before the process is in the container's cgroup, the other after that (config.md#process).  */
static int
add_affinity (struct plan_builder *b)
{
  const struct spec_cpu_affinity *affinity = b->spec->process ? b->spec->process->exec_cpu_affinity : NULL;
  int result = affinity ? add_cpus (b, &affinity->initial) : 0;

  if (!affinity || result < 0)
    return result;
  plan_cgroup_joined (b);
  return add_cpus (b, &affinity->final);
}

int
plan_enter (struct plan_builder *b)
{
  const struct spec *spec = b->spec;
  const struct spec_process *p = spec->process;
  bool own_root = spec_creates (spec, CLONE_NEWNS);
  int result;

  if (spec_creates (spec, CLONE_NEWUSER))
    plan_id_map (b);
  if (b->facts->lsm_file || (p && p->oom_score_adj.set) || plan_needs_home (b))
    plan_add (b, PLAN_PROC, NULL);
  /* Before we are protected: the files of /proc/PID are root's then.  */
  if (p)
    plan_oom_score_adj (b);
  /* Who is there already must not look into us, who still have the host's root.  */
  plan_add (b, PLAN_PROTECT, NULL);
  if (!own_root)
    add_root (b, arena_printf (b->arena, "/proc/%d/root", (int) b->facts->target->pid));
  join (b, namespaces (spec));
  if (own_root)
    add_root (b, "/");
  else
    plan_add (b, PLAN_PIVOT, NULL)->pivot.kind = PLAN_PIVOT_CHROOT;
  if (namespaces (spec) & CLONE_NEWPID)
    enter_pid_namespace (b);
  plan_add (b, PLAN_SESSION, NULL);
  plan_add (b, PLAN_KEYRING, NULL);
  result = add_affinity (b);
  if (result == 0)
    plan_terminal (b, false);
  return result;
}
