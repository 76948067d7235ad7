//! matmul_nn: product of two matrices as they are stored; the input gradient of a linear layer
//! y[z,m,n] = alpha * (sum_k a[z,m,k] b[z,k,n] + sum_r h[m,r] e[r,n])
//!
//! in     a      [B, M, K]   T/4
//! in     b      [B, K, N]   W/4
//! in?    h      [M, R]      T/4     LoRA: gradient of its inner activations; B = 1
//! in?    e      [R, N]      f32/4   LoRA: its inner factor
//! out?   y      [Z, M, N]   T/4     Z = B
//! out?   part   [Z, M, N]   f32/4   instead of y: sums over one of Z/B slices of K, for matmul_reduce
//! param  alpha  f32                 scales the sums
//! tune   TX = 8    8 | 16           invocations along N
//! tune   TY = 8    8 | 16           invocations along M
//! tune   MG = 2    1 | 2            groups of four rows an invocation
//! tune   NG = 2    1 | 2            groups of four columns an invocation
//! tune   GV = 1    1
//! tune   LOADS = 2  1 | 2           4x4 blocks an invocation fetches: 2 K8 (MG TY + NG TX) / (TX TY)
//! tune   K8 = 2    1 | 2 | 4        eights of steps of the reduction at a time
//! tune   AHEAD = 1  0 | 1           the next tile is fetched while one is used
//! tune   OWN = 0   0 | 1            tiles are stored by the invocation that reads them
//! lib    matmul_tiled matmul_tile matmul_a_rows matmul_b_cols matmul_store matmul_epilogue activation
//! grid   ceil(N/(TX*NG*4)), ceil(M/(TY*MG*4)), Z
//! flops  2*B*M*N*K + 2*M*N*R
//! ref    tests/ref/matmul.ts
