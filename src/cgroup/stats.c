/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a cgroup uses and may use, as the JSON that `runc events` prints: one table says where each member is found on a
 * v1 hierarchy and on v2.
 *
 * Units are those of v1: nanoseconds and bytes.  What a kernel does not have is left out, or 0 where readers expect a
 * number.  On hybrid hosts the v2 directory has the pressures even of controllers that are in v1.  */
#include "cgroup/stats.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "cgroup/internal.h"

enum
{
  TEXT_SIZE = 256 * 1024, /* tables have a line a processor or a device */
  DEPTH = 2,              /* of objects */
};

struct stat_row
{
  const char *member;     /* "cpu.usage.total" */
  const char *controller; /* the name on v1; NULL: there is no such thing on v1 */
  void (*write) (struct reading *reading, const struct stat_source *source, const char *name); /* NULL: a number */
  bool always; /* 0 if it is not there */
  struct stat_source v1, v2;
};

#define AT(file_)                                                                                                      \
  {                                                                                                                    \
    .file = file_                                                                                                      \
  }
#define KEY(file_, key_)                                                                                               \
  {                                                                                                                    \
    .file = file_, .key = key_                                                                                         \
  }
#define USEC(file_, key_)                                                                                              \
  {                                                                                                                    \
    .file = file_, .key = key_, .scale = 1000                                                                          \
  }

