/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Escaping, and the UTF-8 decoder it needs (RFC 3629: shortest form, no surrogates, at most U+10FFFF).  */
#include "base/escape.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Decodes the character at TEXT.  Returns its length, or 0 if the bytes are not UTF-8.  The terminating NUL is no
 * continuation byte, so nothing behind it is read.  */
static size_t
utf8_decode (const unsigned char *text, uint32_t *ret_char)
{
  static const struct
  {
    unsigned char mask, lead;
    uint32_t least; /* smaller values must use a shorter form */
  } forms[] = {
    { 0x80, 0x00, 0 },
    { 0xe0, 0xc0, 0x80 },
    { 0xf0, 0xe0, 0x800 },
    { 0xf8, 0xf0, 0x10000 },
  };

  for (size_t more = 0; more < sizeof forms / sizeof *forms; more++)
    {
      if ((text[0] & forms[more].mask) != forms[more].lead)
        continue;
      uint32_t c = text[0] & (unsigned char) ~forms[more].mask;
      for (size_t i = 1; i <= more; i++)
        {
          if ((text[i] & 0xc0) != 0x80)
            return 0;
          c = c << 6 | (text[i] & 0x3f);
        }
      if (c < forms[more].least || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
      *ret_char = c;
      return more + 1;
    }
  return 0;
}

/* Whether C acts on a terminal instead of being shown: C0, DEL and C1 controls, line separators, and the marks that
 * reorder text.  All are below U+10000, so four hex digits can name them.  */
static bool
is_control (uint32_t c)
{
  return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x061c || (c >= 0x200e && c <= 0x200f)
         || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

/* "\" KIND and the last DIGITS hex digits of C.  */
static size_t
put_hex (char *out, char kind, uint32_t c, unsigned digits)
{
  out[0] = '\\';
  out[1] = kind;
  for (unsigned i = 0; i < digits; i++)
    out[2 + i] = "0123456789abcdef"[c >> (4 * (digits - 1 - i)) & 0xf];
  return 2 + digits;
}

static size_t
put_pair (char *out, char c)
{
  out[0] = '\\';
  out[1] = c;
  return 2;
}

size_t
escape_next (const char **text, enum escape_style style, char out[ESCAPE_MAX])
{
  const unsigned char *at = (const unsigned char *) *text;
  if (*at == '\0')
    return 0;

  uint32_t c = 0;
  size_t length = utf8_decode (at, &c);
  *text += length == 0 ? 1 : length;

  if (length == 0 && style == ESCAPE_JSON)
    {
      memcpy (out, "\xef\xbf\xbd", 3);
      return 3;
    }
  if (length == 0)
    return put_hex (out, 'x', *at, 2);
  if (c == '\n')
    return put_pair (out, 'n');
  if (c == '\t')
    return put_pair (out, 't');
  if (c == '\r')
    return put_pair (out, 'r');
  if (is_control (c))
    return c < 0x80 && style != ESCAPE_JSON ? put_hex (out, 'x', c, 2) : put_hex (out, 'u', c, 4);
  if ((c == '"' || c == '\\') && style != ESCAPE_PLAIN)
    return put_pair (out, (char) c);
  memcpy (out, at, length);
  return length;
}

size_t
escape_text (char *out, size_t size, const char *text, enum escape_style style)
{
  char one[ESCAPE_MAX];
  size_t used = 0, length;
  while ((length = escape_next (&text, style, one)) > 0 && used + length < size)
    {
      memcpy (out + used, one, length);
      used += length;
    }
  out[used] = '\0';
  return used;
}
