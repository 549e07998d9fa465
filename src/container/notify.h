/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* NOTIFY_SOCKET: the word of the program that it is ready, for who called us (sd_notify(3), Type=notify of
 * systemd.service(5)).
 *
 * The caller's socket is nothing for a container: whoever has it can say anything about the service.  So the program
 * gets one of ours, in a directory of the store that is mounted, read-only, on /run/notify.  Of all that comes there
 * one thing is told to the caller: the first READY=1, in words of ours and with a MAINPID of ours; what else it was
 * sent, such as descriptors, is closed unseen.  Then our socket is closed.
 *
 *     create       notify_make: the directory, which the plan mounts
 *     run, start   notify_listen, before START
 *     start, run --detach: notify_wait until the program is ready, or has ended
 *     run          notify_take, whenever something comes (foreground.c)
 *     delete       removes the directory
 *
 * A caller that cannot be told is no reason for a container not to run, so that is a warning.  */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct arena;
struct error;
struct store_entry;

/* What the program finds in its environment.  */
#define NOTIFY_ENVIRONMENT "NOTIFY_SOCKET=/run/notify/notify.sock"

struct notify
{
  int socket; /* the program's; -1: nothing is waited for */
  int caller; /* connected to the caller's */
};

#define NOTIFY_INIT                                                                                                    \
  {                                                                                                                    \
    .socket = -1, .caller = -1                                                                                         \
  }

/* Whether the caller wants to be notified.  */
bool notify_is_wanted (void);

/* The directory that container ID of the store ROOT gets, absolute.  */
const char *notify_directory (struct arena *arena, const char *root, const char *id);

/* Makes it in the new ENTRY, with the SELinux label LABEL unless that is NULL.  */
int notify_make (const struct store_entry *entry, const char *label, struct error *err);

/* Makes the socket of ENTRY, which has the directory, unless the caller does not want to be, or cannot be, notified. */
int notify_listen (const struct store_entry *entry, struct notify *ret_notify, struct error *err);

/* Takes what has come so far, without waiting.  If the program is ready the caller is told so, and that MAIN_PID is the
 * service's process; then, or if nothing was waited for, it returns true.  */
bool notify_take (struct notify *notify, pid_t main_pid);

/* Waits until the program, of process PID, is ready or PIDFD has ended, and until the caller has taken notice: who
 * looks a sender up by its pid must not find it gone.  */
void notify_wait (struct notify *notify, pid_t pid, int pidfd);

void notify_close (struct notify *notify);
