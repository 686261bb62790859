/* SPDX-License-Identifier: Apache-2.0 */
/* Constructing a module from the call that makes it in Python. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "nn/arguments.h"

#define MAX_DEPTH 16 /* of calls among a call's arguments */

static const char place[] = "kdl_nn_from_text";

typedef struct reader {
    kdl_context *ctx;
    const char *text, *at;
    int depth;
} reader;

typedef enum value_kind { NONE, BOOL, INT, NUMBER, STRING, MODULE, TUPLE } value_kind;

typedef struct scalar {
    value_kind kind;
    bool truth;
    int64_t integer;
    double number;
    const char *string; /* in the text */
    size_t length;
    kdl_module *module; /* owned */
} scalar;

/* A value: a scalar, or a tuple of them. */
typedef struct value {
    bool tuple;
    int count;
    scalar items[KDL_MAX_DIMS];
} value;

static kdl_module *read_call(reader *in);

/* ---- reading ----------------------------------------------------------------------------- */

static bool refuse(reader *in, const char *wanted)
{
    kdl__fail_at(in->ctx, place, KDL_ERROR_FORMAT, "%s: %s is expected at column %td", in->text,
                 wanted, in->at - in->text + 1);
    return false;
}

/* The next character that is no space; with `wanted`, it is skipped when it is that one. */
static bool skip(reader *in, char wanted)
{
    in->at += strspn(in->at, " \t\n");
    if (*in->at != wanted || !wanted)
        return false;
    in->at++;
    return true;
}

/* A name, dots included; its length, 0 when there is none. */
static size_t word_length(const char *at)
{
    bool begins = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || *at == '_';
    return begins ? strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.")
                  : 0;
}

static bool is_word(const char *at, size_t length, const char *word)
{
    return strncmp(at, word, length) == 0 && word[length] == '\0';
}

static bool read_number(reader *in, scalar *out)
{
    size_t length = strspn(in->at, "+-0123456789.eEinfa");
    size_t sign = *in->at == '-' || *in->at == '+';
    bool integer = length > sign && strspn(in->at + sign, "0123456789") == length - sign;
    out->kind = integer ? INT : NUMBER;
    if (integer) {
        errno = 0;
        out->integer = strtoll(in->at, NULL, 10);
        integer = errno == 0;
    } else {
        integer = kdl__parse_double(in->at, length, &out->number);
    }
    if (!integer)
        return refuse(in, "a number");
    in->at += length;
    return true;
}

static bool read_string(reader *in, scalar *out)
{
    const char quote[] = { *in->at, '\0' };
    out->kind = STRING;
    out->string = in->at + 1;
    out->length = strcspn(out->string, quote);
    in->at = out->string + out->length;
    return *in->at++ ? true : (in->at--, refuse(in, "the end of the string"));
}

static bool read_scalar(reader *in, scalar *out)
{
    *out = (scalar){ .kind = NONE };
    skip(in, '\0');
    if (*in->at == '\'' || *in->at == '"')
        return read_string(in, out);
    size_t length = word_length(in->at);
    if (length == 0 || is_word(in->at, length, "inf") || is_word(in->at, length, "nan"))
        return read_number(in, out);
    if (in->at[length] == '(') {
        out->kind = MODULE;
        out->module = read_call(in);
        return out->module;
    }
    out->truth = is_word(in->at, length, "True");
    if (out->truth || is_word(in->at, length, "False")) {
        out->kind = BOOL;
    } else if (!is_word(in->at, length, "None")) {
        out->kind = STRING;
        out->string = in->at;
        out->length = length;
    }
    in->at += length;
    return true;
}

/* Reads up to the bracket that closes a tuple; "(3)" is no tuple. */
static bool read_items(reader *in, char close, value *out)
{
    while (!skip(in, close)) {
        if (out->count == KDL_MAX_DIMS)
            return refuse(in, "the end of the tuple");
        if (!read_scalar(in, &out->items[out->count]))
            return false;
        out->count++;
        if (skip(in, ','))
            out->tuple = true;
        else if (!skip(in, close))
            return refuse(in, "',' or the tuple's end");
        else
            break;
    }
    out->tuple = out->tuple || close == ']' || out->count == 0;
    return true;
}

