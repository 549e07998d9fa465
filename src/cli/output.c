/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writing to standard output and standard error, without stdio: nothing is left to flush, and a failure is seen.  */
#include "cli/output.h"

#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"

/* Set once, before anything is reported.  */
static bool errors_logged, errors_json;

int
output_write (const char *text, size_t length)
{
  return fd_write_all (STDOUT_FILENO, text, length);
}

int
output_result (const char *command, const char *text)
{
  int r = output_write (text, strlen (text));
  if (r == 0)
    return 0;
  char message[128];
  snprintf (message, sizeof message, "write to standard output: %s", strerror (-r));
  output_error (command, message, NULL);
  return 1;
}

void
output_errors (bool logged, bool json)
{
  errors_logged = logged;
  errors_json = json;
}

static struct iovec
part (const char *text)
{
  return (struct iovec){ .iov_base = (char *) text, .iov_len = strlen (text) };
}

void
output_error (const char *context, const char *message, const char *hint)
{
  const char *colon = context[0] != '\0' ? ": " : "";
  if (errors_logged || errors_json)
    log_write (LOG_LEVEL_ERROR, "%s%s%s", context, colon, message);
  if (errors_json && !errors_logged)
    return; /* the log is standard error */

  /* In one call, so that it is not mixed with what others write.  */
  struct iovec parts[] = { part ("thole: "),
                           part (context),
                           part (colon),
                           part (message),
                           part ("\n"),
                           part ("  hint: "),
                           part (hint != NULL ? hint : ""),
                           part ("\n") };
  if (writev (STDERR_FILENO, parts, hint != NULL ? 8 : 5) < 0)
    return; /* there is nobody to tell */
}

void
output_record (const char *context, const struct error *err)
{
  output_error (context, err->message, err->hint[0] != '\0' ? err->hint : NULL);
}
