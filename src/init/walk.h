/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* openat2(2) for kernels that lack it.  */
#pragma once

#include <stdint.h>

/* Opens PATH below the directory ROOT as openat2 with RESOLVE_NO_MAGICLINKS and RESOLVE would, which is RESOLVE_IN_ROOT
 * or RESOLVE_BENEATH.  -1 and errno.  */
int walk_open (int root, const char *path, int flags, uint64_t resolve);
