/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The order is that of the kernel's rules: schemata before the process, so that it never runs with another share than
 * its own; the group before the monitor below it, which takes only tasks that are in the group.  */
#include "rdt/rdt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "rdt/host.h"
#include "rdt/schema.h"
#include "spec/spec.h"

#define FILE_MAX (64 * 1024) /* schemata have a line a resource and a few bytes a domain */

struct rdt
{
  const struct rdt_host *host;
  struct arena *arena;
  const struct spec *spec;
  const struct spec_intel_rdt *config;
  const char *root;              /* where resctrl is mounted */
  const char *group;             /* a directory */
  const char *monitor;           /* another; NULL: not wanted */
  bool exists;                   /* the group was there */
  bool entered;                  /* rdt_enter was called: what follows is known */
  bool made_group, made_monitor; /* by us */
};

/* ---- messages ---- */

/* What the kernel says of the last command, if anything: info/last_cmd_status.  */
static const char *
kernel_words (const struct rdt *rdt)
{
  char text[512];
  const char *path = arena_printf (rdt->arena, "%s/info/last_cmd_status", rdt->root);
  ssize_t length = fd_read_file_at (AT_FDCWD, path, text, sizeof text);
  if (length <= 0)
    return NULL;
  text[strcspn (text, "\n")] = '\0';
  return *text == '\0' || strcmp (text, "ok") == 0 ? NULL : arena_strdup (rdt->arena, text);
}

static int
report (const struct rdt *rdt, const char *where, const char *what, int result, struct error *err)
{
  const char *words = kernel_words (rdt);
  if (words == NULL)
    return error_sys (err, result, "%s: %s", where, what);
  return error_set (err, result, "%s: %s: %s (%s)", where, what, strerror (result < 0 ? -result : result), words);
}

/* "linux.intelRdt.closID (config.json:9:5): FORMAT…: No space left on device (Out of CLOSIDs)".  */
#define FAILED(rdt, value, ...) failed ((rdt), (value), sizeof *(value), __VA_ARGS__)

static int __attribute__ ((format (printf, 6, 7)))
failed (const struct rdt *rdt, const void *value, size_t size, int result, struct error *err, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  const char *what = arena_vprintf (rdt->arena, format, args);
  va_end (args);
  return report (rdt, spec_where_of (rdt->arena, rdt->spec, value, size), what, result, err);
}

/* ---- finding ---- */

static bool
is_there (const struct rdt *rdt, const char *directory, const char *file)
{
  return access (arena_printf (rdt->arena, "%s/%s", directory, file), F_OK) == 0;
}

static bool
has_schemata (const struct spec_intel_rdt *config)
{
  return config->l3_cache_schema != NULL || config->mem_bw_schema != NULL || config->schemata.count > 0;
}

static int
find_root (struct rdt *rdt, struct error *err)
{
  int r = rdt_host_mount (rdt->host, rdt->arena, &rdt->root, err);
  if (r < 0 || rdt->root != NULL)
    return r;
  error_set (err, ENOENT, "%s: no resctrl file system is mounted", spec_where (rdt->arena, rdt->spec, rdt->config));
  error_hint (err, "on a machine that has it: mount -t resctrl resctrl /sys/fs/resctrl");
  return -ENOENT;
}

static void
name_group (struct rdt *rdt, const char *id)
{
  const char *name = rdt->config->clos_id != NULL ? rdt->config->clos_id : id;
  rdt->group = strcmp (name, "/") == 0 ? rdt->root : arena_printf (rdt->arena, "%s/%s", rdt->root, name);
}

static int
check_schema (const struct rdt *rdt, const char *const *schema, const char *schemata, struct error *err)
{
  if (*schema == NULL || rdt_schema_holds (schemata, *schema))
    return 0;
  error_set (err, EEXIST, "%s: the group %s is there, and its schemata do not say \"%s\"",
             spec_where (rdt->arena, rdt->spec, schema), rdt->group, *schema);
  error_hint (err, "name another closID, leave the schema out, or change %s/schemata", rdt->group);
  return -EEXIST;
}

