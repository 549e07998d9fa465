/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Creating and running containers (runtime.md#create), entering them, and saying what creating would do.  */
#pragma once

#include <stdbool.h>

struct arena;
struct error;
struct thole;
struct thole_create_options;
struct thole_exec_options;

/* As thole_create, thole_run, thole_exec and thole_plan of thole/thole.h, with memory from ARENA.  */
int container_create (struct arena *arena, const struct thole *thole, const char *id,
                      const struct thole_create_options *options, struct error *err);
int container_run (struct arena *arena, const struct thole *thole, const char *id,
                   const struct thole_create_options *options, struct error *err);
int container_exec (struct arena *arena, const struct thole *thole, const char *id,
                    const struct thole_exec_options *options, struct error *err);
int container_plan (struct arena *arena, const struct thole *thole, const struct thole_create_options *options,
                    bool json, const char **ret_text, struct error *err);
