/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The words of the specification and their numbers: one table a concept, for decoding, applying, `features`, messages
 * and completion.  */
#pragma once

#include "base/names.h"

/* Comparison operators of seccomp arguments; the numbers are libseccomp's enum scmp_compare.  */
enum spec_seccomp_op
{
  SPEC_SECCOMP_NE = 1,
  SPEC_SECCOMP_LT,
  SPEC_SECCOMP_LE,
  SPEC_SECCOMP_EQ,
  SPEC_SECCOMP_GE,
  SPEC_SECCOMP_GT,
  SPEC_SECCOMP_MASKED_EQ,
};

extern const struct names spec_namespace_names;      /* CLONE_NEW* */
extern const struct names spec_capability_names;     /* CAP_* */
extern const struct names spec_rlimit_names;         /* RLIMIT_* */
extern const struct names spec_signal_names;         /* SIG*; without "SIG" is accepted by spec_signal */
extern const struct names spec_ioprio_class_names;   /* IOPRIO_CLASS_* */
extern const struct names spec_scheduler_names;      /* SCHED_* */
extern const struct names spec_scheduler_flag_names; /* SCHED_FLAG_* */
extern const struct names spec_device_type_names;    /* S_IF* */
extern const struct names spec_propagation_names;    /* MS_SHARED …, perhaps with MS_REC */
extern const struct names spec_mempolicy_names;      /* MPOL_* */
extern const struct names spec_mempolicy_flag_names; /* MPOL_F_* */
extern const struct names spec_personality_names;    /* PER_* */
extern const struct names spec_seccomp_action_names; /* SECCOMP_RET_* */
extern const struct names spec_seccomp_arch_names;   /* AUDIT_ARCH_* */
extern const struct names spec_seccomp_op_names;     /* enum spec_seccomp_op */
extern const struct names spec_seccomp_flag_names;   /* SECCOMP_FILTER_FLAG_* */

/* The annotations that are looked for outside of annotations.c.  */
#define SPEC_ANNOTATION_KEEP_GROUPS "run.oci.keep_original_groups"
#define SPEC_ANNOTATION_HOOKS_STDOUT "run.oci.hooks.stdout"
#define SPEC_ANNOTATION_HOOKS_STDERR "run.oci.hooks.stderr"
#define SPEC_ANNOTATION_MOUNT_CONTEXT "run.oci.mount_context_type"
#define SPEC_ANNOTATION_PIDFD_RECEIVER "run.oci.pidfd_receiver"
#define SPEC_ANNOTATION_SECCOMP_STRICT "run.oci.seccomp_fail_unknown_syscall"
#define SPEC_ANNOTATION_SYSTEMD_PROPERTY "org.systemd.property."
#define SPEC_ANNOTATION_SUBGROUP "run.oci.systemd.subgroup"
#define SPEC_ANNOTATION_DELEGATE "run.oci.delegate-cgroup"

/* All that begin so are crun's: one that is not in the table is a mistake.  */
#define SPEC_ANNOTATION_PREFIX "run.oci."

enum spec_annotation_effect
{
  SPEC_ANNOTATION_ACTS,    /* changes what is done */
  SPEC_ANNOTATION_IDLE,    /* would, but what it is about is not there */
  SPEC_ANNOTATION_REFUSED, /* is an error */
};

enum spec_annotation_value
{
  SPEC_ANNOTATION_ANY,
  SPEC_ANNOTATION_FLAG,     /* 0, 1, false, true */
  SPEC_ANNOTATION_PATH,     /* absolute */
  SPEC_ANNOTATION_CGROUP,   /* the name of one, no path; none if it is empty */
  SPEC_ANNOTATION_CONTEXT,  /* an option of mounts with a SELinux label */
  SPEC_ANNOTATION_RECEIVER, /* linux.seccomp.listenerPath */
  SPEC_ANNOTATION_OFFSETS,  /* linux.timeOffsets, as for /proc/PID/timens_offsets */
};

struct spec_annotation_rule
{
  const char *name; /* one that ends with a dot stands for all that begin so */
  enum spec_annotation_effect effect;
  enum spec_annotation_value value;
  const char *reason; /* why it does not act; NULL: it does */
};

extern const struct spec_annotation_rule spec_annotations[];
extern const size_t spec_annotation_count;

/* The row for the annotation KEY, or NULL: it is none of ours.  */
const struct spec_annotation_rule *spec_annotation_rule (const char *key);

/* The name of a row that KEY looks like, or NULL.  */
const char *spec_annotation_nearest (const char *key);

/* A signal by "KILL", "SIGKILL", "RTMIN+3" or "9"; 0 is accepted as the null signal.  -1 if there is none.  */
int spec_signal (const char *text);

/* How a mount option acts (config.md#linux-mount-options).  */
enum spec_mount_option_kind
{
  SPEC_MOUNT_FLAG,        /* sets (or clears, when inverted) MS_* flags */
  SPEC_MOUNT_RECURSIVE,   /* the same for a whole tree, with mount_setattr(2); value is MOUNT_ATTR_* */
  SPEC_MOUNT_PROPAGATION, /* value is MS_SHARED …, perhaps with MS_REC */
  SPEC_MOUNT_EXTENSION,   /* value is enum spec_mount_extension */
};

enum spec_mount_extension
{
  SPEC_MOUNT_TMPCOPYUP = 1 << 0,
  SPEC_MOUNT_IDMAP = 1 << 1,
  SPEC_MOUNT_RIDMAP = 1 << 2,
  SPEC_MOUNT_COPY_SYMLINK = 1 << 3,
  SPEC_MOUNT_SRC_NOFOLLOW = 1 << 4,
  SPEC_MOUNT_DEST_NOFOLLOW = 1 << 5,
};

struct spec_mount_option
{
  const char *name;
  enum spec_mount_option_kind kind;
  bool inverted;  /* clears instead of sets: suid, rw … */
  uint64_t value; /* by kind; 0 for those without effect, such as "defaults" */
};

extern const struct spec_mount_option spec_mount_options[];
extern const size_t spec_mount_option_count;

/* The row of option NAME, or NULL: then it belongs to the file system's data.  */
const struct spec_mount_option *spec_mount_option_find (const char *name);
