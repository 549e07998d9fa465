/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The ids of a user namespace (user_namespaces(7), config-linux.md#user-namespace-mappings).  */
#pragma once

#include <sys/types.h>

#include "plan/plan.h"

struct arena;
struct error;
struct spec;
struct spec_id_mappings;

/* Gives the user namespace of PID, a child of ours, the maps UIDS and GIDS of SPEC, by METHOD.  */
int id_map_write (struct arena *arena, pid_t pid, const struct spec *spec, const struct spec_id_mappings *uids,
                  const struct spec_id_mappings *gids, enum plan_id_map method, struct error *err);

/* Whether the user namespace of PID, which it has joined, has the maps that SPEC names.  -EINVAL if not.  */
int id_map_check (struct arena *arena, pid_t pid, const struct spec *spec, struct error *err);
