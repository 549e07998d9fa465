/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* src/seccomp: profiles become filters that mean what the profile says.
 *
 * The judge is a reading of the profile, written here without regard to how filters are made: `expected` looks the
 * call's name up and goes through the rules.  All numbers of all calls are compared, with arguments around every
 * constant.  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first.  */
#include <cmocka.h>

#include <errno.h>
#include <linux/audit.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/dlopen.h"
#include "seccomp/build.h"
#include "seccomp/library.h"
#include "seccomp_profile.h"
#include "spec/names.h"

struct resolver
{
  DLOPEN_MEMBER (seccomp_syscall_resolve_num_arch);
  DLOPEN_MEMBER (seccomp_syscall_resolve_name_arch);
};

static struct resolver resolver;

static int
set_up (void **state)
{
  (void) state;
  static const struct dlopen_symbol symbols[] = { DLOPEN_SYMBOL (struct resolver, seccomp_syscall_resolve_num_arch),
                                                  DLOPEN_SYMBOL (struct resolver, seccomp_syscall_resolve_name_arch) };
  return dlopen_symbols ("libseccomp.so.2", symbols, 2, &resolver, NULL);
}

/* ---- what a profile says ---- */

static bool
condition_holds (const struct spec_seccomp_arg *condition, const __u64 *args)
{
  uint64_t value = args[condition->index.value], datum = condition->value.value;
  switch (condition->op.value)
    {
    case SPEC_SECCOMP_NE:
      return value != datum;
    case SPEC_SECCOMP_LT:
      return value < datum;
    case SPEC_SECCOMP_LE:
      return value <= datum;
    case SPEC_SECCOMP_EQ:
      return value == datum;
    case SPEC_SECCOMP_GE:
      return value >= datum;
    case SPEC_SECCOMP_GT:
      return value > datum;
    default:
      return (value & datum) == condition->value_two.value;
    }
}

/* All conditions, or any if there are two on one argument.  */
static bool
rule_holds (const struct spec_seccomp_rule *rule, const __u64 *args)
{
  bool all = true, any = false, twice = false;
  for (size_t i = 0; i < rule->args.count; i++)
    {
      bool holds = condition_holds (&rule->args.items[i], args);
      all = all && holds;
      any = any || holds;
      for (size_t k = 0; k < i; k++)
        twice = twice || rule->args.items[k].index.value == rule->args.items[i].index.value;
    }
  return twice ? any : all;
}

static uint32_t
action_of (const struct spec_int *action, const struct spec_uint *errno_ret)
{
  uint32_t word = (uint32_t) action->value;
  if (word == SECCOMP_RET_ERRNO || word == SECCOMP_RET_TRACE)
    word |= errno_ret->set ? (uint32_t) errno_ret->value : EPERM;
  return word;
}

static bool
names_call (const struct spec_seccomp_rule *rule, const char *name)
{
  for (size_t i = 0; i < rule->names.count; i++)
    if (strcmp (rule->names.items[i], name) == 0)
      return true;
  return false;
}

/* Whether the profile names a call of ARCH with NUMBER or a higher one.  */
static bool
names_later (const struct spec_seccomp *profile, uint32_t arch, int number)
{
  for (size_t i = 0; i < profile->syscalls.count; i++)
    for (size_t k = 0; k < profile->syscalls.items[i].names.count; k++)
      {
        int named = resolver.seccomp_syscall_resolve_name_arch (arch, profile->syscalls.items[i].names.items[k]);
        if (named >= number && !(arch == SCMP_ARCH_ARM && named >= 0x0f0000))
          return true;
      }
  return false;
}

/* What PROFILE says about the call NUMBER of ARCH (libseccomp's token).  Rules must not contradict each other.  */
static uint32_t
expected (const struct spec_seccomp *profile, uint32_t arch, int number, const __u64 *args)
{
  char *name = resolver.seccomp_syscall_resolve_num_arch (arch, number);
  uint32_t fallback = action_of (&profile->default_action, &profile->default_errno_ret), action = fallback;
  for (size_t i = 0; name != NULL && action == fallback && i < profile->syscalls.count; i++)
    {
      const struct spec_seccomp_rule *rule = &profile->syscalls.items[i];
      if (names_call (rule, name) && rule_holds (rule, args))
        action = action_of (&rule->action, &rule->errno_ret);
    }
  free (name);
  if (action == fallback && profile->default_action.value == SECCOMP_RET_ERRNO && !names_later (profile, arch, number))
    return SECCOMP_RET_ERRNO | ENOSYS;
  return action;
}

