/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Device rules: the v1 lists and the v2 program against what the rules mean, over thousands of random lists.
 *
 * Three models, none of them the code under test: the meaning (apply the rules in order to a table of what is allowed),
 * the kernel's exception lists of v1, and an interpreter for the instructions that the assembler emits.  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/strbuf.h"
#include "cgroup/devices.h"
#include "cgroup_hosts.h"
#include "spec/spec.h"

enum
{
  NUMBERS = 3, /* rules use 0 ... 2, questions also 3, which no rule has */
  RANDOM_LISTS = 3000,
  RULES_MAX = 9,
};

/* ---- the meaning ------------------------------------------------------------------------------------------------ */

struct table
{
  unsigned allowed[3][NUMBERS + 1][NUMBERS + 1]; /* by type, major, minor */
};

static void
apply_rules (struct table *table, const struct device_rules *rules)
{
  for (unsigned type = DEVICE_BLOCK; type <= DEVICE_CHAR; type++)
    for (int64_t major = 0; major <= NUMBERS; major++)
      for (int64_t minor = 0; minor <= NUMBERS; minor++)
        {
          unsigned *allowed = &table->allowed[type][major][minor];
          *allowed = rules->allow ? DEVICE_ALL : 0;
          for (size_t i = 0; i < rules->count; i++)
            {
              const struct device_rule *rule = &rules->items[i];
              if ((rule->types & type) == 0 || (rule->major != DEVICE_ANY && rule->major != major)
                  || (rule->minor != DEVICE_ANY && rule->minor != minor))
                continue;
              *allowed = rule->allow ? *allowed | rule->access : *allowed & ~rule->access;
            }
        }
}

/* ---- v1: devcgroup_check_permission of the kernel --------------------------------------------------------------- */

static bool
v1_allows (const struct device_rules *lists, unsigned type, int64_t major, int64_t minor, unsigned access)
{
  for (size_t i = 0; i < lists->count; i++)
    {
      const struct device_rule *exception = &lists->items[i];
      if (exception->types != type || (exception->major != DEVICE_ANY && exception->major != major)
          || (exception->minor != DEVICE_ANY && exception->minor != minor))
        continue;
      /* An exception from "denied" must have all of the access, one from "allowed" any of it.  */
      if (lists->allow ? (exception->access & access) != 0 : (access & ~exception->access) == 0)
        return !lists->allow;
    }
  return lists->allow;
}

/* ---- v2: an interpreter ----------------------------------------------------------------------------------------- */

static uint64_t
run_program (const struct bpf_insn *program, size_t count, const struct bpf_cgroup_dev_ctx *context)
{
  uint64_t r[11] = { 0 };
  size_t at = 0, steps = 0;
  for (;; at++)
    {
      assert_in_range (at, 0, count - 1);
      assert_true (++steps <= count); /* jumps go forward, so no instruction runs twice */
      const struct bpf_insn *insn = &program[at];
      uint64_t *to = &r[insn->dst_reg], imm = (uint64_t) (int64_t) insn->imm;
      bool taken = false;
      switch (insn->code)
        {
        case BPF_LDX | BPF_MEM | BPF_W:
          assert_int_equal (insn->src_reg, 1);
          assert_in_range (insn->off, 0, (int) sizeof *context - 4);
          *to = *(const uint32_t *) (const void *) ((const char *) context + insn->off);
          break;
        case BPF_ALU64 | BPF_MOV | BPF_X:
          *to = r[insn->src_reg];
          break;
        case BPF_ALU64 | BPF_MOV | BPF_K:
          *to = imm;
          break;
        case BPF_ALU | BPF_RSH | BPF_K:
          *to = (uint32_t) *to >> insn->imm;
          break;
        case BPF_ALU | BPF_AND | BPF_K:
          *to = (uint32_t) *to & (uint32_t) insn->imm;
          break;
        case BPF_JMP | BPF_JNE | BPF_K:
          taken = *to != imm;
          break;
        case BPF_JMP | BPF_JEQ | BPF_K:
          taken = *to == imm;
          break;
        case BPF_JMP | BPF_JSET | BPF_K:
          taken = (*to & imm) != 0;
          break;
        case BPF_JMP | BPF_EXIT:
          return r[0];
        default:
          fail_msg ("instruction %zu has code 0x%02x", at, insn->code);
        }
      if (taken)
        {
          assert_true (insn->off >= 0);
          at += (size_t) insn->off;
        }
    }
}

