/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* thole list.  */
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/escape.h"
#include "base/strbuf.h"
#include "cli/command.h"
#include "cli/output.h"

enum list_format
{
  LIST_TABLE,
  LIST_JSON,
};

static const struct name format_rows[] = { { "table", LIST_TABLE }, { "json", LIST_JSON } };
static const struct names formats = NAMES (format_rows);

struct list_values
{
  int format; /* enum list_format */
  bool quiet;
};

static const struct option rows[] = {
  WORD (list_values, format, "format", 'f', &formats, "how to print them; default: table"),
  FLAG (list_values, quiet, "quiet", 'q', "ids only"),
};

enum
{
  COLUMNS = 6,
  COLUMN_MIN = 12, /* as runc's table, which scripts cut by position */
  COLUMN_GAP = 3,
};

typedef const char *table_row[COLUMNS];

static void
print_row (struct strbuf *out, const table_row row, const size_t widths[COLUMNS])
{
  for (size_t i = 0; i < COLUMNS - 1; i++)
    strbuf_printf (out, "%-*s", (int) widths[i], row[i]);
  strbuf_add (out, row[COLUMNS - 1]);
  strbuf_add_char (out, '\n');
}

/* TEXT, which may be anything, in one line and without what drives a terminal.  */
static const char *
shown (struct arena *arena, const char *text)
{
  size_t size = strlen (text) * ESCAPE_MAX + 1;
  char *out = arena_alloc (arena, size);
  escape_text (out, size, text, ESCAPE_PLAIN);
  return out;
}

static void
print_table (struct strbuf *out, struct thole_state *const *states, size_t count)
{
  table_row *table = arena_alloc_array (out->arena, count + 1, sizeof *table);
  const table_row header = { "ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER" };
  memcpy (table[0], header, sizeof header);
  for (size_t i = 0; i < count; i++)
    {
      const struct thole_state *state = states[i];
      const table_row row = { state->id,
                              arena_printf (out->arena, "%d", (int) state->pid),
                              thole_status_name (state->status),
                              shown (out->arena, state->bundle),
                              state->created,
                              state->owner };
      memcpy (table[i + 1], row, sizeof row);
    }

  size_t widths[COLUMNS] = { 0 };
  for (size_t column = 0; column < COLUMNS; column++)
    {
      widths[column] = COLUMN_MIN;
      for (size_t i = 0; i <= count; i++)
        if (strlen (table[i][column]) + COLUMN_GAP > widths[column])
          widths[column] = strlen (table[i][column]) + COLUMN_GAP;
    }
  for (size_t i = 0; i <= count; i++)
    print_row (out, table[i], widths);
}

static void
print_json (struct strbuf *out, struct thole_state *const *states, size_t count)
{
  strbuf_add_char (out, '[');
  for (size_t i = 0; i < count; i++)
    {
      strbuf_add (out, i > 0 ? "," : "");
      strbuf_add (out, states[i]->json);
    }
  strbuf_add (out, "]\n");
}

static void
print_ids (struct strbuf *out, struct thole_state *const *states, size_t count)
{
  for (size_t i = 0; i < count; i++)
    strbuf_printf (out, "%s\n", states[i]->id);
}

static int
run (const struct invocation *invocation)
{
  const struct list_values *values = invocation->values;
  struct thole_state **states;
  size_t count;
  if (thole_list (invocation->thole, &states, &count, invocation->error) < 0)
    return command_failed (invocation, NULL);

  ARENA_CLEANUP struct arena arena = { 0 };
  struct strbuf out = STRBUF_INIT (&arena);
  if (values->quiet)
    print_ids (&out, states, count);
  else if (values->format == LIST_JSON)
    print_json (&out, states, count);
  else
    print_table (&out, states, count);
  thole_list_free (states, count);
  return output_result ("list", strbuf_text (&out));
}

const struct command command_list = {
  .name = "list",
  .summary = "list the containers of this root",
  .options = OPTIONS (rows),
  .values_size = sizeof (struct list_values),
  .run = run,
};
