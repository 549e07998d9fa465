/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changing the limits of a container that has some.
 *
 * What is not named stays.  Before a file is written its content is kept, and when a later write is refused all that
 * was changed is put back, from the last to the first: so every state on the way back is one that the kernel took on
 * the way there.  Device rules come last: on v2 they are one program in the place of another.
 *
 * systemd, if the cgroup is a unit of its, is told first, and then writes itself, in an order of its own: so what is in
 * all of the files is kept before that, and is what the last step of the way back writes.  */
#include "cgroup/internal.h"
#include "cgroup/systemd.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/strbuf.h"
#include "spec/spec.h"

enum
{
  FILE_SIZE = 64 * 1024, /* lists of devices have a line a device */
};

/* ---- what there is ---------------------------------------------------------------------------------------------- */

/* Files with a line a device: "8:0 600".  A device without a line has what is said here.  */
static const struct
{
  const char *file, *absent;
} keyed_files[] = {
  { "blkio.throttle.", "0" },
  { "blkio.", "default" },
  { "io.max", "rbps=max wbps=max riops=max wiops=max" },
  { "io.", "default" },
  { "rdma.max", "hca_handle=max hca_object=max" },
  { "net_prio.ifpriomap", "0" },
};

static bool
begins (const char *text, const char *prefix)
{
  return strncmp (text, prefix, strlen (prefix)) == 0;
}

/* The line of TEXT that begins with the LENGTH bytes of KEY, or NULL.  */
static const char *
find_line (const char *text, const char *key, size_t length)
{
  for (const char *line = text; *line != '\0'; line += strcspn (line, "\n"), line += *line == '\n')
    if (strncmp (line, key, length) == 0 && line[length] == ' ')
      return line;
  return NULL;
}

static const char *
line_text (struct arena *arena, const char *line)
{
  return arena_strndup (arena, line, strcspn (line, "\n"));
}

/* What has to be written for FILE to say TEXT again, of which VALUE is about to change a part; NULL: not known.  */
static const char *
value_from (struct arena *arena, const char *file, const char *value, const char *text)
{
  size_t key = strcspn (value, " ");
  for (size_t i = 0; value[key] != '\0' && i < sizeof keyed_files / sizeof *keyed_files; i++)
    if (begins (file, keyed_files[i].file))
      {
        const char *line = find_line (text, value, key);
        return line != NULL ? line_text (arena, line)
                            : arena_printf (arena, "%.*s %s", (int) key, value, keyed_files[i].absent);
      }
  if (begins (text, "default ")) /* weights: the line that a value without a device changes */
    return line_text (arena, text);
  if (strcmp (file, "memory.oom_control") == 0)
    return begins (text, "oom_kill_disable 1") ? "1" : "0";
  size_t length = strcspn (text, "\n");
  if (length == 0)
    return "\n"; /* of no bytes there is no write */
  return text[length] == '\0' || text[length + 1] == '\0' ? line_text (arena, text) : NULL;
}

/* The write that puts back what the file of ITEM has now.  False if that cannot be known.  */
static bool
present_write (struct cgroup *cgroup, const struct cgroup_write *item, struct cgroup_write *ret_write)
{
  char text[FILE_SIZE];
  int dir = cgroup_dir_fd (cgroup, (size_t) item->hierarchy);
  if (dir < 0 || fd_read_file_at (dir, item->file, text, sizeof text) < 0)
    return false;
  const char *value = value_from (cgroup->arena, item->file, item->value, text);
  *ret_write = (struct cgroup_write){ .hierarchy = item->hierarchy, .file = item->file, .value = value };
  return value != NULL;
}

/* The weight of a cgroup that becomes idle, which the kernel forgets: it gives back the default.  */
static void
keep_weight (struct cgroup *cgroup, int hierarchy, struct cgroup_writes *before)
{
  static const char *const files[] = { "cpu.shares", "cpu.weight" };
  for (size_t i = 0; i < sizeof files / sizeof *files; i++)
    {
      const struct cgroup_write item = { .hierarchy = hierarchy, .file = files[i], .value = "" };
      struct cgroup_write present;
      if (present_write (cgroup, &item, &present))
        cgroup_writes_add (cgroup->arena, before, &present);
    }
}

void
cgroup_keep (struct cgroup *cgroup, const struct cgroup_write *item, struct cgroup_writes *before)
{
  struct cgroup_write present;
  if (!present_write (cgroup, item, &present))
    return;
  if (strcmp (item->file, "cpu.idle") == 0 && strcmp (present.value, "0") == 0)
    keep_weight (cgroup, item->hierarchy, before);
  cgroup_writes_add (cgroup->arena, before, &present);
}

