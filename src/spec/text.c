/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A look at the whole text before it is decoded.  yajl lets through overlong and surrogate UTF-8, makes a question mark
 * of an escape that is half a surrogate pair, and takes form feeds for white space; none of it may reach a path or an
 * environment.  */
#include <string.h>

#include "spec/source.h"

/* The bytes of the well-formed UTF-8 sequence at TEXT (Unicode 15, table 3-7), 0 if there is none.  */
static size_t
utf8_length (const unsigned char *text, size_t size)
{
  unsigned char first = text[0];
  size_t length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (length == 0 || length > size)
    return 0;
  for (size_t i = 1; i < length; i++)
    if ((text[i] & 0xc0) != 0x80)
      return 0;
  if ((first == 0xe0 && text[1] < 0xa0) || (first == 0xed && text[1] >= 0xa0)     /* overlong, surrogate */
      || (first == 0xf0 && text[1] < 0x90) || (first == 0xf4 && text[1] >= 0x90)) /* overlong, above U+10FFFF */
    return 0;
  return length;
}

/* The value of the escape \uXXXX at TEXT, or -1 if there is none.  */
static long
unicode_escape (const unsigned char *text, size_t size)
{
  if (size < 6 || text[0] != '\\' || text[1] != 'u')
    return -1;
  long value = 0;
  for (size_t i = 2; i < 6; i++)
    {
      unsigned char c = text[i];
      unsigned char lower = c | 0x20;
      if (c >= '0' && c <= '9')
        value = value * 16 + (c - '0');
      else if (lower >= 'a' && lower <= 'f')
        value = value * 16 + (lower - 'a' + 10);
      else
        return -1;
    }
  return value;
}

/* Looks at the escape at TEXT and says how long it is.  What is no escape at all is yajl's to complain about.  */
static const char *
escape_check (const unsigned char *text, size_t size, size_t *ret_length)
{
  *ret_length = size < 2 ? 1 : 2;
  long value = unicode_escape (text, size);
  if (value < 0)
    return NULL;
  *ret_length = 6;
  if (value == 0)
    return "\\u0000 cannot be part of a string here";
  if (value < 0xd800 || value > 0xdfff)
    return NULL;
  long low = unicode_escape (text + 6, size - 6);
  *ret_length = 12;
  return value <= 0xdbff && low >= 0xdc00 && low <= 0xdfff ? NULL : "half a surrogate pair";
}

static bool
is_space (char c)
{
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool
spec_text_is_blank (const char *text, size_t size)
{
  for (size_t i = 0; i < size; i++)
    if (!is_space (text[i]))
      return false;
  return true;
}

/* What is itself, wherever it stands.  */
static const bool plain[256] = {
  ['\t'] = true, ['\n'] = true, ['\r'] = true, [' ' ... '\\' - 1] = true, ['\\' + 1 ... 0x7f] = true,
};

const char *
spec_text_check (const char *text, size_t size, size_t *ret_offset)
{
  const unsigned char *bytes = (const unsigned char *) text;
  *ret_offset = 0;
  if (size >= 3 && memcmp (text, "\xef\xbb\xbf", 3) == 0)
    return "begins with a byte order mark; JSON has none";
  if (spec_text_is_blank (text, size))
    return "empty";

  for (size_t i = 0, length; i < size; i += length)
    {
      for (; i < size && plain[bytes[i]]; i++)
        continue;
      length = 1;
      *ret_offset = i;
      if (i == size)
        return NULL;
      const char *wrong = NULL;
      if (bytes[i] == '\\')
        wrong = escape_check (bytes + i, size - i, &length);
      else if (bytes[i] < ' ')
        wrong = "a control character";
      else if ((length = utf8_length (bytes + i, size - i)) == 0)
        wrong = "not UTF-8";
      if (wrong != NULL)
        return wrong;
    }
  return NULL;
}
