/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The decoder: yajl's events in, structs out, by the tables of schema.h.
 *
 * No tree is built.  A stack of frames says where in the tables we are: a frame is an object (its table, the address of
 * its struct, the member being read) or a list or map (its row, the address of its {items, count}).  A value that no
 * row wants is skipped by counting brackets.
 *
 * Where JSON, the schema and the runtimes written in Go differ: a member matches in another case too, and null is the
 * same as absent, as with Go, whose programs write such configs; a member that is there twice is an error, because the
 * readers of a config may not agree on which of the two counts.  tests/unit/schema_oracle.py lists all differences.  */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <yajl/yajl_parse.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/names.h"
#include "base/strbuf.h"
#include "spec/source.h"

struct frame
{
  const struct schema_table *table; /* of an object; NULL: a list, set or map */
  const struct schema_row *row;     /* object: the member being read, NULL: unknown; else: the list's row */
  char *base;                       /* the struct; the {items, count}; the struct spec_uint of a set */
  size_t count, capacity;           /* items */
  size_t offset;                    /* of the opening bracket */
  uint32_t seen;                    /* object: members that were there, by row */
};

struct decoder
{
  struct arena *arena;
  struct spec_source *source;
  struct error *err;
  yajl_handle yajl;
  struct frame frames[SCHEMA_DEPTH_MAX];
  size_t depth;                     /* frames in use */
  size_t skipping;                  /* open brackets of a value that nobody wants */
  size_t nesting;                   /* open brackets in all */
  bool complete;                    /* the outermost object was closed */
  size_t here, next;                /* where the current token and the one after it begin, or the space before them */
  const struct schema_path *sought; /* stop at this value … */
  size_t found;                     /* … and say where it is */
};

enum json_type
{
  JSON_NULL,
  JSON_BOOL,
  JSON_NUMBER,
  JSON_STRING,
  JSON_ARRAY,
  JSON_OBJECT,
};

static const char *const json_type_names[] = {
  [JSON_NULL] = "null",       [JSON_BOOL] = "a boolean", [JSON_NUMBER] = "a number",
  [JSON_STRING] = "a string", [JSON_ARRAY] = "an array", [JSON_OBJECT] = "an object",
};

/* Where the value of an event goes.  */
struct slot
{
  const struct schema_row *row;     /* NULL: the outermost object */
  const struct schema_table *table; /* of the object expected here, if it is one */
  enum schema_shape shape;
  char *address;
  bool is_item;
};

/* What a yajl callback returns.  */
enum verdict
{
  STOP = 0,
  GO_ON = 1,
  STORE, /* of slot_open only: the value is wanted */
};

static struct frame *
top (struct decoder *d)
{
  return &d->frames[d->depth - 1];
}

/* The items of the list or map that FRAME fills.  */
static char *
frame_items (const struct frame *frame)
{
  char *items;
  memcpy (&items, frame->base + SCHEMA_LIST_ITEMS, sizeof items);
  return items;
}

static void
path_of (const struct decoder *d, struct schema_path *path)
{
  path->count = 0;
  for (size_t i = 0; i < d->depth; i++)
    {
      const struct frame *frame = &d->frames[i];
      struct schema_step *step = &path->steps[path->count];
      if (frame->table != NULL && frame->row != NULL)
        *step = (struct schema_step){ .row = frame->row };
      else if (frame->table == NULL && frame->count > 0)
        {
          *step = (struct schema_step){ .index = frame->count - 1 };
          if (frame->row->shape == SCHEMA_MAP)
            memcpy (&step->key, frame_items (frame) + step->index * schema_item_size (frame->row), sizeof step->key);
        }
      else
        continue;
      path->count++;
    }
}

/* Records an error at OFFSET of the text and ends the decoding.  */
static enum verdict __attribute__ ((format (printf, 3, 4)))
fail (struct decoder *d, size_t offset, const char *format, ...)
{
  struct schema_path path;
  path_of (d, &path);
  va_list args;
  va_start (args, format);
  spec_source_error_at (d->source, offset, &path, d->err, format, args);
  va_end (args);
  return STOP;
}

/* Notes the current place if the value sought is here or, as far as is known, inside; true if it is here.  */
static bool
seek (struct decoder *d)
{
  struct schema_path path;
  path_of (d, &path);
  if (path.count > d->sought->count)
    return false;
  for (size_t i = 0; i < path.count; i++)
    if (path.steps[i].row != d->sought->steps[i].row || path.steps[i].index != d->sought->steps[i].index)
      return false;
  d->found = d->here;
  return path.count == d->sought->count;
}

/* Each token begins where the one before it ended; yajl tells the end of the current one.  */
static void
advance (struct decoder *d)
{
  d->here = d->next;
  d->next = yajl_get_bytes_consumed (d->yajl);
}

