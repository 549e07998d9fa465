/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where init begins: it maps its plan and the report, and carries out one operation after the other.
 *
 * Called as `init PLAN-FD`; every other descriptor's number stands in the plan's header.  What it was given beyond
 * those is marked close-on-exec before anything else is done.  */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include "init/init.h"
#include "init/sys.h"

/* The exit status of an init that failed; the report says the rest.  */
#define EXIT_FAILED 125

static int (*const operations[PLAN_CODE_COUNT]) (struct init *, const struct plan_op *) = {
  [PLAN_FORK] = op_fork,
  [PLAN_JOIN] = op_join,
  [PLAN_UNSHARE] = op_unshare,
  [PLAN_SYNC] = op_sync,
  [PLAN_PROTECT] = op_protect,
  [PLAN_ROOT_IDENTITY] = op_root_identity,
  [PLAN_TIME_OFFSET] = op_time_offset,
  [PLAN_LOOPBACK] = op_loopback,
  [PLAN_SESSION] = op_session,
  [PLAN_KEYRING] = op_keyring,
  [PLAN_PROC] = op_proc,
  [PLAN_PROPAGATION] = op_propagation,
  [PLAN_ROOTFS] = op_rootfs,
  [PLAN_MOUNT] = op_mount,
  [PLAN_BIND] = op_bind,
  [PLAN_REMOUNT] = op_remount,
  [PLAN_DEVICE] = op_device,
  [PLAN_SYMLINK] = op_symlink,
  [PLAN_TERMINAL] = op_terminal,
  [PLAN_MASK] = op_mask,
  [PLAN_READONLY] = op_readonly,
  [PLAN_HOOK] = op_hook,
  [PLAN_PIVOT] = op_pivot,
  [PLAN_HOSTNAME] = op_hostname,
  [PLAN_DOMAINNAME] = op_domainname,
  [PLAN_SYSCTL] = op_sysctl,
  [PLAN_OOM_SCORE_ADJ] = op_oom_score_adj,
  [PLAN_RLIMIT] = op_rlimit,
  [PLAN_SCHEDULER] = op_scheduler,
  [PLAN_IO_PRIORITY] = op_io_priority,
  [PLAN_AFFINITY] = op_affinity,
  [PLAN_MEMORY_POLICY] = op_memory_policy,
  [PLAN_PERSONALITY] = op_personality,
  [PLAN_DIRECTORY] = op_directory,
  [PLAN_CWD] = op_cwd,
  [PLAN_HOME] = op_home,
  [PLAN_BOUNDING_SET] = op_bounding_set,
  [PLAN_USER] = op_user,
  [PLAN_CAPABILITIES] = op_capabilities,
  [PLAN_CHECK_CWD] = op_check_cwd,
  [PLAN_FIND_PROGRAM] = op_find_program,
  [PLAN_LSM_EXEC] = op_lsm_exec,
  [PLAN_NO_NEW_PRIVILEGES] = op_no_new_privileges,
  [PLAN_READY] = op_ready,
  [PLAN_SECCOMP] = op_seccomp,
  [PLAN_EXEC] = op_exec,
};

int
fail (struct init *init, enum plan_failure failure, int error, const char *step, const char *detail)
{
  struct plan_report *report = init->report;

  report->error = error;
  copy_text (report->what, sizeof report->what, step);
  copy_text (report->detail, sizeof report->detail, detail ? detail : "");
  /* The runtime looks at the rest only when it sees this.  */
  __atomic_store_n (&report->failure, failure, __ATOMIC_RELEASE);
  return -1;
}

int
fail_errno (struct init *init, const char *step, const char *detail)
{
  return fail (init, PLAN_FAILURE_SYSTEM, errno, step, detail);
}

