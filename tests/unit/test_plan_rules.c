/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* src/plan: what is refused, in which words; and what a printed plan does not show: warnings, the environment, sizes.
 */
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
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "plan_case.h"

/* A config with a process, the namespaces NS and what else REST and LIN (members of `linux`) say.  */
#define CONFIG_WITH(ns, rest, lin)                                                                                     \
  "{'ociVersion': '1.3.0', 'root': {'path': 'rootfs'},\n"                                                              \
  "'process': {'cwd': '/', 'args': ['prog'], 'env': ['HOME=/']},\n" rest "'linux': {" lin "\n'namespaces': [" ns "]}}"
#define PROCESS_WITH(members)                                                                                          \
  "{'ociVersion': '1.3.0', 'root': {'path': 'rootfs'},\n"                                                              \
  "'process': {'cwd': '/', 'args': ['prog'],\n" members "},\n'linux': {'namespaces': [{'type': 'mount'}]}}"
#define MOUNT_NS "{'type': 'mount'}"
#define MOUNT_WITH(members) CONFIG_WITH (MOUNT_NS, "'mounts': [{" members "}],\n", "")
#define OPTION(word) MOUNT_WITH ("'destination': '/x', 'source': '/s', 'options': ['bind', '" word "']")
#define TYPE_OPTION(type, word) MOUNT_WITH ("'destination': '/x', 'type': '" type "', 'options': ['" word "']")
#define MAPS                                                                                                           \
  "'uidMappings': [{'containerID': 0, 'hostID': 1000, 'size': 1}],"                                                    \
  " 'gidMappings': [{'containerID': 0, 'hostID': 1000, 'size': 1}],"

#define ONLY_BINDS "mounts[0] (config.json:3:12): only a bind mount can be id-mapped, and only when it is made"

/* ---- refusals ---- */

static const struct
{
  const char *config;
  const struct cgroup_host *host;
  const char *message;
} refusals[] = {
  { CONFIG_WITH (MOUNT_NS ", {'type': 'user'}", "", ""), &v2_host,
    "linux.namespaces[1] (config.json:4:35): a new user namespace needs linux.uidMappings and linux.gidMappings" },
  { CONFIG_WITH ("{'type': 'user'}, {'type': 'mount', 'path': '/m'}", "", MAPS), &v2_host,
    "linux.namespaces[1] (config.json:4:34): in a new user namespace nothing can be mounted in a mount namespace that "
    "was there before" },
  { PROCESS_WITH ("'terminal': true"), &v2_host, NULL }, /* with one of its own it may */
  { "{'ociVersion': '1.3.0', 'root': {'path': 'r'}, 'process': {'cwd': '/', 'args': ['x'], 'terminal': true}}",
    &v2_host, "process.terminal (config.json:1:99): a terminal needs a mount namespace of the container's own" },
  { MOUNT_WITH ("'destination': '/x', 'type': 'bind'"), &v2_host,
    "mounts[0] (config.json:3:12): a bind mount needs a source" },
  { MOUNT_WITH ("'destination': '/x', 'source': '', 'options': ['rbind']"), &v2_host,
    "mounts[0] (config.json:3:12): a bind mount needs a source" },
  { MOUNT_WITH ("'destination': '/x', 'source': '/s'"), &v2_host,
    "mounts[0] (config.json:3:12): a mount that is no bind needs a type" },
  { MOUNT_WITH ("'destination': '/x', 'type': '', 'options': ['ro']"), &v2_host,
    "mounts[0] (config.json:3:12): a mount that is no bind needs a type" },
  { MOUNT_WITH ("'destination': '/', 'type': 'bind', 'source': '/s'"), &v2_host,
    "mounts[0] (config.json:3:12): a mount on / would cover the root file system" },
  { MOUNT_WITH ("'destination': '/a/./..//', 'type': 'tmpfs'"), &v2_host,
    "mounts[0] (config.json:3:12): a mount on / would cover the root file system" },
  { OPTION ("tmpcopyup"), &v2_host, "mounts[0] (config.json:3:12): the mount option tmpcopyup is for a tmpfs" },
  { TYPE_OPTION ("ramfs", "tmpcopyup"), &v2_host,
    "mounts[0] (config.json:3:12): the mount option tmpcopyup is for a tmpfs" },
  { TYPE_OPTION ("tmpfs", "copy-symlink"), &v2_host,
    "mounts[0] (config.json:3:12): the mount option copy-symlink is for a bind" },
  { TYPE_OPTION ("tmpfs", "src-nofollow"), &v2_host,
    "mounts[0] (config.json:3:12): the mount option src-nofollow is for a bind" },
  { TYPE_OPTION ("cgroup", "dest-nofollow"), &v2_host,
    "mounts[0] (config.json:3:12): the mount option dest-nofollow is for a bind or a new file system" },
  { MOUNT_WITH ("'destination': '/x', 'options': ['remount', 'tmpcopyup']"), &v2_host,
    "mounts[0] (config.json:3:12): the mount option tmpcopyup is for a tmpfs" },
  { MOUNT_WITH ("'destination': '/x', 'options': ['remount', 'dest-nofollow']"), &v2_host,
    "mounts[0] (config.json:3:12): the mount option dest-nofollow is for a bind or a new file system" },
  { MOUNT_WITH (MAPS "'destination': '/x', 'source': '/s', 'options': ['bind', 'idmap']"), &v2_host, NULL },
  { MOUNT_WITH (MAPS "'destination': '/x', 'source': '/s', 'options': ['bind']"), &v2_host, NULL },
  { MOUNT_WITH (MAPS "'destination': '/x', 'options': ['bind', 'idmap']"), &v2_host,
    "mounts[0] (config.json:3:12): a bind mount needs a source" },
  { MOUNT_WITH (MAPS "'destination': '/x', 'type': 'tmpfs', 'options': ['idmap']"), &v2_host, ONLY_BINDS },
  { MOUNT_WITH (MAPS "'destination': '/x', 'type': 'tmpfs'"), &v2_host, ONLY_BINDS },
  { MOUNT_WITH (MAPS "'destination': '/x', 'type': 'cgroup', 'options': ['ridmap']"), &v2_host, ONLY_BINDS },
  { MOUNT_WITH (MAPS "'destination': '/x', 'options': ['remount', 'bind', 'ridmap']"), &v2_host, ONLY_BINDS },
  { MOUNT_WITH ("'destination': '/sys/fs/cgroup', 'type': 'cgroup'"), &no_host,
    "mounts[0] (config.json:3:12): this host has no cgroup hierarchy to mount" },
  { MOUNT_WITH ("'destination': '/sys/fs/cgroup', 'type': 'cgroup2'"), &no_host,
    "mounts[0] (config.json:3:12): this host has no cgroup hierarchy to mount" },
  { CONFIG_WITH (MOUNT_NS, "", "'memoryPolicy': {'mode': 'MPOL_BIND', 'nodes': '0-3,1024'},"), &v2_host,
    "linux.memoryPolicy.nodes (config.json:3:58): there is no node 1024: a mask has 1024 bits" },
};

