/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The operations described: their names and their arguments', for printing.  */
#pragma once

#include <stddef.h>

#include "base/names.h"
#include "plan/wire.h"

enum plan_field_kind
{
  PLAN_FIELD_TEXT,    /* plan_ref of a string */
  PLAN_FIELD_STRINGS, /* struct plan_strings */
  PLAN_FIELD_U32,     /* uint32_t */
  PLAN_FIELD_INDEX,   /* uint32_t, 0 is none */
  PLAN_FIELD_OCTAL,   /* uint32_t, a mode */
  PLAN_FIELD_I32,     /* int32_t */
  PLAN_FIELD_NUMBER,  /* int64_t */
  PLAN_FIELD_U64,     /* uint64_t */
  PLAN_FIELD_BOOL,    /* uint32_t */
  PLAN_FIELD_FLAGS,   /* uint64_t, bits named by NAMES */
  PLAN_FIELD_WORD,    /* uint32_t, a value named by NAMES */
  PLAN_FIELD_CAPS,    /* uint64_t, capabilities */
  PLAN_FIELD_IDS,     /* plan_ref of uint32_t[], its length right behind it */
  PLAN_FIELD_ID_MAP,  /* uint32_t, index of the descriptor of a mount that may be id-mapped */
};

struct plan_field
{
  const char *name;
  enum plan_field_kind kind;
  size_t offset; /* in struct plan_op */
  const struct names *names;
};

struct plan_op_info
{
  const char *name;   /* as it is printed */
  const char *phrase; /* as a message says it, with {field} for arguments: "mount {type} on {target}" */
  const struct plan_field *fields;
  size_t count;
};

extern const struct plan_op_info plan_ops[PLAN_CODE_COUNT];
