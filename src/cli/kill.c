/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* thole kill.  */
#include <signal.h>
#include <stdio.h>

#include "cli/each.h"
#include "cli/output.h"
#include "spec/names.h"

struct kill_values
{
  bool all, regex;
  const char *signal;
};

static const struct option rows[] = {
  FLAG (kill_values, all, "all", 'a', "to every process of the container; one that has stopped is no error"),
  FLAG (kill_values, regex, "regex", 'r', "to all whose ids match this regular expression"),
  STRING (kill_values, signal, "signal", 's', "SIGNAL", "the same as the operand"),
};

static int
unknown_signal (const char *text)
{
  char message[128], hint[64];
  const char *nearest = names_nearest (&spec_signal_names, text);
  snprintf (message, sizeof message, "unknown signal '%.64s'", text);
  snprintf (hint, sizeof hint, "did you mean %s?", nearest != NULL ? nearest : "");
  output_error ("kill", message, nearest != NULL ? hint : NULL);
  return 1;
}

/* What INVOCATION says of the signal; NULL: nothing.  */
static const char *
signal_text (const struct invocation *invocation)
{
  const struct kill_values *values = invocation->values;
  return invocation->operand_count > 1 ? invocation->operands[1] : values->signal;
}

static int
kill_one (const struct invocation *invocation, const char *id)
{
  const struct kill_values *values = invocation->values;
  const char *text = signal_text (invocation);
  return thole_kill (invocation->thole, id, text != NULL ? spec_signal (text) : SIGTERM, values->all,
                     invocation->error);
}

static int
run (const struct invocation *invocation)
{
  const struct kill_values *values = invocation->values;
  const char *text = signal_text (invocation);
  if (text != NULL && spec_signal (text) < 0)
    return unknown_signal (text);
  return each_container (invocation, values->regex, kill_one);
}

const struct command command_kill = {
  .name = "kill",
  .operands = "container [signal]",
  .summary = "send a signal to the first process of a container",
  .details = "The signal is a name with or without SIG, or a number; default: TERM.\n",
  .options = OPTIONS (rows),
  .values_size = sizeof (struct kill_values),
  .run = run,
};
