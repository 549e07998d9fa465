/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Labels: what the host offers, whether it knows them, what to write.  */
#include "lsm/lsm.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "lsm/host.h"
#include "spec/spec.h"

static const struct lsm_host this_host = { .root = "", .check_context = selinux_check_context };

/* A label that was asked for, or NULL.  */
static const char *
asked (const char *label)
{
  return label != NULL && label[0] != '\0' ? label : NULL;
}

/* "process.selinuxLabel (config.json:12:3): MESSAGE".  */
#define REFUSE(spec, value, ...) refuse ((spec), (value), sizeof *(value), __VA_ARGS__)

static int __attribute__ ((format (printf, 6, 7)))
refuse (const struct spec *spec, const void *value, size_t size, int code, struct error *err, const char *format, ...)
{
  ARENA_CLEANUP struct arena arena = { 0 };
  va_list args;
  va_start (args, format);
  const char *message = arena_vprintf (&arena, format, args);
  va_end (args);
  return error_set (err, code, "%s: %s", spec_where_of (&arena, spec, value, size), message);
}

/* ---- SELinux ---- */

bool
lsm_host_has_selinux (const struct lsm_host *host)
{
  /* selinuxfs is there if the LSM is active, and it is mounted here by whoever loaded the policy.  */
  char path[PATH_MAX];
  snprintf (path, sizeof path, "%s/sys/fs/selinux/enforce", host->root);
  return selinux_is_built && access (path, F_OK) == 0;
}

/* Checks the label *LABEL, a member of SPEC.  */
static int
check_selinux_label (const struct lsm_host *host, const struct spec *spec, const char *const *label, struct error *err)
{
  if (asked (*label) == NULL)
    return 0;
  if (!selinux_is_built)
    return REFUSE (spec, label, EOPNOTSUPP, err, "this thole was built without SELinux");
  if (!lsm_host_has_selinux (host))
    {
      int r = REFUSE (spec, label, EOPNOTSUPP, err, "SELinux is not enabled on this host");
      error_hint (err, "drop the label \"%s\", or boot with security=selinux and a policy", *label);
      return r;
    }
  /* It goes between quotes into the data of mounts.  No policy has such a label.  */
  if (strchr (*label, '"') != NULL)
    return REFUSE (spec, label, EINVAL, err, "a label has no quotes: %s", *label);
  int r = host->check_context (*label, err);
  if (r == -EINVAL)
    {
      REFUSE (spec, label, EINVAL, err, "the SELinux policy has no label \"%s\"", *label);
      error_hint (err, "a label reads user:role:type:level; seinfo(1) lists what the policy knows");
    }
  else if (r < 0)
    {
      ARENA_CLEANUP struct arena arena = { 0 };
      error_context (err, "%s", spec_where (&arena, spec, label));
    }
  return r;
}

/* ---- AppArmor ---- */

bool
lsm_host_has_apparmor (const struct lsm_host *host)
{
  char path[PATH_MAX], enabled[8];
  snprintf (path, sizeof path, "%s/sys/module/apparmor/parameters/enabled", host->root);
  return fd_read_file_at (AT_FDCWD, path, enabled, sizeof enabled) > 0 && enabled[0] == 'Y';
}

static bool
is_unconfined (const char *profile)
{
  return strcmp (profile, "unconfined") == 0;
}

/* Whether the list of profiles TEXT, with lines "NAME (MODE)", has PROFILE.  */
static bool
is_listed (const char *text, const char *profile)
{
  size_t length = strlen (profile);
  for (const char *line = text; line != NULL; line = strchr (line, '\n'))
    {
      line += *line == '\n';
      if (strncmp (line, profile, length) == 0 && strncmp (line + length, " (", 2) == 0)
        return true;
    }
  return false;
}

/* Whether the kernel has PROFILE loaded.  True also if it cannot be known: the write to attr fails then, in init.  */
static bool
is_loaded (const struct lsm_host *host, const char *profile)
{
  enum
  {
    LIST_SIZE = 1024 * 1024
  };
  if (strstr (profile, "//&") != NULL || profile[0] == ':')
    return true; /* a stack, or a profile of another namespace: not in the list */

  ARENA_CLEANUP struct arena arena = { 0 };
  char path[PATH_MAX], *list = arena_alloc (&arena, LIST_SIZE);
  snprintf (path, sizeof path, "%s/sys/kernel/security/apparmor/profiles", host->root);
  ssize_t length = fd_read_file_at (AT_FDCWD, path, list, LIST_SIZE);
  if (length < 0)
    log_debug ("apparmor: cannot read %s: %s", path, strerror ((int) -length));
  return length < 0 || is_listed (list, profile);
}

