/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the options of exec say about its process.  They add to what the process has from its file or from the
 * container.
 */
#pragma once

struct arena;
struct error;
struct spec_process;
struct thole_exec_options;

/* Changes PROCESS, whose strings may be those of OPTIONS then, and checks what has been changed.  0 or -EINVAL.  */
int exec_options_apply (struct arena *arena, const struct thole_exec_options *options, struct spec_process *process,
                        struct error *err);
