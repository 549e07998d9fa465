/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The translation of linux.resources: golden lists of writes for v1, hybrid and v2, what is refused, and the conversion
 * of shares against its formula.  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/strbuf.h"
#include "cgroup_hosts.h"
#include "spec/spec.h"

#define V2_ALL "cpuset cpu io memory hugetlb pids rdma misc"

struct fixture
{
  struct arena arena;
  struct error err;
  const struct spec *spec;
};

static int
setup (void **state)
{
  static struct fixture fixture;
  fixture = (struct fixture){ 0 };
  *state = &fixture;
  return 0;
}

static int
teardown (void **state)
{
  struct fixture *fixture = *state;
  arena_free (&fixture->arena);
  return 0;
}

/* The resources of a config with RESOURCES, JSON text, as linux.resources.  */
static const struct spec_resources *
decode (struct fixture *fixture, const char *resources)
{
  const char *text = arena_printf (&fixture->arena,
                                   "{\"ociVersion\":\"1.3.0\",\"root\":{\"path\":\"rootfs\"},"
                                   "\"process\":{\"cwd\":\"/\",\"args\":[\"sh\"],\"user\":{\"uid\":0,\"gid\":0}},"
                                   "\"linux\":{\"resources\":\n%s}}",
                                   resources);
  if (spec_decode (&fixture->arena, "config.json", text, strlen (text), &fixture->spec, &fixture->err) < 0)
    fail_msg ("%s", fixture->err.message);
  return fixture->spec->linux_->resources;
}

/* The writes for RESOURCES as lines "DIRECTORY FILE = VALUE FLAGS", without those of devices.  */
static const char *
translate (struct fixture *fixture, const struct cgroup_host *host, const char *controllers, const char *resources)
{
  struct cgroup_places places = host_places (host, controllers);
  struct cgroup_writes writes;
  const struct spec_resources *decoded = decode (fixture, resources);
  if (cgroup_translate (&fixture->arena, &places, fixture->spec, decoded, &writes, &fixture->err) < 0)
    fail_msg ("%s", fixture->err.message);

  struct strbuf out = STRBUF_INIT (&fixture->arena);
  for (size_t i = 0; i < writes.count; i++)
    {
      const struct cgroup_write *item = &writes.items[i];
      if (strncmp (item->file, "devices.", 8) == 0)
        continue;
      const char *mount = host->hierarchies[item->hierarchy].mount + strlen (CGROUP_ROOT);
      strbuf_printf (&out, "%s/%s = %s%s%s%s\n", mount, item->file, item->value, item->optional ? " (optional)" : "",
                     item->or_next ? " (or next)" : "", item->again ? " (again)" : "");
    }
  if (writes.enable != NULL)
    strbuf_printf (&out, "enable %s\n", writes.enable);
  return strbuf_text (&out);
}

/* Expects that RESOURCES are refused with CODE, a message that has WORDS and a hint that has HINT.  */
static void
refuse (struct fixture *fixture, const struct cgroup_host *host, const char *controllers, const char *resources,
        int code, const char *words, const char *hint)
{
  struct cgroup_places places = host_places (host, controllers);
  struct cgroup_writes writes = { .count = 77 };
  const struct spec_resources *decoded = decode (fixture, resources);
  assert_int_equal (cgroup_translate (&fixture->arena, &places, fixture->spec, decoded, &writes, &fixture->err), -code);
  assert_int_equal (writes.count, 77);
  if (strstr (fixture->err.message, words) == NULL || strstr (fixture->err.hint, hint) == NULL)
    fail_msg ("expected \"%s\" and \"%s\", got \"%s\" and \"%s\"", words, hint, fixture->err.message,
              fixture->err.hint);
}

