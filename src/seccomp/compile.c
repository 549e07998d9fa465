/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A profile -> a filter for init, by way of the cache.  */
#include "seccomp/seccomp.h"

#include <dlfcn.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/names.h"
#include "base/strbuf.h"
#include "base/syscalls.h"
#include "config.h"
#include "seccomp/build.h"
#include "seccomp/cache.h"
#include "seccomp/library.h"
#include "seccomp/profile.h"
#include "spec/names.h"
#include "spec/spec.h"

/* Part of every key: to be raised when the same profile makes another program than before.  */
#define COMPILER PACKAGE_VERSION "-2"

/* ---- the key ---- */

/* Numbers in eight bytes, strings with their terminator, lists after their length: two profiles have one key only if
 * they are the same.  */
static void
add_number (struct strbuf *key, uint64_t number)
{
  strbuf_add_bytes (key, (const char *) &number, sizeof number);
}

static void
add_string (struct strbuf *key, const char *text)
{
  strbuf_add_bytes (key, text, strlen (text) + 1);
}

static void
add_rule (struct strbuf *key, const struct spec_seccomp_rule *rule)
{
  add_number (key, profile_action (rule));
  add_number (key, rule->names.count);
  for (size_t i = 0; i < rule->names.count; i++)
    add_string (key, rule->names.items[i]);
  add_number (key, rule->args.count);
  for (size_t i = 0; i < rule->args.count; i++)
    {
      const struct spec_seccomp_arg *arg = &rule->args.items[i];
      add_number (key, arg->index.value);
      add_number (key, (uint64_t) arg->op.value);
      add_number (key, arg->value.value);
      add_number (key, arg->value_two.value);
    }
}

/* All that the program depends on but the library.  libseccomp asks the kernel what it can do, so that is in it.  */
static struct cache_blob
make_key (struct arena *arena, const struct spec *spec, const struct spec_seccomp *profile)
{
  struct strbuf key = STRBUF_INIT (arena);
  struct utsname kernel = { 0 };
  uname (&kernel);
  add_string (&key, COMPILER);
  add_string (&key, kernel.release);
  add_string (&key, kernel.machine);
  add_number (&key, spec_annotated (spec, SPEC_ANNOTATION_SECCOMP_STRICT)); /* what fails must not be found */
  add_number (&key, profile_default (profile));
  add_number (&key, profile->architectures.count);
  for (size_t i = 0; i < profile->architectures.count; i++)
    add_number (&key, profile->architectures.items[i]);
  add_number (&key, profile->syscalls.count);
  for (size_t i = 0; i < profile->syscalls.count; i++)
    add_rule (&key, &profile->syscalls.items[i]);
  return (struct cache_blob){ strbuf_text (&key), key.length };
}

/* ---- compiling ---- */

const bool seccomp_is_built = true;

/* The kernel gets as far as not finding a filter at address NULL (seccomp(2)).  */
bool
seccomp_knows_flag (uint32_t flag)
{
  /* WAIT_KILLABLE_RECV needs a listener, TSYNC cannot have one; the others do not care.  */
  uint32_t company = flag == SECCOMP_FILTER_FLAG_TSYNC ? 0 : SECCOMP_FILTER_FLAG_NEW_LISTENER;
  return sys_seccomp (SECCOMP_SET_MODE_FILTER, flag | company, NULL) < 0 && errno == EFAULT;
}

static int
check_flags (struct arena *arena, const struct spec *spec, const struct spec_seccomp *profile, uint32_t flags,
             struct error *err)
{
  for (uint32_t flag = 1; flag != 0 && flag <= flags; flag <<= 1)
    {
      if (!(flags & flag) || seccomp_knows_flag (flag))
        continue;
      const char *name
          = flag == SECCOMP_FILTER_FLAG_NEW_LISTENER ? "SCMP_ACT_NOTIFY" : names_of (&spec_seccomp_flag_names, flag);
      return error_set (err, EOPNOTSUPP, "%s: this kernel does not support %s", spec_where (arena, spec, profile),
                        name);
    }
  return 0;
}

static int
compile_and_store (struct arena *arena, const struct spec *spec, const struct spec_seccomp *profile, int cache_dirfd,
                   struct cache_blob key, struct sock_filter **ret_program, uint32_t *ret_length, struct error *err)
{
  struct libseccomp library;
  int r = seccomp_library_open (&library, err);
  if (r < 0)
    return error_context (err, "%s", spec_where (arena, spec, profile));
  r = seccomp_build_folded (arena, &library, spec, profile, ret_program, ret_length, err);
  if (r < 0 || cache_dirfd < 0)
    return r;

  Dl_info info;
  void *address;
  memcpy (&address, &library.seccomp_init, sizeof address);
  r = dladdr (address, &info) == 0
          ? -ENOENT
          : seccomp_cache_store (arena, cache_dirfd, key, info.dli_fname, *ret_program, *ret_length);
  if (r < 0)
    log_debug ("seccomp: the compiled filter is not kept: %s", strerror (-r));
  return 0;
}

int
seccomp_compile (struct arena *arena, const struct spec *spec, const struct spec_seccomp *profile, int cache_dirfd,
                 struct seccomp_filter *ret_filter, struct error *err)
{
  uint32_t flags = seccomp_flags (profile);
  int r = seccomp_check (spec, profile, err);
  if (r == 0)
    r = check_flags (arena, spec, profile, flags, err);
  if (r < 0)
    return r;

  struct cache_blob key = { NULL, 0 };
  struct sock_filter *program;
  uint32_t length;
  if (cache_dirfd >= 0)
    key = make_key (arena, spec, profile);
  if (cache_dirfd < 0 || seccomp_cache_find (arena, cache_dirfd, key, &program, &length) < 0)
    r = compile_and_store (arena, spec, profile, cache_dirfd, key, &program, &length, err);
  if (r < 0)
    return r;

  int fd = fd_sealed_copy ("thole-seccomp", program, length * sizeof *program, 0);
  if (fd < 0)
    return error_sys (err, fd, "%s: make a memfd for the filter", spec_where (arena, spec, profile));
  *ret_filter = (struct seccomp_filter){ .fd = fd, .length = length, .flags = flags };
  return 0;
}
