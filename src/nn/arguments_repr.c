/* SPDX-License-Identifier: Apache-2.0 */
/* Printing a module by the table of its class's arguments. */
#include <math.h>
#include <string.h>

#include "nn/arguments.h"

/* ---- values ------------------------------------------------------------------------------ */

static void add_int(kdl__text *text, int64_t value)
{
    if (value == KDL_NONE_INT)
        kdl__text_puts(text, "None");
    else
        kdl__text_printf(text, "%lld", (long long)value);
}

static void add_string(kdl__text *text, const char *string, bool repr)
{
    const char *quote = !repr || !string ? "" : "'";
    kdl__text_printf(text, "%s%s%s", quote, string ? string : "None", quote);
}

void kdl__text_tuple(kdl__text *text, int count, const int64_t *values)
{
    kdl__text_puts(text, "(");
    for (int i = 0; i < count; i++) {
        kdl__text_puts(text, i ? ", " : "");
        add_int(text, values[i]);
    }
    kdl__text_puts(text, count == 1 ? ",)" : ")");
}

static void add_shape(kdl__text *text, const kdl_shape *shape, bool repr)
{
    if (shape->ndim > 0)
        kdl__text_tuple(text, shape->ndim, shape->sizes);
    else if (shape->sizes[0] == KDL_PADDING_SAME)
        add_string(text, "same", repr);
    else if (shape->sizes[0] == KDL_PADDING_VALID)
        add_string(text, "valid", repr);
    else if (shape->sizes[0] == KDL_EMPTY_TUPLE)
        kdl__text_puts(text, "()");
    else
        add_int(text, shape->sizes[0]);
}

static bool is_none(double number)
{
    return isnan(number) && !kdl_is_int(number);
}

static void add_number(kdl__text *text, double number, bool optional)
{
    if (kdl_is_int(number))
        kdl__text_printf(text, "%.0f", kdl_number(number));
    else if (optional && is_none(number))
        kdl__text_puts(text, "None");
    else
        kdl__text_repr(text, number);
}

static void add_ratios(kdl__text *text, const kdl_ratios *ratios, bool optional)
{
    if (ratios->count == 0) {
        add_number(text, ratios->values[0], optional);
        return;
    }
    for (int i = 0; i < ratios->count; i++) {
        kdl__text_puts(text, i ? ", " : "(");
        add_number(text, ratios->values[i], false);
    }
    kdl__text_puts(text, ratios->count == 1 ? ",)" : ")");
}

static void add_dtype(kdl__text *text, kdl_dtype dtype)
{
    if (dtype == KDL_NONE_DTYPE)
        kdl__text_puts(text, "None");
    else
        kdl__text_printf(text, "torch.%s", kdl_dtype_name(dtype));
}

static void add_part(kdl__text *text, const kdl_module *module, const kdl__arguments *arguments,
                     const char *from, const char *end);

static void add_group(kdl__text *text, const kdl_module *module, bool given)
{
    const kdl__arguments *arguments = kdl__class_arguments(module->class);
    if (given)
        add_part(text, module, arguments, arguments->group,
                 arguments->group + strlen(arguments->group));
    else
        kdl__text_puts(text, "None");
}

const char *kdl__bool_name(bool value)
{
    return value ? "True" : "False";
}

void kdl__text_argument(kdl__text *text, const kdl_module *module, const kdl__argument *argument,
                        bool repr)
{
    const void *at = kdl__argument_at(module, argument);
    switch (argument->kind) {
    case KDL__KIND_BOOL:
        kdl__text_puts(text, kdl__bool_name(*(const bool *)at));
        break;
    case KDL__KIND_OPTIONAL_BOOL: {
        int8_t value = *(const int8_t *)at;
        kdl__text_puts(text, value == KDL_NONE_BOOL ? "None" : kdl__bool_name(value));
        break;
    }
    case KDL__KIND_INT:
        add_int(text, *(const int64_t *)at);
        break;
    case KDL__KIND_NUMBER:
        add_number(text, *(const double *)at, argument->optional);
        break;
    case KDL__KIND_STRING:
        add_string(text, *(const char *const *)at, repr);
        break;
    case KDL__KIND_SHAPE:
        add_shape(text, at, repr);
        break;
    case KDL__KIND_RATIOS:
        add_ratios(text, at, argument->optional);
        break;
    case KDL__KIND_DTYPE:
        add_dtype(text, *(const kdl_dtype *)at);
        break;
    case KDL__KIND_GROUP:
        add_group(text, module, *(const bool *)at);
        break;
    case KDL__KIND_TENSOR: /* registered, not kept */
    case KDL__KIND_MODULE:
    case KDL__KIND_IGNORED:
        kdl__text_puts(text, "None");
    }
}

/* ---- templates --------------------------------------------------------------------------- */

static bool same_number(double a, double b)
{
    return kdl_number(a) == kdl_number(b) || (is_none(a) && is_none(b));
}