static const char everything[]
    = "{\"memory\":{\"limit\":67108864,\"reservation\":33554432,\"swap\":134217728},"
      "\"cpu\":{\"shares\":512,\"quota\":20000,\"burst\":10000,\"period\":50000,"
      "\"cpus\":\"0-1\",\"mems\":\"0\",\"idle\":0},"
      "\"pids\":{\"limit\":32},"
      "\"blockIO\":{\"weight\":500,"
      "\"weightDevice\":[{\"major\":8,\"minor\":0,\"weight\":10}],"
      "\"throttleReadBpsDevice\":[{\"major\":8,\"minor\":0,\"rate\":600}],"
      "\"throttleWriteBpsDevice\":[{\"major\":8,\"minor\":0,\"rate\":0}],"
      "\"throttleReadIOPSDevice\":[{\"major\":8,\"minor\":16,\"rate\":7}],"
      "\"throttleWriteIOPSDevice\":[{\"major\":8,\"minor\":0,\"rate\":8},"
      "{\"major\":8,\"minor\":16,\"rate\":18446744073709551615}]},"
      "\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":4194304}],"
      "\"rdma\":{\"mlx5_0\":{\"hcaHandles\":3,\"hcaObjects\":1000},\"rxe0\":{\"hcaObjects\":5}}}";

static void
everything_on_v1 (void **state)
{
  assert_string_equal (translate (*state, &v1_host, NULL, everything),
                       "/memory/memory.limit_in_bytes = 67108864 (again)\n"
                       "/memory/memory.memsw.limit_in_bytes = 134217728 (again)\n"
                       "/memory/memory.soft_limit_in_bytes = 33554432\n"
                       "/cpu,cpuacct/cpu.idle = 0\n"
                       "/cpu,cpuacct/cpu.shares = 512\n"
                       "/cpu,cpuacct/cpu.cfs_period_us = 50000 (again)\n"
                       "/cpu,cpuacct/cpu.cfs_quota_us = 20000 (again)\n"
                       "/cpu,cpuacct/cpu.cfs_burst_us = 10000 (again)\n"
                       "/cpuset/cpuset.cpus = 0-1\n"
                       "/cpuset/cpuset.mems = 0\n"
                       "/pids/pids.max = 32\n"
                       "/blkio/blkio.weight = 500 (or next)\n"
                       "/blkio/blkio.bfq.weight = 500\n"
                       "/blkio/blkio.weight_device = 8:0 10 (or next)\n"
                       "/blkio/blkio.bfq.weight_device = 8:0 10\n"
                       "/blkio/blkio.throttle.read_bps_device = 8:0 600\n"
                       "/blkio/blkio.throttle.write_bps_device = 8:0 0\n"
                       "/blkio/blkio.throttle.read_iops_device = 8:16 7\n"
                       "/blkio/blkio.throttle.write_iops_device = 8:0 8\n"
                       "/blkio/blkio.throttle.write_iops_device = 8:16 4294967295\n"
                       "/hugetlb/hugetlb.2MB.limit_in_bytes = 4194304\n"
                       "/hugetlb/hugetlb.2MB.rsvd.limit_in_bytes = 4194304 (optional)\n"
                       "/rdma/rdma.max = mlx5_0 hca_handle=3 hca_object=1000\n"
                       "/rdma/rdma.max = rxe0 hca_object=5\n");
}

static void
everything_on_v2 (void **state)
{
  assert_string_equal (translate (*state, &v2_host, V2_ALL, everything),
                       "/memory.max = 67108864\n"
                       "/memory.swap.max = 67108864\n"
                       "/memory.low = 33554432\n"
                       "/cpu.idle = 0\n"
                       "/cpu.weight = 59\n"
                       "/cpu.max = 20000 50000 (again)\n"
                       "/cpu.max.burst = 10000 (again)\n"
                       "/cpuset.cpus = 0-1\n"
                       "/cpuset.mems = 0\n"
                       "/pids.max = 32\n"
                       "/io.bfq.weight = 500 (or next)\n"
                       "/io.weight = 4950\n"
                       "/io.bfq.weight = 8:0 10 (or next)\n"
                       "/io.weight = 8:0 1\n"
                       "/io.max = 8:0 rbps=600\n"
                       "/io.max = 8:0 wbps=max\n"
                       "/io.max = 8:16 riops=7\n"
                       "/io.max = 8:0 wiops=8\n"
                       "/io.max = 8:16 wiops=18446744073709551615\n"
                       "/hugetlb.2MB.max = 4194304\n"
                       "/hugetlb.2MB.rsvd.max = 4194304 (optional)\n"
                       "/rdma.max = mlx5_0 hca_handle=3 hca_object=1000\n"
                       "/rdma.max = rxe0 hca_object=5\n"
                       "enable +memory +cpu +cpuset +pids +io +hugetlb +rdma\n");
}

