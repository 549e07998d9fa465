/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel takes the mapping of a mount from a user namespace, and gives a user namespace to processes only: so one
 * is born into it, gets its maps, and has done its work once there is a descriptor of the namespace.  */
#include "container/mount_ids.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/syscalls.h"
#include "container/id_map.h"
#include "spec/spec.h"

/* The child: holds its namespace, and nothing else of ours, until it is killed, or PARENT ends.  */
static _Noreturn void
hold_namespace (pid_t parent)
{
  syscall (SYS_close_range, 0, ~0u, 0);
  if (syscall (SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0)
    while (syscall (SYS_getppid) == parent)
      pause ();
  _exit (0);
}

static int
open_user_namespace (pid_t pid)
{
  char path[64];
  int fd;

  snprintf (path, sizeof path, "/proc/%d/ns/user", (int) pid);
  fd = open (path, O_RDONLY | O_CLOEXEC);
  return fd < 0 ? -errno : fd;
}

int
mount_ids_namespace (struct arena *arena, const struct spec *spec, const struct plan_ids *ids, const void *origin,
                     struct error *err)
{
  pid_t parent = getpid ();
  /* No signal tells of its end: to our caller, who may wait for any child, it does not exist.  */
  pid_t pid = sys_clone (CLONE_NEWUSER);
  int fd, result;

  if (pid == 0)
    hold_namespace (parent);
  if (pid < 0)
    {
      result
          = error_sys (err, errno, "%s: make a user namespace for its id mappings", spec_where (arena, spec, origin));
      if (result == -ENOSPC || result == -EUSERS)
        error_hint (err, "the limit on namespaces is reached: see /proc/sys/user/max_user_namespaces");
      return result;
    }
  result = id_map_write (arena, pid, spec, ids->uids, ids->gids, PLAN_ID_MAP_WRITE, err);
  fd = result == 0 ? open_user_namespace (pid) : -1;
  if (kill (pid, SIGKILL) == 0) /* our own child, not reaped yet; whatever happens, it ends with us */
    waitpid (pid, NULL, __WALL);
  if (result < 0)
    return result;
  return fd >= 0
             ? fd
             : error_sys (err, fd, "%s: open the user namespace of its id mappings", spec_where (arena, spec, origin));
}

/* The type of the file system that TREE is of, if mountinfo has it; else NULL.  */
static const char *
type_of (struct arena *arena, int tree)
{
  FILE *file = fopen ("/proc/thread-self/mountinfo", "re");
  const char *device, *found = NULL;
  char *line = NULL;
  size_t size = 0;
  struct stat st;

  if (!file)
    return NULL;
  if (fstat (tree, &st) == 0)
    {
      device = arena_printf (arena, " %u:%u ", major (st.st_dev), minor (st.st_dev));
      while (!found && getline (&line, &size, file) >= 0)
        {
          const char *type = strstr (line, " - ");

          if (type && strstr (line, device))
            found = arena_strndup (arena, type + 3, strcspn (type + 3, " "));
        }
    }
  free (line);
  fclose (file);
  return found;
}

static void
add_hint (struct arena *arena, const struct plan_open *open_, int tree, int error, struct error *err)
{
  const char *type = error == EINVAL ? type_of (arena, tree) : NULL;

  if (error == ENOSYS)
    error_hint (err, "id-mapped mounts need Linux 5.12");
  else if (error == EINVAL)
    error_hint (err, "%s%s does not support id mappings on this kernel", type ? type : "the file system",
                open_->recursive && open_->ids_of_all ? " or a file system mounted below" : "");
  else if (error == EPERM)
    error_hint (err,
                "the mount may have an id mapping already, the file system belong to another user namespace, or the "
                "one that is joined be the host's");
}

int
mount_ids_apply (struct arena *arena, const struct spec *spec, const struct plan_open *open_, int tree, int namespace,
                 struct error *err)
{
  const struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t) namespace };
  int error;

  if (sys_mount_setattr (tree, open_->ids_of_all ? AT_RECURSIVE : 0, &attr) == 0)
    return 0;
  error = errno;
  error_sys (err, error, "%s: map the ids of %s: mount_setattr", spec_where (arena, spec, open_->origin), open_->path);
  add_hint (arena, open_, tree, error, err);
  return -error;
}
