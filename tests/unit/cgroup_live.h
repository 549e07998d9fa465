/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Real cgroups for the tests of src/cgroup, in every view of the host that can be had.
 *
 * Needs root, and skips without.  On a hybrid host the tests run in three views, each in a mount namespace of its own:
 * as it is, with the v2 hierarchy covered (v1), and with it bound over /sys/fs/cgroup (v2).  Names are
 * "thole-test-PID..."; each test removes what it made, also when it fails, and a last one looks for what was left.
 *
 * A program includes this once, and its main is a call of run_live_tests.  */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/fd.h"
#include "cgroup/cgroup.h"
#include "spec/spec.h"

enum
{
  TIMEOUT_MS = 5000,
  CGROUPS_MAX = 8,
};

/* What the tests of one view share.  */
struct view
{
  struct arena arena;
  struct error err;
  const struct cgroup_host *host;
  int numbers;                         /* for names */
  struct cgroup *cgroups[CGROUPS_MAX]; /* that exist */
  size_t count;
};

static struct view view;
static pid_t main_pid;

#define OK(call)                                                                                                       \
  do                                                                                                                   \
    {                                                                                                                  \
      int r_ = (call);                                                                                                 \
      if (r_ < 0)                                                                                                      \
        fail_msg ("%s: %d: %s", #call, r_, view.err.message);                                                          \
    }                                                                                                                  \
  while (0)

/* ---- helpers ---------------------------------------------------------------------------------------------------- */

/* A name of our own, followed by MORE.  */
static inline const char *
own_name (const char *more)
{
  return arena_printf (&view.arena, "/thole-test-%d-%d%s", (int) main_pid, view.numbers++, more);
}

static inline struct cgroup *
new_cgroup (const char *path)
{
  struct cgroup *cgroup;
  OK (cgroup_new (&view.arena, view.host, path, "x", &cgroup, &view.err));
  return cgroup;
}

static inline struct cgroup *
create_cgroup (const char *path, const struct spec_resources *resources)
{
  struct cgroup *cgroup = new_cgroup (path);
  OK (cgroup_create (cgroup, NULL, resources, &view.err));
  assert_true (view.count < CGROUPS_MAX);
  view.cgroups[view.count++] = cgroup;
  return cgroup;
}

/* After each test: what a failed one has left.  */
static inline int
clean_up (void **state)
{
  (void) state;
  while (view.count > 0)
    {
      struct cgroup *cgroup = view.cgroups[--view.count];
      cgroup_remove (cgroup, true, TIMEOUT_MS, NULL);
      cgroup_close (cgroup);
    }
  while (waitpid (-1, NULL, WNOHANG) > 0)
    ;
  return 0;
}

/* Makes CGROUP again as another invocation does, that has only the line of the state.  */
static inline struct cgroup *
load_again (struct cgroup *cgroup)
{
  struct cgroup *loaded;
  OK (cgroup_load (&view.arena, cgroup_save (&view.arena, cgroup), &loaded, &view.err));
  for (size_t i = 0; i < view.count; i++)
    if (view.cgroups[i] == cgroup)
      view.cgroups[i] = loaded;
  cgroup_close (cgroup);
  return loaded;
}

/* Limits and device rules, as creating a container sets them one after the other.  */
static inline int
apply_all (struct cgroup *cgroup, const struct spec *spec, const struct spec_resources *resources, struct error *err)
{
  int r = cgroup_apply_limits (cgroup, spec, resources, err);
  return r == 0 ? cgroup_apply_rules (cgroup, spec, resources, err) : r;
}

static inline void
remove_cgroup (struct cgroup *cgroup)
{
  OK (cgroup_remove (cgroup, true, TIMEOUT_MS, &view.err));
  cgroup_close (cgroup);
  for (size_t i = 0; i < view.count; i++)
    if (view.cgroups[i] == cgroup)
      view.cgroups[i] = view.cgroups[--view.count];
}

/* How many hierarchies have PATH.  */
static inline size_t
count_directories (const char *path)
{
  size_t count = 0;
  for (size_t i = 0; i < view.host->count; i++)
    count += access (arena_printf (&view.arena, "%s%s", view.host->hierarchies[i].mount, path), F_OK) == 0;
  return count;
}

static inline const char *
read_file (const struct cgroup *cgroup, const char *controller, const char *name)
{
  static char text[4096];
  const char *path = arena_printf (&view.arena, "%s/%s", cgroup_directory (cgroup, controller), name);
  ssize_t length = fd_read_file_at (AT_FDCWD, path, text, sizeof text);
  if (length < 0)
    fail_msg ("%s: %s", path, strerror ((int) -length));
  text[strcspn (text, "\n")] = '\0';
  return text;
}

static inline bool
has_v1 (const char *controller)
{
  for (size_t i = 0; i < view.host->count; i++)
    if (!view.host->hierarchies[i].v2 && strstr (view.host->hierarchies[i].controllers, controller) != NULL)
      return true;
  return false;
}

static inline bool
has_v2 (const char *controller)
{
  return strstr (cgroup_v2_controllers (&view.arena, view.host), controller) != NULL;
}

/* Without CONTROLLER in this view a test has nothing to do, and says so.  */
static inline bool
lacks (const char *controller)
{
  if (has_v1 (controller) || has_v2 (controller))
    return false;
  print_message ("no %s controller in this view\n", controller);
  return true;
}

/* Starts a process in CGROUP that runs MAIN and ends with what it returns: born there on v2, moved on v1.  */
static inline pid_t
start_in (struct cgroup *cgroup, int (*run) (void))
{
  int go[2];
  assert_int_equal (pipe2 (go, O_CLOEXEC), 0);
  struct clone_args args = { .exit_signal = SIGCHLD };
  int fd = cgroup_clone_fd (cgroup);
  if (fd >= 0)
    {
      args.flags = CLONE_INTO_CGROUP;
      args.cgroup = (uint64_t) fd;
    }
  pid_t pid = (pid_t) syscall (SYS_clone3, &args, sizeof args);
  if (pid == 0)
    {
      char c;
      close (go[1]);
      _exit (read (go[0], &c, 1) == 0 ? run () : 99);
    }
  assert_true (pid > 0);
  if (fd >= 0)
    cgroup_cloned (cgroup);
  OK (cgroup_join (cgroup, pid, &view.err));
  close (go[0]);
  close (go[1]);
  return pid;
}

static inline _Noreturn int
run_for_ever (void)
{
  for (;;)
    pause ();
}

/* The status of PID; a hang fails the test.  */
static inline int
wait_for (pid_t pid)
{
  int status = 0;
  for (int i = 0; i < TIMEOUT_MS; i++)
    {
      pid_t r = waitpid (pid, &status, WNOHANG);
      if (r == pid)
        return status;
      assert_int_equal (r, 0);
      poll (NULL, 0, 1);
    }
  kill (pid, SIGKILL);
  fail_msg ("process %d does not end", (int) pid);
  return -1;
}

static inline void
assert_killed (pid_t pid)
{
  int status = wait_for (pid);
  assert_true (WIFSIGNALED (status));
  assert_int_equal (WTERMSIG (status), SIGKILL);
}

/* The process is in the directory in every hierarchy, as the kernel sees it.  */
static inline void
assert_placed (pid_t pid, const char *path)
{
  char text[16384];
  assert_true (fd_read_file_at (AT_FDCWD, arena_printf (&view.arena, "/proc/%d/cgroup", (int) pid), text, sizeof text)
               > 0);
  for (size_t i = 0; i < view.host->count; i++)
    {
      const struct cgroup_hierarchy *hierarchy = &view.host->hierarchies[i];
      const char *line = arena_printf (&view.arena, ":%s:%s\n", hierarchy->v2 ? "" : hierarchy->controllers, path);
      if (strstr (text, line) == NULL)
        fail_msg ("no \"%s\" in \"%s\"", line, text);
    }
}

static inline void
for_each_directory (const char *path, int (*act) (const char *path))
{
  for (size_t i = 0; i < view.host->count; i++)
    if (act (arena_printf (&view.arena, "%s%s", view.host->hierarchies[i].mount, path)) < 0)
      fail_msg ("%s%s: %s", view.host->hierarchies[i].mount, path, strerror (errno));
}

static inline int
make_directory (const char *path)
{
  return mkdir (path, 0755);
}

static atomic_ulong *counter;

static inline _Noreturn int
count_for_ever (void)
{
  for (;;)
    {
      atomic_fetch_add (counter, 1);
      poll (NULL, 0, 1);
    }
}

/* Whether the counter goes on; a busy host may take its time to let it.  */
static inline bool
counts_on (void)
{
  unsigned long before = atomic_load (counter);
  for (int i = 0; i < TIMEOUT_MS && atomic_load (counter) == before; i++)
    poll (NULL, 0, 1);
  return atomic_load (counter) != before;
}

static inline bool
stands_still (void)
{
  unsigned long before = atomic_load (counter);
  poll (NULL, 0, 30);
  return atomic_load (counter) == before;
}

/* ---- the last test ---------------------------------------------------------------------------------------------- */

static inline void
nothing_is_left (void **state)
{
  (void) state;
  const char *prefix = arena_printf (&view.arena, "thole-test-%d-", (int) main_pid);
  for (size_t i = 0; i < view.host->count; i++)
    {
      DIR *dir = opendir (view.host->hierarchies[i].mount);
      assert_non_null (dir);
      for (struct dirent *entry; (entry = readdir (dir)) != NULL;)
        if (strncmp (entry->d_name, prefix, strlen (prefix)) == 0)
          fail_msg ("%s/%s is left", view.host->hierarchies[i].mount, entry->d_name);
      closedir (dir);
    }
}

/* ---- views ------------------------------------------------------------------------------------------------------ */

static inline int
run_view (const char *name, const struct CMUnitTest *tests, size_t count)
{
  if (cgroup_probe (&view.arena, &view.host, &view.err) < 0)
    {
      print_error ("%s: %s\n", name, view.err.message);
      return 1;
    }
  if (view.host->count == 0)
    {
      print_message ("cgroup, %s: skipped: no hierarchy below " CGROUP_ROOT "\n", name);
      return 0;
    }
  print_message ("cgroup, %s: %zu hierarchies\n", name, view.host->count);
  int failed = _cmocka_run_group_tests (name, tests, count, NULL, NULL);
  arena_free (&view.arena);
  return failed != 0;
}

static inline int
as_it_is (void)
{
  return 0;
}

static inline int
cover_v2 (void)
{
  return mount ("none", CGROUP_ROOT "/unified", "tmpfs", MS_RDONLY, NULL);
}

static inline int
only_v2 (void)
{
  return mount (CGROUP_ROOT "/unified", CGROUP_ROOT, NULL, MS_BIND, NULL);
}

/* Runs the tests in a mount namespace that PREPARE has changed.  */
static inline int
in_view (const char *name, int (*prepare) (void), const struct CMUnitTest *tests, size_t count)
{
  pid_t pid = fork ();
  if (pid == 0)
    {
      if (unshare (CLONE_NEWNS) < 0 || mount (NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || prepare () < 0)
        {
          print_error ("%s: cannot make this view: %s\n", name, strerror (errno));
          _exit (1);
        }
      int failed = run_view (name, tests, count);
      fflush (NULL);
      _exit (failed);
    }
  int status;
  if (pid < 0 || waitpid (pid, &status, 0) < 0)
    return 1;
  return status != 0;
}

/* What main returns: the exit status of the program.  */
static inline int
run_live_tests (const struct CMUnitTest *tests, size_t count)
{
  enum
  {
    SKIPPED = 77 /* for automake */
  };
  if (geteuid () != 0)
    {
      print_message ("skipped: making cgroups needs root\n");
      return SKIPPED;
    }
  main_pid = getpid ();
  ARENA_CLEANUP struct arena arena = { 0 };
  struct error err;
  const struct cgroup_host *host;
  if (cgroup_probe (&arena, &host, &err) < 0)
    {
      print_error ("%s\n", err.message);
      return 1;
    }
  int failed = in_view ("host", as_it_is, tests, count);
  if (host->layout == CGROUP_HYBRID)
    {
      failed |= in_view ("v1", cover_v2, tests, count);
      failed |= in_view ("v2", only_v2, tests, count);
    }
  return failed;
}
