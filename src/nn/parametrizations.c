/* SPDX-License-Identifier: Apache-2.0 */
/* torch.nn.utils.parametrizations: weight_norm, spectral_norm. */
#include <string.h>

#include "init/whole.h"
#include "kindling/module_hooks.h"
#include "nn/module_impl.h"
#include "tensor/tape.h"

kdl_tensor *kdl__tensor_to_parametrize(kdl_module *module, const char *name, const char *place)
{
    if (kdl_has_uninitialized_params(module)) {
        kdl__fail_at(module->ctx, place, KDL_ERROR_NOT_IMPLEMENTED,
                     "a module with uninitialized parameters cannot be parametrized");
        return NULL;
    }
    kdl_tensor *tensor = kdl_is_parametrized(module, name)
                             ? kdl_parametrized(module, name)
                             : kdl_tensor_retain(kdl_attribute(module, name));
    char *text = tensor ? NULL : kdl_module_to_string(module);
    if (text)
        kdl__fail_at(module->ctx, place, KDL_ERROR_VALUE,
                     "Module '%s' has no parameter or buffer with name '%s'", text, name);
    kdl_free(module->ctx, text);
    return tensor;
}

static void fail_dim(kdl_context *ctx, int ndim, const char *comma, int64_t dim)
{
    kdl__fail_at(ctx, "torch.nn.utils.parametrizations", KDL_ERROR_INDEX,
                 "Dimension out of range (expected to be in range of [%d, %d]%s but got %lld)",
                 -ndim, ndim - 1, comma, (long long)dim);
}

/* A view whose first dimension is `dim` (0 or more) of the tensor's. */
static kdl_tensor *with_first(kdl_tensor *tensor, int dim)
{
    int order[KDL_MAX_DIMS], count = 0;
    order[count++] = dim;
    for (int d = 0; d < tensor->ndim; d++) {
        if (d != dim)
            order[count++] = d;
    }
    return kdl_permute(tensor, tensor->ndim, order);
}

/* ---- weight_norm ------------------------------------------------------------------------- */

typedef struct weight_norm_fields {
    int64_t dim; /* -1: all */
} weight_norm_fields;

/* Which dimension of a tensor it is: -1 for all, -2 when there is no such dimension. */
static int weight_norm_dim(const kdl_module *module, const kdl_tensor *tensor)
{
    const weight_norm_fields *fields = kdl_module_fields(module);
    int64_t ndim = tensor->ndim;
    if (fields->dim == -1)
        return -1;
    if (fields->dim >= ndim || fields->dim < -ndim)
        return -2;
    return (int)(fields->dim < 0 ? fields->dim + ndim : fields->dim);
}

/* g v / |v|, without a record. */
static kdl_tensor *weight_norm(kdl_module *module, kdl_tensor *g, kdl_tensor *v)
{
    int dim = weight_norm_dim(module, v) > 0 ? weight_norm_dim(module, v) : 0;
    kdl_tensor *result = kdl_empty(module->ctx, kdl_tensor_shape(v), .dtype = kdl_tensor_dtype(v));
    kdl_tensor *rows = result && v->ndim > 0 ? with_first(result, dim) : kdl_tensor_retain(result);
    kdl_tensor *sources[] = { g, v->ndim > 0 ? with_first(v, dim) : kdl_tensor_retain(v) };
    kdl__op op = { .class = &kdl__op_weight_norm, .integer = { g->numel } };
    if (rows)
        kdl__whole_apply(rows, &op, 2, sources, module->class->name);
    kdl_tensor_release(sources[1]);
    kdl_tensor_release(rows);
    if (!kdl__failed(module->ctx))
        return result;
    kdl_tensor_release(result);
    return NULL;
}

static kdl_tensor *weight_norm_forward(kdl_module *module, int count, kdl_tensor *const *originals)
{
    kdl_context *ctx = module->ctx;
    if (count != 2) {
        kdl__fail_at(ctx, module->class->name, KDL_ERROR_TYPE, "two originals are needed");
        return NULL;
    }
    const kdl__tape *tape = kdl__no_grad(ctx);
    kdl_tensor *result = weight_norm(module, originals[0], originals[1]);
    ctx->tape = tape;
    if (result && (kdl__tape_wants(originals[0]) || kdl__tape_wants(originals[1])))
        tape->derived(result, KDL__DERIVED_WEIGHT_NORM, weight_norm_dim(module, originals[1]),
                      originals);
    return result;
}

