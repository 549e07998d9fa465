/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Device rules as properties (systemd.resource-control(5), DeviceAllow=).
 *
 * systemd names a device by a node below /dev/char or /dev/block, which need not be there, and many by the name of
 * their driver in /proc/devices.  What it is told is made into a program of its own on v2, beside ours: both must
 * allow. So there it may be told too much, never too little.  */
#include "cgroup/systemd.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "cgroup/devices.h"

/* The name of the driver with MAJOR in TEXT, /proc/devices:
 *
 *     Character devices:
 *       5 /dev/tty
 *     136 pts
 *
 *     Block devices:
 *     259 blkext  */
static const char *
driver_name (struct arena *arena, const char *text, bool block, int64_t major)
{
  const char *at = strstr (text, block ? "Block devices:\n" : "Character devices:\n");
  if (at == NULL)
    return NULL;
  for (at = strchr (at, '\n') + 1; *at != '\0' && *at != '\n';)
    {
      char *end;
      size_t length = strcspn (at, "\n");
      long long number = strtoll (at, &end, 10);
      if (end != at && number == major && *end == ' ')
        return arena_printf (arena, "%s-%.*s", block ? "block" : "char", (int) (at + length - end - 1), end + 1);
      at += length;
      at += *at == '\n';
    }
  return NULL;
}

/* The name of what RULE is about, of one type; NULL if it has none.  */
static const char *
device_name (struct arena *arena, const struct device_rule *rule, bool block, const char *devices, bool wider)
{
  const char *type = block ? "block" : "char";
  if (rule->major != DEVICE_ANY && rule->minor != DEVICE_ANY)
    return arena_printf (arena, "/dev/%s/%" PRId64 ":%" PRId64, type, rule->major, rule->minor);
  const char *name = rule->major != DEVICE_ANY ? driver_name (arena, devices, block, rule->major) : NULL;
  bool all = rule->major == DEVICE_ANY && rule->minor == DEVICE_ANY;
  return name == NULL && (all || wider) ? arena_printf (arena, "%s-*", type) : name;
}

static const char *
access_text (struct arena *arena, unsigned access)
{
  return arena_printf (arena, "%s%s%s", access & DEVICE_READ ? "r" : "", access & DEVICE_WRITE ? "w" : "",
                       access & DEVICE_MKNOD ? "m" : "");
}

void
unit_properties_of_devices (struct unit_properties *properties, const struct device_rules *lists, const char *devices,
                            bool wider, size_t *ret_missing)
{
  struct arena *arena = properties->arena;
  size_t missing = 0;
  unit_properties_text (properties, "DevicePolicy", lists->allow ? "auto" : "strict");
  /* An empty list first: what is added to a list that is there is added.  */
  unit_properties_add (properties, "DeviceAllow", "a(ss)");
  if (lists->allow)
    {
      *ret_missing = lists->count;
      return;
    }
  struct unit_property *list = unit_properties_add (properties, "DeviceAllow", "a(ss)");
  for (size_t i = 0; i < lists->count; i++)
    for (int block = 0; block <= 1; block++)
      {
        const struct device_rule *rule = &lists->items[i];
        if (!(rule->types & (block ? DEVICE_BLOCK : DEVICE_CHAR)))
          continue;
        const char *name = device_name (arena, rule, block, devices, wider);
        if (name == NULL)
          {
            missing++;
            continue;
          }
        unit_property_add (properties, list, (struct unit_value){ .text = name });
        unit_property_add (properties, list, (struct unit_value){ .text = access_text (arena, rule->access) });
      }
  *ret_missing = missing;
}
