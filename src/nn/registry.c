/* SPDX-License-Identifier: Apache-2.0 */
/* The classes of torch.nn that can be found by their names. */
#include <string.h>

#include "nn/module_impl.h"

static const kdl_module_class *const classes[] = {
    /* activations and dropouts */
    KDL_CLASS_ALPHA_DROPOUT,
    KDL_CLASS_CELU,
    KDL_CLASS_DROPOUT,
    KDL_CLASS_DROPOUT1D,
    KDL_CLASS_DROPOUT2D,
    KDL_CLASS_DROPOUT3D,
    KDL_CLASS_ELU,
    KDL_CLASS_FEATURE_ALPHA_DROPOUT,
    KDL_CLASS_GELU,
    KDL_CLASS_GLU,
    KDL_CLASS_HARDSHRINK,
    KDL_CLASS_HARDSIGMOID,
    KDL_CLASS_HARDSWISH,
    KDL_CLASS_HARDTANH,
    KDL_CLASS_LEAKY_RELU,
    KDL_CLASS_LOG_SIGMOID,
    KDL_CLASS_LOG_SOFTMAX,
    KDL_CLASS_MISH,
    KDL_CLASS_PRELU,
    KDL_CLASS_RELU,
    KDL_CLASS_RELU6,
    KDL_CLASS_RRELU,
    KDL_CLASS_SELU,
    KDL_CLASS_SIGMOID,
    KDL_CLASS_SILU,
    KDL_CLASS_SOFTMAX,
    KDL_CLASS_SOFTMAX2D,
    KDL_CLASS_SOFTMIN,
    KDL_CLASS_SOFTPLUS,
    KDL_CLASS_SOFTSHRINK,
    KDL_CLASS_SOFTSIGN,
    KDL_CLASS_TANH,
    KDL_CLASS_TANHSHRINK,
    KDL_CLASS_THRESHOLD,
    /* containers */
    KDL_CLASS_MODULE,
    KDL_CLASS_MODULE_DICT,
    KDL_CLASS_MODULE_LIST,
    KDL_CLASS_SEQUENTIAL,
    /* linear layers and embeddings */
    KDL_CLASS_EMBEDDING,
    KDL_CLASS_IDENTITY,
    KDL_CLASS_LINEAR,
    /* normalisation */
    KDL_CLASS_LAYER_NORM,
    KDL_CLASS_RMS_NORM,
    /* recurrent layers */
    KDL_CLASS_GRU,
    KDL_CLASS_GRU_CELL,
    KDL_CLASS_LSTM,
    KDL_CLASS_LSTM_CELL,
    KDL_CLASS_RNN,
    KDL_CLASS_RNN_BASE,
    KDL_CLASS_RNN_CELL,
    KDL_CLASS_RNN_CELL_BASE,
};

const kdl_module_class *kdl_nn_class_at(size_t index)
{
    return index < sizeof classes / sizeof *classes ? classes[index] : NULL;
}

const kdl_module_class *kdl_nn_class(const char *name)
{
    const kdl_module_class *class;
    for (size_t i = 0; (class = kdl_nn_class_at(i)); i++) {
        if (strcmp(class->name, name) == 0)
            return class;
    }
    return NULL;
}
