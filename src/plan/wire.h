/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The plan as init reads it: the one thing that the runtime and init share.
 *
 * A plan is one block of memory, position-independent, in a sealed memfd: a header, the operations in the order in
 * which init carries them out, and the strings and arrays that they refer to by offset.  init maps it copy-on-write,
 * turns the offsets of the two string arrays of `exec` into pointers in place, and believes what it says: it comes from
 * the runtime, over a descriptor that nobody else has.
 *
 * While it works init keeps the report up to date, a page shared with the runtime; it says which operation is being
 * carried out and, if one failed, why.  So even an init that was killed tells how far it came.
 *
 * Beside the report there is a socket (SOCK_SEQPACKET).  Its messages are the phases below; `sync` operations say which
 * of them init announces and which it waits for, so the order is data, the same for both ends, and a message out of
 * order is fatal.  The runtime may send what init will wait for ahead of time.  End of file means that the peer is
 * gone: init exits, the runtime looks at the report.
 *
 * | phase    | init says               | runtime answers, when                     | descriptors            |
 * |----------|-------------------------|-------------------------------------------|------------------------|
 * | FORKED   | its child's pid         | nothing                                   |                        |
 * | IDENTITY | is in its user namespace| the id maps are written                   |                        |
 * | CGROUP   | nothing                 | the cgroups' directories are there        |                        |
 * | JOINED   | nothing, or that its    | init is recorded, and in its cgroups with |                        |
 * |          | work is done            | their limits                              |                        |
 * | NETWORK  | nothing                 | the network devices are in the container  |                        |
 * | HOOKS    | the mounts are made     | prestart and createRuntime hooks ran      |                        |
 * | TERMINAL | here is the terminal    | nothing                                   | to runtime: pty master |
 * | READY    | all but exec is done    | nothing                                   |                        |
 * | FILTER   | nothing                 | the seccomp filter is compiled            | to init: the program   |
 * | LISTENER | a listener is coming     | nothing, but takes it (see the report)    |                        |
 * | START    | nothing                 | the program may start                     |                        |
 *
 * With a listening socket (`create`), START comes over a connection to it, which first gets the report's descriptor. */
#pragma once

#include <stdint.h>

/* No struct has holes: they would carry what was on the runtime's stack, and two plans of one config would differ.  */
#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wpadded"

#define PLAN_MAGIC 0x6e616c70u /* "plan" */
#define PLAN_VERSION 1u
#define PLAN_SIZE_MAX (64u << 20) /* more than any container needs, less than a reference can reach */

typedef uint32_t plan_ref; /* an offset from the start of the plan; 0: none */

/* An array of COUNT offsets of strings, followed by a zero and, for the environment, one spare slot before it.  */
struct plan_strings
{
  plan_ref first; /* of uintptr_t[count + 1] */
  uint32_t count;
};

enum plan_phase
{
  PLAN_PHASE_FORKED = 1,
  PLAN_PHASE_IDENTITY,
  PLAN_PHASE_CGROUP,
  PLAN_PHASE_JOINED,
  PLAN_PHASE_NETWORK,
  PLAN_PHASE_HOOKS,
  PLAN_PHASE_TERMINAL,
  PLAN_PHASE_READY,
  PLAN_PHASE_FILTER,
  PLAN_PHASE_LISTENER,
  PLAN_PHASE_START,
};

/* A message over the socket.  */
struct plan_message
{
  uint32_t phase; /* enum plan_phase */
  int32_t value;  /* FORKED: the pid; else 0 */
};

/* Descriptors that init is born with: these, and then what the runtime has opened for single operations (namespaces to
 * join, mounts that only the host's root can reach).  */
enum plan_fd
{
  PLAN_FD_REPORT,      /* memfd of struct plan_report */
  PLAN_FD_CONTROL,     /* the socket to the runtime */
  PLAN_FD_LISTENER,    /* the listening control socket, when `start` is another process; else -1 */
  PLAN_FD_HOOK_STDOUT, /* of hooks, when it is a file of the host's; else -1 */
  PLAN_FD_HOOK_STDERR,
  PLAN_FD_OPENED, /* the first of the others */
};