/* ---- comparing all of it ---- */

/* The constants of PROFILE's conditions, their neighbours, and some with other upper halves.  */
static size_t
interesting_values (const struct spec_seccomp *profile, uint64_t *values, size_t room)
{
  size_t count = 0;
  values[count++] = 0;
  values[count++] = UINT64_MAX;
  for (size_t i = 0; i < profile->syscalls.count; i++)
    for (size_t k = 0; k < profile->syscalls.items[i].args.count; k++)
      {
        const struct spec_seccomp_arg *arg = &profile->syscalls.items[i].args.items[k];
        const uint64_t datum = arg->value.value, two = arg->value_two.value;
        const uint64_t more[] = { datum - 1, datum, datum + 1, datum + (1ull << 32), datum & UINT32_MAX, two, two | 1 };
        for (size_t m = 0; m < sizeof more / sizeof *more; m++)
          {
            assert_true (count < room);
            values[count++] = more[m];
          }
      }
  return count;
}

/* The word that the kernel shows for an arch.  */
static uint32_t
audit_arch (uint32_t arch)
{
  return arch == SCMP_ARCH_X32 ? SCMP_ARCH_X86_64 : arch;
}

/* Where the numbers of ARCH begin.  */
static int
first_number (uint32_t arch)
{
  switch (arch)
    {
    case SCMP_ARCH_X32:
      return 0x40000000;
    case SCMP_ARCH_MIPSEL:
      return 4000;
    case SCMP_ARCH_MIPSEL64:
      return 5000;
    case SCMP_ARCH_MIPSEL64N32:
      return 6000;
    default:
      return 0;
    }
}

static void
compare_arch (const struct spec_seccomp *profile, const struct sock_filter *program, uint32_t arch)
{
  uint64_t values[256];
  size_t count = interesting_values (profile, values, 256);
  const int first = first_number (arch);
  uint64_t mask = arch & __AUDIT_ARCH_64BIT && arch != SCMP_ARCH_MIPSEL64N32
                      ? UINT64_MAX
                      : UINT32_MAX; /* calls of the others have such arguments only */
  unsigned differs = 0;
  for (int number = first; number < first + 600; number++)
    {
      char *name = resolver.seccomp_syscall_resolve_num_arch (arch, number);
      bool multiplexed = name != NULL && (strcmp (name, "socketcall") == 0 || strcmp (name, "ipc") == 0);
      size_t tries = name == NULL ? 1 : count;
      free (name);
      /* These get libseccomp's extra rules: test_multiplexed.  */
      for (size_t i = 0; !multiplexed && i < tries; i++)
        for (size_t k = 0; k < tries; k++)
          {
            struct seccomp_data data = { .arch = audit_arch (arch), .nr = number, .args = { 0 } };
            for (size_t a = 0; a < 6; a++)
              data.args[a] = (a % 2 ? values[(k + a / 2) % count] : values[(i + a / 2) % count]) & mask;
            differs += bpf_run (program, &data, NULL) != expected (profile, arch, number, data.args);
          }
    }
  assert_int_equal (differs, 0);
}

/* Compiles TEXT and compares it for the native arch and those that it names.  */
static void
check_profile (const char *text)
{
  ARENA_CLEANUP struct arena arena = { 0 };
  const struct spec *spec = profile_spec (&arena, text);
  const struct spec_seccomp *profile = spec->linux_->seccomp;
  struct seccomp_filter filter;
  const struct sock_filter *program = compile (&arena, spec, -1, &filter);
  struct libseccomp library;
  assert_int_equal (seccomp_library_open (&library, NULL), 0);
  compare_arch (profile, program, library.seccomp_arch_native ());
  for (size_t i = 0; i < profile->architectures.count; i++)
    compare_arch (profile, program, (uint32_t) profile->architectures.items[i]);

  /* Another arch kills, whatever the default.  */
  struct seccomp_data data = { .arch = AUDIT_ARCH_ALPHA };
  assert_int_equal (bpf_run (program, &data, NULL), SECCOMP_RET_KILL_THREAD);
}

/* ---- tests ---- */

