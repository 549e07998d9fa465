/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/features.h"

#include "base/json.h"
#include "base/strbuf.h"
#include "cgroup/cgroup.h"
#include "commit.h"
#include "config.h"
#include "host/host.h"
#include "lsm/lsm.h"
#include "plan/plan.h"
#include "seccomp/seccomp.h"
#include "spec/names.h"
#include "spec/schema.h"
#include "spec/spec.h"

/* The oldest configs of whose rules the newer ones are a superset.  */
#define OLDEST_VERSION "1.0.0"

static void
write_names (struct json_writer *w, const char *member, const struct names *names)
{
  json_array_begin (w, member);
  for (size_t i = 0; i < names->count; i++)
    json_string (w, NULL, names->rows[i].name);
  json_array_end (w);
}

static void
write_hooks (struct json_writer *w)
{
  json_array_begin (w, "hooks");
  for (size_t i = 0; i < schema_hooks.count; i++)
    json_string (w, NULL, schema_hooks.rows[i].name);
  json_array_end (w);
}

static void
write_mount_options (struct json_writer *w)
{
  json_array_begin (w, "mountOptions");
  for (size_t i = 0; i < spec_mount_option_count; i++)
    if (plan_takes_mount_option (&spec_mount_options[i]))
      json_string (w, NULL, spec_mount_options[i].name);
  json_array_end (w);
}

/* Those that the kernel knows: to name more of them invites configs that get a warning.  */
static void
write_capabilities (struct json_writer *w)
{
  const struct names *names = &spec_capability_names;
  int last = host_last_capability ();
  json_array_begin (w, "capabilities");
  for (size_t i = 0; i < names->count; i++)
    if (last < 0 || names->rows[i].value <= last)
      json_string (w, NULL, names->rows[i].name);
  json_array_end (w);
}

static void
write_cgroup (struct json_writer *w)
{
  json_object_begin (w, "cgroup");
  json_bool (w, "v1", true);
  json_bool (w, "v2", true);
  json_bool (w, "systemd", cgroup_systemd_is_built);
  json_bool (w, "systemdUser", cgroup_systemd_is_built);
  json_bool (w, "rdma", true);
  json_object_end (w);
}

static void
write_seccomp (struct json_writer *w)
{
  json_object_begin (w, "seccomp");
  json_bool (w, "enabled", seccomp_is_built);
  if (seccomp_is_built)
    {
      const struct names *flags = &spec_seccomp_flag_names;
      write_names (w, "actions", &spec_seccomp_action_names);
      write_names (w, "operators", &spec_seccomp_op_names);
      write_names (w, "archs", &spec_seccomp_arch_names);
      write_names (w, "knownFlags", flags);
      json_array_begin (w, "supportedFlags");
      for (size_t i = 0; i < flags->count; i++)
        if (seccomp_knows_flag ((uint32_t) flags->rows[i].value))
          json_string (w, NULL, flags->rows[i].name);
      json_array_end (w);
    }
  json_object_end (w);
}

/* A member that says no more than whether something is there.  */
static void
write_enabled (struct json_writer *w, const char *member, bool enabled)
{
  json_object_begin (w, member);
  json_bool (w, "enabled", enabled);
  json_object_end (w);
}

static void
write_linux (struct json_writer *w)
{
  json_object_begin (w, "linux");
  write_names (w, "namespaces", &spec_namespace_names);
  write_capabilities (w);
  write_cgroup (w);
  write_seccomp (w);
  write_enabled (w, "apparmor", true);
  write_enabled (w, "selinux", selinux_is_built);
  json_object_begin (w, "intelRdt");
  json_bool (w, "enabled", true);
  json_bool (w, "schemata", true);
  json_bool (w, "monitoring", true);
  json_object_end (w);
  json_object_begin (w, "memoryPolicy");
  write_names (w, "modes", &spec_mempolicy_names);
  write_names (w, "flags", &spec_mempolicy_flag_names);
  json_object_end (w);
  json_object_begin (w, "mountExtensions");
  write_enabled (w, "idmap", plan_takes_mount_option (spec_mount_option_find ("idmap")));
  json_object_end (w);
  write_enabled (w, "netDevices", true);
  json_object_end (w);
}

static void
write_annotations (struct json_writer *w, struct arena *arena)
{
  const char *seccomp = seccomp_library_version (arena);
  json_object_begin (w, "annotations");
  if (seccomp != NULL)
    json_string (w, "io.github.seccomp.libseccomp.version", seccomp);
  json_string (w, "org.thole.commit", THOLE_COMMIT);
  json_string (w, "org.thole.version", PACKAGE_VERSION);
  json_object_end (w);
}

void
features_write (struct strbuf *out)
{
  struct json_writer w = { .out = out, .indent = 2 };
  json_object_begin (&w, NULL);
  json_string (&w, "ociVersionMin", OLDEST_VERSION);
  json_string (&w, "ociVersionMax", SPEC_VERSION);
  write_hooks (&w);
  write_mount_options (&w);
  write_linux (&w);
  write_annotations (&w, out->arena);
  json_array_begin (&w, "potentiallyUnsafeConfigAnnotations");
  for (size_t i = 0; i < spec_annotation_count; i++)
    if (spec_annotations[i].effect == SPEC_ANNOTATION_ACTS)
      json_string (&w, NULL, spec_annotations[i].name);
  json_array_end (&w);
  json_object_end (&w);
  strbuf_add_char (out, '\n');
}
