/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rules of config.md, without the process's.  */
#include "spec/validate.h"

#include <errno.h>
#include <linux/sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "spec/names.h"
#include "spec/source.h"

/* Skips decimal digits without a leading zero; NULL if there are none.  */
static const char *
skip_number (const char *text)
{
  size_t digits = strspn (text, "0123456789");
  return digits == 0 || (digits > 1 && *text == '0') ? NULL : text + digits;
}

/* Skips the dot-separated identifiers of a pre-release or build; NULL if one is empty, or has a leading zero that may
 * not.
 */
static const char *
skip_identifiers (const char *text, bool leading_zero)
{
  static const char identifier[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-";
  for (;; text++)
    {
      size_t length = strspn (text, identifier), digits = strspn (text, "0123456789");
      if (length == 0 || (!leading_zero && digits == length && length > 1 && *text == '0'))
        return NULL;
      text += length;
      if (*text != '.')
        return text;
    }
}

/* https://semver.org/spec/v2.0.0.html: MAJOR.MINOR.PATCH[-PRERELEASE][+BUILD].  */
static bool
is_version (const char *text)
{
  for (int part = 0; part < 3 && text != NULL; part++)
    {
      if (part > 0 && *text++ != '.')
        return false;
      text = skip_number (text);
    }
  if (text != NULL && *text == '-')
    text = skip_identifiers (text + 1, false);
  if (text != NULL && *text == '+')
    text = skip_identifiers (text + 1, true);
  return text != NULL && *text == '\0';
}

/* Any version will do: a config is never refused only because it is newer than we are.  */
static int
check_version (const struct check *check, const struct spec *spec)
{
  if (is_version (spec->oci_version))
    return 0;
  int result = COMPLAIN (check, &spec->oci_version, "\"%s\" is no version", spec->oci_version);
  error_hint (check->err, "versions look like \"" SPEC_VERSION "\"");
  return result;
}

/* VERSION, which is one, is of a release before 1.MINOR.  */
static bool
is_before (const char *version, unsigned long minor)
{
  char *end;
  unsigned long major = strtoul (version, &end, 10);
  return major < 1 || (major == 1 && strtoul (end + 1, NULL, 10) < minor);
}

/* Before 1.3 specs-go could not tell a limit of 0 from none, and callers mean none: Podman writes it for
 * --pids-limit=-1.  So runc and crun took it.  */
static int
take_pids_limit (const struct check *check, const struct spec *spec)
{
  (void) check;
  struct spec_pids *pids = spec->linux_ && spec->linux_->resources ? spec->linux_->resources->pids : NULL;
  if (pids != NULL && pids->limit.set && pids->limit.value == 0 && is_before (spec->oci_version, 3))
    pids->limit.value = -1;
  return 0;
}

static int
check_root (const struct check *check, const struct spec *spec)
{
  if (*spec->root->path == '\0')
    return COMPLAIN (check, &spec->root->path, "must not be empty");
  return 0;
}

/* What would happen on the host when the container has no mount namespace.  */
static int
check_mount_namespace (const struct check *check, const struct spec *spec)
{
  const struct spec_linux *lin = spec->linux_;
  if (spec_namespace_find (spec, CLONE_NEWNS) != NULL)
    return 0;
  const char *why = "needs a mount namespace: it would be done to the host";
  if (spec->mounts.count > 0)
    return COMPLAIN (check, &spec->mounts, "%s", why);
  if (spec->root->readonly.value)
    return COMPLAIN (check, &spec->root->readonly, "%s", why);
  if (lin == NULL)
    return 0;
  if (lin->masked_paths.count > 0)
    return COMPLAIN (check, &lin->masked_paths, "%s", why);
  if (lin->readonly_paths.count > 0)
    return COMPLAIN (check, &lin->readonly_paths, "%s", why);
  if (lin->rootfs_propagation.set)
    return COMPLAIN (check, &lin->rootfs_propagation, "%s", why);
  return 0;
}

/* sethostname(2) and setdomainname(2) take 64 bytes (__NEW_UTS_LEN) and act on the UTS namespace one is in.  */
static int
check_uts_name (const struct check *check, const struct spec *spec, const char *const *name)
{
  enum
  {
    LONGEST = 64
  };
  if (*name == NULL || **name == '\0')
    return 0;
  if (strlen (*name) > LONGEST)
    return COMPLAIN (check, name, "longer than %d bytes", LONGEST);
  if (spec_namespace_find (spec, CLONE_NEWUTS) == NULL)
    return COMPLAIN (check, name, "needs a UTS namespace: it would be set for the host");
  return 0;
}

static int
check_uts (const struct check *check, const struct spec *spec)
{
  int result = check_uts_name (check, spec, &spec->hostname);
  return result == 0 ? check_uts_name (check, spec, &spec->domainname) : result;
}

static int
check_id_mapped (const struct check *check, const struct spec *spec, const struct spec_mount *mount)
{
  if ((mount->uid_mappings.count > 0) != (mount->gid_mappings.count > 0))
    return COMPLAIN (check, mount, "uidMappings and gidMappings go together");
  for (size_t i = 0; i < mount->options.count; i++)
    {
      const struct spec_mount_option *option = spec_mount_option_find (mount->options.items[i]);
      bool id_mapped = option != NULL && option->kind == SPEC_MOUNT_EXTENSION
                       && (option->value & (SPEC_MOUNT_IDMAP | SPEC_MOUNT_RIDMAP)) != 0;
      if (id_mapped && mount->uid_mappings.count == 0 && spec_namespace_find (spec, CLONE_NEWUSER) == NULL)
        return COMPLAIN (check, &mount->options.items[i], "needs uidMappings and gidMappings, or a user namespace");
    }
  int result = spec_check_mappings (check, &mount->uid_mappings);
  return result == 0 ? spec_check_mappings (check, &mount->gid_mappings) : result;
}

static int
check_mounts (const struct check *check, const struct spec *spec)
{
  for (size_t i = 0; i < spec->mounts.count; i++)
    {
      const struct spec_mount *mount = &spec->mounts.items[i];
      if (*mount->destination == '\0')
        return COMPLAIN (check, &mount->destination, "must not be empty");
      int result = check_id_mapped (check, spec, mount);
      if (result < 0)
        return result;
    }
  return 0;
}

static int
check_hook_list (const struct check *check, const struct spec_hook_list *hooks)
{
  for (size_t i = 0; i < hooks->count; i++)
    {
      int result = spec_check_absolute (check, &hooks->items[i].path);
      if (result == 0)
        result = spec_check_environment (check, &hooks->items[i].env);
      if (result < 0)
        return result;
    }
  return 0;
}

/* Such a process cannot fork (sched(7)), and what starts these hooks is scheduled already as the program will be.  */
static int
check_hooks_of_deadline (const struct check *check, const struct spec *spec)
{
  const struct spec_scheduler *scheduler = spec->process == NULL ? NULL : spec->process->scheduler;
  if (spec->hooks->start_container.count == 0 || scheduler == NULL || scheduler->policy.value != SCHED_DEADLINE
      || (scheduler->flags.value & SCHED_FLAG_RESET_ON_FORK) != 0)
    return 0;
  return COMPLAIN (check, &spec->hooks->start_container,
                   "a process of SCHED_DEADLINE starts no other without SCHED_FLAG_RESET_ON_FORK");
}

static int
check_hooks (const struct check *check, const struct spec *spec)
{
  const struct spec_hooks *hooks = spec->hooks;
  if (hooks == NULL)
    return 0;
  const struct spec_hook_list *const lists[] = {
    &hooks->prestart,        &hooks->create_runtime, &hooks->create_container,
    &hooks->start_container, &hooks->poststart,      &hooks->poststop,
  };
  int result = 0;
  for (size_t i = 0; i < sizeof lists / sizeof *lists && result == 0; i++)
    result = check_hook_list (check, lists[i]);
  return result == 0 ? check_hooks_of_deadline (check, spec) : result;
}

static int
check_process (const struct check *check, const struct spec *spec)
{
  return spec->process == NULL ? 0 : spec_check_process (check, spec->process);
}

int
spec_check_absolute (const struct check *check, const char *const *path)
{
  return **path == '/' ? 0 : COMPLAIN (check, path, "\"%s\" is not an absolute path", *path);
}

int
spec_validate (struct arena *arena, const struct spec *spec, struct error *err)
{
  static int (*const checks[]) (const struct check *, const struct spec *) = {
    spec_take_annotations, check_version, take_pids_limit, check_root,       check_process,     check_mounts,
    check_mount_namespace, check_uts,     check_hooks,     spec_check_linux, spec_check_sysctl, spec_check_resources,
  };
  struct check check = { arena, spec->source, err };
  int result = 0;
  for (size_t i = 0; i < sizeof checks / sizeof *checks && result == 0; i++)
    result = checks[i](&check, spec);
  return result;
}