static void
test_actions (void **state)
{
  (void) state;
  check_profile ("{'defaultAction':'SCMP_ACT_ERRNO','listenerPath':'/x','syscalls':["
                 "{'names':['read'],'action':'SCMP_ACT_ALLOW'},"
                 "{'names':['write','open'],'action':'SCMP_ACT_LOG'},"
                 "{'names':['close'],'action':'SCMP_ACT_KILL'},"
                 "{'names':['stat'],'action':'SCMP_ACT_KILL_THREAD'},"
                 "{'names':['fstat'],'action':'SCMP_ACT_KILL_PROCESS'},"
                 "{'names':['lstat'],'action':'SCMP_ACT_TRAP'},"
                 "{'names':['poll'],'action':'SCMP_ACT_ERRNO'},"
                 "{'names':['lseek'],'action':'SCMP_ACT_ERRNO','errnoRet':0},"
                 "{'names':['mmap'],'action':'SCMP_ACT_ERRNO','errnoRet':4094},"
                 "{'names':['mprotect'],'action':'SCMP_ACT_TRACE'},"
                 "{'names':['munmap'],'action':'SCMP_ACT_TRACE','errnoRet':65535},"
                 "{'names':['brk','futex_waitv'],'action':'SCMP_ACT_NOTIFY'}]}");
}

static void
test_default_actions (void **state)
{
  (void) state;
  static const char *const defaults[] = {
    "'SCMP_ACT_ALLOW'",
    "'SCMP_ACT_LOG'",
    "'SCMP_ACT_KILL'",
    "'SCMP_ACT_KILL_THREAD'",
    "'SCMP_ACT_KILL_PROCESS'",
    "'SCMP_ACT_TRAP'",
    "'SCMP_ACT_ERRNO'",
    "'SCMP_ACT_ERRNO','defaultErrnoRet':38",
    "'SCMP_ACT_ERRNO','defaultErrnoRet':13",
    "'SCMP_ACT_TRACE'",
    "'SCMP_ACT_TRACE','defaultErrnoRet':7",
  };
  char text[512];
  for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++)
    {
      /* One of the two rules is the default, then and when; the name that is unknown is skipped.  */
      snprintf (text, sizeof text,
                "{'defaultAction':%s,'syscalls':["
                "{'names':['getcwd','no_such_call','write'],'action':'SCMP_ACT_ALLOW'},"
                "{'names':['chmod'],'action':'SCMP_ACT_ERRNO','errnoRet':13}]}",
                defaults[i]);
      check_profile (text);
      snprintf (text, sizeof text, "{'defaultAction':%s}", defaults[i]);
      if (strstr (text, "ERRNO'") == NULL) /* see test_newer_calls */
        check_profile (text);
    }
}

static void
test_operators (void **state)
{
  (void) state;
  static const char *const values[]
      = { "0", "1", "4096", "4294967295", "4294967296", "81985529216486895", "18446744073709551615" };
  char text[2048];
  for (size_t i = 0; i < sizeof values / sizeof *values; i++)
    {
      const char *v = values[i];
      int length = snprintf (text, sizeof text, "{'defaultAction':'SCMP_ACT_ERRNO','syscalls':[");
      for (size_t op = 0; op < spec_seccomp_op_names.count; op++)
        length += snprintf (text + length, sizeof text - (size_t) length,
                            "%s{'names':['%s'],'action':'SCMP_ACT_ALLOW','args':"
                            "[{'index':%zu,'op':'%s','value':%s,'valueTwo':%d}]}",
                            op == 0 ? "" : ",",
                            (const char *const[]){ "read", "write", "open", "close", "stat", "mmap", "brk" }[op],
                            op % 6, spec_seccomp_op_names.rows[op].name, v, op % 2 ? 1 : 0);
      snprintf (text + length, sizeof text - (size_t) length, "]}");
      check_profile (text);
    }
}

