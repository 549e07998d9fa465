/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* --help and --version, printed from the tables.  Both return the exit status.  */
#pragma once

struct command;
struct options;

/* Of COMMAND, or with NULL of the whole tool, whose options are GLOBALS.  */
int help_print (const struct command *command, const struct options *globals);

int version_print (void);
