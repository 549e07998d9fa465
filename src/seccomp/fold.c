/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Folding, a partial evaluation of classic BPF (Documentation/networking/filter.rst, seccomp(2)).
 *
 * A filter knows little: it loads a word of struct seccomp_data into the one accumulator, compares, jumps forward,
 * returns.  While the accumulator holds the number or the arch, a comparison has the same result for all calls between
 * two constants of the program.  So there are few ranges; in each, the program is followed from its start until it
 * returns, or loads an argument: from there on the instructions that can be reached are copied, without what is
 * decided already.
 *
 * Jumps only go forward, so the new program is written from its end (emit.c): a target exists before the jump to it. */
#include "seccomp/fold.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/arena.h"
#include "seccomp/emit.h"

/* What the accumulator holds.  */
enum held
{
  HELD_NUMBER,
  HELD_ARCH,
  HELD_OTHER, /* a part of an argument or of the instruction pointer */
  HELD_KINDS,
};

/* A call as far as it is known.  */
struct call
{
  uint32_t arch, number;
};

/* The numbers from FIRST up to the next range's.  */
struct range
{
  uint32_t first;
  struct target answer;
};

struct fold
{
  struct arena *arena;
  const struct sock_filter *program;
  uint32_t length;
  const struct fold_override *overrides;
  size_t override_count;
  struct emitter emitter;

  /* Scratch of one pass over the program, by instruction: which kinds the accumulator may hold there; and, when the
   * instructions are copied, where each went.  */
  uint8_t *reached;
  struct target (*copies)[HELD_KINDS];
  /* Copies that are good for every number of the arch at hand, by their first instruction; ENTRY_NONE: none yet.  */
  struct target *shared;
};

static bool
is_branch (const struct sock_filter *insn)
{
  return BPF_CLASS (insn->code) == BPF_JMP && BPF_OP (insn->code) != BPF_JA;
}

static bool
is_jump (const struct sock_filter *insn)
{
  return insn->code == (BPF_JMP | BPF_JA);
}

static bool
is_load (const struct sock_filter *insn)
{
  return insn->code == (BPF_LD | BPF_W | BPF_ABS);
}

static bool
is_return (const struct sock_filter *insn)
{
  return insn->code == (BPF_RET | BPF_K);
}

static enum held
load_kind (const struct sock_filter *insn)
{
  if (insn->k == offsetof (struct seccomp_data, nr))
    return HELD_NUMBER;
  return insn->k == offsetof (struct seccomp_data, arch) ? HELD_ARCH : HELD_OTHER;
}

/* Where the branch at PC goes when the accumulator is VALUE.  */
static uint32_t
branch_taken (const struct sock_filter *insn, uint32_t pc, uint32_t value)
{
  bool yes;
  switch (BPF_OP (insn->code))
    {
    case BPF_JEQ:
      yes = value == insn->k;
      break;
    case BPF_JGT:
      yes = value > insn->k;
      break;
    case BPF_JGE:
      yes = value >= insn->k;
      break;
    default:
      yes = value & insn->k;
      break;
    }
  return pc + 1 + (yes ? insn->jt : insn->jf);
}

/* Whether INSN is one that we follow, with the accumulator holding KIND.  The number and the arch are only compared,
 * the arch only for equality: so constants of the program are all that can tell two calls apart.  */
static bool
is_followed (const struct sock_filter *insn, enum held kind)
{
  if (is_load (insn) || is_jump (insn) || is_return (insn))
    return true;
  if (insn->code == (BPF_ALU | BPF_AND | BPF_K) || insn->code == (BPF_JMP | BPF_JSET | BPF_K))
    return kind == HELD_OTHER;
  if (insn->code == (BPF_JMP | BPF_JGT | BPF_K) || insn->code == (BPF_JMP | BPF_JGE | BPF_K))
    return kind != HELD_ARCH;
  return insn->code == (BPF_JMP | BPF_JEQ | BPF_K);
}

/* Marks what can follow the instruction at PC with the accumulator holding KIND.  CALL has what is known, with
 * KNOWN_NUMBER telling whether the number is; NULL: nothing is.  */
