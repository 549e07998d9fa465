/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the decoder says, for schema_oracle.py.
 *
 *     spec-verdict             reads configs from stdin, each preceded by a line with its size in bytes, and answers
 * each with a line: "ok", or "error" and the message spec-verdict --paths     prints a line for each property that the
 * tables know: its path, its type, and the words that it may have spec-verdict --example   prints the config that
 * `thole spec` prints; --example-rootless the rootless one  */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/names.h"
#include "base/strbuf.h"
#include "spec/schema.h"
#include "spec/spec.h"

static void
judge (const char *text, size_t size)
{
  struct arena ARENA_CLEANUP arena = { 0 };
  struct error err = { 0 };
  const struct spec *spec;
  if (spec_decode (&arena, "config.json", text, size, &spec, &err) < 0)
    printf ("error %s\n", err.message);
  else
    puts ("ok");
}

static int
judge_all (void)
{
  size_t size;
  while (scanf ("%zu", &size) == 1 && getchar () == '\n')
    {
      char *text = malloc (size + 1); /* not from an arena: a read beyond the end is seen */
      if (text == NULL || fread (text, 1, size, stdin) != size)
        return 1;
      judge (text, size);
      free (text);
    }
  return feof (stdin) ? 0 : 1;
}

static const char *
type_name (const struct schema_row *row)
{
  static const char *const names[] = {
    [SCHEMA_STRING] = "string", [SCHEMA_BOOL] = "boolean", [SCHEMA_INT] = "integer",
    [SCHEMA_UINT] = "integer",  [SCHEMA_WORD] = "string",  [SCHEMA_OBJECT] = "object",
  };
  return names[row->kind];
}

static void
print_item (const char *path, const struct schema_row *row)
{
  printf ("%s %s", path, type_name (row));
  if (row->kind == SCHEMA_WORD)
    for (size_t i = 0; i < row->names->count; i++)
      printf (" %s", row->names->rows[i].name);
  putchar ('\n');
}

static void
print_table (const char *prefix, const struct schema_table *table)
{
  for (size_t i = 0; i < table->count; i++)
    {
      const struct schema_row *row = &table->rows[i];
      char path[256];
      snprintf (path, sizeof path, "%s%s", prefix, row->name);
      if (row->shape == SCHEMA_IGNORE)
        continue;
      if (row->shape != SCHEMA_ONE)
        {
          printf ("%s %s\n", path, row->shape == SCHEMA_MAP ? "object" : "array");
          strcat (path, row->shape == SCHEMA_MAP ? ".*" : "[]");
        }
      print_item (path, row);
      if (row->kind == SCHEMA_OBJECT)
        {
          strcat (path, ".");
          print_table (path, row->table);
        }
    }
}

static void
print_example (bool rootless)
{
  struct arena ARENA_CLEANUP arena = { 0 };
  struct strbuf out = STRBUF_INIT (&arena);
  spec_write_default (&out, &(struct spec_default){ .rootless = rootless, .euid = 1000, .egid = 1001 });
  fputs (strbuf_text (&out), stdout);
}

int
main (int argc, char **argv)
{
  const char *what = argc > 1 ? argv[1] : "";
  if (strcmp (what, "--paths") == 0)
    print_table ("", &schema_config);
  else if (strcmp (what, "--example") == 0)
    print_example (false);
  else if (strcmp (what, "--example-rootless") == 0)
    print_example (true);
  else
    return judge_all ();
  return 0;
}
