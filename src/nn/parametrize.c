/* SPDX-License-Identifier: Apache-2.0 */
/* torch.nn.utils.parametrize: tensors that are computed from originals. */
#include <string.h>

#include "nn/module_impl.h"
#include "tensor/tape.h"

typedef struct list_fields {
    size_t nbytes; /* of ModuleList's options, the parent's field */
    bool unsafe;
    int ntensors; /* how many originals */
} list_fields;

const kdl_module_class kdl_class_parametrization_list = {
    .name = "ParametrizationList",
    .parent = KDL_CLASS_MODULE_LIST,
    .fields_nbytes = sizeof(list_fields),
};

/* The ParametrizationList of a tensor, or NULL. */
static kdl_module *find_list(const kdl_module *module, const char *name)
{
    kdl_module *lists = kdl_submodule(module, "parametrizations");
    const kdl__member *member = kdl_isinstance(lists, KDL_CLASS_MODULE_DICT)
                                    ? kdl__module_find(lists, name, strlen(name))
                                    : NULL;
    bool found = member && member->kind == KDL__MODULE &&
                 kdl_isinstance(member->module, KDL_CLASS_PARAMETRIZATION_LIST);
    return found ? member->module : NULL;
}

bool kdl_is_parametrized(const kdl_module *module, const char *tensor_name)
{
    kdl_module *lists = kdl_submodule(module, "parametrizations");
    if (tensor_name)
        return find_list(module, tensor_name);
    bool found = false;
    for (size_t i = 0; kdl_isinstance(lists, KDL_CLASS_MODULE_DICT) && i < lists->count; i++)
        found = found || find_list(module, lists->members[i].name);
    return found;
}

/* The i-th parametrization of a list (whose originals may be parametrized, too), or NULL. */
static kdl_module *parametrization_at(const kdl_module *list, int64_t i)
{
    char name[24];
    snprintf(name, sizeof name, "%lld", (long long)i);
    return kdl_submodule(list, name);
}

static int64_t count_parametrizations(const kdl_module *list)
{
    int64_t count = 0;
    while (parametrization_at(list, count))
        count++;
    return count;
}

/* ---- functions of one parametrization ---------------------------------------------------- */

static void release_all(int count, kdl_tensor **tensors)
{
    for (int i = 0; i < count; i++)
        kdl_tensor_release(tensors[i]);
}

/* parametrization(*originals): a new reference. */
static kdl_tensor *compute(kdl_module *parametrization, int count, kdl_tensor *const *originals)
{
    if (kdl__module_refuses(parametrization))
        return NULL;
    const kdl_module_class *class = parametrization->class;
    while (class && !class->parametrize && !class->forward)
        class = class->parent;
    kdl_tensor *value = NULL;
    if (class && class->parametrize)
        value = class->parametrize(parametrization, count, originals);
    else if (count == 1)
        value = kdl_forward(parametrization, originals[0]);
    else
        kdl__fail_at(parametrization->ctx, parametrization->class->name, KDL_ERROR_TYPE,
                     "%s.forward() takes 2 positional arguments but %d were given",
                     parametrization->class->name, count + 1);
    if (!value)
        kdl__fail_at(parametrization->ctx, parametrization->class->name, KDL_ERROR_VALUE,
                     "A parametrization must return a tensor. Got NoneType.");
    return value;
}

/*
 * One right_inverse: replaces the tensor in `tensors` by its originals and tells how many; 0 on
 * failure, and then there are none. Where there is no inverse the tensor stays, unless `required`.
 */
