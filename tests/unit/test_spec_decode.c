/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* src/spec: from text to structs, and from a struct back to its place in the text.  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first.  */
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/strbuf.h"
#include "spec/names.h"
#include "spec/source.h"
#include "spec/spec.h"

/* tests/data/configs/maximal.json, which has every property of the specification.  */
static struct arena maximal_arena;
static const struct spec *maximal;

static int
decode_maximal (void **state)
{
  (void) state;
  struct error err = { 0 };
  const char *top = getenv ("top_srcdir"), *text;
  size_t size;
  const char *path = arena_printf (&maximal_arena, "%s/tests/data/configs/maximal.json", top == NULL ? "." : top);
  if (spec_read_file (&maximal_arena, AT_FDCWD, path, path, &text, &size, &err) < 0
      || spec_decode (&maximal_arena, "maximal.json", text, size, &maximal, &err) < 0)
    fail_msg ("%s", err.message);
  return 0;
}

static int
free_maximal (void **state)
{
  (void) state;
  arena_free (&maximal_arena);
  return 0;
}

static int
decode (struct arena *arena, const char *text, const struct spec **ret_spec, struct error *err)
{
  return spec_decode (arena, "config.json", text, strlen (text), ret_spec, err);
}

static void
test_process (void **state)
{
  (void) state;
  const struct spec_process *process = maximal->process;
  assert_true (process->terminal.set && process->terminal.value);
  assert_int_equal (process->console_size->height.value, 25);
  assert_int_equal (process->user.umask.value, 63);
  assert_int_equal (process->user.additional_gids.count, 2);
  assert_int_equal (process->user.additional_gids.items[1], 6);
  assert_int_equal (process->args.count, 3);
  assert_string_equal (process->args.items[2], "true");
  assert_string_equal (process->capabilities->ambient.items[0], "CAP_KILL");
  assert_int_equal (process->rlimits.count, 2);
  assert_int_equal (process->rlimits.items[0].type.value, RLIMIT_NOFILE);
  assert_true (process->rlimits.items[1].hard.value == UINT64_MAX);
  assert_int_equal (process->oom_score_adj.value, 100);
  assert_int_equal (process->scheduler->policy.value, 6 /* SCHED_DEADLINE */);
  assert_int_equal (process->scheduler->flags.value, 3);
  assert_true (process->scheduler->nice.set);
  assert_int_equal (process->io_priority->class.value, 2 /* IOPRIO_CLASS_BE */);
  assert_string_equal (process->exec_cpu_affinity->initial, "0-3,7");
}

static void
test_mounts_and_hooks (void **state)
{
  (void) state;
  assert_int_equal (maximal->mounts.count, 3);
  assert_null (maximal->mounts.items[0].options.items);
  assert_string_equal (maximal->mounts.items[2].destination, "/data");
  assert_string_equal (maximal->mounts.items[2].options.items[3], "rprivate");
  assert_int_equal (maximal->mounts.items[2].uid_mappings.items[0].host_id.value, 1000);
  assert_int_equal (maximal->hooks->prestart.items[0].timeout.value, 1);
  assert_string_equal (maximal->hooks->poststop.items[0].env.items[0], "K=v");
  assert_string_equal (spec_annotation (maximal, "com.example.gpu-cores"), "2");
  assert_string_equal (spec_annotation (maximal, "empty"), "");
  assert_null (spec_annotation (maximal, "absent"));
}

static void
test_linux (void **state)
{
  (void) state;
  const struct spec_linux *lin = maximal->linux_;
  assert_int_equal (lin->namespaces.count, 8);
  assert_string_equal (spec_namespace_find (maximal, CLONE_NEWNET)->path, "/run/netns/one");
  assert_null (spec_namespace_find (maximal, CLONE_NEWPID)->path);
  assert_int_equal (lin->devices.items[0].type.value, S_IFCHR);
  assert_int_equal (lin->devices.items[0].minor.value, 229);
  assert_false (lin->devices.items[1].major.set);
  assert_string_equal (lin->net_devices.items[0].key, "eth0");
  assert_string_equal (lin->net_devices.items[0].name, "net0");
  assert_null (lin->net_devices.items[1].name);
  assert_int_equal (lin->rootfs_propagation.value, MS_SLAVE);
  assert_string_equal (lin->sysctl.items[1].key, "kernel.shmmax");
  assert_string_equal (lin->sysctl.items[1].value, "68719476736");
  assert_int_equal (lin->time_offsets->monotonic->secs.value, -1);
  assert_int_equal (lin->memory_policy->flags.value, 1 << 15);
  assert_int_equal (lin->personality->domain.value, 8);
  assert_true (lin->intel_rdt->enable_monitoring.value);
}