/* Room for one more item in the list or map of FRAME; returns its address.  Lists grow by doubling and leave their old
 * place to the arena.  */
static char *
append_item (struct decoder *d, struct frame *frame)
{
  size_t size = schema_item_size (frame->row);
  char *items = frame_items (frame);
  if (frame->count == frame->capacity)
    {
      size_t capacity = frame->capacity == 0 ? 4 : 2 * frame->capacity;
      char *larger = arena_alloc_array (d->arena, capacity, size);
      if (frame->count > 0)
        memcpy (larger, items, frame->count * size);
      items = larger;
      frame->capacity = capacity;
      memcpy (frame->base + SCHEMA_LIST_ITEMS, &items, sizeof items);
    }
  size_t count = ++frame->count;
  memcpy (frame->base + SCHEMA_LIST_COUNT, &count, sizeof count);
  return items + (count - 1) * size;
}

static enum json_type
wanted_type (const struct slot *slot)
{
  if (slot->shape == SCHEMA_LIST || slot->shape == SCHEMA_SET)
    return JSON_ARRAY;
  if (slot->shape == SCHEMA_MAP || slot->row == NULL)
    return JSON_OBJECT;
  switch (slot->row->kind)
    {
    case SCHEMA_BOOL:
      return JSON_BOOL;
    case SCHEMA_INT:
    case SCHEMA_UINT:
      return JSON_NUMBER;
    case SCHEMA_OBJECT:
      return JSON_OBJECT;
    default:
      return JSON_STRING;
    }
}

/* Finds the place for the value that comes next.  */
static void
slot_find (struct decoder *d, struct slot *slot)
{
  if (d->depth == 0)
    {
      *slot = (struct slot){ .table = d->source->table, .address = d->source->root };
      return;
    }
  struct frame *frame = top (d);
  const struct schema_row *row = frame->row;
  *slot = (struct slot){ .row = row, .table = row->table };
  if (frame->table != NULL)
    {
      slot->address = frame->base + row->offset;
      slot->shape = row->shape;
      return;
    }
  slot->is_item = true;
  if (row->shape == SCHEMA_LIST)
    slot->address = append_item (d, frame);
  else if (row->shape == SCHEMA_SET)
    {
      frame->count++;
      slot->address = frame->base;
    }
  else /* the item was made when its key was read */
    slot->address = frame_items (frame) + (frame->count - 1) * schema_item_size (row)
                    + (row->kind == SCHEMA_STRING ? offsetof (struct spec_pair, value) : 0);
}

/* Begins a value of type FOUND: GO_ON if nobody wants it, STORE with SLOT filled if it has a place.  */
static enum verdict
slot_open (struct decoder *d, enum json_type found, struct slot *slot)
{
  advance (d);
  if (d->skipping > 0)
    return GO_ON;
  if (d->depth > 0 && (top (d)->row == NULL || top (d)->row->shape == SCHEMA_IGNORE))
    return GO_ON;

  slot_find (d, slot);
  if (d->sought != NULL && seek (d))
    return STOP;

  enum json_type wanted = wanted_type (slot);
  if (found == wanted)
    return STORE;
  /* Go programs write null for what is not set.  */
  if (found == JSON_NULL && slot->row != NULL && !slot->is_item && !slot->row->required)
    return GO_ON;
  bool number = wanted == JSON_NUMBER;
  return fail (d, d->here, "expected %s, not %s", number ? "an integer" : json_type_names[wanted],
               json_type_names[found]);
}

static int
on_null (void *context)
{
  struct slot slot;
  return slot_open (context, JSON_NULL, &slot);
}

static int
on_boolean (void *context, int value)
{
  struct slot slot;
  enum verdict verdict = slot_open (context, JSON_BOOL, &slot);
  if (verdict != STORE)
    return verdict;
  *(struct spec_bool *) slot.address = (struct spec_bool){ .set = true, .value = value != 0 };
  return GO_ON;
}

static enum verdict
fail_number (struct decoder *d, const struct schema_row *row, const char *text, size_t length)
{
  int shown = length < 40 ? (int) length : 40;
  if (row->kind == SCHEMA_UINT)
    return fail (d, d->here, "expected an integer from 0 to %ju, not %.*s", (uintmax_t) row->max, shown, text);
  return fail (d, d->here, "expected an integer from %jd to %ju, not %.*s", (intmax_t) row->min, (uintmax_t) row->max,
               shown, text);
}

static int
on_number (void *context, const char *text, size_t length)
{
  struct decoder *d = context;
  struct slot slot;
  enum verdict verdict = slot_open (d, JSON_NUMBER, &slot);
  if (verdict != STORE)
    return verdict;

  return spec_store_number (slot.row, slot.is_item, slot.address, text, length)
             ? GO_ON
             : fail_number (d, slot.row, text, length);
}

