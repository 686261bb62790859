/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gradients of the orthogonal parametrization's maps, in double as the maps are, on batches
 * (b, n, k) of matrices with n >= k.
 */
#include <math.h>
#include <string.h>

#include "autograd/parametrize_ops.h"
#include "init/linear_algebra.h"
#include "kindling/functional.h"

enum { MATRIX_EXP, CAYLEY, HOUSEHOLDER }; /* as kdl__op_orthogonal_map numbers them */

static double *values_of(const kdl_tensor *tensor)
{
    return (double *)tensor->storage->data + tensor->offset;
}

/* Matrix `index` of a batch. */
static double *matrix_of(const kdl_tensor *batch, int64_t index)
{
    return values_of(batch) + index * batch->dims[1] * batch->dims[2];
}

static kdl_tensor *zeros(kdl_context *ctx, int64_t batch, int64_t n, int64_t k)
{
    int64_t sizes[] = { batch, n, k };
    kdl_tensor *result = kdl__new_values(ctx, KDL_F64, 3, sizes);
    if (result)
        memset(result->storage->data, 0, kdl_tensor_nbytes(result));
    return result;
}

/* ---- skew-symmetric matrices --------------------------------------------------------------- */

/* scale (L - L') of the lower triangles L of x (b, n, k), n x n. */
static kdl_tensor *skew_of(const kdl_tensor *x, double scale)
{
    int64_t n = x->dims[1], k = x->dims[2];
    kdl_tensor *a = zeros(x->ctx, x->dims[0], n, n);
    for (int64_t b = 0; a && b < x->dims[0]; b++) {
        const double *from = matrix_of(x, b);
        double *to = matrix_of(a, b);
        for (int64_t i = 0; i < n; i++) {
            for (int64_t j = 0; j < k && j < i; j++) {
                to[i * n + j] = scale * from[i * k + j];
                to[j * n + i] = -scale * from[i * k + j];
            }
        }
    }
    return a;
}

/* The gradient (b, n, k) of what skew_of() took, from that of A = L - L'. */
static kdl_tensor *lower_of(const kdl_tensor *a, int64_t k)
{
    int64_t n = a ? a->dims[1] : 0;
    kdl_tensor *x = a ? zeros(a->ctx, a->dims[0], n, k) : NULL;
    for (int64_t b = 0; x && b < a->dims[0]; b++) {
        const double *from = matrix_of(a, b);
        double *to = matrix_of(x, b);
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < k && j < i; j++)
                to[i * k + j] = from[i * n + j] - from[j * n + i];
    }
    return x;
}

static void add_identity(kdl_tensor *a, double scale)
{
    for (int64_t b = 0; a && b < a->dims[0]; b++)
        for (int64_t i = 0; i < a->dims[1] && i < a->dims[2]; i++)
            matrix_of(a, b)[i * a->dims[2] + i] += scale;
}

/* ---- matrix_exp -------------------------------------------------------------------------- */

/* A function's values of matrices, and how they change along given ones. */
typedef struct dual {
    kdl_tensor *value, *slope; /* one reference each; NULL: an error stands */
} dual;

static void release_dual(dual d)
{
    kdl_tensor_release(d.value);
    kdl_tensor_release(d.slope);
}

/* scale a b. */
static dual multiply(dual a, dual b, double scale)
{
    dual result = { kdl__multiply(a.value, b.value, scale),
                    kdl__multiply(a.slope, b.value, scale) };
    kdl_tensor *other = kdl__multiply(a.value, b.slope, scale);
    if (result.slope && other)
        kdl__accumulate(result.slope, other, 1);
    kdl_tensor_release(other);
    return result;
}

/* I + scale a b, in the place of b. */
static dual next_degree(dual a, dual b, double scale)
{
    dual result = multiply(a, b, scale);
    add_identity(result.value, 1);
    release_dual(b);
    return result;
}

