/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AdaptiveLogSoftmaxWithLoss (Grave et al., 2017): frequent classes in the head, the others in
 * clusters behind it, each of which computes only the rows that are its own.
 */
#include <string.h>

#include "autograd/function.h"
#include "forward/forwards.h"
#include "kindling/functional.h"
#include "kindling/nn.h"

typedef struct adaptive {
    kdl_module *module;
    int clusters;
    const int64_t *cutoffs; /* clusters + 1 of them */
} adaptive;

static adaptive adaptive_of(kdl_module *module)
{
    const kdl_adaptive_log_softmax_with_loss_options *own = kdl_module_fields(module);
    return (adaptive){ module, own->cutoffs.ndim - 1, own->cutoffs.sizes };
}

/* Logarithms of probabilities by a child of the module, of rows of input. One reference. */
static kdl_tensor *logarithms_by(kdl_module *child, kdl_tensor *rows)
{
    kdl__scope scope = { 0 };
    kdl_tensor *scores = kdl__hold(&scope, kdl_forward(child, rows));
    return kdl__close(&scope, kdl_f_log_softmax(scores, 1));
}

static kdl_module *cluster(const adaptive *a, int index)
{
    return kdl_child(kdl_submodule(a->module, "tail"), index);
}

/* ---- the loss ---------------------------------------------------------------------------- */

/* The head's column of a class: its own, or that of its cluster; the cluster goes to *index. */
static int64_t head_column(const adaptive *a, int64_t class, int *index)
{
    for (*index = -1; *index + 1 < a->clusters && class >= a->cutoffs[*index + 1];)
        ++*index;
    return *index < 0 ? class : a->cutoffs[0] + *index;
}

/* What is made of the targets. All of i64 and as many rows as there are, but for `rows`. */
typedef struct plan {
    int64_t count;
    kdl_tensor *columns; /* (N, 1): in the head */
    kdl_tensor *places;  /* (N): in what the clusters give one after the other, behind a 0 */
    kdl_tensor *rows[KDL_MAX_DIMS], *classes[KDL_MAX_DIMS]; /* of each cluster: (n), (n, 1) */
} plan;

static void free_plan(plan *p)
{
    kdl_tensor_release(p->columns);
    kdl_tensor_release(p->places);
    for (int i = 0; i < KDL_MAX_DIMS; i++) {
        kdl_tensor_release(p->rows[i]);
        kdl_tensor_release(p->classes[i]);
    }
}

static bool check_targets(const adaptive *a, const kdl_tensor *target, const int64_t *classes)
{
    int64_t least = 0, most = 0;
    for (int64_t i = 0; i < target->numel; i++) {
        least = i == 0 || classes[i] < least ? classes[i] : least;
        most = i == 0 || classes[i] > most ? classes[i] : most;
    }
    if (least >= 0 && most < a->cutoffs[a->clusters])
        return true;
    kdl__fail_at(target->ctx, a->module->class->name, KDL_ERROR_RUNTIME,
                 "Target values should be in [0, %" PRId64 "], but values in range [%" PRId64
                 ", %" PRId64 "] were found. ",
                 a->cutoffs[a->clusters] - 1, least, most);
    return false;
}

/* The rows of one cluster, and the places of what they will give, from `place` on. */
static int64_t plan_cluster(const adaptive *a, plan *p, const int64_t *classes, int wanted,
                            int64_t place)
{
    kdl_context *ctx = a->module->ctx;
    int64_t count = 0;
    int index;
    for (int64_t i = 0; i < p->count; i++)
        count += (head_column(a, classes[i], &index), index == wanted);
    p->rows[wanted] = kdl__new_values(ctx, KDL_I64, 1, &count);
    p->classes[wanted] = kdl__new_values(ctx, KDL_I64, 2, (int64_t[]){ count, 1 });
    if (!p->rows[wanted] || !p->classes[wanted])
        return place;
    int64_t *row = p->rows[wanted]->storage->data, *class = p->classes[wanted]->storage->data;
    int64_t *places = p->places->storage->data;
    for (int64_t i = 0; i < p->count; i++) {
        head_column(a, classes[i], &index);
        if (index != wanted)
            continue;
        *row++ = i;
        *class ++ = classes[i] - a->cutoffs[wanted];
        places[i] = place++;
    }
    return place;
}