static void
reach_next (struct fold *fold, uint32_t pc, enum held kind, const struct call *call, bool known_number)
{
  const struct sock_filter *insn = &fold->program[pc];
  if (is_return (insn))
    return;
  if (is_load (insn))
    fold->reached[pc + 1] |= 1u << load_kind (insn);
  else if (is_jump (insn))
    fold->reached[pc + 1 + insn->k] |= 1u << kind;
  else if (is_branch (insn) && kind == HELD_ARCH && call != NULL)
    fold->reached[branch_taken (insn, pc, call->arch)] |= 1u << kind;
  else if (is_branch (insn) && kind == HELD_NUMBER && known_number)
    fold->reached[branch_taken (insn, pc, call->number)] |= 1u << kind;
  else if (is_branch (insn))
    {
      fold->reached[pc + 1 + insn->jt] |= 1u << kind;
      fold->reached[pc + 1 + insn->jf] |= 1u << kind;
    }
  else
    fold->reached[pc + 1] |= 1u << kind;
}

static void
reach_from (struct fold *fold, uint32_t start)
{
  for (uint32_t pc = 0; pc < fold->length; pc++)
    fold->reached[pc] = 0;
  fold->reached[start] = 1u << HELD_OTHER; /* the accumulator starts as 0, and a load comes first anyway */
}

static bool
is_reached (const struct fold *fold, uint32_t pc, enum held kind)
{
  return fold->reached[pc] & 1u << kind;
}

/* ---- the calls that the program tells apart ---- */

static void
add_arch (uint32_t *arches, uint32_t *count, uint32_t arch)
{
  for (uint32_t i = 0; i < *count; i++)
    if (arches[i] == arch)
      return;
  arches[(*count)++] = arch;
}

/* The arches, in the order of the program, into ARCHES, which has room for one of each instruction and override.
 * -EOPNOTSUPP if there is anything we do not follow.  */
static int
find_arches (struct fold *fold, uint32_t *arches, uint32_t *ret_count)
{
  uint32_t count = 0;
  reach_from (fold, 0);
  for (uint32_t pc = 0; pc < fold->length; pc++)
    for (unsigned kind = 0; kind < HELD_KINDS; kind++)
      {
        if (!is_reached (fold, pc, kind))
          continue;
        const struct sock_filter *insn = &fold->program[pc];
        if (!is_followed (insn, kind) || (pc == 0 && !is_load (insn)))
          return -EOPNOTSUPP;
        reach_next (fold, pc, kind, NULL, false);
        if (!is_branch (insn) || kind != HELD_ARCH)
          continue;
        add_arch (arches, &count, insn->k);
      }
  for (size_t i = 0; i < fold->override_count; i++)
    add_arch (arches, &count, fold->overrides[i].arch);
  *ret_count = count;
  return 0;
}

static int
compare_numbers (const void *a, const void *b)
{
  uint32_t x = *(const uint32_t *) a, y = *(const uint32_t *) b;
  return (x > y) - (x < y);
}

/* Adds the limit between NUMBER and NUMBER + 1.  */
static void
add_limit_after (uint32_t *limits, uint32_t *count, uint32_t number)
{
  if (number != UINT32_MAX)
    limits[(*count)++] = number + 1;
}

/* The first numbers of the ranges within which the program does not tell calls of ARCH apart, sorted, the first being
 * 0.  Returns how many.  */
static uint32_t
find_limits (struct fold *fold, uint32_t arch, uint32_t **ret_limits)
{
  const struct call call = { .arch = arch };
  uint32_t *limits = arena_array (fold->arena, uint32_t, 1 + 2 * (fold->length + fold->override_count)), count = 0;
  limits[count++] = 0;
  for (size_t i = 0; i < fold->override_count; i++)
    if (fold->overrides[i].arch == arch)
      {
        limits[count++] = fold->overrides[i].first;
        add_limit_after (limits, &count, fold->overrides[i].last);
      }

  reach_from (fold, 0);
  for (uint32_t pc = 0; pc < fold->length; pc++)
    for (unsigned kind = 0; kind < HELD_KINDS; kind++)
      {
        if (!is_reached (fold, pc, kind))
          continue;
        const struct sock_filter *insn = &fold->program[pc];
        reach_next (fold, pc, kind, &call, false);
        if (!is_branch (insn) || kind != HELD_NUMBER)
          continue;
        if (BPF_OP (insn->code) != BPF_JGT)
          limits[count++] = insn->k;
        if (BPF_OP (insn->code) != BPF_JGE)
          add_limit_after (limits, &count, insn->k);
      }

  qsort (limits, count, sizeof *limits, compare_numbers);
  uint32_t unique = 1;
  for (uint32_t i = 1; i < count; i++)
    if (limits[i] != limits[unique - 1])
      limits[unique++] = limits[i];
  *ret_limits = limits;
  return unique;
}

