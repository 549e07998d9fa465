/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The options of mounts that are not the file system's own (config.md#linux-mount-options).  */
#include <linux/mount.h>
#include <stdlib.h>
#include <string.h>

#include "spec/names.h"

#define SET(name, value)                                                                                               \
  {                                                                                                                    \
    name, SPEC_MOUNT_FLAG, false, value                                                                                \
  }
#define CLEAR(name, value)                                                                                             \
  {                                                                                                                    \
    name, SPEC_MOUNT_FLAG, true, value                                                                                 \
  }
#define TREE_SET(name, value)                                                                                          \
  {                                                                                                                    \
    name, SPEC_MOUNT_RECURSIVE, false, value                                                                           \
  }
#define TREE_CLEAR(name, value)                                                                                        \
  {                                                                                                                    \
    name, SPEC_MOUNT_RECURSIVE, true, value                                                                            \
  }
#define PROPAGATION(name, value)                                                                                       \
  {                                                                                                                    \
    name, SPEC_MOUNT_PROPAGATION, false, value                                                                         \
  }
#define EXTENSION(name, value)                                                                                         \
  {                                                                                                                    \
    name, SPEC_MOUNT_EXTENSION, false, value                                                                           \
  }

/* Sorted by name in the order of strcmp(3): searched by halving.  */
const struct spec_mount_option spec_mount_options[] = {
  CLEAR ("async", MS_SYNCHRONOUS),
  CLEAR ("atime", MS_NOATIME),
  SET ("bind", MS_BIND),
  EXTENSION ("copy-symlink", SPEC_MOUNT_COPY_SYMLINK),
  SET ("defaults", 0),
  EXTENSION ("dest-nofollow", SPEC_MOUNT_DEST_NOFOLLOW),
  CLEAR ("dev", MS_NODEV),
  CLEAR ("diratime", MS_NODIRATIME),
  SET ("dirsync", MS_DIRSYNC),
  CLEAR ("exec", MS_NOEXEC),
  EXTENSION ("idmap", SPEC_MOUNT_IDMAP),
  SET ("iversion", MS_I_VERSION),
  SET ("lazytime", MS_LAZYTIME),
  CLEAR ("loud", MS_SILENT),
  SET ("mand", MS_MANDLOCK),
  SET ("noatime", MS_NOATIME),
  SET ("nodev", MS_NODEV),
  SET ("nodiratime", MS_NODIRATIME),
  SET ("noexec", MS_NOEXEC),
  CLEAR ("noiversion", MS_I_VERSION),
  CLEAR ("nolazytime", MS_LAZYTIME),
  CLEAR ("nomand", MS_MANDLOCK),
  CLEAR ("norelatime", MS_RELATIME),
  CLEAR ("nostrictatime", MS_STRICTATIME),
  SET ("nosuid", MS_NOSUID),
  SET ("nosymfollow", MS_NOSYMFOLLOW),
  PROPAGATION ("private", MS_PRIVATE),
  TREE_CLEAR ("ratime", MOUNT_ATTR_NOATIME),
  SET ("rbind", MS_BIND | MS_REC),
  TREE_CLEAR ("rdev", MOUNT_ATTR_NODEV),
  TREE_CLEAR ("rdiratime", MOUNT_ATTR_NODIRATIME),
  SET ("relatime", MS_RELATIME),
  SET ("remount", MS_REMOUNT),
  TREE_CLEAR ("rexec", MOUNT_ATTR_NOEXEC),
  EXTENSION ("ridmap", SPEC_MOUNT_RIDMAP),
  TREE_SET ("rnoatime", MOUNT_ATTR_NOATIME),
  TREE_SET ("rnodev", MOUNT_ATTR_NODEV),
  TREE_SET ("rnodiratime", MOUNT_ATTR_NODIRATIME),
  TREE_SET ("rnoexec", MOUNT_ATTR_NOEXEC),
  TREE_CLEAR ("rnorelatime", MOUNT_ATTR_RELATIME),
  TREE_CLEAR ("rnostrictatime", MOUNT_ATTR_STRICTATIME),
  TREE_SET ("rnosuid", MOUNT_ATTR_NOSUID),
  TREE_SET ("rnosymfollow", MOUNT_ATTR_NOSYMFOLLOW),
  SET ("ro", MS_RDONLY),
  PROPAGATION ("rprivate", MS_PRIVATE | MS_REC),
  TREE_SET ("rrelatime", MOUNT_ATTR_RELATIME),
  TREE_SET ("rro", MOUNT_ATTR_RDONLY),
  TREE_CLEAR ("rrw", MOUNT_ATTR_RDONLY),
  PROPAGATION ("rshared", MS_SHARED | MS_REC),
  PROPAGATION ("rslave", MS_SLAVE | MS_REC),
  TREE_SET ("rstrictatime", MOUNT_ATTR_STRICTATIME),
  TREE_CLEAR ("rsuid", MOUNT_ATTR_NOSUID),
  TREE_CLEAR ("rsymfollow", MOUNT_ATTR_NOSYMFOLLOW),
  PROPAGATION ("runbindable", MS_UNBINDABLE | MS_REC),
  CLEAR ("rw", MS_RDONLY),
  PROPAGATION ("shared", MS_SHARED),
  SET ("silent", MS_SILENT),
  PROPAGATION ("slave", MS_SLAVE),
  EXTENSION ("src-nofollow", SPEC_MOUNT_SRC_NOFOLLOW),
  SET ("strictatime", MS_STRICTATIME),
  CLEAR ("suid", MS_NOSUID),
  CLEAR ("symfollow", MS_NOSYMFOLLOW),
  SET ("sync", MS_SYNCHRONOUS),
  EXTENSION ("tmpcopyup", SPEC_MOUNT_TMPCOPYUP),
  PROPAGATION ("unbindable", MS_UNBINDABLE),
};
const size_t spec_mount_option_count = sizeof spec_mount_options / sizeof *spec_mount_options;

static int
compare (const void *name, const void *option)
{
  return strcmp (name, ((const struct spec_mount_option *) option)->name);
}

const struct spec_mount_option *
spec_mount_option_find (const char *name)
{
  return bsearch (name, spec_mount_options, spec_mount_option_count, sizeof *spec_mount_options, compare);
}
