/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The place of a container: from a path, to a line of the state and back.
 *
 * The default is "/thole-ID", one level below the root: there is no shared parent whose removal could race with the
 * creation of another container's directory, and the prefix keeps an id such as "system.slice" from meaning somebody
 * else's cgroup.
 *
 * The line of the state is "HIERARCHY... PATH" with a word for each hierarchy, below /sys/fs/cgroup:
 *
 *     cpu:1 cpu,cpuacct:1 systemd=name=systemd:1 unified=@:1 /thole-web1
 *
 * that is DIRECTORY[=CONTROLLERS]:MADE; controllers are named where they differ from the directory, "@" is v2, and the
 * v2 hierarchy at /sys/fs/cgroup itself is the directory ".".  MADE is "?" as long as nothing was made, so that a line
 * saved before the creation tells whoever finds it after a crash that there may be directories.  For a unit of systemd
 * ":system:SECONDS" or ":user:SECONDS" comes first: which one, and how long it may take to answer.  "//LEAF" may
 * follow, where init is below PATH.  */
#include "cgroup/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/strbuf.h"
#include "cgroup/systemd.h"

#define V2_MARK "@"
#define UNKNOWN_MARK "?"
#define LEAF_MARK "//"

enum
{
  DEPTH_MAX = 255,      /* of a path that we make: far beyond any caller's */
  FILE_NAME_ROOM = 256, /* of PATH_MAX, for mount points and names of files */
};

/* Checks and copies TEXT as "/a/b" to *RET_PATH.  */
static int
canonical_path (struct arena *arena, const char *text, const char **ret_path, struct error *err)
{
  size_t length = strlen (text), depth = 0;
  if (length > PATH_MAX - 2 * FILE_NAME_ROOM)
    return error_set (err, ENAMETOOLONG, "cgroup path of %zu bytes is too long", length);
  if (strchr (text, '\n') != NULL)
    return error_set (err, EINVAL, "cgroup path \"%s\" has a line break", text);

  char *path = arena_alloc (arena, length + 2), *end = path;
  for (const char *at = text + strspn (text, "/"); *at != '\0'; at += strspn (at, "/"))
    {
      const char *component = at;
      size_t size = strcspn (at, "/");
      at += size;
      if (size == 1 && component[0] == '.')
        continue;
      if (size == 2 && component[0] == '.' && component[1] == '.')
        return error_set (err, EINVAL, "cgroup path \"%s\" has a \"..\" component", text);
      if (size > NAME_MAX)
        return error_set (err, ENAMETOOLONG, "cgroup name \"%.*s\" is longer than %d bytes", (int) size, component,
                          NAME_MAX);
      if (++depth > DEPTH_MAX)
        return error_set (err, EINVAL, "cgroup path \"%s\" is deeper than %d", text, DEPTH_MAX);
      *end++ = '/';
      memcpy (end, component, size);
      end += size;
    }
  if (depth == 0)
    return error_set (err, EINVAL, "cgroup path \"%s\" is the root of the hierarchy, which no container can have",
                      text);
  *end = '\0';
  *ret_path = path;
  return 0;
}

static struct cgroup *
make_cgroup (struct arena *arena, const struct cgroup_host *host, const char *path)
{
  struct cgroup *cgroup = arena_new (arena, struct cgroup);
  cgroup->arena = arena;
  cgroup->host = host;
  cgroup->path = path;
  cgroup->leaf_fd = -1;
  cgroup->count = host->count;
  cgroup->dirs = arena_array (arena, struct cgroup_dir, host->count);
  size_t path_size = strlen (path) + 1;
  for (size_t i = 0; i < host->count; i++)
    {
      const char *mount = host->hierarchies[i].mount;
      size_t mount_length = strlen (mount);
      char *full = arena_alloc (arena, mount_length + path_size);
      memcpy (full, mount, mount_length);
      memcpy (full + mount_length, path, path_size);
      cgroup->dirs[i] = (struct cgroup_dir){ .hierarchy = &host->hierarchies[i], .path = full, .fd = -1, .procs = -1 };
    }
  cgroup_places_find (&cgroup->places, host);
  return cgroup;
}

