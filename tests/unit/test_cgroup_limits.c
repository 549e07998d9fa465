/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Limits and device rules of real cgroups: written, enforced, refused.  */
#include "cgroup_live.h"

/* ---- limits ----------------------------------------------------------------------------------------------------- */

static void
v1_limits_are_written (void **state)
{
  (void) state;
  if (!has_v1 ("memory") || !has_v1 ("pids") || !has_v1 ("cpuset"))
    {
      print_message ("no v1 controllers in this view\n");
      return;
    }
  struct spec_memory memory = { .limit = { true, 64 << 20 }, .swap = { true, 128 << 20 } };
  struct spec_cpu cpu = { .shares = { true, 512 }, .quota = { true, 50000 }, .period = { true, 100000 }, .cpus = "0" };
  struct spec_pids pids = { .limit = { true, 17 } };
  struct spec_block_io block_io = { .weight = { true, 300 } };
  struct spec_resources resources = { .memory = &memory, .cpu = &cpu, .pids = &pids, .block_io = &block_io };
  struct cgroup *cgroup = create_cgroup (own_name (""), &resources);
  assert_string_equal (read_file (cgroup, "cpuset", "cpuset.mems"), "0");
  const char *weight = arena_printf (&view.arena, "%s/blkio.bfq.weight", cgroup_directory (cgroup, "blkio"));
  struct spec_resources limits = resources;
  if (access (weight, F_OK) < 0)
    limits.block_io = NULL; /* no BFQ in this kernel */
  OK (apply_all (cgroup, NULL, &limits, &view.err));
  assert_string_equal (read_file (cgroup, "memory", "memory.limit_in_bytes"), "67108864");
  assert_string_equal (read_file (cgroup, "memory", "memory.memsw.limit_in_bytes"), "134217728");
  assert_string_equal (read_file (cgroup, "cpu", "cpu.shares"), "512");
  assert_string_equal (read_file (cgroup, "cpu", "cpu.cfs_quota_us"), "50000");
  assert_string_equal (read_file (cgroup, "cpuset", "cpuset.cpus"), "0");
  assert_string_equal (read_file (cgroup, "pids", "pids.max"), "17");
  if (limits.block_io != NULL)
    assert_string_equal (read_file (cgroup, "blkio", "blkio.bfq.weight"), "300");

  /* Both limits up, past the old one of both, and down below it again: the kernel allows one order each time.  */
  static const int64_t sizes[] = { 512 << 20, 16 << 20, 256 << 20 };
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
    {
      struct spec_memory changed = { .limit = { true, sizes[i] }, .swap = { true, 2 * sizes[i] } };
      struct spec_resources update = { .memory = &changed };
      OK (apply_all (cgroup, NULL, &update, &view.err));
      assert_int_equal (atoll (read_file (cgroup, "memory", "memory.limit_in_bytes")), sizes[i]);
      assert_int_equal (atoll (read_file (cgroup, "memory", "memory.memsw.limit_in_bytes")), 2 * sizes[i]);
    }
  remove_cgroup (cgroup);
}

/* Through the whole way from the text of a config.  */
static const struct spec *
decode (const char *resources)
{
  const char *text = arena_printf (&view.arena,
                                   "{\"ociVersion\":\"1.3.0\",\"root\":{\"path\":\"x\"},\n"
                                   "\"linux\":{\"resources\":{%s}}}",
                                   resources);
  const struct spec *spec;
  OK (spec_decode (&view.arena, "config.json", text, strlen (text), &spec, &view.err));
  return spec;
}

static void
v2_limits_are_written (void **state)
{
  (void) state;
  static const char *const needed[] = { "memory", "cpu", "cpuset", "pids" };
  for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
    if (!has_v2 (needed[i]))
      {
        print_message ("no %s controller in v2 here\n", needed[i]);
        return;
      }
  const struct spec *spec = decode ("\"memory\":{\"limit\":67108864,\"swap\":100663296,\"reservation\":33554432,"
                                    "\"disableOOMKiller\":false},"
                                    "\"cpu\":{\"shares\":512,\"quota\":20000,\"period\":50000,\"cpus\":\"0\"},"
                                    "\"pids\":{\"limit\":17},"
                                    "\"unified\":{\"memory.high\":\"33554432\",\"memory.oom.group\":\"1\"}");
  const struct spec_resources *resources = spec->linux_->resources;
  struct cgroup *cgroup = create_cgroup (own_name ("/a/b"), resources);
  OK (apply_all (cgroup, spec, resources, &view.err));
  assert_string_equal (read_file (cgroup, NULL, "memory.max"), "67108864");
  assert_string_equal (read_file (cgroup, NULL, "memory.low"), "33554432");
  assert_string_equal (read_file (cgroup, NULL, "memory.high"), "33554432");
  assert_string_equal (read_file (cgroup, NULL, "memory.oom.group"), "1");
  assert_string_equal (read_file (cgroup, NULL, "memory.swap.max"), "33554432");
  assert_string_equal (read_file (cgroup, NULL, "cpu.weight"), "59");
  assert_string_equal (read_file (cgroup, NULL, "cpu.max"), "20000 50000");
  assert_string_equal (read_file (cgroup, NULL, "cpuset.cpus"), "0");
  assert_string_equal (read_file (cgroup, NULL, "pids.max"), "17");

  spec = decode ("\"memory\":{\"limit\":-1,\"swap\":-1},\"cpu\":{\"quota\":-1,\"period\":50000},"
                 "\"pids\":{\"limit\":-1}");
  OK (apply_all (cgroup, spec, spec->linux_->resources, &view.err));
  assert_string_equal (read_file (cgroup, NULL, "memory.max"), "max");
  assert_string_equal (read_file (cgroup, NULL, "cpu.max"), "max 50000");
  assert_string_equal (read_file (cgroup, NULL, "pids.max"), "max");
  remove_cgroup (cgroup);
}

