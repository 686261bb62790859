/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of torch.nn.init by name, from the text of a call. */
#include "kindling/scheme.h"

#include <math.h>
#include <string.h>

#include "base/base.h"
#include "tensor/tensor_impl.h"

enum { MAX_ARGUMENTS = 4 };

typedef enum argument_kind { NUMBER, GAIN, GROUPS, MODE, NONLINEARITY } argument_kind;

typedef struct argument {
    const char *name; /* NULL behind the last */
    argument_kind kind;
    double value; /* the default; NaN: there is none */
} argument;

typedef struct definition {
    const char *name, *signature;
    argument arguments[MAX_ARGUMENTS];
    void (*call)(kdl_tensor *tensor, const double *arguments);
} definition;

/* ---- the functions ----------------------------------------------------------------------- */

static void call_constant(kdl_tensor *tensor, const double *a)
{
    kdl_init_constant_(tensor, a[0]);
}
static void call_dirac(kdl_tensor *tensor, const double *a)
{
    kdl_init_dirac_(tensor, .groups = (int64_t)a[0]);
}
static void call_eye(kdl_tensor *tensor, const double *a)
{
    (void)a;
    kdl_init_eye_(tensor);
}
static void call_kaiming_normal(kdl_tensor *tensor, const double *a)
{
    kdl_init_kaiming_normal_(tensor, .a = a[0], .mode = (kdl_fan_mode)a[1],
                             .nonlinearity = (kdl_nonlinearity)a[2]);
}
static void call_kaiming_uniform(kdl_tensor *tensor, const double *a)
{
    kdl_init_kaiming_uniform_(tensor, .a = a[0], .mode = (kdl_fan_mode)a[1],
                              .nonlinearity = (kdl_nonlinearity)a[2]);
}
static void call_normal(kdl_tensor *tensor, const double *a)
{
    kdl_init_normal_(tensor, .mean = a[0], .std = a[1]);
}
static void call_ones(kdl_tensor *tensor, const double *a)
{
    (void)a;
    kdl_init_ones_(tensor);
}
static void call_orthogonal(kdl_tensor *tensor, const double *a)
{
    kdl_init_orthogonal_(tensor, .gain = a[0]);
}
static void call_sparse(kdl_tensor *tensor, const double *a)
{
    kdl_init_sparse_(tensor, a[0], .std = a[1]);
}
static void call_trunc_normal(kdl_tensor *tensor, const double *a)
{
    kdl_init_trunc_normal_(tensor, .mean = a[0], .std = a[1], .a = a[2], .b = a[3]);
}
static void call_uniform(kdl_tensor *tensor, const double *a)
{
    kdl_init_uniform_(tensor, .a = a[0], .b = a[1]);
}
static void call_xavier_normal(kdl_tensor *tensor, const double *a)
{
    kdl_init_xavier_normal_(tensor, .gain = a[0]);
}
static void call_xavier_uniform(kdl_tensor *tensor, const double *a)
{
    kdl_init_xavier_uniform_(tensor, .gain = a[0]);
}
static void call_zeros(kdl_tensor *tensor, const double *a)
{
    (void)a;
    kdl_init_zeros_(tensor);
}

#define KAIMING                                                                                    \
    {                                                                                              \
        { "a", NUMBER, 0 }, { "mode", MODE, KDL_FAN_IN },                                          \
        {                                                                                          \
            "nonlinearity", NONLINEARITY, KDL_NONLINEARITY_LEAKY_RELU                              \
        }                                                                                          \
    }
