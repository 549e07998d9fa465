/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* floor: the kernel work that running the default bundle cannot avoid, and nothing else.
 *
 *     floor [-m BYTES] CGROUP ROOTFS PROGRAM [ARG...]
 *
 * It does what the config printed by `thole spec` or `runc spec` asks for (terminal false): namespaces, mounts, device
 * nodes, cgroups with their device rules, masked and read-only paths, capabilities.  It reads no config, keeps no
 * state, checks little and offers nothing.  Its wall time is the yardstick for a runtime's `run`, so it is arranged as
 * well as we know how: the process in the namespaces (`inside`) mounts while the other core makes and joins the
 * cgroups.
 *
 *     outside (parent)                          inside (child, new namespaces)
 *     v2: make the cgroup; clone3 into it
 *     v1: clone3; make the cgroups              mounts, device nodes
 *     tell MADE  ────────────────────────────►  mount the cgroup file system, pivot, mask
 *     device rules; v1: join the cgroups        host name, rlimit, capabilities
 *     tell JOINED ───────────────────────────►  execve
 *     wait, remove the cgroups
 *
 * CGROUP is the name of a cgroup that is made below the root of every hierarchy and removed at the end.  -m sets its
 * memory limit.  `floor --version` does nothing: the cost of starting a static program.  Needs root.  */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/magic.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define CGROUP_ROOT "/sys/fs/cgroup"
#define HIERARCHIES_MAX 32
#define COUNT(array) (sizeof (array) / sizeof *(array))

static const struct
{
  const char *source, *target, *type;
  unsigned long flags;
  const char *data;
} mounts[] = {
  { "proc", "proc", "proc", 0, NULL },
  { "tmpfs", "dev", "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k" },
  { "devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5" },
  { "shm", "dev/shm", "tmpfs", MS_NOSUID | MS_NOEXEC | MS_NODEV, "mode=1777,size=65536k" },
  { "mqueue", "dev/mqueue", "mqueue", MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL },
  { "sysfs", "sys", "sysfs", MS_NOSUID | MS_NOEXEC | MS_NODEV | MS_RDONLY, NULL },
};

#define CGROUP_MOUNT_FLAGS (MS_NOSUID | MS_NOEXEC | MS_NODEV | MS_RELATIME | MS_RDONLY)

static const struct
{
  const char *path;
  unsigned int major, minor;
} nodes[] = {
  { "dev/null", 1, 3 },   { "dev/zero", 1, 5 },    { "dev/full", 1, 7 },
  { "dev/random", 1, 8 }, { "dev/urandom", 1, 9 }, { "dev/tty", 5, 0 },
};

static const struct
{
  const char *path, *target;
} links[] = {
  { "dev/fd", "/proc/self/fd" },       { "dev/stdin", "/proc/self/fd/0" }, { "dev/stdout", "/proc/self/fd/1" },
  { "dev/stderr", "/proc/self/fd/2" }, { "dev/ptmx", "pts/ptmx" },
};

static const char *const masked_paths[]
    = { "/proc/acpi",       "/proc/asound",      "/proc/kcore",       "/proc/keys",    "/proc/latency_stats",
        "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi" };
static const char *const readonly_paths[]
    = { "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger" };

/* The devices a container may use under the config's "allow": false for all: every node may be made, these opened.
   MINOR -1: all.  */
static const struct
{
  int major, minor;
} usable_devices[] = { { 1, 3 }, { 1, 5 }, { 1, 7 }, { 1, 8 }, { 1, 9 }, { 5, 0 }, { 5, 1 }, { 5, 2 }, { 136, -1 } };

#define CAPABILITIES (1u << CAP_AUDIT_WRITE | 1u << CAP_KILL | 1u << CAP_NET_BIND_SERVICE)

/* What the parent tells the child, a byte each, in this order.  */
enum
{
  MADE = 'm',   /* the cgroups exist */
  JOINED = 'j', /* the child is in them and the device rules hold */
};

static struct
{
  bool v2;          /* /sys/fs/cgroup is the v2 hierarchy; else a directory of hierarchies */
  const char *name; /* of the cgroup in each hierarchy */
  char hierarchies[HIERARCHIES_MAX][NAME_MAX + 1]; /* below CGROUP_ROOT; v2: one, "" */
  int count;
} cgroups;

static void __attribute__ ((noreturn)) die (const char *what)
{
  fprintf (stderr, "floor: %s: %s\n", what, strerror (errno));
  _exit (125);
}

