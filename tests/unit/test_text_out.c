/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* src/base: the JSON writer and the log.  yajl reads back what is called JSON.  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first.  */
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yajl/yajl_tree.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/strbuf.h"

static void
write_example (struct json_writer *w)
{
  json_object_begin (w, NULL);
  json_string (w, "id", "web \"1\"\n");
  json_string (w, "none", NULL);
  json_integer (w, "least", INT64_MIN);
  json_unsigned (w, "most", UINT64_MAX);
  json_bool (w, "yes", true);
  json_array_begin (w, "list");
  json_integer (w, NULL, 1);
  json_array_begin (w, NULL);
  json_array_end (w);
  json_object_begin (w, NULL);
  json_bool (w, "no", false);
  json_object_end (w);
  json_array_end (w);
  json_raw (w, "raw", "[1,2]");
  json_object_begin (w, "empty");
  json_object_end (w);
  json_object_end (w);
}

static void
test_json_compact (void **state)
{
  (void) state;
  ARENA_CLEANUP struct arena arena = { 0 };
  struct strbuf out = STRBUF_INIT (&arena);
  struct json_writer w = { .out = &out };
  write_example (&w);
  assert_string_equal (strbuf_text (&out),
                       "{\"id\":\"web \\\"1\\\"\\n\",\"none\":null,\"least\":-9223372036854775808,"
                       "\"most\":18446744073709551615,\"yes\":true,\"list\":[1,[],{\"no\":false}],\"raw\":[1,2],"
                       "\"empty\":{}}");
}

static void
test_json_indented (void **state)
{
  (void) state;
  ARENA_CLEANUP struct arena arena = { 0 };
  struct strbuf out = STRBUF_INIT (&arena);
  struct json_writer w = { .out = &out, .indent = 2 };
  write_example (&w);
  assert_string_equal (strbuf_text (&out), "{\n"
                                           "  \"id\": \"web \\\"1\\\"\\n\",\n"
                                           "  \"none\": null,\n"
                                           "  \"least\": -9223372036854775808,\n"
                                           "  \"most\": 18446744073709551615,\n"
                                           "  \"yes\": true,\n"
                                           "  \"list\": [\n"
                                           "    1,\n"
                                           "    [],\n"
                                           "    {\n"
                                           "      \"no\": false\n"
                                           "    }\n"
                                           "  ],\n"
                                           "  \"raw\": [1,2],\n"
                                           "  \"empty\": {}\n"
                                           "}");
}

/* Every byte, alone and between letters, survives as valid JSON.  */
static void
test_json_any_bytes (void **state)
{
  (void) state;
  ARENA_CLEANUP struct arena arena = { 0 };
  for (int byte = 1; byte < 256; byte++)
    {
      char text[] = { 'a', (char) byte, 'b', (char) byte, '\0' }, message[256];
      struct strbuf out = STRBUF_INIT (&arena);
      struct json_writer w = { .out = &out };
      json_object_begin (&w, NULL);
      json_string (&w, text, text);
      json_object_end (&w);
      yajl_val root = yajl_tree_parse (strbuf_text (&out), message, sizeof message);
      assert_non_null (root);
      assert_string_equal (root->u.object.keys[0], root->u.object.values[0]->u.string);
      if (byte < 0x80)
        assert_string_equal (root->u.object.keys[0], text);
      yajl_tree_free (root);
    }
}

/* ---- log ---- */

/* The one record that was written to the pipe since the last call: exactly one write(2), since it is a packet pipe.  */
static const char *
read_line (int fd, char *line, size_t size)
{
  ssize_t length = read (fd, line, size - 1);
  assert_true (length > 0);
  line[length] = '\0';
  assert_ptr_equal (strchr (line, '\n'), line + length - 1);
  line[length - 1] = '\0';
  return line;
}

static void
open_pipe (int fds[2])
{
  assert_int_equal (pipe2 (fds, O_CLOEXEC | O_DIRECT | O_NONBLOCK), 0);
}

/* "2026-02-03T04:05:06.000000789Z" */
static void
check_time (const char *text, size_t length)
{
  static const char shape[] = "dddd-dd-ddTdd:dd:dd.dddddddddZ";
  assert_int_equal (length, strlen (shape));
  for (size_t i = 0; i < length; i++)
    if (shape[i] == 'd')
      assert_in_range (text[i], '0', '9');
    else
      assert_int_equal (text[i], shape[i]);
}

