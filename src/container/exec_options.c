/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/exec_options.h"

#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/names.h"
#include "spec/names.h"
#include "spec/spec.h"
#include "thole/thole.h"

#define ID_MAX (UINT32_MAX - 1) /* (uid_t) -1 means "no change" to the kernel */

static size_t
count_of (const char *const *list)
{
  size_t count = 0;
  while (list != NULL && list[count] != NULL)
    count++;
  return count;
}

/* Adds the words of LIST to STRINGS.  */
static void
append (struct arena *arena, struct spec_strings *strings, const char *const *list)
{
  size_t more = count_of (list);
  if (more == 0)
    return;
  const char **items = arena_array (arena, const char *, strings->count + more);
  if (strings->count > 0)
    memcpy (items, strings->items, strings->count * sizeof *items);
  memcpy (items + strings->count, list, more * sizeof *items);
  *strings = (struct spec_strings){ .items = items, .count = strings->count + more };
}

/* The id that the LENGTH bytes at TEXT are: digits, and nothing else.  A name would have to be looked up in files of
 * the image, and what is misread is root.  */
static bool
parse_id (const char *text, size_t length, uint64_t *ret_id)
{
  uint64_t id = 0;
  for (size_t i = 0; i < length; i++)
    {
      if (text[i] < '0' || text[i] > '9')
        return false;
      id = id * 10 + (uint64_t) (text[i] - '0');
      if (id > ID_MAX)
        return false;
    }
  *ret_id = id;
  return length > 0;
}

static int
apply_user (const char *text, struct spec_user *user, struct error *err)
{
  if (text == NULL)
    return 0;
  const char *colon = strchr (text, ':');
  uint64_t uid, gid = user->gid.value;
  if (!parse_id (text, colon != NULL ? (size_t) (colon - text) : strlen (text), &uid)
      || (colon != NULL && !parse_id (colon + 1, strlen (colon + 1), &gid)))
    return error_set (err, EINVAL, "--user: \"%s\" is not of the form UID[:GID], with numbers from 0 to %u", text,
                      ID_MAX);
  user->uid = (struct spec_uint){ .set = true, .value = uid };
  user->gid = (struct spec_uint){ .set = true, .value = gid };
  return 0;
}

static int
apply_groups (struct arena *arena, const char *const *list, struct spec_uints *groups, struct error *err)
{
  size_t more = count_of (list);
  if (more == 0)
    return 0;
  uint64_t *items = arena_array (arena, uint64_t, groups->count + more);
  if (groups->count > 0)
    memcpy (items, groups->items, groups->count * sizeof *items);
  for (size_t i = 0; i < more; i++)
    if (!parse_id (list[i], strlen (list[i]), &items[groups->count + i]))
      return error_set (err, EINVAL, "--additional-gids: \"%s\" is not a number from 0 to %u", list[i], ID_MAX);
  *groups = (struct spec_uints){ .items = items, .count = groups->count + more };
  return 0;
}

/* Never to the inheritable set, which would give them to files of the image that have them inheritable, whoever
 * executes those (CVE-2022-29162).  */
static int
apply_capabilities (struct arena *arena, const char *const *list, struct spec_process *process, struct error *err)
{
  size_t more = count_of (list);
  if (more == 0)
    return 0;
  for (size_t i = 0; i < more; i++)
    if (spec_capability (list[i]) < 0)
      {
        const char *nearest = names_nearest (&spec_capability_names, list[i]);
        error_set (err, EINVAL, "--cap: no such capability: \"%s\"", list[i]);
        if (nearest != NULL)
          error_hint (err, "did you mean %s?", nearest);
        return -EINVAL;
      }
  struct spec_capabilities *sets = arena_new (arena, struct spec_capabilities);
  if (process->capabilities != NULL)
    *sets = *process->capabilities;
  append (arena, &sets->bounding, list);
  append (arena, &sets->permitted, list);
  append (arena, &sets->effective, list);
  process->capabilities = sets;
  return 0;
}

static int
apply_environment (struct arena *arena, const char *const *list, struct spec_strings *env, struct error *err)
{
  for (size_t i = 0; i < count_of (list); i++)
    {
      const char *equals = strchr (list[i], '=');
      if (equals == NULL || equals == list[i])
        return error_set (err, EINVAL, "--env: \"%s\" is not of the form NAME=VALUE", list[i]);
    }
  append (arena, env, list);
  return 0;
}

int
exec_options_apply (struct arena *arena, const struct thole_exec_options *options, struct spec_process *process,
                    struct error *err)
{
  int r;
  if (count_of (options->args) > 0)
    {
      process->args = (struct spec_strings){ 0 };
      append (arena, &process->args, options->args);
    }
  if (process->args.count == 0)
    return error_set (err, EINVAL, "there is no program to execute");
  if (options->cwd != NULL)
    process->cwd = options->cwd;
  if (process->cwd == NULL || process->cwd[0] != '/')
    return error_set (err, EINVAL, "--cwd: \"%s\" is not an absolute path", process->cwd);
  if ((r = apply_user (options->user, &process->user, err)) < 0
      || (r = apply_groups (arena, options->additional_gids, &process->user.additional_gids, err)) < 0
      || (r = apply_capabilities (arena, options->caps, process, err)) < 0
      || (r = apply_environment (arena, options->env, &process->env, err)) < 0)
    return r;
  if (options->apparmor != NULL)
    process->apparmor_profile = options->apparmor;
  if (options->process_label != NULL)
    process->selinux_label = options->process_label;
  if (options->tty)
    process->terminal = (struct spec_bool){ .set = true, .value = true };
  if (options->no_new_privs)
    process->no_new_privileges = (struct spec_bool){ .set = true, .value = true };
  return 0;
}
