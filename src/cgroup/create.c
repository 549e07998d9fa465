/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Making the directories, and joining them.
 *
 *     for each hierarchy        system calls
 *     make the directory        mkdir, open (O_PATH)
 *     v1 cpuset, in addition    open, read, close of the parent's and open, write, close of our cpus and mems
 *     v2 with limits            open, write, close of cgroup.subtree_control for each ancestor
 *     join                      open, write, close of cgroup.procs
 *
 * Only where a directory was there before, or has a parent that could be frozen, is anything looked at.
 *
 * All v1 hierarchies are joined, limits or not, and named ones too: statistics need the first, and a service manager
 * that tracks its services by name=systemd would else count the container's processes to the caller's service.  */
#include "cgroup/internal.h"
#include "cgroup/systemd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"

enum
{
  DIRECTORY_MODE = 0755,
  RACES_MAX = 64,   /* how often a parent may vanish under our hands */
  TEXT_SIZE = 4096, /* of a list of cpus or controllers */
};

/* ---- directories ------------------------------------------------------------------------------------------------ */

/* Removes the directory PATH and those above it, COUNT in all, until one is in use.  */
static void
remove_upwards (char *path, unsigned count)
{
  for (; count > 0 && (rmdir (path) == 0 || errno == ENOENT); count--)
    *strrchr (path, '/') = '\0';
}

/* Whether PATH is one of the kernel's files ("cgroup.procs"), which each cgroup has from the beginning.  */
static bool
is_file (const char *path)
{
  struct stat st;
  return lstat (path, &st) == 0 && !S_ISDIR (st.st_mode);
}

/* Makes all of PATH that is missing below its first MOUNT_LENGTH bytes, one component after the other.  Returns how
 * many of the last ones were made; after a failure none is left.  */
static int
make_components (const char *path, size_t mount_length)
{
  char prefix[PATH_MAX];
  size_t length = strlen (path);
  if (length >= sizeof prefix)
    return -ENAMETOOLONG;
  memcpy (prefix, path, length + 1);

  unsigned made = 0;
  for (size_t at = mount_length + 1; at <= length; at++)
    {
      if (path[at] != '/' && path[at] != '\0')
        continue;
      prefix[at] = '\0';
      if (mkdir (prefix, DIRECTORY_MODE) == 0)
        made++;
      else if (errno == EEXIST && !is_file (prefix))
        made = 0;
      else
        {
          int saved_errno = errno == EEXIST ? ENOTDIR : errno;
          *strrchr (prefix, '/') = '\0';
          remove_upwards (prefix, made);
          return -saved_errno;
        }
      prefix[at] = path[at];
    }
  return (int) made;
}

/* As make_components.  Mostly only the last component is missing, so that is tried first; and a parent may be removed
 * by another container's delete just when it is needed.  */
static int
make_path (const char *path, size_t mount_length)
{
  int made = -ENOENT;
  for (int races = 0; made == -ENOENT && races < RACES_MAX; races++)
    {
      if (mkdir (path, DIRECTORY_MODE) == 0)
        return 1;
      if (errno == EEXIST)
        return 0;
      made = errno == ENOENT ? make_components (path, mount_length) : -errno;
    }
  return made;
}

/* Whether the caller may make the directory DIR.  */
static bool
may_make (const struct cgroup_dir *dir)
{
  char path[PATH_MAX];
  if (snprintf (path, sizeof path, "%s", dir->path) >= (int) sizeof path)
    return false;
  /* The nearest directory above that is there; the mount point always is.  */
  int r;
  do
    {
      *strrchr (path, '/') = '\0';
      r = faccessat (AT_FDCWD, path, W_OK, AT_EACCESS);
    }
  while (r < 0 && errno == ENOENT);
  return r == 0;
}

bool
cgroup_may_create (const struct cgroup *cgroup)
{
  for (size_t i = 0; i < cgroup->count; i++)
    {
      bool made_by_systemd = cgroup->unit != NULL && cgroup->dirs[i].hierarchy->v2;
      if (!made_by_systemd && !may_make (&cgroup->dirs[i]))
        return false;
    }
  return cgroup->count > 0;
}