struct plan_header
{
  uint32_t magic, version;
  uint32_t size; /* of the whole plan */
  uint32_t count;
  plan_ref ops; /* struct plan_op[count] */
  plan_ref fds; /* int32_t[fd_count], by enum plan_fd */
  uint32_t fd_count;
  uint32_t preserved; /* descriptors from 3 on that the program inherits */
};

/* The operations.  One row here, one struct below when it takes arguments, one row in ops.c (its name and its
 * arguments' names, for `thole plan`) and one function in init.  */
enum plan_code
{
  PLAN_FORK,
  PLAN_JOIN,
  PLAN_UNSHARE,
  PLAN_SYNC,
  PLAN_PROTECT,
  PLAN_ROOT_IDENTITY,
  PLAN_TIME_OFFSET,
  PLAN_LOOPBACK,
  PLAN_SESSION,
  PLAN_KEYRING,
  PLAN_PROC,
  PLAN_PROPAGATION,
  PLAN_ROOTFS,
  PLAN_MOUNT,
  PLAN_BIND,
  PLAN_REMOUNT,
  PLAN_DEVICE,
  PLAN_SYMLINK,
  PLAN_TERMINAL,
  PLAN_MASK,
  PLAN_READONLY,
  PLAN_HOOK,
  PLAN_PIVOT,
  PLAN_HOSTNAME,
  PLAN_DOMAINNAME,
  PLAN_SYSCTL,
  PLAN_OOM_SCORE_ADJ,
  PLAN_RLIMIT,
  PLAN_SCHEDULER,
  PLAN_IO_PRIORITY,
  PLAN_AFFINITY,
  PLAN_MEMORY_POLICY,
  PLAN_PERSONALITY,
  PLAN_CWD,
  PLAN_DIRECTORY,
  PLAN_HOME,
  PLAN_BOUNDING_SET,
  PLAN_USER,
  PLAN_CAPABILITIES,
  PLAN_CHECK_CWD,
  PLAN_FIND_PROGRAM,
  PLAN_LSM_EXEC,
  PLAN_NO_NEW_PRIVILEGES,
  PLAN_READY,
  PLAN_SECCOMP,
  PLAN_EXEC,
  PLAN_CODE_COUNT,
};

/* fork: the rest is done by a new process, a sibling of init's (CLONE_PARENT), with these namespaces of its own.  */
struct plan_fork
{
  uint64_t flags;     /* CLONE_NEW* */
  uint32_t drop_proc; /* it does without the host's /proc */
  uint32_t padding;
};

/* join, unshare: setns(2), unshare(2).  */
struct plan_namespace
{
  uint64_t flags;       /* CLONE_NEW* */
  uint32_t fd;          /* index of the descriptor; join only */
  uint32_t drop_groups; /* before joining: afterwards setgroups(2) may be denied */
  uint32_t pid; /* join: FD is a pidfd of this process, all of whose namespaces of FLAGS are joined; 0: a namespace */
  uint32_t padding;
};

struct plan_sync
{
  uint32_t phase; /* enum plan_phase */
  uint32_t announce, wait;
};

/* time-offset: a line for /proc/self/timens_offsets; keyring: its SELinux label, 0: none.  */
struct plan_text
{
  plan_ref text;
};

/* propagation: of the whole mount tree, before anything is mounted; later of the new root.  */
struct plan_propagation
{
  uint64_t flags; /* MS_SHARED …, with MS_REC */
};

/* A path; below the root, or below the mount of that number (of a mount or a bind), whatever has become of its name. */
struct plan_path
{
  plan_ref path;
  uint32_t mount;  /* 0: the root */
  uint32_t prefix; /* bytes of PATH that lead to the mount */
};

#define PLAN_MOUNTS_MAX 8

/* How a mount differs from what mount(2) does.  */
enum plan_mount_option
{
  PLAN_MOUNT_COPY_UP = 1 << 0,         /* the tmpfs begins with a copy of what it covers */
  PLAN_MOUNT_COPY_SYMLINK = 1 << 1,    /* a source that is a link is made anew, not bound */
  PLAN_MOUNT_SOURCE_NOFOLLOW = 1 << 2, /* a source that is a link is bound itself */
  PLAN_MOUNT_TARGET_NOFOLLOW = 1 << 3, /* a target that is a link is covered itself */
};

