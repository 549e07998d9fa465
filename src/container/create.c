/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Creating a container, in an order that leaves nothing behind when it fails, and something that `delete --force` can
 * remove when we are killed:
 *
 *   1. everything that can be known is checked, and the plan made (prepare.c);
 *   2. the directory in the store and the record that tells of the cgroup;
 *   3. v2: the cgroup with its limits, so that init is born in it;
 *   4. init;
 *   5. beside init's work: v1 cgroups, device rules, resctrl, network devices, the seccomp filter;
 *   6. the conversation: terminal, hooks, ready; the pid is written beside the pid file;
 *   7. the record becomes state.json, the pid file gets its name.
 *
 * `run` does not wait in between: it lets init go on to the program as soon as it can, and finds out at the end.  */
#include "container/create.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "cgroup/cgroup.h"
#include "container/container.h"
#include "container/control.h"
#include "container/foreground.h"
#include "container/hooks.h"
#include "container/launch.h"
#include "container/notify.h"
#include "container/peer.h"
#include "container/pid_file.h"
#include "container/prepare.h"
#include "container/state.h"
#include "container/store.h"
#include "container/terminal.h"
#include "net/devices.h"
#include "rdt/rdt.h"
#include "spec/names.h"
#include "spec/spec.h"

/* A container in the making.  */
struct creation
{
  struct arena *arena;
  const struct thole *thole;
  const struct thole_create_options *options;
  const char *id;
  bool run; /* START comes from us */
  struct preparation p;
  struct store store;
  struct store_entry entry;
  struct container_state state;
  char created[CLOCK_TEXT_SIZE];
  int state_fd;
  struct launch launch;
  struct foreground foreground;
  struct notify notify;
  struct net_devices *devices; /* while they can be taken back */
  struct pid_file pid_file;
};

static void
creation_close (struct creation *c)
{
  launch_close (&c->launch);
  net_devices_close (c->devices);
  pid_file_close (&c->pid_file);
  foreground_end (&c->foreground);
  notify_close (&c->notify);
  cgroup_close (c->p.cgroup);
  c->state_fd = fd_close (c->state_fd);
  store_entry_close (&c->entry);
  store_close (&c->store);
}

static struct creation
creation_new (struct arena *arena, const struct thole *thole, const char *id,
              const struct thole_create_options *options)
{
  return (struct creation){
    .arena = arena,
    .thole = thole,
    .options = options,
    .id = id,
    .store = STORE_INIT,
    .entry = STORE_ENTRY_INIT,
    .state_fd = -1,
    .launch = LAUNCH_INIT,
    .foreground = FOREGROUND_INIT,
    .notify = NOTIFY_INIT,
    .pid_file = PID_FILE_INIT,
  };
}

/* Step 2.  */
static int
begin_record (struct creation *c, struct error *err)
{
  const char *root = c->p.spec->root->path;
  int result;

  if ((result = store_open (c->thole->root, true, false, &c->store, err)) < 0
      || (result = store_create (&c->store, c->id, &c->entry, err)) < 0)
    return result;
  c->state = (struct container_state){
    .id = c->id,
    .bundle = c->p.bundle,
    .rootfs = *root == '/' ? root : arena_printf (c->arena, "%s/%s", c->p.bundle, root),
    .config = c->p.config_path,
    .created = clock_now_text (c->created),
    .owner = getuid (),
    .cgroup = c->p.cgroup ? cgroup_save (c->arena, c->p.cgroup) : NULL,
    .rdt = rdt_record (c->p.rdt),
    .notify = c->p.facts.notify != NULL,
    .last_op = c->p.plan->header->count - 1,
  };
  state_from_spec (&c->state, c->p.spec);
  /* The configuration first: a record promises that it is there, and delete looks into it for poststop hooks.  */
  if ((result = store_write (&c->entry, STORE_CONFIG, c->p.config, c->p.config_size, err)) < 0)
    return result;
  if ((result = state_begin (c->arena, &c->entry, &c->state, &c->state_fd, err)) < 0 || !c->state.notify)
    return result;
  result = notify_make (&c->entry, c->p.facts.mount_label, err);
  return result == 0 && c->run ? notify_listen (&c->entry, &c->notify, err) : result;
}

static const struct spec_resources *
resources_of (const struct creation *c)
{
  return c->p.spec->linux_ ? c->p.spec->linux_->resources : NULL;
}