int
cgroup_remove_made (struct cgroup_dir *dir)
{
  if (dir->made == 0)
    return 0;
  if (rmdir (dir->path) < 0 && errno != ENOENT)
    return -errno;
  char parent[PATH_MAX];
  snprintf (parent, sizeof parent, "%s", dir->path);
  *strrchr (parent, '/') = '\0';
  remove_upwards (parent, dir->made - 1);
  dir->made = 0;
  return 0;
}

/* ---- v1 cpuset -------------------------------------------------------------------------------------------------- */

/* FILE of the directory DEPTH levels above, in PATH: "../../FILE".  DEPTH is at most that of a cgroup path.  */
static const char *
path_above (char path[PATH_MAX], unsigned depth, const char *file)
{
  char *at = path;
  for (; depth > 0; depth--)
    at = stpcpy (at, "../");
  stpcpy (at, file);
  return path;
}

/* Reads FILE of the directory DEPTH levels above LEAF; an empty value is 0 bytes.  */
static ssize_t
read_above (int leaf, unsigned depth, const char *file, char value[TEXT_SIZE])
{
  char path[PATH_MAX];
  ssize_t length = fd_read_file_at (leaf, path_above (path, depth, file), value, TEXT_SIZE);
  return length > 0 && value[0] == '\n' ? 0 : length;
}

/* Gives FILE of the directory DEPTH levels above LEAF the value of its parent, and that one first its own parent's
 * where it has none: it may have been made just now, by us or by another container's create.  The root, LEVELS above
 * LEAF, always has one.  */
static int
inherit_file (int leaf, unsigned depth, unsigned levels, const char *file)
{
  char path[PATH_MAX], value[TEXT_SIZE];
  ssize_t length = read_above (leaf, depth + 1, file, value);
  if (length == 0 && depth + 1 < levels)
    {
      int r = inherit_file (leaf, depth + 1, levels, file);
      length = r < 0 ? r : read_above (leaf, depth + 1, file, value);
    }
  return length < 0 ? (int) length : fd_write_file_at (leaf, path_above (path, depth, file), value);
}

/* A v1 cpuset without cpus and memory nodes takes no process, and starts without (or with its parent's, by
 * cgroup.clone_children, and then they are written once more).  One that was there before keeps its own.  */
static int
fill_cpuset (const struct cgroup *cgroup, const struct cgroup_dir *dir, struct error *err)
{
  static const char *const files[] = { "cpuset.cpus", "cpuset.mems" };
  unsigned levels = 0;
  for (const char *at = cgroup->path; *at != '\0'; at++)
    levels += *at == '/';
  for (size_t i = 0; i < sizeof files / sizeof *files; i++)
    {
      char value[TEXT_SIZE];
      ssize_t present = dir->made > 0 ? 0 : read_above (dir->fd, 0, files[i], value);
      int r = present == 0 ? inherit_file (dir->fd, 0, levels, files[i]) : (int) present;
      if (r < 0)
        return error_sys (err, r, "fill %s of cgroup %s from its parent", files[i], dir->path);
    }
  return 0;
}

/* ---- v2 controllers --------------------------------------------------------------------------------------------- */

/* True if all controllers of ENABLE ("+memory +pids") are on in the file at PATH.  */
static bool
are_enabled (const char *path, const char *enable)
{
  char enabled[TEXT_SIZE], wanted[TEXT_SIZE];
  if (fd_read_file_at (AT_FDCWD, path, enabled, sizeof enabled) < 0)
    return false;
  snprintf (wanted, sizeof wanted, "%s", enable);
  char *rest = wanted;
  for (char *word; (word = strsep (&rest, " ")) != NULL;)
    if (!cgroup_has_word (enabled, " \n", word + 1))
      return false;
  return true;
}

/* Enables what the limits need in every ancestor, from the root down.  An ancestor that we may not write is fine if the
 * controllers are on.  */
