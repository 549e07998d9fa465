/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* src/seccomp/cache: what was compiled is found again; whatever else is in its place is compiled anew, never believed
 * and never an error.  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first.  */
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "seccomp/cache.h"
#include "seccomp_profile.h"

/* A directory of its own for each test.  */
struct fixture
{
  struct arena arena;
  char path[64];
  int fd;
};

static int
set_up (void **state)
{
  struct fixture *f = calloc (1, sizeof *f);
  strcpy (f->path, "/tmp/thole-test-seccomp-XXXXXX");
  if (mkdtemp (f->path) == NULL)
    return -1;
  f->fd = open (f->path, O_DIRECTORY | O_CLOEXEC);
  *state = f;
  return f->fd < 0 ? -1 : 0;
}

/* The entries' names are wanted by most tests.  NAME is one, or empty if there is none.  Returns the number.  */
static unsigned
list_entries (const struct fixture *f, char name[256])
{
  unsigned count = 0;
  DIR *dir = opendir (f->path);
  const struct dirent *entry;
  name[0] = '\0';
  while ((entry = readdir (dir)) != NULL)
    if (entry->d_name[0] != '.')
      {
        count++;
        strcpy (name, entry->d_name);
      }
  closedir (dir);
  return count;
}

static int
tear_down (void **state)
{
  struct fixture *f = *state;
  char name[256];
  while (list_entries (f, name) > 0)
    if (unlinkat (f->fd, name, 0) < 0 && unlinkat (f->fd, name, AT_REMOVEDIR) < 0)
      return -1;
  fd_close (f->fd);
  int r = rmdir (f->path);
  arena_free (&f->arena);
  free (f);
  return r;
}

#define PROFILE                                                                                                        \
  "{'defaultAction':'SCMP_ACT_ERRNO','syscalls':[{'names':['read','write'],'action':'SCMP_ACT_ALLOW','args':"          \
  "[{'index':1,'op':'SCMP_CMP_EQ','value':5}]}]}"

/* Compiles TEXT with the cache.  */
static const struct sock_filter *
cached (struct fixture *f, const char *text, uint32_t *ret_length)
{
  struct seccomp_filter filter;
  const struct sock_filter *program = compile (&f->arena, profile_spec (&f->arena, text), f->fd, &filter);
  *ret_length = filter.length;
  return program;
}

/* Compiles PROFILE with the cache and compares it with what comes out without.  */
static void
check_right (struct fixture *f)
{
  struct seccomp_filter filter;
  uint32_t length;
  const struct sock_filter *right = compile (&f->arena, profile_spec (&f->arena, PROFILE), -1, &filter);
  const struct sock_filter *got = cached (f, PROFILE, &length);
  assert_int_equal (length, filter.length);
  assert_memory_equal (got, right, length * sizeof *right);
}

