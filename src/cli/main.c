/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The thole command: global options, the choice of a command, its options, and its error.
 *
 * The library does the work; this prints.  Starting up is part of every container's start, so nothing is probed, read
 * or set up here that the command at hand does not need.  */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/log.h"
#include "cli/command.h"
#include "cli/help.h"
#include "cli/output.h"

static const struct name log_format_rows[] = { { "text", LOG_FORMAT_TEXT }, { "json", LOG_FORMAT_JSON } };
static const struct names log_formats = NAMES (log_format_rows);

static const struct name manager_rows[] = {
  { "cgroupfs", THOLE_CGROUP_CGROUPFS },
  { "systemd", THOLE_CGROUP_SYSTEMD },
  { "disabled", THOLE_CGROUP_DISABLED },
};
static const struct names managers = NAMES (manager_rows);

static const struct name rootless_rows[] = {
  { "auto", THOLE_ROOTLESS_AUTO },
  { "true", THOLE_ROOTLESS_TRUE },
  { "false", THOLE_ROOTLESS_FALSE },
};
static const struct names rootless_words = NAMES (rootless_rows);

struct globals
{
  const char *root, *log;
  int log_format, log_level, cgroup_manager, rootless;
  unsigned systemd_timeout;
  bool debug, systemd_cgroup, version;
};

static const struct option global_rows[] = {
  STRING (globals, root, "root", 0, "DIR", "where states are kept; default: /run/thole, or $XDG_RUNTIME_DIR/thole"),
  STRING (globals, log, "log", 0, "FILE", "where to log (or syslog:NAME, journald:NAME), beside the error on stderr"),
  WORD (globals, log_format, "log-format", 0, &log_formats, "default: text"),
  WORD (globals, log_level, "log-level", 0, &log_level_names, "default: warning"),
  FLAG (globals, debug, "debug", 0, "the same as --log-level debug"),
  WORD (globals, cgroup_manager, "cgroup-manager", 0, &managers, "default: cgroupfs"),
  FLAG (globals, systemd_cgroup, "systemd-cgroup", 0, "the same as --cgroup-manager systemd"),
  NUMBER (globals, systemd_timeout, "systemd-timeout", 0, "SECONDS",
          "how long systemd may take to answer; default: 10"),
  WORD (globals, rootless, "rootless", 0, &rootless_words, "do without a cgroup where none can be made; default: auto"),
  FLAG (globals, version, "version", 'v', "print the version"),
};
static const struct options global_options = OPTIONS (global_rows);

/* COMMAND: NULL before it is known.  */
static int
usage_error (const struct command *command, const struct error *err)
{
  output_record (command != NULL ? command->name : "", err);
  return command != NULL ? command_failure (command) : 1;
}

/* A descriptor that we open must not become one of the three that programs take for standard ones.  */
static void
fill_standard_descriptors (void)
{
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
    if (fcntl (fd, F_GETFD) < 0 && errno == EBADF)
      open ("/dev/null", O_RDWR);
}

/* Where the log goes: each opens what is behind its prefix.  0 or an error.  */
static int
open_log_file (const struct globals *globals, const char *path, enum log_level level, struct error *err)
{
  /* Non-blocking: a FIFO that nobody reads holds up no container.  */
  int fd = open (path, O_WRONLY | O_CREAT | O_APPEND | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, 0600);
  if (fd < 0)
    return error_sys (err, errno, "open the log %s", path);
  log_open (fd, (enum log_format) globals->log_format, level);
  return 0;
}

static int
open_log_syslog (const struct globals *globals, const char *identifier, enum log_level level, struct error *err)
{
  (void) globals;
  (void) err;
  log_open_syslog (*identifier != '\0' ? identifier : "thole", level);
  return 0;
}

static int
open_log_journal (const struct globals *globals, const char *identifier, enum log_level level, struct error *err)
{
  static const struct sockaddr_un journal = { .sun_family = AF_UNIX, .sun_path = "/run/systemd/journal/socket" };
  int fd = socket (AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect (fd, (const struct sockaddr *) &journal, sizeof journal) < 0)
    return error_sys (err, errno, "open the log %s: %s", globals->log, journal.sun_path);
  log_open_journal (fd, *identifier != '\0' ? identifier : "thole", level);
  return 0;
}

static const struct
{
  const char *prefix;
  int (*open) (const struct globals *globals, const char *rest, enum log_level level, struct error *err);
} logs[] = {
  { "file:", open_log_file },
  { "syslog:", open_log_syslog },
  { "journald:", open_log_journal },
};

static int
open_log (const struct globals *globals, struct error *err)
{
  enum log_level level = globals->debug ? LOG_LEVEL_DEBUG : (enum log_level) globals->log_level;
  output_errors (globals->log != NULL, globals->log_format == LOG_FORMAT_JSON);
  if (globals->log == NULL)
    {
      log_open (STDERR_FILENO, (enum log_format) globals->log_format, level);
      return 0;
    }
  for (size_t i = 0; i < sizeof logs / sizeof *logs; i++)
    {
      size_t length = strlen (logs[i].prefix);
      if (strncmp (globals->log, logs[i].prefix, length) == 0)
        return logs[i].open (globals, globals->log + length, level, err);
    }
  return open_log_file (globals, globals->log, level, err);
}