static void
test_resources (void **state)
{
  (void) state;
  const struct spec_resources *resources = maximal->linux_->resources;
  assert_int_equal (resources->memory->kernel_tcp.value, -1);
  assert_true (resources->memory->disable_oom_killer.set && !resources->memory->disable_oom_killer.value);
  assert_int_equal (resources->cpu->realtime_period.value, 1000000);
  assert_int_equal (resources->block_io->write_iops.items[0].rate.value, 300);
  assert_int_equal (resources->network->priorities.items[0].priority.value, 500);
  assert_string_equal (resources->rdma.items[0].key, "mlx5_1");
  assert_int_equal (resources->rdma.items[0].hca_objects.value, 10000);
  assert_null (resources->devices.items[0].type);
  assert_string_equal (resources->devices.items[1].access, "rw");
}

static void
test_seccomp (void **state)
{
  (void) state;
  const struct spec_seccomp *seccomp = maximal->linux_->seccomp;
  assert_int_equal (seccomp->default_action.value, SECCOMP_RET_ERRNO);
  assert_int_equal (seccomp->architectures.count, 2);
  assert_int_equal (seccomp->architectures.items[0], 0xc000003e);
  assert_int_equal (seccomp->flags.value, SECCOMP_FILTER_FLAG_LOG);
  const struct spec_seccomp_arg *arg = &seccomp->syscalls.items[1].args.items[0];
  assert_true (arg->value.value == UINT64_MAX);
  assert_int_equal (arg->op.value, SPEC_SECCOMP_MASKED_EQ);
}

/* Lists longer than the room they begin with keep their order.  */
static void
test_long_lists (void **state)
{
  (void) state;
  ARENA_CLEANUP struct arena arena = { 0 };
  struct strbuf text = STRBUF_INIT (&arena);
  struct error err = { 0 };
  const struct spec *spec;
  strbuf_add (&text, "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"},\"annotations\":{");
  for (int i = 0; i < 1000; i++)
    strbuf_printf (&text, "%s\"key%d\":\"value%d\"", i == 0 ? "" : ",", i, i);
  strbuf_add (&text, "},\"process\":{\"cwd\":\"/\",\"args\":[\"x\"],\"user\":{\"additionalGids\":[");
  for (int i = 0; i < 1000; i++)
    strbuf_printf (&text, "%s%d", i == 0 ? "" : ",", i);
  strbuf_add (&text, "]}}}");
  assert_int_equal (decode (&arena, strbuf_text (&text), &spec, &err), 0);
  assert_int_equal (spec->annotations.count, 1000);
  assert_int_equal (spec->process->user.additional_gids.count, 1000);
  for (int i = 0; i < 1000; i++)
    {
      assert_int_equal (spec->process->user.additional_gids.items[i], i);
      assert_string_equal (spec->annotations.items[i].key, arena_printf (&arena, "key%d", i));
      assert_string_equal (spec->annotations.items[i].value, arena_printf (&arena, "value%d", i));
    }
}

static void
test_strings (void **state)
{
  (void) state;
  ARENA_CLEANUP struct arena arena = { 0 };
  struct error err = { 0 };
  const struct spec *spec;
  assert_int_equal (decode (&arena,
                            "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"\\u00e4\\ud83d\\ude00\\\"\\\\\\/\\n\"},"
                            "\"annotations\":{\"\\u0061\\t\":\"\xc3\xa4\",\"b\":\"\\nd800\\ud7ff\\ue000\"}}",
                            &spec, &err),
                    0);
  assert_string_equal (spec->root->path, "\xc3\xa4\xf0\x9f\x98\x80\"\\/\n");
  assert_string_equal (spec->annotations.items[0].key, "a\t");
  assert_string_equal (spec->annotations.items[0].value, "\xc3\xa4");
  assert_string_equal (spec->annotations.items[1].value, "\nd800\xed\x9f\xbf\xee\x80\x80");
}

/* null is absent; what is absent is not set.  */
static void
test_absent (void **state)
{
  (void) state;
  ARENA_CLEANUP struct arena arena = { 0 };
  struct error err = { 0 };
  const struct spec *spec;
  assert_int_equal (decode (&arena,
                            "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\",\"readonly\":null},\"linux\":null,"
                            "\"mounts\":null,\"hostname\":null,\"annotations\":null}",
                            &spec, &err),
                    0);
  assert_false (spec->root->readonly.set);
  assert_null (spec->linux_);
  assert_null (spec->hostname);
  assert_null (spec->process);
  assert_int_equal (spec->mounts.count, 0);
  assert_int_equal (spec->annotations.count, 0);
  assert_null (spec_namespace_find (spec, CLONE_NEWNS));
}

