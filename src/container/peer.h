/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Handing a descriptor to somebody who listens on a socket: a terminal, a seccomp listener, a pidfd.  */
#pragma once

#include <stddef.h>

struct error;

/* Sends the SIZE bytes of DATA with the descriptor FD to whoever listens on the socket PATH, which may be longer than
 * an address holds.  WHAT is its name in messages: "console socket".  0 or -errno, -ETIMEDOUT if nobody accepts.  */
int peer_send (const char *what, const char *path, const void *data, size_t size, int fd, struct error *err);
