/* SPDX-License-Identifier: Apache-2.0 */
/* torch.nn.utils.parametrizations.orthogonal. */
#include <string.h>

#include "init/whole.h"
#include "nn/module_impl.h"
#include "tensor/tape.h"

/* In the order that kdl__op_orthogonal_map numbers them. */
static const char *const maps[] = { "matrix_exp", "cayley", "householder" };
enum { HOUSEHOLDER = 2, MAP_COUNT };

typedef struct orthogonal_fields {
    int64_t map;
    bool trivialized;
    kdl_shape shape; /* of the weight */
} orthogonal_fields;

static bool is_wide(const kdl_tensor *tensor)
{
    return tensor->dims[tensor->ndim - 2] < tensor->dims[tensor->ndim - 1];
}

/* A view as matrices that are not wide. */
static kdl_tensor *tall(kdl_tensor *tensor)
{
    int ndim = tensor->ndim;
    return is_wide(tensor) ? kdl_transpose(tensor, ndim - 2, ndim - 1) : kdl_tensor_retain(tensor);
}

/* Rows and columns of tall matrices. */
static int64_t rows_of(const kdl_tensor *matrices)
{
    return matrices->dims[matrices->ndim - 2];
}
static int64_t columns_of(const kdl_tensor *matrices)
{
    return matrices->dims[matrices->ndim - 1];
}

static bool check_dtype(const kdl_tensor *tensor, const char *function)
{
    kdl_dtype dtype = kdl_tensor_dtype(tensor);
    if (dtype != KDL_F32 && dtype != KDL_F64)
        kdl__fail_at(tensor->ctx, "_Orthogonal", KDL_ERROR_NOT_IMPLEMENTED,
                     "\"%s_cpu\" not implemented for '%s'", function, kdl_dtype_scalar_name(dtype));
    return !kdl__failed(tensor->ctx);
}

/* The tensor (consumed), or NULL, and it is released, when an error stands. */
static kdl_tensor *finish(kdl_context *ctx, kdl_tensor *tensor)
{
    if (!kdl__failed(ctx))
        return tensor;
    kdl_tensor_release(tensor);
    return NULL;
}

/* ---- forward ----------------------------------------------------------------------------- */

/* The base times the map of x, without a record. */
static kdl_tensor *map_of(const orthogonal_fields *fields, kdl_tensor *x, kdl_tensor *base)
{
    kdl_tensor *result = kdl_empty(x->ctx, kdl_tensor_shape(x), .dtype = kdl_tensor_dtype(x));
    kdl_tensor *matrices = result ? tall(result) : NULL, *given = matrices ? tall(x) : NULL;
    if (given) {
        kdl__op op = { .class = &kdl__op_orthogonal_map,
                       .integer = { fields->map, rows_of(given), columns_of(given),
                                    fields->trivialized } };
        kdl__whole_apply(matrices, &op, fields->trivialized ? 2 : 1,
                         (kdl_tensor *[]){ given, base }, "_Orthogonal");
    }
    kdl_tensor_release(given);
    kdl_tensor_release(matrices);
    return finish(x->ctx, result);
}

static kdl_tensor *orthogonal_forward(kdl_module *module, kdl_tensor *x)
{
    const orthogonal_fields *fields = kdl_module_fields(module);
    kdl_tensor *base = kdl_buffer(module, "base");
    if (!check_dtype(x, fields->map == HOUSEHOLDER ? "orgqr" : "geqrf"))
        return NULL;
    if (fields->trivialized && !base) {
        kdl__fail_at(module->ctx, "_Orthogonal", KDL_ERROR_TYPE,
                     "unsupported operand type(s) for @: 'NoneType' and 'Tensor'");
        return NULL;
    }
    const kdl__tape *tape = kdl__no_grad(module->ctx);
    kdl_tensor *result = map_of(fields, x, base);
    module->ctx->tape = tape;
    if (result && kdl__tape_wants(x))
        tape->derived(result, KDL__DERIVED_ORTHOGONAL, (int)fields->map,
                      (kdl_tensor *[]){ x, fields->trivialized ? base : NULL });
    return finish(module->ctx, result);
}

/* ---- right_inverse ----------------------------------------------------------------------- */

