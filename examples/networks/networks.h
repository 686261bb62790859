/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Twelve networks from the literature, described as one describes them in PyTorch: classes with
 * named parts, constructed in order, then initialised by their authors' rules. Each function gives
 * one reference, NULL on failure (the context has the error).
 */
#ifndef KINDLING_EXAMPLES_NETWORKS_H
#define KINDLING_EXAMPLES_NETWORKS_H

#include <kindling/kindling.h>

/** LeNet-5 (LeCun et al., 1998). */
kdl_module *lenet5(kdl_context *ctx);
/** AlexNet (Krizhevsky, 2014); of 64 channels at first, and `hidden` units of 4096. */
kdl_module *alexnet(kdl_context *ctx, int64_t width, int64_t hidden, int64_t classes);
/** VGG-16 with batch normalisation (Simonyan and Zisserman, 2014); channels divided by `scale`. */
kdl_module *vgg16_bn(kdl_context *ctx, int64_t scale, int64_t hidden, int64_t classes);
/** ResNet-50 (He et al., 2015); of 64 channels at first. */
kdl_module *resnet50(kdl_context *ctx, int64_t width, int64_t classes);
/**
 * MobileNetV2 (Sandler et al., 2018), with torch.nn's own initialisation; channels over `scale`.
 */
kdl_module *mobilenet_v2(kdl_context *ctx, int64_t scale, int64_t classes);
/** DenseNet-121 (Huang et al., 2016), whose growth is 32. */
kdl_module *densenet121(kdl_context *ctx, int64_t growth, int64_t classes);
/** U-Net (Ronneberger et al., 2015). */
kdl_module *unet(kdl_context *ctx, int64_t width);
/** A bidirectional LSTM tagger (Huang et al., 2015). */
kdl_module *lstm_tagger(kdl_context *ctx);
/** A GRU encoder and decoder (Cho et al., 2014) whose output layer is tied to the embedding. */
kdl_module *gru_seq2seq(kdl_context *ctx);
/** nn.Transformer (Vaswani et al., 2017); the base model is 512, 8, 6, 2048. */
kdl_module *transformer(kdl_context *ctx, int64_t d_model, int64_t nhead, int64_t layers,
                        int64_t dim_feedforward);
/** The generator of a DCGAN (Radford et al., 2015), with the authors' weights_init. */
kdl_module *dcgan_generator(kdl_context *ctx, int64_t width);
/** A vision transformer (Dosovitskiy et al., 2020), with parameters of its own. */
kdl_module *vit(kdl_context *ctx, int64_t width);

#endif
