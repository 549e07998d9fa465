/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* src/lsm against stand-in hosts: a directory with the files of /sys and /proc that tell what is active.  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first.  */
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/fd.h"
#include "lsm/host.h"
#include "lsm/lsm.h"
#include "spec/spec.h"

/* A policy with one label, and a broken one.  */
static int
check_context (const char *label, struct error *err)
{
  if (strcmp (label, "system_u:system_r:container_t:s0:c1,c2") == 0)
    return 0;
  if (strcmp (label, "broken") == 0)
    return error_sys (err, EACCES, "ask");
  return -EINVAL;
}

struct fixture
{
  struct arena arena;
  char root[64];
  struct lsm_host host;
};

static const char *const folders[] = {
  "sys",
  "sys/fs",
  "sys/fs/selinux",
  "sys/module",
  "sys/module/apparmor",
  "sys/module/apparmor/parameters",
  "sys/kernel",
  "sys/kernel/security",
  "sys/kernel/security/apparmor",
  "proc",
  "proc/thread-self",
  "proc/thread-self/attr",
  "proc/thread-self/attr/apparmor",
};

static const char *const files[] = {
  "sys/fs/selinux/enforce",
  "sys/module/apparmor/parameters/enabled",
  "sys/kernel/security/apparmor/profiles",
  "proc/thread-self/attr/apparmor/exec",
};

enum
{
  FOLDERS = sizeof folders / sizeof *folders,
  FILES = sizeof files / sizeof *files
};

/* A host without any LSM: the folders only.  */
static int
set_up (void **state)
{
  struct fixture *f = calloc (1, sizeof *f);
  strcpy (f->root, "/tmp/thole-test-lsm-XXXXXX");
  if (mkdtemp (f->root) == NULL)
    return -1;
  f->host = (struct lsm_host){ .root = f->root, .check_context = check_context };
  for (size_t i = 0; i < FOLDERS; i++)
    if (mkdir (arena_printf (&f->arena, "%s/%s", f->root, folders[i]), 0700) < 0)
      return -1;
  *state = f;
  return 0;
}

static int
tear_down (void **state)
{
  struct fixture *f = *state;
  for (size_t i = 0; i < FILES; i++)
    unlink (arena_printf (&f->arena, "%s/%s", f->root, files[i]));
  for (size_t i = FOLDERS; i-- > 0;)
    rmdir (arena_printf (&f->arena, "%s/%s", f->root, folders[i]));
  int r = rmdir (f->root);
  arena_free (&f->arena);
  free (f);
  return r;
}

