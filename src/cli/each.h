/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* --regex: a command for all containers whose ids match.  */
#pragma once

#include "cli/command.h"

/* What a command does to the container ID: 0 or -errno, with the error in INVOCATION.  */
typedef int (*each_fn) (const struct invocation *invocation, const char *id);

/* Does FN to the container that the first operand of INVOCATION names or, with REGEX, to each whose id matches that as
 * an extended regular expression (regex(7)).  Who fails is told, and the rest goes on.  None that matches is no error.
 * Returns the exit status.  */
int each_container (const struct invocation *invocation, bool regex, each_fn fn);
