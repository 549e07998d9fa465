/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls to systemd's manager by sd-bus(3).  Nothing here waits longer than it was told, and what passes its deadline
 * says which call that was: connecting, a method, or the end of a job.
 *
 * libsystemd is loaded when the first bus is opened.  */
#include "cgroup/systemd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/dlopen.h"
#include "base/error.h"
#include "cgroup/internal.h"

const bool cgroup_systemd_is_built = true;

#define SONAME "libsystemd.so.0"

DLOPEN_NOTE (libsystemd, SONAME, "systemd", "Asks systemd for the cgroup of a container", "recommended");

#define SERVICE "org.freedesktop.systemd1"
#define OBJECT "/org/freedesktop/systemd1"
#define MANAGER "org.freedesktop.systemd1.Manager"

/* systemd's own socket, for the host's root where there is no bus yet, or no longer.  */
#define PRIVATE_ADDRESS "unix:path=/run/systemd/private"

struct libsystemd
{
  DLOPEN_MEMBER (sd_bus_open_system);
  DLOPEN_MEMBER (sd_bus_open_user);
  DLOPEN_MEMBER (sd_bus_new);
  DLOPEN_MEMBER (sd_bus_set_address);
  DLOPEN_MEMBER (sd_bus_start);
  DLOPEN_MEMBER (sd_bus_is_ready);
  DLOPEN_MEMBER (sd_bus_process);
  DLOPEN_MEMBER (sd_bus_wait);
  DLOPEN_MEMBER (sd_bus_close_unref);
  DLOPEN_MEMBER (sd_bus_call);
  DLOPEN_MEMBER (sd_bus_match_signal_async);
  DLOPEN_MEMBER (sd_bus_error_free);
  DLOPEN_MEMBER (sd_bus_message_new_method_call);
  DLOPEN_MEMBER (sd_bus_message_append_basic);
  DLOPEN_MEMBER (sd_bus_message_open_container);
  DLOPEN_MEMBER (sd_bus_message_close_container);
  DLOPEN_MEMBER (sd_bus_message_enter_container);
  DLOPEN_MEMBER (sd_bus_message_read_basic);
  DLOPEN_MEMBER (sd_bus_message_unref);
};

struct systemd_bus
{
  struct libsystemd lib;
  struct arena *arena;
  sd_bus *bus;
  const char *name; /* for messages: "the system bus" */
  bool direct;      /* a socket of systemd's own, with nobody in between */
  bool matched;     /* we hear of jobs that ended */
  unsigned timeout_s;
  const char *job, *result; /* the job that is waited for, and how it ended */
};

static int
load (struct libsystemd *ret_lib, struct error *err)
{
  static const struct dlopen_symbol symbols[] = {
    DLOPEN_SYMBOL (struct libsystemd, sd_bus_open_system),
    DLOPEN_SYMBOL (struct libsystemd, sd_bus_open_user),
    DLOPEN_SYMBOL (struct libsystemd, sd_bus_new),
    DLOPEN_SYMBOL (struct libsystemd, sd_bus_set_address),
    DLOPEN_SYMBOL (struct libsystemd, sd_bus_start),
    DLOPEN_SYMBOL (struct libsystemd, sd_bus_is_ready),
    DLOPEN_SYMBOL (struct libsystemd, sd_bus_process),
    DLOPEN_SYMBOL (struct libsystemd, sd_bus_wait),
    DLOPEN_SYMBOL (struct libsystemd, sd_bus_close_unref),
    DLOPEN_SYMBOL (struct libsystemd, sd_bus_call),
    DLOPEN_SYMBOL (struct libsystemd, sd_bus_match_signal_async),
    DLOPEN_SYMBOL (struct libsystemd, sd_bus_error_free),
    DLOPEN_SYMBOL (struct libsystemd, sd_bus_message_new_method_call),
    DLOPEN_SYMBOL (struct libsystemd, sd_bus_message_append_basic),
    DLOPEN_SYMBOL (struct libsystemd, sd_bus_message_open_container),
    DLOPEN_SYMBOL (struct libsystemd, sd_bus_message_close_container),
    DLOPEN_SYMBOL (struct libsystemd, sd_bus_message_enter_container),
    DLOPEN_SYMBOL (struct libsystemd, sd_bus_message_read_basic),
    DLOPEN_SYMBOL (struct libsystemd, sd_bus_message_unref),
  };
  int r = dlopen_symbols (SONAME, symbols, sizeof symbols / sizeof *symbols, ret_lib, err);
  if (r < 0)
    error_hint (err, "install libsystemd 241 or newer (Debian: libsystemd0), or use --cgroup-manager cgroupfs");
  return r;
}