/* Rows of one object stand together, as do those that read one file.  */
/* clang-format off */
static const struct stat_row rows[] = {
  { "cpu.usage.total", "cpuacct", .v1 = AT ("cpuacct.usage"), .v2 = USEC ("cpu.stat", "usage_usec") },
  { "cpu.usage.percpu", "cpuacct", stats_write_words, .v1 = AT ("cpuacct.usage_percpu") },
  { "cpu.usage.percpu_kernel", "cpuacct", stats_write_column, .v1 = { .file = "cpuacct.usage_all", .column = 2 } },
  { "cpu.usage.percpu_user", "cpuacct", stats_write_column, .v1 = { .file = "cpuacct.usage_all", .column = 1 } },
  { "cpu.usage.kernel", "cpuacct", .always = true,
    .v1 = AT ("cpuacct.usage_sys"), .v2 = USEC ("cpu.stat", "system_usec") },
  { "cpu.usage.user", "cpuacct", .always = true,
    .v1 = AT ("cpuacct.usage_user"), .v2 = USEC ("cpu.stat", "user_usec") },
  { "cpu.throttling.periods", "cpu", .v1 = KEY ("cpu.stat", "nr_periods"), .v2 = KEY ("cpu.stat", "nr_periods") },
  { "cpu.throttling.throttledPeriods", "cpu",
    .v1 = KEY ("cpu.stat", "nr_throttled"), .v2 = KEY ("cpu.stat", "nr_throttled") },
  { "cpu.throttling.throttledTime", "cpu",
    .v1 = KEY ("cpu.stat", "throttled_time"), .v2 = USEC ("cpu.stat", "throttled_usec") },
  { "cpu.psi", NULL, stats_write_pressure, .v2 = AT ("cpu.pressure") },

  { "cpuset.cpus", "cpuset", stats_write_ranges, .v1 = AT ("cpuset.cpus"), .v2 = AT ("cpuset.cpus.effective") },
  { "cpuset.cpu_exclusive", "cpuset", .always = true, .v1 = AT ("cpuset.cpu_exclusive") },
  { "cpuset.mems", "cpuset", stats_write_ranges, .v1 = AT ("cpuset.mems"), .v2 = AT ("cpuset.mems.effective") },
  { "cpuset.mem_hardwall", "cpuset", .always = true, .v1 = AT ("cpuset.mem_hardwall") },
  { "cpuset.mem_exclusive", "cpuset", .always = true, .v1 = AT ("cpuset.mem_exclusive") },
  { "cpuset.memory_migrate", "cpuset", .always = true, .v1 = AT ("cpuset.memory_migrate") },
  { "cpuset.memory_spread_page", "cpuset", .always = true, .v1 = AT ("cpuset.memory_spread_page") },
  { "cpuset.memory_spread_slab", "cpuset", .always = true, .v1 = AT ("cpuset.memory_spread_slab") },
  { "cpuset.memory_pressure", "cpuset", .always = true, .v1 = AT ("cpuset.memory_pressure") },
  { "cpuset.sched_load_balance", "cpuset", .always = true, .v1 = AT ("cpuset.sched_load_balance") },
  { "cpuset.sched_relax_domain_level", "cpuset", stats_write_signed, .v1 = AT ("cpuset.sched_relax_domain_level") },

  { "memory.cache", "memory", .v1 = KEY ("memory.stat", "cache"), .v2 = KEY ("memory.stat", "file") },
  { "memory.raw", "memory", stats_write_map, .v1 = AT ("memory.stat"), .v2 = AT ("memory.stat") },
  { "memory.usage.limit", "memory", .always = true, .v1 = AT ("memory.limit_in_bytes"), .v2 = AT ("memory.max") },
  { "memory.usage.usage", "memory", .v1 = AT ("memory.usage_in_bytes"), .v2 = AT ("memory.current") },
  { "memory.usage.max", "memory", .v1 = AT ("memory.max_usage_in_bytes"), .v2 = AT ("memory.peak") },
  { "memory.usage.failcnt", "memory", .always = true,
    .v1 = AT ("memory.failcnt"), .v2 = KEY ("memory.events", "max") },
  /* v1 counts memory and swap together, and so do readers.  */
  { "memory.swap.limit", "memory", .always = true,
    .v1 = AT ("memory.memsw.limit_in_bytes"), .v2 = { .file = "memory.swap.max", .plus = "memory.max" } },
  { "memory.swap.usage", "memory",
    .v1 = AT ("memory.memsw.usage_in_bytes"), .v2 = { .file = "memory.swap.current", .plus = "memory.current" } },
  { "memory.swap.max", "memory", .v1 = AT ("memory.memsw.max_usage_in_bytes") },
  { "memory.swap.failcnt", "memory", .always = true,
    .v1 = AT ("memory.memsw.failcnt"), .v2 = KEY ("memory.swap.events", "max") },
  { "memory.kernel.limit", "memory", .always = true, .v1 = AT ("memory.kmem.limit_in_bytes") },
  { "memory.kernel.usage", "memory",
    .v1 = AT ("memory.kmem.usage_in_bytes"), .v2 = KEY ("memory.stat", "kernel") },
  { "memory.kernel.max", "memory", .v1 = AT ("memory.kmem.max_usage_in_bytes") },
  { "memory.kernel.failcnt", "memory", .always = true, .v1 = AT ("memory.kmem.failcnt") },
  { "memory.kernelTCP.limit", "memory", .always = true, .v1 = AT ("memory.kmem.tcp.limit_in_bytes") },
  { "memory.kernelTCP.usage", "memory",
    .v1 = AT ("memory.kmem.tcp.usage_in_bytes"), .v2 = KEY ("memory.stat", "sock") },
  { "memory.kernelTCP.max", "memory", .v1 = AT ("memory.kmem.tcp.max_usage_in_bytes") },
  { "memory.kernelTCP.failcnt", "memory", .always = true, .v1 = AT ("memory.kmem.tcp.failcnt") },
  { "memory.event_count.low", "memory", .v2 = KEY ("memory.events", "low") },
  { "memory.event_count.high", "memory", .v2 = KEY ("memory.events", "high") },
  { "memory.event_count.max", "memory", .v2 = KEY ("memory.events", "max") },
  { "memory.event_count.oom", "memory", .v2 = KEY ("memory.events", "oom") },
  { "memory.event_count.oom_kill", "memory",
    .v1 = KEY ("memory.oom_control", "oom_kill"), .v2 = KEY ("memory.events", "oom_kill") },
  { "memory.event_count.oom_group_kill", "memory", .v2 = KEY ("memory.events", "oom_group_kill") },
  { "memory.psi", NULL, stats_write_pressure, .v2 = AT ("memory.pressure") },

  { "pids.current", "pids", .v1 = AT ("pids.current"), .v2 = AT ("pids.current") },
  { "pids.limit", "pids",
    .v1 = { .file = "pids.max", .zero_is_none = true }, .v2 = { .file = "pids.max", .zero_is_none = true } },

  { "blkio.ioServiceBytesRecursive", "blkio", stats_write_devices,
    .v1 = { .file = "blkio.bfq.io_service_bytes_recursive blkio.io_service_bytes_recursive "
            "blkio.throttle.io_service_bytes_recursive blkio.throttle.io_service_bytes" } },
  { "blkio.ioServicedRecursive", "blkio", stats_write_devices,
    .v1 = { .file = "blkio.bfq.io_serviced_recursive blkio.io_serviced_recursive "
            "blkio.throttle.io_serviced_recursive blkio.throttle.io_serviced" } },
  { "blkio.ioQueueRecursive", "blkio", stats_write_devices,
    .v1 = AT ("blkio.bfq.io_queued_recursive blkio.io_queued_recursive") },
  { "blkio.ioServiceTimeRecursive", "blkio", stats_write_devices,
    .v1 = AT ("blkio.bfq.io_service_time_recursive blkio.io_service_time_recursive") },
  { "blkio.ioWaitTimeRecursive", "blkio", stats_write_devices,
    .v1 = AT ("blkio.bfq.io_wait_time_recursive blkio.io_wait_time_recursive") },
  { "blkio.ioMergedRecursive", "blkio", stats_write_devices,
    .v1 = AT ("blkio.bfq.io_merged_recursive blkio.io_merged_recursive") },
  { "blkio.ioTimeRecursive", "blkio", stats_write_devices,
    .v1 = AT ("blkio.bfq.time_recursive blkio.time_recursive") },
  { "blkio.sectorsRecursive", "blkio", stats_write_devices,
    .v1 = AT ("blkio.bfq.sectors_recursive blkio.sectors_recursive") },
  { "blkio.ioServiceBytesRecursive", "blkio", stats_write_io,
    .v2 = KEY ("io.stat", "rbytes=Read wbytes=Write dbytes=Discard") },
  { "blkio.ioServicedRecursive", "blkio", stats_write_io,
    .v2 = KEY ("io.stat", "rios=Read wios=Write dios=Discard") },
  { "blkio.psi", NULL, stats_write_pressure, .v2 = AT ("io.pressure") },
};

