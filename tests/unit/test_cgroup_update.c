/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Updates of real cgroups: what is named changes, and what is refused leaves everything as it was.  The translation of
 * updates is in test_cgroup_resources.c.  */
#include "cgroup_live.h"

#include "cgroup/internal.h"

static const struct spec *
decode (const char *resources)
{
  const struct spec *spec;
  OK (spec_decode_resources (&view.arena, "resources.json", resources, strlen (resources), &spec, &view.err));
  return spec;
}

static int
update (struct cgroup *cgroup, const char *resources)
{
  const struct spec *spec = decode (resources);
  return cgroup_update (cgroup, spec, spec->linux_->resources, &view.err);
}

/* The FILE of CONTROLLER has TEXT on its first line.  */
static void
expect (const struct cgroup *cgroup, const char *controller, const char *file, const char *text)
{
  const char *found = read_file (cgroup, controller, file);
  if (strcmp (found, text) != 0)
    fail_msg ("%s: \"%s\" instead of \"%s\"", file, found, text);
}

static bool
lacks_v1 (void)
{
  if (has_v1 ("memory") && has_v1 ("cpu") && has_v1 ("cpuset") && has_v1 ("pids") && has_v1 ("devices"))
    return false;
  print_message ("no v1 controllers in this view\n");
  return true;
}

static void
only_what_is_named (void **state)
{
  (void) state;
  if (lacks_v1 ())
    return;
  struct cgroup *cgroup = load_again (create_cgroup (own_name (""), NULL));
  OK (update (cgroup, "{\"memory\":{\"limit\":67108864,\"swap\":134217728},\"pids\":{\"limit\":9}}"));
  OK (update (cgroup, "{\"pids\":{\"limit\":8}}"));
  expect (cgroup, "memory", "memory.limit_in_bytes", "67108864");
  expect (cgroup, "memory", "memory.memsw.limit_in_bytes", "134217728");
  expect (cgroup, "pids", "pids.max", "8");
  OK (update (cgroup, "{\"memory\":{\"limit\":-1}}")); /* takes the limit of both with it */
  assert_true (atoll (read_file (cgroup, "memory", "memory.limit_in_bytes")) > INT64_C (1) << 60);
  OK (update (cgroup, "{}"));
  expect (cgroup, "pids", "pids.max", "8");
  remove_cgroup (cgroup);
}

/* Every kind of file that is changed before a refusal, in each direction, has its old content again.  */
static void
refusal_puts_back (void **state)
{
  (void) state;
  if (lacks_v1 ())
    return;
  struct cgroup *cgroup = load_again (create_cgroup (own_name (""), NULL));
  static const char *const sizes[] = { "{\"memory\":{\"limit\":33554432,\"swap\":33554432,\"disableOOMKiller\":false,",
                                       "{\"memory\":{\"limit\":536870912,\"swap\":805306368,"
                                       "\"disableOOMKiller\":false," };
  OK (update (cgroup, "{\"memory\":{\"limit\":67108864,\"swap\":134217728,\"swappiness\":33,\"disableOOMKiller\":true},"
                      "\"cpu\":{\"shares\":512,\"quota\":20000,\"period\":50000}}"));
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
    {
      const char *resources
          = arena_printf (&view.arena,
                          "%s\"swappiness\":44},\n\"cpu\":{\"shares\":77,\"quota\":500000,\"period\":500000,"
                          "\n\"mems\":\"77\"}}",
                          sizes[i]);
      assert_true (update (cgroup, resources) < 0);
      if (strstr (view.err.message, "cpu.mems (resources.json:3:8): write \"77\" to ") == NULL)
        fail_msg ("%s", view.err.message);
      assert_string_equal (view.err.hint, "");
      expect (cgroup, "memory", "memory.limit_in_bytes", "67108864");
      expect (cgroup, "memory", "memory.memsw.limit_in_bytes", "134217728");
      expect (cgroup, "memory", "memory.swappiness", "33");
      expect (cgroup, "memory", "memory.oom_control", "oom_kill_disable 1");
      expect (cgroup, "cpu", "cpu.shares", "512");
      expect (cgroup, "cpu", "cpu.cfs_quota_us", "20000");
      expect (cgroup, "cpu", "cpu.cfs_period_us", "50000");
      expect (cgroup, "cpuset", "cpuset.mems", "0");
    }
  remove_cgroup (cgroup);
}

