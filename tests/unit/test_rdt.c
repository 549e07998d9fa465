/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* src/rdt against a stand-in for resctrl: a directory in which a mkdir gives a group with its files, as the kernel does
 * it, and a log of every change.  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first.  */
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/strbuf.h"
#include "rdt/host.h"
#include "rdt/rdt.h"
#include "rdt/schema.h"
#include "spec/spec.h"

#define ROOT_SCHEMATA "    L3:0=7ff;1=7ff\n    MB:0= 100;1= 100\n"
#define PID 4711

/* What is fresh in each test; the functions of a struct rdt_host get no argument for it.  */
static struct fixture
{
  struct arena arena;
  struct error err;
  char directory[64];
  const char *root; /* of resctrl */
  struct rdt_host host;
  struct strbuf log;
  /* The call that is to fail: its line in the log, and how.  */
  const char *failing;
  int result;
  bool raced; /* somebody else is quicker with every group */
} f;

/* ---- the stand-in ---- */

static const char *
path_of (const char *name)
{
  return arena_printf (&f.arena, "%s/%s", f.root, name);
}

static void
put (const char *path, const char *text)
{
  FILE *file = fopen (path, "we");
  assert_non_null (file);
  assert_true (fputs (text, file) >= 0);
  assert_int_equal (fclose (file), 0);
}

static void
add_group (const char *path, const char *schemata)
{
  assert_int_equal (mkdir (path, 0755), 0);
  put (arena_printf (&f.arena, "%s/tasks", path), "");
  if (strstr (path, "/mon_groups/") != NULL)
    return;
  put (arena_printf (&f.arena, "%s/schemata", path), schemata);
  assert_int_equal (mkdir (arena_printf (&f.arena, "%s/mon_groups", path), 0755), 0);
}

/* Notes one line and says how the call goes.  */
static int
note (const char *what, const char *path, const char *text)
{
  size_t length = strlen (f.root);
  assert_int_equal (strncmp (path, f.root, length), 0);
  const char *line = arena_printf (&f.arena, "%s %s%s%s", what, path[length] == '/' ? path + length + 1 : "/",
                                   *text == '\0' ? "" : " ", text);
  strbuf_printf (&f.log, "%s%s", line, *text == '\0' ? "\n" : "");
  return f.failing != NULL && strncmp (line, f.failing, strlen (f.failing)) == 0 ? f.result : 0;
}

static int
stand_in_make (const char *path)
{
  int r = note ("mkdir", path, "");
  if (r < 0)
    return r;
  if (access (path, F_OK) == 0)
    return -EEXIST;
  add_group (path, ROOT_SCHEMATA);
  return f.raced ? -EEXIST : 0;
}

static int
stand_in_write (const char *path, const char *text)
{
  assert_int_equal (access (path, W_OK), 0);
  assert_int_equal (text[strlen (text) - 1], '\n');
  return note ("write", path, text);
}

static int
stand_in_remove (const char *path)
{
  static const char *const files[] = { "tasks", "schemata" };
  int r = note ("rmdir", path, "");
  if (r < 0)
    return r;
  for (size_t i = 0; i < 2; i++)
    unlink (arena_printf (&f.arena, "%s/%s", path, files[i]));
  rmdir (arena_printf (&f.arena, "%s/mon_groups", path));
  return rmdir (path) < 0 ? -errno : 0;
}

static int
set_up (void **state)
{
  (void) state;
  f = (struct fixture){ .directory = "/tmp/thole-test-rdt-XXXXXX", .log = STRBUF_INIT (&f.arena) };
  assert_non_null (mkdtemp (f.directory));
  f.root = arena_printf (&f.arena, "%s/with blank", f.directory);
  f.host = (struct rdt_host){
    .mountinfo = arena_printf (&f.arena, "%s/mountinfo", f.directory),
    .make = stand_in_make,
    .write = stand_in_write,
    .remove = stand_in_remove,
  };
  put (f.host.mountinfo,
       arena_printf (&f.arena,
                     "21 1 8:1 / / rw shared:1 - ext4 resctrl rw\n"
                     "22 21 0:22 /group /somewhere rw - resctrl resctrl rw\n"
                     "23 21 0:22 / %s/with\\040blank rw,relatime shared:7 master:2 - resctrl resctrl rw,cdp\n"
                     "24 21 0:22 / /later rw - resctrl resctrl rw\n",
                     f.directory));
  add_group (f.root, ROOT_SCHEMATA);
  assert_int_equal (mkdir (path_of ("info"), 0755), 0);
  put (path_of ("info/last_cmd_status"), "ok\n");
  return 0;
}

