/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The decoded config as others see it: getting one and asking it.  */
#include "base/arena.h"
#include "spec/source.h"
#include "spec/validate.h"

static struct spec_source *
source_new (struct arena *arena, const char *name, const char *text, size_t size, const struct schema_table *table,
            void *root)
{
  struct spec_source *source = arena_new (arena, struct spec_source);
  *source = (struct spec_source){ .name = name, .text = text, .size = size, .table = table, .root = root };
  return source;
}

int
spec_decode (struct arena *arena, const char *name, const char *text, size_t size, const struct spec **ret_spec,
             struct error *err)
{
  struct spec *spec = arena_new (arena, struct spec);
  spec->source = source_new (arena, name, text, size, &schema_config, spec);
  int result = spec_source_decode (arena, spec->source, err);
  if (result == 0)
    result = spec_validate (arena, spec, err);
  if (result == 0)
    *ret_spec = spec;
  return result;
}

static int
decode_process (struct arena *arena, struct spec_source *source, struct error *err)
{
  int result = spec_source_decode (arena, source, err);
  return result == 0 ? spec_validate_process (arena, source, source->root, err) : result;
}

int
spec_decode_process (struct arena *arena, const char *name, const char *text, size_t size,
                     const struct spec_process **ret_process, struct error *err)
{
  struct spec_process *process = arena_new (arena, struct spec_process);
  int result = decode_process (arena, source_new (arena, name, text, size, &schema_process, process), err);
  if (result == 0)
    *ret_process = process;
  return result;
}

int
spec_exec (struct arena *arena, const struct spec *spec, const char *name, const char *text, size_t size,
           const struct spec **ret_spec, struct spec_process **ret_process, struct error *err)
{
  static const struct spec_process nothing = { .cwd = "/" };
  struct spec *copy = arena_new (arena, struct spec);
  struct spec_process *process = arena_new (arena, struct spec_process);
  *copy = *spec;
  copy->process = process;
  if (text != NULL)
    {
      copy->source = source_new (arena, name, text, size, &schema_process, process);
      int result = decode_process (arena, copy->source, err);
      if (result < 0)
        return result;
      copy->source->other = spec->source;
    }
  spec_process_inherit (process, spec->process != NULL ? spec->process : &nothing, text == NULL);
  *ret_spec = copy;
  *ret_process = process;
  return 0;
}

int
spec_decode_resources (struct arena *arena, const char *name, const char *text, size_t size,
                       const struct spec **ret_spec, struct error *err)
{
  struct spec *spec = arena_new (arena, struct spec);
  spec->linux_ = arena_new (arena, struct spec_linux);
  spec->linux_->resources = arena_new (arena, struct spec_resources);
  spec->source = source_new (arena, name, text, size, &schema_resources, spec->linux_->resources);
  int result = spec_source_decode (arena, spec->source, err);
  const struct check check = { .arena = arena, .source = spec->source, .err = err };
  if (result == 0)
    result = spec_check_resources (&check, spec);
  if (result == 0)
    *ret_spec = spec;
  return result;
}

const struct spec_namespace *
spec_namespace_find (const struct spec *spec, int type)
{
  if (spec->linux_ == NULL)
    return NULL;
  for (size_t i = 0; i < spec->linux_->namespaces.count; i++)
    if (spec->linux_->namespaces.items[i].type.value == type)
      return &spec->linux_->namespaces.items[i];
  return NULL;
}

bool
spec_creates (const struct spec *spec, int type)
{
  const struct spec_namespace *ns = spec_namespace_find (spec, type);

  return ns && !(ns->path && *ns->path);
}
