/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The life of real cgroups: made, joined, removed; what was there before, what is made inside, many at once.  */
#include "cgroup_live.h"

/* ---- life ------------------------------------------------------------------------------------------------------- */

static void
placed_and_removed (void **state)
{
  (void) state;
  const char *path = own_name ("");
  assert_int_equal (count_directories (path), 0);
  struct cgroup *cgroup = create_cgroup (path, NULL);
  assert_int_equal (count_directories (path), view.host->count);
  OK (apply_all (cgroup, NULL, NULL, &view.err));
  pid_t pid = start_in (cgroup, run_for_ever);
  assert_placed (pid, path);

  const char *line = cgroup_save (&view.arena, cgroup);
  cgroup = load_again (cgroup);
  pid_t *pids;
  size_t count;
  OK (cgroup_pids (&view.arena, cgroup, &pids, &count, &view.err));
  assert_int_equal (count, 1);
  assert_int_equal (pids[0], pid);
  remove_cgroup (cgroup);
  assert_killed (pid);
  assert_int_equal (count_directories (path), 0);

  OK (cgroup_load (&view.arena, line, &cgroup, &view.err));
  remove_cgroup (cgroup); /* absent ones are no error */
}

/* A line saved before the creation finds what a crash has left, and spares what others have.  */
static void
crash_in_creation (void **state)
{
  (void) state;
  const char *path = own_name ("");
  struct cgroup *cgroup = new_cgroup (path), *found;
  const char *line = cgroup_save (&view.arena, cgroup);
  OK (cgroup_create (cgroup, NULL, NULL, &view.err));
  cgroup_close (cgroup);
  OK (cgroup_load (&view.arena, line, &found, &view.err));
  remove_cgroup (found);
  assert_int_equal (count_directories (path), 0);

  struct cgroup *others = create_cgroup (path, NULL);
  pid_t pid = start_in (others, run_for_ever);
  OK (cgroup_load (&view.arena, line, &found, &view.err));
  OK (cgroup_remove (found, true, 20, &view.err));
  cgroup_close (found);
  assert_int_equal (kill (pid, 0), 0);
  assert_placed (pid, path);
  remove_cgroup (others);
  assert_killed (pid);
}

static void
remove_without_kill (void **state)
{
  (void) state;
  const char *path = own_name ("");
  struct cgroup *cgroup = create_cgroup (path, NULL);
  pid_t pid = start_in (cgroup, run_for_ever);
  assert_int_equal (cgroup_remove (cgroup, false, 20, &view.err), -ETIMEDOUT);
  assert_non_null (strstr (view.err.message, arena_printf (&view.arena, "pid %d", (int) pid)));
  assert_non_null (strstr (view.err.message, path));
  assert_int_equal (kill (pid, 0), 0);
  remove_cgroup (cgroup);
  assert_killed (pid);
}

/* Parents that had to be made go with their last user; the ones that others use stay.  */
static void
parents (void **state)
{
  (void) state;
  const char *top = own_name (""), *first = arena_printf (&view.arena, "%s/a/b", top),
             *second = arena_printf (&view.arena, "%s/c", top);
  struct cgroup *one = create_cgroup (first, NULL), *two = create_cgroup (second, NULL);
  pid_t pid = start_in (one, run_for_ever);
  assert_placed (pid, first);
  remove_cgroup (one);
  assert_killed (pid);
  assert_int_equal (count_directories (arena_printf (&view.arena, "%s/a", top)), 0);
  assert_int_equal (count_directories (top), view.host->count);
  remove_cgroup (two);
  assert_int_equal (count_directories (second), 0);
  assert_int_equal (count_directories (top), view.host->count); /* not made for TWO */
  for (size_t i = 0; i < view.host->count; i++)
    assert_int_equal (rmdir (arena_printf (&view.arena, "%s%s", view.host->hierarchies[i].mount, top)), 0);
}

/* ---- what was there before -------------------------------------------------------------------------------------- */

