//! patch_embed_bwd_image: gradient of patch_embed with respect to normalised images
//! dpixels[i] = sum_k a[m,k] b[k,n], i where pixel n of patch m lies
//!
//! in     a        [B, M, K]   T/4     gradient of y; B = 1
//! in     b        [B, K, N]   W/4     N = 3 side side
//! out    dpixels  [I]         T
//! param  side     u32                 side of a patch, px
//! param  columns  u32                 patches across an image
//! param  stride   u32                 elements of an image row
//! tune   TX = 8    8 | 16             invocations along N
//! tune   TY = 8    8 | 16             invocations along M
//! tune   MG = 2    1 | 2              groups of four rows an invocation
//! tune   NG = 2    1 | 2              groups of four columns an invocation
//! tune   GV = 1    1
//! tune   LOADS = 2  1 | 2             4x4 blocks an invocation fetches: 4 (MG TY + NG TX) / (TX TY)
//! tune   K8 = 2    2
//! tune   AHEAD = 1  1
//! tune   OWN = 0   0
//! lib    matmul_tiled matmul_tile matmul_a_rows matmul_b_cols patch patch_put
//! limit  M <= 1048576
//! grid   ceil(N/(TX*NG*4)), ceil(M/(TY*MG*4)), B
//! flops  2*M*N*K
//! ref    tests/ref/patch_embed.ts
