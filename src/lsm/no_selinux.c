/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is in place of libselinux in a build without it.  */
#include <errno.h>

#include "base/error.h"
#include "lsm/host.h"
#include "lsm/lsm.h"

const bool selinux_is_built = false;

int
selinux_check_context (const char *label, struct error *err)
{
  return error_set (err, EOPNOTSUPP, "the label \"%s\" needs SELinux, and this thole was built without it", label);
}
