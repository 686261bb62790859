/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Networks described by the text that Python's print(model) writes, and initialised by rules.
 *
 * A class that is not torch.nn's becomes a container of that name. The modules are constructed in
 * the order in which they stand in the text, which is PyTorch's where every module is assigned as
 * it is made. What the text does not show cannot be there: parameters and buffers of a class's own,
 * modules and parameters under two names, dtypes, another order of construction, and what is done
 * to the network afterwards (`apply`, transformers' `post_init`; see rules below, and models.h).
 */
#ifndef KINDLING_DESCRIPTION_H
#define KINDLING_DESCRIPTION_H

#include "kindling/nn.h"
#include "kindling/scheme.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Told what was assumed where the text is silent, valid during the call only. */
typedef void kdl_note_callback(void *user_data, const char *note);

/** Options of kdl_module_from_string(); start from KDL_FROM_STRING_DEFAULTS. */
typedef struct kdl_from_string_options {
    size_t nbytes;             /**< sizeof(kdl_from_string_options), for the ABI */
    kdl_dtype dtype;           /**< of every layer's parameters and buffers; default KDL_F32 */
    const char *const *assume; /**< what the text does not tell, see below; default NULL */
    int assume_count;          /**< how many; default 0 */
    kdl_note_callback *note;   /**< default NULL */
    void *note_user_data;
} kdl_from_string_options;

#define KDL_FROM_STRING_DEFAULTS                                                                   \
    {                                                                                              \
        sizeof(kdl_from_string_options), KDL_F32, NULL, 0, NULL, NULL                              \
    }

/**
 * The module whose print(module) is `text` (of `nbytes` bytes): what kdl_module_to_string() writes,
 * read back, "(0-5): 6 x Block(...)" expanded. Draws from the context's default generator. Gives
 * one reference.
 *
 * Each of `.assume` is one of
 *     "PReLU(init=0.1)"       further arguments of every PReLU;
 *     "LlamaRMSNorm=RMSNorm"  a class that is like one of torch.nn: the arguments that it prints
 *                             are that one's;
 *     "DropPath=Module"       a class without parameters, whatever it prints;
 *     "Encoder=TransformerEncoder"  a class whose `layers` are deep copies of one.
 * MultiheadAttention is made from its out_proj, with one head; what else matters for its
 * parameters, kdim, vdim and add_bias_kv, has the defaults unless `.assume` says otherwise. The
 * layers of torch.nn's TransformerEncoder and TransformerDecoder are copies of one, and the
 * matrices of its Transformer are drawn again by xavier_uniform_, as there. What is printed as
 * ParametrizedLinear is parametrized as soon as it is constructed, with the defaults of
 * torch.nn.utils.parametrizations.
 *
 * Errors begin with the line and column: KDL_ERROR_FORMAT for text that print() does not write;
 * NotImplementedError for a layer that is not known, for a Lazy one, for a parametrization of one's
 * own and for lists of parameters, by name; the constructors' errors. ValueError for something
 * assumed of a class that does not occur.
 */
#define kdl_module_from_string(ctx, text, nbytes, ...)                                             \
    KDL__WITH(kdl_from_string_options, KDL_FROM_STRING_DEFAULTS, (__VA_ARGS__),                    \
              kdl_module_from_string_with, ctx, text, nbytes)
KDL_API kdl_module *kdl_module_from_string_with(kdl_context *ctx, const char *text, size_t nbytes,
                                                const kdl_from_string_options *options);

/**
 * Initialises parameters anew by rules "PATTERN=SCHEME", e.g. "*.bias=zeros",
 * "Linear.weight=kaiming_normal(mode=fan_out, nonlinearity=relu)" (scheme.h). PATTERN is a dotted
 * name with *, ? and [...] as in Python's fnmatch (* takes dots too), or CLASS.NAME: parameters
 * NAME (which may have wildcards) of modules of that class or one derived from it. Of the rules
 * that match a parameter the last one counts. In Python:
 *
 *     def visit(module, prefix=""):
 *         for name, child in module._modules.items():
 *             if child is not None:
 *                 visit(child, prefix + name + ".")
 *         for name, parameter in module._parameters.items():
 *             matching = [rule for rule in rules if rule.matches(module, prefix, name)]
 *             if parameter is not None and matching:
 *                 matching[-1].scheme(parameter)
 *
 * which is the order of model.apply(): children first, a tied parameter in each place. Nothing is
 * changed when a rule cannot be read or matches nothing (ValueError, naming it); an initialiser's
 * error names the parameter.
 */
KDL_API kdl_status kdl_apply_rules(kdl_module *module, const char *const *rules, int count);

#ifdef __cplusplus
}
#endif
#endif