static int
make_cgroup (struct creation *c, struct error *err)
{
  const struct spec_resources *resources = resources_of (c);
  int result;

  if (!c->p.cgroup)
    return 0;
  /* A scope of systemd's begins with init in it.  */
  result = cgroup_start_unit (c->p.cgroup, c->p.spec, resources, c->launch.pid, err);
  if (result == 0)
    result = cgroup_create (c->p.cgroup, c->p.spec, resources, err);
  if (result == -EACCES || result == -EPERM || result == -EROFS)
    {
      if (resources)
        error_context (err, "%s", spec_where (c->arena, c->p.spec, resources));
      error_hint (err, "have a cgroup delegated, or drop the limits: without them --rootless=true or auto needs none");
    }
  return result < 0 ? result : cgroup_apply_limits (c->p.cgroup, c->p.spec, resources, err);
}

static int
rule_cgroup (struct creation *c, struct error *err)
{
  return c->p.cgroup ? cgroup_apply_rules (c->p.cgroup, c->p.spec, resources_of (c), err) : 0;
}

/* The record with what is known now: init's pid, and which cgroups were made.  */
static int
update_record (struct creation *c, struct error *err)
{
  int result;

  c->state.pid = c->launch.pid;
  result = state_pid_start (c->launch.pid, &c->state.pid_start);
  if (result < 0 && result != -ESRCH) /* gone already: whoever waits for it next will learn why */
    return error_sys (err, result, "read the start time of init");
  if (c->p.cgroup)
    c->state.cgroup = cgroup_save (c->arena, c->p.cgroup);
  return state_update (c->arena, c->state_fd, &c->state, err);
}

/* Moves init into what CLONE_INTO_CGROUP has not brought it into, and tells it if it waits for that.  The write may
 * take an RCU grace period, so it is done while init works; but not before it has, where memory is limited, lest its
 * work be charged.  */
static int
enter_cgroup (struct creation *c, struct error *err)
{
  int result = cgroup_join (c->p.cgroup, c->launch.pid, err);

  return result < 0 ? result : launch_send (&c->launch, PLAN_PHASE_JOINED, -1, err);
}

static int
enter_cgroup_late (struct creation *c, struct error *err)
{
  int result;

  if (!c->p.plan->joins_late)
    return 0;
  result = launch_expect (c->arena, &c->launch, PLAN_PHASE_JOINED, NULL, err);
  return result < 0 ? result : enter_cgroup (c, err);
}

/* Whether the config gives the cgroup CPUs of its own.  */
static bool
has_cpus (const struct creation *c)
{
  const struct spec_resources *resources = resources_of (c);

  return resources && resources->cpu && resources->cpu->cpus;
}

static int
enter_rdt (struct creation *c, struct error *err)
{
  int result = c->p.rdt ? rdt_enter (c->p.rdt, c->launch.pid, err) : 0;

  c->state.rdt = rdt_record (c->p.rdt);
  return result;
}

/* A dead init cannot be put into a cgroup or be given a device: then why it died is the reason, not what systemd or the
 * kernel said.  */
static int
why_not (struct creation *c, int result, struct error *err)
{
  if (fd_wait_readable (c->launch.pidfd, 0) < 0)
    return result;
  error_clear (err);
  return launch_explain_death (c->arena, &c->launch, err);
}

/* Steps 3 to 5.  */
static int
start_init (struct creation *c, struct error *err)
{
  bool v2 = c->p.cgroup && !c->p.facts.join_cgroup, cloned = false;
  FD_CLEANUP int listener = -1;
  int result = launch_prepare (c->arena, &c->launch, c->p.plan, c->p.spec, err);

  if (result < 0)
    return result;
  if (!c->run && (result = control_listen (&c->entry, &listener, err)) < 0)
    return result;
  if (v2 && (result = make_cgroup (c, err)) < 0)
    return result;
  result = launch_start (&c->launch, listener, v2 ? cgroup_clone_fd (c->p.cgroup) : -1, c->entry.fd, &cloned, err);
  if (result < 0 || (result = launch_meet (c->arena, &c->launch, err)) < 0)
    return result;
  if ((!v2 && (result = make_cgroup (c, err)) < 0) || (result = rule_cgroup (c, err)) < 0)
    return why_not (c, result, err);
  if ((result = enter_rdt (c, err)) < 0)
    return result;
  if (cloned)
    cgroup_cloned (c->p.cgroup);
  if (cloned && has_cpus (c) && (result = launch_take_cpus (&c->launch, err)) < 0)
    return result;
  if ((result = update_record (c, err)) < 0)
    return result;
  if (!c->p.cgroup)
    return launch_send (&c->launch, PLAN_PHASE_JOINED, -1, err);
  if ((result = launch_send (&c->launch, PLAN_PHASE_CGROUP, -1, err)) < 0)
    return result;
  return c->p.plan->joins_late ? 0 : enter_cgroup (c, err);
}

