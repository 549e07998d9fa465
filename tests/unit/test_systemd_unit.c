/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What systemd is told, without systemd: names of units, properties from resources and device rules on v1 and v2,
 * properties from annotations, and the line of the state.  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/strbuf.h"
#include "cgroup/devices.h"
#include "cgroup/internal.h"
#include "cgroup/systemd.h"
#include "cgroup_hosts.h"
#include "spec/spec.h"

#define V2_ALL "cpuset cpu io memory hugetlb pids rdma misc"

static struct fixture
{
  struct arena arena;
  struct error err;
} f;

static int
setup (void **state)
{
  (void) state;
  f = (struct fixture){ 0 };
  return 0;
}

static int
teardown (void **state)
{
  (void) state;
  arena_free (&f.arena);
  return 0;
}

static const struct spec *
decode (const char *resources, const char *annotations)
{
  const struct spec *spec;
  const char *text = arena_printf (&f.arena,
                                   "{\"ociVersion\":\"1.3.0\",\"root\":{\"path\":\"rootfs\"},"
                                   "\"linux\":{\"resources\":%s},\"annotations\":%s}",
                                   resources, annotations);
  if (spec_decode (&f.arena, "config.json", text, strlen (text), &spec, &f.err) < 0)
    fail_msg ("%s", f.err.message);
  return spec;
}

/* PROPERTIES as "Name type value value\n".  */
static const char *
text_of (const struct unit_properties *properties)
{
  struct strbuf out = STRBUF_INIT (&f.arena);
  for (size_t i = 0; i < properties->count; i++)
    {
      const struct unit_property *property = &properties->items[i];
      strbuf_printf (&out, "%s %s", property->name, property->type);
      for (size_t j = 0; j < property->count; j++)
        if (property->values[j].text != NULL)
          strbuf_printf (&out, " \"%s\"", property->values[j].text);
        else if (property->values[j].number == UINT64_MAX)
          strbuf_add (&out, " infinity");
        else if (strchr (property->type, 'd') != NULL)
          strbuf_printf (&out, " %g", property->values[j].real);
        else
          strbuf_printf (&out, " %" PRIu64, property->values[j].number);
      strbuf_add_char (&out, '\n');
    }
  return strbuf_text (&out);
}

/* ---- names ------------------------------------------------------------------------------------------------------ */