static void
put (struct fixture *f, const char *name, const char *text)
{
  FD_CLEANUP int fd
      = open (arena_printf (&f->arena, "%s/%s", f->root, name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  assert_int_equal (fd_write_all (fd, text, strlen (text)), 0);
}

#define LABEL "system_u:system_r:container_t:s0:c1,c2"

/* A config with these members of process and linux, in which ' stands for ".  */
static const struct spec *
config (struct fixture *f, const char *process, const char *linux_)
{
  char *text = arena_printf (&f->arena,
                             "{'ociVersion':'1.3.0','root':{'path':'r'},\n'linux':{%s},\n"
                             "'process':{'cwd':'/','args':['a'],'user':{'uid':0,'gid':0}%s}}",
                             linux_, process);
  for (char *c = text; *c != '\0'; c++)
    if (*c == '\'')
      *c = '"';
  const struct spec *spec = NULL;
  struct error err = { 0 };
  if (spec_decode (&f->arena, "config.json", text, strlen (text), &spec, &err) < 0)
    fail_msg ("%s", err.message);
  return spec;
}

static void
check (struct fixture *f, const struct spec *spec, int code, const char *message, const char *hint)
{
  struct error err = { 0 };
  assert_int_equal (lsm_host_check (&f->host, spec, &err), code);
  assert_string_equal (err.message, message);
  if (strstr (err.hint, hint) == NULL)
    fail_msg ("the hint is \"%s\"", err.hint);
}

static void
test_nothing_asked (void **state)
{
  struct fixture *f = *state;
  static const char *const nothing[]
      = { "", ",'selinuxLabel':''", ",'apparmorProfile':''", ",'apparmorProfile':'unconfined'" };
  for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++)
    {
      const char *file = "x", *value = "x";
      const struct spec *spec = config (f, nothing[i], "'mountLabel':''");
      struct error err = { 0 };
      check (f, spec, 0, "", "");
      assert_int_equal (lsm_host_exec_attribute (&f->host, &f->arena, spec, &file, &value, &err), 0);
      assert_null (file);
      assert_null (value);
    }

  /* A config may lack all of it.  */
  static const char bare[] = "{\"ociVersion\":\"1.3.0\",\"root\":{\"path\":\"r\"}}";
  const struct spec *spec;
  const char *file = "x", *value;
  assert_int_equal (spec_decode (&f->arena, "config.json", bare, strlen (bare), &spec, NULL), 0);
  check (f, spec, 0, "", "");
  assert_int_equal (lsm_host_exec_attribute (&f->host, &f->arena, spec, &file, &value, NULL), 0);
  assert_null (file);
}

static void
test_not_on_this_host (void **state)
{
  struct fixture *f = *state;
  assert_false (lsm_host_has_selinux (&f->host));
  assert_false (lsm_host_has_apparmor (&f->host));
  check (f, config (f, ",'apparmorProfile':'web'", ""), -EOPNOTSUPP,
         "process.apparmorProfile (config.json:3:78): AppArmor is not enabled on this host", "security=apparmor");
  put (f, "sys/module/apparmor/parameters/enabled", "N\n");
  assert_false (lsm_host_has_apparmor (&f->host));
  check (f, config (f, ",'apparmorProfile':'web'", ""), -EOPNOTSUPP,
         "process.apparmorProfile (config.json:3:78): AppArmor is not enabled on this host", "web");
  if (!selinux_is_built)
    return;
  check (f, config (f, ",'selinuxLabel':'" LABEL "'", ""), -EOPNOTSUPP,
         "process.selinuxLabel (config.json:3:75): SELinux is not enabled on this host", "security=selinux");
  check (f, config (f, "", "'mountLabel':'" LABEL "'"), -EOPNOTSUPP,
         "linux.mountLabel (config.json:2:23): SELinux is not enabled on this host", "security=selinux");
}

static void
test_selinux (void **state)
{
  struct fixture *f = *state;
  put (f, "sys/fs/selinux/enforce", "1");
  assert_int_equal (lsm_host_has_selinux (&f->host), selinux_is_built);
  if (!selinux_is_built)
    {
      check (f, config (f, ",'selinuxLabel':'" LABEL "'", ""), -EOPNOTSUPP,
             "process.selinuxLabel (config.json:3:75): this thole was built without SELinux", "");
      return;
    }
  const struct spec *spec = config (f, ",'selinuxLabel':'" LABEL "'", "'mountLabel':'" LABEL "'");
  check (f, spec, 0, "", "");
  const char *file = NULL, *value = NULL;
  struct error err = { 0 };
  assert_int_equal (lsm_host_exec_attribute (&f->host, &f->arena, spec, &file, &value, &err), 0);
  assert_string_equal (file, "exec");
  assert_string_equal (value, LABEL);

  check (f, config (f, ",'selinuxLabel':'a:b:c'", ""), -EINVAL,
         "process.selinuxLabel (config.json:3:75): the SELinux policy has no label \"a:b:c\"", "user:role:type:level");
  check (f, config (f, "", "'mountLabel':'a:b:c'"), -EINVAL,
         "linux.mountLabel (config.json:2:23): the SELinux policy has no label \"a:b:c\"", "user:role:type:level");
  check (f, config (f, "", "'mountLabel':'x\\',suid'"), -EINVAL,
         "linux.mountLabel (config.json:2:23): a label has no quotes: x\",suid", "");
  check (f, config (f, ",'selinuxLabel':'broken'", ""), -EACCES,
         "process.selinuxLabel (config.json:3:75): ask: Permission denied", "");
}

static void
test_apparmor (void **state)
{
  struct fixture *f = *state;
  put (f, "sys/module/apparmor/parameters/enabled", "Y\n");
  assert_true (lsm_host_has_apparmor (&f->host));

  /* Without the list, anything may be loaded.  */
  check (f, config (f, ",'apparmorProfile':'none'", ""), 0, "", "");

  put (f, "sys/kernel/security/apparmor/profiles",
       "/usr/bin/man (enforce)\nweb server (complain)\nlast (unconfined)\n");
  static const char *const good[] = { "/usr/bin/man", "web server", "last", "unconfined", "web//&last", ":ns:web" };
  for (size_t i = 0; i < sizeof good / sizeof *good; i++)
    {
      const char *file, *value;
      struct error err = { 0 };
      const struct spec *spec = config (f, arena_printf (&f->arena, ",'apparmorProfile':'%s'", good[i]), "");
      check (f, spec, 0, "", "");
      assert_int_equal (lsm_host_exec_attribute (&f->host, &f->arena, spec, &file, &value, &err), 0);
      assert_string_equal (file, "exec");
      assert_string_equal (value, arena_printf (&f->arena, "exec %s", good[i]));
    }
  static const char *const bad[] = { "web", "man", "server", "web server (complain)", "last ", "enforce" };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    check (f, config (f, arena_printf (&f->arena, ",'apparmorProfile':'%s'", bad[i]), ""), -EINVAL,
           arena_printf (&f->arena, "process.apparmorProfile (config.json:3:78): no AppArmor profile \"%s\" is loaded",
                         bad[i]),
           "apparmor_parser");
  put (f, "sys/kernel/security/apparmor/profiles", "");
  check (f, config (f, ",'apparmorProfile':'web'", ""), -EINVAL,
         "process.apparmorProfile (config.json:3:78): no AppArmor profile \"web\" is loaded", "apparmor_parser");

  /* Kernels since 5.8 have a directory for it.  */
  const char *file, *value;
  put (f, "proc/thread-self/attr/apparmor/exec", "");
  assert_int_equal (
      lsm_host_exec_attribute (&f->host, &f->arena, config (f, ",'apparmorProfile':'web'", ""), &file, &value, NULL),
      0);
  assert_string_equal (file, "apparmor/exec");
  assert_string_equal (value, "exec web");
}

static void
test_not_both (void **state)
{
  struct fixture *f = *state;
  const char *file = "x", *value = "x";
  struct error err = { 0 };
  const struct spec *spec = config (f, ",'selinuxLabel':'a','apparmorProfile':'web'", "");
  assert_int_equal (lsm_host_exec_attribute (&f->host, &f->arena, spec, &file, &value, &err), -EINVAL);
  assert_string_equal (err.message,
                       "process.apparmorProfile (config.json:3:97): there is an SELinux label, too; a process "
                       "has one or the other");
  assert_string_equal (file, "x");
}

static void
test_mount_option (void **state)
{
  struct fixture *f = *state;
  static const char *const with[] = { "tmpfs", "devpts", "ext4", "overlay", "fuse.sshfs" };
  static const char *const without[]
      = { NULL, "", "none", "bind", "proc", "sysfs", "mqueue", "cgroup", "cgroup2", "bpf" };
  for (size_t i = 0; i < sizeof with / sizeof *with; i++)
    {
      assert_string_equal (lsm_mount_option (&f->arena, NULL, LABEL, with[i]), "context=\"" LABEL "\"");
      assert_string_equal (lsm_mount_option (&f->arena, "rootcontext", LABEL, with[i]), "rootcontext=\"" LABEL "\"");
      assert_null (lsm_mount_option (&f->arena, NULL, NULL, with[i]));
      assert_null (lsm_mount_option (&f->arena, NULL, "", with[i]));
    }
  for (size_t i = 0; i < sizeof without / sizeof *without; i++)
    assert_null (lsm_mount_option (&f->arena, NULL, LABEL, without[i]));
}

/* The real host and the real library, whatever they are.  */
static void
test_this_host (void **state)
{
  struct fixture *f = *state;
  struct error err = { 0 };
  assert_int_equal (lsm_has_selinux (), selinux_is_built && access ("/sys/fs/selinux/enforce", F_OK) == 0);
  int r = lsm_check (config (f, ",'apparmorProfile':'no such profile of thole'", ""), &err);
  assert_int_equal (r, lsm_has_apparmor ()
                           ? (access ("/sys/kernel/security/apparmor/profiles", R_OK) == 0 ? -EINVAL : 0)
                           : -EOPNOTSUPP);
  if (selinux_is_built && !lsm_has_selinux ())
    {
      r = selinux_check_context ("a:b:c", &err);
      assert_true (r < 0 && r != -EINVAL);
      assert_true (strstr (err.message, "ask the SELinux policy about the label \"a:b:c\": ") == err.message
                   || strstr (err.message, "load libselinux.so.1: ") == err.message);
    }
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (test_nothing_asked, set_up, tear_down),
    cmocka_unit_test_setup_teardown (test_not_on_this_host, set_up, tear_down),
    cmocka_unit_test_setup_teardown (test_selinux, set_up, tear_down),
    cmocka_unit_test_setup_teardown (test_apparmor, set_up, tear_down),
    cmocka_unit_test_setup_teardown (test_not_both, set_up, tear_down),
    cmocka_unit_test_setup_teardown (test_mount_option, set_up, tear_down),
    cmocka_unit_test_setup_teardown (test_this_host, set_up, tear_down),
  };
  return cmocka_run_group_tests_name ("lsm", tests, NULL, NULL);
}
