/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* src/base: memory, strings, names, times, escaping, errors, loading of libraries.  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first.  */
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/dlopen.h"
#include "base/error.h"
#include "base/escape.h"
#include "base/names.h"
#include "base/strbuf.h"

/* ---- arena, strbuf ---- */

static void
test_arena_objects (void **state)
{
  (void) state;
  ARENA_CLEANUP struct arena arena = { 0 };
  static const unsigned char zero[5000];

  /* Enough to fill several blocks: aligned, zeroed, apart from each other.  */
  unsigned char *last = NULL;
  size_t last_size = 0;
  for (size_t size = 0; size < sizeof zero; size += 7)
    {
      unsigned char *memory = arena_alloc (&arena, size);
      assert_non_null (memory);
      assert_int_equal ((uintptr_t) memory % alignof (max_align_t), 0);
      assert_memory_equal (memory, zero, size);
      memset (memory, 0xff, size);
      if (last != NULL)
        for (size_t i = 0; i < last_size; i++)
          assert_int_equal (last[i], 0xff);
      last = memory;
      last_size = size;
    }
}

static void
test_arena_large_and_free (void **state)
{
  (void) state;
  struct arena arena = { 0 };
  char *large = arena_alloc (&arena, 3 * 1024 * 1024);
  large[0] = large[3 * 1024 * 1024 - 1] = 'x';
  char *small = arena_strdup (&arena, "small");
  assert_string_equal (small, "small");

  arena_free (&arena);
  assert_null (arena.blocks);
  assert_string_equal (arena_strndup (&arena, "again and again", 5), "again");
  arena_free (&arena);
  arena_free (&arena);
  arena_free (NULL);
}

static void
test_arena_text (void **state)
{
  (void) state;
  ARENA_CLEANUP struct arena arena = { 0 };
  assert_string_equal (arena_printf (&arena, "%s-%d", "a", 42), "a-42");
  assert_string_equal (arena_printf (&arena, "%s", ""), "");
  assert_int_equal (strlen (arena_printf (&arena, "%*s", 100000, "x")), 100000);
  uint64_t *numbers = arena_array (&arena, uint64_t, 1000);
  assert_int_equal (numbers[999], 0);
}

static void
test_strbuf (void **state)
{
  (void) state;
  ARENA_CLEANUP struct arena arena = { 0 };
  struct strbuf buf = STRBUF_INIT (&arena);
  assert_string_equal (strbuf_text (&buf), "");
  strbuf_add_bytes (&buf, "", 0);
  assert_string_equal (strbuf_text (&buf), "");

  char expected[4096] = "";
  for (unsigned i = 0; i < 300; i++)
    {
      strbuf_printf (&buf, "%u", i);
      strbuf_add_char (&buf, ',');
      snprintf (expected + strlen (expected), 16, "%u,", i);
      assert_int_equal (buf.length, strlen (expected));
      assert_string_equal (strbuf_text (&buf), expected);
    }
  strbuf_add (&buf, "end");
  assert_string_equal (buf.text + buf.length - 3, "end");

  /* A piece larger than twice the text.  */
  strbuf_printf (&buf, "%*s", 20000, "x");
  assert_int_equal (buf.length, strlen (expected) + 3 + 20000);
  assert_int_equal (strlen (buf.text), buf.length);
}

/* ---- names ---- */

static const struct name fruit_rows[] = { { "apple", 1 }, { "pear", 2 }, { "PLUM", 3 }, { "pome", 1 } };
static const struct names fruit = NAMES (fruit_rows);

static void
test_names (void **state)
{
  (void) state;
  int64_t value = -7;
  assert_true (names_find (&fruit, "PLUM", &value));
  assert_int_equal (value, 3);
  value = -7;
  assert_false (names_find (&fruit, "plum", &value));
  assert_false (names_find (&fruit, "", &value));
  assert_int_equal (value, -7);
  assert_string_equal (names_of (&fruit, 1), "apple");
  assert_null (names_of (&fruit, 4));
}

static void
test_names_nearest (void **state)
{
  (void) state;
  assert_string_equal (names_nearest (&fruit, "aple"), "apple");
  assert_string_equal (names_nearest (&fruit, "plum"), "PLUM");
  assert_null (names_nearest (&fruit, "banana"));
  assert_null (names_nearest (&fruit, ""));
  assert_null (names_nearest (&fruit, "x"));

  assert_int_equal (names_distance ("kitten", "sitting", 9), 3);
  assert_int_equal (names_distance ("kitten", "sitting", 2), 3); /* limit + 1 */
  assert_int_equal (names_distance ("", "abc", 9), 3);
  assert_int_equal (names_distance ("ABC", "abc", 9), 0);
  char longest[100];
  memset (longest, 'a', sizeof longest - 1);
  longest[sizeof longest - 1] = '\0';
  assert_int_equal (names_distance (longest, longest, 9), 10);
}

/* ---- clock ---- */

