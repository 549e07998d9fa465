/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Made-up hosts for the tests of src/cgroup: nothing here looks at the machine.  */
#pragma once

#include "cgroup/cgroup.h"
#include "cgroup/resources.h"

#define HOST(layout_, rows)                                                                                            \
  {                                                                                                                    \
    .layout = (layout_), .hierarchies = (rows), .count = sizeof (rows) / sizeof *(rows)                                \
  }

static struct cgroup_hierarchy v1_rows[] = {
  { .mount = CGROUP_ROOT "/systemd", .controllers = "name=systemd" },
  { .mount = CGROUP_ROOT "/cpu,cpuacct", .controllers = "cpu,cpuacct" },
  { .mount = CGROUP_ROOT "/cpuset", .controllers = "cpuset" },
  { .mount = CGROUP_ROOT "/memory", .controllers = "memory" },
  { .mount = CGROUP_ROOT "/devices", .controllers = "devices" },
  { .mount = CGROUP_ROOT "/freezer", .controllers = "freezer" },
  { .mount = CGROUP_ROOT "/blkio", .controllers = "blkio" },
  { .mount = CGROUP_ROOT "/pids", .controllers = "pids" },
  { .mount = CGROUP_ROOT "/hugetlb", .controllers = "hugetlb" },
  { .mount = CGROUP_ROOT "/rdma", .controllers = "rdma" },
  { .mount = CGROUP_ROOT "/net_cls", .controllers = "net_cls,net_prio" },
};
static const struct cgroup_host v1_host = HOST (CGROUP_V1, v1_rows);

/* As on hosts where hugetlb alone was handed to v2.  */
static struct cgroup_hierarchy hybrid_rows[] = {
  { .mount = CGROUP_ROOT "/cpu", .controllers = "cpu" },
  { .mount = CGROUP_ROOT "/memory", .controllers = "memory" },
  { .mount = CGROUP_ROOT "/devices", .controllers = "devices" },
  { .mount = CGROUP_ROOT "/freezer", .controllers = "freezer" },
  { .mount = CGROUP_ROOT "/systemd", .controllers = "name=systemd" },
  { .mount = CGROUP_ROOT "/unified", .v2 = true },
};
static const struct cgroup_host hybrid_host = HOST (CGROUP_HYBRID, hybrid_rows);

static struct cgroup_hierarchy v2_rows[] = { { .mount = CGROUP_ROOT, .v2 = true } };
static const struct cgroup_host v2_host = HOST (CGROUP_V2, v2_rows);

static const struct cgroup_host no_host = { .layout = CGROUP_NONE };

/* The places of HOST, whose v2 hierarchy offers CONTROLLERS.  */
static inline struct cgroup_places
host_places (const struct cgroup_host *host, const char *controllers)
{
  struct cgroup_places places;
  cgroup_places_find (&places, host);
  places.v2_controllers = controllers;
  return places;
}
