/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The order of a container's making:
 *
 *   namespaces    join, fork into new ones, become root there; session, keyring
 *   file system   mounts in the order of the config, devices, links, terminal; createRuntime and createContainer hooks;
 *                 masks, read-only paths; pivot_root
 *   process       names, sysctl, limits, working directory, user, capabilities; ready
 *   start         startContainer hooks, seccomp, exec
 *
 * Of a process that enters one, `exec`: enter (enter.c) stands in the place of namespaces and file system.  */
#include "base/arena.h"
#include "plan/builder.h"

int
plan_build (struct arena *arena, const struct spec *spec, const struct plan_facts *facts, struct plan **ret_plan,
            struct error *err)
{
  struct plan_builder b = { .arena = arena, .spec = spec, .facts = facts, .err = err };
  int result;

  b.plan = arena_new (arena, struct plan);
  result = facts->target ? plan_enter (&b) : plan_namespaces (&b);
  if (result == 0 && !facts->target)
    result = plan_file_system (&b);
  if (result == 0)
    result = plan_process (&b);
  if (result == 0)
    result = plan_check_size (&b);
  if (result < 0)
    return result;
  plan_finish (&b);
  *ret_plan = b.plan;
  return 0;
}
