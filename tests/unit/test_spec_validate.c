/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* src/spec: the rules about several values at once, each broken by one config and kept by its neighbour.  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first.  */
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/strbuf.h"
#include "spec/spec.h"

#define CONFIG(rest) "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"}," rest "}"
#define PROCESS(rest) CONFIG ("\"process\":{\"cwd\":\"/\",\"args\":[\"x\"]," rest "}")
#define LINUX(rest) CONFIG ("\"linux\":{" rest "}")
#define RESOURCES(rest) LINUX ("\"resources\":{" rest "}")
#define WITH(namespaces, rest) LINUX ("\"namespaces\":[" namespaces "]," rest)
#define MOUNT "{\"type\":\"mount\"}"
#define USER "{\"type\":\"user\"}"
#define UTS "{\"type\":\"uts\"}"
#define MAP(container, host, size) "{\"containerID\":" #container ",\"hostID\":" #host ",\"size\":" #size "}"

struct rule
{
  const char *text;
  const char *message; /* what follows "config.json:LINE:COLUMN: "; NULL: the config is good */
};

static void
check (const struct rule *rules, size_t count)
{
  for (size_t i = 0; i < count; i++)
    {
      ARENA_CLEANUP struct arena arena = { 0 };
      struct error err = { 0 };
      const struct spec *spec;
      int result = spec_decode (&arena, "config.json", rules[i].text, strlen (rules[i].text), &spec, &err);
      if (rules[i].message == NULL && result != 0)
        fail_msg ("%s: %s", rules[i].text, err.message);
      if (rules[i].message == NULL)
        continue;
      int skipped = 0;
      assert_int_equal (result, -EINVAL);
      sscanf (err.message, "config.json:%*u:%*u: %n", &skipped);
      assert_true (skipped > 0);
      assert_string_equal (err.message + skipped, rules[i].message);
    }
}

#define CHECK(rules) check (rules, sizeof (rules) / sizeof *(rules))

static void
test_version (void **state)
{
  (void) state;
  static const char *const good[]
      = { "1.0.0",         "0.1.0",  "1.0.2-dev", "1.3.0-rc.1+git.0a", "2.0.0", "10.20.30", "1.0.0+001",
          "1.0.0--.-a.0a", "1.99.0", "1.0.0-0" };
  static const char *const bad[]
      = { "",       "1",        "1.0",    "1.0.",   "1.0.0.0", "v1.0.0",   "01.0.0", "1.00.0", "1.0.0-",   "1.0.0-01",
          "1.0.0+", "1.0.0-a.", "1.0.0 ", " 1.0.0", "1.0.0-ä", "1.0.0-a_", "-1.0.0", "1.-1.0", "1.0.0+a+b" };
  for (size_t i = 0; i < sizeof good / sizeof *good + sizeof bad / sizeof *bad; i++)
    {
      ARENA_CLEANUP struct arena arena = { 0 };
      struct error err = { 0 };
      const struct spec *spec;
      bool is_good = i < sizeof good / sizeof *good;
      const char *version = is_good ? good[i] : bad[i - sizeof good / sizeof *good];
      const char *text = arena_printf (&arena, "{\"ociVersion\":\"%s\",\"root\":{\"path\":\"r\"}}", version);
      int result = spec_decode (&arena, "config.json", text, strlen (text), &spec, &err);
      if (result != (is_good ? 0 : -EINVAL))
        fail_msg ("%s: %d %s", version, result, err.message);
      if (!is_good)
        {
          assert_string_equal (err.message,
                               arena_printf (&arena, "config.json:1:15: ociVersion: \"%s\" is no version", version));
          assert_string_equal (err.hint, "versions look like \"1.3.0\"");
        }
    }
}

static void
test_general (void **state)
{
  (void) state;
  static const struct rule rules[] = {
    { "{\"ociVersion\":\"1.0.0\"}", "missing member \"root\"" },
    { "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"\"}}", "root.path: must not be empty" },
    { CONFIG ("\"hostname\":\"\",\"domainname\":\"\""), NULL },
    { CONFIG ("\"hostname\":\"h\""), "hostname: needs a UTS namespace: it would be set for the host" },
    { CONFIG ("\"domainname\":\"d\""), "domainname: needs a UTS namespace: it would be set for the host" },
    { CONFIG ("\"hostname\":\"h\",\"linux\":{\"namespaces\":[" UTS "]}"), NULL },
    { CONFIG ("\"hostname\":\"1234567890123456789012345678901234567890123456789012345678901234\","
              "\"linux\":{\"namespaces\":[" UTS "]}"),
      NULL },
    { CONFIG ("\"hostname\":\"12345678901234567890123456789012345678901234567890123456789012345\","
              "\"linux\":{\"namespaces\":[" UTS "]}"),
      "hostname: longer than 64 bytes" },
    { CONFIG ("\"annotations\":{\"\":\"x\"}"), "annotations[\"\"]: the name must not be empty" },
    { CONFIG ("\"hooks\":{\"poststop\":[{\"path\":\"/a\"},{\"path\":\"b\"}]}"),
      "hooks.poststop[1].path: \"b\" is not an absolute path" },
    { CONFIG ("\"hooks\":{\"createRuntime\":[{\"path\":\"/a\",\"env\":[\"=x\"]}]}"),
      "hooks.createRuntime[0].env[0]: \"=x\" is not of the form NAME=VALUE" },
    { CONFIG ("\"hooks\":{\"startContainer\":[{\"path\":\"/a\",\"env\":[\"x=\"],\"timeout\":1}]}"), NULL },
    { CONFIG ("\"hooks\":{\"startContainer\":[{\"path\":\"/a\",\"timeout\":0}]}"),
      "hooks.startContainer[0].timeout: expected an integer from 1 to 2147483647, not 0" },
  };
  CHECK (rules);
}

