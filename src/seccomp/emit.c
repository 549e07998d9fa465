/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writing classic BPF backwards.  A conditional jump reaches 255 instructions; what is farther is reached over an
 * unconditional one, and an answer is written again rather than jumped to.  */
#include "seccomp/emit.h"

#include <errno.h>

#include "base/arena.h"

/* Each of the two targets of a branch may cost an instruction in front of it, which moves the other one by one.  */
enum
{
  REACH = 255 - 1
};

static int
emit (struct emitter *emitter, struct sock_filter insn, struct target *ret_target)
{
  if (emitter->count == BPF_MAXINSNS)
    return -E2BIG;
  *ret_target = (struct target){ TARGET_INSN, emitter->count };
  emitter->reversed[emitter->count++] = insn;
  return 0;
}

/* How many instructions an instruction written now would have to skip.  */
static uint32_t
distance (const struct emitter *emitter, struct target target)
{
  return emitter->count - target.value - 1;
}

/* An answer that was written already, as near as REACH.  */
static bool
find_return (const struct emitter *emitter, uint32_t action, struct target *ret_target)
{
  for (uint32_t i = 0; i <= REACH && i < emitter->count; i++)
    {
      const struct sock_filter *insn = &emitter->reversed[emitter->count - 1 - i];
      if (insn->code == (BPF_RET | BPF_K) && insn->k == action)
        {
          *ret_target = (struct target){ TARGET_INSN, emitter->count - 1 - i };
          return true;
        }
    }
  return false;
}

/* Makes *TARGET an instruction that the next conditional jump reaches.  */
static int
bring_near (struct emitter *emitter, struct target *target)
{
  if (target->kind == TARGET_RETURN)
    {
      uint32_t action = target->value;
      if (find_return (emitter, action, target))
        return 0;
      return emit (emitter, (struct sock_filter) BPF_STMT (BPF_RET | BPF_K, action), target);
    }
  if (distance (emitter, *target) <= REACH)
    return 0;
  return emit (emitter, (struct sock_filter) BPF_STMT (BPF_JMP | BPF_JA, distance (emitter, *target)), target);
}

int
emit_branch (struct emitter *emitter, uint16_t code, uint32_t k, struct target yes, struct target no,
             struct target *ret_target)
{
  if (target_equal (yes, no))
    {
      *ret_target = yes;
      return 0;
    }
  int r = bring_near (emitter, &yes);
  if (r == 0)
    r = bring_near (emitter, &no);
  if (r < 0)
    return r;
  return emit (
      emitter,
      (struct sock_filter) BPF_JUMP (code, k, (uint8_t) distance (emitter, yes), (uint8_t) distance (emitter, no)),
      ret_target);
}

int
emit_plain (struct emitter *emitter, uint16_t code, uint32_t k, struct target next, struct target *ret_target)
{
  int r = 0;
  if (next.kind == TARGET_RETURN)
    r = emit (emitter, (struct sock_filter) BPF_STMT (BPF_RET | BPF_K, next.value), &next);
  else if (distance (emitter, next) > 0)
    r = emit (emitter, (struct sock_filter) BPF_STMT (BPF_JMP | BPF_JA, distance (emitter, next)), &next);
  if (r < 0)
    return r;
  return emit (emitter, (struct sock_filter) BPF_STMT (code, k), ret_target);
}

struct sock_filter *
emit_result (const struct emitter *emitter, struct arena *arena, uint32_t *ret_length)
{
  struct sock_filter *program = arena_array (arena, struct sock_filter, emitter->count);
  for (uint32_t i = 0; i < emitter->count; i++)
    program[i] = emitter->reversed[emitter->count - 1 - i];
  *ret_length = emitter->count;
  return program;
}
