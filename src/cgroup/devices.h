/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Device rules: one meaning, two ways to enforce it.
 *
 * The rules of the specification are applied in their order, each adding to or taking from what is allowed.  So an
 * access (read, write, mknod) to a device is allowed if the last rule that matches device and access allows it, and an
 * open for reading and writing if both are.  v1 lists and the v2 program are derived from that and tested against it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct bpf_insn;
struct error;
struct spec;
struct spec_resources;

#define DEVICE_ANY (-1) /* every number; as a question: a number that no rule has */

/* The numbers of BPF_DEVCG_DEV_*, as bits ...  */
enum device_type
{
  DEVICE_BLOCK = 1 << 0,
  DEVICE_CHAR = 1 << 1,
  DEVICE_BOTH = DEVICE_BLOCK | DEVICE_CHAR,
};

/* ... and of BPF_DEVCG_ACC_*.  */
enum device_access
{
  DEVICE_MKNOD = 1 << 0,
  DEVICE_READ = 1 << 1,
  DEVICE_WRITE = 1 << 2,
  DEVICE_ALL = DEVICE_MKNOD | DEVICE_READ | DEVICE_WRITE,
};

struct device_rule
{
  bool allow;
  unsigned types;       /* enum device_type, or-ed */
  int64_t major, minor; /* DEVICE_ANY or a number */
  unsigned access;      /* enum device_access, or-ed */
};

struct device_rules
{
  struct device_rule *items;
  size_t count;
  bool allow; /* for what no rule matches */
};

/* The rules of RESOURCES (may be NULL) and, after them, those of the default devices.  What stands before the last rule
 * for everything is dropped; without one everything is denied.  -EINVAL for words that are none.  */
int cgroup_device_rules (struct arena *arena, const struct spec *spec, const struct spec_resources *resources,
                         struct device_rules *ret_rules, struct error *err);

/* The accesses that RULES allow to a device of one TYPE.  */
unsigned cgroup_device_access (const struct device_rules *rules, unsigned type, int64_t major, int64_t minor);

/* RULES as v1 has them: everything (not) allowed, and exceptions from that, which are all of the other kind.  An
 * exception cannot have exceptions: -EOPNOTSUPP if RULES need that.  */
int cgroup_device_lists (struct arena *arena, const struct device_rules *rules, struct device_rules *ret_lists,
                         struct error *err);

/* The same from RESOURCES at once; the message says where.  */
int cgroup_device_v1 (struct arena *arena, const struct spec *spec, const struct spec_resources *resources,
                      struct device_rules *ret_lists, struct error *err);

/* What devices.list says as TEXT, "c 1:3 rwm" a line, or "a *:* rwm" alone, with which the kernel shows no exceptions.
 */
struct device_rules cgroup_device_list (struct arena *arena, const char *text);

/* What has to be written for LISTS where devices.list says CURRENT (NULL: a new cgroup), in order; rules that allow go
 * to devices.allow, the others to devices.deny.  Nothing that both allow is denied meanwhile.  Only when a default
 * changes or is to allow is the list written anew, which the kernel refuses when the cgroup has children.  */
struct device_rules cgroup_device_changes (struct arena *arena, const struct device_rules *lists,
                                           const struct device_rules *current);

/* RULE as devices.allow and devices.deny take it.  */
const char *cgroup_device_text (struct arena *arena, const struct device_rule *rule);

/* RULES as a program of type BPF_PROG_TYPE_CGROUP_DEVICE.  -E2BIG if jumps would not reach.  */
int cgroup_device_program (struct arena *arena, const struct device_rules *rules, struct bpf_insn **ret_program,
                           size_t *ret_count, struct error *err);
