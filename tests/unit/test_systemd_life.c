/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The life of a unit, on a bus that is made up: what is called, in which order, and what becomes of the answers.  The
 * functions of systemd_bus.c are here, so that file is not linked.  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/strbuf.h"
#include "cgroup/internal.h"
#include "cgroup/systemd.h"
#include "cgroup_hosts.h"
#include "spec/spec.h"

/* What is fresh in each test.  */
static struct fixture
{
  struct arena arena;
  struct error err;
  struct strbuf calls;               /* "StartTransientUnit ResetFailedUnit " */
  struct unit_properties properties; /* of the last call that had some */
  const char *second;                /* the argument of the last call */
  pid_t pid;                         /* and what it moves */
  int answers[4], answered;          /* to calls, in order */
  int open_result, open_count;
  int asked;        /* for the manager's cgroup */
  const char *path; /* of the manager */
} f;

const bool cgroup_systemd_is_built = true;

int
systemd_bus_open (struct arena *arena, bool user, unsigned timeout_s, struct systemd_bus **ret_bus, struct error *err)
{
  (void) arena;
  (void) user;
  (void) timeout_s;
  if (f.open_result < 0)
    return error_set (err, f.open_result, "no bus");
  f.open_count++;
  *ret_bus = (struct systemd_bus *) (void *) &f;
  return 0;
}

void
systemd_bus_close (struct systemd_bus *bus)
{
  f.open_count -= bus != NULL;
}

int
systemd_bus_cgroup (struct systemd_bus *bus, const char **ret_path, struct error *err)
{
  (void) bus;
  (void) err;
  f.asked++;
  *ret_path = f.path;
  return 0;
}

int
systemd_bus_call (struct systemd_bus *bus, const struct unit_call *call, struct error *err)
{
  assert_non_null (bus);
  strbuf_printf (&f.calls, "%s ", call->method);
  if (call->properties != NULL)
    f.properties = *call->properties;
  f.second = call->second;
  f.pid = call->pid;
  int r = f.answers[f.answered++];
  if (r == 0 && call->ret_begun != NULL)
    *call->ret_begun = true;
  return r < 0 ? error_set (err, r, "refused") : 0;
}

static int
setup (void **state)
{
  (void) state;
  f = (struct fixture){ .path = "" };
  f.calls = (struct strbuf) STRBUF_INIT (&f.arena);
  return 0;
}

static int
teardown (void **state)
{
  (void) state;
  int left = f.open_count;
  arena_free (&f.arena);
  return left != 0; /* every bus was closed */
}

static struct cgroup *
make (const struct cgroup_host *host)
{
  struct cgroup *cgroup;
  assert_int_equal (cgroup_new_unit (&f.arena, host, "a.slice:thole-test:none", "x", false, 0, &cgroup, &f.err), 0);
  return cgroup;
}

static const struct unit_value *
property (const char *name)
{
  const struct unit_property *found = unit_properties_find (&f.properties, name);
  return found != NULL ? found->values : NULL;
}

static void
place (void **state)
{
  (void) state;
  f.path = "/user.slice/user-5.slice/user@5.service";
  struct cgroup *cgroup = make (&v2_host);
  assert_string_equal (cgroup_path (cgroup), "/user.slice/user-5.slice/user@5.service/a.slice/thole-test-none.scope");
  assert_string_equal (cgroup_save (&f.arena, cgroup),
                       ":system:10 .=@:? /user.slice/user-5.slice/user@5.service/a.slice/thole-test-none.scope");
  cgroup_close (cgroup);
}

/* Systemd says yes but has done nothing: we are not where we should be.  */
static void
start_that_is_checked (void **state)
{
  (void) state;
  struct cgroup *cgroup = make (&v2_host);
  assert_int_equal (cgroup_start_unit (cgroup, NULL, NULL, getpid (), &f.err), -EIO);
  assert_non_null (strstr (f.err.message, "where /a.slice/thole-test-none.scope was to be expected"));
  assert_string_equal (strbuf_text (&f.calls), "StartTransientUnit ");
  assert_int_equal (property ("PIDs")->number, getpid ());
  assert_true (cgroup->placed && cgroup->unit->begun);
}