static void
test_refusals (void **state)
{
  (void) state;
  for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
    {
      ARENA_CLEANUP struct arena arena = { 0 };
      const struct cgroup_host *host = refusals[i].host != NULL ? refusals[i].host : &v2_host;
      struct plan_facts facts = facts_of (host);
      struct plan *untouched = (void *) &facts, *plan = untouched;
      struct error err = { 0 };
      int result = plan_build (&arena, config_spec (&arena, refusals[i].config), &facts, &plan, &err);

      if (refusals[i].message == NULL)
        {
          assert_int_equal (result, 0);
          continue;
        }
      assert_string_equal (err.message, refusals[i].message);
      assert_int_equal (result, -EINVAL);
      assert_ptr_equal (plan, untouched);
    }
}

static void
test_refusals_without_privileges (void **state)
{
  (void) state;
  static const char *const cases[][2] = {
    { CONFIG_WITH (MOUNT_NS, "", ""),
      "linux.namespaces (config.json:4:15): without privileges there are namespaces only together with a user "
      "namespace" },
    { CONFIG_WITH ("{'type': 'user'}, {'type': 'network', 'path': '/n'}", "", MAPS),
      "linux.namespaces (config.json:4:15): beside a new user namespace others can be joined only with privileges" },
    { CONFIG_WITH ("{'type': 'user', 'path': '/u'}, {'type': 'time'}", "", "'timeOffsets': {'boottime': {'secs': 1}},"),
      "linux.timeOffsets (config.json:3:26): in a user namespace that is joined they can be set only with privileges" },
  };

  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    {
      ARENA_CLEANUP struct arena arena = { 0 };
      struct plan_facts facts = facts_of (&v2_host);
      const struct spec *spec = config_spec (&arena, cases[i][0]);
      struct plan *plan = NULL;
      struct error err = { 0 };

      assert_int_equal (plan_build (&arena, spec, &facts, &plan, &err), 0);
      facts.capabilities = 0;
      assert_int_equal (plan_build (&arena, spec, &facts, &plan, &err), -EINVAL);
      assert_string_equal (err.message, cases[i][1]);
    }
}

