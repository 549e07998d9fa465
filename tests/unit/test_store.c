/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* src/container: the state store and its locks.  */
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
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/fd.h"
#include "container/lock.h"
#include "container/store.h"

static char base[] = "/tmp/thole-test-store-XXXXXX";
static char root[sizeof base + 8];
static struct error err;

static int
set_up (void **state)
{
  (void) state;
  if (mkdtemp (base) == NULL)
    return -1;
  snprintf (root, sizeof root, "%s/a/root", base);
  return 0;
}

static int
tear_down (void **state)
{
  (void) state;
  char command[sizeof base + 16];
  snprintf (command, sizeof command, "rm -rf '%s'", base);
  return system (command);
}

static struct store
open_store (void)
{
  struct store store = STORE_INIT;
  assert_int_equal (store_open (root, true, false, &store, &err), 0);
  return store;
}

static void
test_ids (void **state)
{
  (void) state;
  static const char *const good[] = { "a", "-", "+x", "_", "0", "a.b", "web-1_2+3" };
  for (size_t i = 0; i < sizeof good / sizeof *good; i++)
    assert_int_equal (store_check_id (good[i], &err), 0);
  static const char *const bad[] = { "", ".", "..", ".a", "a/b", "/a", "a b", "a\n", "\xc3\xa4", "a:b", "*" };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    assert_int_equal (store_check_id (bad[i], &err), -EINVAL);
  assert_int_equal (store_check_id (NULL, &err), -EINVAL);

  char text[STORE_ID_MAX + 2];
  memset (text, 'a', sizeof text);
  text[STORE_ID_MAX] = '\0';
  assert_int_equal (store_check_id (text, &err), 0);
  text[STORE_ID_MAX] = 'a';
  text[STORE_ID_MAX + 1] = '\0';
  assert_int_equal (store_check_id (text, &err), -EINVAL);
  assert_non_null (strstr (err.message, "1025 bytes"));
}

static void
test_root (void **state)
{
  (void) state;
  STORE_CLEANUP struct store store = STORE_INIT;
  assert_int_equal (store_open (root, false, false, &store, &err), -ENOENT);
  assert_int_equal (store_open (root, false, true, &store, &err), 0);
  assert_int_equal (store.fd, -1);
  STORE_ENTRY_CLEANUP struct store_entry entry = STORE_ENTRY_INIT;
  assert_int_equal (store_find (&store, "a", &entry, &err), -ENOENT);

  store = open_store ();
  struct stat st;
  assert_int_equal (stat (root, &st), 0);
  assert_int_equal (st.st_mode & 07777, 0700);
}