/* Of each size of huge pages.  The files are hugetlb.SIZE.FILE.  */
static const struct stat_row hugetlb_rows[] = {
  { "usage", .v1 = AT ("usage_in_bytes"), .v2 = AT ("current") },
  { "max", .v1 = AT ("max_usage_in_bytes") },
  { "failcnt", .always = true, .v1 = AT ("failcnt"), .v2 = KEY ("events", "max") },
};
/* clang-format on */

/* ---- reading ---------------------------------------------------------------------------------------------------- */

const char *
stats_read (struct reading *reading, const char *file)
{
  if (reading->file != NULL && reading->text_of == reading->hierarchy && strcmp (reading->file, file) == 0)
    return reading->text;
  int dir = cgroup_dir_fd (reading->cgroup, (size_t) reading->hierarchy);
  bool found = dir >= 0 && fd_read_file_at (dir, file, reading->text, TEXT_SIZE) >= 0;
  reading->file = found ? file : NULL;
  reading->text_of = reading->hierarchy;
  return found ? reading->text : NULL;
}

/* What stands behind KEY, or at the beginning; NULL: nothing.  */
static const char *
find_value (const char *text, const char *key)
{
  size_t length = key != NULL ? strlen (key) : 0;
  for (const char *line = text; *line != '\0'; line += strcspn (line, "\n"), line += *line == '\n')
    if (length == 0 || (strncmp (line, key, length) == 0 && line[length] == ' '))
      return length == 0 ? line : line + length + 1;
  return NULL;
}

bool
stats_number (struct reading *reading, const struct stat_source *source, uint64_t *ret_number)
{
  const char *text = stats_read (reading, source->file), *value;
  if (text == NULL || (value = find_value (text, source->key)) == NULL)
    return false;
  if (strncmp (value, "max", 3) == 0)
    {
      *ret_number = source->zero_is_none ? 0 : UINT64_MAX;
      return true;
    }
  uint64_t number = strtoull (value, NULL, 10) * (source->scale != 0 ? source->scale : 1), more;
  const struct stat_source plus = { .file = source->plus };
  if (source->plus != NULL && stats_number (reading, &plus, &more))
    number = more == UINT64_MAX ? more : number + more;
  *ret_number = number;
  return true;
}

/* ---- writing ---------------------------------------------------------------------------------------------------- */

static void
write_number (struct reading *reading, const struct stat_row *row, const struct stat_source *source, const char *name)
{
  uint64_t number = 0;
  bool found = source->file != NULL && reading->hierarchy >= 0 && stats_number (reading, source, &number);
  if (found || row->always)
    json_unsigned (reading->w, name, number);
}

