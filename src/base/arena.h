/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory that lives as long as the invocation.
 *
 * One arena serves a command: what is decoded, planned and formatted is taken from it and given back in one stroke.
 * Allocation never returns NULL: a runtime that cannot get a few kilobytes aborts (the arena is small and bounded by
 * the 16 MiB limit on the config).  A loop that waits must not allocate.  */
#pragma once

#include <stdarg.h>
#include <stddef.h>

struct arena
{
  struct arena_block *blocks; /* newest first */
  char *next, *end;           /* free room in the newest block */
};

/* Frees all blocks; the arena is empty and usable again.  NULL is fine.  */
void arena_free (struct arena *arena);

/* SIZE zeroed bytes aligned for any type.  */
void *arena_alloc (struct arena *arena, size_t size) __attribute__ ((malloc, alloc_size (2), returns_nonnull));

/* COUNT zeroed objects of TYPE.  Overflow aborts.  */
#define arena_new(arena, type) ((type *) arena_alloc ((arena), sizeof (type)))
#define arena_array(arena, type, count) ((type *) arena_alloc_array ((arena), (count), sizeof (type)))
void *arena_alloc_array (struct arena *arena, size_t count, size_t size) __attribute__ ((returns_nonnull));

/* Copies of strings, NUL-terminated.  */
char *arena_strdup (struct arena *arena, const char *text) __attribute__ ((returns_nonnull));
char *arena_strndup (struct arena *arena, const char *text, size_t length) __attribute__ ((returns_nonnull));
char *arena_printf (struct arena *arena, const char *format, ...)
    __attribute__ ((format (printf, 2, 3), returns_nonnull));
char *arena_vprintf (struct arena *arena, const char *format, va_list args)
    __attribute__ ((format (printf, 2, 0), nonnull (2), returns_nonnull));

#define ARENA_CLEANUP __attribute__ ((cleanup (arena_free)))