static void
test_conditions (void **state)
{
  (void) state;
  /* All of a rule's conditions; rules beside each other; a mask.  */
  check_profile (
      "{'defaultAction':'SCMP_ACT_ERRNO','syscalls':["
      "{'names':['clone'],'action':'SCMP_ACT_ALLOW','args':"
      "[{'index':0,'op':'SCMP_CMP_MASKED_EQ','value':2114060288,'valueTwo':0}]},"
      "{'names':['socket'],'action':'SCMP_ACT_ALLOW','args':"
      "[{'index':0,'op':'SCMP_CMP_EQ','value':1},{'index':1,'op':'SCMP_CMP_NE','value':3},"
      "{'index':2,'op':'SCMP_CMP_LE','value':8589934592}]},"
      "{'names':['personality'],'action':'SCMP_ACT_ALLOW','args':[{'index':0,'op':'SCMP_CMP_EQ','value':0}]},"
      "{'names':['personality'],'action':'SCMP_ACT_ALLOW','args':[{'index':0,'op':'SCMP_CMP_EQ','value':8}]},"
      "{'names':['personality'],'action':'SCMP_ACT_LOG','args':"
      "[{'index':0,'op':'SCMP_CMP_EQ','value':4294967295}]}]}");
  /* Two conditions on one argument: any of the rule's conditions is enough.  */
  check_profile ("{'defaultAction':'SCMP_ACT_ERRNO','syscalls':["
                 "{'names':['ioctl'],'action':'SCMP_ACT_ALLOW','args':"
                 "[{'index':1,'op':'SCMP_CMP_EQ','value':5},{'index':1,'op':'SCMP_CMP_EQ','value':7},"
                 "{'index':2,'op':'SCMP_CMP_GT','value':100}]}]}");
  check_profile ("{'defaultAction':'SCMP_ACT_ALLOW','syscalls':["
                 "{'names':['ioctl'],'action':'SCMP_ACT_ERRNO','args':"
                 "[{'index':1,'op':'SCMP_CMP_GE','value':5},{'index':1,'op':'SCMP_CMP_LT','value':7}]}]}");
  /* Six, the most there can be.  */
  check_profile ("{'defaultAction':'SCMP_ACT_ERRNO','syscalls':["
                 "{'names':['futex'],'action':'SCMP_ACT_ALLOW','args':["
                 "{'index':5,'op':'SCMP_CMP_NE','value':1},{'index':4,'op':'SCMP_CMP_LT','value':2},"
                 "{'index':3,'op':'SCMP_CMP_GE','value':0},{'index':2,'op':'SCMP_CMP_NE','value':4},"
                 "{'index':1,'op':'SCMP_CMP_LT','value':5},{'index':0,'op':'SCMP_CMP_NE','value':6}]}]}");
}

static void
test_repeated_rules (void **state)
{
  (void) state;
  check_profile ("{'defaultAction':'SCMP_ACT_ERRNO','syscalls':["
                 "{'names':['read','read','write'],'action':'SCMP_ACT_ALLOW'},"
                 "{'names':['write','read'],'action':'SCMP_ACT_ALLOW'},"
                 "{'names':['ioctl'],'action':'SCMP_ACT_ALLOW','args':[{'index':1,'op':'SCMP_CMP_EQ','value':5}]},"
                 "{'names':['ioctl'],'action':'SCMP_ACT_ALLOW','args':[{'index':1,'op':'SCMP_CMP_EQ','value':5}]},"
                 "{'names':['brk'],'action':'SCMP_ACT_ALLOW'},"
                 "{'names':['brk'],'action':'SCMP_ACT_ALLOW','args':[{'index':1,'op':'SCMP_CMP_EQ','value':5}]}]}");
}

#define USUAL_RULES                                                                                                    \
  "'syscalls':[{'names':['read','write','getcwd','exit','clone3','futex','socket','set_tls','preadv2'],'action':'"     \
  "SCMP_ACT_ALLOW'},"                                                                                                  \
  "{'names':['personality'],'action':'SCMP_ACT_ALLOW','args':[{'index':0,'op':'SCMP_CMP_EQ','value':8}]},"             \
  "{'names':['execve'],'action':'SCMP_ACT_TRAP'}]}"

static void
test_x86 (void **state)
{
  (void) state;
  check_profile ("{'defaultAction':'SCMP_ACT_ERRNO','architectures':['SCMP_ARCH_X86_64','SCMP_ARCH_X86','SCMP_ARCH_X32'"
                 "]," USUAL_RULES);
  check_profile ("{'defaultAction':'SCMP_ACT_KILL_PROCESS','architectures':['SCMP_ARCH_X32']," USUAL_RULES);
}

/* Each arch that libseccomp and this machine's byte order allow, beside the native one; the others are refused by name.
 */
