//! patch_embed_bwd_weight: gradient of patch_embed with respect to its matrix, over slices of the patches
//! part[z,m,n] = sum_k a[k,m] x[k,n], k in slice z of the patches, x[k,n] the pixel n of patch k as in patch_embed
//!
//! in?    bytes    [I]         u8      RGB images one after the other
//! in?    pixels   [I]         T       or normalised ones
//! in     a        [B, K, M]   T/4     gradient of y; B = 1
//! out    part     [Z, M, N]   f32/4   N = 3 side side
//! param  alpha    f32                 scales the sums
//! param  side     u32                 side of a patch, px
//! param  columns  u32                 patches across an image
//! param  stride   u32                 elements of an image row
//! param  scale0   f32                 1 / (255 std) and -mean / std by channel; for bytes
//! param  scale1   f32
//! param  scale2   f32
//! param  shift0   f32
//! param  shift1   f32
//! param  shift2   f32
//! tune   TX = 8    8 | 16             invocations along N
//! tune   TY = 8    8 | 16             invocations along M
//! tune   MG = 2    1 | 2              groups of four rows an invocation
//! tune   NG = 2    1 | 2              groups of four columns an invocation
//! tune   GV = 1    1
//! tune   LOADS = 2  1 | 2             4x4 blocks an invocation fetches: 4 (MG TY + NG TX) / (TX TY)
//! tune   K8 = 2    2
//! tune   AHEAD = 1  1
//! tune   OWN = 0   0
//! lib    matmul_tiled matmul_tile matmul_a_cols patch patch_load patch_b_cols matmul_store
//! limit  K <= 1048576
//! grid   ceil(N/(TX*NG*4)), ceil(M/(TY*MG*4)), Z
//! flops  2*M*N*K
//! ref    tests/ref/patch_embed.ts