/* mount(2) takes one page and cuts what is longer: that would lose options, a label among them.  */
static void
test_long_data (void **state)
{
  (void) state;
  for (int length = 4054; length <= 4057; length++)
    {
      ARENA_CLEANUP struct arena arena = { 0 };
      struct plan_facts facts = facts_of (&v2_host);
      const char *text = arena_printf (
          &arena, MOUNT_WITH ("'destination': '/x', 'type': 'overlay', 'options': ['lowerdir=%0*d', 'ro']"), length - 9,
          0);
      struct plan *plan = NULL;
      struct error err = { 0 };
      int result = plan_build (&arena, config_spec (&arena, text), &facts, &plan, &err);

      if (length <= 4055)
        {
          assert_int_equal (result, 0);
          assert_int_equal (strlen (text_at (plan, plan_find (plan, PLAN_MOUNT, 0)->mount.data)), length);
          continue;
        }
      assert_int_equal (result, -EINVAL);
      assert_string_equal (err.message,
                           arena_printf (&arena,
                                         "mounts[0] (config.json:3:12): %d bytes of options for the file system: the "
                                         "kernel takes no more than 4055",
                                         length));
    }
}

/* ---- namespaces ---- */

/* What is opened for init, in the order of the operations that use it: a descriptor each, none twice.  */
static void
test_opened (void **state)
{
  (void) state;
  ARENA_CLEANUP struct arena arena = { 0 };
  const struct spec *spec = config_spec (
      &arena, CONFIG_WITH (MOUNT_NS ", {'type': 'uts', 'path': '/ns/uts'}, {'type': 'pid', 'path': '/ns/pid'},"
                                    " {'type': 'user', 'path': '/ns/user'}",
                           "'mounts': [{'destination': '/a', 'source': '/s', 'options': ['rbind']},"
                           " {'destination': '/b', 'source': 'rel', 'options': ['bind']},"
                           " {'destination': '/c', 'source': '/l', 'options': ['bind', 'copy-symlink']},"
                           " {'destination': '/d', 'source': '/m', 'options': ['rbind', 'src-nofollow']}],",
                           MAPS));
  struct plan_facts facts = facts_of (&v2_host);
  const struct plan *plan = plan_of (&arena, spec, &facts);
  const struct
  {
    const char *path;
    uint64_t type;
    bool recursive, nofollow;
  } wanted[] = {
    { "/ns/uts", CLONE_NEWUTS, false, false },
    { "/ns/pid", CLONE_NEWPID, false, false },
    { "/ns/user", CLONE_NEWUSER, false, false },
    { "/s", 0, true, false },
    { "/bundle/rel", 0, false, false },
    { "/l", 0, false, true },
    { "/m", 0, true, true },
  };

  assert_int_equal (plan->open_count, sizeof wanted / sizeof *wanted);
  for (size_t i = 0; i < plan->open_count; i++)
    {
      assert_string_equal (plan->opens[i].path, wanted[i].path);
      assert_int_equal (plan->opens[i].type, wanted[i].type);
      assert_int_equal (plan->opens[i].recursive, wanted[i].recursive);
      assert_int_equal (plan->opens[i].nofollow, wanted[i].nofollow);
      assert_string_not_equal (spec_path (&arena, spec, plan->opens[i].origin), "");
    }
  for (size_t i = 0; i < 3; i++)
    assert_int_equal (plan_find (plan, PLAN_JOIN, i)->ns.fd, PLAN_FD_OPENED + i);
  for (size_t i = 0; i < 4; i++)
    assert_int_equal (plan_find (plan, PLAN_BIND, i)->bind.fd, PLAN_FD_OPENED + 3 + i);
  assert_null (plan_find (plan, PLAN_JOIN, 3));
  assert_int_equal (plan->clone_flags, 0);
}

/* How the ids of mounts are mapped: each mapping once, whoever asks for it in whatever words.  */
static void
test_mount_ids (void **state)
{
  (void) state;
#define OTHERS                                                                                                         \
  "'uidMappings': [{'containerID': 0, 'hostID': 1000, 'size': 2}],"                                                    \
  " 'gidMappings': [{'containerID': 0, 'hostID': 1000, 'size': 1}],"
#define ID_MAPPED(maps, options) "{" maps "'destination': '/x', 'source': '/s', 'options': [" options "]}"
  static const char mounts[]
      = "'mounts': [" ID_MAPPED (MAPS, "'bind', 'idmap'") "," ID_MAPPED ("", "'rbind'") "," ID_MAPPED (
          "", "'bind', 'idmap'") "," ID_MAPPED (OTHERS, "'rbind', 'ridmap'") "," ID_MAPPED (MAPS, "'rbind'") "],";
  static const struct
  {
    const char *user;
    uint32_t ids[5];
    size_t count;
    bool joined;
  } cases[] = {
    { "{'type': 'user'}", { 1, 0, 1, 2, 1 }, 2, false },
    { "{'type': 'user', 'path': '/ns/user'}", { 1, 0, 2, 3, 1 }, 3, true },
  };

  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    {
      ARENA_CLEANUP struct arena arena = { 0 };
      const char *text = arena_printf (
          &arena, CONFIG_WITH (MOUNT_NS ", {'type': 'uts', 'path': '/ns/uts'}, %s", "%s", MAPS), mounts, cases[i].user);
      const struct spec *spec = config_spec (&arena, text);
      struct plan_facts facts = facts_of (&v2_host);
      const struct plan *plan = plan_of (&arena, spec, &facts);

      assert_int_equal (plan->ids_count, cases[i].count);
      for (size_t j = 0; j < 5; j++)
        {
          const struct plan_open *o = &plan->opens[plan_find (plan, PLAN_BIND, j)->bind.fd - PLAN_FD_OPENED];
          assert_int_equal (o->ids, cases[i].ids[j]);
          assert_int_equal (o->ids_of_all, j == 3);
          assert_ptr_equal (o->origin, &spec->mounts.items[j]);
        }
      assert_ptr_equal (plan->ids[0].uids, &spec->mounts.items[0].uid_mappings);
      assert_ptr_equal (plan->ids[0].gids, &spec->mounts.items[0].gid_mappings);
      if (cases[i].joined)
        assert_int_equal (plan->ids[1].joined, plan_find (plan, PLAN_JOIN, 1)->ns.fd);
      for (size_t j = 0; j < plan->ids_count; j++)
        assert_int_equal (plan->ids[j].joined != 0, cases[i].joined && j == 1);
    }
}

