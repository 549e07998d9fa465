/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The JSON writer.  */
#include "base/json.h"

#include <inttypes.h>

#include "base/escape.h"
#include "base/strbuf.h"

void
json_quote (struct strbuf *out, const char *text)
{
  char one[ESCAPE_MAX];
  size_t length;
  strbuf_add_char (out, '"');
  while ((length = escape_next (&text, ESCAPE_JSON, one)) > 0)
    strbuf_add_bytes (out, one, length);
  strbuf_add_char (out, '"');
}

static void
json_new_line (struct json_writer *w)
{
  if (w->indent > 0)
    strbuf_printf (w->out, "\n%*s", (int) (w->indent * w->depth), "");
}

/* What stands before a value: the comma, the line break and the member's name.  */
static void
json_before (struct json_writer *w, const char *name)
{
  if (w->comma)
    strbuf_add_char (w->out, ',');
  if (w->depth > 0)
    json_new_line (w);
  if (name != NULL)
    {
      json_quote (w->out, name);
      strbuf_add (w->out, w->indent > 0 ? ": " : ":");
    }
  w->comma = true;
}

static void
json_begin (struct json_writer *w, const char *name, char bracket)
{
  json_before (w, name);
  strbuf_add_char (w->out, bracket);
  w->depth++;
  w->comma = false;
}

static void
json_end (struct json_writer *w, char bracket)
{
  w->depth--;
  if (w->comma) /* an empty one stays on its line */
    json_new_line (w);
  strbuf_add_char (w->out, bracket);
  w->comma = true;
}

void
json_object_begin (struct json_writer *w, const char *name)
{
  json_begin (w, name, '{');
}

void
json_object_end (struct json_writer *w)
{
  json_end (w, '}');
}

void
json_array_begin (struct json_writer *w, const char *name)
{
  json_begin (w, name, '[');
}

void
json_array_end (struct json_writer *w)
{
  json_end (w, ']');
}

void
json_raw (struct json_writer *w, const char *name, const char *value)
{
  json_before (w, name);
  strbuf_add (w->out, value);
}

void
json_string (struct json_writer *w, const char *name, const char *value)
{
  if (value == NULL)
    {
      json_raw (w, name, "null");
      return;
    }
  json_before (w, name);
  json_quote (w->out, value);
}

void
json_integer (struct json_writer *w, const char *name, int64_t value)
{
  json_before (w, name);
  strbuf_printf (w->out, "%" PRId64, value);
}

void
json_unsigned (struct json_writer *w, const char *name, uint64_t value)
{
  json_before (w, name);
  strbuf_printf (w->out, "%" PRIu64, value);
}

void
json_bool (struct json_writer *w, const char *name, bool value)
{
  json_raw (w, name, value ? "true" : "false");
}
