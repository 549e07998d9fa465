/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* src/container: the record of a container and what follows from it.  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first.  */
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/strbuf.h"
#include "container/state.h"
#include "container/store.h"

static char root[] = "/tmp/thole-test-state-XXXXXX";
static struct store store = STORE_INIT;
static struct error err;

static struct spec_pair pairs[] = { { "key", "value" }, { "other \"key\"", "" } };

static int
set_up (void **state)
{
  (void) state;
  return mkdtemp (root) == NULL || store_open (root, false, false, &store, &err) < 0 ? -1 : 0;
}

static int
tear_down (void **state)
{
  (void) state;
  store_close (&store);
  char command[sizeof root + 16];
  snprintf (command, sizeof command, "rm -rf '%s'", root);
  return system (command);
}

static struct container_state
example (void)
{
  return (struct container_state){
    .oci_version = "1.3.0",
    .id = "web1",
    .bundle = "/srv/web \"1\"",
    .rootfs = "/srv/web/rootfs",
    .config = "/srv/web/config.json",
    .created = "2026-02-03T04:05:06.000000789Z",
    .owner = 0,
    .cgroup = "unified=@:1 /web1",
    .rdt = { .group = "/sys/fs/resctrl/web1", .monitor = "/sys/fs/resctrl/web1/mon_groups/web1" },
    .process = true,
    .terminal = true,
    .notify = true,
    .poststart = true,
    .start_timeout = 12,
    .last_op = 34,
    .annotations = { pairs, 2 },
  };
}

/* Makes container NAME with the record STATE; *RET_FD as state_begin gives it.  */
static void
make (struct arena *arena, const char *name, const struct container_state *state, struct store_entry *ret_entry,
      int *ret_fd)
{
  assert_int_equal (store_create (&store, name, ret_entry, &err), 0);
  assert_int_equal (state_begin (arena, ret_entry, state, ret_fd, &err), 0);
}

static void
assert_same_text (const char *a, const char *b)
{
  if (b == NULL)
    assert_null (a);
  else
    assert_string_equal (a, b);
}

static void
assert_same (const struct container_state *a, const struct container_state *b)
{
  assert_string_equal (a->oci_version, b->oci_version);
  assert_string_equal (a->id, b->id);
  assert_int_equal (a->pid, b->pid);
  assert_int_equal (a->pid_start, b->pid_start);
  assert_string_equal (a->bundle, b->bundle);
  assert_string_equal (a->rootfs, b->rootfs);
  assert_string_equal (a->config, b->config);
  assert_string_equal (a->created, b->created);
  assert_int_equal (a->owner, b->owner);
  assert_same_text (a->cgroup, b->cgroup);
  assert_same_text (a->rdt.group, b->rdt.group);
  assert_same_text (a->rdt.monitor, b->rdt.monitor);
  assert_int_equal (a->process, b->process);
  assert_int_equal (a->terminal, b->terminal);
  assert_int_equal (a->notify, b->notify);
  assert_int_equal (a->poststart, b->poststart);
  assert_int_equal (a->poststop, b->poststop);
  assert_int_equal (a->start_timeout, b->start_timeout);
  assert_int_equal (a->last_op, b->last_op);
  assert_int_equal (a->annotations.count, b->annotations.count);
  for (size_t i = 0; i < a->annotations.count; i++)
    {
      assert_string_equal (a->annotations.items[i].key, b->annotations.items[i].key);
      assert_string_equal (a->annotations.items[i].value, b->annotations.items[i].value);
    }
}

static void
test_record (void **state)
{
  (void) state;
  ARENA_CLEANUP struct arena arena = { 0 };
  STORE_ENTRY_CLEANUP struct store_entry entry = STORE_ENTRY_INIT;
  struct container_state written = example (), read;
  FD_CLEANUP int fd = -1;
  bool created = true;
  make (&arena, "web1", &written, &entry, &fd);
  assert_int_equal (state_read (&arena, &entry, &read, &created, &err), 0);
  assert_false (created);
  assert_same (&read, &written);

  /* Longer, then shorter than before.  */
  written.pid = 4194304;
  written.pid_start = UINT64_MAX;
  written.owner = UINT32_MAX - 1;
  assert_int_equal (state_update (&arena, fd, &written, &err), 0);
  assert_int_equal (state_read (&arena, &entry, &read, NULL, &err), 0);
  assert_same (&read, &written);
  written.cgroup = NULL;
  written.rdt.group = NULL;
  written.annotations.count = 0;
  assert_int_equal (state_update (&arena, fd, &written, &err), 0);
  assert_int_equal (state_commit (&entry, &err), 0);
  assert_int_equal (state_read (&arena, &entry, &read, &created, &err), 0);
  assert_true (created);
  assert_same (&read, &written);
  assert_int_equal (faccessat (entry.fd, STORE_STATE_NEW, F_OK, 0), -1);
}

