/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Optional arguments by name, in C and C++: kdl_zeros(ctx, shape, .dtype = KDL_BF16).
 *
 * A function with options is a macro over a plain function whose name ends in _with and which takes
 * a pointer to an option struct (that one is for other languages). The macro starts from the
 * struct's defaults and applies each named argument to it, so that every value a caller writes
 * counts, zero included.
 */
#ifndef KINDLING_OPTIONS_H
#define KINDLING_OPTIONS_H

/* Applies up to 16 arguments of the form `.name = value` to the struct `o`; none is fine too. */
#define KDL__SET(o, ...) KDL__SET_(o, __VA_ARGS__, , , , , , , , , , , , , , , , , )
#define KDL__SET_(o, a, b, c, d, e, f, g, h, i, j, k, l, m, n, p, q, ...)                          \
    (void)(o a), (void)(o b), (void)(o c), (void)(o d), (void)(o e), (void)(o f), (void)(o g),     \
        (void)(o h), (void)(o i), (void)(o j), (void)(o k), (void)(o l), (void)(o m), (void)(o n), \
        (void)(o p), (void)(o q)

/*
 * Calls function(arguments..., &options): KDL__WITH(type, defaults, (named...), function, ...). The
 * struct has a name of its own at each use, so that such calls can be nested.
 */
#define KDL__WITH(type, defaults, named, function, ...)                                            \
    KDL__WITH_(KDL__PASTE(kdl_options_, __COUNTER__), type, (defaults), named, function,           \
               __VA_ARGS__)
#define KDL__WITH_(options, type, defaults, named, function, ...)                                  \
    __extension__({                                                                                \
        type options = KDL__UNPAREN defaults;                                                      \
        KDL__SET_UNPACK(options, KDL__UNPAREN named);                                              \
        function(__VA_ARGS__, &options);                                                           \
    })
#define KDL__UNPAREN(...) __VA_ARGS__
#define KDL__PASTE(a, b) KDL__PASTE_(a, b)
#define KDL__PASTE_(a, b) a##b
#define KDL__SET_UNPACK(o, ...) KDL__SET(o, __VA_ARGS__)

#endif
