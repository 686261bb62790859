# SPDX-License-Identifier: Apache-2.0
"""
Every function of the table with wrong inputs: PyTorch's kind of error, or its result; and a graph
that was made before is whole afterwards.
"""
import pytest
import torch

from conftest import BUILD
from kindling import KindlingError
from operations import OPERATIONS, Floats, Windows
from test_every_operation import Inputs, seed
from training import assert_close, default_path, load_training


@pytest.fixture(scope="module")
def context():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield Windows(load_training(default_path(BUILD)))
    torch.set_num_threads(threads)


def wrong(value, several):
    """Names of what is wrong, and the inputs that are."""
    if value.is_floating_point():
        yield "i64", value.long()
        yield "bool", value > 0
        if several:
            yield "f64", value.double()
    else:
        yield "i32", value.int()
        yield "f32", value.float()
        if value.dtype == torch.int64 and value.numel():
            yield "beyond", value + 1000
            yield "below", value - 1000
    yield "more dimensions", value.unsqueeze(0)
    if value.dim() and len(value):
        yield "fewer dimensions", value[0]
    for dim in sorted({0, value.dim() - 1}) if value.dim() else ():
        if value.shape[dim]:
            yield "longer", torch.cat([value, value.narrow(dim, 0, 1)], dim)
            yield "shorter", value.narrow(dim, 0, value.shape[dim] - 1)
        yield "empty", value.narrow(dim, 0, 0)


def spoilt(context, case, name):
    """What is wrong, and a list of inputs of which one is."""
    torch.manual_seed(1)
    inputs = [value if value is None else value.detach()
              for value in Inputs(context, case, torch.float32).theirs]
    for place, value in enumerate(inputs):
        if value is None:
            continue
        for what, bad in wrong(value, sum(other is not None for other in inputs) > 1):
            if (name, place, what) not in CRASHES:
                yield (place, what), [*inputs[:place], bad, *inputs[place + 1:]]


# PyTorch 2.13 itself reads behind the end of empty offsets.
CRASHES = {("kdl_f_embedding_bag_with", 2, "empty"), ("kdl_f_embedding_bag_with", 2, "shorter"),
           ("kdl_f_embedding_bag_with", 2, "fewer dimensions")}
# torch.lstm() and its kin trust their caller, nn.LSTM: with these they write where they should not.
UNCHECKED = {f"kdl_{name}_with" for name in ("lstm", "gru", "rnn_tanh", "rnn_relu")}
DTYPES = {"i64", "bool", "f64", "i32", "f32"}
# Composed of arithmetic here, which promotes dtypes where PyTorch's kernels do not.
PROMOTE = {f"kdl_f_{name}" for name in (
    "l1_loss", "huber_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits",
    "soft_margin_loss", "kl_div", "poisson_nll_loss", "margin_ranking_loss", "gaussian_nll_loss",
    "multilabel_soft_margin_loss", "triplet_margin_loss", "pairwise_distance",
    "cosine_embedding_loss", "cosine_similarity", "cross_entropy_with", "smooth_l1_loss",
    "hinge_embedding_loss")} | {"kdl_sub_tensor"}


def pairs(*names, what):
    return {(f"kdl_{name}", wrong) for name in names for wrong in what}


CELLS = ("lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell")
POOLS = ("avg_pool_with", "lp_pool_with", "adaptive_avg_pool", "adaptive_max_pool",
         "fractional_max_pool_with")
# Kindling takes, and broadcasts, what PyTorch does not.
TAKEN = pairs("f_binary_cross_entropy", "f_binary_cross_entropy_with_logits", "f_soft_margin_loss",
              "f_scaled_dot_product_attention_with",
              what=("more dimensions", "fewer dimensions")) | pairs(
                  "f_instance_norm", what=("empty",)) | pairs("topk", what=("bool",))
# PyTorch's kind is that of whatever stumbles first, or depends on the kernel.
OTHER_KINDS = (
    pairs(*(f"f_{name}" for name in POOLS), *CELLS, "f_batch_norm", "f_bilinear", "scatter",
          "scatter_add", "f_interpolate_with", what=("fewer dimensions",))
    | pairs(*CELLS, "f_interpolate_with", "f_embedding_with", "f_linear_cross_entropy_with",
            what=("more dimensions",))
    | pairs("f_cross_entropy_with", what=("fewer dimensions", "longer", "shorter", "empty"))
    | pairs("index_select", what=("empty", "beyond", "below", "shorter"))
    | pairs("f_embedding_with", what=("empty",))
    | pairs("f_linear_cross_entropy_with", what=("fewer dimensions", "beyond", "below")))
# Kindling wants the sizes that are documented, PyTorch broadcasts or overlooks.
REFUSED = (
    pairs("f_adaptive_avg_pool", "f_adaptive_max_pool", "f_fractional_max_pool_with",
          "f_scaled_dot_product_attention_with", "index_add", what=("empty",))
    | pairs("f_batch_norm", what=("empty", "more dimensions"))
    | pairs("f_cross_entropy_with", "f_nll_loss_with", what=("more dimensions",))
    | pairs("f_ctc_loss", what=("shorter", "beyond", "below"))
    | pairs("f_linear", "f_linear_cross_entropy_with", *CELLS,
            what=("more dimensions", "fewer dimensions"))
    | pairs("pad_sequence_with", what=("shorter", "fewer dimensions"))
    | pairs("f_embedding_bag_with", what=("longer",)))
# PyTorch gives the input itself back if it is empty; counts indices behind the last offset.
OTHER_RESULTS = pairs("f_pixel_unshuffle", what=("empty",)) | pairs(
    "f_embedding_bag_with", what=("longer",))


