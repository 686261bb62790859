/* SPDX-License-Identifier: Apache-2.0 */
/* From the text of a config.json to a model: which family, which class. */
#include <string.h>

#include "models/models_impl.h"

static const char place[] = "kdl_model_from_config";

static const kdl__family *const families[] = { &kdl__family_gpt2, &kdl__family_llama, NULL };

const char *kdl_model_family(int index)
{
    for (int i = 0; families[i]; i++) {
        if (i == index)
            return families[i]->model_type;
    }
    return NULL;
}

static const kdl__family *find_family(const kdl__config *config)
{
    kdl_context *ctx = config->ctx;
    const char *name = json_string_value(json_object_get(config->json, "model_type"));
    if (!name) {
        kdl__fail_at(ctx, place, KDL_ERROR_FORMAT, "the configuration has no \"model_type\"");
        return NULL;
    }
    kdl__text known;
    kdl__text_init(&known, ctx);
    for (int i = 0; families[i]; i++) {
        if (strcmp(families[i]->model_type, name) == 0) {
            kdl__text_free(&known);
            return families[i];
        }
        kdl__text_printf(&known, "%s%s", i ? ", " : "", families[i]->model_type);
    }
    kdl__fail_at(ctx, place, KDL_ERROR_NOT_IMPLEMENTED,
                 "the model_type \"%s\" is not supported; these are: %s", name,
                 known.data ? known.data : "");
    kdl__text_free(&known);
    return NULL;
}

/* The class to make: what the caller asks for, what the configuration names, or a causal one. */
static const kdl__head *find_head(const kdl__config *config, const kdl__family *family,
                                  const char *asked)
{
    bool valid = true;
    const char *name = asked ? asked : kdl__config_architecture(config, &valid);
    if (!valid)
        return NULL;
    if (!name)
        name = "causal";
    kdl__text known;
    kdl__text_init(&known, config->ctx);
    for (const kdl__head *head = family->heads; head->class_name; head++) {
        if (strcmp(head->class_name, name) == 0 || strcmp(head->short_name, name) == 0) {
            kdl__text_free(&known);
            return head;
        }
        kdl__text_printf(&known, "%s%s (%s)", known.length ? ", " : "", head->class_name,
                         head->short_name);
    }
    kdl__fail_at(config->ctx, place, KDL_ERROR_NOT_IMPLEMENTED,
                 "%s has no class \"%s\" here; these are supported: %s", family->model_type, name,
                 known.data ? known.data : "");
    kdl__text_free(&known);
    return NULL;
}

static kdl_module *build(const kdl__config *common, const kdl__family *family,
                         const kdl__head *head)
{
    kdl_context *ctx = common->ctx;
    if (!kdl_dtype_is_floating_point(common->dtype)) {
        kdl__fail_at(ctx, place, KDL_ERROR_VALUE,
                     "%s cannot be instantiated under `dtype=torch.%s` as it's not a "
                     "floating-point dtype",
                     head->class_name, kdl_dtype_name(common->dtype));
        return NULL;
    }
    kdl__config *config = kdl__alloc(ctx, 1, family->config_nbytes);
    kdl_module *model = NULL;
    if (config) {
        memcpy(config, family->config_defaults, family->config_nbytes);
        *config = *common;
        if (kdl__config_read(config, family->config_fields) && !family->check(config))
            model = head->construct(config);
    }
    kdl_free(ctx, config);
    return model;
}

kdl_module *kdl_model_from_config_with(kdl_context *ctx, const char *text, size_t nbytes,
                                       const kdl_model_options *given)
{
    kdl_model_options options = KDL_MODEL_DEFAULTS;
    if (kdl__failed(ctx) || !kdl__read_options(ctx, place, &options, sizeof options, given))
        return NULL;
    json_t *json = kdl__config_parse(ctx, text, nbytes);
    if (!json)
        return NULL;
    kdl__config config = { .ctx = ctx, .json = json };
    const kdl__family *family = find_family(&config);
    const kdl__head *head = family ? find_head(&config, family, options.head) : NULL;
    kdl_module *model = NULL;
    if (head && kdl__config_read_common(&config, options.dtype))
        model = build(&config, family, head);
    json_decref(json);
    return model;
}
