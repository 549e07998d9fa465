/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Resources that are lists: one write an element, or several.  */
#include "cgroup/translate.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"

/* ---- block IO --------------------------------------------------------------------------------------------------- */

static const char *
device_text (struct emission *emission, const struct spec_int *major, const struct spec_int *minor)
{
  return arena_printf (emission->arena, "%" PRId64 ":%" PRId64, major->value, minor->value);
}

/* 10 ... 1000 of v1 and BFQ to 1 ... 10000 of io.weight.  */
static uint64_t
io_weight (uint64_t weight)
{
  return weight <= 10 ? 1 : 1 + (weight - 10) * 9999 / 990;
}

/* Writes VALUE to the file of the side or, on a kernel without it, OTHER to its extra one.  */
static void
emit_either (struct emission *emission, const char *value, const char *other, const struct spec_uint *where)
{
  struct cgroup_write *write = emit_write (emission, emission->side->file, value, where);
  write->or_next = true;
  emit_write (emission, emission->side->extra, other, where);
}

/* CFQ's file is gone since kernel 5.0; BFQ took its place.  */
int
emit_blkio_weight (struct emission *emission, const void *member)
{
  const struct spec_uint *weight = member;
  const char *text = arena_printf (emission->arena, "%" PRIu64, weight->value);
  emit_either (emission, text, text, weight);
  return 0;
}

int
emit_io_weight (struct emission *emission, const void *member)
{
  const struct spec_uint *weight = member;
  emit_either (emission, arena_printf (emission->arena, "%" PRIu64, weight->value),
               arena_printf (emission->arena, "%" PRIu64, io_weight (weight->value)), weight);
  return 0;
}

int
emit_blkio_weight_devices (struct emission *emission, const void *member)
{
  const struct spec_block_io *block_io = emission->resources->block_io;
  (void) member;
  for (size_t i = 0; i < block_io->weight_device.count; i++)
    {
      const struct spec_weight_device *item = &block_io->weight_device.items[i];
      const char *device = device_text (emission, &item->major, &item->minor);
      const char *weight = arena_printf (emission->arena, "%s %" PRIu64, device, item->weight.value);
      const char *leaf_weight = arena_printf (emission->arena, "%s %" PRIu64, device, item->leaf_weight.value);
      if (item->weight.set)
        emit_either (emission, weight, weight, &item->weight);
      if (item->leaf_weight.set)
        emit_write (emission, "blkio.leaf_weight_device", leaf_weight, &item->leaf_weight);
    }
  return 0;
}

int
emit_io_weight_devices (struct emission *emission, const void *member)
{
  const struct spec_block_io *block_io = emission->resources->block_io;
  (void) member;
  for (size_t i = 0; i < block_io->weight_device.count; i++)
    {
      const struct spec_weight_device *item = &block_io->weight_device.items[i];
      const char *device = device_text (emission, &item->major, &item->minor);
      uint64_t weight = item->weight.value;
      if (item->leaf_weight.set)
        {
          int r = emit_error (emission, EOPNOTSUPP, &item->leaf_weight, "cgroup v2 has no such setting");
          error_hint (emission->err, "drop leafWeight");
          return r;
        }
      if (item->weight.set)
        emit_either (emission, arena_printf (emission->arena, "%s %" PRIu64, device, weight),
                     arena_printf (emission->arena, "%s %" PRIu64, device, io_weight (weight)), &item->weight);
    }
  return 0;
}

/* A rate of more than LARGEST is that.  */
static int
emit_rates (struct emission *emission, const struct spec_throttle_list *list, uint64_t largest)
{
  for (size_t i = 0; i < list->count; i++)
    {
      const struct spec_throttle_device *item = &list->items[i];
      uint64_t rate = item->rate.value < largest ? item->rate.value : largest;
      const char *text
          = arena_printf (emission->arena, "%s %" PRIu64, device_text (emission, &item->major, &item->minor), rate);
      emit_write (emission, emission->side->file, text, &item->rate);
    }
  return 0;
}

int
emit_blkio_throttle (struct emission *emission, const void *member)
{
  return emit_rates (emission, member, UINT64_MAX);
}

/* v1 keeps the lower 32 bits, and would make one operation of 2^32 + 1; v2 takes the largest number, as here.  */
int
emit_blkio_throttle_iops (struct emission *emission, const void *member)
{
  return emit_rates (emission, member, UINT32_MAX);
}

/* A rate of 0 is none: v1 takes it so, v2 says "max".  */
int
emit_io_max (struct emission *emission, const void *member)
{
  const struct spec_throttle_list *list = member;
  for (size_t i = 0; i < list->count; i++)
    {
      const struct spec_throttle_device *item = &list->items[i];
      const char *device = device_text (emission, &item->major, &item->minor);
      const char *rate = item->rate.value == 0 ? "max" : arena_printf (emission->arena, "%" PRIu64, item->rate.value);
      emit_write (emission, emission->side->file,
                  arena_printf (emission->arena, "%s %s=%s", device, emission->side->extra, rate), &item->rate);
    }
  return 0;
}

