/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rdt/schema.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

/* A piece of a text.  */
struct slice
{
  const char *start;
  size_t length;
};

/* Takes what stands before one of ENDS off the front of *REST, and that, too, without blanks around it.  False if
 * nothing is left.  */
static bool
take (const char **rest, const char *ends, struct slice *ret)
{
  const char *start = *rest, *end;
  if (start == NULL || *start == '\0')
    return false;
  end = start + strcspn (start, ends);
  *rest = *end == '\0' ? end : end + 1;
  start += strspn (start, " \t");
  while (end > start && (end[-1] == ' ' || end[-1] == '\t'))
    end--;
  *ret = (struct slice){ start, end > start ? (size_t) (end - start) : 0 };
  return true;
}

static bool
same_word (struct slice a, struct slice b)
{
  return a.length == b.length && strncmp (a.start, b.start, a.length) == 0;
}

/* Numbers of either base are the same if their digits are, but for zeros in front.  */
static bool
same_number (struct slice a, struct slice b)
{
  for (; a.length > 1 && *a.start == '0'; a.start++, a.length--)
    ;
  for (; b.length > 1 && *b.start == '0'; b.start++, b.length--)
    ;
  return a.length == b.length && strncasecmp (a.start, b.start, a.length) == 0;
}

/* Takes "DOMAIN=VALUE" off the front of *REST.  */
static bool
take_pair (const char **rest, struct slice *ret_domain, struct slice *ret_value)
{
  return take (rest, "=", ret_domain) && take (rest, ";\n", ret_value);
}

/* Whether LINE, what follows the resource's name up to the end of the line, has VALUE for DOMAIN.  */
static bool
line_has (struct slice line, struct slice domain, struct slice value)
{
  const char *rest = line.start, *end = line.start + line.length;
  struct slice id, mask;
  while (rest < end && take_pair (&rest, &id, &mask))
    if (same_number (id, domain))
      return same_number (mask, value);
  return false;
}

/* The line of RESOURCE in SCHEMATA, behind the colon.  */
static bool
find_line (const char *schemata, struct slice resource, struct slice *ret)
{
  struct slice line, name;
  while (take (&schemata, "\n", &line))
    {
      const char *rest = line.start;
      if (memchr (line.start, ':', line.length) == NULL || !take (&rest, ":", &name) || !same_word (name, resource))
        continue;
      *ret = (struct slice){ rest, (size_t) (line.start + line.length - rest) };
      return true;
    }
  return false;
}

bool
rdt_schema_holds (const char *schemata, const char *wanted)
{
  struct slice resource, line, domain, value;
  if (strchr (wanted, ':') == NULL || !take (&wanted, ":", &resource) || !find_line (schemata, resource, &line))
    return false;
  while (*wanted != '\0')
    if (!take_pair (&wanted, &domain, &value) || !line_has (line, domain, value))
      return false;
  return true;
}