/* ValueError for another shape than that of the tensor the parametrization was made for. */
static bool check_shape(const kdl_module *module, const kdl_tensor *q)
{
    const orthogonal_fields *fields = kdl_module_fields(module);
    const kdl_shape *shape = &fields->shape;
    if (q->ndim == shape->ndim &&
        memcmp(q->dims, shape->sizes, (size_t)q->ndim * sizeof *q->dims) == 0)
        return true;
    kdl__fail_at(module->ctx, "_Orthogonal", KDL_ERROR_VALUE,
                 "Expected a matrix or batch of matrices of shape torch.Size(%s). Got a tensor of "
                 "shape torch.Size(%s).",
                 kdl__shape_text(shape->ndim, shape->sizes).chars,
                 kdl__shape_text(q->ndim, q->dims).chars);
    return false;
}

/* The matrices, then columns from N(0, 1) that make them square: one tensor. */
static kdl_tensor *complete(kdl_tensor *matrices)
{
    kdl_shape square = kdl_tensor_shape(matrices), rest = square;
    int last = matrices->ndim - 1;
    int64_t n = rows_of(matrices), k = columns_of(matrices);
    square.sizes[last] = n;
    rest.sizes[last] = n - k;
    kdl_dtype dtype = kdl_tensor_dtype(matrices);
    kdl_tensor *drawn = n > k ? kdl_randn(matrices->ctx, rest, .dtype = dtype) : NULL;
    kdl_tensor *all = kdl_empty(matrices->ctx, square, .dtype = dtype);
    kdl_tensor *left = all ? kdl_narrow(all, last, 0, k) : NULL;
    kdl_tensor *right = drawn && all ? kdl_narrow(all, last, k, n - k) : NULL;
    if (left)
        kdl_copy_(left, matrices);
    if (right)
        kdl_copy_(right, drawn);
    kdl_tensor_release(drawn);
    kdl_tensor_release(left);
    kdl_tensor_release(right);
    return finish(matrices->ctx, all);
}

/* Registers the base of these matrices. */
static void set_base(kdl_module *module, kdl_tensor *matrices)
{
    kdl_tensor *square = complete(matrices);
    if (!square || !check_dtype(square, "geqrf")) {
        kdl_tensor_release(square);
        return;
    }
    kdl_tensor *base =
        kdl_empty(module->ctx, kdl_tensor_shape(square), .dtype = kdl_tensor_dtype(square));
    kdl__op op = { .class = &kdl__op_orthogonal_base,
                   .integer = { rows_of(square), columns_of(matrices) == rows_of(square) } };
    kdl__whole_apply(base, &op, 1, &square, "_Orthogonal");
    kdl_tensor_release(square);
    base = finish(module->ctx, base);
    if (base)
        kdl_register_buffer(module, "base", base);
}

/* -I, or a batch of it, as wide as the tensor. */
static kdl_tensor *negative_identity(kdl_tensor *tensor)
{
    int last = tensor->ndim - 1;
    kdl_tensor *result =
        kdl_zeros(tensor->ctx, kdl_tensor_shape(tensor), .dtype = kdl_tensor_dtype(tensor));
    if (!result)
        return NULL;
    int64_t sizes[KDL_MAX_DIMS], strides[KDL_MAX_DIMS];
    memcpy(sizes, result->dims, (size_t)last * sizeof *sizes);
    memcpy(strides, result->strides, (size_t)last * sizeof *strides);
    sizes[last - 1] = is_wide(tensor) ? tensor->dims[last - 1] : tensor->dims[last];
    strides[last - 1] = result->strides[last - 1] + result->strides[last];
    kdl_tensor *diagonal = kdl__tensor_new(tensor->ctx, result->storage, 0, last, sizes, strides);
    if (diagonal)
        kdl_fill_(diagonal, -1);
    kdl_tensor_release(diagonal);
    return finish(tensor->ctx, result);
}

/* The reflectors of these matrices, in the layout of the tensor that they are a view of. */
static kdl_tensor *reflectors_of(kdl_tensor *tensor, kdl_tensor *matrices)
{
    kdl_tensor *result =
        kdl_empty(tensor->ctx, kdl_tensor_shape(tensor), .dtype = kdl_tensor_dtype(tensor));
    kdl_tensor *target = result ? tall(result) : NULL;
    kdl__op op = { .class = &kdl__op_reflectors,
                   .integer = { rows_of(matrices), columns_of(matrices) } };
    kdl__whole_apply(target, &op, 1, &matrices, "_Orthogonal");
    kdl_tensor_release(target);
    return finish(tensor->ctx, result);
}

