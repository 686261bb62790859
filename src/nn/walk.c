/* SPDX-License-Identifier: Apache-2.0 */
/* Walking through a tree of modules: the iterations, apply, and what is asked of a whole tree. */
#include <string.h>

#include "nn/module_impl.h"

enum {
    RECURSE = 1,
    REMOVE_DUPLICATE = 2,
    SAVED = 4,     /* no buffers but persistent ones */
    GIVE_ROOT = 8, /* the first step gives the root itself */
};

kdl_status kdl__fail_depth(kdl_context *ctx, const char *place)
{
    return kdl__fail_at(ctx, place, KDL_ERROR_VALUE, "modules are nested more than %d deep",
                        KDL_MAX_MODULE_DEPTH);
}

/* ---- iterators --------------------------------------------------------------------------- */

/* Begins with the members of a module whose own name has `length` bytes. */
static void enter(kdl_iterator *it, kdl_module *module, size_t length)
{
    it->stack_[it->depth_++] =
        (struct kdl_iterator_frame_){ .module = module, .length = length, .pass = KDL__PARAMETER };
}

/*
 * The members of a module are given kind by kind (a pass each), then its children are entered.
 * `kinds` is what is given; iterating over modules, a child is given as it is entered.
 */
static kdl_iterator begin(kdl_module *module, unsigned kinds, unsigned flags,
                          const kdl_iteration_options *given, const char *place)
{
    kdl_iterator it;
    kdl_iteration_options options = KDL_ITERATION_DEFAULTS;
    memset(&it, 0, offsetof(kdl_iterator, stack_));
    if (kdl__module_refuses(module) ||
        !kdl__read_options(module->ctx, place, &options, sizeof options, given))
        return it;
    size_t length = strlen(options.prefix);
    if (length >= sizeof it.path_) {
        kdl__fail_at(module->ctx, place, KDL_ERROR_VALUE, "the prefix has %zu bytes, more than %d",
                     length, KDL_MAX_MODULE_PATH - 1);
        return it;
    }
    memcpy(it.path_, options.prefix, length + 1);
    it.root_ = module;
    it.kinds_ = kinds;
    it.flags_ =
        flags | (options.recurse ? RECURSE : 0) | (options.remove_duplicate ? REMOVE_DUPLICATE : 0);
    enter(&it, module, length);
    return it;
}

kdl_iterator kdl_named_parameters_with(kdl_module *module, const kdl_iteration_options *options)
{
    return begin(module, KDL__PARAMETER, 0, options, "kdl_named_parameters");
}

kdl_iterator kdl_named_buffers_with(kdl_module *module, const kdl_iteration_options *options)
{
    return begin(module, KDL__BUFFER, 0, options, "kdl_named_buffers");
}

kdl_iterator kdl_named_modules_with(kdl_module *module, const kdl_iteration_options *options)
{
    return begin(module, KDL__MODULE, GIVE_ROOT, options, "kdl_named_modules");
}

kdl_iterator kdl_named_children_with(kdl_module *module, const kdl_iteration_options *options)
{
    kdl_iterator it = begin(module, KDL__MODULE, 0, options, "kdl_named_children");
    it.flags_ = REMOVE_DUPLICATE; /* and no recursion */
    return it;
}

kdl_iterator kdl_state_dict_with(kdl_module *module, const kdl_iteration_options *options)
{
    kdl_iterator it = begin(module, KDL__PARAMETER | KDL__BUFFER, SAVED, options, "kdl_state_dict");
    it.flags_ &= ~(unsigned)REMOVE_DUPLICATE;
    return it;
}

/* Appends a name to the path of the innermost module; false with an error when it is too long. */
static bool extend_path(kdl_iterator *it, size_t at, const char *name)
{
    size_t length = strlen(name), dot = at > 0;
    if (at + dot + length >= sizeof it->path_) {
        kdl__fail_at(it->root_->ctx, "kdl_next", KDL_ERROR_VALUE,
                     "the name of '%s' in '%.*s' has more than %d bytes", name, (int)at, it->path_,
                     KDL_MAX_MODULE_PATH - 1);
        return false;
    }
    if (dot)
        it->path_[at] = '.';
    memcpy(it->path_ + at + dot, name, length + 1);
    it->length_ = at + dot + length;
    return true;
}

/*
 * The next member that is not None, of the kinds given or a module to enter, whether or not it is
 * a duplicate; NULL at the end. A module has been entered when this returns, unless the iteration
 * does not recurse.
 */