static int
check_apparmor_profile (const struct lsm_host *host, const struct spec *spec, struct error *err)
{
  const char *const *profile = &spec->process->apparmor_profile;
  if (asked (*profile) == NULL || is_unconfined (*profile))
    return 0;
  if (!lsm_host_has_apparmor (host))
    {
      int r = REFUSE (spec, profile, EOPNOTSUPP, err, "AppArmor is not enabled on this host");
      error_hint (err, "drop the profile \"%s\", or boot with security=apparmor", *profile);
      return r;
    }
  if (is_loaded (host, *profile))
    return 0;
  int r = REFUSE (spec, profile, EINVAL, err, "no AppArmor profile \"%s\" is loaded", *profile);
  error_hint (err, "load it with apparmor_parser -r FILE; aa-status lists those that are");
  return r;
}

/* ---- both ---- */

int
lsm_host_check (const struct lsm_host *host, const struct spec *spec, struct error *err)
{
  int r = 0;
  if (spec->process != NULL)
    r = check_selinux_label (host, spec, &spec->process->selinux_label, err);
  if (r == 0 && spec->linux_ != NULL)
    r = check_selinux_label (host, spec, &spec->linux_->mount_label, err);
  if (r == 0 && spec->process != NULL)
    r = check_apparmor_profile (host, spec, err);
  return r;
}

/* Where an AppArmor profile is written: in a directory of its own, which tells it from another LSM's word, since 5.8.
 */
static const char *
apparmor_file (const struct lsm_host *host)
{
  char path[PATH_MAX];
  snprintf (path, sizeof path, "%s/proc/thread-self/attr/apparmor/exec", host->root);
  return access (path, F_OK) == 0 ? "apparmor/exec" : "exec";
}

int
lsm_host_exec_attribute (const struct lsm_host *host, struct arena *arena, const struct spec *spec,
                         const char **ret_file, const char **ret_value, struct error *err)
{
  const char *label = spec->process != NULL ? asked (spec->process->selinux_label) : NULL;
  const char *profile = spec->process != NULL ? asked (spec->process->apparmor_profile) : NULL;
  if (profile != NULL && is_unconfined (profile) && !lsm_host_has_apparmor (host))
    profile = NULL;

  if (label != NULL && profile != NULL)
    return REFUSE (spec, &spec->process->apparmor_profile, EINVAL, err,
                   "there is an SELinux label, too; a process has one or the other");
  *ret_file = *ret_value = NULL;
  if (label != NULL)
    {
      *ret_file = "exec";
      *ret_value = label;
    }
  else if (profile != NULL)
    {
      *ret_file = apparmor_file (host);
      *ret_value = arena_printf (arena, "exec %s", profile);
    }
  return 0;
}

bool
lsm_has_selinux (void)
{
  return lsm_host_has_selinux (&this_host);
}

bool
lsm_has_apparmor (void)
{
  return lsm_host_has_apparmor (&this_host);
}

int
lsm_check (const struct spec *spec, struct error *err)
{
  return lsm_host_check (&this_host, spec, err);
}

int
lsm_exec_attribute (struct arena *arena, const struct spec *spec, const char **ret_file, const char **ret_value,
                    struct error *err)
{
  return lsm_host_exec_attribute (&this_host, arena, spec, ret_file, ret_value, err);
}

const char *
lsm_keyring_label (const struct spec *spec)
{
  return spec->process != NULL ? asked (spec->process->selinux_label) : NULL;
}

const char *
lsm_mount_option (struct arena *arena, const char *context, const char *label, const char *fstype)
{
  /* Their inodes get labels from the policy, and most have one superblock for the whole host, which a second context
   * would contradict.  */
  static const char *const own_labels[]
      = { "binfmt_misc", "bpf",  "cgroup", "cgroup2",    "configfs",  "debugfs", "efivarfs",
          "mqueue",      "proc", "pstore", "securityfs", "selinuxfs", "sysfs",   "tracefs" };
  if (asked (label) == NULL || asked (fstype) == NULL || strcmp (fstype, "none") == 0 || strcmp (fstype, "bind") == 0)
    return NULL;
  for (size_t i = 0; i < sizeof own_labels / sizeof *own_labels; i++)
    if (strcmp (fstype, own_labels[i]) == 0)
      return NULL;
  return arena_printf (arena, "%s=\"%s\"", context != NULL ? context : "context", label);
}