/* The verifier refuses programs with instructions that no path reaches.  */
static void
assert_reachable (const struct bpf_insn *program, size_t count)
{
  bool *reached = calloc (count, sizeof *reached);
  reached[0] = true;
  for (size_t at = 0; at < count; at++) /* jumps go forward, so one pass does */
    {
      if (!reached[at])
        fail_msg ("instruction %zu of %zu is not reachable", at, count);
      bool leaves = program[at].code == (BPF_JMP | BPF_EXIT);
      assert_true (leaves || at + 1 < count);
      if (!leaves)
        reached[at + 1] = true;
      if (!leaves && BPF_CLASS (program[at].code) == BPF_JMP)
        {
          assert_in_range (at + 1 + (size_t) program[at].off, at + 1, count - 1);
          reached[at + 1 + (size_t) program[at].off] = true;
        }
    }
  free (reached);
}

/* ---- comparison ------------------------------------------------------------------------------------------------- */

static const char *
show_rules (struct arena *arena, const struct device_rules *rules)
{
  struct strbuf out = STRBUF_INIT (arena);
  strbuf_add (&out, rules->allow ? "all allowed" : "all denied");
  for (size_t i = 0; i < rules->count; i++)
    strbuf_printf (&out, "; %s %s %d:%d %u", rules->items[i].allow ? "allow" : "deny",
                   rules->items[i].types == DEVICE_BOTH   ? "a"
                   : rules->items[i].types == DEVICE_CHAR ? "c"
                                                          : "b",
                   (int) rules->items[i].major, (int) rules->items[i].minor, rules->items[i].access);
  return strbuf_text (&out);
}

/* Puts every question to the program, and to LISTS unless that is NULL.  */
static void
compare (struct arena *arena, const struct device_rules *rules, const struct device_rules *lists)
{
  struct table table;
  apply_rules (&table, rules);
  struct bpf_insn *program;
  size_t count;
  struct error err;
  assert_int_equal (cgroup_device_program (arena, rules, &program, &count, &err), 0);
  assert_reachable (program, count);

  for (unsigned type = DEVICE_BLOCK; type <= DEVICE_CHAR; type++)
    for (unsigned major = 0; major <= NUMBERS; major++)
      for (unsigned minor = 0; minor <= NUMBERS; minor++)
        {
          unsigned allowed = table.allowed[type][major][minor];
          assert_int_equal (cgroup_device_access (rules, type, major, minor), allowed);
          for (unsigned access = 0; access <= DEVICE_ALL; access++)
            {
              bool wanted = (access & ~allowed) == 0;
              struct bpf_cgroup_dev_ctx context = { access << 16 | type, major, minor };
              if (run_program (program, count, &context) != wanted)
                fail_msg ("program: type %u %u:%u access %u should be %d: %s", type, major, minor, access, wanted,
                          show_rules (arena, rules));
              if (lists != NULL && access != 0 && v1_allows (lists, type, major, minor, access) != wanted)
                fail_msg ("lists: type %u %u:%u access %u should be %d: %s as %s", type, major, minor, access, wanted,
                          show_rules (arena, rules), show_rules (arena, lists));
            }
        }
}

static int64_t
random_number (void)
{
  int n = rand () % (NUMBERS + 2);
  return n < NUMBERS ? n : DEVICE_ANY;
}

/* RULES_MAX random rules; with ALLOW_ONLY all are of one kind, the other than the default.  */
static struct device_rules
random_rules (struct arena *arena, bool one_kind)
{
  struct device_rules rules = { .items = arena_array (arena, struct device_rule, RULES_MAX), .allow = rand () % 2 };
  rules.count = (size_t) (rand () % (RULES_MAX + 1));
  for (size_t i = 0; i < rules.count; i++)
    rules.items[i] = (struct device_rule){
      .allow = one_kind ? !rules.allow : rand () % 2,
      .types = (unsigned) (rand () % 3 + 1),
      .major = random_number (),
      .minor = random_number (),
      .access = (unsigned) (rand () % DEVICE_ALL + 1),
    };
  return rules;
}

static void
random_lists (void **state)
{
  (void) state;
  srand (20260203);
  size_t expressible = 0;
  for (int i = 0; i < RANDOM_LISTS; i++)
    {
      ARENA_CLEANUP struct arena arena = { 0 };
      struct device_rules rules = random_rules (&arena, false), lists;
      struct error err = { 0 };
      int r = cgroup_device_lists (&arena, &rules, &lists, &err);
      if (r < 0)
        {
          assert_int_equal (r, -EOPNOTSUPP);
          assert_non_null (strstr (err.hint, "one by one"));
        }
      expressible += r == 0;
      compare (&arena, &rules, r == 0 ? &lists : NULL);
    }
  assert_in_range (expressible, RANDOM_LISTS / 10, RANDOM_LISTS);
}

