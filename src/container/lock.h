/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An exclusive lock with a deadline.  */
#pragma once

struct error;

/* Takes an exclusive flock(2) on FD, waiting at most TIMEOUT seconds.  It goes when the last descriptor of FD's open
 * file description is closed.  0, or -EBUSY with a message that names the process that has it, or -errno.  */
int lock_take (int fd, unsigned timeout, struct error *err);
