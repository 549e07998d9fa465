/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The seccomp agent: who decides about system calls with the action SCMP_ACT_NOTIFY
 * (config-linux.md#the-container-process-state).  */
#pragma once

#include <sys/types.h>

struct arena;
struct container_state;
struct error;
struct plan_report;
struct spec;

/* Init, PID and PIDFD, of the container's own process or of one that joins it, has announced that it loads a filter
 * that notifies: takes the filter's listener from it, as REPORT shows it, and hands that with the container process
 * state to whoever listens on linux.seccomp.listenerPath of SPEC.  Init goes on to the program meanwhile, and may be
 * waiting for the agent already when this returns.  -ECHILD: init ended instead.  */
int agent_serve (struct arena *arena, const struct spec *spec, const struct container_state *state, pid_t pid,
                 struct plan_report *report, int pidfd, struct error *err);
