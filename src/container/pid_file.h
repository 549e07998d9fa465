/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* --pid-file.  */
#pragma once

#include <sys/types.h>

struct arena;
struct error;

struct pid_file
{
  const char *path;  /* NULL: none */
  const char *whole; /* the file beside it that has the pid and is to be renamed; NULL: there is none */
  int fd;            /* of PATH, when that is there and no file, such as a pipe or /dev/null; -1 */
  pid_t pid;
};

#define PID_FILE_INIT                                                                                                  \
  {                                                                                                                    \
    .fd = -1                                                                                                           \
  }

/* Does all that can fail of writing PID, without a line break, to the file PATH (NULL: nowhere), while the
 * program does not run yet.  In ARENA.  0 or -errno.  */
int pid_file_prepare (struct arena *arena, const char *path, pid_t pid, struct pid_file *ret_file, struct error *err);

/* Lets the pid be read at PATH.  0 or -errno.  */
int pid_file_commit (struct pid_file *file, struct error *err);

/* Removes the file that was made, where it has got to.  */
void pid_file_undo (struct pid_file *file);

void pid_file_close (struct pid_file *file);