int
cgroup_make (struct arena *arena, const struct cgroup_host *host, const char *path, struct cgroup **ret_cgroup,
             struct error *err)
{
  int r = canonical_path (arena, path, &path, err);
  if (r == 0)
    *ret_cgroup = make_cgroup (arena, host, path);
  return r;
}

int
cgroup_new (struct arena *arena, const struct cgroup_host *host, const char *cgroups_path, const char *id,
            struct cgroup **ret_cgroup, struct error *err)
{
  int r = cgroup_make (arena, host, cgroups_path != NULL ? cgroups_path : arena_printf (arena, "thole-%s", id),
                       ret_cgroup, err);
  if (r == -ENAMETOOLONG && cgroups_path == NULL)
    error_hint (err, "set linux.cgroupsPath, or take a shorter id");
  return r;
}

const char *
cgroup_path (const struct cgroup *cgroup)
{
  return cgroup->path;
}

bool
cgroup_is_v2 (const struct cgroup *cgroup)
{
  return cgroup->host->layout == CGROUP_V2;
}

bool
cgroup_has_births (const struct cgroup *cgroup)
{
  return cgroup_is_v2 (cgroup) && (cgroup->unit == NULL || !cgroup->unit->user);
}

const char *
cgroup_directory (const struct cgroup *cgroup, const char *controller)
{
  int index = controller != NULL ? cgroup_v1_index (cgroup->host, controller) : CGROUP_NOWHERE;
  if (index < 0)
    index = cgroup_v2_index (cgroup->host);
  if (index < 0 && controller == NULL)
    index = cgroup_core_index (cgroup->host);
  return index < 0 ? NULL : cgroup->dirs[index].path;
}

const char *
cgroup_save (struct arena *arena, const struct cgroup *cgroup)
{
  struct strbuf out = STRBUF_INIT (arena);
  if (cgroup->unit != NULL)
    strbuf_add (&out, cgroup_unit_save (arena, cgroup->unit));
  for (size_t i = 0; i < cgroup->count; i++)
    {
      const struct cgroup_hierarchy *hierarchy = cgroup->dirs[i].hierarchy;
      const char *name = hierarchy->mount + strlen (CGROUP_ROOT);
      const char *controllers = hierarchy->v2 ? V2_MARK : hierarchy->controllers;
      name = *name == '/' ? name + 1 : ".";
      strbuf_add (&out, name);
      if (strcmp (name, controllers) != 0)
        strbuf_printf (&out, "=%s", controllers);
      if (cgroup->placed)
        strbuf_printf (&out, ":%u ", cgroup->dirs[i].made);
      else
        strbuf_add (&out, ":" UNKNOWN_MARK " ");
    }
  strbuf_add (&out, cgroup->path);
  if (cgroup->leaf != NULL)
    strbuf_printf (&out, LEAF_MARK "%s", cgroup->leaf);
  return strbuf_text (&out);
}

static bool
load_made (const char *text, unsigned *ret_made)
{
  char *end;
  unsigned long number = strtoul (text, &end, 10);
  bool unknown = strcmp (text, UNKNOWN_MARK) == 0;
  if (!unknown && (*text < '0' || *text > '9' || *end != '\0' || number > DEPTH_MAX))
    return false;
  *ret_made = unknown ? CGROUP_MADE_UNKNOWN : (unsigned) number;
  return true;
}

/* Reads one WORD of the line into HIERARCHY and *RET_MADE.  */
static bool
load_hierarchy (struct arena *arena, char *word, struct cgroup_hierarchy *hierarchy, unsigned *ret_made)
{
  char *made = strrchr (word, ':');
  if (made == NULL || !load_made (made + 1, ret_made))
    return false;
  *made = '\0';

  char *controllers = strchr (word, '=');
  if (controllers != NULL)
    *controllers++ = '\0';
  if (*word == '\0' || strchr (word, '/') != NULL || strcmp (word, "..") == 0)
    return false;
  bool v2 = controllers != NULL && strcmp (controllers, V2_MARK) == 0;
  bool root = strcmp (word, ".") == 0;
  if (root && !v2)
    return false;
  *hierarchy = (struct cgroup_hierarchy){
    .mount = root ? CGROUP_ROOT : arena_printf (arena, CGROUP_ROOT "/%s", word),
    .controllers = v2                    ? NULL
                   : controllers != NULL ? controllers
                                         : word,
    .v2 = v2,
  };
  return true;
}