/* The side of ROW that holds on this host, and its hierarchy.  */
static const struct stat_source *
choose_side (struct reading *reading, const struct stat_row *row)
{
  int v1 = row->controller != NULL ? cgroup_v1_index (reading->cgroup->host, row->controller) : CGROUP_NOWHERE;
  reading->hierarchy = v1 >= 0 ? v1 : reading->cgroup->places.v2;
  return v1 >= 0 ? &row->v1 : &row->v2;
}

/* The objects that are open, by name.  */
struct open_objects
{
  const char *names[DEPTH];
  unsigned count;
};

/* Opens and closes objects until those of MEMBER are open; returns its last name.  */
static const char *
enter (struct reading *reading, struct open_objects *open, const char *member)
{
  unsigned depth = 0;
  for (const char *dot; (dot = strchr (member, '.')) != NULL; member = dot + 1, depth++)
    {
      const char *name = arena_strndup (reading->arena, member, (size_t) (dot - member));
      if (depth < open->count && strcmp (open->names[depth], name) == 0)
        continue;
      for (; open->count > depth; open->count--)
        json_object_end (reading->w);
      json_object_begin (reading->w, name);
      open->names[open->count++] = name;
    }
  for (; open->count > depth; open->count--)
    json_object_end (reading->w);
  return member;
}

/* "2MB" for a FILE named "hugetlb.2MB." and ENDING; NULL for any other.  */
static const char *
page_size (struct arena *arena, const char *file, const char *ending)
{
  static const char prefix[] = "hugetlb.";
  if (strncmp (file, prefix, sizeof prefix - 1) != 0)
    return NULL;
  const char *size = file + sizeof prefix - 1, *dot = strchr (size, '.');
  return dot != NULL && strcmp (dot + 1, ending) == 0 ? arena_strndup (arena, size, (size_t) (dot - size)) : NULL;
}

static void
write_page_size (struct reading *reading, const char *size, bool v2)
{
  json_object_begin (reading->w, size);
  for (size_t i = 0; i < sizeof hugetlb_rows / sizeof *hugetlb_rows; i++)
    {
      struct stat_source source = v2 ? hugetlb_rows[i].v2 : hugetlb_rows[i].v1;
      if (source.file != NULL)
        source.file = arena_printf (reading->arena, "hugetlb.%s.%s", size, source.file);
      write_number (reading, &hugetlb_rows[i], &source, hugetlb_rows[i].member);
    }
  json_object_end (reading->w);
}

/* Sizes are what there are files for.  */
static void
write_hugetlb (struct reading *reading)
{
  int v1 = cgroup_v1_index (reading->cgroup->host, "hugetlb");
  const struct stat_source *usage = v1 >= 0 ? &hugetlb_rows[0].v1 : &hugetlb_rows[0].v2;
  reading->hierarchy = v1 >= 0 ? v1 : reading->cgroup->places.v2;
  json_object_begin (reading->w, "hugetlb");
  int dir_fd = reading->hierarchy < 0 ? -1 : cgroup_dir_fd (reading->cgroup, (size_t) reading->hierarchy);
  int list_fd = dir_fd < 0 ? -1 : openat (dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *dir = list_fd < 0 ? NULL : fdopendir (list_fd);
  for (struct dirent *entry; dir != NULL && (entry = readdir (dir)) != NULL;)
    {
      const char *size = page_size (reading->arena, entry->d_name, usage->file);
      if (size != NULL)
        write_page_size (reading, size, v1 < 0);
    }
  if (dir != NULL)
    closedir (dir);
  else
    fd_close (list_fd);
  json_object_end (reading->w);
}

void
cgroup_stats (struct arena *arena, struct cgroup *cgroup, struct json_writer *w)
{
  struct reading reading = { .cgroup = cgroup, .arena = arena, .w = w, .text = arena_alloc (arena, TEXT_SIZE) };
  struct open_objects open = { .count = 0 };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    {
      const char *name = enter (&reading, &open, rows[i].member);
      const struct stat_source *source = choose_side (&reading, &rows[i]);
      if (rows[i].write == NULL)
        write_number (&reading, &rows[i], source, name);
      else if (source->file != NULL && reading.hierarchy >= 0)
        rows[i].write (&reading, source, name);
    }
  for (; open.count > 0; open.count--)
    json_object_end (w);
  write_hugetlb (&reading);
}
