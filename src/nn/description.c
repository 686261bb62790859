/* SPDX-License-Identifier: Apache-2.0 */
/* The modules that the text of print(model) describes, constructed in its order. */
#include <inttypes.h>
#include <stdlib.h>

#include "kindling/init.h"
#include "nn/arguments.h"
#include "nn/description_build.h"

/* As many modules as a text may describe: a few lines can fold more than any memory holds. */
enum { MAX_MODULES = 1 << 18 };

static kdl_module *build(kdl__builder *builder, const kdl__node *node);

static kdl_module *refuse(kdl__builder *builder, const kdl__node *node, const char *why)
{
    kdl__fail_in_text(builder->ctx, builder->text, node->class.at, KDL_ERROR_NOT_IMPLEMENTED,
                      "%.*s%s", (int)node->class.length, node->class.at, why);
    return NULL;
}

static const kdl__node *find_child(const kdl__node *node, const char *key)
{
    const kdl__node *child = node->children;
    while (child && !kdl__span_is(child->key, key))
        child = child->next;
    return child;
}

/* ---- layers ------------------------------------------------------------------------------ */

void kdl__locate_error(kdl__builder *builder, const kdl__node *node)
{
    char message[512];
    kdl_context *ctx = builder->ctx;
    kdl_status status = kdl_error_status(ctx);
    if (status == KDL_OK || status == KDL_ERROR_MEMORY)
        return;
    snprintf(message, sizeof message, "%s", kdl_error_message(ctx));
    kdl_error_clear(ctx);
    kdl__fail_in_text(ctx, builder->text, node->class.at, status, "%s", message);
}

/* A layer of torch.nn's `class` from its constructor's arguments. */
static kdl_module *construct(kdl__builder *builder, const kdl__node *node,
                             const kdl_module_class *class, kdl__span arguments)
{
    kdl__text call;
    const kdl__arguments *table = kdl__class_arguments(class);
    kdl__span assumed = kdl__assumed_arguments(builder, node->class);
    kdl__text_init(&call, builder->ctx);
    kdl__text_printf(&call, "%s(%.*s", class->name, (int)arguments.length, arguments.at);
    if (assumed.length)
        kdl__text_printf(&call, "%s%.*s", arguments.length ? ", " : "", (int)assumed.length,
                         assumed.at);
    if (builder->options->dtype != KDL_F32 && table && kdl__find_argument(table, "dtype", 5))
        kdl__text_printf(&call, "%sdtype=torch.%s", arguments.length + assumed.length ? ", " : "",
                         kdl_dtype_name(builder->options->dtype));
    kdl__text_puts(&call, ")");
    char *text = kdl__text_take(&call);
    kdl_module *module = text ? kdl_nn_from_text(builder->ctx, text) : NULL;
    kdl_free(builder->ctx, text);
    kdl__locate_error(builder, node);
    if (module)
        kdl__note_unseen(builder, node->class, assumed);
    return module;
}

/* What a class prints, but for arguments that it does not take (a mode), which come last. */
static kdl__span visible_arguments(const kdl__node *node, const kdl_module_class *class)
{
    const kdl__arguments *table = kdl__class_arguments(class);
    kdl__span visible = node->extra;
    char name[32];
    for (int i = 0; table && !table->group && i < table->hidden; i++) {
        int length = snprintf(name, sizeof name, ", %s=", table->list[i].name);
        const char *at = memmem(visible.at, visible.length, name, (size_t)length);
        if (at)
            visible.length = (size_t)(at - visible.at);
    }
    return visible;
}

/* One whose class has another name than the one of torch.nn that it is like. */
static kdl_module *construct_as(kdl__builder *builder, const kdl__node *node,
                                const kdl_module_class *base)
{
    kdl_module *module = construct(builder, node, base, node->extra);
    const kdl_module_class *class =
        module ? kdl__class_named(builder->ctx, node->class, base) : NULL;
    if (class)
        module->class = class; /* which adds nothing to its parent */
    return kdl__module_finish(module);
}

