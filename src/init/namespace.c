/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Namespaces, and who init is in them before it becomes the container's user.  */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "init/init.h"
#include "init/sys.h"

static pid_t
clone_sibling (uint64_t flags, int32_t *tid)
{
  struct clone_args args = { .flags = flags | CLONE_PARENT | CLONE_PARENT_SETTID, .parent_tid = (uintptr_t) tid };
  pid_t pid = sys_clone3 (&args);

  /* clone(2) has the exit signal where clone3(2) has CLONE_NEWTIME.  */
  if (pid < 0 && errno == ENOSYS && !(flags & 0xff))
    pid = (pid_t) syscall (SYS_clone, args.flags | SIGCHLD, 0, tid, 0, 0);
  return pid;
}

/* Joining a pid namespace, or offsets of a new time namespace, take effect for children only.  So the rest of the plan
 * is done by a child, which CLONE_PARENT makes the runtime's child, as init was.  The runtime learns its pid from us,
 * and before it says anything itself; if we die before we could say it, so does the child, and the runtime finds its
 * pid in the report.  */
int
op_fork (struct init *init, const struct plan_op *op)
{
  int gate[2];
  pid_t pid;
  char go;

  if (pipe2 (gate, O_CLOEXEC) < 0)
    return fail_errno (init, "pipe2", NULL);
  pid = clone_sibling (op->fork.flags, &init->report->forked);
  if (pid < 0)
    return fail_errno (init, "clone3", NULL);
  if (pid > 0)
    _exit (message_send (init, init->control, PLAN_PHASE_FORKED, pid, -1) < 0 || write (gate[1], "", 1) != 1);
  close (gate[1]);
  if (read (gate[0], &go, 1) != 1)
    return fail (init, PLAN_FAILURE_SYSTEM, EPIPE, "read", NULL);
  close (gate[0]);
  if (op->fork.drop_proc && init->proc >= 0)
    {
      close (init->proc);
      init->proc = -1;
    }
  return 0;
}

/* The user namespace is the last: until then we have the host's privileges.  Whoever needs those that it gives, since
 * he is not root, has it first.  */
static const struct
{
  uint64_t flag;
  const char *name;
} namespaces[] = {
  { CLONE_NEWUSER, "user" }, { CLONE_NEWPID, "pid" }, { CLONE_NEWNET, "net" },
  { CLONE_NEWIPC, "ipc" },   { CLONE_NEWUTS, "uts" }, { CLONE_NEWCGROUP, "cgroup" },
  { 0x80, "time" },          { CLONE_NEWNS, "mnt" },  { CLONE_NEWUSER, "user" },
};
#define NAMESPACES (sizeof namespaces / sizeof *namespaces)

/* "/proc/PID/ns/NAME" of the host, in whose mount namespace we still are.  */
static int
open_namespace (uint32_t pid, const char *name)
{
  char path[64] = "/proc/", *end = format_number (path + strlen (path), pid);

  end = copy_text (end, 8, "/ns/");
  copy_text (end, 16, name);
  return open (path, O_RDONLY | O_CLOEXEC);
}

/* One after the other, where setns(2) does not take pidfds (before Linux 5.8).  Those that were opened are of the
 * process that is meant, if it is still alive after that.  */
static int
join_each (struct init *init, const struct plan_namespace *ns, int pidfd)
{
  size_t first = geteuid () == 0, end = NAMESPACES - !first;
  int fds[NAMESPACES];

  for (size_t i = first; i < end; i++)
    if ((ns->flags & namespaces[i].flag) && (fds[i] = open_namespace (ns->pid, namespaces[i].name)) < 0)
      return fail_errno (init, "open", namespaces[i].name);
  if (syscall (SYS_pidfd_send_signal, pidfd, 0, NULL, 0) < 0)
    return fail_errno (init, "pidfd_send_signal", NULL);
  for (size_t i = first; i < end; i++)
    {
      if (!(ns->flags & namespaces[i].flag))
        continue;
      if (setns (fds[i], (int) namespaces[i].flag) < 0)
        return fail_errno (init, "setns", namespaces[i].name);
      close (fds[i]);
    }
  return 0;
}

