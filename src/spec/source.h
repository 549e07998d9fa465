/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A decoded text: what it was, and the way back from a decoded value to its place.
 *
 * No positions are kept while decoding.  Who wants to complain about a value has its address; the tables lead from the
 * address to the JSON path, and a second decoding that stops at this path gives the place in the text.  So a config
 * that is right pays nothing for the precision of the messages about one that is wrong.  */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "spec/schema.h"
#include "spec/spec.h"

struct arena;
struct error;

/* Something that decoding noticed and went on.  */
struct spec_note
{
  const struct schema_table *table; /* of the object it stands in */
  const struct schema_row *row;     /* what it was taken for; NULL: unknown */
  size_t offset;                    /* of the member's name in the text */
  const char *path;                 /* of the object */
  const char *name;                 /* of the member as the text has it */
};

/* Notes that are kept; a config with more of them is no config.  */
#define SPEC_NOTES_MAX 64

struct spec_source
{
  const char *name; /* for messages */
  const char *text;
  size_t size;
  const struct schema_table *table; /* of the outermost object … */
  void *root;                       /* … and where it was decoded to */
  struct spec_note *notes;
  size_t note_count;
  const struct spec_source *other; /* from which values were taken over; or NULL */
};

/* decode.c: decodes SOURCE by its table to its root.  Everything lives in ARENA.  0, -EINVAL, -EFBIG.  */
int spec_source_decode (struct arena *arena, struct spec_source *source, struct error *err);

/* decode.c: the offset in the text of the value at PATH, or of what would hold it if it is absent.  */
size_t spec_source_seek (const struct spec_source *source, const struct schema_path *path);

/* exec.c: gives PROCESS what it does not have and the container's OWN has.  ALL: user and cwd, too.  */
void spec_process_inherit (struct spec_process *process, const struct spec_process *own, bool all);

/* store.c: stores at ADDRESS what ROW's kind makes of a number's text or of a word; an item of a list is a bare
 * uint64_t. False if it is no integer or out of range, or an unknown word.  */
bool spec_store_number (const struct schema_row *row, bool is_item, void *address, const char *text, size_t length);
bool spec_store_word (const struct schema_row *row, bool is_item, void *address, const char *word);

/* remarks.c: keeps in mind that the member NAME, of LENGTH bytes, at OFFSET of the text, in the object of TABLE at
 * PATH, was taken for ROW, or, if that is NULL, is unknown.  For spec_remarks.  */
void spec_source_note (struct arena *arena, struct spec_source *source, const struct schema_table *table,
                       const struct schema_row *row, size_t offset, const struct schema_path *path, const char *name,
                       size_t length);

/* text.c: is there nothing but white space?  */
bool spec_text_is_blank (const char *text, size_t size);

/* text.c: what yajl does not check: that there is anything, that the text is UTF-8 throughout, and that no escape
 * stands for half a character or for NUL, which would cut a string short unseen.  NULL if all is well, else what is
 * wrong and *RET_OFFSET where.  */
const char *spec_text_check (const char *text, size_t size, size_t *ret_offset);

/* where.c: the line and column (from 1, in characters) of OFFSET.  */
void spec_source_position (const struct spec_source *source, size_t offset, unsigned *ret_line, unsigned *ret_column);

/* where.c: PATH as "linux.namespaces[2].type".  */
const char *spec_path_text (struct arena *arena, const struct schema_path *path);

/* where.c: records "NAME:LINE:COLUMN: PATH: FORMAT...".  PATH may be empty.  Returns -EINVAL.  */
int spec_source_error_at (const struct spec_source *source, size_t offset, const struct schema_path *path,
                          struct error *err, const char *format, va_list args) __attribute__ ((format (printf, 5, 0)));

/* where.c: the same for the decoded value of SIZE bytes at address VALUE; an element of a list, say.  */
int spec_source_error (const struct spec_source *source, const void *value, size_t size, struct error *err,
                       const char *format, ...) __attribute__ ((format (printf, 5, 6)));
