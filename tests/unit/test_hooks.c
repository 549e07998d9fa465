/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* src/container: hooks of the runtime namespace, as shell scripts that leave behind what they saw.  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first.  */
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "container/hooks.h"
#include "spec/spec.h"

static char bundle[] = "/tmp/thole-test-hooks-XXXXXX";
static int bundle_fd = -1;
static struct arena arena;
static struct error err;

static int
set_up (void **state)
{
  (void) state;
  if (mkdtemp (bundle) == NULL)
    return -1;
  bundle_fd = open (bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return bundle_fd < 0 ? -1 : 0;
}

static int
tear_down (void **state)
{
  (void) state;
  fd_close (bundle_fd);
  arena_free (&arena);
  char command[sizeof bundle + 16];
  snprintf (command, sizeof command, "rm -rf '%s'", bundle);
  return system (command);
}

/* The spec whose hooks.createRuntime is the JSON array HOOKS.  */
static const struct spec *
spec_with (const char *hooks)
{
  const char *text = arena_printf (&arena,
                                   "{\"ociVersion\": \"1.3.0\", \"root\": {\"path\": \"rootfs\"},\n"
                                   "\"hooks\": {\"createRuntime\": %s}}",
                                   hooks);
  const struct spec *spec;
  if (spec_decode (&arena, "config.json", text, strlen (text), &spec, &err) < 0)
    fail_msg ("%s", err.message);
  return spec;
}

static int
run (const char *hooks, const char *stdin_text)
{
  const struct spec *spec = spec_with (hooks);
  error_clear (&err);
  return hooks_run (&arena, spec, &spec->hooks->create_runtime, bundle, stdin_text, &err);
}

/* A hook that runs the shell SCRIPT, with MORE members.  */
#define SHELL(script, more) "{\"path\": \"/bin/sh\", \"args\": [\"sh\", \"-c\", \"" script "\"]" more "}"

/* What a hook wrote into FILE; "" if there is no such file.  */
static const char *
left (const char *file)
{
  char *text = arena_alloc (&arena, 4 << 20);
  if (fd_read_file_at (bundle_fd, file, text, 4 << 20) < 0)
    return "";
  unlinkat (bundle_fd, file, 0);
  return text;
}

static long long
now_ms (void)
{
  struct timespec now;
  clock_gettime (CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static void
test_surroundings (void **state)
{
  (void) state;
  /* What a hook must not inherit.  */
  sigset_t blocked, before;
  sigemptyset (&blocked);
  sigaddset (&blocked, SIGUSR1);
  sigprocmask (SIG_BLOCK, &blocked, &before);
  signal (SIGPIPE, SIG_IGN);
  FD_CLEANUP int leak = open ("/dev/null", O_RDONLY);
  assert_true (leak >= 0);

  int r = run (
      "[" SHELL (
          "cat >state; pwd -P >cwd; tr '\\\\0' '\\\\n' </proc/$$/environ >env;"
          " (ls /proc/$$/fd >list); tr '\\\\n' ' ' <list >fds;" /* a pipe or a redirection of the shell itself would
                                                                   show, too */
          " grep -E 'SigBlk|SigIgn' /proc/self/status >signals; out=$(readlink /proc/$$/fd/1); echo $out >stdout",
          ", \"env\": [\"A=1\", \"B=two words\"]") ","
                                                   "{\"path\": \"/bin/sh\", \"args\": [\"other name\", "
                                                   "\"-c\", \"echo $0 $1 >args; cat >state2\", \"x\", "
                                                   "\"y\"]}]",
      "the state");
  sigprocmask (SIG_SETMASK, &before, NULL);
  signal (SIGPIPE, SIG_DFL);
  if (r < 0)
    fail_msg ("%s", err.message);
  assert_string_equal (left ("state"), "the state");
  assert_string_equal (left ("state2"), "the state");
  assert_string_equal (left ("cwd"), arena_printf (&arena, "%s\n", bundle));
  assert_string_equal (left ("env"), "A=1\nB=two words\n");
  assert_string_equal (left ("fds"), "0 1 2 ");
  assert_string_equal (left ("signals"), "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
  assert_string_equal (left ("stdout"), "/dev/null\n");
  assert_string_equal (left ("args"), "x y\n");
}

static void
test_no_arguments (void **state)
{
  (void) state;
  assert_int_equal (run ("[{\"path\": \"/bin/true\"}]", "{}"), 0);
  assert_int_equal (run ("[]", "{}"), 0);
  /* No env is an empty environment, not ours.  */
  assert_int_equal (setenv ("THOLE_TEST", "1", 1), 0);
  assert_int_equal (run ("[" SHELL ("tr '\\\\0' '\\\\n' </proc/$$/environ >env", "") "]", "{}"), 0);
  assert_string_equal (left ("env"), "");
}

static void
test_failures (void **state)
{
  (void) state;
  assert_int_equal (
      run ("[{\"path\": \"/bin/true\"},\n  " SHELL ("echo no luck >&2; exit 3", "") "," SHELL ("touch third", "") "]",
           "{}"),
      -ECHILD);
  assert_string_equal (err.message, "hooks.createRuntime[1] (config.json:3:3): /bin/sh: exit status 3: no luck");
  assert_string_equal (left ("third"), "");
  assert_int_equal (faccessat (bundle_fd, "third", F_OK, 0), -1);

  assert_int_equal (run ("[" SHELL ("kill -9 $$", "") "]", "{}"), -ECHILD);
  assert_non_null (strstr (err.message, "/bin/sh: killed by signal 9 (SIGKILL)"));

  assert_int_equal (run ("[{\"path\": \"/does/not/exist\"}]", "{}"), -ENOENT);
  assert_non_null (strstr (err.message, "hooks.createRuntime[0] (config.json:2:29): /does/not/exist: No such file"));
  assert_string_equal (err.hint, "");
  assert_int_equal (run ("[{\"path\": \"/etc/passwd\"}]", "{}"), -EACCES);

  FD_CLEANUP int script = openat (bundle_fd, "script", O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
  assert_int_equal (fd_write_all (script, "#!/does/not/exist\n", 18), 0);
  script = fd_close (script);
  assert_int_equal (run (arena_printf (&arena, "[{\"path\": \"%s/script\"}]", bundle), "{}"), -ENOENT);
  assert_non_null (strstr (err.hint, "interpreter"));

  const struct spec *spec = spec_with ("[{\"path\": \"/bin/true\"}]");
  assert_int_equal (hooks_run (&arena, spec, &spec->hooks->create_runtime, "/does/not/exist", "{}", &err), -ENOENT);
  assert_non_null (strstr (err.message, "open the bundle"));
}

static void
test_output (void **state)
{
  (void) state;
  /* Far more than a pipe holds: it is read all along, and the end is kept.  */
  assert_int_equal (
      run ("[" SHELL ("head -c 1000000 /dev/zero | tr '\\\\0' x >&2; echo the end >&2; exit 1", "") "]", "{}"),
      -ECHILD);
  assert_true (strlen (err.message) < HOOKS_STDERR_MAX + 200);
  assert_non_null (strstr (err.message, "xxxthe end"));
  assert_null (strstr (err.message, "\n"));

  /* A state that nobody reads, larger than a pipe.  */
  char *large = arena_alloc (&arena, (1 << 20) + 1);
  memset (large, 'x', 1 << 20);
  assert_int_equal (run ("[{\"path\": \"/bin/true\"}]", large), 0);
  assert_int_equal (run ("[" SHELL ("wc -c >count", "") "]", large), 0);
  assert_string_equal (left ("count"), "1048576\n");
}

/* What a hook leaves behind may hold its standard error for ever.  */
static void
test_daemon (void **state)
{
  (void) state;
  long long before = now_ms ();
  assert_int_equal (run ("[" SHELL ("sleep 30 & echo $! >daemon", "") "]", "{}"), 0);
  assert_true (now_ms () - before < 10000);
  int pid = atoi (left ("daemon"));
  assert_true (pid > 1);
  assert_int_equal (kill (pid, SIGKILL), 0); /* it was alive */
}

static void
test_timeout (void **state)
{
  (void) state;
  /* A child, and a grandchild in a session of its own whose parent is gone.  */
  long long before = now_ms ();
  assert_int_equal (run ("[" SHELL ("sleep 60 & echo $! >child; (setsid sh -c 'echo $$ >far; exec sleep 60' &); "
                                    "echo slow >&2; wait; sleep 60",
                                    ", \"env\": [\"PATH=/bin:/usr/bin\"], \"timeout\": 1") "]",
                         "{}"),
                    -ETIMEDOUT);
  long long took = now_ms () - before;
  assert_true (took >= 1000 && took < 5000);
  assert_non_null (strstr (err.message, "/bin/sh: killed, with all that it started, after its timeout of 1 s: slow"));
  static const char *const files[] = { "child", "far" };
  for (size_t i = 0; i < 2; i++)
    {
      int pid = atoi (left (files[i]));
      assert_true (pid > 1);
      assert_int_equal (kill (pid, 0), -1);
      assert_int_equal (errno, ESRCH);
    }
}

/* Within its time a hook with a timeout is like any other.  */
static void
test_in_time (void **state)
{
  (void) state;
  assert_int_equal (
      run ("[" SHELL ("cat >state; (ls /proc/$$/fd >list); tr '\\\\n' ' ' <list >fds", ", \"timeout\": 60") "]", "{}"),
      0);
  assert_string_equal (left ("state"), "{}");
  assert_string_equal (left ("fds"), "0 1 2 ");
  assert_int_equal (run ("[" SHELL ("echo no luck >&2; exit 4", ", \"timeout\": 60") "]", "{}"), -ECHILD);
  assert_non_null (strstr (err.message, "/bin/sh: exit status 4: no luck"));
  assert_int_equal (run ("[{\"path\": \"/does/not/exist\", \"timeout\": 60}]", "{}"), -ENOENT);
  assert_int_equal (run ("[" SHELL ("sleep 30 & echo $! >daemon", ", \"timeout\": 60") "]", "{}"), 0);
  assert_int_equal (kill (atoi (left ("daemon")), SIGKILL), 0);
}

static void
test_run_all (void **state)
{
  (void) state;
  FD_CLEANUP int log = openat (bundle_fd, "log", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  log_open (log, LOG_FORMAT_TEXT, LOG_LEVEL_WARNING);
  const struct spec *spec = spec_with ("[{\"path\": \"/bin/false\"}, " SHELL ("cat >second", "") "]");
  hooks_run_all (&arena, spec, &spec->hooks->create_runtime, bundle, "stopped");
  log_open (-1, LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
  assert_string_equal (left ("second"), "stopped");
  const char *text = left ("log");
  assert_non_null (strstr (text, "level=warning"));
  assert_non_null (strstr (text, "hooks.createRuntime[0] (config.json:2:29): /bin/false: exit status 1"));
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_surroundings), cmocka_unit_test (test_no_arguments), cmocka_unit_test (test_failures),
    cmocka_unit_test (test_output),       cmocka_unit_test (test_daemon),       cmocka_unit_test (test_timeout),
    cmocka_unit_test (test_in_time),      cmocka_unit_test (test_run_all),
  };
  return cmocka_run_group_tests (tests, set_up, tear_down);
}
