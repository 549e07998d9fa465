/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* src/plan: golden plans.  A row of `cases` is a config of tests/data/plans and a host; the plan that they give is
 * compared, as it is printed, with NAME.plan, and with NAME.json where there is one.  So every change of a plan shows
 * as a change of a text file, and is reviewed there.
 *
 *     PLAN_REWRITE=1 tests/unit/test_plan      writes the files anew  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first.  */
#include <cmocka.h>

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <yajl/yajl_tree.h>

#include "base/fd.h"
#include "plan_case.h"

struct golden
{
  const char *name;
  const char *config; /* NULL: as NAME; "": what `thole spec` prints */
  const struct cgroup_host *host;
  void (*facts) (struct plan_facts *); /* what is special about them, or NULL */
  bool json;                           /* there is a NAME.json, too */
};

static void
rootless (struct plan_facts *facts)
{
  facts->euid = facts->egid = 1000;
  facts->capabilities = 0;
}

static void
no_cgroups (struct plan_facts *facts)
{
  facts->cgroup_path = NULL;
  facts->join_cgroup = false;
}

static void
late (struct plan_facts *facts)
{
  facts->join_late = true;
}

static void
no_pivot (struct plan_facts *facts)
{
  facts->no_pivot = facts->no_new_keyring = true;
}

static void
labels (struct plan_facts *facts)
{
  facts->lsm_file = "exec";
  facts->lsm_value = "system_u:system_r:container_t:s0:c1,c2";
  facts->mount_label = "system_u:object_r:container_file_t:s0:c1,c2";
  facts->keyring_label = facts->lsm_value;
}

static void
listening (struct plan_facts *facts)
{
  static const char *const env[] = { "LISTEN_FDS=2", PLAN_LISTEN_PID, NULL };
  facts->preserved = 2;
  facts->extra_env = env;
}

static void
notifying (struct plan_facts *facts)
{
  facts->seccomp_flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
}

/* Root's, and in a user namespace, where the runtime opens what is mounted.  */
static void
with_notify_socket (struct plan_facts *facts)
{
  static const char *const env[] = { "NOTIFY_SOCKET=/run/notify/notify.sock", NULL };
  facts->notify = "/run/thole/web1/notify";
  facts->extra_env = env;
}

static const struct plan_target target = { .pid = 4711, .pidfd = -1 };

static void
entering (struct plan_facts *facts)
{
  facts->target = &target;
}

static void
entering_late (struct plan_facts *facts)
{
  facts->target = &target;
  facts->join_late = true;
}

static const struct golden cases[] = {
  { .name = "default-v1", .config = "", .host = &v1_host },
  { .name = "default-hybrid", .config = "", .host = &hybrid_host },
  { .name = "default-v2", .config = "", .host = &v2_host, .json = true },
  { .name = "default-no-pivot", .config = "", .host = &v2_host, .facts = no_pivot },
  { .name = "default-labels", .config = "", .host = &v2_host, .facts = labels },
  { .name = "default-no-cgroups", .config = "", .host = &hybrid_host, .facts = no_cgroups },
  { .name = "cgroup-namespace", .host = &v2_host },
  { .name = "no-cgroup-namespace-v1", .config = "no-cgroup-namespace", .host = &v1_host },
  { .name = "no-cgroup-namespace-v2", .config = "no-cgroup-namespace", .host = &v2_host },
  { .name = "joined-pid", .host = &v2_host },
  { .name = "joined-user", .host = &v2_host },
  { .name = "joined-mount", .host = &v2_host },
  { .name = "new-user", .host = &v2_host, .facts = rootless },
  { .name = "new-user-joined-net", .host = &v2_host },
  { .name = "no-namespaces", .host = &v2_host, .facts = listening },
  { .name = "time-offsets", .host = &v2_host },
  { .name = "time-offsets-rootless", .host = &v2_host, .facts = rootless },
  { .name = "time-without-offsets", .host = &v2_host },
  { .name = "without-process", .host = &hybrid_host },
  { .name = "late-cgroup", .config = "no-cgroup-namespace", .host = &hybrid_host, .facts = late },
  { .name = "hooks", .host = &hybrid_host },
  { .name = "start-hooks-and-seccomp", .host = &v2_host },
  { .name = "seccomp-with-privileges", .host = &v2_host, .facts = notifying },
  { .name = "mounts", .host = &v2_host },
  { .name = "notify", .config = "mounts", .host = &v2_host, .facts = with_notify_socket },
  { .name = "notify-new-user", .config = "new-user", .host = &v2_host, .facts = with_notify_socket },
  { .name = "id-mapped", .host = &v2_host },
  { .name = "id-mapped-as-joined", .host = &v2_host },
  { .name = "devices", .host = &v2_host },
  { .name = "process", .host = &v2_host, .json = true },
  { .name = "real-time", .host = &hybrid_host },
  { .name = "exec", .config = "process", .host = &v2_host, .facts = entering },
  { .name = "exec-default-v1", .config = "", .host = &v1_host, .facts = entering },
  { .name = "exec-new-user", .config = "new-user", .host = &v2_host, .facts = entering },
  { .name = "exec-joined-mount", .config = "joined-mount", .host = &v2_host, .facts = entering },
  { .name = "exec-affinity", .host = &v2_host, .facts = entering_late },
  { .name = "propagation-shared", .host = &v2_host },
  { .name = "propagation-unbindable", .host = &v2_host },
};