#define TRY(call)                                                                                                      \
  do                                                                                                                   \
    {                                                                                                                  \
      if ((call) < 0)                                                                                                  \
        die (#call);                                                                                                   \
    }                                                                                                                  \
  while (0)

/* ---- cgroups (outside) ---------------------------------------------- */

/* The path of FILE in our cgroup of hierarchy INDEX; FILE "" is the cgroup itself.  Valid until the next call.  */
static const char *
cgroup_path (int index, const char *file)
{
  static char path[PATH_MAX];
  snprintf (path, sizeof path, CGROUP_ROOT "/%s/%s/%s", cgroups.hierarchies[index], cgroups.name, file);
  return path;
}

static void
cgroup_write (int index, const char *file, const char *text)
{
  int fd = open (cgroup_path (index, file), O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write (fd, text, strlen (text)) < 0)
    die (file);
  close (fd);
}

static bool
is_hierarchy (const char *name)
{
  char path[PATH_MAX];
  struct statfs sfs;

  snprintf (path, sizeof path, CGROUP_ROOT "/%s", name);
  return statfs (path, &sfs) == 0 && (sfs.f_type == CGROUP_SUPER_MAGIC || sfs.f_type == CGROUP2_SUPER_MAGIC);
}

static void
cgroups_find (void)
{
  struct dirent *entry;
  DIR *dir;

  cgroups.v2 = is_hierarchy ("");
  if (cgroups.v2)
    {
      cgroups.count = 1;
      return;
    }
  dir = opendir (CGROUP_ROOT);
  if (dir == NULL)
    die (CGROUP_ROOT);
  while (cgroups.count < HIERARCHIES_MAX && (entry = readdir (dir)))
    if (entry->d_name[0] != '.' && entry->d_type == DT_DIR && is_hierarchy (entry->d_name))
      strcpy (cgroups.hierarchies[cgroups.count++], entry->d_name);
  closedir (dir);
}

static void
cpuset_inherit (int index, const char *file)
{
  char from[PATH_MAX], value[4096];
  ssize_t length;
  int fd;

  snprintf (from, sizeof from, CGROUP_ROOT "/%s/%s", cgroups.hierarchies[index], file);
  TRY (fd = open (from, O_RDONLY | O_CLOEXEC));
  TRY (length = read (fd, value, sizeof value - 1));
  value[length] = '\0';
  close (fd);
  cgroup_write (index, file, value);
}

static void
cgroups_make (const char *memory_limit)
{
  for (int i = 0; i < cgroups.count; i++)
    {
      const char *hierarchy = cgroups.hierarchies[i];
      TRY (mkdir (cgroup_path (i, ""), 0755));
      if (strcmp (hierarchy, "cpuset") == 0)
        {
          cpuset_inherit (i, "cpuset.cpus");
          cpuset_inherit (i, "cpuset.mems");
        }
      if (memory_limit && cgroups.v2)
        cgroup_write (i, "memory.max", memory_limit);
      else if (memory_limit && strcmp (hierarchy, "memory") == 0)
        cgroup_write (i, "memory.limit_in_bytes", memory_limit);
    }
}

static void
devices_v1 (int index)
{
  char rule[64];

  cgroup_write (index, "devices.deny", "a");
  cgroup_write (index, "devices.allow", "c *:* m");
  cgroup_write (index, "devices.allow", "b *:* m");
  for (size_t i = 0; i < COUNT (usable_devices); i++)
    {
      if (usable_devices[i].minor < 0)
        snprintf (rule, sizeof rule, "c %d:* rwm", usable_devices[i].major);
      else
        snprintf (rule, sizeof rule, "c %d:%d rwm", usable_devices[i].major, usable_devices[i].minor);
      cgroup_write (index, "devices.allow", rule);
    }
}

static void
cgroups_join_v1 (pid_t pid)
{
  char text[16];

  snprintf (text, sizeof text, "%d", pid);
  for (int i = 0; i < cgroups.count; i++)
    {
      if (strcmp (cgroups.hierarchies[i], "devices") == 0)
        devices_v1 (i);
      cgroup_write (i, "cgroup.procs", text);
    }
}

/* The same rules as a BPF program; R1 is the struct bpf_cgroup_dev_ctx of the access that is asked about.  */
#define INSN(code_, dst_, src_, off_, imm_)                                                                            \
  ((struct bpf_insn){ .code = (code_), .dst_reg = (dst_), .src_reg = (src_), .off = (off_), .imm = (imm_) })
#define LOAD(dst, member)                                                                                              \
  INSN (BPF_LDX | BPF_MEM | BPF_W, dst, BPF_REG_1, offsetof (struct bpf_cgroup_dev_ctx, member), 0)
#define SKIP_IF(reg, value, count) INSN (BPF_JMP | BPF_JEQ | BPF_K, reg, 0, count, value)
#define SKIP_UNLESS(reg, value, count) INSN (BPF_JMP | BPF_JNE | BPF_K, reg, 0, count, value)
#define RETURN(value) INSN (BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, value), INSN (BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

static void
devices_v2 (int cgroup_fd)
{
  struct bpf_insn program[64] = {
    LOAD (BPF_REG_2, access_type), /* access << 16 | type */
    LOAD (BPF_REG_4, major),
    LOAD (BPF_REG_5, minor),
    INSN (BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_3, BPF_REG_2, 0, 0),
    INSN (BPF_ALU64 | BPF_RSH | BPF_K, BPF_REG_3, 0, 0, 16),
    SKIP_UNLESS (BPF_REG_3, BPF_DEVCG_ACC_MKNOD, 2),
    RETURN (1),
    INSN (BPF_ALU64 | BPF_AND | BPF_K, BPF_REG_2, 0, 0, 0xffff),
    SKIP_IF (BPF_REG_2, BPF_DEVCG_DEV_CHAR, 2),
    RETURN (0),
  };
  int length = 12, fd;
  union bpf_attr load = { 0 }, attach = { 0 };

  for (size_t i = 0; i < COUNT (usable_devices); i++)
    {
      int major = usable_devices[i].major, minor = usable_devices[i].minor;
      struct bpf_insn pass[] = { RETURN (1) };

      program[length++] = SKIP_UNLESS (BPF_REG_4, major, minor < 0 ? 2 : 3);
      if (minor >= 0)
        program[length++] = SKIP_UNLESS (BPF_REG_5, minor, 2);
      program[length++] = pass[0];
      program[length++] = pass[1];
    }
  struct bpf_insn refuse[] = { RETURN (0) };
  program[length++] = refuse[0];
  program[length++] = refuse[1];

  load.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
  load.insns = (uintptr_t) program;
  load.insn_cnt = length;
  load.license = (uintptr_t) "GPL";
  TRY (fd = syscall (SYS_bpf, BPF_PROG_LOAD, &load, sizeof load));
  attach.target_fd = cgroup_fd;
  attach.attach_bpf_fd = fd;
  attach.attach_type = BPF_CGROUP_DEVICE;
  attach.attach_flags = BPF_F_ALLOW_MULTI;
  TRY (syscall (SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof attach));
}

/* ---- the container's side (inside) ----------------------------------- */

static void
await (int sync_fd, char wanted)
{
  char told = 0;
  if (read (sync_fd, &told, 1) != 1 || told != wanted)
    _exit (125); /* the parent has died or has said why */
}

static void
mount_all (void)
{
  umask (0);
  for (size_t i = 0; i < COUNT (mounts); i++)
    {
      if (strncmp (mounts[i].target, "dev/", 4) == 0)
        TRY (mkdir (mounts[i].target, 0755));
      TRY (mount (mounts[i].source, mounts[i].target, mounts[i].type, mounts[i].flags, mounts[i].data));
    }
  for (size_t i = 0; i < COUNT (nodes); i++)
    TRY (mknod (nodes[i].path, S_IFCHR | 0666, makedev (nodes[i].major, nodes[i].minor)));
  for (size_t i = 0; i < COUNT (links); i++)
    TRY (symlink (links[i].target, links[i].path));
  umask (022);
}

/* v2: the hierarchy, seen from our cgroup as its root.  v1: our cgroup of each hierarchy, bound into a tmpfs.  */
static void
mount_cgroups (void)
{
  char target[PATH_MAX];

  if (cgroups.v2)
    {
      TRY (unshare (CLONE_NEWCGROUP));
      TRY (mount ("cgroup", "sys/fs/cgroup", "cgroup2", CGROUP_MOUNT_FLAGS, NULL));
      return;
    }
  TRY (mount ("cgroup", "sys/fs/cgroup", "tmpfs", MS_NOSUID | MS_NOEXEC | MS_NODEV, "mode=755"));
  for (int i = 0; i < cgroups.count; i++)
    {
      if (strcmp (cgroups.hierarchies[i], "unified") == 0)
        continue;
      snprintf (target, sizeof target, "sys/fs/cgroup/%s", cgroups.hierarchies[i]);
      TRY (mkdir (target, 0755));
      TRY (mount (cgroup_path (i, ""), target, NULL, MS_BIND, NULL));
      TRY (mount (NULL, target, NULL, MS_REMOUNT | MS_BIND | CGROUP_MOUNT_FLAGS, NULL));
    }
  TRY (mount (NULL, "sys/fs/cgroup", NULL, MS_REMOUNT | MS_BIND | CGROUP_MOUNT_FLAGS, NULL));
}

/* A file is covered with /dev/null, a directory with an empty tmpfs; what does not exist needs no cover.  */
static void
mask (const char *path)
{
  if (mount ("/dev/null", path, NULL, MS_BIND, NULL) == 0 || errno == ENOENT)
    return;
  if (errno != ENOTDIR)
    die (path);
  TRY (mount ("tmpfs", path, "tmpfs", MS_RDONLY, "size=0k"));
}

static void
make_readonly (const char *path)
{
  if (mount (path, path, NULL, MS_BIND | MS_REC, NULL) < 0)
    {
      if (errno != ENOENT)
        die (path);
      return;
    }
  TRY (mount (NULL, path, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL));
}

static void
limit_process (void)
{
  struct rlimit nofile = { 1024, 1024 };
  struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
  struct __user_cap_data_struct sets[2] = { { .effective = CAPABILITIES, .permitted = CAPABILITIES } };

  TRY (setrlimit (RLIMIT_NOFILE, &nofile));
  TRY (setgroups (0, NULL));
  TRY (setresgid (0, 0, 0));
  TRY (setresuid (0, 0, 0));
  for (unsigned int cap = 0; cap < 64; cap++)
    if ((cap >= 32 || (CAPABILITIES & 1u << cap) == 0) && prctl (PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
      {
        if (errno != EINVAL) /* past the kernel's last capability */
          die ("PR_CAPBSET_DROP");
        break;
      }
  TRY (syscall (SYS_capset, &header, sets));
  TRY (prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

static void __attribute__ ((noreturn)) inside (const char *rootfs, char **argv, const int sync_pipe[2])
{
  static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", term[] = "TERM=xterm";
  char *env[] = { path, term, NULL };
  int sync_fd = sync_pipe[0];

  close (sync_pipe[1]); /* so that the parent's death is end-of-file */
  TRY (close_range (STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC));
  TRY (setsid ());
  TRY (mount (NULL, "/", NULL, MS_REC | MS_SLAVE, NULL));
  TRY (mount (rootfs, rootfs, NULL, MS_BIND | MS_REC, NULL));
  TRY (chdir (rootfs));
  mount_all ();
  await (sync_fd, MADE);
  mount_cgroups ();
  TRY (syscall (SYS_pivot_root, ".", "."));
  TRY (umount2 (".", MNT_DETACH));
  TRY (chdir ("/"));
  for (size_t i = 0; i < COUNT (readonly_paths); i++)
    make_readonly (readonly_paths[i]);
  for (size_t i = 0; i < COUNT (masked_paths); i++)
    mask (masked_paths[i]);
  TRY (mount (NULL, "/", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL));
  TRY (sethostname ("bench", 5));
  limit_process ();
  await (sync_fd, JOINED);
  execve (argv[0], argv, env);
  die (argv[0]);
}

/* ---- outside ---------------------------------------------------------- */

static void
tell (int sync_fd, char what)
{
  TRY (write (sync_fd, &what, 1));
}

static int
run (const char *memory_limit, const char *rootfs, char **argv)
{
  /* The network namespace is made here, not by the child: it would be charged to the container's memory (120 KiB).  */
  struct clone_args args
      = { .flags = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS, .exit_signal = SIGCHLD };
  int sync_pipe[2], cgroup_fd = -1, status;
  pid_t pid;

  cgroups_find ();
  TRY (pipe2 (sync_pipe, O_CLOEXEC));
  if (cgroups.v2)
    {
      cgroups_make (memory_limit);
      TRY (cgroup_fd = open (cgroup_path (0, ""), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      args.flags |= CLONE_INTO_CGROUP;
      args.cgroup = cgroup_fd;
    }
  TRY (pid = syscall (SYS_clone3, &args, sizeof args));
  if (pid == 0)
    inside (rootfs, argv, sync_pipe);
  if (!cgroups.v2)
    cgroups_make (memory_limit);
  tell (sync_pipe[1], MADE);
  if (cgroups.v2)
    devices_v2 (cgroup_fd);
  else
    cgroups_join_v1 (pid);
  tell (sync_pipe[1], JOINED);
  TRY (waitpid (pid, &status, 0));
  for (int i = 0; i < cgroups.count; i++)
    TRY (rmdir (cgroup_path (i, "")));
  return WIFEXITED (status) ? WEXITSTATUS (status) : 128 + WTERMSIG (status);
}

int
main (int argc, char **argv)
{
  const char *memory_limit = NULL;
  int option;

  if (argc == 2 && strcmp (argv[1], "--version") == 0)
    return 0;
  while ((option = getopt (argc, argv, "+m:")) == 'm')
    memory_limit = optarg;
  if (option != -1 || argc - optind < 3)
    {
      fputs ("usage: floor [-m BYTES] CGROUP ROOTFS PROGRAM [ARG...]\n", stderr);
      return 2;
    }
  cgroups.name = argv[optind];
  return run (memory_limit, argv[optind + 1], argv + optind + 2);
}