/* Each text, and the error that it must give.  */
static const struct
{
  const char *text, *message, *hint;
} errors[] = {
  { "", "config.json:1:1: empty", "" },
  { " \n\t", "config.json:2:2: empty", "" },
  { "[]", "config.json:1:1: expected an object, not an array", "" },
  { "{}", "config.json:1:1: missing member \"ociVersion\"", "" },
  { "{\"ociVersion\":\"1.0.0\"", "config.json:1:22: not JSON: premature EOF", "" },
  { "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"}}\n}", "config.json:2:1: not JSON: trailing garbage", "" },
  { "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"}}\"", "config.json:1:43: not JSON: trailing garbage", "" },
  { "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"}} -", "config.json:1:44: not JSON: trailing garbage", "" },
  { "{\"a\" 1}", "config.json:1:6: not JSON: object key and value must be separated by a colon (':')", "" },
  { "{\n \"a\": 1 // one\n}",
    "config.json:2:9: not JSON: probable comment found in input text, comments are not enabled", "" },
  { "{\"a\":\"\x01\"}", "config.json:1:7: a control character", "" },
  { "{\"a\":\v1}", "config.json:1:6: a control character", "" },
  { "{\"a\":\"\xff\"}", "config.json:1:7: not UTF-8", "" },
  { "{\"a\":\"\xc0\xaf\"}", "config.json:1:7: not UTF-8", "" },         /* overlong / */
  { "{\"a\":\"\xe0\x80\xaf\"}", "config.json:1:7: not UTF-8", "" },     /* overlong / */
  { "{\"a\":\"\xed\xa0\x80\"}", "config.json:1:7: not UTF-8", "" },     /* a surrogate */
  { "{\"a\":\"\xf4\x90\x80\x80\"}", "config.json:1:7: not UTF-8", "" }, /* above U+10FFFF */
  { "{\"a\":\"\xf0\x8f\xbf\xbf\"}", "config.json:1:7: not UTF-8", "" }, /* overlong */
  { "{\"a\":\"\xe2\x82\"}", "config.json:1:7: not UTF-8", "" },         /* cut */
  { "\xef\xbb\xbf{}", "config.json:1:1: begins with a byte order mark; JSON has none", "" },
  { "{\"a\":\"x\\u0000y\"}", "config.json:1:8: \\u0000 cannot be part of a string here", "" },
  { "{\"a\":\"\\ud800\"}", "config.json:1:7: half a surrogate pair", "" },
  { "{\"a\":\"\\udc00\\ud800\"}", "config.json:1:7: half a surrogate pair", "" },
  { "{\"a\":\"\\udfff\"}", "config.json:1:7: half a surrogate pair", "" },
  { "{\"a\":\"\\ud83d\\ue000\"}", "config.json:1:7: half a surrogate pair", "" },
  { "{\"a\":\"\\ud83dxude00\"}", "config.json:1:7: half a surrogate pair", "" },
  { "{\"a\":\"\\ud83d\\xde00\"}", "config.json:1:7: half a surrogate pair", "" },
  { "{\"a\":\"\\ud800\\u", "config.json:1:7: half a surrogate pair", "" },
  { "{\"hostname\":5}", "config.json:1:13: hostname: expected a string, not a number", "" },
  { "{\"process\":{\n  \"cwd\": null}}", "config.json:2:10: process.cwd: expected a string, not null", "" },
  { "{\"process\":[]}", "config.json:1:12: process: expected an object, not an array", "" },
  { "{\"mounts\":{}}", "config.json:1:11: mounts: expected an array, not an object", "" },
  { "{\"annotations\":[]}", "config.json:1:16: annotations: expected an object, not an array", "" },
  { "{\"annotations\":{\"a\":null}}", "config.json:1:21: annotations.a: expected a string, not null", "" },
  { "{\"annotations\":{\"a.b/c\":1}}", "config.json:1:25: annotations[\"a.b/c\"]: expected a string, not a number",
    "" },
  { "{\"process\":{\"terminal\":\"true\"}}", "config.json:1:24: process.terminal: expected a boolean, not a string",
    "" },
  { "{\"process\":{\"user\":{\"uid\":\"0x10\"}}}",
    "config.json:1:27: process.user.uid: expected an integer, not a string", "" },
  { "{\"process\":{\"user\":{\"uid\":true}}}", "config.json:1:27: process.user.uid: expected an integer, not a boolean",
    "" },
  { "{\"process\":{\"args\":[\"\xc3\xa4\", 1]}}", "config.json:1:26: process.args[1]: expected a string, not a number",
    "" },
  { "{\"process\":{\"args\":[null]}}", "config.json:1:21: process.args[0]: expected a string, not null", "" },
  { "{\"process\":{\"user\":{\"additionalGids\":[1,-1]}}}",
    "config.json:1:41: process.user.additionalGids[1]: expected an integer from 0 to 4294967294, not -1", "" },
  { "{\"process\":{\"oomScoreAdj\":1e3}}",
    "config.json:1:27: process.oomScoreAdj: expected an integer from -1000 to 1000, not 1e3", "" },
  { "{\"process\":{\"oomScoreAdj\":1.0}}",
    "config.json:1:27: process.oomScoreAdj: expected an integer from -1000 to 1000, not 1.0", "" },
  { "{\"process\":{\"oomScoreAdj\":1001}}",
    "config.json:1:27: process.oomScoreAdj: expected an integer from -1000 to 1000, not 1001", "" },
  { "{\"process\":{\"oomScoreAdj\":-1001}}",
    "config.json:1:27: process.oomScoreAdj: expected an integer from -1000 to 1000, not -1001", "" },
  { "{\"linux\":{\"resources\":{\"cpu\":{\"shares\":18446744073709551616}}}}",
    "config.json:1:40: linux.resources.cpu.shares: expected an integer from 0 to 18446744073709551615, not "
    "18446744073709551616",
    "" },
  { "{\"linux\":{\"resources\":{\"cpu\":{\"quota\":9223372036854775808}}}}",
    "config.json:1:39: linux.resources.cpu.quota: expected an integer from -9223372036854775808 to "
    "9223372036854775807, not 9223372036854775808",
    "" },
  { "{\"linux\":{\"resources\":{\"cpu\":{\"quota\":-9223372036854775809}}}}",
    "config.json:1:39: linux.resources.cpu.quota: expected an integer from -9223372036854775808 to "
    "9223372036854775807, not -9223372036854775809",
    "" },
  { "{\"linux\":{\"namespaces\":[{\"type\":\"pid\"},\n{\"path\":\"/x\"}]}}",
    "config.json:2:1: linux.namespaces[1]: missing member \"type\"", "" },
  { "{\"linux\":{\"namespaces\":[{\"type\":\"networks\"}]}}",
    "config.json:1:33: linux.namespaces[0].type: unknown value \"networks\"", "did you mean \"network\"?" },
  { "{\"linux\":{\"personality\":{\"domain\":\"BSD\"}}}",
    "config.json:1:35: linux.personality.domain: unknown value \"BSD\"", "known are \"LINUX\", \"LINUX32\"" },
  { "{\"linux\":{\"seccomp\":{\"flags\":[\"SECCOMP_FILTER_FLAG_LOGS\"]}}}",
    "config.json:1:31: linux.seccomp.flags[0]: unknown value \"SECCOMP_FILTER_FLAG_LOGS\"",
    "did you mean \"SECCOMP_FILTER_FLAG_LOG\"?" },
  { "{\"linux\":{\"resources\":{\"rdma\":{\"a\":{},\"b\":{\"hcaHandles\":[]}}}}}",
    "config.json:1:57: linux.resources.rdma.b.hcaHandles: expected an integer, not an array", "" },
  { "{\"hostname\":\"a\",\"x\":{},\"hostname\":\"b\"}", "config.json:1:24: duplicate member \"hostname\"", "" },
  { "{\"root\":{\"path\":\"a\",\"PATH\":\"b\"}}", "config.json:1:21: root: duplicate member \"path\"", "" },
  { "{\"annotations\":{\"a\":\"1\",\"a\":\"3\"}}", "config.json:1:16: annotations: duplicate member \"a\"", "" },
  { "{\"annotations\":{\"a\":\"1\",\"b\":\"2\",\"a\":\"3\"}}", "config.json:1:16: annotations: duplicate member \"a\"",
    "" },
};