/* Without the host's privileges there is nothing that could be mapped.  */
static void
test_mount_ids_without_privileges (void **state)
{
  (void) state;
  ARENA_CLEANUP struct arena arena = { 0 };
  struct plan_facts facts = facts_of (&v2_host);
  struct plan *plan = NULL;
  struct error err = { 0 };
  const struct spec *spec = config_spec (
      &arena, CONFIG_WITH (MOUNT_NS ", {'type': 'user'}",
                           "'mounts': [{'destination': '/x', 'source': '/s', 'options': ['bind', 'idmap']}],\n", MAPS));

  facts.capabilities &= ~(UINT64_C (1) << CAP_SYS_ADMIN);
  assert_int_equal (plan_build (&arena, spec, &facts, &plan, &err), -EINVAL);
  assert_string_equal (err.message, "mounts[0] (config.json:3:12): an id-mapped mount takes CAP_SYS_ADMIN, which the "
                                    "runtime does not have");
}

/* Root joins a user namespace last, since the others may be the host's; for anybody else it comes first, since it gives
 * the privileges for the others.  */
static void
test_order_of_joins (void **state)
{
  (void) state;
  ARENA_CLEANUP struct arena arena = { 0 };
  const struct spec *spec
      = config_spec (&arena, CONFIG_WITH ("{'type': 'user', 'path': '/u'}, {'type': 'mount', 'path': '/m'},"
                                          " {'type': 'network', 'path': '/n'}",
                                          "", ""));
  static const uint64_t by_root[] = { CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWUSER },
                        by_others[] = { CLONE_NEWUSER, CLONE_NEWNET, CLONE_NEWNS };

  for (uint32_t euid = 0; euid < 2; euid++)
    {
      struct plan_facts facts = facts_of (&v2_host);
      const struct plan *plan;

      facts.euid = euid;
      plan = plan_of (&arena, spec, &facts);
      for (size_t i = 0; i < 3; i++)
        assert_int_equal (plan_find (plan, PLAN_JOIN, i)->ns.flags, euid == 0 ? by_root[i] : by_others[i]);
    }
}

/* oom_score_adj takes the host's privileges: it is set before init is in a user namespace, which then takes a fork.  */
static void
test_oom_score_before_user_namespace (void **state)
{
  (void) state;
  ARENA_CLEANUP struct arena arena = { 0 };
  const struct spec *spec = config_spec (
      &arena,
      "{'ociVersion': '1.3.0', 'root': {'path': 'r'}, 'process': {'cwd': '/', 'args': ['x'], 'oomScoreAdj': -5},"
      "'linux': {" MAPS "'namespaces': [{'type': 'mount'}, {'type': 'user'}]}}");
  struct plan_facts facts = facts_of (&v2_host);
  const struct plan *plan = plan_of (&arena, spec, &facts);

  assert_true (index_of (plan, PLAN_OOM_SCORE_ADJ, 0) < index_of (plan, PLAN_FORK, 0));
  assert_null (plan_find (plan, PLAN_OOM_SCORE_ADJ, 1));
  /* Who has no privileges loses none.  */
  facts.euid = 1000;
  plan = plan_of (&arena, spec, &facts);
  assert_null (plan_find (plan, PLAN_FORK, 0));
  assert_true (index_of (plan, PLAN_OOM_SCORE_ADJ, 0) > index_of (plan, PLAN_PIVOT, 0));
}

/* ---- the process ---- */

static const struct plan_exec *
exec_of (const struct plan *plan)
{
  return &plan_find (plan, PLAN_EXEC, 0)->exec;
}

