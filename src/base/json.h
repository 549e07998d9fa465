/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writing JSON (RFC 8259): commas, quoting and, when asked for, indentation are the writer's business.
 *
 *     struct strbuf out = STRBUF_INIT (&arena);
 *     struct json_writer w = { .out = &out, .indent = 2 };
 *     json_object_begin (&w, NULL);
 *     json_string (&w, "id", id);
 *     json_object_end (&w);
 *
 * NAME is the member's name inside an object and NULL inside an array or at the top.  Invalid UTF-8 becomes U+FFFD, so
 * the output is always valid.  */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct strbuf;

struct json_writer
{
  struct strbuf *out;
  unsigned indent; /* spaces a level; 0: one line */
  unsigned depth;
  bool comma; /* a value stands before the next one at this level */
};

void json_object_begin (struct json_writer *w, const char *name);
void json_object_end (struct json_writer *w);
void json_array_begin (struct json_writer *w, const char *name);
void json_array_end (struct json_writer *w);
void json_string (struct json_writer *w, const char *name, const char *value); /* NULL is null */
void json_integer (struct json_writer *w, const char *name, int64_t value);
void json_unsigned (struct json_writer *w, const char *name, uint64_t value);
void json_bool (struct json_writer *w, const char *name, bool value);
/* VALUE is JSON text already.  */
void json_raw (struct json_writer *w, const char *name, const char *value);

/* Adds TEXT quoted and escaped.  */
void json_quote (struct strbuf *out, const char *text);