/* The kernel forgets the shares of a cgroup that becomes idle.  */
static void
refused_idle_keeps_shares (void **state)
{
  (void) state;
  if (lacks_v1 ())
    return;
  struct cgroup *cgroup = load_again (create_cgroup (own_name (""), NULL));
  OK (update (cgroup, "{\"cpu\":{\"shares\":512}}"));
  assert_true (update (cgroup, "{\"cpu\":{\"idle\":1,\"mems\":\"77\"}}") < 0);
  expect (cgroup, "cpu", "cpu.idle", "0");
  expect (cgroup, "cpu", "cpu.shares", "512");
  OK (update (cgroup, "{\"cpu\":{\"idle\":1}}"));
  assert_true (update (cgroup, "{\"cpu\":{\"idle\":0,\"shares\":77,\"mems\":\"77\"}}") < 0);
  expect (cgroup, "cpu", "cpu.idle", "1");
  remove_cgroup (cgroup);
}

/* The period waits for the quota, because of the parent's, and the quota for the burst.  */
static void
three_that_bound_each_other (void **state)
{
  (void) state;
  if (lacks_v1 ())
    return;
  const char *top = own_name ("");
  struct cgroup *parent = create_cgroup (top, NULL);
  struct cgroup *cgroup = load_again (create_cgroup (arena_printf (&view.arena, "%s/x", top), NULL));
  OK (update (cgroup, "{\"cpu\":{\"period\":100000,\"quota\":50000,\"burst\":40000}}"));
  OK (update (parent, "{\"cpu\":{\"period\":100000,\"quota\":50000}}"));
  OK (update (cgroup, "{\"cpu\":{\"period\":10000,\"quota\":5000,\"burst\":0}}"));
  expect (cgroup, "cpu", "cpu.cfs_period_us", "10000");
  expect (cgroup, "cpu", "cpu.cfs_quota_us", "5000");
  expect (cgroup, "cpu", "cpu.cfs_burst_us", "0");
  assert_int_equal (update (cgroup, "{\"cpu\":{\"period\":20000,\"quota\":12000,\"burst\":100}}"), -EINVAL);
  expect (cgroup, "cpu", "cpu.cfs_period_us", "10000");
  expect (cgroup, "cpu", "cpu.cfs_quota_us", "5000");
  expect (cgroup, "cpu", "cpu.cfs_burst_us", "0");
  remove_cgroup (cgroup);
  remove_cgroup (parent);
}

/* A list of the parent that does not have a device refuses it half-way.  */
static void
refused_device_puts_back (void **state)
{
  (void) state;
  if (lacks_v1 ())
    return;
  const char *top = own_name ("");
  struct cgroup *parent = create_cgroup (top, NULL);
  OK (apply_all (parent, NULL, NULL, &view.err)); /* the default devices */
  struct cgroup *cgroup = create_cgroup (arena_printf (&view.arena, "%s/x", top), NULL);
  OK (apply_all (cgroup, NULL, NULL, &view.err));
  OK (update (cgroup, "{\"pids\":{\"limit\":9}}"));
  char before[4096], after[4096];
  const char *list = arena_printf (&view.arena, "%s/devices.list", cgroup_directory (cgroup, "devices"));
  assert_true (fd_read_file_at (AT_FDCWD, list, before, sizeof before) > 0);

  assert_int_equal (update (cgroup, "{\"pids\":{\"limit\":5},\"devices\":[{\"allow\":false},"
                                    "{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":3,\"access\":\"r\"},"
                                    "{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":11,\"access\":\"r\"}]}"),
                    -EPERM);
  assert_non_null (strstr (view.err.message, "devices.allow"));
  assert_true (fd_read_file_at (AT_FDCWD, list, after, sizeof after) > 0);
  assert_string_equal (after, before);
  expect (cgroup, "pids", "pids.max", "9");
  remove_cgroup (cgroup);
  remove_cgroup (parent);
}

