/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The probe's spy: what a process inside can get hold of while a runtime's own process passes through its namespace.
 *
 * It looks at every other process of its /proc again and again, as fast as it can, and reports each different thing
 * that it could reach: where the links exe, cwd, root and fd/N lead, and whether the descriptors and the program could
 * be opened for writing; whether one is a procfs that is not the container's; and which capabilities there are.  */

#include "probe.h"
#include "report.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

enum
{
  FOUND_MAX = 512,
  TEXT_MAX = 400
};

static char found[FOUND_MAX][TEXT_MAX];
static int found_count;

static void
remember (const char *what, const char *target)
{
  char text[TEXT_MAX];

  snprintf (text, sizeof text, "%.20s %.370s", what, target);
  for (int i = 0; i < found_count; i++)
    if (strcmp (found[i], text) == 0)
      return;
  if (found_count < FOUND_MAX)
    memcpy (found[found_count++], text, sizeof text);
}

static void
look_at_link (const char *path, const char *what)
{
  char target[TEXT_MAX];
  ssize_t size = readlink (path, target, sizeof target - 1);
  struct statfs sfs;
  int fd;

  if (size < 0)
    return;
  target[size] = '\0';
  remember (what, target);
  if (statfs (path, &sfs) == 0 && sfs.f_type == PROC_SUPER_MAGIC && strncmp (target, "/proc", 5) != 0)
    remember ("procfs", what);
  fd = open (path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd >= 0)
    {
      remember ("opened", target);
      close (fd);
    }
}

/* "CapPrm:" and "CapBnd:" of the process's status.  */
static void
look_at_capabilities (const char *pid)
{
  char path[40], line[200];
  FILE *file;

  snprintf (path, sizeof path, "/proc/%.20s/status", pid);
  file = fopen (path, "re");
  while (file && fgets (line, sizeof line, file))
    if (strncmp (line, "CapPrm:", 7) == 0 || strncmp (line, "CapBnd:", 7) == 0)
      {
        line[strcspn (line, "\n")] = '\0';
        line[6] = '\0';
        remember (line, line + 8);
      }
  if (file)
    fclose (file);
}

static void
look_at_process (const char *pid)
{
  static const char *const links[] = { "exe", "cwd", "root" };
  char path[300];
  struct dirent *entry;
  DIR *directory;

  for (size_t i = 0; i < sizeof links / sizeof *links; i++)
    {
      snprintf (path, sizeof path, "/proc/%.20s/%s", pid, links[i]);
      look_at_link (path, links[i]);
    }
  look_at_capabilities (pid);
  snprintf (path, sizeof path, "/proc/%.20s/fd", pid);
  directory = opendir (path);
  if (directory == NULL)
    return;
  while ((entry = readdir (directory)))
    if (entry->d_name[0] != '.')
      {
        snprintf (path, sizeof path, "/proc/%.20s/fd/%.20s", pid, entry->d_name);
        look_at_link (path, "fd");
      }
  closedir (directory);
}

static double
seconds_now (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

/* Looks at all processes but pid 1 and itself.  */
static void
do_spy (char **args)
{
  double end = seconds_now () + atof (args[0]) / 1000;
  pid_t self = getpid ();

  while (seconds_now () < end)
    {
      struct dirent *entry;
      DIR *directory = opendir ("/proc");

      while (directory && (entry = readdir (directory)))
        if (atoi (entry->d_name) > 1 && atoi (entry->d_name) != self)
          look_at_process (entry->d_name);
      if (directory)
        closedir (directory);
    }
  report_open ('[');
  for (int i = 0; i < found_count; i++)
    report_string (found[i]);
  report_close (']');
}

const struct command spy_commands[] = {
  { "spy", 1, do_spy, "MILLISECONDS: what can be reached of other processes" },
  { 0 },
};
