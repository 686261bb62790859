/* SPDX-License-Identifier: Apache-2.0 */
/* Scaled dot-product attention, with gradients. */
#include "autograd/attention_ops.h"

#include <math.h>
#include <string.h>

#include "kindling/functional.h"
#include "kindling/ops.h"

/* ---- weights ----------------------------------------------------------------------------- */

/* Of q, k and the mask, from the scores' gradient: once for all three. */
static void attention_backward(kdl__function *function, kdl_tensor *grad)
{
    kdl__scope scope = { 0 };
    kdl_tensor *q = kdl__saved_value(function, 0), *k = kdl__saved_value(function, 1);
    kdl_tensor *weights = kdl__saved_value(function, 2), *scores = NULL;
    double scale = function->numbers.a;
    if (q && k && weights)
        scores = kdl__hold(&scope, kdl__compute_attention_grad(grad, weights));
    if (scores && kdl__needs(function, 0))
        kdl__give(function, 0, kdl__multiply(scores, k, scale));
    kdl_tensor *turned = kdl__hold(&scope, kdl_transpose(scores, -2, -1));
    if (turned && kdl__needs(function, 1))
        kdl__give(function, 1, kdl__multiply(turned, q, scale));
    if (scores && function->count > 2 && kdl__needs(function, 2))
        kdl__give(function, 2, kdl_tensor_retain(scores));
    kdl__close(&scope, NULL);
}

static const kdl__function_class attention_class = { "ScaledDotProductAttentionBackward0",
                                                     attention_backward };

static const char place[] = "kdl_f_scaled_dot_product_attention";

/* Whether a mask can be broadcast to the scores, which do not become larger. */
static bool mask_fits(const kdl_tensor *scores, const kdl_tensor *mask)
{
    kdl_shape shape = kdl_tensor_shape(scores);
    if (!kdl__broadcast(scores->ctx, &shape, mask))
        return false;
    if (shape.ndim == scores->ndim &&
        memcmp(shape.sizes, scores->dims, (size_t)shape.ndim * sizeof *shape.sizes) == 0)
        return true;
    kdl__fail_at(scores->ctx, place, KDL_ERROR_RUNTIME,
                 "output with shape %s doesn't match the broadcast shape %s",
                 kdl__shape_text(scores->ndim, scores->dims).chars,
                 kdl__shape_text(shape.ndim, shape.sizes).chars);
    return false;
}

kdl_tensor *kdl__attention_weights(kdl_tensor *q, kdl_tensor *k, const kdl__masking *masking,
                                   double scale)
{
    kdl__scope scope = { 0 };
    kdl_tensor *mask = masking->mask;
    kdl_tensor *turned = kdl__hold(&scope, kdl_transpose(k, -2, -1));
    kdl_tensor *weights = kdl__multiply(q, turned, scale);
    if (weights && (!mask || mask_fits(weights, mask)))
        kdl__compute_attention(weights, masking);
    bool adds = mask && mask->storage->dtype != KDL_BOOL;
    kdl__function *function = kdl__record(weights, &attention_class, adds ? 3 : 2, q, k, mask);
    if (function)
        function->numbers.a = scale;
    kdl__save(function, 0, q);
    kdl__save(function, 1, k);
    kdl__save(function, 2, weights);
    return kdl__close(&scope, weights);
}

/* ---- what fits --------------------------------------------------------------------------- */

/* As torch writes a dtype in C++: "float", "c10::Half". */
static bool fail_mask_dtype(const kdl_tensor *mask, const kdl_tensor *q)
{
    kdl__fail_at(q->ctx, place, KDL_ERROR_RUNTIME,
                 "Expected attn_mask dtype to be bool or float or to match query dtype, but got "
                 "attn_mask.dtype: %s and  query.dtype: %s instead.",
                 kdl__dtype_cpp_name(mask->storage->dtype), kdl__dtype_cpp_name(q->storage->dtype));
    return false;
}

static bool check_tensors(kdl_tensor *const *qkv)
{
    const kdl_tensor *q = qkv[0], *k = qkv[1], *v = qkv[2];
    if (!kdl__usable(place, 3, qkv))
        return false;
    kdl_dtype dtype = q->storage->dtype;
    if (dtype != k->storage->dtype || dtype != v->storage->dtype)
        kdl__fail_at(q->ctx, place, KDL_ERROR_RUNTIME,
                     "Expected query, key, and value to have the same dtype, but got query.dtype: "
                     "%s key.dtype: %s and value.dtype: %s instead.",
                     kdl__dtype_cpp_name(dtype), kdl__dtype_cpp_name(k->storage->dtype),
                     kdl__dtype_cpp_name(v->storage->dtype));
    else if (q->ndim < 2 || k->ndim < 2 || v->ndim < 2)
        kdl__fail_at(q->ctx, place, KDL_ERROR_RUNTIME,
                     "Expected query, key, and value to all be  at least 2 dimensional, but got "
                     "query.dim: %d key.dim: %d and value.dim: %d instead.",
                     q->ndim, k->ndim, v->ndim);
    return !kdl__failed(q->ctx);
}

static bool check_options(kdl_tensor *q, const kdl_f_attention_options *o)
{
    const kdl_tensor *mask = o->attn_mask;
    if (!mask)
        return true;
    if (kdl__check_contexts(q, mask, place))
        return false;
    kdl_dtype dtype = mask->storage->dtype;
    if (o->is_causal) {
        kdl__fail_at(q->ctx, place, KDL_ERROR_RUNTIME,
                     "_scaled_dot_product_attention: Explicit attn_mask should not be set when "
                     "is_causal=True");
        return false;
    }
    return dtype == KDL_BOOL || dtype == KDL_F32 || dtype == q->storage->dtype ||
           fail_mask_dtype(mask, q);
}

