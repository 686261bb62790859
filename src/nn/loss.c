/* SPDX-License-Identifier: Apache-2.0 */
/* Losses (torch/nn/modules/loss.py). */
#include "nn/arguments.h"

/* ---- what they share --------------------------------------------------------------------- */

/* _Reduction.legacy_get_string(size_average, reduce) takes the place of the reduction. */
static void build_loss(kdl_module *module)
{
    kdl_loss_options *loss = kdl_module_fields(module);
    if (loss->size_average == KDL_NONE_BOOL && loss->reduce == KDL_NONE_BOOL)
        return;
    loss->reduction = !loss->reduce ? "none" : !loss->size_average ? "sum" : "mean";
    kdl__warn_in(module, "size_average and reduce args will be deprecated, please use "
                         "reduction='{reduction}' instead.");
}

static void build_weighted_loss(kdl_module *module)
{
    kdl_weighted_loss_options *loss = kdl_module_fields(module);
    build_loss(module);
    kdl_register_buffer(module, "weight", kdl__take(&loss->weight));
}

const kdl_module_class kdl_class_loss = { .name = "_Loss" };
const kdl_module_class kdl_class_weighted_loss = { .name = "_WeightedLoss",
                                                   .parent = KDL_CLASS_LOSS };

/* Arguments that most have, in this order. */
#define AVERAGE(type) KDL__OPTIONAL_ARGUMENT(type, size_average)
#define REDUCE(type) KDL__OPTIONAL_ARGUMENT(type, reduce), KDL__ARGUMENT(type, reduction)
#define WEIGHT(type) KDL__OPTIONAL_ARGUMENT(type, weight)

/* ---- without arguments of their own ------------------------------------------------------ */

KDL__TABLE(loss, kdl_loss_options, KDL_LOSS_DEFAULTS, 0, (.build = build_loss),
           AVERAGE(kdl_loss_options), REDUCE(kdl_loss_options))
KDL__LAYER(l1_loss, "L1Loss", KDL_CLASS_LOSS, kdl_loss_options, loss_arguments)
KDL__LAYER(mse_loss, "MSELoss", KDL_CLASS_LOSS, kdl_loss_options, loss_arguments)
KDL__LAYER(multi_label_margin_loss, "MultiLabelMarginLoss", KDL_CLASS_LOSS, kdl_loss_options,
           loss_arguments)
KDL__LAYER(soft_margin_loss, "SoftMarginLoss", KDL_CLASS_LOSS, kdl_loss_options, loss_arguments)

KDL__TABLE(weighted_loss, kdl_weighted_loss_options, KDL_WEIGHTED_LOSS_DEFAULTS, 0,
           (.build = build_weighted_loss), WEIGHT(kdl_weighted_loss_options),
           AVERAGE(kdl_weighted_loss_options), REDUCE(kdl_weighted_loss_options))
KDL__LAYER(bce_loss, "BCELoss", KDL_CLASS_WEIGHTED_LOSS, kdl_weighted_loss_options,
           weighted_loss_arguments)
KDL__LAYER(multi_label_soft_margin_loss, "MultiLabelSoftMarginLoss", KDL_CLASS_WEIGHTED_LOSS,
           kdl_weighted_loss_options, weighted_loss_arguments)

/* ---- likelihoods ------------------------------------------------------------------------- */

KDL__TABLE(nll_loss, kdl_nll_loss_options, KDL_NLL_LOSS_DEFAULTS, 0, (.build = build_weighted_loss),
           WEIGHT(kdl_nll_loss_options), AVERAGE(kdl_nll_loss_options),
           KDL__ARGUMENT(kdl_nll_loss_options, ignore_index), REDUCE(kdl_nll_loss_options))
KDL__LAYER(nll_loss, "NLLLoss", KDL_CLASS_WEIGHTED_LOSS, kdl_nll_loss_options, nll_loss_arguments)

KDL__TABLE(cross_entropy_loss, kdl_cross_entropy_loss_options, KDL_CROSS_ENTROPY_LOSS_DEFAULTS, 0,
           (.build = build_weighted_loss), WEIGHT(kdl_cross_entropy_loss_options),
           AVERAGE(kdl_cross_entropy_loss_options),
           KDL__ARGUMENT(kdl_cross_entropy_loss_options, ignore_index),
           REDUCE(kdl_cross_entropy_loss_options),
           KDL__ARGUMENT(kdl_cross_entropy_loss_options, label_smoothing))
