/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A bump allocator over large anonymous mappings.
 *
 * mmap(2) rather than malloc(3): one system call instead of brk's two, the pages come zeroed, and those that are never
 * touched cost nothing, so the first block can be large enough that there is no second one.  Built with
 * AddressSanitizer, what was not handed out is poisoned, with a gap after every object.  */
#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#if defined __SANITIZE_ADDRESS__
#define ARENA_POISON 1
#elif defined __has_feature
#if __has_feature(address_sanitizer)
#define ARENA_POISON 1
#endif
#endif

#ifdef ARENA_POISON
#include <sanitizer/asan_interface.h>
enum
{
  GAP = 16
};
#else
#define ASAN_POISON_MEMORY_REGION(address, size) ((void) (address), (void) (size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void) (address), (void) (size))
enum
{
  GAP = 0
};
#endif

enum
{
  BLOCK_SIZE = 256 * 1024,
  ALIGNMENT = alignof (max_align_t),
};

struct arena_block
{
  alignas (max_align_t) struct arena_block *older;
  size_t size; /* of the mapping, this header included */
};

void
arena_free (struct arena *arena)
{
  if (arena == NULL)
    return;
  while (arena->blocks != NULL)
    {
      struct arena_block *block = arena->blocks;
      arena->blocks = block->older;
      ASAN_UNPOISON_MEMORY_REGION (block, block->size);
      munmap (block, block->size);
    }
  arena->next = arena->end = NULL;
}

static size_t
round_up (size_t size, size_t unit)
{
  return (size + unit - 1) / unit * unit;
}

/* A new newest block with room for SIZE bytes.  Blocks double, so a large config costs few of them.  */
static void
arena_grow (struct arena *arena, size_t size)
{
  size_t wanted = arena->blocks == NULL ? BLOCK_SIZE : 2 * arena->blocks->size;
  if (size > PTRDIFF_MAX / 2)
    abort ();
  if (wanted < size + sizeof (struct arena_block))
    wanted = round_up (size + sizeof (struct arena_block), BLOCK_SIZE);

  struct arena_block *block = mmap (NULL, wanted, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (block == MAP_FAILED)
    abort ();
  block->older = arena->blocks;
  block->size = wanted;
  arena->blocks = block;
  arena->next = (char *) (block + 1);
  arena->end = (char *) block + wanted;
  ASAN_POISON_MEMORY_REGION (arena->next, (size_t) (arena->end - arena->next));
}

void *
arena_alloc (struct arena *arena, size_t size)
{
  if (size > PTRDIFF_MAX / 2)
    abort ();
  size_t taken = round_up (size > 0 ? size : 1, ALIGNMENT) + GAP; /* even nothing has an address */
  if (taken > (size_t) (arena->end - arena->next))
    arena_grow (arena, taken);
  void *memory = arena->next;
  arena->next += taken;
  ASAN_UNPOISON_MEMORY_REGION (memory, size);
  return memory;
}

void *
arena_alloc_array (struct arena *arena, size_t count, size_t size)
{
  size_t total;
  if (__builtin_mul_overflow (count, size, &total))
    abort ();
  return arena_alloc (arena, total);
}

char *
arena_strndup (struct arena *arena, const char *text, size_t length)
{
  char *copy = arena_alloc (arena, length + 1);
  memcpy (copy, text, length);
  return copy; /* fresh memory is zero: terminated */
}

char *
arena_strdup (struct arena *arena, const char *text)
{
  return arena_strndup (arena, text, strlen (text));
}

char *
arena_vprintf (struct arena *arena, const char *format, va_list args)
{
  va_list again;
  va_copy (again, args);
  int length = vsnprintf (NULL, 0, format, again);
  va_end (again);
  if (length < 0)
    abort ();
  char *text = arena_alloc (arena, (size_t) length + 1);
  vsnprintf (text, (size_t) length + 1, format, args);
  return text;
}

char *
arena_printf (struct arena *arena, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  char *text = arena_vprintf (arena, format, args);
  va_end (args);
  return text;
}
