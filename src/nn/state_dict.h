/* SPDX-License-Identifier: Apache-2.0 */
/* What a state_dict holds, for those who fill one and load it. */
#ifndef KDL_SRC_NN_STATE_DICT_H
#define KDL_SRC_NN_STATE_DICT_H

#include "kindling/module_state_dict.h"
#include "nn/module_impl.h"

/* Where values are read from when they are asked for; shared by the entries that it is behind. */
typedef struct kdl__state_source {
    int references;
    kdl_tensor *(*read)(struct kdl__state_source *source, int index); /* gives a reference */
    void (*close)(struct kdl__state_source *source);                  /* frees it */
} kdl__state_source;

/* An entry: a tensor, or one that a source has. */
typedef struct kdl__state_entry {
    char *key;          /* owned */
    kdl_tensor *tensor; /* owned; NULL: not read yet */
    kdl_shape shape;
    kdl__state_source *source; /* retained; NULL when there is a tensor */
    int index;
} kdl__state_entry;

struct kdl_state_dict {
    kdl_context *ctx; /* retained */
    kdl__state_entry *entries;
    size_t count, capacity;
    size_t next; /* where the next look-up probably succeeds */
};

void kdl__state_source_release(kdl__state_source *source);
/* The entry of a key, or NULL. */
kdl__state_entry *kdl__state_dict_find(const kdl_state_dict *state_dict, const char *key);
/* Adds a source's tensor under a new key; retains the source. */
kdl_status kdl__state_dict_add_lazy(kdl_state_dict *state_dict, const char *key, kdl_shape shape,
                                    kdl__state_source *source, int index);
/* Another dictionary with the entries whose keys begin with `prefix`, which is taken off. */
kdl_state_dict *kdl__state_dict_copy(kdl_state_dict *state_dict, const char *prefix);
/* The entry's tensor (a reference), reading it without keeping it. */
kdl_tensor *kdl__state_entry_value(const kdl__state_entry *entry);

#endif
