/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan/ops.h"

#include <linux/mount.h>
#include <sched.h>
#include <sys/mount.h>

#include "spec/names.h"

static const struct name mount_flag_rows[] = {
  { "ro", MS_RDONLY },
  { "nosuid", MS_NOSUID },
  { "nodev", MS_NODEV },
  { "noexec", MS_NOEXEC },
  { "sync", MS_SYNCHRONOUS },
  { "mand", MS_MANDLOCK },
  { "dirsync", MS_DIRSYNC },
  { "nosymfollow", 256 },
  { "noatime", MS_NOATIME },
  { "nodiratime", MS_NODIRATIME },
  { "relatime", MS_RELATIME },
  { "strictatime", MS_STRICTATIME },
  { "lazytime", MS_LAZYTIME },
  { "silent", MS_SILENT },
  { "iversion", MS_I_VERSION },
  { "recursive", MS_REC },
  { "unbindable", MS_UNBINDABLE },
  { "private", MS_PRIVATE },
  { "slave", MS_SLAVE },
  { "shared", MS_SHARED },
};
static const struct names mount_flags = NAMES (mount_flag_rows);

static const struct name attribute_rows[] = {
  { "ro", MOUNT_ATTR_RDONLY },
  { "nosuid", MOUNT_ATTR_NOSUID },
  { "nodev", MOUNT_ATTR_NODEV },
  { "noexec", MOUNT_ATTR_NOEXEC },
  { "atime", MOUNT_ATTR__ATIME },
  { "noatime", MOUNT_ATTR_NOATIME },
  { "strictatime", MOUNT_ATTR_STRICTATIME },
  { "nodiratime", MOUNT_ATTR_NODIRATIME },
  { "nosymfollow", MOUNT_ATTR_NOSYMFOLLOW },
};
static const struct names attributes = NAMES (attribute_rows);

static const struct name mount_option_rows[] = {
  { "copy-up", PLAN_MOUNT_COPY_UP },
  { "copy-symlink", PLAN_MOUNT_COPY_SYMLINK },
  { "source-nofollow", PLAN_MOUNT_SOURCE_NOFOLLOW },
  { "target-nofollow", PLAN_MOUNT_TARGET_NOFOLLOW },
};
static const struct names mount_options = NAMES (mount_option_rows);

static const struct name phase_rows[] = {
  { "identity", PLAN_PHASE_IDENTITY }, { "cgroup", PLAN_PHASE_CGROUP }, { "joined", PLAN_PHASE_JOINED },
  { "network", PLAN_PHASE_NETWORK },   { "hooks", PLAN_PHASE_HOOKS },   { "filter", PLAN_PHASE_FILTER },
};
static const struct names phases = NAMES (phase_rows);

static const struct name inherited_rows[] = { { "slave", MS_SLAVE }, { "private", MS_PRIVATE } };
static const struct names inherited = NAMES (inherited_rows);

static const struct name pivot_rows[] = {
  { "pivot_root", PLAN_PIVOT_ROOT },
  { "move", PLAN_PIVOT_MOVE },
  { "chroot", PLAN_PIVOT_CHROOT },
};
static const struct names pivots = NAMES (pivot_rows);

#define FIELD(member, name, kind, ...)                                                                                 \
  {                                                                                                                    \
    name, PLAN_FIELD_##kind, offsetof (struct plan_op, member), __VA_ARGS__                                            \
  }
#define FIELDS(...)                                                                                                    \
  (const struct plan_field[]){ __VA_ARGS__ },                                                                          \
      sizeof ((const struct plan_field[]){ __VA_ARGS__ }) / sizeof (struct plan_field)
#define NO_FIELDS NULL, 0

