/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The words in which the tables of schema.c and schema_linux.c are written.
 *
 *     STRING (spec_mount, destination, "destination", .required = true),
 *
 * says: the JSON member "destination" is a string and goes to the member `destination` of struct spec_mount.  A kind
 * that does not fit the C type of the member does not compile.  */
#pragma once

#include <stdint.h>

#include "spec/names.h"
#include "spec/schema.h"
#include "spec/spec.h"

/* offsetof, when the member has the TYPE wanted; else an array of negative size.  */
#define OFFSET_AS(structure, member, type)                                                                             \
  (offsetof (struct structure, member)                                                                                 \
   + 0 * sizeof (char[__builtin_types_compatible_p (__typeof__ (((struct structure *) 0)->member), type) ? 1 : -1]))

/* offsetof of a { TYPE *items; size_t count; }.  */
#define OFFSET_LIST(structure, member, type)                                                                           \
  (OFFSET_AS (structure, member.items, type *) - SCHEMA_LIST_ITEMS                                                     \
   + 0                                                                                                                 \
         * sizeof (char[offsetof (struct structure, member.count) - offsetof (struct structure, member.items)          \
                                == SCHEMA_LIST_COUNT                                                                   \
                            ? 1                                                                                        \
                            : -1]))

#define ROW(json, kind_, shape_, offset_, ...)                                                                         \
  {                                                                                                                    \
    .name = json, .length = sizeof json - 1, .kind = kind_, .shape = shape_, .offset = offset_, ##__VA_ARGS__          \
  }

#define STRING(structure, member, json, ...)                                                                           \
  ROW (json, SCHEMA_STRING, SCHEMA_ONE, OFFSET_AS (structure, member, const char *), ##__VA_ARGS__)
#define BOOL(structure, member, json, ...)                                                                             \
  ROW (json, SCHEMA_BOOL, SCHEMA_ONE, OFFSET_AS (structure, member, struct spec_bool), ##__VA_ARGS__)
#define INT(structure, member, json, min_, max_, ...)                                                                  \
  ROW (json, SCHEMA_INT, SCHEMA_ONE, OFFSET_AS (structure, member, struct spec_int), .min = min_, .max = max_,         \
       ##__VA_ARGS__)
#define INT64(structure, member, json, ...) INT (structure, member, json, INT64_MIN, INT64_MAX, ##__VA_ARGS__)
#define UINT(structure, member, json, max_, ...)                                                                       \
  ROW (json, SCHEMA_UINT, SCHEMA_ONE, OFFSET_AS (structure, member, struct spec_uint), .max = max_, ##__VA_ARGS__)
#define UINT64(structure, member, json, ...) UINT (structure, member, json, UINT64_MAX, ##__VA_ARGS__)
#define UINT32(structure, member, json, ...) UINT (structure, member, json, UINT32_MAX, ##__VA_ARGS__)
#define WORD(structure, member, json, names_, ...)                                                                     \
  ROW (json, SCHEMA_WORD, SCHEMA_ONE, OFFSET_AS (structure, member, struct spec_int), .names = &names_, ##__VA_ARGS__)
#define OBJECT(structure, member, json, type, table_, ...)                                                             \
  ROW (json, SCHEMA_OBJECT, SCHEMA_ONE, OFFSET_AS (structure, member, struct type *), .table = &table_, ##__VA_ARGS__)
#define OBJECT_INLINE(structure, member, json, type, table_)                                                           \
  ROW (json, SCHEMA_OBJECT, SCHEMA_ONE, OFFSET_AS (structure, member, struct type), .table = &table_, .is_inline = true)

#define STRINGS(structure, member, json, ...)                                                                          \
  ROW (json, SCHEMA_STRING, SCHEMA_LIST, OFFSET_LIST (structure, member, const char *), ##__VA_ARGS__)
#define UINTS(structure, member, json, max_)                                                                           \
  ROW (json, SCHEMA_UINT, SCHEMA_LIST, OFFSET_LIST (structure, member, uint64_t), .max = max_)
#define WORDS(structure, member, json, names_)                                                                         \
  ROW (json, SCHEMA_WORD, SCHEMA_LIST, OFFSET_LIST (structure, member, uint64_t), .names = &names_)
#define OBJECTS(structure, member, json, type, table_)                                                                 \
  ROW (json, SCHEMA_OBJECT, SCHEMA_LIST, OFFSET_LIST (structure, member, struct type), .table = &table_)
#define FLAGS(structure, member, json, names_)                                                                         \
  ROW (json, SCHEMA_WORD, SCHEMA_SET, OFFSET_AS (structure, member, struct spec_uint), .names = &names_)
#define STRING_MAP(structure, member, json)                                                                            \
  ROW (json, SCHEMA_STRING, SCHEMA_MAP, OFFSET_LIST (structure, member, struct spec_pair))
#define OBJECT_MAP(structure, member, json, type, table_)                                                              \
  ROW (json, SCHEMA_OBJECT, SCHEMA_MAP,                                                                                \
       OFFSET_LIST (structure, member, struct type) + 0 * OFFSET_AS (type, key, const char *)                          \
           + 0 * sizeof (char[offsetof (struct type, key) == 0 ? 1 : -1]),                                             \
       .table = &table_)
#define OTHER_PLATFORM(json) ROW (json, SCHEMA_OBJECT, SCHEMA_IGNORE, 0)

#define TABLE(rows_, structure)                                                                                        \
  {                                                                                                                    \
    .rows = rows_, .size = sizeof (struct structure),                                                                  \
    .count                                                                                                             \
        = sizeof rows_ / sizeof *rows_ + 0 * sizeof (char[sizeof rows_ / sizeof *rows_ <= SCHEMA_ROWS_MAX ? 1 : -1])   \
  }

/* The highest user or group id: (uid_t) -1 means "no change" to the kernel.  */
#define ID_MAX (UINT32_MAX - 1)

/* What a dev_t of the kernel holds: 12 and 20 bits.  */
#define MAJOR_MAX 0xfff
#define MINOR_MAX 0xfffff