static void
test_clock (void **state)
{
  (void) state;
  static const struct
  {
    time_t seconds;
    const char *text;
  } rows[] = {
    { 0, "1970-01-01T00:00:00.000000007Z" },          { -1, "1969-12-31T23:59:59.000000007Z" },
    { 951782399, "2000-02-28T23:59:59.000000007Z" },  { 951782400, "2000-02-29T00:00:00.000000007Z" },
    { 951868800, "2000-03-01T00:00:00.000000007Z" },  { 1709251199, "2024-02-29T23:59:59.000000007Z" },
    { 4107542400, "2100-03-01T00:00:00.000000007Z" }, { -62135596800, "0001-01-01T00:00:00.000000007Z" },
  };
  char text[CLOCK_TEXT_SIZE];
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    {
      struct timespec at = { .tv_sec = rows[i].seconds, .tv_nsec = 7 };
      assert_string_equal (clock_text (text, &at), rows[i].text);
    }

  /* libc is the oracle for the rest: a step that visits all days and hours.  */
  for (time_t seconds = -3000000000; seconds < 8000000000; seconds += 7777777)
    {
      struct tm tm;
      char expected[64];
      struct timespec at = { .tv_sec = seconds };
      strftime (expected, sizeof expected, "%Y-%m-%dT%H:%M:%S.000000000Z", gmtime_r (&seconds, &tm));
      assert_string_equal (clock_text (text, &at), expected);
    }

  char now[CLOCK_TEXT_SIZE];
  struct timespec before;
  clock_gettime (CLOCK_REALTIME, &before);
  clock_now_text (now);
  assert_true (strcmp (clock_text (text, &before), now) <= 0);
}

/* ---- escape ---- */

static void
check_escape (enum escape_style style, const char *text, const char *expected)
{
  char out[256];
  assert_int_equal (escape_text (out, sizeof out, text, style), strlen (expected));
  assert_string_equal (out, expected);
}

static void
test_escape (void **state)
{
  (void) state;
  static const enum escape_style plain = ESCAPE_PLAIN, quoted = ESCAPE_QUOTED, json = ESCAPE_JSON;
  check_escape (plain, "", "");
  check_escape (plain, "grün € 𝄞 \"\\", "grün € 𝄞 \"\\");
  check_escape (quoted, "a\"b\\c", "a\\\"b\\\\c");
  check_escape (json, "a\"b\\c", "a\\\"b\\\\c");

  /* What drives a terminal: C0, DEL, C1 in both encodings, order of text.  */
  check_escape (plain, "\x1b[31m\r\n\t\a\x7f", "\\x1b[31m\\r\\n\\t\\x07\\x7f");
  check_escape (json, "\x1b[31m\r\n\t\a\x7f", "\\u001b[31m\\r\\n\\t\\u0007\\u007f");
  check_escape (plain,
                "\x9b"
                "31m \xc2\x9b"
                "31m",
                "\\x9b31m \\u009b31m");
  check_escape (plain, "a\u202eb\u2066c\u2028d\ufeff", "a\\u202eb\\u2066c\\u2028d\\ufeff");
  check_escape (json, "a\u202eb", "a\\u202eb");

  /* Not UTF-8: lone and missing continuations, long forms, surrogates, too large, cut short.  */
  check_escape (plain, "\x80|\xc3(|\xc0\xaf|\xed\xa0\x80|\xf4\x90\x80\x80|\xff|\xe2\x82",
                "\\x80|\\xc3(|\\xc0\\xaf|\\xed\\xa0\\x80|\\xf4\\x90\\x80\\x80|\\xff|\\xe2\\x82");
  check_escape (json, "\x80|\xe2\x82", "\xef\xbf\xbd|\xef\xbf\xbd\xef\xbf\xbd");
  check_escape (plain, "\u07ff\u0800\uffff\U00010000\U0010ffff", "\u07ff\u0800\uffff\U00010000\U0010ffff");
}

static void
test_escape_cut (void **state)
{
  (void) state;
  /* Never half a character and never half an escape.  */
  char out[8];
  assert_int_equal (escape_text (out, 1, "abc", ESCAPE_PLAIN), 0);
  assert_string_equal (out, "");
  assert_int_equal (escape_text (out, 4, "abcd", ESCAPE_PLAIN), 3);
  assert_string_equal (out, "abc");
  assert_int_equal (escape_text (out, 4, "a€", ESCAPE_PLAIN), 1);
  assert_int_equal (escape_text (out, 5, "a€", ESCAPE_PLAIN), 4);
  assert_string_equal (out, "a€");
  assert_int_equal (escape_text (out, 5, "a\x1b", ESCAPE_PLAIN), 1);
  assert_int_equal (escape_text (out, 6, "a\x1b", ESCAPE_PLAIN), 5);
  assert_string_equal (out, "a\\x1b");
}

/* ---- error ---- */

