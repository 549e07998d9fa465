/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is remembered of a container (state.json), what is told of it (runtime.md#state), and how it is doing.
 *
 * Nothing is rewritten when a container starts or stops.  The status is asked of the kernel and the store each time:
 *
 * | state.json | first process            | control socket | cgroup | status   |
 * |------------|--------------------------|----------------|--------|----------|
 * | not yet    |                          |                |        | creating, or stopped if its creator is gone |
 * | there      | gone or another's pid now|                |        | stopped  |
 * | there      | alive                    |                | frozen | paused   |
 * | there      | alive                    | there          |        | created  |
 * | there      | alive                    | not there      |        | running  |  */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "rdt/rdt.h"
#include "spec/spec.h"
#include "thole/thole.h"

struct arena;
struct error;
struct json_writer;
struct store;
struct store_entry;

/* The members of state.json.  Strings and lists are borrowed from whoever filled it: an arena, the spec.  */
struct container_state
{
  const char *oci_version;
  const char *id;
  pid_t pid;                /* of the first process, as the runtime sees it; 0 while there is none */
  uint64_t pid_start;       /* when it started, in clock ticks since boot (proc(5), stat, field 22) */
  const char *bundle;       /* absolute */
  const char *rootfs;       /* absolute */
  const char *config;       /* the path of the configuration, for messages about it */
  const char *created;      /* RFC 3339, UTC, with nanoseconds */
  uint32_t owner;           /* uid of who created it */
  const char *cgroup;       /* cgroup_path; NULL: it stayed in the caller's */
  struct rdt_record rdt;    /* of linux.intelRdt, what delete removes */
  bool process;             /* the configuration has a process: it can be started */
  bool terminal;            /* process.terminal */
  bool notify;              /* it has the directory that is its /run/notify */
  bool poststart, poststop; /* the saved configuration has such hooks: else nobody needs to read it again */
  uint32_t start_timeout;   /* seconds from START to the program at most; 0: a startContainer hook has no timeout */
  uint32_t last_op;         /* the plan's exec operation: a report that stops before it means that nothing ran */
  struct spec_map annotations;
};

/* When process PID started, in clock ticks since boot.  0 or a negative errno; -ESRCH when it is gone or a zombie.  */
int state_pid_start (pid_t pid, uint64_t *ret_start);

/* Fills the members of STATE that say something about SPEC: oci_version, process, terminal, poststart, poststop,
 * start_timeout, annotations.  */
void state_from_spec (struct container_state *state, const struct spec *spec);

/* Begins the record of a new container: state.json.new.  *RET_FD stays open for state_update; the caller closes it.  */
int state_begin (struct arena *arena, const struct store_entry *entry, const struct container_state *state, int *ret_fd,
                 struct error *err);

/* Writes STATE over what stands in FD, once its pid is known: pid, pid_start and last_op may have changed.  */
int state_update (struct arena *arena, int fd, const struct container_state *state, struct error *err);

/* The container is created: state.json.new becomes state.json.  */
int state_commit (const struct store_entry *entry, struct error *err);

/* Reads back the record of ENTRY; *RET_CREATED tells which of the two files it was, if the caller wants to know.
 * -ENOENT if there is none: "container web1 does not exist", with a hint if a killed create left a directory.  */
int state_read (struct arena *arena, const struct store_entry *entry, struct container_state *ret_state,
                bool *ret_created, struct error *err);

/* Opens a pidfd of the container's first process: *RET_PIDFD is -1 when that is gone (a zombie counts as gone).  The
 * start time is compared when the pidfd is held, so a signal sent over it never hits a stranger.  */
int state_open_process (const struct container_state *state, int *ret_pidfd, struct error *err);

/* The status now, but for the cgroup, which is not asked: what is paused is created or running.  CREATED as state_read
 * gave it; ALIVE: state_open_process gave a pidfd.  */
enum thole_status state_stage (const struct store_entry *entry, bool created, bool alive);

/* The status now.  */
enum thole_status state_status (struct arena *arena, const struct store_entry *entry,
                                const struct container_state *state, bool created);

/* The word of runtime.md#state for STATUS.  */
const char *state_status_name (enum thole_status status);

/* The JSON of runtime.md#state on one line: what hooks get on standard input.  PID is as the hook sees it; 0 leaves it
 * out.  */
const char *state_hook_json (struct arena *arena, const struct container_state *state, enum thole_status status,
                             pid_t pid);

/* Writes the same and what callers know from runc (rootfs, created, owner) as an object into W.  */
void state_write_json (struct json_writer *w, struct arena *arena, const struct container_state *state,
                       enum thole_status status);

/* The name of user UID from the host's passwd, or its number.  */
const char *state_owner_name (struct arena *arena, uint32_t uid);
