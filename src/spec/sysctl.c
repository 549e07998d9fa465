/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* linux.sysctl: names, and which namespace keeps the parameter to the container.  */
#include <linux/sched.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/names.h"
#include "spec/names.h"
#include "spec/source.h"
#include "spec/validate.h"

/* Parameters that belong to a namespace, by path below /proc/sys; a last slash stands for all below.  What is not here
 * belongs to the host.  */
static const struct name owners[] = {
  { "net/", CLONE_NEWNET },
  { "user/", CLONE_NEWUSER },
  { "fs/mqueue/", CLONE_NEWIPC },
  { "kernel/domainname", CLONE_NEWUTS },
  { "kernel/auto_msgmni", CLONE_NEWIPC },
  { "kernel/msg_next_id", CLONE_NEWIPC },
  { "kernel/msgmax", CLONE_NEWIPC },
  { "kernel/msgmnb", CLONE_NEWIPC },
  { "kernel/msgmni", CLONE_NEWIPC },
  { "kernel/sem", CLONE_NEWIPC },
  { "kernel/sem_next_id", CLONE_NEWIPC },
  { "kernel/shm_next_id", CLONE_NEWIPC },
  { "kernel/shm_rmid_forced", CLONE_NEWIPC },
  { "kernel/shmall", CLONE_NEWIPC },
  { "kernel/shmmax", CLONE_NEWIPC },
  { "kernel/shmmni", CLONE_NEWIPC },
};

/* Is each component of PATH a name, and not a way up?  */
static bool
is_clean (const char *path)
{
  for (;;)
    {
      size_t length = strcspn (path, "/");
      if (length == 0 || (length == 1 && *path == '.') || (length == 2 && strncmp (path, "..", 2) == 0))
        return false;
      path += length;
      if (*path++ == '\0')
        return true;
    }
}

/* sysctl(8): the separator is the one that comes first; the other is then a plain character, and a dot in the name of a
 * network interface is written as a slash where dots separate.  */
const char *
spec_sysctl_path (struct arena *arena, const char *key)
{
  char *path = arena_strdup (arena, key);
  size_t first = strcspn (path, "./");
  if (path[first] == '.')
    for (char *c = path + first; *c != '\0'; c++)
      *c = *c == '.' ? '/' : *c == '/' ? '.' : *c;
  return is_clean (path) ? path : NULL;
}

/* The type of namespace that owns the parameter at PATH, 0 for the host.  */
static int
owner (const char *path)
{
  for (size_t i = 0; i < sizeof owners / sizeof *owners; i++)
    {
      const char *name = owners[i].name;
      size_t length = strlen (name);
      if (name[length - 1] == '/' ? strncmp (path, name, length) == 0 : strcmp (path, name) == 0)
        return (int) owners[i].value;
    }
  return 0;
}

static int
check_parameter (const struct check *check, const struct spec *spec, const struct spec_pair *pair)
{
  const char *path = spec_sysctl_path (check->arena, pair->key);
  if (path == NULL)
    return COMPLAIN (check, pair, "\"%s\" is no name of a kernel parameter", pair->key);
  if (strcmp (path, "kernel/hostname") == 0)
    {
      int result = COMPLAIN (check, pair, "the host name is not set by sysctl");
      error_hint (check->err, "use the member \"hostname\"");
      return result;
    }
  int type = owner (path);
  if (type == 0)
    return COMPLAIN (check, pair, "\"%s\" belongs to no namespace: it would be set for the host", pair->key);
  if (spec_namespace_find (spec, type) == NULL)
    return COMPLAIN (check, pair, "needs a namespace of type \"%s\": it would be set for the host",
                     names_of (&spec_namespace_names, type));
  return 0;
}

int
spec_check_sysctl (const struct check *check, const struct spec *spec)
{
  int result = 0;
  for (size_t i = 0; spec->linux_ != NULL && i < spec->linux_->sysctl.count && result == 0; i++)
    result = check_parameter (check, spec, &spec->linux_->sysctl.items[i]);
  return result;
}

const struct spec_pair *
spec_sysctl_of (struct arena *arena, const struct spec *spec, int type)
{
  for (size_t i = 0; spec->linux_ != NULL && i < spec->linux_->sysctl.count; i++)
    if (owner (spec_sysctl_path (arena, spec->linux_->sysctl.items[i].key)) == type)
      return &spec->linux_->sysctl.items[i];
  return NULL;
}