static kdl__member *step(kdl_iterator *it)
{
    while (it->depth_ > 0) {
        struct kdl_iterator_frame_ *top = &it->stack_[it->depth_ - 1];
        if (top->next == top->module->count) {
            top->next = 0;
            top->pass <<= 1;
            if (top->pass > KDL__MODULE)
                it->depth_--;
            continue;
        }
        kdl__member *member = &top->module->members[top->next++];
        if (member->kind != top->pass)
            continue;
        bool given = it->kinds_ & member->kind;
        if (member->kind != KDL__MODULE) {
            if (!given || !member->tensor || ((it->flags_ & SAVED) && !member->persistent))
                continue;
            it->module = top->module;
            return extend_path(it, top->length, member->name) ? member : NULL;
        }
        if (!member->module || !(given || (it->flags_ & RECURSE)))
            continue;
        if (!extend_path(it, top->length, member->name))
            return NULL;
        if (it->flags_ & RECURSE) {
            if (it->depth_ == KDL_MAX_MODULE_DEPTH) {
                kdl__fail_depth(it->root_->ctx, "kdl_next");
                return NULL;
            }
            enter(it, member->module, it->length_);
        }
        return member;
    }
    return NULL;
}

/*
 * Whether what `member` stands for was met before this place. Only what has several names can
 * have been; then a second iteration looks for the first of them.
 */
static bool met_before(const kdl_iterator *it, const kdl__member *member)
{
    const void *wanted = member->kind == KDL__MODULE ? (void *)member->module : member->tensor;
    int owners = member->kind == KDL__MODULE ? member->module->owners : member->tensor->owners;
    if (owners < 2)
        return false;
    kdl_iterator first;
    memcpy(&first, it, offsetof(kdl_iterator, stack_));
    first.depth_ = 0;
    enter(&first, it->root_, it->stack_[0].length);
    for (kdl__member *met; (met = step(&first));) {
        const void *one = met->kind == KDL__MODULE ? (void *)met->module : met->tensor;
        if (one != wanted)
            continue;
        for (int d = 0; d < it->depth_ && d < first.depth_; d++) {
            if (first.stack_[d].next != it->stack_[d].next)
                return true;
        }
        return first.depth_ != it->depth_;
    }
    return false;
}

bool kdl_next(kdl_iterator *it)
{
    if (kdl__module_refuses(it->root_))
        return false;
    it->name = it->path_; /* the iterator may have been copied */
    if (it->flags_ & GIVE_ROOT) {
        it->flags_ &= ~(unsigned)GIVE_ROOT;
        it->module = it->root_;
        return true;
    }
    for (kdl__member *member; (member = step(it));) {
        bool module = member->kind == KDL__MODULE;
        if ((it->flags_ & REMOVE_DUPLICATE) && met_before(it, member)) {
            if (module && (it->flags_ & RECURSE))
                it->depth_--; /* leave it again */
            continue;
        }
        if (!(it->kinds_ & member->kind))
            continue;
        it->tensor = module ? NULL : member->tensor;
        if (module)
            it->module = member->module;
        return true;
    }
    it->tensor = NULL;
    it->module = NULL;
    return false;
}

kdl_module *kdl__module_next_child(const kdl_module *module, size_t *index)
{
    while (*index < module->count) {
        const kdl__member *member = &module->members[(*index)++];
        if (member->kind != KDL__MODULE || !member->module)
            continue;
        bool repeated = false;
        if (member->module->owners > 1) {
            for (const kdl__member *other = module->members; other < member && !repeated; other++)
                repeated = other->kind == KDL__MODULE && other->module == member->module;
        }
        if (!repeated)
            return member->module;
    }
    return NULL;
}

/* ---- all of a tree ----------------------------------------------------------------------- */

static void apply(kdl_module *module, kdl_apply_function *function, void *user_data, int depth)
{
    if (depth > KDL_MAX_MODULE_DEPTH)
        kdl__fail_depth(module->ctx, "kdl_apply");
    kdl_module *child;
    for (size_t i = 0; !kdl__failed(module->ctx) && (child = kdl__module_next_child(module, &i));)
        apply(child, function, user_data, depth + 1);
    if (!kdl__failed(module->ctx))
        function(module, user_data);
}

kdl_status kdl_apply(kdl_module *module, kdl_apply_function *function, void *user_data)
{
    if (!kdl__module_refuses(module))
        apply(module, function, user_data, 1);
    return kdl__module_refusal(module);
}

kdl_status kdl_module_requires_grad_(kdl_module *module, bool requires_grad)
{
    for (kdl_iterator it = kdl_named_parameters(module); kdl_next(&it);)
        kdl_requires_grad_(it.tensor, requires_grad);
    return kdl__module_refusal(module);
}

int64_t kdl_module_numel(kdl_module *module)
{
    int64_t numel = 0;
    for (kdl_iterator it = kdl_named_parameters(module); kdl_next(&it);) {
        if (kdl__refuses(it.tensor))
            return -1;
        if (__builtin_add_overflow(numel, kdl_tensor_numel(it.tensor), &numel)) {
            kdl__fail(module->ctx, KDL_ERROR_VALUE, "the parameters have more than 2^63 elements");
            return -1;
        }
    }
    return kdl__module_refuses(module) ? -1 : numel;
}

kdl_status kdl_module_plan(kdl_module *module, kdl_plan *plan)
{
    for (kdl_iterator it = kdl_state_dict(module); plan && kdl_next(&it);)
        kdl_plan_add(plan, it.name, it.tensor);
    return plan ? kdl__module_refusal(module) : KDL_ERROR_VALUE;
}