static int invert(kdl_module *parametrization, bool required, kdl_tensor **tensors)
{
    kdl_context *ctx = parametrization->ctx;
    const kdl_module_class *class = parametrization->class;
    kdl_tensor *value = tensors[0];
    while (class && !class->right_inverse)
        class = class->parent;
    int count =
        class && !kdl__failed(ctx) ? class->right_inverse(parametrization, value, tensors) : 0;
    if (class && count <= 0 && !kdl__failed(ctx))
        kdl__fail_at(ctx, parametrization->class->name, KDL_ERROR_VALUE,
                     "'right_inverse' must return a Tensor or a Sequence of tensors (list, "
                     "tuple...). Got NoneType");
    bool absent = !class || (!required && ctx->status == KDL_ERROR_NOT_IMPLEMENTED);
    if (count > 0 && !kdl__failed(ctx)) {
        kdl_tensor_release(value);
        return count;
    }
    release_all(count, tensors);
    tensors[0] = value;
    if (absent && !required) {
        if (class)
            kdl_error_clear(ctx);
        return 1;
    }
    if (absent)
        kdl__fail_at(ctx, "kdl_set_parametrized", KDL_ERROR_RUNTIME,
                     "parametrization %s does not implement right_inverse.",
                     parametrization->class->name);
    kdl_tensor_release(value);
    return 0;
}

/* Those of a whole list, the last first: new originals (references) of `value`; 0 on failure. */
static int invert_all(kdl_module *list, bool required, kdl_tensor *value, kdl_tensor **originals)
{
    int count = 1;
    originals[0] = kdl_tensor_retain(value);
    for (int64_t i = count_parametrizations(list); i-- > 0 && count > 0;) {
        count = invert(parametrization_at(list, i), required, originals);
        if (count > 1 && i > 0) {
            kdl__fail_at(list->ctx, "kdl_set_parametrized", KDL_ERROR_VALUE,
                         "only the first parametrization may have several originals");
            release_all(count, originals);
            count = 0;
        }
    }
    return count;
}

/* ---- originals --------------------------------------------------------------------------- */

/* "original", or "original0" and so on. */
static const char *original_name(int index, int count, char name[32])
{
    if (count == 1)
        return "original";
    snprintf(name, 32, "original%d", index);
    return name;
}

/* An original, or NULL when it is parametrized itself. */
static kdl_tensor *original_of(const kdl_module *list, int index)
{
    const list_fields *fields = kdl_module_fields(list);
    char name[32];
    return kdl_attribute(list, original_name(index, fields->ntensors, name));
}

/* Its value: a reference. */
static kdl_tensor *original_value(kdl_module *list, int index)
{
    const list_fields *fields = kdl_module_fields(list);
    char buffer[32];
    const char *name = original_name(index, fields->ntensors, buffer);
    return kdl_is_parametrized(list, name) ? kdl_parametrized(list, name)
                                           : kdl_tensor_retain(kdl_attribute(list, name));
}

/* Whether originals can be set: NotImplementedError when one is parametrized itself. */
static bool check_originals(const kdl_module *list)
{
    const list_fields *fields = kdl_module_fields(list);
    for (int i = 0; i < fields->ntensors; i++) {
        if (!original_of(list, i))
            kdl__fail_at(list->ctx, "parametrize", KDL_ERROR_NOT_IMPLEMENTED,
                         "an original that is parametrized itself cannot be set");
    }
    return !kdl__failed(list->ctx);
}

/* Registers a tensor (consumed) as what it is. */
static void register_tensor(kdl_module *module, const char *name, kdl_tensor *tensor)
{
    if (tensor && tensor->is_parameter)
        kdl_register_parameter(module, name, tensor);
    else
        kdl_register_buffer(module, name, tensor);
}

/* What one of several originals of `tensor` is registered as; consumes it. */
static kdl_tensor *as_original(kdl_tensor *tensor, kdl_tensor *original)
{
    if (tensor->is_parameter)
        return kdl_parameter_new(original, .requires_grad = tensor->requires_grad);
    return original;
}

static bool same_shape(const kdl_tensor *a, const kdl_tensor *b)
{
    return a->ndim == b->ndim && memcmp(a->dims, b->dims, (size_t)a->ndim * sizeof *a->dims) == 0;
}

