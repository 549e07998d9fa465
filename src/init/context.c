/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* File system contexts (fsopen(2)), for what mount(2) cannot do: a mount that is known by its descriptor from the
 * beginning, and the reason of a failure.  mount(2) answers EINVAL to everything that it does not like; the same
 * request made again comes with the file system's own words ("tmpfs: Unknown parameter 'siz'").  */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "init/mounts.h"
#include "init/sys.h"

/* The flags that mount(2) hands on to the file system; the others are the mount's (MOUNT_ATTR_*).  */
static const struct
{
  uint64_t flag;
  const char *word;
} own_flags[] = {
  { MS_SYNCHRONOUS, "sync" },
  { MS_DIRSYNC, "dirsync" },
  { MS_MANDLOCK, "mand" },
  { MS_LAZYTIME, "lazytime" },
};

/* The length of the first option of DATA.  A comma in quotes (labels) or before a digit (tmpfs's lists of nodes) is the
 * option's own.  */
static size_t
option_length (const char *data)
{
  bool quoted = false;
  size_t n = 0;

  for (; data[n] && (quoted || data[n] != ',' || (data[n + 1] >= '0' && data[n + 1] <= '9')); n++)
    quoted ^= data[n] == '"';
  return n;
}

/* Copies LENGTH bytes without their quotes, which mean something only in a list.  */
static void
unquote (char *to, const char *from, size_t length)
{
  for (size_t i = 0; i < length; i++)
    if (from[i] != '"')
      *to++ = from[i];
  *to = '\0';
}

/* Hands FLAGS and DATA's options to the context FD one by one until one is refused; then makes the file system.  */
static int
configure (int fd, uint64_t flags, const char *data)
{
  char option[4096];

  for (size_t i = 0; i < sizeof own_flags / sizeof *own_flags; i++)
    if ((flags & own_flags[i].flag) && sys_fsconfig (fd, FSCONFIG_SET_FLAG, own_flags[i].word, NULL) < 0)
      return -1;

  while (data && *data)
    {
      size_t length = option_length (data);
      char *value;

      if (length >= sizeof option)
        return errno = ENAMETOOLONG, -1;
      unquote (option, data, length);
      value = strchr (option, '=');
      if (value)
        *value++ = '\0';
      if (sys_fsconfig (fd, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, option, value) < 0)
        return -1;
      data += length;
      data += *data == ',';
    }
  return sys_fsconfig (fd, FSCONFIG_CMD_CREATE, NULL, NULL);
}

int
mount_detached (const char *type, const char *source, const char *data, uint64_t flags, uint64_t attributes)
{
  int fd = sys_fsopen (type), mount, error;

  if (fd < 0)
    return -1;
  mount = sys_fsconfig (fd, FSCONFIG_SET_STRING, "source", source) < 0 || configure (fd, flags, data) < 0
              ? -1
              : sys_fsmount (fd, (unsigned) attributes);
  error = errno;
  close (fd);
  errno = error;
  return mount;
}

int
mount_explain (struct init *init, const struct plan_mount *m, const char *data)
{
  const char *type = plan_text (init, m->type);
  const char *source = plan_text (init, m->source);
  int error = errno;
  char line[sizeof init->report->reason];
  ssize_t n;
  int fd = type && error == EINVAL ? sys_fsopen (type) : -1;

  if (fd >= 0)
    {
      if (source)
        sys_fsconfig (fd, FSCONFIG_SET_STRING, "source", source);
      /* A line is "e TEXT" for an error, w and i for lesser things.  */
      if (configure (fd, m->flags, data) < 0)
        while ((n = read (fd, line, sizeof line - 1)) > 0)
          if (line[0] == 'e' && n > 2)
            {
              line[n] = '\0';
              line[strcspn (line, "\n")] = '\0';
              copy_text (init->report->reason, sizeof init->report->reason, line + 2);
            }
      close (fd);
    }
  return fail (init, PLAN_FAILURE_SYSTEM, error, "mount", plan_text (init, m->target));
}
