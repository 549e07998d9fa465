/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All that is printed.  */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct error;

/* Writes TEXT to standard output.  0 or -errno.  */
int output_write (const char *text, size_t length);

/* The same, and the exit status: if it cannot be written, that is reported for COMMAND.  */
int output_result (const char *command, const char *text);

/* Where errors go beside standard error: LOGGED says that a --log was given.  JSON: without one, standard error gets
 * lines of the log's format.  */
void output_errors (bool logged, bool json);

/* Reports the one error that ends the command: "thole: CONTEXT: MESSAGE" and "  hint: HINT" (may be NULL) on standard
 * error, "CONTEXT: MESSAGE" to the log.  CONTEXT may be empty.  */
void output_error (const char *context, const char *message, const char *hint);

/* The same with what ERR holds.  */
void output_record (const char *context, const struct error *err);
