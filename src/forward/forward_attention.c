/* SPDX-License-Identifier: Apache-2.0 */
/* forward() of MultiheadAttention (torch.nn.functional.multi_head_attention_forward). */
#include <math.h>
#include <string.h>

#include "autograd/attention_ops.h"
#include "forward/forwards.h"
#include "kindling/functional.h"
#include "kindling/ops.h"

/* A call: sizes in PyTorch's letters. */
typedef struct attention {
    kdl_module *module;
    const kdl_multihead_attention_options *options;
    bool batched;
    int seq;                /* the sequence's dimension of (L, N, E) or (N, L, E) */
    int64_t n, l, s, heads; /* sequences, queries, keys as given */
    int64_t added;          /* keys that the module adds */
    bool wants_weights;
} attention;

enum { QUERY, KEY, VALUE, KEY_PADDING_MASK, ATTN_MASK, INPUTS };

/* ---- what fits --------------------------------------------------------------------------- */

static bool fail(const attention *a, const char *format, ...) KDL_PRINTF(2, 3);
static bool fail(const attention *a, const char *format, ...)
{
    char text[256];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    kdl__fail_at(a->module->ctx, "MultiheadAttention", KDL_ERROR_VALUE, "%s", text);
    return false;
}

static bool check_dims(const attention *a, kdl_tensor *const *inputs)
{
    const kdl_tensor *q = inputs[QUERY], *k = inputs[KEY], *v = inputs[VALUE];
    const kdl_tensor *padding = inputs[KEY_PADDING_MASK], *mask = inputs[ATTN_MASK];
    const char *kind = q->ndim == 3 ? "batched (3-D)" : "unbatched (2-D)";
    if (q->ndim != 2 && q->ndim != 3)
        return fail(a,
                    "query should be unbatched 2D or batched 3D tensor but received %d-D query "
                    "tensor",
                    q->ndim);
    if (k->ndim != q->ndim || v->ndim != q->ndim)
        return fail(a,
                    "For %s `query`, expected `key` and `value` to be %d-D but found %d-D and "
                    "%d-D tensors respectively",
                    kind, q->ndim, k->ndim, v->ndim);
    if (padding && padding->ndim != q->ndim - 1)
        return fail(a,
                    "For %s `query`, expected `key_padding_mask` to be `None` or %d-D but found "
                    "%d-D tensor instead",
                    kind, q->ndim - 1, padding->ndim);
    if (mask && mask->ndim != 2 && mask->ndim != 3)
        return fail(a,
                    "For %s `query`, expected `attn_mask` to be `None`, 2-D or 3-D but found "
                    "%d-D tensor instead",
                    kind, mask->ndim);
    return true;
}

static bool check_widths(const attention *a, kdl_tensor *const *inputs)
{
    const int64_t widths[] = { a->options->embed_dim, a->options->kdim, a->options->vdim };
    const kdl_tensor *q = inputs[QUERY], *k = inputs[KEY], *v = inputs[VALUE];
    int last = q->ndim - 1;
    if (q->dims[last] != widths[0])
        return fail(a, "was expecting embedding dimension of %lld, but got %lld",
                    (long long)widths[0], (long long)q->dims[last]);
    bool fits = k->dims[last] == widths[1] && v->dims[last] == widths[2];
    for (int d = 0; d < last; d++)
        fits = fits && k->dims[d] == v->dims[d];
    if (a->batched)
        fits = fits && k->dims[!a->seq] == q->dims[!a->seq];
    return fits ||
           fail(a, "key shape %s does not match value shape %s, or query's batch",
                kdl__shape_text(k->ndim, k->dims).chars, kdl__shape_text(v->ndim, v->dims).chars);
}

static bool check_masks(const attention *a, const kdl_tensor *padding, const kdl_tensor *mask)
{
    const int64_t rows = padding && a->batched ? padding->dims[0] : a->n;
    if (padding && rows != a->n)
        return fail(a, "Expected key_padded_mask.shape[0] to be %lld, but got %lld",
                    (long long)a->n, (long long)rows);
    if (padding && padding->dims[padding->ndim - 1] != a->s)
        return fail(a, "Expected key_padded_mask.shape[1] to be %lld, but got %lld",
                    (long long)a->s, (long long)padding->dims[padding->ndim - 1]);
    if (!mask)
        return true;
    const int64_t sizes[] = { a->n * a->heads, a->l, a->s };
    int from = 3 - mask->ndim;
    if (memcmp(mask->dims, sizes + from, (size_t)mask->ndim * sizeof *sizes) == 0)
        return true;
    char expected[80];
    int used = from ? 0 : snprintf(expected, sizeof expected, "%lld, ", (long long)sizes[0]);
    snprintf(expected + used, sizeof expected - (size_t)used, "%lld, %lld", (long long)a->l,
             (long long)a->s);
    kdl__fail_at(a->module->ctx, "MultiheadAttention", KDL_ERROR_RUNTIME,
                 "The shape of the %dD attn_mask is torch.Size(%s), but should be (%s).",
                 mask->ndim, kdl__shape_text(mask->ndim, mask->dims).chars, expected);
    return false;
}