static void
test_root_refused (void **state)
{
  (void) state;
  char path[sizeof base + 8];
  struct store store = STORE_INIT;

  snprintf (path, sizeof path, "%s/file", base);
  FD_CLEANUP int fd = open (path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  assert_true (fd >= 0);
  assert_int_equal (store_open (path, true, false, &store, &err), -ENOTDIR);

  snprintf (path, sizeof path, "%s/open", base);
  assert_int_equal (mkdir (path, 0700), 0);
  assert_int_equal (chmod (path, 0777), 0);
  assert_int_equal (store_open (path, true, false, &store, &err), -EPERM);
  assert_non_null (strstr (err.message, "written to by others (mode 0777)"));
  assert_int_equal (chmod (path, 0755), 0);
  assert_int_equal (store_open (path, true, false, &store, &err), 0);
  store_close (&store);
  if (geteuid () != 0)
    return;
  assert_int_equal (chown (path, 12345, (gid_t) -1), 0);
  assert_int_equal (store_open (path, true, false, &store, &err), -EPERM);
  assert_non_null (strstr (err.message, "belongs to user 12345"));
}

static void
test_life (void **state)
{
  (void) state;
  ARENA_CLEANUP struct arena arena = { 0 };
  STORE_CLEANUP struct store store = open_store ();
  STORE_ENTRY_CLEANUP struct store_entry made = STORE_ENTRY_INIT;
  STORE_ENTRY_CLEANUP struct store_entry found = STORE_ENTRY_INIT;
  assert_int_equal (store_create (&store, "web1", &made, &err), 0);
  assert_int_equal (store_create (&store, "web1", &found, &err), -EEXIST);
  assert_string_equal (err.message, "container with given ID already exists: web1");

  assert_int_equal (store_find (&store, "web1", &found, &err), 0);
  assert_true (store_is_busy (&found));
  store_unlock (&made);
  assert_false (store_is_busy (&found));
  bool gone = true;
  assert_int_equal (store_relock (&made, &gone, &err), 0);
  assert_false (gone);
  assert_true (store_is_busy (&found));

  char *text;
  size_t size;
  assert_int_equal (store_read (&arena, &made, STORE_CONFIG, &text, &size, NULL), -ENOENT);
  assert_int_equal (store_write (&made, STORE_CONFIG, "{}", 2, &err), 0);
  assert_int_equal (store_write (&made, STORE_CONFIG, "{}", 2, &err), -EEXIST);
  assert_int_equal (store_read (&arena, &found, STORE_CONFIG, &text, &size, &err), 0);
  assert_int_equal (size, 2);
  assert_string_equal (text, "{}");

  /* Whatever else is in the directory goes, too.  */
  assert_int_equal (store_write (&made, "junk", "x", 1, &err), 0);
  assert_int_equal (store_remove (&made, &err), 0);
  assert_int_equal (made.fd, -1);
  assert_int_equal (store_relock (&found, &gone, &err), 0);
  assert_true (gone);
  STORE_ENTRY_CLEANUP struct store_entry none = STORE_ENTRY_INIT;
  assert_int_equal (store_find (&store, "web1", &none, &err), -ENOENT);
  assert_string_equal (err.message, "container web1 does not exist");
}

static void
test_long_id (void **state)
{
  (void) state;
  char id[301];
  memset (id, 'a', sizeof id - 1);
  id[sizeof id - 1] = '\0';
  STORE_CLEANUP struct store store = open_store ();
  STORE_ENTRY_CLEANUP struct store_entry entry = STORE_ENTRY_INIT;
  assert_int_equal (store_create (&store, id, &entry, &err), -ENAMETOOLONG);
  assert_int_equal (store_find (&store, id, &entry, &err), -ENOENT);
}

static void
test_list (void **state)
{
  (void) state;
  ARENA_CLEANUP struct arena arena = { 0 };
  STORE_CLEANUP struct store store = open_store ();
  static const char *const ids[] = { "b", "a", "c" };
  for (size_t i = 0; i < 3; i++)
    {
      STORE_ENTRY_CLEANUP struct store_entry entry = STORE_ENTRY_INIT;
      assert_int_equal (store_create (&store, ids[i], &entry, &err), 0);
    }
  assert_int_equal (mkdirat (store.fd, ".cache", 0700), 0);
  FD_CLEANUP int file = openat (store.fd, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  assert_true (file >= 0);

  const char **found;
  size_t count;
  for (int again = 0; again < 2; again++)
    {
      assert_int_equal (store_list (&arena, &store, &found, &count, &err), 0);
      assert_int_equal (count, 3);
      assert_string_equal (found[0], "a");
      assert_string_equal (found[1], "b");
      assert_string_equal (found[2], "c");
    }
  struct store empty = STORE_INIT;
  assert_int_equal (store_list (&arena, &empty, &found, &count, &err), 0);
  assert_int_equal (count, 0);
}

/* A socket in a directory whose path is far longer than a socket address.  */
static void
test_socket_path (void **state)
{
  (void) state;
  char path[STORE_SOCKET_PATH_SIZE], name[201];
  memset (name, 'd', sizeof name - 1);
  name[sizeof name - 1] = '\0';
  STORE_CLEANUP struct store store = open_store ();
  STORE_ENTRY_CLEANUP struct store_entry entry = STORE_ENTRY_INIT;
  assert_int_equal (store_create (&store, name, &entry, &err), 0);
  store_socket_path (entry.fd, STORE_CONTROL, path);
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  memcpy (address.sun_path, path, sizeof path);
  FD_CLEANUP int fd = socket (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  assert_int_equal (bind (fd, (struct sockaddr *) &address, sizeof address), 0);
  assert_int_equal (faccessat (entry.fd, STORE_CONTROL, F_OK, 0), 0);
  assert_int_equal (store_remove (&entry, &err), 0);
}

/* Runs ACTION in a child that holds the lock of NAME; returns once it has it.  */
static pid_t
hold_lock (const struct store *store, const char *name, void (*action) (struct store_entry *entry))
{
  int ends[2];
  assert_int_equal (pipe2 (ends, O_CLOEXEC), 0);
  pid_t child = fork ();
  assert_true (child >= 0);
  if (child == 0)
    {
      struct store_entry entry = STORE_ENTRY_INIT;
      struct store mine = STORE_INIT;
      if (store_open (store->path, false, false, &mine, NULL) < 0 || store_lock (&mine, name, &entry, NULL) < 0)
        _exit (1);
      fd_write_all (ends[1], "!", 1);
      usleep (200 * 1000);
      action (&entry);
      _exit (0);
    }
  char ready;
  fd_close (ends[1]);
  assert_int_equal (read (ends[0], &ready, 1), 1);
  fd_close (ends[0]);
  return child;
}

static void
end_holder (pid_t child)
{
  int status;
  assert_int_equal (waitpid (child, &status, 0), child);
}

static void
let_go (struct store_entry *entry)
{
  store_entry_close (entry);
}

static void
stay (struct store_entry *entry)
{
  (void) entry;
  pause ();
}

static void delete (struct store_entry *entry)
{
  if (store_remove (entry, NULL) < 0)
    _exit (1);
}

/* Who waits for the lock gets it when the new one is there: the copy holds it until the process ends.  */
static void
make_anew (struct store_entry *entry)
{
  if (dup (entry->fd) < 0 || store_remove (entry, NULL) < 0 || mkdirat (entry->rootfd, entry->id, 0700) < 0)
    _exit (1);
}

static void
test_lock (void **state)
{
  (void) state;
  STORE_CLEANUP struct store store = open_store ();
  static const struct
  {
    void (*action) (struct store_entry *entry);
    int result;
  } cases[] = { { let_go, 0 }, { delete, -ENOENT }, { make_anew, 0 } };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    {
      {
        STORE_ENTRY_CLEANUP struct store_entry made = STORE_ENTRY_INIT;
        assert_int_equal (store_create (&store, "lock", &made, &err), 0);
      }
      pid_t child = hold_lock (&store, "lock", cases[i].action);
      STORE_ENTRY_CLEANUP struct store_entry entry = STORE_ENTRY_INIT;
      assert_int_equal (store_lock (&store, "lock", &entry, &err), cases[i].result);
      end_holder (child);
      if (cases[i].result == 0)
        {
          /* What is held is what stands at the path.  */
          struct stat held, named;
          assert_int_equal (fstat (entry.fd, &held), 0);
          assert_int_equal (fstatat (store.fd, "lock", &named, 0), 0);
          assert_int_equal (held.st_ino, named.st_ino);
          assert_int_equal (store_remove (&entry, &err), 0);
        }
    }
}

static void
test_lock_timeout (void **state)
{
  (void) state;
  STORE_CLEANUP struct store store = open_store ();
  {
    STORE_ENTRY_CLEANUP struct store_entry made = STORE_ENTRY_INIT;
    assert_int_equal (store_create (&store, "held", &made, &err), 0);
  }
  pid_t child = hold_lock (&store, "held", stay);
  STORE_ENTRY_CLEANUP struct store_entry entry = STORE_ENTRY_INIT;
  assert_int_equal (store_find (&store, "held", &entry, &err), 0);
  assert_int_equal (lock_take (entry.fd, 1, &err), -EBUSY);
  char holder[32];
  snprintf (holder, sizeof holder, "process %d (", (int) child);
  assert_non_null (strstr (err.message, holder));
  assert_non_null (strstr (err.message, "test_store"));

  /* The lock goes with its holder.  */
  assert_int_equal (kill (child, SIGKILL), 0);
  end_holder (child);
  assert_int_equal (lock_take (entry.fd, 1, &err), 0);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_ids),         cmocka_unit_test (test_root),    cmocka_unit_test (test_root_refused),
    cmocka_unit_test (test_life),        cmocka_unit_test (test_long_id), cmocka_unit_test (test_list),
    cmocka_unit_test (test_socket_path), cmocka_unit_test (test_lock),    cmocka_unit_test (test_lock_timeout),
  };
  return cmocka_run_group_tests (tests, set_up, tear_down);
}
