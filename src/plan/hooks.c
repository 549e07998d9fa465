/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hooks that init runs in the container's namespaces (config.md#posix-platform-hooks).  */
#include "base/arena.h"
#include "base/json.h"
#include "base/strbuf.h"
#include "plan/builder.h"

/* The state that a hook in the container's namespaces gets; init puts the pid, as it is seen there, where VALUE is
 * empty.  */
static const char *
hook_state (struct plan_builder *b, const char *status)
{
  const struct spec *spec = b->spec;
  struct strbuf out = STRBUF_INIT (b->arena);
  struct json_writer w = { .out = &out };

  json_object_begin (&w, NULL);
  json_raw (&w, "pid", "");
  json_string (&w, "ociVersion", spec->oci_version);
  json_string (&w, "id", b->facts->id);
  json_string (&w, "status", status);
  json_string (&w, "bundle", b->facts->bundle);
  if (spec->annotations.count)
    {
      json_object_begin (&w, "annotations");
      for (size_t i = 0; i < spec->annotations.count; i++)
        json_string (&w, spec->annotations.items[i].key, spec->annotations.items[i].value);
      json_object_end (&w);
    }
  json_object_end (&w);
  return strbuf_text (&out);
}

int
plan_hooks (struct plan_builder *b, const struct spec_hook_list *hooks, const char *kind, const char *status)
{
  static const char head[] = "{\"pid\":";
  plan_ref state_head, state_tail;

  if (!hooks->count)
    return 0;
  state_head = plan_string (b, head);
  state_tail = plan_string (b, hook_state (b, status) + sizeof head - 1);

  for (size_t i = 0; i < hooks->count; i++)
    {
      const struct spec_hook *hook = &hooks->items[i];
      struct plan_hook h = {
        .path = plan_string (b, hook->path),
        .name = plan_string (b, arena_printf (b->arena, "%s[%zu]", kind, i)),
        .args = plan_vector (b, hook->args.items, hook->args.count),
        .env = plan_vector (b, hook->env.items, hook->env.count),
        .state_head = state_head,
        .state_tail = state_tail,
        .timeout = (int32_t) hook->timeout.value,
      };

      plan_add (b, PLAN_HOOK, hook)->hook = h;
    }
  return 0;
}