/* Whether it is torch.nn's MultiheadAttention: others have that name, too. */
static bool is_attention(const kdl__node *node)
{
    const kdl__node *out_proj = node ? find_child(node, "out_proj") : NULL;
    return out_proj && kdl__span_is(node->class, "MultiheadAttention") &&
           kdl__span_is(out_proj->class, "NonDynamicallyQuantizableLinear");
}

/* It prints its out_proj, whose sizes and bias are its own, and nothing else. */
static kdl_module *construct_attention(kdl__builder *builder, const kdl__node *node,
                                       const kdl_module_class *class)
{
    kdl__span extra = find_child(node, "out_proj")->extra;
    const char *sizes = memmem(extra.at, extra.length, "out_features=", 13);
    kdl__span assumed = kdl__assumed_arguments(builder, node->class);
    bool has_heads = memmem(assumed.at, assumed.length, "num_heads", 9);
    char arguments[96];
    if (!sizes)
        return refuse(builder, node, " has an out_proj without out_features");
    int length = snprintf(arguments, sizeof arguments, "embed_dim=%" PRId64 ", bias=%s%s",
                          (int64_t)strtoll(sizes + 13, NULL, 10),
                          kdl__bool_name(memmem(extra.at, extra.length, "bias=True", 9)),
                          has_heads ? "" : ", num_heads=1");
    return construct(builder, node, class, (kdl__span){ arguments, (size_t)length });
}

/* ---- containers -------------------------------------------------------------------------- */

static void add_child(kdl__builder *builder, kdl_module *parent, const kdl__node *node,
                      int64_t number, kdl_module *child)
{
    char digits[24];
    kdl__span key = node->key;
    if (kdl__failed(builder->ctx)) {
        kdl_module_release(child);
        return;
    }
    if (node->last > node->first) {
        snprintf(digits, sizeof digits, "%" PRId64, number);
        key = (kdl__span){ digits, strlen(digits) };
    }
    char *name = kdl__strndup(builder->ctx, key.at, key.length);
    if (name && !kdl__module_find(parent, name, key.length)) {
        kdl_add_module(parent, name, child);
        kdl__locate_error(builder, node);
    } else {
        if (name)
            kdl__fail_in_text(builder->ctx, builder->text, node->key.at, KDL_ERROR_FORMAT,
                              "the name '%s' is there already", name);
        kdl_module_release(child);
    }
    kdl_free(builder->ctx, name);
}

static void add_children(kdl__builder *builder, kdl_module *module, const kdl__node *node)
{
    for (const kdl__node *child = node->children; child; child = child->next) {
        for (int64_t i = child->first; i <= child->last && !kdl__failed(builder->ctx); i++)
            add_child(builder, module, child, i, build(builder, child));
    }
}

static bool is_stack_name(kdl__span class)
{
    return kdl__span_is(class, "TransformerEncoder") || kdl__span_is(class, "TransformerDecoder");
}

/* Whether it is torch.nn's TransformerEncoder or TransformerDecoder, of torch.nn's layers. */
static bool is_stack(const kdl__node *node)
{
    const kdl__node *list = node ? find_child(node, "layers") : NULL;
    const kdl__node *layer = list ? list->children : NULL;
    if (!list || !is_stack_name(node->class))
        return false;
    return !layer || (is_attention(find_child(layer, "self_attn")) &&
                      (kdl__span_is(layer->class, "TransformerEncoderLayer") ||
                       kdl__span_is(layer->class, "TransformerDecoderLayer")));
}

/* Its encoder or decoder may be another module (custom_encoder, custom_decoder). */
static bool is_transformer(const kdl__node *node)
{
    const kdl__node *encoder = find_child(node, "encoder"), *decoder = find_child(node, "decoder");
    return kdl__span_is(node->class, "Transformer") && encoder && decoder &&
           (is_stack(encoder) || is_stack(decoder));
}

/* The layers of such a stack: deep copies of one. */
static kdl_module *build_copies(kdl__builder *builder, const kdl__node *list)
{
    const kdl__node *first = list->children;
    if (!first)
        return refuse(builder, list, ": without copies the layer that was copied cannot be seen");
    if (first->next)
        return refuse(builder, list, ": layers that are copies of one cannot differ");
    kdl_module *copies = kdl_nn_module_list(builder->ctx), *layer = build(builder, first);
    for (int64_t i = first->first; layer && i <= first->last; i++)
        kdl_append(copies, kdl_module_deep_copy(layer));
    kdl_module_release(layer);
    return kdl__module_finish(copies);
}

