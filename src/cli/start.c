/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* thole start.  */
#include "cli/command.h"

static int
run (const struct invocation *invocation)
{
  const char *id = invocation->operands[0];
  return thole_start (invocation->thole, id, invocation->error) < 0 ? command_failed (invocation, id) : 0;
}

const struct command command_start = {
  .name = "start",
  .operands = "container",
  .summary = "run the program of a created container",
  .run = run,
};
