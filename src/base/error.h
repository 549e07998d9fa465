/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one error type.
 *
 * A function that can fail takes a `struct error *err` last, fills it where most is known and returns a negative
 * errno-style code; its callers may put context in front and pass the code on.  Nothing below the command line prints.
 * A complete record reads
 *
 *     create web1: mounts[4] (config.json:88:7): bind /srv/data on /data: No such file or directory
 *       hint: the source /srv/data does not exist on the host; create it or drop the mount
 *
 * so a message says what was attempted and on what, the errno says what the kernel answered, and the hint, where we
 * know one, says what to do.  */
#pragma once

#include <stdarg.h>
#include <stdbool.h>

#define ERROR_MESSAGE_MAX 4096
#define ERROR_HINT_MAX 1024

struct error
{
  int code;                        /* positive errno; 0 while there is no error */
  char message[ERROR_MESSAGE_MAX]; /* one line, no full stop, cut at a character boundary when too long */
  char hint[ERROR_HINT_MAX];       /* empty: none */
};

/* Records a failure: CODE is a positive or negative errno whose text is NOT appended.  Any earlier record in ERR is
 * replaced.  Control characters in the result are escaped, so a message is always one line.  Returns -CODE.
 * ERR may be NULL, then only the code is returned.  */
int error_set (struct error *err, int code, const char *format, ...) __attribute__ ((format (printf, 3, 4)));

/* As error_set, but appends ": " and strerror(CODE): for what the kernel answered.  */
int error_sys (struct error *err, int code, const char *format, ...) __attribute__ ((format (printf, 3, 4)));

/* Sets the hint of the record in ERR.  */
void error_hint (struct error *err, const char *format, ...) __attribute__ ((format (printf, 2, 3)));

/* Puts "FORMAT: " in front of the message, as callers do that know the larger task.  Returns -err->code.  */
int error_context (struct error *err, const char *format, ...) __attribute__ ((format (printf, 2, 3)));

/* Forgets the record.  */
void error_clear (struct error *err);
