/* SPDX-License-Identifier: Apache-2.0 */
/*
 * KDL__EACH_AFTER_FIRST(f, v, first, a, b, ...): f(v, a) f(v, b) ... for up to 64 arguments, none
 * included; more do not compile. KDL__FIRST(first, a, b, ...): first.
 */
#ifndef KINDLING_EACH_H
#define KINDLING_EACH_H

#include "kindling/options.h"

#define KDL__FIRST(...) KDL__FIRST_(__VA_ARGS__, )
#define KDL__FIRST_(first, ...) first

#define KDL__EACH_AFTER_FIRST(f, v, ...)                                                           \
    KDL__PASTE(KDL__EACH_, KDL__COUNT_AFTER_FIRST(__VA_ARGS__))(f, v, __VA_ARGS__)
#define KDL__COUNT_AFTER_FIRST(...)                                                                \
    KDL__PICK_66TH(__VA_ARGS__, 64, 63, 62, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49,    \
                   48, 47, 46, 45, 44, 43, 42, 41, 40, 39, 38, 37, 36, 35, 34, 33, 32, 31, 30, 29, \
                   28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9,  \
                   8, 7, 6, 5, 4, 3, 2, 1, 0)
#define KDL__PICK_66TH(a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16,  \
                       a17, a18, a19, a20, a21, a22, a23, a24, a25, a26, a27, a28, a29, a30, a31,  \
                       a32, a33, a34, a35, a36, a37, a38, a39, a40, a41, a42, a43, a44, a45, a46,  \
                       a47, a48, a49, a50, a51, a52, a53, a54, a55, a56, a57, a58, a59, a60, a61,  \
                       a62, a63, a64, count, ...)                                                  \
    count