/* Whether a tmpfs takes the owner of what it covers.  */
enum plan_inherit_owner
{
  PLAN_INHERIT_OWNER = 1,
  PLAN_INHERIT_MAPPED_OWNER, /* where 65534 stands for all that have no id in the user namespace: unless it is that */
};

/* mount: a new file system on TARGET, which is made when missing.  */
struct plan_mount
{
  plan_ref target, source, type, data;
  uint64_t flags; /* MS_* */
  uint64_t propagation;
  plan_ref fallback;      /* what of the host is bound instead where the kernel answers EPERM: /sys; 0: nothing */
  uint32_t inherit_owner; /* enum plan_inherit_owner; 0: not */
  uint64_t attributes;    /* MOUNT_ATTR_*, the same as FLAGS where they have one */
  uint64_t options;       /* enum plan_mount_option */
  uint64_t keep;          /* MOUNT_ATTR_* that a copy takes over from the mount that it was made of */
  uint32_t number; /* init keeps the mount under this number for the paths below it, PLAN_MOUNTS_MAX at most; 0: not */
  uint32_t inherit_mode; /* a tmpfs without mode= takes the mode of what it covers */
};

/* A change of mount attributes: mount_setattr(2).  */
struct plan_attributes
{
  uint64_t set, clear;           /* MOUNT_ATTR_* */
  uint64_t tree_set, tree_clear; /* of everything below, too */
};

/* bind: SOURCE (on the host) on TARGET (in the container).  */
struct plan_bind
{
  plan_ref target, source;
  uint32_t recursive;
  uint32_t fd; /* index of a detached copy of the source that the runtime has made; 0: none */
  struct plan_attributes attributes;
  uint64_t propagation;
  uint64_t options;   /* enum plan_mount_option */
  uint32_t number;    /* as of a mount */
  uint32_t inherited; /* MS_SLAVE or MS_PRIVATE: what the copy in FD, still a peer of the host's mount, becomes first */
};

/* remount: new attributes for the mount at TARGET.  */
struct plan_remount
{
  plan_ref target;
  uint32_t reserved;
  struct plan_attributes attributes;
  uint64_t propagation;
};

/* device: a node, or a check that the one that is there is the same.  */
struct plan_device
{
  plan_ref path;
  uint32_t mode; /* S_IF* and permissions */
  uint32_t major, minor, uid, gid;
};

/* symlink: PATH -> TARGET, unless something is there.  */
struct plan_symlink
{
  plan_ref target, path;
};

struct plan_terminal
{
  uint32_t width, height;   /* 0: as it comes */
  uint32_t without_console; /* /dev/console is left to the container's first process */
};

/* hook: run PATH with ARGS and ENV, the state on its standard input.  The state's pid is put between its two halves. */
struct plan_hook
{
  plan_ref path, name; /* name: "createContainer[0]" */
  struct plan_strings args, env;
  plan_ref state_head, state_tail;
  int32_t timeout; /* seconds; 0: none */
};

enum plan_pivot_kind
{
  PLAN_PIVOT_ROOT,
  PLAN_PIVOT_MOVE,   /* MS_MOVE and chroot: --no-pivot */
  PLAN_PIVOT_CHROOT, /* no mount namespace of its own */
};

struct plan_pivot
{
  uint32_t kind; /* enum plan_pivot_kind */
};

/* sysctl: KEY as a path below /proc/sys.  */
struct plan_sysctl
{
  plan_ref key, value;
};

struct plan_number
{
  int64_t value;
};

struct plan_rlimit
{
  uint32_t resource;
  uint32_t reserved;
  uint64_t soft, hard;
};

/* scheduler: sched_setattr(2).  */
struct plan_scheduler
{
  uint32_t policy;
  uint32_t reserved;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime, deadline, period;
};

/* affinity: sched_setaffinity(2).  */
struct plan_affinity
{
  plan_ref cpus; /* as it was written: "0-3,7" */
  plan_ref mask; /* of SIZE bytes */
  uint32_t size;
};

/* memory-policy: set_mempolicy(2); NODES is a bit mask of 1024 nodes, 0: none.  */
struct plan_memory_policy
{
  uint32_t mode; /* MPOL_* with MPOL_F_* */
  plan_ref nodes;
};

