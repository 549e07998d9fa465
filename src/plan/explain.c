/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From the report of an init that failed to an error that can be acted on.  The report comes from shared memory and is
 * copied and bounded first: init was ours until it entered the container, but a message must not depend on it.  */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/wait.h>

#include "base/arena.h"
#include "base/error.h"
#include "plan/ops.h"
#include "plan/plan.h"
#include "spec/spec.h"

/* A hook's words on its way out, on one line.  */
static const char *
last_words (struct arena *arena, const char *text)
{
  size_t length = strlen (text);

  while (length && (text[length - 1] == '\n' || text[length - 1] == ' '))
    length--;
  return length ? arena_printf (arena, ": %.*s", (int) length, text) : "";
}

static const char *
wait_text (struct arena *arena, int status)
{
  if (WIFSIGNALED (status))
    return arena_printf (arena, "killed by signal %d", WTERMSIG (status));
  return arena_printf (arena, "exit status %d", WEXITSTATUS (status));
}

#define ORIGIN(address) ((struct plan_origin){ (address), sizeof *(address) })

/* What failed: a report, the operation it is about, and where that came from.  */
struct failure
{
  const struct plan_report *report;
  const struct plan *plan;  /* NULL in a `start` */
  const struct plan_op *op; /* NULL without a plan */
  uint32_t code;
  struct plan_origin origin;
};

static bool
mounts_proc (const struct failure *f)
{
  return f->op && strcmp ((const char *) f->plan->header + f->op->mount.type, "proc") == 0;
}

/* What is mounted by its path, such as a block device; or NULL.  */
static const char *
mounted_file (const struct failure *f)
{
  const char *source = f->op ? (const char *) f->plan->header + f->op->mount.source : "";

  return *source == '/' ? source : NULL;
}

/* Whether the operation makes or moves mounts by the calls of Linux 5.2.  */
static bool
mounts_something (uint32_t code)
{
  return code == PLAN_MOUNT || code == PLAN_BIND || code == PLAN_DEVICE || code == PLAN_TERMINAL || code == PLAN_MASK
         || code == PLAN_READONLY;
}

/* Whether a destination that the image does not have was refused to be made there.  */
static bool
is_unmakeable (const struct failure *f)
{
  const struct plan_report *r = f->report;
  return mounts_something (f->code) && (r->error == EACCES || r->error == EPERM || r->error == EROFS)
         && (strcmp (r->what, "mkdir") == 0 || strcmp (r->what, "create") == 0);
}

static void
add_hint (const struct failure *f, struct error *err)
{
  const struct plan_report *r = f->report;

  if (f->code == PLAN_BIND && r->error == ENOENT && strcmp (r->what, "open_tree") == 0)
    error_hint (err, "the source %s does not exist on the host; create it or drop the mount", r->detail);
  else if (is_unmakeable (f))
    error_hint (err, "%s is not in the root file system and cannot be made there: have it contained in the image",
                r->detail);
  else if (f->code == PLAN_MOUNT && r->error == ENODEV)
    error_hint (err, "the kernel does not know this file system type: see /proc/filesystems");
  else if (f->code == PLAN_MOUNT && r->error == ENOSPC && f->op && (f->op->mount.options & PLAN_MOUNT_COPY_UP))
    error_hint (err, "tmpcopyup: size= and nr_inodes= must leave room for what the image has there");
  else if (f->code == PLAN_MOUNT && (strstr (r->reason, "Invalid gid") || strstr (r->reason, "Invalid uid")))
    error_hint (err, "it must be mapped in the user namespace of the container, or not be named");
  else if (mounts_something (f->code) && r->error == ENOSYS)
    error_hint (err, PLAN_HINT_MOUNT_CALLS);
  else if ((f->code == PLAN_BIND || f->code == PLAN_REMOUNT) && r->error == EOPNOTSUPP)
    error_hint (err, "nosymfollow needs Linux 5.10");
  else if (f->code == PLAN_TERMINAL && r->error == ENOENT)
    error_hint (err, "a terminal needs a devpts mounted on /dev/pts");
  else if (f->code == PLAN_ROOTFS && r->error == ENOENT)
    error_hint (err, "root.path must name a directory that exists, absolute or relative to the bundle");
  else if (f->code == PLAN_RLIMIT && r->error == EPERM)
    error_hint (err, "raising a hard limit above the runtime's own takes CAP_SYS_RESOURCE");
  else if (f->code == PLAN_SCHEDULER && r->error == EPERM)
    error_hint (err,
                "this takes CAP_SYS_NICE; in a cgroup of v1 SCHED_FIFO and SCHED_RR also take a share of real time, "
                "linux.resources.cpu.realtimeRuntime");
  else if (f->code == PLAN_SCHEDULER && r->error == EBUSY)
    error_hint (err, "the CPUs have no such time left, or the caller may not use all of them (sched(7))");
  else if (f->code == PLAN_SCHEDULER && r->error == EOPNOTSUPP)
    error_hint (err, "the kernel does not clamp utilization (CONFIG_UCLAMP_TASK)");
  else if (f->code == PLAN_MEMORY_POLICY && r->error == EINVAL)
    error_hint (err, "/sys/devices/system/node/has_memory lists the nodes there are, linux.resources.cpu.mems may take "
                     "some away");
  else if (f->code == PLAN_USER && r->error == EINVAL)
    error_hint (err, "every uid and gid of the process must be mapped in its user namespace");
  else if (f->code == PLAN_USER && r->error == EPERM && strcmp (r->what, "setgroups") == 0)
    error_hint (err, "the user namespace may have setgroups(2) denied, for good: then drop additionalGids");
  else if (f->code == PLAN_MOUNT && r->error == EPERM && mounts_proc (f))
    error_hint (err, "a new procfs in a user namespace takes a pid namespace that it owns, and that nothing of the "
                     "present /proc is masked");
  else if (f->code == PLAN_MOUNT && r->error == EPERM && mounted_file (f))
    error_hint (err, "is %s a block device that linux.resources.devices lets the container read and write?",
                mounted_file (f));
  else if (f->code == PLAN_PIVOT && r->error == EINVAL)
    error_hint (err, "where the root is the initramfs, use --no-pivot");
}