int
cgroup_enable (const struct cgroup_dir *dir, const char *enable, struct error *err)
{
  char path[PATH_MAX];
  size_t mount_length = strlen (dir->hierarchy->mount);
  for (size_t at = mount_length; dir->path[at] != '\0'; at += 1 + strcspn (dir->path + at + 1, "/"))
    {
      snprintf (path, sizeof path, "%.*s/cgroup.subtree_control", (int) at, dir->path);
      int r = fd_write_file_at (AT_FDCWD, path, enable);
      if (r == 0 || are_enabled (path, enable))
        continue;
      r = error_sys (err, r, "enable controllers \"%s\" in %s", enable, path);
      if (r == -EBUSY)
        error_hint (err,
                    "%.*s has processes of its own, which cgroup v2 does not allow beside child cgroups with limits; "
                    "choose another linux.cgroupsPath or move them into a child",
                    (int) at, dir->path);
      else if (r == -ENOENT)
        error_hint (err, "a cgroup above it does not hand a controller down");
      return r;
    }
  return 0;
}

/* ---- fitness ---------------------------------------------------------------------------------------------------- */

/* Whether the directory, or one above it, is frozen.  */
static bool
is_frozen_now (int fd, bool v2)
{
  if (v2)
    return cgroup_read_key (fd, "cgroup.events", "frozen") == 1;
  char state[32];
  return fd_read_file_at (fd, "freezer.state", state, sizeof state) > 0 && strncmp (state, "THAWED", 6) != 0;
}

/* A cgroup that was there before may hold processes, and that or a parent may be frozen: the container would stop where
 * it stands, or be counted and killed together with others.  The words are runc's.  */
static int
check_fitness (struct cgroup *cgroup, size_t i, int fd, struct error *err)
{
  const struct cgroup_dir *dir = &cgroup->dirs[i];
  bool top_level = strchr (cgroup->path + 1, '/') == NULL;
  if (dir->made > 0 && top_level)
    return 0;
  if (is_frozen_now (fd, dir->hierarchy->v2))
    {
      int r = error_set (err, EBUSY, "container's cgroup unexpectedly frozen: %s", dir->path);
      error_hint (err, "thaw it, or the cgroup above it that is frozen");
      return r;
    }
  if (dir->made > 0 || cgroup->unit != NULL)
    return 0;

  pid_t *pids;
  size_t count;
  int r = cgroup_list_pids (cgroup->arena, fd, &pids, &count);
  if (r < 0)
    return error_sys (err, r, "read the processes of %s", dir->path);
  if (count > 0)
    {
      r = error_set (err, EBUSY, "container's cgroup is not empty: %zu process(es) found in %s", count, dir->path);
      error_hint (err, "choose another linux.cgroupsPath, or end pid %ld first", (long) pids[0]);
      return r;
    }
  return 0;
}

/* ---- create ----------------------------------------------------------------------------------------------------- */

static int
make_directory (struct cgroup *cgroup, size_t i, struct error *err)
{
  struct cgroup_dir *dir = &cgroup->dirs[i];
  int made = make_path (dir->path, strlen (dir->hierarchy->mount));
  if (made < 0)
    return error_sys (err, made, "make cgroup %s", dir->path);
  /* That of a unit is there, and ours; but not those above it.  */
  if (cgroup->unit == NULL || made > 0)
    dir->made = (unsigned) made;
  int fd = cgroup_dir_fd (cgroup, i);
  if (fd < 0)
    return error_sys (err, fd, "open cgroup %s", dir->path);
  return check_fitness (cgroup, i, fd, err);
}

static int
make_directories (struct cgroup *cgroup, struct error *err)
{
  for (size_t i = 0; i < cgroup->count; i++)
    {
      int r = make_directory (cgroup, i, err);
      if (r == 0 && (int) i == cgroup->places.v1[CGROUP_CPUSET])
        r = fill_cpuset (cgroup, &cgroup->dirs[i], err);
      if (r == 0 && (int) i == cgroup->places.v2 && cgroup->writes.enable != NULL)
        r = cgroup_enable (&cgroup->dirs[i], cgroup->writes.enable, err);
      if (r < 0)
        return r;
    }
  return 0;
}

int
cgroup_prepare (struct cgroup *cgroup, const struct spec *spec, const struct spec_resources *resources,
                struct error *err)
{
  if (cgroup->has_writes && cgroup->translated == resources)
    return 0;
  int r = cgroup_translate (cgroup->arena, &cgroup->places, spec, resources, &cgroup->writes, err);
  if (r < 0)
    return r;
  cgroup->has_writes = true;
  cgroup->translated = resources;
  return 0;
}

int
cgroup_check (struct cgroup *cgroup, const struct spec *spec, const struct spec_resources *resources, struct error *err)
{
  return cgroup_prepare (cgroup, spec, resources, err);
}

