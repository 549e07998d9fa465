/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The container's terminal and our own.  */
#include "container/terminal.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/error.h"
#include "container/peer.h"

int
terminal_send (int master, const char *path, struct error *err)
{
  static const char name[] = "/dev/ptmx";
  return peer_send ("console socket", path, name, strlen (name), master, err);
}

void
terminal_find (struct terminal *ret_terminal)
{
  *ret_terminal = (struct terminal) TERMINAL_INIT;
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO && ret_terminal->fd < 0; fd++)
    if (isatty (fd))
      ret_terminal->fd = fd;
}

int
terminal_raw (struct terminal *terminal, struct error *err)
{
  if (terminal->fd < 0)
    return 0;
  if (!terminal->raw && tcgetattr (terminal->fd, &terminal->saved) < 0)
    return error_sys (err, errno, "get the settings of our terminal");

  struct termios raw = terminal->saved;
  cfmakeraw (&raw);
  raw.c_oflag = terminal->saved.c_oflag | OPOST;
  if (tcsetattr (terminal->fd, TCSANOW, &raw) < 0)
    return error_sys (err, errno, "make our terminal raw");
  terminal->raw = true;
  return 0;
}

void
terminal_restore (struct terminal *terminal)
{
  if (terminal->raw)
    {
      int saved_errno = errno;
      tcsetattr (terminal->fd, TCSADRAIN, &terminal->saved);
      errno = saved_errno;
    }
  terminal->raw = false;
}

void
terminal_resize (const struct terminal *terminal, int master)
{
  struct winsize size;
  if (terminal->fd >= 0 && ioctl (terminal->fd, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0)
    ioctl (master, TIOCSWINSZ, &size);
}

int
terminal_no_onlcr (int master, struct error *err)
{
  struct termios settings;
  if (tcgetattr (master, &settings) < 0)
    return error_sys (err, errno, "get the settings of the container's terminal");
  settings.c_oflag &= ~(tcflag_t) ONLCR;
  if (tcsetattr (master, TCSANOW, &settings) < 0)
    return error_sys (err, errno, "change the settings of the container's terminal");
  return 0;
}
