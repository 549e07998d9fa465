/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Parsing options by their table, and printing it.  */
#include "cli/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/strbuf.h"

enum
{
  OPTIONS_MAX = 64, /* of a command: for the search of the nearest name */
  HELP_COLUMN = 28, /* where explanations begin */
};

static const struct option help_option
    = { .name = "help", .letter = 'h', .kind = OPTION_FLAG, .help = "show this text" };

static const struct name truth_rows[] = { { "true", 1 }, { "false", 0 } };
static const struct names truth = NAMES (truth_rows);

/* The options being parsed.  */
struct parser
{
  struct arena *arena;
  const struct options *options;
  char *values;
  char **next; /* the word after the current one */
  bool help;
  struct error *err;
};

/* The row at INDEX, the last of which is --help.  */
static const struct option *
row_at (const struct options *options, size_t index)
{
  return index < options->count ? &options->rows[index] : &help_option;
}

static int
unknown_name (const struct parser *p, const char *name, size_t length)
{
  struct name rows[OPTIONS_MAX];
  struct names names = { .rows = rows };
  for (size_t i = 0; i <= p->options->count && i < OPTIONS_MAX; i++)
    rows[names.count++] = (struct name){ row_at (p->options, i)->name, 0 };

  char copy[64];
  if (length >= sizeof copy)
    length = sizeof copy - 1;
  memcpy (copy, name, length);
  copy[length] = '\0';
  error_set (p->err, EINVAL, "unknown option --%s", copy);
  const char *nearest = names_nearest (&names, copy);
  if (nearest != NULL)
    error_hint (p->err, "did you mean --%s?", nearest);
  return -EINVAL;
}

/* Finds the option NAME of LENGTH characters, or the only one that begins so.  */
static int
find_name (const struct parser *p, const char *name, size_t length, const struct option **ret_option)
{
  const struct option *found = NULL;
  for (size_t i = 0; i <= p->options->count; i++)
    {
      const struct option *option = row_at (p->options, i);
      if (strncmp (option->name, name, length) != 0)
        continue;
      if (option->name[length] == '\0')
        {
          *ret_option = option;
          return 0;
        }
      if (found != NULL)
        return error_set (p->err, EINVAL, "option --%.*s is ambiguous: --%s, --%s", (int) length, name, found->name,
                          option->name);
      found = option;
    }
  if (found == NULL || length == 0)
    return unknown_name (p, name, length);
  *ret_option = found;
  return 0;
}

static const struct option *
find_letter (const struct options *options, char letter)
{
  for (size_t i = 0; i <= options->count; i++)
    if (row_at (options, i)->letter == letter)
      return row_at (options, i);
  return NULL;
}

/* Lists WORDS but those that mean the same as one before.  */
static void
list_words (const struct names *words, const char *separator, struct strbuf *out)
{
  for (size_t i = 0; i < words->count; i++)
    if (names_of (words, words->rows[i].value) == words->rows[i].name)
      {
        strbuf_add (out, i > 0 ? separator : "");
        strbuf_add (out, words->rows[i].name);
      }
}

/* The word VALUE of NAMES.  */
static int
store_word (const struct parser *p, const struct option *option, const struct names *words, const char *value,
            int64_t *ret_number)
{
  if (names_find (words, value, ret_number))
    return 0;
  error_set (p->err, EINVAL, "--%s does not take '%s'", option->name, value);
  struct arena arena = { 0 };
  struct strbuf list = STRBUF_INIT (&arena);
  list_words (words, ", ", &list);
  error_hint (p->err, "it takes one of %s", strbuf_text (&list));
  arena_free (&arena);
  return -EINVAL;
}

static int
store_number (const struct parser *p, const struct option *option, const char *value, unsigned *ret_number)
{
  char *end;
  errno = 0;
  unsigned long number = strtoul (value, &end, 10);
  if (value[0] < '0' || value[0] > '9' || *end != '\0' || errno != 0 || number > INT32_MAX)
    return error_set (p->err, EINVAL, "--%s takes a number from 0 to %d, not '%s'", option->name, INT32_MAX, value);
  *ret_number = (unsigned) number;
  return 0;
}

/* Adds VALUE to the list at AT.  */
static void
store_item (struct parser *p, const char *const **at, const char *value)
{
  size_t count = 0;
  while (*at != NULL && (*at)[count] != NULL)
    count++;
  const char **items = (const char **) *at;
  if ((count & (count + 1)) == 0) /* one less than a power of two: with its end the list is full */
    {
      items = arena_array (p->arena, const char *, 2 * count + 2);
      if (count > 0)
        memcpy (items, *at, count * sizeof *items);
      *at = items;
    }
  items[count] = value;
}