static int
hangs (const struct systemd_bus *bus, const char *what, struct error *err)
{
  int r = error_set (err, ETIMEDOUT, "systemd has not answered in %u s on %s: %s", bus->timeout_s, bus->name, what);
  error_hint (err, "systemd or the bus may be busy or dead; --systemd-timeout gives them longer");
  return r;
}

/* ---- connecting ------------------------------------------------------------------------------------------------- */

static int
open_direct (struct systemd_bus *bus)
{
  const struct libsystemd *lib = &bus->lib;
  int r = lib->sd_bus_new (&bus->bus);
  if (r >= 0)
    r = lib->sd_bus_set_address (bus->bus, PRIVATE_ADDRESS);
  if (r >= 0)
    r = lib->sd_bus_start (bus->bus);
  if (r < 0)
    bus->bus = lib->sd_bus_close_unref (bus->bus);
  bus->direct = r >= 0;
  return r;
}

/* Drives the connection until it is authenticated and has a name on the bus.  */
static int
become_ready (struct systemd_bus *bus)
{
  const struct libsystemd *lib = &bus->lib;
  int64_t deadline = clock_ms () + (int64_t) bus->timeout_s * 1000;
  int r;
  while ((r = lib->sd_bus_is_ready (bus->bus)) == 0)
    {
      int left = clock_left (deadline);
      if (left == 0)
        return -ETIMEDOUT;
      r = lib->sd_bus_process (bus->bus, NULL);
      if (r == 0)
        r = lib->sd_bus_wait (bus->bus, (uint64_t) left * 1000);
      if (r < 0 && r != -EINTR)
        return r;
    }
  return r < 0 ? r : 0;
}

static int
connect_bus (struct systemd_bus *bus, bool user)
{
  const struct libsystemd *lib = &bus->lib;
  int r = user ? lib->sd_bus_open_user (&bus->bus) : lib->sd_bus_open_system (&bus->bus);
  if (r >= 0)
    r = become_ready (bus);
  if (r >= 0 || r == -ETIMEDOUT || user || geteuid () != 0 || secure_getenv ("DBUS_SYSTEM_BUS_ADDRESS") != NULL)
    return r;
  bus->bus = lib->sd_bus_close_unref (bus->bus);
  bus->name = "its private socket";
  return open_direct (bus) >= 0 ? become_ready (bus) : r;
}

int
systemd_bus_open (struct arena *arena, bool user, unsigned timeout_s, struct systemd_bus **ret_bus, struct error *err)
{
  struct systemd_bus *bus = arena_new (arena, struct systemd_bus);
  *bus = (struct systemd_bus){
    .arena = arena,
    .timeout_s = timeout_s,
    .name = user ? "the user's bus" : "the system bus",
  };
  int r = load (&bus->lib, err);
  if (r < 0)
    return r;
  const char *name = bus->name;
  r = connect_bus (bus, user);
  if (r >= 0)
    {
      *ret_bus = bus;
      return 0;
    }
  systemd_bus_close (bus);
  if (r == -ETIMEDOUT)
    return hangs (bus, "connect", err);
  error_sys (err, r, "connect to %s for a cgroup by systemd", name);
  if (err != NULL)
    err->code = UNIT_NO_BUS;
  if (user)
    error_hint (err, "set DBUS_SESSION_BUS_ADDRESS or XDG_RUNTIME_DIR; a user who is not logged in needs `loginctl "
                     "enable-linger`; or use --cgroup-manager cgroupfs");
  else
    error_hint (err, "is systemd running here? If not, use --cgroup-manager cgroupfs");
  return -UNIT_NO_BUS;
}

