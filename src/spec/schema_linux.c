/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The members that config-linux.md describes.  */
#include "spec/schema_rows.h"

static const struct schema_row namespace_rows[] = {
  WORD (spec_namespace, type, "type", spec_namespace_names, .required = true),
  STRING (spec_namespace, path, "path"),
};
static const struct schema_table namespace_table = TABLE (namespace_rows, spec_namespace);

static const struct schema_row device_rows[] = {
  WORD (spec_device, type, "type", spec_device_type_names, .required = true),
  STRING (spec_device, path, "path", .required = true),
  INT (spec_device, major, "major", 0, MAJOR_MAX),
  INT (spec_device, minor, "minor", 0, MINOR_MAX),
  /* Podman and Buildah hand on what stat(2) says, file type and all.  */
  UINT (spec_device, file_mode, "fileMode", 0177777),
  UINT (spec_device, uid, "uid", ID_MAX),
  UINT (spec_device, gid, "gid", ID_MAX),
};
static const struct schema_table device_table = TABLE (device_rows, spec_device);

static const struct schema_row net_device_rows[] = {
  STRING (spec_net_device, name, "name"),
};
static const struct schema_table net_device_table = TABLE (net_device_rows, spec_net_device);

static const struct schema_row time_offset_rows[] = {
  INT64 (spec_time_offset, secs, "secs"),
  UINT (spec_time_offset, nanosecs, "nanosecs", 999999999),
};
static const struct schema_table time_offset_table = TABLE (time_offset_rows, spec_time_offset);

static const struct schema_row time_offsets_rows[] = {
  OBJECT (spec_time_offsets, boottime, "boottime", spec_time_offset, time_offset_table),
  OBJECT (spec_time_offsets, monotonic, "monotonic", spec_time_offset, time_offset_table),
};
static const struct schema_table time_offsets_table = TABLE (time_offsets_rows, spec_time_offsets);

/* -1 is "unlimited" (config-linux.md#memory).  */
static const struct schema_row memory_rows[] = {
  INT (spec_memory, limit, "limit", -1, INT64_MAX),
  INT (spec_memory, reservation, "reservation", -1, INT64_MAX),
  INT (spec_memory, swap, "swap", -1, INT64_MAX),
  INT (spec_memory, kernel, "kernel", -1, INT64_MAX),
  INT (spec_memory, kernel_tcp, "kernelTCP", -1, INT64_MAX),
  UINT (spec_memory, swappiness, "swappiness", 100),
  BOOL (spec_memory, disable_oom_killer, "disableOOMKiller"),
  BOOL (spec_memory, use_hierarchy, "useHierarchy"),
  BOOL (spec_memory, check_before_update, "checkBeforeUpdate"),
};
static const struct schema_table memory_table = TABLE (memory_rows, spec_memory);

static const struct schema_row cpu_rows[] = {
  UINT64 (spec_cpu, shares, "shares"),
  INT64 (spec_cpu, quota, "quota"),
  UINT64 (spec_cpu, burst, "burst"),
  UINT64 (spec_cpu, period, "period"),
  INT64 (spec_cpu, realtime_runtime, "realtimeRuntime"),
  UINT64 (spec_cpu, realtime_period, "realtimePeriod"),
  STRING (spec_cpu, cpus, "cpus"),
  STRING (spec_cpu, mems, "mems"),
  INT (spec_cpu, idle, "idle", 0, 1),
};
static const struct schema_table cpu_table = TABLE (cpu_rows, spec_cpu);

static const struct schema_row pids_rows[] = {
  INT (spec_pids, limit, "limit", -1, INT64_MAX),
};
static const struct schema_table pids_table = TABLE (pids_rows, spec_pids);

static const struct schema_row weight_device_rows[] = {
  INT (spec_weight_device, major, "major", 0, MAJOR_MAX, .required = true),
  INT (spec_weight_device, minor, "minor", 0, MINOR_MAX, .required = true),
  UINT (spec_weight_device, weight, "weight", UINT16_MAX),
  UINT (spec_weight_device, leaf_weight, "leafWeight", UINT16_MAX),
};
static const struct schema_table weight_device_table = TABLE (weight_device_rows, spec_weight_device);