/*
 * Whether tensor.set_(data) can be done with what right_inverse gave; ValueError for another dtype,
 * in the words for a first original or (`assigned`) for a later one.
 */
static bool check_set(const kdl_tensor *tensor, const kdl_tensor *data, bool assigned)
{
    static const char place[] = "kdl_register_parametrization";
    const char *old = kdl_dtype_name(kdl_tensor_dtype(tensor));
    const char *new = kdl_dtype_name(kdl_tensor_dtype(data));
    if (old != new &&assigned)
        kdl__fail_at(tensor->ctx, place, KDL_ERROR_VALUE,
                     "The tensor returned by `right_inverse` has dtype torch.%s while `original` "
                     "has dtype torch.%s",
                     new, old);
    else if (old != new)
        kdl__fail_at(tensor->ctx, place, KDL_ERROR_VALUE,
                     "When `right_inverse` outputs one tensor, it may not change the dtype.\n"
                     "original.dtype: torch.%s\nright_inverse(original).dtype: torch.%s",
                     old, new);
    else if (!same_shape(tensor, data))
        kdl__fail_at(tensor->ctx, place, KDL_ERROR_NOT_IMPLEMENTED,
                     "an original of another shape than the tensor is not supported");
    return !kdl__failed(tensor->ctx);
}

/* ---- values ------------------------------------------------------------------------------ */

/* ParametrizationList.forward(): a new reference. */
static kdl_tensor *evaluate(kdl_module *list)
{
    const list_fields *fields = kdl_module_fields(list);
    kdl_tensor *originals[KDL_MAX_ORIGINALS];
    for (int i = 0; i < fields->ntensors; i++)
        originals[i] = original_value(list, i);
    kdl_tensor *value = compute(parametrization_at(list, 0), fields->ntensors, originals);
    release_all(fields->ntensors, originals);
    for (int64_t i = 1; value && parametrization_at(list, i); i++) {
        kdl_tensor *next = compute(parametrization_at(list, i), 1, &value);
        kdl_tensor_release(value);
        value = next;
    }
    return value;
}

/* The list of a tensor; ValueError when it has none. */
static kdl_module *get_list(kdl_module *module, const char *name, const char *place)
{
    kdl_module *list = find_list(module, name);
    char *text = list ? NULL : kdl_module_to_string(module);
    if (text)
        kdl__fail_at(module->ctx, place, KDL_ERROR_VALUE,
                     "Module %s does not have a parametrization on %s", text, name);
    kdl_free(module->ctx, text);
    return list;
}

kdl_tensor *kdl_parametrized(kdl_module *module, const char *tensor_name)
{
    if (kdl__module_refuses(module))
        return NULL;
    kdl_module *list = get_list(module, tensor_name, __func__);
    return list ? evaluate(list) : NULL;
}

kdl__computed *kdl__begin_computed(kdl_module *module)
{
    kdl__computed *before = module->computed;
    kdl_module *lists = kdl_submodule(module, "parametrizations");
    if (!kdl_isinstance(lists, KDL_CLASS_MODULE_DICT))
        return before;
    for (size_t i = 0; i < lists->count && !kdl__failed(module->ctx); i++) {
        kdl_module *list = find_list(module, lists->members[i].name);
        kdl__computed *computed = list ? kdl__alloc_zeroed(module->ctx, 1, sizeof *computed) : NULL;
        if (!computed)
            continue;
        *computed = (kdl__computed){ NULL, lists->members[i].name, evaluate(list) };
        computed->next = module->computed;
        module->computed = computed;
    }
    return before;
}

void kdl__end_computed(kdl_module *module, kdl__computed *before)
{
    while (module->computed != before) {
        kdl__computed *computed = module->computed;
        module->computed = computed->next;
        kdl_tensor_release(computed->tensor);
        kdl_free(module->ctx, computed);
    }
}

