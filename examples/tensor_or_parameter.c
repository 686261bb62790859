/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tensor is not a parameter: a module lists, saves and moves only what is wrapped in
 * nn.Parameter. Its twin is tensor_or_parameter.py.
 */
#include <stdio.h>
#include <kindling/kindling.h>

/* class Net(nn.Module): a name is all that a class needs. */
static const kdl_module_class net_class = { .name = "Net" };

int main(void)
{
    kdl_context *ctx = kdl_context_new(NULL);
    kdl_manual_seed(ctx, 0);

    /* self.weight = torch.randn(3, 3): an attribute, and no more. */
    kdl_module *plain = kdl_module_new(ctx, &net_class);
    kdl_set_attribute(plain, "weight", kdl_randn(ctx, KDL_SHAPE(3, 3)));
    kdl_set_attribute(plain, "bias", kdl_zeros(ctx, KDL_SHAPE(3)));
    kdl_iterator_print(kdl_named_parameters(plain), stdout);
    kdl_tensor_print(kdl_attribute(plain, "weight"), stdout);

    /* self.weight = nn.Parameter(torch.randn(3, 3)): registered under its name. */
    kdl_module *net = kdl_module_new(ctx, &net_class);
    kdl_set_attribute(net, "weight", kdl_parameter_new(kdl_randn(ctx, KDL_SHAPE(3, 3))));
    kdl_set_attribute(net, "bias", kdl_parameter_new(kdl_zeros(ctx, KDL_SHAPE(3))));
    kdl_iterator_print(kdl_named_parameters(net), stdout);

    /* Once a name is a parameter's, a plain tensor is refused: the error stays in the context. */
    kdl_set_attribute(net, "bias", kdl_ones(ctx, KDL_SHAPE(3)));
    printf("%s: %s\n", kdl_status_name(kdl_error_status(ctx)), kdl_error_message(ctx));
    kdl_error_clear(ctx);

    kdl_module_release(plain);
    kdl_module_release(net);
    kdl_context_release(ctx);
    return 0;
}