/* The largest sum of a row's magnitudes in a batch. */
static double norm_of_rows(const kdl_tensor *a)
{
    int64_t n = a->dims[2];
    double largest = 0;
    for (int64_t i = 0; n && i < a->numel / n; i++) {
        double sum = 0;
        for (int64_t j = 0; j < n; j++)
            sum += fabs(values_of(a)[i * n + j]);
        if (!(sum <= largest))
            largest = sum;
    }
    return largest;
}

/*
 * How exp changes at `a` along `direction`, by scaling and squaring as kdl__matrix_exp() computes
 * it. With a' for a it takes gradients of exp(a) to those of a. Consumes both.
 */
static kdl_tensor *exp_slope(kdl_tensor *a, kdl_tensor *direction)
{
    enum { DEGREE = 12 };
    dual scaled = { a, direction };
    dual result = { NULL, NULL };
    int squarings = 0;
    double norm = a && direction ? norm_of_rows(a) : 0;
    if (isfinite(norm) && norm > 0)
        frexp(norm * 4, &squarings);
    squarings = squarings > 0 ? squarings : 0;
    if (a && direction) {
        kdl_mul_(a, ldexp(1, -squarings));
        kdl_mul_(direction, ldexp(1, -squarings));
        result.value = zeros(a->ctx, a->dims[0], a->dims[1], a->dims[2]);
        result.slope = zeros(a->ctx, a->dims[0], a->dims[1], a->dims[2]);
        add_identity(result.value, 1);
    }
    for (int degree = DEGREE; degree > 0 && result.slope; degree--)
        result = next_degree(scaled, result, 1.0 / degree);
    for (int i = 0; i < squarings && result.slope; i++) {
        dual square = multiply(result, result, 1);
        release_dual(result);
        result = square;
    }
    release_dual(scaled);
    kdl_tensor_release(result.value);
    return result.slope;
}

/* The gradient in the first columns of square matrices. */
static kdl_tensor *widened(const kdl_tensor *grad)
{
    int64_t n = grad->dims[1], k = grad->dims[2];
    kdl_tensor *wide = zeros(grad->ctx, grad->dims[0], n, n);
    for (int64_t i = 0; wide && i < grad->dims[0] * n; i++)
        memcpy(values_of(wide) + i * n, values_of(grad) + i * k, (size_t)k * sizeof(double));
    return wide;
}

static kdl_tensor *exp_gradient(const kdl_tensor *x, const kdl_tensor *grad)
{
    return exp_slope(skew_of(x, -1), widened(grad));
}

/* ---- cayley ------------------------------------------------------------------------------ */

/* (I + scale A)^-1 b, in the place of b. */
static void solve_all(const kdl_tensor *x, double scale, kdl_tensor *b)
{
    kdl_tensor *left = b ? skew_of(x, scale) : NULL;
    add_identity(left, 1);
    for (int64_t i = 0; left && i < b->dims[0]; i++)
        kdl__solve(matrix_of(left, i), matrix_of(b, i), (size_t)b->dims[1], (size_t)b->dims[2]);
    kdl_tensor_release(left);
}

/*
 * Of (I - A/2) Q = I + A/2 the change is (I - A/2) dQ = dA/2 (I + Q): so A's gradient is
 * (I + A/2)^-1 G (I + Q)' / 2, in which only the first columns count.
 */
static kdl_tensor *cayley_gradient(const kdl_tensor *x, kdl_tensor *grad)
{
    kdl__scope scope = { 0 };
    kdl_tensor *right = kdl__hold(&scope, skew_of(x, 0.5)), *first = NULL;
    add_identity(right, 1);
    if (right)
        first = kdl__hold(&scope, kdl_narrow(right, 2, 0, x->dims[2]));
    kdl_tensor *q = kdl__hold(&scope, kdl_clone(first));
    q = kdl__hold(&scope, kdl__in_rows(q));
    solve_all(x, -0.5, q);
    add_identity(q, 1);
    kdl_tensor *w = kdl__hold(&scope, kdl_clone(grad));
    solve_all(x, 0.5, w);
    kdl_tensor *turned = kdl__hold(&scope, kdl_transpose(q, 1, 2));
    return kdl__close(&scope, kdl__multiply(w, turned, 0.5));
}

