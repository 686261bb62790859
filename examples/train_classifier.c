/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A two-layer network learns in which quadrants a point lies (x * y > 0), with Adam; the loss is
 * drawn as it falls. Its twin, train_classifier.py, begins with the same bits and follows it.
 */
#include <stdio.h>
#include <kindling/train.h>

enum { POINTS = 256, STEPS = 200 };

/* torch.randn(POINTS, 2), and 1 where both coordinates have one sign. */
static kdl_tensor *make_labels(kdl_tensor *points)
{
    const float *xy = kdl_tensor_data(points);
    int64_t labels[POINTS];
    for (int i = 0; i < POINTS; i++)
        labels[i] = xy[2 * i] * xy[2 * i + 1] > 0;
    return kdl_tensor_from_data(kdl_tensor_context(points), KDL_I64, KDL_SHAPE(POINTS), labels);
}

static int count_right(kdl_tensor *scores, kdl_tensor *labels)
{
    kdl_tensor *best = kdl_argmax(scores, 1, false);
    const int64_t *guess = kdl_tensor_data(best), *label = kdl_tensor_data(labels);
    int right = 0;
    for (int i = 0; i < POINTS; i++)
        right += guess[i] == label[i];
    kdl_tensor_release(best);
    return right;
}

int main(void)
{
    kdl_context *ctx = kdl_context_new(NULL);
    kdl_train_enable(ctx);
    kdl_manual_seed(ctx, 1);
    kdl_module *net = kdl_nn_sequential(ctx, kdl_nn_linear(ctx, 2, 16), kdl_nn_tanh(ctx),
                                        kdl_nn_linear(ctx, 16, 2));
    kdl_tensor *points = kdl_randn(ctx, KDL_SHAPE(POINTS, 2)), *labels = make_labels(points);
    kdl_optimizer *optimizer = kdl_optim_adam(kdl_named_parameters(net), 0.02);
    for (int step = 0; step <= STEPS; step++) {
        kdl_optimizer_zero_grad(optimizer);
        kdl_tensor *scores = kdl_forward(net, points);
        kdl_tensor *loss = kdl_f_cross_entropy(scores, labels);
        kdl_backward(loss);
        kdl_optimizer_step(optimizer);
        double value = kdl_tensor_item(loss);
        if (step % 20 == 0)
            printf("%3d %.3f %.*s\n", step, value, (int)(value * 60 + 0.5),
                   "############################################################");
        if (step == STEPS)
            printf("%d of %d right\n", count_right(scores, labels), POINTS);
        kdl_tensor_release(loss);
        kdl_tensor_release(scores);
    }
    kdl_optimizer_release(optimizer);
    kdl_tensor_release(points);
    kdl_tensor_release(labels);
    kdl_module_release(net);
    kdl_context_release(ctx);
    return 0;
}