/* Of duplicates the last counts, at the place of the first; what the runtime adds comes last of all.  */
static void
test_environment (void **state)
{
  (void) state;
  ARENA_CLEANUP struct arena arena = { 0 };
  static const char *const extra[] = { "LISTEN_FDS=3", "LISTEN_PID=", NULL };
  static const char *const wanted[] = { "A=3", "AB=x=y", "B=", "LISTEN_FDS=3", "LISTEN_PID=" };
  const struct spec *spec
      = config_spec (&arena, PROCESS_WITH ("'env': ['A=1', 'AB=x=y', 'A=2', 'B=1', 'LISTEN_FDS=9', 'B=', 'A=3']"));
  struct plan_facts facts = facts_of (&v2_host);
  const struct plan *plan;

  facts.extra_env = extra;
  plan = plan_of (&arena, spec, &facts);
  assert_int_equal (exec_of (plan)->env.count, sizeof wanted / sizeof *wanted);
  for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
    assert_string_equal (string_at (plan, &exec_of (plan)->env, i), wanted[i]);
  /* Two slots more: one for HOME, and the end.  */
  assert_null (string_at (plan, &exec_of (plan)->env, sizeof wanted / sizeof *wanted));
  assert_null (string_at (plan, &exec_of (plan)->env, sizeof wanted / sizeof *wanted + 1));
  assert_non_null (plan_find (plan, PLAN_HOME, 0));
}

/* Only init knows the program's pid where it does not begin a pid namespace.  */
static void
test_listen_pid (void **state)
{
  (void) state;
  static const char *const extra[] = { "LISTEN_FDS=3", PLAN_LISTEN_PID, NULL };
  static const char *const other[] = { "NOTIFY_SOCKET=/run/notify/notify.sock", NULL };
  const char *const config = PROCESS_WITH ("'env': ['LISTEN_PID=9', 'A=1']");
  ARENA_CLEANUP struct arena arena = { 0 };
  struct plan_facts facts = facts_of (&v2_host);
  const struct plan *plan;

  facts.extra_env = extra;
  plan = plan_of (&arena, config_spec (&arena, config), &facts);
  assert_string_equal (string_at (plan, &exec_of (plan)->env, 0), "LISTEN_PID=");
  assert_int_equal (exec_of (plan)->listen_pid, 1);
  facts.extra_env = other;
  plan = plan_of (&arena, config_spec (&arena, config), &facts);
  assert_string_equal (string_at (plan, &exec_of (plan)->env, 0), "LISTEN_PID=9");
  assert_int_equal (exec_of (plan)->listen_pid, 0);
}

/* HOME is looked up unless it is set, be it to nothing; a variable that only begins so is another.  */
static void
test_home (void **state)
{
  (void) state;
  static const struct
  {
    const char *config;
    bool looked_up;
  } cases[] = {
    { PROCESS_WITH ("'env': []"), true },
    { PROCESS_WITH ("'user': {'uid': 0, 'gid': 0}"), true },
    { PROCESS_WITH ("'env': ['HOMER=/x', 'XHOME=/y']"), true },
    { PROCESS_WITH ("'env': ['HOME=']"), false },
    { PROCESS_WITH ("'env': ['A=b', 'HOME=/home/a', 'HOME=/home/b']"), false },
  };

  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    {
      ARENA_CLEANUP struct arena arena = { 0 };
      struct plan_facts facts = facts_of (&v2_host);
      const struct plan *plan = plan_of (&arena, config_spec (&arena, cases[i].config), &facts);
      assert_int_equal (plan_find (plan, PLAN_HOME, 0) != NULL, cases[i].looked_up);
    }
}

/* A hundred thousand variables, of which every second comes twice.  crun needs minutes: the bound is far from both.  */
static void
test_large_environment (void **state)
{
  (void) state;
  enum
  {
    VARIABLES = 100000
  };
  ARENA_CLEANUP struct arena arena = { 0 };
  struct strbuf config = STRBUF_INIT (&arena);
  struct plan_facts facts = facts_of (&v2_host);
  const struct spec *spec;
  const struct plan *plan;
  clock_t begin;

  strbuf_add (&config, "{'ociVersion':'1.3.0','root':{'path':'r'},'process':{'cwd':'/','args':['x'],'env':['HOME=/'");
  for (int i = 0; i < VARIABLES; i++)
    strbuf_printf (&config, ",'VARIABLE_%d=%d'", i % (VARIABLES / 2), i);
  strbuf_add (&config, "]},'linux':{'namespaces':[{'type':'mount'}]}}");
  spec = config_spec (&arena, strbuf_text (&config));

  begin = clock ();
  plan = plan_of (&arena, spec, &facts);
  assert_true (clock () - begin < 2 * CLOCKS_PER_SEC);
  assert_int_equal (exec_of (plan)->env.count, VARIABLES / 2 + 1);
  assert_string_equal (string_at (plan, &exec_of (plan)->env, 0), "HOME=/");
  assert_string_equal (string_at (plan, &exec_of (plan)->env, 1), "VARIABLE_0=50000");
  assert_string_equal (string_at (plan, &exec_of (plan)->env, VARIABLES / 2), "VARIABLE_49999=99999");
}