static enum cgroup_layout
layout_of (const struct cgroup_host *host)
{
  if (host->count == 0)
    return CGROUP_NONE;
  if (!host->hierarchies[host->count - 1].v2)
    return CGROUP_V1;
  return host->count == 1 && strcmp (host->hierarchies[0].mount, CGROUP_ROOT) == 0 ? CGROUP_V2 : CGROUP_HYBRID;
}

int
cgroup_load (struct arena *arena, const char *text, struct cgroup **ret_cgroup, struct error *err)
{
  /* A word takes at least two characters and a blank.  */
  size_t room = strlen (text) / 3 + 1;
  struct cgroup_host *host = arena_new (arena, struct cgroup_host);
  unsigned *made = arena_array (arena, unsigned, room);
  host->hierarchies = arena_array (arena, struct cgroup_hierarchy, room);

  char *rest = arena_strdup (arena, text), *unit = *rest == ':' ? strsep (&rest, " ") : NULL;
  while (rest != NULL && *rest != '/')
    {
      char *word = strsep (&rest, " ");
      bool after_v2 = host->count > 0 && host->hierarchies[host->count - 1].v2;
      if (after_v2 || !load_hierarchy (arena, word, &host->hierarchies[host->count], &made[host->count]))
        return error_set (err, EINVAL, "saved cgroup \"%s\" is not understood", text);
      host->count++;
    }
  char *leaf = rest != NULL ? strstr (rest, LEAF_MARK) : NULL;
  if (leaf != NULL)
    {
      *leaf = '\0';
      leaf += strlen (LEAF_MARK);
    }
  const char *path;
  int r = canonical_path (arena, rest != NULL ? rest : "", &path, err);
  if (r < 0)
    return error_context (err, "saved cgroup");

  host->layout = layout_of (host);
  struct cgroup *cgroup = make_cgroup (arena, host, path);
  if (unit != NULL && !cgroup_unit_load (arena, unit, path, &cgroup->unit))
    return error_set (err, EINVAL, "saved cgroup \"%s\" is not understood", text);
  if (leaf != NULL && (cgroup->places.v2 < 0 || canonical_path (arena, leaf, &(const char *){ NULL }, NULL) < 0))
    return error_set (err, EINVAL, "saved cgroup \"%s\" is not understood", text);
  cgroup->leaf = leaf;
  cgroup->placed = cgroup->has_rules = true;
  for (size_t i = 0; i < cgroup->count; i++)
    {
      cgroup->dirs[i].made = made[i] == CGROUP_MADE_UNKNOWN ? 0 : made[i];
      cgroup->placed = cgroup->placed && made[i] != CGROUP_MADE_UNKNOWN;
    }
  cgroup->attempted = !cgroup->placed;
  *ret_cgroup = cgroup;
  return 0;
}

/* ---- inside ----------------------------------------------------------------------------------------------------- */

const char *
cgroup_inside (const struct cgroup *cgroup, size_t i)
{
  const struct cgroup_dir *dir = &cgroup->dirs[i];
  return cgroup->leaf == NULL || !dir->hierarchy->v2 ? dir->path
                                                     : arena_printf (cgroup->arena, "%s/%s", dir->path, cgroup->leaf);
}

/* A leaf is not gone to on top of PATH.  */
static void
go_to (struct cgroup *cgroup, size_t i, const char *path)
{
  if (cgroup->dirs[i].hierarchy->v2)
    {
      cgroup->leaf = NULL;
      cgroup->leaf_fd = fd_close (cgroup->leaf_fd);
    }
  cgroup->dirs[i].fd = fd_close (cgroup->dirs[i].fd);
  cgroup->dirs[i].procs = fd_close (cgroup->dirs[i].procs);
  cgroup->dirs[i].path = path;
}