int
cgroup_create (struct cgroup *cgroup, const struct spec *spec, const struct spec_resources *resources,
               struct error *err)
{
  int r = cgroup_prepare (cgroup, spec, resources, err);
  if (r < 0)
    return r;
  r = make_directories (cgroup, err);
  if (r == 0)
    r = cgroup_make_leaf (cgroup, err);
  if (r == 0)
    r = cgroup_delegate (cgroup, spec, err);
  if (r < 0)
    {
      cgroup_remove_leaf (cgroup);
      for (size_t i = 0; i < cgroup->count; i++)
        cgroup_remove_made (&cgroup->dirs[i]);
      cgroup_close (cgroup);
      return r;
    }
  cgroup->placed = true;
  return 0;
}

/* ---- join ------------------------------------------------------------------------------------------------------- */

int
cgroup_clone_fd (struct cgroup *cgroup)
{
  if (cgroup->places.v2 < 0)
    return -1;
  int fd = cgroup_leaf_fd (cgroup);
  return fd < 0 ? -1 : fd;
}

void
cgroup_cloned (struct cgroup *cgroup)
{
  cgroup->cloned = true;
}

static int
open_procs (struct cgroup *cgroup, size_t i)
{
  struct cgroup_dir *dir = &cgroup->dirs[i];
  if (dir->procs >= 0)
    return 0;
  int fd = dir->hierarchy->v2 ? cgroup_leaf_fd (cgroup) : cgroup_dir_fd (cgroup, i);
  if (fd < 0)
    return fd;
  dir->procs = openat (fd, "cgroup.procs", O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
  return dir->procs < 0 ? -errno : 0;
}

void
cgroup_join_soon (struct cgroup *cgroup)
{
  for (size_t i = 0; i < cgroup->count; i++)
    open_procs (cgroup, i);
}

static int
join_failed (struct cgroup *cgroup, size_t i, const char *pid, int r, struct error *err)
{
  const struct cgroup_dir *dir = &cgroup->dirs[i];
  r = error_sys (err, r, "move process %s into cgroup %s", pid, dir->path);
  if (r == -EBUSY && dir->hierarchy->v2)
    error_hint (err, "it has child cgroups with controllers, which cgroup v2 does not allow beside processes");
  else if (r == -ENOSPC && (int) i == cgroup->places.v1[CGROUP_CPUSET])
    error_hint (err, "cpuset.cpus or cpuset.mems is empty there");
  return r;
}

/* Whether the directory I can be missed: systemd on v1 empties and removes those of blkio, whosever they are, once no
 * unit of its uses that.  Then init is in none, and an exec need not be; a create has lost nothing that was asked for,
 * unless limits were written.  */
static bool
can_be_missed (const struct cgroup *cgroup, size_t i)
{
  for (size_t j = 0; j < cgroup->writes.count; j++)
    if (cgroup->writes.items[j].hierarchy == (int) i)
      return false;
  return (int) i == cgroup->places.v1[CGROUP_IO];
}

/* The last ones first, v2 and name=systemd: what is the caller's there systemd on v1 moves about in the others, even
 * out of a cgroup that it has just joined, when a unit beside the caller begins or ends to use a controller.  */
int
cgroup_join (struct cgroup *cgroup, pid_t pid, struct error *err)
{
  char text[16];
  snprintf (text, sizeof text, "%ld", (long) pid);
  for (size_t i = cgroup->count; i-- > 0;)
    {
      struct cgroup_dir *dir = &cgroup->dirs[i];
      if (dir->hierarchy->v2 && cgroup->cloned)
        continue;
      int r = open_procs (cgroup, i);
      if (r == 0)
        r = fd_write_all (dir->procs, text, strlen (text));
      dir->procs = fd_close (dir->procs);
      if (r == -EACCES && dir->hierarchy->v2 && cgroup->unit != NULL)
        return cgroup_unit_attach (cgroup, pid, err);
      if ((r == -ENOENT || r == -ENODEV) && can_be_missed (cgroup, i))
        log_debug ("cgroup %s is gone: process %s does not join it", dir->path, text);
      else if (r < 0)
        return join_failed (cgroup, i, text, r, err);
    }
  return 0;
}
