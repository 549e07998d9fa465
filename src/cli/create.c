/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* thole create.  */
#include "cli/command.h"

struct create_values
{
  struct thole_create_options options;
};

static const struct option rows[] = { CREATE_OPTIONS (create_values, options) };

static int
run (const struct invocation *invocation)
{
  const struct create_values *values = invocation->values;
  struct thole_create_options options = values->options;
  options.size = sizeof options;
  const char *id = invocation->operands[0];
  return thole_create (invocation->thole, id, &options, invocation->error) < 0 ? command_failed (invocation, id) : 0;
}

const struct command command_create = {
  .name = "create",
  .operands = "container",
  .summary = "create a container: everything but its program runs",
  .options = OPTIONS (rows),
  .values_size = sizeof (struct create_values),
  .run = run,
};