/* A v2 cgroup with processes of its own cannot hand controllers down.  */
static void
occupied_parent_is_named (void **state)
{
  (void) state;
  if (!has_v2 ("memory"))
    {
      print_message ("no memory controller in v2 here\n");
      return;
    }
  const char *top = own_name (""), *below = arena_printf (&view.arena, "%s/x", top);
  struct cgroup *parent = create_cgroup (top, NULL);
  pid_t pid = start_in (parent, run_for_ever);
  const struct spec *spec = decode ("\"memory\":{\"limit\":67108864}");
  struct cgroup *cgroup = new_cgroup (below);
  assert_int_equal (cgroup_create (cgroup, spec, spec->linux_->resources, &view.err), -EBUSY);
  assert_non_null (strstr (view.err.message, "enable controllers \"+memory\" in "));
  assert_non_null (strstr (view.err.hint, "has processes of its own"));
  assert_int_equal (count_directories (below), 0);
  cgroup_close (cgroup);
  remove_cgroup (parent);
  assert_killed (pid);
}

static void
refused_limit_says_why (void **state)
{
  (void) state;
  if (lacks ("cpuset"))
    return;
  const struct spec *spec = decode ("\"cpu\":{\"shares\":2,\n\"cpus\":\"4096-4097\"}");
  struct cgroup *cgroup = create_cgroup (own_name (""), spec->linux_->resources);
  assert_true (apply_all (cgroup, spec, spec->linux_->resources, &view.err) < 0);
  if (strstr (view.err.message, "linux.resources.cpu.cpus (config.json:3:8): write \"4096-4097\" to ") == NULL)
    fail_msg ("%s", view.err.message);
  remove_cgroup (cgroup);
}

enum
{
  EATEN = 24 << 20,
};

/* Uses EATEN bytes of memory, and says so to COUNTER.  */
static _Noreturn int
eat_memory (void)
{
  char *memory = mmap (NULL, EATEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory != MAP_FAILED)
    memset (memory, 1, EATEN);
  atomic_store (counter, memory != MAP_FAILED);
  run_for_ever ();
}

