/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/prepare.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "cgroup/cgroup.h"
#include "container/container.h"
#include "container/notify.h"
#include "host/host.h"
#include "lsm/lsm.h"
#include "rdt/rdt.h"
#include "seccomp/seccomp.h"
#include "spec/names.h"
#include "spec/spec.h"

#define PRESERVED_MAX 1024

static int
read_bundle (struct arena *arena, const struct thole_create_options *options, struct preparation *p, struct error *err)
{
  const char *bundle = options->bundle ? options->bundle : ".";
  const char *name = options->config ? options->config : "config.json";
  char path[PATH_MAX];
  FD_CLEANUP int dirfd = -1;
  int result;

  if (!realpath (bundle, path))
    return error_sys (err, errno, "open the bundle %s", bundle);
  p->bundle = arena_strdup (arena, path);
  dirfd = open (path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (dirfd < 0)
    return error_sys (err, errno, "open the bundle %s", path);
  p->config_path = name[0] == '/' ? name : arena_printf (arena, "%s/%s", path, name);
  result = spec_read_file (arena, dirfd, name, p->config_path, &p->config, &p->config_size, err);
  return result < 0 ? result : spec_decode (arena, name, p->config, p->config_size, &p->spec, err);
}

/* How many descriptors LISTEN_FDS of the caller counts (sd_listen_fds(3)), if it was meant for us.  */
static unsigned
listen_fds (void)
{
  const char *count = getenv ("LISTEN_FDS"), *pid = getenv ("LISTEN_PID");
  unsigned long n;
  char *end;

  if (!count || !*count || (pid && *pid && strtol (pid, NULL, 10) != getpid ()))
    return 0;
  n = strtoul (count, &end, 10);
  return *end || n > PRESERVED_MAX ? 0 : (unsigned) n;
}

/* Those that close on exec are not the caller's but ours, such as that of the log: they must not get into the
 * container.
 */
static int
check_preserved (unsigned count, struct error *err)
{
  if (count > PRESERVED_MAX)
    return error_set (err, EINVAL, "--preserve-fds: %u descriptors are too many", count);
  for (unsigned fd = 3; fd < 3 + count; fd++)
    {
      int flags = fcntl ((int) fd, F_GETFD);

      if (flags < 0 || (flags & FD_CLOEXEC))
        return error_set (err, EBADF, "--preserve-fds: descriptor %u is not open", fd);
    }
  return 0;
}

int
prepare_inherited (struct arena *arena, unsigned preserve_fds, struct plan_facts *facts, struct error *err)
{
  unsigned listen = listen_fds ();
  const char *names = getenv ("LISTEN_FDNAMES"), **env;
  size_t count = 0;

  facts->preserved = preserve_fds + listen;
  if (listen || facts->notify)
    {
      env = arena_array (arena, const char *, 5);
      if (facts->notify)
        env[count++] = NOTIFY_ENVIRONMENT;
      if (listen)
        {
          env[count++] = arena_printf (arena, "LISTEN_FDS=%u", listen);
          env[count++] = PLAN_LISTEN_PID;
        }
      if (listen && names)
        env[count++] = arena_printf (arena, "LISTEN_FDNAMES=%s", names);
      facts->extra_env = env;
    }
  return check_preserved (facts->preserved, err);
}

/* What the config and the options say about the terminal must agree with how the container is run.  */
static int
check_terminal (struct arena *arena, const struct preparation *p, const struct thole_create_options *options,
                struct error *err)
{
  const struct spec_process *process = p->spec->process;
  bool terminal = process && process->terminal.value;

  if (options->console_socket && !terminal)
    return error_set (err, EINVAL, "--console-socket: process.terminal is false, there is no terminal to pass on");
  if (!terminal || options->console_socket || !options->detach)
    return 0;
  error_set (err, EINVAL, "%s: a detached container with a terminal needs --console-socket",
             spec_where (arena, p->spec, &process->terminal));
  error_hint (err, "name the socket of whoever takes the terminal, or set process.terminal to false");
  return -EINVAL;
}

static bool
is_rootless (const struct thole *thole)
{
  return thole->rootless == THOLE_ROOTLESS_AUTO ? host_is_rootless () : thole->rootless == THOLE_ROOTLESS_TRUE;
}

/* Device rules do not count: in a user namespace there are no devices to be made.  */
static bool
asks_for_limits (const struct spec_resources *r)
{
  return r
         && (r->memory || r->cpu || r->pids || r->block_io || r->network || r->hugepage_limits.count || r->rdma.count
             || r->unified.count);
}

/* Finds the place.  *RET_MISSING: the caller is not root and may not make one there.  */
static int
new_cgroup (struct arena *arena, const struct thole *thole, const char *id, struct preparation *p, bool *ret_missing,
            struct error *err)
{
  const struct spec_linux *l = p->spec->linux_;
  const char *path = l ? l->cgroups_path : NULL;
  int result;

  if (thole->cgroup_manager == THOLE_CGROUP_SYSTEMD)
    result = cgroup_new_unit (arena, p->facts.cgroup, path, id, is_rootless (thole), thole->systemd_timeout, &p->cgroup,
                              err);
  else
    result = cgroup_new (arena, p->facts.cgroup, path, id, &p->cgroup, err);
  *ret_missing = is_rootless (thole) && (result == 0 ? !cgroup_may_create (p->cgroup) : result == -ENOTCONN);
  return (result == -EINVAL || result == -ENAMETOOLONG) && path
             ? error_context (err, "%s", spec_where (arena, p->spec, &l->cgroups_path))
             : result;
}

/* A unit of the user's systemd would be there, and hold nothing.  */
static int
refuse_limits (struct arena *arena, const struct spec *spec, const struct spec_resources *resources, struct error *err)
{
  error_set (err, EACCES, "systemd hands no controller of cgroup v1 to a user, so no limit would hold");
  error_hint (err, "drop the limits, or have the host boot with cgroup v2 alone "
                   "(systemd.unified_cgroup_hierarchy=1 on the kernel's command line)");
  return error_context (err, "%s", spec_where (arena, spec, resources));
}

static int
find_cgroup (struct arena *arena, const struct thole *thole, const char *id, struct preparation *p, struct error *err)
{
  const struct spec_linux *l = p->spec->linux_;
  const struct spec_resources *resources = l ? l->resources : NULL;
  bool disabled = thole->cgroup_manager == THOLE_CGROUP_DISABLED, missing = false;
  bool systemd = thole->cgroup_manager == THOLE_CGROUP_SYSTEMD;
  int result;

  if (disabled && asks_for_limits (resources))
    log_warning ("%s: no limit holds: cgroups are disabled", spec_where (arena, p->spec, resources));
  result = cgroup_probe (arena, &p->facts.cgroup, err);
  if (result < 0 || p->facts.cgroup->layout == CGROUP_NONE || disabled)
    return result;
  result = new_cgroup (arena, thole, id, p, &missing, err);
  if (missing && !asks_for_limits (resources))
    {
      log_warning ("no cgroup for container %s: the caller may not make one", id);
      error_clear (err);
      cgroup_close (p->cgroup);
      p->cgroup = NULL;
      return 0;
    }
  if (missing && result == 0 && systemd)
    return refuse_limits (arena, p->spec, resources, err);
  if (result < 0 || (result = cgroup_find_leaf (p->cgroup, p->spec, err)) < 0)
    return result;
  p->facts.cgroup_path = cgroup_path (p->cgroup);
  /* On v2 alone init is born in its cgroup, and systemd makes none without it.  */
  p->facts.join_cgroup = systemd || p->facts.cgroup->layout != CGROUP_V2;
  p->facts.join_late
      = !systemd && p->facts.join_cgroup && resources && resources->memory && resources->memory->limit.set;
  return l ? cgroup_check (p->cgroup, p->spec, resources, err) : 0;
}

static int
check_security (struct arena *arena, struct preparation *p, struct error *err)
{
  const struct spec_seccomp *profile = p->spec->linux_ ? p->spec->linux_->seccomp : NULL;
  int result = lsm_check (p->spec, err);

  if (result == 0)
    result = lsm_exec_attribute (arena, p->spec, &p->facts.lsm_file, &p->facts.lsm_value, err);
  if (result < 0)
    return result;
  p->facts.keyring_label = lsm_keyring_label (p->spec);
  p->facts.mount_label = p->spec->linux_ ? p->spec->linux_->mount_label : NULL;
  p->facts.mount_context = spec_annotation (p->spec, SPEC_ANNOTATION_MOUNT_CONTEXT);
  if (!profile)
    return 0;
  p->facts.seccomp_flags = seccomp_flags (profile);
  return seccomp_check (p->spec, profile, err);
}

/* What is in the config and will not be done.  */
static void
note_annotations (struct arena *arena, const struct spec *spec)
{
  for (size_t i = 0; i < spec->annotations.count; i++)
    {
      const struct spec_pair *pair = &spec->annotations.items[i];
      const struct spec_annotation_rule *rule = spec_annotation_rule (pair->key);
      const char *nearest;

      if (rule && rule->effect == SPEC_ANNOTATION_IDLE && log_enabled (LOG_LEVEL_DEBUG))
        log_debug ("%s: without effect: %s", spec_where (arena, spec, pair), rule->reason);
      if (rule || strncmp (pair->key, SPEC_ANNOTATION_PREFIX, strlen (SPEC_ANNOTATION_PREFIX)) != 0)
        continue;
      nearest = spec_annotation_nearest (pair->key);
      log_warning ("%s: without effect: there is no such annotation%s%s%s", spec_where (arena, spec, pair),
                   nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "");
    }
}

int
prepare (struct arena *arena, const struct thole *thole, const char *id, const struct thole_create_options *options,
         struct preparation *p, struct error *err)
{
  int result = read_bundle (arena, options, p, err);

  if (result < 0)
    return result;
  if (!p->spec->root)
    return error_set (err, EINVAL, "config.json: root is missing");
  if ((result = check_terminal (arena, p, options, err)) < 0)
    return result;
  note_annotations (arena, p->spec);
  p->facts = (struct plan_facts){
    .id = id,
    .bundle = p->bundle,
    .capabilities = host_capabilities (),
    .euid = geteuid (),
    .egid = getegid (),
    .no_pivot = options->no_pivot,
    .no_new_keyring = options->no_new_keyring,
  };
  /* Without a mount namespace there is no place to put the socket that is not the host's.  */
  if (notify_is_wanted () && p->spec->process && spec_namespace_find (p->spec, CLONE_NEWNS))
    p->facts.notify = notify_directory (arena, thole->root, id);
  if ((result = prepare_inherited (arena, options->preserve_fds, &p->facts, err)) < 0)
    return result;
  if ((result = find_cgroup (arena, thole, id, p, err)) < 0)
    return result;
  if ((result = rdt_new (arena, p->spec, id, &p->rdt, err)) < 0)
    return result;
  if ((result = check_security (arena, p, err)) < 0)
    return result;
  return plan_build (arena, p->spec, &p->facts, &p->plan, err);
}