static void
test_log_text (void **state)
{
  (void) state;
  int fds[2];
  char line[65536];
  open_pipe (fds);
  log_open (fds[1], LOG_FORMAT_TEXT, LOG_LEVEL_DEBUG);

  errno = ENOTTY;
  log_warning ("a \"%s\"\n\x1b[2J", "b\\");
  assert_int_equal (errno, ENOTTY);
  read_line (fds[0], line, sizeof line);
  assert_memory_equal (line, "time=\"", 6);
  check_time (line + 6, strcspn (line + 6, "\""));
  assert_string_equal (strchr (line, ' '), " level=warning msg=\"a \\\"b\\\\\\\"\\n\\x1b[2J\"");

  log_debug ("%s", "");
  assert_string_equal (strchr (read_line (fds[0], line, sizeof line), ' '), " level=debug msg=\"\"");
  log_open (-1, LOG_FORMAT_TEXT, LOG_LEVEL_DEBUG);
  fd_close (fds[0]);
  fd_close (fds[1]);
}

static void
test_log_json (void **state)
{
  (void) state;
  int fds[2];
  char line[65536];
  open_pipe (fds);
  log_open (fds[1], LOG_FORMAT_JSON, LOG_LEVEL_INFO);
  log_write (LOG_LEVEL_ERROR, "a \"b\"\n\x1b\xff");
  read_line (fds[0], line, sizeof line);
  static const char head[] = "{\"level\":\"error\",\"msg\":\"a \\\"b\\\"\\n\\u001b\xef\xbf\xbd\",\"time\":\"";
  assert_memory_equal (line, head, strlen (head));
  check_time (line + strlen (head), strcspn (line + strlen (head), "\""));
  assert_string_equal (strrchr (line, 'Z'), "Z\"}");

  /* However long: one line in one write (of a pipe page at most), and JSON.  */
  char text[100000];
  memset (text, 1, sizeof text - 1);
  text[sizeof text - 1] = '\0';
  log_write (LOG_LEVEL_INFO, "%s", text);
  size_t used = 0;
  ssize_t got;
  while ((got = read (fds[0], line + used, sizeof line - used)) > 0)
    used += (size_t) got;
  assert_int_equal (line[used - 1], '\n');
  line[used - 1] = '\0';
  yajl_val root = yajl_tree_parse (line, NULL, 0);
  assert_non_null (root);
  assert_string_equal (root->u.object.values[0]->u.string, "info");
  assert_true (strlen (root->u.object.values[1]->u.string) > 1000);
  check_time (root->u.object.values[2]->u.string, strlen (root->u.object.values[2]->u.string));
  yajl_tree_free (root);
  log_open (-1, LOG_FORMAT_TEXT, LOG_LEVEL_DEBUG);
  fd_close (fds[0]);
  fd_close (fds[1]);
}

static void
test_log_levels (void **state)
{
  (void) state;
  int fds[2];
  char line[4096];
  assert_false (log_enabled (LOG_LEVEL_ERROR)); /* no sink yet */
  open_pipe (fds);
  for (int level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++)
    {
      log_open (fds[1], LOG_FORMAT_TEXT, (enum log_level) level);
      for (int asked = LOG_LEVEL_ERROR; asked <= LOG_LEVEL_DEBUG; asked++)
        {
          assert_int_equal (log_enabled ((enum log_level) asked), asked <= level);
          log_write ((enum log_level) asked, "x");
          ssize_t length = read (fds[0], line, sizeof line);
          assert_int_equal (length > 0, asked <= level);
        }
    }

  /* A log that cannot be written is no reason to fail.  */
  fd_close (fds[1]);
  log_write (LOG_LEVEL_ERROR, "x");
  log_open (-1, LOG_FORMAT_TEXT, LOG_LEVEL_DEBUG);
  log_write (LOG_LEVEL_ERROR, "x");
  fd_close (fds[0]);

  int64_t value;
  assert_true (names_find (&log_level_names, "warn", &value) && value == LOG_LEVEL_WARNING);
  assert_string_equal (names_of (&log_level_names, LOG_LEVEL_WARNING), "warning");
  assert_string_equal (names_of (&log_level_names, LOG_LEVEL_ERROR), "error");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_json_compact), cmocka_unit_test (test_json_indented), cmocka_unit_test (test_json_any_bytes),
    cmocka_unit_test (test_log_levels),   cmocka_unit_test (test_log_text),      cmocka_unit_test (test_log_json),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