static void
memory_limit_holds (void **state)
{
  (void) state;
  if (lacks ("memory"))
    return;
  counter = mmap (NULL, sizeof *counter, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  const struct spec *spec = decode ("\"memory\":{\"limit\":16777216,\"swap\":16777216}");
  struct cgroup *cgroup = create_cgroup (own_name (""), spec->linux_->resources);
  OK (apply_all (cgroup, spec, spec->linux_->resources, &view.err));
  assert_killed (start_in (cgroup, eat_memory));
  assert_int_equal (atomic_load (counter), 0);
  remove_cgroup (cgroup);
  munmap (counter, sizeof *counter);
}

/* Below what is in use: v1 refuses of itself, v2 when asked to check.  */
static void
limit_below_usage_is_refused (void **state)
{
  (void) state;
  if (lacks ("memory"))
    return;
  counter = mmap (NULL, sizeof *counter, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  const struct spec *spec = decode ("\"memory\":{\"limit\":67108864,\"swap\":67108864}");
  struct cgroup *cgroup = create_cgroup (own_name (""), spec->linux_->resources);
  OK (apply_all (cgroup, spec, spec->linux_->resources, &view.err));
  pid_t pid = start_in (cgroup, eat_memory);
  for (int i = 0; i < TIMEOUT_MS && atomic_load (counter) == 0; i++)
    poll (NULL, 0, 1);
  assert_int_equal (atomic_load (counter), 1);
  spec = decode ("\"memory\":{\"limit\":8388608,\"swap\":8388608,\"checkBeforeUpdate\":true}");
  assert_int_equal (apply_all (cgroup, spec, spec->linux_->resources, &view.err), -EBUSY);
  assert_non_null (strstr (view.err.message, "linux.resources.memory.limit (config.json:2:"));
  assert_int_equal (kill (pid, 0), 0);
  assert_int_equal (waitpid (pid, NULL, WNOHANG), 0);
  remove_cgroup (cgroup);
  assert_killed (pid);
  munmap (counter, sizeof *counter);
}

static int
fork_until_refused (void)
{
  for (int i = 0; i < 50; i++)
    {
      pid_t pid = fork ();
      if (pid < 0)
        return errno == EAGAIN ? i : 98;
      if (pid == 0)
        run_for_ever ();
    }
  return 97;
}

static void
pids_limit_holds (void **state)
{
  (void) state;
  if (lacks ("pids"))
    return;
  struct spec_pids pids = { .limit = { true, 5 } };
  struct spec_resources resources = { .pids = &pids };
  struct cgroup *cgroup = create_cgroup (own_name (""), &resources);
  OK (apply_all (cgroup, NULL, &resources, &view.err));
  int status = wait_for (start_in (cgroup, fork_until_refused));
  assert_true (WIFEXITED (status));
  assert_int_equal (WEXITSTATUS (status), 4);
  remove_cgroup (cgroup);
}

/* Where huge pages are counted by v2, beside v1 controllers for the rest, the limit goes there.  */
static void
huge_pages_on_v2 (void **state)
{
  (void) state;
  if (!has_v2 ("hugetlb"))
    {
      print_message ("no hugetlb controller in v2 here\n");
      return;
    }
  const char *mount_point = view.host->hierarchies[view.host->count - 1].mount;
  const char *enabled = arena_printf (&view.arena, "%s/cgroup.subtree_control", mount_point);
  char before[256];
  assert_true (fd_read_file_at (AT_FDCWD, enabled, before, sizeof before) >= 0);

  struct spec_hugepage_limit limit = { .page_size = "2MB", .limit = { true, 4 << 20 } };
  struct spec_resources resources = { .hugepage_limits = { &limit, 1 } };
  struct cgroup *cgroup = create_cgroup (own_name ("/deeper"), &resources);
  OK (apply_all (cgroup, NULL, &resources, &view.err));
  assert_string_equal (read_file (cgroup, "hugetlb", "hugetlb.2MB.max"), "4194304");
  assert_string_equal (read_file (cgroup, "hugetlb", "hugetlb.2MB.rsvd.max"), "4194304");
  remove_cgroup (cgroup);
  if (strstr (before, "hugetlb") == NULL)
    fd_write_file_at (AT_FDCWD, enabled, "-hugetlb");
}

/* ---- devices ---------------------------------------------------------------------------------------------------- */

/* Makes the device and opens it; the errno of the step that failed, with 100 added for the first.  */
static int
try_device (const char *name, dev_t device, int flags)
{
  char path[64];
  snprintf (path, sizeof path, "/dev/shm/thole-test-%d-%s", (int) getpid (), name);
  unlink (path);
  if (mknod (path, S_IFCHR | 0600, device) < 0)
    return 100 + errno;
  int fd = open (path, flags | O_NONBLOCK | O_CLOEXEC);
  int result = fd < 0 ? errno : 0;
  close (fd);
  unlink (path);
  return result;
}

/* A bit for each expectation that does not hold: null and zero can be used, the memory device cannot, nor the console
 * of the host, nor kmsg for writing; but nodes of all of them can be made.  */
static int
use_devices (void)
{
  int wrong = 0;
  wrong |= (try_device ("null", makedev (1, 3), O_RDWR) != 0) << 0;
  wrong |= (try_device ("urandom", makedev (1, 9), O_RDONLY) != 0) << 1;
  wrong |= (try_device ("mem", makedev (1, 1), O_RDONLY) != EPERM) << 2;
  wrong |= (try_device ("console", makedev (5, 1), O_RDONLY) != EPERM) << 3;
  wrong |= (try_device ("kmsg", makedev (1, 11), O_RDONLY) != 0) << 4;
  wrong |= (try_device ("kmsg", makedev (1, 11), O_WRONLY) != EPERM) << 5;
  wrong |= (try_device ("kmsg", makedev (1, 11), O_RDWR) != EPERM) << 6;
  return wrong;
}

/* The same when rules were changed: now everything but kmsg.  */
static int
use_most_devices (void)
{
  int wrong = 0;
  wrong |= (try_device ("null", makedev (1, 3), O_RDWR) != 0) << 0;
  wrong |= (try_device ("mem", makedev (1, 1), O_RDONLY) == EPERM) << 1;
  wrong |= (try_device ("kmsg", makedev (1, 11), O_RDONLY) != EPERM) << 2;
  return wrong;
}

static void
assert_exits (struct cgroup *cgroup, int (*run) (void), int wanted)
{
  int status = wait_for (start_in (cgroup, run));
  assert_true (WIFEXITED (status));
  assert_int_equal (WEXITSTATUS (status), wanted);
}

static void
device_rules_hold (void **state)
{
  (void) state;
  assert_int_not_equal (use_devices (), 0); /* out here they do not */
  struct spec_device_rule rules[] = {
    { .access = "rwm" },
    { .allow = { true, true }, .type = "c", .major = { true, 1 }, .minor = { true, 11 }, .access = "r" },
  };
  struct spec_device_rule changed[] = {
    { .allow = { true, true } },
    { .type = "c", .major = { true, 1 }, .minor = { true, 11 }, .access = "r" },
  };
  struct spec_resources resources = { .devices = { rules, 2 } }, update = { .devices = { changed, 2 } };
  struct cgroup *cgroup = create_cgroup (own_name (""), &resources);
  OK (apply_all (cgroup, NULL, &resources, &view.err));
  assert_exits (cgroup, use_devices, 0);
  OK (apply_all (cgroup, NULL, &resources, &view.err)); /* once more is the same */
  assert_exits (cgroup, use_devices, 0);
  OK (apply_all (cgroup, NULL, &update, &view.err)); /* in the place of the first, not beside it */
  assert_exits (cgroup, use_most_devices, 0);

  /* By an invocation that knows the cgroup from the state only.  */
  cgroup = load_again (cgroup);
  OK (apply_all (cgroup, NULL, &resources, &view.err));
  assert_exits (cgroup, use_devices, 0);
  remove_cgroup (cgroup);
}

static void
everything_may_be_allowed (void **state)
{
  (void) state;
  struct spec_device_rule all[] = { { .allow = { true, true } } };
  struct spec_resources resources = { .devices = { all, 1 } };
  int outside = use_devices ();
  struct cgroup *cgroup = create_cgroup (own_name (""), &resources);
  OK (apply_all (cgroup, NULL, &resources, &view.err));
  assert_exits (cgroup, use_devices, outside);
  OK (apply_all (cgroup, NULL, NULL, &view.err)); /* the default rules */
  assert_exits (cgroup, use_devices, 1 << 4);
  OK (apply_all (cgroup, NULL, &resources, &view.err));
  assert_exits (cgroup, use_devices, outside);
  remove_cgroup (cgroup);
}

/* Also when the container has made cgroups, which v1 forbids a list to be written anew for.  */
static void
rules_change_with_children (void **state)
{
  (void) state;
  struct spec_device_rule kmsg[] = {
    { .access = "rwm" },
    { .allow = { true, true }, .type = "c", .major = { true, 1 }, .minor = { true, 11 }, .access = "r" },
  };
  struct spec_resources resources = { .devices = { kmsg, 2 } };
  const char *path = own_name ("");
  struct cgroup *cgroup = create_cgroup (path, NULL);
  OK (apply_all (cgroup, NULL, NULL, &view.err));
  for_each_directory (arena_printf (&view.arena, "%s/child", path), make_directory);
  cgroup = load_again (cgroup);
  OK (apply_all (cgroup, NULL, &resources, &view.err));
  assert_exits (cgroup, use_devices, 0);
  OK (apply_all (cgroup, NULL, NULL, &view.err));
  assert_exits (cgroup, use_devices, 1 << 4);
  remove_cgroup (cgroup);
}

static void
no_rules_are_the_default_ones (void **state)
{
  (void) state;
  struct cgroup *cgroup = create_cgroup (own_name (""), NULL);
  OK (apply_all (cgroup, NULL, NULL, &view.err));
  assert_exits (cgroup, use_devices, 1 << 4); /* kmsg cannot be read either */
  remove_cgroup (cgroup);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_teardown (v1_limits_are_written, clean_up),
    cmocka_unit_test_teardown (v2_limits_are_written, clean_up),
    cmocka_unit_test_teardown (occupied_parent_is_named, clean_up),
    cmocka_unit_test_teardown (memory_limit_holds, clean_up),
    cmocka_unit_test_teardown (limit_below_usage_is_refused, clean_up),
    cmocka_unit_test_teardown (refused_limit_says_why, clean_up),
    cmocka_unit_test_teardown (pids_limit_holds, clean_up),
    cmocka_unit_test_teardown (huge_pages_on_v2, clean_up),
    cmocka_unit_test_teardown (device_rules_hold, clean_up),
    cmocka_unit_test_teardown (everything_may_be_allowed, clean_up),
    cmocka_unit_test_teardown (rules_change_with_children, clean_up),
    cmocka_unit_test_teardown (no_rules_are_the_default_ones, clean_up),
    cmocka_unit_test_teardown (nothing_is_left, clean_up),
  };
  return run_live_tests (tests, sizeof tests / sizeof *tests);
}