static bool make_plan(const adaptive *a, kdl_tensor *target, plan *p)
{
    kdl_context *ctx = target->ctx;
    const int64_t *classes = kdl_tensor_data(target);
    p->count = target->numel;
    if (!classes || !check_targets(a, target, classes))
        return false;
    p->columns = kdl__new_values(ctx, KDL_I64, 2, (int64_t[]){ p->count, 1 });
    p->places = kdl__new_values(ctx, KDL_I64, 1, &p->count);
    if (!p->columns || !p->places)
        return false;
    int index;
    for (int64_t i = 0; i < p->count; i++) {
        ((int64_t *)p->columns->storage->data)[i] = head_column(a, classes[i], &index);
        ((int64_t *)p->places->storage->data)[i] = 0;
    }
    int64_t place = 1;
    for (int i = 0; i < a->clusters && !kdl__failed(ctx); i++)
        place = plan_cluster(a, p, classes, i, place);
    return !kdl__failed(ctx);
}

/* log p of the targets within cluster `index`: (n). One reference. */
static kdl_tensor *within(const adaptive *a, const plan *p, int index, kdl_tensor *input)
{
    kdl__scope scope = { 0 };
    kdl_tensor *rows = kdl__hold(&scope, kdl_index_select(input, 0, p->rows[index]));
    kdl_tensor *all = kdl__hold(&scope, rows ? logarithms_by(cluster(a, index), rows) : NULL);
    kdl_tensor *own = kdl__hold(&scope, kdl_gather(all, 1, p->classes[index]));
    return kdl__close(&scope, kdl_squeeze(own, 1));
}

/* log p of the targets within their clusters, 0 for those of the head: (N). One reference. */
static kdl_tensor *within_all(const adaptive *a, const plan *p, kdl_tensor *input)
{
    kdl__scope scope = { 0 };
    kdl_tensor *parts[KDL_MAX_DIMS + 1];
    int count = 0;
    parts[count++] =
        kdl__hold(&scope, kdl_zeros(input->ctx, KDL_SHAPE(1), .dtype = input->storage->dtype));
    for (int i = 0; i < a->clusters && !kdl__failed(input->ctx); i++)
        if (p->rows[i]->numel > 0)
            parts[count++] = kdl__hold(&scope, within(a, p, i, input));
    kdl_tensor *all = kdl__hold(&scope, kdl_cat(parts, count, 0));
    return kdl__close(&scope, kdl_index_select(all, 0, p->places));
}

/* log p of the targets: (N). */
static kdl_tensor *log_probs_of(const adaptive *a, kdl_tensor *input, kdl_tensor *target)
{
    kdl__scope scope = { 0 };
    plan p = { 0 };
    kdl_tensor *result = NULL;
    if (make_plan(a, target, &p)) {
        kdl_tensor *head =
            kdl__hold(&scope, logarithms_by(kdl_submodule(a->module, "head"), input));
        kdl_tensor *column = kdl__hold(&scope, kdl_gather(head, 1, p.columns));
        kdl_tensor *first = kdl__hold(&scope, kdl_squeeze(column, 1));
        kdl_tensor *second = kdl__hold(&scope, first ? within_all(a, &p, input) : NULL);
        result = kdl_add_tensor(first, second);
    }
    free_plan(&p);
    return kdl__close(&scope, result);
}

static bool check_sizes(const kdl_module *module, const kdl_tensor *input, const kdl_tensor *target)
{
    kdl_context *ctx = module->ctx;
    if (target->ndim > 1)
        kdl__fail_at(ctx, module->class->name, KDL_ERROR_RUNTIME,
                     "0D or 1D target tensor expected, multi-target not supported");
    else if (target->ndim == 1 && input->ndim > 0 && input->dims[0] != target->dims[0])
        kdl__fail_at(ctx, module->class->name, KDL_ERROR_RUNTIME,
                     "Input and target should have the same size in the batch dimension.");
    else if (target->ndim == 1 && input->ndim != 2)
        kdl__fail_at(ctx, module->class->name, KDL_ERROR_RUNTIME,
                     "1D target tensor expects 2D input tensors, but found inputs with size "
                     "torch.Size(%s)",
                     kdl__shape_text(input->ndim, input->dims).chars);
    else if (target->ndim == 0 && input->ndim != 1)
        kdl__fail_at(ctx, module->class->name, KDL_ERROR_RUNTIME,
                     "0D target tensor expects 1D input tensors, but found inputs with size "
                     "torch.Size(%s)",
                     kdl__shape_text(input->ndim, input->dims).chars);
    else if (target->storage->dtype != KDL_I64)
        kdl__fail_at(ctx, module->class->name, KDL_ERROR_RUNTIME,
                     "expected scalar type Long but found %s",
                     kdl_dtype_scalar_name(target->storage->dtype));
    return !kdl__failed(ctx);
}

