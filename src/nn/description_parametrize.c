/* SPDX-License-Identifier: Apache-2.0 */
/* What torch.nn.utils.parametrizations did to a layer, by the text of its parametrizations. */
#include "kindling/nn_parametrize.h"
#include "nn/description_build.h"

/* Those of torch.nn.utils.parametrizations; they print none of their arguments. */
static const struct {
    const char *class, *assumed;
} known[] = {
    { "_WeightNorm", "dim=0" },
    { "_SpectralNorm", "n_power_iterations=1, eps=1e-12, dim=None" },
    { "_Orthogonal", "orthogonal_map=None, use_trivialization=True" },
};
enum { WEIGHT_NORM, SPECTRAL_NORM, ORTHOGONAL, KNOWN_COUNT };

static void parametrize_once(kdl__builder *builder, kdl_module *module, const char *name,
                             const kdl__node *node)
{
    int which = 0;
    while (which < KNOWN_COUNT && !kdl__span_is(node->class, known[which].class))
        which++;
    if (which == WEIGHT_NORM)
        kdl_parametrizations_weight_norm(module, .name = name);
    else if (which == SPECTRAL_NORM)
        kdl_parametrizations_spectral_norm(module, .name = name);
    else if (which == ORTHOGONAL)
        kdl_parametrizations_orthogonal(module, .name = name);
    else
        kdl__fail_in_text(builder->ctx, builder->text, node->class.at, KDL_ERROR_NOT_IMPLEMENTED,
                          "%.*s is no parametrization that is known", (int)node->class.length,
                          node->class.at);
    if (which == KNOWN_COUNT)
        return;
    kdl__locate_error(builder, node);
    if (!kdl_error_status(builder->ctx))
        kdl__note(builder, node->class, known[which].assumed);
}

void kdl__parametrize(kdl__builder *builder, kdl_module *module, const kdl__node *lists)
{
    for (const kdl__node *list = lists->children; list; list = list->next) {
        char *name = kdl__strndup(builder->ctx, list->key.at, list->key.length);
        for (const kdl__node *node = name ? list->children : NULL; node; node = node->next) {
            for (int64_t i = node->first; i <= node->last && !kdl_error_status(builder->ctx); i++)
                parametrize_once(builder, module, name, node);
        }
        kdl_free(builder->ctx, name);
    }
}