static void
test_wrong (void **state)
{
  (void) state;
  for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
    {
      ARENA_CLEANUP struct arena arena = { 0 };
      struct error err = { 0 };
      const struct spec *spec = NULL;
      assert_int_equal (decode (&arena, errors[i].text, &spec, &err), -EINVAL);
      assert_null (spec);
      assert_int_equal (err.code, EINVAL);
      assert_string_equal (err.message, errors[i].message);
      assert_string_equal (err.hint, errors[i].hint);
    }
}

/* The character that the LENGTH bytes at TEXT are in UTF-8, decoded without a table of ranges; 0 if they are none.  */
static uint32_t
character (const unsigned char *text, size_t length)
{
  static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
  uint32_t value = length == 1 ? text[0] : text[0] & (0xffu >> (length + 1));
  if (length == 1 ? text[0] >= 0x80 : (unsigned) text[0] >> (7 - length) != (2u << length) - 2)
    return 0;
  for (size_t i = 1; i < length; i++)
    {
      if (text[i] >> 6 != 2)
        return 0;
      value = value << 6 | (text[i] & 0x3f);
    }
  return value < least[length] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000) ? 0 : value;
}

/* All there is of two bytes, and all that matters of three and four.  */
static void
test_utf8 (void **state)
{
  (void) state;
  static const unsigned char edges[] = { 0x41, 0x7f, 0x80, 0xbf, 0xc0, 0xff };
  for (unsigned first = 0x80; first < 0x100; first++)
    for (unsigned second = 0x20; second < 0x100; second++)
      for (size_t i = 0; i < sizeof edges * sizeof edges; i++)
        {
          unsigned char text[] = { first, second, edges[i % sizeof edges], edges[i / sizeof edges] };
          if (first == 0xef && second == 0xbb && text[2] == 0xbf)
            continue; /* a byte order mark */
          for (size_t size = 1; size <= sizeof text; size++)
            {
              size_t offset, length = 1;
              while (length <= size && character (text, length) == 0)
                length++;
              const char *wrong = spec_text_check ((const char *) text, size, &offset);
              if (length > size)
                assert_true (wrong != NULL && offset == 0);
              else
                assert_true (wrong == NULL || offset >= length);
              if (length == size)
                assert_null (wrong);
            }
        }
}

