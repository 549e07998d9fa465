/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* init: the static program that carries out a plan inside the container's namespaces.
 *
 * It parses no configuration, allocates nothing (but mount_tree.c) and believes nobody but its plan.  Every operation
 * is one function, which succeeds (0) or fills the report and returns -1; the first failure ends init.  Paths of the
 * container are resolved below one descriptor of the root file system (path.c), also after pivot_root.  */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "plan/wire.h"

struct init
{
  char *plan; /* the mapped plan; op->path.path is an offset from here */
  const struct plan_header *header;
  const int32_t *fds; /* by enum plan_fd */
  struct plan_report *report;
  int plan_fd, report_fd, control, listener;
  mode_t umask; /* for hooks and the program: the caller's until the user's is set */
  int root;     /* the container's root file system, O_PATH */
  int parent;   /* of root_parent, the directory PARENT_PATH; -1 */
  char parent_path[1024];
  int mounts[PLAN_MOUNTS_MAX + 1]; /* those that the plan has given numbers; -1 */
  int proc;                        /* the host's procfs, checked; -1 */
  int empty;                       /* an empty read-only directory that masks directories; -1 until needed */
  int null;                        /* a read-only mount of the host's /dev/null that masks files; -1 until needed */
  bool host_null;                  /* NULL is the host's own node, not yet our read-only mount of it */
  bool in_cwd;                     /* the working directory was entered before the user was changed */
  bool terminal;                   /* the standard streams are the container's own terminal */
  int filter;                      /* the seccomp program that the runtime has sent; -1 */
  const struct plan_exec *exec;    /* of the exec operation */
  const char *home;                /* "HOME=…", or NULL */
  char program[4096];              /* what find-program found */
};

/* The string at REF, or NULL.  */
static inline const char *
plan_text (const struct init *init, plan_ref ref)
{
  return ref ? init->plan + ref : NULL;
}

/* The offsets of STRINGS, which the caller turns into pointers.  */
char **plan_vector (struct init *init, const struct plan_strings *strings);

/* Fills the report: STEP failed with ERROR on DETAIL (may be NULL).  Returns -1.  */
int fail (struct init *init, enum plan_failure failure, int error, const char *step, const char *detail);

/* The same with PLAN_FAILURE_SYSTEM and errno.  */
int fail_errno (struct init *init, const char *step, const char *detail);

/* One function an operation; run.c has the table.  */
int op_fork (struct init *init, const struct plan_op *op);
int op_join (struct init *init, const struct plan_op *op);
int op_unshare (struct init *init, const struct plan_op *op);
int op_sync (struct init *init, const struct plan_op *op);
int op_protect (struct init *init, const struct plan_op *op);
int op_root_identity (struct init *init, const struct plan_op *op);
int op_time_offset (struct init *init, const struct plan_op *op);
int op_loopback (struct init *init, const struct plan_op *op);
int op_session (struct init *init, const struct plan_op *op);
int op_keyring (struct init *init, const struct plan_op *op);
int op_proc (struct init *init, const struct plan_op *op);
int op_propagation (struct init *init, const struct plan_op *op);
int op_rootfs (struct init *init, const struct plan_op *op);
int op_mount (struct init *init, const struct plan_op *op);
int op_bind (struct init *init, const struct plan_op *op);
int op_remount (struct init *init, const struct plan_op *op);
int op_device (struct init *init, const struct plan_op *op);
int op_symlink (struct init *init, const struct plan_op *op);
int op_terminal (struct init *init, const struct plan_op *op);
int op_mask (struct init *init, const struct plan_op *op);
int op_readonly (struct init *init, const struct plan_op *op);
int op_hook (struct init *init, const struct plan_op *op);
int op_pivot (struct init *init, const struct plan_op *op);
int op_hostname (struct init *init, const struct plan_op *op);
int op_domainname (struct init *init, const struct plan_op *op);
int op_sysctl (struct init *init, const struct plan_op *op);
int op_oom_score_adj (struct init *init, const struct plan_op *op);
int op_rlimit (struct init *init, const struct plan_op *op);
int op_scheduler (struct init *init, const struct plan_op *op);
int op_io_priority (struct init *init, const struct plan_op *op);
int op_affinity (struct init *init, const struct plan_op *op);
int op_memory_policy (struct init *init, const struct plan_op *op);
int op_personality (struct init *init, const struct plan_op *op);
int op_directory (struct init *init, const struct plan_op *op);
int op_cwd (struct init *init, const struct plan_op *op);
int op_home (struct init *init, const struct plan_op *op);
int op_bounding_set (struct init *init, const struct plan_op *op);
int op_user (struct init *init, const struct plan_op *op);
int op_capabilities (struct init *init, const struct plan_op *op);
int op_check_cwd (struct init *init, const struct plan_op *op);
int op_find_program (struct init *init, const struct plan_op *op);
int op_lsm_exec (struct init *init, const struct plan_op *op);
int op_no_new_privileges (struct init *init, const struct plan_op *op);
int op_ready (struct init *init, const struct plan_op *op);
int op_seccomp (struct init *init, const struct plan_op *op);
int op_exec (struct init *init, const struct plan_op *op);

