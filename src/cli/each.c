/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/each.h"

#include <regex.h>
#include <stdio.h>

#include "cli/output.h"

static int
do_one (const struct invocation *invocation, const char *id, each_fn fn)
{
  return fn (invocation, id) < 0 ? command_failed (invocation, id) : 0;
}

static int
do_matching (const struct invocation *invocation, const regex_t *pattern, each_fn fn)
{
  struct thole_state **states;
  size_t count;
  int status = 0;
  if (thole_list (invocation->thole, &states, &count, invocation->error) < 0)
    return command_failed (invocation, NULL);
  for (size_t i = 0; i < count; i++)
    if (regexec (pattern, states[i]->id, 0, NULL, 0) == 0 && do_one (invocation, states[i]->id, fn) != 0)
      status = 1;
  thole_list_free (states, count);
  return status;
}

int
each_container (const struct invocation *invocation, bool regex, each_fn fn)
{
  const char *text = invocation->operands[0];
  regex_t pattern;
  char why[128];
  if (!regex)
    return do_one (invocation, text, fn);
  int code = regcomp (&pattern, text, REG_EXTENDED | REG_NOSUB);
  if (code != 0)
    {
      regerror (code, &pattern, why, sizeof why);
      output_error (invocation->command->name, "--regex: no regular expression", why);
      return 1;
    }
  int status = do_matching (invocation, &pattern, fn);
  regfree (&pattern);
  return status;
}