static int
tear_down (void **state)
{
  (void) state;
  char command[sizeof f.directory + 16];
  snprintf (command, sizeof command, "rm -rf '%s'", f.directory);
  int r = system (command);
  arena_free (&f.arena);
  return r;
}

/* ---- shorthands ---- */

/* A config whose intelRdt begins on line 2 and has MEMBERS, in which ' stands for ".  */
static const struct spec *
config (const char *members)
{
  char *text = arena_printf (&f.arena,
                             "{'ociVersion': '1.3.0', 'root': {'path': 'r'}, 'process': {'cwd': '/', 'args': ['x']},\n"
                             "'linux': {'intelRdt': {%s}}}",
                             members);
  const struct spec *spec = NULL;
  for (char *c = text; *c != '\0'; c++)
    if (*c == '\'')
      *c = '"';
  if (spec_decode (&f.arena, "config.json", text, strlen (text), &spec, &f.err) < 0)
    fail_msg ("%s", f.err.message);
  return spec;
}

static struct rdt *
place (const char *members)
{
  struct rdt *rdt = NULL;
  if (rdt_host_new (&f.host, &f.arena, config (members), "web1", &rdt, &f.err) < 0)
    fail_msg ("%s", f.err.message);
  assert_non_null (rdt);
  assert_int_equal (f.log.length, 0);
  return rdt;
}

static void
enter (struct rdt *rdt)
{
  if (rdt_enter (rdt, PID, &f.err) < 0)
    fail_msg ("%s", f.err.message);
}

static void
expect_log (const char *expected)
{
  assert_string_equal (strbuf_text (&f.log), expected);
}

static void
forget_log (void)
{
  f.log = (struct strbuf) STRBUF_INIT (&f.arena);
}

/* The paths of RECORD below the root; NULL: none.  */
static void
expect_record (struct rdt_record record, const char *group, const char *monitor)
{
  if (group == NULL)
    assert_null (record.group);
  else
    assert_string_equal (record.group, path_of (group));
  if (monitor == NULL)
    assert_null (record.monitor);
  else
    assert_string_equal (record.monitor, path_of (monitor));
}

/* MESSAGE, in which the one %s stands for the root.  */
static void
expect_error (int result, int code, const char *message)
{
  char *expected = arena_strdup (&f.arena, message), *root = strstr (expected, "%s");
  if (root != NULL)
    expected = arena_printf (&f.arena, "%.*s%s%s", (int) (root - expected), expected, f.root, root + 2);
  assert_string_equal (f.err.message, expected);
  assert_int_equal (result, -code);
}

static void
expect_refusal (const char *members, int code, const char *message)
{
  struct rdt *untouched = (void *) &f, *rdt = untouched;
  int r = rdt_host_new (&f.host, &f.arena, config (members), "web1", &rdt, &f.err);
  expect_error (r, code, message);
  assert_int_equal (f.log.length, 0);
}

/* ---- finding ---- */

static void
test_not_asked_for (void **state)
{
  (void) state;
  const char *text = "{\"ociVersion\": \"1.3.0\", \"root\": {\"path\": \"r\"}, \"linux\": {}}";
  const struct spec *spec = NULL;
  struct rdt *rdt = (void *) &f;
  assert_int_equal (spec_decode (&f.arena, "config.json", text, strlen (text), &spec, &f.err), 0);
  f.host.mountinfo = "/no/such/file"; /* nobody looks */
  assert_int_equal (rdt_host_new (&f.host, &f.arena, spec, "web1", &rdt, &f.err), 0);
  assert_null (rdt);
  expect_record (rdt_record (NULL), NULL, NULL);
  rdt_undo (NULL);
}

static void
test_no_resctrl (void **state)
{
  (void) state;
  put (f.host.mountinfo, "21 1 8:1 / / rw shared:1 - ext4 resctrl rw\n"
                         "22 21 0:22 /group /somewhere rw - resctrl resctrl rw\n"
                         "broken\n- resctrl\n");
  expect_refusal ("", ENOENT, "linux.intelRdt (config.json:2:23): no resctrl file system is mounted");
  f.host.mountinfo = "/no/such/file";
  expect_refusal ("", ENOENT, "open /no/such/file: No such file or directory");
}

