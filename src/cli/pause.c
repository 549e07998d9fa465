/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* thole pause.  */
#include "cli/command.h"

static int
run (const struct invocation *invocation)
{
  const char *id = invocation->operands[0];
  return thole_pause (invocation->thole, id, invocation->error) < 0 ? command_failed (invocation, id) : 0;
}

const struct command command_pause = {
  .name = "pause",
  .operands = "container",
  .summary = "stop every process of a container where it stands",
  .run = run,
};
