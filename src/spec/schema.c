/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The members that config.md describes.  schema_linux.c has those of config-linux.md.  */
#include "spec/schema_rows.h"

size_t
schema_item_size (const struct schema_row *row)
{
  if (row->kind == SCHEMA_OBJECT)
    return row->table->size;
  if (row->shape == SCHEMA_MAP)
    return sizeof (struct spec_pair);
  return row->kind == SCHEMA_STRING ? sizeof (const char *) : sizeof (uint64_t);
}

static const struct schema_row id_mapping_rows[] = {
  UINT32 (spec_id_mapping, container_id, "containerID", .required = true),
  UINT32 (spec_id_mapping, host_id, "hostID", .required = true),
  UINT32 (spec_id_mapping, size, "size", .required = true),
};
const struct schema_table schema_id_mapping = TABLE (id_mapping_rows, spec_id_mapping);

static const struct schema_row root_rows[] = {
  STRING (spec_root, path, "path", .required = true),
  BOOL (spec_root, readonly, "readonly"),
};
static const struct schema_table root_table = TABLE (root_rows, spec_root);

static const struct schema_row mount_rows[] = {
  STRING (spec_mount, destination, "destination", .required = true),
  STRING (spec_mount, type, "type"),
  STRING (spec_mount, source, "source"),
  STRINGS (spec_mount, options, "options"),
  OBJECTS (spec_mount, uid_mappings, "uidMappings", spec_id_mapping, schema_id_mapping),
  OBJECTS (spec_mount, gid_mappings, "gidMappings", spec_id_mapping, schema_id_mapping),
};
static const struct schema_table mount_table = TABLE (mount_rows, spec_mount);

static const struct schema_row console_size_rows[] = {
  UINT64 (spec_console_size, height, "height", .required = true),
  UINT64 (spec_console_size, width, "width", .required = true),
};
static const struct schema_table console_size_table = TABLE (console_size_rows, spec_console_size);

static const struct schema_row user_rows[] = {
  UINT (spec_user, uid, "uid", ID_MAX),     UINT (spec_user, gid, "gid", ID_MAX),
  UINT (spec_user, umask, "umask", 0777),   UINTS (spec_user, additional_gids, "additionalGids", ID_MAX),
  STRING (spec_user, username, "username"),
};
static const struct schema_table user_table = TABLE (user_rows, spec_user);

static const struct schema_row capabilities_rows[] = {
  STRINGS (spec_capabilities, bounding, "bounding"),   STRINGS (spec_capabilities, permitted, "permitted"),
  STRINGS (spec_capabilities, effective, "effective"), STRINGS (spec_capabilities, inheritable, "inheritable"),
  STRINGS (spec_capabilities, ambient, "ambient"),
};
static const struct schema_table capabilities_table = TABLE (capabilities_rows, spec_capabilities);

static const struct schema_row rlimit_rows[] = {
  WORD (spec_rlimit, type, "type", spec_rlimit_names, .required = true),
  UINT64 (spec_rlimit, soft, "soft", .required = true),
  UINT64 (spec_rlimit, hard, "hard", .required = true),
};
static const struct schema_table rlimit_table = TABLE (rlimit_rows, spec_rlimit);

static const struct schema_row io_priority_rows[] = {
  WORD (spec_io_priority, class, "class", spec_ioprio_class_names, .required = true),
  INT (spec_io_priority, priority, "priority", 0, 7, .required = true),
};
static const struct schema_table io_priority_table = TABLE (io_priority_rows, spec_io_priority);

static const struct schema_row scheduler_rows[] = {
  WORD (spec_scheduler, policy, "policy", spec_scheduler_names, .required = true),
  INT (spec_scheduler, nice, "nice", INT32_MIN, INT32_MAX),
  INT (spec_scheduler, priority, "priority", INT32_MIN, INT32_MAX),
  FLAGS (spec_scheduler, flags, "flags", spec_scheduler_flag_names),
  UINT64 (spec_scheduler, runtime, "runtime"),
  UINT64 (spec_scheduler, deadline, "deadline"),
  UINT64 (spec_scheduler, period, "period"),
};
static const struct schema_table scheduler_table = TABLE (scheduler_rows, spec_scheduler);