static int orthogonal_inverse(kdl_module *module, kdl_tensor *q, kdl_tensor **originals)
{
    const orthogonal_fields *fields = kdl_module_fields(module);
    if (!check_shape(module, q))
        return 0;
    kdl_tensor *matrices = tall(q), *original = NULL;
    if (matrices && fields->trivialized) {
        set_base(module, matrices);
        original = kdl__failed(module->ctx) ? NULL : negative_identity(q);
    } else if (matrices && fields->map != HOUSEHOLDER) {
        kdl__fail_at(module->ctx, "_Orthogonal", KDL_ERROR_NOT_IMPLEMENTED,
                     "It is not possible to assign to the matrix exponential or the Cayley "
                     "parametrizations when use_trivialization=False.");
    } else if (matrices && check_dtype(q, "geqrf")) {
        original = reflectors_of(q, matrices);
    }
    kdl_tensor_release(matrices);
    originals[0] = original;
    return original != NULL;
}

static const kdl_module_class orthogonal_class = {
    .name = "_Orthogonal",
    .fields_nbytes = sizeof(orthogonal_fields),
    .forward = orthogonal_forward,
    .right_inverse = orthogonal_inverse,
};

/* ---- orthogonal -------------------------------------------------------------------------- */

/* The map's number; MAP_COUNT, and PyTorch's ValueError, for a name that is none. */
static int64_t find_map(const kdl_tensor *weight, const char *name)
{
    int64_t map = 0;
    if (!name)
        name = maps[weight->dims[weight->ndim - 2] == weight->dims[weight->ndim - 1] ? 0
                                                                                     : HOUSEHOLDER];
    while (map < MAP_COUNT && strcmp(maps[map], name) != 0)
        map++;
    if (map == MAP_COUNT)
        kdl__fail_at(weight->ctx, "kdl_parametrizations_orthogonal", KDL_ERROR_VALUE,
                     "orthogonal_map has to be one of \"matrix_exp\", \"cayley\", "
                     "\"householder\". Got: %s",
                     name);
    return map;
}

static kdl_module *make_orthogonal(const kdl_tensor *weight, int64_t map, bool trivialized)
{
    kdl_module *module = kdl_module_new(weight->ctx, &orthogonal_class);
    orthogonal_fields *fields = kdl_module_fields(module);
    if (!module)
        return NULL;
    *fields = (orthogonal_fields){ map, trivialized, kdl_tensor_shape(weight) };
    if (trivialized)
        kdl_register_buffer(module, "base", NULL);
    return kdl__module_finish(module);
}

static void add_orthogonal(kdl_module *module, const kdl_orthogonal_options *options)
{
    static const char place[] = "kdl_parametrizations_orthogonal";
    kdl_tensor *weight = kdl__tensor_to_parametrize(module, options->name, place);
    int64_t map = MAP_COUNT;
    if (weight && weight->ndim < 2)
        kdl__fail_at(module->ctx, place, KDL_ERROR_VALUE,
                     "Expected a matrix or batch of matrices. Got a tensor of %d dimensions.",
                     weight->ndim);
    else if (weight)
        map = find_map(weight, options->orthogonal_map);
    if (map < MAP_COUNT)
        kdl_register_parametrization(module, options->name,
                                     make_orthogonal(weight, map, options->use_trivialization),
                                     .unsafe = true);
    kdl_tensor_release(weight);
}

kdl_status kdl_parametrizations_orthogonal_with(kdl_module *module,
                                                const kdl_orthogonal_options *given)
{
    kdl_orthogonal_options options = KDL_ORTHOGONAL_DEFAULTS;
    if (!kdl__module_refuses(module) &&
        kdl__read_options(module->ctx, __func__, &options, sizeof options, given)) {
        const kdl__tape *tape = kdl__no_grad(module->ctx);
        add_orthogonal(module, &options);
        module->ctx->tape = tape;
    }
    return kdl__module_refusal(module);
}
