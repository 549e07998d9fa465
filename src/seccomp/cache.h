/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Compiled filters, kept in a directory.
 *
 * An entry is a file "seccomp-HASH": a header, the program, the key and the identity of the library.  The hash only
 * names it; the key, which is all that the program was made from, is compared byte by byte.  The library is compared by
 * its file, so that it need not be loaded.  */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct arena;
struct sock_filter;

enum
{
  CACHE_ENTRIES_MAX = 64,
  CACHE_ENTRY_SIZE_MAX = 256 * 1024, /* larger ones are not kept */
};

/* Bytes that are compared, not text.  */
struct cache_blob
{
  const void *bytes;
  size_t size;
};

/* Looks KEY up below the directory DIRFD.  The program is in ARENA.  0; -ENOENT if there is no entry, if it is another
 * library's, or if it is in any way not as we left it.  */
int seccomp_cache_find (struct arena *arena, int dirfd, struct cache_blob key, struct sock_filter **ret_program,
                        uint32_t *ret_length);

/* Puts PROGRAM under KEY, in place of any other; LIBRARY is the path of the library's file.  The oldest entry goes if
 * there are too many.  0 or -errno, which is no reason to fail.  */
int seccomp_cache_store (struct arena *arena, int dirfd, struct cache_blob key, const char *library,
                         const struct sock_filter *program, uint32_t length);