static int weight_norm_inverse(kdl_module *module, kdl_tensor *weight, kdl_tensor **originals)
{
    const weight_norm_fields *fields = kdl_module_fields(module);
    int dim = weight_norm_dim(module, weight);
    if (dim < -1) {
        fail_dim(module->ctx, weight->ndim, ",", fields->dim);
        return 0;
    }
    originals[0] = kdl__norm_except_dim(weight, dim, module->class->name);
    originals[1] = kdl_tensor_retain(weight);
    return 2;
}

static const kdl_module_class weight_norm_class = {
    .name = "_WeightNorm",
    .fields_nbytes = sizeof(weight_norm_fields),
    .parametrize = weight_norm_forward,
    .right_inverse = weight_norm_inverse,
};

/* Moves the entry of a key, if it is there; NULL keys (out of memory) move nothing. */
static void move_entry(kdl_state_dict *state_dict, const char *from, const char *to)
{
    if (!from || !to)
        return;
    kdl_tensor *tensor = kdl_tensor_retain(kdl_state_dict_get(state_dict, from));
    if (tensor && kdl_state_dict_remove(state_dict, from) == KDL_OK)
        kdl_state_dict_set(state_dict, to, kdl_tensor_retain(tensor));
    kdl_tensor_release(tensor);
}

/*
 * Before loading: what torch.nn.utils.weight_norm called weight_g and weight_v are the originals.
 */
static void rename_old_keys(kdl_module *module, kdl_state_dict *state_dict, const char *prefix,
                            kdl_incompatible_keys *keys, void *name)
{
    (void)keys;
    const char *tensor = name;
    kdl_context *ctx = module->ctx;
    char *g = kdl__asprintf(ctx, "%s%s_g", prefix, tensor);
    char *v = kdl__asprintf(ctx, "%s%s_v", prefix, tensor);
    if (g && v && kdl_state_dict_contains(state_dict, g) &&
        kdl_state_dict_contains(state_dict, v)) {
        char *first = kdl__asprintf(ctx, "%sparametrizations.%s.original0", prefix, tensor);
        char *second = kdl__asprintf(ctx, "%sparametrizations.%s.original1", prefix, tensor);
        move_entry(state_dict, g, first);
        move_entry(state_dict, v, second);
        kdl_free(ctx, first);
        kdl_free(ctx, second);
    }
    kdl_free(ctx, g);
    kdl_free(ctx, v);
}

kdl_status kdl_parametrizations_weight_norm_with(kdl_module *module,
                                                 const kdl_weight_norm_options *given)
{
    kdl_weight_norm_options options = KDL_WEIGHT_NORM_DEFAULTS;
    if (kdl__module_refuses(module) ||
        !kdl__read_options(module->ctx, __func__, &options, sizeof options, given))
        return kdl__module_refusal(module);
    kdl_module *parametrization = kdl_module_new(module->ctx, &weight_norm_class);
    weight_norm_fields *fields = kdl_module_fields(parametrization);
    if (fields)
        fields->dim = options.dim == KDL_NONE_INT ? -1 : options.dim;
    const char *name = kdl__intern(module->ctx, options.name, strlen(options.name));
    if (kdl_register_parametrization(module, options.name, parametrization, .unsafe = true) ==
        KDL_OK)
        kdl_register_load_state_dict_pre_hook(module, rename_old_keys, (void *)(uintptr_t)name);
    return module->ctx->status;
}

/* ---- spectral_norm ----------------------------------------------------------------------- */

typedef struct spectral_norm_fields {
    int dim;
    int64_t n_power_iterations;
    double eps;
} spectral_norm_fields;

