/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tables of names.h.  Where several words mean one number, the first is the one that is printed.  */
#include "spec/names.h"

#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/ioprio.h>
#include <linux/mempolicy.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "spec/spec.h"

/* What is newer than the headers of Debian 12, or never was in them.  */
#define SCMP_X32 (EM_X86_64 | __AUDIT_ARCH_LE) /* libseccomp's token; to audit, x32 is x86-64 */
enum
{
  MPOL_WEIGHTED_INTERLEAVE_ = 6, /* Linux 6.9 */
  SCHED_ISO_ = 4,                /* reserved for ever, never implemented */
};

/* A word that is spelt as its number's name in C is.  */
#define SAME(word)                                                                                                     \
  {                                                                                                                    \
#word, word                                                                                                        \
  }

#define TABLE(concept) const struct names spec_##concept##_names = NAMES (concept##_rows)

static const struct name namespace_rows[] = {
  { "mount", CLONE_NEWNS }, { "pid", CLONE_NEWPID },   { "network", CLONE_NEWNET },   { "uts", CLONE_NEWUTS },
  { "ipc", CLONE_NEWIPC },  { "user", CLONE_NEWUSER }, { "cgroup", CLONE_NEWCGROUP }, { "time", CLONE_NEWTIME },
};
TABLE (namespace);

/* In the order of their numbers: see spec_capability_names' users that count.  */
static const struct name capability_rows[] = {
  SAME (CAP_CHOWN),
  SAME (CAP_DAC_OVERRIDE),
  SAME (CAP_DAC_READ_SEARCH),
  SAME (CAP_FOWNER),
  SAME (CAP_FSETID),
  SAME (CAP_KILL),
  SAME (CAP_SETGID),
  SAME (CAP_SETUID),
  SAME (CAP_SETPCAP),
  SAME (CAP_LINUX_IMMUTABLE),
  SAME (CAP_NET_BIND_SERVICE),
  SAME (CAP_NET_BROADCAST),
  SAME (CAP_NET_ADMIN),
  SAME (CAP_NET_RAW),
  SAME (CAP_IPC_LOCK),
  SAME (CAP_IPC_OWNER),
  SAME (CAP_SYS_MODULE),
  SAME (CAP_SYS_RAWIO),
  SAME (CAP_SYS_CHROOT),
  SAME (CAP_SYS_PTRACE),
  SAME (CAP_SYS_PACCT),
  SAME (CAP_SYS_ADMIN),
  SAME (CAP_SYS_BOOT),
  SAME (CAP_SYS_NICE),
  SAME (CAP_SYS_RESOURCE),
  SAME (CAP_SYS_TIME),
  SAME (CAP_SYS_TTY_CONFIG),
  SAME (CAP_MKNOD),
  SAME (CAP_LEASE),
  SAME (CAP_AUDIT_WRITE),
  SAME (CAP_AUDIT_CONTROL),
  SAME (CAP_SETFCAP),
  SAME (CAP_MAC_OVERRIDE),
  SAME (CAP_MAC_ADMIN),
  SAME (CAP_SYSLOG),
  SAME (CAP_WAKE_ALARM),
  SAME (CAP_BLOCK_SUSPEND),
  SAME (CAP_AUDIT_READ),
  SAME (CAP_PERFMON),
  SAME (CAP_BPF),
  SAME (CAP_CHECKPOINT_RESTORE),
};
TABLE (capability);

static const struct name rlimit_rows[] = {
  SAME (RLIMIT_CPU),      SAME (RLIMIT_FSIZE), SAME (RLIMIT_DATA),   SAME (RLIMIT_STACK),
  SAME (RLIMIT_CORE),     SAME (RLIMIT_RSS),   SAME (RLIMIT_NPROC),  SAME (RLIMIT_NOFILE),
  SAME (RLIMIT_MEMLOCK),  SAME (RLIMIT_AS),    SAME (RLIMIT_LOCKS),  SAME (RLIMIT_SIGPENDING),
  SAME (RLIMIT_MSGQUEUE), SAME (RLIMIT_NICE),  SAME (RLIMIT_RTPRIO), SAME (RLIMIT_RTTIME),
};
TABLE (rlimit);