/* "mount proc on /proc", and where it stopped if that is somewhere else.  Without a plan the detail has to stand for
 * the arguments.  */
static const char *
object (struct arena *arena, const struct failure *f)
{
  const char *phrase = f->op ? plan_op_phrase (arena, f->plan, f->op) : plan_ops[f->code].phrase;
  const char *detail = f->report->detail;
  size_t plain = strcspn (phrase, "{");

  if (!f->op && phrase[plain])
    return arena_printf (arena, "%.*s%s", (int) plain, phrase, detail);
  return *detail && !strstr (phrase, detail) ? arena_printf (arena, "%s: %s", phrase, detail) : phrase;
}

/* Why a program cannot be executed, in the words that callers look for.  */
static const char *
refusal (int error)
{
  switch (error)
    {
    case ENOENT:
      return "no such file or directory";
    case EACCES:
      return "permission denied";
    case EISDIR:
      return "is a directory: permission denied";
    default:
      return strerror (error);
    }
}

static int
explain_program (const struct failure *f, const char *where, struct error *err)
{
  const struct plan_report *r = f->report;
  bool denied = r->error == EACCES || r->error == EISDIR;

  switch (r->failure)
    {
    case PLAN_FAILURE_NOT_FOUND:
      return error_set (err, r->error, "%sexec: \"%s\": %s", where, r->detail,
                        strchr (r->detail, '/') ? refusal (ENOENT) : "executable file not found in $PATH");
    case PLAN_FAILURE_NOT_EXECUTABLE:
      error_set (err, denied ? EACCES : r->error, "%sexec: \"%s\": %s", where, r->detail, refusal (r->error));
      if (denied)
        error_hint (err, "the program must be a file that the user of the process may execute");
      return denied ? -EACCES : -r->error;
    default:
      error_set (err, r->error, "%sexec: \"%s\": its interpreter \"%s\" %s%s", where, r->reason, r->detail,
                 r->error == ENOENT ? "is missing in the container: " : "cannot be executed: ", refusal (r->error));
      error_hint (err, strchr (r->detail, '\r')
                           ? "the first line of the script ends with a carriage return"
                           : "a script needs its shell, a dynamic program its loader and libraries");
      return -r->error;
    }
}

static int
explain_hook (struct arena *arena, const struct failure *f, const char *where, struct error *err)
{
  const struct plan_report *r = f->report;
  const struct spec_hook *hook = f->origin.value;

  if (r->failure == PLAN_FAILURE_HOOK)
    return error_set (err, r->error, "%s%s: %s%s", where, hook->path, wait_text (arena, r->wait_status),
                      last_words (arena, r->detail));
  return error_set (err, ETIMEDOUT, "%s%s: killed, with all that it started, after its timeout of %lld s%s", where,
                    hook->path, (long long) hook->timeout.value, last_words (arena, r->detail));
}

