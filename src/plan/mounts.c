/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The mounts of the config (config.md#mounts), and one that the runtime adds.  */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/strbuf.h"
#include "lsm/lsm.h"
#include "plan/options.h"
#include "spec/names.h"

/* mount(2) takes a page of data with its end, and cuts silently.  init may add ",mode=0755,uid=4294967295" and a gid.
 */
#define DATA_MAX (4096 - 1 - 10 - 2 * 15)

#define NOBODY 65534 /* what has no id in a user namespace is shown as this */

/* What an entry of the config asks for.  */
enum mount_kind
{
  KIND_REMOUNT = 1 << 0,
  KIND_BIND = 1 << 1,
  KIND_CGROUP = 1 << 2,
  KIND_TMPFS = 1 << 3,
  KIND_FILE_SYSTEM = 1 << 4, /* of another type */
};

/* The extensions: how an operation does them, and which kinds of mounts know them.  */
static const struct
{
  uint64_t extension, option;
  unsigned kinds;
  const char *takes;
} extensions[] = {
  { SPEC_MOUNT_TMPCOPYUP, PLAN_MOUNT_COPY_UP, KIND_TMPFS, "a tmpfs" },
  { SPEC_MOUNT_COPY_SYMLINK, PLAN_MOUNT_COPY_SYMLINK, KIND_BIND, "a bind" },
  { SPEC_MOUNT_SRC_NOFOLLOW, PLAN_MOUNT_SOURCE_NOFOLLOW, KIND_BIND, "a bind" },
  { SPEC_MOUNT_DEST_NOFOLLOW, PLAN_MOUNT_TARGET_NOFOLLOW, KIND_BIND | KIND_TMPFS | KIND_FILE_SYSTEM,
    "a bind or a new file system" },
};

/* The runtime does these, in the copy that init binds.  */
#define MAPPED_EXTENSIONS ((uint64_t) (SPEC_MOUNT_IDMAP | SPEC_MOUNT_RIDMAP))

/* PATH without `.`, `..` and repeated slashes, absolute.  `..` of what is missing yet must not depend on what is made
 * on the way; those in symbolic links are the kernel's business.  */
static const char *
clean_path (struct arena *arena, const char *path)
{
  char *clean = arena_alloc (arena, strlen (path) + 2), *end = clean;

  while (*path)
    {
      size_t length;

      path += strspn (path, "/");
      length = strcspn (path, "/");
      if (length == 2 && memcmp (path, "..", 2) == 0)
        while (end > clean && *--end != '/')
          ;
      else if (length && !(length == 1 && *path == '.'))
        {
          *end++ = '/';
          memcpy (end, path, length);
          end += length;
        }
      path += length;
    }
  if (end == clean)
    *end++ = '/';
  *end = '\0';
  return clean;
}

/* What only the host's root can reach must be opened before init is in a user namespace, by a runtime that is that
 * root.  */
static bool
must_open (const struct plan_builder *b)
{
  return (b->facts->capabilities & (1ull << CAP_SYS_ADMIN)) && spec_namespace_find (b->spec, CLONE_NEWUSER);
}

static bool
is_id_mapped (const struct spec_mount *mount, const struct mount_options *o)
{
  return mount->uid_mappings.count || o->extensions & MAPPED_EXTENSIONS;
}

/* Whether nothing is left of what a tree had before.  */
static bool
replaces_all (uint64_t propagation)
{
  return propagation & MS_REC && propagation & (MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE);
}

/* Whether what is mounted below the bind appears on the host, too: both it and the root are to be shared.  All that is
   copied in our mount namespace is a slave or private there (plan_inherited), so the copy has to be the host's.  Root
   of a user namespace must not reach the host this way.  */
static bool
is_peer (const struct plan_builder *b, const struct mount_options *o)
{
  return o->propagation & MS_SHARED && b->spec->linux_ && b->spec->linux_->rootfs_propagation.value & MS_SHARED
         && spec_creates (b->spec, CLONE_NEWNS) && !spec_namespace_find (b->spec, CLONE_NEWUSER);
}

static int
add_bind (struct plan_builder *b, const struct spec_mount *mount, const char *target, const struct mount_options *o,
          uint64_t options)
{
  const char *source = mount->source;
  struct plan_open copy = {
    .recursive = (o->set & MS_REC) != 0,
    .nofollow = (options & (PLAN_MOUNT_COPY_SYMLINK | PLAN_MOUNT_SOURCE_NOFOLLOW)) != 0,
    .origin = mount,
    .ids_of_all = (o->extensions & SPEC_MOUNT_RIDMAP) != 0,
  };
  bool mapped = is_id_mapped (mount, o), peer = !mapped && is_peer (b, o), opened = mapped || peer || must_open (b);
  struct plan_bind bind;
  int result;

  if (!source || !*source)
    return plan_refuse (b, mount, "a bind mount needs a source");
  if (*source != '/')
    source = arena_printf (b->arena, "%s/%s", b->facts->bundle, source);
  copy.path = source;
  result = mapped ? plan_mount_ids (b, mount, &copy.ids) : 0;
  if (result < 0)
    return result;
  bind = (struct plan_bind){
    .target = plan_string (b, target),
    .source = plan_string (b, source),
    .recursive = copy.recursive,
    .fd = opened ? plan_open (b, copy) : 0,
    .attributes = mount_options_change (o),
    .propagation = o->propagation,
    .options = options,
    .inherited = opened && !peer && !replaces_all (o->propagation) ? (uint32_t) plan_inherited (b->spec) : 0,
  };
  plan_add (b, PLAN_BIND, mount)->bind = bind;
  return 0;
}

static bool
is_tmpfs (const char *type)
{
  return strcmp (type, "tmpfs") == 0;
}

static bool
data_has (const char *data, const char *option)
{
  size_t length = strlen (option);

  for (; data && *data; data += strcspn (data, ","), data += *data == ',')
    if (strncmp (data, option, length) == 0)
      return true;
  return false;
}

static bool
is_mapped (const struct spec_id_mappings *map, uint64_t id)
{
  for (size_t i = 0; i < map->count; i++)
    if (id >= map->items[i].container_id.value && id - map->items[i].container_id.value < map->items[i].size.value)
      return true;
  return false;
}

/* A tmpfs whose options say nothing about who may enter it takes the owner, too, of what it covers; a copy of that
 * anyway.  */
static uint32_t
inherit_owner (const struct plan_builder *b, const struct mount_options *o, uint64_t options)
{
  const struct spec_linux *l = b->spec->linux_;

  if (data_has (o->data, "uid=") || data_has (o->data, "gid=")
      || (data_has (o->data, "mode=") && !(options & PLAN_MOUNT_COPY_UP)))
    return 0;
  if (!spec_namespace_find (b->spec, CLONE_NEWUSER)
      || (is_mapped (&l->uid_mappings, NOBODY) && is_mapped (&l->gid_mappings, NOBODY)))
    return PLAN_INHERIT_OWNER;
  return PLAN_INHERIT_MAPPED_OWNER;
}

/* In a user namespace the kernel mounts a sysfs only for the owner of the network namespace, and a procfs only of a pid
 * namespace of one's own.  The host's tree shows the same things then, and is bound as crun does.  */
static const char *
fallback_of (const struct plan_builder *b, const char *type)
{
  if (strcmp (type, "sysfs") == 0)
    return "/sys";
  if (strcmp (type, "proc") == 0 && !spec_namespace_find (b->spec, CLONE_NEWPID))
    return "/proc";
  return NULL;
}

/* The namespace that a file system of TYPE shows if a new user namespace, which then could not mount it, does not own
 * that; or NULL.  */
static const char *
foreign_namespace (const struct plan_builder *b, const char *type)
{
  const struct spec_namespace *pid = spec_namespace_find (b->spec, CLONE_NEWPID);

  if (!spec_creates (b->spec, CLONE_NEWUSER))
    return NULL;
  if (strcmp (type, "proc") == 0 && pid && !spec_creates (b->spec, CLONE_NEWPID))
    return "pid";
  return strcmp (type, "mqueue") == 0 && !spec_creates (b->spec, CLONE_NEWIPC) ? "ipc" : NULL;
}

static int
add_file_system (struct plan_builder *b, const struct spec_mount *mount, const char *target,
                 const struct mount_options *o, uint64_t options)
{
  const char *type = mount->type;
  const char *label = b->facts->mount_label
                          ? lsm_mount_option (b->arena, b->facts->mount_context, b->facts->mount_label, type)
                          : NULL;
  const char *data = o->data, *foreign = foreign_namespace (b, type);
  /* A read-only tmpfs would have no room for what is still to be put into it: it becomes read-only at the end.  */
  uint64_t flags = is_tmpfs (type) ? o->set & ~(uint64_t) MS_RDONLY : o->set;
  struct plan_attributes tree = o->tree;
  struct plan_mount m;

  if (foreign)
    return plan_refuse (b, mount, "%s is not mounted by a new user namespace without a new %s namespace", type,
                        foreign);
  if (label)
    data = data ? arena_printf (b->arena, "%s,%s", data, label) : label;
  if (data && strlen (data) > DATA_MAX)
    return plan_refuse (b, mount, "%zu bytes of options for the file system: the kernel takes no more than %d",
                        strlen (data), DATA_MAX);
  m = (struct plan_mount){
    .target = plan_string (b, target),
    .source = plan_string (b, mount->source && *mount->source ? mount->source : type),
    .type = plan_string (b, type),
    .data = plan_string (b, data),
    .flags = flags,
    .fallback = plan_string (b, fallback_of (b, type)),
    .attributes = mount_options_attributes (flags),
    .propagation = o->propagation,
    .inherit_mode = is_tmpfs (type) && !data_has (o->data, "mode="),
    .inherit_owner = is_tmpfs (type) ? inherit_owner (b, o, options) : 0,
    .options = options,
  };
  /* What protects from the files protects from their copies, unless the config says otherwise.  */
  if (options & PLAN_MOUNT_COPY_UP)
    m.keep = mount_options_attributes ((MS_NOSUID | MS_NODEV | MS_NOEXEC) & ~o->cleared);
  plan_add (b, PLAN_MOUNT, mount)->mount = m;
  if (is_tmpfs (type))
    {
      tree.tree_set &= ~(uint64_t) MOUNT_ATTR_RDONLY;
      tree.tree_clear &= ~(uint64_t) MOUNT_ATTR_RDONLY;
    }
  if (tree.tree_set | tree.tree_clear)
    {
      struct plan_remount r = { .target = plan_string (b, target), .attributes = tree };
      plan_add (b, PLAN_REMOUNT, mount)->remount = r;
    }
  return 0;
}

static uint64_t
taken_extensions (void)
{
  uint64_t taken = MAPPED_EXTENSIONS;

  for (size_t i = 0; i < sizeof extensions / sizeof *extensions; i++)
    taken |= extensions[i].extension;
  return taken;
}

bool
plan_takes_mount_option (const struct spec_mount_option *option)
{
  return option->kind != SPEC_MOUNT_EXTENSION || (option->value & taken_extensions ());
}

/* The first option of MOUNT that is one of EXTENSIONS, as the config says it.  */
static const char *
extension_word (const struct spec_mount *mount, uint64_t wanted)
{
  for (size_t i = 0; i < mount->options.count; i++)
    {
      const struct spec_mount_option *option = spec_mount_option_find (mount->options.items[i]);

      if (option && option->kind == SPEC_MOUNT_EXTENSION && (option->value & wanted))
        return option->name;
    }
  return "";
}

static enum mount_kind
kind_of (const struct spec_mount *mount, const struct mount_options *o)
{
  const char *type = mount->type ? mount->type : "";

  return o->set & MS_REMOUNT                                             ? KIND_REMOUNT
         : (o->set & MS_BIND) || strcmp (type, "bind") == 0              ? KIND_BIND
         : strcmp (type, "cgroup") == 0 || strcmp (type, "cgroup2") == 0 ? KIND_CGROUP
         : is_tmpfs (type)                                               ? KIND_TMPFS
                                                                         : KIND_FILE_SYSTEM;
}

/* The extensions of a mount of KIND as its operation has them.  */
static int
read_extensions (struct plan_builder *b, const struct spec_mount *mount, uint64_t asked, enum mount_kind kind,
                 uint64_t *ret_options)
{
  uint64_t options = 0;

  if (asked & ~taken_extensions ())
    return plan_refuse (b, mount, "the mount option %s is not supported", extension_word (mount, ~taken_extensions ()));
  for (size_t i = 0; i < sizeof extensions / sizeof *extensions; i++)
    {
      if (!(asked & extensions[i].extension))
        continue;
      if (!(extensions[i].kinds & kind))
        return plan_refuse (b, mount, "the mount option %s is for %s", extension_word (mount, extensions[i].extension),
                            extensions[i].takes);
      options |= extensions[i].option;
    }
  *ret_options = options;
  return 0;
}

static int
add_mount (struct plan_builder *b, const struct spec_mount *mount)
{
  const char *target = clean_path (b->arena, mount->destination);
  struct mount_options o = mount_options_read (b, mount);
  enum mount_kind kind = kind_of (mount, &o);
  uint64_t options = 0;
  int result = read_extensions (b, mount, o.extensions, kind, &options);

  if (result < 0)
    return result;
  if (is_id_mapped (mount, &o) && kind != KIND_BIND)
    return plan_refuse (b, mount, "only a bind mount can be id-mapped, and only when it is made");
  if (kind == KIND_REMOUNT)
    {
      struct plan_remount r = { .target = plan_string (b, target),
                                .attributes = mount_options_change (&o),
                                .propagation = o.propagation };
      plan_add (b, PLAN_REMOUNT, mount)->remount = r;
      return 0;
    }
  if (target[1] == '\0')
    return plan_refuse (b, mount, "a mount on / would cover the root file system");
  if (kind == KIND_BIND)
    return add_bind (b, mount, target, &o, options);
  if (!mount->type || !*mount->type)
    return plan_refuse (b, mount, "a mount that is no bind needs a type");
  if (kind == KIND_CGROUP)
    return plan_cgroup_mount (b, mount, target, o.set);
  /* The device rules say whether a block device may be mounted.  */
  if (mount->source && *mount->source == '/')
    plan_cgroup_joined_early (b);
  return add_file_system (b, mount, target, &o, options);
}

/* The directory with the socket for notifications comes last: the config may have mounted something on /run.  */
static int
add_notify (struct plan_builder *b)
{
  const struct mount_options options = { .set = MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC };
  struct spec_mount *mount;
  int result;

  if (!b->facts->notify)
    return 0;
  mount = arena_new (b->arena, struct spec_mount);
  mount->source = b->facts->notify;
  result = add_bind (b, mount, "/run/notify", &options, 0);
  if (result == 0)
    b->origins[b->count - 1] = (struct plan_origin){ 0 };
  return result;
}

int
plan_mounts (struct plan_builder *b)
{
  for (size_t i = 0; i < b->spec->mounts.count; i++)
    {
      int result = add_mount (b, &b->spec->mounts.items[i]);
      if (result == 0)
        result = plan_check_size (b);
      if (result < 0)
        return result;
    }
  return add_notify (b);
}
