/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* src/spec/names.h: words and numbers.  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first.  */
#include <cmocka.h>

#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "config.h"
#ifdef HAVE_LIBCAP
#include <sys/capability.h>
#endif
#ifdef HAVE_SECCOMP
#include <seccomp.h>
#endif

#include "base/names.h"
#include "spec/names.h"
#include "spec/spec.h"

static const struct names *const tables[] = {
  &spec_namespace_names,      &spec_capability_names,   &spec_rlimit_names,         &spec_signal_names,
  &spec_ioprio_class_names,   &spec_scheduler_names,    &spec_scheduler_flag_names, &spec_device_type_names,
  &spec_propagation_names,    &spec_mempolicy_names,    &spec_mempolicy_flag_names, &spec_personality_names,
  &spec_seccomp_action_names, &spec_seccomp_arch_names, &spec_seccomp_op_names,     &spec_seccomp_flag_names,
};

/* A word leads to its number, and the number to a word that leads to the same number.  */
static void
test_round_trip (void **state)
{
  (void) state;
  for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
    {
      assert_true (tables[t]->count > 0);
      for (size_t i = 0; i < tables[t]->count; i++)
        {
          const struct name *row = &tables[t]->rows[i];
          int64_t value = -1, again = -1;
          assert_true (names_find (tables[t], row->name, &value));
          assert_int_equal (value, row->value); /* a word that is twice in a table would find the other row */
          const char *word = names_of (tables[t], row->value);
          assert_non_null (word);
          assert_true (names_find (tables[t], word, &again));
          assert_int_equal (again, row->value);
        }
    }
}

/* One letter wrong in a word of some length leads back to it, or to one as near.  */
static void
test_nearest (void **state)
{
  (void) state;
  for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
    for (size_t i = 0; i < tables[t]->count; i++)
      {
        char word[64];
        snprintf (word, sizeof word, "%s", tables[t]->rows[i].name);
        if (strlen (word) < 6)
          continue;
        word[strlen (word) - 1] = '!';
        const char *nearest = names_nearest (tables[t], word);
        assert_non_null (nearest);
        assert_true (names_distance (word, nearest, 9) <= 1);
      }
  assert_string_equal (names_nearest (&spec_rlimit_names, "RLIMIT_NOFILES"), "RLIMIT_NOFILE");
  assert_string_equal (names_nearest (&spec_namespace_names, "networks"), "network");
  assert_null (names_nearest (&spec_namespace_names, "completely else"));
}

static void
test_capabilities (void **state)
{
  (void) state;
  assert_int_equal (spec_capability ("CAP_CHOWN"), 0);
  assert_int_equal (spec_capability ("CAP_SYS_ADMIN"), 21);
  assert_int_equal (spec_capability ("SYS_ADMIN"), -1);
  assert_int_equal (spec_capability (""), -1);
  for (size_t i = 0; i < spec_capability_names.count; i++)
    assert_int_equal (spec_capability_names.rows[i].value, i);
#ifdef HAVE_LIBCAP
  for (size_t i = 0; i < spec_capability_names.count; i++)
    {
      cap_value_t value;
      const char *name = spec_capability_names.rows[i].name;
      if (i >= (size_t) cap_max_bits ())
        break; /* an older kernel than our table */
      assert_int_equal (cap_from_name (name, &value), 0);
      assert_int_equal (value, i);
      char *theirs = cap_to_name (value);
      assert_non_null (theirs);
      assert_int_equal (strncmp (theirs, "cap_", 4), 0);
      assert_int_equal (strcasecmp (theirs, name), 0);
      cap_free (theirs);
    }
#endif
}