static void
test_unreadable (void **state)
{
  (void) state;
  ARENA_CLEANUP struct arena arena = { 0 };
  STORE_ENTRY_CLEANUP struct store_entry entry = STORE_ENTRY_INIT;
  struct container_state read;
  assert_int_equal (store_create (&store, "half", &entry, &err), 0);

  /* Somebody is making it: nothing to remark.  */
  STORE_ENTRY_CLEANUP struct store_entry other = STORE_ENTRY_INIT;
  assert_int_equal (store_find (&store, "half", &other, &err), 0);
  assert_int_equal (state_read (&arena, &other, &read, NULL, &err), -ENOENT);
  assert_string_equal (err.message, "container half does not exist");
  assert_string_equal (err.hint, "");
  /* Nobody is any more.  */
  store_unlock (&entry);
  assert_int_equal (state_read (&arena, &other, &read, NULL, &err), -ENOENT);
  assert_non_null (strstr (err.hint, "thole delete --force half"));

  /* A record that is being written is not there yet; one that is broken is an error.  */
  assert_int_equal (store_write (&entry, STORE_STATE_NEW, "{\"id\":", 6, &err), 0);
  assert_int_equal (state_read (&arena, &entry, &read, NULL, &err), -ENOENT);
  assert_int_equal (state_commit (&entry, &err), 0);
  assert_int_equal (state_read (&arena, &entry, &read, NULL, &err), -EINVAL);
  assert_non_null (strstr (err.message, "state.json of container half:1:"));
  assert_non_null (strstr (err.hint, "delete --force"));
}

/* A child that lives until its standard input is closed.  */
static pid_t
make_child (int *ret_end)
{
  int ends[2];
  assert_int_equal (pipe2 (ends, O_CLOEXEC), 0);
  pid_t child = fork ();
  assert_true (child >= 0);
  if (child == 0)
    {
      char c;
      fd_close (ends[1]);
      _exit (read (ends[0], &c, 1) == 0 ? 0 : 1);
    }
  fd_close (ends[0]);
  *ret_end = ends[1];
  return child;
}

/* Waits until CHILD is a zombie, and leaves it so.  */
static void
end_child (pid_t child, int *end)
{
  siginfo_t info;
  *end = fd_close (*end);
  assert_int_equal (waitid (P_PID, (id_t) child, &info, WEXITED | WNOWAIT), 0);
}

static void
test_process (void **state)
{
  (void) state;
  int end;
  pid_t child = make_child (&end);
  struct container_state container = example ();
  FD_CLEANUP int pidfd = 1000;
  assert_int_equal (state_open_process (&container, &pidfd, &err), 0);
  assert_int_equal (pidfd, -1); /* pid 0: none */

  container.pid = child;
  assert_int_equal (state_pid_start (child, &container.pid_start), 0);
  assert_true (container.pid_start > 0);
  assert_int_equal (state_open_process (&container, &pidfd, &err), 0);
  assert_true (pidfd >= 0);
  assert_int_equal (fd_wait_readable (pidfd, 0), -ETIMEDOUT);
  pidfd = fd_close (pidfd);

  container.pid_start++; /* somebody else has the number now */
  assert_int_equal (state_open_process (&container, &pidfd, &err), 0);
  assert_int_equal (pidfd, -1);
  container.pid_start--;

  end_child (child, &end);
  uint64_t start;
  assert_int_equal (state_pid_start (child, &start), -ESRCH);
  assert_int_equal (state_open_process (&container, &pidfd, &err), 0);
  assert_int_equal (pidfd, -1);
  assert_int_equal (waitpid (child, NULL, 0), child);
  assert_int_equal (state_pid_start (child, &start), -ESRCH);
  assert_int_equal (state_open_process (&container, &pidfd, &err), 0);
  assert_int_equal (pidfd, -1);
}

