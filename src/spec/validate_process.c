/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rules about config.md#process, which `exec --process` has too.  */
#include <linux/sched.h>
#include <string.h>

#include "base/error.h"
#include "base/names.h"
#include "spec/names.h"
#include "spec/source.h"
#include "spec/validate.h"

static int
check_program (const struct check *check, const struct spec_process *process)
{
  if (process->args.count == 0)
    return COMPLAIN (check, &process->args, "at least one argument is needed: the program");
  return spec_check_absolute (check, &process->cwd);
}

/* environ(7): name=value.  */
int
spec_check_environment (const struct check *check, const struct spec_strings *env)
{
  for (size_t i = 0; i < env->count; i++)
    {
      const char *equals = strchr (env->items[i], '=');
      if (equals == NULL || equals == env->items[i])
        return COMPLAIN (check, &env->items[i], "\"%s\" is not of the form NAME=VALUE", env->items[i]);
    }
  return 0;
}

static int
check_environment (const struct check *check, const struct spec_process *process)
{
  return spec_check_environment (check, &process->env);
}

/* The size of a terminal is two unsigned shorts to the kernel (ioctl_tty(2)).  */
static int
check_console (const struct check *check, const struct spec_process *process)
{
  const struct spec_console_size *size = process->console_size;
  if (!process->terminal.value || size == NULL)
    return 0;
  if (size->height.value > UINT16_MAX)
    return COMPLAIN (check, &size->height, "larger than %d", UINT16_MAX);
  if (size->width.value > UINT16_MAX)
    return COMPLAIN (check, &size->width, "larger than %d", UINT16_MAX);
  return 0;
}

static int
check_rlimits (const struct check *check, const struct spec_process *process)
{
  uint64_t seen = 0;
  for (size_t i = 0; i < process->rlimits.count; i++)
    {
      const struct spec_rlimit *rlimit = &process->rlimits.items[i];
      uint64_t bit = UINT64_C (1) << rlimit->type.value;
      if (seen & bit)
        return COMPLAIN (check, &rlimit->type, "duplicate limit %s", names_of (&spec_rlimit_names, rlimit->type.value));
      seen |= bit;
      if (rlimit->soft.value > rlimit->hard.value)
        return COMPLAIN (check, &rlimit->soft, "above the hard limit, %ju", (uintmax_t) rlimit->hard.value);
    }
  return 0;
}

/* SCHED_DEADLINE wants runtime <= deadline <= period (sched(7)); the others have none of these.  */
static int
check_deadline (const struct check *check, const struct spec_scheduler *scheduler)
{
  uint64_t runtime = scheduler->runtime.value, deadline = scheduler->deadline.value, period = scheduler->period.value;
  if (scheduler->policy.value != SCHED_DEADLINE)
    {
      if (runtime != 0 || deadline != 0 || period != 0)
        return COMPLAIN (check, scheduler, "runtime, deadline and period are for SCHED_DEADLINE alone");
      return 0;
    }
  if (runtime == 0)
    return COMPLAIN (check, scheduler, "SCHED_DEADLINE needs a runtime");
  if (runtime > deadline || (period != 0 && deadline > period))
    return COMPLAIN (check, scheduler, "SCHED_DEADLINE needs runtime <= deadline <= period");
  return 0;
}

static int
check_scheduler (const struct check *check, const struct spec_process *process)
{
  const struct spec_scheduler *scheduler = process->scheduler;
  if (scheduler == NULL)
    return 0;
  int64_t policy = scheduler->policy.value;
  bool real_time = policy == SCHED_FIFO || policy == SCHED_RR;
  bool nice = policy == SCHED_NORMAL || policy == SCHED_BATCH;
  if (strcmp (names_of (&spec_scheduler_names, policy), "SCHED_ISO") == 0)
    return COMPLAIN (check, &scheduler->policy, "Linux has no SCHED_ISO");
  if (scheduler->nice.value < -20 || scheduler->nice.value > 19)
    return COMPLAIN (check, &scheduler->nice, "expected an integer from -20 to 19");
  if (scheduler->nice.value != 0 && !nice)
    return COMPLAIN (check, &scheduler->nice, "is for SCHED_OTHER and SCHED_BATCH alone");
  if (real_time && (scheduler->priority.value < 1 || scheduler->priority.value > 99))
    return COMPLAIN (check, &scheduler->priority, "SCHED_FIFO and SCHED_RR need a priority from 1 to 99");
  if (!real_time && scheduler->priority.value != 0)
    return COMPLAIN (check, &scheduler->priority, "is for SCHED_FIFO and SCHED_RR alone");
  return check_deadline (check, scheduler);
}

/* Of the program itself only its form counts: the affinity is for who joins it later (`exec`).  */
static int
check_cpus (const struct check *check, const char *const *list)
{
  enum
  {
    MOST = 8192 /* CONFIG_NR_CPUS, whatever the machine */
  };
  const char *rest = *list == NULL ? "" : *list;
  unsigned first, last = 0;
  int result = spec_check_number_list (check, list);
  while (result == 0 && last < MOST && spec_number_list_next (&rest, &first, &last) > 0)
    continue;
  return result == 0 && last >= MOST ? COMPLAIN (check, list, "there is no CPU %u: Linux has %d at most", last, MOST)
                                     : result;
}

static int
check_affinity (const struct check *check, const struct spec_process *process)
{
  const struct spec_cpu_affinity *affinity = process->exec_cpu_affinity;
  if (affinity == NULL)
    return 0;
  int result = check_cpus (check, &affinity->initial);
  return result == 0 ? check_cpus (check, &affinity->final) : result;
}

int
spec_check_process (const struct check *check, const struct spec_process *process)
{
  static int (*const checks[]) (const struct check *, const struct spec_process *) = {
    check_program, check_environment, check_console, check_rlimits, check_scheduler, check_affinity,
  };
  int result = 0;
  for (size_t i = 0; i < sizeof checks / sizeof *checks && result == 0; i++)
    result = checks[i](check, process);
  return result;
}

int
spec_validate_process (struct arena *arena, const struct spec_source *source, const struct spec_process *process,
                       struct error *err)
{
  struct check check = { arena, source, err };
  return spec_check_process (&check, process);
}
