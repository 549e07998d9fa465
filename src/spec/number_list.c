/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lists of CPUs and memory nodes: "0-3,7".  */
#include <errno.h>
#include <string.h>

#include "spec/source.h"
#include "spec/validate.h"

/* Takes a number off the front of *TEXT.  Six digits are more than any kernel has CPUs.  */
static bool
take_number (const char **text, unsigned *ret_number)
{
  unsigned number = 0;
  size_t digits = strspn (*text, "0123456789");
  if (digits == 0 || digits > 6)
    return false;
  for (size_t i = 0; i < digits; i++)
    number = number * 10 + (unsigned) ((*text)[i] - '0');
  *text += digits;
  *ret_number = number;
  return true;
}

static void
skip_spaces (const char **text)
{
  *text += strspn (*text, " ");
}

int
spec_number_list_next (const char **text, unsigned *ret_first, unsigned *ret_last)
{
  *text += strspn (*text, " ,");
  if (**text == '\0')
    return 0;
  unsigned first, last;
  if (!take_number (text, &first))
    return -EINVAL;
  last = first;
  skip_spaces (text);
  if (**text == '-')
    {
      ++*text;
      skip_spaces (text);
      if (!take_number (text, &last))
        return -EINVAL;
      skip_spaces (text);
    }
  if (last < first || (**text != ',' && **text != '\0'))
    return -EINVAL;
  *ret_first = first;
  *ret_last = last;
  return 1;
}

int
spec_check_number_list (const struct check *check, const char *const *list)
{
  const char *rest = *list == NULL ? "" : *list;
  unsigned first, last;
  int result;
  while ((result = spec_number_list_next (&rest, &first, &last)) > 0)
    continue;
  return result == 0 ? 0 : COMPLAIN (check, list, "\"%s\" is not a list of numbers such as 0-3,7", *list);
}
