/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* thole run.  */
#include "cli/command.h"

struct run_values
{
  struct thole_create_options options;
};

static const struct option rows[] = {
  CREATE_OPTIONS (run_values, options),
  FLAG (run_values, options.detach, "detach", 'd', "return when the program runs"),
  FLAG (run_values, options.keep, "keep", 0, "do not delete the container when it has stopped"),
};

static int
run (const struct invocation *invocation)
{
  const struct run_values *values = invocation->values;
  struct thole_create_options options = values->options;
  options.size = sizeof options;
  const char *id = invocation->operands[0];
  int status = thole_run (invocation->thole, id, &options, invocation->error);
  return status < 0 ? command_failed (invocation, id) : status;
}

const struct command command_run = {
  .name = "run",
  .operands = "container",
  .summary = "create and start a container, wait for it and delete it",
  .details = "Ends with the status of the program, or 128 and the signal that killed it.\n",
  .options = OPTIONS (rows),
  .values_size = sizeof (struct run_values),
  .run = run,
};
