/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The container's root and what stands in it (config.md#root, config-linux.md#devices, runtime-linux.md).  */
#include <errno.h>
#include <linux/mount.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/error.h"
#include "plan/builder.h"

/* config-linux.md#default-devices */
static const struct
{
  const char *path;
  uint32_t major, minor;
} default_devices[] = {
  { "/dev/null", 1, 3 },   { "/dev/zero", 1, 5 },    { "/dev/full", 1, 7 },
  { "/dev/random", 1, 8 }, { "/dev/urandom", 1, 9 }, { "/dev/tty", 5, 0 },
};

/* runtime-linux.md#dev-symbolic-links; ptmx is one of the default devices.  */
static const struct
{
  const char *path, *target;
} default_links[] = {
  { "/dev/fd", "/proc/self/fd" },       { "/dev/stdin", "/proc/self/fd/0" }, { "/dev/stdout", "/proc/self/fd/1" },
  { "/dev/stderr", "/proc/self/fd/2" }, { "/dev/ptmx", "pts/ptmx" },
};

static bool
is_configured (const struct spec *spec, const char *path)
{
  for (size_t i = 0; spec->linux_ && i < spec->linux_->devices.count; i++)
    if (strcmp (spec->linux_->devices.items[i].path, path) == 0)
      return true;
  return false;
}

static void
add_devices (struct plan_builder *b)
{
  const struct spec_linux *l = b->spec->linux_;

  for (size_t i = 0; i < sizeof default_devices / sizeof *default_devices; i++)
    {
      struct plan_device d = {
        .mode = S_IFCHR | 0666,
        .major = default_devices[i].major,
        .minor = default_devices[i].minor,
      };

      /* The config may ask for another mode or owner.  */
      if (is_configured (b->spec, default_devices[i].path))
        continue;
      d.path = plan_string (b, default_devices[i].path);
      plan_add (b, PLAN_DEVICE, NULL)->device = d;
    }
  for (size_t i = 0; l && i < l->devices.count; i++)
    {
      const struct spec_device *s = &l->devices.items[i];
      struct plan_device d = {
        .path = plan_string (b, s->path),
        .mode = (uint32_t) s->type.value | (uint32_t) (s->file_mode.set ? s->file_mode.value & 07777 : 0666),
        .major = (uint32_t) s->major.value,
        .minor = (uint32_t) s->minor.value,
        .uid = (uint32_t) s->uid.value,
        .gid = (uint32_t) s->gid.value,
      };
      plan_add (b, PLAN_DEVICE, s)->device = d;
    }
  for (size_t i = 0; i < sizeof default_links / sizeof *default_links; i++)
    {
      struct plan_symlink link = {
        .path = plan_string (b, default_links[i].path),
        .target = plan_string (b, default_links[i].target),
      };
      plan_add (b, PLAN_SYMLINK, NULL)->symlink = link;
    }
}

/* Nothing was mounted on a tmpfs yet when `rro` came: it is about the tmpfs alone, as `ro` is.  */
static bool
is_readonly (const struct spec_mount *mount)
{
  bool readonly = false;

  for (size_t i = 0; i < mount->options.count; i++)
    {
      const char *word = mount->options.items[i];

      if (strcmp (word, "ro") == 0 || strcmp (word, "rro") == 0)
        readonly = true;
      else if (strcmp (word, "rw") == 0 || strcmp (word, "rrw") == 0)
        readonly = false;
    }
  return readonly;
}

/* The tmpfs mounts that are to be read-only, now that all is in them.  */
static void
add_late_readonly (struct plan_builder *b)
{
  size_t count = b->count;

  for (size_t i = 0; i < count; i++)
    {
      const struct spec_mount *mount = b->origins[i].value;
      struct plan_remount r = { .target = b->ops[i].mount.target, .attributes = { .set = MOUNT_ATTR_RDONLY } };

      if (b->ops[i].code == PLAN_MOUNT && mount && mount->type && strcmp (mount->type, "tmpfs") == 0
          && is_readonly (mount))
        plan_add (b, PLAN_REMOUNT, mount)->remount = r;
    }
}