static void
test_status (void **state)
{
  (void) state;
  ARENA_CLEANUP struct arena arena = { 0 };
  STORE_ENTRY_CLEANUP struct store_entry entry = STORE_ENTRY_INIT;
  STORE_ENTRY_CLEANUP struct store_entry seen = STORE_ENTRY_INIT;
  int end;
  pid_t child = make_child (&end);
  struct container_state container = example ();
  container.cgroup = NULL;
  container.pid = child;
  assert_int_equal (state_pid_start (child, &container.pid_start), 0);
  assert_int_equal (store_create (&store, "status", &entry, &err), 0);
  assert_int_equal (store_find (&store, "status", &seen, &err), 0);

  assert_int_equal (state_status (&arena, &seen, &container, false), THOLE_CREATING);
  store_unlock (&entry);
  assert_int_equal (state_status (&arena, &seen, &container, false), THOLE_STOPPED);
  assert_int_equal (store_write (&entry, STORE_CONTROL, "", 0, &err), 0);
  assert_int_equal (state_status (&arena, &seen, &container, true), THOLE_CREATED);
  assert_int_equal (unlinkat (entry.fd, STORE_CONTROL, 0), 0);
  assert_int_equal (state_status (&arena, &seen, &container, true), THOLE_RUNNING);
  end_child (child, &end);
  assert_int_equal (state_status (&arena, &seen, &container, true), THOLE_STOPPED);
  assert_int_equal (waitpid (child, NULL, 0), child);
  assert_int_equal (state_status (&arena, &seen, &container, true), THOLE_STOPPED);
}

static void
test_json (void **state)
{
  (void) state;
  ARENA_CLEANUP struct arena arena = { 0 };
  struct container_state container = example ();
  assert_string_equal (state_hook_json (&arena, &container, THOLE_CREATING, 7),
                       "{\"ociVersion\":\"1.3.0\",\"id\":\"web1\",\"status\":\"creating\",\"pid\":7,"
                       "\"bundle\":\"/srv/web \\\"1\\\"\","
                       "\"annotations\":{\"key\":\"value\",\"other \\\"key\\\"\":\"\"}}");
  container.annotations.count = 0;
  assert_string_equal (state_hook_json (&arena, &container, THOLE_STOPPED, 0),
                       "{\"ociVersion\":\"1.3.0\",\"id\":\"web1\",\"status\":\"stopped\","
                       "\"bundle\":\"/srv/web \\\"1\\\"\"}");

  container.pid = 42;
  struct strbuf out = STRBUF_INIT (&arena);
  struct json_writer w = { .out = &out };
  state_write_json (&w, &arena, &container, THOLE_RUNNING);
  assert_string_equal (strbuf_text (&out),
                       "{\"ociVersion\":\"1.3.0\",\"id\":\"web1\",\"pid\":42,\"status\":\"running\","
                       "\"bundle\":\"/srv/web \\\"1\\\"\",\"rootfs\":\"/srv/web/rootfs\","
                       "\"created\":\"2026-02-03T04:05:06.000000789Z\",\"owner\":\"root\"}");
  struct strbuf stopped = STRBUF_INIT (&arena);
  w = (struct json_writer){ .out = &stopped };
  state_write_json (&w, &arena, &container, THOLE_STOPPED);
  assert_non_null (strstr (strbuf_text (&stopped), "\"pid\":0,\"status\":\"stopped\""));
}

static void
test_owner (void **state)
{
  (void) state;
  ARENA_CLEANUP struct arena arena = { 0 };
  assert_string_equal (state_owner_name (&arena, 0), "root");
  assert_string_equal (state_owner_name (&arena, 4000000000u), "#4000000000");
}

static void
test_from_spec (void **state)
{
  (void) state;
  struct spec_process process = { .terminal = { true, true } };
  struct spec_hook quick[] = { { .timeout = { true, 3 } }, { .timeout = { true, 4 } } };
  struct spec_hooks hooks = { .start_container = { quick, 2 }, .poststop = { quick, 1 } };
  struct spec spec = { .oci_version = "1.1.0", .process = &process, .annotations = { pairs, 1 } };
  struct container_state container = { 0 };

  state_from_spec (&container, &spec);
  assert_string_equal (container.oci_version, "1.1.0");
  assert_true (container.process);
  assert_true (container.terminal);
  assert_false (container.poststart);
  assert_false (container.poststop);
  assert_int_equal (container.annotations.count, 1);
  uint32_t alone = container.start_timeout;
  assert_true (alone > 0);

  spec.hooks = &hooks;
  state_from_spec (&container, &spec);
  assert_false (container.poststart);
  assert_true (container.poststop);
  assert_int_equal (container.start_timeout, alone + 7);
  quick[1].timeout.set = false;
  state_from_spec (&container, &spec);
  assert_int_equal (container.start_timeout, 0);
  quick[1].timeout = (struct spec_int){ true, INT32_MAX };
  state_from_spec (&container, &spec);
  assert_true (container.start_timeout <= INT32_MAX / 1000);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_record),    cmocka_unit_test (test_unreadable), cmocka_unit_test (test_process),
    cmocka_unit_test (test_status),    cmocka_unit_test (test_json),       cmocka_unit_test (test_owner),
    cmocka_unit_test (test_from_spec),
  };
  return cmocka_run_group_tests (tests, set_up, tear_down);
}
