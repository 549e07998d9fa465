/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the tests of src/plan share: configs from text, plans from configs, and made-up facts about the host.  Include
 * after cmocka.h.  */
#pragma once

#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/strbuf.h"
#include "cgroup_hosts.h"
#include "plan/ops.h"
#include "plan/plan.h"
#include "spec/spec.h"

#define ALL_CAPABILITIES ((UINT64_C (1) << 41) - 1)

/* The facts of a container `web1` in the bundle /bundle that root makes on HOST.  */
static inline struct plan_facts
facts_of (const struct cgroup_host *host)
{
  return (struct plan_facts){
    .id = "web1",
    .bundle = "/bundle",
    .cgroup = host,
    .cgroup_path = "/thole-web1",
    .capabilities = ALL_CAPABILITIES,
    .join_cgroup = host->layout == CGROUP_V1 || host->layout == CGROUP_HYBRID,
  };
}

/* Decodes TEXT, in which ' stands for ".  */
static inline const struct spec *
config_spec (struct arena *arena, const char *text)
{
  char *config = arena_strdup (arena, text);
  for (char *c = config; *c != '\0'; c++)
    if (*c == '\'')
      *c = '"';
  const struct spec *spec = NULL;
  struct error err = { 0 };
  if (spec_decode (arena, "config.json", config, strlen (config), &spec, &err) < 0)
    fail_msg ("%s", err.message);
  return spec;
}

/* The plan of SPEC, which must succeed.  */
static inline struct plan *
plan_of (struct arena *arena, const struct spec *spec, const struct plan_facts *facts)
{
  struct error err = { 0 };
  struct plan *plan = NULL;
  if (plan_build (arena, spec, facts, &plan, &err) < 0)
    fail_msg ("%s", err.message);
  assert_int_equal (err.code, 0);
  return plan;
}

static inline const char *
printed (struct arena *arena, const struct plan *plan, const struct spec *spec, bool json)
{
  struct strbuf out = STRBUF_INIT (arena);
  plan_print (&out, arena, plan, spec, json);
  return strbuf_text (&out);
}

static inline const struct plan_op *
op_at (const struct plan *plan, size_t index)
{
  assert_true (index < plan->header->count);
  return (const struct plan_op *) (const void *) ((const char *) plan->header + plan->header->ops) + index;
}

/* The index of the NTH operation of CODE.  */
static inline size_t
index_of (const struct plan *plan, uint32_t code, size_t nth)
{
  const struct plan_op *op = plan_find (plan, code, nth);
  assert_non_null (op);
  return (size_t) (op - op_at (plan, 0));
}

static inline const char *
text_at (const struct plan *plan, plan_ref ref)
{
  return ref == 0 ? NULL : (const char *) plan->header + ref;
}

static inline const char *
string_at (const struct plan *plan, const struct plan_strings *strings, size_t index)
{
  const uintptr_t *slots = (const void *) text_at (plan, strings->first);
  return text_at (plan, (plan_ref) slots[index]);
}