/* Where an operation mounts something, and the number that the mount gets; false if it mounts nothing.  */
static bool
mounted (struct plan_builder *b, struct plan_op *op, const char **ret_target, uint32_t **ret_number)
{
  if (op->code != PLAN_MOUNT && op->code != PLAN_BIND)
    return false;
  /* It may turn out to be a link, and no mount.  */
  if (op->code == PLAN_BIND && (op->bind.options & PLAN_MOUNT_COPY_SYMLINK))
    return false;
  *ret_target = b->data + ((op->code == PLAN_MOUNT ? op->mount.target : op->bind.target) - sizeof (struct plan_header));
  *ret_number = op->code == PLAN_MOUNT ? &op->mount.number : &op->bind.number;
  return true;
}

/* Takes PATH below what was mounted there last, if anything was: an image on a volume that another container can change
 * might put something else in that place, and what was to be masked would stay bare under another name.  */
static struct plan_path
place (struct plan_builder *b, const char *path)
{
  uint32_t *below = NULL, *number;
  size_t prefix = 0;
  const char *target;

  for (size_t i = 0; i < b->count; i++)
    {
      size_t length;

      if (!mounted (b, &b->ops[i], &target, &number))
        continue;
      length = strlen (target);
      if (strncmp (path, target, length) == 0 && (path[length] == '/' || !path[length]))
        below = number, prefix = length;
    }
  if (!below || (!*below && b->mounts == PLAN_MOUNTS_MAX))
    return (struct plan_path){ .path = plan_string (b, path) };
  if (!*below)
    *below = ++b->mounts;
  return (struct plan_path){ .path = plan_string (b, path), .mount = *below, .prefix = (uint32_t) prefix };
}

static void
add_paths (struct plan_builder *b, enum plan_code code, const struct spec_strings *paths)
{
  for (size_t i = 0; i < paths->count; i++)
    {
      struct plan_path path = place (b, paths->items[i]);
      plan_add (b, code, &paths->items[i])->path = path;
    }
}

/* The root itself cannot be covered, since it is the mount that is pivoted to.  */
static int
check_no_root (struct plan_builder *b, const struct spec_strings *paths)
{
  for (size_t i = 0; i < paths->count; i++)
    if (!paths->items[i][strspn (paths->items[i], "/")])
      return plan_refuse (b, &paths->items[i], "the root cannot be masked or made read-only here: see root.readonly");
  return 0;
}

/* A terminal is mounted on /dev/console.  What else would change the host's mounts has been refused with the config. */
static int
check_shared (struct plan_builder *b)
{
  const struct spec_process *process = b->spec->process;

  if (process && process->terminal.value)
    return plan_refuse (b, &process->terminal, "a terminal needs a mount namespace of the container's own");
  return 0;
}

static void
add_propagation (struct plan_builder *b, const void *origin, uint64_t flags)
{
  plan_add (b, PLAN_PROPAGATION, origin)->propagation.flags = flags;
}

/* Whose mounts the container's are.  */
enum mounts_of
{
  MOUNTS_OWN,    /* in a new namespace */
  MOUNTS_JOINED, /* in the namespace of another, who lets us */
  MOUNTS_HOST,   /* in the runtime's: none may be made */
};

static enum mounts_of
mounts_of (const struct spec *spec)
{
  return spec_creates (spec, CLONE_NEWNS)          ? MOUNTS_OWN
         : spec_namespace_find (spec, CLONE_NEWNS) ? MOUNTS_JOINED
                                                   : MOUNTS_HOST;
}

/* What the host mounts still comes in, unless that is not wanted.  */
uint64_t
plan_inherited (const struct spec *spec)
{
  int64_t propagation = spec->linux_ ? spec->linux_->rootfs_propagation.value : 0;

  return propagation & (MS_PRIVATE | MS_UNBINDABLE) ? MS_PRIVATE : MS_SLAVE;
}

