/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is in place of seccomp in a build without it: a profile is refused, never ignored.  */
#include <errno.h>

#include "base/arena.h"
#include "base/error.h"
#include "seccomp/seccomp.h"
#include "spec/spec.h"

int
seccomp_check (const struct spec *spec, const struct spec_seccomp *profile, struct error *err)
{
  ARENA_CLEANUP struct arena arena = { 0 };
  return error_set (err, EOPNOTSUPP, "%s: this thole was built without seccomp", spec_where (&arena, spec, profile));
}

int
seccomp_compile (struct arena *arena, const struct spec *spec, const struct spec_seccomp *profile, int cache_dirfd,
                 struct seccomp_filter *ret_filter, struct error *err)
{
  (void) arena;
  (void) cache_dirfd;
  (void) ret_filter;
  return seccomp_check (spec, profile, err);
}

const bool seccomp_is_built = false;

uint32_t
seccomp_flags (const struct spec_seccomp *profile)
{
  (void) profile;
  return 0;
}

bool
seccomp_knows_flag (uint32_t flag)
{
  (void) flag;
  return false;
}

const char *
seccomp_library_version (struct arena *arena)
{
  (void) arena;
  return NULL;
}