void
systemd_bus_close (struct systemd_bus *bus)
{
  if (bus != NULL)
    bus->bus = bus->lib.sd_bus_close_unref (bus->bus);
}

/* ---- messages --------------------------------------------------------------------------------------------------- */

static int
append_basic (const struct libsystemd *lib, sd_bus_message *message, char type, const struct unit_value *value)
{
  uint8_t byte = (uint8_t) value->number;
  uint16_t half = (uint16_t) value->number;
  uint32_t word = (uint32_t) value->number;
  switch (type)
    {
    case 'y':
      return lib->sd_bus_message_append_basic (message, type, &byte);
    case 'n':
    case 'q':
      return lib->sd_bus_message_append_basic (message, type, &half);
    case 'b':
    case 'i':
    case 'u':
      return lib->sd_bus_message_append_basic (message, type, &word);
    case 'd':
      return lib->sd_bus_message_append_basic (message, type, &value->real);
    case 's':
    case 'o':
    case 'g':
      return lib->sd_bus_message_append_basic (message, type, value->text);
    default:
      return lib->sd_bus_message_append_basic (message, type, &value->number);
    }
}

/* The values of a list "a(st)" or "ay".  */
static int
append_list (const struct libsystemd *lib, sd_bus_message *message, const struct unit_property *property)
{
  const char *element = property->type + 1;
  char members[8] = "";
  bool structs = *element == '(';
  strncat (members, structs ? element + 1 : element, sizeof members - 1);
  if (structs)
    members[strlen (members) - 1] = '\0';

  size_t width = strlen (members);
  int r = lib->sd_bus_message_open_container (message, 'a', element);
  for (size_t i = 0; i + width <= property->count && r >= 0; i += width)
    {
      if (structs)
        r = lib->sd_bus_message_open_container (message, 'r', members);
      for (size_t j = 0; j < width && r >= 0; j++)
        r = append_basic (lib, message, members[j], &property->values[i + j]);
      if (structs && r >= 0)
        r = lib->sd_bus_message_close_container (message);
    }
  return r < 0 ? r : lib->sd_bus_message_close_container (message);
}

static int
append_property (const struct libsystemd *lib, sd_bus_message *message, const struct unit_property *property)
{
  int r = lib->sd_bus_message_open_container (message, 'r', "sv");
  if (r >= 0)
    r = lib->sd_bus_message_append_basic (message, 's', property->name);
  if (r >= 0)
    r = lib->sd_bus_message_open_container (message, 'v', property->type);
  if (r >= 0)
    r = *property->type == 'a' ? append_list (lib, message, property)
                               : append_basic (lib, message, *property->type, property->values);
  if (r >= 0)
    r = lib->sd_bus_message_close_container (message);
  return r < 0 ? r : lib->sd_bus_message_close_container (message);
}

static int
append_properties (const struct libsystemd *lib, sd_bus_message *message, const struct unit_properties *properties)
{
  int r = lib->sd_bus_message_open_container (message, 'a', "(sv)");
  for (size_t i = 0; i < properties->count && r >= 0; i++)
    r = append_property (lib, message, &properties->items[i]);
  return r < 0 ? r : lib->sd_bus_message_close_container (message);
}

static int
append_pid (const struct libsystemd *lib, sd_bus_message *message, pid_t pid)
{
  const uint32_t number = (uint32_t) pid;
  int r = lib->sd_bus_message_open_container (message, 'a', "u");
  if (r >= 0)
    r = lib->sd_bus_message_append_basic (message, 'u', &number);
  return r < 0 ? r : lib->sd_bus_message_close_container (message);
}

