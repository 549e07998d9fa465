/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From the address of a decoded value to its JSON path and its place in the text.  */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/strbuf.h"
#include "spec/source.h"

/* What is looked for: address and size, because a struct and its first member share the address.  SIZE 1 is a `char`,
 * then a string itself is meant, or a `void`, then the outermost value at the address.  */
struct wanted
{
  const char *address;
  size_t size;
};

static bool find_object (const struct schema_table *table, const char *base, const struct wanted *wanted,
                         struct schema_path *path);

static size_t
member_size (const struct schema_row *row)
{
  if (row->shape == SCHEMA_LIST || row->shape == SCHEMA_MAP)
    return sizeof (void *) + sizeof (size_t);
  if (row->shape == SCHEMA_SET)
    return sizeof (struct spec_uint);
  switch (row->kind)
    {
    case SCHEMA_STRING:
      return sizeof (const char *);
    case SCHEMA_BOOL:
      return sizeof (struct spec_bool);
    case SCHEMA_UINT:
      return sizeof (struct spec_uint);
    case SCHEMA_OBJECT:
      return row->is_inline ? row->table->size : sizeof (void *);
    default:
      return sizeof (struct spec_int);
    }
}

static bool
matches (const struct wanted *wanted, const char *address, size_t size)
{
  return wanted->address == address && (wanted->size == size || wanted->size == 1);
}

/* Is the pointer at ADDRESS the string that is wanted?  */
static bool
matches_string (const struct wanted *wanted, const char *address)
{
  const char *string;
  memcpy (&string, address, sizeof string);
  return wanted->size == 1 && wanted->address == string;
}

static bool
find_item (const struct schema_row *row, const char *item, const struct wanted *wanted, struct schema_path *path)
{
  if (matches (wanted, item, schema_item_size (row)))
    return true;
  if (row->kind == SCHEMA_OBJECT)
    return find_object (row->table, item, wanted, path);
  if (row->shape == SCHEMA_MAP)
    item += offsetof (struct spec_pair, value);
  return matches (wanted, item, sizeof (const char *)) || (row->kind == SCHEMA_STRING && matches_string (wanted, item));
}

static bool
find_in_list (const struct schema_row *row, const char *list, const struct wanted *wanted, struct schema_path *path)
{
  const char *items;
  size_t count, size = schema_item_size (row);
  memcpy (&items, list + SCHEMA_LIST_ITEMS, sizeof items);
  memcpy (&count, list + SCHEMA_LIST_COUNT, sizeof count);
  if (count == 0)
    return false;

  /* Items that own nothing need no visit unless they are at the address.  */
  bool inside = wanted->address >= items && wanted->address < items + count * size;
  if (!inside && row->kind != SCHEMA_OBJECT && wanted->size != 1)
    return false;
  size_t first = inside ? (size_t) (wanted->address - items) / size : 0;
  size_t end = inside ? first + 1 : count;

  struct schema_step *step = &path->steps[path->count++];
  for (size_t i = first; i < end; i++)
    {
      const char *item = items + i * size;
      *step = (struct schema_step){ .index = i };
      if (row->shape == SCHEMA_MAP)
        memcpy (&step->key, item, sizeof step->key);
      if (find_item (row, item, wanted, path))
        return true;
    }
  path->count--;
  return false;
}

static bool
find_member (const struct schema_row *row, const char *address, const struct wanted *wanted, struct schema_path *path)
{
  if (matches (wanted, address, member_size (row)))
    return true;
  if (row->shape == SCHEMA_LIST || row->shape == SCHEMA_MAP)
    return find_in_list (row, address, wanted, path);
  if (row->kind == SCHEMA_STRING)
    return matches_string (wanted, address);
  if (row->kind != SCHEMA_OBJECT)
    return false;

  const char *object = address;
  if (!row->is_inline)
    memcpy (&object, address, sizeof object);
  if (object == NULL)
    return false;
  return matches (wanted, object, row->table->size) || find_object (row->table, object, wanted, path);
}

static bool
find_object (const struct schema_table *table, const char *base, const struct wanted *wanted, struct schema_path *path)
{
  struct schema_step *step = &path->steps[path->count++];
  for (size_t i = 0; i < table->count; i++)
    {
      const struct schema_row *row = &table->rows[i];
      *step = (struct schema_step){ .row = row };
      if (row->shape != SCHEMA_IGNORE && find_member (row, base + row->offset, wanted, path))
        return true;
    }
  path->count--;
  return false;
}

