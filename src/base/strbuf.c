/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The growing string: doubles, and leaves the outgrown text to the arena.  */
#include "base/strbuf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

/* Makes room for MORE bytes and the terminator behind the text.  */
static void
strbuf_reserve (struct strbuf *buf, size_t more)
{
  if (more > PTRDIFF_MAX - buf->length - 1)
    abort ();
  size_t wanted = buf->length + more + 1;
  if (wanted <= buf->capacity)
    return;
  size_t capacity = buf->capacity == 0 ? 256 : buf->capacity;
  while (capacity < wanted)
    capacity *= 2;
  char *text = arena_alloc (buf->arena, capacity);
  if (buf->length > 0)
    memcpy (text, buf->text, buf->length);
  buf->text = text;
  buf->capacity = capacity;
}

void
strbuf_add_bytes (struct strbuf *buf, const char *bytes, size_t length)
{
  strbuf_reserve (buf, length);
  if (length > 0)
    memcpy (buf->text + buf->length, bytes, length);
  buf->length += length;
  buf->text[buf->length] = '\0';
}

void
strbuf_add (struct strbuf *buf, const char *text)
{
  strbuf_add_bytes (buf, text, strlen (text));
}

void
strbuf_add_char (struct strbuf *buf, char c)
{
  strbuf_add_bytes (buf, &c, 1);
}

void
strbuf_printf (struct strbuf *buf, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  va_list again;
  va_copy (again, args);

  strbuf_reserve (buf, 0);
  size_t room = buf->capacity - buf->length;
  int length = vsnprintf (buf->text + buf->length, room, format, args);
  if (length < 0)
    abort ();
  if ((size_t) length >= room)
    {
      strbuf_reserve (buf, (size_t) length);
      vsnprintf (buf->text + buf->length, (size_t) length + 1, format, again);
    }
  buf->length += (size_t) length;

  va_end (again);
  va_end (args);
}

const char *
strbuf_text (const struct strbuf *buf)
{
  return buf->text == NULL ? "" : buf->text;
}
