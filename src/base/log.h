/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The log sink: the only mutable global of the library.
 *
 * Library code logs warnings and debug lines here; errors are returned, and the command logs the final one.  Nothing is
 * written until the command names a sink.  A line is written with one write(2).  */
#pragma once

#include <stdbool.h>

#include "base/names.h"

enum log_level
{
  LOG_LEVEL_ERROR,
  LOG_LEVEL_WARNING,
  LOG_LEVEL_INFO,
  LOG_LEVEL_DEBUG,
};

/* The words of --log-level; the first name of a level is the one that is written.  */
extern const struct names log_level_names;

enum log_format
{
  LOG_FORMAT_TEXT, /* time="..." level=warning msg="..." */
  LOG_FORMAT_JSON, /* {"level":"warning","msg":"...","time":"..."} */
};

/* FD is borrowed and must stay open; -1 turns logging off.  */
void log_open (int fd, enum log_format format, enum log_level level);

/* The host's services instead: syslog(3), and systemd's journal, to whose socket FD, borrowed, is connected.  Each line
 * is said to be of IDENTIFIER, which is kept.  */
void log_open_syslog (const char *identifier, enum log_level level);
void log_open_journal (int fd, const char *identifier, enum log_level level);

/* True if a line of LEVEL would be written: ask before costly formatting.  */
bool log_enabled (enum log_level level);

/* Writes a line if LEVEL is enabled.  Keeps errno.  A very long message is cut; the line is always well-formed.  */
void log_write (enum log_level level, const char *format, ...) __attribute__ ((format (printf, 2, 3)));

#define log_debug(...) log_write (LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_warning(...) log_write (LOG_LEVEL_WARNING, __VA_ARGS__)
