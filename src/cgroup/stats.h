/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The inside of the statistics: where a figure stands, and the functions that write it as JSON.  */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/json.h"

struct cgroup;

/* Where a figure stands on one kind of hierarchy.  */
struct stat_source
{
  const char *file;  /* NULL: this kind does not have it.  Lists of devices: several, the first that has some */
  const char *key;   /* the first word of its line; NULL: the file's first line.  Of io.stat: "rbytes=Read ..." */
  uint64_t scale;    /* 0: 1 */
  unsigned column;   /* of a table */
  const char *plus;  /* another file, whose number is added */
  bool zero_is_none; /* "max" becomes 0, not the largest number */
};

/* What is being read for whom.  */
struct reading
{
  struct cgroup *cgroup;
  struct arena *arena;
  struct json_writer *w;
  int hierarchy;    /* of the row at hand */
  char *text;       /* of the file that was read last ... */
  int text_of;      /* ... in this hierarchy ... */
  const char *file; /* ... with this name; NULL: there is none */
};

/* The text of FILE in the hierarchy at hand, until the next is read; NULL if there is none.  */
const char *stats_read (struct reading *reading, const char *file);

/* What stands at SOURCE; false if nothing does.  */
bool stats_number (struct reading *reading, const struct stat_source *source, uint64_t *ret_number);

/* Each writes what it finds at SOURCE as the member NAME, or nothing (stats_lists.c).  */
void stats_write_signed (struct reading *reading, const struct stat_source *source, const char *name);
void stats_write_words (struct reading *reading, const struct stat_source *source, const char *name);
void stats_write_column (struct reading *reading, const struct stat_source *source, const char *name);
void stats_write_ranges (struct reading *reading, const struct stat_source *source, const char *name);
void stats_write_map (struct reading *reading, const struct stat_source *source, const char *name);
void stats_write_devices (struct reading *reading, const struct stat_source *source, const char *name);
void stats_write_io (struct reading *reading, const struct stat_source *source, const char *name);
void stats_write_pressure (struct reading *reading, const struct stat_source *source, const char *name);
