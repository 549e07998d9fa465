/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Properties of a unit from the writes of a translation (org.freedesktop.systemd1(5), systemd.resource-control(5)).
 *
 * The table goes by files, not by members of the configuration: so it needs no conversion from v1 to v2 of its own, and
 * has linux.resources.unified for nothing.  */
#include "cgroup/systemd.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "cgroup/resources.h"
#include "spec/spec.h"

#define INFINITE UINT64_MAX

/* ---- lists of properties ---------------------------------------------------------------------------------------- */

struct unit_property *
unit_properties_add (struct unit_properties *properties, const char *name, const char *type)
{
  if (properties->count == properties->capacity)
    {
      properties->capacity = properties->capacity == 0 ? 32 : properties->capacity * 2;
      struct unit_property *items = arena_array (properties->arena, struct unit_property, properties->capacity);
      if (properties->count > 0)
        memcpy (items, properties->items, properties->count * sizeof *items);
      properties->items = items;
    }
  struct unit_property *property = &properties->items[properties->count++];
  *property = (struct unit_property){ .name = name, .type = type };
  return property;
}

void
unit_property_add (struct unit_properties *properties, struct unit_property *property, struct unit_value value)
{
  if (property->count == property->capacity)
    {
      property->capacity = property->capacity == 0 ? 4 : property->capacity * 2;
      struct unit_value *values = arena_array (properties->arena, struct unit_value, property->capacity);
      if (property->count > 0)
        memcpy (values, property->values, property->count * sizeof *values);
      property->values = values;
    }
  property->values[property->count++] = value;
}

void
unit_properties_text (struct unit_properties *properties, const char *name, const char *text)
{
  unit_property_add (properties, unit_properties_add (properties, name, "s"), (struct unit_value){ .text = text });
}

void
unit_properties_number (struct unit_properties *properties, const char *name, const char *type, uint64_t number)
{
  unit_property_add (properties, unit_properties_add (properties, name, type), (struct unit_value){ .number = number });
}

struct unit_property *
unit_properties_find (const struct unit_properties *properties, const char *name)
{
  for (size_t i = properties->count; i-- > 0;)
    if (strcmp (properties->items[i].name, name) == 0)
      return &properties->items[i];
  return NULL;
}

/* ---- conversions ------------------------------------------------------------------------------------------------ */

struct conversion
{
  struct unit_properties *properties;
  struct unit_cpu cpu;
  bool has_quota, has_period; /* they are among the writes */
};

struct property_row
{
  const char *file;
  bool v2;
  const char *property;
  void (*convert) (struct conversion *conversion, const struct property_row *row, const char *text);
  uint64_t least;  /* that systemd takes; the kernel does the same with what is below */
  uint64_t none;   /* from here on the kernel means no limit by it; 0: it has a word for that */
  const char *key; /* of the line of io.max */
};

/* Reads a number as the kernel does: "max", -1, or with K, M, G or T for powers of 1024.  */
static bool
read_limit (const char *text, uint64_t *ret_number)
{
  static const char units[] = "KMGT";
  char *end;
  text += strspn (text, " ");
  if (strncmp (text, "max", 3) == 0 || strncmp (text, "-1", 2) == 0)
    {
      *ret_number = INFINITE;
      return true;
    }
  errno = 0;
  unsigned long long number = strtoull (text, &end, 10);
  if (end == text || *text == '-' || errno != 0)
    return false;
  const char *unit = *end == '\0' ? NULL : strchr (units, toupper ((unsigned char) *end));
  unsigned shift = unit == NULL ? 0 : 10 * (unsigned) (unit - units + 1);
  if (number > UINT64_MAX >> shift)
    return false;
  *ret_number = (uint64_t) number << shift;
  return true;
}

/* One property for the whole file; what is written last holds.  */
static void
set_number (struct conversion *conversion, const char *name, uint64_t number)
{
  struct unit_property *property = unit_properties_find (conversion->properties, name);
  if (property != NULL)
    property->values[0].number = number;
  else
    unit_properties_number (conversion->properties, name, "t", number);
}

