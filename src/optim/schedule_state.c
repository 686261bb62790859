/* SPDX-License-Identifier: Apache-2.0 */
/* LRScheduler.state_dict() and load_state_dict(): attributes by PyTorch's names, as JSON. */
#include <math.h>
#include <string.h>

#include "base/json_python.h"
#include "optim/schedule.h"

/* What every schedule has, and those that compute rates themselves have besides. */
static const kdl__lr_field common_fields[] = {
    KDL__LR_FIELD(kdl_lr_scheduler, "_last_lr", KDL__LR_LIST, last_lrs),
    KDL__LR_FIELD(kdl_lr_scheduler, "last_epoch", KDL__LR_INT, last_epoch),
    KDL__LR_FIELD(kdl_lr_scheduler, "_step_count", KDL__LR_INT, step_count),
    KDL__LR_FIELD(kdl_lr_scheduler, "base_lrs", KDL__LR_LIST, base_lrs),
};

/* How many of them there are: a chain has no epoch, and only the first kind counts steps. */
static int common_count(const kdl_lr_scheduler *scheduler)
{
    const kdl__several_lr *several = (const kdl__several_lr *)scheduler;
    if (scheduler->class->is_composite)
        return several->milestones ? 2 : 1;
    return scheduler->class->next ? 4 : 2;
}

static const kdl__lr_field *field_at(const kdl_lr_scheduler *scheduler, int index)
{
    int common = common_count(scheduler);
    if (index < common)
        return &common_fields[index];
    index -= common;
    return index < scheduler->class->field_count ? &scheduler->class->fields[index] : NULL;
}

/* The numbers of a field, where they are doubles. */
static double *numbers_of(kdl_lr_scheduler *scheduler, const kdl__lr_field *field)
{
    void *place = (char *)scheduler + field->offset;
    return field->kind == KDL__LR_LIST ? *(double **)place : place;
}

/* ---- saving ------------------------------------------------------------------------------ */

static void add_field(kdl__text *json, kdl_lr_scheduler *scheduler, const kdl__lr_field *field)
{
    const double *numbers = numbers_of(scheduler, field);
    switch (field->kind) {
    case KDL__LR_INT:
    case KDL__LR_DIVISOR:
        kdl__text_printf(json, "%lld", (long long)*(const int64_t *)(const void *)numbers);
        break;
    case KDL__LR_COUNT:
        kdl__text_printf(json, "%.0f", *numbers);
        break;
    case KDL__LR_NUMBER:
        kdl__json_add_any_number(json, *numbers);
        break;
    case KDL__LR_LIST:
        for (size_t g = 0; g < scheduler->group_count; g++) {
            kdl__text_puts(json, g ? ", " : "[");
            kdl__json_add_any_number(json, numbers[g]);
        }
        kdl__text_puts(json, "]");
        break;
    }
}

static void add_schedule(kdl__text *json, kdl_lr_scheduler *scheduler)
{
    const kdl__several_lr *several = (const kdl__several_lr *)scheduler;
    const kdl__lr_field *field;
    for (int i = 0; (field = field_at(scheduler, i)); i++) {
        kdl__text_printf(json, "%s\"%s\": ", i ? ", " : "{", field->key);
        add_field(json, scheduler, field);
    }
    if (scheduler->class->fixed)
        kdl__text_printf(json, ", %s", scheduler->class->fixed);
    if (scheduler->class->is_composite) {
        kdl__text_puts(json, ", \"_schedulers\": [");
        for (size_t i = 0; i < several->count; i++) {
            kdl__text_puts(json, i ? ", " : "");
            add_schedule(json, several->parts[i]);
        }
        kdl__text_puts(json, "]");
    }
    kdl__text_puts(json, "}");
}

char *kdl_lr_scheduler_state_dict(kdl_lr_scheduler *scheduler)
{
    if (!scheduler || kdl__failed(kdl__lr_context(scheduler)))
        return NULL;
    kdl__text json;
    kdl__text_init(&json, kdl__lr_context(scheduler));
    add_schedule(&json, scheduler);
    return kdl__text_take(&json);
}

