/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command line as data: a row per option, from which it is parsed and from which --help is printed.
 *
 * Options may stand before and after operands, as --name=value and --name value, abbreviated where that is not
 * ambiguous, and by letters (-fq, -bDIR, -b DIR).  "--" ends them; "-" is an operand.  Every table also has -h and
 * --help.  */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/names.h"

struct arena;
struct error;
struct strbuf;

enum option_kind
{
  OPTION_FLAG,   /* bool; --name=false is taken, too */
  OPTION_STRING, /* const char * */
  OPTION_LIST,   /* const char *const *, NULL-terminated: may be given more than once; NULL: was not */
  OPTION_NUMBER, /* unsigned */
  OPTION_WORD,   /* int: the number that WORDS has for the word given */
};

struct option
{
  const char *name;
  char letter; /* 0: none */
  uint8_t kind;
  uint16_t offset;      /* in the struct of values */
  const char *argument; /* what --help calls the value; NULL: the words themselves */
  const char *help;
  const struct names *words;
};

/* Rows: FLAG (create_values, detach, "detach", 'd', "return when the program runs").  */
#define OPTION_(structure, member, name_, letter_, kind_, type)                                                        \
  .name = name_, .letter = letter_, .kind = kind_,                                                                     \
  .offset                                                                                                              \
      = offsetof (struct structure, member)                                                                            \
        + 0                                                                                                            \
              * sizeof (                                                                                               \
                  char[__builtin_types_compatible_p (__typeof__ (((struct structure *) 0)->member), type) ? 1 : -1])
#define FLAG(structure, member, name_, letter_, help_)                                                                 \
  {                                                                                                                    \
    OPTION_ (structure, member, name_, letter_, OPTION_FLAG, bool), .help = help_                                      \
  }
#define STRING(structure, member, name_, letter_, argument_, help_)                                                    \
  {                                                                                                                    \
    OPTION_ (structure, member, name_, letter_, OPTION_STRING, const char *), .argument = argument_, .help = help_     \
  }
#define LIST(structure, member, name_, letter_, argument_, help_)                                                      \
  {                                                                                                                    \
    OPTION_ (structure, member, name_, letter_, OPTION_LIST, const char *const *), .argument = argument_,              \
                                                                                   .help = help_                       \
  }
#define NUMBER(structure, member, name_, letter_, argument_, help_)                                                    \
  {                                                                                                                    \
    OPTION_ (structure, member, name_, letter_, OPTION_NUMBER, unsigned), .argument = argument_, .help = help_         \
  }
#define WORD(structure, member, name_, letter_, words_, help_)                                                         \
  {                                                                                                                    \
    OPTION_ (structure, member, name_, letter_, OPTION_WORD, int), .words = words_, .help = help_                      \
  }

struct options
{
  const struct option *rows;
  size_t count;
};

#define OPTIONS(rows_)                                                                                                 \
  {                                                                                                                    \
    .rows = rows_, .count = sizeof rows_ / sizeof *rows_                                                               \
  }

/* What is left of a command line.  */
struct operands
{
  char **words; /* in place: the front of what was parsed */
  size_t count;
  bool help; /* -h or --help: nothing after it was looked at */
};

/* Parses the NULL-terminated WORDS into VALUES by OPTIONS; reorders WORDS.  Where FIRST_ONLY the first operand ends the
 * options: all after it are operands.  Unknown ones are -EINVAL with the nearest known one as the hint.  Lists are made
 * in ARENA.  */
int options_parse (struct arena *arena, const struct options *options, void *values, char **words, bool first_only,
                   struct operands *ret_operands, struct error *err);

/* Adds the options' part of a help text.  */
void options_help (const struct options *options, struct strbuf *out);