static void
add_limit (struct conversion *conversion, const struct property_row *row, const char *text)
{
  uint64_t number;
  if (!read_limit (text, &number))
    return;
  if (row->none != 0 && number >= row->none)
    number = INFINITE;
  set_number (conversion, row->property, number < row->least ? row->least : number);
}

/* NUMBER for the block device "8:0" of TEXT.  */
static void
add_for_device (struct conversion *conversion, const char *name, const char *text, uint64_t number)
{
  struct unit_properties *properties = conversion->properties;
  struct unit_property *property = unit_properties_find (properties, name);
  int length = (int) strcspn (text, " ");
  if (property == NULL)
    property = unit_properties_add (properties, name, "a(st)");
  const char *node = arena_printf (properties->arena, "/dev/block/%.*s", length, text);
  unit_property_add (properties, property, (struct unit_value){ .text = node });
  unit_property_add (properties, property, (struct unit_value){ .number = number });
}

/* "default 100", "100", or "8:0 100" for one device.  */
static void
add_weight (struct conversion *conversion, const struct property_row *row, const char *text)
{
  uint64_t number;
  const char *blank = strrchr (text, ' ');
  bool device = strchr (text, ':') != NULL;
  if (!read_limit (blank != NULL ? blank : text, &number) || number == INFINITE || number == 0)
    return;
  if (device)
    add_for_device (conversion, row->key, text, number);
  else
    set_number (conversion, row->property, number);
}

/* "8:0 rbps=1000 wiops=max".  */
static void
add_throttle (struct conversion *conversion, const struct property_row *row, const char *text)
{
  uint64_t number;
  const char *value = strstr (text, row->key);
  if (value != NULL && read_limit (value + strlen (row->key), &number))
    add_for_device (conversion, row->property, text, number);
}

static void
note_period (struct conversion *conversion, const struct property_row *row, const char *text)
{
  uint64_t number;
  (void) row;
  if (!read_limit (text, &number) || number == INFINITE || number == 0)
    return;
  conversion->cpu.period = number;
  conversion->has_period = true;
}

/* "QUOTA PERIOD", or one of them.  */
static void
note_quota (struct conversion *conversion, const struct property_row *row, const char *text)
{
  uint64_t number;
  const char *period = strchr (text, ' ');
  if (read_limit (text, &number) && number > 0)
    {
      conversion->cpu.quota = number;
      conversion->has_quota = true;
    }
  if (period != NULL)
    note_period (conversion, row, period);
}

/* systemd counts in µs for each second, and writes it into the unit's file as whole percents, rounded down: what it
 * reads back at a daemon-reload must not be less than what was asked for.  */
static void
add_quota (struct conversion *conversion)
{
  enum
  {
    SECOND = 1000000,
    PERCENT = SECOND / 100,
    DEFAULT_PERIOD = 100000
  };
  uint64_t quota = conversion->cpu.quota, second = INFINITE;
  uint64_t period = conversion->cpu.period != 0 ? conversion->cpu.period : DEFAULT_PERIOD;
  if (conversion->has_period)
    unit_properties_number (conversion->properties, "CPUQuotaPeriodUSec", "t", period);
  if (quota == 0 || !(conversion->has_quota || conversion->has_period))
    return;
  if (quota != INFINITE && quota < UINT64_MAX / SECOND)
    second = (quota * SECOND / period + PERCENT - 1) / PERCENT * PERCENT;
  unit_properties_number (conversion->properties, "CPUQuotaPerSecUSec", "t", second);
}

/* "0-3,7" as a mask, the lowest first; none is that of the cgroup above.  */
static void
add_numbers (struct conversion *conversion, const struct property_row *row, const char *text)
{
  enum
  {
    BYTES = 1024
  };
  unsigned char mask[BYTES] = { 0 };
  unsigned first, last, used = 0;
  int r;
  text += *text == '\n'; /* so an empty list is written */
  while ((r = spec_number_list_next (&text, &first, &last)) > 0 && last < BYTES * 8)
    {
      for (unsigned i = first; i <= last; i++)
        mask[i / 8] |= (unsigned char) (1 << i % 8);
      used = last / 8 + 1 > used ? last / 8 + 1 : used;
    }
  if (r != 0)
    return;
  struct unit_property *property = unit_properties_find (conversion->properties, row->property);
  if (property == NULL)
    property = unit_properties_add (conversion->properties, row->property, "ay");
  property->count = 0;
  for (unsigned i = 0; i < used; i++)
    unit_property_add (conversion->properties, property, (struct unit_value){ .number = mask[i] });
}