static void add_stack(kdl__builder *builder, kdl_module *module, const kdl__node *node)
{
    for (const kdl__node *child = node->children; child && !kdl__failed(builder->ctx);
         child = child->next) {
        bool is_list = kdl__span_is(child->key, "layers");
        for (int64_t i = child->first; i <= child->last && !kdl__failed(builder->ctx); i++)
            add_child(builder, module, child, i,
                      is_list ? build_copies(builder, child) : build(builder, child));
    }
}

/* Transformer._reset_parameters() */
static void reset_transformer(kdl_module *module)
{
    for (kdl_iterator it = kdl_named_parameters(module); kdl_next(&it);) {
        if (kdl_tensor_ndim(it.tensor) > 1)
            kdl_init_xavier_uniform_(it.tensor);
    }
}

static kdl_module *build_container(kdl__builder *builder, const kdl__node *node,
                                   const kdl_module_class *class, bool copies)
{
    kdl_module *module = kdl__class_arguments(class) ? kdl_nn_new(builder->ctx, class, NULL)
                                                     : kdl_module_new(builder->ctx, class);
    if (!module)
        return NULL;
    if (copies)
        add_stack(builder, module, node);
    else
        add_children(builder, module, node);
    if (is_transformer(node))
        reset_transformer(module);
    return kdl__module_finish(module);
}

/* ---- all --------------------------------------------------------------------------------- */

/* Torch.nn's class of that name, or NULL. */
static const kdl_module_class *find_class(kdl__span name)
{
    char copy[64] = "";
    if (name.length >= sizeof copy)
        return NULL;
    memcpy(copy, name.at, name.length);
    return kdl_nn_class(copy);
}

/* "ParametrizedLinear(...)": a Linear that is parametrized as soon as it is constructed. */
static kdl_module *build_parametrized(kdl__builder *builder, const kdl__node *node)
{
    static const char prefix[] = "Parametrized";
    kdl__node plain = *node;
    if (strncmp(node->class.at, prefix, strlen(prefix)) != 0 || node->children->next)
        return refuse(builder, node,
                      ": only a layer without modules of its own can be parametrized here");
    plain.class.at += strlen(prefix);
    plain.class.length -= strlen(prefix);
    plain.children = NULL;
    kdl_module *module = build(builder, &plain);
    if (module)
        kdl__parametrize(builder, module, node->children);
    return kdl__module_finish(module);
}

static bool is_container(const kdl_module_class *class)
{
    return class == KDL_CLASS_MODULE || class == KDL_CLASS_SEQUENTIAL ||
           class == KDL_CLASS_MODULE_LIST || class == KDL_CLASS_MODULE_DICT;
}

/* A class that the caller says something of: a layer, or without parameters whatever it prints. */
static kdl_module *build_assumed(kdl__builder *builder, const kdl__node *node,
                                 const kdl__assumption *assumption)
{
    const kdl_module_class *base = find_class(assumption->base);
    if (!base)
        return refuse(builder, node, " is assumed to be of a class that is not known");
    bool copies = is_stack_name(assumption->base);
    if (copies && !find_child(node, "layers"))
        return refuse(builder, node, " has no list of layers that could be copies of one");
    if (copies || is_container(base)) {
        const kdl_module_class *class =
            kdl__class_named(builder->ctx, node->class, copies ? NULL : base);
        return class ? build_container(builder, node, class, copies) : NULL;
    }
    if (node->children)
        return refuse(builder, node, " holds modules, which no layer of torch.nn does");
    return construct_as(builder, node, base);
}

static kdl_module *refuse_unknown(kdl__builder *builder, const kdl__node *node)
{
    int length = (int)node->class.length;
    const char *name = node->class.at;
    kdl__fail_in_text(builder->ctx, builder->text, name, KDL_ERROR_NOT_IMPLEMENTED,
                      "%.*s is not known; assume '%.*s=CLASS' when it is like a class of "
                      "torch.nn, '%.*s=Module' when it has no parameters",
                      length, name, length, name, length, name);
    return NULL;
}

