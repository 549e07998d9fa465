/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* thole update.  Options become the JSON that --resources reads, so there is one way to check and apply them.  */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "base/strbuf.h"
#include "cli/command.h"
#include "cli/output.h"
#include "spec/spec.h"

/* Limits that have an option, those of one group together.  */
enum limit
{
  MEMORY,
  MEMORY_RESERVATION,
  MEMORY_SWAP,
  KERNEL_MEMORY,
  KERNEL_MEMORY_TCP,
  CPU_SHARE,
  CPU_PERIOD,
  CPU_QUOTA,
  CPU_BURST,
  CPU_IDLE,
  CPU_RT_PERIOD,
  CPU_RT_RUNTIME,
  CPUSET_CPUS,
  CPUSET_MEMS,
  BLKIO_WEIGHT,
  PIDS_LIMIT,
  LIMITS,
};

enum limit_kind
{
  LIMIT_NUMBER,
  LIMIT_BYTES, /* with a unit: 50M */
  LIMIT_TEXT,
};

static const struct
{
  const char *group, *member;
  enum limit_kind kind;
} limits[LIMITS] = {
  [MEMORY] = { "memory", "limit", LIMIT_BYTES },
  [MEMORY_RESERVATION] = { "memory", "reservation", LIMIT_BYTES },
  [MEMORY_SWAP] = { "memory", "swap", LIMIT_BYTES },
  [KERNEL_MEMORY] = { "memory", "kernel", LIMIT_BYTES },
  [KERNEL_MEMORY_TCP] = { "memory", "kernelTCP", LIMIT_BYTES },
  [CPU_SHARE] = { "cpu", "shares", LIMIT_NUMBER },
  [CPU_PERIOD] = { "cpu", "period", LIMIT_NUMBER },
  [CPU_QUOTA] = { "cpu", "quota", LIMIT_NUMBER },
  [CPU_BURST] = { "cpu", "burst", LIMIT_NUMBER },
  [CPU_IDLE] = { "cpu", "idle", LIMIT_NUMBER },
  [CPU_RT_PERIOD] = { "cpu", "realtimePeriod", LIMIT_NUMBER },
  [CPU_RT_RUNTIME] = { "cpu", "realtimeRuntime", LIMIT_NUMBER },
  [CPUSET_CPUS] = { "cpu", "cpus", LIMIT_TEXT },
  [CPUSET_MEMS] = { "cpu", "mems", LIMIT_TEXT },
  [BLKIO_WEIGHT] = { "blockIO", "weight", LIMIT_NUMBER },
  [PIDS_LIMIT] = { "pids", "limit", LIMIT_NUMBER },
};

struct update_values
{
  const char *limits[LIMITS]; /* as they were given */
  const char *resources, *l3_cache_schema, *mem_bw_schema;
};

#define LIMIT(limit_, name_, argument_, help_)                                                                         \
  [limit_] = STRING (update_values, limits[limit_], name_, 0, argument_, help_)

static const struct option rows[] = {
  LIMIT (MEMORY, "memory", "BYTES", "limit of memory"),
  LIMIT (MEMORY_RESERVATION, "memory-reservation", "BYTES", "memory that is taken from it last"),
  LIMIT (MEMORY_SWAP, "memory-swap", "BYTES", "limit of memory and swap together"),
  LIMIT (KERNEL_MEMORY, "kernel-memory", "BYTES", "memory of the kernel (cgroup v1)"),
  LIMIT (KERNEL_MEMORY_TCP, "kernel-memory-tcp", "BYTES", "buffers of TCP (cgroup v1)"),
  LIMIT (CPU_SHARE, "cpu-share", "N", "weight against others, 2 to 262144"),
  LIMIT (CPU_PERIOD, "cpu-period", "USEC", "the time in which a quota holds"),
  LIMIT (CPU_QUOTA, "cpu-quota", "USEC", "processor time in a period"),
  LIMIT (CPU_BURST, "cpu-burst", "USEC", "what of it may be saved for later"),
  LIMIT (CPU_IDLE, "cpu-idle", "0|1", "1: runs only when nothing else does"),
  LIMIT (CPU_RT_PERIOD, "cpu-rt-period", "USEC", "the same for realtime programs (cgroup v1)"),
  LIMIT (CPU_RT_RUNTIME, "cpu-rt-runtime", "USEC", "the same for realtime programs (cgroup v1)"),
  LIMIT (CPUSET_CPUS, "cpuset-cpus", "LIST", "processors: 0-3,7"),
  LIMIT (CPUSET_MEMS, "cpuset-mems", "LIST", "memory nodes"),
  LIMIT (BLKIO_WEIGHT, "blkio-weight", "N", "weight of block IO, 10 to 1000"),
  LIMIT (PIDS_LIMIT, "pids-limit", "N", "processes at most"),
  STRING (update_values, resources, "resources", 'r', "FILE",
          "linux.resources as JSON; -: standard input; instead of all above"),
  STRING (update_values, l3_cache_schema, "l3-cache-schema", 0, "TEXT", "share of the L3 cache: L3:0=f"),
  STRING (update_values, mem_bw_schema, "mem-bw-schema", 0, "TEXT", "share of memory bandwidth: MB:0=20"),
};