static void
test_all_architectures (void **state)
{
  (void) state;
  unsigned good = 0;
  for (size_t i = 0; i < spec_seccomp_arch_names.count; i++)
    {
      ARENA_CLEANUP struct arena arena = { 0 };
      const char *name = spec_seccomp_arch_names.rows[i].name;
      char *text
          = arena_printf (&arena, "{'defaultAction':'SCMP_ACT_ERRNO','architectures':['%s'],%s", name, USUAL_RULES);
      const struct spec *spec = profile_spec (&arena, text);
      struct seccomp_filter filter;
      struct error err = { 0 };
      if (seccomp_compile (&arena, spec, spec->linux_->seccomp, -1, &filter, &err) == 0)
        {
          fd_close (filter.fd);
          check_profile (text);
          good++;
        }
      else
        {
          assert_non_null (strstr (err.message, "linux.seccomp.architectures[0] (config.json:2:"));
          assert_non_null (strstr (err.message, name));
          assert_true (strstr (err.message, "another byte order") || strstr (err.message, "does not take"));
        }
    }
  assert_true (good >= 8);
}

/* On x86, socket(2) is also a number of socketcall(2): allowed with it, and nothing else of that call is.  */
static void
test_multiplexed (void **state)
{
  (void) state;
  ARENA_CLEANUP struct arena arena = { 0 };
  struct seccomp_filter filter;
  const struct sock_filter *program = compile (
      &arena, profile_spec (&arena, "{'defaultAction':'SCMP_ACT_ERRNO','architectures':['SCMP_ARCH_X86']," USUAL_RULES),
      -1, &filter);
  int socketcall = resolver.seccomp_syscall_resolve_name_arch (SCMP_ARCH_X86, "socketcall");
  for (uint64_t call = 0; call < 30; call++)
    {
      struct seccomp_data data = { .arch = AUDIT_ARCH_I386, .nr = socketcall, .args = { call } };
      uint32_t answer = bpf_run (program, &data, NULL);
      assert_int_equal (answer, call == 1 /* SYS_SOCKET */ ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO | EPERM);
    }
}

static uint32_t
answer (const char *text, uint32_t arch, int number)
{
  ARENA_CLEANUP struct arena arena = { 0 };
  struct seccomp_filter filter;
  const struct sock_filter *program = compile (&arena, profile_spec (&arena, text), -1, &filter);
  struct seccomp_data data = { .arch = arch, .nr = number };
  return bpf_run (program, &data, NULL);
}

static void
test_newer_calls (void **state)
{
  (void) state;
  enum
  {
    ENOSYS_ = SECCOMP_RET_ERRNO | ENOSYS,
    EPERM_ = SECCOMP_RET_ERRNO | EPERM,
    X32 = 0x40000000
  };
  const uint32_t x86_64 = AUDIT_ARCH_X86_64, i386 = AUDIT_ARCH_I386, arm = AUDIT_ARCH_ARM;
#define ARCHES "'architectures':['SCMP_ARCH_X86_64','SCMP_ARCH_X86','SCMP_ARCH_X32','SCMP_ARCH_ARM'],"
#define RULES "'syscalls':[{'names':['read','statx','set_tls'],'action':'SCMP_ACT_ALLOW'}]}"
  static const char text[] = "{'defaultAction':'SCMP_ACT_ERRNO'," ARCHES RULES;

  /* statx is 332 of x86-64, 383 of x86, 397 of ARM.  */
  assert_int_equal (answer (text, x86_64, 331), EPERM_);
  assert_int_equal (answer (text, x86_64, 332), SECCOMP_RET_ALLOW);
  assert_int_equal (answer (text, x86_64, 333), ENOSYS_);
  assert_int_equal (answer (text, x86_64, 100000), ENOSYS_);
  assert_int_equal (answer (text, x86_64, X32 - 1), ENOSYS_);
  assert_int_equal (answer (text, x86_64, X32 + 331), EPERM_);
  assert_int_equal (answer (text, x86_64, X32 + 332), SECCOMP_RET_ALLOW);
  assert_int_equal (answer (text, x86_64, X32 + 333), ENOSYS_);
  assert_int_equal (answer (text, i386, 382), EPERM_);
  assert_int_equal (answer (text, i386, 384), ENOSYS_);

  /* ARM's private calls are no sequence.  */
  assert_int_equal (answer (text, arm, 398), ENOSYS_);
  assert_int_equal (answer (text, arm, 0x0effff), ENOSYS_);
  assert_int_equal (answer (text, arm, 0x0f0001), EPERM_);
  assert_int_equal (answer (text, arm, 0x0f0005), SECCOMP_RET_ALLOW);

  /* Without x32 its calls are of a bad arch, not new.  */
  assert_int_equal (answer ("{'defaultAction':'SCMP_ACT_ERRNO'," RULES, x86_64, X32 + 500), SECCOMP_RET_KILL_THREAD);
  /* An explicit errno does not change it; other defaults, or no names at all, do.  */
  assert_int_equal (answer ("{'defaultAction':'SCMP_ACT_ERRNO','defaultErrnoRet':1," RULES, x86_64, 333), ENOSYS_);
  assert_int_equal (answer ("{'defaultAction':'SCMP_ACT_KILL_PROCESS'," RULES, x86_64, 333), SECCOMP_RET_KILL_PROCESS);
  assert_int_equal (answer ("{'defaultAction':'SCMP_ACT_ERRNO'}", x86_64, 333), EPERM_);
  assert_int_equal (answer ("{'defaultAction':'SCMP_ACT_ERRNO','syscalls':["
                            "{'names':['no_such_call'],'action':'SCMP_ACT_ALLOW'}]}",
                            x86_64, 333),
                    EPERM_);
#undef ARCHES
#undef RULES
}