static bool read_value(reader *in, value *out)
{
    out->tuple = false;
    out->count = 0;
    if (skip(in, '('))
        return read_items(in, ')', out);
    if (skip(in, '['))
        return read_items(in, ']', out);
    out->count = 1;
    return read_scalar(in, &out->items[0]);
}

static void release_value(value *read)
{
    for (int i = 0; i < read->count; i++)
        kdl_module_release(read->items[i].module);
}

/* ---- arguments --------------------------------------------------------------------------- */

static bool store_shape(const kdl__argument *argument, const value *from, kdl_shape *out)
{
    static const struct {
        const char *name;
        int64_t value;
    } paddings[] = { { "same", KDL_PADDING_SAME }, { "valid", KDL_PADDING_VALID } };
    *out = kdl__int_shape(from->count > 0 ? 0 : KDL_EMPTY_TUPLE);
    for (int i = 0; i < from->count; i++) {
        const scalar *item = &from->items[i];
        if (item->kind != INT && !(item->kind == NONE && argument->optional))
            break;
        out->sizes[i] = item->kind == INT ? item->integer : KDL_NONE_INT;
        out->ndim++;
    }
    bool stored = out->ndim == from->count;
    for (size_t i = 0; !stored && !from->tuple && i < 2; i++) {
        stored = from->items[0].kind == STRING &&
                 is_word(from->items[0].string, from->items[0].length, paddings[i].name);
        out->sizes[0] = paddings[i].value;
    }
    if (!from->tuple)
        out->ndim = 0;
    return stored;
}

static bool store_number(const kdl__argument *argument, const scalar *from, double *out)
{
    *out = from->kind == INT      ? kdl_int(from->integer)
           : from->kind == NUMBER ? from->number
                                  : KDL_NONE_FLOAT;
    return from->kind == INT || from->kind == NUMBER || (from->kind == NONE && argument->optional);
}

static bool store_ratios(const kdl__argument *argument, const value *from, kdl_ratios *out)
{
    bool stored = from->count >= 1 && from->count <= 3;
    for (int i = 0; i < from->count && stored; i++)
        stored = store_number(argument, &from->items[i], &out->values[i]);
    out->count = from->tuple ? from->count : 0;
    return stored;
}

static bool store_dtype(const scalar *from, kdl_dtype *out)
{
    char name[16];
    if (from->kind != STRING || from->length >= sizeof name)
        return from->kind == NONE;
    memcpy(name, from->string, from->length);
    name[from->length] = '\0';
    return kdl_dtype_parse(name, out);
}

static bool store_string(kdl_context *ctx, const kdl__argument *argument, const scalar *from,
                         const char **out)
{
    if (from->kind != STRING) {
        *out = NULL;
        return from->kind == NONE && argument->optional;
    }
    *out = kdl__intern(ctx, from->string, from->length);
    return true;
}

/* Stores a value as an argument's; false when it cannot be one. */
static bool store(kdl_module *module, const kdl__argument *argument, value *from)
{
    void *at = kdl__argument_at(module, argument);
    scalar *one = &from->items[0];
    bool none = one->kind == NONE && argument->optional;
    if (argument->kind == KDL__KIND_SHAPE)
        return store_shape(argument, from, at);
    if (argument->kind == KDL__KIND_RATIOS)
        return store_ratios(argument, from, at);
    if (from->tuple)
        return false;
    switch (argument->kind) {
    case KDL__KIND_BOOL:
        *(bool *)at = one->truth;
        return one->kind == BOOL;
    case KDL__KIND_OPTIONAL_BOOL:
        *(int8_t *)at = one->kind == NONE ? KDL_NONE_BOOL : one->truth;
        return one->kind == BOOL || none;
    case KDL__KIND_INT:
        *(int64_t *)at = none ? KDL_NONE_INT : one->integer;
        return one->kind == INT || none;
    case KDL__KIND_NUMBER:
        return store_number(argument, one, at);
    case KDL__KIND_STRING:
        return store_string(module->ctx, argument, one, at);
    case KDL__KIND_DTYPE:
        return store_dtype(one, at);
    case KDL__KIND_MODULE:
        *(kdl_module **)at = one->module;
        one->module = NULL;
        return none || *(kdl_module **)at;
    case KDL__KIND_TENSOR:
        return none;
    case KDL__KIND_GROUP:
        *(bool *)at = false;
        return none;
    default: /* ignored */
        return none || (one->kind == STRING && is_word(one->string, one->length, "cpu"));
    }
}

