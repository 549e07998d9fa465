/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* thole ps: the lines of ps(1) that are about processes of the container.  */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/strbuf.h"
#include "cli/command.h"
#include "cli/output.h"

enum
{
  PS_TIMEOUT_MS = 10000, /* for each piece of its output: it reads the memory of every process */
};

enum ps_format
{
  PS_TABLE,
  PS_JSON,
};

static const struct name format_rows[] = { { "table", PS_TABLE }, { "json", PS_JSON } };
static const struct names formats = NAMES (format_rows);

struct ps_values
{
  int format; /* enum ps_format */
};

static const struct option rows[] = {
  WORD (ps_values, format, "format", 'f', &formats, "how to print them; default: table"),
};

struct pids
{
  pid_t *items;
  size_t count;
};

static bool
has_pid (const struct pids *pids, long pid)
{
  for (size_t i = 0; i < pids->count; i++)
    if (pids->items[i] == pid)
      return true;
  return false;
}

/* ---- ps(1) ------------------------------------------------------------------------------------------------------ */

static _Noreturn void
become_ps (int output, char *const *argv)
{
  if (dup2 (output, STDOUT_FILENO) >= 0)
    execvp ("ps", argv);
  _exit (errno == ENOENT ? 127 : 126);
}

/* Reads the end of the pipe FD whole into OUT.  */
static int
read_output (int fd, struct strbuf *out, struct error *err)
{
  char piece[4096];
  for (;;)
    {
      int r = fd_wait_readable (fd, PS_TIMEOUT_MS);
      if (r == -ETIMEDOUT)
        return error_set (err, ETIMEDOUT, "ps(1) has printed nothing for %d s", PS_TIMEOUT_MS / 1000);
      ssize_t length = r < 0 ? r : read (fd, piece, sizeof piece);
      if (length < 0 && errno == EINTR)
        continue;
      if (length < 0)
        return error_sys (err, r < 0 ? r : errno, "read the output of ps(1)");
      if (length == 0)
        return 0;
      strbuf_add_bytes (out, piece, (size_t) length);
    }
}

static int
check_status (int status, struct error *err)
{
  if (WIFEXITED (status) && WEXITSTATUS (status) == 127)
    {
      error_set (err, ENOENT, "there is no ps(1) here");
      error_hint (err, "install procps, or take --format json");
      return -ENOENT;
    }
  if (status != 0)
    return error_set (err, EINVAL, "ps(1) ended with status %d",
                      WIFEXITED (status) ? WEXITSTATUS (status) : 128 + WTERMSIG (status));
  return 0;
}

static int
run_ps (char *const *argv, struct strbuf *out, struct error *err)
{
  int ends[2], status;
  if (pipe2 (ends, O_CLOEXEC) < 0)
    return error_sys (err, errno, "make a pipe");
  FD_CLEANUP int input = ends[0];
  pid_t pid = fork ();
  if (pid == 0)
    become_ps (ends[1], argv);
  fd_close (ends[1]);
  if (pid < 0)
    return error_sys (err, errno, "fork");
  int r = read_output (input, out, err);
  if (r < 0)
    kill (pid, SIGKILL);
  while (waitpid (pid, &status, 0) < 0 && errno == EINTR)
    ;
  return r < 0 ? r : check_status (status, err);
}

/* ---- its lines -------------------------------------------------------------------------------------------------- */

/* Word INDEX of LINE, or NULL.  */
static const char *
word_at (const char *line, size_t index)
{
  for (;; index--)
    {
      line += strspn (line, " \t");
      if (*line == '\n' || *line == '\0')
        return NULL;
      if (index == 0)
        return line;
      line += strcspn (line, " \t\n");
    }
}

/* The index of the word PID in the heading; -1 without.  */
static int
find_column (const char *heading)
{
  const char *word;
  for (int i = 0; (word = word_at (heading, (size_t) i)) != NULL; i++)
    if (strcspn (word, " \t\n") == 3 && strncmp (word, "PID", 3) == 0)
      return i;
  return -1;
}

/* Copies the heading and the lines of PIDS from TEXT.  */
static int
filter (const char *text, const struct pids *pids, struct strbuf *out, struct error *err)
{
  int column = find_column (text);
  if (column < 0)
    {
      error_set (err, EINVAL, "ps(1) has printed no column PID");
      error_hint (err, "add it to the options: -o pid,...");
      return -EINVAL;
    }
  for (const char *line = text; *line != '\0';)
    {
      size_t length = strcspn (line, "\n");
      length += line[length] == '\n';
      const char *word = word_at (line, (size_t) column);
      if (line == text || (word != NULL && has_pid (pids, strtol (word, NULL, 10))))
        strbuf_add_bytes (out, line, length);
      line += length;
    }
  return 0;
}

/* OPTIONS, of which there are COUNT, are for ps(1); "-ef" if there are none.  */
static int
print_table (const struct pids *pids, char *const *options, size_t count)
{
  ARENA_CLEANUP struct arena arena = { 0 };
  char **argv = arena_array (&arena, char *, count + 3);
  argv[0] = arena_strdup (&arena, "ps");
  argv[1] = arena_strdup (&arena, "-ef");
  memcpy (argv + 1, options, count * sizeof *argv);
  struct strbuf all = STRBUF_INIT (&arena), ours = STRBUF_INIT (&arena);
  struct error err = { 0 };
  int r = run_ps (argv, &all, &err);
  if (r == 0)
    r = filter (strbuf_text (&all), pids, &ours, &err);
  if (r == 0)
    return output_result ("ps", strbuf_text (&ours));
  output_record ("ps", &err);
  return 1;
}

static int
print_json (const struct pids *pids)
{
  ARENA_CLEANUP struct arena arena = { 0 };
  struct strbuf out = STRBUF_INIT (&arena);
  struct json_writer w = { .out = &out };
  json_array_begin (&w, NULL);
  for (size_t i = 0; i < pids->count; i++)
    json_integer (&w, NULL, pids->items[i]);
  json_array_end (&w);
  strbuf_add_char (&out, '\n');
  return output_result ("ps", strbuf_text (&out));
}

static int
run (const struct invocation *invocation)
{
  const struct ps_values *values = invocation->values;
  struct pids pids;
  if (thole_pids (invocation->thole, invocation->operands[0], &pids.items, &pids.count, invocation->error) < 0)
    return command_failed (invocation, invocation->operands[0]);
  int status = values->format == PS_JSON ? print_json (&pids)
                                         : print_table (&pids, invocation->operands + 1, invocation->operand_count - 1);
  free (pids.items);
  return status;
}

const struct command command_ps = {
  .name = "ps",
  .operands = "container [ps-option]...",
  .summary = "list the processes of a container",
  .details = "Options after the container are those of ps(1); without any, -ef.\n",
  .options = OPTIONS (rows),
  .values_size = sizeof (struct ps_values),
  .first_only = true,
  .run = run,
};