/* Whether a group that others have made too has the shares that the config counts on.  */
static int
check_schemata (const struct rdt *rdt, struct error *err)
{
  const struct spec_intel_rdt *config = rdt->config;
  char text[FILE_MAX];
  if (config->clos_id == NULL || (config->l3_cache_schema == NULL && config->mem_bw_schema == NULL))
    return 0;
  const char *path = arena_printf (rdt->arena, "%s/schemata", rdt->group);
  ssize_t length = fd_read_file_at (AT_FDCWD, path, text, sizeof text);
  if (length < 0)
    return FAILED (rdt, &config->clos_id, (int) length, err, "read %s", path);
  int r = check_schema (rdt, &config->l3_cache_schema, text, err);
  return r < 0 ? r : check_schema (rdt, &config->mem_bw_schema, text, err);
}

static int
check_group (struct rdt *rdt, struct error *err)
{
  const struct spec_intel_rdt *config = rdt->config;
  rdt->exists = access (rdt->group, F_OK) == 0;
  if (!rdt->exists && config->clos_id != NULL && !has_schemata (config))
    {
      error_set (err, ENOENT, "%s: there is no group %s", spec_where (rdt->arena, rdt->spec, &config->clos_id),
                 rdt->group);
      error_hint (err, "make it first, or say in schemata what it is to have");
      return -ENOENT;
    }
  /* info, mon_data and mon_groups are directories, too.  */
  if (rdt->exists && !is_there (rdt, rdt->group, "tasks"))
    return error_set (err, EINVAL, "%s: %s is not a group of resctrl", spec_where (rdt->arena, rdt->spec, config),
                      rdt->group);
  return rdt->exists ? check_schemata (rdt, err) : 0;
}

static int
check_monitor (const struct rdt *rdt, struct error *err)
{
  const struct spec_bool *wanted = &rdt->config->enable_monitoring;
  if (rdt->monitor == NULL)
    return 0;
  if (!is_there (rdt, rdt->root, "mon_groups"))
    return error_set (err, EOPNOTSUPP, "%s: this machine's resctrl has no monitoring",
                      spec_where (rdt->arena, rdt->spec, wanted));
  if (access (rdt->monitor, F_OK) == 0)
    return error_set (err, EEXIST, "%s: %s is there already", spec_where (rdt->arena, rdt->spec, wanted), rdt->monitor);
  return 0;
}

/* Where the container's groups are, or are to be; *RET is NULL if it has none.  */
static int
find_place (const struct rdt_host *host, struct arena *arena, const struct spec *spec, const char *id, struct rdt **ret,
            struct error *err)
{
  const struct spec_intel_rdt *config = spec->linux_ != NULL ? spec->linux_->intel_rdt : NULL;
  *ret = NULL;
  if (config == NULL)
    return 0;
  struct rdt *rdt = arena_new (arena, struct rdt);
  *rdt = (struct rdt){ .host = host, .arena = arena, .spec = spec, .config = config };
  int r = find_root (rdt, err);
  if (r < 0)
    return r;
  name_group (rdt, id);
  if (config->enable_monitoring.value)
    rdt->monitor = arena_printf (arena, "%s/mon_groups/%s", rdt->group, id);
  *ret = rdt;
  return 0;
}

int
rdt_host_new (const struct rdt_host *host, struct arena *arena, const struct spec *spec, const char *id,
              struct rdt **ret, struct error *err)
{
  struct rdt *rdt;
  int r = find_place (host, arena, spec, id, &rdt, err);
  *ret = NULL;
  if (r < 0 || rdt == NULL)
    return r;
  r = check_group (rdt, err);
  if (r == 0)
    r = check_monitor (rdt, err);
  if (r == 0)
    *ret = rdt;
  return r;
}

int
rdt_new (struct arena *arena, const struct spec *spec, const char *id, struct rdt **ret, struct error *err)
{
  return rdt_host_new (&rdt_host, arena, spec, id, ret, err);
}