struct plan_user
{
  uint32_t uid, gid;
  plan_ref groups; /* uint32_t[group_count] */
  uint32_t group_count;
  uint32_t keep_groups; /* do not call setgroups(2) */
  uint32_t umask;
};

struct plan_capabilities
{
  uint64_t effective, permitted, inheritable, ambient;
  uint64_t keep; /* beyond those, to load the seccomp filter with; exec takes them away */
};

/* lsm-exec: VALUE for FILE below /proc/thread-self/attr.  */
struct plan_lsm
{
  plan_ref file, value;
};

/* ready: init is done; it closes what it does not need and waits for START, here or on the listener.  */

struct plan_seccomp
{
  uint32_t flags; /* SECCOMP_FILTER_FLAG_* */
};

/* find-program looks the program up as the user who will run it; exec starts it.  */
struct plan_exec
{
  struct plan_strings args, env;
  uint32_t listen_pid; /* 1 + index in ENV of what init's own pid is to be put behind; 0: of none */
  uint32_t reserved;
};

struct plan_op
{
  uint32_t code; /* enum plan_code */
  uint32_t reserved;
  union
  {
    struct plan_fork fork;
    struct plan_namespace ns;
    struct plan_sync sync;
    struct plan_text text;
    struct plan_propagation propagation;
    struct plan_path path;
    struct plan_mount mount;
    struct plan_bind bind;
    struct plan_remount remount;
    struct plan_device device;
    struct plan_symlink symlink;
    struct plan_terminal terminal;
    struct plan_hook hook;
    struct plan_pivot pivot;
    struct plan_sysctl sysctl;
    struct plan_number number;
    struct plan_rlimit rlimit;
    struct plan_scheduler scheduler;
    struct plan_affinity affinity;
    struct plan_memory_policy memory_policy;
    struct plan_user user;
    struct plan_capabilities capabilities;
    struct plan_lsm lsm;
    struct plan_seccomp seccomp;
    struct plan_exec exec;
  };
};

/* What a failed step was about, for a message that says what to do.  */
enum plan_failure
{
  PLAN_FAILURE_NONE,
  PLAN_FAILURE_SYSTEM,         /* ERROR is the errno; WHAT the step, DETAIL the object */
  PLAN_FAILURE_NOT_FOUND,      /* the program is not there: DETAIL */
  PLAN_FAILURE_NOT_EXECUTABLE, /* the program may not be executed */
  PLAN_FAILURE_INTERPRETER,    /* the interpreter DETAIL of the program REASON is missing or cannot be run */
  PLAN_FAILURE_HOOK,           /* a hook failed: WAIT_STATUS, DETAIL what it wrote on stderr */
  PLAN_FAILURE_HOOK_TIMEOUT,
  PLAN_FAILURE_MISMATCH, /* something else is where DETAIL should be */
  PLAN_FAILURE_ESCAPE,   /* DETAIL leads out of the container */
  PLAN_FAILURE_PROTOCOL, /* a message out of order */
  PLAN_FAILURE_BIRTH,    /* written by the runtime's child: it could not become init */
};

#define PLAN_DETAIL_MAX 1024
#define PLAN_TIMES_MAX 256

/* The shared page(s).  init alone writes; the runtime reads.  Strings are NUL-terminated by init and bounded again by
 * the runtime.  */
struct plan_report
{
  uint32_t op;      /* the operation that is being carried out */
  uint32_t failure; /* enum plan_failure; written last */
  int32_t error;    /* positive errno */
  int32_t wait_status;
  char what[64]; /* the step: "openat2", "mkdir" … */
  char detail[PLAN_DETAIL_MAX];
  char reason[256]; /* the kernel's own words on it, where it has any */
  /* The listener of a filter that notifies: its number plus one, and that the runtime has it (pidfd_getfd(2)).  Once
   * the filter is loaded init can make no system call that the filter might hand to an agent whom nobody has told yet;
   * memory it can write.  */
  uint32_t listener, listener_taken;
  uint32_t timed; /* operations have time stamps */
  int32_t
      forked; /* the pid of who goes on after `fork`, written by the kernel: init may die before it can say FORKED */
  uint64_t times[PLAN_TIMES_MAX]; /* CLOCK_MONOTONIC nanoseconds at the start of operation N */
};

#pragma GCC diagnostic pop
