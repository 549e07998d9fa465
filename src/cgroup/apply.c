/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Performing the writes that a translation lists.
 *
 * Successive writes to one file (lists of devices, io.max) share its descriptor; everything else is open, write, close.
 */
#include "cgroup/devices.h"
#include "cgroup/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "spec/spec.h"

/* ENOTSUPP, which some cgroup files leak to us (memory.kmem.limit_in_bytes).  */
#define KERNEL_ENOTSUPP 524

enum
{
  DEVICES_LIST_SIZE = 256 * 1024,
};

/* The file that is open.  */
struct open_file
{
  int fd;
  int hierarchy;
  const char *name;
};

static int
open_for (struct cgroup *cgroup, struct open_file *file, const struct cgroup_write *item)
{
  if (file->fd >= 0 && file->hierarchy == item->hierarchy && strcmp (file->name, item->file) == 0)
    return 0;
  file->fd = fd_close (file->fd);
  int dir = cgroup_dir_fd (cgroup, (size_t) item->hierarchy);
  if (dir < 0)
    return dir;
  file->fd = openat (dir, item->file, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
  file->hierarchy = item->hierarchy;
  file->name = item->file;
  return file->fd < 0 ? -errno : 0;
}

static int
perform (struct cgroup *cgroup, struct open_file *file, const struct cgroup_write *item, struct cgroup_writes *before)
{
  int r = open_for (cgroup, file, item);
  if (r < 0)
    return r;
  if (before != NULL) /* what is refused then says what it said already, and is left alone on the way back */
    cgroup_keep (cgroup, item, before);
  ssize_t written;
  do
    written = write (file->fd, item->value, strlen (item->value));
  while (written < 0 && errno == EINTR);
  return written < 0 ? -errno : 0;
}

/* What the person who wrote the limit may do about a refusal: the first row whose FILE begins the file's name holds. */
static const struct
{
  int code;
  const char *file, *hint;
} hints[] = {
  { ENOENT, "blkio.bfq.weight", "weights of block devices need the BFQ scheduler (modprobe bfq); drop the weight" },
  { ENOENT, "io.weight", "weights of block devices need BFQ (modprobe bfq) or io.cost; drop the weight" },
  { ENOENT, "", "this kernel has no such file; drop the setting or use a newer kernel" },
  { EBUSY, "memory.", "the limit is below what is in use" },
  { EINVAL, "memory.use_hierarchy", "this kernel always counts descendants; drop useHierarchy" },
  { EINVAL, "memory.limit", "memory.swap must not be lower than memory.limit; set both" },
  { EINVAL, "memory.memsw", "memory.swap must not be lower than memory.limit; set both" },
  { EINVAL, "cpu.", "the value is out of range, or more than the cgroup above allows" },
  { EINVAL, "devices.", "the list can only be written anew while the cgroup has no children" },
  { EPERM, "devices.", "a cgroup cannot allow devices that the one above it does not" },
  { ENODEV, "", "there is no such device" },
};

static void
hint_write (struct error *err, int code, const char *file)
{
  for (size_t i = 0; i < sizeof hints / sizeof *hints; i++)
    if (hints[i].code == -code && strncmp (file, hints[i].file, strlen (hints[i].file)) == 0)
      {
        error_hint (err, "%s", hints[i].hint);
        return;
      }
}

static int
write_failed (struct cgroup *cgroup, const struct spec *spec, const struct cgroup_write *item, int code,
              struct error *err)
{
  const char *dir = cgroup->dirs[item->hierarchy].path;
  if (code == -KERNEL_ENOTSUPP)
    code = -EOPNOTSUPP;
  int r = error_sys (err, code, "write \"%s\" to %s/%s", item->value, dir, item->file);
  if (spec != NULL && item->where != NULL)
    error_context (err, "%s", spec_where_of (cgroup->arena, spec, item->where, item->where_size));
  hint_write (err, code, item->file);
  return r;
}

static bool
may_fail (const struct cgroup_write *item, int code)
{
  return item->optional && (code == -ENOENT || code == -EOPNOTSUPP || code == -KERNEL_ENOTSUPP);
}

/* Whether the directory is as it was made.  */
static bool
is_new (const struct cgroup *cgroup, int hierarchy)
{
  return cgroup->dirs[hierarchy].made > 0 && !cgroup->has_rules;
}

/* Whether another write may make way for one that failed with CODE.  */
static bool
may_succeed (const struct cgroup_write *item, int code)
{
  return item->again && (code == -EINVAL || code == -EBUSY);
}

/* Performs the COUNT writes at ITEMS, which were refused, as long as one of them is taken.  */
static int
perform_again (struct cgroup *cgroup, struct open_file *file, const struct spec *spec,
               const struct cgroup_write **items, size_t count, struct cgroup_writes *before, struct error *err)
{
  while (count > 0)
    {
      size_t left = 0;
      int first = 0;
      for (size_t i = 0; i < count; i++)
        {
          int r = perform (cgroup, file, items[i], before);
          if (r < 0 && !may_succeed (items[i], r))
            return write_failed (cgroup, spec, items[i], r, err);
          if (r < 0 && left == 0)
            first = r;
          if (r < 0)
            items[left++] = items[i];
        }
      if (left == count)
        return write_failed (cgroup, spec, items[0], first, err);
      count = left;
    }
  return 0;
}

static int
perform_all (struct cgroup *cgroup, struct open_file *file, const struct spec *spec, struct cgroup_writes *before,
             struct error *err)
{
  const struct cgroup_writes *writes = &cgroup->writes;
  const struct cgroup_write *again[16];
  size_t again_count = 0;
  for (size_t i = 0; i < writes->count; i++)
    {
      const struct cgroup_write *item = &writes->items[i];
      if (item->if_new && !is_new (cgroup, item->hierarchy))
        continue;
      int r = perform (cgroup, file, item, before);
      if (item->or_next && r == -ENOENT)
        continue;
      if (item->or_next)
        i++;
      if (r == 0 || may_fail (item, r))
        continue;
      if (may_succeed (item, r) && again_count < sizeof again / sizeof *again)
        {
          again[again_count++] = item;
          continue;
        }
      return write_failed (cgroup, spec, item, r, err);
    }
  return perform_again (cgroup, file, spec, again, again_count, before, err);
}

int
cgroup_perform (struct cgroup *cgroup, const struct spec *spec, struct cgroup_writes *before, struct error *err)
{
  struct open_file file = { .fd = -1 };
  int r = perform_all (cgroup, &file, spec, before, err);
  cgroup->has_writes = false; /* the next are of an update */
  fd_close (file.fd);
  return r;
}

/* Notes what takes RULE back, which was just written to a list that was CURRENT.  Exceptions from a list that allowed
 * everything are not shown by the kernel: then the rules stay as strict as they are.  */
static void
note_device_rule (struct cgroup *cgroup, const struct device_rule *rule, const struct device_rules *current,
                  struct cgroup_writes *before)
{
  struct cgroup_write back = { .hierarchy = cgroup->places.v1[CGROUP_DEVICES], .file = "devices.allow" };
  bool everything = rule->types == DEVICE_BOTH;
  if (before == NULL || (everything && current->allow))
    return;
  for (size_t i = 0; everything && i < current->count; i++)
    {
      back.value = cgroup_device_text (cgroup->arena, &current->items[i]);
      cgroup_writes_add (cgroup->arena, before, &back);
    }
  back.file = rule->allow ? "devices.deny" : "devices.allow";
  back.value = cgroup_device_text (cgroup->arena, rule);
  cgroup_writes_add (cgroup->arena, before, &back);
}

/* Changes the device lists of a v1 cgroup that has some.  */
static int
update_device_lists (struct cgroup *cgroup, const struct spec *spec, const struct spec_resources *resources,
                     struct cgroup_writes *before, struct error *err)
{
  struct arena *arena = cgroup->arena;
  int hierarchy = cgroup->places.v1[CGROUP_DEVICES];
  const struct cgroup_dir *dir = &cgroup->dirs[hierarchy];
  struct device_rules lists;
  int r = cgroup_device_v1 (arena, spec, resources, &lists, err);
  if (r < 0)
    return r;
  char *text = arena_alloc (arena, DEVICES_LIST_SIZE);
  int fd = cgroup_dir_fd (cgroup, (size_t) hierarchy);
  r = fd < 0 ? fd : (int) fd_read_file_at (fd, "devices.list", text, DEVICES_LIST_SIZE);
  if (r < 0)
    return error_sys (err, r, "read %s/devices.list", dir->path);
  struct device_rules current = cgroup_device_list (arena, text);
  struct device_rules changes = cgroup_device_changes (arena, &lists, &current);
  for (size_t i = 0; i < changes.count; i++)
    {
      const char *file = changes.items[i].allow ? "devices.allow" : "devices.deny";
      const char *rule = cgroup_device_text (arena, &changes.items[i]);
      r = fd_write_file_at (fd, file, rule);
      if (r < 0)
        {
          error_sys (err, r, "linux.resources.devices: write \"%s\" to %s/%s", rule, dir->path, file);
          hint_write (err, r, file);
          return r;
        }
      note_device_rule (cgroup, &changes.items[i], &current, before);
    }
  return 0;
}

/* True if we are in a user namespace of our own.  There no device node can be made, and the ones that can be reached
 * are those that the config mounts: device rules can be neither enforced nor missed.  */
static bool
in_user_namespace (void)
{
  char map[64];
  unsigned long inside, outside, size;
  return fd_read_file_at (AT_FDCWD, "/proc/self/uid_map", map, sizeof map) < 0
         || sscanf (map, "%lu %lu %lu", &inside, &outside, &size) != 3 || inside != 0 || outside != 0
         || size != UINT32_MAX;
}

/* On v1 the lists of a new cgroup are among the writes.  */
int
cgroup_apply_devices (struct cgroup *cgroup, const struct spec *spec, const struct spec_resources *resources,
                      struct cgroup_writes *before, struct error *err)
{
  int v1 = cgroup->places.v1[CGROUP_DEVICES];
  if (v1 >= 0)
    return is_new (cgroup, v1) ? 0 : update_device_lists (cgroup, spec, resources, before, err);
  if (cgroup->places.v2 < 0)
    return 0;
  int r = cgroup_attach_devices (cgroup, spec, resources, err);
  if (r == -EPERM && in_user_namespace ())
    {
      log_debug ("cgroup: %s; device rules are not enforced in this user namespace", err != NULL ? err->message : "");
      error_clear (err);
      return 0;
    }
  return r;
}

/* v2 kills when memory.max falls below the usage; linux.resources.memory.checkBeforeUpdate asks for v1's refusal.  */
int
cgroup_check_memory (struct cgroup *cgroup, const struct spec *spec, const struct spec_resources *resources,
                     struct error *err)
{
  const struct spec_memory *memory = resources != NULL ? resources->memory : NULL;
  if (memory == NULL || !memory->check_before_update.value || !memory->limit.set || memory->limit.value <= 0
      || cgroup->places.v1[CGROUP_MEMORY] >= 0)
    return 0;
  char text[32];
  int fd = cgroup_dir_fd (cgroup, (size_t) cgroup->places.v2);
  int r = fd < 0 ? fd : (int) fd_read_file_at (fd, "memory.current", text, sizeof text);
  if (r < 0)
    return error_sys (err, r, "read %s/memory.current", cgroup->dirs[cgroup->places.v2].path);
  text[strcspn (text, "\n")] = '\0';
  long long usage = strtoll (text, NULL, 10);
  if (usage <= memory->limit.value)
    return 0;
  error_set (err, EBUSY, "the limit %lld is below the current usage of %lld bytes", (long long) memory->limit.value,
             usage);
  if (spec != NULL)
    error_context (err, "%s", spec_where (cgroup->arena, spec, &memory->limit));
  return -EBUSY;
}

int
cgroup_apply_limits (struct cgroup *cgroup, const struct spec *spec, const struct spec_resources *resources,
                     struct error *err)
{
  int r = cgroup_prepare (cgroup, spec, resources, err);
  if (r == 0)
    r = cgroup_check_memory (cgroup, spec, resources, err);
  return r == 0 ? cgroup_perform (cgroup, spec, NULL, err) : r;
}

int
cgroup_apply_rules (struct cgroup *cgroup, const struct spec *spec, const struct spec_resources *resources,
                    struct error *err)
{
  int r = cgroup_apply_devices (cgroup, spec, resources, NULL, err);
  if (r == 0)
    cgroup->has_rules = true;
  return r;
}