/* A prefix of a good text is an error, wherever it ends, and nothing beyond its end is read.  */
static void
test_truncated (void **state)
{
  (void) state;
  static const char text[]
      = "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"\\u00e4\xf0\x9f\x98\x80\"},\"linux\":{\"x\":[-1.5e3,true]}}";
  for (size_t size = 0; size < sizeof text - 1; size++)
    {
      ARENA_CLEANUP struct arena arena = { 0 };
      struct error err = { 0 };
      const struct spec *spec;
      char *copy = malloc (size + 1); /* without a NUL, at the end of its block: a sanitizer sees a read beyond */
      assert_non_null (copy);
      memcpy (copy + 1, text, size);
      assert_int_equal (spec_decode (&arena, "config.json", copy + 1, size, &spec, &err), -EINVAL);
      free (copy);
    }
}

/* CONTENT in the place of a member that nobody knows.  */
static int
decode_around (const char *before, size_t depth, const char *open, const char *middle, const char *close,
               struct error *err)
{
  ARENA_CLEANUP struct arena arena = { 0 };
  struct strbuf text = STRBUF_INIT (&arena);
  const struct spec *spec;
  strbuf_add (&text, before);
  for (size_t i = 0; i < depth; i++)
    strbuf_add (&text, open);
  strbuf_add (&text, middle);
  for (size_t i = 0; i < depth; i++)
    strbuf_add (&text, close);
  strbuf_add (&text, "}");
  return decode (&arena, strbuf_text (&text), &spec, err);
}

static void
test_limits (void **state)
{
  (void) state;
  struct error err = { 0 };
  const char *before = "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"},\"x\":";
  assert_int_equal (decode_around (before, SPEC_DEPTH_MAX - 1, "[", "1", "]", &err), 0);
  assert_int_equal (decode_around (before, SPEC_DEPTH_MAX - 1, "{\"linux\":", "{}", "}", &err), -EINVAL);
  assert_int_equal (decode_around (before, SPEC_DEPTH_MAX, "[", "1", "]", &err), -EINVAL);
  assert_string_equal (err.message, "config.json:1:110: nested deeper than 64 levels");
  assert_int_equal (decode_around (before, 100000, "{\"x\":", "1", "}", &err), -EINVAL);
  assert_non_null (strstr (err.message, "nested deeper than 64 levels"));

  ARENA_CLEANUP struct arena arena = { 0 };
  const struct spec *spec;
  char *large = malloc (SPEC_SIZE_MAX + 1);
  assert_non_null (large);
  memset (large, ' ', SPEC_SIZE_MAX + 1);
  static const char good[] = "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"}}";
  memcpy (large, good, sizeof good - 1);
  assert_int_equal (spec_decode (&arena, "config.json", large, SPEC_SIZE_MAX, &spec, &err), 0);
  assert_int_equal (spec_decode (&arena, "config.json", large, SPEC_SIZE_MAX + 1, &spec, &err), -EFBIG);
  assert_string_equal (err.message, "config.json: larger than 16 MiB");
  free (large);
}