static int
move_devices (struct creation *c, struct error *err)
{
  FD_CLEANUP int netns = -1;
  int result;

  if (!c->p.spec->linux_ || !c->p.spec->linux_->net_devices.count)
    return 0;
  if ((result = launch_open_network (&c->launch, &netns, err)) < 0
      || (result = net_devices_move (c->arena, c->p.spec, netns, &c->devices, err)) < 0)
    return why_not (c, result, err);
  return launch_send (&c->launch, PLAN_PHASE_NETWORK, -1, err);
}

/* From now on they are the container's, whatever happens.  */
static void
keep_devices (struct creation *c)
{
  net_devices_close (c->devices);
  c->devices = NULL;
}

static int
run_create_hooks (struct creation *c, struct error *err)
{
  const struct spec_hooks *hooks = c->p.spec->hooks;
  const char *state;
  int result;

  if (!hooks || !(hooks->prestart.count || hooks->create_runtime.count))
    return 0;
  if ((result = launch_expect (c->arena, &c->launch, PLAN_PHASE_HOOKS, NULL, err)) < 0)
    return result;
  state = state_hook_json (c->arena, &c->state, THOLE_CREATING, c->launch.pid);
  if ((result = hooks_run (c->arena, c->p.spec, &hooks->prestart, c->p.bundle, state, err)) < 0
      || (result = hooks_run (c->arena, c->p.spec, &hooks->create_runtime, c->p.bundle, state, err)) < 0)
    return result;
  return launch_send (&c->launch, PLAN_PHASE_HOOKS, -1, err);
}

static int
take_terminal (struct creation *c, struct error *err)
{
  FD_CLEANUP int master = -1;
  int result;

  if (!c->state.terminal)
    return 0;
  if ((result = launch_expect (c->arena, &c->launch, PLAN_PHASE_TERMINAL, &master, err)) < 0)
    return result;
  if (c->options->console_socket)
    return terminal_send (master, c->options->console_socket, err);
  return foreground_terminal (&c->foreground, &master, err);
}

static int
send_pidfd_to (const struct creation *c, const char *what, const char *path, const char *text, struct error *err)
{
  return path ? peer_send (what, path, text, strlen (text), c->launch.pidfd, err) : 0;
}

/* Gives a pidfd of the container's first process to whom runc's option and crun's annotation name, in their words.  */
static int
send_pidfd (const struct creation *c, struct error *err)
{
  const char *receiver = spec_annotation (c->p.spec, SPEC_ANNOTATION_PIDFD_RECEIVER);
  int result = send_pidfd_to (c, "pidfd socket", c->options->pidfd_socket, "standard", err);

  return result < 0 ? result : send_pidfd_to (c, "the pidfd receiver at", receiver, "pidfd", err);
}

/* Steps 2 to 7.  */
static int
create (struct creation *c, struct error *err)
{
  int result;

  if ((result = begin_record (c, err)) < 0 || (result = start_init (c, err)) < 0 || (result = send_pidfd (c, err)) < 0
      || (result = move_devices (c, err)) < 0 || (result = launch_filter (c->arena, &c->launch, &c->store, err)) < 0
      || (result = take_terminal (c, err)) < 0
      || (result = pid_file_prepare (c->arena, c->options->pid_file, c->launch.pid, &c->pid_file, err)) < 0
      || (result = run_create_hooks (c, err)) < 0 || (result = enter_cgroup_late (c, err)) < 0)
    return result;
  if (c->run && (result = launch_send (&c->launch, PLAN_PHASE_START, -1, err)) < 0)
    return result;
  if ((result = launch_expect (c->arena, &c->launch, PLAN_PHASE_READY, NULL, err)) < 0)
    return result;
  if ((result = state_commit (&c->entry, err)) < 0 || (result = pid_file_commit (&c->pid_file, err)) < 0)
    return result;
  keep_devices (c);
  return 0;
}

