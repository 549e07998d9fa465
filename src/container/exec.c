/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* exec: another process in a container that runs.
 *
 * The same plan and init as for a container's making (plan/enter.c has what differs), in the same conversation.  No
 * lock is taken, so that many can be executed at once, and none waits for a start that hangs.  What orders us with a
 * delete is that it kills the first process before the cgroup: before START we look whether that is still alive, when
 * init is in the cgroup already.  So either delete finds our process there, or we find the container dead.  */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "cgroup/cgroup.h"
#include "container/container.h"
#include "container/create.h"
#include "container/exec_options.h"
#include "container/foreground.h"
#include "container/launch.h"
#include "container/peer.h"
#include "container/pid_file.h"
#include "container/prepare.h"
#include "container/state.h"
#include "container/store.h"
#include "container/terminal.h"
#include "host/host.h"
#include "lsm/lsm.h"
#include "rdt/rdt.h"
#include "seccomp/seccomp.h"
#include "spec/spec.h"

enum
{
  END_TIMEOUT_MS = 500 /* for the first process to have ended, when what was killed with it has */
};

/* A process in the making.  */
struct execution
{
  struct arena *arena;
  const struct thole_exec_options *options;
  struct store store;
  struct store_entry entry;
  struct container_state state;
  struct plan_target target; /* the container's first process */
  const struct spec *spec;
  struct cgroup *cgroup; /* NULL: the container has none */
  bool outside;          /* init is not to be born there */
  struct plan_facts facts;
  struct launch launch;
  struct foreground foreground;
  struct pid_file pid_file;
};

static void
execution_close (struct execution *e)
{
  launch_close (&e->launch);
  foreground_end (&e->foreground);
  pid_file_close (&e->pid_file);
  cgroup_close (e->cgroup);
  e->target.pidfd = fd_close (e->target.pidfd);
  store_entry_close (&e->entry);
  store_close (&e->store);
}

static int
find_container (struct execution *e, const struct thole *thole, const char *id, struct error *err)
{
  enum thole_status stage;
  bool created;
  int r;
  if ((r = store_check_id (id, err)) < 0 || (r = store_open (thole->root, false, true, &e->store, err)) < 0
      || (r = store_find (&e->store, id, &e->entry, err)) < 0
      || (r = state_read (e->arena, &e->entry, &e->state, &created, err)) < 0
      || (r = state_open_process (&e->state, &e->target.pidfd, err)) < 0)
    return r;
  e->target.pid = e->state.pid;
  stage = state_stage (&e->entry, created, e->target.pidfd >= 0);
  if (stage == THOLE_CREATING)
    return error_set (err, EBUSY, "container not running: it is being created");
  if (stage == THOLE_STOPPED || e->target.pidfd < 0)
    return error_set (err, ESRCH, "cannot exec in a stopped container: container not running");
  r = container_cgroup (e->arena, &e->state, &e->cgroup, err);
  if (r < 0 || e->cgroup == NULL || e->options->ignore_paused || !cgroup_is_frozen (e->cgroup))
    return r;
  error_set (err, EBUSY, "cannot exec in a paused container");
  error_hint (err, "resume it first, or use --ignore-paused");
  return -EBUSY;
}

/* What is to be executed: from the file or the container's own process, and the options.  */
static int
find_process (struct execution *e, struct error *err)
{
  const char *file = e->options->process, *text = NULL;
  const struct spec *saved;
  struct spec_process *process = NULL;
  size_t size = 0;
  int r = container_spec (e->arena, &e->entry, &e->state, &saved, err);
  if (r == 0 && file != NULL)
    r = spec_read_file (e->arena, AT_FDCWD, file, file, &text, &size, err);
  if (r == 0)
    r = spec_exec (e->arena, saved, file, text, size, &e->spec, &process, err);
  return r < 0 ? r : exec_options_apply (e->arena, e->options, process, err);
}

static int
check_terminal (const struct execution *e, struct error *err)
{
  bool terminal = e->spec->process->terminal.value;
  if (e->options->console_socket != NULL && !terminal)
    return error_set (err, EINVAL, "--console-socket: there is no terminal to pass on");
  if (!terminal || e->options->console_socket != NULL || !e->options->detach)
    return 0;
  error_set (err, EINVAL, "a detached process with a terminal needs --console-socket");
  error_hint (err, "name the socket of whoever takes the terminal, or leave out --tty");
  return -EINVAL;
}