static void
test_mounts (void **state)
{
  (void) state;
#define MOUNTS(mount) CONFIG ("\"mounts\":[" mount "],\"linux\":{\"namespaces\":[" MOUNT "]}")
  static const struct rule rules[] = {
    { CONFIG ("\"mounts\":[{\"destination\":\"/x\"}]"),
      "mounts: needs a mount namespace: it would be done to the host" },
    { "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\",\"readonly\":true}}",
      "root.readonly: needs a mount namespace: it would be done to the host" },
    { LINUX ("\"maskedPaths\":[\"/x\"]"), "linux.maskedPaths: needs a mount namespace: it would be done to the host" },
    { LINUX ("\"readonlyPaths\":[\"/x\"]"),
      "linux.readonlyPaths: needs a mount namespace: it would be done to the host" },
    { LINUX ("\"rootfsPropagation\":\"shared\""),
      "linux.rootfsPropagation: needs a mount namespace: it would be done to the host" },
    { CONFIG ("\"mounts\":[]"), NULL },
    { MOUNTS ("{\"destination\":\"relative\"}"), NULL },
    { MOUNTS ("{\"destination\":\"/x\"},{\"destination\":\"\"}"), "mounts[1].destination: must not be empty" },
    { MOUNTS ("{\"destination\":\"/x\",\"uidMappings\":[" MAP (0, 0, 0) "],\"gidMappings\":[" MAP (0, 0, 1) "]}"),
      "mounts[0].uidMappings[0].size: must not be 0" },
    { MOUNTS ("{\"destination\":\"/x\",\"uidMappings\":[" MAP (0, 0, 1) "]}"),
      "mounts[0]: uidMappings and gidMappings go together" },
    { MOUNTS ("{\"destination\":\"/x\",\"gidMappings\":[" MAP (0, 0, 1) "]}"),
      "mounts[0]: uidMappings and gidMappings go together" },
    { MOUNTS ("{\"destination\":\"/x\",\"uidMappings\":[" MAP (0, 0, 1) "],\"gidMappings\":[" MAP (0, 0, 0) "]}"),
      "mounts[0].gidMappings[0].size: must not be 0" },
    { MOUNTS ("{\"destination\":\"/x\",\"options\":[\"ro\",\"idmap\"]}"),
      "mounts[0].options[1]: needs uidMappings and gidMappings, or a user namespace" },
    { MOUNTS ("{\"destination\":\"/x\",\"options\":[\"ridmap\"],\"uidMappings\":[" MAP (
          0, 0, 1) "],\"gidMappings\":[" MAP (0, 0, 1) "]}"),
      NULL },
    { CONFIG ("\"mounts\":[{\"destination\":\"/x\",\"options\":[\"idmap\"]}],\"linux\":{\"namespaces\":[" MOUNT "," USER
              "]}"),
      NULL },
  };
  CHECK (rules);
}