char **
plan_vector (struct init *init, const struct plan_strings *strings)
{
  uintptr_t *slots = (uintptr_t *) (void *) (init->plan + strings->first);

  /* The plan is mapped privately: only the pages of these slots become ours.  It may have been done before.  */
  for (uint32_t i = 0; i < strings->count; i++)
    if (slots[i] < init->header->size)
      slots[i] += (uintptr_t) init->plan;
  return (char **) (void *) slots;
}

static void
stamp (struct plan_report *report, uint32_t index)
{
  struct timespec now;

  report->op = index;
  if (index >= PLAN_TIMES_MAX)
    return;
  clock_gettime (CLOCK_MONOTONIC, &now);
  report->times[index] = (uint64_t) now.tv_sec * 1000000000u + (uint64_t) now.tv_nsec;
  report->timed = index + 1;
}

static int
map_plan (struct init *init, const char *argument)
{
  struct stat st;

  init->plan_fd = atoi (argument);
  if (fstat (init->plan_fd, &st) < 0)
    return -1;
  init->plan = mmap (NULL, (size_t) st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, init->plan_fd, 0);
  if (init->plan == MAP_FAILED)
    return -1;
  init->header = (const struct plan_header *) (void *) init->plan;
  if (init->header->magic != PLAN_MAGIC || init->header->version != PLAN_VERSION || init->header->size > st.st_size)
    return -1;
  init->fds = (const int32_t *) (const void *) (init->plan + init->header->fds);
  init->report_fd = init->fds[PLAN_FD_REPORT];
  init->control = init->fds[PLAN_FD_CONTROL];
  init->listener = init->fds[PLAN_FD_LISTENER];
  init->report = mmap (NULL, sizeof *init->report, PROT_READ | PROT_WRITE, MAP_SHARED, init->report_fd, 0);
  return init->report == MAP_FAILED ? -1 : 0;
}

/* Nothing that we hold may reach the program, whatever is added in this program.  Where the kernel cannot do it at once
 * (before Linux 5.11) it is done for those that the runtime has handed over: the others it has marked itself.  */
static int
keep_to_ourselves (struct init *init)
{
  if (sys_close_range (3 + init->header->preserved, ~0u, 1u << 2 /* CLOSE_RANGE_CLOEXEC */) == 0)
    return 0;
  for (uint32_t i = 0; i < init->header->fd_count; i++)
    if (init->fds[i] >= 0 && fcntl (init->fds[i], F_SETFD, FD_CLOEXEC) < 0)
      return fail_errno (init, "fcntl", NULL);
  return fcntl (init->plan_fd, F_SETFD, FD_CLOEXEC) < 0 ? fail_errno (init, "fcntl", NULL) : 0;
}

/* The end of an init that has failed.  After the filter is loaded the exit may be forbidden as well, and exit(3) would
 * try for ever; a trap needs no system call.  */
static _Noreturn void
give_up (void)
{
  syscall (SYS_exit_group, EXIT_FAILED);
  __builtin_trap ();
}

int
main (int argc, char **argv)
{
  struct init init = { .root = -1, .parent = -1, .proc = -1, .empty = -1, .null = -1, .filter = -1 };
  const struct plan_op *ops;

  if (argc != 2 || map_plan (&init, argv[1]) < 0 || keep_to_ourselves (&init) < 0)
    return EXIT_FAILED;
  for (int i = 1; i <= PLAN_MOUNTS_MAX; i++)
    init.mounts[i] = -1;
  init.umask = umask (0); /* modes are what the plan says */

  ops = (const struct plan_op *) (const void *) (init.plan + init.header->ops);
  init.exec = &ops[init.header->count - 1].exec;
  for (uint32_t i = 0; i < init.header->count; i++)
    {
      stamp (init.report, i);
      if (ops[i].code >= PLAN_CODE_COUNT)
        fail (&init, PLAN_FAILURE_PROTOCOL, EINVAL, "plan", NULL);
      else if (operations[ops[i].code](&init, &ops[i]) == 0)
        continue;
      break;
    }
  give_up ();
}