/* The number that the v2 file FILE begins with; not set if that is "max", or cannot be read.  */
static struct spec_int
read_limit (struct cgroup *cgroup, const char *file)
{
  char text[64];
  int dir = cgroup_dir_fd (cgroup, (size_t) cgroup->places.v2);
  if (dir < 0 || fd_read_file_at (dir, file, text, sizeof text) < 0 || begins (text, "max"))
    return (struct spec_int){ 0 };
  return (struct spec_int){ true, strtoll (text, NULL, 10) };
}

/* Reads what v2 needs to know for RESOURCES.  */
static struct cgroup_present
look (struct cgroup *cgroup, const struct spec_resources *resources)
{
  const struct spec_memory *memory = resources->memory;
  const struct spec_cpu *cpu = resources->cpu;
  struct cgroup_present present = { 0 };
  if (cgroup->places.v2 < 0)
    return present;
  if (memory != NULL && memory->swap.set && memory->limit.value == 0)
    present.memory_limit = read_limit (cgroup, "memory.max");
  if (cpu != NULL && cpu->period.set && cpu->quota.value == 0)
    present.cpu_quota = read_limit (cgroup, "cpu.max");
  return present;
}

/* ---- update ----------------------------------------------------------------------------------------------------- */

static bool
says_already (struct cgroup *cgroup, const struct cgroup_write *item)
{
  struct cgroup_write present;
  return present_write (cgroup, item, &present) && strcmp (present.value, item->value) == 0;
}

/* Puts back what BEFORE says; what cannot be is added to the hint of ERR.  */
static void
put_back (struct cgroup *cgroup, const struct cgroup_writes *before, struct error *err)
{
  struct strbuf lost = STRBUF_INIT (cgroup->arena);
  struct error unit_err = { 0 };
  if (cgroup_unit_put_back (cgroup, before, &unit_err) < 0)
    strbuf_printf (&lost, "the unit (%s)", unit_err.message);
  for (size_t i = before->count; i-- > 0;)
    {
      const struct cgroup_write *item = &before->items[i];
      int dir = cgroup_dir_fd (cgroup, (size_t) item->hierarchy), r = dir < 0 ? dir : 0;
      if (r == 0 && !says_already (cgroup, item))
        r = fd_write_file_at (dir, item->file, item->value);
      if (r < 0)
        strbuf_printf (&lost, "%s%s (%s)", lost.length > 0 ? ", " : "", item->file, strerror (-r));
    }
  if (lost.length > 0)
    error_hint (err, "what was changed could not all be put back: %s", strbuf_text (&lost));
}

static int
tell_unit (struct cgroup *cgroup, struct cgroup_writes *before, struct error *err)
{
  for (size_t i = 0; cgroup->unit != NULL && i < cgroup->writes.count; i++)
    cgroup_keep (cgroup, &cgroup->writes.items[i], before);
  return cgroup_unit_update (cgroup, &cgroup->writes, err);
}

static int
update (struct cgroup *cgroup, const struct spec *spec, const struct spec_resources *resources,
        struct cgroup_writes *before, struct error *err)
{
  const struct cgroup_present present = look (cgroup, resources);
  int r = cgroup_translate_update (cgroup->arena, &cgroup->places, spec, resources, &present, &cgroup->writes, err);
  if (r == 0 && cgroup->writes.enable != NULL) /* without it there are no files to look at */
    r = cgroup_enable (&cgroup->dirs[cgroup->places.v2], cgroup->writes.enable, err);
  if (r == 0)
    r = cgroup_check_memory (cgroup, spec, resources, err);
  if (r == 0)
    r = tell_unit (cgroup, before, err);
  if (r == 0)
    r = cgroup_perform (cgroup, spec, before, err);
  if (r < 0 || resources->devices.count == 0)
    return r;
  r = cgroup_unit_update_devices (cgroup, spec, resources, err);
  return r < 0 ? r : cgroup_apply_devices (cgroup, spec, resources, before, err);
}

int
cgroup_update (struct cgroup *cgroup, const struct spec *spec, const struct spec_resources *resources,
               struct error *err)
{
  struct cgroup_writes before = { 0 };
  if (!cgroup->placed)
    return error_set (err, ENOENT, "the container has no cgroup %s", cgroup->path);
  int r = update (cgroup, spec, resources, &before, err);
  if (r < 0)
    put_back (cgroup, &before, err);
  return r;
}
