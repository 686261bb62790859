/* SPDX-License-Identifier: Apache-2.0 */
/* Printing a module as Python's print(module) does. */
#include <string.h>

#include "nn/arguments.h"

#define INDENT 2

static void new_line(kdl__text *text, size_t indent)
{
    kdl__text_puts(text, "\n");
    kdl__text_repeat(text, ' ', indent);
}

/* Adds `piece`, every line after the first indented. */
static void add_indented(kdl__text *text, const char *piece, size_t indent)
{
    for (const char *end; (end = strchr(piece, '\n')); piece = end + 1) {
        kdl__text_add(text, piece, (size_t)(end - piece));
        new_line(text, indent);
    }
    kdl__text_puts(text, piece);
}

static char *extra_repr(const kdl_module *module)
{
    for (const kdl_module_class *class = module->class; class; class = class->parent) {
        if (class->extra_repr)
            return class->extra_repr(module);
        if (class->arguments)
            return kdl__arguments_repr(module, class->arguments);
    }
    return kdl__strdup(module->ctx, "");
}

static void add_module(kdl__text *text, kdl_module *module, size_t indent, int depth);

/* "(0): Block(...)" or "(0-5): 6 x Block(...)", of which `repr` is the part after the name. */
static void add_run(kdl__text *text, int64_t first, int64_t last, const kdl__text *repr,
                    size_t indent)
{
    new_line(text, indent);
    if (first == last)
        kdl__text_printf(text, "(%lld): ", (long long)first);
    else
        kdl__text_printf(text, "(%lld-%lld): %lld x ", (long long)first, (long long)last,
                         (long long)last - first + 1);
    kdl__text_add(text, repr->data, repr->length);
}

/* ModuleList.__repr__: children are numbered, and equal neighbours are printed once. */
static void add_folded_children(kdl__text *text, kdl_module *module, size_t indent, int depth)
{
    kdl__text run, next;
    int64_t first = 0, last = -1;
    kdl__text_init(&run, text->ctx);
    kdl__text_init(&next, text->ctx);
    for (size_t i = 0; i < module->count && !kdl__failed(text->ctx); i++) {
        if (module->members[i].kind != KDL__MODULE)
            continue;
        next.length = 0;
        add_module(&next, module->members[i].module, indent, depth + 1);
        bool equal = last >= first && run.length == next.length &&
                     memcmp(run.data, next.data, run.length) == 0;
        if (!equal) {
            if (last >= first)
                add_run(text, first, last, &run, indent);
            first = last + 1;
            kdl__text swapped = run;
            run = next;
            next = swapped;
        }
        last++;
    }
    if (last >= first && !kdl__failed(text->ctx))
        add_run(text, first, last, &run, indent);
    kdl__text_free(&run);
    kdl__text_free(&next);
}

static void add_children(kdl__text *text, kdl_module *module, size_t indent, int depth)
{
    for (size_t i = 0; i < module->count && !kdl__failed(text->ctx); i++) {
        const kdl__member *member = &module->members[i];
        if (member->kind != KDL__MODULE)
            continue;
        new_line(text, indent);
        kdl__text_printf(text, "(%s): ", member->name);
        add_module(text, member->module, indent, depth + 1);
    }
}

/* The module's text, its lines after the first indented by `indent`. */
static void add_module(kdl__text *text, kdl_module *module, size_t indent, int depth)
{
    if (!module) {
        kdl__text_puts(text, "None");
        return;
    }
    if (depth > KDL_MAX_MODULE_DEPTH) {
        kdl__fail_depth(module->ctx, "kdl_module_to_string");
        return;
    }
    bool folded = kdl_isinstance(module, KDL_CLASS_MODULE_LIST);
    char *extra = folded ? kdl__strdup(module->ctx, "") : extra_repr(module);
    if (!extra)
        return;
    bool one_line = kdl_child_count(module) == 0 && !strchr(extra, '\n');
    kdl__text_printf(text, "%s%s(", kdl_is_parametrized(module, NULL) ? "Parametrized" : "",
                     module->class->name);
    if (!one_line && *extra)
        new_line(text, indent + INDENT);
    add_indented(text, extra, indent + INDENT);
    kdl_free(module->ctx, extra);
    if (folded)
        add_folded_children(text, module, indent + INDENT, depth);
    else
        add_children(text, module, indent + INDENT, depth);
    if (!one_line)
        new_line(text, indent);
    kdl__text_puts(text, ")");
}

char *kdl_module_to_string(kdl_module *module)
{
    if (kdl__module_refuses(module))
        return NULL;
    kdl__text text;
    kdl__text_init(&text, module->ctx);
    add_module(&text, module, 0, 1);
    if (!kdl__failed(module->ctx))
        return kdl__text_take(&text);
    kdl__text_free(&text);
    return NULL;
}

char *kdl_iterator_to_string(kdl_iterator it)
{
    if (kdl__module_refuses(it.root_))
        return NULL;
    kdl_context *ctx = it.root_->ctx;
    const char *between = "";
    kdl__text text;
    kdl__text_init(&text, ctx);
    kdl__text_puts(&text, "[");
    while (kdl_next(&it)) {
        char *item = it.tensor ? kdl_tensor_to_string(it.tensor) : kdl_module_to_string(it.module);
        kdl__text_printf(&text, "%s%s", between, item ? item : "");
        kdl_free(ctx, item);
        between = ", ";
    }
    kdl__text_puts(&text, "]");
    if (!kdl__failed(ctx))
        return kdl__text_take(&text);
    kdl__text_free(&text);
    return NULL;
}

kdl_status kdl_iterator_print(kdl_iterator it, FILE *file)
{
    char *text = kdl_iterator_to_string(it);
    if (text && fprintf(file, "%s\n", text) < 0)
        kdl__fail(it.root_->ctx, KDL_ERROR_IO, "cannot write the list's text");
    if (text)
        kdl_free(it.root_->ctx, text);
    return kdl__module_refusal(it.root_);
}

kdl_status kdl_module_print(kdl_module *module, FILE *file)
{
    char *text = kdl_module_to_string(module);
    if (text && fprintf(file, "%s\n", text) < 0)
        kdl__fail(module->ctx, KDL_ERROR_IO, "cannot write the module's text");
    if (text)
        kdl_free(module->ctx, text);
    return kdl__module_refusal(module);
}