/* The nearest word as a hint; where none is near, all of them unless they are many.  */
static void
hint_word (struct decoder *d, const struct names *names, const char *word)
{
  enum
  {
    MANY = 10
  };
  const char *nearest = names_nearest (names, word);
  if (nearest != NULL)
    {
      error_hint (d->err, "did you mean \"%s\"?", nearest);
      return;
    }
  if (names->count > MANY)
    return;
  struct strbuf list = STRBUF_INIT (d->arena);
  for (size_t i = 0; i < names->count; i++)
    strbuf_printf (&list, "%s\"%s\"", i == 0 ? "" : ", ", names->rows[i].name);
  error_hint (d->err, "known are %s", strbuf_text (&list));
}

static enum verdict
fail_word (struct decoder *d, const struct names *names, const char *word)
{
  fail (d, d->here, "unknown value \"%s\"", word);
  hint_word (d, names, word);
  return STOP;
}

static int
on_string (void *context, const unsigned char *text, size_t length)
{
  struct decoder *d = context;
  struct slot slot;
  enum verdict verdict = slot_open (d, JSON_STRING, &slot);
  if (verdict != STORE)
    return verdict;
  const char *string = arena_strndup (d->arena, (const char *) text, length);
  if (slot.row->kind == SCHEMA_WORD)
    return spec_store_word (slot.row, slot.is_item, slot.address, string) ? GO_ON
                                                                          : fail_word (d, slot.row->names, string);
  *(const char **) slot.address = string;
  return GO_ON;
}

static enum verdict
open_bracket (struct decoder *d, enum json_type type)
{
  struct slot slot;
  enum verdict verdict = slot_open (d, type, &slot);
  if (verdict == STOP)
    return STOP;
  if (++d->nesting > SPEC_DEPTH_MAX)
    return fail (d, d->here, "nested deeper than %d levels", SPEC_DEPTH_MAX);
  if (verdict != STORE)
    {
      d->skipping++;
      return GO_ON;
    }

  struct frame *frame = &d->frames[d->depth++];
  *frame = (struct frame){ .row = slot.row, .base = slot.address, .offset = d->here };
  if (slot.shape == SCHEMA_SET)
    ((struct spec_uint *) slot.address)->set = true;
  else if (slot.shape == SCHEMA_ONE)
    {
      frame->table = slot.table;
      if (slot.row != NULL && !slot.is_item && !slot.row->is_inline)
        {
          frame->base = arena_alloc (d->arena, slot.table->size);
          *(void **) slot.address = frame->base;
        }
      frame->row = NULL;
    }
  return GO_ON;
}

static int
on_start_map (void *context)
{
  return open_bracket (context, JSON_OBJECT);
}

static int
on_start_array (void *context)
{
  return open_bracket (context, JSON_ARRAY);
}

/* The row of member NAME, in this case or, as the Go runtimes read it, in any other.  */
static const struct schema_row *
row_find (const struct schema_table *table, const char *name, size_t length, bool *ret_other_case)
{
  const struct schema_row *other = NULL;
  for (const struct schema_row *row = table->rows; row < table->rows + table->count; row++)
    if (row->length == length)
      {
        if (memcmp (row->name, name, length) == 0)
          {
            *ret_other_case = false;
            return row;
          }
        if (strncasecmp (row->name, name, length) == 0)
          other = row;
      }
  *ret_other_case = true;
  return other;
}

static int
on_map_key (void *context, const unsigned char *key, size_t length)
{
  struct decoder *d = context;
  const char *name = (const char *) key;
  advance (d);
  if (d->skipping > 0)
    return GO_ON;

  struct frame *frame = top (d);
  if (frame->table == NULL)
    {
      char *item = append_item (d, frame);
      *(const char **) item = arena_strndup (d->arena, name, length);
      return GO_ON;
    }

  bool other_case;
  const struct schema_row *row = row_find (frame->table, name, length, &other_case);
  frame->row = NULL;
  if (row == NULL || other_case || row->shape == SCHEMA_IGNORE)
    {
      struct schema_path path;
      path_of (d, &path);
      spec_source_note (d->arena, d->source, frame->table, row, d->here, &path, name, length);
    }
  if (row == NULL)
    return GO_ON;
  uint32_t bit = UINT32_C (1) << (row - frame->table->rows);
  if (frame->seen & bit)
    return fail (d, d->here, "duplicate member \"%s\"", row->name);
  frame->seen |= bit;
  frame->row = row;
  return GO_ON;
}

static enum verdict
check_required (struct decoder *d, struct frame *frame)
{
  frame->row = NULL; /* the error is the object's, not its last member's */
  for (size_t i = 0; i < frame->table->count; i++)
    {
      const struct schema_row *row = &frame->table->rows[i];
      if (row->required && !(frame->seen & UINT32_C (1) << i))
        return fail (d, frame->offset, "missing member \"%s\"", row->name);
    }
  return GO_ON;
}

