/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Text without stdio, which would be larger than the rest of init.  */
#include "init/init.h"

char *
format_number (char *to, int64_t value)
{
  char digits[20];
  size_t n = 0;
  uint64_t rest = value < 0 ? -(uint64_t) value : (uint64_t) value;

  if (value < 0)
    *to++ = '-';
  do
    digits[n++] = (char) ('0' + rest % 10);
  while (rest /= 10);
  while (n > 0)
    *to++ = digits[--n];
  *to = '\0';
  return to;
}

char *
copy_text (char *to, size_t size, const char *from)
{
  while (size > 1 && *from)
    {
      *to++ = *from++;
      size--;
    }
  *to = '\0';
  return to;
}
