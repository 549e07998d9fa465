/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Terminals: the container's, of which we get the master, and our own.  */
#pragma once

#include <stdbool.h>
#include <termios.h>

struct error;

/* Sends the descriptor MASTER to whoever listens on the unix socket PATH (--console-socket), with the text "/dev/ptmx"
 * beside it, as callers expect.  PATH may be longer than a socket address: it is reached through its directory.  */
int terminal_send (int master, const char *path, struct error *err);

/* Our own terminal, if one of the three standard descriptors is one.  */
struct terminal
{
  int fd;               /* borrowed; -1: none */
  bool raw;             /* SAVED is to be restored */
  struct termios saved; /* as we found it */
};

#define TERMINAL_INIT                                                                                                  \
  {                                                                                                                    \
    .fd = -1                                                                                                           \
  }

/* Finds it.  */
void terminal_find (struct terminal *ret_terminal);

/* Makes it raw, but for output processing: the far side does none, see terminal_no_onlcr.  Without one nothing happens.
 */
int terminal_raw (struct terminal *terminal, struct error *err);

/* As it was.  May be called always and twice: for TERMINAL_CLEANUP.  */
void terminal_restore (struct terminal *terminal);
#define TERMINAL_CLEANUP __attribute__ ((cleanup (terminal_restore)))

/* Gives MASTER the size of TERMINAL, if there is one and it has a size.  */
void terminal_resize (const struct terminal *terminal, int master);

/* Clears ONLCR of the pty: what we relay into a file or pipe has no carriage returns, and our own terminal adds them
 * itself.  */
int terminal_no_onlcr (int master, struct error *err);
