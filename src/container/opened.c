/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/opened.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/mount.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/syscalls.h"
#include "container/join.h"
#include "container/mount_ids.h"
#include "plan/plan.h"
#include "spec/names.h"
#include "spec/spec.h"

/* Beside so few descriptors there is room enough for what init opens itself.  */
#define OPENED_FEW 256

static const char *
namespace_name (int64_t type)
{
  const char *name = names_of (&spec_namespace_names, type);

  return name ? name : "unknown";
}

/* What the config would change in a namespace of TYPE: the address of the value, or NULL.  */
static const void *
changed_in (struct arena *arena, const struct spec *spec, int type)
{
  if (type == CLONE_NEWNS)
    return spec->root;
  if (type == CLONE_NEWUTS && spec->hostname && *spec->hostname)
    return &spec->hostname;
  if (type == CLONE_NEWUTS && spec->domainname && *spec->domainname)
    return &spec->domainname;
  return spec_sysctl_of (arena, spec, type);
}

/* FD may be our own namespace, the host's: then what validation refuses without a namespace must be refused with it. */
static int
check_not_ours (struct arena *arena, const struct spec *spec, int fd, int type, struct error *err)
{
  const void *value = changed_in (arena, spec, type);
  const char *name = type == CLONE_NEWNS ? "mnt" : type == CLONE_NEWNET ? "net" : namespace_name (type);
  struct stat theirs, ours;

  if (!value)
    return 0;
  if (fstat (fd, &theirs) < 0 || stat (arena_printf (arena, "/proc/self/ns/%s", name), &ours) < 0)
    return error_sys (err, errno, "look at the %s namespace", name);
  if (theirs.st_dev != ours.st_dev || theirs.st_ino != ours.st_ino)
    return 0;
  return error_set (err, EINVAL, "%s: the %s namespace that the container joins is the host's, which it would change",
                    spec_where_of (arena, spec, value, 1), namespace_name (type));
}

static int
open_namespace (struct arena *arena, const struct spec *spec, const struct plan_open *open_, int *ret_fd,
                struct error *err)
{
  const char *where = spec_where (arena, spec, open_->origin), *wanted = namespace_name ((int64_t) open_->type);
  FD_CLEANUP int fd = open (open_->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  int type, result;

  if (fd < 0)
    return error_sys (err, errno, "%s: open the %s namespace %s", where, wanted, open_->path);
  type = ioctl (fd, NS_GET_NSTYPE);
  if (type < 0)
    return error_set (err, EINVAL, "%s: %s is not a %s namespace, nor any other", where, open_->path, wanted);
  if ((uint64_t) type != open_->type)
    return error_set (err, EINVAL, "%s: %s is not a %s namespace but a %s one", where, open_->path, wanted,
                      namespace_name (type));
  result = check_not_ours (arena, spec, fd, type, err);
  if (result == 0)
    *ret_fd = fd_take (&fd);
  return result;
}

/* Who is root of a user namespace, but not of the mounts there are, may copy none: then -1, and it is left to init in
 * its own mount namespace.  */
static int
open_tree (struct arena *arena, const struct spec *spec, const struct plan_open *open_, int *ret_fd, struct error *err)
{
  int fd = sys_open_tree (AT_FDCWD, open_->path,
                          OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (open_->recursive ? AT_RECURSIVE : 0)
                              | (open_->nofollow ? AT_SYMLINK_NOFOLLOW : 0));

  int result;

  if (fd >= 0 || (errno == EPERM && !open_->ids))
    {
      *ret_fd = fd;
      return 0;
    }
  result = error_sys (err, errno, "%s: bind %s", spec_where (arena, spec, open_->origin), open_->path);
  if (result == -ENOSYS)
    error_hint (err, PLAN_HINT_MOUNT_CALLS);
  return result;
}

static int
copy_given (int given, int *ret_fd, struct error *err)
{
  *ret_fd = fcntl (given, F_DUPFD_CLOEXEC, 3);
  return *ret_fd >= 0 ? 0 : error_sys (err, errno, "copy a descriptor");
}

/* Maps the ids of TREE.  The namespaces that are made for that are kept in NAMESPACES, one for each of plan->ids.  */
static int
map_ids (struct arena *arena, const struct spec *spec, const struct plan *plan, const int32_t *fds,
         const struct plan_open *open_, int tree, int *namespaces, struct error *err)
{
  uint32_t index = open_->ids - 1;
  const struct plan_ids *ids = &plan->ids[index];

  if (ids->joined)
    return mount_ids_apply (arena, spec, open_, tree, fds[ids->joined], err);
  if (namespaces[index] < 0)
    namespaces[index] = mount_ids_namespace (arena, spec, ids, open_->origin, err);
  return namespaces[index] < 0 ? namespaces[index] : mount_ids_apply (arena, spec, open_, tree, namespaces[index], err);
}

/* A container may want more opened than a process may have open.  Then the soft limit is lifted for that alone, and
 * what is opened gets numbers above it: init has those below it for itself.  Whether it is; *RET_LIMIT is for
 * afterwards.  */
static bool
lift_limit (const struct plan *plan, struct rlimit *ret_limit)
{
  struct rlimit limit, lifted;

  if (plan->open_count <= OPENED_FEW || getrlimit (RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= limit.rlim_max
      || limit.rlim_cur > INT_MAX)
    return false;
  lifted = (struct rlimit){ limit.rlim_max, limit.rlim_max };
  *ret_limit = limit;
  return setrlimit (RLIMIT_NOFILE, &lifted) == 0;
}

/* FD under a number from LOWEST on, where there is one.  */
static int
move_above (int fd, rlim_t lowest)
{
  int above = fcntl (fd, F_DUPFD_CLOEXEC, (int) lowest);

  if (above < 0)
    return fd;
  close (fd);
  return above;
}

int
opened_fill (struct arena *arena, const struct spec *spec, const struct plan *plan, int32_t *fds, struct error *err)
{
  int *namespaces = plan->ids_count ? arena_array (arena, int, plan->ids_count) : NULL;
  struct rlimit limit;
  bool lifted = lift_limit (plan, &limit);
  int result = 0;

  for (size_t i = 0; i < plan->ids_count; i++)
    namespaces[i] = -1;
  for (size_t i = 0; i < plan->open_count && result >= 0; i++)
    {
      const struct plan_open *o = &plan->opens[i];
      int fd = -1;

      result = o->given  ? copy_given (*o->given, &fd, err)
               : o->type ? open_namespace (arena, spec, o, &fd, err)
                         : open_tree (arena, spec, o, &fd, err);
      if (fd >= 0 && lifted)
        fd = move_above (fd, limit.rlim_cur);
      fds[PLAN_FD_OPENED + i] = fd;
      if (result == 0 && o->ids)
        result = map_ids (arena, spec, plan, fds, o, fd, namespaces, err);
    }
  for (size_t i = 0; i < plan->ids_count; i++)
    fd_close (namespaces[i]);
  if (lifted)
    (void) setrlimit (RLIMIT_NOFILE, &limit);
  return result == 0 ? join_check (arena, spec, plan, fds, err) : result;
}