/* What is being called: a class, or the object of its group of arguments. */
typedef struct callee {
    const char *name;
    int length; /* of the name */
    const kdl__argument *list;
    int count, positional, required;
} callee;

static callee class_callee(const kdl_module_class *class)
{
    const kdl__arguments *all = kdl__class_arguments(class);
    int count = all->count - all->hidden;
    return (callee){ class->name, (int)strlen(class->name),  all->list + all->hidden,
                     count,       count - all->keyword_only, all->required };
}

static callee group_callee(const kdl__arguments *all)
{
    return (callee){ all->group, (int)strcspn(all->group, "("), all->list, all->hidden, all->hidden,
                     0 };
}

static const kdl__argument *find_named(const callee *called, const char *name, size_t length)
{
    const kdl__arguments own = { .list = called->list, .count = called->count };
    return kdl__find_argument(&own, name, length);
}

/* The argument that comes next: by its name, or the one at `position`; NULL with an error. */
static const kdl__argument *next_argument(reader *in, const callee *called, int *position)
{
    skip(in, '\0');
    size_t length = word_length(in->at), space = strspn(in->at + length, " ");
    const char *name = in->at;
    if (length > 0 && name[length + space] == '=') {
        in->at += length + space + 1;
        *position = -1;
        const kdl__argument *named = find_named(called, name, length);
        if (!named)
            kdl__fail_at(in->ctx, place, KDL_ERROR_TYPE,
                         "%.*s.__init__() got an unexpected keyword argument '%.*s'",
                         called->length, called->name, (int)length, name);
        return named;
    }
    if (*position < 0) {
        refuse(in, "a named argument");
        return NULL;
    }
    if (*position == called->positional) {
        kdl__fail_at(in->ctx, place, KDL_ERROR_TYPE,
                     "%.*s.__init__() takes %d positional arguments but more were given",
                     called->length, called->name, called->positional + 1);
        return NULL;
    }
    return &called->list[(*position)++];
}

/* Python's error for required arguments that are not among `given`. */
static bool check_required(reader *in, const callee *called, uint64_t given)
{
    uint64_t missing = ~given & (((uint64_t)1 << called->required) - 1);
    int count = __builtin_popcountll(missing), named = 0;
    if (count == 0)
        return true;
    kdl__text names;
    kdl__text_init(&names, in->ctx);
    for (int i = 0; i < called->required; i++) {
        if (!(missing >> i & 1))
            continue;
        bool last = ++named == count;
        const char *comma = named == 1 ? "" : !last ? ", " : count == 2 ? " and " : ", and ";
        kdl__text_printf(&names, "%s'%s'", comma, called->list[i].name);
    }
    kdl__fail_at(in->ctx, place, KDL_ERROR_TYPE,
                 "%.*s.__init__() missing %d required positional argument%s: %s", called->length,
                 called->name, count, count == 1 ? "" : "s", names.data ? names.data : "");
    kdl__text_free(&names);
    return false;
}

/* The argument for a value that was given by a name or a place: the module's, where it has one. */
static const kdl__argument *for_value(const kdl__arguments *arguments, const kdl__argument *named,
                                      const value *given)
{
    bool module = !given->tuple && given->count == 1 && given->items[0].kind == MODULE;
    for (int i = 0; i < arguments->count && module; i++) {
        const kdl__argument *other = &arguments->list[i];
        if (other->kind == KDL__KIND_MODULE && strcmp(other->name, named->name) == 0)
            return other;
    }
    return named;
}

static bool read_arguments(reader *in, kdl_module *module, const callee *called);

