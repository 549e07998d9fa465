/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Annotations org.systemd.property.NAME: values in the text format of GVariant, as far as properties of units need it.
 *
 *     value    = [ type " " | "@" signature " " ] literal
 *     literal  = "true" | "false" | number | string | "[" [ value { "," value } ] "]"
 *     string   = "'" characters "'" | '"' characters '"', with a backslash before what would end it
 *
 * Numbers are int32 unless a type is said, or double with a point.  A list takes its type from the first element, so an
 * empty one needs a signature: @as [].
 *
 * systemd has its times on the bus in µs, as NAMEUSec, and in files in seconds, as NAMESec: who writes the latter, with
 * any number, means the former.  */
#include "cgroup/systemd.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/strbuf.h"
#include "spec/names.h"
#include "spec/spec.h"

/* The words for types, and what integers they hold.  */
static const struct type_row
{
  const char *word, *type, *list;
  int64_t least;
  uint64_t most;
} types[] = {
  { "boolean", "b", "ab", 0, 1 },
  { "byte", "y", "ay", 0, UINT8_MAX },
  { "int16", "n", "an", INT16_MIN, INT16_MAX },
  { "uint16", "q", "aq", 0, UINT16_MAX },
  { "int32", "i", "ai", INT32_MIN, INT32_MAX },
  { "uint32", "u", "au", 0, UINT32_MAX },
  { "int64", "x", "ax", INT64_MIN, INT64_MAX },
  { "uint64", "t", "at", 0, UINT64_MAX },
  { "double", "d", "ad", 0, 0 },
  { "string", "s", "as", 0, 0 },
  { "objectpath", "o", "ao", 0, 0 },
  { "signature", "g", "ag", 0, 0 },
};

enum
{
  TYPES = sizeof types / sizeof *types
};

static const struct type_row *
type_of (char letter)
{
  for (int i = 0; i < TYPES; i++)
    if (types[i].type[0] == letter)
      return &types[i];
  return NULL;
}

static void
skip_blanks (const char **text)
{
  *text += strspn (*text, " \t\n");
}

static bool
take (const char **text, const char *word)
{
  size_t length = strlen (word);
  if (strncmp (*text, word, length) != 0 || isalnum ((unsigned char) (*text)[length]))
    return false;
  *text += length;
  skip_blanks (text);
  return true;
}

/* Takes a type, by word or signature, off the front; *RET_LIST: it is a list of it.  NULL if there is none.  */
static const struct type_row *
take_type (const char **text, bool *ret_list)
{
  *ret_list = false;
  for (int i = 0; i < TYPES; i++)
    {
      const char *rest = *text;
      if (*rest == '@')
        {
          rest++;
          *ret_list = take (&rest, types[i].list);
          if (!*ret_list && !take (&rest, types[i].type))
            continue;
        }
      else if (!take (&rest, types[i].word))
        continue;
      *text = rest;
      return &types[i];
    }
  return NULL;
}

static bool
take_string (struct arena *arena, const char **text, const char **ret_string)
{
  struct strbuf out = STRBUF_INIT (arena);
  const char quote = **text, *at = *text + 1;
  for (; *at != '\0' && *at != quote; at++)
    {
      if (*at == '\\' && at[1] != '\0')
        at++;
      strbuf_add_char (&out, *at);
    }
  if (*at == '\0')
    return false;
  *text = at + 1;
  *ret_string = strbuf_text (&out);
  return true;
}

static bool
take_integer (const char **text, const struct type_row *type, struct unit_value *value)
{
  char *end;
  errno = 0;
  bool negative = **text == '-';
  value->number = negative ? (uint64_t) strtoll (*text, &end, 0) : strtoull (*text, &end, 0);
  if (errno != 0 || end == *text || (negative ? (int64_t) value->number < type->least : value->number > type->most))
    return false;
  *text = end;
  return true;
}

static bool
take_real (const char **text, struct unit_value *value)
{
  char *end;
  value->real = strtod (*text, &end);
  bool taken = end != *text;
  *text = end;
  return taken;
}

static bool
begins_number (const char *text)
{
  text += *text == '-' || *text == '+';
  return isdigit ((unsigned char) *text);
}

/* What a literal without a type is.  */
static const struct type_row *
guess_type (const char *text)
{
  if (*text == '\'' || *text == '"')
    return type_of ('s');
  if (!begins_number (text))
    return type_of ('b');
  size_t length = strspn (text, "+-0123456789abcdefxABCDEFX.");
  return memchr (text, '.', length) != NULL ? type_of ('d') : type_of ('i');
}

