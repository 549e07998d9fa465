/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Filling the error record.  Nothing here allocates: an error must be reportable when memory is short.  */
#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"

/* Formats and escapes into OUT, keeping RESERVE bytes of its SIZE free.  By way of a copy, because the arguments may
 * well be pieces of OUT.  Returns the length.  */
static size_t __attribute__ ((format (printf, 4, 0)))
format_escaped (char *out, size_t size, size_t reserve, const char *format, va_list args)
{
  char raw[ERROR_MESSAGE_MAX];
  if (vsnprintf (raw, sizeof raw, format, args) < 0)
    raw[0] = '\0';
  return escape_text (out, size - reserve, raw, ESCAPE_PLAIN);
}

int
error_set (struct error *err, int code, const char *format, ...)
{
  code = abs (code);
  if (err == NULL)
    return -code;
  va_list args;
  va_start (args, format);
  format_escaped (err->message, sizeof err->message, 0, format, args);
  va_end (args);
  err->code = code;
  err->hint[0] = '\0';
  return -code;
}

int
error_sys (struct error *err, int code, const char *format, ...)
{
  code = abs (code);
  if (err == NULL)
    return -code;

  /* However long the message, what the kernel answered stands at its end.  */
  char answer[64];
  int length = snprintf (answer, sizeof answer, ": %s", strerror (code));
  size_t reserve = length < 0 ? 0 : (size_t) length < sizeof answer ? (size_t) length : sizeof answer - 1;

  va_list args;
  va_start (args, format);
  size_t used = format_escaped (err->message, sizeof err->message, reserve, format, args);
  va_end (args);
  memcpy (err->message + used, answer, reserve);
  err->message[used + reserve] = '\0';
  err->code = code;
  err->hint[0] = '\0';
  return -code;
}

void
error_hint (struct error *err, const char *format, ...)
{
  if (err == NULL)
    return;
  va_list args;
  va_start (args, format);
  format_escaped (err->hint, sizeof err->hint, 0, format, args);
  va_end (args);
}

int
error_context (struct error *err, const char *format, ...)
{
  if (err == NULL)
    return -EINVAL;

  char context[ERROR_MESSAGE_MAX];
  va_list args;
  va_start (args, format);
  size_t used = format_escaped (context, sizeof context, 2, format, args);
  va_end (args);
  memcpy (context + used, ": ", 3);
  used += 2;
  escape_text (context + used, sizeof context - used, err->message, ESCAPE_PLAIN);
  memcpy (err->message, context, sizeof context);
  return -err->code;
}

void
error_clear (struct error *err)
{
  if (err == NULL)
    return;
  err->code = 0;
  err->message[0] = err->hint[0] = '\0';
}
