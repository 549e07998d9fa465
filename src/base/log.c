/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The log sink.  A line is put together on the stack and written with one write(2), so lines of concurrent commands
 * that append to one file do not mix.  The services of the host that take logs get the message alone, and the level as
 * they know it.  */
#include "base/log.h"

#include <endian.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <syslog.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/escape.h"

#define MESSAGE_SIZE (ERROR_MESSAGE_MAX + ERROR_HINT_MAX + 256)

enum destination
{
  NOWHERE,
  LINES,
  SYSLOG,
  JOURNAL,
};

static struct
{
  enum destination destination;
  int fd;
  const char *identifier;
  enum log_format format;
  enum log_level level;
} sink;

/* The last rows are the other words that runc takes for --log-level.  */
static const struct name level_rows[] = {
  { "error", LOG_LEVEL_ERROR },  { "warning", LOG_LEVEL_WARNING }, { "info", LOG_LEVEL_INFO },
  { "debug", LOG_LEVEL_DEBUG },  { "panic", LOG_LEVEL_ERROR },     { "fatal", LOG_LEVEL_ERROR },
  { "warn", LOG_LEVEL_WARNING }, { "trace", LOG_LEVEL_DEBUG },
};

const struct names log_level_names = NAMES (level_rows);

static const int priorities[] = {
  [LOG_LEVEL_ERROR] = LOG_ERR,
  [LOG_LEVEL_WARNING] = LOG_WARNING,
  [LOG_LEVEL_INFO] = LOG_INFO,
  [LOG_LEVEL_DEBUG] = LOG_DEBUG,
};

void
log_open (int fd, enum log_format format, enum log_level level)
{
  sink.destination = fd < 0 ? NOWHERE : LINES;
  sink.fd = fd;
  sink.format = format;
  sink.level = level;
}

void
log_open_syslog (const char *identifier, enum log_level level)
{
  openlog (identifier, LOG_PID, LOG_USER);
  sink.destination = SYSLOG;
  sink.level = level;
}

void
log_open_journal (int fd, const char *identifier, enum log_level level)
{
  sink.destination = JOURNAL;
  sink.fd = fd;
  sink.identifier = identifier;
  sink.level = level;
}

bool
log_enabled (enum log_level level)
{
  return sink.destination != NOWHERE && level <= sink.level;
}

static void
write_line (enum log_level level, const char *message)
{
  char time[CLOCK_TEXT_SIZE], tail[CLOCK_TEXT_SIZE + 16], line[2 * MESSAGE_SIZE];
  const char *name = names_of (&log_level_names, level);
  bool json = sink.format == LOG_FORMAT_JSON;

  /* A message that is too long loses its end, never the closing of the line.  */
  clock_now_text (time);
  int tail_length = snprintf (tail, sizeof tail, json ? "\",\"time\":\"%s\"}\n" : "\"\n", time);
  int head_length = json ? snprintf (line, sizeof line, "{\"level\":\"%s\",\"msg\":\"", name)
                         : snprintf (line, sizeof line, "time=\"%s\" level=%s msg=\"", time, name);
  size_t used = (size_t) head_length;
  used += escape_text (line + used, sizeof line - used - (size_t) tail_length, message,
                       json ? ESCAPE_JSON : ESCAPE_QUOTED);
  memcpy (line + used, tail, (size_t) tail_length);

  ssize_t written;
  do
    written = write (sink.fd, line, used + (size_t) tail_length);
  while (written < 0 && errno == EINTR);
}

/* A datagram of fields, the texts with their lengths before them, since they may have line breaks
 * (https://systemd.io/JOURNAL_NATIVE_PROTOCOL).  */
static void
send_to_journal (enum log_level level, const char *message)
{
  char head[64];
  size_t head_length = (size_t) snprintf (head, sizeof head, "PRIORITY=%d\nSYSLOG_IDENTIFIER\n", priorities[level]);
  size_t identifier_length = strlen (sink.identifier), message_length = strlen (message);
  uint64_t lengths[] = { htole64 (identifier_length), htole64 (message_length) };
  struct iovec parts[] = {
    { head, head_length },         { &lengths[0], sizeof lengths[0] }, { (char *) sink.identifier, identifier_length },
    { (char *) "\nMESSAGE\n", 9 }, { &lengths[1], sizeof lengths[1] }, { (char *) message, message_length },
    { (char *) "\n", 1 },
  };
  const struct msghdr datagram = { .msg_iov = parts, .msg_iovlen = sizeof parts / sizeof *parts };
  ssize_t sent;
  do
    sent = sendmsg (sink.fd, &datagram, MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
}

void
log_write (enum log_level level, const char *format, ...)
{
  if (!log_enabled (level))
    return;

  int saved_errno = errno;
  char message[MESSAGE_SIZE];
  va_list args;
  va_start (args, format);
  if (vsnprintf (message, sizeof message, format, args) < 0)
    message[0] = '\0';
  va_end (args);

  /* There is nobody to tell that the log cannot be written.  */
  if (sink.destination == SYSLOG)
    syslog (priorities[level], "%s", message);
  else if (sink.destination == JOURNAL)
    send_to_journal (level, message);
  else
    write_line (level, message);
  errno = saved_errno;
}
