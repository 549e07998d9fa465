/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Feeding a profile to libseccomp.  */
#include <errno.h>
#include <linux/bpf_common.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "seccomp/build.h"
#include "seccomp/fold.h"
#include "seccomp/library.h"
#include "seccomp/profile.h"
#include "spec/names.h"
#include "spec/spec.h"

/* One profile on its way through libseccomp.  */
struct build
{
  struct arena *arena;
  const struct libseccomp *library;
  const struct spec *spec;
  const struct spec_seccomp *profile;
  scmp_filter_ctx filter;
};

/* "linux.seccomp.syscalls[3] (config.json:12:3): libseccomp 2.5.4 does not take WHAT: Invalid argument".  */
#define REFUSED(b, value, ...) refused ((b), (value), sizeof *(value), __VA_ARGS__)

static int
refused (const struct build *b, const void *value, size_t size, int r, const char *what, struct error *err)
{
  const struct scmp_version *version = b->library->seccomp_version ();
  return error_sys (err, r, "%s: libseccomp %u.%u.%u does not take %s", spec_where_of (b->arena, b->spec, value, size),
                    version->major, version->minor, version->micro, what);
}

static int
add_architectures (const struct build *b, struct error *err)
{
  for (size_t i = 0; i < b->profile->architectures.count; i++)
    {
      const uint64_t *arch = &b->profile->architectures.items[i];
      int r = b->library->seccomp_arch_add (b->filter, (uint32_t) *arch);
      if (r < 0 && r != -EEXIST) /* the native one is there from the start */
        return REFUSED (b, arch, r, names_of (&spec_seccomp_arch_names, (int64_t) *arch), err);
    }
  return 0;
}

/* The conditions of RULE in libseccomp's terms.  Returns whether two are on one argument.  */
static bool
convert_conditions (const struct spec_seccomp_rule *rule, struct scmp_arg_cmp *conditions)
{
  unsigned seen = 0;
  bool twice = false;
  for (size_t i = 0; i < rule->args.count; i++)
    {
      const struct spec_seccomp_arg *arg = &rule->args.items[i];
      conditions[i] = (struct scmp_arg_cmp){ .arg = (unsigned) arg->index.value,
                                             .op = (enum scmp_compare) arg->op.value,
                                             .datum_a = arg->value.value,
                                             .datum_b = arg->value_two.value };
      twice = twice || (seen & 1u << arg->index.value);
      seen |= 1u << arg->index.value;
    }
  return twice;
}

static int
add_rule (const struct build *b, const struct spec_seccomp_rule *rule, struct error *err)
{
  uint32_t action = profile_action (rule);
  if (action == profile_default (b->profile))
    return 0;
  struct scmp_arg_cmp *conditions = arena_array (b->arena, struct scmp_arg_cmp, rule->args.count);
  unsigned count = (unsigned) rule->args.count;
  bool apart = convert_conditions (rule, conditions);

  for (size_t i = 0; i < rule->names.count; i++)
    {
      const char *name = rule->names.items[i];
      int number = b->library->seccomp_syscall_resolve_name (name);
      if (number == __NR_SCMP_ERROR && spec_annotated (b->spec, SPEC_ANNOTATION_SECCOMP_STRICT))
        return error_set (err, EINVAL, "%s: libseccomp knows no system call \"%s\"",
                          spec_where (b->arena, b->spec, &rule->names.items[i]), name);
      if (number == __NR_SCMP_ERROR)
        {
          log_debug ("seccomp: skipping \"%s\", a system call that libseccomp does not know", name);
          continue;
        }
      int r = 0;
      if (!apart)
        r = b->library->seccomp_rule_add_array (b->filter, action, number, count, conditions);
      for (unsigned k = 0; apart && r == 0 && k < count; k++)
        r = b->library->seccomp_rule_add_array (b->filter, action, number, 1, &conditions[k]);
      if (r < 0)
        return REFUSED (b, rule, r, arena_printf (b->arena, "the rule for \"%s\"", name), err);
    }
  return 0;
}

/* The program as a file, for a libseccomp before 2.6.  */
static int
export_by_file (const struct build *b, struct sock_filter **ret_program, size_t *ret_size)
{
  FD_CLEANUP int fd = memfd_create ("thole-seccomp", MFD_CLOEXEC);
  if (fd < 0)
    return -errno;
  int r = b->library->seccomp_export_bpf (b->filter, fd);
  if (r < 0)
    return r;
  off_t size = lseek (fd, 0, SEEK_END);
  if (size < 0 || lseek (fd, 0, SEEK_SET) < 0)
    return -errno;
  struct sock_filter *program = arena_alloc (b->arena, (size_t) size);
  ssize_t got = fd_read_all (fd, program, (size_t) size);
  if (got < 0)
    return (int) got;
  *ret_program = program;
  *ret_size = (size_t) got;
  return 0;
}

