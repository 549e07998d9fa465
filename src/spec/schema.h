/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The shape of the config as data: a table for each JSON object, a row for each of its members.
 *
 * decode.c fills structs by these rows and where.c walks them backwards, from an address to a JSON path.  A row says
 * what the schema says of a single value (type, range, words, presence); rules about several values are in validate.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct names;

enum schema_kind
{
  SCHEMA_STRING, /* const char * */
  SCHEMA_BOOL,   /* struct spec_bool */
  SCHEMA_INT,    /* struct spec_int */
  SCHEMA_UINT,   /* struct spec_uint; uint64_t in a list */
  SCHEMA_WORD,   /* a word of NAMES: struct spec_int; uint64_t in a list; or-ed into a struct spec_uint by SCHEMA_SET */
  SCHEMA_OBJECT, /* a struct described by TABLE: a pointer to it; the struct itself when INLINE, in a list or in a map
                  */
};

/* What surrounds values of the kind.  */
enum schema_shape
{
  SCHEMA_ONE,
  SCHEMA_LIST,   /* a JSON array: {items, count} */
  SCHEMA_SET,    /* a JSON array of words, or-ed together */
  SCHEMA_MAP,    /* a JSON object with free names: {items, count}, the name is the first member of an item */
  SCHEMA_IGNORE, /* the section of another platform: known, skipped */
};

struct schema_row
{
  const char *name;
  uint8_t length; /* of the name */
  uint8_t kind;   /* enum schema_kind */
  uint8_t shape;  /* enum schema_shape */
  bool required;
  bool is_inline;
  uint16_t offset;
  int64_t min; /* of integers */
  uint64_t max;
  const struct names *names;
  const struct schema_table *table;
};

struct schema_table
{
  const struct schema_row *rows;
  uint8_t count;
  uint16_t size; /* of the struct */
};

/* More members than an object's table may have: presence is noted in a bit mask.  */
#define SCHEMA_ROWS_MAX 32

/* As deep as a value can be nested in known members (linux.seccomp.syscalls[0].args[0].value has 7 steps).  */
#define SCHEMA_DEPTH_MAX 12

/* What a list and a map are in memory: { type *items; size_t count; }.  */
#define SCHEMA_LIST_ITEMS 0
#define SCHEMA_LIST_COUNT sizeof (void *)

/* Bytes of an item of the list or map ROW.  */
size_t schema_item_size (const struct schema_row *row);

extern const struct schema_table schema_config;    /* struct spec */
extern const struct schema_table schema_process;   /* struct spec_process */
extern const struct schema_table schema_linux;     /* struct spec_linux */
extern const struct schema_table schema_hooks;     /* struct spec_hooks */
extern const struct schema_table schema_resources; /* struct spec_resources */
extern const struct schema_table schema_id_mapping;

/* One step on the way from the root to a value: a member, or an item of a list or map.  */
struct schema_step
{
  const struct schema_row *row; /* the member; NULL: an item */
  const char *key;              /* the item's name in a map, else NULL */
  size_t index;                 /* the item's */
};

struct schema_path
{
  struct schema_step steps[SCHEMA_DEPTH_MAX];
  size_t count;
};
