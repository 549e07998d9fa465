/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of resources, and the conversions of single values.  Lists are in resources_lists.c, device rules in
 * devices_v1.c and devices_v2.c.
 *
 * What v2 does not have is refused with a way out, unless the value asks for what v2 does anyway.  */
#include "cgroup/translate.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/strbuf.h"
#include "cgroup/cgroup.h"
#include "cgroup/internal.h"

#define MEMSW_LIMIT "memory.memsw.limit_in_bytes"

/* ---- conversions ------------------------------------------------------------------------------------------------ */

static const char *
number_text (struct emission *emission, const void *member)
{
  switch (emission->row->kind)
    {
    case RESOURCE_INT:
      return arena_printf (emission->arena, "%" PRId64, ((const struct spec_int *) member)->value);
    case RESOURCE_UINT:
      return arena_printf (emission->arena, "%" PRIu64, ((const struct spec_uint *) member)->value);
    case RESOURCE_BOOL:
      return ((const struct spec_bool *) member)->value ? "1" : "0";
    default:
      return *(const char *const *) member;
    }
}

/* The value as it is.  */
static int
emit_value (struct emission *emission, const void *member)
{
  emit_write (emission, emission->side->file, number_text (emission, member), member);
  return 0;
}

/* A limit, of which -1 is none: v2 and pids call that "max".  */
static int
emit_limit (struct emission *emission, const void *member)
{
  bool unlimited = ((const struct spec_int *) member)->value < 0;
  emit_write (emission, emission->side->file, unlimited ? "max" : number_text (emission, member), member);
  return 0;
}

/* v1 has no limit of memory above that of memory and swap: where both are there, no limit takes the other with it.  */
static int
emit_memory_limit (struct emission *emission, const void *member)
{
  const struct spec_int *swap = &emission->resources->memory->swap;
  bool unlimited = ((const struct spec_int *) member)->value < 0;
  if (emission->present != NULL && unlimited && (!swap->set || swap->value == 0))
    emit_write (emission, MEMSW_LIMIT, "-1", member)->optional = true;
  return emit_value (emission, member);
}

/* Kernel memory on v1: newer kernels have no such limit, and then none is what they have.  */
static int
emit_kernel_limit (struct emission *emission, const void *member)
{
  emit_value (emission, member);
  emission->writes->items[emission->writes->count - 1].optional = ((const struct spec_int *) member)->value < 0;
  return 0;
}

/* v1 limits memory and swap together, v2 each alone.  */
static int
emit_swap (struct emission *emission, const void *member)
{
  int64_t swap = ((const struct spec_int *) member)->value;
  const struct spec_int *limit = &emission->resources->memory->limit;
  if (emission->present != NULL && (!limit->set || limit->value == 0))
    limit = &emission->present->memory_limit;
  if (swap < 0)
    {
      emit_write (emission, emission->side->file, "max", member)->optional = true;
      return 0;
    }
  if (!limit->set || limit->value <= 0)
    return emit_error (emission, EINVAL, member, "a limit of memory and swap needs a limit of memory");
  if (swap < limit->value)
    return emit_error (emission, EINVAL, member,
                       "the limit of memory and swap (%" PRId64 ") is lower than that of memory (%" PRId64 ")", swap,
                       limit->value);
  const char *text = arena_printf (emission->arena, "%" PRId64, swap - limit->value);
  /* A kernel without swap has no file, and nothing to limit.  */
  emit_write (emission, emission->side->file, text, member)->optional = swap == limit->value;
  return 0;
}

/* The kernel refuses shares of an idle cgroup and gives back the default when it is idle no longer.  */
static bool
is_idle (const struct emission *emission)
{
  const struct spec_int *idle = &emission->resources->cpu->idle;
  return idle->set && idle->value != 0;
}

static int
emit_shares (struct emission *emission, const void *member)
{
  return is_idle (emission) ? 0 : emit_value (emission, member);
}

static int
emit_weight (struct emission *emission, const void *member)
{
  if (is_idle (emission))
    return 0;
  uint64_t weight = cgroup_shares_to_weight (((const struct spec_uint *) member)->value);
  emit_write (emission, emission->side->file, arena_printf (emission->arena, "%" PRIu64, weight), member);
  return 0;
}