/* ---- the table -------------------------------------------------------------------------------------------------- */

/* Not in it are v1's throttles: BlockIOReadBandwidth is forgotten when systemd reads BlockIOWriteBandwidth back from
 * the unit's file, so that at a daemon-reload it would take the limit away.  Of what it was not told it leaves the file
 * alone.  */

/* The most that v1 limits memory to, in whole pages of up to 64 KiB, is what it shows where it does not.  */
#define V1_MEMORY_NONE ((uint64_t) INT64_MAX & ~(uint64_t) 0xffff)

#define V1(file_, property_, ...) .file = file_, .v2 = false, .property = property_, .convert = __VA_ARGS__
#define V2(file_, property_, ...) .file = file_, .v2 = true, .property = property_, .convert = __VA_ARGS__

/* clang-format off */
static const struct property_row rows[] = {
  { V1 ("memory.limit_in_bytes", "MemoryLimit", add_limit, .least = 1, .none = V1_MEMORY_NONE) },
  { V2 ("memory.max", "MemoryMax", add_limit, .least = 1) },
  { V2 ("memory.high", "MemoryHigh", add_limit, .least = 1) },
  { V2 ("memory.low", "MemoryLow", add_limit) },
  { V2 ("memory.min", "MemoryMin", add_limit) },
  { V2 ("memory.swap.max", "MemorySwapMax", add_limit) },
  { V1 ("cpu.shares", "CPUShares", add_weight) },
  { V2 ("cpu.weight", "CPUWeight", add_weight) },
  { V1 ("cpu.cfs_period_us", "CPUQuotaPeriodUSec", note_period) },
  { V1 ("cpu.cfs_quota_us", "CPUQuotaPerSecUSec", note_quota) },
  { V2 ("cpu.max", "CPUQuotaPerSecUSec", note_quota) },
  { V2 ("cpuset.cpus", "AllowedCPUs", add_numbers) },
  { V2 ("cpuset.mems", "AllowedMemoryNodes", add_numbers) },
  { V1 ("pids.max", "TasksMax", add_limit, .least = 1) },
  { V2 ("pids.max", "TasksMax", add_limit, .least = 1) },
  { V1 ("blkio.weight", "BlockIOWeight", add_weight, .key = "BlockIODeviceWeight") },
  { V1 ("blkio.weight_device", "BlockIODeviceWeight", add_weight, .key = "BlockIODeviceWeight") },
  { V2 ("io.weight", "IOWeight", add_weight, .key = "IODeviceWeight") },
  { V2 ("io.max", "IOReadBandwidthMax", add_throttle, .key = "rbps=") },
  { V2 ("io.max", "IOWriteBandwidthMax", add_throttle, .key = "wbps=") },
  { V2 ("io.max", "IOReadIOPSMax", add_throttle, .key = "riops=") },
  { V2 ("io.max", "IOWriteIOPSMax", add_throttle, .key = "wiops=") },
};
/* clang-format on */

void
unit_properties_of_writes (struct unit_properties *properties, const struct cgroup_host *host,
                           const struct unit_cpu *cpu, const struct cgroup_writes *writes)
{
  struct conversion conversion = { .properties = properties, .cpu = *cpu };
  for (size_t i = 0; i < writes->count; i++)
    {
      const struct cgroup_write *write = &writes->items[i];
      for (size_t j = 0; j < sizeof rows / sizeof *rows; j++)
        if (rows[j].v2 == host->hierarchies[write->hierarchy].v2 && strcmp (rows[j].file, write->file) == 0)
          rows[j].convert (&conversion, &rows[j], write->value);
    }
  add_quota (&conversion);
}

bool
unit_property_row (size_t i, struct unit_property_text *ret_text)
{
  if (i >= sizeof rows / sizeof *rows)
    return false;
  *ret_text = (struct unit_property_text){ .file = rows[i].file, .property = rows[i].property, .v2 = rows[i].v2 };
  return true;
}