static void
check_place (const char *where, const char *path, const char *expected)
{
  assert_string_equal (where, expected);
  assert_int_equal (strncmp (where, path, strlen (path)), 0);
  assert_true (where[strlen (path)] == ' ' || *path == '\0');
}

#define CHECK_PLACE(value, expected)                                                                                   \
  check_place (spec_where (&arena, maximal, value), spec_path (&arena, maximal, value), expected)

static void
test_places (void **state)
{
  (void) state;
  ARENA_CLEANUP struct arena arena = { 0 };
  const struct spec_linux *lin = maximal->linux_;
  CHECK_PLACE (maximal->process, "process (maximal.json:4:14)");
  CHECK_PLACE (&maximal->process, "process (maximal.json:4:14)");
  CHECK_PLACE (&maximal->oci_version, "ociVersion (maximal.json:2:17)");
  CHECK_PLACE (&maximal->process->terminal, "process.terminal (maximal.json:5:17)");
  CHECK_PLACE (&maximal->process->user, "process.user (maximal.json:7:13)");
  CHECK_PLACE (&maximal->process->user.uid, "process.user.uid (maximal.json:7:22)");
  CHECK_PLACE (&maximal->process->user.additional_gids.items[1], "process.user.additionalGids[1] (maximal.json:7:70)");
  CHECK_PLACE (&maximal->process->args, "process.args (maximal.json:10:13)");
  CHECK_PLACE (&maximal->process->args.items[2], "process.args[2] (maximal.json:10:26)");
  CHECK_PLACE (maximal->process->args.items[2], "process.args[2] (maximal.json:10:26)"); /* the string itself */
  CHECK_PLACE (&maximal->mounts.items[2], "mounts[2] (maximal.json:44:5)");
  CHECK_PLACE (&maximal->mounts.items[2].destination, "mounts[2].destination (maximal.json:45:22)");
  CHECK_PLACE (&maximal->mounts.items[2].gid_mappings.items[0].size,
               "mounts[2].gidMappings[0].size (maximal.json:50:67)");
  CHECK_PLACE (&maximal->annotations.items[0], "annotations[\"com.example.gpu-cores\"] (maximal.json:61:45)");
  CHECK_PLACE (&maximal->annotations.items[0].value, "annotations[\"com.example.gpu-cores\"] (maximal.json:61:45)");
  CHECK_PLACE (&lin->sysctl.items[1], "linux.sysctl[\"kernel.shmmax\"] (maximal.json:144:62)");
  CHECK_PLACE (&lin->resources->rdma.items[0].hca_objects,
               "linux.resources.rdma.mlx5_1.hcaObjects (maximal.json:123:60)");
  CHECK_PLACE (&lin->seccomp->syscalls.items[1].args.items[0].op,
               "linux.seccomp.syscalls[1].args[0].op (maximal.json:140:86)");
  CHECK_PLACE (&lin->seccomp->flags, "linux.seccomp.flags (maximal.json:131:16)");
  CHECK_PLACE (maximal, "maximal.json:1:1");

  /* The type tells a struct from its first member; without one it is the struct.  */
  CHECK_PLACE ((const void *) &maximal->mounts.items[2], "mounts[2] (maximal.json:44:5)");
  /* What is absent has the path it would have and the place of what would hold it.  */
  CHECK_PLACE (&maximal->mounts.items[0].options, "mounts[0].options (maximal.json:42:5)");
}

static void
test_no_place (void **state)
{
  (void) state;
  ARENA_CLEANUP struct arena arena = { 0 };
  const char *elsewhere = "elsewhere";
  assert_string_equal (spec_where (&arena, maximal, &elsewhere), "maximal.json");
  assert_string_equal (spec_path (&arena, maximal, &elsewhere), "");
  assert_string_equal (spec_where (&arena, maximal, (const struct spec_process *) NULL), "maximal.json");
}