static int
append_arguments (const struct libsystemd *lib, sd_bus_message *message, const struct unit_call *call)
{
  const uint32_t yes = 1;
  int r = 0;
  if (call->unit != NULL)
    r = lib->sd_bus_message_append_basic (message, 's', call->unit);
  if (call->second != NULL && r >= 0)
    r = lib->sd_bus_message_append_basic (message, 's', call->second);
  if (call->runtime && r >= 0)
    r = lib->sd_bus_message_append_basic (message, 'b', &yes);
  if (call->properties != NULL && r >= 0)
    r = append_properties (lib, message, call->properties);
  if (call->pid != 0 && r >= 0)
    r = append_pid (lib, message, call->pid);
  if (call->auxiliary && r >= 0)
    r = lib->sd_bus_message_open_container (message, 'a', "(sa(sv))");
  if (call->auxiliary && r >= 0)
    r = lib->sd_bus_message_close_container (message);
  return r;
}

/* ---- calls ------------------------------------------------------------------------------------------------------ */

/* The errors of systemd that a caller can do something about.  */
static int
error_code (const sd_bus_error *error, int r)
{
  static const struct
  {
    const char *name;
    int code;
  } codes[] = {
    { SERVICE ".UnitExists", UNIT_EXISTS },
    { SERVICE ".NoSuchUnit", UNIT_UNKNOWN },
    { SD_BUS_ERROR_TIMEOUT, ETIMEDOUT },
    { SD_BUS_ERROR_ACCESS_DENIED, EACCES },
    { SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED, EACCES },
  };
  for (size_t i = 0; error->name != NULL && i < sizeof codes / sizeof *codes; i++)
    if (strcmp (error->name, codes[i].name) == 0)
      return codes[i].code;
  return -r;
}

/* Sends MESSAGE and waits for the answer.  WHAT is it in words.  */
static int
send_call (struct systemd_bus *bus, sd_bus_message *message, const char *what, sd_bus_message **ret_reply,
           struct error *err)
{
  const struct libsystemd *lib = &bus->lib;
  sd_bus_error error = SD_BUS_ERROR_NULL;
  int r = lib->sd_bus_call (bus->bus, message, (uint64_t) bus->timeout_s * 1000000, &error, ret_reply);
  if (r >= 0)
    return 0;
  int code = error_code (&error, r);
  if (code == ETIMEDOUT)
    r = hangs (bus, what, err);
  else if (error.message != NULL && *error.message != '\0')
    r = error_set (err, code, "systemd: %s: %s", what, error.message);
  else
    r = error_sys (err, code, "systemd: %s", what);
  lib->sd_bus_error_free (&error);
  return r;
}

/* A job has ended.  Ours is known by then: signals are not looked at before the answer that names it.  */
static int
job_removed (sd_bus_message *message, void *data, sd_bus_error *error)
{
  struct systemd_bus *bus = data;
  const struct libsystemd *lib = &bus->lib;
  uint32_t id;
  const char *job, *unit, *result;
  (void) error;
  if (bus->job != NULL && lib->sd_bus_message_read_basic (message, 'u', &id) > 0
      && lib->sd_bus_message_read_basic (message, 'o', &job) > 0 && strcmp (job, bus->job) == 0
      && lib->sd_bus_message_read_basic (message, 's', &unit) > 0
      && lib->sd_bus_message_read_basic (message, 's', &result) > 0)
    bus->result = arena_strdup (bus->arena, result);
  return 0;
}

static int
listen_for_jobs (struct systemd_bus *bus)
{
  if (bus->matched)
    return 0;
  /* Nobody on a direct connection says who he is.  */
  int r = bus->lib.sd_bus_match_signal_async (bus->bus, NULL, bus->direct ? NULL : SERVICE, OBJECT, MANAGER,
                                              "JobRemoved", job_removed, NULL, bus);
  bus->matched = r >= 0;
  return r < 0 ? r : 0;
}

