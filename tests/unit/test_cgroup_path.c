/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where a container's cgroup is: rules for paths, the default, and the line that the state keeps.  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/strbuf.h"
#include "cgroup_hosts.h"

/* The canonical path of CGROUPS_PATH, or the negative code as text.  */
static const char *
path_of (struct arena *arena, const char *cgroups_path, const char *id, struct error *err)
{
  struct cgroup *cgroup = NULL;
  int r = cgroup_new (arena, &hybrid_host, cgroups_path, id, &cgroup, err);
  if (r < 0)
    {
      assert_null (cgroup);
      assert_int_equal (err->code, -r);
      return arena_printf (arena, "error %d", -r);
    }
  return cgroup_path (cgroup);
}

static void
good_paths (void **state)
{
  (void) state;
  static const char *const pairs[][2] = {
    { "/a/b", "/a/b" },
    { "a/b", "/a/b" },
    { "//a///b//", "/a/b" },
    { "/./a/./b/.", "/a/b" },
    { "/a..b/..c/d..", "/a..b/..c/d.." },
    { "/...", "/..." },
    { "a b/c:d", "/a b/c:d" },
    { "/user.slice/x\t", "/user.slice/x\t" },
  };
  ARENA_CLEANUP struct arena arena = { 0 };
  struct error err = { 0 };
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
    assert_string_equal (path_of (&arena, pairs[i][0], "id", &err), pairs[i][1]);
  assert_string_equal (path_of (&arena, NULL, "web1", &err), "/thole-web1");
  assert_string_equal (path_of (&arena, NULL, "system.slice", &err), "/thole-system.slice");
}

static void
bad_paths (void **state)
{
  (void) state;
  ARENA_CLEANUP struct arena arena = { 0 };
  struct error err = { 0 };
  static const char *const bad[]
      = { "..", "/..", "/a/..", "/a/../b", "../../x", "a/b/..//", "", "/", "//", "/.", "a\nb" };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    assert_string_equal (path_of (&arena, bad[i], "id", &err), arena_printf (&arena, "error %d", EINVAL));

  char name[NAME_MAX + 2];
  memset (name, 'x', sizeof name);
  name[NAME_MAX + 1] = '\0';
  const char *too_long = arena_printf (&arena, "error %d", ENAMETOOLONG);
  assert_string_equal (path_of (&arena, name, "id", &err), too_long);
  assert_string_equal (path_of (&arena, NULL, name, &err), too_long);
  assert_non_null (strstr (err.hint, "linux.cgroupsPath"));
  name[NAME_MAX] = '\0';
  assert_int_equal (strlen (path_of (&arena, name, "id", &err)), NAME_MAX + 1);

  struct strbuf deep = STRBUF_INIT (&arena), many = STRBUF_INIT (&arena);
  for (int i = 0; i < 2000; i++)
    strbuf_add (&many, "xyz/");
  for (int i = 0; i < 256; i++)
    strbuf_add (&deep, "x/");
  assert_string_equal (path_of (&arena, strbuf_text (&many), "id", &err), too_long);
  assert_string_equal (path_of (&arena, strbuf_text (&deep), "id", &err), arena_printf (&arena, "error %d", EINVAL));
}

static void
directories (void **state)
{
  (void) state;
  ARENA_CLEANUP struct arena arena = { 0 };
  struct error err;
  struct cgroup *cgroup;
  assert_int_equal (cgroup_new (&arena, &hybrid_host, NULL, "x", &cgroup, &err), 0);
  assert_string_equal (cgroup_directory (cgroup, "memory"), "/sys/fs/cgroup/memory/thole-x");
  assert_string_equal (cgroup_directory (cgroup, "hugetlb"), "/sys/fs/cgroup/unified/thole-x");
  assert_string_equal (cgroup_directory (cgroup, NULL), "/sys/fs/cgroup/unified/thole-x");
  assert_int_equal (cgroup_new (&arena, &v1_host, NULL, "x", &cgroup, &err), 0);
  assert_string_equal (cgroup_directory (cgroup, "cpuacct"), "/sys/fs/cgroup/cpu,cpuacct/thole-x");
  assert_string_equal (cgroup_directory (cgroup, NULL), "/sys/fs/cgroup/freezer/thole-x");
  assert_null (cgroup_directory (cgroup, "misc"));
  assert_int_equal (cgroup_new (&arena, &v2_host, "/a", "x", &cgroup, &err), 0);
  assert_string_equal (cgroup_directory (cgroup, "memory"), "/sys/fs/cgroup/a");
  assert_int_equal (cgroup_new (&arena, &no_host, "/a", "x", &cgroup, &err), 0);
  assert_null (cgroup_directory (cgroup, NULL));
}

