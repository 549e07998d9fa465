/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rules of config-linux.md, without those about resources and sysctl.  */
#include <errno.h>
#include <linux/mempolicy.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "spec/names.h"
#include "spec/source.h"
#include "spec/validate.h"

static int
check_namespaces (const struct check *check, const struct spec *spec)
{
  const struct spec_linux *lin = spec->linux_;
  uint64_t seen = 0;
  for (size_t i = 0; i < lin->namespaces.count; i++)
    {
      const struct spec_namespace *ns = &lin->namespaces.items[i];
      if (seen & (uint64_t) ns->type.value)
        return COMPLAIN (check, &ns->type, "duplicate %s namespace", names_of (&spec_namespace_names, ns->type.value));
      seen |= (uint64_t) ns->type.value;
      if (ns->path != NULL)
        {
          int result = spec_check_absolute (check, &ns->path);
          if (result < 0)
            return result;
        }
    }
  return 0;
}

static bool
overlap (uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
  return a < b + b_size && b < a + a_size;
}

/* One mapping against itself and those before it.  */
static int
check_mapping (const struct check *check, const struct spec_id_mappings *mappings, size_t index)
{
  const struct spec_id_mapping *mapping = &mappings->items[index];
  uint64_t container = mapping->container_id.value, host = mapping->host_id.value, size = mapping->size.value;
  if (size == 0)
    return COMPLAIN (check, &mapping->size, "must not be 0");
  if (container + size - 1 >= UINT32_MAX || host + size - 1 >= UINT32_MAX)
    return COMPLAIN (check, &mapping->size, "goes beyond the last id, %u", UINT32_MAX - 1);
  for (size_t i = 0; i < index; i++)
    {
      const struct spec_id_mapping *other = &mappings->items[i];
      if (overlap (container, size, other->container_id.value, other->size.value)
          || overlap (host, size, other->host_id.value, other->size.value))
        return COMPLAIN (check, mapping, "overlaps mapping %zu", i);
    }
  return 0;
}

int
spec_check_mappings (const struct check *check, const struct spec_id_mappings *mappings)
{
  enum
  {
    MOST = 340 /* UID_GID_MAP_MAX_EXTENTS */
  };
  if (mappings->count > MOST)
    return COMPLAIN (check, mappings, "more than the %d mappings that the kernel takes", MOST);
  int result = 0;
  for (size_t i = 0; i < mappings->count && result == 0; i++)
    result = check_mapping (check, mappings, i);
  return result;
}

static int
check_user_mappings (const struct check *check, const struct spec *spec)
{
  const struct spec_linux *lin = spec->linux_;
  const struct spec_id_mappings *uids = &lin->uid_mappings, *gids = &lin->gid_mappings;
  if (uids->count > 0 && spec_namespace_find (spec, CLONE_NEWUSER) == NULL)
    return COMPLAIN (check, uids, "needs a user namespace");
  if (gids->count > 0 && spec_namespace_find (spec, CLONE_NEWUSER) == NULL)
    return COMPLAIN (check, gids, "needs a user namespace");
  if ((uids->count > 0) != (gids->count > 0))
    return COMPLAIN (check, lin, "uidMappings and gidMappings go together");
  int result = spec_check_mappings (check, uids);
  return result == 0 ? spec_check_mappings (check, gids) : result;
}

/* Offsets are written before the first process enters, so the namespace must be ours (time_namespaces(7)).  */
static int
check_time_offsets (const struct check *check, const struct spec *spec)
{
  if (spec->linux_->time_offsets == NULL)
    return 0;
  const struct spec_namespace *ns = spec_namespace_find (spec, CLONE_NEWTIME);
  if (ns == NULL || ns->path != NULL)
    return COMPLAIN (check, spec->linux_->time_offsets, "needs a time namespace of the container's own");
  return 0;
}

