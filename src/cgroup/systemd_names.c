/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From linux.cgroupsPath to a unit, as runc, Podman and containerd have agreed on it:
 *
 *     slice:prefix:name         the scope prefix-name.scope in slice
 *     :prefix:name              in system.slice; for a user in user.slice
 *     slice:prefix:name.slice   a slice
 *     nothing                   thole-ID.scope in system.slice or user.slice
 *
 * The dashes of a slice's name are its place: a-b.slice is in a.slice, and "-.slice" is the root (systemd.slice(5)). */
#include "cgroup/systemd.h"

#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/strbuf.h"

#define SCOPE ".scope"
#define SLICE ".slice"
#define ROOT_SLICE "-.slice"

enum
{
  UNIT_NAME_LENGTH_MAX = 255,
};

static bool
ends_with (const char *text, const char *end)
{
  size_t length = strlen (text), end_length = strlen (end);
  return length > end_length && strcmp (text + length - end_length, end) == 0;
}

/* What systemd.unit(5) allows; "@" would make an instance of a template.  */
static int
check_unit (const char *name, struct error *err)
{
  static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\";
  if (strlen (name) > UNIT_NAME_LENGTH_MAX)
    return error_set (err, ENAMETOOLONG, "the unit %s has a name of more than %d bytes", name, UNIT_NAME_LENGTH_MAX);
  size_t good = strspn (name, allowed);
  if (name[good] == '\0')
    return 0;
  int r = error_set (err, EINVAL, "the unit %s cannot be: systemd has no \"%c\" in names", name, name[good]);
  error_hint (err, "name it with linux.cgroupsPath, slice:prefix:name, or choose another id");
  return r;
}

/* Appends "/a.slice/a-b.slice" for SLICE "a-b.slice"; nothing for the root.  */
static int
expand_slice (struct strbuf *path, const char *slice, struct error *err)
{
  size_t length = strlen (slice) - strlen (SLICE);
  if (strcmp (slice, ROOT_SLICE) == 0)
    return 0;
  for (size_t at = 0; at <= length; at++)
    {
      if (at < length && slice[at] != '-')
        continue;
      if (at == 0 || slice[at - 1] == '-')
        return error_set (err, EINVAL, "\"%s\" is no slice: a part of its name is empty", slice);
      strbuf_printf (path, "/%.*s" SLICE, (int) at, slice);
    }
  return 0;
}

/* The slice that SLICE is in.  */
static const char *
slice_above (struct arena *arena, const char *slice)
{
  const char *dash = strrchr (slice, '-');
  return dash == NULL ? ROOT_SLICE : arena_printf (arena, "%.*s" SLICE, (int) (dash - slice), slice);
}

/* Splits TEXT at its two colons.  */
static bool
split (struct arena *arena, const char *text, char *part[3])
{
  char *rest = arena_strdup (arena, text);
  for (int i = 0; i < 3; i++)
    part[i] = strsep (&rest, ":");
  return rest == NULL && part[2] != NULL && *part[2] != '\0';
}

int
unit_name_parse (struct arena *arena, const char *cgroups_path, const char *id, bool user, struct unit_name *ret_name,
                 struct error *err)
{
  bool said = cgroups_path != NULL && *cgroups_path != '\0';
  char *part[3];
  if (!split (arena, said ? cgroups_path : arena_printf (arena, ":thole:%s", id), part))
    {
      error_set (err, EINVAL,
                 "expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, got \"%s\" instead",
                 cgroups_path);
      error_hint (err, "for a path use --cgroup-manager cgroupfs; \":thole:%s\" is what stands for none", id);
      return -EINVAL;
    }

  if (said && strcmp (part[2], ROOT_SLICE) == 0)
    return error_set (err, EINVAL, "\"%s\" is the root of all slices, which no container can have", part[2]);
  /* Only a name that was said is a slice: an id may be anything.  */
  struct unit_name name = { .is_slice = said && ends_with (part[2], SLICE) };
  name.unit = name.is_slice ? part[2] : arena_printf (arena, "%s-%s" SCOPE, part[1], part[2]);
  name.slice = *part[0] != '\0' ? part[0]
               : name.is_slice  ? slice_above (arena, name.unit)
               : user           ? "user" SLICE
                                : "system" SLICE;
  int r = check_unit (name.slice, err);
  if (r == 0)
    r = check_unit (name.unit, err);
  if (r < 0)
    return r;
  if (!ends_with (name.slice, SLICE))
    return error_set (err, EINVAL, "\"%s\" is no slice: its name must end with " SLICE, name.slice);
  if (name.is_slice && strcmp (name.slice, slice_above (arena, name.unit)) != 0)
    return error_set (err, EINVAL, "the slice %s is in %s by its name, not in %s", name.unit,
                      slice_above (arena, name.unit), name.slice);

  struct strbuf path = STRBUF_INIT (arena);
  r = expand_slice (&path, name.is_slice ? name.unit : name.slice, err);
  if (r < 0)
    return r;
  if (!name.is_slice)
    strbuf_printf (&path, "/%s", name.unit);
  name.path = strbuf_text (&path);
  *ret_name = name;
  return 0;
}