/* clang-format off */
const struct plan_op_info plan_ops[PLAN_CODE_COUNT] = {
  [PLAN_FORK] = { "fork", "make the namespaces {namespaces}",
    FIELDS (FIELD (fork.flags, "namespaces", FLAGS, &spec_namespace_names),
            FIELD (fork.drop_proc, "drop-proc", BOOL, NULL)) },
  [PLAN_JOIN] = { "join", "join the {namespace} namespace",
    FIELDS (FIELD (ns.flags, "namespace", FLAGS, &spec_namespace_names), FIELD (ns.pid, "of", INDEX, NULL),
            FIELD (ns.drop_groups, "drop-groups", BOOL, NULL)) },
  [PLAN_UNSHARE] = { "unshare", "make the {namespace} namespace",
    FIELDS (FIELD (ns.flags, "namespace", FLAGS, &spec_namespace_names)) },
  [PLAN_SYNC] = { "sync", "wait for the runtime",
    FIELDS (FIELD (sync.phase, "phase", WORD, &phases), FIELD (sync.announce, "announce", BOOL, NULL),
            FIELD (sync.wait, "wait", BOOL, NULL)) },
  [PLAN_PROTECT] = { "protect", "hide from other processes", NO_FIELDS },
  [PLAN_ROOT_IDENTITY] = { "root-identity", "become root of the user namespace", NO_FIELDS },
  [PLAN_TIME_OFFSET] = { "time-offset", "set the clock offset {offset}", FIELDS (FIELD (text.text, "offset", TEXT, NULL)) },
  [PLAN_LOOPBACK] = { "loopback", "set the loopback device up", NO_FIELDS },
  [PLAN_SESSION] = { "session", "make a session", NO_FIELDS },
  [PLAN_KEYRING] = { "keyring", "make a session keyring", FIELDS (FIELD (text.text, "label", TEXT, NULL)) },
  [PLAN_PROC] = { "proc", "open the host's /proc", NO_FIELDS },
  [PLAN_PROPAGATION] = { "propagation", "set the propagation of mounts",
    FIELDS (FIELD (propagation.flags, "flags", FLAGS, &mount_flags)) },
  [PLAN_ROOTFS] = { "rootfs", "open the root file system {path}",
    FIELDS (FIELD (bind.source, "path", TEXT, NULL), FIELD (bind.recursive, "bind", BOOL, NULL)) },
  [PLAN_MOUNT] = { "mount", "mount {type} on {target}",
    FIELDS (FIELD (mount.source, "source", TEXT, NULL), FIELD (mount.target, "target", TEXT, NULL),
            FIELD (mount.type, "type", TEXT, NULL), FIELD (mount.flags, "flags", FLAGS, &mount_flags),
            FIELD (mount.data, "data", TEXT, NULL), FIELD (mount.propagation, "propagation", FLAGS, &mount_flags),
            FIELD (mount.fallback, "fallback", TEXT, NULL), FIELD (mount.inherit_mode, "inherit-mode", BOOL, NULL),
            FIELD (mount.inherit_owner, "inherit-owner", BOOL, NULL),
            FIELD (mount.options, "options", FLAGS, &mount_options), FIELD (mount.keep, "keep", FLAGS, &attributes),
            FIELD (mount.number, "number", INDEX, NULL)) },
  [PLAN_BIND] = { "bind", "bind {source} on {target}",
    FIELDS (FIELD (bind.source, "source", TEXT, NULL), FIELD (bind.target, "target", TEXT, NULL),
            FIELD (bind.recursive, "recursive", BOOL, NULL), FIELD (bind.fd, "descriptor", BOOL, NULL),
            FIELD (bind.fd, "idmap", ID_MAP, NULL),
            FIELD (bind.attributes.set, "set", FLAGS, &attributes),
            FIELD (bind.attributes.clear, "clear", FLAGS, &attributes),
            FIELD (bind.attributes.tree_set, "tree-set", FLAGS, &attributes),
            FIELD (bind.attributes.tree_clear, "tree-clear", FLAGS, &attributes),
            FIELD (bind.inherited, "inherited", WORD, &inherited),
            FIELD (bind.propagation, "propagation", FLAGS, &mount_flags),
            FIELD (bind.options, "options", FLAGS, &mount_options), FIELD (bind.number, "number", INDEX, NULL)) },
  [PLAN_REMOUNT] = { "remount", "change the mount at {target}",
    FIELDS (FIELD (remount.target, "target", TEXT, NULL), FIELD (remount.attributes.set, "set", FLAGS, &attributes),
            FIELD (remount.attributes.clear, "clear", FLAGS, &attributes),
            FIELD (remount.attributes.tree_set, "tree-set", FLAGS, &attributes),
            FIELD (remount.attributes.tree_clear, "tree-clear", FLAGS, &attributes),
            FIELD (remount.propagation, "propagation", FLAGS, &mount_flags)) },
  [PLAN_DEVICE] = { "device", "make the device {path}",
    FIELDS (FIELD (device.path, "path", TEXT, NULL), FIELD (device.mode, "mode", OCTAL, NULL),
            FIELD (device.major, "major", U32, NULL), FIELD (device.minor, "minor", U32, NULL),
            FIELD (device.uid, "uid", U32, NULL), FIELD (device.gid, "gid", U32, NULL)) },
  [PLAN_SYMLINK] = { "symlink", "make the link {path}",
    FIELDS (FIELD (symlink.path, "path", TEXT, NULL), FIELD (symlink.target, "target", TEXT, NULL)) },
  [PLAN_TERMINAL] = { "terminal", "open a terminal",
    FIELDS (FIELD (terminal.width, "width", U32, NULL), FIELD (terminal.height, "height", U32, NULL),
            FIELD (terminal.without_console, "without-console", BOOL, NULL)) },
  [PLAN_MASK] = { "mask", "mask {path}", FIELDS (FIELD (path.path, "path", TEXT, NULL),
            FIELD (path.mount, "mount", INDEX, NULL)) },
  [PLAN_READONLY] = { "readonly", "make {path} read-only", FIELDS (FIELD (path.path, "path", TEXT, NULL),
            FIELD (path.mount, "mount", INDEX, NULL)) },
  [PLAN_HOOK] = { "hook", "run {path}",
    FIELDS (FIELD (hook.name, "name", TEXT, NULL), FIELD (hook.path, "path", TEXT, NULL),
            FIELD (hook.args, "args", STRINGS, NULL), FIELD (hook.env, "env", STRINGS, NULL),
            FIELD (hook.timeout, "timeout", I32, NULL)) },
  [PLAN_PIVOT] = { "pivot", "enter the root file system", FIELDS (FIELD (pivot.kind, "by", WORD, &pivots)) },
  [PLAN_HOSTNAME] = { "hostname", "set the host name {name}", FIELDS (FIELD (text.text, "name", TEXT, NULL)) },
  [PLAN_DOMAINNAME] = { "domainname", "set the domain name {name}", FIELDS (FIELD (text.text, "name", TEXT, NULL)) },
  [PLAN_SYSCTL] = { "sysctl", "set the sysctl {key} to {value}",
    FIELDS (FIELD (sysctl.key, "key", TEXT, NULL), FIELD (sysctl.value, "value", TEXT, NULL)) },
  [PLAN_OOM_SCORE_ADJ] = { "oom-score-adj", "set oom_score_adj to {value}", FIELDS (FIELD (number.value, "value", NUMBER, NULL)) },
  [PLAN_RLIMIT] = { "rlimit", "set {resource} to {soft} (soft) and {hard} (hard)",
    FIELDS (FIELD (rlimit.resource, "resource", WORD, &spec_rlimit_names), FIELD (rlimit.soft, "soft", U64, NULL),
            FIELD (rlimit.hard, "hard", U64, NULL)) },
  [PLAN_SCHEDULER] = { "scheduler", "set the scheduling policy {policy}",
    FIELDS (FIELD (scheduler.policy, "policy", WORD, &spec_scheduler_names),
            FIELD (scheduler.flags, "flags", FLAGS, &spec_scheduler_flag_names),
            FIELD (scheduler.nice, "nice", I32, NULL), FIELD (scheduler.priority, "priority", U32, NULL),
            FIELD (scheduler.runtime, "runtime", U64, NULL), FIELD (scheduler.deadline, "deadline", U64, NULL),
            FIELD (scheduler.period, "period", U64, NULL)) },
  [PLAN_IO_PRIORITY] = { "io-priority", "set the i/o priority", FIELDS (FIELD (number.value, "value", NUMBER, NULL)) },
  [PLAN_AFFINITY] = { "affinity", "run on the CPUs {cpus}", FIELDS (FIELD (affinity.cpus, "cpus", TEXT, NULL)) },
  [PLAN_MEMORY_POLICY] = { "memory-policy", "set the memory policy",
    FIELDS (FIELD (memory_policy.mode, "mode", U32, NULL)) },
  [PLAN_PERSONALITY] = { "personality", "set the personality",
    FIELDS (FIELD (number.value, "domain", NUMBER, NULL)) },
  [PLAN_DIRECTORY] = { "directory", "make the directory {path}", FIELDS (FIELD (path.path, "path", TEXT, NULL)) },
  [PLAN_CWD] = { "cwd", "enter the working directory {path}", FIELDS (FIELD (path.path, "path", TEXT, NULL)) },
  [PLAN_HOME] = { "home", "look up HOME", FIELDS (FIELD (number.value, "uid", NUMBER, NULL)) },
  [PLAN_BOUNDING_SET] = { "bounding-set", "cut the bounding set", FIELDS (FIELD (number.value, "keep", CAPS, NULL)) },
  [PLAN_USER] = { "user", "become user {uid}:{gid}",
    FIELDS (FIELD (user.uid, "uid", U32, NULL), FIELD (user.gid, "gid", U32, NULL),
            FIELD (user.groups, "groups", IDS, NULL), FIELD (user.keep_groups, "keep-groups", BOOL, NULL),
            FIELD (user.umask, "umask", OCTAL, NULL)) },
  [PLAN_CAPABILITIES] = { "capabilities", "set the capabilities",
    FIELDS (FIELD (capabilities.effective, "effective", CAPS, NULL),
            FIELD (capabilities.permitted, "permitted", CAPS, NULL),
            FIELD (capabilities.inheritable, "inheritable", CAPS, NULL),
            FIELD (capabilities.ambient, "ambient", CAPS, NULL),
            FIELD (capabilities.keep, "keep-until-exec", CAPS, NULL)) },
  [PLAN_CHECK_CWD] = { "check-cwd", "enter the working directory {path}", FIELDS (FIELD (path.path, "path", TEXT, NULL)) },
  [PLAN_FIND_PROGRAM] = { "find-program", "find the program", FIELDS (FIELD (exec.args, "args", STRINGS, NULL)) },
  [PLAN_LSM_EXEC] = { "lsm-exec", "set the label {value}",
    FIELDS (FIELD (lsm.file, "file", TEXT, NULL), FIELD (lsm.value, "value", TEXT, NULL)) },
  [PLAN_NO_NEW_PRIVILEGES] = { "no-new-privileges", "set no_new_privs", NO_FIELDS },
  [PLAN_READY] = { "ready", "wait for the start", NO_FIELDS },
  [PLAN_SECCOMP] = { "seccomp", "load the seccomp filter",
    FIELDS (FIELD (seccomp.flags, "flags", U32, NULL)) },
  [PLAN_EXEC] = { "exec", "execute",
    FIELDS (FIELD (exec.args, "args", STRINGS, NULL), FIELD (exec.env, "env", STRINGS, NULL)) },
};
/* clang-format on */