kdl_status kdl_set_parametrized(kdl_module *module, const char *tensor_name, kdl_tensor *value)
{
    if (kdl__module_refuses(module) || !value)
        return module && value ? module->ctx->status : KDL_ERROR_VALUE;
    kdl_module *list = get_list(module, tensor_name, __func__);
    if (!list || !check_originals(list))
        return module->ctx->status;
    const list_fields *fields = kdl_module_fields(list);
    const kdl__tape *tape = kdl__no_grad(module->ctx);
    kdl_tensor *originals[KDL_MAX_ORIGINALS];
    int count = invert_all(list, true, value, originals);
    if (count > 0 && count != fields->ntensors)
        kdl__fail(module->ctx, KDL_ERROR_VALUE,
                  "'right_inverse' must return a sequence of tensors of length %d. Got a sequence "
                  "of length %d.",
                  fields->ntensors, count);
    bool fits = !kdl__failed(module->ctx);
    for (int i = 0; i < count && fits; i++)
        fits = check_set(original_of(list, i), originals[i], true);
    for (int i = 0; i < count && fits; i++)
        kdl__tensor_set_data(original_of(list, i), originals[i]);
    release_all(count, originals);
    module->ctx->tape = tape;
    return module->ctx->status;
}

/* ---- registering ------------------------------------------------------------------------- */

/* How PyTorch says that a tensor has changed, around the words "dtype" or "shape". */
typedef struct words {
    const char *lead, *rest, *before, *after;
} words;

/* That a value has the dtype and shape of the tensor that it is to stand for; ValueError if not. */
static void check_value(const kdl_tensor *tensor, const kdl_tensor *value, const words *say)
{
    if (!value || kdl__failed(tensor->ctx))
        return;
    bool dtypes = kdl_tensor_dtype(tensor) != kdl_tensor_dtype(value);
    if (!dtypes && same_shape(tensor, value))
        return;
    const char *what = dtypes ? "dtype" : "shape";
    kdl__text text;
    kdl__text_init(&text, tensor->ctx);
    for (int i = 0; i < 2; i++) {
        const kdl_tensor *one = i ? value : tensor;
        kdl__text_printf(&text, "\n%s%s: torch.", i ? say->after : say->before, what);
        if (dtypes)
            kdl__text_puts(&text, kdl_dtype_name(kdl_tensor_dtype(one)));
        else
            kdl__text_printf(&text, "Size(%s)", kdl__shape_text(one->ndim, one->dims).chars);
    }
    kdl__fail_at(tensor->ctx, "kdl_register_parametrization", KDL_ERROR_VALUE, "%s %s %s%s",
                 say->lead, what, say->rest, text.data ? text.data : "");
    kdl__text_free(&text);
}

/* The checks of a parametrization that comes behind others. */
static void check_appended(kdl_module *module, const char *name, kdl_module *parametrization)
{
    char before[128], after[128], as[192];
    snprintf(before, sizeof before, "module.%s.", name);
    snprintf(after, sizeof after, "parametrization(module.%s).", name);
    snprintf(as, sizeof as, "as module.%s, unless the `unsafe` flag is enabled.", name);
    const words forward = { "Registering a parametrization may not change the",
                            "of the tensor, unless the `unsafe` flag is enabled.", before, after },
                inverse = { "The tensor returned by parametrization.right_inverse must have the "
                            "same",
                            as, before, "returned " };
    kdl_tensor *now = kdl_parametrized(module, name);
    kdl_tensor *then = now ? compute(parametrization, 1, &now) : NULL;
    kdl_tensor *originals[KDL_MAX_ORIGINALS] = { then };
    check_value(now, then, &forward);
    int count = then ? invert(parametrization, false, originals) : 0;
    if (count > 1)
        kdl__fail_at(module->ctx, "kdl_register_parametrization", KDL_ERROR_VALUE,
                     "parametrization.right_inverse must return a tensor. Got: tuple");
    if (count == 1)
        check_value(now, originals[0], &inverse);
    release_all(count, originals);
    kdl_tensor_release(now);
}

