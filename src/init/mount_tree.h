/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which mounts there are, for kernels that have to be told about each.  */
#pragma once

#include "init/init.h"

struct tree_mount
{
  int id, parent; /* as in mountinfo */
  char *path;     /* from our root */
};

struct mount_tree
{
  char *text; /* mountinfo */
  size_t size;
  struct tree_mount *mounts; /* the first is the top, and each comes after its parent */
  size_t count;
};

/* The id of FD's mount.  -1 and errno.  */
int mount_id (struct init *init, int fd);

/* Reads the tree whose top is the mount of FD.  -1 and errno.  */
int mount_tree_read (struct init *init, int fd, struct mount_tree *ret);
void mount_tree_free (struct mount_tree *tree);

/* Opens the Ith mount of TREE: 1, or 0 if others cover it so that nobody can reach it.  -1 and errno; that is EAGAIN if
 * it is not there any more.  */
int mount_tree_open (struct init *init, const struct mount_tree *tree, size_t i, int *ret_fd);