/* A class that torch.nn does not have, or that has the name of one but is another. */
static kdl_module *build_own(kdl__builder *builder, const kdl__node *node)
{
    if (!node->children && node->extra.length)
        return refuse_unknown(builder, node);
    if (!node->children)
        kdl__note(builder, node->class, "a class without parameters");
    else if (is_stack_name(node->class) && !is_stack(node))
        kdl__note(builder, node->class, "its layers are not copies of one");
    const kdl_module_class *class = kdl__class_named(builder->ctx, node->class, NULL);
    return class ? build_container(builder, node, class, is_stack(node)) : NULL;
}

/*
 * Whether a layer of torch.nn cannot be made from what it prints, and need not be: one that prints
 * modules alone is the sum of them, one that prints nothing (a pooling layer) has no parameters.
 */
static bool prints_no_arguments(const kdl__node *node, const kdl_module_class *class)
{
    const kdl__arguments *table = kdl__class_arguments(class);
    return node->extra.length == 0 && (node->children || (table && table->required > 0));
}

static kdl_module *build(kdl__builder *builder, const kdl__node *node)
{
    if (node->class.length == 0)
        return NULL;
    const kdl__assumption *assumption = kdl__assumed_base(builder, node->class);
    const kdl_module_class *class = find_class(node->class);
    if (assumption)
        return build_assumed(builder, node, assumption);
    if (find_child(node, "parametrizations"))
        return build_parametrized(builder, node);
    if (class && (is_container(class) || !kdl__class_arguments(class)))
        return build_container(builder, node, class, false);
    if (is_attention(node))
        return class ? construct_attention(builder, node, class)
                     : refuse(builder, node, " is not supported");
    if (!class || prints_no_arguments(node, class))
        return build_own(builder, node);
    if (kdl__class_arguments(class) && kdl__class_arguments(class)->becomes)
        return refuse(builder, node,
                      " has no parameters before its first forward: print the model after it");
    return construct(builder, node, class, visible_arguments(node, class));
}

/* How many modules the node and its children stand for; at most MAX_MODULES + 1. */
static int64_t count_modules(const kdl__node *node)
{
    int64_t count = 1;
    for (const kdl__node *child = node->children; child && count <= MAX_MODULES;
         child = child->next) {
        int64_t times = child->last - child->first + 1;
        count += times > MAX_MODULES ? MAX_MODULES : times * count_modules(child);
    }
    return count > MAX_MODULES ? MAX_MODULES + 1 : count;
}

static kdl_module *build_all(kdl__builder *builder, const kdl__node *root)
{
    if (count_modules(root) > MAX_MODULES) {
        kdl__fail_at(builder->ctx, "kdl_module_from_string", KDL_ERROR_VALUE,
                     "the text stands for more than %d modules", MAX_MODULES);
        return NULL;
    }
    kdl_module *module = kdl__read_assumptions(builder) ? build(builder, root) : NULL;
    if (module)
        kdl__check_assumptions(builder);
    kdl_free(builder->ctx, builder->assumptions);
    kdl_free(builder->ctx, builder->noted);
    return kdl__module_finish(module);
}

kdl_module *kdl_module_from_string_with(kdl_context *ctx, const char *text, size_t nbytes,
                                        const kdl_from_string_options *given)
{
    kdl_from_string_options options = KDL_FROM_STRING_DEFAULTS;
    if (kdl__failed(ctx) || !kdl__read_options(ctx, __func__, &options, sizeof options, given))
        return NULL;
    if (memchr(text, '\0', nbytes)) {
        kdl__fail_at(ctx, "kdl_module_from_string", KDL_ERROR_FORMAT, "the text holds a NUL");
        return NULL;
    }
    char *copy = kdl__strndup(ctx, text, nbytes);
    kdl__builder builder = { .ctx = ctx, .text = copy, .options = &options };
    kdl__node *root = copy ? kdl__parse_description(ctx, copy) : NULL;
    kdl_module *module = root ? build_all(&builder, root) : NULL;
    kdl__free_nodes(ctx, root);
    kdl_free(ctx, copy);
    return module;
}
