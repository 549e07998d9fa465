/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Statistics from recorded files: tests/data/stats has, for a v1 and a v2 host, the files as the kernel shows them
 * ("== CONTROLLER/FILE" and the content), and the JSON that they give.  Where PRINT is set in the environment the JSON
 * is printed instead of compared, to be looked at and put into its file.  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yajl/yajl_tree.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/strbuf.h"
#include "cgroup/cgroup.h"

enum
{
  TEXT_SIZE = 64 * 1024
};

struct fixture
{
  struct arena arena;
  char directory[32];
};

static int
setup (void **state)
{
  static struct fixture fixture;
  fixture = (struct fixture){ .directory = "/tmp/thole-stats-XXXXXX" };
  assert_non_null (mkdtemp (fixture.directory));
  *state = &fixture;
  return 0;
}

static int
teardown (void **state)
{
  struct fixture *fixture = *state;
  int r = system (arena_printf (&fixture->arena, "rm -r %s", fixture->directory));
  arena_free (&fixture->arena);
  return r;
}

static char *
read_data (struct fixture *fixture, const char *name)
{
  const char *top = getenv ("top_srcdir");
  const char *path = arena_printf (&fixture->arena, "%s/tests/data/stats/%s", top != NULL ? top : ".", name);
  char *text = arena_alloc (&fixture->arena, TEXT_SIZE);
  ssize_t length = fd_read_file_at (AT_FDCWD, path, text, TEXT_SIZE);
  if (length < 0)
    fail_msg ("%s: %s", path, strerror ((int) -length));
  return text;
}

static const char *
path_of (struct fixture *fixture, const char *controller, const char *file)
{
  return arena_printf (&fixture->arena, "%s/%s/box%s%s", fixture->directory, controller, *file != '\0' ? "/" : "",
                       file);
}

/* Makes the files of NAME below the directory.  */
static void
unpack (struct fixture *fixture, const char *name)
{
  FILE *file = NULL;
  char *text = read_data (fixture, name), *line;
  while ((line = strsep (&text, "\n")) != NULL && (text != NULL || *line != '\0'))
    {
      if (strncmp (line, "== ", 3) != 0)
        {
          assert_true (fprintf (file, "%s\n", line) >= 0);
          continue;
        }
      assert_true (file == NULL || fclose (file) == 0);
      const char *controller = line + 3, *slash = strchr (controller, '/');
      controller = arena_strndup (&fixture->arena, controller, (size_t) (slash - controller));
      mkdir (arena_printf (&fixture->arena, "%s/%s", fixture->directory, controller), 0700);
      mkdir (path_of (fixture, controller, ""), 0700);
      file = fopen (path_of (fixture, controller, slash + 1), "we");
      assert_non_null (file);
    }
  assert_int_equal (fclose (file), 0);
}

/* The hierarchies that were unpacked: those of v1 that are named, and "unified" if V2.  */
static struct cgroup_host *
make_host (struct fixture *fixture, const char *const *controllers, bool v2)
{
  struct cgroup_host *host = arena_new (&fixture->arena, struct cgroup_host);
  host->hierarchies = arena_array (&fixture->arena, struct cgroup_hierarchy, 16);
  for (; *controllers != NULL; controllers++)
    host->hierarchies[host->count++]
        = (struct cgroup_hierarchy){ .mount = arena_printf (&fixture->arena, "%s/%s", fixture->directory, *controllers),
                                     .controllers = *controllers };
  if (v2)
    host->hierarchies[host->count++]
        = (struct cgroup_hierarchy){ .mount = arena_printf (&fixture->arena, "%s/unified", fixture->directory),
                                     .v2 = true };
  return host;
}

static const char *
stats (struct fixture *fixture, const struct cgroup_host *host)
{
  struct cgroup *cgroup;
  struct error err;
  if (cgroup_new (&fixture->arena, host, "/box", "box", &cgroup, &err) < 0)
    fail_msg ("%s", err.message);
  struct strbuf out = STRBUF_INIT (&fixture->arena);
  struct json_writer w = { .out = &out, .indent = 1 };
  json_object_begin (&w, NULL);
  cgroup_stats (&fixture->arena, cgroup, &w);
  json_object_end (&w);
  strbuf_add_char (&out, '\n');
  cgroup_close (cgroup);
  return strbuf_text (&out);
}