static const definition functions[] = {
    { "constant", "constant(val)", { { "val", NUMBER, NAN } }, call_constant },
    { "dirac", "dirac(groups=1)", { { "groups", GROUPS, 1 } }, call_dirac },
    { "eye", "eye()", { { 0 } }, call_eye },
    { "kaiming_normal", "kaiming_normal(a=0, mode=fan_in, nonlinearity=leaky_relu)", KAIMING,
      call_kaiming_normal },
    { "kaiming_uniform", "kaiming_uniform(a=0, mode=fan_in, nonlinearity=leaky_relu)", KAIMING,
      call_kaiming_uniform },
    { "normal",
      "normal(mean=0.0, std=1.0)",
      { { "mean", NUMBER, 0 }, { "std", NUMBER, 1 } },
      call_normal },
    { "ones", "ones()", { { 0 } }, call_ones },
    { "orthogonal", "orthogonal(gain=1)", { { "gain", GAIN, 1 } }, call_orthogonal },
    { "sparse",
      "sparse(sparsity, std=0.01)",
      { { "sparsity", NUMBER, NAN }, { "std", NUMBER, 0.01 } },
      call_sparse },
    { "trunc_normal",
      "trunc_normal(mean=0.0, std=1.0, a=-2.0, b=2.0)",
      { { "mean", NUMBER, 0 }, { "std", NUMBER, 1 }, { "a", NUMBER, -2 }, { "b", NUMBER, 2 } },
      call_trunc_normal },
    { "uniform",
      "uniform(a=0.0, b=1.0)",
      { { "a", NUMBER, 0 }, { "b", NUMBER, 1 } },
      call_uniform },
    { "xavier_normal", "xavier_normal(gain=1.0)", { { "gain", GAIN, 1 } }, call_xavier_normal },
    { "xavier_uniform", "xavier_uniform(gain=1.0)", { { "gain", GAIN, 1 } }, call_xavier_uniform },
    { "zeros", "zeros()", { { 0 } }, call_zeros },
};
enum { FUNCTION_COUNT = sizeof functions / sizeof *functions };

const char *kdl_scheme_at(size_t index)
{
    return index < FUNCTION_COUNT ? functions[index].signature : NULL;
}

kdl_status kdl_scheme_apply(const kdl_scheme *scheme, kdl_tensor *tensor)
{
    if (kdl__refuses(tensor))
        return kdl__refusal(tensor);
    functions[scheme->function_].call(tensor, scheme->arguments_);
    return tensor->ctx->status;
}

/* ---- reading a call ---------------------------------------------------------------------- */

typedef struct reader {
    kdl_context *ctx;
    const char *text, *at;
} reader;

static const char place[] = "kdl_scheme_parse";
static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

static bool refuse(const reader *in, const char *wanted)
{
    kdl__fail_at(in->ctx, place, KDL_ERROR_FORMAT, "%s: %s is expected at column %td", in->text,
                 wanted, in->at - in->text + 1);
    return false;
}

static void skip_spaces(reader *in)
{
    in->at += strspn(in->at, " ");
}

/* Skips spaces and then `wanted`, if it is there. */
static bool skip(reader *in, char wanted)
{
    skip_spaces(in);
    if (*in->at != wanted)
        return false;
    in->at++;
    return true;
}

static bool is_word(const char *at, size_t length, const char *word)
{
    return strncmp(at, word, length) == 0 && word[length] == '\0';
}

/* The function that the text begins with, or -1 with an error. */
static int read_function(reader *in)
{
    skip_spaces(in);
    size_t length = strspn(in->at, letters);
    const char *name = in->at;
    in->at += length;
    if (length > 1 && name[length - 1] == '_')
        length--;
    for (int i = 0; i < FUNCTION_COUNT; i++) {
        if (is_word(name, length, functions[i].name))
            return i;
    }
    kdl__fail_at(in->ctx, place, KDL_ERROR_KEY, "torch.nn.init has no scheme '%.*s'", (int)length,
                 name);
    return -1;
}

/* A word, in quotes or not, NUL-terminated. */
static bool read_word(reader *in, char *word, size_t size)
{
    char quote = *in->at == '\'' || *in->at == '"' ? *in->at++ : '\0';
    size_t length = strspn(in->at, letters);
    if (length == 0 || length >= size)
        return refuse(in, "a name");
    memcpy(word, in->at, length);
    word[length] = '\0';
    in->at += length;
    if (quote && *in->at++ != quote)
        return in->at--, refuse(in, "the closing quote");
    return true;
}

/* A mode, a nonlinearity, or a gain given as one. */
static bool read_name(reader *in, argument_kind kind, double *value)
{
    char word[32];
    kdl_fan_mode mode = KDL_FAN_IN;
    kdl_nonlinearity nonlinearity = KDL_NONLINEARITY_LINEAR;
    if (!read_word(in, word, sizeof word))
        return false;
    if (kind == MODE) {
        kdl_fan_mode_parse(in->ctx, word, &mode);
        *value = mode;
    } else {
        kdl_nonlinearity_parse(in->ctx, word, &nonlinearity);
        *value = kind == GAIN ? kdl_init_calculate_gain(in->ctx, nonlinearity) : nonlinearity;
    }
    return !kdl__failed(in->ctx);
}