static void
add_root (struct plan_builder *b, enum mounts_of mounts)
{
  const struct spec *spec = b->spec;
  const char *path = spec->root->path;
  struct plan_bind root = { .recursive = mounts != MOUNTS_HOST };

  if (mounts == MOUNTS_OWN)
    add_propagation (b, NULL, MS_REC | plan_inherited (spec));
  if (*path != '/')
    path = arena_printf (b->arena, "%s/%s", b->facts->bundle, path);
  root.source = plan_string (b, path);
  plan_add (b, PLAN_ROOTFS, &spec->root->path)->bind = root;
  /* Of a namespace that is joined only our own root is changed.  */
  if (mounts == MOUNTS_JOINED)
    add_propagation (b, NULL, MS_REC | MS_PRIVATE);
}

/* After the hooks, what they must not have been hindered by: masks, the read-only root, and the step into it.  */
static void
add_enclosure (struct plan_builder *b, enum mounts_of mounts)
{
  const struct spec *spec = b->spec;
  const struct spec_int *propagation = spec->linux_ ? &spec->linux_->rootfs_propagation : NULL;

  if (spec->linux_)
    {
      /* Masks come first: what is made read-only is covered by a copy, with all that is mounted there.  */
      add_paths (b, PLAN_MASK, &spec->linux_->masked_paths);
      add_paths (b, PLAN_READONLY, &spec->linux_->readonly_paths);
    }
  if (spec->root->readonly.value)
    {
      struct plan_remount r = { .target = plan_string (b, "/"), .attributes = { .set = MOUNT_ATTR_RDONLY } };
      plan_add (b, PLAN_REMOUNT, &spec->root->readonly)->remount = r;
    }
  plan_add (b, PLAN_PIVOT, NULL)->pivot.kind = mounts != MOUNTS_OWN ? PLAN_PIVOT_CHROOT
                                               : b->facts->no_pivot ? PLAN_PIVOT_MOVE
                                                                    : PLAN_PIVOT_ROOT;
  if (mounts != MOUNTS_HOST && propagation && propagation->set)
    add_propagation (b, propagation, (uint64_t) propagation->value);
}

int
plan_file_system (struct plan_builder *b)
{
  const struct spec *spec = b->spec;
  const struct spec_hooks *hooks = spec->hooks;
  enum mounts_of mounts = mounts_of (spec);
  int result = mounts == MOUNTS_HOST ? check_shared (b) : 0;

  if (result == 0 && spec->linux_)
    result = check_no_root (b, &spec->linux_->masked_paths);
  if (result == 0 && spec->linux_)
    result = check_no_root (b, &spec->linux_->readonly_paths);
  if (result < 0)
    return result;
  add_root (b, mounts);
  result = plan_mounts (b);
  if (result < 0)
    return result;
  add_devices (b);
  plan_terminal (b, true);
  if (spec->process)
    plan_add_text (b, PLAN_DIRECTORY, &spec->process->cwd, spec->process->cwd);
  add_late_readonly (b);
  /* Hooks and sysctl may be about them.  */
  if (spec->linux_ && spec->linux_->net_devices.count)
    plan_add (b, PLAN_SYNC, &spec->linux_->net_devices)->sync
        = (struct plan_sync){ .phase = PLAN_PHASE_NETWORK, .wait = true };
  if (hooks && (hooks->prestart.count || hooks->create_runtime.count))
    plan_add (b, PLAN_SYNC, hooks)->sync
        = (struct plan_sync){ .phase = PLAN_PHASE_HOOKS, .announce = true, .wait = true };
  if (hooks && hooks->create_container.count)
    plan_cgroup_joined (b);
  if (hooks)
    plan_hooks (b, &hooks->create_container, "createContainer", "creating");
  add_enclosure (b, mounts);
  return 0;
}
