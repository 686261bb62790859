/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deferral and plans: initialisation as a pure function of (recipe, seed, element).
 *
 * In a deferred context a new tensor has no memory. What is done to it is recorded, each random
 * operation with its place in the generator's stream, and the generator advances as PyTorch's
 * would. Nothing is drawn until a value is read, and then only what survives: an operation that
 * later ones overwrite wholly is never computed.
 *
 * A plan is an ordered list of named tensors in that state. It gives any range of any tensor, in
 * any order; it can be written as a recipe (docs/recipe.md) and read back without the model.
 */
#ifndef KINDLING_PLAN_H
#define KINDLING_PLAN_H

#include "kindling/random.h"
#include "kindling/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Whether new tensors are recorded rather than computed. */
KDL_API bool kdl_is_deferred(const kdl_context *ctx);
/** Sets it; tensors that exist stay as they are. */
KDL_API kdl_status kdl_set_deferred(kdl_context *ctx, bool deferred);

/** Computes a recorded tensor's storage into memory; nothing to do when it is there. */
KDL_API kdl_status kdl_materialize(kdl_tensor *tensor);

/**
 * Elements [first, first + count) of the tensor, row-major, into `values` (count elements of its
 * dtype), without materialising it. IndexError when the range is not within the tensor.
 */
KDL_API kdl_status kdl_tensor_read(kdl_tensor *tensor, int64_t first, int64_t count, void *values);

typedef struct kdl_plan kdl_plan;

/** One tensor of a plan (owned by the plan). */
typedef struct kdl_plan_tensor {
    const char *name;
    kdl_dtype dtype;
    kdl_shape shape;
    int64_t numel;
    int tied_to; /**< index of an earlier entry with exactly the same elements, or -1 */
} kdl_plan_tensor;

/** An empty plan. */
KDL_API kdl_plan *kdl_plan_new(kdl_context *ctx);
/** Frees the plan. NULL is ignored. */
KDL_API void kdl_plan_release(kdl_plan *plan);
KDL_API kdl_context *kdl_plan_context(const kdl_plan *plan);

/**
 * Appends `tensor` under `name` with the values it has now. A tensor in memory is referred to, not
 * copied: leave it unchanged while the plan lives. KeyError when the name is taken.
 */
KDL_API kdl_status kdl_plan_add(kdl_plan *plan, const char *name, kdl_tensor *tensor);

/** Remembers where the generator stands now, for the count of draws. */
KDL_API kdl_status kdl_plan_set_end(kdl_plan *plan, kdl_generator *generator);

/**
 * The seed that the plan's draws come from: of the stream given by kdl_plan_set_end(), else of the
 * first one drawn from. False when nothing is known to draw or the stream began from a state.
 */
KDL_API bool kdl_plan_seed(const kdl_plan *plan, uint64_t *seed);

/**
 * Free text about the plan ("model", "config_sha256", ...), kept in recipes. NULL value: removes.
 */
KDL_API kdl_status kdl_plan_set_attribute(kdl_plan *plan, const char *key, const char *value);
/** An attribute's value (owned by the plan), or NULL. */
KDL_API const char *kdl_plan_attribute(const kdl_plan *plan, const char *key);

/** Sets an attribute to the SHA-256 of some bytes, in hexadecimal: what the plan was made from. */
KDL_API kdl_status kdl_plan_set_digest(kdl_plan *plan, const char *key, const void *data,
                                       size_t nbytes);

KDL_API int kdl_plan_count(const kdl_plan *plan);
/** The entry at `index`; IndexError and NULL when there is none. */
KDL_API const kdl_plan_tensor *kdl_plan_get(kdl_plan *plan, int index);
/** The index of `name`, or -1 (no error). */
KDL_API int kdl_plan_find(const kdl_plan *plan, const char *name);

/** A range of one tensor of a plan and where its elements go. */
typedef struct kdl_plan_request {
    int tensor;           /**< index in the plan */
    int64_t first, count; /**< elements, row-major */
    void *values;         /**< count elements of the tensor's dtype */
} kdl_plan_request;

/**
 * Computes all requests, on the context's threads. IndexError for a range that is not there.
 * The result never depends on the split or the order.
 */
KDL_API kdl_status kdl_plan_read(kdl_plan *plan, const kdl_plan_request *requests, int count);

/** Drops what was computed for a whole tensor (orthogonal, ...) and kept between reads. */
KDL_API void kdl_plan_drop(kdl_plan *plan, int index);

/** What a plan costs; -1 where it depends on data that has not been computed. */
typedef struct kdl_plan_cost {
    int64_t numel;      /**< elements, tied ones once */
    int64_t nbytes;     /**< their bytes */
    int64_t draws;      /**< 32-bit draws that PyTorch consumes, up to kdl_plan_set_end */
    int64_t live_draws; /**< draws whose values survive */
} kdl_plan_cost;
KDL_API kdl_status kdl_plan_get_cost(kdl_plan *plan, kdl_plan_cost *cost);

/** One operation behind an entry, oldest first. */
typedef struct kdl_plan_op {
    const char *name;    /**< "normal", "constant", ... (a static string) */
    char arguments[120]; /**< "0, 0.02" */
    int64_t draw;        /**< its first draw's position in the stream; -1: it draws nothing, or that
                              depends on data that has not been computed */
    int64_t draws;       /**< how many it consumes; -1: that depends on such data */
} kdl_plan_op;

/** How many operations make up an entry: 0 for zeros and for a tensor in memory. */
KDL_API int kdl_plan_op_count(const kdl_plan *plan, int index);
/** The operation at `op`, IndexError when there is none. */
KDL_API kdl_status kdl_plan_get_op(kdl_plan *plan, int index, int op, kdl_plan_op *out);

/** The plan as a recipe, JSON text by docs/recipe.md (kdl_free). */
KDL_API char *kdl_plan_to_json(kdl_plan *plan);

/**
 * A plan from a recipe's text. `seed`: replaces the recipe's default stream when not NULL, which is
 * a ValueError for a recipe with streams of its own besides. KDL_ERROR_FORMAT names the place of
 * what is wrong: an unknown version, an unknown op, a missing field, a range.
 */
KDL_API kdl_plan *kdl_plan_from_json(kdl_context *ctx, const char *text, size_t nbytes,
                                     const uint64_t *seed);

#ifdef __cplusplus
}
#endif
#endif