static void
test_real_host (void **state)
{
  (void) state;
  const char *path = "untouched";
  assert_int_equal (rdt_host_mount (&rdt_host, &f.arena, &path, &f.err), 0);
  assert_int_equal (path != NULL, system ("grep -q ' - resctrl ' /proc/self/mountinfo") == 0);
}

/* ---- the rules of closID ---- */

static void
test_own_group (void **state)
{
  (void) state;
  struct rdt *rdt = place ("'schemata': ['L2:0=f', 'L3:1=1'], 'memBwSchema': 'MB:0=20', 'l3CacheSchema': 'L3:0=f0'");
  expect_record (rdt_record (rdt), "web1", NULL);
  enter (rdt);
  expect_log ("mkdir web1\n"
              "write web1/schemata L3:0=f0\n"
              "write web1/schemata MB:0=20\n"
              "write web1/schemata L2:0=f\n"
              "write web1/schemata L3:1=1\n"
              "write web1/tasks 4711\n");
  struct rdt_record record = rdt_record (rdt);
  expect_record (record, "web1", NULL);

  forget_log ();
  assert_int_equal (rdt_host_remove (&f.host, &record, &f.err), 0);
  expect_log ("rmdir web1\n");
  assert_int_equal (access (path_of ("web1"), F_OK), -1);
  assert_int_equal (rdt_host_remove (&f.host, &record, &f.err), 0); /* gone already */
}

static void
test_own_group_without_schemata (void **state)
{
  (void) state;
  struct rdt *rdt = place ("");
  enter (rdt);
  expect_log ("mkdir web1\nwrite web1/tasks 4711\n");
}

/* Then it is not ours to remove.  */
static void
test_own_name_that_is_there (void **state)
{
  (void) state;
  add_group (path_of ("web1"), ROOT_SCHEMATA);
  struct rdt *rdt = place ("'l3CacheSchema': 'L3:0=1'");
  expect_record (rdt_record (rdt), NULL, NULL);
  enter (rdt);
  expect_log ("write web1/schemata L3:0=1\nwrite web1/tasks 4711\n");
  expect_record (rdt_record (rdt), NULL, NULL);
}

static void
test_root (void **state)
{
  (void) state;
  struct rdt *rdt = place ("'closID': '/'");
  enter (rdt);
  expect_log ("write tasks 4711\n");
  expect_record (rdt_record (rdt), NULL, NULL);
}

static void
test_named_group_that_is_there (void **state)
{
  (void) state;
  add_group (path_of ("gold"), ROOT_SCHEMATA);
  struct rdt *rdt = place ("'closID': 'gold'");
  enter (rdt);
  expect_log ("write gold/tasks 4711\n");
  expect_record (rdt_record (rdt), NULL, NULL);
}

static void
test_named_group_that_is_missing (void **state)
{
  (void) state;
  expect_refusal ("'closID': 'gold'", ENOENT, "linux.intelRdt.closID (config.json:2:34): there is no group %s/gold");
}

static void
test_named_group_that_is_made (void **state)
{
  (void) state;
  struct rdt *rdt = place ("'closID': 'gold', 'schemata': ['L3:0=f']");
  enter (rdt);
  expect_log ("mkdir gold\nwrite gold/schemata L3:0=f\nwrite gold/tasks 4711\n");
  expect_record (rdt_record (rdt), NULL, NULL);
}

static void
test_named_group_with_the_same_schema (void **state)
{
  (void) state;
  add_group (path_of ("gold"), "    L3:0=0f0;1=7ff\n    MB:0=  20;1= 100\n");
  struct rdt *rdt = place ("'closID': 'gold', 'l3CacheSchema': 'L3:0=F0', 'memBwSchema': 'MB:1=100;0=20'");
  enter (rdt);
  expect_log ("write gold/schemata L3:0=F0\nwrite gold/schemata MB:1=100;0=20\nwrite gold/tasks 4711\n");
}