static void
test_remarks (void **state)
{
  (void) state;
  ARENA_CLEANUP struct arena arena = { 0 };
  struct error err = { 0 };
  const struct spec *spec;
  const char *const *remarks;
  assert_int_equal (
      decode (&arena,
              "{\"ociVersion\":\"1.9.0\",\"Root\":{\"path\":\"r\",\n\"readOnly\":true,\"\":[{\"path\":1}]},\n"
              "\"windows\":{\"root\":[]},\"linux\":{\"namespaces\":[{\"type\":\"mount\",\"paths\":\"x\"}]},"
              "\"ociVersions\":[[{}]]}",
              &spec, &err),
      0);
  assert_true (spec->root->readonly.value);
  assert_int_equal (spec_remarks (&arena, spec, &remarks), 6);
  assert_string_equal (remarks[0], "config.json:1:23: \"Root\" is taken as \"root\"");
  assert_string_equal (remarks[1], "config.json:2:1: root: \"readOnly\" is taken as \"readonly\"");
  assert_string_equal (remarks[2], "config.json:2:17: root: unknown member \"\" is ignored");
  assert_string_equal (remarks[3], "config.json:3:1: \"windows\" is for another platform and ignored");
  assert_string_equal (remarks[4],
                       "config.json:3:62: linux.namespaces[0]: unknown member \"paths\" is ignored; did you "
                       "mean \"path\"?");
  assert_string_equal (remarks[5], "config.json:3:77: unknown member \"ociVersions\" is ignored; did you mean "
                                   "\"ociVersion\"?");
  assert_int_equal (spec_remarks (&arena, maximal, &remarks), 0);
}

static void
test_process_alone (void **state)
{
  (void) state;
  ARENA_CLEANUP struct arena arena = { 0 };
  struct error err = { 0 };
  const struct spec_process *process = NULL;
  static const char good[] = "{\"cwd\":\"/\",\"args\":[\"sh\"]}",
                    bad[] = "{\"cwd\":\"/\",\"args\":[\"sh\"],\"env\":[\"A\"]}";
  assert_int_equal (spec_decode_process (&arena, "p.json", good, sizeof good - 1, &process, &err), 0);
  assert_string_equal (process->args.items[0], "sh");
  assert_false (process->user.uid.set);
  assert_int_equal (spec_decode_process (&arena, "p.json", bad, sizeof bad - 1, &process, &err), -EINVAL);
  assert_string_equal (err.message, "p.json:1:33: env[0]: \"A\" is not of the form NAME=VALUE");
  assert_int_equal (spec_decode_process (&arena, "p.json", "{}", 2, &process, &err), -EINVAL);
  assert_string_equal (err.message, "p.json:1:1: missing member \"cwd\"");
}

/* What a process file leaves out is the container's, and messages know where each came from.  */
static void
test_exec (void **state)
{
  (void) state;
  ARENA_CLEANUP struct arena arena = { 0 };
  struct error err = { 0 };
  const struct spec *container = NULL, *spec = NULL;
  struct spec_process *process = NULL;
  static const char config[]
      = "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"},\n\"process\":{\"cwd\":\"/home\",\"args\":[\"own\"],"
        "\"user\":{\"uid\":5,\"umask\":7},\"env\":[\"A=1\"],\"terminal\":true,\"noNewPrivileges\":true,\n"
        "\"rlimits\":[{\"type\":\"RLIMIT_CORE\",\"soft\":1,\"hard\":2}]}}";
  static const char file[] = "{\"cwd\":\"/\",\"args\":[\"sh\"],\n\"noNewPrivileges\":false}";
  assert_int_equal (spec_decode (&arena, "config.json", config, sizeof config - 1, &container, &err), 0);

  assert_int_equal (spec_exec (&arena, container, NULL, NULL, 0, &spec, &process, &err), 0);
  assert_ptr_equal (spec->process, process);
  assert_ptr_equal (spec->root, container->root);
  assert_string_equal (process->cwd, "/home");
  assert_int_equal (process->user.uid.value, 5);
  assert_int_equal (process->args.count, 0);
  assert_false (process->terminal.value);
  assert_true (process->no_new_privileges.value);
  assert_string_equal (spec_where (&arena, spec, &process->rlimits.items[0]), "process.rlimits[0] (config.json:3:12)");
  assert_string_equal (spec_path (&arena, spec, &process->args), ""); /* from nowhere */

  assert_int_equal (spec_exec (&arena, container, "p.json", file, sizeof file - 1, &spec, &process, &err), 0);
  assert_string_equal (process->cwd, "/");
  assert_int_equal (process->user.uid.value, 0);
  assert_int_equal (process->user.umask.value, 7);
  assert_string_equal (process->env.items[0], "A=1");
  assert_false (process->no_new_privileges.value);
  assert_string_equal (spec_where (&arena, spec, &process->no_new_privileges), "noNewPrivileges (p.json:2:19)");
  assert_string_equal (spec_where (&arena, spec, &process->rlimits.items[0]), "process.rlimits[0] (config.json:3:12)");
  assert_int_equal (spec_line (spec, &process->rlimits.items[0]), 3);
  assert_int_equal (spec_exec (&arena, container, "p.json", "{}", 2, &spec, &process, &err), -EINVAL);
  assert_string_equal (container->process->args.items[0], "own");
}