static void
test_process (void **state)
{
  (void) state;
#define RLIMIT(type, soft, hard) "{\"type\":\"RLIMIT_" #type "\",\"soft\":" #soft ",\"hard\":" #hard "}"
  static const struct rule rules[] = {
    { CONFIG ("\"process\":{\"cwd\":\"/\"}"), "process.args: at least one argument is needed: the program" },
    { CONFIG ("\"process\":{\"cwd\":\"/\",\"args\":[]}"),
      "process.args: at least one argument is needed: the program" },
    { CONFIG ("\"process\":{\"cwd\":\"x\",\"args\":[\"x\"]}"), "process.cwd: \"x\" is not an absolute path" },
    { CONFIG ("\"process\":{\"cwd\":\"\",\"args\":[\"x\"]}"), "process.cwd: \"\" is not an absolute path" },
    { PROCESS ("\"env\":[\"A=\",\"B=c=d\",\"A=b\"]"), NULL },
    { PROCESS ("\"env\":[\"A=\",\"\"]"), "process.env[1]: \"\" is not of the form NAME=VALUE" },
    { PROCESS ("\"env\":[\"A\"]"), "process.env[0]: \"A\" is not of the form NAME=VALUE" },
    { PROCESS ("\"consoleSize\":{\"height\":65536,\"width\":99999}"), NULL }, /* ignored without a terminal */
    { PROCESS ("\"terminal\":true,\"consoleSize\":{\"height\":65535,\"width\":65535}"), NULL },
    { PROCESS ("\"terminal\":true,\"consoleSize\":{\"height\":65536,\"width\":0}"),
      "process.consoleSize.height: larger than 65535" },
    { PROCESS ("\"terminal\":true,\"consoleSize\":{\"height\":0,\"width\":65536}"),
      "process.consoleSize.width: larger than 65535" },
    { PROCESS ("\"rlimits\":[" RLIMIT (CPU, 1, 1) "," RLIMIT (RTTIME, 1, 18446744073709551615) "]"), NULL },
    { PROCESS ("\"rlimits\":[" RLIMIT (CPU, 1, 1) "," RLIMIT (AS, 1, 1) "," RLIMIT (CPU, 1, 1) "]"),
      "process.rlimits[2].type: duplicate limit RLIMIT_CPU" },
    { PROCESS ("\"rlimits\":[" RLIMIT (CPU, 2, 1) "]"), "process.rlimits[0].soft: above the hard limit, 1" },
    { PROCESS ("\"execCPUAffinity\":{\"initial\":\"0-3, 7\",\"final\":\"\"}"), NULL },
    { PROCESS ("\"execCPUAffinity\":{\"final\":\"3-0\"}"),
      "process.execCPUAffinity.final: \"3-0\" is not a list of numbers such as 0-3,7" },
    { PROCESS ("\"execCPUAffinity\":{\"initial\":\"0,8191\",\"final\":\"8191\"}"), NULL },
    { PROCESS ("\"execCPUAffinity\":{\"initial\":\"0-8192\"}"),
      "process.execCPUAffinity.initial: there is no CPU 8192: Linux has 8192 at most" },
    { PROCESS ("\"execCPUAffinity\":{\"final\":\"9000,1\"}"),
      "process.execCPUAffinity.final: there is no CPU 9000: Linux has 8192 at most" },
    { PROCESS ("\"execCPUAffinity\":{\"initial\":\"a\"}"),
      "process.execCPUAffinity.initial: \"a\" is not a list of numbers such as 0-3,7" },
  };
  CHECK (rules);
}

static void
test_scheduler (void **state)
{
  (void) state;
#define SCHEDULER(policy, rest) PROCESS ("\"scheduler\":{\"policy\":\"SCHED_" policy "\"" rest "}")
  static const struct rule rules[] = {
    { SCHEDULER ("OTHER", ",\"nice\":-20"), NULL },
    { SCHEDULER ("BATCH", ",\"nice\":19"), NULL },
    { SCHEDULER ("IDLE", ",\"priority\":0,\"nice\":0"), NULL },
    { SCHEDULER ("OTHER", ",\"nice\":20"), "process.scheduler.nice: expected an integer from -20 to 19" },
    { SCHEDULER ("OTHER", ",\"nice\":-21"), "process.scheduler.nice: expected an integer from -20 to 19" },
    { SCHEDULER ("FIFO", ",\"nice\":1,\"priority\":1"),
      "process.scheduler.nice: is for SCHED_OTHER and SCHED_BATCH alone" },
    { SCHEDULER ("FIFO", ",\"priority\":99"), NULL },
    { SCHEDULER ("RR", ",\"priority\":1"), NULL },
    { SCHEDULER ("RR", ""), "process.scheduler.priority: SCHED_FIFO and SCHED_RR need a priority from 1 to 99" },
    { SCHEDULER ("RR", ",\"priority\":100"),
      "process.scheduler.priority: SCHED_FIFO and SCHED_RR need a priority from 1 to 99" },
    { SCHEDULER ("OTHER", ",\"priority\":1"), "process.scheduler.priority: is for SCHED_FIFO and SCHED_RR alone" },
    { SCHEDULER ("ISO", ""), "process.scheduler.policy: Linux has no SCHED_ISO" },
    { SCHEDULER ("DEADLINE", ",\"runtime\":1,\"deadline\":2,\"period\":3"), NULL },
    { SCHEDULER ("DEADLINE", ",\"runtime\":1,\"deadline\":1"), NULL },
    { SCHEDULER ("DEADLINE", ",\"runtime\":1,\"deadline\":2,\"period\":2"), NULL },
    { SCHEDULER ("DEADLINE", ""), "process.scheduler: SCHED_DEADLINE needs a runtime" },
    { SCHEDULER ("DEADLINE", ",\"runtime\":3,\"deadline\":2"),
      "process.scheduler: SCHED_DEADLINE needs runtime <= deadline <= period" },
    { SCHEDULER ("DEADLINE", ",\"runtime\":1,\"deadline\":3,\"period\":2"),
      "process.scheduler: SCHED_DEADLINE needs runtime <= deadline <= period" },
    { SCHEDULER ("OTHER", ",\"period\":3"),
      "process.scheduler: runtime, deadline and period are for SCHED_DEADLINE alone" },
    { SCHEDULER ("OTHER", ",\"runtime\":3"),
      "process.scheduler: runtime, deadline and period are for SCHED_DEADLINE alone" },
    { PROCESS ("\"ioPriority\":{\"class\":\"IOPRIO_CLASS_RT\",\"priority\":7}"), NULL },
    { PROCESS ("\"ioPriority\":{\"class\":\"IOPRIO_CLASS_RT\",\"priority\":8}"),
      "process.ioPriority.priority: expected an integer from 0 to 7, not 8" },
  };
  CHECK (rules);
}

