/* SPDX-License-Identifier: Apache-2.0 */
/* torch.nn.init's functions by their names: "kaiming_normal(mode=fan_out, nonlinearity=relu)". */
#ifndef KINDLING_SCHEME_H
#define KINDLING_SCHEME_H

#include "kindling/init.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * A function of torch.nn.init and its arguments: read by kdl_scheme_parse(); the rest is private.
 */
typedef struct kdl_scheme {
    int function_;
    double arguments_[4];
} kdl_scheme;

/**
 * Reads a call such as "normal(mean=0, std=0.02)", "zeros" or "xavier_uniform_(0.5)": the name with
 * or without the underscore at its end; arguments by position or by name, with PyTorch's names and
 * defaults; no parentheses for none. A mode is fan_in or fan_out, a nonlinearity PyTorch's name
 * for it, both with or without quotes. A gain may be such a name, too, and is then calculate_gain()
 * of it. KDL_ERROR_FORMAT for text that is no such call, KeyError for another name, TypeError for
 * arguments that are not the function's, ValueError for their values.
 */
KDL_API kdl_status kdl_scheme_parse(kdl_context *ctx, const char *text, kdl_scheme *scheme);

/** Calls it with the tensor, and the context's default generator. Errors are the function's. */
KDL_API kdl_status kdl_scheme_apply(const kdl_scheme *scheme, kdl_tensor *tensor);

/**
 * The signature of the function at `index`, "normal(mean=0.0, std=1.0)" (a static string); NULL at
 * the end.
 */
KDL_API const char *kdl_scheme_at(size_t index);

#ifdef __cplusplus
}
#endif
#endif
