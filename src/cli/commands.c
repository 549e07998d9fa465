/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The list of commands.  */
#include "cli/command.h"

#include "base/escape.h"
#include "cli/output.h"

#include <stdio.h>

const struct command *const commands[] = {
  &command_spec, &command_run,    &command_create,     &command_start,   &command_exec,   &command_state,
  &command_kill, &command_delete, &command_list,       &command_pause,   &command_resume, &command_update,
  &command_ps,   &command_events, &command_checkpoint, &command_restore, &command_plan,   &command_features,
  NULL,
};

int
command_failure (const struct command *command)
{
  return command->failure != 0 ? command->failure : 1;
}

int
command_failed (const struct invocation *invocation, const char *id)
{
  char context[128], shown[100] = ""; /* the message has the id whole, if it matters */
  if (id != NULL)
    escape_text (shown, sizeof shown, id, ESCAPE_PLAIN);
  snprintf (context, sizeof context, "%s%s%s", invocation->command->name, id != NULL ? " " : "", shown);
  output_error (context, thole_error_message (invocation->error), thole_error_hint (invocation->error));
  return command_failure (invocation->command);
}