/* Appends to the parametrizations that are there. */
static void append(kdl_module *module, const char *name, kdl_module *list,
                   kdl_module *parametrization, bool unsafe)
{
    list_fields *fields = kdl_module_fields(list);
    if (!unsafe)
        check_appended(module, name, parametrization);
    if (!kdl__failed(module->ctx) && kdl_append(list, kdl_module_retain(parametrization)) == KDL_OK)
        fields->unsafe = fields->unsafe || unsafe;
}

/*
 * A ParametrizationList with the originals of `tensor`. A single one is the tensor itself; its new
 * values (a reference) come back in *data, to be set when nothing can fail any more.
 */
static kdl_module *make_list(kdl_tensor *tensor, kdl_module *parametrization, bool unsafe,
                             kdl_tensor **data)
{
    kdl_module *list = kdl_module_new(tensor->ctx, KDL_CLASS_PARAMETRIZATION_LIST);
    kdl_tensor *originals[KDL_MAX_ORIGINALS];
    if (!list || kdl_append(list, kdl_module_retain(parametrization)))
        return kdl__module_finish(list);
    list_fields *fields = kdl_module_fields(list);
    fields->unsafe = unsafe;
    fields->ntensors = invert_all(list, false, tensor, originals);
    if (fields->ntensors == 1 && check_set(tensor, originals[0], false))
        *data = kdl_tensor_retain(originals[0]);
    for (int i = 0; i < fields->ntensors; i++) {
        char name[32];
        kdl_tensor *original = fields->ntensors == 1
                                   ? kdl_tensor_retain(tensor)
                                   : as_original(tensor, kdl_tensor_retain(originals[i]));
        register_tensor(list, original_name(i, fields->ntensors, name), original);
    }
    release_all(fields->ntensors, originals);
    return kdl__module_finish(list);
}

/* What PyTorch checks by calling the list once; a right_inverse is already in `data`. */
static void check_list(kdl_module *list, const kdl_tensor *tensor, kdl_tensor *data)
{
    const list_fields *fields = kdl_module_fields(list);
    kdl_tensor *value =
        fields->ntensors == 1 ? compute(parametrization_at(list, 0), 1, &data) : evaluate(list);
    const words say = { "Registering a parametrization may not change the",
                        "of the tensor, unless `unsafe` flag is enabled.", "unparametrized ",
                        "parametrized " };
    check_value(tensor, value, &say);
    kdl_tensor_release(value);
}

/* The ModuleDict of lists, which is made if it is not there. */
static kdl_module *lists_of(kdl_module *module)
{
    kdl_module *lists = kdl_submodule(module, "parametrizations");
    if (!lists &&
        kdl_add_module(module, "parametrizations", kdl_nn_module_dict(module->ctx)) == KDL_OK)
        lists = kdl_submodule(module, "parametrizations");
    return lists;
}

/* Drops the ModuleDict when it is empty. */
static void drop_lists(kdl_module *module)
{
    kdl__member *member = kdl__module_find(module, "parametrizations", strlen("parametrizations"));
    if (member && member->kind == KDL__MODULE && kdl_child_count(member->module) == 0)
        kdl__module_take_out(module, member);
}

static void parametrize(kdl_module *module, const char *name, kdl_tensor *tensor,
                        kdl_module *parametrization, bool unsafe)
{
    kdl_tensor *data = NULL;
    kdl_module *list = make_list(tensor, parametrization, unsafe, &data);
    if (list && !unsafe)
        check_list(list, tensor, data);
    list = kdl__module_finish(list);
    kdl_module *lists = list ? lists_of(module) : NULL;
    if (lists && kdl_add_module(lists, name, kdl_module_retain(list)) == KDL_OK) {
        if (data && data != tensor)
            kdl__tensor_set_data(tensor, data);
        kdl__module_take_out(module, kdl__module_find(module, name, strlen(name)));
    } else {
        drop_lists(module);
    }
    kdl_tensor_release(data);
    kdl_module_release(list);
}

