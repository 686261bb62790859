/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sums and maxima over a row in lanes of their own, which compilers turn into vectors: one order
 * for every instruction set. Lane l has the elements l, l + KDL__LANES, ...; what is left over
 * comes last.
 */
#ifndef KDL_SRC_COMPUTE_ROW_LANES_H
#define KDL_SRC_COMPUTE_ROW_LANES_H

#define KDL__LANES 16

/* Declares `double sum`, that of TERM for i in [0, n). */
#define KDL__SUM_IN_LANES(sum, n, i, TERM)                                                         \
    double sum = 0;                                                                                \
    {                                                                                              \
        double lanes_[KDL__LANES] = { 0 };                                                         \
        int64_t whole_ = (n) / KDL__LANES * KDL__LANES;                                            \
        for (int64_t first_ = 0; first_ < whole_; first_ += KDL__LANES)                            \
            for (int64_t lane_ = 0; lane_ < KDL__LANES; lane_++) {                                 \
                const int64_t i = first_ + lane_;                                                  \
                lanes_[lane_] += (double)(TERM);                                                   \
            }                                                                                      \
        for (int lane_ = 0; whole_ && lane_ < KDL__LANES / 2; lane_++)                             \
            sum += lanes_[lane_] + lanes_[lane_ + KDL__LANES / 2];                                 \
        for (int64_t i = whole_; i < (n); i++)                                                     \
            sum += (double)(TERM);                                                                 \
    }

/* Declares `T most`, the greatest of x[i] for i in [0, n), n > 0; what it is with a NaN is open. */
#define KDL__MAX_IN_LANES(T, most, n, x)                                                           \
    T most = (x)[0];                                                                               \
    {                                                                                              \
        T lanes_[KDL__LANES];                                                                      \
        int64_t whole_ = (n) / KDL__LANES * KDL__LANES;                                            \
        for (int lane_ = 0; whole_ && lane_ < KDL__LANES; lane_++)                                 \
            lanes_[lane_] = (x)[lane_];                                                            \
        for (int64_t first_ = KDL__LANES; first_ < whole_; first_ += KDL__LANES)                   \
            for (int64_t lane_ = 0; lane_ < KDL__LANES; lane_++)                                   \
                lanes_[lane_] =                                                                    \
                    (x)[first_ + lane_] > lanes_[lane_] ? (x)[first_ + lane_] : lanes_[lane_];     \
        for (int lane_ = 0; whole_ && lane_ < KDL__LANES; lane_++)                                 \
            most = lanes_[lane_] > most ? lanes_[lane_] : most;                                    \
        for (int64_t i_ = whole_; i_ < (n); i_++)                                                  \
            most = (x)[i_] > most ? (x)[i_] : most;                                                \
    }

#endif