#define CASES (sizeof cases / sizeof *cases)

static char *
file_path (struct arena *arena, const char *name, const char *suffix)
{
  const char *top = getenv ("top_srcdir");
  return arena_printf (arena, "%s/tests/data/plans/%s%s", top != NULL ? top : ".", name, suffix);
}

/* The text of the file PATH, or NULL if there is none.  */
static const char *
file_text (struct arena *arena, const char *path)
{
  enum
  {
    SIZE = 1024 * 1024
  };
  char *text = arena_alloc (arena, SIZE);
  ssize_t length = fd_read_file_at (AT_FDCWD, path, text, SIZE);
  return length < 0 ? NULL : text;
}

static const struct spec *
golden_spec (struct arena *arena, const struct golden *golden)
{
  const char *name = golden->config != NULL ? golden->config : golden->name, *text;
  struct strbuf out = STRBUF_INIT (arena);
  const struct spec *spec = NULL;
  struct error err = { 0 };

  if (*name == '\0')
    spec_write_default (&out, &(struct spec_default){ .cgroup_namespace = false });
  text = *name == '\0' ? strbuf_text (&out) : file_text (arena, file_path (arena, name, ".config.json"));
  if (text == NULL)
    fail_msg ("there is no config %s", name);
  if (spec_decode (arena, "config.json", text, strlen (text), &spec, &err) < 0)
    fail_msg ("%s: %s", name, err.message);
  return spec;
}

static struct plan *
golden_plan (struct arena *arena, const struct golden *golden, const struct spec *spec)
{
  struct plan_facts facts = facts_of (golden->host);
  if (golden->facts != NULL)
    golden->facts (&facts);
  return plan_of (arena, spec, &facts);
}

static void
rewrite (const char *path, const char *text)
{
  int fd = open (path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0 || fd_write_all (fd, text, strlen (text)) < 0)
    fail_msg ("cannot write %s", path);
  close (fd);
}

/* Fails with the first line of GOT that is not that of WANTED.  */
static void
compare (const char *path, const char *got, const char *wanted)
{
  if (wanted == NULL)
    fail_msg ("%s is missing: write it with PLAN_REWRITE=1", path);
  for (unsigned line = 1; strcmp (got, wanted) != 0; line++)
    {
      size_t ours = strcspn (got, "\n"), theirs = strcspn (wanted, "\n");
      if (ours != theirs || strncmp (got, wanted, ours) != 0)
        fail_msg ("%s:%u: got\n  %.*s\nwanted\n  %.*s", path, line, (int) ours, got, (int) theirs, wanted);
      got += ours + 1;
      wanted += theirs + 1;
    }
}

static void
check_text (struct arena *arena, const char *name, const char *suffix, const char *got)
{
  const char *path = file_path (arena, name, suffix);
  if (getenv ("PLAN_REWRITE") != NULL)
    rewrite (path, got);
  else
    compare (path, got, file_text (arena, path));
}

static void
test_golden (void **state)
{
  (void) state;
  for (size_t i = 0; i < CASES; i++)
    {
      ARENA_CLEANUP struct arena arena = { 0 };
      const struct spec *spec = golden_spec (&arena, &cases[i]);
      const struct plan *plan = golden_plan (&arena, &cases[i], spec);

      check_text (&arena, cases[i].name, ".plan", printed (&arena, plan, spec, false));
      if (cases[i].json)
        check_text (&arena, cases[i].name, ".json", printed (&arena, plan, spec, true));
    }
}

static const char *
json_string_at (yajl_val object, const char *name)
{
  const char *path[] = { name, NULL };
  return YAJL_GET_STRING (yajl_tree_get (object, path, yajl_t_string));
}