/* On v2 with what every such hierarchy has.  */
static void
refusal_puts_back_on_v2 (void **state)
{
  (void) state;
  if (view.host->layout == CGROUP_V1)
    return;
  struct cgroup *cgroup = load_again (create_cgroup (own_name (""), NULL));
  OK (update (cgroup, "{\"unified\":{\"cgroup.max.depth\":\"4\"}}"));
  assert_int_equal (update (cgroup, "{\"unified\":{\"cgroup.max.depth\":\"3\",\"cgroup.max.descendants\":\"-1\"}}"),
                    -ERANGE);
  expect (cgroup, NULL, "cgroup.max.depth", "4");
  expect (cgroup, NULL, "cgroup.max.descendants", "max");
  remove_cgroup (cgroup);
}

static void
v2_controllers (void **state)
{
  (void) state;
  if (!has_v2 ("memory") || !has_v2 ("cpu") || !has_v2 ("pids"))
    {
      print_message ("no memory, cpu and pids controllers in v2 here\n");
      return;
    }
  struct cgroup *cgroup = load_again (create_cgroup (own_name ("/a"), NULL)); /* nothing is enabled yet */
  OK (update (cgroup, "{\"memory\":{\"limit\":67108864,\"swap\":100663296},\"cpu\":{\"quota\":20000}}"));
  OK (update (cgroup, "{\"memory\":{\"swap\":83886080},\"cpu\":{\"period\":50000,\"burst\":15000}}"));
  expect (cgroup, NULL, "memory.swap.max", "16777216");
  expect (cgroup, NULL, "cpu.max", "20000 50000");
  assert_true (update (cgroup, "{\"memory\":{\"limit\":-1},\"cpu\":{\"quota\":-1,\"shares\":2000},"
                               "\"unified\":{\"pids.max\":\"many\"}}")
               < 0);
  expect (cgroup, NULL, "memory.max", "67108864");
  expect (cgroup, NULL, "cpu.max", "20000 50000");
  expect (cgroup, NULL, "cpu.weight", "100");
  OK (update (cgroup, "{\"cpu\":{\"quota\":10000,\"burst\":5000}}")); /* the quota waits for the burst */
  expect (cgroup, NULL, "cpu.max", "10000 50000");
  expect (cgroup, NULL, "cpu.max.burst", "5000");
  OK (update (cgroup, "{\"cpu\":{\"shares\":512}}"));
  assert_true (update (cgroup, "{\"cpu\":{\"idle\":1},\"unified\":{\"pids.max\":\"many\"}}") < 0);
  expect (cgroup, NULL, "cpu.idle", "0");
  expect (cgroup, NULL, "cpu.weight", "59");
  remove_cgroup (cgroup);
}

/* ---- what is written back --------------------------------------------------------------------------------------- */

