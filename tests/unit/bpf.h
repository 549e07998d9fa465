/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An interpreter for the classic BPF of seccomp(2), as the kernel checks and runs it: the judge of what a filter says.
 */
#pragma once

#include <linux/bpf_common.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Whether the kernel would take PROGRAM (seccomp_check_filter and bpf_check_classic of the kernel): known instructions,
 * jumps forward and inside, loads of aligned words of the data, a return at the end.  */
static inline bool
bpf_is_valid (const struct sock_filter *program, uint32_t length)
{
  if (length == 0 || length > BPF_MAXINSNS || program[length - 1].code != (BPF_RET | BPF_K))
    return false;
  for (uint32_t pc = 0; pc < length; pc++)
    {
      const struct sock_filter *insn = &program[pc];
      uint32_t left = length - pc - 1;
      switch (insn->code)
        {
        case BPF_LD | BPF_W | BPF_ABS:
          if (insn->k % 4 != 0 || insn->k >= sizeof (struct seccomp_data))
            return false;
          break;
        case BPF_JMP | BPF_JA:
          if (insn->k >= left)
            return false;
          break;
        case BPF_JMP | BPF_JEQ | BPF_K:
        case BPF_JMP | BPF_JGT | BPF_K:
        case BPF_JMP | BPF_JGE | BPF_K:
        case BPF_JMP | BPF_JSET | BPF_K:
          if (insn->jt >= left || insn->jf >= left)
            return false;
          break;
        case BPF_RET | BPF_K:
        case BPF_ALU | BPF_AND | BPF_K:
          break;
        default:
          return false;
        }
    }
  return true;
}

/* What a valid PROGRAM answers to the call DATA.  *RET_STEPS, unless NULL, is how many instructions that took.  */
static inline uint32_t
bpf_run (const struct sock_filter *program, const struct seccomp_data *data, uint32_t *ret_steps)
{
  uint32_t accumulator = 0, steps = 0;
  for (const struct sock_filter *insn = program;; insn++)
    {
      bool yes = false;
      steps++;
      switch (insn->code)
        {
        case BPF_LD | BPF_W | BPF_ABS:
          memcpy (&accumulator, (const char *) data + insn->k, sizeof accumulator);
          continue;
        case BPF_ALU | BPF_AND | BPF_K:
          accumulator &= insn->k;
          continue;
        case BPF_JMP | BPF_JA:
          insn += insn->k;
          continue;
        case BPF_JMP | BPF_JEQ | BPF_K:
          yes = accumulator == insn->k;
          break;
        case BPF_JMP | BPF_JGT | BPF_K:
          yes = accumulator > insn->k;
          break;
        case BPF_JMP | BPF_JGE | BPF_K:
          yes = accumulator >= insn->k;
          break;
        case BPF_JMP | BPF_JSET | BPF_K:
          yes = accumulator & insn->k;
          break;
        default: /* BPF_RET | BPF_K */
          if (ret_steps != NULL)
            *ret_steps = steps;
          return insn->k;
        }
      insn += yes ? insn->jt : insn->jf;
    }
}