KDL__LAYER(cross_entropy_loss, "CrossEntropyLoss", KDL_CLASS_WEIGHTED_LOSS,
           kdl_cross_entropy_loss_options, cross_entropy_loss_arguments)

static void build_bce_with_logits_loss(kdl_module *module)
{
    kdl_bce_with_logits_loss_options *loss = kdl_module_fields(module);
    build_weighted_loss(module);
    kdl_register_buffer(module, "pos_weight", kdl__take(&loss->pos_weight));
}

KDL__TABLE(bce_with_logits_loss, kdl_bce_with_logits_loss_options,
           KDL_BCE_WITH_LOGITS_LOSS_DEFAULTS, 0, (.build = build_bce_with_logits_loss),
           WEIGHT(kdl_bce_with_logits_loss_options), AVERAGE(kdl_bce_with_logits_loss_options),
           REDUCE(kdl_bce_with_logits_loss_options),
           KDL__OPTIONAL_ARGUMENT(kdl_bce_with_logits_loss_options, pos_weight))
KDL__LAYER(bce_with_logits_loss, "BCEWithLogitsLoss", KDL_CLASS_LOSS,
           kdl_bce_with_logits_loss_options, bce_with_logits_loss_arguments)

KDL__TABLE(poisson_nll_loss, kdl_poisson_nll_loss_options, KDL_POISSON_NLL_LOSS_DEFAULTS, 0,
           (.build = build_loss), KDL__ARGUMENT(kdl_poisson_nll_loss_options, log_input),
           KDL__ARGUMENT(kdl_poisson_nll_loss_options, full), AVERAGE(kdl_poisson_nll_loss_options),
           KDL__ARGUMENT(kdl_poisson_nll_loss_options, eps), REDUCE(kdl_poisson_nll_loss_options))
KDL__LAYER(poisson_nll_loss, "PoissonNLLLoss", KDL_CLASS_LOSS, kdl_poisson_nll_loss_options,
           poisson_nll_loss_arguments)

KDL__TABLE(gaussian_nll_loss, kdl_gaussian_nll_loss_options, KDL_GAUSSIAN_NLL_LOSS_DEFAULTS, 0,
           (.keyword_only = 3, .build = build_loss),
           KDL__ARGUMENT(kdl_gaussian_nll_loss_options, full),
           KDL__ARGUMENT(kdl_gaussian_nll_loss_options, eps),
           KDL__ARGUMENT(kdl_gaussian_nll_loss_options, reduction))
KDL__LAYER(gaussian_nll_loss, "GaussianNLLLoss", KDL_CLASS_LOSS, kdl_gaussian_nll_loss_options,
           gaussian_nll_loss_arguments)

KDL__TABLE(kl_div_loss, kdl_kl_div_loss_options, KDL_KL_DIV_LOSS_DEFAULTS, 0, (.build = build_loss),
           AVERAGE(kdl_kl_div_loss_options), REDUCE(kdl_kl_div_loss_options),
           KDL__ARGUMENT(kdl_kl_div_loss_options, log_target))
KDL__LAYER(kl_div_loss, "KLDivLoss", KDL_CLASS_LOSS, kdl_kl_div_loss_options, kl_div_loss_arguments)

KDL__TABLE(ctc_loss, kdl_ctc_loss_options, KDL_CTC_LOSS_DEFAULTS, 0, (.build = build_loss),
           KDL__ARGUMENT(kdl_ctc_loss_options, blank),
           KDL__ARGUMENT(kdl_ctc_loss_options, reduction),
           KDL__ARGUMENT(kdl_ctc_loss_options, zero_infinity))
KDL__LAYER(ctc_loss, "CTCLoss", KDL_CLASS_LOSS, kdl_ctc_loss_options, ctc_loss_arguments)

/* ---- LinearCrossEntropyLoss -------------------------------------------------------------- */

