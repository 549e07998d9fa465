/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A growing string in an arena.  */
#pragma once

#include <stddef.h>

struct arena;

struct strbuf
{
  struct arena *arena; /* where the text grows */
  char *text;          /* NUL-terminated once something was added, else NULL */
  size_t length, capacity;
};

#define STRBUF_INIT(arena_)                                                                                            \
  {                                                                                                                    \
    .arena = (arena_)                                                                                                  \
  }

void strbuf_add (struct strbuf *buf, const char *text);
void strbuf_add_bytes (struct strbuf *buf, const char *bytes, size_t length);
void strbuf_add_char (struct strbuf *buf, char c);
void strbuf_printf (struct strbuf *buf, const char *format, ...) __attribute__ ((format (printf, 2, 3)));

/* The text so far, never NULL.  Owned by the arena.  */
const char *strbuf_text (const struct strbuf *buf);
