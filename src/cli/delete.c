/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* thole delete.  */
#include "cli/each.h"

struct delete_values
{
  bool force, regex;
};

static const struct option rows[] = {
  FLAG (delete_values, force, "force", 'f', "kill it first; one that does not exist is no error"),
  FLAG (delete_values, regex, "regex", 'r', "all whose ids match this regular expression"),
};

static int
delete_one (const struct invocation *invocation, const char *id)
{
  const struct delete_values *values = invocation->values;
  return thole_delete (invocation->thole, id, values->force, invocation->error);
}

static int
run (const struct invocation *invocation)
{
  const struct delete_values *values = invocation->values;
  return each_container (invocation, values->regex, delete_one);
}

const struct command command_delete = {
  .name = "delete",
  .operands = "container",
  .summary = "delete a container that has stopped",
  .options = OPTIONS (rows),
  .values_size = sizeof (struct delete_values),
  .run = run,
};