/* "aspect_ratio", "aspect_ratio:3"; a factor beyond long counts as one. */
static bool is_chunking_method(const char *method)
{
    static const char known[] = "aspect_ratio";
    const char *rest = method + strlen(known);
    if (strncmp(method, known, strlen(known)) != 0)
        return strcmp(method, "auto") == 0;
    return !*rest || (*rest == ':' && rest[1] && rest[1 + strspn(rest + 1, "0123456789")] == '\0' &&
                      rest[1 + strspn(rest + 1, "0")] != '\0');
}

static bool is_acc_policy(const char *policy)
{
    static const char *const known[] = { "auto", "accurate", "balanced", "compact" };
    for (size_t i = 0; policy && i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i], policy) == 0)
            return true;
    return false;
}

kdl_status kdl__check_chunking(kdl_context *ctx, const char *place,
                               const kdl_linear_cross_entropy_options *o)
{
    if (!o->chunked)
        return ctx->status;
    if (!is_acc_policy(o->acc_policy))
        kdl__fail_at(ctx, place, KDL_ERROR_VALUE, "invalid acc_policy: '%s'",
                     o->acc_policy ? o->acc_policy : "None");
    else if (o->chunking_method && !is_chunking_method(o->chunking_method))
        kdl__fail_at(ctx, place, KDL_ERROR_VALUE, "invalid chunking_method: '%s'",
                     o->chunking_method);
    else if (o->batch_chunk_size != KDL_NONE_INT && o->batch_chunk_size <= 0)
        kdl__fail_at(ctx, place, KDL_ERROR_VALUE,
                     "batch_chunk_size must be positive int or None, got %lld",
                     (long long)o->batch_chunk_size);
    else if (o->acc_dtype != KDL_NONE_DTYPE && !kdl_dtype_is_floating_point(o->acc_dtype))
        kdl__fail_at(
            ctx, place, KDL_ERROR_VALUE,
            "acc_dtype must be one of {None, torch.float16, torch.bfloat16, torch.float32, "
            "torch.float64}, got torch.%s. Pass acc_dtype=None to let the op pick "
            "automatically.",
            kdl_dtype_name(o->acc_dtype));
    return ctx->status;
}

static kdl_status check_linear_cross_entropy(const kdl_module *module)
{
    const kdl_linear_cross_entropy_loss_options *loss = kdl_module_fields(module);
    const kdl_tensor *weight = loss->weight;
    double smoothing = kdl_number(loss->label_smoothing);
    if (weight && (weight->ndim != 1 || weight->dims[0] != loss->num_classes)) {
        kdl__text got;
        kdl__text_init(&got, module->ctx);
        kdl__text_tuple(&got, weight->ndim, weight->dims);
        kdl__fail_at(module->ctx, module->class->name, KDL_ERROR_RUNTIME,
                     "expected weight shape to be (%lld,), got %s", (long long)loss->num_classes,
                     got.data ? got.data : "");
        kdl__text_free(&got);
    } else if (smoothing < 0 || smoothing > 1) {
        kdl__fail_in(module, KDL_ERROR_RUNTIME,
                     "expected label_smoothing to be in range [0, 1], got {label_smoothing}");
    } else if (loss->out_features.ndim == 0 && loss->out_features.sizes[0] != KDL_EMPTY_TUPLE) {
        kdl__fail_in(module, KDL_ERROR_TYPE, "'int' object is not iterable");
    }
    return module->ctx->status;
}

static void build_linear_cross_entropy(kdl_module *module)
{
    const kdl_linear_cross_entropy_loss_options *loss = kdl_module_fields(module);
    int64_t outputs = loss->num_classes;
    if (kdl__check_chunking(module->ctx, module->class->name, &loss->options) ||
        check_linear_cross_entropy(module))
        return;
    build_weighted_loss(module);
    for (int i = 0; i < loss->out_features.ndim; i++) {
        if (!kdl__size_product(module, outputs, loss->out_features.sizes[i], &outputs))
            return;
    }
    kdl_add_module(module, "linear",
                   kdl_nn_linear(module->ctx, loss->in_features, outputs, .bias = loss->bias,
                                 .dtype = loss->dtype));
}