/* The path of the value of SIZE bytes at VALUE; false if SOURCE has none there.  */
static bool
find (const struct spec_source *source, const void *value, size_t size, struct schema_path *path)
{
  struct wanted wanted = { value, size };
  path->count = 0;
  return value != NULL
         && (matches (&wanted, source->root, source->table->size)
             || find_object (source->table, source->root, &wanted, path));
}

static void
add_key (struct strbuf *out, const char *key)
{
  static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
  if (*key != '\0' && key[strspn (key, plain)] == '\0')
    strbuf_printf (out, ".%s", key);
  else
    strbuf_printf (out, "[\"%s\"]", key);
}

const char *
spec_path_text (struct arena *arena, const struct schema_path *path)
{
  struct strbuf out = STRBUF_INIT (arena);
  for (size_t i = 0; i < path->count; i++)
    {
      const struct schema_step *step = &path->steps[i];
      if (step->row != NULL)
        strbuf_printf (&out, "%s%s", i == 0 ? "" : ".", step->row->name);
      else if (step->key != NULL)
        add_key (&out, step->key);
      else
        strbuf_printf (&out, "[%zu]", step->index);
    }
  return strbuf_text (&out);
}

void
spec_source_position (const struct spec_source *source, size_t offset, unsigned *ret_line, unsigned *ret_column)
{
  while (offset < source->size && strchr (" \t\r\n,:", source->text[offset]) != NULL && source->text[offset] != '\0')
    offset++;
  unsigned line = 1, column = 1;
  for (size_t i = 0; i < offset && i < source->size; i++)
    if (source->text[i] == '\n')
      {
        line++;
        column = 1;
      }
    else if (((unsigned char) source->text[i] & 0xc0) != 0x80) /* the rest of a character takes no column */
      column++;
  *ret_line = line;
  *ret_column = column;
}

int
spec_source_error_at (const struct spec_source *source, size_t offset, const struct schema_path *path,
                      struct error *err, const char *format, va_list args)
{
  struct arena ARENA_CLEANUP arena = { 0 };
  unsigned line, column;
  spec_source_position (source, offset, &line, &column);
  const char *text = spec_path_text (&arena, path), *message = arena_vprintf (&arena, format, args);
  const char *colon = *text == '\0' ? "" : ": ";
  if (source->name == NULL)
    return error_set (err, EINVAL, "%s%s%s", text, colon, message);
  return error_set (err, EINVAL, "%s:%u:%u: %s%s%s", source->name, line, column, text, colon, message);
}

int
spec_source_error (const struct spec_source *source, const void *value, size_t size, struct error *err,
                   const char *format, ...)
{
  struct schema_path path;
  find (source, value, size, &path);
  va_list args;
  va_start (args, format);
  int result = spec_source_error_at (source, spec_source_seek (source, &path), &path, err, format, args);
  va_end (args);
  return result;
}

/* The same in SPEC: the source that has it, or NULL.  What the one has taken over from the other is in both.  */
static const struct spec_source *
find_source (const struct spec *spec, const void *value, size_t size, struct schema_path *path)
{
  const struct spec_source *source = spec->source, *other = source->other;
  if (other != NULL && find (other, value, size, path))
    return other;
  return find (source, value, size, path) ? source : NULL;
}

const char *
spec_where_of (struct arena *arena, const struct spec *spec, const void *value, size_t size)
{
  struct schema_path path;
  const struct spec_source *source = find_source (spec, value, size, &path);
  if (source == NULL)
    return spec->source->name != NULL ? spec->source->name : "resources";
  const char *text = spec_path_text (arena, &path);
  if (source->name == NULL)
    return text;
  unsigned line, column;
  spec_source_position (source, spec_source_seek (source, &path), &line, &column);
  return arena_printf (arena, *text == '\0' ? "%s%s:%u:%u" : "%s (%s:%u:%u)", text, source->name, line, column);
}

const char *
spec_path_of (struct arena *arena, const struct spec *spec, const void *value, size_t size)
{
  struct schema_path path;
  return find_source (spec, value, size, &path) != NULL ? spec_path_text (arena, &path) : "";
}

unsigned
spec_line (const struct spec *spec, const void *value)
{
  struct schema_path path;
  unsigned line, column;

  const struct spec_source *source = find_source (spec, value, 1, &path); /* of any size */
  if (source == NULL)
    return 0;
  spec_source_position (source, spec_source_seek (source, &path), &line, &column);
  return line;
}
