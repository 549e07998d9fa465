/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The probe's commands that tell what the process is: identity, privileges, limits, signals, namespaces.  */

#include "probe.h"
#include "report.h"

#include <dirent.h>
#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

#define SIGNAL_COUNT 64

static void
report_ids (char **args)
{
  uid_t ruid, euid, suid;
  gid_t rgid, egid, sgid;
  static gid_t groups[65536];
  int count;

  (void) args;
  getresuid (&ruid, &euid, &suid);
  getresgid (&rgid, &egid, &sgid);
  count = getgroups (65536, groups);
  report_open ('{');
  report_member_int ("ruid", ruid);
  report_member_int ("euid", euid);
  report_member_int ("suid", suid);
  report_member_int ("rgid", rgid);
  report_member_int ("egid", egid);
  report_member_int ("sgid", sgid);
  report_key ("groups");
  report_open ('[');
  for (int i = 0; i < count; i++)
    report_int (groups[i]);
  report_close (']');
  report_close ('}');
}

static void
report_umask (char **args)
{
  mode_t mask = umask (0);

  (void) args;
  umask (mask);
  report_int (mask);
}

static void
report_cwd (char **args)
{
  static char path[65536];

  (void) args;
  /* The raw call: libc refuses the "(unreachable)" that betrays a directory outside of the root.  */
  if (syscall (SYS_getcwd, path, sizeof path) < 0)
    report_errno (errno);
  else
    report_string (path);
}

static void
report_vector (char **vector)
{
  report_open ('[');
  for (; *vector; vector++)
    report_string (*vector);
  report_close (']');
}

static void
report_env (char **args)
{
  (void) args;
  report_vector (environ);
}

static void
report_argv (char **args)
{
  (void) args;
  report_vector (probe_argv);
}

static void
report_mask (const char *key, uint64_t mask, int first)
{
  report_key (key);
  report_open ('[');
  for (int i = 0; i < 64; i++)
    if (mask & (UINT64_C (1) << i))
      report_int (first + i);
  report_close (']');
}

/* The five sets as lists of capability numbers, asked from the kernel without /proc.  */
static void
report_caps (char **args)
{
  struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
  struct __user_cap_data_struct data[2];
  uint64_t bounding = 0, ambient = 0;

  (void) args;
  if (syscall (SYS_capget, &header, data) < 0)
    {
      report_errno (errno);
      return;
    }
  for (int i = 0; i < 64; i++)
    {
      if (prctl (PR_CAPBSET_READ, i, 0, 0, 0) == 1)
        bounding |= UINT64_C (1) << i;
      if (prctl (PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, i, 0, 0) == 1)
        ambient |= UINT64_C (1) << i;
    }
  report_open ('{');
  report_mask ("effective", data[0].effective | (uint64_t) data[1].effective << 32, 0);
  report_mask ("permitted", data[0].permitted | (uint64_t) data[1].permitted << 32, 0);
  report_mask ("inheritable", data[0].inheritable | (uint64_t) data[1].inheritable << 32, 0);
  report_mask ("bounding", bounding, 0);
  report_mask ("ambient", ambient, 0);
  report_close ('}');
}

