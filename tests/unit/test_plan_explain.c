/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* src/plan: from the report of an init that failed to the message.  Callers match words of these messages: Podman and
 * CRI-O `executable file not found in`, Docker (status 127) that or `no such file or directory`, all of them (status
 * 126) `permission denied`; in any case of letters.  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first.  */
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "plan_case.h"

static const char config[]
    = "{'ociVersion': '1.3.0', 'root': {'path': 'rootfs'}, 'hostname': 'h',\n"
      "'process': {'cwd': '/w', 'args': ['prog'], 'terminal': true,\n"
      "'rlimits': [{'type': 'RLIMIT_NOFILE', 'soft': 5, 'hard': 9}]},\n"
      "'mounts': [{'destination': '/proc', 'type': 'proc'},\n"
      "{'destination': '/data', 'source': '/srv/data', 'options': ['bind']}],\n"
      "'hooks': {'createContainer': [{'path': '/bin/hook', 'timeout': 7}],\n"
      "'startContainer': [{'path': '/in/one'},\n"
      "{'path': '/in/two', 'timeout': 3}]},\n"
      "'linux': {'sysctl': {'kernel.shmmax': '1'}, 'maskedPaths': ['/proc/kcore'],\n"
      "'devices': [{'path': '/dev/fuse', 'type': 'c', 'major': 10, 'minor': 229}],\n"
      "'seccomp': {'defaultAction': 'SCMP_ACT_ALLOW'},\n"
      "'namespaces': [{'type': 'mount'}, {'type': 'uts'}, {'type': 'ipc'}, {'type': 'network', 'path': '/ns'}]}}";

struct fixture
{
  struct arena arena;
  const struct spec *spec;
  const struct plan *plan;
  struct error err;
};

static int
setup (void **state)
{
  static struct fixture fixture;
  struct plan_facts facts = facts_of (&v2_host);

  fixture = (struct fixture){ 0 };
  fixture.spec = config_spec (&fixture.arena, config);
  fixture.plan = plan_of (&fixture.arena, fixture.spec, &facts);
  *state = &fixture;
  return 0;
}

static int
teardown (void **state)
{
  arena_free (&((struct fixture *) *state)->arena);
  return 0;
}

/* A report about the NTH operation of CODE.  */
static struct plan_report
report_of (const struct fixture *f, uint32_t code, size_t nth, enum plan_failure failure, int error)
{
  return (struct plan_report){ .op = (uint32_t) index_of (f->plan, code, nth), .failure = failure, .error = error };
}

static void
check (struct fixture *f, const struct plan_report *report, int code, const char *message, const char *hint)
{
  assert_int_equal (plan_explain (&f->arena, f->plan, f->spec, report, &f->err), -code);
  assert_string_equal (f->err.message, message);
  assert_string_equal (f->err.hint, hint);
  assert_int_equal (f->err.code, code);
}

/* ---- what the kernel refused ---- */