static int
compare_keys (const void *a, const void *b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

static enum verdict
check_keys (struct decoder *d, struct frame *frame)
{
  size_t count = frame->count, size = schema_item_size (frame->row);
  frame->count = 0; /* the error is the map's, not its last item's */
  if (count < 2)
    return GO_ON;
  const char **keys = arena_array (d->arena, const char *, count);
  for (size_t i = 0; i < count; i++)
    memcpy (&keys[i], frame_items (frame) + i * size, sizeof keys[i]);
  qsort (keys, count, sizeof *keys, compare_keys);
  for (size_t i = 1; i < count; i++)
    if (strcmp (keys[i - 1], keys[i]) == 0)
      return fail (d, frame->offset, "duplicate member \"%s\"", keys[i]);
  return GO_ON;
}

static enum verdict
close_bracket (struct decoder *d)
{
  advance (d);
  d->nesting--;
  if (d->skipping > 0)
    {
      d->skipping--;
      return GO_ON;
    }
  struct frame *frame = top (d);
  enum verdict verdict = GO_ON;
  if (frame->table != NULL)
    verdict = check_required (d, frame);
  else if (frame->row->shape == SCHEMA_MAP)
    verdict = check_keys (d, frame);
  if (verdict == GO_ON)
    d->complete = --d->depth == 0;
  return verdict;
}

static int
on_end (void *context)
{
  return close_bracket (context);
}

static const yajl_callbacks callbacks = {
  .yajl_null = on_null,
  .yajl_boolean = on_boolean,
  .yajl_number = on_number,
  .yajl_string = on_string,
  .yajl_start_map = on_start_map,
  .yajl_map_key = on_map_key,
  .yajl_end_map = on_end,
  .yajl_start_array = on_start_array,
  .yajl_end_array = on_end,
};

/* Runs yajl over the text.  */
static yajl_status
run (struct decoder *d)
{
  const struct spec_source *source = d->source;
  yajl_config (d->yajl, yajl_dont_validate_strings, 1); /* spec_text_check did, and better */
  yajl_status status = yajl_parse (d->yajl, (const unsigned char *) source->text, source->size);
  if (status != yajl_status_ok || d->complete)
    return status;
  d->next = source->size;
  return yajl_complete_parse (d->yajl); /* says what is missing */
}

/* Says what yajl did not like, in its words: "lexical error: invalid char in json text.\n".  */
static int
fail_syntax (struct decoder *d)
{
  const struct spec_source *source = d->source;
  char *message = (char *) yajl_get_error (d->yajl, 0, (const unsigned char *) source->text, source->size);
  const char *text = message == NULL ? "" : strstr (message, ": ");
  text = text == NULL ? message : text + (*text != '\0' ? 2 : 0);

  d->depth = 0; /* no path: who knows what was meant */
  fail (d, d->next, "not JSON: %.*s", (int) strcspn (text, ".\n"), text);
  yajl_free_error (d->yajl, (unsigned char *) message);
  return -EINVAL;
}

static yajl_handle
new_parser (struct decoder *d)
{
  yajl_handle yajl = yajl_alloc (&callbacks, NULL, d);
  if (yajl == NULL)
    abort (); /* as the arena does */
  return yajl;
}

int
spec_source_decode (struct arena *arena, struct spec_source *source, struct error *err)
{
  struct decoder d = { .arena = arena, .source = source, .err = err };
  if (source->size > SPEC_SIZE_MAX)
    return error_set (err, EFBIG, "%s: larger than %u MiB", source->name, SPEC_SIZE_MAX >> 20);
  size_t offset;
  const char *wrong = spec_text_check (source->text, source->size, &offset);
  if (wrong != NULL)
    {
      fail (&d, offset, "%s", wrong);
      return -EINVAL;
    }

  d.yajl = new_parser (&d);
  yajl_status status = run (&d);
  int result = status == yajl_status_ok ? 0 : status == yajl_status_error ? fail_syntax (&d) : -EINVAL;
  yajl_free (d.yajl);
  /* yajl overlooks the beginning of a string behind the end.  */
  if (result == 0 && !spec_text_is_blank (source->text + d.next, source->size - d.next))
    {
      fail (&d, d.next, "not JSON: trailing garbage");
      return -EINVAL;
    }
  return result;
}

size_t
spec_source_seek (const struct spec_source *source, const struct schema_path *path)
{
  struct arena ARENA_CLEANUP arena = { 0 };
  struct spec_source again = *source;
  again.root = arena_alloc (&arena, source->table->size);
  again.note_count = SPEC_NOTES_MAX; /* they are known already */
  struct decoder d = { .arena = &arena, .source = &again, .sought = path };
  d.yajl = new_parser (&d);
  run (&d);
  yajl_free (d.yajl);
  return d.found;
}
