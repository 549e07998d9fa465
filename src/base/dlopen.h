/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Libraries that are loaded on first use: a container that does not need one does not pay for its loading.
 *
 *     struct libfoo
 *     {
 *       DLOPEN_MEMBER (foo_open);
 *       DLOPEN_MEMBER (foo_close);
 *     };
 *     static const struct dlopen_symbol symbols[]
 *         = { DLOPEN_SYMBOL (struct libfoo, foo_open), DLOPEN_SYMBOL (struct libfoo, foo_close) };
 *     DLOPEN_NOTE (libfoo, "libfoo.so.1", "foo", "Foos the container", "suggested");
 *     ...
 *     struct libfoo lib;
 *     r = dlopen_symbols ("libfoo.so.1", symbols, sizeof symbols / sizeof *symbols, &lib, err);
 *
 * Members have the types of the library's header, so calls are checked as if it were linked.  Loading searches where
 * ld.so(8) does, so it must happen in the runtime, on the host's files: never in a container's root.  */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;

struct dlopen_symbol
{
  const char *name;
  size_t offset; /* of the member of the table */
  bool optional; /* a library that lacks it is fine; the member becomes NULL */
};

#define DLOPEN_MEMBER(symbol) __typeof__ (symbol) *symbol
#define DLOPEN_SYMBOL(table, symbol)                                                                                   \
  {                                                                                                                    \
    .name = #symbol, .offset = offsetof (table, symbol)                                                                \
  }
#define DLOPEN_OPTIONAL(table, symbol)                                                                                 \
  {                                                                                                                    \
    .name = #symbol, .offset = offsetof (table, symbol), .optional = true                                              \
  }

/* Loads SONAME, for good, and fills the members of TABLE.  Loading it again is cheap and gives the same.  0, or
 * -EOPNOTSUPP with what dlopen(3) says; TABLE is then undefined.  */
int dlopen_symbols (const char *soname, const struct dlopen_symbol *symbols, size_t count, void *table,
                    struct error *err);

/* Tells packagers, in the program file, what it may load (https://systemd.io/ELF_DLOPEN_METADATA/): one note for each
 * library.  VARIABLE is a name for it in the C file; PRIORITY is "required", "recommended" or "suggested".  */
#define DLOPEN_NOTE(variable, soname, feature, description, priority)                                                  \
  DLOPEN_NOTE_JSON (variable, "[{\"soname\":[\"" soname "\"],\"feature\":\"" feature                                   \
                              "\",\"description\":\"" description "\",\"priority\":\"" priority "\"}]")

#define DLOPEN_NOTE_JSON(variable, json)                                                                               \
  static const struct                                                                                                  \
  {                                                                                                                    \
    uint32_t name_size, json_size, type;                                                                               \
    char name[4];                                                                                                      \
    _Alignas(4) char text[sizeof (json)];                                                                              \
  } dlopen_note_##variable __attribute__ ((used, section (".note.dlopen"), aligned (4)))                               \
  = { sizeof "FDO", sizeof (json), 0x407c0c0a, "FDO", json }
