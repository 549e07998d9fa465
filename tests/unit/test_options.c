/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* src/cli: parsing options by their table.  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first.  */
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/strbuf.h"
#include "cli/options.h"

struct example_values
{
  const char *bundle, *config;
  unsigned number;
  int format;
  bool detach, force;
  const char *const *env;
};

static const struct name format_rows[] = { { "table", 0 }, { "json", 7 }, { "array", 7 } };
static const struct names formats = NAMES (format_rows);

static const struct option rows[] = {
  STRING (example_values, bundle, "bundle", 'b', "DIR", "the bundle"),
  STRING (example_values, config, "config", 0, "FILE", "the configuration"),
  NUMBER (example_values, number, "preserve-fds", 'n', "N", "a number"),
  WORD (example_values, format, "format", 'f', &formats, "a word"),
  FLAG (example_values, detach, "detach", 'd', "a flag"),
  LIST (example_values, env, "env", 'e', "NAME=VALUE", "one more"),
  FLAG (example_values, force, "detached-force", 'F', "another"),
};
static const struct options options = OPTIONS (rows);

static struct example_values values;
static struct operands operands;
static struct error err;
static char *words[16];
static struct arena arena;

/* Parses the arguments, NULL-terminated.  */
static int
parse (int first_only, ...)
{
  size_t count = 0;
  va_list list;
  va_start (list, first_only);
  do
    words[count] = va_arg (list, char *);
  while (words[count++] != NULL);
  va_end (list);
  values = (struct example_values){ 0 };
  error_clear (&err);
  return options_parse (&arena, &options, &values, words, first_only, &operands, &err);
}

static void
test_values (void **state)
{
  (void) state;
  assert_int_equal (parse (false, "--bundle", "/a", "--preserve-fds=3", "--format=json", "--detach", NULL), 0);
  assert_string_equal (values.bundle, "/a");
  assert_int_equal (values.number, 3);
  assert_int_equal (values.format, 7);
  assert_true (values.detach);
  assert_false (values.force);
  assert_int_equal (operands.count, 0);
  assert_false (operands.help);

  assert_int_equal (parse (false, "--bundle=", "--config", "--detach", "--detach=false", NULL), 0);
  assert_string_equal (values.bundle, "");
  assert_string_equal (values.config, "--detach"); /* a value, whatever it looks like */
  assert_false (values.detach);
}

static void
test_letters (void **state)
{
  (void) state;
  assert_int_equal (parse (false, "-dF", "-b/a", "-n", "4", NULL), 0);
  assert_true (values.detach && values.force);
  assert_string_equal (values.bundle, "/a");
  assert_int_equal (values.number, 4);
  assert_int_equal (parse (false, "-dfarray", NULL), 0);
  assert_true (values.detach);
  assert_int_equal (values.format, 7);

  assert_int_equal (parse (false, "-dx", NULL), -EINVAL);
  assert_string_equal (err.message, "unknown option -x");
  assert_int_equal (parse (false, "-b", NULL), -EINVAL);
  assert_string_equal (err.message, "option --bundle needs a value");
}

static void
test_list (void **state)
{
  (void) state;
  assert_int_equal (parse (false, "-d", NULL), 0);
  assert_null (values.env);
  assert_int_equal (parse (false, "-e", "A=1", "--env", "", "--env=C", "-deD", "--env=E", NULL), 0);
  static const char *const wanted[] = { "A=1", "", "C", "D", "E" };
  for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
    assert_string_equal (values.env[i], wanted[i]);
  assert_null (values.env[sizeof wanted / sizeof *wanted]);
  assert_int_equal (parse (false, "-e", NULL), -EINVAL);
  assert_string_equal (err.message, "option --env needs a value");
  arena_free (&arena);
}

