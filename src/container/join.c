/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rules of setns(2): a pid or user namespace must be below ours, and every other must belong to a user namespace
 * over which we have, or init will have, privileges.  The kernel is asked by ioctl_ns(2), which shows parents and
 * owners only as far as we stand above them.  */
#include "container/join.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "plan/plan.h"
#include "plan/wire.h"
#include "spec/names.h"
#include "spec/spec.h"

static bool
same (const struct stat *a, const struct stat *b)
{
  return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool
is_file (int fd, const char *path)
{
  struct stat theirs, ours;

  return fstat (fd, &theirs) == 0 && stat (path, &ours) == 0 && same (&theirs, &ours);
}

static bool
is_below_ours (int fd)
{
  FD_CLEANUP int parent = ioctl (fd, NS_GET_PARENT);

  return parent >= 0;
}

/* Whether the user namespace USER, or one that it is in, was made by who we are: that gives all privileges there.  */
static bool
is_of_our_user (int user)
{
  uid_t owner;
  int fd = fcntl (user, F_DUPFD_CLOEXEC, 3), parent;
  bool found = false;

  while (fd >= 0 && !(found = ioctl (fd, NS_GET_OWNER_UID, &owner) == 0 && owner == geteuid ()))
    {
      parent = ioctl (fd, NS_GET_PARENT);
      fd_close (fd);
      fd = parent;
    }
  fd_close (fd);
  return found;
}

/* Whether the user namespace of the descriptor OWNER, which is closed, is that of USER or below it.  */
static bool
is_within (int owner, int user)
{
  struct stat wanted, st;
  bool found = false;

  if (fstat (user, &wanted) < 0)
    return false;
  while (owner >= 0 && fstat (owner, &st) == 0 && !(found = same (&st, &wanted)))
    {
      int parent = ioctl (owner, NS_GET_PARENT);

      fd_close (owner);
      owner = parent;
    }
  fd_close (owner);
  return found;
}

static const char *
user_obstacle (int fd)
{
  if (is_file (fd, "/proc/self/ns/user"))
    return "is our own, in which we are: leave it out";
  if (!is_below_ours (fd))
    return "is not below our own";
  return geteuid () == 0 || is_of_our_user (fd) ? NULL : "belongs to another user";
}

/* What keeps init from joining the namespace FD of TYPE, or NULL.  USER is the user namespace that is joined, or -1. */
static const char *
obstacle (uint64_t type, int fd, int user)
{
  int owner;

  if (type == CLONE_NEWUSER)
    return user_obstacle (fd);
  if (type == CLONE_NEWPID && !is_below_ours (fd) && !is_file (fd, "/proc/self/ns/pid"))
    return "is not below our own";
  owner = ioctl (fd, NS_GET_USERNS);
  if (owner < 0)
    return "belongs to a user namespace that is not below our own";
  /* Who is not root has no privileges but those that the user namespace gives; and mounting comes after all joins.  */
  if (user >= 0 && (type == CLONE_NEWNS || geteuid () != 0))
    return is_within (owner, user) ? NULL : "does not belong to the user namespace that is joined";
  fd_close (owner);
  return NULL;
}

int
join_check (struct arena *arena, const struct spec *spec, const struct plan *plan, const int32_t *fds,
            struct error *err)
{
  int user = -1;

  for (size_t i = 0; i < plan->open_count; i++)
    if (plan->opens[i].type == CLONE_NEWUSER)
      user = fds[PLAN_FD_OPENED + i];
  for (size_t i = 0; i < plan->open_count; i++)
    {
      const struct plan_open *o = &plan->opens[i];
      const char *why = o->type ? obstacle (o->type, fds[PLAN_FD_OPENED + i], user) : NULL;

      if (why)
        return error_set (err, EPERM, "%s: the %s namespace %s cannot be joined: it %s",
                          spec_where (arena, spec, o->origin), names_of (&spec_namespace_names, (int64_t) o->type),
                          o->path, why);
    }
  return 0;
}
