/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writing classic BPF from its end to its start, so that the target of every jump is there when the jump is written. */
#pragma once

#include <linux/bpf_common.h>
#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>

struct arena;

/* Where control goes on: an instruction that was written, or an answer, which is written where it is needed.  */
struct target
{
  enum target_kind
  {
    TARGET_NONE,
    TARGET_RETURN, /* value is the answer */
    TARGET_INSN,   /* value is how many instructions were written before it */
  } kind;
  uint32_t value;
};

struct emitter
{
  uint32_t count;
  struct sock_filter reversed[BPF_MAXINSNS]; /* the last one first */
};

static inline struct target
target_return (uint32_t action)
{
  return (struct target){ TARGET_RETURN, action };
}

static inline bool
target_equal (struct target a, struct target b)
{
  return a.kind == b.kind && a.value == b.value;
}

/* Writes a conditional jump: CODE compares the accumulator with K and goes on at YES or NO.  *RET_TARGET is the place
 * of the jump.  0 or -E2BIG.  */
int emit_branch (struct emitter *emitter, uint16_t code, uint32_t k, struct target yes, struct target no,
                 struct target *ret_target);

/* Writes an instruction that is no jump and goes on at NEXT.  0 or -E2BIG.  */
int emit_plain (struct emitter *emitter, uint16_t code, uint32_t k, struct target next, struct target *ret_target);

/* The program, the right way round, in ARENA.  */
struct sock_filter *emit_result (const struct emitter *emitter, struct arena *arena, uint32_t *ret_length);
