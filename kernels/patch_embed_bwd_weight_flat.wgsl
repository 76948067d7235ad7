//! patch_embed_bwd_weight_flat: patch_embed_bwd_weight without barriers, MG*4 rows by NG*4 columns an invocation
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
//! tune   MG = 4    1 | 2 | 4          groups of four rows an invocation
//! tune   NG = 4    1 | 2 | 4          groups of four columns an invocation
//! tune   GV = 1    1
//! tune   LN = 8    1 | 2 | 4 | 8      invocations along N
//! tune   LM = 1    1 | 2 | 4 | 8      invocations along M
//! lib    matmul_flat matmul_a_cols patch patch_load patch_b_cols matmul_store
//! limit  K <= 1048576
//! grid   ceil(M/(LM*MG*4)), ceil(N/(LN*NG*4)), Z
//! flops  2*M*N*K
//! ref    tests/ref/patch_embed.ts
