/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Module's hooks: functions of the user's that a module calls around forward, state_dict and
 * load_state_dict. Hooks of a kind are called in the order of registration.
 *
 * A hook that sets an error in the context ends what called it. `user_data` is handed on; it must
 * live as long as the hook.
 */
#ifndef KINDLING_MODULE_HOOKS_H
#define KINDLING_MODULE_HOOKS_H

#include "kindling/module_state_dict.h"

#ifdef __cplusplus
extern "C" {
#endif

/** torch.utils.hooks.RemovableHandle. It may be used as long as the module lives. */
typedef struct kdl_hook {
    kdl_module *module; /**< borrowed; NULL when the registration failed */
    uint64_t id;
} kdl_hook;

/** handle.remove(): the hook is called no more. A second time it does nothing. */
KDL_API void kdl_hook_remove(kdl_hook hook);

/** Before module.forward(input): gives a reference to another input, or NULL to leave it. */
typedef kdl_tensor *kdl_forward_pre_hook(kdl_module *module, kdl_tensor *input, void *user_data);
/** After it: gives a reference to another output, or NULL to leave it. */
typedef kdl_tensor *kdl_forward_hook(kdl_module *module, kdl_tensor *input, kdl_tensor *output,
                                     void *user_data);
/**
 * When the gradient of module.forward()'s output is there: gives a reference to another one, of the
 * same sizes and dtype, or NULL to leave it.
 */
typedef kdl_tensor *kdl_backward_pre_hook(kdl_module *module, kdl_tensor *grad_output,
                                          void *user_data);
/**
 * When that of its input is computed (NULL if the input requires none), from `grad_output`: gives a
 * reference to another gradient of the input, or NULL to leave it.
 */
typedef kdl_tensor *kdl_backward_hook(kdl_module *module, kdl_tensor *grad_input,
                                      kdl_tensor *grad_output, void *user_data);
/** Before the state_dict of `module` is collected; `prefix` ends with a dot or is empty. */
typedef void kdl_state_dict_pre_hook(kdl_module *module, const char *prefix, void *user_data);
/** After that, children included: may change the entries. */
typedef void kdl_state_dict_post_hook(kdl_module *module, kdl_state_dict *state_dict,
                                      const char *prefix, void *user_data);
/**
 * Before `module` takes its own entries: may change them in `state_dict` (a copy that loading
 * works on), and add to the lists of `keys`.
 */
typedef void kdl_load_state_dict_pre_hook(kdl_module *module, kdl_state_dict *state_dict,
                                          const char *prefix, kdl_incompatible_keys *keys,
                                          void *user_data);
/**
 * After `module` and all in it have taken theirs: may change the lists of keys found until then;
 * what remains in them when loading ends decides whether it fails.
 */
typedef void kdl_load_state_dict_post_hook(kdl_module *module, kdl_incompatible_keys *keys,
                                           void *user_data);

/**
 * Module.register_forward_pre_hook(hook, prepend), register_forward_hook(hook, prepend),
 * register_state_dict_pre_hook(hook), ...: `prepend` puts the hook before those that are there.
 */
KDL_API kdl_hook kdl_register_forward_pre_hook(kdl_module *module, kdl_forward_pre_hook *hook,
                                               void *user_data, bool prepend);
KDL_API kdl_hook kdl_register_forward_hook(kdl_module *module, kdl_forward_hook *hook,
                                           void *user_data, bool prepend);
/**
 * Module.register_full_backward_pre_hook(hook, prepend), register_full_backward_hook(hook,
 * prepend): called by kdl_backward() for every forward that was recorded while they were
 * registered. Of a module with several inputs or outputs they see the first.
 */
KDL_API kdl_hook kdl_register_full_backward_pre_hook(kdl_module *module,
                                                     kdl_backward_pre_hook *hook, void *user_data,
                                                     bool prepend);
KDL_API kdl_hook kdl_register_full_backward_hook(kdl_module *module, kdl_backward_hook *hook,
                                                 void *user_data, bool prepend);
KDL_API kdl_hook kdl_register_state_dict_pre_hook(kdl_module *module, kdl_state_dict_pre_hook *hook,
                                                  void *user_data);
KDL_API kdl_hook kdl_register_state_dict_post_hook(kdl_module *module,
                                                   kdl_state_dict_post_hook *hook, void *user_data);
KDL_API kdl_hook kdl_register_load_state_dict_pre_hook(kdl_module *module,
                                                       kdl_load_state_dict_pre_hook *hook,
                                                       void *user_data);
KDL_API kdl_hook kdl_register_load_state_dict_post_hook(kdl_module *module,
                                                        kdl_load_state_dict_post_hook *hook,
                                                        void *user_data);

#ifdef __cplusplus
}
#endif
#endif
