/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* thole events.  */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "cli/command.h"
#include "cli/output.h"

enum
{
  INTERVAL_MS = 5000
};

struct events_values
{
  bool stats;
  const char *interval;
};

static const struct option rows[] = {
  FLAG (events_values, stats, "stats", 0, "print once what it uses, and end"),
  STRING (events_values, interval, "interval", 0, "TIME", "from one print to the next: 500ms, 5s, 1m; default: 5s"),
};

/* Units as Go writes them; a number alone is seconds.  */
static const struct name unit_rows[] = { { "ms", 1 }, { "s", 1000 }, { "", 1000 }, { "m", 60000 }, { "h", 3600000 } };
static const struct names units = NAMES (unit_rows);

/* The milliseconds of TEXT ("1s", "1.5s", "100ms"); 0 if it is not such a time, or none at all.  */
static unsigned
parse_interval (const char *text)
{
  char *end;
  int64_t unit;
  double number = strtod (text, &end);
  if (strspn (text, "0123456789.") != (size_t) (end - text)) /* -1, 0x10, 1e3 */
    return 0;
  if (end == text || !names_find (&units, end, &unit) || !(number * (double) unit <= INT_MAX))
    return 0;
  return (unsigned) (number * (double) unit);
}

/* Prints an event; DATA gets what went wrong.  */
static int
take (void *data, const char *json)
{
  ARENA_CLEANUP struct arena arena = { 0 };
  const char *line = arena_printf (&arena, "%s\n", json);
  return *(int *) data = output_write (line, strlen (line));
}

static int
print_once (const struct invocation *invocation)
{
  const char *id = invocation->operands[0];
  char *json;
  if (thole_stats (invocation->thole, id, &json, invocation->error) < 0)
    return command_failed (invocation, id);
  ARENA_CLEANUP struct arena arena = { 0 };
  const char *line = arena_printf (&arena, "%s\n", json);
  free (json);
  return output_result ("events", line);
}

static int
run (const struct invocation *invocation)
{
  const struct events_values *values = invocation->values;
  const char *id = invocation->operands[0];
  unsigned interval = values->interval != NULL ? parse_interval (values->interval) : INTERVAL_MS;
  struct error err = { 0 };
  if (interval == 0)
    {
      error_set (&err, EINVAL, "--interval takes a time such as 5s or 100ms, not '%s'", values->interval);
      output_record ("events", &err);
      return 1;
    }
  if (values->stats)
    return print_once (invocation);

  int written = 0;
  int r = thole_events (invocation->thole, id, interval, take, &written, invocation->error);
  if (written < 0)
    {
      error_sys (&err, written, "write to standard output");
      output_record ("events", &err);
      return 1;
    }
  return r < 0 ? command_failed (invocation, id) : 0;
}

const struct command command_events = {
  .name = "events",
  .operands = "container",
  .summary = "print what a container uses, and when its memory ran out",
  .details = "A line of JSON an event, until the container ends.\n",
  .options = OPTIONS (rows),
  .values_size = sizeof (struct events_values),
  .run = run,
};