/* ---- the answers ---- */

/* What to answer to CALL where the program answers ACTION.  *ALWAYS is cleared if that is not so for all numbers.  */
static struct target
answer_for (const struct fold *fold, const struct call *call, uint32_t action, bool *always)
{
  for (size_t i = 0; i < fold->override_count; i++)
    {
      const struct fold_override *o = &fold->overrides[i];
      if (o->arch != call->arch || o->from != action)
        continue;
      *always = false;
      if (o->first <= call->number && call->number <= o->last)
        return target_return (o->to);
    }
  return target_return (action);
}

/* Copies the instruction at PC, with the accumulator holding KIND, for CALL.  What is decided already needs no copy,
 * only where it goes on.  Clears *ANY_NUMBER if the copy is not good for other numbers of the arch.  */
static int
copy_insn (struct fold *fold, uint32_t pc, enum held kind, const struct call *call, bool *any_number)
{
  const struct sock_filter *insn = &fold->program[pc];
  const struct target (*next)[HELD_KINDS] = &fold->copies[pc + 1];
  struct target *copy = &fold->copies[pc][kind];
  bool always = kind != HELD_NUMBER;
  int r = 0;
  if (is_return (insn))
    *copy = answer_for (fold, call, insn->k, &always);
  else if (is_load (insn) && load_kind (insn) != HELD_OTHER)
    *copy = next[0][load_kind (insn)];
  else if (is_jump (insn))
    *copy = next[insn->k][kind];
  else if (is_branch (insn) && kind != HELD_OTHER)
    *copy = fold->copies[branch_taken (insn, pc, kind == HELD_ARCH ? call->arch : call->number)][kind];
  else if (is_branch (insn))
    r = emit_branch (&fold->emitter, insn->code, insn->k, next[insn->jt][kind], next[insn->jf][kind], copy);
  else
    r = emit_plain (&fold->emitter, insn->code, insn->k, next[0][HELD_OTHER], copy);
  *any_number = *any_number && always;
  return r;
}

/* Copies what can be reached from START, which loads an argument, for CALL.  */
static int
copy_from (struct fold *fold, uint32_t start, const struct call *call, struct target *ret_target)
{
  if (fold->shared[start].kind != TARGET_NONE)
    {
      *ret_target = fold->shared[start];
      return 0;
    }

  reach_from (fold, start);
  for (uint32_t pc = start; pc < fold->length; pc++)
    for (unsigned kind = 0; kind < HELD_KINDS; kind++)
      if (is_reached (fold, pc, kind))
        reach_next (fold, pc, kind, call, true);

  bool any_number = true;
  for (uint32_t pc = fold->length; pc-- > start;)
    for (unsigned kind = 0; kind < HELD_KINDS; kind++)
      {
        int r = is_reached (fold, pc, kind) ? copy_insn (fold, pc, kind, call, &any_number) : 0;
        if (r < 0)
          return r;
      }
  if (any_number)
    fold->shared[start] = fold->copies[start][HELD_OTHER];
  *ret_target = fold->copies[start][HELD_OTHER];
  return 0;
}

/* Follows the program for CALL to its answer, or to where it depends on an argument.  */
static int
follow (struct fold *fold, const struct call *call, struct target *ret_target)
{
  uint32_t accumulator = 0;
  for (uint32_t pc = 0; pc < fold->length;)
    {
      const struct sock_filter *insn = &fold->program[pc];
      if (is_return (insn))
        {
          bool always = true;
          *ret_target = answer_for (fold, call, insn->k, &always);
          return 0;
        }
      if (is_load (insn) && load_kind (insn) == HELD_OTHER)
        return copy_from (fold, pc, call, ret_target);

      if (is_load (insn))
        accumulator = load_kind (insn) == HELD_ARCH ? call->arch : call->number;
      if (is_branch (insn))
        pc = branch_taken (insn, pc, accumulator);
      else
        pc += 1 + (is_jump (insn) ? insn->k : 0);
    }
  return -EOPNOTSUPP; /* no RET at the end: not a program that the kernel takes */
}

