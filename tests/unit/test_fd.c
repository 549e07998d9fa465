/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* src/base: descriptors and system-call wrappers.  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first.  */
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/syscalls.h"

static char directory[] = "/tmp/thole-test-fd-XXXXXX";
static int dirfd_ = -1;

static int
set_up (void **state)
{
  (void) state;
  signal (SIGPIPE, SIG_IGN);
  if (mkdtemp (directory) == NULL)
    return -1;
  dirfd_ = open (directory, O_DIRECTORY | O_CLOEXEC);
  return dirfd_ < 0 ? -1 : 0;
}

static int
tear_down (void **state)
{
  (void) state;
  static const char *const names[] = { "file", "link", "sub/file" };
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    unlinkat (dirfd_, names[i], 0);
  unlinkat (dirfd_, "sub", AT_REMOVEDIR);
  fd_close (dirfd_);
  return rmdir (directory);
}

static unsigned
open_descriptors (void)
{
  unsigned count = 0;
  DIR *dir = opendir ("/proc/self/fd");
  assert_non_null (dir);
  while (readdir (dir) != NULL)
    count++;
  closedir (dir);
  return count;
}

static void
make_file (const char *name, const char *text)
{
  FD_CLEANUP int fd = openat (dirfd_, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  assert_true (fd >= 0);
  assert_int_equal (fd_write_all (fd, text, strlen (text)), 0);
}

static void
test_ownership (void **state)
{
  (void) state;
  unsigned before = open_descriptors ();
  int kept;
  {
    FD_CLEANUP int fd = dup (0), none = -1;
    FD_CLEANUP int other = dup (0);
    assert_true (fd >= 0 && none == -1);
    kept = fd_take (&other);
    assert_int_equal (other, -1);
    errno = ENOTTY;
    assert_int_equal (fd_close (-1), -1);
  }
  assert_int_equal (errno, ENOTTY);
  assert_int_equal (open_descriptors (), before + 1);
  assert_int_equal (fd_close (kept), -1);
  fd_close (kept); /* EBADF, and errno stays */
  assert_int_equal (errno, ENOTTY);
  assert_int_equal (open_descriptors (), before);
}

static void
test_files (void **state)
{
  (void) state;
  char buffer[16];
  make_file ("file", "0123456789");
  assert_int_equal (fd_read_file_at (dirfd_, "file", buffer, sizeof buffer), 10);
  assert_string_equal (buffer, "0123456789");
  assert_int_equal (fd_read_file_at (dirfd_, "file", buffer, 11), 10);
  assert_int_equal (fd_read_file_at (dirfd_, "file", buffer, 10), -EFBIG);
  assert_int_equal (fd_read_file_at (dirfd_, "file", buffer, 0), -EFBIG);
  assert_int_equal (fd_read_file_at (dirfd_, "none", buffer, sizeof buffer), -ENOENT);
  assert_int_equal (fd_read_file_at (dirfd_, ".", buffer, sizeof buffer), -EISDIR);

  assert_int_equal (symlinkat ("file", dirfd_, "link"), 0);
  assert_int_equal (fd_read_file_at (dirfd_, "link", buffer, sizeof buffer), -ELOOP);
  assert_int_equal (fd_write_file_at (dirfd_, "link", "x"), -ELOOP);
  assert_int_equal (fd_write_file_at (dirfd_, "none", "x"), -ENOENT);
  assert_int_equal (fd_write_file_at (dirfd_, "file", "abc"), 0);
  assert_int_equal (fd_read_file_at (dirfd_, "file", buffer, sizeof buffer), 10);
  assert_string_equal (buffer, "abc3456789");
  assert_int_equal (fd_write_file_at (AT_FDCWD, "/dev/full", "abc"), -ENOSPC);
}

static void
test_read_all (void **state)
{
  (void) state;
  char buffer[8];
  make_file ("file", "01234567");
  int fd = openat (dirfd_, "file", O_RDONLY | O_CLOEXEC);
  assert_int_equal (fd_read_all (fd, buffer, sizeof buffer), 8);
  assert_memory_equal (buffer, "01234567", 8);
  assert_int_equal (fd_read_all (fd, buffer, sizeof buffer), 0);
  lseek (fd, 0, SEEK_SET);
  assert_int_equal (fd_read_all (fd, buffer, 7), -EFBIG);
  fd_close (fd);
  assert_int_equal (fd_read_all (-1, buffer, sizeof buffer), -EBADF);
}

static void
on_alarm (int sig)
{
  (void) sig;
}

/* Signals every millisecond, without SA_RESTART.  */
static void
start_alarms (void)
{
  struct sigaction action = { .sa_handler = on_alarm };
  struct itimerval often = { { 0, 1000 }, { 0, 1000 } };
  sigaction (SIGALRM, &action, NULL);
  setitimer (ITIMER_REAL, &often, NULL);
}

static void
stop_alarms (void)
{
  struct itimerval never = { 0 };
  setitimer (ITIMER_REAL, &never, NULL);
  signal (SIGALRM, SIG_DFL);
}

enum
{
  MUCH = 3 * 1024 * 1024
};

/* Reads slowly and in odd pieces; returns the number of bytes that were as sent.  */
static void *
slow_reader (void *arg)
{
  int fd = *(int *) arg;
  sigset_t all;
  sigfillset (&all);
  pthread_sigmask (SIG_BLOCK, &all, NULL);
  unsigned char piece[70001];
  size_t good = 0;
  ssize_t got;
  while ((got = read (fd, piece, sizeof piece)) > 0)
    {
      for (ssize_t i = 0; i < got; i++)
        good += piece[i] == (unsigned char) ((good * 7) & 0xff);
      usleep (500);
    }
  return (void *) (uintptr_t) good;
}

/* Short writes and EINTR, on a pipe and (with a descriptor) on a stream socket.  */
static void
test_write_all_interrupted (void **state)
{
  (void) state;
  unsigned char *data = malloc (MUCH);
  for (size_t i = 0; i < MUCH; i++)
    data[i] = (unsigned char) ((i * 7) & 0xff);

  for (int stream = 0; stream < 2; stream++)
    {
      int fds[2];
      pthread_t reader;
      void *good;
      assert_int_equal (stream ? socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) : pipe2 (fds, O_CLOEXEC), 0);
      pthread_create (&reader, NULL, slow_reader, &fds[0]);
      start_alarms ();
      assert_int_equal (stream ? fd_send (fds[1], data, MUCH, &fds[1], 1) : fd_write_all (fds[1], data, MUCH), 0);
      stop_alarms ();
      fd_close (fds[1]);
      pthread_join (reader, &good);
      assert_int_equal ((uintptr_t) good, MUCH);
      fd_close (fds[0]);
    }
  free (data);
}