static void
test_named_group_with_another_schema (void **state)
{
  (void) state;
  add_group (path_of ("gold"), "    L3:0=0f0;1=7ff\n    MB:0=  20;1= 100\n");
  expect_refusal ("'closID': 'gold', 'l3CacheSchema': 'L3:0=f1'", EEXIST,
                  "linux.intelRdt.l3CacheSchema (config.json:2:59): the group %s/gold is there, and its schemata do "
                  "not say \"L3:0=f1\"");
  expect_refusal ("'closID': 'gold', 'l3CacheSchema': 'L3:0=f0', 'memBwSchema': 'MB:0=20;2=100'", EEXIST,
                  "linux.intelRdt.memBwSchema (config.json:2:85): the group %s/gold is there, and its schemata do "
                  "not say \"MB:0=20;2=100\"");
}

static void
test_no_group (void **state)
{
  (void) state;
  expect_refusal ("'closID': 'info'", EINVAL, "linux.intelRdt (config.json:2:23): %s/info is not a group of resctrl");
  expect_refusal ("'closID': 'mon_groups', 'schemata': ['L3:0=f']", EINVAL,
                  "linux.intelRdt (config.json:2:23): %s/mon_groups is not a group of resctrl");
}

/* ---- monitoring ---- */

static void
test_monitor (void **state)
{
  (void) state;
  struct rdt *rdt = place ("'enableMonitoring': true");
  expect_record (rdt_record (rdt), "web1", "web1/mon_groups/web1");
  enter (rdt);
  expect_log ("mkdir web1\nwrite web1/tasks 4711\nmkdir web1/mon_groups/web1\nwrite web1/mon_groups/web1/tasks 4711\n");
  struct rdt_record record = rdt_record (rdt);
  expect_record (record, "web1", "web1/mon_groups/web1");

  forget_log ();
  assert_int_equal (rdt_host_remove (&f.host, &record, &f.err), 0);
  expect_log ("rmdir web1/mon_groups/web1\nrmdir web1\n");
  assert_int_equal (access (path_of ("web1"), F_OK), -1);
}

static void
test_monitor_in_a_group_of_others (void **state)
{
  (void) state;
  add_group (path_of ("gold"), ROOT_SCHEMATA);
  struct rdt *rdt = place ("'closID': 'gold', 'enableMonitoring': true");
  enter (rdt);
  expect_log ("write gold/tasks 4711\nmkdir gold/mon_groups/web1\nwrite gold/mon_groups/web1/tasks 4711\n");
  expect_record (rdt_record (rdt), NULL, "gold/mon_groups/web1");
}

static void
test_monitor_in_the_root (void **state)
{
  (void) state;
  struct rdt *rdt = place ("'closID': '/', 'enableMonitoring': true");
  enter (rdt);
  expect_log ("write tasks 4711\nmkdir mon_groups/web1\nwrite mon_groups/web1/tasks 4711\n");
  expect_record (rdt_record (rdt), NULL, "mon_groups/web1");
}

static void
test_monitor_not_wanted (void **state)
{
  (void) state;
  enter (place ("'closID': '/', 'enableMonitoring': false"));
  expect_log ("write tasks 4711\n");
}

/* It is dedicated to the container.  */
static void
test_monitor_that_is_there (void **state)
{
  (void) state;
  add_group (path_of ("mon_groups/web1"), NULL);
  expect_refusal ("'closID': '/', 'enableMonitoring': true", EEXIST,
                  "linux.intelRdt.enableMonitoring (config.json:2:59): %s/mon_groups/web1 is there already");
}

static void
test_no_monitoring (void **state)
{
  (void) state;
  assert_int_equal (rmdir (path_of ("mon_groups")), 0);
  expect_refusal ("'enableMonitoring': true", EOPNOTSUPP,
                  "linux.intelRdt.enableMonitoring (config.json:2:44): this machine's resctrl has no monitoring");
}

/* ---- failures ---- */

