/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A plan for people and for programs, from the table of ops.c.  */
#include <inttypes.h>
#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "base/strbuf.h"
#include "plan/ops.h"
#include "plan/plan.h"
#include "spec/names.h"
#include "spec/spec.h"

static const char *
text_at (const struct plan *plan, plan_ref ref)
{
  return ref ? (const char *) plan->header + ref : NULL;
}

static const struct plan_op *
op_at (const struct plan *plan, size_t index)
{
  const void *ops = text_at (plan, plan->header->ops);
  return (const struct plan_op *) ops + index;
}

const char *
plan_op_name (uint32_t code)
{
  return code < PLAN_CODE_COUNT ? plan_ops[code].name : "?";
}

const struct plan_op *
plan_find (const struct plan *plan, uint32_t code, size_t nth)
{
  for (size_t i = 0; i < plan->header->count; i++)
    if (op_at (plan, i)->code == code && nth-- == 0)
      return op_at (plan, i);
  return NULL;
}

const char *
plan_origin_text (struct arena *arena, const struct spec *spec, struct plan_origin origin)
{
  if (!origin.value || !*spec_path_of (arena, spec, origin.value, origin.size)) /* exec has values of its own */
    return "";
  return arena_printf (arena, "%s: ", spec_where_of (arena, spec, origin.value, origin.size));
}

/* The names of the bits in VALUE, comma-separated.  */
static const char *
flags_text (struct arena *arena, const struct names *names, uint64_t value)
{
  struct strbuf out = STRBUF_INIT (arena);

  for (size_t i = 0; i < names->count; i++)
    {
      uint64_t bits = (uint64_t) names->rows[i].value;

      if (!bits || (value & bits) != bits)
        continue;
      strbuf_printf (&out, "%s%s", out.length ? "," : "", names->rows[i].name);
      value &= ~bits;
    }
  if (value)
    strbuf_printf (&out, "%s%#" PRIx64, out.length ? "," : "", value);
  return strbuf_text (&out);
}

static const char *
capabilities_text (struct arena *arena, uint64_t set)
{
  struct strbuf out = STRBUF_INIT (arena);

  for (size_t i = 0; i < spec_capability_names.count; i++)
    if (set & (1ull << spec_capability_names.rows[i].value))
      strbuf_printf (&out, "%s%s", out.length ? "," : "", spec_capability_names.rows[i].name);
  return strbuf_text (&out);
}

static const char *
vector_text (struct arena *arena, const struct plan *plan, const struct plan_strings *strings)
{
  struct strbuf out = STRBUF_INIT (arena);
  const uintptr_t *slots = (const void *) text_at (plan, strings->first);

  strbuf_add_char (&out, '[');
  for (uint32_t i = 0; i < strings->count; i++)
    {
      if (i)
        strbuf_add (&out, ", ");
      json_quote (&out, text_at (plan, (plan_ref) slots[i]));
    }
  strbuf_add_char (&out, ']');
  return strbuf_text (&out);
}

static const char *
ids_text (struct arena *arena, const struct plan *plan, const plan_ref *ref)
{
  struct strbuf out = STRBUF_INIT (arena);
  const uint32_t *ids = (const void *) text_at (plan, ref[0]);

  for (uint32_t i = 0; i < ref[1]; i++)
    strbuf_printf (&out, "%s%" PRIu32, i ? "," : "", ids[i]);
  return strbuf_text (&out);
}

/* A field's value as a JSON value in text, "" for what is not set and need not be said.  */
static const char *
field_json (struct arena *arena, const struct plan *plan, const struct plan_op *op, const struct plan_field *field)
{
  const void *at = (const char *) op + field->offset;
  struct strbuf out = STRBUF_INIT (arena);
  const char *text = NULL;
  uint32_t u32;
  uint64_t u64;

  memcpy (&u32, at, sizeof u32);
  switch (field->kind)
    {
    case PLAN_FIELD_TEXT:
      text = text_at (plan, u32);
      break;
    case PLAN_FIELD_STRINGS:
      return vector_text (arena, plan, at);
    case PLAN_FIELD_IDS:
      text = ids_text (arena, plan, at);
      break;
    case PLAN_FIELD_U32:
      return arena_printf (arena, "%" PRIu32, u32);
    case PLAN_FIELD_INDEX:
      return u32 ? arena_printf (arena, "%" PRIu32, u32) : "";
    case PLAN_FIELD_OCTAL:
      text = arena_printf (arena, "%06" PRIo32, u32);
      break;
    case PLAN_FIELD_I32:
      return arena_printf (arena, "%" PRId32, (int32_t) u32);
    case PLAN_FIELD_BOOL:
      return u32 ? "true" : "";
    case PLAN_FIELD_ID_MAP:
      text = u32 ? plan_ids_text (arena, plan, &plan->opens[u32 - PLAN_FD_OPENED]) : NULL;
      break;
    case PLAN_FIELD_WORD:
      text = names_of (field->names, u32);
      break;
    default:
      memcpy (&u64, at, sizeof u64);
      if (field->kind == PLAN_FIELD_NUMBER)
        return arena_printf (arena, "%" PRId64, (int64_t) u64);
      if (field->kind == PLAN_FIELD_U64)
        return arena_printf (arena, "%" PRIu64, u64);
      text = field->kind == PLAN_FIELD_CAPS ? capabilities_text (arena, u64) : flags_text (arena, field->names, u64);
    }
  if (!text || (!*text && field->kind != PLAN_FIELD_TEXT && field->kind != PLAN_FIELD_CAPS))
    return "";
  json_quote (&out, text);
  return strbuf_text (&out);
}