/* ---- householder ------------------------------------------------------------------------- */

/* One matrix of each, n x k. */
typedef struct reflection {
    double *q;     /* the product of the reflectors from `at` on */
    double *grad;  /* that of q */
    double *v;     /* the reflector, of n elements */
    double *along; /* q' v and then grad' v, of k elements each */
    int64_t n, k, at;
} reflection;

/* along = m' v. */
static void project(const reflection *r, const double *m, double *along)
{
    memset(along, 0, (size_t)r->k * sizeof *along);
    for (int64_t i = r->at; i < r->n; i++)
        for (int64_t j = 0; j < r->k; j++)
            along[j] += r->v[i] * m[i * r->k + j];
}

/* m -= tau v along'. */
static void subtract(const reflection *r, double *m, double tau, const double *along)
{
    for (int64_t i = r->at; i < r->n; i++)
        for (int64_t j = 0; j < r->k; j++)
            m[i * r->k + j] -= tau * r->v[i] * along[j];
}

/*
 * Takes the reflector I - tau v v', tau = 2 / v'v, off q and its gradient, and gives v's:
 * -tau (G q'v + q G'v) + tau^2 (q'v . G'v) v, with q as it is without the reflector. Column
 * `at` of the result becomes that.
 */
static void take_off(const reflection *r, double *column)
{
    double *uses = r->along, *slopes = r->along + r->k, norm = 0, both = 0;
    for (int64_t i = r->at; i < r->n; i++)
        norm += r->v[i] * r->v[i];
    const double tau = 2 / norm;
    project(r, r->q, uses);
    subtract(r, r->q, tau, uses);
    project(r, r->q, uses);
    project(r, r->grad, slopes);
    for (int64_t j = 0; j < r->k; j++)
        both += uses[j] * slopes[j];
    for (int64_t i = r->at + 1; i < r->n; i++) {
        double sum = 0;
        for (int64_t j = 0; j < r->k; j++)
            sum += r->grad[i * r->k + j] * uses[j] + r->q[i * r->k + j] * slopes[j];
        column[i * r->k] = -tau * sum + tau * tau * both * r->v[i];
    }
    subtract(r, r->grad, tau, slopes);
}

/* One matrix, whose gradient goes to `out`, zeroed; `space` has 2 n k + n + 2 k elements. */
static void reflect_back(const double *x, const double *grad, int64_t n, int64_t k, double *space,
                         double *out)
{
    reflection r = { .q = space, .grad = space + n * k, .n = n, .k = k };
    r.v = r.grad + n * k;
    r.along = r.v + n;
    memcpy(r.grad, x, (size_t)(n * k) * sizeof *x);
    for (int64_t i = 0; i < k; i++)
        r.grad[i * k + i] = 1; /* in place of the factors of the columns */
    kdl__householder_product(r.grad, (size_t)n, (size_t)k, r.q);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < k; j++)
            r.grad[i * k + j] = grad[i * k + j] * trunc(x[j * k + j]);
    for (r.at = 0; r.at < k; r.at++) {
        r.v[r.at] = 1;
        for (int64_t i = r.at + 1; i < n; i++)
            r.v[i] = x[i * k + r.at];
        take_off(&r, out + r.at);
    }
}

static kdl_tensor *householder_gradient(const kdl_tensor *x, const kdl_tensor *grad)
{
    int64_t n = x->dims[1], k = x->dims[2];
    kdl_tensor *result = zeros(x->ctx, x->dims[0], n, k);
    double *space =
        kdl__alloc(x->ctx, (size_t)(n * k + n + k), 2 * sizeof *space); /* more than enough */
    for (int64_t b = 0; result && space && b < x->dims[0]; b++)
        reflect_back(matrix_of(x, b), matrix_of(grad, b), n, k, space, matrix_of(result, b));
    kdl_free(x->ctx, space);
    return result;
}