/* More than 64 KiB of anything (CVE-2021-43784 was a 16-bit length): nothing is cut, and nothing is kept once a hook.
 */
static void
test_large_strings (void **state)
{
  (void) state;
  enum
  {
    LENGTH = 200000,
    HOOKS = 100
  };
  ARENA_CLEANUP struct arena arena = { 0 };
  struct strbuf hooks = STRBUF_INIT (&arena);
  struct plan_facts facts = facts_of (&v2_host);
  const struct spec *spec;
  const struct plan *plan;

  for (int i = 0; i < HOOKS; i++)
    strbuf_printf (&hooks, "%s{'path': '/h%d'}", i > 0 ? "," : "", i);
  spec = config_spec (&arena, arena_printf (&arena,
                                            "{'ociVersion': '1.3.0', 'root': {'path': 'r'}, 'annotations': {'a': "
                                            "'%0*d'}, 'hooks': {'createContainer': [%s]}, 'process': {'cwd': '/', "
                                            "'args': ['x', '%0*d']}, 'linux': {'namespaces': [{'type': 'mount'}]}}",
                                            LENGTH, 1, strbuf_text (&hooks), LENGTH, 2));
  plan = plan_of (&arena, spec, &facts);
  assert_int_equal (strlen (string_at (plan, &exec_of (plan)->args, 1)), LENGTH);
  assert_true (strlen (text_at (plan, plan_find (plan, PLAN_HOOK, HOOKS - 1)->hook.state_tail)) > LENGTH);
  assert_true (plan->header->size < 3 * LENGTH);
}

/* The state that init completes: valid JSON with its pid in the middle.  */
static void
test_hook_state (void **state)
{
  (void) state;
  ARENA_CLEANUP struct arena arena = { 0 };
  const struct spec *spec
      = config_spec (&arena, CONFIG_WITH (MOUNT_NS,
                                          "'annotations': {'a': 'b'}, 'hooks': {'createContainer': [{'path': '/c'}],"
                                          " 'startContainer': [{'path': '/s'}]},",
                                          ""));
  struct plan_facts facts = facts_of (&v2_host);
  const struct plan *plan = plan_of (&arena, spec, &facts);
  static const char *const status[] = { "creating", "created" };

  for (size_t i = 0; i < 2; i++)
    {
      const struct plan_hook *hook = &plan_find (plan, PLAN_HOOK, i)->hook;
      const char *text
          = arena_printf (&arena, "%s%d%s", text_at (plan, hook->state_head), 42, text_at (plan, hook->state_tail));
      assert_string_equal (text, arena_printf (&arena,
                                               "{\"pid\":42,\"ociVersion\":\"1.3.0\",\"id\":\"web1\",\"status\":"
                                               "\"%s\",\"bundle\":\"/bundle\",\"annotations\":{\"a\":\"b\"}}",
                                               status[i]));
    }
}

/* ---- capabilities ---- */