static bool check_mask_dtype(const attention *a, const kdl_tensor *mask, const char *name)
{
    kdl_dtype dtype = mask ? mask->storage->dtype : KDL_BOOL;
    return dtype == KDL_BOOL || kdl_dtype_is_floating_point(dtype) ||
           fail(a, "only bool and floating types of %s are supported", name);
}

static bool check_inputs(attention *a, kdl_tensor *const *inputs)
{
    const kdl_tensor *q = inputs[QUERY], *padding = inputs[KEY_PADDING_MASK];
    const kdl_tensor *mask = inputs[ATTN_MASK];
    for (int i = 0; i < INPUTS; i++)
        if (inputs[i] && kdl__check_contexts(inputs[QUERY], inputs[i], "MultiheadAttention"))
            return false;
    if (!check_dims(a, inputs))
        return false;
    a->batched = q->ndim == 3;
    a->seq = a->batched && a->options->batch_first;
    a->n = a->batched ? q->dims[!a->seq] : 1;
    a->l = q->dims[a->seq];
    a->s = inputs[KEY]->dims[a->seq];
    if (!check_mask_dtype(a, padding, "key_padding_mask") ||
        !check_mask_dtype(a, mask, "attn_mask") || !check_widths(a, inputs) ||
        !check_masks(a, padding, mask))
        return false;
    if (padding && mask && padding->storage->dtype != mask->storage->dtype)
        kdl__warn(q->ctx, "Support for mismatched key_padding_mask and attn_mask is deprecated. "
                          "Use same type for both instead.");
    return true;
}

/* ---- projections ------------------------------------------------------------------------- */

static kdl_tensor *own(const attention *a, const char *name)
{
    return kdl_parameter(a->module, name);
}

/* x by parts [first, first + count) of the joint projection's three. */
static kdl_tensor *project_part(const attention *a, kdl_tensor *x, int first, int count)
{
    kdl__scope scope = { 0 };
    int64_t e = a->options->embed_dim;
    kdl_tensor *weight = own(a, "in_proj_weight"), *bias = own(a, "in_proj_bias");
    if (count < 3) {
        weight = kdl__hold(&scope, kdl_narrow(weight, 0, first * e, count * e));
        bias = bias ? kdl__hold(&scope, kdl_narrow(bias, 0, first * e, count * e)) : NULL;
    }
    return kdl__close(&scope, kdl_f_linear(x, weight, bias));
}

/* x by a weight of its own and its part of the bias. */
static kdl_tensor *project_alone(const attention *a, kdl_tensor *x, const char *name, int part)
{
    kdl__scope scope = { 0 };
    int64_t e = a->options->embed_dim;
    kdl_tensor *bias = own(a, "in_proj_bias");
    bias = bias ? kdl__hold(&scope, kdl_narrow(bias, 0, part * e, e)) : NULL;
    return kdl__close(&scope, kdl_f_linear(x, own(a, name), bias));
}

/*
 * Queries, keys and values from their inputs: those that are the same tensor by one product. The
 * scope holds them.
 */
static void project(const attention *a, kdl_tensor *const *inputs, kdl_tensor **qkv,
                    kdl__scope *scope)
{
    static const char *const alone[] = { "q_proj_weight", "k_proj_weight", "v_proj_weight" };
    int64_t e = a->options->embed_dim;
    for (int part = 0; part < 3;) {
        int count = 1;
        if (!own(a, "in_proj_weight")) {
            qkv[part] = kdl__hold(scope, project_alone(a, inputs[part], alone[part], part));
            part++;
            continue;
        }
        while (part + count < 3 && inputs[part + count] == inputs[part])
            count++;
        if (part == 0 && count == 2)
            count = 1; /* only all three, or key and value */
        kdl_tensor *joint = kdl__hold(scope, project_part(a, inputs[part], part, count));
        for (int i = 0; i < count; i++)
            qkv[part + i] = count == 1 ? joint : kdl__hold(scope, kdl_narrow(joint, -1, i * e, e));
        part += count;
    }
}