static void
existing_cgroup_is_left (void **state)
{
  (void) state;
  const char *path = own_name ("");
  const char *child = arena_printf (&view.arena, "%s/others", path);
  for_each_directory (path, make_directory);
  for_each_directory (child, make_directory);
  struct cgroup *cgroup = create_cgroup (path, NULL);
  pid_t pid = start_in (cgroup, run_for_ever);
  assert_placed (pid, path);
  remove_cgroup (cgroup);
  assert_killed (pid);
  assert_int_equal (count_directories (path), view.host->count);
  for_each_directory (child, rmdir);
  for_each_directory (path, rmdir);
}

static void
occupied_cgroup_is_refused (void **state)
{
  (void) state;
  const char *path = own_name ("");
  struct cgroup *owner = create_cgroup (path, NULL);
  pid_t pid = start_in (owner, run_for_ever);

  struct cgroup *cgroup = new_cgroup (path);
  assert_int_equal (cgroup_create (cgroup, NULL, NULL, &view.err), -EBUSY);
  assert_non_null (strstr (view.err.message, "container's cgroup is not empty: 1 process(es) found"));
  OK (cgroup_remove (cgroup, true, 0, &view.err)); /* nothing of it is ours */
  OK (cgroup_kill (cgroup, SIGKILL, true, &view.err));
  cgroup_close (cgroup);
  assert_int_equal (kill (pid, 0), 0);
  assert_int_equal (count_directories (path), view.host->count);

  /* Its child is not empty either, when the process is one level below.  */
  remove_cgroup (owner);
  assert_killed (pid);
}

static void
frozen_cgroup_is_refused (void **state)
{
  (void) state;
  const char *path = own_name (""), *below = arena_printf (&view.arena, "%s/x", path);
  struct cgroup *owner = create_cgroup (path, NULL), *cgroup;
  OK (cgroup_freeze (owner, true, TIMEOUT_MS, &view.err));
  const char *const paths[] = { path, below };
  for (size_t i = 0; i < 2; i++)
    {
      cgroup = new_cgroup (paths[i]);
      assert_int_equal (cgroup_create (cgroup, NULL, NULL, &view.err), -EBUSY);
      assert_non_null (strstr (view.err.message, "container's cgroup unexpectedly frozen"));
      cgroup_close (cgroup);
    }
  assert_int_equal (count_directories (below), 0);
  remove_cgroup (owner);
}

/* One hierarchy that cannot be written: what was made in the others before is gone again.  */
static void
failed_creation_leaves_nothing (void **state)
{
  (void) state;
  const char *last = view.host->hierarchies[view.host->count - 1].mount;
  assert_int_equal (mount (last, last, NULL, MS_BIND, NULL), 0);
  assert_int_equal (mount (NULL, last, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL), 0);
  const char *top = own_name (""), *path = arena_printf (&view.arena, "%s/a/b", top);
  struct cgroup *cgroup = new_cgroup (path);
  assert_int_equal (cgroup_create (cgroup, NULL, NULL, &view.err), -EROFS);
  assert_non_null (strstr (view.err.message, last));
  assert_int_equal (count_directories (top), 0);
  cgroup_close (cgroup);
  assert_int_equal (umount (last), 0);
}

/* ---- cgroups made inside ---------------------------------------------------------------------------------------- */