static void
test_system (void **state)
{
  static const struct
  {
    uint32_t code;
    size_t nth;
    int error;
    const char *what, *detail, *message, *hint;
  } cases[] = {
    { PLAN_BIND, 0, ENOENT, "open_tree", "/srv/data",
      "mounts[1] (config.json:5:1): bind /srv/data on /data: No such file or directory",
      "the source /srv/data does not exist on the host; create it or drop the mount" },
    { PLAN_BIND, 0, EACCES, "mkdir", "/data", "mounts[1] (config.json:5:1): bind /srv/data on /data: Permission denied",
      "/data is not in the root file system and cannot be made there: have it contained in the image" },
    { PLAN_MOUNT, 0, EROFS, "mkdir", "/proc",
      "mounts[0] (config.json:4:12): mount proc on /proc: Read-only file system",
      "/proc is not in the root file system and cannot be made there: have it contained in the image" },
    { PLAN_BIND, 0, EACCES, "open_tree", "/srv/data",
      "mounts[1] (config.json:5:1): bind /srv/data on /data: Permission denied", "" },
    { PLAN_BIND, 0, ENOENT, "mkdir", "/data",
      "mounts[1] (config.json:5:1): bind /srv/data on /data: No such file or directory", "" },
    { PLAN_MOUNT, 0, ENODEV, "mount", "/proc", "mounts[0] (config.json:4:12): mount proc on /proc: No such device",
      "the kernel does not know this file system type: see /proc/filesystems" },
    { PLAN_TERMINAL, 0, ENOENT, "open", "/dev/pts/ptmx",
      "process.terminal (config.json:2:56): open a terminal: /dev/pts/ptmx: No such file or directory",
      "a terminal needs a devpts mounted on /dev/pts" },
    { PLAN_ROOTFS, 0, ENOENT, "mount", "/bundle/rootfs",
      "root.path (config.json:1:42): open the root file system /bundle/rootfs: No such file or directory",
      "root.path must name a directory that exists, absolute or relative to the bundle" },
    { PLAN_RLIMIT, 0, EPERM, "setrlimit", "",
      "process.rlimits[0] (config.json:3:13): set RLIMIT_NOFILE to 5 (soft) and 9 (hard): Operation not permitted",
      "raising a hard limit above the runtime's own takes CAP_SYS_RESOURCE" },
    { PLAN_USER, 0, EINVAL, "setresuid", "", "process.user (config.json:2:12): become user 0:0: Invalid argument",
      "every uid and gid of the process must be mapped in its user namespace" },
    { PLAN_PIVOT, 0, EINVAL, "pivot_root", "", "enter the root file system: Invalid argument",
      "where the root is the initramfs, use --no-pivot" },
    { PLAN_SYSCTL, 0, EROFS, "open", "sys/kernel/shmmax",
      "linux.sysctl[\"kernel.shmmax\"] (config.json:9:39): set the sysctl kernel/shmmax to 1: sys/kernel/shmmax: "
      "Read-only file system",
      "" },
    { PLAN_MASK, 0, ENOSYS, "open_tree", "/dev/null",
      "linux.maskedPaths[0] (config.json:9:61): mask /proc/kcore: /dev/null: Function not implemented",
      "thole needs Linux 5.3: open_tree, move_mount and fsopen (5.2) have no substitute" },
    { PLAN_BIND, 0, EOPNOTSUPP, "mount", "/data",
      "mounts[1] (config.json:5:1): bind /srv/data on /data: Operation not supported", "nosymfollow needs Linux 5.10" },
    { PLAN_JOIN, 0, EPERM, "setns", "",
      "linux.namespaces[3] (config.json:12:69): join the network namespace: Operation not permitted", "" },
    { PLAN_PROTECT, 0, EPERM, "prctl", "PR_SET_DUMPABLE",
      "hide from other processes: PR_SET_DUMPABLE: Operation not permitted", "" },
  };
  struct fixture *f = *state;

  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    {
      struct plan_report r = report_of (f, cases[i].code, cases[i].nth, PLAN_FAILURE_SYSTEM, cases[i].error);
      snprintf (r.what, sizeof r.what, "%s", cases[i].what);
      snprintf (r.detail, sizeof r.detail, "%s", cases[i].detail);
      check (f, &r, cases[i].error, cases[i].message, cases[i].hint);
    }
}

/* The file system's own words stand before the errno, which says EINVAL to everything.  */
static void
test_reason (void **state)
{
  struct fixture *f = *state;
  struct plan_report r = report_of (f, PLAN_MOUNT, 0, PLAN_FAILURE_SYSTEM, EINVAL);

  strcpy (r.what, "mount");
  strcpy (r.detail, "/proc");
  strcpy (r.reason, "proc: Unknown parameter 'x'");
  check (f, &r, EINVAL,
         "mounts[0] (config.json:4:12): mount proc on /proc: proc: Unknown parameter 'x' (Invalid argument)", "");
}

