/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A mount of type cgroup: what the container sees below /sys/fs/cgroup (config-linux.md#control-groups).
 *
 * On v2 it is that file system, from the container's cgroup on; without a cgroup namespace it is a bind of the host's,
 * for in the host's namespace each new mount sets the options of all (nsdelegate, memory_recursiveprot).  On v1 and
 * hybrid it is a tmpfs with binds of the container's directory in each hierarchy, which look the same whether or not
 * there is a cgroup namespace, and need only be there: init itself may join later.  */
#include <errno.h>
#include <linux/mount.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>

#include "base/arena.h"
#include "base/error.h"
#include "cgroup/cgroup.h"
#include "plan/options.h"

#define CGROUP_MOUNT "/sys/fs/cgroup"

static void
add_mount (struct plan_builder *b, const struct spec_mount *origin, const char *target, const char *type,
           const char *data, uint64_t flags)
{
  struct plan_mount m = {
    .target = plan_string (b, target),
    .source = plan_string (b, type),
    .type = plan_string (b, type),
    .data = plan_string (b, data),
    .flags = flags,
    /* In a user namespace only a cgroup namespace of its own may be mounted; for another, the host may be looked at. */
    .fallback = plan_string (b, strcmp (type, "cgroup2") == 0 ? CGROUP_MOUNT : NULL),
    .attributes = mount_options_attributes (strcmp (type, "cgroup2") == 0 ? flags | MS_RDONLY : flags),
  };
  plan_add (b, PLAN_MOUNT, origin)->mount = m;
}

/* TREE: with the mounts below it.  Nothing is mounted below the directories of the container's own cgroup, which are
 * new; and a single mount can be made read-only by any kernel.  */
static void
add_bind (struct plan_builder *b, const struct spec_mount *origin, const char *source, const char *target,
          uint64_t attributes, bool tree)
{
  struct plan_bind bind = {
    .target = plan_string (b, target),
    .source = plan_string (b, source),
    .recursive = tree,
    .attributes = { .set = tree ? 0 : attributes, .tree_set = tree ? attributes : 0 },
  };
  plan_add (b, PLAN_BIND, origin)->bind = bind;
}

/* The names of single controllers where a hierarchy has several: cpu -> cpu,cpuacct.  */
static void
add_links (struct plan_builder *b, const struct spec_mount *origin, const struct cgroup_hierarchy *h, const char *name,
           const char *top)
{
  const char *word = h->controllers;

  while (!h->v2 && strchr (name, ',') && *word)
    {
      size_t length = strcspn (word, ",");
      struct plan_symlink link = {
        .target = plan_string (b, name),
        .path = plan_string (b, arena_printf (b->arena, "%s/%.*s", top, (int) length, word)),
      };
      plan_add (b, PLAN_SYMLINK, origin)->symlink = link;
      word += length;
      word += *word == ',';
    }
}

int
plan_cgroup_mount (struct plan_builder *b, const struct spec_mount *mount, const char *target, uint64_t flags)
{
  const struct cgroup_host *host = b->facts->cgroup;

  if (!host || host->layout == CGROUP_NONE)
    return plan_refuse (b, mount, "this host has no cgroup hierarchy to mount");
  /* Without a cgroup namespace that is the host's, and may only be looked at.  */
  if (!b->facts->cgroup_path && !(host->layout == CGROUP_V2 && spec_creates (b->spec, CLONE_NEWCGROUP)))
    {
      add_bind (b, mount, CGROUP_MOUNT, target, mount_options_attributes (flags | MS_RDONLY), true);
      return 0;
    }
  if (host->layout == CGROUP_V2 && !spec_namespace_find (b->spec, CLONE_NEWCGROUP))
    {
      add_bind (b, mount, CGROUP_MOUNT, target, mount_options_attributes (flags), false);
      return 0;
    }
  if (host->layout == CGROUP_V2)
    {
      plan_cgroup_joined (b);
      add_mount (b, mount, target, "cgroup2", NULL, flags);
      return 0;
    }
  plan_cgroup_directories (b);
  add_mount (b, mount, target, "tmpfs", "mode=755", (flags & ~(uint64_t) MS_RDONLY) | MS_NOSUID | MS_NODEV | MS_NOEXEC);
  for (size_t i = 0; i < host->count; i++)
    {
      const struct cgroup_hierarchy *h = &host->hierarchies[i];
      const char *name = strrchr (h->mount, '/') + 1;

      add_bind (b, mount, arena_printf (b->arena, "%s%s", h->mount, b->facts->cgroup_path),
                arena_printf (b->arena, "%s/%s", target, name), mount_options_attributes (flags), false);
      add_links (b, mount, h, name, target);
    }
  if (flags & MS_RDONLY)
    {
      struct plan_remount r = { .target = plan_string (b, target), .attributes = { .set = MOUNT_ATTR_RDONLY } };
      plan_add (b, PLAN_REMOUNT, mount)->remount = r;
    }
  return 0;
}
