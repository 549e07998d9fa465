/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A checked profile -> a program, without cache.  */
#pragma once

#include <stdint.h>

struct arena;
struct error;
struct libseccomp;
struct sock_filter;
struct spec;
struct spec_seccomp;

/* What libseccomp makes of PROFILE.  The result is in ARENA.  0, -EINVAL, -EOPNOTSUPP, -errno.  */
int seccomp_build (struct arena *arena, const struct libseccomp *library, const struct spec *spec,
                   const struct spec_seccomp *profile, struct sock_filter **ret_program, uint32_t *ret_length,
                   struct error *err);

/* The same, with ENOSYS for calls that are newer than the profile, and folded.  As seccomp_build; -E2BIG for more than
 * BPF_MAXINSNS instructions.  */
int seccomp_build_folded (struct arena *arena, const struct libseccomp *library, const struct spec *spec,
                          const struct spec_seccomp *profile, struct sock_filter **ret_program, uint32_t *ret_length,
                          struct error *err);