/* Rules of one kind are always a list of exceptions.  */
static void
random_lists_of_one_kind (void **state)
{
  (void) state;
  srand (20260204);
  for (int i = 0; i < RANDOM_LISTS; i++)
    {
      ARENA_CLEANUP struct arena arena = { 0 };
      struct device_rules rules = random_rules (&arena, true), lists;
      struct error err;
      assert_int_equal (cgroup_device_lists (&arena, &rules, &lists, &err), 0);
      compare (&arena, &rules, &lists);
    }
}

/* ---- examples --------------------------------------------------------------------------------------------------- */

#define RULE(allow_, type_, major_, minor_, access_)                                                                   \
  {                                                                                                                    \
    .allow = { true, (allow_) }, .type = (type_), .major = { (major_) >= 0, (major_) },                                \
    .minor = { (minor_) >= 0, (minor_) }, .access = (access_)                                                          \
  }

static struct device_rules
rules_of (struct arena *arena, struct spec_device_rule *items, size_t count)
{
  struct spec_resources resources = { .devices = { items, count } };
  struct device_rules rules;
  struct error err;
  assert_int_equal (cgroup_device_rules (arena, NULL, &resources, &rules, &err), 0);
  return rules;
}

/* The writes to devices.allow and devices.deny for ITEMS.  */
static const char *
v1_writes (struct arena *arena, struct spec_device_rule *items, size_t count)
{
  struct spec_resources resources = { .devices = { items, count } };
  struct cgroup_places places = host_places (&v1_host, NULL);
  struct cgroup_writes writes;
  struct error err;
  if (cgroup_translate (arena, &places, NULL, &resources, &writes, &err) < 0)
    fail_msg ("%s", err.message);
  struct strbuf out = STRBUF_INIT (arena);
  for (size_t i = 0; i < writes.count; i++)
    strbuf_printf (&out, "%s %s\n", writes.items[i].file + strlen ("devices."), writes.items[i].value);
  return strbuf_text (&out);
}

#define DEFAULTS                                                                                                       \
  "allow c *:* m\nallow c 1:3 rwm\nallow c 1:5 rwm\nallow c 1:7 rwm\nallow c 1:8 rwm\nallow c 1:9 rwm\n"               \
  "allow c 5:0 rwm\nallow c 5:2 rwm\nallow c 136:* rwm\n"

/* The config that `thole spec` prints, and one without rules: everything is denied but the default devices.  */
static void
default_devices (void **state)
{
  (void) state;
  ARENA_CLEANUP struct arena arena = { 0 };
  struct spec_device_rule deny[] = { RULE (false, NULL, -1, -1, "rwm") };
  assert_string_equal (v1_writes (&arena, deny, 1), "deny a\n" DEFAULTS "allow b *:* m\n");
  assert_string_equal (v1_writes (&arena, NULL, 0), "deny a\n" DEFAULTS "allow b *:* m\n");

  struct device_rules rules = rules_of (&arena, NULL, 0);
  assert_int_equal (cgroup_device_access (&rules, DEVICE_CHAR, 1, 3), DEVICE_ALL);
  assert_int_equal (cgroup_device_access (&rules, DEVICE_CHAR, 136, 77), DEVICE_ALL);
  assert_int_equal (cgroup_device_access (&rules, DEVICE_CHAR, 1, 1), DEVICE_MKNOD); /* /dev/mem */
  assert_int_equal (cgroup_device_access (&rules, DEVICE_CHAR, 5, 1), DEVICE_MKNOD); /* the host's console */
  assert_int_equal (cgroup_device_access (&rules, DEVICE_BLOCK, 8, 0), DEVICE_MKNOD);
}

static void
privileged_containers (void **state)
{
  (void) state;
  ARENA_CLEANUP struct arena arena = { 0 };
  struct spec_device_rule allow[] = { RULE (false, "c", 1, 1, "r"), RULE (true, "a", -1, -1, NULL) };
  assert_string_equal (v1_writes (&arena, allow, 2), "allow a\n");
  struct device_rules rules = rules_of (&arena, allow, 2);
  assert_true (rules.allow);
  assert_int_equal (rules.count, 0);
}

static void
exceptions_from_all (void **state)
{
  (void) state;
  ARENA_CLEANUP struct arena arena = { 0 };
  struct spec_device_rule rules[] = { RULE (true, "a", -1, -1, "rwm"), RULE (false, "c", 1, 1, "rw") };
  assert_string_equal (v1_writes (&arena, rules, 2), "allow a\ndeny c 1:1 rw\n");
}

