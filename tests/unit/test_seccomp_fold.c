/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* src/seccomp/fold: a folded program answers every call as the original does.  Programs by hand for each rule of
 * folding, and some thousand random ones, judged by an interpreter.  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first.  */
#include <cmocka.h>

#include <errno.h>
#include <linux/audit.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "bpf.h"
#include "seccomp/fold.h"

#define LOAD(member) BPF_STMT (BPF_LD | BPF_W | BPF_ABS, offsetof (struct seccomp_data, member))
#define RETURN(action) BPF_STMT (BPF_RET | BPF_K, action)
#define IF(op, value, jt, jf) BPF_JUMP (BPF_JMP | op | BPF_K, value, jt, jf)
#define GOTO(skip) BPF_STMT (BPF_JMP | BPF_JA, skip)

enum
{
  ALLOW = SECCOMP_RET_ALLOW,
  DENY = SECCOMP_RET_ERRNO | 1,
  OTHER = SECCOMP_RET_TRAP
};

static int
compare_values (const void *a, const void *b)
{
  uint32_t x = *(const uint32_t *) a, y = *(const uint32_t *) b;
  return (x > y) - (x < y);
}

/* The values at which a program could change its mind: its constants, one less and one more; and some of no meaning. */
static size_t
probes (const struct sock_filter *program, uint32_t length, uint32_t *values)
{
  size_t count = 0, unique = 0;
  for (uint32_t i = 0; i < length; i++)
    for (int step = -1; step <= 1; step++)
      values[count++] = program[i].k + (uint32_t) step;
  for (uint32_t any = 0; any < 3; any++)
    values[count++] = any * 0x7fffffffu;
  qsort (values, count, sizeof *values, compare_values);
  for (size_t i = 0; i < count; i++)
    if (i == 0 || values[i] != values[unique - 1])
      values[unique++] = values[i];
  return unique;
}

static void
check_same (const struct sock_filter *before, uint32_t length, const struct sock_filter *after, uint32_t after_length,
            const struct fold_override *override)
{
  assert_true (bpf_is_valid (before, length));
  assert_true (bpf_is_valid (after, after_length));
  static uint32_t values[3 * BPF_MAXINSNS + 3];
  size_t count = probes (before, length, values);
  for (size_t a = 0; a < count; a++)
    for (size_t n = 0; n < count; n++)
      {
        struct seccomp_data data = { .arch = values[a], .nr = (int) values[n] };
        for (unsigned i = 0; i < 6; i++)
          data.args[i] = (uint64_t) values[(n + i) % count] << 32 | values[(a * 7 + n * 3 + i) % count];
        uint32_t expected = bpf_run (before, &data, NULL);
        if (override != NULL && override->arch == data.arch && override->first <= (uint32_t) data.nr
            && (uint32_t) data.nr <= override->last && override->from == expected)
          expected = override->to;
        assert_int_equal (bpf_run (after, &data, NULL), expected);
      }
}

/* Folds and compares; returns the new length.  */
static uint32_t
check_fold (const struct sock_filter *program, uint32_t length, const struct fold_override *override)
{
  ARENA_CLEANUP struct arena arena = { 0 };
  struct sock_filter *folded;
  uint32_t folded_length;
  assert_int_equal (seccomp_fold (&arena, program, length, override, override != NULL, &folded, &folded_length), 0);
  check_same (program, length, folded, folded_length, override);
  return folded_length;
}

#define CHECK_FOLD(program, override) check_fold ((program), sizeof (program) / sizeof *(program), (override))

static void
test_constant (void **state)
{
  (void) state;
  const struct sock_filter all[] = { LOAD (arch), RETURN (ALLOW) };
  assert_int_equal (CHECK_FOLD (all, NULL), 2);

  /* Comparisons that decide nothing vanish.  */
  const struct sock_filter same[] = { LOAD (nr), IF (BPF_JEQ, 5, 0, 1), RETURN (ALLOW), RETURN (ALLOW) };
  assert_int_equal (CHECK_FOLD (same, NULL), 2);
}