static void fail_unknown(kdl_module *module, const char *name)
{
    char *text = kdl_module_to_string(module);
    if (text)
        kdl__fail_at(module->ctx, "kdl_register_parametrization", KDL_ERROR_VALUE,
                     "Module '%s' does not have a parameter, a buffer, or a parametrized element "
                     "with name '%s'",
                     text, name);
    kdl_free(module->ctx, text);
}

kdl_status kdl_register_parametrization_with(kdl_module *module, const char *tensor_name,
                                             kdl_module *parametrization,
                                             const kdl_parametrization_options *given)
{
    kdl_parametrization_options options = KDL_PARAMETRIZATION_DEFAULTS;
    if (!kdl__module_refuses(module) && parametrization &&
        kdl__read_options(module->ctx, __func__, &options, sizeof options, given)) {
        const kdl__tape *tape = kdl__no_grad(module->ctx);
        kdl_module_train(parametrization, kdl_module_training(module));
        if (kdl_has_uninitialized_params(module))
            kdl__fail(module->ctx, KDL_ERROR_NOT_IMPLEMENTED,
                      "a module with uninitialized parameters cannot be parametrized");
        kdl_module *list = find_list(module, tensor_name);
        kdl__member *member = kdl__module_find(module, tensor_name, strlen(tensor_name));
        if (list)
            append(module, tensor_name, list, parametrization, options.unsafe);
        else if (member && (member->kind == KDL__PARAMETER || member->kind == KDL__BUFFER) &&
                 member->tensor)
            parametrize(module, tensor_name, member->tensor, parametrization, options.unsafe);
        else
            fail_unknown(module, tensor_name);
        module->ctx->tape = tape;
    }
    kdl_module_release(parametrization);
    return kdl__module_refusal(module);
}

/* ---- removing ---------------------------------------------------------------------------- */

/*
 * The tensor that takes the place of the parametrized one: a reference. When it is the original,
 * the values that it is to get (a reference) come back in *data.
 */
static kdl_tensor *leave(kdl_module *list, bool parametrized, kdl_tensor **data)
{
    const list_fields *fields = kdl_module_fields(list);
    kdl_tensor *original = original_of(list, 0);
    kdl_tensor *value = parametrized ? evaluate(list) : NULL;
    bool requires_grad = false;
    for (int i = 0; i < fields->ntensors; i++)
        requires_grad = requires_grad || original_of(list, i)->requires_grad;
    if (fields->ntensors > 1 && !parametrized)
        kdl__fail_at(list->ctx, "kdl_remove_parametrizations", KDL_ERROR_VALUE,
                     "Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is "
                     "parametrized in terms of a sequence of tensors.");
    if (fields->ntensors > 1)
        return requires_grad ? kdl_parameter_new(value) : value;
    if (value)
        check_set(original, value, true);
    *data = value;
    return kdl__failed(list->ctx) ? NULL : kdl_tensor_retain(original);
}

kdl_status kdl_remove_parametrizations(kdl_module *module, const char *tensor_name,
                                       bool leave_parametrized)
{
    if (kdl__module_refuses(module))
        return kdl__module_refusal(module);
    kdl_tensor *data = NULL;
    kdl_module *list = get_list(module, tensor_name, __func__);
    const kdl__tape *tape = kdl__no_grad(module->ctx);
    kdl_tensor *tensor =
        list && check_originals(list) ? leave(list, leave_parametrized, &data) : NULL;
    module->ctx->tape = tape;
    if (tensor)
        register_tensor(module, tensor_name, tensor);
    if (!kdl__failed(module->ctx)) {
        kdl_module *lists = kdl_submodule(module, "parametrizations");
        if (data)
            kdl__tensor_set_data(tensor, data);
        kdl__module_take_out(lists, kdl__module_find(lists, tensor_name, strlen(tensor_name)));
        drop_lists(module);
    }
    kdl_tensor_release(data);
    return module->ctx->status;
}
