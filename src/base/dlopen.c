/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Loading a library and its symbols.  */
#include "base/dlopen.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

#include "base/error.h"

int
dlopen_symbols (const char *soname, const struct dlopen_symbol *symbols, size_t count, void *table, struct error *err)
{
  /* It stays loaded: nothing is won by unloading, and the table stays good.  */
  void *library = dlopen (soname, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (library == NULL)
    return error_set (err, EOPNOTSUPP, "load %s: %s", soname, dlerror ());

  for (size_t i = 0; i < count; i++)
    {
      void *address = dlsym (library, symbols[i].name);
      if (address == NULL && !symbols[i].optional)
        {
          dlclose (library);
          return error_set (err, EOPNOTSUPP, "load %s: it has no %s", soname, symbols[i].name);
        }
      /* ISO C has no conversion between the two kinds of pointer; POSIX says that they look the same.  */
      memcpy ((char *) table + symbols[i].offset, &address, sizeof address);
    }
  return 0;
}
