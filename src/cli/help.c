/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the tool says about itself.  */
#include "cli/help.h"

#include "base/arena.h"
#include "base/strbuf.h"
#include "cli/command.h"
#include "cli/output.h"
#include "commit.h"
#include "config.h"
#include "spec/spec.h"

#ifdef HAVE_SECCOMP
#define WITH_SECCOMP "+SECCOMP"
#else
#define WITH_SECCOMP "-SECCOMP"
#endif
#ifdef HAVE_SELINUX
#define WITH_SELINUX "+SELINUX"
#else
#define WITH_SELINUX "-SELINUX"
#endif
#ifdef HAVE_SYSTEMD
#define WITH_SYSTEMD "+SYSTEMD"
#else
#define WITH_SYSTEMD "-SYSTEMD"
#endif

int
version_print (void)
{
  return output_result ("--version", "thole version " PACKAGE_VERSION "\n"
                                     "commit: " THOLE_COMMIT "\n"
                                     "spec: " SPEC_VERSION "\n" WITH_SYSTEMD " " WITH_SECCOMP " " WITH_SELINUX
                                     " +APPARMOR +CAP +EBPF\n");
}

static void
add_tool (struct strbuf *out, const struct options *globals)
{
  strbuf_add (out, "Usage: thole [OPTION]... COMMAND [ARGUMENT]...\n"
                   "Run OCI containers.\n"
                   "\n"
                   "Commands:\n");
  for (const struct command *const *command = commands; *command != NULL; command++)
    strbuf_printf (out, "  %-12s%s\n", (*command)->name, (*command)->summary);
  options_help (globals, out);
  strbuf_add (out, "\n`thole COMMAND --help` says more about a command.\n");
}

static void
add_command (struct strbuf *out, const struct command *command)
{
  strbuf_printf (out, "Usage: thole %s [OPTION]...%s%s\n", command->name, command->operands != NULL ? " " : "",
                 command->operands != NULL ? command->operands : "");
  strbuf_printf (out, "thole %s: %s.\n", command->name, command->summary);
  if (command->details != NULL)
    strbuf_add (out, command->details);
  options_help (&command->options, out);
}

int
help_print (const struct command *command, const struct options *globals)
{
  ARENA_CLEANUP struct arena arena = { 0 };
  struct strbuf out = STRBUF_INIT (&arena);
  if (command != NULL)
    add_command (&out, command);
  else
    add_tool (&out, globals);
  return output_result ("--help", strbuf_text (&out));
}
