/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Annotations that change what is done with a config: those of runc and crun.  Each is done or refused; who reads the
 * table reads docs/annotations.md.
 *
 * What the specification has a member for by now is put there, so that nothing else needs to know of the annotation. */
#include <errno.h>
#include <limits.h>
#include <linux/sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "spec/names.h"
#include "spec/source.h"
#include "spec/validate.h"

const struct spec_annotation_rule spec_annotations[] = {
  { SPEC_ANNOTATION_KEEP_GROUPS, SPEC_ANNOTATION_ACTS, SPEC_ANNOTATION_FLAG, NULL },
  { SPEC_ANNOTATION_HOOKS_STDOUT, SPEC_ANNOTATION_ACTS, SPEC_ANNOTATION_PATH, NULL },
  { SPEC_ANNOTATION_HOOKS_STDERR, SPEC_ANNOTATION_ACTS, SPEC_ANNOTATION_PATH, NULL },
  { SPEC_ANNOTATION_MOUNT_CONTEXT, SPEC_ANNOTATION_ACTS, SPEC_ANNOTATION_CONTEXT, NULL },
  { SPEC_ANNOTATION_PIDFD_RECEIVER, SPEC_ANNOTATION_ACTS, SPEC_ANNOTATION_PATH, NULL },
  { SPEC_ANNOTATION_SECCOMP_STRICT, SPEC_ANNOTATION_ACTS, SPEC_ANNOTATION_FLAG, NULL },
  { SPEC_ANNOTATION_SYSTEMD_PROPERTY, SPEC_ANNOTATION_ACTS, SPEC_ANNOTATION_ANY, NULL },
  { SPEC_ANNOTATION_SUBGROUP, SPEC_ANNOTATION_ACTS, SPEC_ANNOTATION_CGROUP, NULL },
  { SPEC_ANNOTATION_DELEGATE, SPEC_ANNOTATION_ACTS, SPEC_ANNOTATION_CGROUP, NULL },
  { "run.oci.seccomp.receiver", SPEC_ANNOTATION_ACTS, SPEC_ANNOTATION_RECEIVER, NULL },
  { "run.oci.timens_offset", SPEC_ANNOTATION_ACTS, SPEC_ANNOTATION_OFFSETS, NULL },
  { "org.criu.config", SPEC_ANNOTATION_IDLE, SPEC_ANNOTATION_ANY, "there are no checkpoints yet" },
  { "run.oci.handler", SPEC_ANNOTATION_REFUSED, SPEC_ANNOTATION_ANY, "there is no other handler than thole itself" },
  { "run.oci.seccomp.plugins", SPEC_ANNOTATION_REFUSED, SPEC_ANNOTATION_ANY,
    "no foreign library is loaded; let an agent listen on linux.seccomp.listenerPath" },
  { "run.oci.seccomp_bpf_data", SPEC_ANNOTATION_REFUSED, SPEC_ANNOTATION_ANY,
    "a filter that is no profile cannot be checked; write linux.seccomp" },
  { "run.oci.systemd.force_cgroup_v1", SPEC_ANNOTATION_REFUSED, SPEC_ANNOTATION_ANY,
    "no hierarchy is mounted beside mounts; bind the host's there" },
};
const size_t spec_annotation_count = sizeof spec_annotations / sizeof *spec_annotations;

const struct spec_annotation_rule *
spec_annotation_rule (const char *key)
{
  for (size_t i = 0; i < spec_annotation_count; i++)
    {
      const char *name = spec_annotations[i].name;
      size_t length = strlen (name);
      if (strcmp (key, name) == 0 || (name[length - 1] == '.' && strncmp (key, name, length) == 0))
        return &spec_annotations[i];
    }
  return NULL;
}

const char *
spec_annotation_nearest (const char *key)
{
  struct name rows[sizeof spec_annotations / sizeof *spec_annotations];
  for (size_t i = 0; i < spec_annotation_count; i++)
    rows[i] = (struct name){ .name = spec_annotations[i].name };
  const struct names names = { rows, spec_annotation_count };
  return names_nearest (&names, key);
}

const char *
spec_annotation (const struct spec *spec, const char *key)
{
  for (size_t i = 0; i < spec->annotations.count; i++)
    if (strcmp (spec->annotations.items[i].key, key) == 0)
      return spec->annotations.items[i].value;
  return NULL;
}

static bool
is_true (const char *value)
{
  return strcmp (value, "1") == 0 || strcmp (value, "true") == 0;
}

bool
spec_annotated (const struct spec *spec, const char *key)
{
  const char *value = spec_annotation (spec, key);
  return value != NULL && is_true (value);
}

static int
check_flag (const struct check *check, const struct spec_pair *pair)
{
  if (is_true (pair->value) || strcmp (pair->value, "0") == 0 || strcmp (pair->value, "false") == 0)
    return 0;
  return COMPLAIN (check, pair, "\"%s\" is not 0, 1, false or true", pair->value);
}