/* Keys or values (consumed) with one more at the end, `row` (1, 1, E) for every sequence. */
static kdl_tensor *append_key(const attention *a, kdl_tensor *keys, kdl_tensor *row)
{
    kdl__scope scope = { 0 };
    kdl_shape shape = KDL_SHAPE(1, 1, a->options->embed_dim);
    shape.sizes[!a->seq] = a->n;
    kdl__hold(&scope, keys);
    kdl_tensor *wide = kdl__hold(&scope, kdl_expand(row, shape));
    kdl_tensor *parts[] = { keys, wide };
    return kdl__close(&scope, kdl_cat(parts, 2, a->seq));
}

/* Keys or values with what add_bias_kv and add_zero_attn put behind them. One reference. */
static kdl_tensor *extended(const attention *a, kdl_tensor *keys, const char *bias)
{
    kdl_tensor *result = kdl_tensor_retain(keys);
    if (own(a, bias))
        result = append_key(a, result, own(a, bias));
    if (a->options->add_zero_attn && result) {
        kdl_tensor *zeros = kdl_zeros(result->ctx, KDL_SHAPE(1, 1, a->options->embed_dim),
                                      .dtype = result->storage->dtype);
        result = append_key(a, result, zeros);
        kdl_tensor_release(zeros);
    }
    return result;
}

/* (N, heads, length, E / heads), as it is computed with. */
static kdl_tensor *split_heads(const attention *a, kdl_tensor *x)
{
    kdl__scope scope = { 0 };
    const int from_lnhd[] = { 1, 2, 0, 3 }, from_nlhd[] = { 0, 2, 1, 3 };
    if (!x)
        return NULL;
    x = kdl__hold(&scope, kdl__operand(x, "MultiheadAttention"));
    kdl_tensor *wide =
        x ? kdl__hold(&scope, kdl_view(x, KDL_SHAPE(x->dims[0], x->dims[1], a->heads,
                                                    a->options->embed_dim / a->heads)))
          : NULL;
    return kdl__close(&scope, kdl_permute(wide, 4, a->seq ? from_nlhd : from_lnhd));
}

/* Back: (L, N, E), also where the batch is first. */
static kdl_tensor *join_heads(const attention *a, kdl_tensor *x)
{
    kdl__scope scope = { 0 };
    const int order[] = { 2, 0, 1, 3 };
    kdl_tensor *turned = kdl__hold(&scope, kdl_permute(x, 4, order));
    return kdl__close(&scope, kdl_reshape(turned, KDL_SHAPE(a->l, a->n, a->options->embed_dim)));
}

/* ---- masks ------------------------------------------------------------------------------- */

/* A mask that is added to scores: -inf where a bool one is true; 0 for keys of the module's own. */
static kdl_tensor *additive(const attention *a, kdl_tensor *mask, kdl_dtype dtype)
{
    kdl__scope scope = { 0 };
    kdl_context *ctx = mask->ctx;
    if (mask->storage->dtype == KDL_BOOL) {
        kdl_tensor *zero = kdl__hold(&scope, kdl_zeros(ctx, KDL_SCALAR_SHAPE, .dtype = dtype));
        kdl_tensor *never =
            kdl__hold(&scope, kdl_full(ctx, KDL_SCALAR_SHAPE, -INFINITY, .dtype = dtype));
        mask = kdl__hold(&scope, kdl_where(mask, never, zero));
    } else {
        mask = kdl__hold(&scope, kdl_to(mask, dtype));
    }
    if (a->added == 0 || !mask)
        return kdl__close(&scope, kdl_tensor_retain(mask));
    kdl_shape shape = kdl_tensor_shape(mask);
    shape.sizes[shape.ndim - 1] = a->added;
    kdl_tensor *zeros = kdl__hold(&scope, kdl_zeros(ctx, shape, .dtype = dtype));
    kdl_tensor *parts[] = { mask, zeros };
    return kdl__close(&scope, kdl_cat(parts, 2, -1));
}

/* Both masks as one, broadcast to (N, heads, L, S); NULL: none. */
static kdl_tensor *merged_mask(const attention *a, kdl_tensor *padding, kdl_tensor *mask,
                               kdl_dtype dtype)
{
    kdl__scope scope = { 0 };
    int64_t s = a->s + a->added;
    if (padding) {
        padding = kdl__hold(&scope, additive(a, padding, dtype));
        padding = kdl__hold(&scope, kdl_reshape(padding, KDL_SHAPE(a->n, 1, 1, s)));
    }
    if (mask) {
        bool each = mask->ndim == 3;
        mask = kdl__hold(&scope, additive(a, mask, dtype));
        mask = kdl__hold(
            &scope, kdl_reshape(mask, KDL_SHAPE(each ? a->n : 1, each ? a->heads : 1, a->l, s)));
    }
    kdl_tensor *result = padding && mask ? kdl_add_tensor(mask, padding)
                                         : kdl_tensor_retain(padding ? padding : mask);
    return kdl__close(&scope, result);
}

