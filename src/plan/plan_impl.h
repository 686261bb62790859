/* SPDX-License-Identifier: Apache-2.0 */
/* A plan's insides, for what reads and writes plans (recipes). */
#ifndef KDL_SRC_PLAN_PLAN_IMPL_H
#define KDL_SRC_PLAN_PLAN_IMPL_H

#include "kindling/plan.h"
#include "plan/op.h"

typedef struct kdl__plan_entry {
    kdl_plan_tensor view; /* what callers see; its name is owned */
    kdl__values values;
    /* Entries of one storage have one number: the index of the first of them. */
    int storage;
    kdl__storage *identity; /* retained: whose storage it was; NULL when read from a recipe */
} kdl__plan_entry;

typedef struct kdl__plan_attribute {
    char *key, *value;
} kdl__plan_attribute;

struct kdl_plan {
    kdl_context *ctx; /* retained */
    kdl__plan_entry *entries;
    size_t count, capacity;
    int *buckets; /* hash table of names: index + 1 of an entry, 0 for none */
    size_t bucket_count;
    kdl__plan_attribute *attributes;
    size_t attribute_count, attribute_capacity;
    kdl__position end; /* where the generator stood; no segment when it was not told */
};

/*
 * Appends an entry for `values` (taken over, also on failure). `storage`: the index of an entry
 * with the same storage, or -1.
 */
kdl_status kdl__plan_append(kdl_plan *plan, const char *name, const kdl_shape *shape,
                            kdl__values *values, int storage, const char *place);

/* The stream that counts as the plan's own (see kdl_plan_seed()), or NULL. Borrowed. */
kdl__stream *kdl__plan_stream(const kdl_plan *plan);

#endif
