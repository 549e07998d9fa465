/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host as src/rdt sees it, so that the unit tests can show it one that has resctrl.  */
#pragma once

#include <sys/types.h>

struct arena;
struct error;
struct rdt;
struct rdt_lines;
struct rdt_record;
struct spec;

struct rdt_host
{
  const char *mountinfo;
  /* mkdir(2), a single write(2) to a file that is there, rmdir(2).  0 or -errno.  */
  int (*make) (const char *path);
  int (*write) (const char *path, const char *text);
  int (*remove) (const char *path);
};

/* This one.  */
extern const struct rdt_host rdt_host;

int rdt_host_new (const struct rdt_host *host, struct arena *arena, const struct spec *spec, const char *id,
                  struct rdt **ret, struct error *err);
int rdt_host_update (const struct rdt_host *host, struct arena *arena, const struct spec *spec, const char *id,
                     const struct rdt_lines *lines, struct rdt_lines *ret_before, struct error *err);
int rdt_host_remove (const struct rdt_host *host, const struct rdt_record *record, struct error *err);

/* Where resctrl is mounted, in ARENA; NULL if it is not.  0 or -errno.  */
int rdt_host_mount (const struct rdt_host *host, struct arena *arena, const char **ret_path, struct error *err);