/* What is saved is loaded as it was, on every layout, with any path.  */
static void
round_trip (void **state)
{
  (void) state;
  static const struct
  {
    const struct cgroup_host *host;
    const char *line;
  } hosts[] = {
    { &v1_host, "systemd=name=systemd:? cpu,cpuacct:? cpuset:? memory:? devices:? freezer:? blkio:? pids:? hugetlb:? "
                "rdma:? net_cls=net_cls,net_prio:? " },
    { &hybrid_host, "cpu:? memory:? devices:? freezer:? systemd=name=systemd:? unified=@:? " },
    { &v2_host, ".=@:? " },
    { &no_host, "" },
  };
  static const char *const paths[] = { "/thole-web1", "/a b/c:3/d=@", "/x y", "/.../@:9" };
  ARENA_CLEANUP struct arena arena = { 0 };
  struct error err;
  for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
    for (size_t j = 0; j < sizeof paths / sizeof *paths; j++)
      {
        struct cgroup *cgroup, *loaded;
        assert_int_equal (cgroup_new (&arena, hosts[i].host, paths[j], "x", &cgroup, &err), 0);
        const char *line = cgroup_save (&arena, cgroup);
        assert_string_equal (line, arena_printf (&arena, "%s%s", hosts[i].line, paths[j]));
        assert_int_equal (cgroup_load (&arena, line, &loaded, &err), 0);
        assert_string_equal (cgroup_save (&arena, loaded), line);
        assert_string_equal (cgroup_path (loaded), paths[j]);
        const char *memory = cgroup_directory (cgroup, "memory");
        if (memory != NULL)
          assert_string_equal (cgroup_directory (loaded, "memory"), memory);
      }
}

static void
how_many_were_made (void **state)
{
  (void) state;
  ARENA_CLEANUP struct arena arena = { 0 };
  struct error err;
  struct cgroup *cgroup;
  static const char line[] = "cpu:2 memory:0 unified=@:1 /a/b";
  assert_int_equal (cgroup_load (&arena, line, &cgroup, &err), 0);
  assert_string_equal (cgroup_save (&arena, cgroup), line);
}

static void
bad_lines (void **state)
{
  (void) state;
  static const char *const bad[] = {
    "",
    "cpu:1",
    "cpu /a",
    "cpu: /a",
    "cpu:x /a",
    "cpu:-1 /a",
    "cpu:1x /a",
    ":1 /a",
    "../etc:1 /a",
    "..:1 /a",
    ".:1 /a",
    "a/b:1 /a",
    "unified=@:1 cpu:1 /a",
    "cpu:1 /",
    "cpu:1 /a/../b",
    "cpu:256 /a",
    "cpu:1  /a",
    "cpu:1 a",
    "cpu:99999999999999999999 /a",
  };
  ARENA_CLEANUP struct arena arena = { 0 };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    {
      struct error err = { 0 };
      struct cgroup *cgroup = NULL;
      if (cgroup_load (&arena, bad[i], &cgroup, &err) != -EINVAL)
        fail_msg ("\"%s\" was taken", bad[i]);
      assert_null (cgroup);
      assert_int_equal (err.code, EINVAL);
    }
}

/* A place that was only thought of is nobody's: nothing is killed or removed there.  */
static void
untouched_until_created (void **state)
{
  (void) state;
  ARENA_CLEANUP struct arena arena = { 0 };
  struct error err = { 0 };
  struct cgroup *cgroup;
  assert_int_equal (cgroup_new (&arena, &v1_host, "/", "x", &cgroup, &err), -EINVAL);
  assert_int_equal (cgroup_new (&arena, &v2_host, "/init.scope", "x", &cgroup, &err), 0);
  assert_int_equal (cgroup_kill (cgroup, 9, true, &err), 0);
  assert_int_equal (cgroup_remove (cgroup, true, 0, &err), 0);
  assert_int_equal (cgroup_freeze (cgroup, true, 0, &err), -ENOENT);
  assert_false (cgroup_is_frozen (cgroup));
  cgroup_close (cgroup);
  cgroup_close (NULL);
}

static void
cgroups_inside (void **state)
{
  (void) state;
  static const struct
  {
    const char *where, *message;
  } bad[] = {
    { "..", "cgroup path \"..\" has a \"..\" component" },
    { "/a/../b", "cgroup path \"/a/../b\" has a \"..\" component" },
    { "cpu:../a", "cgroup path \"../a\" has a \"..\" component" },
    { "none:a", "there is no hierarchy of version 1 with the controller \"none\"" },
    { ":a", "there is no hierarchy of version 1 with the controller \"\"" },
  };
  ARENA_CLEANUP struct arena arena = { 0 };
  struct error err = { 0 };
  struct cgroup *cgroup;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    {
      assert_int_equal (cgroup_new (&arena, &v1_host, "/thole-none", "x", &cgroup, &err), 0);
      assert_int_equal (cgroup_descend (cgroup, bad[i].where, &err), -EINVAL);
      assert_string_equal (err.message, bad[i].message);
    }
  assert_int_equal (cgroup_new (&arena, &v2_host, "/thole-none", "x", &cgroup, &err), 0);
  assert_int_equal (cgroup_descend (cgroup, "/", &err), 0);
  assert_string_equal (cgroup_directory (cgroup, NULL), "/sys/fs/cgroup/thole-none");
  assert_int_equal (cgroup_descend (cgroup, "a//b/", &err), -ENOENT);
  assert_string_equal (cgroup_directory (cgroup, NULL), "/sys/fs/cgroup/thole-none/a/b");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (good_paths),
    cmocka_unit_test (bad_paths),
    cmocka_unit_test (directories),
    cmocka_unit_test (round_trip),
    cmocka_unit_test (how_many_were_made),
    cmocka_unit_test (bad_lines),
    cmocka_unit_test (untouched_until_created),
    cmocka_unit_test (cgroups_inside),
  };
  return cmocka_run_group_tests_name ("cgroup: paths", tests, NULL, NULL);
}