#define LCE kdl_linear_cross_entropy_loss_options
#define CHUNKING(member) KDL__NAMED_ARGUMENT(LCE, #member, options.member, true)
KDL__TABLE(linear_cross_entropy_loss, LCE, KDL_LINEAR_CROSS_ENTROPY_LOSS_DEFAULTS, 2,
           (.hidden = 5, .keyword_only = 9,
            .group = "LinearCrossEntropyOptions(allow_retain_graph={allow_retain_graph}, "
                     "batch_chunk_size={batch_chunk_size}, chunking_method={chunking_method!r}, "
                     "acc_policy={acc_policy!r}, acc_dtype={acc_dtype})",
            .repr = "in_features={in_features}, num_classes={num_classes}, "
                    "out_features={out_features}, bias={bias}, reduction={reduction}, "
                    "ignore_index={ignore_index}, label_smoothing={label_smoothing}, "
                    "options={options}",
            .build = build_linear_cross_entropy),
           KDL__NAMED_ARGUMENT(LCE, "allow_retain_graph", options.allow_retain_graph, false),
           CHUNKING(batch_chunk_size), CHUNKING(chunking_method), CHUNKING(acc_policy),
           CHUNKING(acc_dtype), KDL__ARGUMENT(LCE, in_features), KDL__ARGUMENT(LCE, num_classes),
           KDL__ARGUMENT(LCE, out_features), KDL__ARGUMENT(LCE, bias), KDL__FACTORY(LCE),
           KDL__ARGUMENT(LCE, reduction), WEIGHT(LCE), KDL__OPTIONAL_ARGUMENT(LCE, ignore_index),
           KDL__ARGUMENT(LCE, label_smoothing), KDL__GROUP(LCE, "options", options.chunked))
KDL__LAYER(linear_cross_entropy_loss, "LinearCrossEntropyLoss", KDL_CLASS_WEIGHTED_LOSS, LCE,
           linear_cross_entropy_loss_arguments)

/* ---- with a threshold or a margin -------------------------------------------------------- */

KDL__TABLE(smooth_l1_loss, kdl_smooth_l1_loss_options, KDL_SMOOTH_L1_LOSS_DEFAULTS, 0,
           (.build = build_loss), AVERAGE(kdl_smooth_l1_loss_options),
           REDUCE(kdl_smooth_l1_loss_options), KDL__ARGUMENT(kdl_smooth_l1_loss_options, beta))
KDL__LAYER(smooth_l1_loss, "SmoothL1Loss", KDL_CLASS_LOSS, kdl_smooth_l1_loss_options,
           smooth_l1_loss_arguments)

KDL__TABLE(huber_loss, kdl_huber_loss_options, KDL_HUBER_LOSS_DEFAULTS, 0, (.build = build_loss),
           KDL__ARGUMENT(kdl_huber_loss_options, reduction),
           KDL__ARGUMENT(kdl_huber_loss_options, delta))
KDL__LAYER(huber_loss, "HuberLoss", KDL_CLASS_LOSS, kdl_huber_loss_options, huber_loss_arguments)

#define MARGIN_LIST                                                                                \
    KDL__ARGUMENT(kdl_margin_loss_options, margin), AVERAGE(kdl_margin_loss_options),              \
        REDUCE(kdl_margin_loss_options)
KDL__TABLE(hinge_embedding_loss, kdl_margin_loss_options, KDL_HINGE_EMBEDDING_LOSS_DEFAULTS, 0,
           (.build = build_loss), MARGIN_LIST)
KDL__LAYER(hinge_embedding_loss, "HingeEmbeddingLoss", KDL_CLASS_LOSS, kdl_margin_loss_options,
           hinge_embedding_loss_arguments)
KDL__TABLE(margin_loss, kdl_margin_loss_options, KDL_MARGIN_LOSS_DEFAULTS, 0, (.build = build_loss),
           MARGIN_LIST)
KDL__LAYER(cosine_embedding_loss, "CosineEmbeddingLoss", KDL_CLASS_LOSS, kdl_margin_loss_options,
           margin_loss_arguments)
KDL__LAYER(margin_ranking_loss, "MarginRankingLoss", KDL_CLASS_LOSS, kdl_margin_loss_options,
           margin_loss_arguments)