static struct stat
stat_entry (const struct fixture *f, const char *name)
{
  struct stat st;
  assert_int_equal (fstatat (f->fd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
  return st;
}

/* Whether the entry NAME was written again.  Its time tells: the number of an inode comes back soon.  */
static bool
is_new (const struct fixture *f, const char *name, const struct stat *before)
{
  struct stat now = stat_entry (f, name);
  return now.st_ino != before->st_ino || now.st_ctim.tv_sec != before->st_ctim.tv_sec
         || now.st_ctim.tv_nsec != before->st_ctim.tv_nsec;
}

static void
test_hit (void **state)
{
  struct fixture *f = *state;
  char name[256];
  check_right (f);
  assert_int_equal (list_entries (f, name), 1);
  struct stat entry = stat_entry (f, name);
  assert_true (S_ISREG (entry.st_mode) && (entry.st_mode & 0777) == 0600 && entry.st_nlink == 1);

  check_right (f);
  assert_int_equal (list_entries (f, name), 1);
  assert_false (is_new (f, name, &entry));
}

/* Is it really the entry that is used?  One that says something else, well-formed otherwise, shows.  */
static void
test_hit_is_used (void **state)
{
  struct fixture *f = *state;
  static const struct sock_filter program[] = { BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_LOG) };
  const struct cache_blob key = { "key\0with zeros", 14 };
  struct sock_filter *found;
  uint32_t length;
  assert_int_equal (seccomp_cache_find (&f->arena, f->fd, key, &found, &length), -ENOENT);
  assert_int_equal (seccomp_cache_store (&f->arena, f->fd, key, "/bin/true", program, 1), 0);
  assert_int_equal (seccomp_cache_find (&f->arena, f->fd, key, &found, &length), 0);
  assert_int_equal (length, 1);
  assert_memory_equal (found, program, sizeof program);

  /* Another key is another entry, even one that starts the same.  */
  const struct cache_blob other = { "key\0with zerox", 14 }, shorter = { "key\0with zero", 13 };
  assert_int_equal (seccomp_cache_find (&f->arena, f->fd, other, &found, &length), -ENOENT);
  assert_int_equal (seccomp_cache_find (&f->arena, f->fd, shorter, &found, &length), -ENOENT);

  /* And even if both have one hash, that is, one file.  */
  char name[256], other_name[256];
  assert_int_equal (list_entries (f, name), 1);
  assert_int_equal (renameat (f->fd, name, f->fd, ".aside"), 0);
  assert_int_equal (seccomp_cache_store (&f->arena, f->fd, other, "/bin/true", program, 1), 0);
  assert_int_equal (list_entries (f, other_name), 1);
  assert_string_not_equal (name, other_name);
  assert_int_equal (renameat (f->fd, ".aside", f->fd, other_name), 0);
  assert_int_equal (seccomp_cache_find (&f->arena, f->fd, other, &found, &length), -ENOENT);
}

static void
test_each_profile_has_its_own (void **state)
{
  struct fixture *f = *state;
  static const char *const texts[] = {
    PROFILE,
    "{'defaultAction':'SCMP_ACT_ALLOW'}",
    "{'defaultAction':'SCMP_ACT_ERRNO'}",
    "{'defaultAction':'SCMP_ACT_ERRNO','defaultErrnoRet':2}",
    "{'defaultAction':'SCMP_ACT_ERRNO','architectures':['SCMP_ARCH_X86']}",
    "{'defaultAction':'SCMP_ACT_ERRNO','syscalls':[{'names':['read'],'action':'SCMP_ACT_ALLOW'}]}",
    "{'defaultAction':'SCMP_ACT_ERRNO','syscalls':[{'names':['read','write'],'action':'SCMP_ACT_ALLOW'}]}",
    "{'defaultAction':'SCMP_ACT_ERRNO','syscalls':[{'names':['read'],'action':'SCMP_ACT_ALLOW'},"
    "{'names':['write'],'action':'SCMP_ACT_ALLOW'}]}",
    "{'defaultAction':'SCMP_ACT_ERRNO','syscalls':[{'names':['read'],'action':'SCMP_ACT_LOG'}]}",
    "{'defaultAction':'SCMP_ACT_ERRNO','syscalls':[{'names':['read'],'action':'SCMP_ACT_ERRNO','errnoRet':9}]}",
    "{'defaultAction':'SCMP_ACT_ERRNO','syscalls':[{'names':['read'],'action':'SCMP_ACT_ALLOW','args':"
    "[{'index':0,'op':'SCMP_CMP_MASKED_EQ','value':5}]}]}",
    "{'defaultAction':'SCMP_ACT_ERRNO','syscalls':[{'names':['read'],'action':'SCMP_ACT_ALLOW','args':"
    "[{'index':0,'op':'SCMP_CMP_MASKED_EQ','value':5,'valueTwo':4}]}]}",
    "{'defaultAction':'SCMP_ACT_ERRNO','syscalls':[{'names':['read'],'action':'SCMP_ACT_ALLOW','args':"
    "[{'index':1,'op':'SCMP_CMP_MASKED_EQ','value':5,'valueTwo':4}]}]}",
    "{'defaultAction':'SCMP_ACT_ERRNO','syscalls':[{'names':['read'],'action':'SCMP_ACT_ALLOW','args':"
    "[{'index':1,'op':'SCMP_CMP_EQ','value':5,'valueTwo':4}]}]}",
  };
  char name[256];
  uint32_t length;
  for (size_t round = 0; round < 2; round++)
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
      {
        cached (f, texts[i], &length);
        assert_int_equal (list_entries (f, name), round == 0 ? i + 1 : sizeof texts / sizeof *texts);
      }
  /* The flags are no part of the program.  */
  cached (f, "{'defaultAction':'SCMP_ACT_ALLOW','flags':['SECCOMP_FILTER_FLAG_LOG']}", &length);
  assert_int_equal (list_entries (f, name), sizeof texts / sizeof *texts);
}

/* Each byte of an entry wrong, in turn, and each length too short or too long.  */
static void
test_damaged (void **state)
{
  struct fixture *f = *state;
  char name[256], good[4096], bad[4097];
  check_right (f);
  assert_int_equal (list_entries (f, name), 1);
  ssize_t size = fd_read_file_at (f->fd, name, good, sizeof good);
  assert_true (size > 100);

  for (ssize_t i = 0; i < 2 * size + 1; i++)
    {
      arena_free (&f->arena);
      ssize_t bad_size = i < size ? size : i < 2 * size ? i - size : size + 1;
      memcpy (bad, good, (size_t) size);
      bad[size] = 'x';
      if (i < size)
        bad[i] ^= (char) (1 << i % 8);
      FD_CLEANUP int fd = openat (f->fd, name, O_WRONLY | O_TRUNC | O_CLOEXEC);
      assert_int_equal (fd_write_all (fd, bad, (size_t) bad_size), 0);
      struct stat before = stat_entry (f, name);
      check_right (f);
      assert_true (is_new (f, name, &before));
      char now[4096];
      assert_int_equal (fd_read_file_at (f->fd, name, now, sizeof now), size);
      assert_memory_equal (now, good, (size_t) size);
    }
}

/* Files with the right content that somebody else could have put there or could change.  */
static void
test_not_ours_alone (void **state)
{
  struct fixture *f = *state;
  char name[256], other[256];
  check_right (f);
  assert_int_equal (list_entries (f, name), 1);

  static const mode_t modes[] = { 0620, 0602, 0666 };
  for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
    {
      assert_int_equal (fchmodat (f->fd, name, modes[i], 0), 0);
      check_right (f);
      assert_int_equal (stat_entry (f, name).st_mode & 0777, 0600);
    }

  if (geteuid () == 0)
    {
      assert_int_equal (fchownat (f->fd, name, 1000, 0, 0), 0);
      check_right (f);
      assert_int_equal (stat_entry (f, name).st_uid, 0);
    }

  assert_int_equal (linkat (f->fd, name, f->fd, "link", 0), 0);
  check_right (f);
  assert_int_equal (stat_entry (f, name).st_nlink, 1);

  /* A symlink to a right entry is not followed, to read or to write.  */
  assert_int_equal (renameat (f->fd, name, f->fd, "target"), 0);
  assert_int_equal (symlinkat ("target", f->fd, name), 0);
  struct stat target = stat_entry (f, "target");
  check_right (f);
  assert_true (S_ISREG (stat_entry (f, name).st_mode));
  assert_false (is_new (f, "target", &target));

  /* What is no file does not stop us, nor do we wait for it.  */
  assert_int_equal (unlinkat (f->fd, name, 0), 0);
  assert_int_equal (mkfifoat (f->fd, name, 0600), 0);
  check_right (f);
  assert_true (S_ISREG (stat_entry (f, name).st_mode));
  assert_int_equal (unlinkat (f->fd, name, 0), 0);
  assert_int_equal (mkdirat (f->fd, name, 0700), 0);
  check_right (f);
  check_right (f);
  assert_true (S_ISDIR (stat_entry (f, name).st_mode));
  assert_int_equal (list_entries (f, other), 3);
}

/* A new libseccomp makes new filters.  */
static void
test_other_library (void **state)
{
  struct fixture *f = *state;
  static const struct sock_filter program[] = { BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_LOG) };
  const struct cache_blob key = { "key", 3 };
  struct sock_filter *found;
  uint32_t length;
  char library[128];
  snprintf (library, sizeof library, "%s/library", f->path);
  FD_CLEANUP int fd = open (library, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  assert_int_equal (seccomp_cache_store (&f->arena, f->fd, key, library, program, 1), 0);
  assert_int_equal (seccomp_cache_find (&f->arena, f->fd, key, &found, &length), 0);
  assert_int_equal (fd_write_all (fd, "x", 1), 0);
  assert_int_equal (seccomp_cache_find (&f->arena, f->fd, key, &found, &length), -ENOENT);
  assert_int_equal (seccomp_cache_store (&f->arena, f->fd, key, library, program, 1), 0);
  assert_int_equal (seccomp_cache_find (&f->arena, f->fd, key, &found, &length), 0);
  assert_int_equal (unlink (library), 0);
  assert_int_equal (seccomp_cache_find (&f->arena, f->fd, key, &found, &length), -ENOENT);
  assert_int_equal (seccomp_cache_store (&f->arena, f->fd, key, library, program, 1), -ENOENT);
  assert_int_equal (seccomp_cache_store (&f->arena, f->fd, key, "bin/true", program, 1), -ENOENT);
}

static void
test_bounded (void **state)
{
  struct fixture *f = *state;
  static const struct sock_filter program[] = { BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_LOG) };
  static char large[CACHE_ENTRY_SIZE_MAX];
  struct sock_filter *found;
  uint32_t length;
  char name[256];
  FD_CLEANUP int bystander = openat (f->fd, "another-file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  assert_true (bystander >= 0);
  for (unsigned i = 0; i < 2 * CACHE_ENTRIES_MAX; i++)
    {
      const struct cache_blob key = { &i, sizeof i };
      assert_int_equal (seccomp_cache_store (&f->arena, f->fd, key, "/bin/true", program, 1), 0);
      assert_int_equal (seccomp_cache_find (&f->arena, f->fd, key, &found, &length), 0);
    }
  assert_int_equal (list_entries (f, name), CACHE_ENTRIES_MAX + 1);
  assert_int_equal (faccessat (f->fd, "another-file", F_OK, 0), 0);
  unsigned first = 0;
  assert_int_equal (seccomp_cache_find (&f->arena, f->fd, (struct cache_blob){ &first, sizeof first }, &found, &length),
                    -ENOENT);

  const struct cache_blob key = { large, sizeof large };
  assert_int_equal (seccomp_cache_store (&f->arena, f->fd, key, "/bin/true", program, 1), -EFBIG);
}

static unsigned
open_descriptors (void)
{
  unsigned count = 0;
  DIR *dir = opendir ("/proc/self/fd");
  while (readdir (dir) != NULL)
    count++;
  closedir (dir);
  return count;
}

/* No cache, a closed one, one that cannot be written, one without O_TMPFILE: filters all the same.  */
static void
test_useless_cache (void **state)
{
  struct fixture *f = *state;
  int right = f->fd;
  unsigned before = open_descriptors ();
  const int useless[]
      = { -1, 1000000, open ("/proc/self", O_DIRECTORY | O_CLOEXEC), open ("/dev/null", O_RDONLY | O_CLOEXEC) };
  for (size_t i = 0; i < sizeof useless / sizeof *useless; i++)
    {
      f->fd = useless[i];
      check_right (f);
    }
  fd_close (useless[2]);
  fd_close (useless[3]);
  f->fd = right;
  check_right (f);
  check_right (f);
  assert_int_equal (open_descriptors (), before);
}

/* An ordinary user has a cache, too: linking a file without a name is another call for him.  */
static void
test_unprivileged (void **state)
{
  struct fixture *f = *state;
  if (geteuid () != 0)
    skip ();
  assert_int_equal (fchown (f->fd, 1000, 1000), 0);
  pid_t pid = fork ();
  assert_true (pid >= 0);
  if (pid == 0)
    {
      const struct spec *spec = profile_spec (&f->arena, PROFILE);
      struct seccomp_filter filter;
      bool good = setgid (1000) == 0 && setuid (1000) == 0;
      for (unsigned i = 0; i < 2; i++)
        good = good && seccomp_compile (&f->arena, spec, spec->linux_->seccomp, f->fd, &filter, NULL) == 0;
      _exit (good ? 0 : 1);
    }
  int status;
  char name[256];
  assert_int_equal (waitpid (pid, &status, 0), pid);
  assert_int_equal (status, 0);
  assert_int_equal (list_entries (f, name), 1);
  assert_int_equal (stat_entry (f, name).st_uid, 1000);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (test_hit, set_up, tear_down),
    cmocka_unit_test_setup_teardown (test_hit_is_used, set_up, tear_down),
    cmocka_unit_test_setup_teardown (test_each_profile_has_its_own, set_up, tear_down),
    cmocka_unit_test_setup_teardown (test_damaged, set_up, tear_down),
    cmocka_unit_test_setup_teardown (test_not_ours_alone, set_up, tear_down),
    cmocka_unit_test_setup_teardown (test_other_library, set_up, tear_down),
    cmocka_unit_test_setup_teardown (test_bounded, set_up, tear_down),
    cmocka_unit_test_setup_teardown (test_useless_cache, set_up, tear_down),
    cmocka_unit_test_setup_teardown (test_unprivileged, set_up, tear_down),
  };
  return cmocka_run_group_tests_name ("seccomp_cache", tests, NULL, NULL);
}