struct rdt_record
rdt_record (const struct rdt *rdt)
{
  if (rdt == NULL)
    return (struct rdt_record){ NULL, NULL };
  bool ours = rdt->entered ? rdt->made_group : !rdt->exists;
  return (struct rdt_record){
    .group = rdt->config->clos_id == NULL && ours ? rdt->group : NULL,
    .monitor = rdt->entered && !rdt->made_monitor ? NULL : rdt->monitor,
  };
}

/* ---- entering ---- */

static int
make_group (struct rdt *rdt, struct error *err)
{
  const struct spec_intel_rdt *config = rdt->config;
  int r = rdt->exists ? 0 : rdt->host->make (rdt->group);
  rdt->made_group = !rdt->exists && r == 0;
  if (r == -EEXIST) /* somebody was quicker */
    {
      rdt->exists = true;
      return check_schemata (rdt, err);
    }
  if (r < 0 && config->clos_id != NULL)
    return FAILED (rdt, &config->clos_id, r, err, "make the group %s", rdt->group);
  return r < 0 ? FAILED (rdt, config, r, err, "make the group %s", rdt->group) : 0;
}

/* A line at a time: the kernel refuses a domain that comes twice, and then it is known which line it was.  */
static int
write_line (const struct rdt *rdt, const char *const *line, struct error *err)
{
  const char *path = arena_printf (rdt->arena, "%s/schemata", rdt->group);
  int r = *line == NULL ? 0 : rdt->host->write (path, arena_printf (rdt->arena, "%s\n", *line));
  return r < 0 ? FAILED (rdt, line, r, err, "write \"%s\" to %s", *line, path) : 0;
}

static int
write_schemata (const struct rdt *rdt, struct error *err)
{
  const struct spec_intel_rdt *config = rdt->config;
  int r = write_line (rdt, &config->l3_cache_schema, err);
  if (r == 0)
    r = write_line (rdt, &config->mem_bw_schema, err);
  for (size_t i = 0; i < config->schemata.count && r == 0; i++)
    r = write_line (rdt, &config->schemata.items[i], err);
  return r;
}

static int
move_process (const struct rdt *rdt, const char *directory, pid_t pid, struct error *err)
{
  const char *path = arena_printf (rdt->arena, "%s/tasks", directory);
  int r = rdt->host->write (path, arena_printf (rdt->arena, "%d\n", (int) pid));
  return r < 0 ? FAILED (rdt, rdt->config, r, err, "write %d to %s", (int) pid, path) : 0;
}

int
rdt_join (struct arena *arena, const struct spec *spec, const char *id, pid_t pid, struct error *err)
{
  struct rdt *rdt;
  int r = find_place (&rdt_host, arena, spec, id, &rdt, err);
  if (r == 0 && rdt != NULL)
    r = move_process (rdt, rdt->group, pid, err);
  if (r == 0 && rdt != NULL && rdt->monitor != NULL)
    r = move_process (rdt, rdt->monitor, pid, err);
  return r;
}

static int
make_monitor (struct rdt *rdt, struct error *err)
{
  int r = rdt->host->make (rdt->monitor);
  rdt->made_monitor = r == 0;
  return r < 0 ? FAILED (rdt, &rdt->config->enable_monitoring, r, err, "make %s", rdt->monitor) : 0;
}

int
rdt_enter (struct rdt *rdt, pid_t pid, struct error *err)
{
  rdt->entered = true;
  int r = make_group (rdt, err);
  if (r == 0)
    r = write_schemata (rdt, err);
  if (r == 0)
    r = move_process (rdt, rdt->group, pid, err);
  if (r < 0 || rdt->monitor == NULL)
    return r;
  r = make_monitor (rdt, err);
  return r < 0 ? r : move_process (rdt, rdt->monitor, pid, err);
}

/* ---- changing ---- */