/* ---- loading ----------------------------------------------------------------------------- */

/* An integer that a double holds too, so that sums with it do not overflow. */
static bool read_integer(const json_t *json, bool may_be_zero, int64_t *value)
{
    *value = json_integer_value(json);
    return json_is_integer(json) && *value >= -(INT64_C(1) << 53) && *value <= INT64_C(1) << 53 &&
           (may_be_zero || *value != 0);
}

/* Reads a field's value, and sets it with `write`; false for one that does not fit. */
static bool read_value(kdl_lr_scheduler *scheduler, const kdl__lr_field *field, const json_t *json,
                       bool write)
{
    double *numbers = numbers_of(scheduler, field), number;
    int64_t integer;
    if (field->kind == KDL__LR_INT || field->kind == KDL__LR_DIVISOR) {
        if (!read_integer(json, field->kind == KDL__LR_INT, &integer))
            return false;
        if (write)
            *(int64_t *)(void *)numbers = integer;
        return true;
    }
    bool is_list = field->kind == KDL__LR_LIST;
    if (is_list && json_array_size(json) != scheduler->group_count)
        return false;
    for (size_t i = 0; i < (is_list ? scheduler->group_count : 1); i++) {
        if (!kdl__json_number(is_list ? json_array_get(json, i) : json, &number))
            return false;
        if (field->kind == KDL__LR_COUNT && !isfinite(number))
            return false;
        if (write)
            numbers[i] = number;
    }
    return true;
}

static kdl_status read_field(kdl_lr_scheduler *scheduler, const kdl__lr_field *field,
                             const json_t *json, bool write)
{
    static const char *const wanted[] = { "an integer", "an integer that is not 0", "a number",
                                          "a number that is finite",
                                          "a list of one number a group" };
    kdl_context *ctx = kdl__lr_context(scheduler);
    if (!json)
        return kdl__fail_at(ctx, "kdl_lr_scheduler_load_state_dict", KDL_ERROR_KEY, "'%s'",
                            field->key);
    if (!read_value(scheduler, field, json, write))
        return kdl__fail_at(ctx, "kdl_lr_scheduler_load_state_dict", KDL_ERROR_TYPE,
                            "%s: \"%s\" must be %s", scheduler->class->name, field->key,
                            wanted[field->kind]);
    return KDL_OK;
}

static kdl_status read_schedule(kdl_lr_scheduler *scheduler, const json_t *json, bool write)
{
    kdl_context *ctx = kdl__lr_context(scheduler);
    const kdl__several_lr *several = (const kdl__several_lr *)scheduler;
    const kdl__lr_field *field;
    for (int i = 0; (field = field_at(scheduler, i)) && !kdl__failed(ctx); i++)
        read_field(scheduler, field, json_object_get(json, field->key), write);
    if (kdl__failed(ctx) || !scheduler->class->is_composite)
        return ctx->status;
    const json_t *parts = json_object_get(json, "_schedulers");
    if (json_array_size(parts) != several->count)
        return kdl__fail_at(ctx, "kdl_lr_scheduler_load_state_dict", KDL_ERROR_VALUE,
                            "%s consists of %zu schedules, the state_dict of %zu",
                            scheduler->class->name, several->count, json_array_size(parts));
    for (size_t i = 0; i < several->count && !kdl__failed(ctx); i++)
        read_schedule(several->parts[i], json_array_get(parts, i), write);
    return ctx->status;
}

kdl_status kdl_lr_scheduler_load_state_dict(kdl_lr_scheduler *scheduler, const char *state_dict)
{
    if (!scheduler || !state_dict)
        return KDL_ERROR_VALUE;
    kdl_context *ctx = kdl__lr_context(scheduler);
    if (kdl__failed(ctx))
        return ctx->status;
    json_t *json = kdl__json_parse(ctx, __func__, state_dict, strlen(state_dict));
    if (json && !read_schedule(scheduler, json, false))
        read_schedule(scheduler, json, true);
    json_decref(json);
    return ctx->status;
}