static void
test_numbers_become_a_search (void **state)
{
  (void) state;
  /* 0 ... 299 but each third is allowed, one comparison each.  */
  struct sock_filter program[604];
  uint32_t length = 0;
  program[length++] = (struct sock_filter) LOAD (arch);
  program[length++] = (struct sock_filter) IF (BPF_JEQ, AUDIT_ARCH_X86_64, 1, 0);
  program[length++] = (struct sock_filter) RETURN (OTHER);
  program[length++] = (struct sock_filter) LOAD (nr);
  for (uint32_t nr = 0; nr < 300; nr++)
    if (nr % 3 != 0)
      {
        program[length++] = (struct sock_filter) IF (BPF_JEQ, nr, 0, 1);
        program[length++] = (struct sock_filter) RETURN (ALLOW);
      }
  program[length++] = (struct sock_filter) RETURN (DENY);

  ARENA_CLEANUP struct arena arena = { 0 };
  struct sock_filter *folded;
  uint32_t folded_length, most = 0, steps;
  assert_int_equal (seccomp_fold (&arena, program, length, NULL, 0, &folded, &folded_length), 0);
  check_same (program, length, folded, folded_length, NULL);
  for (int nr = 0; nr < 400; nr++)
    {
      struct seccomp_data data = { .arch = AUDIT_ARCH_X86_64, .nr = nr };
      bpf_run (folded, &data, &steps);
      most = steps > most ? steps : most;
    }
  assert_true (folded_length <= 220);
  assert_true (most <= 14); /* of 400 */
}

static void
test_arguments_stay (void **state)
{
  (void) state;
  /* Two words of an argument, a mask, another comparison of the number afterwards, and jumps over one another.  */
  const struct sock_filter program[] = {
    LOAD (arch),
    IF (BPF_JEQ, AUDIT_ARCH_X86_64, 0, 13),
    LOAD (nr),
    IF (BPF_JGE, 100, 11, 0),
    IF (BPF_JEQ, 7, 0, 6),
    LOAD (args[1]),
    IF (BPF_JGT, 0x1000, 2, 0),
    BPF_STMT (BPF_ALU | BPF_AND | BPF_K, 0xff),
    IF (BPF_JSET, 0x81, 0, 6),
    LOAD (nr),
    IF (BPF_JEQ, 7, 2, 0),
    GOTO (2),
    RETURN (DENY),
    LOAD (args[0]),
    IF (BPF_JEQ, 3, 0, 1),
    RETURN (ALLOW),
    RETURN (OTHER),
  };
  CHECK_FOLD (program, NULL);
  CHECK_FOLD (program, (&(struct fold_override){ AUDIT_ARCH_X86_64, 7, 7, OTHER, ALLOW }));
  CHECK_FOLD (program, (&(struct fold_override){ AUDIT_ARCH_X86_64, 5, 8, OTHER, DENY }));
}