static void
names (void **state)
{
  (void) state;
  static const struct
  {
    const char *path;
    bool user;
    const char *unit, *slice, *place;
  } rows[] = {
    { NULL, false, "thole-web.scope", "system.slice", "/system.slice/thole-web.scope" },
    { "", true, "thole-web.scope", "user.slice", "/user.slice/thole-web.scope" },
    { ":a:b", true, "a-b.scope", "user.slice", "/user.slice/a-b.scope" },
    { "machine.slice:libpod:x", false, "libpod-x.scope", "machine.slice", "/machine.slice/libpod-x.scope" },
    { "a-b-c.slice:p:x", false, "p-x.scope", "a-b-c.slice", "/a.slice/a-b.slice/a-b-c.slice/p-x.scope" },
    { "-.slice:p:x", false, "p-x.scope", "-.slice", "/p-x.scope" },
    { "a.slice::x", false, "-x.scope", "a.slice", "/a.slice/-x.scope" },
    { "a.slice::a-b.slice", false, "a-b.slice", "a.slice", "/a.slice/a-b.slice" },
    { "::a-b.slice", false, "a-b.slice", "a.slice", "/a.slice/a-b.slice" },
    { "-.slice:ignored:a.slice", false, "a.slice", "-.slice", "/a.slice" },
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    {
      struct unit_name name;
      assert_int_equal (unit_name_parse (&f.arena, rows[i].path, "web", rows[i].user, &name, &f.err), 0);
      assert_string_equal (name.unit, rows[i].unit);
      assert_string_equal (name.slice, rows[i].slice);
      assert_string_equal (name.path, rows[i].place);
      assert_int_equal (name.is_slice, strstr (rows[i].unit, ".slice") != NULL);
    }
}

static void
id_that_looks_like_a_slice (void **state)
{
  (void) state;
  struct unit_name name;
  assert_int_equal (unit_name_parse (&f.arena, NULL, "a.slice", false, &name, &f.err), 0);
  assert_string_equal (name.unit, "thole-a.slice.scope");
  assert_false (name.is_slice);
}

static void
bad_names (void **state)
{
  (void) state;
  static const char *const rows[] = { "/a",
                                      "a:b",
                                      "a.slice:b:",
                                      "a.slice:b:c:d",
                                      "a:b:c",
                                      "a/b.slice:b:c",
                                      "a--b.slice:b:c",
                                      "-a.slice:b:c",
                                      "a-.slice:b:c",
                                      ".slice:b:c",
                                      "a.slice:b:c d",
                                      "a.slice:b@:c",
                                      "b.slice::a-b.slice",
                                      "::-.slice" };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    {
      struct unit_name name;
      assert_int_equal (unit_name_parse (&f.arena, rows[i], "web", false, &name, &f.err), -EINVAL);
    }
}

/* ---- properties ------------------------------------------------------------------------------------------------- */

static const char *
of_resources (const struct cgroup_host *host, const char *resources)
{
  struct cgroup_places places = host_places (host, V2_ALL);
  struct unit_properties properties = { .arena = &f.arena };
  struct cgroup_writes writes;
  const struct spec *spec = decode (resources, "{}");
  if (cgroup_translate (&f.arena, &places, spec, spec->linux_->resources, &writes, &f.err) < 0)
    fail_msg ("%s", f.err.message);
  unit_properties_of_writes (&properties, host, &(struct unit_cpu){ 0 }, &writes);
  return text_of (&properties);
}

#define EVERYTHING                                                                                                     \
  "{\"memory\":{\"limit\":1000,\"reservation\":500},\"pids\":{\"limit\":7},"                                           \
  "\"cpu\":{\"shares\":1024,\"quota\":20000,\"period\":50000,\"cpus\":\"0-2,9\",\"mems\":\"0\"},"                      \
  "\"blockIO\":{\"weight\":500,\"weightDevice\":[{\"major\":8,\"minor\":0,\"weight\":100}],"                           \
  "\"throttleReadBpsDevice\":[{\"major\":8,\"minor\":0,\"rate\":1},{\"major\":8,\"minor\":16,\"rate\":2}],"            \
  "\"throttleWriteIOPSDevice\":[{\"major\":8,\"minor\":0,\"rate\":3}]}}"

static void
everything_on_v2 (void **state)
{
  (void) state;
  assert_string_equal (of_resources (&v2_host, EVERYTHING), "MemoryMax t 1000\n"
                                                            "MemoryLow t 500\n"
                                                            "CPUWeight t 100\n"
                                                            "AllowedCPUs ay 7 2\n"
                                                            "AllowedMemoryNodes ay 1\n"
                                                            "TasksMax t 7\n"
                                                            "IOWeight t 4950\n"
                                                            "IODeviceWeight a(st) \"/dev/block/8:0\" 910\n"
                                                            "IOReadBandwidthMax a(st) \"/dev/block/8:0\" 1 "
                                                            "\"/dev/block/8:16\" 2\n"
                                                            "IOWriteIOPSMax a(st) \"/dev/block/8:0\" 3\n"
                                                            "CPUQuotaPeriodUSec t 50000\n"
                                                            "CPUQuotaPerSecUSec t 400000\n");
}

static void
everything_on_v1 (void **state)
{
  (void) state;
  assert_string_equal (of_resources (&v1_host, EVERYTHING), "MemoryLimit t 1000\n"
                                                            "CPUShares t 1024\n"
                                                            "TasksMax t 7\n"
                                                            "BlockIOWeight t 500\n"
                                                            "BlockIODeviceWeight a(st) \"/dev/block/8:0\" 100\n"
                                                            "CPUQuotaPeriodUSec t 50000\n"
                                                            "CPUQuotaPerSecUSec t 400000\n");
}

static void
single_values (void **state)
{
  (void) state;
  static const struct
  {
    const char *resources, *properties;
  } rows[] = {
    { "{}", "" },
    { "{\"memory\":{\"limit\":-1,\"swap\":-1}}", "MemoryMax t infinity\nMemorySwapMax t infinity\n" },
    { "{\"memory\":{\"limit\":100,\"swap\":100}}", "MemoryMax t 100\nMemorySwapMax t 0\n" },
    { "{\"pids\":{\"limit\":-1}}", "TasksMax t infinity\n" },
    /* systemd takes no 0, and init is one already.  */
    { "{\"pids\":{\"limit\":0}}", "TasksMax t 1\n" },
    { "{\"cpu\":{\"quota\":-1}}", "CPUQuotaPerSecUSec t infinity\n" },
    { "{\"cpu\":{\"quota\":-1,\"period\":1000}}", "CPUQuotaPeriodUSec t 1000\nCPUQuotaPerSecUSec t infinity\n" },
    /* Percents, rounded up.  */
    { "{\"cpu\":{\"quota\":12345}}", "CPUQuotaPerSecUSec t 130000\n" },
    { "{\"cpu\":{\"quota\":100001,\"period\":100000}}", "CPUQuotaPeriodUSec t 100000\nCPUQuotaPerSecUSec t 1010000\n" },
    { "{\"cpu\":{\"period\":20000}}", "CPUQuotaPeriodUSec t 20000\nCPUQuotaPerSecUSec t infinity\n" },
    { "{\"unified\":{\"memory.high\":\"10M\"}}", "MemoryHigh t 10485760\n" },
    { "{\"unified\":{\"memory.min\":\"max\"}}", "MemoryMin t infinity\n" },
    { "{\"unified\":{\"memory.oom.group\":\"1\"}}", "" },
    { "{\"unified\":{\"cpu.max\":\"50000 100000\"}}", "CPUQuotaPeriodUSec t 100000\nCPUQuotaPerSecUSec t 500000\n" },
    { "{\"unified\":{\"io.weight\":\"default 50\\n8:0 70\"}}",
      "IOWeight t 50\nIODeviceWeight a(st) \"/dev/block/8:0\" 70\n" },
    { "{\"unified\":{\"io.max\":\"8:0 rbps=5 wbps=max\"}}", "IOReadBandwidthMax a(st) \"/dev/block/8:0\" 5\n"
                                                            "IOWriteBandwidthMax a(st) \"/dev/block/8:0\" infinity\n" },
    /* The kernel will say what it thinks of those.  */
    { "{\"unified\":{\"memory.high\":\"much\"}}", "" },
    { "{\"unified\":{\"memory.high\":\"99999999999999999999\"}}", "" },
    { "{\"unified\":{\"memory.high\":\"99999999999999999T\"}}", "" },
    { "{\"unified\":{\"cpuset.cpus\":\"a\"}}", "" },
    /* What is written last holds.  */
    { "{\"pids\":{\"limit\":5},\"unified\":{\"pids.max\":\"6\"}}", "TasksMax t 6\n" },
    { "{\"cpu\":{\"cpus\":\"0-8\"},\"unified\":{\"cpuset.cpus\":\"1\"}}", "AllowedCPUs ay 2\n" },
    { "{\"cpu\":{\"cpus\":\"0-8\"},\"unified\":{\"cpuset.cpus\":\"\"}}", "AllowedCPUs ay\n" },
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    assert_string_equal (of_resources (&v2_host, rows[i].resources), rows[i].properties);
}

/* What v1 shows where there is no limit, with pages of 4 and of 64 KiB, is what an update that failed puts back.  */
static void
no_limit_on_v1 (void **state)
{
  (void) state;
  static const char *const none[] = { "-1", "9223372036854771712", "9223372036854710272", "9223372036854775807" };
  for (size_t i = 0; i < sizeof none / sizeof *none; i++)
    assert_string_equal (of_resources (&v1_host, arena_printf (&f.arena, "{\"memory\":{\"limit\":%s}}", none[i])),
                         "MemoryLimit t infinity\n");
  assert_string_equal (of_resources (&v1_host, "{\"memory\":{\"limit\":1000000000000000}}"),
                       "MemoryLimit t 1000000000000000\n");
}

/* ---- device rules ----------------------------------------------------------------------------------------------- */

#define DEVICES "Character devices:\n  1 mem\n136 pts\n195 nvidia\n\nBlock devices:\n  8 sd\n259 blkext\n"

static const char *
of_devices (const char *resources, bool wider, size_t *ret_missing)
{
  struct unit_properties properties = { .arena = &f.arena };
  struct device_rules rules, lists;
  const struct spec *spec = decode (resources, "{}");
  assert_int_equal (cgroup_device_rules (&f.arena, spec, spec->linux_->resources, &rules, &f.err), 0);
  assert_int_equal (cgroup_device_lists (&f.arena, &rules, &lists, &f.err), 0);
  unit_properties_of_devices (&properties, &lists, DEVICES, wider, ret_missing);
  return text_of (&properties);
}

static void
device_rules (void **state)
{
  (void) state;
  static const char rules[]
      = "{\"devices\":[{\"allow\":false},{\"allow\":true,\"type\":\"c\",\"major\":195,\"access\":\"rw\"},"
        "{\"allow\":true,\"type\":\"b\",\"access\":\"m\"},"
        "{\"allow\":true,\"type\":\"b\",\"major\":77,\"access\":\"r\"},"
        "{\"allow\":true,\"type\":\"c\",\"major\":10,\"minor\":229,\"access\":\"rwm\"}]}";
  static const char *const there[] = { "DevicePolicy s \"strict\"\nDeviceAllow a(ss)\nDeviceAllow a(ss) ",
                                       " \"char-nvidia\" \"rwm\"",
                                       " \"block-*\" \"m\"",
                                       " \"/dev/char/10:229\" \"rwm\"",
                                       " \"/dev/char/1:3\" \"rwm\"",
                                       " \"char-pts\" \"rwm\"" };
  for (int wider = 0; wider <= 1; wider++)
    {
      size_t missing;
      const char *text = of_devices (rules, wider, &missing);
      for (size_t i = 0; i < sizeof there / sizeof *there; i++)
        if (strstr (text, there[i]) == NULL)
          fail_msg ("no %s in %s", there[i], text);
      /* The driver of block 77 is not there.  */
      assert_int_equal (strstr (text, " \"block-*\" \"rm\"") != NULL, wider);
      assert_int_equal (missing, !wider);
    }
}

static void
all_devices (void **state)
{
  (void) state;
  size_t missing;
  assert_string_equal (of_devices ("{\"devices\":[{\"allow\":true}]}", true, &missing),
                       "DevicePolicy s \"auto\"\nDeviceAllow a(ss)\n");
  assert_int_equal (missing, 0);
  of_devices ("{\"devices\":[{\"allow\":true},{\"allow\":false,\"type\":\"b\"}]}", true, &missing);
  assert_int_equal (missing, 1);
}

/* ---- annotations ------------------------------------------------------------------------------------------------ */

static int
of_annotation (const char *name, const char *value, const char **ret_text)
{
  struct unit_properties properties = { .arena = &f.arena };
  const char *annotations = arena_printf (
      &f.arena, "{\"a\":\"b\",\"org.systemd.property.%s\":\"%s\",\"org.systemd.propertyX\":\"x\"}", name, value);
  int r = unit_properties_of_annotations (&properties, decode ("{}", annotations), &f.err);
  *ret_text = r == 0 ? text_of (&properties) : NULL;
  return r;
}

static void
annotations (void **state)
{
  (void) state;
  static const struct
  {
    const char *name, *value, *text;
  } rows[] = {
    { "Foo", "'a b'", "Foo s \"a b\"\n" },
    { "Foo", "\\\"it's\\\"", "Foo s \"it's\"\n" },
    { "Foo", "''", "Foo s \"\"\n" },
    { "Foo", "'a\\\\'b'", "Foo s \"a'b\"\n" },
    { "Foo", " true ", "Foo b 1\n" },
    { "Foo", "boolean false", "Foo b 0\n" },
    { "Foo", "5", "Foo i 5\n" },
    { "Foo", "uint64 18446744073709551614", "Foo t 18446744073709551614\n" },
    { "Foo", "@t 0x10", "Foo t 16\n" },
    { "Foo", "byte 255", "Foo y 255\n" },
    { "Foo", "int64 -9223372036854775808", "Foo x 9223372036854775808\n" },
    { "Foo", "1.5", "Foo d 1.5\n" },
    { "Foo", "double 2", "Foo d 2\n" },
    { "Foo", "['a', 'b']", "Foo as \"a\" \"b\"\n" },
    { "Foo", "[uint32 1, 2]", "Foo au 1 2\n" },
    { "Foo", "@as []", "Foo as\n" },
    { "Foo", "@ay [1,2]", "Foo ay 1 2\n" },
    { "Foo", "objectpath '/a'", "Foo o \"/a\"\n" },
    { "TimeoutStopUSec", "uint64 5", "TimeoutStopUSec t 5\n" },
    { "TimeoutStopSec", "5", "TimeoutStopUSec t 5000000\n" },
    { "TimeoutStopSec", "0.5", "TimeoutStopUSec t 500000\n" },
    { "XSec", "5", "XSec i 5\n" },
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    {
      const char *text;
      if (of_annotation (rows[i].name, rows[i].value, &text) < 0)
        fail_msg ("%s: %s", rows[i].value, f.err.message);
      assert_string_equal (text, rows[i].text);
    }
}

static void
bad_annotations (void **state)
{
  (void) state;
  static const struct
  {
    const char *name, *value;
  } rows[] = {
    { "Foo", "" },
    { "Foo", "text" },
    { "Foo", "'text" },
    { "Foo", "5 6" },
    { "Foo", "5x" },
    { "Foo", "[]" },
    { "Foo", "[1" },
    { "Foo", "[1,'a']" },
    { "Foo", "[1 2]" },
    { "Foo", "@as ['a'] x" },
    { "Foo", "uint32 -1" },
    { "Foo", "byte 256" },
    { "Foo", "uint8 1" },
    { "Foo", "@s []" },
    { "Foo", "3000000000" },
    { "Foo", "@as 'a'" },
    { "Foo", "truely" },
    { "Foo", "[['a']]" },
    { "Foo", "boolean 1" },
    { "Foo", "inf" },
    { "FooSec", "-1" },
    { "FooSec", "'5'" },
    { "FooSec", "uint64 99999999999999999" },
    { "foo", "1" },
    { "F-o", "1" },
    { "Slice", "'a.slice'" },
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    {
      const char *text;
      if (of_annotation (rows[i].name, rows[i].value, &text) != -EINVAL)
        fail_msg ("%s: %s", rows[i].value, text);
      assert_non_null (strstr (f.err.message, rows[i].name));
    }
}

/* ---- the state -------------------------------------------------------------------------------------------------- */

static void
saved_lines (void **state)
{
  (void) state;
  static const char *const good[]
      = { ":system:10 .=@:1 /system.slice/thole-a.scope", ":user:5 cpu:? unified=@:? /a.slice/a-b.slice",
          ":system:86400 .=@:0 /thole-a.scope//payload/inner", ".=@:1 /a//b" };
  static const char *const bad[] = { ":system .=@:1 /a",    ":other:1 .=@:1 /a", ":system:0 .=@:1 /a",
                                     ":system:1x .=@:1 /a", ":system: .=@:1 /a", ":user:99999999 .=@:1 /a",
                                     ".=@:1 /a//",          ".=@:1 /a//..",      "cpu:1 /a//b" };
  struct cgroup *cgroup;
  for (size_t i = 0; i < sizeof good / sizeof *good; i++)
    {
      assert_int_equal (cgroup_load (&f.arena, good[i], &cgroup, &f.err), 0);
      assert_string_equal (cgroup_save (&f.arena, cgroup), good[i]);
      assert_int_equal (cgroup->unit != NULL, good[i][0] == ':');
    }
  assert_int_equal (cgroup_load (&f.arena, good[0], &cgroup, &f.err), 0);
  assert_string_equal (cgroup->unit->name.unit, "thole-a.scope");
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    assert_int_equal (cgroup_load (&f.arena, bad[i], &cgroup, &f.err), -EINVAL);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (names, setup, teardown),
    cmocka_unit_test_setup_teardown (id_that_looks_like_a_slice, setup, teardown),
    cmocka_unit_test_setup_teardown (bad_names, setup, teardown),
    cmocka_unit_test_setup_teardown (everything_on_v2, setup, teardown),
    cmocka_unit_test_setup_teardown (everything_on_v1, setup, teardown),
    cmocka_unit_test (single_values),
    cmocka_unit_test_setup_teardown (no_limit_on_v1, setup, teardown),
    cmocka_unit_test_setup_teardown (device_rules, setup, teardown),
    cmocka_unit_test_setup_teardown (all_devices, setup, teardown),
    cmocka_unit_test_setup_teardown (annotations, setup, teardown),
    cmocka_unit_test_setup_teardown (bad_annotations, setup, teardown),
    cmocka_unit_test_setup_teardown (saved_lines, setup, teardown),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