int
op_join (struct init *init, const struct plan_op *op)
{
  int fd = init->fds[op->ns.fd], result;

  if (op->ns.drop_groups && set_groups (init, 0, NULL) < 0)
    return -1;
  result = setns (fd, (int) op->ns.flags);
  if (result < 0 && op->ns.pid && errno == EINVAL)
    result = join_each (init, &op->ns, fd);
  else if (result < 0)
    fail_errno (init, "setns", NULL);
  close (fd);
  return result < 0 || !(op->ns.flags & CLONE_NEWUSER) ? result : op_protect (init, op);
}

int
op_unshare (struct init *init, const struct plan_op *op)
{
  return unshare ((int) op->ns.flags) < 0 ? fail_errno (init, "unshare", NULL) : 0;
}

/* No other process of the container may look into us by ptrace(2) or /proc: we still hold more than it does.  Again
 * after each change of the user or user namespace, which makes us dumpable where fs.suid_dumpable is 1 (proc(5)).  */
int
op_protect (struct init *init, const struct plan_op *op)
{
  (void) op;
  return prctl (PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? fail_errno (init, "prctl", "PR_SET_DUMPABLE") : 0;
}

/* Becomes the root of its user namespace, so that what it makes belongs to an id that is mapped there.  */
int
op_root_identity (struct init *init, const struct plan_op *op)
{
  if (setresgid (0, 0, 0) < 0)
    return fail_errno (init, "setresgid", NULL);
  if (op_protect (init, op) < 0)
    return -1;
  if (setresuid (0, 0, 0) < 0)
    return fail_errno (init, "setresuid", NULL);
  return op_protect (init, op);
}

int
op_time_offset (struct init *init, const struct plan_op *op)
{
  return proc_write (init, "self/timens_offsets", plan_text (init, op->text.text));
}

/* A new network namespace has one device, which is down; programs expect 127.0.0.1 to work, and the peers see to it. */
int
op_loopback (struct init *init, const struct plan_op *op)
{
  struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
  int fd = socket (AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), result;

  (void) op;
  if (fd < 0) /* a kernel without IPv4 */
    return errno == EAFNOSUPPORT ? 0 : fail_errno (init, "socket", "lo");
  result = ioctl (fd, SIOCSIFFLAGS, &request) < 0 ? fail_errno (init, "ioctl", "lo") : 0;
  close (fd);
  return result;
}

int
op_session (struct init *init, const struct plan_op *op)
{
  (void) op;
  return setsid () < 0 ? fail_errno (init, "setsid", NULL) : 0;
}

/* A session keyring of its own: otherwise the container shares its caller's.  One without a name, since a name joins
 * the keyring that has it already, whoever's that is (keyctl(2)).  ENOSYS, EDQUOT … : see keyrings(7).  Its label is
 * the program's, or the program could not use it; execve forgets what it was.  */
int
op_keyring (struct init *init, const struct plan_op *op)
{
  const char *label = plan_text (init, op->text.text);

  if (label && proc_write (init, "thread-self/attr/keycreate", label) < 0)
    return -1;
  if (syscall (SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL, 0, 0, 0) >= 0 || errno == ENOSYS)
    return 0;
  return fail_errno (init, "keyctl", "the session keyring");
}

int
op_hostname (struct init *init, const struct plan_op *op)
{
  const char *name = plan_text (init, op->text.text);

  return sethostname (name, strlen (name)) < 0 ? fail_errno (init, "sethostname", name) : 0;
}

int
op_domainname (struct init *init, const struct plan_op *op)
{
  const char *name = plan_text (init, op->text.text);

  return setdomainname (name, strlen (name)) < 0 ? fail_errno (init, "setdomainname", name) : 0;
}

int
op_sysctl (struct init *init, const struct plan_op *op)
{
  char file[512] = "sys/";
  const char *key = plan_text (init, op->sysctl.key);

  if (strlen (key) >= sizeof file - 4)
    return fail (init, PLAN_FAILURE_SYSTEM, ENAMETOOLONG, "open", key);
  copy_text (file + 4, sizeof file - 4, key);
  return proc_write (init, file, plan_text (init, op->sysctl.value));
}
