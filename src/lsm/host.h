/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host as src/lsm sees it, so that the unit tests can show it another one.  */
#pragma once

#include <stdbool.h>

struct arena;
struct error;
struct spec;

struct lsm_host
{
  const char *root; /* in front of /sys and /proc: "" for the real ones */
  /* Whether the SELinux policy knows LABEL: 0, -EINVAL if it does not, other -errno with ERR filled if it cannot be
   * asked.  */
  int (*check_context) (const char *label, struct error *err);
};

bool lsm_host_has_selinux (const struct lsm_host *host);
bool lsm_host_has_apparmor (const struct lsm_host *host);
int lsm_host_check (const struct lsm_host *host, const struct spec *spec, struct error *err);
int lsm_host_exec_attribute (const struct lsm_host *host, struct arena *arena, const struct spec *spec,
                             const char **ret_file, const char **ret_value, struct error *err);

/* check_context by libselinux; in a build without it, -EOPNOTSUPP.  */
int selinux_check_context (const char *label, struct error *err);
