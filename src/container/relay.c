/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The relay.  */
#include "container/relay.h"

#include <errno.h>
#include <unistd.h>

enum
{
  DRAIN_MAX = 64 * 1024 /* a pty holds some 12 KiB */
};

void
relay_want (const struct relay *relay, struct pollfd fds[2])
{
  bool empty = relay->start == relay->end;
  fds[0] = (struct pollfd){ .fd = empty && !relay->broken ? relay->from : -1, .events = POLLIN };
  fds[1] = (struct pollfd){ .fd = empty || relay->broken ? -1 : relay->to, .events = POLLOUT };
}

static bool
is_transient (int error)
{
  return error == EAGAIN || error == EINTR;
}

void
relay_step (struct relay *relay, const struct pollfd fds[2])
{
  if (fds[0].fd >= 0 && fds[0].revents != 0)
    {
      ssize_t got = read (relay->from, relay->buffer, sizeof relay->buffer);
      if (got > 0)
        {
          relay->start = 0;
          relay->end = (size_t) got;
        }
      else if (got == 0 || !is_transient (errno))
        relay->from = -1;
    }
  if (fds[1].fd >= 0 && fds[1].revents != 0)
    {
      ssize_t put = write (relay->to, relay->buffer + relay->start, relay->end - relay->start);
      if (put >= 0)
        relay->start += (size_t) put;
      else if (!is_transient (errno))
        {
          relay->broken = true;
          relay->start = relay->end = 0;
        }
    }
}

void
relay_drain (struct relay *relay)
{
  for (size_t room = DRAIN_MAX;;)
    {
      struct pollfd fds[2];
      relay_want (relay, fds);
      if (fds[1].fd < 0 && (fds[0].fd < 0 || room == 0))
        return;
      int ready = poll (fds, 2, fds[1].fd >= 0 ? -1 : 0);
      if (ready == 0 || (ready < 0 && errno != EINTR))
        return;
      if (ready < 0)
        continue;
      relay_step (relay, fds);
      if (fds[0].fd >= 0)
        room -= relay->end < room ? relay->end : room;
    }
}
