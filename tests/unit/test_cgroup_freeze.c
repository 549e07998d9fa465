/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Freezing and killing what is in real cgroups.  */
#include "cgroup_live.h"

/* ---- freezing --------------------------------------------------------------------------------------------------- */

static void
freeze_and_thaw (void **state)
{
  (void) state;
  counter = mmap (NULL, sizeof *counter, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  struct cgroup *cgroup = create_cgroup (own_name (""), NULL);
  pid_t pid = start_in (cgroup, count_for_ever);
  for (int i = 0; i < 3; i++)
    {
      assert_true (counts_on ());
      assert_false (cgroup_is_frozen (cgroup));
      OK (cgroup_freeze (cgroup, true, TIMEOUT_MS, &view.err));
      assert_true (cgroup_is_frozen (cgroup));
      assert_true (stands_still ());
      OK (cgroup_freeze (cgroup, true, TIMEOUT_MS, &view.err)); /* again is fine */
      OK (cgroup_freeze (cgroup, false, TIMEOUT_MS, &view.err));
    }
  assert_true (counts_on ());
  OK (cgroup_freeze (cgroup, true, TIMEOUT_MS, &view.err));
  remove_cgroup (cgroup); /* killed while frozen */
  assert_killed (pid);
  munmap (counter, sizeof *counter);
}

static void
below_a_frozen_parent (void **state)
{
  (void) state;
  const char *top = own_name ("");
  struct cgroup *parent = create_cgroup (top, NULL);
  struct cgroup *child = create_cgroup (arena_printf (&view.arena, "%s/x", top), NULL);
  pid_t pid = start_in (child, run_for_ever);
  OK (cgroup_freeze (parent, true, TIMEOUT_MS, &view.err));
  assert_false (cgroup_is_frozen (child)); /* its own state */
  OK (cgroup_freeze (child, true, TIMEOUT_MS, &view.err));
  assert_true (cgroup_is_frozen (child));

  struct timespec before, after;
  clock_gettime (CLOCK_MONOTONIC, &before);
  assert_int_equal (cgroup_freeze (child, false, TIMEOUT_MS, &view.err), -EBUSY);
  clock_gettime (CLOCK_MONOTONIC, &after);
  assert_true (after.tv_sec - before.tv_sec <= 1); /* at once, not at the deadline */
  assert_non_null (strstr (view.err.message, "above it is frozen"));
  assert_false (cgroup_is_frozen (child));
  OK (cgroup_freeze (parent, false, TIMEOUT_MS, &view.err));
  remove_cgroup (child);
  assert_killed (pid);
  remove_cgroup (parent);
}

/* A process that a signal ends under the freezer is not frozen for a moment, and no cgroup above it then either.  */
static void
below_a_frozen_parent_ending (void **state)
{
  (void) state;
  const char *top = own_name ("");
  struct cgroup *parent = create_cgroup (top, NULL);
  struct cgroup *child = create_cgroup (arena_printf (&view.arena, "%s/x", top), NULL);
  for (useconds_t delay = 0; delay < 500; delay += 10)
    {
      pid_t pid = start_in (child, run_for_ever);
      OK (cgroup_freeze (parent, true, TIMEOUT_MS, &view.err));
      OK (cgroup_freeze (child, true, TIMEOUT_MS, &view.err));
      assert_int_equal (kill (pid, SIGHUP), 0);
      usleep (delay);
      assert_int_equal (cgroup_freeze (child, false, TIMEOUT_MS, &view.err), -EBUSY);
      error_clear (&view.err);
      OK (cgroup_freeze (parent, false, TIMEOUT_MS, &view.err));
      wait_for (pid);
    }
  remove_cgroup (child);
  remove_cgroup (parent);
}

/* A page fault inside a system call that nobody answers (userfaultfd(2)): only SIGKILL takes the process out of the
 * kernel.  Returns when that is not possible here.  */
static int
stay_in_page_fault (void)
{
  int fd = (int) syscall (SYS_userfaultfd, O_CLOEXEC), end[2];
  struct uffdio_api api = { .api = UFFD_API };
  char *page = mmap (NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  struct uffdio_register range = { .range = { (uintptr_t) page, 4096 }, .mode = UFFDIO_REGISTER_MODE_MISSING };
  if (fd < 0 || ioctl (fd, UFFDIO_API, &api) < 0 || ioctl (fd, UFFDIO_REGISTER, &range) < 0 || pipe (end) < 0)
    return 1;
  return write (end[1], page, 1) == 1 ? 2 : 3;
}

/* Whether PID gets to where it waits in the kernel, rather than ending.  */
static bool
is_stuck (pid_t pid)
{
  for (int i = 0; i < TIMEOUT_MS; i++)
    {
      char text[64] = "";
      fd_read_file_at (AT_FDCWD, arena_printf (&view.arena, "/proc/%d/wchan", (int) pid), text, sizeof text);
      if (strcmp (text, "handle_userfault") == 0)
        return true;
      siginfo_t ended = { 0 };
      assert_int_equal (waitid (P_PID, (id_t) pid, &ended, WEXITED | WNOHANG | WNOWAIT), 0);
      if (ended.si_pid != 0)
        return false;
      poll (NULL, 0, 1);
    }
  return false;
}

static void
freezing_gives_up (void **state)
{
  (void) state;
  counter = mmap (NULL, sizeof *counter, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  struct cgroup *cgroup = create_cgroup (own_name (""), NULL);
  pid_t stuck = start_in (cgroup, stay_in_page_fault), counting = start_in (cgroup, count_for_ever);
  if (is_stuck (stuck))
    {
      assert_int_equal (cgroup_freeze (cgroup, true, 50, &view.err), -ETIMEDOUT);
      assert_non_null (strstr (view.err.message, "did not freeze within 50 ms"));
      assert_false (cgroup_is_frozen (cgroup));
      assert_true (counts_on ()); /* thawed again */
    }
  else
    print_message ("no userfaultfd for the kernel's own faults: nothing here resists freezing\n");
  remove_cgroup (cgroup);
  wait_for (stuck);
  assert_killed (counting);
  munmap (counter, sizeof *counter);
}

/* ---- signals ---------------------------------------------------------------------------------------------------- */

static _Noreturn int
fork_for_ever (void)
{
  signal (SIGCHLD, SIG_IGN);
  for (;;)
    if (fork () == 0)
      poll (NULL, 0, 2);
}

static void
fork_bomb_is_killed (void **state)
{
  (void) state;
  if (lacks ("pids")) /* then it would not be bounded */
    return;
  struct spec_pids pids = { .limit = { true, 50 } };
  struct spec_resources resources = { .pids = &pids };
  struct cgroup *cgroup = create_cgroup (own_name (""), &resources);
  OK (apply_all (cgroup, NULL, &resources, &view.err));
  pid_t pid = start_in (cgroup, fork_for_ever);
  poll (NULL, 0, 50);
  OK (cgroup_kill (cgroup, SIGKILL, true, &view.err));
  assert_killed (pid);
  remove_cgroup (cgroup);
}

/* Kernels before 5.14 have no cgroup.kill: here it cannot be written.  */
static void
kill_without_cgroup_kill (void **state)
{
  (void) state;
  struct cgroup *cgroup = create_cgroup (own_name (""), NULL);
  const char *file = arena_printf (&view.arena, "%s/cgroup.kill", cgroup_directory (cgroup, NULL));
  bool covered = access (file, F_OK) == 0;
  if (covered)
    {
      assert_int_equal (mount (file, file, NULL, MS_BIND, NULL), 0);
      assert_int_equal (mount (NULL, file, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL), 0);
      assert_int_equal (fd_write_file_at (AT_FDCWD, file, "1"), -EROFS);
    }
  pid_t one = start_in (cgroup, run_for_ever), two = start_in (cgroup, run_for_ever);
  OK (cgroup_kill (cgroup, SIGKILL, true, &view.err));
  assert_killed (one);
  assert_killed (two);
  pid_t frozen = start_in (cgroup, run_for_ever);
  OK (cgroup_freeze (cgroup, true, TIMEOUT_MS, &view.err));
  OK (cgroup_kill (cgroup, SIGKILL, true, &view.err));
  assert_killed (frozen);
  if (covered)
    assert_int_equal (umount (file), 0);
  remove_cgroup (cgroup);
}

/* Joined in one hierarchy alone, as when a start is cut short: it is found there.  */
static void
strays_are_killed (void **state)
{
  (void) state;
  const char *path = own_name ("");
  struct cgroup *cgroup = create_cgroup (path, NULL);
  pid_t pid = fork ();
  if (pid == 0)
    run_for_ever ();
  const char *procs = arena_printf (&view.arena, "%s%s/cgroup.procs", view.host->hierarchies[0].mount, path);
  assert_int_equal (fd_write_file_at (AT_FDCWD, procs, arena_printf (&view.arena, "%d", (int) pid)), 0);
  remove_cgroup (cgroup);
  assert_killed (pid);
  assert_int_equal (count_directories (path), 0);
}

/* On hybrid hosts another tool may have frozen it with v1, in which nothing dies.  */
static void
frozen_by_others_is_killed (void **state)
{
  (void) state;
  if (!has_v1 ("freezer"))
    {
      print_message ("no v1 freezer in this view\n");
      return;
    }
  struct cgroup *cgroup = create_cgroup (own_name (""), NULL);
  pid_t pid = start_in (cgroup, run_for_ever);
  const char *file = arena_printf (&view.arena, "%s/freezer.state", cgroup_directory (cgroup, "freezer"));
  assert_int_equal (fd_write_file_at (AT_FDCWD, file, "FROZEN"), 0);
  remove_cgroup (cgroup);
  assert_killed (pid);
}

static void
other_signals (void **state)
{
  (void) state;
  struct cgroup *cgroup = create_cgroup (own_name (""), NULL);
  pid_t one = start_in (cgroup, run_for_ever), two = start_in (cgroup, run_for_ever);
  OK (cgroup_kill (cgroup, 0, true, &view.err));
  OK (cgroup_kill (cgroup, SIGTERM, true, &view.err));
  assert_int_equal (WTERMSIG (wait_for (one)), SIGTERM);
  assert_int_equal (WTERMSIG (wait_for (two)), SIGTERM);
  OK (cgroup_kill (cgroup, SIGTERM, true, &view.err)); /* of no process */
  remove_cgroup (cgroup);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_teardown (freeze_and_thaw, clean_up),
    cmocka_unit_test_teardown (below_a_frozen_parent, clean_up),
    cmocka_unit_test_teardown (below_a_frozen_parent_ending, clean_up),
    cmocka_unit_test_teardown (freezing_gives_up, clean_up),
    cmocka_unit_test_teardown (fork_bomb_is_killed, clean_up),
    cmocka_unit_test_teardown (kill_without_cgroup_kill, clean_up),
    cmocka_unit_test_teardown (strays_are_killed, clean_up),
    cmocka_unit_test_teardown (frozen_by_others_is_killed, clean_up),
    cmocka_unit_test_teardown (other_signals, clean_up),
    cmocka_unit_test_teardown (nothing_is_left, clean_up),
  };
  return run_live_tests (tests, sizeof tests / sizeof *tests);
}