/* Without the real-time ones: spec_signal counts them.  */
static const struct name signal_rows[] = {
  SAME (SIGHUP),    SAME (SIGINT),         SAME (SIGQUIT),  SAME (SIGILL),  SAME (SIGTRAP), SAME (SIGABRT),
  SAME (SIGBUS),    SAME (SIGFPE),         SAME (SIGKILL),  SAME (SIGUSR1), SAME (SIGSEGV), SAME (SIGUSR2),
  SAME (SIGPIPE),   SAME (SIGALRM),        SAME (SIGTERM),  SAME (SIGCHLD), SAME (SIGCONT), SAME (SIGSTOP),
  SAME (SIGTSTP),   SAME (SIGTTIN),        SAME (SIGTTOU),  SAME (SIGURG),  SAME (SIGXCPU), SAME (SIGXFSZ),
  SAME (SIGVTALRM), SAME (SIGPROF),        SAME (SIGWINCH), SAME (SIGIO),   SAME (SIGPWR),  SAME (SIGSYS),
#ifdef SIGSTKFLT
  SAME (SIGSTKFLT),
#endif
  SAME (SIGIOT),    { "SIGCLD", SIGCHLD }, SAME (SIGPOLL),
};
TABLE (signal);

static const struct name ioprio_class_rows[] = {
  SAME (IOPRIO_CLASS_RT),
  SAME (IOPRIO_CLASS_BE),
  SAME (IOPRIO_CLASS_IDLE),
};
TABLE (ioprio_class);

static const struct name scheduler_rows[] = {
  { "SCHED_OTHER", SCHED_NORMAL }, SAME (SCHED_FIFO), SAME (SCHED_RR),       SAME (SCHED_BATCH),
  { "SCHED_ISO", SCHED_ISO_ },     SAME (SCHED_IDLE), SAME (SCHED_DEADLINE),
};
TABLE (scheduler);

static const struct name scheduler_flag_rows[] = {
  SAME (SCHED_FLAG_RESET_ON_FORK),  SAME (SCHED_FLAG_RECLAIM),     SAME (SCHED_FLAG_DL_OVERRUN),
  SAME (SCHED_FLAG_KEEP_POLICY),    SAME (SCHED_FLAG_KEEP_PARAMS), SAME (SCHED_FLAG_UTIL_CLAMP_MIN),
  SAME (SCHED_FLAG_UTIL_CLAMP_MAX),
};
TABLE (scheduler_flag);

static const struct name device_type_rows[] = {
  { "c", S_IFCHR },
  { "b", S_IFBLK },
  { "p", S_IFIFO },
  { "u", S_IFCHR }, /* unbuffered, says mknod(1); Linux knows no difference */
};
TABLE (device_type);

/* The schema has the first four; containerd, Docker and runc also know those for the whole tree.  */
static const struct name propagation_rows[] = {
  { "private", MS_PRIVATE },
  { "shared", MS_SHARED },
  { "slave", MS_SLAVE },
  { "unbindable", MS_UNBINDABLE },
  { "rprivate", MS_PRIVATE | MS_REC },
  { "rshared", MS_SHARED | MS_REC },
  { "rslave", MS_SLAVE | MS_REC },
  { "runbindable", MS_UNBINDABLE | MS_REC },
};
TABLE (propagation);

static const struct name mempolicy_rows[] = {
  SAME (MPOL_DEFAULT),    SAME (MPOL_BIND),
  SAME (MPOL_INTERLEAVE), { "MPOL_WEIGHTED_INTERLEAVE", MPOL_WEIGHTED_INTERLEAVE_ },
  SAME (MPOL_PREFERRED),  SAME (MPOL_PREFERRED_MANY),
  SAME (MPOL_LOCAL),
};
TABLE (mempolicy);

static const struct name mempolicy_flag_rows[] = {
  SAME (MPOL_F_NUMA_BALANCING),
  SAME (MPOL_F_RELATIVE_NODES),
  SAME (MPOL_F_STATIC_NODES),
};
TABLE (mempolicy_flag);

static const struct name personality_rows[] = {
  { "LINUX", PER_LINUX },
  { "LINUX32", PER_LINUX32 },
};
TABLE (personality);

static const struct name seccomp_action_rows[] = {
  { "SCMP_ACT_KILL_THREAD", SECCOMP_RET_KILL_THREAD },
  { "SCMP_ACT_KILL", SECCOMP_RET_KILL_THREAD },
  { "SCMP_ACT_KILL_PROCESS", SECCOMP_RET_KILL_PROCESS },
  { "SCMP_ACT_TRAP", SECCOMP_RET_TRAP },
  { "SCMP_ACT_ERRNO", SECCOMP_RET_ERRNO },
  { "SCMP_ACT_TRACE", SECCOMP_RET_TRACE },
  { "SCMP_ACT_ALLOW", SECCOMP_RET_ALLOW },
  { "SCMP_ACT_LOG", SECCOMP_RET_LOG },
  { "SCMP_ACT_NOTIFY", SECCOMP_RET_USER_NOTIF },
};
TABLE (seccomp_action);