/* ---- the whole --------------------------------------------------------------------------- */

/* Without a batch where there was none. One reference. */
static kdl_tensor *unbatched(const attention *a, kdl_tensor *tensor, int dim)
{
    return a->batched ? kdl_tensor_retain(tensor) : kdl_squeeze(tensor, dim);
}

static void give_weights(const attention *a, kdl_tensor *weights, kdl_dtype dtype,
                         kdl_tensor **outputs, int output_count)
{
    kdl__scope scope = { 0 };
    weights = kdl__hold(&scope, kdl__cast(kdl_tensor_retain(weights), dtype));
    outputs[1] = unbatched(a, kdl__hold(&scope, kdl_mean_dim(weights, 1, false)), 0);
    if (output_count > 2)
        outputs[2] = unbatched(a, weights, 0);
    kdl__close(&scope, NULL);
}

/* From projected queries, keys and values, in heads: the output and, if wanted, the weights. */
static void attend(const attention *a, kdl_tensor *const *qkv, kdl_tensor *mask, kdl_dtype dtype,
                   kdl_tensor **outputs, int output_count)
{
    kdl__scope scope = { 0 };
    const kdl__masking masking = { mask, false, output_count == 1 };
    double scale = sqrt((double)a->heads / (double)a->options->embed_dim);
    kdl_tensor *weights =
        kdl__hold(&scope, kdl__attention_weights(qkv[0], qkv[1], &masking, scale));
    weights = kdl__hold(&scope, kdl_f_dropout(weights, kdl_number(a->options->dropout),
                                              kdl_module_training(a->module)));
    kdl_tensor *values = kdl__hold(&scope, kdl_matmul(weights, qkv[2]));
    kdl_tensor *joined = kdl__hold(&scope, kdl__cast(join_heads(a, values), dtype));
    kdl_tensor *output = kdl_forward(kdl_submodule(a->module, "out_proj"), joined);
    kdl__hold(&scope, output);
    /* Transposed as PyTorch's is, for a dropout behind it draws in the order of the memory. */
    outputs[0] = a->seq ? kdl_transpose(output, 0, 1) : unbatched(a, output, 1);
    if (output_count > 1)
        give_weights(a, weights, dtype, outputs, output_count);
    kdl__close(&scope, NULL);
}

static kdl_tensor *batch_of_one(const attention *a, kdl_tensor *input)
{
    return a->batched ? kdl_tensor_retain(input) : kdl_unsqueeze(input, 1);
}

/*
 * {query, key, value, key_padding_mask, attn_mask} to {output, weights averaged over heads, weights
 * of each head}. PyTorch's need_weights is whether more than the first output is wanted.
 */
static kdl_status multihead_attention(kdl_module *module, kdl_tensor *const *inputs,
                                      int input_count, kdl_tensor **outputs, int output_count)
{
    (void)input_count;
    kdl__scope scope = { 0 };
    attention a = { .module = module, .options = kdl_module_fields(module) };
    kdl_tensor *three[3], *qkv[3] = { NULL };
    kdl_dtype dtype = inputs[QUERY]->storage->dtype;
    a.heads = a.options->num_heads;
    a.added = a.options->add_zero_attn + (own(&a, "bias_k") ? 1 : 0);
    if (!check_inputs(&a, inputs))
        return module->ctx->status;
    for (int i = 0; i < 3; i++) {
        bool again = i > 0 && inputs[i] == inputs[i - 1];
        three[i] = again ? three[i - 1] : kdl__hold(&scope, batch_of_one(&a, inputs[i]));
    }
    project(&a, three, qkv, &scope);
    qkv[1] = kdl__hold(&scope, extended(&a, qkv[1], "bias_k"));
    qkv[2] = kdl__hold(&scope, extended(&a, qkv[2], "bias_v"));
    for (int i = 0; i < 3; i++)
        qkv[i] = kdl__hold(&scope, split_heads(&a, qkv[i]));
    kdl_dtype computed = dtype == KDL_F64 ? KDL_F64 : KDL_F32;
    kdl_tensor *mask =
        kdl__hold(&scope, merged_mask(&a, inputs[KEY_PADDING_MASK], inputs[ATTN_MASK], computed));
    if (!kdl__failed(module->ctx))
        attend(&a, qkv, mask, dtype, outputs, output_count);
    kdl__close(&scope, NULL);
    return module->ctx->status;
}

const kdl__forward_entry kdl__attention_forwards[] = {
    KDL__SEVERAL(KDL_CLASS_MULTIHEAD_ATTENTION, multihead_attention, 3, 5, 3),
    KDL__END_OF_FORWARDS,
};
