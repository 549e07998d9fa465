/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* thole plan.  */
#include <stdlib.h>

#include "cli/command.h"
#include "cli/output.h"

struct plan_values
{
  struct thole_create_options options;
  bool json;
};

static const struct option rows[] = {
  STRING (plan_values, options.bundle, "bundle", 'b', "DIR", "the same as the operand"),
  STRING (plan_values, options.config, "config", 'f', "FILE", "the configuration; default: config.json of the bundle"),
  NUMBER (plan_values, options.preserve_fds, "preserve-fds", 0, "N", "as for create"),
  FLAG (plan_values, options.no_pivot, "no-pivot", 0, "as for create"),
  FLAG (plan_values, options.no_new_keyring, "no-new-keyring", 0, "as for create"),
  FLAG (plan_values, json, "json", 0, "print it as JSON"),
};

static int
run (const struct invocation *invocation)
{
  const struct plan_values *values = invocation->values;
  struct thole_create_options options = values->options;
  options.size = sizeof options;
  if (invocation->operand_count > 0)
    options.bundle = invocation->operands[0];

  char *text;
  if (thole_plan (invocation->thole, &options, values->json, &text, invocation->error) < 0)
    return command_failed (invocation, options.bundle);
  int status = output_result ("plan", text);
  free (text);
  return status;
}

const struct command command_plan = {
  .name = "plan",
  .operands = "[bundle]",
  .summary = "print what creating a container would do, and do nothing",
  .options = OPTIONS (rows),
  .values_size = sizeof (struct plan_values),
  .run = run,
};