static void
test_write_errors (void **state)
{
  (void) state;
  int fds[2];
  assert_int_equal (pipe2 (fds, O_CLOEXEC), 0);
  fd_close (fds[0]);
  assert_int_equal (fd_write_all (fds[1], "x", 1), -EPIPE);
  assert_int_equal (fd_write_all (fds[1], "x", 0), 0);
  fd_close (fds[1]);
  assert_int_equal (fd_write_all (fds[1], "x", 1), -EBADF);

  /* Sending to a dead peer is an error and never a signal, whatever the disposition.  */
  signal (SIGPIPE, SIG_DFL);
  assert_int_equal (socketpair (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
  fd_close (fds[0]);
  assert_int_equal (fd_send (fds[1], "x", 1, NULL, 0), -EPIPE);
  signal (SIGPIPE, SIG_IGN);
  fd_close (fds[1]);
}

static void
test_send_receive (void **state)
{
  (void) state;
  unsigned before = open_descriptors (), count = 99;
  char text[16];
  int fds[2], got[4] = { -1, -1, -1, -1 };
  assert_int_equal (socketpair (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);

  /* Exactly as many as wanted; they are the same files, and close-on-exec.  */
  assert_int_equal (fd_send (fds[0], "ab", 2, (int[]){ dirfd_, fds[0] }, 2), 0);
  assert_int_equal (fd_receive (fds[1], text, sizeof text, got, 4, &count), 2);
  assert_memory_equal (text, "ab", 2);
  assert_int_equal (count, 2);
  struct stat a, b;
  assert_true (fstat (dirfd_, &a) == 0 && fstat (got[0], &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev);
  assert_int_equal (fcntl (got[0], F_GETFD), FD_CLOEXEC);
  assert_int_equal (got[2], -1);
  fd_close (got[0]);
  fd_close (got[1]);

  /* Surplus ones are closed: fewer wanted, none wanted.  */
  assert_int_equal (fd_send (fds[0], "c", 1, (int[]){ dirfd_, dirfd_, dirfd_ }, 3), 0);
  assert_int_equal (fd_receive (fds[1], text, sizeof text, got, 1, &count), 1);
  assert_int_equal (count, 1);
  fd_close (got[0]);
  assert_int_equal (fd_send (fds[0], "d", 1, (int[]){ dirfd_ }, 1), 0);
  assert_int_equal (fd_receive (fds[1], text, sizeof text, NULL, 0, NULL), 1);
  assert_int_equal (open_descriptors (), before + 2);

  /* A record that does not fit is an error, and what came with it is closed.  */
  assert_int_equal (fd_send (fds[0], "0123456789", 10, (int[]){ dirfd_ }, 1), 0);
  count = 99;
  assert_int_equal (fd_receive (fds[1], text, 5, got, 4, &count), -EMSGSIZE);
  assert_int_equal (count, 99);
  assert_int_equal (open_descriptors (), before + 2);

  /* None at all, and the end.  */
  assert_int_equal (fd_send (fds[0], "e", 1, NULL, 0), 0);
  assert_int_equal (fd_receive (fds[1], text, sizeof text, got, 4, &count), 1);
  assert_int_equal (count, 0);
  fd_close (fds[0]);
  assert_int_equal (fd_receive (fds[1], text, sizeof text, got, 4, &count), 0);
  fd_close (fds[1]);
  assert_int_equal (fd_receive (fds[1], text, sizeof text, got, 4, &count), -EBADF);
  assert_int_equal (open_descriptors (), before);
}

static void
test_send_limits (void **state)
{
  (void) state;
  unsigned before = open_descriptors (), count;
  static int many[254], got[254];
  for (size_t i = 0; i < 254; i++)
    many[i] = dirfd_;
  int fds[2];
  char c;
  assert_int_equal (socketpair (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
  assert_int_equal (fd_send (fds[0], "x", 1, many, 254), -EINVAL);
  assert_int_equal (fd_send (fds[0], "x", 1, many, 253), 0);
  assert_int_equal (fd_receive (fds[1], &c, 1, got, 254, &count), 1);
  assert_int_equal (count, 253);
  for (unsigned i = 0; i < count; i++)
    fd_close (got[i]);

  /* A full table of descriptors: an error, and no half of a set is handed out or leaked.  */
  struct rlimit limit, low;
  assert_int_equal (getrlimit (RLIMIT_NOFILE, &limit), 0);
  assert_int_equal (fd_send (fds[0], "x", 1, many, 20), 0);
  int highest = dup (0);
  low = limit;
  low.rlim_cur = (rlim_t) highest + 3;
  fd_close (highest);
  assert_int_equal (setrlimit (RLIMIT_NOFILE, &low), 0);
  ssize_t length = fd_receive (fds[1], &c, 1, got, 254, &count);
  setrlimit (RLIMIT_NOFILE, &limit);
  assert_int_equal (length, -EMFILE);
  fd_close (fds[0]);
  fd_close (fds[1]);
  assert_int_equal (open_descriptors (), before);
}

static void
test_wait_readable (void **state)
{
  (void) state;
  int fds[2];
  assert_int_equal (pipe2 (fds, O_CLOEXEC), 0);
  assert_int_equal (fd_wait_readable (fds[0], 0), -ETIMEDOUT);

  /* Signals do not lengthen the wait (nor shorten it).  */
  struct timespec before, after;
  clock_gettime (CLOCK_MONOTONIC, &before);
  start_alarms ();
  assert_int_equal (fd_wait_readable (fds[0], 60), -ETIMEDOUT);
  stop_alarms ();
  clock_gettime (CLOCK_MONOTONIC, &after);
  long long ms = (after.tv_sec - before.tv_sec) * 1000LL + (after.tv_nsec - before.tv_nsec) / 1000000;
  assert_in_range (ms, 55, 5000);

  assert_int_equal (fd_write_all (fds[1], "x", 1), 0);
  assert_int_equal (fd_wait_readable (fds[0], -1), 0);
  char c;
  assert_int_equal (read (fds[0], &c, 1), 1);
  fd_close (fds[1]);
  assert_int_equal (fd_wait_readable (fds[0], -1), 0); /* hung up */
  fd_close (fds[0]);
  assert_int_equal (fd_wait_readable (fds[0], -1), -EBADF);
}

static void
test_sealed_copy (void **state)
{
  (void) state;
  for (int executable = 0; executable < 2; executable++)
    {
      char text[8] = "";
      FD_CLEANUP int fd = fd_sealed_copy ("thole-test", "content", 7, executable);
      assert_true (fd >= 0);
      assert_int_equal (read (fd, text, sizeof text), 7);
      assert_string_equal (text, "content");
      assert_int_equal (fcntl (fd, F_GETFD), FD_CLOEXEC);

      int seals = fcntl (fd, F_GET_SEALS), wanted = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
      assert_int_equal (seals & wanted, wanted);
      assert_int_equal (pwrite (fd, "x", 1, 0), -1);
      assert_int_equal (errno, EPERM);
      assert_int_equal (ftruncate (fd, 0), -1);
      assert_true (mmap (NULL, 7, PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);

      struct stat st;
      assert_int_equal (fstat (fd, &st), 0);
      if (executable)
        assert_true (st.st_mode & 0100);
    }
}

/* The copy can really be executed: this is how init starts.  */
static void
test_sealed_copy_runs (void **state)
{
  (void) state;
  static char program[4 * 1024 * 1024];
  FD_CLEANUP int self = open ("/bin/true", O_RDONLY | O_CLOEXEC);
  assert_true (self >= 0);
  ssize_t size = fd_read_all (self, program, sizeof program);
  assert_true (size > 0);
  FD_CLEANUP int fd = fd_sealed_copy ("thole-test", program, (size_t) size, 1);
  assert_true (fd >= 0);
  pid_t pid = fork ();
  if (pid == 0)
    {
      char *const argv[] = { (char *) "true", NULL }, *const envp[] = { NULL };
      fexecve (fd, argv, envp);
      _exit (127);
    }
  int status;
  assert_int_equal (waitpid (pid, &status, 0), pid);
  assert_int_equal (status, 0);
}

/* memfd_create answers EINVAL to MFD_EXEC and MFD_NOEXEC_SEAL, as before Linux 6.3.  */
static int
make_kernel_old (void)
{
  static struct sock_filter program[] = {
    BPF_STMT (BPF_LD | BPF_W | BPF_ABS, offsetof (struct seccomp_data, nr)),
    BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, SYS_memfd_create, 0, 3),
    BPF_STMT (BPF_LD | BPF_W | BPF_ABS, offsetof (struct seccomp_data, args[1])),
    BPF_JUMP (BPF_JMP | BPF_JSET | BPF_K, 0x18, 0, 1),
    BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
    BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog filter = { sizeof program / sizeof *program, program };
  return prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -1 : sys_seccomp (SECCOMP_SET_MODE_FILTER, 0, &filter);
}

static void
test_sealed_copy_on_old_kernels (void **state)
{
  (void) state;
  pid_t pid = fork ();
  if (pid == 0)
    {
      bool good = make_kernel_old () == 0 && memfd_create ("x", 0x10) < 0 && errno == EINVAL;
      for (int executable = 0; executable < 2; executable++)
        {
          int fd = fd_sealed_copy ("thole-test", "content", 7, executable);
          good = good && fd >= 0
                 && fcntl (fd, F_GET_SEALS) == (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
        }
      _exit (good ? 0 : 1);
    }
  int status;
  assert_int_equal (waitpid (pid, &status, 0), pid);
  assert_int_equal (status, 0);
}

static void
test_openat2 (void **state)
{
  (void) state;
  assert_int_equal (mkdirat (dirfd_, "sub", 0700), 0);
  make_file ("sub/file", "x");
  int fd = sys_openat2 (dirfd_, "sub/file", O_RDONLY, 0, RESOLVE_BENEATH);
  if (fd < 0 && errno == ENOSYS)
    skip ();
  assert_true (fd >= 0);
  assert_int_equal (fcntl (fd, F_GETFD), FD_CLOEXEC);
  fd_close (fd);
  assert_int_equal (sys_openat2 (dirfd_, "../x", O_RDONLY, 0, RESOLVE_BENEATH), -1);
  assert_int_equal (errno, EXDEV);
  assert_int_equal (sys_openat2 (dirfd_, "sub/none", O_RDONLY, 0, RESOLVE_IN_ROOT), -1);
  assert_int_equal (errno, ENOENT);
}

static void
test_pidfd (void **state)
{
  (void) state;
  pid_t pid = fork ();
  if (pid == 0)
    {
      pause ();
      _exit (0);
    }
  FD_CLEANUP int pidfd = sys_pidfd_open (pid, 0);
  assert_true (pidfd >= 0);
  assert_int_equal (fd_wait_readable (pidfd, 0), -ETIMEDOUT);
  assert_int_equal (sys_pidfd_send_signal (pidfd, SIGKILL, NULL, 0), 0);
  assert_int_equal (fd_wait_readable (pidfd, 10000), 0);
  int status;
  assert_int_equal (waitpid (pid, &status, 0), pid);
  assert_true (WIFSIGNALED (status) && WTERMSIG (status) == SIGKILL);
  assert_int_equal (sys_pidfd_send_signal (pidfd, 0, NULL, 0), -1);
  assert_int_equal (errno, ESRCH);
  assert_int_equal (sys_pidfd_open (-1, 0), -1);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_ownership),
    cmocka_unit_test (test_files),
    cmocka_unit_test (test_read_all),
    cmocka_unit_test (test_write_all_interrupted),
    cmocka_unit_test (test_write_errors),
    cmocka_unit_test (test_send_receive),
    cmocka_unit_test (test_send_limits),
    cmocka_unit_test (test_wait_readable),
    cmocka_unit_test (test_sealed_copy),
    cmocka_unit_test (test_sealed_copy_runs),
    cmocka_unit_test (test_sealed_copy_on_old_kernels),
    cmocka_unit_test (test_openat2),
    cmocka_unit_test (test_pidfd),
  };
  return cmocka_run_group_tests_name ("fd", tests, set_up, tear_down);
}
