/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Id-mapped mounts (mount_setattr(2)).  */
#pragma once

#include "plan/plan.h"

struct arena;
struct error;
struct spec;

/* A user namespace that nobody is in, with the maps that IDS says; ORIGIN is the mount that wants it.  Gives its
 * descriptor.  */
int mount_ids_namespace (struct arena *arena, const struct spec *spec, const struct plan_ids *ids, const void *origin,
                         struct error *err);

/* Maps the ids of TREE, the detached copy of what OPEN_ says, as the user namespace NAMESPACE has them.  */
int mount_ids_apply (struct arena *arena, const struct spec *spec, const struct plan_open *open_, int tree,
                     int namespace, struct error *err);