static void
test_namespaces (void **state)
{
  (void) state;
  static const struct rule rules[] = {
    { WITH (MOUNT "," USER "," MOUNT, "\"devices\":[]"), "linux.namespaces[2].type: duplicate mount namespace" },
    { WITH ("{\"type\":\"pid\",\"path\":\"/x\"},{\"type\":\"pid\"}", "\"devices\":[]"),
      "linux.namespaces[1].type: duplicate pid namespace" },
    { WITH ("{\"type\":\"pid\",\"path\":\"proc/1/ns/pid\"}", "\"devices\":[]"),
      "linux.namespaces[0].path: \"proc/1/ns/pid\" is not an absolute path" },
    { WITH ("{\"type\":\"pid\",\"path\":\"\"}", "\"devices\":[]"),
      "linux.namespaces[0].path: \"\" is not an absolute path" },
    { LINUX ("\"uidMappings\":[" MAP (0, 0, 1) "]"), "linux.uidMappings: needs a user namespace" },
    { LINUX ("\"gidMappings\":[" MAP (0, 0, 1) "]"), "linux.gidMappings: needs a user namespace" },
    { WITH (USER, "\"uidMappings\":[" MAP (0, 0, 1) "]"), "linux: uidMappings and gidMappings go together" },
    { WITH (USER, "\"uidMappings\":[" MAP (0, 0, 1) "," MAP (1, 1, 4294967294) "],\"gidMappings\":[" MAP (0, 5, 1) "]"),
      NULL },
    { WITH (USER, "\"uidMappings\":[" MAP (1, 1, 4294967295) "],\"gidMappings\":[" MAP (0, 0, 1) "]"),
      "linux.uidMappings[0].size: goes beyond the last id, 4294967294" },
    { WITH (USER, "\"uidMappings\":[" MAP (1, 5, 4294967290) "],\"gidMappings\":[" MAP (0, 0, 1) "]"), NULL },
    { WITH (USER, "\"uidMappings\":[" MAP (0, 6, 4294967290) "],\"gidMappings\":[" MAP (0, 0, 1) "]"),
      "linux.uidMappings[0].size: goes beyond the last id, 4294967294" },
    { WITH (USER, "\"uidMappings\":[" MAP (6, 0, 4294967290) "],\"gidMappings\":[" MAP (0, 0, 1) "]"),
      "linux.uidMappings[0].size: goes beyond the last id, 4294967294" },
    { WITH (USER, "\"uidMappings\":[" MAP (5, 15, 5) "," MAP (0, 20, 5) "," MAP (10, 10, 5) "],\"gidMappings\":[" MAP (
                      0, 0, 1) "]"),
      NULL },
    { WITH (USER, "\"uidMappings\":[" MAP (0, 9, 10) "," MAP (9, 0, 1) "],\"gidMappings\":[" MAP (0, 0, 1) "]"),
      "linux.uidMappings[1]: overlaps mapping 0" },
    { WITH (USER, "\"uidMappings\":[" MAP (0, 9, 10) "," MAP (10, 18, 1) "],\"gidMappings\":[" MAP (0, 0, 1) "]"),
      "linux.uidMappings[1]: overlaps mapping 0" },
    { WITH ("{\"type\":\"time\"}", "\"timeOffsets\":{\"boottime\":{\"secs\":-1}}"), NULL },
    { LINUX ("\"timeOffsets\":{}"), "linux.timeOffsets: needs a time namespace of the container's own" },
    { WITH ("{\"type\":\"time\",\"path\":\"/x\"}", "\"timeOffsets\":{}"),
      "linux.timeOffsets: needs a time namespace of the container's own" },
  };
  CHECK (rules);
}