/* Takes back what was done.  ERR keeps the record of why.  */
static void
undo (struct creation *c)
{
  struct error second = { 0 };

  launch_kill (&c->launch);
  pid_file_undo (&c->pid_file);
  net_devices_return (c->devices);
  rdt_undo (c->p.rdt);
  c->state.rdt = rdt_record (NULL);
  if (c->entry.fd < 0)
    return;
  c->state.pid = 0;
  if (container_destroy (c->arena, &c->entry, &c->state, c->p.spec, c->p.cgroup, -1, &second) < 0)
    log_warning ("clean up after container %s: %s", c->id, second.message);
}

static void
trace (struct creation *c)
{
  struct error err = { 0 };

  if (c->options->trace && c->launch.report && launch_trace (c->arena, &c->launch, c->options->trace, &err) < 0)
    log_warning ("%s", err.message);
}

int
container_create (struct arena *arena, const struct thole *thole, const char *id,
                  const struct thole_create_options *options, struct error *err)
{
  struct thole_create_options detached = *options;
  __attribute__ ((cleanup (creation_close))) struct creation c = creation_new (arena, thole, id, &detached);
  int result;

  detached.detach = true;
  if ((result = store_check_id (id, err)) < 0 || (result = prepare (arena, thole, id, &detached, &c.p, err)) < 0)
    return result;
  result = create (&c, err);
  trace (&c);
  if (result < 0)
    undo (&c);
  return result;
}

/* From START to the running program.  */
static int
started (struct creation *c, struct error *err)
{
  int result = launch_expect_exec (c->arena, &c->launch, &c->state, err);

  return result < 0 ? result : container_poststart (c->arena, &c->entry, &c->state, c->p.spec, err);
}

/* After the program's end: what `delete` would do, unless somebody has done it already.  */
static int
finish (struct creation *c, struct error *err)
{
  bool gone;
  int result = store_relock (&c->entry, &gone, err);

  if (result < 0 || gone)
    return result;
  return container_destroy (c->arena, &c->entry, &c->state, c->p.spec, c->p.cgroup, -1, err);
}

int
container_run (struct arena *arena, const struct thole *thole, const char *id,
               const struct thole_create_options *options, struct error *err)
{
  __attribute__ ((cleanup (creation_close))) struct creation c = creation_new (arena, thole, id, options);
  int result, status;

  c.run = true;
  if ((result = store_check_id (id, err)) < 0 || (result = prepare (arena, thole, id, options, &c.p, err)) < 0)
    return result;
  if (!c.p.spec->process)
    return error_set (err, EINVAL, "config.json: process is missing: there is nothing to run");
  if (!options->detach && (result = foreground_begin (&c.foreground, !options->no_subreaper, err)) < 0)
    return result;
  if ((result = create (&c, err)) == 0)
    result = started (&c, err);
  trace (&c);
  if (result < 0)
    {
      undo (&c);
      return result;
    }
  /* Others may work on the container while it runs, and even delete it.  */
  store_unlock (&c.entry);
  if (options->detach)
    {
      notify_wait (&c.notify, c.launch.pid, c.launch.pidfd);
      return 0;
    }
  c.foreground.notify = &c.notify;
  status = foreground_wait (&c.foreground, c.launch.pid, c.launch.pidfd, err);
  c.launch.pid = 0;
  if (status < 0 || options->keep)
    return status;
  result = finish (&c, err);
  return result < 0 ? result : status;
}

int
container_plan (struct arena *arena, const struct thole *thole, const struct thole_create_options *options, bool json,
                const char **ret_text, struct error *err)
{
  struct strbuf out = STRBUF_INIT (arena);
  struct thole_create_options attached = *options;
  struct preparation p = { 0 };
  int result;

  attached.detach = false;
  result = prepare (arena, thole, "plan", &attached, &p, err);
  if (result == 0)
    {
      plan_print (&out, arena, p.plan, p.spec, json);
      *ret_text = strbuf_text (&out);
    }
  cgroup_close (p.cgroup);
  return result;
}