/* cpu.max is "QUOTA PERIOD"; without the second the period stays.  */
static int
emit_cpu_max (struct emission *emission, const void *member)
{
  const struct spec_uint *period = &emission->resources->cpu->period;
  const char *quota = ((const struct spec_int *) member)->value < 0 ? "max" : number_text (emission, member);
  if (period->set && period->value != 0)
    quota = arena_printf (emission->arena, "%s %" PRIu64, quota, period->value);
  emit_write (emission, emission->side->file, quota, member);
  return 0;
}

static int
emit_cpu_period (struct emission *emission, const void *member)
{
  const struct spec_int *quota = &emission->resources->cpu->quota;
  if (quota->set && quota->value != 0)
    return 0; /* written with the quota */
  const char *present = "max";
  if (emission->present != NULL && emission->present->cpu_quota.set)
    present = arena_printf (emission->arena, "%" PRId64, emission->present->cpu_quota.value);
  const char *text = arena_printf (emission->arena, "%s %s", present, number_text (emission, member));
  emit_write (emission, emission->side->file, text, member);
  return 0;
}

/* ---- refusals --------------------------------------------------------------------------------------------------- */

static int
refuse (struct emission *emission, const void *member)
{
  int r = emit_error (emission, EOPNOTSUPP, member, "cgroup v2 has no such setting");
  error_hint (emission->err, "%s", emission->side->note);
  return r;
}

static int
refuse_limit (struct emission *emission, const void *member)
{
  return ((const struct spec_int *) member)->value < 0 ? 0 : refuse (emission, member);
}

static int
refuse_true (struct emission *emission, const void *member)
{
  return ((const struct spec_bool *) member)->value ? refuse (emission, member) : 0;
}

static int
refuse_false (struct emission *emission, const void *member)
{
  return ((const struct spec_bool *) member)->value ? 0 : refuse (emission, member);
}

/* ---- the table -------------------------------------------------------------------------------------------------- */

#define GROUP(member_) ((int) offsetof (struct spec_resources, member_))
#define KIND(type, member_)                                                                                            \
  _Generic (((type *) NULL)->member_, \
  struct spec_int: RESOURCE_INT,      \
  struct spec_uint: RESOURCE_UINT,    \
  struct spec_bool: RESOURCE_BOOL,    \
  const char *: RESOURCE_TEXT,        \
  default: RESOURCE_LIST)