/* The kernel takes 340 mappings.  */
static void
test_many_mappings (void **state)
{
  (void) state;
  for (unsigned count = 340; count <= 341; count++)
    {
      ARENA_CLEANUP struct arena arena = { 0 };
      struct error err = { 0 };
      const struct spec *spec;
      struct strbuf text = STRBUF_INIT (&arena);
      strbuf_add (&text, "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"},\"linux\":{\"namespaces\":[" USER
                         "],\"gidMappings\":[" MAP (0, 0, 1) "],\"uidMappings\":[");
      for (unsigned i = 0; i < count; i++)
        strbuf_printf (&text, "%s{\"containerID\":%u,\"hostID\":%u,\"size\":1}", i == 0 ? "" : ",", i, 2 * i);
      strbuf_add (&text, "]}}");
      int result = spec_decode (&arena, "config.json", strbuf_text (&text), text.length, &spec, &err);
      assert_int_equal (result, count == 340 ? 0 : -EINVAL);
      if (result < 0)
        assert_non_null (strstr (err.message, "linux.uidMappings: more than the 340 mappings that the kernel takes"));
    }
}

static void
test_linux (void **state)
{
  (void) state;
#define NETWORK "{\"type\":\"network\"}"
  static const struct rule rules[] = {
    { LINUX ("\"devices\":[{\"type\":\"p\",\"path\":\"/p\"},{\"type\":\"u\",\"path\":\"/u\",\"major\":4095,"
             "\"minor\":1048575}]"),
      NULL },
    { LINUX ("\"devices\":[{\"type\":\"p\",\"path\":\"p\"}]"), "linux.devices[0].path: \"p\" is not an absolute path" },
    { LINUX ("\"devices\":[{\"type\":\"c\",\"path\":\"/p\",\"minor\":0}]"),
      "linux.devices[0]: missing member \"major\"" },
    { LINUX ("\"devices\":[{\"type\":\"b\",\"path\":\"/p\",\"major\":0}]"),
      "linux.devices[0]: missing member \"minor\"" },
    { LINUX ("\"devices\":[{\"type\":\"b\",\"path\":\"/p\",\"major\":4096}]"),
      "linux.devices[0].major: expected an integer from 0 to 4095, not 4096" },
    { LINUX ("\"netDevices\":{\"eth0\":{}}"), "linux.netDevices: needs a network namespace" },
    { WITH (NETWORK, "\"netDevices\":{\"eth0\":{\"name\":\"net%d\"},\"a23456789012345\":{\"name\":\"\"}}"), NULL },
    { WITH (NETWORK, "\"netDevices\":{\"a234567890123456\":{}}"),
      "linux.netDevices.a234567890123456: \"a234567890123456\" is no name of a network interface" },
    { WITH (NETWORK, "\"netDevices\":{\"eth0\":{\"name\":\"a/b\"}}"),
      "linux.netDevices.eth0.name: \"a/b\" is no name of a network interface" },
    { WITH (NETWORK, "\"netDevices\":{\"eth0\":{\"name\":\"a%d\"},\"eth1\":{\"name\":\"a%d\"}}"), NULL },
    { WITH (NETWORK, "\"netDevices\":{\"eth0\":{\"name\":\"eth1\"},\"eth1\":{\"name\":\"eth0\"}}"), NULL },
    { WITH (NETWORK, "\"netDevices\":{\"eth0\":{\"name\":\"eth1\"},\"eth1\":{}}"),
      "linux.netDevices.eth1: eth0 would also be called eth1 in the container" },
    { WITH (NETWORK, "\"netDevices\":{\"eth0\":{\"name\":\"a%d0\"}}"),
      "linux.netDevices.eth0.name: \"a%d0\" is no name of a network interface" },
    { WITH (NETWORK, "\"netDevices\":{\"eth0\":{\"name\":\"%d%d\"}}"),
      "linux.netDevices.eth0.name: \"%d%d\" is no name of a network interface" },
    { WITH (NETWORK, "\"netDevices\":{\"e%d\":{\"name\":\"e\"}}"), NULL }, /* there is none of this name */
    { WITH (NETWORK, "\"netDevices\":{\"..\":{}}"),
      "linux.netDevices[\"..\"]: \"..\" is no name of a network interface" },
    { WITH (MOUNT, "\"maskedPaths\":[\"/a\",\"b\"]"), "linux.maskedPaths[1]: \"b\" is not an absolute path" },
    { WITH (MOUNT, "\"readonlyPaths\":[\"\"]"), "linux.readonlyPaths[0]: \"\" is not an absolute path" },
    { LINUX ("\"personality\":{\"domain\":\"LINUX\",\"flags\":[]}"), NULL },
    { LINUX ("\"personality\":{\"domain\":\"LINUX\",\"flags\":[\"X\"]}"),
      "linux.personality.flags: no flags are supported" },
    { LINUX ("\"intelRdt\":{\"closID\":\"/\",\"memBwSchema\":\"MB:\",\"schemata\":[\"\"]}"), NULL },
    { LINUX ("\"intelRdt\":{\"closID\":\"\"}"), "linux.intelRdt.closID: \"\" is not the name of a directory" },
    { LINUX ("\"intelRdt\":{\"closID\":\"..\"}"), "linux.intelRdt.closID: \"..\" is not the name of a directory" },
    { LINUX ("\"intelRdt\":{\"closID\":\"a/b\"}"), "linux.intelRdt.closID: \"a/b\" is not the name of a directory" },
    { LINUX ("\"intelRdt\":{\"memBwSchema\":\"L3:\"}"),
      "linux.intelRdt.memBwSchema: must begin with \"MB:\" and have no line break" },
    { LINUX ("\"intelRdt\":{\"l3CacheSchema\":\"L3:\\n\"}"), "linux.intelRdt.l3CacheSchema: has a line break" },
    { LINUX ("\"intelRdt\":{\"schemata\":[\"a\",\"b\\nc\"]}"), "linux.intelRdt.schemata[1]: has a line break" },
  };
  CHECK (rules);
}