/* ---- the program ---- */

static void
test_not_found (void **state)
{
  struct fixture *f = *state;
  struct plan_report r = report_of (f, PLAN_FIND_PROGRAM, 0, PLAN_FAILURE_NOT_FOUND, ENOENT);

  strcpy (r.detail, "prog");
  check (f, &r, ENOENT, "process.args (config.json:2:34): exec: \"prog\": executable file not found in $PATH", "");
  strcpy (r.detail, "/no/prog");
  check (f, &r, ENOENT, "process.args (config.json:2:34): exec: \"/no/prog\": no such file or directory", "");
  r.error = ENOTDIR;
  check (f, &r, ENOTDIR, "process.args (config.json:2:34): exec: \"/no/prog\": no such file or directory", "");
}

static void
test_not_executable (void **state)
{
  static const char hint[] = "the program must be a file that the user of the process may execute";
  struct fixture *f = *state;
  struct plan_report r = report_of (f, PLAN_FIND_PROGRAM, 0, PLAN_FAILURE_NOT_EXECUTABLE, EACCES);

  strcpy (r.detail, "/etc/passwd");
  check (f, &r, EACCES, "process.args (config.json:2:34): exec: \"/etc/passwd\": permission denied", hint);
  r.error = EISDIR;
  check (f, &r, EACCES, "process.args (config.json:2:34): exec: \"/etc/passwd\": is a directory: permission denied",
         hint);
  r.error = ELOOP;
  check (f, &r, ELOOP, "process.args (config.json:2:34): exec: \"/etc/passwd\": Too many levels of symbolic links", "");
}

/* "No such file" would be read as a missing program: it is not said of a missing interpreter.  */
static void
test_interpreter (void **state)
{
  static const char hint[] = "a script needs its shell, a dynamic program its loader and libraries";
  struct fixture *f = *state;
  struct plan_report r = report_of (f, PLAN_FIND_PROGRAM, 0, PLAN_FAILURE_INTERPRETER, ENOENT);

  strcpy (r.detail, "/bin/bash");
  strcpy (r.reason, "/script");
  check (f, &r, ENOENT,
         "process.args (config.json:2:34): exec: \"/script\": its interpreter \"/bin/bash\" is missing in the "
         "container: no such file or directory",
         hint);
  r.error = EACCES;
  check (f, &r, EACCES,
         "process.args (config.json:2:34): exec: \"/script\": its interpreter \"/bin/bash\" cannot be executed: "
         "permission denied",
         hint);
  r.error = ELOOP;
  check (f, &r, ELOOP,
         "process.args (config.json:2:34): exec: \"/script\": its interpreter \"/bin/bash\" cannot be executed: "
         "Too many levels of symbolic links",
         hint);
  r.error = ENOENT;
  strcpy (r.detail, "/bin/sh\r");
  check (f, &r, ENOENT,
         "process.args (config.json:2:34): exec: \"/script\": its interpreter \"/bin/sh\\r\" is missing in the "
         "container: no such file or directory",
         "the first line of the script ends with a carriage return");
}

/* ---- hooks ---- */

