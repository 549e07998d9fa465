/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Device rules of the specification, made uniform.  */
#include "cgroup/devices.h"

#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "spec/spec.h"

/* What every container may use (config-linux.md#default-devices): nodes may be made, which alone gives no access, and
 * these devices used.  /dev/console is a pseudo terminal, so 5:1, the host's console, is not among them.  */
static const struct device_rule default_rules[] = {
  { true, DEVICE_CHAR, DEVICE_ANY, DEVICE_ANY, DEVICE_MKNOD },
  { true, DEVICE_BLOCK, DEVICE_ANY, DEVICE_ANY, DEVICE_MKNOD },
  { true, DEVICE_CHAR, 1, 3, DEVICE_ALL },            /* null */
  { true, DEVICE_CHAR, 1, 5, DEVICE_ALL },            /* zero */
  { true, DEVICE_CHAR, 1, 7, DEVICE_ALL },            /* full */
  { true, DEVICE_CHAR, 1, 8, DEVICE_ALL },            /* random */
  { true, DEVICE_CHAR, 1, 9, DEVICE_ALL },            /* urandom */
  { true, DEVICE_CHAR, 5, 0, DEVICE_ALL },            /* tty */
  { true, DEVICE_CHAR, 5, 2, DEVICE_ALL },            /* ptmx */
  { true, DEVICE_CHAR, 136, DEVICE_ANY, DEVICE_ALL }, /* pts */
};

enum
{
  DEFAULT_RULES = sizeof default_rules / sizeof *default_rules
};

static int
bad_rule (struct arena *arena, const struct spec *spec, const struct spec_device_rule *where, struct error *err,
          const char *format, const char *word)
{
  const char *text = arena_printf (arena, "%s \"%s\"", format, word);
  return error_set (err, EINVAL, "%s: %s", spec != NULL ? spec_where (arena, spec, where) : "linux.resources.devices",
                    text);
}

static bool
parse_types (const char *type, unsigned *ret_types)
{
  if (type == NULL || strcmp (type, "a") == 0)
    *ret_types = DEVICE_BOTH;
  else if (strcmp (type, "c") == 0 || strcmp (type, "u") == 0)
    *ret_types = DEVICE_CHAR;
  else if (strcmp (type, "b") == 0)
    *ret_types = DEVICE_BLOCK;
  else
    return false;
  return true;
}

static bool
parse_access (const char *access, unsigned *ret_access)
{
  unsigned bits = access == NULL || *access == '\0' ? DEVICE_ALL : 0;
  for (; access != NULL && *access != '\0'; access++)
    if (*access == 'r')
      bits |= DEVICE_READ;
    else if (*access == 'w')
      bits |= DEVICE_WRITE;
    else if (*access == 'm')
      bits |= DEVICE_MKNOD;
    else
      return false;
  *ret_access = bits;
  return true;
}

/* A number of the kernel's; -1 is written for "all" by some callers.  */
static bool
parse_number (const struct spec_int *number, int64_t *ret_number)
{
  *ret_number = number->set ? number->value : DEVICE_ANY;
  return *ret_number >= DEVICE_ANY && *ret_number <= INT32_MAX;
}

static int
parse_rule (struct arena *arena, const struct spec *spec, const struct spec_device_rule *from, struct device_rule *to,
            struct error *err)
{
  to->allow = from->allow.value;
  if (!parse_types (from->type, &to->types))
    return bad_rule (arena, spec, from, err, "no type of a device rule (a, c, b):", from->type);
  if (!parse_access (from->access, &to->access))
    return bad_rule (arena, spec, from, err, "no access of a device rule (of r, w, m):", from->access);
  if (!parse_number (&from->major, &to->major) || !parse_number (&from->minor, &to->minor))
    return bad_rule (arena, spec, from, err, "no device number:",
                     arena_printf (arena, "%lld:%lld", (long long) from->major.value, (long long) from->minor.value));
  return 0;
}

static bool
is_everything (const struct device_rule *rule)
{
  return rule->types == DEVICE_BOTH && rule->access == DEVICE_ALL && rule->major == DEVICE_ANY
         && rule->minor == DEVICE_ANY;
}

int
cgroup_device_rules (struct arena *arena, const struct spec *spec, const struct spec_resources *resources,
                     struct device_rules *ret_rules, struct error *err)
{
  size_t count = resources != NULL ? resources->devices.count : 0;
  struct device_rules rules = { .items = arena_array (arena, struct device_rule, count + DEFAULT_RULES) };
  for (size_t i = 0; i < count; i++)
    {
      struct device_rule *rule = &rules.items[rules.count];
      int r = parse_rule (arena, spec, &resources->devices.items[i], rule, err);
      if (r < 0)
        return r;
      rules.count++;
      if (is_everything (rule))
        {
          rules.allow = rule->allow;
          rules.count = 0;
        }
    }
  if (!rules.allow || rules.count > 0)
    {
      memcpy (&rules.items[rules.count], default_rules, sizeof default_rules);
      rules.count += DEFAULT_RULES;
    }
  *ret_rules = rules;
  return 0;
}

static bool
covers (int64_t rule, int64_t number)
{
  return rule == DEVICE_ANY || rule == number;
}

unsigned
cgroup_device_access (const struct device_rules *rules, unsigned type, int64_t major, int64_t minor)
{
  unsigned open = DEVICE_ALL, allowed = 0;
  for (size_t i = rules->count; i-- > 0 && open != 0;)
    {
      const struct device_rule *rule = &rules->items[i];
      if ((rule->types & type) == 0 || !covers (rule->major, major) || !covers (rule->minor, minor))
        continue;
      if (rule->allow)
        allowed |= open & rule->access;
      open &= ~rule->access;
    }
  return rules->allow ? allowed | open : allowed;
}