/* ---- all --------------------------------------------------------------------------------- */

/* In f64 and in rows, as (b, n, k) with n >= k: turned where it is wide. One reference. */
static kdl_tensor *as_batch(kdl_tensor *tensor, bool wide)
{
    kdl__scope scope = { 0 };
    kdl_tensor *turned = tensor && wide ? kdl__hold(&scope, kdl_transpose(tensor, -2, -1)) : tensor;
    kdl_tensor *rows = kdl__hold(&scope, kdl_to(turned, KDL_F64));
    rows = kdl__hold(&scope, kdl__in_rows(rows));
    if (!rows)
        return kdl__close(&scope, NULL);
    int64_t n = rows->dims[rows->ndim - 2], k = rows->dims[rows->ndim - 1], each = n * k;
    const kdl_shape shape = KDL_SHAPE(each ? rows->numel / each : 0, n, k);
    return kdl__close(&scope, kdl_reshape(rows, shape));
}

/* Back to the sizes of x. One reference. */
static kdl_tensor *from_batch(kdl_tensor *batch, const kdl_tensor *x, bool wide)
{
    kdl__scope scope = { 0 };
    kdl_shape shape = kdl_tensor_shape(x);
    int last = x->ndim - 1;
    if (wide) {
        shape.sizes[last] = x->dims[last - 1];
        shape.sizes[last - 1] = x->dims[last];
    }
    kdl_tensor *result = kdl__hold(&scope, kdl_reshape(batch, shape));
    if (wide)
        result = kdl__hold(&scope, kdl_transpose(result, -2, -1));
    return kdl__close(&scope, kdl_to(result, x->storage->dtype));
}

static kdl_tensor *gradient_of(int64_t map, const kdl_tensor *x, kdl_tensor *grad)
{
    if (!x || !grad)
        return NULL;
    if (map == HOUSEHOLDER)
        return householder_gradient(x, grad);
    kdl_tensor *a = map == MATRIX_EXP ? exp_gradient(x, grad) : cayley_gradient(x, grad);
    kdl_tensor *result = lower_of(a, x->dims[2]);
    kdl_tensor_release(a);
    return result;
}

/* integers: the map, whether there is a base; saved: x, the base. */
static void orthogonal_backward(kdl__function *function, kdl_tensor *grad)
{
    kdl__scope scope = { 0 };
    kdl_tensor *x = kdl__saved_value(function, 0), *base = kdl__saved_value(function, 1);
    if (!x || (!base && function->integers[1]))
        return;
    bool wide = x->dims[x->ndim - 2] < x->dims[x->ndim - 1];
    kdl_tensor *from = kdl__hold(&scope, as_batch(x, wide));
    kdl_tensor *g = kdl__hold(&scope, as_batch(grad, wide));
    if (base) {
        kdl_tensor *basis = kdl__hold(&scope, as_batch(base, false));
        kdl_tensor *turned = kdl__hold(&scope, kdl_transpose(basis, 1, 2));
        g = kdl__hold(&scope, kdl__multiply(turned, g, 1));
    }
    kdl_tensor *result = kdl__hold(&scope, gradient_of(function->integers[0], from, g));
    kdl__give(function, 0, result ? from_batch(result, x, wide) : NULL);
    kdl__close(&scope, NULL);
}

static const kdl__function_class orthogonal_class = { "OrthogonalBackward0", orthogonal_backward };

void kdl__record_orthogonal(kdl_tensor *result, int map, kdl_tensor *x, kdl_tensor *base)
{
    kdl__function *function = kdl__record(result, &orthogonal_class, 1, x);
    if (function) {
        function->integers[0] = map;
        function->integers[1] = base != NULL;
    }
    kdl__save(function, 0, x);
    kdl__save(function, 1, base);
}
