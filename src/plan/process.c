/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The process of the container (config.md#process), from names and limits to exec.  */
#include <errno.h>
#include <linux/mempolicy.h>
#include <sched.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "plan/builder.h"

#define IOPRIO_CLASS_SHIFT 13
#define NODES_MAX 1024

static void
add_kernel_names (struct plan_builder *b)
{
  const struct spec *spec = b->spec;

  if (spec->hostname && *spec->hostname)
    plan_add_text (b, PLAN_HOSTNAME, &spec->hostname, spec->hostname);
  if (spec->domainname && *spec->domainname)
    plan_add_text (b, PLAN_DOMAINNAME, &spec->domainname, spec->domainname);
  for (size_t i = 0; spec->linux_ && i < spec->linux_->sysctl.count; i++)
    {
      const struct spec_pair *pair = &spec->linux_->sysctl.items[i];
      struct plan_sysctl s
          = { .key = plan_string (b, spec_sysctl_path (b->arena, pair->key)), .value = plan_string (b, pair->value) };
      plan_add (b, PLAN_SYSCTL, pair)->sysctl = s;
    }
}

void
plan_terminal (struct plan_builder *b, bool console)
{
  const struct spec_process *p = b->spec->process;
  const struct spec_console_size *size = p ? p->console_size : NULL;
  struct plan_terminal t = { .without_console = !console };

  if (!p || !p->terminal.value)
    return;
  if (size)
    {
      t.width = (uint32_t) size->width.value;
      t.height = (uint32_t) size->height.value;
    }
  plan_add (b, PLAN_TERMINAL, &p->terminal)->terminal = t;
}

int
plan_number_list (struct plan_builder *b, const char *const *value, const char *what, uint8_t *mask, unsigned max,
                  unsigned *ret_last)
{
  const char *rest = *value ? *value : "";
  unsigned first, last;

  *ret_last = 0;
  while (spec_number_list_next (&rest, &first, &last) > 0)
    {
      if (last >= max)
        return plan_refuse (b, value, "there is no %s %u: a mask has %u bits", what, last, max);
      if (last > *ret_last)
        *ret_last = last;
      for (; first <= last; first++)
        mask[first / 8] |= (uint8_t) (1 << first % 8);
    }
  return 0;
}

static int
add_memory_policy (struct plan_builder *b)
{
  const struct spec_memory_policy *policy = b->spec->linux_ ? b->spec->linux_->memory_policy : NULL;
  uint8_t mask[NODES_MAX / 8] = { 0 };
  struct plan_memory_policy m;
  unsigned last;
  int result;

  if (!policy)
    return 0;
  result = plan_number_list (b, &policy->nodes, "node", mask, NODES_MAX, &last);
  if (result < 0)
    return result;
  m = (struct plan_memory_policy){
    .mode = (uint32_t) policy->mode.value | (uint32_t) policy->flags.value,
    .nodes = policy->nodes && *policy->nodes ? plan_bytes (b, mask, sizeof mask, sizeof (long)) : 0,
  };
  plan_add (b, PLAN_MEMORY_POLICY, policy)->memory_policy = m;
  return 0;
}

void
plan_oom_score_adj (struct plan_builder *b)
{
  const struct spec_int *score = &b->spec->process->oom_score_adj;

  if (score->set && !b->oom_score_set)
    plan_add (b, PLAN_OOM_SCORE_ADJ, score)->number.value = score->value;
  b->oom_score_set = true;
}

static int
add_limits (struct plan_builder *b, const struct spec_process *p)
{
  const struct spec_personality *personality = b->spec->linux_ ? b->spec->linux_->personality : NULL;

  plan_oom_score_adj (b);
  for (size_t i = 0; i < p->rlimits.count; i++)
    plan_add (b, PLAN_RLIMIT, &p->rlimits.items[i])->rlimit = (struct plan_rlimit){
      .resource = (uint32_t) p->rlimits.items[i].type.value,
      .soft = p->rlimits.items[i].soft.value,
      .hard = p->rlimits.items[i].hard.value,
    };
  /* In a cgroup of v1 without a share of real time the policy is refused, which says more than a refused move.  */
  if (plan_is_bound (b))
    plan_cgroup_joined (b);
  if (p->scheduler)
    plan_add (b, PLAN_SCHEDULER, p->scheduler)->scheduler = (struct plan_scheduler){
      .policy = (uint32_t) p->scheduler->policy.value,
      .flags = p->scheduler->flags.value,
      .nice = (int32_t) p->scheduler->nice.value,
      .priority = (uint32_t) p->scheduler->priority.value,
      .runtime = p->scheduler->runtime.value,
      .deadline = p->scheduler->deadline.value,
      .period = p->scheduler->period.value,
    };
  if (p->io_priority)
    plan_add (b, PLAN_IO_PRIORITY, p->io_priority)->number.value
        = (p->io_priority->class.value << IOPRIO_CLASS_SHIFT) | p->io_priority->priority.value;
  if (personality)
    plan_add (b, PLAN_PERSONALITY, personality)->number.value = personality->domain.value;
  return add_memory_policy (b);
}

/* The place of the entry with ENTRY's name in TABLE, which has SIZE (a power of two) slots: the slot or an empty one.
 * Where the table is, is in the hash (FNV-1a), so that nobody can choose names that all have the same.  */
static const char ***
find_entry (const char ***table, size_t size, const char *entry, size_t name)
{
  uint64_t hash = UINT64_C (0xcbf29ce484222325) ^ (uintptr_t) table;

  for (size_t i = 0; i < name; i++)
    hash = (hash ^ (unsigned char) entry[i]) * UINT64_C (0x100000001b3);
  for (hash ^= hash >> 32;; hash++)
    {
      const char ***slot = &table[hash & (size - 1)];
      if (!*slot || (strncmp (**slot, entry, name) == 0 && ((**slot)[name] == '=' || !(**slot)[name])))
        return slot;
    }
}

/* The environment with the last of duplicates only, at the place of the first, and what the runtime adds.  */
static const char **
environment (struct plan_builder *b, const struct spec_process *p, size_t *ret_count)
{
  size_t extra = 0, count = 0, size = 64;
  const char **env, ***table;

  while (b->facts->extra_env && b->facts->extra_env[extra])
    extra++;
  while (size < 2 * (p->env.count + extra))
    size *= 2;
  table = arena_array (b->arena, const char **, size);
  env = arena_array (b->arena, const char *, p->env.count + extra + 1);
  for (size_t i = 0; i < p->env.count + extra; i++)
    {
      const char *entry = i < p->env.count ? p->env.items[i] : b->facts->extra_env[i - p->env.count];
      const char ***slot = find_entry (table, size, entry, strcspn (entry, "="));

      if (!*slot)
        *slot = &env[count++];
      **slot = entry;
    }
  *ret_count = count;
  return env;
}

/* Where in ENV the pid is to be put that init finds out; 0 if nowhere, or if it is known to be 1.  */
static uint32_t
place_of_pid (struct plan_builder *b, const char **env, size_t count)
{
  bool first = !b->facts->target && spec_creates (b->spec, CLONE_NEWPID);

  for (size_t i = 0; b->facts->extra_env && i < count; i++)
    if (strcmp (env[i], PLAN_LISTEN_PID) == 0)
      {
        if (!first)
          return (uint32_t) i + 1;
        env[i] = PLAN_LISTEN_PID "1";
      }
  return 0;
}

static bool
has_home (const char *const *env, size_t count)
{
  for (size_t i = 0; i < count && env[i]; i++)
    if (strncmp (env[i], "HOME=", 5) == 0)
      return true;
  return false;
}

bool
plan_needs_home (const struct plan_builder *b)
{
  const struct spec_process *p = b->spec->process;

  return p && !has_home (p->env.items, p->env.count)
         && !(b->facts->extra_env && has_home (b->facts->extra_env, SIZE_MAX));
}

void
plan_prepare_program (struct plan_builder *b)
{
  const struct spec_process *p = b->spec->process;

  if (b->prepared || !p)
    return;
  b->prepared = true;
  if (plan_needs_home (b))
    plan_add (b, PLAN_HOME, &p->user)->number.value = (int64_t) p->user.uid.value;
  if (b->facts->lsm_file)
    {
      struct plan_lsm lsm
          = { .file = plan_string (b, b->facts->lsm_file), .value = plan_string (b, b->facts->lsm_value) };
      plan_add (b, PLAN_LSM_EXEC, p)->lsm = lsm;
    }
}

/* startContainer hooks without an environment of their own get the program's.  */
static void
add_start_hooks (struct plan_builder *b, const struct plan_strings *env)
{
  size_t first = b->count;

  if (!b->spec->hooks || b->facts->target)
    return;
  plan_hooks (b, &b->spec->hooks->start_container, "startContainer", "created");
  for (size_t i = first; i < b->count; i++)
    if (!b->ops[i].hook.env.count)
      b->ops[i].hook.env = *env;
}

int
plan_process (struct plan_builder *b)
{
  const struct spec_process *p = b->spec->process;
  const struct spec_seccomp *seccomp = b->spec->linux_ ? b->spec->linux_->seccomp : NULL;
  struct plan_exec exec = { 0 };
  const char **env;
  size_t count = 0;
  int result;

  if (!b->facts->target)
    add_kernel_names (b);
  if (!p)
    {
      plan_cgroup_joined (b);
      plan_add (b, PLAN_READY, NULL);
      return 0;
    }
  result = add_limits (b, p);
  if (result < 0)
    return result;
  env = environment (b, p, &count);
  exec.listen_pid = place_of_pid (b, env, count);
  exec.args = plan_vector (b, p->args.items, p->args.count);
  exec.env = plan_vector (b, env, count);

  plan_add_text (b, PLAN_CWD, &p->cwd, p->cwd);
  plan_prepare_program (b);
  plan_cgroup_joined (b);
  result = plan_privileges (b);
  if (result < 0)
    return result;
  plan_add_text (b, PLAN_CHECK_CWD, &p->cwd, p->cwd);
  plan_add (b, PLAN_FIND_PROGRAM, &p->args)->exec = exec;
  if (p->no_new_privileges.value)
    plan_add (b, PLAN_NO_NEW_PRIVILEGES, &p->no_new_privileges);
  if (seccomp)
    plan_add (b, PLAN_SYNC, seccomp)->sync = (struct plan_sync){ .phase = PLAN_PHASE_FILTER, .wait = true };
  plan_add (b, PLAN_READY, NULL);
  add_start_hooks (b, &exec.env);
  if (seccomp)
    plan_add (b, PLAN_SECCOMP, seccomp)->seccomp.flags = b->facts->seccomp_flags;
  plan_add (b, PLAN_EXEC, &p->args)->exec = exec;
  return 0;
}