static void
test_memory_policy (void **state)
{
  (void) state;
#define POLICY(mode, rest) LINUX ("\"memoryPolicy\":{\"mode\":\"MPOL_" mode "\"" rest "}")
#define NODES ",\"nodes\":\"0-1\""
  static const struct rule rules[] = {
    { POLICY ("BIND", NODES ",\"flags\":[\"MPOL_F_STATIC_NODES\",\"MPOL_F_NUMA_BALANCING\"]"), NULL },
    { POLICY ("DEFAULT", ""), NULL },
    { POLICY ("LOCAL", ",\"nodes\":\"\""), NULL },
    { POLICY ("PREFERRED", ""), NULL },
    { POLICY ("DEFAULT", NODES), "linux.memoryPolicy.nodes: MPOL_DEFAULT takes no nodes" },
    { POLICY ("WEIGHTED_INTERLEAVE", ""), "linux.memoryPolicy: MPOL_WEIGHTED_INTERLEAVE needs nodes" },
    { POLICY ("BIND", NODES ",\"flags\":[\"MPOL_F_STATIC_NODES\",\"MPOL_F_RELATIVE_NODES\"]"),
      "linux.memoryPolicy.flags: MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES exclude each other" },
    { POLICY ("PREFERRED", ",\"flags\":[\"MPOL_F_STATIC_NODES\"]"),
      "linux.memoryPolicy.flags: flags about nodes need nodes" },
    { POLICY ("PREFERRED_MANY", NODES ",\"flags\":[\"MPOL_F_NUMA_BALANCING\"]"), NULL },
    { POLICY ("INTERLEAVE", NODES ",\"flags\":[\"MPOL_F_NUMA_BALANCING\"]"),
      "linux.memoryPolicy.flags: MPOL_F_NUMA_BALANCING is for MPOL_BIND and MPOL_PREFERRED_MANY alone" },
    { POLICY ("BIND", ",\"nodes\":\"0-\""), "linux.memoryPolicy.nodes: \"0-\" is not a list of numbers such as 0-3,7" },
  };
  CHECK (rules);
}