def outcome(call):
    try:
        return call()
    except (KindlingError, RuntimeError, ValueError, IndexError, AssertionError) as error:
        return error


def kind(error):
    return error.status if isinstance(error, KindlingError) else type(error).__name__


@pytest.mark.parametrize("name", sorted(set(OPERATIONS) - UNCHECKED))
def test_wrong_inputs(context, name):
    complaints = []
    for number, case in enumerate(OPERATIONS[name]):
        for what, values in spoilt(context, case, name):
            seed(context)
            expected = outcome(lambda: case.theirs(*(
                value if value is None else value.clone() for value in values)))
            seed(context)
            got = outcome(lambda: case.ours(context, *(
                value if value is None else context.tensor(value)
                for value in values)).torch().contiguous())
            complaint = judge(name, what, expected, got)
            if complaint:
                shapes = [value if value is None else tuple(value.shape) for value in values]
                complaints.append((number, what, shapes, complaint))
    assert not complaints, "\n".join(map(str, complaints[:8]))


def judge(name, what, expected, got):
    """What is not as it should be, or None."""
    refused, promotes = isinstance(got, Exception), name in PROMOTE and what[1] in DTYPES
    if not isinstance(expected, Exception):
        return judge_result(name, what, expected, got)
    if not refused:
        return None if promotes or (name, what[1]) in TAKEN else f"takes it: {expected}"
    if kind(got) == kind(expected) or what[1] in DTYPES or (name, what[1]) in OTHER_KINDS:
        return None
    return f"{kind(got)}: {got} | {kind(expected)}: {expected}"


def judge_result(name, what, expected, got):
    if isinstance(got, Exception):
        narrower = (name, what[1]) in REFUSED or what[1] in DTYPES and kind(got) != "IndexError"
        return None if narrower else f"refuses: {got}"
    if name in PROMOTE and what[1] in DTYPES or (name, what[1]) in OTHER_RESULTS:
        return None
    try:
        assert_close(got, expected)
    except AssertionError as error:
        return f"gives another result: {error}"
    return None


# ---- what the message says ---------------------------------------------------------------------

# Those whose words are PyTorch's own, whatever is wrong with the sizes.
SAME_WORDS = [f"kdl_{name}" for name in (
    "add_tensor", "sub_tensor", "mul_tensor", "div_tensor", "maximum", "where", "masked_select",
    "masked_fill", "cat", "f_linear", "f_layer_norm", "amax", "norm_dim", "gather", "f_glu",
    "f_prelu", "f_multi_margin_loss", "copy_", "add_tensor_", "view", "t",
    "matmul", "bmm", "addmm")]
# Of batches that are broadcast PyTorch says how many all are, and of empty ones the dtypes turned.
OTHER_WORDS = {("kdl_matmul", 5), ("kdl_bmm", 1)}


@pytest.mark.parametrize("name", SAME_WORDS)
def test_words(context, name):
    seen = 0
    for number, case in enumerate(OPERATIONS[name]):
        for what, values in spoilt(context, case, name):
            if what[1] in ("i64", "bool") or (name, number) in OTHER_WORDS:
                continue
            expected = outcome(lambda: case.theirs(*values))
            got = outcome(lambda: case.ours(context, *(
                value if value is None else context.tensor(value) for value in values)))
            if isinstance(expected, Exception) and isinstance(got, Exception):
                assert str(got) == str(expected).split("\n", maxsplit=1)[0], (number, what)
                seen += 1
    assert seen or name in ("kdl_view", "kdl_t")


def test_dimensions_out_of_range(context):
    """IndexError in PyTorch's words, for every function along a dimension."""
    x = torch.rand(2, 3)
    for name, rest in (("sum_dim", (False,)), ("mean_dim", (False,)), ("prod_dim", (False,)),
                       ("amax", (False,)), ("amin", (False,)), ("logsumexp", (False,)),
                       ("max_dim", (False, None)), ("min_dim", (False, None)),
                       ("argmax", (False,)), ("var_dim", (1.0, False)), ("std_dim", (1.0, False)),
                       ("cumsum", ()), ("f_softmax", ()), ("f_log_softmax", ()), ("f_glu", ()),
                       ("squeeze", ()), ("sort", (False, None)), ("argsort", (False,))):
        for dim in (2, -3, 99):
            with pytest.raises(KindlingError) as got:
                context.call(f"kdl_{name}", context.tensor(x), dim, *rest)
            assert (got.value.status, str(got.value)) == (
                "IndexError", "Dimension out of range (expected to be in range of [-2, 1], but got "
                f"{dim})"), name


# ---- the graph afterwards ----------------------------------------------------------------------

def test_graphs_outlive_errors(context):
    """Half of a graph, an error of every function, the other half, and backward through both."""
    for name in sorted(set(OPERATIONS) - UNCHECKED):
        case = OPERATIONS[name][-1]
        x = torch.linspace(0.1, 0.9, 6).reshape(2, 3).requires_grad_()
        mine = context.leaf(x)
        theirs, ours = x.exp(), mine.kdl_exp()
        kept, failed = [], 0
        for _, values in spoilt(context, case, name):
            inputs = [value if value is None else context.tensor(value) for value in values]
            for tensor in inputs:
                if tensor is not None and tensor.dtype.is_floating_point:
                    tensor.kdl_requires_grad_(True)
            result = outcome(lambda: case.ours(context, *inputs))
            failed += isinstance(result, Exception)
            kept.append(result)
        assert context.library.kdl_error_status(context.pointer) == 0
        (theirs * x).sum().backward()
        context.backward(ours.kdl_mul_tensor(mine).kdl_sum())
        assert_close(context.grad(mine), x.grad, name, failed)