static void
write_file (int dirfd, const char *name, size_t size)
{
  int fd = openat (dirfd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  assert_true (fd >= 0);
  assert_int_equal (write (fd, "{}", 2), 2);
  assert_int_equal (ftruncate (fd, (off_t) size), 0);
  close (fd);
}

static void
test_read_file (void **state)
{
  (void) state;
  ARENA_CLEANUP struct arena arena = { 0 };
  struct error err = { 0 };
  const char *text;
  size_t size;
  char folder[] = "/tmp/test_spec_decode.XXXXXX";
  assert_non_null (mkdtemp (folder));
  int dirfd = open (folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
  assert_true (dirfd >= 0);
  write_file (dirfd, "small", 2);
  write_file (dirfd, "full", SPEC_SIZE_MAX);
  write_file (dirfd, "large", SPEC_SIZE_MAX + 1);
  assert_int_equal (mkfifoat (dirfd, "fifo", 0600), 0);

  assert_int_equal (spec_read_file (&arena, dirfd, "small", "small", &text, &size, &err), 0);
  assert_int_equal (size, 2);
  assert_string_equal (text, "{}");
  assert_int_equal (spec_read_file (&arena, dirfd, "full", "full", &text, &size, &err), 0);
  assert_int_equal (size, SPEC_SIZE_MAX);
  assert_int_equal (spec_read_file (&arena, dirfd, "large", "large", &text, &size, &err), -EFBIG);
  assert_string_equal (err.message, "large: larger than 16 MiB");
  assert_int_equal (spec_read_file (&arena, dirfd, "absent", "absent", &text, &size, &err), -ENOENT);
  assert_string_equal (err.message, "open absent: No such file or directory");
  assert_int_equal (spec_read_file (&arena, dirfd, ".", "here", &text, &size, &err), -EISDIR);
  assert_string_equal (err.message, "here: not a regular file");

  /* More than the first guess at a FIFO's size.  */
  enum
  {
    CHUNK = 60000,
    CHUNKS = 4
  };
  pid_t child = fork ();
  if (child == 0)
    {
      static char chunk[CHUNK];
      int fifo = openat (dirfd, "fifo", O_WRONLY | O_CLOEXEC);
      for (int i = 0; i < CHUNKS; i++)
        if (fd_write_all (fifo, memset (chunk, 'a' + i, CHUNK), CHUNK) < 0)
          _exit (1);
      _exit (0);
    }
  assert_true (child > 0);
  assert_int_equal (spec_read_file (&arena, dirfd, "fifo", "fifo", &text, &size, &err), 0);
  int status;
  assert_int_equal (waitpid (child, &status, 0), child);
  assert_int_equal (status, 0);
  assert_int_equal (size, CHUNK * CHUNKS);
  assert_true (text[0] == 'a' && text[CHUNK] == 'b' && text[size - 1] == 'd' && text[size] == '\0');

  unlinkat (dirfd, "small", 0);
  unlinkat (dirfd, "full", 0);
  unlinkat (dirfd, "large", 0);
  unlinkat (dirfd, "fifo", 0);
  close (dirfd);
  rmdir (folder);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_process),   cmocka_unit_test (test_mounts_and_hooks),
    cmocka_unit_test (test_linux),     cmocka_unit_test (test_resources),
    cmocka_unit_test (test_seccomp),   cmocka_unit_test (test_long_lists),
    cmocka_unit_test (test_strings),   cmocka_unit_test (test_absent),
    cmocka_unit_test (test_wrong),     cmocka_unit_test (test_utf8),
    cmocka_unit_test (test_truncated), cmocka_unit_test (test_limits),
    cmocka_unit_test (test_places),    cmocka_unit_test (test_no_place),
    cmocka_unit_test (test_remarks),   cmocka_unit_test (test_process_alone),
    cmocka_unit_test (test_exec),      cmocka_unit_test (test_read_file),
  };
  return cmocka_run_group_tests (tests, decode_maximal, free_maximal);
}