static void build_multi_margin_loss(kdl_module *module)
{
    kdl_multi_margin_loss_options *loss = kdl_module_fields(module);
    if (loss->p != 1 && loss->p != 2)
        kdl__fail_in(module, KDL_ERROR_VALUE, "only p == 1 and p == 2 supported");
    else if (loss->weight && loss->weight->ndim != 1)
        kdl__fail_at(module->ctx, module->class->name, KDL_ERROR_VALUE,
                     "MultiMarginLoss: expected weight to be None or 1D tensor, got %dD instead",
                     loss->weight->ndim);
    else
        build_weighted_loss(module);
}

KDL__TABLE(multi_margin_loss, kdl_multi_margin_loss_options, KDL_MULTI_MARGIN_LOSS_DEFAULTS, 0,
           (.build = build_multi_margin_loss), KDL__ARGUMENT(kdl_multi_margin_loss_options, p),
           KDL__ARGUMENT(kdl_multi_margin_loss_options, margin),
           WEIGHT(kdl_multi_margin_loss_options), AVERAGE(kdl_multi_margin_loss_options),
           REDUCE(kdl_multi_margin_loss_options))
KDL__LAYER(multi_margin_loss, "MultiMarginLoss", KDL_CLASS_WEIGHTED_LOSS,
           kdl_multi_margin_loss_options, multi_margin_loss_arguments)

static void build_triplet_margin_loss(kdl_module *module)
{
    const kdl_triplet_margin_loss_options *loss = kdl_module_fields(module);
    build_loss(module);
    if (kdl_number(loss->margin) <= 0)
        kdl__fail_in(module, KDL_ERROR_VALUE,
                     "TripletMarginLoss: expected margin to be greater than 0, got {margin} "
                     "instead");
}

KDL__TABLE(triplet_margin_loss, kdl_triplet_margin_loss_options, KDL_TRIPLET_MARGIN_LOSS_DEFAULTS,
           0, (.build = build_triplet_margin_loss),
           KDL__ARGUMENT(kdl_triplet_margin_loss_options, margin),
           KDL__ARGUMENT(kdl_triplet_margin_loss_options, p),
           KDL__ARGUMENT(kdl_triplet_margin_loss_options, eps),
           KDL__ARGUMENT(kdl_triplet_margin_loss_options, swap),
           AVERAGE(kdl_triplet_margin_loss_options), REDUCE(kdl_triplet_margin_loss_options))
KDL__LAYER(triplet_margin_loss, "TripletMarginLoss", KDL_CLASS_LOSS,
           kdl_triplet_margin_loss_options, triplet_margin_loss_arguments)

static void build_triplet_margin_with_distance_loss(kdl_module *module)
{
    kdl_triplet_margin_with_distance_loss_options *loss = kdl_module_fields(module);
    kdl_module *distance = loss->distance_function;
    build_loss(module);
    if (kdl_number(loss->margin) <= 0) {
        kdl__fail_in(module, KDL_ERROR_VALUE,
                     "TripletMarginWithDistanceLoss: expected margin to be greater than 0, got "
                     "{margin} instead");
        return;
    }
    loss->distance_function = NULL;
    kdl_add_module(module, "distance_function",
                   distance ? distance : kdl_nn_pairwise_distance(module->ctx));
}

#define TRIPLET kdl_triplet_margin_with_distance_loss_options
KDL__TABLE(triplet_margin_with_distance_loss, TRIPLET,
           KDL_TRIPLET_MARGIN_WITH_DISTANCE_LOSS_DEFAULTS, 0,
           (.keyword_only = 4, .build = build_triplet_margin_with_distance_loss),
           KDL__OPTIONAL_ARGUMENT(TRIPLET, distance_function), KDL__ARGUMENT(TRIPLET, margin),
           KDL__ARGUMENT(TRIPLET, swap), KDL__ARGUMENT(TRIPLET, reduction))
KDL__LAYER(triplet_margin_with_distance_loss, "TripletMarginWithDistanceLoss", KDL_CLASS_LOSS,
           TRIPLET, triplet_margin_with_distance_loss_arguments)