static const struct schema_row throttle_rows[] = {
  INT (spec_throttle_device, major, "major", 0, MAJOR_MAX, .required = true),
  INT (spec_throttle_device, minor, "minor", 0, MINOR_MAX, .required = true),
  UINT64 (spec_throttle_device, rate, "rate", .required = true),
};
static const struct schema_table throttle_table = TABLE (throttle_rows, spec_throttle_device);

static const struct schema_row block_io_rows[] = {
  UINT (spec_block_io, weight, "weight", UINT16_MAX),
  UINT (spec_block_io, leaf_weight, "leafWeight", UINT16_MAX),
  OBJECTS (spec_block_io, weight_device, "weightDevice", spec_weight_device, weight_device_table),
  OBJECTS (spec_block_io, read_bps, "throttleReadBpsDevice", spec_throttle_device, throttle_table),
  OBJECTS (spec_block_io, write_bps, "throttleWriteBpsDevice", spec_throttle_device, throttle_table),
  OBJECTS (spec_block_io, read_iops, "throttleReadIOPSDevice", spec_throttle_device, throttle_table),
  OBJECTS (spec_block_io, write_iops, "throttleWriteIOPSDevice", spec_throttle_device, throttle_table),
};
static const struct schema_table block_io_table = TABLE (block_io_rows, spec_block_io);

static const struct schema_row hugepage_limit_rows[] = {
  STRING (spec_hugepage_limit, page_size, "pageSize", .required = true),
  UINT64 (spec_hugepage_limit, limit, "limit", .required = true),
};
static const struct schema_table hugepage_limit_table = TABLE (hugepage_limit_rows, spec_hugepage_limit);

static const struct schema_row interface_priority_rows[] = {
  STRING (spec_interface_priority, name, "name", .required = true),
  UINT32 (spec_interface_priority, priority, "priority", .required = true),
};
static const struct schema_table interface_priority_table = TABLE (interface_priority_rows, spec_interface_priority);

static const struct schema_row network_rows[] = {
  UINT32 (spec_network, class_id, "classID"),
  OBJECTS (spec_network, priorities, "priorities", spec_interface_priority, interface_priority_table),
};
static const struct schema_table network_table = TABLE (network_rows, spec_network);

static const struct schema_row rdma_rows[] = {
  UINT32 (spec_rdma, hca_handles, "hcaHandles"),
  UINT32 (spec_rdma, hca_objects, "hcaObjects"),
};
static const struct schema_table rdma_table = TABLE (rdma_rows, spec_rdma);

/* -1 is "all" in configs written for the files of cgroup v1.  */
static const struct schema_row device_rule_rows[] = {
  BOOL (spec_device_rule, allow, "allow", .required = true),
  STRING (spec_device_rule, type, "type"),
  INT (spec_device_rule, major, "major", -1, MAJOR_MAX),
  INT (spec_device_rule, minor, "minor", -1, MINOR_MAX),
  STRING (spec_device_rule, access, "access"),
};
static const struct schema_table device_rule_table = TABLE (device_rule_rows, spec_device_rule);

static const struct schema_row resources_rows[] = {
  OBJECTS (spec_resources, devices, "devices", spec_device_rule, device_rule_table),
  OBJECT (spec_resources, memory, "memory", spec_memory, memory_table),
  OBJECT (spec_resources, cpu, "cpu", spec_cpu, cpu_table),
  OBJECT (spec_resources, pids, "pids", spec_pids, pids_table),
  OBJECT (spec_resources, block_io, "blockIO", spec_block_io, block_io_table),
  OBJECTS (spec_resources, hugepage_limits, "hugepageLimits", spec_hugepage_limit, hugepage_limit_table),
  OBJECT (spec_resources, network, "network", spec_network, network_table),
  OBJECT_MAP (spec_resources, rdma, "rdma", spec_rdma, rdma_table),
  STRING_MAP (spec_resources, unified, "unified"),
};
const struct schema_table schema_resources = TABLE (resources_rows, spec_resources);

static const struct schema_row seccomp_arg_rows[] = {
  UINT (spec_seccomp_arg, index, "index", 5, .required = true),
  UINT64 (spec_seccomp_arg, value, "value", .required = true),
  UINT64 (spec_seccomp_arg, value_two, "valueTwo"),
  WORD (spec_seccomp_arg, op, "op", spec_seccomp_op_names, .required = true),
};
static const struct schema_table seccomp_arg_table = TABLE (seccomp_arg_rows, spec_seccomp_arg);

