/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Device rules on v1: devices.allow and devices.deny (Documentation/admin-guide/cgroup-v1/devices.rst).
 *
 * The kernel keeps a default and a list of exceptions.  Rules are not applied to that list in their order: taking "c
 * 1:3" from an allowed "c 1:*" has no effect and no error.  So the list is not the rules written one by one, but
 * derived from what they mean; and where no list means the same it is an error.  */
#include "cgroup/devices.h"
#include "cgroup/translate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"

/* Every set of devices that may need an exception: those of the rules, and what a rule for a major number has in common
 * with one for a minor number.  Each is for one type.  */
struct candidates
{
  struct device_rule *items;
  size_t count;
};

static void
add_candidate (struct candidates *candidates, unsigned type, int64_t major, int64_t minor)
{
  for (size_t i = 0; i < candidates->count; i++)
    {
      const struct device_rule *item = &candidates->items[i];
      if (item->types == type && item->major == major && item->minor == minor)
        return;
    }
  candidates->items[candidates->count++] = (struct device_rule){ .types = type, .major = major, .minor = minor };
}

static void
add_candidates (struct candidates *candidates, const struct device_rules *rules, unsigned type)
{
  add_candidate (candidates, type, DEVICE_ANY, DEVICE_ANY);
  for (size_t i = 0; i < rules->count; i++)
    {
      const struct device_rule *rule = &rules->items[i];
      if ((rule->types & type) == 0)
        continue;
      add_candidate (candidates, type, rule->major, rule->minor);
      for (size_t j = 0; rule->minor == DEVICE_ANY && j < rules->count; j++)
        if ((rules->items[j].types & type) != 0 && rules->items[j].major == DEVICE_ANY)
          add_candidate (candidates, type, rule->major, rules->items[j].minor);
    }
}

static struct candidates
find_candidates (struct arena *arena, const struct device_rules *rules)
{
  size_t majors = 0, minors = 0;
  for (size_t i = 0; i < rules->count; i++)
    {
      majors += rules->items[i].minor == DEVICE_ANY;
      minors += rules->items[i].major == DEVICE_ANY;
    }
  struct candidates candidates
      = { .items = arena_array (arena, struct device_rule, 2 * (1 + rules->count + majors * minors)) };
  add_candidates (&candidates, rules, DEVICE_CHAR);
  add_candidates (&candidates, rules, DEVICE_BLOCK);
  return candidates;
}

static bool
is_within (const struct device_rule *inner, const struct device_rule *outer)
{
  return inner->types == outer->types && (outer->major == DEVICE_ANY || outer->major == inner->major)
         && (outer->minor == DEVICE_ANY || outer->minor == inner->minor);
}

/* The exceptions from "everything is allowed" (or not).  False if there are none that mean RULES, because a set of
 * devices would have fewer exceptions than a larger one around it.  */
static bool
make_lists (struct arena *arena, const struct device_rules *rules, const struct candidates *sets, bool allow,
            struct device_rules *ret_lists)
{
  struct device_rules lists = { .items = arena_array (arena, struct device_rule, sets->count), .allow = allow };
  for (size_t i = 0; i < sets->count; i++)
    {
      struct device_rule *set = &sets->items[i];
      unsigned access = cgroup_device_access (rules, set->types, set->major, set->minor);
      set->access = allow ? DEVICE_ALL & ~access : access;
      set->allow = !allow;
    }
  for (size_t i = 0; i < sets->count; i++)
    {
      const struct device_rule *set = &sets->items[i];
      bool needed = set->access != 0;
      for (size_t j = 0; j < sets->count; j++)
        {
          const struct device_rule *outer = &sets->items[j];
          if (j == i || !is_within (set, outer))
            continue;
          if ((outer->access & ~set->access) != 0)
            return false;
          if (outer->access == set->access)
            needed = false;
        }
      if (needed)
        lists.items[lists.count++] = *set;
    }
  *ret_lists = lists;
  return true;
}

int
cgroup_device_lists (struct arena *arena, const struct device_rules *rules, struct device_rules *ret_lists,
                     struct error *err)
{
  struct candidates sets = find_candidates (arena, rules);
  if (make_lists (arena, rules, &sets, rules->allow, ret_lists)
      || make_lists (arena, rules, &sets, !rules->allow, ret_lists))
    return 0;
  int r = error_set (err, EOPNOTSUPP, "cgroup v1 cannot take devices from a range that is allowed, or the reverse");
  error_hint (err, "list the devices one by one instead of the range, or use cgroup v2");
  return r;
}

static const char *
number_text (struct arena *arena, int64_t number)
{
  return number == DEVICE_ANY ? "*" : arena_printf (arena, "%lld", (long long) number);
}