static void
start_after_a_failure (void **state)
{
  (void) state;
  struct cgroup *cgroup = make (&v2_host);
  f.answers[0] = f.answers[2] = -UNIT_EXISTS;
  assert_int_equal (cgroup_start_unit (cgroup, NULL, NULL, getpid (), &f.err), -UNIT_EXISTS);
  assert_string_equal (strbuf_text (&f.calls), "StartTransientUnit ResetFailedUnit StartTransientUnit ");
  assert_string_equal (f.err.hint, "choose another name in linux.cgroupsPath, or stop that one: systemctl stop "
                                   "thole-test-none.scope");
  /* It is not ours: nothing of it may be touched later.  */
  assert_false (cgroup->placed);
  assert_int_equal (cgroup_remove (cgroup, true, 100, &f.err), 0);
  assert_int_equal (f.answered, 3);
}

static struct cgroup_write pids = { .file = "pids.max", .value = "7" };
static struct cgroup_write quota = { .file = "cpu.max", .value = "50000" };
static struct cgroup_write oom = { .file = "memory.oom.group", .value = "1" };

static int
change (struct cgroup *cgroup, struct cgroup_write *items, size_t count)
{
  const struct cgroup_writes writes = { .items = items, .count = count };
  return cgroup_unit_update (cgroup, &writes, &f.err);
}

static void
updates (void **state)
{
  (void) state;
  struct cgroup *cgroup;
  assert_int_equal (cgroup_load (&f.arena, ":user:5 .=@:1 /a.slice/thole-test-none.scope", &cgroup, &f.err), 0);
  struct cgroup_write both[] = { pids, quota };
  assert_int_equal (change (cgroup, both, 2), 0);
  assert_string_equal (strbuf_text (&f.calls), "SetUnitProperties ");
  assert_int_equal (property ("TasksMax")->number, 7);
  assert_int_equal (property ("CPUQuotaPerSecUSec")->number, 500000);
  assert_null (property ("CPUQuotaPeriodUSec"));
  assert_null (property ("DevicePolicy"));
  assert_int_equal (f.asked, 1); /* so it has done it */

  /* There is no property: nobody is called.  */
  assert_int_equal (change (cgroup, &oom, 1), 0);
  assert_int_equal (f.answered, 1);

  f.answers[1] = -ETIMEDOUT;
  assert_int_equal (change (cgroup, &pids, 1), -ETIMEDOUT);
}

static void
update_of_devices (void **state)
{
  (void) state;
  struct cgroup *cgroup;
  const struct spec_resources none = { 0 };
  assert_int_equal (cgroup_load (&f.arena, ":system:5 .=@:1 /a.slice/thole-test-none.scope", &cgroup, &f.err), 0);
  assert_int_equal (cgroup_unit_update_devices (cgroup, NULL, &none, &f.err), 0);
  assert_string_equal (property ("DevicePolicy")->text, "strict");
  assert_null (property ("TasksMax"));
}

