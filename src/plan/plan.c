/* SPDX-License-Identifier: Apache-2.0 */
/* Plans: ordered, named snapshots of tensors. */
#include <string.h>

#include "base/sha256.h"
#include "plan/plan_impl.h"

kdl_plan *kdl_plan_new(kdl_context *ctx)
{
    if (kdl__failed(ctx))
        return NULL;
    kdl_plan *plan = kdl__alloc_zeroed(ctx, 1, sizeof *plan);
    if (plan)
        plan->ctx = kdl_context_retain(ctx);
    return plan;
}

void kdl_plan_release(kdl_plan *plan)
{
    if (!plan)
        return;
    kdl_context *ctx = plan->ctx;
    for (size_t i = 0; i < plan->count; i++) {
        kdl_free(ctx, (char *)plan->entries[i].view.name);
        kdl__values_free(&plan->entries[i].values);
        kdl__storage_release(plan->entries[i].identity);
    }
    for (size_t i = 0; i < plan->attribute_count; i++) {
        kdl_free(ctx, plan->attributes[i].key);
        kdl_free(ctx, plan->attributes[i].value);
    }
    kdl__position_free(&plan->end);
    kdl_free(ctx, plan->entries);
    kdl_free(ctx, plan->buckets);
    kdl_free(ctx, plan->attributes);
    kdl_free(ctx, plan);
    kdl_context_release(ctx);
}

kdl_context *kdl_plan_context(const kdl_plan *plan)
{
    return plan->ctx;
}

/* ---- names ------------------------------------------------------------------------------- */

/*
 * The bucket of a name: where it is, or the free one where it would go (FNV-1a, open addressing).
 */
static size_t find_bucket(const kdl_plan *plan, const char *name)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (const char *c = name; *c; c++)
        hash = (hash ^ (unsigned char)*c) * UINT64_C(1099511628211);
    size_t at = (size_t)hash & (plan->bucket_count - 1);
    while (plan->buckets[at] && strcmp(plan->entries[plan->buckets[at] - 1].view.name, name) != 0)
        at = (at + 1) & (plan->bucket_count - 1);
    return at;
}

/* Keeps at least half of the buckets free. */
static bool grow_buckets(kdl_plan *plan)
{
    if ((plan->count + 1) * 2 <= plan->bucket_count)
        return true;
    size_t count = plan->bucket_count ? plan->bucket_count * 2 : 64;
    int *buckets = kdl__alloc_zeroed(plan->ctx, count, sizeof *buckets);
    if (!buckets)
        return false;
    kdl_free(plan->ctx, plan->buckets);
    plan->buckets = buckets;
    plan->bucket_count = count;
    for (size_t i = 0; i < plan->count; i++)
        buckets[find_bucket(plan, plan->entries[i].view.name)] = (int)i + 1;
    return true;
}

int kdl_plan_find(const kdl_plan *plan, const char *name)
{
    return plan->count ? plan->buckets[find_bucket(plan, name)] - 1 : -1;
}

/* ---- entries ----------------------------------------------------------------------------- */

static bool same_region(const kdl__region *a, const kdl__region *b)
{
    size_t nbytes = (size_t)a->ndim * sizeof *a->sizes;
    return a->offset == b->offset && a->ndim == b->ndim &&
           memcmp(a->sizes, b->sizes, nbytes) == 0 && memcmp(a->strides, b->strides, nbytes) == 0;
}

/* The first entry with the same elements as `entry`, or -1. */
static int find_tie(const kdl_plan *plan, const kdl__plan_entry *entry)
{
    for (size_t i = (size_t)entry->storage; i < plan->count; i++) {
        const kdl__plan_entry *other = &plan->entries[i];
        /* A storage that was written between two entries has other values in each. */
        if (other->storage == entry->storage && other->values.node == entry->values.node &&
            other->values.storage == entry->values.storage &&
            same_region(&other->values.region, &entry->values.region))
            return (int)i;
    }
    return -1;
}

kdl_status kdl__plan_append(kdl_plan *plan, const char *name, const kdl_shape *shape,
                            kdl__values *values, int storage, const char *place)
{
    kdl_context *ctx = plan->ctx;
    kdl__plan_entry entry = { .values = *values, .storage = storage };
    entry.view.name = kdl__strdup(ctx, name);
    bool ready = entry.view.name && grow_buckets(plan) &&
                 kdl__grow(ctx, (void **)&plan->entries, &plan->capacity, plan->count + 1,
                           sizeof *plan->entries);
    if (ready && kdl_plan_find(plan, name) >= 0) {
        kdl__fail_at(ctx, place, KDL_ERROR_KEY, "the plan has a tensor named '%s' already", name);
        ready = false;
    }
    if (!ready) {
        kdl_free(ctx, (char *)entry.view.name);
        kdl__values_free(values);
        return ctx->status;
    }
    entry.view.dtype = values->dtype;
    entry.view.shape = *shape;
    entry.view.numel = values->region.numel;
    entry.view.tied_to = storage >= 0 ? find_tie(plan, &entry) : -1;
    if (storage < 0)
        entry.storage = (int)plan->count;
    plan->buckets[find_bucket(plan, name)] = (int)plan->count + 1;
    plan->entries[plan->count++] = entry;
    return KDL_OK;
}

