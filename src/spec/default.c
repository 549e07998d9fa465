/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The config that `thole spec` prints: the example bundle that users of runc know, a shell on a terminal.  */
#include "base/json.h"
#include "base/strbuf.h"
#include "spec/spec.h"

#define COUNT(array) (sizeof (array) / sizeof *(array))

static void
string_list (struct json_writer *w, const char *name, const char *const *strings, size_t count)
{
  json_array_begin (w, name);
  for (size_t i = 0; i < count; i++)
    json_string (w, NULL, strings[i]);
  json_array_end (w);
}

/* Not ambient, as runc once had it: without inheritable ones there are none, and we would warn of our own config.  */
static void
write_capabilities (struct json_writer *w)
{
  static const char *const sets[] = { "bounding", "effective", "permitted" };
  static const char *const capabilities[] = { "CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE" };
  json_object_begin (w, "capabilities");
  for (size_t i = 0; i < COUNT (sets); i++)
    string_list (w, sets[i], capabilities, COUNT (capabilities));
  json_object_end (w);
}

static void
write_process (struct json_writer *w)
{
  static const char *const args[] = { "sh" };
  static const char *const env[]
      = { "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm" };
  json_object_begin (w, "process");
  json_bool (w, "terminal", true);
  json_object_begin (w, "user");
  json_unsigned (w, "uid", 0);
  json_unsigned (w, "gid", 0);
  json_object_end (w);
  string_list (w, "args", args, COUNT (args));
  string_list (w, "env", env, COUNT (env));
  json_string (w, "cwd", "/");
  write_capabilities (w);
  json_array_begin (w, "rlimits");
  json_object_begin (w, NULL);
  json_string (w, "type", "RLIMIT_NOFILE");
  json_unsigned (w, "hard", 1024);
  json_unsigned (w, "soft", 1024);
  json_object_end (w);
  json_array_end (w);
  json_bool (w, "noNewPrivileges", true);
  json_object_end (w);
}

struct example_mount
{
  const char *destination, *type, *source;
  const char *options[7]; /* up to a NULL */
};

static void
write_mount (struct json_writer *w, const struct example_mount *mount)
{
  size_t count = 0;
  while (mount->options[count] != NULL)
    count++;
  json_object_begin (w, NULL);
  json_string (w, "destination", mount->destination);
  json_string (w, "type", mount->type);
  json_string (w, "source", mount->source);
  if (count > 0)
    string_list (w, "options", mount->options, count);
  json_object_end (w);
}

static const struct example_mount proc = { "/proc", "proc", "proc", { NULL } };
static const struct example_mount dev
    = { "/dev", "tmpfs", "tmpfs", { "nosuid", "strictatime", "mode=755", "size=65536k" } };
static const struct example_mount pts
    = { "/dev/pts", "devpts", "devpts", { "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5" } };
/* A user namespace that maps one id has no group 5.  */
static const struct example_mount pts_rootless
    = { "/dev/pts", "devpts", "devpts", { "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620" } };
static const struct example_mount shm
    = { "/dev/shm", "tmpfs", "shm", { "nosuid", "noexec", "nodev", "mode=1777", "size=65536k" } };
static const struct example_mount mqueue = { "/dev/mqueue", "mqueue", "mqueue", { "nosuid", "noexec", "nodev" } };
static const struct example_mount sys = { "/sys", "sysfs", "sysfs", { "nosuid", "noexec", "nodev", "ro" } };
/* sysfs can only be mounted by who owns the network namespace; the host's is bound instead.  */
static const struct example_mount sys_rootless
    = { "/sys", "none", "/sys", { "rbind", "nosuid", "noexec", "nodev", "ro" } };
static const struct example_mount cgroup
    = { "/sys/fs/cgroup", "cgroup", "cgroup", { "nosuid", "noexec", "nodev", "relatime", "ro" } };

static void
write_mounts (struct json_writer *w, bool rootless)
{
  const struct example_mount *const mounts[] = {
    &proc, &dev, rootless ? &pts_rootless : &pts, &shm, &mqueue, rootless ? &sys_rootless : &sys, &cgroup,
  };
  json_array_begin (w, "mounts");
  for (size_t i = 0; i < COUNT (mounts); i++)
    write_mount (w, mounts[i]);
  json_array_end (w);
}

static void
write_mapping (struct json_writer *w, const char *name, unsigned id)
{
  json_array_begin (w, name);
  json_object_begin (w, NULL);
  json_unsigned (w, "containerID", 0);
  json_unsigned (w, "hostID", id);
  json_unsigned (w, "size", 1);
  json_object_end (w);
  json_array_end (w);
}

static void
write_resources (struct json_writer *w)
{
  json_object_begin (w, "resources");
  json_array_begin (w, "devices");
  json_object_begin (w, NULL);
  json_bool (w, "allow", false);
  json_string (w, "access", "rwm");
  json_object_end (w);
  json_array_end (w);
  json_object_end (w);
}

static void
write_namespaces (struct json_writer *w, const struct spec_default *what)
{
  const struct
  {
    const char *type;
    bool wanted;
  } rows[] = {
    { "pid", true },
    { "network", !what->rootless },
    { "ipc", true },
    { "uts", true },
    { "mount", true },
    { "user", what->rootless },
    { "cgroup", what->cgroup_namespace },
  };
  json_array_begin (w, "namespaces");
  for (size_t i = 0; i < COUNT (rows); i++)
    {
      if (!rows[i].wanted)
        continue;
      json_object_begin (w, NULL);
      json_string (w, "type", rows[i].type);
      json_object_end (w);
    }
  json_array_end (w);
}

static void
write_linux (struct json_writer *w, const struct spec_default *what)
{
  static const char *const masked[] = {
    "/proc/acpi",       "/proc/asound",      "/proc/kcore",       "/proc/keys",    "/proc/latency_stats",
    "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi",
  };
  static const char *const readonly[] = { "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger" };
  json_object_begin (w, "linux");
  if (what->rootless)
    {
      write_mapping (w, "uidMappings", what->euid);
      write_mapping (w, "gidMappings", what->egid);
    }
  else
    write_resources (w);
  write_namespaces (w, what);
  string_list (w, "maskedPaths", masked, COUNT (masked));
  string_list (w, "readonlyPaths", readonly, COUNT (readonly));
  json_object_end (w);
}

void
spec_write_default (struct strbuf *out, const struct spec_default *what)
{
  struct json_writer w = { .out = out, .indent = 2 };
  json_object_begin (&w, NULL);
  json_string (&w, "ociVersion", SPEC_VERSION);
  write_process (&w);
  json_object_begin (&w, "root");
  json_string (&w, "path", "rootfs");
  json_bool (&w, "readonly", true);
  json_object_end (&w);
  json_string (&w, "hostname", "thole");
  write_mounts (&w, what->rootless);
  write_linux (&w, what);
  json_object_end (&w);
  strbuf_add_char (out, '\n');
}
