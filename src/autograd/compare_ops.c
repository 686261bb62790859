/* SPDX-License-Identifier: Apache-2.0 */
/* Functions without gradients: comparisons of tensors, masks of them, one_hot. */
#include <string.h>

#include "autograd/function.h"
#include "kindling/functional.h"
#include "kindling/ops.h"

/* ---- comparisons ------------------------------------------------------------------------- */

#define DEFINE_LOOP(name, type, test)                                                              \
    static void name(const void *arguments, char *const *data, const int64_t *strides, int64_t n)  \
    {                                                                                              \
        (void)arguments;                                                                           \
        for (int64_t i = 0; i < n; i++) {                                                          \
            const type a = *(const type *)(data[1] + i * strides[1]);                              \
            const type b = *(const type *)(data[2] + i * strides[2]);                              \
            *(unsigned char *)(data[0] + i * strides[0]) = test;                                   \
        }                                                                                          \
    }
#define DEFINE_LOOPS(name, test)                                                                   \
    DEFINE_LOOP(name##_f32, float, test)                                                           \
    DEFINE_LOOP(name##_f64, double, test)                                                          \
    DEFINE_LOOP(name##_i64, int64_t, test)                                                         \
    static kdl__inner_loop *const name##_loops[] = { name##_f32, name##_f64, name##_i64 };

DEFINE_LOOPS(eq, a == b)
DEFINE_LOOPS(ne, a != b)
DEFINE_LOOPS(lt, a < b)
DEFINE_LOOPS(le, a <= b)
DEFINE_LOOPS(gt, a > b)
DEFINE_LOOPS(ge, a >= b)
DEFINE_LOOPS(logical_and, a != 0 && b != 0)
DEFINE_LOOPS(logical_or, a != 0 || b != 0)
DEFINE_LOOPS(logical_xor, (a != 0) != (b != 0))

/* Which loop a dtype is compared by, and in which dtype. */
static int loop_of(kdl_dtype dtype, kdl_dtype *computed)
{
    int index = dtype == KDL_F64 ? 1 : kdl_dtype_is_floating_point(dtype) ? 0 : 2;
    *computed = (kdl_dtype[]){ KDL_F32, KDL_F64, KDL_I64 }[index];
    return index;
}

static kdl_tensor *compare(kdl_tensor *a, kdl_tensor *b, kdl__inner_loop *const *loops,
                           const char *place)
{
    kdl_tensor *both[] = { a, b };
    if (!kdl__usable(place, 2, both))
        return NULL;
    kdl_shape shape = kdl_tensor_shape(a);
    if (!kdl__broadcast(a->ctx, &shape, b))
        return NULL;
    kdl_dtype computed;
    int index = loop_of(kdl__result_type(a, b), &computed);
    kdl__scope scope = { 0 };
    const kdl__tape *tape = kdl__no_grad(a->ctx);
    kdl_tensor *left = kdl__hold(&scope, kdl_to(a, computed));
    kdl_tensor *right = kdl__hold(&scope, kdl_to(b, computed));
    kdl_tensor *result = kdl__new_values(a->ctx, KDL_BOOL, shape.ndim, shape.sizes);
    if (left && right && result)
        kdl__loop_run((kdl_tensor *[]){ result, left, right }, 3, loops[index], NULL);
    a->ctx->tape = tape;
    return kdl__close(&scope, result);
}

#define DEFINE_COMPARISON(public, name)                                                            \
    kdl_tensor *public(kdl_tensor * a, kdl_tensor * b)                                             \
    {                                                                                              \
        return compare(a, b, name##_loops, __func__);                                              \
    }
DEFINE_COMPARISON(kdl_eq_tensor, eq)
DEFINE_COMPARISON(kdl_ne_tensor, ne)
DEFINE_COMPARISON(kdl_lt_tensor, lt)
DEFINE_COMPARISON(kdl_le_tensor, le)
DEFINE_COMPARISON(kdl_gt_tensor, gt)
DEFINE_COMPARISON(kdl_ge_tensor, ge)
DEFINE_COMPARISON(kdl_logical_and, logical_and)
DEFINE_COMPARISON(kdl_logical_or, logical_or)
DEFINE_COMPARISON(kdl_logical_xor, logical_xor)

kdl_tensor *kdl_logical_not(kdl_tensor *tensor)
{
    return kdl_eq(tensor, 0);
}

/* ---- one_hot ----------------------------------------------------------------------------- */

/* One more than the largest class, or what is given; 0 with an error. */
static int64_t class_count(const kdl_tensor *tensor, const int64_t *values, int64_t given)
{
    int64_t least = 0, most = -1;
    for (int64_t i = 0; i < tensor->numel; i++) {
        least = values[i] < least ? values[i] : least;
        most = values[i] > most ? values[i] : most;
    }
    const char *what = NULL;
    if (least < 0)
        what = "Class values must be non-negative.";
    else if (given == KDL_NONE_INT || given == -1)
        what = tensor->numel ? NULL : "Can not infer total number of classes from empty tensor.";
    else if (given < 1)
        what = "num_classes should be positive";
    else if (most >= given)
        what = "Class values must be smaller than num_classes.";
    if (what)
        kdl__fail_at(tensor->ctx, "kdl_f_one_hot", KDL_ERROR_RUNTIME, "%s", what);
    return what ? 0 : given == KDL_NONE_INT || given == -1 ? most + 1 : given;
}

kdl_tensor *kdl_f_one_hot(kdl_tensor *tensor, int64_t num_classes)
{
    kdl__scope scope = { 0 };
    if (kdl__refuses(tensor) || !kdl__ndim_allowed(tensor->ctx, tensor->ndim + 1))
        return NULL;
    if (tensor->storage->dtype != KDL_I64) {
        kdl__fail(tensor->ctx, KDL_ERROR_RUNTIME,
                  "one_hot is only applicable to index tensor of type LongTensor.");
        return NULL;
    }
    kdl_tensor *rows = kdl__hold(&scope, kdl_contiguous(tensor)), *result = NULL;
    const int64_t *values = rows ? kdl_tensor_data(rows) : NULL;
    int64_t classes = values ? class_count(tensor, values, num_classes) : 0;
    kdl_shape shape = kdl_tensor_shape(tensor);
    shape.sizes[shape.ndim++] = classes;
    if (classes)
        result = kdl__new_values(tensor->ctx, KDL_I64, shape.ndim, shape.sizes);
    if (result) {
        int64_t *to = result->storage->data;
        memset(to, 0, kdl_tensor_nbytes(result));
        for (int64_t i = 0; i < tensor->numel; i++)
            to[i * classes + values[i]] = 1;
    }
    return kdl__close(&scope, result);
}
