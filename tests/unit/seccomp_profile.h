/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the tests of seccomp share: profiles from text, filters from profiles.  Include after cmocka.h.  */
#pragma once

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/fd.h"
#include "bpf.h"
#include "seccomp/seccomp.h"
#include "spec/spec.h"

/* A config with the seccomp profile TEXT, in which ' stands for ".  */
static inline const struct spec *
profile_spec (struct arena *arena, const char *text)
{
  char *config = arena_printf (arena, "{'ociVersion':'1.3.0','root':{'path':'rootfs'},'linux':{'seccomp':\n%s}}", text);
  for (char *c = config; *c != '\0'; c++)
    if (*c == '\'')
      *c = '"';
  const struct spec *spec = NULL;
  struct error err = { 0 };
  if (spec_decode (arena, "config.json", config, strlen (config), &spec, &err) < 0)
    fail_msg ("%s", err.message);
  return spec;
}

/* The instructions of FILTER, whose descriptor is closed.  */
static inline const struct sock_filter *
filter_program (struct arena *arena, struct seccomp_filter *filter)
{
  size_t size = filter->length * sizeof (struct sock_filter);
  struct sock_filter *program = arena_alloc (arena, size);
  assert_int_equal (fcntl (filter->fd, F_GETFD), FD_CLOEXEC);
  assert_true (fcntl (filter->fd, F_GET_SEALS) & F_SEAL_WRITE);
  assert_int_equal (fd_read_all (filter->fd, program, size), (ssize_t) size);
  filter->fd = fd_close (filter->fd);
  assert_true (bpf_is_valid (program, filter->length));
  return program;
}

/* Compiles the profile of SPEC.  */
static inline const struct sock_filter *
compile (struct arena *arena, const struct spec *spec, int cache_dirfd, struct seccomp_filter *ret_filter)
{
  struct error err = { 0 };
  if (seccomp_compile (arena, spec, spec->linux_->seccomp, cache_dirfd, ret_filter, &err) < 0)
    fail_msg ("%s", err.message);
  return filter_program (arena, ret_filter);
}
