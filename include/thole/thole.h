/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * libthole: the life cycle of OCI containers (runtime-spec 1.3.0, runtime.md) as a C library.
 *
 * Every function returns 0 (or a count or status where said) or a negative errno, and then fills the error object that
 * it was given, if any.  Nothing prints and nothing exits.  Functions on different contexts may run in different
 * threads; one context is for one thread at a time.  The process that creates a container becomes the parent of its
 * first process: it should be, or have, a reaper (prctl(2), PR_SET_CHILD_SUBREAPER).
 */
#ifndef THOLE_H
#define THOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#ifdef __cplusplus
#define THOLE_BEGIN                                                                                                    \
  extern "C"                                                                                                           \
  {
#define THOLE_END }
#else
#define THOLE_BEGIN
#define THOLE_END
#endif

#pragma GCC visibility push(default)
THOLE_BEGIN

/** The runtime: where states are kept and how containers are managed.  */
struct thole;

/** What went wrong.  */
struct thole_error;

struct thole_error *thole_error_new (void);
/** NULL is fine.  */
void thole_error_free (struct thole_error *error);
/** One line, no full stop: "mounts[4] (config.json:88:7): bind /srv/data on /data: No such file or directory".  */
const char *thole_error_message (const struct thole_error *error);
/** What to do about it, or NULL.  */
const char *thole_error_hint (const struct thole_error *error);
/** A positive errno.  */
int thole_error_code (const struct thole_error *error);

/** "1.0.0 (spec 1.3.0)" style pieces.  */
const char *thole_version (void);
const char *thole_spec_version (void);

enum thole_cgroup_manager
{
  THOLE_CGROUP_CGROUPFS, /**< write the hierarchies directly */
  THOLE_CGROUP_SYSTEMD,  /**< ask systemd for a scope */
  THOLE_CGROUP_DISABLED, /**< stay in the caller's cgroup */
};

/** Whether a container without limits may do without a cgroup where none can be made.  */
enum thole_rootless
{
  THOLE_ROOTLESS_AUTO,  /**< if the caller is not root of the host */
  THOLE_ROOTLESS_TRUE,  /**< yes */
  THOLE_ROOTLESS_FALSE, /**< no: that is an error */
};

/** Options of a context.  Zero or NULL means the default of each.  Set size to sizeof (struct thole_options).  */
struct thole_options
{
  size_t size;
  const char *root; /**< directory of states; default: /run/thole, or $XDG_RUNTIME_DIR/thole when not root */
  enum thole_cgroup_manager cgroup_manager;
  enum thole_rootless rootless;
  unsigned systemd_timeout; /**< seconds that systemd may take to answer a call; default: 10 */
};

/** Makes a context.  Nothing is touched yet.  Free it with thole_free.  */
int thole_new (const struct thole_options *options, struct thole **ret, struct thole_error *error);
void thole_free (struct thole *thole);

/** How to create a container.  Set size to sizeof (struct thole_create_options); zero or NULL means the default.  */
struct thole_create_options
{
  size_t size;
  const char *bundle;         /**< directory; default: the current one */
  const char *config;         /**< file name of the configuration; default: config.json in the bundle */
  const char *console_socket; /**< unix socket that is given the terminal's master (process.terminal) */
  const char *pid_file;       /**< gets the first process's pid, no newline */
  const char *pidfd_socket;   /**< unix socket that is given a pidfd of the first process */
  unsigned preserve_fds;      /**< descriptors from 3 on that the program inherits, beside LISTEN_FDS */
  bool no_pivot;              /**< MS_MOVE and chroot instead of pivot_root (an initramfs as root) */
  bool no_new_keyring;        /**< keep the session keyring */
  bool detach;                /**< thole_run: return when the program runs */
  bool keep;                  /**< thole_run: do not delete the container afterwards */
  bool no_subreaper;          /**< thole_run: do not become a subreaper */
  const char *trace;          /**< file that gets a time line of what init did, as JSON */
};

/** Creates container ID: everything but the program runs (runtime.md#create).  */
int thole_create (struct thole *thole, const char *id, const struct thole_create_options *options,
                  struct thole_error *error);

/** Starts the program of a created container (runtime.md#start); returns when it runs, or, if both creator and caller
 * have NOTIFY_SOCKET in their environment (sd_notify(3)), when it has said that it is ready.  */
int thole_start (struct thole *thole, const char *id, struct thole_error *error);

/** Creates and starts; unless detached also waits, relays the terminal and signals, and deletes.  Returns the exit
 * status of the program, 128 + signal when it was killed by one; 0 when detached.  */
int thole_run (struct thole *thole, const char *id, const struct thole_create_options *options,
               struct thole_error *error);

/** What to execute in a container, and how.  Set size to sizeof (struct thole_exec_options); zero or NULL means the
 * default: the container's own process settings.  Lists end with NULL.  */
struct thole_exec_options
{
  size_t size;
  const char *const *args; /**< program and arguments; default: those of process */
  const char *process;     /**< JSON file, or FIFO, of a process (config.md#process), to which the others add */
  const char *cwd;         /**< working directory, absolute */
  const char *user;        /**< "UID" or "UID:GID", numbers */
  const char *const *additional_gids; /**< numbers, in addition */
  const char *const *env;             /**< NAME=VALUE, in addition */
  const char *const *caps;            /**< "CAP_KILL": in addition, to the bounding, permitted and effective set */
  const char *apparmor;               /**< AppArmor profile */
  const char *process_label;          /**< SELinux label */
  const char *const *cgroups;         /**< "PATH" or "CONTROLLER,…:PATH": cgroups inside the container's */
  const char *console_socket;         /**< unix socket that is given the terminal's master */
  const char *pidfd_socket;           /**< unix socket that is given a pidfd of the process */
  const char *pid_file;               /**< gets the process's pid, no newline */
  unsigned preserve_fds;              /**< descriptors from 3 on that the program inherits */
  bool tty;                           /**< with a terminal */
  bool no_new_privs;                  /**< set no_new_privs */
  bool detach;                        /**< return when the program runs */
  bool ignore_paused;                 /**< also if the container is paused: the program runs when it is resumed */
};

/** Executes a program in container ID, beside its first process; unless detached also waits and relays the terminal and
 * signals.  Returns the exit status of the program, 128 + signal when it was killed by one; 0 when detached.  */
int thole_exec (struct thole *thole, const char *id, const struct thole_exec_options *options,
                struct thole_error *error);

/** Sends SIG to the first process, or with ALL to every process of the container.  */
int thole_kill (struct thole *thole, const char *id, int sig, bool all, struct thole_error *error);

/** Deletes a stopped container; with FORCE kills it first, and an absent one is no error.  */
int thole_delete (struct thole *thole, const char *id, bool force, struct thole_error *error);

/** What to change.  Set size to sizeof (struct thole_update_options); what is zero or NULL stays as it is.  */
struct thole_update_options
{
  size_t size;
  const char *resources;       /**< JSON as of linux.resources: {"memory":{"limit":67108864}}; absent members stay */
  const char *resources_name;  /**< the file it came from, for messages with a place; NULL: with the path alone */
  const char *l3_cache_schema; /**< linux.intelRdt.l3CacheSchema: "L3:0=f" */
  const char *mem_bw_schema;   /**< linux.intelRdt.memBwSchema: "MB:0=20" */
};

/** Changes the limits of a container that has not stopped: all that OPTIONS names or, after a failure, nothing.  */
int thole_update (struct thole *thole, const char *id, const struct thole_update_options *options,
                  struct thole_error *error);

/** Stops every process of the container where it stands; returns when all stand still.  */
int thole_pause (struct thole *thole, const char *id, struct thole_error *error);

/** Lets a paused container go on.  */
int thole_resume (struct thole *thole, const char *id, struct thole_error *error);

/** The processes of the container, as the caller's pid namespace knows them: none of one that has stopped.  *RET is
 * allocated with malloc.  */
int thole_pids (struct thole *thole, const char *id, pid_t **ret, size_t *ret_count, struct thole_error *error);

/** What the container uses and may use, as one line of JSON: {"type":"stats","id":...,"data":{...}}.  *RET is allocated
 * with malloc.  */
int thole_stats (struct thole *thole, const char *id, char **ret, struct thole_error *error);

/** Takes an event, one line of JSON without its line break: as of thole_stats, or {"type":"oom","id":...} when memory
 * ran out.  Less than 0 ends thole_events, which returns it.  */
typedef int (*thole_event_fn) (void *data, const char *json);

/** Gives TAKE an event now and every INTERVAL_MS (> 0), and one whenever memory runs out, until the container ends.  */
int thole_events (struct thole *thole, const char *id, unsigned interval_ms, thole_event_fn take, void *data,
                  struct thole_error *error);

enum thole_status
{
  THOLE_CREATING,
  THOLE_CREATED,
  THOLE_RUNNING,
  THOLE_PAUSED,
  THOLE_STOPPED,
};

/** The word of runtime.md#state for STATUS.  */
const char *thole_status_name (enum thole_status status);

/** State of a container.  Strings belong to the state; free it with thole_state_free.  */
struct thole_state
{
  const char *id;
  enum thole_status status;
  pid_t pid; /**< 0 when stopped */
  const char *bundle, *rootfs;
  const char *created; /**< RFC 3339, UTC */
  const char *owner;   /**< user name, or number */
  const char *json;    /**< the whole, one line, as in runtime.md#state */
};

int thole_state (struct thole *thole, const char *id, struct thole_state **ret, struct thole_error *error);
void thole_state_free (struct thole_state *state);

/** The states of all containers, sorted by id.  *RET is an array of *RET_COUNT; free it with thole_list_free.  */
int thole_list (struct thole *thole, struct thole_state ***ret, size_t *ret_count, struct thole_error *error);
void thole_list_free (struct thole_state **states, size_t count);

/** What creating the bundle would do, step by step, for people or as JSON.  *RET is allocated with malloc.  */
int thole_plan (struct thole *thole, const struct thole_create_options *options, bool json, char **ret,
                struct thole_error *error);

/** A default config.json.  *RET is allocated with malloc.  */
int thole_spec (bool rootless, char **ret, struct thole_error *error);

/** What this build can do, as JSON (features.md).  *RET is allocated with malloc.  */
int thole_features (char **ret, struct thole_error *error);

THOLE_END
#pragma GCC visibility pop

#endif