static int
check_devices (const struct check *check, const struct spec *spec)
{
  for (size_t i = 0; i < spec->linux_->devices.count; i++)
    {
      const struct spec_device *device = &spec->linux_->devices.items[i];
      int result = spec_check_absolute (check, &device->path);
      if (result < 0)
        return result;
      if (device->type.value != S_IFIFO && (!device->major.set || !device->minor.set))
        return COMPLAIN (check, device, "missing member \"%s\"", device->major.set ? "minor" : "major");
    }
  return 0;
}

/* A name of an interface as the kernel takes it (dev_valid_name).  */
static bool
is_interface_name (const char *name)
{
  return *name != '\0' && strlen (name) < 16 && strcmp (name, ".") != 0 && strcmp (name, "..") != 0
         && strpbrk (name, "/: \t\n\v\f\r") == NULL;
}

/* A new name may end in %d, for which the kernel puts a number.  */
static bool
is_new_interface_name (const char *name)
{
  const char *percent = strchr (name, '%');
  return is_interface_name (name) && (percent == NULL || strcmp (percent, "%d") == 0);
}

static const char *
name_inside (const struct spec_net_device *device)
{
  return device->name != NULL && *device->name != '\0' ? device->name : device->key;
}

static int
check_net_device (const struct check *check, const struct spec_linux *lin, size_t index)
{
  const struct spec_net_device *device = &lin->net_devices.items[index];
  const char *name = name_inside (device);
  if (!is_interface_name (device->key))
    return COMPLAIN (check, device, "\"%s\" is no name of a network interface", device->key);
  if (!is_new_interface_name (name))
    return COMPLAIN (check, &device->name, "\"%s\" is no name of a network interface", name);
  for (size_t i = 0; i < index && strchr (name, '%') == NULL; i++)
    if (strcmp (name_inside (&lin->net_devices.items[i]), name) == 0)
      return COMPLAIN (check, device, "%s would also be called %s in the container", lin->net_devices.items[i].key,
                       name);
  return 0;
}

static int
check_net_devices (const struct check *check, const struct spec *spec)
{
  const struct spec_linux *lin = spec->linux_;
  int result = 0;
  if (lin->net_devices.count > 0 && spec_namespace_find (spec, CLONE_NEWNET) == NULL)
    return COMPLAIN (check, &lin->net_devices, "needs a network namespace");
  for (size_t i = 0; i < lin->net_devices.count && result == 0; i++)
    result = check_net_device (check, lin, i);
  return result;
}

static int
check_absolute_paths (const struct check *check, const struct spec_strings *paths)
{
  int result = 0;
  for (size_t i = 0; i < paths->count && result == 0; i++)
    result = spec_check_absolute (check, &paths->items[i]);
  return result;
}

static int
check_restricted_paths (const struct check *check, const struct spec *spec)
{
  int result = check_absolute_paths (check, &spec->linux_->masked_paths);
  return result == 0 ? check_absolute_paths (check, &spec->linux_->readonly_paths) : result;
}

static int
check_personality (const struct check *check, const struct spec *spec)
{
  const struct spec_personality *personality = spec->linux_->personality;
  if (personality != NULL && personality->flags.count > 0)
    return COMPLAIN (check, &personality->flags, "no flags are supported");
  return 0;
}

/* What set_mempolicy(2) answers EINVAL to.  */
static int
check_memory_policy (const struct check *check, const struct spec *spec)
{
  const struct spec_memory_policy *policy = spec->linux_->memory_policy;
  if (policy == NULL)
    return 0;
  const char *mode = names_of (&spec_mempolicy_names, policy->mode.value);
  bool nodes = policy->nodes != NULL && *policy->nodes != '\0';
  bool takes_none = policy->mode.value == MPOL_DEFAULT || policy->mode.value == MPOL_LOCAL;
  uint64_t flags = policy->flags.value, both = MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES;
  if (nodes && takes_none)
    return COMPLAIN (check, &policy->nodes, "%s takes no nodes", mode);
  if (!nodes && !takes_none && policy->mode.value != MPOL_PREFERRED)
    return COMPLAIN (check, policy, "%s needs nodes", mode);
  if ((flags & both) == both)
    return COMPLAIN (check, &policy->flags, "MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES exclude each other");
  if ((flags & both) != 0 && !nodes)
    return COMPLAIN (check, &policy->flags, "flags about nodes need nodes");
  if ((flags & MPOL_F_NUMA_BALANCING) != 0 && policy->mode.value != MPOL_BIND
      && policy->mode.value != MPOL_PREFERRED_MANY)
    return COMPLAIN (check, &policy->flags, "MPOL_F_NUMA_BALANCING is for MPOL_BIND and MPOL_PREFERRED_MANY alone");
  return spec_check_number_list (check, &policy->nodes);
}