static void
test_hook (void **state)
{
  struct fixture *f = *state;
  struct plan_report r = report_of (f, PLAN_HOOK, 0, PLAN_FAILURE_HOOK, EINVAL);

  r.wait_status = W_EXITCODE (3, 0);
  check (f, &r, EINVAL, "hooks.createContainer[0] (config.json:6:31): /bin/hook: exit status 3", "");
  strcpy (r.detail, "first\nlast words \n\n");
  check (f, &r, EINVAL, "hooks.createContainer[0] (config.json:6:31): /bin/hook: exit status 3: first\\nlast words",
         "");
  r.wait_status = W_EXITCODE (0, SIGSEGV);
  check (f, &r, EINVAL,
         "hooks.createContainer[0] (config.json:6:31): /bin/hook: killed by signal 11: first\\nlast words", "");
  r.failure = PLAN_FAILURE_HOOK_TIMEOUT;
  r.error = ETIMEDOUT;
  check (
      f, &r, ETIMEDOUT,
      "hooks.createContainer[0] (config.json:6:31): /bin/hook: killed, with all that it started, after its timeout of "
      "7 s: first\\nlast words",
      "");
  r = report_of (f, PLAN_HOOK, 0, PLAN_FAILURE_SYSTEM, ENOENT);
  strcpy (r.what, "execve");
  strcpy (r.detail, "/bin/hook");
  check (f, &r, ENOENT, "hooks.createContainer[0] (config.json:6:31): run /bin/hook: No such file or directory", "");
}

/* ---- the rest ---- */

static void
test_other_failures (void **state)
{
  struct fixture *f = *state;
  struct plan_report r = report_of (f, PLAN_DEVICE, 6, PLAN_FAILURE_MISMATCH, EEXIST);

  strcpy (r.detail, "/dev/fuse");
  check (f, &r, EEXIST, "linux.devices[0] (config.json:10:13): make the device /dev/fuse: something else is there", "");
  r = report_of (f, PLAN_CHECK_CWD, 0, PLAN_FAILURE_ESCAPE, EPERM);
  strcpy (r.detail, "/w");
  check (f, &r, EPERM,
         "process.cwd (config.json:2:20): enter the working directory /w: it is outside the container's root", "");
  r = report_of (f, PLAN_READY, 0, PLAN_FAILURE_PROTOCOL, EPROTO);
  strcpy (r.detail, "the runtime");
  check (f, &r, EPROTO, "wait for the start: the runtime: an unexpected message", "");
}

/* The child that could not become init says so itself.  */
static void
test_birth (void **state)
{
  struct fixture *f = *state;
  struct plan_report r = { .failure = PLAN_FAILURE_BIRTH, .error = EACCES };

  strcpy (r.what, "execveat");
  check (f, &r, EACCES, "start init: execveat: Permission denied", "");
  strcpy (r.what, "setresgid");
  r.error = EINVAL;
  check (f, &r, EINVAL, "start init: setresgid: Invalid argument", "");
  f->spec = config_spec (&f->arena,
                         "{'ociVersion': '1.3.0', 'root': {'path': 'r'}, 'linux': {'namespaces': [{'type': 'user'}]}}");
  check (f, &r, EINVAL, "start init: setresgid: Invalid argument",
         "linux.uidMappings and linux.gidMappings must map the container's id 0");
}

/* A report that init never wrote so must give some message, and read nothing that is not there.  */
static void
test_nonsense (void **state)
{
  struct fixture *f = *state;
  struct plan_report r = { .op = f->plan->header->count, .failure = PLAN_FAILURE_SYSTEM, .error = EPERM };

  check (f, &r, EPROTO, "init reported nonsense", "");
  r.op = UINT32_MAX;
  check (f, &r, EPROTO, "init reported nonsense", "");
  for (uint32_t failure = 0; failure <= PLAN_FAILURE_BIRTH + 1; failure++)
    for (uint32_t op = 0; op < f->plan->header->count; op++)
      for (int error = -1; error <= 1; error++)
        {
          r = (struct plan_report){ .op = op, .failure = failure, .error = error, .wait_status = -1 };
          memset (r.what, 'x', sizeof r.what);
          memset (r.detail, 'y', sizeof r.detail);
          memset (r.reason, 'z', sizeof r.reason);
          assert_true (plan_explain (&f->arena, f->plan, f->spec, &r, &f->err) < 0);
          assert_true (f->err.code > 0);
          assert_null (strchr (f->err.message, '\n'));
        }
}

/* ---- start: only the saved spec is there ---- */

