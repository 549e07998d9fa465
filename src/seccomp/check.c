/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Checking a profile without libseccomp, and what it says in the kernel's terms.  */
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdarg.h>

#include "base/arena.h"
#include "base/error.h"
#include "seccomp/profile.h"
#include "seccomp/seccomp.h"
#include "spec/names.h"
#include "spec/spec.h"

/* linux/seccomp.h of kernel 5.19.  */
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

static uint32_t
with_errno (const struct spec_int *action, const struct spec_uint *errno_ret)
{
  if (action->value != SECCOMP_RET_ERRNO && action->value != SECCOMP_RET_TRACE)
    return (uint32_t) action->value;
  return (uint32_t) action->value | (uint32_t) (errno_ret->set ? errno_ret->value & SECCOMP_RET_DATA : EPERM);
}

uint32_t
profile_default (const struct spec_seccomp *profile)
{
  return with_errno (&profile->default_action, &profile->default_errno_ret);
}

uint32_t
profile_action (const struct spec_seccomp_rule *rule)
{
  return with_errno (&rule->action, &rule->errno_ret);
}

bool
profile_notifies (const struct spec_seccomp *profile)
{
  for (size_t i = 0; i < profile->syscalls.count; i++)
    if (profile->syscalls.items[i].action.value == SECCOMP_RET_USER_NOTIF)
      return true;
  return false;
}

uint32_t
seccomp_flags (const struct spec_seccomp *profile)
{
  uint32_t flags = (uint32_t) profile->flags.value & ~(uint32_t) SECCOMP_FILTER_FLAG_TSYNC;
  if (profile_notifies (profile))
    return flags | SECCOMP_FILTER_FLAG_NEW_LISTENER;
  return flags & ~(uint32_t) SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
}

/* ---- checks ---- */

/* "linux.seccomp.defaultAction (config.json:12:3): MESSAGE" for the member VALUE points to.  */
#define REFUSE(spec, value, ...) refuse ((spec), (value), sizeof *(value), __VA_ARGS__)

static int __attribute__ ((format (printf, 5, 6)))
refuse (const struct spec *spec, const void *value, size_t size, struct error *err, const char *format, ...)
{
  ARENA_CLEANUP struct arena arena = { 0 };
  va_list args;
  va_start (args, format);
  const char *message = arena_vprintf (&arena, format, args);
  va_end (args);
  return error_set (err, EINVAL, "%s: %s", spec_where_of (&arena, spec, value, size), message);
}

/* A larger errno the kernel would lower without a word.  */
static int
check_errno (const struct spec *spec, const struct spec_int *action, const struct spec_uint *errno_ret,
             struct error *err)
{
  const unsigned max_errno = 4094; /* libseccomp wants it below MAX_ERRNO, though the kernel takes that too */
  if (action->value == SECCOMP_RET_ERRNO && errno_ret->value > max_errno)
    return REFUSE (spec, errno_ret, err, "%llu is no errno; the largest is %u", (unsigned long long) errno_ret->value,
                   max_errno);
  return 0;
}

static int
check_listener (const struct spec *spec, const struct spec_seccomp *profile, struct error *err)
{
  if (profile->default_action.value == SECCOMP_RET_USER_NOTIF)
    return REFUSE (spec, &profile->default_action, err, "SCMP_ACT_NOTIFY cannot be the default action");
  if (profile_notifies (profile) && profile->listener_path == NULL)
    return REFUSE (spec, profile, err, "SCMP_ACT_NOTIFY needs a listenerPath");
  return 0;
}

/* AUDIT_ARCH_* with the byte order of this machine.  */
static bool
is_native_order (uint64_t arch)
{
  return !(arch & __AUDIT_ARCH_LE) == (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
}

int
seccomp_check (const struct spec *spec, const struct spec_seccomp *profile, struct error *err)
{
  int r = check_errno (spec, &profile->default_action, &profile->default_errno_ret, err);
  if (r == 0)
    r = check_listener (spec, profile, err);
  for (size_t i = 0; r == 0 && i < profile->architectures.count; i++)
    if (!is_native_order (profile->architectures.items[i]))
      r = REFUSE (spec, &profile->architectures.items[i], err, "%s has another byte order than this machine",
                  names_of (&spec_seccomp_arch_names, (int64_t) profile->architectures.items[i]));
  for (size_t i = 0; r == 0 && i < profile->syscalls.count; i++)
    r = check_errno (spec, &profile->syscalls.items[i].action, &profile->syscalls.items[i].errno_ret, err);
  return r;
}