const char *
cgroup_device_text (struct arena *arena, const struct device_rule *rule)
{
  if (rule->types == DEVICE_BOTH)
    return "a"; /* sets the default and empties the list */
  return arena_printf (arena, "%c %s:%s %s%s%s", rule->types == DEVICE_CHAR ? 'c' : 'b',
                       number_text (arena, rule->major), number_text (arena, rule->minor),
                       (rule->access & DEVICE_READ) != 0 ? "r" : "", (rule->access & DEVICE_WRITE) != 0 ? "w" : "",
                       (rule->access & DEVICE_MKNOD) != 0 ? "m" : "");
}

/* ---- a cgroup that has a list ---------------------------------------------------------------------------------------
 */

static int64_t
read_number (const char *text)
{
  return *text == '*' ? DEVICE_ANY : strtoll (text, NULL, 10);
}

struct device_rules
cgroup_device_list (struct arena *arena, const char *text)
{
  struct device_rules list = { .items = arena_array (arena, struct device_rule, strlen (text) / 2 + 1) };
  for (const char *line = text; *line != '\0'; line += strcspn (line, "\n"), line += *line == '\n')
    {
      char type, major[16], minor[16], access[4];
      if (sscanf (line, "%c %15[0-9*]:%15[0-9*] %3[rwm]", &type, major, minor, access) != 4)
        continue;
      list.allow |= type == 'a';
      list.items[list.count++] = (struct device_rule){
        .types = type == 'c' ? DEVICE_CHAR : DEVICE_BLOCK,
        .major = read_number (major),
        .minor = read_number (minor),
        .access = (strchr (access, 'r') != NULL ? DEVICE_READ : 0U) | (strchr (access, 'w') != NULL ? DEVICE_WRITE : 0U)
                  | (strchr (access, 'm') != NULL ? DEVICE_MKNOD : 0U),
      };
    }
  return list;
}

/* Adds to CHANGES what the lists of FROM have and those of WITHOUT do not.  */
static void
add_difference (struct device_rules *changes, const struct device_rules *from, const struct device_rules *without,
                bool allow)
{
  for (size_t i = 0; i < from->count; i++)
    {
      struct device_rule rule = from->items[i];
      rule.allow = allow;
      for (size_t j = 0; j < without->count; j++)
        if (without->items[j].types == rule.types && without->items[j].major == rule.major
            && without->items[j].minor == rule.minor)
          rule.access &= ~without->items[j].access;
      if (rule.access != 0)
        changes->items[changes->count++] = rule;
    }
}

struct device_rules
cgroup_device_changes (struct arena *arena, const struct device_rules *lists, const struct device_rules *current)
{
  struct device_rules has = { .allow = true };
  if (current != NULL)
    has = *current;
  struct device_rules changes
      = { .items = arena_array (arena, struct device_rule, lists->count + has.count + 1), .allow = lists->allow };
  if (has.allow || lists->allow)
    {
      changes.items[changes.count++] = (struct device_rule){
        .allow = lists->allow, .types = DEVICE_BOTH, .major = DEVICE_ANY, .minor = DEVICE_ANY, .access = DEVICE_ALL
      };
      has.count = 0;
    }
  add_difference (&changes, lists, &has, !lists->allow);
  add_difference (&changes, &has, lists, false);
  return changes;
}

/* ---- translation ----------------------------------------------------------------------------------------------------
 */

/* For a new cgroup; cgroup_apply_rules finds the changes itself for others.  */
int
emit_devices_v1 (struct emission *emission, const void *member)
{
  struct arena *arena = emission->arena;
  struct device_rules lists;
  int r = cgroup_device_v1 (arena, emission->spec, emission->resources, &lists, emission->err);
  if (r < 0)
    return r;
  struct device_rules changes = cgroup_device_changes (arena, &lists, NULL);
  for (size_t i = 0; i < changes.count; i++)
    {
      const char *file = changes.items[i].allow ? emission->side->file : emission->side->extra;
      emit_write (emission, file, cgroup_device_text (arena, &changes.items[i]), member)->if_new = true;
    }
  return 0;
}

int
cgroup_device_v1 (struct arena *arena, const struct spec *spec, const struct spec_resources *resources,
                  struct device_rules *ret_lists, struct error *err)
{
  struct device_rules rules;
  int r = cgroup_device_rules (arena, spec, resources, &rules, err);
  if (r < 0)
    return r;
  r = cgroup_device_lists (arena, &rules, ret_lists, err);
  return r < 0 ? error_context (err, "linux.resources.devices") : 0;
}