static const struct command *
find_command (const char *name, struct error *err)
{
  enum
  {
    COMMANDS_MAX = 64
  };
  struct name rows[COMMANDS_MAX];
  struct names names = { .rows = rows };
  const char *nearest = NULL;
  for (const struct command *const *command = commands; *command != NULL; command++)
    {
      if (strcmp ((*command)->name, name) == 0)
        return *command;
      if (nearest == NULL && strncmp ((*command)->name, name, strlen (name)) == 0)
        nearest = (*command)->name;
      if (names.count < COMMANDS_MAX)
        rows[names.count++] = (struct name){ (*command)->name, 0 };
    }
  error_set (err, EINVAL, "unknown command '%s'", name);
  if (nearest == NULL)
    nearest = names_nearest (&names, name);
  if (nearest != NULL)
    error_hint (err, "did you mean %s?", nearest);
  else
    error_hint (err, "`thole --help` lists the commands");
  return NULL;
}

static void
missing_command (struct error *err)
{
  char names[256] = "";
  for (size_t i = 0; commands[i] != NULL; i++)
    snprintf (names + strlen (names), sizeof names - strlen (names), "%s%s", i > 0 ? ", " : "", commands[i]->name);
  error_set (err, EINVAL, "no command");
  error_hint (err, "it is one of %s; `thole --help` says more", names);
}

/* Checks the number of operands against the words of COMMAND's: those in brackets may be left out, and there may be any
 * number of what dots follow.  */
static int
check_operands (const struct command *command, const struct operands *given, struct error *err)
{
  size_t i = 0;
  for (const char *word = command->operands; word != NULL && *word != '\0'; i++)
    {
      size_t length = strcspn (word, " ");
      if (i == given->count && word[0] != '[')
        {
          error_set (err, EINVAL, "missing %.*s", (int) length, word);
          error_hint (err, "usage: thole %s [OPTION]... %s", command->name, command->operands);
          return -EINVAL;
        }
      if (i == given->count || word[length - 1] == '.')
        return 0;
      word += length + strspn (word + length, " ");
    }
  if (given->count > i)
    return error_set (err, EINVAL, "unexpected operand '%s'", given->words[i]);
  return 0;
}

static int
call (const struct command *command, const struct globals *globals, const void *values, const struct operands *operands)
{
  struct thole_error *error = thole_error_new ();
  const struct thole_options options = {
    .size = sizeof options,
    .root = globals->root,
    .rootless = (enum thole_rootless) globals->rootless,
    .systemd_timeout = globals->systemd_timeout,
    .cgroup_manager
    = globals->systemd_cgroup ? THOLE_CGROUP_SYSTEMD : (enum thole_cgroup_manager) globals->cgroup_manager,
  };
  struct invocation invocation = {
    .command = command,
    .error = error,
    .values = values,
    .operands = operands->words,
    .operand_count = operands->count,
  };
  log_debug ("%s %s, thole %s", command->name, operands->count > 0 ? operands->words[0] : "", thole_version ());
  int status = thole_new (&options, &invocation.thole, error) < 0 ? command_failed (&invocation, NULL)
                                                                  : command->run (&invocation);
  thole_free (invocation.thole);
  thole_error_free (error);
  return status;
}

/* Runs COMMAND with WORDS, what follows its name.  Returns the exit status.  */
static int
run_command (const struct command *command, const struct globals *globals, char **words)
{
  ARENA_CLEANUP struct arena arena = { 0 };
  struct error err = { 0 };
  struct operands operands;
  void *values = arena_alloc (&arena, command->values_size + 1);
  int result = options_parse (&arena, &command->options, values, words, command->first_only, &operands, &err);
  if (result == 0 && operands.help)
    return help_print (command, NULL);
  if (command->refusal != NULL) /* whatever it was called with */
    result = error_set (&err, ENOTSUP, "%s", command->refusal);
  else if (result == 0)
    result = check_operands (command, &operands, &err);
  if (result < 0)
    return usage_error (command, &err);

  /* What our caller ignores or blocks is init's to restore for the program; but a SIGCHLD that is ignored would keep
   * the ends of our own children from us.  */
  signal (SIGCHLD, SIG_DFL);
  return call (command, globals, values, &operands);
}

int
main (int argc, char **argv)
{
  struct globals globals = { .log_level = LOG_LEVEL_WARNING };
  struct operands operands;
  struct error err = { 0 };
  char *nothing[] = { NULL };
  if (options_parse (NULL, &global_options, &globals, argc > 0 ? argv + 1 : nothing, true, &operands, &err) < 0)
    return usage_error (NULL, &err);
  if (operands.help)
    return help_print (NULL, &global_options);
  if (globals.version)
    return version_print ();

  fill_standard_descriptors ();
  if (open_log (&globals, &err) < 0)
    return usage_error (NULL, &err);
  if (operands.count == 0)
    {
      missing_command (&err);
      return usage_error (NULL, &err);
    }
  const struct command *command = find_command (operands.words[0], &err);
  return command == NULL ? usage_error (NULL, &err) : run_command (command, &globals, operands.words + 1);
}
