/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The Linux configuration of runtime-spec 1.3.0 as C types (config.md, config-linux.md), and how to get one.
 *
 * The structs mirror the JSON: a member of the JSON object `linux.resources.memory` is a member of struct spec_memory
 * with the same name in our spelling.  Optional numbers and booleans say whether they were set; strings are NULL and
 * lists empty when absent.  Words of an enumeration are decoded to the kernel's number by the tables of names.h.  A
 * decoded spec is const: nothing changes it afterwards.
 *
 * Adding a property of the specification: a member here and a row in the tables of schema.c.  */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct error;
struct strbuf;

#define SPEC_VERSION "1.3.0"              /* the version of the specification that we write */
#define SPEC_SIZE_MAX (16u * 1024 * 1024) /* bytes of a config.json */
#define SPEC_DEPTH_MAX 64                 /* levels of nesting */

struct spec_int
{
  bool set;
  int64_t value;
};

struct spec_uint
{
  bool set;
  uint64_t value;
};

struct spec_bool
{
  bool set;
  bool value;
};

#define SPEC_LIST(type)                                                                                                \
  struct                                                                                                               \
  {                                                                                                                    \
    type *items;                                                                                                       \
    size_t count;                                                                                                      \
  }

struct spec_strings
{
  const char **items;
  size_t count;
};

struct spec_uints
{
  uint64_t *items;
  size_t count;
};

/* A JSON object of strings, in the order of the file.  */
struct spec_pair
{
  const char *key, *value;
};

struct spec_map
{
  struct spec_pair *items;
  size_t count;
};

/* config-linux.md#user-namespace-mappings */
struct spec_id_mapping
{
  struct spec_uint container_id, host_id, size;
};

struct spec_id_mappings
{
  struct spec_id_mapping *items;
  size_t count;
};

/* config.md#root */
struct spec_root
{
  const char *path;
  struct spec_bool readonly;
};

/* config.md#mounts */
struct spec_mount
{
  const char *destination, *source, *type;
  struct spec_strings options;
  struct spec_id_mappings uid_mappings, gid_mappings;
};

/* config.md#process */
struct spec_console_size
{
  struct spec_uint height, width;
};

struct spec_user
{
  struct spec_uint uid, gid, umask;
  struct spec_uints additional_gids;
  const char *username;
};

struct spec_capabilities
{
  struct spec_strings bounding, permitted, effective, inheritable, ambient;
};

struct spec_rlimit
{
  struct spec_int type; /* RLIMIT_* */
  struct spec_uint soft, hard;
};

struct spec_io_priority
{
  struct spec_int class; /* IOPRIO_CLASS_* */
  struct spec_int priority;
};

struct spec_scheduler
{
  struct spec_int policy; /* SCHED_* */
  struct spec_int nice, priority;
  struct spec_uint flags; /* SCHED_FLAG_*, or-ed */
  struct spec_uint runtime, deadline, period;
};

struct spec_cpu_affinity
{
  const char *initial, *final;
};

struct spec_process
{
  struct spec_bool terminal;
  struct spec_console_size *console_size;
  struct spec_user user; /* absent members are 0 */
  struct spec_strings args, env;
  const char *command_line, *cwd;
  struct spec_capabilities *capabilities;
  struct spec_bool no_new_privileges;
  struct spec_int oom_score_adj;
  const char *apparmor_profile, *selinux_label;
  struct spec_scheduler *scheduler;
  struct spec_io_priority *io_priority;
  struct spec_cpu_affinity *exec_cpu_affinity;
  SPEC_LIST (struct spec_rlimit) rlimits;
};

/* config.md#posix-platform-hooks */
struct spec_hook
{
  const char *path;
  struct spec_strings args, env;
  struct spec_int timeout; /* seconds */
};

struct spec_hook_list
{
  struct spec_hook *items;
  size_t count;
};

struct spec_hooks
{
  struct spec_hook_list prestart, create_runtime, create_container, start_container, poststart, poststop;
};

/* config-linux.md#namespaces */
struct spec_namespace
{
  struct spec_int type; /* CLONE_NEW* */
  const char *path;
};

/* config-linux.md#devices */
struct spec_device
{
  struct spec_int type; /* S_IFCHR ('c' and 'u'), S_IFBLK, S_IFIFO */
  const char *path;
  struct spec_int major, minor;
  struct spec_uint file_mode, uid, gid;
};

struct spec_net_device
{
  const char *key;  /* the name on the host */
  const char *name; /* NULL: the same */
};

struct spec_time_offset
{
  struct spec_int secs;
  struct spec_uint nanosecs;
};

struct spec_time_offsets
{
  struct spec_time_offset *boottime, *monotonic;
};

/* config-linux.md#control-groups */
struct spec_memory
{
  struct spec_int limit, reservation, swap, kernel, kernel_tcp;
  struct spec_uint swappiness;
  struct spec_bool disable_oom_killer, use_hierarchy, check_before_update;
};

