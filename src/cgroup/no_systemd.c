/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is in place of the bus in a build without libsystemd.  */
#include <errno.h>

#include "base/error.h"
#include "cgroup/systemd.h"

const bool cgroup_systemd_is_built = false;

static int
not_built (struct error *err)
{
  error_set (err, EOPNOTSUPP, "cgroups by systemd are not supported: this thole was built without it");
  error_hint (err, "use --cgroup-manager cgroupfs");
  return -EOPNOTSUPP;
}

int
systemd_bus_open (struct arena *arena, bool user, unsigned timeout_s, struct systemd_bus **ret_bus, struct error *err)
{
  (void) arena;
  (void) user;
  (void) timeout_s;
  (void) ret_bus;
  return not_built (err);
}

void
systemd_bus_close (struct systemd_bus *bus)
{
  (void) bus;
}

int
systemd_bus_cgroup (struct systemd_bus *bus, const char **ret_path, struct error *err)
{
  (void) bus;
  (void) ret_path;
  return not_built (err);
}

int
systemd_bus_call (struct systemd_bus *bus, const struct unit_call *call, struct error *err)
{
  (void) bus;
  (void) call;
  return not_built (err);
}