static const struct
{
  const char *members, *failing, *words;
  int result;
  const char *message; /* %s: the root */
  const char *undone;  /* what rdt_undo does */
} failures[] = {
  { "", "mkdir web1", "Out of CLOSIDs", -ENOSPC,
    "linux.intelRdt (config.json:2:23): make the group %s/web1: No space left on device (Out of CLOSIDs)", "" },
  { "'closID': 'gold', 'schemata': ['L3:0=f']", "mkdir gold", "ok", -ENOSPC,
    "linux.intelRdt.closID (config.json:2:34): make the group %s/gold: No space left on device", "" },
  { "'schemata': ['L3:0=f', 'L3:9=f']", "write web1/schemata L3:9", "Unknown domain", -EINVAL,
    "linux.intelRdt.schemata[1] (config.json:2:47): write \"L3:9=f\" to %s/web1/schemata: Invalid argument "
    "(Unknown domain)",
    "rmdir web1\n" },
  { "'closID': 'gold', 'memBwSchema': 'MB:0=1'", "write gold/schemata", "MB value 1 out of range", -EINVAL,
    "linux.intelRdt.memBwSchema (config.json:2:57): write \"MB:0=1\" to %s/gold/schemata: Invalid argument "
    "(MB value 1 out of range)",
    "rmdir gold\n" },
  { "", "write web1/tasks", "No task 4711", -ESRCH,
    "linux.intelRdt (config.json:2:23): write 4711 to %s/web1/tasks: No such process (No task 4711)", "rmdir web1\n" },
  { "'enableMonitoring': true", "mkdir web1/mon_groups", "Out of RMIDs", -ENOSPC,
    "linux.intelRdt.enableMonitoring (config.json:2:44): make %s/web1/mon_groups/web1: No space left on device "
    "(Out of RMIDs)",
    "rmdir web1\n" },
  { "'closID': '/', 'enableMonitoring': true", "write mon_groups/web1/tasks", "", -EINVAL,
    "linux.intelRdt (config.json:2:23): write 4711 to %s/mon_groups/web1/tasks: Invalid argument",
    "rmdir mon_groups/web1\n" },
};

static void
test_failures (void **state)
{
  for (size_t i = 0; i < sizeof failures / sizeof *failures; i++)
    {
      struct rdt *rdt = place (failures[i].members);
      put (path_of ("info/last_cmd_status"), arena_printf (&f.arena, "%s\n", failures[i].words));
      f.failing = failures[i].failing;
      f.result = failures[i].result;
      expect_error (rdt_enter (rdt, PID, &f.err), -failures[i].result, failures[i].message);
      f.failing = NULL;
      forget_log ();
      rdt_undo (rdt);
      expect_log (failures[i].undone);
      assert_int_equal (access (path_of ("web1"), F_OK), -1);
      assert_int_equal (access (path_of ("gold"), F_OK), -1);
      tear_down (state);
      set_up (state);
    }
}

/* What fails to be made is not removed by delete, either: it may be another's.  */
static void
test_record_after_a_failure (void **state)
{
  (void) state;
  struct rdt *rdt = place ("'enableMonitoring': true");
  f.failing = "mkdir web1/mon_groups";
  f.result = -EEXIST;
  assert_int_equal (rdt_enter (rdt, PID, &f.err), -EEXIST);
  expect_record (rdt_record (rdt), "web1", NULL);
}

/* Somebody makes the group between the look and the mkdir.  */
static void
test_race (void **state)
{
  (void) state;
  f.raced = true;
  struct rdt *rdt = place ("'l3CacheSchema': 'L3:0=1'");
  enter (rdt);
  expect_log ("mkdir web1\nwrite web1/schemata L3:0=1\nwrite web1/tasks 4711\n");
  expect_record (rdt_record (rdt), NULL, NULL);

  forget_log ();
  rdt = place ("'closID': 'gold', 'l3CacheSchema': 'L3:0=1'");
  assert_int_equal (rdt_enter (rdt, PID, &f.err), -EEXIST);
  expect_log ("mkdir gold\n");
  rdt_undo (rdt);
  expect_log ("mkdir gold\n");
}

static void
test_remove_fails (void **state)
{
  (void) state;
  struct rdt *rdt = place ("");
  enter (rdt);
  struct rdt_record record = rdt_record (rdt);
  f.failing = "rmdir web1";
  f.result = -EBUSY;
  expect_error (rdt_host_remove (&f.host, &record, &f.err), EBUSY, "remove %s/web1: Device or resource busy");
}

/* ---- schemata ---- */

