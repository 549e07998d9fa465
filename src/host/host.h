/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What this process may do on this host.  Asked of the kernel, when it is needed.  */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The permitted capabilities of this process, a bit each (capget(2)): what it can grant.  0 if it cannot be known.  */
uint64_t host_capabilities (void);

/* Whether our user namespace is another than the host's first, which maps all ids.  */
bool host_in_user_namespace (void);

/* Whether we are not root, or root only of a user namespace, as rootless callers are.  */
bool host_is_rootless (void);

/* The highest capability that the kernel knows (/proc/sys/kernel/cap_last_cap), or -errno.  */
int host_last_capability (void);
