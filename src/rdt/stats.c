/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a container's group of resctrl may use and uses, as the members that `runc events` has.  */
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/json.h"
#include "rdt/rdt.h"

#define FILE_MAX (64 * 1024)

/* What the machine can do: files below info, and the members they become.  */
static const struct
{
  const char *object, *file, *member;
  bool text;
} infos[] = {
  { "l3_cache_info", "L3/cbm_mask", "cbm_mask", true },
  { "l3_cache_info", "L3/min_cbm_bits", "min_cbm_bits", false },
  { "l3_cache_info", "L3/num_closids", "num_closids", false },
  { "mem_bw_info", "MB/bandwidth_gran", "bandwidth_gran", false },
  { "mem_bw_info", "MB/delay_linear", "delay_linear", false },
  { "mem_bw_info", "MB/min_bandwidth", "min_bandwidth", false },
  { "mem_bw_info", "MB/num_closids", "num_closids", false },
};

/* The first line of PATH, or NULL.  */
static const char *
read_line (struct arena *arena, const char *path)
{
  char text[256];
  if (fd_read_file_at (AT_FDCWD, path, text, sizeof text) < 0)
    return NULL;
  text[strcspn (text, "\n")] = '\0';
  return arena_strdup (arena, text);
}

static void
write_infos (struct arena *arena, const char *root, struct json_writer *w)
{
  const char *open = NULL;
  for (size_t i = 0; i < sizeof infos / sizeof *infos; i++)
    {
      const char *line = read_line (arena, arena_printf (arena, "%s/info/%s", root, infos[i].file));
      if (line == NULL)
        continue;
      if (open != NULL && strcmp (open, infos[i].object) != 0)
        json_object_end (w);
      if (open == NULL || strcmp (open, infos[i].object) != 0)
        json_object_begin (w, open = infos[i].object);
      if (infos[i].text)
        json_string (w, infos[i].member, line);
      else
        json_unsigned (w, infos[i].member, strtoull (line, NULL, 10));
    }
  if (open != NULL)
    json_object_end (w);
}

/* The lines for L3 and MB of the schemata of DIRECTORY.  */
static void
write_schemata (struct arena *arena, const char *directory, const char *l3, const char *mb, struct json_writer *w)
{
  char *text = arena_alloc (arena, FILE_MAX);
  if (fd_read_file_at (AT_FDCWD, arena_printf (arena, "%s/schemata", directory), text, FILE_MAX) < 0)
    return;
  for (char *line; (line = strsep (&text, "\n")) != NULL;)
    {
      line += strspn (line, " ");
      if (strncmp (line, "L3:", 3) == 0)
        json_string (w, l3, line);
      else if (strncmp (line, "MB:", 3) == 0)
        json_string (w, mb, line);
    }
}

/* An element of MEMBER for each domain below DIRECTORY/mon_data, with the COUNT files NAMES.  */
static void
write_monitor (struct arena *arena, const char *directory, const char *member, const char *const *names, size_t count,
               struct json_writer *w)
{
  const char *path = arena_printf (arena, "%s/mon_data", directory);
  DIR *dir = opendir (path);
  if (dir == NULL)
    return;
  json_array_begin (w, member);
  for (struct dirent *entry; (entry = readdir (dir)) != NULL;)
    {
      if (strncmp (entry->d_name, "mon_L3_", 7) != 0)
        continue;
      json_object_begin (w, NULL);
      for (size_t i = 0; i < count; i++)
        {
          const char *line = read_line (arena, arena_printf (arena, "%s/%s/%s", path, entry->d_name, names[i]));
          if (line != NULL)
            json_unsigned (w, names[i], strtoull (line, NULL, 10));
        }
      json_object_end (w);
    }
  json_array_end (w);
  closedir (dir);
}

void
rdt_stats (struct arena *arena, const struct rdt_record *record, struct json_writer *w)
{
  static const char *const bandwidth[] = { "mbm_total_bytes", "mbm_local_bytes" }, *const cache[] = { "llc_occupancy" };
  if (record->group == NULL)
    return;
  const char *root = arena_strndup (arena, record->group, (size_t) (strrchr (record->group, '/') - record->group));
  const char *monitor = record->monitor != NULL ? record->monitor : record->group;
  write_infos (arena, root, w);
  write_schemata (arena, root, "l3_cache_schema_root", "mem_bw_schema_root", w);
  write_schemata (arena, record->group, "l3_cache_schema", "mem_bw_schema", w);
  write_monitor (arena, monitor, "mbm_stats", bandwidth, sizeof bandwidth / sizeof *bandwidth, w);
  write_monitor (arena, monitor, "cmt_stats", cache, sizeof cache / sizeof *cache, w);
}