static bool read_value(reader *in, argument_kind kind, double *value)
{
    skip_spaces(in);
    bool is_name = (*in->at >= 'a' && *in->at <= 'z' && strncmp(in->at, "inf", 3) != 0 &&
                    strncmp(in->at, "nan", 3) != 0) ||
                   *in->at == '\'' || *in->at == '"';
    if (kind == MODE || kind == NONLINEARITY || (kind == GAIN && is_name))
        return read_name(in, kind, value);
    size_t length = strspn(in->at, "+-0123456789.eEinfa");
    if (!kdl__parse_double(in->at, length, value))
        return refuse(in, "a number");
    if (kind == GROUPS && !(fabs(*value) <= INT32_MAX && *value == floor(*value)))
        return refuse(in, "an integer");
    in->at += length;
    return true;
}

/* The argument that comes next, by name or by position, or -1 with an error. */
static int next_argument(reader *in, const definition *function, int *position)
{
    skip_spaces(in);
    size_t length = strspn(in->at, letters), space = strspn(in->at + length, " ");
    int index = 0;
    if (length > 0 && in->at[length + space] == '=') {
        while (index < MAX_ARGUMENTS && function->arguments[index].name &&
               !is_word(in->at, length, function->arguments[index].name))
            index++;
        if (index == MAX_ARGUMENTS || !function->arguments[index].name) {
            kdl__fail_at(in->ctx, place, KDL_ERROR_TYPE,
                         "%s_() got an unexpected keyword argument '%.*s'", function->name,
                         (int)length, in->at);
            return -1;
        }
        in->at += length + space + 1;
        *position = MAX_ARGUMENTS + 1;
        return index;
    }
    index = (*position)++;
    if (index > MAX_ARGUMENTS) {
        refuse(in, "a named argument");
    } else if (index == MAX_ARGUMENTS || !function->arguments[index].name) {
        kdl__fail_at(in->ctx, place, KDL_ERROR_TYPE, "%s takes no more arguments than %s",
                     function->name, function->signature);
    }
    return kdl__failed(in->ctx) ? -1 : index;
}

/* Reads "(arguments)", if they are there, over the defaults in `values`. */
static bool read_arguments(reader *in, const definition *function, double *values)
{
    int position = 0;
    unsigned given = 0;
    bool open = skip(in, '(');
    while (open && !skip(in, ')')) {
        int index = next_argument(in, function, &position);
        if (index < 0)
            return false;
        if (given >> index & 1) {
            kdl__fail_at(in->ctx, place, KDL_ERROR_TYPE, "%s_() got multiple values for '%s'",
                         function->name, function->arguments[index].name);
            return false;
        }
        given |= 1u << index;
        if (!read_value(in, function->arguments[index].kind, &values[index]))
            return false;
        if (!skip(in, ',') && *in->at != ')')
            return refuse(in, "',' or ')'");
    }
    for (int i = 0; i < MAX_ARGUMENTS && function->arguments[i].name; i++) {
        if (isnan(function->arguments[i].value) && !(given >> i & 1))
            kdl__fail_at(in->ctx, place, KDL_ERROR_TYPE, "%s_() misses its argument '%s'",
                         function->name, function->arguments[i].name);
    }
    return !kdl__failed(in->ctx);
}

kdl_status kdl_scheme_parse(kdl_context *ctx, const char *text, kdl_scheme *scheme)
{
    reader in = { ctx, text, text };
    if (kdl__failed(ctx))
        return ctx->status;
    scheme->function_ = read_function(&in);
    if (scheme->function_ < 0)
        return ctx->status;
    const definition *function = &functions[scheme->function_];
    for (int i = 0; i < MAX_ARGUMENTS; i++)
        scheme->arguments_[i] = function->arguments[i].value;
    if (!read_arguments(&in, function, scheme->arguments_))
        return ctx->status;
    skip_spaces(&in);
    if (*in.at)
        refuse(&in, "the end");
    return ctx->status;
}
