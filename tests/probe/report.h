/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The probe's report: JSON printed by hand into one static buffer, so that the probe needs no allocation and only one
 * write(2), whatever limits or filters it runs under.
 *
 * Commas come by themselves.  Strings are bytes: what is not printable ASCII is written \u00XX, one for each byte.  */
#pragma once

#include <stdbool.h>
#include <stddef.h>

void report_open (char bracket); /* '{' or '[' */
void report_close (char bracket);
void report_key (const char *key);
void report_int (long long value);
void report_bool (bool value);
void report_string (const char *text);
void report_bytes (const char *text, size_t size);
/* {"errno": ERRNO}: the answer of a command whose system call failed.  */
void report_errno (int number);
/* RESULT itself, or the errno if RESULT is -1.  */
void report_result (long result);

void report_member_int (const char *key, long long value);
void report_member_string (const char *key, const char *text);

/* Writes what there is to FD and empties the buffer.  */
void report_flush (int fd);
