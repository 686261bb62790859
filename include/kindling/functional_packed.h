/* SPDX-License-Identifier: Apache-2.0 */
/*
 * torch.nn.utils.rnn: sequences of several lengths, padded to one length, or packed without padding
 * as recurrent layers take them. In libkindling_train; with gradients.
 *
 *     kdl_packed_sequence packed, out;
 *     kdl_pack_padded_sequence(batch, lengths, &packed, .enforce_sorted = false);
 *     kdl_call_packed(lstm, &packed, NULL, &out, NULL);
 *     kdl_tensor *outputs = kdl_pad_packed_sequence(&out, NULL);
 */
#ifndef KINDLING_FUNCTIONAL_PACKED_H
#define KINDLING_FUNCTIONAL_PACKED_H

#include "kindling/math.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * PackedSequence: one reference to each tensor that is there. All zero where a function failed; the
 * functions below take that as PyTorch's would take what raised: they do nothing.
 */
typedef struct kdl_packed_sequence {
    kdl_tensor
        *data; /**< (sum of lengths, *): the first steps of all sequences, the second ones... */
    kdl_tensor *batch_sizes;      /**< (T), i64: of how many sequences there is each step */
    kdl_tensor *sorted_indices;   /**< (N), i64: which sequence comes first, ...; NULL: in order */
    kdl_tensor *unsorted_indices; /**< the inverse of it; NULL: likewise */
} kdl_packed_sequence;

/** Releases its tensors and makes it all zero. */
KDL_API void kdl_packed_sequence_release(kdl_packed_sequence *packed);

/** Options of kdl_pack_padded_sequence() and kdl_pack_sequence(). */
typedef struct kdl_pack_sequence_options {
    size_t nbytes;       /**< sizeof(kdl_pack_sequence_options), for the ABI */
    bool batch_first;    /**< of padded ones; default false: (T, N, *); true: (N, T, *) */
    bool enforce_sorted; /**< default true: lengths that do not decrease only are an error */
} kdl_pack_sequence_options;

#define KDL_PACK_SEQUENCE_DEFAULTS                                                                 \
    {                                                                                              \
        sizeof(kdl_pack_sequence_options), false, true                                             \
    }

/**
 * pack_padded_sequence(input, lengths, batch_first=False, enforce_sorted=True): *packed gets the
 * first lengths[n] (i64, (N)) steps of each sequence of `input`, of any dtype. Unless
 * enforce_sorted they are sorted, the longest first; equal ones stay in their order, which in
 * PyTorch they need not where there are more than 16. RuntimeError with PyTorch's text, and for a
 * length beyond T.
 */
#define kdl_pack_padded_sequence(input, lengths, packed, ...)                                      \
    KDL__WITH(kdl_pack_sequence_options, KDL_PACK_SEQUENCE_DEFAULTS, (__VA_ARGS__),                \
              kdl_pack_padded_sequence_with, input, lengths, packed)
KDL_API kdl_status kdl_pack_padded_sequence_with(kdl_tensor *input, kdl_tensor *lengths,
                                                 kdl_packed_sequence *packed,
                                                 const kdl_pack_sequence_options *options);
/** pack_sequence(sequences, enforce_sorted=True): `count` sequences (L, *) of several lengths. */
#define kdl_pack_sequence(sequences, count, packed, ...)                                           \
    KDL__WITH(kdl_pack_sequence_options, KDL_PACK_SEQUENCE_DEFAULTS, (__VA_ARGS__),                \
              kdl_pack_sequence_with, sequences, count, packed)
KDL_API kdl_status kdl_pack_sequence_with(kdl_tensor *const *sequences, int count,
                                          kdl_packed_sequence *packed,
                                          const kdl_pack_sequence_options *options);

/** Options of kdl_pad_packed_sequence() and kdl_pad_sequence(). */
typedef struct kdl_pad_sequence_options {
    size_t nbytes;            /**< sizeof(kdl_pad_sequence_options), for the ABI */
    bool batch_first;         /**< default false: (T, N, *); true: (N, T, *) */
    double padding_value;     /**< default 0 */
    int64_t total_length;     /**< of packed ones: T; default KDL_NONE_INT: the longest one's */
    const char *padding_side; /**< of kdl_pad_sequence(); default "right"; "left" */
} kdl_pad_sequence_options;

#define KDL_PAD_SEQUENCE_DEFAULTS                                                                  \
    {                                                                                              \
        sizeof(kdl_pad_sequence_options), false, 0, KDL_NONE_INT, "right"                          \
    }

/**
 * pad_packed_sequence(sequence, batch_first=False, padding_value=0.0, total_length=None): the
 * sequences as they were ordered before; *lengths (may be NULL) gets one reference to theirs (i64).
 * ValueError for a total_length below the longest one's.
 */
#define kdl_pad_packed_sequence(packed, lengths, ...)                                              \
    KDL__WITH(kdl_pad_sequence_options, KDL_PAD_SEQUENCE_DEFAULTS, (__VA_ARGS__),                  \
              kdl_pad_packed_sequence_with, packed, lengths)
KDL_API kdl_tensor *kdl_pad_packed_sequence_with(const kdl_packed_sequence *packed,
                                                 kdl_tensor **lengths,
                                                 const kdl_pad_sequence_options *options);
/**
 * pad_sequence(sequences, batch_first=False, padding_value=0.0, padding_side='right'): `count`
 * sequences (L, *) as one tensor, of the first one's dtype. RuntimeError where other sizes differ.
 */
#define kdl_pad_sequence(sequences, count, ...)                                                    \
    KDL__WITH(kdl_pad_sequence_options, KDL_PAD_SEQUENCE_DEFAULTS, (__VA_ARGS__),                  \
              kdl_pad_sequence_with, sequences, count)
KDL_API kdl_tensor *kdl_pad_sequence_with(kdl_tensor *const *sequences, int count,
                                          const kdl_pad_sequence_options *options);

/**
 * unpad_sequence(padded_sequences, lengths, batch_first): views of the sequences (L, *), one
 * reference each, in `sequences`, which has room for `room` (ValueError if that is not enough).
 * Gives how many there are; 0 on failure. Other than PyTorch's it leaves what it is given as it is.
 */
KDL_API int kdl_unpad_sequence(kdl_tensor *padded, kdl_tensor *lengths, bool batch_first,
                               kdl_tensor **sequences, int room);
/** unpack_sequence(packed_sequences): likewise. */
KDL_API int kdl_unpack_sequence(const kdl_packed_sequence *packed, kdl_tensor **sequences,
                                int room);
/** invert_permutation(permutation): (N), i64. RuntimeError for what is none. */
KDL_API kdl_tensor *kdl_invert_permutation(kdl_tensor *permutation);

/**
 * module(packed, hx) of RNN, LSTM and GRU: *output gets the packed outputs. hx is NULL (zeros) or
 * has h_0 (layers * D, N, P), for an LSTM also c_0, of the sequences as they were ordered before
 * they were packed; `states` (may be NULL) gets references to as many last states, so ordered too.
 * Hooks see the packed data.
 */
KDL_API kdl_status kdl_call_packed(kdl_module *module, const kdl_packed_sequence *packed,
                                   kdl_tensor *const *hx, kdl_packed_sequence *output,
                                   kdl_tensor **states);

#ifdef __cplusplus
}
#endif
#endif