/* Each controller goes to where it is: memory to v1, huge pages to v2.  */
static void
hybrid_takes_both (void **state)
{
  assert_string_equal (translate (*state, &hybrid_host, "hugetlb misc",
                                  "{\"memory\":{\"limit\":1048576},"
                                  "\"hugepageLimits\":[{\"pageSize\":\"1GB\",\"limit\":0}],"
                                  "\"unified\":{\"misc.max\":\"res_a 1\"}}"),
                       "/memory/memory.limit_in_bytes = 1048576 (again)\n"
                       "/unified/hugetlb.1GB.max = 0\n"
                       "/unified/hugetlb.1GB.rsvd.max = 0 (optional)\n"
                       "/unified/misc.max = res_a 1\n"
                       "enable +hugetlb +misc\n");
}

static void
v1_only_settings (void **state)
{
  static const char resources[]
      = "{\"memory\":{\"kernel\":1000,\"kernelTCP\":-1,\"swappiness\":0,\"disableOOMKiller\":true,\"useHierarchy\":"
        "true},"
        "\"cpu\":{\"realtimeRuntime\":950000,\"realtimePeriod\":1000000},"
        "\"blockIO\":{\"leafWeight\":300,\"weightDevice\":[{\"major\":8,\"minor\":0,\"leafWeight\":20}]},"
        "\"network\":{\"classID\":1048577,\"priorities\":[{\"name\":\"eth0\",\"priority\":500},"
        "{\"name\":\"lo\",\"priority\":0}]}}";
  assert_string_equal (translate (*state, &v1_host, NULL, resources),
                       "/memory/memory.use_hierarchy = 1\n"
                       "/memory/memory.kmem.limit_in_bytes = 1000\n"
                       "/memory/memory.kmem.tcp.limit_in_bytes = -1 (optional)\n"
                       "/memory/memory.swappiness = 0\n"
                       "/memory/memory.oom_control = 1\n"
                       "/cpu,cpuacct/cpu.rt_period_us = 1000000 (again)\n"
                       "/cpu,cpuacct/cpu.rt_runtime_us = 950000 (again)\n"
                       "/blkio/blkio.leaf_weight = 300\n"
                       "/blkio/blkio.leaf_weight_device = 8:0 20\n"
                       "/net_cls/net_cls.classid = 1048577\n"
                       "/net_cls/net_prio.ifpriomap = eth0 500\n"
                       "/net_cls/net_prio.ifpriomap = lo 0\n");
}

static void
v2_refuses_with_a_way_out (void **state)
{
  static const struct
  {
    const char *resources, *member, *hint;
  } refused[] = {
    { "{\"memory\":{\"kernel\":1000}}", "linux.resources.memory.kernel", "memory.limit" },
    { "{\"memory\":{\"kernelTCP\":1000}}", "linux.resources.memory.kernelTCP", "memory.limit" },
    { "{\"memory\":{\"swappiness\":60}}", "linux.resources.memory.swappiness", "memory.swap" },
    { "{\"memory\":{\"disableOOMKiller\":true}}", "linux.resources.memory.disableOOMKiller", "oomScoreAdj" },
    { "{\"memory\":{\"useHierarchy\":false}}", "linux.resources.memory.useHierarchy", "drop" },
    { "{\"cpu\":{\"realtimeRuntime\":1}}", "linux.resources.cpu.realtimeRuntime", "drop" },
    { "{\"cpu\":{\"realtimePeriod\":1}}", "linux.resources.cpu.realtimePeriod", "drop" },
    { "{\"blockIO\":{\"leafWeight\":300}}", "linux.resources.blockIO.leafWeight", "drop" },
    { "{\"blockIO\":{\"weightDevice\":[{\"major\":8,\"minor\":0,\"leafWeight\":300}]}}",
      "linux.resources.blockIO.weightDevice[0].leafWeight", "drop" },
    { "{\"network\":{\"classID\":1}}", "linux.resources.network.classID", "nftables" },
    { "{\"network\":{\"priorities\":[{\"name\":\"lo\",\"priority\":1}]}}", "linux.resources.network.priorities",
      "nftables" },
  };
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
    {
      refuse (*state, &v2_host, V2_ALL, refused[i].resources, EOPNOTSUPP, refused[i].member, refused[i].hint);
      struct fixture *fixture = *state;
      assert_non_null (strstr (fixture->err.message, "(config.json:2:"));
    }
}