/* On files of a made-up hierarchy: {name, content, what is about to be written, what puts it back}.  */
static void
old_values (void **state)
{
  (void) state;
  static const struct
  {
    const char *file, *content, *value, *back; /* NULL: it cannot be known */
  } cases[] = {
    { "memory.max", "max\n", "4096", "max" },
    { "cpu.max", "20000 50000\n", "max 50000", "20000 50000" },
    { "cpuset.cpus", "\n", "0", "\n" },
    { "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n", "1", "0" },
    { "memory.oom_control", "oom_kill_disable 1\nunder_oom 0\n", "0", "1" },
    { "io.max", "8:16 rbps=5 wbps=max riops=max wiops=max\n8:1 rbps=7 wbps=max riops=max wiops=max\n", "8:1 rbps=9",
      "8:1 rbps=7 wbps=max riops=max wiops=max" },
    { "io.max", "8:16 rbps=5 wbps=max riops=max wiops=max\n", "8:1 rbps=9",
      "8:1 rbps=max wbps=max riops=max wiops=max" },
    { "io.weight", "default 100\n8:1 50\n", "300", "default 100" },
    { "io.weight", "default 100\n8:1 50\n", "8:1 300", "8:1 50" },
    { "io.weight", "default 100\n8:1 50\n", "8:16 300", "8:16 default" },
    { "io.bfq.weight", "default 100\n", "300", "default 100" },
    { "blkio.bfq.weight", "100\n", "300", "100" },
    { "blkio.throttle.read_bps_device", "8:0 600\n", "8:0 900", "8:0 600" },
    { "blkio.throttle.read_bps_device", "", "8:0 900", "8:0 0" },
    { "blkio.bfq.weight_device", "8:0 10\n", "8:16 20", "8:16 default" },
    { "rdma.max", "mlx5_0 hca_handle=3 hca_object=max\n", "mlx5_0 hca_handle=5", "mlx5_0 hca_handle=3 hca_object=max" },
    { "net_prio.ifpriomap", "lo 0\neth0 5\n", "eth0 7", "eth0 5" },
    { "hugetlb.2MB.max", "max\n", "0", "max" },
    { "misc.max", "a 1\nb 2\n", "a 3", NULL },
  };
  char directory[] = "/tmp/thole-test-XXXXXX";
  assert_non_null (mkdtemp (directory));
  struct cgroup_hierarchy rows[] = { { .mount = directory, .controllers = "memory" } };
  const struct cgroup_host host = { .layout = CGROUP_V1, .hierarchies = rows, .count = 1 };
  struct cgroup *cgroup;
  OK (cgroup_new (&view.arena, &host, "/x", "x", &cgroup, &view.err));
  const char *place = cgroup_directory (cgroup, NULL);
  assert_int_equal (mkdir (place, 0700), 0);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    {
      const char *path = arena_printf (&view.arena, "%s/%s", place, cases[i].file);
      FILE *file = fopen (path, "we");
      assert_non_null (file);
      assert_true (fputs (cases[i].content, file) >= 0 && fclose (file) == 0);
      const struct cgroup_write item = { .file = cases[i].file, .value = cases[i].value };
      struct cgroup_writes before = { 0 };
      cgroup_keep (cgroup, &item, &before);
      assert_int_equal (unlink (path), 0);
      size_t known = before.count;
      cgroup_keep (cgroup, &item, &before); /* nor of a file that is not there */
      assert_int_equal (before.count, known);
      if (known != (cases[i].back != NULL))
        fail_msg ("%s, %s: %zu known", cases[i].file, cases[i].value, known);
      if (known > 0)
        assert_string_equal (before.items[0].value, cases[i].back);
    }
  cgroup_close (cgroup);
  assert_int_equal (rmdir (place), 0);
  assert_int_equal (rmdir (directory), 0);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_teardown (only_what_is_named, clean_up),
    cmocka_unit_test_teardown (refusal_puts_back, clean_up),
    cmocka_unit_test_teardown (refused_idle_keeps_shares, clean_up),
    cmocka_unit_test_teardown (three_that_bound_each_other, clean_up),
    cmocka_unit_test_teardown (refused_device_puts_back, clean_up),
    cmocka_unit_test_teardown (refusal_puts_back_on_v2, clean_up),
    cmocka_unit_test_teardown (v2_controllers, clean_up),
    cmocka_unit_test_teardown (old_values, clean_up),
    cmocka_unit_test_teardown (nothing_is_left, clean_up),
  };
  return run_live_tests (tests, sizeof tests / sizeof *tests);
}
