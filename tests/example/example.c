/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* example: a client of libthole, and a test of what is installed of it.
 *
 *     example ROOT BUNDLE ID
 *
 * Takes one container through its life: create, state, start, wait, delete.  States are kept below ROOT.  Ends with the
 * status of the container's program.
 *
 *     cc example.c $(pkg-config --cflags --libs thole)  */
#include <thole/thole.h>

#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>

static int
complain (const char *what, const struct thole_error *error)
{
  fprintf (stderr, "example: %s: %s\n", what, thole_error_message (error));
  if (thole_error_hint (error) != NULL)
    fprintf (stderr, "  hint: %s\n", thole_error_hint (error));
  return 255;
}

/* Prints the state of container ID and returns its pid, or -1.  */
static pid_t
show_state (struct thole *thole, const char *id, struct thole_error *error)
{
  struct thole_state *state;
  if (thole_state (thole, id, &state, error) < 0)
    return -1;
  pid_t pid = state->pid;
  printf ("%s is %s\n", state->id, thole_status_name (state->status));
  thole_state_free (state);
  return pid;
}

/* Who creates a container is the parent of its first process and collects its status.  */
static int
wait_for (pid_t pid)
{
  int status;
  while (waitpid (pid, &status, 0) < 0)
    if (errno != EINTR)
      return 255;
  return WIFEXITED (status) ? WEXITSTATUS (status) : 128 + WTERMSIG (status);
}

static int
live (struct thole *thole, const char *bundle, const char *id, struct thole_error *error)
{
  struct thole_create_options options = { .size = sizeof options, .bundle = bundle };
  if (thole_create (thole, id, &options, error) < 0)
    return complain ("create", error);

  int status = 255;
  pid_t pid = show_state (thole, id, error);
  if (pid < 0)
    complain ("state", error);
  else if (thole_start (thole, id, error) < 0)
    complain ("start", error);
  else
    {
      status = wait_for (pid);
      if (show_state (thole, id, error) < 0)
        status = complain ("state", error);
    }

  if (thole_delete (thole, id, true, error) < 0)
    return complain ("delete", error);
  return status;
}

int
main (int argc, char **argv)
{
  if (argc != 4)
    {
      fprintf (stderr, "usage: example ROOT BUNDLE ID\n");
      return 2;
    }
  setvbuf (stdout, NULL, _IOLBF, 0);

  struct thole_error *error = thole_error_new ();
  struct thole_options options = { .size = sizeof options, .root = argv[1] };
  struct thole *thole;
  if (error == NULL || thole_new (&options, &thole, error) < 0)
    {
      fprintf (stderr, "example: %s\n", error != NULL ? thole_error_message (error) : "out of memory");
      thole_error_free (error);
      return 255;
    }
  printf ("libthole %s, runtime-spec %s\n", thole_version (), thole_spec_version ());
  int status = live (thole, argv[2], argv[3], error);
  thole_free (thole);
  thole_error_free (error);
  return status;
}
