/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A process that is executed in a container beside the container's own.  */
#include "spec/source.h"

/* Takes MEMBER of OWN where it is not THERE.  */
#define INHERIT(process, own, member, there)                                                                           \
  if (!((process)->member there))                                                                                      \
  (process)->member = (own)->member

void
spec_process_inherit (struct spec_process *process, const struct spec_process *own, bool all)
{
  if (all)
    {
      process->user = own->user;
      process->cwd = own->cwd;
    }
  INHERIT (process, own, user.umask, .set);
  INHERIT (process, own, env, .count);
  INHERIT (process, own, capabilities, );
  INHERIT (process, own, no_new_privileges, .set);
  INHERIT (process, own, oom_score_adj, .set);
  INHERIT (process, own, apparmor_profile, );
  INHERIT (process, own, selinux_label, );
  INHERIT (process, own, scheduler, );
  INHERIT (process, own, io_priority, );
  INHERIT (process, own, exec_cpu_affinity, );
  if (process->rlimits.count == 0)
    {
      process->rlimits.items = own->rlimits.items;
      process->rlimits.count = own->rlimits.count;
    }
}