static void
test_error (void **state)
{
  (void) state;
  struct error err = { 0 };
  assert_int_equal (error_set (&err, ENOENT, "no %s", "way"), -ENOENT);
  assert_int_equal (err.code, ENOENT);
  assert_string_equal (err.message, "no way");

  assert_int_equal (error_sys (&err, -EACCES, "open %s", "/x"), -EACCES);
  assert_int_equal (err.code, EACCES);
  assert_string_equal (err.message, "open /x: Permission denied");

  error_hint (&err, "try %d", 7);
  assert_string_equal (err.hint, "try 7");
  assert_int_equal (error_context (&err, "create %s", "web1"), -EACCES);
  assert_string_equal (err.message, "create web1: open /x: Permission denied");
  assert_string_equal (err.hint, "try 7");

  /* A new record takes nothing over, but may be made from the old one.  */
  error_set (&err, EINVAL, "was: %s", err.message);
  assert_string_equal (err.message, "was: create web1: open /x: Permission denied");
  assert_string_equal (err.hint, "");

  error_clear (&err);
  assert_int_equal (err.code, 0);
  assert_string_equal (err.message, "");

  assert_int_equal (error_set (NULL, ENOENT, "%s", ""), -ENOENT);
  assert_int_equal (error_sys (NULL, -ENOENT, "%s", ""), -ENOENT);
  error_hint (NULL, "%s", "");
  error_clear (NULL);
}

static void
test_error_is_one_safe_line (void **state)
{
  (void) state;
  struct error err = { 0 };
  error_sys (&err, ENOENT, "bind /a\x1b]0;evil\a\n/b\xff");
  assert_string_equal (err.message, "bind /a\\x1b]0;evil\\x07\\n/b\\xff: No such file or directory");
  error_hint (&err, "rm \r%s", "x");
  assert_string_equal (err.hint, "rm \\rx");
  error_context (&err, "run\t%s", "web");
  assert_string_equal (err.message, "run\\tweb: bind /a\\x1b]0;evil\\x07\\n/b\\xff: No such file or directory");
}

static void
test_error_too_long (void **state)
{
  (void) state;
  static const char answer[] = ": No such file or directory";
  char text[2 * ERROR_MESSAGE_MAX];
  for (size_t i = 0; i + 3 < sizeof text; i += 3)
    memcpy (text + i, "€", 4);

  struct error err = { 0 };
  error_sys (&err, ENOENT, "%s", text);
  size_t length = strlen (err.message), rest = length - strlen (answer);
  assert_true (length < sizeof err.message && length > sizeof err.message - 4);
  assert_string_equal (err.message + rest, answer);
  assert_int_equal (rest % 3, 0); /* whole characters */

  error_context (&err, "%s", text);
  assert_true (strlen (err.message) < sizeof err.message);
  error_hint (&err, "%s", text);
  assert_true (strlen (err.hint) < sizeof err.hint && strlen (err.hint) > sizeof err.hint - 4);

  /* Escapes make it four times as long.  */
  memset (text, 1, sizeof text - 1);
  text[sizeof text - 1] = '\0';
  error_set (&err, EINVAL, "%s", text);
  assert_int_equal (strlen (err.message), (sizeof err.message - 1) / 4 * 4);
}

/* ---- dlopen ---- */

struct libm
{
  DLOPEN_MEMBER (cos);
  DLOPEN_MEMBER (sin);
};

static void
test_dlopen (void **state)
{
  (void) state;
  struct error err = { 0 };
  struct libm lib;
  static const struct dlopen_symbol good[] = { DLOPEN_SYMBOL (struct libm, cos), DLOPEN_SYMBOL (struct libm, sin) };
  assert_int_equal (dlopen_symbols ("libm.so.6", good, 2, &lib, &err), 0);
  assert_true (lib.cos (0) == 1.0 && lib.sin (0) == 0.0);

  static const struct dlopen_symbol optional[]
      = { DLOPEN_SYMBOL (struct libm, cos),
          { .name = "no_such_function", .offset = offsetof (struct libm, sin), .optional = true } };
  assert_int_equal (dlopen_symbols ("libm.so.6", optional, 2, &lib, &err), 0);
  assert_null (lib.sin);

  static const struct dlopen_symbol bad[] = { { .name = "no_such_function" } };
  assert_int_equal (dlopen_symbols ("libm.so.6", bad, 1, &lib, &err), -EOPNOTSUPP);
  assert_string_equal (err.message, "load libm.so.6: it has no no_such_function");
  assert_int_equal (dlopen_symbols ("libnowhere.so.0", bad, 1, &lib, &err), -EOPNOTSUPP);
  assert_non_null (strstr (err.message, "load libnowhere.so.0: "));
  assert_non_null (strstr (err.message, "cannot open shared object file"));
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_arena_objects),
    cmocka_unit_test (test_arena_large_and_free),
    cmocka_unit_test (test_arena_text),
    cmocka_unit_test (test_strbuf),
    cmocka_unit_test (test_names),
    cmocka_unit_test (test_names_nearest),
    cmocka_unit_test (test_clock),
    cmocka_unit_test (test_escape),
    cmocka_unit_test (test_escape_cut),
    cmocka_unit_test (test_error),
    cmocka_unit_test (test_error_is_one_safe_line),
    cmocka_unit_test (test_error_too_long),
    cmocka_unit_test (test_dlopen),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
