/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The end of containers, and what else create, run, start and delete share.  */
#include <errno.h>
#include <signal.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/syscalls.h"
#include "cgroup/cgroup.h"
#include "container/container.h"
#include "container/hooks.h"
#include "container/state.h"
#include "container/store.h"
#include "rdt/rdt.h"
#include "spec/spec.h"

enum
{
  DEATH_TIMEOUT_MS = 10000,  /* of a process that got SIGKILL */
  REMOVE_TIMEOUT_MS = 10000, /* for a cgroup to become empty */
};

int
container_spec (struct arena *arena, const struct store_entry *entry, const struct container_state *state,
                const struct spec **ret_spec, struct error *err)
{
  char *text;
  size_t size;
  int r = store_read (arena, entry, STORE_CONFIG, &text, &size, err);
  if (r == -ENOENT)
    return error_set (err, ENOENT, "the saved configuration of container %s is missing", entry->id);
  if (r < 0)
    return r;
  return spec_decode (arena, state->config, text, size, ret_spec, err);
}

int
container_cgroup (struct arena *arena, const struct container_state *state, struct cgroup **ret_cgroup,
                  struct error *err)
{
  *ret_cgroup = NULL;
  return state->cgroup == NULL ? 0 : cgroup_load (arena, state->cgroup, ret_cgroup, err);
}

int
container_need_cgroup (struct arena *arena, const struct container_state *state, struct cgroup **ret_cgroup,
                       struct error *err)
{
  int r = container_cgroup (arena, state, ret_cgroup, err);
  if (r < 0 || *ret_cgroup != NULL)
    return r;
  error_set (err, EOPNOTSUPP, "container %s has no cgroup of its own", state->id);
  error_hint (err, "it was created with --cgroup-manager disabled, or where its creator could not make cgroups");
  return -EOPNOTSUPP;
}

int
container_poststart (struct arena *arena, const struct store_entry *entry, const struct container_state *state,
                     const struct spec *spec, struct error *err)
{
  if (!state->poststart)
    return 0;
  if (spec == NULL)
    {
      int r = container_spec (arena, entry, state, &spec, err);
      if (r < 0)
        return r;
    }
  return hooks_run (arena, spec, &spec->hooks->poststart, state->bundle,
                    state_hook_json (arena, state, THOLE_RUNNING, state->pid), err);
}

/* The saved configuration goes before the state: when a delete was cut short in between, the hooks have run.  */
static int
run_poststop (struct arena *arena, const struct store_entry *entry, const struct container_state *state,
              const struct spec *spec, struct error *err)
{
  if (!state->poststop)
    return 0;
  if (spec == NULL)
    {
      int r = container_spec (arena, entry, state, &spec, err);
      if (r < 0)
        return r == -ENOENT ? 0 : r;
    }
  hooks_run_all (arena, spec, &spec->hooks->poststop, state->bundle, state_hook_json (arena, state, THOLE_STOPPED, 0));
  return 0;
}

/* Kills the first process, and with it the pid namespace it may have begun, and waits until it is gone.  */
static int
kill_process (const struct container_state *state, struct cgroup *cgroup, int pidfd, struct error *err)
{
  if (sys_pidfd_send_signal (pidfd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
    return error_sys (err, errno, "kill process %d", (int) state->pid);
  /* Where it is frozen it only dies when its cgroup is thawed, which cgroup_kill does.  */
  int r = cgroup == NULL ? 0 : cgroup_kill (cgroup, SIGKILL, true, err);
  if (r < 0)
    return r;
  r = fd_wait_readable (pidfd, DEATH_TIMEOUT_MS);
  if (r == -ETIMEDOUT)
    return error_set (err, ETIMEDOUT, "process %d is still there %d s after SIGKILL", (int) state->pid,
                      DEATH_TIMEOUT_MS / 1000);
  if (r < 0)
    return error_sys (err, r, "wait for the end of process %d", (int) state->pid);
  return 0;
}

void
container_stop (struct arena *arena, const struct container_state *state, int pidfd)
{
  struct error err = { 0 };
  struct cgroup *cgroup = NULL;
  int r = container_cgroup (arena, state, &cgroup, &err);
  if (r == 0)
    r = kill_process (state, cgroup, pidfd, &err);
  if (r < 0)
    log_warning ("stop container %s: %s", state->id, err.message);
  cgroup_close (cgroup);
}

static int
destroy (struct arena *arena, struct store_entry *entry, const struct container_state *state, const struct spec *spec,
         struct cgroup *cgroup, int pidfd, struct error *err)
{
  int r = pidfd < 0 ? 0 : kill_process (state, cgroup, pidfd, err);
  if (r == 0 && cgroup != NULL)
    r = cgroup_remove (cgroup, true, REMOVE_TIMEOUT_MS, err);
  if (r == 0)
    r = rdt_remove (&state->rdt, err);
  if (r == 0)
    r = run_poststop (arena, entry, state, spec, err);
  if (r == 0 && state->notify)
    r = store_remove_directory (entry, STORE_NOTIFY, err);
  return r < 0 ? r : store_remove (entry, err);
}

int
container_destroy (struct arena *arena, struct store_entry *entry, const struct container_state *state,
                   const struct spec *spec, struct cgroup *cgroup, int pidfd, struct error *err)
{
  struct cgroup *loaded = NULL;
  if (cgroup == NULL)
    {
      int r = container_cgroup (arena, state, &loaded, err);
      if (r < 0)
        return r;
    }
  int r = destroy (arena, entry, state, spec, cgroup != NULL ? cgroup : loaded, pidfd, err);
  cgroup_close (loaded);
  return r;
}