static void
test_override (void **state)
{
  (void) state;
  const struct sock_filter program[] = {
    LOAD (arch),    IF (BPF_JEQ, AUDIT_ARCH_X86_64, 0, 3),
    LOAD (nr),      IF (BPF_JGT, 9, 2, 0),
    RETURN (ALLOW), RETURN (OTHER),
    RETURN (DENY),
  };
  static const struct fold_override overrides[] = {
    { AUDIT_ARCH_X86_64, 20, 29, DENY, SECCOMP_RET_ERRNO | ENOSYS },
    { AUDIT_ARCH_X86_64, 20, UINT32_MAX, DENY, SECCOMP_RET_ERRNO | ENOSYS },
    { AUDIT_ARCH_X86_64, 0, UINT32_MAX, DENY, ALLOW },
    { AUDIT_ARCH_X86_64, 0, 5, DENY, OTHER },         /* there is no DENY */
    { AUDIT_ARCH_I386, 0, UINT32_MAX, OTHER, ALLOW }, /* an arch that the program does not ask for */
  };
  for (size_t i = 0; i < sizeof overrides / sizeof *overrides; i++)
    CHECK_FOLD (program, &overrides[i]);
  CHECK_FOLD (program, NULL);

  ARENA_CLEANUP struct arena arena = { 0 };
  struct sock_filter *folded;
  uint32_t length;
  struct seccomp_data data = { .arch = AUDIT_ARCH_X86_64, .nr = 25 };
  assert_int_equal (seccomp_fold (&arena, program, 7, overrides, 5, &folded, &length), 0);
  assert_int_equal (bpf_run (folded, &data, NULL), SECCOMP_RET_ERRNO | ENOSYS);
  data.arch = AUDIT_ARCH_I386;
  assert_int_equal (bpf_run (folded, &data, NULL), ALLOW);
  data.arch = AUDIT_ARCH_ARM;
  assert_int_equal (bpf_run (folded, &data, NULL), OTHER);
}

static void
test_not_followed (void **state)
{
  (void) state;
  static const struct sock_filter programs[][4] = {
    { LOAD (nr), IF (BPF_JSET, 0x40000000, 0, 1), RETURN (ALLOW), RETURN (DENY) },
    { LOAD (nr), BPF_STMT (BPF_ALU | BPF_AND | BPF_K, 0xff), RETURN (ALLOW), RETURN (DENY) },
    { LOAD (arch), IF (BPF_JGE, 5, 0, 1), RETURN (ALLOW), RETURN (DENY) },
    { IF (BPF_JEQ, 0, 0, 1), GOTO (0), RETURN (ALLOW), RETURN (DENY) },
    { LOAD (nr), BPF_STMT (BPF_MISC | BPF_TAX, 0), RETURN (ALLOW), RETURN (DENY) },
    { LOAD (nr), BPF_STMT (BPF_RET | BPF_A, 0), RETURN (ALLOW), RETURN (DENY) },
  };
  ARENA_CLEANUP struct arena arena = { 0 };
  for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
    {
      struct sock_filter *folded = NULL;
      uint32_t length = 99;
      assert_int_equal (seccomp_fold (&arena, programs[i], 4, NULL, 0, &folded, &length), -EOPNOTSUPP);
      assert_null (folded);
      assert_int_equal (length, 99);
    }
}

/* An answer for each even number below 2 * COUNT, and a question about an argument for all others.  */
static uint32_t
write_many (struct sock_filter *program, uint32_t count)
{
  uint32_t length = 0;
  program[length++] = (struct sock_filter) LOAD (nr);
  for (uint32_t i = 0; i < count; i++)
    {
      program[length++] = (struct sock_filter) IF (BPF_JEQ, 2 * i, 0, 1);
      program[length++] = (struct sock_filter) RETURN (SECCOMP_RET_TRACE | i);
    }
  program[length++] = (struct sock_filter) LOAD (args[0]);
  program[length++] = (struct sock_filter) IF (BPF_JEQ, 1, 0, 1);
  program[length++] = (struct sock_filter) RETURN (DENY);
  program[length++] = (struct sock_filter) RETURN (ALLOW);
  return length;
}