/* What was there first is what holds; if systemd has refused, or there is none, there is nothing to put back.  */
static void
update_that_is_put_back (void **state)
{
  (void) state;
  struct cgroup_write before[] = { { .file = "pids.max", .value = "1" },
                                   { .file = "pids.max", .value = "2" },
                                   { .file = "cpuset.cpus", .value = "\n" } };
  const struct cgroup_writes writes = { .items = before, .count = 3 };
  static const struct
  {
    int open, answer;
    const char *calls;
  } rows[] = {
    { 0, 0, "SetUnitProperties SetUnitProperties " },
    { 0, -ETIMEDOUT, "SetUnitProperties SetUnitProperties " },
    { 0, -EACCES, "SetUnitProperties " },
    { -UNIT_NO_BUS, 0, "" },
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    {
      struct cgroup *cgroup;
      assert_int_equal (cgroup_load (&f.arena, ":user:5 .=@:1 /a.slice/thole-test-none.scope", &cgroup, &f.err), 0);
      f.calls = (struct strbuf) STRBUF_INIT (&f.arena);
      f.answered = 0;
      f.open_result = rows[i].open;
      f.answers[0] = rows[i].answer;
      assert_int_equal (change (cgroup, &pids, 1), rows[i].open < 0 ? rows[i].open : rows[i].answer);
      assert_int_equal (cgroup_unit_put_back (cgroup, &writes, &f.err), 0);
      assert_string_equal (strbuf_text (&f.calls), rows[i].calls);
      if (f.answered < 2)
        continue;
      assert_int_equal (property ("TasksMax")->number, 1);
      assert_int_equal (unit_properties_find (&f.properties, "AllowedCPUs")->count, 0);
    }
}

static void
update_without_a_unit (void **state)
{
  (void) state;
  struct cgroup *cgroup;
  assert_int_equal (cgroup_load (&f.arena, ".=@:1 /thole-test-none", &cgroup, &f.err), 0);
  assert_int_equal (change (cgroup, &pids, 1), 0);
  assert_int_equal (f.answered, 0);
}

/* Where the container's root is, or further inside.  */
static void
attaches (void **state)
{
  (void) state;
  static const struct
  {
    const char *leaf, *below;
  } rows[] = { { "", "" }, { "//a/b", "/a/b" } };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    {
      struct cgroup *cgroup;
      const char *line = arena_printf (&f.arena, ":user:5 .=@:1 /a.slice/thole-test-none.scope%s", rows[i].leaf);
      assert_int_equal (cgroup_load (&f.arena, line, &cgroup, &f.err), 0);
      assert_false (cgroup_has_births (cgroup));
      assert_int_equal (cgroup_unit_attach (cgroup, 77, &f.err), 0);
      assert_string_equal (f.second, rows[i].below);
      assert_int_equal (f.pid, 77);
    }
  assert_string_equal (strbuf_text (&f.calls), "AttachProcessesToUnit AttachProcessesToUnit ");
}

static void
stops (void **state)
{
  (void) state;
  static const struct
  {
    int open, stop, reset, result;
    const char *calls;
  } rows[] = {
    { 0, 0, 0, 0, "StopUnit ResetFailedUnit " },
    { 0, -UNIT_UNKNOWN, -UNIT_UNKNOWN, 0, "StopUnit ResetFailedUnit " },
    { 0, -ETIMEDOUT, 0, -ETIMEDOUT, "StopUnit " },
    { 0, 0, -ETIMEDOUT, -ETIMEDOUT, "StopUnit ResetFailedUnit " },
    { -UNIT_NO_BUS, 0, 0, 0, "" },
    { -ETIMEDOUT, 0, 0, -ETIMEDOUT, "" },
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    {
      struct cgroup *cgroup;
      assert_int_equal (cgroup_load (&f.arena, ":system:5 .=@:1 /thole-test-none.scope", &cgroup, &f.err), 0);
      f.calls = (struct strbuf) STRBUF_INIT (&f.arena);
      f.open_result = rows[i].open;
      f.answers[0] = rows[i].stop;
      f.answers[1] = rows[i].reset;
      f.answered = 0;
      error_clear (&f.err);
      assert_int_equal (cgroup_unit_stop (cgroup, &f.err), rows[i].result);
      assert_int_equal (f.err.code, -rows[i].result);
      assert_string_equal (strbuf_text (&f.calls), rows[i].calls);
    }
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (place, setup, teardown),
    cmocka_unit_test_setup_teardown (start_that_is_checked, setup, teardown),
    cmocka_unit_test_setup_teardown (start_after_a_failure, setup, teardown),
    cmocka_unit_test_setup_teardown (updates, setup, teardown),
    cmocka_unit_test_setup_teardown (update_of_devices, setup, teardown),
    cmocka_unit_test_setup_teardown (update_that_is_put_back, setup, teardown),
    cmocka_unit_test_setup_teardown (update_without_a_unit, setup, teardown),
    cmocka_unit_test_setup_teardown (attaches, setup, teardown),
    cmocka_unit_test_setup_teardown (stops, setup, teardown),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
