/* SPDX-License-Identifier: Apache-2.0 */
/* Initialising parameters by rules: the pattern of a name or a class, and a scheme. */
#include <fnmatch.h>
#include <string.h>

#include "kindling/description.h"
#include "nn/module_impl.h"

typedef struct rule {
    const char *text; /* the whole of it */
    char *pattern;    /* owned */
    kdl_scheme scheme;
    bool used;
} rule;

typedef struct visitor {
    kdl_context *ctx;
    rule *rules;
    int count;
    bool apply; /* else only mark the rules that match something */
    char path[KDL_MAX_MODULE_PATH];
} visitor;

static const char place[] = "kdl_apply_rules";

/* ---- reading ----------------------------------------------------------------------------- */

/* An error in a rule is told with the rule. */
static void name_rule(kdl_context *ctx, const char *text, const char *where)
{
    char message[512];
    kdl_status status = kdl_error_status(ctx);
    snprintf(message, sizeof message, "%s", kdl_error_message(ctx));
    kdl_error_clear(ctx);
    kdl__fail_at(ctx, place, status, "rule '%s': %s%s%s", text, where, *where ? ": " : "", message);
}

static void read_rule(kdl_context *ctx, const char *text, rule *out)
{
    size_t length = strcspn(text, "=");
    out->text = text;
    if (length == 0 || !text[length]) {
        kdl__fail_at(ctx, place, KDL_ERROR_VALUE,
                     "a rule is written PATTERN=SCHEME(arguments), not '%s'", text);
        return;
    }
    if (kdl_scheme_parse(ctx, text + length + 1, &out->scheme))
        name_rule(ctx, text, "");
    while (length > 1 && text[length - 1] == ' ')
        length--;
    out->pattern = kdl__strndup(ctx, text, length);
}

/* ---- matching ---------------------------------------------------------------------------- */

static bool is_instance_named(const kdl_module *module, const char *name, size_t length)
{
    for (const kdl_module_class *class = module->class; class; class = class->parent) {
        if (strncmp(class->name, name, length) == 0 && class->name[length] == '\0')
            return true;
    }
    return length == 6 && strncmp(name, "Module", length) == 0;
}

/* "CLASS.NAME" of a module's own parameter, or its whole dotted name. */
static bool matches(const rule *one, const kdl_module *module, const char *path, const char *name)
{
    size_t class = strcspn(one->pattern, ".");
    const char *parameter = one->pattern + class + 1;
    if (fnmatch(one->pattern, path, FNM_NOESCAPE) == 0)
        return true;
    return one->pattern[class] == '.' && is_instance_named(module, one->pattern, class) &&
           fnmatch(parameter, name, FNM_NOESCAPE) == 0;
}

static void visit_parameter(visitor *v, const kdl_module *module, const kdl__member *member)
{
    rule *last = NULL;
    for (int i = 0; i < v->count; i++) {
        if (!matches(&v->rules[i], module, v->path, member->name))
            continue;
        last = &v->rules[i];
        last->used = true;
    }
    if (last && v->apply && kdl_scheme_apply(&last->scheme, member->tensor))
        name_rule(v->ctx, last->text, v->path);
}

/* Appends a name to the path; false, with an error, when it becomes too long. */
static bool extend(visitor *v, size_t length, const char *name, const char *end)
{
    int added = snprintf(v->path + length, sizeof v->path - length, "%s%s", name, end);
    if (added >= 0 && (size_t)added < sizeof v->path - length)
        return true;
    kdl__fail_at(v->ctx, place, KDL_ERROR_VALUE, "a name in the tree is too long");
    return false;
}

static void visit(visitor *v, kdl_module *module, size_t length, int depth)
{
    if (depth > KDL_MAX_MODULE_DEPTH)
        kdl__fail_depth(v->ctx, place);
    for (size_t i = 0; i < module->count && !kdl__failed(v->ctx); i++) {
        const kdl__member *member = &module->members[i];
        if (member->kind == KDL__MODULE && member->module && extend(v, length, member->name, "."))
            visit(v, member->module, strlen(v->path), depth + 1);
    }
    for (size_t i = 0; i < module->count && !kdl__failed(v->ctx); i++) {
        const kdl__member *member = &module->members[i];
        if (member->kind == KDL__PARAMETER && member->tensor && extend(v, length, member->name, ""))
            visit_parameter(v, module, member);
    }
}

kdl_status kdl_apply_rules(kdl_module *module, const char *const *rules, int count)
{
    if (kdl__module_refuses(module) || count <= 0)
        return kdl__module_refusal(module);
    kdl_context *ctx = module->ctx;
    visitor v = { .ctx = ctx, .count = count };
    v.rules = kdl__alloc_zeroed(ctx, (size_t)count, sizeof *v.rules);
    for (int i = 0; i < count && !kdl__failed(ctx); i++)
        read_rule(ctx, rules[i], &v.rules[i]);
    if (!kdl__failed(ctx))
        visit(&v, module, 0, 1);
    for (int i = 0; i < count && !kdl__failed(ctx); i++) {
        if (!v.rules[i].used)
            kdl__fail_at(ctx, place, KDL_ERROR_VALUE, "rule '%s' matches no parameter", rules[i]);
    }
    v.apply = true;
    if (!kdl__failed(ctx))
        visit(&v, module, 0, 1);
    for (int i = 0; v.rules && i < count; i++)
        kdl_free(ctx, v.rules[i].pattern);
    kdl_free(ctx, v.rules);
    return ctx->status;
}
