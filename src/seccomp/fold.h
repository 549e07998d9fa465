/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Making a filter quicker to load and to run without changing what it answers.
 *
 * libseccomp's program asks about one system call after the other.  When it is loaded, the kernel since 5.11 runs it
 * for each of some 900 numbers, to know which calls are always allowed; for a usual profile that takes a millisecond of
 * every start.  Folding runs the program here, once, for every arch and every range of numbers that it tells apart, and
 * writes the answers down as a binary search.  What depends on arguments is kept as code.  */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct arena;
struct sock_filter;

/* Where the program answers FROM to a call of ARCH (AUDIT_ARCH_*) with a number FIRST ... LAST, answer TO instead.  */
struct fold_override
{
  uint32_t arch;
  uint32_t first, last;
  uint32_t from, to; /* SECCOMP_RET_*, with data */
};

/* Folds the LENGTH instructions of PROGRAM, which the kernel would take.  The result is in ARENA.  0; -EOPNOTSUPP if
 * the program does with the number or the arch what we do not follow (libseccomp's do not); -E2BIG if the result would
 * be longer than BPF_MAXINSNS.  */
int seccomp_fold (struct arena *arena, const struct sock_filter *program, uint32_t length,
                  const struct fold_override *overrides, size_t override_count, struct sock_filter **ret_program,
                  uint32_t *ret_length);
