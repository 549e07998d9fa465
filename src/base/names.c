/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Searching tables of names.  They are short (the longest has some 65 rows), so a scan is enough.  */
#include "base/names.h"

#include <string.h>

bool
names_find (const struct names *names, const char *name, int64_t *ret_value)
{
  for (size_t i = 0; i < names->count; i++)
    if (strcmp (names->rows[i].name, name) == 0)
      {
        *ret_value = names->rows[i].value;
        return true;
      }
  return false;
}

const char *
names_of (const struct names *names, int64_t value)
{
  for (size_t i = 0; i < names->count; i++)
    if (names->rows[i].value == value)
      return names->rows[i].name;
  return NULL;
}

/* Not tolower(3): the locale has no say in what the specification's words are.  */
static char
fold (char c)
{
  return c >= 'A' && c <= 'Z' ? (char) (c - 'A' + 'a') : c;
}

static unsigned
least (unsigned a, unsigned b, unsigned c)
{
  unsigned ab = a < b ? a : b;
  return ab < c ? ab : c;
}

/* Levenshtein's distance, one row of the matrix at a time.  */
unsigned
names_distance (const char *a, const char *b, unsigned limit)
{
  enum
  {
    LONGEST = 64
  };
  unsigned row[LONGEST + 1];
  size_t a_length = strlen (a), b_length = strlen (b);
  if (a_length > LONGEST || b_length > LONGEST)
    return limit + 1;

  for (unsigned j = 0; j <= b_length; j++)
    row[j] = j;
  for (unsigned i = 1; i <= a_length; i++)
    {
      unsigned diagonal = row[0]; /* the cell above and to the left */
      row[0] = i;
      for (unsigned j = 1; j <= b_length; j++)
        {
          unsigned changed = diagonal + (fold (a[i - 1]) != fold (b[j - 1]));
          diagonal = row[j];
          row[j] = least (changed, row[j] + 1, row[j - 1] + 1);
        }
    }
  return row[b_length] <= limit ? row[b_length] : limit + 1;
}

const char *
names_nearest (const struct names *names, const char *name)
{
  /* A third of the letters may be wrong, but not all of a short word.  */
  size_t length = strlen (name);
  unsigned best = length < 3 ? 1 : (unsigned) (length < 30 ? length / 3 : 10);
  const char *nearest = NULL;
  for (size_t i = 0; i < names->count; i++)
    {
      unsigned distance = names_distance (name, names->rows[i].name, best);
      if (distance < best || (distance == best && nearest == NULL))
        {
          best = distance;
          nearest = names->rows[i].name;
        }
    }
  return nearest;
}
