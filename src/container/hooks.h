/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hooks of the runtime namespace (config.md#posix-platform-hooks): prestart, createRuntime, poststart, poststop.  Those
 * of the container's namespaces are operations of the plan.
 *
 * A hook is started with posix_spawn(3) in the bundle's directory with the arguments and the environment that the
 * config gives and no others, the state as a file on standard input, standard output on /dev/null, standard error
 * read by us (or both in files: see hooks_open_log), no other descriptor, default dispositions and no signal blocked.
 * It stays in our process group, so the interrupt key reaches it.  It is over when its process ends, even if something
 * it left behind still holds standard error.
 *
 * A hook with a timeout runs below a keeper: a fork of ours that is a subreaper (prctl(2)), so that whatever the hook
 * starts, daemons in sessions of their own too, is the keeper's to kill when the time is up: it kills its children
 * until it has none.  */
#pragma once

#include <stdbool.h>

struct arena;
struct error;
struct spec;
struct spec_hook_list;

/* How much of the end of what a failed hook wrote on standard error goes into the message.  */
#define HOOKS_STDERR_MAX 1024

/* Opens the file that the annotation KEY of SPEC, of those for the output of hooks, names, to be added to.  *RET_FD is
 * not written if there is none.  0 or -errno.  */
int hooks_open_log (const struct spec *spec, const char *key, int *ret_fd, struct error *err);

/* Runs the hooks of LIST (a member of SPEC->hooks) in order; STATE is state_hook_json for them all.  Stops
 * at the first that fails:
 * "hooks.createRuntime[1] (config.json:30:9): /usr/bin/x: exit status 3: what it said".
 * -ECHILD for one that failed, -ETIMEDOUT, or the errno why it did not run.  */
int hooks_run (struct arena *arena, const struct spec *spec, const struct spec_hook_list *list, const char *bundle,
               const char *state, struct error *err);

/* The same, but a hook that fails is a warning in the log and the rest still runs: poststop.  */
void hooks_run_all (struct arena *arena, const struct spec *spec, const struct spec_hook_list *list, const char *bundle,
                    const char *state);
