/* SPDX-License-Identifier: Apache-2.0 */
/* Dropouts (torch/nn/modules/dropout.py). */
#include "nn/arguments.h"

static void check_dropout(kdl_module *module)
{
    const kdl_dropout_options *dropout = kdl_module_fields(module);
    double p = kdl_number(dropout->p);
    if (p < 0 || p > 1)
        kdl__fail_in(module, KDL_ERROR_VALUE,
                     "dropout probability has to be between 0 and 1, but got {p}");
}

KDL__TABLE(dropout, kdl_dropout_options, KDL_DROPOUT_DEFAULTS, 0,
           (.repr = "p={p}, inplace={inplace}", .build = check_dropout),
           KDL__ARGUMENT(kdl_dropout_options, p), KDL__ARGUMENT(kdl_dropout_options, inplace))
KDL__LAYER(dropout_nd, "_DropoutNd", NULL, kdl_dropout_options, dropout_arguments)
KDL__LAYER(alpha_dropout, "AlphaDropout", KDL_CLASS_DROPOUT_ND, kdl_dropout_options,
           dropout_arguments)
KDL__LAYER(dropout, "Dropout", KDL_CLASS_DROPOUT_ND, kdl_dropout_options, dropout_arguments)
KDL__LAYER(dropout1d, "Dropout1d", KDL_CLASS_DROPOUT_ND, kdl_dropout_options, dropout_arguments)
KDL__LAYER(dropout2d, "Dropout2d", KDL_CLASS_DROPOUT_ND, kdl_dropout_options, dropout_arguments)
KDL__LAYER(dropout3d, "Dropout3d", KDL_CLASS_DROPOUT_ND, kdl_dropout_options, dropout_arguments)
KDL__LAYER(feature_alpha_dropout, "FeatureAlphaDropout", KDL_CLASS_DROPOUT_ND, kdl_dropout_options,
           dropout_arguments)
