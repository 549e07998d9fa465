/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What comes before anything is changed: reading the bundle, asking the host, making the plan.  */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "plan/plan.h"

struct arena;
struct cgroup;
struct error;
struct rdt;
struct spec;
struct thole;
struct thole_create_options;

struct preparation
{
  const char *bundle;      /* absolute */
  const char *config_path; /* as messages name it */
  const char *config;      /* the text of the configuration */
  size_t config_size;
  const struct spec *spec;
  struct cgroup *cgroup; /* NULL: stays in the caller's; to be closed */
  struct rdt *rdt;       /* NULL: the config asks for none */
  struct plan_facts facts;
  struct plan *plan;
};

/* Puts into FACTS what the program inherits of the caller: the PRESERVE_FDS descriptors of --preserve-fds and those of
 * LISTEN_FDS, which must be open and the caller's; and the variables that tell of them and, where it has one, of the
 * socket for notifications.  */
int prepare_inherited (struct arena *arena, unsigned preserve_fds, struct plan_facts *facts, struct error *err);

/* Reads, checks and plans.  P->cgroup must be closed whatever happens.  0 or -errno.  */
int prepare (struct arena *arena, const struct thole *thole, const char *id, const struct thole_create_options *options,
             struct preparation *p, struct error *err);
