/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* thole exec.  */
#include "cli/command.h"

struct exec_values
{
  struct thole_exec_options options;
};

static const struct option rows[] = {
  STRING (exec_values, options.process, "process", 'p', "FILE", "a process as JSON; other options add to it"),
  STRING (exec_values, options.cwd, "cwd", 0, "DIR", "the working directory"),
  LIST (exec_values, options.env, "env", 'e', "NAME=VALUE", "one more variable of the environment"),
  FLAG (exec_values, options.tty, "tty", 't', "give it a terminal"),
  STRING (exec_values, options.user, "user", 'u', "UID[:GID]", "the user, by number"),
  LIST (exec_values, options.additional_gids, "additional-gids", 'g', "GID", "one more group"),
  LIST (exec_values, options.caps, "cap", 'c', "NAME", "one more capability"),
  FLAG (exec_values, options.no_new_privs, "no-new-privs", 0, "no privileges by set-user-ID programs"),
  STRING (exec_values, options.apparmor, "apparmor", 0, "PROFILE", "the AppArmor profile"),
  STRING (exec_values, options.process_label, "process-label", 0, "LABEL", "the SELinux label"),
  LIST (exec_values, options.cgroups, "cgroup", 0, "[NAME,...:]PATH", "a cgroup inside the container's"),
  FLAG (exec_values, options.detach, "detach", 'd', "return when the program runs"),
  FLAG (exec_values, options.ignore_paused, "ignore-paused", 0, "also in a paused container"),
  STRING (exec_values, options.console_socket, "console-socket", 0, "PATH", "socket that gets the terminal"),
  STRING (exec_values, options.pidfd_socket, "pidfd-socket", 0, "PATH", "socket that gets a pidfd of the process"),
  STRING (exec_values, options.pid_file, "pid-file", 0, "FILE", "gets the pid of the process"),
  NUMBER (exec_values, options.preserve_fds, "preserve-fds", 0, "N", "pass N descriptors, from 3 on"),
};

static int
run (const struct invocation *invocation)
{
  const struct exec_values *values = invocation->values;
  struct thole_exec_options options = values->options;
  const char *id = invocation->operands[0];
  options.size = sizeof options;
  options.args = (const char *const *) invocation->operands + 1;
  int status = thole_exec (invocation->thole, id, &options, invocation->error);
  return status < 0 ? command_failed (invocation, id) : status;
}

const struct command command_exec = {
  .name = "exec",
  .operands = "container [program] [argument]...",
  .summary = "execute a program in a running container",
  .details
  = "Ends with the status of the program, or 128 and the signal that killed it;\nwith 255 if it cannot be run.\n"
    "What no option says is as for the container's own process.\n",
  .options = OPTIONS (rows),
  .first_only = true,
  .failure = 255,
  .values_size = sizeof (struct exec_values),
  .run = run,
};