/* ---- writing them down ---- */

/* A search tree over COUNT ranges.  */
static int
emit_search (struct emitter *emitter, const struct range *ranges, uint32_t count, struct target *ret_target)
{
  if (count == 1)
    {
      *ret_target = ranges[0].answer;
      return 0;
    }

  /* One call that is different from its neighbours.  */
  if (count == 3 && target_equal (ranges[0].answer, ranges[2].answer) && ranges[1].first + 1 == ranges[2].first)
    return emit_branch (emitter, BPF_JMP | BPF_JEQ | BPF_K, ranges[1].first, ranges[1].answer, ranges[0].answer,
                        ret_target);

  struct target below, above;
  uint32_t half = count / 2;
  int r = emit_search (emitter, ranges + half, count - half, &above);
  if (r == 0)
    r = emit_search (emitter, ranges, half, &below);
  if (r == 0)
    r = emit_branch (emitter, BPF_JMP | BPF_JGE | BPF_K, ranges[half].first, above, below, ret_target);
  return r;
}

/* What to do with calls of ARCH.  */
static int
emit_arch (struct fold *fold, uint32_t arch, struct target *ret_target)
{
  uint32_t *limits, count = find_limits (fold, arch, &limits);
  struct range *ranges = arena_array (fold->arena, struct range, count);
  uint32_t used = 0;
  for (uint32_t pc = 0; pc < fold->length; pc++)
    fold->shared[pc] = (struct target){ TARGET_NONE, 0 };
  for (uint32_t i = 0; i < count; i++)
    {
      struct range range = { .first = limits[i] };
      int r = follow (fold, &(struct call){ arch, limits[i] }, &range.answer);
      if (r < 0)
        return r;
      if (used == 0 || !target_equal (ranges[used - 1].answer, range.answer))
        ranges[used++] = range;
    }

  int r = emit_search (&fold->emitter, ranges, used, ret_target);
  if (r < 0 || used == 1)
    return r;
  return emit_plain (&fold->emitter, BPF_LD | BPF_W | BPF_ABS, offsetof (struct seccomp_data, nr), *ret_target,
                     ret_target);
}

/* The whole program: the arches are asked for one after the other, in the order of the original.  */
static int
emit_program (struct fold *fold, const uint32_t *arches, uint32_t count)
{
  /* Any value that the program does not know stands for all of them.  */
  uint32_t other = 0;
  for (uint32_t i = 0; i < count; i++)
    if (arches[i] == other)
      {
        other++;
        i = (uint32_t) -1;
      }

  struct target *targets = arena_array (fold->arena, struct target, count + 1), entry;
  int r = 0;
  for (uint32_t i = count; r == 0 && i-- > 0;)
    r = emit_arch (fold, arches[i], &targets[i]);
  if (r == 0)
    r = emit_arch (fold, other, &entry);
  for (uint32_t i = count; r == 0 && i-- > 0;)
    r = emit_branch (&fold->emitter, BPF_JMP | BPF_JEQ | BPF_K, arches[i], targets[i], entry, &entry);
  if (r == 0)
    r = emit_plain (&fold->emitter, BPF_LD | BPF_W | BPF_ABS, offsetof (struct seccomp_data, arch), entry, &entry);
  return r;
}

int
seccomp_fold (struct arena *arena, const struct sock_filter *program, uint32_t length,
              const struct fold_override *overrides, size_t override_count, struct sock_filter **ret_program,
              uint32_t *ret_length)
{
  struct fold fold = {
    .arena = arena,
    .program = program,
    .length = length,
    .overrides = overrides,
    .override_count = override_count,
    .reached = arena_array (arena, uint8_t, length + 1),
    .copies = arena_alloc_array (arena, length + 1, sizeof *fold.copies),
    .shared = arena_array (arena, struct target, length),
  };
  uint32_t *arches = arena_array (arena, uint32_t, length + override_count), count;
  int r = find_arches (&fold, arches, &count);
  if (r == 0)
    r = emit_program (&fold, arches, count);
  if (r < 0)
    return r;
  *ret_program = emit_result (&fold.emitter, arena, ret_length);
  return 0;
}
