/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the program will be: limits, scheduling, working directory, user and privileges (config.md#process).
 *
 * The order stands in the plan, and matters: the bounding set is cut and groups are set while we may, the user is
 * changed with the permitted capabilities kept, then they are cut to what the program gets.  */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "init/init.h"
#include "init/sys.h"

int
op_oom_score_adj (struct init *init, const struct plan_op *op)
{
  char text[24];

  format_number (text, op->number.value);
  return proc_write (init, "self/oom_score_adj", text);
}

int
op_rlimit (struct init *init, const struct plan_op *op)
{
  /* The kernel's own struct: RLIM_INFINITY is ~0 in both.  */
  uint64_t limit[2] = { op->rlimit.soft, op->rlimit.hard };

  return syscall (SYS_prlimit64, 0, op->rlimit.resource, limit, NULL) < 0 ? fail_errno (init, "setrlimit", NULL) : 0;
}

int
op_scheduler (struct init *init, const struct plan_op *op)
{
  const struct plan_scheduler *s = &op->scheduler;
  struct
  {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
    uint32_t util_min, util_max; /* the specification has flags for them, but no values; the flags want them there */
  } attr = { sizeof attr, s->policy, s->flags, s->nice, s->priority, s->runtime, s->deadline, s->period, 0, 0 };

  return syscall (SYS_sched_setattr, 0, &attr, 0) < 0 ? fail_errno (init, "sched_setattr", NULL) : 0;
}

int
op_io_priority (struct init *init, const struct plan_op *op)
{
  return syscall (SYS_ioprio_set, 1 /* IOPRIO_WHO_PROCESS */, 0, (int) op->number.value) < 0
             ? fail_errno (init, "ioprio_set", NULL)
             : 0;
}

int
op_affinity (struct init *init, const struct plan_op *op)
{
  const struct plan_affinity *a = &op->affinity;

  return syscall (SYS_sched_setaffinity, 0, a->size, plan_text (init, a->mask)) < 0
             ? fail_errno (init, "sched_setaffinity", NULL)
             : 0;
}

int
op_memory_policy (struct init *init, const struct plan_op *op)
{
  const char *nodes = plan_text (init, op->memory_policy.nodes);

  return syscall (SYS_set_mempolicy, op->memory_policy.mode, nodes, nodes ? 1024 : 0) < 0
             ? fail_errno (init, "set_mempolicy", NULL)
             : 0;
}

int
op_personality (struct init *init, const struct plan_op *op)
{
  return personality ((unsigned long) op->number.value) < 0 ? fail_errno (init, "personality", NULL) : 0;
}

int
op_directory (struct init *init, const struct plan_op *op)
{
  int fd = root_make (init, plan_text (init, op->path.path), MAKE_DIRECTORY, 0);

  if (fd < 0)
    return -1;
  close (fd);
  return 0;
}

/* Goes to the working directory.  The program's user may be the only one who can (a directory on NFS, one of an owner
 * who is not mapped): check-cwd tries that again.  */
int
op_cwd (struct init *init, const struct plan_op *op)
{
  const char *path = plan_text (init, op->path.path);
  int fd = root_open (init, path, O_PATH | O_DIRECTORY);

  if (fd < 0)
    return fail_errno (init, "open", path);
  init->in_cwd = fchdir (fd) == 0;
  if (!init->in_cwd && errno != EACCES)
    return fail_errno (init, "chdir", path);
  close (fd);
  return 0;
}

/* A working directory outside the root, by a descriptor that leaked or a link of /proc, would be a way out.  The kernel
 * then says "(unreachable)" in front of it.  */
int
op_check_cwd (struct init *init, const struct plan_op *op)
{
  const char *path = plan_text (init, op->path.path);
  char where[4096];

  if (!init->in_cwd && chdir (path) < 0)
    return fail_errno (init, "chdir", path);
  if (syscall (SYS_getcwd, where, sizeof where) < 0)
    return fail_errno (init, "getcwd", path);
  return where[0] == '/' ? 0 : fail (init, PLAN_FAILURE_ESCAPE, EPERM, "getcwd", path);
}

/* Finds the home directory in LINE, "name:password:uid:gid:comment:home:shell", if it is that of UID.  */
static bool
home_of (char *line, uint32_t uid, char *to, size_t size)
{
  char *field = line;
  uint64_t number = 0;

  for (int i = 0; i < 2; i++)
    {
      field = strchr (field, ':');
      if (!field++)
        return false;
    }
  if (*field < '0' || *field > '9')
    return false;
  while (*field >= '0' && *field <= '9' && number <= UINT32_MAX)
    number = number * 10 + (uint64_t) (*field++ - '0');
  if (*field != ':' || number != uid)
    return false;
  for (int i = 0; i < 3; i++)
    {
      field = strchr (field, ':');
      if (!field++)
        return false;
    }
  field[strcspn (field, ":")] = '\0';
  if (*field != '/')
    return false;
  copy_text (to, size, field);
  return true;
}

/* Opens the image's PATH for reading if it is a regular file.  Looked at first: only to open a device, such as a
 * watchdog, may do something to the host.  Then it is opened by its descriptor, since the name may be another file's by
 * now.  */
static int
open_regular (struct init *init, const char *path)
{
  char name[32] = "self/fd/";
  struct stat st;
  int fd = root_open (init, path, O_PATH), file = -1;

  if (fd < 0)
    return -1;
  format_number (name + strlen (name), fd);
  if (fstat (fd, &st) == 0 && S_ISREG (st.st_mode))
    file = openat (init->proc, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  close (fd);
  return file;
}

#define PASSWD_MAX (1024 * 1024)

/* HOME as /etc/passwd of the container has it, else "/".  The file is the image's: it is read with bounds, if it is a
 * file.  */
int
op_home (struct init *init, const struct plan_op *op)
{
  static char home[512] = "HOME=/";
  char buffer[4096];
  size_t have = 0, total = 0;
  ssize_t n;
  int fd = open_regular (init, "/etc/passwd");
  bool found = false;

  init->home = home;
  if (fd < 0)
    return 0;
  while (!found && total < PASSWD_MAX && (n = read (fd, buffer + have, sizeof buffer - 1 - have)) > 0)
    {
      char *line = buffer, *end;

      total += (size_t) n;
      have += (size_t) n;
      buffer[have] = '\0';
      while (!found && (end = strchr (line, '\n')))
        {
          *end = '\0';
          found = home_of (line, (uint32_t) op->number.value, home + 5, sizeof home - 5);
          line = end + 1;
        }
      have = strlen (line);
      memmove (buffer, line, have);
      if (have == sizeof buffer - 1)
        break; /* a line that long is not of a passwd file */
    }
  if (!found && have && have < sizeof buffer - 1)
    {
      buffer[have] = '\0';
      home_of (buffer, (uint32_t) op->number.value, home + 5, sizeof home - 5);
    }
  close (fd);
  return 0;
}

int
op_bounding_set (struct init *init, const struct plan_op *op)
{
  uint64_t keep = (uint64_t) op->number.value;

  for (int cap = 0; cap < 64; cap++)
    if (!(keep & (1ull << cap)) && prctl (PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
      return errno == EINVAL ? 0 : fail_errno (init, "prctl", "PR_CAPBSET_DROP"); /* the kernel knows no more of them */
  return 0;
}

/* A pipe on stdio, or the container's own terminal, belongs to whoever made it; the program must be able to open it
 * again through /dev/stdout.  Files, devices and sockets of the host are left alone, and above all the caller's
 * terminal: the host's user of that number could read what is typed there.  */
static int
give_stdio (struct init *init, uint32_t uid)
{
  struct stat st;

  for (int fd = 0; fd <= 2; fd++)
    {
      if (fstat (fd, &st) < 0 || st.st_uid == uid || !(S_ISFIFO (st.st_mode) || init->terminal))
        continue;
      if (fchown (fd, uid, (gid_t) -1) < 0 && errno != EPERM && errno != EROFS && errno != EINVAL && errno != ENOSYS)
        return fail_errno (init, "fchown", "a standard stream");
    }
  return 0;
}

/* Whether it is the user namespace that forbids setgroups(2), and not our lack of a privilege (user_namespaces(7)).  */
static bool
groups_denied (void)
{
  struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
  struct __user_cap_data_struct data[2];

  return syscall (SYS_capget, &header, data) == 0 && (data[0].effective & (1u << CAP_SETGID));
}

int
set_groups (struct init *init, uint32_t count, const gid_t *groups)
{
  if (syscall (SYS_setgroups, count, groups) == 0)
    return 0;
  return errno == EPERM && count == 0 && groups_denied () ? 0 : fail_errno (init, "setgroups", NULL);
}

int
op_user (struct init *init, const struct plan_op *op)
{
  const struct plan_user *u = &op->user;
  const gid_t *groups = (const gid_t *) (const void *) plan_text (init, u->groups);

  init->umask = (mode_t) u->umask;
  umask (init->umask);
  if (u->uid && give_stdio (init, u->uid) < 0)
    return -1;
  if (prctl (PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
    return fail_errno (init, "prctl", "PR_SET_KEEPCAPS");
  /* musl's wrappers would signal threads that we do not have; the system calls do what is meant.  */
  if (!u->keep_groups && set_groups (init, u->group_count, groups) < 0)
    return -1;
  if (syscall (SYS_setresgid, u->gid, u->gid, u->gid) < 0)
    return fail_errno (init, "setresgid", NULL);
  if (op_protect (init, op) < 0)
    return -1;
  if (syscall (SYS_setresuid, u->uid, u->uid, u->uid) < 0)
    return fail_errno (init, "setresuid", NULL);
  return op_protect (init, op);
}

static int
set_capabilities (uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
  struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
  struct __user_cap_data_struct data[2];

  for (int i = 0; i < 2; i++)
    {
      data[i].effective = (uint32_t) (effective >> (32 * i));
      data[i].permitted = (uint32_t) (permitted >> (32 * i));
      data[i].inheritable = (uint32_t) (inheritable >> (32 * i));
    }
  return (int) syscall (SYS_capset, &header, data);
}

int
op_capabilities (struct init *init, const struct plan_op *op)
{
  const struct plan_capabilities *c = &op->capabilities;

  if (set_capabilities (c->effective | c->keep, c->permitted | c->keep, c->inheritable) < 0)
    return fail_errno (init, "capset", NULL);
  for (int cap = 0; cap < 64; cap++)
    if ((c->ambient & (1ull << cap)) && prctl (PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
      return fail_errno (init, "prctl", "PR_CAP_AMBIENT_RAISE");
  return 0;
}

int
op_no_new_privileges (struct init *init, const struct plan_op *op)
{
  (void) op;
  return prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? fail_errno (init, "prctl", "PR_SET_NO_NEW_PRIVS") : 0;
}

/* The attribute that the coming execve is to take effect on.  It is written through the host's procfs, which the image
 * cannot have covered.  */
int
op_lsm_exec (struct init *init, const struct plan_op *op)
{
  char file[128] = "thread-self/attr/";

  copy_text (file + strlen (file), 64, plan_text (init, op->lsm.file));
  return proc_write (init, file, plan_text (init, op->lsm.value));
}