struct spec_cpu
{
  struct spec_uint shares, period, burst, realtime_period;
  struct spec_int quota, realtime_runtime, idle;
  const char *cpus, *mems;
};

struct spec_pids
{
  struct spec_int limit;
};

struct spec_weight_device
{
  struct spec_int major, minor;
  struct spec_uint weight, leaf_weight;
};

struct spec_throttle_device
{
  struct spec_int major, minor;
  struct spec_uint rate;
};

struct spec_throttle_list
{
  struct spec_throttle_device *items;
  size_t count;
};

struct spec_block_io
{
  struct spec_uint weight, leaf_weight;
  SPEC_LIST (struct spec_weight_device) weight_device;
  struct spec_throttle_list read_bps, write_bps, read_iops, write_iops;
};

struct spec_hugepage_limit
{
  const char *page_size;
  struct spec_uint limit;
};

struct spec_interface_priority
{
  const char *name;
  struct spec_uint priority;
};

struct spec_network
{
  struct spec_uint class_id;
  SPEC_LIST (struct spec_interface_priority) priorities;
};

struct spec_rdma
{
  const char *key; /* the device */
  struct spec_uint hca_handles, hca_objects;
};

struct spec_device_rule
{
  struct spec_bool allow;
  const char *type; /* "a", "c", "b"; NULL: all */
  struct spec_int major, minor;
  const char *access; /* of "rwm"; NULL: all */
};

struct spec_resources
{
  struct spec_memory *memory;
  struct spec_cpu *cpu;
  struct spec_pids *pids;
  struct spec_block_io *block_io;
  struct spec_network *network;
  SPEC_LIST (struct spec_hugepage_limit) hugepage_limits;
  SPEC_LIST (struct spec_rdma) rdma;
  SPEC_LIST (struct spec_device_rule) devices;
  struct spec_map unified;
};

/* config-linux.md#intelrdt */
struct spec_intel_rdt
{
  const char *clos_id, *l3_cache_schema, *mem_bw_schema;
  struct spec_strings schemata;
  struct spec_bool enable_monitoring;
};

struct spec_memory_policy
{
  struct spec_int mode; /* MPOL_* */
  const char *nodes;
  struct spec_uint flags; /* MPOL_F_*, or-ed */
};

struct spec_personality
{
  struct spec_int domain; /* PER_LINUX, PER_LINUX32 */
  struct spec_strings flags;
};

/* config-linux.md#seccomp */
struct spec_seccomp_arg
{
  struct spec_uint index, value, value_two;
  struct spec_int op; /* enum spec_seccomp_op */
};

struct spec_seccomp_rule
{
  struct spec_strings names;
  struct spec_int action; /* SECCOMP_RET_* */
  struct spec_uint errno_ret;
  SPEC_LIST (struct spec_seccomp_arg) args;
};

struct spec_seccomp
{
  struct spec_int default_action; /* SECCOMP_RET_* */
  struct spec_uint default_errno_ret;
  struct spec_uints architectures; /* AUDIT_ARCH_*, libseccomp's token for x32 */
  struct spec_uint flags;          /* SECCOMP_FILTER_FLAG_*, or-ed */
  const char *listener_path, *listener_metadata;
  SPEC_LIST (struct spec_seccomp_rule) syscalls;
};

struct spec_linux
{
  SPEC_LIST (struct spec_namespace) namespaces;
  SPEC_LIST (struct spec_device) devices;
  SPEC_LIST (struct spec_net_device) net_devices;
  struct spec_id_mappings uid_mappings, gid_mappings;
  struct spec_time_offsets *time_offsets;
  const char *cgroups_path, *mount_label;
  struct spec_int rootfs_propagation; /* MS_SHARED, MS_SLAVE, MS_PRIVATE or MS_UNBINDABLE, perhaps with MS_REC */
  struct spec_resources *resources;
  struct spec_seccomp *seccomp;
  struct spec_map sysctl;
  struct spec_strings masked_paths, readonly_paths;
  struct spec_intel_rdt *intel_rdt;
  struct spec_memory_policy *memory_policy;
  struct spec_personality *personality;
};

struct spec
{
  const char *oci_version;
  struct spec_root *root;
  struct spec_process *process;
  SPEC_LIST (struct spec_mount) mounts;
  const char *hostname, *domainname;
  struct spec_hooks *hooks;
  struct spec_map annotations;
  struct spec_linux *linux_; /* `linux` is a macro in gnu17; NULL when the config has no such member */

  /* Where everything stood; see spec_where.  */
  struct spec_source *source;
};

/* Decodes the SIZE bytes of TEXT, which came from the file NAME (used in messages only), and validates what the schema
 * and the MUSTs of the specification say about values, in one pass over TEXT and one over the result.  *RET_SPEC lives
 * in ARENA and keeps NAME and TEXT for messages, so they must live as long.  An error reads
 * "config.json:41:17: linux.resources.memory.limit: ...".  0, -EINVAL, -EFBIG.  */