/* Goes from the container's cgroup to where the options say.  */
static int
descend (struct execution *e, struct error *err)
{
  const char *const *where = e->options->cgroups;
  int r = 0;
  if (e->cgroup == NULL && where != NULL && *where != NULL)
    return error_set (err, EINVAL, "--cgroup: the container has no cgroup");
  for (; r == 0 && where != NULL && *where != NULL; where++)
    {
      r = cgroup_descend (e->cgroup, *where, err);
      if (r < 0)
        return error_context (err, "--cgroup");
    }
  return r;
}

/* Whether init can be born in the container's cgroup; with an affinity that is to be set before it is there, it is
 * moved.  */
static bool
is_born_there (const struct execution *e)
{
  return e->cgroup != NULL && !e->outside && !e->facts.join_cgroup && !e->facts.join_late;
}

static int
make_plan (struct execution *e, struct plan **ret_plan, struct error *err)
{
  const struct spec_seccomp *profile = e->spec->linux_ ? e->spec->linux_->seccomp : NULL;
  int r = lsm_check (e->spec, err);
  e->facts = (struct plan_facts){
    .id = e->state.id,
    .bundle = e->state.bundle,
    .cgroup_path = e->cgroup != NULL ? cgroup_path (e->cgroup) : NULL,
    .capabilities = host_capabilities (),
    .euid = geteuid (),
    .egid = getegid (),
    .join_cgroup = e->cgroup != NULL && !cgroup_has_births (e->cgroup),
    .join_late = e->cgroup != NULL && e->spec->process->exec_cpu_affinity != NULL,
    .seccomp_flags = profile != NULL ? seccomp_flags (profile) : 0,
    .target = &e->target,
  };
  if (r == 0)
    r = prepare_inherited (e->arena, e->options->preserve_fds, &e->facts, err);
  if (r == 0)
    r = lsm_exec_attribute (e->arena, e->spec, &e->facts.lsm_file, &e->facts.lsm_value, err);
  if (r == 0 && profile != NULL)
    r = seccomp_check (e->spec, profile, err);
  return r < 0 ? r : plan_build (e->arena, e->spec, &e->facts, ret_plan, err);
}

static int
prepare_launch (struct execution *e, struct error *err)
{
  struct plan *plan = NULL;
  int r = make_plan (e, &plan, err);
  return r < 0 ? r : launch_prepare (e->arena, &e->launch, plan, e->spec, err);
}

static int
prepare_exec (struct execution *e, struct error *err)
{
  int r;
  if ((r = find_process (e, err)) < 0 || (r = check_terminal (e, err)) < 0 || (r = descend (e, err)) < 0)
    return r;
  return prepare_launch (e, err);
}

/* *RESULT is of an attempt to get into the cgroup.  Where the container has enabled controllers for cgroups of its own,
 * processes can be in those alone: then there is to be another attempt, where the first process is.  */
static bool
follow (struct execution *e, int *result, struct error *err)
{
  if (*result != -EBUSY || e->cgroup == NULL || !cgroup_is_v2 (e->cgroup))
    return false;
  error_clear (err);
  *result = cgroup_follow (e->cgroup, e->state.pid, err);
  return *result == 0;
}

static int
give_birth (struct execution *e, bool *ret_cloned, struct error *err)
{
  int fd = is_born_there (e) ? cgroup_clone_fd (e->cgroup) : -1;
  return launch_start (&e->launch, -1, fd, e->entry.fd, ret_cloned, err);
}

/* Init is born, in the cgroup of the container if that can be.  */
static int
bear_init (struct execution *e, bool *ret_cloned, struct error *err)
{
  int r = give_birth (e, ret_cloned, err);
  if (follow (e, &r, err))
    r = give_birth (e, ret_cloned, err);
  if (r < 0)
    return r;
  if (e->cgroup != NULL && !*ret_cloned && !e->facts.join_late)
    cgroup_join_soon (e->cgroup); /* while init is on its way to who is to join */
  return launch_meet (e->arena, &e->launch, err);
}

/* *RESULT is of bear_init.  Who enters a pid namespace is two for a moment, and the cgroup's limit on pids may have
 * room for one: then there is to be another attempt, outside.  */
static bool
leave (struct execution *e, bool cloned, int *result, struct error *err)
{
  if (*result != -EAGAIN || !cloned)
    return false;
  launch_kill (&e->launch);
  launch_close (&e->launch);
  error_clear (err);
  e->outside = true;
  *result = prepare_launch (e, err);
  return *result == 0;
}

