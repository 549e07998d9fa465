/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a container uses: once (container_stats, stats.c) or again and again (container_events, events.c).  */
#pragma once

struct arena;
struct cgroup;
struct container_state;
struct error;
struct thole;

/* Finds container ID, which must not have stopped.  The caller closes *RET_CGROUP and *RET_PIDFD.  */
int stats_open (struct arena *arena, const struct thole *thole, const char *id, struct container_state *ret_state,
                struct cgroup **ret_cgroup, int *ret_pidfd, struct error *err);

/* {"type":"stats","id":...,"data":{...}}, in ARENA.  */
const char *stats_event (struct arena *arena, const struct container_state *state, struct cgroup *cgroup);