int spec_decode (struct arena *arena, const char *name, const char *text, size_t size, const struct spec **ret_spec,
                 struct error *err);

/* Decodes a process alone, as `exec --process` gets it.  */
int spec_decode_process (struct arena *arena, const char *name, const char *text, size_t size,
                         const struct spec_process **ret_process, struct error *err);

/* Decodes what stands in linux.resources alone, as `update` gets it: *RET_SPEC has nothing else.  NAME may be NULL,
 * when there is no file that a person could look into: then messages give the path alone.  */
int spec_decode_resources (struct arena *arena, const char *name, const char *text, size_t size,
                           const struct spec **ret_spec, struct error *err);
/* The spec of another process in the container of SPEC, for `exec`: *RET_PROCESS, which is its process, is the caller's
 * to change.  With TEXT it is decoded from that as by spec_decode_process, and what is not said there is as SPEC has it
 * for the container's own: all but terminal, user and args.  Without TEXT all but terminal and args is.  */
int spec_exec (struct arena *arena, const struct spec *spec, const char *name, const char *text, size_t size,
               const struct spec **ret_spec, struct spec_process **ret_process, struct error *err);

/* Reads the file NAME below the directory DIRFD whole into ARENA: a regular file (or FIFO) of at most SPEC_SIZE_MAX.
 * SHOWN is the name for messages.  The text is NUL-terminated beyond *RET_SIZE.  0, -EFBIG, -EISDIR or what open(2) and
 * read(2) answer.  */
int spec_read_file (struct arena *arena, int dirfd, const char *name, const char *shown, const char **ret_text,
                    size_t *ret_size, struct error *err);

/* The same from the open descriptor FD, which may also be a pipe or socket that somebody still writes to.  */
int spec_read_fd (struct arena *arena, int fd, const char *shown, const char **ret_text, size_t *ret_size,
                  struct error *err);

/* "mounts[4].source (config.json:88:7)" for the decoded value that VALUE points to: a struct, a list element or a
 * member of the spec, so pass &mount->source, &mount->options.items[2] or mount.  The type of the pointer counts as
 * well as the address, because a struct and its first member share that.  "config.json" if it is not known.  For
 * messages: the text is read again to find the place.  */
#define spec_where(arena, spec, value) spec_where_of ((arena), (spec), (value), sizeof *(value))
const char *spec_where_of (struct arena *arena, const struct spec *spec, const void *value, size_t size);

/* The JSON path alone: "mounts[4].source"; empty if it is not known.  Cheap: a walk over the tables.  */
#define spec_path(arena, spec, value) spec_path_of ((arena), (spec), (value), sizeof *(value))
const char *spec_path_of (struct arena *arena, const struct spec *spec, const void *value, size_t size);

/* What was noticed in a config that is valid: unknown members with the nearest known name, members in another case,
 * sections for other platforms.  Each is a line "config.json:12:5: process: ...".  Returns how many.  */
size_t spec_remarks (struct arena *arena, const struct spec *spec, const char *const **ret_remarks);

/* The line on which VALUE stands, from 1 on; 0 if it is not known.  */
unsigned spec_line (const struct spec *spec, const void *value);

/* The value of annotation KEY, or NULL.  */
const char *spec_annotation (const struct spec *spec, const char *key);

/* Whether the annotation KEY is "1" or "true".  */
bool spec_annotated (const struct spec *spec, const char *key);

/* The namespace of TYPE (CLONE_NEW*), or NULL if the container shares the runtime's.  */
const struct spec_namespace *spec_namespace_find (const struct spec *spec, int type);

/* Whether the container gets a new namespace of TYPE (CLONE_NEW*), not one that is joined by path.  */
bool spec_creates (const struct spec *spec, int type);

/* The capability number of NAME ("CAP_CHOWN"), or -1.  */
int spec_capability (const char *name);

/* The path below /proc/sys of the parameter KEY of linux.sysctl: "net/ipv4/ip_forward" for "net.ipv4.ip_forward".  NULL
 * if it would lead elsewhere.  */
const char *spec_sysctl_path (struct arena *arena, const char *key);

/* The first of linux.sysctl that belongs to namespaces of TYPE, or NULL.  */
const struct spec_pair *spec_sysctl_of (struct arena *arena, const struct spec *spec, int type);

/* Takes the next range off the front of *TEXT, a list such as "0-3,7" (cpus, mems, nodes).  1 with the range, 0 at the
 * end, -EINVAL.  */
int spec_number_list_next (const char **text, unsigned *ret_first, unsigned *ret_last);

/* What the default config depends on beside the specification.  */
struct spec_default
{
  bool rootless;         /* with a user namespace that maps EUID and EGID */
  bool cgroup_namespace; /* as callers are used to on hosts with cgroup v2 */
  unsigned euid, egid;
};

/* Writes the config that `thole spec` prints: the example bundle, indented.  */
void spec_write_default (struct strbuf *out, const struct spec_default *what);