/* Whether every element is what the default, an int or None, is. */
static bool same_shape(const kdl_shape *shape, const kdl_shape *defaults)
{
    bool same = true;
    for (int i = 0; i < (shape->ndim > 0 ? shape->ndim : 1); i++)
        same = same && shape->sizes[i] == defaults->sizes[0];
    return same;
}

static bool has_default(const kdl_module *module, const kdl__arguments *arguments,
                        const kdl__argument *argument)
{
    const void *at = kdl__argument_at(module, argument);
    const void *defaults = (const unsigned char *)arguments->defaults + argument->offset;
    switch (argument->kind) {
    case KDL__KIND_BOOL:
        return *(const bool *)at == *(const bool *)defaults;
    case KDL__KIND_INT:
        return *(const int64_t *)at == *(const int64_t *)defaults;
    case KDL__KIND_NUMBER:
        return same_number(*(const double *)at, *(const double *)defaults);
    case KDL__KIND_STRING:
        return strcmp(*(const char *const *)at, *(const char *const *)defaults) == 0;
    case KDL__KIND_SHAPE:
        return same_shape(at, defaults);
    case KDL__KIND_RATIOS: {
        const kdl_ratios *ratios = at, *ratio = defaults;
        return ratios->count == 0 && same_number(ratios->values[0], ratio->values[0]);
    }
    default: /* stand in no brackets */
        return false;
    }
}

/* Whether the module has a parameter of that name, or what has become of one. */
static bool is_present(const kdl_module *module, const char *name)
{
    return kdl_parameter(module, name) || kdl_is_parametrized(module, name);
}

/* What stands in braces. */
typedef struct braces {
    const kdl__argument *argument;
    bool repr, presence;
} braces;

/* Reads "{name}", "{name!r}" or "{name?}"; returns what follows it. */
static const char *read_field(const kdl__arguments *arguments, const char *from, braces *out)
{
    const char *name = from + 1;
    size_t length = strcspn(name, "}!?");
    *out = (braces){ .argument = kdl__find_argument(arguments, name, length),
                     .repr = name[length] == '!',
                     .presence = name[length] == '?' };
    return strchr(name, '}') + 1;
}

/* Whether there is anything to say between `from` and `end`. */
static bool says_something(const kdl_module *module, const kdl__arguments *arguments,
                           const char *from, const char *end)
{
    while ((from = strchr(from, '{')) && from < end) {
        braces field;
        from = read_field(arguments, from, &field);
        if (field.presence ? !is_present(module, field.argument->name)
                           : !has_default(module, arguments, field.argument))
            return true;
    }
    return false;
}

/* Adds what stands between `from` and `end`, which has no brackets. */
static void add_part(kdl__text *text, const kdl_module *module, const kdl__arguments *arguments,
                     const char *from, const char *end)
{
    while (from < end) {
        size_t plain = strcspn(from, "{");
        if (plain > (size_t)(end - from))
            plain = (size_t)(end - from);
        kdl__text_add(text, from, plain);
        from += plain;
        if (from == end)
            break;
        braces field;
        from = read_field(arguments, from, &field);
        if (field.presence)
            kdl__text_puts(text, kdl__bool_name(is_present(module, field.argument->name)));
        else
            kdl__text_argument(text, module, field.argument, field.repr);
    }
}

char *kdl__arguments_repr(const kdl_module *module, const kdl__arguments *arguments)
{
    kdl__text text;
    kdl__text_init(&text, module->ctx);
    for (const char *from = arguments->repr ? arguments->repr : ""; *from;) {
        const char *end = from + strcspn(from, "[");
        add_part(&text, module, arguments, from, end);
        from = end;
        if (*from != '[')
            continue;
        const char *bar = from + strcspn(from, "|]");
        end = strchr(from, ']');
        if (says_something(module, arguments, from, bar))
            add_part(&text, module, arguments, from + 1, bar);
        else if (bar < end)
            add_part(&text, module, arguments, bar + 1, end);
        from = end + 1;
    }
    return kdl__text_take(&text);
}

/* A message, in which brackets stand for themselves. */
static char *render_message(const kdl_module *module, const char *message)
{
    kdl__text text;
    kdl__text_init(&text, module->ctx);
    add_part(&text, module, kdl__class_arguments(module->class), message,
             message + strlen(message));
    return kdl__text_take(&text);
}

kdl_status kdl__fail_in(const kdl_module *module, kdl_status status, const char *message)
{
    char *text = render_message(module, message);
    if (text)
        kdl__fail_at(module->ctx, module->class->name, status, "%s", text);
    kdl_free(module->ctx, text);
    return module->ctx->status;
}

void kdl__warn_in(const kdl_module *module, const char *message)
{
    char *text = render_message(module, message);
    if (text)
        kdl__warn(module->ctx, "%s", text);
    kdl_free(module->ctx, text);
}
