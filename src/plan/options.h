/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The options of a mount, sorted by who takes them (config.md#linux-mount-options).  */
#pragma once

#include "plan/builder.h"

/* What the options of one mount come to.  */
struct mount_options
{
  uint64_t set, cleared; /* MS_*; the last word on a flag wins */
  struct plan_attributes tree;
  uint64_t propagation;
  uint64_t extensions; /* enum spec_mount_extension */
  const char *data;    /* what is left, for the file system */
};

/* Reads the options of MOUNT, the last word on each holding.  */
struct mount_options mount_options_read (struct plan_builder *b, const struct spec_mount *mount);

/* The change that OPTIONS ask of a mount that exists.  A flag that is not mentioned stays as it is: a bind keeps what
 * protects its source.  */
struct plan_attributes mount_options_change (const struct mount_options *options);

/* The MOUNT_ATTR_* of MS_* flags that a mount has; other flags have none.  */
uint64_t mount_options_attributes (uint64_t flags);
