/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What of the host is opened for init before it is born: namespaces that it joins, and copies of mounts that it could
 * not make itself, or whose ids are mapped.  */
#pragma once

#include <stdint.h>

struct arena;
struct error;
struct plan;
struct spec;

/* Opens what PLAN names into FDS, from PLAN_FD_OPENED on, where -1 stands; an entry stays so that init has to open
 * itself.  A namespace is of the type that the config says and one that init can join.  After an error the caller
 * closes what is open.  */
int opened_fill (struct arena *arena, const struct spec *spec, const struct plan *plan, int32_t *fds,
                 struct error *err);