/* path.c: names below the container's root.  */

/* What root_make makes when the last component is missing.  */
enum make_kind
{
  MAKE_DIRECTORY,
  MAKE_FILE,
};

/* Opens PATH with FLAGS (O_PATH …; O_CLOEXEC is added) below the root; symbolic links are taken as if the root were /,
 * magic links are refused.  The descriptor, or -1 and errno (no report).  */
int root_open (struct init *init, const char *path, int flags);

/* Opens PATH as an O_PATH descriptor, below the mount that it names or the root.  -1 and errno.  */
int place_open (struct init *init, const struct plan_path *path);

/* As root_open with O_PATH, after making the missing directories (0755) and the last component.  FLAGS may be
 * O_NOFOLLOW: of a link in the last place the link itself.  Reports failures.  */
int root_make (struct init *init, const char *path, enum make_kind kind, int flags);

/* Opens the directory that PATH's last component is in, making it when missing, and says where that component begins.
 * Reports failures.  The descriptor is not the caller's: it is kept for the next one in the same directory, which in
 * /dev comes at once, until something is mounted.  */
int root_parent (struct init *init, const char *path, const char **ret_name);

/* Gives up what root_parent keeps.  */
void root_forget (struct init *init);

/* Opens FILE below the host's procfs without leaving it and writes TEXT with one write.  Reports failures.  */
int proc_write (struct init *init, const char *file, const char *text);

/* Sets the supplementary groups.  In a user namespace that has given setgroups(2) up they stay as they are, if none is
 * wanted.  */
int set_groups (struct init *init, uint32_t count, const gid_t *groups);

/* message.c: the socket.  */

/* Sends PHASE with VALUE and, unless negative, a descriptor.  Reports failures.  */
int message_send (struct init *init, int socket, enum plan_phase phase, int value, int fd);

/* Receives what must be PHASE; RET_FD, unless NULL, gets the descriptor that must come with it.  End of file reports
 * EPIPE.  */
int message_expect (struct init *init, int socket, enum plan_phase phase, int *ret_fd);

/* hook.c: whether OP is a hook for whose end by force the host's procfs is needed.  */
bool hook_needs_keeper (const struct plan_op *op);

/* start.c: every signal at its default and none blocked, whatever our caller had ignored.  */
void reset_signals (void);

/* Small text work without stdio.  */

/* Writes VALUE in decimal, terminated, and returns the end.  TO has room for 21 characters.  */
char *format_number (char *to, int64_t value);

/* Copies FROM, cut to SIZE - 1, terminated.  Returns the end.  */
char *copy_text (char *to, size_t size, const char *from);