/* Stores VALUE (of a flag: NULL is true).  */
static int
store (struct parser *p, const struct option *option, const char *value)
{
  void *at = p->values + option->offset;
  int64_t number = 1;
  int r = 0;
  switch (option->kind)
    {
    case OPTION_FLAG:
      if (value != NULL)
        r = store_word (p, option, &truth, value, &number);
      if (r < 0)
        return r;
      if (option == &help_option)
        p->help = number != 0;
      else
        *(bool *) at = number != 0;
      return 0;
    case OPTION_STRING:
      *(const char **) at = value;
      return 0;
    case OPTION_LIST:
      store_item (p, at, value);
      return 0;
    case OPTION_NUMBER:
      return store_number (p, option, value, at);
    default:
      r = store_word (p, option, option->words, value, &number);
      if (r == 0)
        *(int *) at = (int) number;
      return r;
    }
}

/* The value of OPTION that is the next word.  */
static int
take_value (struct parser *p, const struct option *option, const char **ret_value)
{
  if (*p->next == NULL)
    return error_set (p->err, EINVAL, "option --%s needs a value", option->name);
  *ret_value = *p->next++;
  return 0;
}

/* --name, --name=value, --name value.  */
static int
parse_name (struct parser *p, const char *name)
{
  size_t length = strcspn (name, "=");
  const char *value = name[length] == '=' ? name + length + 1 : NULL;
  const struct option *option = NULL;
  int r = find_name (p, name, length, &option);
  if (r == 0 && value == NULL && option->kind != OPTION_FLAG)
    r = take_value (p, option, &value);
  return r < 0 ? r : store (p, option, value);
}

/* -f, -fq, -bDIR, -b DIR.  */
static int
parse_letters (struct parser *p, const char *letters)
{
  for (; *letters != '\0' && !p->help; letters++)
    {
      const struct option *option = find_letter (p->options, *letters);
      if (option == NULL)
        return error_set (p->err, EINVAL, "unknown option -%c", *letters);
      if (option->kind != OPTION_FLAG)
        {
          const char *value = letters + 1;
          int r = *value == '\0' ? take_value (p, option, &value) : 0;
          return r < 0 ? r : store (p, option, value);
        }
      int r = store (p, option, NULL);
      if (r < 0)
        return r;
    }
  return 0;
}

int
options_parse (struct arena *arena, const struct options *options, void *values, char **words, bool first_only,
               struct operands *ret_operands, struct error *err)
{
  struct parser p = { .arena = arena, .options = options, .values = values, .next = words, .err = err };
  size_t count = 0;
  bool done = false;
  while (*p.next != NULL && !p.help)
    {
      char *word = *p.next++;
      int r = 0;
      if (!done && strcmp (word, "--") == 0)
        done = true;
      else if (!done && word[0] == '-' && word[1] == '-')
        r = parse_name (&p, word + 2);
      else if (!done && word[0] == '-' && word[1] != '\0')
        r = parse_letters (&p, word + 1);
      else
        {
          words[count++] = word; /* never ahead of what is being read */
          done |= first_only;
        }
      if (r < 0)
        return r;
    }
  words[count] = NULL;
  *ret_operands = (struct operands){ .words = words, .count = count, .help = p.help };
  return 0;
}

void
options_help (const struct options *options, struct strbuf *out)
{
  strbuf_add (out, "\nOptions:\n");
  for (size_t i = 0; i <= options->count; i++)
    {
      const struct option *option = row_at (options, i);
      size_t start = out->length;
      if (option->letter != '\0')
        strbuf_printf (out, "  -%c, --%s", option->letter, option->name);
      else
        strbuf_printf (out, "      --%s", option->name);
      if (option->argument != NULL)
        strbuf_printf (out, " %s", option->argument);
      else if (option->words != NULL)
        {
          strbuf_add_char (out, ' ');
          list_words (option->words, "|", out);
        }
      size_t width = out->length - start;
      if (width + 2 > HELP_COLUMN)
        {
          strbuf_add_char (out, '\n');
          width = 0;
        }
      strbuf_printf (out, "%*s%s\n", (int) (HELP_COLUMN - width), "", option->help);
    }
}