/* Init is moved into the cgroup if it was not born there.  */
static int
place_init (struct execution *e, struct error *err)
{
  bool cloned = false;
  int r = bear_init (e, &cloned, err);
  if (leave (e, cloned, &r, err))
    r = bear_init (e, &cloned, err);
  if (r < 0 || e->cgroup == NULL)
    return r;
  if (cloned) /* whatever its CPUs are by now */
    {
      r = launch_take_cpus (&e->launch, err);
      return r < 0 ? r : launch_send (&e->launch, PLAN_PHASE_JOINED, -1, err);
    }
  if (e->facts.join_late && (r = launch_expect (e->arena, &e->launch, PLAN_PHASE_JOINED, NULL, err)) < 0)
    return r;
  r = cgroup_join (e->cgroup, e->launch.pid, err);
  if (follow (e, &r, err))
    r = cgroup_join (e->cgroup, e->launch.pid, err);
  return r < 0 ? r : launch_send (&e->launch, PLAN_PHASE_JOINED, -1, err);
}

static int
start_init (struct execution *e, struct error *err)
{
  int r = place_init (e, err);
  return r < 0 ? r : rdt_join (e->arena, e->spec, e->state.id, e->launch.pid, err);
}

static int
take_terminal (struct execution *e, struct error *err)
{
  FD_CLEANUP int master = -1;
  int r;
  if (!e->spec->process->terminal.value)
    return 0;
  r = launch_expect (e->arena, &e->launch, PLAN_PHASE_TERMINAL, &master, err);
  if (r < 0)
    return r;
  return e->options->console_socket != NULL ? terminal_send (master, e->options->console_socket, err)
                                            : foreground_terminal (&e->foreground, &master, err);
}

/* Whether the first process has ended, or does so within TIMEOUT_MS.  */
static bool
is_over (const struct execution *e, int timeout_ms)
{
  return fd_wait_readable (e->target.pidfd, timeout_ms) == 0;
}

/* Whether CODE is what becomes of those who enter a container that is on its way out: killed with all that are in its
 * cgroup, nobody left to be joined, nobody born any more in its pid namespace.  */
static bool
is_end (int code)
{
  return code == -ECHILD || code == -ESRCH || code == -ENOMEM;
}

static int
send_pidfd (const struct execution *e, struct error *err)
{
  static const char what[] = "setns"; /* the process enters namespaces that were there */
  const char *path = e->options->pidfd_socket;
  return path != NULL ? peer_send ("pidfd socket", path, what, strlen (what), e->launch.pidfd, err) : 0;
}

/* From the birth of init to the running program.  */
static int
execute (struct execution *e, struct error *err)
{
  const struct thole_exec_options *options = e->options;
  int r;
  if ((r = start_init (e, err)) < 0 || (r = launch_filter (e->arena, &e->launch, &e->store, err)) < 0
      || (r = take_terminal (e, err)) < 0
      || (r = pid_file_prepare (e->arena, options->pid_file, e->launch.pid, &e->pid_file, err)) < 0)
    return r;
  if (is_over (e, 0))
    return -ESRCH;
  if ((r = launch_send (&e->launch, PLAN_PHASE_START, -1, err)) < 0
      || (r = launch_expect (e->arena, &e->launch, PLAN_PHASE_READY, NULL, err)) < 0
      || (r = launch_expect_exec (e->arena, &e->launch, &e->state, err)) < 0
      || (r = pid_file_commit (&e->pid_file, err)) < 0)
    return r;
  return send_pidfd (e, err);
}

/* CODE, for which ERR has the words, unless the container has ended: then that is why, whatever failed because of it.
 * A first process ends after all others.  */
static int
unless_over (const struct execution *e, int code, struct error *err)
{
  if (!is_over (e, is_end (code) ? END_TIMEOUT_MS : 0))
    return code;
  return error_set (err, ESRCH, "cannot exec in a stopped container: it has ended just now");
}

int
container_exec (struct arena *arena, const struct thole *thole, const char *id,
                const struct thole_exec_options *options, struct error *err)
{
  __attribute__ ((cleanup (execution_close))) struct execution e = {
    .arena = arena,
    .options = options,
    .store = STORE_INIT,
    .entry = STORE_ENTRY_INIT,
    .target = { .pidfd = -1 },
    .launch = LAUNCH_INIT,
    .foreground = FOREGROUND_INIT,
    .pid_file = PID_FILE_INIT,
  };
  int r;
  if ((r = find_container (&e, thole, id, err)) < 0)
    return r;
  if ((r = prepare_exec (&e, err)) < 0)
    return unless_over (&e, r, err);
  if (!options->detach && (r = foreground_begin (&e.foreground, false, err)) < 0)
    return r;
  r = execute (&e, err);
  if (r < 0)
    {
      launch_kill (&e.launch);
      pid_file_undo (&e.pid_file);
      return unless_over (&e, r, err);
    }
  log_debug ("the program runs as process %d in container %s", (int) e.launch.pid, id);
  if (options->detach)
    return 0;
  return foreground_wait (&e.foreground, e.launch.pid, e.launch.pidfd, err);
}
