/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The probe's JSON; see report.h.  */

#include "report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char buffer[512 * 1024];
static size_t length;
static bool comma_due;

static void
put (const char *text, size_t size)
{
  if (size > sizeof buffer - length)
    {
      static const char full[] = "probe: the report is too long\n";
      (void) !write (STDERR_FILENO, full, sizeof full - 1);
      _exit (125);
    }
  memcpy (buffer + length, text, size);
  length += size;
}

static void
begin_value (void)
{
  if (comma_due)
    put (", ", 2);
  comma_due = true;
}

void
report_open (char bracket)
{
  begin_value ();
  put (&bracket, 1);
  comma_due = false;
}

void
report_close (char bracket)
{
  put (&bracket, 1);
  comma_due = true;
}

void
report_key (const char *key)
{
  report_string (key);
  put (": ", 2);
  comma_due = false;
}

void
report_int (long long value)
{
  char text[24];
  int size = snprintf (text, sizeof text, "%lld", value);

  begin_value ();
  put (text, (size_t) size);
}

void
report_bool (bool value)
{
  begin_value ();
  put (value ? "true" : "false", value ? 4 : 5);
}

void
report_string (const char *text)
{
  report_bytes (text, strlen (text));
}

void
report_bytes (const char *text, size_t size)
{
  begin_value ();
  put ("\"", 1);
  for (size_t i = 0; i < size; i++)
    {
      unsigned char byte = (unsigned char) text[i];
      char escaped[8];

      if (byte == '"' || byte == '\\' || byte < 0x20 || byte >= 0x7f)
        put (escaped, (size_t) snprintf (escaped, sizeof escaped, "\\u%04x", byte));
      else
        put (text + i, 1);
    }
  put ("\"", 1);
}

void
report_errno (int number)
{
  report_open ('{');
  report_member_int ("errno", number);
  report_close ('}');
}

void
report_result (long result)
{
  if (result == -1)
    report_errno (errno);
  else
    report_int (result);
}

void
report_member_int (const char *key, long long value)
{
  report_key (key);
  report_int (value);
}

void
report_member_string (const char *key, const char *text)
{
  report_key (key);
  report_string (text);
}

void
report_flush (int fd)
{
  size_t done = 0;

  while (done < length)
    {
      ssize_t written = write (fd, buffer + done, length - done);
      if (written < 0 && errno == EINTR)
        continue;
      if (written < 0)
        _exit (125);
      done += (size_t) written;
    }
  length = 0;
  comma_due = false;
}