/* Quotes are for words with something in them that needs them.  */
static const char *
unquoted (struct arena *arena, const char *json)
{
  size_t length = strlen (json);

  if (json[0] != '"' || length < 3 || strpbrk (json, " \\="))
    return json;
  return arena_strndup (arena, json + 1, length - 2);
}

const char *
plan_op_text (struct arena *arena, const struct plan *plan, size_t index)
{
  const struct plan_op *op = op_at (plan, index);
  const struct plan_op_info *info = &plan_ops[op->code];
  struct strbuf out = STRBUF_INIT (arena);

  strbuf_add (&out, info->name);
  for (size_t i = 0; i < info->count; i++)
    {
      const char *json = field_json (arena, plan, op, &info->fields[i]);
      if (*json)
        strbuf_printf (&out, " %s=%s", info->fields[i].name, unquoted (arena, json));
    }
  return strbuf_text (&out);
}

/* The value of the field whose name is the LENGTH bytes at NAME.  */
static const char *
field_text (struct arena *arena, const struct plan *plan, const struct plan_op *op, const char *name, size_t length)
{
  const struct plan_op_info *info = &plan_ops[op->code];

  for (size_t i = 0; i < info->count; i++)
    if (strlen (info->fields[i].name) == length && strncmp (info->fields[i].name, name, length) == 0)
      return unquoted (arena, field_json (arena, plan, op, &info->fields[i]));
  return "";
}

const char *
plan_op_phrase (struct arena *arena, const struct plan *plan, const struct plan_op *op)
{
  struct strbuf out = STRBUF_INIT (arena);
  const char *p = plan_ops[op->code].phrase;

  while (*p)
    {
      size_t plain = strcspn (p, "{"), field = strcspn (p + plain, "}");
      bool is_field = p[plain] != '\0';
      const char *text = is_field ? field_text (arena, plan, op, p + plain + 1, field - 1) : "";

      /* What is empty takes the space before it along.  */
      strbuf_add_bytes (&out, p, is_field && *text == '\0' && plain > 0 ? plain - 1 : plain);
      strbuf_add (&out, text);
      p += plain + (is_field ? field + 1 : 0);
    }
  return strbuf_text (&out);
}

static void
print_json (struct json_writer *w, struct arena *arena, const struct plan *plan, const struct spec *spec, size_t index)
{
  const struct plan_op *op = op_at (plan, index);
  const struct plan_op_info *info = &plan_ops[op->code];

  json_object_begin (w, NULL);
  json_string (w, "op", info->name);
  if (plan->origins[index].value)
    {
      json_string (w, "config", spec_path_of (arena, spec, plan->origins[index].value, plan->origins[index].size));
      json_unsigned (w, "line", spec_line (spec, plan->origins[index].value));
    }
  for (size_t i = 0; i < info->count; i++)
    {
      const char *json = field_json (arena, plan, op, &info->fields[i]);
      if (*json)
        json_raw (w, info->fields[i].name, json);
    }
  json_object_end (w);
}

void
plan_print (struct strbuf *out, struct arena *arena, const struct plan *plan, const struct spec *spec, bool json)
{
  struct json_writer w = { .out = out, .indent = 2 };
  const char *born = flags_text (arena, &spec_namespace_names, plan->clone_flags);

  if (!json)
    {
      strbuf_printf (out, "clone namespaces=%s\n", *born ? born : "none");
      for (size_t i = 0; i < plan->header->count; i++)
        {
          const struct plan_origin *o = &plan->origins[i];
          const char *path = o->value ? spec_path_of (arena, spec, o->value, o->size) : "";
          strbuf_printf (out, "%s%s%s\n", plan_op_text (arena, plan, i), *path ? "    # " : "", path);
        }
      return;
    }
  json_array_begin (&w, NULL);
  json_object_begin (&w, NULL);
  json_string (&w, "op", "clone");
  json_string (&w, "namespaces", born);
  json_object_end (&w);
  for (size_t i = 0; i < plan->header->count; i++)
    print_json (&w, arena, plan, spec, i);
  json_array_end (&w);
  strbuf_add_char (out, '\n');
}
