/* SPDX-License-Identifier: Apache-2.0 */
/* Hyperparameters: which values they may have, and the groups' entries by PyTorch's names. */
#include <math.h>
#include <string.h>

#include "optim/optimizer.h"

kdl_status kdl__fail_number(kdl_context *ctx, const char *place, kdl_status status,
                            const char *format, double number)
{
    kdl__text text;
    kdl__text_init(&text, ctx);
    kdl__text_repr(&text, number);
    char *digits = kdl__text_take(&text);
    if (digits)
        kdl__fail_at(ctx, place, status, format, digits);
    kdl_free(ctx, digits);
    return ctx->status;
}

kdl_status kdl__require(kdl_context *ctx, const char *place, bool valid, const char *format,
                        double number)
{
    return valid ? KDL_OK : kdl__fail_number(ctx, place, KDL_ERROR_VALUE, format, number);
}

kdl_status kdl__keep_texts(kdl_context *ctx, const kdl__optim_class *class, void *options)
{
    for (int i = 0; i < class->hyper_count && !kdl__failed(ctx); i++) {
        const char **text = kdl__hyper_place(&class->hypers[i], options);
        if (class->hypers[i].kind == KDL__HYPER_TEXT && *text)
            *text = kdl__intern(ctx, *text, strlen(*text));
    }
    return ctx->status;
}

static bool is_in_range(kdl__hyper_range range, double value)
{
    switch (range) {
    case KDL__NOT_NEGATIVE:
        return value >= 0;
    case KDL__BELOW_ONE:
        return value >= 0 && value < 1;
    case KDL__UP_TO_ONE:
        return value >= 0 && value <= 1;
    default:
        return true;
    }
}

/* "Invalid beta parameter at index 0: 1.0"; the index is that of one among several. */
static kdl_status check_hyper(kdl_context *ctx, const char *place, const kdl__hyper *hyper,
                              int index, double value)
{
    if (is_in_range(hyper->range, value))
        return KDL_OK;
    char format[128], where[32] = "";
    if (hyper->count > 1)
        snprintf(where, sizeof where, " at index %d", index);
    snprintf(format, sizeof format, "Invalid %s%s: %%s", hyper->what, where);
    return kdl__fail_number(ctx, place, KDL_ERROR_VALUE, format, value);
}

kdl_status kdl__check_hypers(kdl_context *ctx, const kdl__optim_class *class, const void *options)
{
    for (int i = 0; i < class->hyper_count && !kdl__failed(ctx); i++) {
        const kdl__hyper *hyper = &class->hypers[i];
        const double *values = kdl__hyper_place(hyper, (void *)options);
        for (int k = 0; hyper->kind == KDL__HYPER_NUMBER && k < hyper->count; k++)
            if (check_hyper(ctx, class->name, hyper, k, values[k]))
                break;
    }
    return ctx->status;
}

const char *const kdl__scheduled_keys[KDL__SCHEDULED_COUNT] = {
    "initial_lr", "max_lr", "min_lr", "base_momentum", "max_momentum",
};

static const kdl__hyper *find_hyper(const kdl_optimizer *optimizer, const char *key)
{
    const kdl__optim_class *class = optimizer->class;
    for (int i = 0; i < class->hyper_count; i++)
        if (class->hypers[i].kind != KDL__HYPER_FIXED && strcmp(class->hypers[i].key, key) == 0)
            return &class->hypers[i];
    return NULL;
}

double *kdl__group_number(kdl_optimizer *optimizer, size_t group, const char *key)
{
    const kdl__hyper *hyper = find_hyper(optimizer, key);
    return hyper && hyper->kind == KDL__HYPER_NUMBER
               ? kdl__hyper_place(hyper, optimizer->groups[group].options)
               : NULL;
}

/* Whether there is that group, and nothing else is wrong; else IndexError. */
static bool has_group(kdl_optimizer *optimizer, size_t group, const char *place)
{
    if (optimizer && group >= optimizer->count)
        kdl__fail_at(optimizer->ctx, place, KDL_ERROR_INDEX, "there is no parameter group %zu",
                     group);
    return optimizer && !kdl__failed(optimizer->ctx);
}

/* Reads an entry of a group, or writes it; KeyError or IndexError when there is none. */
static void access_entry(kdl_optimizer *optimizer, size_t group, const char *key, int index,
                         double *value, bool write)
{
    kdl__optim_group *entries = &optimizer->groups[group];
    const kdl__hyper *hyper = find_hyper(optimizer, key);
    void *place =
        hyper && hyper->kind != KDL__HYPER_TEXT ? kdl__hyper_place(hyper, entries->options) : NULL;
    kdl__hyper_kind kind = hyper ? hyper->kind : KDL__HYPER_NUMBER;
    for (int i = 0; !hyper && i < KDL__SCHEDULED_COUNT; i++)
        if (strcmp(kdl__scheduled_keys[i], key) == 0 && (write || entries->has_scheduled[i])) {
            entries->has_scheduled[i] = true;
            place = &entries->scheduled[i];
        }
    if (!place)
        kdl__fail_at(optimizer->ctx, "kdl_optimizer_get", KDL_ERROR_KEY, "'%s'", key);
    else if (index < 0 || index >= (hyper ? hyper->count : 1))
        kdl__fail_at(optimizer->ctx, "kdl_optimizer_get", KDL_ERROR_INDEX,
                     "'%s' has no number at %d", key, index);
    else if (kind == KDL__HYPER_NUMBER && write)
        ((double *)place)[index] = *value;
    else if (kind == KDL__HYPER_NUMBER)
        *value = ((double *)place)[index];
    else if (kind == KDL__HYPER_INT && write && !(fabs(*value) < 0x1p62))
        kdl__fail_number(optimizer->ctx, "kdl_optimizer_set", KDL_ERROR_VALUE,
                         "cannot convert float %s to integer", *value);
    else if (kind == KDL__HYPER_INT && write)
        *(int64_t *)place = (int64_t)*value;
    else if (kind == KDL__HYPER_INT)
        *value = (double)*(int64_t *)place;
    else if (write)
        *(bool *)place = *value != 0;
    else
        *value = *(bool *)place;
}

double kdl_optimizer_get(kdl_optimizer *optimizer, size_t group, const char *key, int index)
{
    double value = 0;
    if (has_group(optimizer, group, __func__))
        access_entry(optimizer, group, key, index, &value, false);
    return value;
}

kdl_status kdl_optimizer_set(kdl_optimizer *optimizer, size_t group, const char *key, int index,
                             double value)
{
    if (has_group(optimizer, group, __func__))
        access_entry(optimizer, group, key, index, &value, true);
    return optimizer ? optimizer->ctx->status : KDL_ERROR_VALUE;
}

double kdl_optimizer_lr(kdl_optimizer *optimizer, size_t group)
{
    return kdl_optimizer_get(optimizer, group, "lr", 0);
}

kdl_status kdl_optimizer_set_lr(kdl_optimizer *optimizer, size_t group, double lr)
{
    return kdl_optimizer_set(optimizer, group, "lr", 0, lr);
}