#define KDL__EACH_0(f, v, o)
#define KDL__EACH_1(f, v, o, a) f(v, a)
#define KDL__EACH_2(f, v, o, a, ...) f(v, a) KDL__EACH_1(f, v, o, __VA_ARGS__)
#define KDL__EACH_3(f, v, o, a, ...) f(v, a) KDL__EACH_2(f, v, o, __VA_ARGS__)
#define KDL__EACH_4(f, v, o, a, ...) f(v, a) KDL__EACH_3(f, v, o, __VA_ARGS__)
#define KDL__EACH_5(f, v, o, a, ...) f(v, a) KDL__EACH_4(f, v, o, __VA_ARGS__)
#define KDL__EACH_6(f, v, o, a, ...) f(v, a) KDL__EACH_5(f, v, o, __VA_ARGS__)
#define KDL__EACH_7(f, v, o, a, ...) f(v, a) KDL__EACH_6(f, v, o, __VA_ARGS__)
#define KDL__EACH_8(f, v, o, a, ...) f(v, a) KDL__EACH_7(f, v, o, __VA_ARGS__)
#define KDL__EACH_9(f, v, o, a, ...) f(v, a) KDL__EACH_8(f, v, o, __VA_ARGS__)
#define KDL__EACH_10(f, v, o, a, ...) f(v, a) KDL__EACH_9(f, v, o, __VA_ARGS__)
#define KDL__EACH_11(f, v, o, a, ...) f(v, a) KDL__EACH_10(f, v, o, __VA_ARGS__)
#define KDL__EACH_12(f, v, o, a, ...) f(v, a) KDL__EACH_11(f, v, o, __VA_ARGS__)
#define KDL__EACH_13(f, v, o, a, ...) f(v, a) KDL__EACH_12(f, v, o, __VA_ARGS__)
#define KDL__EACH_14(f, v, o, a, ...) f(v, a) KDL__EACH_13(f, v, o, __VA_ARGS__)
#define KDL__EACH_15(f, v, o, a, ...) f(v, a) KDL__EACH_14(f, v, o, __VA_ARGS__)
#define KDL__EACH_16(f, v, o, a, ...) f(v, a) KDL__EACH_15(f, v, o, __VA_ARGS__)
#define KDL__EACH_17(f, v, o, a, ...) f(v, a) KDL__EACH_16(f, v, o, __VA_ARGS__)
#define KDL__EACH_18(f, v, o, a, ...) f(v, a) KDL__EACH_17(f, v, o, __VA_ARGS__)
#define KDL__EACH_19(f, v, o, a, ...) f(v, a) KDL__EACH_18(f, v, o, __VA_ARGS__)
#define KDL__EACH_20(f, v, o, a, ...) f(v, a) KDL__EACH_19(f, v, o, __VA_ARGS__)
#define KDL__EACH_21(f, v, o, a, ...) f(v, a) KDL__EACH_20(f, v, o, __VA_ARGS__)
#define KDL__EACH_22(f, v, o, a, ...) f(v, a) KDL__EACH_21(f, v, o, __VA_ARGS__)
#define KDL__EACH_23(f, v, o, a, ...) f(v, a) KDL__EACH_22(f, v, o, __VA_ARGS__)
#define KDL__EACH_24(f, v, o, a, ...) f(v, a) KDL__EACH_23(f, v, o, __VA_ARGS__)
#define KDL__EACH_25(f, v, o, a, ...) f(v, a) KDL__EACH_24(f, v, o, __VA_ARGS__)
#define KDL__EACH_26(f, v, o, a, ...) f(v, a) KDL__EACH_25(f, v, o, __VA_ARGS__)
#define KDL__EACH_27(f, v, o, a, ...) f(v, a) KDL__EACH_26(f, v, o, __VA_ARGS__)
#define KDL__EACH_28(f, v, o, a, ...) f(v, a) KDL__EACH_27(f, v, o, __VA_ARGS__)
#define KDL__EACH_29(f, v, o, a, ...) f(v, a) KDL__EACH_28(f, v, o, __VA_ARGS__)
#define KDL__EACH_30(f, v, o, a, ...) f(v, a) KDL__EACH_29(f, v, o, __VA_ARGS__)
#define KDL__EACH_31(f, v, o, a, ...) f(v, a) KDL__EACH_30(f, v, o, __VA_ARGS__)
#define KDL__EACH_32(f, v, o, a, ...) f(v, a) KDL__EACH_31(f, v, o, __VA_ARGS__)
#define KDL__EACH_33(f, v, o, a, ...) f(v, a) KDL__EACH_32(f, v, o, __VA_ARGS__)
#define KDL__EACH_34(f, v, o, a, ...) f(v, a) KDL__EACH_33(f, v, o, __VA_ARGS__)
#define KDL__EACH_35(f, v, o, a, ...) f(v, a) KDL__EACH_34(f, v, o, __VA_ARGS__)
#define KDL__EACH_36(f, v, o, a, ...) f(v, a) KDL__EACH_35(f, v, o, __VA_ARGS__)
#define KDL__EACH_37(f, v, o, a, ...) f(v, a) KDL__EACH_36(f, v, o, __VA_ARGS__)
#define KDL__EACH_38(f, v, o, a, ...) f(v, a) KDL__EACH_37(f, v, o, __VA_ARGS__)
#define KDL__EACH_39(f, v, o, a, ...) f(v, a) KDL__EACH_38(f, v, o, __VA_ARGS__)
#define KDL__EACH_40(f, v, o, a, ...) f(v, a) KDL__EACH_39(f, v, o, __VA_ARGS__)
#define KDL__EACH_41(f, v, o, a, ...) f(v, a) KDL__EACH_40(f, v, o, __VA_ARGS__)
#define KDL__EACH_42(f, v, o, a, ...) f(v, a) KDL__EACH_41(f, v, o, __VA_ARGS__)
#define KDL__EACH_43(f, v, o, a, ...) f(v, a) KDL__EACH_42(f, v, o, __VA_ARGS__)
#define KDL__EACH_44(f, v, o, a, ...) f(v, a) KDL__EACH_43(f, v, o, __VA_ARGS__)
#define KDL__EACH_45(f, v, o, a, ...) f(v, a) KDL__EACH_44(f, v, o, __VA_ARGS__)
#define KDL__EACH_46(f, v, o, a, ...) f(v, a) KDL__EACH_45(f, v, o, __VA_ARGS__)
#define KDL__EACH_47(f, v, o, a, ...) f(v, a) KDL__EACH_46(f, v, o, __VA_ARGS__)
#define KDL__EACH_48(f, v, o, a, ...) f(v, a) KDL__EACH_47(f, v, o, __VA_ARGS__)
#define KDL__EACH_49(f, v, o, a, ...) f(v, a) KDL__EACH_48(f, v, o, __VA_ARGS__)
#define KDL__EACH_50(f, v, o, a, ...) f(v, a) KDL__EACH_49(f, v, o, __VA_ARGS__)
#define KDL__EACH_51(f, v, o, a, ...) f(v, a) KDL__EACH_50(f, v, o, __VA_ARGS__)
#define KDL__EACH_52(f, v, o, a, ...) f(v, a) KDL__EACH_51(f, v, o, __VA_ARGS__)
#define KDL__EACH_53(f, v, o, a, ...) f(v, a) KDL__EACH_52(f, v, o, __VA_ARGS__)
#define KDL__EACH_54(f, v, o, a, ...) f(v, a) KDL__EACH_53(f, v, o, __VA_ARGS__)
#define KDL__EACH_55(f, v, o, a, ...) f(v, a) KDL__EACH_54(f, v, o, __VA_ARGS__)
#define KDL__EACH_56(f, v, o, a, ...) f(v, a) KDL__EACH_55(f, v, o, __VA_ARGS__)
#define KDL__EACH_57(f, v, o, a, ...) f(v, a) KDL__EACH_56(f, v, o, __VA_ARGS__)
#define KDL__EACH_58(f, v, o, a, ...) f(v, a) KDL__EACH_57(f, v, o, __VA_ARGS__)
#define KDL__EACH_59(f, v, o, a, ...) f(v, a) KDL__EACH_58(f, v, o, __VA_ARGS__)
#define KDL__EACH_60(f, v, o, a, ...) f(v, a) KDL__EACH_59(f, v, o, __VA_ARGS__)
#define KDL__EACH_61(f, v, o, a, ...) f(v, a) KDL__EACH_60(f, v, o, __VA_ARGS__)
#define KDL__EACH_62(f, v, o, a, ...) f(v, a) KDL__EACH_61(f, v, o, __VA_ARGS__)
#define KDL__EACH_63(f, v, o, a, ...) f(v, a) KDL__EACH_62(f, v, o, __VA_ARGS__)
#define KDL__EACH_64(f, v, o, a, ...) f(v, a) KDL__EACH_63(f, v, o, __VA_ARGS__)

#endif
