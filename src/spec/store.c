/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From the text of a number or word to the value in its struct.  */
#include "base/names.h"
#include "spec/source.h"

/* Reads the decimal integer of LENGTH characters at TEXT; false if it is none or larger than 64 bits.  */
static bool
parse_integer (const char *text, size_t length, bool *ret_negative, uint64_t *ret_magnitude)
{
  size_t i = length > 0 && text[0] == '-';
  bool negative = i > 0;
  uint64_t magnitude = 0;
  for (; i < length; i++)
    {
      if (text[i] < '0' || text[i] > '9' || __builtin_mul_overflow (magnitude, 10, &magnitude)
          || __builtin_add_overflow (magnitude, (uint64_t) (text[i] - '0'), &magnitude))
        return false;
    }
  *ret_negative = negative && magnitude != 0;
  *ret_magnitude = magnitude;
  return true;
}

/* The text itself is read, not a double or an int64_t that yajl made of it: 18446744073709551615 is a valid limit.  */
bool
spec_store_number (const struct schema_row *row, bool is_item, void *address, const char *text, size_t length)
{
  bool negative;
  uint64_t magnitude;
  if (!parse_integer (text, length, &negative, &magnitude))
    return false;
  if (negative ? row->min >= 0 || magnitude > -(uint64_t) row->min : magnitude > row->max)
    return false;
  if (!negative && row->min > 0 && magnitude < (uint64_t) row->min)
    return false;

  if (is_item)
    *(uint64_t *) address = magnitude;
  else if (row->kind == SCHEMA_UINT)
    *(struct spec_uint *) address = (struct spec_uint){ .set = true, .value = magnitude };
  else
    *(struct spec_int *) address
        = (struct spec_int){ .set = true, .value = (int64_t) (negative ? -magnitude : magnitude) };
  return true;
}

bool
spec_store_word (const struct schema_row *row, bool is_item, void *address, const char *word)
{
  int64_t value;
  if (!names_find (row->names, word, &value))
    return false;
  if (row->shape == SCHEMA_SET)
    ((struct spec_uint *) address)->value |= (uint64_t) value;
  else if (is_item)
    *(uint64_t *) address = (uint64_t) value;
  else
    *(struct spec_int *) address = (struct spec_int){ .set = true, .value = value };
  return true;
}