/* ---- options to JSON -------------------------------------------------------------------------------------------- */

/* "-1", "67108864", "64M", "64MiB", "1.5g" as a number of bytes.  */
static bool
parse_bytes (const char *text, int64_t *ret_bytes)
{
  static const char units[] = "kmgtp";
  char *end;
  if (strcmp (text, "-1") == 0)
    {
      *ret_bytes = -1;
      return true;
    }
  if (*text < '0' || *text > '9')
    return false;
  long double number = strtold (text, &end);
  if (strspn (text, "0123456789.") != (size_t) (end - text)) /* 0x10, 1e3 */
    return false;
  const char *unit = *end == '\0' ? NULL : strchr (units, *end | ('a' ^ 'A'));
  if (unit != NULL)
    {
      number *= (long double) (UINT64_C (1) << (10 * (unit - units + 1)));
      end += end[1] == 'i' ? 2 : 1;
    }
  if (*end == 'b' || *end == 'B')
    end++;
  if (*end != '\0' || number >= (long double) INT64_MAX)
    return false;
  *ret_bytes = (int64_t) number;
  return true;
}

/* As JSON has numbers: without zeros before them.  */
static bool
is_number (const char *text)
{
  text += *text == '-';
  return *text != '\0' && text[strspn (text, "0123456789")] == '\0' && (*text != '0' || text[1] == '\0');
}

static int
write_limit (struct json_writer *w, enum limit limit, const char *text, struct error *err)
{
  int64_t bytes;
  switch (limits[limit].kind)
    {
    case LIMIT_BYTES:
      if (!parse_bytes (text, &bytes))
        return error_set (err, EINVAL, "--%s takes a size such as 50M, or -1, not '%s'", rows[limit].name, text);
      json_integer (w, limits[limit].member, bytes);
      return 0;
    case LIMIT_NUMBER:
      if (!is_number (text))
        return error_set (err, EINVAL, "--%s takes a number, not '%s'", rows[limit].name, text);
      json_raw (w, limits[limit].member, text);
      return 0;
    default:
      json_string (w, limits[limit].member, text);
      return 0;
    }
}

/* *RET_TEXT is NULL if VALUES has no limits.  */
static int
write_limits (const struct update_values *values, struct strbuf *out, const char **ret_text, struct error *err)
{
  struct json_writer w = { .out = out };
  const char *open = NULL;
  *ret_text = NULL;
  json_object_begin (&w, NULL);
  for (size_t i = 0; i < LIMITS; i++)
    {
      if (values->limits[i] == NULL)
        continue;
      if (open != NULL && strcmp (open, limits[i].group) != 0)
        json_object_end (&w);
      if (open == NULL || strcmp (open, limits[i].group) != 0)
        json_object_begin (&w, open = limits[i].group);
      int r = write_limit (&w, (enum limit) i, values->limits[i], err);
      if (r < 0)
        return r;
    }
  if (open == NULL)
    return 0;
  json_object_end (&w);
  json_object_end (&w);
  *ret_text = strbuf_text (out);
  return 0;
}

/* ---- a file ----------------------------------------------------------------------------------------------------- */

static int
read_resources (struct arena *arena, const struct update_values *values, struct thole_update_options *options,
                struct error *err)
{
  size_t size;
  bool standard_input = strcmp (values->resources, "-") == 0;
  options->resources_name = standard_input ? "standard input" : values->resources;
  for (size_t i = 0; i < LIMITS; i++)
    if (values->limits[i] != NULL)
      return error_set (err, EINVAL, "--%s and --resources cannot be given together", rows[i].name);
  int r = standard_input
              ? spec_read_fd (arena, STDIN_FILENO, options->resources_name, &options->resources, &size, err)
              : spec_read_file (arena, AT_FDCWD, values->resources, values->resources, &options->resources, &size, err);
  if (r == 0 && strlen (options->resources) != size)
    return error_set (err, EINVAL, "%s: not JSON: a NUL byte", options->resources_name);
  return r;
}

static int
run (const struct invocation *invocation)
{
  const struct update_values *values = invocation->values;
  const char *id = invocation->operands[0];
  ARENA_CLEANUP struct arena arena = { 0 };
  struct strbuf out = STRBUF_INIT (&arena);
  struct error err = { 0 };
  struct thole_update_options options = {
    .size = sizeof options,
    .l3_cache_schema = values->l3_cache_schema,
    .mem_bw_schema = values->mem_bw_schema,
  };
  int r = values->resources != NULL ? read_resources (&arena, values, &options, &err)
                                    : write_limits (values, &out, &options.resources, &err);
  if (r < 0)
    {
      output_record ("update", &err);
      return 1;
    }
  return thole_update (invocation->thole, id, &options, invocation->error) < 0 ? command_failed (invocation, id) : 0;
}

const struct command command_update = {
  .name = "update",
  .operands = "container",
  .summary = "change limits of a container",
  .details = "What is not named stays.  BYTES may have a unit (50M); -1 is no limit.\n",
  .options = OPTIONS (rows),
  .values_size = sizeof (struct update_values),
  .run = run,
};
