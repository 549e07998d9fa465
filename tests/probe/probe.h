/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the probe's files share: the tables of commands and the end of a report.  */
#pragma once

/* A command takes ARGS words after its name and answers with exactly one JSON value.  */
struct command
{
  const char *name;
  int args;
  void (*run) (char **args);
  const char *help;
};

/* Each table ends with an empty row.  */
extern const struct command process_commands[]; /* what the process is: process.c */
extern const struct command file_commands[];    /* what it sees of files: files.c */
extern const struct command action_commands[];  /* what it can do, and how it ends: actions.c */
extern const struct command spy_commands[];     /* what it can reach of other processes: spy.c */

extern int probe_argc;
extern char **probe_argv;

/* Sends the report as far as it goes, one line, for a test to read while the probe waits; a new one begins.  To be
 * called after the command's value was written.  */
void probe_send (void);

/* Sends the report and ends the process.  */
_Noreturn void probe_exit (int status);
