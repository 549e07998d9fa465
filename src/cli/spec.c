/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* thole spec.  */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "cli/command.h"
#include "cli/output.h"

struct spec_values
{
  const char *bundle, *file;
  bool rootless;
};

static const struct option rows[] = {
  STRING (spec_values, bundle, "bundle", 'b', "DIR", "where to write; default: the current directory"),
  STRING (spec_values, file, "file", 'f', "NAME", "what to call it; default: config.json"),
  FLAG (spec_values, rootless, "rootless", 0, "for a container of one who is not root"),
};

static int
write_file (const char *directory, const char *name, const char *text, struct error *err)
{
  FD_CLEANUP int dirfd = open (directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (dirfd < 0)
    return error_sys (err, errno, "open %s", directory);
  FD_CLEANUP int fd = openat (dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd < 0)
    {
      int code = errno;
      error_sys (err, code, "make %s", name);
      if (code == EEXIST)
        error_hint (err, "remove it first, or name another with --file");
      return -code;
    }
  int r = fd_write_all (fd, text, strlen (text));
  return r < 0 ? error_sys (err, r, "write %s", name) : 0;
}

static int
run (const struct invocation *invocation)
{
  const struct spec_values *values = invocation->values;
  char *text;
  if (thole_spec (values->rootless, &text, invocation->error) < 0)
    return command_failed (invocation, NULL);

  struct error err = { 0 };
  int r = write_file (values->bundle != NULL ? values->bundle : ".",
                      values->file != NULL ? values->file : "config.json", text, &err);
  free (text);
  if (r == 0)
    return 0;
  output_record ("spec", &err);
  return 1;
}

const struct command command_spec = {
  .name = "spec",
  .summary = "write an example configuration",
  .options = OPTIONS (rows),
  .values_size = sizeof (struct spec_values),
  .run = run,
};
