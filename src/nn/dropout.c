/* SPDX-License-Identifier: Apache-2.0 */
/* Dropout (torch/nn/modules/dropout.py). */
#include "nn/layers.h"
#include "nn/module_impl.h"

static char *dropout_extra_repr(const kdl_module *module)
{
    const kdl__dropout *dropout = kdl_module_fields(module);
    kdl__text text;
    kdl__text_init(&text, module->ctx);
    kdl__text_puts(&text, "p=");
    kdl__text_repr(&text, dropout->p);
    kdl__text_printf(&text, ", inplace=%s", kdl__bool_name(dropout->inplace));
    return kdl__text_take(&text);
}

const kdl_module_class kdl_class_dropout = {
    .name = "Dropout",
    .fields_nbytes = sizeof(kdl__dropout),
    .extra_repr = dropout_extra_repr,
};

kdl_module *kdl_nn_dropout_with(kdl_context *ctx, const kdl_dropout_options *given)
{
    kdl_dropout_options options = KDL_DROPOUT_DEFAULTS;
    if (kdl__failed(ctx) ||
        !kdl__read_options(ctx, "kdl_nn_dropout", &options, sizeof options, given))
        return NULL;
    if (options.p < 0 || options.p > 1) {
        kdl__text text;
        kdl__text_init(&text, ctx);
        kdl__text_repr(&text, options.p);
        kdl__fail_at(ctx, "kdl_nn_dropout", KDL_ERROR_VALUE,
                     "dropout probability has to be between 0 and 1, but got %s",
                     text.data ? text.data : "");
        kdl__text_free(&text);
        return NULL;
    }
    kdl_module *module = kdl_module_new(ctx, KDL_CLASS_DROPOUT);
    if (module)
        *(kdl__dropout *)kdl_module_fields(module) = (kdl__dropout){ options.p, options.inplace };
    return module;
}
