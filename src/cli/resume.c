/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* thole resume.  */
#include "cli/command.h"

static int
run (const struct invocation *invocation)
{
  const char *id = invocation->operands[0];
  return thole_resume (invocation->thole, id, invocation->error) < 0 ? command_failed (invocation, id) : 0;
}

const struct command command_resume = {
  .name = "resume",
  .operands = "container",
  .summary = "let a paused container go on",
  .run = run,
};
