/* SPDX-License-Identifier: Apache-2.0 */
/* Distances, and the losses that compare them with a margin. */
#include <math.h>

#include "autograd/loss.h"
#include "kindling/ops.h"

/* max(x, 0) */
static kdl_tensor *positive(kdl_tensor *x)
{
    return kdl_clamp(x, 0, INFINITY);
}

/* ---- distances --------------------------------------------------------------------------- */

kdl_tensor *kdl_f_pairwise_distance(kdl_tensor *x1, kdl_tensor *x2, double p, double eps,
                                    bool keepdim)
{
    kdl__scope scope = { 0 };
    kdl_tensor *difference = kdl__hold(&scope, kdl_sub_tensor(x1, x2));
    kdl_tensor *moved = kdl__hold(&scope, kdl_add(difference, eps));
    return kdl__close(&scope, kdl_norm_dim(moved, p, -1, keepdim));
}

/* Norms along `dim`, at least `eps`; the gradient knows nothing of the limit, as in PyTorch. */
static kdl_tensor *norm_above(kdl_tensor *x, int dim, double eps)
{
    kdl__scope scope = { 0 };
    kdl_tensor *norm = kdl__hold(&scope, kdl_norm_dim(x, 2, dim, true));
    if (!norm)
        return kdl__close(&scope, NULL);
    const kdl__tape *tape = kdl__no_grad(x->ctx);
    kdl_tensor *most = kdl__hold(&scope, kdl_clamp(norm, eps, INFINITY));
    kdl_tensor *missing = kdl__hold(&scope, kdl_sub_tensor(most, norm));
    x->ctx->tape = tape;
    return kdl__close(&scope, kdl_add_tensor(norm, missing));
}

kdl_tensor *kdl_f_cosine_similarity(kdl_tensor *x1, kdl_tensor *x2, int dim, double eps)
{
    kdl__scope scope = { 0 };
    kdl_tensor *both[] = { x1, x2 };
    if (!kdl__usable(__func__, 2, both))
        return NULL;
    kdl_shape shape = kdl_tensor_shape(x1);
    if (!kdl__broadcast(x1->ctx, &shape, x2))
        return NULL;
    for (int i = 0; i < 2; i++) {
        kdl_tensor *x = kdl__hold(&scope, kdl_expand(both[i], shape));
        both[i] = kdl__hold(&scope, kdl_div_tensor(x, kdl__hold(&scope, norm_above(x, dim, eps))));
    }
    kdl_tensor *product = kdl__hold(&scope, kdl_mul_tensor(both[0], both[1]));
    return kdl__close(&scope, kdl_sum_dim(product, dim, false));
}

kdl_tensor *kdl_f_normalize(kdl_tensor *input, double p, int dim, double eps)
{
    kdl__scope scope = { 0 };
    kdl_tensor *norm = kdl__hold(&scope, kdl_norm_dim(input, p, dim, true));
    kdl_tensor *above = kdl__hold(&scope, kdl_clamp(norm, eps, INFINITY));
    return kdl__close(&scope, kdl_div_tensor(input, above));
}

/* ---- losses ------------------------------------------------------------------------------ */

kdl_tensor *kdl_f_margin_ranking_loss(kdl_tensor *x1, kdl_tensor *x2, kdl_tensor *target,
                                      double margin, kdl_reduction reduction)
{
    kdl_tensor *all[] = { x1, x2, target };
    if (!kdl__usable(__func__, 3, all))
        return NULL;
    if (x1->ndim != x2->ndim || x1->ndim != target->ndim) {
        kdl__fail(x1->ctx, KDL_ERROR_RUNTIME,
                  "margin_ranking_loss : All input tensors should have same dimension but got "
                  "sizes: input1: torch.Size(%s), input2: torch.Size(%s), target: torch.Size(%s) ",
                  kdl__shape_text(x1->ndim, x1->dims).chars,
                  kdl__shape_text(x2->ndim, x2->dims).chars,
                  kdl__shape_text(target->ndim, target->dims).chars);
        return NULL;
    }
    kdl__scope scope = { 0 };
    kdl_tensor *difference = kdl__hold(&scope, kdl_sub_tensor(x2, x1));
    kdl_tensor *product = kdl__hold(&scope, kdl_mul_tensor(difference, target));
    kdl_tensor *losses = positive(kdl__hold(&scope, kdl_add(product, margin)));
    return kdl__reduce_losses(kdl__close(&scope, losses), reduction);
}

/* (x1 . x2) / sqrt((x1 . x1 + eps) (x2 . x2 + eps)), along `dim` */
static kdl_tensor *cosine(kdl_tensor *x1, kdl_tensor *x2, int dim)
{
    static const double eps = 1e-12; /* PyTorch's EPSILON */
    kdl__scope scope = { 0 };
    kdl_tensor *products[3], *pairs[3][2] = { { x1, x2 }, { x1, x1 }, { x2, x2 } };
    for (int i = 0; i < 3; i++) {
        kdl_tensor *product = kdl__hold(&scope, kdl_mul_tensor(pairs[i][0], pairs[i][1]));
        products[i] = kdl__hold(&scope, kdl_sum_dim(product, dim, false));
    }
    kdl_tensor *a = kdl__hold(&scope, kdl_add(products[1], eps));
    kdl_tensor *b = kdl__hold(&scope, kdl_add(products[2], eps));
    kdl_tensor *root = kdl__hold(&scope, kdl_sqrt(kdl__hold(&scope, kdl_mul_tensor(a, b))));
    return kdl__close(&scope, kdl_div_tensor(products[0], root));
}