static void
test_resources (void **state)
{
  (void) state;
  static const struct rule rules[] = {
    { LINUX ("\"cgroupsPath\":\"/a/..b/c\""), NULL },
    { LINUX ("\"cgroupsPath\":\"system.slice:thole:x\""), NULL },
    { LINUX ("\"cgroupsPath\":\"..\""), "linux.cgroupsPath: must not contain \"..\"" },
    { LINUX ("\"cgroupsPath\":\"/a/../b\""), "linux.cgroupsPath: must not contain \"..\"" },
    { RESOURCES ("\"devices\":[{\"allow\":true,\"type\":\"a\",\"major\":-1,\"minor\":-1,\"access\":\"mwr\"}]"), NULL },
    { RESOURCES ("\"devices\":[{\"allow\":true,\"type\":\"p\"}]"),
      "linux.resources.devices[0].type: expected \"a\", \"b\" or \"c\", not \"p\"" },
    { RESOURCES ("\"devices\":[{\"allow\":true,\"type\":\"\"}]"),
      "linux.resources.devices[0].type: expected \"a\", \"b\" or \"c\", not \"\"" },
    { RESOURCES ("\"devices\":[{\"allow\":true,\"access\":\"rx\"}]"),
      "linux.resources.devices[0].access: expected letters of \"rwm\", not \"rx\"" },
    { RESOURCES ("\"devices\":[{\"allow\":true,\"access\":\"\"}]"),
      "linux.resources.devices[0].access: expected letters of \"rwm\", not \"\"" },
    { RESOURCES ("\"cpu\":{\"burst\":5,\"quota\":5}"), NULL },
    { RESOURCES ("\"cpu\":{\"burst\":5,\"quota\":-1}"), NULL },
    { RESOURCES ("\"cpu\":{\"burst\":5}"), NULL },
    { RESOURCES ("\"cpu\":{\"burst\":6,\"quota\":5}"), "linux.resources.cpu.burst: larger than the quota, 5" },
    { RESOURCES ("\"pids\":{}"), NULL },
    { RESOURCES ("\"pids\":{\"limit\":-2}"),
      "linux.resources.pids.limit: expected an integer from -1 to 9223372036854775807, not -2" },
    { RESOURCES ("\"blockIO\":{\"weightDevice\":[{\"major\":8,\"minor\":0,\"leafWeight\":0}]}"), NULL },
    { RESOURCES ("\"blockIO\":{\"weightDevice\":[{\"major\":8,\"minor\":0}]}"),
      "linux.resources.blockIO.weightDevice[0]: weight or leafWeight is needed" },
    { RESOURCES ("\"hugepageLimits\":[{\"pageSize\":\"64KB\",\"limit\":0}]"), NULL },
    { RESOURCES ("\"hugepageLimits\":[{\"pageSize\":\"02MB\",\"limit\":0}]"),
      "linux.resources.hugepageLimits[0].pageSize: expected a size such as \"2MB\", not \"02MB\"" },
    { RESOURCES ("\"hugepageLimits\":[{\"pageSize\":\"KB\",\"limit\":0}]"),
      "linux.resources.hugepageLimits[0].pageSize: expected a size such as \"2MB\", not \"KB\"" },
    { RESOURCES ("\"hugepageLimits\":[{\"pageSize\":\"2\",\"limit\":0}]"),
      "linux.resources.hugepageLimits[0].pageSize: expected a size such as \"2MB\", not \"2\"" },
    { RESOURCES ("\"rdma\":{\"a\":{\"hcaObjects\":0}}"), NULL },
    { RESOURCES ("\"rdma\":{\"a\":{}}"), "linux.resources.rdma.a: hcaHandles or hcaObjects is needed" },
    { RESOURCES ("\"unified\":{\"memory.high\":\"\",\"hugetlb.2MB.max\":\"1\"}"), NULL },
    { RESOURCES ("\"unified\":{\"memory\":\"\"}"),
      "linux.resources.unified.memory: \"memory\" is not of the form CONTROLLER.PARAMETER" },
    { RESOURCES ("\"unified\":{\"../memory.high\":\"\"}"),
      "linux.resources.unified[\"../memory.high\"]: \"../memory.high\" is not of the form CONTROLLER.PARAMETER" },
    { RESOURCES ("\"unified\":{\"..\":\"\"}"),
      "linux.resources.unified[\"..\"]: \"..\" is not of the form CONTROLLER.PARAMETER" },
  };
  CHECK (rules);
}

static void
test_sysctl (void **state)
{
  (void) state;
#define SYSCTL(namespaces, key) WITH (namespaces, "\"sysctl\":{\"" key "\":\"1\"}")
#define IPC "{\"type\":\"ipc\"}"
  static const struct rule rules[] = {
    { SYSCTL (NETWORK, "net.ipv4.ip_forward"), NULL },
    { SYSCTL (NETWORK, "net/ipv4/conf/eth0.100/forwarding"), NULL },
    { SYSCTL (IPC, "kernel.shm_rmid_forced"), NULL },
    { SYSCTL (IPC, "fs.mqueue.msg_max"), NULL },
    { SYSCTL (UTS, "kernel.domainname"), NULL },
    { SYSCTL (USER, "user.max_user_namespaces"), NULL },
    { SYSCTL (IPC, "net.ipv4.ip_forward"),
      "linux.sysctl[\"net.ipv4.ip_forward\"]: needs a namespace of type \"network\": it would be set for the host" },
    { SYSCTL (NETWORK, "kernel.sem"),
      "linux.sysctl[\"kernel.sem\"]: needs a namespace of type \"ipc\": it would be set for the host" },
    { SYSCTL (IPC, "kernel.semx"),
      "linux.sysctl[\"kernel.semx\"]: \"kernel.semx\" belongs to no namespace: it would be set for the host" },
    { SYSCTL (NETWORK, "network.x"),
      "linux.sysctl[\"network.x\"]: \"network.x\" belongs to no namespace: it would be set for the host" },
    { SYSCTL (UTS, "kernel/hostname"), "linux.sysctl[\"kernel/hostname\"]: the host name is not set by sysctl" },
    { SYSCTL (NETWORK, "net/../kernel/panic"),
      "linux.sysctl[\"net/../kernel/panic\"]: \"net/../kernel/panic\" is no name of a kernel parameter" },
    { SYSCTL (NETWORK, "net.//.kernel"),
      "linux.sysctl[\"net.//.kernel\"]: \"net.//.kernel\" is no name of a kernel parameter" },
    { SYSCTL (NETWORK, "net..x"), "linux.sysctl[\"net..x\"]: \"net..x\" is no name of a kernel parameter" },
    { SYSCTL (NETWORK, "/net"), "linux.sysctl[\"/net\"]: \"/net\" is no name of a kernel parameter" },
    { SYSCTL (NETWORK, ""), "linux.sysctl[\"\"]: \"\" is no name of a kernel parameter" },
  };
  CHECK (rules);
}

