/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* thole features.  */
#include <stdlib.h>

#include "cli/command.h"
#include "cli/output.h"

static int
run (const struct invocation *invocation)
{
  char *text;
  if (thole_features (&text, invocation->error) < 0)
    return command_failed (invocation, NULL);
  int status = output_result ("features", text);
  free (text);
  return status;
}

const struct command command_features = {
  .name = "features",
  .summary = "print what this build can do, as JSON",
  .run = run,
};