static void
cgroups_inside_are_removed (void **state)
{
  (void) state;
  enum
  {
    DEPTH = 300,
    WIDTH = 20
  };
  const char *path = own_name ("");
  struct cgroup *cgroup = create_cgroup (path, NULL);
  const char *inside = path;
  for (int i = 0; i < WIDTH; i++)
    for_each_directory (arena_printf (&view.arena, "%s/wide%d", path, i), make_directory);
  for (int i = 0; i < DEPTH; i++)
    {
      inside = arena_printf (&view.arena, "%s/d", inside);
      const char *directory = cgroup_directory (cgroup, NULL);
      assert_int_equal (mkdir (arena_printf (&view.arena, "%s%s", directory, inside + strlen (path)), 0755), 0);
    }

  pid_t pid = start_in (cgroup, run_for_ever);
  const char *procs
      = arena_printf (&view.arena, "%s%s/cgroup.procs", cgroup_directory (cgroup, NULL), inside + strlen (path));
  assert_int_equal (fd_write_file_at (AT_FDCWD, procs, arena_printf (&view.arena, "%d", (int) pid)), 0);
  pid_t *pids;
  size_t count;
  OK (cgroup_pids (&view.arena, cgroup, &pids, &count, &view.err));
  assert_int_equal (count, 1);
  assert_int_equal (pids[0], pid);

  struct cgroup *other = new_cgroup (path);
  assert_int_equal (cgroup_create (other, NULL, NULL, &view.err), -EBUSY); /* not empty, far below */
  cgroup_close (other);
  remove_cgroup (cgroup);
  assert_killed (pid);
  assert_int_equal (count_directories (path), 0);
}

/* ---- many at once ----------------------------------------------------------------------------------------------- */

/* One container's life in a process of its own; 0 if all went well.  */
static int
one_life (const char *path)
{
  struct error err = { 0 };
  struct cgroup *cgroup;
  int r = cgroup_new (&view.arena, view.host, path, "x", &cgroup, &err);
  if (r == 0)
    r = cgroup_create (cgroup, NULL, NULL, &err);
  if (r == 0)
    {
      pid_t pid = fork ();
      if (pid == 0)
        run_for_ever ();
      r = cgroup_join (cgroup, pid, &err);
      if (r < 0)
        print_error ("%s: %s\n", path, err.message);
      int removed = cgroup_remove (cgroup, true, TIMEOUT_MS, &err);
      kill (pid, SIGKILL);
      waitpid (pid, NULL, 0);
      r = r < 0 ? r : removed;
    }
  if (r < 0)
    print_error ("%s: %s\n", path, err.message);
  return r < 0;
}

/* Flat, and with a parent that each makes when it is missing and removes when it is the last: two can meet there.  */
static void
many_at_once (void **state)
{
  (void) state;
  enum
  {
    COUNT = 40
  };
  const char *top = own_name ("");
  pid_t pids[COUNT];
  for (int i = 0; i < COUNT; i++)
    {
      const char *path = arena_printf (&view.arena, "%s%s%d", top, i % 2 == 0 ? "/" : "-", i);
      pids[i] = fork ();
      if (pids[i] == 0)
        _exit (one_life (path));
    }
  for (int i = 0; i < COUNT; i++)
    {
      int status;
      assert_int_equal (waitpid (pids[i], &status, 0), pids[i]);
      assert_int_equal (status, 0);
    }
  for (size_t i = 0; i < view.host->count; i++) /* its maker may have left it to others */
    rmdir (arena_printf (&view.arena, "%s%s", view.host->hierarchies[i].mount, top));
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_teardown (placed_and_removed, clean_up),
    cmocka_unit_test_teardown (crash_in_creation, clean_up),
    cmocka_unit_test_teardown (remove_without_kill, clean_up),
    cmocka_unit_test_teardown (parents, clean_up),
    cmocka_unit_test_teardown (existing_cgroup_is_left, clean_up),
    cmocka_unit_test_teardown (occupied_cgroup_is_refused, clean_up),
    cmocka_unit_test_teardown (frozen_cgroup_is_refused, clean_up),
    cmocka_unit_test_teardown (failed_creation_leaves_nothing, clean_up),
    cmocka_unit_test_teardown (cgroups_inside_are_removed, clean_up),
    cmocka_unit_test_teardown (many_at_once, clean_up),
    cmocka_unit_test_teardown (nothing_is_left, clean_up),
  };
  return run_live_tests (tests, sizeof tests / sizeof *tests);
}