/* Skips "torch.nn." or "nn.". */
static void skip_torch(reader *in)
{
    skip(in, '\0');
    in->at += strncmp(in->at, "torch.", 6) == 0 ? 6 : 0;
    in->at += strncmp(in->at, "nn.", 3) == 0 ? 3 : 0;
}

/* Reads a group's object where one stands: *stored says whether it could be one. */
static bool read_group(reader *in, kdl_module *module, const kdl__argument *argument, bool *stored)
{
    const char *from = in->at;
    if (argument->kind != KDL__KIND_GROUP)
        return false;
    const callee group = group_callee(kdl__class_arguments(module->class));
    skip_torch(in);
    size_t length = (size_t)group.length;
    if (strncmp(in->at, group.name, length) != 0 || in->at[length] != '(') {
        in->at = from;
        return false;
    }
    in->at += length + 1;
    *(bool *)kdl__argument_at(module, argument) = true;
    *stored = read_arguments(in, module, &group);
    return true;
}

static bool read_argument(reader *in, kdl_module *module, const callee *called, int *position,
                          uint64_t *given)
{
    const kdl__argument *argument = next_argument(in, called, position);
    if (!argument)
        return false;
    uint64_t bit = (uint64_t)1 << (argument - called->list);
    if (*given & bit) {
        kdl__fail_at(in->ctx, place, KDL_ERROR_TYPE,
                     "%.*s.__init__() got multiple values for argument '%s'", called->length,
                     called->name, argument->name);
        return false;
    }
    *given |= bit;
    skip(in, '\0');
    const char *from = in->at;
    value read = { 0 };
    bool stored;
    if (!read_group(in, module, argument, &stored))
        stored =
            read_value(in, &read) &&
            store(module, for_value(kdl__class_arguments(module->class), argument, &read), &read);
    release_value(&read);
    if (!stored)
        kdl__fail_at(in->ctx, place, KDL_ERROR_TYPE, "%.*s's argument '%s' cannot be %.*s",
                     called->length, called->name, argument->name, (int)(in->at - from), from);
    return stored;
}

/* Fills a module in from what stands in the parentheses, of which the first has been read. */
static bool read_arguments(reader *in, kdl_module *module, const callee *called)
{
    int position = 0;
    uint64_t given = 0;
    while (!skip(in, ')')) {
        if (!read_argument(in, module, called, &position, &given))
            return false;
        if (!skip(in, ',') && *in->at != ')')
            return refuse(in, "',' or ')'");
    }
    return check_required(in, called, given);
}

/* The class that a call names, behind "nn." or "torch.nn."; NULL with an error. */
static const kdl_module_class *read_class(reader *in)
{
    char name[64] = "";
    skip_torch(in);
    size_t length = word_length(in->at);
    if (length == 0 || in->at[length] != '(') {
        refuse(in, "a call");
        return NULL;
    }
    memcpy(name, in->at, length < sizeof name ? length : 0);
    const kdl_module_class *class = kdl_nn_class(name);
    if (!class)
        kdl__fail_at(in->ctx, place, KDL_ERROR_KEY, "module 'torch.nn' has no attribute '%.*s'",
                     (int)length, in->at);
    in->at += length + 1;
    return class;
}

static kdl_module *read_call(reader *in)
{
    if (++in->depth > MAX_DEPTH) {
        kdl__fail_depth(in->ctx, place);
        return NULL;
    }
    const kdl_module_class *class = read_class(in);
    kdl_module *module = class ? kdl__nn_begin(in->ctx, class) : NULL;
    const callee called = module ? class_callee(class) : (callee){ 0 };
    if (module && read_arguments(in, module, &called)) {
        module = kdl__nn_finish(module);
    } else {
        kdl__nn_abandon(module);
        module = NULL;
    }
    in->depth--;
    return module;
}

kdl_module *kdl_nn_from_text(kdl_context *ctx, const char *text)
{
    if (kdl__failed(ctx))
        return NULL;
    reader in = { ctx, text, text, 0 };
    kdl_module *module = read_call(&in);
    skip(&in, '\0');
    if (!module || !*in.at)
        return module;
    refuse(&in, "the end");
    kdl_module_release(module);
    return NULL;
}
