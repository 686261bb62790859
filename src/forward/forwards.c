/* SPDX-License-Identifier: Apache-2.0 */
/* Finding a class's forward. */
#include "autograd/function.h"
#include "forward/forwards.h"

static const kdl__forward_entry *const families[] = {
    kdl__layer_forwards,       kdl__window_forwards,    kdl__loss_forwards,
    kdl__adaptive_forwards,    kdl__recurrent_forwards, kdl__attention_forwards,
    kdl__transformer_forwards,
};

static const kdl__forward_entry *find_forward(const kdl_module_class *class)
{
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        for (const kdl__forward_entry *entry = families[i]; entry->class; entry++)
            if (entry->class == class)
                return entry;
    return NULL;
}

kdl_status kdl_train_enable(kdl_context *ctx)
{
    static const kdl__forwards table = { find_forward };
    if (kdl__autograd_enable(ctx) == KDL_OK)
        kdl__slot_set(ctx, KDL__SLOT_FORWARDS, (void *)&table, NULL);
    return ctx->status;
}