/* "a" with less than everything means both types, where the kernel would take it for everything.  */
static void
partial_all (void **state)
{
  (void) state;
  ARENA_CLEANUP struct arena arena = { 0 };
  struct spec_device_rule rules[] = { RULE (true, "a", -1, -1, "r") };
  assert_string_equal (v1_writes (&arena, rules, 1),
                       "deny a\nallow c *:* rm\nallow c 1:3 rwm\nallow c 1:5 rwm\nallow c 1:7 rwm\nallow c 1:8 rwm\n"
                       "allow c 1:9 rwm\nallow c 5:0 rwm\nallow c 5:2 rwm\nallow c 136:* rwm\nallow b *:* rm\n");
}

/* The kernel would take "deny c 10:200" without an error and without an effect.  */
static void
holes_are_refused_on_v1 (void **state)
{
  (void) state;
  ARENA_CLEANUP struct arena arena = { 0 };
  struct spec_device_rule items[] = { RULE (true, "c", 10, -1, "rw"), RULE (false, "c", 10, 200, "rw") };
  struct spec_resources resources = { .devices = { items, 2 } };
  struct cgroup_places places = host_places (&v1_host, NULL);
  struct cgroup_writes writes;
  struct error err;
  assert_int_equal (cgroup_translate (&arena, &places, NULL, &resources, &writes, &err), -EOPNOTSUPP);
  assert_non_null (strstr (err.message, "linux.resources.devices: cgroup v1 cannot"));
  assert_non_null (strstr (err.hint, "cgroup v2"));

  struct device_rules rules = rules_of (&arena, items, 2);
  struct bpf_insn *program;
  size_t count;
  assert_int_equal (cgroup_device_program (&arena, &rules, &program, &count, &err), 0);
  struct bpf_cgroup_dev_ctx taken = { DEVICE_READ << 16 | DEVICE_CHAR, 10, 200 };
  struct bpf_cgroup_dev_ctx left = { DEVICE_READ << 16 | DEVICE_CHAR, 10, 201 };
  assert_int_equal (run_program (program, count, &taken), 0);
  assert_int_equal (run_program (program, count, &left), 1);
}

/* Does with LIST what the kernel does with one write, as long as the default is to deny.  */
static void
write_list (struct device_rules *list, const struct device_rule *change)
{
  for (size_t i = 0; i < list->count; i++)
    {
      struct device_rule *item = &list->items[i];
      if (item->types != change->types || item->major != change->major || item->minor != change->minor)
        continue;
      item->access = change->allow ? item->access | change->access : item->access & ~change->access;
      return;
    }
  assert_true (change->allow); /* the kernel would take it without effect */
  list->items[list->count++] = *change;
}

static const char *
list_text (struct arena *arena, const struct device_rules *list)
{
  struct strbuf out = STRBUF_INIT (arena);
  for (size_t i = 0; i < list->count; i++)
    if (list->items[i].access != 0)
      strbuf_printf (&out, "%s\n", cgroup_device_text (arena, &list->items[i]));
  return strbuf_text (&out);
}

static struct device_rules
changes_from (struct arena *arena, const struct device_rules *lists, const char *current)
{
  struct device_rules list = cgroup_device_list (arena, current);
  return cgroup_device_changes (arena, lists, &list);
}

/* From one random list to another: afterwards the second holds, and at no time less than what both allow.  */
static void
lists_are_changed (void **state)
{
  (void) state;
  srand (20260205);
  for (int i = 0; i < RANDOM_LISTS; i++)
    {
      ARENA_CLEANUP struct arena arena = { 0 };
      struct device_rules from = random_rules (&arena, true), to = random_rules (&arena, true), old, new;
      from.allow = to.allow = false;
      for (size_t j = 0; j < RULES_MAX; j++)
        from.items[j].allow = to.items[j].allow = true;
      struct error err;
      assert_int_equal (cgroup_device_lists (&arena, &from, &old, &err), 0);
      assert_int_equal (cgroup_device_lists (&arena, &to, &new, &err), 0);
      struct device_rules changes = changes_from (&arena, &new, list_text (&arena, &old));
      struct device_rules list = { .items = arena_array (&arena, struct device_rule, old.count + changes.count + 1) };
      for (size_t j = 0; j < old.count; j++)
        write_list (&list, &old.items[j]);
      for (size_t j = 0; j < changes.count; j++)
        {
          assert_int_not_equal (changes.items[j].types, DEVICE_BOTH);
          write_list (&list, &changes.items[j]);
          for (size_t k = 0; k < old.count; k++)
            if (cgroup_device_access (&new, old.items[k].types, old.items[k].major, old.items[k].minor) == DEVICE_ALL
                && old.items[k].access == DEVICE_ALL)
              assert_true (v1_allows (&list, old.items[k].types, old.items[k].major, old.items[k].minor, DEVICE_ALL));
        }
      compare (&arena, &to, &list);
      assert_int_equal (changes_from (&arena, &new, list_text (&arena, &new)).count, 0);
    }
}