static void
test_sysctl_path (void **state)
{
  (void) state;
  ARENA_CLEANUP struct arena arena = { 0 };
  assert_string_equal (spec_sysctl_path (&arena, "net.ipv4.ip_forward"), "net/ipv4/ip_forward");
  assert_string_equal (spec_sysctl_path (&arena, "net/ipv4/conf/eth0.100/x"), "net/ipv4/conf/eth0.100/x");
  assert_string_equal (spec_sysctl_path (&arena, "net.ipv4.conf.eth0/100.x"), "net/ipv4/conf/eth0.100/x");
  assert_null (spec_sysctl_path (&arena, "net/./x"));
  assert_null (spec_sysctl_path (&arena, "net.a.//.b")); /* net/a/../b */
  assert_null (spec_sysctl_path (&arena, "net."));
}

static void
test_seccomp (void **state)
{
  (void) state;
#define SECCOMP(action, rest) LINUX ("\"seccomp\":{\"defaultAction\":\"SCMP_ACT_" action "\"" rest "}")
#define RULE(names, action, rest) ",\"syscalls\":[{\"names\":[" names "],\"action\":\"SCMP_ACT_" action "\"" rest "}]"
  static const struct rule rules[] = {
    { SECCOMP ("ERRNO", ",\"defaultErrnoRet\":38" RULE ("\"x\"", "TRACE", ",\"errnoRet\":1")), NULL },
    { SECCOMP ("LOG", ",\"defaultErrnoRet\":1"), "linux.seccomp.defaultErrnoRet: SCMP_ACT_LOG returns no errno" },
    { SECCOMP ("LOG", RULE ("\"x\"", "ALLOW", ",\"errnoRet\":1")),
      "linux.seccomp.syscalls[0].errnoRet: SCMP_ACT_ALLOW returns no errno" },
    { SECCOMP ("LOG", RULE ("", "ALLOW", "")), "linux.seccomp.syscalls[0].names: at least one system call is needed" },
    { SECCOMP ("LOG", ",\"listenerPath\":\"/x\",\"listenerMetadata\":\"m\""), NULL },
    { SECCOMP ("LOG", ",\"listenerMetadata\":\"m\""), "linux.seccomp.listenerMetadata: needs listenerPath" },
    { SECCOMP ("LOG", RULE ("\"x\"", "ALLOW", ",\"args\":[{\"index\":6,\"value\":0,\"op\":\"SCMP_CMP_EQ\"}]")),
      "linux.seccomp.syscalls[0].args[0].index: expected an integer from 0 to 5, not 6" },
  };
  CHECK (rules);
}

static void
test_number_list (void **state)
{
  (void) state;
  const char *list = " 0-3,,7 , 12 - 14,999999";
  static const unsigned ranges[][2] = { { 0, 3 }, { 7, 7 }, { 12, 14 }, { 999999, 999999 } };
  unsigned first, last;
  for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
    {
      assert_int_equal (spec_number_list_next (&list, &first, &last), 1);
      assert_int_equal (first, ranges[i][0]);
      assert_int_equal (last, ranges[i][1]);
    }
  assert_int_equal (spec_number_list_next (&list, &first, &last), 0);
  static const char *const bad[] = { "-", "1-", "-1", "2-1", "1 2", "1-2-3", "x", "1x", "0x1", "1000000", "1\n" };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    {
      list = bad[i];
      assert_int_equal (spec_number_list_next (&list, &first, &last), -EINVAL);
    }
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_version),     cmocka_unit_test (test_general),       cmocka_unit_test (test_mounts),
    cmocka_unit_test (test_process),     cmocka_unit_test (test_scheduler),     cmocka_unit_test (test_namespaces),
    cmocka_unit_test (test_linux),       cmocka_unit_test (test_memory_policy), cmocka_unit_test (test_resources),
    cmocka_unit_test (test_sysctl),      cmocka_unit_test (test_sysctl_path),   cmocka_unit_test (test_seccomp),
    cmocka_unit_test (test_number_list), cmocka_unit_test (test_many_mappings),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