/* What asks for that which v2 does anyway is no error, and zeros of callers that know no absent numbers are not set. */
static void
harmless_values (void **state)
{
  static const char resources[]
      = "{\"memory\":{\"kernel\":-1,\"kernelTCP\":-1,\"disableOOMKiller\":false,\"useHierarchy\":true,"
        "\"limit\":0,\"swap\":0,\"reservation\":0,\"checkBeforeUpdate\":true},"
        "\"cpu\":{\"shares\":0,\"quota\":0,\"period\":0,\"realtimeRuntime\":0,\"realtimePeriod\":0,\"cpus\":\"\"},"
        "\"blockIO\":{\"weight\":0,\"leafWeight\":0,\"weightDevice\":[]},\"network\":{\"priorities\":[]}}";
  assert_string_equal (translate (*state, &v2_host, V2_ALL, resources), "");
}

static void
unlimited (void **state)
{
  static const char resources[] = "{\"memory\":{\"limit\":-1,\"swap\":-1,\"reservation\":-1},\"pids\":{\"limit\":-1},"
                                  "\"cpu\":{\"quota\":-1}}";
  assert_string_equal (translate (*state, &v2_host, V2_ALL, resources), "/memory.max = max\n"
                                                                        "/memory.swap.max = max (optional)\n"
                                                                        "/memory.low = max\n"
                                                                        "/cpu.max = max (again)\n"
                                                                        "/pids.max = max\n"
                                                                        "enable +memory +cpu +pids\n");
  assert_string_equal (translate (*state, &v1_host, NULL, resources),
                       "/memory/memory.limit_in_bytes = -1 (again)\n"
                       "/memory/memory.memsw.limit_in_bytes = -1 (again)\n"
                       "/memory/memory.soft_limit_in_bytes = -1\n"
                       "/cpu,cpuacct/cpu.cfs_quota_us = -1 (again)\n"
                       "/pids/pids.max = max\n");
}

static void
swap_on_v2 (void **state)
{
  assert_string_equal (translate (*state, &v2_host, V2_ALL, "{\"memory\":{\"limit\":4096,\"swap\":4096}}"),
                       "/memory.max = 4096\n/memory.swap.max = 0 (optional)\nenable +memory\n");
  refuse (*state, &v2_host, V2_ALL, "{\"memory\":{\"swap\":4096}}", EINVAL, "needs a limit of memory", "");
  refuse (*state, &v2_host, V2_ALL, "{\"memory\":{\"limit\":-1,\"swap\":4096}}", EINVAL, "needs a limit of memory", "");
  refuse (*state, &v2_host, V2_ALL, "{\"memory\":{\"limit\":8192,\"swap\":4096}}", EINVAL, "lower than that of memory",
          "");
}

static void
cpu_max_is_one_file (void **state)
{
  assert_string_equal (translate (*state, &v2_host, V2_ALL, "{\"cpu\":{\"period\":20000}}"),
                       "/cpu.max = max 20000 (again)\nenable +cpu\n");
  assert_string_equal (translate (*state, &v2_host, V2_ALL, "{\"cpu\":{\"quota\":20000}}"),
                       "/cpu.max = 20000 (again)\nenable +cpu\n");
  assert_string_equal (translate (*state, &v2_host, V2_ALL, "{\"cpu\":{\"quota\":-1,\"period\":20000}}"),
                       "/cpu.max = max 20000 (again)\nenable +cpu\n");
}

