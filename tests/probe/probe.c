/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* probe: reports from inside a container.
 *
 *     probe [-o FILE] COMMAND [ARG...] [COMMAND [ARG...]]...
 *
 * runs the commands in order and prints one line of JSON: an object with a member for each command, named by its words
 * ("stat /dev/null").  -o appends the line to FILE instead of standard output, for hooks.  Static and free of
 * allocations, threads and /proc where a system call can tell, so that it runs in whatever the test has built around
 * it.  */

#include "probe.h"
#include "report.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int probe_argc;
char **probe_argv;

static int output = STDOUT_FILENO;

static const struct command *const tables[] = { process_commands, file_commands, action_commands, spy_commands };

static const struct command *
find_command (const char *name)
{
  for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
    for (const struct command *command = tables[i]; command->name; command++)
      if (strcmp (command->name, name) == 0)
        return command;
  return NULL;
}

static _Noreturn void
usage (void)
{
  dprintf (STDERR_FILENO, "usage: probe [-o FILE] COMMAND [ARG...]...\n");
  for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
    for (const struct command *command = tables[i]; command->name; command++)
      dprintf (STDERR_FILENO, "  %-10s %s\n", command->name, command->help);
  _exit (125);
}

static void
report_words (char **words, int count)
{
  char key[1024];
  size_t length = 0;

  for (int i = 0; i < count; i++)
    length += (size_t) snprintf (key + length, sizeof key - length, "%s%.250s", i ? " " : "", words[i]);
  report_key (key);
}

static void
end_line (void)
{
  report_close ('}');
  report_flush (output);
  (void) !write (output, "\n", 1);
}

void
probe_send (void)
{
  end_line ();
  report_open ('{');
}

_Noreturn void
probe_exit (int status)
{
  end_line ();
  _exit (status);
}

int
main (int argc, char **argv)
{
  int next = 1;

  probe_argc = argc;
  probe_argv = argv;
  if (argc > 2 && strcmp (argv[1], "-o") == 0)
    {
      output = open (argv[2], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
      if (output < 0)
        {
          dprintf (STDERR_FILENO, "probe: cannot open %s\n", argv[2]);
          _exit (125);
        }
      next = 3;
    }

  report_open ('{');
  while (next < argc)
    {
      const struct command *command = find_command (argv[next]);

      if (command == NULL || argc - next - 1 < command->args)
        usage ();
      report_words (argv + next, 1 + command->args);
      command->run (argv + next + 1);
      next += 1 + command->args;
    }
  probe_exit (0);
}