/* Folding keeps what libseccomp says, call by call, and makes it much quicker.  */
static void
test_folded_as_built (void **state)
{
  (void) state;
  ARENA_CLEANUP struct arena arena = { 0 };
  struct strbuf_names
  {
    char text[32768];
  } *all = arena_new (&arena, struct strbuf_names);
  size_t used = 0;
  for (int number = 0; number < 450; number++)
    {
      char *name = resolver.seccomp_syscall_resolve_num_arch (SCMP_ARCH_X86_64, number);
      if (name != NULL && number % 5 != 0)
        used += (size_t) snprintf (all->text + used, sizeof all->text - used, "%s'%s'", used == 0 ? "" : ",", name);
      free (name);
    }
  const struct spec *spec = profile_spec (
      &arena, arena_printf (&arena,
                            "{'defaultAction':'SCMP_ACT_KILL','architectures':['SCMP_ARCH_X86','SCMP_ARCH_X32'],"
                            "'syscalls':[{'names':[%s],'action':'SCMP_ACT_ALLOW'},{'names':['ptrace','lseek'],"
                            "'action':'SCMP_ACT_ERRNO','args':[{'index':1,'op':'SCMP_CMP_GT','value':77}]}]}",
                            all->text));
  struct libseccomp library;
  struct error err = { 0 };
  struct sock_filter *built, *folded;
  uint32_t built_length, folded_length, most = 0, steps;
  assert_int_equal (seccomp_library_open (&library, &err), 0);
  assert_int_equal (seccomp_build (&arena, &library, spec, spec->linux_->seccomp, &built, &built_length, &err), 0);
  assert_int_equal (seccomp_build_folded (&arena, &library, spec, spec->linux_->seccomp, &folded, &folded_length, &err),
                    0);
  static const uint32_t arches[] = { AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64, 0 };
  for (size_t a = 0; a < 4; a++)
    for (uint32_t base = 0; base < 4; base++)
      for (uint32_t number = 0; number < 1000; number++)
        for (uint64_t arg = 0; arg < 3; arg++)
          {
            /* 0 ..., 0x3fffff00 ... (x32 follows), 0x7fffff00 ..., 0xfffffc18 ... (-1 is last).  */
            static const uint32_t bases[] = { 0, 0x3fffff00, 0x7fffff00, UINT32_MAX - 999 };
            struct seccomp_data data
                = { .arch = arches[a], .nr = (int) (bases[base] + number), .args = { 1, 76 + arg } };
            assert_int_equal (bpf_run (folded, &data, &steps), bpf_run (built, &data, NULL));
            most = steps > most ? steps : most;
          }
  assert_true (folded_length < 2 * built_length / 3);
  assert_true (most <= 30);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_actions),           cmocka_unit_test (test_default_actions),
    cmocka_unit_test (test_operators),         cmocka_unit_test (test_conditions),
    cmocka_unit_test (test_repeated_rules),    cmocka_unit_test (test_x86),
    cmocka_unit_test (test_all_architectures), cmocka_unit_test (test_multiplexed),
    cmocka_unit_test (test_newer_calls),       cmocka_unit_test (test_folded_as_built),
  };
  return cmocka_run_group_tests_name ("seccomp", tests, set_up, NULL);
}
