//! patch_embed_bwd_image_flat: patch_embed_bwd_image without barriers, MG*4 rows by NG*4 columns an invocation
//! dpixels[i] = sum_k a[m,k] b[k,n], i where pixel n of patch m lies
//!
//! in     a        [B, M, K]   T/4     gradient of y; B = 1
//! in     b        [B, K, N]   W/4     N = 3 side side
//! out    dpixels  [I]         T
//! param  side     u32                 side of a patch, px
//! param  columns  u32                 patches across an image
//! param  stride   u32                 elements of an image row
//! tune   MG = 4    1 | 2 | 4          groups of four rows an invocation
//! tune   NG = 4    1 | 2 | 4          groups of four columns an invocation
//! tune   GV = 1    1
//! tune   LN = 8    1 | 2 | 4 | 8      invocations along N
//! tune   LM = 1    1 | 2 | 4 | 8      invocations along M
//! lib    matmul_flat matmul_a_rows matmul_b_cols patch patch_put
//! limit  M <= 1048576
//! grid   ceil(M/(LM*MG*4)), ceil(N/(LN*NG*4)), B
//! flops  2*M*N*K
//! ref    tests/ref/patch_embed.ts
