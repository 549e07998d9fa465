/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The control socket of a created container: on it init waits for START.  */
#pragma once

struct error;
struct store_entry;

/* Makes the socket in ENTRY's directory; *RET_FD listens on it.  Nobody but us can reach it: the store is ours alone.
 */
int control_listen (const struct store_entry *entry, int *ret_fd, struct error *err);
