/* SPDX-License-Identifier: Apache-2.0 */
/* From the tree of a text's pieces to modules. */
#ifndef KDL_SRC_NN_DESCRIPTION_BUILD_H
#define KDL_SRC_NN_DESCRIPTION_BUILD_H

#include "kindling/description.h"
#include "nn/description_node.h"

/* "Class(arguments)" or "Class=base". */
typedef struct kdl__assumption {
    kdl__span class, arguments, base; /* one of the last two has length 0, or both have */
    bool used;
} kdl__assumption;

typedef struct kdl__builder {
    kdl_context *ctx;
    const char *text;
    const kdl_from_string_options *options;
    kdl__assumption *assumptions; /* options->assume_count */
    kdl__span *noted;             /* the classes that a note has been given of */
    size_t noted_count, noted_capacity;
} kdl__builder;

/* Reads options->assume; false with an error. */
bool kdl__read_assumptions(kdl__builder *builder);
/* ValueError when one has not been used. */
void kdl__check_assumptions(kdl__builder *builder);
/* What is assumed of a class: further arguments ("", if none), or its base (NULL, if none). */
kdl__span kdl__assumed_arguments(kdl__builder *builder, kdl__span class);
const kdl__assumption *kdl__assumed_base(kdl__builder *builder, kdl__span class);

/* Tells, once for a class, which arguments the text does not show, but for those in `given`. */
void kdl__note_unseen(kdl__builder *builder, kdl__span class, kdl__span given);
/* Tells, once for a class, what it is taken for. */
void kdl__note(kdl__builder *builder, kdl__span class, const char *what);

/* An error of a constructor gets the place of its layer in the text. */
void kdl__locate_error(kdl__builder *builder, const kdl__node *node);

/* Parametrizes the module's tensors as `lists`, the ModuleDict `parametrizations`, says. */
void kdl__parametrize(kdl__builder *builder, kdl_module *module, const kdl__node *lists);

/* The class of that name and parent in the context, made when it is not there yet. */
const kdl_module_class *kdl__class_named(kdl_context *ctx, kdl__span name,
                                         const kdl_module_class *parent);

#endif