static void
test_operands (void **state)
{
  (void) state;
  /* Options may stand on both sides of operands.  */
  assert_int_equal (parse (false, "web1", "--detach", "-", "-b", "x", "9", NULL), 0);
  assert_int_equal (operands.count, 3);
  assert_string_equal (operands.words[0], "web1");
  assert_string_equal (operands.words[1], "-");
  assert_string_equal (operands.words[2], "9");
  assert_null (operands.words[3]);
  assert_true (values.detach);

  assert_int_equal (parse (false, "--", "--detach", "-b", "--", NULL), 0);
  assert_int_equal (operands.count, 3);
  assert_string_equal (operands.words[0], "--detach");
  assert_string_equal (operands.words[2], "--");
  assert_false (values.detach);

  assert_int_equal (parse (true, "-d", "run", "--unknown", "web1", NULL), 0);
  assert_true (values.detach);
  assert_int_equal (operands.count, 3);
  assert_string_equal (operands.words[0], "run");
  assert_string_equal (operands.words[1], "--unknown");

  assert_int_equal (parse (false, NULL), 0);
  assert_int_equal (operands.count, 0);
}

static void
test_abbreviation (void **state)
{
  (void) state;
  assert_int_equal (parse (false, "--bun", "/a", "--f=json", "--detach", NULL), 0);
  assert_string_equal (values.bundle, "/a");
  assert_int_equal (values.format, 7);
  assert_true (values.detach); /* the whole name of one is no abbreviation of the other */
  assert_false (values.force);
  assert_int_equal (parse (false, "--deta", NULL), -EINVAL);
  assert_string_equal (err.message, "option --deta is ambiguous: --detach, --detached-force");
}

static void
test_wrong (void **state)
{
  (void) state;
  assert_int_equal (parse (false, "--bundel", "x", NULL), -EINVAL);
  assert_string_equal (err.message, "unknown option --bundel");
  assert_string_equal (err.hint, "did you mean --bundle?");
  assert_int_equal (parse (false, "--confgi=x", NULL), -EINVAL);
  assert_string_equal (err.message, "unknown option --confgi");
  assert_string_equal (err.hint, "did you mean --config?");
  assert_int_equal (parse (false, "--=x", NULL), -EINVAL);
  assert_int_equal (parse (false, "--config", NULL), -EINVAL);
  assert_string_equal (err.message, "option --config needs a value");
  assert_int_equal (parse (false, "--detach=maybe", NULL), -EINVAL);
  assert_string_equal (err.hint, "it takes one of true, false");
  assert_int_equal (parse (false, "--format=xml", NULL), -EINVAL);
  assert_string_equal (err.message, "--format does not take 'xml'");
  assert_string_equal (err.hint, "it takes one of table, json");

  static const char *const numbers[] = { "", "-1", "+1", " 1", "1 ", "0x1", "2147483648", "99999999999999999999", "a" };
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
    assert_int_equal (parse (false, "--preserve-fds", numbers[i], NULL), -EINVAL);
  assert_int_equal (parse (false, "--preserve-fds", "2147483647", NULL), 0);

  /* A very long name does not run over.  */
  char name[4096];
  memset (name, '-', 2);
  memset (name + 2, 'x', sizeof name - 3);
  name[sizeof name - 1] = '\0';
  assert_int_equal (parse (false, name, NULL), -EINVAL);
}

static void
test_help (void **state)
{
  (void) state;
  assert_int_equal (parse (false, "-d", "--help", "--unknown", NULL), 0);
  assert_true (operands.help);
  assert_int_equal (parse (false, "-dh", NULL), 0);
  assert_true (operands.help);
  assert_int_equal (parse (false, "--help=false", "web1", NULL), 0);
  assert_false (operands.help);
  assert_int_equal (operands.count, 1);

  struct strbuf out = STRBUF_INIT (&arena);
  options_help (&options, &out);
  const char *text = strbuf_text (&out);
  assert_non_null (strstr (text, "  -b, --bundle DIR          the bundle\n"));
  assert_non_null (strstr (text, "      --config FILE         the configuration\n"));
  assert_non_null (strstr (text, "  -f, --format table|json   a word\n"));
  assert_non_null (strstr (text, "  -h, --help                show this text\n"));
  arena_free (&arena);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_values),       cmocka_unit_test (test_letters), cmocka_unit_test (test_operands),
    cmocka_unit_test (test_abbreviation), cmocka_unit_test (test_wrong),   cmocka_unit_test (test_help),
    cmocka_unit_test (test_list),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