static void
compare (struct fixture *fixture, const char *text, const char *name)
{
  char why[256];
  yajl_val tree = yajl_tree_parse (text, why, sizeof why);
  if (tree == NULL)
    fail_msg ("%s", why);
  yajl_tree_free (tree);
  if (getenv ("PRINT") != NULL)
    printf ("==== %s\n%s", name, text);
  else
    assert_string_equal (text, read_data (fixture, name));
}

static const char *const v1_controllers[] = { "cpu", "cpuacct", "cpuset", "memory", "pids", "blkio", "hugetlb", NULL };
static const char *const none[] = { NULL };

static void
on_v1 (void **state)
{
  unpack (*state, "v1.files");
  compare (*state, stats (*state, make_host (*state, v1_controllers, false)), "v1.json");
}

static void
on_v2 (void **state)
{
  unpack (*state, "v2.files");
  compare (*state, stats (*state, make_host (*state, none, true)), "v2.json");
}

/* Figures of v1, and of v2 what that has besides: the pressures.  */
static void
on_hybrid (void **state)
{
  unpack (*state, "v1.files");
  unpack (*state, "v2.files");
  compare (*state, stats (*state, make_host (*state, v1_controllers, true)), "hybrid.json");
}

/* What readers expect is there when nothing else is.  */
static void
without_files (void **state)
{
  compare (*state, stats (*state, make_host (*state, none, false)), "none.json");
  compare (*state, stats (*state, make_host (*state, v1_controllers, true)), "none.json");
}

/* Files that are cut short or have other words give no broken JSON.  */
static void
damaged_files (void **state)
{
  struct fixture *fixture = *state;
  static const char *const bad[] = { "",
                                     "\n",
                                     "x",
                                     "x y z\n",
                                     "8:0\n",
                                     "8:0 Read\n",
                                     "some\n",
                                     "some avg10\n",
                                     "some avg10= total=x\n",
                                     "0-\n",
                                     "-1\n",
                                     "max\n",
                                     " \n \n",
                                     "cpu user system" };
  static const char *const files[] = { "cpuset/cpuset.cpus",           "cpuacct/cpuacct.usage_all",
                                       "cpuacct/cpuacct.usage_percpu", "memory/memory.stat",
                                       "memory/memory.limit_in_bytes", "blkio/blkio.throttle.io_serviced",
                                       "unified/memory.pressure",      "unified/io.stat",
                                       "hugetlb/hugetlb.2MB.failcnt" };
  unpack (fixture, "v1.files");
  unpack (fixture, "v2.files");
  for (size_t i = 0; i < sizeof files / sizeof *files; i++)
    for (size_t j = 0; j < sizeof bad / sizeof *bad; j++)
      {
        const char *slash = strchr (files[i], '/');
        const char *controller = arena_strndup (&fixture->arena, files[i], (size_t) (slash - files[i]));
        FILE *file = fopen (path_of (fixture, controller, slash + 1), "we");
        assert_non_null (file);
        assert_true (fputs (bad[j], file) >= 0 && fclose (file) == 0);
        for (int v2 = 0; v2 < 2; v2++)
          {
            const char *text = stats (fixture, make_host (fixture, v2 ? none : v1_controllers, true));
            yajl_val tree = yajl_tree_parse (text, NULL, 0);
            if (tree == NULL)
              fail_msg ("%s with \"%s\": %s", files[i], bad[j], text);
            yajl_tree_free (tree);
          }
      }
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (on_v1, setup, teardown),
    cmocka_unit_test_setup_teardown (on_v2, setup, teardown),
    cmocka_unit_test_setup_teardown (on_hybrid, setup, teardown),
    cmocka_unit_test_setup_teardown (without_files, setup, teardown),
    cmocka_unit_test_setup_teardown (damaged_files, setup, teardown),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
