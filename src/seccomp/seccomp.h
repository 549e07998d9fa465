/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* linux.seccomp -> a classic BPF program for seccomp(2) (config-linux.md#seccomp).
 *
 * libseccomp compiles; it is loaded on first use, so a container without a profile, or with one that was compiled
 * before, never pays for it.  What the specification leaves open is done as runc and crun do:
 *
 * - The native architecture is always filtered, named or not.  Calls of an architecture that is not named kill the
 *   thread, as is libseccomp's default.
 * - Names that libseccomp does not know are skipped, and so are rules whose action is the default one.
 * - Conditions of a rule must all hold; but as soon as two of them are on one argument, which libseccomp cannot
 * combine, each condition becomes a rule of its own.
 * - If the default action is SCMP_ACT_ERRNO, calls newer than every call that the profile names for an architecture get
 *   ENOSYS: a profile cannot mean what was not there when it was written, and libcs fall back on ENOSYS alone.
 * - SECCOMP_FILTER_FLAG_TSYNC is dropped, for init has one thread, and WAIT_KILLABLE_RECV without SCMP_ACT_NOTIFY,
 * where the kernel refuses it.
 *
 * SCMP_ACT_NOTIFY is allowed for every call, write and close included: between seccomp(2) and the hand-over of the
 * listener, init must get by without any call that the profile could notify about.  */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct error;
struct spec;
struct spec_seccomp;

struct seccomp_filter
{
  int fd;          /* a sealed memfd with struct sock_filter[]; owned by the caller */
  uint32_t length; /* instructions */
  uint32_t flags;  /* SECCOMP_FILTER_FLAG_* for seccomp(2), including NEW_LISTENER when the profile notifies */
};

/* Checks what spec_decode does not and what can be known without compiling: SCMP_ACT_NOTIFY as default or without a
 * listener, errnos that are none, architectures of the other byte order.  0, -EINVAL, or -EOPNOTSUPP in a build without
 * seccomp.  */
int seccomp_check (const struct spec *spec, const struct spec_seccomp *profile, struct error *err);

/* The flags that the filter of PROFILE is loaded with (seccomp_filter.flags), known before it is compiled.  */
uint32_t seccomp_flags (const struct spec_seccomp *profile);

/* Checks PROFILE and gives the filter for it: from the cache in the directory CACHE_DIRFD (-1: no cache) if the very
 * same profile was compiled before by the same libseccomp under the same kernel, else compiled and put there.  The
 * directory is the caller's and writable by nobody else.  A cache entry holds the whole profile and is believed only if
 * that is equal and the file is ours alone; a bad one is replaced, and a cache that cannot be written is no error.  0;
 * -EINVAL, -E2BIG, -EOPNOTSUPP (no libseccomp, or a flag or action that it or the kernel lacks), -errno.  */
int seccomp_compile (struct arena *arena, const struct spec *spec, const struct spec_seccomp *profile, int cache_dirfd,
                     struct seccomp_filter *ret_filter, struct error *err);

/* Whether this build knows seccomp.  */
extern const bool seccomp_is_built;

/* Whether the kernel knows FLAG, one of SECCOMP_FILTER_FLAG_*.  */
bool seccomp_knows_flag (uint32_t flag);

/* The version of libseccomp as "2.5.4", or NULL when it is not there.  In ARENA.  */
const char *seccomp_library_version (struct arena *arena);
