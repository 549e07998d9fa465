/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Asking the SELinux policy, by libselinux.  */
#include <errno.h>
#include <selinux/selinux.h>

#include "base/dlopen.h"
#include "base/error.h"
#include "lsm/host.h"
#include "lsm/lsm.h"

#define SONAME "libselinux.so.1"

DLOPEN_NOTE (libselinux, SONAME, "selinux", "Checks the SELinux labels of a container", "suggested");

const bool selinux_is_built = true;

struct libselinux
{
  DLOPEN_MEMBER (security_check_context);
};

int
selinux_check_context (const char *label, struct error *err)
{
  static const struct dlopen_symbol symbols[] = { DLOPEN_SYMBOL (struct libselinux, security_check_context) };
  struct libselinux library;
  int r = dlopen_symbols (SONAME, symbols, sizeof symbols / sizeof *symbols, &library, err);
  if (r < 0)
    {
      error_hint (err, "install libselinux (Debian: libselinux1)");
      return r;
    }
  if (library.security_check_context (label) == 0)
    return 0;
  if (errno == EINVAL)
    return -EINVAL;
  return error_sys (err, errno, "ask the SELinux policy about the label \"%s\"", label);
}
