/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* thole state.  */
#include "base/arena.h"
#include "base/strbuf.h"
#include "cli/command.h"
#include "cli/output.h"

/* The end of the JSON string that starts at TEXT with its quote.  */
static const char *
string_end (const char *text)
{
  for (text++; *text != '"'; text++)
    if (*text == '\\')
      text++;
  return text + 1;
}

static void
new_line (struct strbuf *out, int depth)
{
  strbuf_printf (out, "\n%*s", 2 * depth, "");
}

/* Adds the compact JSON, indented by two spaces a level.  */
static void
indent (struct strbuf *out, const char *json)
{
  int depth = 0;
  while (*json != '\0')
    {
      const char *end = *json == '"' ? string_end (json) : json + 1;
      if (*json == '}' || *json == ']')
        new_line (out, --depth);
      strbuf_add_bytes (out, json, (size_t) (end - json));
      if (*json == '{' || *json == '[')
        new_line (out, ++depth);
      else if (*json == ',')
        new_line (out, depth);
      else if (*json == ':')
        strbuf_add_char (out, ' ');
      json = end;
    }
  strbuf_add_char (out, '\n');
}

static int
run (const struct invocation *invocation)
{
  struct thole_state *state;
  const char *id = invocation->operands[0];
  if (thole_state (invocation->thole, id, &state, invocation->error) < 0)
    return command_failed (invocation, id);

  ARENA_CLEANUP struct arena arena = { 0 };
  struct strbuf out = STRBUF_INIT (&arena);
  indent (&out, state->json);
  thole_state_free (state);
  return output_result ("state", strbuf_text (&out));
}

const struct command command_state = {
  .name = "state",
  .operands = "container",
  .summary = "print the state of a container as JSON",
  .run = run,
};