/* Before the first operation.  */
static int
explain_birth (const struct spec *spec, const struct plan_report *r, struct error *err)
{
  error_sys (err, r->error, "start init: %s", r->what);
  if (r->error == EINVAL && spec_creates (spec, CLONE_NEWUSER) && strncmp (r->what, "setres", 6) == 0)
    error_hint (err, "linux.uidMappings and linux.gidMappings must map the container's id 0");
  return -r->error;
}

static int
explain (struct arena *arena, const struct spec *spec, struct failure *f, struct error *err)
{
  const char *where = plan_origin_text (arena, spec, f->origin);
  struct plan_report *r = arena_new (arena, struct plan_report);

  memcpy (r, f->report, offsetof (struct plan_report, timed));
  r->what[sizeof r->what - 1] = r->detail[sizeof r->detail - 1] = r->reason[sizeof r->reason - 1] = '\0';
  if (r->error <= 0)
    r->error = EIO;
  f->report = r;
  if (r->failure == PLAN_FAILURE_BIRTH)
    return explain_birth (spec, r, err);
  if (f->code == PLAN_HOOK && (r->failure == PLAN_FAILURE_HOOK || r->failure == PLAN_FAILURE_HOOK_TIMEOUT))
    return explain_hook (arena, f, where, err);
  switch (r->failure)
    {
    case PLAN_FAILURE_NOT_FOUND:
    case PLAN_FAILURE_NOT_EXECUTABLE:
    case PLAN_FAILURE_INTERPRETER:
      return explain_program (f, where, err);
    case PLAN_FAILURE_MISMATCH:
      return error_set (err, r->error, "%s%s: something else is there", where, object (arena, f));
    case PLAN_FAILURE_ESCAPE:
      return error_set (err, r->error, "%s%s: it is outside the container's root", where, object (arena, f));
    case PLAN_FAILURE_PROTOCOL:
      return error_set (err, r->error, "%s%s: an unexpected message", where, object (arena, f));
    default:
      if (*r->reason)
        error_set (err, r->error, "%s%s: %s (%s)", where, object (arena, f), r->reason, strerror (r->error));
      else
        error_sys (err, r->error, "%s%s", where, object (arena, f));
      add_hint (f, err);
      return -r->error;
    }
}

int
plan_explain (struct arena *arena, const struct plan *plan, const struct spec *spec, const struct plan_report *report,
              struct error *err)
{
  const struct plan_op *ops = (const void *) ((const char *) plan->header + plan->header->ops);
  uint32_t op = __atomic_load_n (&report->op, __ATOMIC_RELAXED);
  struct failure f = { .report = report, .plan = plan };

  if (op >= plan->header->count)
    return error_set (err, EPROTO, "init reported nonsense");
  f.op = &ops[op];
  f.code = ops[op].code;
  f.origin = plan->origins[op];
  return explain (arena, spec, &f, err);
}

int
plan_explain_start (struct arena *arena, uint32_t last_op, const struct spec *spec, const struct plan_report *report,
                    struct error *err)
{
  const struct spec_hook_list *hooks = spec->hooks ? &spec->hooks->start_container : NULL;
  bool seccomp = spec->linux_ && spec->linux_->seccomp;
  uint32_t op = __atomic_load_n (&report->op, __ATOMIC_RELAXED);
  uint32_t left = last_op - op; /* exec is the last; before it comes seccomp, if any, before that the hooks */
  struct failure f = { .report = report, .code = PLAN_EXEC };

  if (op > last_op)
    return error_set (err, EPROTO, "init reported nonsense");
  if (!spec->process)
    f.code = PLAN_READY;
  else if (left == 0)
    f.origin = ORIGIN (&spec->process->args);
  else if (seccomp && left == 1)
    f.code = PLAN_SECCOMP, f.origin = ORIGIN (spec->linux_->seccomp);
  else if (hooks && left - seccomp <= hooks->count)
    f.code = PLAN_HOOK, f.origin = ORIGIN (&hooks->items[hooks->count - (left - seccomp)]);
  else
    f.code = PLAN_READY;
  return explain (arena, spec, &f, err);
}
