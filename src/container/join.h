/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether the kernel will let init join the namespaces that a plan names by their paths.  */
#pragma once

#include <stdint.h>

struct arena;
struct error;
struct plan;
struct spec;

/* Refuses what setns(2) would refuse, or what init could do nothing in, while nothing has been done yet.  FDS are the
 * descriptors of the plan, opened.  */
int join_check (struct arena *arena, const struct spec *spec, const struct plan *plan, const int32_t *fds,
                struct error *err);
