/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Text of unknown origin, character by character, made fit for where it goes.
 *
 * File names, labels and the like may hold anything: bytes that are not UTF-8, and characters that drive a terminal or
 * reorder what is on it.  Messages, logs and JSON all pass through here.  */
#pragma once

#include <stddef.h>

enum escape_style
{
  ESCAPE_PLAIN,  /* for a person: \n, \x1b, \u202e; escaping twice changes nothing */
  ESCAPE_QUOTED, /* the same between double quotes: \" and \\ too */
  ESCAPE_JSON,   /* RFC 8259; a byte that is not UTF-8 becomes U+FFFD */
};

/* Room for one escaped character.  */
#define ESCAPE_MAX 8

/* Takes one character off the front of *TEXT (NUL-terminated), puts it as STYLE wants it into OUT (not terminated) and
 * returns how many bytes that took; 0 at the end of the text.  */
size_t escape_next (const char **text, enum escape_style style, char out[ESCAPE_MAX]);

/* Escapes TEXT into OUT, which has SIZE bytes, terminates it, and returns the length.  Cut at a character boundary when
 * it does not fit.  SIZE is not 0.  */
size_t escape_text (char *out, size_t size, const char *text, enum escape_style style);