static int
wait_for_job (struct systemd_bus *bus, const char *what, struct error *err)
{
  const struct libsystemd *lib = &bus->lib;
  int64_t deadline = clock_ms () + (int64_t) bus->timeout_s * 1000;
  while (bus->result == NULL)
    {
      int left = clock_left (deadline), r = lib->sd_bus_process (bus->bus, NULL);
      if (r == 0 && left == 0)
        return hangs (bus, arena_printf (bus->arena, "the end of the job of %s", what), err);
      if (r == 0)
        r = lib->sd_bus_wait (bus->bus, (uint64_t) left * 1000);
      if (r < 0 && r != -EINTR)
        return error_sys (err, r, "systemd: wait for the end of the job of %s", what);
    }
  if (strcmp (bus->result, "done") == 0)
    return 0;
  int r = error_set (err, EIO, "systemd: %s: its job ended as \"%s\"", what, bus->result);
  error_hint (err, "the journal knows more: journalctl -b -t systemd");
  return r;
}

static int
take_job (struct systemd_bus *bus, sd_bus_message *reply, const char *what, bool *ret_begun, struct error *err)
{
  const char *job;
  int r = bus->lib.sd_bus_message_read_basic (reply, 'o', &job);
  if (r <= 0)
    return error_set (err, EPROTO, "systemd: %s was answered without a job", what);
  if (ret_begun != NULL)
    *ret_begun = true;
  bus->job = arena_strdup (bus->arena, job);
  bus->result = NULL;
  r = wait_for_job (bus, what, err);
  bus->job = NULL;
  return r;
}

int
systemd_bus_call (struct systemd_bus *bus, const struct unit_call *call, struct error *err)
{
  const struct libsystemd *lib = &bus->lib;
  const char *what = call->unit != NULL ? arena_printf (bus->arena, "%s %s", call->method, call->unit) : call->method;
  sd_bus_message *message = NULL, *reply = NULL;
  int r = call->job ? listen_for_jobs (bus) : 0;
  if (r >= 0)
    r = lib->sd_bus_message_new_method_call (bus->bus, &message, SERVICE, OBJECT, MANAGER, call->method);
  if (r >= 0)
    r = append_arguments (lib, message, call);
  if (r < 0)
    error_sys (err, r, "systemd: prepare %s", what);
  else
    r = send_call (bus, message, what, &reply, err);
  if (r >= 0 && call->job)
    r = take_job (bus, reply, what, call->ret_begun, err);
  lib->sd_bus_message_unref (reply);
  lib->sd_bus_message_unref (message);
  return r < 0 ? r : 0;
}

int
systemd_bus_cgroup (struct systemd_bus *bus, const char **ret_path, struct error *err)
{
  static const char what[] = "Get ControlGroup";
  const struct libsystemd *lib = &bus->lib;
  sd_bus_message *message = NULL, *reply = NULL;
  const char *path = NULL;
  int r = lib->sd_bus_message_new_method_call (bus->bus, &message, SERVICE, OBJECT, "org.freedesktop.DBus.Properties",
                                               "Get");
  if (r >= 0)
    r = lib->sd_bus_message_append_basic (message, 's', MANAGER);
  if (r >= 0)
    r = lib->sd_bus_message_append_basic (message, 's', "ControlGroup");
  if (r < 0)
    error_sys (err, r, "systemd: prepare %s", what);
  else
    r = send_call (bus, message, what, &reply, err);
  if (r >= 0
      && (lib->sd_bus_message_enter_container (reply, 'v', "s") <= 0
          || lib->sd_bus_message_read_basic (reply, 's', &path) <= 0))
    r = error_set (err, EPROTO, "systemd: %s was answered with nonsense", what);
  if (r >= 0)
    *ret_path = strcmp (path, "/") == 0 ? "" : arena_strdup (bus->arena, path);
  lib->sd_bus_message_unref (reply);
  lib->sd_bus_message_unref (message);
  return r < 0 ? r : 0;
}