/* ---- heads that share keys and values ----------------------------------------------------- */

/* How many of q's heads share one of k's and v's; 0: an error. */
static int64_t group_size(const kdl_tensor *q, const kdl_tensor *k, const kdl_tensor *v)
{
    int64_t heads = q->ndim < 3 ? 0 : q->dims[q->ndim - 3];
    int64_t keys = k->ndim < 3 ? 0 : k->dims[k->ndim - 3];
    int64_t values = v->ndim < 3 ? 0 : v->dims[v->ndim - 3];
    if (keys > 0 && keys == values && heads % keys == 0)
        return heads / keys;
    kdl__fail_at(q->ctx, place, KDL_ERROR_RUNTIME,
                 "Number of heads in key and value must divide the number of heads in query, and "
                 "be equal: got %" PRId64 ", %" PRId64 " and %" PRId64,
                 keys, values, heads);
    return 0;
}

/* (..., H, L, E) as (..., H / group, group, L, E); a mask with one head for all keeps it. */
static kdl_tensor *grouped(kdl_tensor *tensor, int64_t group)
{
    kdl_shape shape = kdl_tensor_shape(tensor);
    if (shape.ndim < 3)
        return kdl_tensor_retain(tensor);
    if (!kdl__ndim_allowed(tensor->ctx, shape.ndim + 1))
        return NULL;
    int head = shape.ndim - 3;
    memmove(shape.sizes + head + 1, shape.sizes + head, 3 * sizeof *shape.sizes);
    bool one = shape.sizes[head] == 1;
    shape.sizes[head] = one ? 1 : shape.sizes[head] / group;
    shape.sizes[head + 1] = one ? 1 : group;
    shape.ndim++;
    return kdl_reshape(tensor, shape);
}

/* Back. */
static kdl_tensor *ungrouped(kdl_tensor *tensor)
{
    if (!tensor)
        return NULL;
    kdl_shape shape = kdl_tensor_shape(tensor);
    int head = shape.ndim - 4;
    shape.sizes[head] *= shape.sizes[head + 1];
    memmove(shape.sizes + head + 1, shape.sizes + head + 2, 2 * sizeof *shape.sizes);
    shape.ndim--;
    return kdl_reshape(tensor, shape);
}

/* ---- the function ------------------------------------------------------------------------ */

/* Of operands that are computed with. */
static kdl_tensor *attend(kdl_tensor *q, kdl_tensor *k, kdl_tensor *v, kdl_tensor *mask,
                          const kdl_f_attention_options *o)
{
    kdl__scope scope = { 0 };
    const kdl__masking masking = { mask, o->is_causal, true };
    double width = q ? (double)q->dims[q->ndim - 1] : 1;
    double scale = isnan(o->scale) ? 1 / sqrt(width) : o->scale;
    kdl_tensor *weights = kdl__hold(&scope, kdl__attention_weights(q, k, &masking, scale));
    kdl_tensor *dropped = kdl__hold(&scope, kdl_f_dropout(weights, o->dropout_p, true));
    return kdl__close(&scope, kdl_matmul(dropped, v));
}

static kdl_tensor *attend_in_groups(kdl_tensor *q, kdl_tensor *k, kdl_tensor *v, kdl_tensor *mask,
                                    const kdl_f_attention_options *o)
{
    kdl__scope scope = { 0 };
    int64_t group = group_size(q, k, v);
    if (group == 0)
        return NULL;
    kdl_tensor *wide_q = kdl__hold(&scope, grouped(q, group));
    kdl_tensor *wide_k = kdl__hold(&scope, kdl_unsqueeze(k, -3));
    kdl_tensor *wide_v = kdl__hold(&scope, kdl_unsqueeze(v, -3));
    kdl_tensor *wide_mask = mask ? kdl__hold(&scope, grouped(mask, group)) : NULL;
    kdl_tensor *result = kdl__hold(&scope, attend(wide_q, wide_k, wide_v, wide_mask, o));
    return kdl__close(&scope, ungrouped(result));
}

kdl_tensor *kdl_f_scaled_dot_product_attention_with(kdl_tensor *query, kdl_tensor *key,
                                                    kdl_tensor *value,
                                                    const kdl_f_attention_options *given)
{
    kdl__scope scope = { 0 };
    kdl_f_attention_options o = KDL_F_ATTENTION_DEFAULTS;
    kdl_tensor *all[] = { query, key, value };
    if (!check_tensors(all) || !kdl__read_options(query->ctx, place, &o, sizeof o, given) ||
        !check_options(query, &o))
        return NULL;
    for (int i = 0; i < 3; i++)
        all[i] = kdl__hold(&scope, kdl__operand(all[i], place));
    kdl_tensor *mask = o.attn_mask;
    if (mask && mask->storage->dtype != KDL_BOOL && all[0])
        mask = kdl__hold(&scope, kdl_to(mask, all[0]->storage->dtype));
    kdl_tensor *result = NULL;
    if (!kdl__failed(query->ctx))
        result = (o.enable_gqa ? attend_in_groups : attend)(all[0], all[1], all[2], mask, &o);
    return kdl__close(&scope, kdl__cast(result, query->storage->dtype));
}

kdl_tensor *kdl_generate_square_subsequent_mask(kdl_context *ctx, int64_t size, kdl_dtype dtype)
{
    const int64_t sizes[] = { size, size };
    kdl_tensor *mask = ctx ? kdl__new_values(ctx, KDL_F32, 2, sizes) : NULL;
    float *values = mask ? mask->storage->data : NULL;
    for (int64_t i = 0; values && i < size * size; i++)
        values[i] = i % size > i / size ? -INFINITY : 0;
    return kdl__cast(mask, dtype);
}
