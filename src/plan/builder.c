/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan/builder.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"

#define FIRST_OPS 96
#define FIRST_DATA 4096

/* Doubles an array of the arena until it has room for NEEDED items.  */
static void *
grow (struct plan_builder *b, void *items, size_t size, size_t used, size_t needed, size_t *capacity, size_t first)
{
  void *larger;

  if (needed <= *capacity)
    return items;
  if (!*capacity)
    *capacity = first;
  while (*capacity < needed)
    *capacity *= 2;
  larger = arena_alloc_array (b->arena, *capacity, size);
  if (used)
    memcpy (larger, items, used * size);
  return larger;
}

struct plan_op *
plan_add_of (struct plan_builder *b, enum plan_code code, struct plan_origin origin)
{
  size_t capacity = b->capacity;
  struct plan_op *op;

  b->ops = grow (b, b->ops, sizeof *b->ops, b->count, b->count + 1, &capacity, FIRST_OPS);
  b->origins = grow (b, b->origins, sizeof *b->origins, b->count, b->count + 1, &b->capacity, FIRST_OPS);
  op = &b->ops[b->count];
  b->origins[b->count++] = origin;
  op->code = code;
  return op;
}

void
plan_add_text_of (struct plan_builder *b, enum plan_code code, struct plan_origin origin, const char *text)
{
  plan_ref ref = plan_string (b, text);

  plan_add_of (b, code, origin)->text.text = ref;
}

plan_ref
plan_bytes (struct plan_builder *b, const void *bytes, size_t size, size_t align)
{
  size_t start = (b->data_length + align - 1) / align * align;

  b->data = grow (b, b->data, 1, b->data_length, start + size, &b->data_capacity, FIRST_DATA);
  if (size)
    memcpy (b->data + start, bytes, size);
  b->data_length = start + size;
  return (plan_ref) (sizeof (struct plan_header) + start);
}

plan_ref
plan_string (struct plan_builder *b, const char *text)
{
  return text ? plan_bytes (b, text, strlen (text) + 1, 1) : 0;
}

struct plan_strings
plan_vector (struct plan_builder *b, const char *const *items, size_t count)
{
  /* Two slots more: the terminator, and one that init may fill (HOME).  */
  uintptr_t *slots = arena_array (b->arena, uintptr_t, count + 2);

  for (size_t i = 0; i < count; i++)
    slots[i] = plan_string (b, items[i]);
  return (struct plan_strings){ .first = plan_bytes (b, slots, (count + 2) * sizeof *slots, sizeof *slots),
                                .count = (uint32_t) count };
}

uint32_t
plan_open (struct plan_builder *b, struct plan_open what)
{
  struct plan *plan = b->plan;

  plan->opens
      = grow (b, plan->opens, sizeof *plan->opens, plan->open_count, plan->open_count + 1, &b->open_capacity, 8);
  plan->opens[plan->open_count] = what;
  return PLAN_FD_OPENED + (uint32_t) plan->open_count++;
}

int
plan_check_size (struct plan_builder *b)
{
  if (b->data_length + b->count * sizeof *b->ops <= PLAN_SIZE_MAX)
    return 0;
  return error_set (b->err, E2BIG, "what the configuration asks for is more than %u MiB", PLAN_SIZE_MAX >> 20);
}

void
plan_finish (struct plan_builder *b)
{
  uint32_t fd_count = PLAN_FD_OPENED + (uint32_t) b->plan->open_count;
  int32_t *fds = arena_array (b->arena, int32_t, fd_count);
  plan_ref ops = plan_bytes (b, b->ops, b->count * sizeof *b->ops, _Alignof(struct plan_op));
  plan_ref fds_ref = plan_bytes (b, fds, fd_count * sizeof *fds, sizeof *fds);
  size_t size = sizeof (struct plan_header) + b->data_length;
  struct plan_header *header = arena_alloc (b->arena, size);

  *header = (struct plan_header){
    .magic = PLAN_MAGIC,
    .version = PLAN_VERSION,
    .size = (uint32_t) size,
    .count = (uint32_t) b->count,
    .ops = ops,
    .fds = fds_ref,
    .fd_count = fd_count,
    .preserved = b->facts->preserved,
  };
  memcpy (header + 1, b->data, b->data_length);
  b->plan->header = header;
  b->plan->origins = b->origins;
}

int
plan_refuse_of (struct plan_builder *b, const void *value, size_t size, const char *format, ...)
{
  va_list args;
  const char *text;

  va_start (args, format);
  text = arena_vprintf (b->arena, format, args);
  va_end (args);
  return error_set (b->err, EINVAL, "%s: %s", spec_where_of (b->arena, b->spec, value, size), text);
}