#define IN(group_, member_)                                                                                            \
  .group = GROUP (group_), .kind = KIND (struct spec_##group_, member_),                                               \
  .member = offsetof (struct spec_##group_, member_)
#define DIRECT(member_) .group = -1, .member = offsetof (struct spec_resources, member_)

/* Rows are written in this order.  useHierarchy can only be set before there are limits; an idle state must be left
 * before shares are set.  */
/* clang-format off */
static const struct resource_row rows[] = {
  { "memory.useHierarchy", CGROUP_MEMORY, IN (memory, use_hierarchy),
    .v1 = { emit_value, .file = "memory.use_hierarchy" },
    .v2 = { refuse_false, .note = "v2 always counts descendants; drop useHierarchy" } },
  { "memory.limit", CGROUP_MEMORY, IN (memory, limit), .zero_is_unset = true,
    .v1 = { emit_memory_limit, .file = "memory.limit_in_bytes", .again = true },
    .v2 = { emit_limit, .file = "memory.max", .note = "-1 is max" } },
  { "memory.swap", CGROUP_MEMORY, IN (memory, swap), .zero_is_unset = true,
    .v1 = { emit_value, .file = MEMSW_LIMIT, .again = true },
    .v2 = { emit_swap, .file = "memory.swap.max", .note = "swap - limit; -1 is max" } },
  { "memory.reservation", CGROUP_MEMORY, IN (memory, reservation), .zero_is_unset = true,
    .v1 = { emit_value, .file = "memory.soft_limit_in_bytes" },
    .v2 = { emit_limit, .file = "memory.low", .note = "-1 is max" } },
  { "memory.kernel", CGROUP_MEMORY, IN (memory, kernel), .zero_is_unset = true,
    .v1 = { emit_kernel_limit, .file = "memory.kmem.limit_in_bytes" },
    .v2 = { refuse_limit, .note = "kernel memory counts towards memory.limit; drop memory.kernel" } },
  { "memory.kernelTCP", CGROUP_MEMORY, IN (memory, kernel_tcp), .zero_is_unset = true,
    .v1 = { emit_kernel_limit, .file = "memory.kmem.tcp.limit_in_bytes" },
    .v2 = { refuse_limit, .note = "buffers of sockets count towards memory.limit; drop memory.kernelTCP" } },
  { "memory.swappiness", CGROUP_MEMORY, IN (memory, swappiness),
    .v1 = { emit_value, .file = "memory.swappiness" },
    .v2 = { refuse, .note = "limit swap with memory.swap instead, or drop memory.swappiness" } },
  { "memory.disableOOMKiller", CGROUP_MEMORY, IN (memory, disable_oom_killer),
    .v1 = { emit_value, .file = "memory.oom_control" },
    .v2 = { refuse_true, .note = "v2 always kills; drop disableOOMKiller or set process.oomScoreAdj" } },
  { "memory.checkBeforeUpdate", CGROUP_MEMORY, IN (memory, check_before_update),
    .v1 = { .note = "the kernel refuses a limit below the usage" },
    .v2 = { .note = "a limit below memory.current is refused" } },

  { "cpu.idle", CGROUP_CPU, IN (cpu, idle),
    .v1 = { emit_value, .file = "cpu.idle" },
    .v2 = { emit_value, .file = "cpu.idle" } },
  { "cpu.shares", CGROUP_CPU, IN (cpu, shares), .zero_is_unset = true,
    .v1 = { emit_shares, .file = "cpu.shares" },
    .v2 = { emit_weight, .file = "cpu.weight",
            .note = "ceil (10 ^ ((l^2 + 125 l) / 612 - 7 / 34)), l = log2 (shares)" } },
  { "cpu.period", CGROUP_CPU, IN (cpu, period), .zero_is_unset = true,
    .v1 = { emit_value, .file = "cpu.cfs_period_us", .again = true },
    .v2 = { emit_cpu_period, .file = "cpu.max", .note = "second word", .again = true } },
  { "cpu.quota", CGROUP_CPU, IN (cpu, quota), .zero_is_unset = true,
    .v1 = { emit_value, .file = "cpu.cfs_quota_us", .again = true },
    .v2 = { emit_cpu_max, .file = "cpu.max", .note = "first word; -1 is max", .again = true } },
  { "cpu.burst", CGROUP_CPU, IN (cpu, burst),
    .v1 = { emit_value, .file = "cpu.cfs_burst_us", .again = true },
    .v2 = { emit_value, .file = "cpu.max.burst", .again = true } },
  { "cpu.realtimePeriod", CGROUP_CPU, IN (cpu, realtime_period), .zero_is_unset = true,
    .v1 = { emit_value, .file = "cpu.rt_period_us", .again = true },
    .v2 = { refuse, .note = "v2 does not divide realtime; drop cpu.realtimePeriod" } },
  { "cpu.realtimeRuntime", CGROUP_CPU, IN (cpu, realtime_runtime), .zero_is_unset = true,
    .v1 = { emit_value, .file = "cpu.rt_runtime_us", .again = true },
    .v2 = { refuse, .note = "v2 does not divide realtime; drop cpu.realtimeRuntime" } },
  { "cpu.cpus", CGROUP_CPUSET, IN (cpu, cpus),
    .v1 = { emit_value, .file = "cpuset.cpus" },
    .v2 = { emit_value, .file = "cpuset.cpus" } },
  { "cpu.mems", CGROUP_CPUSET, IN (cpu, mems),
    .v1 = { emit_value, .file = "cpuset.mems" },
    .v2 = { emit_value, .file = "cpuset.mems" } },

  { "pids.limit", CGROUP_PIDS, IN (pids, limit),
    .v1 = { emit_limit, .file = "pids.max", .note = "-1 is max; so is 0 before 1.3" },
    .v2 = { emit_limit, .file = "pids.max", .note = "-1 is max; so is 0 before 1.3" } },

  { "blockIO.weight", CGROUP_IO, IN (block_io, weight), .zero_is_unset = true,
    .v1 = { emit_blkio_weight, .file = "blkio.weight", .extra = "blkio.bfq.weight" },
    .v2 = { emit_io_weight, .file = "io.bfq.weight", .extra = "io.weight",
            .note = "io.weight: 1 + (weight - 10) * 9999 / 990" } },
  { "blockIO.leafWeight", CGROUP_IO, IN (block_io, leaf_weight), .zero_is_unset = true,
    .v1 = { emit_value, .file = "blkio.leaf_weight" },
    .v2 = { refuse, .note = "v2 has no processes beside child cgroups; drop blockIO.leafWeight" } },
  { "blockIO.weightDevice", CGROUP_IO, IN (block_io, weight_device),
    .v1 = { emit_blkio_weight_devices, .file = "blkio.weight_device", .extra = "blkio.bfq.weight_device",
            .note = "leafWeight: blkio.leaf_weight_device" },
    .v2 = { emit_io_weight_devices, .file = "io.bfq.weight", .extra = "io.weight", .note = "leafWeight is refused" } },
  { "blockIO.throttleReadBpsDevice", CGROUP_IO, IN (block_io, read_bps),
    .v1 = { emit_blkio_throttle, .file = "blkio.throttle.read_bps_device" },
    .v2 = { emit_io_max, .file = "io.max", .extra = "rbps" } },
  { "blockIO.throttleWriteBpsDevice", CGROUP_IO, IN (block_io, write_bps),
    .v1 = { emit_blkio_throttle, .file = "blkio.throttle.write_bps_device" },
    .v2 = { emit_io_max, .file = "io.max", .extra = "wbps" } },
  { "blockIO.throttleReadIOPSDevice", CGROUP_IO, IN (block_io, read_iops),
    .v1 = { emit_blkio_throttle_iops, .file = "blkio.throttle.read_iops_device" },
    .v2 = { emit_io_max, .file = "io.max", .extra = "riops" } },
  { "blockIO.throttleWriteIOPSDevice", CGROUP_IO, IN (block_io, write_iops),
    .v1 = { emit_blkio_throttle_iops, .file = "blkio.throttle.write_iops_device" },
    .v2 = { emit_io_max, .file = "io.max", .extra = "wiops" } },

  { "hugepageLimits", CGROUP_HUGETLB, RESOURCE_LIST, DIRECT (hugepage_limits),
    .v1 = { emit_hugetlb, .file = "hugetlb.SIZE.limit_in_bytes", .extra = "hugetlb.SIZE.rsvd.limit_in_bytes" },
    .v2 = { emit_hugetlb, .file = "hugetlb.SIZE.max", .extra = "hugetlb.SIZE.rsvd.max" } },
  { "rdma", CGROUP_RDMA, RESOURCE_LIST, DIRECT (rdma),
    .v1 = { emit_rdma, .file = "rdma.max" },
    .v2 = { emit_rdma, .file = "rdma.max" } },
  { "network.classID", CGROUP_NET_CLS, IN (network, class_id),
    .v1 = { emit_value, .file = "net_cls.classid" },
    .v2 = { refuse, .note = "match on the cgroup in nftables (socket cgroupv2) instead; drop network.classID" } },
  { "network.priorities", CGROUP_NET_PRIO, IN (network, priorities),
    .v1 = { emit_priorities, .file = "net_prio.ifpriomap" },
    .v2 = { refuse, .note = "set priorities with nftables (socket cgroupv2) instead; drop network.priorities" } },

  { "devices", CGROUP_DEVICES, RESOURCE_ALWAYS, DIRECT (devices),
    .v1 = { emit_devices_v1, .file = "devices.allow", .extra = "devices.deny" },
    .v2 = { .note = "a program of type BPF_PROG_TYPE_CGROUP_DEVICE" } },

  { "unified", CGROUP_UNIFIED, RESOURCE_LIST, DIRECT (unified),
    .v1 = { .note = "needs a v2 hierarchy" },
    .v2 = { emit_unified, .file = "the file named by the key", .note = "line by line" } },
};
/* clang-format on */

/* ---- walking it ------------------------------------------------------------------------------------------------- */

/* Names on v1 and v2; NULL: no such controller.  */
static const struct
{
  const char *v1, *v2;
} controllers[CGROUP_CONTROLLERS] = {
  [CGROUP_CPU] = { "cpu", "cpu" },          [CGROUP_CPUSET] = { "cpuset", "cpuset" },
  [CGROUP_MEMORY] = { "memory", "memory" }, [CGROUP_PIDS] = { "pids", "pids" },
  [CGROUP_IO] = { "blkio", "io" },          [CGROUP_HUGETLB] = { "hugetlb", "hugetlb" },
  [CGROUP_RDMA] = { "rdma", "rdma" },       [CGROUP_NET_CLS] = { "net_cls", NULL },
  [CGROUP_NET_PRIO] = { "net_prio", NULL }, [CGROUP_DEVICES] = { "devices", NULL },
  [CGROUP_UNIFIED] = { NULL, NULL },
};

void
cgroup_places_find (struct cgroup_places *places, const struct cgroup_host *host)
{
  places->host = host;
  for (int i = 0; i < CGROUP_CONTROLLERS; i++)
    places->v1[i] = controllers[i].v1 != NULL ? cgroup_v1_index (host, controllers[i].v1) : CGROUP_NOWHERE;
  places->v2 = cgroup_v2_index (host);
  places->v2_controllers = NULL;
}

/* The size of the row's member, which is what WHERE points to when its own SIZE is not known: 1, of a void.  */
static size_t
member_size (const struct resource_row *row, size_t size)
{
  static const size_t sizes[] = {
    [RESOURCE_INT] = sizeof (struct spec_int),        [RESOURCE_UINT] = sizeof (struct spec_uint),
    [RESOURCE_BOOL] = sizeof (struct spec_bool),      [RESOURCE_TEXT] = sizeof (const char *),
    [RESOURCE_LIST] = sizeof (struct spec_strings), /* all lists are an address and a count */
    [RESOURCE_ALWAYS] = sizeof (struct spec_strings),
  };
  return size == 1 ? sizes[row->kind] : size;
}

struct cgroup_write *
cgroup_writes_add (struct arena *arena, struct cgroup_writes *writes, const struct cgroup_write *item)
{
  if (writes->count == writes->capacity)
    {
      writes->capacity = writes->capacity == 0 ? 32 : writes->capacity * 2;
      struct cgroup_write *items = arena_array (arena, struct cgroup_write, writes->capacity);
      if (writes->count > 0)
        memcpy (items, writes->items, writes->count * sizeof *items);
      writes->items = items;
    }
  writes->items[writes->count] = *item;
  return &writes->items[writes->count++];
}

struct cgroup_write *
emit_write_of (struct emission *emission, const char *file, const char *value, const void *where, size_t where_size)
{
  const struct cgroup_write item = {
    .hierarchy = emission->hierarchy,
    .file = file,
    .value = value,
    .where = where,
    .where_size = member_size (emission->row, where_size),
    .again = emission->side->again,
  };
  return cgroup_writes_add (emission->arena, emission->writes, &item);
}

int
emit_error_of (struct emission *emission, int code, const void *where, size_t where_size, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  const char *text = arena_vprintf (emission->arena, format, args);
  va_end (args);
  where_size = member_size (emission->row, where_size);
  if (emission->spec == NULL)
    return error_set (emission->err, code, "linux.resources.%s: %s", emission->row->name, text);
  return error_set (emission->err, code, "%s: %s", spec_where_of (emission->arena, emission->spec, where, where_size),
                    text);
}

/* The address of the row's member in RESOURCES, or NULL if it is not set.  */
static const void *
find_member (const struct resource_row *row, const struct spec_resources *resources)
{
  if (resources == NULL)
    return NULL;
  const char *group = (const char *) resources;
  if (row->group >= 0)
    group = *(const char *const *) (const void *) (group + row->group);
  if (group == NULL)
    return NULL;

  const void *member = group + row->member;
  const struct spec_int *number = member; /* all numbers begin with SET */
  bool set = true;
  switch (row->kind)
    {
    case RESOURCE_INT:
      set = number->set && !(row->zero_is_unset && number->value == 0);
      break;
    case RESOURCE_UINT:
      {
        const struct spec_uint *natural = member;
        set = natural->set && !(row->zero_is_unset && natural->value == 0);
        break;
      }
    case RESOURCE_BOOL:
      set = ((const struct spec_bool *) member)->set;
      break;
    case RESOURCE_TEXT:
      set = *(const char *const *) member != NULL && **(const char *const *) member != '\0';
      break;
    case RESOURCE_LIST:
    case RESOURCE_ALWAYS:
      set = ((const struct spec_strings *) member)->count > 0;
      break;
    }
  return set ? member : NULL;
}

static int
missing_controller (struct emission *emission, const void *member)
{
  enum cgroup_controller controller = emission->row->controller;
  if (controller == CGROUP_UNIFIED)
    return emit_error (emission, EOPNOTSUPP, member, "there is no cgroup v2 hierarchy on this host");
  int r
      = emit_error (emission, EOPNOTSUPP, member, "there is no %s controller on this host", controllers[controller].v1);
  const char *offered = emission->places->v2_controllers;
  if (offered != NULL && *offered != '\0')
    error_hint (emission->err, "cgroup v2 offers here: %s; drop the limit, or hand the controller to v2", offered);
  else
    error_hint (emission->err, "mount it below " CGROUP_ROOT " or enable it in the kernel, or drop the limit");
  return r;
}

bool
emit_enable (struct emission *emission, const char *controller)
{
  struct cgroup_places *places = emission->places;
  if (places->v2 < 0)
    return false;
  if (places->v2_controllers == NULL)
    places->v2_controllers = cgroup_v2_controllers (emission->arena, places->host);
  if (!cgroup_has_word (places->v2_controllers, " ", controller))
    return false;

  const char *word = arena_printf (emission->arena, "+%s", controller), *enable = emission->writes->enable;
  if (enable == NULL)
    emission->writes->enable = word;
  else if (!cgroup_has_word (enable, " ", word))
    emission->writes->enable = arena_printf (emission->arena, "%s %s", enable, word);
  return true;
}

/* Emits one row, on the side where its controller is.  */
static int
translate_row (struct emission *emission, const void *member)
{
  const struct resource_row *row = emission->row;
  int v1 = emission->places->v1[row->controller];
  if (v1 >= 0)
    {
      emission->hierarchy = v1;
      emission->side = &row->v1;
      return row->v1.emit != NULL ? row->v1.emit (emission, member) : 0;
    }

  emission->hierarchy = emission->places->v2;
  emission->side = &row->v2;
  if (row->controller == CGROUP_DEVICES)
    return emission->places->v2 < 0 && member != NULL && ((const struct spec_strings *) member)->count > 0
               ? missing_controller (emission, member)
               : 0;
  if (row->v2.emit == NULL)
    return 0;
  bool needs_controller = row->v2.file != NULL && controllers[row->controller].v2 != NULL;
  if (needs_controller && !emit_enable (emission, controllers[row->controller].v2))
    return missing_controller (emission, member);
  if (emission->places->v2 < 0)
    return missing_controller (emission, member);
  return row->v2.emit (emission, member);
}

static int
translate (struct emission *emission)
{
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    {
      /* An update finds the devices that are always allowed in place.  */
      bool always = rows[i].kind == RESOURCE_ALWAYS && emission->present == NULL;
      const void *member = find_member (&rows[i], emission->resources);
      if (member == NULL && !always)
        continue;
      emission->row = &rows[i];
      int r = translate_row (emission, member);
      if (r < 0)
        return r;
    }
  return 0;
}

int
cgroup_translate (struct arena *arena, struct cgroup_places *places, const struct spec *spec,
                  const struct spec_resources *resources, struct cgroup_writes *ret_writes, struct error *err)
{
  return cgroup_translate_update (arena, places, spec, resources, NULL, ret_writes, err);
}

int
cgroup_translate_update (struct arena *arena, struct cgroup_places *places, const struct spec *spec,
                         const struct spec_resources *resources, const struct cgroup_present *present,
                         struct cgroup_writes *ret_writes, struct error *err)
{
  struct cgroup_writes writes = { 0 };
  struct emission emission = { .arena = arena,
                               .places = places,
                               .spec = spec,
                               .resources = resources,
                               .present = present,
                               .writes = &writes,
                               .err = err };
  int r = translate (&emission);
  if (r == 0)
    *ret_writes = writes;
  return r;
}

/* "FILE or EXTRA (NOTE)".  */
static const char *
side_text (struct arena *arena, const struct resource_side *side)
{
  if (side->file == NULL)
    return side->emit == NULL ? side->note : arena_printf (arena, "refused: %s", side->note);
  struct strbuf out = STRBUF_INIT (arena);
  strbuf_add (&out, side->file);
  if (side->extra != NULL)
    strbuf_printf (&out, ", %s", side->extra);
  if (side->note != NULL)
    strbuf_printf (&out, " (%s)", side->note);
  return strbuf_text (&out);
}

bool
cgroup_resource_text (struct arena *arena, size_t i, struct cgroup_resource_text *ret_text)
{
  if (i >= sizeof rows / sizeof *rows)
    return false;
  *ret_text = (struct cgroup_resource_text){
    .member = rows[i].name,
    .v1 = side_text (arena, &rows[i].v1),
    .v2 = side_text (arena, &rows[i].v2),
  };
  return true;
}
