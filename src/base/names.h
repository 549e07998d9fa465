/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names and numbers: the shape of every table that maps a word of the specification to a number of the kernel.  Each
 * concept has one such table, used to decode, to print, by `features` and by completion.  */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct name
{
  const char *name;
  int64_t value;
};

/* A table and its length, for passing around.  */
struct names
{
  const struct name *rows;
  size_t count;
};

#define NAMES(array)                                                                                                   \
  {                                                                                                                    \
    (array), sizeof (array) / sizeof *(array)                                                                          \
  }

/* Looks NAME up; false if it is not there.  */
bool names_find (const struct names *names, const char *name, int64_t *ret_value);

/* The first name with VALUE, or NULL.  */
const char *names_of (const struct names *names, int64_t value);

/* The row nearest to NAME in spelling (edit distance, case ignored), or NULL if none is near: for "did you mean".  */
const char *names_nearest (const struct names *names, const char *name);

/* Edit distance as names_nearest counts it, capped at LIMIT + 1.  */
unsigned names_distance (const char *a, const char *b, unsigned limit);