static bool
has_line_break (const char *text)
{
  return strchr (text, '\n') != NULL;
}

static int
check_intel_rdt (const struct check *check, const struct spec *spec)
{
  const struct spec_intel_rdt *rdt = spec->linux_->intel_rdt;
  if (rdt == NULL)
    return 0;
  const char *id = rdt->clos_id;
  if (id != NULL && strcmp (id, "/") != 0
      && (*id == '\0' || strchr (id, '/') != NULL || strcmp (id, ".") == 0 || strcmp (id, "..") == 0))
    return COMPLAIN (check, &rdt->clos_id, "\"%s\" is not the name of a directory", id);
  if (rdt->l3_cache_schema != NULL && has_line_break (rdt->l3_cache_schema))
    return COMPLAIN (check, &rdt->l3_cache_schema, "has a line break");
  if (rdt->mem_bw_schema != NULL
      && (strncmp (rdt->mem_bw_schema, "MB:", 3) != 0 || has_line_break (rdt->mem_bw_schema)))
    return COMPLAIN (check, &rdt->mem_bw_schema, "must begin with \"MB:\" and have no line break");
  for (size_t i = 0; i < rdt->schemata.count; i++)
    if (has_line_break (rdt->schemata.items[i]))
      return COMPLAIN (check, &rdt->schemata.items[i], "has a line break");
  return 0;
}

static bool
takes_errno (const struct spec_int *action)
{
  return action->value == SECCOMP_RET_ERRNO || action->value == SECCOMP_RET_TRACE;
}

static int
check_seccomp (const struct check *check, const struct spec *spec)
{
  const struct spec_seccomp *seccomp = spec->linux_->seccomp;
  if (seccomp == NULL)
    return 0;
  if (seccomp->default_errno_ret.set && !takes_errno (&seccomp->default_action))
    return COMPLAIN (check, &seccomp->default_errno_ret, "%s returns no errno",
                     names_of (&spec_seccomp_action_names, seccomp->default_action.value));
  if (seccomp->listener_metadata != NULL && seccomp->listener_path == NULL)
    return COMPLAIN (check, &seccomp->listener_metadata, "needs listenerPath");
  for (size_t i = 0; i < seccomp->syscalls.count; i++)
    {
      const struct spec_seccomp_rule *rule = &seccomp->syscalls.items[i];
      if (rule->names.count == 0)
        return COMPLAIN (check, &rule->names, "at least one system call is needed");
      if (rule->errno_ret.set && !takes_errno (&rule->action))
        return COMPLAIN (check, &rule->errno_ret, "%s returns no errno",
                         names_of (&spec_seccomp_action_names, rule->action.value));
    }
  return 0;
}

int
spec_check_linux (const struct check *check, const struct spec *spec)
{
  static int (*const checks[]) (const struct check *, const struct spec *) = {
    check_namespaces,       check_user_mappings, check_time_offsets,  check_devices,   check_net_devices,
    check_restricted_paths, check_personality,   check_memory_policy, check_intel_rdt, check_seccomp,
  };
  int result = 0;
  for (size_t i = 0; i < sizeof checks / sizeof *checks && result == 0 && spec->linux_ != NULL; i++)
    result = checks[i](check, spec);
  return result;
}
