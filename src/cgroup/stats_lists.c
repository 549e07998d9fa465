/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Statistics that are not one number: lists, tables, maps, devices, pressures.  */
#include "cgroup/stats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spec/spec.h"

/* The next line of *TEXT as a string of its own, cut at its end in place; NULL at the end.  The text is that of
 * `stats_read`, so who cuts it makes it be read again.  */
static char *
next_line (char **text)
{
  if (*text == NULL || **text == '\0')
    return NULL;
  return strsep (text, "\n");
}

/* The text of FILE to be cut up.  */
static char *
read_to_cut (struct reading *reading, const char *file)
{
  char *text = stats_read (reading, file) != NULL ? reading->text : NULL;
  reading->file = NULL;
  return text;
}

/* One number that may be negative.  */
void
stats_write_signed (struct reading *reading, const struct stat_source *source, const char *name)
{
  const char *text = stats_read (reading, source->file);
  if (text != NULL)
    json_integer (reading->w, name, strtoll (text, NULL, 10));
}

/* Blanks between numbers.  */
void
stats_write_words (struct reading *reading, const struct stat_source *source, const char *name)
{
  const char *at = stats_read (reading, source->file);
  if (at == NULL)
    return;
  json_array_begin (reading->w, name);
  for (at += strspn (at, " \n"); *at >= '0' && *at <= '9'; at += strspn (at, " \n"))
    {
      char *end;
      json_unsigned (reading->w, NULL, strtoull (at, &end, 10));
      at = end;
    }
  json_array_end (reading->w);
}

/* A column of numbers below a line of headings.  */
void
stats_write_column (struct reading *reading, const struct stat_source *source, const char *name)
{
  const char *line = stats_read (reading, source->file);
  if (line == NULL)
    return;
  json_array_begin (reading->w, name);
  for (line += strcspn (line, "\n"); *line == '\n' && line[1] != '\0'; line += strcspn (line, "\n"))
    {
      line++;
      char *at = (char *) line;
      uint64_t number = 0;
      for (unsigned i = 0; i <= source->column; i++)
        number = strtoull (at, &at, 10);
      json_unsigned (reading->w, NULL, number);
    }
  json_array_end (reading->w);
}

/* "0-3,7" */
void
stats_write_ranges (struct reading *reading, const struct stat_source *source, const char *name)
{
  char *text = read_to_cut (reading, source->file);
  const char *at = next_line (&text);
  unsigned first, last;
  if (at == NULL)
    return;
  json_array_begin (reading->w, name);
  while (spec_number_list_next (&at, &first, &last) == 1)
    for (unsigned i = first; i <= last; i++)
      json_unsigned (reading->w, NULL, i);
  json_array_end (reading->w);
}

/* "KEY NUMBER" lines, all of them.  */
void
stats_write_map (struct reading *reading, const struct stat_source *source, const char *name)
{
  char *text = read_to_cut (reading, source->file);
  if (text == NULL)
    return;
  json_object_begin (reading->w, name);
  for (char *line; (line = next_line (&text)) != NULL;)
    {
      char *key = strsep (&line, " ");
      if (line != NULL)
        json_unsigned (reading->w, key, strtoull (line, NULL, 10));
    }
  json_object_end (reading->w);
}

static void
write_device (struct json_writer *w, unsigned major, unsigned minor, const char *op, uint64_t value)
{
  json_object_begin (w, NULL);
  json_unsigned (w, "major", major);
  json_unsigned (w, "minor", minor);
  if (*op != '\0')
    json_string (w, "op", op);
  json_unsigned (w, "value", value);
  json_object_end (w);
}

/* "8:0 Read 4096", "8:0 4096" lines of TEXT; returns whether there were some.  The sum of all devices is left out.  */
static bool
write_device_lines (struct json_writer *w, char *text, const char *name)
{
  bool some = false;
  for (char *line; (line = next_line (&text)) != NULL;)
    {
      unsigned major, minor;
      unsigned long long value;
      char op[16] = "";
      if (sscanf (line, "%u:%u %15[A-Za-z] %llu", &major, &minor, op, &value) != 4
          && sscanf (line, "%u:%u %llu", &major, &minor, &value) != 3)
        continue;
      if (!some)
        json_array_begin (w, name);
      some = true;
      write_device (w, major, minor, op, value);
    }
  if (some)
    json_array_end (w);
  return some;
}

/* Which file counts depends on the scheduler of the devices.  */
void
stats_write_devices (struct reading *reading, const struct stat_source *source, const char *name)
{
  char *files = arena_strdup (reading->arena, source->file);
  for (char *file; (file = strsep (&files, " ")) != NULL;)
    {
      char *text = read_to_cut (reading, file);
      if (text != NULL && write_device_lines (reading->w, text, name))
        return;
    }
}

/* The number behind "KEY=" in LINE of io.stat, where KEY has LENGTH bytes.  */
static bool
find_figure (const char *line, const char *key, size_t length, uint64_t *ret_number)
{
  for (const char *at = line; (at = strchr (at, ' ')) != NULL;)
    if (strncmp (++at, key, length) == 0 && at[length] == '=')
      {
        *ret_number = strtoull (at + length + 1, NULL, 10);
        return true;
      }
  return false;
}

/* "8:0 rbytes=1 wbytes=2 rios=3 ..." lines: an element for each of the pairs KEY=OP of the source.  */
void
stats_write_io (struct reading *reading, const struct stat_source *source, const char *name)
{
  char *text = read_to_cut (reading, source->file);
  if (text == NULL)
    return;
  json_array_begin (reading->w, name);
  for (char *line; (line = next_line (&text)) != NULL;)
    {
      unsigned major, minor;
      if (sscanf (line, "%u:%u ", &major, &minor) != 2)
        continue;
      for (const char *pair = source->key; *pair != '\0'; pair += strcspn (pair, " "), pair += *pair == ' ')
        {
          size_t length = strcspn (pair, "=");
          uint64_t number;
          char op[16];
          if (find_figure (line, pair, length, &number) && sscanf (pair + length, "=%15s", op) == 1)
            write_device (reading->w, major, minor, op, number);
        }
    }
  json_array_end (reading->w);
}

/* "some avg10=0.12 avg60=0.00 avg300=0.00 total=3456" and the same with "full".  The averages are written as the kernel
 * has them: "0.12" is a number of JSON.  */
void
stats_write_pressure (struct reading *reading, const struct stat_source *source, const char *name)
{
  char *text = read_to_cut (reading, source->file);
  if (text == NULL)
    return;
  json_object_begin (reading->w, name);
  for (char *line; (line = next_line (&text)) != NULL;)
    {
      json_object_begin (reading->w, strsep (&line, " "));
      for (char *word; (word = strsep (&line, " ")) != NULL;)
        {
          char *key = strsep (&word, "=");
          if (word != NULL && *word != '\0' && word[strspn (word, "0123456789.")] == '\0')
            json_raw (reading->w, key, word);
        }
      json_object_end (reading->w);
    }
  json_object_end (reading->w);
}
