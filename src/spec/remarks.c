/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What decoding noticed and went on: kept as it happens, worded when asked for.  */
#include "base/arena.h"
#include "base/names.h"
#include "spec/source.h"

void
spec_source_note (struct arena *arena, struct spec_source *source, const struct schema_table *table,
                  const struct schema_row *row, size_t offset, const struct schema_path *path, const char *name,
                  size_t length)
{
  if (source->note_count == SPEC_NOTES_MAX)
    return;
  if (source->notes == NULL)
    source->notes = arena_array (arena, struct spec_note, SPEC_NOTES_MAX);
  source->notes[source->note_count++] = (struct spec_note){
    .table = table,
    .row = row,
    .offset = offset,
    .path = spec_path_text (arena, path),
    .name = arena_strndup (arena, name, length),
  };
}

/* The name of TABLE's rows that is nearest to NAME, or NULL.  */
static const char *
nearest_member (const struct schema_table *table, const char *name)
{
  struct name rows[SCHEMA_ROWS_MAX];
  for (size_t i = 0; i < table->count; i++)
    rows[i] = (struct name){ .name = table->rows[i].name };
  struct names names = { rows, table->count };
  return names_nearest (&names, name);
}

static const char *
note_text (struct arena *arena, const struct spec_note *note)
{
  if (note->row != NULL && note->row->shape == SCHEMA_IGNORE)
    return arena_printf (arena, "\"%s\" is for another platform and ignored", note->name);
  if (note->row != NULL)
    return arena_printf (arena, "\"%s\" is taken as \"%s\"", note->name, note->row->name);
  const char *nearest = nearest_member (note->table, note->name);
  if (nearest != NULL)
    return arena_printf (arena, "unknown member \"%s\" is ignored; did you mean \"%s\"?", note->name, nearest);
  return arena_printf (arena, "unknown member \"%s\" is ignored", note->name);
}

size_t
spec_remarks (struct arena *arena, const struct spec *spec, const char *const **ret_remarks)
{
  const struct spec_source *source = spec->source;
  const char **remarks = arena_array (arena, const char *, source->note_count);
  for (size_t i = 0; i < source->note_count; i++)
    {
      const struct spec_note *note = &source->notes[i];
      unsigned line, column;
      spec_source_position (source, note->offset, &line, &column);
      remarks[i] = arena_printf (arena, "%s:%u:%u: %s%s%s", source->name, line, column, note->path,
                                 *note->path == '\0' ? "" : ": ", note_text (arena, note));
    }
  *ret_remarks = remarks;
  return source->note_count;
}
