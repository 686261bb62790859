/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What layers start with, and why; reset_parameters() again gives the next draws. Its twin is
 * layer_defaults.py.
 */
#include <math.h>
#include <stdio.h>
#include <kindling/kindling.h>

/* The range of each parameter, beside the bound that its layer draws from: U(-bound, bound). */
static void show(const char *title, kdl_module *layer, double bound)
{
    printf("%s: bound %.4f\n", title, bound);
    for (kdl_iterator it = kdl_named_parameters(layer); kdl_next(&it);) {
        const float *values = kdl_tensor_data(it.tensor);
        float least = values[0], most = values[0];
        for (int64_t i = 1; i < kdl_tensor_numel(it.tensor); i++) {
            least = fminf(least, values[i]);
            most = fmaxf(most, values[i]);
        }
        printf("  %-12s %7.4f .. %.4f\n", it.name, least, most);
    }
}

int main(void)
{
    kdl_context *ctx = kdl_context_new(NULL);
    kdl_manual_seed(ctx, 0);

    /*
     * kaiming_uniform_(a=sqrt(5)) is U(+-1/sqrt(fan_in)), so that a layer keeps its input's scale.
     */
    kdl_module *linear = kdl_nn_linear(ctx, 64, 8);
    show("Linear(64, 8)", linear, 1 / sqrt(64));
    kdl_reset_parameters(linear);
    show("again", linear, 1 / sqrt(64));
    kdl_module *conv = kdl_nn_conv2d(ctx, 16, 8, 3); /* fan_in: 16 channels of 3 x 3 */
    show("Conv2d(16, 8, 3)", conv, 1 / sqrt(16 * 3 * 3));
    kdl_module *lstm = kdl_nn_lstm(ctx, 4, 25); /* U(+-1/sqrt(hidden_size)), all of it */
    show("LSTM(4, 25)", lstm, 1 / sqrt(25));

    /* An Embedding draws N(0, 1); then the row of padding_idx becomes zero. */
    kdl_module *embedding = kdl_nn_embedding(ctx, 4, 3, .padding_idx = 0);
    kdl_tensor_print(kdl_parameter(embedding, "weight"), stdout);

    kdl_module_release(linear);
    kdl_module_release(conv);
    kdl_module_release(lstm);
    kdl_module_release(embedding);
    kdl_context_release(ctx);
    return 0;
}
