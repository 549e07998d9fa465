/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rules of config-linux.md#control-groups.  */
#include <string.h>

#include "spec/source.h"
#include "spec/validate.h"

/* A path that climbs leaves the place that was delegated to us.  */
static int
check_cgroups_path (const struct check *check, const struct spec *spec)
{
  const char *path = spec->linux_->cgroups_path;
  while (path != NULL && *path != '\0')
    {
      size_t length = strcspn (path, "/");
      if (length == 2 && strncmp (path, "..", 2) == 0)
        return COMPLAIN (check, &spec->linux_->cgroups_path, "must not contain \"..\"");
      path += length + (path[length] == '/');
    }
  return 0;
}

static int
check_device_rules (const struct check *check, const struct spec_resources *resources)
{
  for (size_t i = 0; i < resources->devices.count; i++)
    {
      const struct spec_device_rule *rule = &resources->devices.items[i];
      if (rule->type != NULL && (strlen (rule->type) != 1 || strchr ("abc", *rule->type) == NULL))
        return COMPLAIN (check, &rule->type, "expected \"a\", \"b\" or \"c\", not \"%s\"", rule->type);
      if (rule->access != NULL && (*rule->access == '\0' || rule->access[strspn (rule->access, "rwm")] != '\0'))
        return COMPLAIN (check, &rule->access, "expected letters of \"rwm\", not \"%s\"", rule->access);
    }
  return 0;
}

static int
check_cpu (const struct check *check, const struct spec_resources *resources)
{
  const struct spec_cpu *cpu = resources->cpu;
  if (cpu != NULL && cpu->burst.set && cpu->quota.value > 0 && cpu->burst.value > (uint64_t) cpu->quota.value)
    return COMPLAIN (check, &cpu->burst, "larger than the quota, %jd", (intmax_t) cpu->quota.value);
  return 0;
}

static int
check_block_io (const struct check *check, const struct spec_resources *resources)
{
  const struct spec_block_io *io = resources->block_io;
  for (size_t i = 0; io != NULL && i < io->weight_device.count; i++)
    {
      const struct spec_weight_device *device = &io->weight_device.items[i];
      if (!device->weight.set && !device->leaf_weight.set)
        return COMPLAIN (check, device, "weight or leafWeight is needed");
    }
  return 0;
}

/* "64KB", "2MB", "1GB" */
static bool
is_page_size (const char *text)
{
  size_t digits = strspn (text, "0123456789");
  return digits > 0 && *text != '0' && text[digits] != '\0' && strchr ("KMG", text[digits]) != NULL
         && strcmp (text + digits + 1, "B") == 0;
}

static int
check_hugepages (const struct check *check, const struct spec_resources *resources)
{
  for (size_t i = 0; i < resources->hugepage_limits.count; i++)
    {
      const char *const *size = &resources->hugepage_limits.items[i].page_size;
      if (!is_page_size (*size))
        return COMPLAIN (check, size, "expected a size such as \"2MB\", not \"%s\"", *size);
    }
  return 0;
}

static int
check_rdma (const struct check *check, const struct spec_resources *resources)
{
  for (size_t i = 0; i < resources->rdma.count; i++)
    {
      const struct spec_rdma *rdma = &resources->rdma.items[i];
      if (!rdma->hca_handles.set && !rdma->hca_objects.set)
        return COMPLAIN (check, rdma, "hcaHandles or hcaObjects is needed");
    }
  return 0;
}

/* Each key is a file of the container's cgroup and of nowhere else.  */
static int
check_unified (const struct check *check, const struct spec_resources *resources)
{
  for (size_t i = 0; i < resources->unified.count; i++)
    {
      const struct spec_pair *pair = &resources->unified.items[i];
      const char *dot = strchr (pair->key, '.');
      if (strchr (pair->key, '/') != NULL || dot == NULL || dot == pair->key || dot[1] == '\0')
        return COMPLAIN (check, pair, "\"%s\" is not of the form CONTROLLER.PARAMETER", pair->key);
    }
  return 0;
}

int
spec_check_resources (const struct check *check, const struct spec *spec)
{
  static int (*const checks[]) (const struct check *, const struct spec_resources *) = {
    check_device_rules, check_cpu, check_block_io, check_hugepages, check_rdma, check_unified,
  };
  if (spec->linux_ == NULL)
    return 0;
  int result = check_cgroups_path (check, spec);
  for (size_t i = 0; i < sizeof checks / sizeof *checks && result == 0 && spec->linux_->resources != NULL; i++)
    result = checks[i](check, spec->linux_->resources);
  return result;
}