static bool check_cosine(const kdl_tensor *x1, const kdl_tensor *x2, const kdl_tensor *target)
{
    kdl_context *ctx = x1->ctx;
    bool fits = target->ndim <= 1 && x1->ndim == target->ndim + 1;
    if (target->ndim > 1)
        kdl__fail_at(ctx, "kdl_f_cosine_embedding_loss", KDL_ERROR_RUNTIME,
                     "0D or 1D target tensor expected, multi-target not supported");
    else if (!fits || !kdl__same_sizes(x1, x2))
        kdl__fail_at(ctx, "kdl_f_cosine_embedding_loss", KDL_ERROR_RUNTIME,
                     "%dD target tensor expects %dD input tensors, but found inputs with sizes "
                     "torch.Size(%s) and torch.Size(%s).",
                     target->ndim, target->ndim + 1, kdl__shape_text(x1->ndim, x1->dims).chars,
                     kdl__shape_text(x2->ndim, x2->dims).chars);
    return !kdl__failed(ctx);
}

kdl_tensor *kdl_f_cosine_embedding_loss(kdl_tensor *x1, kdl_tensor *x2, kdl_tensor *target,
                                        double margin, kdl_reduction reduction)
{
    kdl_tensor *all[] = { x1, x2, target };
    if (!kdl__usable(__func__, 3, all) || !check_cosine(x1, x2, target))
        return NULL;
    kdl__scope scope = { 0 };
    kdl_tensor *similarity = kdl__hold(&scope, cosine(x1, x2, target->ndim));
    kdl_tensor *far = kdl__hold(&scope, kdl_rsub(similarity, 1));
    kdl_tensor *near = kdl__hold(&scope, positive(kdl__hold(&scope, kdl_sub(similarity, margin))));
    kdl_tensor *zero = kdl__hold(&scope, kdl_zeros_like(similarity ? similarity : x1));
    kdl_tensor *alike = kdl__hold(&scope, kdl_eq(target, 1));
    kdl_tensor *unlike = kdl__hold(&scope, kdl_eq(target, -1));
    kdl_tensor *first = kdl__hold(&scope, kdl_where(alike, far, zero));
    kdl_tensor *second = kdl__hold(&scope, kdl_where(unlike, near, zero));
    kdl_tensor *losses = kdl_add_tensor(first, second);
    return kdl__reduce_losses(kdl__close(&scope, losses), reduction);
}

kdl_tensor *kdl__triplet_loss(kdl_tensor *to_positive, kdl_tensor *to_negative, kdl_tensor *between,
                              double margin, kdl_reduction reduction)
{
    kdl__scope scope = { 0 };
    if (between)
        to_negative = kdl__hold(&scope, kdl_minimum(to_negative, between));
    kdl_tensor *difference = kdl__hold(&scope, kdl_sub_tensor(to_positive, to_negative));
    kdl_tensor *losses = positive(kdl__hold(&scope, kdl_add(difference, margin)));
    return kdl__reduce_losses(kdl__close(&scope, losses), reduction);
}

bool kdl__check_triplet(kdl_tensor *const *tensors, double margin, const char *place)
{
    if (!kdl__usable(place, 3, tensors))
        return false;
    kdl_context *ctx = tensors[0]->ctx;
    int a = tensors[0]->ndim, p = tensors[1]->ndim, n = tensors[2]->ndim;
    if (!(margin > 0)) {
        kdl__text text;
        kdl__text_init(&text, ctx);
        kdl__text_repr(&text, margin);
        char *number = kdl__text_take(&text);
        if (number)
            kdl__fail_at(ctx, place, KDL_ERROR_VALUE, "margin must be greater than 0, got %s",
                         number);
        kdl_free(ctx, number);
    } else if (a != p || p != n) {
        kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME,
                     "The anchor, positive, and negative tensors are expected to have the same "
                     "number of dimensions, but got: anchor %dD, positive %dD, and negative %dD "
                     "inputs",
                     a, p, n);
    }
    return !kdl__failed(ctx);
}

kdl_tensor *kdl_f_triplet_margin_loss(kdl_tensor *anchor, kdl_tensor *similar,
                                      kdl_tensor *dissimilar, double margin, double p, double eps,
                                      bool swap, kdl_reduction reduction)
{
    kdl_tensor *all[] = { anchor, similar, dissimilar };
    if (!kdl__check_triplet(all, margin, __func__))
        return NULL;
    kdl__scope scope = { 0 };
    kdl_tensor *near = kdl__hold(&scope, kdl_f_pairwise_distance(anchor, similar, p, eps, false));
    kdl_tensor *far = kdl__hold(&scope, kdl_f_pairwise_distance(anchor, dissimilar, p, eps, false));
    kdl_tensor *between = NULL;
    if (swap)
        between = kdl__hold(&scope, kdl_f_pairwise_distance(similar, dissimilar, p, eps, false));
    return kdl__close(&scope, kdl__triplet_loss(near, far, between, margin, reduction));
}