static int
check_context (const struct check *check, const struct spec_pair *pair)
{
  /* mount(8), of a mount with a SELinux label.  */
  static const char *const types[] = { "context", "fscontext", "defcontext", "rootcontext" };
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    if (strcmp (pair->value, types[i]) == 0)
      return 0;
  return COMPLAIN (check, pair, "\"%s\" is not context, fscontext, defcontext or rootcontext", pair->value);
}

static int
check_path (const struct check *check, const struct spec_pair *pair)
{
  return *pair->value == '/' ? 0 : COMPLAIN (check, pair, "\"%s\" is not an absolute path", pair->value);
}

static int
check_cgroup (const struct check *check, const struct spec_pair *pair)
{
  if (*pair->value == '.' || strchr (pair->value, '/') != NULL || strlen (pair->value) > NAME_MAX)
    return COMPLAIN (check, pair, "\"%s\" is not the name of a cgroup", pair->value);
  return 0;
}

static int
take_receiver (const struct check *check, const struct spec *spec, const struct spec_pair *pair)
{
  struct spec_seccomp *seccomp = spec->linux_ == NULL ? NULL : spec->linux_->seccomp;
  if (seccomp == NULL)
    return COMPLAIN (check, pair, "needs linux.seccomp");
  if (seccomp->listener_path != NULL)
    return COMPLAIN (check, pair, "linux.seccomp.listenerPath says it, too");
  seccomp->listener_path = pair->value;
  return check_path (check, pair);
}

/* Takes a number off the front of *TEXT.  */
static bool
take_number (const char **text, long long *ret_value)
{
  char *end;
  errno = 0;
  *ret_value = strtoll (*text, &end, 10);
  bool taken = errno == 0 && end != *text;
  *text = end;
  return taken;
}

/* Takes a line "monotonic 3600 0" off the front of *TEXT; clocks may be numbers, too (time_namespaces(7)).  */
static bool
take_offset (struct arena *arena, const char **text, struct spec_time_offsets *offsets)
{
  size_t length = strcspn (*text, " \t");
  const char *clock = arena_strndup (arena, *text, length);
  struct spec_time_offset **offset = NULL, *made = arena_new (arena, struct spec_time_offset);
  long long secs, nanosecs;

  *text += length;
  if (!take_number (text, &secs) || !take_number (text, &nanosecs) || nanosecs < 0 || nanosecs > 999999999)
    return false;
  *made = (struct spec_time_offset){ .secs = { true, secs }, .nanosecs = { true, (uint64_t) nanosecs } };
  if (strcmp (clock, "monotonic") == 0 || strcmp (clock, "1") == 0)
    offset = &offsets->monotonic;
  else if (strcmp (clock, "boottime") == 0 || strcmp (clock, "7") == 0)
    offset = &offsets->boottime;
  if (offset == NULL || *offset != NULL)
    return false;
  *offset = made;
  *text += strspn (*text, " \t\n");
  return true;
}

static int
take_offsets (const struct check *check, const struct spec *spec, const struct spec_pair *pair)
{
  const struct spec_namespace *ns = spec_namespace_find (spec, CLONE_NEWTIME);
  const char *rest = pair->value;

  if (ns == NULL || ns->path != NULL)
    return COMPLAIN (check, pair, "needs a time namespace of the container's own");
  if (spec->linux_->time_offsets != NULL)
    return COMPLAIN (check, pair, "linux.timeOffsets says it, too");
  spec->linux_->time_offsets = arena_new (check->arena, struct spec_time_offsets);
  do
    if (!take_offset (check->arena, &rest, spec->linux_->time_offsets))
      return COMPLAIN (check, pair, "\"%s\" is not like \"monotonic 3600 0\": clock, seconds, nanoseconds",
                       pair->value);
  while (*rest != '\0');
  return 0;
}

static int
take (const struct check *check, const struct spec *spec, const struct spec_pair *pair,
      const struct spec_annotation_rule *rule)
{
  if (rule->effect == SPEC_ANNOTATION_REFUSED)
    return COMPLAIN (check, pair, "not supported: %s", rule->reason);
  switch (rule->value)
    {
    case SPEC_ANNOTATION_FLAG:
      return check_flag (check, pair);
    case SPEC_ANNOTATION_PATH:
      return check_path (check, pair);
    case SPEC_ANNOTATION_CGROUP:
      return check_cgroup (check, pair);
    case SPEC_ANNOTATION_CONTEXT:
      return check_context (check, pair);
    case SPEC_ANNOTATION_RECEIVER:
      return take_receiver (check, spec, pair);
    case SPEC_ANNOTATION_OFFSETS:
      return take_offsets (check, spec, pair);
    case SPEC_ANNOTATION_ANY:
      break;
    }
  return 0;
}

int
spec_take_annotations (const struct check *check, const struct spec *spec)
{
  int result = 0;
  for (size_t i = 0; i < spec->annotations.count && result == 0; i++)
    {
      const struct spec_pair *pair = &spec->annotations.items[i];
      const struct spec_annotation_rule *rule = spec_annotation_rule (pair->key);
      if (*pair->key == '\0')
        result = COMPLAIN (check, pair, "the name must not be empty");
      else if (rule != NULL)
        result = take (check, spec, pair, rule);
    }
  return result;
}