static void
report_prctl (char **args)
{
  int death_signal = 0, subreaper = 0;

  (void) args;
  prctl (PR_GET_PDEATHSIG, &death_signal, 0, 0, 0);
  prctl (PR_GET_CHILD_SUBREAPER, &subreaper, 0, 0, 0);
  report_open ('{');
  report_member_int ("no_new_privs", prctl (PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
  report_member_int ("seccomp", prctl (PR_GET_SECCOMP, 0, 0, 0, 0));
  report_member_int ("dumpable", prctl (PR_GET_DUMPABLE, 0, 0, 0, 0));
  report_member_int ("keepcaps", prctl (PR_GET_KEEPCAPS, 0, 0, 0, 0));
  report_member_int ("securebits", prctl (PR_GET_SECUREBITS, 0, 0, 0, 0));
  report_member_int ("death_signal", death_signal);
  report_member_int ("subreaper", subreaper);
  report_close ('}');
}

static const char *const limit_names[] = {
  "CPU",     "FSIZE", "DATA",  "STACK",      "CORE",     "RSS",  "NPROC",  "NOFILE",
  "MEMLOCK", "AS",    "LOCKS", "SIGPENDING", "MSGQUEUE", "NICE", "RTPRIO", "RTTIME",
};

/* Soft and hard; -1 is unlimited.  */
static void
report_rlimits (char **args)
{
  (void) args;
  report_open ('{');
  for (int i = 0; i < (int) (sizeof limit_names / sizeof *limit_names); i++)
    {
      struct rlimit limit;

      if (getrlimit (i, &limit) < 0)
        continue;
      report_key (limit_names[i]);
      report_open ('[');
      report_int ((long long) limit.rlim_cur);
      report_int ((long long) limit.rlim_max);
      report_close (']');
    }
  report_close ('}');
}

static void
report_uname (char **args)
{
  struct utsname name;

  (void) args;
  uname (&name);
  report_open ('{');
  report_member_string ("nodename", name.nodename);
  report_member_string ("domainname", name.domainname);
  report_member_string ("machine", name.machine);
  report_close ('}');
}

static void
report_namespaces (char **args)
{
  struct dirent *entry;
  DIR *directory = opendir ("/proc/self/ns");

  (void) args;
  if (directory == NULL)
    {
      report_errno (errno);
      return;
    }
  report_open ('{');
  while ((entry = readdir (directory)))
    {
      char path[300], target[64];
      ssize_t size;

      snprintf (path, sizeof path, "/proc/self/ns/%s", entry->d_name);
      size = readlink (path, target, sizeof target);
      if (size < 0)
        continue;
      report_key (entry->d_name);
      report_bytes (target, (size_t) size);
    }
  report_close ('}');
  closedir (directory);
}

static void
report_pids (char **args)
{
  int terminal = -1;
  pid_t foreground = -1;

  (void) args;
  if (ioctl (STDIN_FILENO, TIOCGSID, &terminal) < 0)
    terminal = -1;
  if (ioctl (STDIN_FILENO, TIOCGPGRP, &foreground) < 0)
    foreground = -1;
  report_open ('{');
  report_member_int ("pid", getpid ());
  report_member_int ("ppid", getppid ());
  report_member_int ("pgrp", getpgrp ());
  report_member_int ("session", getsid (0));
  report_member_int ("terminal_session", terminal);
  report_member_int ("terminal_pgrp", foreground);
  report_close ('}');
}

/* The kernel's sets: libc hides two real-time signals that a runtime may leave blocked as well.  */
static void
report_signals (char **args)
{
  struct
  {
    void *handler;
    unsigned long flags;
    void *restorer;
    uint64_t mask;
  } action;
  uint64_t blocked = 0, ignored = 0, caught = 0;

  (void) args;
  syscall (SYS_rt_sigprocmask, SIG_BLOCK, NULL, &blocked, sizeof blocked);
  for (int i = 1; i <= SIGNAL_COUNT; i++)
    {
      if (syscall (SYS_rt_sigaction, i, NULL, &action, sizeof action.mask) < 0)
        continue;
      if (action.handler == (void *) SIG_IGN)
        ignored |= UINT64_C (1) << (i - 1);
      else if (action.handler != (void *) SIG_DFL)
        caught |= UINT64_C (1) << (i - 1);
    }
  report_open ('{');
  report_mask ("blocked", blocked, 1);
  report_mask ("ignored", ignored, 1);
  report_mask ("caught", caught, 1);
  report_close ('}');
}

/* sched_getattr(2); libcs have no struct for it.  */
struct scheduling
{
  uint32_t size, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime, deadline, period;
};

static void
report_scheduling (char **args)
{
  struct scheduling attr = { 0 };
  static unsigned char cpus[1024];
  int size;

  (void) args;
  syscall (SYS_sched_getattr, 0, &attr, sizeof attr, 0);
  size = (int) syscall (SYS_sched_getaffinity, 0, sizeof cpus, cpus);
  report_open ('{');
  report_member_int ("policy", attr.policy);
  report_member_int ("flags", (long long) attr.flags);
  report_member_int ("priority", attr.priority);
  report_member_int ("nice", getpriority (PRIO_PROCESS, 0));
  report_member_int ("runtime", (long long) attr.runtime);
  report_member_int ("deadline", (long long) attr.deadline);
  report_member_int ("period", (long long) attr.period);
  report_member_int ("ioprio", syscall (SYS_ioprio_get, 1, 0));
  report_member_int ("personality", personality (0xffffffff));
  report_key ("cpus");
  report_open ('[');
  for (int i = 0; i < size * 8; i++)
    if (cpus[i / 8] & (1 << i % 8))
      report_int (i);
  report_close (']');
  report_close ('}');
}

static void
report_memory_policy (char **args)
{
  unsigned long nodes[1024 / (8 * sizeof (long))] = { 0 };
  int mode = 0;

  (void) args;
  if (syscall (SYS_get_mempolicy, &mode, nodes, 8 * sizeof nodes, NULL, 0) < 0)
    {
      report_errno (errno);
      return;
    }
  report_open ('{');
  report_member_int ("mode", mode);
  report_key ("nodes");
  report_open ('[');
  for (int i = 0; i < 1024; i++)
    if (nodes[i / (8 * (int) sizeof *nodes)] >> i % (8 * (int) sizeof *nodes) & 1)
      report_int (i);
  report_close (']');
  report_close ('}');
}

/* The session keyring that the process has, without making one.  */
static void
report_keyring (char **args)
{
  enum
  {
    get_keyring_id = 0,
    describe = 6,
    session_keyring = -3
  };
  char text[256] = "";
  long serial = syscall (SYS_keyctl, get_keyring_id, session_keyring, 0);

  (void) args;
  if (serial < 0 || syscall (SYS_keyctl, describe, session_keyring, text, sizeof text - 1) < 0)
    {
      report_errno (errno);
      return;
    }
  report_open ('{');
  report_member_int ("serial", serial);
  report_member_string ("description", text);
  report_close ('}');
}

static void
report_clocks (char **args)
{
  static const struct
  {
    const char *name;
    clockid_t id;
  } clocks[] = { { "monotonic", CLOCK_MONOTONIC }, { "boottime", CLOCK_BOOTTIME } };

  (void) args;
  report_open ('{');
  for (size_t i = 0; i < sizeof clocks / sizeof *clocks; i++)
    {
      struct timespec now = { 0 };

      /* Nanoseconds; the raw call, because the vDSO's page is what a time namespace replaces.  */
      syscall (SYS_clock_gettime, clocks[i].id, &now);
      report_member_int (clocks[i].name, (long long) now.tv_sec * 1000000000 + now.tv_nsec);
    }
  report_close ('}');
}

static void
report_terminal (char **args)
{
  struct winsize size = { 0 };
  struct termios mode;

  (void) args;
  report_open ('{');
  report_key ("isatty");
  report_open ('[');
  for (int fd = 0; fd < 3; fd++)
    report_bool (isatty (fd));
  report_close (']');
  if (ioctl (STDIN_FILENO, TIOCGWINSZ, &size) == 0)
    {
      report_member_int ("rows", size.ws_row);
      report_member_int ("columns", size.ws_col);
    }
  if (tcgetattr (STDIN_FILENO, &mode) == 0)
    {
      report_key ("echo");
      report_bool (mode.c_lflag & ECHO);
      report_key ("canonical");
      report_bool (mode.c_lflag & ICANON);
      report_key ("onlcr");
      report_bool (mode.c_oflag & ONLCR);
    }
  report_close ('}');
}

const struct command process_commands[] = {
  { "ids", 0, report_ids, "users and groups" },
  { "umask", 0, report_umask, "the umask" },
  { "cwd", 0, report_cwd, "the working directory as the kernel names it" },
  { "env", 0, report_env, "the environment" },
  { "argv", 0, report_argv, "the arguments" },
  { "caps", 0, report_caps, "the five capability sets" },
  { "prctl", 0, report_prctl, "no_new_privs, seccomp, dumpable and the like" },
  { "rlimits", 0, report_rlimits, "resource limits" },
  { "uname", 0, report_uname, "host and domain name, machine" },
  { "ns", 0, report_namespaces, "the namespaces' ids" },
  { "pids", 0, report_pids, "pid, parent, group, session, the terminal's session and group" },
  { "signals", 0, report_signals, "blocked, ignored and caught signals" },
  { "sched", 0, report_scheduling, "policy and its parameters, I/O priority, personality, CPUs" },
  { "mempolicy", 0, report_memory_policy, "the NUMA policy and its nodes" },
  { "keyring", 0, report_keyring, "the session keyring" },
  { "clocks", 0, report_clocks, "monotonic and boot time" },
  { "tty", 0, report_terminal, "which of 0-2 are terminals; size and mode of 0" },
  { 0 },
};
