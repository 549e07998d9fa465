/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finding where resctrl is mounted.  */
#include "rdt/host.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"

/* Undoes what the kernel does to blanks in a path: "\040".  */
static void
unescape (char *path)
{
  char *to = path;
  for (const char *from = path; *from != '\0'; to++)
    if (from[0] == '\\' && strspn (from + 1, "01234567") >= 3)
      {
        *to = (char) ((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
        from += 4;
      }
    else
      *to = *from++;
  *to = '\0';
}

/* The mount point in LINE of mountinfo (proc(5)), if that is the whole of a resctrl; else NULL.  */
static char *
mount_point (char *line)
{
  char *fields[5], *rest = strstr (line, " - "), *next = line;
  if (rest == NULL || strncmp (rest, " - resctrl ", 11) != 0)
    return NULL;
  for (int i = 0; i < 5; i++)
    if ((fields[i] = strsep (&next, " ")) == NULL)
      return NULL;
  if (strcmp (fields[3], "/") != 0)
    return NULL;
  unescape (fields[4]);
  return fields[4];
}

int
rdt_host_mount (const struct rdt_host *host, struct arena *arena, const char **ret_path, struct error *err)
{
  FILE *file = fopen (host->mountinfo, "re");
  const char *found = NULL;
  char *line = NULL;
  size_t size = 0;
  if (file == NULL)
    return error_sys (err, errno, "open %s", host->mountinfo);
  while (found == NULL && getline (&line, &size, file) >= 0)
    {
      const char *point = mount_point (line);
      if (point != NULL)
        found = arena_strdup (arena, point);
    }
  bool broken = ferror (file) != 0;
  free (line);
  fclose (file);
  if (broken)
    return error_sys (err, EIO, "read %s", host->mountinfo);
  *ret_path = found;
  return 0;
}
