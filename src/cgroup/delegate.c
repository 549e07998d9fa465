/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What of its cgroup a container may manage itself (config-linux.md#cgroup-ownership, cgroups(7), Delegation).
 *
 * On v2, in a cgroup namespace of its own and with the cgroups mounted read-write, the directory that is the root of
 * that namespace and the files of it that do not set limits are given to the user whom the program runs as.
 *
 * Annotations put init, and so the root of the namespace, into a leaf below the container's cgroup, which then has no
 * processes of its own: all controllers are handed down, and the limits are above of what the container can reach.
 *
 *     run.oci.systemd.subgroup=NAME     CGROUP/NAME, where systemd is the manager
 *     run.oci.delegate-cgroup=NAME      below that, which is then the container's whatever is mounted  */
#include "cgroup/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "spec/names.h"
#include "spec/spec.h"

#define DELEGATE_FILE "/sys/kernel/cgroup/delegate"

/* Where the kernel does not say (before 4.15).  */
#define DELEGATE_DEFAULT "cgroup.procs\ncgroup.subtree_control\ncgroup.threads\n"

enum
{
  DIRECTORY_MODE = 0755,
  TEXT_SIZE = 4096,
};

/* ---- the leaf --------------------------------------------------------------------------------------------------- */

/* Appends the annotation KEY to the leaf.  */
static int
add_leaf (struct cgroup *cgroup, const struct spec *spec, const char *key, struct error *err)
{
  for (size_t i = 0; i < spec->annotations.count; i++)
    {
      const struct spec_pair *pair = &spec->annotations.items[i];
      if (strcmp (pair->key, key) != 0 || *pair->value == '\0')
        continue;
      if (cgroup->host->layout != CGROUP_V2 && strcmp (key, SPEC_ANNOTATION_DELEGATE) == 0)
        return error_set (err, EOPNOTSUPP, "%s: only on a host with cgroup v2 alone can a cgroup be delegated",
                          spec_where (cgroup->arena, spec, pair));
      if (!spec_creates (spec, CLONE_NEWCGROUP) && strcmp (key, SPEC_ANNOTATION_DELEGATE) == 0)
        return error_set (err, EINVAL, "%s: the container needs a new cgroup namespace",
                          spec_where (cgroup->arena, spec, pair));
      cgroup->leaf
          = cgroup->leaf != NULL ? arena_printf (cgroup->arena, "%s/%s", cgroup->leaf, pair->value) : pair->value;
      cgroup->delegated = strcmp (key, SPEC_ANNOTATION_DELEGATE) == 0;
    }
  return 0;
}

int
cgroup_find_leaf (struct cgroup *cgroup, const struct spec *spec, struct error *err)
{
  int r = 0;
  if (cgroup->unit != NULL && cgroup->host->layout == CGROUP_V2)
    r = add_leaf (cgroup, spec, SPEC_ANNOTATION_SUBGROUP, err);
  return r < 0 ? r : add_leaf (cgroup, spec, SPEC_ANNOTATION_DELEGATE, err);
}

int
cgroup_leaf_fd (struct cgroup *cgroup)
{
  int fd = cgroup_dir_fd (cgroup, (size_t) cgroup->places.v2);
  if (cgroup->leaf == NULL || fd < 0)
    return fd;
  if (cgroup->leaf_fd < 0)
    cgroup->leaf_fd = openat (fd, cgroup->leaf, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  return cgroup->leaf_fd < 0 ? -errno : cgroup->leaf_fd;
}

int
cgroup_make_leaf (struct cgroup *cgroup, struct error *err)
{
  if (cgroup->leaf == NULL)
    return 0;
  const char *top = cgroup->dirs[cgroup->places.v2].path;
  int fd = cgroup_dir_fd (cgroup, (size_t) cgroup->places.v2);
  for (size_t length = 0; fd >= 0 && cgroup->leaf[length] != '\0';)
    {
      length += strcspn (cgroup->leaf + length, "/");
      const char *path = arena_strndup (cgroup->arena, cgroup->leaf, length);
      if (mkdirat (fd, path, DIRECTORY_MODE) < 0 && errno != EEXIST)
        return error_sys (err, errno, "make cgroup %s/%s", top, path);
      length += cgroup->leaf[length] == '/';
    }
  return fd < 0 ? error_sys (err, fd, "open cgroup %s", top) : 0;
}

void
cgroup_remove_leaf (struct cgroup *cgroup)
{
  int fd = cgroup->leaf != NULL ? cgroup_dir_fd (cgroup, (size_t) cgroup->places.v2) : -1;
  char *path = fd >= 0 ? arena_strdup (cgroup->arena, cgroup->leaf) : NULL;
  while (path != NULL && unlinkat (fd, path, AT_REMOVEDIR) == 0)
    {
      char *slash = strrchr (path, '/');
      if (slash == NULL)
        return;
      *slash = '\0';
    }
}

/* Hands all controllers of the directory FD down.  */
static int
hand_down (int fd)
{
  char controllers[TEXT_SIZE], enable[2 * TEXT_SIZE] = "", *rest = controllers;
  ssize_t length = fd_read_file_at (fd, "cgroup.controllers", controllers, sizeof controllers);
  if (length < 0)
    return (int) length;
  size_t used = 0;
  for (char *word; (word = strsep (&rest, " \n")) != NULL;)
    if (*word != '\0')
      used += (size_t) snprintf (enable + used, sizeof enable - used, "+%s ", word);
  return used == 0 ? 0 : fd_write_file_at (fd, "cgroup.subtree_control", enable);
}

/* Hands all controllers down to the leaf, from the container's cgroup on, which must have no processes by now.  */
static int
hand_down_to_leaf (struct cgroup *cgroup, struct error *err)
{
  const char *top = cgroup->dirs[cgroup->places.v2].path;
  int fd = cgroup_dir_fd (cgroup, (size_t) cgroup->places.v2);
  int r = fd < 0 ? fd : hand_down (fd);
  for (const char *at = cgroup->leaf; r == 0 && (at = strchr (at, '/')) != NULL; at++)
    {
      const char *path = arena_strndup (cgroup->arena, cgroup->leaf, (size_t) (at - cgroup->leaf));
      FD_CLEANUP int below = openat (fd, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
      r = below < 0 ? -errno : hand_down (below);
    }
  return r < 0 ? error_sys (err, r, "hand the controllers of %s down to %s", top, cgroup->leaf) : 0;
}

/* ---- the owner -------------------------------------------------------------------------------------------------- */

static bool
has_option (const struct spec_strings *options, const char *option)
{
  for (size_t i = 0; i < options->count; i++)
    if (strcmp (options->items[i], option) == 0)
      return true;
  return false;
}

static bool
mounts_writable (const struct spec *spec)
{
  for (size_t i = 0; i < spec->mounts.count; i++)
    {
      const struct spec_mount *mount = &spec->mounts.items[i];
      bool cgroups = (mount->type != NULL && strncmp (mount->type, "cgroup", 6) == 0)
                     || (mount->source != NULL && strcmp (mount->source, "cgroup") == 0);
      if (cgroups && strcmp (mount->destination, CGROUP_ROOT) == 0 && !has_option (&mount->options, "ro"))
        return true;
    }
  return false;
}

/* Who the program's user is on the host; false if that cannot be known.  */
static bool
find_owner (const struct spec *spec, uid_t *ret_owner)
{
  uint64_t uid = spec->process != NULL ? spec->process->user.uid.value : 0;
  const struct spec_id_mappings *map = &spec->linux_->uid_mappings;
  if (spec_namespace_find (spec, CLONE_NEWUSER) == NULL)
    {
      *ret_owner = (uid_t) uid;
      return true;
    }
  for (size_t i = 0; spec_creates (spec, CLONE_NEWUSER) && i < map->count; i++)
    {
      const struct spec_id_mapping *item = &map->items[i];
      if (uid < item->container_id.value || uid - item->container_id.value >= item->size.value)
        continue;
      *ret_owner = (uid_t) (item->host_id.value + (uid - item->container_id.value));
      return true;
    }
  return false;
}

/* Gives the directory FD, and what of it the kernel says can be given, to OWNER.  */
static int
give (int fd, uid_t owner)
{
  char text[TEXT_SIZE], *rest = text;
  struct stat st;
  if (fstat (fd, &st) == 0 && st.st_uid == owner)
    return 0;
  if (fd_read_file_at (AT_FDCWD, DELEGATE_FILE, text, sizeof text) < 0)
    strcpy (text, DELEGATE_DEFAULT);
  for (char *name; (name = strsep (&rest, "\n")) != NULL;)
    if (*name != '\0' && fchownat (fd, name, owner, (gid_t) -1, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT)
      return -errno;
  return fchownat (fd, "", owner, (gid_t) -1, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

int
cgroup_delegate (struct cgroup *cgroup, const struct spec *spec, struct error *err)
{
  uid_t owner;
  int r = cgroup->leaf != NULL ? hand_down_to_leaf (cgroup, err) : 0;
  if (r < 0 || spec == NULL || cgroup->host->layout != CGROUP_V2 || !spec_creates (spec, CLONE_NEWCGROUP)
      || !(cgroup->delegated || mounts_writable (spec)) || !find_owner (spec, &owner))
    return r;
  int fd = cgroup_leaf_fd (cgroup);
  r = fd < 0 ? fd : give (fd, owner);
  if (r == -EPERM && !cgroup->delegated)
    {
      log_debug ("cgroup: %s stays with its owner: uid %u is not the caller's to give it to", cgroup->path, owner);
      return 0;
    }
  return r < 0 ? error_sys (err, r, "give cgroup %s to uid %u", cgroup->path, owner) : 0;
}