static const struct
{
  const char *schemata, *wanted;
  bool holds;
} schemas[] = {
  { "L3:0=f\n", "L3:0=f", true },
  { "L3:0=f", "L3:0=f", true },
  { "L3:0=f\n", "L3:0=e", false },
  { "    L3:0=00f;1=7ff\n", "L3:0=f", true },
  { "    L3:0=00f;1=7ff\n", "L3:1=07FF;0=0f", true },
  { "    L3:0=00f;1=7ff\n", "L3:0=f;1=7fe", false },
  { "    L3:0=00f;1=7ff\n", "L3:0=f;2=7ff", false },
  { "    L3:0=0\n", "L3:0=00", true },
  { "    L3:0=10\n", "L3:0=1", false },
  { "    MB:0=  10;1= 100\n    L3:0=f;1=f\n", "MB: 0 = 10 ; 1=100;", true },
  { "    MB:0=  10;1= 100\n    L3:0=f;1=f\n", "MB:0=f", false },
  { "    MB:0=  10;1= 100\n    L3:0=f;1=f\n", "L3:1=f", true },
  { "    L3:0=f\n    MB:1=100\n", "L3:1=100", false }, /* not out of the next line */
  { "L3DATA:0=f\nL3CODE:0=e\n", "L3:0=f", false },
  { "L3DATA:0=f\nL3CODE:0=e\n", "L3CODE:0=e", true },
  { "L3:0=f\n", "MB:0=f", false },
  { "L3:0=f\n", "", false },
  { "L3:0=f\n", "L3", false },
  { "L3:0=f\n", "L3:0", false },
  { "L3:0=f\n", "L3:0=", false },
  { "L3:0=\n", "L3:0=f", false },
  { "", "L3:0=f", false },
  { "\n\nL3\n", "L3:0=f", false },
};

static void
test_schema_holds (void **state)
{
  (void) state;
  for (size_t i = 0; i < sizeof schemas / sizeof *schemas; i++)
    if (rdt_schema_holds (schemas[i].schemata, schemas[i].wanted) != schemas[i].holds)
      fail_msg ("%s in %s", schemas[i].wanted, schemas[i].schemata);
}

/* ---- changing ---- */

static int
change (const char *members, const char *l3, const char *mb, struct rdt_lines *ret_before)
{
  const struct rdt_lines lines = { .items = { [RDT_L3] = l3, [RDT_MB] = mb } };
  return rdt_host_update (&f.host, &f.arena, config (members), "web1", &lines, ret_before, &f.err);
}

static void
test_update (void **state)
{
  (void) state;
  struct rdt_lines before;
  add_group (path_of ("web1"), "    L3:0=7ff;1=7ff\n    MB:0= 100;1= 100\n");
  assert_int_equal (change ("'l3CacheSchema': 'L3:0=f'", "L3:0=3", NULL, &before), 0);
  expect_log ("write web1/schemata L3:0=3\n");
  assert_string_equal (before.items[RDT_L3], "L3:0=7ff;1=7ff");
  assert_null (before.items[RDT_MB]);
  forget_log ();
  assert_int_equal (change ("'l3CacheSchema': 'L3:0=f'", NULL, "MB:0=20", &before), 0);
  expect_log ("write web1/schemata MB:0=20\n");
  assert_string_equal (before.items[RDT_MB], "MB:0= 100;1= 100");
}

/* The second line is refused: the first is taken back.  */
static void
test_update_refused (void **state)
{
  (void) state;
  struct rdt_lines before;
  add_group (path_of ("gold"), "L3:0=7ff\nMB:0= 100\n");
  put (path_of ("info/last_cmd_status"), "MB value 7 out of range\n");
  f.failing = "write gold/schemata MB:0=7\n";
  f.result = -EINVAL;
  int r = change ("'closID': 'gold'", "L3:0=3", "MB:0=7", &before);
  expect_error (r, EINVAL,
                "memBwSchema: write \"MB:0=7\" to %s/gold/schemata: Invalid argument (MB value 7 out of range)");
  expect_log ("write gold/schemata L3:0=3\n"
              "write gold/schemata MB:0=7\n"
              "write gold/schemata L3:0=7ff\n");
}

static void
test_update_without_a_group (void **state)
{
  (void) state;
  struct rdt_lines before;
  expect_error (change ("'closID': 'gold'", "L3:0=3", NULL, &before), ENOENT,
                "read %s/gold/schemata: No such file or directory");
  const struct spec *spec;
  static const char text[] = "{\"ociVersion\":\"1.3.0\",\"root\":{\"path\":\"x\"}}";
  assert_int_equal (spec_decode (&f.arena, "config.json", text, strlen (text), &spec, &f.err), 0);
  const struct rdt_lines lines = { .items = { [RDT_L3] = "L3:0=3" } };
  int r = rdt_host_update (&f.host, &f.arena, spec, "web1", &lines, &before, &f.err);
  expect_error (r, EOPNOTSUPP, "the container has no group of resctrl of its own");
  assert_int_equal (f.log.length, 0);
}