/* The writes of an update as one line, where PRESENT holds.  */
static const char *
translate_update (struct fixture *fixture, const struct cgroup_host *host, const char *resources,
                  const struct cgroup_present *present)
{
  struct cgroup_places places = host_places (host, V2_ALL);
  struct cgroup_writes writes;
  const struct spec_resources *decoded = decode (fixture, resources);
  if (cgroup_translate_update (&fixture->arena, &places, fixture->spec, decoded, present, &writes, &fixture->err) < 0)
    return fixture->err.message;
  struct strbuf out = STRBUF_INIT (&fixture->arena);
  for (size_t i = 0; i < writes.count; i++)
    strbuf_printf (&out, "%s%s = %s", i > 0 ? ", " : "", writes.items[i].file, writes.items[i].value);
  return strbuf_text (&out);
}

/* What an update does not name is what the kernel has; at create it is the kernel's default.  */
static void
updates_keep_the_rest (void **state)
{
  const struct cgroup_present none = { .cpu_quota = { 0 } }, some = { { true, 8192 }, { true, 30000 } };
  static const struct
  {
    const char *resources, *v1, *v2;
  } cases[] = {
    { "{}", "", "" },
    { "{\"cpu\":{\"period\":20000}}", "cpu.cfs_period_us = 20000", "cpu.max = 30000 20000" },
    { "{\"cpu\":{\"period\":20000,\"quota\":0}}", "cpu.cfs_period_us = 20000", "cpu.max = 30000 20000" },
    { "{\"cpu\":{\"period\":20000,\"quota\":7000}}", "cpu.cfs_period_us = 20000, cpu.cfs_quota_us = 7000",
      "cpu.max = 7000 20000" },
    { "{\"memory\":{\"swap\":12288}}", "memory.memsw.limit_in_bytes = 12288", "memory.swap.max = 4096" },
    { "{\"memory\":{\"limit\":4096,\"swap\":12288}}",
      "memory.limit_in_bytes = 4096, memory.memsw.limit_in_bytes = 12288",
      "memory.max = 4096, memory.swap.max = 8192" },
    { "{\"memory\":{\"limit\":4096}}", "memory.limit_in_bytes = 4096", "memory.max = 4096" },
    { "{\"memory\":{\"limit\":-1}}", "memory.memsw.limit_in_bytes = -1, memory.limit_in_bytes = -1",
      "memory.max = max" },
    { "{\"memory\":{\"limit\":-1,\"swap\":-1}}", "memory.limit_in_bytes = -1, memory.memsw.limit_in_bytes = -1",
      "memory.max = max, memory.swap.max = max" },
    { "{\"pids\":{\"limit\":-1}}", "pids.max = max", "pids.max = max" },
    { "{\"devices\":[{\"allow\":true}]}", "devices.allow = a", "" },
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    {
      assert_string_equal (translate_update (*state, &v1_host, cases[i].resources, &some), cases[i].v1);
      assert_string_equal (translate_update (*state, &v2_host, cases[i].resources, &some), cases[i].v2);
    }
  assert_string_equal (translate_update (*state, &v2_host, "{\"cpu\":{\"period\":20000}}", &none),
                       "cpu.max = max 20000");
  const char *refused = translate_update (*state, &v2_host, "{\"memory\":{\"swap\":12288}}", &none);
  assert_non_null (strstr (refused, "needs a limit of memory"));
  refused = translate_update (*state, &v2_host, "{\"memory\":{\"swap\":4096}}", &some);
  assert_non_null (strstr (refused, "lower than that of memory (8192)"));
}

/* The kernel refuses shares of an idle cgroup.  */
static void
idle_has_no_shares (void **state)
{
  assert_string_equal (translate (*state, &v2_host, V2_ALL, "{\"cpu\":{\"idle\":1,\"shares\":2000}}"),
                       "/cpu.idle = 1\nenable +cpu\n");
  assert_string_equal (translate (*state, &v1_host, NULL, "{\"cpu\":{\"idle\":1,\"shares\":2000}}"),
                       "/cpu,cpuacct/cpu.idle = 1\n");
}

static void
missing_controllers (void **state)
{
  refuse (*state, &v2_host, "cpu memory", "{\"pids\":{\"limit\":3}}", EOPNOTSUPP,
          "linux.resources.pids (config.json:2:", "cpu memory");
  refuse (*state, &v2_host, "", "{\"pids\":{\"limit\":3}}", EOPNOTSUPP, "no pids controller", "drop the limit");
  refuse (*state, &hybrid_host, "hugetlb", "{\"cpu\":{\"cpus\":\"0\"}}", EOPNOTSUPP, "no cpuset controller", "hugetlb");
  refuse (*state, &no_host, NULL, "{\"memory\":{\"limit\":3}}", EOPNOTSUPP, "no memory controller", "mount it");
  refuse (*state, &no_host, NULL, "{\"network\":{\"classID\":3}}", EOPNOTSUPP, "no net_cls controller", "mount it");
  refuse (*state, &no_host, NULL, "{\"devices\":[{\"allow\":false}]}", EOPNOTSUPP, "no devices controller", "mount it");
  refuse (*state, &v1_host, NULL, "{\"unified\":{\"memory.high\":\"1\"}}", EOPNOTSUPP, "no cgroup v2 hierarchy", "");
}

static void
no_cgroups_and_nothing_asked (void **state)
{
  assert_string_equal (translate (*state, &no_host, NULL, "{}"), "");
}

static void
unified (void **state)
{
  assert_string_equal (translate (*state, &v2_host, V2_ALL,
                                  "{\"unified\":{\"io.max\":\"259:0 rbps=2 wiops=1\\n253:0 rbps=2\\n\","
                                  "\"cgroup.max.depth\":\"3\",\"memory.high\":\"4096\",\"memory.oom.group\":\"1\"}}"),
                       "/io.max = 259:0 rbps=2 wiops=1\n"
                       "/io.max = 253:0 rbps=2\n"
                       "/cgroup.max.depth = 3\n"
                       "/memory.high = 4096\n"
                       "/memory.oom.group = 1\n"
                       "enable +io +memory\n");
  refuse (*state, &v2_host, V2_ALL, "{\"unified\":{\"dmem.max\":\"1\"}}", EOPNOTSUPP, "no dmem controller", "cpuset");
  refuse (*state, &hybrid_host, "hugetlb", "{\"unified\":{\"memory.max\":\"1\"}}", EOPNOTSUPP, "no memory controller",
          "hugetlb");
  static const char *const bad[] = { "../memory.max", "memory.a/b", ".max", "memory", "" };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    {
      struct fixture *fixture = *state;
      struct spec_pair pair = { .key = bad[i], .value = "1" };
      struct spec_resources resources = { .unified = { &pair, 1 } };
      struct cgroup_places places = host_places (&v2_host, V2_ALL);
      struct cgroup_writes writes;
      assert_int_equal (cgroup_translate (&fixture->arena, &places, NULL, &resources, &writes, &fixture->err), -EINVAL);
      assert_non_null (strstr (fixture->err.message, "linux.resources.unified: "));
    }
}

static void
page_sizes (void **state)
{
  struct fixture *fixture = *state;
  static const char *const bad[] = { "2M", "MB", "0MB", "2mb", "../x", "2MB/", "2MBB", "-2MB", "" };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    {
      struct spec_hugepage_limit limit = { .page_size = bad[i], .limit = { true, 1 } };
      struct spec_resources resources = { .hugepage_limits = { &limit, 1 } };
      struct cgroup_places places = host_places (&v2_host, V2_ALL);
      struct cgroup_writes writes;
      assert_int_equal (cgroup_translate (&fixture->arena, &places, NULL, &resources, &writes, &fixture->err), -EINVAL);
    }
}

/* All values of shares against the formula, computed with the mathematics library.  */
static void
shares_follow_the_formula (void **state)
{
  (void) state;
  assert_int_equal (cgroup_shares_to_weight (0), 1);
  assert_int_equal (cgroup_shares_to_weight (1), 1);
  assert_int_equal (cgroup_shares_to_weight (1024), 100);
  assert_int_equal (cgroup_shares_to_weight (2000), 170);
  assert_int_equal (cgroup_shares_to_weight (262145), 10000);
  assert_int_equal (cgroup_shares_to_weight (UINT64_MAX), 10000);
  for (uint64_t shares = 2; shares <= 262144; shares++)
    {
      double l = log2 ((double) shares);
      double weight = ceil (pow (10, (l * l + 125 * l) / 612 - 7.0 / 34) - 1e-9);
      if (cgroup_shares_to_weight (shares) != (uint64_t) weight)
        fail_msg ("%lu: %lu instead of %f", (unsigned long) shares, (unsigned long) cgroup_shares_to_weight (shares),
                  weight);
    }
}

/* Every member of the specification has a row, once, that says what becomes of it.  */
static void
table_is_complete (void **state)
{
  struct fixture *fixture = *state;
  static const char *const members[] = { "memory.limit",
                                         "memory.reservation",
                                         "memory.swap",
                                         "memory.kernel",
                                         "memory.kernelTCP",
                                         "memory.swappiness",
                                         "memory.disableOOMKiller",
                                         "memory.useHierarchy",
                                         "memory.checkBeforeUpdate",
                                         "cpu.shares",
                                         "cpu.quota",
                                         "cpu.burst",
                                         "cpu.period",
                                         "cpu.realtimeRuntime",
                                         "cpu.realtimePeriod",
                                         "cpu.cpus",
                                         "cpu.mems",
                                         "cpu.idle",
                                         "pids.limit",
                                         "blockIO.weight",
                                         "blockIO.leafWeight",
                                         "blockIO.weightDevice",
                                         "blockIO.throttleReadBpsDevice",
                                         "blockIO.throttleWriteBpsDevice",
                                         "blockIO.throttleReadIOPSDevice",
                                         "blockIO.throttleWriteIOPSDevice",
                                         "hugepageLimits",
                                         "network.classID",
                                         "network.priorities",
                                         "rdma",
                                         "devices",
                                         "unified" };
  const size_t count = sizeof members / sizeof *members;
  size_t found[sizeof members / sizeof *members] = { 0 }, rows = 0;
  struct cgroup_resource_text text;
  for (; cgroup_resource_text (&fixture->arena, rows, &text); rows++)
    {
      assert_true (text.v1 != NULL && *text.v1 != '\0' && text.v2 != NULL && *text.v2 != '\0');
      for (size_t i = 0; i < count; i++)
        found[i] += strcmp (members[i], text.member) == 0;
    }
  assert_int_equal (rows, count);
  for (size_t i = 0; i < count; i++)
    assert_int_equal (found[i], 1);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (everything_on_v1, setup, teardown),
    cmocka_unit_test_setup_teardown (everything_on_v2, setup, teardown),
    cmocka_unit_test_setup_teardown (hybrid_takes_both, setup, teardown),
    cmocka_unit_test_setup_teardown (v1_only_settings, setup, teardown),
    cmocka_unit_test_setup_teardown (v2_refuses_with_a_way_out, setup, teardown),
    cmocka_unit_test_setup_teardown (harmless_values, setup, teardown),
    cmocka_unit_test_setup_teardown (unlimited, setup, teardown),
    cmocka_unit_test_setup_teardown (swap_on_v2, setup, teardown),
    cmocka_unit_test_setup_teardown (cpu_max_is_one_file, setup, teardown),
    cmocka_unit_test_setup_teardown (updates_keep_the_rest, setup, teardown),
    cmocka_unit_test_setup_teardown (idle_has_no_shares, setup, teardown),
    cmocka_unit_test_setup_teardown (missing_controllers, setup, teardown),
    cmocka_unit_test_setup_teardown (no_cgroups_and_nothing_asked, setup, teardown),
    cmocka_unit_test_setup_teardown (unified, setup, teardown),
    cmocka_unit_test_setup_teardown (page_sizes, setup, teardown),
    cmocka_unit_test (shares_follow_the_formula),
    cmocka_unit_test_setup_teardown (table_is_complete, setup, teardown),
  };
  return cmocka_run_group_tests_name ("cgroup: resources", tests, NULL, NULL);
}