/* The capabilities of the config TEXT for a runtime that has OWN, and what was said about them.  */
static struct plan_capabilities
capabilities_of (struct arena *arena, const char *text, uint64_t own, const char **ret_log)
{
  struct plan_facts facts = facts_of (&v2_host);
  const struct plan *plan;
  char *log = arena_alloc (arena, 4096);
  FD_CLEANUP int fd = memfd_create ("log", MFD_CLOEXEC);

  assert_true (fd >= 0);
  log_open (fd, LOG_FORMAT_TEXT, LOG_LEVEL_WARNING);
  facts.capabilities = own;
  plan = plan_of (arena, config_spec (arena, text), &facts);
  log_open (-1, LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
  assert_true (pread (fd, log, 4095, 0) >= 0);
  *ret_log = log;
  return plan_find (plan, PLAN_CAPABILITIES, 0)->capabilities;
}

#define CAP(name) (UINT64_C (1) << CAP_##name)

static void
test_capabilities_left_out (void **state)
{
  (void) state;
  ARENA_CLEANUP struct arena arena = { 0 };
  static const char *const words[] = {
    "process.capabilities.bounding[1] (config.json:3:43): left out: CAP_SYS_PACCT: the runtime does not have it",
    "process.capabilities.bounding[2] (config.json:3:60): left out: CAP_NEW: no such capability",
    "process.capabilities.permitted[2] (config.json:4:40): left out: CAP_SYS_PACCT: the runtime does not have it",
    "process.capabilities.effective[1] (config.json:5:27): left out: CAP_FOWNER: not in the permitted set",
    "process.capabilities.inheritable[1] (config.json:6:29): left out: CAP_FOWNER: not in the bounding set",
    ("process.capabilities.ambient[1] (config.json:7:25): left out: CAP_CHOWN, CAP_FOWNER: not in both the "
     "permitted and the inheritable set"),
  };
  const char *log;
  struct plan_capabilities c
      = capabilities_of (&arena,
                         PROCESS_WITH ("'capabilities': {'bounding': ['CAP_KILL', 'CAP_SYS_PACCT', 'CAP_NEW'],\n"
                                       "'permitted': ['CAP_KILL', 'CAP_CHOWN', 'CAP_SYS_PACCT'],\n"
                                       "'effective': ['CAP_KILL', 'CAP_FOWNER'],\n"
                                       "'inheritable': ['CAP_KILL', 'CAP_FOWNER'],\n"
                                       "'ambient': ['CAP_KILL', 'CAP_CHOWN', 'CAP_FOWNER']}"),
                         CAP (KILL) | CAP (CHOWN) | CAP (FOWNER) | CAP (SYS_ADMIN), &log);

  assert_int_equal (c.permitted, CAP (KILL) | CAP (CHOWN));
  assert_int_equal (c.effective, CAP (KILL));
  assert_int_equal (c.inheritable, CAP (KILL));
  assert_int_equal (c.ambient, CAP (KILL));
  assert_int_equal (c.keep, 0);
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (strstr (log, words[i]) == NULL)
      fail_msg ("no \"%s\" in\n%s", words[i], log);
}

/* In a user namespace of its own the container has them all, whatever the runtime has; without a set it gets none.  */
static void
test_capabilities_granted (void **state)
{
  (void) state;
  ARENA_CLEANUP struct arena arena = { 0 };
  const char *log;
  struct plan_capabilities c = capabilities_of (
      &arena,
      "{'ociVersion': '1.3.0', 'root': {'path': 'r'}, 'process': {'cwd': '/', 'args': ['x'], 'capabilities':"
      " {'bounding': ['CAP_SYS_ADMIN'], 'permitted': ['CAP_SYS_ADMIN']}}, 'linux': {" MAPS
      "'namespaces': [{'type': 'mount'}, {'type': 'user'}]}}",
      0, &log);
  assert_int_equal (c.permitted, CAP (SYS_ADMIN));
  assert_string_equal (log, "");

  c = capabilities_of (&arena, PROCESS_WITH ("'capabilities': {}"), ALL_CAPABILITIES, &log);
  assert_int_equal (c.permitted | c.effective | c.inheritable | c.ambient, 0);
  assert_string_equal (log, "");
}

/* CAP_SYS_ADMIN loads the filter, unless no_new_privs does.  */
static void
test_capability_for_seccomp (void **state)
{
  (void) state;
  ARENA_CLEANUP struct arena arena = { 0 };
#define SECCOMP_WITH(members)                                                                                          \
  "{'ociVersion': '1.3.0', 'root': {'path': 'r'}, 'process': {'cwd': '/', 'args': ['x']" members "}, 'linux':"         \
  " {'seccomp': {'defaultAction': 'SCMP_ACT_ALLOW'}, 'namespaces': [{'type': 'mount'}]}}"
  const char *log;

  assert_int_equal (capabilities_of (&arena, SECCOMP_WITH (""), ALL_CAPABILITIES, &log).keep, CAP (SYS_ADMIN));
  assert_int_equal (capabilities_of (&arena, SECCOMP_WITH (", 'noNewPrivileges': false"), ALL_CAPABILITIES, &log).keep,
                    CAP (SYS_ADMIN));
  assert_int_equal (capabilities_of (&arena, SECCOMP_WITH (", 'noNewPrivileges': true"), ALL_CAPABILITIES, &log).keep,
                    0);
}

/* ---- more of the process ---- */

static void
test_user (void **state)
{
  (void) state;
  ARENA_CLEANUP struct arena arena = { 0 };
  struct plan_facts facts = facts_of (&v2_host);
  const struct plan *plan
      = plan_of (&arena,
                 config_spec (&arena, PROCESS_WITH ("'user': {'uid': 4294967294, 'gid': 7, 'umask': 0,"
                                                    " 'additionalGids': [4294967294, 0]}")),
                 &facts);
  const struct plan_user *user = &plan_find (plan, PLAN_USER, 0)->user;
  const uint32_t *groups = (const void *) text_at (plan, user->groups);

  assert_int_equal (user->uid, 4294967294u);
  assert_int_equal (user->gid, 7);
  assert_int_equal (user->umask, 0);
  assert_int_equal (user->group_count, 2);
  assert_int_equal (user->groups % sizeof *groups, 0);
  assert_int_equal (groups[0], 4294967294u);
  assert_int_equal (groups[1], 0);

  plan = plan_of (&arena, config_spec (&arena, PROCESS_WITH ("'user': {'uid': 1, 'gid': 2}")), &facts);
  assert_int_equal (plan_find (plan, PLAN_USER, 0)->user.umask, 0022);
  assert_int_equal (plan_find (plan, PLAN_USER, 0)->user.group_count, 0);
}

/* Groups that cannot be given up, or are asked for, stay; those of the host do not go into a namespace that is joined.
 */
static void
test_groups (void **state)
{
  (void) state;
#define USER_NS(maps) CONFIG_WITH ("{'type': 'user'}", "", maps)
#define RANGE "[{'containerID': 0, 'hostID': 1000, 'size': 1}, {'containerID': 1, 'hostID': 5000, 'size': 9}]"
#define OWN "[{'containerID': 0, 'hostID': 1000, 'size': 1}]"
#define JOINED_USER(rest) CONFIG_WITH ("{'type': 'user', 'path': '/u'}", rest, "")
  static const struct
  {
    const char *config;
    uint64_t capabilities;
    enum plan_id_map id_map;
    bool keep, drop;
  } cases[] = {
    { USER_NS (MAPS), 0, PLAN_ID_MAP_OWN, true, false },
    { USER_NS (MAPS), ALL_CAPABILITIES, PLAN_ID_MAP_WRITE, false, false },
    { USER_NS ("'uidMappings': " RANGE ", 'gidMappings': " RANGE ","), 0, PLAN_ID_MAP_HELPER, false, false },
    { USER_NS ("'uidMappings': " RANGE ", 'gidMappings': " OWN ","), 0, PLAN_ID_MAP_HELPER, true, false },
    { USER_NS ("'uidMappings': " OWN ", 'gidMappings': " RANGE ","), 0, PLAN_ID_MAP_HELPER, false, false },
    { JOINED_USER (""), ALL_CAPABILITIES, 0, false, true },
    { JOINED_USER (""), 0, 0, false, false },
    { JOINED_USER ("'annotations': {'run.oci.keep_original_groups': '1'},"), ALL_CAPABILITIES, 0, true, false },
  };

  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    {
      ARENA_CLEANUP struct arena arena = { 0 };
      struct plan_facts facts = facts_of (&v2_host);
      const struct plan_op *join;
      const struct plan *plan;

      facts.capabilities = cases[i].capabilities;
      facts.euid = facts.egid = 1000;
      plan = plan_of (&arena, config_spec (&arena, cases[i].config), &facts);
      join = plan_find (plan, PLAN_JOIN, 0);
      assert_int_equal (plan->id_map, cases[i].id_map);
      assert_int_equal (plan_find (plan, PLAN_USER, 0)->user.keep_groups, cases[i].keep);
      assert_int_equal (join ? join->ns.drop_groups : 0, cases[i].drop);
    }
}

static void
test_memory_policy (void **state)
{
  (void) state;
  ARENA_CLEANUP struct arena arena = { 0 };
  struct plan_facts facts = facts_of (&v2_host);
  const struct plan *plan
      = plan_of (&arena,
                 config_spec (&arena, CONFIG_WITH (MOUNT_NS, "",
                                                   "'memoryPolicy': {'mode': 'MPOL_BIND', 'nodes': '1-3, 64,1023'},")),
                 &facts);
  const struct plan_memory_policy *policy = &plan_find (plan, PLAN_MEMORY_POLICY, 0)->memory_policy;
  const uint8_t *mask = (const uint8_t *) text_at (plan, policy->nodes);

  assert_int_equal (policy->nodes % sizeof (long), 0);
  for (unsigned node = 0; node < 1024; node++)
    {
      bool wanted = (node >= 1 && node <= 3) || node == 64 || node == 1023;
      assert_int_equal (mask[node / 8] >> node % 8 & 1, wanted);
    }
  plan = plan_of (&arena, config_spec (&arena, CONFIG_WITH (MOUNT_NS, "", "'memoryPolicy': {'mode': 'MPOL_LOCAL'},")),
                  &facts);
  assert_int_equal (plan_find (plan, PLAN_MEMORY_POLICY, 0)->memory_policy.nodes, 0);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_refusals),
    cmocka_unit_test (test_refusals_without_privileges),
    cmocka_unit_test (test_long_data),
    cmocka_unit_test (test_opened),
    cmocka_unit_test (test_mount_ids),
    cmocka_unit_test (test_mount_ids_without_privileges),
    cmocka_unit_test (test_order_of_joins),
    cmocka_unit_test (test_oom_score_before_user_namespace),
    cmocka_unit_test (test_environment),
    cmocka_unit_test (test_listen_pid),
    cmocka_unit_test (test_home),
    cmocka_unit_test (test_large_environment),
    cmocka_unit_test (test_large_strings),
    cmocka_unit_test (test_hook_state),
    cmocka_unit_test (test_capabilities_left_out),
    cmocka_unit_test (test_capabilities_granted),
    cmocka_unit_test (test_capability_for_seccomp),
    cmocka_unit_test (test_user),
    cmocka_unit_test (test_groups),
    cmocka_unit_test (test_memory_policy),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