/* The first entry of the same storage, or -1. */
static int find_storage(const kdl_plan *plan, const kdl__storage *storage)
{
    for (size_t i = 0; i < plan->count; i++)
        if (plan->entries[i].identity == storage)
            return plan->entries[i].storage;
    return -1;
}

kdl_status kdl_plan_add(kdl_plan *plan, const char *name, kdl_tensor *tensor)
{
    if (!plan || kdl__failed(plan->ctx))
        return plan ? plan->ctx->status : KDL_ERROR_VALUE;
    kdl_context *ctx = plan->ctx;
    if (!tensor || tensor->ctx != ctx)
        return kdl__fail(ctx, KDL_ERROR_VALUE, "'%s' is no tensor of the plan's context", name);
    if (kdl__refuses(tensor))
        return ctx->status;
    kdl__values values;
    kdl_shape shape = kdl_tensor_shape(tensor);
    if (kdl__values_of(tensor, false, &values) ||
        kdl__plan_append(plan, name, &shape, &values, find_storage(plan, tensor->storage),
                         __func__))
        return ctx->status;
    plan->entries[plan->count - 1].identity = kdl__storage_retain(tensor->storage);
    return KDL_OK;
}

int kdl_plan_count(const kdl_plan *plan)
{
    return (int)plan->count;
}

const kdl_plan_tensor *kdl_plan_get(kdl_plan *plan, int index)
{
    if (!plan || kdl__failed(plan->ctx))
        return NULL;
    if (index >= 0 && (size_t)index < plan->count)
        return &plan->entries[index].view;
    kdl__fail(plan->ctx, KDL_ERROR_INDEX, "tensor %d of a plan of %zu", index, plan->count);
    return NULL;
}

/* ---- attributes -------------------------------------------------------------------------- */

static kdl__plan_attribute *find_attribute(const kdl_plan *plan, const char *key)
{
    for (size_t i = 0; i < plan->attribute_count; i++)
        if (strcmp(plan->attributes[i].key, key) == 0)
            return &plan->attributes[i];
    return NULL;
}

const char *kdl_plan_attribute(const kdl_plan *plan, const char *key)
{
    const kdl__plan_attribute *attribute = find_attribute(plan, key);
    return attribute ? attribute->value : NULL;
}

static void remove_attribute(kdl_plan *plan, kdl__plan_attribute *attribute)
{
    kdl_free(plan->ctx, attribute->key);
    kdl_free(plan->ctx, attribute->value);
    size_t after = (size_t)(&plan->attributes[--plan->attribute_count] - attribute);
    memmove(attribute, attribute + 1, after * sizeof *attribute);
}

kdl_status kdl_plan_set_attribute(kdl_plan *plan, const char *key, const char *value)
{
    if (!plan || kdl__failed(plan->ctx))
        return plan ? plan->ctx->status : KDL_ERROR_VALUE;
    kdl_context *ctx = plan->ctx;
    kdl__plan_attribute *found = find_attribute(plan, key);
    if (!value) {
        if (found)
            remove_attribute(plan, found);
        return KDL_OK;
    }
    char *copy = kdl__strdup(ctx, value);
    if (copy && found) {
        kdl_free(ctx, found->value);
        found->value = copy;
        return KDL_OK;
    }
    char *key_copy = kdl__strdup(ctx, key);
    if (!copy || !key_copy ||
        !kdl__grow(ctx, (void **)&plan->attributes, &plan->attribute_capacity,
                   plan->attribute_count + 1, sizeof *plan->attributes)) {
        kdl_free(ctx, copy);
        kdl_free(ctx, key_copy);
        return ctx->status;
    }
    plan->attributes[plan->attribute_count++] = (kdl__plan_attribute){ key_copy, copy };
    return KDL_OK;
}

kdl_status kdl_plan_set_digest(kdl_plan *plan, const char *key, const void *data, size_t nbytes)
{
    char hex[KDL__SHA256_HEX_NBYTES];
    kdl__sha256_hex(data, nbytes, hex);
    return kdl_plan_set_attribute(plan, key, hex);
}

kdl_status kdl_plan_set_end(kdl_plan *plan, kdl_generator *generator)
{
    if (!plan || kdl__failed(plan->ctx))
        return plan ? plan->ctx->status : KDL_ERROR_VALUE;
    kdl__position_free(&plan->end);
    kdl__position_copy(&plan->end, &generator->at);
    return KDL_OK;
}