/* The line of SCHEMATA for the resource that LINE is about ("L3:"), or NULL.  */
static const char *
present_line (struct arena *arena, const char *schemata, const char *line)
{
  size_t length = strcspn (line, ":");
  for (const char *at = schemata; *at != '\0'; at += strcspn (at, "\n"), at += *at == '\n')
    {
      const char *name = at + strspn (at, " ");
      if (strncmp (name, line, length) == 0 && name[length] == ':')
        return arena_strndup (arena, name, strcspn (name, "\n"));
    }
  return NULL;
}

static void
put_back (const struct rdt *rdt, const struct rdt_lines *before)
{
  for (size_t i = RDT_LINES; i-- > 0;)
    if (before->items[i] != NULL)
      rdt->host->write (arena_printf (rdt->arena, "%s/schemata", rdt->group),
                        arena_printf (rdt->arena, "%s\n", before->items[i]));
}

static int
change (struct rdt *rdt, const struct rdt_lines *lines, struct rdt_lines *ret_before, struct error *err)
{
  static const char *const names[RDT_LINES] = { "l3CacheSchema", "memBwSchema" };
  const char *path = arena_printf (rdt->arena, "%s/schemata", rdt->group);
  struct rdt_lines before = { { NULL } };
  char text[FILE_MAX];
  ssize_t length = fd_read_file_at (AT_FDCWD, path, text, sizeof text);
  int r = length < 0 ? error_sys (err, (int) length, "read %s", path) : 0;
  for (size_t i = 0; i < RDT_LINES && r == 0; i++)
    {
      if (lines->items[i] == NULL)
        continue;
      r = rdt->host->write (path, arena_printf (rdt->arena, "%s\n", lines->items[i]));
      if (r == 0)
        before.items[i] = present_line (rdt->arena, text, lines->items[i]);
      else
        report (rdt, names[i], arena_printf (rdt->arena, "write \"%s\" to %s", lines->items[i], path), r, err);
    }
  if (r < 0)
    put_back (rdt, &before);
  else
    *ret_before = before;
  return r;
}

int
rdt_host_update (const struct rdt_host *host, struct arena *arena, const struct spec *spec, const char *id,
                 const struct rdt_lines *lines, struct rdt_lines *ret_before, struct error *err)
{
  const struct spec_intel_rdt *config = spec->linux_ != NULL ? spec->linux_->intel_rdt : NULL;
  if (config == NULL)
    {
      error_set (err, EOPNOTSUPP, "the container has no group of resctrl of its own");
      error_hint (err, "create it with linux.intelRdt");
      return -EOPNOTSUPP;
    }
  struct rdt rdt = { .host = host, .arena = arena, .spec = spec, .config = config };
  int r = find_root (&rdt, err);
  if (r < 0)
    return r;
  name_group (&rdt, id);
  return change (&rdt, lines, ret_before, err);
}

int
rdt_update (struct arena *arena, const struct spec *spec, const char *id, const struct rdt_lines *lines,
            struct rdt_lines *ret_before, struct error *err)
{
  return rdt_host_update (&rdt_host, arena, spec, id, lines, ret_before, err);
}

/* ---- leaving ---- */

int
rdt_host_remove (const struct rdt_host *host, const struct rdt_record *record, struct error *err)
{
  const char *const directories[] = { record->monitor, record->group };
  for (size_t i = 0; i < sizeof directories / sizeof *directories; i++)
    {
      int r = directories[i] != NULL ? host->remove (directories[i]) : 0;
      if (r < 0 && r != -ENOENT)
        return error_sys (err, r, "remove %s", directories[i]);
    }
  return 0;
}

int
rdt_remove (const struct rdt_record *record, struct error *err)
{
  return rdt_host_remove (&rdt_host, record, err);
}

void
rdt_undo (struct rdt *rdt)
{
  struct error err = { 0 };
  if (rdt == NULL)
    return;
  const struct rdt_record made = {
    .group = rdt->made_group ? rdt->group : NULL,
    .monitor = rdt->made_monitor ? rdt->monitor : NULL,
  };
  if (rdt_host_remove (rdt->host, &made, &err) < 0)
    log_warning ("%s", err.message);
}
