/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* src/seccomp: flags, errors, what is logged; and that the kernel takes a filter and does what it says.  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first.  */
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/log.h"
#include "base/syscalls.h"
#include "seccomp_profile.h"

static void
test_flags (void **state)
{
  (void) state;
  static const struct
  {
    const char *text;
    uint32_t flags;
  } rows[] = {
    { "{'defaultAction':'SCMP_ACT_ALLOW'}", 0 },
    { "{'defaultAction':'SCMP_ACT_ALLOW','flags':[]}", 0 },
    { "{'defaultAction':'SCMP_ACT_ALLOW','flags':['SECCOMP_FILTER_FLAG_LOG']}", SECCOMP_FILTER_FLAG_LOG },
    { "{'defaultAction':'SCMP_ACT_ALLOW','flags':['SECCOMP_FILTER_FLAG_SPEC_ALLOW','SECCOMP_FILTER_FLAG_TSYNC',"
      "'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV']}",
      SECCOMP_FILTER_FLAG_SPEC_ALLOW },
    { "{'defaultAction':'SCMP_ACT_ALLOW','listenerPath':'/x','flags':['SECCOMP_FILTER_FLAG_TSYNC'],"
      "'syscalls':[{'names':['mount'],'action':'SCMP_ACT_NOTIFY'}]}",
      SECCOMP_FILTER_FLAG_NEW_LISTENER },
    { "{'defaultAction':'SCMP_ACT_ALLOW','listenerPath':'/x','flags':['SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV'],"
      "'syscalls':[{'names':['mount'],'action':'SCMP_ACT_NOTIFY'}]}",
      SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV },
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    {
      ARENA_CLEANUP struct arena arena = { 0 };
      struct seccomp_filter filter;
      compile (&arena, profile_spec (&arena, rows[i].text), -1, &filter);
      assert_int_equal (filter.flags, rows[i].flags);
    }
}

static void
test_errors (void **state)
{
  (void) state;
  static const struct
  {
    const char *text, *message;
  } rows[] = {
    { "{'defaultAction':'SCMP_ACT_NOTIFY'}",
      "linux.seccomp.defaultAction (config.json:2:18): SCMP_ACT_NOTIFY cannot be the default action" },
    { "{'defaultAction':'SCMP_ACT_ALLOW','syscalls':[{'names':['mount'],'action':'SCMP_ACT_NOTIFY'}]}",
      "linux.seccomp (config.json:2:1): SCMP_ACT_NOTIFY needs a listenerPath" },
    { "{'defaultAction':'SCMP_ACT_ERRNO','defaultErrnoRet':4095}",
      "linux.seccomp.defaultErrnoRet (config.json:2:53): 4095 is no errno; the largest is 4094" },
    { "{'defaultAction':'SCMP_ACT_ALLOW','syscalls':[\n{'names':['mount'],'action':'SCMP_ACT_ERRNO','errnoRet':5000}]}",
      "linux.seccomp.syscalls[0].errnoRet (config.json:3:57): 5000 is no errno; the largest is 4094" },
    { "{'defaultAction':'SCMP_ACT_ALLOW','architectures':['SCMP_ARCH_X86','SCMP_ARCH_PPC']}",
      "linux.seccomp.architectures[1] (config.json:2:68): SCMP_ARCH_PPC has another byte order than this machine" },
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    {
      ARENA_CLEANUP struct arena arena = { 0 };
      const struct spec *spec = profile_spec (&arena, rows[i].text);
      struct seccomp_filter filter = { .fd = -5 };
      struct error err = { 0 };
      assert_int_equal (seccomp_check (spec, spec->linux_->seccomp, &err), -EINVAL);
      assert_string_equal (err.message, rows[i].message);
      error_clear (&err);
      assert_int_equal (seccomp_compile (&arena, spec, spec->linux_->seccomp, -1, &filter, &err), -EINVAL);
      assert_string_equal (err.message, rows[i].message);
      assert_int_equal (filter.fd, -5);
    }
}

static void
test_unknown_names_are_logged (void **state)
{
  (void) state;
  ARENA_CLEANUP struct arena arena = { 0 };
  struct seccomp_filter filter;
  char line[4096] = "";
  int fds[2];
  assert_int_equal (pipe2 (fds, O_CLOEXEC), 0);
  log_open (fds[1], LOG_FORMAT_TEXT, LOG_LEVEL_DEBUG);
  compile (&arena,
           profile_spec (&arena, "{'defaultAction':'SCMP_ACT_ALLOW','syscalls':[{'names':['no_such_call'],"
                                 "'action':'SCMP_ACT_KILL'}]}"),
           -1, &filter);
  log_open (-1, LOG_FORMAT_TEXT, LOG_LEVEL_DEBUG);
  assert_true (read (fds[0], line, sizeof line - 1) > 0);
  assert_non_null (strstr (line, "level=debug"));
  assert_non_null (strstr (line, "no_such_call"));
  fd_close (fds[0]);
  fd_close (fds[1]);
}

static void
test_version (void **state)
{
  (void) state;
  ARENA_CLEANUP struct arena arena = { 0 };
  unsigned major, minor, micro;
  assert_int_equal (sscanf (seccomp_library_version (&arena), "%u.%u.%u", &major, &minor, &micro), 3);
  assert_true (major == 2 && minor >= 5);
}

/* Runs CHECK in a process of its own, which it may cripple; it exits with 0 if all is well.  */
static void
run_apart (void (*check) (void))
{
  pid_t pid = fork ();
  assert_true (pid >= 0);
  if (pid == 0)
    {
      check ();
      syscall (SYS_exit_group, 99);
    }
  int status;
  assert_int_equal (waitpid (pid, &status, 0), pid);
  assert_int_equal (status, 0);
}

static void
check_no_library (void)
{
  /* No descriptors, no library.  */
  struct rlimit none = { 0, 0 };
  struct arena arena = { 0 };
  const struct spec *spec = profile_spec (&arena, "{'defaultAction':'SCMP_ACT_ALLOW'}");
  struct seccomp_filter filter;
  struct error err = { 0 };
  setrlimit (RLIMIT_NOFILE, &none);
  bool good = seccomp_compile (&arena, spec, spec->linux_->seccomp, -1, &filter, &err) == -EOPNOTSUPP
              && strstr (err.message, "linux.seccomp (config.json:2:1): load libseccomp.so.2: ") == err.message
              && strstr (err.hint, "install libseccomp") == err.hint && seccomp_library_version (&arena) == NULL;
  syscall (SYS_exit_group, good ? 0 : 1);
}

/* Must come before any test that loads it.  */
static void
test_library_missing (void **state)
{
  (void) state;
  run_apart (check_no_library);
}

/* ---- in the kernel ---- */

/* Loads the filter of TEXT as init does; returns what seccomp(2) does.  */
static int
load (const char *text)
{
  struct arena arena = { 0 };
  struct seccomp_filter filter;
  const struct sock_filter *program = compile (&arena, profile_spec (&arena, text), -1, &filter);
  struct sock_fprog fprog = { (unsigned short) filter.length, (struct sock_filter *) program };
  if (prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
    return -1;
  return sys_seccomp (SECCOMP_SET_MODE_FILTER, filter.flags, &fprog);
}

/* How a process ends that loads the filter of TEXT and, if that succeeds, calls getpriority(2) with WHICH and exits
 * with its errno or 0; 254 if it could not load.  */
static int
run_filtered (const char *text, int which)
{
  pid_t pid = fork ();
  assert_true (pid >= 0);
  if (pid == 0)
    {
      struct rlimit none = { 0, 0 };
      setrlimit (RLIMIT_CORE, &none);
      signal (SIGSYS, SIG_DFL);
      if (load (text) < 0)
        _exit (254);
      errno = 0;
      long answer = syscall (SYS_getpriority, which, 0);
      syscall (SYS_exit_group, answer < 0 ? errno : 0); /* the _exit of the sanitizers makes calls of its own */
    }
  int status;
  assert_int_equal (waitpid (pid, &status, 0), pid);
  return status;
}

#define RULE(rule) "{'defaultAction':'SCMP_ACT_ALLOW','syscalls':[{'names':['getpriority']," rule "}]}"

static void
test_kernel_actions (void **state)
{
  (void) state;
  static const struct
  {
    const char *text;
    int signal, status;
  } rows[] = {
    { "{'defaultAction':'SCMP_ACT_ALLOW'}", 0, 0 },
    { RULE ("'action':'SCMP_ACT_ERRNO','errnoRet':99"), 0, 99 },
    { RULE ("'action':'SCMP_ACT_ERRNO'"), 0, EPERM },
    { RULE ("'action':'SCMP_ACT_ERRNO','errnoRet':0"), 0, 0 },
    { RULE ("'action':'SCMP_ACT_LOG'"), 0, 0 },
    { RULE ("'action':'SCMP_ACT_TRACE'"), 0, ENOSYS }, /* nobody traces */
    { RULE ("'action':'SCMP_ACT_TRAP'"), SIGSYS, 0 },
    { RULE ("'action':'SCMP_ACT_KILL'"), SIGSYS, 0 },
    { RULE ("'action':'SCMP_ACT_KILL_PROCESS'"), SIGSYS, 0 },
    { RULE ("'action':'SCMP_ACT_ERRNO','errnoRet':99,'args':[{'index':0,'op':'SCMP_CMP_GT','value':0}]"), 0, 0 },
    { RULE ("'action':'SCMP_ACT_ERRNO','errnoRet':99,'args':[{'index':0,'op':'SCMP_CMP_LE','value':0}]"), 0, 99 },
    { "{'defaultAction':'SCMP_ACT_ERRNO','defaultErrnoRet':98,'flags':['SECCOMP_FILTER_FLAG_LOG',"
      "'SECCOMP_FILTER_FLAG_SPEC_ALLOW','SECCOMP_FILTER_FLAG_TSYNC'],'architectures':['SCMP_ARCH_X86'],"
      "'syscalls':[{'names':['exit_group','exit','clone3'],'action':'SCMP_ACT_ALLOW'}]}",
      0, 98 },
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    {
      int status = run_filtered (rows[i].text, PRIO_PROCESS);
      if (rows[i].signal != 0)
        assert_true (WIFSIGNALED (status) && WTERMSIG (status) == rows[i].signal);
      else
        {
          assert_true (WIFEXITED (status));
          assert_int_equal (WEXITSTATUS (status), rows[i].status);
        }
    }
}

/* A kernel that does not know a flag answers EINVAL to it.  */
static void
check_old_kernel (void)
{
  struct arena arena = { 0 };
  static const struct
  {
    const char *text, *message;
  } rows[] = {
    { "{'defaultAction':'SCMP_ACT_ALLOW','flags':['SECCOMP_FILTER_FLAG_LOG']}",
      "linux.seccomp (config.json:2:1): this kernel does not support SECCOMP_FILTER_FLAG_LOG" },
    { "{'defaultAction':'SCMP_ACT_ALLOW','listenerPath':'/x',"
      "'syscalls':[{'names':['mount'],'action':'SCMP_ACT_NOTIFY'}]}",
      "linux.seccomp (config.json:2:1): this kernel does not support SCMP_ACT_NOTIFY" },
  };
  bool good = load ("{'defaultAction':'SCMP_ACT_ALLOW','syscalls':["
                    "{'names':['seccomp'],'action':'SCMP_ACT_ERRNO','errnoRet':22}]}")
              == 0;
  for (size_t i = 0; i < 2; i++)
    {
      const struct spec *spec = profile_spec (&arena, rows[i].text);
      struct seccomp_filter filter;
      struct error err = { 0 };
      good = good && seccomp_compile (&arena, spec, spec->linux_->seccomp, -1, &filter, &err) == -EOPNOTSUPP
             && strcmp (err.message, rows[i].message) == 0;
    }
  syscall (SYS_exit_group, good ? 0 : 1);
}

static void
test_kernel_lacks_flags (void **state)
{
  (void) state;
  run_apart (check_old_kernel);
}

/* The flags for a profile that notifies give a listener, and the call waits for it.  */
static void
test_kernel_notify (void **state)
{
  (void) state;
  int fds[2];
  assert_int_equal (socketpair (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
  pid_t pid = fork ();
  assert_true (pid >= 0);
  if (pid == 0)
    {
      int listener = load ("{'defaultAction':'SCMP_ACT_ALLOW','listenerPath':'/x','flags':["
                           "'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV','SECCOMP_FILTER_FLAG_TSYNC'],"
                           "'syscalls':[{'names':['getpriority'],'action':'SCMP_ACT_NOTIFY'}]}");
      if (listener < 0 || fd_send (fds[1], "x", 1, &listener, 1) < 0)
        _exit (254);
      fd_close (listener);
      _exit (syscall (SYS_getpriority, PRIO_PROCESS, 0) < 0 ? errno : 0);
    }

  char text;
  int listener;
  unsigned count;
  fd_close (fds[1]);
  assert_int_equal (fd_receive (fds[0], &text, 1, &listener, 1, &count), 1);
  assert_int_equal (count, 1);
  assert_int_equal (fd_wait_readable (listener, 10000), 0);
  struct seccomp_notif call = { 0 };
  assert_int_equal (ioctl (listener, SECCOMP_IOCTL_NOTIF_RECV, &call), 0);
  assert_int_equal (call.data.nr, SYS_getpriority);
  struct seccomp_notif_resp answer = { .id = call.id, .error = -97 };
  assert_int_equal (ioctl (listener, SECCOMP_IOCTL_NOTIF_SEND, &answer), 0);
  int status;
  assert_int_equal (waitpid (pid, &status, 0), pid);
  assert_true (WIFEXITED (status));
  assert_int_equal (WEXITSTATUS (status), 97);
  fd_close (listener);
  fd_close (fds[0]);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_library_missing),
    cmocka_unit_test (test_flags),
    cmocka_unit_test (test_errors),
    cmocka_unit_test (test_unknown_names_are_logged),
    cmocka_unit_test (test_version),
    cmocka_unit_test (test_kernel_actions),
    cmocka_unit_test (test_kernel_lacks_flags),
    cmocka_unit_test (test_kernel_notify),
  };
  return cmocka_run_group_tests_name ("seccomp_load", tests, NULL, NULL);
}