/* Takes one basic value of *TYPE, which is found out if it is NULL.  */
static bool
take_basic (struct arena *arena, const char **text, const struct type_row **type, struct unit_value *value)
{
  bool list, taken;
  const struct type_row *said = take_type (text, &list);
  if (list || (said != NULL && *type != NULL && said != *type))
    return false;
  if (*type == NULL)
    *type = said != NULL ? said : guess_type (*text);

  *value = (struct unit_value){ 0 };
  if (strchr ("sog", (*type)->type[0]) != NULL)
    taken = (**text == '\'' || **text == '"') && take_string (arena, text, &value->text);
  else if ((*type)->type[0] == 'b')
    {
      value->number = take (text, "true");
      taken = value->number || take (text, "false");
    }
  else if (!begins_number (*text))
    taken = false;
  else
    taken = (*type)->type[0] == 'd' ? take_real (text, value) : take_integer (text, *type, value);
  skip_blanks (text);
  return taken;
}

/* Reads TEXT into PROPERTY, whose type it says.  */
static bool
read_value (struct unit_properties *properties, struct unit_property *property, const char *text)
{
  struct unit_value value;
  bool list;
  skip_blanks (&text);
  const char *start = text;
  const struct type_row *type = take_type (&text, &list);
  if (*text != '[')
    {
      text = start;
      type = NULL;
      if (list || !take_basic (properties->arena, &text, &type, &value) || *text != '\0')
        return false;
      property->type = type->type;
      unit_property_add (properties, property, value);
      return true;
    }

  if (type != NULL && !list)
    return false;
  text++;
  skip_blanks (&text);
  while (*text != ']')
    {
      if (!take_basic (properties->arena, &text, &type, &value) || (*text != ',' && *text != ']'))
        return false;
      unit_property_add (properties, property, value);
      text += *text == ',';
      skip_blanks (&text);
    }
  text++;
  skip_blanks (&text);
  property->type = type != NULL ? type->list : "";
  return type != NULL && *text == '\0';
}

/* TimeoutStopSec, with any number, is TimeoutStopUSec.  */
static bool
convert_seconds (struct arena *arena, struct unit_property *property)
{
  enum
  {
    SECOND = 1000000
  };
  size_t length = strlen (property->name);
  if (length < 4 || strcmp (property->name + length - 3, "Sec") != 0
      || !islower ((unsigned char) property->name[length - 4]))
    return true;
  if (strlen (property->type) != 1 || strchr ("ynqiuxtd", *property->type) == NULL)
    return false;
  struct unit_value *value = &property->values[0];
  bool negative = strchr ("nix", *property->type) != NULL && (int64_t) value->number < 0;
  double seconds = *property->type == 'd' ? value->real : (double) value->number;
  if (negative || !(seconds >= 0 && seconds < (double) (UINT64_MAX / SECOND)))
    return false;
  value->number = *property->type == 'd' ? (uint64_t) (seconds * SECOND) : value->number * SECOND;
  property->type = "t";
  property->name = arena_printf (arena, "%.*sUSec", (int) length - 3, property->name);
  return true;
}

/* Those that say where the unit is and what is in it are the configuration's.  */
static const char *
check_name (const char *name)
{
  if (!isupper ((unsigned char) *name) || name[strspn (name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")])
    return "a property of systemd has a name of letters, the first of which is a capital";
  if (strcmp (name, "PIDs") == 0 || strcmp (name, "Slice") == 0)
    return "that is said by linux.cgroupsPath";
  return NULL;
}

int
unit_properties_of_annotations (struct unit_properties *properties, const struct spec *spec, struct error *err)
{
  static const size_t prefix = sizeof SPEC_ANNOTATION_SYSTEMD_PROPERTY - 1;
  for (size_t i = 0; i < spec->annotations.count; i++)
    {
      const struct spec_pair *pair = &spec->annotations.items[i];
      if (strncmp (pair->key, SPEC_ANNOTATION_SYSTEMD_PROPERTY, prefix) != 0)
        continue;
      const char *wrong = check_name (pair->key + prefix);
      if (wrong != NULL)
        return error_set (err, EINVAL, "%s: %s", spec_where (properties->arena, spec, pair), wrong);
      struct unit_property *property = unit_properties_add (properties, pair->key + prefix, "");
      if (!read_value (properties, property, pair->value))
        {
          int r = error_set (err, EINVAL, "%s: \"%s\" is not understood", spec_where (properties->arena, spec, pair),
                             pair->value);
          error_hint (err, "write 'text' (with quotes), true, 5, uint64 5, ['a', 'b'] or @as []");
          return r;
        }
      if (!convert_seconds (properties->arena, property))
        return error_set (err, EINVAL, "%s: \"%s\" is not a number of seconds",
                          spec_where (properties->arena, spec, pair), pair->value);
    }
  return 0;
}