/* The words of seccomp are libseccomp's, so are the numbers.  */
static void
test_seccomp (void **state)
{
  (void) state;
#ifdef HAVE_SECCOMP
  static const struct name theirs[] = {
    { "SCMP_ARCH_X86", SCMP_ARCH_X86 },         { "SCMP_ARCH_X86_64", SCMP_ARCH_X86_64 },
    { "SCMP_ARCH_X32", SCMP_ARCH_X32 },         { "SCMP_ARCH_ARM", SCMP_ARCH_ARM },
    { "SCMP_ARCH_AARCH64", SCMP_ARCH_AARCH64 }, { "SCMP_ARCH_MIPS", SCMP_ARCH_MIPS },
    { "SCMP_ARCH_MIPS64", SCMP_ARCH_MIPS64 },   { "SCMP_ARCH_MIPS64N32", SCMP_ARCH_MIPS64N32 },
    { "SCMP_ARCH_MIPSEL", SCMP_ARCH_MIPSEL },   { "SCMP_ARCH_MIPSEL64", SCMP_ARCH_MIPSEL64 },
    { "SCMP_ARCH_PPC", SCMP_ARCH_PPC },         { "SCMP_ARCH_MIPSEL64N32", SCMP_ARCH_MIPSEL64N32 },
    { "SCMP_ARCH_PPC64", SCMP_ARCH_PPC64 },     { "SCMP_ARCH_PPC64LE", SCMP_ARCH_PPC64LE },
    { "SCMP_ARCH_S390", SCMP_ARCH_S390 },       { "SCMP_ARCH_S390X", SCMP_ARCH_S390X },
    { "SCMP_ARCH_PARISC", SCMP_ARCH_PARISC },   { "SCMP_ARCH_PARISC64", SCMP_ARCH_PARISC64 },
    { "SCMP_ARCH_RISCV64", SCMP_ARCH_RISCV64 },
  };
  static const struct name operators[] = {
    { "SCMP_CMP_NE", SCMP_CMP_NE },
    { "SCMP_CMP_LT", SCMP_CMP_LT },
    { "SCMP_CMP_LE", SCMP_CMP_LE },
    { "SCMP_CMP_EQ", SCMP_CMP_EQ },
    { "SCMP_CMP_GE", SCMP_CMP_GE },
    { "SCMP_CMP_GT", SCMP_CMP_GT },
    { "SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ },
  };
  static const struct name actions[] = {
    { "SCMP_ACT_KILL", SCMP_ACT_KILL },
    { "SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS },
    { "SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD },
    { "SCMP_ACT_TRAP", SCMP_ACT_TRAP },
    { "SCMP_ACT_ERRNO", SCMP_ACT_ERRNO (0) },
    { "SCMP_ACT_TRACE", SCMP_ACT_TRACE (0) },
    { "SCMP_ACT_ALLOW", SCMP_ACT_ALLOW },
    { "SCMP_ACT_LOG", SCMP_ACT_LOG },
    { "SCMP_ACT_NOTIFY", SCMP_ACT_NOTIFY },
  };
  const struct
  {
    const struct names *ours;
    struct names theirs;
  } pairs[] = { { &spec_seccomp_arch_names, NAMES (theirs) },
                { &spec_seccomp_op_names, NAMES (operators) },
                { &spec_seccomp_action_names, NAMES (actions) } };
  for (size_t p = 0; p < sizeof pairs / sizeof *pairs; p++)
    for (size_t i = 0; i < pairs[p].theirs.count; i++)
      {
        int64_t value;
        assert_true (names_find (pairs[p].ours, pairs[p].theirs.rows[i].name, &value));
        assert_int_equal (value, (uint32_t) pairs[p].theirs.rows[i].value);
      }
#else
  skip ();
#endif
}

static void
test_signals (void **state)
{
  (void) state;
  static const struct
  {
    const char *text;
    int number;
  } signals[] = {
    { "KILL", SIGKILL },  { "SIGKILL", SIGKILL }, { "sigkill", SIGKILL }, { "9", 9 },
    { "0", 0 },           { "IOT", SIGABRT },     { "CLD", SIGCHLD },     { "POLL", SIGIO },
    { "15", SIGTERM },    { "064", 64 },          { "65", -1 },           { "-1", -1 },
    { "", -1 },           { "SIG", -1 },          { "KIL", -1 },          { "SIGSIGKILL", -1 },
    { "9 ", -1 },         { "0x9", -1 },          { "99999999", -1 },     { "RTMIN+", -1 },
    { "RTMIN-1", -1 },    { "RTMAX+1", -1 },      { "RTMIN+99", -1 },     { "RTMINx", -1 },
    { "4294967305", -1 },
  };
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
    if (spec_signal (signals[i].text) != signals[i].number)
      fail_msg ("%s: %d, not %d", signals[i].text, spec_signal (signals[i].text), signals[i].number);
  assert_int_equal (spec_signal ("RTMIN"), SIGRTMIN);
  assert_int_equal (spec_signal ("SIGRTMIN+3"), SIGRTMIN + 3);
  assert_int_equal (spec_signal ("rtmax-2"), SIGRTMAX - 2);
  for (size_t i = 0; i < spec_signal_names.count; i++)
    assert_int_equal (spec_signal (spec_signal_names.rows[i].name), spec_signal_names.rows[i].value);
}

/* Every signal that libc can name has a word.  */
static void
test_signals_are_all_there (void **state)
{
  (void) state;
  for (int number = 1; number < 32; number++)
    {
      const char *word = names_of (&spec_signal_names, number);
      assert_non_null (word);
#if defined __GLIBC__ && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 32)
      assert_int_equal (spec_signal (sigabbrev_np (number)), number);
#endif
    }
}

static void
test_mount_options_are_sorted (void **state)
{
  (void) state;
  for (size_t i = 1; i < spec_mount_option_count; i++)
    assert_true (strcmp (spec_mount_options[i - 1].name, spec_mount_options[i].name) < 0);
  for (size_t i = 0; i < spec_mount_option_count; i++)
    assert_ptr_equal (spec_mount_option_find (spec_mount_options[i].name), &spec_mount_options[i]);
  assert_null (spec_mount_option_find ("size=65536k"));
  assert_null (spec_mount_option_find (""));
  assert_null (spec_mount_option_find ("RO"));
}

/* The options that config.md lists; those with an opposite undo exactly what it does.  */
static void
test_mount_options_are_all_there (void **state)
{
  (void) state;
  static const char *const alone[]
      = { "bind",     "defaults", "dirsync", "idmap",       "private", "rbind", "remount",   "ridmap",
          "rprivate", "rshared",  "rslave",  "runbindable", "shared",  "slave", "tmpcopyup", "unbindable" };
  static const char *const pairs[][2] = {
    { "sync", "async" },
    { "noatime", "atime" },
    { "nodev", "dev" },
    { "nodiratime", "diratime" },
    { "noexec", "exec" },
    { "iversion", "noiversion" },
    { "lazytime", "nolazytime" },
    { "silent", "loud" },
    { "mand", "nomand" },
    { "relatime", "norelatime" },
    { "nosuid", "suid" },
    { "strictatime", "nostrictatime" },
    { "nosymfollow", "symfollow" },
    { "ro", "rw" },
    { "rnoatime", "ratime" },
    { "rnodev", "rdev" },
    { "rnodiratime", "rdiratime" },
    { "rnoexec", "rexec" },
    { "rrelatime", "rnorelatime" },
    { "rstrictatime", "rnostrictatime" },
    { "rnosuid", "rsuid" },
    { "rnosymfollow", "rsymfollow" },
    { "rro", "rrw" },
  };
  for (size_t i = 0; i < sizeof alone / sizeof *alone; i++)
    assert_non_null (spec_mount_option_find (alone[i]));
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
    {
      const struct spec_mount_option *sets = spec_mount_option_find (pairs[i][0]);
      const struct spec_mount_option *clears = spec_mount_option_find (pairs[i][1]);
      assert_non_null (sets);
      assert_non_null (clears);
      assert_int_equal (sets->kind, clears->kind);
      assert_int_equal (sets->value, clears->value);
      assert_false (sets->inverted);
      assert_true (clears->inverted);
      assert_int_equal (sets->kind, pairs[i][0][0] == 'r' && strcmp (pairs[i][0], "relatime") != 0
                                            && strcmp (pairs[i][0], "ro") != 0
                                        ? SPEC_MOUNT_RECURSIVE
                                        : SPEC_MOUNT_FLAG);
    }
  assert_int_equal (spec_mount_option_find ("rbind")->value, MS_BIND | MS_REC);
  assert_int_equal (spec_mount_option_find ("rslave")->value, MS_SLAVE | MS_REC);
  assert_int_equal (spec_mount_option_find ("defaults")->value, 0);
}

static void
test_values (void **state)
{
  (void) state;
  assert_string_equal (names_of (&spec_namespace_names, CLONE_NEWTIME), "time");
  assert_string_equal (names_of (&spec_device_type_names, S_IFCHR), "c");
  assert_string_equal (names_of (&spec_propagation_names, MS_SLAVE), "slave");
  assert_string_equal (names_of (&spec_scheduler_names, 6), "SCHED_DEADLINE");
  assert_string_equal (names_of (&spec_mempolicy_names, 6), "MPOL_WEIGHTED_INTERLEAVE");
  assert_string_equal (names_of (&spec_seccomp_arch_names, 0x4000003e), "SCMP_ARCH_X32");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_round_trip),
    cmocka_unit_test (test_nearest),
    cmocka_unit_test (test_capabilities),
    cmocka_unit_test (test_seccomp),
    cmocka_unit_test (test_signals),
    cmocka_unit_test (test_signals_are_all_there),
    cmocka_unit_test (test_mount_options_are_sorted),
    cmocka_unit_test (test_mount_options_are_all_there),
    cmocka_unit_test (test_values),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