/* The JSON says the same as the text: the clone, then an object for each operation, with its name and its place.  */
static void
test_json (void **state)
{
  (void) state;
  for (size_t i = 0; i < CASES; i++)
    {
      ARENA_CLEANUP struct arena arena = { 0 };
      const struct spec *spec = golden_spec (&arena, &cases[i]);
      const struct plan *plan = golden_plan (&arena, &cases[i], spec);
      char complaint[256];
      yajl_val tree = yajl_tree_parse (printed (&arena, plan, spec, true), complaint, sizeof complaint);

      if (tree == NULL)
        fail_msg ("%s: %s", cases[i].name, complaint);
      assert_true (YAJL_IS_ARRAY (tree));
      assert_int_equal (tree->u.array.len, plan->header->count + 1);
      assert_string_equal (json_string_at (tree->u.array.values[0], "op"), "clone");
      for (uint32_t j = 0; j < plan->header->count; j++)
        {
          yajl_val object = tree->u.array.values[j + 1];
          const char *line[] = { "line", NULL }, *path = json_string_at (object, "config");

          assert_string_equal (json_string_at (object, "op"), plan_op_name (op_at (plan, j)->code));
          assert_int_equal (path != NULL, plan->origins[j].value != NULL);
          if (path == NULL)
            continue;
          assert_string_not_equal (path, "");
          assert_true (YAJL_GET_INTEGER (yajl_tree_get (object, line, yajl_t_number)) >= 1);
        }
      yajl_tree_free (tree);
    }
}

/* What init relies on: a position-independent block with everything inside, which the same input gives again.  */
static void
test_block (void **state)
{
  (void) state;
  for (size_t i = 0; i < CASES; i++)
    {
      ARENA_CLEANUP struct arena arena = { 0 };
      const struct spec *spec = golden_spec (&arena, &cases[i]);
      const struct plan *plan = golden_plan (&arena, &cases[i], spec), *again = golden_plan (&arena, &cases[i], spec);
      const struct plan_header *header = plan->header;

      assert_int_equal (header->magic, PLAN_MAGIC);
      assert_int_equal (header->version, PLAN_VERSION);
      assert_int_equal (header->ops % _Alignof(struct plan_op), 0);
      assert_true (header->ops + header->count * sizeof (struct plan_op) <= header->size);
      assert_int_equal (header->fds % sizeof (int32_t), 0);
      assert_int_equal (header->fd_count, PLAN_FD_OPENED + plan->open_count);
      assert_int_equal (header->size, again->header->size);
      assert_string_equal (printed (&arena, plan, spec, true), printed (&arena, again, spec, true));
    }
}

/* Every operation has its row in ops.c, with a name of its own, and stands in some golden plan above, so that it is
 * known how it is printed.  */
static void
test_every_operation (void **state)
{
  (void) state;
  bool seen[PLAN_CODE_COUNT] = { false };

  for (size_t i = 0; i < CASES; i++)
    {
      ARENA_CLEANUP struct arena arena = { 0 };
      const struct spec *spec = golden_spec (&arena, &cases[i]);
      const struct plan *plan = golden_plan (&arena, &cases[i], spec);

      for (uint32_t j = 0; j < plan->header->count; j++)
        {
          uint32_t code = op_at (plan, j)->code;
          const char *name = plan_op_name (code), *text = plan_op_text (&arena, plan, j);

          assert_true (code < PLAN_CODE_COUNT);
          seen[code] = true;
          assert_int_equal (strncmp (text, name, strlen (name)), 0);
          assert_null (strchr (text, '\n'));
          assert_null (strpbrk (plan_op_phrase (&arena, plan, op_at (plan, j)), "{}\n"));
        }
    }
  for (uint32_t code = 0; code < PLAN_CODE_COUNT; code++)
    {
      const struct plan_op_info *info = &plan_ops[code];

      if (info->name == NULL || *info->name == '\0' || info->phrase == NULL || *info->phrase == '\0')
        fail_msg ("operation %u has no row in ops.c", code);
      if (!seen[code])
        fail_msg ("no golden plan has the operation %s", info->name);
      for (uint32_t other = 0; other < code; other++)
        assert_string_not_equal (info->name, plan_ops[other].name);
    }
  assert_string_equal (plan_op_name (PLAN_CODE_COUNT), "?");
}

/* A {word} of a phrase is the name of a field: else messages would have holes.  */
static void
test_phrases (void **state)
{
  (void) state;
  for (uint32_t code = 0; code < PLAN_CODE_COUNT; code++)
    for (const char *p = strchr (plan_ops[code].phrase, '{'); p != NULL; p = strchr (p + 1, '{'))
      {
        size_t length = strcspn (p + 1, "}");
        bool found = false;

        assert_int_equal (p[1 + length], '}');
        for (size_t i = 0; i < plan_ops[code].count; i++)
          found |= strncmp (plan_ops[code].fields[i].name, p + 1, length) == 0
                   && plan_ops[code].fields[i].name[length] == '\0';
        if (!found)
          fail_msg ("%s: no field %.*s", plan_ops[code].phrase, (int) length, p + 1);
      }
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_golden),          cmocka_unit_test (test_json),    cmocka_unit_test (test_block),
    cmocka_unit_test (test_every_operation), cmocka_unit_test (test_phrases),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