/* ---- figures ---- */

static const char *
figures (const struct rdt_record *record)
{
  struct strbuf out = STRBUF_INIT (&f.arena);
  struct json_writer w = { .out = &out };
  json_object_begin (&w, NULL);
  rdt_stats (&f.arena, record, &w);
  json_object_end (&w);
  return strbuf_text (&out);
}

static void
put_new (const char *directory, const char *file, const char *text)
{
  mkdir (path_of (directory), 0755);
  put (path_of (arena_printf (&f.arena, "%s/%s", directory, file)), text);
}

static void
test_stats (void **state)
{
  (void) state;
  const struct rdt_record none = { NULL, NULL }, record = { .group = path_of ("web1") };
  assert_string_equal (figures (&none), "{}");
  add_group (path_of ("web1"), "    L3:0=f;1=f\n    MB:0= 20;1= 20\n");
  assert_string_equal (figures (&record), "{\"l3_cache_schema_root\":\"L3:0=7ff;1=7ff\",\"mem_bw_schema_root\":"
                                          "\"MB:0= 100;1= 100\",\"l3_cache_schema\":\"L3:0=f;1=f\","
                                          "\"mem_bw_schema\":\"MB:0= 20;1= 20\"}");
  put (path_of ("web1/schemata"), "L3:0=f\n");
  put (path_of ("schemata"), "L3:0=7ff\n");
  put_new ("info/L3", "cbm_mask", "7ff\n");
  put_new ("info/L3", "num_closids", "16\n");
  put_new ("info/MB", "bandwidth_gran", "10\n");
  mkdir (path_of ("web1/mon_data"), 0755);
  put_new ("web1/mon_data/mon_L3_00", "llc_occupancy", "4096\n");
  put_new ("web1/mon_data/mon_L3_00", "mbm_total_bytes", "77\n");
  put_new ("web1/mon_data/mon_L3_00", "mbm_local_bytes", "66\n");
  assert_string_equal (figures (&record), "{\"l3_cache_info\":{\"cbm_mask\":\"7ff\",\"num_closids\":16},"
                                          "\"mem_bw_info\":{\"bandwidth_gran\":10},"
                                          "\"l3_cache_schema_root\":\"L3:0=7ff\",\"l3_cache_schema\":\"L3:0=f\","
                                          "\"mbm_stats\":[{\"mbm_total_bytes\":77,\"mbm_local_bytes\":66}],"
                                          "\"cmt_stats\":[{\"llc_occupancy\":4096}]}");
}

#define ON_STAND_IN(test) cmocka_unit_test_setup_teardown (test, set_up, tear_down)

int
main (void)
{
  const struct CMUnitTest tests[] = {
    ON_STAND_IN (test_not_asked_for),
    ON_STAND_IN (test_no_resctrl),
    ON_STAND_IN (test_real_host),
    ON_STAND_IN (test_own_group),
    ON_STAND_IN (test_own_group_without_schemata),
    ON_STAND_IN (test_own_name_that_is_there),
    ON_STAND_IN (test_root),
    ON_STAND_IN (test_named_group_that_is_there),
    ON_STAND_IN (test_named_group_that_is_missing),
    ON_STAND_IN (test_named_group_that_is_made),
    ON_STAND_IN (test_named_group_with_the_same_schema),
    ON_STAND_IN (test_named_group_with_another_schema),
    ON_STAND_IN (test_no_group),
    ON_STAND_IN (test_monitor),
    ON_STAND_IN (test_monitor_in_a_group_of_others),
    ON_STAND_IN (test_monitor_in_the_root),
    ON_STAND_IN (test_monitor_not_wanted),
    ON_STAND_IN (test_monitor_that_is_there),
    ON_STAND_IN (test_no_monitoring),
    ON_STAND_IN (test_failures),
    ON_STAND_IN (test_record_after_a_failure),
    ON_STAND_IN (test_race),
    ON_STAND_IN (test_remove_fails),
    ON_STAND_IN (test_update),
    ON_STAND_IN (test_update_refused),
    ON_STAND_IN (test_update_without_a_group),
    ON_STAND_IN (test_stats),
    cmocka_unit_test (test_schema_holds),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
