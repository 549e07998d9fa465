/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Loading libseccomp.  2.5 is the oldest that is known to work: it has all actions.  */
#include "seccomp/library.h"

#include "base/arena.h"
#include "base/error.h"
#include "seccomp/seccomp.h"

#define SONAME "libseccomp.so.2"

DLOPEN_NOTE (libseccomp, SONAME, "seccomp", "Filters the system calls of a container", "recommended");

int
seccomp_library_open (struct libseccomp *ret_library, struct error *err)
{
  static const struct dlopen_symbol symbols[] = {
    DLOPEN_SYMBOL (struct libseccomp, seccomp_version),
    DLOPEN_SYMBOL (struct libseccomp, seccomp_init),
    DLOPEN_SYMBOL (struct libseccomp, seccomp_release),
    DLOPEN_SYMBOL (struct libseccomp, seccomp_arch_native),
    DLOPEN_SYMBOL (struct libseccomp, seccomp_arch_add),
    DLOPEN_SYMBOL (struct libseccomp, seccomp_syscall_resolve_name),
    DLOPEN_SYMBOL (struct libseccomp, seccomp_syscall_resolve_name_arch),
    DLOPEN_SYMBOL (struct libseccomp, seccomp_rule_add_array),
    DLOPEN_SYMBOL (struct libseccomp, seccomp_export_bpf),
    DLOPEN_OPTIONAL (struct libseccomp, seccomp_export_bpf_mem),
  };
  int r = dlopen_symbols (SONAME, symbols, sizeof symbols / sizeof *symbols, ret_library, err);
  if (r < 0)
    error_hint (err, "install libseccomp 2.5 or newer (Debian: libseccomp2)");
  return r;
}

const char *
seccomp_library_version (struct arena *arena)
{
  struct libseccomp library;
  if (seccomp_library_open (&library, NULL) < 0)
    return NULL;
  const struct scmp_version *version = library.seccomp_version ();
  return arena_printf (arena, "%u.%u.%u", version->major, version->minor, version->micro);
}
