/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes from one descriptor to another, through a bounded buffer: what is not taken is not read, so a slow reader slows
 * the writer down instead of filling memory.  */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

struct relay
{
  int from, to; /* borrowed; FROM is -1 after its end */
  bool broken;  /* TO takes nothing any more */
  size_t start, end;
  char buffer[4096]; /* no more than PIPE_BUF: a pipe that poll(2) calls writable takes it without blocking */
};

#define RELAY_INIT(from_, to_)                                                                                         \
  {                                                                                                                    \
    .from = (from_), .to = (to_)                                                                                       \
  }

/* What to wait for: FDS[0] is for reading, FDS[1] for writing; either may be -1.  */
void relay_want (const struct relay *relay, struct pollfd fds[2]);

/* Goes on after poll(2).  End of file and read errors end the reading (a pty whose other side is closed says EIO); a
 * write error breaks the relay and drops what it holds.  */
void relay_step (struct relay *relay, const struct pollfd fds[2]);

/* Moves what is there now until FROM has nothing more to give, waiting for TO as long as that takes.  Not for ever:
 * others than the program that has ended may write to its terminal all the time, faster than TO is read.  */
void relay_drain (struct relay *relay);