/* The kernel shows no exceptions from "all allowed", so a list with that default is written anew.  */
static void
defaults_are_changed (void **state)
{
  (void) state;
  ARENA_CLEANUP struct arena arena = { 0 };
  struct device_rule null[] = { { true, DEVICE_CHAR, 1, 3, DEVICE_ALL } },
                     mem[] = { { false, DEVICE_CHAR, 1, 1, DEVICE_READ } };
  struct device_rules deny = { null, 1, false }, allow = { mem, 1, true };
  struct device_rules changes = changes_from (&arena, &deny, "a *:* rwm\n");
  assert_string_equal (show_rules (&arena, &changes), "all denied; deny a -1:-1 7; allow c 1:3 7");
  changes = changes_from (&arena, &allow, "a *:* rwm\n");
  assert_string_equal (show_rules (&arena, &changes), "all allowed; allow a -1:-1 7; deny c 1:1 2");
  changes = changes_from (&arena, &allow, "c 1:3 rwm\n");
  assert_string_equal (show_rules (&arena, &changes), "all allowed; allow a -1:-1 7; deny c 1:1 2");
  changes = changes_from (&arena, &deny, "c 1:3 r\nb *:8 m\nc 136:* rwm\n");
  assert_string_equal (show_rules (&arena, &changes), "all denied; allow c 1:3 5; deny b -1:8 1; deny c 136:-1 7");
  changes = changes_from (&arena, &deny, "");
  assert_string_equal (show_rules (&arena, &changes), "all denied; allow c 1:3 7");
}

static void
bad_words (void **state)
{
  (void) state;
  ARENA_CLEANUP struct arena arena = { 0 };
  struct spec_device_rule bad[] = {
    RULE (true, "x", 1, 1, "r"),          RULE (true, "", 1, 1, "r"),
    RULE (true, "ca", 1, 1, "r"),         RULE (true, "c", 1, 1, "rx"),
    RULE (true, "c", 1, 1, "RW"),         RULE (true, "c", 4294967296, 1, "r"),
    RULE (true, "c", 1, 2147483648, "r"), { .type = "c", .minor = { true, -2 } },
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    {
      struct spec_resources resources = { .devices = { &bad[i], 1 } };
      struct device_rules rules = { .count = 77 };
      struct error err;
      assert_int_equal (cgroup_device_rules (&arena, NULL, &resources, &rules, &err), -EINVAL);
      assert_int_equal (rules.count, 77);
    }
}

/* Jumps must reach: what is too long is an error, what is just short enough is right at its far end.  */
static void
long_lists (void **state)
{
  (void) state;
  ARENA_CLEANUP struct arena arena = { 0 };
  enum
  {
    FITS = 6000,
    TOO_MANY = 8000
  };
  struct device_rules rules = { .items = arena_array (&arena, struct device_rule, TOO_MANY) };
  for (int i = 0; i < TOO_MANY; i++)
    rules.items[i] = (struct device_rule){ true, DEVICE_CHAR, i, i, DEVICE_READ };
  struct bpf_insn *program;
  size_t count;
  struct error err;
  rules.count = TOO_MANY;
  assert_int_equal (cgroup_device_program (&arena, &rules, &program, &count, &err), -E2BIG);
  rules.count = FITS;
  assert_int_equal (cgroup_device_program (&arena, &rules, &program, &count, &err), 0);
  for (unsigned i = 0; i < FITS; i += 1999)
    {
      struct bpf_cgroup_dev_ctx yes = { DEVICE_READ << 16 | DEVICE_CHAR, i, i }, no = { yes.access_type, i, i + 1 };
      assert_int_equal (run_program (program, count, &yes), 1);
      assert_int_equal (run_program (program, count, &no), 0);
    }
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (random_lists),
    cmocka_unit_test (random_lists_of_one_kind),
    cmocka_unit_test (default_devices),
    cmocka_unit_test (privileged_containers),
    cmocka_unit_test (exceptions_from_all),
    cmocka_unit_test (partial_all),
    cmocka_unit_test (holes_are_refused_on_v1),
    cmocka_unit_test (lists_are_changed),
    cmocka_unit_test (defaults_are_changed),
    cmocka_unit_test (bad_words),
    cmocka_unit_test (long_lists),
  };
  return cmocka_run_group_tests_name ("cgroup: devices", tests, NULL, NULL);
}
