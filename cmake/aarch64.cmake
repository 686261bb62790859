# SPDX-License-Identifier: Apache-2.0
# Toolchain file: cross-compiles for AArch64 Linux with Debian's GCC and runs the tests under
# qemu-user. Libraries are found where Debian and Ubuntu put those of their arm64 packages; with
# libc6:arm64 among them its loader is in its usual place, so that qemu needs no other root.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64)
set(ENV{PKG_CONFIG_LIBDIR} /usr/lib/aarch64-linux-gnu/pkgconfig:/usr/share/pkgconfig)