/* x.copy_(normalize(x)): a round of the power method from a matrix of one column, and 1. */
static void normalize(kdl_tensor *x, kdl_tensor *column, double eps)
{
    kdl_tensor *one = kdl_ones(column->ctx, KDL_SHAPE(1), .dtype = kdl_tensor_dtype(column));
    kdl__op op = { .class = &kdl__op_power_u,
                   .number = { eps },
                   .integer = { column->numel, 1, 1 } };
    kdl__whole_apply(x, &op, 2, (kdl_tensor *[]){ one, column }, "_SpectralNorm");
    kdl_tensor_release(one);
}

/* _power_method(): `matrix` has the weight's dimension `dim` first. */
static void iterate(kdl_module *module, kdl_tensor *matrix, int64_t rounds)
{
    const spectral_norm_fields *fields = kdl_module_fields(module);
    kdl_tensor *u = kdl_buffer(module, "_u"), *v = kdl_buffer(module, "_v");
    kdl__op op = { .class = &kdl__op_power_u,
                   .number = { fields->eps },
                   .integer = { u->numel, v->numel, rounds } };
    kdl__whole_apply(u, &op, 2, (kdl_tensor *[]){ v, matrix }, "_SpectralNorm");
    op.class = &kdl__op_power_v;
    kdl__whole_apply(v, &op, 2, (kdl_tensor *[]){ v, matrix }, "_SpectralNorm");
}

/* weight / (u . weight v), without a record. */
static kdl_tensor *spectral_norm(kdl_module *module, kdl_tensor *weight)
{
    const spectral_norm_fields *fields = kdl_module_fields(module);
    kdl_context *ctx = module->ctx;
    kdl_tensor *result =
        kdl_empty(ctx, kdl_tensor_shape(weight), .dtype = kdl_tensor_dtype(weight));
    kdl_tensor *matrix = weight->ndim > 1 ? with_first(weight, fields->dim) : NULL;
    kdl_tensor *rows = result && matrix ? with_first(result, fields->dim) : NULL;
    if (result && weight->ndim == 1)
        normalize(result, weight, fields->eps);
    if (rows) {
        if (kdl_module_training(module))
            iterate(module, matrix, fields->n_power_iterations);
        kdl_tensor *u = kdl_buffer(module, "_u"), *v = kdl_buffer(module, "_v");
        kdl__op op = { .class = &kdl__op_spectral_norm, .integer = { u->numel, v->numel } };
        kdl__whole_apply(rows, &op, 3, (kdl_tensor *[]){ u, v, matrix }, "_SpectralNorm");
    }
    kdl_tensor_release(matrix);
    kdl_tensor_release(rows);
    if (!kdl__failed(ctx))
        return result;
    kdl_tensor_release(result);
    return NULL;
}

/* What the next step of the power method must not change; of a vector, the least length. */
static void record_spectral_norm(kdl_module *module, kdl_tensor *weight, kdl_tensor *result)
{
    const spectral_norm_fields *fields = kdl_module_fields(module);
    const kdl__tape *tape = module->ctx->tape;
    if (weight->ndim == 1) {
        kdl_tensor *eps = kdl_full(module->ctx, KDL_SCALAR_SHAPE, fields->eps, .dtype = KDL_F64);
        if (eps && kdl_tensor_data(eps))
            tape->derived(result, KDL__DERIVED_UNIT_VECTOR, 0, (kdl_tensor *[]){ weight, eps });
        kdl_tensor_release(eps);
        return;
    }
    kdl_tensor *u = kdl_clone(kdl_buffer(module, "_u")), *v = kdl_clone(kdl_buffer(module, "_v"));
    if (u && v)
        tape->derived(result, KDL__DERIVED_SPECTRAL_NORM, fields->dim,
                      (kdl_tensor *[]){ weight, u, v });
    kdl_tensor_release(u);
    kdl_tensor_release(v);
}

static kdl_tensor *spectral_norm_forward(kdl_module *module, kdl_tensor *weight)
{
    kdl_context *ctx = module->ctx;
    const kdl__tape *tape = kdl__no_grad(ctx);
    kdl_tensor *result = spectral_norm(module, weight);
    ctx->tape = tape;
    if (result && kdl__tape_wants(weight))
        record_spectral_norm(module, weight, result);
    if (!kdl__failed(ctx))
        return result;
    kdl_tensor_release(result);
    return NULL;
}

