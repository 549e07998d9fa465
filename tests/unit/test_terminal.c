/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* src/container: terminals, the relay and the foreground of `run`, on pseudo-terminals of our own.  */
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
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/syscalls.h"
#include "container/foreground.h"
#include "container/relay.h"
#include "container/terminal.h"

static char base[] = "/tmp/thole-test-terminal-XXXXXX";
static struct error err;

static int
set_up (void **state)
{
  (void) state;
  signal (SIGPIPE, SIG_IGN);
  return mkdtemp (base) == NULL ? -1 : 0;
}

static int
tear_down (void **state)
{
  (void) state;
  char command[sizeof base + 16];
  snprintf (command, sizeof command, "rm -rf '%s'", base);
  return system (command);
}

struct pty
{
  int master, slave;
};

static struct pty
make_pty (void)
{
  struct pty pty = { .master = posix_openpt (O_RDWR | O_NOCTTY | O_CLOEXEC) };
  assert_true (pty.master >= 0);
  assert_int_equal (unlockpt (pty.master), 0);
  pty.slave = ioctl (pty.master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  assert_true (pty.slave >= 0);
  return pty;
}

static void
close_pty (struct pty *pty)
{
  pty->slave = fd_close (pty->slave);
  pty->master = fd_close (pty->master);
}

static struct termios
settings (int fd)
{
  struct termios termios;
  assert_int_equal (tcgetattr (fd, &termios), 0);
  return termios;
}

static void
test_send (void **state)
{
  (void) state;
  /* Short, and far longer than a socket address.  */
  char name[121], directory[sizeof base + sizeof name + 2], path[sizeof directory + 16];
  memset (name, 'd', sizeof name - 1);
  name[sizeof name - 1] = '\0';
  snprintf (directory, sizeof directory, "%s/%s", base, name);
  assert_int_equal (mkdir (directory, 0700), 0);
  const char *const directories[] = { base, directory };
  for (size_t i = 0; i < 2; i++)
    {
      FD_CLEANUP int dirfd = open (directories[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
      FD_CLEANUP int listener = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
      struct sockaddr_un address = { .sun_family = AF_UNIX };
      snprintf (address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/console", dirfd);
      assert_int_equal (bind (listener, (struct sockaddr *) &address, sizeof address), 0);
      snprintf (path, sizeof path, "%s/console", directories[i]);
      struct pty pty = make_pty ();

      assert_true (terminal_send (pty.master, path, &err) < 0); /* nobody listens yet */
      assert_int_equal (err.code, ECONNREFUSED);
      assert_non_null (strstr (err.hint, "listen"));

      assert_int_equal (listen (listener, 1), 0);
      assert_int_equal (terminal_send (pty.master, path, &err), 0);
      FD_CLEANUP int peer = accept4 (listener, NULL, NULL, SOCK_CLOEXEC);
      char text[64];
      FD_CLEANUP int got = -1;
      unsigned count = 0;
      assert_int_equal (fd_receive (peer, text, sizeof text, &got, 1, &count), strlen ("/dev/ptmx"));
      assert_memory_equal (text, "/dev/ptmx", strlen ("/dev/ptmx"));
      assert_int_equal (count, 1);
      struct stat sent, received;
      assert_int_equal (fstat (pty.master, &sent), 0);
      assert_int_equal (fstat (got, &received), 0);
      assert_true (isatty (got));
      assert_int_equal (sent.st_rdev, received.st_rdev);
      close_pty (&pty);
    }
  assert_int_equal (terminal_send (0, "/does/not/exist", &err), -ENOENT);
}

static void
test_raw (void **state)
{
  (void) state;
  struct pty pty = make_pty ();
  struct terminal terminal = { .fd = pty.slave };
  struct termios before = settings (pty.slave);
  assert_true (before.c_lflag & ICANON);
  assert_int_equal (terminal_raw (&terminal, &err), 0);
  struct termios raw = settings (pty.slave);
  assert_false (raw.c_lflag & (ICANON | ECHO | ISIG));
  assert_true (raw.c_oflag & OPOST);
  assert_int_equal (raw.c_oflag & ONLCR, before.c_oflag & ONLCR);

  /* Made raw again, it still knows what it was.  */
  assert_int_equal (terminal_raw (&terminal, &err), 0);
  terminal_restore (&terminal);
  struct termios after = settings (pty.slave);
  assert_int_equal (after.c_lflag, before.c_lflag);
  assert_int_equal (after.c_iflag, before.c_iflag);
  assert_int_equal (after.c_oflag, before.c_oflag);
  terminal_restore (&terminal);

  struct terminal none = TERMINAL_INIT;
  assert_int_equal (terminal_raw (&none, &err), 0);
  terminal_restore (&none);
  close_pty (&pty);
}

static void
test_size_and_newlines (void **state)
{
  (void) state;
  struct pty ours = make_pty (), theirs = make_pty ();
  struct terminal terminal = { .fd = ours.slave };
  struct winsize size = { .ws_row = 11, .ws_col = 22 }, none = { 0 }, got;
  assert_int_equal (ioctl (theirs.master, TIOCSWINSZ, &size), 0);
  assert_int_equal (ioctl (ours.master, TIOCSWINSZ, &none), 0);
  terminal_resize (&terminal, theirs.master); /* no size of ours: theirs stays */
  assert_int_equal (ioctl (theirs.slave, TIOCGWINSZ, &got), 0);
  assert_int_equal (got.ws_row, 11);
  size.ws_row = 33;
  assert_int_equal (ioctl (ours.master, TIOCSWINSZ, &size), 0);
  terminal_resize (&terminal, theirs.master);
  assert_int_equal (ioctl (theirs.slave, TIOCGWINSZ, &got), 0);
  assert_int_equal (got.ws_row, 33);
  assert_int_equal (got.ws_col, 22);

  char text[16];
  assert_int_equal (write (theirs.slave, "a\n", 2), 2);
  assert_int_equal (read (theirs.master, text, sizeof text), 3); /* "a\r\n" */
  assert_int_equal (terminal_no_onlcr (theirs.master, &err), 0);
  assert_int_equal (write (theirs.slave, "a\n", 2), 2);
  assert_int_equal (read (theirs.master, text, sizeof text), 2);
  close_pty (&ours);
  close_pty (&theirs);
}

struct pipe
{
  int from, to;
};

static struct pipe
make_pipe (void)
{
  int ends[2];
  assert_int_equal (pipe2 (ends, O_CLOEXEC), 0);
  return (struct pipe){ .from = ends[0], .to = ends[1] };
}

static void
test_relay (void **state)
{
  (void) state;
  struct pipe in = make_pipe (), out = make_pipe ();
  struct relay relay = RELAY_INIT (in.from, out.to);
  struct pollfd fds[2];
  relay_want (&relay, fds);
  assert_int_equal (fds[0].fd, in.from);
  assert_int_equal (fds[1].fd, -1); /* nothing to write */

  assert_int_equal (write (in.to, "hello", 5), 5);
  assert_int_equal (poll (fds, 2, 0), 1);
  relay_step (&relay, fds);
  relay_want (&relay, fds);
  assert_int_equal (fds[0].fd, -1); /* not read before what is held is gone */
  assert_int_equal (fds[1].fd, out.to);
  assert_int_equal (poll (fds, 2, 0), 1);
  relay_step (&relay, fds);
  char text[16];
  assert_int_equal (read (out.from, text, sizeof text), 5);
  assert_memory_equal (text, "hello", 5);

  /* All that is there, then the end.  */
  assert_int_equal (write (in.to, "bye", 3), 3);
  in.to = fd_close (in.to);
  relay_drain (&relay);
  assert_int_equal (relay.from, -1);
  assert_int_equal (read (out.from, text, sizeof text), 3);
  relay_want (&relay, fds);
  assert_int_equal (fds[0].fd, -1);
  assert_int_equal (fds[1].fd, -1);
  fd_close (in.from);
  fd_close (out.from);
  fd_close (out.to);
}

static void
test_relay_broken (void **state)
{
  (void) state;
  struct pipe in = make_pipe (), out = make_pipe ();
  struct relay relay = RELAY_INIT (in.from, out.to);
  out.from = fd_close (out.from);
  assert_int_equal (write (in.to, "lost", 4), 4);
  relay_drain (&relay);
  assert_true (relay.broken);
  struct pollfd fds[2];
  relay_want (&relay, fds);
  assert_int_equal (fds[0].fd, -1);
  assert_int_equal (fds[1].fd, -1);
  fd_close (in.from);
  fd_close (in.to);
  fd_close (out.to);
}

/* There is somebody who never stops writing.  */
static void
test_relay_endless (void **state)
{
  (void) state;
  FD_CLEANUP int from = open ("/dev/zero", O_RDONLY | O_CLOEXEC);
  FD_CLEANUP int to = open ("/dev/null", O_WRONLY | O_CLOEXEC);
  struct relay relay = RELAY_INIT (from, to);
  relay_drain (&relay);
  assert_int_equal (relay.start, relay.end);
}

/* A child with default signals that does ACTION with ARGUMENT.  */
static pid_t
make_child (void (*action) (const struct pty *), const struct pty *pty)
{
  pid_t child = fork ();
  assert_true (child >= 0);
  if (child == 0)
    {
      sigset_t none;
      sigemptyset (&none);
      sigprocmask (SIG_SETMASK, &none, NULL);
      action (pty);
      _exit (0);
    }
  return child;
}

static int
wait_for (struct foreground *fg, pid_t child)
{
  FD_CLEANUP int pidfd = sys_pidfd_open (child, 0);
  assert_true (pidfd >= 0);
  int status = foreground_wait (fg, child, pidfd, &err);
  if (status < 0)
    fail_msg ("%s", err.message);
  return status;
}

static void
exit_5 (const struct pty *pty)
{
  (void) pty;
  _exit (5);
}

static void
wait_for_ever (const struct pty *pty)
{
  (void) pty;
  for (;;)
    pause ();
}

static void
orphan_then_6 (const struct pty *pty)
{
  (void) pty;
  if (fork () == 0)
    {
      if (fork () == 0)
        _exit (9); /* ends as a child of the subreaper */
      _exit (0);
    }
  wait (NULL);
  _exit (6);
}

static void
test_status (void **state)
{
  (void) state;
  FOREGROUND_CLEANUP struct foreground fg = FOREGROUND_INIT;
  assert_int_equal (foreground_begin (&fg, true, &err), 0);
  assert_int_equal (wait_for (&fg, make_child (exit_5, NULL)), 5);
  assert_int_equal (wait_for (&fg, make_child (orphan_then_6, NULL)), 6);

  /* Without being a subreaper, children that are not ours to reap stay.  */
  pid_t other = make_child (exit_5, NULL);
  fg.subreaper = false;
  assert_int_equal (wait_for (&fg, make_child (exit_5, NULL)), 5);
  int status;
  assert_int_equal (waitpid (other, &status, 0), other);
  assert_int_equal (prctl (PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0), 0);
}

static void
test_signals (void **state)
{
  (void) state;
  sigset_t before = { 0 }, during, after = { 0 };
  sigprocmask (SIG_BLOCK, NULL, &before);
  signal (SIGCHLD, SIG_IGN);
  signal (SIGHUP, SIG_DFL); /* below nohup(1) nobody hears of it */
  FOREGROUND_CLEANUP struct foreground fg = FOREGROUND_INIT;
  assert_int_equal (foreground_begin (&fg, false, &err), 0);
  sigprocmask (SIG_BLOCK, NULL, &during);
  assert_true (sigismember (&during, SIGTERM));
  assert_false (sigismember (&during, SIGTSTP));

  const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGRTMIN + 3 };
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
    {
      /* Sent before there is anything to wait for: not lost.  */
      assert_int_equal (kill (getpid (), signals[i]), 0);
      assert_int_equal (wait_for (&fg, make_child (wait_for_ever, NULL)), 128 + signals[i]);
    }

  /* What comes too late does not kill us when the mask is restored.  */
  assert_int_equal (kill (getpid (), SIGTERM), 0);
  foreground_end (&fg);
  sigprocmask (SIG_BLOCK, NULL, &after);
  assert_memory_equal (&before, &after, sizeof before);
  struct sigaction action;
  sigaction (SIGCHLD, NULL, &action);
  assert_true (action.sa_handler == SIG_IGN);
  signal (SIGCHLD, SIG_DFL);
}

/* Reads a line from the terminal and answers it, with a line break that must not become two characters.  */
static void
answer (const struct pty *pty)
{
  char line[64];
  fd_close (pty->master);
  ssize_t got = read (pty->slave, line, sizeof line);
  if (got <= 0)
    _exit (1);
  fd_write_all (pty->slave, "got ", 4);
  fd_write_all (pty->slave, line, (size_t) got);
  _exit (3);
}

/* With INPUT and OUTPUT in place of our standard descriptors, runs ACTION in a terminal.  Returns its status.  */
static int
run_in_terminal (void (*action) (const struct pty *), int input, int output)
{
  FD_CLEANUP int saved_input = fcntl (STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
  FD_CLEANUP int saved_output = fcntl (STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
  struct pty pty = make_pty ();
  FOREGROUND_CLEANUP struct foreground fg = FOREGROUND_INIT;
  assert_int_equal (foreground_begin (&fg, false, &err), 0);
  dup2 (input, STDIN_FILENO);
  dup2 (output, STDOUT_FILENO);
  pid_t child = make_child (action, &pty);
  int r = foreground_terminal (&fg, &pty.master, &err);
  pty.slave = fd_close (pty.slave);
  int status = r < 0 ? r : wait_for (&fg, child);
  foreground_end (&fg);
  dup2 (saved_input, STDIN_FILENO);
  dup2 (saved_output, STDOUT_FILENO);
  return status;
}

static void
test_terminal (void **state)
{
  (void) state;
  struct pipe in = make_pipe (), out = make_pipe ();
  assert_int_equal (write (in.to, "hi\n", 3), 3);
  in.to = fd_close (in.to); /* end of file does not hang up */
  assert_int_equal (run_in_terminal (answer, in.from, out.to), 3);
  out.to = fd_close (out.to);
  char text[64];
  ssize_t got = fd_read_all (out.from, text, sizeof text);
  assert_true (got > 0);
  assert_int_equal (got, strlen ("hi\ngot hi\n")); /* the echo, too */
  assert_memory_equal (text, "hi\ngot hi\n", (size_t) got);
  fd_close (in.from);
  fd_close (out.from);
}

/* Closes the terminal, which hangs up a master whose other side nobody holds, opens it again, and writes a lot.  */
static void
write_much (const struct pty *pty)
{
  char chunk[1000], path[32];
  int number = -1;
  ioctl (pty->master, TIOCGPTN, &number);
  snprintf (path, sizeof path, "/dev/pts/%d", number);
  fd_close (pty->master);
  fd_close (pty->slave);
  usleep (100 * 1000);
  int fd = open (path, O_WRONLY | O_NOCTTY);
  memset (chunk, 'x', sizeof chunk);
  for (int i = 0; i < 1000; i++)
    if (fd_write_all (fd, chunk, sizeof chunk) < 0)
      _exit (1);
  _exit (0);
}

/* What was written last is read although the writer is gone, and a slow reader loses nothing.  */
static void
test_last_words (void **state)
{
  (void) state;
  struct pipe out = make_pipe ();
  FD_CLEANUP int nothing = open ("/dev/null", O_RDONLY | O_CLOEXEC);
  pid_t reader = fork ();
  if (reader == 0)
    {
      char chunk[4096];
      size_t total = 0;
      fd_close (out.to);
      for (ssize_t got; (got = read (out.from, chunk, sizeof chunk)) > 0; usleep (100))
        total += (size_t) got;
      _exit (total == 1000000 ? 0 : 1);
    }
  out.from = fd_close (out.from);
  assert_int_equal (run_in_terminal (write_much, nothing, out.to), 0);
  out.to = fd_close (out.to);
  int status;
  assert_int_equal (waitpid (reader, &status, 0), reader);
  assert_int_equal (status, 0);
}

/* As when the window of a terminal is closed: writing fails, and the program ends.  */
static void
write_for_ever (const struct pty *pty)
{
  fd_close (pty->master);
  signal (SIGHUP, SIG_IGN);
  while (write (pty->slave, "y\n", 2) == 2)
    ;
  _exit (errno == EIO ? 7 : 1);
}

static void
test_nobody_reads (void **state)
{
  (void) state;
  struct pipe out = make_pipe ();
  FD_CLEANUP int nothing = open ("/dev/null", O_RDONLY | O_CLOEXEC);
  out.from = fd_close (out.from);
  assert_int_equal (run_in_terminal (write_for_ever, nothing, out.to), 7);
  fd_close (out.to);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_send),         cmocka_unit_test (test_raw),
    cmocka_unit_test (test_relay),        cmocka_unit_test (test_size_and_newlines),
    cmocka_unit_test (test_relay_broken), cmocka_unit_test (test_relay_endless),
    cmocka_unit_test (test_status),       cmocka_unit_test (test_signals),
    cmocka_unit_test (test_terminal),     cmocka_unit_test (test_last_words),
    cmocka_unit_test (test_nobody_reads),
  };
  alarm (60); /* what hangs fails */
  return cmocka_run_group_tests (tests, set_up, tear_down);
}