/* (input, target) -> output, loss */
static kdl_status adaptive_loss(kdl_module *module, kdl_tensor *const *inputs, int input_count,
                                kdl_tensor **outputs, int output_count)
{
    (void)input_count;
    kdl__scope scope = { 0 };
    const adaptive a = adaptive_of(module);
    if (!check_sizes(module, inputs[0], inputs[1]))
        return module->ctx->status;
    bool batched = inputs[1]->ndim == 1;
    kdl_tensor *rows =
        kdl__hold(&scope, batched ? kdl_tensor_retain(inputs[0]) : kdl_unsqueeze(inputs[0], 0));
    kdl_tensor *target = kdl__hold(&scope, kdl_flatten(inputs[1], 0, -1));
    target = kdl__hold(&scope, kdl_contiguous(target));
    kdl_tensor *all = rows && target ? log_probs_of(&a, rows, target) : NULL;
    outputs[0] = all && !batched ? kdl_squeeze(kdl__hold(&scope, all), 0) : all;
    if (output_count > 1)
        outputs[1] = kdl_neg(kdl__hold(&scope, kdl_mean(outputs[0])));
    kdl__close(&scope, NULL);
    return module->ctx->status;
}

const kdl__forward_entry kdl__adaptive_forwards[] = {
    KDL__SEVERAL(KDL_CLASS_ADAPTIVE_LOG_SOFTMAX_WITH_LOSS, adaptive_loss, 2, 2, 2),
    KDL__END_OF_FORWARDS,
};

/* ---- all classes ------------------------------------------------------------------------- */

kdl_tensor *kdl_adaptive_log_prob(kdl_module *module, kdl_tensor *input)
{
    if (kdl__module_refuses(module) || kdl__refuses(input))
        return NULL;
    if (!kdl_isinstance(module, KDL_CLASS_ADAPTIVE_LOG_SOFTMAX_WITH_LOSS)) {
        kdl__fail(module->ctx, KDL_ERROR_TYPE, "an AdaptiveLogSoftmaxWithLoss is needed, not a %s",
                  module->class->name);
        return NULL;
    }
    const adaptive a = adaptive_of(module);
    kdl__scope scope = { 0 }, columns = { 0 };
    kdl_tensor *head = kdl__hold(&scope, logarithms_by(kdl_submodule(module, "head"), input));
    if (!head)
        return NULL;
    kdl_tensor *parts[KDL_MAX_DIMS + 1];
    parts[0] = kdl__hold(&columns, kdl_narrow(head, 1, 0, a.cutoffs[0]));
    for (int i = 0; i < a.clusters; i++) {
        kdl__scope temporary = { 0 };
        kdl_tensor *whole = kdl__hold(&temporary, kdl_narrow(head, 1, a.cutoffs[0] + i, 1));
        kdl_tensor *own =
            kdl__hold(&temporary, whole ? logarithms_by(cluster(&a, i), input) : NULL);
        parts[i + 1] = kdl__hold(&columns, kdl__close(&temporary, kdl_add_tensor(own, whole)));
    }
    kdl_tensor *result = kdl__failed(module->ctx) ? NULL : kdl_cat(parts, a.clusters + 1, 1);
    kdl__close(&columns, NULL);
    return kdl__close(&scope, result);
}

kdl_tensor *kdl_adaptive_predict(kdl_module *module, kdl_tensor *input)
{
    kdl__scope scope = { 0 };
    kdl_tensor *all = kdl__hold(&scope, kdl_adaptive_log_prob(module, input));
    return kdl__close(&scope, kdl_argmax(all, 1, false));
}