static const struct schema_row cpu_affinity_rows[] = {
  STRING (spec_cpu_affinity, initial, "initial"),
  STRING (spec_cpu_affinity, final, "final"),
};
static const struct schema_table cpu_affinity_table = TABLE (cpu_affinity_rows, spec_cpu_affinity);

static const struct schema_row process_rows[] = {
  BOOL (spec_process, terminal, "terminal"),
  OBJECT (spec_process, console_size, "consoleSize", spec_console_size, console_size_table),
  OBJECT_INLINE (spec_process, user, "user", spec_user, user_table),
  STRINGS (spec_process, args, "args"),
  STRINGS (spec_process, env, "env"),
  STRING (spec_process, cwd, "cwd", .required = true),
  STRING (spec_process, command_line, "commandLine"),
  OBJECT (spec_process, capabilities, "capabilities", spec_capabilities, capabilities_table),
  OBJECTS (spec_process, rlimits, "rlimits", spec_rlimit, rlimit_table),
  BOOL (spec_process, no_new_privileges, "noNewPrivileges"),
  INT (spec_process, oom_score_adj, "oomScoreAdj", -1000, 1000),
  STRING (spec_process, apparmor_profile, "apparmorProfile"),
  STRING (spec_process, selinux_label, "selinuxLabel"),
  OBJECT (spec_process, scheduler, "scheduler", spec_scheduler, scheduler_table),
  OBJECT (spec_process, io_priority, "ioPriority", spec_io_priority, io_priority_table),
  OBJECT (spec_process, exec_cpu_affinity, "execCPUAffinity", spec_cpu_affinity, cpu_affinity_table),
};
const struct schema_table schema_process = TABLE (process_rows, spec_process);

static const struct schema_row hook_rows[] = {
  STRING (spec_hook, path, "path", .required = true),
  STRINGS (spec_hook, args, "args"),
  STRINGS (spec_hook, env, "env"),
  INT (spec_hook, timeout, "timeout", 1, INT32_MAX),
};
static const struct schema_table hook_table = TABLE (hook_rows, spec_hook);

static const struct schema_row hooks_rows[] = {
  OBJECTS (spec_hooks, prestart, "prestart", spec_hook, hook_table),
  OBJECTS (spec_hooks, create_runtime, "createRuntime", spec_hook, hook_table),
  OBJECTS (spec_hooks, create_container, "createContainer", spec_hook, hook_table),
  OBJECTS (spec_hooks, start_container, "startContainer", spec_hook, hook_table),
  OBJECTS (spec_hooks, poststart, "poststart", spec_hook, hook_table),
  OBJECTS (spec_hooks, poststop, "poststop", spec_hook, hook_table),
};
const struct schema_table schema_hooks = TABLE (hooks_rows, spec_hooks);

static const struct schema_row config_rows[] = {
  STRING (spec, oci_version, "ociVersion", .required = true),
  OBJECT (spec, process, "process", spec_process, schema_process),
  OBJECT (spec, root, "root", spec_root, root_table, .required = true),
  STRING (spec, hostname, "hostname"),
  STRING (spec, domainname, "domainname"),
  OBJECTS (spec, mounts, "mounts", spec_mount, mount_table),
  OBJECT (spec, hooks, "hooks", spec_hooks, schema_hooks),
  STRING_MAP (spec, annotations, "annotations"),
  OBJECT (spec, linux_, "linux", spec_linux, schema_linux),
  OTHER_PLATFORM ("freebsd"),
  OTHER_PLATFORM ("solaris"),
  OTHER_PLATFORM ("vm"),
  OTHER_PLATFORM ("windows"),
  OTHER_PLATFORM ("zos"),
};
const struct schema_table schema_config = TABLE (config_rows, spec);
