/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Launching init: from a finished plan to a process that carries it out, and the conversation with it (plan/wire.h has
 * the protocol).  */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "plan/plan.h"

struct arena;
struct container_state;
struct error;
struct spec;
struct store;
struct store_entry;

struct launch
{
  struct plan *plan;
  const struct spec *spec; /* for messages */
  pid_t pid;               /* of init; 0 before it is born */
  int pidfd;
  int control;                /* our end of the socket */
  int report_fd;              /* memfd of the report */
  struct plan_report *report; /* mapped */
  int32_t *fds;               /* of the plan's header; those from PLAN_FD_OPENED on are ours until init has them */
  uint32_t done;              /* phases that we are done with, a bit each */
  uint32_t sent;              /* index of the first operation whose phase has not been sent */
  int filter;                 /* what goes with FILTER; -1 */
  int network;                /* the network namespace that is joined, where it is still needed; -1 */
  bool adopted;               /* PID is the process that init has forked; … */
  pid_t forker;               /* … by this one, which is about to end; 0: it is buried */
  int forker_pidfd;
};

#define LAUNCH_INIT                                                                                                    \
  {                                                                                                                    \
    .pidfd = -1, .control = -1, .report_fd = -1, .filter = -1, .network = -1, .forker_pidfd = -1                       \
  }

/* Prepares the channels for PLAN and opens the namespaces that it joins, having checked that each is of the type that
 * the config says (ioctl_ns(2)).  Nothing of the host is changed.  LAUNCH is to be closed whatever happens.  */
int launch_prepare (struct arena *arena, struct launch *launch, struct plan *plan, const struct spec *spec,
                    struct error *err);

/* Makes init: clone3(2) into its namespaces and, if CGROUP is a descriptor, that cgroup; *RET_CLONED tells whether that
 * worked.  LISTENER is the control socket to hand over, or -1.  SCRATCH is a directory for a copy of init where
 * memory files may not be executed (vm.memfd_noexec).  */
int launch_start (struct launch *launch, int listener, int cgroup, int scratch, bool *ret_cloned, struct error *err);

/* Waits until init is the process that goes on to the end, whose pid and pidfd LAUNCH has then, and writes the id maps
 * of a new user namespace.  */
int launch_meet (struct arena *arena, struct launch *launch, struct error *err);

/* Gives init, which was born into its cgroup, the CPUs of that.  Before 6.3 the kernel forgets them then; who asks for
 * all gets those.  For cpu.mems there is no such question.  */
int launch_take_cpus (const struct launch *launch, struct error *err);

/* Opens the network namespace that init was born in or joins: for linux.netDevices, after launch_start.  */
int launch_open_network (const struct launch *launch, int *ret_fd, struct error *err);

/* PHASE is done: tells init, if it waits for that, as soon as it has been told what it waits for before.  FD, the
 * descriptor that goes with FILTER, or -1, is taken over.  A dead init is no error here: the next launch_expect says
 * why it died.  */
int launch_send (struct launch *launch, enum plan_phase phase, int fd, struct error *err);

/* Has the program of the spec's seccomp profile, if any, compiled or fetched from the cache in STORE, and sends it.  */
int launch_filter (struct arena *arena, struct launch *launch, const struct store *store, struct error *err);

/* Waits until init announces PHASE; RET_FD, unless NULL, gets the descriptor that comes with it.  When init has failed,
 * the error is the one it reported.  */
int launch_expect (struct arena *arena, struct launch *launch, enum plan_phase phase, int *ret_fd, struct error *err);

/* Init is gone, or says nothing more: why.  Always an error.  */
int launch_explain_death (struct arena *arena, struct launch *launch, struct error *err);

/* Waits until the program runs: the socket is closed by exec.  On the way the seccomp agent is served with STATE.  */
int launch_expect_exec (struct arena *arena, struct launch *launch, const struct container_state *state,
                        struct error *err);

/* Kills init unless it has become the program or gone, and reaps it, and whom it has forked.  */
void launch_kill (struct launch *launch);

/* Closes everything.  */
void launch_close (struct launch *launch);
#define LAUNCH_CLEANUP __attribute__ ((cleanup (launch_close)))

/* Writes what init did when, as JSON, to the file PATH (--trace).  */
int launch_trace (struct arena *arena, const struct launch *launch, const char *path, struct error *err);

/* For `start`, another process than the one that launched, by the saved configuration: REPORT of the init of ENTRY as
 * an error, and agent_serve.  */
int launch_explain_saved (struct arena *arena, const struct store_entry *entry, const struct container_state *state,
                          const struct plan_report *report, struct error *err);
int launch_serve_saved (struct arena *arena, const struct store_entry *entry, const struct container_state *state,
                        struct plan_report *report, int pidfd, struct error *err);
