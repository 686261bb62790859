/* SPDX-License-Identifier: Apache-2.0 */
/* Finding a class's forward. */
#include <string.h>

#include "autograd/function.h"
#include "forward/forwards.h"

static const kdl__forward_entry *const families[] = {
    kdl__layer_forwards,     kdl__element_forwards,   kdl__norm_forwards,
    kdl__window_forwards,    kdl__loss_forwards,      kdl__adaptive_forwards,
    kdl__recurrent_forwards, kdl__attention_forwards, kdl__transformer_forwards,
};

const kdl__forward_entry *kdl__find_forward(const kdl_module_class *class)
{
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        for (const kdl__forward_entry *entry = families[i]; entry->class; entry++)
            if (entry->class == class)
                return entry;
    return NULL;
}

/* The digit at the end of the name, "2d". */
int kdl__spatial(const kdl_module *module)
{
    const kdl_module_class *class = module->class;
    while (!class->arguments) /* one of the user's, derived from it */
        class = class->parent;
    return class->name[strlen(class->name) - 2] - '0';
}

kdl_status kdl_train_enable(kdl_context *ctx)
{
    static const kdl__forwards table = { kdl__find_forward };
    if (kdl__autograd_enable(ctx) == KDL_OK)
        kdl__slot_set(ctx, KDL__SLOT_FORWARDS, (void *)&table, NULL);
    return ctx->status;
}
