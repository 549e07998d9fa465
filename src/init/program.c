/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The program: finding it, knowing in advance whether it can run, and running it.
 *
 * execve(2) answers ENOENT to a missing program, a missing interpreter of a script and a missing dynamic loader alike.
 * So both are looked for when the container is created, by the user who is to run it, and each gets its own message. */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/stat.h>

#include "init/init.h"
#include "init/sys.h"

#ifndef SYS_faccessat2
#define SYS_faccessat2 439
#endif

/* Whether the program's user may execute the regular file PATH: 0 or an errno.  */
static int
executable (const char *path)
{
  struct stat st;

  if (stat (path, &st) < 0)
    return errno;
  if (S_ISDIR (st.st_mode))
    return EISDIR;
  if (!S_ISREG (st.st_mode))
    return EACCES;
  if (syscall (SYS_faccessat2, AT_FDCWD, path, X_OK, AT_EACCESS) < 0
      && (errno != ENOSYS || faccessat (AT_FDCWD, path, X_OK, 0) < 0))
    return errno;
  return 0;
}

/* The interpreter that the script in HEAD names, or NULL.  What stands there counts to the letter, a carriage return,
 * too.  */
static const char *
script_interpreter (char *head)
{
  char *name = head + 2 + strspn (head + 2, " \t");

  name[strcspn (name, " \t\n")] = '\0';
  return *name ? name : NULL;
}

/* The loader that the ELF file FD with header HEAD asks for, in TO, or NULL.  Only files of our own word size have a
 * say.  */
static const char *
elf_interpreter (int fd, const char *head, size_t length, char *to, size_t size)
{
  ElfW (Ehdr) ehdr;
  ElfW (Phdr) phdr;

  if (length < sizeof ehdr)
    return NULL;
  memcpy (&ehdr, head, sizeof ehdr);
  if (ehdr.e_ident[EI_CLASS] != (sizeof (void *) == 8 ? ELFCLASS64 : ELFCLASS32) || ehdr.e_phentsize != sizeof phdr)
    return NULL;
  for (unsigned i = 0; i < ehdr.e_phnum && i < 64; i++)
    {
      ssize_t n;

      if (pread (fd, &phdr, sizeof phdr, (off_t) (ehdr.e_phoff + i * sizeof phdr)) != (ssize_t) sizeof phdr)
        return NULL;
      if (phdr.p_type != PT_INTERP || phdr.p_filesz >= size)
        continue;
      n = pread (fd, to, phdr.p_filesz, (off_t) phdr.p_offset);
      if (n <= 0)
        return NULL;
      to[n] = '\0';
      return to;
    }
  return NULL;
}

/* The interpreter that PATH needs, in TO, or NULL.  A file that may be run but not read keeps its secret; a relative
 * interpreter, such as /proc/self/exe's ones, is the kernel's to judge.  */
static const char *
interpreter_of (const char *path, char *to, size_t size)
{
  char head[256];
  const char *name = NULL;
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  ssize_t n;

  if (fd < 0)
    return NULL;
  n = read (fd, head, sizeof head - 1);
  head[n > 0 ? n : 0] = '\0';
  if (n > 2 && memcmp (head, "#!", 2) == 0)
    name = script_interpreter (head);
  else if (n > 4 && memcmp (head, ELFMAG, SELFMAG) == 0)
    name = elf_interpreter (fd, head, (size_t) n, to, size);
  close (fd);
  if (!name || name[0] != '/')
    return NULL;
  if (name != to)
    copy_text (to, size, name);
  return to;
}

/* Reports an interpreter of PATH, or one of that, which cannot be run.  The kernel goes five levels deep.  */
static int
check_interpreter (struct init *init)
{
  const char *path = init->program;

  char names[2][256];

  for (int level = 0; level < 5; level++)
    {
      const char *interpreter = interpreter_of (path, names[level % 2], sizeof names[0]);
      int error = interpreter ? executable (interpreter) : 0;

      if (error)
        {
          copy_text (init->report->reason, sizeof init->report->reason, init->program);
          return fail (init, PLAN_FAILURE_INTERPRETER, error, "execve", interpreter);
        }
      if (!interpreter)
        return 0;
      path = interpreter;
    }
  return 0;
}

/* The value of NAME in the environment; the last one counts, as everywhere else.  */
static const char *
environment (char **env, const char *name)
{
  size_t length = strlen (name);
  const char *value = NULL;

  for (; *env; env++)
    if (strncmp (*env, name, length) == 0 && (*env)[length] == '=')
      value = *env + length + 1;
  return value;
}

/* Searches PATH as execvp(3) does: the first that can be executed; else, what stood in the way of the first that was
 * found.  */
static int
search (struct init *init, const char *file, const char *path)
{
  int error = ENOENT;

  while (path)
    {
      size_t length = strcspn (path, ":");

      if (length + strlen (file) + 2 <= sizeof init->program)
        {
          int result;

          memcpy (init->program, path, length);
          /* An empty element is the working directory.  */
          init->program[length] = '/';
          copy_text (init->program + (length ? length + 1 : 0), sizeof init->program - length - 1, file);
          result = executable (init->program);
          if (result == 0)
            return 0;
          if (error == ENOENT && result != ENOTDIR)
            error = result;
        }
      path = path[length] ? path + length + 1 : NULL;
    }
  return error;
}

/* Puts our pid, which will be the program's, behind NAME.  */
static char *
with_own_pid (const char *name)
{
  static char text[64];

  format_number (copy_text (text, sizeof text - 20, name), getpid ());
  return text;
}

int
op_find_program (struct init *init, const struct plan_op *op)
{
  char **args = plan_vector (init, &init->exec->args), **env = plan_vector (init, &init->exec->env);
  const char *path;
  int error;

  (void) op;
  if (init->home)
    env[init->exec->env.count] = (char *) init->home; /* the spare slot; zeros follow */
  if (init->exec->listen_pid)
    env[init->exec->listen_pid - 1] = with_own_pid (env[init->exec->listen_pid - 1]);
  if (strchr (args[0], '/'))
    {
      copy_text (init->program, sizeof init->program, args[0]);
      error = strlen (args[0]) >= sizeof init->program ? ENAMETOOLONG : executable (init->program);
    }
  else
    {
      path = environment (env, "PATH");
      error = *args[0] ? search (init, args[0], path ? path : "/bin:/usr/bin") : ENOENT;
    }
  if (error == ENOENT || error == ENOTDIR)
    return fail (init, PLAN_FAILURE_NOT_FOUND, error, "execve", args[0]);
  if (error)
    return fail (init, PLAN_FAILURE_NOT_EXECUTABLE, error, "execve", args[0]);
  return check_interpreter (init);
}

int
op_exec (struct init *init, const struct plan_op *op)
{
  /* find-program has made pointers of the offsets.  */
  char **args = (char **) (void *) (init->plan + op->exec.args.first);
  char **env = (char **) (void *) (init->plan + op->exec.env.first);

  execve (init->program, args, env);
  return fail (init, errno == EACCES ? PLAN_FAILURE_NOT_EXECUTABLE : PLAN_FAILURE_SYSTEM, errno, "execve",
               init->program);
}