static void
check_start (struct fixture *f, const struct plan_report *report, int code, const char *message)
{
  uint32_t last = f->plan->header->count - 1;

  assert_int_equal (plan_explain_start (&f->arena, last, f->spec, report, &f->err), -code);
  assert_string_equal (f->err.message, message);
}

static void
test_start (void **state)
{
  struct fixture *f = *state;
  struct plan_report r = report_of (f, PLAN_EXEC, 0, PLAN_FAILURE_NOT_EXECUTABLE, EACCES);

  strcpy (r.detail, "/prog");
  check_start (f, &r, EACCES, "process.args (config.json:2:34): exec: \"/prog\": permission denied");
  r = report_of (f, PLAN_EXEC, 0, PLAN_FAILURE_SYSTEM, ENOENT);
  strcpy (r.detail, "/prog");
  check_start (f, &r, ENOENT, "process.args (config.json:2:34): execute: /prog: No such file or directory");
  r = report_of (f, PLAN_SECCOMP, 0, PLAN_FAILURE_SYSTEM, EINVAL);
  check_start (f, &r, EINVAL, "linux.seccomp (config.json:11:12): load the seccomp filter: Invalid argument");
  r = report_of (f, PLAN_HOOK, 1, PLAN_FAILURE_HOOK, EINVAL);
  r.wait_status = W_EXITCODE (1, 0);
  check_start (f, &r, EINVAL, "hooks.startContainer[0] (config.json:7:20): /in/one: exit status 1");
  r = report_of (f, PLAN_HOOK, 2, PLAN_FAILURE_HOOK_TIMEOUT, ETIMEDOUT);
  check_start (
      f, &r, ETIMEDOUT,
      "hooks.startContainer[1] (config.json:8:1): /in/two: killed, with all that it started, after its timeout "
      "of 3 s");
  r = report_of (f, PLAN_HOOK, 2, PLAN_FAILURE_SYSTEM, ENOENT);
  strcpy (r.detail, "/in/two");
  check_start (f, &r, ENOENT, "hooks.startContainer[1] (config.json:8:1): run /in/two: No such file or directory");
  r = report_of (f, PLAN_READY, 0, PLAN_FAILURE_SYSTEM, EPIPE);
  strcpy (r.detail, "the runtime");
  check_start (f, &r, EPIPE, "wait for the start: the runtime: Broken pipe");
  r.op = f->plan->header->count;
  check_start (f, &r, EPROTO, "init reported nonsense");
}

/* Every report about every operation, with and without hooks and seccomp before the end: some message, no crash.  */
static void
test_start_nonsense (void **state)
{
  struct fixture *f = *state;
  static const char *const others[] = {
    config,
    "{'ociVersion': '1.3.0', 'root': {'path': 'r'}, 'process': {'cwd': '/', 'args': ['x']}}",
    "{'ociVersion': '1.3.0', 'root': {'path': 'r'}}",
  };

  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    {
      const struct spec *spec = config_spec (&f->arena, others[i]);
      for (uint32_t op = 0; op < 6; op++)
        for (uint32_t failure = 0; failure <= PLAN_FAILURE_BIRTH + 1; failure++)
          {
            struct plan_report r = { .op = op, .failure = failure, .error = EPERM };
            assert_true (plan_explain_start (&f->arena, 5, spec, &r, &f->err) < 0);
            assert_string_not_equal (f->err.message, "");
          }
    }
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_system),
    cmocka_unit_test (test_reason),
    cmocka_unit_test (test_not_found),
    cmocka_unit_test (test_not_executable),
    cmocka_unit_test (test_interpreter),
    cmocka_unit_test (test_hook),
    cmocka_unit_test (test_other_failures),
    cmocka_unit_test_setup (test_birth, setup),
    cmocka_unit_test_setup (test_nonsense, setup),
    cmocka_unit_test (test_start),
    cmocka_unit_test (test_start_nonsense),
  };
  return cmocka_run_group_tests (tests, setup, teardown);
}