/* So many answers that targets are out of a conditional jump's reach, and at last more than a program may hold.  */
static void
test_far_targets (void **state)
{
  (void) state;
  static struct sock_filter program[BPF_MAXINSNS];
  for (uint32_t count = 100; count <= 800; count += 100)
    {
      ARENA_CLEANUP struct arena arena = { 0 };
      struct sock_filter *folded;
      uint32_t length = write_many (program, count), folded_length;
      assert_true (bpf_is_valid (program, length));
      assert_int_equal (seccomp_fold (&arena, program, length, NULL, 0, &folded, &folded_length), 0);
      assert_true (bpf_is_valid (folded, folded_length));
      for (uint32_t nr = 0; nr < 2 * count + 3; nr++)
        for (uint32_t arg = 0; arg < 2; arg++)
          {
            struct seccomp_data data = { .nr = (int) nr, .args = { arg } };
            assert_int_equal (bpf_run (folded, &data, NULL), bpf_run (program, &data, NULL));
          }
    }

  ARENA_CLEANUP struct arena arena = { 0 };
  struct sock_filter *folded = NULL;
  uint32_t folded_length = 99, length = write_many (program, 2000);
  assert_true (bpf_is_valid (program, length));
  assert_int_equal (seccomp_fold (&arena, program, length, NULL, 0, &folded, &folded_length), -E2BIG);
  assert_null (folded);
  assert_int_equal (folded_length, 99);
}

/* A random instruction for position PC of LENGTH, knowing what the accumulator holds as the fold must: only loads give
 * it.  */
static struct sock_filter
random_insn (uint32_t pc, uint32_t length, bool any_bits)
{
  static const uint16_t offsets[] = { 0, 4, 16, 20, 24 };
  static const uint16_t compare[] = { BPF_JEQ, BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JSET };
  uint32_t left = length - pc - 1, constant = (uint32_t) rand () % 12;
  switch (rand () % 8)
    {
    case 0:
    case 1:
      return (struct sock_filter) BPF_STMT (BPF_LD | BPF_W | BPF_ABS, offsets[rand () % 5]);
    case 2:
      return (struct sock_filter) RETURN (rand () % 2 ? ALLOW : DENY + (uint32_t) rand () % 3);
    case 3:
      return (struct sock_filter) GOTO ((uint32_t) rand () % left);
    case 4:
      if (any_bits)
        return (struct sock_filter) BPF_STMT (BPF_ALU | BPF_AND | BPF_K, constant);
      /* fallthrough */
    default:
      return (struct sock_filter) IF (compare[rand () % (any_bits ? 5 : 2)], constant,
                                      (uint8_t) ((uint32_t) rand () % (left < 6 ? left : 6)),
                                      (uint8_t) ((uint32_t) rand () % (left < 6 ? left : 6)));
    }
}

static void
test_random_programs (void **state)
{
  (void) state;
  unsigned folded_count = 0;
  srand (20240229);
  for (unsigned round = 0; round < 6000; round++)
    {
      ARENA_CLEANUP struct arena arena = { 0 };
      struct sock_filter program[40], *folded;
      uint32_t length = 4 + (uint32_t) rand () % 36, folded_length;
      bool any_bits = round % 3 == 0;
      program[0] = (struct sock_filter) BPF_STMT (BPF_LD | BPF_W | BPF_ABS, rand () % 2 ? 0 : 4);
      for (uint32_t pc = 1; pc < length - 1; pc++)
        program[pc] = random_insn (pc, length, any_bits);
      program[length - 1] = (struct sock_filter) RETURN (ALLOW);

      const struct fold_override override = { .arch = (uint32_t) rand () % 12,
                                              .first = (uint32_t) rand () % 12,
                                              .last = 6 + (uint32_t) rand () % 12,
                                              .from = DENY,
                                              .to = SECCOMP_RET_LOG };
      if (seccomp_fold (&arena, program, length, &override, 1, &folded, &folded_length) < 0)
        continue;
      folded_count++;
      check_same (program, length, folded, folded_length, &override);
    }
  assert_true (folded_count > 2000);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_constant),        cmocka_unit_test (test_numbers_become_a_search),
    cmocka_unit_test (test_arguments_stay),  cmocka_unit_test (test_override),
    cmocka_unit_test (test_not_followed),    cmocka_unit_test (test_far_targets),
    cmocka_unit_test (test_random_programs),
  };
  return cmocka_run_group_tests_name ("seccomp_fold", tests, NULL, NULL);
}
