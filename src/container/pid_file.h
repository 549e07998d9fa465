/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* --pid-file.  */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct arena;
struct error;

/* Writes PID, without a line break, to the file PATH (NULL: nowhere).  *RET_MADE (RET_MADE may be NULL) is whether that
 * is a new file, for the caller to remove if he fails later.  0 or -errno.  */
int pid_file_write (struct arena *arena, const char *path, pid_t pid, bool *ret_made, struct error *err);