/* The kernel keeps 16 bits of an errno (SECCOMP_RET_DATA).  */
static const struct schema_row seccomp_rule_rows[] = {
  STRINGS (spec_seccomp_rule, names, "names", .required = true),
  WORD (spec_seccomp_rule, action, "action", spec_seccomp_action_names, .required = true),
  UINT (spec_seccomp_rule, errno_ret, "errnoRet", UINT16_MAX),
  OBJECTS (spec_seccomp_rule, args, "args", spec_seccomp_arg, seccomp_arg_table),
};
static const struct schema_table seccomp_rule_table = TABLE (seccomp_rule_rows, spec_seccomp_rule);

static const struct schema_row seccomp_rows[] = {
  WORD (spec_seccomp, default_action, "defaultAction", spec_seccomp_action_names, .required = true),
  UINT (spec_seccomp, default_errno_ret, "defaultErrnoRet", UINT16_MAX),
  WORDS (spec_seccomp, architectures, "architectures", spec_seccomp_arch_names),
  FLAGS (spec_seccomp, flags, "flags", spec_seccomp_flag_names),
  STRING (spec_seccomp, listener_path, "listenerPath"),
  STRING (spec_seccomp, listener_metadata, "listenerMetadata"),
  OBJECTS (spec_seccomp, syscalls, "syscalls", spec_seccomp_rule, seccomp_rule_table),
};
static const struct schema_table seccomp_table = TABLE (seccomp_rows, spec_seccomp);

static const struct schema_row intel_rdt_rows[] = {
  STRING (spec_intel_rdt, clos_id, "closID"),
  STRINGS (spec_intel_rdt, schemata, "schemata"),
  STRING (spec_intel_rdt, l3_cache_schema, "l3CacheSchema"),
  STRING (spec_intel_rdt, mem_bw_schema, "memBwSchema"),
  BOOL (spec_intel_rdt, enable_monitoring, "enableMonitoring"),
};
static const struct schema_table intel_rdt_table = TABLE (intel_rdt_rows, spec_intel_rdt);

static const struct schema_row memory_policy_rows[] = {
  WORD (spec_memory_policy, mode, "mode", spec_mempolicy_names, .required = true),
  STRING (spec_memory_policy, nodes, "nodes"),
  FLAGS (spec_memory_policy, flags, "flags", spec_mempolicy_flag_names),
};
static const struct schema_table memory_policy_table = TABLE (memory_policy_rows, spec_memory_policy);

static const struct schema_row personality_rows[] = {
  WORD (spec_personality, domain, "domain", spec_personality_names, .required = true),
  STRINGS (spec_personality, flags, "flags"),
};
static const struct schema_table personality_table = TABLE (personality_rows, spec_personality);

static const struct schema_row linux_rows[] = {
  OBJECTS (spec_linux, namespaces, "namespaces", spec_namespace, namespace_table),
  OBJECT (spec_linux, resources, "resources", spec_resources, schema_resources),
  STRING (spec_linux, cgroups_path, "cgroupsPath"),
  STRINGS (spec_linux, masked_paths, "maskedPaths"),
  STRINGS (spec_linux, readonly_paths, "readonlyPaths"),
  OBJECT (spec_linux, seccomp, "seccomp", spec_seccomp, seccomp_table),
  OBJECTS (spec_linux, devices, "devices", spec_device, device_table),
  OBJECTS (spec_linux, uid_mappings, "uidMappings", spec_id_mapping, schema_id_mapping),
  OBJECTS (spec_linux, gid_mappings, "gidMappings", spec_id_mapping, schema_id_mapping),
  STRING_MAP (spec_linux, sysctl, "sysctl"),
  STRING (spec_linux, mount_label, "mountLabel"),
  WORD (spec_linux, rootfs_propagation, "rootfsPropagation", spec_propagation_names),
  OBJECT_MAP (spec_linux, net_devices, "netDevices", spec_net_device, net_device_table),
  OBJECT (spec_linux, time_offsets, "timeOffsets", spec_time_offsets, time_offsets_table),
  OBJECT (spec_linux, intel_rdt, "intelRdt", spec_intel_rdt, intel_rdt_table),
  OBJECT (spec_linux, memory_policy, "memoryPolicy", spec_memory_policy, memory_policy_table),
  OBJECT (spec_linux, personality, "personality", spec_personality, personality_table),
};
const struct schema_table schema_linux = TABLE (linux_rows, spec_linux);