static const struct name seccomp_arch_rows[] = {
  { "SCMP_ARCH_X86", AUDIT_ARCH_I386 },
  { "SCMP_ARCH_X86_64", AUDIT_ARCH_X86_64 },
  { "SCMP_ARCH_X32", SCMP_X32 },
  { "SCMP_ARCH_ARM", AUDIT_ARCH_ARM },
  { "SCMP_ARCH_AARCH64", AUDIT_ARCH_AARCH64 },
  { "SCMP_ARCH_LOONGARCH64", AUDIT_ARCH_LOONGARCH64 },
  { "SCMP_ARCH_M68K", AUDIT_ARCH_M68K },
  { "SCMP_ARCH_MIPS", AUDIT_ARCH_MIPS },
  { "SCMP_ARCH_MIPS64", AUDIT_ARCH_MIPS64 },
  { "SCMP_ARCH_MIPS64N32", AUDIT_ARCH_MIPS64N32 },
  { "SCMP_ARCH_MIPSEL", AUDIT_ARCH_MIPSEL },
  { "SCMP_ARCH_MIPSEL64", AUDIT_ARCH_MIPSEL64 },
  { "SCMP_ARCH_MIPSEL64N32", AUDIT_ARCH_MIPSEL64N32 },
  { "SCMP_ARCH_PPC", AUDIT_ARCH_PPC },
  { "SCMP_ARCH_PPC64", AUDIT_ARCH_PPC64 },
  { "SCMP_ARCH_PPC64LE", AUDIT_ARCH_PPC64LE },
  { "SCMP_ARCH_S390", AUDIT_ARCH_S390 },
  { "SCMP_ARCH_S390X", AUDIT_ARCH_S390X },
  { "SCMP_ARCH_SH", AUDIT_ARCH_SHEL },
  { "SCMP_ARCH_SHEB", AUDIT_ARCH_SH },
  { "SCMP_ARCH_PARISC", AUDIT_ARCH_PARISC },
  { "SCMP_ARCH_PARISC64", AUDIT_ARCH_PARISC64 },
  { "SCMP_ARCH_RISCV64", AUDIT_ARCH_RISCV64 },
};
TABLE (seccomp_arch);

static const struct name seccomp_op_rows[] = {
  { "SCMP_CMP_NE", SPEC_SECCOMP_NE },
  { "SCMP_CMP_LT", SPEC_SECCOMP_LT },
  { "SCMP_CMP_LE", SPEC_SECCOMP_LE },
  { "SCMP_CMP_EQ", SPEC_SECCOMP_EQ },
  { "SCMP_CMP_GE", SPEC_SECCOMP_GE },
  { "SCMP_CMP_GT", SPEC_SECCOMP_GT },
  { "SCMP_CMP_MASKED_EQ", SPEC_SECCOMP_MASKED_EQ },
};
TABLE (seccomp_op);

static const struct name seccomp_flag_rows[] = {
  SAME (SECCOMP_FILTER_FLAG_TSYNC),
  SAME (SECCOMP_FILTER_FLAG_LOG),
  SAME (SECCOMP_FILTER_FLAG_SPEC_ALLOW),
  SAME (SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV),
};
TABLE (seccomp_flag);

int
spec_capability (const char *name)
{
  int64_t value;
  return names_find (&spec_capability_names, name, &value) ? (int) value : -1;
}

/* The decimal number that TEXT is from its first character to its last, or -1.  */
static long
whole_number (const char *text)
{
  if (*text == '\0' || strlen (text) > 3 || text[strspn (text, "0123456789")] != '\0')
    return -1;
  return strtol (text, NULL, 10);
}

/* A real-time signal: "RTMIN", "RTMIN+3", "RTMAX-2".  */
static int
real_time_signal (const char *text)
{
  bool from_top = strncasecmp (text, "RTMAX", 5) == 0;
  if (!from_top && strncasecmp (text, "RTMIN", 5) != 0)
    return -1;
  long steps = 0;
  if (text[5] != '\0')
    steps = text[5] == (from_top ? '-' : '+') ? whole_number (text + 6) : -1;
  if (steps < 0 || steps > SIGRTMAX - SIGRTMIN)
    return -1;
  return (int) (from_top ? SIGRTMAX - steps : SIGRTMIN + steps);
}

int
spec_signal (const char *text)
{
  long number = whole_number (text);
  if (number >= 0)
    return number <= SIGRTMAX ? (int) number : -1;
  if (strncasecmp (text, "SIG", 3) == 0)
    text += 3;
  for (size_t i = 0; i < spec_signal_names.count; i++)
    if (strcasecmp (spec_signal_names.rows[i].name + 3, text) == 0)
      return (int) spec_signal_names.rows[i].value;
  return real_time_signal (text);
}