static int spectral_norm_inverse(kdl_module *module, kdl_tensor *value, kdl_tensor **originals)
{
    (void)module;
    originals[0] = kdl_tensor_retain(value);
    return 1;
}

static const kdl_module_class spectral_norm_class = {
    .name = "_SpectralNorm",
    .fields_nbytes = sizeof(spectral_norm_fields),
    .forward = spectral_norm_forward,
    .right_inverse = spectral_norm_inverse,
};

/* A vector from N(0, 1), normalised. */
static void add_vector(kdl_module *module, const char *name, int64_t size, kdl_dtype dtype)
{
    const spectral_norm_fields *fields = kdl_module_fields(module);
    kdl_tensor *vector = kdl_empty(module->ctx, KDL_SHAPE(size), .dtype = dtype);
    if (vector && kdl_normal_(vector, 0, 1) == KDL_OK)
        normalize(vector, vector, fields->eps);
    kdl_register_buffer(module, name, vector);
}

/* _SpectralNorm(weight, ...); `dim` is one of the weight's. */
static kdl_module *make_spectral_norm(kdl_tensor *weight, const kdl_spectral_norm_options *options,
                                      int dim)
{
    kdl_module *module = kdl_module_new(weight->ctx, &spectral_norm_class);
    kdl_tensor *matrix = module && weight->ndim > 1 ? with_first(weight, dim) : NULL;
    if (module)
        *(spectral_norm_fields *)kdl_module_fields(module) =
            (spectral_norm_fields){ dim, options->n_power_iterations, options->eps };
    if (matrix) {
        int64_t height = matrix->dims[0], width = 1;
        for (int d = 1; d < matrix->ndim; d++)
            width *= matrix->dims[d];
        add_vector(module, "_u", height, kdl_tensor_dtype(weight));
        add_vector(module, "_v", width, kdl_tensor_dtype(weight));
        if (!kdl__failed(weight->ctx))
            iterate(module, matrix, 15);
    }
    kdl_tensor_release(matrix);
    return kdl__module_finish(module);
}

static bool is_conv_transpose(const kdl_module *module)
{
    return kdl_isinstance(module, KDL_CLASS_CONV_TRANSPOSE1D) ||
           kdl_isinstance(module, KDL_CLASS_CONV_TRANSPOSE2D) ||
           kdl_isinstance(module, KDL_CLASS_CONV_TRANSPOSE3D);
}

static void add_spectral_norm(kdl_module *module, const kdl_spectral_norm_options *options)
{
    static const char place[] = "kdl_parametrizations_spectral_norm";
    kdl_tensor *weight = kdl__tensor_to_parametrize(module, options->name, place);
    if (!weight)
        return;
    int64_t ndim = weight->ndim, dim = options->dim;
    if (dim == KDL_NONE_INT)
        dim = is_conv_transpose(module);
    if (dim >= ndim || dim < -ndim)
        fail_dim(module->ctx, (int)ndim, "", dim);
    else if (options->n_power_iterations <= 0)
        kdl__fail_at(module->ctx, place, KDL_ERROR_VALUE,
                     "Expected n_power_iterations to be positive, but got n_power_iterations=%lld",
                     (long long)options->n_power_iterations);
    else
        kdl_register_parametrization(
            module, options->name,
            make_spectral_norm(weight, options, (int)(dim < 0 ? dim + ndim : dim)));
    kdl_tensor_release(weight);
}

kdl_status kdl_parametrizations_spectral_norm_with(kdl_module *module,
                                                   const kdl_spectral_norm_options *given)
{
    kdl_spectral_norm_options options = KDL_SPECTRAL_NORM_DEFAULTS;
    if (!kdl__module_refuses(module) &&
        kdl__read_options(module->ctx, __func__, &options, sizeof options, given)) {
        const kdl__tape *tape = kdl__no_grad(module->ctx);
        add_spectral_norm(module, &options);
        module->ctx->tape = tape;
    }
    return kdl__module_refusal(module);
}
