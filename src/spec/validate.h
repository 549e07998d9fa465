/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rules about decoded values that no single row of the tables can say: the MUSTs of config.md (validate.c) and of
 * config-linux.md (validate_linux.c, validate_resources.c), and what would otherwise act on the host.
 *
 * Each file has a list of checks that run in order; the first that fails ends it.  */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "spec/spec.h"

struct arena;
struct error;
struct spec_source;

/* What a check has at hand.  */
struct check
{
  struct arena *arena;
  const struct spec_source *source;
  struct error *err;
};

/* Fails with a message about the decoded value that VALUE points to, with its place and path.  */
#define COMPLAIN(check, value, ...)                                                                                    \
  spec_source_error ((check)->source, (value), sizeof *(value), (check)->err, __VA_ARGS__)

/* Checks SPEC.  0 or -EINVAL.  */
int spec_validate (struct arena *arena, const struct spec *spec, struct error *err);

/* Checks PROCESS, which was decoded from SOURCE.  */
int spec_validate_process (struct arena *arena, const struct spec_source *source, const struct spec_process *process,
                           struct error *err);

/* The parts of these that have a file of their own.  */
int spec_check_process (const struct check *check, const struct spec_process *process);
int spec_check_linux (const struct check *check, const struct spec *spec);
int spec_check_resources (const struct check *check, const struct spec *spec);
int spec_check_sysctl (const struct check *check, const struct spec *spec);

/* Checks the annotations that are ours, and puts what stands for a member of the specification there (annotations.c).
 */
int spec_take_annotations (const struct check *check, const struct spec *spec);

/* Helpers: *PATH is absolute; each entry of ENV is NAME=VALUE; *LIST, which may be NULL, is like "0-3,7"; MAPPINGS are
 * what the kernel takes (user_namespaces(7)).  */
int spec_check_absolute (const struct check *check, const char *const *path);
int spec_check_environment (const struct check *check, const struct spec_strings *env);
int spec_check_number_list (const struct check *check, const char *const *list);
int spec_check_mappings (const struct check *check, const struct spec_id_mappings *mappings);
