/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The container's terminal (config.md#process, config-linux.md#default-devices).
 *
 * It is a pty of the container's own devpts.  Its other end is got from the master with TIOCGPTPEER, not by a path,
 * which could be exchanged; /dev/console is a mount of that descriptor.  */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <termios.h>

#include "init/init.h"
#include "init/mounts.h"
#include "init/sys.h"

#define DEVPTS_SUPER_MAGIC 0x1cd1

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO ('T', 0x41)
#endif

/* The file system is looked at before anything in it is opened: only to open a device of the image's may do something
 * to the host.  In a devpts there are but terminals.  */
static int
open_master (struct init *init)
{
  struct statfs sfs;
  struct stat st;
  int fd, pts = root_open (init, "/dev/pts", O_PATH | O_DIRECTORY);

  if (pts < 0 || fstatfs (pts, &sfs) < 0)
    return fail_errno (init, "open", "/dev/pts");
  if (sfs.f_type != DEVPTS_SUPER_MAGIC)
    return fail (init, PLAN_FAILURE_MISMATCH, EEXIST, "open", "/dev/pts");
  fd = openat (pts, "ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
  close (pts);
  if (fd < 0 || fstat (fd, &st) < 0)
    return fail_errno (init, "open", "/dev/pts/ptmx");
  if (!S_ISCHR (st.st_mode) || st.st_rdev != makedev (5, 2))
    return fail (init, PLAN_FAILURE_MISMATCH, EEXIST, "open", "/dev/pts/ptmx");
  return fd;
}

static int
mount_console (struct init *init, int slave)
{
  const char *name;
  int parent = root_parent (init, "/dev/console", &name), fd, tree;
  struct stat st;

  if (parent < 0)
    return -1;
  fd = openat (parent, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0644);
  if (fd < 0 && errno != EEXIST)
    return fail_errno (init, "create", "/dev/console");
  if (fd >= 0)
    close (fd);
  fd = openat (parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0 || fstat (fd, &st) < 0)
    return fail_errno (init, "open", "/dev/console");
  if (!S_ISREG (st.st_mode) && !S_ISCHR (st.st_mode))
    return fail (init, PLAN_FAILURE_MISMATCH, EEXIST, "open", "/dev/console");
  tree = mount_clone (slave, 0);
  if (tree < 0 || sys_move_mount (tree, fd) < 0)
    return fail_errno (init, "move_mount", "/dev/console");
  close (tree);
  close (fd);
  return 0;
}

int
op_terminal (struct init *init, const struct plan_op *op)
{
  struct winsize size
      = { .ws_row = (unsigned short) op->terminal.height, .ws_col = (unsigned short) op->terminal.width };
  int unlock = 0, master = open_master (init), slave;

  if (master < 0)
    return -1;
  if (ioctl (master, TIOCSPTLCK, &unlock) < 0)
    return fail_errno (init, "ioctl", "TIOCSPTLCK");
  slave = ioctl (master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (slave < 0)
    return fail_errno (init, "ioctl", "TIOCGPTPEER");
  if (size.ws_row && size.ws_col && ioctl (master, TIOCSWINSZ, &size) < 0)
    return fail_errno (init, "ioctl", "TIOCSWINSZ");
  if (!op->terminal.without_console && mount_console (init, slave) < 0)
    return -1;
  if (ioctl (slave, TIOCSCTTY, 0) < 0)
    return fail_errno (init, "ioctl", "TIOCSCTTY");
  for (int fd = 0; fd <= 2; fd++)
    if (dup3 (slave, fd, 0) < 0)
      return fail_errno (init, "dup3", "the terminal");
  close (slave);
  init->terminal = true;
  if (message_send (init, init->control, PLAN_PHASE_TERMINAL, 0, master) < 0)
    return -1;
  close (master);
  return 0;
}