static int
export_to_memory (const struct build *b, struct sock_filter **ret_program, size_t *ret_size)
{
  size_t size = 0;
  int r = b->library->seccomp_export_bpf_mem (b->filter, NULL, &size);
  if (r < 0)
    return r;
  struct sock_filter *program = arena_alloc (b->arena, size);
  r = b->library->seccomp_export_bpf_mem (b->filter, program, &size);
  if (r < 0)
    return r;
  *ret_program = program;
  *ret_size = size;
  return 0;
}

static int
fill_and_export (const struct build *b, struct sock_filter **ret_program, uint32_t *ret_length, struct error *err)
{
  int r = add_architectures (b, err);
  for (size_t i = 0; r == 0 && i < b->profile->syscalls.count; i++)
    r = add_rule (b, &b->profile->syscalls.items[i], err);
  if (r < 0)
    return r;

  size_t size = 0;
  r = b->library->seccomp_export_bpf_mem != NULL ? export_to_memory (b, ret_program, &size)
                                                 : export_by_file (b, ret_program, &size);
  if (r < 0)
    return REFUSED (b, b->profile, r, "the profile as a whole", err);
  *ret_length = (uint32_t) (size / sizeof (struct sock_filter));
  return 0;
}

int
seccomp_build (struct arena *arena, const struct libseccomp *library, const struct spec *spec,
               const struct spec_seccomp *profile, struct sock_filter **ret_program, uint32_t *ret_length,
               struct error *err)
{
  struct build b = { .arena = arena, .library = library, .spec = spec, .profile = profile };
  b.filter = library->seccomp_init (profile_default (profile));
  if (b.filter == NULL)
    return REFUSED (&b, &profile->default_action, EINVAL,
                    names_of (&spec_seccomp_action_names, profile->default_action.value), err);
  int r = fill_and_export (&b, ret_program, ret_length, err);
  library->seccomp_release (b.filter);
  return r;
}

/* ---- calls newer than the profile ---- */

/* The numbers of ARCH among which newer calls are, and ARCH as the kernel sees it.  */
static struct fold_override
new_numbers (uint32_t arch)
{
  enum
  {
    X32_BIT = 0x40000000,
    ARM_PRIVATE = 0x0f0000 /* of ARM alone, and not in sequence: set_tls and so on */
  };
  if (arch == SCMP_ARCH_X32)
    return (struct fold_override){ .arch = SCMP_ARCH_X86_64, .first = X32_BIT, .last = INT32_MAX };
  uint32_t last = arch == SCMP_ARCH_X86_64 ? X32_BIT - 1 : arch == SCMP_ARCH_ARM ? ARM_PRIVATE - 1 : INT32_MAX;
  return (struct fold_override){ .arch = arch, .first = 0, .last = last };
}

/* What makes calls of ARCH after the last that PROFILE names answer ENOSYS.  False if it names none.  */
static bool
newer_calls (const struct libseccomp *library, const struct spec_seccomp *profile, uint32_t arch,
             struct fold_override *ret_override)
{
  struct fold_override o = new_numbers (arch);
  const uint32_t lowest = o.first;
  bool any = false;
  for (size_t i = 0; i < profile->syscalls.count; i++)
    for (size_t k = 0; k < profile->syscalls.items[i].names.count; k++)
      {
        int number = library->seccomp_syscall_resolve_name_arch (arch, profile->syscalls.items[i].names.items[k]);
        if (number < 0 || (uint32_t) number < lowest || (uint32_t) number >= o.last)
          continue; /* unknown, not of this arch, or private */
        any = true;
        if ((uint32_t) number >= o.first)
          o.first = (uint32_t) number + 1;
      }
  o.from = profile_default (profile);
  o.to = SECCOMP_RET_ERRNO | ENOSYS;
  if (any)
    *ret_override = o;
  return any;
}

int
seccomp_build_folded (struct arena *arena, const struct libseccomp *library, const struct spec *spec,
                      const struct spec_seccomp *profile, struct sock_filter **ret_program, uint32_t *ret_length,
                      struct error *err)
{
  struct sock_filter *program;
  uint32_t length;
  int r = seccomp_build (arena, library, spec, profile, &program, &length, err);
  if (r < 0)
    return r;

  size_t count = 0;
  struct fold_override *newer = arena_array (arena, struct fold_override, profile->architectures.count + 1);
  if (profile->default_action.value == SECCOMP_RET_ERRNO)
    {
      uint32_t native = library->seccomp_arch_native ();
      count += newer_calls (library, profile, native, &newer[count]);
      for (size_t i = 0; i < profile->architectures.count; i++)
        if (profile->architectures.items[i] != native)
          count += newer_calls (library, profile, (uint32_t) profile->architectures.items[i], &newer[count]);
    }

  if (seccomp_fold (arena, program, length, newer, count, ret_program, ret_length) == 0)
    return 0;

  /* A libseccomp with new tricks: its program is right, only slower, and newer calls get the default errno.  */
  log_debug ("seccomp: the filter of libseccomp cannot be folded; it is used as it is");
  if (length > BPF_MAXINSNS)
    return error_set (err, E2BIG, "%s: the filter has %u instructions; the kernel takes %d at most",
                      spec_where (arena, spec, profile), length, BPF_MAXINSNS);
  *ret_program = program;
  *ret_length = length;
  return 0;
}
