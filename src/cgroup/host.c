/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What cgroup hierarchies the host has.
 *
 * One statfs(2) tells a pure v2 host.  On others /proc/self/cgroup is read, not /proc/self/mountinfo: it has a line a
 * hierarchy, while mountinfo grows with every container on the host.  It does not say where a hierarchy is mounted, so
 * the directories that everybody uses are tried (/sys/fs/cgroup/CONTROLLERS, the v2 one at "unified"), and statfs(2)
 * tells whether a hierarchy really is there.
 *
 *     layout   system calls
 *     v2       statfs
 *     others   statfs, open, read, read, close, one statfs a hierarchy  */
#include "cgroup/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

#include "base/fd.h"

#define UNIFIED CGROUP_ROOT "/unified"
#define SELF_CGROUP "/proc/self/cgroup"

enum
{
  HIERARCHIES_MAX = 64,              /* the kernel has some 15 controllers; the rest is room for named hierarchies */
  SELF_CGROUP_SIZE = 8 * 1024,       /* mostly enough for a path a line ... */
  SELF_CGROUP_SIZE_MAX = 256 * 1024, /* ... and always, as paths are at most 4096 long */
  CONTROLLERS_SIZE = 1024,
};

/* The type of the file system at PATH, or 0 if there is nothing.  If that cannot be known, *ERROR becomes the errno: a
 * hierarchy must not be overlooked, the container would stay in its caller's cgroup there.  */
static unsigned long
filesystem_type (const char *path, int *error)
{
  struct statfs fs;
  if (statfs (path, &fs) == 0)
    return (unsigned long) fs.f_type;
  if (errno != ENOENT && errno != ENOTDIR && errno != EACCES)
    *error = errno;
  return 0;
}

/* Where the v1 hierarchy of CONTROLLERS is mounted, or NULL.  Controllers mounted together have a directory named after
 * all of them ("cpu,cpuacct") or, on some hosts, after the first.  */
static const char *
find_v1_mount (struct arena *arena, const char *controllers, int *error)
{
  const char *name = strncmp (controllers, "name=", 5) == 0 ? controllers + 5 : controllers;
  char *path = arena_printf (arena, CGROUP_ROOT "/%s", name);
  if (filesystem_type (path, error) == CGROUP_SUPER_MAGIC)
    return path;
  char *comma = strchr (path, ',');
  if (comma == NULL)
    return NULL;
  *comma = '\0';
  return filesystem_type (path, error) == CGROUP_SUPER_MAGIC ? path : NULL;
}

/* Takes the v1 hierarchies from the lines "ID:CONTROLLERS:PATH" of TEXT; the one of v2 is "0::PATH".  TEXT is cut up.
 */
static void
parse_self_cgroup (struct arena *arena, struct cgroup_host *host, char *text, bool *ret_v2, int *error)
{
  char *rest = text;
  for (char *line; (line = strsep (&rest, "\n")) != NULL && host->count < HIERARCHIES_MAX;)
    {
      char *controllers = strchr (line, ':');
      char *end = controllers != NULL ? strchr (controllers + 1, ':') : NULL;
      if (end == NULL)
        continue;
      *end = '\0';
      controllers++;
      if (*controllers == '\0')
        {
          *ret_v2 = true;
          continue;
        }
      const char *mount = find_v1_mount (arena, controllers, error);
      if (mount != NULL)
        host->hierarchies[host->count++]
            = (struct cgroup_hierarchy){ .mount = mount, .controllers = arena_strdup (arena, controllers) };
    }
}

static void
add_v2 (struct cgroup_host *host, const char *mount)
{
  host->hierarchies[host->count++] = (struct cgroup_hierarchy){ .mount = mount, .v2 = true };
}

int
cgroup_probe (struct arena *arena, const struct cgroup_host **ret_host, struct error *err)
{
  struct cgroup_host *host = arena_new (arena, struct cgroup_host);
  *host = (struct cgroup_host){ .layout = CGROUP_NONE };

  int error = 0;
  unsigned long type = filesystem_type (CGROUP_ROOT, &error);
  if (type == CGROUP2_SUPER_MAGIC)
    {
      host->layout = CGROUP_V2;
      host->hierarchies = arena_new (arena, struct cgroup_hierarchy);
      add_v2 (host, CGROUP_ROOT);
    }
  else if (type != 0)
    {
      char small[SELF_CGROUP_SIZE], *text = small;
      ssize_t length = fd_read_file_at (AT_FDCWD, SELF_CGROUP, text, sizeof small);
      if (length == -EFBIG)
        {
          text = arena_alloc (arena, SELF_CGROUP_SIZE_MAX);
          length = fd_read_file_at (AT_FDCWD, SELF_CGROUP, text, SELF_CGROUP_SIZE_MAX);
        }
      if (length < 0)
        return error_sys (err, (int) length, "read " SELF_CGROUP);

      bool v2 = false;
      host->hierarchies = arena_array (arena, struct cgroup_hierarchy, HIERARCHIES_MAX + 1);
      parse_self_cgroup (arena, host, text, &v2, &error);
      host->layout = host->count > 0 ? CGROUP_V1 : CGROUP_NONE;
      if (v2 && filesystem_type (UNIFIED, &error) == CGROUP2_SUPER_MAGIC)
        {
          add_v2 (host, UNIFIED);
          host->layout = CGROUP_HYBRID;
        }
    }
  if (error != 0)
    return error_sys (err, error, "look for cgroup hierarchies below " CGROUP_ROOT);
  *ret_host = host;
  return 0;
}

const char *
cgroup_v2_controllers (struct arena *arena, const struct cgroup_host *host)
{
  int index = cgroup_v2_index (host);
  if (index < 0)
    return "";
  char text[CONTROLLERS_SIZE];
  const char *path = arena_printf (arena, "%s/cgroup.controllers", host->hierarchies[index].mount);
  if (fd_read_file_at (AT_FDCWD, path, text, sizeof text) < 0)
    return "";
  text[strcspn (text, "\n")] = '\0';
  return arena_strdup (arena, text);
}

bool
cgroup_has_word (const char *text, const char *separators, const char *word)
{
  size_t length = strlen (word);
  for (const char *at = text; *at != '\0';)
    {
      size_t span = strcspn (at, separators);
      if (span == length && memcmp (at, word, length) == 0)
        return true;
      at += span;
      at += strspn (at, separators);
    }
  return false;
}

int
cgroup_v1_index (const struct cgroup_host *host, const char *controller)
{
  for (size_t i = 0; i < host->count; i++)
    if (!host->hierarchies[i].v2 && cgroup_has_word (host->hierarchies[i].controllers, ",", controller))
      return (int) i;
  return CGROUP_NOWHERE;
}

int
cgroup_v2_index (const struct cgroup_host *host)
{
  return host->count > 0 && host->hierarchies[host->count - 1].v2 ? (int) host->count - 1 : CGROUP_NOWHERE;
}

int
cgroup_core_index (const struct cgroup_host *host)
{
  int index = cgroup_v2_index (host);
  if (index < 0)
    index = cgroup_v1_index (host, "freezer");
  return index < 0 && host->count > 0 ? 0 : index;
}