/* ---- huge pages, rdma, network ---------------------------------------------------------------------------------- */

/* "64KB", "2MB", "1GB", as the kernel names its files.  */
static bool
is_page_size (const char *text)
{
  size_t digits = strspn (text, "0123456789");
  return digits > 0 && digits < 20 && text[0] != '0' && strchr ("KMG", text[digits]) != NULL && text[digits] != '\0'
         && strcmp (text + digits + 1, "B") == 0;
}

/* FILE with SIZE for the word "SIZE" in it.  */
static const char *
sized_file (struct emission *emission, const char *file, const char *size)
{
  const char *at = strstr (file, "SIZE");
  return arena_printf (emission->arena, "%.*s%s%s", (int) (at - file), file, size, at + strlen ("SIZE"));
}

/* The limit of reservations is what the specification prefers; older kernels (before 5.7) do not have it.  The limit of
 * faults is set as well, so that memory mapped without reservation is bounded everywhere.  */
int
emit_hugetlb (struct emission *emission, const void *member)
{
  const struct spec_resources *resources = emission->resources;
  (void) member;
  for (size_t i = 0; i < resources->hugepage_limits.count; i++)
    {
      const struct spec_hugepage_limit *item = &resources->hugepage_limits.items[i];
      if (!is_page_size (item->page_size))
        return emit_error (emission, EINVAL, &item->page_size, "\"%s\" is no page size such as 2MB", item->page_size);
      const char *text = arena_printf (emission->arena, "%" PRIu64, item->limit.value);
      emit_write (emission, sized_file (emission, emission->side->file, item->page_size), text, item);
      emit_write (emission, sized_file (emission, emission->side->extra, item->page_size), text, item)->optional = true;
    }
  return 0;
}

int
emit_rdma (struct emission *emission, const void *member)
{
  const struct spec_resources *resources = emission->resources;
  (void) member;
  for (size_t i = 0; i < resources->rdma.count; i++)
    {
      const struct spec_rdma *item = &resources->rdma.items[i];
      const char *text = item->key;
      if (item->hca_handles.set)
        text = arena_printf (emission->arena, "%s hca_handle=%" PRIu64, text, item->hca_handles.value);
      if (item->hca_objects.set)
        text = arena_printf (emission->arena, "%s hca_object=%" PRIu64, text, item->hca_objects.value);
      if (text == item->key)
        return emit_error (emission, EINVAL, item, "neither hcaHandles nor hcaObjects is given");
      emit_write (emission, emission->side->file, text, item);
    }
  return 0;
}

int
emit_priorities (struct emission *emission, const void *member)
{
  const struct spec_network *network = emission->resources->network;
  (void) member;
  for (size_t i = 0; i < network->priorities.count; i++)
    {
      const struct spec_interface_priority *item = &network->priorities.items[i];
      emit_write (emission, emission->side->file,
                  arena_printf (emission->arena, "%s %" PRIu64, item->name, item->priority.value), item);
    }
  return 0;
}

/* ---- unified ---------------------------------------------------------------------------------------------------- */

/* Some files of the kernel (io.max) take one line a write.  */
static void
emit_lines (struct emission *emission, const struct spec_pair *pair)
{
  for (const char *at = pair->value;;)
    {
      size_t length = strcspn (at, "\n");
      if (length > 0 || pair->value[0] == '\0')
        emit_write (emission, pair->key, arena_strndup (emission->arena, at, length), pair);
      if (at[length] == '\0' || at[length + 1] == '\0')
        break;
      at += length + 1;
    }
}

/* The controller is what stands before the first dot; "cgroup" is the core, which is always there.  */
int
emit_unified (struct emission *emission, const void *member)
{
  const struct spec_map *unified = member;
  for (size_t i = 0; i < unified->count; i++)
    {
      const struct spec_pair *pair = &unified->items[i];
      size_t length = strcspn (pair->key, ".");
      if (length == 0 || pair->key[length] == '\0' || strchr (pair->key, '/') != NULL)
        return emit_error (emission, EINVAL, pair, "\"%s\" is no name of a cgroup file such as memory.high", pair->key);
      const char *controller = arena_strndup (emission->arena, pair->key, length);
      if (strcmp (controller, "cgroup") != 0 && !emit_enable (emission, controller))
        {
          int r = emit_error (emission, EOPNOTSUPP, pair, "the v2 hierarchy has no %s controller for \"%s\"",
                              controller, pair->key);
          error_hint (emission->err, "it offers \"%s\"", emission->places->v2_controllers);
          return r;
        }
      emit_lines (emission, pair);
    }
  return 0;
}