/* Finds the hierarchies of the LENGTH bytes at LIST, "cpu,memory".  */
static int
select_hierarchies (const struct cgroup *cgroup, const char *list, size_t length, bool *selected, struct error *err)
{
  char *rest = arena_strndup (cgroup->arena, list, length);
  for (char *name; (name = strsep (&rest, ",")) != NULL;)
    {
      int i = cgroup_v1_index (cgroup->host, name);
      if (i < 0)
        return error_set (err, EINVAL, "there is no hierarchy of version 1 with the controller \"%s\"", name);
      selected[i] = true;
    }
  return 0;
}

int
cgroup_descend (struct cgroup *cgroup, const char *where, struct error *err)
{
  const char *colon = strchr (where, ':'), *below = colon != NULL ? colon + 1 : where;
  bool *selected = arena_array (cgroup->arena, bool, cgroup->count + 1);
  int r = colon != NULL ? select_hierarchies (cgroup, where, (size_t) (colon - where), selected, err) : 0;
  if (r == 0 && below[strspn (below, "/.")] != '\0')
    r = canonical_path (cgroup->arena, below, &below, err);
  else if (r == 0 && strstr (below, "..") == NULL)
    return 0; /* the container's own */
  else if (r == 0)
    r = error_set (err, EINVAL, "cgroup path \"%s\" has a \"..\" component", below);
  for (size_t i = 0; r == 0 && i < cgroup->count; i++)
    if (colon == NULL || selected[i])
      {
        go_to (cgroup, i, arena_printf (cgroup->arena, "%s%s", cgroup_inside (cgroup, i), below));
        int fd = cgroup_dir_fd (cgroup, i);
        r = fd < 0 ? error_sys (err, fd, "open cgroup %s", cgroup->dirs[i].path) : 0;
      }
  return r;
}

int
cgroup_follow (struct cgroup *cgroup, pid_t pid, struct error *err)
{
  int i = cgroup->places.v2;
  char text[2 * PATH_MAX];
  const char *file = arena_printf (cgroup->arena, "/proc/%d/cgroup", (int) pid);
  ssize_t size = fd_read_file_at (AT_FDCWD, file, text, sizeof text);
  char *line = size < 0 ? NULL : strncmp (text, "0::", 3) == 0 ? text : strstr (text, "\n0::");
  if (i < 0 || line == NULL)
    return error_sys (err, size < 0 ? (int) size : ENOENT, "find the cgroup of process %d", (int) pid);
  line = strchr (line, '/');
  line[strcspn (line, "\n")] = '\0';

  const struct cgroup_dir *dir = &cgroup->dirs[i];
  const char *path = arena_printf (cgroup->arena, "%s%s", dir->hierarchy->mount, line);
  size_t length = strlen (dir->path);
  if (strncmp (path, dir->path, length) != 0 || path[length] != '/' || strstr (path, "/../") != NULL)
    return error_set (err, EBUSY, "cgroup %s has cgroups with controllers inside, and process %d is not in one of them",
                      dir->path, (int) pid);
  go_to (cgroup, (size_t) i, path);
  return 0;
}

int
cgroup_dir_fd (struct cgroup *cgroup, size_t i)
{
  struct cgroup_dir *dir = &cgroup->dirs[i];
  if (dir->fd < 0)
    dir->fd = open (dir->path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  return dir->fd < 0 ? -errno : dir->fd;
}

void
cgroup_close (struct cgroup *cgroup)
{
  for (size_t i = 0; cgroup != NULL && i < cgroup->count; i++)
    {
      cgroup->dirs[i].fd = fd_close (cgroup->dirs[i].fd);
      cgroup->dirs[i].procs = fd_close (cgroup->dirs[i].procs);
    }
  if (cgroup == NULL)
    return;
  cgroup->leaf_fd = fd_close (cgroup->leaf_fd);
  if (cgroup->unit != NULL)
    cgroup_unit_close (cgroup->unit);
}
