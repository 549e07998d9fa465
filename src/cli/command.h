/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A command: what --help says of it, what it takes, and the function that does it.  Each has a file of its own name and
 * a line in commands.c.  */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "cli/options.h"
#include "thole/thole.h"

/* What a command is called with.  */
struct invocation
{
  const struct command *command;
  struct thole *thole;
  struct thole_error *error; /* to be filled */
  const void *values;        /* of its options */
  char *const *operands;     /* NULL-terminated; as many as the command says */
  size_t operand_count;
};

struct command
{
  const char *name;
  const char *operands; /* for --help, and counted: "container [signal]" is one or two, "..." any; NULL: none */
  const char *summary;  /* one line */
  const char *details;  /* more, ending with a line break; NULL: none */
  struct options options;
  bool first_only;     /* options end at the first operand: what follows has options of its own */
  int failure;         /* the exit status of a failure of ours, where that is not 1 */
  size_t values_size;  /* of the struct that OPTIONS fill, which begins as zeros */
  const char *refusal; /* why it cannot be done; then RUN is NULL */
  /* Returns the exit status.  */
  int (*run) (const struct invocation *invocation);
};

/* All of them, NULL-terminated, in the order in which --help lists them.  */
extern const struct command *const commands[];

extern const struct command command_checkpoint, command_create, command_delete, command_events, command_exec,
    command_features, command_kill, command_list, command_pause, command_plan, command_ps, command_restore,
    command_resume, command_run, command_spec, command_start, command_state, command_update;

/* The rows of create's options, which run has, too: into a struct thole_create_options that begins the values.  */
#define CREATE_OPTIONS(structure, options)                                                                             \
  STRING (structure, options.bundle, "bundle", 'b', "DIR", "the bundle; default: the current directory"),              \
      STRING (structure, options.config, "config", 'f', "FILE",                                                        \
              "the configuration; default: config.json of the bundle"),                                                \
      STRING (structure, options.console_socket, "console-socket", 0, "PATH", "socket that gets the terminal"),        \
      STRING (structure, options.pid_file, "pid-file", 0, "FILE", "gets the pid of the first process"),                \
      STRING (structure, options.pidfd_socket, "pidfd-socket", 0, "PATH",                                              \
              "socket that gets a pidfd of the first process"),                                                        \
      NUMBER (structure, options.preserve_fds, "preserve-fds", 0, "N", "pass N descriptors, from 3 on"),               \
      FLAG (structure, options.no_pivot, "no-pivot", 0, "do not use pivot_root (when / is an initramfs)"),             \
      FLAG (structure, options.no_new_keyring, "no-new-keyring", 0, "keep the caller's session keyring"),              \
      FLAG (structure, options.no_subreaper, "no-subreaper", 0, "leave orphans of the container to others"),           \
      STRING (structure, options.trace, "trace", 0, "FILE", "write where the time went, as JSON")

/* The exit status of a failure of COMMAND.  */
int command_failure (const struct command *command);

/* Says what went wrong with INVOCATION, which was about container ID (NULL: about none), and returns the exit status.
 */
int command_failed (const struct invocation *invocation, const char *id);
